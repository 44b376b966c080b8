//! `cooltwin report`: renders results again, without simulating.
//!
//! A *result* is a `result.json` with the log of events beside it. Files are written beside each result, or below
//! `--out`, where several results also share one JUnit file, one summary and one table of budgets.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use reports::{Format, Report};

use super::output::{Folder, MARK, OutputError, Place, place_of, replace_file};
use super::run::{exit_code, worse};
use super::stored::own_scenario;
use super::{Style, Terminal, exit};

/// How deep below a folder results are looked for: a folder of ours is two deep.
const DEPTH_MOST: usize = 4;
/// A job summary may not be larger.
const SUMMARY_BYTES_MAX: usize = 1 << 20;

/// Arguments of `cooltwin report`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReportArgs {
    /// Results: result.json files, or folders with results in or below them.
    #[arg(value_name = "RESULT")]
    pub(super) results: Vec<PathBuf>,
    /// Folder for the files, instead of the folder of each result.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Formats to render; all of them without this.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT")]
    pub(super) format: Vec<FormatName>,
    /// How problems are printed.
    #[command(flatten)]
    pub(super) style: Style,
}

/// A format on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// One page for reviewers.
    Html,
    /// The figures, each as a file.
    Svg,
    /// JUnit XML.
    Junit,
    /// Markdown summary.
    Md,
    /// Table of budgets.
    Csv,
}

impl FormatName {
    const fn format(self) -> Format {
        match self {
            Self::Html => Format::Html,
            Self::Svg => Format::Svg,
            Self::Junit => Format::Junit,
            Self::Md => Format::Markdown,
            Self::Csv => Format::Csv,
        }
    }
}

/// A result that was read.
struct Read {
    /// The folder of the file.
    folder: PathBuf,
    /// The line of the file, as it stands there.
    text: String,
    report: Report,
    events: Option<String>,
}

/// Renders what `arguments` name; the exit code is that of the gravest verdict, as after the runs themselves.
#[must_use]
pub(super) fn report(arguments: &ReportArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match render(arguments, terminal) {
        Ok(code) => code.into(),
        Err((code, why)) => {
            terminal.diagnostic(&format!("error: {why}\n"));
            code.into()
        }
    }
}

fn render(arguments: &ReportArgs, terminal: Terminal) -> Result<u8, (u8, String)> {
    let usage = |why: String| (exit::USAGE, why);
    let mut files = Vec::new();
    for path in &arguments.results {
        find(path, 0, &mut files).map_err(usage)?;
    }
    if files.is_empty() {
        return Err((exit::NOTHING, "no result given or found: name a result.json or a folder with one".to_owned()));
    }
    let mut results = Vec::new();
    for file in &files {
        read(file, &mut results).map_err(usage)?;
    }
    let formats = formats(arguments);
    let wrote = match &arguments.out {
        Some(out) => below(out, &results, &formats),
        None => beside(&results, &formats),
    };
    let places = wrote.map_err(|error| usage(error.to_string()))?;
    let all: Vec<&Report> = results.iter().map(|result| &result.report).collect();
    if formats.contains(&Format::Markdown) {
        append_job_summary(&reports::markdown(&all)).map_err(|error| usage(error.to_string()))?;
    }
    let lines = results.iter().zip(places).map(|(result, place)| {
        let (verdict, name) = (result.report.verdict.word().to_uppercase(), &result.report.scenario.name);
        format!("{verdict}  {name}  seed {}  {}\n", result.report.seed, place.display())
    });
    terminal.result(&lines.collect::<String>()).map_err(|code| (code, "the files are written".to_owned()))?;
    Ok(all.iter().map(|report| exit_code(report.verdict)).fold(exit::PASS, worse))
}

fn formats(arguments: &ReportArgs) -> Vec<Format> {
    let mut formats: Vec<Format> = arguments.format.iter().map(|name| name.format()).collect();
    formats.sort_unstable();
    formats.dedup();
    if formats.is_empty() { Format::ALL.to_vec() } else { formats }
}

/// The file itself, or every result.json in or below the folder, in the order of their paths.
pub(super) fn find(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let wrong = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let result = path.join("result.json");
    if result.is_file() {
        files.push(result);
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(wrong)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut folders = paths.map_err(wrong)?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    for folder in folders.iter().filter(|_| depth < DEPTH_MOST) {
        find(folder, depth + 1, files)?;
    }
    Ok(())
}

/// Reads every result of a file, one a line, and the logs that they name.
fn read(file: &Path, results: &mut Vec<Read>) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    let before = results.len();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let report = reports::from_json(line).map_err(|error| {
            let column = error.place().map_or(1, |(_, column)| column);
            format!("{}:{}:{column}: {error}", file.display(), number + 1)
        })?;
        own_scenario(&report).map_err(|why| format!("{}:{}:1: {why}", file.display(), number + 1))?;
        let events = read_events(&folder, &report)?;
        results.push(Read { folder: folder.clone(), text: line.to_owned(), report, events });
    }
    if results.len() == before { Err(format!("{}:1:1: there is no result in it", file.display())) } else { Ok(()) }
}

