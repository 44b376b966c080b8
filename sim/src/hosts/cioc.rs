//! The CIOC board: runs the orchestrator firmware; package store, FRAM, and the person in front of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bevy_ecs::prelude::{Component, Query, Res, ResMut, World};
use bevy_ecs::system::SystemState;
use embedded_can::Id;
use orchestrator::{Config, Inputs, NonVolatile, Orchestrator, Outputs, Package, PackageState, UserAction};
use protocol::Frame;
use units::{DeciCelsius, Millivolts};

use super::cpu::{Availability, Cpu};
use super::image::Image;
use super::{CpuEvent, Defect, OrchestratorRecord};
use crate::bus::{Bus, Controller};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::plant::Plant;
use crate::power::{Branch, Supply};

/// Bytes of the FRAM.
pub const FRAM_LEN: usize = 8 * 1024;
const SAMPLE_PERIOD: Span = Span::from_millis(1);
const STEPS_MOST: u32 = 64;

/// The pump firmware package in the CIOC's file store.
#[derive(Clone, Debug)]
pub enum Store {
    /// The CIOC package holds no pump firmware.
    NoPumpFirmware,
    /// It names an image that is not there.
    Missing,
    /// It holds this image.
    Present(Image),
}

impl Hash for Store {
    /// What it holds does not change while a run goes on.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let length = match self {
            Self::NoPumpFirmware | Self::Missing => None,
            Self::Present(image) => Some(image.len()),
        };
        (std::mem::discriminant(self), length).hash(to);
    }
}

/// The FRAM: written byte by byte; a planned tear stops a write after some bytes, as power failure does.
#[derive(Clone)]
pub struct Fram {
    bytes: Arc<[u8; FRAM_LEN]>,
    /// Writes so far.
    pub writes: u64,
    /// After how many more bytes power fails inside a write, if so planned.
    pub tear_after: Option<u64>,
    /// The write in which it failed: its offset, the bytes that it left, and those that it should have.
    pub torn: Option<(u16, u16, u16)>,
}

impl Fram {
    /// FRAM as delivered: all zero.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Arc::new([0; FRAM_LEN]), writes: 0, tear_after: None, torn: None }
    }
}

impl Hash for Fram {
    /// How often it was written is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { bytes, writes: _, tear_after, torn } = self;
        (bytes, tear_after, torn).hash(to);
    }
}

impl Default for Fram {
    fn default() -> Self {
        Self::new()
    }
}

impl NonVolatile for Fram {
    fn read(&self, offset: u16, into: &mut [u8]) {
        let start = usize::from(offset);
        match self.bytes.get(start..start + into.len()) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => into.fill(0),
        }
    }

    fn write(&mut self, offset: u16, bytes: &[u8]) {
        self.writes += 1;
        let start = usize::from(offset);
        let Some(cells) = Arc::make_mut(&mut self.bytes).get_mut(start..start + bytes.len()) else { return };
        for (kept, (cell, byte)) in cells.iter_mut().zip(bytes).enumerate() {
            match &mut self.tear_after {
                Some(0) => {
                    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
                    self.torn.get_or_insert((offset, short(kept), short(bytes.len())));
                    return;
                }
                Some(left) => *left -= 1,
                None => {}
            }
            *cell = *byte;
        }
    }
}

/// The firmware of the CIOC and what its board keeps for it.
#[derive(Component, Clone, Hash)]
pub struct CiocHost {
    /// What the factory configured.
    pub config: Config,
    /// The file store.
    pub store: Store,
    /// The FRAM.
    pub fram: Fram,
    firmware: Option<Orchestrator>,
    sampled_at: SimTime,
    supply: Millivolts,
    feed: Millivolts,
    coolant: DeciCelsius,
    /// Whether its own firmware is being updated.
    pub updating: bool,
}

impl CiocHost {
    /// A board without supply.
    #[must_use]
    pub fn new(config: Config, store: Store) -> Self {
        Self {
            config,
            store,
            fram: Fram::new(),
            firmware: None,
            sampled_at: SimTime::NEVER,
            supply: Millivolts::new(0),
            feed: Millivolts::new(0),
            coolant: DeciCelsius::new(0),
            updating: false,
        }
    }

    /// The running firmware, to look at.
    #[must_use]
    pub fn firmware(&self) -> Option<&Orchestrator> {
        self.firmware.as_ref()
    }
}

struct StoreReader<'a> {
    store: &'a Store,
    bytes: std::cell::Cell<u64>,
}

impl Package for StoreReader<'_> {
    fn state(&self) -> PackageState {
        match self.store {
            Store::NoPumpFirmware => PackageState::NoPumpFirmware,
            Store::Missing => PackageState::Missing,
            Store::Present(image) => PackageState::Present { length: u32::try_from(image.len()).unwrap_or(u32::MAX) },
        }
    }

    fn read(&self, offset: u32, into: &mut [u8]) -> bool {
        let Store::Present(image) = self.store else { return false };
        let Ok(start) = usize::try_from(offset) else { return false };
        let Some(bytes) = image.get(start..start + into.len()) else { return false };
        into.copy_from_slice(bytes);
        self.bytes.set(self.bytes.get() + into.len() as u64);
        true
    }
}

