//! Controls of the diagnostics of safety units that must fail.
//!
//! A *control* makes diagnostics ineffective from outside, by a wrapper of the CPU's outputs, and runs the scenario that is to show
//! one of them: it must fail, or it shows nothing. The firmware itself is the same in all runs; there is no way to switch a measure of
//! it off. Two kinds of wrapper: one takes the detection away with its effect, the other leaves the detection on record and lets the
//! CPU go on as a healthy one. The second must be seen in what is measured outside the firmware: outputs, relays, times.
//! Measures without a fault of their own have their controls in `safety_patches.rs`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use common::units::each;
use common::{loaded, shipped};
use cooltwin::hosts::safety::core::Muffle;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::run::{self, Identity};
use cooltwin::scenario::{Expectation, Loaded};
use cooltwin::twin;
use reports::{Report, RowVerdict, Verdict};
use safety_common::fault::Fault;
use safety_common::io::TickOutputs;

fn scenario(name: &str) -> Loaded {
    loaded(&shipped(&format!("{name}.ron")), &[])
}

/// The report of a run whose units are changed before it begins.
fn changed(loaded: &Loaded, change: impl FnMut(&mut Unit)) -> Report {
    let mut twin = twin::build(&loaded.scenario, None);
    each(&mut twin.world, change);
    run::report(loaded, &run::finish(twin, &loaded.scenario, |_| {}), &Identity::default())
}

/// Every scenario of the folder that says what a unit detects, with that fault.
fn trips() -> Vec<(String, Fault)> {
    let files = fs::read_dir(shipped("")).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let names = files.filter_map(|name| name.to_str()?.strip_suffix(".ron").map(str::to_owned));
    let names: BTreeSet<String> = names.filter(|name| name.starts_with("safety-")).collect();
    let trips = |name: &String| {
        let all: Vec<Fault> = (0..=u8::MAX).filter_map(fault).collect();
        let by = |one: &Expectation| match one {
            Expectation::SafetyTrip(trip) => Some(trip.by.name().to_owned()),
            _ => None,
        };
        let named = scenario(name).scenario.expectations.iter().filter_map(by).collect::<Vec<_>>();
        let of = |by: &String| *all.iter().find(|fault| format!("{fault:?}") == *by).expect("a fault of the firmware");
        named.iter().map(|by| (name.clone(), of(by))).collect::<Vec<_>>()
    };
    names.iter().flat_map(trips).collect()
}

/// The faults that the shipped scenarios show.
fn fault(number: u8) -> Option<Fault> {
    const ALL: &[Fault] = &[
        Fault::RamAtStart,
        Fault::RamRunning,
        Fault::Firmware,
        Fault::FlashRunning,
        Fault::FlashNotErased,
        Fault::ProductionData,
        Fault::SerialNumber,
        Fault::Configuration,
        Fault::PeerMissing,
        Fault::ReleaseDiffers,
        Fault::PeerDataDiffers,
        Fault::C2cSilent,
        Fault::C2cErrorRate,
        Fault::ClockDrift,
        Fault::PeerMode,
        Fault::AnalogMismatch,
        Fault::LogicTime,
        Fault::TickCount,
        Fault::SupplyLow,
        Fault::SupplyHigh,
        Fault::Rail,
        Fault::SioPower,
        Fault::OutputDriver,
        Fault::MainTransistor,
        Fault::Relay,
        Fault::Disagreement,
        Fault::NotObeyed,
        Fault::CanMasquerade,
        Fault::InputStage,
        Fault::OutputWiring,
        Fault::OssdShort,
        Fault::InputDiscrepancy,
        Fault::InputSignal,
    ];
    ALL.iter().copied().find(|fault| *fault as u8 == number)
}

