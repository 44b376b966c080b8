//! Checks of safety units.

use reports::{Check, RowVerdict, counted};
use safety_common::fault::Fault;
use safety_common::io::Mode;

use super::super::Run;
use super::expectations::{instead, is_after, is_in_wiring, is_normal, not_normal, stays_normal, text, told, trips};
use super::leads::Found;
use super::reaction::causes;
use super::{fault_words, found, is_injected, requirements_of, unit, units};
use crate::hosts::safety::unit::Unit;
use crate::kernel::{SimTime, Span};
use crate::scenario::{self, Expectation, SafetyTrip, Scenario};

/// Ids of the checks with their requirements.
pub const CHECKS: &[(&str, &[&str])] = &[
    ("safety_units_become_normal", &["SSR-046"]),
    ("nothing_is_driven_outside_normal_mode", &["SSR-003", "SSR-042", "SSR-049", "SSR-061", "SSR-065"]),
    ("safe_state_is_silent_and_off", &["SSR-042", "SSR-047", "SSR-073"]),
    ("safe_state_is_never_left", &["SSR-043"]),
    ("devices_that_are_off_keep_outputs_off", &["SSR-016"]),
    ("either_cpu_alone_turns_all_off", &["SSR-037"]),
    ("one_packet_each_tick_and_direction", &["SSR-017", "SSR-022"]),
    ("logic_runs_once_each_tick", &["SSR-012"]),
    ("diagnostics_find_what_is_injected", &[]),
    ("healthy_units_do_not_trip", &["SSR-020", "SSR-033", "SSR-046"]),
    ("downloads_tell_what_is_stored", &["SSR-052", "SSR-056", "SSR-058"]),
    ("configuration_is_changed_in_its_mode_only", &["SSR-051", "SSR-054"]),
    ("configuration_mode_is_entered_and_left_by_restarts", &["SSR-048", "SSR-050"]),
    ("only_the_unit_that_is_meant_shows_itself", &["SSR-057"]),
];

/// Those that a unit breaks which is off, or trips otherwise than the scenario says: none of them shows it dangerous.
pub(in super::super) const HARMLESS: [&str; 3] =
    ["safety_units_become_normal", "diagnostics_find_what_is_injected", "healthy_units_do_not_trip"];

/// A lamp that is asked for is lit, and one that has been lit for 5 s goes out, within this time: message, bus and a tick.
pub(super) const LAMP_TIME: Span = Span::from_millis(100);

/// How long it is lit.
pub(super) const LAMP_LIT: Span = Span::from_millis(safety_common::tool::IDENTIFY_TICKS as u64);

/// The checks of the units.
pub(in super::super) fn checks(scenario: &Scenario, run: &Run) -> Vec<Check> {
    let units = units(scenario, run);
    if units.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<Check> =
        CHECKS.iter().map(|(id, requirements)| check(scenario, &units, run, id, requirements)).collect();
    if let Some(row) = rows.iter_mut().find(|row| row.id == "diagnostics_find_what_is_injected") {
        judge_diagnostics(scenario, run, row);
    }
    rows
}

/// What the scenario expects its units to find stands for the requirements of these diagnostics, in this run.
fn judge_diagnostics(scenario: &Scenario, run: &Run, row: &mut Check) {
    let mut broken = Vec::new();
    for expectation in &scenario.expectations {
        let Expectation::SafetyTrip(trip) = expectation else { continue };
        // What nothing was injected for shows no diagnostic, even if the unit does as expected.
        if !is_occasion(scenario, run, trip) {
            continue;
        }
        row.n += 1;
        let met = trips(scenario, run, trip).filter(|trip| trip.is_met);
        let cpu = met.as_ref().map(|met| met.found.cpu).or(trip.cpu).unwrap_or(0);
        let own = requirements_of(fault_of(&trip.by), cpu).iter().map(|id| (*id).to_owned());
        row.requirements.extend(own.filter(|id| !row.requirements.contains(id)).collect::<Vec<_>>());
        if met.is_none() {
            let wanted = text(expectation).unwrap_or_default();
            broken.push(format!("{wanted}: {}", instead(scenario, run, expectation)));
        }
    }
    row.requirements.sort();
    row.verdict = match (row.n, broken.is_empty()) {
        (0, _) => RowVerdict::NotApplicable,
        (_, true) => RowVerdict::Pass,
        (_, false) => RowVerdict::Fail,
    };
    row.detail = broken.join("; ");
}

