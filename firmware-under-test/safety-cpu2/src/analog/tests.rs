//! Voltages and feeds: scales, limits and their runs.
//!
//! SSR-007 to SSR-011, SSR-030, SSR-082, SSR-084.

use std::vec;

use proptest::prelude::*;
use safety_common::configuration::section;
use safety_common::io::Mode;

use safety_common::PINS;

use super::*;
use crate::testing::{Bench, SectionSpec};

fn bench() -> Bench {
    let mut bench = Bench::normal(SectionSpec::empty());
    bench.stays_normal(20);
    bench
}

/// SSR-030: 33 V is 1269 counts, no saturation; the scale is monotone and within half a count's worth of the truth.
#[test]
fn the_scale_covers_33_volts() {
    // 1269 counts x 3300 x 10^6 / (4096 x 31000) = 32980.6
    assert_eq!(pin_millivolts(1_269), 32_980);
    assert_eq!(pin_millivolts(1_270), 33_006);
    assert_eq!(pin_millivolts(0), 0);
    assert_eq!(pin_millivolts(u16::MAX), u16::MAX, "saturates");
    // 2048 counts x 3300 x 10^6 / (4096 x 500000)
    assert_eq!(rail_millivolts(2_048), 3_300);
    assert!((0..ADC_COUNTS_MOST).all(|counts| pin_millivolts(counts) <= pin_millivolts(counts + 1)));
}

/// SSR-009, SSR-011: 499 and 500 bad samples never trip, 501 do; low and high, repeated dips with 2 ms between.
#[test]
fn supply_trips_on_the_501st_bad_sample() {
    for (millivolts, fault) in [(17_900, Fault::SupplyLow), (30_100, Fault::SupplyHigh), (0, Fault::SupplyLow)] {
        let mut bench = bench();
        for length in [1, 499, 500, 499] {
            bench.supply_mv = millivolts;
            bench.sio_mv = Some(millivolts);
            bench.stays_normal(length);
            bench.supply_mv = 24_000;
            bench.sio_mv = None;
            bench.stays_normal(2);
        }
        bench.supply_mv = millivolts;
        bench.sio_mv = Some(millivolts);
        assert_eq!(bench.trips(fault, 501..502), 501);
    }
}

/// SSR-009, SSR-011: one count beyond the limit is beyond, at the limit is not.
#[test]
fn supply_limits_are_exact_to_a_count() {
    let limit_in = |volts: u16| pin_millivolts(volts);
    let (low, high) = (900, 1_100);
    let mut section = SectionSpec::empty();
    section.limit(section::SUPPLY_MIN, limit_in(low)).limit(section::SUPPLY_MAX, limit_in(high));
    for (counts, fault) in
        [(low, None), (low - 1, Some(Fault::SupplyLow)), (high, None), (high + 1, Some(Fault::SupplyHigh))]
    {
        let mut bench = Bench::normal(section.clone());
        bench.stays_normal(20);
        bench.supply_mv = u32::from(limit_in(counts));
        match fault {
            None => bench.stays_normal(600),
            Some(fault) => assert_eq!(bench.trips(fault, 501..502), 501),
        }
    }
}

/// SSR-082: 3V3A at its limits never trips, beyond for more than 10 ms does.
#[test]
fn the_rail_of_cpu1_is_watched() {
    for (millivolts, trips) in [(3_136, false), (3_465, false), (3_133, true), (3_468, true), (0, true)] {
        let mut bench = bench();
        bench.rail_mv = millivolts;
        bench.stays_normal(10);
        if trips {
            bench.trips(Fault::Rail, 1..2);
        } else {
            bench.stays_normal(100);
        }
        let mut short = self::bench();
        for _ in 0..20 {
            short.rail_mv = 0;
            short.stays_normal(10);
            short.rail_mv = 3_300;
            short.stays_normal(1);
        }
    }
}

/// SSR-084: `SIO_PWR` more than the drop below the supply while the main transistor is on.
#[test]
fn sio_power_is_watched() {
    for (millivolts, trips) in [(22_040, false), (21_970, true), (0, true)] {
        let mut bench = bench();
        bench.sio_mv = Some(millivolts);
        bench.stays_normal(10);
        if trips {
            bench.trips(Fault::SioPower, 1..2);
        } else {
            bench.stays_normal(100);
        }
    }
}

