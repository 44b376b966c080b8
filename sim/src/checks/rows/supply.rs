//! Tries as flash, bus and supply show them, whatever the log says: how many there are, and which were cut off.
//!
//! A lack of supply is the reason of a try that fails only if it falls into the try: after its begin and before its failure
//! was *decided*. When that is no frame tells and the log is not believed, so it is bounded from both sides by the bus:
//! it comes after the last request of the try and the last answer to one, and no later than the longest time that the CIOC
//! waits for what these ask for. Reads (22) are no part of a try: the CIOC looks before it, and asks for the last start after
//! it. From then on a try is *closed* as soon as a status of the pump arrives, because a pump that is heard has the supply
//! that it would have lacked; until then a silence that began in the try goes on.
//!
//! Between the two bounds, and in a short time after the close, a loss is *unclear*: the CIOC may call it the reason, and
//! may call the pump dead.

use bevy_ecs::prelude::World;
use embedded_can::Id;
use orchestrator::Cause;

use super::{BusRecord, Checks, NodeId, SimTime, Span, Wanted, ending, live, node_of, power, tried};
use crate::bus::{self, Bus};

/// A lack of supply that ended so shortly before a try may count as one within it: pump and CIOC measure how long ago the
/// pump started by two clocks (own number: 1 % of the longest try of the budget, and the pump's boot).
const CLOCKS_APART: Span = Span::from_secs(1);
/// A lack of supply that begins so shortly after the close of a try may count as one within it (own number: a status
/// period, in which the CIOC may take another status for the first one, and the 100 ms in which a pump tells its age).
const CLOSES_WITHIN: Span = Span::from_millis(200);

/// Waits of the CIOC: for an answer, and for one to a request that may take its time or is announced (P2, P2* and what the
/// bus may add: can-notes).
const ANSWERS: Span = Span::from_millis(150);
const ANSWERS_LATE: Span = Span::from_millis(5_100);
/// For the pump's leave to send the rest of a long request (ISO 15765-2 N_Bs).
const LETS_GO_ON: Span = Span::from_secs(1);
/// For a good status after the reset (PFU-024), and for the end of a lock-out of security access (10 s and one more).
const RUNS: Span = Span::from_secs(10);
const UNLOCKS: Span = Span::from_secs(11);

/// Tries of a pump, counted from what happens to its flash: an erase that follows a new request for the programming
/// session begins one. Repeated requests and erases of one try count once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrueTries {
    /// Since the pump was last updated, or revived by hand.
    counted: u32,
    /// A session was asked for, and no erase has followed yet.
    pub(super) asked: bool,
    /// Whether the open try has erased.
    erased: bool,
    /// Whether supply was really too low at any time of the open try.
    short: bool,
    /// When it last was.
    short_at: Option<SimTime>,
    /// Whether the pump's CPU has lost its supply in the open try, and its flash was not erased anew since.
    cut: bool,
    /// Whether it has lost its supply when nobody can tell whether that was in the try.
    unclear: bool,
    /// Whether supply was too low, and whether the CPU lost it, since the try began, before or after its failure.
    short_since: bool,
    cut_since: bool,
    /// Until when the failure of the try is not decided, and from when on it is, unless it goes on.
    undecided: SimTime,
    decided: SimTime,
    /// When the pump was first heard after that.
    closed: Option<SimTime>,
}

impl TrueTries {
    /// A request of the CIOC left.
    pub(super) fn is_asked(&mut self, now: SimTime, frame: &protocol::Frame) {
        let (undecided, decided) = match frame.data() {
            // Why it last started: the CIOC has given the try up.
            [0x03, 0x22, 0xF1, 0xF1, ..] => {
                self.closed = self.closed.or(Some(now));
                return;
            }
            // Another read, or leave for the rest of its answer.
            [0x03, 0x22, ..] | [0x30, ..] => return,
            [0x02, 0x11, ..] => (RUNS, RUNS),
            [0x02..=0x07, 0x10 | 0x31, ..] => (ANSWERS, ANSWERS_LATE),
            [0x10..=0x2F, ..] => (ANSWERS, ANSWERS + LETS_GO_ON),
            _ => (ANSWERS, ANSWERS),
        };
        self.goes_on(now + undecided, now + decided);
        // What was lost before it was lost in the try.
        self.short |= self.short_since;
        self.cut |= self.cut_since;
    }

