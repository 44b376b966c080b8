//! The CAN bus: frames from mailbox to FIFO, and all that can go wrong.
//!
//! ```text
//!   request -> mailboxes --offer--> line: arbitration, attempt --good--> receive FIFOs, confirmations -> Attend
//!   (controller.rs)                 (line.rs)         \--disturbed--> exchange.rs, bit by bit, counters
//!   medium, noise, lost frames (noise.rs, here) act on the line or above it, never inside the clean path
//! ```
//! Classic CAN by the Bosch specification 2.0 and ISO 11898-1. A frame costs one event; bits are played only where a
//! frame is disturbed. Two kinds of loss are kept apart: a *hit* is a bit error on the wire, seen by the controllers
//! and repaired by retransmission; a *lost* frame was received well and dropped above the link layer (overrun, or a
//! planned loss), which no controller notices.

mod acceptance;
mod controller;
mod exchange;
mod line;
mod noise;
#[cfg(test)]
mod tests;
pub mod wire;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bevy_ecs::prelude::{Query, ResMut, World};
use bevy_ecs::system::SystemState;
use embedded_can::Id;
use heapless::Vec as FixedVec;
use protocol::frame::{Frame, raw_id};
use rand::RngExt as _;

pub use controller::{
    Aborted, CONFIRMATIONS, Controller, ControllerOptions, FIFO_FRAMES, FILTERS, Filter, MAILBOXES, MailboxesFull,
    Recovery,
};
pub use exchange::{BUS_OFF_FROM, Counters, ErrorKind, Line, PASSIVE_FROM};
pub use line::Bus;
pub use noise::{ALL_NODES, Medium, PlannedHit, RandomHits};

use crate::event::{Context, Event, TwinBuilder};
use crate::hosts::CpuEvent;
use crate::kernel::{SimTime, Span, Stream, Words, hash_stream};
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use controller::Offer;
use line::{Outcome, nodes_of};

/// Scheduled events of the bus.
#[derive(Clone, Copy, Debug, Hash)]
pub enum BusEvent {
    /// The frame on a segment is over, or the next thing happens in a disturbed one; out of date if the segment has
    /// another epoch by then.
    Advance {
        /// Index of the segment.
        segment: u8,
        /// The plan this event belongs to.
        epoch: u32,
    },
    /// A node that waits for recessive bits may have seen enough.
    Settle(NodeId),
    /// The bus is out of order from now on: every node is alone.
    Off,
    /// The gap between two frames of a babbling node is over.
    Babble(NodeId),
}

/// How a controller stands on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkState {
    /// Without power or in reset.
    Off,
    /// Waits for 11 recessive bits.
    Joining,
    /// Error-active.
    Active,
    /// Error-passive: a counter is at 128 or above.
    Passive,
    /// Off the bus after TEC reached 256.
    BusOff,
    /// The controller's clock stands still.
    Stopped,
}

impl LinkState {
    fn of(counters: Counters) -> Self {
        match () {
            () if counters.bus_off() => Self::BusOff,
            () if counters.passive() => Self::Passive,
            () => Self::Active,
        }
    }
}

