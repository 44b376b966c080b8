//! Figures of a campaign: where the values of a budget lie, and between which bounds the failures.
//!
//! A histogram counts on a logarithmic scale, so that one trial among thousands still shows; its heights say so.

use super::Figure;
use super::axis::{Axis, value_label, value_ticks};
use super::canvas::{Anchor, Canvas, Ink, Lettering};
use crate::campaign::{CampaignReport, Values};
use crate::number::Fixed;
use crate::words::grouped;

const WIDTH: i32 = 1000;
const LEFT: i32 = 80;
const RIGHT: i32 = 960;
const HEAD: i32 = 64;
const FOOT: i32 = 320;
/// Heights of one decade of counts.
const DECADES_LEAST: u32 = 2;

/// Every figure of the campaign.
pub(crate) fn campaign_figures(report: &CampaignReport) -> Vec<Figure> {
    let mut figures = vec![failures_figure(report)];
    figures.extend(report.times.iter().filter(|values| values.n > 0).map(histogram_figure));
    figures
}

fn histogram_figure(values: &Values) -> Figure {
    let name = format!("values-{}", values.budget);
    let title = format!("Values of {}", values.budget);
    let description = format!(
        "Histogram of {} values, one a trial, the count on a logarithmic scale; {}. {}.",
        grouped(values.n),
        lines_words(values),
        missing_words(values.missing)
    );
    Figure::new(&name, title, description, draw_histogram(values))
}

/// Which lines the figure has; a limit that it has no room for is told in words.
fn lines_words(values: &Values) -> String {
    let Beyond { side, .. } = match beyond(values) {
        None => return "the limit, the median and the bounds of quantiles as lines".to_owned(),
        Some(beyond) => beyond,
    };
    format!(
        "the median and the bounds of quantiles as lines; the limit, {} {}, lies {side} the axis",
        values.limit, values.unit
    )
}

fn missing_words(missing: u64) -> String {
    match missing {
        0 => "Every trial has a value".to_owned(),
        1 => "1 trial without a value is not in it".to_owned(),
        more => format!("{} trials without a value are not in it", grouped(more)),
    }
}

fn draw_histogram(values: &Values) -> String {
    let mut canvas = Canvas::new(WIDTH, FOOT + 56);
    let axis = value_axis(values);
    let most = values.histogram.counts.iter().copied().max().unwrap_or(0);
    let decades = decades(most);
    count_grid(&mut canvas, decades);
    for (from, to, count) in steps(values).filter(|(.., count)| *count > 0) {
        let (left, right) = (axis.at(from), axis.at(to).max(axis.at(from) + 2));
        canvas.fill((left, height(count, decades)), (right - 1, FOOT), Ink::Transfer);
        canvas.frame((left, height(count, decades)), (right - 1, FOOT), Ink::Erase);
    }
    canvas.line((LEFT, FOOT), (RIGHT, FOOT), Ink::Text, 1);
    value_labels(&mut canvas, values, &axis);
    marks(&mut canvas, values, &axis);
    canvas.finish()
}

/// Begin, end and count of each step.
fn steps(values: &Values) -> impl Iterator<Item = (i64, i64, u64)> + '_ {
    let (low, step) = (values.histogram.low.as_millionths(), values.histogram.step.as_millionths());
    values.histogram.counts.iter().enumerate().map(move |(at, count)| {
        let begin = low.saturating_add(step.saturating_mul(i64::try_from(at).unwrap_or(i64::MAX)));
        (begin, begin.saturating_add(step), *count)
    })
}

/// From the first step to the last, and to the limit if that is near; a far one would leave no room for the values.
fn value_axis(values: &Values) -> Axis {
    let (low, high) = ends(values);
    let room = ((high - low) / 20).max(1);
    Axis::new((low - room, high + room), (LEFT, RIGHT))
}

fn ends(values: &Values) -> (i64, i64) {
    let low = steps(values).map(|(begin, ..)| begin).min().unwrap_or(0);
    let high = steps(values).map(|(_, end, _)| end).max().unwrap_or(1);
    let limit = values.limit.as_millionths();
    let near = (high - low).saturating_mul(4);
    if limit.saturating_sub(high) < near && low.saturating_sub(limit) < near {
        (low.min(limit), high.max(limit))
    } else {
        (low, high)
    }
}

/// A limit that lies off the axis.
struct Beyond {
    /// On which side, in words.
    side: &'static str,
    /// The pixel of the axis' end on that side.
    edge: i32,
}

