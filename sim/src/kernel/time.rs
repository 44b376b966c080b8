//! Simulated time in whole nanoseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// An instant of simulated time, in nanoseconds since the run began. 584 years fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A length of simulated time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl SimTime {
    /// The beginning of the run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `ns` nanoseconds into the run.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the run began.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// A length in nanoseconds.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// A length in microseconds.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// A length in milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// A length in seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This length `n` times.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl Add<Span> for SimTime {
    type Output = Self;

    /// Saturates at [`SimTime::NEVER`].
    fn add(self, by: Span) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

impl AddAssign<Span> for SimTime {
    fn add_assign(&mut self, by: Span) {
        *self = *self + by;
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    /// Zero where the result would be negative.
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Milliseconds with six decimals, exact.
fn write_millis(ns: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}.{:06}", ns / 1_000_000, ns % 1_000_000)
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millis(self.0, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millis(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_milliseconds_to_the_nanosecond() {
        assert_eq!(SimTime::from_nanos(70_000_000_042).to_string(), "70000.000042");
        assert_eq!(Span::from_micros(812).to_string(), "0.812000");
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(SimTime::from_nanos(5) + Span::from_nanos(u64::MAX), SimTime::NEVER);
        assert_eq!(SimTime::from_nanos(5).since(SimTime::from_nanos(9)), Span::ZERO);
        assert_eq!(Span::from_nanos(5) - Span::from_nanos(9), Span::ZERO);
        assert_eq!(Span::from_secs(u64::MAX), Span::from_nanos(u64::MAX));
        assert_eq!(Span::from_millis(3).times(4), Span::from_micros(12_000));
    }
}
