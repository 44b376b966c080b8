//! Markdown: a summary of one or several runs for a code review or the page of a CI job.
//!
//! One line of verdict, a table with what did not pass first, then the findings of each run that did not pass. Short,
//! because such pages refuse a long one; no pictures, because they cannot show files.

use std::fmt::Write as _;

use crate::report::{BUDGET_PUMP_UPDATE, Budget, Report};
use crate::terminal::{self, findings};
use crate::verdict::Verdict;
use crate::words;

/// Findings that are listed for each run.
const FINDINGS_MAX: usize = 20;

/// Renders the summary of the runs; its commands are for the folder of each scenario file.
#[must_use]
pub fn markdown(reports: &[&Report]) -> String {
    markdown_as_typed(&not_typed(reports))
}

/// A run, and the path of its scenario file as it is typed here, where that is known. A result does not know it: it is the
/// same in any folder.
pub type Typed<'a> = (&'a Report, Option<String>);

/// Runs whose paths are not known.
pub(crate) fn not_typed<'a>(reports: &[&'a Report]) -> Vec<Typed<'a>> {
    reports.iter().map(|report| (*report, None)).collect()
}

/// [`markdown`] with commands for this folder.
#[must_use]
pub fn markdown_as_typed(runs: &[Typed<'_>]) -> String {
    let mut runs: Vec<&Typed<'_>> = runs.iter().collect();
    runs.sort_by_key(|(report, _)| (report.is_inconclusive_as_stated(), std::cmp::Reverse(report.verdict)));
    // Those that passed stay behind all others.
    runs.sort_by_key(|(report, _)| report.verdict == Verdict::Pass);
    let sorted: Vec<&Report> = runs.iter().map(|(report, _)| *report).collect();
    let mut text = format!("## cooltwin: {}\n\n", headline(&sorted));
    text.push_str("| Scenario | Seed | Verdict | Slowest update | Margin | Tightest budget | Margin | Trace |\n");
    text.push_str("| --- | ---: | --- | ---: | ---: | --- | ---: | --- |\n");
    for report in &sorted {
        row(&mut text, report);
    }
    for report in &sorted {
        safety_frames(&mut text, report);
    }
    for (report, file) in runs.iter().filter(|(report, _)| report.verdict != Verdict::Pass) {
        details(&mut text, report, file.as_deref());
    }
    text
}

/// The word is that of the gravest run that did not end as its scenario states; the rest is counted. Runs of which none passed
/// are no pass.
fn headline(sorted: &[&Report]) -> String {
    if sorted.is_empty() {
        return "nothing was run".to_owned();
    }
    let all = words::count(sorted.len() as u64, "run", "runs");
    let passed = sorted.iter().filter(|report| report.verdict == Verdict::Pass).count();
    let stated = sorted.iter().filter(|report| report.is_inconclusive_as_stated()).count();
    let worst = sorted.iter().filter(|report| !report.is_inconclusive_as_stated()).map(|report| report.verdict).max();
    let worst = worst.unwrap_or(Verdict::Inconclusive).word().to_uppercase();
    let broken = match sorted.len() - passed - stated {
        0 => all,
        broken => format!("{broken} of {all} did not pass"),
    };
    let stated = if stated == 0 { String::new() } else { format!(", {stated} {AS_STATED}") };
    format!("{worst}, {broken}{stated}")
}

/// What is said of runs that are inconclusive because their scenarios want just that.
const AS_STATED: &str = "inconclusive as stated";

/// The verdict of a run in capitals, marked where the scenario states it.
fn verdict_words(report: &Report) -> String {
    if report.is_inconclusive_as_stated() {
        return format!("{}, as stated", report.verdict.word().to_uppercase());
    }
    report.verdict.word().to_uppercase()
}

fn row(text: &mut String, report: &Report) {
    let update = report.budget(BUDGET_PUMP_UPDATE);
    let cell = |budget: Option<&Budget>| {
        let measured = budget.and_then(|budget| Some((budget, budget.measured?)));
        measured.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |(budget, value)| (words::value(budget, value), words::margin(budget)),
        )
    };
    let (time, margin) = cell(update);
    let tightest = report.tightest();
    let name = tightest.map_or_else(|| "-".to_owned(), |budget| budget.id.clone());
    let (_, least) = cell(tightest);
    let trace: String = report.fingerprint.all.chars().take(12).collect();
    let cells = [
        escaped(&report.scenario.name) + &set_words(report),
        report.seed.to_string(),
        verdict_words(report),
        time,
        margin,
        escaped(&name),
        least,
        format!("`{trace}`"),
    ];
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// What the safety frames cost the updates of a run.
fn safety_frames(text: &mut String, report: &Report) {
    let Some(frames) = &report.safety_frames else { return };
    let times: Vec<String> = frames.times.iter().map(|time| words::frames_time(time).join(", ")).collect();
    let told = if times.is_empty() { words::not_compared(frames) } else { times.join("; ") };
    let _ = writeln!(text, "\nSafety frames, {}: {}", escaped(&report.scenario.name), escaped(&told));
}

/// What was set beside the scenario's own values; the seed has a column of its own.
fn set_words(report: &Report) -> String {
    let set = terminal::set_arguments(report).map(|change| escaped(&format!(" --set {}", change.trim())));
    set.collect()
}

fn details(text: &mut String, report: &Report, file: Option<&str>) {
    let findings = findings(report);
    let (name, verdict) = (escaped(&report.scenario.name), verdict_words(report));
    let open = if report.is_inconclusive_as_stated() { "" } else { " open" };
    let _ = writeln!(text, "\n<details{open}><summary>{verdict} {name}</summary>\n");
    for (verdict, finding) in findings.iter().take(FINDINGS_MAX) {
        let _ = writeln!(text, "- **{}** {}", verdict.word(), escaped(finding));
    }
    if findings.len() > FINDINGS_MAX {
        let _ = writeln!(text, "- and {} more", findings.len() - FINDINGS_MAX);
    }
    let place = if file.is_none() { "\nIn the folder of the scenario file:\n" } else { "" };
    let command = terminal::command_as_typed(report, file);
    let _ = writeln!(text, "{place}\n```sh\n{command}\n```\n\n</details>");
}

/// Text that Markdown shows as it is.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
