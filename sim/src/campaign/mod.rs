//! Campaigns: many random trials of one story, what they show, and the smallest scenario that still fails.
//!
//! ```text
//!   campaign file --file--> Campaign --draw(trial)--> Scenario --trial--> one row
//!                                      failing one --shrink--> the smallest that still fails the same way
//!                                                       rows --summary--> reports::campaign::CampaignReport
//! ```
//! One run is an anecdote. A campaign makes a claim, and so it fixes beforehand how many trials it takes, how many may
//! fail, and which faults come how often. Words: a *trial* is one run with faults drawn for it; the *mix* is what they
//! are drawn from; a *part* is a stratum of the population; a *row* is what is kept of a trial. Everything follows from
//! the master seed by counting, so that neither threads nor machines nor an interruption change a byte.

pub mod draw;
pub mod engine;
pub mod file;
pub mod shrink;
pub mod statistics;
pub mod summary;
pub(crate) mod template;
pub mod trial;

pub use file::{Campaign, load_campaign};
pub use template::FaultTemplate;
