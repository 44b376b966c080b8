//! Which trip meets an expectation: one that an injection led to which had acted by then, in the time that is told; each test has the
//! same run with what must not do.

mod common;

use std::path::Path;

use common::units::own;
use cooltwin::run::{self, Identity};
use cooltwin::scenario::{FileSource, load};
use reports::{Report, RowVerdict, Verdict};

/// A unit that feeds pumps and runs, up to an end, with faults; the fence may open and the button be pressed again.
fn until(end: &str, operations: &str, faults: &[String], expectations: &str) -> Report {
    let text = format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end}\"), safety_units: [(
            configuration: \"safety/pump-feed.ron\", node: \"hall\", feeds: [(relay: 0)],
            cpu2: (clock_offset: \"137us\", clock_drift: \"50ppm\"), inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\"), {operations}])],
        faults: [{}], expectations: [{expectations}])",
        faults.join(", ")
    );
    let (loaded, run) = own(&text, &[]);
    run::report(&loaded, &run, &Identity::default())
}

fn hall(faults: &[String], expectations: &str) -> Report {
    until("5s", "", faults, expectations)
}

fn safety(kind: &str, begin: &str) -> String {
    format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{begin}\"))")
}

fn lasting(kind: &str, begin: &str, duration: &str) -> String {
    format!("(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{begin}\"), duration: \"{duration}\")")
}

fn trip(more: &str) -> String {
    format!("SafetyTrip(unit: \"hall\", {more})")
}

/// Whether each expectation of a report holds.
fn held(report: &Report) -> Vec<bool> {
    report.expectations.iter().map(|one| one.verdict == RowVerdict::Pass).collect()
}

/// SSR-037: a unit whose CPUs both stand still drives on without anybody who tests anything. It is not normal, however silent it is.
#[test]
fn a_unit_that_makes_no_step_any_more_is_not_normal() {
    let halts = [safety("CpuHalted(cpu: 1)", "3s"), safety("CpuHalted(cpu: 2)", "3s")];
    let normal = "SafetyStaysNormal(\"hall\")";
    let report = hall(&halts, normal);
    assert_eq!(held(&report), [false]);
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.safety_units[0].modes, ["stands-still", "stands-still"]);
    assert_eq!(hall(&halts[1..], "").safety_units[0].modes, ["safe", "stands-still"]);
    assert_eq!(hall(&[], "").safety_units[0].modes, ["normal", "normal"]);
    let why = &report.expectations[0].detail;
    assert!(
        why.contains("CPU1 made its last step at 2999") || why.contains("CPU1 made its last step at 3000"),
        "{why}"
    );
    let row = report.checks.iter().find(|row| row.id == "safety_units_become_normal").expect("the row");
    assert_eq!(row.verdict, RowVerdict::Fail, "without the expectation it is told, too");
    assert_eq!(held(&hall(&[], normal)), [true]);
}

