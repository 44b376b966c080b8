//! The header that opens a pump firmware image and lets every reader check it.
//!
//! | bytes  | field                                                              |
//! |--------|--------------------------------------------------------------------|
//! | 0..4   | magic `CPFW`                                                       |
//! | 4..6   | header format, 1                                                   |
//! | 6..8   | model id of the pump the image is for                              |
//! | 8..14  | semantic version: major, minor, patch, 16 bits each                |
//! | 14..16 | zero                                                               |
//! | 16..20 | length of the whole image in bytes, header included                |
//! | 20..24 | CRC-32 over the image from byte 64 to its end                      |
//! | 24..60 | zero                                                               |
//! | 60..64 | CRC-32 over bytes 0..60                                            |
//!
//! All numbers are little endian, both CRCs are CRC-32/ISO-HDLC. The header's own CRC covers the image's CRC, so that
//! every byte of an image is covered.

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// Bytes of the header.
pub const HEADER_LEN: usize = 64;
/// Opens every image.
pub const MAGIC: [u8; 4] = *b"CPFW";
const FORMAT: u16 = 1;

/// CRC-32/ISO-HDLC, the checksum of images and headers.
pub static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// A running checksum over an image that is read in pieces.
pub type ImageDigest = Digest<'static, u32, Table<16>>;

/// The model of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u16);

/// A semantic version; compared for equality only (PFU-005, PFU-063).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl Version {
    /// As six bytes, little endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        let [a, b] = self.major.to_le_bytes();
        let [c, d] = self.minor.to_le_bytes();
        let [e, f] = self.patch.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// From six bytes, little endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = bytes;
        Self { major: u16::from_le_bytes([a, b]), minor: u16::from_le_bytes([c, d]), patch: u16::from_le_bytes([e, f]) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What an image says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageHeader {
    /// The model it is for.
    pub model: ModelId,
    /// Its version.
    pub version: Version,
    /// Length of the whole image in bytes.
    pub length: u32,
    /// CRC-32 over the image without the header.
    pub payload_crc: u32,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderError {
    /// It does not open with [`MAGIC`] or has an unknown format.
    NotAnImage,
    /// The header's own CRC does not fit.
    Checksum,
    /// The stated length is shorter than the header.
    Length,
}

impl ImageHeader {
    /// The 64 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 4, &FORMAT.to_le_bytes());
        put(&mut bytes, 6, &self.model.0.to_le_bytes());
        put(&mut bytes, 8, &self.version.to_bytes());
        put(&mut bytes, 16, &self.length.to_le_bytes());
        put(&mut bytes, 20, &self.payload_crc.to_le_bytes());
        let crc = CRC32.checksum(bytes.first_chunk::<60>().unwrap_or(&[0; 60]));
        put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    /// Reads and checks a header.
    ///
    /// # Errors
    /// [`HeaderError`] if the bytes are no header, are damaged or state an impossible length.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        if take::<4>(bytes, 0) != MAGIC || u16::from_le_bytes(take(bytes, 4)) != FORMAT {
            return Err(HeaderError::NotAnImage);
        }
        let covered = bytes.first_chunk::<60>().ok_or(HeaderError::NotAnImage)?;
        if CRC32.checksum(covered) != u32::from_le_bytes(take(bytes, 60)) {
            return Err(HeaderError::Checksum);
        }
        let header = Self {
            model: ModelId(u16::from_le_bytes(take(bytes, 6))),
            version: Version::from_bytes(take(bytes, 8)),
            length: u32::from_le_bytes(take(bytes, 16)),
            payload_crc: u32::from_le_bytes(take(bytes, 20)),
        };
        if usize::try_from(header.length).is_ok_and(|length| length > HEADER_LEN) {
            Ok(header)
        } else {
            Err(HeaderError::Length)
        }
    }
}

fn put(bytes: &mut [u8; HEADER_LEN], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

fn take<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut value = [0; N];
    for (to, from) in value.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    value
}