fn beyond(values: &Values) -> Option<Beyond> {
    let (axis, limit) = (value_axis(values), values.limit.as_millionths());
    match limit {
        _ if axis.holds(limit) => None,
        _ if limit > axis.high() => Some(Beyond { side: "right of", edge: RIGHT }),
        _ => Some(Beyond { side: "left of", edge: LEFT }),
    }
}

/// Decades that hold this count.
fn decades(most: u64) -> u32 {
    let mut decades = DECADES_LEAST;
    while 10_u64.saturating_pow(decades) < most {
        decades += 1;
    }
    decades
}

/// The pixel of a count, on a logarithmic scale; no count is below 1.
fn height(count: u64, decades: u32) -> i32 {
    let decade = 1_000.0;
    let along = libm::log10(count.max(1) as f64) * decade;
    // One trial stands a little above the ground.
    let ground = 150.0;
    let share = (along + ground) / (f64::from(decades) * decade + ground);
    FOOT - libm::round(f64::from(FOOT - HEAD) * share) as i32
}

/// The counts that have a line: 1, 2 and 5 of each decade, up to the top.
fn grid_counts(decades: u32) -> Vec<u64> {
    let within = (0..decades).flat_map(|power| [1, 2, 5].map(|first| first * 10_u64.saturating_pow(power)));
    within.chain([10_u64.saturating_pow(decades)]).collect()
}

fn count_grid(canvas: &mut Canvas, decades: u32) {
    for count in grid_counts(decades) {
        let y = height(count, decades);
        canvas.line((LEFT, y), (RIGHT, y), Ink::Grid, 1);
        canvas.text((LEFT - 8, y), grouped(count), Lettering::new(Ink::Muted, Anchor::End).small());
    }
    canvas.text((LEFT - 8, HEAD - 22), "trials", Lettering::new(Ink::Muted, Anchor::End).small());
}

fn value_labels(canvas: &mut Canvas, values: &Values, axis: &Axis) {
    let lettering = Lettering::new(Ink::Muted, Anchor::Middle).small();
    for tick in value_ticks(axis.low(), axis.high(), 8).into_iter().filter(|tick| axis.holds(*tick)) {
        let x = axis.at(tick);
        canvas.line((x, FOOT), (x, FOOT + 5), Ink::Text, 1);
        canvas.text((x, FOOT + 16), value_label(tick), lettering);
    }
    canvas.text((LEFT.midpoint(RIGHT), FOOT + 38), format!("{} in {}", values.budget, values.unit), lettering);
}

/// Lines at the limit and the bounds, numbered from the top so that their words do not meet.
fn marks(canvas: &mut Canvas, values: &Values, axis: &Axis) {
    let mut lines: Vec<(i64, String, Ink)> = Vec::new();
    if let Some(median) = values.median {
        lines.push((median.as_millionths(), "median".to_owned(), Ink::Text));
    }
    for bound in &values.bounds {
        if let Some(value) = bound.value {
            lines.push((value.as_millionths(), format!("bound {} %", bound.quantile), Ink::Load));
        }
    }
    lines.push((values.limit.as_millionths(), format!("limit {}", values.limit), Ink::Alarm));
    let lines: Vec<_> = lines.into_iter().filter(|(value, ..)| axis.holds(*value)).collect();
    if let Some(Beyond { side, edge }) = beyond(values) {
        let y = 14 + i32::try_from(lines.len()).unwrap_or(0) * 14;
        let (anchor, at) = if edge == RIGHT { (Anchor::End, edge - 5) } else { (Anchor::Start, edge + 5) };
        let words = format!("limit {}, {side} the axis", values.limit);
        canvas.text((at, y), words, Lettering::new(Ink::Alarm, anchor).small().bold());
    }
    for (lane, (value, words, ink)) in (0..).zip(lines) {
        let (x, y) = (axis.at(value), 14 + lane * 14);
        canvas.dashes((x, y + 6), (x, FOOT), ink);
        let anchor = if x > RIGHT - 160 { Anchor::End } else { Anchor::Start };
        let at = if x > RIGHT - 160 { x - 5 } else { x + 5 };
        canvas.text((at, y), words, Lettering::new(ink, anchor).small().bold());
    }
}

fn failures_figure(report: &CampaignReport) -> Figure {
    let title = "Failure probability and its bounds".to_owned();
    let description = format!(
        "Seen {} of {}; two-sided bounds {} % to {} %, one-sided bound {} %; the claim admits {} %.",
        report.failures,
        grouped(report.executed),
        report.failure_two_sided[0],
        report.failure_two_sided[1],
        report.failure_upper,
        admitted(report)
    );
    Figure::new("failure-bounds", title, description, draw_failures(report))
}

