//! The table of verdicts: every budget, check and expectation, and where its proof is.

use maud::{Markup, html};

use super::Column::{Number, Text, Wide};
use super::{Page, Section, head, shape, table};
use crate::report::{Budget, Check, STATED_VERDICT};
use crate::requirements::{Requirement, baseline};
use crate::terminal::{budget_words, check_words, expectation_words};
use crate::verdict::RowVerdict;
use crate::words;

impl Page<'_> {
    pub(super) fn verdicts(&self) -> Markup {
        let report = self.report;
        let content = html! {
            caption { "Worst case of each requirement in this run. A row without a measurement is never a pass." }
            colgroup { @for share in [16, 18, 21, 10, 12, 11, 12] { col style={ "width:" (share) "%" }; } }
            (head(&[Text("Verdict"), Text("Criterion"), Text("Requirement"), Number("Worst case"), Number("Limit"), Number("Margin"), Text("Proof")]))
            @if !report.budgets.is_empty() { tbody { (group("Budgets")) (self.budget_rows()) } }
            @if !report.checks.is_empty() { tbody { (group("Checks")) (self.check_rows()) } }
            @if !report.expectations.is_empty() { tbody { (group("Expectations of the scenario")) (self.expectation_rows()) } }
        };
        table("Verdicts", &content)
    }

    /// The anchors of the budgets, in their order.
    pub(super) fn budget_anchors(&self) -> Vec<String> {
        crate::figures::budget_anchors(self.report)
    }

    fn budget_rows(&self) -> Markup {
        html! {
            @for (budget, anchor) in self.report.budgets.iter().zip(self.budget_anchors()) {
                tr {
                    td { (shape::row(budget.verdict)) }
                    th scope="row" { (statement(&budget.id)) }
                    td { (requirements(&budget.requirements)) }
                    td.number { (budget.measured.map_or_else(|| "not measured".to_owned(), |value| words::value(budget, value))) }
                    td.number { (words::limit(budget)) }
                    td.number { (margin_cell(budget)) }
                    td { a href={ "#" (anchor) } { (proof_of_budget(budget)) } }
                }
            }
        }
    }

    fn check_rows(&self) -> Markup {
        html! {
            @for (check, anchor) in self.report.checks.iter().zip(self.check_anchors()) {
                tr id=(anchor) {
                    td { (shape::row(check.verdict)) }
                    th scope="row" { (statement(&check.id)) }
                    td { (requirements(&check.requirements)) }
                    td colspan="3" { (seen(check)) }
                    td { (self.proof_in_events()) }
                }
            }
        }
    }

    /// What failed, or ended in an error, each with a link to its row; nothing where all held.
    pub(super) fn broken_rows(&self) -> Markup {
        let report = self.report;
        let is_bad = |verdict: RowVerdict| matches!(verdict, RowVerdict::Fail | RowVerdict::Error);
        let budgets = report.budgets.iter().zip(self.budget_anchors()).filter(|(row, _)| is_bad(row.verdict));
        let budgets = budgets.map(|(row, anchor)| (anchor, budget_words(row)));
        let checks = report.checks.iter().zip(self.check_anchors()).filter(|(row, _)| is_bad(row.verdict));
        let checks = checks.map(|(row, anchor)| (anchor, check_words(row)));
        let expectations = report.expectations.iter().zip(1..).filter(|(row, _)| is_bad(row.verdict));
        let expectations = expectations.map(|(row, n)| (expectation_anchor(n), expectation_words(row)));
        let rows: Vec<(String, String)> = budgets
            .map(|(anchor, text)| (anchor, format!("budget {text}")))
            .chain(checks.map(|(anchor, text)| (anchor, format!("check {text}"))))
            .chain(expectations)
            .collect();
        html! { @if !rows.is_empty() { ul { @for (anchor, text) in &rows { li { a href={ "#" (anchor) } { (text) } } } } } }
    }

    /// A link to what shows whether an expectation held: its row, the part of the page that is about it, or the events.
    fn proof_of_expectation(&self, text: &str) -> Markup {
        let broken = |kind: &str| text.strip_prefix(kind)?.strip_suffix(" is broken");
        let budget = broken("budget ").and_then(|id| {
            let mut rows = self.report.budgets.iter().zip(self.budget_anchors());
            rows.find(|(row, _)| row.id == id)
        });
        let check = broken("check ").and_then(|id| {
            let mut rows = self.report.checks.iter().zip(self.check_anchors());
            rows.find(|(row, _)| row.id == id)
        });
        let of_bus = ["bus-off", "error-passive"].iter().any(|end| text.ends_with(end));
        let of_events = ["safety unit ", "alarm ", "consent ", "cause "].iter().any(|begin| text.starts_with(begin));
        match (budget, check) {
            (Some((_, anchor)), _) => html! { a href={ "#" (anchor) } { "budget" } },
            (_, Some((_, anchor))) => html! { a href={ "#" (anchor) } { "check" } },
            _ if text.starts_with(STATED_VERDICT) => html! { a href="#verdicts" { "rows" } },
            _ if text.contains(" detects ") && !self.report.injections.is_empty() => {
                html! { a href="#faults" { "faults" } }
            }
            _ if of_bus => html! { a href="#bus" { "bus" } },
            _ if of_events || self.report.updated_pumps().is_empty() => self.proof_in_events(),
            _ => html! { a href="#updates" { "pumps" } },
        }
    }

    /// A link to the events; to how they are made again, where there are none.
    fn proof_in_events(&self) -> Markup {
        if self.has_events() {
            html! { a href="#events" { "events" } }
        } else {
            html! { a href="#reproduce" { "recording" } }
        }
    }

    fn check_anchors(&self) -> Vec<String> {
        words::anchors("check", self.report.checks.iter().map(|check| check.id.as_str()))
    }

    fn expectation_rows(&self) -> Markup {
        html! {
            @for (expectation, n) in self.report.expectations.iter().zip(1..) {
                tr id=(expectation_anchor(n)) {
                    td { (shape::row(expectation.verdict)) }
                    th colspan="2" scope="row" { (expectation.text) }
                    td colspan="3" { (expectation.detail) }
                    td { (self.proof_of_expectation(&expectation.text)) }
                }
            }
        }
    }
}

