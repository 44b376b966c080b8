//! Evidence: collects what an evidence bundle is made from, and holds a bundle against this program.
//!
//! ```text
//!   build script: sources.sha256, named-tests.txt, Cargo.lock --> identity --> reports::Program
//!   checks/requirements.rs --links--> requirement <-> scenario      controls --tried--> reports::Control
//!   output of cargo test --test_log--> reports::TestLog             llvm-cov, coverage.ron --coverage--> reports::Coverage
//!   stored Bundle + this program --compare--> what differs, by name
//! ```
//! Nothing here touches files: `cli` does. How a bundle looks is the business of `reports`.

pub mod compare;
pub mod controls;
pub mod coverage;
pub mod identity;
pub mod links;
#[cfg(test)]
mod scan;
pub mod test_log;

pub use compare::{Finding, compare};
pub use controls::tried as controls_tried;
pub use coverage::{Measurement, REASONS, coverage};
pub use identity::{CARGO_LOCK, SOURCES, named_tests, program};
pub use links::{fault_kinds, links};
pub use test_log::{test_log, tested_these};
