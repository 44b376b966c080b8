//! What the lists of the twin say about requirements, as a bundle's record holds it.

use reports::Link;

use crate::checks::{REQUIREMENTS, Verification};
use crate::scenario::FaultKind;
use crate::scenario::schema::{Shape, Value};

/// Requirements of which several scenarios show a part each.
const FURTHER: [(&str, &str); 2] = [("PFU-004", "model-aros-25"), ("PFU-004", "model-aros-40")];

/// Requirements that a shipped scenario as a whole stands for.
#[must_use]
pub fn links() -> Vec<Link> {
    let link = |(id, _, verification): &(&str, &str, Verification)| match verification {
        Verification::Scenario(name) => Some(Link { requirement: (*id).to_owned(), scenario: (*name).to_owned() }),
        _ => None,
    };
    let further = FURTHER.iter().map(|(id, name)| Link { requirement: (*id).to_owned(), scenario: (*name).to_owned() });
    REQUIREMENTS.iter().filter_map(link).chain(further).collect()
}

/// Kinds of faults that a scenario may inject, as results name them.
#[must_use]
pub fn fault_kinds() -> Vec<String> {
    match FaultKind::shape() {
        Shape::Choice(_, _, variants) => variants.iter().map(|variant| crate::run::kebab(variant.name)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_links_are_those_of_the_twin() {
        let kinds = fault_kinds();
        assert!(kinds.len() > 20 && kinds.contains(&"power-cut".to_owned()), "{kinds:?}");
        assert!(links().iter().any(|link| link.requirement == "PFU-014" && link.scenario == "manual-search"));
    }
}
