//! When a fault at a safety unit has acted: as something was different because of it, and not as it was there.
//!
//! Steps of CPU1 of the hall begin at whole milliseconds here, and those of CPU2 of the one unit at 3000.987 ms, as in `safety_records`.

mod common;

use common::{loaded, shipped};
use cooltwin::faults::Faults;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::air::AIR_TIME;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{Scoped, SimTime, Span};
use cooltwin::run::{self, Identity};
use cooltwin::twin;
use reports::{Report, RowVerdict, Verdict};
use safety_common::fault::{Detection, Fault};
use safety_common::io::Mode;
use units::Instant;

const ONE: &str = "safety-unit.ron";
const TWO: &str = "safety-two-units.ron";

fn overrides(faults: &[String], expectations: &str, end: &str) -> [String; 3] {
    [format!("faults=[{}]", faults.join(", ")), format!("expectations=[{expectations}]"), format!("end=At(\"{end}\")")]
}

/// A shipped scenario with these faults and expectations instead of its own.
fn judged(name: &str, faults: &[String], expectations: &str, end: &str) -> Report {
    let overrides = overrides(faults, expectations, end);
    let loaded = loaded(&shipped(name), &overrides.each_ref().map(String::as_str));
    run::report(&loaded, &run::run(&loaded.scenario, None, |_| {}), &Identity::default())
}

/// A fault at the hall from `begin` on; for so long where `duration` is not empty.
fn at(kind: &str, begin: &str, duration: &str) -> String {
    let lasts = if duration.is_empty() { String::new() } else { format!(", duration: \"{duration}\"") };
    format!("(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{begin}\"){lasts})")
}

fn safety(kind: &str, begin: &str, duration: &str) -> String {
    at(&format!("Safety({kind})"), begin, duration)
}

/// How often each fault acted, and when first; with the class where it never did.
fn acted(report: &Report) -> Vec<String> {
    let told = report.injections.iter().map(|one| match one.at_ms {
        Some(at) => format!("{} from {at}", one.activations),
        None => format!("{} {}", one.activations, one.class),
    });
    told.collect()
}

/// CPU2 is down from 200 ms on for its boot of 10.137 ms: what CPU1 sends until then comes to nobody.
#[test]
fn packets_that_nobody_can_receive_are_not_lost() {
    let lost = |begin: &str, packets: &str, duration: &str| {
        let reset = safety("CpuReset(cpu: 2)", "200ms", "");
        let faults = [reset, safety(&format!("C2cLost(from: 1{packets})"), begin, duration)];
        let report = judged(ONE, &faults, "", "5s");
        (acted(&report).remove(1), report.verdict)
    };
    assert_eq!(lost("201ms", "", "8ms"), ("0 invalid".to_owned(), Verdict::Inconclusive));
    // The three are met as it runs again. A step that begins at a whole millisecond puts its packet on the line at once.
    assert_eq!(lost("205ms", ", packets: 3", ""), ("3 from 211".to_owned(), Verdict::Pass));
    assert_eq!(lost("305ms", ", packets: 3", ""), ("3 from 305".to_owned(), Verdict::Pass));
    // One that stands still for good reads nothing any more.
    let faults = [safety("CpuHalted(cpu: 2)", "200ms", ""), safety("C2cLost(from: 1)", "300ms", "1s")];
    assert_eq!(acted(&judged(ONE, &faults, "", "5s"))[1], "0 invalid");
}

/// The hall is the only one that hears the roof; its hold-up is 5 ms.
#[test]
fn radio_packets_that_nobody_can_receive_are_not_lost() {
    let lost = |cut: &str| {
        let roof = "(kind: Safety(RadioLost(packets: 5)), place: Node(\"roof\"), trigger: At(\"3500ms\"))".to_owned();
        acted(&judged(TWO, &[at("PowerCut", "3s", cut), roof], "", "5s")).remove(1)
    };
    assert_eq!(lost(""), "0 invalid");
    let again = lost("1s");
    let from: f64 = again.strip_prefix("5 from ").and_then(|at| at.parse().ok()).unwrap_or_default();
    assert!((4_000.0..4_500.0).contains(&from), "{again}: with the power of the hall");
    let whole = acted(&judged(TWO, &[safety("RadioLost(packets: 5)", "3500ms", "")], "", "5s")).remove(0);
    assert!(whole.starts_with("5 from 35"), "{whole}");
}

