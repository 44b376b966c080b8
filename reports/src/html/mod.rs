//! The report of one run as one HTML file: for reviewers, on screen and on paper.
//!
//! ```text
//!   head      verdict, what ran, with what
//!   rows      every budget, check and expectation with measured value, limit, margin and a link to its proof
//!   run       timeline, updates, budgets one by one, voltages, bus, faults, events
//!   evidence  how to do it again, assumptions, limits of the model
//! ```
//! The file needs nothing outside itself: no script, no font, no picture. It depends on the result and its log of
//! events alone, so the same result gives the same bytes. Every figure has a description and a table beside it; every
//! verdict is a word with a shape.

pub(crate) mod evidence;
pub(crate) mod frame;
mod log;
pub(crate) mod rows;
mod run;
pub(crate) mod shape;

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use crate::figures::canvas::Ink;
use crate::figures::{Figure, figures};
use crate::report::{EventLog, Report};
use crate::{hash, json, words};

use frame::{Frame, Section};

pub use log::LogError;

/// Renders the page. `events` is the text of the log beside the result; without it the page says that it was not there.
///
/// # Errors
/// When the log is not one, or not the one that the result names.
pub fn html(report: &Report, events: Option<&str>) -> Result<String, PageError> {
    let figures = figures(report);
    let log = match (events, &report.events) {
        (Some(text), Some(told)) => Log::Shown(checked(text, told)?),
        (None, Some(_)) => Log::Missing,
        (_, None) => Log::None,
    };
    let page = Page { report, figures: &figures, log };
    Ok(page.render())
}

/// Why a page cannot be made.
#[derive(Debug)]
pub enum PageError {
    /// The log has a line that is no event.
    Log(LogError),
    /// The log is another one than the result names; with both hashes.
    OtherLog {
        /// SHA-256 in the result.
        wanted: String,
        /// SHA-256 of the log.
        found: String,
    },
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::OtherLog { wanted, found } => {
                write!(f, "not the log of this result: SHA-256 {found}, the result names {wanted}")
            }
        }
    }
}

impl std::error::Error for PageError {}

fn checked(text: &str, told: &EventLog) -> Result<Vec<log::Row>, PageError> {
    let found = hash::sha256(text.as_bytes());
    if found != told.sha256 {
        return Err(PageError::OtherLog { wanted: told.sha256.clone(), found });
    }
    log::rows(text).map_err(PageError::Log)
}

/// What became of the log of events.
enum Log {
    /// There is none.
    None,
    /// The result names one that was not at hand.
    Missing,
    /// Its rows.
    Shown(Vec<log::Row>),
}

/// Everything that the sections read.
struct Page<'a> {
    report: &'a Report,
    figures: &'a [Figure],
    log: Log,
}

