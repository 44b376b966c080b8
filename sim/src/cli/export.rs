//! `cooltwin export`: traces of a run that is over.
//!
//! A recording holds all they need. A result does not: its scenario is run again, which gives the same run bit for bit
//! as long as the program is the same; the fingerprint tells whether it is.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::Report;

use super::run::{identity, run_watched};
use super::stored::scenario_inside;
use super::traces::Traces;
use super::{Style, Terminal, TraceArgs, exit};
use crate::run::recording::Reader;
use crate::run::report;

/// Arguments of `cooltwin export`.
#[derive(Args, Clone, Debug)]
pub(super) struct ExportArgs {
    /// A recording, a result.json, or the folder with one of them.
    #[arg(value_name = "RECORDING|RESULT")]
    source: PathBuf,
    #[command(flatten)]
    traces: TraceArgs,
    #[command(flatten)]
    style: Style,
}

/// Why there are no traces: a text and the exit code.
type Failed = (String, u8);

fn unusable(text: impl std::fmt::Display) -> Failed {
    (text.to_string(), exit::USAGE)
}

/// Exports what `arguments` name.
pub(super) fn export(arguments: &ExportArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    if !arguments.traces.any() {
        terminal.diagnostic("error: no trace is asked for\nhelp: name a file, for instance --candump bus.log\n");
        return exit::NOTHING.into();
    }
    match export_from(arguments, terminal) {
        Ok(()) => exit::PASS.into(),
        Err((text, code)) => {
            terminal.diagnostic(&format!("error: {text}\n"));
            code.into()
        }
    }
}

fn export_from(arguments: &ExportArgs, terminal: Terminal) -> Result<(), Failed> {
    let path = source_file(&arguments.source);
    let wrong = |error: std::io::Error| unusable(format!("cannot read {}: {error}", path.display()));
    let mut file = BufReader::new(File::open(&path).map_err(wrong)?);
    let is_recording = file.fill_buf().map_err(wrong)?.starts_with(b"{\"format\":\"cooltwin.recording/");
    if is_recording {
        return from_recording(arguments, terminal, file)
            .map_err(|(text, code)| (format!("{}: {text}", path.display()), code));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(wrong)?;
    let result = reports::from_json(&text)
        .map_err(|error| unusable(format!("{} is neither a recording nor a result: {error}", path.display())))?;
    rerun(arguments, terminal, &result, path.parent().unwrap_or(Path::new("")))
}

/// Of a folder the recording, or else the result.
fn source_file(path: &Path) -> PathBuf {
    let inside = ["recording.jsonl", "result.json"].map(|name| path.join(name));
    inside.into_iter().find(|file| file.is_file()).unwrap_or_else(|| path.to_owned())
}

fn from_recording(arguments: &ExportArgs, terminal: Terminal, from: impl BufRead) -> Result<(), Failed> {
    let mut reader = Reader::new(from).map_err(unusable)?;
    let mut traces = Traces::open(&arguments.traces, reader.head()).map_err(unusable)?;
    for line in reader.by_ref() {
        traces.take(&line.map_err(unusable)?);
    }
    let end = reader.end().ok_or_else(|| unusable("the end of the run is missing"))?;
    traces.complete(end).map_err(unusable)?;
    arguments.traces.warn(end, terminal);
    Ok(())
}

/// Runs the scenario of a result in `folder` again and exports that run.
fn rerun(arguments: &ExportArgs, terminal: Terminal, result: &Report, folder: &Path) -> Result<(), Failed> {
    let name = &result.scenario.name;
    terminal.diagnostic(&format!("no recording: running {name} with seed {} again\n", result.seed));
    let loaded =
        scenario_inside(result, folder, terminal).map_err(|code| (format!("{name} cannot be run again"), code))?;
    let (ended, traces) = run_watched(&loaded, None, &arguments.traces, |_| {}).map_err(unusable)?;
    let again = report(&loaded, &ended, &identity()).fingerprint;
    if again == result.fingerprint {
        traces.complete(ended.end).map_err(unusable)?;
        arguments.traces.warn(ended.end, terminal);
        return Ok(());
    }
    // Traces of another run than the result's would be false evidence: none is left.
    let text = format!(
        "the fingerprint of this run is {}, the result tells of {}: this cooltwin makes another run than the one of \
         commit {}; no trace was written",
        again.all, result.fingerprint.all, result.build.commit
    );
    Err((text, exit::FINGERPRINT))
}
