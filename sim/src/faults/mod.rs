//! Faults: what a scenario injects, when it acts, and the proof that it did.
//!
//! ```text
//!   scenario fault --trigger (time, or a record that fulfils its condition)--> begin --> port of the domain it acts on
//!                                                                 \--duration--> end
//!   records that carry the injection, or a read-back of the port --> activations, effect
//! ```
//! The healthy code of bus, supply and boards holds no fault; each fault reaches them through a port that exists for it
//! or through what a real fault would move (a switch, a wire, a stored bit). Words: an *injection* is one fault of the
//! scenario; it *begins* when its trigger comes, *acts* when something is different because of it, and *ends* after its
//! duration. It has *occurred* when that time began at which it first acted: a defect cell occurs as it becomes defect, and
//! acts as it is first read. An injection that never acted makes the run inconclusive. Where two of them act on the same thing, the end
//! of one leaves what the other holds.

mod act;
mod prove;
mod share;
pub(crate) mod trigger;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bevy_ecs::prelude::World;

use crate::event::{Context, Event, Twin, TwinBuilder};
use crate::kernel::{Scoped, SimTime, Span, Words};
use crate::node::NodeId;
use crate::power::{self, PowerRecord};
use crate::record::Record;
use crate::scenario::{Fault, FaultKind, Scenario, Trigger};

pub use act::Setting;

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum FaultEvent {
    /// An injection begins.
    Begin {
        /// Its number.
        injection: u16,
    },
    /// An injection ends.
    End {
        /// Its number.
        injection: u16,
    },
}

/// Records of this domain.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultRecord {
    /// An injection began.
    Begun {
        /// Its number.
        injection: u16,
    },
    /// An injection acted.
    Acted {
        /// Its number.
        injection: u16,
        /// What was read back.
        effect: Arc<str>,
    },
    /// An injection ended.
    Ended {
        /// Its number.
        injection: u16,
    },
}

impl FaultRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let (kind, injection) = match self {
            Self::Begun { injection } => (0, injection),
            Self::Acted { injection, .. } => (1, injection),
            Self::Ended { injection } => (2, injection),
        };
        to.put(kind);
        to.put(u64::from(*injection));
    }
}

/// Of an injection that acts more often after its first time, only the last time is told.
pub const TIMES_MOST: usize = 24;
/// So many stretches in which an injection was there are told apart; from the last of them on it counts as there until its end.
const STRETCHES_MOST: usize = 1_000;

/// A node lost its power, and an injection had acted on its supply since the voltage was too low.
#[derive(Clone, Copy)]
struct Loss {
    at: SimTime,
    node: NodeId,
    /// Whether no other injection can have led to it.
    is_its_own: bool,
}

/// One fault of the scenario while the twin runs.
#[derive(Clone)]
pub struct Injection {
    /// What the scenario says.
    pub fault: Arc<Fault>,
    /// Nodes that it acts on, empty where it acts on bus or supply.
    pub nodes: Arc<[NodeId]>,
    /// How often it has begun and not ended: a condition may come again before the duration is over.
    pub active: u32,
    /// When it began last, counted over all injections of the run; 0 before that.
    order: u64,
    /// The instant at which it began last.
    pub began: SimTime,
    /// Since when it has been there without a break, as it began last.
    since: SimTime,
    /// Since when it had been there as it first acted, or as it first began where it never acted; none if it never began.
    pub occurred: Option<SimTime>,
    /// When its latest end comes; [`SimTime::NEVER`] without a duration.
    until: SimTime,
    /// From when to when it was there, each time: to its end, or to the last time that it acted where it is over at once.
    there: Vec<(SimTime, SimTime)>,
    /// When nodes at which it is lost their power, if it acted on their supply while the voltage was too low.
    losses: Vec<Loss>,
    /// How often it began.
    pub begun: u32,
    /// How often it acted.
    pub activations: u64,
    /// When it first acted.
    pub first: Option<SimTime>,
    /// When it acted after that, up to [`TIMES_MOST`] times.
    pub again: Vec<SimTime>,
    /// When it acted last.
    pub last: Option<SimTime>,
    /// What was read back at the first time.
    pub effect: Arc<str>,
    /// What the nodes of a supply fault measured as it last began, in mV.
    before: Vec<(NodeId, u32)>,
    /// The error counters of all nodes as a fault of the line last began: transmit, receive.
    counters: Vec<(NodeId, u16, u16)>,
    /// Progress of its trigger.
    seen: u32,
}

