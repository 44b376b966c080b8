//! From a scenario that fails to the smallest one that fails the same way.
//!
//! *The same way* is strict: the same class, the same rows that do not hold, and after a panic the same words. Every
//! step makes something smaller, is tried by running it, and is kept only if the run still fails the same way:
//! fewer faults (by halves, then one by one), nothing expected that held anyway, sections back to their defaults (the time
//! limit stays: it is how long somebody was willing to wait), fewer pumps, faults tied to a point of the update instead of a time, a smaller image, rounder and smaller numbers. The
//! order is fixed and nothing is drawn, so the same failure gives the same file. Steps repeat until none helps, or the
//! runs are used up, which is told.

use std::fmt::Write as _;

use reports::campaign::Class;
use reports::{Phase as TryPhase, Report, Verdict};

use super::template::rounder_numbers;
use super::trial::{Judged, Runner, judge_scenario};
use crate::scenario::doc::Doc;
use crate::scenario::elsewhere::{Configurations, move_configurations};
use crate::scenario::quantity::{Share, Size};
use crate::scenario::reader::{Node, Reader};
use crate::scenario::schema::{Section as _, Value as _};
use crate::scenario::{Fault, Phase, RawScenario, Scenario, Trigger, When};

/// Runs that are spent on one failure when nothing else is said.
pub const RUNS_DEFAULT: u32 = 400;
/// Image lengths that are tried, in KiB, the smallest first.
const IMAGES_KIB: [u32; 5] = [1, 4, 16, 48, 128];

/// How a scenario fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What became of the faults.
    pub class: Class,
    /// Rows that did not hold.
    pub rows: Vec<String>,
    /// What was said of a panic or an invalid run.
    pub note: String,
}

/// What is left of a failure.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest scenario found.
    pub scenario: Scenario,
    /// How it fails, as the one before did.
    pub failure: Failure,
    /// Runs that it took.
    pub runs: u32,
    /// Whether no further step helped; false where the runs were used up first.
    pub complete: bool,
}

/// Shrinks a scenario; none where it does not fail.
pub fn shrink(scenario: &Scenario, runs_most: u32, runner: &Runner) -> Option<Shrunk> {
    let judged = judge_scenario(scenario, None, runner);
    let only_claim = judged.failing.iter().all(|row| row.starts_with("claim:"));
    let is_bad = !judged.failing.is_empty() || judged.class >= Class::DetectedLate;
    if !is_bad {
        return None;
    }
    let mut shrinker = Shrinker {
        failure: failure(&judged, only_claim),
        only_claim,
        passes: passes(&judged),
        current: RawScenario::clone(scenario),
        report: judged.report.map(|report| *report),
        runs: 1,
        runs_most,
        runner,
    };
    let mut complete = false;
    while !complete && shrinker.runs < runs_most {
        complete = !shrinker.round();
    }
    let Shrinker { failure, current, runs, .. } = shrinker;
    let scenario = current.check().ok()?;
    Some(Shrunk { scenario, failure, runs, complete })
}

/// The claim's own row counts only where nothing else says that the scenario fails: it may not be about updates at all.
fn failure(judged: &Judged, only_claim: bool) -> Failure {
    let rows = judged.failing.iter().filter(|row| only_claim || !row.starts_with("claim:"));
    Failure { class: judged.class, rows: rows.cloned().collect(), note: judged.note.clone() }
}

fn passes(judged: &Judged) -> bool {
    judged.report.as_ref().is_some_and(|report| report.verdict == Verdict::Pass)
}

struct Shrinker<'a> {
    failure: Failure,
    only_claim: bool,
    /// Whether the run itself passes, and misses only what a campaign claims of it.
    passes: bool,
    current: RawScenario,
    /// Of the run of `current`.
    report: Option<Report>,
    runs: u32,
    runs_most: u32,
    runner: &'a Runner,
}

