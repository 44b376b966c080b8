//! The first page: how the bundle stands, each requirement with its worst case, each run.

use maud::{Markup, html};

use super::page::{count, requirement_link, status};
use super::trace::{Proof, ProofRow, Traced};
use super::{Evidence, NotRun, Origin, RunRecord, Status};
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::section;
use crate::html::{head, rows, shape, signatures, table};
use crate::report::{Check, Report};
use crate::requirements::Scope;
use crate::verdict::{RowVerdict, Verdict};
use crate::words;

/// Rows without a measurement that are named of a requirement.
const SILENT_SHOWN: usize = 3;

impl Evidence<'_> {
    pub(super) fn index(&self) -> Markup {
        html! {
            (self.identity())
            (section("conclusion", "What is claimed", &self.conclusion()))
            (section("counts", "Planned and executed", &self.counts()))
            (section("requirements", "Requirements in scope", &self.verdict_table()))
            (section("runs", "Runs", &self.run_table()))
            (section("files", "Files of this bundle", &files()))
            (signatures())
        }
    }

    fn identity(&self) -> Markup {
        let (head, program) = (&self.bundle.head, &self.bundle.program);
        let given = |text: &str| if text.is_empty() { "not given".to_owned() } else { text.to_owned() };
        html! {
            dl.facts {
                dt { "Document" } dd { (given(&head.id)) }
                dt { "Date, author" } dd { (given(&head.date)) ", " (given(&head.author)) }
                dt { "Item under test" } dd { "firmware crates of sources " code { (program.commit) } " (" a href="tool.html#build" { "hashes" } ")" }
                @if program.commit.ends_with("-dirty") {
                    dt { "Sources" } dd { strong { "They had changes that are in no commit." } }
                }
                @if !self.bundle.inputs.changed.is_empty() {
                    dt { "Scenarios" } dd { strong { "Changed since the commit: " (self.bundle.inputs.changed.join(", ")) "." } }
                }
                dt { "Tool" } dd { "cooltwin " (program.version) ", rustc " (program.rustc) }
                dt { "Baseline" } dd { (self.baseline.requirements.len()) " requirements (" a href="requirements.html" { "texts" } ")" }
                dt { "Integrity" } dd { code { "cooltwin verify" } " checks every file against " a href="manifest.sha256" { "manifest.sha256" } " and runs every run again" }
            }
        }
    }

    fn conclusion(&self) -> Markup {
        let runs = self.bundle.runs.iter().filter(|run| run.is_of(&self.bundle.program)).count();
        let of = |status: Status| self.trace.count(status);
        let in_scope = self.trace.rows.iter().filter(|row| row.requirement.scope == Scope::In).count();
        let shown = of(Status::Verified) + of(Status::Information);
        let verified = self.trace.rows.iter().filter(|row| row.status == Status::Verified);
        let (whole, partly): (Vec<_>, Vec<_>) = verified.partition(|row| row.expected().is_empty());
        html! {
            p {
                "In " (count(runs, "run", "runs")) " of the scenarios named below, with the seeds and assumptions named there, "
                (shown) " of " (in_scope) " requirements in scope were judged by rows of executed runs; "
                "held in every row of every run: " (whole.len()) "; held but for rows that fail, or are not measured, as their scenarios expect: "
                (partly.len()) @if !partly.is_empty() { " (" @for (at, row) in partly.iter().enumerate() { @if at > 0 { ", " } a href={ "#of-" (row.requirement.id) } { (row.requirement.id) } } ")" }
                "; shown for information: " (of(Status::Information)) "; failed: "
                (of(Status::Failed)) "; not measured where they should have been: " (of(Status::Inconclusive)) "."
            }
            p {
                "Not shown by any run: " (of(Status::Tested)) " by passed tests of the crates, " (of(Status::Construction))
                " by construction, " (of(Status::Elsewhere)) " to be verified by another method, "
                strong { (of(Status::Uncovered)) " uncovered" } " (" a href="traceability.html#uncovered" { "list" } ")."
            }
            p {
                "Not claimed: behaviour on the target hardware, execution times, rates of success, and anything that the "
                a href="tool.html#limits" { "limits of the model" } " leave out. A worst case is the worst of the rows that count here, and no bound."
            }
        }
    }

    fn counts(&self) -> Markup {
        let bundle = self.bundle;
        let of = |origin: Origin| bundle.runs.iter().filter(|run| run.origin == origin).count();
        let (executed, stored) = (of(Origin::Run), of(Origin::Stored));
        let sum = executed + stored + bundle.invalid.len() + bundle.skipped.len();
        let equal = bundle.runs.iter().filter(|run| run.origin == Origin::Run && run.difference.is_none()).count();
        html! {
            p {
                (bundle.planned.len()) " planned = " (executed) " executed + " (stored) " stored + " (bundle.invalid.len()) " invalid + "
                (bundle.skipped.len()) " skipped. "
                @if sum != bundle.planned.len() { (shape::word(true, "THE COUNTS DO NOT ADD UP")) }
            }
            p {
                "Each executed run was made twice: " (equal) " of " (executed) " gave the same trace and result both times. "
                (bundle.controls.iter().filter(|control| control.red).count()) " of " (bundle.controls.len())
                " must-fail " a href="controls.html" { "controls" } " went red."
            }
            (not_run("Invalid runs", &bundle.invalid))
            (not_run("Skipped", &bundle.skipped))
            @let bad: Vec<&RunRecord> = bundle.runs.iter().filter(|run| run.verdict_here(&bundle.program) != Verdict::Pass && !run.stated).collect();
            @if !bad.is_empty() {
                p { strong { "Runs that did not pass:" } }
                ul.plain { @for run in bad { li { a href={ (run.folder) "/report.html" } { (run.name) } ", seed " (run.seed) ": " (self.run_verdict(run)) } } }
            }
            @if let Some(drift) = &bundle.drift {
                details #drift { summary { "Margins against the committed baseline: " (drift.lines().next().unwrap_or_default()) } pre tabindex="0" { (drift) } }
            }
        }
    }

    fn verdict_table(&self) -> Markup {
        let content = html! {
            caption {
                "The worst of the rows that passed stands for a requirement, or a row that did not pass; it leads to its proof. Rows that "
                "fail, or are not measured, as their scenarios expect stand beside it. What was never run is "
                a href="traceability.html#uncovered" { "uncovered" } ", and never a pass."
            }
            colgroup { @for share in [13, 15, 24, 10, 10, 11, 11, 6] { col style={ "width:" (share) "%" }; } }
            (head(&[Text("Requirement"), Text("Verdict"), Wide("Row"), Number("Worst case"), Number("Limit"), Number("Margin"), Text("Rows"), Number("Runs")]))
            tbody { @for row in self.trace.rows.iter().filter(|row| row.requirement.scope == Scope::In) { (self.verdict_row(row)) } }
        };
        table("Requirements in scope", &content)
    }

    fn verdict_row(&self, row: &Traced<'_>) -> Markup {
        html! {
            tr id={ "of-" (row.requirement.id) } {
                th.rows scope="row" { (requirement_link(&row.requirement.id)) " " (row.requirement.title) }
                td { (status(row.status)) }
                @match row.worst() {
                    Some(proof) => {
                        td { a href=(proof.href) { (rows::statement(proof.name().1)) } br; (place(proof)) (expected(row)) }
                        (numbers(proof))
                    }
                    None => td colspan="4" { (self.instead(row)) },
                }
                td { (rows_of(row)) }
                td.number { (row.runs().len()) }
            }
        }
    }

    /// What stands for a requirement without a judged row.
    pub(super) fn instead(&self, row: &Traced<'_>) -> Markup {
        let statement = self.baseline.statements_of(&row.requirement.id).next();
        html! {
            @if !row.tests.is_empty() { (tests_words(row)) " " }
            @match statement {
                Some(statement) => {
                    (statement.text)
                    @if !statement.method.is_empty() { " Shown by: " (statement.method) " (" (statement.owner) ")." }
                }
                None if row.tests.is_empty() => "No run of this bundle and no test names it.",
                None => "No run of this bundle judged it.",
            }
        }
    }

    fn run_table(&self) -> Markup {
        let content = html! {
            caption { "In the order of the plan. The title leads to the page of the run." }
            (head(&[Text("Scenario"), Wide("Title"), Number("Seed"), Text("Verdict"), Text("Twice the same"), Number("Simulated"), Number("Faults"), Text("Raw data")]))
            tbody { @for (run, report) in self.runs() { (self.run_row(run, report)) } }
        };
        table("Runs", &content)
    }

    fn run_row(&self, run: &RunRecord, report: &Report) -> Markup {
        let title = if report.scenario.title.is_empty() { &run.name } else { &report.scenario.title };
        let folder = &run.folder;
        html! {
            tr {
                th scope="row" { (run.name) }
                td { a href={ (folder) "/report.html" } { (title) } }
                td.number { (run.seed) }
                td { (self.run_verdict(run)) }
                td { (repeats(run)) }
                td.number { (words::duration(report.simulated_ms)) }
                td.number { (report.injections.len()) }
                td.links {
                    a href={ (folder) "/result.json" } { "result" }
                    @match &report.events {
                        Some(_) if run.events_kept => { " " a href={ (folder) "/events.jsonl" } { "events" } }
                        Some(log) => { " events not kept: " (words::grouped(log.lines)) " lines" }
                        None => {}
                    }
                    " " a href={ (folder) "/scenario.ron" } { "scenario" }
                }
            }
        }
    }

    fn run_verdict(&self, run: &RunRecord) -> Markup {
        let verdict = row_of(run.verdict_here(&self.bundle.program));
        html! {
            (shape::row(verdict))
            @if run.stated { " as its scenario states" }
            @if run.retries > 0 { ", " (words::count(run.retries, "retry", "retries")) }
            @if !run.is_of(&self.bundle.program) { ", stored result of another program: " code { (run.build.commit) } }
        }
    }
}

