//! `cooltwin diff`: two results side by side and the first event that differs.
//!
//! A log of events that is not the one its result names is refused, as `report` refuses it: what it says is of another run.

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
/// results or the logs do.
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
    let (events, part) = events(&a, &b, &comparison, terminal)?;
    let least = if part { exit::FAIL } else { exit::PASS };
    Ok((text + &events, code(&comparison).max(least)))
}

fn title(path: &Path, report: &Report) -> String {
    let (name, seed, verdict) = (&report.scenario.name, report.seed, report.verdict.word());
    format!("{}: {name}, seed {seed}, {verdict}", path.display())
}

/// Where the event logs part, and whether they do.
fn events(a: &Stored, b: &Stored, comparison: &Comparison, terminal: Terminal) -> Result<(String, bool), u8> {
    let mut texts = Vec::new();
    for result in [a, b] {
        let Some(log) = &result.report.events else {
            let folder = result.folder.display();
            return Ok((format!("the events are not compared: {folder}: its result names no log\n"), false));
        };
        let file = result.folder.join(&log.file);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => return Ok((format!("the events are not compared: {}: {error}\n", file.display()), false)),
        };
        let found = reports::sha256(text.as_bytes());
        if found != log.sha256 {
            let (file, wanted) = (file.display(), &log.sha256);
            terminal.diagnostic(&format!(
                "error: {file}: not the log of its result: SHA-256 {found}, the result names {wanted}\n"
            ));
            return Err(exit::USAGE);
        }
        texts.push(text);
    }
    let told = |text: &str| Ok((text.to_owned(), false));
    match regression::divergence_of_logs(&texts[0], &texts[1]) {
        Ok(Some(divergence)) => Ok((regression::divergence_text(&divergence, ["A", "B"]), true)),
        Ok(None) if comparison.domains.is_empty() => told("the event logs are equal\n"),
        Ok(None) => told("the event logs are equal: what differs are single frames or flash operations\n"),
        Err((log, error)) => {
            let folder = [a, b][log].folder.display();
            terminal.diagnostic(&format!("error: {folder}/events.jsonl: {error}\n"));
            Err(exit::USAGE)
        }
    }
}

fn code(comparison: &Comparison) -> u8 {
    match (comparison.is_equal(), comparison.domains.is_empty()) {
        (true, _) => exit::PASS,
        (false, true) => exit::FAIL,
        (false, false) => exit::FINGERPRINT,
    }
}
