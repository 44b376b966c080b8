//! The evidence bundle: many runs, held against the requirement baseline, as pages and tables.
//!
//! ```text
//!   Bundle (what was planned, run, controlled, built) + Report of each run
//!        --trace--> requirement <-> rows of runs, status of each requirement
//!        --pages--> index, requirements, traceability, faults, controls, tool, checklist
//!        --tables-> CSV, JUnit, Markdown, needs.json
//! ```
//! Words: the *record* of a bundle is `bundle.json`, everything that is not in the results of its runs; a *proof* is a row
//! of an executed run that stands for a requirement; a *control* is something that a check must see, tried at the time
//! the bundle is made. All pages follow from record and results alone, so `verify` can render them again and compare
//! every byte. Neither holds clock, host or folder.

mod assumptions;
mod checklist;
mod controls;
mod faults;
mod index;
mod matrix;
mod needs;
mod page;
mod requirements;
mod structural;
mod tables;
mod tool;
mod trace;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{Build, Report};
use crate::requirements::Baseline;
use crate::verdict::Verdict;

pub use trace::{MEASURED, Status, Trace};

/// The value of [`Bundle::schema`].
pub const BUNDLE_SCHEMA: &str = "cooltwin.evidence/1";
/// The record's file.
pub const BUNDLE_FILE: &str = "bundle.json";

/// The record of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Always [`BUNDLE_SCHEMA`].
    pub schema: String,
    /// What people said about the bundle.
    pub head: Head,
    /// Which program made it, from which sources.
    pub program: Program,
    /// Whether the files that were read are those of a commit.
    pub inputs: InputState,
    /// Names and seeds of all that was to be run, fixed before the first run.
    pub planned: Vec<Planned>,
    /// Runs with a result, in the order of the plan.
    pub runs: Vec<RunRecord>,
    /// Planned, and the twin itself gave way.
    pub invalid: Vec<NotRun>,
    /// Planned and not run, with the reason.
    pub skipped: Vec<NotRun>,
    /// Must-fail controls.
    pub controls: Vec<Control>,
    /// Requirements that a scenario as a whole stands for.
    pub links: Vec<Link>,
    /// Tests of the firmware crates that name requirements in their description.
    pub tests: Vec<NamedTest>,
    /// What became of the tests, where a log of them was given.
    pub test_log: Option<TestLog>,
    /// Lines and branches of the firmware that were reached, where that was measured.
    pub coverage: Option<Coverage>,
    /// Kinds of faults that a scenario may inject.
    pub fault_kinds: Vec<String>,
    /// How the margins stand to those of an earlier state, where such a baseline was found.
    pub drift: Option<String>,
}

/// What people said about a bundle; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number or name of the document.
    pub id: String,
    /// Its date, as it was given.
    pub date: String,
    /// Who made it.
    pub author: String,
}

/// A program and what it was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Version of cooltwin.
    pub version: String,
    /// Commit of the sources, `-dirty` behind it when they were changed, or `unknown`.
    pub commit: String,
    /// The compiler.
    pub rustc: String,
    /// Platform that it was built for.
    pub target: String,
    /// The profile: its name, optimisation and settings, what the environment sets over them, and flags of the compiler.
    pub profile: String,
    /// Features of the program that were on.
    pub features: Vec<String>,
    /// SHA-256 of Cargo.lock; empty if there was none.
    pub lock_sha256: String,
    /// SHA-256 of the executable file.
    pub binary_sha256: String,
    /// Sources by crate, those of the item under test first.
    pub crates: Vec<CrateSources>,
}

/// The sources of a crate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrateSources {
    /// Its name.
    pub name: String,
    /// Whether it is firmware under test; else it is part of the tool.
    pub item: bool,
    /// Number of files.
    pub files: u64,
    /// SHA-256 of the crate's lines in `sources.sha256`.
    pub sha256: String,
}

/// How the files that were read stand to version control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputState {
    /// Whether version control could be asked.
    pub known: bool,
    /// Files that are as committed.
    pub committed: u64,
    /// Files that were changed since.
    pub changed: Vec<String>,
    /// Files that are in no commit.
    pub unversioned: Vec<String>,
}

/// Something that was to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Name of the scenario.
    pub name: String,
    /// Seed, as decimal text.
    pub seed: String,
}

/// Where a result comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Run for this bundle.
    #[default]
    Run,
    /// Run earlier and stored; taken over by its hash.
    Stored,
}

