//! The kernel's promises, held on a small model that has everything a twin has.
//!
//! The model is a colony of cells: some are charged, some have a mood, some a friend; they lie in six archetypes. Pulses
//! run from friend to friend, sweeps visit all cells in query order and draw a random number for each, so that another
//! order gives another trace, and observers schedule, draw and record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use bevy_ecs::prelude::{Component, Entity, Mut, Name, QueryState, Resource, With, Without, World};
use rand::Rng;

use super::*;

/// How much a cell holds.
#[derive(Component, Clone, Debug, PartialEq)]
struct Charge(u64);

/// What a cell remembers, most recent last.
#[derive(Component, Clone, Debug, PartialEq)]
struct Mood(Vec<u64>);

/// Where a pulse goes next.
#[derive(Component, Clone)]
struct Friend(Entity);

/// A component that is stored apart from the others and changes nothing but the archetype.
#[derive(Component, Clone)]
#[component(storage = "SparseSet")]
struct Mark;

#[derive(Resource, Clone)]
struct Dice(Stream);

#[derive(Resource, Clone, Default)]
struct Ledger {
    pulses: u64,
    notes: Vec<u64>,
}

#[derive(Clone, Copy)]
enum ColonyEvent {
    Sweep,
    Pulse(Entity),
    Echo(u64),
}

impl ColonyEvent {
    const SWEEP: usize = 0;
    const PULSE: usize = 1;
    const ECHO: usize = 2;
}

impl Event for ColonyEvent {
    const KINDS: usize = 3;

    fn kind(&self) -> usize {
        match self {
            Self::Sweep => Self::SWEEP,
            Self::Pulse(_) => Self::PULSE,
            Self::Echo(_) => Self::ECHO,
        }
    }

    fn phase(&self) -> u8 {
        2 - self.kind() as u8
    }
}

#[derive(Clone, Debug, PartialEq)]
enum ColonyRecord {
    Swept { charge: u64 },
    Pulsed { charge: u64, mood: u64 },
    Echoed(u64),
    Noted(u64),
}

impl Record for ColonyRecord {
    const DOMAINS: &'static [&'static str] = &["cells", "notes"];

    fn domain(&self) -> usize {
        usize::from(matches!(self, Self::Noted(_)))
    }

    fn words(&self, to: &mut Words) {
        let words = match self {
            Self::Swept { charge } => [0, *charge, 0],
            Self::Pulsed { charge, mood } => [1, *charge, *mood],
            Self::Echoed(of) => [2, *of, 0],
            Self::Noted(what) => [3, *what, 0],
        };
        words.iter().for_each(|word| to.put(*word));
    }
}

type ColonyBuilder = Builder<ColonyEvent, ColonyRecord>;
type Colony = Model<ColonyEvent, ColonyRecord>;
type Cx<'a, 'b> = &'a mut Context<'b, ColonyEvent, ColonyRecord>;

const END: SimTime = SimTime::from_nanos(200_000);

/// Cells of six archetypes, come to be in an order that is not the order of their entities.
fn populate(world: &mut World) {
    let cells: Vec<Entity> = (0..40).map(|n| world.spawn(Charge(n)).id()).collect();
    world.despawn(cells[3]);
    let cells: Vec<Entity> = cells.into_iter().filter(|cell| world.get_entity(*cell).is_ok()).collect();
    for (n, cell) in cells.iter().enumerate().rev() {
        let mut cell = world.entity_mut(*cell);
        if n % 2 == 0 {
            cell.insert(Mood(vec![n as u64]));
        }
        if n % 3 != 1 {
            cell.insert(Friend(cells[(n * 7 + 5) % cells.len()]));
        }
        if n % 5 == 0 {
            cell.insert(Mark);
        }
    }
    world.spawn(Mood(vec![99]));
}

fn colony_builder(seed: u64) -> ColonyBuilder {
    let mut builder = ColonyBuilder::default();
    builder.component::<Charge>();
    populate(&mut builder.world);
    builder.component::<Mood>();
    builder.component::<Friend>();
    builder.component::<Mark>();
    builder.resource(Dice(stream(seed, "dice")));
    builder.resource(Ledger::default());
    builder.agenda.at(SimTime::ZERO, ColonyEvent::Sweep);
    let first = builder.world.query::<(Entity, &Friend)>().iter(&builder.world).map(|(cell, _)| cell).next();
    builder.agenda.at(SimTime::from_nanos(1), ColonyEvent::Pulse(first.expect("someone has a friend")));
    builder
}

