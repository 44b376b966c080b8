//! One CPU of a unit with everything that hangs at it alone: clock, memories, converter, inbox.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use safety_common::fault::{Fault, Reaction};
use safety_common::io::{
    BootInputs, C2cReceived, CanReceived, FlashCommand, FlashResult, Forward, Levels, LogicTrace, Mode, ResetCause,
    Retained, TickInputs, TickOutputs,
};
use safety_common::{DIVIDER_PPM, PINS, RAIL_DIVIDER_PPM};
use safety_cpu1::Cpu1;
use safety_cpu2::Cpu2;
use units::Instant;

use super::clock::Clock;
use super::memory::{Flash, FlashRuns, Ram};
use super::networks::Came;
use super::pins::{Seen, counts};
use crate::kernel::{SimTime, Span};

/// Erasing the configuration area takes this long (own number).
const ERASE_TIME: Span = Span::from_millis(400);
/// Programming a row takes this long (own number).
const ROW_TIME: Span = Span::from_micros(200);

/// Timing of a CPU.
#[derive(Clone, Copy, Debug)]
pub struct CoreOptions {
    /// From power-good or reset to the first tick.
    pub boot: Span,
    /// How fast its clock runs without a fault, in ppm.
    pub ppm: i32,
    /// What the logic takes of each tick, in ns of its own time.
    pub logic_ns: u64,
}

/// The firmware of either CPU.
#[derive(Clone)]
pub enum Firmware {
    /// CPU1.
    One(Box<Cpu1>),
    /// CPU2.
    Two(Box<Cpu2>),
}

impl Firmware {
    fn boot(cpu: usize, inputs: BootInputs) -> Self {
        if cpu == 0 { Self::One(Box::new(Cpu1::boot(&inputs))) } else { Self::Two(Box::new(Cpu2::boot(inputs))) }
    }
}

/// A channel of the converter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdcChannel {
    /// A pin.
    Pin(u8),
    /// The supply.
    Supply,
    /// The feed of the transistors.
    SioPower,
    /// The other CPU's rail.
    Rail,
}

/// What is wrong with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdcFault {
    /// It shows so many millionths of what it should.
    Gain(u32),
    /// It shows so much more, in mV at the divider's input.
    Offset(i32),
    /// It shows this, in mV at the divider's input.
    Stuck(u32),
    /// It shows up to so many mV more or less, drawn anew in each tick.
    Noise {
        /// At most, in mV at the divider's input.
        most: u32,
        /// What the draws depend on beside the tick.
        key: u64,
    },
}

/// An even draw from -most to most, the same for the same key and tick: the output function of SplitMix64.
fn even(key: u64, tick: u32, most: u32) -> i32 {
    let mut bits = key.wrapping_add(u64::from(tick).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    let drawn = bits % (2 * u64::from(most) + 1);
    i32::try_from(i64::try_from(drawn).unwrap_or(0) - i64::from(most)).unwrap_or(0)
}

/// What came over the link and is not yet due.
#[derive(Clone, Debug)]
pub struct Arriving<T> {
    /// When it is there.
    pub at: SimTime,
    /// What.
    pub what: T,
}

/// What became of a step's outputs that acts within the tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// All outputs of this CPU off.
    pub all_off: bool,
    /// This CPU's coils.
    pub relays: u8,
}

