//! Borders of safety units in the twin: radio time-outs, steps at a combined pin, strangers on the bus, noise of the converters.

mod common;

use std::fs;

use common::demands::{RESPONSE, STUCK, alone, changed, ran, seen};
use common::units::{own, own_loaded, units_in};
use cooltwin::cli::Disk;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{Loaded, load};
use cooltwin::twin;
use reports::{Report, RowVerdict, Verdict};
use safety_common::fault::Fault;

fn report(loaded: &Loaded, run: &Run) -> Report {
    run::report(loaded, run, &Identity::default())
}

fn at_ms(ms: u64) -> SimTime {
    SimTime::ZERO + Span::from_millis(ms)
}

/// Two units: "hall" drives its relays while "roof" is heard. `more` stands at the end of the scenario.
fn two_units(end_s: u64, roof: &str, more: &str) -> String {
    format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end_s}s\"), safety_units: [
        (configuration: \"changed/cooling-watch.ron\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
            inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"2s\", input: \"button\", to: On, duration: \"300ms\")]),
        (configuration: \"changed/cooling-watch.ron\", node: \"roof\", cpu1: (clock_offset: \"31ms\"),
            cpu2: (clock_offset: \"31211us\"){roof})], {more})"
    )
}

/// A silence of the roof's radio.
struct Silence {
    timeout_ms: u32,
    period_ms: u32,
    /// Packets in a row that do not come, or come damaged, and how much later the next ones come.
    packets: u32,
    later_ms: u32,
}

impl Silence {
    /// What becomes of the hall: whether it drives its relays at the end, and the verdict of its budget.
    fn leaves_on(&self, kind: &str) -> (bool, RowVerdict) {
        let Self { timeout_ms, period_ms, packets, later_ms } = self;
        let fault = |kind: String| format!("(kind: Safety({kind}), place: Node(\"roof\"), trigger: At(\"3s\"))");
        let mut faults = Vec::new();
        if *packets > 0 {
            faults.push(fault(format!("{kind}(packets: {packets})")));
        }
        if *later_ms > 0 {
            faults.push(fault(format!("RadioDelayed(\"{later_ms}ms\")")));
        }
        let end = 5 + u64::from(packets * period_ms / 1_000);
        let text = two_units(end, "", &format!("faults: [{}]", faults.join(", ")));
        let changed = [
            (
                "radio: (timeout: \"100ms\", period: \"20ms\")",
                &*format!("radio: (timeout: \"{timeout_ms}ms\", period: \"{period_ms}ms\")"),
            ),
            ("response_time: \"250ms\"", "response_time: \"61s\""),
        ];
        let (loaded, run) = own(&text, &changed);
        let row = report(&loaded, &run).budgets.into_iter().find(|row| row.id == "safety-radio-timeout").expect("it");
        let units = units_in(&run.twin.world);
        assert!(units.iter().all(|unit| unit.watch.cpus.iter().all(|cpu| cpu.causes.is_empty() && cpu.ticks > 0)));
        (units[0].live.1 == 0b1111, row.verdict)
    }
}

/// Verifies SSR-076. The least, a short and the greatest time-out; silences a step shorter survive and a step longer do not; all is off
/// in time when the radio stays silent. Packets that come damaged are none.
#[test]
fn memories_become_zero_with_the_time_out_whatever_it_is() {
    // Gap = (packets + 1) * period + delay: one ms below the time-out, and one above it.
    let borders = [
        (4, 2, 0, Some(1), 3),
        (4, 2, 1, None, 1),
        (10, 5, 0, Some(4), 6),
        (10, 5, 1, None, 1),
        (60_000, 20, 2_998, Some(19), 21),
    ];
    for (timeout_ms, period_ms, packets, below, above) in borders {
        let silence = |later_ms| Silence { timeout_ms, period_ms, packets, later_ms };
        let kinds: &[&str] = if packets == 1 { &["RadioLost", "RadioCorrupted"] } else { &["RadioLost"] };
        for kind in kinds {
            let place = format!("{timeout_ms} ms, {packets} packets, {kind}");
            if let Some(below) = below {
                assert_eq!(
                    silence(below).leaves_on(kind),
                    (true, RowVerdict::NotApplicable),
                    "{place}, {below} ms later"
                );
            }
            // The next packet may come before the last output is off: then there is no time to measure.
            let (on, verdict) = silence(above).leaves_on(kind);
            assert!(!on && verdict != RowVerdict::Fail, "{place}, {above} ms later");
        }
        let for_good = Silence { timeout_ms, period_ms, packets: timeout_ms / period_ms + 100, later_ms: 0 };
        assert_eq!(for_good.leaves_on("RadioLost"), (false, RowVerdict::Pass), "{timeout_ms} ms, silent");
    }
}

/// When each CPU of a unit no longer reads an input group as ON, after `from`.
fn sees_off(loaded: &Loaded, from: SimTime, group: u16) -> [Option<Span>; 2] {
    let mut twin = twin::build(&loaded.scenario, None);
    let _ = twin.run_until(from);
    let is_on = |unit: &Unit, cpu: usize| unit.cores[cpu].logic.inputs_on >> group & 1 == 1;
    let before = units_in(&twin.world);
    assert!((0..2).all(|cpu| is_on(before[0], cpu)), "ON before the step");
    let mut seen = [None; 2];
    for step in 1..=160 {
        let since = Span::from_nanos(step * 62_500);
        let _ = twin.run_until(from + since);
        let unit = units_in(&twin.world)[0];
        for (cpu, seen) in seen.iter_mut().enumerate() {
            if seen.is_none() && !is_on(unit, cpu) {
                *seen = Some(since);
            }
        }
    }
    seen
}

/// Verifies SSR-039. The outside lets go of a combined pin at any phase of its reads, while the unit drives it as well and while it does
/// not: both CPUs see it within 4 ms and a tick, reads are 4 ms apart at most, and all is off within the response time.
#[test]
fn a_step_at_a_combined_pin_is_seen_within_4_ms_and_a_tick() {
    let mut worst = [Span::ZERO; 2];
    for driven in [true, false] {
        for phase in 0..42u64 {
            // Reads are 3 ms apart; 42 phases of 73 us cover them, on no grid of the slots.
            let at = 3_000_000_000 + phase * 73_331;
            let trigger = format!("faults[0].trigger=At(\"{at}ns\")");
            let enable = "safety_units[0].inputs=[(input: \"enable\", device: Off)]";
            // The wire breaks: no demand that the unit has to answer, for nothing rests on it now.
            let open = "faults[0].kind=Safety(Wire(pin: 7, is: Open))";
            let expectations = "expectations=[SafetyStaysNormal(\"machine\")]";
            let all = [trigger.as_str(), expectations, enable, open];
            let loaded =
                common::loaded(&common::shipped("safety-combined-step.ron"), &all[..if driven { 2 } else { 4 }]);
            let seen = sees_off(&loaded, SimTime::from_nanos(at), 1);
            for (worst, seen) in worst.iter_mut().zip(seen) {
                *worst = (*worst).max(seen.expect("it is seen"));
            }
            let report = report(&loaded, &run::run(&loaded.scenario, None, |_| {}));
            assert_eq!(report.verdict, Verdict::Pass, "phase {phase}");
            let rows = |id: &str| report.budgets.iter().find(|row| row.id == id).map(|row| (row.n > 0, row.verdict));
            assert_eq!(rows("safety-combined-io"), Some((true, RowVerdict::Pass)));
            let response = if driven { (true, RowVerdict::Pass) } else { (false, RowVerdict::NotApplicable) };
            assert_eq!(rows("safety-response"), Some(response), "phase {phase}, driven {driven}");
        }
    }
    assert!(worst.iter().all(|worst| *worst > Span::from_millis(2)), "the phases find no late read: {worst:?}");
    assert!(worst.iter().all(|worst| *worst <= Span::from_millis(5)), "{worst:?}");
}

/// The hall runs only while the roof's bit on CAN is set.
const ON_CAN: [(&str, &str); 1] = [(
    "(name: \"safe\", kind: And([\"no_stop\", \"dry\", \"cool\", \"roof_well\"]))",
    "(name: \"safe\", kind: And([\"fan_runs\", \"no_stop\", \"cool\", \"roof_well\"]))",
)];

const STRANGER: &str = "further_nodes: [\"stranger\"], traffic: [(name: \"forged\", node: \"stranger\", id: 0x041,
    payload: \"0100 0001 0000 0000\", period: \"7ms\", offset: \"2500ms\")]";

/// Verifies SSR-080. Frames of a stranger with another unit's identifier: without the sum that only that unit can make none is believed,
/// and after the 17th the entry reads 0.
#[test]
fn frames_of_a_stranger_set_nothing_and_end_what_rests_on_the_entry() {
    let (_, healthy) = own(&two_units(5, "", "faults: []"), &ON_CAN);
    assert_eq!(units_in(&healthy.twin.world)[0].live.1, 0b1111, "the bit alone lets it run");
    let (_, forged) = own(&two_units(5, "", STRANGER), &ON_CAN);
    let hall = units_in(&forged.twin.world)[0];
    let off = hall.watch.last_off.expect("it was off").since(at_ms(2_500));
    // 17 frames in 16 periods, the last one's way over the bus, a tick to see it and one to switch.
    assert!(off >= Span::from_millis(112) && off <= Span::from_millis(116), "{off} ms");
    assert!(hall.watch.cpus.iter().all(|cpu| cpu.detections.is_empty()), "nothing is wrong with the hall");
    assert_eq!(hall.live.1, 0);
    // The roof's bit is not set; the stranger's is.
    let loaded = own_loaded(&two_units(5, ", inputs: [(input: \"fan\", device: Off)]", STRANGER), &ON_CAN);
    let mut twin = twin::build(&loaded.scenario, None);
    for ms in (0..5_000).step_by(5) {
        let _ = twin.run_until(at_ms(ms));
        assert_eq!(units_in(&twin.world)[0].live.1, 0, "at {ms} ms");
    }
}

/// Verifies SSR-080. A right frame that comes from somewhere else is found at every place in the tick, within two ticks of its end, and the unit is
/// off; the other one is off with the radio's time-out.
#[test]
fn a_masquerade_is_found_at_any_phase() {
    for phase in 0..16u64 {
        let after = format!("faults[0].kind.after=\"{}us\"", 2_000 + phase * 67);
        let loaded = common::loaded(&common::shipped("safety-can-masquerade.ron"), &[&after]);
        let run = run::run(&loaded.scenario, None, |_| {});
        assert_eq!(report(&loaded, &run).verdict, Verdict::Pass, "{after}");
    }
}

/// Verifies SSR-033. One comparison in five outside the limit of 1 V is legal for ever, that is noise of 1.25 V: below it no seed trips, above it
/// every one does. At a pin as at the supply, in either CPU.
#[test]
fn noise_below_a_fifth_outside_is_tolerated_and_above_it_trips() {
    for seed in 1..=6 {
        for (cpu, channel) in [(1, "Supply"), (2, "Supply"), (1, "Pin(2)"), (2, "SioPower")] {
            let verdict = |millivolts: u32, expectation: &str| {
                let fault = format!(
                    "faults[0].kind=Safety(Adc(cpu: {cpu}, channel: {channel}, error: Noise(\"{millivolts}mV\")))"
                );
                let all = [
                    format!("seed={seed}"),
                    fault,
                    format!("expectations=[{expectation}]"),
                    "end=At(\"9s\")".to_owned(),
                ];
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let loaded = common::loaded(&common::shipped("safety-adc-noise-cpu1.ron"), &all);
                report(&loaded, &run::run(&loaded.scenario, None, |_| {})).verdict
            };
            let place = format!("seed {seed}, CPU{cpu}, {channel}");
            assert_eq!(verdict(1_100, "SafetyStaysNormal(\"hall\")"), Verdict::Pass, "{place}");
            let trips = "SafetyTrip(unit: \"hall\", by: AnalogMismatch, after: \"19ms\", within: \"1s\")";
            assert_eq!(verdict(1_600, trips), Verdict::Pass, "{place}");
        }
    }
}

/// Verifies SSR-040. One of two OSSD outputs is OFF: the short makes it follow the dips of the other one, and that is told for both.
#[test]
fn an_output_that_follows_the_dips_of_another_is_found() {
    let loaded = common::loaded(&common::shipped("safety-ossd-short-one-off.ron"), &[]);
    let run = run::run(&loaded.scenario, None, |_| {});
    let unit = units_in(&run.twin.world)[0];
    let shorts = unit.watch.cpus[0].detections.iter().filter(|(_, one)| one.fault == Fault::OssdShort);
    let shorts: Vec<(u32, Span)> = shorts.map(|(at, one)| (one.detail, at.since(at_ms(3_000)))).collect();
    assert_eq!(shorts.iter().map(|(pin, _)| *pin).collect::<Vec<_>>(), [8, 9]);
    assert!(shorts.iter().all(|(_, since)| *since <= Span::from_millis(320)), "{shorts:?}");
    assert_eq!(unit.live.0 & 0b11 << 8, 0, "both are off");
}

/// The shipped unit with these faults, for `end`.
fn unit_with(faults: &str, expectations: &str, end: &str) -> Report {
    let all = [format!("faults=[{faults}]"), format!("expectations=[{expectations}]"), format!("end=At(\"{end}\")")];
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let loaded = common::loaded(&common::shipped("safety-unit.ron"), &all);
    report(&loaded, &run::run(&loaded.scenario, None, |_| {}))
}

/// Faults whose setting alone shows nothing.
const SILENT: [&str; 12] = [
    "Adc(cpu: 1, channel: Supply, error: Stuck(\"0V\"))",
    "Clock(cpu: 1, by: \"500000ppm\")",
    "Contact(relay: 0, cpu: 1, closed: true)",
    "Contact(relay: 0, cpu: 1, closed: false)",
    "InputOff(\"stop\")",
    "LogicTime(cpu: 1, takes: \"900us\")",
    "NoDeadline(cpu: 1)",
    "Rail(cpu: 1, to: \"2V\")",
    "Transistor(pin: 5, conducts: true)",
    "View(cpu: 1, pin: 0, high: false)",
    "Wire(pin: 0, is: ToGround)",
    "MainTransistor(conducts: true)",
];

fn at_hall(kind: &str, trigger: &str, duration: &str) -> String {
    format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{trigger}\"), duration: \"{duration}\")")
}

