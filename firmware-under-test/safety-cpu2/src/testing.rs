//! Test bench: memories, a configuration writer, and a peer that is CPU1.
//!
//! The peer is made from `SAFETY.md` alone. Sums that the firmware makes with its nibble tables are made here bit by bit.

use core::ops::Range;
use std::boxed::Box;
use std::sync::{Arc, OnceLock};
use std::vec;
use std::vec::Vec;

use safety_common::configuration::{BlockKind, GroupKind, HASH_KEY, NO_SIGNAL, Role, block, header, node, section};
use safety_common::fault::{Detection, Fault};
use safety_common::flash_map::{self, image, production};
use safety_common::io::{
    AnalogCounts, BootInputs, C2cReceived, Channel, FlashCommand, FlashPort, FlashResult, Forward, Levels, Mode,
    RamPort, ResetCause, Retained, TickInputs, TickOutputs,
};
use safety_common::signal::Signal;
use safety_common::tool::{self, Command, PASSWORD_KEY};
use safety_common::{PINS, c2c};
use units::Instant;

use crate::{Cpu2, RAM_WORDS, chaskey};

pub(crate) const SERIAL: u32 = 0x0000_1234;
pub(crate) const OTHER_SERIAL: u32 = 0x0000_5678;
pub(crate) const RELEASE_ID: u32 = 0x0102_0304;
pub(crate) const RELEASE_HASH: u32 = 0xA1B2_C3D4;
pub(crate) const NETWORK_ID: u32 = 0x00C0_FFEE;
pub(crate) const PASSWORD: &[u8] = b"secret";
pub(crate) const FACTORY_PASSWORD: &[u8] = b"factory";
pub(crate) const CODE_LEN: u32 = 5_000;

/// A reflected CRC-32 bit by bit.
pub(crate) fn crc32(polynomial: u32, bytes: &[u8]) -> u32 {
    let reversed = polynomial.reverse_bits();
    let mut state = u32::MAX;
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            state = if state & 1 == 1 { (state >> 1) ^ reversed } else { state >> 1 };
        }
    }
    !state
}

pub(crate) fn crc_flash(bytes: &[u8]) -> u32 {
    crc32(0x04C1_1DB7, bytes)
}

/// An unreflected CRC of `width` bits, bit by bit.
pub(crate) fn crc_forward(width: u32, polynomial: u32, initial: u32, bytes: &[u8]) -> u32 {
    let top = 1u64 << (width - 1);
    let mask = (1u64 << width) - 1;
    let mut state = u64::from(initial);
    for byte in bytes {
        for bit in (0..8).rev() {
            let out = (state & top != 0) != (byte >> bit & 1 == 1);
            state = (state << 1) & mask ^ if out { u64::from(polynomial) } else { 0 };
        }
    }
    state as u32
}

