//! The result of a sweep as data and as text: the size of the space, what was run of it, what came of each class.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reports::Fixed;
use serde::Serialize;

use super::engine::{Space, Swept};
use super::judge::{Class, Measured};
use crate::run::Identity;
use crate::scenario::Loaded;

/// Most bad classes and mismatches that a report spells out; it counts all of them.
pub const SPELLED_OUT_MOST: usize = 1_000;
/// Most of them that the text shows.
const SHOWN_MOST: usize = 10;

/// The result of one sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Names this form.
    pub schema: &'static str,
    /// Which sweep.
    pub sweep: String,
    /// Name of the scenario.
    pub scenario: String,
    /// SHA-256 of the scenario's whole text.
    pub sha256: String,
    /// Fingerprint of the undisturbed run.
    pub trunk: String,
    /// The pump whose update was struck; none where a scenario's own faults were moved.
    pub pump: Option<u8>,
    /// Seed of sample and controls.
    pub seed: u64,
    /// What the strikes are, in one line.
    pub options: String,
    /// Which program it was.
    pub build: Build,
    /// Its parts.
    pub parts: Vec<Part>,
    /// How it stands: `pass`, `fail`, `inconclusive`, or `unsound` where a control differs from its class.
    pub verdict: &'static str,
}

/// Which program made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Version of cooltwin.
    pub version: String,
    /// Commit of its sources.
    pub commit: String,
    /// Version of the compiler.
    pub rustc: String,
}

/// One space and what was run of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Strikes that there are.
    pub size: u128,
    /// Strikes with a result.
    pub struck: usize,
    /// Strikes run to their end for their own sake.
    pub run: usize,
    /// Strikes merged into the class of another.
    pub merged: usize,
    /// The greatest weight of a class.
    pub weight_max: usize,
    /// How many classes have which weight, as pairs of weight and classes.
    pub weights: Vec<(usize, usize)>,
    /// Merged strikes run to their end as a control.
    pub controls: usize,
    /// Controls that came out otherwise.
    pub mismatches: usize,
    /// By stratum.
    pub strata: Vec<Stratum>,
    /// The least and the greatest value of each budget over all strikes, where the sweep measures them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extremes: Vec<Extremes>,
    /// Bad classes, by their leaders.
    pub bad: Vec<Bad>,
    /// All bad classes, those not spelled out included.
    pub bad_classes: usize,
    /// What is wrong with controls.
    pub mismatched: Vec<String>,
}

/// A part of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stratum {
    /// What it is.
    pub name: String,
    /// Strikes with a result.
    pub struck: usize,
    /// Those that broke a claim or say nothing.
    pub bad: usize,
    /// How many ended in which class; classes without any are left out.
    pub classes: Vec<(&'static str, usize)>,
}

/// What one budget came to over all strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Extremes {
    /// The budget.
    pub budget: String,
    /// Its unit.
    pub unit: String,
    /// The least of the strikes' worst values.
    pub least: Fixed,
    /// Its strike.
    pub least_strike: usize,
    /// The greatest of them.
    pub greatest: Fixed,
    /// Its strike.
    pub greatest_strike: usize,
}

/// A class of strikes that broke a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// Number of its leader.
    pub strike: usize,
    /// What its leader is.
    pub name: String,
    /// What became of it.
    pub class: &'static str,
    /// How many strikes it stands for.
    pub weight: usize,
    /// What is wrong.
    pub complaints: Vec<String>,
    /// File in the result folder with the leader's whole scenario, where it was written.
    pub file: String,
}

/// What a report says of itself beside the results.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which sweep.
    pub sweep: &'static str,
    /// What the strikes are, in one line.
    pub options: String,
    /// The pump whose update was struck; none where a scenario's own faults were moved.
    pub pump: Option<u8>,
    /// Seed of sample and controls.
    pub seed: u64,
    /// Fingerprint of the undisturbed run.
    pub trunk: String,
}

impl Report {
    /// The report of `parts`, each a name, a space and its results.
    #[must_use]
    pub fn new(base: &Loaded, head: Head, identity: &Identity, parts: &[(&str, &dyn Space, &Swept)]) -> Self {
        let verdict = verdict(parts);
        let parts: Vec<Part> = parts.iter().map(|(name, space, swept)| part(name, *space, swept)).collect();
        Self {
            schema: "cooltwin.sweep/1",
            sweep: head.sweep.to_owned(),
            scenario: base.scenario.name.clone(),
            sha256: base.scenario.sha256(),
            trunk: head.trunk,
            pump: head.pump,
            seed: head.seed,
            options: head.options,
            build: Build {
                version: identity.version.clone(),
                commit: identity.commit.clone(),
                rustc: identity.rustc.clone(),
            },
            parts,
            verdict,
        }
    }

