//! Transcripts of main transistor, contacts and obedience.
//!
//! SSR-035, SSR-037, SSR-041, SSR-084.

use std::vec;
use std::vec::Vec;

use safety_common::configuration::{BlockKind, Role, SIGNAL_ON};
use safety_common::fault::Fault;
use safety_common::io::Mode;
use safety_common::signal::Signal;

use super::{Outputs, PeerStates, PeerView};
use crate::packet::{CHANNELS, Identity, Packet};
use crate::testing::*;

/// An input on pin 0 drives an output of these types on pin 5 and relay 0.
fn section(on: Signal, off: Signal) -> SectionSpec {
    let mut section = SectionSpec::empty();
    section.pin(0, Role::Input, Signal::High, Signal::Low).pin(5, Role::Output, on, off);
    section.inputs.push(single(0));
    section.outputs.push((1 << 5, 1));
    section.blocks = vec![
        block_spec(BlockKind::Input, 0, 0, &[], 0),
        block_spec(BlockKind::Output, 0, 0, &[0], 0),
        block_spec(BlockKind::Relay, 0, 0, &[0], 0),
    ];
    section
}

/// ON: output and relay.
fn on() -> Bench {
    let mut bench = Bench::normal(section(Signal::High, Signal::Low));
    bench.set(0, true);
    bench.stays_normal(30);
    assert_eq!((bench.outputs.trace.outputs_on, bench.outputs.relays), (1, 1));
    bench
}

/// Plays a signal on pin 5's transistor from slot `from` on; all other pins off.
fn play(bench: &mut Bench, signal: Signal, slot: u32) {
    let pulse =
        |gap: u32, slot: u32| (4..6).contains(&(slot % 128)) || (4 + 16 * gap..6 + 16 * gap).contains(&(slot % 128));
    let level = |slot: u32| match signal {
        Signal::Low => false,
        Signal::High => true,
        Signal::Ossd => !(8..10).contains(&(slot % 1_024)),
        Signal::A => !pulse(1, slot),
        Signal::B => !pulse(2, slot),
        Signal::C => !pulse(3, slot),
        Signal::D => !pulse(4, slot),
        Signal::InverseA => pulse(1, slot),
        Signal::InverseB => pulse(2, slot),
        Signal::InverseC => pulse(3, slot),
        Signal::InverseD => pulse(4, slot),
    };
    bench.drivers[5] = (0..16).fold(0, |word, place| word | u16::from(level(slot + place)) << place);
}

/// SSR-037: the main transistor's line toggles in every slot of normal mode; a step that trips leaves none.
#[test]
fn the_main_transistor_is_toggled_in_normal_mode_only() {
    let mut bench = on();
    for _ in 0..300 {
        bench.stays_normal(1);
        assert_eq!(bench.outputs.main, 0xFFFF);
        assert_eq!(bench.outputs.c2c.unwrap()[safety_common::c2c::at::FLAGS], 1);
    }
    bench.logic_time_ns = 999_999;
    bench.trips(Fault::LogicTime, 1..2);
    assert_eq!((bench.outputs.main, bench.outputs.relays), (0, 0));
}

/// SSR-035: one dip in 128 ticks; three in a row that do not show trip, two and a good one do not.
#[test]
fn a_main_transistor_that_is_stuck_on_is_found_by_its_dips() {
    let mut bench = on();
    let mut dips = vec![];
    for step in 0..600 {
        bench.stays_normal(1);
        if bench.outputs.main_dip.is_some() {
            dips.push(step);
        }
    }
    assert!(dips.len() >= 4 && dips.windows(2).all(|pair| pair[1] - pair[0] == 128), "{dips:?}");
    // At the drop limit the dip does not show: supply - 2000 mV.
    for (millivolts, misses) in [(21_900, false), (22_100, true)] {
        let mut stuck = bench.clone();
        stuck.dip_mv = millivolts;
        if misses {
            let steps = stuck.trips(Fault::MainTransistor, 256..128 * 3 + 3);
            assert!(steps <= 128 * 3 + 2, "{steps}");
        } else {
            stuck.stays_normal(1_000);
        }
    }
    let mut sometimes = bench.clone();
    for _ in 0..5 {
        sometimes.dip_mv = 24_000;
        sometimes.stays_normal(256);
        sometimes.dip_mv = 0;
        sometimes.stays_normal(128);
    }
}

/// SSR-035, SSM-11: steps of 1 ms in 32 bits end after 49.7 days; the dips go on.
#[test]
fn dips_go_on_at_any_uptime() {
    let mut outputs = Outputs::new();
    outputs.steps = u64::from(u32::MAX) - 300;
    let dips: Vec<u32> = (0..1_000).filter(|_| outputs.next_dip().is_some()).collect();
    assert!(dips.len() >= 7 && dips.windows(2).all(|pair| pair[1] - pair[0] == 128), "{dips:?}");
}