/// What happened on the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum BusRecord {
    /// A frame was sent and acknowledged; the record's time is the end of its last bit.
    Frame {
        /// Start of its SOF.
        start: SimTime,
        /// The frame.
        frame: Frame,
        /// Bits from SOF to the end of EOF, stuff bits included, intermission not.
        bits: u16,
        /// Who sent it.
        sender: NodeId,
        /// When the sender's CPU requested it: the end minus this is the response time.
        queued: SimTime,
    },
    /// An error frame; recorded once all stations have had their chance to see the error.
    Error {
        /// Start of the frame's SOF.
        start: SimTime,
        /// The bit in which the first error was detected, SOF is 0.
        bit: u32,
        /// The error detected first.
        kind: ErrorKind,
        /// Who was sending, if anyone on this segment.
        sender: Option<NodeId>,
        /// The id on the line, if a frame was.
        id: Option<Id>,
        /// Mask of the nodes that detected an error.
        seen: u32,
    },
    /// A bit was read inverted.
    Hit {
        /// Who made it.
        injection: u32,
        /// Start of the frame's SOF.
        start: SimTime,
        /// The bit, SOF is 0.
        bit: u32,
        /// Mask of the nodes meant to read it inverted.
        victims: u32,
    },
    /// A controller changed its state.
    State {
        /// Whose.
        node: NodeId,
        /// The new state.
        state: LinkState,
        /// Transmit error counter.
        tec: u16,
        /// Receive error counter.
        rec: u16,
    },
    /// An error raised a controller's counters without a change of its state.
    Counters {
        /// Whose.
        node: NodeId,
        /// Transmit error counter.
        tec: u16,
        /// Receive error counter.
        rec: u16,
    },
    /// The receive FIFO was full: the frame is lost to this node.
    Overrun {
        /// Whose FIFO.
        node: NodeId,
        /// The frame's id.
        id: Id,
    },
    /// A planned loss above the link layer.
    Lost {
        /// Who made it.
        injection: u32,
        /// The node that does not get the frame.
        node: NodeId,
        /// The frame's id.
        id: Id,
    },
    /// The levels of the line over a disturbed attempt, from its SOF to when the line was free; a note, see below.
    Levels {
        /// Start of the first bit.
        start: SimTime,
        /// Mask of the nodes on this stretch of line.
        members: u32,
        /// How many bits in a row are recessive, then dominant, then recessive and so on; only the first may be none.
        runs: Arc<[u32]>,
    },
    /// The wiring changed: a mask of nodes for each stretch of line; a note. Until the first one there is one stretch.
    Wiring {
        /// By stretch.
        stretches: Arc<[u32]>,
    },
}

/// An id as one number; bit 31 marks 29 bits.
fn id_word(id: Id) -> u64 {
    u64::from(raw_id(id)) | if matches!(id, Id::Extended(_)) { 1 << 31 } else { 0 }
}

fn data_word(frame: &Frame) -> u64 {
    frame.data().iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl BusRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let mut put = |words: &[u64]| words.iter().for_each(|word| to.put(*word));
        match self {
            Self::Frame { start, frame, bits, sender, queued } => {
                let shape = (frame.data().len() as u64) << 32 | u64::from(*bits) << 16 | sender.index() as u64;
                put(&[0, start.as_nanos(), id_word(frame.id()), data_word(frame), shape, queued.as_nanos()]);
            }
            Self::Error { start, bit, kind, sender, id, seen } => {
                let sender = sender.map_or(u64::MAX, |node| node.index() as u64);
                let id = id.map_or(u64::MAX, id_word);
                put(&[1, start.as_nanos(), u64::from(*bit), *kind as u64, sender, id, u64::from(*seen)]);
            }
            Self::Hit { injection, start, bit, victims } => {
                put(&[2, u64::from(*injection), start.as_nanos(), u64::from(*bit), u64::from(*victims)]);
            }
            Self::State { node, state, tec, rec } => {
                put(&[3, node.index() as u64, *state as u64, u64::from(*tec), u64::from(*rec)]);
            }
            Self::Overrun { node, id } => put(&[4, node.index() as u64, id_word(*id)]),
            Self::Counters { node, tec, rec } => put(&[6, node.index() as u64, u64::from(*tec), u64::from(*rec)]),
            Self::Lost { injection, node, id } => put(&[5, u64::from(*injection), node.index() as u64, id_word(*id)]),
            // Notes follow from the other records and are never hashed.
            Self::Levels { start, members, .. } => put(&[7, start.as_nanos(), u64::from(*members)]),
            Self::Wiring { stretches } => put(&[8, stretches.len() as u64]),
        }
    }
}

/// Drops frames between a controller and its FIFO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLoss {
    /// The number under which the fault domain knows it.
    pub injection: u32,
    /// The node that does not get the frames, or whose frames nobody gets.
    pub node: NodeId,
    /// Whether the frames are lost that the node sends, instead of those it receives.
    pub sent: bool,
    /// The share that is lost in parts per 10^9, and the stream that draws; `None`: all.
    pub rate: Option<(u64, Stream)>,
    /// The frames meant; `None`: any that the node accepts.
    pub id: Option<Id>,
    /// The first frame that is lost, counted from 1 among those meant, from the call on.
    pub nth: u32,
    /// How many frames in a row are lost.
    pub times: u32,
}

