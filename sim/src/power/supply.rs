//! The state of the supply and the one step that brings it up to date.
//!
//! Every change ends in [`Supply::settle`]: nodes change state until none wants to, then the next instant at which a
//! line ends, a level is crossed or a hold-up runs out is solved and scheduled. Between two such instants every voltage is
//! the least or greatest of straight lines, so the first instant at which a node's condition can change is among the
//! crossings of the single lines: only these few are tried.

use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::Resource;

use super::profile::{Disturbance, Ground, Microvolts, Profile, UV_PER_MV};
use super::{Branch, Extremes, NodeOptions, Options, PowerEvent, PowerRecord, SupplyPlace, millivolts};
use crate::event::{Context, Event};
use crate::hosts::CpuEvent;
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::record::Record;

const TICK: Span = Span::from_nanos(1);

/// Which way a disturbance acts at a branch or node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// The voltage is at most the profile's.
    Limits,
    /// The voltage is at least the profile's.
    Lifts,
}

/// A disturbance at a branch or node.
#[derive(Clone, Debug, Hash)]
struct Override {
    way: Way,
    profile: Profile,
    injection: u32,
}

/// A branch or a node's line.
#[derive(Clone, Debug, Hash)]
struct Line {
    on: bool,
    over: Option<Override>,
}

impl Line {
    fn new() -> Self {
        Self { on: true, over: None }
    }

    /// What the disturbance makes of the voltage that arrives.
    fn disturbed(&self, arriving: Microvolts, time: SimTime) -> Microvolts {
        let Some(over) = &self.over else { return arriving };
        match (over.way, over.profile.at(time)) {
            (_, None) => arriving,
            (Way::Limits, Some(level)) => arriving.min(level),
            (Way::Lifts, Some(level)) => arriving.max(level),
        }
    }

    fn pass(&self, arriving: Microvolts, time: SimTime) -> Microvolts {
        if self.on { self.disturbed(arriving, time) } else { 0 }
    }

    fn next_break(&self, now: SimTime) -> SimTime {
        self.over.as_ref().map_or(SimTime::NEVER, |over| over.profile.next_break(now))
    }

    fn crossing(&self, level: Microvolts, now: SimTime) -> Option<SimTime> {
        self.over.as_ref()?.profile.piece(now)?.crossing(level)
    }

    /// Forgets what is over; gives the record of the line that begins, if one does.
    fn advance(&mut self, place: SupplyPlace, now: SimTime) -> Option<PowerRecord> {
        let over = self.over.as_mut()?;
        if !over.profile.advance(now) {
            return None;
        }
        let record = level_record(place, &over.profile, now, over.injection);
        if over.profile.is_over() {
            self.over = None;
        }
        Some(record)
    }
}

fn level_record(place: SupplyPlace, profile: &Profile, now: SimTime, injection: u32) -> PowerRecord {
    let from_mv = profile.at(now).map(millivolts);
    let (to_mv, until) = match profile.piece(now) {
        Some(piece) => (Some(millivolts(piece.to)), piece.end),
        None => (from_mv, SimTime::NEVER),
    };
    PowerRecord::Level { place, from_mv, to_mv, until, injection }
}

/// Whether a node has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// No power since then; not started yet if that is [`SimTime::NEVER`].
    Off { since: SimTime },
    /// Enough voltage.
    On,
    /// Below the switch-off level, on hold-up until the deadline.
    Low { since: SimTime, deadline: SimTime },
}

/// A node on the supply.
#[derive(Clone, Debug)]
struct Consumer {
    branch: usize,
    line: Line,
    options: NodeOptions,
    state: State,
    motor_ma: u32,
    brownouts: u32,
    losses: u32,
    /// Since when its voltage had been too low as it last lost its power.
    low: SimTime,
    seen: Option<Extremes>,
}

impl Consumer {
    /// The level whose crossing matters in the present state.
    fn level(&self) -> Microvolts {
        let mv = if matches!(self.state, State::Off { .. }) { self.options.on_mv } else { self.options.off_mv };
        i64::from(mv) * UV_PER_MV
    }

