//! A world, its agenda and its handlers: one run that can be stepped, saved and loaded.

use bevy_ecs::prelude::{Component, Resource, World};

use super::agenda::{Agenda, Event};
use super::snapshot::{Columns, Snapshot};
use super::time::SimTime;
use super::trace::{Record, Trace};

/// More events than this at one instant are a loop that never ends.
const EVENTS_PER_INSTANT_MAX: u32 = 1_000_000;

/// Why a run stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A handler or observer asked for it.
    Asked,
    /// Nothing is left to happen.
    Idle,
    /// The given time was reached.
    TimeReached,
    /// A million events at one instant.
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
    /// Sets the one handler for events of `kind`.
    ///
    /// # Panics
    /// If that kind has a handler already: a defect of the domains' installation.
    pub fn on(&mut self, kind: usize, handler: impl FnMut(&mut World, &mut Context<'_, E, R>, E) + Send + 'static) {
        let place = &mut self.handlers[kind];
        assert!(place.is_none(), "event kind {kind} has two handlers");
        *place = Some(Box::new(handler));
    }

    /// Adds an observer; observers see each record in the order in which they were added.
    pub fn observe(&mut self, observer: impl FnMut(&mut World, &mut Context<'_, E, R>, SimTime, &R) + Send + 'static) {
        self.observers.push(Box::new(observer));
    }

    /// Registers a component that holds simulation state, so that snapshots include it.
    pub fn component<T: Component<Mutability = bevy_ecs::component::Mutable> + Clone>(&mut self) {
        self.columns.component::<T>(&mut self.world);
    }

    /// Inserts a resource that holds simulation state and registers it for snapshots.
    pub fn resource<T: Resource<Mutability = bevy_ecs::component::Mutable> + Clone>(&mut self, value: T) {
        self.world.insert_resource(value);
        self.columns.resource::<T>(&mut self.world);
    }

    /// The finished model.
    ///
    /// # Panics
    /// If the world holds a component or resource type that was not registered: its state would be missing from
    /// snapshots.
    #[must_use]
    pub fn build(mut self) -> Model<E, R> {
        self.columns.assert_complete(&mut self.world);
        Model {
            world: self.world,
            agenda: self.agenda,
            trace: Trace::default(),
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
    handlers: Vec<Option<Handler<E, R>>>,
    observers: Vec<Observer<E, R>>,
    columns: Columns,
    at_this_instant: u32,
    events: u64,
}

impl<E: Event, R: Record> Model<E, R> {
    /// Runs until a handler asks to stop, nothing is left, or the next event lies after `end`.
    pub fn run_until(&mut self, end: SimTime) -> Halt {
        let mut halt = false;
        loop {
            match self.agenda.next_time() {
                None => return Halt::Idle,
                Some(time) if time > end => return Halt::TimeReached,
                Some(time) if time > self.agenda.now() => self.at_this_instant = 0,
                Some(_) if self.at_this_instant >= EVENTS_PER_INSTANT_MAX => return Halt::Livelock,
                Some(_) => self.at_this_instant += 1,
            }
            self.step(&mut halt);
            if halt {
                return Halt::Asked;
            }
        }
    }

    /// How many events were handled.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    fn step(&mut self, halt: &mut bool) {
        let Some(event) = self.agenda.pop() else { return };
        self.events += 1;
        let kind = event.kind();
        let Some(handler) = self.handlers.get_mut(kind).and_then(Option::as_mut) else {
            panic!("event kind {kind} has no handler");
        };
        let now = self.agenda.now();
        let mut context = Context { now, agenda: &mut self.agenda, trace: &mut self.trace, halt };
        handler(&mut self.world, &mut context, event);
        if !self.trace.fresh.is_empty() {
            self.show_records(now, halt);
        }
    }

    /// Shows fresh records to the observers; what an observer records is shown after.
    fn show_records(&mut self, now: SimTime, halt: &mut bool) {
        let mut shown = 0;
        let mut records = std::mem::take(&mut self.trace.fresh);
        while shown < records.len() {
            for (time, record) in &records[shown..] {
                for observer in &mut self.observers {
                    let mut context = Context { now, agenda: &mut self.agenda, trace: &mut self.trace, halt };
                    observer(&mut self.world, &mut context, *time, record);
                }
            }
            shown = records.len();
            records.append(&mut self.trace.fresh);
        }
        records.clear();
        self.trace.fresh = records;
    }

    /// The whole state at this instant.
    #[must_use]
    pub fn save(&mut self) -> Snapshot<E, R> {
        Snapshot {
            columns: self.columns.save(&mut self.world),
            agenda: self.agenda.clone(),
            trace: self.trace.clone(),
            at_this_instant: self.at_this_instant,
            events: self.events,
        }
    }

    /// Puts this model into the state of `snapshot`, which may come from another model of the same builder.
    ///
    /// # Panics
    /// If the snapshot has other entities than this model: it comes from another builder.
    pub fn load(&mut self, snapshot: &Snapshot<E, R>) {
        self.columns.load(&mut self.world, &snapshot.columns);
        self.agenda = snapshot.agenda.clone();
        self.trace = snapshot.trace.clone();
        self.at_this_instant = snapshot.at_this_instant;
        self.events = snapshot.events;
    }
}
