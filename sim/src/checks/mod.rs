//! To come.

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug)]
pub enum CheckEvent {
    /// To come.
    Nothing,
}
