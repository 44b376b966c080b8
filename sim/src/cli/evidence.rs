//! `cooltwin evidence`: runs a suite into a bundle that a reviewer can read and anybody can check.
//!
//! ```text
//!   DIR/index.html and the other pages, CSV, JUnit, needs.json   rendered from what follows
//!   DIR/bundle.json                       the record: plan, runs, controls, program
//!   DIR/runs/NAME/SEED/                   scenario.ron, result.json, events.jsonl, report.html, inputs/
//!   DIR/stored/NAME/SEED/                 the same of results that were made earlier
//!   DIR/requirements/, DIR/sources/       the baseline; hashes of the sources and Cargo.lock
//!   DIR/manifest.sha256                   of every other file
//! ```
//! Everything is written beside its place first and moved there at the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use reports::{
    BUNDLE_FILE, BUNDLE_SCHEMA, Bundle, Head, InputState, NotRun, Origin, Planned, Program, Report, RunRecord, Status,
    Verdict, sha256,
};

use super::check::{Progress, SuiteArgs};
use super::output::{Folder, MARK, OutputError, Place};
use super::run::exit_code;
use super::suite::{Suite, load_suite};
use super::{Style, Terminal, baseline, exit, run};
use crate::evidence;
use crate::regression::{self, Case};
use crate::scenario::{Loaded, Scenario};

/// The list of all files with their SHA-256.
pub(super) const MANIFEST: &str = "manifest.sha256";
/// A longer log of events is not kept: its hash is in the result, and the scenario gives it again, byte for byte.
const EVENTS_BYTES_MAX: usize = 16 << 20;

/// Arguments of `cooltwin evidence`.
#[derive(Args, Clone, Debug)]
pub(super) struct EvidenceArgs {
    /// Folder for the bundle: a new or empty one, or an earlier bundle, which is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which scenarios, and how many at a time.
    #[command(flatten)]
    suite: SuiteArgs,
    /// Make the bundle also from sources or scenarios that were changed since their commit, or are in none; it is marked so.
    #[arg(long)]
    allow_dirty: bool,
    /// Folder with results of scenarios that are tagged `long`, as `run` leaves them.
    #[arg(long, value_name = "DIR", default_value = "cooltwin-out")]
    stored: PathBuf,
    /// What `cargo test` printed, standard error included; beside it, under its name with .sha256, the sources that were tested.
    #[arg(long, value_name = "FILE")]
    test_log: Option<PathBuf>,
    /// What `firmware-under-test/coverage.sh` wrote: coverage.json, with coverage.sha256 beside it.
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
    /// Baseline to hold the margins against; `reports/baselines/scenarios.txt` where that is there.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Number or name of the document.
    #[arg(long, value_name = "TEXT", default_value = "")]
    id: String,
    /// Its date; none is read from a clock.
    #[arg(long, value_name = "TEXT", default_value = "")]
    date: String,
    /// Who made it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    author: String,
    /// How scenarios are read and problems printed.
    #[command(flatten)]
    style: Style,
}

