//! Numbers with units, read from text exactly: no floating point touches them.
//!
//! A *quantity* is an integer count of its smallest unit (nanoseconds, millivolts, ...). `"812.5us"` is 812,500 ns and
//! `"0.1ns"` is refused, because it is no whole number of nanoseconds. Written back, a quantity takes the shortest text
//! that is exact.

use std::fmt;

use crate::kernel::Span;

/// Something that is written as a number and a unit.
pub trait Quantity: Copy {
    /// What it is, for messages: `duration`, `voltage`.
    const WHAT: &'static str;
    /// Its units with their size in the smallest one; the first is preferred when texts are equally long.
    const UNITS: &'static [(&'static str, i64)];

    /// The quantity that is `base` smallest units, if its type can hold that.
    fn from_base(base: i128) -> Option<Self>;

    /// How many smallest units it is.
    fn base(self) -> i128;
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuantityError {
    /// There is no number at its beginning.
    NoNumber,
    /// There is a number and nothing else.
    NoUnit,
    /// Its unit is not one of this quantity's; with that unit.
    WrongUnit(String),
    /// It is no whole number of smallest units.
    TooFine,
    /// It is beyond what the type holds.
    TooLarge,
}

/// Reads a quantity: an optional sign, digits with at most one decimal point, an optional space, a unit.
///
/// # Errors
/// When the text is anything else, or no whole number of smallest units.
pub fn parse<Q: Quantity>(text: &str) -> Result<Q, QuantityError> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.trim_start();
    let (digits, decimals) = decimal(number).ok_or(QuantityError::NoNumber)?;
    if unit.is_empty() {
        return Err(QuantityError::NoUnit);
    }
    let known = Q::UNITS.iter().find(|(name, _)| *name == unit);
    let (_, size) = known.ok_or_else(|| QuantityError::WrongUnit(unit.to_owned()))?;
    let scaled = digits.checked_mul(i128::from(*size)).ok_or(QuantityError::TooLarge)?;
    let divisor = 10_i128.pow(decimals);
    if scaled % divisor != 0 {
        return Err(QuantityError::TooFine);
    }
    Q::from_base(scaled / divisor).ok_or(QuantityError::TooLarge)
}

/// The digits of a decimal number as an integer, and how many of them stand behind the point; at most 24 digits.
fn decimal(number: &str) -> Option<(i128, u32)> {
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    let ends_in_point = unsigned.ends_with('.');
    if whole.is_empty() || !all_digits || ends_in_point || whole.len() + fraction.len() > 24 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let signed = if number.starts_with('-') { -digits } else { digits };
    Some((signed, u32::try_from(fraction.len()).ok()?))
}

/// The shortest text that reads back as exactly this quantity; among equally short ones a whole number, then the
/// preferred unit.
#[must_use]
pub fn text<Q: Quantity>(quantity: Q) -> String {
    let candidates = Q::UNITS.iter().filter_map(|(unit, size)| Some(exact(quantity.base(), *size)? + unit));
    candidates.min_by_key(|text| (text.len(), text.contains('.'))).unwrap_or_default()
}

/// A number from 0 to 1 read as a share of 1, written with its unit: `0.001` is `1000ppm`. Nothing for a quantity that has no
/// percent, and for any other number.
#[must_use]
pub fn share_of_one<Q: Quantity>(number: &str) -> Option<String> {
    let (_, percent) = Q::UNITS.iter().find(|(unit, _)| *unit == "%")?;
    let (digits, decimals) = decimal(number.trim())?;
    let divisor = 10_i128.pow(decimals);
    let scaled = digits.checked_mul(i128::from(*percent) * 100).filter(|_| (1..=divisor).contains(&digits))?;
    (scaled % divisor == 0).then(|| Q::from_base(scaled / divisor).map(text)).flatten()
}

/// The least amount of the quantity above nothing, such as `1 mV`.
#[must_use]
pub fn smallest<Q: Quantity>() -> String {
    let least = Q::UNITS.iter().min_by_key(|(_, size)| *size);
    least.and_then(|(unit, size)| Some(format!("{} {unit}", exact(1, *size)?))).unwrap_or_default()
}

