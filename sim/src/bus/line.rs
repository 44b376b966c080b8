//! The line: arbitration, attempts, error counters, who takes part.
//!
//! ```text
//!   offers --arbitration when the line is free--> attempt --undisturbed--> end of frame, one event
//!                                                    \--disturbed--> exchange, an event per thing that happens
//! ```
//! Words: an *attempt* is a frame on the line from SOF; it is planned as soon as its start is known and planned anew
//! when a better offer arrives before that; a *segment* is a stretch of line with the nodes on it; a node is *on line*
//! when it hears, acknowledges and may send; it *waits* when it must first see 11 recessive bits (128 times 11 after
//! bus-off).

use bevy_ecs::prelude::{Entity, Resource};
use protocol::frame::Frame;

use super::controller::{Offer, Recovery};
use super::exchange::{Counters, ErrorKind, Exchange, Happened, Line};
use super::noise::{Hit, Medium, Noise};
use super::wire::{self, Bits, INTERMISSION, RECESSIVE_BEFORE_START};
use super::{BusEvent, BusRecord, LinkState};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::record::Record;

/// Further recessive bits that an error-passive sender waits.
const SUSPEND: u64 = 8;
/// Sequences of 11 recessive bits until a node leaves bus-off (rule 12).
const BUS_OFF_SEQUENCES: u64 = 128;
/// Bits after the first error within which every other station has seen it by the flag.
const SEEN_WITHIN: u64 = 7;
/// A held line on which nothing happens for so long stays as it is.
const STEADY_AFTER: u64 = 64;

/// What the line knows of one node.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Link {
    pub(super) state: LinkState,
    pub(super) counters: Counters,
    pub(super) recovery: Recovery,
    pub(super) offer: Option<Offer>,
    /// What it has on the line, or had last; the offer may be a better one by then.
    pub(super) sending: Option<Offer>,
    /// Sequences of 11 recessive bits to wait for, counted from `since`.
    sequences: u64,
    since: SimTime,
    /// When the event comes that looks whether it has waited enough.
    expects: SimTime,
}

/// A frame on the line.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Attempt {
    pub(super) start: SimTime,
    pub(super) senders: u32,
    pub(super) offer: Offer,
    bits: u32,
}

/// An attempt that is played bit by bit.
#[derive(Clone, Debug, Hash)]
struct Disturbed {
    exchange: Exchange,
    first_error: Option<(u64, ErrorKind)>,
    seen: u32,
    reported: bool,
    hits: Vec<Hit>,
}

/// A stretch of line.
#[derive(Clone, Debug, Hash)]
pub(super) struct Segment {
    pub(super) members: u32,
    line: Line,
    /// From when on a new frame may start.
    free_at: SimTime,
    suspended: u32,
    pub(super) attempt: Option<Attempt>,
    start: SimTime,
    disturbed: Option<Box<Disturbed>>,
    /// Nodes that took the present attempt's frame so far.
    taken: u32,
    pub(super) noise: Noise,
    epoch: u32,
}

/// What an event of the line means for the controllers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) frame: Option<Frame>,
    /// Nodes that received the frame and accept its id.
    pub(super) accepted: u32,
    /// Nodes that sent their frame well.
    pub(super) sent: u32,
    /// Nodes whose attempt is over without success.
    pub(super) failed: u32,
    /// Whether the line is free for the next attempt.
    pub(super) free: bool,
}

/// The bus: bit time, segments, and the line's view of every node.
#[derive(Resource, Clone, Debug, Hash)]
pub struct Bus {
    pub(super) bit_ns: u64,
    pub(super) links: [Link; NodeId::MOST],
    pub(super) segments: Vec<Segment>,
    segment_of: [u8; NodeId::MOST],
    entities: [Entity; NodeId::MOST],
    attached: u32,
    on_line: u32,
    pending: u32,
    /// Nodes with a counter above zero.
    counting: u32,
    waiting: u32,
    receivers: u32,
    pub(super) medium: Medium,
    pub(super) acceptance: super::acceptance::Acceptance,
    pub(super) losses: super::Losses,
    epochs: u32,
}

