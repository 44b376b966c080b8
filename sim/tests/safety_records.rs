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
/// both have seen it. A second one that finds nothing on is seen as well, and so is an input that stops nothing.
#[test]
fn a_stop_is_seen_and_obeyed() {
    let report = hall(
        &[
            lasting("hall", "Safety(InputOff(\"stop\"))", "3s", "200ms"),
            at("hall", "Safety(InputOff(\"fence\"))", "3050ms"),
        ],
        "",
    );
    let wanted = ["3000 3000.987457 3000.987457 3002 3002 stop", "3050 3050.984957 3050.984957 - - stop"];
    assert_eq!(records(&report), wanted);
    assert_eq!(report.injections[0].class, "detected-safe");
    let measured = report.budget("safety-response").expect("the budget").measured.map(|value| value.to_string());
    assert_eq!(measured.as_deref(), Some("2"), "the same off as the budget's");
    let unstopping = hall(&[at("hall", "Safety(InputOff(\"lock_seen\"))", "3s")], "");
    assert_eq!(records(&unstopping), ["3000 3001.987407 3001.987407 - - stop"]);
    // Nobody sees a device whose wire has a short to the supply.
    let held = at("hall", "Safety(Wire(pin: 5, is: ToSupply))", "2s");
    let unseen = hall(&[held, lasting("hall", "Safety(InputOff(\"fence\"))", "3s", "200ms")], "");
    assert_eq!(unseen.injections[1].reaction(), [None; 3]);
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
    let wanted = ["2500 3006.3 3032 - - relay", "3000 3000.987457 3000.987457 3002 3002 stop"];
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
    assert_eq!(detected(&both), ["not-known"; 2]);
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

/// Two units that hear each other; "hall" feeds pumps while "roof" is well.
fn two(faults: &[String], end: &str) -> Vec<String> {
    let faults = faults.join(", ");
    let report = report(&format!(
        "(extends: \"safety-two-units.ron\", title: \"t\", faults: [{faults}], expectations: [], end: At(\"{end}\"))"
    ));
    records(&report)
}

/// The roof is heard until 3005 ms at most: within 103 ms what rests on it goes off, and before that nobody knows whether it will. Where the
/// hall stands still it never does.
#[test]
fn all_is_off_when_what_rests_on_a_silent_unit_is() {
    let cut = || at("roof", "PowerCut", "3s");
    assert_eq!(two(&[cut()], "5s"), ["3000 3005 - 3005 3107"]);
    assert_eq!(two(&[cut()], "3060ms"), ["3000 3005 - 3005 -"], "its time-out is not over");
    assert_eq!(two(&[cut()], "3100ms"), ["3000 3005 - 3005 -"], "looked at, and not off");
    let stands_still = |cpu: u8| at("hall", &format!("Safety(CpuHalted(cpu: {cpu}))"), "2990ms");
    assert_eq!(two(&[stands_still(1), stands_still(2), cut()], "8s")[2], "3000 3005 - 3005 -", "never off");
    // A unit without power waits for nothing.
    assert_eq!(two(&[at("hall", "PowerCut", "2990ms"), cut()], "3060ms")[1], "3000 3005 - 3005 3005");
}

/// SSR-016: the roof's radio packet of 3504 ms tells of the stop, and the hall is off three ticks later though the device shows ON again by
/// then. One that no packet tells of reaches nobody.
#[test]
fn all_is_off_for_a_stop_that_is_over_when_the_others_are() {
    let stop = |begin: &str, lasts: &str| two(&[lasting("roof", "Safety(InputOff(\"stop\"))", begin, lasts)], "5s");
    assert_eq!(stop("3503ms", "12ms"), ["3503 3503.211 3503.211 3505 3527 stop"]);
    assert_eq!(stop("3500ms", "60ms"), ["3500 3500.211 3500.211 3502 3507 stop"]);
}

/// The thermostat of the roof stops its fan, and tells the hall of it: nobody measures when the hall is off for a wire.
#[test]
fn a_wire_that_tells_others_has_no_time_for_all() {
    let changed = [("\"no_stop\", \"hall_no_stop\"]", "\"no_stop\", \"hall_no_stop\", \"cool\"]")];
    let text = common::shipped("safety-two-units.ron");
    let text = std::fs::read_to_string(text).expect("it is there").replace("\"safety/", "\"changed/");
    let end = text.rfind("expectations:").expect("it expects something");
    let fault = at("roof", "Safety(Wire(pin: 2, is: Open))", "3500ms");
    let (loaded, run) = own(&format!("{} faults: [{fault}], end: At(\"5s\"))", &text[..end]), &changed);
    assert_eq!(records(&run::report(&loaded, &run, &Identity::default())), ["3500 3500 - 3501 -"]);
}

/// A wire turns something off only where its input reads OFF for it; a short time is enough.
#[test]
fn what_a_wire_does_not_turn_off_is_not_its_work() {
    let of = |faults: &[String]| records(&hall(faults, ""));
    let tick = "Safety(TickSlip(cpu: 1))";
    let stuck_on = of(&[at("hall", "Safety(Wire(pin: 0, is: ToSupply))", "3s"), at("hall", tick, "3040ms")]);
    assert_eq!(stuck_on, ["3000 3008.987057 - - -", "3040 3040 3040 3040.3 3040.3 tick-count"]);
    // Both in one step.
    let open = "Safety(Wire(pin: 4, is: Open))";
    let at_once = of(&[at("hall", open, "3s"), at("hall", tick, "3000100us")]);
    assert_eq!(at_once[0], "3000 3000 - - -");
    // One of two channels is open and closed again before its discrepancy time of 50 ms is over.
    assert_eq!(of(&[lasting("hall", "Safety(Wire(pin: 0, is: Open))", "3s", "30ms")]), ["3000 3000 - 3001 3001"]);
}

/// What fell before a fault acted fell for something else, and so did what a stop or the lost power turned off.
#[test]
fn a_fault_turns_nothing_off_before_it_acts() {
    let of = |faults: &[String]| records(&hall(faults, ""));
    // The lamp goes off as the button is let go, and not for the short that holds its wire up.
    assert_eq!(
        of(&[at("hall", "Safety(Wire(pin: 10, is: ToSupply))", "1300ms")])[0],
        "1300 1802.047404 1822 - - output-wiring"
    );
    let cell = || at("hall", "Safety(RamCell(cpu: 1, word: 9001, bit: 7, defect: StuckAt1))", "3s");
    let stopped = of(&[cell(), at("hall", "Safety(InputOff(\"stop\"))", "3100ms")]);
    assert_eq!(stopped, ["3000 3264 3264 - - ram-running", "3100 3100.982457 3100.982457 3102 3102 stop"]);
    let dark = of(&[cell(), lasting("hall", "PowerCut", "3100ms", "100ms")]);
    assert_eq!(dark, ["3000 3217 3217 - - ram-at-start", "3100 3105 - 3105 3105"]);
    // Bits of the firmware are read again as the unit starts anew.
    let bits = at("hall", "Safety(FlashBits(cpu: 1, address: 0x1000))", "3s");
    let restarted = of(&[bits, lasting("hall", "PowerCut", "3100ms", "100ms")]);
    assert!(restarted[0].ends_with(" - - firmware") && restarted[0].starts_with("3000 3000 33"), "{restarted:?}");
    // Two packets lost are nothing; the stop falls into the time in which more of them are.
    let lost = at("hall", "Safety(C2cLost(from: 1, packets: 25))", "3s");
    let between = of(&[lost, at("hall", "Safety(InputOff(\"fence\"))", "3005ms")]);
    assert_eq!(between[0], "3000 3000 3019.986507 - - c2c-silent");
}

/// A short to the supply, or to a pin that is on, holds an output up whatever its transistor does.
#[test]
fn what_a_short_holds_up_is_not_off() {
    let of = |kind: &str| records(&hall(&[at("hall", kind, "3s")], "")).remove(0);
    assert!(of("Safety(Wire(pin: 8, is: ToSupply))").ends_with(" 3147 - - output-wiring"));
    // Pin 4 is an input whose device shows ON.
    assert!(of("Safety(Wire(pin: 8, is: ToPin(4)))").ends_with(" - - output-wiring"));
    // To 0 V it is off with its transistor.
    assert!(
        of("Safety(Wire(pin: 8, is: ToGround))").ends_with(" 3019 3020 3020 output-wiring"),
        "{}",
        of("Safety(Wire(pin: 8, is: ToGround))")
    );
}

/// A voltage that is tolerated does not take the unit its power: somebody's resets do.
#[test]
fn resets_are_no_loss_of_power() {
    let reset = |cpu: u8| at("hall", &format!("Safety(CpuReset(cpu: {cpu}))"), "4s");
    let sag = at("hall", "Sag(to: \"20V\")", "3s");
    assert_eq!(records(&hall(&[sag.clone(), reset(1), reset(2)], ""))[0], "3000 3000 - - -");
    // One that is cut beside it goes dark for the cut.
    let cut = hall(&[sag, lasting("hall", "PowerCut", "4s", "300ms")], "");
    assert_eq!(records(&cut), ["3000 3000 - - -", "4000 4005 - 4005 4005"]);
}

/// What a harmless fault of the sender did not lead to.
#[test]
fn a_silence_belongs_to_what_led_the_sender_to_the_safe_state() {
    let wrong = || at("roof", "Safety(Adc(cpu: 1, channel: Supply, error: Gain(\"100000ppm\")))", "3s");
    for harmless in ["Safety(C2cRepeated(from: 1))", "Safety(RadioRepeated(\"5ms\"))"] {
        let told = two(&[at("roof", harmless, "2500ms"), wrong()], "5s");
        assert!(told[0].ends_with(" - - -"), "{harmless}: {told:?}");
        assert!(told[1].starts_with("3000 3000 3010"), "{harmless}: {told:?}");
    }
}

/// A fault that comes again in six seconds is not there in between.
#[test]
fn a_fault_that_comes_again_is_not_there_in_between() {
    let harmless = |repeat: &str| {
        format!(
            "(kind: Safety(Adc(cpu: 1, channel: SioPower, error: Above(\"100mV\"))), place: Node(\"hall\"), trigger: At(\"1s\"),
            duration: \"100ms\", repeat: (count: 2, period: Some(\"{repeat}\")))"
        )
    };
    let wrong = || at("hall", "Safety(Adc(cpu: 1, channel: Supply, error: Gain(\"100000ppm\")))", "3s");
    let told = |repeat: &str| records(&hall(&[harmless(repeat), wrong()], ""));
    assert_eq!(told("3s")[1], "3000 3000 3010 3010.3 3010.3 sio-power");
    assert!(told("3s")[0].ends_with(" - - -"));
    // 500 ms before, it may have been it.
    assert_eq!(told("1500ms")[1], "3000 3000 - - -");
}

/// A fence that opens each second, before anything is on and after that. The unit sees it each time.
#[test]
fn a_stop_that_comes_again_is_off_the_first_time_that_something_was_on() {
    let fence = "(kind: Safety(InputOff(\"fence\")), place: Node(\"hall\"), trigger: At(\"1s\"), duration: \"200ms\",
        repeat: (count: 3, period: Some(\"1s\")))";
    let report = hall(&[fence.to_owned()], "");
    assert_eq!(records(&report), ["1000 1000.087502 1000.087502 2002 2002 stop"]);
    assert_eq!(report.injections[0].class, "detected-safe");
    // The diagram has the feed off 10 s later: seen at once, and nothing had to go off.
    let flow = common::loaded(&common::shipped("safety-no-flow.ron"), &[]);
    let run = run::run(&flow.scenario, None, |_| {});
    let told = records(&run::report(&flow, &run, &Identity::default())).remove(0);
    assert!(told.starts_with("3000 300") && told.ends_with(" - - stop"), "{told}");
}

/// A detection that names an input group, or a pin, belongs to a fault of its pins.
#[test]
fn a_fault_of_another_pin_hides_no_detection() {
    let offset = at("hall", "Safety(Adc(cpu: 1, channel: Pin(10), error: Above(\"100mV\")))", "2s");
    let open = at("hall", "Safety(Wire(pin: 0, is: Open))", "3s");
    let told = records(&hall(&[offset, open], ""));
    assert!(told[0].ends_with(" - - -"), "{told:?}");
    assert_eq!(told[1], "3000 3000 3050 3001 3001 input-discrepancy");
    // The other channel of the same group may have led to it.
    let other = at("hall", "Safety(Adc(cpu: 1, channel: Pin(1), error: Above(\"100mV\")))", "2s");
    let open = at("hall", "Safety(Wire(pin: 0, is: Open))", "3s");
    assert!(hall(&[other, open], "").injections.iter().all(|one| one.detected_ms.is_none()));
}

/// A sag that the unit rides through takes no CPU away, and what was over before the unit started anew is not what that start misses. With
/// two cuts at once nobody knows which of them took the power.
#[test]
fn what_left_the_unit_its_power_or_was_over_before_a_start_leads_to_nothing_in_it() {
    let classes = |faults: &[String], expected: &str| -> (Vec<String>, RowVerdict) {
        let report = hall(faults, expected);
        let of = |one: &Injection| format!("{} {}", one.detected_as, one.class).trim().to_owned();
        (report.injections.iter().map(of).collect(), report.expectations[0].verdict)
    };
    let halted = |begin: &str| at("hall", "Safety(CpuHalted(cpu: 1))", begin);
    let reset = |cpu: u8, begin: &str| at("hall", &format!("Safety(CpuReset(cpu: {cpu}))"), begin);
    let trip = |by: &str, within: &str| format!("SafetyTrip(unit: \"hall\", by: {by}, cpu: 2, within: \"{within}\")");
    // The silence comes 20 ms after the halt, and 2 s after the sag.
    let sag = |to: &str| at("hall", &format!("Sag(to: \"{to}\")"), "1s");
    let (found, verdict) = classes(&[sag("20V"), halted("3s")], &trip("C2cSilent", "22ms"));
    assert_eq!(found, ["no-reaction", "c2c-silent detected-safe"]);
    assert_eq!(verdict, RowVerdict::Pass);
    // Packets that were lost in the life before are not what CPU2 waits for in this one; the resets that began it may be.
    let (resets, lost) = ([reset(1, "1800ms"), reset(2, "1800ms")], "Safety(C2cLost(from: 1, packets: 5))");
    let with = |begin: &str, within: &str| {
        let faults = [&resets[..], &[at("hall", lost, begin), halted("1850ms")]].concat();
        classes(&faults, &trip("PeerMissing", within))
    };
    let over = with("500ms", "3200ms");
    assert_eq!(over.0, ["not-known", "not-known", "no-reaction", "not-known"]);
    assert_eq!(over.1, RowVerdict::Pass);
    let there = with("1810ms", "3200ms");
    assert_eq!(there.0[2..], ["not-known", "not-known"], "{:?}", there.0);
    // Each of two cuts may have taken the power; a third one comes when there is none, and never acts.
    let cut = |begin: &str, duration: &str| lasting("hall", "PowerCut", begin, duration);
    let cuts = [cut("1700ms", "100ms"), cut("1701ms", "90ms"), cut("1750ms", "20ms"), halted("1850ms")];
    let (cut, _) = classes(&cuts, &trip("PeerMissing", "3200ms"));
    assert_eq!(cut, ["not-known", "not-known", "invalid", "not-known"]);
}

/// What only a start looks for may have been there since the CPU that starts has booted, which may be long before a life begins with the
/// other one's boot: CPU1 misses its peer 3 s after its own reset, or half a second after that of CPU2, and nobody knows for which.
#[test]
fn what_a_start_misses_may_be_as_old_as_that_start() {
    let reset = |cpu: u8, begin: &str| at("hall", &format!("Safety(CpuReset(cpu: {cpu}))"), begin);
    let report = hall(&[reset(1, "1800ms"), reset(2, "4500ms")], "");
    assert_eq!(records(&report), ["1800 1800 1820.046504 1800 1800 c2c-silent", "4500 4500 - - -"]);
    assert_eq!(report.injections[1].class, "not-known");
    assert_eq!(report.safety_units[0].modes[0], "safe", "CPU1 has found it");
}

/// Each CPU finds in its own flash what is wrong there: a flipped bit of the other one has not led to it.
#[test]
fn a_fault_of_the_flash_belongs_to_its_cpu() {
    let bit = |cpu: u8, address: &str| at("hall", &format!("Safety(FlashBits(cpu: {cpu}, address: {address}))"), "1ms");
    let alone = records(&hall(&[bit(1, "0x1000")], ""));
    assert!(alone[0].ends_with(" firmware"), "{alone:?}");
    let both = records(&hall(&[bit(1, "0x1000"), bit(2, "0x1000")], ""));
    assert_eq!(both.iter().filter(|told| told.ends_with(" firmware")).count(), 1, "the first of them: {both:?}");
}

/// A loss of power belongs to a fault that kept the voltage low for all of the 5 ms that the unit holds up. Where one after the other kept
/// it low, nobody knows which has led to it; one that was over as it began has not.
#[test]
fn a_loss_of_power_belongs_to_what_kept_the_voltage_low() {
    let of = |faults: &[String]| {
        let report = hall(faults, "");
        report.injections.iter().map(|one| one.class.clone()).collect::<Vec<String>>()
    };
    let on_hall = |kind: &str, begin: &str, duration: &str| lasting("hall", kind, begin, duration);
    let halted = at("hall", "Safety(CpuHalted(cpu: 1))", "1850ms");
    let low = on_hall("Sag(to: \"2V\")", "1700ms", "4ms");
    let [unknown, nothing] = ["not-known", "no-reaction"];
    for second in ["Sag(to: \"3V\")", "PowerCut"] {
        let faults = [low.clone(), on_hall(second, "1703ms", "50ms"), halted.clone()];
        assert_eq!(of(&faults), [unknown; 3], "{second}");
        let faults = [low.clone(), on_hall(second, "1706ms", "50ms"), halted.clone()];
        assert_eq!(of(&faults), [nothing, unknown, unknown], "{second}, the first one ridden through");
    }
    // When what was on fell for it is told where it is one alone's.
    let told = |faults: &[String]| records(&hall(faults, ""));
    let cut = on_hall("PowerCut", "3s", "100ms");
    let fell = |record: &str| !record.ends_with(" - -");
    assert!(fell(&told(std::slice::from_ref(&cut))[0]));
    let before = on_hall("Sag(to: \"20V\")", "2900ms", "100ms");
    assert!(fell(&told(&[before, cut.clone()])[1]), "over as the cut came");
    let first = on_hall("Sag(to: \"2V\")", "2998ms", "4ms");
    let [first, cut] = <[String; 2]>::try_from(told(&[first, cut])).expect("two");
    assert!(!fell(&first) && !fell(&cut), "{first}, {cut}");
}