/// The hall is the only one that hears the roof: in the safe state, and with another configuration, it takes nothing.
#[test]
fn radio_packets_that_nobody_takes_are_not_lost() {
    let lost = "(kind: Safety(RadioLost(packets: 5)), place: Node(\"roof\"), trigger: At(\"3500ms\"))".to_owned();
    let of =
        |name: &str, first: &str| acted(&judged(name, &[safety(first, "3s", ""), lost.clone()], "", "5s")).remove(1);
    assert_eq!(of(TWO, "TickSlip(cpu: 1)"), "0 invalid");
    assert!(of(TWO, "InputOff(\"button\")").starts_with("5 from 35"), "a stop ends no reception");
    assert_eq!(of("safety-radio-other-configuration.ron", "InputOff(\"button\")"), "0 invalid");
}

/// A CPU looks at its count of ticks in each step but the first, and not in the safe state.
#[test]
fn a_slip_acts_with_the_next_step_that_looks_at_it() {
    let slip = |begin: &str| safety("TickSlip(cpu: 1)", begin, "");
    let after = |kind: &str| {
        let report = judged(ONE, &[safety(kind, "3s", ""), slip("3500ms")], "", "5s");
        (acted(&report).remove(1), report.verdict)
    };
    assert_eq!(after("CpuHalted(cpu: 1)").0, "0 invalid");
    assert_eq!(after("LogicTime(cpu: 1, takes: \"900us\")").0, "0 invalid");
    assert_eq!(after("InputOff(\"button\")").0, "1 from 3500");
    // It boots at 10 ms.
    for (begin, told) in [("5ms", "0 invalid"), ("10500us", "0 invalid"), ("11500us", "1 from 12")] {
        assert_eq!(acted(&judged(ONE, &[slip(begin)], "", "5s")), [told], "{begin}");
    }
}

/// A CPU stands still where it does not step a tick.
#[test]
fn a_halt_acts_with_the_first_tick_that_is_not_stepped() {
    let halted = |cpu: u8, begin: &str, duration: &str| safety(&format!("CpuHalted(cpu: {cpu})"), begin, duration);
    let of = |faults: &[String], expectations: &str| {
        let report = judged(ONE, faults, expectations, "5s");
        (acted(&report), report.verdict)
    };
    // Between two ticks, and over one.
    let (told, verdict) = of(&[halted(2, "3s", "500us")], "SafetyStaysNormal(\"hall\")");
    assert_eq!((told[0].as_str(), verdict), ("0 invalid", Verdict::Inconclusive));
    assert_eq!(of(&[halted(2, "3s", "1ms")], "").0, ["1 from 3000.987457"]);
    // Before it has booted, which is at 10 ms: its first tick is at 11 ms.
    let missing = "SafetyTrip(unit: \"hall\", by: PeerMissing, cpu: 2)";
    assert_eq!(of(&[halted(1, "5ms", "")], missing), (vec!["1 from 11".to_owned()], Verdict::Pass));
    // The second one holds it at 3006 and 3007 ms alone, and not at all where it is over before the first one.
    let first = halted(1, "3s", "6ms");
    assert_eq!(of(&[first.clone(), halted(1, "3003ms", "5ms")], "").0, ["1 from 3000", "1 from 3006"]);
    assert_eq!(of(&[first, halted(1, "3003ms", "2ms")], "").0, ["1 from 3000", "0 invalid"]);
    // The watchdog ends the first one at 3009 ms: the second one alone holds it 20 ms later.
    let both = [halted(1, "3s", "200ms"), halted(1, "3100ms", "5ms")];
    assert_eq!(of(&both, "").0, ["1 from 3000", "1 from 3100"]);
}

