//! A search for people at a terminal, and for a log.

use std::fmt::Write as _;

use super::{Ascent, SearchReport, Undecided, Worst};
use crate::number::Fixed;
use crate::words;

/// Renders the text.
#[must_use]
pub fn search_text(report: &SearchReport) -> String {
    let mut out = String::new();
    let SearchReport { name, seed, sha256, budget, .. } = report;
    let _ = writeln!(out, "{name}   search {}   seed {seed}", &sha256[..12.min(sha256.len())]);
    for line in [&report.title, &report.purpose].into_iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(
        out,
        "Moves         {}",
        if report.points == 1 { "1 point".to_owned() } else { format!("{} points", report.points) }
    );
    for one in &report.moves {
        let _ = writeln!(out, "  {one}");
    }
    let _ = writeln!(
        out,
        "Runs          {} of {} different points in {} ascents, {} refused, {} without a value, {} inconclusive, {} failed",
        report.looked,
        report.different,
        report.restarts,
        report.refused,
        report.without_value,
        report.inconclusive,
        report.failed
    );
    if report.inconclusive > 0 {
        let _ = writeln!(
            out,
            "  An inconclusive run counts as nothing found, and no ascent goes on from one but to leave it."
        );
    }
    if report.left_open > 0 {
        let _ = writeln!(
            out,
            "  In {} the budget itself has no verdict: no search passes with one.",
            words::count(report.left_open, "run", "runs")
        );
    }
    for Undecided { what, runs } in &report.undecided {
        let _ = writeln!(out, "  {what} in {}", words::count(*runs, "run", "runs"));
    }
    let amount = |value: &Fixed| report.amount(*value);
    let shown = |value: &Option<Fixed>| value.as_ref().map_or_else(|| "none".to_owned(), amount);
    for (number, Ascent { first, worst, step }) in report.ascents.iter().enumerate() {
        let (first, worst) = (shown(first), shown(worst));
        let _ = writeln!(out, "  ascent {:<3} {first} -> {worst} at step {step}", number + 1);
    }
    let _ = writeln!(out, "Bound         {}   {}", amount(&report.bound), report.bound_source);
    if let Some(Worst { value, to_bound, place, command, .. }) = &report.worst {
        let (value, to_bound) = (amount(value), amount(to_bound));
        let _ = writeln!(out, "Worst found   {value} of {budget}, {to_bound} to the bound   {place}");
        let _ = writeln!(out, "  {command}");
    }
    if let Some(Worst { value, place, command, .. }) = &report.worst_unproven {
        let value = amount(value);
        let _ = writeln!(out, "Not proven    {value} of {budget} in a run that is not conclusive   {place}");
        let _ = writeln!(out, "  {command}");
    }
    for failure in &report.failures {
        let _ = writeln!(out, "Failed        {}\n  {}", failure.rows.join(", "), failure.command);
    }
    let _ = writeln!(out, "\n{}  {name}: {}", report.verdict.word().to_uppercase(), report.sentence);
    out
}