/// Makes the bundle that `arguments` ask for.
pub(super) fn evidence(arguments: &EvidenceArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match made(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn made(arguments: &EvidenceArgs, terminal: Terminal) -> Result<(String, u8), u8> {
    let refuse = |why: &dyn std::fmt::Display| {
        terminal.diagnostic(&format!("error: {why}\n"));
        exit::USAGE
    };
    let place = Place::check_bundle(&arguments.out).map_err(|error| refuse(&error))?;
    if place.replaces_bundle() {
        let out = arguments.out.display();
        terminal
            .diagnostic(&format!("note: {out} holds an earlier bundle; it is replaced when the new one is whole\n"));
    }
    let program = own_program().map_err(|error| refuse(&error))?;
    let suite = load_suite(&arguments.suite.paths, terminal)?;
    let mut bundle = begin(arguments, program, &suite).map_err(|error| refuse(&error))?;
    if let Some(why) = dirty(&bundle).filter(|_| !arguments.allow_dirty) {
        return Err(refuse(&format!("{why}\nhelp: commit the changes, or mark the bundle with --allow-dirty")));
    }
    let earlier = baseline::find(arguments.baseline.as_deref(), false, terminal)?;
    let writing = Writing::new(place).map_err(|error| refuse(&error))?;
    bundle.controls = evidence::controls_tried();
    let (cases, mut reports) =
        run_all(&suite, arguments, &mut bundle, &writing, terminal).map_err(|error| refuse(&error))?;
    if let Some((_, earlier)) = &earlier {
        let ran: Vec<&Report> = cases.iter().filter_map(|case| case.result.as_ref().ok()).collect();
        bundle.drift = Some(regression::drift_text(&suite.drift(earlier, &ran), false).trim().to_owned());
    }
    take_stored(&suite.long, arguments, &mut bundle, &mut reports, &writing).map_err(|error| refuse(&error))?;
    finish(&bundle, &reports, writing).map_err(|error| refuse(&error))?;
    let page = reports::bundle_summary(&bundle, &reports, reports::baseline());
    super::report::append_job_summary(&page).map_err(|error| refuse(&error))?;
    let verdict = reports::bundle_verdict(&bundle, &reports, reports::baseline());
    Ok((summary(&bundle, &reports, verdict, &arguments.out), exit_code(verdict)))
}

/// This program with the hash of its own executable file.
pub(super) fn own_program() -> Result<Program, OutputError> {
    let bytes = std::env::current_exe().and_then(std::fs::read);
    let bytes = bytes.map_err(|error| OutputError::text(&format!("cannot read the own executable: {error}")))?;
    Ok(evidence::program(&sha256(&bytes)))
}

/// The record before anything was run.
fn begin(arguments: &EvidenceArgs, program: Program, suite: &Suite) -> Result<Bundle, OutputError> {
    let read = |path: &Path| {
        let wrong = |error: std::io::Error| OutputError::text(&format!("cannot read {}: {error}", path.display()));
        std::fs::read_to_string(path).map_err(wrong)
    };
    let wrong = |path: &Path, why: String| OutputError::text(&format!("{}: {why}", path.display()));
    let tests = evidence::named_tests();
    let test_log = match &arguments.test_log {
        Some(path) => {
            let tested = read(&path.with_extension("sha256"))?;
            evidence::tested_these(&tested, evidence::SOURCES).map_err(|why| wrong(path, why))?;
            Some(evidence::test_log(&read(path)?, &tests).map_err(|why| wrong(path, why))?)
        }
        None => None,
    };
    let coverage = match &arguments.coverage {
        Some(path) => {
            let (document, measured) = (read(path)?, read(&path.with_extension("sha256"))?);
            let measurement =
                evidence::Measurement { document: &document, measured: &measured, sources: evidence::SOURCES };
            let source = |path: &str| std::fs::read_to_string(path).ok();
            Some(evidence::coverage(measurement, evidence::REASONS, source).map_err(|why| wrong(path, why))?)
        }
        None => None,
    };
    let all = suite.scenarios.iter().chain(&suite.long);
    Ok(Bundle {
        schema: BUNDLE_SCHEMA.to_owned(),
        head: Head { id: arguments.id.clone(), date: arguments.date.clone(), author: arguments.author.clone() },
        program,
        inputs: input_state(all.clone()),
        planned: all.map(|loaded| planned(&loaded.scenario)).collect(),
        links: evidence::links(),
        tests,
        test_log,
        coverage,
        fault_kinds: evidence::fault_kinds(),
        ..Bundle::default()
    })
}

fn planned(scenario: &Scenario) -> Planned {
    Planned { name: scenario.name.clone(), seed: scenario.seed.to_string() }
}

/// Why the bundle would be made from something that is in no commit.
fn dirty(bundle: &Bundle) -> Option<String> {
    let InputState { changed, unversioned, .. } = &bundle.inputs;
    let mut reasons = Vec::new();
    if bundle.program.commit.ends_with("-dirty") {
        reasons.push(
            "this program was built from sources that were changed since their commit, or are in none".to_owned(),
        );
    }
    if !changed.is_empty() {
        reasons.push(format!("files were changed since their commit: {}", changed.join(", ")));
    }
    if !unversioned.is_empty() {
        reasons.push(format!("files are in no commit: {}", unversioned.join(", ")));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Asks version control about every file that was read. What lies outside of any repository is in no commit, if it
/// answers for others; if it answers for none, nothing is known.
fn input_state<'a>(loaded: impl Iterator<Item = &'a Loaded>) -> InputState {
    let mut by_folder: BTreeMap<&Path, BTreeMap<&str, &str>> = BTreeMap::new();
    for input in loaded.flat_map(|loaded| &loaded.inputs) {
        let Some(name) = input.file.file_name().and_then(std::ffi::OsStr::to_str) else { continue };
        let folder = by_folder.entry(input.file.parent().unwrap_or(Path::new(""))).or_default();
        folder.entry(name).or_insert(&input.path);
    }
    let mut state = InputState::default();
    for (folder, files) in by_folder {
        let names: Vec<&str> = files.keys().copied().collect();
        let Some(told) = git_status(folder, &names) else {
            state.unversioned.extend(files.into_values().map(str::to_owned));
            continue;
        };
        state.known = true;
        for (name, path) in files {
            match status_of(&told, name) {
                None => state.committed += 1,
                Some("??" | "!!") => state.unversioned.push(path.to_owned()),
                Some(_) => state.changed.push(path.to_owned()),
            }
        }
    }
    if !state.known {
        return InputState::default();
    }
    state.unversioned.sort();
    state.changed.sort();
    state
}

/// What git says about files of one folder; none when there is no git or no repository.
fn git_status(folder: &Path, names: &[&str]) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut git = Command::new("git");
    // A look at the files is no reason to write into their repository.
    git.arg("--no-optional-locks")
        .arg("-C")
        .arg(folder)
        .args(["status", "--porcelain", "--ignored", "--untracked-files=all", "--"])
        .args(names);
    let output = git.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// The two letters of a file in what git says; none when it is as committed.
fn status_of<'a>(told: &'a str, name: &str) -> Option<&'a str> {
    told.lines().find_map(|line| {
        let (letters, file) = line.split_at_checked(2)?;
        let file = file.trim().trim_matches('"');
        // A whole folder that is ignored or new stands for all files in it.
        let whole = file.ends_with('/');
        (whole || Path::new(file).file_name()?.to_str()? == name).then_some(letters)
    })
}

/// A folder that keeps the hash of everything written to it.
struct Writing {
    folder: Folder,
    hashes: RefCell<BTreeMap<String, String>>,
}

impl Writing {
    fn new(place: Place) -> Result<Self, OutputError> {
        let folder = place.draft()?;
        let mark = std::fs::read(folder.path(MARK)).map_err(|error| OutputError::new(&folder.path(MARK), &error))?;
        let hashes = RefCell::new([(MARK.to_owned(), sha256(&mark))].into());
        Ok(Self { folder, hashes })
    }

    fn write(&self, file: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), OutputError> {
        self.folder.write(file, content)?;
        self.hashes.borrow_mut().insert(file.to_owned(), sha256(content.as_ref()));
        Ok(())
    }

    /// Writes the manifest last, and puts the folder in its place.
    fn commit(self) -> Result<(), OutputError> {
        let hashes = self.hashes.borrow();
        let manifest: String = hashes.iter().map(|(file, hash)| format!("{hash}  {file}\n")).collect();
        self.folder.write(MANIFEST, &manifest)?;
        drop(hashes);
        self.folder.commit()
    }
}

/// Runs each scenario twice and writes its files as soon as it is done; the cases, and the results in their order.
fn run_all(
    suite: &Suite,
    arguments: &EvidenceArgs,
    bundle: &mut Bundle,
    writing: &Writing,
    terminal: Terminal,
) -> Result<(Vec<Case>, Vec<Report>), OutputError> {
    let identity = run::identity();
    // Logs of events by their hashes, from the thread that made them to the one that writes.
    let logs: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let once = |loaded: &Loaded| {
        let mut ran = regression::once_as_written(loaded, &identity);
        if let Ok(text) = crate::run::event_log_of(&ran.journal) {
            let log = reports::EventLog::of("events.jsonl", &text);
            logs.lock().unwrap_or_else(PoisonError::into_inner).insert(log.sha256.clone(), text);
            ran.report.events = Some(log);
        }
        ran
    };
    let progress = Progress::new(suite.scenarios.len(), terminal);
    let mut written = Ok(());
    let mut kept = Vec::new();
    let cases = regression::run_suite(&suite.scenarios, arguments.suite.jobs(), &once, |index, case| {
        let loaded = &suite.scenarios[index];
        progress.tell(&loaded.scenario.name, &suite.words(index, case));
        if let (Ok(report), true) = (&case.result, written.is_ok()) {
            let hash = report.events.as_ref().map_or("", |log| log.sha256.as_str());
            let log = logs.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
            let log = log.filter(|text| text.len() <= EVENTS_BYTES_MAX);
            kept.push((index, log.is_some()));
            written = write_run(writing, &folder_of("runs", &loaded.scenario), loaded, report, log.as_deref());
        }
    });
    progress.done();
    written?;
    let mut reports = Vec::new();
    for (index, (loaded, case)) in suite.scenarios.iter().zip(&cases).enumerate() {
        match &case.result {
            Ok(report) => {
                bundle.runs.push(record(loaded, case, report, kept.contains(&(index, true))));
                reports.push(report.clone());
            }
            Err(panic) => {
                let why = format!("the twin panicked: {panic}");
                bundle.invalid.push(NotRun { planned: planned(&loaded.scenario), why });
            }
        }
    }
    Ok((cases, reports))
}

fn folder_of(kind: &str, scenario: &Scenario) -> String {
    format!("{kind}/{}/{}", scenario.name, scenario.seed)
}

fn record(loaded: &Loaded, case: &Case, report: &Report, events_kept: bool) -> RunRecord {
    RunRecord {
        name: report.scenario.name.clone(),
        seed: report.seed.to_string(),
        folder: folder_of("runs", &loaded.scenario),
        result_sha256: sha256(result_text(report).as_bytes()),
        events_kept,
        verdict: report.verdict,
        stated: regression::as_stated(&loaded.scenario, report),
        retries: regression::retries(report),
        difference: case
            .difference
            .as_ref()
            .map(|difference| regression::difference_text(difference).trim().to_owned()),
        origin: Origin::Run,
        build: report.build.clone(),
    }
}

/// The text of result.json.
pub(super) fn result_text(report: &Report) -> String {
    reports::to_json_line(report) + "\n"
}

/// Writes everything that belongs to a run.
fn write_run(
    writing: &Writing,
    folder: &str,
    loaded: &Loaded,
    report: &Report,
    events: Option<&str>,
) -> Result<(), OutputError> {
    let page = reports::html(report, events).map_err(|error| OutputError::text(&error))?;
    writing.write(&format!("{folder}/scenario.ron"), &report.scenario.resolved)?;
    writing.write(&format!("{folder}/result.json"), &result_text(report))?;
    writing.write(&format!("{folder}/report.html"), &page)?;
    if let Some(events) = events {
        writing.write(&format!("{folder}/events.jsonl"), events)?;
    }
    for (name, bytes) in super::stored::copies(loaded)? {
        writing.write(&format!("{folder}/{name}"), &bytes)?;
    }
    Ok(())
}

/// Takes over stored results of long scenarios; those without one are skipped by name.
fn take_stored(
    long: &[Loaded],
    arguments: &EvidenceArgs,
    bundle: &mut Bundle,
    reports: &mut Vec<Report>,
    writing: &Writing,
) -> Result<(), OutputError> {
    for loaded in long {
        let planned = planned(&loaded.scenario);
        match stored(&arguments.stored.join(&planned.name).join(&planned.seed), loaded) {
            Ok((report, events)) => {
                let folder = folder_of("stored", &loaded.scenario);
                write_run(writing, &folder, loaded, &report, events.as_deref())?;
                let case = Case { result: Ok(report.clone()), difference: None };
                bundle.runs.push(RunRecord {
                    folder,
                    origin: Origin::Stored,
                    ..record(loaded, &case, &report, events.is_some())
                });
                reports.push(report);
            }
            Err(why) => bundle.skipped.push(NotRun { planned, why: format!("tagged long; {why}") }),
        }
    }
    Ok(())
}

/// The stored result of a scenario with its log of events.
fn stored(folder: &Path, loaded: &Loaded) -> Result<(Report, Option<String>), String> {
    let text = std::fs::read_to_string(folder.join("result.json")).map_err(|_| "no stored result".to_owned())?;
    let report = reports::from_json(&text).map_err(|error| format!("its stored result is damaged: {error}"))?;
    if report.scenario.sha256 != loaded.scenario.sha256() {
        return Err("its stored result is of another state of the scenario".to_owned());
    }
    if result_text(&report) != text {
        return Err("its stored result is not as cooltwin writes it".to_owned());
    }
    let Some(log) = &report.events else { return Ok((report, None)) };
    let events =
        std::fs::read_to_string(folder.join(&log.file)).map_err(|_| "its log of events is missing".to_owned())?;
    if sha256(events.as_bytes()) != log.sha256 {
        return Err("its log of events is not that of its result".to_owned());
    }
    Ok((report, Some(events)))
}

/// Writes the record, what is rendered from it, baseline and sources.
fn finish(bundle: &Bundle, reports: &[Report], writing: Writing) -> Result<(), OutputError> {
    writing.write(BUNDLE_FILE, &reports::bundle_json(bundle))?;
    for (file, text) in reports::bundle_files(bundle, reports, reports::baseline()) {
        writing.write(&file, &text)?;
    }
    for (name, text) in reports::baseline_files() {
        writing.write(&format!("requirements/{name}"), text)?;
    }
    writing.write("sources/sources.sha256", evidence::SOURCES)?;
    writing.write("sources/Cargo.lock", evidence::CARGO_LOCK)?;
    writing.commit()
}

/// What is printed at the end; the verdict comes last.
fn summary(bundle: &Bundle, reports: &[Report], verdict: Verdict, out: &Path) -> String {
    let trace = reports::Trace::new(bundle, reports, reports::baseline());
    let mut text = String::new();
    let statuses: Vec<String> =
        Status::ALL.iter().map(|status| format!("{} {}", trace.count(*status), status.word())).collect();
    text += &format!("Requirements  {}\n", statuses.join("   "));
    let red = bundle.controls.iter().filter(|control| control.red).count();
    text += &format!("Controls      {red} of {} went red\n", bundle.controls.len());
    for each in bundle.invalid.iter().chain(&bundle.skipped) {
        text += &format!("Not run       {}: {}\n", each.planned.name, each.why);
    }
    match &bundle.coverage {
        Some(coverage) => {
            text += &format!("Coverage      {}\n", coverage.sentence());
            text.extend(coverage.stale.iter().map(|stale| format!("Stale reason  {stale}\n")));
        }
        None => text += "Coverage      NOT MEASURED: lines and branches of the firmware enter with --coverage FILE\n",
    }
    if bundle.test_log.is_none() {
        let only = trace.uncovered_with_tests();
        text += "Tests         NOT EXECUTED here: what `cargo test` printed enters with --test-log FILE\n";
        text +=
            &format!("              {only} of the uncovered requirements are such that tests of the firmware name\n");
    }
    if let Some(why) = dirty(bundle) {
        text += &format!("DIRTY         {why}\n");
    }
    let (runs, planned) = (bundle.runs.len(), bundle.planned.len());
    let uncovered = trace.count(Status::Uncovered);
    text += &format!("Bundle        {}\n", out.join("index.html").display());
    let word = verdict.word().to_uppercase();
    let coverage = match uncovered {
        0 => "coverage complete".to_owned(),
        _ => {
            let requirements = reports::counted(uncovered as u64, "requirement", "requirements");
            format!("COVERAGE INCOMPLETE: {requirements} in scope without executed evidence")
        }
    };
    text + &format!("{word}  {runs} of {planned} planned runs, {coverage}\n")
}
