//! Signal types: the tables, and who recognises whom (SSR-023 to SSR-026).

use std::vec::Vec;

use safety_common::io::Levels;
use safety_common::signal::Signal;

use crate::signal_in::Detector;
use crate::signal_out::{is_dip_tick, table};

const ALL: [Signal; 11] = [
    Signal::Low,
    Signal::High,
    Signal::Ossd,
    Signal::A,
    Signal::B,
    Signal::C,
    Signal::D,
    Signal::InverseA,
    Signal::InverseB,
    Signal::InverseC,
    Signal::InverseD,
];

/// SSR-024: the tables by hand. Pulses in slots 4 and 5, OSSD dips in slots 8 and 9.
#[test]
fn the_tables_are_those_of_the_document() {
    let pulses = |signal| (0..16).filter(|tick| table(signal, *tick, 0) != table(signal, 7, 0)).collect::<Vec<u32>>();
    assert_eq!(pulses(Signal::A), [0, 1, 8, 9]);
    assert_eq!(pulses(Signal::B), [0, 2, 8, 10]);
    assert_eq!(pulses(Signal::C), [0, 3, 8, 11]);
    assert_eq!(pulses(Signal::D), [0, 4, 8, 12]);
    for (signal, inverse) in [
        (Signal::A, Signal::InverseA),
        (Signal::B, Signal::InverseB),
        (Signal::C, Signal::InverseC),
        (Signal::D, Signal::InverseD),
    ] {
        assert_eq!((table(signal, 0, 0), table(signal, 7, 0)), (0b1111_1111_1100_1111, u16::MAX));
        assert!((0..64).all(|tick| table(inverse, tick, 0) == !table(signal, tick, 0)));
    }
    assert!((0..64).all(|tick| table(Signal::High, tick, 0) == u16::MAX && table(Signal::Low, tick, 0) == 0));
    assert_eq!(table(Signal::Ossd, 12, 3), 0b1111_1100_1111_1111);
    assert_eq!((0..64).filter(|tick| table(Signal::Ossd, *tick, 3) != u16::MAX).collect::<Vec<u32>>(), [12]);
}

/// SSR-040: never two OSSD outputs in one tick, and dips are shorter than 150 us.
#[test]
fn ossd_dips_are_staggered() {
    for tick in 0..128 {
        assert!((0..14).filter(|rank| is_dip_tick(tick, *rank)).count() <= 1);
    }
    assert!((0..14).all(|rank| (0..64).filter(|tick| is_dip_tick(*tick, rank)).count() == 1));
}

/// A wire: one level per slot, as `signal` is sent.
fn wire(signal: Signal, ticks: u32) -> Vec<bool> {
    (0..ticks).flat_map(|tick| (0..16).map(move |slot| table(signal, tick, 0) >> slot & 1 == 1)).collect()
}

/// Which ticks the detector says yes in.
fn seen(detector: Signal, wire: &[bool]) -> Vec<bool> {
    let mut detector = Detector::new(detector);
    let levels = |slots: &[bool]| {
        let high = slots.iter().enumerate().fold(0, |mask, (slot, is_high)| mask | u16::from(*is_high) << slot);
        Levels { high, low: !high }
    };
    wire.chunks_exact(16).map(|slots| detector.observe(levels(slots))).collect()
}

const TICKS: u32 = 400;
/// A signal is recognised after this many ticks at the latest.
const SETTLED: usize = 40;

/// SSR-025, SSR-026: the confusion matrix over all types, with every place of the wire in the tick.
#[test]
fn every_type_is_recognised_by_itself_only() {
    for sent in ALL {
        for shift in 0..16 {
            let wire = &wire(sent, TICKS)[shift..];
            for detector in ALL {
                // An OSSD signal is a high level with rare dips: an OSSD input takes a steady one too, and a static input drops
                // out at each dip.
                if matches!((sent, detector), (Signal::High, Signal::Ossd) | (Signal::Ossd, Signal::High)) {
                    continue;
                }
                let seen = seen(detector, wire);
                let is_right = |on: &bool| *on == (sent == detector);
                let from = if sent == detector { SETTLED } else { 0 };
                assert!(seen[from..].iter().all(is_right), "{sent:?} at {detector:?}, shift {shift}");
            }
        }
    }
}

