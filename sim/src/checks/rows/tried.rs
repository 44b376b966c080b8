//! Checks of what becomes of a pump: read once it is heard, tried on until it is updated or its tries are spent.
//!
//! A pump is *spent* after three counted tries, those that a restart of the CIOC cut off included. It is dead only if at
//! least one of them failed by itself, so that no pump becomes dead for lack of supply alone; otherwise it was set aside.
//! A try was *cut off* if the pump's CPU lost its supply in it, by the twin's own word. After one that was not, the pump
//! may be called dead; it must be only if it was heard as the try failed: a CIOC that hears nothing cannot tell both apart.
//! It is *steadily heard* if its statuses have arrived at the CIOC for a while without a gap, by the bus.
//! A *newcomer* is a unit that took the place of one that was truly told good. The CIOC cannot know of it before it reads
//! it: what was told goes for the unit before, until the CIOC tells of the pump again or a search has read the newcomer.

use bevy_ecs::prelude::World;
use orchestrator::{Cause, LogEntry, Outcome};

use protocol::cyclic::PumpState;

use super::{
    BusRecord, Checks, Faults, Measures, NodeId, Nodes, Scoped, SimTime, Span, ending, fits, holds_the_image,
    is_offered, node_of, plant, version_of,
};
use crate::bus::Bus;
use crate::hosts::pump::PumpHost;
use crate::scenario::FaultKind;

/// A status comes every 100 ms; a longer silence than this is a gap (own number: three may be lost).
const GAP: Span = Span::from_millis(400);
/// A pump that is heard for so long as a campaign ends was to be tried on (own number: what the web page calls fresh).
const HEARD: Span = Span::from_secs(1);
/// A pump that is heard for so long while nothing else is to be done has been asked something (own number).
const READ_WITHIN: Span = Span::from_secs(15);
/// Tries that fail for lack of supply before a pump is set aside (own number of the firmware).
const SHORT_MOST: u32 = 10;

/// Why neither percent nor a version that was told is held against the flash of a newcomer.
pub(super) const NEWCOMER: &str = "exchanged after it was truly told good, and not read since";
/// Why it is not known whether the CIOC tells truly of a newcomer.
const UNTOLD: &str = "exchanged after it was truly told good, and read so late that nothing could be told of it";

/// Why a run is no pass though every pump is updated.
const BACK_UNREAD: &str = "back with the new image, and no search has read it";

/// Whether the unit in a pump's place is a newcomer, and what the CIOC had to learn of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Newcomer {
    /// It is none, or the CIOC has told of it.
    #[default]
    Not,
    /// Nothing had to be read since it came.
    Unread,
    /// The CIOC has started since, so that a search is to read it before a campaign goes on.
    Due,
    /// The CIOC has read it and not told of it.
    Read(SimTime),
}

/// What is remembered of one pump's tries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    newcomer: Newcomer,
    /// Why the last try failed; none after a good end.
    cause: Option<Cause>,
    /// Whether a counted try failed by itself.
    pub(super) may_die: bool,
    /// Whether one did that the CIOC could tell from a loss of supply, and has not forgotten.
    must_die: bool,
    /// Whether the last one did, but for the pump's word of its last start: the CIOC asks for it before the next try, and
    /// a restart in between forgets that it has to.
    unsure: bool,
    /// The pump has told of its last start since its last try began.
    explained: bool,
    /// It has refused a request since its last try began, or ended.
    refused: bool,
    /// Whether its application ran as the try began.
    ran: bool,
    /// Tries of the running campaign, and those of them that failed for lack of supply.
    tries: u32,
    short: u32,
    /// How often the running campaign went on without it, and whether that was because it would not stop.
    asides: u32,
    refuses: bool,
    heard_since: Option<SimTime>,
    /// The CIOC has sent it a request since then.
    asked: bool,
    /// When it last told its model or version.
    read: Option<SimTime>,
}

/// What the twin saw of a try that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    /// Supply was too low at some time of it.
    pub(super) short: bool,
    /// The pump's CPU lost its supply in it.
    pub(super) cut: bool,
    /// It did so when nobody can tell whether that was in it.
    pub(super) unclear: bool,
    /// The pump is heard as it fails.
    pub(super) heard: bool,
}

