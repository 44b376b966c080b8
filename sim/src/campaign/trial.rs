//! One trial: runs its scenario, judges what came out, and keeps one row of it.
//!
//! A trial is a success when its run kept every budget, check and expectation, every pump that was due was updated
//! within its three tries, and the run is a result at all. A try that failed for lack of supply (FW003) is none of the
//! three, as for the firmware; that supply was short then is a check of the run's. Where some faults came and none acted
//! the trial is invalid; one that found nothing to act on because another had the place already is told by name, and does
//! not spoil the trial. A repetition that came less often than stated makes a run inconclusive, and so it makes a trial
//! invalid.
//!
//! A safety unit that trips has detected a fault that can lead to what it found; where none can, it trips spuriously. Where
//! it takes the feed of pumps, and so their updates come to no end, the trial is a failure and no invalid one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bevy_ecs::prelude::Entity;
use orchestrator::Alarm;
use reports::campaign::{Class, Trial};
use reports::{Check, Outcome, Report, RowVerdict, TryOutcome};

use super::draw::{Drawn, draw, undisturbed};
use super::file::Campaign;
use crate::hosts::safety::Units;
use crate::hosts::safety::unit::Unit;
use crate::measure::Measures;
use crate::run::{self, Ending, Identity, Run};
use crate::scenario::words::NodeName;
use crate::scenario::{Loaded, Place, SafetyUnit, Scenario};

/// Runs a scenario to its end; a test may put firmware with a planted defect in.
pub type Runner = dyn Fn(&Scenario) -> Run + Sync;

/// The runner of the product.
#[must_use]
pub fn plain(scenario: &Scenario) -> Run {
    run::run(scenario, None, |_| {})
}

/// A trial that has been run.
pub struct Tried {
    /// What is kept of it.
    pub row: Trial,
    /// Its scenario; none where none could be drawn.
    pub scenario: Option<Scenario>,
}

/// What came out of a scenario, as a campaign judges it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What became of the faults.
    pub class: Class,
    /// Rows that did not hold.
    pub failing: Vec<String>,
    /// Faults that never acted, by their index in the scenario.
    pub idle: Vec<usize>,
    /// What was said of a panic or an invalid trial.
    pub note: String,
    /// The report; none after a panic of the twin.
    pub report: Option<Box<Report>>,
}

/// Draws, runs and judges a trial.
pub fn try_one(campaign: &Campaign, trial: u64, runner: &Runner) -> Tried {
    let Drawn { seed, part, faults, scenario, .. } = draw(campaign, trial);
    let mut row = Trial {
        number: trial + 1,
        seed,
        stratum: campaign.parts[part].name.clone(),
        faults: faults.iter().map(|index| campaign.raw.mix[*index].name.clone()).collect(),
        idle: Vec::new(),
        class: Class::Invalid,
        success: false,
        due: due(campaign).len() as u64,
        updated: 0,
        tries: Vec::new(),
        values: vec![None; campaign.base.scenario.budgets.len()],
        failing: Vec::new(),
        note: String::new(),
        fingerprint: String::new(),
        scenario: String::new(),
    };
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(why) => {
            row.note = format!("no scenario: {why}");
            return Tried { row, scenario: None };
        }
    };
    row.scenario = scenario.sha256();
    let judged = judge(campaign, &scenario, runner);
    fill(&mut row, campaign, judged);
    Tried { row, scenario: Some(scenario) }
}

fn fill(row: &mut Trial, campaign: &Campaign, judged: Judged) {
    row.idle = judged.idle.iter().filter_map(|index| row.faults.get(*index).cloned()).collect();
    row.class = judged.class;
    row.failing = judged.failing;
    row.note = judged.note;
    if let Some(report) = &judged.report {
        let due = due(campaign);
        row.updated = due.iter().filter(|index| is_updated(report, **index)).count() as u64;
        row.tries = due.iter().flat_map(|index| &report.pumps[*index].tries).map(try_word).collect();
        // Budgets that the run adds of itself stand behind those of the base.
        row.values = report.budgets.iter().take(row.values.len()).map(|budget| budget.measured).collect();
        row.fingerprint = report.fingerprint.all.clone();
    }
    let bad = [Class::Invalid, Class::Panic, Class::UndetectedDangerous, Class::SpuriousTrip, Class::DetectedLate];
    row.success = row.failing.is_empty() && row.updated == row.due && !bad.contains(&row.class);
}