/// A run of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Name of the scenario.
    pub name: String,
    /// Seed, as decimal text.
    pub seed: String,
    /// Folder of its files in the bundle, such as `runs/nominal-14/1`.
    pub folder: String,
    /// SHA-256 of its result.json.
    pub result_sha256: String,
    /// Whether its log of events is in the folder; one that is very long is not.
    pub events_kept: bool,
    /// Verdict of the result.
    pub verdict: Verdict,
    /// Whether it did not pass and its scenario states just that.
    pub stated: bool,
    /// Tries that followed one that failed.
    pub retries: u64,
    /// How a second run of it differed; none when it was equal, or when it was not run twice.
    pub difference: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Which program made it.
    pub build: Build,
}

impl RunRecord {
    /// Whether it was made by a program of the same sources and compiler as this bundle. A commit that is not known or
    /// changed is never the same.
    #[must_use]
    pub fn is_of(&self, program: &Program) -> bool {
        let same = self.build.commit == program.commit
            && self.build.version == program.version
            && self.build.rustc == program.rustc;
        self.origin == Origin::Run || (same && self.build.commit != "unknown" && !self.build.commit.ends_with("-dirty"))
    }

    /// Its verdict in this bundle: a stored result of another program says nothing about this one.
    #[must_use]
    pub fn verdict_here(&self, program: &Program) -> Verdict {
        if self.is_of(program) { self.verdict } else { self.verdict.max(Verdict::Inconclusive) }
    }
}

/// Something that was planned and has no result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// What was planned.
    pub planned: Planned,
    /// Why there is no result.
    pub why: String,
}

/// A must-fail control: something that a check must see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The check or budget.
    pub row: String,
    /// What it was shown.
    pub shown: String,
    /// Whether it went red.
    pub red: bool,
    /// What happened instead, where it did not.
    pub why: String,
}

/// A requirement that a scenario as a whole, with all it expects, stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The requirement.
    pub requirement: String,
    /// Name of the scenario.
    pub scenario: String,
}

/// A test that names requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedTest {
    /// Name of the test program: the crate, or for a test of its own the file.
    pub target: String,
    /// Path of the test in it.
    pub name: String,
    /// File below the root of the sources.
    pub file: String,
    /// Ids in its description.
    pub requirements: Vec<String>,
}

/// What a log of `cargo test` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestLog {
    /// SHA-256 of the log's lines about tests.
    pub sha256: String,
    /// Tests that passed, of all crates.
    pub passed: u64,
    /// Tests that failed, as `target test`.
    pub failed: Vec<String>,
    /// Tests that were left out, as `target test`.
    pub ignored: Vec<String>,
    /// Of [`Bundle::tests`], those that passed, as `target test`.
    pub named_passed: Vec<String>,
}

/// Lines and branches of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// By file below the root of the sources.
    pub files: Vec<FileCoverage>,
    /// Reasons of the committed list that fit nothing any more, and why.
    #[serde(default)]
    pub stale: Vec<String>,
}

impl Coverage {
    /// Lines that were not reached and have no reason.
    #[must_use]
    pub fn lines_without_reason(&self) -> usize {
        self.files.iter().flat_map(|file| &file.missed).filter(|missed| missed.reason.is_empty()).count()
    }

    /// Outcomes of branches that were not reached, in files without a reason for them.
    #[must_use]
    pub fn branches_without_reason(&self) -> usize {
        let without = self.files.iter().filter(|file| file.branch_reason.is_empty());
        without.map(|file| file.missed_branches.len()).sum()
    }

    /// Whether everything that was not reached has a reason, and each reason fits.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        self.stale.is_empty() && self.lines_without_reason() == 0 && self.branches_without_reason() == 0
    }

    /// What was reached, and what has no reason, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let sum = |of: fn(&FileCoverage) -> u64| self.files.iter().map(of).sum::<u64>();
        let (lines, branches) = (sum(|file| file.lines), sum(|file| file.branches));
        format!(
            "{} of {lines} lines and {} of {branches} outcomes of branches reached; without a reason: {} and {}; stale reasons: {}",
            sum(|file| file.lines_reached),
            sum(|file| file.branches_reached),
            page::count(self.lines_without_reason(), "line", "lines"),
            page::count(self.branches_without_reason(), "outcome", "outcomes"),
            self.stale.len()
        )
    }
}

/// Coverage of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCoverage {
    /// The file.
    pub file: String,
    /// Lines with code of the product.
    pub lines: u64,
    /// Of these, reached.
    pub lines_reached: u64,
    /// Outcomes of branches, two for each; 0 where the tool did not count them.
    pub branches: u64,
    /// Of these, reached.
    pub branches_reached: u64,
    /// Lines that were not reached, with the reason that is given for each; empty where none is.
    pub missed: Vec<MissedLine>,
    /// The line of each outcome that was not reached.
    #[serde(default)]
    pub missed_branches: Vec<u64>,
    /// Why; empty where no reason is given.
    #[serde(default)]
    pub branch_reason: String,
}

