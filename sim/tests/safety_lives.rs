//! Units that trip once more: what a second trip demands, and which name is for which trip.

mod common;

use common::demands::{REACTION, alone, at, at_hall, hidden, operation, ran, row, three, three_set_up};
use common::units::units_in;
use cooltwin::hosts::safety::demands::{Demand, Why};
use reports::RowVerdict;

/// SSR-044. A unit trips a second time before anybody has missed it for the first one: what has come on in between must go off as well,
/// and what the first one demands is not asked for twice.
#[test]
fn a_second_trip_demands_what_has_come_on_since_the_first() {
    let (name, mut text) = three();
    for (old, new) in [
        ("timeout: \"100ms\"", "timeout: \"3s\""),
        ("response_time: \"500ms\"", "response_time: \"4s\""),
        (
            "pins: [(pin: 8,",
            "pins: [(pin: 0, name: \"pa\", role: Input), (pin: 1, name: \"pc\", role: Input),
            (pin: 9, name: \"pl\", role: Output), (pin: 8,",
        ),
        (
            "outputs: [",
            "inputs: [(name: \"a\", pins: Single(\"pa\")), (name: \"c\", pins: Single(\"pc\"))],
            outputs: [(name: \"late\", pins: Single(\"pl\")), ",
        ),
        (
            "(name: \"both\"",
            "(name: \"a\", kind: Input(\"a\")), (name: \"c\", kind: Input(\"c\")),
            (name: \"held\", kind: Or([\"a\", \"r\"])), (name: \"late\", kind: And([\"c\", \"held\"])),
            (name: \"l\", kind: Output(group: \"late\", of: \"late\")), (name: \"both\"",
        ),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    // The roof's link stays broken: it finds that, starts anew, and finds it again before it is in normal mode.
    let resets = [1, 2].map(|cpu| at("roof", &format!("CpuReset(cpu: {cpu})")).replace("3s", "3200ms"));
    let faults = [at("roof", "C2cLost(from: 1)"), resets.join(", ")].join(", ");
    let judged = |on_at: &str, more: &str| {
        let done = operation("a", "2s", "Off") + &operation("c", "1ms", "Off") + &operation("c", on_at, "On");
        let hall = format!(", operations: [{}]", done.trim_start_matches(", "));
        let (report, run) = three_set_up(&(name, text.clone()), [&hall, "", ""], "12s", &format!("{faults}{more}"));
        let row = row(&report, REACTION);
        let of_hall = row.samples.iter().filter(|one| one.place.contains("outputs of hall"));
        let hall = units_in(&run.twin.world)[0];
        let trips = hall.watch.demands.iter().filter(|one| matches!(one.why, Why::Trip { .. }));
        let trips: Vec<&Demand> = trips.collect();
        assert!(
            trips.iter().all(|one| trips[0].off.is_none_or(|off| one.at < off)),
            "the first one is open: {trips:?}"
        );
        (of_hall.count(), row.verdict, hall.is_off())
    };
    let unseen = format!(", {}", hidden("hall", 0, "1500ms"));
    assert_eq!(judged("3300ms", ""), (2, RowVerdict::Pass, true));
    assert_eq!(judged("3300ms", &unseen), (2, RowVerdict::Fail, false));
    assert_eq!(judged("1500ms", ""), (1, RowVerdict::Pass, true));
    assert_eq!(judged("1500ms", &unseen), (1, RowVerdict::Fail, false));
}

/// SSR-046. The times of a trip count from what led to it in its own life; two names whose CPUs differ are two.
#[test]
fn a_name_tells_the_trip_of_its_own_life() {
    let resets = [1, 2].map(|cpu| at_hall(&format!("Safety(CpuReset(cpu: {cpu}))"), "4s")).join(", ");
    let slip = |cpu: u8, at: &str| at_hall(&format!("Safety(TickSlip(cpu: {cpu}))"), at);
    let judged = |cpus: [u8; 2], names: [&str; 2]| {
        let names = names.map(|name| format!("SafetyTrip(unit: \"hall\", by: TickCount{name})")).join(", ");
        let faults = format!("{}, {resets}, {}", slip(cpus[0], "3s"), slip(cpus[1], "7s"));
        let text =
            alone("", &faults, "9s").replacen("safety_units:", &format!("expectations: [{names}], safety_units:"), 1);
        let (report, _) = ran(&text, &[]);
        let row = report.checks.iter().find(|row| row.id == "healthy_units_do_not_trip").expect("the row is there");
        let are_met = report.expectations.iter().map(|one| one.verdict == RowVerdict::Pass).collect::<Vec<bool>>();
        ((are_met[0], are_met[1]), row.verdict == RowVerdict::Fail)
    };
    // Both trips come within a tick of the slip of their own life, and the second long after the restart at 4 s.
    for (limits, is_met) in [("", true), (", within: \"2ms\"", true), (", after: \"2ms\"", false)] {
        let second = format!(", restarts: 1{limits}");
        assert_eq!(judged([1, 1], [", restarts: 0, within: \"10ms\"", &second]), ((true, is_met), false), "{second}");
    }
    for (cpus, names) in [
        ([2, 1], [", restarts: 1", ", restarts: 0, cpu: 2"]),
        ([2, 1], [", restarts: 0, cpu: 2", ", restarts: 1, cpu: 1"]),
        ([2, 1], [", cpu: 2", ", cpu: 1, restarts: 1"]),
    ] {
        assert_eq!(judged(cpus, names), ((true, true), false), "{cpus:?}, {names:?}");
    }
}

/// SSR-046. CPU2 hears nothing from 3 s on, and trips. Both CPUs are reset at 4 s and boot 10 ms later; CPU1 is normal after 644 ms more,
/// and the other one should be so 20 ms after that.
#[test]
fn times_of_a_fault_that_lasts_count_from_the_restart() {
    let resets = [1, 2].map(|cpu| at_hall(&format!("Safety(CpuReset(cpu: {cpu}))"), "4s")).join(", ");
    let faults = format!("{}, {resets}", at_hall("Safety(C2cLost(from: 1))", "3s"));
    for (limits, is_met) in [
        ("", true),
        (", within: \"666ms\"", true),
        (", within: \"662ms\"", false),
        (", after: \"662ms\"", true),
        (", after: \"666ms\"", false),
    ] {
        let trip = |more: &str| format!("SafetyTrip(unit: \"hall\", {more})");
        let first = trip("by: C2cSilent, cpu: 2, restarts: 0, within: \"22ms\"");
        let expected = [first, trip(&format!("by: PeerMode, cpu: 1, restarts: 1{limits}"))].join(", ");
        let text = alone("", &faults, "6s").replacen(
            "safety_units:",
            &format!("expectations: [{expected}], safety_units:"),
            1,
        );
        let (report, _) = ran(&text, &[]);
        let are_met: Vec<bool> = report.expectations.iter().map(|one| one.verdict == RowVerdict::Pass).collect();
        assert_eq!(are_met, [true, is_met], "{limits}: {:?}", report.expectations);
    }
}
