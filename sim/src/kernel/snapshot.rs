//! Saving and loading a world as typed columns, without knowing its types by name.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::{Component, Entity, Resource, World};

use super::agenda::Agenda;
use super::trace::Trace;

type Column = Arc<dyn Any + Send + Sync>;

/// The state of a model at one instant; knows no world, can be shared between threads.
#[derive(Clone)]
pub struct Snapshot<E, R> {
    pub(super) columns: Vec<Column>,
    pub(super) agenda: Agenda<E>,
    pub(super) trace: Trace<R>,
    pub(super) at_this_instant: u32,
    pub(super) events: u64,
}

struct Operations {
    save: Box<dyn FnMut(&mut World) -> Column + Send>,
    load: Box<dyn FnMut(&mut World, &Column) + Send>,
}

/// The registered types and how to save and load each.
#[derive(Default)]
pub(super) struct Columns {
    known: BTreeSet<TypeId>,
    operations: Vec<Operations>,
}

impl Columns {
    pub(super) fn component<T: Component<Mutability = Mutable> + Clone>(&mut self, world: &mut World) {
        if !self.known.insert(TypeId::of::<T>()) {
            return;
        }
        let mut saving = world.query::<(Entity, &T)>();
        let mut loading = world.query::<(Entity, &mut T)>();
        self.operations.push(Operations {
            save: Box::new(move |world| {
                let column: Vec<(Entity, T)> = saving.iter(world).map(|(e, value)| (e, value.clone())).collect();
                Arc::new(column)
            }),
            load: Box::new(move |world, column| {
                let column = column.downcast_ref::<Vec<(Entity, T)>>().expect("columns keep their order");
                let mut saved = column.iter();
                for (entity, mut value) in loading.iter_mut(world) {
                    let (from, state) = saved.next().expect("the population is the same");
                    assert_eq!(*from, entity, "the population is the same");
                    value.clone_from(state);
                }
                assert!(saved.next().is_none(), "the population is the same");
            }),
        });
    }

    pub(super) fn resource<T: Resource<Mutability = Mutable> + Clone>(&mut self, _world: &mut World) {
        if !self.known.insert(TypeId::of::<T>()) {
            return;
        }
        self.operations.push(Operations {
            save: Box::new(|world| Arc::new(world.resource::<T>().clone())),
            load: Box::new(|world, column| {
                let saved = column.downcast_ref::<T>().expect("columns keep their order");
                world.resource_mut::<T>().clone_from(saved);
            }),
        });
    }

    pub(super) fn save(&mut self, world: &mut World) -> Vec<Column> {
        self.operations.iter_mut().map(|operation| (operation.save)(world)).collect()
    }

    pub(super) fn load(&mut self, world: &mut World, columns: &[Column]) {
        assert_eq!(columns.len(), self.operations.len(), "the snapshot comes from the same builder");
        for (operation, column) in self.operations.iter_mut().zip(columns) {
            (operation.load)(world, column);
        }
    }

    /// Fails if an entity carries a type that no snapshot would hold.
    pub(super) fn assert_complete(&self, world: &mut World) {
        let mut missing = Vec::new();
        for archetype in world.archetypes().iter() {
            if archetype.is_empty() {
                continue;
            }
            for id in archetype.components() {
                let info = world.components().get_info(*id).expect("a component in use is registered");
                let registered = info.type_id().is_some_and(|id| self.known.contains(&id));
                if !registered && !is_bookkeeping(&info.name().to_string()) {
                    missing.push(info.name().to_string());
                }
            }
        }
        assert!(missing.is_empty(), "not registered for snapshots: {}", missing.join(", "));
    }
}

/// Types that bevy itself keeps in a world and that hold no simulation state.
fn is_bookkeeping(name: &str) -> bool {
    name.starts_with("bevy_ecs::")
}
