//! A pump's controller board: runs the pump firmware on its CPU, flash, motor and CAN controller.

use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::{Component, Query, Res, ResMut, World};
use bevy_ecs::system::SystemState;
use embedded_can::{Id, StandardId};
use protocol::Frame;
use protocol::cyclic::PumpState;
use pump::{FlashCommand, FlashResult, Inputs, Outputs, Pump, ResetCause, Retained};
use units::{DeciCelsius, Milliamps, Millivolts, Permille};

use super::cpu::{Availability, Cpu};
use super::flash::{Flash, FlashReader};
use super::{CpuEvent, Defect, PumpRecord};
use crate::bus::{Bus, Controller};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::plant::Plant;
use crate::power::Supply;

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
    /// Whether the rest of a version answer is still to be rewritten.
    disguising: bool,
    /// Faults: by their number, how many of the next flash programs each lets fail; one after the other.
    pub failing_programs: Vec<(usize, u32)>,
    /// The fault that let the latest one fail.
    pub failed_by: Option<usize>,
}

impl Hash for PumpHost {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { config, firmware, retained, state, motor, sampled_at, sample, buffered, .. } = self;
        let Self { false_version, disguising, failing_programs, .. } = self;
        (config, firmware, retained, state, motor, sampled_at, sample).hash(to);
        (false_version, disguising, failing_programs, buffered.len()).hash(to);
        buffered.iter().for_each(|frame| frame.hash(to));
    }
}

impl PumpHost {
    /// Whether a fault lets the flash program that begins now fail: the first fault that has any left.
    fn fails_by_fault(&mut self) -> bool {
        let Some((by, left)) = self.failing_programs.iter_mut().find(|(_, left)| *left > 0) else { return false };
        *left -= 1;
        self.failed_by = Some(*by);
        true
    }
}

#[derive(Clone, Copy, Default, Hash)]
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
            disguising: false,
            failing_programs: Vec::new(),
            failed_by: None,
        }
    }

    /// The running firmware, to look at.
    #[must_use]
    pub fn firmware(&self) -> Option<&Pump> {
        self.firmware.as_ref()
    }
}

type Boards<'w, 's> =
    Query<'w, 's, (&'static mut PumpHost, &'static mut Flash, &'static mut Cpu, &'static mut Controller)>;

/// Reaches a [`Board`] in one go: a look-up in the world for each of its parts would cost more than a firmware step.
pub(super) type Access =
    SystemState<(ResMut<'static, Bus>, ResMut<'static, Plant>, Res<'static, Supply>, Boards<'static, 'static>)>;

/// A pump's board with all that it is connected to.
pub(super) struct Board<'a> {
    node: NodeId,
    host: &'a mut PumpHost,
    flash: &'a mut Flash,
    cpu: &'a mut Cpu,
    controller: &'a mut Controller,
    bus: &'a mut Bus,
    plant: &'a mut Plant,
    supply: &'a Supply,
}

