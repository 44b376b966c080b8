//! Values without parts: numbers, quantities, words.

use super::diagnostic::{Code, Diagnostic, nearest};
use super::doc::Doc;
use super::quantity::{self, Quantity, QuantityError};
use super::quantity::{
    Bitrate, Drift, Factor, Flow, Power, Rate, Resistance, Share, Size, Temperature, Voltage, Volume,
};
use super::reader::{Node, Reader};
use super::schema::{Shape, Value};
use super::words::{CanId, CanIds, Cause, HexBytes, Limit, NodeName, Version};
use crate::kernel::Span;

impl Value for String {
    fn shape() -> Shape {
        Shape::Leaf("text".to_owned())
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let text = node.string();
        if text.is_none() {
            reader.wrong_type(node, "a text in quotes", None);
        }
        text
    }

    fn stand_in() -> Option<Self> {
        Some(Self::new())
    }

    fn doc(&self) -> Doc {
        Doc::quoted(self)
    }
}

impl Value for bool {
    fn shape() -> Shape {
        Shape::Leaf("true or false".to_owned())
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let value = node.text.parse().ok();
        if value.is_none() {
            reader.wrong_type(node, "true or false", None);
        }
        value
    }

    fn stand_in() -> Option<Self> {
        Some(false)
    }

    fn doc(&self) -> Doc {
        Doc::word(self.to_string())
    }
}

/// Decimal digits, or hexadecimal ones behind `0x`; underscores between them are allowed.
fn whole_number(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (radix, digits) = digits.strip_prefix("0x").map_or((10, digits), |digits| (16, digits));
    let is_number = digits.starts_with(|c: char| c.is_digit(radix));
    i128::from_str_radix(digits, radix).ok().filter(|_| is_number).map(|number| sign * number)
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn shape() -> Shape {
                Shape::Leaf("whole number".to_owned())
            }

            fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
                let Some(number) = whole_number(node.text) else {
                    reader.wrong_type(node, "a whole number, without quotes and without a unit", None);
                    return None;
                };
                let value = Self::try_from(number).ok();
                if value.is_none() {
                    let message = format!("{number} does not fit `{}`", last(&node.path));
                    let limits = match reader.range {
                        Some((low, high)) => format!("must be from {low} to {high}"),
                        None => format!("must be from {} to {}", Self::MIN, Self::MAX),
                    };
                    reader.report(Diagnostic::new(Code::OutOfRange, node.place(), message).label(limits));
                }
                value
            }

            fn stand_in() -> Option<Self> {
                Some(0)
            }

            fn is_within(&self, low: &str, high: &str) -> bool {
                let bound = |text| whole_number(text).unwrap_or_default();
                (bound(low)..=bound(high)).contains(&i128::from(*self))
            }

            fn doc(&self) -> Doc {
                Doc::word(self.to_string())
            }
        }
    )*};
}
whole!(u8, u32, u64);

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn unit_names<Q: Quantity>() -> String {
    Q::UNITS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// What to say of a text that is not the quantity it should be.
fn quantity_problem<Q: Quantity>(
    node: &Node<'_>,
    text: &str,
    error: &QuantityError,
    range: Option<(&str, &str)>,
) -> Diagnostic {
    let first = Q::UNITS.first().map_or("", |(unit, _)| *unit);
    let smallest = quantity::smallest::<Q>();
    let (code, message) = match error {
        QuantityError::NoNumber => (Code::BadQuantity, format!("{} `{text}` does not begin with a number", Q::WHAT)),
        QuantityError::NoUnit => (Code::BadQuantity, format!("{} `{text}` has no unit", Q::WHAT)),
        QuantityError::WrongUnit(unit) => (Code::BadQuantity, format!("`{unit}` is no unit of {}", Q::WHAT)),
        QuantityError::TooFine => (Code::BadQuantity, format!("{} `{text}` is finer than {smallest}", Q::WHAT)),
        QuantityError::TooLarge => (Code::OutOfRange, format!("{} `{text}` is out of range", Q::WHAT)),
    };
    let help = match error {
        QuantityError::TooLarge => {
            range.map_or_else(quantity::range::<Q>, |(low, high)| format!("from {low} to {high}"))
        }
        _ => format!("units: {}", unit_names::<Q>()),
    };
    let diagnostic = Diagnostic::new(code, node.place(), message).help(help);
    match error {
        QuantityError::NoUnit => diagnostic.label(match quantity::share_of_one::<Q>(text) {
            Some(share) => format!("write \"{share}\" for a share of 1, \"{text}%\" for a percentage"),
            None => format!("write \"{text}{first}\" for instance"),
        }),
        QuantityError::WrongUnit(unit) => {
            let near = near_unit::<Q>(unit);
            let number = text.trim_end_matches(unit.as_str());
            if Q::WHAT == "size" && unit.eq_ignore_ascii_case("kb") {
                // Both are in use for it, so neither is suggested.
                return diagnostic.label(format!("write {number}KiB (of 1024 bytes) or {number}kB (of 1000)"));
            }
            let quote = if node.bare { "" } else { "\"" };
            diagnostic.suggest(near.map(|near| format!("{quote}{number}{near}{quote}")))
        }
        _ => diagnostic,
    }
}

/// The unit that was probably meant: the same but for case, the longest one that the word begins with, one that begins
/// with the word, or one much like it.
fn near_unit<Q: Quantity>(word: &str) -> Option<&'static str> {
    let word = word.replace(['µ', 'μ'], "u").to_lowercase();
    let begins = |unit: &&str| word.starts_with(&unit.to_lowercase());
    let longest = Q::UNITS.iter().map(|(unit, _)| *unit).filter(begins).max_by_key(|unit| unit.len());
    let begun = || Q::UNITS.iter().map(|(unit, _)| *unit).find(|unit| unit.to_lowercase().starts_with(&word));
    longest
        .or_else(|| (word.len() > 2).then(begun).flatten())
        .or_else(|| (word.len() > 2).then(|| nearest(&word, Q::UNITS.iter().map(|(unit, _)| *unit))).flatten())
}

