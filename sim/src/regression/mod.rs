//! Regression: many scenarios run twice, compared with themselves and with a committed baseline.
//!
//! ```text
//!   Vec<Loaded> --suite--> Vec<Case> --gate--> Standing          every scenario twice, in parallel, in the order given
//!                              \--drift--> Drift <-- Baseline    margins against those of an earlier state
//!   two Reports --compare--> Comparison, two event logs --events--> Divergence
//! ```
//! Words: a *case* is a scenario of a suite with what its two runs gave; a *drift* is a margin that is not the
//! baseline's; a *tolerance* is how much a margin may shrink before the drift counts as worse; a *divergence* is the
//! first event that two logs do not share. Two gates stand side by side: the absolute budgets, which the verdict of
//! each run judges, and the drift of the margins. All of it is on simulated time, so it is exact and the same on every
//! machine. Nothing here touches files or exit codes: `cli` does.

mod baseline;
mod compare;
mod drift;
mod events;
mod gate;
mod rows;
mod suite;
mod text;

pub use baseline::{Amount, Baseline, FormatError};
pub use compare::{Comparison, MarginPair, compare, fields_that_differ, unequal_domains};
pub use drift::{Drift, IdentityChange, Kind, MarginDrift, drift};
pub use events::{Divergence, Event, LogError, divergence_of_journals, divergence_of_logs};
pub use gate::{Standing, Wanted, as_stated, retries, standing_of_case};
pub use rows::suite_rows;
pub use suite::{Case, Difference, Ran, once, once_as_written, run_suite};
pub use text::{
    case_words, comparison_text, difference_text, divergence_text, drift_text, margins_text, name_list, suite_line,
    suite_table,
};
