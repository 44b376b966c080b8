//! The cyclic commands: one to each pump every 100 ms, staggered.

use protocol::cyclic::{self, Command, Mode};
use protocol::ids::PumpNumber;
use units::{Duration, Instant, Permille};

/// Whose command is due when.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pumps: u8,
    next: u8,
    round: Instant,
    due: Instant,
    counter: u8,
}

impl Schedule {
    /// The first round begins at reset.
    pub(crate) const fn new(pumps: u8) -> Self {
        Self { pumps, next: 1, round: Instant::ZERO, due: Instant::ZERO, counter: 0 }
    }

    /// When the next command is due.
    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// Whether the next command is the first of a round.
    pub(crate) const fn begins_round(&self) -> bool {
        self.next == 1
    }

    /// Takes the next command if it is due. Rounds that were missed are skipped, not made up for.
    pub(crate) fn take(&mut self, now: Instant) -> Option<PumpNumber> {
        if now < self.due {
            return None;
        }
        let pump = PumpNumber::new(self.next)?;
        if self.next < self.pumps {
            self.next = self.next.saturating_add(1);
        } else {
            self.begin_round(now);
        }
        self.due = self.round.after(PumpNumber::new(self.next).map_or(Duration::ZERO, cyclic::stagger));
        Some(pump)
    }

    fn begin_round(&mut self, now: Instant) {
        let missed = now.since(self.round).as_micros() / cyclic::PERIOD.as_micros();
        self.round = self.round.after(cyclic::PERIOD.times(missed.max(1)));
        self.next = 1;
        self.counter = self.counter.wrapping_add(1) & 0x0F;
    }

    /// The frame that commands `pump`.
    pub(crate) fn frame(&self, pump: PumpNumber, (mode, set_point): (Mode, Permille)) -> protocol::Frame {
        Command { mode, set_point, counter: self.counter }.encode(pump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn each_pump_is_commanded_every_100_ms_at_its_own_moment() {
        let mut schedule = Schedule::new(14);
        let mut sent = Vec::new();
        while schedule.due() < Instant::from_micros(300_000) {
            let now = schedule.due();
            sent.push((now.as_micros(), schedule.take(now).unwrap().get()));
        }
        let expected =
            (0..3).flat_map(|round| (0..14).map(move |pump| (round * 100_000 + pump * 6_250, pump as u8 + 1)));
        assert_eq!(sent, expected.collect::<Vec<_>>());
    }

    #[test]
    fn missed_rounds_are_skipped() {
        let mut schedule = Schedule::new(2);
        let late = Instant::from_micros(1_234_567);
        let sent = core::iter::from_fn(|| schedule.take(late)).count();
        assert_eq!(sent, 4, "the rest of the round that was missed, and the running one as far as it is due");
        assert_eq!(schedule.due(), Instant::from_micros(1_300_000));
    }
}
