//! `cooltwin campaign`: runs a campaign or a shard of one, keeps its rows as they come, and reports.
//!
//! While it runs, rows go to a hidden folder beside the output folder (`.NAME.partial`); `--resume` goes on from there.
//! The output folder appears whole at the end, with the same bytes whether or not there was an interruption.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{IsTerminal, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reports::campaign::{
    CampaignReport, Trial, campaign_figure_files, campaign_from_json, campaign_html, campaign_json, campaign_text,
    read_trials, write_trials,
};
use reports::{Build, counted, sha256};
use serde::{Deserialize, Serialize};

use super::output::{Folder, MARK, OutputError, Place, from_here};
use super::run::{exit_code, identity};
use super::{Disk, Style, Terminal, exit, files};
use crate::campaign::engine::{Shard, run_trials};
use crate::campaign::{Campaign, draw, file, load_campaign, summary, trial};
use crate::scenario::elsewhere::configurations;
use crate::scenario::loader::beside;
use crate::scenario::{FileSource, LoadError};

/// Raw data of the trials.
pub(super) const TRIALS: &str = "trials.csv";
/// What a shard says of itself.
pub(super) const SHARD: &str = "shard.json";
const REPORT: &str = "campaign.json";

/// Arguments of `cooltwin campaign`.
#[derive(Args, Clone, Debug)]
pub(super) struct CampaignArgs {
    /// Campaign file; --explain prints its fields.
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    file: Option<PathBuf>,
    /// Trials at a time; as many as there are processors where not given. It changes no result.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Folder for results, instead of one named by campaign and seed below ./cooltwin-out.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with a campaign that was interrupted.
    #[arg(long)]
    resume: bool,
    /// Replace the result of another campaign or shard that stands in the folder. One of the same campaign is replaced in
    /// any case, since it has the same trials.
    #[arg(long)]
    replace: bool,
    /// Run the I-th of N shares of the trials only; `cooltwin merge` puts them together.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Print campaign.json instead of the report.
    #[arg(long)]
    json: bool,
    /// Print the scenario of this trial, from 1, and run nothing.
    #[arg(long, value_name = "TRIAL", conflicts_with_all = ["resume", "replace", "shard", "json", "out", "quiet"])]
    show_trial: Option<u64>,
    /// Print the verdict only.
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Print the fields of campaign files.
    #[arg(long)]
    explain: bool,
    /// How problems are printed.
    #[command(flatten)]
    style: Style,
}

fn shard(text: &str) -> Result<Shard, String> {
    Shard::parse(text).ok_or_else(|| "a shard, for instance 2/8 for the second of eight".to_owned())
}

/// Which trials of which campaign rows are from: what must be equal for rows to belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// Name and version of the format.
    pub(super) schema: String,
    /// Which share, from 1.
    pub(super) shard: u32,
    /// Of how many.
    pub(super) of: u32,
    /// SHA-256 of the campaign in canonical form.
    pub(super) campaign: String,
    /// What results call the campaign file.
    pub(super) path: String,
    /// The files that it was made from.
    pub(super) files: Vec<Kept>,
    /// Which program ran the trials.
    pub(super) build: Build,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// What the campaign's results call it.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

/// A finished shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finished {
    /// What it is a share of.
    pub(super) head: Head,
    /// Its trials.
    pub(super) trials: u64,
    /// SHA-256 of its trials.csv.
    pub(super) trials_sha256: String,
}

pub(super) const HEAD_SCHEMA: &str = "cooltwin.shard/1";

/// Files on disk, and what was read of them.
#[derive(Default)]
struct Reading {
    texts: RefCell<BTreeMap<PathBuf, String>>,
}

impl Reading {
    /// The files of the campaign by what its results call them.
    fn kept(&self, campaign: &Campaign) -> Vec<Kept> {
        let texts = self.texts.borrow();
        let kept = |input: &crate::scenario::Input| {
            Some(Kept { path: input.path.clone(), text: texts.get(&input.file)?.clone() })
        };
        campaign.inputs.iter().filter_map(kept).collect()
    }
}

impl FileSource for Reading {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = Disk.read(path)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.texts.borrow_mut().insert(path.to_owned(), text);
        Ok(bytes)
    }
}

