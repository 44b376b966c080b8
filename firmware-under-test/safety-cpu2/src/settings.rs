//! What a good configuration says, as values of this CPU.
//!
//! Only the check of the configuration makes [`Settings`]; whoever holds one may rely on every range and reference in it.
//!
//! Diverse: one frozen value of checked fields; there is no access to the binary after start-up.

use heapless::Vec;
use safety_common::configuration::{BLOCKS_MOST, BlockKind, GroupKind, INPUT_GROUPS_MOST, OUTPUT_GROUPS_MOST, Role};
use safety_common::signal::Signal;
use safety_common::simplecan::ENTRIES;
use safety_common::{NODES_MOST, PINS};
use units::Duration;

use crate::analog::FeedLimits;

/// One pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) role: Role,
    pub(crate) on: Signal,
    pub(crate) off: Signal,
}

/// Pins that are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputGroup {
    pub(crate) pins: u16,
    pub(crate) kind: GroupKind,
    /// In ms; 0 for a single pin.
    pub(crate) discrepancy: u32,
    /// In ms.
    pub(crate) on_filter: u32,
    pub(crate) start_test: bool,
}

/// One block of the diagram as it stands in the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    pub(crate) index: u8,
    pub(crate) number: u16,
    pub(crate) inputs: [u16; 4],
    /// In ms.
    pub(crate) time: u32,
}

/// One node of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) serial: u32,
    pub(crate) memories: u16,
    pub(crate) can_entries: u16,
    pub(crate) can_index: u8,
    pub(crate) radio: bool,
}

/// The network and this unit's place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: u32,
    pub(crate) nodes: Vec<Node, NODES_MOST>,
    /// This unit's place in the table.
    pub(crate) own: usize,
    pub(crate) radio_timeout: Duration,
    /// In ms.
    pub(crate) radio_period: u32,
    pub(crate) can_age: Duration,
}

impl Network {
    /// This unit's line of the table.
    pub(crate) fn own_node(&self) -> Node {
        self.nodes.get(self.own).copied().unwrap_or_default()
    }

    /// The node that sends CAN entry `entry`.
    pub(crate) fn entry_owner(&self, entry: usize) -> Option<usize> {
        let bit = if entry < ENTRIES { 1u16 << entry } else { 0 };
        self.nodes.iter().position(|node| node.can_entries & bit != 0)
    }
}

/// Everything that a node needs of its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) hash: u32,
    pub(crate) password: [u32; 4],
    pub(crate) network: Network,
    pub(crate) feeds: FeedLimits,
    /// In millivolts.
    pub(crate) mismatch: u16,
    /// In ms.
    pub(crate) mismatch_debounce: u16,
    /// In ms.
    pub(crate) relay_move: u32,
    pub(crate) pins: [Pin; PINS],
    pub(crate) input_groups: Vec<InputGroup, INPUT_GROUPS_MOST>,
    /// Pins of each output group.
    pub(crate) output_groups: Vec<u16, OUTPUT_GROUPS_MOST>,
    pub(crate) blocks: Vec<Block, BLOCKS_MOST>,
}