/// A fault wholly within a power cut of the unit meets no CPU that runs.
#[test]
fn a_fault_at_a_dark_unit_has_not_acted() {
    let cut = "(kind: PowerCut, place: Node(\"hall\"), trigger: At(\"2s\"), duration: \"1s\")";
    for kind in SILENT {
        let report = unit_with(&format!("{cut}, {}", at_hall(kind, "2300ms", "200ms")), "", "4500ms");
        let activations: Vec<u64> = report.injections.iter().map(|one| one.activations).collect();
        assert_eq!(activations, [1, 0], "{kind}");
        assert!(report.verdict != Verdict::Pass, "{kind}");
    }
}

/// A fault that is gone before the next step was seen by nobody; the same one for two ticks is. Contacts, devices that the unit reads
/// and transistors are held against their steps in the same way.
#[test]
fn a_fault_between_two_steps_has_not_acted_and_one_over_a_step_has() {
    let normal = "SafetyStaysNormal(\"hall\")";
    // The first is a weld of a contact that stays closed anyway, the last two need a logic that is too long and a test dip.
    let seen = ["Contact(relay: 0, cpu: 1, closed: true)", "NoDeadline(cpu: 1)", "MainTransistor(conducts: true)"];
    for kind in SILENT.into_iter().filter(|kind| *kind != "Contact(relay: 0, cpu: 1, closed: false)") {
        // Nor does it fall on a sample of a pin, one in each 62.5 us.
        let short = unit_with(&at_hall(kind, "3000510us", "10us"), normal, "4s");
        assert_eq!((short.injections[0].activations, short.verdict), (0, Verdict::Inconclusive), "{kind}");
        let long = unit_with(&at_hall(kind, "3000500us", "2ms"), "", "3500ms");
        assert_eq!(long.injections[0].activations, u64::from(!seen.contains(&kind)), "{kind}");
    }
    let clock = at_hall("Clock(cpu: 1, by: \"500000ppm\")", "3000500us", "10ns");
    assert_eq!(unit_with(&clock, normal, "4s").verdict, Verdict::Inconclusive);
    // Of two that set the same thing the one that began last acts.
    let masked =
        ["900us", "100us"].map(|takes| at_hall(&format!("LogicTime(cpu: 1, takes: \"{takes}\")"), "3s", "2ms"));
    let activations: Vec<u64> =
        unit_with(&masked.join(", "), "", "4s").injections.iter().map(|one| one.activations).collect();
    assert_eq!(activations, [0, 1]);
    // A dead guard alone guards nothing that goes wrong.
    assert_eq!(unit_with(&at_hall("NoDeadline(cpu: 1)", "3s", "1s"), normal, "5s").verdict, Verdict::Inconclusive);
}