fn read_quantity<Q: Quantity>(node: &Node<'_>, reader: &mut Reader) -> Option<Q> {
    let Some(text) = node.string() else {
        let first = Q::UNITS.first().map_or("", |(unit, _)| *unit);
        let help = match quantity::share_of_one::<Q>(node.text) {
            Some(share) => {
                format!("write it with its unit: \"{share}\" for a share of 1, \"{}%\" for a percentage", node.text)
            }
            None => format!("write it with its unit, for instance \"{}{first}\"", number_of(node.text)),
        };
        reader.wrong_type(node, &format!("a {} in quotes", Q::WHAT), Some(help));
        return None;
    };
    let range = reader.range;
    quantity::parse(&text).map_err(|error| reader.report(quantity_problem::<Q>(node, &text, &error, range))).ok()
}

/// The number that was written, or one to show.
fn number_of(text: &str) -> &str {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') { text } else { "24" }
}

macro_rules! quantities {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn shape() -> Shape {
                Shape::Leaf(format!("{} in quotes ({})", <Self as Quantity>::WHAT, unit_names::<Self>()))
            }

            fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
                read_quantity(node, reader)
            }

            fn stand_in() -> Option<Self> {
                Self::UNITS.first().and_then(|(unit, _)| quantity::parse(&format!("1{unit}")).ok())
            }

            fn is_within(&self, low: &str, high: &str) -> bool {
                let bound = |text| quantity::parse::<Self>(text).map(Quantity::base);
                bound(low).is_ok_and(|low| low <= self.base()) && bound(high).is_ok_and(|high| self.base() <= high)
            }

            fn doc(&self) -> Doc {
                Doc::quoted(&quantity::text(*self))
            }
        }
    )*};
}
quantities!(Span, Voltage, Resistance, Share, Rate, Drift, Bitrate, Size, Factor, Temperature, Volume, Power, Flow);

macro_rules! word {
    ($type:ty, $what:literal, $example:literal, $parse:expr) => {
        impl Value for $type {
            fn shape() -> Shape {
                Shape::Leaf(concat!($what, ", for instance ", $example).to_owned())
            }

            fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
                let Some(text) = node.string() else {
                    reader.wrong_type(
                        node,
                        concat!($what, " in quotes"),
                        Some(concat!("for instance ", $example).into()),
                    );
                    return None;
                };
                let parse: fn(&str) -> Option<Self> = $parse;
                let value = parse(&text);
                if value.is_none() {
                    let message = format!(concat!("`{}` is no ", $what), text);
                    let diagnostic = Diagnostic::new(Code::BadWord, node.place(), message);
                    reader.report(diagnostic.label(concat!("write it as in ", $example)));
                }
                value
            }

            fn stand_in() -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse($example.trim_matches('"'))
            }

            fn doc(&self) -> Doc {
                Doc::quoted(&self.to_string())
            }
        }
    };
}
word!(Version, "semantic version with parts up to 65535", "\"1.4.0\"", Version::parse);
word!(NodeName, "node name", "\"P05\"", |text| (!text.is_empty()).then(|| NodeName::parse(text)));
word!(HexBytes, "row of at most 8 bytes in hexadecimal", "\"0102AABB\"", HexBytes::parse);
word!(Cause, "cause code of FW001 to FW005 or FW101 to FW199", "\"FW004\"", Cause::parse);

