//! Budgets, checks, expectations, injections and assumptions: their counts, or every one of them when asked.
//!
//! What did not pass is told in the last block; here stands how much was looked at.

use std::collections::BTreeMap;

use super::facts::{LABEL_WIDTH, fact};
use super::page::{Line, Page, Style, width_of};
use super::words;
use super::{Options, Verbosity};
use crate::number::Millis;
use crate::reaction::{self, ALL_OFF, LOCAL_AND_ALL_OFF, LOCAL_OFF, NO_TIME_OFF, NOT_DETECTED, is_at_a_unit};
use crate::report::{Budget, Check, Expectation, Injection, Report, Step};
use crate::verdict::{self, RowVerdict};
use crate::words::looked;

/// Where the words after a verdict begin.
pub(super) const ROW_COLUMN: usize = 17;

/// The section of rows.
pub(super) fn section(page: &mut Page, report: &Report, options: &Options) {
    let verbose = options.verbosity >= Verbosity::Verbose;
    page.blank();
    fact(page, "Budgets", counts(report.budgets.iter().map(|row| row.verdict)));
    // Bars and facts show the times of an update; nothing else shows those of safety functions.
    let is_told = |budget: &&Budget| verbose || (budget.is_of_safety() && budget.measured.is_some());
    for budget in report.budgets.iter().filter(is_told) {
        row(page, budget.verdict, &budget_words(budget));
        if verbose {
            decomposition(page, budget);
        }
    }
    fact(page, "Checks", counts(report.checks.iter().map(|row| row.verdict)));
    for check in report.checks.iter().filter(|_| verbose) {
        row(page, check.verdict, &check_words(check));
    }
    fact(page, "Expectations", counts(report.expectations.iter().map(|row| row.verdict)));
    for expectation in report.expectations.iter().filter(|_| verbose) {
        row(page, expectation.verdict, &expectation_words(expectation));
    }
    injections(page, report);
    assumptions(page, report, options);
    if options.verbosity >= Verbosity::VeryVerbose {
        evidence(page, report);
    }
}

/// What needs attention comes first, what was not judged last, whatever row stands first.
const fn rank(verdict: RowVerdict) -> u8 {
    match verdict {
        RowVerdict::Fail => 0,
        RowVerdict::Error => 1,
        RowVerdict::Inconclusive => 2,
        RowVerdict::Pass => 3,
        RowVerdict::ExpectedFail => 4,
        RowVerdict::NotRun => 5,
        RowVerdict::Info => 6,
        RowVerdict::NotApplicable => 7,
    }
}

/// How many rows have which verdict.
fn counts(rows: impl Iterator<Item = RowVerdict>) -> Vec<(Style, String)> {
    let mut order: Vec<RowVerdict> = Vec::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in rows {
        if !order.contains(&verdict) {
            order.push(verdict);
        }
        *counts.entry(verdict.word()).or_default() += 1;
    }
    if order.is_empty() {
        return vec![(Style::Dim, "none".to_owned())];
    }
    let piece = |verdict: RowVerdict| {
        let (style, word) = words::row_word(verdict);
        (style, format!("{} {word}", counts.get(verdict.word()).copied().unwrap_or(0)))
    };
    order.sort_by_key(|verdict| rank(*verdict));
    order.into_iter().map(piece).collect()
}

/// A verdict and what it is about.
pub(super) fn row(page: &mut Page, verdict: RowVerdict, text: &str) {
    let (style, word) = words::row_word(verdict);
    let mut line = Line::new();
    line.gap(2);
    line.left(style, &word, ROW_COLUMN - 2);
    page.flow(line, Style::Plain, text);
}