/// Does something with the board of `node`; `None` if the node is no pump.
pub(super) fn with_board<T>(
    access: &mut Access,
    world: &mut World,
    node: NodeId,
    what: impl FnOnce(&mut Board<'_>) -> T,
) -> Option<T> {
    let (mut bus, mut plant, supply, mut boards) = access.get_mut(world).ok()?;
    let (mut host, mut flash, mut cpu, mut controller) = boards.get_mut(bus.entity(node)).ok()?;
    Some(what(&mut Board {
        node,
        host: &mut host,
        flash: &mut flash,
        cpu: &mut cpu,
        controller: &mut controller,
        bus: &mut bus,
        plant: &mut plant,
        supply: &supply,
    }))
}

impl Board<'_> {
    /// Supply is gone: everything volatile is lost.
    pub(super) fn power_lost(&mut self, context: &mut Context<'_>) {
        self.flash.power_lost(context.now);
        self.host.firmware = None;
        self.host.buffered.clear();
        self.host.retained = Retained::default();
        self.host.state = None;
        self.host.motor = Permille::new(0);
        self.plant.command(self.supply, self.node, Permille::new(0));
        context.record(PumpRecord::Off { node: self.node }.into());
    }

    /// The boot time has passed: starts the firmware.
    pub(super) fn start(&mut self, context: &mut Context<'_>, cause: ResetCause) -> Result<(), Defect> {
        let (config, retained) = (self.host.config, self.host.retained);
        let booted = Defect::guard(self.node, || Pump::boot(config, cause, retained));
        self.host.firmware = Some(booted?);
        self.host.disguising = false;
        self.host.sampled_at = SimTime::NEVER;
        context.record(PumpRecord::Started { node: self.node, cause }.into());
        self.run(context, None)
    }

    /// The controller has news: runs the firmware if its CPU is free, or sees to it that it runs as soon as it is.
    pub(super) fn attend(&mut self, context: &mut Context<'_>) -> Result<(), Defect> {
        match self.cpu.availability(context.now) {
            Availability::Now => self.run(context, None),
            Availability::From(free) => {
                context.agenda.at(free, Event::Cpu(CpuEvent::Attend(self.node)));
                Ok(())
            }
            Availability::No => {
                self.buffer();
                Ok(())
            }
        }
    }

    /// The timer fires.
    pub(super) fn wake(&mut self, context: &mut Context<'_>, life: u32) -> Result<(), Defect> {
        if super::wake_is_due(self.cpu, context, self.node, life) { self.run(context, None) } else { Ok(()) }
    }

    /// A flash operation has ended: the core runs on.
    pub(super) fn flash_done(&mut self, context: &mut Context<'_>, life: u32) -> Result<(), Defect> {
        let node = self.node;
        if self.cpu.life != life {
            return Ok(());
        }
        if self.cpu.hung_until > context.now {
            context.agenda.at(self.cpu.hung_until, Event::Cpu(CpuEvent::FlashDone { node, life }));
            return Ok(());
        }
        let before = self.flash.unerased_writes;
        let done = self.flash.finish();
        if self.flash.unerased_writes > before {
            context.record(PumpRecord::UnerasedWrite { node }.into());
        }
        self.cpu.stalled = false;
        self.run(context, Some(if done { FlashResult::Done } else { FlashResult::Failed }))
    }

    /// Runs the firmware until it has nothing more to do at this instant.
    fn run(&mut self, context: &mut Context<'_>, flash_result: Option<FlashResult>) -> Result<(), Defect> {
        let mut flash_result = flash_result;
        for step in 0..STEPS_MOST {
            let received = self.host.buffered.pop_front().or_else(|| self.controller.take_received());
            let sent = self.controller.take_sent();
            if step > 0 && received.is_none() && sent.is_none() {
                return Ok(());
            }
            let inputs = self.inputs(context.now, received, sent.and_then(standard), flash_result.take());
            let Some(outputs) = self.step_firmware(context, &inputs)? else { return Ok(()) };
            if !self.apply(context, &outputs)? || self.cpu.availability(context.now) != Availability::Now {
                return Ok(());
            }
        }
        Err(Defect::new(self.node, "did not come to rest: 64 steps at one instant"))
    }

    /// With a second bank the receive interrupt goes on during a flash operation: it keeps frames for the firmware.
    fn buffer(&mut self) {
        if self.flash.operation.is_none() || self.flash.times.stalls_core {
            return;
        }
        while let Some(frame) = self.controller.take_received() {
            // A full buffer loses the frame, as a driver's ring does.
            let _ = self.host.buffered.push_back(frame);
        }
    }

    /// What the firmware is told, with the analog values, which are sampled afresh every millisecond.
    fn inputs(
        &mut self,
        now: SimTime,
        received: Option<Frame>,
        sent: Option<StandardId>,
        flash: Option<FlashResult>,
    ) -> Inputs {
        let fresh = self.host.sampled_at <= now && now < self.host.sampled_at + SAMPLE_PERIOD;
        if !fresh {
            self.host.sampled_at = now;
            self.host.sample = self.sample(now);
        }
        let Sample { supply, speed, current, temperature } = self.host.sample;
        let mailboxes_free = self.controller.mailboxes_free();
        Inputs { received, sent, mailboxes_free, flash, supply, speed, current, temperature }
    }

    fn sample(&self, now: SimTime) -> Sample {
        let millivolts = self.supply.node_mv(self.node, now);
        Sample {
            supply: Millivolts::new(u16::try_from(millivolts).unwrap_or(u16::MAX)),
            speed: self.plant.speed(self.node),
            current: self.plant.motor_current(self.supply, self.node),
            temperature: self.plant.coolant_reading(),
        }
    }

    /// One step of the firmware; `None` if there is none.
    ///
    /// # Errors
    /// If it panicked.
    fn step_firmware(&mut self, context: &mut Context<'_>, inputs: &Inputs) -> Result<Option<Outputs>, Defect> {
        let node = self.node;
        let reader = FlashReader::new(self.flash);
        let now = self.cpu.clock(context.now);
        let Some(firmware) = self.host.firmware.as_mut() else { return Ok(None) };
        let outputs = Defect::guard(node, || firmware.step(now, inputs, &reader));
        let cost = self.cpu.options.read_cost.times(reader.bytes.get());
        if cost > Span::ZERO {
            self.cpu.busy_until = context.now + cost;
        }
        let state = firmware.state();
        if self.host.state != Some(state) {
            self.host.state = Some(state);
            context.record(PumpRecord::State { node, state }.into());
        }
        outputs.map(Some)
    }

    /// Carries out what the firmware asked for; whether the core can go on at this instant.
    fn apply(&mut self, context: &mut Context<'_>, outputs: &Outputs) -> Result<bool, Defect> {
        let node = self.node;
        if let Some(id) = outputs.abort {
            self.bus.abort(context, node, self.controller, Id::Standard(id));
        }
        for frame in &outputs.frames {
            let frame = self.disguise(context, *frame);
            if self.bus.request(context, node, self.controller, frame).is_err() {
                return Err(Defect::new(node, "sent more frames than mailboxes were free"));
            }
        }
        self.drive_motor(context, outputs.motor);
        if outputs.reset {
            self.reset(context, ResetCause::Software);
            return Ok(false);
        }
        let life = self.cpu.life;
        if let Some(at) = self.cpu.want_wake(context.now, outputs.wake_at) {
            context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node, life }));
        }
        if let Some(command) = outputs.flash {
            self.begin_flash(context, command);
        }
        Ok(outputs.flash.is_none())
    }

    fn drive_motor(&mut self, context: &mut Context<'_>, speed: Permille) {
        let node = self.node;
        if self.host.motor != speed {
            self.host.motor = speed;
            self.plant.command(self.supply, node, speed);
            context.record(PumpRecord::Motor { node, speed }.into());
        }
    }

    fn begin_flash(&mut self, context: &mut Context<'_>, command: FlashCommand) {
        let node = self.node;
        let fails = matches!(command, FlashCommand::Program { .. }) && self.host.fails_by_fault();
        let operation = self.flash.begin(context.now, command, fails);
        self.cpu.stalled = true;
        let life = self.cpu.life;
        context.agenda.at(operation.ends, Event::Cpu(CpuEvent::FlashDone { node, life }));
        context.record(PumpRecord::FlashBegun { node, operation }.into());
    }

    /// Restarts the CPU; what the board keeps over a reset is kept.
    pub(super) fn reset(&mut self, context: &mut Context<'_>, cause: ResetCause) {
        let (node, now) = (self.node, context.now);
        self.flash.power_lost(now);
        if let Some(firmware) = self.host.firmware.take() {
            self.host.retained = firmware.retained();
        }
        self.host.state = None;
        self.drive_motor(context, Permille::new(0));
        self.bus.switch_off(context, node, self.controller);
        self.cpu.reset(now);
        let (at, life) = (now + self.cpu.options.boot_time, self.cpu.life);
        context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node, life, cause }));
        context.record(PumpRecord::Reset { node, cause }.into());
    }

    /// A fault: puts another version into the answer to a version request (a single ISO-TP first frame).
    fn disguise(&mut self, context: &mut Context<'_>, frame: Frame) -> Frame {
        let Some(version) = self.host.false_version else { return frame };
        let [a, b, c, d, e, f] = [version.major, version.minor, version.patch].map(u16::to_be_bytes).concat()[..]
        else {
            return frame;
        };
        // The answer is 62 F1 95 and six bytes of version: four in the first frame, the others in the next.
        let bytes = match frame.data() {
            [0x10, 0x09, 0x62, 0xF1, 0x95, ..] => {
                self.host.disguising = true;
                [0x10, 0x09, 0x62, 0xF1, 0x95, a, b, c]
            }
            [0x21, _, _, _, rest @ ..] if self.host.disguising && rest.len() == 4 => {
                self.host.disguising = false;
                [0x21, d, e, f, rest[0], rest[1], rest[2], rest[3]]
            }
            _ => return frame,
        };
        let false_frame = Frame::data_frame(frame.id(), &bytes).unwrap_or(frame);
        if false_frame != frame {
            context.record(PumpRecord::Disguised { node: self.node, version }.into());
        }
        false_frame
    }
}

fn standard(id: Id) -> Option<StandardId> {
    match id {
        Id::Standard(id) => Some(id),
        Id::Extended(_) => None,
    }
}
