//! SimpleCAN: identifiers, frame layout, slots and times.
//!
//! The public rules are kept (safe value 0, no acknowledgement, seeded CRC-32, slots, sync, ages, master); identifiers,
//! layout, cycle and sequence rule are this project's own design. `SAFETY.md` lists both.

/// Sync frame of the node with CAN index 0; the index is added. Data: index (u8), cycle number (u8).
pub const SYNC_ID: u16 = 0x010;
/// Data frame of entry 0; the entry is added.
pub const ENTRY_ID: u16 = 0x040;
/// Tool messages to the units, cut in frames.
pub const TOOL_REQUEST_ID: u16 = 0x0F0;
/// Tool answers, cut in frames.
pub const TOOL_ANSWER_ID: u16 = 0x0F8;
/// Entries mapped to identifiers.
pub const ENTRIES: usize = 16;
/// Entries that own a slot: the last two slots of a cycle stay empty.
pub const ENTRIES_USABLE: usize = 14;
/// Slots of a cycle; entry `e` is sent in slot `e`.
pub const CYCLE_SLOTS: u32 = 16;
/// A cycle in tick slots of 62.5 us: 10 ms.
pub const CYCLE_TICK_SLOTS: u32 = 160;
/// One slot of the cycle in tick slots: 625 us.
pub const SLOT_TICK_SLOTS: u32 = 10;
/// The sequence of an entry goes up by one after so many ticks of the sender (own number): less than a cycle, so that each
/// cycle finds a new one; and 128 of them last longer than the longest maximum age, so that no late frame looks new.
pub const SEQUENCE_TICKS: u32 = 8;
/// A sequence may be ahead of the last accepted by as many as fit into the time since then and this many more (own number):
/// a frame may wait 20 ticks for its slot, and a few more for the bus. At most 127.
pub const SEQUENCE_ALLOWANCE: u32 = 5;
/// The last sequence accepted of an entry is remembered for this many ticks (own number), longer than a whole turn of 256 of them:
/// what is left of a late stream when its sender falls silent stays old that long, also past the maximum age.
pub const SEQUENCE_MEMORY_TICKS: u32 = 2_100;
/// A sync is sent in the next cycle once this many ticks have passed since the last.
pub const SYNC_TICKS: u32 = 200;
/// A sync that has not left after this many ticks is aborted (own number).
pub const SYNC_ABORT_TICKS: u32 = 5;
/// A node takes over as master after this many ticks without a sync from a lower index.
pub const MASTER_TICKS: u32 = 2_000;
/// The protocol layer forces the safe state within this many ticks of the frame that asks for it.
pub const FORCED_SAFE_TICKS: u32 = 2;
/// Polynomial of the frame's CRC-32: not reflected, final XOR 0, initial value is the sender's node hash.
pub const CRC_POLYNOMIAL: u32 = 0x04C1_1DB7;
/// Frames of an entry with a bad CRC that are tolerated beside those that drain; one more: the entry reads 0 (own number).
pub const ENTRY_ERRORS_MOST: u8 = 16;
/// One tolerated error of each entry is forgotten after so many ticks, 3.5 h: 14 entries x 2^-32 stay below 1e-9 an hour.
pub const ENTRY_ERROR_DRAIN_TICKS: u32 = 12_600_000;
/// First byte of the block that the node hash is made over; see `SAFETY.md`.
pub const NODE_HASH_TAG: u8 = 0xCA;
/// Bit 7 of a tool frame's first byte marks the last frame of a message; bits 0 to 5 hold its index.
pub const TOOL_LAST: u8 = 0x80;

/// Offsets in a data frame of 8 bytes.
pub mod at {
    /// u16, the sixteen bits of the entry; 0 is the safe value.
    pub const DATA: usize = 0;
    /// u8, goes up by one every [`super::SEQUENCE_TICKS`].
    pub const SEQUENCE: usize = 2;
    /// u8, the entry.
    pub const ENTRY: usize = 3;
    /// u32, CRC over the bytes before.
    pub const CRC: usize = 4;
}

const _: () = assert!(SEQUENCE_MEMORY_TICKS > 256 * SEQUENCE_TICKS);
