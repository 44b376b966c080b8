//! Feeds bytes chosen by libFuzzer to the harness `header`.
#![no_main]

#[path = "../harness/header.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::run(data));
