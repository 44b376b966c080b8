//! Feeds bytes chosen by libFuzzer to the harness `hex`.
#![no_main]

#[path = "../harness/hex.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