/// Whether something was wrong with a unit that it could find: an injection there acted, or the scenario built it so.
fn is_occasion(scenario: &Scenario, run: &Run, trip: &SafetyTrip) -> bool {
    let setup = scenario.safety_units.iter().find(|unit| unit.node == trip.unit);
    let is_built_wrong = setup.is_some_and(|unit| {
        unit.serial.is_some() || unit.cpu1.release != unit.cpu2.release || !unit.downloads.is_empty()
    });
    is_built_wrong || unit(scenario, run, &trip.unit).is_some_and(|unit| is_injected(run, unit, fault_of(&trip.by)))
}

/// What the firmware calls that which a scenario expects.
pub(super) const fn fault_of(by: &scenario::Detected) -> Fault {
    macro_rules! of_the_same_name {
        ($($name:ident)*) => {
            match by {
                $(scenario::Detected::$name => Fault::$name,)*
            }
        };
    }
    of_the_same_name!(
        RamAtStart RamRunning Firmware FlashRunning FlashNotErased ProductionData SerialNumber Configuration PeerMissing
        ReleaseDiffers PeerDataDiffers C2cSilent C2cErrorRate ClockDrift PeerMode AnalogMismatch LogicTime TickCount ProgramFlow
        SupplyLow SupplyHigh Rail SioPower OutputDriver MainTransistor Relay Disagreement NotObeyed CanMasquerade Variable
        InputStage OutputWiring OssdShort InputDiscrepancy InputSignal
    )
}

/// What the scenario expects this unit to detect.
fn named<'a>(scenario: &'a Scenario, name: &str) -> impl Iterator<Item = &'a SafetyTrip> {
    scenario.expectations.iter().filter_map(move |one| match one {
        Expectation::SafetyTrip(trip) if trip.unit == name => Some(trip),
        _ => None,
    })
}

/// Whether the scenario expects an internal fault of this unit.
fn is_to_trip(scenario: &Scenario, name: &str) -> bool {
    named(scenario, name).any(|trip| !is_in_wiring(&trip.by))
}

/// Internal faults that a unit found though the scenario names them not. What is named excuses what follows from it, until both CPUs
/// have started anew; each name excuses once. A fault that lasts over that start is found again, as this or that: it needs another name.
fn unasked_trips(scenario: &Scenario, name: &str, unit: &Unit) -> Vec<(SimTime, u8, Fault)> {
    let cpus = unit.watch.cpus.iter().zip([1, 2]);
    let causes = cpus.flat_map(|(watch, cpu)| watch.causes.iter().map(move |(at, fault)| (*at, cpu, *fault)));
    let mut causes: Vec<(SimTime, u8, Fault)> = causes.collect();
    causes.sort_by_key(|(at, cpu, _)| (*at, *cpu));
    let mut named: Vec<&SafetyTrip> = named(scenario, name).collect();
    let mut excused: Option<SimTime> = None;
    causes.retain(|(at, cpu, fault)| {
        let restarts = unit.watch.lives.restarts(*at);
        excused = excused.filter(|since| unit.watch.lives.restarts(*since) == restarts).or_else(|| {
            let is_it = |trip: &&SafetyTrip| fault_of(&trip.by) == *fault && trip.cpu.is_none_or(|own| own == *cpu);
            let place = named.iter().position(|trip| is_after(unit, trip.restarts, *at) && is_it(trip))?;
            named.remove(place);
            Some(*at)
        });
        excused.is_none()
    });
    causes
}

/// Faults of the wiring that a unit found though the scenario names none of that kind in that life and no injection can have led to it.
fn unled_in_wiring(scenario: &Scenario, run: &Run, name: &str, unit: &Unit) -> Vec<(SimTime, u8, Fault)> {
    let is_named = |at: SimTime, fault: Fault| {
        named(scenario, name).any(|trip| fault_of(&trip.by) == fault && is_after(unit, trip.restarts, at))
    };
    let is_unled = |(at, found): &(SimTime, Found)| {
        !found.is_internal() && !is_named(*at, found.fault) && causes(run, unit, (*at, *found)).next().is_none()
    };
    let all = found(unit).into_iter().filter(is_unled);
    all.map(|(at, found)| (at, found.cpu, found.fault)).collect()
}