/// The nodes of a mask in the order of their numbers.
pub(super) fn nodes_of(mut mask: u32) -> impl Iterator<Item = NodeId> {
    std::iter::from_fn(move || {
        let number = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (number < 32).then(|| NodeId::new(number as u8))
    })
}

impl Attempt {
    fn end(&self, bit_ns: u64) -> SimTime {
        self.start + Span::from_nanos(bit_ns * u64::from(self.bits))
    }
}

impl Segment {
    fn new(members: u32) -> Self {
        Self {
            members,
            line: Line::Wired,
            free_at: SimTime::ZERO,
            suspended: 0,
            attempt: None,
            start: SimTime::ZERO,
            disturbed: None,
            taken: 0,
            noise: Noise::default(),
            epoch: 0,
        }
    }

    /// Whether a frame or an error frame is on the line; a start at this very instant can still be contested.
    pub(super) fn busy(&self, now: SimTime) -> bool {
        (self.attempt.is_some() || self.disturbed.is_some()) && (self.start < now || self.attempt.is_none())
    }

    fn key(&self) -> Option<u32> {
        self.attempt.map(|attempt| attempt.offer.key)
    }

    fn bit_start(&self, at: u64, bit_ns: u64) -> SimTime {
        self.start + Span::from_nanos(bit_ns).times(at)
    }

    fn step(&mut self, bit_ns: u64) -> Happened {
        let (key, start) = (self.key(), self.start);
        let Some(disturbed) = &mut self.disturbed else { return Happened::default() };
        let at = disturbed.exchange.at();
        disturbed.hits.clear();
        self.noise.hits(key, at, start + Span::from_nanos(bit_ns).times(at), &mut disturbed.hits);
        let flipped = disturbed.hits.iter().fold(0, |mask, hit| mask | hit.victims);
        let happened = disturbed.exchange.step(flipped);
        if let Some(kind) = happened.kind {
            disturbed.first_error.get_or_insert((at, kind));
        }
        disturbed.seen |= happened.errors;
        happened
    }
}

impl Disturbed {
    fn report_due(&self) -> bool {
        let due = |(bit, _)| self.exchange.at() > bit + SEEN_WITHIN || self.exchange.finished();
        !self.reported && self.first_error.is_some_and(due)
    }

    fn is_interesting(&self, happened: &Happened) -> bool {
        happened.anything() || !self.hits.is_empty() || self.exchange.finished() || self.report_due()
    }
}

impl Bus {
    pub(super) fn new(bit_ns: u64) -> Self {
        let link = Link {
            state: LinkState::Off,
            counters: Counters::default(),
            recovery: Recovery::Automatic,
            offer: None,
            sending: None,
            sequences: 0,
            since: SimTime::ZERO,
            expects: SimTime::NEVER,
        };
        Self {
            bit_ns,
            links: [link; NodeId::MOST],
            segments: vec![Segment::new(0)],
            segment_of: [0; NodeId::MOST],
            entities: [Entity::PLACEHOLDER; NodeId::MOST],
            attached: 0,
            on_line: 0,
            pending: 0,
            counting: 0,
            waiting: 0,
            receivers: 0,
            medium: Medium::default(),
            acceptance: super::acceptance::Acceptance::default(),
            losses: super::Losses::default(),
            epochs: 0,
        }
    }

    pub(super) fn attach(&mut self, node: NodeId, entity: Entity, recovery: Recovery, powered: bool) {
        self.entities[node.index()] = entity;
        self.attached |= node.bit();
        self.segments[0].members |= node.bit();
        let link = &mut self.links[node.index()];
        link.recovery = recovery;
        if powered {
            link.state = LinkState::Active;
            self.on_line |= node.bit();
        }
    }

    /// The entity of an attached node.
    pub(crate) fn entity(&self, node: NodeId) -> Entity {
        self.entities[node.index()]
    }

    pub(super) fn segment_index(&self, node: NodeId) -> usize {
        usize::from(self.segment_of[node.index()])
    }

    fn bits(&self, count: u64) -> Span {
        Span::from_nanos(self.bit_ns).times(count)
    }

