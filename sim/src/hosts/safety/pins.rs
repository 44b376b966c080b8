//! The pins of a unit: what drives them, what their comparators and converters see.
//!
//! Levels are sampled once in each slot, [`SAMPLE_NS`] after its start: the comparators' filter of 40 us shows the slot's
//! end what was there then. A *window* is the tick of a CPU's own clock that it samples; the two CPUs' windows differ. A *play* is one tick of CPU1's
//! pin table on the transistors. A *source* is what a device outside shows on a pin.

use safety_common::io::Levels;
use safety_common::signal::{FRAME_TICKS, GAP_TICKS, OSSD_PERIOD_TICKS, OSSD_STAGGER_TICKS, Signal};
use safety_common::{ADC_COUNTS_MOST, ADC_REFERENCE_MV, PINS};

use crate::kernel::{SimTime, Span};

/// When in a slot a level counts: 62.5 us less the comparators' filter of 40 us.
pub const SAMPLE_NS: u64 = 22_500;
/// Length of a device's test pulse: two slots of its own.
const PULSE_NS: u64 = 125_000;
const MS: u64 = 1_000_000;

/// The tick that a CPU samples.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its start.
    pub from: SimTime,
    /// Its length in ns of true time.
    pub length: u64,
}

impl Window {
    /// The samples before an instant, as bits.
    #[must_use]
    pub fn before(&self, time: SimTime) -> u16 {
        let since = time.since(self.from).as_nanos();
        // Nearly every instant lies before the first sample or after the last: no division for those.
        if since > self.length + SAMPLE_NS {
            return u16::MAX;
        }
        let count = since.checked_sub(SAMPLE_NS + 1).map_or(0, |since| since * 16 / self.length + 1);
        (1u32 << count.min(16)).wrapping_sub(1) as u16
    }

    /// When its last sample is taken, which is also that of the ADC scan.
    #[must_use]
    pub fn scan(&self) -> SimTime {
        self.from + Span::from_nanos(self.length * 15 / 16 + SAMPLE_NS)
    }
}

/// Changes of a device that are older than this are in no tick that is still to be sampled: a tick takes 2 ms at most.
const PAST: Span = Span::from_millis(8);

/// What a device shows on a pin.
#[derive(Clone, Debug)]
pub struct Source {
    signal: Signal,
    /// Its changes of late, the last one at the begin: from which signal, and when.
    before: Vec<(Signal, SimTime)>,
    /// Pulses of different pins come at different times.
    phase: u64,
}

impl Source {
    /// A device that shows `signal` on `pin`.
    #[must_use]
    pub const fn new(signal: Signal, pin: usize) -> Self {
        let phase = pin as u64 * OSSD_STAGGER_TICKS as u64 * MS + 400_000;
        Self { signal, before: Vec::new(), phase }
    }

    /// It shows another signal from now on.
    pub fn show(&mut self, now: SimTime, signal: Signal) {
        if self.signal != signal {
            self.before.retain(|(_, at)| now < *at + PAST);
            self.before.insert(0, (self.signal, now));
            self.signal = signal;
        }
    }

    /// The device as it would have been without a stop that began then, and is over since `ended`; none if it is not known.
    #[must_use]
    pub fn without(&self, began: SimTime, ended: Option<SimTime>) -> Option<Self> {
        let place = self.before.iter().position(|(_, at)| *at == began)?;
        let mut other = self.clone();
        match (ended, place.checked_sub(1)) {
            (None, None) => other.signal = other.before.remove(0).0,
            (Some(ended), Some(next)) if self.before[next].1 == ended => drop(other.before.drain(next..=place)),
            _ => return None,
        }
        Some(other)
    }

    /// The samples that are high.
    #[must_use]
    pub fn high(&self, window: &Window) -> u16 {
        let mut high = self.mask(self.signal, window);
        for (signal, until) in &self.before {
            let old = window.before(*until);
            if old == 0 {
                // What was before it is in no sample either.
                break;
            }
            high = self.mask(*signal, window) & old | high & !old;
        }
        high
    }

