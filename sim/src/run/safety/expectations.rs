//! Expectations about safety units: whether they hold, and what became of a unit instead.

use reports::counted;
use safety_common::fault::Fault;
use safety_common::io::Mode;

use super::super::Run;
use super::super::events::{kebab, word_of};
use super::checks::{LAMP_LIT, LAMP_TIME, asked_for, fault_of};
use super::leads::{Found, is_internal};
use super::reaction::causes;
use super::{fault_words, first_occurred, found, is_injected, unit, units};
use crate::hosts::safety::demands::TICKS;
use crate::hosts::safety::tool::{Download, Told};
use crate::hosts::safety::unit::Unit;
use crate::hosts::safety::watch::CpuWatch;
use crate::kernel::{SimTime, Span};
use crate::scenario::{self, Expectation, SafetyDownload, SafetyTrip, Scenario};

/// Whether each time that the lamp of a unit was asked for it was lit in time, and for 5 s or to the end of the run.
fn is_identified(scenario: &Scenario, run: &Run, name: &str) -> bool {
    let units = units(scenario, run);
    let Some((_, unit)) = units.iter().find(|(own, _)| *own == name) else { return false };
    let asked = asked_for(units.iter().map(|(_, unit)| *unit), unit.tool.serial);
    let lit = |at: SimTime| {
        let until = |end: &Option<SimTime>| end.unwrap_or(run.end + LAMP_LIT) + LAMP_TIME >= at + LAMP_LIT;
        unit.watch.lamps.iter().any(|(begin, end)| *begin <= at + LAMP_TIME && until(end))
    };
    !asked.is_empty() && asked.into_iter().all(lit)
}

/// What became of a download, and what both CPUs held when the tool told it.
pub(super) fn told(one: &Download) -> String {
    match &one.told {
        None => one.step.map_or("not begun".to_owned(), |step| format!("not over, {}", step.word())),
        Some((_, told, _)) => {
            let held = match (one.stored, one.changed) {
                (true, _) => "both CPUs hold it",
                (false, true) => "something else is stored than before",
                (false, false) => "nothing was changed",
            };
            let took = one.took().map_or(String::new(), |took| format!(" after {took} ms"));
            let why = match told {
                Told::NotEntered => " (no answer to password and serial number: one of them is not the unit's)",
                _ => "",
            };
            format!("the tool tells {}{why}{took}, {held}", word_of(&told))
        }
    }
}

fn download<'a>(scenario: &'a Scenario, run: &'a Run, wanted: &SafetyDownload) -> Option<&'a Download> {
    unit(scenario, run, &wanted.unit)?.tool.downloads.get(usize::from(wanted.number))
}

/// Why an expectation about a unit does not hold, where more can be said than that.
pub(in super::super) fn why(scenario: &Scenario, run: &Run, expectation: &Expectation) -> String {
    match expectation {
        Expectation::SafetyDownload(wanted) => download(scenario, run, wanted).map_or(String::new(), told),
        _ => String::new(),
    }
}

/// Whether an expectation about a unit holds; `None` for any other expectation.
pub(in super::super) fn holds(scenario: &Scenario, run: &Run, expectation: &Expectation) -> Option<bool> {
    match expectation {
        Expectation::SafetyTrip(trip) => Some(trips(scenario, run, trip).is_some_and(|trip| trip.is_met)),
        Expectation::SafetyStaysNormal(name) => {
            Some(unit(scenario, run, name).is_some_and(|unit| stays_normal(unit, run.end)))
        }
        Expectation::SafetyRestarts(name) => {
            Some(unit(scenario, run, name).is_some_and(|unit| restarts(unit, run.end)))
        }
        Expectation::SafetyIdentified(name) => Some(is_identified(scenario, run, name)),
        Expectation::SafetyRelays(wanted) => {
            let unit = unit(scenario, run, &wanted.unit)?;
            let all = 0..u8::try_from(safety_common::RELAYS).unwrap_or(0);
            Some(all.into_iter().all(|relay| unit.conducts(relay) == wanted.closed.contains(&relay)))
        }
        Expectation::SafetyDownload(wanted) => Some(download(scenario, run, wanted).is_some_and(|one| {
            let in_time = wanted.within.is_none_or(|within| one.took().is_some_and(|took| took <= within));
            in_time && one.told.is_some_and(|(_, told, _)| format!("{told:?}") == wanted.is.name())
        })),
        _ => None,
    }
}

