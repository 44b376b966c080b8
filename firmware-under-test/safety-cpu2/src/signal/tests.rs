//! Every signal against every other: phases, jitter, missing and merged pulses.
//!
//! SSR-023 to SSR-026.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

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

/// Level of a signal in slot `slot` since its beginning, as a unit plays it: by the constants of the format.
fn level(signal: Signal, slot: u32) -> bool {
    let in_pulse = |gap: u32| {
        let place = slot % 128;
        let within = |start: u32| (start..start + 2).contains(&place);
        within(4) || within(4 + 16 * gap)
    };
    match signal {
        Signal::Low => false,
        Signal::High => true,
        Signal::Ossd => !(8..10).contains(&(slot % 1_024)),
        Signal::A => !in_pulse(1),
        Signal::B => !in_pulse(2),
        Signal::C => !in_pulse(3),
        Signal::D => !in_pulse(4),
        Signal::InverseA => in_pulse(1),
        Signal::InverseB => in_pulse(2),
        Signal::InverseC => in_pulse(3),
        Signal::InverseD => in_pulse(4),
    }
}

fn samples(signal: Signal, from: u32, count: u32) -> Vec<bool> {
    (from..from + count).map(|slot| level(signal, slot)).collect()
}

/// Feeds samples in ticks of 16; gives what `signal` was after each tick.
fn shown(wire: &mut Wire, samples: &[bool], signal: Signal) -> Vec<bool> {
    let mut shown = vec![];
    for tick in samples.chunks_exact(16) {
        let high = tick.iter().enumerate().fold(0, |word, (slot, high)| word | u16::from(*high) << slot);
        wire.sample(Levels { high, low: !high });
        shown.push(wire.shows(signal));
    }
    shown
}

/// SSR-025, SSR-026: each type is recognised in any phase, and no other type ever reads as it, from the first sample on.
/// The one that the format allows: a steady high passes as OSSD.
#[test]
fn no_signal_passes_for_another() {
    for played in ALL {
        for asked in ALL {
            for phase in (0..1_024).step_by(5) {
                let mut wire = Wire::default();
                let verdicts = shown(&mut wire, &samples(played, phase, 16 * 150), asked);
                let fits = played == asked || (played == Signal::High && asked == Signal::Ossd);
                if fits {
                    assert!(verdicts[26..].iter().all(|on| *on), "{played:?} in phase {phase}");
                } else if (played, asked) != (Signal::Ossd, Signal::High) {
                    assert!(verdicts.iter().all(|on| !on), "{played:?} read as {asked:?} in phase {phase}");
                }
            }
        }
    }
}

/// SSR-023: OSSD shows high between its dips for longer than nine ticks; each dip takes High away at once.
#[test]
fn a_dip_takes_high_away_at_once() {
    let mut wire = Wire::default();
    let verdicts = shown(&mut wire, &samples(Signal::Ossd, 0, 16 * 200), Signal::High);
    for (tick, on) in verdicts.iter().enumerate().skip(16) {
        assert_eq!(*on, tick % 64 >= 9, "tick {tick}");
    }
}

/// SSR-023: nine whole ticks, not eight; and one sample of sixteen takes it away.
#[test]
fn static_levels_take_nine_ticks_and_go_at_once() {
    for (signal, level) in [(Signal::High, true), (Signal::Low, false)] {
        let mut wire = Wire::default();
        let verdicts = shown(&mut wire, &[level; 16 * 12], signal);
        assert_eq!(verdicts.iter().position(|on| *on), Some(8));
        for slot in 0..16 {
            let mut spoilt = wire;
            let mut tick = [level; 16];
            tick[slot] = !level;
            assert_eq!(shown(&mut spoilt, &tick, signal), [false], "slot {slot}");
        }
    }
}

/// SSR-023: a sample that is neither high nor low breaks every signal but a short dip of OSSD.
#[test]
fn levels_between_are_no_signal() {
    for signal in ALL {
        let mut wire = Wire::default();
        let _ = shown(&mut wire, &samples(signal, 0, 16 * 40), signal);
        assert!(wire.shows(signal));
        (0..2).for_each(|_| wire.sample(Levels { high: 0, low: 0 }));
        assert!(!wire.shows(signal), "{signal:?}");
        (0..200).for_each(|_| wire.sample(Levels { high: 0, low: 0 }));
        assert!(ALL.iter().all(|signal| !wire.shows(*signal)));
        (0..20).for_each(|_| wire.sample(Levels { high: 0xFFFF, low: 0xFFFF }));
        assert!(ALL.iter().all(|signal| !wire.shows(*signal)), "both at once is no level");
    }
}

/// OSSD: dips of up to 3 slots, one in 160.
#[test]
fn ossd_limits() {
    let mut good = vec![true; 16 * 40];
    let after = |samples: &[bool]| *shown(&mut Wire::default(), samples, Signal::Ossd).last().unwrap();
    good[300..303].fill(false);
    assert!(after(&good[..320]));
    let mut long = good.clone();
    long[303] = false;
    assert!(!after(&long[..320]));
    for (spacing, expected) in [(159, false), (160, true)] {
        let mut two = good.clone();
        two[300 + spacing] = false;
        let end = (300 + spacing) / 16 * 16 + 16;
        assert_eq!(after(&two[..end]), expected, "spacing {spacing}");
    }
}