    pub(super) fn set_offer(&mut self, node: NodeId, offer: Option<Offer>) {
        self.links[node.index()].offer = offer;
        if offer.is_some() {
            self.pending |= node.bit();
        } else {
            self.pending &= !node.bit();
        }
    }

    /// The mailbox of `node` that is on the line now.
    pub(super) fn slot_on_line(&self, node: NodeId, now: SimTime) -> Option<u8> {
        let segment = &self.segments[self.segment_index(node)];
        segment.attempt.filter(|attempt| attempt.start < now && attempt.senders & node.bit() != 0)?;
        self.links[node.index()].sending.map(|offer| offer.slot)
    }

    /// Looks again at who sends next, unless something is on the line.
    pub(super) fn reconsider(&mut self, ctx: &mut Context<'_>, s: usize) {
        if !self.segments[s].busy(ctx.now) {
            self.arbitrate(ctx, s);
        }
    }

    /// Decides who sends next on a free line and when.
    pub(super) fn arbitrate(&mut self, ctx: &mut Context<'_>, s: usize) {
        let attempt = self.contest(ctx.now, s);
        let segment = &mut self.segments[s];
        segment.attempt = attempt;
        segment.disturbed = None;
        segment.taken = 0;
        let Some(attempt) = attempt else {
            self.epochs += 1;
            self.segments[s].epoch = self.epochs;
            self.expect_waiting(ctx, s);
            return;
        };
        segment.start = attempt.start;
        for sender in nodes_of(attempt.senders) {
            let link = &mut self.links[sender.index()];
            link.sending = link.offer;
        }
        if self.is_clean(s, &attempt) {
            self.schedule(ctx, s, attempt.end(self.bit_ns));
        } else {
            self.disturb(s);
            self.plan(ctx, s);
        }
    }

    fn contest(&self, now: SimTime, s: usize) -> Option<Attempt> {
        let segment = &self.segments[s];
        let candidates = self.pending & self.on_line & segment.members;
        let (start, candidates) = if candidates & segment.suspended == 0 {
            (segment.free_at.max(now), candidates)
        } else {
            let after_suspend = (segment.free_at + self.bits(SUSPEND)).max(now);
            let start = segment.free_at.max(now);
            match candidates & !segment.suspended {
                others if others == 0 || start == after_suspend => (after_suspend, candidates),
                others => (start, others),
            }
        };
        let mut best: Option<(Offer, u32)> = None;
        for node in nodes_of(candidates) {
            let Some(offer) = self.links[node.index()].offer else { continue };
            match &mut best {
                Some((winner, _)) if winner.key < offer.key => {}
                Some((winner, senders)) if winner.key == offer.key => *senders |= node.bit(),
                _ => best = Some((offer, node.bit())),
            }
        }
        let (offer, senders) = best?;
        Some(Attempt { start, senders, offer, bits: wire::frame_bits(&offer.frame) })
    }

    /// Whether nothing but a good frame can come of it: one sender, someone to acknowledge, no hit ahead.
    fn is_clean(&self, s: usize, attempt: &Attempt) -> bool {
        let segment = &self.segments[s];
        let hearers = self.on_line & segment.members & !attempt.senders;
        let alone = attempt.senders.count_ones() == 1 && hearers != 0;
        let spared = segment.noise.spares(attempt.offer.key, attempt.start, self.bit_ns, attempt.bits);
        alone && segment.line == Line::Wired && spared
    }

    fn schedule(&mut self, ctx: &mut Context<'_>, s: usize, time: SimTime) {
        self.epochs += 1;
        self.segments[s].epoch = self.epochs;
        ctx.agenda.at(time, Event::Bus(BusEvent::Advance { segment: s as u8, epoch: self.epochs }));
    }

    /// From here on the present attempt is played bit by bit.
    fn disturb(&mut self, s: usize) {
        let segment = &mut self.segments[s];
        let senders = segment.attempt.map_or(0, |attempt| attempt.senders);
        let mut exchange = Exchange::new(segment.line);
        for node in nodes_of(self.on_line & segment.members) {
            let link = &self.links[node.index()];
            let offer = link.sending.filter(|_| senders & node.bit() != 0);
            exchange.add(node, link.counters, offer.map(|offer| Bits::of(&offer.frame)));
        }
        let disturbed = Disturbed { exchange, first_error: None, seen: 0, reported: false, hits: Vec::new() };
        segment.disturbed = Some(Box::new(disturbed));
    }

