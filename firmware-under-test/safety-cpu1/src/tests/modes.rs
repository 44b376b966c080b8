//! Modes: who leads where, and what leads nowhere.
//!
//! SSR-042 to SSR-049, SSR-065.

use std::vec::Vec;

use proptest::prelude::*;
use safety_common::fault::{Fault, Reaction};
use safety_common::io::{
    AnalogCounts, BootInputs, Bytes, C2cReceived, CanFrame, CanReceived, Channel, FlashResult, Forward, Levels, Mode,
    ResetCause, Retained, TickInputs, TickOutputs,
};
use units::Instant;

use crate::testing::bench::{Bench, Wiring};
use crate::testing::faulty_ram::{Cell, FaultyRam, RamFaultModel};
use crate::testing::flash::FakeFlash;
use crate::testing::plan::{Plan, SectionPlan};
use crate::{Cpu1, RAM_WORDS};

fn running() -> Bench {
    Bench::running(&Plan::alone(SectionPlan::empty()).bytes())
}

/// A fault and what brings it about.
type Disturbance = (Fault, fn(&mut Bench));

fn is_quiet(out: &TickOutputs) -> bool {
    let nothing_on = out.all_off && out.pins == [0; 14] && out.relays == 0 && out.main == 0;
    nothing_on && out.radio.is_none() && out.can.is_empty() && out.c2c.is_none() && out.flash.is_none()
}

/// SSR-042: every cause leads to the same quiet state in the step that detects it, and it stays when the cause has gone.
#[test]
fn every_cause_leads_to_the_same_lasting_state() {
    let causes: [Disturbance; 9] = [
        (Fault::C2cSilent, |bench| bench.peer.silent = true),
        (Fault::LogicTime, |bench| bench.logic_time_ns = 812_600),
        (Fault::SupplyLow, |bench| bench.supply_mv = 9_000),
        (Fault::Rail, |bench| bench.rail_mv = 2_000),
        (Fault::OutputDriver, |bench| bench.wiring[6] = Wiring::StuckOn),
        (Fault::Relay, |bench| bench.relay_feedback = Some(1)),
        (Fault::AnalogMismatch, |bench| bench.peer.offsets[14] = 3_000),
        (Fault::TickCount, |bench| bench.tick += 1),
        (Fault::RamRunning, |bench| {
            bench.ram.fault = Some(RamFaultModel::StuckAt(Cell { word: 9_000, bit: 1 }, true));
        }),
    ];
    for (fault, disturb) in causes {
        assert_eq!(fault.reaction(), Reaction::SafeState);
        let mut bench = running();
        disturb(&mut bench);
        assert!(bench.steps_to_safe(1_200).is_some(), "{fault:?}");
        assert_eq!(bench.cause(), Some(fault));
        assert_eq!(bench.out.detections.first().map(|found| found.fault), Some(fault));
        (bench.peer.silent, bench.logic_time_ns, bench.supply_mv, bench.rail_mv) = (false, 400_000, 24_000, 3_300);
        (bench.wiring, bench.relay_feedback, bench.peer.offsets) = ([Wiring::Good; 14], None, [0; 16]);
        bench.ram.fault = None;
        for _ in 0..2_000 {
            bench.step();
            assert!(is_quiet(&bench.out) && bench.cpu.mode() == Mode::Safe && bench.out.watchdog);
        }
    }
}

/// SSR-001, SSR-005: a running memory fault of either kind, within one pass.
#[test]
fn running_memory_faults_are_found_within_one_pass() {
    let mut bench = running();
    bench.flash.flip(0x1000, 3);
    assert!(bench.steps_to_safe(16_500).is_some());
    assert_eq!(bench.cause(), Some(Fault::FlashRunning));
    for at in [0, 31, 5_040, 0x6_0000, 0x6_0040, 0x6_7FFF, 0x7_0000, 0x7_8008, 0x7_FFFF] {
        let mut bench = running();
        bench.flash.flip(at, at % 8);
        let found = bench.steps_to_safe(16_500);
        assert!(found.is_some(), "{at:#x}");
        assert_eq!(bench.cause(), Some(Fault::FlashRunning));
    }
}

/// SSR-001, SSM-11: the RAM test's slice runs in every tick: the block that is touched moves on.
#[test]
fn a_slice_of_both_memory_tests_runs_in_every_tick() {
    let mut bench = running();
    for _ in 0..1_100 {
        bench.ram.touched.fill(false);
        bench.flash.read.borrow_mut().fill(false);
        bench.step();
        assert_eq!(bench.ram.touched.iter().filter(|touched| **touched).count(), 18);
        let bytes = bench.flash.read.borrow().iter().filter(|read| **read).count();
        assert!((1..=32).contains(&bytes));
    }
}

