//! Outputs in the whole CPU: waveforms, read-back, shorts, relays.
//!
//! SSR-024, SSR-029, SSR-035 to SSR-041.

use std::vec::Vec;

use safety_common::configuration::{BlockKind, SIGNAL_OFF, SIGNAL_ON};
use safety_common::fault::Fault;
use safety_common::io::Mode;
use safety_common::signal::Signal;

use crate::testing::bench::{Bench, Wiring};
use crate::testing::plan::{Plan, SectionPlan, block, input_pin, output_pin};

/// Input on pin 13; every other pin an output of type `on` in a group of its own, which the input drives.
fn outputs(on: Signal) -> Plan {
    let mut plan = Plan::alone(SectionPlan::empty());
    let section = plan.own();
    section.pins = [output_pin(on, Signal::Low); 14];
    section.pins[13] = input_pin(Signal::High, Signal::Low);
    section.inputs = [(1 << 13, 0, 0, 1, 0)].to_vec();
    section.outputs = (0..13).map(|pin| (1 << pin, 1)).collect();
    section.blocks = [block(BlockKind::Input, 0, 0, &[], 0)].to_vec();
    section.blocks.extend((0..13).map(|group| block(BlockKind::Output, group, 0, &[0], 0)));
    plan
}

/// Outputs of which those in `on` are ON.
fn with_on(signal: Signal, on: u16) -> Bench {
    let mut plan = outputs(signal);
    for (group, block) in plan.own().blocks.iter_mut().skip(1).enumerate() {
        if on >> group & 1 == 1 {
            block.inputs[0] = SIGNAL_ON;
        }
    }
    let mut bench = Bench::running(&plan.bytes());
    bench.steps(100);
    assert!(bench.detections.is_empty(), "{:?}", bench.detections);
    bench
}

const TYPES: [Signal; 6] = [Signal::High, Signal::Ossd, Signal::A, Signal::B, Signal::C, Signal::D];

/// No false detections: every type, ON, OFF and toggling, for 20 s.
#[test]
fn good_outputs_of_every_type_are_never_suspected() {
    for signal in TYPES {
        let mut bench = Bench::running(&outputs(signal).bytes());
        for tick in 0..20_000u32 {
            let period = if tick < 10_000 { 400 } else { 26 };
            bench.driven[13] = if tick % period < period / 2 { u16::MAX } else { 0 };
            bench.step();
            assert_eq!(bench.cpu.mode(), Mode::Normal, "{signal:?}: {:?}", bench.cpu.safe_cause());
        }
        assert!(bench.detections.is_empty(), "{signal:?}: {:?}", bench.detections);
    }
}

/// SSR-036: a short of one output to 24 V or 0 V turns that one off and no other.
#[test]
fn an_external_short_turns_off_the_affected_output_only() {
    for signal in TYPES {
        for (wiring, on) in [(Wiring::ShortTo0V, 0x1FFF), (Wiring::ShortTo24V, 0x1FFF), (Wiring::ShortTo24V, 0)] {
            let is_static = matches!(signal, Signal::High);
            // A static output that is ON does not show a short to 24 V.
            if is_static && wiring == Wiring::ShortTo24V && on != 0 {
                continue;
            }
            let mut bench = with_on(signal, on);
            bench.wiring[4] = wiring;
            let found = (1..=400).find(|_| {
                bench.step();
                !bench.found(Fault::OutputWiring).is_empty()
            });
            assert!(found.is_some(), "{signal:?} {wiring:?} {on:#x}");
            bench.steps(100);
            assert_eq!(bench.cpu.mode(), Mode::Normal, "{signal:?} {wiring:?}: {:?}", bench.cpu.safe_cause());
            assert_eq!(bench.found(Fault::OutputWiring), [4], "{signal:?} {wiring:?} {on:#x}");
            let now_on = bench.out.pins.map(|table| table != 0);
            for (pin, is_on) in now_on.iter().enumerate().take(13) {
                let expected = pin != 4 && on != 0;
                assert_eq!(*is_on, expected, "{signal:?} pin {pin}");
            }
        }
    }
}

