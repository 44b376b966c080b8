//! The plain data of one run: what result.json holds, field by field.
//!
//! The field names are the specification (schema `cooltwin.result/1`); a change of any of them is a new schema. A field
//! that was added later is optional and left out when it holds nothing, so that older results stay readable and keep
//! their bytes. Times count from the start of the simulation. Nothing here computes but the constructors that keep
//! related fields together; the rules of verdicts are in `verdict`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::number::{Fixed, Millis};
use crate::safety_frames::SafetyFrames;
use crate::safety_units::SafetyUnit;
use crate::verdict::{self, RowVerdict, Standing, Verdict};

/// The value of [`Report::schema`].
pub const SCHEMA: &str = "cooltwin.result/1";

/// Budget: the successful try of each pump, in ms. The terminal draws the pumps' bars against its limit.
pub const BUDGET_PUMP_UPDATE: &str = "pump-update";
/// Budget: all good pumps back in automatic after the last update, in ms.
pub const BUDGET_BACK_TO_AUTOMATIC: &str = "back-to-automatic";
/// Budget: the whole campaign, in ms; information by default.
pub const BUDGET_CAMPAIGN: &str = "campaign";

/// Everything that is known about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: Schema,
    /// What was run.
    pub scenario: Scenario,
    /// Files that were read, the scenario file first.
    pub inputs: Vec<Input>,
    /// The seed; a string in JSON, because readers with floats lose digits above 2^53.
    #[serde(with = "seed_text")]
    pub seed: u64,
    /// Whether the scenario draws nothing from the seed, so that every seed gives the same run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seed_unused: bool,
    /// How long the simulation ran.
    pub simulated_ms: Millis,
    /// The verdict of the run; see [`Report::judge`].
    pub verdict: Verdict,
    /// Measured values against limits.
    pub budgets: Vec<Budget>,
    /// What must always hold.
    pub checks: Vec<Check>,
    /// What the scenario said would happen.
    pub expectations: Vec<Expectation>,
    /// The pumps by id.
    pub pumps: Vec<Pump>,
    /// The update campaign, if the scenario has one.
    #[serde(deserialize_with = "present")]
    pub campaign: Option<Campaign>,
    /// What the safety frames cost, where safety units send any beside an update; only results that are written have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_frames: Option<SafetyFrames>,
    /// The safety units in the order of the scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safety_units: Vec<SafetyUnit>,
    /// The CAN bus.
    pub bus: Bus,
    /// The supply.
    pub power: Power,
    /// The coolant loop.
    pub plant: Plant,
    /// Faults that were asked for and proof that they acted.
    pub injections: Vec<Injection>,
    /// Curves for figures.
    pub series: Vec<Series>,
    /// What the model takes for granted.
    pub assumptions: Vec<Assumption>,
    /// The log of state transitions that was written beside the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventLog>,
    /// Of the trace, for comparing runs.
    pub fingerprint: Fingerprint,
    /// Which program made this; never part of a fingerprint.
    pub build: Build,
}

/// How the expectation that speaks of the verdict begins; the word of the verdict follows.
pub const STATED_VERDICT: &str = "the run without expectations is: ";

impl Report {
    /// Whether the run is inconclusive, its scenario states just that, and all else that it expects holds.
    #[must_use]
    pub fn is_inconclusive_as_stated(&self) -> bool {
        let stated = |row: &Expectation| row.text.strip_prefix(STATED_VERDICT) == Some(Verdict::Inconclusive.word());
        self.verdict == Verdict::Inconclusive
            && self.expectations.iter().any(stated)
            && self.expectations.iter().all(|row| row.verdict == RowVerdict::Pass)
    }

    /// The rows whose verdict is one of `those`, each as its kind and its id: checks, then budgets, then expectations.
    pub fn rows_that(&self, those: impl Fn(RowVerdict) -> bool + Copy) -> impl Iterator<Item = (&'static str, &str)> {
        let checks = self.checks.iter().map(|row| (row.verdict, "check", &*row.id));
        let budgets = self.budgets.iter().map(|row| (row.verdict, "budget", &*row.id));
        let expectations = self.expectations.iter().map(|row| (row.verdict, "expectation", &*row.text));
        let rows = checks.chain(budgets).chain(expectations);
        rows.filter(move |(verdict, ..)| those(*verdict)).map(|(_, kind, row)| (kind, row))
    }

