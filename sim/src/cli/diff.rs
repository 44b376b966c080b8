//! `cooltwin diff`: two results side by side and the first event that differs.

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

/// Compares what `arguments` name: 0 when equal, 6 when the traces differ, 1 when only the results do.
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
    let events = events(&a, &b, &comparison, terminal)?;
    Ok((text + &events, code(&comparison)))
}

fn title(path: &Path, report: &Report) -> String {
    let (name, seed, verdict) = (&report.scenario.name, report.seed, report.verdict.word());
    format!("{}: {name}, seed {seed}, {verdict}", path.display())
}

/// Where the event logs part.
fn events(a: &Stored, b: &Stored, comparison: &Comparison, terminal: Terminal) -> Result<String, u8> {
    let mut texts = Vec::new();
    for result in [a, b] {
        let file = result.folder.join("events.jsonl");
        match std::fs::read_to_string(&file) {
            Ok(text) => texts.push(text),
            Err(error) => return Ok(format!("the events are not compared: {}: {error}\n", file.display())),
        }
    }
    match regression::divergence_of_logs(&texts[0], &texts[1]) {
        Ok(Some(divergence)) => Ok(regression::divergence_text(&divergence, ["A", "B"])),
        Ok(None) if comparison.domains.is_empty() => Ok("the event logs are equal\n".to_owned()),
        Ok(None) => Ok("the event logs are equal: what differs are single frames or flash operations\n".to_owned()),
        Err((log, error)) => {
            let file = [a, b][log].folder.join("events.jsonl");
            terminal.diagnostic(&format!("error: {}: {error}\n", file.display()));
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