impl Hash for PlannedLoss {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { injection, node, sent, rate, id, nth, times } = self;
        (injection, node, sent, id, nth, times, rate.is_some()).hash(to);
        if let Some((share, stream)) = rate {
            share.hash(to);
            hash_stream(stream, to);
        }
    }
}

impl PlannedLoss {
    /// The loss of every frame that `node` receives from now on, for injection 0.
    #[must_use]
    pub fn of(node: NodeId) -> Self {
        Self { injection: 0, node, sent: false, rate: None, id: None, nth: 1, times: u32::MAX }
    }
}

/// Planned losses above the link layer.
#[derive(Clone, Debug, Default)]
struct Losses {
    planned: Vec<(PlannedLoss, u32)>,
}

impl Hash for Losses {
    /// One that can take no further frame is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let last = |loss: &PlannedLoss| u64::from(loss.nth.max(1)) + u64::from(loss.times) - 1;
        let live = self.planned.iter().filter(|(loss, seen)| loss.rate.is_some() || u64::from(*seen) < last(loss));
        live.for_each(|one| one.hash(to));
    }
}

impl Losses {
    fn add(&mut self, loss: PlannedLoss) {
        self.planned.push((loss, 0));
    }

    /// The injection that takes this frame of `sender` from `node`, if any.
    fn take(&mut self, node: NodeId, sender: Option<NodeId>, id: Id) -> Option<u32> {
        let mut taker = None;
        for (loss, seen) in &mut self.planned {
            let meant = if loss.sent { Some(loss.node) == sender } else { loss.node == node };
            if meant && loss.id.is_none_or(|own| own == id) {
                *seen = seen.saturating_add(1);
                let due = *seen >= loss.nth && u64::from(*seen) < u64::from(loss.nth.max(1)) + u64::from(loss.times);
                let drawn =
                    loss.rate.as_mut().is_none_or(|(rate, stream)| stream.random_range(0..1_000_000_000) < *rate);
                taker = taker.or((due && drawn).then_some(loss.injection));
            }
        }
        taker
    }
}

/// The bit time of `bitrate` in nanoseconds, if that is a whole number.
#[must_use]
pub fn bit_time(bitrate: u32) -> Option<Span> {
    let whole = bitrate > 0 && bitrate <= 1_000_000 && 1_000_000_000 % bitrate == 0;
    whole.then(|| Span::from_nanos(1_000_000_000 / u64::from(bitrate)))
}

/// Installs the bus at `bitrate` bits per second; before [`attach`].
///
/// # Panics
/// If the bit time is not a whole number of nanoseconds or the rate above 1 Mbit/s: the scenario loader refuses that
/// with [`bit_time`].
pub fn install(builder: &mut TwinBuilder, bitrate: u32) {
    let bit_time = bit_time(bitrate).unwrap_or_else(|| panic!("no bit time for {bitrate} bit/s"));
    builder.state_resource(Bus::new(bit_time.as_nanos()));
    builder.state::<Controller>();
    let mut access = Access::new(&mut builder.world);
    builder.on(Event::BUS, move |world, ctx, event| {
        if let Event::Bus(event) = event {
            let (mut bus, mut controllers) = access.get_mut(world).expect("the bus is installed");
            handle(&mut bus, &mut controllers, ctx, event);
        }
    });
}

type Controllers<'w, 's> = Query<'w, 's, &'static mut Controller>;

