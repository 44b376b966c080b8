//! What devices that are OFF keep off, though nothing changes as it is driven: relays that close again and again, what a delay or a latch
//! holds on a lie of the wires, and what a sender that is OFF or silent allows no more.
//!
//! Each test holds a dangerous unit, whose row must fail, against an honest one with the same devices.

mod common;

use common::demands::{at, hidden, operation, three, three_set_up, with_blocks, with_input};
use common::units::units_in;
use cooltwin::run::Run;
use reports::{Report, RowVerdict};

/// The row's count and verdict, and what it says.
fn kept_off(report: &Report) -> (u64, RowVerdict, String) {
    let row = report.checks.iter().find(|row| row.id == "devices_that_are_off_keep_outputs_off");
    row.map(|row| (row.n, row.verdict, row.detail.clone())).expect("the row is there")
}

fn is_off(run: &Run) -> bool {
    units_in(&run.twin.world)[0].is_off()
}

/// An input that goes OFF for 60 ms every 400 ms, from 3.2 s on.
fn again_and_again(input: &str) -> String {
    let at = |ms: u32, to: &str| operation(input, &format!("{ms}ms"), to);
    (8..14).map(|time| at(400 * time, "Off") + &at(400 * time + 60, "On")).collect()
}

/// SSR-016. Beside an input that is OFF and not seen another one turns the output off again and again; each coming on is no new grace.
#[test]
fn an_output_that_comes_on_again_and_again_beside_a_device_that_is_off_is_never_right() {
    let (often, stop) = (again_and_again("i"), |input: &str| operation(input, "3s", "Off"));
    // An input of the unit itself, and one of another unit.
    let own = [stop("a"), again_and_again("i"), String::new()];
    let remote = [again_and_again("a"), stop("i"), String::new()];
    for (done, node) in [(own, "hall"), (remote, "roof")] {
        let done = [&*done[0], &*done[1], &*done[2]];
        for (faults, verdict) in [(String::new(), RowVerdict::Pass), (hidden(node, 0, "2s"), RowVerdict::Fail)] {
            let (report, run) = with_input("And([\"a\", \"r\"])", done, &faults);
            let (n, found, detail) = kept_off(&report);
            assert!(n > 0 && found == verdict, "{node}, {faults}: {n}, {detail}");
            assert_eq!(is_off(&run), faults.is_empty(), "{node}");
            assert_eq!(detail.starts_with("hall at "), !faults.is_empty(), "{detail}");
        }
    }
    // Where either is enough to run, nothing is settled and nothing is wrong.
    let (report, run) = with_input("Or([\"a\", \"w\"])", [&stop("a"), &often, ""], &hidden("hall", 0, "2s"));
    assert_ne!(kept_off(&report).1, RowVerdict::Fail);
    assert!(!is_off(&run));
}

/// SSR-016. The delay of one input runs out beside another one that is OFF unseen.
#[test]
fn a_delay_that_ends_beside_a_device_that_is_off_ends() {
    let before = "(name: \"late\", kind: OffDelay(of: \"r\", time: \"300ms\")), ";
    let done = [&*operation("a", "3s", "Off"), &*operation("i", "4s", "Off"), ""];
    for (faults, verdict) in [(String::new(), RowVerdict::Pass), (hidden("hall", 0, "2s"), RowVerdict::Fail)] {
        let (report, run) = with_blocks(before, "Or([\"a\", \"late\"])", done, &faults);
        assert_eq!((kept_off(&report).1, is_off(&run)), (verdict, faults.is_empty()), "{}", kept_off(&report).2);
    }
    // The sender goes on: its delay never ends.
    let (report, run) = with_blocks(before, "Or([\"a\", \"late\"])", [done[0], "", ""], &hidden("hall", 0, "2s"));
    assert_eq!((kept_off(&report).1 == RowVerdict::Fail, is_off(&run)), (false, false));
}

