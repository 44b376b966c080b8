//! What must be OFF by what the devices show, whatever a unit made of its wires.
//!
//! A demand begins as something changes. What a unit holds although nothing ever allowed it has no such instant: a latch that a shorted
//! wire has set, an output that a delay has held beside a device that is OFF unseen, a relay that closes again and again. So the diagram
//! is followed a second time, with three values: ON, OFF and *open*. An input is OFF once its device has shown OFF for as long as every
//! type of input takes to see that, and open otherwise. What a unit receives is OFF once its sender cannot have told ON, or was not heard,
//! for the response time, and open otherwise. A block is ON or OFF if it is so for every value of what is open, at any instant at which
//! a tick may fall, with timers that run early or late; else it is open as well.
//!
//! So what is *settled* OFF is OFF in every unit that obeys its diagram. What a CPU still wants on and the unit drives when it has been
//! settled OFF for the response time breaks SSR-016. Nothing follows from what is open.

use bevy_ecs::prelude::World;
use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};

use super::super::unit::Unit;
use super::super::watch::Watch;
use super::super::{Units, unit_of};
use super::diagram::forced;
use super::{SEEN, are_peers};
use crate::kernel::{SimTime, Span};
use crate::safety::binary::{Block, Section};

/// A signal of the diagram, and when it last was, or may have been, something else.
#[derive(Clone, Copy, Debug)]
struct Signal {
    value: Option<bool>,
    /// Since when it has this value.
    since: SimTime,
    /// When it last was OFF for sure.
    was_off: Option<SimTime>,
    /// When it last may have been ON.
    may_on: Option<SimTime>,
    /// When it last may have gone ON.
    may_rise: Option<SimTime>,
    /// When it last may have gone OFF.
    may_fall: Option<SimTime>,
}

impl Signal {
    /// Before the first evaluation every signal is OFF.
    const fn new(now: SimTime) -> Self {
        Self { value: Some(false), since: now, was_off: Some(now), may_on: None, may_rise: None, may_fall: None }
    }

    /// It was up to now what it is.
    const fn hold(&mut self, now: SimTime) {
        match self.value {
            Some(false) => self.was_off = Some(now),
            Some(true) => self.may_on = Some(now),
            None => (self.may_on, self.may_rise, self.may_fall) = (Some(now), Some(now), Some(now)),
        }
    }

    /// It is this from now on.
    fn set(&mut self, now: SimTime, value: Option<bool>) {
        if self.value == value {
            return;
        }
        match value {
            Some(true) => self.may_rise = Some(now),
            Some(false) => self.may_fall = Some(now),
            None => {}
        }
        (self.value, self.since) = (value, now);
        self.hold(now);
    }
}

/// What a unit tells others, by kind, index and number of a block that sends: since when it cannot have told ON; none while it may.
type Told = ((BlockKind, u8, u16), Option<SimTime>);

/// What is OFF as a unit's diagram begins, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Off {
    /// Input groups that have shown OFF for as long as it takes to see that.
    pub inputs: u16,
    /// Nodes whose radio was not heard for the response time.
    pub nodes: u16,
    /// CAN entries of which no frame has come for as long.
    pub entries: u16,
}

/// What a unit has to tell others of what is settled.
#[derive(Clone, Debug)]
pub(in super::super) struct News {
    told: Vec<Told>,
    /// It has just started to evaluate its diagram.
    has_started: bool,
}

/// The diagram of a unit in three values.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    blocks: Vec<Block>,
    signals: Vec<Signal>,
    values: Vec<Option<bool>>,
    /// Of a block that receives: since when its sender cannot have told ON; none while it may.
    untold: Vec<Option<SimTime>>,
    /// What was evaluated last.
    seen: Option<Off>,
    /// When it must be evaluated again though nothing changes.
    due: SimTime,
    /// Output groups and relays that have been settled OFF for the response time.
    must: (u16, u8),
    /// How often one came to that.
    pub judged: u64,
    /// When something was first on all the same, and what.
    pub wrong: Option<(SimTime, String)>,
}

/// Timers may run early or late by this: a sixteenth, as far as clocks may be off, and what an input takes.
fn tolerance(time: Span) -> Span {
    Span::from_nanos(time.as_nanos() / 16) + SEEN
}

impl Settled {
    /// The unit starts to evaluate its diagram.
    pub fn start(&mut self, now: SimTime, section: &Section) {
        self.blocks.clone_from(&section.blocks);
        self.signals = vec![Signal::new(now); self.blocks.len()];
        self.untold = vec![Some(now); self.blocks.len()];
        (self.seen, self.must) = (None, (0, 0));
    }