fn sweep() -> impl FnMut(&mut World, Cx<'_, '_>, ColonyEvent) + Send {
    let mut cells: Option<QueryState<(&'static mut Charge, Option<&'static mut Mood>)>> = None;
    move |world, cx, _| {
        let cells = cells.get_or_insert_with(|| world.query());
        let mut dice = world.resource::<Dice>().clone();
        for (mut charge, mood) in cells.iter_mut(world) {
            let draw = dice.0.next_u64();
            charge.0 = charge.0.wrapping_mul(31).wrapping_add(draw);
            if let Some(mut mood) = mood {
                mood.0.push(draw);
                mood.0.truncate(4);
            }
            cx.record(ColonyRecord::Swept { charge: charge.0 });
        }
        *world.resource_mut::<Dice>() = dice;
        cx.agenda.after(Span::from_nanos(5_000), ColonyEvent::Sweep);
    }
}

fn pulse(world: &mut World, cx: Cx<'_, '_>, event: ColonyEvent) {
    let ColonyEvent::Pulse(cell) = event else { unreachable!("only pulses come here") };
    let draw = world.resource_mut::<Dice>().0.next_u64();
    world.resource_mut::<Ledger>().pulses += 1;
    let mood = world.get::<Mood>(cell).map_or(0, |mood| mood.0.iter().fold(0, |sum, word| sum ^ word));
    let mut charge = world.get_mut::<Charge>(cell).expect("every friend is charged");
    charge.0 = charge.0.rotate_left(7) ^ draw;
    let charge = charge.0;
    cx.record(ColonyRecord::Pulsed { charge, mood });
    let next = world.get::<Friend>(cell).map(|friend| friend.0).unwrap_or_else(|| {
        let mut friendly = world.query::<(Entity, &Friend)>();
        friendly.iter(world).map(|(cell, _)| cell).nth(draw as usize % 9).expect("nine have friends")
    });
    // A third of the pulses happens at the same instant.
    cx.agenda.after(Span::from_nanos(draw % 3 * 17), ColonyEvent::Pulse(next));
}

fn echo(_: &mut World, cx: Cx<'_, '_>, event: ColonyEvent) {
    let ColonyEvent::Echo(of) = event else { unreachable!("only echoes come here") };
    cx.record(ColonyRecord::Echoed(of));
}

/// Answers some records with an event and a note.
fn answer(_: &mut World, cx: Cx<'_, '_>, _: SimTime, record: &ColonyRecord) {
    if let ColonyRecord::Pulsed { charge, .. } = record
        && charge % 5 == 0
    {
        cx.agenda.after(Span::from_nanos(charge % 40), ColonyEvent::Echo(*charge));
        cx.record(ColonyRecord::Noted(*charge));
    }
}

/// Keeps books of the notes, with a draw for each.
fn keep_books(world: &mut World, _: Cx<'_, '_>, _: SimTime, record: &ColonyRecord) {
    if let ColonyRecord::Noted(what) = record {
        let draw = world.resource_mut::<Dice>().0.next_u64();
        world.resource_mut::<Ledger>().notes.push(what ^ draw);
    }
}

/// The whole colony; stops after every `stop_every` events if that is not 0.
fn colony_that_stops(seed: u64, stop_every: u64) -> Colony {
    let mut builder = colony_builder(seed);
    builder.on(ColonyEvent::SWEEP, sweep());
    let mut pulses = 0;
    builder.on(ColonyEvent::PULSE, move |world, cx, event| {
        pulse(world, cx, event);
        pulses += 1;
        if stop_every > 0 && pulses % stop_every == 0 {
            cx.halt();
        }
    });
    builder.on(ColonyEvent::ECHO, echo);
    builder.observe(answer);
    builder.observe(keep_books);
    builder.build()
}

fn colony(seed: u64) -> Colony {
    colony_that_stops(seed, 0)
}

