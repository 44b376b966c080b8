//! A strip with one curve: least and greatest value per column of pixels, thresholds, and stretches beyond them.
//!
//! A curve of a thousand intervals is drawn as one line that runs through the least and the greatest value of every
//! column, so a dip shorter than a pixel stays visible. A *dip* is a stretch in which the curve is below a floor.

use super::axis::{Axis, value_label, value_ticks};
use super::canvas::{Anchor, Canvas, Ink, Lettering, Point};
use crate::number::{Fixed, Millis};
use crate::report::{Level, Series, Side};
use crate::words;

/// The place of a strip on its sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) ink: Ink,
    /// Whether zero belongs to the axis.
    pub(super) from_zero: bool,
}

/// How a unit is shown: its name for people and the places that its values move.
fn shown_unit(unit: &str) -> (&str, i64) {
    match unit {
        "mV" => ("V", 1000),
        "degC" => ("°C", 1),
        unit => (unit, 1),
    }
}

/// A value of a series with its unit, rounded to two places.
pub(crate) fn shown(series: &Series, value: Fixed) -> String {
    let (unit, divisor) = shown_unit(&series.unit);
    let beyond = if series.unit == "degC" { words::beyond(value) } else { "" };
    format!("{beyond}{} {unit}", words::rounded(Fixed::from_millionths(value.as_millionths() / divisor), 2))
}

/// What a series is called on a page, with its unit.
pub(crate) fn title(series: &Series) -> String {
    let mut name = series.name.replace('-', " ");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{name} in {}", shown_unit(&series.unit).0)
}

/// The least and the greatest value of the whole curve, as an axis needs them.
fn ends(series: &Series) -> Option<(Fixed, Fixed)> {
    Some((*series.min.iter().min()?, *series.max.iter().max()?))
}

/// A stretch in which a curve lies below a floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dip {
    /// Begin of the first interval in it.
    pub(crate) from: Millis,
    /// End of the last interval in it.
    pub(crate) to: Millis,
    /// The least value.
    pub(crate) least: Fixed,
    /// The lowest threshold that it crosses.
    pub(crate) below: String,
}

/// The dips of a series below the highest of its floors, up to `end`.
pub(crate) fn dips(series: &Series, end: Millis) -> Vec<Dip> {
    let floors = || series.levels.iter().filter(|level| level.side == Side::Floor);
    let Some(highest) = floors().map(|level| level.value).max() else { return Vec::new() };
    let mut dips: Vec<Dip> = Vec::new();
    let mut open = false;
    for (index, (from, least)) in series.t_ms.iter().zip(&series.min).enumerate() {
        let to = series.t_ms.get(index + 1).copied().unwrap_or(end.max(*from));
        match (*least < highest, dips.last_mut()) {
            (false, _) => open = false,
            (true, Some(dip)) if open => (dip.to, dip.least) = (to, dip.least.min(*least)),
            (true, _) => {
                open = true;
                dips.push(Dip { from: *from, to, least: *least, below: String::new() });
            }
        }
    }
    for dip in &mut dips {
        let crossed = floors().filter(|level| dip.least < level.value).min_by_key(|level| level.value);
        dip.below = crossed.map_or_else(String::new, |level| level.name.clone());
    }
    dips
}

/// Draws a strip: frame, value axis, thresholds and curve; gives the value axis. The grid of time and the marks are the
/// sheet's affair.
pub(super) fn draw(canvas: &mut Canvas, strip: &Strip, time: &Axis, series: &Series) -> Axis {
    let (left, right) = (time.first(), time.last());
    let (low, high) = range(series, strip.from_zero);
    let values = Axis::new((low, high), (strip.bottom, strip.top));
    for tick in value_axis(series, low, high) {
        let y = values.at(tick);
        canvas.line((left, y), (right, y), Ink::Grid, 1);
        let label = value_label(tick / shown_unit(&series.unit).1);
        canvas.text((left - 8, y), label, Lettering::new(Ink::Muted, Anchor::End).small());
    }
    for level in &series.levels {
        let y = values.at(level.value.as_millionths());
        canvas.dashes((left, y), (right, y), Ink::Alarm);
    }
    canvas.path(outline(series, time, &values), strip.ink, 1);
    canvas.frame((left, strip.top), (right, strip.bottom), Ink::Muted);
    canvas.text((left, strip.top - 11), title(series), Lettering::new(Ink::Text, Anchor::Start).bold());
    values
}

