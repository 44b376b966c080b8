//! The report of one run for a terminal.
//!
//! ```text
//!   head        program, scenario, seed
//!   pumps       a bar each against the budget           | or messages, when there is no campaign
//!   facts       campaign, bus, supply, coolant
//!   rows        budgets, checks, expectations, injections, assumptions: counts, or all of them when asked
//!   last block  what did not simply pass, then the verdict, then the command that does it again
//! ```
//! The eye comes to rest at the end of the output, so the end holds what matters; quiet prints nothing else.

mod facts;
mod last;
mod page;
mod pumps;
mod rows;
mod words;

use page::{Line, Page, Style};

use crate::report::{Build, Report};

pub(crate) use last::{command_as_typed, findings, set_arguments, summary};
pub use last::{reproduce_command, shell_word};
pub(crate) use rows::{budget_words, check_words, expectation_words, held_unexpectedly};

/// The narrowest page; a narrower terminal breaks the lines itself.
const WIDTH_MIN: usize = 60;

/// How much to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The last block: what did not pass, the verdict and the command.
    Quiet,
    /// Everything that an engineer reads after each run.
    #[default]
    Normal,
    /// Also tries with phases, budgets with decomposition, all checks and expectations.
    Verbose,
    /// Also every node and message of the bus, assumptions, inputs and fingerprints.
    VeryVerbose,
}

/// How to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal; less than 60 counts as 60.
    pub width: usize,
    /// Whether to print ANSI colours; they say nothing that the words do not.
    pub color: bool,
    /// How much to print.
    pub verbosity: Verbosity,
    /// Path of the scenario as it is typed here, for the last line; the result knows only what the file is called.
    pub file: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 100, color: false, verbosity: Verbosity::Normal, file: None }
    }
}

/// The report as text; every line ends with a line break, the last line is the command that reproduces the run.
#[must_use]
pub fn terminal(report: &Report, options: &Options) -> String {
    let mut page = Page::new(options.width.max(WIDTH_MIN), options.color);
    if options.verbosity > Verbosity::Quiet {
        head(&mut page, report);
        if !report.updated_pumps().is_empty() {
            pumps::section(&mut page, report, options);
        }
        facts::section(&mut page, report, options);
        rows::section(&mut page, report, options);
        page.blank();
    }
    last::section(&mut page, report, options.file.as_deref());
    page.finish()
}

/// The program, short enough for a line; result.json has its identity in full.
fn program(build: &Build) -> String {
    let (commit, dirty) = build.commit.strip_suffix("-dirty").map_or((&*build.commit, ""), |commit| (commit, "-dirty"));
    let commit: String = commit.chars().take(12).collect();
    let rustc = build.rustc.split(' ').next().unwrap_or_default();
    format!("cooltwin {} ({commit}{dirty}, rustc {rustc})", build.version)
}

/// What ran.
fn head(page: &mut Page, report: &Report) {
    let mut line = Line::new();
    line.put(Style::Bold, &report.scenario.name);
    line.gap(3);
    let digest: String = report.scenario.sha256.chars().take(12).collect();
    let seed = if report.seed_unused { " (nothing in this scenario is random)" } else { "" };
    let mut pieces = vec![format!("seed {}{seed}", report.seed), format!("scenario {digest}")];
    pieces.extend(report.scenario.overrides.iter().map(|change| format!("--set {change}")));
    pieces.push(format!("simulated {}", words::duration(report.simulated_ms)));
    pieces.push(program(&report.build));
    page.flow_pieces(line, pieces.into_iter().map(|piece| (Style::Dim, piece)), 3);
}