/// SSR-036: a failed output stays off until nobody has wanted it for 100 ms, then works again.
#[test]
fn a_failed_output_is_free_again_after_it_was_off() {
    let mut bench = Bench::running(&outputs(Signal::High).bytes());
    bench.driven[13] = u16::MAX;
    bench.steps(40);
    bench.wiring[2] = Wiring::ShortTo0V;
    bench.steps(60);
    bench.wiring[2] = Wiring::Good;
    bench.steps(1_000);
    assert_eq!((bench.out.pins[2], bench.out.pins[3]), (0, u16::MAX), "held while it is wanted");
    bench.driven[13] = 0;
    bench.steps(102);
    bench.driven[13] = u16::MAX;
    bench.steps(40);
    assert_eq!(bench.out.pins[2], u16::MAX);
}

/// SSR-035: a transistor that conducts always or never, each type, ON and OFF: safe state.
#[test]
fn a_broken_transistor_leads_to_the_safe_state() {
    for signal in TYPES {
        for (wiring, on) in [(Wiring::StuckOff, 0x1FFF), (Wiring::StuckOn, 0x1FFF), (Wiring::StuckOn, 0)] {
            let is_hidden = signal == Signal::High && wiring == Wiring::StuckOn && on != 0;
            let mut bench = with_on(signal, on);
            bench.wiring[7] = wiring;
            let trip = bench.steps_to_safe(400);
            if is_hidden {
                assert_eq!(trip, None, "a static output shows it when it goes OFF");
            } else {
                assert!(trip.is_some_and(|ticks| ticks <= 200), "{signal:?} {wiring:?} {on:#x}: {trip:?}");
                assert_eq!(
                    bench.cpu.safe_cause().map(|cause| (cause.fault, cause.detail)),
                    Some((Fault::OutputDriver, 7))
                );
            }
        }
    }
    let mut bench = Bench::running(&outputs(Signal::High).bytes());
    bench.driven[13] = u16::MAX;
    bench.steps(40);
    bench.wiring[7] = Wiring::StuckOn;
    bench.steps(100);
    bench.driven[13] = 0;
    assert!(bench.steps_to_safe(10).is_some(), "found when it must go off");
}

/// SSR-024, SSR-035: with a pulsed OFF signal a broken transistor shows in OFF as well, and a good one is never suspected.
#[test]
fn a_pulsed_off_signal_shows_a_broken_transistor_in_off() {
    let mut plan = outputs(Signal::Ossd);
    plan.own().pins[7] = output_pin(Signal::Ossd, Signal::InverseB);
    let mut good = Bench::running(&plan.bytes());
    for tick in 0..5_000u32 {
        good.driven[13] = if tick % 300 < 150 { u16::MAX } else { 0 };
        good.step();
    }
    assert!(good.detections.is_empty(), "{:?}", good.detections);
    for wiring in [Wiring::StuckOff, Wiring::StuckOn] {
        let mut bench = Bench::running(&plan.bytes());
        bench.steps(100);
        bench.wiring[7] = wiring;
        assert!(bench.steps_to_safe(30).is_some(), "{wiring:?}");
        assert_eq!(bench.cpu.safe_cause().map(|cause| (cause.fault, cause.detail)), Some((Fault::OutputDriver, 7)));
    }
}

/// SSR-035: also on pins that are no outputs.
#[test]
fn a_conducting_transistor_of_an_input_pin_leads_to_the_safe_state() {
    let mut bench = with_on(Signal::High, 0);
    bench.wiring[13] = Wiring::StuckOn;
    assert!(bench.steps_to_safe(10).is_some());
    assert_eq!(bench.cause(), Some(Fault::OutputDriver));
}

/// SSR-040: a short between any two of 14 OSSD outputs, both ON, one ON: both go off, no other does.
#[test]
fn a_short_between_any_two_ossd_outputs_is_found() {
    let mut plan = outputs(Signal::Ossd);
    let section = plan.own();
    section.pins[13] = output_pin(Signal::Ossd, Signal::Low);
    section.inputs.clear();
    section.outputs.push((1 << 13, 1));
    section.blocks = (0..14).map(|group| block(BlockKind::Output, group, 0, &[SIGNAL_ON], 0)).collect();
    for first in 0..14usize {
        for second in first + 1..14 {
            for only_first in [false, true] {
                let mut plan = plan.clone();
                if only_first {
                    plan.own().blocks[second].inputs[0] = 0x8000;
                }
                let mut bench = Bench::running(&plan.bytes());
                bench.wiring[first] = Wiring::JoinedWith(second);
                bench.steps(400);
                let off: Vec<usize> = (0..14).filter(|pin| bench.out.pins[*pin] == 0).collect();
                assert_eq!(off, [first, second], "only first on: {only_first}");
                let mut told = bench.found(Fault::OssdShort);
                told.sort_unstable();
                told.dedup();
                assert_eq!(told, [first as u32, second as u32]);
                assert_eq!(bench.cpu.mode(), Mode::Normal);
            }
        }
    }
}