/// The log that a result names, when it is there.
fn read_events(folder: &Path, report: &Report) -> Result<Option<String>, String> {
    let Some(told) = &report.events else { return Ok(None) };
    let path = folder.join(&told.file);
    if !path.exists() {
        return Ok(None);
    }
    std::fs::read_to_string(&path).map(Some).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn rendered(result: &Read, formats: &[Format]) -> Result<Vec<(String, String)>, OutputError> {
    reports::files(&result.report, result.events.as_deref(), formats).map_err(|error| {
        let log = result.report.events.as_ref().map_or("", |told| told.file.as_str());
        OutputError::text(&format!("{}: {error}", result.folder.join(log).display()))
    })
}

/// Writes a folder with all results, each with its own files, and those that they share.
fn below(out: &Path, results: &[Read], formats: &[Format]) -> Result<Vec<PathBuf>, OutputError> {
    let folder = Place::check(out)?.draft()?;
    let mut names: Vec<PathBuf> = Vec::new();
    for result in results {
        let name = match results {
            [_] => PathBuf::new(),
            _ => place_of(&result.report.scenario.name, result.report.seed, &result.report.scenario.overrides),
        };
        if names.contains(&name) {
            let why = format!("two results are of {}: render them one by one", name.display());
            return Err(OutputError::text(&why));
        }
        write_result(&folder, &name, result, formats)?;
        names.push(name);
    }
    if let [_, _, ..] = results {
        let all: Vec<&Report> = results.iter().map(|result| &result.report).collect();
        for (file, text) in reports::summary_files(&all, formats) {
            folder.write(&file, &text)?;
        }
    }
    folder.commit()?;
    Ok(names.iter().map(|name| out.join(name)).collect())
}

/// Writes a result, its log and its files, so that the page finds beside it what it names.
fn write_result(folder: &Folder, name: &Path, result: &Read, formats: &[Format]) -> Result<(), OutputError> {
    let write = |file: &str, text: &str| folder.write(&name.join(file).to_string_lossy(), text);
    write("result.json", &format!("{}\n", result.text))?;
    if let (Some(told), Some(events)) = (&result.report.events, &result.events) {
        write(&told.file, events)?;
    }
    for (file, text) in rendered(result, formats)? {
        write(&file, &text)?;
    }
    Ok(())
}

/// Writes each result's files beside it, in a folder of ours only; each file is whole or as it was. All are rendered
/// first, so that what is wrong with a result is told before what is wrong with its place.
fn beside(results: &[Read], formats: &[Format]) -> Result<Vec<PathBuf>, OutputError> {
    let files: Result<Vec<_>, _> = results.iter().map(|result| rendered(result, formats)).collect();
    let files = files?;
    let folders: Vec<PathBuf> = results.iter().map(|result| result.folder.clone()).collect();
    for (at, folder) in folders.iter().enumerate() {
        if !folder.join(MARK).is_file() || folders[..at].contains(folder) {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let why = format!(
                "{} is not a folder of one result of cooltwin, so the files are not written there: choose one with --out",
                here.display()
            );
            return Err(OutputError::text(&why));
        }
    }
    for (folder, files) in folders.iter().zip(files) {
        for (file, text) in files {
            replace_file(&folder.join(file), &text)?;
        }
    }
    Ok(folders)
}

/// The file of the CI job's page, where the environment names one.
fn job_summary() -> Option<PathBuf> {
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether this is the file of the CI job's page.
pub(super) fn is_job_summary(path: &Path) -> bool {
    job_summary().is_some_and(|page| page == path)
}

/// Appends Markdown to the page of the CI job, where the environment names its file.
pub(super) fn append_job_summary(markdown: &str) -> Result<(), OutputError> {
    let Some(path) = job_summary() else { return Ok(()) };
    let wrong = |error: std::io::Error| OutputError::new(&path, &error);
    if markdown.len() > SUMMARY_BYTES_MAX {
        return Err(OutputError::text(&"the summary is too long for the page of a job"));
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(wrong)?;
    file.write_all(markdown.as_bytes()).map_err(wrong)
}
