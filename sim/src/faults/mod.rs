//! To come.

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug)]
pub enum FaultEvent {
    /// To come.
    Nothing,
}

/// Records of this domain.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultRecord {
    /// To come.
    Nothing,
}

impl FaultRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, _to: &mut crate::kernel::Words) {}
}
