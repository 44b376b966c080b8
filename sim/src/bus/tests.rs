//! Tests of the bus: wire, traffic, errors and counters, faults.

mod errors;
mod faults;
mod response;
mod traffic;
mod twin;
mod wire;