    /// It evaluates nothing any more; what it tells then.
    fn stop(&mut self, now: SimTime) -> Vec<Told> {
        let told = self.tells().map(|(what, since)| (what, since.or(Some(now)))).collect();
        (self.signals, self.must) = (Vec::new(), (0, 0));
        told
    }

    const fn is_working(&self) -> bool {
        !self.signals.is_empty()
    }

    /// What it tells others.
    fn tells(&self) -> impl Iterator<Item = Told> {
        let sends = |block: &Block| matches!(block.kind, BlockKind::MemorySend | BlockKind::CanSend);
        let sinks = self.blocks.iter().zip(&self.signals).filter(move |(block, _)| sends(block));
        sinks.map(|(block, signal)| {
            ((block.kind, block.index, block.number), (signal.value == Some(false)).then_some(signal.since))
        })
    }

    /// Another unit tells this.
    fn hear(&mut self, node: u8, told: &[Told]) {
        for (block, untold) in self.blocks.iter().zip(&mut self.untold) {
            let what = match block.kind {
                BlockKind::MemoryReceive if block.index == node => (BlockKind::MemorySend, 0, block.number),
                BlockKind::CanReceive => (BlockKind::CanSend, block.index, block.number),
                _ => continue,
            };
            if let Some((_, since)) = told.iter().find(|(own, since)| *own == what && since != untold) {
                *untold = *since;
                self.due = SimTime::ZERO;
            }
        }
    }

    /// Evaluates the diagram if anything may have changed, and tells whether it did.
    pub fn evaluate(&mut self, now: SimTime, off: Off, response: Span) -> bool {
        if self.seen == Some(off) && now < self.due {
            return false;
        }
        self.seen = Some(off);
        self.due = SimTime::NEVER;
        self.signals.iter_mut().for_each(|signal| signal.hold(now));
        self.values.clear();
        for number in 0..self.blocks.len() {
            let block = self.blocks[number];
            let value = match block.kind {
                BlockKind::Input => (off.inputs >> block.index.min(15) & 1 == 1).then_some(false),
                BlockKind::MemoryReceive if off.nodes >> block.index.min(15) & 1 == 1 => Some(false),
                BlockKind::CanReceive if off.entries >> block.index.min(15) & 1 == 1 => Some(false),
                BlockKind::MemoryReceive | BlockKind::CanReceive => {
                    let over = self.untold[number].map(|since| since + response);
                    over.and_then(|over| self.is_over(now, over).then_some(false))
                }
                _ => forced(&block, &self.values).or_else(|| self.by_the_past(now, number, &block)),
            };
            self.values.push(value);
            self.signals[number].set(now, value);
        }
        self.find_what_must_be_off(now, response);
        true
    }

    /// What signal `number` is; none where it is open.
    #[must_use]
    pub fn signal(&self, number: u16) -> Option<bool> {
        self.signals.get(usize::from(number))?.value
    }

    /// Whether an instant is over; if not, it is looked at then.
    fn is_over(&mut self, now: SimTime, at: SimTime) -> bool {
        if now <= at {
            self.due = self.due.min(at + Span::from_nanos(1));
        }
        now > at
    }

    /// What a block is by what was before.
    fn by_the_past(&mut self, now: SimTime, number: usize, block: &Block) -> Option<bool> {
        let of = |input: usize| match block.inputs[input] {
            SIGNAL_ON => Signal {
                value: Some(true),
                since: now,
                was_off: None,
                may_on: Some(now),
                may_rise: None,
                may_fall: None,
            },
            SIGNAL_OFF | NO_SIGNAL => Signal { was_off: Some(now), ..Signal::new(now) },
            own => self.signals.get(usize::from(own)).copied().unwrap_or(Signal::new(now)),
        };
        let (first, second) = (of(0), of(1));
        let time = Span::from_millis(block.time_ms.into());
        let late = time + tolerance(time);
        let is_off = match block.kind {
            // Nothing has set it.
            BlockKind::Latch => first.value == Some(false) && self.signals[number].value == Some(false),
            // It was OFF so shortly before that it cannot have been ON for long enough.
            BlockKind::OnDelay => {
                let early = Span::from_nanos(time.as_nanos().saturating_sub(tolerance(time).as_nanos()));
                first.was_off.is_some_and(|at| !self.is_over(now, at + early))
            }
            BlockKind::OffDelay => first.may_on.is_none_or(|at| self.is_over(now, at + late)),
            BlockKind::Pulse => first.may_rise.is_none_or(|at| self.is_over(now, at + late)),
            // Its button was let go before the condition was OFF last, or never.
            BlockKind::Reset => second.may_fall.is_none_or(|at| first.was_off.is_some_and(|off| off > at)),
            _ => false,
        };
        is_off.then_some(false)
    }