/// SSR-014, SSM-10: the timer's interrupt leads to the safe state from every mode that runs logic, at once.
#[test]
fn the_deadline_leads_to_the_safe_state() {
    let mut bench = running();
    let out = bench.cpu.deadline(bench.now());
    assert!(is_quiet(&out));
    assert_eq!((bench.cpu.mode(), bench.cause()), (Mode::Safe, Some(Fault::LogicTime)));
    let mut starting = Bench::new(FakeFlash::blank());
    starting.step();
    assert!(is_quiet(&starting.cpu.deadline(starting.now())));
    assert_eq!(starting.cpu.mode(), Mode::Safe);
    let mut configuring = configuring();
    assert!(is_quiet(&configuring.cpu.deadline(configuring.now())));
    assert_eq!(configuring.cpu.mode(), Mode::Safe);
    configuring.step();
    assert!(is_quiet(&configuring.out) && configuring.cpu.mode() == Mode::Safe);
}

/// SSR-047: in safe state an output that conducts is seen and told off again.
#[test]
fn outputs_are_watched_in_safe_state() {
    let mut bench = running();
    bench.peer.silent = true;
    bench.steps_to_safe(30);
    bench.steps(5);
    bench.detections.clear();
    bench.wiring[9] = Wiring::StuckOn;
    bench.steps(10);
    assert_eq!(bench.found(Fault::OutputDriver), [9]);
    assert!(bench.out.all_off);
    bench.steps(100);
    bench.relay_feedback = Some(0b100);
    bench.steps(2);
    assert_eq!(bench.found(Fault::Relay), [2]);
}

/// SSR-043: a safe state of one simulated hour is still the same.
#[test]
fn an_hour_of_safe_state_changes_nothing() {
    let mut bench = running();
    bench.peer.silent = true;
    bench.steps_to_safe(30);
    let cause = bench.cpu.safe_cause();
    let inputs = TickInputs::default();
    for ms in 0..3_600_000u64 {
        let out = bench.cpu.step(Instant::from_micros(ms * 1_000), &inputs, &mut bench.ram, &bench.flash);
        assert!(out.all_off && out.relays == 0 && out.c2c.is_none());
    }
    assert_eq!((bench.cpu.mode(), bench.cpu.safe_cause()), (Mode::Safe, cause));
}

fn configuring() -> Bench {
    let valid = Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE };
    let mut bench = Bench::boot(FakeFlash::blank(), ResetCause::Software, valid);
    bench.start();
    assert_eq!(bench.cpu.mode(), Mode::Configuration);
    bench
}

