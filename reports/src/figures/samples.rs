//! Every measured value of a budget as a dot against its limits, and the steps of the worst one below.
//!
//! Dots that would cover each other are stacked, so that the height shows how many there are. Nothing is drawn by
//! chance.

use std::collections::BTreeMap;

use super::axis::{Axis, value_label, value_ticks};
use super::canvas::{Anchor, Canvas, Ink, Lettering};
use crate::number::{Fixed, Millis};
use crate::report::{Budget, Relation, Sample};
use crate::words;

const WIDTH: i32 = 1200;
const LEFT: i32 = 60;
const RIGHT: i32 = 1140;
const TOP: i32 = 46;
const DOT: u32 = 4;
const STACK: i32 = 9;
const STACK_MOST: i32 = 16;
const STEPS: i32 = 100;
/// Between the middles of two numbers.
const NUMBER: i32 = 18;

/// Least, median and greatest of the samples; none unless all measured values are there.
pub(crate) fn spread(budget: &Budget) -> Option<[Fixed; 3]> {
    let all = u64::try_from(budget.samples.len()).is_ok_and(|count| count == budget.n);
    let mut values: Vec<Fixed> = budget.samples.iter().map(|sample| sample.value).collect();
    values.sort_unstable();
    let (first, last) = (values.first()?, values.last()?);
    all.then(|| [*first, values[(values.len() - 1) / 2], *last])
}

/// Draws the samples of a budget, and the steps of the worst if it is a time.
pub(super) fn draw(budget: &Budget) -> String {
    let axis = value_axis(budget);
    let stacks = stacks(&budget.samples, &axis);
    let highest = stacks.values().map(Vec::len).max().unwrap_or(1);
    let rows = i32::try_from(highest).unwrap_or(STACK_MOST).clamp(4, STACK_MOST);
    let base = TOP + rows * STACK + 10;
    let steps = budget.unit == "ms" && budget.decomposition.len() > 1;
    let mut canvas = Canvas::new(WIDTH, base + 52 + if steps { STEPS } else { 0 });
    grid(&mut canvas, budget, &axis, base);
    for limit in [budget.limit_low, Some(budget.limit)].into_iter().flatten() {
        limit_line(&mut canvas, budget, limit, &axis, base);
    }
    dots(&mut canvas, budget, &axis, &stacks, base);
    if steps {
        decomposition(&mut canvas, budget, base + 66);
    }
    canvas.finish()
}

/// The axis holds every sample and every limit; from zero, unless all lie far from it.
fn value_axis(budget: &Budget) -> Axis {
    let limits = [Some(budget.limit), budget.limit_low].into_iter().flatten();
    let values: Vec<i64> =
        budget.samples.iter().map(|sample| sample.value).chain(limits).map(Fixed::as_millionths).collect();
    let low = values.iter().copied().min().unwrap_or(0);
    let high = values.iter().copied().max().unwrap_or(1);
    let far = budget.relation == Relation::Within && low > high.saturating_sub(low);
    let room = high.saturating_sub(low).max(1) / 20;
    let low = if far { low.saturating_sub(room) } else { low.min(0) };
    Axis::new((low, high.saturating_add(room)), (LEFT, RIGHT))
}

/// The samples by column, a dot wide each.
fn stacks<'a>(samples: &'a [Sample], axis: &Axis) -> BTreeMap<i32, Vec<&'a Sample>> {
    let mut stacks: BTreeMap<i32, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        let column = axis.at(sample.value.as_millionths()).div_euclid(STACK);
        stacks.entry(column).or_default().push(sample);
    }
    stacks
}

fn grid(canvas: &mut Canvas, budget: &Budget, axis: &Axis, base: i32) {
    for tick in value_ticks(axis.low(), axis.high(), 10).into_iter().filter(|tick| axis.holds(*tick)) {
        let x = axis.at(tick);
        canvas.line((x, TOP), (x, base), Ink::Grid, 1);
        canvas.text((x, base + 14), value_label(tick), Lettering::new(Ink::Muted, Anchor::Middle).small());
    }
    canvas.line((LEFT, base), (RIGHT, base), Ink::Muted, 1);
    let unit = format!("measured in {}", budget.unit);
    canvas.text((LEFT.midpoint(RIGHT), base + 34), unit, Lettering::new(Ink::Muted, Anchor::Middle).small());
}

fn limit_line(canvas: &mut Canvas, budget: &Budget, limit: Fixed, axis: &Axis, base: i32) {
    let x = axis.at(limit.as_millionths());
    canvas.line((x, TOP - 8), (x, base), Ink::Alarm, 2);
    let text = format!("limit {limit} {}", budget.unit);
    canvas.text((x, TOP - 18), text, Lettering::new(Ink::Alarm, anchor_at(x)).small().bold());
}