    /// Sets [`Report::verdict`] from the rows and injections and returns it.
    pub fn judge(&mut self) -> Verdict {
        self.verdict = self.judged();
        self.verdict
    }

    /// The verdict that rows and injections make.
    #[must_use]
    pub fn judged(&self) -> Verdict {
        let budgets = self.budgets.iter().map(|row| row.verdict);
        let checks = self.checks.iter().map(|row| row.verdict);
        let expectations = self.expectations.iter().map(|row| row.verdict);
        let rows = budgets.chain(checks).chain(expectations);
        verdict::run_verdict(rows, self.injections.iter().map(Injection::proven))
    }

    /// The judged budget whose margin is the smallest share, as [`Budget::margin_share`] has it; the first of equals. One that
    /// is meant to break says nothing of how tight it is.
    #[must_use]
    pub fn tightest(&self) -> Option<&Budget> {
        let is_judged = |budget: &&Budget| {
            budget.verdict.is_judged() && budget.verdict != RowVerdict::ExpectedFail && budget.measured.is_some()
        };
        self.budgets.iter().filter(is_judged).min_by_key(|budget| budget.margin_key())
    }

    /// The pumps that the run is about: none where there is no campaign and nothing was updated, because nothing was to be.
    #[must_use]
    pub fn updated_pumps(&self) -> &[Pump] {
        let reached = self.pumps.iter().any(|pump| pump.outcome != Outcome::NotReached);
        if self.campaign.is_some() || reached { &self.pumps } else { &[] }
    }

    /// The budget of that id.
    #[must_use]
    pub fn budget(&self, id: &str) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.id == id)
    }
}

/// The name and version of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// `cooltwin.result/1`.
    #[default]
    #[serde(rename = "cooltwin.result/1")]
    Result1,
}

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The scenario's name.
    pub name: String,
    /// What it is about, in its author's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// SHA-256 of `resolved`, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The whole scenario as it ran, in canonical form with every default.
    pub resolved: String,
    /// What the command line changed, as `path=value` each.
    pub overrides: Vec<String>,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The scenario by its own file name, any other file by the way to it from the scenario's folder: results do not
    /// depend on where the program was started or how a path was typed.
    pub path: String,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// How a measured value must stand to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// `measured < limit`.
    #[serde(rename = "<")]
    Below,
    /// `measured <= limit`.
    #[serde(rename = "<=")]
    AtMost,
    /// `measured > limit`.
    #[serde(rename = ">")]
    Above,
    /// `measured >= limit`.
    #[serde(rename = ">=")]
    AtLeast,
    /// `limit_low <= measured <= limit`.
    #[serde(rename = "within")]
    Within,
}

/// A measured value, the worst of `n`, against its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The scenario's key for it, such as [`BUDGET_PUMP_UPDATE`].
    pub id: String,
    /// Ids of the requirements it stands for.
    pub requirements: Vec<String>,
    /// How many values were measured.
    pub n: u64,
    /// The worst of them, in `unit`; none when `n` is 0.
    #[serde(deserialize_with = "present")]
    pub measured: Option<Fixed>,
    /// How it must stand to the limit.
    pub relation: Relation,
    /// The limit, or the upper one, in `unit`.
    pub limit: Fixed,
    /// The lower limit, for [`Relation::Within`] only.
    #[serde(deserialize_with = "present")]
    pub limit_low: Option<Fixed>,
    /// What the limit is made from, where no scenario states it; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limit_from: String,
    /// The unit of `measured`, `margin` and limits: `ms`, `%`, `mV`, ...
    pub unit: String,
    /// Distance to the nearer limit, negative when broken; none when `n` is 0.
    #[serde(deserialize_with = "present")]
    pub margin: Option<Fixed>,
    /// The verdict of the row.
    pub verdict: RowVerdict,
    /// Where the worst value was measured, such as `P08, try 1`.
    #[serde(deserialize_with = "present")]
    pub r#where: Option<String>,
    /// The steps that lead to the worst value, in order; see [`Budget::measured_steps`].
    pub decomposition: Vec<Step>,
    /// The values one by one in the order of measuring, for figures; at most [`SAMPLES_MAX`], and none where they are
    /// too many to be kept. `n` tells how many there were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// Samples that a [`Budget`] may keep.
pub const SAMPLES_MAX: usize = 2000;

/// One measured value of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Where it was measured, such as `P08, try 1` or the name of an injection.
    pub place: String,
    /// The value in the budget's unit.
    pub value: Fixed,
}