    /// The state that follows with this voltage at this time, if another.
    fn next_state(&self, voltage: Microvolts, time: SimTime) -> Option<State> {
        let below = voltage < self.level();
        match self.state {
            State::On if below => Some(State::Low { since: time, deadline: time + self.options.hold_up }),
            State::Low { .. } if !below => Some(State::On),
            State::Low { deadline, .. } if time >= deadline => Some(State::Off { since: time }),
            // A node that was lost at this very instant starts at a later one: relieving the source must not loop.
            State::Off { since } if !below && since != time => Some(State::On),
            _ => None,
        }
    }

    fn load_ma(&self) -> u32 {
        match self.state {
            State::Off { .. } => 0,
            State::On | State::Low { .. } => self.options.idle_ma + self.motor_ma,
        }
    }
}

impl Hash for Consumer {
    /// How often it lost its supply by a brown-out, and how its voltage was, is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { branch, line, options, state, motor_ma, brownouts: _, losses, low: _, seen: _ } = self;
        (branch, line, options, state, motor_ma, losses).hash(to);
    }
}

/// Widens `seen` to hold `voltage`.
fn widen(seen: &mut Option<Extremes>, voltage: Microvolts) {
    let mv = millivolts(voltage);
    let Extremes { min_mv, max_mv } = seen.unwrap_or(Extremes { min_mv: mv, max_mv: mv });
    *seen = Some(Extremes { min_mv: min_mv.min(mv), max_mv: max_mv.max(mv) });
}

/// The whole supply.
#[derive(Resource, Clone, Debug)]
pub(crate) struct Supply {
    options: Options,
    source: Profile,
    /// The level to which the source returns.
    home: Microvolts,
    source_injection: u32,
    branches: Vec<Line>,
    /// By node number.
    consumers: Vec<Option<Consumer>>,
    drop: Microvolts,
    seen: Option<Extremes>,
    /// The instant that is scheduled and its number.
    next: SimTime,
    number: u64,
}

impl Hash for Supply {
    /// What the voltage was is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { options, source, home, source_injection, branches, consumers, drop, seen: _, next, number } = self;
        (options, source, home, source_injection, branches, consumers, drop, next, number).hash(to);
    }
}

impl Supply {
    pub(super) fn new(options: Options) -> Self {
        let home = i64::from(options.source_mv) * UV_PER_MV;
        let last = Branch::Pumps(options.pump_feeds - 1).index();
        Self {
            options,
            source: Profile::steady(home),
            home,
            source_injection: 0,
            branches: vec![Line::new(); last + 1],
            consumers: vec![None; NodeId::MOST],
            drop: 0,
            seen: None,
            next: SimTime::ZERO,
            number: 0,
        }
    }

    pub(super) fn attach(&mut self, node: NodeId, branch: Branch, options: NodeOptions) {
        assert!(branch.index() < self.branches.len(), "the supply has no branch {branch:?}");
        let place = &mut self.consumers[node.index()];
        assert!(place.is_none(), "{node} hangs on two branches");
        *place = Some(Consumer {
            branch: branch.index(),
            line: Line::new(),
            options,
            state: State::Off { since: SimTime::NEVER },
            motor_ma: 0,
            brownouts: 0,
            losses: 0,
            low: SimTime::ZERO,
            seen: None,
        });
    }

    fn consumer(&self, node: NodeId) -> &Consumer {
        self.consumers[node.index()].as_ref().unwrap_or_else(|| panic!("{node} hangs on no branch"))
    }

    fn consumer_mut(&mut self, node: NodeId) -> &mut Consumer {
        self.consumers[node.index()].as_mut().unwrap_or_else(|| panic!("{node} hangs on no branch"))
    }

    pub(super) fn low_since(&self, node: NodeId) -> SimTime {
        self.consumer(node).low
    }

    fn branch(&self, branch: Branch) -> &Line {
        self.branches.get(branch.index()).unwrap_or_else(|| panic!("the supply has no branch {branch:?}"))
    }

    fn nodes(&self) -> impl Iterator<Item = (NodeId, &Consumer)> {
        let numbered = self.consumers.iter().zip(0_u8..);
        numbered.filter_map(|(consumer, number)| Some((NodeId::new(number), consumer.as_ref()?)))
    }

    // Voltages.

    fn electromotive(&self, time: SimTime) -> Microvolts {
        self.source.at(time).unwrap_or(self.home)
    }