impl Tried {
    /// A request of the CIOC to it left.
    pub(super) fn is_asked(&mut self) {
        self.asked = true;
    }

    /// The unit that was truly told good is exchanged, or a newcomer is.
    pub(super) fn is_replaced(&mut self, good: bool) {
        if good && self.newcomer == Newcomer::Not {
            self.newcomer = Newcomer::Unread;
        }
    }

    /// The CIOC starts: every boot searches.
    pub(super) fn is_to_be_searched(&mut self) {
        if self.newcomer == Newcomer::Unread {
            self.newcomer = Newcomer::Due;
        }
    }

    /// The CIOC tells of the pump, or begins to search it: from now on that goes for the unit that is there.
    pub(super) fn is_told_of(&mut self) {
        self.newcomer = Newcomer::Not;
    }

    /// Whether no campaign that goes on owes anything to the unit that is there.
    pub(super) fn is_unread_newcomer(&self) -> bool {
        self.newcomer == Newcomer::Unread
    }

    /// Why what was told last is not held against the unit that is there, and whether that leaves it open; the CIOC works
    /// without a break since `works_since`.
    pub(super) fn told_of_another(&self, now: SimTime, works_since: SimTime) -> Option<(&'static str, bool)> {
        match self.newcomer {
            Newcomer::Unread | Newcomer::Due => Some((NEWCOMER, false)),
            // What a search has read it tells at its end.
            Newcomer::Read(at) if now.since(at.max(works_since)) <= READ_WITHIN => Some((UNTOLD, true)),
            Newcomer::Read(_) | Newcomer::Not => None,
        }
    }

    fn is_identified(&mut self, now: SimTime) {
        self.read = Some(now);
        if matches!(self.newcomer, Newcomer::Unread | Newcomer::Due) {
            self.newcomer = Newcomer::Read(now);
        }
    }

    /// A try begins.
    pub(super) fn begins(&mut self, runs: bool) {
        self.must_die |= std::mem::take(&mut self.unsure);
        (self.ran, self.explained, self.refused) = (runs, false, false);
        self.tries += 1;
    }

    /// Whether the pump is to be called dead once its tries are spent.
    pub(super) const fn must_die(&self) -> bool {
        self.must_die || self.unsure
    }

    /// A try failed.
    pub(super) fn fails(&mut self, cause: Option<Cause>, truth: Truth) {
        self.cause = cause;
        match cause {
            Some(Cause::LowSupply) => self.short += u32::from(truth.short),
            Some(Cause::Interrupted) => {}
            _ => {
                let knows = !truth.cut && !truth.unclear && truth.heard;
                let wordless = matches!(cause, Some(Cause::Timeout | Cause::Refused | Cause::NoGoodStatus));
                let told = self.explained || !wordless;
                self.may_die |= !truth.cut;
                self.must_die |= knows && told;
                self.unsure |= knows && !told;
            }
        }
        self.refused = false;
    }

    /// The pump begins anew: updated, revived or in a new campaign.
    pub(super) fn forget(&mut self) {
        (self.cause, self.may_die, self.must_die, self.unsure) = (None, false, false, false);
    }

    /// Whether an image that is in its flash may be written again. A failed try leaves a doubt if it says so itself, or if
    /// the pump did not run what it left.
    pub(super) fn is_in_doubt(&self) -> bool {
        let doubtful = matches!(self.cause, Some(Cause::FlashFailure | Cause::CheckFailed | Cause::WrongVersion));
        self.cause.is_some() && (doubtful || !self.ran)
    }

    /// Whether the running campaign, or the one that ends, has tried it.
    pub(super) const fn is_tried(&self) -> bool {
        self.tries > 0
    }

    /// Whether the CIOC has asked it anything since it is heard.
    pub(super) const fn is_read(&self) -> bool {
        self.asked
    }

    /// Whether that campaign went on without it.
    pub(super) const fn was_set_aside(&self) -> bool {
        self.asides > 0
    }

    pub(super) fn is_heard(&self, now: SimTime, span: Span) -> bool {
        self.heard_since.is_some_and(|since| now.since(since) >= span)
    }

