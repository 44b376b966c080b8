//! The last block: what did not simply pass, the verdict, and the command that does it again.

use super::page::{Line, Page, Style};
use super::{rows, words};
use crate::report::{Check, Report};
use crate::verdict::{RowVerdict, Verdict};

/// Checks that never looked are told one by one up to so many: more of them have one reason, and it is not theirs.
const SILENT_MOST: usize = 3;

/// The section at the end.
pub(super) fn section(page: &mut Page, report: &Report, file: Option<&str>) {
    let found = findings(report);
    for (verdict, text) in &found {
        rows::row(page, *verdict, text);
    }
    if !found.is_empty() {
        page.blank();
    }
    let (style, word) = words::run_word(report.verdict);
    let mut line = Line::new();
    line.put(style, &word);
    line.gap(2);
    page.flow(line, Style::Plain, &summary(report));
    // Not broken into lines: it is there to be copied.
    let mut line = Line::new();
    line.put(Style::Cool, &command_as_typed(report, file));
    page.line(line);
}

/// Whether a row is worth a line even when little is printed.
fn is_finding(verdict: RowVerdict) -> bool {
    !matches!(verdict, RowVerdict::Pass | RowVerdict::Info | RowVerdict::NotApplicable)
}

/// The rows that did not simply pass as sentences, the gravest first.
pub(crate) fn findings(report: &Report) -> Vec<(RowVerdict, String)> {
    let mut found: Vec<(RowVerdict, String)> = Vec::new();
    found.extend(report.budgets.iter().map(|row| (row.verdict, format!("budget {}", rows::budget_words(row)))));
    let is_silent = |row: &&Check| row.n == 0 && row.verdict == RowVerdict::Inconclusive;
    let silent: Vec<&Check> = report.checks.iter().filter(is_silent).collect();
    let told = report.checks.iter().filter(|row| silent.len() <= SILENT_MOST || !is_silent(row));
    found.extend(told.map(|row| (row.verdict, format!("check {}", rows::check_words(row)))));
    if silent.len() > SILENT_MOST {
        let ids: Vec<&str> = silent.iter().map(|row| row.id.as_str()).collect();
        found.push((RowVerdict::Inconclusive, format!("{} checks never looked: {}", silent.len(), ids.join(", "))));
    }
    found.extend(report.expectations.iter().map(|row| (row.verdict, rows::expectation_words(row))));
    let idle = report.injections.iter().filter(|injection| injection.proven() == 0);
    found.extend(
        idle.map(|one| (RowVerdict::Inconclusive, format!("injection {}: {}", one.id, rows::injection_words(one)))),
    );
    found.retain(|(verdict, _)| is_finding(*verdict));
    found.sort_by_key(|(verdict, _)| gravity(*verdict));
    found
}

fn gravity(verdict: RowVerdict) -> u8 {
    match verdict {
        RowVerdict::Error => 0,
        RowVerdict::Fail => 1,
        RowVerdict::Inconclusive | RowVerdict::NotRun => 2,
        RowVerdict::ExpectedFail => 3,
        RowVerdict::Pass | RowVerdict::Info | RowVerdict::NotApplicable => 4,
    }
}

