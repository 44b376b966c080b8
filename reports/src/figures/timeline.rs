//! The campaign: one row per pump with the parts of each try, over strips of supply, flow, temperature and bus load.

use super::axis::{Axis, time_grid, time_unit};
use super::canvas::{Anchor, Canvas, Ink, Lettering};
use super::curve::{self, Strip};
use super::marks::{Mark, MarkKind, end_of, marks};
use crate::number::Millis;
use crate::report::{BUDGET_PUMP_UPDATE, Budget, Level, Pump, Report, Series, Try, TryOutcome};
use crate::words;

const WIDTH: i32 = 1200;
const LEFT: i32 = 60;
const RIGHT: i32 = 860;
const HEAD: i32 = 74;
const ROW: i32 = 22;
const STRIP: i32 = 84;
/// Between a bar, with the mark at its end, and the number of a mark.
const MARK_GAP: i32 = 8;
const GAP: i32 = 34;
/// The columns at the right: time, margin and tries end there, the outcome begins there.
const COLUMNS: [i32; 4] = [948, 1026, 1068, 1082];

/// A part of a try that the figures tell apart; the phases between are too short to be seen.
pub(super) const PARTS: [(Ink, &str); 4] =
    [(Ink::Prepare, "prepare"), (Ink::Erase, "erase"), (Ink::Transfer, "transfer"), (Ink::Finish, "check and restart")];

/// The part that a phase belongs to.
pub(super) fn part_of(phase: &str) -> Ink {
    match phase {
        "erase" => Ink::Erase,
        "download" | "transfer" | "exit" => Ink::Transfer,
        "check" | "reset" | "reboot" | "status" => Ink::Finish,
        _ => Ink::Prepare,
    }
}

/// The strips below the pumps: the series' name, its colour, whether zero belongs to its axis.
const STRIPS: [(&str, Ink, bool); 4] = [
    ("supply", Ink::Supply, true),
    ("flow", Ink::Flow, true),
    ("temperature", Ink::Temperature, false),
    ("bus-load", Ink::Load, true),
];

/// The strips that the run has curves for.
pub(super) fn strips(report: &Report) -> impl Iterator<Item = (&Series, Ink, bool)> {
    let of = |name: &str| report.series.iter().find(|series| series.name == name);
    STRIPS.iter().filter_map(move |(name, ink, from_zero)| Some((of(name)?, *ink, *from_zero)))
}

/// Draws the timeline of a run.
pub(super) fn draw(report: &Report) -> String {
    let strips: Vec<(&Series, Ink, bool)> = strips(report).collect();
    let rows_end = HEAD + ROW * i32::try_from(report.updated_pumps().len()).unwrap_or(0);
    let bottom = rows_end + i32::try_from(strips.len()).unwrap_or(0) * (STRIP + GAP);
    let mut canvas = Canvas::new(WIDTH, bottom + 44);
    let time = Axis::time(report.simulated_ms, (LEFT, RIGHT));
    let marks = marks(report);
    legend(&mut canvas, !report.updated_pumps().is_empty(), marks.iter().any(|mark| mark.kind == MarkKind::Off));
    time_grid(&mut canvas, &time, (HEAD, rows_end), strips.is_empty());
    rows(&mut canvas, report, &time, &marks);
    for (index, (series, ink, from_zero)) in strips.iter().enumerate() {
        let top = rows_end + i32::try_from(index).unwrap_or(0) * (STRIP + GAP) + GAP;
        let place = Strip { top, bottom: top + STRIP, ink: *ink, from_zero: *from_zero };
        washes(&mut canvas, report, series, &time, &place);
        time_grid(&mut canvas, &time, (top, top + STRIP), index + 1 == strips.len());
        curve::draw(&mut canvas, &place, &time, series);
        side_words(&mut canvas, series, &place);
        let mut dashed: Vec<i32> = marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Fault)
            .flat_map(Mark::times)
            .map(|at| time.at(at.as_nanos()))
            .collect();
        dashed.dedup();
        for x in dashed {
            canvas.dashes((x, top), (x, top + STRIP), Ink::Alarm);
        }
    }
    let unit = format!("simulated time in {}", time_unit(report.simulated_ms.as_nanos()));
    canvas.text((LEFT.midpoint(RIGHT), bottom + 30), unit, Lettering::new(Ink::Muted, Anchor::Middle).small());
    canvas.finish()
}