/// Indices of the pumps that are due for an update.
fn due(campaign: &Campaign) -> Vec<usize> {
    due_in(&campaign.base.scenario)
}

/// Indices of the pumps that a run of this scenario is to update.
pub(super) fn due_in(scenario: &Scenario) -> Vec<usize> {
    let image = &scenario.package.image;
    let pumps = scenario.pump_setups().enumerate().filter(|_| scenario.campaign);
    let is_due =
        |pump: &crate::scenario::PumpSetup| pump.answers && pump.model == image.model && pump.version != image.version;
    pumps.filter(|(_, pump)| is_due(pump)).map(|(index, _)| index).collect()
}

/// Tries of a pump (PFU-022).
const TRIES_MOST: usize = 3;

/// Updated within its three tries, by the CIOC's word and by what its flash holds.
fn is_updated(report: &Report, index: usize) -> bool {
    let pump = &report.pumps[index];
    let counts = |one: &&reports::Try| !one.cause.as_deref().is_some_and(|cause| cause.starts_with("FW003"));
    let counted = pump.tries.iter().filter(counts).count();
    pump.outcome == Outcome::Updated && counted <= TRIES_MOST && pump.version_after.is_some()
}

fn try_word(each: &reports::Try) -> String {
    let cause = each.cause.as_deref().and_then(|cause| cause.split(' ').next());
    match (each.outcome, cause) {
        (TryOutcome::Updated, _) => "updated".to_owned(),
        (TryOutcome::Failed, Some(cause)) => format!("failed {cause}"),
        (TryOutcome::Failed, None) => "failed".to_owned(),
        (TryOutcome::Interrupted, _) => "interrupted".to_owned(),
    }
}

/// Runs a scenario and judges it as a trial of the campaign.
pub fn judge(campaign: &Campaign, scenario: &Scenario, runner: &Runner) -> Judged {
    judge_scenario(scenario, campaign.pump, runner)
}

/// Runs a scenario and judges it; `pump` is the one that the claim is about, if it is about one.
pub fn judge_scenario(scenario: &Scenario, pump: Option<u8>, runner: &Runner) -> Judged {
    // What the twin left half done is not looked at any more.
    match catch_unwind(AssertUnwindSafe(|| ended(scenario, pump, runner))) {
        Ok(judged) => judged,
        Err(panic) => Judged {
            class: Class::Invalid,
            failing: Vec::new(),
            idle: Vec::new(),
            note: format!("cooltwin panicked: {}", crate::hosts::panic_text(&*panic)),
            report: None,
        },
    }
}

fn ended(scenario: &Scenario, pump: Option<u8>, runner: &Runner) -> Judged {
    let run = runner(scenario);
    let report = run::report(&Loaded::of(scenario.clone()), &run, &Identity::default());
    let acted = |index: &usize| report.injections.get(*index).is_some_and(|injection| injection.activations > 0);
    let idle: Vec<usize> = (0..scenario.faults.len()).filter(|index| !acted(index)).collect();
    let failing = failing(scenario, &report, pump);
    let none_acted = !scenario.faults.is_empty() && idle.len() == scenario.faults.len();
    let trips = trips(scenario, &run, &report);
    let (class, note) = match &run.ending {
        Ending::Defect(what) => (Class::Panic, what.clone()),
        // Pumps without their feed are not updated any more: that is the trip's doing, and no defect of the run.
        Ending::TimeLimit if let Some(trip) = trips.iter().find(|trip| trip.feeds) => {
            let note = format!("the time limit came after {} had tripped", trip.unit);
            (class(scenario, &run, &report, &trips, runner), note)
        }
        Ending::TimeLimit => (Class::Invalid, "the time limit came before the end".to_owned()),
        Ending::Livelock => (Class::Invalid, "a million events at one instant".to_owned()),
        Ending::Regular if none_acted => (Class::Invalid, "no fault acted".to_owned()),
        Ending::Regular if let Some(short) = fell_short(&report) => (Class::Invalid, short),
        Ending::Regular => (class(scenario, &run, &report, &trips, runner), String::new()),
    };
    Judged { class, failing, idle, note, report: Some(Box::new(report)) }
}

