//! Words of a scenario that are neither numbers nor quantities: names, versions, identifiers, codes.
//!
//! Each reads itself from the text between the quotes (or, for a CAN identifier, from a number) and writes itself back
//! the same way.

use std::fmt;

use embedded_can::{ExtendedId, Id, StandardId};

use super::quantity::{Flow, Share, Temperature, Voltage};
use crate::kernel::Span;

/// A semantic version `major.minor.patch`; each part has 16 bits in an image's header and on the bus, 0 to 65535.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Additions.
    pub minor: u16,
    /// Repairs.
    pub patch: u16,
}

impl Version {
    /// As an image header holds it.
    #[must_use]
    pub const fn to_header(self) -> protocol::header::Version {
        protocol::header::Version { major: self.major, minor: self.minor, patch: self.patch }
    }

    /// Reads `major.minor.patch`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse::<u16>().ok().filter(|_| is_plain(part)));
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }
}

/// Whether a number is written without sign and without leading zeros (semver.org, item 2).
fn is_plain(number: &str) -> bool {
    number == "0" || number.starts_with(|c: char| ('1'..='9').contains(&c))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A node by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeName {
    /// `CIOC`.
    Cioc,
    /// `P01` to `P16`.
    Pump(u8),
    /// One of the scenario's `further_nodes`.
    Further(String),
}

impl NodeName {
    /// Reads a name; any other text is taken for that of a further node.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let digits = text.strip_prefix('P').filter(|digits| digits.len() == 2);
        let pump = digits.and_then(|digits| digits.parse().ok()).filter(|pump| (1..=16).contains(pump));
        match (text, pump) {
            ("CIOC", _) => Self::Cioc,
            (_, Some(pump)) => Self::Pump(pump),
            (other, None) => Self::Further(other.to_owned()),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cioc => f.write_str("CIOC"),
            Self::Pump(pump) => write!(f, "P{pump:02}"),
            Self::Further(name) => f.write_str(name),
        }
    }
}

/// A CAN identifier, 11 bit or 29 bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanId(Id);

impl CanId {
    /// Reads `0x123` (three digits at most: 11 bit) or `0x12345678` (more digits: 29 bit).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        let is_hex = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let raw = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        if digits.len() <= 3 {
            return StandardId::new(u16::try_from(raw).ok()?).map(|id| Self(Id::Standard(id)));
        }
        ExtendedId::new(raw).map(|id| Self(Id::Extended(id)))
    }

    /// The identifier as the bus has it.
    #[must_use]
    pub const fn id(self) -> Id {
        self.0
    }
}

impl From<Id> for CanId {
    fn from(id: Id) -> Self {
        Self(id)
    }
}

impl fmt::Display for CanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Id::Standard(id) => write!(f, "0x{:03X}", id.as_raw()),
            Id::Extended(id) => write!(f, "0x{:08X}", id.as_raw()),
        }
    }
}

/// A CAN identifier, or all from one to another of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanIds {
    first: CanId,
    last: CanId,
}

impl CanIds {
    /// Reads `0x101` or `0x101-0x110`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (CanId::parse(first.trim())?, CanId::parse(last.trim())?);
        let (low, high) = (key(first.id()), key(last.id()));
        (low.0 == high.0 && low <= high).then_some(Self { first, last })
    }

    /// Whether an identifier is among them.
    #[must_use]
    pub fn hold(&self, id: Id) -> bool {
        (key(self.first.id())..=key(self.last.id())).contains(&key(id))
    }

    /// Whether it is one alone.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.first == self.last
    }
}

/// Whether an identifier has 29 bits, and its number.
fn key(id: Id) -> (bool, u32) {
    match id {
        Id::Standard(id) => (false, u32::from(id.as_raw())),
        Id::Extended(id) => (true, id.as_raw()),
    }
}

impl fmt::Display for CanIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one() { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// Up to 8 bytes, written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexBytes(Vec<u8>);

impl HexBytes {
    /// Reads an even number of at most 16 hexadecimal digits, blanks between bytes allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
        if !digits.len().is_multiple_of(2) || digits.len() > 16 {
            return None;
        }
        let byte = |pair: &[char]| u8::try_from(pair[0].to_digit(16)? * 16 + pair[1].to_digit(16)?).ok();
        digits.chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// A cause code of the CIOC's log: FW001 to FW005 have the source's meaning, FW101 to FW199 are this project's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause(u16);

impl Cause {
    /// Reads `FW004`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("FW").filter(|digits| digits.len() == 3)?;
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
        matches!(number, 1..=5 | 101..=199).then_some(Self(number))
    }

    /// The number of the code, 4 for FW004.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FW{:03}", self.0)
    }
}

/// The limit of a budget: what it measures follows from the unit it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A duration.
    Duration(Span),
    /// A voltage.
    Voltage(Voltage),
    /// A share.
    Share(Share),
    /// A flow.
    Flow(Flow),
    /// A temperature.
    Temperature(Temperature),
}
