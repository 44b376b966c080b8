//! `cooltwin run`: loads the scenarios, runs them, reports.

use std::fs::File;
use std::io::{BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::{Report, Verbosity, Verdict};

use super::output::{Folder, OutputError, Place, place_of};
use super::traces::Traces;
use super::{RunArgs, Terminal, TraceArgs, exit, load_all};
use crate::event::Twin;
use crate::measure::Measures;
use crate::run::recording::{Head, Line, Writer};
use crate::run::{self, Identity, Run};
use crate::scenario::Loaded;

/// Runs what `arguments` name.
#[must_use]
pub fn run(arguments: &RunArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let seed = arguments.seed.map(|seed| format!("seed={seed}"));
    let overrides: Vec<String> = arguments.set.iter().cloned().chain(seed).collect();
    if let Some(folder) = arguments.files.iter().find(|path| path.is_dir()) {
        let folder = folder.display();
        terminal.diagnostic(&format!(
            "error: {folder} is a folder, and `run` takes scenario files\nhelp: `cooltwin check {folder}` runs all scenarios in it\n"
        ));
        return exit::USAGE.into();
    }
    if arguments.files.is_empty() {
        let help = "help: give a .ron file; `cooltwin scenario new NAME` begins one, `cooltwin check FOLDER` runs all of a folder";
        terminal.diagnostic(&format!("error: no scenario given\n{help}\n"));
        return exit::NOTHING.into();
    }
    let loaded = match load_all(&arguments.files, &overrides, terminal) {
        Ok(loaded) => loaded,
        Err(code) => return code.into(),
    };
    let folders: Vec<PathBuf> = loaded.iter().map(|loaded| out_folder(arguments, loaded)).collect();
    if let Some(folder) = shared(&folders) {
        terminal.diagnostic(&format!(
            "error: two scenarios would write to {}\nhelp: give one of them another name or seed\n",
            folder.display()
        ));
        return exit::USAGE.into();
    }
    if loaded.len() > 1 && arguments.traces.any() {
        terminal.diagnostic("error: traces of several scenarios would go to the same file\nhelp: run one scenario\n");
        return exit::USAGE.into();
    }
    run_all(arguments, terminal, &loaded, &folders).into()
}

/// The first folder that stands in the list twice.
fn shared(folders: &[PathBuf]) -> Option<&PathBuf> {
    folders.iter().enumerate().find(|(index, folder)| folders[..*index].contains(folder)).map(|(_, folder)| folder)
}

/// Runs all; the worst exit code. When nobody reads the reports any more, the results are still written.
fn run_all(arguments: &RunArgs, terminal: Terminal, loaded: &[Loaded], folders: &[PathBuf]) -> u8 {
    let mut code = exit::PASS;
    let mut heard = true;
    let mut reports = Vec::new();
    for (scenario, folder) in loaded.iter().zip(folders) {
        match run_one(arguments, terminal, scenario, folder) {
            Ok(report) => {
                code = worse(code, exit_code(report.verdict));
                if heard {
                    match terminal.result(&shown(arguments, terminal, scenario, &report)) {
                        Ok(still) => heard = still,
                        Err(unheard) => (heard, code) = (false, worse(code, unheard)),
                    }
                }
                reports.push((report, scenario.as_typed()));
            }
            Err(failed) => {
                terminal.diagnostic(&format!("error: {}: {failed}\n", scenario.scenario.name));
                code = worse(code, exit::USAGE);
            }
        }
    }
    let runs: Vec<reports::Typed<'_>> = reports.iter().map(|(report, file)| (report, file.clone())).collect();
    let summary = reports::markdown_as_typed(&runs);
    if !reports.is_empty()
        && let Err(failed) = super::report::append_job_summary(&summary)
    {
        terminal.diagnostic(&format!("error: {failed}\n"));
        code = worse(code, exit::USAGE);
    }
    code
}

/// A failure outweighs an inconclusive run, a file that cannot be written outweighs both.
pub(super) fn worse(a: u8, b: u8) -> u8 {
    let rank = |code: u8| match code {
        exit::PASS => 0,
        exit::INCONCLUSIVE => 1,
        exit::FAIL => 2,
        _ => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

pub(super) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => exit::PASS,
        Verdict::Inconclusive => exit::INCONCLUSIVE,
        Verdict::Fail | Verdict::Error => exit::FAIL,
    }
}

pub(super) fn run_one(
    arguments: &RunArgs,
    terminal: Terminal,
    loaded: &Loaded,
    target: &Path,
) -> Result<Report, OutputError> {
    let place = Place::check(target)?;
    // Made before the run, so that a place that cannot be written to shows at once; kept only for a recording.
    let early = Some(place.draft()?).filter(|_| arguments.record);
    let name = &loaded.scenario.name;
    let mut progress = Progress::new(terminal, arguments, loaded, name.clone());
    let ended = if early.is_some() || arguments.traces.any() {
        let path = early.as_ref().map(|folder| folder.path("recording.jsonl"));
        run_watched(loaded, path.as_deref(), &arguments.traces, |twin| progress.tell(twin))
            .map(|(ended, traces)| (ended, Some(traces)))
    } else {
        Ok((run::run(&loaded.scenario, loaded.image.as_deref(), |twin| progress.tell(twin)), None))
    };
    progress.done();
    let (ended, traces) = ended?;
    if let Some(traces) = traces {
        traces.complete(ended.end)?;
        arguments.traces.warn(ended.end, terminal);
    }
    let mut again = Progress::new(terminal, arguments, loaded, format!("{name} without safety frames"));
    let mut report = run::whole_report(loaded, &ended, &identity(), |twin| again.tell(twin));
    again.done();
    let folder = early.map_or_else(|| place.draft(), Ok)?;
    write_files(&folder, &mut report, &ended)?;
    for (file, bytes) in super::stored::copies(loaded)? {
        folder.write(&file, &bytes)?;
    }
    folder.commit()?;
    if !(arguments.quiet || arguments.json) {
        terminal.diagnostic(&format!("{name}: results in {}\n", target.display()));
    }
    Ok(report)
}

pub(super) fn out_folder(arguments: &RunArgs, loaded: &Loaded) -> PathBuf {
    let name = place_of(&loaded.scenario.name, loaded.scenario.seed, &loaded.overrides);
    match &arguments.out {
        Some(out) if arguments.files.len() == 1 => out.clone(),
        Some(out) => out.join(name),
        None => Path::new("cooltwin-out").join(name),
    }
}

/// What is written while a run goes on.
struct Watchers {
    recording: Option<Writer<BufWriter<File>>>,
    traces: Traces,
}

impl Watchers {
    fn see(&mut self, line: &Line) {
        if let Some(recording) = &mut self.recording {
            recording.record(line);
        }
        self.traces.take(line);
    }
}

/// Runs, and writes the recording to `path` and the traces while it does; those are for the caller to complete.
pub(super) fn run_watched(
    loaded: &Loaded,
    path: Option<&Path>,
    traces: &TraceArgs,
    progress: impl FnMut(&Twin),
) -> Result<(Run, Traces), OutputError> {
    let wrong = |error: std::io::Error| OutputError::new(path.unwrap_or(Path::new("")), &error);
    let file = path.map(File::create).transpose().map_err(wrong)?;
    let recording = file.map(|file| Writer::new(BufWriter::new(file), &loaded.scenario));
    let watchers = Watchers { recording, traces: Traces::open(traces, &Head::of(&loaded.scenario))? };
    let image = loaded.image.as_deref();
    let (ended, watchers) = run::run_watched(&loaded.scenario, image, watchers, Watchers::see, progress);
    if let Some(mut recording) = watchers.recording {
        recording.finish(ended.end).map_err(wrong)?;
    }
    Ok((ended, watchers.traces))
}

/// Writes the result, the log of events, whose hash enters the result, and everything that is rendered from both.
fn write_files(folder: &Folder, report: &mut Report, ended: &Run) -> Result<(), OutputError> {
    let events = run::event_log(ended).map_err(|error| OutputError::text(&error))?;
    report.events = Some(reports::EventLog::of("events.jsonl", &events));
    folder.write("result.json", &(reports::to_json_line(report) + "\n"))?;
    folder.write("events.jsonl", &events)?;
    let rendered = reports::files(report, Some(&events), &reports::Format::ALL);
    for (file, text) in rendered.map_err(|error| OutputError::text(&error))? {
        folder.write(&file, &text)?;
    }
    Ok(())
}

pub(super) fn shown(arguments: &RunArgs, terminal: Terminal, loaded: &Loaded, report: &Report) -> String {
    if arguments.json {
        return reports::to_json_line(report) + "\n";
    }
    let verbosity = match (arguments.quiet, arguments.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::VeryVerbose,
    };
    let file = loaded.as_typed();
    let options = reports::Options { width: terminal.width(), color: terminal.result_color(), verbosity, file };
    reports::terminal(report, &options)
}

/// Which program this is, as the build script found it.
pub(super) fn identity() -> Identity {
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

/// The line of a run: with a bar over so many pumps where there is an update.
fn bar(target: ProgressDrawTarget, name: &str, pumps: Option<u64>) -> ProgressBar {
    let template = if pumps.is_some() { "{prefix} [{bar:30}] {pos}/{len} pumps, {msg}" } else { "{prefix} {msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(pumps, target).with_style(style);
    bar.with_prefix(name.to_owned()).with_message(simulated(0))
}

fn simulated(seconds: u64) -> String {
    format!("{seconds} s simulated")
}

impl Progress {
    fn new(terminal: Terminal, arguments: &RunArgs, loaded: &Loaded, name: String) -> Self {
        let pumps = u64::from(loaded.scenario.pumps.count);
        let silent = arguments.quiet || arguments.json;
        let on_terminal = std::io::stderr().is_terminal();
        let bar = (on_terminal && !silent).then(|| {
            let target = ProgressDrawTarget::stderr();
            bar(target, &name, loaded.scenario.campaign.then_some(pumps))
        });
        let plain = (!on_terminal && !silent).then_some(terminal);
        Self { bar, plain, name, told: 0 }
    }

    fn tell(&mut self, twin: &Twin) {
        let timeline = &twin.world.resource::<Measures>().timeline;
        let ended = timeline.pumps.iter().filter(|pump| pump.tries.last().is_some_and(|last| last.has_ended())).count();
        let seconds = twin.agenda.now().as_nanos() / 1_000_000_000;
        if let Some(bar) = &self.bar {
            bar.set_position(ended as u64);
            bar.set_message(simulated(seconds));
        }
        if let Some(terminal) = self.plain.filter(|_| ended > self.told) {
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

#[cfg(test)]
mod tests {
    use std::io::Result;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal of 100 columns that keeps what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> Result<()> {
            self.0.lock().expect("no panic holds it").push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> Result<()> {
            self.0.lock().expect("no panic holds it").clear();
            Ok(())
        }

        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn read(&self) -> String {
            self.0.lock().expect("no panic holds it").trim().to_owned()
        }

        fn bar(&self, pumps: Option<u64>) -> ProgressBar {
            bar(ProgressDrawTarget::term_like(Box::new(self.clone())), "small", pumps)
        }
    }

    #[test]
    fn the_bar_on_a_terminal_reads_well_from_its_first_frame_on() {
        let paper = Paper::default();
        let bar = paper.bar(Some(3));
        bar.tick();
        assert!(paper.read().ends_with("0/3 pumps, 0 s simulated"), "{}", paper.read());
        bar.set_position(3);
        bar.set_message(simulated(62));
        bar.tick();
        assert_eq!(paper.read(), format!("small [{}] 3/3 pumps, 62 s simulated", "\u{2588}".repeat(30)));
        let alone = Paper::default();
        let bar = alone.bar(None);
        bar.tick();
        assert_eq!(alone.read(), "small 0 s simulated");
    }
}
