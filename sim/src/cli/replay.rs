//! `cooltwin replay`: runs the scenario that a result holds once more and compares.
//!
//! What is run is the resolved text inside the result, not the scenario file, which may have changed since. That text and
//! the kept copies of the files that it names are what a replay proves: the scenario files that the result lists, and the
//! `--set` arguments, tell how the text came about and are taken from the result as they stand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::{Build, EventLog, Report};

use super::diff::{self, Log};
use super::stored::{Stored, scenario_inside, stored};
use super::{Style, Terminal, exit, run};
use crate::measure::journal::Journal;
use crate::regression;
use crate::run::event_log_of;

/// Arguments of `cooltwin replay`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    /// The result: result.json or its folder.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    style: Style,
}

/// Replays what `arguments` name: 0 when all is the same, 6 when the traces differ, 1 when only the results do, 2 when the
/// log beside the result is not the one that it names.
pub(super) fn replay(arguments: &ReplayArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match replayed(&arguments.result, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn replayed(path: &Path, terminal: Terminal) -> Result<(String, u8), u8> {
    let stored = stored(path, terminal)?;
    let log = diff::log_of(&stored, terminal)?;
    let Stored { report: told, folder } = stored;
    let loaded = scenario_inside(&told, &folder, terminal)?;
    let ran = regression::once_as_written(&loaded, &run::identity());
    let mut again = ran.report;
    again.events = log_of(&told, &ran.journal, terminal)?;
    // How the scenario came about is not what is replayed.
    again.scenario.overrides.clone_from(&told.scenario.overrides);
    again.inputs.clone_from(&told.inputs);
    let title = format!("{}, seed {}", told.scenario.name, told.seed);
    let builds = builds(&told.build, &again.build);
    let domains = regression::unequal_domains(&told.fingerprint, &again.fingerprint);
    let fields = regression::fields_that_differ(&told, &again, &["fingerprint", "build"]);
    let (text, code) = match (domains.first(), fields.is_empty()) {
        (None, true) => (format!("EQUAL  {title}: trace {} again\n", again.fingerprint.all), exit::PASS),
        (None, false) => {
            (format!("DIFFERENT RESULT  {title}: the trace is the same, but not {}\n", fields.join(", ")), exit::FAIL)
        }
        (Some(_), _) => (format!("DIFFERENT TRACE  {title}: in {}\n", domains.join(", ")), exit::FINGERPRINT),
    };
    let compared = if code == exit::PASS {
        String::new()
    } else {
        regression::comparison_text(&regression::compare(&told, &again), terminal.result_color())
    };
    Ok((compared + &builds + &not_compared(&log, told.events.is_some()) + &text, code))
}

/// Says so when there is no log to compare; of one that is missing, the result still tells the SHA-256.
fn not_compared(log: &Log, named: bool) -> String {
    match log {
        Log::Found { .. } => String::new(),
        Log::Missing { why } if named => {
            format!("the events are not compared line by line: {why}; the result's SHA-256 of them is\n")
        }
        Log::Missing { why } => format!("the events are not compared: {why}\n"),
    }
}

/// The log of the new run, where the result names one.
fn log_of(told: &Report, journal: &Journal, terminal: Terminal) -> Result<Option<EventLog>, u8> {
    let Some(log) = &told.events else { return Ok(None) };
    let text = event_log_of(journal).map_err(|error| {
        terminal.diagnostic(&format!("error: {error}\n"));
        exit::OWN_FAULT
    })?;
    Ok(Some(EventLog::of(&log.file, &text)))
}

/// Says so when another build made the result.
fn builds(told: &Build, own: &Build) -> String {
    if told == own {
        return String::new();
    }
    let text = |build: &Build| format!("{} ({}, rustc {})", build.version, build.commit, build.rustc);
    format!("another build made the result: {}\nthis build is                  {}\n", text(told), text(own))
}
