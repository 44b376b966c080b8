//! A sweep for people at a terminal, and for a log.

use std::fmt::Write as _;

use super::{Bad, Extremes, Part, SweepReport, digits};
use crate::words::count;

/// Most bad classes and mismatches that the text shows; `sweep.json` holds more.
const SHOWN_MOST: usize = 10;

/// Renders the text.
#[must_use]
pub fn sweep_text(report: &SweepReport) -> String {
    let mut out = String::new();
    let SweepReport { seed, sha256, options, command, build, .. } = report;
    let _ = writeln!(out, "{}   seed {seed}   scenario {}", report.subject(), &sha256[..12.min(sha256.len())]);
    let _ = writeln!(out, "{options}");
    let commit = build.commit.get(..12).unwrap_or(&build.commit);
    let _ = writeln!(out, "cooltwin {}, commit {commit}, rustc {}", build.version, build.rustc);
    let _ = writeln!(out, "{command}   (in the folder of the scenario file)");
    for part in &report.parts {
        write_part(&mut out, part);
    }
    let verdict = report.verdict.word().to_uppercase();
    let _ = writeln!(out, "\n{verdict}{}  {}", report.not_struck(), report.claim());
    out
}

fn write_part(out: &mut String, part: &Part) {
    let share = if part.is_whole() { "all of them" } else { "a sample of them" };
    let _ = writeln!(
        out,
        "\n{}: {}, {share} struck: {}",
        part.name,
        count(part.size as u64, "strike", "strikes"),
        digits(part.struck)
    );
    let _ = writeln!(
        out,
        "  run to the end {}   merged {}   greatest class {}   controls {}, {} of them differ",
        digits(part.run),
        digits(part.merged),
        digits(part.weight_max),
        digits(part.controls),
        part.mismatches,
    );
    let width = part.strata.iter().map(|stratum| stratum.name.len()).max().unwrap_or(0);
    for stratum in part.strata.iter().filter(|stratum| stratum.struck > 0) {
        let classes: Vec<String> =
            stratum.classes.iter().map(|(name, strikes)| format!("{name} {}", digits(*strikes))).collect();
        let _ = writeln!(out, "  {:width$}  {:>9}  {}", stratum.name, digits(stratum.struck), classes.join("   "));
    }
    for name in &part.left_out {
        let _ = writeln!(out, "  {name:width$}  {:>9}", "NOT STRUCK");
    }
    for Extremes { budget, unit, least, least_strike, greatest, greatest_strike } in &part.extremes {
        let _ = writeln!(
            out,
            "  {budget:<24} {least} {unit} (strike {least_strike}) to {greatest} {unit} (strike {greatest_strike})"
        );
    }
    for bad in part.bad.iter().take(SHOWN_MOST) {
        write_bad(out, bad);
    }
    if part.bad_classes > SHOWN_MOST {
        let more = part.bad_classes - SHOWN_MOST;
        let classes = if more == 1 { "class" } else { "classes" };
        let _ = writeln!(out, "  and {more} more {classes} that broke a claim or say nothing, in sweep.json");
    }
    for words in part.mismatched.iter().take(SHOWN_MOST) {
        let _ = writeln!(out, "  DIFFERS  {words}");
    }
}

fn write_bad(out: &mut String, bad: &Bad) {
    let Bad { strike, name, class, weight, complaints, file } = bad;
    let _ = writeln!(out, "  {}  strike {strike}, {name}: {class}; it stands for {}", bad.word(), digits(*weight));
    for complaint in complaints {
        let _ = writeln!(out, "         {complaint}");
    }
    if !file.is_empty() {
        let _ = writeln!(out, "         cooltwin run {file}");
    }
}