/// State of one CPU.
#[derive(Clone)]
pub struct Core {
    /// 0 is CPU1, 1 is CPU2.
    pub index: usize,
    /// Its timing.
    pub options: CoreOptions,
    /// Its firmware while it runs.
    pub firmware: Option<Firmware>,
    /// Its clock.
    pub clock: Clock,
    /// Counts resets; events of an earlier life are ignored.
    pub life: u32,
    /// Restarts as the hardware counts them.
    pub restarts: u32,
    /// What the last software reset keeps.
    pub retained: Retained,
    /// RAM.
    pub ram: Ram,
    /// Flash.
    pub flash: Flash,
    /// Packets of the peer.
    pub packets: VecDeque<Arriving<heapless::Vec<u8, { safety_common::c2c::RECEIVE_LEN_MOST }>>>,
    /// Messages of the peer.
    pub forwards: VecDeque<Arriving<Forward>>,
    /// Radio packets.
    pub radio: VecDeque<Arriving<safety_common::io::Bytes>>,
    /// Messages of the configuration tool.
    pub usb: VecDeque<Arriving<safety_common::io::Bytes>>,
    /// CAN frames received, and identifiers sent.
    pub can: Vec<CanReceived>,
    /// Identifiers of frames that have left.
    pub can_sent: Vec<u16>,
    /// What the present step will do in this tick.
    pub effects: Effects,
    /// Mode after the last step.
    pub mode: Mode,
    /// What the logic last saw and wanted.
    pub logic: LogicTrace,
    /// `SIO_PWR` in the test dip that was asked for in the last step and the one before, in mV.
    pub dips: [Option<u32>; 2],
    /// The injections that make it stand still since its last reset, the first at the begin.
    pub halts: Vec<u16>,
    /// Whether it does so for good: its watchdog is dead with it.
    pub dead: bool,
    /// What its logic takes instead of the usual, in ns of its own time.
    pub overload: Option<u64>,
    /// Whether the timer that guards the logic's time is dead.
    pub no_deadline: bool,
    /// By how much its count of ticks has jumped since its reset.
    pub slipped: u32,
    /// The injections that made it jump since the last step.
    pub slips: Vec<u16>,
    /// When the watchdog was last served.
    pub served: SimTime,
    /// Levels that it sees wrongly: who put the fault in, the pin, and whether it sees it high.
    pub views: Vec<(u16, u8, bool)>,
    /// Faults of the converter with who put them in.
    pub adc: Vec<(u16, AdcChannel, AdcFault)>,
    /// A test's control: what is detected here leads to nothing. No scenario can ask for it.
    pub muffle: Option<Muffle>,
    operation: Option<(SimTime, FlashCommand)>,
    last_logic_ns: u64,
    /// What the last step wrote and read of the memories.
    pub touched: Touched,
    /// The packets of the last step.
    pub packets_read: Vec<C2cReceived>,
    /// What came over radio and CAN for the last step, to CPU1 itself and passed on by the other CPU.
    radio_read: Vec<safety_common::io::Bytes>,
    can_read: Vec<CanReceived>,
    forward_read: Vec<Forward>,
}

/// Wraps the outputs of a CPU so that one of its diagnostics, or whatever it detects, leads to nothing: a scenario that passes all the
/// same does not show it.
#[derive(Clone, Debug)]
pub enum Muffle {
    /// Nothing is changed; what the board gets is kept, by tick of the CPU's first life.
    Listening(BTreeMap<u32, TickOutputs>),
    /// A fault is neither recorded nor reacted to: see [`Muffle::new`].
    Unheard(Box<Unheard>),
    /// Every detection is recorded, and none is reacted to: see [`Muffle::idle`].
    Idle {
        /// What the CPU does without a fault, by tick.
        healthy: Arc<BTreeMap<u32, TickOutputs>>,
        /// The reaction that it should have shown since its start, if any.
        owed: Option<Reaction>,
    },
}

/// A fault whose detection is taken away with its effect.
#[derive(Clone, Debug)]
pub struct Unheard {
    fault: Fault,
    before: TickOutputs,
    acted: bool,
    held: bool,
}

impl Muffle {
    /// Makes the detection of `fault` ineffective, and takes away its record.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self::Unheard(Box::new(Unheard { fault, before: TickOutputs::default(), acted: false, held: false }))
    }

    /// Leaves the record of every detection and takes away its effect alone: from the first one after a start on, the board gets what
    /// this CPU does in a run without a fault, as a [`Muffle::Listening`] has kept it. It goes on to drive and, though it should be in
    /// the safe state, to talk; after a fault of the wiring it drives as before and talks as it likes.
    #[must_use]
    pub const fn idle(healthy: Arc<BTreeMap<u32, TickOutputs>>) -> Self {
        Self::Idle { healthy, owed: None }
    }

    /// A CPU starts anew.
    fn restart(&mut self) {
        if let Self::Idle { owed, .. } = self {
            *owed = None;
        }
    }

    /// Makes them the outputs as the board gets them.
    fn pass(&mut self, tick: u32, out: &mut TickOutputs) {
        match self {
            Self::Listening(kept) => {
                kept.entry(tick).or_insert_with(|| out.clone());
            }
            Self::Unheard(unheard) => unheard.pass(out),
            Self::Idle { healthy, owed } => {
                for one in &out.detections {
                    if *owed != Some(Reaction::SafeState) {
                        *owed = Some(one.fault.reaction());
                    }
                }
                let Some((_, own)) = healthy.range(..=tick).next_back() else { return };
                match owed {
                    None => {}
                    Some(Reaction::AffectedOff) => {
                        (out.pins, out.main, out.main_dip) = (own.pins, own.main, own.main_dip);
                        (out.relays, out.all_off) = (own.relays, own.all_off);
                    }
                    Some(Reaction::SafeState) => {
                        let detections = std::mem::take(&mut out.detections);
                        *out = TickOutputs { detections, reset: None, flash: None, ..own.clone() };
                    }
                }
            }
        }
    }
}