fn row_of(verdict: Verdict) -> RowVerdict {
    match verdict {
        Verdict::Pass => RowVerdict::Pass,
        Verdict::Inconclusive => RowVerdict::Inconclusive,
        Verdict::Fail => RowVerdict::Fail,
        Verdict::Error => RowVerdict::Error,
    }
}

fn repeats(run: &RunRecord) -> Markup {
    match (&run.difference, run.origin) {
        (Some(difference), _) => html! { (shape::word(true, "DIFFERENT")) " " (difference) },
        (None, Origin::Run) => shape::word(false, "equal"),
        (None, Origin::Stored) => html! { "not run again" },
    }
}

fn not_run(title: &str, list: &[NotRun]) -> Markup {
    html! {
        @if !list.is_empty() {
            p { strong { (title) ":" } }
            ul.plain { @for each in list { li { (each.planned.name) ", seed " (each.planned.seed) ": " (each.why) } } }
        }
    }
}

/// Worst case, limit and margin of a proof, in three cells.
pub(super) fn numbers(proof: &Proof<'_>) -> Markup {
    match proof.row {
        ProofRow::Budget(budget) => html! {
            td.number { (budget.measured.map_or_else(|| "not measured".to_owned(), |value| words::value(budget, value))) }
            td.number { (words::limit(budget)) }
            td.number { (rows::margin_cell(budget)) }
        },
        ProofRow::Check(check) => html! {
            td colspan="3" { (looked(check)) }
        },
        ProofRow::Scenario => html! { td colspan="3" { "all that the scenario expects" } },
    }
}