/// The main transistor that conducts for ever acts when it is told to let go: in its first test dip.
#[test]
fn a_main_transistor_is_proven_by_what_it_does_not_follow() {
    let report = unit_with(&at_hall("MainTransistor(conducts: true)", "3s", "1s"), "", "4s");
    assert_eq!(report.injections[0].activations, 1);
}

/// Values that are there already.
#[test]
fn a_fault_of_a_unit_that_changes_nothing_is_refused() {
    let nothing = [
        ("Clock(cpu: 1, by: \"0ppm\")", "Clock(cpu: 1, by: \"1ppm\")"),
        ("Clock(cpu: 2, by: \"50ppm\")", "Clock(cpu: 2, by: \"0ppm\")"),
        ("LogicTime(cpu: 1, takes: \"300us\")", "LogicTime(cpu: 1, takes: \"301us\")"),
        ("Adc(cpu: 1, channel: Supply, error: Above(\"0mV\"))", "Adc(cpu: 1, channel: Supply, error: Above(\"1mV\"))"),
        ("Adc(cpu: 1, channel: Supply, error: Below(\"0mV\"))", "Adc(cpu: 1, channel: Supply, error: Below(\"1mV\"))"),
        ("Adc(cpu: 1, channel: Supply, error: Gain(\"0ppm\"))", "Adc(cpu: 1, channel: Supply, error: Stuck(\"0V\"))"),
        ("Adc(cpu: 1, channel: Supply, error: Noise(\"0V\"))", "Adc(cpu: 1, channel: Supply, error: Noise(\"1mV\"))"),
        ("Rail(cpu: 1, to: \"3300mV\")", "Rail(cpu: 1, to: \"3299mV\")"),
        ("Wire(pin: 0, is: ToPin(0))", "Wire(pin: 0, is: ToPin(1))"),
        ("RamCell(cpu: 1, word: 7, defect: Reaches(7))", "RamCell(cpu: 1, word: 7, defect: Reaches(8))"),
        ("RadioDelayed(\"0ms\")", "RadioDelayed(\"1ms\")"),
    ];
    let told = |kind: &str| {
        let all = [format!("faults=[{}]", at_hall(kind, "3s", "1s"))];
        load(&Disk, &common::shipped("safety-unit.ron"), &all).err().map(|error| format!("{error:?}"))
    };
    for (nothing, something) in nothing {
        assert!(told(nothing).is_some_and(|told| told.contains("changes nothing")), "{nothing}");
        assert_eq!(told(something), None, "{something}");
    }
}

