//! A run that is saved, loaded elsewhere and continued is the run that was never interrupted.
//!
//! Campaigns fork one run into many; this holds only if a snapshot has all the state there is. Words: a *fork* is a
//! snapshot that was loaded and continued to the end.

mod common;

use std::sync::{Arc, Mutex};

use bevy_ecs::prelude::Mut;
use cooltwin::bus::{Bus, BusRecord};
use cooltwin::event::{Event, Twin};
use cooltwin::hosts::flash::Flash;
use cooltwin::hosts::{PumpRecord, cioc::CiocHost};
use cooltwin::kernel::{SimTime, Snapshot, Span};
use cooltwin::node::{NodeId, Nodes};
use cooltwin::record::Record;
use cooltwin::run::{Ending, Run, finish};
use cooltwin::scenario::Loaded;
use cooltwin::twin::{build, build_recorded};
use pump::FlashCommand;

type Saved = (SimTime, Snapshot<Event, Record>);
type Change = fn(&mut Twin);

fn twin(loaded: &Loaded) -> Twin {
    build(&loaded.scenario, loaded.image.as_deref())
}

/// What a run comes to: every fingerprint is in the result.
fn result(loaded: &Loaded, twin: Twin) -> String {
    let run = finish(twin, &loaded.scenario, |_| {});
    assert_eq!(run.ending, Ending::Regular);
    common::result_of(loaded, &run)
}

/// Things that take time, as start and end.
#[derive(Default)]
struct Stretches {
    frames: Vec<(SimTime, SimTime)>,
    errors: Vec<(SimTime, SimTime)>,
    erases: Vec<(SimTime, SimTime)>,
    programs: Vec<(SimTime, SimTime)>,
    boots: Vec<(SimTime, SimTime)>,
}

impl Stretches {
    fn see(&mut self, time: SimTime, record: &Record) {
        match record {
            Record::Bus(BusRecord::Frame { start, .. }) => self.frames.push((*start, time)),
            Record::Bus(BusRecord::Error { start, .. }) => self.errors.push((*start, time)),
            Record::Pump(PumpRecord::FlashBegun { operation, .. }) => match operation.command {
                FlashCommand::Erase { .. } => self.erases.push((operation.begun, operation.ends)),
                FlashCommand::Program { .. } => self.programs.push((operation.begun, operation.ends)),
            },
            // A pump boots for 300 ms.
            Record::Pump(PumpRecord::Reset { .. }) => self.boots.push((time, time + Span::from_millis(300))),
            _ => {}
        }
    }
}

/// The unforked run and its stretches.
fn unforked(loaded: &Loaded) -> (Run, String, Stretches) {
    let stretches = Arc::new(Mutex::new(Stretches::default()));
    let seen = Arc::clone(&stretches);
    let recorder = Box::new(move |_: &_, time, record: &Record| seen.lock().expect("one thread").see(time, record));
    let twin = build_recorded(&loaded.scenario, loaded.image.as_deref(), Some(recorder));
    let run = finish(twin, &loaded.scenario, |_| {});
    assert_eq!(run.ending, Ending::Regular);
    let result = common::result_of(loaded, &run);
    let stretches = std::mem::take(&mut *stretches.lock().expect("one thread"));
    (run, result, stretches)
}

/// The middles of `count` of the stretches, spread over all of them.
fn middles(stretches: &[(SimTime, SimTime)], count: usize) -> impl Iterator<Item = SimTime> {
    assert!(stretches.len() >= count, "{} stretches", stretches.len());
    (0..count).map(move |n| {
        let (start, end) = stretches[(2 * n + 1) * stretches.len() / (2 * count)];
        start + Span::from_nanos(end.since(start).as_nanos() / 2)
    })
}

/// 20 instants: in the middle of frames, erases, programs and boots, and spread evenly over the run.
fn instants(run: &Run, stretches: &Stretches) -> Vec<SimTime> {
    let mut instants: Vec<SimTime> = middles(&stretches.frames, 4)
        .chain(middles(&stretches.erases, 4))
        .chain(middles(&stretches.programs, 2))
        .chain(middles(&stretches.boots, 3))
        .collect();
    let evenly = 20 - instants.len() as u64;
    let length = run.end.as_nanos();
    instants.extend((0..evenly).map(|n| SimTime::from_nanos((2 * n + 1) * length / (2 * evenly))));
    instants.sort();
    instants
}

/// Runs once more, saving on the way.
fn save_at(loaded: &Loaded, instants: &[SimTime]) -> Vec<Saved> {
    let mut twin = twin(loaded);
    let saved = instants.iter().map(|instant| {
        let _ = twin.run_until(*instant);
        (*instant, twin.save())
    });
    saved.collect()
}

/// Continues every snapshot in `twin`, one after another, and expects the unforked result each time.
fn assert_forks(loaded: &Loaded, mut twin: Twin, saved: &[Saved], expected: &str) {
    for (instant, snapshot) in saved {
        twin.load(snapshot);
        let run = finish(twin, &loaded.scenario, |_| {});
        assert_eq!(run.ending, Ending::Regular);
        assert!(common::result_of(loaded, &run) == expected, "forked at {instant} ms, the run ends differently");
        twin = run.twin;
    }
}

fn assert_forks_in_two_models(loaded: &Loaded) {
    let (run, expected, stretches) = unforked(loaded);
    let saved = save_at(loaded, &instants(&run, &stretches));
    assert_eq!(saved.len(), 20);
    // The model that ran to its end already (its recorder sees the forks and must not matter), and a fresh one in
    // another thread.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_forks(loaded, twin(loaded), &saved, &expected));
        assert_forks(loaded, run.twin, &saved, &expected);
    });
}