    /// Schedules the end of the next bit in which anything happens, found on a copy.
    fn plan(&mut self, ctx: &mut Context<'_>, s: usize) {
        let mut ahead = self.segments[s].clone();
        let until = loop {
            let happened = ahead.step(self.bit_ns);
            let Some(disturbed) = &ahead.disturbed else { return };
            let at = disturbed.exchange.at();
            if disturbed.is_interesting(&happened) {
                break Some(at);
            }
            let began = self.segments[s].disturbed.as_ref().map_or(0, |d| d.exchange.at());
            if ahead.line != Line::Wired && at > began + STEADY_AFTER + 200 {
                break None;
            }
        };
        match until {
            Some(at) => self.schedule(ctx, s, ahead.bit_start(at, self.bit_ns)),
            None => {
                self.epochs += 1;
                self.segments[s].epoch = self.epochs;
            }
        }
    }

    /// Handles an event of the line; `None` if it is out of date.
    pub(super) fn advance(&mut self, ctx: &mut Context<'_>, s: usize, epoch: u32) -> Option<Outcome> {
        if self.segments.get(s)?.epoch != epoch {
            return None;
        }
        Some(match self.segments[s].disturbed.is_some() {
            false => self.complete(ctx, s)?,
            true => self.play(ctx, s),
        })
    }

    /// The end of a frame that nothing disturbed.
    fn complete(&mut self, ctx: &mut Context<'_>, s: usize) -> Option<Outcome> {
        let bit_ns = self.bit_ns;
        let segment = &mut self.segments[s];
        let attempt = segment.attempt.take()?;
        segment.noise.passed(attempt.offer.key, attempt.start, bit_ns, attempt.bits);
        segment.free_at = ctx.now + Span::from_nanos(bit_ns * u64::from(INTERMISSION));
        let hearers = self.on_line & segment.members & !attempt.senders;
        self.count_good_frame(ctx, attempt.senders, hearers);
        let sender = nodes_of(attempt.senders).next()?;
        let passive = self.links[sender.index()].counters.passive();
        self.segments[s].suspended = if passive { attempt.senders } else { 0 };
        self.record_frame(ctx, &attempt, sender);
        if self.waiting & self.segments[s].members != 0 {
            self.settle_after(ctx, s, attempt.start);
        }
        let accepted = self.acceptance.of(attempt.offer.frame.id()) & hearers;
        Some(Outcome { frame: Some(attempt.offer.frame), accepted, sent: attempt.senders, failed: 0, free: true })
    }

    fn record_frame(&self, ctx: &mut Context<'_>, attempt: &Attempt, sender: NodeId) {
        ctx.record(Record::Bus(BusRecord::Frame {
            start: attempt.start,
            frame: attempt.offer.frame,
            bits: attempt.bits as u16,
            sender,
            queued: self.links[sender.index()].sending.map_or(attempt.offer.queued, |offer| offer.queued),
        }));
    }

    fn count_good_frame(&mut self, ctx: &mut Context<'_>, senders: u32, hearers: u32) {
        for node in nodes_of(self.counting & (senders | hearers)) {
            let mut counters = self.links[node.index()].counters;
            if senders & node.bit() != 0 {
                counters.sent_well();
            } else {
                counters.received_well();
            }
            self.set_counters(ctx, node, counters);
        }
    }

    pub(super) fn set_counters(&mut self, ctx: &mut Context<'_>, node: NodeId, counters: Counters) {
        let link = &mut self.links[node.index()];
        let before = std::mem::replace(&mut link.counters, counters);
        if counters == Counters::default() {
            self.counting &= !node.bit();
        } else {
            self.counting |= node.bit();
        }
        let state = LinkState::of(counters);
        if !matches!(link.state, LinkState::Active | LinkState::Passive) {
            return;
        }
        if link.state == state {
            if counters.tec > before.tec || counters.rec > before.rec {
                let Counters { tec, rec } = counters;
                ctx.record(Record::Bus(BusRecord::Counters { node, tec, rec }));
            }
            return;
        }
        self.set_state(ctx, node, state);
        if state == LinkState::BusOff {
            self.on_line &= !node.bit();
            if self.links[node.index()].recovery == Recovery::Automatic {
                self.wait(ctx.now, node, BUS_OFF_SEQUENCES);
            }
        }
    }