impl Unheard {
    /// From the step that detects the fault on, the outputs are those of the step before.
    fn pass(&mut self, out: &mut TickOutputs) {
        let count = out.detections.len();
        out.detections.retain(|one| one.fault != self.fault);
        let detects = out.detections.len() < count;
        match self.fault.reaction() {
            Reaction::SafeState => self.acted |= detects,
            Reaction::AffectedOff => self.held |= detects,
        }
        if self.acted {
            out.clone_from(&self.before);
            return;
        }
        if self.held {
            out.pins = self.before.pins;
        }
        self.before = TickOutputs { detections: heapless::Vec::new(), reset: None, flash: None, ..out.clone() };
    }
}

/// What a CPU sees at the start of a tick beside what it holds itself.
pub struct Around {
    /// Its pins.
    pub seen: Seen,
    /// Supply in mV.
    pub supply_mv: u32,
    /// `SIO_PWR` in mV.
    pub feed_mv: u32,
    /// The other CPU's rail in mV.
    pub rail_mv: u32,
    /// Mirror contacts.
    pub contacts: u8,
}

impl Around {
    /// The voltage at a channel in mV.
    pub(super) fn of(&self, channel: AdcChannel) -> u32 {
        match channel {
            AdcChannel::Pin(pin) => self.seen.millivolts[usize::from(pin) % PINS],
            AdcChannel::Supply => self.supply_mv,
            AdcChannel::SioPower => self.feed_mv,
            AdcChannel::Rail => self.rail_mv,
        }
    }
}

/// What a step wrote and read of the memories.
#[derive(Clone, Copy, Debug, Default)]
pub struct Touched {
    /// Lowest and highest word of RAM; nothing when the lowest is greater.
    pub ram: (u32, u32),
    /// Addresses of flash.
    pub flash: FlashRuns,
}

impl Core {
    /// A CPU without power.
    #[must_use]
    pub fn new(index: usize, options: CoreOptions, ram: Ram, flash: Flash) -> Self {
        Self {
            index,
            options,
            firmware: None,
            clock: Clock::new(options.ppm, SimTime::ZERO),
            life: 0,
            restarts: 0,
            retained: Retained::default(),
            ram,
            flash,
            packets: VecDeque::new(),
            forwards: VecDeque::new(),
            radio: VecDeque::new(),
            usb: VecDeque::new(),
            can: Vec::new(),
            can_sent: Vec::new(),
            effects: Effects::default(),
            mode: Mode::Starting,
            logic: LogicTrace::default(),
            dips: [None; 2],
            halts: Vec::new(),
            dead: false,
            overload: None,
            no_deadline: false,
            slipped: 0,
            slips: Vec::new(),
            served: SimTime::ZERO,
            views: Vec::new(),
            adc: Vec::new(),
            muffle: None,
            operation: None,
            last_logic_ns: 0,
            touched: Touched::default(),
            packets_read: Vec::new(),
            radio_read: Vec::new(),
            can_read: Vec::new(),
            forward_read: Vec::new(),
        }
    }