impl Shrinker<'_> {
    /// One round of every kind of step; whether any helped.
    fn round(&mut self) -> bool {
        let steps: [fn(&mut Self) -> bool; 8] = [
            Self::fewer_faults,
            Self::fewer_expectations,
            Self::default_sections,
            Self::fewer_pumps,
            Self::points_instead_of_times,
            Self::smaller_image,
            Self::rounder_faults,
            Self::fewer_faults,
        ];
        // Every step gets its turn.
        // Each step is taken, whether or not one before it helped.
        let helped: Vec<bool> = steps.into_iter().map(|step| step(self)).collect();
        helped.contains(&true)
    }

    /// Runs a candidate and keeps it if it fails the same way.
    fn take(&mut self, candidate: RawScenario) -> bool {
        if candidate == self.current || self.runs >= self.runs_most {
            return false;
        }
        let Ok(scenario) = candidate.clone().check() else { return false };
        self.runs += 1;
        let judged = judge_scenario(&scenario, None, self.runner);
        if failure(&judged, self.only_claim) != self.failure || passes(&judged) != self.passes {
            return false;
        }
        self.current = candidate;
        self.report = judged.report.map(|report| *report);
        true
    }

    /// Delta debugging over the list of faults: leaves out halves, quarters, then single ones.
    fn fewer_faults(&mut self) -> bool {
        let mut helped = false;
        let mut chunk = self.current.faults.len().div_ceil(2);
        while chunk > 0 && !self.current.faults.is_empty() {
            let mut start = 0;
            while start < self.current.faults.len() {
                let mut candidate = self.current.clone();
                let end = (start + chunk).min(candidate.faults.len());
                candidate.faults.drain(start..end);
                if self.take(candidate) {
                    helped = true;
                } else {
                    start += chunk;
                }
            }
            chunk /= 2;
        }
        helped
    }

    /// Leaves out expectations that held.
    fn fewer_expectations(&mut self) -> bool {
        let mut helped = false;
        for index in (0..self.current.expectations.len()).rev() {
            let mut candidate = self.current.clone();
            candidate.expectations.remove(index);
            helped |= self.take(candidate);
        }
        helped
    }

    /// Puts whole sections back to what an empty file says.
    fn default_sections(&mut self) -> bool {
        let default = RawScenario::default();
        let current = &self.current;
        let with = |change: fn(&mut RawScenario, &RawScenario)| {
            let mut candidate = current.clone();
            change(&mut candidate, &default);
            candidate
        };
        let candidates: Vec<RawScenario> = vec![
            with(|to, from| to.seed = from.seed),
            with(|to, from| {
                (to.title, to.purpose, to.tags) = (from.title.clone(), from.purpose.clone(), from.tags.clone())
            }),
            with(|to, from| (to.traffic, to.further_nodes) = (from.traffic.clone(), from.further_nodes.clone())),
            with(|to, from| to.user = from.user.clone()),
            with(|to, from| to.plant = from.plant.clone()),
            with(|to, from| to.supply = from.supply.clone()),
            with(|to, from| to.timing = from.timing.clone()),
            with(|to, from| to.flash = from.flash.clone()),
            with(|to, from| to.protocol = from.protocol.clone()),
            with(|to, from| to.bus = from.bus.clone()),
            with(|to, from| to.cioc_update = from.cioc_update.clone()),
            with(|to, from| to.end = from.end.clone()),
            with(|to, from| to.budgets = from.budgets.clone()),
        ];
        self.one_by_one(candidates, merge_section)
    }

    /// Takes candidates that were all made from the same scenario, each laid over what was kept so far.
    fn one_by_one(
        &mut self,
        candidates: Vec<RawScenario>,
        lay: fn(&RawScenario, &RawScenario, &RawScenario) -> RawScenario,
    ) -> bool {
        let before = self.current.clone();
        let mut helped = false;
        for candidate in candidates {
            let laid = lay(&candidate, &before, &self.current);
            helped |= self.take(laid);
        }
        helped
    }

    fn fewer_pumps(&mut self) -> bool {
        for count in 1..self.current.pumps.count {
            let mut candidate = self.current.clone();
            candidate.pumps.count = count;
            candidate.pumps.overrides.retain(|own| own.pump <= count);
            if self.take(candidate) {
                return true;
            }
        }
        false
    }

    /// A fault at a time becomes one at a point of an update, so that the update may become shorter.
    fn points_instead_of_times(&mut self) -> bool {
        let mut helped = false;
        for index in 0..self.current.faults.len() {
            for trigger in self.points_of(index) {
                let mut candidate = self.current.clone();
                candidate.faults[index].trigger = trigger;
                if self.take(candidate) {
                    helped = true;
                    break;
                }
            }
        }
        helped
    }

    /// The points of an update at which a fault at a time came: the begin of the phase, its part in tens, in ones.
    fn points_of(&self, index: usize) -> Vec<Trigger> {
        let Trigger::At(at) = self.current.faults[index].trigger else { return Vec::new() };
        let Some(report) = &self.report else { return Vec::new() };
        let at = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        let tries = report
            .pumps
            .iter()
            .zip(1_u8..)
            .flat_map(|(pump, number)| pump.tries.iter().map(move |each| (number, each)));
        let found = tries.flat_map(|(pump, each)| each.phases.iter().map(move |phase| (pump, each.n, phase))).find(
            |(.., phase)| {
                let begin = phase.start_ms.as_nanos();
                (begin..begin.saturating_add(phase.duration_ms.as_nanos())).contains(&at)
            },
        );
        let Some((pump, attempt, phase)) = found else { return Vec::new() };
        let Some(name) = phase_of(phase) else { return Vec::new() };
        let permille = (at - phase.start_ms.as_nanos()).saturating_mul(1_000) / phase.duration_ms.as_nanos().max(1);
        let permille = u32::try_from(permille).unwrap_or(0);
        let point = |progress: u32| {
            let attempt = u8::try_from(attempt).ok();
            Trigger::When(When { pump, attempt, phase: name.clone(), progress: Share::new(progress) })
        };
        let mut points = vec![0, 500, permille / 100 * 100, permille / 10 * 10];
        points.dedup();
        points.into_iter().map(point).collect()
    }

    fn smaller_image(&mut self) -> bool {
        for kib in IMAGES_KIB {
            let length = Size::new(kib * 1_024);
            if length >= self.current.package.image.length {
                return false;
            }
            let mut candidate = self.current.clone();
            candidate.package.image.length = length;
            if self.take(candidate) {
                return true;
            }
        }
        false
    }

    fn rounder_faults(&mut self) -> bool {
        let mut helped = false;
        for index in 0..self.current.faults.len() {
            let mut place = 0;
            loop {
                let text = self.current.faults[index].doc().inline();
                let Some(candidates) = rounder_numbers(&text, place) else { break };
                for candidate in candidates {
                    let Some(fault) = fault_of(&candidate) else { continue };
                    let mut scenario = self.current.clone();
                    scenario.faults[index] = fault;
                    if self.take(scenario) {
                        helped = true;
                        break;
                    }
                }
                place += 1;
            }
        }
        helped
    }
}

