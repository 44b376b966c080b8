//! Records of what firmware did.

use orchestrator::{Notice, UserAction};
use protocol::cyclic::PumpState;
use pump::{FlashCommand, ResetCause};
use units::Permille;

use super::flash::Operation;
use crate::kernel::Words;
use crate::node::NodeId;
use crate::record::Record;

/// Records of the CIOC.
#[derive(Clone, Debug, PartialEq)]
pub enum OrchestratorRecord {
    /// Its firmware started.
    Started,
    /// It lost its supply.
    Off,
    /// Its firmware told something.
    Notice(Notice),
    /// The person at the CIOC did something.
    User(UserAction),
    /// Its own firmware update began.
    UpdateBegun,
    /// Its own firmware update ended.
    UpdateEnded,
    /// It was reset.
    Reset,
    /// Its supply failed in the middle of a write to its FRAM; nothing that it would have done after that happened.
    WriteTorn {
        /// Offset of the write.
        offset: u16,
        /// Bytes that were still written.
        kept: u16,
        /// Bytes that should have been.
        length: u16,
    },
}

/// Records of a pump.
#[derive(Clone, Debug, PartialEq)]
pub enum PumpRecord {
    /// Its firmware started.
    Started {
        /// Which pump.
        node: NodeId,
        /// Why it was reset.
        cause: ResetCause,
    },
    /// It was reset.
    Reset {
        /// Which pump.
        node: NodeId,
        /// Why.
        cause: ResetCause,
    },
    /// It lost its supply.
    Off {
        /// Which pump.
        node: NodeId,
    },
    /// Its firmware went to another state.
    State {
        /// Which pump.
        node: NodeId,
        /// The new state.
        state: PumpState,
    },
    /// Its firmware drives the motor at another speed.
    Motor {
        /// Which pump.
        node: NodeId,
        /// The speed.
        speed: Permille,
    },
    /// A flash operation began.
    FlashBegun {
        /// Which pump.
        node: NodeId,
        /// The operation.
        operation: Operation,
    },
    /// A fault put another version into its answer.
    Disguised {
        /// Which pump.
        node: NodeId,
        /// The version it reports.
        version: protocol::header::Version,
    },
    /// A word was programmed that was not erased: a defect of the firmware.
    UnerasedWrite {
        /// Which pump.
        node: NodeId,
    },
}

impl From<OrchestratorRecord> for Record {
    fn from(record: OrchestratorRecord) -> Self {
        Self::Orchestrator(record)
    }
}

impl From<PumpRecord> for Record {
    fn from(record: PumpRecord) -> Self {
        Self::Pump(record)
    }
}

impl OrchestratorRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        match self {
            Self::Started => to.put(0),
            Self::Off => to.put(1),
            Self::Notice(notice) => {
                to.put(2);
                // A notice is hashed by its debug text: it has many shapes and comes seldom.
                to.put(xxhash_rust::xxh3::xxh3_64(format!("{notice:?}").as_bytes()));
            }
            Self::User(action) => {
                to.put(3);
                to.put(match action {
                    UserAction::Consent(false) => 0,
                    UserAction::Consent(true) => 1,
                    UserAction::Search => 2,
                });
            }
            Self::UpdateBegun => to.put(4),
            Self::UpdateEnded => to.put(5),
            Self::Reset => to.put(6),
            Self::WriteTorn { offset, kept, length } => {
                to.put(7);
                [offset, kept, length].into_iter().for_each(|number| to.put(u64::from(*number)));
            }
        }
    }
}

impl PumpRecord {
    /// The pump it is about.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        match self {
            Self::Started { node, .. }
            | Self::Reset { node, .. }
            | Self::Off { node }
            | Self::State { node, .. }
            | Self::Motor { node, .. }
            | Self::FlashBegun { node, .. }
            | Self::Disguised { node, .. }
            | Self::UnerasedWrite { node } => *node,
        }
    }

    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let (kind, first, second) = match self {
            Self::Started { cause, .. } => (0, *cause as u64, 0),
            Self::Reset { cause, .. } => (1, *cause as u64, 0),
            Self::Off { .. } => (2, 0, 0),
            Self::State { state, .. } => (3, *state as u64, 0),
            Self::Motor { speed, .. } => (4, u64::from(speed.get()), 0),
            Self::FlashBegun { operation, .. } => match operation.command {
                FlashCommand::Erase { sector } => (5, u64::from(sector), 0),
                FlashCommand::Program { address, word } => (6, u64::from(address), u64::from(word)),
            },
            Self::UnerasedWrite { .. } => (7, 0, 0),
            Self::Disguised { version, .. } => (8, u64::from(version.major), u64::from(version.minor)),
        };
        to.put(kind);
        to.put(self.node().index() as u64);
        to.put(first);
        to.put(second);
    }
}
