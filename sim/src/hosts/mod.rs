//! To come.

use crate::node::NodeId;

/// What makes a CPU run its firmware.
#[derive(Clone, Copy, Debug)]
pub enum CpuEvent {
    /// The CAN controller of this node has received or sent something; the CPU attends to it now (its reaction latency
    /// has passed).
    Attend(NodeId),
    /// The supply of this node rose above its switch-on level: the CPU boots.
    PowerGood(NodeId),
    /// The supply of this node fell below its brown-out level: the CPU loses its state at once.
    PowerLost(NodeId),
}

/// Records of the CIOC.
#[derive(Clone, Debug, PartialEq)]
pub enum OrchestratorRecord {
    /// To come.
    Nothing,
}

impl OrchestratorRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, _to: &mut crate::kernel::Words) {}
}

/// Records of a pump.
#[derive(Clone, Debug, PartialEq)]
pub enum PumpRecord {
    /// To come.
    Nothing,
}

impl PumpRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, _to: &mut crate::kernel::Words) {}
}