impl Injection {
    /// Whether it acts at this node, be it through the supply of all.
    #[must_use]
    pub fn is_at(&self, node: NodeId) -> bool {
        self.nodes.contains(&node) || matches!(self.fault.place, crate::scenario::Place::Supply)
    }

    /// Whether it acts by the voltage of its place.
    #[must_use]
    pub fn is_of_the_supply(&self) -> bool {
        act::is_of_the_supply(&self.fault.kind)
    }

    /// When it began to be there, each time.
    pub fn begins(&self) -> impl Iterator<Item = SimTime> {
        self.there.iter().map(|(from, _)| *from)
    }

    /// Whether it was there at some time in between.
    #[must_use]
    pub fn was_there(&self, from: SimTime, until: SimTime) -> bool {
        self.there.iter().any(|(began, over)| *began <= until && *over >= from)
    }

    /// The same, but not if it was over with the begin.
    fn was_there_after(&self, from: SimTime, until: SimTime) -> bool {
        self.there.iter().any(|(began, over)| *began <= until && *over > from)
    }

    /// Whether it was there without a break.
    fn was_there_throughout(&self, from: SimTime, until: SimTime) -> bool {
        self.there.iter().any(|(began, over)| *began <= from && *over >= until)
    }

    /// When a node lost its power by it, and by no other injection.
    pub fn losses(&self, node: NodeId) -> impl Iterator<Item = SimTime> {
        self.losses.iter().filter(move |loss| loss.node == node && loss.is_its_own).map(|loss| loss.at)
    }

    /// When a node lost its power by it, or by another injection that acted on its supply as well.
    pub fn possible_losses(&self, node: NodeId) -> impl Iterator<Item = SimTime> {
        self.losses.iter().filter(move |loss| loss.node == node).map(|loss| loss.at)
    }

    /// Whether it is over at once, as a reset, or after so many packets.
    fn is_momentary(&self) -> bool {
        matches!(&self.fault.kind, FaultKind::Safety(kind) if kind.is_momentary())
    }

    /// It begins: a new time, or the last one goes on.
    fn is_there_from(&mut self, now: SimTime) {
        let until = if self.is_momentary() { now } else { self.until };
        let is_full = self.there.len() >= STRETCHES_MOST;
        match self.there.last_mut().filter(|(_, over)| is_full || (*over >= now && until > now)) {
            Some((_, over)) => *over = until.max(*over),
            None => self.there.push((now, until)),
        }
    }

    /// When it acted after its first time: every time, or the last alone where there are more than [`TIMES_MOST`].
    #[must_use]
    pub fn later(&self) -> Vec<SimTime> {
        let is_whole = self.again.len() as u64 + 1 >= self.activations;
        if is_whole { self.again.clone() } else { self.last.into_iter().collect() }
    }

    /// Whether it acts at this instant: its end comes at the very instant at which what it did is taken back.
    #[must_use]
    pub fn is_in_force(&self, now: SimTime) -> bool {
        self.active > 0 || (self.begun > 0 && self.until >= now)
    }
}

/// All injections of a run.
#[derive(Clone, Default)]
pub struct Faults {
    /// In the order of the scenario.
    pub list: Vec<Injection>,
    watch: trigger::Watch,
    begun: u64,
}

impl Hash for Faults {
    /// Which injections act, and which may begin yet. What they did, and what triggers that cannot fire any more have
    /// seen, is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { list, watch, begun: _ } = self;
        let waits = |injection: &Injection| !matches!(injection.fault.trigger, Trigger::At(_)) && may_begin(injection);
        for injection in list {
            (injection.active, waits(injection).then_some(injection.seen)).hash(to);
            if injection.active > 0 {
                (injection.order, injection.until).hash(to);
            }
        }
        if list.iter().any(waits) {
            watch.hash(to);
        }
    }
}