pub(crate) fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// A password verifier or other tag as bytes.
pub(crate) fn tag_bytes(key: [u32; 4], message: &[u8]) -> Vec<u8> {
    chaskey::tag(key, message).iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Good RAM.
#[derive(Clone)]
pub(crate) struct Ram(pub(crate) Vec<u32>);

impl Ram {
    pub(crate) fn new() -> Self {
        Self((0..RAM_WORDS).map(|word| word.wrapping_mul(0x9E37_79B9) ^ 0x1234_5678).collect())
    }
}

impl RamPort for Ram {
    fn read(&mut self, word: u32) -> u32 {
        self.0.get(word as usize).copied().unwrap_or(0)
    }

    fn write(&mut self, word: u32, value: u32) {
        if let Some(place) = self.0.get_mut(word as usize) {
            *place = value;
        }
    }
}

/// Flash with copy on write.
#[derive(Clone)]
pub(crate) struct Flash(pub(crate) Arc<Vec<u8>>);

impl FlashPort for Flash {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let begin = address as usize;
        match self.0.get(begin..begin + into.len()) {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }
}

impl Flash {
    /// Image, configuration and production data.
    pub(crate) fn new(configuration: &[u8]) -> Self {
        let mut flash = Self(Arc::new(vec![0xFF; flash_map::LEN as usize]));
        flash.write(0, &image_bytes(2, RELEASE_ID));
        flash.write(flash_map::CONFIGURATION_AT, configuration);
        flash.write(flash_map::PRODUCTION_AT, &production_bytes(SERIAL));
        flash
    }

    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) {
        put(Arc::make_mut(&mut self.0).as_mut_slice(), address as usize, bytes);
    }

    pub(crate) fn flip(&mut self, address: u32, bit: u32) {
        let bytes: &mut Vec<u8> = Arc::make_mut(&mut self.0);
        bytes[address as usize] ^= 1 << bit;
    }

    pub(crate) fn configuration(&self) -> &[u8] {
        let begin = flash_map::CONFIGURATION_AT as usize;
        &self.0[begin..begin + flash_map::CONFIGURATION_LEN_MOST as usize]
    }

    /// A flash controller: programming clears bits only.
    pub(crate) fn carry_out(&mut self, command: FlashCommand) {
        let bytes = Arc::make_mut(&mut self.0);
        match command {
            FlashCommand::EraseConfiguration => {
                let begin = flash_map::CONFIGURATION_AT as usize;
                bytes[begin..begin + flash_map::CONFIGURATION_LEN_MOST as usize].fill(0xFF);
            }
            FlashCommand::Program { address, row } => {
                for (place, byte) in bytes[address as usize..].iter_mut().zip(row) {
                    *place &= byte;
                }
            }
        }
    }
}

pub(crate) fn image_bytes(cpu: u8, release_id: u32) -> Vec<u8> {
    let code: Vec<u8> = (0..CODE_LEN).map(|i| (i * 7 + i / 256) as u8).collect();
    let mut head = vec![0; image::LEN];
    put(&mut head, image::MAGIC, &image::MAGIC_VALUE.to_le_bytes());
    put(&mut head, image::FORMAT, &1u16.to_le_bytes());
    put(&mut head, image::CPU, &[cpu, 0]);
    put(&mut head, image::RELEASE_ID, &release_id.to_le_bytes());
    put(&mut head, image::RELEASE_HASH, &RELEASE_HASH.to_le_bytes());
    put(&mut head, image::LENGTH, &CODE_LEN.to_le_bytes());
    put(&mut head, image::CODE_CRC, &crc_flash(&code).to_le_bytes());
    let crc = crc_flash(&head[..image::HEADER_CRC]);
    put(&mut head, image::HEADER_CRC, &crc.to_le_bytes());
    [head, code].concat()
}

pub(crate) fn production_bytes(serial: u32) -> Vec<u8> {
    let mut record = vec![0; production::LEN];
    put(&mut record, production::MAGIC, &production::MAGIC_VALUE.to_le_bytes());
    put(&mut record, production::FORMAT, &1u16.to_le_bytes());
    put(&mut record, production::SERIAL, &serial.to_le_bytes());
    put(&mut record, production::PASSWORD, &tag_bytes(PASSWORD_KEY, FACTORY_PASSWORD));
    let crc = crc_flash(&record[..production::CRC]);
    put(&mut record, production::CRC, &crc.to_le_bytes());
    record
}

/// A block to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSpec {
    pub(crate) kind: u8,
    pub(crate) index: u8,
    pub(crate) number: u16,
    pub(crate) inputs: [u16; 4],
    pub(crate) time: u32,
}

pub(crate) fn block_spec(kind: BlockKind, index: u8, number: u16, used: &[u16], time: u32) -> BlockSpec {
    let mut inputs = [NO_SIGNAL; 4];
    inputs[..used.len()].copy_from_slice(used);
    BlockSpec { kind: kind as u8, index, number, inputs, time }
}

/// An input group to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputSpec {
    pub(crate) pins: u16,
    pub(crate) discrepancy: u16,
    pub(crate) on_filter: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
}