    /// Why a campaign may end before the pump is updated or spent.
    fn excuse(&self, now: SimTime, fits: bool) -> Option<&'static str> {
        if !fits {
            Some("the image is not for it")
        } else if !self.is_heard(now, HEARD) {
            Some("silent as the campaign ends")
        } else if self.short >= SHORT_MOST {
            Some("never had the supply")
        } else if self.refuses {
            Some("refused to stop")
        } else if self.asides >= 2 {
            Some("came back and went again")
        } else {
            None
        }
    }
}

/// What a single frame of a pump's answer can tell.
#[derive(Clone, Copy)]
enum Answer {
    /// Of its last start (62 F1F1).
    Start,
    /// Which model it is (62 F190), or its version (62 F195).
    Identity,
    /// That it refuses another request.
    Refusal,
}

/// The pump that answers so with a frame, and what.
fn answer_of(frame: &protocol::Frame) -> Option<(usize, Answer)> {
    let embedded_can::Id::Standard(id) = frame.id() else { return None };
    let pump = protocol::ids::uds_responder(id)?.index();
    match frame.data() {
        [_, 0x62, 0xF1, 0xF1, ..] => Some((pump, Answer::Start)),
        [_, 0x62, 0xF1, 0x90 | 0x95, ..] | [0x10, _, 0x62, 0xF1, 0x90 | 0x95, ..] => Some((pump, Answer::Identity)),
        // "Not yet": the answer follows.
        [0x03, 0x7F, _, 0x78, ..] => None,
        [0x03, 0x7F, ..] => Some((pump, Answer::Refusal)),
        _ => None,
    }
}

/// Whether a pump in this state turns its motor.
fn is_driven(state: PumpState) -> bool {
    state.is_application() && state != PumpState::Standby
}

impl Checks {
    /// Notes which pumps are steadily heard.
    pub(super) fn look_who_is_heard(&mut self, now: SimTime) {
        for pump in 0..self.memory.tried.len() {
            let heard = self.memory.live.silence(pump, now).is_some_and(|silence| silence <= GAP);
            let tried = &mut self.memory.tried[pump];
            match tried.heard_since {
                Some(_) if heard => {}
                None if heard => (tried.heard_since, tried.asked) = (Some(now), false),
                _ => tried.heard_since = None,
            }
        }
    }

    /// The campaign goes on without a pump, or the search has missed it.
    pub(super) fn set_aside(&mut self, world: &World, pump: usize, entry: &LogEntry) {
        if !self.memory.campaign {
            return;
        }
        let stopped = self.memory.state[pump].is_some_and(|state| !is_driven(state));
        let stands = stopped && plant::speed(world, node_of(pump)).get() == 0;
        let tried = &mut self.memory.tried[pump];
        tried.asides += 1;
        tried.refuses |= entry.cause == Some(Cause::Refused) && (!stands || tried.refused);
    }

    /// A frame of a pump's answer: what it tells of its last start, or that it refuses, if the CIOC takes it.
    pub(super) fn see_answer(&mut self, world: &World, now: SimTime, record: &BusRecord) {
        let BusRecord::Frame { frame, .. } = record else { return };
        let Some((pump, answer)) = answer_of(frame) else { return };
        if world.resource::<Bus>().receivers() & NodeId::CIOC.bit() == 0 {
            return;
        }
        let Some(tried) = self.memory.tried.get_mut(pump) else { return };
        match answer {
            Answer::Start => tried.explained = true,
            Answer::Refusal => tried.refused = true,
            Answer::Identity => tried.is_identified(now),
        }
    }

