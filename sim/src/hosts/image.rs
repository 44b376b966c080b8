//! Firmware images: made up from a seed, or read from a .bin or Intel HEX file.

use std::sync::Arc;

use protocol::header::{CRC32, HEADER_LEN, ImageHeader, ModelId, Version};
use rand::Rng;

use crate::kernel::stream;

/// The bytes of an image.
pub type Image = Arc<[u8]>;

/// An image of `length` bytes whose contents follow from `seed`.
///
/// # Panics
/// If `length` does not exceed the header; the scenario loader refuses such lengths.
#[must_use]
pub fn made_up(seed: u64, model: ModelId, version: Version, length: usize) -> Image {
    assert!(length > HEADER_LEN, "an image is longer than its header");
    let mut bytes = vec![0; length];
    stream(seed, "image").fill_bytes(&mut bytes[HEADER_LEN..]);
    let header = ImageHeader {
        model,
        version,
        length: u32::try_from(length).expect("images are smaller than 4 GiB"),
        payload_crc: CRC32.checksum(&bytes[HEADER_LEN..]),
    };
    bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    bytes.into()
}

/// Why an Intel HEX file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A line is no record.
    #[error("line {line}: {why}")]
    Record {
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The data does not lie together.
    #[error("data spans {span} bytes from {first:#010x}, more than {most}: is this the right file?")]
    Scattered {
        /// Lowest address.
        first: u64,
        /// Bytes from lowest to highest address.
        span: u64,
        /// The most that is accepted.
        most: u64,
    },
    /// There is no data at all.
    #[error("the file holds no data records")]
    Empty,
    /// The file ends without an end-of-file record.
    #[error("the file ends without an end-of-file record: is it truncated?")]
    Unfinished,
}

/// The most bytes an image may have: the application slot without its marker.
pub const IMAGE_MOST: u64 = 4 * 128 * 1024 - 4;

/// The bytes of an Intel HEX file from its lowest to its highest address; gaps read 0xFF as erased flash does.
///
/// # Errors
/// [`HexError`] with the line for a malformed record, and if the data is empty, scattered or unfinished.
pub fn from_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let mut base = 0_u64;
    let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut finished = false;
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index, line.trim())) {
        if line.is_empty() {
            continue;
        }
        let malformed = |why: String| HexError::Record { line: index + 1, why };
        let record = ihex::Record::from_record_string(line).map_err(|error| malformed(error.to_string()))?;
        if finished {
            return Err(malformed("a record after the end-of-file record".to_owned()));
        }
        match record {
            ihex::Record::Data { offset, value } => pieces.push((base + u64::from(offset), value)),
            ihex::Record::ExtendedLinearAddress(high) => base = u64::from(high) << 16,
            ihex::Record::ExtendedSegmentAddress(segment) => base = u64::from(segment) << 4,
            ihex::Record::EndOfFile => finished = true,
            ihex::Record::StartLinearAddress(_) | ihex::Record::StartSegmentAddress { .. } => {}
        }
    }
    if !finished {
        return Err(HexError::Unfinished);
    }
    join(&pieces)
}

fn join(pieces: &[(u64, Vec<u8>)]) -> Result<Vec<u8>, HexError> {
    let first = pieces.iter().map(|(at, _)| *at).min().ok_or(HexError::Empty)?;
    let end = pieces.iter().map(|(at, bytes)| at + bytes.len() as u64).max().unwrap_or(first);
    let span = end - first;
    if span == 0 {
        return Err(HexError::Empty);
    }
    if span > IMAGE_MOST {
        return Err(HexError::Scattered { first, span, most: IMAGE_MOST });
    }
    let mut image = vec![0xFF; usize::try_from(span).expect("at most a flash slot")];
    for (at, bytes) in pieces {
        let start = usize::try_from(at - first).expect("at most a flash slot");
        image[start..start + bytes.len()].copy_from_slice(bytes);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_image_carries_a_good_header_and_checksum() {
        let version = Version { major: 2, minor: 1, patch: 0 };
        let image = made_up(7, ModelId(1), version, 1_000);
        let header = ImageHeader::decode(image.first_chunk().unwrap()).unwrap();
        assert_eq!((header.version, header.length), (version, 1_000));
        assert_eq!(header.payload_crc, CRC32.checksum(&image[HEADER_LEN..]));
        assert_eq!(image, made_up(7, ModelId(1), version, 1_000));
        assert_ne!(image[64..], made_up(8, ModelId(1), version, 1_000)[64..]);
    }

    #[test]
    fn hex_records_become_bytes_with_gaps_erased() {
        // Two bytes at 0x08020000 and one at 0x08020004; checksums by hand.
        let text = ":020000040802F0\n:020000000102FB\n:0100040003F8\n:00000001FF\n";
        assert_eq!(from_hex(text).unwrap(), [1, 2, 0xFF, 0xFF, 3]);
    }

    #[test]
    fn bad_hex_files_are_refused_with_their_place() {
        let wrong_checksum = ":020000000102FA\n:00000001FF\n";
        assert!(matches!(from_hex(wrong_checksum), Err(HexError::Record { line: 1, .. })));
        assert_eq!(from_hex(":020000000102FB\n"), Err(HexError::Unfinished));
        assert_eq!(from_hex(":00000001FF\n"), Err(HexError::Empty));
        let scattered = ":0100000001FE\n:02000004FFFFFC\n:0100000001FE\n:00000001FF\n";
        assert!(matches!(from_hex(scattered), Err(HexError::Scattered { .. })));
        assert!(matches!(from_hex(":00000001FF\n:0100000001FE\n"), Err(HexError::Record { line: 2, .. })));
    }
}
