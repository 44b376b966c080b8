//! Reports of a campaign: many trials, what they show, one value for every format.
//!
//! ```text
//!   twin --row by row--> Trial --> trials.csv, and back; trials.parquet with the feature `parquet`
//!   rows --aggregated--> CampaignReport --+--> campaign.json, and back
//!                                         +--> terminal text
//!                                         +--> report.html with its figures
//! ```
//! A [`Trial`] is one row of raw data; a [`CampaignReport`] is made from rows alone, so that shards that are put
//! together give what one machine would have given. Shares are kept in percent with six places, rounded to the
//! unfavourable side by whoever computes them.

mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod table;
mod text;

use serde::{Deserialize, Serialize};

use crate::number::Fixed;
use crate::report::{Build, Input, Relation};
use crate::verdict::Verdict;

pub use page::{campaign_figure_files, campaign_html};
#[cfg(feature = "parquet")]
pub use parquet::trials_parquet;
pub use table::{Table, TableError, read_trials, write_trials};
pub use text::campaign_text;

/// The name and version of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CampaignSchema {
    /// `cooltwin.campaign/1`.
    #[default]
    #[serde(rename = "cooltwin.campaign/1")]
    Campaign1,
}

/// What became of the faults of a trial, the gravest that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No fault came, and nothing went wrong.
    Undisturbed,
    /// It acted, and everything went as without it.
    Masked,
    /// It changed the course, and what failed was made good by a later try.
    Tolerated,
    /// It was named by a cause or an alarm, or the safety unit that it reached tripped; else no check and no budget broke.
    DetectedSafe,
    /// A budget broke, whether anything was detected or not.
    DetectedLate,
    /// An alarm or a failed try of something that no fault touches, or the trip of such a safety unit.
    SpuriousTrip,
    /// A check broke.
    UndetectedDangerous,
    /// A firmware panicked or broke its interface.
    Panic,
    /// No result: no fault acted although some came, no end, or a defect of the twin. Never a success.
    Invalid,
}

impl Class {
    /// All classes, the mildest first.
    pub const ALL: [Self; 9] = [
        Self::Undisturbed,
        Self::Masked,
        Self::Tolerated,
        Self::DetectedSafe,
        Self::DetectedLate,
        Self::SpuriousTrip,
        Self::UndetectedDangerous,
        Self::Panic,
        Self::Invalid,
    ];

    /// The word that reports print.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Undisturbed => "undisturbed",
            Self::Masked => "masked",
            Self::Tolerated => "tolerated",
            Self::DetectedSafe => "detected-safe",
            Self::DetectedLate => "detected-late",
            Self::SpuriousTrip => "spurious-trip",
            Self::UndetectedDangerous => "undetected-dangerous",
            Self::Panic => "panic",
            Self::Invalid => "invalid",
        }
    }

    /// The class of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// What it means, in one line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Undisturbed => "no fault came, and nothing went wrong",
            Self::Masked => "acted; CIOC, pumps, safety units and bus went as without it",
            Self::Tolerated => "changed the course; what failed was made good by a later try",
            Self::DetectedSafe => {
                "named by a cause or an alarm, or a safety unit that it reached tripped; else no check and no budget broke"
            }
            Self::DetectedLate => "a budget broke",
            Self::SpuriousTrip => {
                "an alarm or a failed try of something that no fault touches, or the trip of such a safety unit"
            }
            Self::UndetectedDangerous => "a check broke",
            Self::Panic => "a firmware panicked or broke its interface",
            Self::Invalid => "no result; listed, never dropped, never a success",
        }
    }
}

/// One trial: a row of raw data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// From 1.
    pub number: u64,
    /// Its seed, and that of its run.
    pub seed: u64,
    /// The stratum it belongs to.
    pub stratum: String,
    /// Names of the faults that came, one for each time.
    pub faults: Vec<String>,
    /// Those of them that never acted.
    pub idle: Vec<String>,
    /// What became of them.
    pub class: Class,
    /// Whether it counts as a success for the claim.
    pub success: bool,
    /// Pumps that were due, and how many of them were updated within three tries, those for lack of supply not counted.
    pub due: u64,
    /// See `due`.
    pub updated: u64,
    /// How each try ended: `updated`, `failed FW004`, `interrupted`.
    pub tries: Vec<String>,
    /// The worst value of each budget, in the order and unit of the budgets; none where none was measured.
    pub values: Vec<Option<Fixed>>,
    /// Rows of the run that did not hold: `check:..`, `budget:..`, `expectation:..`, `claim:..`.
    pub failing: Vec<String>,
    /// What was said of a panic or an invalid trial; else empty.
    pub note: String,
    /// Fingerprint of the trace; empty without a run.
    pub fingerprint: String,
    /// SHA-256 of the scenario; empty without one.
    pub scenario: String,
}

