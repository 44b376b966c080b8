//! What a search found, as data and as text: the worst value, the bound beside it, and the command that repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use reports::{Build, Fixed, Verdict, signed_amount};
use serde::Serialize;

use super::climb::Looked;
use super::file::{Search, Seek};
use super::run::{Found, is_no_better};
use crate::run::Identity;

/// Runs that failed which a report spells out, at most.
const FAILED_MOST: usize = 20;

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchReport {
    /// Names this form.
    pub schema: &'static str,
    /// The search's name.
    pub name: String,
    /// What it is about; may be empty.
    pub title: String,
    /// What it looks for and why; may be empty.
    pub purpose: String,
    /// SHA-256 of the search and its base in canonical form.
    pub sha256: String,
    /// The budget.
    pub budget: String,
    /// Its unit.
    pub unit: String,
    /// Which values are the worst: `greatest` or `least`.
    pub seek: &'static str,
    /// What may move, and over what.
    pub moves: Vec<String>,
    /// How many points there are.
    pub points: u128,
    /// Ascents, and runs of each.
    pub restarts: u32,
    /// See `restarts`.
    pub steps: u32,
    /// Drew starting points and steps.
    pub seed: u64,
    /// What analysis says of the worst case.
    pub bound: Fixed,
    /// Where the bound comes from.
    pub bound_source: String,
    /// The worst value that was found in a conclusive run; none where there was none.
    pub worst: Option<Worst>,
    /// The worst value of a run that is not conclusive, where it is worse than `worst`: it was not found, but measured.
    pub worst_unproven: Option<Worst>,
    /// The first and the worst value of each ascent, of conclusive runs alone.
    pub ascents: Vec<Ascent>,
    /// Runs: an ascent may come to a point that it, or another one, had been at.
    pub looked: u64,
    /// Points that were run.
    pub different: u64,
    /// Runs in which nothing was measured, so that they say nothing.
    pub without_value: u64,
    /// Runs in which the budget itself has no verdict: what was measured is a part, and the rest may be worse.
    pub left_open: u64,
    /// Runs that are inconclusive, those without a value among them: a stated fault never acted, or a row has no
    /// verdict.
    pub inconclusive: u64,
    /// What kept them from being conclusive, and how many of them; a run may have several reasons.
    pub undecided: Vec<Undecided>,
    /// Points whose values made no scenario.
    pub refused: u64,
    /// Runs that failed, whatever their value.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// Why, in one line.
    pub sentence: String,
    /// Which program it was.
    pub build: Build,
}

/// The worst value that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// The value.
    pub value: Fixed,
    /// How far it is from the bound; negative when beyond.
    pub to_bound: Fixed,
    /// Where in the run it was measured.
    pub place: String,
    /// What was set.
    pub overrides: Vec<String>,
    /// The ascent and the step that came to it, from 1.
    pub ascent: usize,
    /// See `ascent`.
    pub step: usize,
    /// Fingerprint of the run.
    pub fingerprint: String,
    /// Repeats it in the folder of the result.
    pub command: String,
}

/// Why runs were inconclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// The row, or the fault that never acted.
    pub what: String,
    /// How many runs.
    pub runs: u64,
}

/// How one ascent went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ascent {
    /// The value that it began with.
    pub first: Option<Fixed>,
    /// The worst value on its way.
    pub worst: Option<Fixed>,
    /// The step that came to it first, from 1.
    pub step: usize,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Rows that failed.
    pub rows: Vec<String>,
    /// Repeats it in the folder of the result.
    pub command: String,
}

/// What results call the base: it lies beside them as it stands, so that their commands need no other file.
pub const BASE: &str = "base.ron";

/// The command that repeats a point, in the folder of the result.
#[must_use]
pub fn command(search: &Search, point: &[u64]) -> String {
    let sets = search.overrides(point).into_iter().map(|set| format!(" --set '{set}'"));
    format!("cooltwin run {BASE}{}", sets.collect::<String>())
}

/// A point that was looked at, with its ascent and step from 0.
type Numbered<'a> = (usize, usize, &'a Looked<Found>);

/// The point of the worst value that a conclusive run showed: the first of several.
#[must_use]
pub fn worst_of<'a>(search: &Search, ascents: &'a [Vec<Looked<Found>>]) -> Option<Numbered<'a>> {
    worst_by(search, ascents, Found::proven_value)
}

/// The point of the worst of all values, if it is worse than all that conclusive runs showed.
fn worst_unproven<'a>(search: &Search, ascents: &'a [Vec<Looked<Found>>]) -> Option<Numbered<'a>> {
    let proven = worst_of(search, ascents).and_then(|(.., looked)| looked.found.proven_value());
    let any = worst_by(search, ascents, |found| found.value)?;
    (!is_no_better(&search.raw.seek, proven, any.2.found.value)).then_some(any)
}

