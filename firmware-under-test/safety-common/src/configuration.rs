//! Layout of the configuration binary.
//!
//! One binary serves the whole network: every node stores all of it and runs the section of its own serial number, so that
//! "same configuration" (SSR-078) is one hash. Little endian. `SAFETY.md` tells the meaning of every field and block.
//!
//! | part | bytes |
//! |------|-------|
//! | header | [`header::LEN`] |
//! | node table | [`node::LEN`] each |
//! | sections, in the order of the table, without gaps | section header, pins, input groups, output groups, blocks |
//! | CRC-32 (as in [`crate::flash_map`]) over all before | 4 |

use crate::PINS;

/// The format that this release reads.
pub const FORMAT: u16 = 1;
/// Input groups of a node.
pub const INPUT_GROUPS_MOST: usize = 14;
/// Output groups of a node.
pub const OUTPUT_GROUPS_MOST: usize = 14;
/// Pins of a redundant group, least (SSR-029).
pub const GROUP_PINS_LEAST: u32 = 2;
/// Pins of a redundant group, most (SSR-029).
pub const GROUP_PINS_MOST: u32 = 8;
/// Blocks of a node.
pub const BLOCKS_MOST: usize = 128;
/// Key of the configuration hash (Chaskey-12, first word of the tag, over the bytes from [`header::HASHED_FROM`] to the CRC).
pub const HASH_KEY: [u32; 4] = [0x636F_6E66, 0x6967_7572, 0x6174_696F, 0x6E20_3031];
/// A block input that is not used.
pub const NO_SIGNAL: u16 = 0xFFFF;
/// The signal that is always OFF.
pub const SIGNAL_OFF: u16 = 0x8000;
/// The signal that is always ON.
pub const SIGNAL_ON: u16 = 0x8001;
/// `can_node` of a node without CAN.
pub const NO_CAN: u8 = 0xFF;
/// Longest time of a timer block or filter in ms: one hour.
pub const TIMER_MS_MOST: u32 = 3_600_000;

/// Header offsets.
pub mod header {
    /// Bytes.
    pub const LEN: usize = 64;
    /// u32, [`MAGIC_VALUE`].
    pub const MAGIC: usize = 0;
    /// u16, [`super::FORMAT`].
    pub const FORMAT: usize = 4;
    /// u8, 1 to 16. The byte after it is 0.
    pub const NODES: usize = 6;
    /// u32, bytes of the whole binary with CRC, a multiple of 4, at most 32768.
    pub const LENGTH: usize = 8;
    /// u32, the configuration hash.
    pub const HASH: usize = 12;
    /// The hash covers the bytes from here to the CRC.
    pub const HASHED_FROM: usize = 16;
    /// u32, not 0 (SSR-067).
    pub const NETWORK_ID: usize = 16;
    /// u32, radio time-out in ms, 4 to 60000 (SSR-077).
    pub const RADIO_TIMEOUT: usize = 20;
    /// u16, radio send period in ms: at least the number of nodes, and twice it at most the time-out.
    pub const RADIO_PERIOD: usize = 24;
    /// u16, maximum age of a CAN entry in ms, 20 to 1000; default 35.
    pub const CAN_AGE: usize = 26;
    /// u32, response time in ms, up to 120000 (SSR-016): at least the sum of the path.
    pub const RESPONSE: usize = 28;
    /// 16 bytes, password verifier (Chaskey-12, see [`crate::tool::PASSWORD_KEY`]).
    pub const PASSWORD: usize = 32;
    /// 16 bytes, 0.
    pub const RESERVED: usize = 48;
    /// "CTSC".
    pub const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"CTSC");
}

