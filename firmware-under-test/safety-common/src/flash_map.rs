//! Where things lie in a CPU's flash, and the two fixed records in it.
//!
//! | from    | to      | what |
//! |---------|---------|------|
//! | 0x00000 | 0x5FFFF | image: header, code; the rest erased |
//! | 0x60000 | 0x67FFF | configuration; the rest erased |
//! | 0x68000 | 0x77FFF | erased |
//! | 0x78000 | 0x7FFFF | production data; the rest erased |
//!
//! All CRCs here are CRC-32/ISO-HDLC: polynomial 0x04C1_1DB7, reflected, initial value and final XOR 0xFFFF_FFFF.

/// Bytes of the flash.
pub const LEN: u32 = 0x8_0000;
/// The image begins here.
pub const IMAGE_AT: u32 = 0;
/// Bytes that image header and code may take.
pub const IMAGE_LEN_MOST: u32 = 0x6_0000;
/// The configuration begins here.
pub const CONFIGURATION_AT: u32 = 0x6_0000;
/// Bytes that the configuration may take.
pub const CONFIGURATION_LEN_MOST: u32 = 0x8000;
/// Production data begin here.
pub const PRODUCTION_AT: u32 = 0x7_8000;
/// Bytes programmed at a time.
pub const ROW: usize = 32;
/// What erased flash reads as.
pub const ERASED: u8 = 0xFF;

/// Image header: offsets, little endian.
pub mod image {
    /// Bytes of the header.
    pub const LEN: usize = 32;
    /// u32, [`MAGIC_VALUE`].
    pub const MAGIC: usize = 0;
    /// u16, 1.
    pub const FORMAT: usize = 4;
    /// u8, 1 or 2: the CPU the image is for. The byte after it is 0.
    pub const CPU: usize = 6;
    /// u32, the same in both images of a release (SSR-062).
    pub const RELEASE_ID: usize = 8;
    /// u32, hash over both images of a release; part of the seed of radio and CAN (SSR-079).
    pub const RELEASE_HASH: usize = 12;
    /// u32, bytes of code after the header; at least 1.
    pub const LENGTH: usize = 16;
    /// u32, CRC over the code (SSR-061).
    pub const CODE_CRC: usize = 20;
    /// u32, 0.
    pub const RESERVED: usize = 24;
    /// u32, CRC over the header before it.
    pub const HEADER_CRC: usize = 28;
    /// "CTSF".
    pub const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"CTSF");
}

/// Production data: offsets, little endian.
pub mod production {
    /// Bytes of the record.
    pub const LEN: usize = 32;
    /// u32, [`MAGIC_VALUE`].
    pub const MAGIC: usize = 0;
    /// u16, 1; the two bytes after it are 0.
    pub const FORMAT: usize = 4;
    /// u32, serial number; 0 and 0xFFFF_FFFF are invalid (SSR-066).
    pub const SERIAL: usize = 8;
    /// 16 bytes, verifier of the password that holds while there is no valid configuration.
    pub const PASSWORD: usize = 12;
    /// u32, CRC over the record before it (SSR-064).
    pub const CRC: usize = 28;
    /// "CTPD".
    pub const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"CTPD");
}
