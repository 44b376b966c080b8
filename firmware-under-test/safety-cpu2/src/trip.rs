//! How a stage says that the unit must go to the safe state.
//!
//! Every stage of a tick gives `Ok` or a [`Trip`]; the first trip ends the tick there and then, so that nothing of a
//! disturbed tick leaves the CPU. External failures are no trips: they are reported and turn off what they affect.
//!
//! Diverse: the safe state is reached by an early return through all stages, not by a flag that a later stage reads.

use safety_common::fault::{Detection, Fault};
use units::Instant;

/// An internal fault: the reason for the safe state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    fault: Fault,
    detail: u32,
}

/// What a stage gives back.
pub(crate) type Outcome<T = ()> = Result<T, Trip>;

impl Trip {
    pub(crate) const fn new(fault: Fault, detail: u32) -> Self {
        Self { fault, detail }
    }

    pub(crate) const fn at(self, at: Instant) -> Detection {
        Detection { fault: self.fault, detail: self.detail, at }
    }
}

/// A trip for the lowest set bit of `bits`, whose number is the detail; none if no bit is set.
pub(crate) fn trip_for_lowest(fault: Fault, bits: u32) -> Outcome {
    if bits == 0 { Ok(()) } else { Err(Trip::new(fault, bits.trailing_zeros())) }
}