impl Budget {
    /// A budget with nothing measured yet; [`Budget::measure`] gives it its values.
    #[must_use]
    pub fn new(id: &str, relation: Relation, limit: Fixed, limit_low: Option<Fixed>, unit: &str) -> Self {
        Self {
            id: id.to_owned(),
            requirements: Vec::new(),
            n: 0,
            measured: None,
            relation,
            limit,
            limit_low,
            limit_from: String::new(),
            unit: unit.to_owned(),
            margin: None,
            verdict: RowVerdict::Inconclusive,
            r#where: None,
            decomposition: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Takes one measured value and keeps the worst, the first of equals; says whether this one is the worst so far.
    pub fn measure(&mut self, measured: Fixed) -> bool {
        self.n += 1;
        let margin = verdict::margin(measured, self.relation, self.limit, self.limit_low);
        let worse = self.margin.is_none_or(|worst| margin < worst);
        if worse {
            (self.measured, self.margin) = (Some(measured), Some(margin));
        }
        worse
    }

    /// [`Budget::measure`], and keeps the value with its place while there is room; the worst one gives `where`.
    pub fn measure_at(&mut self, place: &str, measured: Fixed) -> bool {
        let worse = self.measure(measured);
        if worse {
            self.r#where = Some(place.to_owned());
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { place: place.to_owned(), value: measured });
        }
        worse
    }

    /// Whether the worst value keeps the limit; true while nothing was measured, which [`Budget::judge`] does not
    /// take for a pass.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.measured.is_none_or(|value| verdict::holds(value, self.relation, self.limit, self.limit_low))
    }

    /// What margins and tolerances are shares of: the limit, of a window between two limits its width. Never negative.
    #[must_use]
    pub fn scale(&self) -> Fixed {
        let low = self.limit_low.map_or(0, Fixed::as_millionths);
        let size = self.limit.as_millionths().saturating_sub(low).unsigned_abs();
        Fixed::from_millionths(i64::try_from(size).unwrap_or(i64::MAX))
    }

    /// The margin in percent of [`Budget::scale`], rounded towards zero: 50 in the middle of a window, 0 at a limit. None
    /// without a margin, or where the limit is 0.
    #[must_use]
    pub fn margin_share(&self) -> Option<Fixed> {
        let (margin, scale) = (self.margin?, i128::from(self.scale().as_millionths()));
        let percent = (i128::from(margin.as_millionths()) * 100_000_000).checked_div(scale)?;
        let end = if percent < 0 { i64::MIN } else { i64::MAX };
        Some(Fixed::from_millionths(i64::try_from(percent).unwrap_or(end)))
    }

    /// Orders budgets by how near they are to their limits; the nearest is the least.
    pub(crate) fn margin_key(&self) -> i128 {
        let scale = i128::from(self.scale().as_millionths()).max(1);
        self.margin.map_or(i128::MAX, |margin| i128::from(margin.as_millionths()) * 1_000_000_000 / scale)
    }

    /// Whether it stands for a requirement of the safety unit (SSR, SSM).
    #[must_use]
    pub fn is_of_safety(&self) -> bool {
        self.requirements.iter().any(|id| id.starts_with("SS"))
    }

    /// How long each step of the decomposition lasts: until the next one begins, none for the last.
    pub fn step_durations(&self) -> impl Iterator<Item = Option<Millis>> {
        let next = self.decomposition.iter().skip(1).map(Some).chain([None]);
        self.decomposition.iter().zip(next).map(|(step, next)| {
            let lasts = next?.at_ms.as_nanos().saturating_sub(step.at_ms.as_nanos());
            Some(Millis::from_signed_nanos(lasts))
        })
    }

    /// The steps between which the worst value of a time lies, if they are not the first and the last one: a fault occurs
    /// before it is detected, and a limit may hold from there on.
    #[must_use]
    pub fn measured_steps(&self) -> Option<(&str, &str)> {
        let last = self.decomposition.last()?;
        let measured = self.measured.filter(|_| self.unit == "ms")?;
        let lasts = |step: &Step| last.at_ms.as_nanos().saturating_sub(step.at_ms.as_nanos());
        let is_begin = |step: &&Step| Fixed::from(Millis::from_signed_nanos(lasts(step))) == measured;
        let begin = self.decomposition.iter().skip(1).find(is_begin)?;
        (self.decomposition.first().is_some_and(|first| !is_begin(&first))).then_some((&begin.step, &last.step))
    }