type Boards<'w, 's> = Query<'w, 's, (&'static mut CiocHost, &'static mut Cpu, &'static mut Controller)>;

/// Reaches the [`Board`] in one go, as [`super::pump::Access`] does.
pub(super) type Access =
    SystemState<(ResMut<'static, Bus>, Res<'static, Plant>, Res<'static, Supply>, Boards<'static, 'static>)>;

/// The CIOC's board with all that it is connected to.
pub(super) struct Board<'a> {
    host: &'a mut CiocHost,
    cpu: &'a mut Cpu,
    controller: &'a mut Controller,
    bus: &'a mut Bus,
    plant: &'a Plant,
    supply: &'a Supply,
}

/// Whether the CIOC's own firmware is being replaced, so that nothing can be started.
pub(super) fn is_updating(world: &World) -> bool {
    let entity = world.resource::<Nodes>().entity(NodeId::CIOC);
    world.get::<CiocHost>(entity).is_some_and(|host| host.updating)
}

/// Does something with the board; `None` if the twin has no CIOC.
pub(super) fn with_board<T>(
    access: &mut Access,
    world: &mut World,
    what: impl FnOnce(&mut Board<'_>) -> T,
) -> Option<T> {
    let (mut bus, plant, supply, mut boards) = access.get_mut(world).ok()?;
    let (mut host, mut cpu, mut controller) = boards.get_mut(bus.entity(NodeId::CIOC)).ok()?;
    Some(what(&mut Board {
        host: &mut host,
        cpu: &mut cpu,
        controller: &mut controller,
        bus: &mut bus,
        plant: &plant,
        supply: &supply,
    }))
}

impl Board<'_> {
    /// Supply is gone: everything but FRAM and file store is lost.
    pub(super) fn power_lost(&mut self, context: &mut Context<'_>) {
        self.host.firmware = None;
        context.record(OrchestratorRecord::Off.into());
    }

    /// The boot time has passed: starts the firmware.
    pub(super) fn start(&mut self, context: &mut Context<'_>) -> Result<(), Defect> {
        let host = &self.host;
        let booted = Defect::guard(NodeId::CIOC, || Orchestrator::boot(host.config, &host.fram));
        self.host.firmware = Some(booted?);
        self.host.sampled_at = SimTime::NEVER;
        context.record(OrchestratorRecord::Started.into());
        self.run(context, None)
    }

    /// The controller has news: runs the firmware if its CPU is free, or sees to it that it runs as soon as it is.
    pub(super) fn attend(&mut self, context: &mut Context<'_>) -> Result<(), Defect> {
        match self.cpu.availability(context.now) {
            Availability::Now => return self.run(context, None),
            Availability::From(free) => context.agenda.at(free, Event::Cpu(CpuEvent::Attend(NodeId::CIOC))),
            Availability::No => {}
        }
        Ok(())
    }

    /// The timer fires.
    pub(super) fn wake(&mut self, context: &mut Context<'_>, life: u32) -> Result<(), Defect> {
        if super::wake_is_due(self.cpu, context, NodeId::CIOC, life) { self.run(context, None) } else { Ok(()) }
    }

    /// The person at the CIOC does something; lost if no firmware runs.
    pub(super) fn user(&mut self, context: &mut Context<'_>, action: UserAction) -> Result<(), Defect> {
        context.record(OrchestratorRecord::User(action).into());
        match self.cpu.availability(context.now) {
            Availability::Now => return self.run(context, Some(action)),
            Availability::From(free) => context.agenda.at(free, Event::Cpu(CpuEvent::User(action))),
            Availability::No => {}
        }
        Ok(())
    }

    /// The CIOC's own firmware is replaced: the orchestrator stops, the bus hears nothing from it.
    pub(super) fn update_begins(&mut self, context: &mut Context<'_>) {
        self.host.updating = true;
        self.host.firmware = None;
        self.cpu.reset(context.now);
        self.bus.switch_off(context, NodeId::CIOC, self.controller);
        context.record(OrchestratorRecord::UpdateBegun.into());
    }

    /// The CIOC's own update is over: it boots.
    pub(super) fn update_ends(&mut self, context: &mut Context<'_>) {
        self.host.updating = false;
        context.record(OrchestratorRecord::UpdateEnded.into());
        self.reset(context);
    }

    /// Restarts the CPU; FRAM and file store are kept.
    pub(super) fn reset(&mut self, context: &mut Context<'_>) {
        self.host.firmware = None;
        context.record(OrchestratorRecord::Reset.into());
        self.bus.switch_off(context, NodeId::CIOC, self.controller);
        self.cpu.reset(context.now);
        let (at, life) = (context.now + self.cpu.options.boot_time, self.cpu.life);
        let cause = pump::ResetCause::Software;
        context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node: NodeId::CIOC, life, cause }));
    }

    /// Runs the firmware until it has nothing more to do at this instant.
    fn run(&mut self, context: &mut Context<'_>, action: Option<UserAction>) -> Result<(), Defect> {
        let mut action = action;
        for step in 0..STEPS_MOST {
            let received = self.controller.take_received();
            let sent = self.controller.take_sent();
            if step > 0 && received.is_none() && sent.is_none() {
                return Ok(());
            }
            let inputs = self.inputs(context.now, received, sent, action.take());
            let Some(outputs) = self.step_firmware(context, &inputs)? else { return Ok(()) };
            if let Some((offset, kept, length)) = self.host.fram.torn {
                self.tell_what_survives(context, &inputs, &outputs);
                context.record(OrchestratorRecord::WriteTorn { offset, kept, length }.into());
                return Ok(());
            }
            self.apply(context, &outputs)?;
            if self.cpu.availability(context.now) != Availability::Now {
                return Ok(());
            }
        }
        Err(Defect::new(NodeId::CIOC, "did not come to rest: 64 steps at one instant"))
    }

    fn inputs(&mut self, now: SimTime, received: Option<Frame>, sent: Option<Id>, user: Option<UserAction>) -> Inputs {
        self.sample(now);
        Inputs {
            received,
            sent: sent.and_then(|id| match id {
                Id::Standard(id) => Some(id),
                Id::Extended(_) => None,
            }),
            mailboxes_free: self.controller.mailboxes_free(),
            supply: self.host.supply,
            feed: self.host.feed,
            coolant: self.host.coolant,
            user,
        }
    }

    fn sample(&mut self, now: SimTime) {
        let host = &mut *self.host;
        if host.sampled_at <= now && now < host.sampled_at + SAMPLE_PERIOD {
            return;
        }
        let clamp = |mv: u32| Millivolts::new(u16::try_from(mv).unwrap_or(u16::MAX));
        host.sampled_at = now;
        host.supply = clamp(self.supply.node_mv(NodeId::CIOC, now));
        host.feed = clamp(self.supply.feed_mv(Branch::Pumps(0), now));
        host.coolant = self.plant.coolant_reading();
    }

    /// One step of the firmware; `None` if there is none.
    ///
    /// # Errors
    /// If it panicked.
    fn step_firmware(&mut self, context: &mut Context<'_>, inputs: &Inputs) -> Result<Option<Outputs>, Defect> {
        let now = self.cpu.clock(context.now);
        let CiocHost { firmware, store, fram, .. } = &mut *self.host;
        let reader = StoreReader { store, bytes: std::cell::Cell::new(0) };
        let Some(firmware) = firmware.as_mut() else { return Ok(None) };
        let outputs = Defect::guard(NodeId::CIOC, || firmware.step(now, inputs, &reader, fram));
        let bytes = reader.bytes.get();
        let cost = self.cpu.options.read_cost.times(bytes);
        if cost > Span::ZERO {
            self.cpu.busy_until = context.now + cost;
        }
        outputs.map(Some)
    }

    /// Supply failed inside a write of this step: the firmware never came to what follows that write. What it told up to
    /// the first log entry that the next boot will not find has happened; frames of the step were not sent.
    fn tell_what_survives(&self, context: &mut Context<'_>, inputs: &Inputs, outputs: &Outputs) {
        let host = &self.host;
        let mut found = Fram { tear_after: None, torn: None, ..host.fram.clone() };
        let mut next = Orchestrator::boot(host.config, &found);
        let reader = StoreReader { store: &host.store, bytes: std::cell::Cell::new(0) };
        // The first step of a boot repairs the log from the record.
        let nothing_new = Inputs { received: None, sent: None, user: None, ..*inputs };
        let _ = next.step(units::Instant::ZERO, &nothing_new, &reader, &mut found);
        let last = outputs.notices.iter().rposition(|notice| match notice {
            orchestrator::Notice::Log(entry) => Orchestrator::log(&found).any(|known| known == *entry),
            _ => false,
        });
        for notice in outputs.notices.iter().take(last.map_or(0, |last| last + 1)) {
            context.record(OrchestratorRecord::Notice(*notice).into());
        }
    }

    /// Carries out what the firmware asked for.
    ///
    /// # Errors
    /// If it broke its interface.
    fn apply(&mut self, context: &mut Context<'_>, outputs: &Outputs) -> Result<(), Defect> {
        if let Some(id) = outputs.abort {
            self.bus.abort(context, NodeId::CIOC, self.controller, Id::Standard(id));
        }
        for frame in &outputs.frames {
            if self.bus.request(context, NodeId::CIOC, self.controller, *frame).is_err() {
                return Err(Defect::new(NodeId::CIOC, "sent more frames than mailboxes were free"));
            }
        }
        for notice in &outputs.notices {
            context.record(OrchestratorRecord::Notice(*notice).into());
        }
        let life = self.cpu.life;
        if let Some(at) = self.cpu.want_wake(context.now, outputs.wake_at) {
            context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node: NodeId::CIOC, life }));
        }
        Ok(())
    }
}
