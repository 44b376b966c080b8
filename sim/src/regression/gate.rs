//! How a case, and from its cases a suite, stands.
//!
//! A scenario may state that its run ends without a verdict or fails (`Verdict` among its expectations). Such a run
//! *stands as stated* when it does so and all else it expects holds too: it is never called a pass, and it does not
//! fail the suite.

use reports::{Pump, Report, RowVerdict, Try, TryOutcome, Verdict};

use super::suite::Case;
use crate::scenario::{self, Expectation, Scenario};

/// How a case or a suite stands, the mildest first, so that the greatest of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Passed, or ended as stated.
    Good,
    /// Passed with retries, where that was not wanted.
    Retries,
    /// Something was never measured.
    Inconclusive,
    /// A margin is worse than the baseline's, where that was not wanted.
    Worse,
    /// A run failed or could not be judged.
    Fail,
    /// Two runs of the same scenario differ.
    Unrepeatable,
    /// The twin itself panicked.
    OwnFault,
}

/// What else is asked of a case than its verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// No pump needed a second try.
    pub no_retries: bool,
}

/// How a case of this scenario stands.
#[must_use]
pub fn standing_of_case(scenario: &Scenario, case: &Case, wanted: Wanted) -> Standing {
    let Ok(report) = &case.result else { return Standing::OwnFault };
    if case.difference.is_some() {
        return Standing::Unrepeatable;
    }
    match report.verdict {
        Verdict::Pass if wanted.no_retries && retries(report) > 0 => Standing::Retries,
        Verdict::Pass => Standing::Good,
        _ if as_stated(scenario, report) => Standing::Good,
        Verdict::Inconclusive => Standing::Inconclusive,
        Verdict::Fail | Verdict::Error => Standing::Fail,
    }
}

/// Whether a run did not pass, as its scenario states, and all else that the scenario expects holds.
#[must_use]
pub fn as_stated(scenario: &Scenario, report: &Report) -> bool {
    let said = scenario.expectations.iter().find_map(|expectation| match expectation {
        Expectation::Verdict(verdict) => Some(verdict),
        _ => None,
    });
    let stated = match said {
        Some(scenario::Verdict::Inconclusive) => report.verdict == Verdict::Inconclusive,
        Some(scenario::Verdict::Fail) => report.verdict == Verdict::Fail,
        Some(scenario::Verdict::Error) => report.verdict == Verdict::Error,
        Some(scenario::Verdict::Pass) | None => false,
    };
    stated && report.expectations.iter().all(|row| row.verdict == RowVerdict::Pass)
}

/// `no retries`, `1 retry`, `2 retries`.
pub(super) fn retries_words(count: u64) -> String {
    match count {
        0 => "no retries".to_owned(),
        1 => "1 retry".to_owned(),
        many => format!("{many} retries"),
    }
}

/// Tries of all pumps that followed one that did not update the pump.
#[must_use]
pub fn retries(report: &Report) -> u64 {
    let failed = |each: &Try| each.outcome != TryOutcome::Updated;
    let of_pump = |pump: &Pump| pump.tries.windows(2).filter(|pair| failed(&pair[0])).count() as u64;
    report.pumps.iter().map(of_pump).sum()
}
