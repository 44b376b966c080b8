//! A whole CPU1 with a peer, wiring, supply and memories around it.
//!
//! Each of them can be disturbed.

use std::vec::Vec;

use safety_common::PINS;
use safety_common::c2c;
use safety_common::fault::{Detection, Fault};
use safety_common::io::{
    AnalogCounts, BootInputs, Bytes, C2cReceived, CanReceived, Channel, Forward, Levels, Mode, ResetCause, Retained,
    TickInputs, TickOutputs,
};
use units::Instant;

use super::faulty_ram::FaultyRam;
use super::flash::FakeFlash;
use super::reflected_crc32;
use crate::{Cpu1, RAM_WORDS};

/// What the peer of the bench says, field by field of the layout.
#[derive(Clone, Debug)]
pub(crate) struct FakePeer {
    pub(crate) mode: u8,
    pub(crate) main_on: bool,
    pub(crate) counter: u32,
    pub(crate) identity: [u32; 4],
    pub(crate) inputs_on: u16,
    pub(crate) outputs_on: u16,
    pub(crate) outputs_failed: u16,
    pub(crate) relays_on: u8,
    /// Added to the millivolts of a channel.
    pub(crate) offsets: [i32; 16],
    /// Says nothing.
    pub(crate) silent: bool,
    /// Copies what CPU1 says of inputs, outputs and relays.
    pub(crate) agrees: bool,
}

/// What is wrong with a pin's wiring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wiring {
    Good,
    ShortTo24V,
    ShortTo0V,
    /// Joined with another pin.
    JoinedWith(usize),
    /// The transistor conducts always, or never.
    StuckOn,
    StuckOff,
}

/// The bench.
pub(crate) struct Bench {
    pub(crate) cpu: Cpu1,
    pub(crate) ram: FaultyRam,
    pub(crate) flash: FakeFlash,
    pub(crate) peer: FakePeer,
    pub(crate) supply_mv: u32,
    pub(crate) rail_mv: u32,
    pub(crate) sio_mv: Option<u32>,
    /// What drives each input pin from outside, slot by slot.
    pub(crate) driven: [u16; PINS],
    pub(crate) wiring: [Wiring; PINS],
    pub(crate) relay_feedback: Option<u8>,
    /// The comparator of this pin says high whatever the voltage.
    pub(crate) stage_fault: Option<usize>,
    pub(crate) logic_time_ns: u32,
    pub(crate) tick: u32,
    pub(crate) out: TickOutputs,
    pub(crate) detections: Vec<Detection>,
    pub(crate) usb: Vec<Bytes>,
    pub(crate) radio: Vec<Bytes>,
    pub(crate) can: Vec<CanReceived>,
    pub(crate) can_sent: Vec<u16>,
    pub(crate) forward: Vec<Forward>,
    /// Bytes that the link delivers instead of the peer's packet.
    pub(crate) link: Option<Vec<C2cReceived>>,
    /// Outputs of the step before: played in the tick that the next step shows.
    played: [u16; PINS],
    next: [u16; PINS],
    contacts: u8,
    flash_result: Option<safety_common::io::FlashResult>,
}

pub(crate) const MV_PER_24V: u32 = 24_000;

fn counts(millivolts: u32, ppm: u32) -> u16 {
    // Rounded up, so that the conversion back never falls below a limit by rounding.
    ((u64::from(millivolts) * 4_096 * u64::from(ppm)).div_ceil(3_300 * 1_000_000)) as u16
}

impl Bench {
    /// Powered on, first step not yet made.
    pub(crate) fn new(flash: FakeFlash) -> Self {
        Self::boot(flash, ResetCause::PowerOn, Retained::default())
    }

    pub(crate) fn boot(flash: FakeFlash, cause: ResetCause, retained: Retained) -> Self {
        Self {
            cpu: Cpu1::boot(&BootInputs { cause, retained, restarts: 1 }),
            ram: FaultyRam::new(RAM_WORDS, None),
            flash,
            peer: FakePeer {
                mode: Mode::Starting as u8,
                main_on: false,
                counter: 0,
                identity: [0; 4],
                inputs_on: 0,
                outputs_on: 0,
                outputs_failed: 0,
                relays_on: 0,
                offsets: [0; 16],
                silent: false,
                agrees: true,
            },
            supply_mv: MV_PER_24V,
            rail_mv: 3_300,
            sio_mv: None,
            driven: [0; PINS],
            wiring: [Wiring::Good; PINS],
            relay_feedback: None,
            stage_fault: None,
            logic_time_ns: 400_000,
            tick: 0,
            out: TickOutputs::default(),
            detections: Vec::new(),
            usb: Vec::new(),
            radio: Vec::new(),
            can: Vec::new(),
            can_sent: Vec::new(),
            forward: Vec::new(),
            link: None,
            played: [0; PINS],
            next: [0; PINS],
            contacts: 0,
            flash_result: None,
        }
    }

