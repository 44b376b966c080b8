//! Trials of a campaign per second, on one thread and on two, and the speed-up between them.
//!
//! `cargo bench -p benches --bench campaign`. Both numbers of threads give the same rows, which is asserted, so neither can
//! be fast by leaving something out. The speed-up is that of the best of several runs, taken in turn: on a machine that
//! others use, the mean tells of them.

use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use cooltwin::campaign::engine::run_trials;
use cooltwin::campaign::trial::plain;
use cooltwin::campaign::{Campaign, load_campaign};
use cooltwin::cli::Disk;
use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, Throughput};
use reports::campaign::Trial;

/// Trials of one measurement: several for each thread, so that waiting for the last one costs little.
const TRIALS: u64 = 64;
/// Runs of which the best counts for the speed-up.
const RUNS: usize = 7;

fn rows(campaign: &Campaign, jobs: usize) -> Vec<Trial> {
    let trials: Vec<u64> = (0..TRIALS).collect();
    let mut kept = Vec::new();
    let jobs = NonZero::new(jobs).expect("a thread");
    run_trials(campaign, &trials, jobs, &plain, |rows| {
        kept.extend_from_slice(rows);
        Ok::<(), ()>(())
    })
    .expect("nothing stops it");
    kept
}

fn measure_trials(criterion: &mut Criterion, campaign: &Campaign, wanted: &[Trial]) {
    let mut group = criterion.benchmark_group("trials");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(TRIALS));
    for jobs in [1, 2] {
        group.bench_function(format!("{jobs}-thread"), |bencher| {
            bencher.iter(|| assert_eq!(rows(campaign, jobs), wanted));
        });
    }
    group.finish();
}

/// Prints the best of several runs with each number of threads, and their ratio.
fn measure_speed_up(campaign: &Campaign, wanted: &[Trial]) {
    let time = |jobs: usize| {
        let start = WallTime.start();
        assert_eq!(rows(campaign, jobs), wanted);
        WallTime.end(start)
    };
    let mut best = [Duration::MAX; 2];
    for _ in 0..RUNS {
        for (jobs, best) in (1..).zip(&mut best) {
            *best = time(jobs).min(*best);
        }
    }
    let [one, two] = best.map(|best| best.as_secs_f64());
    let per_second = |seconds: f64| TRIALS as f64 / seconds;
    println!(
        "speed-up from one thread to two: {:.2}, best of {RUNS} each: {:.1} and {:.1} trials a second",
        one / two,
        per_second(one),
        per_second(two)
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/campaigns/sample.ron");
    let campaign = load_campaign(&Disk, &path).expect("a shipped campaign");
    let wanted = rows(&campaign, 1);
    measure_trials(&mut criterion, &campaign, &wanted);
    measure_speed_up(&campaign, &wanted);
    criterion.final_summary();
}