    fn set_state(&mut self, ctx: &mut Context<'_>, node: NodeId, state: LinkState) {
        let link = &mut self.links[node.index()];
        link.state = state;
        let Counters { tec, rec } = link.counters;
        ctx.record(Record::Bus(BusRecord::State { node, state, tec, rec }));
    }

    /// Plays the disturbed attempt up to the bit for which the event was scheduled.
    fn play(&mut self, ctx: &mut Context<'_>, s: usize) -> Outcome {
        let bit_ns = self.bit_ns;
        let segment = &mut self.segments[s];
        let mut happened = Happened::default();
        while segment.disturbed.as_ref().is_some_and(|d| segment.bit_start(d.exchange.at(), bit_ns) < ctx.now) {
            happened = segment.step(bit_ns);
        }
        self.record_disturbance(ctx, s);
        let attempt = self.segments[s].attempt;
        let mut outcome = Outcome { frame: None, accepted: 0, sent: happened.sent, failed: 0, free: false };
        if let Some(attempt) = attempt {
            for sender in nodes_of(happened.sent) {
                self.record_frame(ctx, &attempt, sender);
            }
            outcome.frame = Some(attempt.offer.frame);
            outcome.accepted = self.acceptance.of(attempt.offer.frame.id()) & happened.received;
        }
        self.apply_counters(ctx, s, happened.counted);
        if self.segments[s].disturbed.as_ref().is_some_and(|d| d.exchange.finished()) {
            outcome.failed = attempt.map_or(0, |attempt| attempt.senders & !happened.sent);
            outcome.free = true;
            self.finish(ctx, s);
        } else {
            if let (Some(attempt), sent) = (&mut self.segments[s].attempt, happened.sent) {
                attempt.senders &= !sent;
            }
            self.plan(ctx, s);
        }
        outcome
    }

    fn record_disturbance(&mut self, ctx: &mut Context<'_>, s: usize) {
        let on_line = self.on_line;
        let segment = &mut self.segments[s];
        let (start, attempt) = (segment.start, segment.attempt);
        let readers = on_line & segment.members;
        let Some(disturbed) = &mut segment.disturbed else { return };
        for hit in disturbed.hits.iter().filter(|hit| hit.victims & readers != 0) {
            let (bit, victims) = (disturbed.exchange.at().saturating_sub(1) as u32, hit.victims);
            ctx.record(Record::Bus(BusRecord::Hit { injection: hit.injection, start, bit, victims }));
        }
        if disturbed.report_due() {
            disturbed.reported = true;
            let Some((bit, kind)) = disturbed.first_error else { return };
            let sender = attempt.and_then(|attempt| nodes_of(attempt.senders).next());
            let id = attempt.map(|attempt| attempt.offer.frame.id());
            let (bit, seen) = (bit as u32, disturbed.seen);
            ctx.record(Record::Bus(BusRecord::Error { start, bit, kind, sender, id, seen }));
        }
    }

    fn apply_counters(&mut self, ctx: &mut Context<'_>, s: usize, counted: u32) {
        if counted == 0 {
            return;
        }
        let Some(disturbed) = self.segments[s].disturbed.take() else { return };
        for (node, counters) in disturbed.exchange.counters().filter(|(node, _)| node.bit() & counted != 0) {
            self.set_counters(ctx, node, counters);
        }
        self.segments[s].disturbed = Some(disturbed);
    }

