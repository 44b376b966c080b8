//! `cooltwin sweep power-cut|frame-loss|bit-error|phase`: one fault at every place where it could strike.

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use reports::Verdict;
use reports::sweep::{SweepReport, SweepVerdict, sweep_html, sweep_text};

use super::output::{OutputError, Place, from_here};
use super::run::identity;
use super::{Disk, Style, Terminal, exit, files};
use crate::kernel::Span;
use crate::run;
use crate::scenario::elsewhere::{configurations, with_names_below};
use crate::scenario::quantity::{self, Quantity};
use crate::scenario::{Loaded, Problem, load};
use crate::sweep::engine::{Options, Space, Swept, sweep as run_sweep};
use crate::sweep::frames::{Frames, Harm};
use crate::sweep::moved::{Moved, without_faults};
use crate::sweep::phase::{Dip, Phases};
use crate::sweep::power_cut::{Outage, PowerCuts, TwoCuts};
use crate::sweep::report::{Head, report};
use crate::sweep::survey::Survey;
use crate::sweep::{Slot, Trunk};

/// Boards sample their supply so often: phases of a dip are taken from it.
const DIP_OVER: Span = Span::from_millis(1);
/// Safety CPUs read all their inputs within so long.
const OWN_OVER: Span = Span::from_millis(4);
/// Bad results whose scenarios are written out, at most.
const FILES_MOST: usize = 50;

/// Subcommands of `cooltwin sweep`.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum SweepCommand {
    /// Cut power around every flash operation and at every protocol step of one pump's update.
    PowerCut {
        #[command(flatten)]
        common: Common,
        /// Power stays away at least so long.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = quantity_of::<Span>)]
        outage: Span,
        /// Power comes back at a multiple of this, so that cuts that leave the same behind can be merged.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = quantity_of::<Span>)]
        grid: Span,
        /// Pairs of cuts in a row, drawn from the seed.
        #[arg(long, value_name = "N", default_value_t = 300)]
        twice: usize,
    },
    /// Lose each frame of one pump's update, at its receiver and at its sender.
    FrameLoss {
        #[command(flatten)]
        common: Common,
    },
    /// Invert one bit of each frame of one pump's update.
    BitError {
        #[command(flatten)]
        common: Common,
    },
    /// Let the supply dip at every phase of a tick, in each phase of one pump's update; a scenario with faults of its own,
    /// such as a cut of the link between two safety CPUs or a stop input, is run with these at every phase instead.
    Phase {
        #[command(flatten)]
        common: Common,
        /// The level that the supply goes to.
        #[arg(long, value_name = "VOLTAGE", default_value = "0V", value_parser = quantity_of::<quantity::Voltage>)]
        to: quantity::Voltage,
        /// How long it stays there.
        #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = quantity_of::<Span>)]
        lasts: Span,
        /// Phases are taken from this stretch of time: 1ms for a dip, 4ms for a scenario's own faults where not given.
        #[arg(long, value_name = "TIME", value_parser = quantity_of::<Span>)]
        over: Option<Span>,
        /// Two phases are so far apart.
        #[arg(long, value_name = "TIME", default_value = "1us", value_parser = quantity_of::<Span>)]
        step: Span,
    },
}

/// What all sweeps have.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    /// Scenario file: an undisturbed update.
    #[arg(value_name = "SCENARIO")]
    file: PathBuf,
    /// The pump whose update is struck.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pump: u8,
    /// Run so many strikes, the same number of each stratum as far as it has so many, instead of all.
    #[arg(long, value_name = "N", conflicts_with = "all")]
    sample: Option<usize>,
    /// Run all strikes; that is so where no sample is asked for.
    #[arg(long)]
    all: bool,
    /// Runs at a time; as many as there are processors where not given. It changes no result.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Draws sample, controls and whatever is drawn of the strikes; the scenario keeps its own seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run every strike to its end, and merge none.
    #[arg(long)]
    no_merge: bool,
    /// Set one value of the scenario, for instance package.image.length=4KiB.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder for the result, instead of one named by scenario and sweep below ./cooltwin-out.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print sweep.json instead of the report.
    #[arg(long)]
    json: bool,
    /// Print the whole scenario of one strike, and run nothing.
    #[arg(long, value_name = "N")]
    show: Option<usize>,
    #[command(flatten)]
    style: Style,
}

fn quantity_of<Q: Quantity>(text: &str) -> Result<Q, String> {
    let example = Q::UNITS.first().map_or("", |(unit, _)| unit);
    quantity::parse(text)
        .map_err(|_| format!("this is no {}; write a number and a unit, for instance 20{example}", Q::WHAT))
}