/// Inputs without any rule.
#[derive(Clone, Debug)]
struct Noise {
    now: u64,
    tick: u32,
    logic_time_ns: u32,
    analog: [u16; 17],
    levels: [(u16, u16); 14],
    drivers: [u16; 14],
    feedback: u8,
    c2c: Vec<(u64, Vec<u8>)>,
    forward: Vec<(u8, Vec<u8>)>,
    radio: Vec<Vec<u8>>,
    can: Vec<(u16, u8, [u8; 8])>,
    usb: Vec<Vec<u8>>,
    flash: Option<bool>,
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0x52u8), Just(0x54), Just(0x74), Just(0xC1), any::<u8>()];
    (first, proptest::collection::vec(any::<u8>(), 0..most)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

fn noise() -> impl Strategy<Value = Noise> {
    let quantities = (any::<u64>(), any::<u32>(), any::<u32>(), any::<[u16; 17]>(), any::<u8>());
    let wires = (any::<[(u16, u16); 14]>(), any::<[u16; 14]>());
    let lists = (
        proptest::collection::vec((any::<u64>(), bytes(95)), 0..3),
        proptest::collection::vec((0..5u8, bytes(63)), 0..3),
        proptest::collection::vec(bytes(63), 0..3),
        proptest::collection::vec((0..0x100u16, 0..=9u8, any::<[u8; 8]>()), 0..3),
        proptest::collection::vec(bytes(63), 0..3),
        proptest::option::of(any::<bool>()),
    );
    (quantities, wires, lists).prop_map(|((now, tick, logic_time_ns, analog, feedback), (levels, drivers), lists)| {
        let (c2c, forward, radio, can, usb, flash) = lists;
        Noise { now, tick, logic_time_ns, analog, levels, drivers, feedback, c2c, forward, radio, can, usb, flash }
    })
}

fn channel(number: u8) -> Channel {
    [Channel::Radio, Channel::Can, Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan][usize::from(number)]
}

/// One step with `noise`, whose tick and time fit if `orderly`.
fn step(cpu: &mut Cpu1, noise: &Noise, orderly: Option<u32>, ram: &mut FaultyRam, flash: &FakeFlash) -> TickOutputs {
    let list = |bytes: &Vec<u8>| Bytes::from_slice(bytes).unwrap();
    let c2c: Vec<C2cReceived> = noise
        .c2c
        .iter()
        .map(|(at, bytes)| C2cReceived {
            at: Instant::from_micros(*at),
            bytes: heapless::Vec::from_slice(bytes).unwrap(),
        })
        .collect();
    let forward: Vec<Forward> =
        noise.forward.iter().map(|(number, bytes)| Forward { channel: channel(*number), bytes: list(bytes) }).collect();
    let (radio, usb): (Vec<Bytes>, Vec<Bytes>) =
        (noise.radio.iter().map(list).collect(), noise.usb.iter().map(list).collect());
    let frame = |(id, len, data): &(u16, u8, [u8; 8])| CanReceived {
        at: Instant::from_micros(noise.now),
        frame: CanFrame { id: *id, len: *len, data: *data },
    };
    let can: Vec<CanReceived> = noise.can.iter().map(frame).collect();
    let (tick, now, logic) =
        orderly.map_or((noise.tick, noise.now, noise.logic_time_ns), |tick| (tick, u64::from(tick) * 1_000, 1));
    let inputs = TickInputs {
        tick,
        logic_time_ns: logic,
        analog: AnalogCounts {
            pins: core::array::from_fn(|pin| noise.analog[pin]),
            supply: noise.analog[14],
            sio_power: noise.analog[15],
            rail: noise.analog[16],
        },
        levels: noise.levels.map(|(high, low)| Levels { high, low }),
        drivers: if orderly.is_some() { [0; 14] } else { noise.drivers },
        relay_feedback: if orderly.is_some() { 0 } else { noise.feedback },
        c2c: &c2c,
        forward: &forward,
        radio: &radio,
        can: &can,
        can_sent: &[0x10, noise.tick as u16],
        usb: &usb,
        flash: noise.flash.map(|good| if good { FlashResult::Done } else { FlashResult::Failed }),
        ..TickInputs::default()
    };
    cpu.step(Instant::from_micros(now), &inputs, ram, flash)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// SSR-043, SSR-045, SSM-13: no input whatever panics in any mode, leads out of safe state or configuration mode, or turns
    /// anything on in them.
    #[test]
    fn no_input_panics_or_leaves_safe_state_and_configuration(all in proptest::collection::vec(noise(), 1..40), orderly: bool) {
        let mut safe = running();
        safe.peer.silent = true;
        safe.steps_to_safe(30);
        for mut bench in [safe, configuring(), running(), Bench::new(FakeFlash::blank())] {
            let mut last = bench.cpu.mode();
            for (n, noise) in all.iter().enumerate() {
                let tick = orderly.then_some(bench.tick + 1 + n as u32);
                let out = step(&mut bench.cpu, noise, tick, &mut bench.ram, &bench.flash);
                let mode = bench.cpu.mode();
                prop_assert_eq!(mode, out.mode);
                match last {
                    Mode::Safe => prop_assert_eq!(mode, Mode::Safe),
                    Mode::Configuration => prop_assert!(matches!(mode, Mode::Configuration | Mode::Safe)),
                    Mode::Normal => prop_assert!(matches!(mode, Mode::Normal | Mode::Safe)),
                    Mode::Starting | Mode::Ready => {}
                }
                if mode != Mode::Normal {
                    prop_assert!(out.all_off && out.pins == [0; 14] && out.relays == 0);
                }
                if mode == Mode::Safe {
                    prop_assert!(is_quiet(&out));
                }
                last = mode;
            }
        }
    }
}

/// SSR-065: a restart in any tick of normal mode begins with outputs off and a complete start-up.
#[test]
fn a_restart_begins_with_outputs_off() {
    for cause in
        [ResetCause::PowerOn, ResetCause::BrownOut, ResetCause::Pin, ResetCause::Watchdog, ResetCause::Software]
    {
        let boot = BootInputs { cause, retained: Retained::default(), restarts: 2 };
        let mut cpu = Cpu1::boot(&boot);
        let mut ram = FaultyRam::new(RAM_WORDS, None);
        let flash = FakeFlash::with_configuration(&Plan::alone(SectionPlan::empty()).bytes());
        for tick in 1..100u32 {
            let inputs = TickInputs { tick, ..TickInputs::default() };
            let out = cpu.step(Instant::from_micros(u64::from(tick) * 1_000), &inputs, &mut ram, &flash);
            assert!(
                out.all_off
                    && out.pins == [0; 14]
                    && out.relays == 0
                    && matches!(cpu.mode(), Mode::Starting | Mode::Ready)
            );
        }
    }
}