impl Value for CanIds {
    fn shape() -> Shape {
        Shape::Leaf("CAN identifier, or from one to another in quotes, for instance \"0x101-0x110\"".to_owned())
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let text = node.string().unwrap_or_else(|| node.text.to_owned());
        let ids = Self::parse(&text);
        if ids.is_none() {
            let message = format!("`{text}` is no CAN identifier and no range of them");
            let diagnostic = Diagnostic::new(Code::BadWord, node.place(), message);
            let diagnostic = diagnostic.label("write it as in 0x101 or \"0x101-0x110\"");
            reader.report(CAN_LENGTHS.into_iter().fold(diagnostic, Diagnostic::help));
        }
        ids
    }

    fn doc(&self) -> Doc {
        if self.is_one() { Doc::word(self.to_string()) } else { Doc::quoted(&self.to_string()) }
    }
}

/// How long identifiers are.
const CAN_LENGTHS: [&str; 2] =
    ["an 11-bit identifier has up to three digits, 0x000 to 0x7FF", "a 29-bit one has more, 0x00000000 to 0x1FFFFFFF"];

/// What to say of a text that is no CAN identifier: whether it is too large, in quotes, or decimal.
fn can_id_problem(node: &Node<'_>) -> Diagnostic {
    let text = node.text;
    let say = |message: String, label: &str| {
        let diagnostic = Diagnostic::new(Code::BadWord, node.place(), message).label(label);
        CAN_LENGTHS.into_iter().fold(diagnostic, Diagnostic::help)
    };
    if let Some(unquoted) =
        node.string().filter(|_| text.starts_with('"')).filter(|inner| CanId::parse(inner).is_some())
    {
        return say("a CAN identifier stands without quotes".to_owned(), "").suggest(Some(unquoted));
    }
    let Some(number) = whole_number(text).filter(|number| *number >= 0) else {
        return say(format!("`{text}` is no CAN identifier"), "expected hexadecimal digits behind `0x`");
    };
    let digits = text.strip_prefix("0x").map(str::len);
    match (digits, number) {
        (_, 0x2000_0000..) => {
            say(format!("`{text}` is beyond 29 bits"), "no CAN identifier is greater than 0x1FFFFFFF")
        }
        (Some(..=3), 0x800..) => say(
            format!("`{text}` is beyond 11 bits, the length of identifiers of three digits"),
            &format!("at most 0x7FF; of 29 bits it is 0x{number:08X}"),
        ),
        (None, 0..0x800) => say(format!("`{text}` is decimal"), "").suggest(Some(format!("0x{number:03X}"))),
        _ => say(format!("`{text}` is no CAN identifier"), "expected hexadecimal digits behind `0x`"),
    }
}

impl Value for CanId {
    fn shape() -> Shape {
        Shape::Leaf(
            "CAN identifier, three hexadecimal digits for 11 bit (0x7E0), eight for 29 bit (0x18DAF110)".to_owned(),
        )
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let id = Self::parse(node.text);
        if id.is_none() {
            reader.report(can_id_problem(node));
        }
        id
    }

    fn stand_in() -> Option<Self> {
        Self::parse("0x000")
    }

    fn doc(&self) -> Doc {
        Doc::word(self.to_string())
    }
}

impl Value for Limit {
    fn shape() -> Shape {
        Shape::Leaf("duration, voltage, share, flow or temperature in quotes, as what is measured".to_owned())
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let text = String::read(node, reader)?;
        let limit = limit(&text);
        if limit.is_none() {
            let message = format!("`{text}` is no limit");
            let diagnostic = Diagnostic::new(Code::BadQuantity, node.place(), message);
            let label = "a number and a unit, for instance \"70s\", \"9.5V\", \"80%\", \"60L/min\", \"45degC\"";
            reader.report(diagnostic.label(label));
        }
        limit
    }

    fn stand_in() -> Option<Self> {
        limit("1s")
    }

    fn doc(&self) -> Doc {
        Doc::quoted(&match self {
            Self::Duration(value) => quantity::text(*value),
            Self::Voltage(value) => quantity::text(*value),
            Self::Share(value) => quantity::text(*value),
            Self::Flow(value) => quantity::text(*value),
            Self::Temperature(value) => quantity::text(*value),
        })
    }
}

/// The units of what budgets measure are distinct, so at most one reading fits.
fn limit(text: &str) -> Option<Limit> {
    let duration = quantity::parse(text).ok().map(Limit::Duration);
    let electrical = || quantity::parse(text).ok().map(Limit::Voltage);
    let share = || quantity::parse(text).ok().map(Limit::Share);
    let flow = || quantity::parse(text).ok().map(Limit::Flow);
    let temperature = || quantity::parse(text).ok().map(Limit::Temperature);
    duration.or_else(electrical).or_else(share).or_else(flow).or_else(temperature)
}
