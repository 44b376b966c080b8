//! The report of a sweep as one HTML file.
//!
//! As the page of a run: no script, nothing outside itself, every verdict a word with a shape. It depends on the report
//! alone.

use maud::{Markup, html};

use super::{Bad, Part, SweepReport, SweepVerdict, digits};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::{Frame, Section};
use crate::html::{evidence, head, shape, table};
use crate::verdict::Verdict;
use crate::words::{capital, grouped};

/// Renders the page.
#[must_use]
pub fn sweep_html(report: &SweepReport) -> String {
    let title = format!("{}: {}", report.verdict.word().to_uppercase(), report.subject());
    let frame = Frame { title: &title, version: &report.build.version, style: "" };
    let sections = [
        Section::new("space", "The space, and what was run of it", space(report)),
        Section::new("strata", "What became of the strikes", parts(report, part_results)),
        Section::new("bad", "Strikes that broke a claim or say nothing", bad(report)),
        Section::new("merging", "Merged strikes and their controls", merging(report)),
        Section::new("reproduce", "Reproduction", reproduction(report)),
        Section::new("limits", "Limits of the model and known deviations", evidence::limits()),
    ];
    frame.report(&header(report), &sections)
}

fn header(report: &SweepReport) -> Markup {
    let SweepReport { seed, sha256, trunk, options, build, .. } = report;
    html! {
        p { (verdict(report.verdict)) }
        h1 { (report.subject()) }
        p.lead { (capital(&report.claim())) (report.not_struck()) "." (report.samples()) }
        dl.facts {
            dt { "Each strike" } dd { (options) }
            dt { "Scenario" } dd { code { (sha256) } " (SHA-256 with every default)" }
            dt { "Undisturbed run" } dd { code { (trunk) } " (fingerprint)" }
            dt { "Seed" } dd { (seed) " (of sample and controls)" }
            dt { "Program" } dd { "cooltwin " (build.version) ", sources " code { (build.commit) } ", rustc " (build.rustc) }
        }
    }
}

/// A sweep that is not sound shows nothing, whatever its strikes came to.
fn verdict(verdict: SweepVerdict) -> Markup {
    match verdict {
        SweepVerdict::Pass => shape::run(Verdict::Pass),
        SweepVerdict::Inconclusive => shape::run(Verdict::Inconclusive),
        SweepVerdict::Fail => shape::run(Verdict::Fail),
        SweepVerdict::Unsound => shape::banner(false, "UNSOUND"),
    }
}

fn space(report: &SweepReport) -> Markup {
    let content = html! {
        caption { "A strike is one fault at one of all the places where it could strike" }
        (head(&[Text("Part"), Number("Strikes there are"), Number("Struck"), Text("Share"), Number("Run to the end"), Number("Merged")]))
        tbody {
            @for part in &report.parts {
                tr {
                    th scope="row" { (part.name) }
                    td.number { (grouped(part.size)) } td.number { (digits(part.struck)) }
                    td { @if part.is_whole() { "all of them" } @else { "a sample" } }
                    td.number { (digits(part.run)) } td.number { (digits(part.merged)) }
                }
            }
        }
    };
    let left_out: Vec<&String> = report.parts.iter().flat_map(|part| &part.left_out).collect();
    html! {
        (table("Space", &content))
        @if !left_out.is_empty() {
            p { (shape::word(true, "Not struck, as the sample was too small:")) }
            ul { @for name in left_out { li { (name) } } }
        }
    }
}

fn parts(report: &SweepReport, each: impl Fn(&Part) -> Markup) -> Markup {
    html! { @for part in &report.parts { article { h3 { (part.name) } (each(part)) } } }
}

fn part_results(part: &Part) -> Markup {
    let mut classes: Vec<&str> = Vec::new();
    for (class, _) in part.strata.iter().flat_map(|stratum| &stratum.classes) {
        if !classes.contains(&class.as_str()) {
            classes.push(class);
        }
    }
    let mut columns = vec![Text("Stratum"), Number("Struck"), Text("Claims")];
    columns.extend(classes.iter().map(|class| Number(class)));
    let content = html! {
        caption { "Strikes by stratum and by what became of the pump" }
        (head(&columns))
        tbody {
            @for stratum in part.strata.iter().filter(|stratum| stratum.struck > 0) {
                tr {
                    th scope="row" { (stratum.name) }
                    td.number { (digits(stratum.struck)) }
                    td { @if stratum.bad == 0 { (shape::word(false, "held")) } @else { (shape::word(true, &format!("{} not", digits(stratum.bad)))) } }
                    @for class in &classes {
                        @let strikes = stratum.classes.iter().find(|(name, _)| name == class).map_or(0, |(_, strikes)| *strikes);
                        td.number { @if strikes > 0 { (digits(strikes)) } }
                    }
                }
            }
        }
    };
    html! { (table(&format!("Strata of {}", part.name), &content)) (extremes(part)) }
}

