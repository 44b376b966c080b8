//! What a person reads after a campaign: counts, classes, bounds, and the verdict last.

use std::fmt::Write as _;

use super::{CampaignReport, Replay, Values};
use crate::number::{Fixed, Millis};
use crate::verdict::Verdict;
use crate::words::{count, duration, grouped, rounded};

/// Trials that were no success, listed at most.
const FAILED_SHOWN: usize = 5;

/// The report as text; the verdict stands in colour where `color` says so.
#[must_use]
pub fn campaign_text(report: &CampaignReport, color: bool) -> String {
    let mut out = String::new();
    head(report, &mut out);
    counts(report, &mut out);
    times(report, &mut out);
    failed(report, &mut out);
    let word = report.verdict.word().to_uppercase();
    let code = match report.verdict {
        Verdict::Pass => "32",
        Verdict::Inconclusive => "33",
        Verdict::Fail | Verdict::Error => "1;31",
    };
    let word = if color { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word };
    for note in &report.notes {
        let _ = writeln!(out, "Note          {note}");
    }
    let _ = writeln!(out, "\n{word}  {}: {}", report.name, report.sentence);
    out
}

/// A share in percent, all places that are kept.
pub(super) fn percent(share: Fixed) -> String {
    format!("{share} %")
}

fn head(report: &CampaignReport, out: &mut String) {
    let plan = &report.plan;
    let _ = writeln!(
        out,
        "{}   campaign {}   seed {}",
        report.name,
        &report.sha256[..12.min(report.sha256.len())],
        report.seed
    );
    let _ = writeln!(
        out,
        "Plan          {}, {} allowed: {} at {} confidence   fault mix {}",
        count(plan.trials, "trial", "trials"),
        count(plan.failures_allowed, "failure", "failures"),
        percent(plan.success),
        percent(plan.confidence),
        &report.mix_sha256[..12.min(report.mix_sha256.len())]
    );
    let _ = writeln!(out, "Trial         {}", report.trial);
    let _ = writeln!(out, "Control       the base without faults: {}", report.control.verdict.word());
}

fn counts(report: &CampaignReport, out: &mut String) {
    let _ = writeln!(
        out,
        "Trials        {} executed, {} failed, {} of these invalid   failure probability at most {} (two-sided {} to {})",
        grouped(report.executed),
        report.failures,
        report.invalid,
        percent(report.failure_upper),
        percent(report.failure_two_sided[0]),
        percent(report.failure_two_sided[1]),
    );
    if report.strata.len() > 1 {
        for part in &report.strata {
            let _ = writeln!(
                out,
                "  {:<12}{} of the population: {}, {} failed, {} allowed",
                part.name,
                percent(part.weight),
                count(part.trials, "trial", "trials"),
                part.failures,
                part.failures_allowed
            );
        }
    }
    let ratio = |ratio: &super::Ratio| format!("{} of {}", grouped(ratio.good), grouped(ratio.of));
    let tries: Vec<String> = report
        .tries_needed
        .iter()
        .enumerate()
        .map(|(at, count)| format!("{} by try {}", grouped(*count), at + 1))
        .collect();
    if report.campaigns.of > 0 {
        let _ = writeln!(
            out,
            "Updated       pumps {} within three tries{}   tries {}   runs {}",
            ratio(&report.pumps),
            if tries.is_empty() { String::new() } else { format!(" ({})", tries.join(", ")) },
            ratio(&report.attempts),
            ratio(&report.campaigns)
        );
    }
    let classes: Vec<String> = report
        .classes
        .iter()
        .filter(|class| class.trials > 0)
        .map(|class| format!("{} {}", grouped(class.trials), class.class.word()))
        .collect();
    let _ = writeln!(out, "Classes       {}", classes.join("   "));
    if report.swarm > Fixed::default() {
        let _ = writeln!(
            out,
            "Swarm         each kind of fault is switched off in {} of the trials",
            percent(report.swarm)
        );
    }
    for fault in &report.faults {
        let _ = writeln!(
            out,
            "  {:<20}{:<22}expected {:>9}   came {:>7}   acted {:>7}",
            fault.name,
            fault.often,
            rounded(fault.expected, 1),
            grouped(fault.drawn),
            grouped(fault.acted)
        );
    }
}

/// A value with its unit; times as people read them.
pub(super) fn value(values: &Values, value: Fixed) -> String {
    if values.unit == "ms" { duration(Millis::from(value)) } else { format!("{} {}", rounded(value, 3), values.unit) }
}

fn times(report: &CampaignReport, out: &mut String) {
    for values in &report.times {
        let shown = |number: Option<Fixed>| number.map_or_else(|| "none".to_owned(), |number| value(values, number));
        let _ = writeln!(
            out,
            "{:<13} {} {}   n {} ({} without)   median {}   worst {}",
            values.budget,
            values.relation,
            value(values, values.limit),
            grouped(values.n),
            grouped(values.missing),
            shown(values.median),
            shown(values.worst)
        );
        let bounds: Vec<String> = values
            .bounds
            .iter()
            .map(|bound| match (bound.rank, bound.value) {
                (None, _) => format!("{}: too few trials", percent(bound.quantile)),
                (Some(_), None) => format!("{}: no value", percent(bound.quantile)),
                (Some(rank), Some(found)) => {
                    format!("{}: {} (value {})", percent(bound.quantile), value(values, found), grouped(rank))
                }
            })
            .collect();
        let _ = writeln!(out, "  bounds      {}", bounds.join("   "));
        if let Some(replay) = &values.replay {
            let _ = writeln!(out, "  worst       {}", line(replay));
        }
    }
}

fn line(replay: &Replay) -> String {
    format!("trial {} seed {}   {}", replay.trial, replay.seed, replay.command)
}

fn failed(report: &CampaignReport, out: &mut String) {
    for replay in report.failed.iter().take(FAILED_SHOWN) {
        let _ = writeln!(out, "Failed        {}   {}: {}", line(replay), replay.class.word(), replay.what);
    }
    let more = report.failures.saturating_sub(FAILED_SHOWN as u64);
    if more > 0 {
        let _ = writeln!(out, "              and {} more: see trials.csv", grouped(more));
    }
}