/// Those injections that act beside the one that begins or ends, the one that began last at the end.
pub(crate) struct Others<'a>(Vec<(usize, &'a Injection)>);

impl<'a> Others<'a> {
    fn of(faults: &'a Faults, number: usize) -> Self {
        let others = faults.list.iter().enumerate().filter(|(other, one)| *other != number && one.active > 0);
        let mut list: Vec<(usize, &Injection)> = others.collect();
        list.sort_by_key(|(_, one)| one.order);
        Self(list)
    }
}

/// Schedules the faults of a scenario and watches for their conditions.
pub fn install(builder: &mut TwinBuilder, scenario: &Scenario, setting: Setting) {
    let mut faults = Faults { watch: trigger::Watch::new(scenario.pumps.count), ..Faults::default() };
    for (number, fault) in scenario.faults.iter().enumerate() {
        if let Trigger::At(at) = fault.trigger {
            let injection = u16::try_from(number).expect("a scenario has fewer faults");
            builder.agenda.at(SimTime::ZERO + at, Event::Fault(FaultEvent::Begin { injection }));
        }
        faults.list.push(Injection {
            fault: Arc::new(fault.clone()),
            nodes: act::nodes_of(scenario, &fault.place).into(),
            active: 0,
            order: 0,
            began: SimTime::ZERO,
            since: SimTime::ZERO,
            occurred: None,
            until: SimTime::ZERO,
            there: Vec::new(),
            losses: Vec::new(),
            begun: 0,
            activations: 0,
            first: None,
            again: Vec::new(),
            last: None,
            effect: Arc::from(""),
            before: Vec::new(),
            counters: Vec::new(),
            seen: 0,
        });
    }
    let watching = !faults.list.is_empty();
    builder.state_resource(Scoped::new(faults));
    builder.state_resource(setting);
    builder.on(Event::FAULT, |world, context, event| match event {
        Event::Fault(FaultEvent::Begin { injection }) => begin(world, context, usize::from(injection)),
        Event::Fault(FaultEvent::End { injection }) => end(world, context, usize::from(injection)),
        _ => {}
    });
    if watching {
        builder.observe(see);
    }
}

/// A fault cannot take the place of another one in a twin that runs already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The twin was built with fewer faults.
    #[error("the twin has no place for fault {0}")]
    NoPlace(usize),
    /// What stands in the place has begun, or has been put on the agenda.
    #[error("the fault in place {0} has begun or will begin by itself")]
    Used(usize),
    /// Nothing has counted how often the condition was fulfilled so far.
    #[error("the condition of fault {0} counts something else than the one in its place")]
    Uncounted(usize),
    /// It would have begun already.
    #[error("fault {0} begins in the past")]
    Past(usize),
    /// It needs something that was not built.
    #[error("fault {0} needs an image that the twin was built without")]
    Unbuilt(usize),
}

/// Puts fault `number` of `scenario` into the place of one that waits for a condition and has not begun: what a fork
/// differs by. From then on the twin is the one that was built of `scenario` and ran up to here.
///
/// A condition goes on counting where the one in its place has come to, if both count the same.
///
/// # Errors
/// If the twin would not be that one; nothing is changed.
pub fn put(twin: &mut Twin, scenario: &Scenario, number: usize) -> Result<(), PutError> {
    let fault = scenario.faults.get(number).ok_or(PutError::NoPlace(number))?;
    let injection = u16::try_from(number).map_err(|_| PutError::NoPlace(number))?;
    let now = twin.agenda.now();
    let mut faults = twin.world.resource_mut::<Scoped<Faults>>();
    let place = faults.list.get_mut(number).ok_or(PutError::NoPlace(number))?;
    if place.begun > 0 || matches!(place.fault.trigger, Trigger::At(_)) {
        return Err(PutError::Used(number));
    }
    if matches!(fault.kind, FaultKind::Exchanged(_)) {
        return Err(PutError::Unbuilt(number));
    }
    let begin = match fault.trigger {
        Trigger::At(at) if SimTime::ZERO + at <= now => return Err(PutError::Past(number)),
        Trigger::At(at) => Some(SimTime::ZERO + at),
        ref other if trigger::count_the_same(&place.fault.trigger, other) => None,
        _ => return Err(PutError::Uncounted(number)),
    };
    place.fault = Arc::new(fault.clone());
    place.nodes = act::nodes_of(scenario, &fault.place).into();
    if let Some(at) = begin {
        place.seen = 0;
        twin.agenda.at(at, Event::Fault(FaultEvent::Begin { injection }));
    }
    Ok(())
}