/// How often a check looked, and what it saw. One that never looked did not hold.
fn looked(check: &Check) -> String {
    let held = if check.verdict == RowVerdict::Pass && check.detail.is_empty() { "held, " } else { "" };
    format!("{held}{}", rows::seen(check))
}

/// The rows that did not pass, as their scenarios expect: how many, and the worst of them.
fn expected(row: &Traced<'_>) -> Markup {
    let (broken, silent): (Vec<&Proof<'_>>, Vec<&Proof<'_>>) =
        row.expected().into_iter().partition(|proof| proof.verdict == RowVerdict::ExpectedFail);
    let link = |proof: &Proof<'_>| {
        let number = match proof.row {
            ProofRow::Budget(budget) => {
                budget.measured.map(|value| (words::value(budget, value), words::margin(budget)))
            }
            ProofRow::Check(_) | ProofRow::Scenario => None,
        };
        html! { a href=(proof.href) { (proof.run.name) @if let Some((value, margin)) = number { ", " (value) ", margin " (margin) } } }
    };
    html! {
        @if let Some(worst) = broken.first() {
            br; (count(broken.len(), "row fails", "rows fail")) " as expected" @if broken.len() > 1 { ", the worst" } ": " (link(worst))
        }
        @if !silent.is_empty() {
            br; (count(silent.len(), "row is", "rows are")) " not measured, as stated: "
            @for (at, proof) in silent.iter().take(SILENT_SHOWN).enumerate() { @if at > 0 { ", " } (link(proof)) }
            @if silent.len() > SILENT_SHOWN { " and " (silent.len() - SILENT_SHOWN) " more" }
        }
    }
}

