//! Saving and loading a world as typed columns, without knowing its types by name.
//!
//! A world cannot be copied, and one that is filled anew iterates in another order. So a snapshot holds the values
//! only and goes back in place, into a world that has the same entities in the same order. Words: a *column* holds all
//! values of one type; the *population* is which entities a world has, in which order and with which components.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bevy_ecs::archetype::{Archetype, ArchetypeId};
use bevy_ecs::component::{ComponentInfo, Mutable};
use bevy_ecs::entity_disabling::DefaultQueryFilters;
use bevy_ecs::prelude::{Component, Entity, QueryState, Resource, World};
use bevy_ecs::resource::IsResource;
use xxhash_rust::xxh3::Xxh3;

use super::agenda::Agenda;
use super::trace::Trace;

/// The state of a model at one instant; knows no world, can be shared between threads.
#[derive(Clone)]
pub struct Snapshot<E, R> {
    pub(super) values: Values,
    pub(super) agenda: Agenda<E>,
    pub(super) trace: Trace<R>,
    pub(super) at_this_instant: u32,
    pub(super) events: u64,
}

type Column = Arc<dyn Any + Send + Sync>;

/// The values of all registered types, and where they came from.
#[derive(Clone)]
pub(super) struct Values {
    layout: Arc<Layout>,
    columns: Vec<Column>,
}

/// What two models must have in common to exchange snapshots.
#[derive(Clone, Default, PartialEq)]
struct Layout {
    types: Vec<TypeId>,
    population: Vec<(ArchetypeId, Entity)>,
}

/// How the values of one type are read from a world and put back.
trait Exchange: Send {
    fn save(&mut self, world: &mut World) -> Column;
    fn load(&mut self, world: &mut World, column: &Column);
    /// Adds the values to a digest; `false` if they are opaque and there are any.
    fn digest(&mut self, world: &mut World, to: &mut StateHasher) -> bool;
}

/// Which part a type has in a digest.
enum Part<T> {
    /// It decides what happens next.
    State(fn(&T, &mut StateHasher)),
    /// It only looks.
    Observer,
    /// Nobody has said.
    Opaque,
}

impl<T: Hash> Part<T> {
    fn state() -> Self {
        Self::State(|value, to| value.hash(to))
    }
}

/// Hashes state. The bytes of numbers come as the host has them: a digest is compared within one run of the program
/// and never stored.
#[derive(Default)]
pub(super) struct StateHasher(Xxh3);

impl StateHasher {
    pub(super) fn digest(&self) -> u128 {
        self.0.digest128()
    }
}

impl Hasher for StateHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// One query reads and writes, so that both see the entities in the same order.
struct Components<T: Component<Mutability = Mutable>> {
    query: QueryState<(Entity, &'static mut T)>,
    part: Part<T>,
}

impl<T: Component<Mutability = Mutable> + Clone> Exchange for Components<T> {
    fn save(&mut self, world: &mut World) -> Column {
        let column: Vec<(Entity, T)> =
            self.query.iter_mut(world).map(|(entity, value)| (entity, value.clone())).collect();
        Arc::new(column)
    }

    fn load(&mut self, world: &mut World, column: &Column) {
        let column = column.downcast_ref::<Vec<(Entity, T)>>().expect("the layouts are equal");
        let mut saved = column.iter();
        for (entity, mut value) in self.query.iter_mut(world) {
            let (from, state) = saved.next().expect("the layouts are equal");
            assert_eq!(*from, entity, "queries over {} run in another order here", type_name::<T>());
            value.clone_from(state);
        }
        assert!(saved.next().is_none(), "the layouts are equal");
    }

    fn digest(&mut self, world: &mut World, to: &mut StateHasher) -> bool {
        let mut values = self.query.iter_mut(world);
        match self.part {
            Part::State(hash) => values.for_each(|(_, value)| hash(&value, to)),
            Part::Observer => {}
            Part::Opaque => return values.next().is_none(),
        }
        true
    }
}

struct Single<T> {
    part: Part<T>,
}

impl<T: Resource<Mutability = Mutable> + Clone> Exchange for Single<T> {
    fn save(&mut self, world: &mut World) -> Column {
        Arc::new(world.resource::<T>().clone())
    }

    fn load(&mut self, world: &mut World, column: &Column) {
        let saved = column.downcast_ref::<T>().expect("the layouts are equal");
        world.resource_mut::<T>().clone_from(saved);
    }

    fn digest(&mut self, world: &mut World, to: &mut StateHasher) -> bool {
        if let Part::State(hash) = self.part {
            hash(world.resource::<T>(), to);
        }
        !matches!(self.part, Part::Opaque)
    }
}

/// The registered types and how to save and load each.
#[derive(Default)]
pub(super) struct Columns {
    names: BTreeMap<TypeId, &'static str>,
    exchanges: Vec<Box<dyn Exchange>>,
    layout: Arc<Layout>,
}

impl Columns {
    pub(super) fn component<T: Component<Mutability = Mutable> + Clone>(&mut self, world: &mut World) {
        self.add_component::<T>(world, Part::Opaque);
    }