/// The shipped unit loses its supply in a dip to 2 V, its relays open, and it is normal again a second later.
#[test]
fn a_unit_that_restarts_did_not_stay_normal() {
    let dip = "(kind: Sag(to: \"2V\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"499ms\")";
    let stays = unit_with(dip, "SafetyStaysNormal(\"hall\")", "6s");
    assert_eq!(stays.verdict, Verdict::Fail);
    let told = &stays.expectations.iter().find(|row| row.verdict != RowVerdict::Pass).expect("one is broken").detail;
    assert!(told.contains("CPU1 left normal mode at 3005."), "{told}");
    assert_eq!(unit_with(dip, "SafetyRestarts(\"hall\")", "6s").verdict, Verdict::Pass);
    // It is on its way still.
    assert_eq!(unit_with(dip, "SafetyRestarts(\"hall\")", "4s").verdict, Verdict::Fail);
    // Nothing is said of it: the check says so.
    assert_eq!(check(&unit_with(dip, "", "6s"), "safety_units_become_normal").verdict, RowVerdict::Fail);
    assert_eq!(unit_with("", "SafetyRestarts(\"hall\")", "6s").verdict, Verdict::Fail);
    // Six times, and a cut that does not end: off is no mode.
    let six = format!("{}, repeat: Some((count: 6, period: Some(\"3s\"))))", dip.strip_suffix(')').unwrap_or_default());
    assert_eq!(unit_with(&six, "SafetyStaysNormal(\"hall\")", "22s").verdict, Verdict::Fail);
    let cut = "(kind: PowerCut, place: Node(\"hall\"), trigger: At(\"3s\"))";
    assert_eq!(unit_with(cut, "SafetyRelays(unit: \"hall\")", "5s").verdict, Verdict::Pass);
    assert_eq!(unit_with(cut, "SafetyStaysNormal(\"hall\")", "5s").verdict, Verdict::Fail);
}

