//! Tests of the CPU as a whole, against a peer that speaks CPU1's side.
//!
//! Tests of a module stand beside it; these need several.

pub(crate) mod fuzz;
mod normal;
mod startup;
