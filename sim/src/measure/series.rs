//! A curve reduced to minimum and maximum per interval, in bounded memory.
//!
//! Intervals begin 100 ms wide; when they fill up, neighbours are joined and the width doubles. Short sags stay
//! visible, which plain sampling would lose.

use crate::kernel::{SimTime, Span};

const INTERVALS_MOST: usize = 2_000;
const FIRST_WIDTH: Span = Span::from_millis(100);

/// A curve of integer values.
#[derive(Clone, Debug)]
pub struct Curve {
    width: Span,
    intervals: Vec<Option<(i64, i64)>>,
    last: Option<i64>,
}

impl Default for Curve {
    fn default() -> Self {
        Self { width: FIRST_WIDTH, intervals: Vec::new(), last: None }
    }
}

impl Curve {
    /// Whether no value was ever set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The value from `now` on; until the next call the curve is taken to stay there.
    pub fn set(&mut self, now: SimTime, value: i64) {
        let index = self.index(now);
        self.fill_to(index);
        if let Some(last) = self.last {
            self.widen(index, last);
        }
        self.widen(index, value);
        self.last = Some(value);
    }

    /// Adds to the value of the interval of `now`, for sums such as bus time.
    pub fn add(&mut self, now: SimTime, amount: i64) {
        let index = self.index(now);
        if self.intervals.len() <= index {
            self.intervals.resize(index + 1, Some((0, 0)));
        }
        if let Some(Some((_, sum))) = self.intervals.get_mut(index) {
            *sum += amount;
        }
    }

    fn index(&mut self, now: SimTime) -> usize {
        loop {
            let index = usize::try_from(now.as_nanos() / self.width.as_nanos()).unwrap_or(usize::MAX);
            if index < INTERVALS_MOST {
                return index;
            }
            self.join();
        }
    }

    fn join(&mut self) {
        self.width = self.width.times(2);
        let joined = self.intervals.chunks(2).map(|pair| {
            let both = pair.iter().copied().flatten();
            both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        });
        self.intervals = joined.collect();
    }

    /// Intervals in which nothing was set keep the value from before.
    fn fill_to(&mut self, index: usize) {
        let held = self.last.map(|value| (value, value));
        while self.intervals.len() <= index {
            self.intervals.push(held);
        }
    }

    fn widen(&mut self, index: usize, value: i64) {
        let place = &mut self.intervals[index];
        *place = Some(place.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
    }

    /// Begin, minimum and maximum of each interval up to `end`.
    #[must_use]
    pub fn points(&self, end: SimTime) -> Vec<(SimTime, i64, i64)> {
        let mut curve = self.clone();
        if let Some(last) = curve.last {
            curve.set(end, last);
        }
        let begin = |index: usize| SimTime::ZERO + curve.width.times(index as u64);
        let known = curve.intervals.iter().enumerate();
        known.filter_map(|(index, value)| value.map(|(min, max)| (begin(index), min, max))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn a_short_sag_stays_visible_and_values_are_held() {
        let mut curve = Curve::default();
        curve.set(ms(0), 24);
        curve.set(ms(250), 8);
        curve.set(ms(255), 24);
        assert_eq!(curve.points(ms(320)), [(ms(0), 24, 24), (ms(100), 24, 24), (ms(200), 8, 24), (ms(300), 24, 24)]);
    }

    #[test]
    fn a_long_run_keeps_at_most_2000_points_and_every_extreme() {
        let mut curve = Curve::default();
        for second in 0..7_200 {
            curve.set(ms(second * 1_000), if second == 4_321 { -5 } else { 10 });
        }
        let points = curve.points(ms(7_200_000));
        assert!(points.len() <= 2_000 && points.len() > 900);
        assert_eq!(points.iter().map(|point| point.1).min(), Some(-5));
    }
}
