//! Where the application lives in flash and what makes it valid.
//!
//! ```text
//!   0x0000_0000  image header (64 bytes), then the image          sector 0
//!   0x0002_0000                                                    sector 1
//!   0x0004_0000                                                    sector 2
//!   0x0006_0000                                                    sector 3
//!   0x0007_FFFC  valid marker, programmed last, erased first
//!   0x0008_0000  end of the slot
//! ```
//! Addresses count from the start of the *slot*, the part of flash that an update may touch. A UDS client uses the
//! address on the part, [`APPLICATION_START`]. The bootloader's own sectors lie below and have no address here, so that no
//! command of this firmware can name them.

/// UDS download address of the first byte of the slot (STM32F4 class: the first of the 128 KB sectors).
pub const APPLICATION_START: u32 = 0x0802_0000;
/// Bytes of one sector; the smallest piece that can be erased.
pub const SECTOR_LEN: u32 = 128 * 1_024;
/// Sectors of the slot.
pub const SECTORS: u8 = 4;
/// Bytes of the slot.
pub const SLOT_LEN: u32 = SECTOR_LEN * SECTORS as u32;
/// Bytes of one word; the smallest piece that can be programmed.
pub const WORD_LEN: u32 = 4;
/// Address of the valid marker, the last word of the slot.
pub const MARKER_ADDRESS: u32 = SLOT_LEN - WORD_LEN;
/// The longest image, as both sides of the bus know it: the slot without the marker.
pub use protocol::header::IMAGE_LEN_MOST;
const _: () = assert!(IMAGE_LEN_MOST == MARKER_ADDRESS);
/// The marker of a valid image. Programming only clears bits, so that a torn marker has more ones and never equals it.
pub const MARKER: u32 = 0x0DA1_C0DE;
/// What an erased word reads as.
pub const ERASED_WORD: u32 = 0xFFFF_FFFF;

/// The order of erasing: the sector with the marker first, so that no later cut leaves a marker over a damaged image.
pub const ERASE_ORDER: [u8; SECTORS as usize] = [3, 0, 1, 2];

/// The sector that holds `address`, or `None` outside the slot.
#[must_use]
pub fn sector_of(address: u32) -> Option<u8> {
    u8::try_from(address / SECTOR_LEN).ok().filter(|sector| *sector < SECTORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_lies_in_the_sector_that_is_erased_first() {
        assert_eq!(sector_of(MARKER_ADDRESS), Some(ERASE_ORDER[0]));
        assert_eq!(MARKER_ADDRESS, 0x0007_FFFC);
    }

    #[test]
    fn every_sector_is_erased_once() {
        let mut order = ERASE_ORDER;
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn addresses_outside_the_slot_have_no_sector() {
        assert_eq!(sector_of(0x0008_0000), None);
        assert_eq!(sector_of(u32::MAX), None);
        assert_eq!(sector_of(0x0001_FFFF), Some(0));
        assert_eq!(sector_of(0x0002_0000), Some(1));
    }
}
