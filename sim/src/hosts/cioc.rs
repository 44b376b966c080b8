//! The CIOC board: runs the orchestrator firmware; package store, FRAM, and the person in front of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bevy_ecs::prelude::{Component, Mut, World};
use embedded_can::Id;
use orchestrator::{Config, Inputs, NonVolatile, Orchestrator, Outputs, Package, PackageState, UserAction};
use units::{DeciCelsius, Millivolts};

use super::cpu::{Availability, Cpu};
use super::image::Image;
use super::{CpuEvent, FirmwareDefect, OrchestratorRecord};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::{bus, plant, power};

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

/// The FRAM: written byte by byte; a planned tear stops a write after some bytes, as power failure does.
#[derive(Clone)]
pub struct Fram {
    bytes: Arc<[u8; FRAM_LEN]>,
    /// Writes so far.
    pub writes: u64,
    /// After how many more bytes power fails inside a write, if so planned.
    pub tear_after: Option<u64>,
}

impl Fram {
    /// FRAM as delivered: all zero.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Arc::new([0; FRAM_LEN]), writes: 0, tear_after: None }
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
        for (cell, byte) in cells.iter_mut().zip(bytes) {
            match &mut self.tear_after {
                Some(0) => return,
                Some(left) => *left -= 1,
                None => {}
            }
            *cell = *byte;
        }
    }
}

/// The firmware of the CIOC and what its board keeps for it.
#[derive(Component, Clone)]
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
    read_bytes: u64,
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
            read_bytes: 0,
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

fn host(world: &mut World) -> Mut<'_, CiocHost> {
    let entity = world.resource::<Nodes>().entity(NodeId::CIOC);
    world.get_mut::<CiocHost>(entity).expect("the CIOC has a host")
}

fn cpu(world: &mut World) -> Mut<'_, Cpu> {
    let entity = world.resource::<Nodes>().entity(NodeId::CIOC);
    world.get_mut::<Cpu>(entity).expect("the CIOC has a CPU")
}

/// Supply is gone: everything but FRAM and file store is lost.
pub(super) fn power_lost(world: &mut World, context: &mut Context<'_>) {
    host(world).firmware = None;
    context.record(OrchestratorRecord::Off.into());
}

/// Whether the CIOC's own firmware is being replaced, so that nothing can be started.
pub(super) fn is_updating(world: &mut World) -> bool {
    host(world).updating
}

/// The boot time has passed: starts the firmware.
pub(super) fn start(world: &mut World, context: &mut Context<'_>) {
    let mut host = host(world);
    host.firmware = Some(Orchestrator::boot(host.config, &host.fram));
    host.sampled_at = SimTime::NEVER;
    context.record(OrchestratorRecord::Started.into());
    run(world, context, None);
}

/// The person at the CIOC does something; lost if no firmware runs.
pub(super) fn user(world: &mut World, context: &mut Context<'_>, action: UserAction) {
    context.record(OrchestratorRecord::User(action).into());
    match cpu(world).availability(context.now) {
        Availability::Now => run(world, context, Some(action)),
        Availability::From(free) => context.agenda.at(free, Event::Cpu(CpuEvent::User(action))),
        Availability::No => {}
    }
}

/// The CIOC's own firmware is replaced: the orchestrator stops, the bus hears nothing from it.
pub(super) fn update_begins(world: &mut World, context: &mut Context<'_>) {
    let now = context.now;
    let mut host = host(world);
    host.updating = true;
    host.firmware = None;
    cpu(world).reset(now);
    bus::set_powered(world, context, NodeId::CIOC, false);
    context.record(OrchestratorRecord::UpdateBegun.into());
}

/// The CIOC's own update is over: it boots.
pub(super) fn update_ends(world: &mut World, context: &mut Context<'_>) {
    host(world).updating = false;
    context.record(OrchestratorRecord::UpdateEnded.into());
    reset(world, context);
}

/// Restarts the CPU; FRAM and file store are kept.
pub(super) fn reset(world: &mut World, context: &mut Context<'_>) {
    let now = context.now;
    host(world).firmware = None;
    context.record(OrchestratorRecord::Reset.into());
    bus::set_powered(world, context, NodeId::CIOC, false);
    let mut cpu = cpu(world);
    cpu.reset(now);
    let (at, life) = (now + cpu.options.boot_time, cpu.life);
    let cause = pump::ResetCause::Software;
    context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node: NodeId::CIOC, life, cause }));
}

