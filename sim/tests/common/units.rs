//! Scenarios with safety units that a test writes itself, beside the shipped configurations or with words of them replaced.

use std::fs;
use std::path::Path;

use bevy_ecs::prelude::World;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::run::{self, Run};
use cooltwin::scenario::{FileSource, Loaded, load};

/// A scenario, and what it replaces in configurations that it names as `changed/..` instead of `safety/..`.
struct Own<'a> {
    text: &'a str,
    changed: &'a [(&'a str, &'a str)],
}

impl FileSource for Own<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("own.ron") {
            return Ok(self.text.as_bytes().to_vec());
        }
        let name = path.to_str().unwrap_or_default().replace("changed/", "safety/");
        let mut text = fs::read_to_string(super::shipped(&name)).map_err(|error| error.to_string())?;
        if path.starts_with("changed") {
            for (old, new) in self.changed {
                assert!(text.contains(old), "{old}");
                text = text.replace(old, new);
            }
        }
        Ok(text.into_bytes())
    }
}

pub(crate) fn own_loaded(text: &str, changed: &[(&str, &str)]) -> Loaded {
    load(&Own { text, changed }, Path::new("own.ron"), &[]).unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn own(text: &str, changed: &[(&str, &str)]) -> (Loaded, Run) {
    let loaded = own_loaded(text, changed);
    let run = run::run(&loaded.scenario, None, |_| {});
    (loaded, run)
}

pub(crate) fn each(world: &mut World, mut change: impl FnMut(&mut Unit)) {
    for entity in world.resource::<Units>().entities().to_vec() {
        world.get_mut::<Unit>(entity).into_iter().for_each(|mut unit| change(&mut unit));
    }
}

/// The units of a world, in the order of the scenario.
pub(crate) fn units_in(world: &World) -> Vec<&Unit> {
    world.resource::<Units>().entities().iter().filter_map(|entity| world.get::<Unit>(*entity)).collect()
}
