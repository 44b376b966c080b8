//! Safety units in the twin: forks, sweeps, and checks that can fail.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::units::{each, own, units_in};
use cooltwin::hosts::safety::demands::{Demand, Why};
use cooltwin::hosts::safety::tool::Told;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::run::{self, Identity, Run};
use cooltwin::safety::binary::Block;
use cooltwin::scenario::{FileSource, Loaded, load};
use cooltwin::twin;
use reports::{Report, RowVerdict, Verdict};
use safety_common::fault::{Detection, Fault};
use safety_common::io::Mode;
use units::Instant;

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

/// The three other inputs that watch the cooling system take the feed from the pumps: a leak and hot coolant at once, lost flow after
/// 10 s. By hand: the coolant takes up 1 K each second and has 4 K to its limit.
#[test]
fn a_leak_heat_and_lost_flow_take_the_feed_from_the_pumps() {
    for (name, from, to) in [("safety-leak", 3_000.0, 3_000.1), ("safety-over-temperature", 4_000.0, 4_010.0)] {
        let loaded = loaded(name, &[]);
        let report = report(&loaded, &run::run(&loaded.scenario, None, |_| {}));
        let row = report.budgets.iter().find(|row| row.id == "safety-response").expect("the row");
        let place = row.r#where.clone().expect("a place");
        let at = place.strip_prefix("hall, stop at ").and_then(|rest| rest.split_once(" ms")).expect("a stop").0;
        let at: f64 = at.parse().expect("a time in ms");
        assert!(row.n == 1 && row.verdict == RowVerdict::Pass && (from..=to).contains(&at), "{name}: {place}");
    }
    let flow = |end: &str, closed: &str| {
        let relays = format!("expectations=[SafetyRelays(unit: \"hall\", closed: [{closed}])]");
        verdict("safety-no-flow", &[format!("end=At(\"{end}\")"), relays])
    };
    assert_eq!([flow("12990ms", "0, 1"), flow("13050ms", "")], [Verdict::Pass; 2]);
    assert_eq!(flow("13050ms", "0, 1"), Verdict::Fail);
    // Must-fail controls: without the leak, the heat and the loss they have their feed.
    let without = [
        ("safety-leak", "faults=[]"),
        ("safety-over-temperature", "plant.heat_load=\"0W\""),
        ("safety-no-flow", "faults=[]"),
    ];
    for (name, calm) in without {
        assert_eq!(verdict(name, &[calm.to_owned()]), Verdict::Fail, "{name} with {calm}");
    }
}

