//! `cooltwin safety download`: a scenario in which the configuration tool brings a unit a configuration.
//!
//! The download is laid over the scenario as `--set` would lay it, with the expectation that the tool tells success in place
//! of the scenario's own. So the result holds all of it, and the command at its end repeats it.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::RowVerdict;

use super::run::{exit_code, run_one};
use super::traces::TraceArgs;
use super::{RunArgs, Style, Terminal, exit, load_all};
use crate::kernel::Span;
use crate::scenario::diagnostic::nearest;
use crate::scenario::quantity;
use crate::scenario::{End, Scenario};

/// A run that would end earlier goes on for this long after the tool began: no download of ours takes longer, failed ones
/// included.
const LONGEST: Span = Span::from_secs(30);

/// Arguments of `cooltwin safety download`.
#[derive(Args, Clone, Debug)]
pub(super) struct DownloadArgs {
    /// Configuration file.
    #[arg(value_name = "CONFIG")]
    configuration: PathBuf,
    /// Scenario with the unit.
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// The unit at which the tool is; may be left out where the scenario has one.
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
    /// The password that is typed in.
    #[arg(long, value_name = "TEXT")]
    password: String,
    /// Serial number of the unit that is meant, instead of that of the unit at which the tool is.
    #[arg(long, value_name = "NUMBER", value_parser = serial)]
    serial: Option<u32>,
    /// Which way its messages go: usb, radio, or the node of `further_nodes` from which they go over CAN.
    #[arg(long, value_name = "WAY", default_value = "usb")]
    over: String,
    /// When the tool begins.
    #[arg(long, value_name = "TIME", default_value = "2500ms", value_parser = time)]
    at: Span,
    /// Set one value of the scenario beforehand.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder for the result, instead of ./cooltwin-out/SCENARIO/SEED+HASH.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print result.json in one line instead of the report.
    #[arg(long)]
    json: bool,
    /// Print only what became of the download.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    style: Style,
}

fn serial(text: &str) -> Result<u32, String> {
    let hexadecimal = text.strip_prefix("0x").map(|digits| u32::from_str_radix(&digits.replace('_', ""), 16));
    hexadecimal.unwrap_or_else(|| text.parse()).map_err(|_| "a number, for instance 0x51A00201".to_owned())
}

fn time(text: &str) -> Result<Span, String> {
    quantity::parse(text).map_err(|_| format!("`{text}` is no time with a unit, such as 2500ms"))
}

/// Does what the arguments say.
pub(super) fn download(arguments: &DownloadArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    run_download(arguments, terminal).unwrap_or_else(|code| code).into()
}

fn run_download(arguments: &DownloadArgs, terminal: Terminal) -> Result<u8, u8> {
    let files = [arguments.scenario.clone()];
    let plain = load_all(&files, &arguments.set, terminal)?;
    let Some(scenario) = plain.first().map(|loaded| &loaded.scenario).filter(|_| plain.len() == 1) else {
        terminal.diagnostic("error: a download takes one scenario\n");
        return Err(exit::USAGE);
    };
    let index = unit(scenario, arguments.unit.as_deref()).map_err(|wrong| {
        terminal.diagnostic(&wrong);
        exit::USAGE
    })?;
    let overlaid = [&arguments.set[..], &overlay(scenario, index, arguments)].concat();
    let loaded = load_all(&files, &overlaid, terminal)?;
    let run = as_run(arguments, overlaid);
    let mut code = exit::PASS;
    for one in &loaded {
        let folder = super::run::out_folder(&run, one);
        let report = run_one(&run, terminal, one, &folder).map_err(|failed| {
            terminal.diagnostic(&format!("error: {}: {failed}\n", one.scenario.name));
            exit::USAGE
        })?;
        code = exit_code(report.verdict);
        let mut text = if arguments.quiet { String::new() } else { super::run::shown(&run, terminal, one, &report) };
        if !arguments.json {
            text.push_str(&told(&report, &scenario.safety_units[index].node, arguments));
        }
        terminal.result(&text)?;
    }
    Ok(code)
}

