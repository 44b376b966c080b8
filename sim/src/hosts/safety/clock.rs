//! The clock of a safety CPU: when its ticks come, and what it shows in between.
//!
//! A tick is 1 ms of the CPU's own time. The remainder of each division is carried on, so that a day of ticks is off by
//! less than a nanosecond.

use units::Instant;

use crate::kernel::{SimTime, Span};

const TICK_NS: u64 = 1_000_000;
const SLOTS: u64 = 16;

/// State of a clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// How much faster than true time it runs, in parts per million; above -1,000,000.
    ppm: i32,
    /// Ticks since reset.
    tick: u32,
    /// True time of the present tick's start, and the part of a nanosecond beyond it in units of 1 / (10^6 + ppm).
    started: SimTime,
    remainder: u64,
    /// When the next tick starts, and the length of one, rounded down: asked for many times a tick.
    next: SimTime,
    length: Span,
}

impl Clock {
    /// A clock whose tick 0 is at `now`.
    #[must_use]
    pub fn new(ppm: i32, now: SimTime) -> Self {
        let mut clock = Self { ppm, tick: 0, started: now, remainder: 0, next: now, length: Span::ZERO };
        clock.look_ahead();
        clock
    }

    fn look_ahead(&mut self) {
        let rate = self.rate();
        self.length = Span::from_nanos(TICK_NS * 1_000_000 / rate);
        self.next = self.started + Span::from_nanos((TICK_NS * 1_000_000 + self.remainder) / rate);
    }

    fn rate(&self) -> u64 {
        u64::try_from(1_000_000 + i64::from(self.ppm)).unwrap_or(1).max(1)
    }

    /// From the next tick on the clock runs `ppm` faster than true time.
    pub fn set_drift(&mut self, ppm: i32) {
        self.ppm = ppm;
        self.remainder = 0;
        self.look_ahead();
    }

    /// How much faster than true time it runs.
    #[must_use]
    pub const fn ppm(&self) -> i32 {
        self.ppm
    }

    /// Length of the present tick in true time, rounded down.
    #[must_use]
    pub const fn tick_length(&self) -> Span {
        self.length
    }

    /// Length of a tick in true time, rounded down, if the clock ran `ppm` fast.
    #[must_use]
    pub fn tick_at(&self, ppm: i32) -> Span {
        Span::from_nanos(TICK_NS * 1_000_000 / Self { ppm, ..*self }.rate())
    }

    /// True time of `own` nanoseconds of this clock.
    #[must_use]
    pub fn true_span(&self, own: u64) -> Span {
        if self.ppm == 0 {
            return Span::from_nanos(own);
        }
        if let Some(scaled) = own.checked_mul(1_000_000) {
            return Span::from_nanos(scaled / self.rate());
        }
        let ns = u128::from(own) * 1_000_000 / u128::from(self.rate());
        Span::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// When the next tick starts.
    #[must_use]
    pub const fn next(&self) -> SimTime {
        self.next
    }

    /// A tick starts: the present one ends.
    pub fn advance(&mut self) {
        let total = TICK_NS * 1_000_000 + self.remainder;
        self.started = self.next;
        self.remainder = total % self.rate();
        self.tick = self.tick.wrapping_add(1);
        self.look_ahead();
    }

    /// Ticks since reset.
    #[must_use]
    pub const fn tick(&self) -> u32 {
        self.tick
    }

    /// True time at which the present tick started.
    #[must_use]
    pub const fn started(&self) -> SimTime {
        self.started
    }

    /// Start of a slot of the present tick.
    #[must_use]
    pub fn slot(&self, slot: u8) -> SimTime {
        self.started + self.true_span(u64::from(slot) * TICK_NS / SLOTS)
    }

    /// What the clock shows at `time`, which is not before the tick that came last but one.
    #[must_use]
    pub fn shows(&self, time: SimTime) -> Instant {
        let own = |true_ns: u64| match true_ns.checked_mul(self.rate()) {
            Some(scaled) => scaled / 1_000_000,
            None => u64::try_from(u128::from(true_ns) * u128::from(self.rate()) / 1_000_000).unwrap_or(u64::MAX),
        };
        let base = u64::from(self.tick) * TICK_NS;
        let (since, before) = (own(time.since(self.started).as_nanos()), own(self.started.since(time).as_nanos()));
        Instant::from_micros((base + since).saturating_sub(before) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_ticks_of_a_drifting_clock_is_exact() {
        // 86,400,000 ticks at +1000 ppm take 86,400 s / 1.001 = 86,313.686313686313... s.
        let mut clock = Clock::new(1_000, SimTime::ZERO);
        (0..86_400_000).for_each(|_| clock.advance());
        assert_eq!(clock.started(), SimTime::from_nanos(86_313_686_313_686));
        assert_eq!(clock.tick(), 86_400_000);
    }

    #[test]
    fn a_fast_clock_shows_more() {
        let mut clock = Clock::new(1_000, SimTime::from_nanos(5));
        clock.advance();
        assert_eq!(clock.next().since(clock.started()), Span::from_nanos(999_001));
        assert_eq!(clock.shows(clock.started()), Instant::from_micros(1_000));
        assert_eq!(clock.shows(clock.started() + Span::from_micros(500)), Instant::from_micros(1_500));
        let earlier = SimTime::from_nanos(clock.started().as_nanos() - 500_000);
        assert_eq!(clock.shows(earlier), Instant::from_micros(499));
    }
}
