//! Each try of each pump from its own begin, against the limit.

use super::axis::{Axis, time_grid, time_unit};
use super::canvas::{Anchor, Canvas, Ink, Lettering};
use super::timeline::{is_over, outcome_words, parts_legend, try_bar};
use crate::number::Millis;
use crate::report::{BUDGET_PUMP_UPDATE, Pump, Report, Try};
use crate::words;

const WIDTH: i32 = 1200;
const LEFT: i32 = 60;
const RIGHT: i32 = 880;
const HEAD: i32 = 52;
const BAR: i32 = 14;

/// Draws the tries of all pumps.
pub(super) fn draw(report: &Report) -> String {
    let budget = report.budget(BUDGET_PUMP_UPDATE);
    let limit = budget.map(|budget| Millis::from(budget.limit));
    let longest = report.pumps.iter().flat_map(|pump| &pump.tries).map(Try::duration).max().unwrap_or_default();
    let end = longest.max(limit.unwrap_or_default()).as_nanos();
    let time = Axis::time(Millis::from_signed_nanos(end.saturating_add(end / 20)), (LEFT, RIGHT));
    let heights: Vec<i32> = report.pumps.iter().map(row_height).collect();
    let bottom = HEAD + heights.iter().sum::<i32>();
    let mut canvas = Canvas::new(WIDTH, bottom + 44);
    parts_legend(&mut canvas, (LEFT, 14));
    time_grid(&mut canvas, &time, (HEAD, bottom), true);
    let mut top = HEAD;
    for (pump, height) in report.pumps.iter().zip(heights) {
        row(&mut canvas, report, pump, &time, (top, height));
        top += height;
    }
    if let (Some(limit), Some(budget)) = (limit, budget) {
        let x = time.at(limit.as_nanos());
        canvas.line((x, HEAD - 4), (x, bottom), Ink::Alarm, 2);
        let text = format!("limit {}", words::limit(budget));
        canvas.text((x, HEAD - 12), text, Lettering::new(Ink::Alarm, Anchor::Middle).small().bold());
    }
    let unit = format!("time since the begin of the try in {}", time_unit(time.high()));
    canvas.text((LEFT.midpoint(RIGHT), bottom + 30), unit, Lettering::new(Ink::Muted, Anchor::Middle).small());
    canvas.finish()
}

/// Room for one bar per try.
fn row_height(pump: &Pump) -> i32 {
    i32::try_from(pump.tries.len().max(1)).unwrap_or(1) * (BAR + 3) + 6
}

fn row(canvas: &mut Canvas, report: &Report, pump: &Pump, time: &Axis, (top, height): (i32, i32)) {
    let budget = report.budget(BUDGET_PUMP_UPDATE);
    canvas.line((LEFT, top + height), (RIGHT, top + height), Ink::Grid, 1);
    canvas.text((LEFT - 8, top + height / 2), pump.id.as_str(), Lettering::new(Ink::Text, Anchor::End));
    for (index, one) in (0..).zip(&pump.tries) {
        let upper = top + 4 + index * (BAR + 3);
        let moved = from_zero(one);
        try_bar(canvas, &moved, time, (upper, upper + BAR));
        if let Some(cause) = one.cause.as_deref().and_then(|cause| cause.split(' ').next()) {
            let x = time.at(one.duration().as_nanos()) + 8;
            let words = Lettering::new(Ink::Alarm, Anchor::Start).small().bold();
            canvas.text((x, upper + BAR / 2), format!("try {}: {cause}", one.n), words);
        }
    }
    let (word, bad) = super::outcome(pump);
    let bad = bad || is_over(pump, budget);
    let ink = if bad { Ink::Alarm } else { Ink::Text };
    let style = Lettering { ink, bold: bad, ..Lettering::new(ink, Anchor::Start) };
    canvas.text((RIGHT + 12, top + height / 2), outcome_words(pump, budget, word), style);
}

/// A try as if the run had begun with it.
fn from_zero(one: &Try) -> Try {
    let start = one.start_ms.as_nanos();
    let mut moved = one.clone();
    moved.start_ms = Millis::ZERO;
    for phase in &mut moved.phases {
        phase.start_ms = Millis::from_signed_nanos(phase.start_ms.as_nanos().saturating_sub(start));
    }
    moved
}
