//! What the lists of the twin say about requirements, as a bundle's record holds it.

use reports::Link;

use crate::checks::{REQUIREMENTS, Verification};
use crate::scenario::schema::{Shape, Value, Variant};
use crate::scenario::{FaultKind, SafetyFault};

/// Requirements that scenarios show and no row of theirs does; where there are several, each shows a part. A scenario is named only if
/// what it expects would not hold without the requirement: with no start-up test the relays of `safety-button-at-start` close, with
/// equal firmware or configurations those of `safety-radio-other-firmware` and `-configuration` do, and with no sequence counter that of
/// `safety-radio-repeated` and `-swapped` does (`sim/tests/patches`). What firmware tests alone show stays with them: that a CRC finds all
/// bursts, say, is not seen in a run.
const FURTHER: [(&str, &str); 21] = [
    ("PFU-004", "model-aros-25"),
    ("PFU-004", "model-aros-40"),
    ("SSR-007", "safety-peer-unit-without-power"),
    ("SSR-007", "safety-supply-lost"),
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
    ("SSR-069", "safety-radio-repeated"),
    ("SSR-069", "safety-radio-swapped"),
    ("SSR-078", "safety-radio-other-configuration"),
    ("SSR-079", "safety-radio-other-firmware"),
    ("SSM-15", "safety-radio-other-configuration"),
    ("SSM-15", "safety-radio-other-firmware"),
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

/// Kinds of disturbances that a scenario may inject, as results name them: the faults of its list with each fault of a safety unit
/// by its own kind, and what stands outside the list.
#[must_use]
pub fn fault_kinds() -> Vec<String> {
    let outer = variants(FaultKind::shape()).into_iter().filter(|variant| variant.name != "Safety");
    let all = outer.chain(variants(SafetyFault::shape())).map(|variant| crate::run::kebab(variant.name));
    let mut all: Vec<String> = all.chain(crate::run::KINDS_OUTSIDE_THE_LIST.map(str::to_owned)).collect();
    all.sort();
    all.dedup();
    all
}

fn variants(shape: Shape) -> Vec<Variant> {
    match shape {
        Shape::Choice(_, _, variants) => variants.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_links_are_those_of_the_twin() {
        let kinds = fault_kinds();
        let has = |kind: &str| kinds.iter().any(|known| known == kind);
        assert!(
            kinds.len() > 50 && ["power-cut", "c2c-lost", "adc", "manual-search"].into_iter().all(has),
            "{kinds:?}"
        );
        assert!(!has("safety"), "the kind that holds the kinds of a safety unit is none itself");
        assert!(links().iter().any(|link| link.requirement == "PFU-014" && link.scenario == "manual-search"));
        assert!(
            links().iter().any(|link| link.requirement == "SSR-079" && link.scenario == "safety-radio-other-firmware")
        );
    }

    /// Kinds that no shipped scenario injects; the bundle names them as such.
    const IDLE: &[&str] = &[];

    #[test]
    fn every_kind_that_a_shipped_scenario_injects_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let files = std::fs::read_dir(&folder).expect("the scenarios").map(|entry| entry.expect("an entry").path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "ron"));
        let loaded = files.filter_map(|path| crate::scenario::load(&crate::cli::Disk, &path, &[]).ok());
        let named = loaded.flat_map(|loaded| {
            let faults = loaded.scenario.faults.iter().map(|fault| crate::run::kind_name(&fault.kind));
            faults.collect::<Vec<_>>()
        });
        let used: std::collections::BTreeSet<String> = named.collect();
        let kinds = fault_kinds();
        let unknown: Vec<&String> = used.iter().filter(|kind| !kinds.contains(kind)).collect();
        assert!(unknown.is_empty() && used.len() > 40, "{unknown:?} of {used:?}");
        let in_list = |kind: &&String| !crate::run::KINDS_OUTSIDE_THE_LIST.contains(&kind.as_str());
        let idle: Vec<&String> = kinds.iter().filter(in_list).filter(|kind| !used.contains(*kind)).collect();
        assert_eq!(idle, IDLE);
    }
}
