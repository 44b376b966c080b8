//! The safety units of a run with next to nothing around their firmware: the floor of what units cost.
//!
//! Both CPUs of every unit step once a millisecond, as in the twin, on plain structs: ideal wires and contacts, packets that
//! come in the next tick, no events, no clocks that differ, no faults, no measures. Inputs show what the scenario's devices show.
//! Both CPUs of all units are in normal mode at the end and feed the relays that the twin's feed; `benches/safety.rs` holds that they
//! do from the same second on. Their CAN frames go over the line of the nominal run's floor, between those of the pumps: whoever
//! runs this firmware on one bus has these frames, and those of the pumps wait for them as in the twin.

use cooltwin::hosts::safety::memory::{Contents, Flash};
use cooltwin::safety::binary::Section;
use cooltwin::scenario::{Device, InputState, SafetyUnit};
use embedded_can::{Id, StandardId};
use protocol::Frame;
use safety_common::configuration::Role;
use safety_common::io::{
    AnalogCounts, BootInputs, Bytes, C2cReceived, CanFrame, CanReceived, CanTransmit, Levels, Mode, RamPort,
    ResetCause, Retained, TickInputs, TickOutputs,
};
use safety_common::signal::{
    FRAME_TICKS, GAP_TICKS, OSSD_PERIOD_TICKS, OSSD_SLOT, OSSD_SLOTS, OSSD_STAGGER_TICKS, PULSE_SLOT, PULSE_SLOTS,
    Signal,
};
use safety_common::{ADC_REFERENCE_MV, DIVIDER_PPM, PINS, RAIL_DIVIDER_PPM};
use safety_cpu1::Cpu1;
use safety_cpu2::Cpu2;
use units::Instant;

const SUPPLY_MV: u32 = 24_000;
const RAIL_MV: u32 = 3_300;
/// What the logic takes of each tick in the twin's default, in ns.
const LOGIC_NS: u32 = 300_000;
const CODE_LEN: usize = 96 * 1024;

/// RAM as words.
struct Ram(Vec<u32>);

impl RamPort for Ram {
    #[inline]
    fn read(&mut self, word: u32) -> u32 {
        self.0.get(word as usize).copied().unwrap_or(0)
    }

    #[inline]
    fn write(&mut self, word: u32, value: u32) {
        if let Some(cell) = self.0.get_mut(word as usize) {
            *cell = value;
        }
    }
}

fn counts(millivolts: u32, ppm: u32) -> u16 {
    (u64::from(millivolts) * 4_096 * u64::from(ppm) / (u64::from(ADC_REFERENCE_MV) * 1_000_000)) as u16
}

/// What hangs at an input pin: what it shows by itself, and when a person makes it show the other state, in ms.
struct Source {
    on: Signal,
    off: Signal,
    is_on: bool,
    other: Option<(u32, u32)>,
    /// Test pulses of different pins come in different ticks.
    phase: u32,
}

impl Source {
    fn high(&self, tick: u32) -> u16 {
        let other = self.other.is_some_and(|(from, to)| (from..to).contains(&tick));
        match if self.is_on == other { self.off } else { self.on } {
            Signal::High => u16::MAX,
            Signal::Ossd if (tick + self.phase).is_multiple_of(OSSD_PERIOD_TICKS) => {
                !(((1 << OSSD_SLOTS) - 1) << OSSD_SLOT)
            }
            Signal::Ossd => u16::MAX,
            Signal::Low => 0,
            Signal::A => !self.pulses(tick, 0),
            Signal::B => !self.pulses(tick, 1),
            Signal::C => !self.pulses(tick, 2),
            Signal::D => !self.pulses(tick, 3),
            Signal::InverseA => self.pulses(tick, 0),
            Signal::InverseB => self.pulses(tick, 1),
            Signal::InverseC => self.pulses(tick, 2),
            Signal::InverseD => self.pulses(tick, 3),
        }
    }