/// SSR-026: gaps may be off by 3 slots; 4 are no signal.
#[test]
fn gaps_are_tolerated_up_to_three_slots() {
    for (off, expected) in [(-4i32, false), (-3, true), (3, true), (4, false)] {
        let starts = [10, 26, 138, 154, 266, 282, 394, 410];
        let mut samples = vec![true; 432];
        for (i, start) in starts.into_iter().enumerate() {
            let start = (start + if i % 2 == 1 { off } else { 0 }) as usize;
            samples[start..start + 2].fill(false);
        }
        let verdicts = shown(&mut Wire::default(), &samples, Signal::A);
        assert_eq!(*verdicts.last().unwrap(), expected, "off by {off}");
    }
}

/// SSR-026: of every pair of gaps near a type's own only those count that the table allows: each within 3 slots of its own
/// gap, in either order, and both together within 3 slots of the frame.
#[test]
fn each_pair_of_gaps_is_held_against_the_table() {
    let near = |gap: u32, table: u32| gap.abs_diff(table) <= 3;
    for (signal, inverse, short) in [
        (Signal::A, Signal::InverseA, 16u32),
        (Signal::B, Signal::InverseB, 32),
        (Signal::C, Signal::InverseC, 48),
        (Signal::D, Signal::InverseD, 64),
    ] {
        let long = 128 - short;
        let around = |gap: u32| gap - 8..=gap + 8;
        let mut counted = 0;
        for (older, newer) in [(short, long), (long, short)]
            .into_iter()
            .flat_map(|(a, b)| around(a).flat_map(move |older| around(b).map(move |newer| (older, newer))))
        {
            let fits = (near(older, short) && near(newer, long) || near(older, long) && near(newer, short))
                && near(older + newer, 128);
            counted += u32::from(fits);
            // The newest pulse is over, and so near the end that none is due yet.
            let newest = 310;
            for (asked, rest) in [(signal, true), (inverse, false)] {
                let mut wave = vec![rest; 320];
                for start in [newest - newer - older, newest - newer, newest] {
                    wave[start as usize..start as usize + 2].fill(!rest);
                }
                let verdicts = shown(&mut Wire::default(), &wave, asked);
                assert_eq!(*verdicts.last().unwrap(), fits, "{asked:?}: {older} and {newer}");
            }
        }
        // 7 x 7 pairs, less the two corners of six whose sum is off by 4 to 6; twice for the two orders.
        assert_eq!(counted, 2 * (49 - 12));
    }
}

/// SSR-023: a pulse that only leaves the rest level and does not reach the other is none: the signal is lost while such a pulse
/// is among the last three, and no longer.
#[test]
fn a_pulse_that_does_not_reach_the_other_level_is_none() {
    for signal in PULSED {
        let rest = level(signal, 60);
        let wave = samples(signal, 0, 128 * 8);
        let starts: Vec<usize> = (1..wave.len()).filter(|at| wave[*at] != rest && wave[*at - 1] == rest).collect();
        let weak = starts[8];
        let mut wire = Wire::default();
        for (tick, slots) in wave.chunks_exact(16).enumerate() {
            let mut levels = Levels { high: 0, low: 0 };
            for (slot, high) in
                slots.iter().enumerate().filter(|(slot, _)| !(weak..weak + 2).contains(&(16 * tick + slot)))
            {
                let side = if *high { &mut levels.high } else { &mut levels.low };
                *side |= 1 << slot;
            }
            wire.sample(levels);
            let seen: Vec<usize> = starts.iter().copied().filter(|start| *start < 16 * (tick + 1)).collect();
            let expected = !seen[seen.len().saturating_sub(3)..].contains(&weak);
            if tick >= 20 {
                assert_eq!(wire.shows(signal), expected, "{signal:?} in tick {tick}");
            }
        }
    }
}

/// Pulses of up to 6 slots; 7 are no pulse.
#[test]
fn pulses_are_six_slots_at_most() {
    for (width, expected) in [(1, true), (6, true), (7, false)] {
        for signal in PULSED {
            let rest = level(signal, 60);
            let base = samples(signal, 0, 16 * 40);
            let mut stretched = base.clone();
            for slot in 1..base.len() {
                if base[slot] != rest && base[slot - 1] == rest {
                    stretched[slot..(slot + 8).min(base.len())].fill(rest);
                    stretched[slot..(slot + width).min(base.len())].fill(!rest);
                }
            }
            // Both pulses of all types lie apart by more than 7 slots, and the last tick is far from a pulse.
            let verdicts = shown(&mut Wire::default(), &stretched, signal);
            assert_eq!(*verdicts.last().unwrap(), expected, "{signal:?} width {width}");
        }
    }
}