/// Samples are taken 22.5, 85, 147.5, 210, 272.5, .. us after the begin of a tick; CPU2 steps at 3000.987 ms.
#[test]
fn a_stop_shorter_than_a_tick_acts_where_a_sample_shows_it() {
    let stopped = |begin: &str, duration: &str| {
        let report = judged(ONE, &[safety("InputOff(\"fence\")", begin, duration)], "", "5s");
        acted(&report).remove(0)
    };
    assert_eq!(stopped("3000100us", "200us"), "1 from 3000.987457");
    assert_eq!(stopped("3000100us", "10us"), "0 invalid");
    assert_eq!(stopped("3000100us", "20ms"), "1 from 3000.987457");
    // The button is OFF by itself.
    let released = judged(ONE, &[safety("InputOff(\"button\")", "3000100us", "200us")], "", "5s");
    assert_eq!(acted(&released), ["0 invalid"]);
    // Of two that are alike the first acts.
    let twice = [safety("InputOff(\"fence\")", "3s", "300ms"), safety("InputOff(\"fence\")", "3s", "200ms")];
    assert_eq!(acted(&judged(ONE, &twice, "", "5s")), ["1 from 3000.987457", "0 invalid"]);
}

/// Of several stops within a tick each is for itself: 200 us are in three samples, 10 us between two of them in none.
#[test]
fn two_stops_in_a_tick_are_two() {
    let stop = |begin: &str, duration: &str| safety("InputOff(\"fence\")", begin, duration);
    let long = stop("3000100us", "200us");
    let expectations = "SafetyRelays(unit: \"hall\", closed: [])";
    for (other, wanted) in [("3000920us", "0 invalid"), ("3000540us", "0 invalid"), ("3002920us", "0 invalid")] {
        let report = judged(ONE, &[long.clone(), stop(other, "10us")], expectations, "5s");
        assert_eq!(acted(&report), ["1 from 3000.987457", wanted], "the other at {other}");
    }
    let report = judged(ONE, &[long, stop("3000500us", "300us")], expectations, "5s");
    assert_eq!(acted(&report), ["1 from 3000.987457", "1 from 3000.987457"]);
}

/// What is beside a packet shares its fate.
#[test]
fn the_message_beside_the_last_lost_packet_is_lost_as_well() {
    let us = |us: u64| SimTime::ZERO + Span::from_micros(us);
    // Messages and packets on their way to CPU2 of the hall, 0.4 ms after a step of CPU1.
    let on_the_way = |faults: &[String], step_ms: u64| {
        let overrides = overrides(faults, "", "5s");
        let loaded = loaded(&shipped(TWO), &overrides.each_ref().map(String::as_str));
        let mut twin = twin::build(&loaded.scenario, None);
        let mut seen = Vec::new();
        for ms in 3_000..=step_ms {
            let _ = twin.run_until(us(ms * 1_000 + 400));
            let hall = twin.world.resource::<Units>().entities()[0];
            let cpu2 = &twin.world.get::<Unit>(hall).expect("a unit").cores[1];
            seen.push((cpu2.forwards.len(), cpu2.packets.len()));
        }
        seen
    };
    let healthy = on_the_way(&[], 3_100);
    let first = (3_000..).zip(&healthy).find(|(_, (messages, _))| *messages > 0);
    let step = first.map(|(ms, _)| ms).expect("CPU1 passes on what the roof sends");
    let lost = |begin_us: u64, packets: u32| {
        let fault = safety(&format!("C2cLost(from: 1, packets: {packets})"), &format!("{begin_us}us"), "");
        *on_the_way(&[fault], step).last().expect("the step")
    };
    let (messages, packets) = healthy[usize::try_from(step - 3_000).expect("small")];
    assert_eq!(packets, 1);
    assert_eq!(lost(step * 1_000 - 500, 1), (0, 0), "it is the only one");
    assert_eq!(lost(step * 1_000 - 1_500, 2), (0, 0), "it is the second of two");
    assert_eq!(lost(step * 1_000 - 1_500, 1), (messages, 1), "it is the one after");
}