    /// Sets the verdict from what was measured.
    pub fn judge(&mut self, standing: Standing) {
        self.verdict = verdict::row_verdict(standing, self.n, self.holds());
    }
}

/// A step of a measured time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happened.
    pub step: String,
    /// When.
    pub at_ms: Millis,
}

/// Something that must always hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A statement, such as `no_write_without_consent`.
    pub id: String,
    /// Ids of the requirements it stands for.
    pub requirements: Vec<String>,
    /// How often it was looked at.
    pub n: u64,
    /// The verdict of the row.
    pub verdict: RowVerdict,
    /// The first violation, or what was seen; may be empty.
    pub detail: String,
}

/// What the scenario said would happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// As a sentence.
    pub text: String,
    /// Whether it happened.
    pub verdict: RowVerdict,
    /// Who broke it and what was there instead, such as `P02 took 2`; empty where it held.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What became of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Has the wanted version now and did not before.
    Updated,
    /// Had the wanted version already.
    UpToDate,
    /// Given up after its tries.
    Dead,
    /// The image was refused for this pump.
    Rejected,
    /// A write began, and the pump is neither updated nor dead: the CIOC gave it up, because it was silent or its tries were
    /// cut off, or it was told to be updated and does not start any more.
    SetAside,
    /// No write began to the unit in its place, or the run ended in the midst of its update: its tries tell which.
    NotReached,
}

impl Outcome {
    /// The word that every format has for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::UpToDate => "up-to-date",
            Self::Dead => "dead",
            Self::Rejected => "rejected",
            Self::SetAside => "set-aside",
            Self::NotReached => "not-reached",
        }
    }

    /// Whether it is as it should be; any other needs attention.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Updated | Self::UpToDate)
    }
}

/// One pump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pump {
    /// `P01` to `P16`, as on the bus and in the events.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Tries that were begun.
    pub attempts: u32,
    /// The successful try.
    #[serde(deserialize_with = "present")]
    pub update_ms: Option<Millis>,
    /// All tries and what lay between them; 0 without a try.
    pub total_ms: Millis,
    /// The version at the start, if it was ever read.
    #[serde(deserialize_with = "present")]
    pub version_before: Option<String>,
    /// The version at the end, if it could be read.
    #[serde(deserialize_with = "present")]
    pub version_after: Option<String>,
    /// Cause codes in the order of their first appearance, such as `FW004`.
    pub causes: Vec<String>,
    /// The tries in order.
    pub tries: Vec<Try>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TryOutcome {
    /// The pump runs the new version.
    Updated,
    /// Given up with a cause.
    Failed,
    /// Cut off from outside: the CIOC lost power or the run ended.
    Interrupted,
}

/// One try to update a pump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// From 1.
    pub n: u32,
    /// When the bootloader was asked for.
    pub start_ms: Millis,
    /// How it ended.
    pub outcome: TryOutcome,
    /// The cause code of a failure, with words if there are any.
    #[serde(deserialize_with = "present")]
    pub cause: Option<String>,
    /// Its parts in order.
    pub phases: Vec<Phase>,
}

impl Try {
    /// From the request for the bootloader to the end of the last phase.
    #[must_use]
    pub fn duration(&self) -> Millis {
        let end = |phase: &Phase| phase.start_ms.as_nanos().saturating_add(phase.duration_ms.as_nanos());
        let end = self.phases.iter().map(end).max().unwrap_or(self.start_ms.as_nanos());
        Millis::from_signed_nanos(end.saturating_sub(self.start_ms.as_nanos()))
    }
}

/// A part of a try, such as `erase` or `transfer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What the orchestrator was doing.
    pub name: String,
    /// When it began.
    pub start_ms: Millis,
    /// How long it took.
    pub duration_ms: Millis,
}

/// What the operator answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// Nothing needed an answer.
    NotAsked,
    /// Yes.
    Given,
    /// Yes, but after the question had lapsed.
    Late,
    /// No.
    Refused,
    /// Never answered.
    Unanswered,
}

/// The update campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// What the operator answered.
    pub consent: Consent,
    /// From consent to the end of the last pump; none if it never began or never ended.
    #[serde(deserialize_with = "present")]
    pub duration_ms: Option<Millis>,
    /// From the end of the last pump until every good pump is in automatic again.
    #[serde(deserialize_with = "present")]
    pub back_to_automatic_ms: Option<Millis>,
}

