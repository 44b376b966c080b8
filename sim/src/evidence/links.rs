//! What the lists of the twin say about requirements, as a bundle's record holds it.

use reports::Link;

use crate::checks::{REQUIREMENTS, Verification};
use crate::scenario::FaultKind;
use crate::scenario::schema::{Shape, Value};

/// Requirements that scenarios show and no row of theirs does; where there are several, each shows a part. A scenario is named only if
/// what it expects would not hold without the requirement: with no start-up test the relays of `safety-button-at-start` close, and with
/// equal firmware those of `safety-radio-other-firmware` do. Two of the radio's threats are an exception: repeated and swapped packets
/// show that no harm is done, and not that they are dropped (SSR-069 stays with firmware tests). What firmware tests alone show stays
/// with them: that a CRC finds all bursts, say, is not seen in a run.
const FURTHER: [(&str, &str); 14] = [
    ("PFU-004", "model-aros-25"),
    ("PFU-004", "model-aros-40"),
    ("SSR-034", "safety-button-at-start"),
    ("SSR-055", "safety-download"),
    ("SSR-055", "safety-download-can"),
    ("SSR-055", "safety-download-radio"),
    ("SSR-068", "safety-radio-5-lost"),
    ("SSR-068", "safety-radio-corrupted"),
    ("SSR-068", "safety-radio-delayed"),
    ("SSR-068", "safety-radio-forged"),
    ("SSR-068", "safety-radio-repeated"),
    ("SSR-068", "safety-radio-swapped"),
    ("SSR-079", "safety-radio-other-firmware"),
    ("SSM-16", "safety-download-wrong-password"),
];

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
        assert!(
            links().iter().any(|link| link.requirement == "SSR-079" && link.scenario == "safety-radio-other-firmware")
        );
    }
}