/// Line and controllers at once: a look-up in the world for each of a frame's stations would cost more than the frame.
type Access = SystemState<(ResMut<'static, Bus>, Controllers<'static, 'static>)>;

/// Gives a node its controller; after [`install`] and after the node was added to [`Nodes`].
///
/// # Panics
/// If the twin has no such node.
pub fn attach(builder: &mut TwinBuilder, node: NodeId, options: &ControllerOptions) {
    let entity = builder.world.resource::<Nodes>().entity(node);
    builder.world.entity_mut(entity).insert(Controller::new(options));
    let mut bus = builder.world.resource_mut::<Bus>();
    bus.attach(node, entity, options.recovery, options.powered);
    bus.acceptance.set(node, &options.filters);
}

fn handle(bus: &mut Bus, controllers: &mut Controllers<'_, '_>, ctx: &mut Context<'_>, event: BusEvent) {
    match event {
        BusEvent::Advance { segment, epoch } => {
            let s = usize::from(segment);
            if let Some(outcome) = bus.advance(ctx, s, epoch) {
                hand_over(bus, controllers, ctx, s, &outcome);
            }
        }
        BusEvent::Settle(node) => bus.settle_node(ctx, node),
        BusEvent::Off => {
            let medium = Medium { unplugged: ALL_NODES, ..bus.medium() };
            bus.rewire(ctx, medium);
        }
        BusEvent::Babble(node) => {
            let mut controller = controllers.get_mut(bus.entity(node)).expect("an attached node has a controller");
            controller.babble_again(ctx.now);
            bus.offer(ctx, node, controller.best());
        }
    }
}

/// Carries what the line brought to the controllers, and their next offers to the line.
fn hand_over(bus: &mut Bus, controllers: &mut Controllers<'_, '_>, ctx: &mut Context<'_>, s: usize, outcome: &Outcome) {
    bus.note_receivers(s, outcome);
    if let Some(frame) = outcome.frame {
        let sender = nodes_of(outcome.sent).next();
        for node in nodes_of(outcome.accepted) {
            receive(bus, controllers, ctx, node, sender, frame);
        }
    }
    for node in nodes_of(outcome.sent | outcome.failed) {
        close(bus, controllers, ctx, node, outcome.sent & node.bit() != 0);
    }
    if outcome.free {
        bus.arbitrate(ctx, s);
    }
}

/// The attempt of `node` is over.
fn close(bus: &mut Bus, controllers: &mut Controllers<'_, '_>, ctx: &mut Context<'_>, node: NodeId, sent: bool) {
    let (entity, Some(sending)) = (bus.entity(node), bus.links[node.index()].sending) else { return };
    let mut controller = controllers.get_mut(entity).expect("an attached node has a controller");
    if sent {
        if let Some(gap) = controller.confirm(sending.slot, ctx.now) {
            ctx.agenda.after(gap, Event::Bus(BusEvent::Babble(node)));
        }
        if controller.has_news() {
            call_attention(&mut controller, ctx, node, Span::ZERO);
        }
    } else {
        controller.failed(sending.slot);
    }
    bus.set_offer(node, controller.best());
}

fn receive(
    bus: &mut Bus,
    controllers: &mut Controllers<'_, '_>,
    ctx: &mut Context<'_>,
    node: NodeId,
    sender: Option<NodeId>,
    frame: Frame,
) {
    if let Some(injection) = bus.losses.take(node, sender, frame.id()) {
        ctx.record(Record::Bus(BusRecord::Lost { injection, node, id: frame.id() }));
        return;
    }
    let mut controller = controllers.get_mut(bus.entity(node)).expect("an attached node has a controller");
    if controller.receive(frame) {
        let latency = controller.latency;
        call_attention(&mut controller, ctx, node, latency);
    } else {
        ctx.record(Record::Bus(BusRecord::Overrun { node, id: frame.id() }));
    }
}

/// Lets the CPU attend after `latency`, once for all that happens until then.
///
/// A confirmation is attended at once: the transmit interrupt stamps it, and timers run from the end of the frame. The
/// reaction latency lies between the end of a frame and the answer to it.
fn call_attention(controller: &mut Controller, ctx: &mut Context<'_>, node: NodeId, latency: Span) {
    let at = ctx.now + latency;
    if controller.listening && (controller.attends_at <= ctx.now || at < controller.attends_at) {
        controller.attends_at = at;
        ctx.agenda.at(at, Event::Cpu(CpuEvent::Attend(node)));
    }
}

fn controller_mut(world: &mut World, node: NodeId) -> bevy_ecs::world::Mut<'_, Controller> {
    let entity = world.resource::<Bus>().entity(node);
    world.get_mut::<Controller>(entity).expect("an attached node has a controller")
}

/// Shows the line what the controller offers now.
fn offer(world: &mut World, ctx: &mut Context<'_>, node: NodeId) {
    let best = controller_mut(world, node).best();
    world.resource_mut::<Bus>().offer(ctx, node, best);
}

