//! Feeds bytes chosen by libFuzzer to the harness `uds`.
#![no_main]

#[path = "../harness/uds.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
