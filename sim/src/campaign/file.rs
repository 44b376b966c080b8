//! Campaign files: what is tried, how often, how many failures are allowed, and what that would show.
//!
//! ```text
//!   file --scenario's reader--> RawCampaign --check, with its base scenario--> Campaign
//! ```
//! A campaign file is read by the reader of scenario files: the same diagnostics, all at once. Words: the *base* is the
//! scenario that every trial begins from; the *mix* is the list of faults with how often each comes; a *stratum* is a
//! part of the population with a mix and a number of trials of its own; the *plan* fixes trials and allowed failures
//! before anything runs.

use std::path::Path;

use reports::counted;

use super::statistics;
use super::template::FaultTemplate;
use super::trial::due_in;
use crate::scenario::diagnostic::{Code, nearest};
use crate::scenario::doc::Doc;
use crate::scenario::elsewhere::with_names_below;
use crate::scenario::loader::{BASE_MARK, beside, load_alone, with_base};
use crate::scenario::quantity::{Factor, Quantity as _, Rate, Share};
use crate::scenario::schema::{Value as _, choice, section};
use crate::scenario::{Fault, FileSource, ImageSource, Input, LoadError, Loaded, Problem, RawScenario, load, schema};

section! {
    /// A campaign: many random trials of one story.
    RawCampaign {
        /// Name in results and output folders; the file's name without `.ron` where none is written.
        name: String = "",
        /// One line for people.
        title: String = "",
        /// What the campaign shows and why it is worth running.
        purpose: String = "",
        /// What a reader of the result has to know beside the numbers, a paragraph each: how the mix was chosen, runs that
        /// came before, what the claim leaves out.
        remarks: Vec<String> = "[]",
        /// Scenario that every trial begins from, relative to this file.
        base: String,
        /// What one trial is, and so what the claim is about.
        claim: Claim = "PumpUpdate",
        /// What is to be shown, with how many trials.
        plan: Plan,
        /// Master seed: each trial's seed follows from it and from the trial's number.
        seed: u64 = "1",
        /// Chance that a kind of fault is switched off in a trial, each kind by itself.
        swarm: Share = "0%" where "0%".."90%",
        /// Faults that may come, and how often.
        mix: Vec<MixFault> = "[]",
        /// Parts of the population with faults and trials of their own; none for one part with the whole mix.
        strata: Vec<Stratum> = "[]",
    }
}

choice! {
    /// What one trial is.
    Claim {
        /// The update of one pump within its three tries, in a run of its own; the other pumps are traffic.
        PumpUpdate,
        /// A whole campaign of updates; its pumps are never counted one by one.
        Campaign,
        /// A run of a base that updates no pump: it keeps every budget, check and expectation.
        Run,
    }
}

section! {
    /// What is to be shown, and with how many trials; fixed before anything runs.
    Plan {
        /// Number of trials; with strata that of all of them.
        trials: u32 where "1".."10000000",
        /// Failures that are allowed among them; with strata those of all of them.
        failures_allowed: u32 = "0" where "0".."1000000",
        /// Share of successes that is claimed.
        success: Rate = "99.9%" where "50%".."100%",
        /// Confidence of the claim, one-sided.
        confidence: Share = "95%" where "50%".."99.9%",
    }
}

section! {
    /// A fault that may come in a trial.
    MixFault {
        /// Its name in results.
        name: String,
        /// How often it comes in a trial.
        often: Often = "Times(1)",
        /// The fault, in the words of scenario files; each value may be `Range(low, high)`, `LogRange(low, high)` or
        /// `OneOf([..])`.
        fault: FaultTemplate,
    }
}

choice! {
    /// How often a fault comes in a trial.
    Often {
        /// Once with this chance, else not at all.
        Chance(Share),
        /// This many times on average, drawn from a Poisson distribution; at most 8 times.
        Mean(Factor),
        /// Always this many times.
        Times(u32),
    }
}

section! {
    /// A part of the population.
    Stratum {
        /// Its name in results.
        name: String,
        /// Its share of the population; the shares of all make 100 %.
        weight: Rate where "1ppb".."100%",
        /// Number of trials in it.
        trials: u32 where "1".."10000000",
        /// Failures that are allowed among them.
        failures_allowed: u32 = "0" where "0".."1000000",
        /// Names of the faults of the mix that come in it.
        faults: Vec<String> = "[]",
    }
}

