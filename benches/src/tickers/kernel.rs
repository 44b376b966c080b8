//! The job on cooltwin's kernel: one entity per ticker, found anew at every event.
//!
//! With `RECORDS` a record of three words is written at each event too, which is hashed twice and shown to an observer.

use bevy_ecs::prelude::{Component, Entity};
use cooltwin::kernel::{Builder, Event, Halt, Model, Record, SimTime, Span, Words};

use super::{EVENTS, Job, Outcome, TICKERS, Ticker};

#[derive(Component, Clone)]
struct State(Ticker);

#[derive(Clone, Copy)]
struct Tick(Entity);

impl Event for Tick {
    const KINDS: usize = 1;

    fn kind(&self) -> usize {
        0
    }

    fn phase(&self) -> u8 {
        0
    }
}

/// A ticker's state after a tick.
#[derive(Clone)]
struct Ticked(u64, u32);

impl Record for Ticked {
    const DOMAINS: &'static [&'static str] = &["tickers"];

    fn domain(&self) -> usize {
        0
    }

    fn words(&self, to: &mut Words) {
        to.put(0);
        to.put(self.0);
        to.put(u64::from(self.1));
    }
}

/// The job on the kernel.
pub struct Kernel<const RECORDS: bool> {
    model: Model<Tick, Ticked>,
    entities: Vec<Entity>,
}

impl<const RECORDS: bool> Job for Kernel<RECORDS> {
    fn build() -> Self {
        let mut builder = Builder::default();
        builder.component::<State>();
        let entities: Vec<Entity> =
            (0..TICKERS).map(|number| builder.world.spawn(State(Ticker::new(number))).id()).collect();
        for (number, entity) in entities.iter().enumerate() {
            builder.agenda.at(SimTime::from_nanos(Ticker::first_ns(number)), Tick(*entity));
        }
        let mut states = builder.world.query::<&mut State>();
        builder.on(0, move |world, cx, Tick(entity)| {
            let mut state = states.get_mut(world, entity).expect("tickers stay");
            let delay = state.0.tick(cx.now.as_nanos());
            if RECORDS {
                cx.record(Ticked(state.0.state, state.0.left));
            }
            if let Some(delay) = delay {
                cx.agenda.after(Span::from_nanos(delay), Tick(entity));
            }
        });
        if RECORDS {
            builder.observe(|_, _, _, record| {
                std::hint::black_box(record);
            });
        }
        Self { model: builder.build(), entities }
    }

    fn run(&mut self) -> Outcome {
        assert_eq!(self.model.run_until(SimTime::NEVER), Halt::Idle);
        assert_eq!(self.model.events(), EVENTS);
        let world = &self.model.world;
        let state = |entity: &Entity| world.get::<State>(*entity).expect("tickers stay").0;
        let fingerprint = RECORDS.then(|| self.model.trace.fingerprint());
        Outcome { tickers: self.entities.iter().map(state).collect(), fingerprint }
    }
}
