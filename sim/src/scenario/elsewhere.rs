//! Scenarios that are written elsewhere: the files that they name go with them.
//!
//! A scenario names the configurations of its safety units from its own folder. Written to another folder it finds them
//! only if a copy lies where it says, and no copy can lie where a way up leads. So names are made to lie *below* the
//! scenario, and whoever writes it writes the copies too.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::check::Scenario;
use super::loader::beside;
use super::model::RawScenario;
use super::units::{ConfigurationFile, SafetyUnit};

/// Configurations by the names that a scenario has for them.
pub type Configurations = BTreeMap<String, Vec<u8>>;

/// The scenario with configurations that it names below itself; the same where all lie there already.
#[must_use]
pub fn with_names_below(scenario: &Scenario) -> Scenario {
    let mut raw = RawScenario::clone(scenario);
    name_configurations(&mut raw, below);
    // Names alone are different, and no rule asks for them.
    raw.check().unwrap_or_else(|_| scenario.clone())
}

/// What has to lie beside a scenario [with names below](with_names_below).
#[must_use]
pub fn configurations(scenario: &Scenario) -> Configurations {
    name_configurations(&mut RawScenario::clone(scenario), below)
}

/// Has the scenario name its configurations in `folder` beside it; what has to lie there, by name from the scenario.
pub fn move_configurations(raw: &mut RawScenario, folder: &str) -> Configurations {
    let name = |file: &str| {
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        format!("{folder}/{name}")
    };
    name_configurations(raw, name)
}

/// Gives configurations the names that `wanted` makes of theirs; two with one name and other bytes are kept apart.
fn name_configurations(raw: &mut RawScenario, wanted: impl Fn(&str) -> String) -> Configurations {
    let mut placed = Configurations::new();
    for configuration in raw.safety_units.iter_mut().flat_map(of_unit) {
        let Some(compiled) = &configuration.compiled else { continue };
        let mut name = wanted(&configuration.file);
        while placed.get(&name).is_some_and(|other| *other != compiled.source) {
            // A folder of its own: a configuration without a name is called by its file.
            name = format!("other/{name}");
        }
        placed.insert(name.clone(), compiled.source.clone());
        configuration.file = name;
    }
    placed
}

fn of_unit(unit: &mut SafetyUnit) -> impl Iterator<Item = &mut ConfigurationFile> {
    let downloads = unit.downloads.iter_mut().map(|download| &mut download.configuration);
    std::iter::once(&mut unit.configuration).chain(downloads)
}

/// A name without the way up, or from the root, that it begins with.
fn below(file: &str) -> String {
    let path = beside(Path::new(""), file);
    if path.is_absolute() {
        return path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_up_is_left_out_of_a_name_and_the_rest_stays() {
        assert_eq!(below("safety/pump-feed.ron"), "safety/pump-feed.ron");
        assert_eq!(below("../../safety/pump-feed.ron"), "safety/pump-feed.ron");
        assert_eq!(below("./a/../pump-feed.ron"), "pump-feed.ron");
        assert_eq!(below("/plant/safety/pump-feed.ron"), "pump-feed.ron");
    }
}
