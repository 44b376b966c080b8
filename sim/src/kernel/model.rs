//! A world, its agenda and its handlers: one run that can be stepped, saved and loaded.

use std::hash::Hash;

use bevy_ecs::prelude::{Component, Resource, World};

use super::agenda::{Agenda, Event};
use super::snapshot::{Columns, Snapshot, StateHasher};
use super::time::SimTime;
use super::trace::{Record, Trace};

/// More events than this at one instant are a loop that never ends, and so are more records after one event.
const AT_ONE_INSTANT_MAX: u32 = 1_000_000;
/// The world notes each removal of a component, and a resource taken out for a moment is one, until it is told that
/// nobody wants to know: after so many events.
const REMOVALS_KEPT_FOR: u64 = 4_096;

/// Why a run stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A handler or observer asked for it.
    Asked,
    /// Nothing is left to happen.
    Idle,
    /// The given time was reached.
    TimeReached,
    /// A million events were handled at one instant and more wait, or observers answered each other's records a
    /// million times. The model is of no further use.
    Livelock,
}

/// What a handler works with beside the world.
pub struct Context<'a, E, R> {
    /// The present instant.
    pub now: SimTime,
    /// Where further events are scheduled.
    pub agenda: &'a mut Agenda<E>,
    /// Where records are written.
    pub trace: &'a mut Trace<R>,
    halt: &'a mut bool,
}

impl<E: Event, R: Record> Context<'_, E, R> {
    /// Writes a record at the present instant.
    pub fn record(&mut self, record: R) {
        self.trace.write(self.now, record);
    }

    /// Shows observers a detail at the present instant that is in no fingerprint; see [`Trace::note`].
    pub fn note(&mut self, record: R) {
        self.trace.note(self.now, record);
    }

    /// Ends the run after this event.
    pub fn halt(&mut self) {
        *self.halt = true;
    }
}

