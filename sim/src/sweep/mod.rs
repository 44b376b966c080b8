//! Sweeps: one scenario run again and again, with one fault at every place where it could strike.

mod fork;

pub use fork::{Slot, Trunk};
