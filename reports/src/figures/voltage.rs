//! A voltage over the run with its thresholds; dips are shaded and numbered.

use super::axis::{Axis, time_grid, time_unit};
use super::canvas::{Anchor, Canvas, Ink, Lettering};
use super::curve::{self, Strip, dips};
use crate::report::{Report, Series};

const WIDTH: i32 = 1200;
const LEFT: i32 = 60;
const RIGHT: i32 = 960;
const TOP: i32 = 34;
const BOTTOM: i32 = 214;

/// Draws one voltage.
pub(super) fn draw(report: &Report, series: &Series) -> String {
    let mut canvas = Canvas::new(WIDTH, BOTTOM + 44);
    let time = Axis::time(report.simulated_ms, (LEFT, RIGHT));
    let place = Strip { top: TOP, bottom: BOTTOM, ink: Ink::Supply, from_zero: series.name == "supply" };
    let dips = dips(series, report.simulated_ms);
    for dip in &dips {
        let (from, to) = (time.at(dip.from.as_nanos()), time.at(dip.to.as_nanos()));
        canvas.fill((from, TOP), (to.max(from + 2), BOTTOM), Ink::Wash);
    }
    time_grid(&mut canvas, &time, (TOP, BOTTOM), true);
    let values = curve::draw(&mut canvas, &place, &time, series);
    let mut free = i32::MIN;
    for (number, dip) in (1..).zip(&dips) {
        let x = time.at(dip.from.as_nanos()).midpoint(time.at(dip.to.as_nanos())).max(free);
        free = x + 22;
        canvas.text((x, TOP - 10), format!("{number}"), Lettering::new(Ink::Text, Anchor::Middle).small().bold());
    }
    level_words(&mut canvas, series, &values);
    let unit = format!("simulated time in {}", time_unit(report.simulated_ms.as_nanos()));
    canvas.text((LEFT.midpoint(RIGHT), BOTTOM + 32), unit, Lettering::new(Ink::Muted, Anchor::Middle).small());
    canvas.finish()
}

/// The thresholds in words beside their lines, moved apart where they would meet.
fn level_words(canvas: &mut Canvas, series: &Series, values: &Axis) {
    let mut levels: Vec<_> = series.levels.iter().collect();
    levels.sort_by_key(|level| std::cmp::Reverse(level.value));
    let mut free = TOP;
    for level in levels {
        let y = values.at(level.value.as_millionths()).max(free);
        free = y + 17;
        let text = format!("{}: {}", level.name, curve::shown(series, level.value));
        canvas.text((RIGHT + 10, y), text, Lettering::new(Ink::Alarm, Anchor::Start).small());
    }
}
