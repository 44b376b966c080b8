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
/// The longest image a pump can take: its slot of four 128 KB sectors without the word of the valid marker. A reader of
/// a package refuses a longer one before anything is erased.
pub const IMAGE_LEN_MOST: u32 = 0x7_FFFC;
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
    /// It does not open with [`MAGIC`], has an unknown format, or uses bytes that this format leaves zero.
    NotAnImage,
    /// The header's own CRC does not fit.
    Checksum,
    /// The stated length leaves nothing behind the header.
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
        if header.encode() != *bytes {
            return Err(HeaderError::NotAnImage);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    const HEADER: ImageHeader = ImageHeader {
        model: ModelId(0x1234),
        version: Version { major: 1, minor: 2, patch: 0x0300 },
        length: 394_240,
        payload_crc: 0xCBF4_3926,
    };

    #[test]
    fn the_checksum_has_the_published_check_value() {
        assert_eq!(CRC32.checksum(b"123456789"), 0xCBF4_3926);
        // The same in pieces, and a bit-by-bit implementation of its own for other bytes.
        let mut digest: ImageDigest = CRC32.digest();
        digest.update(b"1234");
        digest.update(b"56789");
        assert_eq!(digest.finalize(), 0xCBF4_3926);
        assert_eq!(CRC32.checksum(&[0xA5; 61]), bitwise_crc(&[0xA5; 61]));
    }

    /// CRC-32/ISO-HDLC bit by bit: polynomial 0xEDB88320 reflected, start and final XOR all ones.
    fn bitwise_crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
        })
    }

    #[test]
    fn the_bytes_are_where_the_table_says() {
        let bytes = HEADER.encode();
        // 394240 = 0x060400
        let expected = [
            b'C', b'P', b'F', b'W', 1, 0, 0x34, 0x12, 1, 0, 2, 0, 0x00, 0x03, 0, 0, //
            0x00, 0x04, 0x06, 0x00, 0x26, 0x39, 0xF4, 0xCB,
        ];
        assert_eq!(bytes[..24], expected);
        assert_eq!(bytes[24..60], [0; 36]);
        assert_eq!(bytes[60..], bitwise_crc(&bytes[..60]).to_le_bytes());
    }

    /// Changes bytes and mends the header's checksum.
    fn forged(change: impl Fn(&mut [u8; HEADER_LEN])) -> [u8; HEADER_LEN] {
        let mut bytes = HEADER.encode();
        change(&mut bytes);
        let crc = bitwise_crc(&bytes[..60]).to_le_bytes();
        bytes[60..].copy_from_slice(&crc);
        bytes
    }

    #[test]
    fn a_header_with_a_right_checksum_is_still_judged() {
        let refusal = |change: fn(&mut [u8; HEADER_LEN])| ImageHeader::decode(&forged(change));
        assert_eq!(refusal(|_| {}), Ok(HEADER));
        assert_eq!(refusal(|bytes| bytes[0] = b'D'), Err(HeaderError::NotAnImage));
        assert_eq!(refusal(|bytes| bytes[4] = 2), Err(HeaderError::NotAnImage));
        assert_eq!(refusal(|bytes| bytes[14] = 1), Err(HeaderError::NotAnImage));
        assert_eq!(refusal(|bytes| bytes[59] = 1), Err(HeaderError::NotAnImage));
        assert_eq!(refusal(|bytes| bytes[16..20].copy_from_slice(&[64, 0, 0, 0])), Err(HeaderError::Length));
        assert!(refusal(|bytes| bytes[16..20].copy_from_slice(&[65, 0, 0, 0])).is_ok());
    }

    #[test]
    fn every_single_bit_flip_is_refused() {
        for bit in 0..HEADER_LEN * 8 {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 6 * 8 { HeaderError::NotAnImage } else { HeaderError::Checksum };
            assert_eq!(ImageHeader::decode(&bytes), Err(expected), "bit {bit}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_encoded_is_decoded(model: u16, version: [u8; 6], length in 65_u32.., payload_crc: u32) {
            let version = Version::from_bytes(version);
            let header = ImageHeader { model: ModelId(model), version, length, payload_crc };
            prop_assert_eq!(ImageHeader::decode(&header.encode()), Ok(header));
            prop_assert_eq!(Version::from_bytes(version.to_bytes()), version);
        }

        #[test]
        fn bursts_of_up_to_32_bits_are_refused(start in 0_usize..480, pattern in 1_u32..) {
            let mut bytes = HEADER.encode();
            for bit in (0..32).filter(|bit| pattern >> bit & 1 == 1 && start + bit < 512) {
                bytes[(start + bit) / 8] ^= 1 << ((start + bit) % 8);
            }
            prop_assert!(ImageHeader::decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_version_is_written_with_points() {
        use std::string::ToString;
        assert_eq!(Version { major: 1, minor: 20, patch: 300 }.to_string(), "1.20.300");
    }
}
