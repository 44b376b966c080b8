//! Tests of the bus, by subject: the wire, undisturbed traffic, errors and counters, faults of the medium.

mod errors;
mod faults;
mod response;
mod traffic;
mod twin;
mod wire;