pub(crate) fn single(pin: u32) -> InputSpec {
    InputSpec { pins: 1 << pin, discrepancy: 0, on_filter: 0, kind: GroupKind::Single as u8, flags: 0 }
}

pub(crate) fn redundant(pins: u16, discrepancy: u16) -> InputSpec {
    InputSpec { pins, discrepancy, on_filter: 0, kind: GroupKind::Redundant as u8, flags: 0 }
}

/// A section to write; limits as offset and value, so that a test can spoil any of them.
#[derive(Clone, Debug)]
pub(crate) struct SectionSpec {
    pub(crate) limits: Vec<(usize, u16)>,
    pub(crate) pins: [(u8, u8, u8); PINS],
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) outputs: Vec<(u16, u8)>,
    pub(crate) blocks: Vec<BlockSpec>,
}

impl SectionSpec {
    pub(crate) fn empty() -> Self {
        Self {
            limits: vec![
                (section::SUPPLY_MIN, 18_000),
                (section::SUPPLY_MAX, 30_000),
                (section::RAIL_MIN, 3_135),
                (section::RAIL_MAX, 3_465),
                (section::RAIL_DEBOUNCE, 10),
                (section::SIO_DROP, 2_000),
                (section::SIO_OFF, 2_000),
                (section::MISMATCH, 1_000),
                (section::MISMATCH_DEBOUNCE, 20),
                (section::RELAY_MOVE, 30),
            ],
            pins: [(Role::Unused as u8, 0, 0); PINS],
            inputs: vec![],
            outputs: vec![],
            blocks: vec![],
        }
    }

    pub(crate) fn pin(&mut self, pin: usize, role: Role, on: Signal, off: Signal) -> &mut Self {
        self.pins[pin] = (role as u8, on as u8, off as u8);
        self
    }

    pub(crate) fn limit(&mut self, at: usize, value: u16) -> &mut Self {
        self.limits.retain(|(place, _)| *place != at);
        self.limits.push((at, value));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = vec![0; section::LEN];
        self.limits.iter().for_each(|(at, value)| put(&mut head, *at, &value.to_le_bytes()));
        put(&mut head, section::INPUT_GROUPS, &[self.inputs.len() as u8, self.outputs.len() as u8]);
        put(&mut head, section::BLOCKS, &(self.blocks.len() as u16).to_le_bytes());
        for (role, on, off) in self.pins {
            head.extend([role, on, off, 0]);
        }
        for group in &self.inputs {
            head.extend(group.pins.to_le_bytes());
            head.extend(group.discrepancy.to_le_bytes());
            head.extend(group.on_filter.to_le_bytes());
            head.extend([group.kind, group.flags, 0, 0]);
        }
        for (pins, kind) in &self.outputs {
            head.extend(pins.to_le_bytes());
            head.extend([*kind, 0]);
        }
        for spec in &self.blocks {
            let mut record = vec![0; block::LEN];
            record[block::KIND] = spec.kind;
            record[block::INDEX] = spec.index;
            put(&mut record, block::NUMBER, &spec.number.to_le_bytes());
            for (place, input) in spec.inputs.iter().enumerate() {
                put(&mut record, block::INPUTS + 2 * place, &input.to_le_bytes());
            }
            put(&mut record, block::TIME, &spec.time.to_le_bytes());
            head.extend(record);
        }
        head
    }
}

/// A line of the node table and its section.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) serial: u32,
    pub(crate) memories: u16,
    pub(crate) can_entries: u16,
    pub(crate) can_index: u8,
    pub(crate) radio: bool,
    pub(crate) section: SectionSpec,
}

/// A configuration to write.
#[derive(Clone, Debug)]
pub(crate) struct ConfigurationSpec {
    pub(crate) network_id: u32,
    pub(crate) radio_timeout: u32,
    pub(crate) radio_period: u16,
    pub(crate) can_age: u16,
    pub(crate) response: u32,
    pub(crate) nodes: Vec<NodeSpec>,
}

