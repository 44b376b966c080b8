//! What a sweep ran, as the report of it: the size of the space, what was run of it, what came of each class.

use std::collections::BTreeMap;

use reports::sweep::{Bad, Extremes, Part, SWEEP_SCHEMA, Stratum, SweepReport, SweepVerdict};

use super::engine::{Mismatch, Space, Swept};
use super::judge::{Class, Measured, Outcome};
use crate::run::Identity;
use crate::scenario::{Input, Loaded};

/// Most bad classes and mismatches that a report spells out; it counts all of them.
pub const SPELLED_OUT_MOST: usize = 1_000;

/// What a report says of itself beside the results.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which sweep.
    pub sweep: &'static str,
    /// What the strikes are, in one line.
    pub options: String,
    /// Repeats it in the folder of the scenario file.
    pub command: String,
    /// The pump whose update was struck; none where a scenario's own faults were moved.
    pub pump: Option<u8>,
    /// Seed of sample and controls.
    pub seed: u64,
    /// Fingerprint of the undisturbed run.
    pub trunk: String,
}

/// The report of `parts`, each a name, a space and its results.
#[must_use]
pub fn report(base: &Loaded, head: Head, identity: &Identity, parts: &[(&str, &dyn Space, &Swept)]) -> SweepReport {
    SweepReport {
        schema: SWEEP_SCHEMA.to_owned(),
        sweep: head.sweep.to_owned(),
        scenario: base.scenario.name.clone(),
        sha256: base.scenario.sha256(),
        trunk: head.trunk,
        pump: head.pump,
        seed: head.seed,
        options: head.options,
        command: head.command,
        inputs: base.inputs.iter().map(Input::told).collect(),
        build: identity.build(),
        parts: parts.iter().map(|(name, space, swept)| part(name, *space, swept)).collect(),
        verdict: verdict(parts),
    }
}

fn part(name: &str, space: &dyn Space, swept: &Swept) -> Part {
    let weights = swept.weights();
    let bad: Vec<_> = swept.outcomes.iter().filter(|(_, outcome)| !outcome.class.is_good()).collect();
    let spell = |(leader, outcome): &(&usize, &Outcome)| Bad {
        strike: **leader,
        name: space.strike(**leader).name,
        class: outcome.class.name().to_owned(),
        weight: weights.get(*leader).copied().unwrap_or(0),
        complaints: outcome.complaints.clone(),
        file: String::new(),
    };
    let words = |one: &Mismatch| {
        format!("{} of the class of {}: {:?}, not {:?}", one.strike, one.leader, one.own, one.expected)
    };
    Part {
        name: name.to_owned(),
        size: space.size(),
        struck: swept.standings.len(),
        run: swept.outcomes.len(),
        merged: swept.merged(),
        weight_max: weights.values().copied().max().unwrap_or(0),
        weights: classes_by_weight(&weights),
        controls: swept.controls,
        mismatches: swept.mismatches.len(),
        strata: strata(space, swept),
        left_out: left_out(space, swept),
        extremes: extremes(swept),
        bad_classes: bad.len(),
        bad: bad.iter().take(SPELLED_OUT_MOST).map(spell).collect(),
        mismatched: swept.mismatches.iter().take(SPELLED_OUT_MOST).map(words).collect(),
    }
}

fn classes_by_weight(weights: &BTreeMap<usize, usize>) -> Vec<(usize, usize)> {
    let mut classes = BTreeMap::new();
    for weight in weights.values() {
        *classes.entry(*weight).or_insert(0) += 1;
    }
    classes.into_iter().collect()
}

fn extremes(swept: &Swept) -> Vec<Extremes> {
    let mut found: BTreeMap<String, Extremes> = BTreeMap::new();
    let all =
        swept.outcomes.iter().flat_map(|(strike, outcome)| outcome.measured.iter().map(move |one| (*strike, one)));
    for (strike, Measured { budget, unit, value }) in all {
        let row = found.entry(budget.clone()).or_insert_with(|| Extremes {
            budget: budget.clone(),
            unit: unit.clone(),
            least: *value,
            least_strike: strike,
            greatest: *value,
            greatest_strike: strike,
        });
        if *value < row.least {
            (row.least, row.least_strike) = (*value, strike);
        }
        if *value > row.greatest {
            (row.greatest, row.greatest_strike) = (*value, strike);
        }
    }
    found.into_values().collect()
}

fn strata(space: &dyn Space, swept: &Swept) -> Vec<Stratum> {
    let names = space.strata();
    let mut counts: Vec<BTreeMap<Class, usize>> = vec![BTreeMap::new(); names.len()];
    for standing in &swept.standings {
        *counts[standing.stratum].entry(standing.class).or_insert(0) += 1;
    }
    let each = names.into_iter().zip(counts);
    each.map(|(name, counts)| Stratum {
        name,
        struck: counts.values().sum(),
        bad: counts.iter().filter(|(class, _)| !class.is_good()).map(|(_, count)| count).sum(),
        classes: counts.iter().map(|(class, count)| (class.name().to_owned(), *count)).collect(),
    })
    .collect()
}

/// Strata without a strike that had some to choose from, or might have been drawn.
fn left_out(space: &dyn Space, swept: &Swept) -> Vec<String> {
    if swept.standings.len() as u128 == space.size() {
        return Vec::new();
    }
    let names = space.strata();
    let mut held = vec![space.size() > space.len() as u128; names.len()];
    (0..space.len()).for_each(|number| held[space.strike(number).stratum] = true);
    let struck = |stratum: &usize| swept.standings.iter().any(|one| one.stratum == *stratum);
    let each = names.into_iter().enumerate().filter(|(stratum, _)| held[*stratum] && !struck(stratum));
    each.map(|(_, name)| name).collect()
}

/// A strike that says nothing weighs less than one that broke a claim.
fn verdict(parts: &[(&str, &dyn Space, &Swept)]) -> SweepVerdict {
    let mismatches: usize = parts.iter().map(|(_, _, swept)| swept.mismatches.len()).sum();
    let standings = || parts.iter().flat_map(|(_, _, swept)| &swept.standings);
    let bad = || standings().map(|standing| standing.class).filter(|class| !class.is_good());
    match () {
        () if mismatches > 0 => SweepVerdict::Unsound,
        () if bad().any(|class| class != Class::Invalid) => SweepVerdict::Fail,
        () if bad().next().is_some() || standings().next().is_none() => SweepVerdict::Inconclusive,
        () => SweepVerdict::Pass,
    }
}
