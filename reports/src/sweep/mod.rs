//! The result of a sweep: the size of the space, what was run of it, what came of each stratum.
//!
//! A *strike* is one fault at one of all the places where it could strike. Strikes after which the whole twin is in the same
//! state are one *class*: its leader is run to the end and stands for its weight in strikes; *controls* are merged strikes
//! that were run to their end all the same. A sweep fills a [`SweepReport`]; text, table and page follow from it alone.

mod page;
mod text;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::number::Fixed;
use crate::report::{Build, Input};
use crate::words::{count, grouped};

pub use page::sweep_html;
pub use text::sweep_text;

/// What `schema` says of this form of `sweep.json`.
pub const SWEEP_SCHEMA: &str = "cooltwin.sweep/1";

/// The class of a strike that says nothing: its fault never acted, or the run came to no end.
pub const SAYS_NOTHING: &str = "invalid";

/// The result of one sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Names this form: [`SWEEP_SCHEMA`].
    pub schema: String,
    /// Which sweep.
    pub sweep: String,
    /// Name of the scenario.
    pub scenario: String,
    /// SHA-256 of the scenario's whole text.
    pub sha256: String,
    /// Fingerprint of the undisturbed run.
    pub trunk: String,
    /// The pump whose update was struck; none where a scenario's own faults were moved.
    pub pump: Option<u8>,
    /// Seed of sample and controls.
    pub seed: u64,
    /// What the strikes are, in one line.
    pub options: String,
    /// Repeats it in the folder of the scenario file.
    pub command: String,
    /// The files that were read, by the folder of the scenario file.
    pub inputs: Vec<Input>,
    /// Which program it was.
    pub build: Build,
    /// Its parts.
    pub parts: Vec<Part>,
    /// How it stands.
    pub verdict: SweepVerdict,
}

/// How a sweep stands, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepVerdict {
    /// Every strike keeps every claim.
    Pass,
    /// Some strike says nothing, or there was none.
    Inconclusive,
    /// Some strike broke a claim.
    Fail,
    /// A control differs from its class: merging is not sound, so that nothing is shown.
    Unsound,
}

impl SweepVerdict {
    /// Its name in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Unsound => "unsound",
        }
    }
}

/// One space and what was run of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Strikes that there are.
    pub size: u128,
    /// Strikes with a result.
    pub struck: usize,
    /// Strikes run to their end for their own sake.
    pub run: usize,
    /// Strikes merged into the class of another.
    pub merged: usize,
    /// The greatest weight of a class.
    pub weight_max: usize,
    /// How many classes have which weight, as pairs of weight and classes.
    pub weights: Vec<(usize, usize)>,
    /// Merged strikes run to their end as a control.
    pub controls: usize,
    /// Controls that came out otherwise.
    pub mismatches: usize,
    /// By stratum.
    pub strata: Vec<Stratum>,
    /// Strata that there are and that were not struck: the sample was too small for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The least and the greatest value of each budget over all strikes, where the sweep measures them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extremes: Vec<Extremes>,
    /// Bad classes, by their leaders.
    pub bad: Vec<Bad>,
    /// All bad classes, those not spelled out included.
    pub bad_classes: usize,
    /// What is wrong with controls.
    pub mismatched: Vec<String>,
}

impl Part {
    /// Whether all strikes of the space have a result.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.struck as u128 == self.size
    }
}

/// A part of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratum {
    /// What it is.
    pub name: String,
    /// Strikes with a result.
    pub struck: usize,
    /// Those that broke a claim or say nothing.
    pub bad: usize,
    /// How many ended in which class; classes without any are left out.
    pub classes: Vec<(String, usize)>,
}

/// What one budget came to over all strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extremes {
    /// The budget.
    pub budget: String,
    /// Its unit.
    pub unit: String,
    /// The least of the strikes' worst values.
    pub least: Fixed,
    /// Its strike.
    pub least_strike: usize,
    /// The greatest of them.
    pub greatest: Fixed,
    /// Its strike.
    pub greatest_strike: usize,
}

/// A class of strikes that broke a claim, or say nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Number of its leader.
    pub strike: usize,
    /// What its leader is.
    pub name: String,
    /// What became of it.
    pub class: String,
    /// How many strikes it stands for.
    pub weight: usize,
    /// What is wrong.
    pub complaints: Vec<String>,
    /// File in the result folder with the leader's whole scenario, where it was written.
    pub file: String,
}

impl Bad {
    /// One that says nothing broke no claim.
    fn word(&self) -> &'static str {
        if self.class == SAYS_NOTHING { "SAYS NOTHING" } else { "BAD" }
    }
}

impl SweepReport {
    /// Reads what [`SweepReport::json`] wrote.
    ///
    /// # Errors
    /// When it is no report of a sweep in this form.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if report.schema == SWEEP_SCHEMA { Ok(report) } else { Err(format!("{} is not {SWEEP_SCHEMA}", report.schema)) }
    }

    /// As JSON, with a newline at its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// One line for each stratum and class.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = String::from("part,stratum,class,strikes\n");
        for (part, stratum) in self.parts.iter().flat_map(|part| part.strata.iter().map(move |own| (part, own))) {
            for (class, count) in &stratum.classes {
                let _ = writeln!(out, "\"{}\",\"{}\",\"{class}\",{count}", part.name, stratum.name);
            }
        }
        out
    }

    /// What was struck: the pump, or what the scenario's name says alone.
    fn subject(&self) -> String {
        let pump = self.pump.map_or_else(String::new, |pump| format!(", P{pump:02}"));
        format!("{} of {}{pump}", self.sweep, self.scenario)
    }

    /// How many strata the samples left out, to stand behind a verdict; nothing where none was.
    fn not_struck(&self) -> String {
        match self.parts.iter().map(|part| part.left_out.len() as u64).sum() {
            0 => String::new(),
            left_out => format!(", {} not struck", count(left_out, "stratum", "strata")),
        }
    }

    /// The parts of which not all strikes were struck, in words for a headline.
    fn samples(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().filter(|part| !part.is_whole()).map(|part| &*part.name).collect();
        if parts.is_empty() { String::new() } else { format!(" Of {} a sample was struck.", parts.join(" and of ")) }
    }

    /// What the verdict is about, in one line.
    fn claim(&self) -> String {
        let struck: usize = self.parts.iter().map(|part| part.struck).sum();
        let bad: usize = self.parts.iter().flat_map(|part| &part.strata).map(|stratum| stratum.bad).sum();
        let struck = digits(struck);
        match (self.verdict, self.pump) {
            (SweepVerdict::Pass, Some(pump)) => format!(
                "after each of {struck} strikes P{pump:02} is updated within three tries and nobody else is harmed"
            ),
            (SweepVerdict::Pass, None) => {
                format!("each of {struck} runs keeps every budget, check and expectation of the scenario")
            }
            (SweepVerdict::Unsound, _) => {
                "a control came out otherwise than its class: merging is not sound here".to_owned()
            }
            (verdict, _) => format!("{} of {struck} strikes {}", digits(bad), complaint(verdict, bad)),
        }
    }
}

/// What the strikes did that are not good, as many as they are.
const fn complaint(verdict: SweepVerdict, count: usize) -> &'static str {
    match (verdict, count) {
        (SweepVerdict::Inconclusive, 1) => "says nothing",
        (SweepVerdict::Inconclusive, _) => "say nothing",
        _ => "broke a claim or say nothing",
    }
}

/// Digits in groups of three.
fn digits(number: usize) -> String {
    grouped(number as u128)
}