/// Node table offsets.
pub mod node {
    /// Bytes of an entry.
    pub const LEN: usize = 20;
    /// u32, serial number; no two nodes share one.
    pub const SERIAL: usize = 0;
    /// u32, first byte of its section, from the start of the binary.
    pub const OFFSET: usize = 4;
    /// u32, bytes of its section.
    pub const LENGTH: usize = 8;
    /// u16, global memories, 0 to 256 in steps of 16 (SSR-074).
    pub const MEMORIES: usize = 12;
    /// u16, bit `e`: this node sends CAN entry `e`; bits 14 and 15 are 0, no two nodes share a bit.
    pub const CAN_ENTRIES: usize = 14;
    /// u8, CAN index 0 to 15, [`super::NO_CAN`] without CAN; no two nodes share one.
    pub const CAN_NODE: usize = 16;
    /// u8, bit 0: the node uses the radio. Other bits 0. A node without radio has no memories.
    pub const FLAGS: usize = 17;
    /// u16, 0.
    pub const RESERVED: usize = 18;
}

/// Section header offsets.
pub mod section {
    /// Bytes.
    pub const LEN: usize = 32;
    /// u16, supply minimum in mV, 7000 to 30000 (SSR-008).
    pub const SUPPLY_MIN: usize = 0;
    /// u16, supply maximum in mV, 8000 to 33000, above the minimum (SSR-010).
    pub const SUPPLY_MAX: usize = 2;
    /// u16, lower limit of the other CPU's 3.3 V rail in mV, 2700 to 3300; default 3135.
    pub const RAIL_MIN: usize = 4;
    /// u16, upper limit in mV, 3300 to 3900; default 3465.
    pub const RAIL_MAX: usize = 6;
    /// u16, bad samples in a row to the reaction, for rails and `SIO_PWR`, in ms, 1 to 20; default 10.
    pub const RAIL_DEBOUNCE: usize = 8;
    /// u16, the most by which `SIO_PWR` may stay below supply with the main transistor on, in mV, 500 to 5000; default 2000.
    pub const SIO_DROP: usize = 10;
    /// u16, the most that `SIO_PWR` may be with the main transistor off, in mV, 500 to 5000; default 2000.
    pub const SIO_OFF: usize = 12;
    /// u16, limit of the analog comparison in mV, 200 to 3000; default 1000 (SSR-033).
    pub const MISMATCH: usize = 14;
    /// u16, debounce of the analog comparison in ms, 5 to 50; default 20.
    pub const MISMATCH_DEBOUNCE: usize = 16;
    /// u16, a relay contact has moved after this time in ms, 5 to 100; default 30.
    pub const RELAY_MOVE: usize = 18;
    /// u8, input groups, 0 to 14.
    pub const INPUT_GROUPS: usize = 20;
    /// u8, output groups, 0 to 14.
    pub const OUTPUT_GROUPS: usize = 21;
    /// u16, blocks, 0 to 128.
    pub const BLOCKS: usize = 22;
    /// 8 bytes, 0.
    pub const RESERVED: usize = 24;
    /// Bytes of all pin records, which follow the section header.
    pub const PINS_LEN: usize = super::PINS * super::pin::LEN;
}

/// Pin record offsets.
pub mod pin {
    /// Bytes of a record.
    pub const LEN: usize = 4;
    /// u8, [`super::Role`].
    pub const ROLE: usize = 0;
    /// u8, [`crate::signal::Signal`] of ON.
    pub const ON: usize = 1;
    /// u8, [`crate::signal::Signal`] of OFF; another than that of ON.
    pub const OFF: usize = 2;
    /// u8, 0.
    pub const RESERVED: usize = 3;
}

/// Input group record offsets.
pub mod input_group {
    /// Bytes of a record.
    pub const LEN: usize = 12;
    /// u16, pins of the group; no pin is in two input groups.
    pub const PINS: usize = 0;
    /// u16, the channels may differ for this long in ms, 1 to 60000; 0 for a single pin.
    pub const DISCREPANCY: usize = 2;
    /// u32, ON must last this long in ms before the group reads ON, up to [`super::TIMER_MS_MOST`].
    pub const ON_FILTER: usize = 4;
    /// u8, [`super::GroupKind`].
    pub const KIND: usize = 8;
    /// u8, bit 0: start-up test. Other bits 0.
    pub const FLAGS: usize = 9;
    /// u16, 0.
    pub const RESERVED: usize = 10;
}

