//! The cyclic commands: one to each pump every 100 ms, staggered.
//!
//! At most one command to a pump is *mailed*, that is in a mailbox of the controller, so that a bus that was blocked does
//! not deliver a row of stale ones. One that has not left when the next is due is stale: it is aborted, and the newest
//! takes its place.

use embedded_can::{Id, StandardId};
use protocol::Frame;
use protocol::cyclic::{self, Command, Mode};
use protocol::ids::{self, PumpNumber};
use units::{Duration, Instant, Permille};

/// Whose command is due when.
#[derive(Clone, Debug, Hash)]
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
    pub(crate) fn frame(&self, pump: PumpNumber, (mode, set_point): (Mode, Permille)) -> Frame {
        Command { mode, set_point, counter: self.counter }.encode(pump)
    }
}

/// Whose commands are mailed, one bit for each pump.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Mailed {
    out: u16,
    stale: u16,
}

const fn bit(pump: PumpNumber) -> u16 {
    1 << (pump.get().saturating_sub(1) % PumpNumber::MOST)
}

/// Which pump `frame` commands, if it is a command.
fn commanded(frame: &Frame) -> Option<PumpNumber> {
    match frame.id() {
        Id::Standard(id) => ids::command_receiver(id),
        Id::Extended(_) => None,
    }
}

impl Mailed {
    /// Whether `frame` may go into a mailbox: any but a command to a pump for which one is mailed.
    pub(crate) fn admits(self, frame: &Frame) -> bool {
        commanded(frame).is_none_or(|pump| self.out & bit(pump) == 0)
    }

    /// `frame` goes into a mailbox.
    pub(crate) fn put(&mut self, frame: &Frame) {
        self.out |= commanded(frame).map_or(0, bit);
    }

    /// A frame with this id has left.
    pub(crate) fn on_sent(&mut self, id: StandardId) {
        self.take(ids::command_receiver(id).map_or(0, bit));
    }

    /// A newer command to `pump` waits: a mailed one is stale.
    pub(crate) const fn renew(&mut self, pump: PumpNumber) {
        self.stale |= self.out & bit(pump);
    }

    /// The id of a stale command, which counts as aborted from now on.
    pub(crate) fn take_stale(&mut self) -> Option<StandardId> {
        let pump = PumpNumber::first(PumpNumber::MOST).find(|pump| self.stale & bit(*pump) != 0)?;
        self.take(bit(pump));
        Some(ids::command(pump))
    }

    const fn take(&mut self, bits: u16) {
        self.out &= !bits;
        self.stale &= !bits;
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

    #[test]
    fn one_command_to_a_pump_is_mailed_until_it_is_confirmed_or_found_stale() {
        let [one, two] = [1, 16].map(|number| PumpNumber::new(number).unwrap());
        let frame = |pump| Command { mode: Mode::Automatic, set_point: Permille::FULL, counter: 0 }.encode(pump);
        let mut mailed = Mailed::default();
        mailed.put(&frame(one));
        assert!(!mailed.admits(&frame(one)) && mailed.admits(&frame(two)));
        mailed.renew(two);
        assert_eq!(mailed.take_stale(), None, "nothing of pump 16 is mailed");
        mailed.on_sent(ids::status(one));
        assert!(!mailed.admits(&frame(one)));
        mailed.on_sent(ids::command(one));
        assert!(mailed.admits(&frame(one)));
        mailed.put(&frame(two));
        mailed.renew(two);
        assert_eq!(mailed.take_stale(), Some(ids::command(two)));
        assert_eq!(mailed.take_stale(), None);
        assert!(mailed.admits(&frame(two)));
        let request = Frame::with_bytes(ids::uds_request(one), [2, 0x3E, 0]);
        mailed.put(&request);
        assert!(mailed.admits(&request));
    }
}
