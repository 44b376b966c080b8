//! What is found wrong, on its way to a reaction.
//!
//! Internal faults are errors that end the normal mode; external ones are notes.

use heapless::Vec;
use safety_common::fault::{Detection, Fault};
use units::Instant;

/// An internal fault on its way to the safe state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    pub(crate) fault: Fault,
    pub(crate) detail: u32,
}

impl Trip {
    pub(crate) const fn new(fault: Fault, detail: u32) -> Self {
        Self { fault, detail }
    }

    pub(crate) const fn at(self, now: Instant) -> Detection {
        Detection { fault: self.fault, detail: self.detail, at: now }
    }
}

/// The external faults of a step. What does not fit is left out of the log, not out of the reaction.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    now: Instant,
    pub(crate) list: Vec<Detection, 4>,
}

impl Notes {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { now, list: Vec::new() }
    }

    pub(crate) fn add(&mut self, fault: Fault, detail: u32) {
        let _ = self.list.push(Detection { fault, detail, at: self.now });
    }
}
