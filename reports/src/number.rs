//! Decimals that are integers inside: [`Millis`] and [`Fixed`].
//!
//! A result must be the same bytes in every build, so no number of it may pass through a float. Both types hold
//! millionths in an `i64`, print them as a JSON number without trailing zeros, and read exactly what they printed.
//! One millionth of a millisecond is a nanosecond, so a duration and a budget in milliseconds convert without loss.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// Decimal places that both types hold.
const PLACES: i32 = 6;
/// Millionths in one.
const MILLION: i64 = 1_000_000;

/// A duration or an instant: whole nanoseconds, printed in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

/// A decimal with at most six places (L/min, °C, %, ms): whole millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed(i64);

impl Millis {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds; beyond 292 years it stays at the greatest value.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(if nanos > i64::MAX as u64 { i64::MAX } else { nanos as i64 })
    }

    /// From nanoseconds, which may be negative.
    #[must_use]
    pub const fn from_signed_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
}

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// `value` with its last `places` digits behind the point: `scaled(814, 1)` is 81.4. Places beyond six are cut
    /// off towards zero; a value out of range stays at the nearest end.
    #[must_use]
    pub const fn scaled(value: i64, places: u32) -> Self {
        if places <= PLACES as u32 {
            Self(value.saturating_mul(10_i64.pow(PLACES as u32 - places)))
        } else {
            match 10_i64.checked_pow(places - PLACES as u32) {
                Some(divisor) => Self(value / divisor),
                None => Self(0),
            }
        }
    }

    /// From millionths of the unit.
    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// The millionths.
    #[must_use]
    pub const fn as_millionths(self) -> i64 {
        self.0
    }
}

/// A time as a number of milliseconds, exact.
impl From<Millis> for Fixed {
    fn from(time: Millis) -> Self {
        Self(time.0)
    }
}

/// A number of milliseconds as a time, exact.
impl From<Fixed> for Millis {
    fn from(number: Fixed) -> Self {
        Self(number.0)
    }
}

/// Why a text is not a number that these types hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// Not a JSON number.
    NotANumber,
    /// More than six decimal places, which could only be kept by rounding.
    TooPrecise,
    /// Beyond the range of the type.
    OutOfRange,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a decimal number",
            Self::TooPrecise => "more than six decimal places",
            Self::OutOfRange => "beyond +-9223372036854.775807",
        })
    }
}

impl std::error::Error for NumberError {}

/// Reads a JSON number into millionths, exactly or not at all.
fn parse(text: &str) -> Result<i64, NumberError> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| NumberError::NotANumber)?;
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return Err(NumberError::NotANumber),
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !is_digits(whole) || !is_digits(fraction) {
        return Err(NumberError::NotANumber);
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let zeros = i64::try_from(digits.len() - significant.len()).map_err(|_| NumberError::OutOfRange)?;
    let places = i64::try_from(fraction.len()).map_err(|_| NumberError::OutOfRange)?;
    let shift = i64::from(PLACES) + i64::from(exponent) + zeros - places;
    scale(negative, significant, shift)
}

/// `significant` times ten to the power of `shift`, with a sign.
fn scale(negative: bool, significant: &str, shift: i64) -> Result<i64, NumberError> {
    if shift < 0 {
        return Err(NumberError::TooPrecise);
    }
    let power = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
    let value: i128 = significant.parse().map_err(|_| NumberError::OutOfRange)?;
    let value = power.and_then(|power| value.checked_mul(power)).ok_or(NumberError::OutOfRange)?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| NumberError::OutOfRange)
}

/// Prints millionths as a decimal: at least `min` places, at most six, no other trailing zeros.
fn print(f: &mut fmt::Formatter<'_>, millionths: i64) -> fmt::Result {
    let sign = if millionths < 0 { "-" } else { "" };
    let size = millionths.unsigned_abs();
    let (whole, fraction) = (size / MILLION as u64, size % MILLION as u64);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let digits = format!("{fraction:06}");
    write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
}

macro_rules! decimal {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(f, self.0)
            }
        }

        impl FromStr for $type {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = Box::<RawValue>::deserialize(deserializer)?;
                raw.get().parse().map_err(|error| D::Error::custom(format!("{}: {error}", raw.get())))
            }
        }
    };
}

decimal!(Millis);
decimal!(Fixed);