/// Everything that tells two runs apart.
#[derive(Debug, PartialEq)]
struct Evidence {
    fingerprints: (Fingerprint, Vec<(&'static str, Fingerprint)>),
    records: u64,
    events: u64,
    now: SimTime,
    waiting: usize,
    ledger: (u64, Vec<u64>),
    charges: Vec<u64>,
}

fn evidence(model: &mut Colony) -> Evidence {
    let charges = model.world.query::<&Charge>().iter(&model.world).map(|charge| charge.0).collect();
    let ledger = model.world.resource::<Ledger>();
    Evidence {
        fingerprints: (model.trace.fingerprint(), model.trace.domain_fingerprints()),
        records: model.trace.count(),
        events: model.events(),
        now: model.agenda.now(),
        waiting: model.agenda.len(),
        ledger: (ledger.pulses, ledger.notes.clone()),
        charges,
    }
}

fn run_to_the_end(mut model: Colony) -> Evidence {
    assert_eq!(model.run_until(END), Halt::TimeReached);
    evidence(&mut model)
}

/// The words with which `job` panics.
fn panic_of(job: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(job)).expect_err("it must panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("panics have words")).to_owned(),
    }
}

#[test]
fn the_colony_exercises_what_the_tests_are_about() {
    let mut model = colony(1);
    model.run_until(END);
    let ledger = model.world.resource::<Ledger>();
    assert!(ledger.pulses > 5_000, "{} pulses", ledger.pulses);
    assert!(ledger.notes.len() > 500, "{} notes", ledger.notes.len());
    let used = model.world.archetypes().iter().filter(|kind| {
        let charge = model.world.components().component_id::<Charge>();
        !kind.is_empty() && charge.is_some_and(|id| kind.contains(id))
    });
    assert!(used.count() >= 6);
    assert_eq!(model.trace.domain_fingerprints().len(), 2);
}

#[test]
fn the_same_run_twice_leaves_the_same_evidence() {
    assert_eq!(run_to_the_end(colony(1)), run_to_the_end(colony(1)));
}

#[test]
fn another_seed_leaves_another_trace() {
    let [one, two] = [1, 2].map(|seed| {
        let mut model = colony(seed);
        model.run_until(END);
        model.trace.fingerprint()
    });
    assert_ne!(one, two);
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let mut model = colony(1);
    for ns in (0..END.as_nanos()).step_by(777) {
        assert_eq!(model.run_until(SimTime::from_nanos(ns)), Halt::TimeReached);
    }
    assert_eq!(run_to_the_end(model), run_to_the_end(colony(1)));
}

#[test]
fn forks_from_many_instants_reach_the_unforked_evidence() {
    let unforked = run_to_the_end(colony(1));
    let mut model = colony(1);
    let mut snapshots = Vec::new();
    for n in 0..20 {
        model.run_until(SimTime::from_nanos(n * 9_973));
        snapshots.push(model.save());
    }
    assert_eq!(run_to_the_end(model), unforked, "saving changes nothing");

    let mut same = colony(1);
    same.run_until(END);
    for snapshot in snapshots.iter().rev() {
        same.load(snapshot);
        assert_eq!(same.run_until(END), Halt::TimeReached);
        assert_eq!(evidence(&mut same), unforked, "the same model, from {}", snapshot.agenda.now());
        let mut second = colony(1);
        second.load(snapshot);
        assert_eq!(run_to_the_end(second), unforked, "a second model, from {}", snapshot.agenda.now());
    }
}

#[test]
fn snapshots_are_shared_between_threads() {
    let unforked = run_to_the_end(colony(1));
    let mut model = colony(1);
    model.run_until(SimTime::from_nanos(50_001));
    let snapshot = model.save();
    std::thread::scope(|threads| {
        let forks = [0, 1].map(|_| {
            threads.spawn(|| {
                let mut fork = colony(1);
                fork.load(&snapshot);
                assert_eq!(run_to_the_end(fork), unforked);
            })
        });
        forks.into_iter().for_each(|fork| fork.join().expect("the fork reaches the unforked evidence"));
    });
}

/// Also in the middle of an instant, and with the first save before the first event.
#[test]
fn saving_and_loading_every_few_events_changes_nothing() {
    for every in [1, 7, 100] {
        let unforked = run_to_the_end(colony(1));
        let (mut here, mut there) = (colony_that_stops(1, every), colony_that_stops(1, every));
        there.load(&here.save());
        let mut stops = 0;
        while there.run_until(END) == Halt::Asked {
            here.load(&there.save());
            std::mem::swap(&mut here, &mut there);
            stops += 1;
        }
        assert!(stops > 50, "{stops} stops");
        assert_eq!(evidence(&mut there), unforked, "every {every}");
    }
}

#[test]
fn query_order_over_several_archetypes_survives_a_load() {
    fn cells(model: &mut Colony) -> Vec<(Entity, Charge)> {
        let mut query = model.world.query::<(Entity, &Charge)>();
        query.iter(&model.world).map(|(cell, charge)| (cell, charge.clone())).collect()
    }
    let mut first = colony(1);
    first.run_until(SimTime::from_nanos(30_000));
    let (snapshot, before) = (first.save(), cells(&mut first));
    assert!(!before.is_sorted_by_key(|(cell, _)| *cell), "the order is not that of the entities");
    let mut second = colony(1);
    second.load(&snapshot);
    assert_eq!(cells(&mut second), before);
    first.run_until(END);
    assert_ne!(cells(&mut first), before);
    first.load(&snapshot);
    assert_eq!(cells(&mut first), before);
}

#[test]
fn models_and_snapshots_go_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Colony>();
    is_shared::<Snapshot<ColonyEvent, ColonyRecord>>();
}

