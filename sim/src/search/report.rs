//! What a search looked at, as the report of it: the worst value, the bound beside it, and the command that repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use reports::search::{Ascent, Failure, SEARCH_SCHEMA, SearchReport, Undecided, Worst};
use reports::{Fixed, Verdict, counted};

use super::climb::Looked;
use super::file::{Search, Seek};
use super::run::{Found, is_no_better};
use crate::run::Identity;
use crate::scenario::Input;

/// Runs that failed which a report spells out, at most.
const FAILED_MOST: usize = 20;

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

/// The report of what was looked at.
#[must_use]
pub fn report(search: &Search, ascents: &[Vec<Looked<Found>>], identity: &Identity) -> SearchReport {
    let raw = &search.raw;
    let all = || ascents.iter().flatten();
    let count = |wanted: &dyn Fn(&Found) -> bool| all().filter(|looked| wanted(&looked.found)).count() as u64;
    let has_failed = |found: &Found| matches!(found.verdict, Some(Verdict::Fail | Verdict::Error));
    let failures = all().filter(|looked| has_failed(&looked.found)).take(FAILED_MOST);
    let mut report = SearchReport {
        schema: SEARCH_SCHEMA.to_owned(),
        name: raw.name.clone(),
        title: raw.title.clone(),
        purpose: raw.purpose.clone(),
        sha256: search.sha256(),
        budget: raw.budget.clone(),
        unit: all().map(|looked| &looked.found.unit).find(|unit| !unit.is_empty()).cloned().unwrap_or_default(),
        seek: match raw.seek {
            Seek::Greatest => "greatest".to_owned(),
            Seek::Least => "least".to_owned(),
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
        inputs: search.inputs.iter().map(Input::told).collect(),
        build: identity.build(),
    };
    judge(&mut report);
    report
}

fn judge(report: &mut SearchReport) {
    let SearchReport { budget, bound, .. } = &*report;
    let is_beyond = |worst: &Worst| worst.to_bound < Fixed::default();
    let beyond = report.worst.iter().chain(&report.worst_unproven).any(is_beyond);
    let amount = |value: Fixed| report.amount(value);
    let found = report.worst.as_ref().map_or_else(|| "nothing".to_owned(), |worst| amount(worst.value));
    let mut open = match report.inconclusive {
        0 => String::new(),
        count => format!(", {count} of them inconclusive"),
    };
    if report.refused > 0 {
        open.push_str(&format!(", {} made no scenario", counted(report.refused, "more point", "more points")));
    }
    let looked = format!(
        "{budget}: worst found {found}, bound {}, {}{open}",
        amount(*bound),
        counted(report.looked - report.refused, "run", "runs")
    );
    let runs = |number| counted(number, "run", "runs");
    (report.verdict, report.sentence) = match (&report.worst, &report.worst_unproven) {
        _ if beyond => (Verdict::Fail, format!("beyond the bound: {looked}")),
        _ if report.failed > 0 => (Verdict::Fail, format!("{} failed: {looked}", runs(report.failed))),
        (_, Some(Worst { value, .. })) => {
            (Verdict::Inconclusive, format!("an inconclusive run shows {}, which is worse: {looked}", amount(*value)))
        }
        (None, None) => (Verdict::Inconclusive, format!("nothing was measured: {looked}")),
        _ if report.without_value > 0 => {
            (Verdict::Inconclusive, format!("{} measured nothing: {looked}", runs(report.without_value)))
        }
        _ if report.left_open > 0 => {
            (Verdict::Inconclusive, format!("{} left the budget itself open: {looked}", runs(report.left_open)))
        }
        _ => (Verdict::Pass, format!("within the bound: {looked}")),
    };
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
