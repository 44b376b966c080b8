//! Each pump's successful try as a bar against the budget, and below it the tries that failed.
//!
//! All bars share one scale, so the limit is one straight line down the page.

use super::page::{Line, Page, Style, width_of};
use super::words;
use super::{Options, Verbosity};
use crate::number::{Fixed, Millis};
use crate::report::{BUDGET_PUMP_UPDATE, Budget, Phase, Pump, Relation, Report, Try, TryOutcome};
use crate::verdict::{self, RowVerdict};

/// Where the bars begin: indent, id, outcome and seconds, with gaps.
const BAR_COLUMN: usize = 31;
/// Where the text below a pump begins.
const BELOW_COLUMN: usize = 7;
/// What stands behind a bar: margin and tries, with gaps.
const BEHIND_BAR: usize = 23;
const BAR_WIDTH_MIN: usize = 12;
const BAR_WIDTH_MAX: usize = 72;
/// Bars this wide leave room for the versions.
const BAR_WIDTH_WITH_VERSIONS: usize = 36;
/// Eighths of a cell.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The common scale of all bars.
struct Scale {
    /// Cells of a bar.
    cells: usize,
    /// What the whole width stands for, in ns.
    full: i64,
    /// How a bar beyond the limit looks: less alarming when the scenario wants the budget to break.
    over: Style,
    /// The limit and the relation to it, if there is a budget.
    limit: Option<(Relation, Fixed)>,
}

impl Scale {
    fn new(report: &Report, cells: usize) -> Self {
        let limit = report.budget(BUDGET_PUMP_UPDATE).map(|budget| (budget.relation, budget.limit));
        let longest = report.pumps.iter().filter_map(|pump| pump.update_ms).max().unwrap_or(Millis::ZERO);
        let longest = longest.as_nanos().max(1);
        let full = match limit {
            // A little room beyond the limit, and never more than as much again: else the limit leaves the page.
            Some((_, limit)) => {
                let limit = limit.as_millionths().max(1);
                longest.clamp(limit.saturating_add(limit / 10), limit.saturating_mul(2))
            }
            None => longest,
        };
        let expected = |budget: &Budget| budget.verdict == RowVerdict::ExpectedFail;
        let over = if report.budget(BUDGET_PUMP_UPDATE).is_some_and(expected) { Style::Warn } else { Style::Bad };
        Self { cells, full, over, limit }
    }

    /// Eighths of cells for a time.
    fn eighths(&self, nanos: i64) -> usize {
        let eighths = i128::from(nanos.max(0)) * (self.cells as i128) * 8 / i128::from(self.full.max(1));
        usize::try_from(eighths).unwrap_or(usize::MAX)
    }

    /// The cell in which the limit's line stands.
    fn limit_cell(&self) -> Option<usize> {
        let (_, limit) = self.limit?;
        Some((self.eighths(limit.as_millionths()) / 8).min(self.cells.saturating_sub(1)))
    }
}

/// The section of the pumps.
pub(super) fn section(page: &mut Page, report: &Report, options: &Options) {
    let timed = report.pumps.iter().any(|pump| pump.update_ms.is_some());
    let versions = report.pumps.iter().map(|pump| width_of(&version_words(pump))).max().unwrap_or(0);
    let room = page.width.saturating_sub(BAR_COLUMN + BEHIND_BAR);
    let with_versions = !timed || room.saturating_sub(versions + 2) >= BAR_WIDTH_WITH_VERSIONS;
    let room = if with_versions { room.saturating_sub(versions + 2) } else { room };
    let scale = Scale::new(report, room.clamp(BAR_WIDTH_MIN, BAR_WIDTH_MAX));
    page.blank();
    heading(page, report, &scale, timed);
    for pump in &report.pumps {
        let mut line = row(pump, &scale, timed);
        if with_versions {
            line.gap(2);
            line.put(Style::Dim, &version_words(pump));
        }
        page.line(line);
        tries(page, pump, options.verbosity);
    }
}

/// The title, with the limit above its line.
fn heading(page: &mut Page, report: &Report, scale: &Scale, timed: bool) {
    let mut line = Line::new();
    line.put(Style::Bold, "Pumps");
    let limit = report.budget(BUDGET_PUMP_UPDATE).map(words::limit);
    if let (true, Some(cell), Some(limit)) = (timed, scale.limit_cell(), limit) {
        let label = format!("successful try, {limit} ┐");
        line.pad_to((BAR_COLUMN + cell + 1).saturating_sub(width_of(&label)));
        line.put(Style::Dim, &label);
    }
    page.line(line);
}

