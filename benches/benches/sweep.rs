//! What a fork costs, and how many strikes of a sweep run in a second.
//!
//! `cargo bench -p benches --bench sweep`. Forks are those of the whole image, `scenarios/sweeps/one-pump.ron`, in the middle
//! of its transfer; strikes are those of `scenarios/sweeps/small.ron`, a sample of 64 with one thread, so that the figures
//! come within a minute.

use std::hint::black_box;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use cooltwin::cli::Disk;
use cooltwin::kernel::SimTime;
use cooltwin::scenario::{Loaded, load};
use cooltwin::sweep::engine::{Options, Space, sweep};
use cooltwin::sweep::power_cut::{Outage, PowerCuts};
use cooltwin::sweep::survey::Survey;
use cooltwin::sweep::{Slot, Trunk};
use criterion::{Criterion, Throughput};

const PUMP: u8 = 1;
/// Strikes of one measurement, the same number of each stratum.
const STRIKES: usize = 64;

fn base(file: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/sweeps").join(file);
    load(&Disk, &path, &[]).unwrap_or_else(|error| panic!("{error:?}"))
}

fn survey(base: &Loaded) -> Survey {
    let trunk = Trunk::new(base, &[Slot::Time]).expect("a trunk");
    let (survey, run) = Survey::of(&trunk, PUMP);
    assert!(survey.is_whole(&run));
    survey
}

/// Save, load, digest and a fault put in, in the middle of the transfer.
fn measure_fork(criterion: &mut Criterion, space: &PowerCuts) {
    let strike = space.strike(space.len() / 2);
    let trunk = space.trunk();
    let forked = trunk.forked("bench", &strike.faults).expect("a scenario");
    let mut twin = trunk.twin();
    let _ = twin.run_until(SimTime::from_nanos(strike.at.as_nanos() - 1));
    let snapshot = twin.save();
    let digest = twin.digest();
    let mut group = criterion.benchmark_group("fork");
    group.sample_size(50).measurement_time(Duration::from_secs(2));
    group.bench_function("save", |bencher| bencher.iter(|| black_box(twin.save())));
    group.bench_function("load", |bencher| bencher.iter(|| twin.load(black_box(&snapshot))));
    group.bench_function("digest", |bencher| bencher.iter(|| assert_eq!(twin.digest(), digest)));
    group.bench_function("load and put", |bencher| {
        bencher.iter(|| {
            twin.load(black_box(&snapshot));
            trunk.put(&mut twin, &forked.scenario).expect("the slot takes it");
        });
    });
    group.finish();
}

/// A sample of the sweep of power cuts; its results are compared.
fn measure_strikes(criterion: &mut Criterion, space: &PowerCuts) {
    let options =
        Options { sample: Some(STRIKES), seed: 1, jobs: NonZero::<usize>::MIN, control_permille: 0, merge: true };
    let reference = sweep(space, &options, &|_, _, _| {});
    assert!(reference.standings.iter().all(|standing| standing.class.is_good()));
    let mut group = criterion.benchmark_group("sweep");
    group.throughput(Throughput::Elements(STRIKES as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("power cuts", |bencher| {
        bencher.iter(|| assert_eq!(sweep(space, &options, &|_, _, _| {}).standings, reference.standings));
    });
    group.finish();
}

fn space(file: &str) -> PowerCuts {
    let base = base(file);
    PowerCuts::new(&base, PUMP, survey(&base), Outage::default()).expect("a space")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure_fork(&mut criterion, &space("one-pump.ron"));
    measure_strikes(&mut criterion, &space("small.ron"));
    criterion.final_summary();
}
