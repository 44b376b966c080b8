//! Recognition of signals on a wire, by windows over its last 320 samples.
//!
//! SSR-023 to SSR-026, SSR-039.
//!
//! Diverse: nothing is counted from tick to tick. The samples of the last 20 ticks stand in two shift registers, one bit a
//! slot, and each tick the whole window is held against the pattern of a signal: runs, starts and gaps are found by
//! shifting the window against itself. So what a wire shows depends on these 320 samples and on nothing else.
//!
//! Words: a wire is at *rest* at the level of a pulsed signal between its pulses, else *away*; a *start* is the first
//! sample of a run that is away.

use safety_common::SLOTS;
use safety_common::io::Levels;
use safety_common::signal::{
    FRAME_TICKS, GAP_TICKS, GAP_TOLERANCE_SLOTS, OSSD_SLOTS_MOST, OSSD_SPACING_SLOTS, PULSE_SLOTS_MOST, STATIC_TICKS,
    Signal,
};

const WORDS: usize = 5;
const FRAME: u32 = FRAME_TICKS * SLOTS;
const NEWEST: u32 = 64 * WORDS as u32 - 1;
/// A combined pin is judged over so many samples: any phase of the other CPU's release lies whole in it.
const COMBINED_WINDOW: u32 = 64;

/// 320 samples; the highest bit is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window([u64; WORDS]);

impl Window {
    /// Sixteen newer samples; bit 15 of them is the newest.
    fn push(&mut self, slots: u16) {
        let Self([a, b, c, d, e]) = self;
        *a = *a >> 16 | *b << 48;
        *b = *b >> 16 | *c << 48;
        *c = *c >> 16 | *d << 48;
        *d = *d >> 16 | *e << 48;
        *e = *e >> 16 | u64::from(slots) << 48;
    }

    const fn not(self) -> Self {
        let Self([a, b, c, d, e]) = self;
        Self([!a, !b, !c, !d, !e])
    }

    const fn and(self, other: Self) -> Self {
        let (Self([a, b, c, d, e]), Self([v, w, x, y, z])) = (self, other);
        Self([a & v, b & w, c & x, d & y, e & z])
    }

    /// Every sample one slot newer.
    const fn later(self) -> Self {
        let Self([a, b, c, d, e]) = self;
        Self([a << 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63, e << 1 | d >> 63])
    }

    /// The newest `count` samples, the others cleared.
    fn newest(self, count: u32) -> Self {
        let mut kept = self;
        let mut left = count;
        for word in kept.0.iter_mut().rev() {
            let here = left.min(64);
            let mask = u64::MAX.checked_shl(64u32.saturating_sub(here)).unwrap_or(0);
            *word &= mask;
            left = left.saturating_sub(here);
        }
        kept
    }

    fn is_clear(self) -> bool {
        self.0 == [0; WORDS]
    }

    /// First samples of runs.
    const fn starts(self) -> Self {
        self.and(self.later().not())
    }

    /// Whether any run is longer than `most`.
    fn has_run_over(self, most: u32) -> bool {
        let mut left = self;
        for _ in 0..most {
            left = left.and(left.later());
            if left.is_clear() {
                return false;
            }
        }
        true
    }

    /// The place of the newest set sample.
    fn highest(self) -> Option<u32> {
        let set = self.0.iter().zip(0u32..).filter(|(word, _)| **word != 0);
        set.map(|(word, place)| (place << 6) | (63 ^ word.leading_zeros())).max()
    }

    /// The samples at and after `place`, up to the newest.
    fn since(self, place: u32) -> Self {
        self.newest(NEWEST.saturating_sub(place).saturating_add(1))
    }

    /// The samples before `place`.
    fn before(self, place: u32) -> Self {
        self.and(Self([u64::MAX; WORDS]).since(place).not())
    }
}

/// A wire with its last 320 samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    high: Window,
    low: Window,
}

impl Wire {
    /// The samples of one tick.
    pub(crate) fn sample(&mut self, levels: Levels) {
        self.high.push(levels.high & !levels.low);
        self.low.push(levels.low & !levels.high);
    }

