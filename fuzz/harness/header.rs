//! Image headers from arbitrary bytes, as they are and with their checksum mended.
//!
//! A header that is accepted encodes to the bytes it came from, and its length leaves something behind the header.

use protocol::header::{CRC32, HEADER_LEN, HeaderError, ImageHeader, MAGIC};

/// Up to 64 bytes; missing ones are zero.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = [0; HEADER_LEN];
    for (to, from) in bytes.iter_mut().zip(data) {
        *to = *from;
    }
    check(&bytes);
    // No fuzzer guesses a CRC, so that the checks behind it need help.
    bytes[..4].copy_from_slice(&MAGIC);
    let crc = CRC32.checksum(&bytes[..60]).to_le_bytes();
    bytes[60..].copy_from_slice(&crc);
    check(&bytes);
    assert_ne!(ImageHeader::decode(&bytes), Err(HeaderError::Checksum));
    bytes[60] ^= 1;
    assert!(ImageHeader::decode(&bytes).is_err());
}

fn check(bytes: &[u8; HEADER_LEN]) {
    if let Ok(header) = ImageHeader::decode(bytes) {
        assert_eq!(header.encode(), *bytes);
        assert!(header.length > 64);
    }
}