/// `current` with what `candidate` has other than `before`.
fn merge_section(candidate: &RawScenario, before: &RawScenario, current: &RawScenario) -> RawScenario {
    let mut merged = current.clone();
    macro_rules! lay {
        ($($field:ident),*) => {
            $(if candidate.$field != before.$field { merged.$field = candidate.$field.clone(); })*
        };
    }
    lay!(
        seed,
        title,
        purpose,
        tags,
        traffic,
        further_nodes,
        user,
        plant,
        supply,
        timing,
        flash,
        protocol,
        bus,
        cioc_update,
        end,
        budgets
    );
    merged
}

fn fault_of(text: &str) -> Option<Fault> {
    let mut reader = Reader::default();
    let fault = reader.value::<Fault>(&Node { path: "fault".to_owned(), ..Node::whole(text, 0) });
    fault.filter(|_| reader.diagnostics.is_empty())
}

/// The phase by the word that scenarios have for it.
fn phase_of(phase: &TryPhase) -> Option<Phase> {
    Some(match phase.name.as_str() {
        "enter-bootloader" => Phase::EnterBootloader,
        "session" => Phase::Session,
        "security" => Phase::Security,
        "erase" => Phase::Erase,
        "download" => Phase::Download,
        "transfer" => Phase::Transfer,
        "exit" => Phase::Exit,
        "check" => Phase::Check,
        "reset" => Phase::Reset,
        "status" => Phase::Status,
        _ => return None,
    })
}

