//! JUnit XML: a suite for each run, a case for each row and each injected fault.
//!
//! A row that was not judged is an `error` here, because readers of this format count what is skipped as good. The last
//! case of a suite is the verdict of the run, so a suite without failures and errors is a run that passed, with one
//! exception: where the scenario itself states that its run is inconclusive, and all else that it expects holds, such
//! rows and the verdict are skipped and say `inconclusive, as stated`. They are never a success. Times are
//! simulated, so that charts over builds show what matters. A failed try of a pump that was updated in the end is a
//! `flakyFailure` of the update's case.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::markdown::{Typed, not_typed};
use crate::number::Millis;
use crate::report::{BUDGET_PUMP_UPDATE, Budget, Check, Expectation, Injection, Report, TryOutcome};
use crate::terminal;
use crate::verdict::{RowVerdict, Verdict};
use crate::words;

/// Renders the runs as one document.
#[must_use]
pub fn junit(reports: &[&Report]) -> String {
    let mut document = Document::new("cooltwin");
    document.add_test_suites(not_typed(reports).iter().map(suite));
    document.to_string().expect("a document is written to memory")
}

/// One run.
pub(crate) fn suite((report, file): &Typed<'_>) -> TestSuite {
    let mut suite = TestSuite::new(report.scenario.name.as_str());
    suite.set_time(duration(report.simulated_ms));
    let reproduce_in = if file.is_none() { "the folder of the scenario file" } else { "the folder where this was run" };
    let properties = [
        ("verdict", report.verdict.word().to_owned()),
        ("seed", report.seed.to_string()),
        ("scenario_sha256", report.scenario.sha256.clone()),
        ("trace", report.fingerprint.all.clone()),
        ("version", report.build.version.clone()),
        ("commit", report.build.commit.clone()),
        ("rustc", report.build.rustc.clone()),
        ("reproduce", terminal::command_as_typed(report, file.as_deref())),
        ("reproduce_in", reproduce_in.to_owned()),
    ];
    suite.add_properties(properties.iter().map(|(name, value)| (*name, value.as_str())));
    let mut cases = Cases { report, retries_told: false, cases: Vec::new() };
    cases.all();
    suite.add_test_cases(cases.cases);
    suite
}

fn duration(time: Millis) -> Duration {
    Duration::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(0))
}

/// The cases of a suite while they are made.
struct Cases<'a> {
    report: &'a Report,
    retries_told: bool,
    cases: Vec<TestCase>,
}