/// A line that was not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissedLine {
    /// From 1.
    pub line: u64,
    /// What stands there.
    #[serde(default)]
    pub text: String,
    /// Why; empty where no reason is given.
    pub reason: String,
}

/// Everything that pages and tables are made from.
pub(crate) struct Evidence<'a> {
    pub(crate) bundle: &'a Bundle,
    /// The results of [`Bundle::runs`], in their order.
    pub(crate) reports: &'a [Report],
    pub(crate) baseline: &'a Baseline,
    pub(crate) trace: Trace<'a>,
}

impl<'a> Evidence<'a> {
    fn new(bundle: &'a Bundle, reports: &'a [Report], baseline: &'a Baseline) -> Self {
        assert_eq!(bundle.runs.len(), reports.len(), "a run is a record and a result");
        Self { bundle, reports, baseline, trace: Trace::new(bundle, reports, baseline) }
    }

    fn runs(&self) -> impl Iterator<Item = (&'a RunRecord, &'a Report)> {
        self.bundle.runs.iter().zip(self.reports)
    }
}

/// How a bundle stands: error before fail before inconclusive before pass. What was never run is not judged here; the
/// pages name it.
#[must_use]
pub fn bundle_verdict(bundle: &Bundle, reports: &[Report], baseline: &Baseline) -> Verdict {
    Evidence::new(bundle, reports, baseline).verdict()
}

impl Evidence<'_> {
    fn verdict(&self) -> Verdict {
        let bundle = self.bundle;
        let of_run = |run: &RunRecord| match run.verdict_here(&bundle.program) {
            _ if run.difference.is_some() => Verdict::Error,
            _ if run.stated && run.is_of(&bundle.program) => Verdict::Pass,
            verdict => verdict,
        };
        let runs = bundle.runs.iter().map(of_run).max().unwrap_or(Verdict::Inconclusive);
        let invalid = if bundle.invalid.is_empty() { Verdict::Pass } else { Verdict::Error };
        let controls = match () {
            () if bundle.controls.iter().any(|control| !control.red) => Verdict::Fail,
            () if bundle.controls.is_empty() => Verdict::Inconclusive,
            () => Verdict::Pass,
        };
        let failed = self.trace.rows.iter().any(|row| row.status == Status::Failed);
        let requirements = if failed { Verdict::Fail } else { Verdict::Pass };
        let tests = bundle.test_log.as_ref().is_some_and(|log| !log.failed.is_empty());
        let tests = if tests { Verdict::Fail } else { Verdict::Pass };
        [runs, invalid, controls, requirements, tests].into_iter().max().unwrap_or(Verdict::Error)
    }
}

/// Renders pages and tables of a bundle: names and texts. `reports` are the results of its runs, in their order.
///
/// # Panics
/// When there are not as many results as runs.
#[must_use]
pub fn bundle_files(bundle: &Bundle, reports: &[Report], baseline: &Baseline) -> BTreeMap<String, String> {
    let evidence = Evidence::new(bundle, reports, baseline);
    let pages = page::PAGES.iter().map(|page| (page.file.to_owned(), evidence.page(page)));
    let tables = [
        ("requirements.csv", evidence.requirements_csv()),
        ("traceability.csv", evidence.trace_csv()),
        ("faults.csv", evidence.faults_csv()),
        ("budgets.csv", crate::csv(&reports.iter().collect::<Vec<_>>())),
        ("junit.xml", evidence.junit()),
        ("summary.md", evidence.markdown()),
        ("needs.json", evidence.needs()),
    ];
    pages.chain(tables.map(|(name, text)| (name.to_owned(), text))).collect()
}

/// `summary.md` of a bundle alone, for the page of a CI job.
///
/// # Panics
/// When there are not as many results as runs.
#[must_use]
pub fn bundle_summary(bundle: &Bundle, reports: &[Report], baseline: &Baseline) -> String {
    Evidence::new(bundle, reports, baseline).markdown()
}

/// The record as its file holds it.
///
/// # Panics
/// Never: the record has nothing that JSON cannot say.
#[must_use]
pub fn bundle_json(bundle: &Bundle) -> String {
    serde_json::to_string_pretty(bundle).expect("a record is plain data") + "\n"
}

/// Reads a record.
///
/// # Errors
/// When it is none, or of another version.
pub fn bundle_from_json(text: &str) -> Result<Bundle, String> {
    let bundle: Bundle = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if bundle.schema == BUNDLE_SCHEMA { Ok(bundle) } else { Err(format!("{} is no {BUNDLE_SCHEMA}", bundle.schema)) }
}