/// What to say of repetitions that came less often than stated; none where all came.
fn fell_short(report: &Report) -> Option<String> {
    let short = report.injections.iter().filter(|injection| injection.missing > 0);
    let words: Vec<String> = short.map(|one| format!("{}: {} of its times missing", one.id, one.missing)).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A safety unit that went to its safe state although the scenario does not say so.
struct Trip<'a> {
    unit: &'a str,
    /// Whether its relays feed pumps.
    feeds: bool,
    /// Whether a fault can have led to what it detected.
    led: bool,
}

/// The row of the report that names such units.
const TRIPPED_ROW: &str = "healthy_units_do_not_trip";

fn trips<'a>(scenario: &'a Scenario, run: &Run, report: &Report) -> Vec<Trip<'a>> {
    let Some(row) = report.checks.iter().find(|row| row.id == TRIPPED_ROW) else { return Vec::new() };
    let world = &run.twin.world;
    let trip = |(setup, entity): (&'a SafetyUnit, &Entity)| {
        let unit = world.get::<Unit>(*entity)?;
        let is_named = row.detail.split("; ").any(|one| one.starts_with(&format!("{}, CPU", setup.node)));
        is_named.then(|| Trip {
            unit: &setup.node,
            feeds: !setup.feeds.is_empty(),
            led: run::has_led_to_trips(scenario, run, &setup.node, unit),
        })
    };
    scenario.safety_units.iter().zip(world.resource::<Units>().entities()).filter_map(trip).collect()
}