fn begin(world: &mut World, context: &mut Context<'_>, number: usize) {
    Scoped::scope(world, |world, faults: &mut Faults| {
        faults.begun += 1;
        let order = faults.begun;
        let Some(injection) = faults.list.get_mut(number) else { return };
        if injection.active == 0 {
            injection.since = context.now;
        }
        injection.begun += 1;
        injection.active += 1;
        injection.order = order;
        injection.began = context.now;
        injection.occurred.get_or_insert(injection.since);
        injection.until = injection.fault.duration.map_or(SimTime::NEVER, |duration| context.now + duration);
        injection.is_there_from(context.now);
        let mut injection = injection.clone();
        let injection_number = u16::try_from(number).unwrap_or(u16::MAX);
        context.record(Record::Fault(FaultRecord::Begun { injection: injection_number }));
        if act::is_of_the_supply(&injection.fault.kind) {
            injection.before = prove::voltages(world, context.now, &injection);
        }
        if matches!(injection.fault.kind, FaultKind::StuckDominant | FaultKind::StuckRecessive) {
            injection.counters = prove::counters(world);
        }
        if let Some(effect) = act::begin(world, context, number, &injection, &Others::of(faults, number)) {
            acted(context, number, &mut injection, &effect);
        }
        // A torn write cuts the supply when it comes, and the duration counts from there.
        if !matches!(injection.fault.kind, FaultKind::FramTear(_)) {
            schedule_end(context, injection_number, &injection);
        }
        schedule_repeat(context, injection_number, &injection);
        faults.list[number] = injection;
    });
}

fn schedule_end(context: &mut Context<'_>, number: u16, injection: &Injection) {
    if let Some(duration) = injection.fault.duration {
        context.agenda.after(duration, Event::Fault(FaultEvent::End { injection: number }));
    }
}

/// A fault at a time begins again after its period.
fn schedule_repeat(context: &mut Context<'_>, number: u16, injection: &Injection) {
    let (Trigger::At(_), Some(repeat)) = (&injection.fault.trigger, &injection.fault.repeat) else { return };
    if let Some(period) = repeat.period
        && (repeat.count == 0 || injection.begun < repeat.count)
    {
        context.agenda.after(period, Event::Fault(FaultEvent::Begin { injection: number }));
    }
}

fn end(world: &mut World, context: &mut Context<'_>, number: usize) {
    Scoped::scope(world, |world, faults: &mut Faults| {
        let Some(injection) = faults.list.get_mut(number) else { return };
        injection.active = injection.active.saturating_sub(1);
        // One that began again in the meantime goes on until its last end.
        if injection.active == 0 {
            act::end(world, context, number, &faults.list[number], &Others::of(faults, number));
            see_what_stays_dark(world, context, number, &mut faults.list);
        }
        let injection = u16::try_from(number).unwrap_or(u16::MAX);
        context.record(Record::Fault(FaultRecord::Ended { injection }));
    });
}

/// The end of one cut shows that another one acts: what both cut stays dark.
fn see_what_stays_dark(world: &World, context: &mut Context<'_>, ended: usize, list: &mut [Injection]) {
    let is_cut = |injection: &Injection| act::is_of_the_supply(&injection.fault.kind);
    if !is_cut(&list[ended]) {
        return;
    }
    let (nodes, branches) = (list[ended].nodes.clone(), act::switched(&list[ended]));
    for (number, injection) in list.iter_mut().enumerate().filter(|(number, _)| *number != ended) {
        let shared = injection.nodes.iter().any(|node| nodes.contains(node))
            || act::switched(injection).iter().any(|branch| branches.contains(branch));
        if shared && let Some(effect) = prove::stays_dark(world, context.now, injection) {
            acted(context, number, injection, &effect);
        }
    }
}