    fn find_what_must_be_off(&mut self, now: SimTime, response: Span) {
        let before = std::mem::take(&mut self.must);
        for number in 0..self.blocks.len() {
            let (block, signal) = (self.blocks[number], self.signals[number]);
            let is_sink = matches!(block.kind, BlockKind::Output | BlockKind::Relay);
            if !is_sink || signal.value != Some(false) || !self.is_over(now, signal.since + response) {
                continue;
            }
            if block.kind == BlockKind::Output {
                self.must.0 |= 1 << block.index.min(15);
            } else {
                self.must.1 |= 1 << block.index.min(7);
            }
        }
        let new = ((self.must.0 & !before.0).count_ones(), (self.must.1 & !before.1).count_ones());
        self.judged += u64::from(new.0 + new.1);
    }

    /// Since when an output group, or a relay, is settled OFF.
    fn since(&self, kind: BlockKind, index: u8) -> Option<SimTime> {
        let is = |block: &Block| (block.kind, block.index) == (kind, index);
        self.blocks.iter().zip(&self.signals).find(|(block, _)| is(block)).map(|(_, signal)| signal.since)
    }
}

impl Watch {
    /// The diagram is followed once in each tick of CPU1; what others are to be told.
    pub(in super::super) fn settle(&mut self, now: SimTime, inputs_off: u16) -> Option<News> {
        let (works, worked) = (self.works(), self.settled.is_working());
        if !works {
            return worked.then(|| News { told: self.settled.stop(now), has_started: false });
        }
        if !worked {
            let section = self.section().clone();
            self.settled.start(now, &section);
            // What others tell it comes first.
            return Some(News { told: self.settled.tells().collect(), has_started: true });
        }
        let response = Span::from_millis(self.common().network.response_ms.into());
        let nodes = self.silent_at(now, response).fold(0u16, |nodes, node| nodes | 1 << node.min(15));
        let silent = (0..).zip(&self.can_heard).filter(|(_, heard)| now > **heard + response);
        let entries = silent.fold(0u16, |entries, (entry, _)| entries | 1 << entry);
        let is_new = self.settled.evaluate(now, Off { inputs: inputs_off, nodes, entries }, response);
        self.judge_settled(now);
        is_new.then(|| News { told: self.settled.tells().collect(), has_started: false })
    }

    /// What must be off and is driven, and that a CPU wants on.
    fn judge_settled(&mut self, now: SimTime) {
        let must = self.settled.must;
        if must == (0, 0) || self.settled.wrong.is_some() {
            return;
        }
        let (pins, relays) = self.pins_of(must);
        let (live, held) = self.now_driven();
        if pins & live == 0 && relays & held == 0 {
            return;
        }
        let wanted = self.wanted();
        let (pins, relays) = (pins & live & wanted.0, relays & held & wanted.1);
        let pin = (0..16u8).find(|pin| pins >> pin & 1 == 1);
        let relay = (0..8u8).find(|relay| relays >> relay & 1 == 1);
        let group = |pin: u8| self.section().outputs.iter().position(|group| group.pins >> pin & 1 == 1);
        let (what, since) = match (relay, pin) {
            (Some(relay), _) => (format!("relay {relay}"), self.settled.since(BlockKind::Relay, relay)),
            (None, Some(pin)) => {
                let group = group(pin).and_then(|group| u8::try_from(group).ok()).unwrap_or(u8::MAX);
                (format!("the output at pin {pin}"), self.settled.since(BlockKind::Output, group))
            }
            (None, None) => return,
        };
        let since = since.map_or(String::new(), |since| format!(" since {since} ms"));
        self.settled.wrong = Some((now, format!("{what} is on, and what the devices show keeps it off{since}")));
    }
}

/// What has settled at a unit, or begins to, goes to the units that it tells of it; one that starts is told what these tell.
pub(in super::super) fn tell_settled(world: &mut World, unit: u8, News { told, has_started }: &News) {
    let (has_started, Some(one)) = (*has_started, unit_of(world, unit)) else { return };
    let common = one.watch.common().clone();
    let own = u8::try_from(common.own).unwrap_or(u8::MAX);
    let mut heard: Vec<(u8, Vec<Told>)> = Vec::new();
    for entity in world.resource::<Units>().entities().to_vec() {
        let Some(mut other) = world.get_mut::<Unit>(entity) else { continue };
        if !are_peers(&common, other.watch.common()) {
            continue;
        }
        other.watch.settled.hear(own, told);
        if has_started && other.watch.settled.is_working() {
            let node = u8::try_from(other.watch.common().own).unwrap_or(u8::MAX);
            heard.push((node, other.watch.settled.tells().collect()));
        }
    }
    if let Some(mut one) = unit_of(world, unit).filter(|_| has_started) {
        heard.iter().for_each(|(node, told)| one.watch.settled.hear(*node, told));
    }
}