    pub(super) fn source_at(&self, time: SimTime) -> Microvolts {
        (self.electromotive(time) - self.drop).max(0)
    }

    fn consumer_at(&self, consumer: &Consumer, time: SimTime) -> Microvolts {
        let arriving = self.branches[consumer.branch].pass(self.source_at(time), time);
        consumer.line.pass(arriving, time)
    }

    /// [`super::supply_mv`] with the supply at hand.
    pub(crate) fn node_mv(&self, node: NodeId, time: SimTime) -> u32 {
        millivolts(self.node_at(node, time))
    }

    pub(super) fn node_at(&self, node: NodeId, time: SimTime) -> Microvolts {
        self.consumer_at(self.consumer(node), time)
    }

    // Queries.

    pub(super) fn feed_on(&self, branch: Branch, now: SimTime) -> bool {
        let line = self.branch(branch);
        line.on && millivolts(line.pass(self.source_at(now), now)) >= self.options.feed_present_mv
    }

    /// [`super::feed_mv`] with the supply at hand.
    pub(crate) fn feed_mv(&self, branch: Branch, now: SimTime) -> u32 {
        let line = self.branch(branch);
        if line.on { millivolts(line.pass(self.source_at(now), now)) } else { 0 }
    }

    /// [`super::is_powered`] with the supply at hand.
    pub(crate) fn is_powered(&self, node: NodeId) -> bool {
        !matches!(self.consumer(node).state, State::Off { .. })
    }

    pub(super) fn branch_of(&self, node: NodeId) -> Option<Branch> {
        self.consumers[node.index()].as_ref().map(|consumer| Branch::at(consumer.branch))
    }

    pub(super) fn brownouts(&self, node: NodeId) -> u32 {
        self.consumer(node).brownouts
    }

    /// [`super::losses`] with the supply at hand.
    pub(crate) fn losses(&self, node: NodeId) -> u32 {
        self.consumer(node).losses
    }

    pub(super) fn brownouts_total(&self) -> u32 {
        self.nodes().map(|(_, consumer)| consumer.brownouts).sum()
    }

    pub(super) fn total_load_ma(&self) -> u32 {
        self.nodes().map(|(_, consumer)| consumer.load_ma()).sum()
    }

    pub(super) fn source_extremes(&self) -> Extremes {
        self.seen.unwrap_or(Extremes { min_mv: self.options.source_mv, max_mv: self.options.source_mv })
    }

    pub(super) fn node_extremes(&self, node: NodeId) -> Extremes {
        self.consumer(node).seen.unwrap_or(Extremes { min_mv: 0, max_mv: 0 })
    }

    // Changes.

    /// Does `what` and brings everything up to date.
    pub(super) fn change(&mut self, ctx: &mut Context, what: impl FnOnce(&mut Self, &mut Context)) {
        self.close(ctx);
        what(self, ctx);
        self.settle(ctx);
    }

    /// The scheduled instant has come.
    pub(super) fn wake(&mut self, ctx: &mut Context, number: u64) {
        if number == self.number {
            self.change(ctx, |_, _| {});
        }
    }

    pub(super) fn disturb(&mut self, ctx: &mut Context, place: SupplyPlace, what: Disturbance, injection: u32) {
        let now = ctx.now;
        let record = match place {
            SupplyPlace::Source => self.disturb_source(now, what, injection),
            SupplyPlace::Branch(branch) => {
                let arriving = self.source_at(now);
                let over = self.overriding(self.branch(branch), arriving, now, what, injection);
                replace(&mut self.branches[branch.index()], over, place, now, injection)
            }
            SupplyPlace::Node(node) => {
                let consumer = self.consumer(node);
                let arriving = self.branches[consumer.branch].disturbed(self.source_at(now), now);
                let over = self.overriding(&consumer.line, arriving, now, what, injection);
                replace(&mut self.consumer_mut(node).line, over, place, now, injection)
            }
        };
        ctx.record(Record::Power(record));
    }

    fn disturb_source(&mut self, now: SimTime, what: Disturbance, injection: u32) -> PowerRecord {
        let ground = Ground { now, present: self.electromotive(now), home: self.home };
        if let (true, Some(level)) = (what.stays(), what.level()) {
            self.home = level;
        }
        self.source = what.draw(ground, Some(self.home));
        self.source_injection = injection;
        level_record(SupplyPlace::Source, &self.source, now, injection)
    }