/// Whether a fault of the list can have led to each trip of a unit that the scenario does not name. The first one of each life counts: the
/// others follow from it.
pub(crate) fn has_led_to_trips(scenario: &Scenario, run: &Run, name: &str, unit: &Unit) -> bool {
    let all = found(unit);
    let mut unasked = unasked_trips(scenario, name, unit);
    unasked.dedup_by_key(|(at, ..)| unit.watch.lives.of(*at));
    unasked.into_iter().all(|(at, cpu, fault)| {
        let is_it = |(then, found): &&(SimTime, Found)| (*then, found.cpu, found.fault) == (at, cpu, fault);
        all.iter().find(is_it).is_some_and(|(_, found)| causes(run, unit, (at, *found)).next().is_some())
    })
}

/// Why a unit that came to normal mode did not stay there, unless the scenario says that it restarts. One that has no supply
/// at the end is off and cannot; one stays in configuration mode after a download that the scenario says fails.
fn not_for_good(scenario: &Scenario, name: &str, unit: &Unit, end: SimTime) -> Option<String> {
    let is_to_restart = |one: &Expectation| matches!(one, Expectation::SafetyRestarts(own) if own == name);
    // One that has detected something leaves the normal mode, and comes back by a restart.
    let is_anew =
        scenario.expectations.iter().any(is_to_restart) || unit.watch.cpus.iter().any(|cpu| !cpu.causes.is_empty());
    let held = if is_anew { is_normal(unit, end) } else { stays_normal(unit, end) };
    let is_refused = |one: &Expectation| matches!(one, Expectation::SafetyDownload(wanted) if wanted.unit == name && wanted.is.name() != "Stored");
    let is_configured = unit.cores.iter().all(|core| core.mode == Mode::Configuration);
    if is_configured && scenario.expectations.iter().any(is_refused) {
        return None;
    }
    (!held && unit.powered).then(|| format!("{name}: {}", not_normal(unit, end)))
}

