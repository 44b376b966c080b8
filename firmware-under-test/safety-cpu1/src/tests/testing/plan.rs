//! Configurations for tests, put together field by field.
//!
//! As section 11 of the architecture says.

use std::vec;
use std::vec::Vec;

use safety_common::configuration::{BlockKind, HASH_KEY, NO_SIGNAL};
use safety_common::signal::Signal;
use safety_common::tool::PASSWORD_KEY;

use super::flash::SERIAL;
use super::with_flash_crc;
use crate::chaskey;

pub(crate) const PASSWORD: &[u8] = b"let me in";
/// Another node of the network.
pub(crate) const OTHER_SERIAL: u32 = 0x0002_0002;

/// One node of a network.
#[derive(Clone, Debug)]
pub(crate) struct NodePlan {
    pub(crate) serial: u32,
    pub(crate) memories: u16,
    pub(crate) can_entries: u16,
    pub(crate) can_node: u8,
    pub(crate) flags: u8,
    pub(crate) section: SectionPlan,
}

/// A section.
#[derive(Clone, Debug)]
pub(crate) struct SectionPlan {
    /// The ten limits of the section header, in order.
    pub(crate) limits: [u16; 10],
    /// Role, ON, OFF.
    pub(crate) pins: [(u8, u8, u8); 14],
    /// Pins, discrepancy, filter, kind, flags.
    pub(crate) inputs: Vec<(u16, u16, u32, u8, u8)>,
    /// Pins, kind.
    pub(crate) outputs: Vec<(u16, u8)>,
    pub(crate) blocks: Vec<BlockPlan>,
}

/// A block record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockPlan {
    pub(crate) kind: u8,
    pub(crate) index: u8,
    pub(crate) number: u16,
    pub(crate) inputs: [u16; 4],
    pub(crate) time: u32,
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) network_id: u32,
    pub(crate) radio_timeout: u32,
    pub(crate) radio_period: u16,
    pub(crate) can_age: u16,
    pub(crate) response: u32,
    pub(crate) nodes: Vec<NodePlan>,
}

pub(crate) const UNUSED: (u8, u8, u8) = (0, 0, 0);

pub(crate) fn input_pin(on: Signal, off: Signal) -> (u8, u8, u8) {
    (1, on as u8, off as u8)
}

pub(crate) fn output_pin(on: Signal, off: Signal) -> (u8, u8, u8) {
    (2, on as u8, off as u8)
}

pub(crate) const COMBINED: (u8, u8, u8) = (3, Signal::High as u8, Signal::Low as u8);

/// A block; inputs that are left out are not used.
pub(crate) fn block(kind: BlockKind, index: u8, number: u16, inputs: &[u16], time: u32) -> BlockPlan {
    let mut all = [NO_SIGNAL; 4];
    all[..inputs.len()].copy_from_slice(inputs);
    BlockPlan { kind: kind as u8, index, number, inputs: all, time }
}

impl SectionPlan {
    /// No pins, no logic, default limits.
    pub(crate) fn empty() -> Self {
        Self {
            limits: [10_000, 30_000, 3_135, 3_465, 10, 2_000, 2_000, 1_000, 20, 30],
            pins: [UNUSED; 14],
            inputs: vec![],
            outputs: vec![],
            blocks: vec![],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.limits.iter().flat_map(|limit| limit.to_le_bytes()).collect();
        bytes.extend([self.inputs.len() as u8, self.outputs.len() as u8]);
        bytes.extend((self.blocks.len() as u16).to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(self.pins.iter().flat_map(|(role, on, off)| [*role, *on, *off, 0]));
        for (pins, discrepancy, filter, kind, flags) in &self.inputs {
            bytes.extend(pins.to_le_bytes());
            bytes.extend(discrepancy.to_le_bytes());
            bytes.extend(filter.to_le_bytes());
            bytes.extend([*kind, *flags, 0, 0]);
        }
        for (pins, kind) in &self.outputs {
            bytes.extend(pins.to_le_bytes());
            bytes.extend([*kind, 0]);
        }
        self.blocks.iter().for_each(|block| bytes.extend(block.bytes()));
        bytes
    }
}

impl BlockPlan {
    pub(crate) fn bytes(&self) -> [u8; 16] {
        let mut bytes = vec![self.kind, self.index];
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.inputs.iter().flat_map(|input| input.to_le_bytes()));
        bytes.extend(self.time.to_le_bytes());
        bytes.try_into().unwrap()
    }
}

impl NodePlan {
    pub(crate) fn new(serial: u32, section: SectionPlan) -> Self {
        Self { serial, memories: 0, can_entries: 0, can_node: 0xFF, flags: 0, section }
    }
}

impl Plan {
    /// A network of this unit alone.
    pub(crate) fn alone(section: SectionPlan) -> Self {
        Self {
            network_id: 7,
            radio_timeout: 100,
            radio_period: 10,
            can_age: 35,
            response: 500,
            nodes: vec![NodePlan::new(SERIAL, section)],
        }
    }

    /// This unit and another, both with radio (16 memories) and CAN (one entry each).
    pub(crate) fn pair(section: SectionPlan) -> Self {
        let node = |serial, index: u8, section| NodePlan {
            memories: 16,
            can_entries: 1 << index,
            can_node: index,
            flags: 1,
            ..NodePlan::new(serial, section)
        };
        let nodes = vec![node(SERIAL, 0, section), node(OTHER_SERIAL, 1, SectionPlan::empty())];
        Self { nodes, ..Self::alone(SectionPlan::empty()) }
    }

    pub(crate) fn own(&mut self) -> &mut SectionPlan {
        &mut self.nodes[0].section
    }

    /// The binary with its hash and CRC.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        seal(self.unsealed())
    }

    /// The binary before hash and CRC.
    pub(crate) fn unsealed(&self) -> Vec<u8> {
        let sections: Vec<_> = self.nodes.iter().map(|node| node.section.bytes()).collect();
        let mut offset = 64 + 20 * self.nodes.len();
        let length = offset + sections.iter().map(Vec::len).sum::<usize>() + 4;
        let mut bytes = b"CTSC".to_vec();
        bytes.extend([1, 0, self.nodes.len() as u8, 0]);
        bytes.extend((length as u32).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.network_id.to_le_bytes());
        bytes.extend(self.radio_timeout.to_le_bytes());
        bytes.extend(self.radio_period.to_le_bytes());
        bytes.extend(self.can_age.to_le_bytes());
        bytes.extend(self.response.to_le_bytes());
        bytes.extend(chaskey::tag(PASSWORD_KEY, PASSWORD));
        bytes.extend([0; 16]);
        for (node, section) in self.nodes.iter().zip(&sections) {
            bytes.extend(node.serial.to_le_bytes());
            bytes.extend((offset as u32).to_le_bytes());
            bytes.extend((section.len() as u32).to_le_bytes());
            bytes.extend(node.memories.to_le_bytes());
            bytes.extend(node.can_entries.to_le_bytes());
            bytes.extend([node.can_node, node.flags, 0, 0]);
            offset += section.len();
        }
        sections.iter().for_each(|section| bytes.extend(section));
        bytes
    }
}

/// Puts hash and CRC into a binary that lacks its last four bytes.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = chaskey::word(HASH_KEY, &bytes[16..]);
    bytes[12..16].copy_from_slice(&hash.to_le_bytes());
    with_flash_crc(bytes)
}
