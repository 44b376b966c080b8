//! Feeds bytes chosen by libFuzzer to the harness `isotp`.
#![no_main]

#[path = "../harness/isotp.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