    /// As JSON, with a newline at its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// One line for each stratum and class.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = String::from("part,stratum,class,strikes\n");
        for (part, stratum) in self.parts.iter().flat_map(|part| part.strata.iter().map(move |own| (part, own))) {
            for (class, count) in &stratum.classes {
                let _ = writeln!(out, "\"{}\",\"{}\",\"{class}\",{count}", part.name, stratum.name);
            }
        }
        out
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let Self { sweep, scenario, sha256, pump, seed, options, build, .. } = self;
        let pump = pump.map_or_else(String::new, |pump| format!("   P{pump:02}"));
        let _ = writeln!(out, "{sweep} of {scenario}{pump}   seed {seed}   scenario {}", &sha256[..12]);
        let _ = writeln!(out, "{options}");
        let commit = build.commit.get(..12).unwrap_or(&build.commit);
        let _ = writeln!(out, "cooltwin {} ({commit}, {})", build.version, build.rustc);
        for part in &self.parts {
            write_part(&mut out, part);
        }
        let _ = writeln!(out, "\n{}  {}", self.verdict.to_uppercase(), self.claim());
        out
    }

    /// What the verdict is about, in one line.
    fn claim(&self) -> String {
        let struck: usize = self.parts.iter().map(|part| part.struck).sum();
        let bad: usize = self.parts.iter().flat_map(|part| &part.strata).map(|stratum| stratum.bad).sum();
        match (self.verdict, self.pump) {
            ("pass", Some(pump)) => format!(
                "after each of {struck} strikes P{pump:02} is updated within three tries and nobody else is harmed"
            ),
            ("pass", None) => {
                format!("each of {struck} runs keeps every budget, check and expectation of the scenario")
            }
            ("unsound", _) => "a control came out otherwise than its class: merging is not sound here".to_owned(),
            _ => format!("{bad} of {struck} strikes broke a claim or say nothing"),
        }
    }
}

fn part(name: &str, space: &dyn Space, swept: &Swept) -> Part {
    let weights = swept.weights();
    let bad: Vec<_> = swept.outcomes.iter().filter(|(_, outcome)| !outcome.class.is_good()).collect();
    let spell = |(leader, outcome): &(&usize, &super::judge::Outcome)| Bad {
        strike: **leader,
        name: space.strike(**leader).name,
        class: outcome.class.name(),
        weight: weights.get(*leader).copied().unwrap_or(0),
        complaints: outcome.complaints.clone(),
        file: String::new(),
    };
    let words = |one: &super::engine::Mismatch| {
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
        classes: counts.iter().map(|(class, count)| (class.name(), *count)).collect(),
    })
    .collect()
}

/// A strike that says nothing weighs less than one that broke a claim.
fn verdict(parts: &[(&str, &dyn Space, &Swept)]) -> &'static str {
    let mismatches: usize = parts.iter().map(|(_, _, swept)| swept.mismatches.len()).sum();
    let standings = || parts.iter().flat_map(|(_, _, swept)| &swept.standings);
    let bad = || standings().map(|standing| standing.class).filter(|class| !class.is_good());
    match () {
        () if mismatches > 0 => "unsound",
        () if bad().any(|class| class != Class::Invalid) => "fail",
        () if bad().next().is_some() || standings().next().is_none() => "inconclusive",
        () => "pass",
    }
}

fn write_part(out: &mut String, part: &Part) {
    let share = if part.struck as u128 == part.size { "all of them" } else { "a sample of them" };
    let _ = writeln!(
        out,
        "\n{}: {} strikes, {share} struck: {}",
        part.name,
        grouped(part.size),
        grouped(part.struck as u128)
    );
    let _ = writeln!(
        out,
        "  run to the end {}   merged {}   greatest class {}   controls {}, {} of them differ",
        grouped(part.run as u128),
        grouped(part.merged as u128),
        grouped(part.weight_max as u128),
        grouped(part.controls as u128),
        part.mismatches,
    );
    let width = part.strata.iter().map(|stratum| stratum.name.len()).max().unwrap_or(0);
    for stratum in part.strata.iter().filter(|stratum| stratum.struck > 0) {
        let classes = stratum.classes.iter().map(|(name, count)| format!("{name} {}", grouped(*count as u128)));
        let classes: Vec<String> = classes.collect();
        let _ =
            writeln!(out, "  {:width$}  {:>9}  {}", stratum.name, grouped(stratum.struck as u128), classes.join("   "));
    }
    for Extremes { budget, unit, least, least_strike, greatest, greatest_strike } in &part.extremes {
        let _ = writeln!(
            out,
            "  {budget:<24} {least} {unit} (strike {least_strike}) to {greatest} {unit} (strike {greatest_strike})"
        );
    }
    for bad in part.bad.iter().take(SHOWN_MOST) {
        let Bad { strike, name, class, weight, complaints, file } = bad;
        let _ = writeln!(out, "  BAD  strike {strike}, {name}: {class}; it stands for {weight}");
        for complaint in complaints {
            let _ = writeln!(out, "         {complaint}");
        }
        if !file.is_empty() {
            let _ = writeln!(out, "         cooltwin run {file}");
        }
    }
    if part.bad_classes > SHOWN_MOST {
        let _ = writeln!(out, "  and {} bad classes more, in sweep.json", part.bad_classes - SHOWN_MOST);
    }
    for words in part.mismatched.iter().take(SHOWN_MOST) {
        let _ = writeln!(out, "  DIFFERS  {words}");
    }
}

/// Digits in groups of three.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
