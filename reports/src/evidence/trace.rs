//! Traceability: which rows of executed runs stand for a requirement, and how it stands by them.
//!
//! Nothing here is kept by hand. A requirement is verified when a row that names it was judged in a run of this bundle;
//! whether it was, and how, is read from the results. What no run shows is told from the statements of the baseline,
//! and what neither shows is uncovered.

use std::collections::{BTreeMap, BTreeSet};

use crate::figures::budget_anchors;
use crate::report::{Budget, Check, Report};
use crate::requirements::{Baseline, Requirement, Scope, StatementKind};
use crate::verdict::{RowVerdict, Verdict};
use crate::words;

use super::{Bundle, NamedTest, RunRecord};

/// How a requirement stands in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A row that stands for it failed in a run, or a test that names it failed.
    Failed,
    /// A row that stands for it was not measured where it should have been.
    Inconclusive,
    /// Rows that stand for it held, and none failed.
    Verified,
    /// Rows that stand for it are shown and not judged.
    Information,
    /// No run, but tests that name it, all of which passed in the log that was given.
    Tested,
    /// No run and no executed test: it holds by construction, for a stated reason.
    Construction,
    /// No run can show it; the other method and its owner are stated.
    Elsewhere,
    /// Nothing executed here shows it, and nothing says why not.
    Uncovered,
    /// It is not to be met.
    NotInScope,
}

impl Status {
    /// All of them, the one that needs most attention first.
    pub const ALL: [Self; 9] = [
        Self::Failed,
        Self::Inconclusive,
        Self::Uncovered,
        Self::Elsewhere,
        Self::Construction,
        Self::Tested,
        Self::Information,
        Self::Verified,
        Self::NotInScope,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Verified => "pass",
            Self::Information => "info",
            Self::Tested => "tests pass",
            Self::Construction => "by construction",
            Self::Elsewhere => "not verified here",
            Self::Uncovered => "uncovered",
            Self::NotInScope => "not in scope",
        }
    }

    /// As the verdict of a row, for formats that know no other words. What was not shown is never good.
    #[must_use]
    pub const fn row(self) -> RowVerdict {
        match self {
            Self::Failed => RowVerdict::Fail,
            Self::Inconclusive => RowVerdict::Inconclusive,
            Self::Verified | Self::Tested => RowVerdict::Pass,
            Self::Information | Self::Construction => RowVerdict::Info,
            Self::Elsewhere | Self::Uncovered => RowVerdict::NotRun,
            Self::NotInScope => RowVerdict::NotApplicable,
        }
    }
}

/// The row of a run that stands for a requirement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ProofRow<'a> {
    /// A measured value against its limit.
    Budget(&'a Budget),
    /// A statement that must hold.
    Check(&'a Check),
    /// The scenario as a whole, with all it expects.
    Scenario,
}

/// A row of an executed run that stands for a requirement.
#[derive(Clone, Debug)]
pub(crate) struct Proof<'a> {
    /// The run.
    pub(crate) run: &'a RunRecord,
    /// Its row.
    pub(crate) row: ProofRow<'a>,
    /// The verdict of the row.
    pub(crate) verdict: RowVerdict,
    /// Where to look, from the root of the bundle.
    pub(crate) href: String,
}

impl<'a> Proof<'a> {
    /// What kind of row it is, and its id.
    pub(crate) fn name(&self) -> (&'static str, &'a str) {
        match self.row {
            ProofRow::Budget(budget) => ("budget", &budget.id),
            ProofRow::Check(check) => ("check", &check.id),
            ProofRow::Scenario => ("scenario", &self.run.name),
        }
    }

    /// How often the row was measured or looked at.
    pub(crate) fn n(&self) -> u64 {
        match self.row {
            ProofRow::Budget(budget) => budget.n,
            ProofRow::Check(check) => check.n,
            ProofRow::Scenario => 1,
        }
    }

