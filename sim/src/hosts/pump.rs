//! A pump's controller board: runs the pump firmware on its CPU, flash, motor and CAN controller.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bevy_ecs::prelude::{Component, World};
use embedded_can::Id;
use protocol::Frame;
use protocol::cyclic::PumpState;
use pump::{FlashResult, Inputs, Outputs, Pump, ResetCause, Retained};
use units::{DeciCelsius, Milliamps, Millivolts, Permille};

use super::cpu::{Availability, Cpu};
use super::flash::{Flash, FlashReader};
use super::{CpuEvent, FirmwareDefect, PumpRecord};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::{bus, plant, power};

/// The board samples its analog inputs this often.
const SAMPLE_PERIOD: Span = Span::from_millis(1);
/// More steps than this at one instant are a firmware that never rests.
const STEPS_MOST: u32 = 64;

/// The firmware of one pump and what its board keeps for it.
#[derive(Component, Clone)]
pub struct PumpHost {
    /// What the factory configured.
    pub config: pump::Config,
    firmware: Option<Pump>,
    retained: Retained,
    /// State last recorded.
    pub state: Option<PumpState>,
    /// Speed that the firmware drives.
    pub motor: Permille,
    sampled_at: SimTime,
    sample: Sample,
    buffered: heapless::Deque<Frame, 32>,
    /// A fault: the version answered over UDS instead of the true one.
    pub false_version: Option<protocol::header::Version>,
    /// A fault: this many of the next flash programs fail.
    pub failing_programs: u32,
}

#[derive(Clone, Copy, Default)]
struct Sample {
    supply: Millivolts,
    speed: Permille,
    current: Milliamps,
    temperature: DeciCelsius,
}

impl PumpHost {
    /// A board without supply.
    #[must_use]
    pub fn new(config: pump::Config) -> Self {
        Self {
            config,
            firmware: None,
            retained: Retained::default(),
            state: None,
            motor: Permille::new(0),
            sampled_at: SimTime::NEVER,
            sample: Sample::default(),
            buffered: heapless::Deque::new(),
            false_version: None,
            failing_programs: 0,
        }
    }

    /// The running firmware, to look at.
    #[must_use]
    pub fn firmware(&self) -> Option<&Pump> {
        self.firmware.as_ref()
    }
}

/// Supply is gone: everything volatile is lost.
pub(super) fn power_lost(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let entity = world.resource::<Nodes>().entity(node);
    let now = context.now;
    if let Some(mut flash) = world.get_mut::<Flash>(entity) {
        flash.power_lost(now);
    }
    if let Some(mut host) = world.get_mut::<PumpHost>(entity) {
        host.firmware = None;
        host.buffered.clear();
        host.retained = Retained::default();
        host.state = None;
        host.motor = Permille::new(0);
    }
    plant::set_speed_command(world, node, Permille::new(0));
    context.record(PumpRecord::Off { node }.into());
}

/// The boot time has passed: starts the firmware.
pub(super) fn start(world: &mut World, context: &mut Context<'_>, node: NodeId, cause: ResetCause) {
    let entity = world.resource::<Nodes>().entity(node);
    if let Some(mut host) = world.get_mut::<PumpHost>(entity) {
        host.firmware = Some(Pump::boot(host.config, cause, host.retained));
        host.sampled_at = SimTime::NEVER;
    }
    context.record(PumpRecord::Started { node, cause }.into());
    run(world, context, node, None);
}

/// A flash operation has ended: the core runs on.
pub(super) fn flash_done(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let entity = world.resource::<Nodes>().entity(node);
    let Some(mut flash) = world.get_mut::<Flash>(entity) else { return };
    let before = flash.unerased_writes;
    let done = flash.finish();
    let unerased = flash.unerased_writes > before;
    if unerased {
        context.record(PumpRecord::UnerasedWrite { node }.into());
    }
    if let Some(mut cpu) = world.get_mut::<Cpu>(entity) {
        cpu.stalled = false;
    }
    let result = if done { FlashResult::Done } else { FlashResult::Failed };
    run(world, context, node, Some(result));
}