#[test]
fn every_scenario_of_a_diagnostic_fails_when_that_diagnostic_is_without_effect() {
    let trips = trips();
    let shown: BTreeSet<Fault> = trips.iter().map(|(_, fault)| *fault).collect();
    assert!(shown.len() >= 29, "{shown:?}");
    let mut passed = Vec::new();
    for (name, fault) in trips {
        let muffle = |unit: &mut Unit| {
            unit.cores.iter_mut().for_each(|core| core.muffle = Some(Muffle::new(fault)));
        };
        let report = changed(&scenario(&name), muffle);
        // A scenario that is to end inconclusive must fail, too: its expectation is broken.
        if report.verdict != Verdict::Fail {
            passed.push(format!("{name} without {fault:?}: {:?}", report.verdict));
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
}

#[test]
fn wrappers_that_meet_no_fault_change_nothing() {
    let loaded = scenario("safety-unit");
    let own = healthy("safety-unit");
    let fingerprint = |muffles: [Option<Muffle>; 2]| {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| {
            unit.cores.iter_mut().zip(&muffles).for_each(|(core, muffle)| core.muffle.clone_from(muffle));
        });
        run::finish(twin, &loaded.scenario, |_| {}).twin.trace.fingerprint()
    };
    let unwrapped = fingerprint([None, None]);
    assert_eq!(fingerprint([Some(Muffle::new(Fault::RamRunning)), None]), unwrapped);
    assert_eq!(fingerprint(own[0].clone().map(|own| Some(Muffle::idle(own)))), unwrapped);
}

/// What a CPU does in each tick of its first life.
type Outputs = Arc<BTreeMap<u32, TickOutputs>>;

/// What the CPUs of each unit do where nothing is wrong: the scenario without its faults, with units that are built alike.
fn healthy(name: &str) -> Vec<[Outputs; 2]> {
    let units = scenario(name).scenario.safety_units.len();
    let alike = (0..units).flat_map(|unit| {
        let of = ["serial=None", "downloads=[]", "cpu1.release=1", "cpu2.release=1"];
        of.map(|value| format!("safety_units[{unit}].{value}"))
    });
    let all: Vec<String> = ["faults=[]", "expectations=[]"].map(str::to_owned).into_iter().chain(alike).collect();
    let overrides: Vec<&str> = all.iter().map(String::as_str).collect();
    let scenario = loaded(&shipped(&format!("{name}.ron")), &overrides).scenario;
    let mut twin = twin::build(&scenario, None);
    each(&mut twin.world, |unit| {
        unit.cores.iter_mut().for_each(|core| core.muffle = Some(Muffle::Listening(BTreeMap::new())));
    });
    let mut run = run::finish(twin, &scenario, |_| {});
    let mut all = Vec::new();
    each(&mut run.twin.world, |unit| {
        all.push(unit.cores.each_mut().map(|core| match core.muffle.take() {
            Some(Muffle::Listening(kept)) => Arc::new(kept),
            _ => panic!("the wrapper is still there"),
        }));
    });
    all
}

/// Rows that are measured at the outputs, outside the firmware; those of a trip or of wiring tell the fault that they are about.
const OF_A_FAULT: [&str; 5] = [
    "safety-supply-reaction",
    "safety-fault-reaction",
    "safety-outside-reaction",
    "safety-c2c-silence",
    "either_cpu_alone_turns_all_off",
];
/// See above.
const OF_OUTPUTS: [&str; 2] = ["nothing_is_driven_outside_normal_mode", "devices_that_are_off_keep_outputs_off"];

/// The rows of outputs that fail for this fault, with the expectations about relays that do.
fn outside(report: &Report, fault: Fault) -> Vec<String> {
    let name = format!("{fault:?}");
    let word = name.char_indices().fold(String::new(), |word, (at, letter)| {
        let dash = if at > 0 && letter.is_uppercase() { "-" } else { "" };
        word + dash + &letter.to_lowercase().to_string()
    });
    let tells = |row: &str| {
        let budget = report.budgets.iter().find(|one| one.id == row).and_then(|one| one.r#where.clone());
        let check = report.checks.iter().find(|one| one.id == row).map(|one| one.detail.clone());
        // The time of a silence has no other fault to tell.
        row == "safety-c2c-silence" || budget.or(check).is_some_and(|text| text.contains(&word))
    };
    let failed = report.rows_that(|verdict| verdict == RowVerdict::Fail);
    let is_outside = |(kind, row): &(&str, &str)| {
        let is_relay = *kind == "expectation" && row.contains("relay");
        is_relay || OF_OUTPUTS.contains(row) || OF_A_FAULT.contains(row) && tells(row)
    };
    failed.filter(is_outside).map(|(_, row)| row.to_owned()).collect()
}

/// Detections with nothing to turn off, and why.
const NOTHING_ON: [(&str, Fault, &str); 4] = [
    ("safety-output-to-supply", Fault::OutputWiring, "the output is OFF; safety-output-to-ground has one that is ON"),
    ("safety-ossd-short-one-off", Fault::OutputWiring, "of the output that is OFF; OssdShort turns the other one off"),
    ("safety-peer-missing-cpu1", Fault::PeerMissing, "one CPU turns nothing on"),
    ("safety-peer-missing-cpu2", Fault::PeerMissing, "one CPU turns nothing on"),
];

/// Faults of which a scenario keeps its outputs off in time whichever CPU is without effect: the other one finds the same, or that
/// this one does not do as it must, and turns all off. So either suffices there.
const EITHER: [Fault; 15] = [
    Fault::SerialNumber,
    Fault::Configuration,
    Fault::ReleaseDiffers,
    Fault::C2cSilent,
    Fault::ClockDrift,
    Fault::AnalogMismatch,
    Fault::SupplyLow,
    Fault::SupplyHigh,
    Fault::SioPower,
    Fault::OutputDriver,
    Fault::Relay,
    Fault::InputStage,
    Fault::OutputWiring,
    Fault::OssdShort,
    Fault::InputDiscrepancy,
];

/// The detection stays on record, and its effect alone is taken away, at both CPUs: the outputs tell. At one CPU alone the other one may
/// turn all off: then either suffices.
#[test]
fn every_scenario_of_a_diagnostic_fails_by_its_outputs_when_the_reaction_alone_is_without_effect() {
    let mut wrong = Vec::new();
    let mut either = BTreeSet::new();
    for (name, fault) in trips() {
        let loaded = scenario(&name);
        let healthy = healthy(&name);
        let idle = |cpus: &[usize]| {
            let report = changed(&loaded, |unit| {
                for cpu in cpus {
                    unit.cores[*cpu].muffle = Some(Muffle::idle(healthy[usize::from(unit.index)][*cpu].clone()));
                }
            });
            outside(&report, fault)
        };
        let rows = idle(&[0, 1]);
        let is_exempt = NOTHING_ON.iter().any(|(own, of, _)| (*own, *of) == (&*name, fault));
        if rows.is_empty() != is_exempt {
            wrong.push(format!("{name} without the effect of {fault:?}: {rows:?}"));
        }
        if !is_exempt && idle(&[0]).is_empty() && idle(&[1]).is_empty() {
            either.insert(fault);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(either, EITHER.into_iter().collect());
}

/// A CPU1 that stands still from 3 s on: its watchdog was served last in that tick or the one before, and takes its outputs after
/// 10 ms. Without a watchdog they are on until CPU2 has heard nothing for 20 ms.
#[test]
fn a_halted_cpu_drives_on_without_its_watchdog() {
    let off = |is_dead: bool| {
        let loaded = scenario("safety-cpu1-halts");
        let mut twin = twin::build(&loaded.scenario, None);
        let halts = SimTime::from_nanos(3_000_000_000);
        let _ = twin.run_until(halts + Span::from_millis(1));
        each(&mut twin.world, |unit| unit.cores[0].dead = is_dead);
        let mut run = run::finish(twin, &loaded.scenario, |_| {});
        let mut off = None;
        each(&mut run.twin.world, |unit| off = unit.watch.last_off);
        off.expect("all is off at last").since(halts)
    };
    let us = Span::from_micros;
    assert!((us(9_000)..=us(11_100)).contains(&off(false)), "{}", off(false));
    assert!((us(20_000)..=us(23_100)).contains(&off(true)), "{}", off(true));
}