#[test]
fn handlers_run_by_kind() {
    let mut builder = ColonyBuilder::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for kind in 0..ColonyEvent::KINDS {
        let seen = seen.clone();
        builder.on(kind, move |_, cx, event| seen.lock().unwrap().push((kind, event.kind(), cx.now.as_nanos())));
    }
    let at = SimTime::from_nanos;
    builder.agenda.at(at(30), ColonyEvent::Sweep);
    builder.agenda.at(at(10), ColonyEvent::Echo(0));
    builder.agenda.at(at(20), ColonyEvent::Pulse(Entity::PLACEHOLDER));
    let mut model = builder.build();
    assert_eq!(model.run_until(END), Halt::Idle);
    assert_eq!(*seen.lock().unwrap(), [(2, 2, 10), (1, 1, 20), (0, 0, 30)]);
    assert_eq!(model.events(), 3);
}

#[test]
fn two_handlers_for_a_kind_panic() {
    let mut builder = ColonyBuilder::default();
    builder.on(ColonyEvent::ECHO, echo);
    assert_eq!(panic_of(|| builder.on(ColonyEvent::ECHO, echo)), "event kind 2 has two handlers");
}

#[test]
fn an_event_without_a_handler_panics() {
    let mut model = ColonyBuilder::default().build();
    model.agenda.at(SimTime::ZERO, ColonyEvent::Sweep);
    assert_eq!(panic_of(|| _ = model.run_until(END)), "event kind 0 has no handler");
}