fn extremes(part: &Part) -> Markup {
    if part.extremes.is_empty() {
        return html! {};
    }
    let content = html! {
        caption { "The least and the greatest of each budget's worst values over all strikes" }
        (head(&[Text("Budget"), Number("Least"), Number("Strike"), Number("Greatest"), Number("Strike")]))
        tbody {
            @for row in &part.extremes {
                tr {
                    th scope="row" { (row.budget) }
                    td.number { (row.least) " " (row.unit) } td.number { (row.least_strike) }
                    td.number { (row.greatest) " " (row.unit) } td.number { (row.greatest_strike) }
                }
            }
        }
    };
    table(&format!("Budgets of {}", part.name), &content)
}

fn bad(report: &SweepReport) -> Markup {
    if report.parts.iter().all(|part| part.bad_classes == 0) {
        return html! { p { "None." } };
    }
    parts(report, |part| {
        let content = html! {
            caption { (digits(part.bad.len())) " of " (digits(part.bad_classes)) " classes, each by its leader" }
            (head(&[Number("Strike"), Wide("What it is"), Text("Class"), Number("Stands for"), Wide("What is wrong"), Text("To see it again")]))
            tbody { @for bad in &part.bad { (bad_row(bad)) } }
        };
        if part.bad.is_empty() {
            html! { p { "None." } }
        } else {
            table(&format!("Bad strikes of {}", part.name), &content)
        }
    })
}

fn bad_row(bad: &Bad) -> Markup {
    html! {
        tr {
            th.number scope="row" { (bad.strike) }
            td { (bad.name) }
            td { (shape::word(true, &bad.class)) }
            td.number { (digits(bad.weight)) }
            td { (bad.complaints.join("; ")) }
            td { @if bad.file.is_empty() { "no scenario was written" } @else { code { "cooltwin run " (bad.file) } } }
        }
    }
}

fn merging(report: &SweepReport) -> Markup {
    let content = html! {
        caption { "Classes of strikes that leave the same state" }
        (head(&[Text("Part"), Number("Classes"), Number("Greatest weight"), Number("Controls"), Text("Controls that differ")]))
        tbody {
            @for part in &report.parts {
                tr {
                    th scope="row" { (part.name) }
                    td.number { (digits(part.run)) } td.number { (digits(part.weight_max)) } td.number { (digits(part.controls)) }
                    td { (shape::word(part.mismatches > 0, &digits(part.mismatches))) }
                }
            }
        }
    };
    html! {
        p {
            "Once all that a strike left behind may be gone, the state of the twin is compared, by a hash of 128 bits and at equal \
             times, with that of the strikes before it: all events to come, both firmwares, flash, bus, supply and coolant. Where \
             one is equal, the strike is merged and has that one's result. One in a hundred of the merged strikes is run to its \
             end all the same, and must end as its class."
        }
        (table("Merging", &content))
        @for part in report.parts.iter().filter(|part| !part.mismatched.is_empty()) {
            ul { @for words in &part.mismatched { li { (shape::word(true, "differs")) " " (words) } } }
        }
        @for part in report.parts.iter().filter(|part| part.merged > 0) { (weights(part)) }
    }
}

fn weights(part: &Part) -> Markup {
    let content = html! {
        caption { "How many classes stand for how many strikes" }
        (head(&[Number("Weight"), Number("Classes")]))
        tbody {
            @for (weight, classes) in &part.weights { tr { td.number { (digits(*weight)) } td.number { (digits(*classes)) } } }
        }
    };
    html! {
        details { summary { "Weights of the classes of " (part.name) } (table(&format!("Weights of {}", part.name), &content)) }
    }
}

fn reproduction(report: &SweepReport) -> Markup {
    html! {
        p { "The same program gives the same bytes from this command in the folder of the scenario file, on any host, with any number of threads:" }
        pre tabindex="0" { (report.command) }
        (evidence::files(&report.inputs))
    }
}
