//! A resource that looks at the whole world while it changes itself.
//!
//! bevy's `resource_scope` takes such a resource out of the world and inserts it again, with all its bytes and the
//! book-keeping of a removal each time; here it lies in a box that is lent.

use bevy_ecs::prelude::{Resource, World};
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

const LENT: &str = "a scoped resource is not reached again from its own scope";

/// Holds a `T` as a resource of the world.
#[derive(Resource, Clone, Debug)]
pub struct Scoped<T: Send + Sync + 'static>(Option<Box<T>>);

impl<T: Send + Sync + 'static> Scoped<T> {
    /// A resource that holds `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Some(Box::new(value)))
    }

    /// Calls `what` with the world and the value, which is out of the world meanwhile.
    ///
    /// # Panics
    /// If the world has no such resource, or the call comes from within such a scope.
    pub fn scope<U>(world: &mut World, what: impl FnOnce(&mut World, &mut T) -> U) -> U {
        let mut value = world.resource_mut::<Self>().0.take().expect(LENT);
        let result = what(world, &mut value);
        world.resource_mut::<Self>().0 = Some(value);
        result
    }
}

impl<T: Send + Sync + 'static> Deref for Scoped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect(LENT)
    }
}

impl<T: Send + Sync + 'static> DerefMut for Scoped<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect(LENT)
    }
}

impl<T: Hash + Send + Sync + 'static> Hash for Scoped<T> {
    fn hash<H: Hasher>(&self, to: &mut H) {
        T::hash(self, to);
    }
}
