//! A run forked at any instant ends as the unforked run: state, agenda and random streams are all in the snapshot.

mod common;

use common::{fingerprints, shipped};
use cooltwin::event::Twin;
use cooltwin::kernel::{SimTime, Snapshot};
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::Loaded;
use cooltwin::twin;

type Fork = Snapshot<cooltwin::event::Event, cooltwin::record::Record>;

fn build(loaded: &Loaded) -> Twin {
    twin::build(&loaded.scenario, loaded.image.as_deref())
}

fn finish(twin: Twin, loaded: &Loaded) -> Run {
    run::finish(twin, &loaded.scenario, |_| {})
}

fn result(loaded: &Loaded, run: &Run) -> String {
    reports::to_json_line(&run::report(loaded, run, &Identity::default()))
}

/// Saves a run at `count` instants spread over `end`, none of them round, and carries it to its end.
fn saved(loaded: &Loaded, count: u64, end: SimTime) -> (Vec<Fork>, Run) {
    let mut twin = build(loaded);
    let mut forks = Vec::new();
    for index in 1..=count {
        let instant = end.as_nanos() / (count + 1) * index + index * 7_919;
        twin.run_until(SimTime::from_nanos(instant));
        forks.push(twin.save());
    }
    (forks, finish(twin, loaded))
}

/// Every fork, loaded into a twin of its own in another thread, ends as the unforked run.
fn forks_end_alike(loaded: &Loaded, count: u64) {
    let unforked = finish(build(loaded), loaded);
    let (forks, saved) = saved(loaded, count, unforked.end);
    assert_eq!(fingerprints(&saved.twin), fingerprints(&unforked.twin), "saving changes nothing");
    let expected = (fingerprints(&unforked.twin), result(loaded, &unforked));
    let expected = &expected;
    std::thread::scope(|scope| {
        for half in forks.chunks(forks.len().div_ceil(2)) {
            scope.spawn(move || {
                for fork in half {
                    let mut twin = build(loaded);
                    twin.load(fork);
                    let ended = finish(twin, loaded);
                    assert_eq!(&(fingerprints(&ended.twin), result(loaded, &ended)), expected);
                }
            });
        }
    });
}

#[test]
fn the_nominal_run_forked_at_20_instants_ends_as_the_unforked_run() {
    forks_end_alike(&shipped("nominal-14", &[]), 20);
}

#[test]
fn runs_with_faults_fork_alike() {
    for name in ["noisy-bus", "power-cut-pump", "sag-during-erase", "power-cut-cioc", "babbling-node", "open-bus"] {
        forks_end_alike(&shipped(name, &["pumps.count=7", "package.image.length=32KiB"]), 5);
    }
}

#[test]
fn a_fork_with_one_state_changed_ends_otherwise() {
    let loaded = shipped("nominal-14", &["pumps.count=2", "package.image.length=16KiB"]);
    let unforked = finish(build(&loaded), &loaded);
    let (forks, _) = saved(&loaded, 3, unforked.end);
    let mut twin = build(&loaded);
    twin.load(&forks[0]);
    let pump = cooltwin::node::NodeId::new(2);
    let entity = twin.world.resource::<cooltwin::node::Nodes>().entity(pump);
    let mut cpu = twin.world.get_mut::<cooltwin::hosts::cpu::Cpu>(entity).expect("a pump has a CPU");
    cpu.options.clock_ppm = 50;
    let ended = finish(twin, &loaded);
    assert_ne!(fingerprints(&ended.twin), fingerprints(&unforked.twin));
}