/// The round values from the lowest to the highest one that encloses curve and thresholds.
fn value_axis(series: &Series, low: i64, high: i64) -> Vec<i64> {
    let divisor = shown_unit(&series.unit).1;
    value_ticks(low / divisor, high / divisor, 4)
        .into_iter()
        .map(|tick| tick.saturating_mul(divisor))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

fn range(series: &Series, from_zero: bool) -> (i64, i64) {
    let (low, high) = ends(series).unwrap_or_default();
    let levels = || series.levels.iter().map(|level: &Level| level.value);
    let low = levels().fold(low, Fixed::min);
    let high = levels().fold(high, Fixed::max);
    let low = if from_zero { low.min(Fixed::ZERO) } else { low };
    let divisor = shown_unit(&series.unit).1;
    // Head-room, so that the curve does not run along the frame.
    let room = (high.as_millionths().saturating_sub(low.as_millionths()) / 12).max(1);
    let high = Fixed::from_millionths(high.as_millionths().saturating_add(room));
    let ticks = value_ticks(low.as_millionths() / divisor, high.as_millionths() / divisor, 4);
    let ends = ticks.first().copied().unwrap_or(0)..=ticks.last().copied().unwrap_or(1);
    (ends.start().saturating_mul(divisor), ends.end().saturating_mul(divisor))
}

/// The curve as one line through the least and the greatest value of each column of pixels.
fn outline(series: &Series, time: &Axis, values: &Axis) -> Vec<Point> {
    let mut line: Vec<Point> = Vec::new();
    for (x, low, high) in columns(series, time) {
        let (low, high) = (values.at(low), values.at(high));
        let near_high = line.last().is_none_or(|last| (last.1 - high).abs() <= (last.1 - low).abs());
        let ends = if near_high { [high, low] } else { [low, high] };
        line.extend(ends.map(|y| (x, y)));
    }
    without_needless(line)
}

/// Least and greatest value of each column of pixels that the series covers.
fn columns(series: &Series, time: &Axis) -> Vec<(i32, i64, i64)> {
    let mut columns: Vec<(i32, i64, i64)> = Vec::new();
    for (index, begin) in series.t_ms.iter().enumerate() {
        let (Some(low), Some(high)) = (series.min.get(index), series.max.get(index)) else { break };
        let (low, high) = (low.as_millionths(), high.as_millionths());
        let from = time.at(begin.as_nanos());
        let to = series.t_ms.get(index + 1).map_or(time.last(), |next| time.at(next.as_nanos()));
        match columns.last_mut() {
            Some(last) if last.0 == from => (last.1, last.2) = (last.1.min(low), last.2.max(high)),
            _ => columns.push((from, low, high)),
        }
        if to > from + 1 {
            columns.push((to - 1, low, high));
        }
    }
    columns
}

/// A line without points that repeat or that lie between two others of the same height.
fn without_needless(line: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::with_capacity(line.len());
    for point in line {
        if kept.last() == Some(&point) {
            continue;
        }
        if let [.., before, last] = kept[..]
            && before.1 == last.1
            && last.1 == point.1
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(u64, i64, i64)]) -> Series {
        Series {
            name: "supply".to_owned(),
            unit: "mV".to_owned(),
            t_ms: points.iter().map(|point| Millis::from_nanos(point.0 * 1_000_000)).collect(),
            min: points.iter().map(|point| Fixed::scaled(point.1, 0)).collect(),
            max: points.iter().map(|point| Fixed::scaled(point.2, 0)).collect(),
            levels: vec![
                Level { name: "off".to_owned(), side: Side::Floor, value: Fixed::scaled(9_000, 0) },
                Level { name: "no update".to_owned(), side: Side::Floor, value: Fixed::scaled(18_000, 0) },
            ],
            extremes: None,
        }
    }

    #[test]
    fn a_dip_shorter_than_a_pixel_reaches_its_depth() {
        let points: Vec<(u64, i64, i64)> =
            (0..1000).map(|at| (at * 100, if at == 537 { 7_900 } else { 24_000 }, 24_000)).collect();
        let time = Axis::time(Millis::from_nanos(100_000_000_000), (0, 100));
        let values = Axis::new((0, 30_000_000_000), (300, 0));
        let line = outline(&series(&points), &time, &values);
        assert_eq!(line.iter().map(|point| point.1).max(), Some(221));
        assert!(line.len() < 10, "{line:?}");
    }

    #[test]
    fn dips_name_the_lowest_threshold_they_cross_and_last_to_the_end_of_their_intervals() {
        let series = series(&[(0, 24_000, 24_000), (100, 17_500, 24_000), (200, 8_000, 17_500), (300, 23_000, 24_000)]);
        let ms = |ms: u64| Millis::from_nanos(ms * 1_000_000);
        let wanted = Dip { from: ms(100), to: ms(300), least: Fixed::scaled(8_000, 0), below: "off".to_owned() };
        assert_eq!(dips(&series, ms(400)), [wanted]);
        let end = Series { t_ms: vec![ms(350)], min: vec![Fixed::scaled(17_000, 0)], ..series };
        assert_eq!(dips(&end, ms(400))[0].to, ms(400));
        assert_eq!(dips(&end, ms(400))[0].below, "no update");
    }
}
