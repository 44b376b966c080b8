//! Inputs in the whole CPU: states, redundancy, filter, combined pins.
//!
//! SSR-023 to SSR-034, SSR-039.

use safety_common::configuration::BlockKind;
use safety_common::fault::Fault;
use safety_common::io::Mode;
use safety_common::signal::Signal;

use crate::testing::bench::{Bench, Wiring};
use crate::testing::plan::{COMBINED, Plan, SectionPlan, block, input_pin, output_pin};

const ON: u16 = u16::MAX;

/// Pins 0 and 1 as static inputs, each a group of its own; group 0 drives the output on pin 8.
fn single(filter: u32, flags: u8) -> Plan {
    let mut plan = Plan::alone(SectionPlan::empty());
    let section = plan.own();
    section.pins[0] = input_pin(Signal::High, Signal::Low);
    section.pins[1] = input_pin(Signal::High, Signal::Low);
    section.pins[8] = output_pin(Signal::High, Signal::Low);
    section.inputs = [(0b01, 0, filter, 1, flags), (0b10, 0, 0, 1, 0)].to_vec();
    section.outputs = [(1 << 8, 1)].to_vec();
    section.blocks = [block(BlockKind::Input, 0, 0, &[], 0), block(BlockKind::Output, 0, 0, &[0], 0)].to_vec();
    plan
}

/// Pins 0 (high) and 1 (low) as a redundant, complementary input.
fn redundant(discrepancy: u16, flags: u8) -> Plan {
    let mut plan = single(0, flags);
    let section = plan.own();
    section.pins[1] = input_pin(Signal::Low, Signal::High);
    section.inputs = [(0b11, discrepancy, 0, 2, flags)].to_vec();
    plan
}

fn is_on(bench: &Bench, group: u32) -> bool {
    bench.out.trace.inputs_on >> group & 1 == 1
}

/// Steps until group 0 reads `on`; the number of ticks.
fn ticks_to(bench: &mut Bench, on: bool, most: u32) -> Option<u32> {
    (1..=most).find(|_| {
        bench.step();
        assert_eq!(bench.cpu.mode(), Mode::Normal, "{:?}", bench.cause());
        is_on(bench, 0) == on
    })
}

/// SSR-025, SSR-034: a static input without start-up test is ON once recognised, OFF at once; the output follows in that tick.
#[test]
fn a_static_input_goes_on_when_recognised_and_off_at_once() {
    let mut bench = Bench::running(&single(0, 0).bytes());
    bench.driven[0] = ON;
    // Nine whole ticks for this CPU, one more until the peer has said the same.
    assert_eq!(ticks_to(&mut bench, true, 50), Some(10));
    assert!(!is_on(&bench, 1));
    bench.steps(3);
    assert_eq!(bench.out.pins[8], ON);
    bench.driven[0] = 0;
    bench.step();
    assert!(!is_on(&bench, 0));
    assert_eq!(bench.out.pins[8], 0, "off in the step that sees it");
}

/// The filter counts from the tick in which the signal is recognised; OFF is never filtered.
#[test]
fn the_on_filter_delays_on_only() {
    let mut bench = Bench::running(&single(200, 0).bytes());
    bench.driven[0] = ON;
    assert_eq!(ticks_to(&mut bench, true, 400), Some(210));
    bench.driven[0] = 0b0111_1111_1111_1111;
    assert_eq!(ticks_to(&mut bench, false, 5), Some(1));
}

/// SSR-034: with the start-up test ON is not believed before a valid OFF; after it, it is.
#[test]
fn the_start_up_test_wants_an_off_first() {
    let mut flash = crate::testing::flash::FakeFlash::with_configuration(&single(0, 1).bytes());
    for off_ticks in [0, 1, 8] {
        let mut bench = Bench::new(flash.clone());
        bench.driven[0] = ON;
        bench.start();
        assert_eq!(ticks_to(&mut bench, true, 200), None);
        bench.driven[0] = 0;
        bench.steps(off_ticks);
        bench.driven[0] = ON;
        assert_eq!(ticks_to(&mut bench, true, 200), None, "an OFF of {off_ticks} ticks is no valid OFF");
    }
    let mut bench = Bench::new(flash.clone());
    bench.start();
    bench.steps(20);
    bench.driven[0] = ON;
    assert!(ticks_to(&mut bench, true, 20).is_some());
    flash = crate::testing::flash::FakeFlash::with_configuration(&single(0, 0).bytes());
    let mut bench = Bench::new(flash);
    bench.driven[0] = ON;
    bench.start();
    assert!(ticks_to(&mut bench, true, 20).is_some(), "without the test ON counts at once");
}