    fn mask(&self, signal: Signal, window: &Window) -> u16 {
        let pulsed = |kind: usize| {
            let gap = u64::from(GAP_TICKS[kind % GAP_TICKS.len()]) * MS;
            self.pulses::<{ FRAME_TICKS as u64 * MS }>(window, &[0, gap])
        };
        match signal {
            Signal::Low => 0,
            Signal::High => u16::MAX,
            Signal::Ossd => !self.pulses::<{ OSSD_PERIOD_TICKS as u64 * MS }>(window, &[0]),
            Signal::A => !pulsed(0),
            Signal::B => !pulsed(1),
            Signal::C => !pulsed(2),
            Signal::D => !pulsed(3),
            Signal::InverseA => pulsed(0),
            Signal::InverseB => pulsed(1),
            Signal::InverseC => pulsed(2),
            Signal::InverseD => pulsed(3),
        }
    }

    /// The samples in pulses that begin at `starts` of each period, which is a constant: nearly every tick divides by it.
    fn pulses<const PERIOD: u64>(&self, window: &Window, starts: &[u64]) -> u16 {
        let at = (window.from.as_nanos() + PERIOD - self.phase % PERIOD) % PERIOD;
        let mut mask = 0;
        for start in starts.iter().flat_map(|start| [*start, *start + PERIOD]) {
            let end = start + PULSE_NS;
            if end > at && start < at + window.length {
                let begin = window.from + Span::from_nanos(start.saturating_sub(at));
                let first = if start < at { 0 } else { window.before(begin) };
                mask |= window.before(window.from + Span::from_nanos(end - at)) & !first;
            }
        }
        mask
    }
}

/// One tick of the pin table on the transistors.
#[derive(Clone, Copy, Debug)]
pub struct Play {
    /// When it started.
    pub start: SimTime,
    /// Length of a slot in ns of true time, in sixteenths.
    pub length: u64,
    /// All transistors are off from here on.
    pub cut: SimTime,
    /// The table.
    pub pins: [u16; PINS],
}

impl Play {
    /// Nothing is driven.
    pub const NONE: Self = Self { start: SimTime::ZERO, length: MS, cut: SimTime::ZERO, pins: [0; PINS] };

    /// The tables of this play and the next as the samples of a window see them.
    fn seen(&self, next: &Self, window: &Window) -> [u16; PINS] {
        let mask = |play: &Self| if play.cut == SimTime::NEVER { u16::MAX } else { window.before(play.cut) };
        let (here, there) = (mask(self), mask(next));
        if window.from == self.start {
            return self.pins.map(|pin| pin & here);
        }
        // Slots of this play that lie before the window's first sample; the clocks run equally fast within a tick.
        let since = window.from.since(self.start).as_nanos() + SAMPLE_NS;
        let shift = (since * 16 / self.length.max(1)).min(16) as u32;
        let kept = (u32::from(u16::MAX) >> shift) as u16;
        std::array::from_fn(|pin| {
            let both = u32::from(self.pins[pin]) | u32::from(next.pins[pin]) << 16;
            let mask = kept & here | !kept & there;
            (both >> shift) as u16 & mask
        })
    }
}

/// The last plays, newest first.
pub type Plays = [Play; 4];

/// Which transistors conduct in a window.
#[must_use]
pub fn conducting(plays: &Plays, window: &Window) -> [u16; PINS] {
    let first = plays.iter().position(|play| play.start <= window.from).unwrap_or(plays.len() - 1);
    let next = if first > 0 { plays[first - 1] } else { Play { cut: SimTime::ZERO, ..Play::NONE } };
    plays[first].seen(&next, window)
}

/// How a pin is wired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wiring {
    /// As it should be.
    #[default]
    Sound,
    /// The wire to the device is open.
    Open,
    /// Short to the supply.
    ToSupply,
    /// Short to 0 V.
    ToGround,
    /// Short to another pin.
    ToPin(u8),
}

