//! Traffic beside the system's own: periodic messages, or a recorded log.
//!
//! A message is requested at offset + k * period + jitter(k). A node that already waits to send the same message
//! replaces it, as a device driver with one buffer per message does; the replaced one is counted.
//!
//! The frames of a log are requested at their recorded times and leave in their order, as from a socket's queue: none is
//! replaced, and one does not overtake another of the same id.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bevy_ecs::prelude::{Resource, World};
use heapless::Vec as FixedVec;
use protocol::Frame;
use rand::{Rng as _, RngExt as _};

use super::CpuEvent;
use crate::bus;
use crate::event::{Context, Event, TwinBuilder};
use crate::kernel::{SimTime, Span, Stream, hash_stream, stream};
use crate::node::NodeId;
use crate::scenario::words::NodeName;
use crate::scenario::{LOG_NODE, Scenario, Traffic};

/// Messages that wait at one node for a mailbox.
const WAITING_MOST: usize = 32;

#[derive(Clone)]
struct Message {
    spec: Arc<Traffic>,
    node: NodeId,
    random: Stream,
    requested: u64,
    /// Requests that found the same message still waiting.
    replaced: u64,
}

impl Hash for Message {
    /// What the scenario says does not change, and how many were requested is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { spec: _, node, random, requested: _, replaced: _ } = self;
        node.hash(to);
        hash_stream(random, to);
    }
}

/// Requests of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Who sends it.
    pub node: NodeId,
    /// How many there were.
    pub requested: u64,
    /// How many were replaced by the next one while they waited.
    pub replaced: u64,
    /// Since when one waits for a mailbox.
    pub waits_since: Option<SimTime>,
}

/// A log that is played.
#[derive(Clone)]
struct Replay {
    node: NodeId,
    frames: Arc<[(Span, Frame)]>,
    /// The next frame to request.
    next: usize,
    /// Frames whose time has come, with it.
    waiting: VecDeque<(Frame, SimTime)>,
}

impl Hash for Replay {
    /// The log itself does not change.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { node, frames: _, next, waiting } = self;
        (node, next, waiting).hash(to);
    }
}

/// All traffic of a run, and what waits for a mailbox at each node.
#[derive(Resource, Clone, Default, Hash)]
pub struct TrafficList {
    replay: Option<Replay>,
    messages: Vec<Message>,
    waiting: Vec<(NodeId, FixedVec<(Frame, SimTime), WAITING_MOST>)>,
}

impl TrafficList {
    /// The periodic messages: name and id of each.
    pub fn messages(&self) -> impl Iterator<Item = (&str, embedded_can::Id)> {
        self.messages.iter().map(|message| (message.spec.name.as_str(), message.spec.id.id()))
    }

    /// Who plays the log, and of each of its frames whose time has come the id and that time; none without a log.
    #[must_use]
    pub fn log_requests(&self) -> Option<(NodeId, impl Iterator<Item = (embedded_can::Id, SimTime)>)> {
        let replay = self.replay.as_ref()?;
        let frames = replay.frames[..replay.next].iter();
        Some((replay.node, frames.map(|(at, frame)| (frame.id(), SimTime::ZERO + *at))))
    }

    /// The id of the message of this name.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<embedded_can::Id> {
        self.messages.iter().find(|message| message.spec.name == name).map(|message| message.spec.id.id())
    }

    /// What became of the requests of the message of this name, as far as they came to no mailbox.
    #[must_use]
    pub fn requests_of(&self, name: &str) -> Option<Requests> {
        let message = self.messages.iter().find(|message| message.spec.name == name)?;
        let waiting = self.waiting.iter().filter(|(node, _)| *node == message.node).flat_map(|(_, waiting)| waiting);
        let waits_since =
            waiting.filter(|(frame, _)| frame.id() == message.spec.id.id()).map(|(_, since)| *since).min();
        let Message { node, requested, replaced, .. } = *message;
        Some(Requests { node, requested, replaced, waits_since })
    }
}

/// Schedules the scenario's traffic.
pub fn install(builder: &mut TwinBuilder, scenario: &Scenario) {
    let mut list = TrafficList::default();
    for (index, spec) in scenario.traffic.messages().iter().enumerate() {
        let node = scenario.node_id(&spec.node).expect("the loader refuses unknown nodes");
        let mut random = stream(scenario.seed, &format!("traffic {}", spec.name));
        let jitter = draw_jitter(&mut random, spec.jitter);
        let index = u16::try_from(index).expect("a scenario has fewer messages");
        builder.agenda.at(SimTime::ZERO + spec.offset + jitter, Event::Cpu(CpuEvent::Traffic(index)));
        list.messages.push(Message { spec: Arc::new(spec.clone()), node, random, requested: 0, replaced: 0 });
        if !list.waiting.iter().any(|(known, _)| *known == node) {
            list.waiting.push((node, FixedVec::new()));
        }
    }
    if let Some(log) = scenario.traffic.log() {
        let node = scenario.node_id(&NodeName::Further(LOG_NODE.to_owned())).expect("the loader makes room for it");
        list.replay = Some(Replay { node, frames: Arc::clone(&log.frames), next: 0, waiting: VecDeque::new() });
        builder.agenda.at(SimTime::ZERO, Event::Cpu(CpuEvent::Replay));
    }
    builder.state_resource(list);
}