    /// The end of a disturbed attempt: every station is ready for the next frame.
    fn finish(&mut self, ctx: &mut Context<'_>, s: usize) {
        if let Some(levels) = self.levels(s) {
            ctx.note(Record::Bus(levels));
        }
        let segment = &mut self.segments[s];
        let start = segment.start;
        segment.free_at = ctx.now;
        if let Some(key) = segment.key() {
            segment.noise.count_attempt(key);
        }
        segment.suspended = segment.disturbed.take().map_or(0, |d| d.exchange.suspended());
        segment.attempt = None;
        self.settle_after(ctx, s, start);
    }

    /// The levels of the disturbed attempt so far.
    fn levels(&self, s: usize) -> Option<BusRecord> {
        let segment = &self.segments[s];
        let runs = segment.disturbed.as_ref()?.exchange.runs().into();
        Some(BusRecord::Levels { start: segment.start, members: segment.members, runs })
    }

    /// The levels of what is still disturbed at `now`, the end of the run; of a line that is held for good, all of them.
    #[must_use]
    pub fn unfinished_levels(&self, now: SimTime) -> Vec<BusRecord> {
        let mut bus = self.clone();
        let busy = |segment: &Segment| segment.disturbed.is_some() && segment.start < now;
        let open: Vec<usize> = (0..bus.segments.len()).filter(|s| busy(&bus.segments[*s])).collect();
        open.into_iter()
            .filter_map(|s| {
                bus.catch_up(now, s);
                bus.levels(s)
            })
            .collect()
    }

    /// `node` takes part after so many sequences of 11 recessive bits from now.
    fn wait(&mut self, now: SimTime, node: NodeId, sequences: u64) {
        let link = &mut self.links[node.index()];
        (link.sequences, link.since) = (sequences, now);
        self.waiting |= node.bit();
    }

    /// Counts recessive bits before and after a frame that started at `start`.
    fn settle_after(&mut self, ctx: &mut Context<'_>, s: usize, start: SimTime) {
        self.settle(ctx, s, start);
        let free_at = self.segments[s].free_at;
        let recessive = self.bits(u64::from(RECESSIVE_BEFORE_START)).as_nanos();
        let since = SimTime::from_nanos(free_at.as_nanos().saturating_sub(recessive));
        for node in nodes_of(self.waiting & self.segments[s].members) {
            let link = &mut self.links[node.index()];
            link.since = link.since.max(since);
        }
        self.settle(ctx, s, free_at);
    }

    /// Counts the recessive bits up to `until` for the nodes that wait, and lets in those that have waited enough.
    fn settle(&mut self, ctx: &mut Context<'_>, s: usize, until: SimTime) {
        let sequence = self.bits(u64::from(RECESSIVE_BEFORE_START)).as_nanos();
        for node in nodes_of(self.waiting & self.segments[s].members) {
            let link = &mut self.links[node.index()];
            let seen = until.since(link.since).as_nanos() / sequence;
            link.since += Span::from_nanos(seen * sequence);
            link.sequences = link.sequences.saturating_sub(seen);
            if link.sequences == 0 {
                self.let_in(ctx, node);
            }
        }
    }

    fn let_in(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        self.waiting &= !node.bit();
        self.on_line |= node.bit();
        let link = &mut self.links[node.index()];
        if link.counters.bus_off() {
            link.counters = Counters::default();
            self.counting &= !node.bit();
        }
        let state = LinkState::of(self.links[node.index()].counters);
        if self.links[node.index()].state != state {
            self.set_state(ctx, node, state);
        }
    }

    fn expect_waiting(&mut self, ctx: &mut Context<'_>, s: usize) {
        let sequence = self.bits(u64::from(RECESSIVE_BEFORE_START));
        for node in nodes_of(self.waiting & self.segments[s].members) {
            let link = &mut self.links[node.index()];
            let at = link.since + sequence.times(link.sequences);
            // Each look leads here again; without this, nodes that wait together multiply their events without end.
            if link.expects != at || at <= ctx.now {
                link.expects = at;
                ctx.agenda.at(at, Event::Bus(BusEvent::Settle(node)));
            }
        }
    }

    /// A node may have waited enough.
    pub(super) fn settle_node(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        let s = self.segment_index(node);
        let segment = &self.segments[s];
        let held = segment.line == Line::StuckDominant;
        if self.waiting & node.bit() == 0 || segment.busy(ctx.now) || held {
            return;
        }
        self.settle(ctx, s, ctx.now);
        self.reconsider(ctx, s);
    }

