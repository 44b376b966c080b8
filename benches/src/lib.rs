//! Shared pieces of the benches: jobs, floors and peers.
//!
//! A *job* is work with a result that can be checked; a *floor* does the same job with as little as it takes; a *peer*
//! does it with another simulator. Each bench asserts that its result equals that of the others.

pub mod nominal;
pub mod safety;
pub mod tickers;