/// Runs the firmware until it has nothing more to do at this instant.
pub(super) fn run(world: &mut World, context: &mut Context<'_>, node: NodeId, flash_result: Option<FlashResult>) {
    let entity = world.resource::<Nodes>().entity(node);
    let mut flash_result = flash_result;
    for step in 0..STEPS_MOST {
        let received = take_buffered(world, node).or_else(|| bus::take_received(world, node));
        let sent = bus::take_sent(world, node);
        if step > 0 && received.is_none() && sent.is_none() {
            return;
        }
        let inputs = Inputs {
            received,
            sent: sent.and_then(standard),
            mailboxes_free: bus::mailboxes_free(world, node),
            flash: flash_result.take(),
            ..sampled(world, context.now, node)
        };
        let Some(outputs) = step_firmware(world, context, node, &inputs) else { return };
        let resting = apply(world, context, node, outputs);
        if !resting {
            return;
        }
        let cpu = world.get::<Cpu>(entity).expect("pumps have a CPU");
        if cpu.availability(context.now) != Availability::Now {
            return;
        }
    }
    defect(world, context, node, "did not come to rest: 64 steps at one instant".to_owned());
}

fn standard(id: Id) -> Option<embedded_can::StandardId> {
    match id {
        Id::Standard(id) => Some(id),
        Id::Extended(_) => None,
    }
}

/// With a second bank the receive interrupt goes on during a flash operation: it keeps frames for the firmware.
pub(super) fn buffer(world: &mut World, node: NodeId) {
    let entity = world.resource::<Nodes>().entity(node);
    let served = world.get::<Flash>(entity).is_some_and(|flash| flash.operation.is_some() && !flash.times.stalls_core);
    if !served {
        return;
    }
    while let Some(frame) = bus::take_received(world, node) {
        if let Some(mut host) = world.get_mut::<PumpHost>(entity) {
            // A full buffer loses the frame, as a driver's ring does.
            let _ = host.buffered.push_back(frame);
        }
    }
}

fn take_buffered(world: &mut World, node: NodeId) -> Option<Frame> {
    let entity = world.resource::<Nodes>().entity(node);
    let host = world.get::<PumpHost>(entity)?;
    if host.buffered.is_empty() {
        return None;
    }
    world.get_mut::<PumpHost>(entity)?.buffered.pop_front()
}

/// Inputs with the analog values, sampled afresh every millisecond.
fn sampled(world: &mut World, now: SimTime, node: NodeId) -> Inputs {
    let entity = world.resource::<Nodes>().entity(node);
    let host = world.get::<PumpHost>(entity).expect("pumps have a host");
    let fresh = host.sampled_at <= now && now < host.sampled_at + SAMPLE_PERIOD;
    let sample = if fresh {
        host.sample
    } else {
        let sample = Sample {
            supply: Millivolts::new(u16::try_from(power::supply_mv(world, node, now)).unwrap_or(u16::MAX)),
            speed: plant::speed(world, node),
            current: plant::motor_current(world, node),
            temperature: plant::coolant(world),
        };
        let mut host = world.get_mut::<PumpHost>(entity).expect("pumps have a host");
        host.sampled_at = now;
        host.sample = sample;
        sample
    };
    Inputs {
        received: None,
        sent: None,
        mailboxes_free: 0,
        flash: None,
        supply: sample.supply,
        speed: sample.speed,
        current: sample.current,
        temperature: sample.temperature,
    }
}

/// One step of the firmware; `None` if it panicked, which ends the run with an error that names the node.
fn step_firmware(world: &mut World, context: &mut Context<'_>, node: NodeId, inputs: &Inputs) -> Option<Outputs> {
    let entity = world.resource::<Nodes>().entity(node);
    let (mut host, flash, mut cpu) =
        world.entity_mut(entity).into_components_mut::<(&mut PumpHost, &Flash, &mut Cpu)>().ok()?;
    let reader = FlashReader::new(flash);
    let now = cpu.clock(context.now);
    let firmware = host.firmware.as_mut()?;
    let outputs = catch_unwind(AssertUnwindSafe(|| firmware.step(now, inputs, &reader)));
    let cost = cpu.options.read_cost.times(reader.bytes.get());
    if cost > Span::ZERO {
        cpu.busy_until = context.now + cost;
    }
    let state = firmware.state();
    if host.state != Some(state) {
        host.state = Some(state);
        context.record(PumpRecord::State { node, state }.into());
    }
    match outputs {
        Ok(outputs) => Some(outputs),
        Err(panic) => {
            let text = super::panic_text(&*panic);
            defect(world, context, node, format!("panicked: {text}"));
            None
        }
    }
}