/// A trip that is named excuses the unit until it restarts: what it does after that it does in its new life. With relays closed and nobody
/// who makes a step it is dangerous; with the fence open nothing is on.
#[test]
fn a_named_trip_excuses_nothing_after_the_restart() {
    let trip = trip("by: TickCount, restarts: 0");
    let reset = |cpu: u8| safety(&format!("CpuReset(cpu: {cpu})"), "4s");
    let anew = vec![safety("TickSlip(cpu: 1)", "3s"), reset(1), reset(2)];
    let halts = [1, 2].map(|cpu| safety(&format!("CpuHalted(cpu: {cpu})"), "6s"));
    let press = "(at: \"5500ms\", input: \"button\", to: On, duration: \"300ms\")";
    let open = "(at: \"5900ms\", input: \"fence\", to: Off)";
    let rows = |operations: &str, faults: &[String], expectations: &str| {
        let report = until("7s", operations, faults, expectations);
        let row = |id: &str| report.checks.iter().find(|row| row.id == id).expect("the row").verdict;
        let rows = ["safety_units_become_normal", "nothing_is_driven_outside_normal_mode", "healthy_units_do_not_trip"]
            .map(row);
        (rows, held(&report), report.verdict, report.injections.iter().map(|one| one.class.clone()).collect::<Vec<_>>())
    };
    let all = format!("{trip}, SafetyRestarts(\"hall\")");
    let (pass, fail, all_named) = (RowVerdict::Pass, RowVerdict::Fail, RowVerdict::NotApplicable);
    let (of_rows, met, verdict, _) = rows(press, &anew, &all);
    assert_eq!((of_rows, met, verdict), ([pass, pass, all_named], vec![true, true], Verdict::Pass));
    let halted = [&anew[..], &halts[..]].concat();
    let (of_rows, met, verdict, classes) = rows(press, &halted, &all);
    assert_eq!((of_rows, met, verdict), ([fail, fail, all_named], vec![true, false], Verdict::Fail));
    assert_eq!(classes[3..], ["undetected-dangerous", "undetected-dangerous"]);
    assert_eq!(rows(press, &halted, &trip).2, Verdict::Fail, "without the expectation of a restart it is told, too");
    let (of_rows, ..) = rows(&format!("{press}, {open}"), &halted, &trip);
    assert_eq!(of_rows, [fail, pass, all_named]);
    // One that stands still is found by the other one; what is found has no name.
    let (of_rows, ..) = rows(press, &[&anew[..], &halts[..1]].concat(), &trip);
    assert_eq!(of_rows[1..], [pass, fail]);
}

/// The converter that shows 10 % more of the supply is found by the other rail after 10 ms, long before the transistor acts that should
/// have been found within 2 ms.
#[test]
fn what_was_detected_before_a_fault_acted_is_not_its_trip() {
    let gain = safety("Adc(cpu: 1, channel: Supply, error: Gain(\"100000ppm\"))", "3s");
    let both = [gain.clone(), safety("MainTransistor(conducts: true)", "3009ms")];
    for (within, wanted) in [("2ms", false), ("20ms", true)] {
        let wanted_trip = trip(&format!("by: SioPower, within: \"{within}\""));
        let report = hall(&both, &wanted_trip);
        assert_eq!(held(&report), [wanted], "{within}: {:?}", report.expectations);
        let row = report.checks.iter().find(|row| row.id == "diagnostics_find_what_is_injected").expect("the row");
        assert_eq!(row.verdict == RowVerdict::Pass, wanted, "{within}");
        // Alone it takes as long.
        assert_eq!(held(&hall(std::slice::from_ref(&gain), &wanted_trip)), [wanted], "{within}, alone");
    }
}

/// 25 packets lost at 3 s trip CPU2 after 20 ms. One lost packet at 2 s neither makes the trip late enough nor too late; where both hit the
/// same CPU within the second in which a fault can be found, either bound counts from the worse of them.
#[test]
fn bounds_count_from_the_faults_that_can_have_led_to_the_trip() {
    let lost = |from: u8, packets: u32, at: &str| safety(&format!("C2cLost(from: {from}, packets: {packets})"), at);
    let cases = [
        (lost(2, 1, "2s"), "after: \"19ms\", within: \"21ms\"", true),
        (lost(2, 1, "2s"), "after: \"1s\"", false),
        (lost(1, 1, "1900ms"), "within: \"21ms\"", true),
        (lost(1, 1, "1900ms"), "after: \"25ms\"", false),
        (lost(1, 1, "2900ms"), "after: \"19ms\", within: \"121ms\"", true),
        (lost(1, 1, "2900ms"), "within: \"119ms\"", false),
        (lost(1, 1, "2900ms"), "after: \"21ms\"", false),
    ];
    for (harmless, bounds, wanted) in cases {
        let report = hall(&[harmless.clone(), lost(1, 25, "3s")], &trip(&format!("by: C2cSilent, cpu: 2, {bounds}")));
        assert_eq!(held(&report), [wanted], "{harmless}, {bounds}: {:?}", report.expectations);
    }
    // In a later life of the unit, too.
    let cut = lasting("PowerCut", "3s", "50ms");
    let faults = [lost(1, 1, "2s"), cut, lost(1, 25, "5s")];
    for (within, wanted) in [("25ms", true), ("19ms", false)] {
        let wanted_trip = trip(&format!("by: C2cSilent, restarts: 1, within: \"{within}\""));
        let report =
            until("6s", "(at: \"4500ms\", input: \"button\", to: On, duration: \"300ms\")", &faults, &wanted_trip);
        assert_eq!(held(&report), [wanted], "{within}: {:?}", report.expectations);
    }
}