/// SSR-037, SSR-032: a transistor that conducts although this CPU wants OFF trips after 11 ticks, for every ON type that
/// fills the tick; the peer's demand does not count.
#[test]
fn an_output_that_stays_on_against_this_logic_trips() {
    for signal in [Signal::High, Signal::Ossd] {
        let mut bench = Bench::normal(section(signal, Signal::Low));
        bench.mirror = false;
        bench.peer.volts = on().peer.volts;
        bench.mirror = true;
        bench.steps(30);
        bench.peer.outputs_on = 1;
        for tick in 0..11 {
            play(&mut bench, signal, 16 * tick);
            bench.step();
        }
        let cause = bench.detections();
        assert_eq!((cause[0].fault, cause[0].detail), (Fault::NotObeyed, 5), "{signal:?}");
        assert_eq!(bench.outputs.main, 0);
    }
}

/// 10 ticks are time to obey; so is any number of ticks in which it conducts for half of the slots only.
#[test]
fn an_output_that_obeys_in_time_does_not_trip() {
    let mut bench = on();
    bench.set(0, false);
    for _ in 0..20 {
        bench.drivers[5] = 0xFFFF;
        bench.stays_normal(10);
        bench.drivers[5] = 0x00FF;
        bench.stays_normal(1);
    }
}

/// SSR-036: a pin that is fed from outside is no matter of this CPU: its transistor is off.
#[test]
fn a_short_to_the_supply_is_not_disobedience() {
    let mut bench = Bench::normal(section(Signal::High, Signal::Low));
    bench.set(5, true);
    bench.stays_normal(500);
}

const ON_TYPES: [Signal; 6] = [Signal::High, Signal::Ossd, Signal::A, Signal::B, Signal::C, Signal::D];
const OFF_TYPES: [Signal; 5] = [Signal::Low, Signal::InverseA, Signal::InverseB, Signal::InverseC, Signal::InverseD];

/// SSR-037: every pair of output types: the OFF signal never trips, the ON signal against this logic does after 11 ticks.
#[test]
fn every_output_type_is_told_to_obey() {
    for on in ON_TYPES {
        for off in OFF_TYPES {
            let mut bench = Bench::normal(section(on, off));
            for tick in 0..200 {
                play(&mut bench, off, 16 * tick + 7);
                bench.stays_normal(1);
            }
            for tick in 0..10 {
                play(&mut bench, on, 16 * tick + 3);
                bench.stays_normal(1);
            }
            play(&mut bench, on, 163);
            bench.trips(Fault::NotObeyed, 1..2);
        }
    }
}

/// A stop that CPU1 follows four ticks later is no disobedience, in any phase of any type.
#[test]
fn a_normal_stop_is_no_disobedience_for_any_type() {
    for on in ON_TYPES {
        for off in OFF_TYPES {
            for phase in 0..9 {
                let mut bench = Bench::normal(section(on, off));
                bench.set(0, true);
                for tick in 0..160u32 {
                    if tick == 60 {
                        bench.set(0, false);
                    }
                    let driven = (11..64).contains(&tick);
                    play(&mut bench, if driven { on } else { off }, 16 * (tick + phase));
                    bench.step();
                    assert!(bench.outputs.trace.evaluated, "ON {on:?} OFF {off:?} phase {phase} tick {tick}");
                }
            }
        }
    }
}

/// SSR-031, SSR-035: a transistor that conducts on a pin that is no output.
#[test]
fn a_driven_input_or_unused_pin_trips() {
    for pin in [0usize, 9] {
        let mut bench = on();
        bench.drivers[pin] = 0x0100;
        bench.stays_normal(2);
        bench.trips(Fault::OutputDriver, 1..2);
        assert_eq!(bench.detections()[0].detail, pin as u32);
    }
}

/// The own contact closes only if both CPUs want it.
#[test]
fn contacts_close_when_both_want_them() {
    let mut bench = on();
    bench.mirror = false;
    bench.peer.relays_on = 0;
    bench.relay_feedback = Some(0);
    bench.stays_normal(1);
    assert_eq!((bench.outputs.relays, bench.outputs.trace.relays_on), (0, 1));
    bench.peer.relays_on = 3;
    bench.stays_normal(1);
    assert_eq!(bench.outputs.relays, 1, "relay 1 is wanted by the peer alone");
}

