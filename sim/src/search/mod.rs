//! Searches: seeded hill climbing for the worst case of one budget, with the analytic bound beside what was found.
//!
//! ```text
//!   search file --file--> Search --climb--> points --run each--> values --report--> worst found, bound, command
//! ```
//! A campaign draws at random and so sees what is common; a search climbs towards what is bad. What it finds is a lower
//! bound of the worst case, and what analysis says is an upper one: a value beyond that shows that the analysis, the
//! firmware or the twin is wrong, and fails the search. Words: a *move* is one value of the scenario that may change, on
//! a grid; a *point* is a choice of all of them; an *ascent* is one climb from one starting point.

pub mod climb;
pub mod file;
pub mod report;
pub mod run;

pub use file::{Search, load_search};