/// The verdict in one sentence.
pub(crate) fn summary(report: &Report) -> String {
    let name = &report.scenario.name;
    let bad: &[RowVerdict] = match report.verdict {
        Verdict::Pass => return format!("{name}: {}", all_held(report)),
        Verdict::Inconclusive => &[RowVerdict::Inconclusive, RowVerdict::NotRun],
        Verdict::Fail => &[RowVerdict::Fail],
        Verdict::Error => &[RowVerdict::Error],
    };
    let errors = report.checks.iter().filter(|check| check.verdict == RowVerdict::Error && !check.detail.is_empty());
    let errors: Vec<&str> = errors.map(|check| check.detail.as_str()).collect();
    if !errors.is_empty() {
        // Why the run went wrong is the whole story; the rows that it left open are not.
        return format!("{name}: {}", errors.join("; "));
    }
    let what = match report.verdict {
        Verdict::Inconclusive => "could not be judged",
        Verdict::Error => "ended in an error",
        Verdict::Fail | Verdict::Pass => "failed",
    };
    let mut parts: Vec<String> = Vec::new();
    for (one, many, verdicts) in row_groups(report) {
        let count = verdicts.iter().filter(|verdict| bad.contains(verdict)).count();
        if count > 0 {
            parts.push(format!("{count} of {}", words::count(verdicts.len() as u64, one, many)));
        }
    }
    let idle = report.injections.iter().filter(|injection| injection.proven() == 0).count();
    let idle = match (report.verdict, idle) {
        (Verdict::Inconclusive, 1..) => {
            let all = words::count(report.injections.len() as u64, "injection", "injections");
            let never = report.injections.iter().all(|injection| injection.missing == 0);
            let how = if never { "never acted" } else { "never acted, or less often than asked for" };
            Some(format!("{idle} of {all} {how}"))
        }
        _ => None,
    };
    let rows = (!parts.is_empty()).then(|| format!("{} {what}", words::list(&parts)));
    let reasons: Vec<String> = rows.into_iter().chain(idle).collect();
    let reasons = if reasons.is_empty() { "nothing was judged".to_owned() } else { reasons.join("; ") };
    format!("{name}: {reasons}")
}

/// The verdicts of budgets, checks and expectations, with what one and many of them are called.
fn row_groups(report: &Report) -> [(&'static str, &'static str, Vec<RowVerdict>); 3] {
    [
        ("budget", "budgets", report.budgets.iter().map(|row| row.verdict).collect()),
        ("check", "checks", report.checks.iter().map(|row| row.verdict).collect()),
        ("expectation", "expectations", report.expectations.iter().map(|row| row.verdict).collect()),
    ]
}

/// A pass in figures, failures that were expected included.
fn all_held(report: &Report) -> String {
    let held = |verdicts: &[RowVerdict]| verdicts.iter().filter(|verdict| **verdict == RowVerdict::Pass).count();
    let groups = row_groups(report);
    let expected = groups.iter().flat_map(|(_, _, rows)| rows).filter(|row| **row == RowVerdict::ExpectedFail).count();
    let parts: Vec<String> = groups
        .iter()
        .map(|(one, many, rows)| (held(rows), *one, *many))
        .filter(|(count, _, _)| *count > 0)
        .map(|(count, one, many)| words::count(count as u64, one, many))
        .collect();
    let held = if parts.is_empty() { String::new() } else { format!("{} held", words::list(&parts)) };
    let expected = match expected {
        0 => String::new(),
        1 => "1 row failed as expected".to_owned(),
        many => format!("{many} rows failed as expected"),
    };
    [held, expected].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The command that runs the same scenario with the same seed and the same changes, ready for a POSIX shell in the
/// folder of the scenario.
#[must_use]
pub fn reproduce_command(report: &Report) -> String {
    command(report, report.inputs.first().map_or("FILE", |input| input.path.as_str()))
}

/// [`reproduce_command`] with the path of the scenario as it is typed here, where that is known.
pub(crate) fn command_as_typed(report: &Report, file: Option<&str>) -> String {
    file.map_or_else(|| reproduce_command(report), |file| command(report, file))
}

fn command(report: &Report, file: &str) -> String {
    let mut command = format!("cooltwin run {} --seed {}", shell_word(file), report.seed);
    // The seed is told already, whatever set it.
    for change in set_arguments(report) {
        command.push_str(&format!(" --set {}", shell_word(change)));
    }
    command
}

/// The `--set` arguments of a run, but for a seed.
pub(crate) fn set_arguments(report: &Report) -> impl Iterator<Item = &String> {
    report.scenario.overrides.iter().filter(|change| !change.trim_start().starts_with("seed="))
}

/// A word as a POSIX shell takes it back.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