    /// Brings the bits of the present attempt up to date, before something changes on the line.
    fn catch_up(&mut self, now: SimTime, s: usize) {
        if self.segments[s].disturbed.is_none() {
            self.disturb(s);
        }
        let bit_ns = self.bit_ns;
        let segment = &mut self.segments[s];
        let target = now.since(segment.start).as_nanos().div_ceil(bit_ns);
        let last = segment.attempt.map_or(u64::MAX, |attempt| u64::from(attempt.bits).saturating_sub(1));
        let begun_clean = segment.disturbed.as_ref().is_some_and(|d| d.exchange.at() == 0);
        let target = if begun_clean { target.min(last) } else { target };
        while let Some(disturbed) = &mut segment.disturbed {
            let at = disturbed.exchange.at();
            if at >= target {
                return;
            }
            if target - at > 4 * STEADY_AFTER {
                disturbed.exchange.skip_to(target - STEADY_AFTER);
            }
            segment.step(bit_ns);
        }
    }

    /// Applies `change` to what is on the line, if anything is, and plans anew.
    fn change(&mut self, ctx: &mut Context<'_>, s: usize, change: impl FnOnce(&mut Exchange)) {
        if !self.segments[s].busy(ctx.now) {
            self.arbitrate(ctx, s);
            return;
        }
        self.catch_up(ctx.now, s);
        if let Some(disturbed) = &mut self.segments[s].disturbed {
            change(&mut disturbed.exchange);
        }
        self.plan(ctx, s);
    }