/// What became of a unit instead of what was expected of it.
pub(in super::super) fn instead(scenario: &Scenario, run: &Run, expectation: &Expectation) -> String {
    let of = |name: &str| unit(scenario, run, name);
    let words = match expectation {
        Expectation::SafetyTrip(trip) => of(&trip.unit).map(|unit| first_detected(run, unit, trip)),
        Expectation::SafetyStaysNormal(name) => of(name).map(|unit| not_normal(unit, run.end)),
        Expectation::SafetyRestarts(name) => of(name).map(|unit| {
            let left = unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_some());
            if left { not_normal_again(unit, run.end) } else { "it did not restart".to_owned() }
        }),
        Expectation::SafetyIdentified(name) => of(name).map(|unit| {
            let lit = unit.watch.lamps.iter().map(|(begin, _)| format!("{begin} ms"));
            let lit: Vec<String> = lit.collect();
            if lit.is_empty() {
                "its lamp was never lit".to_owned()
            } else {
                format!("its lamp was lit at {}", lit.join(", "))
            }
        }),
        Expectation::SafetyRelays(wanted) => of(&wanted.unit).map(|unit| {
            let all = 0..u8::try_from(safety_common::RELAYS).unwrap_or(0);
            let conduct: Vec<String> =
                all.filter(|relay| unit.conducts(*relay)).map(|relay| relay.to_string()).collect();
            relay_words(&conduct)
        }),
        _ => None,
    };
    words.unwrap_or_else(|| "there is no such unit".to_owned())
}

fn relay_words(conduct: &[String]) -> String {
    match conduct {
        [] => "no relay conducts".to_owned(),
        [one] => format!("relay {one} conducts"),
        some => format!("relays {} conduct", some.join(" and ")),
    }
}

/// Whether an instant is in the life after so many restarts of both CPUs, if that is asked.
pub(super) fn is_after(unit: &Unit, restarts: Option<u8>, at: SimTime) -> bool {
    restarts.is_none_or(|own| unit.watch.lives.restarts(at) == usize::from(own))
}

/// Those after so many restarts of both CPUs, if that is asked.
fn detections_of(unit: &Unit, restarts: Option<u8>) -> impl Iterator<Item = (SimTime, Found)> {
    found(unit).into_iter().filter(move |(at, _)| is_after(unit, restarts, *at))
}

fn first_detected(run: &Run, unit: &Unit, wanted: &SafetyTrip) -> String {
    let Some((at, found)) = detections_of(unit, wanted.restarts).next() else {
        return "it detected nothing".to_owned();
    };
    let is_own = causes(run, unit, (at, found)).next().is_some() || !is_injected(run, unit, found.fault);
    let why = if is_own { "" } else { ", and no injection that had acted by then leads to it" };
    let since = first_occurred(run, unit).filter(|first| *first <= at);
    let since =
        since.map_or(String::new(), |first| format!(", {} ms after the first fault there occurred", at.since(first)));
    format!("it detected {} first, by CPU{} at {at} ms{since}{why}", fault_words(found.fault), found.cpu)
}

pub(super) fn not_normal(unit: &Unit, end: SimTime) -> String {
    let words = not_normal_again(unit, end);
    if !words.is_empty() {
        return words;
    }
    let cpus = unit.watch.cpus.iter().zip([1u8, 2]);
    let before = cpus.filter_map(|(cpu, number)| match (cpu.causes.first(), cpu.left_normal) {
        (Some((at, fault)), _) => Some(format!("CPU{number} detected {} at {at} ms", fault_words(*fault))),
        (None, Some(at)) => Some(format!("CPU{number} left normal mode at {at} ms")),
        (None, None) => None,
    });
    before.collect::<Vec<_>>().join(", ")
}