/// Everything that is known about one campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignReport {
    /// Name and version of the format.
    pub schema: CampaignSchema,
    /// The campaign's name.
    pub name: String,
    /// What it is about; may be empty.
    pub title: String,
    /// What it shows and why it is worth running; may be empty.
    pub purpose: String,
    /// What a reader has to know beside the numbers, a paragraph each, as the campaign's file has it.
    pub remarks: Vec<String>,
    /// SHA-256 of `resolved`.
    pub sha256: String,
    /// Campaign and base in canonical form.
    pub resolved: String,
    /// SHA-256 of the fault mix alone.
    pub mix_sha256: String,
    /// Files that were read, the campaign file first.
    pub inputs: Vec<Input>,
    /// Master seed, as decimal text.
    pub seed: String,
    /// Share of the trials in which a kind of fault is switched off, in percent, each kind by itself.
    pub swarm: Fixed,
    /// What one trial is, in words.
    pub trial: String,
    /// What was fixed beforehand.
    pub plan: Plan,
    /// Pass, fail or inconclusive, by the plan.
    pub verdict: Verdict,
    /// The claim as a sentence, as far as it stands.
    pub sentence: String,
    /// Why the verdict is inconclusive, or what else limits it.
    pub notes: Vec<String>,
    /// The base without faults.
    pub control: Control,
    /// Trials that were executed; always those of the plan.
    pub executed: u64,
    /// Trials that were no success.
    pub failures: u64,
    /// One-sided upper bound on the failure probability at the plan's confidence, in %.
    pub failure_upper: Fixed,
    /// Two-sided bounds on it at the same confidence, in %.
    pub failure_two_sided: [Fixed; 2],
    /// The parts of the population.
    pub strata: Vec<Stratum>,
    /// Pumps that were due, and those updated within three tries.
    pub pumps: Ratio,
    /// Tries, and those that updated.
    pub attempts: Ratio,
    /// Runs, and those in which every pump that was due was updated.
    pub campaigns: Ratio,
    /// Trials by the try that updated the pump, the first try first; empty where a trial is a whole campaign.
    pub tries_needed: Vec<u64>,
    /// Trials by class.
    pub classes: Vec<ClassCount>,
    /// The faults of the mix.
    pub faults: Vec<MixedFault>,
    /// The budgets' values.
    pub times: Vec<Values>,
    /// Trials that were no success, the first of them.
    pub failed: Vec<Replay>,
    /// Invalid trials among all.
    pub invalid: u64,
    /// SHA-256 of trials.csv.
    pub trials_sha256: String,
    /// Which program made this.
    pub build: Build,
}

/// What was fixed beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Number of trials.
    pub trials: u64,
    /// Failures allowed among them.
    pub failures_allowed: u64,
    /// Share of successes that is claimed, in %.
    pub success: Fixed,
    /// Confidence, in %.
    pub confidence: Fixed,
    /// Chance that this plan passes when a tenth of the failures that the claim admits were true, in %.
    pub power_at_tenth: Fixed,
}

/// The base scenario without any fault: what shows that failures come from the mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Verdict of the run.
    pub verdict: Verdict,
    /// Fingerprint of its trace.
    pub fingerprint: String,
}

/// A part of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stratum {
    /// Its name.
    pub name: String,
    /// Its share, in %.
    pub weight: Fixed,
    /// Trials in it.
    pub trials: u64,
    /// Those that were no success.
    pub failures: u64,
    /// Those allowed.
    pub failures_allowed: u64,
    /// Upper bound on its failure probability, in %, at the missing confidence divided by the number of strata.
    pub failure_upper: Fixed,
}

/// How many of how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// How many.
    pub good: u64,
    /// Of how many.
    pub of: u64,
    /// Whether they may be taken as independent, and so have a bound.
    pub independent: bool,
}

/// Trials of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCount {
    /// The class.
    pub class: Class,
    /// How many.
    pub trials: u64,
}

/// A fault of the mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixedFault {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How often it comes in a trial, as written; the swarm leaves it out of its share of the trials.
    pub often: String,
    /// The fault as written, with its places, times and strengths.
    pub written: String,
    /// Times it comes in all trials of the plan on average, the swarm's share taken off.
    pub expected: Fixed,
    /// Times it came.
    pub drawn: u64,
    /// Times it came and acted.
    pub acted: u64,
    /// Trials with it, by class.
    pub classes: Vec<ClassCount>,
}

/// What was measured for one budget: one value a trial, the worst of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// The budget.
    pub budget: String,
    /// Unit of all values.
    pub unit: String,
    /// How a value must stand to the limit.
    pub relation: Relation,
    /// The limit.
    pub limit: Fixed,
    /// Trials with a value.
    pub n: u64,
    /// Trials without one; they count as worse than any value.
    pub missing: u64,
    /// Best, median and worst; none without a value.
    pub best: Option<Fixed>,
    /// The middle value.
    pub median: Option<Fixed>,
    /// The worst value seen; no bound of anything.
    pub worst: Option<Fixed>,
    /// Bounds of quantiles by order statistics, whatever the distribution.
    pub bounds: Vec<QuantileBound>,
    /// Where the values lie.
    pub histogram: Histogram,
    /// The trial with the worst value.
    pub replay: Option<Replay>,
}

/// An upper bound (for values that are better when greater: a lower one) of a quantile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantileBound {
    /// The quantile, in %.
    pub quantile: Fixed,
    /// Which value it is, from the best on, counted from 1; none where there are too few trials for any.
    pub rank: Option<u64>,
    /// Its value; none where there are too few, or where that trial has no value.
    pub value: Option<Fixed>,
}

/// Values counted by equal steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Where the first step begins.
    pub low: Fixed,
    /// Width of a step; zero without values.
    pub step: Fixed,
    /// Values in each step.
    pub counts: Vec<u64>,
}

/// A trial that can be run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Its number, from 1.
    pub trial: u64,
    /// Its seed, as decimal text.
    pub seed: String,
    /// Its class.
    pub class: Class,
    /// What did not hold, or the value.
    pub what: String,
    /// The command, from the folder of this report; empty where no scenario could be drawn.
    pub command: String,
}

/// A campaign's report as one line of JSON.
#[must_use]
pub fn campaign_json(report: &CampaignReport) -> String {
    serde_json::to_string(report).expect("a report has string keys only")
}

/// Reads what [`campaign_json`] wrote.
///
/// # Errors
/// What is wrong with the text.
pub fn campaign_from_json(text: &str) -> Result<CampaignReport, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
