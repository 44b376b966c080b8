//! `cooltwin verify`: holds an evidence bundle against its manifest, this program and runs of its own.
//!
//! Four questions, each asked whatever the others gave: are all files those of the manifest and no others; are program,
//! baseline and plan as they say; do the pages follow from the records; does each run give the same again? A run is made
//! from the resolved text in its record and the kept copies of the files that it names: these are proven. The scenario
//! files and `--set` arguments that a record lists tell how that text came about, and are compared with nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::{BUNDLE_FILE, Baseline, Bundle, Origin, Report, RunRecord, sha256};

use super::check::Progress;
use super::evidence::{MANIFEST, own_program};
use super::stored::scenario_inside;
use super::suite::LONG;
use super::{Style, Terminal, exit, run};
use crate::evidence::compare::{Finding, Kind, builds};
use crate::evidence::{self, compare};
use crate::regression::{self, Case};
use crate::scenario::Loaded;

/// Findings of one kind that are printed; more are counted.
const SHOWN_MAX: usize = 40;

/// Arguments of `cooltwin verify`.
#[derive(Args, Clone, Debug)]
pub(super) struct VerifyArgs {
    /// The bundle.
    #[arg(value_name = "DIR")]
    bundle: PathBuf,
    /// Runs at a time; as many as there are processors where not given. It changes no result.
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZero<usize>>,
    /// How the result is printed.
    #[command(flatten)]
    style: Style,
}

/// Verifies what `arguments` name: 0 when all is the same, 6 when a trace differs, 1 when anything was altered, 5 when
/// nothing was and another build made the bundle.
pub(super) fn verify(arguments: &VerifyArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match verified(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn verified(arguments: &VerifyArgs, terminal: Terminal) -> Result<(String, u8), u8> {
    let refuse = |why: String| {
        terminal.diagnostic(&format!("error: {why}\n"));
        exit::USAGE
    };
    let folder = &arguments.bundle;
    let mut findings = manifest(folder).map_err(refuse)?;
    let bundle = record(folder).map_err(refuse)?;
    let own = own_program().map_err(|error| refuse(error.to_string()))?;
    let own_build = builds(&bundle.program, &own).is_empty();
    match requirements(folder) {
        Ok(told) => findings.extend(compare(&bundle, &told, &own, reports::baseline())),
        Err(why) => {
            findings.push(Finding::new(Kind::Altered, why));
            findings.extend(compare(&bundle, reports::baseline(), &own, reports::baseline()));
        }
    }
    let (reports, missing) = results(folder, &bundle);
    let whole = missing.is_empty();
    findings.extend(missing);
    if own_build && whole {
        let reports: Vec<Report> = reports.iter().map(|(_, report)| report.clone()).collect();
        findings.extend(pages(folder, &bundle, &reports));
    }
    findings.extend(controls(&bundle));
    let unfounded = stored_without_reason(folder, &reports, terminal);
    let again = run_again(arguments, &reports, terminal);
    let held = reports.len() - unfounded.len() - again.len();
    findings.extend(unfounded);
    findings.extend(again);
    Ok(told(&findings, &bundle, held, folder))
}

/// Holds every file against the manifest.
fn manifest(folder: &Path) -> Result<Vec<Finding>, String> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} is no evidence bundle: cannot read {MANIFEST}: {error}", folder.display()))?;
    let mut found = files(folder)?;
    found.remove(MANIFEST);
    let mut findings = Vec::new();
    for line in text.lines() {
        let Some((hash, file)) = line.split_once("  ") else { return Err(format!("{}: {line}", path.display())) };
        if !found.remove(file) {
            findings.push(Finding::new(Kind::Altered, format!("{file} is missing")));
            continue;
        }
        let bytes = std::fs::read(folder.join(file)).map_err(|error| format!("cannot read {file}: {error}"))?;
        if sha256(&bytes) != hash {
            findings.push(Finding::new(
                Kind::Altered,
                format!("{file} was altered: its SHA-256 is not that of the manifest"),
            ));
        }
    }
    findings
        .extend(found.into_iter().map(|file| Finding::new(Kind::Altered, format!("{file} is not in the manifest"))));
    Ok(findings)
}

/// All files below a folder, with `/` between the parts of their names.
fn files(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let wrong = |error: std::io::Error| format!("cannot read {}: {error}", root.join(&folder).display());
        for entry in std::fs::read_dir(root.join(&folder)).map_err(wrong)? {
            let path = folder.join(entry.map_err(wrong)?.file_name());
            if root.join(&path).is_dir() {
                folders.push(path);
            } else {
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                found.insert(parts.join("/"));
            }
        }
    }
    Ok(found)
}