/// SSR-032: a stop that the peer alone sees stops, in the step that brings its packet; a peer cannot turn anything on.
#[test]
fn a_stop_that_only_the_peer_sees_stops() {
    let mut bench = Bench::running(&single(0, 0).bytes());
    bench.driven[0] = ON;
    bench.steps(30);
    assert!(is_on(&bench, 0));
    bench.peer.agrees = false;
    bench.peer.inputs_on = 0;
    bench.step();
    assert!(!is_on(&bench, 0) && bench.out.pins[8] == 0);
    bench.driven[0] = 0;
    (bench.peer.inputs_on, bench.peer.outputs_on) = (u16::MAX, 1);
    bench.steps(30);
    assert!(!is_on(&bench, 0) && bench.out.pins[8] == 0);
}

/// SSR-028: channels that differ read OFF at once; longer than the discrepancy time the group waits for OFF.
#[test]
fn a_discrepancy_reads_off_and_is_held() {
    let mut bench = Bench::running(&redundant(100, 0).bytes());
    bench.driven[1] = ON;
    bench.steps(30);
    (bench.driven[0], bench.driven[1]) = (ON, 0);
    assert!(ticks_to(&mut bench, true, 30).is_some());
    bench.driven[1] = ON;
    assert_eq!(ticks_to(&mut bench, false, 2), Some(1));
    // Within the discrepancy time: no error, and ON again when the channels agree.
    bench.steps(60);
    assert_eq!(bench.found(Fault::InputDiscrepancy), []);
    bench.driven[1] = 0;
    assert!(ticks_to(&mut bench, true, 30).is_some());
    bench.driven[1] = ON;
    bench.steps(120);
    assert_eq!(bench.found(Fault::InputDiscrepancy), [0]);
    assert_eq!(bench.out.trace.inputs_error, 1);
    bench.driven[1] = 0;
    assert_eq!(ticks_to(&mut bench, true, 100), None, "held until both were OFF");
    (bench.driven[0], bench.driven[1]) = (0, ON);
    bench.steps(30);
    assert_eq!(bench.out.trace.inputs_error, 0);
    (bench.driven[0], bench.driven[1]) = (ON, 0);
    assert!(ticks_to(&mut bench, true, 30).is_some());
    assert_eq!(bench.cpu.mode(), Mode::Normal, "an external fault stops nothing else");
}

/// SSR-028: one channel that never leaves its state makes ON impossible; in 2, 3 and 8 pins.
#[test]
fn a_stuck_channel_of_any_pin_makes_on_impossible() {
    for count in [2u32, 3, 8] {
        let mut plan = single(0, 0);
        let section = plan.own();
        section.pins[..count as usize].fill(input_pin(Signal::High, Signal::Low));
        if count == 8 {
            section.pins[8] = output_pin(Signal::High, Signal::Low);
        }
        section.inputs = [((1 << count) - 1, 50, 0, 2, 0)].to_vec();
        for stuck in 0..count as usize {
            let mut bench = Bench::running(&plan.bytes());
            bench.driven[..count as usize].fill(ON);
            bench.driven[stuck] = 0;
            assert_eq!(ticks_to(&mut bench, true, 100), None, "{count} pins, pin {stuck}");
            assert_eq!(bench.found(Fault::InputDiscrepancy), [0]);
        }
        let mut bench = Bench::running(&plan.bytes());
        bench.driven[..count as usize].fill(ON);
        assert!(ticks_to(&mut bench, true, 100).is_some());
    }
}

/// SSR-023: neither ON nor OFF reads OFF and is told after 50 ms.
#[test]
fn a_bad_signal_reads_off_and_is_told() {
    let mut plan = single(0, 0);
    plan.own().pins[0] = input_pin(Signal::A, Signal::Low);
    let mut bench = Bench::running(&plan.bytes());
    bench.steps(60);
    assert_eq!(bench.out.trace.inputs_error, 0);
    bench.driven[0] = ON;
    bench.steps(50);
    assert_eq!(bench.found(Fault::InputSignal), []);
    bench.steps(2);
    assert_eq!((bench.found(Fault::InputSignal), bench.out.trace.inputs_error & 1), ([0].to_vec(), 1));
    assert!(!is_on(&bench, 0));
    bench.driven[0] = 0;
    bench.steps(12);
    assert_eq!(bench.out.trace.inputs_error & 1, 0);
}

/// SSR-024 to SSR-026 through the whole CPU: an output of type B feeds an input of type B, and not one of type C.
#[test]
fn a_pulsed_output_feeds_a_pulsed_input_of_its_own_type() {
    let mut plan = single(0, 0);
    let section = plan.own();
    section.pins[0] = input_pin(Signal::B, Signal::Low);
    section.pins[1] = input_pin(Signal::C, Signal::Low);
    section.pins[8] = output_pin(Signal::B, Signal::Low);
    section.blocks = [block(BlockKind::Input, 0, 0, &[], 0), block(BlockKind::Output, 0, 0, &[0x8001], 0)].to_vec();
    let mut bench = Bench::running(&plan.bytes());
    bench.wiring[0] = Wiring::JoinedWith(8);
    bench.wiring[1] = Wiring::JoinedWith(8);
    bench.steps(60);
    assert_eq!(bench.out.trace.inputs_on, 0b01);
    assert!((0..200).all(|_| {
        bench.step();
        bench.out.trace.inputs_on == 0b01
    }));
}

