//! Sweeps: one scenario run again and again, with one fault at every place where it could strike.
//!
//! ```text
//!   scenario --trunk, survey--> space of strikes --engine: fork, merge, run out, control--> standings --report--> text
//! ```
//! One run is an anecdote; a sweep says how large the space is and that all of it was run, or which sample of it.

pub mod engine;
mod fork;
pub mod frames;
pub mod judge;
pub mod moved;
pub mod phase;
pub mod power_cut;
pub mod report;
pub mod survey;

pub use fork::{Slot, Trunk};