/// The feed of the output transistors behind the main transistor.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// Whether the main transistor conducts.
    pub on: bool,
    /// Since when.
    pub since: SimTime,
}

/// The feed falls to nothing in this time once the main transistor is off (own number).
const DECAY_NS: u64 = 4_000_000;

impl Feed {
    /// Its voltage in mV.
    #[must_use]
    pub fn millivolts(&self, supply_mv: u32, time: SimTime) -> u32 {
        if self.on {
            return supply_mv;
        }
        let left = DECAY_NS.saturating_sub(time.since(self.since).as_nanos());
        u32::try_from(u64::from(supply_mv) * left / DECAY_NS).unwrap_or(0)
    }

    /// The samples in which it is at least 80 % of supply, and those in which it is above 20 %.
    fn masks(&self, window: &Window) -> (u16, u16) {
        let since = |ns: u64| window.before(self.since + Span::from_nanos(ns));
        if self.on {
            // Before it came on it had decayed.
            let old = window.before(self.since);
            return (!old, !old);
        }
        (since(DECAY_NS / 5), since(DECAY_NS * 4 / 5))
    }
}

/// What a CPU sees of the pins in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Comparators.
    pub levels: [Levels; PINS],
    /// Transistors.
    pub drivers: [u16; PINS],
    /// Voltages at the scan in mV.
    pub millivolts: [u32; PINS],
}

/// Everything that decides what is on the pins.
#[derive(Clone, Debug)]
pub struct Pins {
    /// Devices outside; none at outputs.
    pub sources: [Option<Source>; PINS],
    /// Wires.
    pub wiring: [Wiring; PINS],
    /// Transistors that conduct whatever they are told.
    pub stuck_on: u16,
    /// Transistors that never conduct.
    pub stuck_off: u16,
}

impl Pins {
    /// What is seen in a window.
    #[must_use]
    pub fn see(&self, plays: &Plays, feed: &Feed, supply_mv: u32, window: &Window) -> Seen {
        let drivers = self.drivers(plays, window);
        let (feed_high, feed_up) = feed.masks(window);
        let driven = |pin: usize| (drivers[pin] & feed_high, drivers[pin] & feed_up);
        let mut high: [u16; PINS] = [0; PINS];
        let mut up: [u16; PINS] = [0; PINS];
        for pin in 0..PINS {
            let outside = match (self.wiring[pin], &self.sources[pin]) {
                (Wiring::Open, _) | (_, None) => 0,
                (_, Some(source)) => source.high(window),
            };
            (high[pin], up[pin]) = driven(pin);
            high[pin] |= outside;
            up[pin] |= outside;
        }
        if self.wiring != [Wiring::Sound; PINS] {
            self.shorten(&mut high, &mut up);
        }
        let feed_mv = feed.millivolts(supply_mv, window.scan());
        let voltage = |pin: usize| match (high[pin] >> 15 & 1, up[pin] >> 15 & 1) {
            (1, _) => supply_mv,
            (_, 1) => feed_mv,
            // Below 20 % but not yet gone.
            _ if drivers[pin] >> 15 & 1 == 1 && self.wiring[pin] != Wiring::ToGround => feed_mv,
            _ => 0,
        };
        Seen {
            levels: std::array::from_fn(|pin| Levels { high: high[pin], low: !up[pin] }),
            drivers,
            millivolts: std::array::from_fn(voltage),
        }
    }

    /// Which transistors conduct.
    fn drivers(&self, plays: &Plays, window: &Window) -> [u16; PINS] {
        let mut drivers = conducting(plays, window);
        if self.stuck_on | self.stuck_off != 0 {
            for (pin, conducts) in drivers.iter_mut().enumerate() {
                if self.stuck_on >> pin & 1 == 1 {
                    *conducts = u16::MAX;
                }
                if self.stuck_off >> pin & 1 == 1 {
                    *conducts = 0;
                }
            }
        }
        drivers
    }

