//! Transcripts of input groups.
//!
//! SSR-023, SSR-027, SSR-028, SSR-030 to SSR-034, SSR-039.

use std::vec;

use safety_common::configuration::{BlockKind, Role};
use safety_common::fault::Fault;
use safety_common::io::{Levels, Mode};
use safety_common::signal::Signal;

use crate::testing::*;

/// Inputs of one group each on pins 0 to 2, single; an output group on pin 13 that follows group 0.
fn singles() -> SectionSpec {
    let mut section = SectionSpec::empty();
    for pin in 0..3 {
        section.pin(pin, Role::Input, Signal::High, Signal::Low);
        section.inputs.push(single(pin as u32));
    }
    section.pin(13, Role::Output, Signal::High, Signal::Low);
    section.outputs.push((1 << 13, 1));
    section.blocks = vec![block_spec(BlockKind::Input, 0, 0, &[], 0), block_spec(BlockKind::Output, 0, 0, &[0], 0)];
    section
}

/// Pins 0 and 1 in one group, the second complementary; discrepancy time 30 ms.
fn pair() -> SectionSpec {
    let mut section = SectionSpec::empty();
    section.pin(0, Role::Input, Signal::High, Signal::Low).pin(1, Role::Input, Signal::Low, Signal::High);
    section.inputs.push(redundant(0b11, 30));
    section.blocks = vec![block_spec(BlockKind::Input, 0, 0, &[], 0), block_spec(BlockKind::InputError, 0, 0, &[], 0)];
    section
}

fn on(bench: &Bench) -> bool {
    bench.outputs.trace.inputs_on & 1 == 1
}

fn error(bench: &Bench) -> bool {
    bench.outputs.trace.inputs_error & 1 == 1
}

/// SSR-023, SSR-032: ON after nine whole ticks of its level and the peer's word; OFF in the tick in which it is lost.
#[test]
fn an_input_goes_on_after_its_signal_and_off_at_once() {
    let mut bench = Bench::normal(singles());
    bench.steps(20);
    assert!(!on(&bench));
    bench.set(0, true);
    // Nine ticks to recognise it, one for the peer to say the same.
    bench.steps(9);
    assert!(!on(&bench));
    bench.steps(1);
    assert!(on(&bench) && bench.outputs.trace.outputs_on == 1);
    bench.levels[0].high &= !1;
    bench.steps(1);
    assert!(!on(&bench) && bench.outputs.trace.outputs_on == 0, "one sample that is not high");
}

/// SSR-032: a stop that only one CPU sees stops, in the tick of its packet; with several packets the stop wins.
#[test]
fn a_stop_seen_by_one_cpu_stops() {
    let mut bench = Bench::normal(singles());
    bench.set(0, true);
    bench.steps(20);
    assert!(on(&bench));
    bench.mirror = false;
    bench.peer.inputs_on = 0b110;
    bench.steps(1);
    assert!(!on(&bench));
    bench.peer.inputs_on = 0b111;
    bench.steps(1);
    assert!(on(&bench));
    let without = Peer { inputs_on: 0, ..bench.peer.clone() }.packet();
    bench.peer.counter += 1;
    let with = bench.peer.packet();
    bench.step_with(vec![without, with]);
    assert!(!on(&bench), "stop wins among the packets of a tick");
    bench.hear = false;
    bench.steps(1);
    assert!(on(&bench), "without a packet the last one holds");
}

/// SSR-034: with the start-up test an input that is ON at boot stays OFF until it was OFF.
#[test]
fn the_start_test_wants_an_off_first() {
    let mut tested = singles();
    tested.inputs[0].flags = 1;
    for (section, expected) in [(tested, false), (singles(), true)] {
        let mut bench = Bench::normal(section);
        bench.set(0, true);
        bench.steps(200);
        assert_eq!(on(&bench), expected);
        // An OFF that is too short to be one counts as none.
        bench.set(0, false);
        bench.steps(8);
        bench.set(0, true);
        bench.steps(50);
        assert_eq!(on(&bench), expected);
        bench.set(0, false);
        bench.steps(9);
        bench.set(0, true);
        bench.steps(50);
        assert!(on(&bench));
    }
}

/// The ON filter: ON from the n-th further tick on.
#[test]
fn the_on_filter_delays_on_only() {
    let ticks_to_on = |filter: u32| {
        let mut section = singles();
        section.inputs[0].on_filter = filter;
        let mut bench = Bench::normal(section);
        bench.steps(20);
        bench.set(0, true);
        bench.mirror = false;
        bench.peer.inputs_on = 1;
        bench.peer.volts[0] = 24_000;
        let ticks = (1..200).find(|_| {
            bench.steps(1);
            on(&bench)
        });
        bench.set(0, false);
        bench.steps(1);
        assert!(!on(&bench), "OFF needs no filter");
        ticks
    };
    assert_eq!(ticks_to_on(0), Some(9));
    assert_eq!(ticks_to_on(1), Some(10));
    assert_eq!(ticks_to_on(50), Some(59));
}

