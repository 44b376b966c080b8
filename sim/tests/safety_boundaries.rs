//! Boundaries in time of safety units, over every phase of a tick and with clocks that run apart.

mod common;

use common::units::own;
use common::{loaded, shipped};
use cooltwin::run::{self, Identity};
use reports::{Budget, Report, RowVerdict, Verdict};

fn verdict(name: &str, overrides: &[String]) -> Verdict {
    let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
    let loaded = loaded(&shipped(&format!("{name}.ron")), &overrides);
    run::report(&loaded, &run::run(&loaded.scenario, None, |_| {}), &Identity::default()).verdict
}

/// 24 phases of a millisecond, on no grid of the slots.
fn phases() -> impl Iterator<Item = String> {
    (0..24u64).map(|n| format!("faults[0].trigger=At(\"{}ns\")", 3_000_000_000 + n * 41_777))
}

/// Verifies SSR-009, SSR-011. Boundaries of the 500 ms, below and above the limits.
#[test]
fn a_dip_of_499_ms_never_trips_and_one_of_502_ms_always_does_at_every_phase_of_a_tick() {
    for name in ["safety-dip-499ms", "safety-dip-502ms", "safety-over-voltage-499ms", "safety-over-voltage-502ms"] {
        let failing: Vec<String> =
            phases().filter(|phase| verdict(name, std::slice::from_ref(phase)) != Verdict::Pass).collect();
        assert_eq!(failing, Vec::<String>::new(), "{name}");
    }
}

/// Clocks that run apart as far as they may, and alike: of CPU1 and CPU2 in ppm.
const CLOCKS: [[i32; 2]; 3] = [[0, 0], [1_000, -999], [-999, 1_000]];

/// A little more than a second of a unit with these faults, each with its instant; `offset` moves the steps of CPU2, and so its packets,
/// against those of CPU1. Its outputs are on soon, for the filter of an input is short.
fn shortly(faults: &[(String, &str)], expectations: &str, [one, two]: [i32; 2], offset: u64) -> Report {
    let faults =
        faults.iter().map(|(kind, at)| format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{at}\"))"));
    let faults: Vec<String> = faults.collect();
    let text = format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"1150ms\"), expectations: [{expectations}],
        safety_units: [(configuration: \"changed/pump-feed.ron\", node: \"hall\",
            cpu1: (clock_drift: \"{one}ppm\"), cpu2: (clock_offset: \"{offset}us\", clock_drift: \"{two}ppm\"),
            inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"900ms\", input: \"button\", to: On, duration: \"50ms\")])],
        faults: [{}])",
        faults.join(", ")
    );
    let (loaded, run) = own(&text, &[("on_filter: \"500ms\"", "on_filter: \"20ms\"")]);
    run::report(&loaded, &run, &Identity::default())
}

fn lost(from: u8, packets: u32) -> String {
    format!("C2cLost(from: {from}, packets: {packets})")
}

/// What CPU2 boots later than CPU1, so that each sends at every phase of the other's tick.
fn offsets() -> impl Iterator<Item = u64> {
    (0..1_000).step_by(37)
}

fn silence(report: &Report) -> &Budget {
    report.budgets.iter().find(|row| row.id == "safety-c2c-silence").expect("the row")
}

/// Verifies SSR-020, SSR-021, SSR-022. Boundaries of the 20 ms: 18 losses each way, and later 20 one way. Where the packet that ends the
/// silence comes in time for the step that finds it, the silence is as long as where none came.
#[test]
fn losses_of_18_packets_survive_and_of_20_trip_at_every_phase_of_a_tick() {
    let mut failing = Vec::new();
    for (clocks, from) in CLOCKS.into_iter().flat_map(|clocks| [(clocks, 1), (clocks, 2)]) {
        let faults = [(lost(1, 18), "1s"), (lost(2, 18), "1s"), (lost(from, 20), "1100ms")];
        // After the later of the losses, and within so long of the first ones.
        let tripped = format!("by: C2cSilent, cpu: {}, after: \"18ms\", within: \"123ms\"", 3 - from);
        for offset in offsets() {
            let report = shortly(&faults, &format!("SafetyTrip(unit: \"hall\", {tripped})"), clocks, offset);
            let row = silence(&report);
            let is_right = row.verdict == RowVerdict::Pass && row.n == 1;
            // What needs a longer run is not judged.
            if report.verdict == Verdict::Fail || !is_right {
                failing.push(format!("of CPU{from}, {clocks:?} ppm, {offset} us: {row:?}, {:?}", report.expectations));
            }
        }
    }
    assert!(failing.is_empty(), "{} fail: {:#?}", failing.len(), failing.first());
}