    /// Whether the wire shows this signal now.
    pub(crate) fn shows(&self, signal: Signal) -> bool {
        match signal {
            Signal::High => steady(self.high),
            Signal::Low => steady(self.low),
            Signal::Ossd => ossd(self.high),
            Signal::A => pulsed(self.high, self.low, Gaps::of(0)),
            Signal::B => pulsed(self.high, self.low, Gaps::of(1)),
            Signal::C => pulsed(self.high, self.low, Gaps::of(2)),
            Signal::D => pulsed(self.high, self.low, Gaps::of(3)),
            Signal::InverseA => pulsed(self.low, self.high, Gaps::of(0)),
            Signal::InverseB => pulsed(self.low, self.high, Gaps::of(1)),
            Signal::InverseC => pulsed(self.low, self.high, Gaps::of(2)),
            Signal::InverseD => pulsed(self.low, self.high, Gaps::of(3)),
        }
    }

    /// A combined pin is on if nothing pulled it down in four ticks, in whatever phase the other CPU releases it.
    pub(crate) fn combined_on(&self) -> bool {
        self.high.not().newest(COMBINED_WINDOW).is_clear()
    }

    /// A combined pin is off if it was seen low in four ticks.
    pub(crate) fn combined_off(&self) -> bool {
        !self.low.newest(COMBINED_WINDOW).is_clear()
    }
}

fn steady(level: Window) -> bool {
    level.not().newest(STATIC_TICKS * SLOTS).is_clear()
}

/// High but for one short dip in the spacing, and none within the spacing before that dip; a steady high passes, too.
fn ossd(high: Window) -> bool {
    let away = high.not();
    // A run that reaches into the spacing from before counts whole.
    if away.newest(OSSD_SPACING_SLOTS.saturating_add(OSSD_SLOTS_MOST)).has_run_over(OSSD_SLOTS_MOST) {
        return false;
    }
    let starts = away.starts();
    let recent = starts.newest(OSSD_SPACING_SLOTS);
    let Some(dip) = recent.highest() else { return true };
    let too_near = dip.saturating_sub(OSSD_SPACING_SLOTS).saturating_add(1);
    starts.before(dip).since(too_near).is_clear()
}

/// The two gaps of a pulsed type, in slots.
#[derive(Clone, Copy, Debug)]
struct Gaps {
    short: u32,
    long: u32,
}

impl Gaps {
    fn of(kind: usize) -> Self {
        let ticks = GAP_TICKS.get(kind).copied().unwrap_or(0);
        let short = ticks.saturating_mul(SLOTS);
        Self { short, long: FRAME.saturating_sub(short) }
    }

    /// The gap after these two, if they are this type's.
    fn next(self, newer: u32, older: u32) -> Option<u32> {
        let near = |a: u32, b: u32| a.abs_diff(b) <= GAP_TOLERANCE_SLOTS;
        if !near(newer.saturating_add(older), FRAME) {
            None
        } else if near(newer, self.short) && near(older, self.long) {
            Some(self.long)
        } else if near(newer, self.long) && near(older, self.short) {
            Some(self.short)
        } else {
            None
        }
    }
}

/// Three pulses with the two gaps of a type, the newest not too long ago, none of them too long.
fn pulsed(rest: Window, opposite: Window, gaps: Gaps) -> bool {
    let away = rest.not();
    let starts = away.starts();
    let Some(newest) = starts.highest() else { return false };
    let Some(middle) = starts.before(newest).highest() else { return false };
    let Some(oldest) = starts.before(middle).highest() else { return false };
    let Some(next) = gaps.next(newest.saturating_sub(middle), middle.saturating_sub(oldest)) else { return false };
    let waited = NEWEST.saturating_sub(newest);
    let in_time = waited <= next.saturating_add(GAP_TOLERANCE_SLOTS);
    // A pulse reaches the other level; the newest may still be on its way there.
    let reaches = |from: u32, until: Window| !until.and(opposite).since(from).is_clear();
    let under_way = waited < PULSE_SLOTS_MOST;
    in_time
        && !away.since(oldest).has_run_over(PULSE_SLOTS_MOST)
        && reaches(oldest, away.before(middle))
        && reaches(middle, away.before(newest))
        && (under_way || reaches(newest, away))
}

#[cfg(test)]
mod tests;