/// SSR-016. A latch that nobody set: the wire of its input showed ON for half a second, and the device never did.
#[test]
fn what_a_shorted_wire_has_set_was_never_set() {
    let before = "(name: \"gone\", kind: Not(\"r\")), ";
    let latch = "Latch(set: \"a\", reset: \"gone\")";
    let off = operation("a", "1ms", "Off");
    let short = hidden("hall", 0, "3s").replace("trigger", "duration: \"500ms\", trigger");
    let press = format!("{off}{}{}", operation("a", "3s", "On"), operation("a", "3500ms", "Off"));
    let (report, run) = with_blocks(before, latch, [&off, "", ""], &short);
    assert_eq!((kept_off(&report).1, is_off(&run)), (RowVerdict::Fail, false), "{}", kept_off(&report).2);
    for (done, is_on) in [(&press, true), (&off, false)] {
        let (report, run) = with_blocks(before, latch, [done, "", ""], "");
        assert_eq!((kept_off(&report).1, is_off(&run)), (RowVerdict::Pass, !is_on), "{}", kept_off(&report).2);
    }
}

/// SSR-016, SSR-076. What another unit cannot have told is OFF: it is silent, or without a supply, while the wires of the one that hears it
/// lie.
#[test]
fn what_no_sender_tells_keeps_off() {
    let done = [&*operation("a", "3s", "Off"), "", ""];
    for fault in [at("roof", "RadioLost()"), "(kind: PowerCut, place: Node(\"roof\"), trigger: At(\"3s\"))".to_owned()]
    {
        // Both are OFF: its own device unseen, and the sender.
        let unseen = format!("{}, {fault}", hidden("hall", 0, "2s"));
        for (faults, verdict) in [(&fault, RowVerdict::Pass), (&unseen, RowVerdict::Fail)] {
            let (report, run) = with_input("Or([\"a\", \"r\"])", done, faults);
            assert_eq!((kept_off(&report).1, is_off(&run)), (verdict, verdict == RowVerdict::Pass), "{faults}");
        }
    }
}

/// SSR-016. What a sender told ends as it trips, and not only as its radio is missed.
#[test]
fn a_sender_that_trips_tells_nothing_from_then_on() {
    let done = [&*operation("a", "2500ms", "Off"), "", ""];
    for (kind, since) in [("C2cLost(from: 1)", "353"), ("RadioLost()", "359")] {
        let faults = format!("{}, {}", hidden("hall", 0, "2s"), at("roof", kind));
        let (_, verdict, detail) = kept_off(&with_input("Or([\"a\", \"r\"])", done, &faults).0);
        assert!(verdict == RowVerdict::Fail && detail.contains(&format!("keeps it off since {since}")), "{detail}");
    }
}

/// SSR-016. A unit that starts anew is told what others tell, though it has not changed since long.
#[test]
fn a_unit_that_starts_anew_is_told_what_has_not_changed() {
    let restart = [1, 2].map(|cpu| at("hall", &format!("CpuReset(cpu: {cpu})"))).join(", ");
    // None of the others misses it meanwhile, or has anything else to tell.
    let (name, text) = three();
    let slow = (name, text.replace("timeout: \"100ms\"", "timeout: \"900ms\"").replace("\"500ms\"", "\"1s\""));
    let ran = |stop: &str, faults: &str| {
        let stop = format!(", operations: [{}]", stop.trim_start_matches(", "));
        let (report, run) = three_set_up(&slow, ["", &stop, ""], "8s", &format!("{restart}{faults}"));
        let (n, verdict, _) = kept_off(&report);
        (n > 0, verdict == RowVerdict::Fail, is_off(&run))
    };
    assert_eq!(ran("", ""), (false, false, false), "the hall runs on");
    let stop = operation("i", "5s", "Off");
    assert_eq!(ran(&stop, ""), (true, false, true));
    assert_eq!(ran(&stop, &format!(", {}", hidden("roof", 0, "2s"))), (true, true, false));
}