    fn shorten(&self, high: &mut [u16; PINS], up: &mut [u16; PINS]) {
        for pin in 0..PINS {
            if let Wiring::ToPin(other) = self.wiring[pin] {
                let other = usize::from(other) % PINS;
                let (both, either) = (high[pin] | high[other], up[pin] | up[other]);
                (high[pin], high[other]) = (both, both);
                (up[pin], up[other]) = (either, either);
            }
        }
        for pin in 0..PINS {
            match self.wiring[pin] {
                Wiring::ToSupply => (high[pin], up[pin]) = (u16::MAX, u16::MAX),
                Wiring::ToGround => (high[pin], up[pin]) = (0, 0),
                _ => {}
            }
        }
    }
}

/// Counts of the converter behind a divider, rounded down (`SAFETY.md`, section 5).
#[must_use]
pub fn counts(millivolts: u32, divider_ppm: u32) -> u16 {
    let counts = u64::from(millivolts) * u64::from(ADC_COUNTS_MOST + 1) * u64::from(divider_ppm)
        / (u64::from(ADC_REFERENCE_MV) * 1_000_000);
    u16::try_from(counts).unwrap_or(u16::MAX).min(ADC_COUNTS_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { from: SimTime::from_nanos(10_000_000), length: MS };

    #[test]
    fn thirty_three_volts_are_1945_and_1269_counts() {
        // The figures of `SAFETY.md`, section 5.
        assert_eq!((counts(33_000, 47_500), counts(33_000, 31_000)), (1_945, 1_269));
        assert_eq!(counts(3_300, 500_000), 2_048);
    }

    #[test]
    fn samples_are_taken_22_5_us_into_each_slot() {
        let at = |us_tenths: u64| WINDOW.from + Span::from_nanos(us_tenths * 100);
        assert_eq!(WINDOW.before(at(225)), 0);
        assert_eq!(WINDOW.before(at(226)), 1);
        assert_eq!(WINDOW.before(at(850)), 1);
        assert_eq!(WINDOW.before(at(851)), 3);
        assert_eq!(WINDOW.before(at(10_000)), u16::MAX);
        assert_eq!(WINDOW.before(SimTime::ZERO), 0);
    }

    #[test]
    fn a_pulsed_device_is_low_for_two_samples_at_the_gaps_of_its_type() {
        let mut lows = Vec::new();
        let source = Source { phase: 0, ..Source::new(Signal::B, 0) };
        for tick in 0..16u64 {
            let window = Window { from: SimTime::from_nanos(tick * MS), length: MS };
            let high = source.high(&window);
            if high != u16::MAX {
                lows.push((tick, !high));
            }
        }
        assert_eq!(lows, [(0, 3), (2, 3), (8, 3), (10, 3)]);
    }

    /// Samples are taken 22.5, 85, 147.5, 210, .. us after the begin of the window.
    #[test]
    fn a_stop_within_a_window_is_in_its_own_samples_alone() {
        let off = |from_us: u64, until_us: u64| {
            let mut source = Source::new(Signal::High, 0);
            source.show(WINDOW.from + Span::from_micros(from_us), Signal::Low);
            source.show(WINDOW.from + Span::from_micros(until_us), Signal::High);
            !source.high(&WINDOW)
        };
        assert_eq!([off(100, 300), off(100, 110), off(950, 1_500)], [0b1_1100, 0, 0x8000]);
    }

    /// However many there are: 100 to 300 us are the samples 2 to 4, 400 to 410 us none, 500 to 600 us the samples 8 and 9.
    #[test]
    fn all_stops_within_a_window_are_in_its_samples_and_each_can_be_taken_out() {
        let at = |us: u64| WINDOW.from + Span::from_micros(us);
        let mut source = Source::new(Signal::High, 0);
        for (from, until) in [(100, 300), (400, 410), (500, 600)] {
            source.show(at(from), Signal::Low);
            source.show(at(until), Signal::High);
        }
        assert_eq!(!source.high(&WINDOW), 0b11_0001_1100);
        let without =
            |from: u64, until: u64| source.without(at(from), Some(at(until))).map(|other| !other.high(&WINDOW));
        assert_eq!(without(100, 300), Some(0b11_0000_0000));
        assert_eq!(without(400, 410), Some(0b11_0001_1100));
        assert_eq!(without(500, 600), Some(0b00_0001_1100));
        assert_eq!((without(100, 410), without(101, 300)), (None, None), "no such stop");
        source.show(at(700), Signal::Low);
        assert_eq!(!source.high(&WINDOW), 0b1111_1011_0001_1100);
        assert_eq!(source.without(at(700), None).map(|other| !other.high(&WINDOW)), Some(0b11_0001_1100));
        assert!(source.without(at(500), None).is_none(), "it is over");
    }

    #[test]
    fn the_other_cpu_sees_the_same_table_shifted_by_the_offset_of_the_clocks() {
        let mut pins = [0; PINS];
        pins[3] = 0b0000_0011_0000_0000;
        let now = Play { start: SimTime::from_nanos(5 * MS), length: MS, cut: SimTime::NEVER, pins };
        let before = Play { start: SimTime::from_nanos(4 * MS), pins: [0; PINS], ..now };
        let plays = [Play { start: SimTime::from_nanos(6 * MS), ..before }, now, before, Play::NONE];
        let own = Window { from: SimTime::from_nanos(5 * MS), length: MS };
        assert_eq!(conducting(&plays, &own)[3], pins[3]);
        // A quarter of a tick later: four slots earlier in the window, and the next table's first four at its end.
        let later = Window { from: SimTime::from_nanos(5 * MS + MS / 4), length: MS };
        assert_eq!(conducting(&plays, &later)[3], 0b0000_0000_0011_0000);
        let later = Window { from: SimTime::from_nanos(5 * MS + MS * 5 / 8), length: MS };
        assert_eq!(conducting(&plays, &later)[3], 0);
    }

    #[test]
    fn what_was_cut_conducts_no_longer() {
        let play =
            Play { start: WINDOW.from, length: MS, cut: WINDOW.from + Span::from_micros(250), pins: [u16::MAX; PINS] };
        let plays = [Play { start: WINDOW.from + Span::from_millis(1), cut: SimTime::ZERO, ..play }, play, play, play];
        assert_eq!(conducting(&plays, &WINDOW)[0], 0b1111);
    }

    #[test]
    fn shorts_act_as_the_wires_would() {
        let sources: [Option<Source>; PINS] =
            std::array::from_fn(|pin| (pin < 2).then(|| Source::new(Signal::High, pin)));
        let mut pins = Pins { sources, wiring: [Wiring::Sound; PINS], stuck_on: 1 << 4, stuck_off: 0 };
        pins.wiring[1] = Wiring::ToGround;
        pins.wiring[2] = Wiring::ToSupply;
        pins.wiring[3] = Wiring::ToPin(0);
        let plays = [Play::NONE; 4];
        let off = Feed { on: false, since: SimTime::ZERO };
        let seen = pins.see(&plays, &off, 24_000, &WINDOW);
        let high: Vec<bool> = seen.levels.iter().map(|level| level.high == u16::MAX).collect();
        assert_eq!(high[..6], [true, false, true, true, false, false]);
        assert_eq!(seen.drivers[4], u16::MAX, "the transistor conducts, though nothing feeds it");
        let on = Feed { on: true, since: SimTime::ZERO };
        assert_eq!(pins.see(&plays, &on, 24_000, &WINDOW).levels[4].high, u16::MAX);
        assert_eq!(seen.millivolts[..6], [24_000, 0, 24_000, 24_000, 0, 0]);
    }
}
