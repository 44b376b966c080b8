//! Traceability in both directions, with what is uncovered and what is orphaned.

use maud::{Markup, html};

use super::Evidence;
use super::page::{count, requirement_link, status};
use super::trace::{RowTrace, Status, Traced};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::section;
use crate::html::{head, rows, shape, table};
use crate::requirements::Scope;
use crate::verdict::RowVerdict;

impl Evidence<'_> {
    pub(super) fn traceability(&self) -> Markup {
        html! {
            p {
                "Both directions are read from the rows of executed runs, which carry the ids themselves; no list is kept beside them. "
                "Every single row of every run is in " a href="traceability.csv" { "traceability.csv" } "."
            }
            (section("forward", "From requirement to check", &self.forward()))
            (section("backward", "From check to requirement", &self.backward()))
            (section("uncovered", "Uncovered requirements", &self.uncovered()))
            (section("orphans", "Orphans", &self.orphans()))
        }
    }

    fn forward(&self) -> Markup {
        let content = html! {
            caption { "Requirements in scope, with the rows, runs and tests that stand for them; runs are those in which a row was judged" }
            (head(&[Text("Requirement"), Text("Status"), Wide("Checks and budgets"), Number("Runs"), Number("Tests"), Wide("What runs leave out")]))
            tbody { @for row in self.trace.rows.iter().filter(|row| row.requirement.scope == Scope::In) { (self.forward_row(row)) } }
        };
        table("From requirement to check", &content)
    }

    fn forward_row(&self, row: &Traced<'_>) -> Markup {
        let mut names: Vec<(&str, &str)> = row.proofs.iter().map(|proof| proof.name()).collect();
        names.sort_unstable();
        names.dedup();
        let statement = self.baseline.statements_of(&row.requirement.id).next();
        html! {
            tr {
                th scope="row" { (requirement_link(&row.requirement.id)) " " (row.requirement.title) }
                td { (status(row.status)) }
                td {
                    @if !names.is_empty() {
                        ul.plain {
                            @for (kind, id) in &names {
                                li { @if *kind == "scenario" { "scenario " (id) } @else { a href={ "#" (anchor(kind, id)) } { (rows::statement(id)) } } }
                            }
                        }
                    }
                }
                td.number { (row.runs().len()) }
                td.number { (row.tests.len()) }
                td { @if let Some(statement) = statement { (statement.text) } }
            }
        }
    }

    fn backward(&self) -> Markup {
        let content = html! {
            caption { "Every check and budget of every executed run" }
            (head(&[Text("Check or budget"), Text("Kind"), Wide("Requirements"), Wide("Verdicts in runs"), Text("Control")]))
            tbody { @for ((kind, id), row) in &self.trace.checks { (self.backward_row(kind, id, row)) } }
        };
        table("From check to requirement", &content)
    }

    fn backward_row(&self, kind: &str, id: &str, row: &RowTrace<'_>) -> Markup {
        let known = |id: &str| self.baseline.get(id).is_some();
        let verdicts = row.verdicts.iter().map(|(word, times)| format!("{times} {word}"));
        let control = self.bundle.controls.iter().find(|control| control.row == id);
        html! {
            tr id=(anchor(kind, id)) {
                th scope="row" { (rows::statement(id)) }
                td { (kind) }
                td {
                    @for id in &row.requirements {
                        @if known(id) { (requirement_link(id)) " " } @else { (shape::word(true, &format!("{id} is unknown"))) " " }
                    }
                    @if row.requirements.is_empty() { "none" }
                }
                td { (verdicts.collect::<Vec<_>>().join(", ")) }
                td {
                    @match control {
                        Some(control) => a href="controls.html" { @if control.red { "went red" } @else { "STAYED GREEN" } },
                        None => "none",
                    }
                }
            }
        }
    }

    fn uncovered(&self) -> Markup {
        let rows: Vec<&Traced<'_>> = self.trace.rows.iter().filter(|row| row.status == Status::Uncovered).collect();
        let content = html! {
            caption { "In scope, not judged by any executed run, and without a statement why not" }
            (head(&[Text("Requirement"), Text("Status"), Wide("What there is")]))
            tbody {
                @for row in &rows {
                    tr {
                        th scope="row" { (requirement_link(&row.requirement.id)) " " (row.requirement.title) }
                        td { (status(row.status)) }
                        td { (self.instead(row)) }
                    }
                }
            }
        };
        html! {
            p { (count(rows.len(), "requirement is", "requirements are")) " uncovered." }
            @if !rows.is_empty() { (table("Uncovered requirements", &content)) }
        }
    }

    fn orphans(&self) -> Markup {
        let without: Vec<&(&str, &str)> =
            self.trace.checks.iter().filter(|(_, row)| row.requirements.is_empty()).map(|(name, _)| name).collect();
        let judged = |verdict: RowVerdict| !matches!(verdict, RowVerdict::NotApplicable | RowVerdict::NotRun);
        let idle: Vec<&str> = self
            .runs()
            .filter(|(_, report)| {
                let rows = report.budgets.iter().map(|row| (row.verdict, &row.requirements));
                let rows = rows.chain(report.checks.iter().map(|row| (row.verdict, &row.requirements)));
                !rows.into_iter().any(|(verdict, requirements)| judged(verdict) && !requirements.is_empty())
            })
            .map(|(run, _)| run.name.as_str())
            .collect();
        html! {
            p { "Checks and budgets that name no requirement: " (list(without.iter().map(|(kind, id)| format!("{} ({kind})", rows::statement(id))).collect())) "." }
            p { "Runs that judged no row of any requirement: " (list(idle.iter().map(|name| (*name).to_owned()).collect())) "." }
            p { "Ids that no baseline has: " (list(self.trace.unknown.iter().map(|(id, by)| format!("{id}, named by {}", by.iter().cloned().collect::<Vec<_>>().join(", "))).collect())) "." }
        }
    }
}

fn list(words: Vec<String>) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join("; ") }
}

fn anchor(kind: &str, id: &str) -> String {
    format!("{kind}-{}", crate::words::slug(id))
}
