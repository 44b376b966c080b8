//! What happens in safety units, as the trace has it.

use safety_common::fault::Fault;
use safety_common::io::{Mode, ResetCause};

use super::tool::{Step, Told};
use crate::kernel::Words;
use crate::node::NodeId;
use crate::record::Record;

/// Records of a safety unit; `cpu` is 1 or 2.
#[derive(Clone, Debug, PartialEq)]
pub enum SafetyRecord {
    /// The firmware of a CPU started.
    Started {
        /// Which unit.
        node: NodeId,
        /// Which CPU.
        cpu: u8,
        /// Why it was reset.
        cause: ResetCause,
    },
    /// A CPU was reset, or lost its supply.
    Stopped {
        /// Which unit.
        node: NodeId,
        /// Which CPU.
        cpu: u8,
    },
    /// The firmware of a CPU went to another mode.
    Mode {
        /// Which unit.
        node: NodeId,
        /// Which CPU.
        cpu: u8,
        /// The new mode.
        mode: Mode,
    },
    /// The firmware of a CPU detected something.
    Detected {
        /// Which unit.
        node: NodeId,
        /// Which CPU.
        cpu: u8,
        /// What.
        fault: Fault,
        /// Where.
        detail: u32,
    },
    /// What the logic of a CPU saw and wants is different from now on.
    Logic {
        /// Which unit.
        node: NodeId,
        /// Which CPU.
        cpu: u8,
        /// Input groups that are ON.
        inputs: u16,
        /// Output groups that it wants ON.
        outputs: u16,
        /// Relays that it wants ON.
        relays: u8,
    },
    /// Other pins are live: their transistor conducts in some slot and the main transistor feeds it.
    Outputs {
        /// Which unit.
        node: NodeId,
        /// The pins.
        pins: u16,
    },
    /// The main transistor switched.
    Main {
        /// Which unit.
        node: NodeId,
        /// Whether it conducts now.
        on: bool,
    },
    /// The coils of other relay contacts are fed.
    Coils {
        /// Which unit.
        node: NodeId,
        /// Bit `2 * relay + cpu - 1`.
        coils: u8,
    },
    /// Other relay contacts are closed.
    Contacts {
        /// Which unit.
        node: NodeId,
        /// Bit `2 * relay + cpu - 1`.
        closed: u8,
    },
    /// A device shows something else at an input group.
    Input {
        /// Which unit.
        node: NodeId,
        /// The group.
        group: u8,
        /// Whether it shows ON.
        on: bool,
    },
    /// The configuration tool goes on to another step of a download.
    Download {
        /// Which unit.
        node: NodeId,
        /// Which of its downloads.
        number: u8,
        /// The step.
        step: Step,
    },
    /// The configuration tool tells how a download ended.
    Told {
        /// Which unit.
        node: NodeId,
        /// Which of its downloads.
        number: u8,
        /// What it tells.
        told: Told,
        /// More of it.
        detail: u32,
    },
    /// An injection met its target: a packet, a frame, a cell of RAM.
    Injected {
        /// Which unit.
        node: NodeId,
        /// The injection.
        injection: u16,
    },
    /// The lamp shows which unit this is, or goes back to what it showed.
    Lamp {
        /// Which unit.
        node: NodeId,
        /// Whether it does.
        identifies: bool,
    },
}

impl SafetyRecord {
    /// The unit it is about.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        match self {
            Self::Started { node, .. }
            | Self::Stopped { node, .. }
            | Self::Mode { node, .. }
            | Self::Detected { node, .. }
            | Self::Logic { node, .. }
            | Self::Outputs { node, .. }
            | Self::Main { node, .. }
            | Self::Coils { node, .. }
            | Self::Contacts { node, .. }
            | Self::Input { node, .. }
            | Self::Download { node, .. }
            | Self::Told { node, .. }
            | Self::Injected { node, .. }
            | Self::Lamp { node, .. } => *node,
        }
    }

    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let (kind, fields): (u64, [u64; 4]) = match *self {
            Self::Started { cpu, cause, .. } => (0, [cpu.into(), cause as u64, 0, 0]),
            Self::Stopped { cpu, .. } => (1, [cpu.into(), 0, 0, 0]),
            Self::Mode { cpu, mode, .. } => (2, [cpu.into(), mode as u64, 0, 0]),
            Self::Detected { cpu, fault, detail, .. } => (3, [cpu.into(), fault as u64, detail.into(), 0]),
            Self::Logic { cpu, inputs, outputs, relays, .. } => {
                (4, [cpu.into(), inputs.into(), outputs.into(), relays.into()])
            }
            Self::Outputs { pins, .. } => (5, [pins.into(), 0, 0, 0]),
            Self::Main { on, .. } => (6, [on.into(), 0, 0, 0]),
            Self::Coils { coils, .. } => (7, [coils.into(), 0, 0, 0]),
            Self::Contacts { closed, .. } => (8, [closed.into(), 0, 0, 0]),
            Self::Input { group, on, .. } => (9, [group.into(), on.into(), 0, 0]),
            Self::Injected { injection, .. } => (10, [injection.into(), 0, 0, 0]),
            Self::Download { number, step, .. } => (11, [number.into(), step.number(), 0, 0]),
            Self::Told { number, told, detail, .. } => (12, [number.into(), told as u64, detail.into(), 0]),
            Self::Lamp { identifies, .. } => (13, [identifies.into(), 0, 0, 0]),
        };
        to.put(kind);
        to.put(self.node().index() as u64);
        fields.into_iter().for_each(|field| to.put(field));
    }
}

impl From<SafetyRecord> for Record {
    fn from(record: SafetyRecord) -> Self {
        Self::Safety(record)
    }
}
