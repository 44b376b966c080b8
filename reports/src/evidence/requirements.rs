//! The requirement baseline with what became of each row of it.

use maud::{Markup, html};

use super::Evidence;
use super::index::{numbers, place, tests_words};
use super::page::{count, status};
use super::trace::{Proof, Traced};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::section;
use crate::html::{head, rows, shape, table};
use crate::requirements::{Scope, StatementKind, baseline_files};
use crate::verdict::RowVerdict;

/// Rows of runs that are shown of a requirement; the rest is in traceability.csv.
const PROOFS_SHOWN: usize = 12;

impl Evidence<'_> {
    pub(super) fn requirements(&self) -> Markup {
        html! {
            p {
                "The baseline is part of the program that made this bundle and a copy of its tables stands in the folder "
                code { "requirements" } ". Texts are our own words; ids are those of the source documents."
            }
            (table("Tables of the baseline", &tables()))
            (section("in-scope", "In scope", &html! { @for row in self.of_scope(true) { (self.article(row)) } }))
            (section("elsewhere", "Not verified here: why, by which other method, and who owns it", &self.elsewhere()))
            (section("out-of-scope", "Not in scope", &self.out_of_scope()))
        }
    }

    fn of_scope(&self, wanted: bool) -> impl Iterator<Item = &Traced<'_>> {
        self.trace.rows.iter().filter(move |row| (row.requirement.scope == Scope::In) == wanted)
    }

    fn article(&self, row: &Traced<'_>) -> Markup {
        let requirement = row.requirement;
        html! {
            article id=(requirement.id) {
                h3 { (requirement.id) " " (requirement.title) " " (status(row.status)) }
                p { (requirement.text) }
                p { strong { "Held when: " } (requirement.criterion) }
                @if !requirement.decision.is_empty() { p { strong { "Decided: " } (requirement.decision) } }
                p.note { "Method " (requirement.method) ", revision " (requirement.revision) ", SHA-256 " code { (requirement.sha256()) } }
                (self.statements(row))
                @if !row.tests.is_empty() { (tests(row)) }
                @if row.proofs.iter().any(Proof::is_judged) { (proofs(row)) }
            }
        }
    }

    fn statements(&self, row: &Traced<'_>) -> Markup {
        html! {
            @for statement in self.baseline.statements_of(&row.requirement.id) {
                p {
                    strong {
                        @match statement.kind {
                            StatementKind::Construction => "By construction: ",
                            StatementKind::Part => "Not in any run: ",
                            StatementKind::Elsewhere => "Not verified here: ",
                        }
                    }
                    (statement.text)
                    @if !statement.method.is_empty() { " Shown by: " (statement.method) " (" (statement.owner) ")." }
                }
            }
        }
    }

    fn elsewhere(&self) -> Markup {
        let content = html! {
            caption { "Whole requirements and parts of them that no run of the twin can show" }
            (head(&[Text("Requirement"), Text("What"), Wide("Why"), Wide("Other method"), Text("Owner")]))
            tbody {
                @for statement in self.baseline.statements.iter().filter(|statement| !statement.method.is_empty()) {
                    tr {
                        th scope="row" { a.id href={ "#" (statement.requirement) } { (statement.requirement) } }
                        td { (what(statement.kind)) }
                        td { (statement.text) } td { (statement.method) } td { (statement.owner) }
                    }
                }
            }
        };
        table("Not verified here", &content)
    }

    fn out_of_scope(&self) -> Markup {
        let content = html! {
            caption { "Listed so that nothing falls out of the baseline in silence" }
            (head(&[Text("Requirement"), Text("Scope"), Wide("Text"), Wide("Decided")]))
            tbody {
                @for row in self.of_scope(false) {
                    tr id=(row.requirement.id) {
                        th scope="row" { span.id { (row.requirement.id) } " " (row.requirement.title) }
                        td { (shape::named(RowVerdict::NotApplicable, row.requirement.scope.word())) }
                        td { (row.requirement.text) } td { (row.requirement.decision) }
                    }
                }
            }
        };
        table("Not in scope", &content)
    }
}

fn tables() -> Markup {
    html! {
        caption { "Tables of the baseline" }
        (head(&[Text("File"), Wide("SHA-256")]))
        tbody {
            @for (name, text) in baseline_files() {
                tr { th scope="row" { a href={ "requirements/" (name) } { (name) } } td { code { (crate::sha256(text.as_bytes())) } } }
            }
        }
    }
}

const fn what(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Construction => "review beside the construction",
        StatementKind::Part => "a part",
        StatementKind::Elsewhere => "the whole",
    }
}

fn tests(row: &Traced<'_>) -> Markup {
    html! {
        details {
            summary { (tests_words(row)) }
            ul.plain {
                @for (test, passed) in &row.tests {
                    li { code { (test.name) } " in " code { (test.file) } @if *passed { ": passed" } }
                }
            }
        }
    }
}

fn proofs(row: &Traced<'_>) -> Markup {
    let mut judged: Vec<&Proof<'_>> = row.proofs.iter().filter(|proof| proof.is_judged()).collect();
    // What did not simply pass is never among those left out.
    judged.sort_by_key(|proof| proof.verdict == RowVerdict::Pass);
    let plain = judged.iter().filter(|proof| proof.verdict == RowVerdict::Pass).count();
    let shown = judged.len().min((judged.len() - plain) + PROOFS_SHOWN);
    let content = html! {
        caption {
            (count(judged.len(), "judged row", "judged rows"))
            @if shown < judged.len() { "; the " (shown) " here are all that did not simply pass and some that did, the rest is in traceability.csv" }
        }
        (head(&[Text("Row"), Text("Verdict"), Number("Worst case"), Number("Limit"), Number("Margin"), Text("Proof")]))
        tbody {
            @for proof in &judged[..shown] {
                tr {
                    td { (rows::statement(proof.name().1)) }
                    td { (shape::row(proof.verdict)) @if proof.run.stated { " as stated" } }
                    (numbers(proof))
                    td { a href=(proof.href) { (place(proof)) } }
                }
            }
        }
    };
    table(&format!("Rows for {}", row.requirement.id), &content)
}
