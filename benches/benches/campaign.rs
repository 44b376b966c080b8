//! Trials of a campaign per second, on one thread and on two.
//!
//! The ratio of the two is the speed-up. Both give the same rows, which is asserted, so neither can be fast by leaving
//! something out.

use std::num::NonZero;
use std::path::Path;

use cooltwin::campaign::engine::run_trials;
use cooltwin::campaign::trial::plain;
use cooltwin::campaign::{Campaign, load_campaign};
use cooltwin::cli::Disk;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reports::campaign::Trial;

/// Trials of one measurement: several blocks for each number of threads.
const TRIALS: u64 = 128;

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

fn trials(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/campaigns/pump-update.ron");
    let campaign = load_campaign(&Disk, &path).expect("a shipped campaign");
    let wanted = rows(&campaign, 1);
    let mut group = criterion.benchmark_group("trials");
    group.sample_size(10).throughput(Throughput::Elements(TRIALS));
    for jobs in [1, 2] {
        group.bench_function(format!("{jobs}-thread"), |bencher| {
            bencher.iter(|| assert_eq!(rows(&campaign, jobs), wanted));
        });
    }
    group.finish();
}

criterion_group!(benches, trials);
criterion_main!(benches);