    /// The pulses of a type in a tick: two in a frame, the second a gap of that type later.
    const fn pulses(&self, tick: u32, of: usize) -> u16 {
        let place = (tick + self.phase) % FRAME_TICKS;
        if place == 0 || place == GAP_TICKS[of] { ((1 << PULSE_SLOTS) - 1) << PULSE_SLOT } else { 0 }
    }
}

/// A unit.
pub struct Unit {
    one: Cpu1,
    two: Cpu2,
    rams: [Ram; 2],
    flashes: [Flash; 2],
    outs: [TickOutputs; 2],
    sources: [Option<Source>; PINS],
    /// Tables of the step before the last, which the samples of a tick show.
    shown: ([u16; PINS], u16),
    radio: Vec<Bytes>,
    can: Vec<CanReceived>,
    can_sent: Vec<u16>,
    /// The supply in counts of each CPU.
    supply: [u16; 2],
}

impl Unit {
    /// A unit before its first tick.
    ///
    /// # Panics
    /// If the scenario was not checked.
    #[must_use]
    pub fn new(setup: &SafetyUnit) -> Self {
        let compiled = setup.configuration.compiled.as_ref().expect("the loader compiles it");
        let own = setup.index().expect("the check has found it");
        let node = &compiled.network.nodes[own];
        let code: Vec<u8> = (0..CODE_LEN).map(|n| (n * 7) as u8).collect();
        let flash = |cpu| {
            Flash::new(&Contents {
                cpu,
                code: &code,
                release: (1, 0x1357_9BDF),
                serial: node.serial,
                password: compiled.network.password,
                configuration: &compiled.bytes,
            })
        };
        let boot = BootInputs { cause: ResetCause::PowerOn, retained: Retained::default(), restarts: 1 };
        let ram = |words: u32| Ram((0..words).map(|word| word.wrapping_mul(0x9E37_79B9)).collect());
        Self {
            one: Cpu1::boot(&boot),
            two: Cpu2::boot(boot),
            rams: [ram(safety_cpu1::RAM_WORDS), ram(safety_cpu2::RAM_WORDS)],
            flashes: [flash(1), flash(2)],
            outs: [TickOutputs::default(), TickOutputs::default()],
            sources: sources(setup, &node.section, &compiled.names[own].inputs),
            shown: ([0; PINS], 0),
            radio: Vec::new(),
            can: Vec::new(),
            can_sent: Vec::new(),
            supply: DIVIDER_PPM.map(|ppm| counts(SUPPLY_MV, ppm)),
        }
    }

    /// One tick of both CPUs.
    fn step(&mut self, tick: u32) {
        let (table, main) = self.shown;
        self.shown = (self.outs[0].pins, self.outs[1].main);
        let high: [u16; PINS] = std::array::from_fn(|pin| {
            let driven = if main == 0 { 0 } else { table[pin] };
            driven | self.sources[pin].as_ref().map_or(0, |source| source.high(tick))
        });
        let levels = high.map(|high| Levels { high, low: !high });
        let contacts = (0..2).fold(0, |bits, relay| {
            bits | (self.outs[0].relays >> relay & 1) << (2 * relay)
                | (self.outs[1].relays >> relay & 1) << (2 * relay + 1)
        });
        let analog = [0, 1].map(|cpu: usize| AnalogCounts {
            pins: high.map(|high| if high >> 15 == 1 { self.supply[cpu] } else { 0 }),
            supply: self.supply[cpu],
            sio_power: if main == 0 { 0 } else { self.supply[cpu] },
            rail: counts(RAIL_MV, RAIL_DIVIDER_PPM),
        });
        let now = Instant::from_micros(u64::from(tick) * 1_000);
        let came = Instant::from_micros((u64::from(tick) * 1_000).saturating_sub(340));
        let packet = |out: &TickOutputs| -> Option<C2cReceived> {
            let bytes = heapless::Vec::from_slice(out.c2c.as_ref()?).ok()?;
            Some(C2cReceived { at: came, bytes })
        };
        let packets = [packet(&self.outs[1]), packet(&self.outs[0])];
        let inputs = |cpu: usize| TickInputs {
            tick,
            logic_time_ns: if tick == 1 { 0 } else { LOGIC_NS },
            analog: analog[cpu],
            levels,
            drivers: table,
            relay_feedback: contacts,
            c2c: packets[cpu].as_slice(),
            forward: &self.outs[1 - cpu].forward,
            ..TickInputs::default()
        };
        let inputs_one = TickInputs { radio: &self.radio, can: &self.can, can_sent: &self.can_sent, ..inputs(0) };
        let one = self.one.step(now, &inputs_one, &mut self.rams[0], &self.flashes[0].port());
        let two = self.two.step(now, &inputs(1), &mut self.rams[1], &self.flashes[1].port());
        self.outs = [one, two];
        self.radio.clear();
        self.can.clear();
        self.can_sent.clear();
    }