fn legend(canvas: &mut Canvas, pumps: bool, offs: bool) {
    let words = Lettering::new(Ink::Text, Anchor::Start).small();
    let (mut x, y) = (LEFT, 14);
    if pumps {
        x = parts_legend(canvas, (x, y));
        canvas.line((x, y - 8), (x, y + 8), Ink::Alarm, 2);
        canvas.text((x + 8, y), "limit of the try", words);
        x += 122;
    }
    fault_shape(canvas, (x, y));
    canvas.text((x + 12, y), "fault acts", words);
    x += 96;
    if pumps {
        failure_shape(canvas, (x, y));
        canvas.text((x + 12, y), "try ends without success", words);
        x += 180;
    }
    if offs {
        off_shape(canvas, (x, y));
        canvas.text((x + 12, y), "outputs of safety units off", words);
    }
}

/// The legend of the bars; gives where the next word may begin.
pub(super) fn parts_legend(canvas: &mut Canvas, (mut x, y): (i32, i32)) -> i32 {
    let words = Lettering::new(Ink::Text, Anchor::Start).small();
    for (ink, word) in PARTS {
        canvas.fill((x, y - 6), (x + 18, y + 6), ink);
        canvas.text((x + 24, y), word, words);
        x += 60 + 7 * i32::try_from(word.len()).unwrap_or(0);
    }
    canvas.hatch((x, y - 6), (x + 18, y + 6), Ink::Alarm);
    canvas.text((x + 24, y), "try that failed", words);
    x + 136
}

/// A triangle on its tip.
fn fault_shape(canvas: &mut Canvas, (x, y): (i32, i32)) {
    canvas.polygon(vec![(x - 6, y - 6), (x + 6, y - 6), (x, y + 5)], Ink::Alarm);
}

/// A square.
fn off_shape(canvas: &mut Canvas, (x, y): (i32, i32)) {
    canvas.fill((x - 5, y - 5), (x + 5, y + 5), Ink::Text);
}

/// A cross.
fn failure_shape(canvas: &mut Canvas, (x, y): (i32, i32)) {
    canvas.line((x - 5, y - 5), (x + 5, y + 5), Ink::Alarm, 2);
    canvas.line((x - 5, y + 5), (x + 5, y - 5), Ink::Alarm, 2);
}

fn rows(canvas: &mut Canvas, report: &Report, time: &Axis, marks: &[Mark]) {
    let heads = Lettering::new(Ink::Muted, Anchor::End).small();
    if !report.updated_pumps().is_empty() {
        for (x, word) in COLUMNS.into_iter().zip(["time", "margin", "tries"]) {
            canvas.text((x, HEAD - 12), word, heads);
        }
        canvas.text((COLUMNS[3], HEAD - 12), "outcome", Lettering { anchor: Anchor::Start, ..heads });
    }
    let elsewhere = |mark: &&Mark| report.updated_pumps().iter().all(|pump| pump.id != mark.place);
    draw_marks(canvas, marks.iter().filter(elsewhere), time, HEAD - 14, &[]);
    let budget = report.budget(BUDGET_PUMP_UPDATE);
    for (index, pump) in (0..).zip(report.updated_pumps()) {
        let middle = HEAD + index * ROW + ROW / 2;
        canvas.line((LEFT, middle + ROW / 2), (RIGHT, middle + ROW / 2), Ink::Grid, 1);
        canvas.text((LEFT - 8, middle), pump.id.as_str(), Lettering::new(Ink::Text, Anchor::End));
        for one in &pump.tries {
            try_bar(canvas, one, time, (middle - 7, middle + 7));
        }
        if let (Some(budget), Some(last), Some(_)) = (budget, pump.tries.last(), pump.update_ms) {
            let limit = last.start_ms.as_nanos().saturating_add(Millis::from(budget.limit).as_nanos());
            if limit <= time.high() {
                canvas.line((time.at(limit), middle - 10), (time.at(limit), middle + 10), Ink::Alarm, 2);
            }
        }
        let bars: Vec<(i32, i32)> = pump.tries.iter().map(|one| extent(one, time)).collect();
        draw_marks(canvas, marks.iter().filter(|mark| mark.place == pump.id), time, middle, &bars);
        figures(canvas, pump, budget, middle);
    }
}

