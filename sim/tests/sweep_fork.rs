//! A run that is forked with a fault is the run of the scenario that states this fault.
//!
//! Sweeps run few instants from zero and fork all others; what they say of a fork must be what `cooltwin run` says of
//! the scenario file that describes it.

mod common;

use std::sync::{Arc, Mutex};

use cooltwin::event::Twin;
use cooltwin::faults::PutError;
use cooltwin::hosts::PumpRecord;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::record::Record;
use cooltwin::run::finish;
use cooltwin::scenario::{Fault, Loaded, Scenario};
use cooltwin::sweep::{Slot, Trunk};

/// Kinds of faults at a time: kind, place and duration as a scenario writes them.
const AT_A_TIME: &[(&str, &str, &str)] = &[
    ("PowerCut", "Pump(1)", r#""700ms""#),
    ("PowerCut", "Cioc", r#""900ms""#),
    ("PowerCut", "Supply", r#""1s""#),
    ("FeedOff", "PumpFeed", r#""1s""#),
    (r#"Sag(to: "7V")"#, "Pump(1)", r#""100ms""#),
    (r#"Ramp(to: "17V", over: "300ms")"#, "Supply", r#""2s""#),
    ("Bounce(count: 3)", "Pump(1)", "None"),
    ("Hang", "Pump(1)", r#""3s""#),
    ("Reset", "Pump(1)", "None"),
    ("Reset", "Cioc", "None"),
    ("Unplugged", "Pump(1)", r#""1500ms""#),
    ("StuckDominant", "Bus", r#""40ms""#),
    (r#"BitErrors(rate: "100ppm")"#, "Bus", r#""2s""#),
    ("FrameLoss(id: 0x701, nth: 3)", "Pump(1)", "None"),
    (r#"FrameLoss(rate: "1%")"#, "Cioc", r#""1s""#),
    ("FrameHit(id: 0x781, nth: 2, bit: 25)", "Bus", "None"),
    ("FlashProgramFailure(operations: 1)", "Pump(1)", "None"),
    (r#"SlowErase(factor: "2x")"#, "Pump(1)", "None"),
    ("BitFlipAtRest(bits: 3)", "Pump(1)", "None"),
    (r#"ClockDrift(by: "900ppm")"#, "Cioc", "None"),
    (r#"ControllerSlow(by: "1ms")"#, "Cioc", r#""1s""#),
];

fn base() -> Loaded {
    common::loaded(
        &common::data("small.ron"),
        &["pumps.count=2", "package.image.length=4KiB", "end=AfterCampaign(\"1s\")"],
    )
}

/// Faults as the reader of scenario files makes them.
fn faults(written: &[String]) -> Vec<Fault> {
    let list = format!("faults=[{}]", written.join(", "));
    common::loaded(&common::data("small.ron"), &["pumps.count=2", &list]).scenario.faults.clone()
}

fn fault(kind: &str, place: &str, trigger: &str, duration: &str) -> String {
    let duration = if duration == "None" { String::new() } else { format!(", duration: {duration}") };
    format!("(kind: {kind}, place: {place}, trigger: {trigger}{duration})")
}

fn result(loaded: &Loaded, twin: Twin) -> String {
    common::result_of(loaded, &finish(twin, &loaded.scenario, |_| {}))
}

fn from_zero(loaded: &Loaded) -> String {
    result(loaded, cooltwin::twin::build(&loaded.scenario, loaded.image.as_deref()))
}

/// When each flash operation of pump 1 begins.
fn operations(trunk: &Trunk) -> Vec<SimTime> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&seen);
    let twin = trunk.twin_recorded(Box::new(move |_, time, record| {
        if let Record::Pump(PumpRecord::FlashBegun { node, .. }) = record
            && node.pump() == Some(1)
        {
            shown.lock().expect("one thread").push(time);
        }
    }));
    let _ = finish(twin, trunk.scenario(), |_| {});
    std::mem::take(&mut *seen.lock().expect("one thread"))
}

/// Forks `twin` just before `instant` and expects what the run from zero gives.
fn assert_fork(trunk: &Trunk, twin: &mut Twin, instant: SimTime, written: &[String]) -> String {
    let forked = trunk.forked("forked", &faults(written)).expect("the faults make sense");
    let _ = twin.run_until(SimTime::from_nanos(instant.as_nanos() - 1));
    let snapshot = twin.save();
    let mut fork = trunk.twin();
    fork.load(&snapshot);
    trunk.put(&mut fork, &forked.scenario).expect("the slots take them");
    let forked_result = result(&forked, fork);
    assert!(forked_result == from_zero(&forked), "{written:?} forked at {instant} ms is another run");
    forked_result
}

fn activations(result: &str) -> Vec<u64> {
    let json = common::json(result);
    let list = json["injections"].as_array().expect("a list");
    list.iter().map(|each| each["activations"].as_u64().expect("a number")).collect()
}

#[test]
fn a_fault_of_any_kind_put_in_at_any_instant_gives_the_run_that_states_it() {
    let trunk = Trunk::new(&base(), &[Slot::Time]).expect("a trunk");
    let mut twin = trunk.twin();
    let mut acted = 0;
    for (number, (kind, place, duration)) in AT_A_TIME.iter().cycle().take(3 * AT_A_TIME.len()).enumerate() {
        // From the search to the first pump's transfer, at instants that are no multiple of anything.
        let instant = SimTime::from_nanos(2_000_000_007 + number as u64 * 181_234_567);
        let at = fault(kind, place, &format!(r#"At("{}ns")"#, instant.as_nanos()), duration);
        acted += activations(&assert_fork(&trunk, &mut twin, instant, &[at])).iter().filter(|n| **n > 0).count();
    }
    assert!(acted > AT_A_TIME.len() * 2, "only {acted} faults acted");
}

#[test]
fn a_cut_put_in_at_a_flash_operation_gives_the_run_that_states_it() {
    let trunk = Trunk::new(&base(), &[Slot::flash_operations(1)]).expect("a trunk");
    let begun = operations(&trunk);
    assert_eq!(begun.len(), 4 + 4 * 1024 / 4 + 1, "four sectors, the image's words and the marker");
    let mut twin = trunk.twin();
    for nth in [1, 2, 3, 4, 5, 6, 100, 260, 261, 262, 517, 1000, 1027, 1028, 1029] {
        for moment in ["Before", "Middle", "After"] {
            let trigger = format!("FlashOperation(pump: 1, nth: {nth}, moment: {moment})");
            let cut = fault("PowerCut", "Pump(1)", &trigger, r#""500ms""#);
            let result = assert_fork(&trunk, &mut twin, begun[nth - 1], &[cut]);
            assert_eq!(activations(&result), [1], "{trigger}");
        }
    }
}

#[test]
fn two_faults_put_in_at_once_give_the_run_that_states_both() {
    let trunk = Trunk::new(&base(), &[Slot::flash_operations(1), Slot::flash_operations(1)]).expect("a trunk");
    let begun = operations(&trunk);
    let mut twin = trunk.twin();
    for (first, second) in [(2, 3), (300, 306), (700, 1100)] {
        let cut = |nth: usize| {
            let trigger = format!("FlashOperation(pump: 1, nth: {nth}, moment: Middle)");
            fault("PowerCut", "Pump(1)", &trigger, r#""500ms""#)
        };
        let result = assert_fork(&trunk, &mut twin, begun[first - 1], &[cut(first), cut(second)]);
        assert_eq!(activations(&result), [1, 1]);
    }
}

/// A fork that would not be the run of its scenario is refused.
#[test]
fn a_slot_takes_no_fault_that_it_has_not_counted_for() {
    let trunk = Trunk::new(&base(), &[Slot::flash_operations(1)]).expect("a trunk");
    let mut twin = trunk.twin();
    let _ = twin.run_until(SimTime::ZERO + Span::from_secs(3));
    let forked = |written: &str| {
        let forked = trunk.forked("forked", &faults(&[written.to_owned()])).expect("it makes sense");
        forked.scenario
    };
    let mut put = |scenario: &Scenario| trunk.put(&mut twin, scenario);
    let cut = |trigger: &str| forked(&fault("PowerCut", "Pump(1)", trigger, "None"));
    assert_eq!(put(&cut("Campaign(Agreed)")), Err(PutError::Uncounted(0)));
    assert_eq!(put(&cut("FlashOperation(pump: 2, nth: 1)")), Err(PutError::Uncounted(0)));
    assert_eq!(put(&cut("FlashOperation(pump: 1, nth: 1, operation: Erase)")), Err(PutError::Uncounted(0)));
    assert_eq!(put(&cut(r#"At("3s")"#)), Err(PutError::Past(0)));
    assert_eq!(
        put(&forked(r#"(kind: Exchanged(version: "1.0.0"), place: Pump(1), trigger: At("9s"), duration: "1s")"#)),
        Err(PutError::Unbuilt(0))
    );
    assert_eq!(put(&cut(r#"At("9s")"#)), Ok(()));
}

/// The control: a fork whose fault is another than the scenario states must show.
#[test]
fn a_fork_with_another_fault_than_stated_ends_differently() {
    let trunk = Trunk::new(&base(), &[Slot::flash_operations(1)]).expect("a trunk");
    let begun = operations(&trunk);
    let cut = |nth: usize, moment: &str| {
        let trigger = format!("FlashOperation(pump: 1, nth: {nth}, moment: {moment})");
        let written = fault("PowerCut", "Pump(1)", &trigger, r#""500ms""#);
        trunk.forked("forked", &faults(&[written])).expect("it makes sense")
    };
    let stated = cut(300, "Middle");
    let expected = from_zero(&stated);
    for other in [cut(301, "Middle"), cut(300, "Before"), cut(300, "After")] {
        let mut twin = trunk.twin();
        let _ = twin.run_until(SimTime::from_nanos(begun[299].as_nanos() - 1));
        trunk.put(&mut twin, &other.scenario).expect("the slot takes it");
        assert!(result(&stated, twin) != expected);
    }
}