fn check<'a>(report: &'a Report, id: &str) -> &'a reports::Check {
    report.checks.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no check {id}"))
}

/// A diagnostic is shown by what was injected at its unit, and its times run from there.
#[test]
fn a_diagnostic_is_shown_by_a_fault_at_its_unit_and_timed_from_it() {
    let id = "diagnostics_find_what_is_injected";
    let trip = |by: &str, more: &str| format!("SafetyTrip(unit: \"hall\", by: {by}{more})");
    let at_supply = |volts: &str, faults: &str, expectation: &str| {
        let all = [
            format!("supply.nominal=\"{volts}\""),
            format!("faults=[{faults}]"),
            format!("expectations=[{expectation}]"),
        ];
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let loaded = common::loaded(&common::shipped("safety-unit.ron"), &all);
        report(&loaded, &run::run(&loaded.scenario, None, |_| {}))
    };
    // A supply that is wrong from the start: nothing was injected, and there is no time to measure.
    for (volts, by) in [("17V", "SupplyLow"), ("31V", "SupplyHigh")] {
        let timed = at_supply(volts, "", &trip(by, ", within: \"1us\""));
        assert_eq!((timed.verdict, check(&timed, id).n), (Verdict::Fail, 0), "{by}");
        let plain = at_supply(volts, "", &trip(by, ""));
        assert_eq!((check(&plain, id).n, check(&plain, id).verdict), (0, RowVerdict::NotApplicable), "{by}");
    }
    // A fault elsewhere, or of something else, or after the trip, starts no time.
    let elsewhere = "(kind: FrameLoss(id: 0x101), place: Pump(1), trigger: At(\"4500ms\"), duration: \"200ms\")";
    let link = at_hall("C2cLost(from: 1)", "200ms", "3ms");
    let late = "(kind: Sag(to: \"16V\"), place: Node(\"hall\"), trigger: At(\"4s\"), duration: \"100ms\")";
    for faults in [elsewhere, &link, late] {
        let before = at_supply("17V", faults, &trip("SupplyLow", ", within: \"503ms\""));
        assert_eq!(before.verdict, Verdict::Fail, "{faults}");
        assert!(check(&before, id).verdict != RowVerdict::Pass, "{faults}");
    }
    let early = elsewhere.replace("4500ms", "2500ms");
    let dip = "(kind: Sag(to: \"17V\"), place: Node(\"hall\"), trigger: At(\"3s\"), duration: \"502ms\")";
    let measured = |more: &str| unit_with(&format!("{early}, {dip}"), &trip("SupplyLow", more), "5s");
    assert_eq!(measured(", after: \"900ms\"").verdict, Verdict::Fail);
    let right = measured(", after: \"499ms\", within: \"503ms\"");
    assert_eq!((right.verdict, check(&right, id).n, check(&right, id).verdict), (Verdict::Pass, 1, RowVerdict::Pass));
    // A unit that is built wrong has something to find without an injection.
    let built = common::loaded(&common::shipped("safety-release-differs.ron"), &[]);
    let built = report(&built, &run::run(&built.scenario, None, |_| {}));
    assert_eq!((check(&built, id).n, check(&built, id).verdict), (1, RowVerdict::Pass));
}