/// Runs the campaign that `arguments` name.
pub(super) fn campaign(arguments: &CampaignArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let Some(path) = arguments.file.as_deref().filter(|_| !arguments.explain) else {
        return terminal.finish(&file::explain(), exit::PASS);
    };
    let reading = Reading::default();
    let campaign = match load_campaign(&reading, path) {
        Ok(campaign) => campaign,
        Err(error) => return refused(&error, terminal).into(),
    };
    if let Some(number) = arguments.show_trial {
        return show(&campaign, number, terminal);
    }
    let job = Job::new(arguments, &campaign, reading.kept(&campaign));
    match job.run(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(error) => {
            terminal.diagnostic(&format!("error: {error}\n"));
            exit::USAGE.into()
        }
    }
}

pub(super) fn refused(error: &LoadError, terminal: Terminal) -> u8 {
    files::print(error, terminal)
}

fn show(campaign: &Campaign, number: u64, terminal: Terminal) -> ExitCode {
    let drawn = (1..=campaign.trials()).contains(&number).then(|| draw::draw(campaign, number - 1));
    let scenario = drawn.map(|drawn| drawn.scenario);
    match scenario {
        Some(Ok(scenario)) => terminal.finish(&scenario.resolved_text(), exit::PASS),
        Some(Err(why)) => {
            terminal.diagnostic(&format!("error: trial {number} has no scenario: {why}\n"));
            exit::INVALID.into()
        }
        None => {
            terminal.diagnostic(&format!("error: the trials are 1 to {}\n", campaign.trials()));
            exit::USAGE.into()
        }
    }
}

/// A campaign, or a share of it, to be run.
struct Job<'a> {
    campaign: &'a Campaign,
    head: Head,
    shard: Option<Shard>,
    jobs: NonZero<usize>,
    target: PathBuf,
}

impl<'a> Job<'a> {
    fn new(arguments: &CampaignArgs, campaign: &'a Campaign, kept: Vec<Kept>) -> Self {
        let shard = arguments.shard.unwrap_or(Shard::WHOLE);
        let identity = identity();
        let head = Head {
            schema: HEAD_SCHEMA.to_owned(),
            shard: shard.number,
            of: shard.of,
            campaign: campaign.sha256(),
            path: campaign.inputs.first().map_or(String::new(), |own| own.path.clone()),
            files: kept,
            build: Build { version: identity.version, commit: identity.commit, rustc: identity.rustc },
        };
        let own = || {
            let folder = Path::new("cooltwin-out").join(&campaign.raw.name).join(campaign.raw.seed.to_string());
            arguments
                .shard
                .map_or(folder.clone(), |shard| folder.join(format!("shard-{}-of-{}", shard.number, shard.of)))
        };
        let jobs = super::jobs(arguments.jobs);
        Self { campaign, head, shard: arguments.shard, jobs, target: arguments.out.clone().unwrap_or_else(own) }
    }

    fn run(&self, arguments: &CampaignArgs, terminal: Terminal) -> Result<(String, u8), OutputError> {
        let own =
            Held { campaign: self.head.campaign.clone(), shard: self.shard.map(|shard| (shard.number, shard.of)) };
        let place = campaign_place(&self.target, &own, arguments.replace)?;
        let mut partial = Partial::open(&self.target, &self.head, self.campaign, arguments.resume)?;
        let budgets = summary::columns(self.campaign);
        let done = partial.rows.len();
        let trials: Vec<u64> = self.shard.unwrap_or(Shard::WHOLE).trials(self.campaign).skip(done).collect();
        let progress =
            Progress::new(&self.campaign.raw.name, done, trials.len(), terminal, arguments.json || arguments.quiet);
        run_trials(self.campaign, &trials, self.jobs, &trial::plain, |rows| {
            partial.keep(&budgets, rows)?;
            progress.tell(partial.rows.len());
            Ok::<(), OutputError>(())
        })?;
        progress.done();
        let folder = place.draft()?;
        let ended = if self.shard.is_some() {
            self.finish_shard(&folder, &partial.rows)?
        } else {
            let report = write_campaign(&folder, self.campaign, &partial.rows)?;
            let text = if arguments.quiet {
                last_line(&campaign_text(&report, terminal.result_color()))
            } else {
                told(&report, &self.target, arguments.json, terminal)
            };
            (text, exit_code(report.verdict))
        };
        folder.commit()?;
        partial.remove();
        Ok(ended)
    }

    fn finish_shard(&self, folder: &Folder, rows: &[Trial]) -> Result<(String, u8), OutputError> {
        let table = write_trials(&summary::columns(self.campaign), rows, true);
        folder.write(TRIALS, &table)?;
        let finished =
            Finished { head: self.head.clone(), trials: rows.len() as u64, trials_sha256: sha256(table.as_bytes()) };
        folder.write(SHARD, &(serde_json::to_string(&finished).map_err(|error| OutputError::text(&error))? + "\n"))?;
        let failed = rows.iter().filter(|row| !row.success).count();
        let text = format!(
            "{}: shard {} of {}, {}, {failed} failed; no verdict before `cooltwin merge`\n{}\n",
            self.campaign.raw.name,
            self.head.shard,
            self.head.of,
            counted(rows.len() as u64, "trial", "trials"),
            self.target.display()
        );
        Ok((text, exit::PASS))
    }
}

