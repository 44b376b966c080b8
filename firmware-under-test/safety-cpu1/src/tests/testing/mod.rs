//! What the tests share: memories with faults, configurations, a bench.

pub(crate) mod bench;
pub(crate) mod faulty_ram;
pub(crate) mod flash;
pub(crate) mod plan;

/// A CRC bit by bit, reflected, as a second opinion on the tables of the product.
pub(crate) fn reflected_crc32(polynomial: u32, bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ polynomial.reverse_bits() } else { crc >> 1 };
        }
    }
    !crc
}

/// CRC-32/ISO-HDLC of everything in flash.
pub(crate) fn flash_crc(bytes: &[u8]) -> u32 {
    reflected_crc32(0x04C1_1DB7, bytes)
}

/// Puts the flash CRC behind `bytes`.
pub(crate) fn with_flash_crc(mut bytes: std::vec::Vec<u8>) -> std::vec::Vec<u8> {
    let crc = flash_crc(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}
