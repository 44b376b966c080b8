//! A variable kept twice, the second time as its complement (SSM-13).
//!
//! For the few words on which other measures lean: pointers of the memory tests and the demands on the outputs. A flip
//! in either copy is found at the next reading.
//!
//! Diverse: a value and its complement, read through a check that can trip, not a sum over a group of variables.

use safety_common::fault::Fault;

use crate::trip::Trip;

/// A word and its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twice {
    value: u32,
    complement: u32,
}

impl Twice {
    pub(crate) const fn new(value: u32) -> Self {
        Self { value, complement: !value }
    }

    /// The value, if both copies agree; else the fault `Variable`.
    pub(crate) const fn get(self) -> Result<u32, Trip> {
        if self.value == !self.complement { Ok(self.value) } else { Err(Trip::new(Fault::Variable, 0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_flip_is_found() {
        for bit in 0..32 {
            for value in [0, 0xDEAD_BEEF, u32::MAX] {
                let good = Twice::new(value);
                assert_eq!(good.get(), Ok(value));
                let trip = Err(Trip::new(Fault::Variable, 0));
                assert_eq!(Twice { value: good.value ^ (1 << bit), ..good }.get(), trip);
                assert_eq!(Twice { complement: good.complement ^ (1 << bit), ..good }.get(), trip);
            }
        }
    }
}