fn worst_by<'a>(
    search: &Search,
    ascents: &'a [Vec<Looked<Found>>],
    value: impl Fn(&Found) -> Option<Fixed>,
) -> Option<Numbered<'a>> {
    let all = ascents
        .iter()
        .enumerate()
        .flat_map(|(ascent, points)| points.iter().enumerate().map(move |(step, looked)| (ascent, step, looked)));
    let with_value = all.filter(|(.., looked)| value(&looked.found).is_some());
    with_value.reduce(|best, next| {
        let worse = !is_no_better(&search.raw.seek, value(&best.2.found), value(&next.2.found));
        if worse { next } else { best }
    })
}

impl SearchReport {
    /// The report of what was looked at.
    #[must_use]
    pub fn new(search: &Search, ascents: &[Vec<Looked<Found>>], identity: &Identity) -> Self {
        let raw = &search.raw;
        let all = || ascents.iter().flatten();
        let count = |wanted: &dyn Fn(&Found) -> bool| all().filter(|looked| wanted(&looked.found)).count() as u64;
        let has_failed = |found: &Found| matches!(found.verdict, Some(Verdict::Fail | Verdict::Error));
        let failures = all().filter(|looked| has_failed(&looked.found)).take(FAILED_MOST);
        let mut report = Self {
            schema: "cooltwin.search/1",
            name: raw.name.clone(),
            title: raw.title.clone(),
            purpose: raw.purpose.clone(),
            sha256: search.sha256(),
            budget: raw.budget.clone(),
            unit: all().map(|looked| &looked.found.unit).find(|unit| !unit.is_empty()).cloned().unwrap_or_default(),
            seek: match raw.seek {
                Seek::Greatest => "greatest",
                Seek::Least => "least",
            },
            moves: raw.moves_words(),
            points: search.sizes().into_iter().map(u128::from).fold(1, u128::saturating_mul),
            restarts: raw.restarts,
            steps: raw.steps,
            seed: raw.seed,
            bound: search.bound.0,
            bound_source: search.bound.1.clone(),
            worst: worst_of(search, ascents).and_then(|found| worst(search, found)),
            worst_unproven: worst_unproven(search, ascents).and_then(|found| worst(search, found)),
            ascents: ascents.iter().map(|points| ascent(&raw.seek, points)).collect(),
            looked: all().count() as u64,
            different: all().map(|looked| &looked.point).collect::<BTreeSet<_>>().len() as u64,
            without_value: count(&|found| found.verdict.is_some() && found.value.is_none()),
            left_open: count(&|found| found.left_open),
            inconclusive: count(&|found| found.verdict == Some(Verdict::Inconclusive)),
            undecided: undecided(ascents),
            refused: count(&|found| found.verdict.is_none()),
            failed: count(&has_failed),
            failures: failures
                .map(|looked| Failure { rows: looked.found.failing.clone(), command: command(search, &looked.point) })
                .collect(),
            verdict: Verdict::Inconclusive,
            sentence: String::new(),
            build: Build {
                version: identity.version.clone(),
                commit: identity.commit.clone(),
                rustc: identity.rustc.clone(),
            },
        };
        report.judge();
        report
    }

    fn judge(&mut self) {
        let Self { budget, unit, bound, .. } = self;
        let is_beyond = |worst: &Worst| worst.to_bound < Fixed::default();
        let beyond = self.worst.iter().chain(&self.worst_unproven).any(is_beyond);
        let amount = |value: Fixed| amount(value, unit);
        let found = self.worst.as_ref().map_or_else(|| "nothing".to_owned(), |worst| amount(worst.value));
        let open = match self.inconclusive {
            0 => String::new(),
            count => format!(", {count} of them inconclusive"),
        };
        let looked = format!("{budget}: worst found {found}, bound {}, {} runs{open}", amount(*bound), self.looked);
        (self.verdict, self.sentence) = match (&self.worst, &self.worst_unproven) {
            _ if beyond => (Verdict::Fail, format!("beyond the bound: {looked}")),
            _ if self.failed > 0 => (Verdict::Fail, format!("{} runs failed: {looked}", self.failed)),
            (_, Some(Worst { value, .. })) => (
                Verdict::Inconclusive,
                format!("an inconclusive run shows {}, which is worse: {looked}", amount(*value)),
            ),
            (None, None) => (Verdict::Inconclusive, format!("nothing was measured: {looked}")),
            _ if self.without_value > 0 => {
                (Verdict::Inconclusive, format!("{} runs measured nothing: {looked}", self.without_value))
            }
            _ if self.left_open > 0 => {
                (Verdict::Inconclusive, format!("{} runs left the budget itself open: {looked}", self.left_open))
            }
            _ => (Verdict::Pass, format!("within the bound: {looked}")),
        };
    }

