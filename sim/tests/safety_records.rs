//! What a result tells of each fault at a safety unit: when it occurred, when it was detected and as what, and when outputs were off.
//!
//! Steps of CPU1 begin at whole milliseconds here. Those of CPU2 begin 137 us later, less what its clock gains at 50 ppm: 0.15 ms in three
//! seconds, so that one of them begins at 3000.987 ms.

mod common;

use common::units::own;
use cooltwin::run::{self, Identity};
use reports::{Injection, Millis, Report, RowVerdict};

fn report(text: &str) -> Report {
    let (loaded, run) = own(text, &[]);
    run::report(&loaded, &run, &Identity::default())
}

/// A unit that feeds pumps and runs, with faults.
fn hall(faults: &[String], expectations: &str) -> Report {
    report(&format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"5s\"), safety_units: [(
            configuration: \"safety/pump-feed.ron\", node: \"hall\",
            cpu2: (clock_offset: \"137us\", clock_drift: \"50ppm\"), inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\")])],
        faults: [{}], expectations: [{expectations}])",
        faults.join(", ")
    ))
}

fn at(node: &str, kind: &str, begin: &str) -> String {
    format!("(kind: {kind}, place: Node(\"{node}\"), trigger: At(\"{begin}\"))")
}

fn lasting(node: &str, kind: &str, begin: &str, duration: &str) -> String {
    format!("(kind: {kind}, place: Node(\"{node}\"), trigger: At(\"{begin}\"), duration: \"{duration}\")")
}

/// Occurred, first acted, detected, own outputs off, all off; a dash where nothing is told; then as what it was detected.
fn record(one: &Injection) -> String {
    let [detected, local, all] = one.reaction();
    let times = [one.occurred_ms, one.at_ms, detected, local, all];
    let words = times.map(|time: Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| time.to_string()));
    format!("{} {}", words.join(" "), one.detected_as).trim_end().to_owned()
}

fn records(report: &Report) -> Vec<String> {
    report.injections.iter().map(record).collect()
}

/// Pin 9 falls for its own wiring first, and pin 0 with the next dip that shows the short from its side, a step after each detection.
#[test]
fn a_fault_of_two_outputs_is_off_with_the_last_of_them() {
    let short = at("panel", "Safety(Wire(pin: 0, is: ToPin(9)))", "1s");
    let report = report(&format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"3s\"), safety_units: [
        (configuration: \"safety/fourteen-ossd.ron\", node: \"panel\", cpu2: (clock_offset: \"137us\"))], faults: [{short}])"
    ));
    assert_eq!(records(&report), ["1000 1007 1135 1228 1228 output-wiring"]);
    let samples = &report.budget("safety-outside-reaction").expect("the budget").samples;
    assert_eq!(samples.len(), 2, "one for each group: {samples:?}");
}

/// SSR-016: a stop is no fault, and has its times all the same: seen by the first CPU with its next step, and obeyed in the tick after
/// both have seen it. A second one that finds nothing on has none, and neither has an input that stops nothing.
#[test]
fn a_stop_is_seen_and_obeyed() {
    let report = hall(
        &[
            lasting("hall", "Safety(InputOff(\"stop\"))", "3s", "200ms"),
            at("hall", "Safety(InputOff(\"fence\"))", "3050ms"),
        ],
        "",
    );
    let wanted = ["3000 3000.987457 3000.987457 3002 3002 stop", "3050 3050.984957 - - -"];
    assert_eq!(records(&report), wanted);
    assert_eq!(report.injections[0].class, "detected-safe");
    let measured = report.budget("safety-response").expect("the budget").measured.map(|value| value.to_string());
    assert_eq!(measured.as_deref(), Some("2"), "the same off as the budget's");
    let unstopping = hall(&[at("hall", "Safety(InputOff(\"lock_seen\"))", "3s")], "");
    assert_eq!(records(&unstopping), ["3000 3001.987407 - - -"]);
    assert_eq!(unstopping.injections[0].class, "no-reaction");
}

