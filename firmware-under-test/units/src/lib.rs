//! Integer quantities of the cooling-unit firmware, one page.
//!
//! A raw integer says nothing of its unit; these newtypes do. All are integers, so that the firmware needs no
//! floating point and every host computes the same bits. Arithmetic saturates or is checked: none of it can panic.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

/// A point on the clock of one CPU, in microseconds since that CPU was reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Instant {
    /// The instant of reset.
    pub const ZERO: Self = Self(0);

    /// The instant `us` microseconds after reset.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since reset.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// This instant put off by `by`; stays at the end of the clock's range.
    #[must_use]
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

impl Duration {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// A length in microseconds.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// A length in milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// A length in seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// In microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// In whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The sum, at most the longest representable length.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This length `n` times.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1_000, self.0 % 1_000)
    }
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($raw:ty), $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($raw);

        impl $name {
            #[doc = concat!("A value in ", $unit, ".")]
            #[must_use]
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            #[doc = concat!("The value in ", $unit, ".")]
            #[must_use]
            pub const fn get(self) -> $raw {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{} ", $unit), self.0)
            }
        }
    };
}

quantity!(
    /// A voltage, 0 to 65.535 V.
    Millivolts(u16), "mV"
);
quantity!(
    /// A current, 0 to 65.535 A.
    Milliamps(u16), "mA"
);
quantity!(
    /// A share in thousandths; 1000 is full speed of a pump.
    Permille(u16), "permille"
);
quantity!(
    /// A temperature in tenths of a degree Celsius.
    DeciCelsius(i16), "d°C"
);

impl Permille {
    /// Full speed.
    pub const FULL: Self = Self(1_000);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_saturate_at_both_ends() {
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(Instant::ZERO.since(end), Duration::ZERO);
        assert_eq!(Duration::from_secs(u64::MAX).as_micros(), u64::MAX);
        assert_eq!(Duration::from_millis(u64::MAX).plus(Duration::from_micros(1)).as_micros(), u64::MAX);
    }

    #[test]
    fn lengths_convert_exactly() {
        assert_eq!(Duration::from_millis(3).as_micros(), 3_000);
        assert_eq!(Duration::from_micros(2_999).as_millis(), 2);
        assert_eq!(Instant::from_micros(5).since(Instant::from_micros(2)).as_micros(), 3);
        assert_eq!(Duration::from_millis(2).times(4), Duration::from_millis(8));
    }

    #[test]
    fn quantities_are_written_with_their_units() {
        extern crate std;
        use std::string::ToString;
        assert_eq!(Instant::from_micros(1_000_250).to_string(), "1.000250 s");
        assert_eq!(Duration::from_micros(70_025).to_string(), "70.025 ms");
        assert_eq!(Millivolts::new(24_000).to_string(), "24000 mV");
        assert_eq!(DeciCelsius::new(-55).to_string(), "-55 d°C");
    }
}
