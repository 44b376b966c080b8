//! The lives of a unit: from when on both of its CPUs have started anew.

use crate::kernel::SimTime;

/// When a unit began to live: with the first boot after both CPUs were down, or as the second one has started anew by itself.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    began: Vec<SimTime>,
    /// By CPU: whether it is booted.
    up: [bool; 2],
    /// By CPU: whether it has started anew alone in this life.
    fresh: [bool; 2],
    /// The CPU that has not booted yet in this life.
    awaited: Option<usize>,
    /// When the second of its CPUs was down.
    down: Vec<SimTime>,
}

impl Lives {
    /// A CPU boots: a life begins if both were down, or if both have started anew one after the other.
    pub fn boots(&mut self, cpu: usize, now: SimTime) {
        if self.up == [false; 2] {
            self.began.push(now);
            (self.fresh, self.awaited) = ([false; 2], Some(1 - cpu));
        } else if self.awaited == Some(cpu) {
            self.awaited = None;
        } else {
            self.fresh[cpu] = true;
            if self.fresh == [true; 2] {
                self.began.push(now);
                self.fresh = [false; 2];
            }
        }
        self.up[cpu] = true;
    }

    /// A CPU is reset or loses its supply.
    pub fn stops(&mut self, cpu: usize, now: SimTime) {
        if self.up[cpu] && !self.up[1 - cpu] {
            self.down.push(now);
        }
        self.up[cpu] = false;
    }

    /// When both CPUs were first down in this time.
    #[must_use]
    pub fn was_down(&self, from: SimTime, until: SimTime) -> Option<SimTime> {
        self.down.iter().copied().find(|at| (from..=until).contains(at))
    }

    /// How often both CPUs had started anew by then.
    #[must_use]
    pub fn restarts(&self, by: SimTime) -> usize {
        self.began.iter().filter(|began| **began <= by).count().saturating_sub(1)
    }

    /// When the life after so many restarts began; none if there was none.
    #[must_use]
    pub fn after(&self, restarts: u8) -> Option<SimTime> {
        self.began.get(usize::from(restarts)).copied()
    }

    /// When the life that goes on at an instant began; none before the first.
    #[must_use]
    pub fn of(&self, at: SimTime) -> Option<SimTime> {
        self.began.iter().copied().rfind(|began| *began <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;

    #[test]
    fn a_life_begins_as_both_have_started_anew() {
        let ms = |ms| SimTime::ZERO + Span::from_millis(ms);
        let mut lives = Lives::default();
        assert_eq!((lives.of(ms(0)), lives.restarts(ms(0)), lives.after(0)), (None, 0, None));
        (0..2u8).for_each(|cpu| lives.boots(cpu.into(), ms(u64::from(cpu))));
        // CPU1 alone, and once more: CPU2 lives on.
        for at in [10, 20] {
            lives.stops(0, ms(at));
            lives.boots(0, ms(at));
        }
        assert_eq!((lives.of(ms(29)), lives.restarts(ms(29))), (Some(ms(0)), 0));
        lives.stops(1, ms(30));
        lives.boots(1, ms(30));
        assert_eq!((lives.of(ms(30)), lives.restarts(ms(30)), lives.after(1)), (Some(ms(30)), 1, Some(ms(30))));
        // Both lose their supply; CPU2 boots first, and CPU1 belongs to the same life.
        assert_eq!(lives.was_down(ms(0), ms(99)), None, "one of them always ran");
        (0u8..2).for_each(|cpu| lives.stops(cpu.into(), ms(u64::from(cpu) + 35)));
        let was_down = |from, until| lives.was_down(ms(from), ms(until));
        assert_eq!([was_down(0, 99), was_down(36, 36), was_down(37, 99)], [Some(ms(36)), Some(ms(36)), None]);
        lives.boots(1, ms(40));
        lives.boots(0, ms(41));
        assert_eq!((lives.restarts(ms(50)), lives.after(2)), (2, Some(ms(40))));
        assert_eq!((lives.of(ms(35)), lives.restarts(ms(35))), (Some(ms(30)), 1), "as it was then");
    }
}