/// What falls before anybody notices is off all the same.
#[test]
fn outputs_that_fall_before_the_detection_count() {
    let of = |kind: &str| records(&hall(&[at("hall", kind, "3s")], "")).remove(0);
    // Its pins fall with the reset; the other one misses its packets for 20 ms.
    assert_eq!(of("Safety(CpuReset(cpu: 1))"), "3000 3000 3019.986507 3000 3000 c2c-silent");
    // The feed of the pins has lost its half.
    assert_eq!(of("Safety(CpuReset(cpu: 2))"), "3000 3000 3011 3000 3000 sio-power");
    // One of two channels is open: the input is OFF at once, and told after its discrepancy time of 50 ms.
    assert_eq!(of("Safety(Wire(pin: 0, is: Open))"), "3000 3000 3050 3001 3001 input-discrepancy");
    // The lamp is not on: there is nothing to turn off.
    assert_eq!(of("Safety(Wire(pin: 10, is: ToSupply))"), "3000 3000 3019 - - output-wiring");
    let halted = lasting("hall", "Safety(CpuHalted(cpu: 1))", "3s", "50ms");
    // Its watchdog was served at 2999 ms and resets it 10 ms later.
    assert_eq!(records(&hall(&[halted], "")), ["3000 3000 3019.986507 3009 3009 c2c-silent"]);
    // It goes on before that, and finds itself that ticks are missing: off with the end of that step.
    let shortly = lasting("hall", "Safety(CpuHalted(cpu: 1))", "3s", "5ms");
    assert_eq!(records(&hall(&[shortly], "")), ["3000 3000 3005 3005.3 3005.3 tick-count"]);
    // The hold-up of a node is 5 ms. Without power nobody detects anything.
    let cut = hall(&[lasting("hall", "PowerCut", "3s", "300ms")], "");
    assert_eq!(records(&cut), ["3000 3005 - 3005 3005"]);
    assert_eq!(cut.injections[0].class, "tolerated");
    // A welded relay is found as the stop has turned it off.
    let weld = at("hall", "Safety(Contact(relay: 0, cpu: 1, closed: true))", "2500ms");
    let stopped = hall(&[weld, at("hall", "Safety(InputOff(\"stop\"))", "3s")], "");
    let wanted = ["2500 3006.3 3032 3002 3002 relay", "3000 3000.987457 3000.987457 3002 3002 stop"];
    assert_eq!(records(&stopped), wanted);
}

/// The wire of an input has a short to 0 V: it reads OFF as a stop does, and nobody detects a fault. Pin 9 pulses while it is OFF and
/// never counts as on.
#[test]
fn what_the_wire_of_an_input_turns_off_is_off_for_it() {
    let loaded = common::loaded(&common::shipped("safety-pulsed-short-to-ground.ron"), &[]);
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = run::report(&loaded, &run, &Identity::default());
    assert_eq!(records(&report), ["3000 3000 - 3001 3001"]);
}