    /// Whether the row was judged in its run.
    pub(crate) fn is_judged(&self) -> bool {
        !matches!(self.verdict, RowVerdict::NotApplicable | RowVerdict::NotRun)
    }

    /// How near it is to its limit, the nearest first; none for what has no limit.
    fn margin_key(&self) -> Option<i128> {
        let ProofRow::Budget(budget) = self.row else { return None };
        budget.margin.map(|_| budget.margin_key())
    }
}

/// A requirement with all that stands for it.
#[derive(Clone, Debug)]
pub(crate) struct Traced<'a> {
    /// The requirement.
    pub(crate) requirement: &'a Requirement,
    /// Rows of executed runs, in the order of the runs.
    pub(crate) proofs: Vec<Proof<'a>>,
    /// Tests that name it, and whether the given log has them as passed.
    pub(crate) tests: Vec<(&'a NamedTest, bool)>,
    /// How it stands.
    pub(crate) status: Status,
}

impl<'a> Traced<'a> {
    /// The proof with the worst case: what is not good first, then the smallest margin, then what was looked at most.
    pub(crate) fn worst(&self) -> Option<&Proof<'a>> {
        let broken_only = budgets_only_broke(&self.proofs);
        let rank = |verdict: RowVerdict| match verdict {
            RowVerdict::Error | RowVerdict::Fail => 0,
            RowVerdict::Inconclusive => 1,
            RowVerdict::ExpectedFail if broken_only => 1,
            RowVerdict::Pass | RowVerdict::Info => 2,
            RowVerdict::ExpectedFail => 3,
            RowVerdict::NotApplicable | RowVerdict::NotRun => 4,
        };
        let key = |proof: &&Proof<'_>| {
            let stated = proof.run.stated && rank(proof.verdict) == 1;
            let verdict = if stated { 3 } else { rank(proof.verdict) };
            (verdict, proof.margin_key().unwrap_or(i128::MAX), u64::MAX - proof.n())
        };
        self.proofs.iter().filter(|proof| proof.is_judged()).min_by_key(key)
    }

    /// Rows that did not pass, as their scenarios expect: broken ones, the worst first, then those that were not measured.
    pub(crate) fn expected(&self) -> Vec<&Proof<'a>> {
        let is_broken = |proof: &Proof<'_>| proof.verdict == RowVerdict::ExpectedFail;
        let is_expected =
            |proof: &&Proof<'_>| is_broken(proof) || (proof.verdict == RowVerdict::Inconclusive && proof.run.stated);
        let mut expected: Vec<&Proof<'_>> = self.proofs.iter().filter(is_expected).collect();
        expected.sort_by_key(|proof| (!is_broken(proof), proof.margin_key().unwrap_or(i128::MAX)));
        expected
    }

    /// Runs in which a row was judged, by name and seed.
    pub(crate) fn runs(&self) -> BTreeSet<(&'a str, &'a str)> {
        let judged = self.proofs.iter().filter(|proof| proof.is_judged());
        judged.map(|proof| (proof.run.name.as_str(), proof.run.seed.as_str())).collect()
    }

    /// How many proofs have this verdict.
    pub(crate) fn count(&self, verdict: RowVerdict) -> u64 {
        self.proofs.iter().filter(|proof| proof.verdict == verdict).count() as u64
    }
}

/// A check or budget with what it stands for and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowTrace<'a> {
    /// Requirements that it names.
    pub(crate) requirements: BTreeSet<&'a str>,
    /// How often it had each verdict, by the word for it.
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
}