#[test]
fn a_small_update_forked_at_20_instants_ends_as_if_it_were_not() {
    assert_forks_in_two_models(&common::loaded(&common::data("small.ron"), &[]));
}

#[test]
fn faults_under_way_and_faults_to_come_go_on_in_a_fork() {
    let loaded = common::loaded(&common::data("faulty.ron"), &[]);
    let (_, result, stretches) = unforked(&loaded);
    let injections = common::json(&result)["injections"].clone();
    let acted = injections.as_array().expect("a list").iter().filter(|each| each["activations"] != 0).count();
    assert_eq!(acted, 5, "four faults and the reboot amid the question act: {injections}");
    assert!(!stretches.errors.is_empty());
    assert_forks_in_two_models(&loaded);
}

#[test]
fn a_fork_in_the_middle_of_a_disturbed_frame_ends_as_if_it_were_not() {
    let loaded = common::loaded(&common::data("faulty.ron"), &[]);
    let (_, expected, stretches) = unforked(&loaded);
    let mut instants: Vec<SimTime> = middles(&stretches.errors, 8).collect();
    instants.sort();
    assert_forks(&loaded, twin(&loaded), &save_at(&loaded, &instants), &expected);
}

/// Faults of further kinds, shortened, forked in five places each.
#[test]
fn shipped_scenarios_with_faults_fork_alike() {
    for name in ["noisy-bus", "power-cut-pump", "sag-during-erase", "power-cut-cioc", "babbling-node", "open-bus"] {
        let short = ["pumps.count=7", "package.image.length=32KiB"];
        let loaded = common::loaded(&common::shipped(&format!("{name}.ron")), &short);
        let (run, expected, stretches) = unforked(&loaded);
        let saved = save_at(&loaded, &instants(&run, &stretches).into_iter().step_by(4).collect::<Vec<_>>());
        assert_forks(&loaded, run.twin, &saved, &expected);
    }
}

/// Each of 20 snapshots goes into one of two models; the small update covers both for each.
#[test]
fn the_nominal_update_of_14_pumps_forked_at_20_instants_ends_as_if_it_were_not() {
    let loaded = common::loaded(&common::shipped("nominal-14.ron"), &[]);
    let (run, expected, stretches) = unforked(&loaded);
    let saved = save_at(&loaded, &instants(&run, &stretches));
    let erases = saved.iter().filter(|(instant, _)| within(&stretches.erases, *instant)).count();
    let boots = saved.iter().filter(|(instant, _)| within(&stretches.boots, *instant)).count();
    let frames = saved.iter().filter(|(instant, _)| within(&stretches.frames, *instant)).count();
    assert!(saved.len() == 20 && erases >= 4 && boots >= 3 && frames >= 4, "{erases} {boots} {frames}");
    let (even, odd): (Vec<_>, Vec<_>) = saved.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let [even, odd] = [even, odd].map(|half| half.into_iter().map(|(_, saved)| saved).collect::<Vec<Saved>>());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_forks(&loaded, twin(&loaded), &even, &expected));
        assert_forks(&loaded, twin(&loaded), &odd, &expected);
    });
}

fn within(stretches: &[(SimTime, SimTime)], instant: SimTime) -> bool {
    stretches.iter().any(|(start, end)| *start < instant && instant < *end)
}

/// Every hand-over loses whatever a snapshot does not hold, and the loss adds up.
#[test]
fn a_run_handed_from_model_to_model_every_second_ends_as_if_it_were_not() {
    let loaded = common::loaded(&common::data("faulty.ron"), &[]);
    let (run, expected, _) = unforked(&loaded);
    let seconds = run.end.as_nanos() / 1_000_000_000;
    let mut twins = [twin(&loaded), twin(&loaded)];
    for second in 1..seconds {
        let [here, there] = &mut twins;
        let _ = here.run_until(SimTime::ZERO + Span::from_secs(second));
        there.load(&here.save());
        twins.swap(0, 1);
    }
    let [last, _] = twins;
    assert!(seconds > 20 && result(&loaded, last) == expected);
}

/// The controls: what differs in one piece of state after loading must show in the result, or the tests above prove
/// nothing about that piece.
#[test]
fn a_fork_with_one_piece_of_state_changed_ends_differently() {
    let loaded = common::loaded(&common::data("faulty.ron"), &[]);
    let (run, expected, stretches) = unforked(&loaded);
    let middle = middles(&stretches.frames, 1).next().expect("an instant");
    let saved = save_at(&loaded, &[middle]);
    let changes: [(&str, Change); 4] = [
        ("a bit of flash", |twin| {
            let entity = twin.world.resource::<Nodes>().entity(NodeId::new(3));
            assert!(twin.world.get_mut::<Flash>(entity).expect("flash").flip_bit(8 * 2_000));
        }),
        ("the CIOC's package", |twin| {
            let entity = twin.world.resource::<Nodes>().entity(NodeId::CIOC);
            let mut host = twin.world.get_mut::<CiocHost>(entity).expect("a host");
            host.store = cooltwin::hosts::cioc::Store::Missing;
        }),
        ("the events to come", |twin| {
            let _ = twin.agenda.pop();
        }),
        ("the bus", |twin| {
            let fresh = build(&common::loaded(&common::data("faulty.ron"), &[]).scenario, None);
            let bus = fresh.world.resource::<Bus>().clone();
            twin.world.resource_scope(|_, mut own: Mut<'_, Bus>| *own = bus);
        }),
    ];
    let mut fork = run.twin;
    for (what, change) in changes {
        fork.load(&saved[0].1);
        change(&mut fork);
        let run = finish(fork, &loaded.scenario, |_| {});
        assert!(common::result_of(&loaded, &run) != expected, "{what} was changed, and the result is the same");
        fork = run.twin;
    }
    assert_forks(&loaded, fork, &saved, &expected);
}