/// Counts an activation; the first one keeps what was read back.
fn acted(context: &mut Context<'_>, number: usize, injection: &mut Injection, effect: &str) {
    injection.activations += 1;
    if injection.first.is_some() && injection.again.len() < TIMES_MOST {
        injection.again.push(context.now);
    }
    injection.last = Some(context.now);
    if injection.is_momentary()
        && let Some((_, over)) = injection.there.last_mut()
    {
        *over = context.now.max(*over);
    }
    if injection.first.is_none() {
        injection.first = Some(context.now);
        injection.occurred = Some(injection.since);
        injection.effect = Arc::from(effect);
        let record =
            FaultRecord::Acted { injection: u16::try_from(number).unwrap_or(u16::MAX), effect: Arc::from(effect) };
        context.record(Record::Fault(record));
    }
}

/// An injection made a difference at its target, which says so itself.
pub(crate) fn proven(world: &mut World, context: &mut Context<'_>, injection: u16, effect: &str) {
    let number = usize::from(injection);
    if let Some(one) = world.resource_mut::<Scoped<Faults>>().list.get_mut(number) {
        acted(context, number, one, effect);
    }
}

/// Looks at a record: as the fulfilment of a trigger, and as the proof of an action.
fn see(world: &mut World, context: &mut Context<'_>, time: SimTime, record: &Record) {
    if matches!(record, Record::Fault(_)) {
        return;
    }
    Scoped::scope(world, |world, faults: &mut Faults| {
        let Faults { list, watch, .. } = faults;
        if let Record::Power(PowerRecord::Lost { node, switched, .. }) = record {
            see_loss(list, (power::low_since(world, *node), time), *node, *switched);
        }
        let moment = watch.see(record);
        for number in 0..list.len() {
            let effect = (list[number].begun > 0)
                .then(|| act::proof(world, time, number, &list[number], record))
                .flatten()
                .filter(|_| !share::is_masked(world, time, list, number, record))
                .filter(|_| prove::has_drifted(world, time, list, number));
            let injection = &mut list[number];
            if may_begin(injection)
                && let Some(delay) = trigger::fulfilled(injection, watch, &moment, record)
            {
                let event = FaultEvent::Begin { injection: u16::try_from(number).unwrap_or(u16::MAX) };
                context.agenda.at(time + delay, Event::Fault(event));
            }
            if let Some(effect) = effect {
                acted(context, number, injection, &effect);
            }
            if injection.active > 0
                && let Some(effect) = act::torn_write(world, context, injection, record)
            {
                acted(context, number, injection, &effect);
                schedule_end(context, u16::try_from(number).unwrap_or(u16::MAX), injection);
            }
        }
    });
}

/// A node has lost its power, by a switch or by its voltage, which had been too low since `low`: each injection that acted on its supply in
/// that time may have led to that. It is the work of one alone that did so all the time, where no other one acted in that way.
fn see_loss(list: &mut [Injection], (low, now): (SimTime, SimTime), node: NodeId, switched: bool) {
    let is_of_kind = |one: &Injection| switched == matches!(one.fault.kind, FaultKind::PowerCut | FaultKind::FeedOff);
    let acts = |one: &&mut Injection| {
        one.is_of_the_supply() && one.is_at(node) && (one.is_in_force(now) || one.was_there_after(low, now))
    };
    let mut acting: Vec<&mut Injection> = list.iter_mut().filter(acts).collect();
    let is_alone = acting.iter().filter(|one| is_of_kind(one)).count() == 1;
    for one in &mut acting {
        let is_its_own = is_alone && is_of_kind(one) && one.was_there_throughout(low, now);
        one.losses.push(Loss { at: now, node, is_its_own });
    }
}

/// Whether a condition that comes now begins the injection once more.
fn may_begin(injection: &Injection) -> bool {
    let most = injection.fault.repeat.as_ref().map_or(1, |repeat| repeat.count);
    most == 0 || injection.begun < most
}

/// How long after a record the fault begins.
type Delay = Span;