/// A budget as a sentence: `pump_update 71.304 s, limit < 70 s, margin -1.304 s, worst of 14, at P08, try 1 [PFU-041]`.
pub(crate) fn budget_words(budget: &Budget) -> String {
    let requirements = requirements(&budget.requirements);
    let limit = words::limit_with_origin(budget);
    let Some(measured) = budget.measured else {
        return format!("{}: nothing was measured, limit {limit}{requirements}", budget.id);
    };
    let place = budget.r#where.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
    let of = match budget.n {
        1 if place.is_empty() => String::new(),
        1 => format!(",{place}"),
        n => format!(", worst of {}{place}", words::grouped(n)),
    };
    let (value, margin) = (words::value(budget, measured), words::margin(budget));
    let held = if held_unexpectedly(budget) { "held, and was expected to break; " } else { "" };
    format!("{}: {held}{value}, limit {limit}, margin {margin}{of}{requirements}", budget.id)
}

/// Whether the row fails for a value within its limits: the scenario expects one beyond them.
pub(crate) fn held_unexpectedly(budget: &Budget) -> bool {
    let held = |measured| verdict::holds(measured, budget.relation, budget.limit, budget.limit_low);
    budget.verdict == RowVerdict::Fail && budget.measured.is_some_and(held)
}

/// A check as a sentence.
pub(crate) fn check_words(check: &Check) -> String {
    let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
    format!("{}{detail} ({}){}", check.id, looked(check), requirements(&check.requirements))
}

/// An expectation as a sentence.
pub(crate) fn expectation_words(expectation: &Expectation) -> String {
    let but = if expectation.detail.is_empty() { String::new() } else { format!(", but {}", expectation.detail) };
    format!("expected: {}{but}", expectation.text)
}

fn requirements(ids: &[String]) -> String {
    if ids.is_empty() { String::new() } else { format!(" [{}]", ids.join(", ")) }
}

/// The steps of the worst value: when each begins, and how long it is until the next one. All in one unit, with the digits
/// that tell steps near to each other apart.
fn decomposition(page: &mut Page, budget: &Budget) {
    let ms = |time: Millis| format!("{} ms", words::rounded(time.into(), 3));
    let next = budget.decomposition.iter().skip(1).map(Some).chain([None]);
    for ((step, lasts), next) in budget.decomposition.iter().zip(budget.step_durations()).zip(next) {
        let mut line = Line::new();
        line.gap(ROW_COLUMN);
        line.right(Style::Dim, &ms(step.at_ms), 16);
        line.gap(2);
        let until =
            lasts.zip(next).map(|(lasts, next)| format!(", {} until {}", reaction::reaction_time(lasts), next.step));
        page.flow(line, Style::Dim, &format!("{}{}", step.step, until.unwrap_or_default()));
    }
}

/// Every injection with the proof that it acted, and how a safety unit answered.
fn injections(page: &mut Page, report: &Report) {
    let injections = &report.injections;
    if injections.is_empty() {
        return fact(page, "Injections", [(Style::Dim, "none".to_owned())]);
    }
    fact(page, "Injections", [(Style::Plain, injections.len().to_string())]);
    let id_width = injections.iter().map(|injection| width_of(&injection.id)).max().unwrap_or(0).clamp(4, 24);
    for injection in injections {
        let mut line = Line::new();
        line.gap(2);
        line.left(Style::Bold, &injection.id, id_width);
        line.gap(2);
        let style = if injection.proven() == 0 { Style::Warn } else { Style::Plain };
        page.flow(line, style, &injection_words(injection));
        if let Some(words) = reaction_words(report, injection) {
            let mut line = Line::new();
            line.gap(id_width + 4);
            page.flow(line, Style::Plain, &words);
        }
    }
}

