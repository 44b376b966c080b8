//! The rows of a suite: what was asked of each scenario beyond its verdict, for JUnit and Markdown.

use reports::{Report, RowVerdict, SuiteRow, exact_amount, signed_amount};

use super::drift::{Drift, Kind, MarginDrift};
use super::gate::{Wanted, as_stated, retries, retries_words};
use super::suite::Case;
use super::text::difference_text;
use crate::scenario::Scenario;

/// What was asked and answered. Drift fails a row only where it is `gated`, that is where it decides the exit code.
#[must_use]
pub fn suite_rows(
    scenarios: &[&Scenario],
    cases: &[Case],
    wanted: Wanted,
    drift: Option<&Drift>,
    gated: bool,
) -> Vec<SuiteRow> {
    let own = scenarios.iter().zip(cases).flat_map(|(scenario, case)| case_rows(scenario, case, wanted));
    own.chain(drift.into_iter().flat_map(|drift| drift_rows(drift, gated))).collect()
}

fn row(scenario: &str, question: &str, verdict: RowVerdict, detail: impl Into<String>) -> SuiteRow {
    SuiteRow { scenario: scenario.to_owned(), question: question.to_owned(), verdict, detail: detail.into() }
}

fn case_rows(scenario: &Scenario, case: &Case, wanted: Wanted) -> Vec<SuiteRow> {
    let name = scenario.name.as_str();
    let repeats = "both runs are equal";
    let report = match (&case.result, &case.difference) {
        (Err(panic), _) => return vec![row(name, repeats, RowVerdict::Error, format!("the twin panicked: {panic}"))],
        (Ok(_), Some(difference)) => return vec![row(name, repeats, RowVerdict::Fail, difference_text(difference))],
        (Ok(report), None) => report,
    };
    let mut rows = vec![row(name, repeats, RowVerdict::Pass, report.fingerprint.all.as_str())];
    if as_stated(scenario, report) {
        rows.push(row(name, "ends without a pass, as stated", RowVerdict::ExpectedFail, report.verdict.word()));
    }
    rows.extend(wanted.no_retries.then(|| no_retries(name, report)));
    rows
}

fn no_retries(name: &str, report: &Report) -> SuiteRow {
    let count = retries(report);
    let verdict = if count == 0 { RowVerdict::Pass } else { RowVerdict::Fail };
    row(name, "no pump needed a retry", verdict, retries_words(count))
}

fn drift_rows(drift: &Drift, gated: bool) -> Vec<SuiteRow> {
    let worse = if gated { RowVerdict::Fail } else { RowVerdict::Info };
    let margins = drift.margins.iter().map(|margin| {
        let verdict = match margin.kind {
            Kind::Equal | Kind::Within => RowVerdict::Pass,
            Kind::Better | Kind::New => RowVerdict::Info,
            Kind::Worse | Kind::Missing => worse,
        };
        row(&margin.scenario, &format!("margin of {} keeps to the baseline", margin.budget), verdict, detail(margin))
    });
    let not_run = drift.not_run.iter().map(|name| row(name, "is run, as in the baseline", worse, "it was not run"));
    let unknown =
        drift.not_in_baseline.iter().map(|name| row(name, "is in the baseline", RowVerdict::Info, "it is new"));
    margins.chain(not_run).chain(unknown).collect()
}

fn detail(margin: &MarginDrift) -> String {
    let amount = |amount: Option<&super::Amount>| {
        amount.map_or("none".to_owned(), |amount| signed_amount(amount.value, &amount.unit))
    };
    let numbers = format!("{}: {} -> {}", margin.kind.word(), amount(margin.old.as_ref()), amount(margin.new.as_ref()));
    match (margin.change(), margin.tolerance, &margin.new) {
        (Some(change), Some(tolerance), Some(new)) => {
            let (change, tolerance) = (signed_amount(change, &new.unit), exact_amount(tolerance, &new.unit));
            format!("{numbers}, {change}, tolerance {tolerance}")
        }
        _ => numbers,
    }
}
