//! Which signal an input pin shows.
//!
//! A detector watches the sixteen samples of each tick for one signal type. It reports the signal only while that is
//! there; silence, wrong gaps, long pulses and levels between high and low all read as "not this signal" (SSR-023,
//! SSR-025, SSR-026).

use safety_common::SLOTS;
use safety_common::io::Levels;
use safety_common::signal::{
    FRAME_TICKS, GAP_TICKS, GAP_TOLERANCE_SLOTS, OSSD_SLOTS_MOST, OSSD_SPACING_SLOTS, PULSE_SLOTS_MOST, STATIC_TICKS,
    Signal,
};

/// Watches for one signal type.
#[derive(Clone, Debug)]
pub(crate) enum Detector {
    Static { is_high: bool, ticks: u32 },
    Ossd(Ossd),
    Pulsed { is_inverse: bool, pulses: Pulses },
}

impl Detector {
    pub(crate) const fn new(signal: Signal) -> Self {
        match signal {
            Signal::Low => Self::Static { is_high: false, ticks: 0 },
            Signal::High => Self::Static { is_high: true, ticks: 0 },
            Signal::Ossd => Self::Ossd(Ossd { run: 0, since_start: 0, good: 0 }),
            Signal::A => Self::pulsed(false, GAP_TICKS[0]),
            Signal::B => Self::pulsed(false, GAP_TICKS[1]),
            Signal::C => Self::pulsed(false, GAP_TICKS[2]),
            Signal::D => Self::pulsed(false, GAP_TICKS[3]),
            Signal::InverseA => Self::pulsed(true, GAP_TICKS[0]),
            Signal::InverseB => Self::pulsed(true, GAP_TICKS[1]),
            Signal::InverseC => Self::pulsed(true, GAP_TICKS[2]),
            Signal::InverseD => Self::pulsed(true, GAP_TICKS[3]),
        }
    }

    const fn pulsed(is_inverse: bool, gap_ticks: u32) -> Self {
        let short = gap_ticks * SLOTS;
        Self::Pulsed { is_inverse, pulses: Pulses { short, run: 0, since_start: u32::MAX, last_gap: 0, fits: false } }
    }

    /// Takes the samples of a tick; `true` while the signal is there.
    pub(crate) fn observe(&mut self, levels: Levels) -> bool {
        match self {
            Self::Static { is_high, ticks } => {
                let is_clean = if *is_high { levels.high == u16::MAX } else { levels.low == u16::MAX };
                *ticks = if is_clean { ticks.saturating_add(1).min(STATIC_TICKS) } else { 0 };
                *ticks >= STATIC_TICKS
            }
            Self::Ossd(ossd) => ossd.observe(!levels.high),
            Self::Pulsed { is_inverse, pulses } => pulses.observe(if *is_inverse { !levels.low } else { !levels.high }),
        }
    }
}

/// A high level with short, rare dips.
#[derive(Clone, Debug)]
pub(crate) struct Ossd {
    run: u32,
    since_start: u32,
    good: u32,
}

impl Ossd {
    fn observe(&mut self, dips: u16) -> bool {
        if dips == 0 && self.run == 0 {
            self.since_start = self.since_start.saturating_add(SLOTS);
            self.good = self.good.saturating_add(SLOTS);
        } else {
            (0..SLOTS).for_each(|slot| self.slot(dips >> slot & 1 == 1));
        }
        self.good >= OSSD_SPACING_SLOTS
    }

    fn slot(&mut self, is_dip: bool) {
        self.since_start = self.since_start.saturating_add(1);
        self.good = self.good.saturating_add(1);
        let is_start = is_dip && self.run == 0;
        self.run = if is_dip { self.run.saturating_add(1) } else { 0 };
        if self.run > OSSD_SLOTS_MOST || (is_start && self.since_start < OSSD_SPACING_SLOTS) {
            self.good = 0;
        }
        if is_start {
            self.since_start = 0;
        }
    }
}

/// Short pulses whose gaps alternate between a short and the rest of the frame.
#[derive(Clone, Debug)]
pub(crate) struct Pulses {
    /// Slots from the first to the second pulse of a frame.
    short: u32,
    run: u32,
    since_start: u32,
    last_gap: u32,
    fits: bool,
}

const FRAME_SLOTS: u32 = FRAME_TICKS * SLOTS;

impl Pulses {
    fn observe(&mut self, active: u16) -> bool {
        if active == 0 && self.run == 0 {
            self.since_start = self.since_start.saturating_add(SLOTS);
        } else {
            (0..SLOTS).for_each(|slot| self.slot(active >> slot & 1 == 1));
        }
        if self.fits && self.since_start > self.next_gap().saturating_add(GAP_TOLERANCE_SLOTS) {
            (self.fits, self.last_gap) = (false, 0);
        }
        self.fits
    }

    fn slot(&mut self, is_active: bool) {
        self.since_start = self.since_start.saturating_add(1);
        if is_active && self.run == 0 {
            self.judge_gap(self.since_start);
            self.since_start = 0;
        }
        self.run = if is_active { self.run.saturating_add(1) } else { 0 };
        if self.run > PULSE_SLOTS_MOST {
            // No pulse: no gap begins with it either.
            (self.fits, self.last_gap, self.since_start) = (false, 0, u32::MAX);
        }
    }

    /// The gap that must follow the last one.
    fn next_gap(&self) -> u32 {
        let long = FRAME_SLOTS.saturating_sub(self.short);
        if self.last_gap.abs_diff(self.short) <= GAP_TOLERANCE_SLOTS { long } else { self.short }
    }

    fn judge_gap(&mut self, gap: u32) {
        let long = FRAME_SLOTS.saturating_sub(self.short);
        let is_near = |gap: u32, wanted: u32| gap.abs_diff(wanted) <= GAP_TOLERANCE_SLOTS;
        let alternates = (is_near(gap, self.short) && is_near(self.last_gap, long))
            || (is_near(gap, long) && is_near(self.last_gap, self.short));
        self.fits = alternates && is_near(gap.saturating_add(self.last_gap), FRAME_SLOTS);
        self.last_gap = gap;
    }
}