type Handler<E, R> = Box<dyn FnMut(&mut World, &mut Context<'_, E, R>, E) + Send>;
type Observer<E, R> = Box<dyn FnMut(&mut World, &mut Context<'_, E, R>, SimTime, &R) + Send>;

/// Puts a model together; the same steps in the same order build models that can exchange snapshots.
pub struct Builder<E, R> {
    /// The world to fill with entities and resources.
    pub world: World,
    /// For the first events.
    pub agenda: Agenda<E>,
    handlers: Vec<Option<Handler<E, R>>>,
    observers: Vec<Observer<E, R>>,
    columns: Columns,
}

impl<E: Event, R: Record> Default for Builder<E, R> {
    fn default() -> Self {
        Self {
            world: World::new(),
            agenda: Agenda::default(),
            handlers: (0..E::KINDS).map(|_| None).collect(),
            observers: Vec::new(),
            columns: Columns::default(),
        }
    }
}

impl<E: Event, R: Record> Builder<E, R> {
    /// Sets the one handler for events of `kind`. It may keep queries and buffers, but no state: what a closure
    /// keeps is in no snapshot.
    ///
    /// # Panics
    /// If that kind has a handler already: a defect of the domains' installation.
    pub fn on(&mut self, kind: usize, handler: impl FnMut(&mut World, &mut Context<'_, E, R>, E) + Send + 'static) {
        let place = &mut self.handlers[kind];
        assert!(place.is_none(), "event kind {kind} has two handlers");
        *place = Some(Box::new(handler));
    }

    /// Adds an observer; observers see each record in the order in which they were added. As with handlers, what the
    /// closure keeps is in no snapshot.
    pub fn observe(&mut self, observer: impl FnMut(&mut World, &mut Context<'_, E, R>, SimTime, &R) + Send + 'static) {
        self.observers.push(Box::new(observer));
    }

    /// Registers a component that holds simulation state, so that snapshots include it.
    pub fn component<T: Component<Mutability = bevy_ecs::component::Mutable> + Clone>(&mut self) {
        self.columns.component::<T>(&mut self.world);
    }

    /// [`Self::component`], and digests include it.
    pub fn state<T: Component<Mutability = bevy_ecs::component::Mutable> + Clone + Hash>(&mut self) {
        self.columns.state::<T>(&mut self.world);
    }

    /// Inserts a resource that decides what happens next: snapshots and digests include it.
    pub fn state_resource<T: Resource<Mutability = bevy_ecs::component::Mutable> + Clone + Hash>(&mut self, value: T) {
        self.world.insert_resource(value);
        self.columns.state_resource::<T>();
    }

    /// Inserts a resource that only looks and never decides what happens, or that never changes: snapshots include it,
    /// digests do not.
    pub fn observer_resource<T: Resource<Mutability = bevy_ecs::component::Mutable> + Clone>(&mut self, value: T) {
        self.world.insert_resource(value);
        self.columns.observer_resource::<T>();
    }

    /// Inserts a resource that holds simulation state and registers it for snapshots.
    pub fn resource<T: Resource<Mutability = bevy_ecs::component::Mutable> + Clone>(&mut self, value: T) {
        self.world.insert_resource(value);
        self.columns.resource::<T>();
    }

    /// The finished model.
    ///
    /// # Panics
    /// If the world holds a component or resource that was not registered: its state would be missing from snapshots.
    /// From here on no entity may come, go or change its components.
    #[must_use]
    pub fn build(mut self) -> Model<E, R> {
        self.columns.complete(&self.world);
        Model {
            world: self.world,
            agenda: self.agenda,
            trace: Trace::default(),
            shown: Vec::new(),
            handlers: self.handlers,
            observers: self.observers,
            columns: self.columns,
            at_this_instant: 0,
            events: 0,
        }
    }
}

/// One run of a simulation.
pub struct Model<E, R> {
    /// All state.
    pub world: World,
    /// The events to come.
    pub agenda: Agenda<E>,
    /// What happened.
    pub trace: Trace<R>,
    /// The records being shown; empty between events, kept for its memory.
    shown: Vec<(SimTime, R)>,
    handlers: Vec<Option<Handler<E, R>>>,
    observers: Vec<Observer<E, R>>,
    columns: Columns,
    at_this_instant: u32,
    events: u64,
}

impl<E: Event, R: Record> Model<E, R> {
    /// Runs until a handler asks to stop, nothing is left, or the next event lies after `end`.
    ///
    /// # Panics
    /// If an event has no handler: a defect of the domains' installation.
    pub fn run_until(&mut self, end: SimTime) -> Halt {
        loop {
            let Some(time) = self.agenda.next_time() else { return Halt::Idle };
            if time > end {
                return Halt::TimeReached;
            }
            if time > self.agenda.now() {
                self.at_this_instant = 0;
            }
            if self.at_this_instant >= AT_ONE_INSTANT_MAX {
                return Halt::Livelock;
            }
            self.at_this_instant += 1;
            if let Some(halt) = self.step() {
                return halt;
            }
        }
    }

    /// How many events were handled.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    fn step(&mut self) -> Option<Halt> {
        let event = self.agenda.pop()?;
        self.events += 1;
        if self.events.is_multiple_of(REMOVALS_KEPT_FOR) {
            self.world.clear_trackers();
        }
        let kind = event.kind();
        let Some(handler) = self.handlers.get_mut(kind).and_then(Option::as_mut) else {
            panic!("event kind {kind} has no handler");
        };
        let mut asked = false;
        let now = self.agenda.now();
        let mut context = Context { now, agenda: &mut self.agenda, trace: &mut self.trace, halt: &mut asked };
        handler(&mut self.world, &mut context, event);
        if !self.trace.fresh.is_empty() && !self.show_records(now, &mut asked) {
            return Some(Halt::Livelock);
        }
        asked.then_some(Halt::Asked)
    }

    /// Shows fresh records to the observers; what an observer records is shown after. False if that never ends.
    fn show_records(&mut self, now: SimTime, halt: &mut bool) -> bool {
        let mut total = 0;
        while !self.trace.fresh.is_empty() {
            std::mem::swap(&mut self.shown, &mut self.trace.fresh);
            for (time, record) in &self.shown {
                for observer in &mut self.observers {
                    let mut context = Context { now, agenda: &mut self.agenda, trace: &mut self.trace, halt };
                    observer(&mut self.world, &mut context, *time, record);
                }
            }
            total += self.shown.len();
            self.shown.clear();
            if total > AT_ONE_INSTANT_MAX as usize {
                return false;
            }
        }
        true
    }

    /// The whole state at this instant.
    ///
    /// # Panics
    /// If an entity came, went or changed its components since the model was built: snapshots hold values only.
    #[must_use]
    pub fn save(&mut self) -> Snapshot<E, R> {
        Snapshot {
            values: self.columns.save(&mut self.world),
            agenda: self.agenda.clone(),
            trace: self.trace.clone(),
            at_this_instant: self.at_this_instant,
            events: self.events,
        }
    }

    /// Puts this model into the state of `snapshot`, which may come from another model of the same builder.
    ///
    /// # Panics
    /// If the snapshot has other types or entities than this model: it comes from another builder. If an entity came,
    /// went or changed its components since this model was built.
    pub fn load(&mut self, snapshot: &Snapshot<E, R>) {
        self.columns.load(&mut self.world, &snapshot.values);
        self.agenda.clone_from(&snapshot.agenda);
        self.trace.clone_from(&snapshot.trace);
        self.at_this_instant = snapshot.at_this_instant;
        self.events = snapshot.events;
    }
}

impl<E: Event + Hash, R: Record> Model<E, R> {
    /// A 128-bit hash (XXH3) of everything that decides what happens from now on: the instant, the events to come and
    /// all state. Of two models of one builder with equal digests, one's future is the other's, as long as what they
    /// leave out (see [`Builder::observer_resource`] and the types' own `Hash`) decides nothing.
    ///
    /// # Errors
    /// The names of types that are in use and of which nobody has said whether they decide anything.
    pub fn digest(&mut self) -> Result<u128, Vec<&'static str>> {
        let mut hasher = StateHasher::default();
        self.agenda.now().hash(&mut hasher);
        self.agenda.hash_to_come(&mut hasher);
        self.columns.digest(&mut self.world, &mut hasher)?;
        Ok(hasher.digest())
    }
}