    /// A CPU with this configuration, in normal mode with the main transistor on.
    pub(crate) fn running(configuration: &[u8]) -> Self {
        let mut bench = Self::new(FakeFlash::with_configuration(configuration));
        bench.start();
        assert_eq!(bench.cpu.mode(), Mode::Normal, "{:?}", bench.detections);
        bench.steps(30);
        assert_eq!(bench.cpu.mode(), Mode::Normal, "{:?}", bench.detections);
        bench
    }

    /// Steps until start-up has ended.
    pub(crate) fn start(&mut self) {
        for _ in 0..4_000 {
            self.step();
            if !matches!(self.cpu.mode(), Mode::Starting | Mode::Ready) {
                return;
            }
        }
        panic!("start-up does not end");
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(u64::from(self.tick) * 1_000)
    }

    pub(crate) fn steps(&mut self, count: u32) {
        (0..count).for_each(|_| self.step());
    }

    /// Steps until the safe state, at most `most` ticks; how many it took.
    pub(crate) fn steps_to_safe(&mut self, most: u32) -> Option<u32> {
        (1..=most).find(|_| {
            self.step();
            self.cpu.mode() == Mode::Safe
        })
    }

    pub(crate) fn cause(&self) -> Option<Fault> {
        self.cpu.safe_cause().map(|cause| cause.fault)
    }

    pub(crate) fn found(&self, fault: Fault) -> Vec<u32> {
        self.detections.iter().filter(|found| found.fault == fault).map(|found| found.detail).collect()
    }

    /// One tick.
    pub(crate) fn step(&mut self) {
        self.tick += 1;
        let (mut levels, drivers) = self.wires();
        let analog = self.analog(&levels);
        if let Some(pin) = self.stage_fault {
            levels[pin] = Levels { high: u16::MAX, low: 0 };
        }
        let c2c = self.link.take().unwrap_or_else(|| self.peer_packet(&analog));
        let (usb, radio, can) = (take(&mut self.usb), take(&mut self.radio), take(&mut self.can));
        let (can_sent, forward) = (take(&mut self.can_sent), take(&mut self.forward));
        let inputs = TickInputs {
            tick: self.tick,
            logic_time_ns: self.logic_time_ns,
            analog,
            levels,
            drivers,
            relay_feedback: self.relay_feedback.unwrap_or(self.contacts),
            c2c: &c2c,
            forward: &forward,
            radio: &radio,
            can: &can,
            can_sent: &can_sent,
            usb: &usb,
            flash: self.flash_result.take(),
            ..TickInputs::default()
        };
        let out = self.cpu.step(self.now(), &inputs, &mut self.ram, &self.flash);
        self.take(out);
    }

    /// Carries out what the CPU wants.
    pub(crate) fn take(&mut self, out: TickOutputs) {
        self.played = if out.all_off { [0; PINS] } else { self.next };
        self.next = if out.all_off { [0; PINS] } else { out.pins };
        let relays = if out.all_off { 0 } else { out.relays };
        self.contacts = (0..2).filter(|relay| relays >> relay & 1 == 1).fold(0, |all, relay| all | 3 << (2 * relay));
        self.detections.extend(out.detections.iter().copied());
        if let Some(command) = &out.flash {
            self.flash_result = Some(self.flash.carry_out(command));
        }
        self.out = out;
    }