/// What the quantity may be at all, as its type holds it, such as `from 0V to 4294967.295V`. An end with too many digits
/// to be read is a whole number of the largest unit.
#[must_use]
pub fn range<Q: Quantity>() -> String {
    let least = [i128::from(i32::MIN), 0].into_iter().find_map(Q::from_base);
    let most = [i128::from(u64::MAX), i128::from(u32::MAX), i128::from(i32::MAX)].into_iter().find_map(Q::from_base);
    let largest = |end: Q| {
        let (unit, size) = Q::UNITS.iter().max_by_key(|(_, size)| *size)?;
        Some(format!("{}{unit}", end.base() / i128::from(*size)))
    };
    let readable = |end: Q| Some(text(end)).filter(|text| text.len() <= 14).or_else(|| largest(end));
    let shown = |end: Option<Q>| end.and_then(readable).unwrap_or_default();
    format!("from {} to {}", shown(least), shown(most))
}

/// `base / size` as an exact decimal, if it has one of at most 12 places.
fn exact(base: i128, size: i64) -> Option<String> {
    let size = u128::try_from(size).ok()?;
    let magnitude = base.unsigned_abs();
    let mut out = format!("{}{}", if base < 0 { "-" } else { "" }, magnitude / size);
    let mut rest = magnitude % size;
    if rest == 0 {
        return Some(out);
    }
    out.push('.');
    for _ in 0..12 {
        rest *= 10;
        out.push(char::from(b'0' + u8::try_from(rest / size).ok()?));
        rest %= size;
        if rest == 0 {
            return Some(out);
        }
    }
    None
}

impl Quantity for Span {
    const WHAT: &'static str = "duration";
    const UNITS: &'static [(&'static str, i64)] = &[
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];

    fn from_base(base: i128) -> Option<Self> {
        u64::try_from(base).ok().map(Self::from_nanos)
    }

    fn base(self) -> i128 {
        i128::from(self.as_nanos())
    }
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($raw:ty), $what:literal, $get:ident, $($unit:literal $size:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($raw);

        impl $name {
            #[doc = concat!("The ", $what, " of this many ", stringify!($get), ".")]
            #[must_use]
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            #[doc = concat!("The ", $what, " in ", stringify!($get), ".")]
            #[must_use]
            pub const fn $get(self) -> $raw {
                self.0
            }
        }

        impl Quantity for $name {
            const WHAT: &'static str = $what;
            const UNITS: &'static [(&'static str, i64)] = &[$(($unit, $size)),+];

            fn from_base(base: i128) -> Option<Self> {
                base.try_into().ok().map(Self)
            }

            fn base(self) -> i128 {
                i128::from(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&text(*self))
            }
        }
    };
}

quantity!(
    /// A voltage in millivolts.
    Voltage(u32), "voltage", millivolts, "V" 1_000, "mV" 1
);
quantity!(
    /// A resistance in milliohms.
    Resistance(u32), "resistance", milliohms, "ohm" 1_000, "mohm" 1
);
quantity!(
    /// A share in permille.
    Share(u32), "share", permille, "%" 10, "permille" 1
);
quantity!(
    /// A probability in parts per billion.
    Rate(u32), "rate", ppb, "%" 10_000_000, "ppm" 1_000, "ppb" 1
);
quantity!(
    /// How fast a clock runs against true time, in parts per million; positive is fast.
    Drift(i32), "drift", ppm, "ppm" 1
);
quantity!(
    /// A bit rate in bits per second.
    Bitrate(u32), "bit rate", bits_per_second, "kbit/s" 1_000, "Mbit/s" 1_000_000, "bit/s" 1
);
quantity!(
    /// A size in bytes.
    Size(u32), "size", bytes, "KiB" 1_024, "B" 1, "kB" 1_000, "MiB" 1_048_576
);
quantity!(
    /// A factor in thousandths.
    Factor(u32), "factor", thousandths, "x" 1_000
);
quantity!(
    /// A temperature in thousandths of a degree Celsius.
    Temperature(i32), "temperature", millicelsius, "degC" 1_000, "mdegC" 1
);
quantity!(
    /// A volume in millilitres.
    Volume(u32), "volume", millilitres, "L" 1_000, "mL" 1
);
quantity!(
    /// A power in watts.
    Power(u32), "power", watts, "kW" 1_000, "W" 1, "MW" 1_000_000
);
quantity!(
    /// A flow in millilitres per minute.
    Flow(u32), "flow", millilitres_per_minute, "L/min" 1_000, "mL/min" 1
);
