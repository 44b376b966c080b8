//! The nominal update of 14 pumps beside two safety units, and a floor that calls the same firmware.
//!
//! `cargo bench -p benches --bench safety`. Compare figures of one run only. Goals: at most twice the floor, and 300 times
//! real time on one core; the throughput is in simulated milliseconds, so that 300 times real time reads as 300 Kelem/s.
//! The floor is that of the nominal run plus that of the units: the same number of steps of all four CPUs. Before anything is measured
//! the floor's relays are held against the twin's, since a floor whose outputs stay off would be cheaper than what it stands for;
//! `cargo bench -p benches --bench safety -- --test` does that and one run of each job, and measures nothing.

use std::hint::black_box;
use std::time::Duration;

use benches::nominal::{Floor, run, with_units};
use benches::safety;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::twin;
use criterion::{BatchSize, Criterion, Throughput};
use safety_common::io::Mode;

fn measure(criterion: &mut Criterion, name: &str, length: &str, seconds: u64) {
    let scenario = with_units(length);
    let reference = run(twin::build(&scenario, None), &scenario);
    let milliseconds = u32::try_from(reference.simulated / 1_000_000).expect("less than 49 days");
    let expected = vec![[Mode::Normal; 2]; scenario.safety_units.len()];
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(milliseconds.into()));
    group.sample_size(10).measurement_time(Duration::from_secs(seconds));
    group.bench_function("twin", |bencher| {
        let job = |twin| assert_eq!(reference, run(twin, &scenario), "every run is the same run");
        bencher.iter_batched(|| twin::build(&scenario, None), job, BatchSize::PerIteration);
    });
    group.bench_function("floor", |bencher| {
        let job = |(mut pumps, mut units): (Floor, safety::Floor)| {
            let updated = black_box(&mut pumps).run().updated;
            assert_eq!(updated, scenario.pumps.count, "every pump holds the image");
            assert_eq!(black_box(&mut units).run(milliseconds), expected);
            assert_eq!(units.relays(0), [0b11; 2], "the hall feeds the pumps");
        };
        bencher.iter_batched(|| (Floor::new(&scenario), safety::Floor::new(&scenario)), job, BatchSize::PerIteration);
    });
    group.finish();
}

/// From the button at 2 s on both relays of the hall are fed by both CPUs, while the roof's pulsed inputs, its memory and its bit keep them
/// so; as in the twin, at each of these instants.
fn assert_the_floors_units_feed_the_pumps_as_the_twins_do() {
    let scenario = with_units("24KiB");
    let (mut floor, mut twin) = (safety::Floor::new(&scenario), twin::build(&scenario, None));
    let mut at = 0;
    for (ms, wanted) in [(1_900, 0), (2_400, 0b01), (3_000, 0b11), (8_000, 0b11)] {
        floor.run(ms - at);
        at = ms;
        assert_eq!(floor.relays(0), [wanted; 2], "floor at {ms} ms");
        let _ = twin.run_until(SimTime::ZERO + Span::from_millis(ms.into()));
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