/// Verifies SSR-037. A trip shows that one CPU turns all off if the other one drove its side still or stood still.
#[test]
fn a_cpu_alone_is_shown_only_while_the_other_one_drives() {
    let id = "either_cpu_alone_turns_all_off";
    let row = |name: &str, overrides: &[&str]| {
        let loaded = common::loaded(&common::shipped(name), overrides);
        let report = report(&loaded, &run::run(&loaded.scenario, None, |_| {}));
        (check(&report, id).n, check(&report, id).verdict)
    };
    assert_eq!(row("safety-c2c-20-lost-from-cpu1.ron", &[]), (1, RowVerdict::Pass));
    assert_eq!(row("safety-cpu1-stays-halted.ron", &[]), (1, RowVerdict::Pass));
    assert_eq!(row("safety-dip-502ms.ron", &[]), (1, RowVerdict::Pass), "CPU2 is off while CPU1 is in its step");
    // The first to find it is the last to act on it: what it would have done alone is not shown.
    let late = "faults[0].trigger=At(\"3000500us\")";
    let slow = row("safety-dip-502ms.ron", &[late, "safety_units[0].cpu2.logic_time=\"800us\""]);
    assert_eq!(slow, (0, RowVerdict::NotApplicable));
}

fn run_shipped(name: &str) -> Report {
    let loaded = common::loaded(&common::shipped(name), &[]);
    report(&loaded, &run::run(&loaded.scenario, None, |_| {}))
}

