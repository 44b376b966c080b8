//! Supply, rail, `SIO_PWR` and the comparison with the peer.
//!
//! And the conversion they rest on.

use safety_common::fault::Fault;
use safety_common::io::{AnalogCounts, Mode};

use crate::power;
use crate::testing::bench::Bench;
use crate::testing::plan::{Plan, SectionPlan};

const LOW_MV: u32 = 10_000;
const HIGH_MV: u32 = 30_000;

fn running() -> Bench {
    Bench::running(&Plan::alone(SectionPlan::empty()).bytes())
}

/// SSR-030: monotone, no saturation up to 33 V, and the value of the divider by hand: 1945 counts are 32.99 V.
#[test]
fn voltages_from_0_to_33_v_come_out_in_millivolts() {
    let of = |counts| power::voltages(&AnalogCounts { supply: counts, ..AnalogCounts::default() }).supply;
    assert_eq!((of(0), of(1), of(1_945), of(3_864)), (0, 16, 32_989, 65_535));
    assert!((0..1_946).all(|counts| of(counts) < of(counts + 1)));
    assert!(of(1_946) > 33_000);
}

/// Ticks until the safe state with a supply of `mv` for `ticks` ticks.
fn dip(mv: u32, ticks: u32) -> Option<u32> {
    let mut bench = running();
    bench.supply_mv = mv;
    let trip = bench.steps_to_safe(ticks);
    if trip.is_none() {
        bench.supply_mv = 24_000;
        bench.steps(600);
        assert_eq!(bench.cpu.mode(), Mode::Normal);
    }
    trip
}

/// SSR-009, SSR-011: 500 bad samples in a row are survived, the 501st trips, on both sides of the limits.
#[test]
fn the_501st_bad_sample_in_a_row_trips() {
    for mv in [LOW_MV - 100, 5_000, HIGH_MV + 100, 33_000] {
        for ticks in [1, 499, 500] {
            assert_eq!(dip(mv, ticks), None, "{mv} mV for {ticks} ms");
        }
        for ticks in [502, 1_000] {
            assert_eq!(dip(mv, ticks), Some(501), "{mv} mV for {ticks} ms");
        }
    }
    assert_eq!(dip(LOW_MV + 20, 2_000), None);
    assert_eq!(dip(HIGH_MV - 20, 2_000), None);
}

/// SSR-009: dips of 499 ms with gaps of 2 ms never trip.
#[test]
fn a_good_sample_between_dips_starts_the_count_anew() {
    let mut bench = running();
    for _ in 0..20 {
        bench.supply_mv = LOW_MV - 100;
        assert_eq!(bench.steps_to_safe(499), None);
        bench.supply_mv = 24_000;
        assert_eq!(bench.steps_to_safe(2), None);
    }
}

/// SSR-009, SSR-011: too low and too high tell themselves apart.
#[test]
fn the_cause_names_the_side() {
    for (mv, fault) in [(LOW_MV - 100, Fault::SupplyLow), (HIGH_MV + 100, Fault::SupplyHigh)] {
        let mut bench = running();
        bench.supply_mv = mv;
        bench.steps_to_safe(600);
        assert_eq!(bench.cause(), Some(fault));
    }
}

/// SSR-083: 3V3B outside 3.135 to 3.465 V for more than 10 ms.
#[test]
fn a_bad_rail_trips_after_its_debounce() {
    for mv in [0, 3_100, 3_500] {
        let mut bench = running();
        bench.rail_mv = mv;
        assert_eq!(bench.steps_to_safe(30), Some(11), "{mv}");
        assert_eq!(bench.cause(), Some(Fault::Rail));
    }
    let mut bench = running();
    for _ in 0..50 {
        bench.rail_mv = 3_000;
        assert_eq!(bench.steps_to_safe(10), None);
        bench.rail_mv = 3_300;
        assert_eq!(bench.steps_to_safe(1), None);
    }
}

/// SSR-084: `SIO_PWR` missing with the main transistor on, present with it off.
#[test]
fn sio_power_must_go_with_the_main_transistor() {
    let mut bench = running();
    bench.sio_mv = Some(21_900);
    assert_eq!(bench.steps_to_safe(30), Some(11));
    assert_eq!(bench.cause(), Some(Fault::SioPower));
    let mut bench = running();
    bench.sio_mv = Some(22_100);
    assert_eq!(bench.steps_to_safe(1_000), None);
    let mut bench = running();
    (bench.peer.agrees, bench.peer.main_on, bench.sio_mv) = (false, false, Some(24_000));
    // Ten ticks of rest after the change, then eleven bad samples.
    assert_eq!(bench.steps_to_safe(60), Some(21));
    assert_eq!(bench.cause(), Some(Fault::SioPower));
}

/// SSR-033: each channel, both signs; at the limit nothing, beyond it after the debounce.
#[test]
fn a_difference_to_the_peer_beyond_the_limit_trips() {
    for channel in 0..16 {
        for sign in [-1, 1] {
            // A pin at 0 V can only be told too high.
            if channel < 14 && sign < 0 {
                continue;
            }
            let mut bench = running();
            bench.peer.offsets[channel] = 1_000 * sign;
            assert_eq!(bench.steps_to_safe(500), None, "channel {channel} at the limit");
            bench.peer.offsets[channel] = 1_001 * sign;
            assert_eq!(bench.steps_to_safe(500), Some(20), "channel {channel} beyond the limit");
            assert_eq!(bench.cpu.safe_cause().map(|cause| cause.detail), Some(channel as u32));
        }
    }
}

/// SSR-033: less than the debounce does not trip; a reading that is stuck while the pin toggles does, within 120 ms.
#[test]
fn a_stuck_reading_of_a_toggling_pin_trips() {
    let mut bench = running();
    for _ in 0..20 {
        bench.peer.offsets[3] = 5_000;
        assert_eq!(bench.steps_to_safe(15), None);
        bench.peer.offsets[3] = 0;
        assert_eq!(bench.steps_to_safe(60), None);
    }
    let mut bench = running();
    let toggled = (1..=400).find(|tick| {
        let is_high = tick / 10 % 2 == 1;
        bench.driven[3] = if is_high { u16::MAX } else { 0 };
        bench.peer.offsets[3] = if is_high { -24_000 } else { 0 };
        bench.step();
        bench.cpu.mode() == Mode::Safe
    });
    assert!(toggled.is_some_and(|ticks| ticks <= 120), "{toggled:?}");
    assert_eq!(bench.cause(), Some(Fault::AnalogMismatch));
}

/// SSR-033: a pin that both CPUs see toggling, the peer's packet a tick later than its scan, does not trip.
#[test]
fn a_toggling_pin_alone_is_no_mismatch() {
    let mut bench = running();
    for tick in 0..5_000u32 {
        bench.driven[3] = if tick * 7 % 23 < 11 { u16::MAX } else { 0 };
        bench.step();
        assert_eq!(bench.cpu.mode(), Mode::Normal, "{:?}", bench.cause());
    }
}
