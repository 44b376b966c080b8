//! To come.

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug)]
pub enum PowerEvent {
    /// To come.
    Nothing,
}

/// Records of this domain.
#[derive(Clone, Debug, PartialEq)]
pub enum PowerRecord {
    /// To come.
    Nothing,
}

impl PowerRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, _to: &mut crate::kernel::Words) {}
}
