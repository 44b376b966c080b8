//! The nominal update of 14 pumps beside two safety units, and a floor that calls the same firmware.
//!
//! `cargo bench -p benches --bench safety`. Compare figures of one run only. Goals: at most twice the floor, and 300 times
//! real time on one core; the throughput is in simulated milliseconds, so that 300 times real time reads as 300 Kelem/s.
//! The floor is that of the nominal run with the units on the same bus, and all four CPUs step once a millisecond until the campaign
//! is over. Before anything is measured the floor's relays are held against the twin's, since a floor whose outputs stay off would be
//! cheaper than what it stands for; and flash operations, frames and simulated time of both.
//! `cargo bench -p benches --bench safety -- --test` does that and one run of each job, and measures nothing.

use std::hint::black_box;
use std::time::Duration;

use benches::nominal::{Floor, run, with_units};
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::twin;
use criterion::{BatchSize, Criterion, Throughput};
use safety_common::io::Mode;

fn measure(criterion: &mut Criterion, name: &str, length: &str, seconds: u64) {
    let scenario = with_units(length);
    let reference = run(twin::build(&scenario, None), &scenario);
    let floor = Floor::new(&scenario).run();
    assert_eq!(reference.updated, scenario.pumps.count, "every pump holds the image");
    assert!(reference.same_job(&floor), "twin {reference:?}, floor {floor:?}");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(reference.simulated / 1_000_000));
    group.sample_size(10).measurement_time(Duration::from_secs(seconds));
    group.bench_function("twin", |bencher| {
        let job = |twin| assert_eq!(reference, run(twin, &scenario), "every run is the same run");
        bencher.iter_batched(|| twin::build(&scenario, None), job, BatchSize::PerIteration);
    });
    group.bench_function("floor", |bencher| {
        let job = |mut job: Floor| {
            assert_eq!(floor, black_box(&mut job).run(), "every run is the same run");
            assert!(job.units().iter().all(|unit| unit.modes() == [Mode::Normal; 2]));
            assert_eq!(job.units()[0].relays(), [0b11; 2], "the hall feeds the pumps");
        };
        bencher.iter_batched(|| Floor::new(&scenario), job, BatchSize::PerIteration);
    });
    group.finish();
}

/// From the button at 2 s on both relays of the hall are fed by both CPUs, while the roof's pulsed inputs, its memory and its bit keep them
/// so; as in the twin, at each of these instants.
fn assert_the_floors_units_feed_the_pumps_as_the_twins_do() {
    let scenario = with_units("24KiB");
    let (mut floor, mut twin) = (Floor::new(&scenario), twin::build(&scenario, None));
    for (ms, wanted) in [(1_900, 0), (2_400, 0b01), (3_000, 0b11), (8_000, 0b11)] {
        let at = Span::from_millis(ms);
        floor.run_until(at.as_nanos());
        assert_eq!(floor.units()[0].relays(), [wanted; 2], "floor at {ms} ms");
        let _ = twin.run_until(SimTime::ZERO + at);
        let hall = twin.world.resource::<Units>().entities()[0];
        let hall = twin.world.get::<Unit>(hall).expect("it is there");
        let closed = (0..2).fold(0u8, |bits, relay| bits | u8::from(hall.conducts(relay)) << relay);
        assert_eq!(closed, wanted, "twin at {ms} ms");
    }
}

fn main() {
    assert_the_floors_units_feed_the_pumps_as_the_twins_do();
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, "safety_24KiB", "24KiB", 5);
    measure(&mut criterion, "safety_385KiB", "385KiB", 60);
    criterion.final_summary();
}