/// SSR-016. A CAN entry of which no frame comes any more is OFF: its sender lost its supply, or hangs on the bus no longer.
#[test]
fn what_no_frame_tells_keeps_off() {
    let (name, text) = three();
    let can = text
        .replace("radio: (timeout", "can: (age: \"35ms\"), radio: (timeout")
        .replace("radio: true, memories: 0,", "radio: true, memories: 0, can: (index: 0, entries: []),")
        .replacen("radio: true, memories: 16,", "radio: true, memories: 16, can: (index: 1, entries: [0]),", 1)
        .replacen("(name: \"s\", kind: Output(group: \"o\", of: \"x\"))", "(name: \"c\", kind: CanSend(entry: 0, bit: 0, of: \"x\")), (name: \"s\", kind: Output(group: \"o\", of: \"x\"))", 1)
        .replace("(name: \"both\", kind: And([\"r\", \"w\"]))", "(name: \"c\", kind: CanReceive(node: \"roof\", bit: \"c\")), (name: \"a\", kind: Input(\"a\")), (name: \"both\", kind: Or([\"c\", \"a\"]))")
        .replace("pins: [(pin: 8,", "inputs: [(name: \"a\", pins: Single(\"pa\"))], pins: [(pin: 0, name: \"pa\", role: Input), (pin: 8,");
    let can = (name, can);
    let ran = |faults: &str| {
        three_set_up(&can, [", operations: [(at: \"3s\", input: \"a\", to: Off)]", "", ""], "6s", faults)
    };
    for kind in ["PowerCut", "Unplugged"] {
        let gone = format!("(kind: {kind}, place: Node(\"roof\"), trigger: At(\"3s\"))");
        let (report, run) = ran(&gone);
        assert_eq!((kept_off(&report).1, is_off(&run)), (RowVerdict::Pass, true), "{kind}");
        let (report, run) = ran(&format!("{gone}, {}", hidden("hall", 0, "2s")));
        assert_eq!((kept_off(&report).1, is_off(&run)), (RowVerdict::Fail, false), "{kind}");
    }
    // The sender goes on, and its bit is enough.
    let (report, run) = ran(&hidden("hall", 0, "2s"));
    assert_eq!((kept_off(&report).1 == RowVerdict::Fail, is_off(&run)), (false, false));
}

/// SSR-012. Times in a row last as long as all of them: nobody is blamed for what ends after the longest of them.
#[test]
fn delays_in_a_row_are_followed_to_their_end() {
    let before = "(name: \"first\", kind: OffDelay(of: \"a\", time: \"100ms\")), (name: \"next\", kind: OffDelay(of: \"first\", time: \"50ms\")), ";
    let done = operation("a", "2s", "Off") + &operation("a", "3s", "On") + &operation("a", "4s", "Off");
    let (report, run) = with_blocks(before, "And([\"next\", \"r\"])", [&done, "", ""], "");
    let row = report.checks.iter().find(|row| row.id == "logic_runs_once_each_tick").expect("the row is there");
    assert_eq!((row.verdict, is_off(&run)), (RowVerdict::Pass, true), "{}", row.detail);
}

/// Units that do what they are drawn for break nothing, whatever people, radio and clocks do: devices that change at random, losses that
/// they stand and some that they do not.
#[test]
fn honest_units_keep_off_what_must_be_off() {
    let diagrams = [
        ("", "And([\"a\", \"r\", \"w\"])"),
        ("(name: \"n\", kind: Not(\"r\")), ", "Latch(set: \"a\", reset: \"n\")"),
        ("(name: \"late\", kind: OffDelay(of: \"r\", time: \"70ms\")), ", "And([\"late\", \"a\"])"),
        ("(name: \"soon\", kind: OnDelay(of: \"a\", time: \"40ms\")), ", "Or([\"soon\", \"r\"])"),
        ("(name: \"go\", kind: Pulse(of: \"a\", time: \"90ms\")), ", "And([\"go\", \"w\"])"),
        ("(name: \"c\", kind: Or([\"r\", \"w\"])), ", "Reset(condition: \"c\", button: \"a\")"),
        ("", "Xor([\"a\", \"r\"])"),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut occasions = 0;
    for round in 0..21_usize {
        let (before, diagram) = diagrams[round % diagrams.len()];
        let mut done = |input: &str, longest: u64| {
            let (mut time, mut all, mut on) = (1_900, String::new(), true);
            while time < 8_500 {
                on = !on;
                all += &operation(input, &format!("{time}ms"), if on { "On" } else { "Off" });
                time += 1 + random(longest);
            }
            all
        };
        let done = [done("a", 300), done("i", 900), done("i", 2_500)];
        let lost = [("roof", "packets: 4"), ("wall", "packets: 4"), ("roof", "")][round % 3];
        let faults = format!(
            "{}, {}",
            at(lost.0, &format!("RadioLost({})", lost.1)),
            at("hall", "C2cLost(from: 1, packets: 15)")
        );
        let (report, _) = with_blocks(before, diagram, [&done[0], &done[1], &done[2]], &faults);
        let (n, verdict, detail) = kept_off(&report);
        assert_ne!(verdict, RowVerdict::Fail, "{round}, {diagram}: {detail}");
        occasions += n;
    }
    assert!(occasions > 20, "{occasions} occasions");
}