/// SSR-028: channels that disagree read OFF at once; longer than the discrepancy time latches until agreed OFF.
#[test]
fn a_discrepancy_reads_off_and_latches() {
    let mut bench = Bench::normal(pair());
    let both = |bench: &mut Bench, high: bool| {
        bench.set(0, high);
        bench.set(1, !high);
    };
    both(&mut bench, true);
    bench.steps(20);
    assert!(on(&bench) && !error(&bench));
    // Channel 1 leaves for less than the discrepancy time: OFF, but no error.
    bench.set(1, true);
    bench.steps(1);
    assert!(!on(&bench));
    bench.steps(15);
    bench.set(1, false);
    bench.steps(12);
    assert!(on(&bench) && !error(&bench));
    bench.set(1, true);
    let mut told = vec![];
    for tick in 1..=100 {
        bench.steps(1);
        told.extend(bench.detections().iter().map(|detection| (tick, detection.fault, detection.detail)));
    }
    assert_eq!(told, [(31, Fault::InputDiscrepancy, 0)], "told once, in the first tick past 30 ms");
    assert!(error(&bench));
    both(&mut bench, true);
    bench.steps(50);
    assert!(!on(&bench) && error(&bench), "agreed ON does not clear it");
    both(&mut bench, false);
    bench.steps(10);
    assert!(!error(&bench));
    both(&mut bench, true);
    bench.steps(20);
    assert!(on(&bench));
}

/// SSR-023: a signal that is neither for more than 50 ticks is told, and forgotten when it is good again.
#[test]
fn a_bad_signal_is_told() {
    let mut bench = Bench::normal(singles());
    bench.steps(20);
    bench.levels[0] = Levels { high: 0, low: 0 };
    let mut told = vec![];
    for tick in 1..=120 {
        bench.steps(1);
        assert!(!on(&bench));
        told.extend(bench.detections().iter().map(|detection| (tick, detection.fault, detection.detail)));
        assert_eq!(error(&bench), tick > 50);
    }
    assert_eq!(told, [(51, Fault::InputSignal, 0)]);
    bench.set(0, false);
    bench.steps(9);
    assert!(!error(&bench) && bench.outputs.mode == Mode::Normal);
}

/// Every error is told even when more than four come in one tick.
#[test]
fn many_errors_at_once_are_all_told() {
    let mut section = SectionSpec::empty();
    for pin in 0..14 {
        section.pin(pin, Role::Input, Signal::High, Signal::Low);
        section.inputs.push(single(pin as u32));
    }
    let mut bench = Bench::normal(section);
    bench.steps(20);
    bench.levels = [Levels { high: 0, low: 0 }; 14];
    let mut told = vec![];
    for _ in 0..60 {
        bench.steps(1);
        told.extend(bench.detections().iter().map(|detection| detection.detail));
    }
    assert_eq!(told, (0..14).collect::<vec::Vec<u32>>());
}

/// SSR-035: comparator and voltage contradict each other for 20 ticks.
#[test]
fn a_level_that_contradicts_its_voltage_trips() {
    for (high, millivolts, trips) in
        [(true, 11_000, true), (true, 13_000, false), (false, 13_000, true), (false, 11_000, false)]
    {
        let mut bench = Bench::normal(singles());
        bench.steps(20);
        bench.set(2, high);
        bench.pin_mv[2] = Some(millivolts);
        bench.stays_normal(19);
        if trips {
            bench.trips(Fault::InputStage, 1..2);
            assert_eq!(bench.detections()[0].detail, 2);
        } else {
            bench.stays_normal(40);
        }
    }
}

/// SSR-033: a pin beyond the limit trips after the debounce, one within it never; both CPUs' channels.
#[test]
fn an_analog_mismatch_trips_after_its_debounce() {
    for channel in 0..16usize {
        let mut bench = Bench::normal(singles());
        bench.stays_normal(20);
        bench.mirror = false;
        let own = bench.peer.volts[channel];
        // 1000 mV are the limit.
        bench.peer.volts[channel] = own + 1_000;
        bench.stays_normal(100);
        bench.peer.volts[channel] = own + 1_001;
        bench.stays_normal(19);
        bench.trips(Fault::AnalogMismatch, 1..2);
        assert_eq!(bench.detections()[0].detail, channel as u32);
    }
}

/// SSR-033: a reading that is stuck while the pin toggles every 10 ms.
#[test]
fn a_stuck_reading_is_found_while_the_pin_toggles() {
    let mut bench = Bench::normal(singles());
    bench.stays_normal(20);
    bench.mirror = false;
    for tick in 0..200u32 {
        bench.set(1, tick / 10 % 2 == 0);
        bench.step();
        if bench.outputs.mode == Mode::Safe {
            assert_eq!((bench.detections()[0].fault, bench.detections()[0].detail), (Fault::AnalogMismatch, 1));
            assert!(tick <= 120, "{tick}");
            return;
        }
    }
    panic!("not found");
}

/// SSR-033: what the peer measured up to three scans ago fits, whatever the pin does.
#[test]
fn packets_that_are_a_few_ticks_old_do_not_trip() {
    let mut bench = Bench::normal(singles());
    bench.mirror = false;
    let mut seen = vec![];
    for tick in 0..2_000u32 {
        bench.set(1, tick / 4 % 2 == 0);
        seen.push(bench.levels[1].high >> 15);
        if tick > 3 {
            bench.peer.volts[1] = if seen[tick as usize - 2] == 1 { 24_000 } else { 0 };
            bench.peer.volts[14] = 24_000;
            bench.peer.volts[15] = if tick > 10 { 23_800 } else { bench.peer.volts[15] };
        }
        bench.step();
        assert_eq!(bench.outputs.mode, Mode::Normal, "{:?}", bench.detections());
    }
}