    /// A request of the CIOC was lost before it left, and nobody knows which: what one before it may still wait for stays.
    fn asks_in_vain(&mut self, now: SimTime) {
        let later = |known: SimTime, new| if known == SimTime::NEVER { new } else { known.max(new) };
        if self.closed.is_none() {
            self.goes_on(later(self.undecided, now + ANSWERS), later(self.decided, now + ANSWERS_LATE));
        }
    }

    /// A frame of its answer has arrived.
    fn answers(&mut self, now: SimTime, data: &[u8]) {
        match data {
            [_, 0x62, ..] | [0x10, _, 0x62, ..] | [0x20..=0x3F, ..] | [0x03, 0x7F, 0x22, ..] => {}
            [0x03, 0x7F, _, 0x78, ..] => self.goes_on(now + ANSWERS_LATE, now + ANSWERS_LATE),
            [0x03, 0x7F, 0x27, 0x36 | 0x37, ..] => self.goes_on(now + UNLOCKS, now + UNLOCKS + ANSWERS),
            // The reset's time runs from its request on.
            [_, 0x51, ..] => {}
            [_, 0x50, ..] => self.goes_on(now + ANSWERS, now + ANSWERS_LATE),
            _ => self.goes_on(now, now + ANSWERS),
        }
    }

    fn goes_on(&mut self, undecided: SimTime, decided: SimTime) {
        (self.undecided, self.decided, self.closed) = (undecided, decided, None);
    }

    /// A status of the pump arrives, and the CIOC can take it.
    fn is_heard(&mut self, now: SimTime) {
        if now >= self.decided {
            self.closed = self.closed.or(Some(now));
        }
    }

    fn is_open(&self, now: SimTime) -> bool {
        self.closed.is_none_or(|closed| now.since(closed) <= CLOSES_WITHIN)
    }

    /// Its supply is too low.
    fn is_short(&mut self, now: SimTime) {
        self.short |= self.is_open(now);
        (self.short_since, self.short_at) = (true, Some(now));
    }

    /// The pump's CPU has lost its supply.
    pub(super) fn is_cut(&mut self, now: SimTime) {
        self.is_short(now);
        self.cut_since = true;
        if self.closed.is_none() && now <= self.undecided {
            self.cut = true;
        } else if self.is_open(now) {
            self.unclear = true;
        }
    }

    fn begins(&mut self, now: SimTime) {
        self.erased = false;
        self.short = self.short_at.is_some_and(|at| now.since(at) <= CLOCKS_APART);
        (self.cut, self.unclear, self.short_since, self.cut_since) = (false, false, false, false);
        // Its first request has still to leave, however long the bus keeps it waiting.
        self.goes_on(SimTime::NEVER, SimTime::NEVER);
    }
}

/// The pump, as an index, to which a frame with this id is a request.
pub(super) fn asked(id: Id) -> Option<usize> {
    let Id::Standard(id) = id else { return None };
    let index = id.as_raw().checked_sub(0x701).map(usize::from)?;
    (index < usize::from(protocol::ids::PumpNumber::MOST)).then_some(index)
}

/// Whether a frame is one of a pump's answer.
pub(super) fn is_answer(frame: &protocol::Frame) -> bool {
    answering(frame).is_some()
}

fn answering(frame: &protocol::Frame) -> Option<usize> {
    let Id::Standard(id) = frame.id() else { return None };
    protocol::ids::uds_responder(id).map(protocol::ids::PumpNumber::index)
}

impl Checks {
    /// What the bus shows of a try: what left the CIOC or was lost there, and what arrives of the pump.
    pub(super) fn see_try(&mut self, world: &World, now: SimTime, record: &BusRecord) {
        match record {
            BusRecord::Frame { frame, .. } => {
                if world.resource::<Bus>().receivers() & NodeId::CIOC.bit() == 0 {
                    return;
                }
                if let Some(tries) = answering(frame).and_then(|pump| self.memory.true_tries.get_mut(pump)) {
                    tries.answers(now, frame.data());
                } else if let Some(pump) = live::status_of(frame.id()) {
                    self.status_arrives(world, now, pump);
                }
            }
            BusRecord::Lost { node: NodeId::CIOC, id, .. } => {
                if let Some(tries) = asked(*id).and_then(|pump| self.memory.true_tries.get_mut(pump)) {
                    tries.asks_in_vain(now);
                }
            }
            _ => {}
        }
    }

