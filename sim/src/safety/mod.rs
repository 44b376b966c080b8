//! The safety unit's configuration: drawn, compiled, shown, and evaluated by a third party.
//!
//! ```text
//!   file.ron --scenario's reader--> Configuration --check--> no problem --compile--> Network --encode--> bytes
//!                                        |                                  |  \--decode---------------/
//!                                        +--> picture (text, SVG)           +--> Reference, which judges both CPUs
//! ```
//! Words: a *diagram* is what a user draws, with names; a *network* is the same in numbers, as the binary holds it; the
//! *reference* evaluates a network's blocks from the recorded history of their inputs, unlike either CPU.

pub mod binary;
pub mod chaskey;
mod check;
mod compile;
pub mod diagram;
mod order;
pub mod picture;
pub mod reference;
pub mod rules;

use crate::scenario::Reference;

pub use compile::{CanLoad, Compiled, NodeNames, PathPart, Response, compile, load};

/// The reference of configuration files.
pub const CONFIGURATION: Reference = Reference::of::<diagram::Configuration>();