/// The steps of a budget's worst value as `name at_ms`.
fn steps_of(report: &Report, id: &str) -> Vec<String> {
    let row = report.budget(id).expect("the budget");
    row.decomposition.iter().map(|step| format!("{} {}", step.step, step.at_ms)).collect()
}

/// By hand: CPU2's clock is 50 ppm fast, so its ticks lie 1 ms / 1.00005 apart. From its first one in normal mode, at 653.104851
/// ms, 2347 of them are 2999.987506 ms: there it has CPU1's packet of 2999 ms (0.3 ms of logic, 0.36 ms on the wire), the last
/// before the loss from 3 s on. 20 ticks without one later, at 3019.986507 ms, it has found the silence; 0.3 ms of its own
/// clock, 0.299985 ms, after that its step ends, which turns the main transistor off at once.
#[test]
fn a_reaction_is_taken_apart_as_a_hand_does_it() {
    let report = run_shipped("safety-c2c-20-lost-from-cpu1.ron");
    let reaction = ["occurred 3000", "detected 3019.986507", "commanded 3020.286492", "off 3020.286492"];
    assert_eq!(steps_of(&report, "safety-fault-reaction"), reaction);
    let silence = [&["last good packet 2999.66"], &reaction[..]].concat();
    assert_eq!(steps_of(&report, "safety-c2c-silence"), silence);
    let row = |id: &str| report.budget(id).expect("the budget");
    let measured = |id: &str| (row(id).measured.map(|value| value.to_string()), row(id).measured_steps());
    assert_eq!(measured("safety-fault-reaction"), (Some("0.299985".to_owned()), Some(("detected", "off"))));
    assert_eq!(measured("safety-c2c-silence"), (Some("20.626492".to_owned()), None), "from the first step on");
    let one = &report.injections[0];
    let times = one.reaction().map(|time| time.map(|time| time.to_string()).unwrap_or_default());
    assert_eq!(times, ["3019.986507", "3020.286492", "3020.286492"]);
}

/// The figure is there for a single value, with its steps; and the faults' table has the times of the reaction.
#[test]
fn a_single_reaction_has_its_figure_and_its_times_on_the_page() {
    let report = run_shipped("safety-c2c-20-lost-from-cpu1.ron");
    let figures = reports::figures(&report);
    let figure = figures.iter().find(|figure| figure.name == "samples-budget-safety-fault-reaction").expect("a figure");
    assert!(
        figure.description.contains("The one measured value as a dot") && figure.svg.contains("Steps of the worst")
    );
    let page = reports::html(&report, None).expect("a page");
    assert!(page.contains("measured is from detected to off"), "{page}");
    for name in ["Detected", "Local outputs off", "All affected outputs off"] {
        assert!(page.contains(&format!("<dt>{name}</dt>")), "{name} is missing");
    }
    assert!(page.contains("after 19.987 ms") && page.contains("after 20.286 ms"), "the times are missing");
    let other = run_shipped("nominal-11.ron");
    assert!(
        !reports::html(&other, None).expect("a page").contains("<dt>Local outputs off</dt>"),
        "a run without any reaction"
    );
}