/// From where to where a try is drawn.
fn extent(one: &Try, time: &Axis) -> (i32, i32) {
    let from = time.at(one.start_ms.as_nanos());
    (from, time.at(end_of(one).as_nanos()).max(from + 2))
}

/// Draws the marks of one line: a fault that acted again has one at each time, or a line from its first to its last.
/// Marks too near to each other have their numbers together behind the last of them, and no number lies on one of the
/// `bars`.
fn draw_marks<'a>(
    canvas: &mut Canvas,
    marks: impl Iterator<Item = &'a Mark>,
    time: &Axis,
    y: i32,
    bars: &[(i32, i32)],
) {
    let mut clusters: Vec<(i32, Vec<String>)> = Vec::new();
    let mut shapes: Vec<(i32, &Mark)> =
        marks.flat_map(|mark| mark.times().map(move |at| (time.at(at.as_nanos()), mark))).collect();
    shapes.sort_by_key(|(x, mark)| (*x, mark.number));
    for (x, mark) in shapes {
        let from = time.at(mark.at.as_nanos());
        if mark.is_span && x > from {
            canvas.line((from, y - 9), (x, y - 9), Ink::Alarm, 2);
        }
        match mark.kind {
            MarkKind::Fault => fault_shape(canvas, (x, y)),
            MarkKind::FailedTry | MarkKind::InterruptedTry => failure_shape(canvas, (x, y)),
            // Above the others: a unit is off soon after the fault that it is off for.
            MarkKind::Off => off_shape(canvas, (x, y - 13)),
        }
        let number = mark.number.to_string();
        match clusters.last_mut() {
            Some((last, numbers)) if x - *last < 30 => {
                *last = x;
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
            _ => clusters.push((x, vec![number])),
        }
    }
    let mut taken = bars.to_vec();
    for (x, numbers) in clusters {
        let numbers = numbers.join(", ");
        let width = 4 + 8 * i32::try_from(numbers.len()).unwrap_or(1);
        let x = free_place(&taken, x + 8, width);
        taken.push((x, x + width));
        canvas.text((x + 2, y), numbers, Lettering::new(Ink::Text, Anchor::Start).small().bold());
    }
}

/// Where a text of that width that wants to begin at `x` lies on nothing: there, or behind what is in its way, or before
/// all of it where the row ends.
fn free_place(taken: &[(i32, i32)], x: i32, width: i32) -> i32 {
    let in_the_way = |x: i32| taken.iter().find(|(from, to)| x < to + MARK_GAP && *from < x + width);
    let mut place = x;
    while let Some((_, to)) = in_the_way(place) {
        place = to + MARK_GAP;
    }
    let first = taken.iter().map(|(from, _)| *from).min();
    match first {
        Some(first) if place + width > RIGHT && first - MARK_GAP - width > LEFT => first - MARK_GAP - width,
        _ => place,
    }
}

/// The parts of a try beside each other, or a hatched bar when it failed.
pub(super) fn try_bar(canvas: &mut Canvas, one: &Try, time: &Axis, (top, bottom): (i32, i32)) {
    let start = one.start_ms.as_nanos();
    if one.outcome != TryOutcome::Updated {
        let (from, to) = (time.at(start), time.at(end_of(one).as_nanos()));
        return canvas.hatch((from, top), (to.max(from + 2), bottom), Ink::Alarm);
    }
    let mut parts: Vec<(Ink, i64)> = Vec::new();
    for phase in &one.phases {
        let end = phase.start_ms.as_nanos().saturating_add(phase.duration_ms.as_nanos());
        match parts.last_mut() {
            Some((ink, last)) if *ink == part_of(&phase.name) => *last = end,
            _ => parts.push((part_of(&phase.name), end)),
        }
    }
    let mut from = time.at(start);
    for (ink, end) in parts {
        let to = time.at(end);
        if to > from {
            canvas.fill((from, top), (to, bottom), ink);
        }
        from = to;
    }
}

/// The columns at the right of a row.
fn figures(canvas: &mut Canvas, pump: &Pump, budget: Option<&Budget>, y: i32) {
    let right = Lettering::new(Ink::Text, Anchor::End);
    let over = is_over(pump, budget);
    let alarm = |bad: bool| if bad { Ink::Alarm } else { Ink::Text };
    if let Some(time) = pump.update_ms {
        canvas.text((COLUMNS[0], y), format!("{} s", words::seconds(time)), right);
    }
    if let Some(margin) = margin(pump, budget) {
        let text = words::margin_seconds(margin, !over);
        canvas.text((COLUMNS[1], y), text, Lettering { ink: alarm(over), bold: over, ..right });
    }
    canvas.text((COLUMNS[2], y), pump.attempts.to_string(), right);
    let (word, bad) = super::outcome(pump);
    let style = Lettering { ink: alarm(bad), bold: bad, ..Lettering::new(Ink::Text, Anchor::Start) };
    canvas.text((COLUMNS[3], y), word, style);
}

/// How far below the limit of its budget a pump's successful try stayed.
pub(crate) fn margin(pump: &Pump, budget: Option<&Budget>) -> Option<Millis> {
    let limit = Millis::from(budget?.limit).as_nanos();
    Some(Millis::from_signed_nanos(limit.saturating_sub(pump.update_ms?.as_nanos())))
}

/// Whether a pump's successful try broke its budget.
pub(crate) fn is_over(pump: &Pump, budget: Option<&Budget>) -> bool {
    let Some((budget, time)) = budget.zip(pump.update_ms) else { return false };
    !crate::verdict::holds(time.into(), budget.relation, budget.limit, budget.limit_low)
}

/// Time, margin and outcome of a pump in one text.
pub(super) fn outcome_words(pump: &Pump, budget: Option<&Budget>, word: &str) -> String {
    let time = pump.update_ms.map(|time| format!("{} s", words::seconds(time)));
    let margin =
        margin(pump, budget).map(|margin| format!("margin {}", words::margin_seconds(margin, !is_over(pump, budget))));
    [time, margin, Some(word.to_owned())].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Grounds under the dips of a series.
fn washes(canvas: &mut Canvas, report: &Report, series: &Series, time: &Axis, strip: &Strip) {
    for dip in curve::dips(series, report.simulated_ms) {
        let (from, to) = (time.at(dip.from.as_nanos()), time.at(dip.to.as_nanos()));
        canvas.fill((from, strip.top), (to.max(from + 2), strip.bottom), Ink::Wash);
    }
}

/// Extremes and thresholds in words, at the right of a strip.
fn side_words(canvas: &mut Canvas, series: &Series, strip: &Strip) {
    let Some(extremes) = series.extremes() else { return };
    let covers = if extremes.from_ms == Millis::ZERO { String::new() } else { format!(" {}", extremes.covers()) };
    let ends = [("highest", extremes.max), ("lowest", extremes.min)];
    let mut lines: Vec<String> =
        ends.iter().map(|(word, value)| format!("{word} {}{covers}", curve::shown(series, *value))).collect();
    // From top to bottom, as their lines lie.
    let mut levels: Vec<&Level> = series.levels.iter().collect();
    levels.sort_by_key(|level| std::cmp::Reverse(level.value));
    lines.extend(levels.iter().map(|level| format!("{} {}", level.name, curve::shown(series, level.value))));
    for (index, line) in (0..).zip(lines) {
        let ink = if index < 2 { Ink::Text } else { Ink::Alarm };
        canvas.text((RIGHT + 12, strip.top + 8 + index * 18), line, Lettering::new(ink, Anchor::Start).small());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_marks_lie_on_no_bar() {
        assert_eq!(free_place(&[], 100, 12), 100);
        assert_eq!(free_place(&[(50, 92)], 100, 12), 100, "behind the bar that the mark ends");
        assert_eq!(free_place(&[(50, 120)], 100, 12), 128, "a mark in the middle of a bar");
        assert_eq!(free_place(&[(50, 92), (105, 160), (170, 200)], 100, 12), 208, "gaps that are too narrow");
        assert_eq!(free_place(&[(700, RIGHT - 4)], 800, 12), 700 - MARK_GAP - 12, "a row that is full to its end");
    }
}