    /// The node falls silent at once: no power, or its controller stops.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_>, node: NodeId, state: LinkState) {
        let s = self.segment_index(node);
        let was_on_line = self.on_line & node.bit() != 0;
        if was_on_line && self.segments[s].busy(ctx.now) {
            self.catch_up(ctx.now, s);
        }
        self.on_line &= !node.bit();
        self.waiting &= !node.bit();
        if state == LinkState::Off {
            self.links[node.index()].counters = Counters::default();
            self.counting &= !node.bit();
            self.set_offer(node, None);
        }
        if self.links[node.index()].state != state {
            self.set_state(ctx, node, state);
        }
        if was_on_line {
            self.change(ctx, s, |exchange| exchange.remove(node.bit()));
        }
    }

    /// The node begins to listen and takes part after 11 recessive bits; one that was bus-off when its controller was
    /// stopped has to recover first.
    pub(super) fn enter(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        let bus_off = self.links[node.index()].counters.bus_off();
        self.wait(ctx.now, node, if bus_off { BUS_OFF_SEQUENCES } else { 1 });
        self.set_state(ctx, node, LinkState::Joining);
        let s = self.segment_index(node);
        if !self.segments[s].busy(ctx.now) {
            self.expect_waiting(ctx, s);
        }
    }

    /// The software asks to leave bus-off.
    pub(super) fn recover(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if self.links[node.index()].state != LinkState::BusOff || self.waiting & node.bit() != 0 {
            return;
        }
        self.wait(ctx.now, node, BUS_OFF_SEQUENCES);
        let s = self.segment_index(node);
        if !self.segments[s].busy(ctx.now) {
            self.expect_waiting(ctx, s);
        }
    }

    /// The wiring changes: segments are formed anew, each of the old ones' frames goes on where its sender is.
    pub(super) fn rewire(&mut self, ctx: &mut Context<'_>, medium: Medium) {
        self.medium = medium;
        let members = medium.segments(self.attached);
        let same = self.segments.iter().map(|segment| segment.members).eq(members.iter().copied());
        if !same {
            self.regroup(ctx, &members);
            let stretches = self.segments.iter().map(|segment| segment.members).collect();
            ctx.note(Record::Bus(BusRecord::Wiring { stretches }));
        }
        for s in 0..self.segments.len() {
            self.hold(ctx, s, medium.line(self.segments[s].members));
        }
    }

    fn regroup(&mut self, ctx: &mut Context<'_>, members: &[u32]) {
        for s in 0..self.segments.len() {
            if self.segments[s].busy(ctx.now) {
                self.catch_up(ctx.now, s);
            }
        }
        let old = std::mem::take(&mut self.segments);
        for (s, mask) in members.iter().enumerate() {
            let overlapping: Vec<&Segment> = old.iter().filter(|segment| segment.members & mask != 0).collect();
            let busy = overlapping.iter().find(|segment| segment.busy(ctx.now));
            let mut segment = Segment::clone(busy.or(overlapping.first()).expect("every member was in a segment"));
            let strangers = mask & !segment.members;
            if busy.is_some() {
                // Who comes in amid a frame must see 11 recessive bits first; what it was sending is broken off.
                for node in nodes_of(strangers & self.on_line) {
                    self.on_line &= !node.bit();
                    self.wait(ctx.now, node, 1);
                }
            }
            segment.members = *mask;
            if let Some(attempt) = &mut segment.attempt {
                attempt.senders &= mask;
            }
            for node in nodes_of(*mask) {
                self.segment_of[node.index()] = s as u8;
            }
            self.segments.push(segment);
        }
        for s in 0..self.segments.len() {
            let members = self.segments[s].members;
            self.change(ctx, s, |exchange| exchange.remove(!members));
        }
    }

    /// From now on the line of the segment behaves so.
    fn hold(&mut self, ctx: &mut Context<'_>, s: usize, line: Line) {
        if self.segments[s].line == line {
            return;
        }
        let busy = self.segments[s].busy(ctx.now);
        if self.segments[s].line == Line::StuckDominant && !busy {
            self.free_again(ctx.now, s);
        }
        if busy {
            self.catch_up(ctx.now, s);
        }
        self.segments[s].line = line;
        if !busy && line == Line::StuckDominant {
            let segment = &mut self.segments[s];
            (segment.attempt, segment.start) = (None, ctx.now);
            self.disturb(s);
            self.plan(ctx, s);
        } else {
            self.change(ctx, s, |exchange| exchange.set_line(line));
        }
    }

    /// A line that was held while nobody was on it has its first recessive bit now.
    fn free_again(&mut self, now: SimTime, s: usize) {
        self.segments[s].free_at = now + self.bits(u64::from(RECESSIVE_BEFORE_START));
        for node in nodes_of(self.waiting & self.segments[s].members) {
            let link = &mut self.links[node.index()];
            link.since = link.since.max(now);
        }
    }

    /// The sources of bit errors of every segment change; what is on the line is planned anew.
    pub(super) fn change_noise(&mut self, ctx: &mut Context<'_>, change: impl Fn(&mut Noise)) {
        for s in 0..self.segments.len() {
            if self.segments[s].busy(ctx.now) {
                self.catch_up(ctx.now, s);
            }
            change(&mut self.segments[s].noise);
            self.change(ctx, s, |_| {});
        }
    }

    /// Whether the node takes part now.
    #[must_use]
    pub fn is_on_line(&self, node: NodeId) -> bool {
        self.on_line & node.bit() != 0
    }

    /// How the node stands.
    #[must_use]
    pub fn state(&self, node: NodeId) -> LinkState {
        self.links[node.index()].state
    }

    /// Keeps who took the frame, for those who ask when its record is shown: the line has gone on by then.
    pub(super) fn note_receivers(&mut self, s: usize, outcome: &Outcome) {
        let segment = &mut self.segments[s];
        segment.taken |= outcome.accepted;
        if outcome.sent != 0 {
            self.receivers = segment.taken;
        }
    }

    /// Mask of the nodes whose controllers took the frame that was last sent well, overruns and planned losses included.
    #[must_use]
    pub fn receivers(&self) -> u32 {
        self.receivers
    }

    /// The error counters of the node.
    #[must_use]
    pub fn counters(&self, node: NodeId) -> Counters {
        self.links[node.index()].counters
    }

    /// Length of a bit.
    #[must_use]
    pub fn bit_time(&self) -> Span {
        Span::from_nanos(self.bit_ns)
    }

    /// How the line is wired and held now.
    #[must_use]
    pub fn medium(&self) -> Medium {
        self.medium
    }
}
