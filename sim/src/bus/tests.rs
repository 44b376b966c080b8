//! Tests of the bus, by subject: the wire, undisturbed traffic, errors and counters, faults of the medium.

mod traffic;
mod twin;
mod wire;