impl Page<'_> {
    fn render(&self) -> String {
        let report = self.report;
        let title = format!("{}: {}", report.verdict.word().to_uppercase(), report.scenario.name);
        let frame = Frame { title: &title, version: &report.build.version, style: "" };
        frame.report(&self.head(), &self.sections())
    }

    fn sections(&self) -> Vec<Section> {
        let all = [
            Some(Section::new("verdicts", "Requirements and verdicts", self.verdicts())),
            self.timeline(),
            self.updates(),
            self.safety_frames(),
            self.budgets(),
            self.safety_units(),
            self.safety(),
            self.voltages(),
            self.bus(),
            self.injections(),
            self.events(),
            self.requirement_texts(),
            Some(Section::new("reproduce", "Reproduction", self.reproduction())),
            Some(Section::new("assumptions", "Assumptions", self.assumptions())),
            Some(Section::new("limits", "Limits of the model and known deviations", evidence::limits())),
        ];
        all.into_iter().flatten().collect()
    }

    fn head(&self) -> Markup {
        let report = self.report;
        let build = &report.build;
        let dirty = build.commit.ends_with("-dirty");
        let result = hash::sha256(format!("{}\n", json::to_json_line(report)).as_bytes());
        html! {
            p { (shape::run(report.verdict)) }
            h1 { (report.scenario.name) }
            @if !report.scenario.title.is_empty() { p.lead { (report.scenario.title) } }
            p { (summary_words(report)) }
            (self.broken_rows())
            dl.facts {
                dt { "Scenario" }
                dd { code { (report.scenario.sha256) } " (SHA-256 of its resolved text)" }
                dt { "Seed" } dd { (report.seed) @if report.seed_unused { " (nothing in this scenario is random)" } }
                @if !report.scenario.overrides.is_empty() {
                    dt { "Changed by hand" }
                    dd { @for change in &report.scenario.overrides { code { (change) } " " } }
                }
                dt { "Simulated" } dd { (words::duration(report.simulated_ms)) }
                dt { "Program" }
                dd {
                    "cooltwin " (build.version) ", sources " code { (build.commit) } ", rustc " (build.rustc)
                    @if dirty { " " strong { "The sources had changes that are in no commit." } }
                }
                dt { "Result" } dd { code { (result) } " (SHA-256 of result.json)" }
                dt { "Trace" } dd { code { (report.fingerprint.all) } " (fingerprint)" }
            }
        }
    }

    /// The figure of that name.
    fn figure(&self, name: &str) -> Markup {
        let Some(figure) = self.figures.iter().find(|figure| figure.name == name) else { return html! {} };
        let id = format!("figure-{name}");
        html! {
            figure id=(id) {
                div.scroll role="region" aria-label={ "Figure: " (figure.title) } tabindex="0" { (PreEscaped(inline(figure))) }
                figcaption { strong { (figure.title) "." } " " (figure.description) }
            }
        }
    }
}

/// What decided, in one sentence.
fn summary_words(report: &Report) -> String {
    let text = crate::terminal::summary(report);
    text.strip_prefix(&format!("{}: ", report.scenario.name)).map_or(text.clone(), str::to_owned)
}

/// A figure as part of the page: with a role and a name, without the namespace that only files need.
pub(crate) fn inline(figure: &Figure) -> String {
    let svg = figure.svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    let label = html! { (figure.title) }.into_string().replace('"', "&quot;");
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1)
}

/// The style sheet, with a twin for dark screens of every colour of the figures.
pub(crate) fn style() -> String {
    let mut style = include_str!("style.css").to_owned();
    style.push_str("@media screen and (prefers-color-scheme: dark) {\n");
    for (_, light, dark) in Ink::ALL {
        let hex = |[red, green, blue]: [u8; 3]| format!("#{red:02X}{green:02X}{blue:02X}");
        let (light, dark) = (hex(light), hex(dark));
        let _ =
            writeln!(style, "svg [fill=\"{light}\"] {{ fill: {dark} }} svg [stroke=\"{light}\"] {{ stroke: {dark} }}");
    }
    style.push_str("}\n");
    style
}

/// A table that a narrow screen can scroll.
pub(crate) fn table(label: &str, content: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label={ "Table: " (label) } tabindex="0" { table { (content) } } }
}

/// The head of a column, by what stands below it.
#[derive(Clone, Copy)]
pub(crate) enum Column<'a> {
    /// Of any kind.
    Text(&'a str),
    /// Aligned at the right.
    Number(&'a str),
    /// Words enough to need room.
    Wide(&'a str),
}

/// The heads of a table's columns.
pub(crate) fn head(columns: &[Column<'_>]) -> Markup {
    html! {
        thead {
            tr {
                @for column in columns {
                    @match column {
                        Column::Text(name) => { th scope="col" { (name) } }
                        Column::Number(name) => { th.number scope="col" { (name) } }
                        Column::Wide(name) => { th.wide scope="col" { (name) } }
                    }
                }
            }
        }
    }
}

/// Boxes to sign in, on paper only.
pub(crate) fn signatures() -> Markup {
    html! {
        table.signature {
            tbody {
                tr {
                    @for role in ["Made by", "Reviewed by", "Released by"] { td { (role) ", date, signature:" } }
                }
            }
        }
    }
}
