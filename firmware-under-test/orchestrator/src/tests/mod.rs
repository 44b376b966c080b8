//! Transcripts of the whole firmware against fake pumps.

mod bus;
mod campaign;
mod consent;
mod power;
mod rare;
mod robustness;
mod search;
pub(crate) mod world;
