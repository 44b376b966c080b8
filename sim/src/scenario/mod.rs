//! Scenario files: what was written, what it means, and what is wrong with it.
//!
//! ```text
//!   file (and what it extends) --reader--> RawScenario --check--> Scenario --> twin
//!        \-------- every problem, with its place: Report --------/
//! ```
//! Words: a *section* is a struct whose fields may be left out, a *choice* one of several names, a *quantity* a number
//! with a unit. The table in `model` is the only place that knows fields, types, ranges and defaults.

mod acts_on;
mod check;
pub(crate) mod diagnostic;
pub(crate) mod doc;
pub mod elsewhere;
mod explain;
pub mod image_file;
mod kinds;
mod leaf;
pub(crate) mod loader;
mod meaning;
mod model;
mod names;
mod overrides;
pub mod quantity;
pub(crate) mod reader;
mod render;
mod repair;
mod safety_faults;
pub(crate) mod schema;
mod traffic_log;
mod transport;
mod units;
pub mod words;

#[cfg(test)]
mod tests;

pub use check::{Problem, Scenario};
pub use diagnostic::{Code, Diagnostic, Place as TextPlace, Source};
pub use explain::{NoSuchPath, Reference, SCENARIO, no_such_code};
pub use loader::{DEPTH_MOST, FileSource, Input, LoadError, Loaded, Report, Severity, load, near_file};
pub use meaning::{FlashTimes, PumpSetup};
pub use model::*;
pub use names::GivenNames;
pub use render::Format;
pub use safety_faults::*;
#[cfg(test)]
pub(crate) use tests::loaded_text;
pub use traffic_log::{LOG_NODE, Log as RecordedLog, TrafficLog, TrafficSource};
pub use units::*;
