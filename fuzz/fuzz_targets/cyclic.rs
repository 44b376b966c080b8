//! Feeds bytes chosen by libFuzzer to the harness `cyclic`.
#![no_main]

#[path = "../harness/cyclic.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
