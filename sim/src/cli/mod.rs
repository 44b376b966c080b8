//! The command line: arguments in, exit code out. With `main.rs` the only place that touches files and terminal.
//!
//! Results go to stdout, diagnostics to stderr, and a reader that closes the pipe early is no error.

mod baseline;
mod campaign;
mod check;
mod convert;
mod diff;
mod download;
mod evidence;
pub mod exit;
mod explain;
mod export;
mod files;
mod merge;
mod output;
mod replay;
mod report;
mod run;
mod safety;
mod scenario;
mod search;
mod shrink;
mod stored;
mod suite;
mod sweep;
mod terminal;
mod traces;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use files::{Disk, load_all};
pub use run::run;
pub use terminal::Terminal;
pub use traces::TraceArgs;

/// Digital twin of a cooling system: runs scenario files and reports the timing.
#[derive(Debug, Parser)]
#[command(name = "cooltwin", version, disable_help_subcommand = true, after_help = BEGIN)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where to begin, and what the exit codes say.
const BEGIN: &str = "\
To begin:
  cooltwin scenario new NAME    writes a scenario with comments that say what to change
  cooltwin run NAME.ron         runs it; the verdict and the command that repeats the run come last
  cooltwin scenario explain     tells every field; explain faults.kind, what can go wrong and where

Exit codes:
  0  all held                     5  inconclusive: something was never measured
  1  something did not hold       6  the traces differ
  2  wrong usage or file          7  worse than the baseline, where that was asked
  3  invalid scenario             8  passed with retries, where that was asked
  4  nothing to run or to shrink  70 a defect of cooltwin itself";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and report their timing.
    Run(RunArgs),
    /// Write traces of a run for other tools, from its recording or its result.
    Export(export::ExportArgs),
    /// Report the timing of updates from logs of the bus.
    Convert(convert::ConvertArgs),
    /// Render results again, without simulating: page, figures, JUnit, summary, table.
    Report(report::ReportArgs),
    /// Check, show, explain and begin scenario files.
    #[command(subcommand)]
    Scenario(scenario::ScenarioCommand),
    /// Run a suite of scenarios, each twice, and hold it against budgets and baseline.
    Check(check::CheckArgs),
    /// Write or show the margins that `check` compares with.
    #[command(subcommand)]
    Baseline(baseline::BaselineCommand),
    /// Compare two results: margins, verdicts, traces and the first event that differs.
    Diff(diff::DiffArgs),
    /// Run the scenario inside a result again and compare.
    Replay(replay::ReplayArgs),
    /// Run a suite into an evidence bundle: pages, records, traceability, hashes.
    Evidence(evidence::EvidenceArgs),
    /// Check an evidence bundle: manifest, baseline, build, and every run once more.
    Verify(verify::VerifyArgs),
    /// Run one fault at every place where it could strike.
    #[command(subcommand)]
    Sweep(sweep::SweepCommand),
    /// Run a campaign: many random trials, and what they show.
    Campaign(campaign::CampaignArgs),
    /// Put the shards of a campaign together.
    Merge(merge::MergeArgs),
    /// Climb towards the worst case of a budget.
    Search(search::SearchArgs),
    /// Find the smallest scenario that still fails the same way.
    Shrink(shrink::ShrinkArgs),
    /// Compile and show configurations of safety units, and download them to a unit of a scenario.
    #[command(subcommand)]
    Safety(safety::SafetyCommand),
}

/// Arguments of `cooltwin run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Scenario files, one by one; `cooltwin check FOLDER` runs all of a folder.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Seed of the run, instead of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Set one value of each scenario, for instance supply.nominal=22V.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Folder for results, instead of ./cooltwin-out/SCENARIO/SEED. With --set that is SEED+HASH, the hash of what was
    /// set, so that a variant does not replace the result of the scenario as it is.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print result.json, one line for each scenario, instead of the report.
    #[arg(long)]
    pub json: bool,
    /// Write a recording of every frame and record, recording.jsonl: about 390 MB for the nominal run of 14 pumps.
    #[arg(long)]
    pub record: bool,
    /// Traces for other tools.
    #[command(flatten)]
    pub traces: TraceArgs,
    /// Print the verdict only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print also tries, phases and checks; twice, also nodes, messages, assumptions and fingerprints.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How scenarios are read and problems printed.
    #[command(flatten)]
    pub style: Style,
}

/// A seed; any number of 64 bit without a sign.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// How many runs go at a time: as many as asked, else as there are processors. It changes no result.
fn jobs(asked: Option<NonZero<usize>>) -> NonZero<usize> {
    asked.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN)
}

/// Rate and remaining time after `done` of `of` things in so many seconds; nothing before the first.
fn pace(done: usize, of: usize, seconds: f64) -> String {
    if done == 0 || seconds <= 0.0 {
        return String::new();
    }
    let rate = done as f64 / seconds;
    let left = of.saturating_sub(done) as f64 / rate;
    format!(", {rate:.1} a second, {left:.0} s left")
}

/// How diagnostics are printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Style {
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE are honoured with `auto`.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Form of the diagnostics on stderr.
    #[arg(long, value_enum, default_value_t = MessageFormat::Human, value_name = "FORM")]
    pub message_format: MessageFormat,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// With the lines they are about.
    Human,
    /// `file:line:column: error[code]: message`
    Short,
    /// One JSON object per line.
    Json,
}

/// Does what `arguments` say, the program's name first. A panic on the way, unless it is one of the firmware under test,
/// is a defect of cooltwin itself: exit code [`exit::OWN_FAULT`] and a request to report the command.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (code, message) = or_own_fault(&words.join(" "), || dispatch(arguments));
    if let Some(message) = message {
        // Nobody listens any more where this fails.
        let _ = writeln!(std::io::stderr(), "{message}");
    }
    code
}

/// What `act` gives, or the exit code and the words for its panic.
fn or_own_fault(command: &str, act: impl FnOnce() -> ExitCode) -> (ExitCode, Option<String>) {
    // What was left half done is not looked at any more: the program ends.
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(code) => (code, None),
        Err(panic) => {
            let what = crate::hosts::panic_text(&*panic);
            let version = env!("CARGO_PKG_VERSION");
            let message = format!(
                "error: cooltwin {version} has a defect: {what}\n\
                 No verdict was reached. Please report this with the scenario and the command:\n  {command}"
            );
            (exit::OWN_FAULT.into(), Some(message))
        }
    }
}

fn dispatch(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails only when nobody listens any more.
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE.into() } else { exit::PASS.into() };
        }
    };
    match cli.command {
        Command::Run(arguments) => run(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Convert(arguments) => convert::convert(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Scenario(command) => scenario::scenario(&command),
        Command::Check(arguments) => check::check(&arguments),
        Command::Baseline(command) => baseline::baseline(&command),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Evidence(arguments) => evidence::evidence(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Sweep(command) => sweep::sweep(&command),
        Command::Campaign(arguments) => campaign::campaign(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Search(arguments) => search::search(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
        Command::Safety(command) => safety::safety(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_cooltwin_itself_has_its_own_code_and_asks_for_a_report() {
        let (code, message) = or_own_fault("cooltwin run a.ron", || panic!("index {} out of range", 7));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(70)));
        let message = message.expect("words");
        assert!(message.contains("index 7 out of range") && message.ends_with("cooltwin run a.ron"), "{message}");
        let (code, message) = or_own_fault("cooltwin run a.ron", || exit::FAIL.into());
        assert_eq!((format!("{code:?}"), message), (format!("{:?}", ExitCode::from(1)), None));
    }
}