/// Two OSSD outputs, on pins 0 (dips in ticks 0 of 64) and 1 (4 of 64): the first always ON, the second as the input on pin 13.
fn ossd_pair() -> Bench {
    let mut plan = outputs(Signal::Ossd);
    for (group, block) in plan.own().blocks.iter_mut().skip(1).enumerate() {
        match group {
            0 => block.inputs[0] = SIGNAL_ON,
            1 => {}
            _ => block.inputs[0] = SIGNAL_OFF,
        }
    }
    let mut bench = Bench::running(&plan.bytes());
    bench.steps(100);
    bench
}

/// The place in the OSSD period of the tick that the samples of the next step show.
fn place_shown_next(bench: &Bench) -> u32 {
    bench.tick % 64
}

/// SSR-040: it takes two dips in a row that an output follows; a touch of the wires at every other dip is no short.
#[test]
fn a_short_is_told_for_two_followed_dips_in_a_row_only() {
    let mut bench = ossd_pair();
    // Joined for the eight ticks around a dip, too short to count as high while told low.
    let run_period = |bench: &mut Bench, is_joined: bool| {
        while place_shown_next(bench) != 32 {
            bench.step();
        }
        for _ in 0..64 {
            let is_near = (61..64).contains(&place_shown_next(bench)) || place_shown_next(bench) < 5;
            bench.wiring[0] = if is_joined && is_near { Wiring::JoinedWith(1) } else { Wiring::Good };
            bench.step();
        }
        bench.wiring[0] = Wiring::Good;
    };
    for _ in 0..6 {
        run_period(&mut bench, true);
        run_period(&mut bench, false);
        assert!(bench.detections.is_empty(), "{:?}", bench.detections);
    }
    run_period(&mut bench, true);
    assert!(bench.detections.is_empty(), "{:?}", bench.detections);
    run_period(&mut bench, true);
    assert_eq!(bench.found(Fault::OssdShort), [0, 1]);
    assert_eq!((bench.out.pins[0], bench.out.pins[1], bench.cpu.mode()), (0, 0, Mode::Normal));
}

/// SSR-040: in the tick of its own falling edge an output follows nobody: its first slot may still show what it was. So a short
/// shows with the second dip that the output has been told low for before.
#[test]
fn a_dip_in_the_tick_of_an_edge_is_not_followed() {
    let mut bench = ossd_pair();
    bench.driven[13] = u16::MAX;
    bench.steps(64);
    bench.wiring[0] = Wiring::JoinedWith(1);
    // A step's table plays in the next tick, whose samples the step after that sees: off from the dip of pin 0 until after
    // that of pin 1, then ON again ten ticks after the input, before 20 ticks are high while told low.
    let is_off_due = |bench: &Bench| (bench.tick + 2) % 64 < 6;
    let mut offs = 0;
    for _ in 0..10 * 64 {
        let was_on = bench.out.pins[1] != 0;
        bench.driven[13] = if is_off_due(&bench) { 0 } else { u16::MAX };
        bench.step();
        offs += u32::from(was_on && bench.out.pins[1] == 0 && (bench.tick + 1).is_multiple_of(64));
    }
    assert_eq!((offs, bench.detections.len()), (10, 0), "{:?}", bench.detections);
    while !is_off_due(&bench) {
        bench.step();
    }
    bench.driven[13] = 0;
    let told = (1..200).find(|_| {
        bench.step();
        !bench.found(Fault::OssdShort).is_empty()
    });
    // The samples of the dip in the edge's tick are seen in the third step, the second full dip 128 ticks later.
    assert_eq!((told, bench.found(Fault::OssdShort)), (Some(3 + 128), [0, 1].to_vec()));
}