/// The place of the unit in the scenario.
fn unit(scenario: &Scenario, name: Option<&str>) -> Result<usize, String> {
    let known: Vec<&str> = scenario.safety_units.iter().map(|unit| unit.node.as_str()).collect();
    let found = match name {
        None if known.len() == 1 => Some(0),
        None => None,
        Some(name) => known.iter().position(|own| *own == name),
    };
    found.ok_or_else(|| {
        let near = name.and_then(|name| nearest(name, known.iter().copied()));
        let near = near.map_or(String::new(), |near| format!("help: did you mean `{near}`?\n"));
        match (name, known.is_empty()) {
            (_, true) => "error: the scenario has no safety unit\n".to_owned(),
            (Some(name), _) => {
                format!("error: there is no safety unit `{name}`\n{near}help: there is: {}\n", known.join(", "))
            }
            (None, _) => format!("error: which unit?\nhelp: --unit with one of: {}\n", known.join(", ")),
        }
    })
}

/// What is set in the scenario.
fn overlay(scenario: &Scenario, index: usize, arguments: &DownloadArgs) -> Vec<String> {
    let file = from_folder_of(&arguments.scenario, &arguments.configuration).display().to_string();
    let serial = arguments.serial.map_or(String::new(), |serial| format!(", serial: {serial:#010X}"));
    let (at, password) = (quantity::text(arguments.at), &arguments.password);
    let over = match arguments.over.as_str() {
        "usb" => String::new(),
        "radio" => ", over: Radio".to_owned(),
        node => format!(", over: Can({node:?})"),
    };
    let download = format!("(at: {at:?}, configuration: {file:?}, password: {password:?}{serial}{over})");
    let node = &scenario.safety_units[index].node;
    let mut list = vec![
        format!("safety_units[{index}].downloads=[{download}]"),
        // A unit takes a configuration in a mode of its own and comes back by a restart.
        format!("expectations=[SafetyDownload(unit: {node:?}, is: Stored), SafetyRestarts({node:?})]"),
    ];
    let wanted = arguments.at + LONGEST;
    if matches!(scenario.end, End::At(end) if end < wanted) {
        list.push(format!("end=At({:?})", quantity::text(wanted)));
    }
    list
}

fn as_run(arguments: &DownloadArgs, set: Vec<String>) -> RunArgs {
    RunArgs {
        files: vec![arguments.scenario.clone()],
        seed: None,
        set,
        out: arguments.out.clone(),
        json: arguments.json,
        record: false,
        traces: TraceArgs::default(),
        quiet: arguments.quiet,
        verbose: 0,
        style: arguments.style,
    }
}

/// Success or failure, and why (SSR-058).
fn told(report: &reports::Report, unit: &str, arguments: &DownloadArgs) -> String {
    let row = report.expectations.iter().find(|row| row.text.contains("configuration tool tells"));
    match row {
        Some(row) if row.verdict == RowVerdict::Pass => {
            let runs = if arguments.over == "usb" { "run it" } else { "have left the configuration mode" };
            format!("download to {unit}: success, both CPUs hold the configuration and {runs}\n")
        }
        Some(row) => format!("download to {unit}: failure, {}\n", row.detail),
        None => format!("download to {unit}: not judged\n"),
    }
}

/// A file as a scenario names it: from the scenario's folder.
fn from_folder_of(scenario: &Path, file: &Path) -> PathBuf {
    let whole = |path: &Path| path.canonicalize().ok();
    let folder = whole(scenario).and_then(|path| path.parent().map(Path::to_owned));
    match (folder, whole(file)) {
        (Some(folder), Some(file)) => between(&folder, &file),
        // A file that is not there is told by the loader.
        _ => file.to_owned(),
    }
}

fn between(folder: &Path, file: &Path) -> PathBuf {
    let same = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(same).map(|_| Component::ParentDir);
    up.chain(file.components().skip(same)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_folder_of_the_scenario() {
        let between = |folder: &str, file: &str| between(Path::new(folder), Path::new(file)).display().to_string();
        assert_eq!(between("/a/scenarios", "/a/scenarios/safety/x.ron"), "safety/x.ron");
        assert_eq!(between("/a/scenarios", "/a/other/x.ron"), "../other/x.ron");
        assert_eq!(between("/a/b/c", "/x.ron"), "../../../x.ron");
    }

    #[test]
    fn serial_numbers_are_read_as_people_write_them() {
        assert_eq!(serial("0x51A0_0201"), Ok(0x51A0_0201));
        assert_eq!(serial("7"), Ok(7));
        assert!(serial("x").is_err() && serial("-1").is_err());
    }
}
