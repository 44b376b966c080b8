//! The whole CPU against its requirements, one file per part.
//!
//! Requirement ids stand in the doc of each test.

mod air;
mod bus;
mod configurations;
mod construction;
mod inputs;
mod link;
mod logic;
mod modes;
mod outputs;
mod packets;
mod signals;
mod start_up;
mod supply;
pub(crate) mod testing;
mod tools;
