//! A twin that is nothing but a bus: nodes and their controllers.

use std::sync::{Arc, Mutex};

use embedded_can::{Id, StandardId};
use protocol::frame::Frame;

use crate::bus::{self, Bus, BusRecord, ControllerOptions, Counters, Filter, LinkState, PlannedHit, Recovery};
use crate::event::{Context, Event, Twin, TwinBuilder};
use crate::faults::FaultEvent;
use crate::hosts::CpuEvent;
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use bevy_ecs::prelude::{Resource, World};

/// What a CPU that empties its controller found, when and where.
pub(super) type Taken = Vec<(SimTime, NodeId, Frame)>;
type Action = Box<dyn FnOnce(&mut World, &mut Context<'_>) + Send>;

#[derive(Resource, Clone, Default)]
struct Heard {
    taken: Taken,
    confirmed: Vec<(SimTime, NodeId, Id)>,
    /// Nodes whose CPU leaves the FIFO alone.
    idle_cpus: u32,
}

/// The twin, the records it wrote, and the actions still to come.
pub(super) struct Bench {
    pub(super) twin: Twin,
    records: Arc<Mutex<Vec<(SimTime, BusRecord)>>>,
    keeps_records: Arc<std::sync::atomic::AtomicBool>,
    actions: Arc<Mutex<Vec<(SimTime, Action)>>>,
    bit_ns: u64,
}

/// A frame with an 11-bit id.
pub(super) fn frame(id: u16, data: &[u8]) -> Frame {
    Frame::data_frame(StandardId::new(id).unwrap(), data).unwrap()
}

/// An 11-bit id.
pub(super) fn id(raw: u16) -> Id {
    Id::Standard(StandardId::new(raw).unwrap())
}

/// Options that accept every 11-bit id.
pub(super) fn accept_all() -> ControllerOptions {
    let mut options = ControllerOptions::default();
    options.filters.push(Filter { id: id(0), mask: 0 }).unwrap();
    options
}

fn empty(world: &mut World, now: SimTime, node: NodeId) {
    if world.resource::<Heard>().idle_cpus & node.bit() != 0 {
        return;
    }
    while let Some(frame) = bus::take_received(world, node) {
        world.resource_mut::<Heard>().taken.push((now, node, frame));
    }
    while let Some(id) = bus::take_sent(world, node) {
        world.resource_mut::<Heard>().confirmed.push((now, node, id));
    }
}

impl Bench {
    /// Nodes 0 to `nodes - 1`, all accepting everything.
    pub(super) fn new(nodes: u8, bitrate: u32) -> Self {
        Self::with(nodes, bitrate, &accept_all())
    }

    /// Nodes 0 to `nodes - 1` with the same options.
    pub(super) fn with(nodes: u8, bitrate: u32, options: &ControllerOptions) -> Self {
        let mut builder = TwinBuilder::default();
        let mut known = Nodes::default();
        for number in 0..nodes {
            known.add(NodeId::new(number), builder.world.spawn_empty().id());
        }
        builder.resource(known);
        builder.resource(Heard::default());
        bus::install(&mut builder, bitrate);
        for number in 0..nodes {
            bus::attach(&mut builder, NodeId::new(number), options);
        }
        let records: Arc<Mutex<Vec<(SimTime, BusRecord)>>> = Arc::default();
        let actions: Arc<Mutex<Vec<(SimTime, Action)>>> = Arc::default();
        let keeps_records = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let keeps = Arc::clone(&keeps_records);
        let (seen, due) = (Arc::clone(&records), Arc::clone(&actions));
        builder.observe(move |_, _, time, record| {
            if let (Record::Bus(record), true) = (record, keeps.load(std::sync::atomic::Ordering::Relaxed)) {
                seen.lock().unwrap().push((time, record.clone()));
            }
        });
        builder.on(Event::CPU, |world, ctx, event| {
            if let Event::Cpu(CpuEvent::Attend(node)) = event {
                empty(world, ctx.now, node);
            }
        });
        builder.on(Event::FAULT, move |world, ctx, _| {
            let mut waiting = due.lock().unwrap();
            let now: Vec<Action> = waiting.extract_if(.., |(time, _)| *time <= ctx.now).map(|(_, act)| act).collect();
            drop(waiting);
            now.into_iter().for_each(|act| act(world, ctx));
        });
        let bit_ns = builder.world.resource::<Bus>().bit_time().as_nanos();
        Self { twin: builder.build(), records, keeps_records, actions, bit_ns }
    }

    /// Keeps no records from now on.
    pub(super) fn forget_records(&mut self) {
        self.keeps_records.store(false, std::sync::atomic::Ordering::Relaxed);
    }

    /// Instant `bits` bit times into the run.
    pub(super) fn bits(&self, bits: u64) -> SimTime {
        SimTime::ZERO + Span::from_nanos(self.bit_ns).times(bits)
    }

    /// Does `action` at bit `bits`, before the bus moves at that instant.
    pub(super) fn at(&mut self, bits: u64, action: impl FnOnce(&mut World, &mut Context<'_>) + Send + 'static) {
        let time = self.bits(bits);
        self.actions.lock().unwrap().push((time, Box::new(action)));
        self.twin.agenda.at(time, Event::Fault(FaultEvent::Begin { injection: 0 }));
    }

    /// Requests `frame` at bit `bits`.
    pub(super) fn request(&mut self, bits: u64, node: u8, frame: Frame) {
        self.at(bits, move |world, ctx| bus::request(world, ctx, NodeId::new(node), frame).unwrap());
    }

    /// Hits bit `bit` of attempts `nth` to `nth + times - 1`, whatever their id.
    pub(super) fn hit(&mut self, nth: u32, times: u32, bit: u32, victims: u32) {
        let hit = PlannedHit { injection: 7, key: None, nth, times, bit, victims };
        self.at(0, move |world, ctx| bus::add_planned_hit(world, ctx, hit));
    }

    /// Lets the CPUs of these nodes leave their FIFO alone.
    pub(super) fn idle_cpus(&mut self, nodes: u32) {
        self.twin.world.resource_mut::<Heard>().idle_cpus = nodes;
    }

    /// Runs up to bit `bits`.
    pub(super) fn run(&mut self, bits: u64) {
        let end = self.bits(bits);
        self.twin.run_until(end);
    }

    /// All records so far.
    pub(super) fn records(&self) -> Vec<(SimTime, BusRecord)> {
        self.records.lock().unwrap().clone()
    }

    /// Start of each good frame in bits, and its id.
    pub(super) fn frames(&self) -> Vec<(u64, u16)> {
        let records = self.records();
        let frames = records.iter().filter_map(|(_, record)| match record {
            BusRecord::Frame { start, frame, .. } => {
                Some((start.as_nanos() / self.bit_ns, protocol::frame::raw_id(frame.id()) as u16))
            }
            _ => None,
        });
        frames.collect()
    }

    /// Each error frame: start in bits, error bit, kind, mask of who saw it.
    pub(super) fn errors(&self) -> Vec<(u64, u32, bus::ErrorKind, u32)> {
        let records = self.records();
        let errors = records.iter().filter_map(|(_, record)| match record {
            BusRecord::Error { start, bit, kind, seen, .. } => {
                Some((start.as_nanos() / self.bit_ns, *bit, *kind, *seen))
            }
            _ => None,
        });
        errors.collect()
    }

    /// Each change of state of `node`: when in bits, to what.
    pub(super) fn states(&self, node: u8) -> Vec<(u64, LinkState)> {
        let records = self.records();
        let states = records.iter().filter_map(|(time, record)| match record {
            BusRecord::State { node: who, state, .. } if *who == NodeId::new(node) => {
                Some((time.as_nanos() / self.bit_ns, *state))
            }
            _ => None,
        });
        states.collect()
    }

    /// TEC and REC of `node`.
    pub(super) fn counters(&self, node: u8) -> (u16, u16) {
        let Counters { tec, rec } = self.twin.world.resource::<Bus>().counters(NodeId::new(node));
        (tec, rec)
    }

    /// The present state of `node`.
    pub(super) fn state(&self, node: u8) -> LinkState {
        self.twin.world.resource::<Bus>().state(NodeId::new(node))
    }

    /// What the CPUs took.
    pub(super) fn taken(&self) -> Taken {
        self.twin.world.resource::<Heard>().taken.clone()
    }

    /// Ids that `node` took.
    pub(super) fn taken_by(&self, node: u8) -> Vec<u16> {
        let taken = self.taken();
        let own = taken.iter().filter(|(_, who, _)| *who == NodeId::new(node));
        own.map(|(_, _, frame)| protocol::frame::raw_id(frame.id()) as u16).collect()
    }

    /// The confirmations that `node` took.
    pub(super) fn confirmed(&self, node: u8) -> Vec<Id> {
        let confirmed = &self.twin.world.resource::<Heard>().confirmed;
        confirmed.iter().filter(|(_, who, _)| *who == NodeId::new(node)).map(|(_, _, id)| *id).collect()
    }
}

/// Options with bus-off recovery only on request.
pub(super) fn on_request() -> ControllerOptions {
    ControllerOptions { recovery: Recovery::OnRequest, ..accept_all() }
}
