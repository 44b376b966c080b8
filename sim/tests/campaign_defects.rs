//! Planted defects: a campaign finds each, and what shrink leaves of it names its cause in few faults.
//!
//! The product holds no defect for tests. Each is planted from outside, by a runner that wraps the board of the firmware
//! and misbehaves when something comes to pass: the flash of a driver that gets stuck, a FRAM that forgets, a firmware
//! that hangs or panics. The control of each test is the same scenario with the firmware as it is: it does not fail.

mod common;

use std::path::Path;

use cooltwin::bus::BusRecord;
use cooltwin::campaign::shrink::{RUNS_DEFAULT, Shrunk, readable, shrink};
use cooltwin::campaign::trial::{Runner, plain, try_one};
use cooltwin::campaign::{Campaign, load_campaign};
use cooltwin::cli::Disk;
use cooltwin::event::Twin;
use cooltwin::hosts::cioc::{CiocHost, Fram};
use cooltwin::hosts::cpu::Cpu;
use cooltwin::hosts::flash::Flash;
use cooltwin::hosts::{FirmwareDefect, OrchestratorRecord, PumpRecord};
use cooltwin::kernel::{Halt, SimTime, Span};
use cooltwin::measure::Measures;
use cooltwin::node::{NodeId, Nodes};
use cooltwin::record::Record;
use cooltwin::run::{Run, finish};
use cooltwin::scenario::{FaultKind, FileSource, Place, Scenario, load};
use cooltwin::twin::build;
use reports::campaign::Class;

const P1: NodeId = NodeId::new(1);
/// How often a planted defect looks what has come to pass.
const LOOK: Span = Span::from_millis(1);

/// Runs a scenario with a defect: `plant` is shown each new record of the journal.
fn run_with(scenario: &Scenario, plant: impl Fn(&mut Twin, &[Record])) -> Run {
    let mut twin = build(scenario, None);
    let mut seen = 0;
    let limit = SimTime::ZERO + scenario.time_limit;
    let mut until = SimTime::ZERO;
    while twin.world.resource::<Measures>().timeline.finished.is_none() && until < limit {
        until += LOOK;
        if twin.run_until(until) != Halt::TimeReached {
            break;
        }
        let new: Vec<Record> =
            twin.world.resource::<Measures>().journal.iter().skip(seen).map(|(_, record, _)| record.clone()).collect();
        seen += new.len();
        plant(&mut twin, &new);
    }
    finish(twin, scenario, |_| {})
}

fn component<T: bevy_ecs::component::Component<Mutability = bevy_ecs::component::Mutable>>(
    twin: &mut Twin,
    node: NodeId,
) -> bevy_ecs::prelude::Mut<'_, T> {
    let entity = twin.world.resource::<Nodes>().entity(node);
    twin.world.get_mut::<T>(entity).expect("the board has it")
}

/// A flash driver that gets stuck once power has torn an operation: every erase takes far too long from then on.
fn stuck_flash(scenario: &Scenario) -> Run {
    run_with(scenario, |twin, _| {
        let mut flash = component::<Flash>(twin, P1);
        if flash.torn > 0 {
            flash.times.sector_erase = Span::from_secs(60);
        }
    })
}

/// A FRAM that forgets when the CIOC loses its supply.
fn forgetful_fram(scenario: &Scenario) -> Run {
    run_with(scenario, |twin, new| {
        let off = |record: &Record| matches!(record, Record::Orchestrator(OrchestratorRecord::Off));
        if new.iter().any(off) {
            component::<CiocHost>(twin, NodeId::CIOC).fram = Fram::new();
        }
    })
}

/// A firmware that hangs for good when a frame was broken.
fn hang_on_error(scenario: &Scenario) -> Run {
    run_with(scenario, |twin, new| {
        if new.iter().any(|record| matches!(record, Record::Bus(BusRecord::Error { .. }))) {
            component::<Cpu>(twin, P1).hung_until = SimTime::NEVER;
        }
    })
}

/// A firmware that panics at its second start after a loss of supply.
fn panic_at_second_return(scenario: &Scenario) -> Run {
    let lost = std::cell::Cell::new(0);
    run_with(scenario, |twin, new| {
        let off = |record: &&Record| matches!(record, Record::Pump(PumpRecord::Off { node }) if *node == P1);
        lost.set(lost.get() + new.iter().filter(off).count());
        let started = |record: &Record| matches!(record, Record::Pump(PumpRecord::Started { node, .. }) if *node == P1);
        if lost.get() >= 2 && new.iter().any(started) {
            let words = "panicked: index out of bounds".to_owned();
            twin.world.resource_mut::<FirmwareDefect>().0.get_or_insert((P1, words));
        }
    })
}

