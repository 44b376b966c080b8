//! Firmware images made up from a seed; files are read by the scenario loader.

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

/// The header of the image that `bytes` begin with, if header and checksums are right and all of it is there. Written
/// apart from the readers of the firmware, on whole bytes in one go.
#[must_use]
pub fn leading(bytes: &[u8]) -> Option<ImageHeader> {
    let header = ImageHeader::decode(bytes.first_chunk()?).ok()?;
    let payload = bytes.get(HEADER_LEN..usize::try_from(header.length).ok()?)?;
    (CRC32.checksum(payload) == header.payload_crc).then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_with_whatever_follows_it_and_refused_with_any_byte_changed_or_missing() {
        let image = made_up(7, ModelId(1), Version { major: 2, minor: 1, patch: 0 }, 300);
        let followed = [&image[..], &[0xFF; 9]].concat();
        assert_eq!(leading(&followed), leading(&image));
        assert_eq!(leading(&image).map(|header| header.length), Some(300));
        for at in 0..image.len() {
            let mut bad = image.to_vec();
            bad[at] ^= 0x40;
            assert_eq!(leading(&bad), None, "byte {at}");
            assert_eq!(leading(&image[..at]), None, "{at} bytes");
        }
    }

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
}