impl ConfigurationSpec {
    /// Two nodes with radio, 32 memories and one CAN entry each; this unit is the first.
    pub(crate) fn two_nodes(own: SectionSpec) -> Self {
        let line = |serial, can_index: u8, section| NodeSpec {
            serial,
            memories: 32,
            can_entries: 1u16 << u32::from(can_index),
            can_index,
            radio: true,
            section,
        };
        Self {
            network_id: NETWORK_ID,
            radio_timeout: 100,
            radio_period: 10,
            can_age: 35,
            response: 500,
            nodes: vec![line(SERIAL, 0, own), line(OTHER_SERIAL, 1, SectionSpec::empty())],
        }
    }

    /// The binary before its sums.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut bytes = vec![0; header::LEN + self.nodes.len() * node::LEN];
        put(&mut bytes, header::MAGIC, &header::MAGIC_VALUE.to_le_bytes());
        put(&mut bytes, header::FORMAT, &1u16.to_le_bytes());
        bytes[header::NODES] = self.nodes.len() as u8;
        put(&mut bytes, header::NETWORK_ID, &self.network_id.to_le_bytes());
        put(&mut bytes, header::RADIO_TIMEOUT, &self.radio_timeout.to_le_bytes());
        put(&mut bytes, header::RADIO_PERIOD, &self.radio_period.to_le_bytes());
        put(&mut bytes, header::CAN_AGE, &self.can_age.to_le_bytes());
        put(&mut bytes, header::RESPONSE, &self.response.to_le_bytes());
        put(&mut bytes, header::PASSWORD, &tag_bytes(PASSWORD_KEY, PASSWORD));
        for (place, spec) in self.nodes.iter().enumerate() {
            let section = spec.section.bytes();
            let at = header::LEN + place * node::LEN;
            let offset = bytes.len() as u32;
            put(&mut bytes, at + node::SERIAL, &spec.serial.to_le_bytes());
            put(&mut bytes, at + node::OFFSET, &offset.to_le_bytes());
            put(&mut bytes, at + node::LENGTH, &(section.len() as u32).to_le_bytes());
            put(&mut bytes, at + node::MEMORIES, &spec.memories.to_le_bytes());
            put(&mut bytes, at + node::CAN_ENTRIES, &spec.can_entries.to_le_bytes());
            bytes[at + node::CAN_NODE] = spec.can_index;
            bytes[at + node::FLAGS] = u8::from(spec.radio);
            bytes.extend(section);
        }
        bytes
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        seal(self.body())
    }
}

/// Length, hash and CRC of a configuration whose body may have been spoilt.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u32 + 4;
    put(&mut bytes, header::LENGTH, &length.to_le_bytes());
    let [hash, ..] = chaskey::tag(HASH_KEY, &bytes[header::HASHED_FROM..]);
    put(&mut bytes, header::HASH, &hash.to_le_bytes());
    let crc = crc_flash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

pub(crate) fn hash_of(configuration: &[u8]) -> u32 {
    u32::from_le_bytes(configuration[header::HASH..header::HASH + 4].try_into().unwrap())
}

/// Counts that read as at least these millivolts.
pub(crate) fn counts(millivolts: u32) -> u16 {
    (u64::from(millivolts) * 4096 * 31_000).div_ceil(3_300 * 1_000_000) as u16
}

pub(crate) fn rail_counts(millivolts: u32) -> u16 {
    (u64::from(millivolts) * 4096 * 500_000).div_ceil(3_300 * 1_000_000) as u16
}

/// CPU1 as this CPU sees it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) mode: Mode,
    pub(crate) counter: u32,
    pub(crate) release_id: u32,
    pub(crate) release_hash: u32,
    pub(crate) configuration_hash: u32,
    pub(crate) serial: u32,
    pub(crate) volts: [u16; 16],
    pub(crate) inputs_on: u16,
    pub(crate) outputs_on: u16,
    pub(crate) outputs_failed: u16,
    pub(crate) relays_on: u8,
    pub(crate) relay_feedback: u8,
}