fn check(scenario: &Scenario, units: &[(&str, &Unit)], run: &Run, id: &str, requirements: &[&str]) -> Check {
    let end = run.end;
    let mut n = 0;
    let mut broken = Vec::new();
    let mut wanted = false;
    // What a row does not claim, and whether it claims nothing of a CPU at all.
    let (mut unjudged, mut unseen) = (Vec::new(), false);
    for (name, unit) in units {
        let watch = &unit.watch;
        let cpus = watch.cpus.iter().enumerate();
        match id {
            "safety_units_become_normal" => {
                // What a CPU has detected since it started is judged by its own row.
                let has_tripped = watch.cpus.iter().any(|cpu| cpu.found_since_start().is_some());
                let normal = watch.cpus.iter().filter(|cpu| cpu.ticks > 0).count() as u64;
                n += normal;
                let is_meant = has_tripped && is_to_trip(scenario, name);
                wanted |= !is_meant;
                if normal < 2 && !is_meant {
                    broken.push(format!("{name} never came to normal mode"));
                } else if !has_tripped {
                    broken.extend(not_for_good(scenario, name, unit, end));
                }
            }
            "nothing_is_driven_outside_normal_mode" => {
                n += watch.switched_on;
                broken.extend(watch.driven_outside.map(|at| format!("{name} at {at} ms")));
                let stayed = watch.stayed_outside(end);
                broken.extend(stayed.map(|at| format!("{name}: at {at} ms something is still on")));
            }
            "safe_state_is_silent_and_off" => {
                cpus.for_each(|(cpu, one)| {
                    n += one.safe_steps;
                    if one.spoke_in_safe > 0 {
                        let what = format!("{} sent or drove something", counted(one.spoke_in_safe, "step", "steps"));
                        broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                    }
                });
                let stayed = watch.stayed_in_safe(end);
                broken.extend(stayed.map(|at| format!("{name}: at {at} ms something is still on")));
            }
            "safe_state_is_never_left" => cpus.for_each(|(cpu, one)| {
                n += one.safe_steps;
                broken.extend(one.left_safe.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
            }),
            "devices_that_are_off_keep_outputs_off" => {
                n += watch.settled.judged;
                broken.extend(watch.settled.wrong.iter().map(|(at, what)| format!("{name} at {at} ms: {what}")));
            }
            "either_cpu_alone_turns_all_off" => {
                for (trip, off) in watch.trips(end) {
                    let wrong = match off {
                        None => "something stays on",
                        _ if trip.is_late() => "what was told turns not all off",
                        _ => "",
                    };
                    // A trip of both shows nothing of either, and neither does one whose relays the other had to open.
                    n += u64::from(!wrong.is_empty() || trip.alone && off == Some(trip.off));
                    if !wrong.is_empty() {
                        broken.push(format!("{name}: {} by CPU{}, and {wrong}", fault_words(trip.fault), trip.cpu));
                    }
                }
            }
            "one_packet_each_tick_and_direction" => cpus.for_each(|(cpu, one)| {
                n += one.packets;
                if one.packets != one.talking {
                    let what = format!("{} packets in {} ticks", one.packets, one.talking);
                    broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                }
            }),
            "logic_runs_once_each_tick" => cpus.for_each(|(cpu, one)| {
                let testimony = one.testimony();
                n += testimony.judged;
                wanted |= one.ticks > 0;
                // The step that enters the safe state ends before its logic.
                if one.ticks - one.evaluated > one.trips {
                    let what = format!("{} evaluations in {} ticks", one.evaluated, one.ticks);
                    broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                }
                if let Some((at, what)) = testimony.wrong {
                    broken.push(format!("{name}, CPU{}: at {at} ms its logic {what}", cpu + 1));
                }
                if testimony.judged < one.evaluated {
                    let why = testimony.doubt.map_or(String::new(), |(at, why)| format!(", since {at} ms: {why}"));
                    let what = format!("{} of {} evaluations judged", testimony.judged, one.evaluated);
                    unjudged.push(format!("{name}, CPU{}: {what}{why}", cpu + 1));
                    unseen |= testimony.judged == 0;
                }
            }),
            "downloads_tell_what_is_stored" => {
                wanted |= !unit.tool.downloads.is_empty();
                for (number, one) in unit.tool.downloads.iter().enumerate() {
                    n += u64::from(one.told.is_some());
                    if !one.is_true() {
                        broken.push(format!("{name}, download {number}: {}", told(one)));
                    }
                }
            }
            // Every request that could change something is an occasion, whatever mode it meets.
            "configuration_is_changed_in_its_mode_only" => {
                n += unit.tool.changes_asked;
                cpus.for_each(|(cpu, one)| {
                    n += one.flash_changes;
                    let at = one.flash_changed_wrongly;
                    broken.extend(at.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
                });
            }
            "configuration_mode_is_entered_and_left_by_restarts" => cpus.for_each(|(cpu, one)| {
                n += one.configuring;
                broken.extend(one.configuring_wrongly.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
            }),
            "only_the_unit_that_is_meant_shows_itself" => {
                let of_tool = unit.tool.identifications.iter();
                n += of_tool.filter(|one| one.asked).count() as u64;
                wanted |= !unit.tool.identifications.is_empty();
                let asked = asked_for(units.iter().map(|(_, unit)| *unit), unit.tool.serial);
                let uncalled = watch.lamps.iter().filter(|lamp| !is_called_for(**lamp, &asked));
                broken.extend(uncalled.map(|(at, _)| format!("{name}: its lamp, lit at {at} ms")));
            }
            "healthy_units_do_not_trip" => {
                let unasked = unasked_trips(scenario, name, unit);
                if !is_to_trip(scenario, name) {
                    wanted = true;
                    n += watch.cpus.iter().map(|cpu| cpu.ticks).sum::<u64>();
                } else {
                    n += unasked.len() as u64;
                }
                let unled = unled_in_wiring(scenario, run, name, unit);
                let words = |(at, cpu, fault)| format!("{name}, CPU{cpu} at {at} ms: {}", fault_words(fault));
                broken.extend(unasked.into_iter().chain(unled).map(words));
            }
            _ => {}
        }
    }
    let mut row = super::super::report::judged_row(id, requirements, if unseen { 0 } else { n }, wanted, &broken);
    if broken.is_empty() {
        row.detail = unjudged.join("; ");
    }
    row
}

/// When the lamp of the unit with this serial number was asked for, by a tool wherever it is.
pub(super) fn asked_for<'a>(units: impl Iterator<Item = &'a Unit>, serial: u32) -> Vec<SimTime> {
    let all = units.flat_map(|unit| &unit.tool.identifications);
    all.filter(|one| one.asked && one.serial == serial).map(|one| one.at).collect()
}

/// Whether a lamp was lit soon after it was asked for, and no longer than 5 s after it was last.
fn is_called_for((begin, end): (SimTime, Option<SimTime>), asked: &[SimTime]) -> bool {
    let begins = asked.iter().any(|at| (*at..=*at + LAMP_TIME).contains(&begin));
    let longest =
        asked.iter().filter(|at| end.is_none_or(|end| **at <= end)).max().map(|at| *at + LAMP_LIT + LAMP_TIME);
    begins && end.is_none_or(|end| longest.is_some_and(|longest| end <= longest))
}
