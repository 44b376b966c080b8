//! Hill climbing on a grid: several ascents, each from a starting point of its own, none depending on another.
//!
//! A step changes one value, now and then two, by a distance drawn evenly on a logarithmic scale, so that an ascent both
//! leaps and creeps; the new point is kept where it is no worse. Each ascent has a random stream of its own, so that the
//! result does not depend on which thread climbs it.

use std::num::NonZero;

use rand::RngExt as _;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::kernel::{Stream, stream};

/// One of so many steps changes a second value too.
const SECOND_ONE_IN: u32 = 4;
/// One of so many changes leaps to anywhere.
const LEAP_ONE_IN: u32 = 8;

/// How a landscape is climbed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many values each move has; at least one.
    pub sizes: Vec<u64>,
    /// Ascents; the first begins in the middle of the grid, the others anywhere.
    pub restarts: u32,
    /// Points that each ascent looks at.
    pub steps: u32,
    /// Draws starting points and steps.
    pub seed: u64,
}

/// A point that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked<T> {
    /// Which value of each move, from 0.
    pub point: Vec<u64>,
    /// What was found there.
    pub found: T,
}

/// Climbs. `is_no_worse(new, old)` says whether an ascent goes on from the new point. The points of each ascent are in
/// the order in which they were looked at.
#[must_use]
pub fn climb<T: Send>(
    plan: &Plan,
    jobs: NonZero<usize>,
    look: &(dyn Fn(&[u64]) -> T + Sync),
    is_no_worse: &(dyn Fn(&T, &T) -> bool + Sync),
) -> Vec<Vec<Looked<T>>> {
    let pool = ThreadPoolBuilder::new().num_threads(jobs.get()).build().expect("threads can be started");
    pool.install(|| (0..plan.restarts).into_par_iter().map(|number| ascend(plan, number, look, is_no_worse)).collect())
}

fn ascend<T>(
    plan: &Plan,
    number: u32,
    look: &dyn Fn(&[u64]) -> T,
    is_no_worse: &dyn Fn(&T, &T) -> bool,
) -> Vec<Looked<T>> {
    let mut random = stream(plan.seed, &format!("ascent {number}"));
    let point: Vec<u64> = match number {
        0 => plan.sizes.iter().map(|size| size / 2).collect(),
        _ => plan.sizes.iter().map(|size| random.random_range(0..*size)).collect(),
    };
    let found = look(&point);
    let mut looked = vec![Looked { point, found }];
    let mut best = 0;
    for _ in 1..plan.steps {
        let point = neighbour(&plan.sizes, &looked[best].point, &mut random);
        let found = look(&point);
        let keep = is_no_worse(&found, &looked[best].found);
        looked.push(Looked { point, found });
        if keep {
            best = looked.len() - 1;
        }
    }
    looked
}

fn neighbour(sizes: &[u64], from: &[u64], random: &mut Stream) -> Vec<u64> {
    let mut point = from.to_vec();
    let free: Vec<usize> = (0..sizes.len()).filter(|index| sizes[*index] > 1).collect();
    if free.is_empty() {
        return point;
    }
    let changes = 1 + u32::from(random.random_range(0..SECOND_ONE_IN) == 0);
    for _ in 0..changes {
        let index = free[random.random_range(0..free.len())];
        point[index] = changed(sizes[index], point[index], random);
    }
    point
}

/// Another value of a move with `size` of them.
fn changed(size: u64, value: u64, random: &mut Stream) -> u64 {
    if random.random_range(0..LEAP_ONE_IN) == 0 {
        return random.random_range(0..size);
    }
    let most = size - 1;
    let scale = 1_u64 << random.random_range(0..=most.ilog2());
    let distance = random.random_range(scale..=scale.saturating_mul(2).min(most).max(scale));
    let up = random.random_range(0..2) == 0;
    let other = |value: u64| if up { value.saturating_add(distance).min(most) } else { value.saturating_sub(distance) };
    // At an edge the way back is left.
    if other(value) == value {
        if up { value.saturating_sub(distance) } else { (value + distance).min(most) }
    } else {
        other(value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A planted landscape: one summit of 1000 at (700, 20), and a lower one of 600 at (100, 40), by hand.
    fn height(point: &[u64]) -> i64 {
        let from = |x: u64, y: u64| (point[0].abs_diff(x) * 2 + point[1].abs_diff(y) * 9) as i64;
        (1_000 - from(700, 20)).max(600 - from(100, 40))
    }

    fn best(plan: &Plan, jobs: usize) -> (i64, Vec<u64>) {
        let ascents = climb(plan, NonZero::new(jobs).expect("a thread"), &height, &|new, old| new >= old);
        let all = ascents.into_iter().flatten();
        all.map(|looked| (looked.found, looked.point)).max().expect("a point")
    }

    fn plan() -> Plan {
        Plan { sizes: vec![1_000, 50], restarts: 4, steps: 400, seed: 1 }
    }

    #[test]
    fn the_summit_of_a_planted_landscape_is_found() {
        for seed in 1..=10 {
            assert_eq!(best(&Plan { seed, ..plan() }, 1), (1_000, vec![700, 20]), "seed {seed}");
        }
    }

    #[test]
    fn it_climbs_and_is_better_than_chance() {
        // Of 50,000 points as many are drawn as four ascents look at: the summit is among them once in 31 tries.
        let mut random = stream(1, "chance");
        let drawn = (0..1_600).map(|_| height(&[random.random_range(0..1_000), random.random_range(0..50)]));
        assert!(drawn.max().expect("a point") < 1_000);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let all = |jobs| climb(&plan(), NonZero::new(jobs).expect("a thread"), &height, &|new, old| new >= old);
        assert_eq!(all(1), all(3));
        assert_ne!(all(1), climb(&Plan { seed: 2, ..plan() }, NonZero::<usize>::MIN, &height, &|new, old| new >= old));
    }

    #[test]
    fn every_value_can_be_reached_and_none_beyond_the_grid() {
        let mut random = stream(1, "values");
        for size in [2, 3, 17] {
            for from in 0..size {
                let seen: BTreeSet<u64> = (0..2_000).map(|_| changed(size, from, &mut random)).collect();
                assert_eq!(
                    seen.into_iter().filter(|value| *value != from).count() as u64,
                    size - 1,
                    "{from} of {size}"
                );
            }
        }
        assert_eq!(neighbour(&[1, 1], &[0, 0], &mut random), [0, 0], "nothing can move");
    }
}