/// Gives what is left of `before` a name of its own and says what it is: with the name of the scenario that it came from
/// its result would take the place of the one it came from.
pub fn rename(shrunk: &mut Shrunk, before: &Scenario, name: &str) {
    let mut raw = RawScenario::clone(&shrunk.scenario);
    name.clone_into(&mut raw.name);
    let title = if before.title.is_empty() { &before.name } else { &before.title };
    raw.title = format!("What is left of: {title}");
    let fails = shrunk.failure.rows.join(", ");
    let class = shrunk.failure.class.word();
    raw.purpose = format!("The smallest scenario found that fails as {} does: {class} {fails}", before.name);
    // None of these can make a scenario wrong but a name that is none; then it keeps the words it had.
    if let Ok(scenario) = raw.check() {
        shrunk.scenario = scenario;
    }
}

/// Has what is left name its configurations in `folder` beside it; what has to lie there, by name from the scenario.
pub fn move_inputs(shrunk: &mut Shrunk, folder: &str) -> Configurations {
    let mut raw = RawScenario::clone(&shrunk.scenario);
    let moved = move_configurations(&mut raw, folder);
    // Names alone are different, and no rule asks for them.
    if let Ok(scenario) = raw.check() {
        shrunk.scenario = scenario;
    }
    moved
}

/// A scenario as a person would write it: what differs from the defaults, and nothing else.
#[must_use]
pub fn readable(shrunk: &Shrunk) -> String {
    let mut out = String::from("// The smallest scenario found that fails this way:\n");
    let _ = writeln!(out, "// class {}", shrunk.failure.class.word());
    for row in &shrunk.failure.rows {
        let _ = writeln!(out, "// {row}");
    }
    if !shrunk.failure.note.is_empty() {
        let _ = writeln!(out, "// {}", shrunk.failure.note.replace('\n', " "));
    }
    let (scenario, default) = (&shrunk.scenario, RawScenario::default());
    let kept = scenario.docs().into_iter().zip(default.docs()).filter_map(|((name, doc), (_, usual))| {
        let doc = difference(doc, &usual)?;
        Some((name, doc))
    });
    out + &Doc::Fields(None, kept.collect()).file()
}

/// What a section says beyond the usual; lists whole, without the parts that say nothing.
fn difference(doc: Doc, usual: &Doc) -> Option<Doc> {
    if doc == *usual {
        return None;
    }
    match (doc, usual) {
        (Doc::Fields(None, fields), Doc::Fields(None, usual)) => {
            let kept = fields.into_iter().filter_map(|(name, doc)| {
                let usual = usual.iter().find(|(other, _)| *other == name).map(|(_, doc)| doc);
                let doc = usual.map_or_else(|| Some(doc.clone()), |usual| difference(doc.clone(), usual))?;
                Some((name, doc))
            });
            Some(Doc::Fields(None, kept.collect()))
        }
        (doc, _) => Some(without_nothing(doc)),
    }
}

/// Leaves out fields that are `None` where that is their default, as it is of every optional one.
fn without_nothing(doc: Doc) -> Doc {
    match doc {
        Doc::List(items) => Doc::List(items.into_iter().map(without_nothing).collect()),
        Doc::Fields(name, fields) => {
            let kept = fields.into_iter().filter(|(_, doc)| *doc != Doc::word("None"));
            Doc::Fields(name, kept.map(|(name, doc)| (name, without_nothing(doc))).collect())
        }
        Doc::Variant(name, inner) => Doc::Variant(name, Box::new(without_nothing(*inner))),
        word @ Doc::Word(_) => word,
    }
}
