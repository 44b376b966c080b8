//! What had to go off, and why: the rows of supply, response time, remote outputs and radio judge the right outputs by the right clock.
//!
//! Each test holds an honest unit, which must pass, against a dangerous one, which must not: a supply that no trip answers, a stop that
//! nobody sees, outputs of other units that rest on what is silent, stopped or in its safe state.

mod common;

use std::fs;
use std::path::Path;

use bevy_ecs::prelude::World;
use common::units::units_in;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::core::Muffle;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::SimTime;
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{FileSource, Loaded, load};
use cooltwin::twin;
use reports::{Budget, Fixed, Report, RowVerdict};
use safety_common::fault::Fault;

/// Configurations of this test, and the shipped ones.
struct Files<'a>(&'a str, &'a [(&'a str, String)]);

impl FileSource for Files<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("own.ron") {
            return Ok(self.0.as_bytes().to_vec());
        }
        match self.1.iter().find(|(name, _)| path == Path::new(name)) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => fs::read(common::shipped(path.to_str().unwrap_or_default())).map_err(|error| error.to_string()),
        }
    }
}

/// A shipped configuration with other words in it.
fn changed(name: &str, words: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(common::shipped(name)).expect("it is shipped");
    for (old, new) in words {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

fn loaded(text: &str, files: &[(&str, String)]) -> Loaded {
    load(&Files(text, files), Path::new("own.ron"), &[]).unwrap_or_else(|error| panic!("{error:?}"))
}

fn ran(text: &str, files: &[(&str, String)]) -> (Report, Run) {
    let loaded = loaded(text, files);
    let run = run::run(&loaded.scenario, None, |_| {});
    (run::report(&loaded, &run, &Identity::default()), run)
}

fn row<'a>(report: &'a Report, id: &str) -> &'a Budget {
    report.budgets.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row {id}"))
}

/// A row's count, verdict and the place of its worst, without the time of contacts.
fn seen(report: &Report, id: &str) -> (u64, RowVerdict, String) {
    let row = row(report, id);
    let place = row.r#where.as_deref().unwrap_or_default();
    (row.n, row.verdict, place.split(", contacts").next().unwrap_or_default().to_owned())
}

fn ms(row: &Budget) -> f64 {
    row.measured.unwrap_or_default().as_millionths() as f64 / 1e6
}

/// One unit that drives an output and two relays from 1.8 s on, with these words in its setup and these faults.
fn alone(setup: &str, faults: &str, end: &str) -> String {
    format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end}\"), safety_units: [(
            configuration: \"safety/pump-feed.ron\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
            inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\"){setup}])], faults: [{faults}])"
    )
}

fn at_hall(kind: &str, trigger: &str) -> String {
    format!("(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{trigger}\"))")
}

/// What nobody can turn off.
const STUCK: &str =
    "(kind: Safety(Transistor(pin: 8, conducts: true)), place: Node(\"hall\"), trigger: At(\"2900ms\")),
    (kind: Safety(MainTransistor(conducts: true)), place: Node(\"hall\"), trigger: At(\"2900ms\"))";

const SUPPLY: &str = "safety-supply-reaction";
const RESPONSE: &str = "safety-response";
const REACTION: &str = "safety-fault-reaction";
const RADIO: &str = "safety-radio-timeout";

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
        assert!(units_in(&run.twin.world).iter().all(|unit| unit.watch.cpus.iter().all(|cpu| cpu.cause.is_none())));
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

fn each(world: &mut World, mut change: impl FnMut(&mut Unit)) {
    for entity in world.resource::<Units>().entities().to_vec() {
        world.get_mut::<Unit>(entity).into_iter().for_each(|mut unit| change(&mut unit));
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

/// SSR-016. What turns nothing off is no stop: a feedback, a button that was OFF before, an input that the diagram gives ten seconds.
#[test]
fn an_input_that_stops_nothing_is_no_stop() {
    for input in ["lock_seen", "button"] {
        let faults = at_hall(&format!("Safety(InputOff(\"{input}\"))"), "3s");
        assert_eq!(seen(&ran(&alone("", &faults, "5s"), &[]).0, RESPONSE).1, RowVerdict::NotApplicable, "{input}");
    }
    let flow = "(kind: Safety(InputOff(\"flow\")), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"1s\")";
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

fn at(node: &str, kind: &str) -> String {
    format!("(kind: Safety({kind}), place: Node(\"{node}\"), trigger: At(\"3s\"))")
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

/// Three units: the hall's output rests on both of the others, which have one of their own each.
fn three() -> (&'static str, String) {
    let sender = |name: &str, serial: u32| {
        format!(
            "(name: \"{name}\", serial: {serial}, radio: true, memories: 16, supply: (minimum: \"9V\", maximum: \"32V\"),
            pins: [(pin: 0, name: \"p\", role: Input), (pin: 1, name: \"q\", role: Output)],
            inputs: [(name: \"i\", pins: Single(\"p\"))], outputs: [(name: \"o\", pins: Single(\"q\"))],
            blocks: [(name: \"x\", kind: Input(\"i\")), (name: \"m\", kind: MemorySend(memory: 0, of: \"x\")),
                (name: \"s\", kind: Output(group: \"o\", of: \"x\"))])"
        )
    };
    let hall =
        "(name: \"hall\", serial: 0x51A00401, radio: true, memories: 0, supply: (minimum: \"9V\", maximum: \"32V\"),
        pins: [(pin: 8, name: \"p\", role: Output)], outputs: [(name: \"o\", pins: Single(\"p\"))],
        blocks: [(name: \"r\", kind: MemoryReceive(node: \"roof\", memory: \"m\")),
            (name: \"w\", kind: MemoryReceive(node: \"wall\", memory: \"m\")),
            (name: \"both\", kind: And([\"r\", \"w\"])), (name: \"s\", kind: Output(group: \"o\", of: \"both\"))])";
    let (roof, wall) = (sender("roof", 0x51A0_0402), sender("wall", 0x51A0_0403));
    let text = format!(
        "(network: 3, password: \"p\", response_time: \"500ms\", radio: (timeout: \"100ms\", period: \"20ms\"),
        nodes: [{hall}, {roof}, {wall}])"
    );
    ("three.ron", text)
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