/// Most times that a fault of the mix comes in one trial.
pub const TIMES_MOST: u32 = 8;

/// A part of the population, ready to be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name; `all` where the campaign has no strata.
    pub name: String,
    /// Its share of the population in parts per billion.
    pub weight_ppb: u32,
    /// Trials in it.
    pub trials: u64,
    /// Failures allowed among them.
    pub allowed: u64,
    /// Faults of the mix that come in it, by their index.
    pub faults: Vec<usize>,
}

/// A campaign that makes sense: its faults fit its base, and its plan shows what it claims.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// What the file says.
    pub raw: RawCampaign,
    /// The scenario that every trial begins from.
    pub base: Loaded,
    /// The strata, or the one part that is all.
    pub parts: Vec<Part>,
    /// All files that were read: campaign, base, what it extends.
    pub inputs: Vec<Input>,
    /// The pump whose update is tried; none where a trial is a whole campaign.
    pub pump: Option<u8>,
    /// The kind of each fault of the mix.
    pub kinds: Vec<String>,
}

impl Campaign {
    /// Number of trials.
    #[must_use]
    pub fn trials(&self) -> u64 {
        self.parts.iter().map(|part| part.trials).sum()
    }

    /// The part that a trial belongs to; trials are counted from 0, part after part.
    #[must_use]
    pub fn part_of(&self, trial: u64) -> usize {
        let mut first = 0;
        for (index, part) in self.parts.iter().enumerate() {
            first += part.trials;
            if trial < first {
                return index;
            }
        }
        self.parts.len().saturating_sub(1)
    }

    /// Failure probability that the plan is to rule out.
    #[must_use]
    pub fn failure_most(&self) -> f64 {
        failure_most(&self.raw.plan)
    }

    /// One minus the confidence.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        alpha(&self.raw.plan)
    }

    /// The campaign in canonical form, its base's after it.
    #[must_use]
    pub fn resolved_text(&self) -> String {
        format!("{}{BASE_MARK}{}", self.raw.doc().file(), self.base.scenario.resolved_text())
    }

    /// SHA-256 of the canonical text: names the campaign.
    #[must_use]
    pub fn sha256(&self) -> String {
        reports::sha256(self.resolved_text().as_bytes())
    }

    /// SHA-256 of the fault mix alone: faults, how often, swarm and strata without their numbers of trials.
    #[must_use]
    pub fn mix_sha256(&self) -> String {
        let strata = self
            .raw
            .strata
            .iter()
            .map(|stratum| Doc::List(vec![stratum.name.doc(), stratum.weight.doc(), stratum.faults.doc()]));
        let parts = vec![self.raw.swarm.doc(), self.raw.mix.doc(), Doc::List(strata.collect())];
        reports::sha256(Doc::List(parts).file().as_bytes())
    }
}

fn failure_most(plan: &Plan) -> f64 {
    f64::from(1_000_000_000 - plan.success.ppb()) / 1e9
}

fn alpha(plan: &Plan) -> f64 {
    f64::from(1_000 - plan.confidence.permille()) / 1e3
}