/// Verifies SSR-040. The short between each two of 14 OSSD outputs, both ON, is found and both are off in time; the others stay on.
#[test]
fn a_short_between_any_two_ossd_outputs_turns_both_off_and_no_other() {
    let mut wrong = Vec::new();
    for first in 0..14u32 {
        for second in first + 1..14 {
            let text = format!(
                "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"1500ms\"),
                safety_units: [(configuration: \"safety/fourteen-ossd.ron\", node: \"panel\",
                    cpu2: (clock_offset: \"{}us\"))],
                faults: [(kind: Safety(Wire(pin: {first}, is: ToPin({second}))), place: Node(\"panel\"),
                    trigger: At(\"{}us\"))])",
                first * 71,
                1_000_000 + second * 4_321,
            );
            let (loaded, run) = own(&text, &[]);
            let report = report(&loaded, &run);
            let row = report.budgets.iter().find(|row| row.id == "safety-outside-reaction").expect("the row");
            let mut live = 0;
            units_of(&run, |unit| live = unit.live.0);
            let wanted = 0x3FFF & !(1 << first | 1 << second);
            if row.n < 2 || row.verdict != RowVerdict::Pass || live != wanted {
                wrong.push(format!("{first}-{second}: {} found, {:?}, live {live:#06x}", row.n, row.verdict));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn units_of(run: &Run, what: impl FnMut(&Unit)) {
    units_in(&run.twin.world).into_iter().for_each(what);
}

/// Verifies SSR-078. One unit with a configuration that differs in one value. The CPUs of each agree, the units never link.
#[test]
fn units_with_different_configurations_never_link() {
    let text = |folder: &str| {
        format!(
            "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"4s\"), safety_units: [
            (configuration: \"safety/cooling-watch.ron\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
                inputs: [(input: \"button\", device: Off)],
                operations: [(at: \"2s\", input: \"button\", to: On, duration: \"300ms\")]),
            (configuration: \"{folder}/cooling-watch.ron\", node: \"roof\", cpu1: (clock_offset: \"31ms\"),
                cpu2: (clock_offset: \"31211us\"))])"
        )
    };
    let fed = |folder: &str| {
        let (_, run) = own(&text(folder), &[("response_time: \"250ms\"", "response_time: \"251ms\"")]);
        let mut coils = Vec::new();
        units_of(&run, |unit| {
            assert!(unit.watch.cpus.iter().all(|cpu| cpu.causes.is_empty() && cpu.ticks > 0));
            coils.push(unit.live.1);
        });
        coils[0]
    };
    assert_ne!(fed("safety"), 0, "the same configuration links");
    assert_eq!(fed("changed"), 0);
}

/// SSR-078, SSR-079, SSM-15: must-fail control of the scenarios that show them: with equal units the relays close, which they
/// expect not to happen.
#[test]
fn the_scenarios_of_unequal_units_fail_with_equal_ones() {
    let same = |values: &[&str]| values.iter().map(|value| format!("safety_units[1].{value}")).collect::<Vec<_>>();
    let configuration = same(&["configuration=safety/cooling-watch.ron"]);
    let firmware = same(&["cpu1.release=1", "cpu2.release=1"]);
    for (name, equal) in
        [("safety-radio-other-configuration", configuration), ("safety-radio-other-firmware", firmware)]
    {
        assert_eq!(verdict(name, &[]), Verdict::Pass, "{name}");
        assert_eq!(verdict(name, &equal), Verdict::Fail, "{name}: equal units");
    }
}

/// Verifies SSR-001, SSR-002. Stuck-at and transition faults at words and bits spread over the RAM of both CPUs.
#[test]
fn defect_cells_anywhere_in_ram_are_found_within_a_pass() {
    let defects = ["StuckAt0", "StuckAt1", "NoRise", "NoFall"];
    for n in 0..32u32 {
        let (cpu, word, bit) = (n % 2 + 1, n * 2_659 % 16_384, n * 13 % 32);
        let overrides = [
            format!(
                "faults[0].kind=Safety(RamCell(cpu: {cpu}, word: {word}, bit: {bit}, defect: {}))",
                defects[n as usize / 2 % 4]
            ),
            format!("faults[0].trigger=At(\"{}us\")", 2_000_000 + n * 123_457),
            format!("expectations=[SafetyTrip(unit: \"hall\", by: RamRunning, cpu: {cpu}, within: \"13s\")]"),
            "end=At(\"22s\")".to_owned(),
        ];
        assert_eq!(verdict("safety-ram-stuck-cpu1", &overrides), Verdict::Pass, "{overrides:?}");
    }
}

/// Verifies SSR-005. Flips of one to eight bits at addresses spread over the flash of both CPUs, erased parts among them.
#[test]
fn flips_anywhere_in_flash_are_found_within_a_pass_and_a_span() {
    for n in 0..20u32 {
        let (cpu, address, bits) = (n % 2 + 1, n * 26_347 % 0x8_0000, 1 + n * 37 % 255);
        let overrides = [
            format!("faults[0].kind=Safety(FlashBits(cpu: {cpu}, address: {address}, bits: {bits}))"),
            format!("faults[0].trigger=At(\"{}us\")", 2_000_000 + n * 823_457),
            format!("expectations=[SafetyTrip(unit: \"hall\", by: FlashRunning, cpu: {cpu}, within: \"30s\")]"),
            "end=At(\"50s\")".to_owned(),
        ];
        assert_eq!(verdict("safety-flash-flip-cpu1", &overrides), Verdict::Pass, "{overrides:?}");
    }
}

/// Verifies SSR-033. Each pin and both CPUs, beyond the limit and within it.
#[test]
fn a_wrong_reading_of_any_pin_trips_beyond_the_limit_and_not_within_it() {
    for pin in [0, 2, 4, 5, 6, 8, 9, 10] {
        for cpu in 1..=2 {
            for (error, expectation) in [
                ("Above(\"1200mV\")", "SafetyTrip(unit: \"hall\", by: AnalogMismatch, within: \"200ms\")"),
                ("Above(\"850mV\")", "SafetyStaysNormal(\"hall\")"),
            ] {
                let overrides = [
                    format!("faults[0].kind=Safety(Adc(cpu: {cpu}, channel: Pin({pin}), error: {error}))"),
                    format!("expectations=[{expectation}]"),
                ];
                assert_eq!(verdict("safety-adc-gain-cpu1", &overrides), Verdict::Pass, "{overrides:?}");
            }
        }
    }
}

/// Verifies SSR-065. Either CPU reset alone, or both, at any phase of a tick, by their pins or with the supply: nothing is on before
/// the next complete start-up, and all is off within 22.1 ms.
#[test]
fn a_restart_at_any_phase_leaves_nothing_on() {
    let reset = |cpu: u8| format!("Safety(CpuReset(cpu: {cpu}))");
    let restarts = [vec![reset(1)], vec![reset(2)], vec![reset(1), reset(2)], vec!["PowerCut".to_owned()]];
    for n in 0..12u64 {
        for kinds in &restarts {
            let at = 2_500_000_000 + n * 83_333;
            let faults = kinds.iter().map(|kind| {
                let lasts = if kind == "PowerCut" { ", duration: \"50ms\"" } else { "" };
                format!("(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{at}ns\"){lasts})")
            });
            let overrides = [
                format!("faults=[{}]", faults.collect::<Vec<_>>().join(", ")),
                // Before a unit whose CPUs both start anew is normal again.
                "end=At(\"3s\")".to_owned(),
                "expectations=[SafetyRelays(unit: \"hall\")]".to_owned(),
            ];
            let loaded = loaded("safety-cpu1-restarts", &overrides);
            let run = run::run(&loaded.scenario, None, |_| {});
            let report = report(&loaded, &run);
            let check = report.checks.iter().find(|row| row.id == "nothing_is_driven_outside_normal_mode").expect("it");
            assert_eq!(check.verdict, RowVerdict::Pass, "{}", check.detail);
            units_of(&run, |unit| {
                assert!(unit.is_off());
                let off = unit.watch.last_off.expect("it was on");
                let since = off.since(SimTime::from_nanos(at));
                assert!(since <= Span::from_micros(22_100), "{kinds:?}, phase {n}: {since} ms");
            });
        }
    }
}

/// Verifies SSR-016, SSR-044. A stop at any phase of a tick, while either CPU loses as many packets as are tolerated.
#[test]
fn a_stop_at_any_phase_is_carried_out_within_the_response_time_whatever_is_lost() {
    let mut worst = Span::ZERO;
    for n in 0..24u64 {
        for cpu in 1..=2 {
            let at = |before: u64| 3_000_000_000 + n * 41_777 - before;
            let faults = format!(
                "faults=[(kind: Safety(C2cLost(from: {cpu}, packets: 18)), place: Node(\"hall\"), trigger: At(\"{}ns\")),
                (kind: Safety(InputOff(\"stop\")), place: Node(\"hall\"), trigger: At(\"{}ns\"))]",
                at(n % 4 * 500_000),
                at(0)
            );
            let loaded = loaded("safety-stop", &[faults]);
            let run = run::run(&loaded.scenario, None, |_| {});
            let report = report(&loaded, &run);
            assert_eq!(report.verdict, Verdict::Pass, "CPU{cpu}, phase {n}");
            units_of(&run, |unit| {
                let stop = unit.watch.demands[0];
                worst = Span::from_nanos(worst.as_nanos().max(stop.off.expect("off").since(stop.at).as_nanos()));
            });
        }
    }
    // The configured response time is 50 ms; a stop that one CPU has to tell the other waits for the link.
    assert!(worst > Span::from_millis(1) && worst <= Span::from_millis(50), "{worst} ms");
}

/// Runs a scenario, changes what was seen of its units, and gives the report.
fn tampered(name: &str, overrides: &[String], change: impl FnMut(&mut Unit)) -> Report {
    let loaded = loaded(name, overrides);
    let mut run = run::run(&loaded.scenario, None, |_| {});
    each(&mut run.twin.world, change);
    report(&loaded, &run)
}

fn check_of(report: &Report, id: &str) -> RowVerdict {
    report.checks.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no check {id}")).verdict
}

fn budget_of(report: &Report, id: &str) -> RowVerdict {
    report.budgets.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no budget {id}")).verdict
}

type Tamper = fn(&mut Unit);

/// Every check of units goes red when what it looks at is wrong, and is green before.
#[test]
fn every_check_of_units_can_fail() {
    let seen: [(&str, &str, Tamper); 10] = [
        ("safety-c2c-cut", "safe_state_is_silent_and_off", |unit| unit.watch.cpus[1].spoke_in_safe = 1),
        ("safety-c2c-cut", "safe_state_is_never_left", |unit| unit.watch.cpus[0].left_safe = Some(SimTime::ZERO)),
        ("safety-unit", "one_packet_each_tick_and_direction", |unit| unit.watch.cpus[0].packets -= 1),
        ("safety-unit", "logic_runs_once_each_tick", |unit| unit.watch.cpus[1].evaluated -= 1),
        ("safety-unit", "healthy_units_do_not_trip", |unit| {
            // Nothing was injected that could lead to it.
            let found = Detection { fault: Fault::InputDiscrepancy, detail: 0, at: Instant::default() };
            unit.watch.cpus[0].detections.push((SimTime::ZERO + Span::from_secs(3), found));
        }),
        ("safety-unit", "nothing_is_driven_outside_normal_mode", |unit| {
            unit.watch.driven_outside = Some(SimTime::ZERO)
        }),
        ("safety-download", "downloads_tell_what_is_stored", |unit| unit.tool.downloads[0].stored = false),
        ("safety-download-wrong-password", "downloads_tell_what_is_stored", |unit| {
            unit.tool.downloads[0].changed = true
        }),
        ("safety-download", "configuration_is_changed_in_its_mode_only", |unit| {
            unit.watch.cpus[0].flash_changed_wrongly = Some(SimTime::ZERO)
        }),
        ("safety-download", "configuration_mode_is_entered_and_left_by_restarts", |unit| {
            unit.watch.cpus[1].configuring_wrongly = Some(SimTime::ZERO)
        }),
    ];
    for (name, id, change) in seen {
        assert_eq!(check_of(&tampered(name, &[], |_| {}), id), RowVerdict::Pass, "{id}");
        assert_eq!(check_of(&tampered(name, &[], change), id), RowVerdict::Fail, "{id}");
    }
    // Faults that no scenario ships, because no unit could stand them.
    let node = "place: Node(\"hall\")";
    let both = format!(
        "(kind: Safety(Transistor(pin: 8, conducts: true)), {node}, trigger: At(\"@\")),
        (kind: Safety(MainTransistor(conducts: true)), {node}, trigger: At(\"@\"))"
    );
    let done: [(&str, String); 4] = [
        ("safety_units_become_normal", format!("(kind: Safety(CpuHalted(cpu: 1)), {node}, trigger: At(\"0ms\"))")),
        ("healthy_units_do_not_trip", format!("(kind: Safety(C2cLost(from: 1)), {node}, trigger: At(\"3s\"))")),
        ("nothing_is_driven_outside_normal_mode", both.replace('@', "0ms")),
        (
            "either_cpu_alone_turns_all_off",
            both.replace('@', "3s") + &format!(", (kind: Safety(C2cLost(from: 1)), {node}, trigger: At(\"3s\"))"),
        ),
    ];
    for (id, faults) in done {
        let report = tampered("safety-unit", &[format!("faults=[{faults}]")], |_| {});
        assert_eq!(check_of(&report, id), RowVerdict::Fail, "{id}");
    }
}

/// A budget of units goes red when what was measured is beyond it, and is green before. (Flash and RAM passes are judged alike.)
#[test]
fn budgets_of_units_can_fail() {
    fn later(unit: &mut Unit) {
        unit.watch.offs.iter_mut().for_each(|off| off.off += Span::from_secs(1));
    }
    let cases: [(&str, &str, Tamper); 9] = [
        ("safety-dip-502ms", "safety-supply-reaction", later),
        ("safety-c2c-cut", "safety-fault-reaction", later),
        ("safety-c2c-cut", "safety-c2c-silence", |unit| unit.watch.offs[0].last_good = unit.watch.offs[0].off),
        ("safety-output-to-ground", "safety-outside-reaction", |unit| unit.watch.outside[0].off = None),
        ("safety-stop", "safety-response", |unit| unit.watch.demands[0].off = None),
        ("safety-unit", "safety-logic-time", |unit| unit.watch.cpus[0].logic.most = 812_501),
        ("safety-unit", "safety-logic-interval", |unit| unit.watch.cpus[0].interval.least = 998_999),
        ("safety-unit", "safety-combined-io", |unit| unit.watch.cpus[0].combined.most = 4_000_001),
        ("safety-radio-5-lost", "safety-radio-timeout", |unit| {
            unit.watch.demands.iter_mut().for_each(|one| one.off = one.off.map(|off| off + Span::from_millis(3)));
        }),
    ];
    for (name, id, change) in cases {
        assert_eq!(budget_of(&tampered(name, &[], |_| {}), id), RowVerdict::Pass, "{id}");
        assert_eq!(budget_of(&tampered(name, &[], change), id), RowVerdict::Fail, "{id}");
    }
    let slow: Tamper = |unit| unit.watch.cpus[0].ram_pass.most = 60_000_000_000;
    assert_eq!(budget_of(&tampered("safety-ram-passes", &[], |_| {}), "safety-ram-pass"), RowVerdict::Pass);
    assert_eq!(budget_of(&tampered("safety-ram-passes", &[], slow), "safety-ram-pass"), RowVerdict::Fail);
    // Without an occasion nothing is claimed.
    assert_eq!(budget_of(&tampered("safety-unit", &[], |_| {}), "safety-supply-reaction"), RowVerdict::NotApplicable);
    assert_eq!(budget_of(&tampered("safety-unit", &[], |_| {}), "safety-flash-pass"), RowVerdict::NotApplicable);
}

/// Verifies SSR-005. A flash test that leaves out one row of 32 bytes, as a copy of that row shows it, is seen in its pass.
#[test]
fn a_row_of_flash_that_the_test_skips_is_seen() {
    let loaded = loaded("safety-unit", &["end=At(\"63s\")".to_owned()]);
    for (cpu, from) in [(None, 0), (Some(0), 0x6_1020), (Some(1), 0x3A40), (Some(1), 0x7_FFE0)] {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| {
            if let Some(cpu) = cpu {
                unit.cores[cpu].flash.skip(from, from + 32);
            }
        });
        let row = budget_of(&report(&loaded, &run::finish(twin, &loaded.scenario, |_| {})), "safety-flash-pass");
        assert_eq!(row, if cpu.is_none() { RowVerdict::Pass } else { RowVerdict::Fail }, "CPU {cpu:?}, {from:#x}");
    }
}

/// Verifies SSR-012. Control: a CPU whose timer ends a tick earlier or later than one evaluation a tick makes it is seen at the ports.
#[test]
fn a_cpu_that_evaluates_too_often_or_too_seldom_is_seen() {
    let loaded = loaded("safety-unit", &[]);
    for (more, wanted) in [(0i64, RowVerdict::Pass), (1, RowVerdict::Fail), (-1, RowVerdict::Fail)] {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| {
            let mut section = unit.section.clone();
            for block in section.blocks.iter_mut().filter(|block| block.time_ms == 200) {
                block.time_ms = block.time_ms.checked_add_signed(more.try_into().expect("small")).expect("positive");
            }
            unit.watch.adopt(&section, &unit.common.clone());
        });
        let run = run::finish(twin, &loaded.scenario, |_| {});
        assert_eq!(check_of(&report(&loaded, &run), "logic_runs_once_each_tick"), wanted, "{more} ticks");
        if more == 0 {
            units_of(&run, |unit| {
                let judged = unit.watch.cpus.iter().map(|cpu| cpu.testimony().judged);
                assert!(judged.min() > Some(3_000), "each tick of both CPUs was judged");
            });
        }
    }
}

/// Verifies SSR-012. Control: a CPU whose logic takes another memory, entry, error or failure than came to its ports, or sends another
/// one, is seen; so is one evaluation too many. What is right is judged in every tick of all four CPUs.
#[test]
fn a_logic_that_takes_something_else_from_the_networks_is_seen() {
    use safety_common::configuration::BlockKind as Kind;
    type Other = fn(&mut Block);
    let others: [(Kind, &[usize], Other); 6] = [
        (Kind::MemoryReceive, &[0, 1], |block| block.number += 1),
        (Kind::CanReceive, &[0, 1], |block| block.number += 2),
        (Kind::InputError, &[0], |block| block.kind = Kind::Input),
        (Kind::MemorySend, &[0, 1], |block| block.number += 1),
        (Kind::CanSend, &[0], |block| block.number += 2),
        (Kind::OnDelay, &[0], |block| block.time_ms = block.time_ms.wrapping_sub(u32::from(block.time_ms == 200))),
    ];
    let loaded = loaded("safety-two-units", &[]);
    let judged = |one: usize, kind: Option<Kind>, other: Other| {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| {
            let mut section = unit.section.clone();
            let blocks = section.blocks.iter_mut().filter(|block| Some(block.kind) == kind);
            blocks.filter(|_| usize::from(unit.index) == one).for_each(other);
            unit.watch.adopt(&section, &unit.common.clone());
        });
        let run = run::finish(twin, &loaded.scenario, |_| {});
        (check_of(&report(&loaded, &run), "logic_runs_once_each_tick"), run)
    };
    let (verdict, run) = judged(0, None, |_| {});
    assert_eq!(verdict, RowVerdict::Pass);
    units_of(&run, |unit| {
        for cpu in &unit.watch.cpus {
            let testimony = cpu.testimony();
            assert_eq!((testimony.judged, testimony.doubt), (cpu.evaluated, None));
            assert!(cpu.evaluated > 5_000);
        }
    });
    for (kind, at, other) in others {
        for one in at {
            assert_eq!(judged(*one, Some(kind), other).0, RowVerdict::Fail, "{kind:?} of unit {one}");
        }
    }
}

/// Verifies SSR-012. What was wrong before a restart is not forgotten with it, and a CPU of which nothing was judged is no pass.
#[test]
fn a_wrong_evaluation_outlives_a_restart_and_none_is_no_pass() {
    let loaded = loaded("safety-supply-lost", &[]);
    for (more, wanted) in [(0, RowVerdict::Pass), (1, RowVerdict::Fail)] {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, |unit| {
            let mut section = unit.section.clone();
            let second = section.blocks.iter_mut().filter(|block| block.time_ms == 200);
            second.for_each(|block| block.time_ms += more);
            unit.watch.adopt(&section, &unit.common.clone());
        });
        let mut run = run::finish(twin, &loaded.scenario, |_| {});
        let row = |run: &Run| check_of(&report(&loaded, run), "logic_runs_once_each_tick");
        assert_eq!(row(&run), wanted, "{more} ticks");
        if more == 0 {
            each(&mut run.twin.world, |unit| unit.watch.cpus[1].claim_nothing());
            assert_eq!(row(&run), RowVerdict::Inconclusive, "nothing was judged");
        }
    }
}

/// A fault that is there from 1 s to 4 s, another one of its kind from 2 s to 3 s, and what is to be seen of them at the unit.
type Pair = (&'static str, &'static str, fn(&Unit) -> String);

fn without_count(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").split(", count").next().unwrap_or_default().to_owned()
}

/// The end of a fault leaves what another one at the same place still holds, and the end of both leaves a healthy unit.
#[test]
fn the_end_of_a_fault_leaves_what_another_one_holds() {
    let pairs: [Pair; 13] = [
        ("Wire(pin: 3, is: ToGround)", "Wire(pin: 3, is: Open)", |unit| format!("{:?}", unit.pins.wiring[3])),
        ("Transistor(pin: 8, conducts: true)", "Transistor(pin: 8, conducts: false)", |unit| {
            format!("{:?}", (unit.pins.stuck_on, unit.pins.stuck_off))
        }),
        ("MainTransistor(conducts: false)", "MainTransistor(conducts: true)", |unit| format!("{:?}", unit.main_stuck)),
        ("Contact(relay: 0, cpu: 1, closed: false)", "Contact(relay: 0, cpu: 1, closed: true)", |unit| {
            format!("{:?}", unit.contacts[0].stuck)
        }),
        ("Rail(cpu: 1, to: \"3000mV\")", "Rail(cpu: 1, to: \"3500mV\")", |unit| unit.rails[0].to_string()),
        ("Clock(cpu: 1, by: \"900ppm\")", "Clock(cpu: 1, by: \"300ppm\")", |unit| {
            unit.cores[0].clock.ppm().to_string()
        }),
        ("LogicTime(cpu: 2, takes: \"500us\")", "LogicTime(cpu: 2, takes: \"600us\")", |unit| {
            unit.cores[1].logic_ns().to_string()
        }),
        ("NoDeadline(cpu: 1)", "NoDeadline(cpu: 1)", |unit| unit.cores[0].no_deadline.to_string()),
        ("InputOff(\"fence\")", "InputOff(\"fence\")", |unit| unit.shown.to_string()),
        ("View(cpu: 1, pin: 5, high: false)", "View(cpu: 1, pin: 5, high: true)", |unit| {
            format!("{:?}", unit.cores[0].views.iter().map(|(_, pin, high)| (pin, high)).collect::<Vec<_>>())
        }),
        (
            "Adc(cpu: 2, channel: Supply, error: Above(\"100mV\"))",
            "Adc(cpu: 2, channel: Supply, error: Above(\"50mV\"))",
            |unit| format!("{:?}", unit.cores[1].adc.iter().map(|(_, _, fault)| fault).collect::<Vec<_>>()),
        ),
        ("C2cLost(from: 1)", "C2cLost(from: 1)", |unit| without_count(&unit.lines[1])),
        ("RadioLost()", "RadioLost()", |unit| without_count(&unit.air)),
    ];
    for (first, second, look) in pairs {
        let fault = |kind: &str, at: u32, lasts: u32| {
            format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{at}s\"), duration: \"{lasts}s\")")
        };
        let seen = |faults: &str, at_ms: u64| {
            let loaded = loaded("safety-unit", &[format!("faults=[{faults}]"), "expectations=[]".to_owned()]);
            let mut twin = twin::build(&loaded.scenario, None);
            let _ = twin.run_until(SimTime::ZERO + Span::from_millis(at_ms));
            let mut text = String::new();
            each(&mut twin.world, |unit| text = look(unit));
            text
        };
        let alone = fault(first, 1, 3);
        let both = format!("{alone}, {}", fault(second, 2, 1));
        assert_eq!(seen(&both, 3_500), seen(&alone, 3_500), "{first}: what still holds");
        assert_ne!(seen(&alone, 3_500), seen("", 3_500), "{first}: that it holds is to be seen");
        assert_eq!(seen(&both, 4_500), seen("", 4_500), "{first}: healthy at the end");
    }
}

/// What the tool told of the first download of a run, and what stands in the check of it.
fn download_of(overrides: &[String]) -> (Told, RowVerdict, bool) {
    let loaded = loaded("safety-download", overrides);
    let run = run::run(&loaded.scenario, None, |_| {});
    let check = check_of(&report(&loaded, &run), "downloads_tell_what_is_stored");
    let mut seen = None;
    units_of(&run, |unit| {
        let runs = unit.cores.iter().all(|core| core.mode == Mode::Normal);
        let held = [0, 1].map(|cpu: usize| unit.tool.held_by(&unit.cores[cpu]).is_some());
        // Whatever is not whole on both sides is not run, and nothing is driven without a unit that runs.
        assert!(runs || unit.is_off(), "something is driven by a unit that does not run");
        assert!(!runs || held == [true, true], "half a configuration runs");
        seen = Some((unit.tool.downloads[0].told.expect("told").1, runs));
    });
    let (told, runs) = seen.expect("a unit");
    (told, check, runs)
}

/// Verifies SSR-058, SSR-063. The power goes at any time of a download: what the tool tells is what both CPUs hold.
#[test]
fn a_download_cut_at_any_time_is_never_told_as_a_success_and_half_of_it_never_runs() {
    let mut told = BTreeSet::new();
    for n in 0..16u64 {
        let fault = format!(
            "faults=[(kind: PowerCut, place: Node(\"hall\"), trigger: At(\"{}us\"), duration: \"100ms\")]",
            2_501_700 + n * 117_300
        );
        let (words, check, runs) = download_of(&[fault, "end=At(\"25s\")".to_owned(), "expectations=[]".to_owned()]);
        assert_eq!(check, RowVerdict::Pass, "cut {n}: {words:?}");
        assert!(words != Told::Stored || runs, "cut {n}: success is told of a unit that does not run");
        told.insert(format!("{words:?}"));
    }
    assert!(told.contains("Interrupted") && told.len() > 1, "{told:?}");
}

/// Verifies SSR-058. Control: what one CPU stores goes wrong after it was written, so that success would be a lie.
#[test]
fn a_bit_that_is_stored_wrongly_on_either_side_is_no_success() {
    for (cpu, at, wanted) in [(1, "4175ms", Told::Failed), (2, "4175ms", Told::Failed), (1, "4215ms", Told::Differs)] {
        let address = safety_common::flash_map::CONFIGURATION_AT + if at == "4215ms" { 0x280 } else { 0x40 };
        let fault = format!(
            "faults=[(kind: Safety(FlashBits(cpu: {cpu}, address: {address})), place: Node(\"hall\"), trigger: At(\"{at}\"))]"
        );
        let (told, check, runs) = download_of(&[fault, "end=At(\"25s\")".to_owned(), "expectations=[]".to_owned()]);
        assert_eq!((check, runs), (RowVerdict::Pass, false), "CPU{cpu} at {at}: {told:?}");
        assert_ne!(told, Told::Stored, "CPU{cpu} at {at}");
        assert!(told == wanted || told == Told::NotRunning || told == Told::Interrupted, "CPU{cpu} at {at}: {told:?}");
    }
}

/// Verifies SSR-058, SSR-068. The air takes the tool's requests, not its answers alone: a unit that hears none keeps working.
#[test]
fn requests_of_a_tool_are_lost_damaged_and_late_with_the_channel_of_its_unit() {
    let of = |kind: &str, lasts: &str| {
        let fault = format!(
            "faults=[(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"2400ms\"), duration: \"{lasts}\")]"
        );
        let loaded =
            loaded("safety-download-radio", &[fault, "end=At(\"25s\")".to_owned(), "expectations=[]".to_owned()]);
        let run = run::run(&loaded.scenario, None, |_| {});
        let report = report(&loaded, &run);
        assert_eq!(check_of(&report, "downloads_tell_what_is_stored"), RowVerdict::Pass, "{kind}");
        assert!(report.injections[0].activations > 0, "{kind} acted");
        let mut seen = None;
        units_of(&run, |unit| {
            if let Some(download) = unit.tool.downloads.first() {
                let left = unit.watch.cpus[0].left_normal.is_some();
                seen = Some((download.told.expect("told").1, left, download.took().expect("told")));
            }
        });
        seen.expect("a unit with a tool")
    };
    for kind in ["RadioLost()", "RadioCorrupted()", "RadioForged()"] {
        let (told, left, _) = of(kind, "20s");
        assert_eq!((told, left), (Told::NotEntered, false), "{kind}: no request comes through");
    }
    let (told, left, as_usual) = of("RadioRepeated(\"50ms\")", "20s");
    assert_eq!((told, left), (Told::Stored, true), "what comes twice is done once");
    let (told, _, later) = of("RadioDelayed(\"20ms\")", "20s");
    assert_eq!(told, Told::Stored);
    // Each row is written and read back; of the answers alone each exchange would be late by 20 ms, with the requests by 40 ms.
    assert!(later > as_usual, "{later} and {as_usual}");
}

/// Verifies SSR-055, SSR-058. Over each way the line is cut for good at any time: what is told is what both CPUs hold.
#[test]
fn a_download_whose_way_is_cut_at_any_time_is_never_told_wrongly() {
    let ways = [("Radio", "Safety(RadioLost())", 60_000), ("Can(\"laptop\")", "Unplugged", 90_000)];
    for (over, kind, apart_us) in ways {
        let mut told = BTreeSet::new();
        for n in 0..8u64 {
            let plan = format!(
                "safety_units[0].downloads=[(at: \"2500ms\", configuration: \"safety/pump-feed-half.ron\", password: \"coolant-7\", over: {over})]"
            );
            let at = 3_480_000 + n * apart_us;
            let fault = format!("faults=[(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{at}us\"))]");
            let more = ["further_nodes=[\"laptop\"]", "end=At(\"40s\")", "expectations=[]"].map(str::to_owned);
            let (words, check, _) = download_of(&[&[plan, fault][..], &more].concat());
            assert_eq!(check, RowVerdict::Pass, "{over}, cut {n}: {words:?}");
            told.insert(format!("{words:?}"));
        }
        assert!(told.contains("Interrupted"), "{over}: {told:?}");
    }
}

/// Verifies SSR-057. Control: a unit that lights its lamp for another's serial number, or not at all, is seen.
#[test]
fn a_lamp_that_is_lit_wrongly_is_seen() {
    let row = |report: &Report| {
        let expected = report.expectations.iter().filter(|row| row.text.contains("lamp")).map(|row| row.verdict);
        (check_of(report, "only_the_unit_that_is_meant_shows_itself"), expected.collect::<Vec<_>>())
    };
    use RowVerdict::{Fail, Pass};
    assert_eq!(row(&tampered("safety-identify", &[], |_| {})), (Pass, vec![Pass, Pass]));
    assert_eq!(row(&tampered("safety-identify", &[], |unit| unit.watch.lamps.clear())), (Pass, vec![Fail, Fail]));
    let shared: Tamper = |unit| {
        let at = SimTime::ZERO + Span::from_secs(9);
        unit.watch.lamps.insert(0, (at, Some(at + Span::from_secs(5))));
    };
    assert_eq!(row(&tampered("safety-identify", &[], shared)).0, Fail, "the roof answers for the hall");
    let long: Tamper =
        |unit| unit.watch.lamps.iter_mut().for_each(|(_, end)| *end = end.map(|end| end + Span::from_secs(1)));
    assert_eq!(row(&tampered("safety-identify", &[], long)).0, Fail, "longer than 5 s");
}

/// Verifies SSR-052. Passwords next to the right one, none of which enters.
#[test]
fn no_password_but_the_right_one_enters() {
    let long = "coolant-7".repeat(4);
    for password in ["", "coolant-", "coolant-77", "Coolant-7", "coolant-6", &long, &long.repeat(3)] {
        let plan = format!(
            "safety_units[0].downloads=[(at: \"2500ms\", configuration: \"safety/pump-feed-half.ron\", password: {password:?})]"
        );
        let (told, check, runs) = download_of(&[plan, "expectations=[]".to_owned()]);
        assert_eq!((told, check, runs), (Told::NotEntered, RowVerdict::Pass, true), "{password:?}");
    }
}

/// What a unit with these faults at `hall` gives, from the scenario without any.
fn with_faults(faults: &[&str], more: &[&str]) -> (Report, Run) {
    let fault = |text: &&str| {
        let (kind, at) = text.split_once(" at ").expect("kind and time");
        format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{at}\"))")
    };
    let faults: Vec<String> = faults.iter().map(fault).collect();
    let mut overrides = vec![format!("faults=[{}]", faults.join(", "))];
    overrides.extend(more.iter().map(|one| (*one).to_owned()));
    let loaded = loaded("safety-unit", &overrides);
    let run = run::run(&loaded.scenario, None, |_| {});
    (report(&loaded, &run), run)
}

fn budget<'a>(report: &'a Report, id: &str) -> &'a reports::Budget {
    report.budgets.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no budget {id}"))
}

/// Pin 8 and the main transistor conduct whatever they are told.
const STUCK: [&str; 2] = ["Transistor(pin: 8, conducts: true) at 3s", "MainTransistor(conducts: true) at 3s"];

/// Verifies SSR-042, SSR-044, SSR-065. A reset of a CPU ends no trip while something is on, and what simply stays on is seen.
#[test]
fn what_stays_on_is_seen_and_a_reset_does_not_end_its_trip() {
    let expects = ["expectations=[SafetyTrip(unit: \"hall\", by: OutputDriver)]"];
    for reset in [None, Some("CpuReset(cpu: 1) at 4950ms"), Some("CpuReset(cpu: 1) at 4990ms")] {
        let faults: Vec<&str> = STUCK.into_iter().chain(reset).collect();
        let (report, _) = with_faults(&faults, &expects);
        let row = budget(&report, "safety-fault-reaction");
        assert_eq!((row.n, row.verdict), (1, RowVerdict::Fail), "{reset:?}");
        assert!(row.measured.is_some_and(|ms| ms.as_millionths() > 1_800_000_000), "{reset:?}: {:?}", row.measured);
        for id in ["nothing_is_driven_outside_normal_mode", "safe_state_is_silent_and_off"] {
            assert_eq!(check_of(&report, id), RowVerdict::Fail, "{reset:?}: {id}");
        }
    }
    // One fault alone: the other CPU turns all off in time.
    let (report, _) = with_faults(&STUCK[..1], &expects);
    for id in ["nothing_is_driven_outside_normal_mode", "safe_state_is_silent_and_off"] {
        assert_eq!(check_of(&report, id), RowVerdict::Pass, "{id}");
    }
}

/// Verifies SSR-037. A CPU has turned all off alone only if the other one had told nothing, and only within a tick of its command.
#[test]
fn a_cpu_that_needs_the_other_has_not_turned_all_off_alone() {
    let id = "either_cpu_alone_turns_all_off";
    for (by, fault) in [("C2cSilent", "C2cLost(from: 1) at 3s"), ("Rail", "Rail(cpu: 1, to: \"3600mV\") at 3s")] {
        let expects = format!("expectations=[SafetyTrip(unit: \"hall\", by: {by}, cpu: 2)]");
        let (alone, _) = with_faults(&[fault], &[&expects]);
        assert_eq!(check_of(&alone, id), RowVerdict::Pass, "{by}: CPU2 alone");
        let (helped, _) = with_faults(&[fault, STUCK[1]], &[&expects]);
        assert_eq!(check_of(&helped, id), RowVerdict::NotApplicable, "{by}: CPU1 did it");
    }
    let late: Tamper = |unit| unit.watch.offs.iter_mut().for_each(|off| off.off += Span::from_millis(2));
    assert_eq!(check_of(&tampered("safety-c2c-cut", &[], late), id), RowVerdict::Fail);
}

/// Verifies SSR-016, SSR-044. A relay is off when its contact says so; a contact that obeys late or never is no time to a coil.
#[test]
fn a_relay_that_never_opens_is_not_off() {
    let welded = ["Contact(relay: 0, cpu: 1, closed: true) at 3s", "Contact(relay: 0, cpu: 2, closed: true) at 3s"];
    let cases = [
        ("safety-response", "InputOff(\"stop\") at 3500ms", &[][..]),
        ("safety-fault-reaction", "C2cLost(from: 1) at 3500ms", &["either_cpu_alone_turns_all_off"]),
    ];
    for (id, event, checks) in cases {
        let (sound, _) = with_faults(&[event], &[]);
        let row = budget(&sound, id);
        assert_eq!(row.verdict, RowVerdict::Pass, "{id}");
        assert!(
            row.r#where.as_ref().is_some_and(|place| place.contains(", contacts open after ")),
            "{:?}",
            row.r#where
        );
        let (held, _) = with_faults(&[welded[0], welded[1], event], &[]);
        assert_eq!(budget(&held, id).verdict, RowVerdict::Fail, "{id}");
        let checks = checks.iter().chain(&["nothing_is_driven_outside_normal_mode", "safe_state_is_silent_and_off"]);
        checks.for_each(|check| assert_eq!(check_of(&held, check), RowVerdict::Fail, "{id}: {check}"));
    }
    // One contact alone, of the CPU that trips: the relay is off as the other CPU opens it, and not with the coil.
    let (one, _) = with_faults(&[welded[1], "C2cLost(from: 1) at 3500ms"], &[]);
    let row = budget(&one, "safety-fault-reaction");
    let ms = row.measured.expect("a trip").as_millionths() / 1_000_000;
    assert!(row.verdict == RowVerdict::Pass && (5..23).contains(&ms), "{ms} ms");
}

/// Verifies SSR-002, SSR-005. A CPU that tests nothing of a memory breaks the limit of a pass, and before the limit is over it is named.
#[test]
fn a_cpu_without_a_pass_is_not_covered_by_the_other() {
    let named = |end: &str| {
        let (report, _) = with_faults(&[], &[end]);
        let row = budget(&report, "safety-ram-pass");
        (row.verdict, row.r#where.clone().unwrap_or_default())
    };
    let (verdict, place) = named("end=At(\"9s\")");
    assert!(verdict == RowVerdict::Pass && place.ends_with("; no pass was complete yet of hall, CPU2"), "{place}");
    let loaded = loaded("safety-unit", &["end=At(\"63s\")".to_owned()]);
    let skips: [(&str, Tamper); 4] = [
        ("safety-ram-pass", |unit| unit.cores[0].ram.skip(0, 16)),
        ("safety-ram-pass", |unit| unit.cores[1].ram.skip(0, 16_384)),
        ("safety-flash-pass", |unit| unit.cores[0].flash.skip(0, safety_common::flash_map::LEN)),
        ("safety-flash-pass", |unit| unit.cores[1].flash.skip(0, safety_common::flash_map::LEN)),
    ];
    for (number, (id, skip)) in skips.into_iter().enumerate() {
        let mut twin = twin::build(&loaded.scenario, None);
        each(&mut twin.world, skip);
        let report = report(&loaded, &run::finish(twin, &loaded.scenario, |_| {}));
        let verdicts = ["safety-ram-pass", "safety-flash-pass"].map(|own| (own == id, budget_of(&report, own)));
        let wanted = |is_own| if is_own { RowVerdict::Fail } else { RowVerdict::Pass };
        assert!(verdicts.iter().all(|(is_own, got)| *got == wanted(*is_own)), "{number}: {verdicts:?}");
    }
}

/// Verifies SSR-046. A trip that the scenario names excuses what follows from it, and not what the unit does after a restart.
#[test]
fn a_named_trip_excuses_no_other_one_after_a_restart() {
    let restart = ["C2cLost(from: 1, packets: 25) at 3s", "CpuReset(cpu: 1) at 4s", "CpuReset(cpu: 2) at 4s"];
    let more = ["expectations=[SafetyTrip(unit: \"hall\", by: C2cSilent)]", "end=At(\"9s\")"];
    let (named, _) = with_faults(&restart, &more);
    assert_eq!(check_of(&named, "healthy_units_do_not_trip"), RowVerdict::NotApplicable);
    let slip = "TickSlip(cpu: 1, by: 5) at 7s";
    let (unasked, run) = with_faults(&[&restart[..], &[slip]].concat(), &more);
    assert_eq!(check_of(&unasked, "healthy_units_do_not_trip"), RowVerdict::Fail);
    units_of(&run, |unit| assert_eq!(unit.watch.cpus[0].causes.len(), 2, "{:?}", unit.watch.cpus[0].causes));
}

/// A second trip is told from its own fault, not from an older one that a restart lies behind.
#[test]
fn a_trip_after_a_restart_is_told_from_a_fault_after_it() {
    let button = "safety_units[0].operations=[(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\"),
        (at: \"6s\", input: \"button\", to: On, duration: \"300ms\")]";
    // The second is never off, so that it is the worst one.
    let faults = [
        "C2cLost(from: 1, packets: 25) at 3s",
        "CpuReset(cpu: 1) at 4s",
        "CpuReset(cpu: 2) at 4s",
        "Transistor(pin: 8, conducts: true) at 6900ms",
        "MainTransistor(conducts: true) at 6900ms",
        "TickSlip(cpu: 1, by: 5) at 7s",
    ];
    let (report, _) = with_faults(&faults, &[button, "end=At(\"9s\")"]);
    let row = budget(&report, "safety-fault-reaction");
    let steps: Vec<(&str, u64)> =
        row.decomposition.iter().map(|step| (step.step.as_str(), step.at_ms.as_nanos() as u64 / 1_000_000)).collect();
    assert!(row.n >= 2 && steps[0].0 == "occurred" && steps[0].1 >= 6_900, "{steps:?}");
}

/// What a budget measured decides about the requirements that it names in the run.
#[test]
fn a_budget_names_the_requirements_of_the_causes_that_it_measured() {
    let named = |name: &str, id: &str| {
        let loaded = loaded(name, &[]);
        let run = run::run(&loaded.scenario, None, |_| {});
        budget(&report(&loaded, &run), id).requirements.clone()
    };
    for (name, id, wanted) in [
        ("safety-dip-502ms", "safety-supply-reaction", &["SSR-009"][..]),
        ("safety-over-voltage-502ms", "safety-supply-reaction", &["SSR-011"]),
        ("safety-unit", "safety-supply-reaction", &[]),
        ("safety-c2c-cut", "safety-fault-reaction", &["SSR-044"]),
        ("safety-main-stuck-on", "safety-fault-reaction", &["SSR-035", "SSR-044"]),
        ("safety-output-to-ground", "safety-outside-reaction", &["SSR-036"]),
        ("safety-radio-5-lost", "safety-radio-timeout", &["SSR-076"]),
    ] {
        assert_eq!(named(name, id), wanted, "{name}");
    }
}

/// Verifies SSR-082, SSR-083. Each rail is found by the other CPU, and stands for its own requirement.
#[test]
fn the_rail_of_a_cpu_stands_for_its_own_requirement() {
    for (scenario, wanted) in [("safety-rail-high-cpu1", "SSR-082"), ("safety-rail-high-cpu2", "SSR-083")] {
        let report = tampered(scenario, &[], |_| {});
        let row = report.checks.iter().find(|row| row.id == "diagnostics_find_what_is_injected").expect("the row");
        assert_eq!((row.verdict, &row.requirements[..]), (RowVerdict::Pass, &[wanted.to_owned()][..]), "{scenario}");
    }
}

/// A unit that trips, restarts and is silent for another reason later has not turned the other one off so late.
#[test]
fn a_silence_after_a_restart_is_none_of_the_trip_before() {
    let fault = |kind: &str, at: &str| {
        let lasts = if kind == "RadioLost()" { ", duration: \"1s\"" } else { "" };
        format!("(kind: Safety({kind}), place: Node(\"roof\"), trigger: At(\"{at}\"){lasts})")
    };
    let cut = fault("C2cLost(from: 1, packets: 25)", "4s");
    let again = [("CpuReset(cpu: 1)", "5s"), ("CpuReset(cpu: 2)", "5s"), ("RadioLost()", "9s")]
        .map(|(kind, at)| fault(kind, at));
    let (before, between) = (fault("RadioLost()", "3s"), again.join(", "));
    let press = "operations: [(at: \"2s\", input: \"button\", to: On, duration: \"300ms\"),
        (at: \"8s\", input: \"button\", to: On, duration: \"300ms\")]";
    let text = |faults: &str| {
        format!(
            "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"12s\"), safety_units: [
            (configuration: \"safety/cooling-watch.ron\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
                inputs: [(input: \"button\", device: Off)], {press}),
            (configuration: \"safety/cooling-watch.ron\", node: \"roof\", cpu1: (clock_offset: \"31ms\"),
                cpu2: (clock_offset: \"31211us\"))], faults: [{faults}],
            expectations: [SafetyTrip(unit: \"roof\", by: C2cSilent)])"
        )
    };
    let row = |faults: &str| {
        let (loaded, run) = own(&text(faults), &[]);
        let mut silences = 0;
        let is_silence = |one: &&Demand| matches!(one.why, Why::Silence { .. }) && one.off.is_some();
        units_of(&run, |unit| silences += unit.watch.demands.iter().filter(is_silence).count());
        (budget(&report(&loaded, &run), "safety-fault-reaction").clone(), silences)
    };
    let remote = |row: &reports::Budget| row.samples.iter().any(|one| one.place.contains("outputs of hall"));
    let (own_silence, silences) = row(&cut);
    assert!(remote(&own_silence) && own_silence.verdict == RowVerdict::Pass && silences == 1, "{own_silence:?}");
    let (later, silences) = row(&[before, cut, between].join(", "));
    assert!(!remote(&later) && later.verdict == RowVerdict::Pass && silences == 2, "{later:?}, {silences}");
}
