//! Injected faults with the proof that each acted, and the class of what became of it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Evidence, RunRecord};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::section;
use crate::html::{head, shape, table};
use crate::number::Millis;
use crate::reaction::{self, OCCURRED, REACTION, is_at_a_unit};
use crate::report::{Injection, Report};
use crate::verdict::{RowVerdict, Verdict};
use crate::words;

/// Classes with what they mean, and whether they count as bad.
const CLASSES: &[(&str, bool, &str)] = &[
    ("invalid", true, "the injection never acted; the run is no pass"),
    ("panic", true, "a firmware panicked or broke its interface"),
    ("sim-timeout", true, "the run came to no end; counts as no result"),
    ("undetected-dangerous", true, "a check broke after the fault acted"),
    ("detected-late", true, "detected, and a budget broke"),
    ("budget-broken", true, "a budget broke without detection"),
    (
        "tolerated",
        false,
        "met as designed: the update succeeded, the operation took its course, or outputs of safety units went off for it",
    ),
    ("detected-safe", false, "named by a failed try or an alarm, or detected by a safety unit; nothing else broke"),
    ("not-known", false, "a safety unit detected something to which it or another fault has led; nobody knows which"),
    ("no-reaction", false, "it acted, and none of this followed"),
];

/// What became of the faults of a kind.
#[derive(Default)]
struct Found<'a> {
    /// What found one of them.
    diagnostics: BTreeSet<&'a str>,
    /// How many are known to have been found.
    found: usize,
    /// Runs in which no detection is known to be of one that acted.
    open: Vec<&'a RunRecord>,
}

impl<'a> Found<'a> {
    fn see(&mut self, run: &'a RunRecord, fault: &'a Injection) {
        if fault.detected_as.is_empty() {
            self.open.push(run);
        } else {
            self.found += 1;
            self.diagnostics.insert(&fault.detected_as);
        }
    }
}

/// Runs as links to their faults.
fn links(runs: &[&RunRecord]) -> Markup {
    html! { @for (at, run) in runs.iter().enumerate() { @if at > 0 { ", " } a href={ (run.folder) "/report.html#faults" } { (run.name) } } }
}

fn has_units(report: &Report) -> bool {
    report.checks.iter().any(|check| check.id == "safety_units_become_normal")
}