/// A control: a CPU whose clock goes slow or fast with the losses trips too late or too early in true time. This is told at every phase,
/// whether the silence goes on (40 losses) or ends in the step that finds it, as it does at some of the phases with 18 and 23.
#[test]
fn a_silence_that_is_found_too_late_or_too_early_fails_at_every_phase_of_a_tick() {
    let cases = [(-150_000, 40), (-150_000, 23), (100_000, 40), (100_000, 18)];
    for (from, (ppm, packets)) in cases.into_iter().flat_map(|case| [(1, case), (2, case)]) {
        let faults = [(lost(from, packets), "1s"), (format!("Clock(cpu: {}, by: \"{ppm}ppm\")", 3 - from), "1s")];
        for offset in offsets() {
            let report = shortly(&faults, "", [0, 0], offset);
            let row = silence(&report);
            assert_eq!(
                (row.n, row.verdict),
                (1, RowVerdict::Fail),
                "{packets} of CPU{from}, {ppm} ppm, {offset} us: {row:?}"
            );
        }
    }
}

/// A control: a packet 19.9 ms after the last one ends no silence, and a CPU that trips for it trips too early, however late in the tick.
/// A clock that is 1 % fast has it trip at all phases, and at nine of ten the packet is there by then.
#[test]
fn a_packet_that_comes_in_time_ends_no_silence() {
    for from in 1..=2 {
        let late = format!("C2cDelayed(from: {from}, by: \"900us\", packets: 1)");
        let fast = format!("Clock(cpu: {}, by: \"10000ppm\")", 3 - from);
        let faults = [(lost(from, 18), "1s"), (late, "1s"), (fast, "1s")];
        let rows = offsets().map(|offset| silence(&shortly(&faults, "", [0, 0], offset)).clone());
        let rows: Vec<Budget> = rows.collect();
        let early = rows.iter().filter(|row| row.verdict == RowVerdict::Fail).count();
        assert!(rows.iter().all(|row| row.n == 1) && early >= 24, "of CPU{from}: {early} of {}", rows.len());
    }
}

/// Verifies SSR-020, SSR-021. A packet that is overtaken is old when it comes: no sign of life, and not where a silence begins.
#[test]
fn a_packet_that_is_overtaken_neither_ends_nor_begins_a_silence() {
    for (clocks, from) in CLOCKS.into_iter().flat_map(|clocks| [(clocks, 1), (clocks, 2)]) {
        // It comes within the silence, or after it.
        for by in ["15ms", "30ms"] {
            let late = format!("C2cDelayed(from: {from}, by: \"{by}\", packets: 1)");
            let report = shortly(&[(late, "1s"), (lost(from, 25), "1005ms")], "", clocks, 0);
            let row = silence(&report);
            assert_eq!((row.n, row.verdict), (1, RowVerdict::Pass), "{by}, of CPU{from}, {clocks:?} ppm: {row:?}");
        }
    }
}

/// Verifies SSR-014. An execution time that the second guard alone sees, and one that neither may see.
#[test]
fn the_logic_may_take_812_5_us_and_no_more() {
    for (name, takes, wanted) in [
        ("safety-logic-812-5us-cpu1", "812400ns", Verdict::Pass),
        ("safety-logic-812-6us-cpu1", "812501ns", Verdict::Pass),
        ("safety-logic-812-6us-cpu1", "812500ns", Verdict::Fail),
        ("safety-logic-812-6us-cpu2", "1s", Verdict::Pass),
    ] {
        let got = verdict(name, &[format!("faults[0].kind.takes=\"{takes}\"")]);
        assert_eq!(got, wanted, "{name} {takes}");
    }
}

/// Verifies SSR-014. The limit is one of the CPU's own time: 0.1 us of it are 123 ppm, and 900 ppm of it are 0.7 us of true time.
#[test]
fn the_logic_may_take_812_5_us_of_the_own_time_of_a_cpu_whose_clock_is_off() {
    for cpu in 1..=2 {
        for (one, two) in [(900, -900), (-900, 900)] {
            let clocks =
                [(1, one), (2, two)].map(|(cpu, ppm)| format!("safety_units[0].cpu{cpu}.clock_drift=\"{ppm}ppm\""));
            for name in ["812-5us", "812-6us"] {
                let name = format!("safety-logic-{name}-cpu{cpu}");
                assert_eq!(verdict(&name, &clocks), Verdict::Pass, "{name}, {one} and {two} ppm");
            }
        }
    }
}