/// SSR-039: a combined pin is driven, and read every 3 ms; a step outside is seen within 4 ms and a tick, in every phase.
#[test]
fn a_combined_pin_is_read_while_it_is_driven() {
    let mut plan = single(0, 0);
    let section = plan.own();
    section.pins[8] = COMBINED;
    section.inputs = [(1 << 8, 0, 0, 1, 0)].to_vec();
    section.pins[0] = crate::testing::plan::UNUSED;
    section.pins[1] = crate::testing::plan::UNUSED;
    for driven in [0x8000, 0x8001] {
        plan.own().blocks =
            [block(BlockKind::Input, 0, 0, &[], 0), block(BlockKind::Output, 0, 0, &[driven], 0)].to_vec();
        let mut bench = Bench::running(&plan.bytes());
        let mut since_read = 0;
        for _ in 0..3_000 {
            bench.step();
            since_read = if bench.out.trace.pins_read >> 8 & 1 == 1 { 0 } else { since_read + 1 };
            assert!(since_read <= 3);
            let dips = bench.out.pins[8].count_zeros();
            assert_eq!(dips > 0 && dips < 16, driven == 0x8001 && dips == 4);
        }
        assert!(!is_on(&bench, 0), "its own drive is not read as an input");
        for _ in 0..7 {
            bench.steps(20);
            bench.driven[8] = ON;
            assert!(ticks_to(&mut bench, true, 5).is_some(), "driven {driven:#x}");
            bench.steps(20);
            bench.driven[8] = 0;
            assert!(ticks_to(&mut bench, false, 5).is_some(), "driven {driven:#x}");
        }
    }
}

/// SSR-023, SSR-039: a combined pin whose samples in the release differ is neither ON nor OFF: OFF, told after more than 50 ticks.
#[test]
fn a_combined_pin_that_is_neither_reads_off_and_is_told() {
    let mut plan = single(0, 0);
    let section = plan.own();
    section.pins[8] = COMBINED;
    section.pins[0] = crate::testing::plan::UNUSED;
    section.pins[1] = crate::testing::plan::UNUSED;
    section.inputs = [(1 << 8, 0, 0, 1, 0)].to_vec();
    section.blocks = [block(BlockKind::Input, 0, 0, &[], 0), block(BlockKind::Output, 0, 0, &[0x8000], 0)].to_vec();
    // Slots 10 and 11 count.
    for mixed in [1 << 10, 1 << 11, ON & !(1 << 11)] {
        let mut bench = Bench::running(&plan.bytes());
        bench.driven[8] = ON;
        assert!(ticks_to(&mut bench, true, 5).is_some());
        bench.driven[8] = mixed;
        assert!(ticks_to(&mut bench, false, 4).is_some(), "{mixed:#06x} is not ON");
        let told = (5..100).find(|_| {
            bench.step();
            assert!(!is_on(&bench, 0));
            !bench.found(Fault::InputSignal).is_empty()
        });
        // It is read once in three ticks; the 51st bad tick tells.
        assert!(told.is_some_and(|ticks| (51..=54).contains(&ticks)), "{mixed:#06x}: {told:?}");
        assert_eq!(bench.out.trace.inputs_error, 1);
        bench.driven[8] = ON;
        assert!(ticks_to(&mut bench, true, 5).is_some());
        assert_eq!((bench.out.trace.inputs_error, bench.found(Fault::InputSignal)), (0, [0].to_vec()));
    }
}

/// SSR-035: a comparator that contradicts the voltage of its pin.
#[test]
fn a_comparator_that_contradicts_the_voltage_trips() {
    let mut bench = Bench::running(&single(0, 0).bytes());
    bench.driven[0] = 0x8000;
    bench.steps(60);
    assert_eq!(bench.cpu.mode(), Mode::Normal);
    let mut bench = Bench::running(&single(0, 0).bytes());
    bench.stage_fault = Some(0);
    assert_eq!(bench.steps_to_safe(60), Some(20));
    assert_eq!(bench.cause(), Some(Fault::InputStage));
}

/// SSR-031: pins that are not outputs are never driven, whatever else goes on.
#[test]
fn input_and_unused_pins_are_never_driven() {
    let mut bench = Bench::running(&single(0, 0).bytes());
    for tick in 0..500u32 {
        bench.driven[0] = if tick % 40 < 20 { ON } else { 0 };
        bench.step();
        assert!(bench.out.pins.iter().enumerate().all(|(pin, table)| pin == 8 || *table == 0));
    }
}
