//! `cooltwin check`: a whole suite, twice, against budgets and baseline.

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reports::{Options, Report, Verbosity};

use super::output::{OutputError, replace_file};
use super::report::{append_job_summary, is_job_summary};
use super::suite::{Suite, load_suite};
use super::{Style, Terminal, baseline, exit, run};
use crate::regression::{self, Baseline, Case, Drift, Standing, Wanted};
use crate::scenario::{Loaded, Scenario};

/// Arguments of `cooltwin check`.
#[derive(Args, Clone, Debug)]
pub(super) struct CheckArgs {
    /// Which scenarios, and how many at a time.
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    /// JUnit file to write, with a case for each row of each run and for each question about the suite.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Markdown file to write. Where GITHUB_STEP_SUMMARY names the page of the job, it is appended there in any case.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Baseline to hold the margins against; `reports/baselines/scenarios.txt` where that is there.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// End with 7 when a margin is worse than the baseline's, or is missing. Files named one by one are held against
    /// their own lines; a folder stands for the whole baseline.
    #[arg(long)]
    fail_on_regression: bool,
    /// End with 8 when all passed, but a pump needed more than one try.
    #[arg(long)]
    fail_on_retry: bool,
    /// Print the last line only.
    #[arg(short, long)]
    quiet: bool,
    /// How scenarios are read and problems printed.
    #[command(flatten)]
    style: Style,
}

/// Which scenarios make a suite.
#[derive(Args, Clone, Debug)]
pub(super) struct SuiteArgs {
    /// Folders of scenarios, or scenario files one by one; the folder `scenarios` where none is given.
    #[arg(value_name = "DIR|FILE")]
    pub(super) paths: Vec<PathBuf>,
    /// Runs at a time; as many as there are processors where not given. It changes no result.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZero<usize>>,
}

impl SuiteArgs {
    pub(super) fn jobs(&self) -> NonZero<usize> {
        super::jobs(self.jobs)
    }
}

