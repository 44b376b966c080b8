//! What had to go off, and why: the rows of supply, response time, remote outputs and radio judge the right outputs by the right clock.
//!
//! Each test holds an honest unit, which must pass, against a dangerous one, which must not: a supply that no trip answers, a stop that
//! nobody sees, outputs of other units that rest on what is silent, stopped or in its safe state.

mod common;

use common::demands::{
    RADIO, REACTION, RESPONSE, SAFE, STUCK, SUPPLY, alone, at, at_hall, changed, hidden, loaded, ms, operation, other,
    ran, row, seen, three, three_ran, three_set_up, with_input,
};
use common::units::{each, units_in};
use cooltwin::hosts::safety::core::Muffle;
use cooltwin::kernel::SimTime;
use cooltwin::run::{self, Identity, Run};
use cooltwin::twin;
use reports::{Fixed, Report, RowVerdict};
use safety_common::fault::Fault;

/// Verifies SSR-009, SSR-011. Beyond a limit for seconds with something driven, and no trip: noise on both converters, less than a step
/// of theirs, a diagnostic without effect; the excursion goes on or is over.
#[test]
fn a_supply_beyond_its_limits_that_no_trip_answers_fails_its_row() {
    let noisy = [1, 2]
        .map(|cpu| at_hall(&format!("Safety(Adc(cpu: {cpu}, channel: Supply, error: Noise(\"500mV\")))"), "2500ms"));
    let noisy = noisy.join(", ");
    for faults in [
        format!("{noisy}, {}", at_hall("Sag(to: \"17550mV\")", "3s")),
        format!(
            "{noisy}, (kind: Sag(to: \"17550mV\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"503ms\")"
        ),
        at_hall("OverVoltage(to: \"30001mV\")", "3s"),
    ] {
        let (report, run) = ran(&alone("", &faults, "6s"), &[]);
        assert!(units_in(&run.twin.world).iter().all(|unit| unit.watch.cpus.iter().all(|cpu| cpu.causes.is_empty())));
        let (n, verdict, place) = seen(&report, SUPPLY);
        assert_eq!((n, verdict), (1, RowVerdict::Fail), "{faults}");
        assert!(place.contains("without a trip in time"), "{place}");
        assert_eq!(ms(row(&report, SUPPLY)).round(), 3_000.0, "to the end of the run: {place}");
    }
    // What is short, or meets nothing that is driven, demands nothing.
    let short = format!(
        "{noisy}, (kind: Sag(to: \"17550mV\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"499ms\")"
    );
    let stopped = format!(
        "{noisy}, {}, {}",
        at_hall("Safety(InputOff(\"stop\"))", "2900ms"),
        at_hall("Sag(to: \"17550mV\")", "3s")
    );
    for faults in [short, stopped] {
        assert_eq!(seen(&ran(&alone("", &faults, "6s"), &[]).0, SUPPLY).1, RowVerdict::NotApplicable, "{faults}");
    }
}

/// Verifies SSR-009. Must-fail control: units whose diagnostic is without effect.
#[test]
fn a_trip_for_the_supply_that_is_without_effect_fails_its_row() {
    let sag = "(kind: Sag(to: \"17V\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"502ms\")";
    let loaded = loaded(&alone("", sag, "5s"), &[]);
    for (muffled, wanted) in [(Fault::RamRunning, RowVerdict::Pass), (Fault::SupplyLow, RowVerdict::Fail)] {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| unit.cores.iter_mut().for_each(|core| core.muffle = Some(Muffle::new(muffled))));
        let run = run::finish(twin, &loaded.scenario, |_| {});
        let report = run::report(&loaded, &run, &Identity::default());
        assert_eq!(seen(&report, SUPPLY).1, wanted, "without {muffled:?}");
    }
}

/// Verifies SSR-009, SSR-011. A converter that rounds counts a slow fall from a step before the limit; too low and too high count apart; a
/// converter that is wrong within the limit of the comparison is no count that runs too soon.
#[test]
fn honest_trips_for_the_supply_keep_their_limits() {
    let cases = [
        ("a ramp of 20 s", at_hall("Ramp(to: \"17V\", over: \"20s\")", "3s"), "25s"),
        ("a ramp of 10 s", at_hall("Ramp(to: \"17V\", over: \"10s\")", "3s"), "15s"),
        (
            "too low, then too high",
            format!(
                "(kind: Sag(to: \"17V\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"300ms\"), {}",
                at_hall("OverVoltage(to: \"31V\")", "3300ms")
            ),
            "6s",
        ),
        (
            "a converter that shows 0.9 V too little",
            [
                at_hall("Safety(Adc(cpu: 1, channel: Supply, error: Below(\"900mV\")))", "2900ms"),
                at_hall("Sag(to: \"18500mV\")", "3s"),
                at_hall("Sag(to: \"17V\")", "3400ms"),
            ]
            .join(", "),
            "6s",
        ),
    ];
    for (what, faults, end) in cases {
        let loaded = loaded(&alone("", &faults, end), &[]);
        let mut run = run::run(&loaded.scenario, None, |_| {});
        let report = run::report(&loaded, &run, &Identity::default());
        let (n, verdict, place) = seen(&report, SUPPLY);
        assert_eq!((n, verdict), (1, RowVerdict::Pass), "{what}: {place}, {} ms", ms(row(&report, SUPPLY)));
        // Control: the same trip a tenth of a second sooner is too soon, unless a wrong converter asked for it.
        each(&mut run.twin.world, |unit| {
            let off = &mut unit.watch.offs[0];
            off.off = SimTime::from_nanos(off.off.as_nanos() - 60_000_000);
        });
        let wanted = if what.starts_with("a converter") { RowVerdict::Pass } else { RowVerdict::Fail };
        assert_eq!(seen(&run::report(&loaded, &run, &Identity::default()), SUPPLY).1, wanted, "{what}, sooner");
    }
}

/// Verifies SSR-016. A stop is a stop whoever makes it: a person as much as an injection. One that the wire hides is never obeyed.
#[test]
fn a_stop_by_an_operation_is_measured() {
    for input in ["stop", "fence"] {
        let setup = format!(", (at: \"3s\", input: \"{input}\", to: Off)");
        let (report, _) = ran(&alone(&setup, "", "5s"), &[]);
        let (n, verdict, place) = seen(&report, RESPONSE);
        assert_eq!((n, verdict, place.as_str()), (1, RowVerdict::Pass, "hall, stop at 3000.000000 ms"));
        assert!(ms(row(&report, RESPONSE)) < 5.0);
    }
    // A flow switch, and the pump of its loop loses its power.
    let flow = alone("", "(kind: PowerCut, place: Pump(1), trigger: At(\"3s\"))", "9s");
    let flow = flow.replace("device: Off)", "device: Off), (input: \"fence\", device: FlowSwitch(\"5L/min\"))");
    let (report, _) = ran(&flow, &[]);
    assert_eq!((seen(&report, RESPONSE).0, seen(&report, RESPONSE).1), (1, RowVerdict::Pass));
    let hidden = at_hall("Safety(Wire(pin: 5, is: ToSupply))", "2900ms");
    for faults in [hidden.as_str(), STUCK] {
        let (report, _) = ran(&alone(", (at: \"3s\", input: \"fence\", to: Off)", faults, "5s"), &[]);
        let (n, verdict, _) = seen(&report, RESPONSE);
        assert_eq!((n, verdict), (1, RowVerdict::Fail), "{faults}");
        assert_eq!(ms(row(&report, RESPONSE)), 2_000.0);
    }
}