/// Loads the campaign at `path` and its base.
///
/// # Errors
/// A file cannot be read, or campaign or base are wrong; then with all that is wrong.
pub fn load_campaign(files: &dyn FileSource, path: &Path) -> Result<Campaign, LoadError> {
    let mut base_error = None;
    let loaded = load_alone(files, path, |raw: &RawCampaign| {
        let mut check = Check { raw, problems: Vec::new() };
        check.names();
        check.plan_and_strata();
        let base = match load(files, &beside(path, &raw.base), &[]) {
            // Trials are written to folders of their own.
            Ok(mut base) => {
                base.scenario = with_names_below(&base.scenario);
                Some(base)
            }
            Err(LoadError::Unreadable(name, why)) => {
                let message = format!("cannot read the base `{name}`: {why}");
                check.add(Code::NoSuchThing, "base", message, "this file");
                None
            }
            Err(error) => {
                base_error = Some(error);
                None
            }
        };
        if let Some(base) = &base {
            check.with_base(base);
        }
        match base {
            Some(base) if check.problems.is_empty() => {
                let pump = check.pump(&base);
                Ok((base, pump))
            }
            _ => Err(check.problems),
        }
    });
    let (mut raw, (base, pump), input) = with_base(loaded, base_error)?;
    if raw.name.is_empty() {
        raw.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    let from_base = base.inputs.iter().map(|one| one.seen_through(&raw.base));
    let inputs = std::iter::once(input).chain(from_base).collect();
    let parts = parts(&raw);
    let kinds = raw.mix.iter().map(|mixed| mixed.fault.kind_word()).collect();
    Ok(Campaign { raw, base, parts, inputs, pump, kinds })
}

fn parts(raw: &RawCampaign) -> Vec<Part> {
    if raw.strata.is_empty() {
        return vec![Part {
            name: "all".to_owned(),
            weight_ppb: 1_000_000_000,
            trials: u64::from(raw.plan.trials),
            allowed: u64::from(raw.plan.failures_allowed),
            faults: (0..raw.mix.len()).collect(),
        }];
    }
    let of = |stratum: &Stratum| Part {
        name: stratum.name.clone(),
        weight_ppb: stratum.weight.ppb(),
        trials: u64::from(stratum.trials),
        allowed: u64::from(stratum.failures_allowed),
        faults: (0..raw.mix.len()).filter(|index| stratum.faults.contains(&raw.mix[*index].name)).collect(),
    };
    raw.strata.iter().map(of).collect()
}

/// The weighted parts of a plan as if each had as many failures as it allows.
fn allowed_parts(parts: &[Part]) -> Vec<statistics::Part> {
    let of = |part: &Part| statistics::Part {
        weight: f64::from(part.weight_ppb) / 1e9,
        trials: part.trials,
        failures: part.allowed,
    };
    parts.iter().map(of).collect()
}

/// Looks at one campaign.
struct Check<'a> {
    raw: &'a RawCampaign,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// What does not fit the base.
    fn with_base(&mut self, base: &Loaded) {
        self.base_fits(base);
        for index in 0..self.raw.mix.len() {
            self.fault_fits(index, base);
        }
    }

    /// How often faults come, and whether the plan is that of its strata and shows what it claims.
    fn plan_and_strata(&mut self) {
        for index in 0..self.raw.mix.len() {
            self.often(index);
        }
        let before = self.problems.len();
        self.strata();
        // What the strata show is known once they make sense.
        if self.problems.len() == before {
            self.plan();
        }
    }

    fn add(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>, label: &str) -> &mut Problem {
        self.problems.push(Problem::new(code, path, message, label));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn names(&mut self) {
        if !self.raw.name.is_empty() && !is_word(&self.raw.name) {
            let message = format!("`{}` cannot name a campaign", self.raw.name);
            self.add(Code::BadWord, "name", message, "letters, digits, `-`, `_` and `.` only: it names a folder");
        }
        let names = |list: &str, of: Vec<&String>| -> Vec<(String, String)> {
            of.into_iter().enumerate().map(|(i, name)| (format!("{list}[{i}].name"), name.clone())).collect()
        };
        let mix = names("mix", self.raw.mix.iter().map(|fault| &fault.name).collect());
        let strata = names("strata", self.raw.strata.iter().map(|stratum| &stratum.name).collect());
        for list in [mix, strata] {
            for (index, (path, name)) in list.iter().enumerate() {
                if !is_word(name) {
                    let message = format!("`{name}` cannot name this");
                    self.add(Code::BadWord, path, message, "letters, digits, `-`, `_` and `.` only");
                }
                if let Some((first, _)) = list[..index].iter().find(|(_, other)| other == name) {
                    self.add(Code::Duplicate, path, format!("`{name}` stands here twice"), "the second one").beside =
                        vec![first.clone()];
                }
            }
        }
    }

    fn base_fits(&mut self, base: &Loaded) {
        let scenario = &base.scenario;
        let updates = self.raw.claim != Claim::Run;
        if scenario.campaign != updates {
            let (message, label) = if updates {
                ("the base updates no pump", "its `campaign` is false")
            } else {
                ("the claim is about runs without updates, and the base has a campaign", "its `campaign` is true")
            };
            let problem = self.add(Code::Contradiction, "base", message, label);
            problem.help =
                Some("claim: Run is for a base without updates, PumpUpdate and Campaign are for others".to_owned());
            problem.beside = vec!["claim".to_owned()];
        }
        if !scenario.faults.is_empty() {
            let message = "the base has faults of its own";
            self.add(Code::Contradiction, "base", message, "put them into `mix`: the mix is what the claim names");
        }
        let reads = scenario.package.image.source != ImageSource::Seeded || scenario.traffic.log().is_some();
        if reads {
            let message = "the base reads an image or a log: the scenarios that a campaign writes must stand alone";
            self.add(Code::Contradiction, "base", message, "make the image up, and list the traffic");
        }
        let due = due_in(scenario).len();
        if scenario.campaign && self.raw.claim == Claim::PumpUpdate && due != 1 {
            let pumps = if due == 0 { "no pump".to_owned() } else { format!("{due} pumps") };
            let message = format!("a trial is one pump's update, and the base has {pumps} to update");
            let help = "give the other pumps the version of the image: then they are traffic; or claim: Campaign";
            let problem = self.add(Code::Contradiction, "base", message, "one pump must be due");
            problem.help = Some(help.to_owned());
            problem.beside = vec!["claim".to_owned()];
        }
    }

    fn pump(&self, base: &Loaded) -> Option<u8> {
        let first = due_in(&base.scenario).first().copied().filter(|_| self.raw.claim == Claim::PumpUpdate);
        first.and_then(|index| u8::try_from(index + 1).ok())
    }

    /// Ends and choices of a fault in the base scenario, which has them at `faults[0]`.
    fn fault_fits(&mut self, index: usize, base: &Loaded) {
        let here = |path: &str| Some(format!("mix[{index}].fault{}", path.strip_prefix("faults[0]")?));
        let mut told = Vec::new();
        for fault in self.raw.mix[index].fault.extremes() {
            let alone = RawScenario { faults: vec![fault], ..RawScenario::clone(&base.scenario) };
            for found in alone.check().err().unwrap_or_default() {
                let line = format!("{}: {}", found.message, found.label);
                if let Some(path) = here(&found.path).filter(|_| !told.contains(&line)) {
                    told.push(line);
                    // What it depends on outside the fault stands in the base.
                    let beside = found.beside.iter().filter_map(|path| here(path)).collect();
                    self.problems.push(Problem { path, beside, roots: Vec::new(), replacement: None, ..found });
                }
            }
        }
    }

    fn often(&mut self, index: usize) {
        let times = match self.raw.mix[index].often {
            Often::Chance(share) => (1..=1_000).contains(&share.permille()),
            Often::Mean(factor) => (1..=TIMES_MOST * 1_000).contains(&factor.thousandths()),
            Often::Times(times) => (1..=TIMES_MOST).contains(&times),
        };
        if !times {
            let label = "a chance of 0.1% to 100%, a mean of up to 8x, or 1 to 8 times";
            self.add(Code::OutOfRange, format!("mix[{index}].often"), "it never comes so often", label);
        }
    }

    fn strata(&mut self) {
        let raw = self.raw;
        if raw.strata.is_empty() {
            return;
        }
        let names: Vec<&str> = raw.mix.iter().map(|fault| fault.name.as_str()).collect();
        for (index, stratum) in raw.strata.iter().enumerate() {
            for (at, name) in stratum.faults.iter().enumerate().filter(|(_, name)| !names.contains(&name.as_str())) {
                let near = nearest(name, names.iter().copied());
                let label = near.map_or("no such fault".to_owned(), |near| format!("did you mean `{near}`?"));
                let message = format!("`mix` has no fault `{name}`");
                let path = format!("strata[{index}].faults[{at}]");
                let problem = self.add(Code::NoSuchThing, path, message, &label);
                problem.help = Some(format!("faults: {}", names.join(", ")));
                problem.beside = (0..names.len().max(1)).map(|index| format!("mix[{index}].name")).collect();
            }
        }
        let weights: u64 = raw.strata.iter().map(|stratum| u64::from(stratum.weight.ppb())).sum();
        if weights != 1_000_000_000 {
            let sum = Rate::from_base(i128::from(weights)).map(crate::scenario::quantity::text).unwrap_or_default();
            self.add(Code::Contradiction, "strata", format!("the weights make {sum}"), "they must make 100%");
        }
        let trials: u64 = raw.strata.iter().map(|stratum| u64::from(stratum.trials)).sum();
        let allowed: u64 = raw.strata.iter().map(|stratum| u64::from(stratum.failures_allowed)).sum();
        if trials != u64::from(raw.plan.trials) {
            let message = format!("the strata have {} in all", counted(trials, "trial", "trials"));
            self.add(Code::Contradiction, "plan.trials", message, "must be their sum").roots = vec!["strata"];
        }
        if allowed != u64::from(raw.plan.failures_allowed) {
            let message = format!("the strata allow {} in all", counted(allowed, "failure", "failures"));
            self.add(Code::Contradiction, "plan.failures_allowed", message, "must be their sum").roots = vec!["strata"];
        }
    }

    /// A plan that passes must show what it claims.
    fn plan(&mut self) {
        let plan = &self.raw.plan;
        let (q, alpha) = (failure_most(plan), alpha(plan));
        let parts = parts(self.raw);
        let (allowed, trials) = (u64::from(plan.failures_allowed), u64::from(plan.trials));
        let claim = format!(
            "{} at {} confidence",
            crate::scenario::quantity::text(plan.success),
            crate::scenario::quantity::text(plan.confidence)
        );
        if q <= 0.0 {
            let message = "no number of trials shows that nothing ever fails";
            self.add(Code::Contradiction, "plan.success", message, "must be below 100%");
        } else if parts.len() == 1 && !statistics::plan_shows(allowed, trials, q, alpha) {
            let needed = statistics::trials_needed(allowed, q, alpha);
            let do_not = if trials == 1 { "does not" } else { "do not" };
            let (trials, failures) = (counted(trials, "trial", "trials"), counted(allowed, "failure", "failures"));
            let message = format!("{trials} with {failures} allowed {do_not} show {claim}");
            self.add(Code::Contradiction, "plan.trials", message, &format!("at least {needed}")).roots = vec!["strata"];
        } else if parts.len() > 1 && statistics::stratified_upper_bound(&allowed_parts(&parts), alpha) > q {
            let message = format!("these strata do not show {claim}, whatever comes out");
            let problem = self.add(Code::Contradiction, "strata", message, "more trials, or fewer failures allowed");
            let help = "each stratum's bound counts by its weight, at the missing confidence divided by their number";
            problem.help = Some(help.to_owned());
            problem.roots = vec!["plan"];
        }
    }
}

fn is_word(name: &str) -> bool {
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    is_plain && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 60
}

/// The reference of campaign files, printed from the table that reads them.
#[must_use]
pub fn explain() -> String {
    let mut out = String::new();
    page(&RawCampaign::shape(), &mut out);
    for shape in [Claim::shape(), Plan::shape(), MixFault::shape(), Often::shape(), Stratum::shape()] {
        out.push('\n');
        page(&shape, &mut out);
    }
    out
}

pub(crate) fn page(shape: &schema::Shape, out: &mut String) {
    match shape {
        schema::Shape::Section(name, text, fields) => {
            out.push_str(&format!("{name}:{text}\n"));
            for field in *fields {
                let default = match field.default {
                    None => "must be written".to_owned(),
                    Some("") => "default empty".to_owned(),
                    Some(default) => format!("default {default}"),
                };
                let range = field.range.map_or(String::new(), |(low, high)| format!("; from {low} to {high}"));
                out.push_str(&format!("  {}:{}\n      {default}{range}\n", field.name, field.text));
            }
        }
        schema::Shape::Choice(name, text, variants) => {
            out.push_str(&format!("{name}:{text} One of:\n"));
            for variant in *variants {
                out.push_str(&format!("  {}:{}\n", variant.name, variant.text));
            }
        }
        schema::Shape::Leaf(_) | schema::Shape::List(_) | schema::Shape::Optional(_) => {}
    }
}

/// The fault as it stands in a scenario of trial `trial`.
pub(crate) fn named(fault: Fault, name: &str, number: usize) -> Fault {
    Fault { id: if number == 0 { name.to_owned() } else { format!("{name}-{}", number + 1) }, ..fault }
}