impl Cases<'_> {
    fn all(&mut self) {
        let report = self.report;
        report.budgets.iter().for_each(|budget| self.budget(budget));
        report.checks.iter().for_each(|check| self.check(check));
        report.expectations.iter().for_each(|expectation| self.expectation(expectation));
        report.injections.iter().for_each(|injection| self.injection(injection));
        self.run();
    }

    fn push(&mut self, name: String, status: TestCaseStatus, time: Millis, properties: &[(&str, String)]) {
        let mut case = TestCase::new(name, status);
        case.set_classname(self.report.scenario.name.as_str()).set_time(duration(time));
        case.add_properties(properties.iter().map(|(name, value)| (*name, value.as_str())));
        self.cases.push(case);
    }

    /// What a row or the run is to readers; what is inconclusive as stated is skipped.
    fn status(&self, verdict: RowVerdict, message: &str) -> TestCaseStatus {
        if !verdict.is_open() || !self.report.is_inconclusive_as_stated() {
            return status(verdict, message);
        }
        let mut skipped = TestCaseStatus::skipped();
        skipped.set_type(format!("{}, as stated", verdict.word()));
        skipped.set_message(format!("{message} (the scenario states that its run is inconclusive)"));
        skipped
    }

    fn budget(&mut self, budget: &Budget) {
        let limit = words::limit(budget);
        let message = match budget.measured {
            None => format!("nothing was measured, limit {limit}"),
            Some(value) => {
                let place = budget.r#where.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
                format!("{}{place}, limit {limit}, margin {}", words::value(budget, value), words::margin(budget))
            }
        };
        let mut status = self.status(budget.verdict, &message);
        if budget.id == BUDGET_PUMP_UPDATE && !matches!(status, TestCaseStatus::Skipped { .. }) {
            self.retries_told = true;
            status.add_reruns(retries(self.report));
        }
        let number = |value: Option<crate::number::Fixed>| value.map_or_else(String::new, |value| value.to_string());
        let properties = [
            ("requirement", budget.requirements.join(" ")),
            ("verdict", budget.verdict.word().to_owned()),
            ("measured", number(budget.measured)),
            ("relation", budget.relation.to_string()),
            ("limit_low", number(budget.limit_low)),
            ("limit", budget.limit.to_string()),
            ("margin", number(budget.margin)),
            ("unit", budget.unit.clone()),
            ("n", budget.n.to_string()),
            ("where", budget.r#where.clone().unwrap_or_default()),
        ];
        let time = match (budget.measured, budget.unit.as_str()) {
            (Some(measured), "ms") => measured.into(),
            _ => self.report.simulated_ms,
        };
        self.push(name(&budget.requirements, &budget.id), status, time, &properties);
    }

    fn check(&mut self, check: &Check) {
        let message = match check.detail.as_str() {
            "" => words::looked(check),
            detail => detail.to_owned(),
        };
        let properties = [
            ("requirement", check.requirements.join(" ")),
            ("verdict", check.verdict.word().to_owned()),
            ("n", check.n.to_string()),
        ];
        let name = name(&check.requirements, &check.id);
        self.push(name, self.status(check.verdict, &message), self.report.simulated_ms, &properties);
    }

    fn expectation(&mut self, expectation: &Expectation) {
        let properties = [("verdict", expectation.verdict.word().to_owned())];
        let status = status(expectation.verdict, &terminal::expectation_words(expectation));
        self.push(format!("expected: {}", expectation.text), status, self.report.simulated_ms, &properties);
    }

    fn injection(&mut self, injection: &Injection) {
        let verdict = if injection.proven() == 0 { RowVerdict::Inconclusive } else { RowVerdict::Pass };
        let name = format!("fault {} acts: {} on {}", injection.id, injection.kind, injection.target);
        let properties = [
            ("activations", injection.activations.to_string()),
            ("read_back", injection.effect.clone()),
            ("class", injection.class.clone()),
        ];
        self.push(
            name,
            status(
                verdict,
                if injection.activations == 0 {
                    "the fault never acted"
                } else {
                    "the fault came less often than asked for"
                },
            ),
            self.report.simulated_ms,
            &properties,
        );
    }

    /// The verdict of the run, as reports judge it; the rows alone would not show an inconclusive run without rows.
    fn run(&mut self) {
        let verdict = match self.report.verdict {
            Verdict::Pass => RowVerdict::Pass,
            Verdict::Inconclusive => RowVerdict::Inconclusive,
            Verdict::Fail => RowVerdict::Fail,
            Verdict::Error => RowVerdict::Error,
        };
        let mut status = self.status(verdict, &terminal::summary(self.report));
        if !self.retries_told {
            status.add_reruns(retries(self.report));
        }
        self.push("verdict of the run".to_owned(), status, self.report.simulated_ms, &[]);
    }
}

fn name(requirements: &[String], id: &str) -> String {
    if requirements.is_empty() { id.to_owned() } else { format!("{} {id}", requirements.join(" ")) }
}

/// What a verdict is to readers of this format.
pub(crate) fn status(verdict: RowVerdict, message: &str) -> TestCaseStatus {
    let mut status = match verdict {
        RowVerdict::Pass | RowVerdict::ExpectedFail => TestCaseStatus::success(),
        RowVerdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        RowVerdict::Inconclusive | RowVerdict::NotRun | RowVerdict::Error => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        RowVerdict::Info | RowVerdict::NotApplicable => TestCaseStatus::skipped(),
    };
    status.set_type(verdict.word()).set_message(message);
    status
}

/// The failed tries of pumps that were updated in the end.
fn retries(report: &Report) -> Vec<TestRerun> {
    let updated = report.pumps.iter().filter(|pump| pump.update_ms.is_some());
    let failed = updated.flat_map(|pump| {
        let failed = pump.tries.iter().filter(|one| one.outcome != TryOutcome::Updated);
        failed.map(move |one| (pump, one))
    });
    failed
        .map(|(pump, one)| {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            let cause = one.cause.as_deref().unwrap_or("interrupted");
            rerun.set_type("retry").set_message(format!("{}, try {}: {cause}", pump.id, one.n));
            rerun.set_time(duration(one.duration()));
            rerun
        })
        .collect()
}