/// The end at which a text near the edge of the sheet must be held.
fn anchor_at(x: i32) -> Anchor {
    match x {
        x if x < LEFT + 120 => Anchor::Start,
        x if x > RIGHT - 120 => Anchor::End,
        _ => Anchor::Middle,
    }
}

fn dots(canvas: &mut Canvas, budget: &Budget, axis: &Axis, stacks: &BTreeMap<i32, Vec<&Sample>>, base: i32) {
    let is_worst = |sample: &Sample| Some(sample.value) == budget.measured;
    let mut worst = None;
    for samples in stacks.values() {
        for (height, sample) in (0..STACK_MOST).zip(samples) {
            let center = (axis.at(sample.value.as_millionths()), base - 6 - height * STACK);
            canvas.dot(center, DOT, Ink::Transfer);
            if is_worst(sample) && worst.is_none() {
                worst = Some(center);
            }
        }
        if let Some(more) = samples.len().checked_sub(STACK_MOST.unsigned_abs() as usize + 1) {
            let x = samples.first().map_or(LEFT, |sample| axis.at(sample.value.as_millionths()));
            let text = format!("+{}", more + 1);
            canvas.text((x, TOP - 2), text, Lettering::new(Ink::Muted, Anchor::Middle).small());
        }
    }
    let Some(center) = worst else { return };
    canvas.ring(center, DOT + 3, Ink::Alarm);
    let place = budget.r#where.as_deref().unwrap_or("worst");
    let text = format!("worst: {place}");
    let words = Lettering::new(Ink::Text, anchor_at(center.0)).small().bold();
    canvas.text((center.0, center.1 - 18), text, words);
}

/// The steps of the worst value as parts of one bar, numbered; the table beside the figure has their names. What lies before
/// the measured time is hollow, so that no colour of what is measured stands for it.
fn decomposition(canvas: &mut Canvas, budget: &Budget, top: i32) {
    let (Some(first), Some(last)) = (budget.decomposition.first(), budget.decomposition.last()) else { return };
    let times = Axis::new((first.at_ms.as_nanos(), last.at_ms.as_nanos()), (LEFT, RIGHT));
    let before = budget
        .measured_steps()
        .map_or(0, |(begin, _)| budget.decomposition.iter().take_while(|step| step.step != begin).count());
    canvas.text((LEFT, top), "Steps of the worst", Lettering::new(Ink::Text, Anchor::Start).bold());
    if before > 0 {
        let words = Lettering::new(Ink::Muted, Anchor::Start).small();
        canvas.text((LEFT + 140, top), "blue is measured, hollow is not", words);
    }
    let (upper, lower) = (top + 14, top + 38);
    for (index, pair) in budget.decomposition.windows(2).enumerate() {
        let [from, to] = [pair[0].at_ms, pair[1].at_ms].map(|time| times.at(time.as_nanos()));
        if index >= before {
            canvas.fill((from, upper), (to, lower), Ink::Transfer);
        }
        canvas.frame((from, upper), (to, lower), Ink::Text);
        if to - from > 90 {
            let took = pair[1].at_ms.as_nanos().saturating_sub(pair[0].at_ms.as_nanos());
            let took = format!("{} ms", words::rounded(Millis::from_signed_nanos(took).into(), 3));
            let ink = if index >= before { Ink::OnBar } else { Ink::Text };
            canvas.text((from.midpoint(to), upper + 12), took, Lettering::new(ink, Anchor::Middle).small());
        }
    }
    let at: Vec<i32> = budget.decomposition.iter().map(|step| times.at(step.at_ms.as_nanos())).collect();
    for ((number, tick), label) in (1..).zip(&at).zip(side_by_side(&at)) {
        canvas.line((*tick, lower), (label, lower + 8), Ink::Muted, 1);
        canvas.text((label, lower + 16), number.to_string(), Lettering::new(Ink::Text, Anchor::Middle).small().bold());
    }
}

/// Places for numbers below ticks in rising order: at their ticks where there is room, else side by side, and none beyond the
/// last tick.
fn side_by_side(ticks: &[i32]) -> Vec<i32> {
    let mut places = ticks.to_vec();
    for index in (1..places.len()).rev() {
        places[index - 1] = places[index - 1].min(places[index] - NUMBER);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_steps_stay_below_the_bar() {
        assert_eq!(side_by_side(&[60, 500, 1140]), [60, 500, 1140]);
        assert_eq!(side_by_side(&[60, 1138, 1140, 1140]), [60, 1104, 1122, 1140]);
    }

    #[test]
    fn the_spread_is_given_only_for_all_values() {
        let mut budget = Budget::new("reaction", Relation::AtMost, Fixed::scaled(500, 0), None, "ms");
        for value in [412, 17, 38, 20] {
            budget.measure_at("P01", Fixed::scaled(value, 0));
        }
        assert_eq!(spread(&budget), Some([17, 20, 412].map(|value| Fixed::scaled(value, 0))));
        budget.n = 5;
        assert_eq!(spread(&budget), None);
    }
}