/// The CAN bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// In bit/s.
    pub bitrate: u32,
    /// Over the whole run, in %.
    pub load_mean: Fixed,
    /// The greatest over 100 ms, in %.
    pub load_peak: Fixed,
    /// Frames that reached their end.
    pub frames: u64,
    /// Error frames.
    pub error_frames: u64,
    /// The nodes by name.
    pub nodes: Vec<BusNode>,
    /// Messages by id.
    pub messages: Vec<Message>,
}

impl Bus {
    /// Requests of the scenario's traffic that were never sent, of all messages together.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.messages.iter().map(|message| message.unsent).sum()
    }
}

/// A node's error counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusNode {
    /// The node's name, such as `CIOC` or `P05`.
    pub id: String,
    /// Greatest transmit error counter.
    pub tec_max: u32,
    /// Greatest receive error counter.
    pub rec_max: u32,
    /// How often it became error passive.
    pub error_passive: u64,
    /// How often it went bus-off.
    pub bus_off: u64,
}

/// Response times of a message: from queued to the end of its frame, without the intermission after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The CAN id, `0x` and 3 or 8 upper-case hexadecimal digits; see [`message_id`].
    pub id: String,
    /// What it is, of those of safety units; empty of others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many were measured; 0 of a message of the scenario's traffic that never got onto the bus.
    pub frames: u64,
    /// Requests of the scenario's traffic that were never sent: replaced by a newer one, lost with their node, or still
    /// waiting at the end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unsent: u64,
    /// The least.
    #[serde(deserialize_with = "present")]
    pub response_ms_min: Option<Millis>,
    /// The mean, rounded down to a nanosecond.
    #[serde(deserialize_with = "present")]
    pub response_ms_mean: Option<Millis>,
    /// The greatest.
    #[serde(deserialize_with = "present")]
    pub response_ms_max: Option<Millis>,
}

/// A CAN id as text: three digits for 11 bits, eight for 29.
#[must_use]
pub fn message_id(id: u32, extended: bool) -> String {
    if extended { format!("0x{id:08X}") } else { format!("0x{id:03X}") }
}

/// The supply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// Lowest supply, in mV.
    pub supply_mv_min: i64,
    /// Highest supply, in mV.
    pub supply_mv_max: i64,
    /// Nodes that lost their supply, counted each time.
    pub brownouts: u64,
}

/// The coolant loop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// Least total flow, in L/min.
    pub flow_lpm_min: Fixed,
    /// Highest coolant temperature, in degrees Celsius.
    pub coolant_c_max: Fixed,
}

/// A fault that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The scenario's name for it, or its number.
    pub id: String,
    /// What kind of fault.
    pub kind: String,
    /// Where.
    pub target: String,
    /// When it occurred: since when it had been there as it first acted, or as it first began if it never acted. None if it never began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_ms: Option<Millis>,
    /// When it first acted; none if it never did.
    #[serde(deserialize_with = "present")]
    pub at_ms: Option<Millis>,
    /// How long it lasts each time by the scenario; none of one that is over at once or stays to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// When it acted after that: every time, or the last alone of many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again_ms: Vec<Millis>,
    /// How often it acted.
    pub activations: u64,
    /// What was read back as proof; empty if it never acted.
    pub effect: String,
    /// How many of the times that the scenario asked for did not come or did nothing. Any makes the run inconclusive.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
    /// What probably kept it from acting; empty where it acted, or nothing is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// The domain it belongs to or how its effect is classed; may be empty.
    pub class: String,
    /// When a safety unit detected it: the first detection that can be of this fault and of no other one of the run. None where there is
    /// none. Of a stop, when the first CPU told its input OFF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_ms: Option<Millis>,
    /// What it was detected as: the diagnostic, or `stop`; empty where nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detected_as: String,
    /// When the last of the outputs that had to go off for it was off at the unit where it is; none where nothing was on, or something
    /// stayed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_off_ms: Option<Millis>,
    /// The same of all units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_off_ms: Option<Millis>,
}

impl Injection {
    /// `detected_ms`, `local_off_ms` and `all_off_ms`.
    #[must_use]
    pub const fn reaction(&self) -> [Option<Millis>; 3] {
        [self.detected_ms, self.local_off_ms, self.all_off_ms]
    }