/// Every pulse made `by` slots longer at its end, and moved by `jitter(n)` slots.
fn disturbed(signal: Signal, by: usize, jitter: impl Fn(usize) -> usize) -> Vec<bool> {
    let clean = wire(signal, TICKS);
    let idle = clean[16 * 7];
    let mut out = std::vec![idle; clean.len()];
    let starts = (1..clean.len()).filter(|at| clean[*at] != idle && clean[at - 1] == idle);
    for (n, start) in starts.enumerate() {
        let from = start + jitter(n);
        let end = (from + 2 + by).min(out.len());
        out[from.min(end)..end].fill(!idle);
    }
    out
}

const PULSED: [Signal; 8] = [
    Signal::A,
    Signal::B,
    Signal::C,
    Signal::D,
    Signal::InverseA,
    Signal::InverseB,
    Signal::InverseC,
    Signal::InverseD,
];

/// SSR-026: pulses stretched by up to 4 slots and moved by one slot are still recognised, and by nobody else.
#[test]
fn stretched_and_moved_pulses_are_recognised_by_their_own_type_only() {
    for sent in PULSED {
        for by in 0..=4 {
            let wire = disturbed(sent, by, |n| n * 7 % 3 / 2);
            for detector in ALL {
                let on = seen(detector, &wire)[SETTLED..].iter().filter(|on| **on).count();
                let expected = if sent == detector { TICKS as usize - SETTLED } else { 0 };
                assert_eq!(on, expected, "{sent:?} at {detector:?} longer by {by}");
            }
        }
        let too_long = disturbed(sent, 5, |_| 0);
        assert!(ALL.iter().all(|detector| !seen(*detector, &too_long)[SETTLED..].contains(&true)), "{sent:?}");
    }
}

/// SSR-026: whichever pulses are missing, merged into one or doubled, no other type reads ON, and the own one goes off.
#[test]
fn missing_and_merged_pulses_never_look_like_another_type() {
    for sent in PULSED {
        let clean = wire(sent, TICKS);
        let idle = clean[16 * 7];
        for pattern in 1..64u32 {
            let mut wire = clean.clone();
            for tick in 0..TICKS {
                let slots = &mut wire[tick as usize * 16..][..16];
                if pattern >> (tick / 4 % 6) & 1 == 1 {
                    slots.fill(idle);
                }
            }
            for detector in PULSED.iter().filter(|detector| **detector != sent) {
                assert!(!seen(*detector, &wire).contains(&true), "{sent:?} without {pattern:#b} at {detector:?}");
            }
        }
        let mut merged = clean.clone();
        for slot in merged.iter_mut().skip(2_000).take(24) {
            *slot = !idle;
        }
        let seen = seen(sent, &merged);
        assert!(seen[120] && !seen[127], "a merged pulse takes {sent:?} off");
    }
}

/// SSR-023: a level that is neither high nor low is no signal; a lost signal is lost within its evaluation time.
#[test]
fn a_signal_that_stops_is_lost_in_time() {
    for (sent, most) in ALL.map(|signal| match signal {
        Signal::Low | Signal::High => (signal, 1),
        Signal::Ossd => (signal, 2),
        _ => (signal, 9),
    }) {
        for stop in 100..120 {
            for stuck in [0, u16::MAX, 0xAAAA] {
                let own_level = matches!((sent, stuck), (Signal::Low, 0) | (Signal::High | Signal::Ossd, u16::MAX));
                if own_level {
                    continue;
                }
                let mut detector = Detector::new(sent);
                let mut on = |tick: u32| {
                    let high = if tick < stop { table(sent, tick, 0) } else { stuck };
                    detector.observe(Levels { high, low: !high })
                };
                assert!((0..stop).fold(false, |_, tick| on(tick)), "{sent:?}");
                let off = (stop..stop + 20).position(|tick| !on(tick)).expect("goes off");
                assert!(off < most, "{sent:?} stuck at {stuck:#x} from tick {stop}: {off}");
            }
        }
        let mut detector = Detector::new(sent);
        let between = Levels { high: 0, low: 0 };
        (0..100).for_each(|tick| {
            let high = table(sent, tick, 0);
            detector.observe(Levels { high, low: !high });
        });
        assert!(!(0..20).fold(true, |_, _| detector.observe(between)), "{sent:?}");
    }
}

/// SSR-026: a sender whose clock is off by 0.2 % is recognised without a gap.
#[test]
fn drifting_senders_are_recognised_without_gaps() {
    for sent in PULSED.into_iter().chain([Signal::Ossd]) {
        let clean = wire(sent, 4_000);
        for (take, of) in [(499, 500), (501, 500)] {
            let sampled: Vec<bool> = (0..clean.len() * 9 / 10).map(|at| clean[at * take / of]).collect();
            assert!(seen(sent, &sampled)[SETTLED..].iter().all(|on| *on), "{sent:?}");
        }
    }
}