impl Peer {
    /// The packet of this tick, its counter one further.
    pub(crate) fn packet(&mut self) -> Vec<u8> {
        self.counter = self.counter.wrapping_add(1);
        let mut bytes = vec![0; c2c::LEN];
        put(&mut bytes, c2c::at::FORMAT, &[0xC1, 1, self.mode as u8, 0]);
        put(&mut bytes, c2c::at::COUNTER, &self.counter.to_le_bytes());
        put(&mut bytes, c2c::at::RELEASE_ID, &self.release_id.to_le_bytes());
        put(&mut bytes, c2c::at::RELEASE_HASH, &self.release_hash.to_le_bytes());
        put(&mut bytes, c2c::at::CONFIGURATION_HASH, &self.configuration_hash.to_le_bytes());
        put(&mut bytes, c2c::at::SERIAL, &self.serial.to_le_bytes());
        let volts: Vec<u8> = self.volts.iter().flat_map(|volts| volts.to_le_bytes()).collect();
        put(&mut bytes, c2c::at::PINS, &volts);
        put(&mut bytes, c2c::at::INPUTS_ON, &self.inputs_on.to_le_bytes());
        put(&mut bytes, c2c::at::OUTPUTS_ON, &self.outputs_on.to_le_bytes());
        put(&mut bytes, c2c::at::OUTPUTS_FAILED, &self.outputs_failed.to_le_bytes());
        put(&mut bytes, c2c::at::RELAYS_ON, &[self.relays_on, self.relay_feedback]);
        sealed_packet(bytes)
    }
}

/// The packet with its CRC mended.
pub(crate) fn sealed_packet(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32(0xF4AC_FB13, &bytes[..c2c::CRC_AT]);
    put(&mut bytes, c2c::CRC_AT, &crc.to_le_bytes());
    bytes
}

/// CPU2 with its memories, its peer and the wires around it.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) cpu: Cpu2,
    pub(crate) ram: Ram,
    pub(crate) flash: Flash,
    pub(crate) peer: Peer,
    pub(crate) now_us: u64,
    pub(crate) tick: u32,
    /// Added to `now` in each step.
    pub(crate) step_us: u64,
    pub(crate) supply_mv: u32,
    pub(crate) rail_mv: u32,
    /// `None`: as the main transistor says.
    pub(crate) sio_mv: Option<u32>,
    pub(crate) dip_mv: u32,
    pub(crate) levels: [Levels; PINS],
    /// `None`: as the level in slot 15 says.
    pub(crate) pin_mv: [Option<u32>; PINS],
    pub(crate) drivers: [u16; PINS],
    /// `None`: contacts follow both demands at once.
    pub(crate) relay_feedback: Option<u8>,
    pub(crate) logic_time_ns: u32,
    /// What comes from CPU1 in the next step.
    pub(crate) forward: Vec<Forward>,
    /// Whether the peer's packet arrives.
    pub(crate) hear: bool,
    /// Whether the peer follows this CPU's demands, volts and input states.
    pub(crate) mirror: bool,
    pub(crate) flash_result: Option<FlashResult>,
    pub(crate) outputs: TickOutputs,
    pub(crate) before: TickOutputs,
}

/// A boot by power.
pub(crate) const POWER_ON: BootInputs =
    BootInputs { cause: ResetCause::PowerOn, retained: Retained { request: 0, request_complement: 0 }, restarts: 3 };

/// A boot after a right `Enter`.
pub(crate) const ASKED: BootInputs = BootInputs {
    cause: ResetCause::Software,
    retained: Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE },
    restarts: 3,
};