    /// The override that `what` makes of a line to which `arriving` comes; none if it ends the present one.
    ///
    /// What limits returns to the source's level, which the load keeps above the voltage; what lifts returns to what
    /// arrives. Switches do not count: a sag that begins while the feed is off is there when it comes on.
    fn overriding(
        &self,
        line: &Line,
        arriving: Microvolts,
        now: SimTime,
        what: Disturbance,
        injection: u32,
    ) -> Option<Override> {
        let lifts = matches!(what, Disturbance::OverVoltage { .. }) || what.stays() && what.level()? > self.home;
        let way = if lifts { Way::Lifts } else { Way::Limits };
        what.level()?;
        let home = if lifts { arriving } else { arriving.max(self.home) };
        let ground = Ground { now, present: line.disturbed(arriving, now), home };
        Some(Override { way, profile: what.draw(ground, None), injection })
    }

    /// The switch of a branch is open from the beginning.
    pub(crate) fn start_switched_off(&mut self, branch: Branch) {
        self.branches[branch.index()].on = false;
    }

    pub(super) fn switch(&mut self, ctx: &mut Context, branch: Branch, on: bool) {
        if self.branch(branch).on != on {
            self.branches[branch.index()].on = on;
            ctx.record(Record::Power(PowerRecord::Switched { branch, on }));
        }
    }

    pub(super) fn connect(&mut self, ctx: &mut Context, node: NodeId, connected: bool) {
        let line = &mut self.consumer_mut(node).line;
        if line.on != connected {
            line.on = connected;
            ctx.record(Record::Power(PowerRecord::Line { node, connected }));
        }
    }

    /// Ends the hold-up of a node at once.
    pub(super) fn discharge(&mut self, node: NodeId, now: SimTime) {
        let consumer = self.consumer_mut(node);
        if !matches!(consumer.state, State::Off { .. }) {
            consumer.state = State::Low { since: now, deadline: now };
        }
    }

    pub(super) fn set_loads(&mut self, loads: &[(NodeId, u32)]) {
        for &(node, milliamps) in loads {
            let consumer = self.consumer_mut(node);
            let powered = !matches!(consumer.state, State::Off { .. });
            consumer.motor_ma = if powered { milliamps } else { 0 };
        }
    }

    // Settling.

    /// Takes the extremes just before `now` and moves to the lines of `now`.
    fn close(&mut self, ctx: &mut Context) {
        let now = ctx.now;
        if now > SimTime::ZERO && self.seen.is_some() {
            self.observe(SimTime::from_nanos(now.as_nanos() - 1));
        }
        self.advance(ctx);
    }

    fn observe(&mut self, time: SimTime) {
        let source = self.source_at(time);
        widen(&mut self.seen, source);
        for index in 0..self.consumers.len() {
            let Some(voltage) = self.consumers[index].as_ref().map(|consumer| self.consumer_at(consumer, time)) else {
                continue;
            };
            if let Some(consumer) = &mut self.consumers[index] {
                widen(&mut consumer.seen, voltage);
            }
        }
    }

    fn advance(&mut self, ctx: &mut Context) {
        let now = ctx.now;
        if self.source.advance(now) {
            let record = level_record(SupplyPlace::Source, &self.source, now, self.source_injection);
            ctx.record(Record::Power(record));
        }
        for (index, line) in self.branches.iter_mut().enumerate() {
            let record = line.advance(SupplyPlace::Branch(Branch::at(index)), now);
            record.into_iter().for_each(|record| ctx.record(Record::Power(record)));
        }
        for (consumer, number) in self.consumers.iter_mut().zip(0_u8..) {
            let Some(consumer) = consumer else { continue };
            let record = consumer.line.advance(SupplyPlace::Node(NodeId::new(number)), now);
            record.into_iter().for_each(|record| ctx.record(Record::Power(record)));
        }
    }