/// A detection belongs to a fault at that unit, that CPU can see, which has acted by then and is not long over.
#[test]
fn no_fault_is_credited_with_the_detection_of_another_one() {
    let lost = |node: &str, from: u8, packets: u8, begin: &str| {
        at(node, &format!("Safety(C2cLost(from: {from}, packets: {packets}))"), begin)
    };
    let unnoticed = "3000 3000 - - -";
    let two = report(&format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"5s\"), safety_units: [
        (configuration: \"safety/cooling-watch.ron\", node: \"hall\", inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"2s\", input: \"button\", to: On, duration: \"300ms\")]),
        (configuration: \"safety/cooling-watch.ron\", node: \"roof\")], faults: [{}, {}])",
        lost("hall", 1, 5, "3s"),
        lost("roof", 1, 25, "4s")
    ));
    let detected = |report: &Report| -> Vec<String> {
        report.injections.iter().map(|one| format!("{} {}", one.detected_as, one.class).trim().to_owned()).collect()
    };
    assert_eq!(detected(&two), ["no-reaction", "c2c-silent detected-safe"], "at two units");
    let silent = "4000 4000 4019.93651 4020.236495 4020.236495 c2c-silent";
    let same = hall(&[lost("hall", 1, 5, "3s"), lost("hall", 1, 25, "4s")], "");
    assert_eq!(records(&same), [unnoticed, silent], "the first was over for more than a second");
    let other = hall(&[lost("hall", 2, 5, "3s"), lost("hall", 1, 25, "3s")], "");
    assert_eq!(detected(&other), ["no-reaction", "c2c-silent detected-safe"], "what CPU2 sends it does not miss");
    // The defect cell leads CPU1 to the safe state, and CPU2 misses its packets then: that belongs to nobody.
    let cell = at("hall", "Safety(RamCell(cpu: 1, word: 9001, bit: 7, defect: StuckAt1))", "3s");
    let follows = hall(&[cell, lost("hall", 1, 3, "3200ms")], "");
    assert_eq!(detected(&follows), ["ram-running detected-safe", "no-reaction"]);
    // Which of two kept the packets away, nobody knows.
    let both = hall(&[lost("hall", 1, 25, "3s"), at("hall", "Safety(CpuReset(cpu: 1))", "3010ms")], "");
    assert!(both.injections.iter().all(|one| one.detected_ms.is_none()), "{:?}", records(&both));
    // A stop later on is no work of what was tolerated.
    let stop = at("hall", "Safety(InputOff(\"stop\"))", "4s");
    let tolerated = hall(&[lost("hall", 1, 5, "3s"), stop], "");
    assert_eq!(records(&tolerated)[0], unnoticed);
    assert!(records(&tolerated)[1].ends_with(" 4002 4002 stop"), "{:?}", records(&tolerated));
    // A unit that misses 25 packets is silent itself, and what rests on it elsewhere goes off: a tick later or more, and not before.
    let [_, far] = &two.injections[..] else { panic!("two faults") };
    assert!(far.all_off_ms > far.local_off_ms && far.local_off_ms > far.detected_ms, "{}", record(far));
}

/// The cell is defect from 3 s on and read at 3264 ms: latencies and bounds count from when it is defect.
#[test]
fn bounds_count_from_when_a_fault_occurred() {
    let cell = at("hall", "Safety(RamCell(cpu: 1, word: 9001, bit: 7, defect: StuckAt1))", "3s");
    let held = |bounds: &str| {
        let trip = format!("SafetyTrip(unit: \"hall\", by: RamRunning, cpu: 1, {bounds})");
        hall(std::slice::from_ref(&cell), &trip).expectations[0].verdict
    };
    assert_eq!([held("within: \"263999us\""), held("within: \"264ms\"")], [RowVerdict::Fail, RowVerdict::Pass]);
    assert_eq!([held("after: \"264ms\""), held("after: \"264001us\"")], [RowVerdict::Pass, RowVerdict::Fail]);
    let report = hall(&[cell], "");
    assert_eq!(records(&report), ["3000 3264 3264 3264.3 3264.3 ram-running"]);
    let steps = &report.budget("safety-fault-reaction").expect("the budget").decomposition;
    let steps: Vec<String> = steps.iter().map(|step| format!("{} {}", step.step, step.at_ms)).collect();
    assert_eq!(steps, ["occurred 3000", "detected 3264", "commanded 3264.3", "off 3264.3"]);
}

/// One that comes again has occurred as it came that first acted: the relay is off from 2.7 s on, so that the weld of 2.6 s does.
#[test]
fn a_fault_occurs_as_it_comes_that_first_acts() {
    let weld = "(kind: Safety(Contact(relay: 0, cpu: 1, closed: true)), place: Node(\"hall\"), trigger: At(\"2100ms\"),
        duration: \"300ms\", repeat: (count: 3, period: Some(\"500ms\")))";
    let report = hall(&[weld.to_owned(), at("hall", "Safety(InputOff(\"stop\"))", "2700ms")], "");
    assert_eq!(report.injections[0].occurred_ms.map(|time| time.to_string()).as_deref(), Some("2600"));
}