/// Runs the suite that `arguments` name.
pub(super) fn check(arguments: &CheckArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match checked(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

/// What is printed at the end, and the exit code. The baseline is read before anything runs.
fn checked(arguments: &CheckArgs, terminal: Terminal) -> Result<(String, u8), u8> {
    let found = baseline::find(arguments.baseline.as_deref(), arguments.fail_on_regression, terminal)?;
    let suite = load_suite(&arguments.suite.paths, terminal)?;
    let cases = run_all(&suite, arguments.suite.jobs(), (!arguments.quiet).then_some(terminal));
    let ended = Ended::new(arguments, &suite, &cases, found.as_ref());
    let text = if arguments.quiet { ended.last_line(terminal.result_color()) } else { ended.summary(terminal) };
    match ended.write_files(arguments) {
        Ok(()) => Ok((text, exit_code(ended.standing))),
        Err(error) => {
            terminal.diagnostic(&format!("error: {error}\n"));
            Ok((text, exit::USAGE))
        }
    }
}

/// Runs every scenario twice and tells of each when it is done, where there is a terminal to tell it on.
pub(super) fn run_all(suite: &Suite, jobs: NonZero<usize>, terminal: Option<Terminal>) -> Vec<Case> {
    let identity = run::identity();
    let progress = terminal.map(|terminal| Progress::new(suite.scenarios.len(), terminal));
    let once = |loaded: &Loaded| regression::once(loaded, &identity);
    let cases = regression::run_suite(&suite.scenarios, jobs, &once, |index, case| {
        if let Some(progress) = &progress {
            progress.tell(&suite.scenarios[index].scenario.name, &suite.words(index, case));
        }
    });
    if let Some(progress) = &progress {
        progress.done();
    }
    cases
}

/// How a suite stands: as its worst case.
pub(super) fn standing(suite: &Suite, cases: &[Case], wanted: Wanted) -> Standing {
    let each = suite.scenarios.iter().zip(cases);
    let standings = each.map(|(loaded, case)| regression::standing_of_case(&loaded.scenario, case, wanted));
    standings.max().unwrap_or(Standing::Inconclusive)
}

/// The exit code of a suite.
pub(super) const fn exit_code(standing: Standing) -> u8 {
    match standing {
        Standing::Good => exit::PASS,
        Standing::Retries => exit::RETRIES,
        Standing::Inconclusive => exit::INCONCLUSIVE,
        Standing::Worse => exit::WORSE,
        Standing::Fail => exit::FAIL,
        Standing::Unrepeatable => exit::FINGERPRINT,
        Standing::OwnFault => exit::OWN_FAULT,
    }
}

/// A suite that has been run, with all that was asked of it.
struct Ended<'a> {
    suite: &'a Suite,
    cases: &'a [Case],
    wanted: Wanted,
    /// The path of the baseline and how the suite stands to it.
    drift: Option<(&'a Path, Drift)>,
    /// Whether the drift decides the exit code.
    gated: bool,
    standing: Standing,
}

impl<'a> Ended<'a> {
    fn new(arguments: &CheckArgs, suite: &'a Suite, cases: &'a [Case], found: Option<&'a (PathBuf, Baseline)>) -> Self {
        let wanted = Wanted { no_retries: arguments.fail_on_retry };
        let gated = arguments.fail_on_regression;
        let drift = found.map(|(path, baseline)| (path.as_path(), suite.drift(baseline, &reports(cases))));
        let is_worse = gated && drift.as_ref().is_some_and(|(_, drift)| drift.is_worse());
        let least = if is_worse { Standing::Worse } else { Standing::Good };
        let standing = standing(suite, cases, wanted).max(least);
        Self { suite, cases, wanted, drift, gated, standing }
    }

    fn scenarios(&self) -> Vec<&'a Scenario> {
        self.suite.scenarios.iter().map(|loaded| &loaded.scenario).collect()
    }

    fn last_line(&self, color: bool) -> String {
        regression::suite_line(&self.scenarios(), self.cases, self.wanted, self.standing, color)
    }

    fn summary(&self, terminal: Terminal) -> String {
        let color = terminal.result_color();
        let drift = self.drift.as_ref().map(|(_, drift)| drift);
        let mut text = regression::suite_table(&self.scenarios(), self.cases, drift, color);
        text.push('\n');
        text.push_str(&complaints(self.suite, self.cases, terminal));
        text.push_str(&self.suite.left_out_text());
        if let Some((path, drift)) = &self.drift {
            let drift = regression::drift_text(drift, color);
            text.push_str(&format!("Baseline  {}: {drift}", path.display()));
        } else {
            let why = format!("none at {}, and --baseline names none", baseline::DEFAULT_FILE);
            text.push_str(&format!("Baseline  {why}: margins were not compared\n"));
        }
        text + &self.last_line(color)
    }

    fn write_files(&self, arguments: &CheckArgs) -> Result<(), OutputError> {
        let loaded = self.suite.scenarios.iter().zip(self.cases);
        let runs: Vec<reports::Typed<'_>> =
            loaded.filter_map(|(loaded, case)| Some((case.result.as_ref().ok()?, loaded.as_typed()))).collect();
        let drift = self.drift.as_ref().map(|(_, drift)| drift);
        let rows = regression::suite_rows(&self.scenarios(), self.cases, self.wanted, drift, self.gated);
        if let Some(path) = &arguments.junit {
            replace_file(path, &reports::junit_of_suite(&runs, &rows))?;
        }
        let summary = reports::markdown_of_suite(self.last_line(false).trim_end(), &runs, &rows);
        if let Some(path) = arguments.summary.as_deref().filter(|path| !is_job_summary(path)) {
            replace_file(path, &summary)?;
        }
        append_job_summary(&summary)
    }
}

/// The reports of the cases that have one.
pub(super) fn reports(cases: &[Case]) -> Vec<&Report> {
    cases.iter().filter_map(|case| case.result.as_ref().ok()).collect()
}

/// What is wrong with each case that does not stand well, and how to run it again.
pub(super) fn complaints(suite: &Suite, cases: &[Case], terminal: Terminal) -> String {
    let options = |loaded: &Loaded| Options {
        width: terminal.width(),
        color: terminal.result_color(),
        verbosity: Verbosity::Quiet,
        file: loaded.as_typed(),
    };
    let mut text = String::new();
    for (loaded, case) in suite.scenarios.iter().zip(cases) {
        let name = &loaded.scenario.name;
        let bad = regression::standing_of_case(&loaded.scenario, case, Wanted::default()) != Standing::Good;
        text.push_str(&match (&case.result, &case.difference) {
            (Err(panic), _) => format!("{name}: the twin panicked: {panic}\n\n"),
            (Ok(_), Some(difference)) => {
                format!("{name}, run twice: {}\n", regression::difference_text(difference))
            }
            (Ok(report), None) if bad => reports::terminal(report, &options(loaded)) + "\n",
            (Ok(_), None) => String::new(),
        });
    }
    text
}

/// Tells which scenario is done: a bar on a terminal, a plain line for each elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    terminal: Terminal,
}

impl Progress {
    pub(super) fn new(count: usize, terminal: Terminal) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("[{bar:30}] {pos}/{len} scenarios, {msg}");
            ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, terminal }
    }

    pub(super) fn tell(&self, name: &str, words: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{name}: {words}"));
                bar.inc(1);
            }
            None => self.terminal.diagnostic(&format!("{name}: {words}\n")),
        }
    }

    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