    /// The levels and transistors of the tick that has just ended.
    fn wires(&self) -> ([Levels; PINS], [u16; PINS]) {
        let mut drivers = self.played;
        for (driver, wiring) in drivers.iter_mut().zip(&self.wiring) {
            match wiring {
                Wiring::StuckOn => *driver = u16::MAX,
                Wiring::StuckOff => *driver = 0,
                _ => {}
            }
        }
        let feed = self.peer.main_on || self.sio_mv.is_some_and(|mv| mv > 10_000);
        let mut high: Vec<u16> = drivers
            .iter()
            .zip(&self.driven)
            .map(|(driver, driven)| if feed { driver | driven } else { *driven })
            .collect();
        for (pin, wiring) in self.wiring.iter().enumerate() {
            match *wiring {
                Wiring::ShortTo24V => high[pin] = u16::MAX,
                Wiring::ShortTo0V => high[pin] = 0,
                Wiring::JoinedWith(other) => {
                    let both = high[pin] | high[other];
                    (high[pin], high[other]) = (both, both);
                }
                _ => {}
            }
        }
        (core::array::from_fn(|pin| Levels { high: high[pin], low: !high[pin] }), drivers)
    }

    fn analog(&self, levels: &[Levels; PINS]) -> AnalogCounts {
        let pin_mv = |levels: &Levels| if levels.high >> 15 == 1 { self.supply_mv } else { 0 };
        let sio = self.sio_mv.unwrap_or(if self.peer.main_on { self.supply_mv } else { 0 });
        AnalogCounts {
            pins: levels.each_ref().map(|levels| counts(pin_mv(levels), 47_500)),
            supply: counts(self.supply_mv, 47_500),
            sio_power: counts(sio, 47_500),
            rail: counts(self.rail_mv, 500_000),
        }
    }

    /// What a good peer sends: it follows CPU1's mode and agrees with it, and measures the same.
    fn peer_packet(&mut self, analog: &AnalogCounts) -> Vec<C2cReceived> {
        if self.peer.agrees
            && let Some(own) = &self.out.c2c
        {
            let word = |at: usize| u32::from_le_bytes(own[at..at + 4].try_into().unwrap());
            let half = |at: usize| u16::from_le_bytes(own[at..at + 2].try_into().unwrap());
            self.peer.mode = own[c2c::at::MODE];
            self.peer.identity = [8, 12, 16, 20].map(word);
            self.peer.inputs_on = half(c2c::at::INPUTS_ON);
            self.peer.outputs_on = half(c2c::at::OUTPUTS_ON);
            self.peer.relays_on = own[c2c::at::RELAYS_ON];
            self.peer.main_on = self.peer.mode == Mode::Normal as u8;
        }
        self.peer.counter += 1;
        if self.peer.silent {
            return Vec::new();
        }
        let mv = |counts: u16| (u64::from(counts) * 3_300_000_000 / (4_096 * 47_500)) as i32;
        let channels = analog.pins.iter().chain([&analog.supply, &analog.sio_power]);
        let channels: Vec<i32> =
            channels.zip(&self.peer.offsets).map(|(counts, offset)| mv(*counts) + offset).collect();
        let at = Instant::from_micros(u64::from(self.tick) * 1_000 - 300);
        [C2cReceived { at, bytes: heapless::Vec::from_slice(&self.peer.packet(&channels)).unwrap() }].to_vec()
    }

    /// What CPU2 would pass on.
    pub(crate) fn forward(&mut self, channel: Channel, bytes: &[u8]) {
        self.forward.push(Forward { channel, bytes: Bytes::from_slice(bytes).unwrap() });
    }

    /// Whether an output of CPU1 is on, or was left on in the table.
    pub(crate) fn anything_on(&self) -> bool {
        self.next != [0; PINS] || self.contacts != 0
    }
}

fn take<T>(list: &mut Vec<T>) -> Vec<T> {
    core::mem::take(list)
}

impl FakePeer {
    /// A packet, laid out by hand with a CRC of its own.
    pub(crate) fn packet(&self, channels: &[i32]) -> Vec<u8> {
        let mut bytes = [0xC1, 2, self.mode, u8::from(self.main_on)].to_vec();
        bytes.extend(self.counter.to_le_bytes());
        self.identity.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        channels.iter().for_each(|mv| bytes.extend((*mv).clamp(0, 65_535).to_le_bytes()[..2].iter()));
        bytes.extend(self.inputs_on.to_le_bytes());
        bytes.extend(self.outputs_on.to_le_bytes());
        bytes.extend(self.outputs_failed.to_le_bytes());
        bytes.extend([self.relays_on, 0, 0, 0, 0, 0]);
        let crc = reflected_crc32(0xF4AC_FB13, &bytes);
        bytes.extend(crc.to_le_bytes());
        assert_eq!(bytes.len(), 72);
        bytes
    }
}