fn campaign() -> Campaign {
    load_campaign(&Disk, &common::data("campaigns/rough.ron")).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The first trial of the campaign that fails with a defect, and what shrink leaves of it.
fn found_and_shrunk(runner: &Runner) -> (Scenario, Shrunk) {
    let campaign = campaign();
    // A failure that the firmware as it is does not show.
    let by_the_defect =
        |trial: &u64| !try_one(&campaign, *trial, runner).row.success && try_one(&campaign, *trial, &plain).row.success;
    let found = (0..campaign.trials()).find(by_the_defect).expect("the campaign finds the defect");
    let failed = try_one(&campaign, found, runner);
    let scenario = failed.scenario.expect("it was drawn");
    let shrunk = shrink(&scenario, RUNS_DEFAULT, runner).expect("it fails");
    assert!(shrunk.complete && shrunk.runs < RUNS_DEFAULT, "{} runs", shrunk.runs);
    (scenario, shrunk)
}

struct Text(String);

impl FileSource for Text {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// Shrinks a failure to `faults` faults of a kind; the file that is written is that scenario, fails again with the
/// defect, and passes without.
fn shrinks_to(runner: &Runner, faults: usize, kind: fn(&FaultKind) -> bool) -> (Shrunk, String) {
    let (before, shrunk) = found_and_shrunk(runner);
    let after = &shrunk.scenario;
    assert!(
        before.faults.len() > 3 && after.faults.len() == faults,
        "{} -> {:?}, {:?}",
        before.faults.len(),
        after.faults,
        shrunk.failure
    );
    assert!(after.faults.iter().all(|fault| kind(&fault.kind)), "{:?}", after.faults);
    assert!(after.pumps.count <= before.pumps.count);
    let text = readable(&shrunk);
    let read =
        load(&Text(text.clone()), Path::new("shrunk.ron"), &[]).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(read.scenario.faults, after.faults, "{text}");
    let again = shrink(&read.scenario, 1, runner).expect("the file fails");
    assert_eq!(again.failure, shrunk.failure, "{text}");
    assert!(shrink(&read.scenario, 1, &plain).is_none(), "without the defect nothing fails: {text}");
    (shrunk, text)
}

#[test]
fn a_flash_driver_that_gets_stuck_after_a_torn_write_shrinks_to_one_cut() {
    let (shrunk, text) = shrinks_to(&stuck_flash, 1, |kind| *kind == FaultKind::PowerCut);
    assert!(!shrunk.failure.rows.is_empty(), "{:?}", shrunk.failure);
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn a_fram_that_forgets_shrinks_to_one_cut_of_the_cioc() {
    let (shrunk, _) = shrinks_to(&forgetful_fram, 1, |kind| *kind == FaultKind::PowerCut);
    assert_eq!(shrunk.scenario.faults.iter().map(|fault| &fault.place).collect::<Vec<_>>(), [&Place::Cioc]);
    assert_eq!(shrunk.failure.class, Class::UndetectedDangerous);
    // The log of the try is gone, the CIOC knows of no update, and so neither the speed nor the page is what it must be.
    let rows = ["check:others_run_at_80_percent", "check:log_tells_each_try", "check:status_is_live"];
    assert_eq!(shrunk.failure.rows, rows);
}

#[test]
fn a_firmware_that_hangs_on_a_broken_frame_shrinks_to_one_burst() {
    shrinks_to(&hang_on_error, 1, |kind| matches!(kind, FaultKind::Burst(_)));
}

#[test]
fn a_panic_at_the_second_return_of_power_is_caught_and_shrinks_to_two_cuts() {
    let (shrunk, text) = shrinks_to(&panic_at_second_return, 2, |kind| *kind == FaultKind::PowerCut);
    assert_eq!(shrunk.failure.class, Class::Panic);
    assert!(shrunk.failure.note.contains("P01") && text.contains("index out of bounds"), "{text}");
}

#[test]
fn a_scenario_that_does_not_fail_is_not_shrunk_and_a_twin_that_panics_is_an_invalid_trial() {
    let campaign = campaign();
    let mut tried = (0..campaign.trials()).map(|trial| try_one(&campaign, trial, &plain));
    let good = tried.find(|tried| tried.row.success).expect("most trials succeed");
    assert!(shrink(&good.scenario.expect("drawn"), RUNS_DEFAULT, &plain).is_none());
    let broken = try_one(&campaign, 0, &|_| panic!("a defect of the twin"));
    assert_eq!((broken.row.class, broken.row.success), (Class::Invalid, false));
    assert!(broken.row.note.contains("a defect of the twin"), "{}", broken.row.note);
}
