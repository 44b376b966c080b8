//! `cooltwin run`: loads the scenarios, runs them, reports.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use reports::{Report, Verbosity, Verdict};

use super::output::{Folder, OutputError};
use super::{RunArgs, Terminal, exit, load_all};
use crate::event::Twin;
use crate::measure::Measures;
use crate::run::{self, Identity, Run};
use crate::scenario::Loaded;

/// Runs what `arguments` name.
#[must_use]
pub fn run(arguments: &RunArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let seed = arguments.seed.map(|seed| format!("seed={seed}"));
    let overrides: Vec<String> = arguments.set.iter().cloned().chain(seed).collect();
    let loaded = match load_all(&arguments.files, &overrides, terminal) {
        Ok(loaded) => loaded,
        Err(code) => return code.into(),
    };
    if let Some(twice) = written_twice(arguments, &loaded) {
        terminal.diagnostic(&format!(
            "error: two scenarios would write to {}\nhelp: give them other names or seeds\n",
            twice.display()
        ));
        return exit::USAGE.into();
    }
    let mut code = exit::PASS;
    let mut read = true;
    for scenario in &loaded {
        match run_one(arguments, terminal, scenario) {
            Ok(report) => {
                code = worse(code, exit_code(report.verdict));
                if read {
                    match terminal.result(&shown(arguments, terminal, &report)) {
                        Ok(still) => read = still,
                        Err(code) => return code,
                    }
                }
            }
            Err(failed) => {
                terminal.diagnostic(&format!("error: {}: {failed}\n", scenario.scenario.name));
                code = worse(code, exit::USAGE);
            }
        }
    }
    code.into()
}

/// A failure outweighs an inconclusive run, a file that cannot be written outweighs both.
fn worse(a: u8, b: u8) -> u8 {
    let rank = |code: u8| match code {
        exit::PASS => 0,
        exit::INCONCLUSIVE => 1,
        exit::FAIL => 2,
        _ => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => exit::PASS,
        Verdict::Inconclusive => exit::INCONCLUSIVE,
        Verdict::Fail | Verdict::Error => exit::FAIL,
    }
}

fn run_one(arguments: &RunArgs, terminal: Terminal, loaded: &Loaded) -> Result<Report, OutputError> {
    let folder = Folder::begin(&out_folder(arguments, loaded))?;
    let recording = arguments.record.then(|| folder.path("recording.jsonl"));
    let mut progress = Progress::new(terminal, arguments, loaded);
    let ended = run_recorded(loaded, recording.as_deref(), |twin| progress.tell(twin))?;
    progress.done();
    let report = run::report(loaded, &ended, &identity());
    write_files(&folder, &report, &ended)?;
    folder.commit()?;
    Ok(report)
}

/// The folder that two of the scenarios would both write to, if any.
fn written_twice(arguments: &RunArgs, loaded: &[Loaded]) -> Option<PathBuf> {
    let mut folders = std::collections::BTreeSet::new();
    loaded.iter().map(|loaded| out_folder(arguments, loaded)).find(|folder| !folders.insert(folder.clone()))
}

fn out_folder(arguments: &RunArgs, loaded: &Loaded) -> PathBuf {
    let name = Path::new(&loaded.scenario.name).join(loaded.scenario.seed.to_string());
    match &arguments.out {
        Some(out) if arguments.files.len() == 1 && !arguments.files[0].is_dir() => out.clone(),
        Some(out) => out.join(name),
        None => Path::new("cooltwin-out").join(name),
    }
}

/// Runs, and writes every record to `recording` while it does.
fn run_recorded(loaded: &Loaded, recording: Option<&Path>, progress: impl FnMut(&Twin)) -> Result<Run, OutputError> {
    let sink = match recording {
        None => None,
        Some(path) => {
            let file = std::fs::File::create(path).map_err(|error| OutputError::new(path, &error))?;
            Some(Box::new(BufWriter::new(file)) as Box<dyn Write + Send>)
        }
    };
    run::run_recorded(&loaded.scenario, loaded.image.as_deref(), sink, progress)
        .map_err(|error| OutputError::new(recording.unwrap_or(Path::new("recording")), &error))
}

fn write_files(folder: &Folder, report: &Report, ended: &Run) -> Result<(), OutputError> {
    folder.write("result.json", &(reports::to_json_line(report) + "\n"))?;
    let mut writer = reports::EventWriter::new(Vec::new());
    for (time, record, count) in ended.twin.world.resource::<Measures>().journal.iter() {
        let (node, kind, mut data) = run::event_of(record);
        if let (2.., Some(fields)) = (*count, data.as_object_mut()) {
            fields.insert("count".to_owned(), (*count).into());
        }
        let t_ms = reports::Millis::from_nanos(time.as_nanos());
        writer.write(&reports::Event { t_ms, node: &node, kind, data }).map_err(|error| OutputError::text(&error))?;
    }
    let bytes = writer.finish().map_err(|error| OutputError::text(&error))?;
    folder.write("events.jsonl", &String::from_utf8_lossy(&bytes))
}

fn shown(arguments: &RunArgs, terminal: Terminal, report: &Report) -> String {
    if arguments.json {
        return reports::to_json_line(report) + "\n";
    }
    let verbosity = match (arguments.quiet, arguments.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::VeryVerbose,
    };
    let options = reports::Options { width: terminal.width(), color: terminal.result_color(), verbosity };
    reports::terminal(report, &options)
}

/// Which program this is, as the build script found it.
fn identity() -> Identity {
    Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("COOLTWIN_COMMIT").to_owned(),
        rustc: env!("COOLTWIN_RUSTC").to_owned(),
    }
}

/// Tells how far a run is: a bar on a terminal, a plain line for each pump done elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    plain: Option<Terminal>,
    name: String,
    told: usize,
}

impl Progress {
    fn new(terminal: Terminal, arguments: &RunArgs, loaded: &Loaded) -> Self {
        let pumps = u64::from(loaded.scenario.pumps.count);
        let silent = arguments.quiet || arguments.json;
        let on_terminal = std::io::stderr().is_terminal();
        let bar = (on_terminal && !silent).then(|| {
            let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} pumps")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(pumps).with_style(style).with_message(loaded.scenario.name.clone())
        });
        let plain = (!on_terminal && !silent).then_some(terminal);
        Self { bar, plain, name: loaded.scenario.name.clone(), told: 0 }
    }

    fn tell(&mut self, twin: &Twin) {
        let timeline = &twin.world.resource::<Measures>().timeline;
        let ended = timeline.pumps.iter().filter(|pump| pump.tries.last().is_some_and(|last| last.has_ended())).count();
        if let Some(bar) = &self.bar {
            bar.set_position(ended as u64);
        }
        if let Some(terminal) = self.plain.filter(|_| ended > self.told) {
            let seconds = twin.agenda.now().as_nanos() / 1_000_000_000;
            let of = timeline.pumps.len();
            terminal.diagnostic(&format!("{}: {ended} of {of} pumps after {seconds} s simulated\n", self.name));
            self.told = ended;
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