/// SSR-046. The first life ends with a CPU1 that has found in each of 200 steps that its logic takes too long.
#[test]
fn what_is_detected_in_a_later_life_is_kept_however_much_was_before() {
    let met = |lasts: &str, second: &str| {
        let faults = [
            safety("LogicTime(cpu: 1, takes: \"1ms\")", "3s", lasts),
            at("PowerCut", "3300ms", "100ms"),
            safety("TickSlip(cpu: 1)", "6s", ""),
        ];
        let names = format!(
            "SafetyTrip(unit: \"hall\", by: LogicTime, restarts: 0), SafetyTrip(unit: \"hall\", by: {second}, restarts: 1)"
        );
        let report = judged(ONE, &faults, &names, "7s");
        let met: Vec<bool> = report.expectations.iter().map(|one| one.verdict == RowVerdict::Pass).collect();
        (met[0], met[1])
    };
    assert_eq!(met("200ms", "TickCount"), (true, true));
    assert_eq!(met("50ms", "TickCount"), (true, true));
    assert_eq!(met("200ms", "C2cSilent"), (true, false));
}

/// SSR-018, SSR-021. The last packet that comes has a false demand and a right CRC. It is there at 3004.66 ms; CPU2 finds the silence at
/// 3024.986 ms, and all is off with that step, 0.3 ms later.
#[test]
fn a_forged_packet_is_a_sign_of_life() {
    let silence = |kind: &str| {
        let faults = [safety(kind, "3s", ""), safety("C2cLost(from: 1, packets: 25)", "3005ms", "")];
        let report = judged(ONE, &faults, "SafetyTrip(unit: \"hall\", by: C2cSilent, cpu: 2)", "5s");
        let row = report.budget("safety-c2c-silence").expect("the row");
        let measured = row.measured.map(|value| value.as_millionths() / 10_000).unwrap_or_default();
        (measured, row.verdict, acted(&report).remove(0))
    };
    assert_eq!(
        silence("C2cForged(from: 1, field: Demand, packets: 5)"),
        (2_062, RowVerdict::Pass, "5 from 3000".to_owned())
    );
    // Damaged ones are none: the last one that was good came at 2999.66 ms, and CPU2 finds that at 3019.987 ms.
    assert_eq!(silence("C2cCorrupted(from: 1, packets: 5)"), (2_062, RowVerdict::Pass, "5 from 3000".to_owned()));
}

/// SSR-046. What a unit finds in its wiring comes as often as it likes; the internal fault behind it is kept.
#[test]
fn an_internal_fault_behind_many_detections_is_kept() {
    let overrides = overrides(&[], "", "5s");
    let loaded = loaded(&shipped(ONE), &overrides.each_ref().map(String::as_str));
    let mut twin = twin::build(&loaded.scenario, None);
    let at = SimTime::ZERO + Span::from_secs(3);
    let _ = twin.run_until(at);
    let hall = twin.world.resource::<Units>().entities()[0];
    let mut unit = twin.world.get_mut::<Unit>(hall).expect("a unit");
    let found = |fault: Fault| Detection { at: Instant::from_micros(0), fault, detail: 0 };
    for fault in [Fault::InputSignal; 150].into_iter().chain([Fault::TickCount]) {
        unit.watch.detected(at, 0, &found(fault));
    }
    let kept = &unit.watch.cpus[0].detections;
    assert_eq!((kept.len(), kept.last().map(|(_, one)| one.fault)), (101, Some(Fault::TickCount)));
}