/// Whether a check broke for nothing but trips, which have classes of their own.
fn is_of_trips(check: &Check, trips: &[Trip<'_>], ending: &Ending) -> bool {
    match check.id.as_str() {
        TRIPPED_ROW => !trips.is_empty(),
        "safety_units_become_normal" => {
            let of_a_trip =
                |one: &str| trips.iter().any(|trip| one == format!("{} never came to normal mode", trip.unit));
            check.detail.split("; ").all(of_a_trip)
        }
        "run_ends_regularly" => *ending == Ending::TimeLimit && trips.iter().any(|trip| trip.feeds),
        _ => false,
    }
}

fn class(scenario: &Scenario, run: &Run, report: &Report, trips: &[Trip<'_>], runner: &Runner) -> Class {
    let broken = |verdict: RowVerdict| matches!(verdict, RowVerdict::Fail | RowVerdict::Error);
    // What the scenario stated of its end is judged as success or not; it is no check of the twin's truth.
    let excused = |check: &Check| check.id == "every_pump_ends_as_stated" || is_of_trips(check, trips, &run.ending);
    if report.checks.iter().any(|check| broken(check.verdict) && !excused(check)) {
        return Class::UndetectedDangerous;
    }
    if trips.iter().any(|trip| !trip.led) || is_spurious(scenario, run, report) {
        return Class::SpuriousTrip;
    }
    if report.budgets.iter().any(|budget| broken(budget.verdict)) {
        return Class::DetectedLate;
    }
    let has = |word: &str| report.injections.iter().any(|injection| injection.class == word);
    match () {
        () if scenario.faults.is_empty() => Class::Undisturbed,
        // Which of several faults was detected is all the same to the trial.
        () if !trips.is_empty() || has("detected-safe") || has("not-known") => Class::DetectedSafe,
        () if has("tolerated") => Class::Tolerated,
        () if goes_as_undisturbed(scenario, run, runner) => Class::Masked,
        () => Class::Tolerated,
    }
}

/// Whether CIOC, pumps, bus and safety units did what they do in the run of this seed without the faults.
fn goes_as_undisturbed(scenario: &Scenario, run: &Run, runner: &Runner) -> bool {
    let Some(golden) = undisturbed(scenario) else { return false };
    let done = |run: &Run| {
        let all = run.twin.trace.uninjected_fingerprints().into_iter();
        all.filter(|(domain, _)| ["bus", "orchestrator", "pumps", "safety"].contains(domain)).collect::<Vec<_>>()
    };
    done(&runner(&golden)) == done(run)
}

/// Whether an alarm was raised about a pump, or a try of one failed, that no fault touches.
fn is_spurious(scenario: &Scenario, run: &Run, report: &Report) -> bool {
    let touched = touched(scenario);
    let is_touched = |index: usize| touched.as_ref().is_none_or(|pumps| pumps.contains(&index));
    let measures = run.twin.world.resource::<Measures>();
    let alarmed = measures.timeline.alarms.iter().any(|(_, alarm)| match alarm {
        Alarm::PumpDead(pump) | Alarm::PumpMissing(pump) | Alarm::PumpRejected(pump) => !is_touched(pump.index()),
        _ => touched.as_ref().is_some_and(Vec::is_empty),
    });
    let failed = report.pumps.iter().enumerate().filter(|(index, _)| !is_touched(*index));
    alarmed || failed.flat_map(|(_, pump)| &pump.tries).any(|each| each.outcome != TryOutcome::Updated)
}

/// Indices of the pumps that the faults touch; none of a list where one touches all of them.
fn touched(scenario: &Scenario) -> Option<Vec<usize>> {
    let mut pumps = Vec::new();
    for fault in &scenario.faults {
        match fault.place {
            Place::Pump(pump) | Place::Node(NodeName::Pump(pump)) => pumps.push(usize::from(pump) - 1),
            _ => return None,
        }
    }
    Some(pumps)
}

/// Rows that did not hold or were not judged, and what the claim misses.
fn failing(scenario: &Scenario, report: &Report, pump: Option<u8>) -> Vec<String> {
    let broken = |verdict: RowVerdict| matches!(verdict, RowVerdict::Fail | RowVerdict::Error);
    let open = report.rows_that(RowVerdict::is_open).map(|(kind, row)| format!("{kind}:{row} not judged"));
    let rows = report.rows_that(broken).map(|(kind, row)| format!("{kind}:{row}")).chain(open);
    let due = pump.map_or_else(|| due_in(scenario), |pump| vec![usize::from(pump) - 1]);
    let all = due.iter().all(|index| report.pumps.get(*index).is_some() && is_updated(report, *index));
    let claim = (!all).then(|| "claim:updated".to_owned());
    rows.chain(claim).map(|row| row.replace(';', ",")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::loaded_text;

    /// The first try fails for lack of supply, restarts of the CIOC cut off the second and third, the fourth is good.
    const FOUR_TRIES: &str = "(pumps: (count: 1), package: (image: (length: \"48KiB\")), faults: [
        (kind: PowerCut, place: Pump(1), trigger: When(pump: 1, attempt: 1, phase: Transfer), duration: \"1s\"),
        (kind: Reset, place: Cioc, trigger: When(pump: 1, attempt: 2, phase: Transfer)),
        (kind: Reset, place: Cioc, trigger: When(pump: 1, attempt: 3, phase: Transfer)),
    ])";

    #[test]
    fn a_try_without_supply_is_none_of_the_three() {
        let loaded = loaded_text(FOUR_TRIES);
        let judged = judge_scenario(&loaded.scenario, Some(1), &plain);
        let mut report = judged.report.expect("a report");
        let tries: Vec<String> = report.pumps[0].tries.iter().map(try_word).collect();
        assert_eq!(tries, ["failed FW003", "interrupted", "interrupted", "updated"]);
        assert!(is_updated(&report, 0) && judged.failing.is_empty(), "{:?}", judged.failing);
        report.pumps[0].tries[0].cause = Some("FW004 communication timeout".to_owned());
        assert!(!is_updated(&report, 0), "the same with a failure of its own");
    }
}
