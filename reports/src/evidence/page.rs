//! The pages of a bundle: one frame, the same way from each to every other.

use maud::{Markup, html};

use super::{Evidence, Status};
use crate::html::frame::Frame;
use crate::html::shape;

/// A page of a bundle.
pub(super) struct Page {
    /// Its file.
    pub(super) file: &'static str,
    /// Its name in the way from page to page.
    pub(super) title: &'static str,
    body: fn(&Evidence<'_>) -> Markup,
}

/// All pages, the first one first.
pub(super) const PAGES: [Page; 8] = [
    Page { file: "index.html", title: "Overview", body: |evidence| evidence.index() },
    Page { file: "requirements.html", title: "Requirements", body: |evidence| evidence.requirements() },
    Page { file: "traceability.html", title: "Traceability", body: |evidence| evidence.traceability() },
    Page { file: "faults.html", title: "Faults", body: |evidence| evidence.faults() },
    Page { file: "controls.html", title: "Controls", body: |evidence| evidence.controls() },
    Page { file: "assumptions.html", title: "Assumptions", body: |evidence| evidence.assumptions() },
    Page { file: "tool.html", title: "Tool and build", body: |evidence| evidence.tool() },
    Page { file: "checklist.html", title: "Checklist", body: |evidence| evidence.checklist() },
];

/// What the pages of a bundle need beside the style of a report.
const STYLE: &str = "nav [aria-current] { color: var(--text); font-weight: 700; text-decoration: none; }
.banners { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; max-width: none; }
.rows { min-width: 9rem; } td .word { white-space: normal; } td ul.plain a, td.links a, td a.id { display: inline-block; min-width: 24px; line-height: 24px; vertical-align: top; } td.links a, td a.id { margin-right: .75rem; }
ul.plain { margin: .5rem 0; padding-left: 1.25rem; }
td ul.plain { margin: 0; padding-left: 1rem; } td ul.plain li:has(a) { line-height: 24px; }
#requirements table { table-layout: fixed; width: 100%; min-width: 62rem; overflow-wrap: anywhere; }
#requirements .number { white-space: normal; } #requirements .word { gap: .2rem; }
article { border-top: 1px solid var(--line); margin-top: 1.25rem; }
#injections thead th { white-space: normal; }
.injection td { border-bottom-style: none; } .injection tr:last-child td { border-bottom-style: solid; padding-top: 0; }
@media print { nav { display: block; } #requirements table { min-width: 0; } article { break-inside: avoid-page; } .banners { font-size: 9pt; } .banners .verdict { font-size: 13pt; padding: .2rem .6rem .2rem .4rem; }
  td ul.plain a, td.links a, td a.id, td ul.plain li:has(a) { line-height: inherit; min-width: 0; } }
";

impl Evidence<'_> {
    /// A whole page.
    pub(super) fn page(&self, page: &Page) -> String {
        let verdict = self.verdict();
        let coverage = if self.trace.count(Status::Uncovered) == 0 { "" } else { ", coverage incomplete" };
        let title = format!("{}{coverage}: evidence, {}", verdict.word().to_uppercase(), page.title.to_lowercase());
        let header = html! {
            p.banners { (shape::run(verdict)) " what was run " (self.coverage_banner()) }
            h1 { "Evidence: " (page.title.to_lowercase()) }
        };
        let ways = html! {
            @for other in &PAGES {
                @let here = (other.file == page.file).then_some("page");
                li { a href=(other.file) aria-current=[here] { (other.title) } }
            }
        };
        let frame = Frame { title: &title, version: &self.bundle.program.version, style: STYLE };
        frame.page(&header, "Pages of this bundle", &ways, &(page.body)(self))
    }

    /// Whether every requirement in scope has been shown by something, told beside the verdict of what was run.
    fn coverage_banner(&self) -> Markup {
        match self.trace.count(Status::Uncovered) {
            0 => shape::banner(true, "COVERAGE COMPLETE"),
            uncovered => {
                html! { (shape::banner(false, "COVERAGE INCOMPLETE")) " " (count(uncovered, "requirement", "requirements")) " in scope without executed evidence" }
            }
        }
    }
}

/// The word of a status with its shape.
pub(super) fn status(status: Status) -> Markup {
    shape::named(status.row(), status.word())
}

/// The id of a requirement as a link to its place among all requirements.
pub(super) fn requirement_link(id: &str) -> Markup {
    html! { a.id href={ "requirements.html#" (id) } { (id) } }
}

/// `1 run`, `3 runs`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    crate::words::count(number as u64, one, many)
}