    /// A status closes a try unless the CIOC could not know by now that it has failed: it stands still, or a request still
    /// waits in its controller.
    fn status_arrives(&mut self, world: &World, now: SimTime, pump: usize) {
        let request = u16::try_from(0x701 + pump).ok().and_then(embedded_can::StandardId::new);
        let waits = request.is_some_and(|id| bus::controller(world, NodeId::CIOC).waits_since(id.into()).is_some());
        let Some(tries) = self.memory.true_tries.get_mut(pump) else { return };
        if !waits && now >= tries.decided && ending::cioc_works(world, now) {
            tries.is_heard(now);
        }
    }

    pub(super) fn true_try_begins(&mut self, now: SimTime, pump: usize) {
        self.memory.true_tries[pump].begins(now);
    }

    /// A try failed. Whether supply was the reason is the twin's own word: what the CIOC says of it must be true.
    pub(super) fn try_fails(&mut self, now: SimTime, pump: usize, cause: Option<Cause>) {
        let TrueTries { short, cut, unclear, .. } = self.memory.true_tries[pump];
        let heard = self.memory.tried[pump].is_heard(now, Span::ZERO);
        self.memory.tried[pump].fails(cause, tried::Truth { short, cut, unclear, heard });
        if cause == Some(Cause::LowSupply) {
            self.log_tells_each_try.judge(now, short, || {
                format!("a try of {} is told to have failed for lack of supply, and there was supply", node_of(pump))
            });
        }
    }

    /// A try that failed for lack of supply is taken back, if supply was really short in it.
    pub(super) fn excuse(&mut self, pump: usize) {
        let tries = &mut self.memory.true_tries[pump];
        if tries.erased && tries.short {
            tries.counted = tries.counted.saturating_sub(1);
        }
    }

    /// Notes whether supply is short now at a pump, at the feed or at the CIOC.
    pub(super) fn see_supply(&mut self, world: &World, now: SimTime) {
        let least = world.resource::<Wanted>().supply_least_mv;
        let common = power::supply_mv(world, NodeId::CIOC, now).min(power::feed_mv(world, now));
        for pump in 0..self.memory.true_tries.len() {
            if common.min(power::supply_mv(world, node_of(pump), now)) < least {
                self.memory.true_tries[pump].is_short(now);
            }
        }
    }

    /// An erase after a new request for a session is a new try, whether the log tells it or not.
    pub(super) fn count_true_try(&mut self, now: SimTime, pump: usize) {
        let tries = &mut self.memory.true_tries[pump];
        (tries.erased, tries.cut, tries.cut_since, tries.unclear) = (true, false, false, false);
        if std::mem::take(&mut tries.asked) {
            tries.counted += 1;
        }
        let counted = tries.counted;
        self.at_most_three_tries
            .judge(now, counted <= 3, || format!("the flash of {} is erased in try {counted}", node_of(pump)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(millis)
    }

    fn request(data: &[u8]) -> protocol::Frame {
        let id = embedded_can::StandardId::new(0x701).expect("an id of 11 bits");
        protocol::Frame::data_frame(id, data).expect("at most 8 bytes")
    }

    /// After the reset the CIOC waits for 10 s; whatever it asks in vain meanwhile, a loss at 5 s falls into the try.
    #[test]
    fn a_request_that_is_lost_shortens_no_wait_of_one_before_it() {
        let mut tries = TrueTries::default();
        tries.begins(at(0));
        tries.is_asked(at(1_000), &request(&[0x02, 0x11, 0x01]));
        tries.asks_in_vain(at(2_000));
        tries.is_cut(at(6_000));
        assert!(tries.cut && !tries.unclear, "{tries:?}");
        // Nothing was asked before it: then its own wait counts.
        let mut first = TrueTries::default();
        first.begins(at(0));
        first.asks_in_vain(at(1_000));
        first.is_cut(at(1_200));
        assert!(!first.cut && first.unclear, "{first:?}");
    }
}