/// One pump on one line.
fn row(pump: &Pump, scale: &Scale, timed: bool) -> Line {
    let margin = pump.update_ms.and_then(|time| margin(time, scale));
    let over = margin.is_some_and(|(_, held)| !held);
    let (style, word) = words::outcome_word(pump.outcome);
    // Updated it is, whatever the time; that it is over its limit is told by bar and margin.
    let style = if over { scale.over } else { style };
    let mut line = Line::new();
    line.gap(2);
    line.left(Style::Bold, &pump.id, 5);
    line.left(style, word, 13);
    if timed {
        let time = pump.update_ms.map_or_else(|| "-".to_owned(), |time| format!("{} s", words::seconds(time)));
        line.right(Style::Plain, &time, 9);
        line.pad_to(BAR_COLUMN);
        bar(&mut line, pump.update_ms, scale, style, over);
        let margin = margin.map_or_else(String::new, |(margin, held)| words::margin_in_column(margin, held, 11));
        line.right(if over { scale.over } else { Style::Plain }, &margin, 11);
        line.gap(2);
    }
    line.left(if pump.attempts > 1 { Style::Warn } else { Style::Dim }, &notes(pump), 10);
    line
}

fn margin(time: Millis, scale: &Scale) -> Option<(Millis, bool)> {
    let (relation, limit) = scale.limit?;
    let time = Fixed::from(time);
    Some((verdict::margin(time, relation, limit, None).into(), verdict::holds(time, relation, limit, None)))
}

/// A bar with the line of the limit through it.
fn bar(line: &mut Line, time: Option<Millis>, scale: &Scale, style: Style, over: bool) {
    let exact = time.map_or(0, |time| scale.eighths(time.as_nanos()));
    // However little it is over, a bar over its limit is seen to cross the line.
    let crossing = scale.limit_cell().filter(|_| over).map_or(0, |cell| (cell + 1) * 8 + 1);
    let eighths = exact.max(crossing);
    let cut = eighths > scale.cells * 8;
    for cell in 0..scale.cells {
        let filled = eighths.saturating_sub(cell * 8);
        match (scale.limit_cell() == Some(cell), filled) {
            (true, 0..=8) => line.put(Style::Plain, "│"),
            (true, _) => line.put(scale.over, "┃"),
            (false, _) if cut && cell + 1 == scale.cells => line.put(style, "▶"),
            (false, 8..) => line.put(style, "█"),
            (false, 0) => line.gap(1),
            (false, part) => line.put(style, PARTS[part]),
        }
    }
}

/// How many tries; nothing without any.
fn notes(pump: &Pump) -> String {
    if pump.attempts == 0 { String::new() } else { words::count(u64::from(pump.attempts), "try", "tries") }
}

/// Causes that no try tells, with their words.
fn causes(pump: &Pump) -> Vec<String> {
    let told = |code: &str| pump.tries.iter().filter_map(|one| one.cause.as_ref()).any(|cause| cause.contains(code));
    let words = |code: &String| match crate::words::cause_words(code) {
        Some(words) => format!("{code} {words}"),
        None => code.clone(),
    };
    pump.causes.iter().filter(|code| !told(code)).map(words).collect()
}

fn version_words(pump: &Pump) -> String {
    let unknown = || "unknown".to_owned();
    let (before, after) = (pump.version_before.clone(), pump.version_after.clone());
    if before.is_some() && before == after {
        return before.unwrap_or_else(unknown);
    }
    format!("{} to {}", before.unwrap_or_else(unknown), after.unwrap_or_else(unknown))
}

/// The tries that failed, and all tries with their phases when asked.
fn tries(page: &mut Page, pump: &Pump, verbosity: Verbosity) {
    let all = verbosity >= Verbosity::Verbose;
    for cause in causes(pump) {
        let mut line = Line::new();
        line.gap(BELOW_COLUMN);
        page.flow(line, Style::Warn, &cause);
    }
    for one in pump.tries.iter().filter(|one| all || one.outcome != TryOutcome::Updated) {
        let mut line = Line::new();
        line.gap(BELOW_COLUMN);
        let style = if one.outcome == TryOutcome::Updated { Style::Dim } else { Style::Warn };
        page.flow(line, style, &try_words(one));
        if all {
            phases(page, one);
        }
    }
}

fn try_words(one: &Try) -> String {
    let how = match one.outcome {
        TryOutcome::Updated => "updated",
        TryOutcome::Failed => "failed",
        TryOutcome::Interrupted => "interrupted",
    };
    let cause = one.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
    let start = words::duration(one.start_ms);
    format!("try {} at {start}, {how} after {}{cause}", one.n, words::duration(one.duration()))
}

/// The phases of a try, as many on a line as fit.
fn phases(page: &mut Page, one: &Try) {
    if one.phases.is_empty() {
        return;
    }
    let mut line = Line::new();
    line.gap(BELOW_COLUMN + 2);
    let piece = |phase: &Phase| format!("{} {}", phase.name, words::duration(phase.duration_ms));
    page.flow_pieces(line, one.phases.iter().map(|phase| (Style::Dim, piece(phase))), 3);
}
