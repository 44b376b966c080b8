//! `cooltwin shrink`: the smallest scenario that still fails the same way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::Verdict;
use reports::campaign::campaign_from_json;

use super::output::{OutputError, replace_file};
use super::{Disk, Style, Terminal, exit, files, stored};
use crate::campaign::shrink::{RUNS_DEFAULT, Shrunk, move_inputs, readable, rename, shrink as smallest};
use crate::campaign::trial::{self, judge_scenario};
use crate::scenario::loader::beside;
use crate::scenario::{Scenario, load};

/// Arguments of `cooltwin shrink`.
#[derive(Args, Clone, Debug)]
pub(super) struct ShrinkArgs {
    /// A result (its folder or result.json), a scenario file, or the folder of a campaign: then its first failed trial.
    /// What did not fail is nothing to shrink: the command ends with 4 and writes nothing.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// File to write, instead of NAME-shrunk.ron here; configurations that it needs go to a folder beside it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Runs to spend at most.
    #[arg(long, value_name = "N", default_value_t = RUNS_DEFAULT)]
    runs: u32,
    /// How problems are printed.
    #[command(flatten)]
    style: Style,
}

/// Shrinks what `arguments` name: [`exit::NOTHING`] where it did not fail, whatever it is.
pub(super) fn shrink(arguments: &ShrinkArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let scenario = match scenario_of(&arguments.result, terminal) {
        Ok(scenario) => scenario,
        Err(code) => return code.into(),
    };
    if let Some(why) = passed(&arguments.result, &scenario) {
        terminal.diagnostic(&format!("error: {why}\n"));
        return exit::NOTHING.into();
    }
    let Some(mut shrunk) = smallest(&scenario, arguments.runs, &trial::plain) else {
        terminal.diagnostic(&format!("error: {} does not fail: there is nothing to shrink\n", scenario.name));
        return exit::NOTHING.into();
    };
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-shrunk.ron", scenario.name)));
    rename(&mut shrunk, &scenario, &own_name(&scenario, &path));
    if let Err(error) = write(&mut shrunk, &path) {
        terminal.diagnostic(&format!("error: {error}\n"));
        return exit::USAGE.into();
    }
    terminal.finish(&told(&scenario, &shrunk, &path), exit::PASS)
}

/// Writes what is left, and in a folder beside it named after it the configurations that it needs.
fn write(shrunk: &mut Shrunk, path: &Path) -> Result<(), OutputError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    for (name, bytes) in move_inputs(shrunk, &format!("{stem}-inputs")) {
        replace_file(&beside(path, &name), &bytes)?;
    }
    replace_file(path, &readable(shrunk))
}

/// The name of the smaller scenario: that of its file, unless the one it came from has it.
fn own_name(before: &Scenario, file: &Path) -> String {
    let stem = file.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
    if stem.is_empty() || stem == before.name { format!("{}-shrunk", before.name) } else { stem }
}

/// Why a run is nothing to shrink: it passed. A trial may have passed and still have missed its campaign's claim.
fn passed(path: &Path, scenario: &Scenario) -> Option<String> {
    if path.join("campaign.json").is_file() {
        return None;
    }
    let judged = judge_scenario(scenario, None, &trial::plain);
    let passed = judged.report.is_some_and(|report| report.verdict == Verdict::Pass);
    passed.then(|| format!("{}: this run passed, nothing to shrink", scenario.name))
}

fn told(before: &Scenario, after: &Shrunk, path: &Path) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let size = |scenario: &Scenario| {
        format!(
            "{}, {}, image {}",
            plural(scenario.faults.len(), "fault"),
            plural(usize::from(scenario.pumps.count), "pump"),
            scenario.package.image.length
        )
    };
    let end = if after.complete { "no further step helps" } else { "the runs are used up: --runs gives more" };
    format!(
        "{}: {} -> {} after {} ({end})\nfails the same way: {} {}\ncooltwin run {}\n",
        before.name,
        size(before),
        size(&after.scenario),
        plural(after.runs as usize, "run"),
        after.failure.class.word(),
        after.failure.rows.join(", "),
        path.display()
    )
}

/// The scenario of a result, of a file, or of the first failed trial of a campaign.
fn scenario_of(path: &Path, terminal: Terminal) -> Result<Scenario, u8> {
    let report = path.join("campaign.json");
    if report.is_file() {
        let first = first_failed(&report).map_err(|(why, code)| {
            terminal.diagnostic(&format!("error: {}: {why}\n", report.display()));
            code
        })?;
        return file(&path.join(first), terminal);
    }
    if path.extension().is_some_and(|extension| extension == "ron") {
        return file(path, terminal);
    }
    let stored = stored::stored(path, terminal)?;
    stored::scenario_inside(&stored.report, &stored.folder, terminal).map(|loaded| loaded.scenario)
}

fn file(path: &Path, terminal: Terminal) -> Result<Scenario, u8> {
    load(&Disk, path, &[]).map(|loaded| loaded.scenario).map_err(|error| files::print(&error, terminal))
}

/// The file of the first failed trial that has one.
fn first_failed(report: &Path) -> Result<String, (String, u8)> {
    let text = fs::read_to_string(report).map_err(|error| (error.to_string(), exit::USAGE))?;
    let report = campaign_from_json(&text).map_err(|error| (error, exit::USAGE))?;
    let mut commands = report.failed.iter().filter_map(|replay| replay.command.strip_prefix("cooltwin run "));
    commands.next().map(str::to_owned).ok_or(("no trial failed: there is nothing to shrink".to_owned(), exit::NOTHING))
}