    /// How often it acted; 0 also if a time that the scenario asked for is missing.
    #[must_use]
    pub fn proven(&self) -> u64 {
        if self.missing == 0 { self.activations } else { 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A curve as columns of equal length: in the interval that begins at `t_ms` the value lay between `min` and `max`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// What is drawn.
    pub name: String,
    /// The unit of `min` and `max`.
    pub unit: String,
    /// Where each interval begins; at most [`SERIES_POINTS_MAX`].
    pub t_ms: Vec<Millis>,
    /// The least value in each interval.
    pub min: Vec<Fixed>,
    /// The greatest value in each interval.
    pub max: Vec<Fixed>,
    /// Values that mean something, such as a threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// The least and the greatest value that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extremes: Option<Extremes>,
}

impl Series {
    /// The least and the greatest value that count; of the whole curve, where the result says nothing else.
    #[must_use]
    pub fn extremes(&self) -> Option<Extremes> {
        let whole = || {
            let (min, max) = (*self.min.iter().min()?, *self.max.iter().max()?);
            Some(Extremes { from_ms: Millis::ZERO, min, max })
        };
        self.extremes.or_else(whole)
    }
}

/// The extremes of a [`Series`] from a point of time on: a quantity that has to build up first is judged when it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extremes {
    /// From here on they count, to the end of the run.
    pub from_ms: Millis,
    /// The least value.
    pub min: Fixed,
    /// The greatest value.
    pub max: Fixed,
}

impl Extremes {
    /// What they cover: `in the whole run`, `from 10 s on`.
    #[must_use]
    pub fn covers(&self) -> String {
        if self.from_ms.as_nanos() == 0 {
            return "in the whole run".to_owned();
        }
        format!("from {} on", crate::words::short_duration(self.from_ms))
    }
}

/// On which side of a [`Level`] a curve should stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The curve should stay above it.
    Floor,
    /// The curve should stay below it.
    Ceiling,
}

/// A value that means something to a [`Series`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// What happens beyond it, in few words.
    pub name: String,
    /// Where the curve should be.
    pub side: Side,
    /// In the unit of the series.
    pub value: Fixed,
}

/// The log of state transitions beside a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLog {
    /// The name of the file, in the folder of the result.
    pub file: String,
    /// SHA-256 of it, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Lines in it.
    pub lines: u64,
}

impl EventLog {
    /// The log of that text.
    #[must_use]
    pub fn of(file: &str, text: &str) -> Self {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() as u64;
        Self { file: file.to_owned(), sha256: crate::sha256(text.as_bytes()), lines }
    }
}

/// Points that a [`Series`] may have.
pub const SERIES_POINTS_MAX: usize = 2000;

/// Something that the model takes for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumption {
    /// What is assumed.
    pub text: String,
    /// With which value.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

/// Fingerprints of the trace, 32 lower-case hexadecimal digits each: of the whole and of each domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The whole trace.
    pub all: String,
    /// Frames, errors and error counters.
    pub bus: String,
    /// The CIOC's firmware.
    pub orchestrator: String,
    /// The pumps' firmware.
    pub pumps: String,
    /// The supply.
    pub power: String,
    /// Flow and temperature.
    pub plant: String,
    /// Injections.
    pub faults: String,
    /// The safety units; empty in a run without any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub safety: String,
}

impl Fingerprint {
    /// The fingerprints of the domains with their names, in the order of the trace, without that of the whole.
    #[must_use]
    pub fn domains(&self) -> [(&'static str, &str); 7] {
        // Taken apart in full, so that a new domain cannot be left out.
        let Self { all: _, bus, orchestrator, pumps, power, plant, faults, safety } = self;
        [
            ("bus", bus),
            ("orchestrator", orchestrator),
            ("pumps", pumps),
            ("power", power),
            ("plant", plant),
            ("faults", faults),
            ("safety", safety),
        ]
    }

    /// The same after the fingerprint of the whole, which is named `all`; without domains that the run does not have.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let present = self.domains().into_iter().filter(|(_, value)| !value.is_empty());
        std::iter::once(("all", self.all.as_str())).chain(present)
    }
}

/// Which program made the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Of cooltwin.
    pub version: String,
    /// Of its sources, or `unknown`.
    pub commit: String,
    /// The compiler's version.
    pub rustc: String,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Within => "within",
        })
    }
}

/// Reads a field that may be null but must be there; serde alone takes an absent `Option` for `None`.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// A seed as decimal text.
mod seed_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(seed)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seed: u64 = text.parse().map_err(|_| D::Error::custom("seed is not a number"))?;
        if seed.to_string() == text { Ok(seed) } else { Err(D::Error::custom("seed is not in its shortest form")) }
    }
}