    /// Why the CIOC could not know of the image in a pump's flash: what the pump told when it was last read was of another
    /// controller, or is not true.
    pub(super) fn misread(&self, world: &World, pump: usize) -> Option<&'static str> {
        let node = node_of(pump);
        let read = self.memory.tried[pump].read?;
        let mut exchanges =
            world.resource::<Scoped<Faults>>().list.iter().filter(|one| one.begun > 0 && one.began >= read);
        if exchanges.any(|one| matches!(one.fault.kind, FaultKind::Exchanged(_)) && one.nodes.contains(&node)) {
            return Some("exchanged since it was last read");
        }
        let host = world.get::<PumpHost>(world.resource::<Nodes>().entity(node))?;
        let told = host.false_version?;
        (Some(told) != version_of(world, node)).then_some("it tells another version than it holds")
    }

    /// The CIOC's firmware ends: what it had still to ask of a failed try is forgotten.
    pub(super) fn doubts_end(&mut self) {
        for tried in &mut self.memory.tried {
            tried.unsure = false;
        }
    }

    /// A new campaign. On a new consent each pump that is not dead has three tries (PFU-022): the customer's yes is a manual
    /// action (PFU-026), and no boot replaces it. The same yes counts once.
    pub(super) fn tries_begin(&mut self) {
        let agreed = std::mem::take(&mut self.memory.fresh_yes);
        for pump in 0..self.memory.tried.len() {
            let tried = &mut self.memory.tried[pump];
            (tried.tries, tried.short, tried.asides, tried.refuses) = (0, 0, 0, false);
            if agreed && !self.is_dead(pump) {
                self.memory.forget_tries(pump);
            }
        }
    }

    /// The campaign is over, and not given up: each pump that it tried is updated or spent.
    pub(super) fn finish_tried(&mut self, world: &World, now: SimTime) {
        if std::mem::take(&mut self.memory.abandoned) {
            return;
        }
        for pump in 0..self.memory.tried.len() {
            let (tried, told) = (self.memory.tried[pump], self.memory.told[pump]);
            if tried.tries == 0 {
                continue;
            }
            let good = matches!(told, Outcome::Updated | Outcome::UpToDate) || holds_the_image(world, node_of(pump));
            let charged = self.memory.tries_charged[pump];
            let excuse = tried.excuse(now, fits(world, pump)).filter(|_| !good && charged < 3);
            if let Some(why) = excuse {
                self.tried_pumps_end_updated_or_spent.leave_out(node_of(pump), why);
                self.tried_pumps_end_updated_or_spent.n += 1;
                continue;
            }
            self.tried_pumps_end_updated_or_spent.judge(now, good || charged >= 3, || {
                format!("{} is heard and given up after {charged} of its three tries", node_of(pump))
            });
        }
    }

    /// A pump that came back with the new image after it was given up, and that no search has read since: the CIOC still
    /// calls it missing, and whether it ever learns of the update is left to a search that this run does not have.
    fn finish_unread(&mut self, world: &World) {
        let measures = world.resource::<Measures>();
        for pump in 0..self.memory.told.len() {
            let untold = matches!(self.memory.told[pump], Outcome::Missing | Outcome::Unknown);
            if untold && crate::measure::ends_updated(world, measures, pump) {
                self.every_boot_searches.leave_open(node_of(pump), BACK_UNREAD);
            }
        }
    }

    /// At the end of the run no pump is left unsearched though it is heard and the CIOC has nothing else to do.
    pub(super) fn finish_searched(&mut self, world: &World, now: SimTime) {
        self.finish_unread(world);
        let busy = self.memory.campaign || self.memory.asked.is_some();
        if busy || !self.memory.ever_searched || !ending::cioc_works(world, now) {
            return;
        }
        for pump in 0..self.memory.tried.len() {
            let tried = &self.memory.tried[pump];
            let missed = matches!(self.memory.told[pump], Outcome::Missing | Outcome::Unknown) && tried.asides == 0;
            let usable = is_offered(world) || version_of(world, node_of(pump)).is_some();
            let wronged = missed && usable && !tried.asked && tried.is_heard(now, READ_WITHIN);
            self.every_boot_searches
                .forbid(now, !wronged, || format!("{} is heard and no search has read it", node_of(pump)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_working_cioc_has_15_seconds_to_tell_of_a_newcomer_that_it_has_read() {
        let at = |millis: u64| SimTime::ZERO + Span::from_millis(millis);
        let mut tried = Tried::default();
        tried.is_replaced(true);
        tried.is_identified(at(10_000));
        let told_of_another = |now, works_since| tried.told_of_another(at(now), at(works_since));
        assert_eq!(told_of_another(25_000, 0), Some((UNTOLD, true)));
        assert_eq!(told_of_another(25_001, 0), None, "what it goes on to tell is not true");
        assert_eq!(told_of_another(25_001, 20_000), Some((UNTOLD, true)), "it stood still meanwhile");
    }
}