impl Bench {
    pub(crate) fn boot(flash: Flash, boot: BootInputs) -> Self {
        let configuration_hash = hash_of(flash.configuration());
        Self {
            cpu: Cpu2::boot(boot),
            ram: Ram::new(),
            flash,
            peer: Peer {
                mode: Mode::Starting,
                counter: 100,
                release_id: RELEASE_ID,
                release_hash: RELEASE_HASH,
                configuration_hash,
                serial: SERIAL,
                volts: [0; 16],
                inputs_on: 0,
                outputs_on: 0,
                outputs_failed: 0,
                relays_on: 0,
                relay_feedback: 0,
            },
            now_us: 500,
            tick: 77,
            step_us: 1_000,
            supply_mv: 24_000,
            rail_mv: 3_300,
            sio_mv: None,
            dip_mv: 0,
            levels: [Levels { high: 0, low: 0xFFFF }; PINS],
            pin_mv: [None; PINS],
            drivers: [0; PINS],
            relay_feedback: None,
            logic_time_ns: 0,
            forward: vec![],
            hear: true,
            mirror: true,
            flash_result: None,
            outputs: TickOutputs::default(),
            before: TickOutputs::default(),
        }
    }

    /// In normal mode with this section; the start-up runs once for each thread's first call of a section.
    pub(crate) fn normal(section: SectionSpec) -> Self {
        Self::normal_with(&ConfigurationSpec::two_nodes(section))
    }

    pub(crate) fn normal_with(spec: &ConfigurationSpec) -> Self {
        // The RAM test takes most of a start-up and depends on nothing: one bench behind it serves all tests.
        static BEHIND_RAM_TEST: OnceLock<Box<Bench>> = OnceLock::new();
        let begun = BEHIND_RAM_TEST.get_or_init(|| {
            let mut bench =
                Bench::boot(Flash::new(&ConfigurationSpec::two_nodes(SectionSpec::empty()).bytes()), POWER_ON);
            (0..350).for_each(|_| bench.step());
            Box::new(bench)
        });
        let mut bench = (**begun).clone();
        bench.flash = Flash::new(&spec.bytes());
        bench.peer.configuration_hash = hash_of(bench.flash.configuration());
        bench.reach_normal();
        bench
    }

    pub(crate) fn reach_normal(&mut self) {
        for _ in 0..1_000 {
            if self.outputs.mode == Mode::Ready {
                self.peer.mode = Mode::Ready;
            }
            self.step();
            if self.outputs.mode == Mode::Normal {
                self.peer.mode = Mode::Normal;
                return;
            }
            assert_ne!(self.outputs.mode, Mode::Safe, "{:?}", self.outputs.detections);
        }
        panic!("no normal mode: {:?}", self.cpu.mode());
    }

    /// Steps until the mode is `mode`; fails after `most` steps.
    pub(crate) fn until(&mut self, mode: Mode, most: u32) -> u32 {
        for step in 1..=most {
            self.step();
            if self.outputs.mode == mode {
                return step;
            }
        }
        panic!("not {mode:?} after {most} steps but {:?}", self.outputs.mode);
    }

    pub(crate) fn steps(&mut self, count: u32) {
        (0..count).for_each(|_| self.step());
    }

    /// Steps, and after each the unit must still be in normal mode.
    pub(crate) fn stays_normal(&mut self, count: u32) {
        for step in 0..count {
            self.step();
            assert_eq!(self.outputs.mode, Mode::Normal, "step {step}: {:?}", self.outputs.detections);
        }
    }

    /// Steps until the safe state, whose cause must be this; gives the number of steps.
    pub(crate) fn trips(&mut self, fault: Fault, steps: Range<u32>) -> u32 {
        for step in 1..steps.end {
            self.step();
            if self.outputs.mode == Mode::Safe {
                let cause = self.outputs.detections.first().map(|detection| detection.fault);
                assert_eq!(cause, Some(fault), "after {step} steps");
                assert!(steps.contains(&step), "{fault:?} after {step} steps");
                assert!(self.outputs.all_off && self.outputs.main == 0 && self.outputs.c2c.is_none());
                return step;
            }
        }
        panic!("no {fault:?} within {} steps", steps.end - 1);
    }

    pub(crate) fn detections(&self) -> Vec<Detection> {
        self.outputs.detections.iter().copied().collect()
    }