/// What the claim admits, in %.
fn admitted(report: &CampaignReport) -> Fixed {
    Fixed::from_millionths(100_000_000 - report.plan.success.as_millionths())
}

fn draw_failures(report: &CampaignReport) -> String {
    let limit = admitted(report).as_millionths();
    let [low, high] = report.failure_two_sided.map(Fixed::as_millionths);
    let upper = report.failure_upper.as_millionths();
    let end = limit.max(high).saturating_mul(6) / 5;
    let axis = Axis::new((0, end.max(1)), (LEFT, RIGHT));
    let (line, foot) = (78, 120);
    let mut canvas = Canvas::new(WIDTH, foot + 56);
    for tick in value_ticks(0, end.max(1), 8).into_iter().filter(|tick| axis.holds(*tick)) {
        let x = axis.at(tick);
        canvas.line((x, 40), (x, foot), Ink::Grid, 1);
        canvas.text((x, foot + 14), value_label(tick), Lettering::new(Ink::Muted, Anchor::Middle).small());
    }
    let caption = "failure probability of a trial in %";
    canvas.text((LEFT.midpoint(RIGHT), foot + 36), caption, Lettering::new(Ink::Muted, Anchor::Middle).small());
    canvas.line((axis.at(low), line), (axis.at(high), line), Ink::Erase, 3);
    for value in [low, high] {
        canvas.line((axis.at(value), line - 8), (axis.at(value), line + 8), Ink::Erase, 3);
    }
    let seen = i128::from(report.failures) * 100_000_000 / i128::from(report.executed.max(1));
    canvas.dot((axis.at(i64::try_from(seen).unwrap_or(0)), line), 5, Ink::Text);
    canvas.dashes((axis.at(upper), 40), (axis.at(upper), foot), Ink::Load);
    canvas.dashes((axis.at(limit), 22), (axis.at(limit), foot), Ink::Alarm);
    let label = |canvas: &mut Canvas, value: i64, y: i32, words: String, ink: Ink| {
        let x = axis.at(value);
        let (anchor, at) = if x > RIGHT - 260 { (Anchor::End, x - 6) } else { (Anchor::Start, x + 6) };
        canvas.text((at, y), words, Lettering::new(ink, anchor).small().bold());
    };
    label(&mut canvas, limit, 14, format!("the claim admits {} %", admitted(report)), Ink::Alarm);
    label(&mut canvas, upper, 32, format!("upper bound {} %", report.failure_upper), Ink::Load);
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Histogram;
    use crate::report::Relation;

    /// A thousand values from 10 ms to 12 ms.
    fn values(limit_ms: i64) -> Values {
        let ms = |value: i64| Fixed::from_millionths(value * 1_000_000);
        let histogram = Histogram { low: ms(10), step: ms(1), counts: vec![998, 2] };
        Values {
            budget: "pump-update".to_owned(),
            unit: "ms".to_owned(),
            relation: Relation::Below,
            limit: ms(limit_ms),
            n: 1_000,
            missing: 0,
            best: Some(ms(10)),
            median: Some(ms(10)),
            worst: Some(ms(12)),
            bounds: Vec::new(),
            histogram,
            replay: None,
        }
    }

    #[test]
    fn the_limit_is_a_line_or_is_told_to_lie_beyond_the_axis() {
        let near = values(15);
        assert!(beyond(&near).is_none() && draw_histogram(&near).contains("limit 15"));
        assert!(lines_words(&near).starts_with("the limit, the median"));
        for (limit, side) in [(70_000, "right of"), (1, "left of")] {
            let far = values(limit);
            assert!(draw_histogram(&far).contains(&format!("limit {limit}, {side} the axis")), "{limit}");
            assert!(lines_words(&far).ends_with(&format!("the limit, {limit} ms, lies {side} the axis")), "{limit}");
        }
    }

    #[test]
    fn more_trials_stand_higher_and_none_leaves_the_sheet() {
        let heights: Vec<i32> = [1, 2, 9, 10, 11, 99, 100, 1_000].map(|count| height(count, 3)).into();
        assert!(heights.windows(2).all(|pair| pair[0] >= pair[1]), "{heights:?}");
        assert!(heights[0] < FOOT && heights[7] >= HEAD, "{heights:?}");
        // 28 pixels of ground under three decades of 81: log10 of 2 is 0.301.
        assert_eq!([1, 2, 5, 10, 100, 1_000].map(|count| height(count, 3)), [308, 283, 251, 227, 145, 64]);
        assert_eq!(grid_counts(2), [1, 2, 5, 10, 20, 50, 100]);
        assert_eq!([decades(1), decades(100), decades(101), decades(46_050)], [2, 2, 3, 5]);
    }
}
