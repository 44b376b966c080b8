//! The report of a search as one HTML file.
//!
//! As the page of a run: no script, nothing outside itself, every verdict a word with a shape. It depends on the report
//! alone.

use maud::{Markup, html};

use super::{SearchReport, Worst};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::{Frame, Section};
use crate::html::{evidence, head, shape, table};
use crate::words::{capital, grouped};

/// Renders the page.
#[must_use]
pub fn search_html(report: &SearchReport) -> String {
    let title = format!("{}: search {}", report.verdict.word().to_uppercase(), report.name);
    let frame = Frame { title: &title, version: &report.build.version, style: "" };
    let sections = [
        Section::new("worst", "Worst case found, and the bound", worst_case(report)),
        Section::new("moves", "What moved", moves(report)),
        Section::new("runs", "Runs", runs(report)),
        Section::new("ascents", "Ascents", ascents(report)),
        Section::new("failed", "Runs that failed", failed(report)),
        Section::new("reproduce", "Reproduction", reproduction(report)),
        Section::new("limits", "Limits of the model and known deviations", evidence::limits()),
    ];
    frame.report(&header(report), &sections)
}

fn header(report: &SearchReport) -> Markup {
    let SearchReport { name, title, purpose, sentence, sha256, seed, build, .. } = report;
    html! {
        p { (shape::run(report.verdict)) }
        h1 { "Search " (name) }
        @if !title.is_empty() { p.lead { (title) } }
        p { (capital(sentence)) "." }
        @if !purpose.is_empty() { p { (purpose) } }
        dl.facts {
            dt { "Search" } dd { code { (sha256) } " (SHA-256 of search and base in canonical form)" }
            dt { "Seed" } dd { (seed) " (of starting points and steps)" }
            dt { "Program" } dd { "cooltwin " (build.version) ", sources " code { (build.commit) } ", rustc " (build.rustc) }
        }
    }
}

fn worst_case(report: &SearchReport) -> Markup {
    let row = |name: &str, found: Option<&Worst>| {
        html! {
            tr {
                th scope="row" { (name) }
                td.number { @if let Some(found) = found { (report.amount(found.value)) } @else { "none" } }
                td.number { @if let Some(found) = found { (report.amount(found.to_bound)) } }
                td { @if let Some(found) = found { (found.place) ", ascent " (found.ascent) ", run " (found.step) } }
            }
        }
    };
    let content = html! {
        caption { "Values of " (report.budget) "; the worst is the " (report.seek) }
        (head(&[Text("Subject"), Number("Value"), Number("To the bound"), Wide("Where")]))
        tbody {
            tr { th scope="row" { "Bound by analysis" } td.number { (report.amount(report.bound)) } td {} td { (report.bound_source) } }
            (row("Worst found", report.worst.as_ref()))
            @if let Some(found) = &report.worst_unproven { (row("Worse, in a run that is not conclusive", Some(found))) }
        }
    };
    html! {
        (table("Worst case", &content))
        p {
            "What was found is a lower bound of the worst case: it is reached. A value beyond the bound of analysis would show that \
             analysis, firmware or twin is wrong, and fails the search."
        }
        @for found in report.worst.iter().chain(&report.worst_unproven) {
            p { "To see it again, in the folder of this file (fingerprint " code { (found.fingerprint) } "):" }
            pre tabindex="0" { (found.command) }
        }
    }
}

fn moves(report: &SearchReport) -> Markup {
    html! {
        p { (grouped(report.points)) " points: every combination of" }
        ul { @for one in &report.moves { li { (one) } } }
    }
}

fn runs(report: &SearchReport) -> Markup {
    let rows = [
        ("Runs", report.looked, "an ascent may come to a point that was run before"),
        ("Different points", report.different, ""),
        ("Refused", report.refused, "their values make no scenario"),
        ("Inconclusive", report.inconclusive, "count as nothing found, and no ascent goes on from one but to leave it"),
        (
            "Of these, the budget itself is open",
            report.left_open,
            "what was measured is a part, and the rest may be worse: no search passes with one",
        ),
        ("Without a value", report.without_value, "no search passes with one"),
        ("Failed", report.failed, "whatever their value, they fail the search"),
    ];
    let content = html! {
        caption { (report.restarts) " ascents of " (report.steps) " runs each" }
        (head(&[Text("Subject"), Number("Runs"), Wide("Means")]))
        tbody { @for (name, count, means) in rows { tr { th scope="row" { (name) } td.number { (grouped(count)) } td { (means) } } } }
    };
    let reasons = html! {
        caption { "What kept runs from being conclusive; one may have several reasons" }
        (head(&[Wide("Reason"), Number("Runs")]))
        tbody { @for one in &report.undecided { tr { th scope="row" { (one.what) } td.number { (grouped(one.runs)) } } } }
    };
    html! {
        (table("Runs", &content))
        @if !report.undecided.is_empty() { (table("Inconclusive runs", &reasons)) }
    }
}

fn ascents(report: &SearchReport) -> Markup {
    let shown = |value: Option<_>| value.map_or_else(|| "none".to_owned(), |value| report.amount(value));
    let content = html! {
        caption { "From the first value to the worst, of conclusive runs" }
        (head(&[Number("Ascent"), Number("First"), Number("Worst"), Number("Found by run")]))
        tbody {
            @for (one, number) in report.ascents.iter().zip(1_usize..) {
                tr {
                    th.number scope="row" { (number) }
                    td.number { (shown(one.first)) } td.number { (shown(one.worst)) } td.number { (one.step) }
                }
            }
        }
    };
    table("Ascents", &content)
}

fn failed(report: &SearchReport) -> Markup {
    if report.failures.is_empty() {
        return html! { p { "None." } };
    }
    let content = html! {
        caption { "The first " (report.failures.len()) " of " (grouped(report.failed)) }
        (head(&[Wide("What did not hold"), Wide("To see it again")]))
        tbody {
            @for one in &report.failures {
                tr { td { (shape::word(true, &one.rows.join(", "))) } td { code { (one.command) } } }
            }
        }
    };
    table("Failed runs", &content)
}

fn reproduction(report: &SearchReport) -> Markup {
    let path = report.inputs.first().map_or("search.ron", |input| &input.path);
    html! {
        p { "The same program gives the same bytes from this command in the folder of the search file, on any host, with any number of threads:" }
        pre tabindex="0" { "cooltwin search " (path) }
        (evidence::files(&report.inputs))
    }
}
