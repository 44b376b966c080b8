//! The lives of a unit: from when on both of its CPUs have started anew.

use crate::kernel::SimTime;

/// When a unit began to live: with the first boot after both CPUs were down, or as the second one has started anew by itself.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    began: Vec<SimTime>,
    /// By CPU: when it booted.
    boots: [Vec<SimTime>; 2],
    /// By CPU: whether it is booted.
    up: [bool; 2],
    /// By CPU: whether it has started anew alone in this life.
    fresh: [bool; 2],
    /// The CPU that has not booted yet in this life.
    awaited: Option<usize>,
}

impl Lives {
    /// A CPU boots: a life begins if both were down, or if both have started anew one after the other. Whether one begins.
    pub fn boots(&mut self, cpu: usize, now: SimTime) -> bool {
        let before = self.began.len();
        self.boots[cpu].push(now);
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
        self.began.len() > before
    }

    /// A CPU is reset or loses its supply.
    pub const fn stops(&mut self, cpu: usize) {
        self.up[cpu] = false;
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

    /// When a CPU had booted last by then; none before its first boot.
    #[must_use]
    pub fn booted(&self, cpu: usize, by: SimTime) -> Option<SimTime> {
        self.boots[cpu].iter().copied().rfind(|booted| *booted <= by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;

    fn second(number: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(number)
    }

    /// What happens in each second, by letter: a CPU boots, `a` is CPU1; `A` and `B` reset it alone, `X` takes the supply of both.
    fn lives_of(events: &str) -> Lives {
        let mut lives = Lives::default();
        for (now, event) in (1..).map(second).zip(events.chars()) {
            match event {
                'a' => _ = lives.boots(0, now),
                'b' => _ = lives.boots(1, now),
                'A' => lives.stops(0),
                'B' => lives.stops(1),
                _ => (0..2).for_each(|cpu| lives.stops(cpu)),
            }
        }
        lives
    }

    #[test]
    fn a_life_begins_as_both_have_started_anew_and_not_with_each_boot() {
        for (events, begins) in [
            ("a", "1"),
            ("ab", "1."),
            ("ba", "1."),
            // One alone, as often as it likes.
            ("abAaAa", "1....."),
            ("abBbBb", "1....."),
            // The other one follows, in time or not.
            ("abAaBb", "1....2"),
            ("abBbAa", "1....2"),
            ("abAaAaBb", "1......2"),
            ("abAaBbAaBb", "1....2...3"),
            ("abAaBbBbAa", "1....2...3"),
            // Both down at once, one after the other up.
            ("abXab", "1..2."),
            ("abABba", "1...2."),
            ("abXaXba", "1..2.3."),
            // The first boot of a CPU in a life is no start anew, however long it takes.
            ("aAab", "1.2."),
            ("abXabAa", "1..2..."),
            ("abXaAab", "1..2.3."),
            // What one did alone in the life before says nothing about this one.
            ("abAaXabBb", "1....2..."),
            ("abBbXbaAa", "1....2..."),
        ] {
            let lives = lives_of(events);
            for (number, begin) in (1..).zip(begins.chars()) {
                let (of, now) = (lives.of(second(number)), second(number));
                assert_eq!(of == Some(now), begin != '.', "{events} in second {number}");
                if let Some(life) = begin.to_digit(10) {
                    assert_eq!(lives.restarts(now), life as usize - 1, "{events} in second {number}");
                    assert_eq!(lives.after(life as u8 - 1), Some(now), "{events} in second {number}");
                }
            }
            assert_eq!(lives.began.len(), begins.chars().filter(|begin| *begin != '.').count(), "{events}");
        }
    }

    #[test]
    fn an_instant_belongs_to_the_life_that_goes_on_then() {
        let lives = lives_of("abXab");
        assert_eq!((lives.of(second(0)), lives.restarts(second(0))), (None, 0));
        assert_eq!((lives.of(second(3)), lives.restarts(second(3))), (Some(second(1)), 0));
        assert_eq!((lives.of(second(9)), lives.restarts(second(9))), (Some(second(4)), 1));
        assert_eq!((lives.after(1), lives.after(2)), (Some(second(4)), None));
    }

    #[test]
    fn a_cpu_has_booted_before_the_life_that_the_other_one_begins() {
        let lives = lives_of("abAaBb");
        assert_eq!(lives.of(second(6)), Some(second(6)));
        assert_eq!([0, 1].map(|cpu| lives.booted(cpu, second(6))), [Some(second(4)), Some(second(6))]);
        assert_eq!([0, 1].map(|cpu| lives.booted(cpu, second(1))), [Some(second(1)), None]);
    }
}