/// SSR-033: a received value at the limit is inside, one beyond is outside; four outside weigh as much as sixteen inside.
#[test]
fn scores_weigh_outside_four_times() {
    let mut comparison = Comparison::default();
    comparison.keep([5_000; CHANNELS]);
    let with = |value| {
        let mut volts = [5_000; CHANNELS];
        volts[3] = value;
        volts
    };
    for _ in 0..1_000 {
        assert_eq!(comparison.judge(&with(6_000), 1_000, 5, 0), Ok(()));
        assert_eq!(comparison.judge(&with(4_000), 1_000, 5, 0), Ok(()));
    }
    for _ in 0..100 {
        assert_eq!(comparison.judge(&with(6_001), 1_000, 5, 0), Ok(()));
        (0..4).for_each(|_| assert_eq!(comparison.judge(&with(5_000), 1_000, 5, 0), Ok(())));
    }
    let trips: vec::Vec<bool> = (0..5).map(|_| comparison.judge(&with(3_999), 1_000, 5, 0).is_err()).collect();
    assert_eq!(trips, [false, false, false, false, true], "4 x 5 is reached with the fifth");
}

/// The own last four scans count, not the fifth.
#[test]
fn four_scans_are_kept() {
    let mut comparison = Comparison::default();
    let outside = |comparison: &mut Comparison| comparison.clone().judge(&[20_000; CHANNELS], 1_000, 1, 0).is_err();
    comparison.keep([20_000; CHANNELS]);
    for kept in 1..=5 {
        comparison.keep([0; CHANNELS]);
        assert_eq!(outside(&mut comparison), kept >= 4, "{kept} scans later");
    }
}

/// SSR-009: supply that is too low for less than half a second leaves normal mode as it was.
#[test]
fn a_short_dip_is_survived() {
    let mut bench = bench();
    bench.supply_mv = 5_000;
    bench.stays_normal(400);
    bench.supply_mv = 24_000;
    bench.stays_normal(600);
    assert_eq!(bench.outputs.mode, Mode::Normal);
}

proptest! {
    /// Runs of any bad and good samples: the trip comes with the first run of 501, never else.
    #[test]
    fn supply_runs_are_counted_exactly(runs in proptest::collection::vec((1u32..520, 1u32..4), 1..8)) {
        let limits = FeedLimits { supply_min: 18_000, supply_max: 30_000, rail_min: 3_135, rail_max: 3_465, debounce: 10, sio_drop: 2_000, sio_off: 2_000 };
        let mut feeds = Feeds::default();
        for (bad, good) in runs {
            for tick in 1..=bad {
                let result = feeds.judge(&[17_999; CHANNELS], 3_300, Feed::On, &limits);
                prop_assert_eq!(result.is_err(), tick >= 501);
            }
            if bad >= 501 {
                break;
            }
            for _ in 0..good {
                prop_assert!(feeds.judge(&[18_000; CHANNELS], 3_300, Feed::On, &limits).is_ok());
            }
        }
    }
}

/// SSR-033: a quarter of the scans outside, as pulses bring it, trips a still channel and never a busy one; both trip in the
/// debounce time if all are outside.
#[test]
fn a_quarter_outside_is_legal_on_a_busy_channel_only() {
    let first_trip = |busy: u16, outside: &dyn Fn(u32) -> bool| {
        let mut comparison = Comparison::default();
        comparison.keep([24_000; CHANNELS]);
        let row = |outside: bool| [if outside { 0 } else { 24_000 }; CHANNELS];
        (1..=5_000u32).find(|tick| comparison.judge(&row(outside(*tick)), 1_000, 20, busy).is_err())
    };
    let pulses = |tick: u32| tick % 8 < 2;
    assert!(first_trip(0, &pulses).is_some_and(|ticks| ticks < 330));
    assert_eq!(first_trip(0x3FFF, &pulses), first_trip(0, &pulses), "supply and SIO_PWR are never busy");
    for busy in [0, 0x3FFF] {
        assert_eq!(first_trip(busy, &|_| true), Some(20));
    }
    let pins_only = |share: u32| {
        let mut comparison = Comparison::default();
        comparison.keep([24_000; CHANNELS]);
        (1..=5_000u32).find(|tick| {
            let mut row = [24_000; CHANNELS];
            row[..PINS].fill(if tick % share == 0 { 0 } else { 24_000 });
            comparison.judge(&row, 1_000, 20, 0x3FFF).is_err()
        })
    };
    assert_eq!([4, 3, 2].map(pins_only), [None; 3], "up to one in two");
}