    /// 1 or 2.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.index as u8 + 1
    }

    /// Whether it stands still.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        !self.halts.is_empty()
    }

    /// Whether it can ever read what is sent to it: it runs, or may go on.
    #[must_use]
    pub const fn can_receive(&self) -> bool {
        self.firmware.is_some() && !self.dead
    }

    /// Everything volatile is gone; what was kept comes back with the next boot.
    pub fn stop(&mut self, kept: Option<Retained>) {
        self.firmware = None;
        if !self.dead {
            self.halts.clear();
        }
        self.life += 1;
        self.retained = kept.unwrap_or_default();
        self.packets.clear();
        self.forwards.clear();
        self.radio.clear();
        self.usb.clear();
        self.can.clear();
        self.can_sent.clear();
        self.effects = Effects::default();
        self.logic = LogicTrace::default();
        self.dips = [None; 2];
        self.operation = None;
        self.last_logic_ns = 0;
        self.slipped = 0;
        self.slips.clear();
    }

    /// The firmware starts.
    pub fn boot(&mut self, now: SimTime, cause: ResetCause) {
        self.restarts += 1;
        self.clock = Clock::new(self.clock.ppm(), now);
        self.served = now;
        self.mode = Mode::Starting;
        if let Some(muffle) = &mut self.muffle {
            muffle.restart();
        }
        let inputs = BootInputs { cause, retained: self.retained, restarts: self.restarts };
        self.firmware = Some(Firmware::boot(self.index, inputs));
    }

    /// What the logic takes in this tick, in ns of its own time.
    #[must_use]
    pub fn logic_ns(&self) -> u64 {
        self.overload.unwrap_or(self.options.logic_ns)
    }

    /// One step of the firmware; without one nothing is driven.
    pub fn step(&mut self, now: SimTime, around: &Around) -> TickOutputs {
        let packets = self.received(now);
        let forward = taken(&mut self.forwards, now, std::mem::take(&mut self.forward_read));
        let radio = taken(&mut self.radio, now, std::mem::take(&mut self.radio_read));
        let usb = taken(&mut self.usb, now, Vec::new());
        let can = std::mem::take(&mut self.can);
        let can_sent = std::mem::take(&mut self.can_sent);
        let flash_result = self.flash_result(now);
        let dip = self.dips[1];
        self.dips[1] = self.dips[0].take();
        let inputs = TickInputs {
            tick: self.clock.tick().wrapping_add(self.slipped),
            logic_time_ns: u32::try_from(self.last_logic_ns).unwrap_or(u32::MAX),
            analog: self.analog(around),
            levels: self.levels(around, None),
            drivers: around.seen.drivers,
            relay_feedback: around.contacts,
            sio_power_in_dip: dip.map_or(0, |mv| self.counts(AdcChannel::SioPower, mv)),
            c2c: &packets,
            forward: &forward,
            radio: &radio,
            can: &can,
            can_sent: &can_sent,
            usb: &usb,
            flash: flash_result,
        };
        self.last_logic_ns = self.logic_ns();
        let clock = Instant::from_micros(u64::from(self.clock.tick()) * 1_000);
        let mut ram = self.ram.port();
        let flash = self.flash.port();
        let mut out = match &mut self.firmware {
            Some(Firmware::One(cpu)) => cpu.step(clock, &inputs, &mut ram, &flash),
            Some(Firmware::Two(cpu)) => cpu.step(clock, &inputs, &mut ram, &flash),
            None => TickOutputs::default(),
        };
        self.touched = Touched { ram: (ram.lowest, ram.highest), flash: flash.read.get() };
        self.packets_read = packets;
        (self.radio_read, self.can_read, self.forward_read) = (radio, can, forward);
        if let Some(muffle) = &mut self.muffle {
            muffle.pass(self.clock.tick(), &mut out);
        }
        if let Some(command) = out.flash {
            let takes = if matches!(command, FlashCommand::EraseConfiguration) { ERASE_TIME } else { ROW_TIME };
            self.operation = Some((now + takes, command));
        }
        if out.watchdog {
            self.served = now;
        }
        out
    }

    /// What came over radio and CAN for the last step.
    #[must_use]
    pub fn came(&self) -> Came<'_> {
        Came { radio: &self.radio_read, can: &self.can_read, forward: &self.forward_read }
    }

    /// The hardware timer: the logic's time is over.
    pub fn deadline(&mut self, now: SimTime) -> Option<TickOutputs> {
        let clock = self.clock.shows(now);
        let mut out = match self.firmware.as_mut()? {
            Firmware::One(cpu) => cpu.deadline(clock),
            Firmware::Two(cpu) => cpu.deadline(clock),
        };
        self.served = now;
        if let Some(muffle) = &mut self.muffle {
            muffle.pass(self.clock.tick(), &mut out);
        }
        Some(out)
    }

    /// A packet of the peer comes. Late ones stand behind those that come before them.
    pub fn will_hear(&mut self, packet: Arriving<heapless::Vec<u8, { safety_common::c2c::RECEIVE_LEN_MOST }>>) {
        let place = self.packets.partition_point(|one| one.at <= packet.at);
        self.packets.insert(place, packet);
    }

    fn received(&mut self, now: SimTime) -> Vec<C2cReceived> {
        let clock = &self.clock;
        let mut list = std::mem::take(&mut self.packets_read);
        list.clear();
        while self.packets.front().is_some_and(|packet| packet.at <= now) {
            let Some(packet) = self.packets.pop_front() else { break };
            list.push(C2cReceived { at: clock.shows(packet.at), bytes: packet.what });
        }
        list
    }

    fn flash_result(&mut self, now: SimTime) -> Option<FlashResult> {
        let (ends, command) = self.operation?;
        if ends > now {
            return None;
        }
        self.operation = None;
        self.flash.carry_out(&command);
        Some(FlashResult::Done)
    }

    /// The levels as it sees them, without the fault of `skipped`.
    pub(super) fn levels(&self, around: &Around, skipped: Option<u16>) -> [Levels; PINS] {
        let mut levels = around.seen.levels;
        for (_, pin, high) in self.views.iter().filter(|(owner, ..)| Some(*owner) != skipped) {
            if let Some(level) = levels.get_mut(usize::from(*pin)) {
                *level = if *high { Levels { high: u16::MAX, low: 0 } } else { Levels { high: 0, low: u16::MAX } };
            }
        }
        levels
    }

    fn analog(&self, around: &Around) -> safety_common::io::AnalogCounts {
        let mut known: [(u32, u16); 2] = [(0, 0), (around.supply_mv, self.count(around.supply_mv))];
        let supply = known[1].1;
        let mut of = |mv: u32| {
            if mv != known[0].0 && mv != known[1].0 {
                known[0] = (mv, self.count(mv));
            }
            if mv == known[1].0 { known[1].1 } else { known[0].1 }
        };
        let mut pins: [u16; PINS] = std::array::from_fn(|pin| of(around.seen.millivolts[pin]));
        let mut sio_power = of(around.feed_mv);
        let (mut supply, mut rail) = (supply, counts(around.rail_mv, RAIL_DIVIDER_PPM));
        for (_, channel, _) in &self.adc {
            match *channel {
                AdcChannel::Pin(pin) => {
                    let pin = usize::from(pin) % PINS;
                    pins[pin] = self.counts(*channel, around.seen.millivolts[pin]);
                }
                AdcChannel::Supply => supply = self.counts(*channel, around.supply_mv),
                AdcChannel::SioPower => sio_power = self.counts(*channel, around.feed_mv),
                AdcChannel::Rail => rail = self.counts(*channel, around.rail_mv),
            }
        }
        safety_common::io::AnalogCounts { pins, supply, sio_power, rail }
    }

    fn count(&self, millivolts: u32) -> u16 {
        counts(millivolts, DIVIDER_PPM[self.index % 2])
    }

    /// What a channel shows with its faults.
    #[must_use]
    pub fn counts(&self, channel: AdcChannel, millivolts: u32) -> u16 {
        self.counts_without(channel, millivolts, None)
    }

    /// What a channel shows with its faults but that of `skipped`.
    #[must_use]
    pub fn counts_without(&self, channel: AdcChannel, millivolts: u32, skipped: Option<u16>) -> u16 {
        let faults = self.adc.iter().filter(|(owner, own, _)| *own == channel && Some(*owner) != skipped);
        let millivolts = faults.fold(millivolts, |mv, (_, _, fault)| match fault {
            AdcFault::Gain(ppm) => u32::try_from(u64::from(mv) * u64::from(*ppm) / 1_000_000).unwrap_or(u32::MAX),
            AdcFault::Offset(by) => mv.saturating_add_signed(*by),
            AdcFault::Stuck(at) => *at,
            AdcFault::Noise { most, key } => mv.saturating_add_signed(even(*key, self.clock.tick(), *most)),
        });
        if channel == AdcChannel::Rail { counts(millivolts, RAIL_DIVIDER_PPM) } else { self.count(millivolts) }
    }
}