    /// Lets nodes change state until none wants to, then schedules the next instant.
    ///
    /// It ends: a node starts at most once and is lost at most once at one instant, and only that changes the load.
    fn settle(&mut self, ctx: &mut Context) {
        let now = ctx.now;
        self.drop = self.load_drop();
        self.observe(now);
        loop {
            let voltages = self.nodes().map(|(node, consumer)| (node, self.consumer_at(consumer, now)));
            let wanted = voltages
                .filter_map(|(node, voltage)| Some((node, voltage, self.consumer(node).next_state(voltage, now)?)));
            let changes: Vec<(NodeId, Microvolts, State)> = wanted.collect();
            if changes.is_empty() {
                break;
            }
            for (node, voltage, state) in changes {
                self.enter(ctx, node, voltage, state);
            }
            self.drop = self.load_drop();
            self.observe(now);
        }
        self.schedule(ctx);
    }

    fn load_drop(&self) -> Microvolts {
        // mA times mOhm is microvolts.
        i64::from(self.total_load_ma()) * i64::from(self.options.resistance_mohm)
    }

    fn enter(&mut self, ctx: &mut Context, node: NodeId, voltage: Microvolts, state: State) {
        let consumer = self.consumer(node);
        let switched = !consumer.line.on || !self.branches[consumer.branch].on;
        let consumer = self.consumer_mut(node);
        let before = std::mem::replace(&mut consumer.state, state);
        let mv = millivolts(voltage);
        match (before, state) {
            (_, State::Off { .. }) => {
                consumer.motor_ma = 0;
                consumer.losses += 1;
                consumer.low = if let State::Low { since, .. } = before { since } else { ctx.now };
                consumer.brownouts += u32::from(!switched);
                ctx.record(Record::Power(PowerRecord::Lost { node, mv, switched }));
                ctx.agenda.at(ctx.now, Event::Cpu(CpuEvent::PowerLost(node)));
            }
            (State::Off { .. }, State::On) => {
                ctx.record(Record::Power(PowerRecord::Good { node, mv }));
                ctx.agenda.at(ctx.now, Event::Cpu(CpuEvent::PowerGood(node)));
            }
            (State::Low { since, .. }, State::On) => {
                let below = ctx.now.since(since);
                ctx.record(Record::Power(PowerRecord::RodeThrough { node, below }));
            }
            _ => {}
        }
    }

    fn schedule(&mut self, ctx: &mut Context) {
        let now = ctx.now;
        let crossing = self.nodes().map(|(_, consumer)| self.next_change(consumer, now)).min();
        let next = crossing.unwrap_or(SimTime::NEVER).min(self.next_break(now));
        if next != self.next || self.next <= now {
            self.next = next;
            self.number += 1;
            ctx.agenda.at(next, Event::Power(PowerEvent::Wake(self.number)));
        }
    }

    /// When a line ends somewhere.
    fn next_break(&self, now: SimTime) -> SimTime {
        let branches = self.branches.iter().map(|line| line.next_break(now));
        let consumers = self.nodes().map(|(_, consumer)| consumer.line.next_break(now));
        branches.chain(consumers).min().unwrap_or(SimTime::NEVER).min(self.source.next_break(now))
    }

    /// The first instant after `now` at which the node changes state if all lines go on.
    fn next_change(&self, consumer: &Consumer, now: SimTime) -> SimTime {
        let level = consumer.level();
        let source = self.source.piece(now).and_then(|piece| piece.crossing(level + self.drop));
        let branch = self.branches[consumer.branch].crossing(level, now);
        let own = consumer.line.crossing(level, now);
        let by_itself = match consumer.state {
            State::Low { deadline, .. } => Some(deadline),
            State::Off { since } if since == now => Some(now + TICK),
            State::Off { .. } | State::On => None,
        };
        let candidates = [source, branch, own, by_itself].into_iter().flatten().filter(|&time| time > now);
        let changing = candidates.filter(|&time| consumer.next_state(self.consumer_at(consumer, time), time).is_some());
        changing.min().unwrap_or(SimTime::NEVER)
    }
}

/// Puts an override in the place of the present one and gives its record.
fn replace(line: &mut Line, over: Option<Override>, place: SupplyPlace, now: SimTime, injection: u32) -> PowerRecord {
    line.over = over.filter(|over| !over.profile.is_over());
    match &line.over {
        Some(over) => level_record(place, &over.profile, now, injection),
        None => PowerRecord::Level { place, from_mv: None, to_mv: None, until: SimTime::NEVER, injection },
    }
}
