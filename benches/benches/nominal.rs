//! The nominal update of 14 pumps, beside a floor that runs the same firmware with next to nothing around it.
//!
//! `cargo bench -p benches --bench nominal`. Compare figures of one run only. Goals: the full run in about a second,
//! and at most twice the floor.

use std::hint::black_box;
use std::time::Duration;

use benches::nominal::{Floor, Outcome, frames, lengths, run, scenario};
use cooltwin::kernel::SimTime;
use cooltwin::scenario::Scenario;
use cooltwin::twin;
use criterion::{BatchSize, Criterion, Throughput};

/// Measures twin, floor and lengths with an image of this length; every run's result is compared.
fn measure(criterion: &mut Criterion, name: &str, length: &str, seconds: u64) {
    let scenario = scenario(length);
    let reference = run(twin::build(&scenario, None), &scenario);
    let floor = Floor::new(&scenario).run();
    assert_eq!(reference.updated, scenario.pumps.count, "every pump holds the image");
    assert!(reference.same_job(&floor), "twin {reference:?}, floor {floor:?}");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(reference.frames));
    group.sample_size(10).measurement_time(Duration::from_secs(seconds));
    group.bench_function("twin", |bencher| {
        let job = |twin| expect(&reference, &run(twin, &scenario));
        bencher.iter_batched(|| twin::build(&scenario, None), job, BatchSize::PerIteration);
    });
    group.bench_function("floor", |bencher| {
        let job = |mut job: Floor| expect(&floor, &black_box(&mut job).run());
        bencher.iter_batched(|| Floor::new(&scenario), job, BatchSize::PerIteration);
    });
    measure_lengths(&mut group, &scenario, &reference);
    group.finish();
}

fn measure_lengths(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    scenario: &Scenario,
    reference: &Outcome,
) {
    let frames = frames(scenario);
    assert_eq!(frames.len() as u64, reference.frames);
    let bits = lengths(&frames);
    group.bench_function("lengths", |bencher| {
        bencher.iter(|| assert_eq!(lengths(black_box(&frames)), bits));
    });
}

/// Measures snapshots in the middle of the nominal run; a run that goes on from one must end as if it had not stopped.
fn measure_snapshots(criterion: &mut Criterion) {
    let scenario = scenario("385KiB");
    let reference = run(twin::build(&scenario, None), &scenario);
    let mut first = twin::build(&scenario, None);
    first.run_until(SimTime::from_nanos(reference.simulated / 2));
    let snapshot = first.save();
    let mut second = twin::build(&scenario, None);
    let mut group = criterion.benchmark_group("snapshot");
    group.bench_function("save", |bencher| bencher.iter(|| black_box(first.save())));
    group.bench_function("load", |bencher| bencher.iter(|| second.load(black_box(&snapshot))));
    group.finish();
    expect(&reference, &run(second, &scenario));
}

fn expect(expected: &Outcome, outcome: &Outcome) {
    assert_eq!(expected, outcome, "every run is the same run");
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, "nominal_24KiB", "24KiB", 3);
    measure(&mut criterion, "nominal_385KiB", "385KiB", 15);
    measure_snapshots(&mut criterion);
    criterion.final_summary();
}
