//! Shared pieces of the benches: floors and peers.