/// What a board does with its own controller while it holds both; see the functions of the same names for the rest.
impl Bus {
    fn offer(&mut self, ctx: &mut Context<'_>, node: NodeId, best: Option<Offer>) {
        self.set_offer(node, best);
        let segment = self.segment_index(node);
        self.reconsider(ctx, segment);
    }

    /// [`request`] with the controller at hand.
    ///
    /// # Errors
    /// [`MailboxesFull`] if no mailbox is free.
    pub(crate) fn request(
        &mut self,
        ctx: &mut Context<'_>,
        node: NodeId,
        controller: &mut Controller,
        frame: Frame,
    ) -> Result<(), MailboxesFull> {
        controller.put(frame, ctx.now)?;
        self.offer(ctx, node, controller.best());
        Ok(())
    }

    /// [`abort`] with the controller at hand.
    pub(crate) fn abort(
        &mut self,
        ctx: &mut Context<'_>,
        node: NodeId,
        controller: &mut Controller,
        id: Id,
    ) -> Aborted {
        let outcome = controller.abort(id, self.slot_on_line(node, ctx.now));
        self.offer(ctx, node, controller.best());
        outcome
    }

    /// [`set_powered`] off with the controller at hand, as a CPU does that restarts.
    pub(crate) fn switch_off(&mut self, ctx: &mut Context<'_>, node: NodeId, controller: &mut Controller) {
        if self.state(node) != LinkState::Off {
            controller.forget();
            self.leave(ctx, node, LinkState::Off);
        }
    }
}

/// Puts `frame` into a free mailbox of `node`.
///
/// # Errors
/// [`MailboxesFull`] if there is none; the frame is not queued then.
pub fn request(world: &mut World, ctx: &mut Context<'_>, node: NodeId, frame: Frame) -> Result<(), MailboxesFull> {
    let queued = ctx.now;
    request_queued(world, ctx, node, frame, queued)
}

/// [`request`] for a frame that has waited in a queue of the software since `queued`: its response time counts from there.
///
/// # Errors
/// [`MailboxesFull`] if no mailbox is free.
pub fn request_queued(
    world: &mut World,
    ctx: &mut Context<'_>,
    node: NodeId,
    frame: Frame,
    queued: SimTime,
) -> Result<(), MailboxesFull> {
    controller_mut(world, node).put(frame, queued)?;
    offer(world, ctx, node);
    Ok(())
}

/// Whether a mailbox of `node` holds a frame with `id`.
#[must_use]
pub fn waits_to_send(world: &World, node: NodeId, id: Id) -> bool {
    controller(world, node).waits_to_send(id)
}

/// How many mailboxes of `node` are free, 0 to 3.
#[must_use]
pub fn mailboxes_free(world: &World, node: NodeId) -> u8 {
    controller(world, node).mailboxes_free()
}

/// The controller of `node`.
///
/// # Panics
/// If the node has none.
#[must_use]
pub fn controller(world: &World, node: NodeId) -> &Controller {
    let entity = world.resource::<Bus>().entity(node);
    world.get::<Controller>(entity).expect("an attached node has a controller")
}

/// Empties the mailboxes of `node` that hold `id`. A frame that is on the line is finished first.
pub fn abort(world: &mut World, ctx: &mut Context<'_>, node: NodeId, id: Id) -> Aborted {
    let on_line = world.resource::<Bus>().slot_on_line(node, ctx.now);
    let outcome = controller_mut(world, node).abort(id, on_line);
    offer(world, ctx, node);
    outcome
}

/// Takes the oldest frame out of the receive FIFO.
pub fn take_received(world: &mut World, node: NodeId) -> Option<Frame> {
    controller_mut(world, node).take_received()
}

/// Takes the oldest confirmation: the id of a frame that was sent.
pub fn take_sent(world: &mut World, node: NodeId) -> Option<Id> {
    controller_mut(world, node).take_sent()
}

/// Replaces the acceptance filter of `node`, as a bootloader does that hands over to an application.
///
/// # Panics
/// With more than [`FILTERS`] entries: a defect of the firmware's configuration.
pub fn set_filters(world: &mut World, node: NodeId, filters: &[Filter]) {
    let filters: FixedVec<Filter, FILTERS> = FixedVec::from_slice(filters).expect("the filter banks suffice");
    world.resource_mut::<Bus>().acceptance.set(node, &filters);
    controller_mut(world, node).filters = filters;
}

