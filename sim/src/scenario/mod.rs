//! Scenario files: what was written, what it means, and what is wrong with it.
//!
//! ```text
//!   file (and what it extends) --reader--> RawScenario --check--> Scenario --> twin
//!        \------ every problem with its place ------/
//! ```

mod diagnostic;
mod doc;
mod leaf;
mod model;
pub mod quantity;
mod reader;
mod schema;
pub mod words;

pub use model::*;