/// A space of strikes and its name.
type NamedSpace = (&'static str, Box<dyn Space>);

impl SweepCommand {
    const fn common(&self) -> &Common {
        match self {
            Self::PowerCut { common, .. }
            | Self::FrameLoss { common }
            | Self::BitError { common }
            | Self::Phase { common, .. } => common,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::PowerCut { .. } => "power-cut",
            Self::FrameLoss { .. } => "frame-loss",
            Self::BitError { .. } => "bit-error",
            Self::Phase { .. } => "phase",
        }
    }

    /// What the strikes are, in one line.
    fn words(&self, base: &Loaded) -> String {
        match self {
            Self::PowerCut { outage, grid, .. } => {
                let [outage, grid] = [*outage, *grid].map(quantity::text);
                format!("power away for {outage} or more, back at a multiple of {grid}")
            }
            Self::FrameLoss { .. } => "each frame lost above the link layer".to_owned(),
            Self::BitError { .. } => "one bit of each frame inverted for every node".to_owned(),
            Self::Phase { over, step, .. } if self.moves(base) => {
                let [over, step] = [over.unwrap_or(OWN_OVER), *step].map(quantity::text);
                format!("the scenario's own faults at each {step} of {over}")
            }
            Self::Phase { to, lasts, .. } => {
                format!("supply at {} for {}", quantity::text(*to), quantity::text(*lasts))
            }
        }
    }

    /// What to type in the folder of the scenario file for the same sweep; what is not given is as it is by default.
    fn typed(&self) -> String {
        let Common { file, pump, sample, seed, no_merge, set, .. } = self.common();
        let file = file.file_name().unwrap_or(file.as_os_str());
        let mut typed = format!("cooltwin sweep {} {} --pump {pump} --seed {seed}", self.name(), file.display());
        let mut add = |more: String| typed.push_str(&more);
        match sample {
            Some(sample) => add(format!(" --sample {sample}")),
            None => add(" --all".to_owned()),
        }
        match *self {
            Self::PowerCut { outage, grid, twice, .. } => {
                let [outage, grid] = [outage, grid].map(quantity::text);
                add(format!(" --outage {outage} --grid {grid} --twice {twice}"));
            }
            Self::FrameLoss { .. } | Self::BitError { .. } => {}
            Self::Phase { to, lasts, over, step, .. } => {
                let [lasts, step] = [lasts, step].map(quantity::text);
                add(format!(" --to {} --lasts {lasts} --step {step}", quantity::text(to)));
                over.into_iter().for_each(|over| add(format!(" --over {}", quantity::text(over))));
            }
        }
        no_merge.then(|| add(" --no-merge".to_owned()));
        set.iter().for_each(|set| add(format!(" --set '{set}'")));
        typed
    }

    /// The spaces of the sweep, by name.
    fn spaces(&self, base: &Loaded, survey: Option<Survey>) -> Result<Vec<NamedSpace>, Vec<Problem>> {
        let Common { pump, seed, .. } = *self.common();
        let Some(survey) = survey else {
            let [over, step] = self.phases(OWN_OVER);
            return Ok(vec![("moved faults", Box::new(Moved::new(base, over, step)?))]);
        };
        Ok(match *self {
            Self::PowerCut { outage, grid, twice, .. } => {
                let outage = Outage { least: outage, grid };
                let one = PowerCuts::new(base, pump, survey.clone(), outage)?;
                let two = TwoCuts::new(base, pump, survey, outage, twice, seed)?;
                vec![("one cut", Box::new(one) as Box<dyn Space>), ("two cuts in a row", Box::new(two))]
            }
            Self::FrameLoss { .. } => vec![("lost frames", Box::new(Frames::new(base, pump, survey, Harm::Lost)?))],
            Self::BitError { .. } => {
                vec![("bit errors", Box::new(Frames::new(base, pump, survey, Harm::Hit { seed })?))]
            }
            Self::Phase { to, lasts, .. } => {
                let phases = self.phases(DIP_OVER);
                vec![("dips", Box::new(Phases::new(base, pump, &survey, Dip { to, lasts }, phases)?))]
            }
        })
    }

    /// Whether it moves the faults that the scenario has, instead of striking at an update.
    fn moves(&self, base: &Loaded) -> bool {
        matches!(self, Self::Phase { .. }) && !base.scenario.faults.is_empty()
    }

    /// The stretch that phases are taken from and their distance.
    fn phases(&self, otherwise: Span) -> [Span; 2] {
        match *self {
            Self::Phase { over, step, .. } => [over.unwrap_or(otherwise), step],
            _ => [otherwise, otherwise],
        }
    }
}

/// Does what `command` says.
pub(super) fn sweep(command: &SweepCommand) -> ExitCode {
    let terminal = Terminal::new(&command.common().style);
    match swept(command, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn swept(command: &SweepCommand, terminal: Terminal) -> Result<(String, u8), u8> {
    let common = command.common();
    let mut base = load(&Disk, &common.file, &common.set).map_err(|error| files::print(&error, terminal))?;
    // The scenarios of bad results are written to a folder of their own.
    base.scenario = with_names_below(&base.scenario);
    let moves = command.moves(&base);
    if let SweepCommand::Phase { step, .. } = command
        && step.as_nanos() == 0
    {
        terminal.diagnostic("error: --step must be more than nothing\n");
        return Err(exit::USAGE);
    }
    if common.pump == 0 || common.pump > base.scenario.pumps.count {
        terminal.diagnostic(&format!("error: there is no pump {}\n", common.pump));
        return Err(exit::USAGE);
    }
    let usage = |error: OutputError| {
        terminal.diagnostic(&format!("error: {error}\n"));
        exit::USAGE
    };
    let target = out_folder(command, &base);
    let place = Place::check(&target).map_err(usage)?;
    let (survey, trunk) =
        if moves { (None, bare(&base, terminal)?) } else { look(&base, common.pump, terminal).map(some_survey)? };
    let spaces = command.spaces(&base, survey).map_err(|problems| refuse(&problems, terminal))?;
    if let Some(number) = common.show {
        return show(&spaces, number, terminal);
    }
    let results: Vec<Swept> = spaces.iter().map(|(name, space)| run_space(name, &**space, common, terminal)).collect();
    let parts: Vec<(&str, &dyn Space, &Swept)> =
        spaces.iter().zip(&results).map(|((name, space), swept)| (*name, &**space, swept)).collect();
    let head = Head {
        sweep: command.name(),
        options: command.words(&base),
        command: command.typed(),
        pump: (!moves).then_some(common.pump),
        seed: common.seed,
        trunk,
    };
    let mut report = report(&base, head, &identity(), &parts);
    write_files(&place, &mut report, &spaces).map_err(usage)?;
    let text = if common.json {
        report.json()
    } else {
        format!("{}results in {}\n", from_here(&sweep_text(&report), &target, &["bad"]), target.display())
    };
    Ok((text, exit_code(report.verdict)))
}

fn out_folder(command: &SweepCommand, base: &Loaded) -> PathBuf {
    let common = command.common();
    let own =
        || Path::new("cooltwin-out").join(&base.scenario.name).join(format!("{}-{}", command.name(), common.seed));
    common.out.clone().unwrap_or_else(own)
}

/// Runs the scenario undisturbed and sees what there is to strike at; also gives that run's fingerprint.
fn look(base: &Loaded, pump: u8, terminal: Terminal) -> Result<(Survey, String), u8> {
    let undisturbed = run::run(&base.scenario, base.image.as_deref(), |_| {});
    let report = run::report(base, &undisturbed, &identity());
    if report.verdict != Verdict::Pass {
        let verdict = format!("{:?}", report.verdict).to_uppercase();
        terminal.diagnostic(&format!(
            "error: undisturbed, {} ends with {verdict}\nhelp: a sweep strikes at an update that passes\n",
            base.scenario.name
        ));
        return Err(super::run::exit_code(report.verdict));
    }
    let trunk = Trunk::new(base, &[Slot::Time]).map_err(|problems| refuse(&problems, terminal))?;
    let (survey, run) = Survey::of(&trunk, pump);
    if !survey.is_whole(&run) {
        terminal.diagnostic(&format!("error: undisturbed, P{pump:02} is not updated: there is nothing to strike at\n"));
        return Err(exit::NOTHING);
    }
    Ok((survey, undisturbed.twin.trace.fingerprint().to_string()))
}

fn some_survey((survey, trunk): (Survey, String)) -> (Option<Survey>, String) {
    (Some(survey), trunk)
}

/// The fingerprint of the scenario's run without its faults, which must come to its end.
fn bare(base: &Loaded, terminal: Terminal) -> Result<String, u8> {
    let bare = without_faults(base).map_err(|problems| refuse(&problems, terminal))?;
    let run = run::run(&bare.scenario, bare.image.as_deref(), |_| {});
    if run.ending != run::Ending::Regular {
        terminal.diagnostic(&format!("error: without its faults, {} ends by {:?}\n", base.scenario.name, run.ending));
        return Err(exit::FAIL);
    }
    Ok(run.twin.trace.fingerprint().to_string())
}

fn refuse(problems: &[Problem], terminal: Terminal) -> u8 {
    for problem in problems {
        terminal.diagnostic(&format!("error: {}: {}\n", problem.path, problem.message));
    }
    exit::INVALID
}

/// Prints the scenario of one strike of the first space.
fn show(spaces: &[(&str, Box<dyn Space>)], number: usize, terminal: Terminal) -> Result<(String, u8), u8> {
    let mut before = 0;
    for (_, space) in spaces {
        if number < before + space.len() {
            return match scenario_of(&**space, number - before) {
                Ok((_, text)) => Ok((text, exit::PASS)),
                Err(problems) => Err(refuse(&problems, terminal)),
            };
        }
        before += space.len();
    }
    terminal.diagnostic(&format!("error: there is no strike {number}: they are 0 to {}\n", before.saturating_sub(1)));
    Err(exit::USAGE)
}

/// Name and text of the scenario of one strike.
fn scenario_of(space: &dyn Space, number: usize) -> Result<(String, String), Vec<Problem>> {
    let strike = space.strike(number);
    let name = format!("strike-{number}");
    let forked = space.trunk().forked(&name, &strike.faults)?;
    Ok((name, format!("// {}\n{}", strike.name, forked.scenario.resolved_text())))
}

fn run_space(name: &str, space: &dyn Space, common: &Common, terminal: Terminal) -> Swept {
    let jobs = super::jobs(common.jobs);
    let options =
        Options { sample: common.sample, seed: common.seed, jobs, control_permille: 10, merge: !common.no_merge };
    let progress = Progress::new(name, terminal);
    let swept = run_sweep(space, &options, &|stage, done, of| progress.tell(stage, done, of));
    progress.done(swept.standings.len());
    swept
}

/// Writes the report and the scenarios of bad results.
fn write_files(place: &Place, report: &mut SweepReport, spaces: &[(&str, Box<dyn Space>)]) -> Result<(), OutputError> {
    let folder = place.draft()?;
    for (part, (_, space)) in report.parts.iter_mut().zip(spaces) {
        for bad in part.bad.iter_mut().take(FILES_MOST) {
            if let Ok((name, text)) = scenario_of(&**space, bad.strike) {
                let file = format!("bad/{}-{name}.ron", part.name.replace(' ', "-"));
                folder.write(&file, &text)?;
                for (name, bytes) in configurations(&space.trunk().base().scenario) {
                    folder.write(&format!("bad/{name}"), &bytes)?;
                }
                bad.file = file;
            }
        }
    }
    folder.write("sweep.json", &report.json())?;
    folder.write("sweep.csv", &report.csv())?;
    folder.write("sweep.txt", &sweep_text(report))?;
    folder.write("report.html", &sweep_html(report))?;
    folder.commit()
}

const fn exit_code(verdict: SweepVerdict) -> u8 {
    match verdict {
        SweepVerdict::Pass => exit::PASS,
        SweepVerdict::Inconclusive => exit::INCONCLUSIVE,
        SweepVerdict::Unsound => exit::OWN_FAULT,
        SweepVerdict::Fail => exit::FAIL,
    }
}

/// Tells how far a sweep is: a bar on a terminal, a plain line for each tenth of a stage elsewhere.
struct Progress {
    name: String,
    bar: ProgressBar,
    plain: Option<Terminal>,
    told: Mutex<Told>,
}

/// What was told last.
#[derive(Default)]
struct Told {
    stage: String,
    tenth: usize,
    /// When the stage began, in seconds: when the one before it was told last.
    began: f64,
    /// When something was told last, in seconds.
    last: f64,
}

impl Progress {
    fn new(name: &str, terminal: Terminal) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{prefix}: {msg} [{bar:30}] {pos}/{len}, {per_sec}, {eta} left");
        let bar = if on_terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(name.to_owned());
        Self { name: name.to_owned(), bar, plain: (!on_terminal).then_some(terminal), told: Mutex::default() }
    }

    fn tell(&self, stage: &str, done: usize, of: usize) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = self.bar.elapsed().as_secs_f64();
        if told.stage != stage {
            self.bar.set_message(stage.to_owned());
            self.bar.set_length(of as u64);
            self.bar.reset_eta();
            *told = Told { stage: stage.to_owned(), tenth: usize::MAX, began: told.last, last: seconds };
        }
        told.last = seconds;
        self.bar.set_position(done as u64);
        let tenth = done * 10 / of.max(1);
        if tenth != told.tenth {
            told.tenth = tenth;
            if let Some(terminal) = self.plain {
                let pace = super::pace(done, of, seconds - told.began);
                terminal.diagnostic(&format!("{}: {stage} {done} of {of} after {seconds:.0} s{pace}\n", self.name));
            }
        }
    }

    fn done(&self, strikes: usize) {
        let seconds = self.bar.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        if let Some(terminal) = self.plain {
            let rate = strikes as f64 / seconds.max(1e-3);
            terminal.diagnostic(&format!(
                "{}: {} in {seconds:.1} s, {rate:.0} a second\n",
                self.name,
                reports::counted(strikes as u64, "strike", "strikes")
            ));
        }
    }
}