fn record(folder: &Path) -> Result<Bundle, String> {
    let path = folder.join(BUNDLE_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    reports::bundle_from_json(&text).map_err(|why| format!("{}: {why}", path.display()))
}

/// The baseline as the bundle has it.
fn requirements(folder: &Path) -> Result<Baseline, String> {
    let mut tables = BTreeMap::new();
    for (name, _) in reports::baseline_files() {
        let text = std::fs::read_to_string(folder.join("requirements").join(name));
        let text = text.map_err(|error| format!("the baseline cannot be read: requirements/{name}: {error}"))?;
        tables.insert(name.to_owned(), text);
    }
    reports::parse_baseline(&tables).map_err(|why| format!("the baseline cannot be read: {why}"))
}

/// The results of the runs, and what is wrong with those that have none.
fn results<'a>(folder: &Path, bundle: &'a Bundle) -> (Vec<(&'a RunRecord, Report)>, Vec<Finding>) {
    let (mut reports, mut findings) = (Vec::new(), Vec::new());
    for run in &bundle.runs {
        match result(folder, run) {
            Ok(report) => reports.push((run, report)),
            Err(why) => {
                findings.push(Finding::new(Kind::Altered, format!("run {}, seed {}: {why}", run.name, run.seed)))
            }
        }
    }
    (reports, findings)
}

fn result(folder: &Path, run: &RunRecord) -> Result<Report, String> {
    let path = folder.join(&run.folder).join("result.json");
    let text = std::fs::read_to_string(&path).map_err(|_| "its result is missing".to_owned())?;
    if sha256(text.as_bytes()) != run.result_sha256 {
        return Err("its result is not the one of the record".to_owned());
    }
    let report = reports::from_json(&text).map_err(|error| format!("its result is damaged: {error}"))?;
    if report.scenario.name != run.name || report.seed.to_string() != run.seed || report.verdict != run.verdict {
        return Err("its result is of another run".to_owned());
    }
    if report.build != run.build {
        return Err("its result is of another build than the record says".to_owned());
    }
    if let Some(log) = report.events.as_ref().filter(|_| run.events_kept) {
        let bytes =
            std::fs::read(folder.join(&run.folder).join(&log.file)).map_err(|_| "its log of events is missing")?;
        if sha256(&bytes) != log.sha256 {
            return Err("its log of events is not that of its result".to_owned());
        }
    }
    Ok(report)
}

/// Renders everything again from the records and compares each byte.
fn pages(folder: &Path, bundle: &Bundle, reports: &[Report]) -> Vec<Finding> {
    let mut wanted = reports::bundle_files(bundle, reports, reports::baseline());
    wanted.insert(BUNDLE_FILE.to_owned(), reports::bundle_json(bundle));
    wanted.insert("sources/sources.sha256".to_owned(), evidence::SOURCES.to_owned());
    wanted.insert("sources/Cargo.lock".to_owned(), evidence::CARGO_LOCK.to_owned());
    for (run, report) in bundle.runs.iter().zip(reports) {
        let events = report
            .events
            .as_ref()
            .and_then(|log| std::fs::read_to_string(folder.join(&run.folder).join(&log.file)).ok());
        wanted.insert(format!("{}/scenario.ron", run.folder), report.scenario.resolved.clone());
        // A log that is not that of its result was named with the result.
        if let Ok(page) = reports::html(report, events.as_deref()) {
            wanted.insert(format!("{}/report.html", run.folder), page);
        }
    }
    let differs =
        |(file, text): &(String, String)| std::fs::read_to_string(folder.join(file)).ok().as_ref() != Some(text);
    let told =
        |(file, _)| Finding::new(Kind::Altered, format!("{file} does not follow from the records of the bundle"));
    wanted.into_iter().filter(differs).map(told).collect()
}

/// Tries the controls again.
fn controls(bundle: &Bundle) -> Vec<Finding> {
    let again = evidence::controls_tried();
    if again == bundle.controls {
        return Vec::new();
    }
    let green = again.iter().filter(|control| !control.red);
    let mut findings: Vec<Finding> = green
        .map(|control| Finding::new(Kind::Result, format!("control of {} stays green: {}", control.row, control.why)))
        .collect();
    findings.push(Finding::new(Kind::Result, "the must-fail controls are not those of this program"));
    findings
}

/// Stored results are not run again, so that only a scenario which says that it is long may enter as one.
fn stored_without_reason(folder: &Path, reports: &[(&RunRecord, Report)], terminal: Terminal) -> Vec<Finding> {
    let stored = reports.iter().filter(|(record, _)| record.origin == Origin::Stored);
    let is_long = |report: &Report, run: &RunRecord| {
        let loaded = scenario_inside(report, &folder.join(&run.folder), terminal);
        loaded.is_ok_and(|loaded| loaded.scenario.tags.iter().any(|tag| tag == LONG))
    };
    let told = |(run, _): &(&RunRecord, Report)| {
        let text =
            format!("run {}, seed {}: it is said to be stored, and its scenario has no tag {LONG}", run.name, run.seed);
        Finding::new(Kind::Altered, text)
    };
    stored.filter(|(run, report)| !is_long(report, run)).map(told).collect()
}

/// Runs each run again, twice, and compares: one finding for each that does not hold.
fn run_again(arguments: &VerifyArgs, reports: &[(&RunRecord, Report)], terminal: Terminal) -> Vec<Finding> {
    let identity = run::identity();
    let (mut loaded, mut told, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for (record, report) in reports.iter().filter(|(record, _)| record.origin == Origin::Run) {
        match scenario_inside(report, &arguments.bundle.join(&record.folder), terminal) {
            Ok(scenario) => {
                loaded.push(scenario);
                told.push(report);
            }
            Err(_) => {
                let text = format!("run {}, seed {}: its scenario cannot be run again", record.name, record.seed);
                findings.push(Finding::new(Kind::Altered, text));
            }
        }
    }
    let jobs = super::jobs(arguments.jobs);
    let once = |loaded: &Loaded| {
        let mut ran = regression::once_as_written(loaded, &identity);
        ran.report.events =
            crate::run::event_log_of(&ran.journal).ok().map(|text| reports::EventLog::of("events.jsonl", &text));
        ran
    };
    let progress = Progress::new(loaded.len(), terminal);
    let cases = regression::run_suite(&loaded, jobs, &once, |index, case| {
        progress.tell(
            &loaded[index].scenario.name,
            if same(told[index], case).is_none() { "same again" } else { "DIFFERS" },
        );
    });
    progress.done();
    findings.extend(told.iter().zip(&cases).filter_map(|(told, case)| same(told, case)));
    findings
}

/// How the second run of a result differs from it.
fn same(told: &Report, case: &Case) -> Option<Finding> {
    let name = format!("run {}, seed {}", told.scenario.name, told.seed);
    let again = match (&case.result, &case.difference) {
        (Err(panic), _) => return Some(Finding::new(Kind::Result, format!("{name}: the twin panicked: {panic}"))),
        (_, Some(_)) => return Some(Finding::new(Kind::Trace, format!("{name}: two runs of it differ"))),
        (Ok(again), None) => again,
    };
    let mut again = again.clone();
    // How the scenario came about is not what is run again.
    again.scenario.overrides.clone_from(&told.scenario.overrides);
    again.inputs.clone_from(&told.inputs);
    let domains = regression::unequal_domains(&told.fingerprint, &again.fingerprint);
    if !domains.is_empty() {
        return Some(Finding::new(Kind::Trace, format!("{name}: the trace differs in {}", domains.join(", "))));
    }
    let fields = regression::fields_that_differ(told, &again, &["fingerprint", "build"]);
    let text = format!("{name}: the trace is the same, but not {}", fields.join(", "));
    (!fields.is_empty()).then(|| Finding::new(Kind::Result, text))
}

/// How many of the planned runs held, and what is to be known of those that were not run again.
fn counted(bundle: &Bundle, held: usize) -> String {
    let of = |count: usize, what: &str| if count == 0 { String::new() } else { format!("; {count} {what}") };
    let stored = bundle.runs.iter().filter(|run| run.origin == Origin::Stored).count();
    format!(
        "{held} of {} held{}{}",
        reports::counted(bundle.planned.len() as u64, "run", "runs"),
        of(stored, "stored, not run again"),
        of(bundle.skipped.len() + bundle.invalid.len(), "not in the bundle")
    )
}

/// What is printed, and the exit code.
fn told(findings: &[Finding], bundle: &Bundle, held: usize, folder: &Path) -> (String, u8) {
    let mut text = String::new();
    for kind in [Kind::Trace, Kind::Result, Kind::Altered, Kind::OtherBuild] {
        let of: Vec<&Finding> = findings.iter().filter(|finding| finding.kind == kind).collect();
        for finding in of.iter().take(SHOWN_MAX) {
            text += &format!("{}  {}\n", word(kind), finding.text);
        }
        if of.len() > SHOWN_MAX {
            text += &format!("{}  and {} more\n", word(kind), of.len() - SHOWN_MAX);
        }
    }
    let worst = findings.iter().map(|finding| finding.kind).max();
    let (verdict, code) = match worst {
        None => ("VERIFIED", exit::PASS),
        Some(Kind::OtherBuild) => ("INCONCLUSIVE", exit::INCONCLUSIVE),
        Some(Kind::Altered | Kind::Result) => ("NOT VERIFIED", exit::FAIL),
        Some(Kind::Trace) => ("NOT VERIFIED", exit::FINGERPRINT),
    };
    let what = match worst {
        None => "every file, requirement, page and run is as the bundle says".to_owned(),
        Some(Kind::OtherBuild) => {
            "no alteration was found and every run gives the same again, but another build made it".to_owned()
        }
        Some(_) => format!("{} things are not as the bundle says", findings.len()),
    };
    text += &format!("{verdict}  {}: {what} ({})\n", folder.display(), counted(bundle, held));
    (text, code)
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Trace => "TRACE      ",
        Kind::Result => "RESULT     ",
        Kind::Altered => "ALTERED    ",
        Kind::OtherBuild => "OTHER BUILD",
    }
}