/// From 24 V to 5 V in 10 s, a unit that trips below 17.5 V for 500 ms does so at 6.9 s at the latest, before half of the way at 8 s.
#[test]
fn a_supply_that_goes_down_slowly_leads_to_its_trip_before_half_of_the_way() {
    let ramp = "(kind: Ramp(to: \"5V\", over: \"10s\"), place: Node(\"hall\"), trigger: At(\"3s\"))".to_owned();
    for (bounds, wanted) in [("", true), (", within: \"4s\"", true), (", within: \"3s\"", false)] {
        let report = until("14s", "", std::slice::from_ref(&ramp), &trip(&format!("by: SupplyLow{bounds}")));
        assert_eq!(held(&report), [wanted], "{bounds}: {:?}", report.expectations);
    }
}

/// SSR-082, SSR-083: the CPU that found it in that life is what the row stands for.
#[test]
fn each_trip_stands_for_the_requirements_of_the_cpu_that_found_it() {
    let faults = [
        lasting("Safety(Rail(cpu: 2, to: \"2900mV\"))", "3s", "100ms"),
        lasting("PowerCut", "3300ms", "100ms"),
        safety("Rail(cpu: 1, to: \"2900mV\")", "6s"),
    ];
    let expected = [trip("by: Rail, cpu: 1, restarts: 0"), trip("by: Rail, cpu: 2, restarts: 1")].join(", ");
    let report = until("7s", "", &faults, &expected);
    assert_eq!(held(&report), [true, true], "{:?}", report.expectations);
    let row = report.checks.iter().find(|row| row.id == "diagnostics_find_what_is_injected").expect("the row");
    assert_eq!(row.requirements, ["SSR-082", "SSR-083"]);
}

/// A fence that opens is not seen behind a wire that is shorted: what is on while a device is OFF is dangerous, whoever trips later.
#[test]
fn a_fault_behind_which_a_device_that_is_off_keeps_nothing_off_is_dangerous() {
    let faults = [safety("Wire(pin: 5, is: ToSupply)", "3s"), safety("TickSlip(cpu: 1)", "3500ms")];
    let again =
        "(at: \"2500ms\", input: \"fence\", to: Off), (at: \"2990ms\", input: \"button\", to: On, duration: \"300ms\")";
    let class = |operations: &str| {
        let report = until("5s", operations, &faults, &trip("by: TickCount"));
        let row = report.checks.iter().find(|row| row.id == "devices_that_are_off_keep_outputs_off").expect("the row");
        (row.verdict, report.injections[0].class.clone())
    };
    assert_eq!(class(again), (RowVerdict::Fail, "undetected-dangerous".to_owned()));
    assert_ne!(class("").1, "undetected-dangerous");
}

/// A try that failed for a feed that the unit cut was made good later; still the unit has detected its fault.
#[test]
fn what_a_unit_detected_is_detected_even_where_the_update_went_on_later() {
    for name in ["safety-state-in-update", "safety-state-in-update-restarted"] {
        let loaded = common::loaded(&common::shipped(&format!("{name}.ron")), &["package.image.length=24KiB"]);
        let report = run::report(&loaded, &run::run(&loaded.scenario, None, |_| {}), &Identity::default());
        let classes: Vec<&str> = report.injections.iter().map(|one| one.class.as_str()).collect();
        assert!(classes.contains(&"detected-safe"), "{name}: {classes:?}");
    }
}

struct Text(String);

impl FileSource for Text {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("own.ron") {
            return Ok(self.0.clone().into_bytes());
        }
        std::fs::read(common::shipped(path.to_str().unwrap_or_default())).map_err(|error| error.to_string())
    }
}

