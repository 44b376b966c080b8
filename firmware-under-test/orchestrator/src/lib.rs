//! orchestrator firmware.
#![no_std]
#![forbid(unsafe_code)]