/// SSR-016. Either of two inputs is enough to run, and both are OFF: whether one after the other or at once, and whether the CPUs see
/// it or not, the second is the stop.
#[test]
fn a_stop_beside_another_input_that_is_off_is_a_stop() {
    let safe = r#"(name: "safe", kind: And(["no_stop", "dry", "cool", "closed"])),"#;
    let either =
        r#"(name: "either", kind: Or(["dry", "closed"])), (name: "safe", kind: And(["no_stop", "cool", "either"])),"#;
    let own = [("own/either.ron", changed("safety/pump-feed.ron", &[(safe, either)]))];
    let hidden = at_hall("Safety(Wire(pin: 5, is: ToSupply))", "2500ms");
    for (leak, faults, verdict) in [
        ("3500ms", "", RowVerdict::Pass),
        ("3500ms", hidden.as_str(), RowVerdict::Fail),
        ("3s", "", RowVerdict::Pass),
        ("3s", &hidden, RowVerdict::Fail),
    ] {
        let both = format!(", (at: \"3s\", input: \"fence\", to: Off), (at: \"{leak}\", input: \"leak\", to: Off)");
        let text = alone(&both, faults, "5s").replace("safety/pump-feed.ron", "own/either.ron");
        let (n, found, place) = seen(&ran(&text, &own).0, RESPONSE);
        assert!(n > 0 && found == verdict, "leak at {leak}, {faults:?}: {n}, {found:?}, {place}");
    }
    // One alone stops nothing.
    let one =
        alone(", (at: \"3s\", input: \"fence\", to: Off)", "", "5s").replace("safety/pump-feed.ron", "own/either.ron");
    assert_eq!(seen(&ran(&one, &own).0, RESPONSE).1, RowVerdict::NotApplicable);
}

/// SSR-016. A device that shows ON for a moment, too short for anybody to see, ends no stop; one that bounces too fast to be seen OFF
/// makes none.
#[test]
fn a_stop_goes_on_though_its_device_bounces() {
    let unseen = hidden("roof", 0, "2900ms");
    let bounces = |off: u32, on: u32| {
        let ops = (0..3_000_000 / (off + on)).map(|time| {
            let at = 3_000_000 + time * (off + on);
            operation("i", &format!("{at}us"), "Off") + &operation("i", &format!("{}us", at + off), "On")
        });
        ops.collect::<String>()
    };
    let judged = |off: u32, on: u32, faults: &str| {
        let (report, _) = with_input("And([\"r\", \"w\"])", ["", &bounces(off, on), ""], faults);
        let of_hall = |one: &&reports::Sample| one.place.contains("outputs of hall");
        let samples =
            row(&report, RESPONSE).samples.iter().filter(of_hall).map(|one| one.value.as_millionths() / 1_000_000);
        samples.collect::<Vec<i64>>()
    };
    // The stop counts from its begin on, to the end of the run.
    let samples = judged(498_999, 1, &unseen);
    assert_eq!(samples.iter().max(), Some(&6_000), "{samples:?}");
    assert!(judged(498_999, 1, "").iter().all(|took| *took < 500));
    // Each is over before it must be obeyed, and was seen to be over.
    assert_eq!(judged(480_000, 20_000, &unseen), [] as [i64; 0]);
    // OFF too shortly to be seen for sure.
    assert_eq!(judged(8_000, 1_000, &unseen), [] as [i64; 0]);
    // OFF for 50 ms first: whoever bounces then makes no new stop of it.
    let bounces = operation("i", "3s", "Off")
        + &(0..80)
            .map(|time| {
                let at = 3_050 + 6 * time;
                operation("i", &format!("{at}ms"), "On") + &operation("i", &format!("{}ms", at + 1), "Off")
            })
            .collect::<String>();
    let (report, _) = with_input("And([\"r\", \"w\"])", ["", &bounces, ""], &unseen);
    let of_hall = row(&report, RESPONSE).samples.iter().filter(|one| one.place.contains("outputs of hall"));
    let of_hall = of_hall.map(|one| (&*one.place, one.value.as_millionths())).collect::<Vec<(&str, i64)>>();
    assert_eq!(of_hall, [("roof, stop at 3000.000000 ms, outputs of hall", 6_000_000_000)], "it counts once");
}

/// SSR-016. What turns nothing off is no stop: a feedback, a button that was OFF before, an input that the diagram gives ten seconds.
#[test]
fn an_input_that_stops_nothing_is_no_stop() {
    for input in ["lock_seen", "button"] {
        let faults = at_hall(&format!("Safety(InputOff(\"{input}\"))"), "3s");
        assert_eq!(seen(&ran(&alone("", &faults, "5s"), &[]).0, RESPONSE).1, RowVerdict::NotApplicable, "{input}");
    }
    let flow = "(kind: Safety(InputOff(\"flow\")), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"1s\")";
    let silent = at("roof", "RadioLost()").replace("3s", "5s");
    let (report, _) = ran(&watch("safety/cooling-watch.ron", &format!("{flow}, {silent}")), &[]);
    let off: Vec<bool> = report.injections.iter().map(|one| one.all_off_ms.is_some()).collect();
    assert_eq!(off, [false, true], "what the silence turns off is no work of the stop");
    let (report, run) = ran(&watch("safety/cooling-watch.ron", flow), &[]);
    assert_eq!(seen(&report, RESPONSE).1, RowVerdict::NotApplicable);
    assert!(units_in(&run.twin.world)[0].conducts(0), "the pumps run on");
}