/// Switches the controller's power. Off: it leaves the bus at once, a frame it is sending breaks off, and mailboxes,
/// FIFO, confirmations and counters are lost. On: it joins after 11 recessive bits. A reset is off and on.
pub fn set_powered(world: &mut World, ctx: &mut Context<'_>, node: NodeId, powered: bool) {
    let is_off = world.resource::<Bus>().state(node) == LinkState::Off;
    match (powered, is_off) {
        (true, true) => world.resource_mut::<Bus>().enter(ctx, node),
        (false, false) => {
            controller_mut(world, node).forget();
            world.resource_mut::<Bus>().leave(ctx, node, LinkState::Off);
        }
        _ => {}
    }
}

/// Stops the controller's clock or lets it run again: it falls silent but keeps mailboxes, FIFO and counters.
/// Without effect on a node without power.
pub fn set_stopped(world: &mut World, ctx: &mut Context<'_>, node: NodeId, stopped: bool) {
    let mut bus = world.resource_mut::<Bus>();
    match (stopped, bus.state(node)) {
        (_, LinkState::Off) | (true, LinkState::Stopped) => {}
        (true, _) => bus.leave(ctx, node, LinkState::Stopped),
        (false, LinkState::Stopped) => bus.enter(ctx, node),
        (false, _) => {}
    }
}

/// Whether the CPU of `node` serves its controller. While it does not (a stalled CPU), nothing can be taken and the
/// FIFO fills up; when it does again, it attends after its latency if there is anything.
pub fn set_listening(world: &mut World, ctx: &mut Context<'_>, node: NodeId, listening: bool) {
    let mut controller = controller_mut(world, node);
    controller.listening = listening;
    if controller.has_news() {
        let latency = controller.latency;
        call_attention(&mut controller, ctx, node, latency);
    }
}

/// Sets the time from the end of a frame to the CPU's attention.
pub fn set_latency(world: &mut World, node: NodeId, latency: Span) {
    controller_mut(world, node).latency = latency;
}

/// Starts the way out of bus-off for a controller that waits for its software; otherwise without effect.
pub fn recover(world: &mut World, ctx: &mut Context<'_>, node: NodeId) {
    world.resource_mut::<Bus>().recover(ctx, node);
}

/// For the fault domain: changes wiring and held lines. See [`Medium`].
pub fn change_medium(world: &mut World, ctx: &mut Context<'_>, change: impl FnOnce(&mut Medium)) {
    let mut bus = world.resource_mut::<Bus>();
    let mut medium = bus.medium();
    change(&mut medium);
    bus.rewire(ctx, medium);
}

/// For the fault domain: the node sends the frame again and again from a mailbox of its own, each one requested the
/// given time after the end of the one before, until `None` or power-off.
pub fn set_babbling(world: &mut World, ctx: &mut Context<'_>, node: NodeId, frame: Option<(Frame, Span)>) {
    controller_mut(world, node).set_babble(frame, ctx.now);
    offer(world, ctx, node);
}

/// For the fault domain: adds a source of random bit errors.
pub fn add_random_hits(world: &mut World, ctx: &mut Context<'_>, hits: &RandomHits) {
    world.resource_mut::<Bus>().change_noise(ctx, |noise| noise.add_random(hits.clone()));
}

/// For the fault domain: adds a planned hit.
pub fn add_planned_hit(world: &mut World, ctx: &mut Context<'_>, hit: PlannedHit) {
    world.resource_mut::<Bus>().change_noise(ctx, |noise| noise.add_planned(hit));
}

/// For the fault domain: adds a planned loss above the link layer.
pub fn add_planned_loss(world: &mut World, loss: PlannedLoss) {
    world.resource_mut::<Bus>().losses.add(loss);
}

/// For the fault domain: ends the random hits, planned hits and planned losses of `injection`.
pub fn end_injection(world: &mut World, ctx: &mut Context<'_>, injection: u32) {
    let mut bus = world.resource_mut::<Bus>();
    bus.change_noise(ctx, |noise| noise.remove(injection));
    bus.losses.planned.retain(|(loss, _)| loss.injection != injection);
}