/// Requirements and rows, both ways.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    /// Requirements in the order of the baseline.
    pub(crate) rows: Vec<Traced<'a>>,
    /// By kind (`budget`, `check`) and id.
    pub(crate) checks: BTreeMap<(&'static str, &'a str), RowTrace<'a>>,
    /// Ids that rows or tests name and the baseline does not have, with who names them.
    pub(crate) unknown: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Trace<'a> {
    /// Draws the traces. Runs that could not be judged, and stored ones of another program, stand for nothing.
    #[must_use]
    pub fn new(bundle: &'a Bundle, reports: &'a [Report], baseline: &'a Baseline) -> Self {
        let mut trace = Self { rows: Vec::new(), checks: BTreeMap::new(), unknown: BTreeMap::new() };
        let mut proofs: BTreeMap<&str, Vec<Proof<'a>>> = BTreeMap::new();
        let runs = bundle.runs.iter().zip(reports);
        for (run, report) in runs.filter(|(run, report)| counts(bundle, run, report)) {
            for (requirement, proof) in proofs_of(bundle, run, report) {
                proofs.entry(requirement).or_default().push(proof);
            }
            trace.see_rows(report);
        }
        for requirement in &baseline.requirements {
            let proofs = proofs.remove(requirement.id.as_str()).unwrap_or_default();
            let tests = tests_of(bundle, &requirement.id);
            let status = status(bundle, baseline, requirement, &proofs, &tests);
            trace.rows.push(Traced { requirement, proofs, tests, status });
        }
        for (id, proofs) in proofs {
            let names = proofs.iter().map(|proof| format!("{} {}", proof.name().0, proof.name().1));
            trace.unknown.entry(id).or_default().extend(names);
        }
        for test in &bundle.tests {
            for id in test.requirements.iter().filter(|id| baseline.get(id).is_none()) {
                trace.unknown.entry(id).or_default().insert(format!("test {}", test.name));
            }
        }
        trace
    }

    fn see_rows(&mut self, report: &'a Report) {
        let budgets = report.budgets.iter().map(|row| (("budget", row.id.as_str()), &row.requirements, row.verdict));
        let checks = report.checks.iter().map(|row| (("check", row.id.as_str()), &row.requirements, row.verdict));
        for (name, requirements, verdict) in budgets.chain(checks) {
            let row = self.checks.entry(name).or_default();
            row.requirements.extend(requirements.iter().map(String::as_str));
            *row.verdicts.entry(verdict.word()).or_default() += 1;
        }
    }

    /// Requirements that stand like this.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// Uncovered requirements that tests name: they are uncovered because no log, or no whole one, says that these passed.
    #[must_use]
    pub fn uncovered_with_tests(&self) -> usize {
        self.rows.iter().filter(|row| row.status == Status::Uncovered && !row.tests.is_empty()).count()
    }

    /// The status of a requirement.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<Status> {
        self.rows.iter().find(|row| row.requirement.id == id).map(|row| row.status)
    }

    /// Ids and statuses in the order of the baseline.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, Status)> {
        self.rows.iter().map(|row| (row.requirement.id.as_str(), row.status))
    }
}