/// Takes what is there by now into a list of which nothing but its memory is used.
fn taken<T>(queue: &mut VecDeque<Arriving<T>>, now: SimTime, mut list: Vec<T>) -> Vec<T> {
    list.clear();
    while let Some(one) = queue.pop_front_if(|one| one.at <= now) {
        list.push(one.what);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::even;

    /// The first outputs of SplitMix64 with seed 1234567 are known; the key is the seed, the tick counts from 1.
    #[test]
    fn draws_are_those_of_splitmix64() {
        let known: [u64; 3] = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (tick, bits) in (1..).zip(known) {
            let wanted = i32::try_from(bits % 2_001).expect("small") - 1_000;
            assert_eq!(even(1_234_567, tick, 1_000), wanted);
        }
    }

    #[test]
    fn noise_reaches_its_bounds_and_is_even() {
        let draws: Vec<i32> = (0..20_000).map(|tick| even(7, tick, 10)).collect();
        let mut counts = [0u32; 21];
        draws.iter().for_each(|draw| counts[usize::try_from(draw + 10).expect("within the bounds")] += 1);
        // 952 are expected of each; five standard deviations are 150.
        assert!(counts.iter().all(|count| count.abs_diff(952) < 150), "{counts:?}");
        assert_eq!(even(7, 3, 0), 0);
    }
}
