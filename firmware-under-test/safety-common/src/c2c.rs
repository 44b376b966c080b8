//! Layout of the packet that each CPU sends to the other once a tick.
//!
//! All fields little endian. Both directions have the same layout and length (SSR-017 to SSR-022).

use crate::PINS;

/// Bytes of a packet, CRC included.
pub const LEN: usize = 72;
/// Bytes that the receiver's hardware takes; longer packets arrive cut to this length and are bad.
pub const RECEIVE_LEN_MOST: usize = 96;
/// The CRC covers the bytes before this offset and stands at it.
pub const CRC_AT: usize = LEN - 4;
/// CRC-32 polynomial 0xF4ACFB13, reflected in and out, initial value and final XOR 0xFFFF_FFFF (CRC-32/AUTOSAR, check
/// value 0x1697_D06A): Hamming distance 6 at this length.
pub const CRC_POLYNOMIAL: u32 = 0xF4AC_FB13;
/// First byte of every packet.
pub const FORMAT: u8 = 0xC1;

/// Offsets of the fields.
pub mod at {
    /// u8, [`super::FORMAT`].
    pub const FORMAT: usize = 0;
    /// u8, 1 or 2: the sending CPU.
    pub const SENDER: usize = 1;
    /// u8, [`crate::io::Mode`]; 1 to 4.
    pub const MODE: usize = 2;
    /// u8, bit 0: CPU2 wants the main transistor on in its next tick; other bits 0. CPU1 sends 0.
    pub const FLAGS: usize = 3;
    /// u32, ticks of the sender since its reset: one more in each packet.
    pub const COUNTER: usize = 4;
    /// u32, release id from the image header.
    pub const RELEASE_ID: usize = 8;
    /// u32, release hash from the image header.
    pub const RELEASE_HASH: usize = 12;
    /// u32, configuration hash; 0 while unknown.
    pub const CONFIGURATION_HASH: usize = 16;
    /// u32, serial number from production data; 0 while unknown.
    pub const SERIAL: usize = 20;
    /// u16 each, measured pin voltages in millivolts.
    pub const PINS: usize = 24;
    /// u16, supply in millivolts.
    pub const SUPPLY: usize = PINS + 2 * super::PINS;
    /// u16, `SIO_PWR` in millivolts.
    pub const SIO_POWER: usize = SUPPLY + 2;
    /// u16, input groups that this CPU reads as ON, by itself.
    pub const INPUTS_ON: usize = SIO_POWER + 2;
    /// u16, output groups that this CPU's logic wants ON.
    pub const OUTPUTS_ON: usize = INPUTS_ON + 2;
    /// u16, output groups that this CPU keeps off for an external failure.
    pub const OUTPUTS_FAILED: usize = OUTPUTS_ON + 2;
    /// u8, relays that this CPU's logic wants ON.
    pub const RELAYS_ON: usize = OUTPUTS_FAILED + 2;
    /// u8, mirror contacts as this CPU reads them.
    pub const RELAY_FEEDBACK: usize = RELAYS_ON + 1;
    /// 4 bytes, always 0.
    pub const RESERVED: usize = RELAY_FEEDBACK + 1;
}

const _: () = assert!(at::RESERVED + 4 == CRC_AT);