/// Where a proof is: the run, and the place in it.
pub(super) fn place(proof: &Proof<'_>) -> String {
    let place = match proof.row {
        ProofRow::Budget(budget) => budget.r#where.as_deref(),
        ProofRow::Check(_) | ProofRow::Scenario => None,
    };
    place.map_or_else(|| proof.run.name.clone(), |place| format!("{}: {place}", proof.run.name))
}

/// How many rows judged a requirement, and how.
fn rows_of(row: &Traced<'_>) -> String {
    let kinds = [
        RowVerdict::Error,
        RowVerdict::Fail,
        RowVerdict::Pass,
        RowVerdict::ExpectedFail,
        RowVerdict::Inconclusive,
        RowVerdict::Info,
    ];
    let told = kinds.iter().map(|verdict| (row.count(*verdict), verdict.word())).filter(|(count, _)| *count > 0);
    let words: Vec<String> = told.map(|(count, word)| format!("{count} {word}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// What is known of the tests that name a requirement.
pub(super) fn tests_words(row: &Traced<'_>) -> String {
    let passed = row.tests.iter().filter(|(_, passed)| *passed).count();
    let tests = count(row.tests.len(), "test of the firmware names it", "tests of the firmware name it");
    match passed {
        0 => format!("{tests}; none was executed for this bundle."),
        all if all == row.tests.len() => format!("{tests}, and passed in the log that was given."),
        some => format!("{tests}; {some} of them passed in the log that was given, the others are not in it."),
    }
}

fn files() -> Markup {
    let list = [
        ("requirements.csv", "each requirement with status, worst case, limit, margin and proof"),
        ("traceability.csv", "each requirement with every row of every run that stands for it"),
        ("budgets.csv", "every budget of every run, exact numbers"),
        ("faults.csv", "every injected fault with its proof and its class"),
        ("junit.xml", "all runs, and what is asked of the bundle as a whole"),
        ("summary.md", "for a code review"),
        ("needs.json", "requirements, checks and runs for sphinx-needs"),
        ("bundle.json", "the record that these pages are made from, with the results of the runs"),
        ("sources/sources.sha256", "SHA-256 of every source file"),
        ("sources/Cargo.lock", "all dependencies with their versions"),
        ("manifest.sha256", "SHA-256 of every file of this bundle"),
    ];
    let content = html! {
        caption { "Beside the pages and the folders " code { "runs" } ", " code { "requirements" } " and " code { "sources" } }
        (head(&[Text("File"), Wide("Holds")]))
        tbody { @for (file, holds) in list { tr { th scope="row" { a href=(file) { (file) } } td { (holds) } } } }
    };
    table("Files", &content)
}
