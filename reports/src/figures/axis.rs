//! Axes: where a value lies in pixels, and at which round values lines are drawn.

use super::canvas::{Anchor, Canvas, Ink, Lettering};
use crate::number::{Fixed, Millis};

const SECOND: i64 = 1_000_000_000;

/// A stretch of values on a stretch of pixels; the pixels may run backwards, as heights do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: i64,
    high: i64,
    first: i32,
    last: i32,
}

impl Axis {
    pub(super) fn new(values: (i64, i64), pixels: (i32, i32)) -> Self {
        Self { low: values.0, high: values.1.max(values.0.saturating_add(1)), first: pixels.0, last: pixels.1 }
    }

    /// From zero to `end` along the width.
    pub(super) fn time(end: Millis, pixels: (i32, i32)) -> Self {
        Self::new((0, end.as_nanos()), pixels)
    }

    /// The pixel of a value; one beyond the ends stays at the end.
    pub(super) fn at(&self, value: i64) -> i32 {
        let value = value.clamp(self.low, self.high);
        let along = i128::from(value) - i128::from(self.low);
        let whole = (i128::from(self.high) - i128::from(self.low)).max(1);
        let pixels = i128::from(self.last - self.first);
        let moved = (along * pixels * 2 + whole).div_euclid(whole * 2);
        self.first + i32::try_from(moved).unwrap_or(0)
    }

    pub(super) fn first(&self) -> i32 {
        self.first
    }

    pub(super) fn last(&self) -> i32 {
        self.last
    }

    pub(super) fn low(&self) -> i64 {
        self.low
    }

    /// Whether a value lies on the axis.
    pub(super) fn holds(&self, value: i64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    pub(super) fn high(&self) -> i64 {
        self.high
    }
}

/// Steps that people count time in.
const STEPS_S: [i64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/// Round times from zero to `end` in nanoseconds, at most `most` steps: those of a clock, or decimal ones for less than
/// five seconds and for more than the clock has.
pub(super) fn time_ticks(end: i64, most: i64) -> Vec<i64> {
    let clock = || STEPS_S.iter().map(|seconds| seconds * SECOND).find(|step| end / step <= most);
    let step = if end < 5 * SECOND { None } else { clock() }.unwrap_or_else(|| round_step(end, most));
    (0..=end / step).map(|number| number * step).collect()
}

/// The least of 1, 2 or 5 times a power of ten that divides `range` into at most `most` steps.
fn round_step(range: i64, most: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if range / step <= most {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Round values from at most `low` to at least `high`, about `most` steps.
pub(super) fn value_ticks(low: i64, high: i64, most: i64) -> Vec<i64> {
    let step = round_step(high.saturating_sub(low).max(1), most);
    let first = low.div_euclid(step);
    let last = high.div_euclid(step) + i64::from(high.rem_euclid(step) > 0);
    (first..=last.max(first + 1)).map(|number| number.saturating_mul(step)).collect()
}

/// A time on an axis: `2:00` from two minutes of length on, else seconds or milliseconds.
pub(super) fn time_label(nanos: i64, end: i64) -> String {
    let seconds = nanos / SECOND;
    if end >= 7200 * SECOND {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    } else if end >= 120 * SECOND {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    } else if end >= 5 * SECOND {
        seconds.to_string()
    } else {
        Millis::from_signed_nanos(nanos).to_string()
    }
}

/// What the labels of [`time_label`] count.
pub(super) fn time_unit(end: i64) -> &'static str {
    match end {
        end if end >= 7200 * SECOND => "h:min:s",
        end if end >= 120 * SECOND => "min:s",
        end if end >= 5 * SECOND => "s",
        _ => "ms",
    }
}

/// Upright lines at round times from `top` to `bottom`, with labels below when `labels` says so.
pub(super) fn time_grid(canvas: &mut Canvas, axis: &Axis, (top, bottom): (i32, i32), labels: bool) {
    let end = axis.high();
    for tick in time_ticks(end, 12) {
        let x = axis.at(tick);
        canvas.line((x, top), (x, bottom), Ink::Grid, 1);
        if labels {
            let lettering = Lettering::new(Ink::Muted, Anchor::Middle).small();
            canvas.text((x, bottom + 12), time_label(tick, end), lettering);
        }
    }
}

/// A value without the digits that are zero, for the labels of an axis.
pub(super) fn value_label(millionths: i64) -> String {
    Fixed::from_millionths(millionths).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_where_it_belongs_and_never_outside() {
        let axis = Axis::new((0, 100), (10, 110));
        assert_eq!([axis.at(-5), axis.at(0), axis.at(50), axis.at(100), axis.at(1000)], [10, 10, 60, 110, 110]);
        let height = Axis::new((0, 100), (200, 100));
        assert_eq!([height.at(0), height.at(25), height.at(100)], [200, 175, 100]);
        let far = Axis::new((0, i64::MAX), (0, 1000));
        assert_eq!(far.at(i64::MAX / 2), 500);
    }

    #[test]
    fn times_are_cut_at_minutes_and_seconds() {
        let labels =
            |end: i64| -> Vec<String> { time_ticks(end, 12).into_iter().map(|tick| time_label(tick, end)).collect() };
        assert_eq!(labels(1_003 * SECOND)[..4], ["0:00", "2:00", "4:00", "6:00"]);
        assert_eq!(labels(76 * SECOND)[..4], ["0", "10", "20", "30"]);
        assert_eq!(labels(503_000_000)[..3], ["0", "50", "100"]);
        assert_eq!(labels(86_400 * SECOND)[1], "2:00:00");
    }

    #[test]
    fn values_are_enclosed_by_their_ticks() {
        assert_eq!(value_ticks(8_212, 24_000, 5), [5_000, 10_000, 15_000, 20_000, 25_000]);
        assert_eq!(value_ticks(7, 7, 5), [7, 8]);
        assert_eq!(value_ticks(-3, 12, 4), [-5, 0, 5, 10, 15]);
    }
}
