//! Layout of the radio safety packet.
//!
//! Every packet is a full update of one node's global memories: no state runs across packets (SSR-072). Little endian.

/// First byte of a safety packet.
pub const FORMAT: u8 = 0x52;
/// Bytes of a packet without memories.
pub const LEN_LEAST: usize = 18;
/// Bytes of a packet with 256 memories.
pub const LEN_MOST: usize = LEN_LEAST + 32;
/// CRC-24 polynomial 0x5D6DCB, initial value 0xFEDCBA, not reflected, final XOR 0 (CRC-24/FLEXRAY-A, check value 0x7979BD),
/// over every byte before it (SSR-070). Stands in the last three bytes, high byte first.
pub const CRC_POLYNOMIAL: u32 = 0x5D_6DCB;
/// Fourth word of the hash key; the others are configuration hash, release hash and network id (SSR-071).
pub const KEY_WORD: u32 = 0x5341_4645;
/// Bits of the sequence counter that count packets; the bits above hold the sender's restarts (24 bits).
pub const COUNTER_PACKET_BITS: u32 = 40;
/// After a receiver's start or a time-out it takes this many packets in order before the next one counts (own number).
pub const TRUST_PACKETS: u8 = 2;

/// Offsets of the fields.
pub mod at {
    /// u8, [`super::FORMAT`].
    pub const FORMAT: usize = 0;
    /// u8, index of the sender in the node table, 0 to 15.
    pub const SENDER: usize = 1;
    /// u8, global memories / 16, 0 to 16.
    pub const MEMORY_WORDS: usize = 2;
    /// u64, sequence counter: goes up by one every send period, whether or not a packet leaves.
    pub const COUNTER: usize = 3;
    /// u16 each, memories; bit `b` of word `w` is memory `16 * w + b`. Then the hash (u32) and the CRC-24.
    pub const MEMORIES: usize = 11;
}