#[test]
fn observers_see_records_in_order_and_what_observers_record_after() {
    let mut builder = ColonyBuilder::default();
    builder.on(ColonyEvent::ECHO, |_, cx, _| {
        cx.record(ColonyRecord::Echoed(1));
        cx.record(ColonyRecord::Echoed(2));
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second"] {
        let seen = seen.clone();
        builder.observe(move |_, cx, time, record| {
            seen.lock().unwrap().push((name, time.as_nanos(), record.clone()));
            if let ColonyRecord::Echoed(n) = record
                && name == "first"
            {
                cx.record(ColonyRecord::Noted(*n));
            }
        });
    }
    let mut model = builder.build();
    model.agenda.at(SimTime::from_nanos(5), ColonyEvent::Echo(0));
    assert_eq!(model.run_until(END), Halt::Idle);
    let records = [1, 2].map(ColonyRecord::Echoed).into_iter().chain([1, 2].map(ColonyRecord::Noted));
    let expected: Vec<_> = records.flat_map(|record| ["first", "second"].map(|who| (who, 5, record.clone()))).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(model.trace.count(), 4);
}

/// An echo asks to stop, itself or through an observer; a sweep waits at the same instant.
fn stopping_model(observer_asks: bool) -> Colony {
    let mut builder = ColonyBuilder::default();
    builder.on(ColonyEvent::ECHO, move |_, cx, _| {
        cx.record(ColonyRecord::Echoed(0));
        cx.agenda.after(Span::ZERO, ColonyEvent::Sweep);
        if !observer_asks {
            cx.halt();
        }
    });
    builder.on(ColonyEvent::SWEEP, |_, _, _| {});
    builder.observe(move |_, cx, _, _| {
        if observer_asks {
            cx.halt();
        }
    });
    builder.agenda.at(SimTime::from_nanos(5), ColonyEvent::Echo(0));
    builder.build()
}

#[test]
fn a_run_stops_after_the_event_that_asked_and_goes_on_when_told() {
    for observer_asks in [false, true] {
        let mut model = stopping_model(observer_asks);
        assert_eq!(model.run_until(END), Halt::Asked);
        assert_eq!((model.events(), model.agenda.len()), (1, 1));
        assert_eq!(model.run_until(END), Halt::Idle);
        assert_eq!(model.events(), 2);
    }
}

#[test]
fn a_run_handles_the_events_at_its_end_and_none_after() {
    let mut model = ColonyBuilder::default();
    model.on(ColonyEvent::ECHO, echo);
    let mut model = model.build();
    for ns in [10, 20, 21] {
        model.agenda.at(SimTime::from_nanos(ns), ColonyEvent::Echo(ns));
    }
    assert_eq!(model.run_until(SimTime::from_nanos(20)), Halt::TimeReached);
    assert_eq!((model.events(), model.agenda.now().as_nanos()), (2, 20));
    assert_eq!(model.run_until(SimTime::from_nanos(21)), Halt::Idle);
}

/// Sweeps once at `start` and `more` times again at the same instant.
fn busy_instant(start: u64, more: u64) -> Colony {
    let mut builder = ColonyBuilder::default();
    let mut left = more;
    builder.on(ColonyEvent::SWEEP, move |_, cx, _| {
        if left > 0 {
            left -= 1;
            cx.agenda.after(Span::ZERO, ColonyEvent::Sweep);
        }
    });
    builder.agenda.at(SimTime::from_nanos(start), ColonyEvent::Sweep);
    builder.build()
}

#[test]
fn a_million_events_of_one_instant_are_a_livelock_and_no_fewer() {
    for start in [0, 7] {
        let mut busy = busy_instant(start, 999_999);
        assert_eq!(busy.run_until(END), Halt::Idle);
        assert_eq!(busy.events(), 1_000_000);
        let mut stuck = busy_instant(start, 1_000_000);
        assert_eq!(stuck.run_until(END), Halt::Livelock);
        assert_eq!(stuck.events(), 1_000_000);
    }
}

#[test]
fn any_number_of_events_of_different_instants_is_no_livelock() {
    let mut builder = ColonyBuilder::default();
    let mut left = 1_000_001;
    builder.on(ColonyEvent::SWEEP, move |_, cx, _| {
        left -= 1;
        if left > 0 {
            cx.agenda.after(Span::from_nanos(left % 2), ColonyEvent::Sweep);
        }
    });
    builder.agenda.at(SimTime::ZERO, ColonyEvent::Sweep);
    let mut model = builder.build();
    assert_eq!(model.run_until(SimTime::NEVER), Halt::Idle);
    assert_eq!(model.events(), 1_000_001);
}

#[test]
fn a_long_run_does_not_gather_what_the_world_notes_of_removals() {
    let mut builder = ColonyBuilder::default();
    builder.resource(Ledger::default());
    builder.on(ColonyEvent::SWEEP, |world, cx, _| {
        world.resource_scope(|_, mut ledger: Mut<'_, Ledger>| ledger.pulses += 1);
        cx.agenda.after(Span::from_nanos(1), ColonyEvent::Sweep);
    });
    builder.agenda.at(SimTime::ZERO, ColonyEvent::Sweep);
    let mut model = builder.build();
    assert_eq!(model.run_until(SimTime::from_nanos(100_000)), Halt::TimeReached);
    assert_eq!(model.world.resource::<Ledger>().pulses, 100_001);
    let noted: usize = model.world.removed_components().iter().map(|(_, removals)| removals.len()).sum();
    assert!(noted <= 2 * 4_096, "{noted} removals are kept");
}

#[test]
fn the_count_towards_a_livelock_is_part_of_a_snapshot() {
    let mut stuck = busy_instant(7, 1_000_000);
    stuck.run_until(END);
    let mut other = busy_instant(7, 0);
    other.load(&stuck.save());
    assert_eq!(other.run_until(END), Halt::Livelock);
}

#[test]
fn observers_that_answer_each_other_forever_are_a_livelock() {
    let mut builder = ColonyBuilder::default();
    builder.on(ColonyEvent::ECHO, echo);
    builder.observe(|_, cx, _, _| cx.record(ColonyRecord::Noted(0)));
    builder.agenda.at(SimTime::ZERO, ColonyEvent::Echo(0));
    assert_eq!(builder.build().run_until(END), Halt::Livelock);
}

#[test]
fn an_unregistered_component_is_refused() {
    let mut builder = ColonyBuilder::default();
    builder.component::<Charge>();
    builder.world.spawn((Charge(1), Mood(Vec::new())));
    let text = panic_of(|| drop(builder.build()));
    assert!(text.starts_with("not registered for snapshots: a type of 24 bytes on 1 entities with ["), "{text}");
    assert!(text.ends_with("::Charge]"), "{text}");
}

#[test]
fn an_unregistered_resource_is_refused() {
    let mut builder = ColonyBuilder::default();
    builder.resource(Dice(stream(1, "dice")));
    builder.world.insert_resource(Ledger::default());
    let text = panic_of(|| drop(builder.build()));
    assert_eq!(text, "not registered for snapshots: a type of 32 bytes as a resource");
}

/// Only what bevy puts into every world is exempt, not every type of bevy.
#[test]
fn an_unregistered_type_of_bevy_is_refused() {
    let mut builder = ColonyBuilder::default();
    builder.world.spawn(Name::new("cell"));
    assert!(panic_of(|| drop(builder.build())).starts_with("not registered"));
    let mut builder = ColonyBuilder::default();
    builder.world.spawn(Name::new("cell"));
    builder.component::<Name>();
    assert_eq!(builder.build().run_until(END), Halt::Idle);
}

#[test]
fn data_bound_to_one_thread_is_refused() {
    let mut builder = ColonyBuilder::default();
    builder.world.insert_non_send(std::rc::Rc::new(5));
    assert_eq!(panic_of(|| drop(builder.build())), "data bound to one thread is in no snapshot");
}

#[test]
fn a_snapshot_of_another_builder_is_refused_before_anything_is_loaded() {
    let one_more: fn(&mut ColonyBuilder) = |builder| {
        builder.world.spawn(Charge(0));
    };
    let another_archetype: fn(&mut ColonyBuilder) = |builder| {
        let mut moodless = builder.world.query_filtered::<Entity, (With<Charge>, Without<Mood>)>();
        let cell = moodless.iter(&builder.world).next().expect("someone has no mood");
        builder.world.entity_mut(cell).insert(Mood(Vec::new()));
    };
    let another_type: fn(&mut ColonyBuilder) = |builder| builder.component::<Name>();
    for change in [one_more, another_archetype, another_type] {
        let mut builder = colony_builder(1);
        change(&mut builder);
        let mut other = builder.build();
        let mut model = colony(1);
        model.run_until(SimTime::from_nanos(10_000));
        let before = evidence(&mut model);
        let text = panic_of(|| model.load(&other.save()));
        assert_eq!(text, "the snapshot comes from another builder: its types or its population differ");
        assert_eq!(evidence(&mut model), before);
    }
}

#[test]
fn a_population_that_changed_while_running_is_refused() {
    let changes: [fn(&mut World, Entity); 4] = [
        |world, _| _ = world.spawn(Charge(0)),
        |world, cell| assert!(world.despawn(cell)),
        |world, cell| _ = world.entity_mut(cell).insert(Name::new("late")),
        |world, _| assert!(world.remove_resource::<Ledger>().is_some()),
    ];
    for change in changes {
        let mut model = colony(1);
        let snapshot = model.save();
        let cell = model.world.query::<(Entity, &Charge)>().iter(&model.world).map(|(cell, _)| cell).next();
        change(&mut model.world, cell.expect("someone is charged"));
        let text = "entities came, went or changed their components while running";
        assert_eq!(panic_of(|| drop(model.save())), text);
        assert_eq!(panic_of(|| model.load(&snapshot)), text);
    }
}

// Digests.

#[derive(Component, Clone, Hash)]
struct Level(u64);

#[derive(Resource, Clone, Hash)]
struct Total(u64);

#[derive(Resource, Clone)]
struct Seen(u64);

#[derive(Clone, Copy, Hash)]
enum Rain {
    Fall(u64),
    Mist,
}

impl Event for Rain {
    const KINDS: usize = 1;
    fn kind(&self) -> usize {
        0
    }
    fn phase(&self) -> u8 {
        0
    }
}

/// Two levels, a total and an onlooker; each drop raises all of them.
fn basin_builder() -> Builder<Rain, ColonyRecord> {
    let mut builder = Builder::default();
    builder.world.spawn(Level(1));
    builder.world.spawn(Level(2));
    builder.state::<Level>();
    builder.state_resource(Total(0));
    builder.observer_resource(Seen(0));
    let mut levels: Option<QueryState<&mut Level>> = None;
    builder.on(0, move |world: &mut World, context: &mut Context<'_, Rain, ColonyRecord>, rain| {
        let Rain::Fall(more) = rain else { return };
        let levels = levels.get_or_insert_with(|| world.query());
        levels.iter_mut(world).for_each(|mut level| level.0 += more);
        world.resource_mut::<Total>().0 += more;
        world.resource_mut::<Seen>().0 += 1;
        context.agenda.after(Span::from_nanos(10), Rain::Fall(more));
    });
    builder.agenda.at(SimTime::ZERO, Rain::Fall(3));
    builder
}

fn basin() -> Model<Rain, ColonyRecord> {
    let mut model = basin_builder().build();
    let _ = model.run_until(SimTime::from_nanos(100));
    model
}

#[test]
fn a_digest_is_that_of_the_same_state_and_of_no_other() {
    let same = basin().digest().expect("all is said");
    type Change = fn(&mut Model<Rain, ColonyRecord>);
    let unlike: [Change; 5] = [
        |model| model.world.resource_mut::<Total>().0 += 1,
        |model| {
            let first = model.world.query::<&mut Level>().iter_mut(&mut model.world).next();
            first.expect("a level").0 += 1;
        },
        |model| model.agenda.at(SimTime::from_nanos(105), Rain::Fall(1)),
        |model| {
            let _ = model.agenda.pop();
        },
        |model| {
            let _ = model.run_until(SimTime::from_nanos(110));
        },
    ];
    for (number, change) in unlike.into_iter().enumerate() {
        let mut model = basin();
        change(&mut model);
        assert_ne!(model.digest().expect("all is said"), same, "change {number}");
    }
    assert_eq!(basin().digest(), Ok(same));
}

#[test]
fn a_digest_leaves_out_onlookers_and_how_many_events_there_were() {
    let mut seen_more = basin();
    seen_more.world.resource_mut::<Seen>().0 += 1;
    assert_eq!(seen_more.digest(), basin().digest());
    // An event that came and went leaves nothing but higher sequence numbers.
    let mut after_mist = basin_builder();
    after_mist.agenda.at(SimTime::ZERO, Rain::Mist);
    let mut after_mist = after_mist.build();
    let _ = after_mist.run_until(SimTime::from_nanos(100));
    assert_eq!(after_mist.digest(), basin().digest());
    assert!(after_mist.events() > basin().events());
}

#[test]
fn a_loaded_snapshot_has_the_digest_of_the_state_that_was_saved() {
    let mut saved = basin();
    let (snapshot, digest) = (saved.save(), saved.digest());
    let mut other = basin_builder().build();
    assert_ne!(other.digest(), digest);
    other.load(&snapshot);
    assert_eq!(other.digest(), digest);
}

#[test]
fn a_type_of_which_nobody_has_said_keeps_a_model_from_having_a_digest() {
    let mut builder = basin_builder();
    builder.resource(Ledger::default());
    builder.component::<Charge>();
    let names = builder.build().digest().expect_err("the ledger is opaque");
    assert_eq!(names.len(), 1, "no entity has a charge: {names:?}");
    assert!(names[0].ends_with("Ledger"), "{names:?}");
}
