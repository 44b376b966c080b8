//! Feeds bytes chosen by libFuzzer to the harness `scenario`.
#![no_main]

#[path = "../harness/scenario.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