/// The verdict of a report.
fn last_line(text: &str) -> String {
    text.lines().next_back().map_or(String::new(), |line| format!("{line}\n"))
}

/// Whose trials a folder holds: the campaign by its SHA-256, and which share of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) campaign: String,
    pub(super) shard: Option<(u32, u32)>,
}

impl Held {
    /// What stands there; an unreadable one is somebody's all the same.
    fn at(folder: &Path) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let unknown = || Self { campaign: String::new(), shard: None };
        if let Some(text) = read(REPORT) {
            let held = campaign_from_json(&text).map(|report| Self { campaign: report.sha256, shard: None });
            return Some(held.unwrap_or_else(|_| unknown()));
        }
        let said: Result<Finished, _> = serde_json::from_str(&read(SHARD)?);
        let held = said.map(|said| Self { campaign: said.head.campaign, shard: Some((said.head.shard, said.head.of)) });
        Some(held.unwrap_or_else(|_| unknown()))
    }
}

/// Looks whether a campaign may be written to `target`. The result of another one, in which there may be hours of trials,
/// is replaced only where that was asked for.
pub(super) fn campaign_place(target: &Path, own: &Held, replace: bool) -> Result<Place, OutputError> {
    let place = Place::check_campaign(target)?;
    match Held::at(target).filter(|held| held != own && !replace) {
        None => Ok(place),
        Some(held) => {
            let other =
                if held.campaign == own.campaign { "another share of this campaign" } else { "another campaign" };
            let folder = target.display();
            Err(OutputError::text(&format!(
                "{folder} holds the result of {other}, which stays: choose another folder with --out, or give --replace"
            )))
        }
    }
}

/// The report as the command prints it.
pub(super) fn told(report: &CampaignReport, target: &Path, json: bool, terminal: Terminal) -> String {
    if json {
        return campaign_json(report) + "\n";
    }
    let text = from_here(&campaign_text(report, terminal.result_color()), target, &["failures", "worst"]);
    format!("{text}results in {}\n", target.display())
}

/// Writes everything that follows from the rows of a whole campaign.
pub(super) fn write_campaign(
    folder: &Folder,
    campaign: &Campaign,
    rows: &[Trial],
) -> Result<CampaignReport, OutputError> {
    let table = write_trials(&summary::columns(campaign), rows, true);
    let control = summary::control(campaign, &trial::plain);
    let report = summary::report(campaign, rows, &sha256(table.as_bytes()), control, &identity());
    folder.write(TRIALS, &table)?;
    #[cfg(feature = "parquet")]
    folder.write("trials.parquet", &parquet(campaign, rows)?)?;
    folder.write(REPORT, &(campaign_json(&report) + "\n"))?;
    folder.write("report.html", &campaign_html(&report))?;
    for (file, text) in campaign_figure_files(&report) {
        folder.write(&file, &text)?;
    }
    folder.write("campaign.ron", &campaign.resolved_text())?;
    write_scenarios(folder, campaign, summary::scenarios_wanted(campaign, &report))?;
    Ok(report)
}

/// Writes the scenarios of trials, and beside them the configurations that they name.
fn write_scenarios(folder: &Folder, campaign: &Campaign, wanted: Vec<(String, u64)>) -> Result<(), OutputError> {
    for (file, trial) in &wanted {
        let Ok(scenario) = draw::draw(campaign, *trial).scenario else { continue };
        folder.write(file, &scenario.resolved_text())?;
        for (name, bytes) in configurations(&scenario) {
            let copy = beside(Path::new(file), &name).display().to_string();
            if wanted.iter().any(|(file, _)| *file == copy) {
                let why = format!("{copy} would be a configuration and a trial: give the configuration another name");
                return Err(OutputError::text(&why));
            }
            folder.write(&copy, &bytes)?;
        }
    }
    Ok(())
}

#[cfg(feature = "parquet")]
fn parquet(campaign: &Campaign, rows: &[Trial]) -> Result<Vec<u8>, OutputError> {
    let written = reports::campaign::trials_parquet(&summary::columns(campaign), rows);
    written.map_err(|error| OutputError::text(&error))
}

/// Rows of a campaign that is not finished, on disk and here.
struct Partial {
    folder: PathBuf,
    file: File,
    rows: Vec<Trial>,
}