impl Evidence<'_> {
    /// Every injection with its run.
    pub(super) fn injections(&self) -> impl Iterator<Item = (&RunRecord, &Injection)> {
        self.runs().flat_map(|(run, report)| report.injections.iter().map(move |injection| (run, injection)))
    }

    pub(super) fn faults(&self) -> Markup {
        html! {
            p {
                "Each injection logs what it found and what it left, at the moment it acts. One that never acted makes its run "
                "inconclusive. A class is read from the run; whether a fault is masked needs a comparison with an undisturbed run "
                "and is no class here. A budget that broke in a run that passed broke as its scenario says."
            }
            (section("classes", "Classes", &self.classes()))
            (section("kinds", "Kinds of faults", &self.kinds()))
            (section("diagnostics", "Faults by diagnostic", &self.diagnostics()))
            (section("injections", "Injections", &self.injection_table()))
        }
    }

    /// A class as a word with its shape. A budget that its scenario said would break is no surprise.
    fn class(&self, run: &RunRecord, class: &str) -> Markup {
        let bad = CLASSES.iter().any(|(known, bad, _)| *known == class && *bad);
        let passed = run.verdict_here(&self.bundle.program) == Verdict::Pass;
        match class {
            "" => html! { "none" },
            "not-known" | "no-reaction" => shape::named(RowVerdict::Info, class),
            _ if bad && passed => html! { (shape::named(RowVerdict::ExpectedFail, class)) ", as expected" },
            _ => shape::word(bad, class),
        }
    }

    fn classes(&self) -> Markup {
        let stated = |wanted: &str| {
            self.injections()
                .filter(|(run, injection)| {
                    injection.class == wanted && run.verdict_here(&self.bundle.program) == Verdict::Pass
                })
                .count() as u64
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, injection) in self.injections() {
            *counts.entry(injection.class.as_str()).or_default() += 1;
        }
        let other: Vec<(&str, u64)> = counts
            .iter()
            .filter(|(class, _)| !CLASSES.iter().any(|known| known.0 == **class))
            .map(|(class, count)| (*class, *count))
            .collect();
        let content = html! {
            caption { (self.injections().count()) " injections in all; none is left out of the count" }
            (head(&[Text("Class"), Number("Injections"), Number("In runs that passed"), Wide("Meaning")]))
            tbody {
                @for (class, bad, meaning) in CLASSES {
                    @let number = counts.get(class).copied().unwrap_or_default();
                    @let bad = *bad && number > stated(class);
                    tr {
                        th scope="row" { @if bad { (shape::word(true, class)) } @else { (class) } }
                        td.number { (number) }
                        td.number { (stated(class)) }
                        td { (meaning) }
                    }
                }
                @for (class, number) in other { tr { th scope="row" { (class) } td.number { (number) } td.number { (stated(class)) } td { "told by the run" } } }
            }
        };
        table("Classes of injections", &content)
    }

    fn kinds(&self) -> Markup {
        let used = |kind: &str| self.injections().filter(|(_, injection)| injection.kind == kind).count();
        let idle: Vec<&str> =
            self.bundle.fault_kinds.iter().map(String::as_str).filter(|kind| used(kind) == 0).collect();
        let known = |kind: &str| self.bundle.fault_kinds.iter().any(|known| known == kind);
        let unknown: BTreeSet<&str> =
            self.injections().map(|(_, injection)| injection.kind.as_str()).filter(|kind| !known(kind)).collect();
        html! {
            @if !unknown.is_empty() {
                p { "Injected, and missing in the list of kinds: " (unknown.into_iter().collect::<Vec<_>>().join(", ")) "." }
            }
            p {
                "Of " (self.bundle.fault_kinds.len()) " kinds that a scenario can inject, "
                (self.bundle.fault_kinds.len() - idle.len()) " are injected in this bundle. Not injected: "
                @if idle.is_empty() { "none" } @else { (idle.join(", ")) } "."
            }
            p { "The kinds cover supply, bus, memory, clocks, processors, images, operators and times of answers. That they are enough for the product is for its hazard analysis to say." }
        }
    }

    /// What was injected in runs with safety units, and what of it any of their diagnostics found.
    fn diagnostics(&self) -> Markup {
        let mut kinds: BTreeMap<&str, Found<'_>> = BTreeMap::new();
        for (run, report) in self.runs().filter(|(_, report)| has_units(report)) {
            for one in report.injections.iter().filter(|one| one.activations > 0) {
                kinds.entry(&one.kind).or_default().see(run, one);
            }
        }
        let content = html! {
            caption {
                "Faults that acted in runs with safety units. One counts as found if a unit detected what it, and no other fault of its run, "
                "can have led to. Where several can have, nothing is credited."
            }
            (head(&[Text("Kind"), Number("Injected"), Number("Found"), Text("Found as"), Wide("No detection that is known to be of it")]))
            tbody {
                @for (kind, found) in &kinds {
                    tr {
                        th scope="row" { (kind) }
                        td.number { (found.found + found.open.len()) }
                        td.number { (found.found) }
                        td { @if found.diagnostics.is_empty() { "-" } @else { (found.diagnostics.iter().copied().collect::<Vec<_>>().join(", ")) } }
                        td { @if found.open.is_empty() { "-" } @else { (found.open.len()) ": " (links(&found.open)) } }
                    }
                }
            }
        };
        html! {
            p { "A fault that is not detected need not be dangerous: a unit tolerates some, and others lie within its limits. The class of "
                "each stands with the injection. Shares of all faults of a kind are not claimed: the sample is the scenarios'." }
            @if kinds.is_empty() { p { "No run of this bundle has faults and safety units." } } @else { (table("Faults by diagnostic", &content)) }
        }
    }

    fn injection_table(&self) -> Markup {
        let content = html! {
            caption { "In the order of the runs" }
            (head(&[
                Text("Run"), Text("Fault"), Number("Occurred, ms"), Number("First acted, ms"), Number("Duration"), Number("Times"),
                Number("Detected"), Number("Local outputs off"), Number("All affected outputs off"), Text("Class"),
            ]))
            @for (run, report, injection) in self.runs().flat_map(|(run, report)| report.injections.iter().map(move |one| (run, report, one))) {
                (self.injection_rows(run, report, injection))
            }
        };
        html! { p { (OCCURRED) ". " (REACTION) "." } (table("Injections", &content)) }
    }

    /// Two rows: what was injected with its times, and what was read back.
    fn injection_rows(&self, run: &RunRecord, report: &Report, injection: &Injection) -> Markup {
        let ms = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| words::rounded(time.into(), 3));
        let after = |time: Option<Millis>| {
            time.and_then(|time| reaction::after(injection, time)).unwrap_or_else(|| "-".to_owned())
        };
        let [detected, local, all] = injection.reaction();
        let is_open = detected.is_none() && (local.or(all).is_some() || is_at_a_unit(report, injection));
        html! {
            tbody.injection {
                tr {
                    th scope="rowgroup" rowspan="2" { a href={ (run.folder) "/report.html#faults" } { (run.name) } }
                    td { (injection.kind) " on " (injection.target) }
                    td.number { (ms(injection.occurred_ms)) }
                    td.number { @if injection.at_ms.is_none() { "never" } @else { (ms(injection.at_ms)) } }
                    td.number { (injection.duration_ms.map_or_else(|| "-".to_owned(), words::duration)) }
                    td.number { (words::grouped(injection.activations)) }
                    td.number { @if is_open { "not known" } @else { (after(detected)) @if detected.is_some() { br; "as " (injection.detected_as) } } }
                    td.number { (after(local)) }
                    td.number { (after(all)) }
                    td { (self.class(run, &injection.class)) }
                }
                tr { td colspan="9" { span.dim { "read back: " } (injection.effect) } }
            }
        }
    }
}
