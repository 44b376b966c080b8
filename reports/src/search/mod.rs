//! The result of a search: the worst value that was found, the bound beside it, and the command that repeats it.
//!
//! An *ascent* climbs from one starting point, run by run, towards worse values; its *points* are what may move. A search
//! fills a [`SearchReport`]; text and page follow from it alone.

mod page;
mod text;

use serde::{Deserialize, Serialize};

use crate::number::Fixed;
use crate::report::{Build, Input};
use crate::verdict::Verdict;
use crate::words::rounded_amount;

pub use page::search_html;
pub use text::search_text;

/// What `schema` says of this form of `search.json`.
pub const SEARCH_SCHEMA: &str = "cooltwin.search/1";

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// Names this form: [`SEARCH_SCHEMA`].
    pub schema: String,
    /// The search's name.
    pub name: String,
    /// What it is about; may be empty.
    pub title: String,
    /// What it looks for and why; may be empty.
    pub purpose: String,
    /// SHA-256 of the search and its base in canonical form.
    pub sha256: String,
    /// The budget.
    pub budget: String,
    /// Its unit.
    pub unit: String,
    /// Which values are the worst: `greatest` or `least`.
    pub seek: String,
    /// What may move, and over what.
    pub moves: Vec<String>,
    /// How many points there are.
    pub points: u128,
    /// Ascents, and runs of each.
    pub restarts: u32,
    /// See `restarts`.
    pub steps: u32,
    /// Drew starting points and steps.
    pub seed: u64,
    /// What analysis says of the worst case.
    pub bound: Fixed,
    /// Where the bound comes from.
    pub bound_source: String,
    /// The worst value that was found in a conclusive run; none where there was none.
    pub worst: Option<Worst>,
    /// The worst value of a run that is not conclusive, where it is worse than `worst`: it was not found, but measured.
    pub worst_unproven: Option<Worst>,
    /// The first and the worst value of each ascent, of conclusive runs alone.
    pub ascents: Vec<Ascent>,
    /// Runs: an ascent may come to a point that it, or another one, had been at.
    pub looked: u64,
    /// Points that were run.
    pub different: u64,
    /// Runs in which nothing was measured, so that they say nothing.
    pub without_value: u64,
    /// Runs in which the budget itself has no verdict: what was measured is a part, and the rest may be worse.
    pub left_open: u64,
    /// Runs that are inconclusive, those without a value among them: a stated fault never acted, or a row has no
    /// verdict.
    pub inconclusive: u64,
    /// What kept them from being conclusive, and how many of them; a run may have several reasons.
    pub undecided: Vec<Undecided>,
    /// Points whose values made no scenario.
    pub refused: u64,
    /// Runs that failed, whatever their value.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// Why, in one line.
    pub sentence: String,
    /// The files that were read.
    pub inputs: Vec<Input>,
    /// Which program it was.
    pub build: Build,
}

/// The worst value that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worst {
    /// The value.
    pub value: Fixed,
    /// How far it is from the bound; negative when beyond.
    pub to_bound: Fixed,
    /// Where in the run it was measured.
    pub place: String,
    /// What was set.
    pub overrides: Vec<String>,
    /// The ascent and the step that came to it, from 1.
    pub ascent: usize,
    /// See `ascent`.
    pub step: usize,
    /// Fingerprint of the run.
    pub fingerprint: String,
    /// Repeats it in the folder of the result.
    pub command: String,
}

/// Why runs were inconclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The row, or the fault that never acted.
    pub what: String,
    /// How many runs.
    pub runs: u64,
}

/// How one ascent went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ascent {
    /// The value that it began with.
    pub first: Option<Fixed>,
    /// The worst value on its way.
    pub worst: Option<Fixed>,
    /// The step that came to it first, from 1.
    pub step: usize,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Rows that failed.
    pub rows: Vec<String>,
    /// Repeats it in the folder of the result.
    pub command: String,
}

impl SearchReport {
    /// Reads what [`SearchReport::json`] wrote.
    ///
    /// # Errors
    /// When it is no report of a search in this form.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if report.schema == SEARCH_SCHEMA {
            Ok(report)
        } else {
            Err(format!("{} is not {SEARCH_SCHEMA}", report.schema))
        }
    }

    /// As JSON, with a newline at its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// A value of its budget as everything else prints it: times as people read them.
    #[must_use]
    pub fn amount(&self, value: Fixed) -> String {
        rounded_amount(value, &self.unit)
    }
}
