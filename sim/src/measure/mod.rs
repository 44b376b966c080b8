//! What a run is measured by: the pumps' tries, numbers about the bus, curves, and the journal of transitions.
//!
//! Observers fill these from the trace while the twin runs; nothing here acts back on it.

pub mod journal;
pub mod series;
pub mod stats;
pub mod timeline;