/// When a safety unit detected an injection and its outputs were off, counted from when it occurred; none where nothing of that is
/// known of a fault elsewhere. When they were commanded off is known of those that a budget's worst value is of.
fn reaction_words(report: &Report, injection: &Injection) -> Option<String> {
    let [detected, local, all] = injection.reaction();
    let after = |at: Millis| reaction::after(injection, at);
    let named = match injection.detected_as.as_str() {
        "" => String::new(),
        name => format!(" as {name}"),
    };
    let step = |what: &str, at: Option<Millis>| Some(format!("{what} {}", after(at?)?));
    let off = match (local, all) {
        (Some(local), Some(all)) if local == all => vec![(LOCAL_AND_ALL_OFF, Some(all))],
        _ => vec![(LOCAL_OFF, local), (ALL_OFF, all)],
    };
    let steps =
        [(&*format!("detected{named}"), detected), ("commanded off", detected.and_then(|at| commanded(report, at)))];
    let steps: Vec<String> = steps.into_iter().chain(off).filter_map(|(what, at)| step(what, at)).collect();
    let told = if steps.is_empty() { None } else { Some(format!("{} after it occurred", steps.join(", "))) };
    let open = match (detected, local.or(all)) {
        (None, None) => is_at_a_unit(report, injection).then_some(NOT_DETECTED),
        (None, Some(_)) => Some(NOT_DETECTED),
        (Some(_), None) => Some(NO_TIME_OFF),
        (Some(_), Some(_)) => None,
    };
    let parts: Vec<String> = told.into_iter().chain(open.map(str::to_owned)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// When outputs were told to go off after what was detected then.
fn commanded(report: &Report, detected: Millis) -> Option<Millis> {
    let is = |step: &Step, name: &str| step.step == name;
    let of = |budget: &Budget| {
        let own = budget.decomposition.iter().any(|step| is(step, "detected") && step.at_ms == detected);
        budget.decomposition.iter().find(|step| own && is(step, "commanded")).map(|step| step.at_ms)
    };
    report.budgets.iter().find_map(of)
}

/// What was injected, when it acted, and what it did.
pub(super) fn injection_words(injection: &Injection) -> String {
    let what = format!("{} on {}", injection.kind, injection.target);
    let (Some(at), 1..) = (injection.at_ms, injection.activations) else {
        let hint = if injection.hint.is_empty() { String::new() } else { format!(": {}", injection.hint) };
        return format!("{what}, NEVER ACTED{hint}");
    };
    let acted = words::times(injection.activations);
    let first = if injection.activations > 1 { "first at" } else { "at" };
    let occurred = injection.occurred_ms.filter(|occurred| *occurred != at);
    let occurred = occurred.map_or(String::new(), |time| format!("occurred at {}, ", words::duration(time)));
    let effect = if injection.effect.is_empty() { String::new() } else { format!(": {}", injection.effect) };
    let missing = match injection.missing {
        0 => String::new(),
        missing => format!(" ({} MISSING)", words::times(missing)),
    };
    format!("{what}, {occurred}acted {acted}{missing}, {first} {}{effect}", words::duration(at))
}

fn assumptions(page: &mut Page, report: &Report, options: &Options) {
    let all = options.verbosity >= Verbosity::VeryVerbose;
    let count = report.assumptions.len();
    let hint = if all || count == 0 { String::new() } else { " (-vv lists them)".to_owned() };
    fact(page, "Assumptions", [(Style::Plain, format!("{count}{hint}"))]);
    for assumption in report.assumptions.iter().filter(|_| all) {
        let mut line = Line::new();
        line.gap(2);
        let text = format!("{}: {} ({})", assumption.text, assumption.value, assumption.source);
        page.flow(line, Style::Plain, &text);
    }
}

/// What identifies the run: inputs and fingerprints.
fn evidence(page: &mut Page, report: &Report) {
    page.blank();
    fact(page, "Scenario", [(Style::Dim, report.scenario.sha256.clone())]);
    for input in &report.inputs {
        fact(page, "Input", [(Style::Dim, input.sha256.clone()), (Style::Plain, input.path.clone())]);
    }
    for (at, (domain, print)) in report.fingerprint.named().enumerate() {
        let mut line = Line::new();
        line.left(Style::Bold, if at == 0 { "Fingerprint" } else { "" }, LABEL_WIDTH);
        line.left(Style::Plain, domain, 14);
        line.put(Style::Dim, print);
        page.line(line);
    }
}