/// Texts of the requirements that this run has rows for.
impl Page<'_> {
    pub(super) fn requirement_texts(&self) -> Option<Section> {
        let budgets = self.report.budgets.iter().flat_map(|budget| &budget.requirements);
        let named: Vec<&String> =
            budgets.chain(self.report.checks.iter().flat_map(|check| &check.requirements)).collect();
        let known: Vec<&Requirement> =
            baseline().requirements.iter().filter(|known| named.contains(&&known.id)).collect();
        let content = html! {
            caption { "Texts of the requirements above; the whole baseline is part of an evidence bundle." }
            (head(&[Text("Requirement"), Wide("Text"), Wide("Criterion"), Text("Decided")]))
            tbody {
                @for known in &known {
                    tr id=(known.id) {
                        th scope="row" { span.id { (known.id) } " " (known.title) }
                        td { (known.text) } td { (known.criterion) } td { (known.decision) }
                    }
                }
            }
        };
        (!known.is_empty())
            .then(|| Section::new("requirements", "Texts of the requirements", table("Requirements", &content)))
    }
}

fn expectation_anchor(number: usize) -> String {
    format!("expectation-{number}")
}

fn group(name: &str) -> Markup {
    html! { tr.group { th scope="rowgroup" colspan="7" { (name) } } }
}

/// Ids of requirements, each unbroken; those of the baseline with their titles, and a link to their texts.
pub(super) fn requirements(ids: &[String]) -> Markup {
    html! {
        @for (at, id) in ids.iter().enumerate() {
            @if at > 0 { br; }
            @match baseline().get(id) {
                Some(known) => { a.id href={ "#" (id) } { (id) } " " (known.title) }
                None => { span.id { (id) } }
            }
        }
    }
}

/// An id as a statement: `no_write_without_consent` reads `no write without consent`.
pub(crate) fn statement(id: &str) -> String {
    id.replace(['_', '-'], " ")
}

/// The margin with its share of the limit, of a window its width.
pub(crate) fn margin(budget: &Budget) -> String {
    match words::margin_share(budget) {
        Some(share) => format!("{} ({share})", words::margin(budget)),
        None => words::margin(budget),
    }
}

/// The same for a cell of a table: the share below the margin.
pub(crate) fn margin_cell(budget: &Budget) -> Markup {
    html! { (words::margin(budget)) @if let Some(share) = words::margin_share(budget) { br; span.dim { (share) } } }
}

fn proof_of_budget(budget: &Budget) -> String {
    match (&budget.r#where, budget.n) {
        (_, 0) => "why not".to_owned(),
        (Some(place), 1) => place.clone(),
        (Some(place), n) => format!("{place}, worst of {}", words::grouped(n)),
        (None, n) => format!("worst of {}", words::grouped(n)),
    }
}

/// How often a check looked, and what it saw.
pub(crate) fn seen(check: &Check) -> String {
    let looked = words::looked(check);
    if check.detail.is_empty() { looked } else { format!("{}; {looked}", check.detail) }
}