/// SSR-029: one failed pin of a redundant output turns the whole group off.
#[test]
fn one_failed_pin_turns_its_whole_group_off() {
    let mut plan = outputs(Signal::High);
    let section = plan.own();
    section.outputs = [(0x00FF, 2), (0x1F00, 2)].to_vec();
    section.blocks.truncate(3);
    for block in section.blocks.iter_mut().skip(1) {
        block.inputs[0] = SIGNAL_ON;
    }
    for pin in 0..8 {
        let mut bench = Bench::running(&plan.bytes());
        bench.steps(60);
        bench.wiring[pin] = Wiring::ShortTo0V;
        bench.steps(60);
        assert!(bench.out.pins[..8].iter().all(|table| *table == 0));
        assert!(bench.out.pins[8..13].iter().all(|table| *table == u16::MAX));
        assert_eq!(bench.cpu.mode(), Mode::Normal);
    }
}

/// Section 7 of the architecture: demands that differ for more than a second.
#[test]
fn a_lasting_disagreement_of_the_logics_trips() {
    let mut bench = with_on(Signal::High, 1);
    bench.peer.agrees = false;
    bench.peer.outputs_on = 0;
    bench.step();
    assert_eq!(bench.out.pins[0], 0, "the peer's stop counts at once");
    assert_eq!(bench.steps_to_safe(1_100), Some(1_000));
    assert_eq!(bench.cause(), Some(Fault::Disagreement));
    let mut bench = with_on(Signal::High, 1);
    bench.peer.agrees = false;
    for _ in 0..5 {
        bench.peer.outputs_on = 0;
        assert_eq!(bench.steps_to_safe(1_000), None);
        bench.peer.outputs_on = 1;
        assert_eq!(bench.steps_to_safe(1), None);
    }
}

/// Section 7 of the architecture: the same for relays; the detail is 32 and the relay.
#[test]
fn a_lasting_disagreement_about_a_relay_trips() {
    for relay in 0..2u32 {
        let mut plan = outputs(Signal::High);
        plan.own().blocks.push(block(BlockKind::Relay, relay as u8, 0, &[SIGNAL_ON], 0));
        let mut bench = Bench::running(&plan.bytes());
        assert_eq!(bench.out.relays, 1 << relay);
        (bench.peer.agrees, bench.peer.relays_on) = (false, 0);
        bench.step();
        assert_eq!(bench.out.relays, 0, "the peer's stop counts at once");
        assert_eq!(bench.steps_to_safe(1_100), Some(1_000));
        let cause = bench.cpu.safe_cause().map(|cause| (cause.fault, cause.detail));
        assert_eq!(cause, Some((Fault::Disagreement, 32 + relay)));
    }
}

/// SSR-037: what the peer keeps off stays off, and CPU1 follows within the step.
#[test]
fn a_group_that_the_peer_keeps_off_is_off() {
    let mut bench = with_on(Signal::High, 0x1FFF);
    bench.peer.outputs_failed = 0b10;
    bench.step();
    assert_eq!((bench.out.pins[0], bench.out.pins[1]), (u16::MAX, 0));
    assert_eq!(bench.out.trace.outputs_error, 0b10);
}

/// SSR-041: relays follow both logics; a contact that does not move trips.
#[test]
fn relays_are_closed_by_both_and_read_back() {
    let mut plan = outputs(Signal::High);
    plan.own().blocks.push(block(BlockKind::Relay, 0, 0, &[0], 0));
    plan.own().blocks.push(block(BlockKind::Relay, 1, 0, &[SIGNAL_ON], 0));
    let mut bench = Bench::running(&plan.bytes());
    assert_eq!(bench.out.relays, 0b10);
    bench.driven[13] = u16::MAX;
    bench.steps(40);
    assert_eq!(bench.out.relays, 0b11);
    bench.peer.agrees = false;
    bench.peer.relays_on = 0b01;
    bench.step();
    assert_eq!(bench.out.relays, 0b01);
    for (feedback, bit) in [(0b0001, 1), (0b0010, 0), (0b0111, 2), (0b1011, 3), (0b0000, 0)] {
        let mut bench = Bench::running(&plan.bytes());
        bench.driven[13] = u16::MAX;
        bench.steps(40);
        bench.driven[13] = 0;
        bench.steps(40);
        bench.driven[13] = u16::MAX;
        bench.steps(40);
        bench.peer.agrees = false;
        bench.peer.relays_on = 0b01;
        bench.relay_feedback = Some(feedback);
        assert!(bench.steps_to_safe(60).is_some(), "{feedback:#06b}");
        assert_eq!(bench.cpu.safe_cause().map(|cause| (cause.fault, cause.detail)), Some((Fault::Relay, bit)));
        assert_eq!((bench.out.relays, bench.out.all_off), (0, true));
    }
}