/// Of two cuts at once nobody knows by which one the outputs fell.
#[test]
fn outputs_that_fall_with_two_cuts_are_of_neither() {
    let offs = |faults: &[String]| -> Vec<bool> {
        let report = judged(ONE, faults, "", "5s");
        report.injections.iter().map(|one| one.local_off_ms.is_some()).collect()
    };
    let cut = at("PowerCut", "3s", "");
    assert_eq!(offs(std::slice::from_ref(&cut)), [true]);
    assert_eq!(offs(&[cut.clone(), cut]), [false, false]);
}

/// The hall is the only one that hears the roof, whose packets change their places. One that waits for the next as the hall goes dark is
/// gone: as the hall listens again, the first one waits anew, and two come with the second.
#[test]
fn what_waits_to_change_places_is_gone_where_nobody_hears_the_next() {
    let ms = |ms: u64| SimTime::ZERO + Span::from_millis(ms);
    let heard = |cut_ms: u64| {
        let roof = "(kind: Safety(RadioSwapped), place: Node(\"roof\"), trigger: At(\"2900ms\"))".to_owned();
        let cut = at("PowerCut", &format!("{cut_ms}ms"), &format!("{}ms", 4_000 - cut_ms));
        let overrides = overrides(&[cut, roof], "", "6s");
        let loaded = loaded(&shipped(TWO), &overrides.each_ref().map(String::as_str));
        let mut twin = twin::build(&loaded.scenario, None);
        let _ = twin.run_until(ms(3_900));
        let acted = twin.world.resource::<Scoped<Faults>>().list[1].activations;
        let mut listens = None;
        let first = (3_901..6_000).find_map(|now| {
            let _ = twin.run_until(ms(now));
            let hall = twin.world.resource::<Units>().entities()[0];
            let cpu1 = &twin.world.get::<Unit>(hall).expect("a unit").cores[0];
            if cpu1.can_receive() && matches!(cpu1.mode, Mode::Ready | Mode::Normal) {
                listens.get_or_insert(ms(now));
            }
            let on_air = listens.map(|since| since + AIR_TIME)?;
            let come: Vec<SimTime> = cpu1.radio.iter().map(|one| one.at).filter(|at| *at > on_air).collect();
            (!come.is_empty()).then_some(come)
        });
        (acted % 2, first.expect("the roof is heard again"))
    };
    let all: Vec<(u64, Vec<SimTime>)> = (3_000..3_100).step_by(10).map(heard).collect();
    assert!([0, 1].iter().all(|odd| all.iter().any(|(acted, _)| acted == odd)), "one waits, and none does: {all:?}");
    assert!(all.iter().all(|(_, first)| *first == all[0].1 && first.len() == 2), "{all:?}");
}

/// In the safe state no packets go over the line, but the password of a tool does, 2 ms after the request. CPU1 alone then waits for its
/// configuration.
#[test]
fn a_message_without_a_packet_is_lost_with_the_line_and_counts_for_no_packet() {
    let slip = safety("TickSlip(cpu: 1)", "2s", "");
    let entered = |more: &[String]| {
        let stored = "SafetyDownload(unit: \"hall\", is: Stored)";
        let report = judged("safety-download.ron", &[std::slice::from_ref(&slip), more].concat(), stored, "8s");
        (acted(&report).split_off(1), report.expectations[0].verdict)
    };
    assert_eq!(entered(&[]), (vec![], RowVerdict::Pass));
    let lost = |from: u8| safety(&format!("C2cLost(from: {from}, packets: 3)"), "2100ms", "");
    // The message, and the three packets behind it.
    let (told, verdict) = entered(&[lost(1)]);
    assert!(told[0].starts_with("4 from 2502"), "{told:?}");
    assert_eq!(verdict, RowVerdict::Fail);
    // CPU2 says nothing to it: the first that it loses are packets of its start.
    let (told, verdict) = entered(&[lost(2)]);
    assert!(told[0].starts_with("3 from 251"), "{told:?}");
    assert_eq!(verdict, RowVerdict::Pass);
}