/// Carries out what the firmware asked for; whether the core can go on at this instant.
fn apply(world: &mut World, context: &mut Context<'_>, node: NodeId, outputs: Outputs) -> bool {
    let entity = world.resource::<Nodes>().entity(node);
    if let Some(id) = outputs.abort {
        bus::abort(world, context, node, Id::Standard(id));
    }
    for frame in &outputs.frames {
        let frame = disguise(world, context, node, *frame);
        if bus::request(world, context, node, frame).is_err() {
            defect(world, context, node, "sent more frames than mailboxes were free".to_owned());
            return false;
        }
    }
    drive_motor(world, context, node, outputs.motor);
    if outputs.reset {
        reset(world, context, node, ResetCause::Software);
        return false;
    }
    let mut cpu = world.get_mut::<Cpu>(entity).expect("pumps have a CPU");
    let life = cpu.life;
    if let Some(at) = cpu.want_wake(context.now, outputs.wake_at) {
        context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node, life }));
    }
    match outputs.flash {
        None => true,
        Some(command) => {
            begin_flash(world, context, node, command);
            false
        }
    }
}

fn drive_motor(world: &mut World, context: &mut Context<'_>, node: NodeId, speed: Permille) {
    let entity = world.resource::<Nodes>().entity(node);
    let mut host = world.get_mut::<PumpHost>(entity).expect("pumps have a host");
    if host.motor != speed {
        host.motor = speed;
        plant::set_speed_command(world, node, speed);
        context.record(PumpRecord::Motor { node, speed }.into());
    }
}

fn begin_flash(world: &mut World, context: &mut Context<'_>, node: NodeId, command: pump::FlashCommand) {
    let entity = world.resource::<Nodes>().entity(node);
    let mut host = world.get_mut::<PumpHost>(entity).expect("pumps have a host");
    let fails = host.failing_programs > 0 && matches!(command, pump::FlashCommand::Program { .. });
    if fails {
        host.failing_programs -= 1;
    }
    let mut flash = world.get_mut::<Flash>(entity).expect("pumps have flash");
    let operation = flash.begin(context.now, command, fails);
    let mut cpu = world.get_mut::<Cpu>(entity).expect("pumps have a CPU");
    cpu.stalled = true;
    let life = cpu.life;
    context.agenda.at(operation.ends, Event::Cpu(CpuEvent::FlashDone { node, life }));
    context.record(PumpRecord::FlashBegun { node, operation }.into());
}

/// Restarts the CPU; what the board keeps over a reset is kept.
pub(super) fn reset(world: &mut World, context: &mut Context<'_>, node: NodeId, cause: ResetCause) {
    let entity = world.resource::<Nodes>().entity(node);
    let now = context.now;
    if let Some(mut flash) = world.get_mut::<Flash>(entity) {
        flash.power_lost(now);
    }
    let mut host = world.get_mut::<PumpHost>(entity).expect("pumps have a host");
    if let Some(firmware) = host.firmware.take() {
        host.retained = firmware.retained();
    }
    host.state = None;
    drive_motor(world, context, node, Permille::new(0));
    bus::set_powered(world, context, node, false);
    let mut cpu = world.get_mut::<Cpu>(entity).expect("pumps have a CPU");
    cpu.reset(now);
    let (at, life) = (now + cpu.options.boot_time, cpu.life);
    context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node, life, cause }));
    context.record(PumpRecord::Reset { node, cause }.into());
}

/// A fault: puts another version into the answer to a version request (a single ISO-TP first frame).
fn disguise(world: &mut World, context: &mut Context<'_>, node: NodeId, frame: Frame) -> Frame {
    let entity = world.resource::<Nodes>().entity(node);
    let host = world.get::<PumpHost>(entity).expect("pumps have a host");
    let Some(version) = host.false_version else { return frame };
    // A first frame of 9 bytes: 62 F1 95, then the major and half of the minor number.
    let [0x10, 0x09, 0x62, 0xF1, 0x95, ..] = frame.data() else { return frame };
    context.record(PumpRecord::Disguised { node, version }.into());
    let [a, b] = version.major.to_be_bytes();
    let [c, _] = version.minor.to_be_bytes();
    let bytes = [0x10, 0x09, 0x62, 0xF1, 0x95, a, b, c];
    Frame::data_frame(frame.id(), &bytes).unwrap_or(frame)
}

fn defect(world: &mut World, context: &mut Context<'_>, node: NodeId, what: String) {
    world.resource_mut::<FirmwareDefect>().0.get_or_insert((node, what));
    context.halt();
}