impl Partial {
    /// Begins, or goes on with what is there. Rows of another campaign or program are refused, and so is throwing rows
    /// away without a word.
    fn open(target: &Path, head: &Head, campaign: &Campaign, resume: bool) -> Result<Self, OutputError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = target.with_file_name(format!(".{name}.partial"));
        let said = folder.join(SHARD);
        let wrong = |error: std::io::Error| OutputError::new(&folder, &error);
        let own = serde_json::to_string(head).map_err(|error| OutputError::text(&error))?;
        let mut rows = Vec::new();
        if said.exists() {
            if !resume {
                let message = format!(
                    "{} holds a campaign that was interrupted: go on with --resume, or remove that folder",
                    folder.display()
                );
                return Err(OutputError::text(&message));
            }
            if fs::read_to_string(&said).map_err(wrong)? != own {
                let message = format!("{} holds rows of another campaign, shard or program", folder.display());
                return Err(OutputError::text(&message));
            }
            rows = kept_rows(&folder.join(TRIALS), head, campaign);
        } else {
            fs::create_dir_all(&folder).map_err(wrong)?;
            fs::write(folder.join(MARK), "Rows of a campaign under way.\n").map_err(wrong)?;
        }
        // Whole rows only: the last one may have been cut off.
        let table = write_trials(&summary::columns(campaign), &rows, true);
        fs::write(folder.join(TRIALS), table).map_err(wrong)?;
        fs::write(&said, own).map_err(wrong)?;
        let file = File::options().append(true).open(folder.join(TRIALS)).map_err(wrong)?;
        Ok(Self { folder, file, rows })
    }

    fn keep(&mut self, budgets: &[String], rows: &[Trial]) -> Result<(), OutputError> {
        let text = write_trials(budgets, rows, false);
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|error| OutputError::new(&self.folder, &error))?;
        self.rows.extend_from_slice(rows);
        Ok(())
    }

    /// The output folder stands: the rows are in it.
    fn remove(self) {
        // One that stays is refused or resumed by the next run; no result depends on it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The whole rows of an interrupted campaign, as far as they are the first ones of its trials.
fn kept_rows(path: &Path, head: &Head, campaign: &Campaign) -> Vec<Trial> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let rows = read_trials(whole).map(|table| table.trials).unwrap_or_default();
    let shard = Shard { number: head.shard, of: head.of };
    let expected = shard.trials(campaign).zip(rows);
    expected.take_while(|(trial, row)| row.number == trial + 1).map(|(_, row)| row).collect()
}

/// Seconds after which a line is due although no tenth is full, so that a long campaign does not look hung.
const LINE_AFTER: f64 = 10.0;

/// Tells how far a campaign is, with rate and remaining time: a bar on a terminal; elsewhere a line when it begins, each
/// tenth, and after [`LINE_AFTER`].
struct Progress {
    bar: ProgressBar,
    plain: Option<Terminal>,
    name: String,
    /// Trials that were done before.
    before: usize,
    all: usize,
    /// The tenth that was told last, and when, in seconds.
    told: std::cell::Cell<Option<(usize, f64)>>,
}

impl Progress {
    fn new(name: &str, done: usize, left: usize, terminal: Terminal, quiet: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let all = done + left;
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} trials, {per_sec}, {eta} left");
        let bar = if on_terminal && !quiet { ProgressBar::new(all as u64) } else { ProgressBar::hidden() };
        let bar = bar.with_position(done as u64).with_prefix(name.to_owned());
        bar.reset_eta();
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let plain = (!on_terminal && !quiet).then_some(terminal);
        let progress = Self { bar, plain, name: name.to_owned(), before: done, all, told: std::cell::Cell::default() };
        progress.tell(done);
        progress
    }

    fn tell(&self, done: usize) {
        self.bar.set_position(done as u64);
        let tenth = done * 10 / self.all.max(1);
        let seconds = self.bar.elapsed().as_secs_f64();
        let due = self.told.get().is_none_or(|(told, last)| tenth > told || seconds >= last + LINE_AFTER);
        if let Some(terminal) = self.plain.filter(|_| due) {
            let (ran, left) = (done - self.before, self.all - self.before);
            let pace = super::pace(ran, left, seconds);
            terminal.diagnostic(&format!(
                "{}: {done} of {}{pace}\n",
                self.name,
                counted(self.all as u64, "trial", "trials")
            ));
            self.told.set(Some((tenth, seconds)));
        }
    }

    fn done(&self) {
        self.bar.finish_and_clear();
    }
}