    /// As JSON, with a newline at its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let Self { name, seed, sha256, unit, budget, .. } = self;
        let _ = writeln!(out, "{name}   search {}   seed {seed}", &sha256[..12.min(sha256.len())]);
        for line in [&self.title, &self.purpose].into_iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(out, "{line}");
        }
        let _ = writeln!(out, "Moves         {} points", self.points);
        for one in &self.moves {
            let _ = writeln!(out, "  {one}");
        }
        let _ = writeln!(
            out,
            "Runs          {} of {} different points in {} ascents, {} refused, {} without a value, {} inconclusive, {} failed",
            self.looked,
            self.different,
            self.restarts,
            self.refused,
            self.without_value,
            self.inconclusive,
            self.failed
        );
        if self.inconclusive > 0 {
            let _ = writeln!(
                out,
                "  An inconclusive run counts as nothing found, and no ascent goes on from one but to leave it."
            );
        }
        if self.left_open > 0 {
            let _ = writeln!(
                out,
                "  In {} runs the budget itself has no verdict: no search passes with one.",
                self.left_open
            );
        }
        for Undecided { what, runs } in &self.undecided {
            let _ = writeln!(out, "  {what} in {runs} runs");
        }
        let amount = |value: &Fixed| amount(*value, unit);
        let shown = |value: &Option<Fixed>| value.as_ref().map_or_else(|| "none".to_owned(), amount);
        for (number, Ascent { first, worst, step }) in self.ascents.iter().enumerate() {
            let (first, worst) = (shown(first), shown(worst));
            let _ = writeln!(out, "  ascent {:<3} {first} -> {worst} at step {step}", number + 1);
        }
        let _ = writeln!(out, "Bound         {}   {}", amount(&self.bound), self.bound_source);
        if let Some(Worst { value, to_bound, place, command, .. }) = &self.worst {
            let (value, to_bound) = (amount(value), amount(to_bound));
            let _ = writeln!(out, "Worst found   {value} of {budget}, {to_bound} to the bound   {place}");
            let _ = writeln!(out, "  {command}");
        }
        if let Some(Worst { value, place, command, .. }) = &self.worst_unproven {
            let value = amount(value);
            let _ = writeln!(out, "Not proven    {value} of {budget} in a run that is not conclusive   {place}");
            let _ = writeln!(out, "  {command}");
        }
        for failure in &self.failures {
            let _ = writeln!(out, "Failed        {}\n  {}", failure.rows.join(", "), failure.command);
        }
        let _ = writeln!(out, "\n{}  {name}: {}", self.verdict.word().to_uppercase(), self.sentence);
        out
    }
}

/// A value as everything else prints it: times as people read them.
fn amount(value: Fixed, unit: &str) -> String {
    let text = signed_amount(value, unit);
    text.strip_prefix('+').unwrap_or(&text).to_owned()
}

/// The reasons of inconclusive runs in the order of their names.
fn undecided(ascents: &[Vec<Looked<Found>>]) -> Vec<Undecided> {
    let open = ascents.iter().flatten().filter(|looked| looked.found.verdict == Some(Verdict::Inconclusive));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for what in open.flat_map(|looked| &looked.found.undecided) {
        *counts.entry(what).or_default() += 1;
    }
    counts.into_iter().map(|(what, runs)| Undecided { what: what.to_owned(), runs }).collect()
}

fn ascent(seek: &Seek, points: &[Looked<Found>]) -> Ascent {
    let mut worst: (Option<Fixed>, usize) = (None, 0);
    for (step, looked) in points.iter().enumerate() {
        let value = looked.found.proven_value();
        if value.is_some() && !is_no_better(seek, worst.0, value) || worst.0.is_none() {
            worst = (value, step + 1);
        }
    }
    Ascent { first: points.first().and_then(|looked| looked.found.proven_value()), worst: worst.0, step: worst.1 }
}

fn worst(search: &Search, (ascent, step, looked): Numbered<'_>) -> Option<Worst> {
    let value = looked.found.value?;
    let beyond = match search.raw.seek {
        Seek::Greatest => search.bound.0.as_millionths() - value.as_millionths(),
        Seek::Least => value.as_millionths() - search.bound.0.as_millionths(),
    };
    Some(Worst {
        value,
        to_bound: Fixed::from_millionths(beyond),
        place: looked.found.place.clone(),
        overrides: search.overrides(&looked.point),
        ascent: ascent + 1,
        step: step + 1,
        fingerprint: looked.found.fingerprint.clone(),
        command: command(search, &looked.point),
    })
}

/// Every point that was looked at, one a line.
#[must_use]
pub fn table(search: &Search, ascents: &[Vec<Looked<Found>>]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = String::from("ascent,step,value,verdict,fingerprint,failing,undecided");
    for one in &search.raw.moves {
        out.push(',');
        out.push_str(&quoted(&one.set));
    }
    out.push('\n');
    for (ascent, points) in ascents.iter().enumerate() {
        for (step, Looked { point, found }) in points.iter().enumerate() {
            let value = found.value.map_or_else(String::new, |value| value.to_string());
            let verdict = found.verdict.map_or("refused", Verdict::word);
            let failing = quoted(&found.failing.join("; "));
            let undecided = quoted(&found.undecided.join("; "));
            let fingerprint = &found.fingerprint;
            let _ = write!(out, "{},{},{value},{verdict},{fingerprint},{failing},{undecided}", ascent + 1, step + 1);
            for set in search.overrides(point) {
                out.push(',');
                out.push_str(&quoted(&set));
            }
            out.push('\n');
        }
    }
    out
}