/// A supply that leaves its limits occurs when it does so, not when its fault begins; a group that is turned off for its wiring is told
/// so by the step after the detection.
#[test]
fn steps_of_supply_and_wiring_are_in_order() {
    let report = run_shipped("safety-dip-502ms.ron");
    let steps = &report.budget("safety-supply-reaction").expect("the budget").decomposition;
    let names: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(names, ["occurred", "detected", "commanded", "off"]);
    let row = report.budget("safety-supply-reaction").expect("the budget");
    assert_eq!(row.measured_steps(), None, "measured from the first step on");
    let lasts = steps[3].at_ms.as_nanos() - steps[0].at_ms.as_nanos();
    assert_eq!(Some(reports::Fixed::from(reports::Millis::from_signed_nanos(lasts))), row.measured);
    assert!(steps[1].at_ms < steps[2].at_ms && steps[2].at_ms <= steps[3].at_ms, "{steps:?}");
}

/// SSR-016. What must be seen is told by the types of an input's pins: a static one two slots (125 us), a combined one five ticks, one whose
/// ON and OFF differ in pulses alone 10 ms. So long a stop need not last to be seen, and an honest unit that has not seen it is not late; one
/// that lasted so long is demanded, whatever hides it, and however often it bounces.
#[test]
fn a_stop_that_lasts_as_long_as_its_type_takes_must_be_seen() {
    let run_of = |text: &str, files: &[(&str, String)]| seen(&ran(text, files).0, RESPONSE).1;
    let own = |ops: &str, faults: &str| run_of(&alone(ops, faults, "5s"), &[]);
    let stop = |us: u32| format!(", (at: \"3s\", input: \"fence\", to: Off, duration: \"{us}us\")");
    let hidden = "(kind: Safety(Wire(pin: 5, is: ToSupply)), place: Node(\"hall\"), trigger: At(\"2900ms\"))";
    for (us, wanted) in [(100, RowVerdict::NotApplicable), (126, RowVerdict::Fail), (1_100, RowVerdict::Fail)] {
        assert_eq!(own(&stop(us), hidden), wanted, "{us} us behind a shorted wire");
    }
    assert_eq!([own(&stop(500_000), hidden), own(&stop(126), "")], [RowVerdict::Fail, RowVerdict::Pass]);
    // 1.000 of every 1.043 ms.
    let bounces = (0..1_000).map(|n| {
        let at = 3_000_000 + n * 1_043;
        format!(", (at: \"{at}us\", input: \"fence\", to: Off, duration: \"1ms\")")
    });
    let bounces: String = bounces.collect();
    assert_eq!([own(&bounces, hidden), own(&bounces, "")], [RowVerdict::Fail, RowVerdict::Pass]);
    // Pulses of another type.
    let fence = r#"(pin: 5, name: "fence", role: Input"#;
    let pulses = [("own/ab.ron", changed("safety/pump-feed.ron", &[(fence, &format!("{fence}, on: A, off: B"))]))];
    let pulsed = |at: u32, ms: u32, faults: &str| {
        let op = format!(", (at: \"{at}ms\", input: \"fence\", to: Off, duration: \"{ms}ms\")");
        run_of(&alone(&op, faults, "5s").replace("safety/pump-feed.ron", "own/ab.ron"), &pulses)
    };
    for (at, ms) in (3_000..3_004).flat_map(|at| [2, 4, 6, 8, 9].map(|ms| (at, ms))) {
        assert_ne!(pulsed(at, ms, ""), RowVerdict::Fail, "B for {ms} ms from {at} ms on");
    }
    assert_eq!([pulsed(3_000, 11, ""), pulsed(3_000, 11, STUCK)], [RowVerdict::Pass, RowVerdict::Fail]);
    // A pin that the unit drives and reads.
    let combined = |at: u32, us: u32| {
        let text = fs::read_to_string(common::shipped("safety-combined-step.ron")).expect("it is shipped");
        let text = text.replace("At(\"3s\"), duration: \"100ms\"", &format!("At(\"{at}ms\"), duration: \"{us}us\""));
        run_of(&text, &[])
    };
    for at in 3_000..3_003 {
        for us in [1_100, 1_500, 2_000, 2_900, 4_000, 4_900] {
            assert_ne!(combined(at, us), RowVerdict::Fail, "a step of {us} us from {at} ms on");
        }
        assert_eq!(combined(at, 5_100), RowVerdict::Pass, "from {at} ms on");
    }
}