/// SSR-041: each contact that does not follow trips after the move time: 31 ticks for the own ones, 51 for the peer's.
#[test]
fn a_contact_that_does_not_follow_trips() {
    for bit in 0..4u32 {
        let own = bit % 2 == 1;
        let most = if own { 30 } else { 50 };
        // Welded: closed although nobody wants it.
        let mut welded = Bench::normal(section(Signal::High, Signal::Low));
        welded.relay_feedback = Some(1 << bit);
        welded.stays_normal(most);
        welded.trips(Fault::Relay, 1..2);
        assert_eq!(welded.detections()[0].detail, bit);
    }
    for (bit, most) in [(0u32, 50u32), (1, 30)] {
        // Open coil: stays open although both want it.
        let mut open = on();
        open.relay_feedback = Some(0b11 & !(1 << bit));
        open.stays_normal(most);
        open.trips(Fault::Relay, 1..2);
        assert_eq!(open.detections()[0].detail, bit);
    }
}

/// A contact that takes its time is no fault.
#[test]
fn a_contact_may_take_its_move_time() {
    let mut bench = on();
    bench.set(0, false);
    bench.relay_feedback = Some(0b11);
    bench.stays_normal(28);
    bench.relay_feedback = Some(0b01);
    bench.stays_normal(18);
    bench.relay_feedback = Some(0);
    bench.stays_normal(200);
}

/// Demands that differ for more than 1000 ticks in a row; groups and relays.
#[test]
fn a_lasting_disagreement_trips() {
    let mut by_group = Bench::normal(section(Signal::High, Signal::Low));
    by_group.stays_normal(20);
    by_group.mirror = false;
    by_group.peer.outputs_on = 1;
    by_group.stays_normal(1_000);
    by_group.trips(Fault::Disagreement, 1..2);
    assert_eq!(by_group.detections()[0].detail, 0);
    let mut by_relay = Bench::normal(section(Signal::High, Signal::Low));
    by_relay.stays_normal(20);
    by_relay.mirror = false;
    by_relay.peer.relays_on = 1;
    by_relay.stays_normal(500);
    by_relay.peer.relays_on = 0;
    by_relay.stays_normal(1);
    by_relay.peer.relays_on = 1;
    by_relay.stays_normal(1_000);
    by_relay.trips(Fault::Disagreement, 1..2);
    assert_eq!(by_relay.detections()[0].detail, 32);
}

/// Output groups without a block stay OFF; a block that is always ON drives its group from the first tick on.
#[test]
fn groups_without_a_block_stay_off() {
    let mut section = section(Signal::High, Signal::Low);
    section.pin(6, Role::Output, Signal::High, Signal::Low);
    section.outputs.push((1 << 6, 1));
    section.blocks = vec![block_spec(BlockKind::Output, 0, 0, &[SIGNAL_ON], 0)];
    let mut bench = Bench::normal(section);
    bench.stays_normal(1);
    assert_eq!(bench.outputs.trace.outputs_on, 0b01);
}

/// SSR-036: a group that CPU1 holds off for an external failure shows in the logic.
#[test]
fn external_failures_of_the_peer_reach_the_logic() {
    let mut section = section(Signal::High, Signal::Low);
    section.blocks =
        vec![block_spec(BlockKind::OutputError, 0, 0, &[], 0), block_spec(BlockKind::Relay, 1, 0, &[0], 0)];
    let mut bench = Bench::normal(section);
    bench.stays_normal(5);
    assert_eq!(bench.outputs.relays, 0);
    bench.peer.outputs_failed = 1;
    bench.stays_normal(2);
    assert_eq!((bench.outputs.trace.outputs_error, bench.outputs.relays), (1, 0b10));
}

/// SSR-032, SSR-037: of several packets of one tick a stop in any counts, whichever comes last; in a tick without one the newest alone.
#[test]
fn a_stop_in_any_packet_of_a_tick_counts() {
    let on = Packet {
        mode: Mode::Normal,
        main_on: false,
        counter: 1,
        identity: Identity::default(),
        volts: [0; CHANNELS],
        inputs_on: 0b11,
        outputs_on: 0b110,
        outputs_failed: 0,
        relays_on: 0b11,
        relay_feedback: 0,
    };
    let stops = [
        Packet { inputs_on: 0b10, ..on },
        Packet { outputs_on: 0b100, ..on },
        Packet { relays_on: 0b1, ..on },
        Packet { outputs_failed: 0b100, ..on },
    ];
    for stop in stops {
        for order in [[stop, on], [on, stop]] {
            let mut states = PeerStates::default();
            assert_eq!(states.update(&order), PeerView::of(&stop));
            assert_eq!(states.update(&[]), PeerView::of(&order[1]), "the newest stays");
            assert_eq!(states.update(&[on]), PeerView::of(&on));
        }
    }
}