fn not_normal_again(unit: &Unit, end: SimTime) -> String {
    let cpus = unit.watch.cpus.iter().zip(&unit.cores).zip([1u8, 2]);
    let words = cpus.filter_map(|((watch, core), number)| {
        let what = match watch.found_since_start() {
            Some((at, fault)) => format!("detected {} at {at} ms", fault_words(fault)),
            None if watch.ticks == 0 => "never came to normal mode".to_owned(),
            None if core.firmware.is_none() => "runs no firmware at the end".to_owned(),
            None if core.mode != Mode::Normal => {
                format!("is in mode {} at the end", word_of(&core.mode))
            }
            None => format!("made its last step at {} ms", watch.still_since(end, TICKS)?),
        };
        Some(format!("CPU{number} {what}"))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Both CPUs became normal once and for all, and neither ever detected anything.
pub(in super::super) fn stays_normal(unit: &Unit, end: SimTime) -> bool {
    is_normal(unit, end) && unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_none() && cpu.causes.is_empty())
}

/// Both CPUs were normal, left that mode, and are normal again. What they detected before is judged by its own row.
fn restarts(unit: &Unit, end: SimTime) -> bool {
    is_normal(unit, end) && unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_some())
}

/// Both CPUs are normal at the end and still make their steps, and neither has detected anything since it started.
pub(super) fn is_normal(unit: &Unit, end: SimTime) -> bool {
    let modes = unit.cores.iter().all(|core| core.mode == Mode::Normal && core.firmware.is_some());
    let works =
        |cpu: &CpuWatch| cpu.found_since_start().is_none() && cpu.ticks > 0 && cpu.still_since(end, TICKS).is_none();
    modes && unit.watch.cpus.iter().all(works)
}

/// The detection that an expected trip is about, in a run.
pub(super) struct Trip {
    /// Which it is: the first internal fault, or the first of the wiring that no expectation before this one is about.
    pub found: Found,
    /// Whether it is the one that is expected, at a time at which it may be.
    pub is_met: bool,
}

pub(super) fn trips(scenario: &Scenario, run: &Run, wanted: &SafetyTrip) -> Option<Trip> {
    let unit = unit(scenario, run, &wanted.unit)?;
    let all: Vec<(SimTime, Found)> = detections_of(unit, wanted.restarts).collect();
    let stops_all = !is_in_wiring(&wanted.by);
    // A fault of the wiring stops nothing, so that others may follow it: each that is expected stands behind those before it in its life.
    let before = scenario.expectations.iter().map_while(|one| match one {
        Expectation::SafetyTrip(own) if own == wanted => None,
        Expectation::SafetyTrip(own) if own.unit == wanted.unit => {
            Some(life_of(unit, own).map(|life| (life, fault_of(&own.by))))
        }
        _ => Some(None),
    });
    let before: Vec<(usize, Fault)> = if stops_all { Vec::new() } else { before.flatten().collect() };
    let is_next = |(at, found): &(SimTime, Found)| {
        found.is_internal() == stops_all && !before.contains(&(unit.watch.lives.restarts(*at), found.fault))
    };
    let (at, found) = all.into_iter().find(is_next)?;
    let is_it = found.fault == fault_of(&wanted.by) && wanted.cpu.is_none_or(|cpu| cpu == found.cpu);
    Some(Trip { found, is_met: is_it && is_in_time(run, unit, wanted, (at, found)) })
}

/// After how many restarts of both CPUs a trip is expected, or what is expected came first; none if it never came.
fn life_of(unit: &Unit, expected: &SafetyTrip) -> Option<usize> {
    let first = || found(unit).into_iter().find(|(_, found)| found.fault == fault_of(&expected.by));
    expected.restarts.map(usize::from).or_else(|| Some(unit.watch.lives.restarts(first()?.0)))
}

/// Whether a detection came when it may. Where injections can lead to what was expected, one must have led to this; where several can
/// have, the earliest must be `within`, and the latest `after`. A unit that is built wrong has none, and no time to measure.
fn is_in_time(run: &Run, unit: &Unit, wanted: &SafetyTrip, (at, found): (SimTime, Found)) -> bool {
    if !is_injected(run, unit, found.fault) {
        return wanted.after.is_none() && wanted.within.is_none();
    }
    let restarted = wanted.restarts.and_then(|restarts| unit.watch.lives.after(restarts)).unwrap_or_default();
    let occurred = causes(run, unit, (at, found)).filter_map(|one| {
        // The voltage of a supply may have left its limits before it is beyond half of its way.
        let acted = one.first.filter(|acted| one.is_of_the_supply() && *acted <= at);
        acted.or(one.occurred)
    });
    let mut since: Vec<Span> = occurred.map(|occurred| at.since(occurred.max(restarted))).collect();
    since.sort();
    let (Some(shortest), Some(longest)) = (since.first(), since.last()) else { return false };
    wanted.after.is_none_or(|after| *shortest >= after) && wanted.within.is_none_or(|within| *longest <= within)
}

/// A fault of the wiring, which stops nothing but what it affects.
pub(super) fn is_in_wiring(by: &scenario::Detected) -> bool {
    !is_internal(fault_of(by))
}

/// An expectation about a unit as a sentence.
pub(in super::super) fn text(expectation: &Expectation) -> Option<String> {
    let word = |by: &scenario::Detected| kebab(by.name());
    match expectation {
        Expectation::SafetyTrip(trip) => {
            let cpu = trip.cpu.map_or(String::new(), |cpu| format!(" with CPU{cpu}"));
            let after = trip.after.map_or(String::new(), |after| format!(", not before {after} ms"));
            let within = trip.within.map_or(String::new(), |within| format!(", within {within} ms"));
            let restarts = trip.restarts.map_or(String::new(), |restarts| {
                format!(" after {}", counted(restarts.into(), "restart", "restarts"))
            });
            // One in the wiring may follow another one that is expected.
            let first = if is_in_wiring(&trip.by) { "" } else { " first" };
            Some(format!("safety unit {} detects {}{first}{restarts}{cpu}{after}{within}", trip.unit, word(&trip.by)))
        }
        Expectation::SafetyRelays(wanted) => {
            let relays: Vec<String> = wanted.closed.iter().map(u8::to_string).collect();
            Some(format!("safety unit {}: {} at the end", wanted.unit, relay_words(&relays)))
        }
        Expectation::SafetyDownload(wanted) => {
            let within = wanted.within.map_or(String::new(), |within| format!(" within {within} ms"));
            let (unit, number) = (&wanted.unit, wanted.number);
            let told = kebab(wanted.is.name());
            Some(format!("safety unit {unit}: the configuration tool tells {told} of download {number}{within}"))
        }
        Expectation::SafetyStaysNormal(name) => Some(format!("safety unit {name} becomes normal and stays so")),
        Expectation::SafetyRestarts(name) => Some(format!("safety unit {name} restarts and is normal again")),
        Expectation::SafetyIdentified(name) => {
            Some(format!("safety unit {name} shows its lamp for 5 s each time that a tool asks for it"))
        }
        _ => None,
    }
}