/// SSR-026: one pulse missing, or two merged, takes the signal away and gives no other.
#[test]
fn a_missing_pulse_gives_no_other_type() {
    for played in PULSED {
        for place in [0u32, 1] {
            let rest = level(played, 60);
            let mut base = samples(played, 0, 128 * 6);
            let starts: Vec<usize> =
                (1..base.len()).filter(|slot| base[*slot] != rest && base[*slot - 1] == rest).collect();
            let missing = starts[6 + place as usize];
            base[missing..missing + 2].fill(rest);
            for asked in ALL {
                let verdicts = shown(&mut Wire::default(), &base, asked);
                let lost = missing / 16 + 1 + 8;
                if asked == played {
                    assert!(verdicts[..missing / 16].iter().skip(20).all(|on| *on));
                    assert!(verdicts[missing / 16..=lost].iter().any(|on| !on), "{played:?} is lost");
                } else {
                    assert!(verdicts.iter().all(|on| !on), "{played:?} without a pulse read as {asked:?}");
                }
            }
        }
    }
}

/// How soon a stop is seen: every ON signal, replaced by every steady level, at every slot.
#[test]
fn a_signal_that_ends_is_lost_within_its_evaluation_time() {
    for signal in ALL {
        for end in [false, true] {
            if level(signal, 60) == end && matches!(signal, Signal::Low | Signal::High | Signal::Ossd) {
                continue;
            }
            let ticks_most = match signal {
                Signal::Low | Signal::High => 1,
                Signal::Ossd => 2,
                _ => 9,
            };
            for stop in 16 * 40..16 * 40 + 128 {
                let mut wave = samples(signal, 0, stop);
                wave.resize(16 * 70, end);
                let verdicts = shown(&mut Wire::default(), &wave, signal);
                let last_on = verdicts.iter().rposition(|on| *on).unwrap() as u32;
                // The tick after `last_on` is the first that reads off; its samples end there.
                let off_at = (last_on + 2) * 16;
                assert!(off_at <= stop + 16 * (ticks_most + 1), "{signal:?} to {end}: {} slots", off_at - stop);
            }
        }
    }
}

/// SSR-039: a combined pin that is driven and released by the other CPU in an unknown phase.
#[test]
fn combined_pins_are_read_in_every_phase() {
    for phase in 0..48u32 {
        for (external, driven) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut wire = Wire::default();
            let wave = |slot: u32, external: bool| {
                let released = (8..12).contains(&((slot + phase) % 48));
                external || (driven && !released)
            };
            let mut play = |from: u32, ticks: u32, external: bool, verdicts: &mut Vec<(bool, bool)>| {
                for tick in from..from + ticks {
                    let word = (0..16).fold(0, |word, slot| word | u16::from(wave(16 * tick + slot, external)) << slot);
                    wire.sample(Levels { high: word, low: !word });
                    verdicts.push((wire.combined_on(), wire.combined_off()));
                }
            };
            let mut steady = vec![];
            play(0, 20, external, &mut steady);
            assert!(steady[5..].iter().all(|seen| *seen == (external, !external)), "phase {phase}");
            let mut step = vec![];
            play(20, 10, false, &mut step);
            let seen = step.iter().position(|seen| *seen == (false, true)).unwrap();
            assert!(seen <= 3, "phase {phase}: the step is seen in tick {seen}, within 4 ms");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// SSR-026: every pulse off by a slot and clocks that drift; no false ON for any other pulsed type.
    #[test]
    fn jitter_gives_no_other_type(played in 0usize..8, jitter in proptest::collection::vec(0u8..3, 40), drift in 0u32..3) {
        let played = PULSED[played];
        let rest = level(played, 60);
        let base = samples(played, 0, 128 * 10);
        let mut wave = vec![rest; base.len()];
        let starts = (1..base.len()).filter(|slot| base[*slot] != rest && base[*slot - 1] == rest);
        for ((i, start), jitter) in starts.enumerate().zip(jitter) {
            let start = start + usize::from(jitter) + i / 8 * drift as usize;
            if start + 2 < wave.len() {
                wave[start..start + 2].fill(!rest);
            }
        }
        for asked in PULSED {
            let verdicts = shown(&mut Wire::default(), &wave, asked);
            if asked != played {
                prop_assert!(verdicts.iter().all(|on| !on), "{:?} read as {:?}", played, asked);
            }
        }
    }

    /// Anything at all: two signals at once only where one includes the other.
    #[test]
    fn a_wire_shows_one_signal_at_most(ticks in proptest::collection::vec((any::<u16>(), any::<u16>(), 1u32..14), 1..40)) {
        let mut wire = Wire::default();
        for (high, low, count) in ticks {
            for _ in 0..count {
                wire.sample(Levels { high, low });
                let shown: Vec<Signal> = ALL.into_iter().filter(|signal| wire.shows(*signal)).collect();
                prop_assert!(shown.len() <= 1 || shown == [Signal::High, Signal::Ossd], "{:?}", shown);
            }
        }
    }
}
