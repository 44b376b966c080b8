//! Runs the points of a search: one run a point, its value, and what else the run says.

use std::num::NonZero;

use reports::{Budget, Fixed, RowVerdict, Verdict};

use super::climb::{Looked, Plan, climb};
use super::file::{Search, Seek, words};
use crate::run::{self, Identity};

/// What was found at a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The worst value of the budget in this run; none where nothing was measured, or nothing ran.
    pub value: Option<Fixed>,
    /// Where in the run it was measured.
    pub place: String,
    /// Verdict of the run; none where the values made no scenario.
    pub verdict: Option<Verdict>,
    /// Rows that failed, or why there was no run.
    pub failing: Vec<String>,
    /// What keeps the run from being conclusive: rows without a verdict, faults that never acted.
    pub undecided: Vec<String>,
    /// Fingerprint of the trace.
    pub fingerprint: String,
    /// The budget's unit.
    pub unit: String,
    /// Whether the budget itself has no verdict in this run: its value is that of a part, and the rest may be worse.
    pub left_open: bool,
}

impl Found {
    /// The value, where the run is conclusive: a run whose stated faults did not all act says nothing of their worst
    /// case.
    #[must_use]
    pub fn proven_value(&self) -> Option<Fixed> {
        self.value.filter(|_| matches!(self.verdict, Some(Verdict::Pass | Verdict::Fail)))
    }
}

/// Climbs as the search says, by the values of conclusive runs alone; the points of each ascent in the order in which
/// they were looked at.
#[must_use]
pub fn search(search: &Search, jobs: NonZero<usize>, looked: &(dyn Fn() + Sync)) -> Vec<Vec<Looked<Found>>> {
    let plan =
        Plan { sizes: search.sizes(), restarts: search.raw.restarts, steps: search.raw.steps, seed: search.raw.seed };
    let look = |point: &[u64]| {
        let found = look(search, point);
        looked();
        found
    };
    climb(&plan, jobs, &look, &|new, old| is_no_better(&search.raw.seek, new.proven_value(), old.proven_value()))
}

/// Whether a value is as bad as another, or worse. No value, as of an inconclusive run, is what an ascent leaves
/// as soon as it can.
pub(super) fn is_no_better(seek: &Seek, new: Option<Fixed>, old: Option<Fixed>) -> bool {
    match (new, old) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(new), Some(old)) => match seek {
            Seek::Greatest => new >= old,
            Seek::Least => new <= old,
        },
    }
}

/// Runs the scenario of a point.
#[must_use]
pub fn look(search: &Search, point: &[u64]) -> Found {
    let loaded = match search.scenario(point) {
        Ok(loaded) => loaded,
        Err(error) => return Found { failing: vec![words(&error)], ..Found::default() },
    };
    let run = run::run(&loaded.scenario, loaded.image.as_deref(), |_| {});
    let report = run::report(&loaded, &run, &Identity::default());
    let failed = |verdict: RowVerdict| matches!(verdict, RowVerdict::Fail | RowVerdict::Error);
    let failing = report.rows_that(failed).map(|(kind, row)| format!("{kind} {row}")).collect();
    let rows = report.rows_that(RowVerdict::is_open).map(|(kind, row)| format!("{kind} {row}"));
    let idle = report.injections.iter().filter(|injection| injection.proven() == 0);
    let undecided = rows.chain(idle.map(|injection| format!("injection {} never acted", injection.id))).collect();
    let row = report.budgets.iter().find(|row| row.id == search.raw.budget);
    Found {
        value: row.and_then(|row| worst(&search.raw.seek, row)),
        place: row.and_then(|row| row.r#where.clone()).unwrap_or_default(),
        verdict: Some(report.verdict),
        failing,
        undecided,
        fingerprint: report.fingerprint.all,
        unit: row.map(|row| row.unit.clone()).unwrap_or_default(),
        left_open: row.is_some_and(|row| row.verdict.is_open()),
    }
}

/// The worst value of a row in the sense of the search: its verdict looks at both limits, a search at one end.
fn worst(seek: &Seek, row: &Budget) -> Option<Fixed> {
    let samples = row.samples.iter().map(|sample| sample.value);
    let kept = match seek {
        Seek::Greatest => samples.max(),
        Seek::Least => samples.min(),
    };
    // Samples are left out where they are too many to keep.
    let whole = row.samples.len() as u64 == row.n;
    kept.filter(|_| whole).or(row.measured)
}