    pub(super) fn state<T: Component<Mutability = Mutable> + Clone + Hash>(&mut self, world: &mut World) {
        self.add_component::<T>(world, Part::state());
    }

    fn add_component<T: Component<Mutability = Mutable> + Clone>(&mut self, world: &mut World, part: Part<T>) {
        let query = world.query::<(Entity, &mut T)>();
        self.add::<T>(Box::new(Components::<T> { query, part }));
    }

    pub(super) fn resource<T: Resource<Mutability = Mutable> + Clone>(&mut self) {
        self.add::<T>(Box::new(Single::<T> { part: Part::Opaque }));
    }

    pub(super) fn state_resource<T: Resource<Mutability = Mutable> + Clone + Hash>(&mut self) {
        self.add::<T>(Box::new(Single::<T> { part: Part::state() }));
    }

    pub(super) fn observer_resource<T: Resource<Mutability = Mutable> + Clone>(&mut self) {
        self.add::<T>(Box::new(Single::<T> { part: Part::Observer }));
    }

    /// Adds all state to a digest; the names of opaque types that there are values of.
    pub(super) fn digest(&mut self, world: &mut World, to: &mut StateHasher) -> Result<(), Vec<&'static str>> {
        let mut opaque = Vec::new();
        for (exchange, id) in self.exchanges.iter_mut().zip(&self.layout.types) {
            if !exchange.digest(world, to) {
                opaque.extend(self.names.get(id).copied());
            }
        }
        if opaque.is_empty() { Ok(()) } else { Err(opaque) }
    }

    /// Does nothing if `T` is known already.
    fn add<T: 'static>(&mut self, exchange: Box<dyn Exchange>) {
        if self.names.insert(TypeId::of::<T>(), type_name::<T>()).is_none() {
            Arc::make_mut(&mut self.layout).types.push(TypeId::of::<T>());
            self.exchanges.push(exchange);
        }
    }

    /// Fixes the population.
    ///
    /// # Panics
    /// If the world holds state that no snapshot would hold.
    pub(super) fn complete(&mut self, world: &World) {
        let missing: Vec<String> = world.archetypes().iter().flat_map(|kind| self.missing(world, kind)).collect();
        assert!(missing.is_empty(), "not registered for snapshots: {}", missing.join("; "));
        let mut foreign = world.storages().non_sends.iter();
        assert!(!foreign.any(|(_, data)| data.is_present()), "data bound to one thread is in no snapshot");
        Arc::make_mut(&mut self.layout).population = population(world).collect();
    }

    /// Describes each unregistered type of an archetype in use; bevy gives no names without its debug feature.
    fn missing(&self, world: &World, archetype: &Archetype) -> Vec<String> {
        if archetype.is_empty() {
            return Vec::new();
        }
        let infos = archetype.components().iter().filter_map(|id| world.components().get_info(*id));
        let (known, unknown): (Vec<_>, Vec<_>) = infos.partition(|info| self.knows(info));
        let place = if known.iter().any(|info| ComponentInfo::type_id(info) == Some(TypeId::of::<IsResource>())) {
            "as a resource".to_owned()
        } else {
            let names = known.iter().filter_map(|info| self.names.get(&ComponentInfo::type_id(info)?).copied());
            format!("on {} entities with [{}]", archetype.len(), names.collect::<Vec<_>>().join(", "))
        };
        unknown.iter().map(|info| format!("a type of {} bytes {place}", info.layout().size())).collect()
    }

    fn knows(&self, info: &ComponentInfo) -> bool {
        info.type_id().is_some_and(|id| self.names.contains_key(&id) || is_bookkeeping(id))
    }

    /// # Panics
    /// If the population changed since the model was built.
    pub(super) fn save(&mut self, world: &mut World) -> Values {
        self.assert_population(world);
        let columns = self.exchanges.iter_mut().map(|exchange| exchange.save(world)).collect();
        Values { layout: self.layout.clone(), columns }
    }

    /// # Panics
    /// If the population changed since the model was built, or if `values` comes from another one.
    pub(super) fn load(&mut self, world: &mut World, values: &Values) {
        self.assert_population(world);
        let same = Arc::ptr_eq(&self.layout, &values.layout) || self.layout == values.layout;
        assert!(same, "the snapshot comes from another builder: its types or its population differ");
        for (exchange, column) in self.exchanges.iter_mut().zip(&values.columns) {
            exchange.load(world, column);
        }
    }

    fn assert_population(&self, world: &World) {
        let same = population(world).eq(self.layout.population.iter().copied());
        assert!(same, "entities came, went or changed their components while running");
    }
}

fn population(world: &World) -> impl Iterator<Item = (ArchetypeId, Entity)> + '_ {
    let archetypes = world.archetypes().iter();
    archetypes.flat_map(|kind| kind.entities().iter().map(|entity| (kind.id(), entity.id())))
}

/// Types that bevy itself keeps in every world and that hold no simulation state.
fn is_bookkeeping(id: TypeId) -> bool {
    id == TypeId::of::<IsResource>() || id == TypeId::of::<DefaultQueryFilters>()
}