    /// A pin at a steady level.
    pub(crate) fn set(&mut self, pin: usize, high: bool) {
        self.levels[pin] = if high { Levels { high: 0xFFFF, low: 0 } } else { Levels { high: 0, low: 0xFFFF } };
    }

    fn analog(&self) -> AnalogCounts {
        let mut pins = [0; PINS];
        for (place, (levels, millivolts)) in pins.iter_mut().zip(self.levels.iter().zip(self.pin_mv)) {
            let level = if levels.high >> 15 & 1 == 1 { self.supply_mv } else { 0 };
            *place = counts(millivolts.unwrap_or(level));
        }
        let by_main = if self.before.main != 0 { self.supply_mv.saturating_sub(200) } else { 0 };
        AnalogCounts {
            pins,
            supply: counts(self.supply_mv),
            sio_power: counts(self.sio_mv.unwrap_or(by_main)),
            rail: rail_counts(self.rail_mv),
        }
    }

    /// One tick with a packet of the peer, if it is heard.
    pub(crate) fn step(&mut self) {
        let packet = self.peer.packet();
        let heard = if self.hear { vec![packet] } else { vec![] };
        self.step_with(heard);
    }

    /// One tick with these packets, received 300 us before the step.
    pub(crate) fn step_with(&mut self, packets: Vec<Vec<u8>>) {
        self.now_us += self.step_us;
        self.tick = self.tick.wrapping_add(1);
        let at = Instant::from_micros(self.now_us - 300);
        let received: Vec<C2cReceived> = packets
            .into_iter()
            .map(|bytes| C2cReceived { at, bytes: bytes.into_iter().take(c2c::RECEIVE_LEN_MOST).collect() })
            .collect();
        self.step_received(&received);
    }

    pub(crate) fn step_received(&mut self, received: &[C2cReceived]) {
        let demand: u8 = self.outputs.relays & self.peer.relays_on;
        let feedback =
            (0..2u32).fold(0u8, |bits, relay| bits | if demand >> relay & 1 == 1 { 3 << (2 * relay) } else { 0 });
        let forward = std::mem::take(&mut self.forward);
        let inputs = TickInputs {
            tick: self.tick,
            logic_time_ns: self.logic_time_ns,
            analog: self.analog(),
            levels: self.levels,
            drivers: self.drivers,
            relay_feedback: self.relay_feedback.unwrap_or(feedback),
            sio_power_in_dip: if self.before.main_dip.is_some() { counts(self.dip_mv) } else { 0 },
            c2c: received,
            forward: &forward,
            flash: self.flash_result.take(),
            ..TickInputs::default()
        };
        let now = Instant::from_micros(self.now_us);
        let outputs = self.cpu.step(now, &inputs, &mut self.ram, &self.flash);
        self.before = core::mem::replace(&mut self.outputs, outputs);
        if let Some(command) = self.outputs.flash {
            self.flash.carry_out(command);
            self.flash_result = Some(FlashResult::Done);
        }
        if self.mirror {
            self.follow();
        }
    }

    /// The peer measures what this CPU measures and wants what it wants.
    fn follow(&mut self) {
        let Some(packet) = &self.outputs.c2c else { return };
        let word = |at: usize| u16::from_le_bytes([packet[at], packet[at + 1]]);
        for (place, at) in self.peer.volts.iter_mut().zip((c2c::at::PINS..).step_by(2)) {
            *place = word(at);
        }
        self.peer.inputs_on = word(c2c::at::INPUTS_ON);
        self.peer.outputs_on = word(c2c::at::OUTPUTS_ON);
        self.peer.relays_on = packet[c2c::at::RELAYS_ON];
    }
}

/// A tool message.
pub(crate) fn request(command: Command, sequence: u8, serial: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tool::REQUEST, command as u8, sequence, 0];
    bytes.extend(serial.to_le_bytes());
    bytes.extend(payload);
    let crc = crc_flash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

pub(crate) fn forward(channel: Channel, bytes: &[u8]) -> Forward {
    Forward { channel, bytes: bytes.iter().copied().collect() }
}