    /// Modes of its CPUs.
    #[must_use]
    pub fn modes(&self) -> [Mode; 2] {
        self.outs.each_ref().map(|out| out.mode)
    }

    /// Relays that each CPU feeds now.
    #[must_use]
    pub fn relays(&self) -> [u8; 2] {
        self.outs.each_ref().map(|out| out.relays)
    }

    /// The frame that its last step gave up.
    #[must_use]
    pub(crate) fn abort(&self) -> Option<StandardId> {
        StandardId::new(self.outs[0].can_abort?)
    }

    /// The frames that its last step sends, each with its slot of the next tick.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (u64, Frame)> + '_ {
        self.outs[0].can.iter().filter_map(|CanTransmit { frame, slot }| {
            let data = &frame.data[..usize::from(frame.len)];
            Some((u64::from(*slot), Frame::data_frame(StandardId::new(frame.id)?, data)?))
        })
    }
}

/// One tick of all units. Radio packets come to every other unit in the next.
pub(crate) fn step(units: &mut [Unit], tick: u32) {
    units.iter_mut().for_each(|unit| unit.step(tick));
    for from in 0..units.len() {
        let Some(packet) = units[from].outs[0].radio.clone() else { continue };
        let others = units.iter_mut().enumerate().filter(|(to, _)| *to != from);
        others.for_each(|(_, unit)| unit.radio.push(packet.clone()));
    }
}

/// A frame of the unit `sender` has left at `now`, in ns: the others get it, and the sender is told.
pub(crate) fn frame_ends(units: &mut [Unit], sender: usize, now: u64, frame: &Frame) {
    let Id::Standard(id) = frame.id() else { return };
    let mut data = [0; 8];
    data[..frame.data().len()].copy_from_slice(frame.data());
    let frame = CanFrame { id: id.as_raw(), len: frame.data().len() as u8, data };
    for (number, unit) in units.iter_mut().enumerate() {
        if number == sender {
            unit.can_sent.push(frame.id);
        } else {
            unit.can.push(CanReceived { at: Instant::from_micros(now / 1_000), frame });
        }
    }
}

fn sources(setup: &SafetyUnit, section: &Section, names: &[String]) -> [Option<Source>; PINS] {
    std::array::from_fn(|pin| {
        let own = &section.pins[pin];
        let group = section.inputs.iter().position(|group| group.pins >> pin & 1 == 1)?;
        if own.role == Role::Combined {
            return None;
        }
        let name = names.get(group)?;
        let device = setup.inputs.iter().find(|device| device.input == *name).map(|device| &device.device);
        let is_on = !matches!(device, Some(Device::Off));
        let ms = |ns: u64| (ns / 1_000_000) as u32;
        let other = setup.operations.iter().find(|one| one.input == *name).and_then(|one| {
            let from = one.at.as_nanos();
            let differs = (one.to == InputState::On) != is_on;
            differs.then(|| (ms(from), ms(from + one.duration.map_or(u64::MAX / 2, |span| span.as_nanos()))))
        });
        let phase = pin as u32 * OSSD_STAGGER_TICKS;
        Some(Source { on: own.on, off: own.off, is_on, other, phase })
    })
}
