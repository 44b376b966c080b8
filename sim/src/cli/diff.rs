//! `cooltwin diff`: two results side by side and the first event that differs.
//!
//! A log of events that is not the one its result names is refused, as `report` refuses it: what it says is of another run.
//! A log that only one side has can be held against nothing: whether both tell the same is open then, and not a pass.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::Report;

use super::stored::{Stored, stored};
use super::{Style, Terminal, exit};
use crate::regression::{self, Comparison};

/// Arguments of `cooltwin diff`.
#[derive(Args, Clone, Debug)]
pub(super) struct DiffArgs {
    /// One result: result.json or its folder.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    style: Style,
}

/// Compares what `arguments` name: 0 when equal, whichever program made them, 6 when the traces differ, 1 when only the
/// results or the logs do, 5 when nothing differs and only one side has its log.
pub(super) fn diff(arguments: &DiffArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match compared(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn compared(arguments: &DiffArgs, terminal: Terminal) -> Result<(String, u8), u8> {
    let (a, b) = (stored(&arguments.a, terminal)?, stored(&arguments.b, terminal)?);
    let comparison = regression::compare(&a.report, &b.report);
    let named = format!("A  {}\nB  {}\n", title(&arguments.a, &a.report), title(&arguments.b, &b.report));
    let text = named + &regression::comparison_text(&comparison, terminal.result_color());
    let (events, logs) = events(&a, &b, &comparison, terminal)?;
    let code = match (code(&comparison), logs) {
        (exit::PASS, Logs::Part) => exit::FAIL,
        (exit::PASS, Logs::OneIsMissing) => exit::INCONCLUSIVE,
        (code, _) => code,
    };
    Ok((text + &events, code))
}

fn title(path: &Path, report: &Report) -> String {
    let (name, seed, verdict) = (&report.scenario.name, report.seed, report.verdict.word());
    format!("{}: {name}, seed {seed}, {verdict}", path.display())
}

/// What the event logs of both sides come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logs {
    /// They are equal, or no side has one.
    TellNothing,
    /// They differ.
    Part,
    /// One side has its log and the other does not.
    OneIsMissing,
}

/// The event log of a result.
pub(super) enum Log {
    Found { file: PathBuf, text: String },
    Missing { why: String },
}

/// Where the event logs part, in words, and what that comes to.
fn events(a: &Stored, b: &Stored, comparison: &Comparison, terminal: Terminal) -> Result<(String, Logs), u8> {
    let told = |text: &str, logs| Ok((format!("{text}\n"), logs));
    let not_compared = "the events are not compared";
    let [(file_a, text_a), (file_b, text_b)] = match (log_of(a, terminal)?, log_of(b, terminal)?) {
        (Log::Found { file: file_a, text: a }, Log::Found { file: file_b, text: b }) => [(file_a, a), (file_b, b)],
        (Log::Missing { why: a }, Log::Missing { why: b }) => {
            return told(&format!("{not_compared}: {a}, and {b}: the results alone decide"), Logs::TellNothing);
        }
        (Log::Missing { why }, Log::Found { file, .. }) | (Log::Found { file, .. }, Log::Missing { why }) => {
            let file = file.display();
            return told(
                &format!("{not_compared}: {why}, and nothing tells what {file} parts from"),
                Logs::OneIsMissing,
            );
        }
    };
    match regression::divergence_of_logs(&text_a, &text_b) {
        Ok(Some(divergence)) => Ok((regression::divergence_text(&divergence, ["A", "B"]), Logs::Part)),
        Ok(None) if comparison.domains.is_empty() => told("the event logs are equal", Logs::TellNothing),
        Ok(None) => {
            told("the event logs are equal: what differs are single frames or flash operations", Logs::TellNothing)
        }
        Err((log, error)) => {
            let file = [file_a, file_b][log].display().to_string();
            terminal.diagnostic(&format!("error: {file}: {error}\n"));
            Err(exit::USAGE)
        }
    }
}

/// Reads the log that a result names.
///
/// # Errors
/// The exit code, after a diagnostic: it cannot be read, or is not the one that the result names.
pub(super) fn log_of(result: &Stored, terminal: Terminal) -> Result<Log, u8> {
    let Some(log) = &result.report.events else {
        return Ok(Log::Missing { why: format!("the result in {} names no log", result.folder.display()) });
    };
    let file = result.folder.join(&log.file);
    let refuse = |why: String| {
        terminal.diagnostic(&format!("error: {}: {why}\n", file.display()));
        exit::USAGE
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Log::Missing { why: format!("{} is missing", file.display()) });
        }
        Err(error) => return Err(refuse(error.to_string())),
    };
    let (found, wanted) = (reports::sha256(text.as_bytes()), &log.sha256);
    if found != *wanted {
        return Err(refuse(format!("not the log of its result: SHA-256 {found}, the result names {wanted}")));
    }
    Ok(Log::Found { file, text })
}

fn code(comparison: &Comparison) -> u8 {
    match (comparison.is_equal(), comparison.domains.is_empty()) {
        (true, _) => exit::PASS,
        (false, true) => exit::FAIL,
        (false, false) => exit::FINGERPRINT,
    }
}
