//! Kernel events per second, beside a bare heap and nexosim doing the same job in the same run.
//!
//! `cargo bench -p benches --features peer --bench kernel`. Compare figures of one run only; criterion's `thrpt` is
//! events per second. Goal: at least four times nexosim.

use std::hint::black_box;
use std::time::Duration;

use benches::tickers::{EVENTS, Heap, Job, Kernel, Outcome, expected, expected_with_records};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};

/// Measures a job's run without its building; every run's result is compared.
fn measure<J: Job>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, expected: &Outcome) {
    group.bench_function(name, |bencher| {
        let run = |mut job: J| {
            assert_eq!(&black_box(&mut job).run(), expected, "{name} does the same job");
            job
        };
        bencher.iter_batched(J::build, run, BatchSize::PerIteration);
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(20).measurement_time(Duration::from_secs(9));
    let plain = expected();
    measure::<Heap<false>>(&mut group, "bare_heap", &plain);
    measure::<Kernel<false>>(&mut group, "kernel", &plain);
    #[cfg(feature = "peer")]
    measure::<benches::tickers::Nexosim>(&mut group, "nexosim", &plain);
    let recorded = expected_with_records();
    measure::<Heap<true>>(&mut group, "bare_heap_with_records", &recorded);
    measure::<Kernel<true>>(&mut group, "kernel_with_records", &recorded);
    group.finish();
    criterion.final_summary();
}