/// Two units that run a configuration as the shipped scenarios of two units have it.
fn watch(configuration: &str, faults: &str) -> String {
    format!(
        "(campaign: false, pumps: (count: 2), budgets: [], end: At(\"6s\"), safety_units: [
        (configuration: \"{configuration}\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
            feeds: [(relay: 0, pumps: Only([1])), (relay: 1, pumps: Only([2]))],
            inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"2s\", input: \"button\", to: On, duration: \"300ms\")]),
        (configuration: \"{configuration}\", node: \"roof\", cpu1: (clock_offset: \"31ms\"),
            cpu2: (clock_offset: \"31211us\"))], faults: [{faults}])"
    )
}

/// Verifies SSR-016. A stop at one unit is measured at the other that hears of it, by its own response time, whatever is lost or repeated;
/// one that the other never obeys fails.
#[test]
fn a_stop_is_carried_to_the_units_that_hear_of_it() {
    let stop = at("roof", "InputOff(\"stop\")");
    let repeated = at("roof", "RadioRepeated(\"1s\")");
    for (more, most) in [("", 30.0), (&*at("roof", "RadioLost(packets: 4)"), 130.0), (&*repeated, 30.0)] {
        let (report, _) = ran(&watch("safety/cooling-watch.ron", &format!("{stop}, {more}")), &[]);
        let (n, verdict, place) = seen(&report, RESPONSE);
        assert_eq!((n, verdict, &*place), (2, RowVerdict::Pass, "roof, stop at 3000.000000 ms, outputs of hall"));
        let took = ms(row(&report, RESPONSE));
        assert!(took > 3.0 && took < most, "{took} ms");
    }
    let (report, _) = ran(&watch("safety/cooling-watch.ron", &format!("{stop}, {STUCK}")), &[]);
    let (n, verdict, place) = seen(&report, RESPONSE);
    assert_eq!((n, verdict, &*place), (2, RowVerdict::Fail, "roof, stop at 3000.000000 ms, outputs of hall"));
    // Shorter than the response time: the roof obeys, and the hall need not have heard of it.
    let short = "(kind: Safety(InputOff(\"stop\")), place: Node(\"roof\"), trigger: At(\"3s\"), duration: \"8ms\")";
    let (report, _) = ran(&watch("safety/cooling-watch.ron", short), &[]);
    assert_eq!(seen(&report, RESPONSE).1, RowVerdict::Pass);
}

fn of_three(faults: &str, expectations: &str) -> (Report, Run) {
    let unit = |name: &str, more: &str| format!("(configuration: \"three.ron\", node: \"{name}\"{more})");
    let units = [unit("hall", ""), unit("roof", ""), unit("wall", ", cpu1: (clock_offset: \"31ms\")")].join(", ");
    let text = format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"5s\"), safety_units: [{units}], faults: [{faults}],
        expectations: [{expectations}])"
    );
    ran(&text, &[three()])
}

/// Verifies SSR-007, SSR-076. One of two senders is silent while the other goes on.
#[test]
fn each_sender_has_its_own_silence() {
    let silent = at("wall", "RadioLost()");
    let (report, run) = of_three(&silent, "");
    let (n, verdict, place) = seen(&report, RADIO);
    assert_eq!((n, verdict), (1, RowVerdict::Pass), "{place}");
    assert!(place.starts_with("hall, wall silent since 2"), "{place}");
    assert!((100.0..103.0).contains(&ms(row(&report, RADIO))));
    assert!(units_in(&run.twin.world)[0].is_off() && !units_in(&run.twin.world)[1].is_off());
    let (report, _) = of_three(&format!("{silent}, {STUCK}"), "");
    assert_eq!(seen(&report, RADIO).1, RowVerdict::Fail, "its outputs are never off");
    assert!(ms(row(&report, RADIO)) > 1_900.0);
    // One side of an `Or` is OFF: the output rests on the other one by the state of the diagram alone.
    let (name, text) = three();
    let either = [(name, text.replace("kind: And([\"r\", \"w\"])", "kind: Or([\"r\", \"w\"])"))];
    let roof = "(configuration: \"three.ron\", node: \"roof\", inputs: [(input: \"i\", device: Off)])";
    for (roof, wanted) in
        [(roof, RowVerdict::Pass), ("(configuration: \"three.ron\", node: \"roof\")", RowVerdict::NotApplicable)]
    {
        let text = format!(
            "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"5s\"), safety_units: [
            (configuration: \"three.ron\", node: \"hall\"), {roof},
            (configuration: \"three.ron\", node: \"wall\", cpu1: (clock_offset: \"31ms\"))], faults: [{silent}])"
        );
        assert_eq!(seen(&ran(&text, &either).0, RADIO).1, wanted, "{roof}");
    }
    // A short silence, and the silence of one that nobody hears, turn nothing off.
    for faults in [at("wall", "RadioLost(packets: 3)"), at("hall", "RadioLost()")] {
        assert_eq!(seen(&of_three(&faults, "").0, RADIO).1, RowVerdict::NotApplicable, "{faults}");
    }
    // The second one finds the witnesses of the logic in doubt: what is forced by the diagram tells.
    let again = [("3s", "500ms"), ("4s", "500ms")].map(|(at, lasts)| {
        format!("(kind: Safety(RadioLost()), place: Node(\"wall\"), trigger: At(\"{at}\"), duration: \"{lasts}\")")
    });
    let (report, run) = of_three(&again.join(", "), "");
    assert_eq!((seen(&report, RADIO).0, seen(&report, RADIO).1), (2, RowVerdict::Pass));
    assert!(units_in(&run.twin.world)[0].watch.cpus.iter().all(|cpu| cpu.testimony().doubt.is_some()));
    // Repeated packets of a sender that is silent are no life of it.
    let replayed =
        "(kind: Safety(RadioRepeated(\"1s\")), place: Node(\"wall\"), trigger: At(\"2500ms\"), duration: \"400ms\")";
    let (report, _) = of_three(&format!("{replayed}, {silent}"), "");
    assert_eq!((seen(&report, RADIO).0, seen(&report, RADIO).1), (1, RowVerdict::Pass));
}

/// Verifies SSR-044. A unit that trips falls silent: what rests on it in others is measured, beside its own outputs, and where it drives
/// nothing itself.
#[test]
fn a_trip_is_measured_at_the_outputs_of_others() {
    let expected = "SafetyTrip(unit: \"wall\", by: C2cSilent)";
    let cut = at("wall", "C2cLost(from: 1)");
    let (report, _) = of_three(&cut, expected);
    let (n, verdict, place) = seen(&report, REACTION);
    assert_eq!((n, verdict, &*place), (2, RowVerdict::Pass, "wall, c2c-silent by CPU2, outputs of hall"));
    let took = ms(row(&report, REACTION));
    assert!(took > 90.0 && took < 130.0, "{took} ms");
    let (report, _) = of_three(&format!("{cut}, {STUCK}"), expected);
    assert_eq!(seen(&report, REACTION).1, RowVerdict::Fail, "outputs of the hall stay on");
    // The roof's fan never runs, for it wants the opposite of what it tells.
    let idle = changed(
        "safety/cooling-watch.ron",
        &[
            ("(name: \"well_out\"", "(name: \"unwell\", kind: Not(\"well\")), (name: \"well_out\""),
            ("\"no_stop\", \"hall_no_stop\"]", "\"no_stop\", \"hall_no_stop\", \"unwell\"]"),
        ],
    );
    let (report, run) = ran(&watch("idle.ron", &at("roof", "C2cLost(from: 1)")), &[("idle.ron", idle)]);
    let (n, verdict, place) = seen(&report, REACTION);
    assert_eq!((n, verdict, &*place), (1, RowVerdict::Pass, "roof, c2c-silent by CPU2, outputs of hall"));
    assert!(units_in(&run.twin.world)[1].watch.offs.is_empty() && units_in(&run.twin.world)[0].is_off());
}

/// Verifies SSR-076. A lamp that is lit because radio is lost is not what had to go off.
#[test]
fn a_lamp_that_tells_of_a_silence_does_not_break_it() {
    let lamp = changed(
        "safety/cooling-watch.ron",
        &[
            (
                "(name: \"attention\", kind: Or([\"asks\"",
                "(name: \"no_roof\", kind: Not(\"roof_well\")), (name: \"attention\", kind: Or([\"no_roof\", \"asks\"",
            ),
            ("\"fan_missing\", \"stop_error\"]", "\"stop_error\"]"),
        ],
    );
    let (report, run) = ran(&watch("lamp.ron", &at("roof", "RadioLost()")), &[("lamp.ron", lamp)]);
    let (n, verdict, place) = seen(&report, RADIO);
    assert_eq!((n, verdict), (1, RowVerdict::Pass), "{place}");
    assert!(!units_in(&run.twin.world)[0].is_off(), "the lamp is lit");
}

/// Verifies SSR-016, SSR-076. Each unit has the limits of what it runs: an unrelated one with shorter times changes nothing.
#[test]
fn limits_are_those_of_the_unit_that_is_measured() {
    let slow = changed(
        "safety/cooling-watch.ron",
        &[("timeout: \"100ms\"", "timeout: \"200ms\""), ("response_time: \"250ms\"", "response_time: \"400ms\"")],
    );
    let shed = changed("safety/pump-feed.ron", &[("name: \"hall\"", "name: \"shed\""), ("0x51A0_0201", "0x51A0_0301")]);
    let with_shed = |faults: &str| {
        watch("slow.ron", faults)
            .replace("safety_units: [", "safety_units: [(configuration: \"shed.ron\", node: \"shed\"), ")
    };
    let files = [("slow.ron", slow), ("shed.ron", shed)];
    let (report, _) = ran(&with_shed(&at("roof", "RadioLost()")), &files);
    let radio = row(&report, RADIO);
    assert_eq!((radio.n, radio.verdict, radio.limit), (1, RowVerdict::Pass, Fixed::from_millionths(203_000_000)));
    assert!(ms(radio) > 200.0 && radio.limit_from.contains("200 ms"), "{}", radio.limit_from);
    let (report, _) = ran(&with_shed(&format!("{}, {STUCK}", at("roof", "InputOff(\"stop\")"))), &files);
    let response = row(&report, RESPONSE);
    assert_eq!((response.verdict, response.limit), (RowVerdict::Fail, Fixed::from_millionths(400_000_000)));
    assert_eq!(response.limit_from, "response time of the configuration, 400 ms");
    // Of a row without a measurement the shortest is shown.
    assert_eq!(row(&ran(&with_shed(""), &files).0, RESPONSE).limit, Fixed::from_millionths(50_000_000));
}

/// SSR-016. What comes on while a device shows OFF must go off again, if the diagram has it so: whether the device was OFF from the
/// beginning, since before the start, or since a stop that was obeyed.
#[test]
fn a_stop_that_is_there_when_something_comes_on_is_a_stop() {
    let again = ", (at: \"4s\", input: \"button\", to: On, duration: \"300ms\")";
    let since = |at: &str| operation("fence", at, "Off");
    for (setup, wire, since) in [
        (since("1400ms"), "1s", "hall, stop at 18"),
        (since("100ms"), "50ms", "hall, stop at 18"),
        (since("3s") + again, "3500ms", "hall, stop at 43"),
    ] {
        let came_on = |report: &Report| {
            let samples = row(report, RESPONSE).samples.iter();
            samples.filter(|one| one.place.starts_with(since) && !one.place.contains("00.000000")).count()
        };
        // The second relay follows, and is asked about by itself.
        let (report, _) = ran(&alone(&setup, &hidden("hall", 5, wire), "6s"), &[]);
        assert!(seen(&report, RESPONSE).1 == RowVerdict::Fail && came_on(&report) > 0, "{setup}");
        // An honest wire lets nothing come on.
        let (report, run) = ran(&alone(&setup, "", "6s"), &[]);
        assert_ne!(seen(&report, RESPONSE).1, RowVerdict::Fail, "{setup}");
        assert!(came_on(&report) == 0 && !units_in(&run.twin.world)[0].conducts(0), "{setup}");
    }
    // The stop of another unit.
    let roof =
        format!("{}, {}", hidden("roof", 2, "1s"), at("roof", "InputOff(\"temperature\")").replace("3s", "1500ms"));
    let (n, verdict, place) = seen(&ran(&watch("safety/cooling-watch.ron", &roof), &[]).0, RESPONSE);
    assert!(n > 0 && verdict == RowVerdict::Fail, "{n}, {verdict:?}, {place}");
    assert!(place.starts_with("roof, stop at 2") && place.ends_with(", outputs of hall"), "{place}");
}

/// SSR-016. A diagram may let outputs come on while a device shows OFF: another input is enough, a latch or a delay holds.
#[test]
fn what_comes_on_beside_an_input_that_is_off_as_the_diagram_has_it_is_no_stop() {
    let either =
        r#"(name: "either", kind: Or(["dry", "closed"])), (name: "safe", kind: And(["no_stop", "cool", "either"])),"#;
    let latch = r#"(name: "never", kind: Not("no_stop")), (name: "held", kind: Latch(set: "closed", reset: "never")),
        (name: "safe", kind: And(["no_stop", "cool", "held"])),"#;
    let delay = r#"(name: "held", kind: OffDelay(of: "closed", time: "9s")),
        (name: "safe", kind: And(["no_stop", "cool", "held"])),"#;
    // Before the button, and while the second relay waits for its time.
    for at in ["1400ms", "1900ms"] {
        for safe in [either, latch, delay] {
            let (report, run) = other(safe, &operation("fence", at, "Off"), "");
            assert_eq!(
                seen(&report, RESPONSE).1,
                RowVerdict::NotApplicable,
                "{at}, {safe}: {:?}",
                row(&report, RESPONSE)
            );
            assert!(units_in(&run.twin.world)[0].conducts(1), "{at}, {safe}: both relays conduct");
        }
        let stopped = operation("fence", at, "Off") + &operation("leak", at, "Off");
        let wires = [hidden("hall", 2, "1s"), hidden("hall", 3, "1s"), hidden("hall", 5, "1s")].join(", ");
        assert_eq!(seen(&other(either, &stopped, &wires).0, RESPONSE).1, RowVerdict::Fail, "{at}");
    }
}

/// Three units of which the wall passes on what it hears from the roof; the hall's output rests on both as `hall` says.
fn passing_on(hall: &str) -> (&'static str, String) {
    let (name, text) = three();
    let (others, wall) = text.split_once("(name: \"wall\"").expect("it is there");
    let own = "(name: \"m\", kind: MemorySend(memory: 0, of: \"x\"))";
    let passed = "(name: \"r\", kind: MemoryReceive(node: \"roof\", memory: \"m\")),
        (name: \"m\", kind: MemorySend(memory: 0, of: \"r\"))";
    assert!(wall.contains(own));
    let text = format!("{others}(name: \"wall\"{}", wall.replace(own, passed));
    (name, text.replace("And([\"r\", \"w\"])", hall))
}

/// SSR-016. What two ways carry to the same unit, one of them over a third one, and what comes back to the unit that sent it.
#[test]
fn a_stop_is_carried_over_every_way_and_back() {
    let stop = at("roof", "InputOff(\"i\")");
    let unseen = format!("{}, {stop}", hidden("roof", 0, "2900ms"));
    for hall in ["Or([\"r\", \"w\"])", "And([\"r\", \"w\"])"] {
        let file = passing_on(hall);
        let (report, run) = three_ran(&file, &stop);
        let (n, verdict, _) = seen(&report, RESPONSE);
        assert_eq!((n, verdict), (2, RowVerdict::Pass), "{hall}");
        assert!(units_in(&run.twin.world)[0].is_off());
        // Nobody hears of it, and the hall has it one response time later where the wall has to tell it.
        let hall_only = format!("{stop}, {STUCK}");
        for faults in [&unseen, &hall_only] {
            let (report, _) = three_ran(&file, faults);
            let (n, verdict, place) = seen(&report, RESPONSE);
            assert_eq!((n, verdict), (2, RowVerdict::Fail), "{hall}, {faults}: {place}");
        }
        let (report, _) = three_ran(&file, &hall_only);
        let samples = &row(&report, RESPONSE).samples;
        assert!(samples.iter().any(|one| one.place.contains("outputs of hall")), "{hall}: {samples:?}");
    }
    // The hall's own stop goes to the roof and comes back.
    let (name, text) = three();
    let sends = text
        .replace("memories: 0,", "memories: 16,")
        .replace("pins: [(pin: 8,", "pins: [(pin: 0, name: \"h\", role: Input), (pin: 8,")
        .replacen("outputs: [", "inputs: [(name: \"i\", pins: Single(\"h\"))], outputs: [", 1)
        .replacen("blocks: [", "blocks: [(name: \"x\", kind: Input(\"i\")), (name: \"m\", kind: MemorySend(memory: 0, of: \"x\")), ", 1)
        .replacen("kind: MemorySend(memory: 0, of: \"x\")),\n                (name: \"s\"",
            "kind: MemorySend(memory: 0, of: \"back\")), (name: \"s\"", 1)
        .replace("(name: \"m\", kind: MemorySend(memory: 0, of: \"back\"))",
            "(name: \"back\", kind: MemoryReceive(node: \"hall\", memory: \"m\")), (name: \"m\", kind: MemorySend(memory: 0, of: \"back\"))")
        .replace("And([\"r\", \"w\"])", "And([\"r\", \"r\"])");
    let stop = at("hall", "InputOff(\"i\")");
    for (more, verdict) in
        [(String::new(), RowVerdict::Pass), (format!(", {}", hidden("hall", 0, "2900ms")), RowVerdict::Fail)]
    {
        let (n, found, place) = seen(&three_ran(&(name, sends.clone()), &format!("{stop}{more}")).0, RESPONSE);
        assert_eq!((n, found, &*place), (1, verdict, "hall, stop at 3000.000000 ms"));
    }
}

/// SSR-076, SSR-044. Either of two senders is enough, and both fall silent or trip together: the second one is what counts.
#[test]
fn two_senders_that_fail_together_turn_off_what_rests_on_either() {
    let (name, text) = three();
    let either = (name, text.replace("kind: And([\"r\", \"w\"])", "kind: Or([\"r\", \"w\"])"));
    let both = |what: &str| format!("{}, {}", at("roof", what), at("wall", what));
    for (what, id) in [("RadioLost()", RADIO), ("C2cLost(from: 1)", RADIO), ("C2cLost(from: 1)", REACTION)] {
        let (report, run) = three_ran(&either, &both(what));
        assert!(units_in(&run.twin.world)[0].is_off(), "{what}");
        let own = |report: &Report| {
            let of_hall = |place: &str| place.starts_with("hall, ") || place.ends_with("outputs of hall");
            let samples = &row(report, id).samples;
            samples.iter().filter(|one| of_hall(one.place.split(", contacts").next().unwrap_or(""))).count()
        };
        assert!(
            own(&report) > 0 && row(&report, id).verdict == RowVerdict::Pass,
            "{what}, {id}: {:?}",
            row(&report, id)
        );
        let (report, _) = three_ran(&either, &format!("{}, {STUCK}", both(what)));
        assert!(own(&report) > 0 && row(&report, id).verdict == RowVerdict::Fail, "{what}, {id}");
        // One alone turns nothing off.
        let (report, run) = three_ran(&either, &at("roof", what));
        assert!(own(&report) == 0 && !units_in(&run.twin.world)[0].is_off(), "{what}, {id}");
    }
    // One after the other, a second apart.
    let later = format!("{}, {}", at("roof", "RadioLost()"), at("wall", "RadioLost()").replace("3s", "4s"));
    assert_eq!(
        (seen(&three_ran(&either, &later).0, RADIO).0, seen(&three_ran(&either, &later).0, RADIO).1),
        (1, RowVerdict::Pass)
    );
    assert_eq!(seen(&three_ran(&either, &format!("{later}, {STUCK}")).0, RADIO).1, RowVerdict::Fail);
}

/// SSR-016. A relay that both welded contacts hold is not off because its coils are fed again.
#[test]
fn a_relay_that_is_fed_again_while_it_conducts_was_never_off() {
    let run = [(r#"kind: Reset(condition: "safe", button: "pressed")"#, r#"kind: And(["safe", "cool"])"#)];
    let own = [("own/other.ron", changed("safety/pump-feed.ron", &run))];
    let welds = [1, 2].map(|cpu| at_hall(&format!("Safety(Contact(relay: 0, cpu: {cpu}, closed: true))"), "2500ms"));
    let short = ", (at: \"3s\", input: \"fence\", to: Off, duration: \"20ms\")";
    for (faults, verdict) in
        [(String::new(), RowVerdict::Pass), (welds.join(", "), RowVerdict::Fail), (welds[0].clone(), RowVerdict::Pass)]
    {
        let text = alone(short, &faults, "4s").replace("safety/pump-feed.ron", "own/other.ron");
        let (report, _) = ran(&text, &own);
        let (n, found, place) = seen(&report, RESPONSE);
        assert_eq!((n, found), (1, verdict), "{faults}: {place}, {:?}", row(&report, RESPONSE));
        let words = row(&report, RESPONSE).r#where.clone().unwrap_or_default();
        assert_eq!(words.contains("contacts open after"), verdict == RowVerdict::Pass, "{faults}: {words}");
    }
    // Open but for that relay: the trip for it is told to all outputs at once, and no contact is told open.
    let for_good = operation("fence", "3s", "Off");
    let (report, _) = ran(&alone(&for_good, &welds.join(", "), "6s"), &[]);
    let trip = row(&report, REACTION);
    let at = |name: &str| trip.decomposition.iter().find(|step| step.step == name).map(|step| step.at_ms.as_nanos());
    let (detected, commanded) = (at("detected").expect("it is"), at("commanded").expect("it is"));
    assert!(trip.verdict == RowVerdict::Fail && commanded - detected < 1_001_000, "{:?}", trip.decomposition);
}

/// SSR-016. After a loss of radio the logic cannot be followed any more: what the inputs alone decide is asked for all the same.
#[test]
fn a_stop_is_a_stop_though_the_logic_is_in_doubt() {
    let (name, text) = three();
    let inputs = text
        .replace(
            "pins: [(pin: 8,",
            "pins: [(pin: 0, name: \"pa\", role: Input), (pin: 1, name: \"pb\", role: Input), (pin: 8,",
        )
        .replacen(
            "outputs: [",
            "inputs: [(name: \"a\", pins: Single(\"pa\")), (name: \"b\", pins: Single(\"pb\"))], outputs: [",
            1,
        )
        .replacen("blocks: [", "blocks: [(name: \"a\", kind: Input(\"a\")), (name: \"b\", kind: Input(\"b\")), ", 1);
    let lost = "(kind: Safety(RadioLost()), place: Node(\"wall\"), trigger: At(\"2s\"), duration: \"500ms\"), ";
    let off = |input: &str| at("hall", &format!("InputOff(\"{input}\")"));
    let either = "(name: \"both\", kind: Or([\"a\", \"b\"]))";
    let neither = "(name: \"not_b\", kind: Not(\"b\")), (name: \"both\", kind: Or([\"a\", \"not_b\"]))";
    let seen_off = off("b").replace("3s", "2700ms") + ", ";
    for (blocks, before) in [(either, &*seen_off), (neither, "")] {
        let file = (
            name,
            inputs.replace(
                "(name: \"both\", kind: And([\"r\", \"w\"]))",
                &format!("{blocks}, (name: \"rw\", kind: And([\"r\", \"w\"]))"),
            ),
        );
        for loss in ["", lost] {
            for (wire, verdict) in [("", RowVerdict::Pass), (&*hidden("hall", 0, "2900ms"), RowVerdict::Fail)] {
                let (report, run) = three_ran(&file, &format!("{loss}{before}{}, {wire}", off("a")));
                assert_eq!(
                    (seen(&report, RESPONSE).0, seen(&report, RESPONSE).1),
                    (1, verdict),
                    "{blocks}, {loss}, {wire}"
                );
                let in_doubt =
                    units_in(&run.twin.world)[0].watch.cpus.iter().all(|cpu| cpu.testimony().doubt.is_some());
                assert_eq!(in_doubt, !loss.is_empty());
            }
        }
    }
}

/// SSR-016. A changeover between two inputs of an `Or` is no stop, as long as the unit need not see both of them OFF.
#[test]
fn a_changeover_is_no_stop() {
    let either =
        r#"(name: "either", kind: Or(["dry", "closed"])), (name: "safe", kind: And(["no_stop", "cool", "either"])),"#;
    let words = [(SAFE, either), (", on_filter: \"100ms\"", "")];
    let own = [("own/other.ron", changed("safety/pump-feed.ron", &words))];
    let mut held = 0;
    for half in 0..12 {
        let off = 4_000_000 + 500 * half;
        let over = operation("fence", "3s", "Off")
            + &operation("fence", "4s", "On")
            + &operation("leak", &format!("{}us", off + 6_000), "Off");
        let (report, run) = ran(&alone(&over, "", "5s").replace("safety/pump-feed.ron", "own/other.ron"), &own);
        let (n, verdict, place) = seen(&report, RESPONSE);
        let conducts = units_in(&run.twin.world)[0].conducts(0);
        held += u32::from(conducts);
        assert_ne!(verdict, RowVerdict::Fail, "{half}: {place}");
        // It stopped where it saw both OFF, and that is measured.
        assert_eq!(n > 0, !conducts, "{half}: {n}, {place}");
    }
    assert!(held > 0 && held < 12, "{held}");
    // Both OFF for a while: a stop, seen or not.
    let gap = operation("fence", "3s", "Off") + &operation("leak", "3950ms", "Off") + &operation("fence", "4s", "On");
    let wires = [hidden("hall", 2, "2500ms"), hidden("hall", 3, "2500ms")].join(", ");
    for (faults, wanted) in [("", RowVerdict::Pass), (&*wires, RowVerdict::Fail)] {
        let (report, _) = ran(&alone(&gap, faults, "5s").replace("safety/pump-feed.ron", "own/other.ron"), &own);
        assert_eq!((seen(&report, RESPONSE).0, seen(&report, RESPONSE).1), (1, wanted), "{faults}");
    }
}

/// SSR-016. The same between two units, over radio.
#[test]
fn a_changeover_between_two_senders_is_no_stop() {
    let (name, text) = three();
    let either = (name, text.replace("kind: And([\"r\", \"w\"])", "kind: Or([\"r\", \"w\"])"));
    let off = |node: &str, at: &str, more: &str| {
        format!("(kind: Safety(InputOff(\"i\")), place: Node(\"{node}\"), trigger: At(\"{at}\"){more})")
    };
    let roof = off("roof", "3s", ", duration: \"500ms\"");
    for half in 0..20 {
        let at = format!("{}us", 3_505_000 + 2_500 * half);
        let (report, run) = three_ran(&either, &format!("{roof}, {}", off("wall", &at, "")));
        let samples = &row(&report, RESPONSE).samples;
        let of_hall = samples.iter().filter(|one| one.place.contains("outputs of hall")).count();
        assert_eq!(row(&report, RESPONSE).verdict, RowVerdict::Pass, "{half}: {samples:?}");
        assert!(of_hall == 0 || !units_in(&run.twin.world)[0].is_off() || half == 0, "{half}: {samples:?}");
    }
    // Both OFF for good.
    let both = format!("{}, {}", off("roof", "3s", ""), off("wall", "3500ms", ""));
    assert_eq!(row(&three_ran(&either, &both).0, RESPONSE).n, 3);
    let unseen = format!("{both}, {}", hidden("wall", 0, "2900ms"));
    let (report, _) = three_ran(&either, &unseen);
    assert!(
        row(&report, RESPONSE).samples.iter().any(|one| one.place.contains("outputs of hall")),
        "{:?}",
        row(&report, RESPONSE).samples
    );
}

/// SSR-009. A supply that is beyond its limit as the unit starts counts from the normal mode on.
#[test]
fn a_supply_counts_from_the_normal_mode_on() {
    let sag = |at: &str| at_hall("Sag(to: \"17550mV\")", at);
    let resets = [1, 2].map(|cpu| at_hall(&format!("Safety(CpuReset(cpu: {cpu}))"), "3300ms")).join(", ");
    let noisy = [1, 2]
        .map(|cpu| at_hall(&format!("Safety(Adc(cpu: {cpu}, channel: Supply, error: Noise(\"500mV\")))"), "100ms"));
    // Its lamp is lit before it trips.
    let soon = r#"(name: "safe", kind: And(["no_stop", "dry", "closed"])),"#;
    for faults in [sag("300ms"), format!("{}, {resets}", sag("3s"))] {
        let (n, verdict, place) = seen(&other(soon, "", &faults).0, SUPPLY);
        assert_eq!((n, verdict), (1, RowVerdict::Pass), "{faults}: {place}");
        let (n, verdict, place) = seen(&other(soon, "", &format!("{faults}, {}", noisy.join(", "))).0, SUPPLY);
        assert_eq!((n, verdict), (1, RowVerdict::Fail), "{faults}: {place}");
    }
}

/// SSR-009. A supply that is back for a microsecond every half second, between the samples of one CPU at least, is never back.
#[test]
fn a_supply_that_is_back_only_between_samples_is_missed() {
    let noisy = [1, 2]
        .map(|cpu| at_hall(&format!("Safety(Adc(cpu: {cpu}, channel: Supply, error: Noise(\"500mV\")))"), "2500ms"));
    let often = |lasts: &str| {
        format!(
            "{}, (kind: Sag(to: \"17550mV\"), place: Node(\"hall\"), trigger: At(\"3000333us\"), duration: \"{lasts}\",
                repeat: (count: 6, period: \"500ms\"))",
            noisy.join(", ")
        )
    };
    let (n, verdict, place) = seen(&ran(&alone("", &often("499999us"), "7s"), &[]).0, SUPPLY);
    assert_eq!((n, verdict), (1, RowVerdict::Fail), "{place}");
    // Back for two ticks, every CPU has seen it: no excursion lasts long enough.
    assert_eq!(seen(&ran(&alone("", &often("498ms"), "7s"), &[]).0, SUPPLY).1, RowVerdict::NotApplicable);
}

/// SSR-009. A recovery that no sample of the converters falls into is none.
#[test]
fn a_supply_that_recovers_between_two_samples_does_not() {
    let mut early = 0;
    for tenth in 0..10 {
        let ends = 249_800 + 100 * tenth;
        let sag = |at: u32, lasts: u32| {
            format!(
                "(kind: Sag(to: \"17550mV\"), place: Node(\"hall\"), trigger: At(\"{at}us\"), duration: \"{lasts}us\")"
            )
        };
        let twice = format!("{}, {}", sag(3_000_000, ends), sag(3_000_000 + ends + 300, 2_000_000));
        let (report, run) = ran(&alone("", &twice, "5s"), &[]);
        let (n, verdict, place) = seen(&report, SUPPLY);
        assert_eq!((n, verdict), (1, RowVerdict::Pass), "{ends}: {place}, {:?}", row(&report, SUPPLY).measured);
        early += u32::from(units_in(&run.twin.world)[0].watch.offs[0].detected < SimTime::from_nanos(3_700_000_000));
    }
    assert!(early > 0, "no gap lies between two samples");
}

/// Whether the row of trips that nobody named fails.
fn trips_unasked(report: &Report) -> RowVerdict {
    let row = report.checks.iter().find(|row| row.id == "healthy_units_do_not_trip").expect("the row is there");
    row.verdict
}

/// SSR-046. A fault that lasts over a restart is found again, as something else perhaps: each finding needs a name, and a name excuses
/// one. A harmless fault that lasts excuses nothing, and takes no excuse.
#[test]
fn a_trip_after_a_restart_needs_a_name_of_its_own() {
    let text = |faults: &str, trips: &[&str]| {
        let trips = trips.iter().map(|by| format!("SafetyTrip(unit: \"hall\", by: {by})")).collect::<Vec<String>>();
        let text = alone("", faults, "9s");
        text.replacen("safety_units:", &format!("expectations: [{}], safety_units:", trips.join(", ")), 1)
    };
    let resets = [1, 2].map(|cpu| at_hall(&format!("Safety(CpuReset(cpu: {cpu}))"), "4s")).join(", ");
    let lost = at_hall("Safety(C2cLost(from: 1))", "3s");
    let for_a_time = lost.replace(")), place", ")), duration: \"500ms\", place");
    let slip = |at: &str| at_hall("Safety(TickSlip(cpu: 1))", at);
    let harmless = at_hall("Safety(Adc(cpu: 1, channel: Supply, error: Noise(\"5mV\")))", "2900ms");
    let (named, unnamed) = (RowVerdict::NotApplicable, RowVerdict::Fail);
    for (faults, by, wanted) in [
        (format!("{lost}, {resets}"), &["C2cSilent, restarts: 0", "PeerMode, restarts: 1"][..], named),
        (format!("{lost}, {resets}"), &["C2cSilent"], unnamed),
        (format!("{for_a_time}, {resets}"), &["C2cSilent"], named),
        (format!("{for_a_time}, {resets}, {}", slip("7s")), &["C2cSilent"], unnamed),
        (format!("{}, {resets}", slip("3s")), &["TickCount"], named),
        (format!("{}, {resets}, {}", slip("3s"), slip("7s")), &["TickCount"], unnamed),
        (
            format!("{}, {resets}, {}", slip("3s"), slip("7s")),
            &["TickCount, restarts: 0", "TickCount, restarts: 1"],
            named,
        ),
        (
            format!("{}, {resets}, {}", slip("3s"), slip("7s")),
            &["TickCount, restarts: 0", "TickCount, restarts: 2"],
            unnamed,
        ),
        (format!("{harmless}, {}, {resets}, {}", slip("3s"), slip("7s")), &["TickCount"], unnamed),
        (format!("{harmless}, {lost}, {resets}"), &["C2cSilent, restarts: 0", "PeerMode, restarts: 1"], named),
        // The order of the names says nothing.
        (
            format!("{}, {resets}, {}", slip("3s"), slip("7s")),
            &["TickCount, restarts: 1", "TickCount, restarts: 0"],
            named,
        ),
    ] {
        let (report, _) = ran(&text(&faults, by), &[]);
        assert_eq!(trips_unasked(&report), wanted, "{faults}, {by:?}");
        let are_met = report.expectations.iter().all(|one| one.verdict == RowVerdict::Pass);
        assert_eq!(are_met, !by.iter().any(|by| by.ends_with('2')), "{faults}, {:?}", report.expectations);
    }
}

/// SSR-046. Who boots first after both were down begins the next life: what it finds before the other one boots is found there.
#[test]
fn what_the_first_cpu_finds_after_a_power_cut_is_of_the_new_life() {
    let faults = [
        "(kind: Safety(Rail(cpu: 1, to: \"3.9V\")), place: Node(\"hall\"), trigger: At(\"2s\"), duration: \"500ms\")",
        "(kind: PowerCut, place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"1s\")",
        "(kind: Safety(FlashBits(cpu: 1, address: 0x78008, bits: 1)), place: Node(\"hall\"), trigger: At(\"3500ms\"))",
    ];
    let judged = |second: &str| {
        let trips = format!(
            "SafetyTrip(unit: \"hall\", by: Rail, restarts: 0), SafetyTrip(unit: \"hall\", by: {second}, restarts: 1)"
        );
        let text = alone("", &faults.join(", "), "8s").replace("137us", "150ms");
        let (report, _) =
            ran(&text.replacen("safety_units:", &format!("expectations: [{trips}], safety_units:"), 1), &[]);
        let are_met = report.expectations.iter().all(|one| one.verdict == RowVerdict::Pass);
        (trips_unasked(&report), are_met)
    };
    assert_eq!(judged("ProductionData, cpu: 1"), (RowVerdict::NotApplicable, true));
    assert_eq!(judged("PeerMissing, cpu: 2"), (RowVerdict::Fail, false));
}

/// SSR-044. A unit that trips and starts anew within the radio time-out of the others is not missed by them.
#[test]
fn a_trip_that_is_over_within_the_radio_timeout_turns_nothing_off() {
    let (name, text) = three();
    let slow = (
        name,
        text.replace("timeout: \"100ms\"", "timeout: \"3s\"")
            .replace("response_time: \"500ms\"", "response_time: \"4s\""),
    );
    let cut = "(kind: Safety(C2cLost(from: 1)), place: Node(\"wall\"), trigger: At(\"2500ms\"), duration: \"30ms\"), ";
    let resets = [1, 2].map(|cpu| at("wall", &format!("CpuReset(cpu: {cpu})")).replace("3s", "2600ms")).join(", ");
    let ran = |faults: &str| three_set_up(&slow, [""; 3], "9s", faults);
    let (report, run) = ran(&format!("{cut}{resets}"));
    assert!(!units_in(&run.twin.world)[0].is_off(), "the hall goes on");
    assert_eq!(
        (seen(&report, REACTION).0, seen(&report, REACTION).1),
        (1, RowVerdict::Pass),
        "{:?}",
        row(&report, REACTION)
    );
    // Silent for good.
    let (report, _) = ran(cut);
    assert_eq!((seen(&report, REACTION).0, seen(&report, REACTION).1), (2, RowVerdict::Pass));
    let (report, _) = ran(&format!("{cut}{STUCK}"));
    assert_eq!(seen(&report, REACTION).1, RowVerdict::Fail);
}

/// SSR-076. A stop after a silence is none of it, also one that comes as the time-out ends.
#[test]
fn a_stop_after_a_silence_is_not_the_silences() {
    let silent = at("roof", "RadioLost()").replace("3s", "2s");
    for stop in ["2090ms", "2094ms", "2097ms", "2099ms", "2103ms", "4s"] {
        let (report, run) = with_input("Or([\"a\", \"r\"])", [&operation("a", stop, "Off"), "", ""], &silent);
        assert_ne!(seen(&report, RADIO).1, RowVerdict::Fail, "{stop}: {:?}", row(&report, RADIO));
        assert_ne!(seen(&report, RESPONSE).1, RowVerdict::Fail, "{stop}: {:?}", row(&report, RESPONSE));
        assert!(units_in(&run.twin.world)[0].is_off(), "{stop}");
    }
}

/// SSR-016, SSR-044, SSR-076. A device that is OFF and that nobody sees counts beside a sender that falls silent, that trips, or that was
/// silent before.
#[test]
fn what_is_off_and_not_seen_counts_beside_who_is_silent() {
    let either = "Or([\"a\", \"r\"])";
    let stop = |when: &str| operation("a", when, "Off");
    let unseen = hidden("hall", 0, "1900ms");
    let known =
        [("2500ms", "RadioLost()", RADIO), ("2500ms", "C2cLost(from: 1)", REACTION), ("4s", "RadioLost()", RESPONSE)];
    for (when, fault, id) in known {
        let fault = at("roof", fault);
        let (report, run) = with_input(either, [&stop(when), "", ""], &format!("{unseen}, {fault}"));
        assert!(!units_in(&run.twin.world)[0].is_off());
        assert_eq!(seen(&report, id).1, RowVerdict::Fail, "{when}, {fault}: {:?}", row(&report, id));
        // An honest wire, and a device that shows ON: either is enough.
        for (done, is_off) in [(stop(when), true), (String::new(), false)] {
            let (report, run) = with_input(either, [&done, "", ""], &fault);
            assert_eq!(units_in(&run.twin.world)[0].is_off(), is_off, "{done}, {fault}");
            for id in [RADIO, REACTION, RESPONSE] {
                assert_ne!(seen(&report, id).1, RowVerdict::Fail, "{done}, {fault}: {:?}", row(&report, id));
            }
        }
    }
    // A sender's stop beside one that has been silent for a second.
    let (stop, silent) = (operation("i", "4s", "Off"), at("roof", "RadioLost()"));
    let unseen = format!("{silent}, {}", hidden("wall", 0, "2s"));
    for (faults, verdict) in [(silent, RowVerdict::Pass), (unseen, RowVerdict::Fail)] {
        let (report, _) = with_input("Or([\"r\", \"w\"])", ["", "", &stop], &faults);
        let of_hall = row(&report, RESPONSE).samples.iter().filter(|one| one.place.contains("outputs of hall")).count();
        assert_eq!((of_hall, seen(&report, RESPONSE).1), (1, verdict), "{:?}", row(&report, RESPONSE));
    }
}

/// SSR-016. A stop that nobody sees, just before its unit restarts or meanwhile, goes on when it talks again.
#[test]
fn a_stop_outlives_the_restart_of_its_unit() {
    let restart = [1, 2].map(|cpu| at("roof", &format!("CpuReset(cpu: {cpu})"))).join(", ");
    let unseen = format!("{}, {restart}", hidden("roof", 0, "2500ms"));
    for stop in ["2950ms", "3100ms"] {
        for (faults, verdict) in [(&unseen, RowVerdict::Fail), (&restart, RowVerdict::Pass)] {
            let (report, run) = with_input("And([\"r\", \"w\"])", ["", &operation("i", stop, "Off"), ""], faults);
            let is_off = units_in(&run.twin.world)[0].is_off();
            let of_hall = row(&report, RESPONSE).samples.iter().any(|one| one.place.contains("outputs of hall"));
            let found = (seen(&report, RESPONSE).1, of_hall, is_off);
            assert_eq!(found, (verdict, true, faults == &restart), "{stop}, {faults}");
        }
    }
}
