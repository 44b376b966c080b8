//! Structural coverage: lines and branches of the firmware that its tests reached, and why the others were not.
//!
//! A branch has two *outcomes*. Lines that stand one after another and have the same reason are told together.

use maud::{Markup, html};

use super::page::count;
use super::{Coverage, Evidence, FileCoverage, MissedLine};
use crate::html::Column::{Number, Text};
use crate::html::{head, shape, table};

/// Of more lines with one reason the first is shown, and how many follow.
const LINES_SHOWN: usize = 3;

impl Evidence<'_> {
    pub(super) fn structural_coverage(&self) -> Markup {
        match &self.bundle.coverage {
            Some(coverage) => measured(coverage),
            None => html! {
                p { (shape::word(true, "NOT MEASURED")) }
                p {
                    "Lines and branches of the firmware that were reached were not measured for this bundle. Measured with "
                    code { "firmware-under-test/coverage.sh" } " they enter by " code { "cooltwin evidence --coverage FILE" } "."
                }
            },
        }
    }
}

fn measured(coverage: &Coverage) -> Markup {
    let word = if coverage.is_explained() { "EXPLAINED" } else { "NOT EXPLAINED" };
    html! {
        p { (shape::word(!coverage.is_explained(), word)) " " (coverage.sentence()) "." }
        @for stale in &coverage.stale { p { (shape::word(true, "stale reason")) " " code { (stale) } } }
        (table("Structural coverage by crate", &crates(&coverage.files)))
        p { "What was not reached stands below by crate and file: the line, what stands there, and the reason. A branch has two outcomes. Files that are not named were reached whole." }
        @for group in groups(&coverage.files).filter(|group| !group.iter().all(is_whole)) {
            h3 { (place(&group[0].file).0) }
            @for file in group.iter().filter(|file| !is_whole(file)) { (gaps(file)) }
        }
    }
}

/// The crate of a file, and the file inside it.
fn place(file: &str) -> (&str, &str) {
    let inside = file.strip_prefix("firmware-under-test/").unwrap_or(file);
    inside.split_once("/src/").unwrap_or(("", inside))
}

/// Files by crate.
fn groups(files: &[FileCoverage]) -> impl Iterator<Item = &[FileCoverage]> {
    files.chunk_by(|a, b| place(&a.file).0 == place(&b.file).0)
}

fn crates(files: &[FileCoverage]) -> Markup {
    html! {
        caption { "Reached in each crate of the firmware under test; code for tests alone is left out" }
        (head(&[Text("Crate"), Number("Lines"), Number("Outcomes"), Number("Whole files")]))
        tbody {
            @for group in groups(files) { (sums(place(&group[0].file).0, group)) }
            (sums("all", files))
        }
    }
}

fn sums(name: &str, files: &[FileCoverage]) -> Markup {
    let sum = |of: fn(&FileCoverage) -> u64| files.iter().map(of).sum::<u64>();
    let reached = |reached: u64, of: u64| html! { (reached) " of " (of) br; (share(reached, of)) };
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (reached(sum(|file| file.lines_reached), sum(|file| file.lines))) }
            td.number { (reached(sum(|file| file.branches_reached), sum(|file| file.branches))) }
            td.number { (files.iter().filter(|file| is_whole(file)).count()) " of " (files.len()) }
        }
    }
}

fn is_whole(file: &FileCoverage) -> bool {
    file.missed.is_empty() && file.missed_branches.is_empty()
}

/// In tenths of a percent, rounded down: 100.0 % is everything.
fn share(reached: u64, of: u64) -> String {
    match reached.saturating_mul(1000).checked_div(of) {
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
        None => "-".to_owned(),
    }
}

/// What was not reached of a file.
fn gaps(file: &FileCoverage) -> Markup {
    html! {
        div.keep {
            p {
                strong { (place(&file.file).1) } ": " (file.lines_reached) " of " (file.lines) " lines, "
                (file.branches_reached) " of " (file.branches) " outcomes"
            }
            ul.plain {
                @for run in runs(&file.missed) { li { (lines(run)) " \u{2013} " (reason(&run[0].reason)) } }
                @if !file.missed_branches.is_empty() {
                    li { (outcomes(&file.missed_branches)) " \u{2013} " (reason(&file.branch_reason)) }
                }
            }
        }
    }
}

/// Lines with the same reason; each line without one stands alone.
fn runs(missed: &[MissedLine]) -> impl Iterator<Item = &[MissedLine]> {
    missed.chunk_by(|a, b| a.reason == b.reason && !a.reason.is_empty())
}

/// Where these lines are and what stands there.
fn lines(run: &[MissedLine]) -> Markup {
    let (first, last) = (&run[0], &run[run.len() - 1]);
    let shown = if run.len() > LINES_SHOWN { &run[..1] } else { run };
    html! {
        @if run.len() == 1 { "line " (first.line) } @else { "lines " (first.line) " to " (last.line) }
        @for line in shown { " " code { (line.text) } }
        @if shown.len() < run.len() { " and " (count(run.len() - shown.len(), "line more", "lines more")) }
    }
}

/// How many outcomes were not reached, and on which lines.
fn outcomes(lines: &[u64]) -> String {
    let mut places: Vec<String> = lines.iter().map(u64::to_string).collect();
    places.dedup();
    let on = if places.len() == 1 { "line" } else { "lines" };
    format!("{} on {on} {}", count(lines.len(), "outcome", "outcomes"), places.join(", "))
}

fn reason(text: &str) -> Markup {
    html! { @if text.is_empty() { strong { "no reason given" } } @else { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(line: u64, reason: &str) -> MissedLine {
        MissedLine { line, text: format!("text {line}"), reason: reason.to_owned() }
    }

    #[test]
    fn lines_of_one_reason_are_told_together_and_those_without_one_alone() {
        let list = [missed(1, "a"), missed(2, "a"), missed(5, "b"), missed(6, ""), missed(7, "")];
        let told: Vec<String> = runs(&list).map(|run| lines(run).into_string()).collect();
        let wanted = [
            "lines 1 to 2 <code>text 1</code> <code>text 2</code>",
            "line 5 <code>text 5</code>",
            "line 6 <code>text 6</code>",
            "line 7 <code>text 7</code>",
        ];
        assert_eq!(told, wanted);
        let long: Vec<MissedLine> = (10..20).map(|line| missed(line, "c")).collect();
        assert_eq!(lines(&long).into_string(), "lines 10 to 19 <code>text 10</code> and 9 lines more");
    }

    #[test]
    fn a_share_is_whole_only_if_everything_was_reached() {
        assert_eq!([share(3, 3), share(9_999, 10_000), share(0, 7), share(0, 0)], ["100.0 %", "99.9 %", "0.0 %", "-"]);
    }

    #[test]
    fn a_file_is_named_by_its_crate_and_its_place_there() {
        assert_eq!(
            place("firmware-under-test/safety-cpu1/src/configuration/mod.rs"),
            ("safety-cpu1", "configuration/mod.rs")
        );
        assert_eq!(place("elsewhere.rs"), ("", "elsewhere.rs"));
    }
}