/// The next frame of the log is due: requests it, schedules the one after.
pub(super) fn replay(world: &mut World, context: &mut Context<'_>) {
    let mut list = world.resource_mut::<TrafficList>();
    let Some(replay) = &mut list.replay else { return };
    if let Some((_, frame)) = replay.frames.get(replay.next) {
        replay.waiting.push_back((*frame, context.now));
        replay.next += 1;
    }
    if let Some((at, _)) = replay.frames.get(replay.next) {
        context.agenda.at(SimTime::ZERO + *at, Event::Cpu(CpuEvent::Replay));
    }
    let node = replay.node;
    send_recorded(world, context, node);
}

/// Fills free mailboxes with the frames of the log whose time has come.
fn send_recorded(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    loop {
        let list = world.resource::<TrafficList>();
        let first = list.replay.as_ref().filter(|replay| replay.node == node).and_then(|replay| replay.waiting.front());
        let Some((frame, queued)) = first.copied() else { return };
        let blocked = bus::mailboxes_free(world, node) == 0 || bus::waits_to_send(world, node, frame.id());
        if blocked || bus::request_queued(world, context, node, frame, queued).is_err() {
            return;
        }
        if let Some(replay) = &mut world.resource_mut::<TrafficList>().replay {
            replay.waiting.pop_front();
        }
    }
}

fn draw_jitter(random: &mut Stream, most: Span) -> Span {
    if most == Span::ZERO {
        return Span::ZERO;
    }
    Span::from_nanos(random.random_range(0..=most.as_nanos()))
}

/// A message is due: requests it and schedules the next.
pub(super) fn request(world: &mut World, context: &mut Context<'_>, index: usize) {
    let mut list = world.resource_mut::<TrafficList>();
    let Some(message) = list.messages.get_mut(index) else { return };
    message.requested += 1;
    let base = SimTime::ZERO + message.spec.offset + message.spec.period.times(message.requested);
    let jitter = draw_jitter(&mut message.random, message.spec.jitter);
    let event = CpuEvent::Traffic(u16::try_from(index).unwrap_or(u16::MAX));
    context.agenda.at(base + jitter, Event::Cpu(event));
    let frame = message.frame();
    let node = message.node;
    if bus::waits_to_send(world, node, frame.id()) || bus::request(world, context, node, frame).is_err() {
        let now = context.now;
        queue(world, node, index, (frame, now));
    }
}

impl Message {
    fn frame(&mut self) -> Frame {
        let mut bytes = [0; 8];
        let data = match &self.spec.payload {
            Some(payload) => payload.bytes(),
            None => {
                self.random.fill_bytes(&mut bytes);
                &bytes[..self.spec.data_len().min(8)]
            }
        };
        Frame::data_frame(self.spec.id.id(), data).expect("the loader refuses more than 8 bytes")
    }
}

/// Keeps the message until a mailbox is free; a message of the same id that waits is replaced.
fn queue(world: &mut World, node: NodeId, index: usize, entry: (Frame, SimTime)) {
    let mut list = world.resource_mut::<TrafficList>();
    let TrafficList { messages, waiting, .. } = &mut *list;
    let Some((_, waiting)) = waiting.iter_mut().find(|(known, _)| *known == node) else { return };
    let replaced = match waiting.iter_mut().find(|old| old.0.id() == entry.0.id()) {
        Some(old) => {
            *old = entry;
            true
        }
        None => waiting.push(entry).is_err(),
    };
    if replaced {
        messages[index].replaced += 1;
    }
}

/// A mailbox of a node without a CPU became free: sends what waits, the lowest id first. A message of which one is in a
/// mailbox waits on, or the least urgent one would fill them all.
pub(super) fn attend(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    while bus::take_sent(world, node).is_some() {}
    while bus::take_received(world, node).is_some() {}
    send_recorded(world, context, node);
    while bus::mailboxes_free(world, node) > 0 {
        let list = world.resource::<TrafficList>();
        let Some((_, waiting)) = list.waiting.iter().find(|(known, _)| *known == node) else { return };
        let ready = (0..waiting.len()).filter(|index| !bus::waits_to_send(world, node, waiting[*index].0.id()));
        let Some(next) = ready.min_by_key(|index| bus::wire::arbitration_key(waiting[*index].0.id())) else { return };
        let mut list = world.resource_mut::<TrafficList>();
        let Some((_, waiting)) = list.waiting.iter_mut().find(|(known, _)| *known == node) else { return };
        let (frame, queued) = waiting.remove(next);
        if bus::request_queued(world, context, node, frame, queued).is_err() {
            return;
        }
    }
}
