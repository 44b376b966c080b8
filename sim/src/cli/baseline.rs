//! `cooltwin baseline update|show`: the committed margins that `check` holds new ones against.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use reports::Report;

use super::check::{self, SuiteArgs};
use super::output::replace_file;
use super::suite::{Suite, load_suite};
use super::{Style, Terminal, exit};
use crate::regression::{self, Baseline, Standing, Wanted};

/// The baseline of the shipped scenarios.
pub(super) const DEFAULT_FILE: &str = "reports/baselines/scenarios.txt";

/// Subcommands of `cooltwin baseline`.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum BaselineCommand {
    /// Run the scenarios and write their margins; prints what changed. Nothing is written unless all stand well.
    Update {
        /// Which scenarios, and how many at a time. Files named one by one leave the other scenarios of the baseline
        /// as they are.
        #[command(flatten)]
        suite: SuiteArgs,
        /// Baseline to write, instead of reports/baselines/scenarios.txt.
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        style: Style,
    },
    /// Print a baseline with its tolerances.
    Show {
        /// Baseline to print, instead of reports/baselines/scenarios.txt.
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        style: Style,
    },
}

/// Does what `command` says.
pub(super) fn baseline(command: &BaselineCommand) -> ExitCode {
    match command {
        BaselineCommand::Update { suite, baseline, style } => {
            let terminal = Terminal::new(style);
            let path = baseline.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            ended(terminal, update(suite, path, terminal))
        }
        BaselineCommand::Show { baseline, style } => {
            let terminal = Terminal::new(style);
            ended(terminal, show(baseline.as_deref(), terminal))
        }
    }
}

fn ended(terminal: Terminal, result: Result<(String, u8), u8>) -> ExitCode {
    match result {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

/// The baseline that is asked for, with its path. The one of the shipped scenarios may be missing unless it is `needed`.
///
/// # Errors
/// The exit code: it cannot be read, or is no baseline.
pub(super) fn find(asked: Option<&Path>, needed: bool, terminal: Terminal) -> Result<Option<(PathBuf, Baseline)>, u8> {
    let path = asked.unwrap_or(Path::new(DEFAULT_FILE));
    if asked.is_none() && !needed && !path.exists() {
        return Ok(None);
    }
    let baseline = read(path, terminal)?;
    named(&baseline, path, terminal)?;
    Ok(Some((path.to_owned(), baseline)))
}

/// Refuses a baseline with a tolerance that nothing in it has.
fn named(baseline: &Baseline, path: &Path, terminal: Terminal) -> Result<(), u8> {
    let Some(why) = baseline.misnamed_tolerance() else { return Ok(()) };
    terminal.diagnostic(&format!("error: {}: {why}\nhelp: mend it by hand under [tolerances]\n", path.display()));
    Err(exit::INVALID)
}

fn read(path: &Path, terminal: Terminal) -> Result<Baseline, u8> {
    let text = fs::read_to_string(path).map_err(|error| {
        terminal.diagnostic(&format!(
            "error: cannot read the baseline {}: {error}\nhelp: `cooltwin baseline update` writes one\n",
            path.display()
        ));
        exit::USAGE
    })?;
    Baseline::parse(&text).map_err(|error| {
        terminal.diagnostic(&format!("error: {} is no baseline: {error}\n", path.display()));
        exit::INVALID
    })
}

fn show(asked: Option<&Path>, terminal: Terminal) -> Result<(String, u8), u8> {
    let path = asked.unwrap_or(Path::new(DEFAULT_FILE));
    let baseline = read(path, terminal)?;
    named(&baseline, path, terminal)?;
    Ok((regression::margins_text(&baseline, terminal.result_color()), exit::PASS))
}

/// Runs, and writes if everything stands well.
fn update(arguments: &SuiteArgs, path: &Path, terminal: Terminal) -> Result<(String, u8), u8> {
    let old = if path.exists() { read(path, terminal)? } else { Baseline::default() };
    let suite = load_suite(&arguments.paths, terminal)?;
    let cases = check::run_all(&suite, arguments.jobs(), Some(terminal));
    let standing = check::standing(&suite, &cases, Wanted::default());
    if standing != Standing::Good {
        let why = check::complaints(&suite, &cases, terminal);
        let text = format!("{why}Nothing was written: a baseline is made of runs that stand well.\n");
        return Ok((text, check::exit_code(standing)));
    }
    let reports = check::reports(&cases);
    let new = renewed(&old, &suite, &reports);
    named(&new, path, terminal)?;
    let changes = changes(&old, &new, &suite, &reports, terminal);
    replace_file(path, &new.text()).map_err(|error| {
        terminal.diagnostic(&format!("error: {error}\n"));
        exit::USAGE
    })?;
    Ok((format!("{}: {changes}", path.display()), exit::PASS))
}

/// The old baseline with what was run in it; of a whole folder nothing else stays but the tolerances.
fn renewed(old: &Baseline, suite: &Suite, reports: &[&Report]) -> Baseline {
    let mut new = if suite.whole_folder {
        Baseline { tolerances: old.tolerances.clone(), ..Baseline::default() }
    } else {
        old.clone()
    };
    reports.iter().for_each(|report| new.take(report));
    new
}

fn changes(old: &Baseline, new: &Baseline, suite: &Suite, reports: &[&Report], terminal: Terminal) -> String {
    let mut drift = regression::drift(old, reports);
    let kept = new.scenarios();
    drift.not_run.retain(|name| !kept.contains(name.as_str()));
    let text = regression::drift_text(&drift, terminal.result_color());
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let counts = format!("{}, {}\n", count(kept.len(), "scenario"), count(new.margins.len(), "margin"));
    text + &suite.left_out_text() + &counts
}
