//! The CRCs of CPU1, all from one table-driven library.
//!
//! CPU2 has code of its own for them.

use crc::{Algorithm, CRC_24_FLEXRAY_A, CRC_32_ISO_HDLC, Crc, Digest, Table};
use safety_common::{c2c, radio, simplecan};

const C2C_ALGORITHM: Algorithm<u32> = Algorithm {
    width: 32,
    poly: c2c::CRC_POLYNOMIAL,
    init: 0xFFFF_FFFF,
    refin: true,
    refout: true,
    xorout: 0xFFFF_FFFF,
    check: 0x1697_D06A,
    residue: 0x904C_DDBF,
};

const CAN_ALGORITHM: Algorithm<u32> = Algorithm {
    width: 32,
    poly: simplecan::CRC_POLYNOMIAL,
    init: 0,
    refin: false,
    refout: false,
    xorout: 0,
    check: 0x89A1_897F,
    residue: 0,
};

/// C2C packets.
pub(crate) static C2C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&C2C_ALGORITHM);
/// Everything in flash, and tool messages.
pub(crate) static FLASH: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
/// Radio packets, 24 bits.
pub(crate) static RADIO: Crc<u32> = Crc::<u32>::new(&CRC_24_FLEXRAY_A);
/// SimpleCAN frames; the initial value is the sender's node hash.
pub(crate) static CAN: Crc<u32> = Crc::<u32>::new(&CAN_ALGORITHM);

const _: () = assert!(CRC_24_FLEXRAY_A.poly == radio::CRC_POLYNOMIAL);

/// A running flash CRC.
pub(crate) type FlashDigest = Digest<'static, u32, Table<16>>;

/// The flash CRC over any record followed by its own CRC (little endian).
pub(crate) const FLASH_RESIDUE: u32 = 0x2144_DF1C;

/// Whether `bytes` end with their own flash CRC.
pub(crate) fn ends_with_flash_crc(bytes: &[u8]) -> bool {
    bytes.len() > 4 && FLASH.checksum(bytes) == FLASH_RESIDUE
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &[u8] = b"123456789";

    /// Check values of the published catalogues (AUTOSAR specification of CRC routines; CRC RevEng).
    #[test]
    fn published_check_values_come_out() {
        assert_eq!(C2C.checksum(CHECK), 0x1697_D06A);
        assert_eq!(FLASH.checksum(CHECK), 0xCBF4_3926);
        assert_eq!(RADIO.checksum(CHECK), 0x79_79BD);
        // CRC-32/MPEG-2 is the same polynomial, not reflected, from 0xFFFF_FFFF, and proves the seeding.
        let mut digest = CAN.digest_with_initial(0xFFFF_FFFF);
        digest.update(CHECK);
        assert_eq!(digest.finalize(), 0x0376_E6E7);
        assert_eq!(CAN.checksum(CHECK), CAN_ALGORITHM.check);
    }

    #[test]
    fn a_record_with_its_crc_leaves_the_residue() {
        let mut record = [0; 13];
        record[..9].copy_from_slice(CHECK);
        record[9..].copy_from_slice(&0xCBF4_3926u32.to_le_bytes());
        assert!(ends_with_flash_crc(&record));
        record[3] ^= 1;
        assert!(!ends_with_flash_crc(&record));
        assert!(!ends_with_flash_crc(&[0; 4]));
    }
}
