//! Reports of a run: one plain-data value, one emitter per format.
//!
//! ```text
//!                        +--> json      result.json, and back
//!   twin --fills--> Report --> terminal  what a person reads after a run
//!                   ^    |
//!          verdict -+    (a new format is a new module that reads a Report and nothing else)
//!
//!   twin --one by one--> events        events.jsonl, one state transition per line
//! ```
//! The crate knows neither the twin nor the firmware. It holds no clock, no path and no host name, so the same
//! [`Report`] gives the same bytes everywhere. Every decimal in it is an integer inside ([`Millis`], [`Fixed`]);
//! no number passes through a float on its way to a file.

mod events;
mod json;
mod number;
mod report;
mod terminal;
mod verdict;

pub use events::{Event, EventWriter};
pub use json::{ParseError, SCHEMA_JSON, from_json, to_json_line};
pub use number::{Fixed, Millis, NumberError};
pub use report::*;
pub use terminal::{Options, Verbosity, reproduce_command, terminal};
pub use verdict::{RowVerdict, Standing, Verdict, holds, margin, row_verdict, run_verdict};