/// Output group record offsets.
pub mod output_group {
    /// Bytes of a record.
    pub const LEN: usize = 4;
    /// u16, pins of the group; no pin is in two output groups.
    pub const PINS: usize = 0;
    /// u8, [`super::GroupKind`].
    pub const KIND: usize = 2;
    /// u8, 0.
    pub const RESERVED: usize = 3;
}

/// Block record offsets.
pub mod block {
    /// Bytes of a record.
    pub const LEN: usize = 16;
    /// u8, [`super::BlockKind`].
    pub const KIND: usize = 0;
    /// u8, `index` of the kind's table in `SAFETY.md`.
    pub const INDEX: usize = 1;
    /// u16, `number` of that table.
    pub const NUMBER: usize = 2;
    /// u16 each, four input signals: an earlier block, a constant, or [`super::NO_SIGNAL`].
    pub const INPUTS: usize = 4;
    /// u32, time in ms.
    pub const TIME: usize = 12;
}

/// What a pin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Not used; never driven.
    Unused = 0,
    /// Input.
    Input = 1,
    /// Output.
    Output = 2,
    /// Output that is also read as an input (SSR-039).
    Combined = 3,
}

/// How many pins a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GroupKind {
    /// Exactly one.
    Single = 1,
    /// 2 to 8 (SSR-028, SSR-029).
    Redundant = 2,
}

/// A block of the diagram. `SAFETY.md` defines each tick by tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BlockKind {
    /// State of an input group.
    Input = 1,
    /// Error output of an input group.
    InputError = 2,
    /// An output group is off for an external failure.
    OutputError = 3,
    /// A global memory of another node.
    MemoryReceive = 4,
    /// A bit of a CAN entry.
    CanReceive = 5,
    /// All inputs ON.
    And = 16,
    /// At least one input ON.
    Or = 17,
    /// An odd number of inputs ON.
    Xor = 18,
    /// The opposite.
    Not = 19,
    /// Set and reset; reset wins.
    Latch = 20,
    /// ON after its input was ON for a time.
    OnDelay = 21,
    /// ON until its input was OFF for a time.
    OffDelay = 22,
    /// ON for a time after its input went ON.
    Pulse = 23,
    /// ON after a person pressed and released a button while the condition holds.
    Reset = 24,
    /// One position of a selector of which exactly one input is ON.
    Mode = 25,
    /// Drives an output group.
    Output = 32,
    /// Drives a relay.
    Relay = 33,
    /// Sets a global memory of this node.
    MemorySend = 34,
    /// Sets a bit of a CAN entry of this node.
    CanSend = 35,
}

/// Why a configuration is not valid. The numbers stand in logs and tool answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Defect {
    /// The flash could not be read.
    Unreadable = 1,
    /// No magic: nothing there.
    Missing = 2,
    /// Another format.
    Format = 3,
    /// Length out of range or no multiple of 4.
    Length = 4,
    /// The CRC does not fit.
    Crc = 5,
    /// The hash does not fit.
    Hash = 6,
    /// Network id 0.
    NetworkId = 7,
    /// No node, more than 16, or two with the same serial number or CAN index; a serial number of 0 or 0xFFFF_FFFF.
    Nodes = 8,
    /// No section for this unit's serial number (SSR-067).
    NotForThisUnit = 9,
    /// A section lies outside its place.
    Section = 10,
    /// Supply limits.
    Supply = 11,
    /// Another limit of the section header.
    Limits = 12,
    /// Radio time-out, period or number of memories.
    Radio = 13,
    /// CAN age, entries or index.
    Can = 14,
    /// The response time is shorter than the path.
    Response = 15,
    /// A pin record.
    Pin = 16,
    /// An input group.
    InputGroup = 17,
    /// An output group.
    OutputGroup = 18,
    /// A block: kind, index, number, inputs or time.
    Block = 19,
    /// Something that must be 0 is not.
    Reserved = 20,
}
