//! Safety units in the twin: boundaries over every phase of a tick, forks, and controls that must fail.
//!
//! A *control* makes one diagnostic of a unit ineffective from outside, by a wrapper of the CPU's outputs, and runs the
//! scenario that is to show that diagnostic: it must fail, or it shows nothing. The firmware itself is the same in all
//! runs; there is no way to switch a measure of it off.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bevy_ecs::prelude::World;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::core::Muffle;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{Expectation, FileSource, Loaded, load};
use cooltwin::twin;
use reports::{Report, RowVerdict, Verdict};
use safety_common::fault::Fault;

struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn loaded(name: &str, overrides: &[String]) -> Loaded {
    load(&Disk, &folder().join(format!("{name}.ron")), overrides).unwrap_or_else(|_| panic!("{name} loads"))
}

fn report(loaded: &Loaded, run: &Run) -> Report {
    run::report(loaded, run, &Identity::default())
}

fn verdict(name: &str, overrides: &[String]) -> Verdict {
    let loaded = loaded(name, overrides);
    report(&loaded, &run::run(&loaded.scenario, None, |_| {})).verdict
}

fn units(world: &mut World, mut what: impl FnMut(&mut Unit)) {
    for entity in world.resource::<Units>().entities().to_vec() {
        if let Some(mut unit) = world.get_mut::<Unit>(entity) {
            what(&mut unit);
        }
    }
}

/// 24 phases of a millisecond, on no grid of the slots.
fn phases() -> impl Iterator<Item = String> {
    (0..24u64).map(|n| format!("faults[0].trigger=At(\"{}ns\")", 3_000_000_000 + n * 41_777))
}

/// Runs a scenario at every phase of a tick; the phases at which it does not pass.
fn failing_phases(name: &str) -> Vec<String> {
    phases().filter(|phase| verdict(name, std::slice::from_ref(phase)) != Verdict::Pass).collect()
}

#[test]
fn a_dip_of_499_ms_never_trips_and_one_of_502_ms_always_does_at_every_phase_of_a_tick() {
    for name in ["safety-dip-499ms", "safety-dip-502ms", "safety-over-voltage-499ms", "safety-over-voltage-502ms"] {
        assert_eq!(failing_phases(name), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn losses_of_18_packets_survive_and_of_20_trip_at_every_phase_of_a_tick() {
    for cpu in 1..=2 {
        for count in [18, 20] {
            let name = format!("safety-c2c-{count}-lost-from-cpu{cpu}");
            assert_eq!(failing_phases(&name), Vec::<String>::new(), "{name}");
        }
    }
}

/// Every scenario of the folder that says what a unit detects, with that fault.
fn trips() -> Vec<(String, Fault)> {
    let files = fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let names = files.filter_map(|name| name.to_str()?.strip_suffix(".ron").map(str::to_owned));
    let names: BTreeSet<String> = names.filter(|name| name.starts_with("safety-")).collect();
    let trip = |name: String| {
        let loaded = loaded(&name, &[]);
        let by = loaded.scenario.expectations.iter().find_map(|one| match one {
            Expectation::SafetyTrip(trip) => Some(trip.by.name().to_owned()),
            _ => None,
        })?;
        let all = (0..=u8::MAX).filter_map(fault);
        let fault = all.into_iter().find(|fault| format!("{fault:?}") == by).expect("a fault of the firmware");
        Some((name, fault))
    };
    names.into_iter().filter_map(trip).collect()
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
        Fault::NotObeyed,
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
    assert!(shown.len() >= 16, "{shown:?}");
    let mut passed = Vec::new();
    for (name, fault) in trips {
        let loaded = loaded(&name, &[]);
        let mut twin = twin::build(&loaded.scenario, None);
        units(&mut twin.world, |unit| {
            for core in &mut unit.cores {
                core.muffle = Some(Muffle::new(fault));
            }
        });
        let run = run::finish(twin, &loaded.scenario, |_| {});
        let report = report(&loaded, &run);
        // A scenario that is to end inconclusive must fail, too: its expectation is broken.
        if report.verdict != Verdict::Fail {
            passed.push(format!("{name} without {fault:?}: {:?}", report.verdict));
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
}

#[test]
fn a_wrapper_that_muffles_what_never_happens_changes_nothing() {
    let loaded = loaded("safety-unit", &[]);
    let mut twin = twin::build(&loaded.scenario, None);
    units(&mut twin.world, |unit| unit.cores[0].muffle = Some(Muffle::new(Fault::RamRunning)));
    let muffled = run::finish(twin, &loaded.scenario, |_| {});
    let healthy = run::run(&loaded.scenario, None, |_| {});
    assert_eq!(muffled.twin.trace.fingerprint(), healthy.twin.trace.fingerprint());
}

/// Saved at instants of start-up, normal mode, faults under way and the safe state, and loaded into another model.
#[test]
fn units_fork_alike_at_any_instant() {
    for name in ["safety-dip-502ms", "safety-c2c-20-lost-from-cpu1", "safety-ram-coupling", "safety-two-units"] {
        let loaded = loaded(name, &[]);
        let whole = run::run(&loaded.scenario, None, |_| {});
        let expected = common::result_of(&loaded, &whole);
        let mut first = twin::build(&loaded.scenario, None);
        let mut second = twin::build(&loaded.scenario, None);
        for ns in [5_000_000, 300_123_456, 1_600_000_001, 2_999_999_999, 3_010_500_000, 3_480_000_777] {
            let instant = SimTime::ZERO + Span::from_nanos(ns);
            let _ = first.run_until(instant);
            let saved = first.save();
            // The other model has gone another way in between.
            let _ = second.run_until(instant + Span::from_millis(700));
            second.load(&saved);
            (first, second) = (second, first);
        }
        let run = run::finish(first, &loaded.scenario, |_| {});
        assert_eq!(common::result_of(&loaded, &run), expected, "{name}");
    }
}

/// SSR-014: an execution time that the second guard alone sees, and one that neither may see.
#[test]
fn the_logic_may_take_812_5_us_and_no_more() {
    for (name, overrides, wanted) in [
        ("safety-logic-812-5us-cpu1", "faults[0].kind.takes=\"812400ns\"", Verdict::Pass),
        ("safety-logic-812-6us-cpu1", "faults[0].kind.takes=\"812501ns\"", Verdict::Pass),
        ("safety-logic-812-6us-cpu1", "faults[0].kind.takes=\"812500ns\"", Verdict::Fail),
        ("safety-logic-812-6us-cpu2", "faults[0].kind.takes=\"1s\"", Verdict::Pass),
    ] {
        let got = loaded_or(name, overrides);
        assert_eq!(got, wanted, "{name} {overrides}");
    }
}

fn loaded_or(name: &str, overrides: &str) -> Verdict {
    verdict(name, &[overrides.to_owned()])
}

/// A pump fed by a relay has no power before the relay conducts, and loses it when the relay lets go.
#[test]
fn relays_feed_the_pumps() {
    let loaded = loaded("safety-stop", &[]);
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = report(&loaded, &run);
    let response = report.budgets.iter().find(|row| row.id == "safety-response").expect("the row");
    assert_eq!((response.n, response.verdict), (1, RowVerdict::Pass));
    let losses: Vec<u32> =
        (1..=2).map(|pump| cooltwin::power::losses(&run.twin.world, cooltwin::node::NodeId::new(pump))).collect();
    assert_eq!(losses, [1, 1]);
}
