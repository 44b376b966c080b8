//! Verdicts and the rules that make them, all in this one place.
//!
//! A *row* is a budget, a check or an expectation; the *run* is judged from its rows and injections. What was not
//! measured is never a pass, and a failure that the scenario announced is not a failure of the run, while one that was
//! announced and did not come is.

use serde::{Deserialize, Serialize};

use crate::number::Fixed;
use crate::report::Relation;

/// The verdict of a run, the mildest first, so that the greatest of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every row was measured and held.
    Pass,
    /// Something was not measured or an injection never acted.
    Inconclusive,
    /// A row failed.
    Fail,
    /// The run could not be judged: a time limit, a firmware panic, a defect of the twin.
    Error,
}

/// The verdict of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowVerdict {
    /// Measured and held.
    Pass,
    /// Measured and broken, or expected to break and held.
    Fail,
    /// Nothing was measured, or a precondition was never reached.
    Inconclusive,
    /// The row could not be judged.
    Error,
    /// Shown only, never judged.
    Info,
    /// Broken, as the scenario said.
    ExpectedFail,
    /// Has no meaning in this scenario, such as an update time on a bus without a campaign.
    NotApplicable,
    /// Applies, but the run did not come to it.
    NotRun,
}

/// What a scenario wants of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It must hold.
    Required,
    /// It is shown and not judged.
    Information,
    /// It must break.
    ExpectedToFail,
    /// It has no meaning here.
    NotApplicable,
    /// The run did not come to it.
    NotRun,
}

/// Judges a row from how often it was measured, whether it held every time, and what was wanted of it.
#[must_use]
pub fn row_verdict(standing: Standing, n: u64, held: bool) -> RowVerdict {
    match standing {
        Standing::NotApplicable => RowVerdict::NotApplicable,
        Standing::NotRun => RowVerdict::NotRun,
        Standing::Information => RowVerdict::Info,
        Standing::Required | Standing::ExpectedToFail if n == 0 => RowVerdict::Inconclusive,
        Standing::Required if held => RowVerdict::Pass,
        Standing::ExpectedToFail if !held => RowVerdict::ExpectedFail,
        Standing::Required | Standing::ExpectedToFail => RowVerdict::Fail,
    }
}

/// Whether `measured` keeps `relation` to its limits. `low` counts only for [`Relation::Within`].
#[must_use]
pub fn holds(measured: Fixed, relation: Relation, limit: Fixed, low: Option<Fixed>) -> bool {
    match relation {
        Relation::Below => measured < limit,
        Relation::AtMost => measured <= limit,
        Relation::Above => measured > limit,
        Relation::AtLeast => measured >= limit,
        Relation::Within => measured <= limit && low.is_none_or(|low| measured >= low),
    }
}

/// The distance to the nearer limit, negative when the measured value lies beyond it.
///
/// A strict relation that is met exactly by its limit is broken with a margin of zero.
#[must_use]
pub fn margin(measured: Fixed, relation: Relation, limit: Fixed, low: Option<Fixed>) -> Fixed {
    let distance =
        |from: Fixed, to: Fixed| Fixed::from_millionths(to.as_millionths().saturating_sub(from.as_millionths()));
    let above = distance(measured, limit);
    match relation {
        Relation::Below | Relation::AtMost => above,
        Relation::Above | Relation::AtLeast => distance(limit, measured),
        Relation::Within => low.map_or(above, |low| above.min(distance(low, measured))),
    }
}

/// Judges a run from its rows (budgets, checks and expectations) and from how often each injection acted.
///
/// error > fail > inconclusive > pass. Information and rows that do not apply say nothing; a row that was not run is
/// inconclusive, and so is a run in which no row was judged at all.
#[must_use]
pub fn run_verdict(rows: impl IntoIterator<Item = RowVerdict>, activations: impl IntoIterator<Item = u64>) -> Verdict {
    let rows = rows.into_iter().filter_map(weight).max().unwrap_or(Verdict::Inconclusive);
    let idle = activations.into_iter().any(|count| count == 0);
    if idle { rows.max(Verdict::Inconclusive) } else { rows }
}

/// What a row says about its run, if anything.
fn weight(row: RowVerdict) -> Option<Verdict> {
    match row {
        RowVerdict::Pass | RowVerdict::ExpectedFail => Some(Verdict::Pass),
        RowVerdict::Fail => Some(Verdict::Fail),
        RowVerdict::Inconclusive | RowVerdict::NotRun => Some(Verdict::Inconclusive),
        RowVerdict::Error => Some(Verdict::Error),
        RowVerdict::Info | RowVerdict::NotApplicable => None,
    }
}

impl Verdict {
    /// The word that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }
}

impl RowVerdict {
    /// Whether nobody knows how the row stands.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Inconclusive | Self::NotRun)
    }

    /// Whether the row counts towards the verdict of its run.
    #[must_use]
    pub fn is_judged(self) -> bool {
        weight(self).is_some()
    }

    /// The word that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Info => "info",
            Self::ExpectedFail => "expected-fail",
            Self::NotApplicable => "not-applicable",
            Self::NotRun => "not-run",
        }
    }
}