/// Whether the only judged budgets are broken ones, as their scenarios expect. Checks beside them are no substitute.
fn budgets_only_broke(proofs: &[Proof<'_>]) -> bool {
    let budgets = proofs.iter().filter(|proof| matches!(proof.row, ProofRow::Budget(_)));
    let mut verdicts =
        budgets.map(|proof| proof.verdict).filter(|verdict| *verdict != RowVerdict::NotApplicable).peekable();
    verdicts.peek().is_some() && verdicts.all(|verdict| verdict == RowVerdict::ExpectedFail)
}

/// Requirements of which a figure must be shown: a budget of every scenario carries them, unless it states others.
/// A check says of such a one only that what was measured is true, and of a run that measured nothing it says nothing.
pub const MEASURED: [&str; 4] = ["PFU-030", "PFU-041", "PFU-042", "PFU-043"];

fn is_measured(requirement: &str) -> bool {
    MEASURED.contains(&requirement)
}

/// Whether a run may stand for anything.
fn counts(bundle: &Bundle, run: &RunRecord, report: &Report) -> bool {
    run.is_of(&bundle.program) && report.verdict != Verdict::Error && run.difference.is_none()
}

fn proofs_of<'a>(bundle: &'a Bundle, run: &'a RunRecord, report: &'a Report) -> Vec<(&'a str, Proof<'a>)> {
    let mut proofs = Vec::new();
    let href = |anchor: &str| format!("{}/report.html#{anchor}", run.folder);
    for (budget, anchor) in report.budgets.iter().zip(budget_anchors(report)) {
        for id in &budget.requirements {
            let row = ProofRow::Budget(budget);
            proofs.push((id.as_str(), Proof { run, row, verdict: budget.verdict, href: href(&anchor) }));
        }
    }
    let anchors = words::anchors("check", report.checks.iter().map(|check| check.id.as_str()));
    for (check, anchor) in report.checks.iter().zip(anchors) {
        for id in &check.requirements {
            let row = ProofRow::Check(check);
            proofs.push((id.as_str(), Proof { run, row, verdict: check.verdict, href: href(&anchor) }));
        }
    }
    for link in bundle.links.iter().filter(|link| link.scenario == run.name) {
        let verdict = verdict_of_scenario(report);
        let proof = Proof { run, row: ProofRow::Scenario, verdict, href: href("verdicts") };
        proofs.push((link.requirement.as_str(), proof));
    }
    proofs
}

/// A scenario that expects nothing shows nothing as a whole.
fn verdict_of_scenario(report: &Report) -> RowVerdict {
    match report.verdict {
        _ if report.expectations.is_empty() => RowVerdict::Inconclusive,
        Verdict::Pass => RowVerdict::Pass,
        Verdict::Inconclusive => RowVerdict::Inconclusive,
        Verdict::Fail => RowVerdict::Fail,
        Verdict::Error => RowVerdict::Error,
    }
}

fn tests_of<'a>(bundle: &'a Bundle, id: &str) -> Vec<(&'a NamedTest, bool)> {
    let passed = |test: &NamedTest| {
        let name = format!("{} {}", test.target, test.name);
        bundle.test_log.as_ref().is_some_and(|log| log.named_passed.contains(&name))
    };
    let named = bundle.tests.iter().filter(|test| test.requirements.iter().any(|own| own == id));
    named.map(|test| (test, passed(test))).collect()
}

fn status(
    bundle: &Bundle,
    baseline: &Baseline,
    requirement: &Requirement,
    proofs: &[Proof<'_>],
    tests: &[(&NamedTest, bool)],
) -> Status {
    let any = |wanted: RowVerdict| proofs.iter().any(|proof| proof.verdict == wanted);
    let shown = |wanted: RowVerdict| {
        let counts = |proof: &&Proof<'_>| !is_measured(&requirement.id) || matches!(proof.row, ProofRow::Budget(_));
        proofs.iter().filter(counts).any(|proof| proof.verdict == wanted)
    };
    let unmeasured = proofs.iter().any(|proof| proof.verdict == RowVerdict::Inconclusive && !proof.run.stated);
    let says = |kind: StatementKind| baseline.statements_of(&requirement.id).any(|statement| statement.kind == kind);
    let test_failed = bundle.test_log.as_ref().is_some_and(|log| {
        tests.iter().any(|(test, _)| log.failed.contains(&format!("{} {}", test.target, test.name)))
    });
    match () {
        () if any(RowVerdict::Fail) || any(RowVerdict::Error) || test_failed => Status::Failed,
        () if requirement.scope != Scope::In => Status::NotInScope,
        () if unmeasured || budgets_only_broke(proofs) => Status::Inconclusive,
        () if says(StatementKind::Elsewhere) => Status::Elsewhere,
        () if shown(RowVerdict::Pass) => Status::Verified,
        () if shown(RowVerdict::Info) => Status::Information,
        () if !tests.is_empty() && tests.iter().all(|(_, passed)| *passed) => Status::Tested,
        () if says(StatementKind::Construction) => Status::Construction,
        () => Status::Uncovered,
    }
}