/// Runs the firmware until it has nothing more to do at this instant.
pub(super) fn run(world: &mut World, context: &mut Context<'_>, action: Option<UserAction>) {
    let mut action = action;
    for step in 0..STEPS_MOST {
        let received = bus::take_received(world, NodeId::CIOC);
        let sent = bus::take_sent(world, NodeId::CIOC);
        if step > 0 && received.is_none() && sent.is_none() {
            return;
        }
        sample(world, context.now);
        let mailboxes_free = bus::mailboxes_free(world, NodeId::CIOC);
        let host = host(world);
        let inputs = Inputs {
            received,
            sent: sent.and_then(|id| match id {
                Id::Standard(id) => Some(id),
                Id::Extended(_) => None,
            }),
            mailboxes_free,
            supply: host.supply,
            feed: host.feed,
            coolant: host.coolant,
            user: action.take(),
        };
        let Some(outputs) = step_firmware(world, context, &inputs) else { return };
        if !apply(world, context, outputs) || cpu(world).availability(context.now) != Availability::Now {
            return;
        }
    }
    defect(world, context, "did not come to rest: 64 steps at one instant".to_owned());
}

fn sample(world: &mut World, now: SimTime) {
    let sampled_at = host(world).sampled_at;
    if sampled_at <= now && now < sampled_at + SAMPLE_PERIOD {
        return;
    }
    let clamp = |mv: u32| Millivolts::new(u16::try_from(mv).unwrap_or(u16::MAX));
    let supply = clamp(power::supply_mv(world, NodeId::CIOC, now));
    let feed = clamp(power::feed_mv(world, now));
    let coolant = plant::coolant(world);
    let mut host = host(world);
    host.sampled_at = now;
    host.supply = supply;
    host.feed = feed;
    host.coolant = coolant;
}

fn step_firmware(world: &mut World, context: &mut Context<'_>, inputs: &Inputs) -> Option<Outputs> {
    let entity = world.resource::<Nodes>().entity(NodeId::CIOC);
    let (mut host, mut cpu) = world.entity_mut(entity).into_components_mut::<(&mut CiocHost, &mut Cpu)>().ok()?;
    let now = cpu.clock(context.now);
    let CiocHost { firmware, store, fram, .. } = &mut *host;
    let reader = StoreReader { store, bytes: std::cell::Cell::new(0) };
    let firmware = firmware.as_mut()?;
    let outputs = catch_unwind(AssertUnwindSafe(|| firmware.step(now, inputs, &reader, fram)));
    let bytes = reader.bytes.get();
    host.read_bytes += bytes;
    let cost = cpu.options.read_cost.times(bytes);
    if cost > Span::ZERO {
        cpu.busy_until = context.now + cost;
    }
    match outputs {
        Ok(outputs) => Some(outputs),
        Err(panic) => {
            let text = super::panic_text(&*panic).to_owned();
            defect(world, context, format!("panicked: {text}"));
            None
        }
    }
}

/// Carries out what the firmware asked for; `false` after a defect.
fn apply(world: &mut World, context: &mut Context<'_>, outputs: Outputs) -> bool {
    if let Some(id) = outputs.abort {
        bus::abort(world, context, NodeId::CIOC, Id::Standard(id));
    }
    for frame in &outputs.frames {
        if bus::request(world, context, NodeId::CIOC, *frame).is_err() {
            defect(world, context, "sent more frames than mailboxes were free".to_owned());
            return false;
        }
    }
    for notice in &outputs.notices {
        context.record(OrchestratorRecord::Notice(*notice).into());
    }
    let mut cpu = cpu(world);
    let life = cpu.life;
    if let Some(at) = cpu.want_wake(context.now, outputs.wake_at) {
        context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node: NodeId::CIOC, life }));
    }
    true
}

fn defect(world: &mut World, context: &mut Context<'_>, what: String) {
    world.resource_mut::<FirmwareDefect>().0.get_or_insert((NodeId::CIOC, what));
    context.halt();
}