/// One detection would show both.
#[test]
fn the_same_trip_expected_twice_is_refused() {
    let scenario = |first: &str, second: &str| {
        let expected = [trip(first), trip(second)].join(", ");
        Text(format!("(extends: \"safety-unit.ron\", expectations: [{expected}])"))
    };
    let wrong = [
        ("by: OutputWiring", "by: OutputWiring"),
        ("by: C2cSilent, cpu: 1", "by: C2cSilent, cpu: 2"),
        // The first of the run is one of its life, too.
        ("by: C2cSilent", "by: C2cSilent, restarts: 1"),
        ("by: C2cSilent, restarts: 0", "by: C2cSilent"),
        ("by: C2cSilent, cpu: 2", "by: C2cSilent, restarts: 0"),
        ("by: OutputWiring", "by: OutputWiring, restarts: 0"),
    ];
    for (first, second) in wrong {
        let told =
            format!("{:?}", load(&scenario(first, second), Path::new("own.ron"), &[]).expect_err("both are one"));
        assert!(told.contains("this trip of hall is expected twice"), "{first}, {second}: {told}");
        assert!(told.contains("say of both with `restarts`"), "{told}");
    }
    let right = [
        ("by: OutputWiring", "by: OssdShort"),
        ("by: C2cSilent, restarts: 0", "by: C2cSilent, restarts: 1"),
        ("by: C2cSilent, cpu: 1", "by: C2cSilent, cpu: 2, restarts: 1"),
    ];
    for (first, second) in right {
        assert!(load(&scenario(first, second), Path::new("own.ron"), &[]).is_ok(), "{first}, {second}");
    }
}

/// SSR-044. A unit trips in each of two lives: a name that is about the first of the run excuses that one alone.
#[test]
fn one_name_excuses_one_trip_of_the_run() {
    let lost = |at: &str| safety("C2cLost(from: 1, packets: 25)", at);
    let faults = [lost("3s"), lasting("PowerCut", "4s", "50ms"), lost("7s")];
    let judged = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| trip(&format!("by: C2cSilent{name}"))).collect();
        let report = until("8s", "", &faults, &names.join(", "));
        let row = report.checks.iter().find(|row| row.id == "healthy_units_do_not_trip").expect("the row");
        (held(&report), row.verdict)
    };
    assert_eq!(judged(&[", within: \"22ms\""]), (vec![true], RowVerdict::Fail));
    // What is asked for shows nothing of a healthy unit.
    assert_eq!(judged(&[", restarts: 0", ", restarts: 1"]), (vec![true, true], RowVerdict::NotApplicable));
}

/// Faults of the wiring follow one another: each name stands behind those before it in its life, however that is told.
#[test]
fn a_fault_of_the_wiring_stands_behind_those_named_before_it_in_its_life() {
    let held_of = |names: [&str; 2]| {
        let names = names.map(|name| format!("SafetyTrip(unit: \"machine\", by: {name})"));
        let loaded = common::loaded(
            &common::shipped("safety-ossd-short-one-off.ron"),
            &[&format!("expectations=[{}]", names.join(", "))],
        );
        held(&run::report(&loaded, &run::run(&loaded.scenario, None, |_| {}), &Identity::default()))
    };
    for names in [
        ["OutputWiring", "OssdShort"],
        ["OutputWiring", "OssdShort, restarts: 0"],
        ["OutputWiring, restarts: 0", "OssdShort"],
        ["OutputWiring, restarts: 0", "OssdShort, restarts: 0"],
    ] {
        assert_eq!(held_of(names), [true; 2], "{names:?}");
    }
    assert_eq!(held_of(["OssdShort", "OutputWiring"]), [false, true], "the wiring came first");
    assert_eq!(held_of(["OutputWiring", "OssdShort, restarts: 1"]), [true, false], "the unit never restarted");
    assert_eq!(held_of(["OutputWiring, restarts: 1", "OssdShort"]), [false; 2], "one of another life leaves the first");
}
