//! Normal mode: one tick from what came in to what goes out.
//!
//! SSR-046.
//!
//! The order of the stages is fixed and watched ([`crate::flow`]). Every stage that finds an internal fault ends the tick with
//! it; the caller then enters the safe state. Nothing here can change a configuration.

use safety_common::fault::Fault;
use safety_common::io::{Channel, FlashPort, Led, LogicTrace, Mode, RamPort, TickInputs, TickOutputs};
use safety_common::radio;
use units::Instant;

use crate::can::Can;
use crate::configuration::Configuration;
use crate::flash_test::{FlashTest, Image};
use crate::flow::{Flow, Stage};
use crate::heart::Heart;
use crate::inputs::{InputReport, Inputs};
use crate::outputs::{Disagreement, Outputs};
use crate::packet::{Identity, Packet, Voltages};
use crate::peer::Peer;
use crate::power::{self, Comparison, Power};
use crate::program::{Demand, Seen};
use crate::radio::Radio;
use crate::ram_test::{RamFault, RunningTest};
use crate::relays::Relays;
use crate::safe::SafeState;
use crate::tool::{self, About, Desk};
use crate::{Notes, Trip};

/// Packets, frames and messages that are looked at in a tick: more than each line can carry in 1 ms (SSM-06).
const C2C_MOST: usize = 8;
const RADIO_MOST: usize = 8;
const CAN_MOST: usize = 16;
const FORWARD_MOST: usize = 8;

/// Normal mode. Built by start-up only.
#[derive(Clone)]
pub struct Normal {
    heart: Heart,
    identity: Identity,
    configuration: Configuration,
    peer: Peer,
    power: Power,
    comparison: Comparison,
    inputs: Inputs,
    outputs: Outputs,
    disagreement: Disagreement,
    relays: Relays,
    relay_command: u8,
    radio: Radio,
    can: Can,
    desk: Desk,
    ram: RunningTest,
    flash: FlashTest,
    flow: Flow,
}

/// What a tick has found out so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    voltages: Voltages,
    inputs: InputReport,
    /// Input groups as the logic sees them: both CPUs read ON.
    inputs_on: u16,
    /// Output groups that either CPU keeps off.
    failed: u16,
    demand: Demand,
}

impl Normal {
    pub(crate) fn begin(
        heart: Heart,
        image: &Image,
        identity: Identity,
        configuration: Configuration,
        desk: Desk,
        peer: Peer,
    ) -> Self {
        Self {
            heart,
            identity,
            peer,
            power: Power::new(),
            comparison: Comparison::new(&configuration.pins),
            inputs: Inputs::new(&configuration.pins, &configuration.groups),
            outputs: Outputs::new(&configuration.pins),
            disagreement: Disagreement::default(),
            relays: Relays::default(),
            relay_command: 0,
            radio: Radio::new(&configuration, image.release_hash),
            can: Can::new(&configuration, image.release_hash),
            desk,
            ram: RunningTest::new(),
            flash: FlashTest::new(image, Some(configuration.length)),
            flow: Flow::default(),
            configuration,
        }
    }

    /// The safe state that follows from a fault.
    pub(crate) fn safe_state(&self, trip: Trip, now: Instant) -> SafeState {
        SafeState::enter(trip, now, Some(self.desk.clone()), self.about())
    }

    fn about(&self) -> About {
        About {
            mode: Mode::Normal,
            release_id: self.identity.release_id,
            configuration_hash: self.identity.configuration_hash,
        }
    }

    /// One tick.
    ///
    /// # Errors
    /// The internal fault that ends the normal mode.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> Result<TickOutputs, Trip> {
        let mut out = TickOutputs { mode: Mode::Normal, led: Led::Normal, ..TickOutputs::default() };
        let mut notes = Notes::new(now);
        let mut tick = Tick { voltages: power::voltages(&inputs.analog), ..Tick::default() };
        self.heart.beat(now, inputs)?;
        self.flow.passed(Stage::Interval);
        self.hear_peer(now, inputs)?;
        self.watch_power(inputs, &tick.voltages)?;
        self.hear_networks(now, inputs, &mut out)?;
        self.read_inputs(inputs, &mut tick, &mut notes)?;
        self.read_back(inputs, &mut tick, &mut notes)?;
        self.think(&mut tick);
        self.drive(inputs, &tick, &mut out)?;
        self.drive_relays(inputs, &tick, &mut out)?;
        self.send(inputs, &tick, &mut out);
        self.test_memory(ram, flash)?;
        self.desk.serve_outside_configuration(inputs, &self.about(), &mut out);
        if self.desk.identifies() {
            out.led = Led::Identify;
        }
        if !self.flow.end_tick() {
            return Err(Trip::new(Fault::ProgramFlow, 0));
        }
        out.detections = notes.list;
        out.trace = self.trace(&tick);
        out.watchdog = true;
        Ok(out)
    }

    fn hear_peer(&mut self, now: Instant, inputs: &TickInputs<'_>) -> Result<(), Trip> {
        let received = inputs.c2c.get(..C2C_MOST).unwrap_or(inputs.c2c);
        self.peer.supervise(now, received, &self.identity)?;
        self.flow.passed(Stage::Peer);
        Ok(())
    }

    fn watch_power(&mut self, inputs: &TickInputs<'_>, voltages: &Voltages) -> Result<(), Trip> {
        let settings = &self.configuration.settings;
        let peer = self.peer.packet();
        self.power.judge(&inputs.analog, voltages, settings, peer.is_main_on)?;
        let received = self.peer.has_news().then_some(&peer.voltages);
        self.comparison.judge(voltages, received, settings)?;
        self.flow.passed(Stage::Power);
        Ok(())
    }

    /// Takes what came over radio and CAN, passes the good on to CPU2, and takes what CPU2 wants sent.
    fn hear_networks(&mut self, now: Instant, inputs: &TickInputs<'_>, out: &mut TickOutputs) -> Result<(), Trip> {
        for bytes in inputs.radio.iter().take(RADIO_MOST).filter(|bytes| bytes.first() == Some(&radio::FORMAT)) {
            if self.radio.receive(now, bytes) {
                tool::forward(Channel::Radio, bytes, out);
            }
        }
        self.radio.expire(now);
        self.can.begin_tick();
        for received in inputs.can.iter().take(CAN_MOST) {
            if self.can.receive(now, received)? {
                let mut bytes = [0; 10];
                crate::bytes::put(&mut bytes, 0, &received.frame.id.to_le_bytes());
                crate::bytes::put(&mut bytes, 2, &received.frame.data);
                tool::forward(Channel::Can, &bytes, out);
            }
        }
        for message in inputs.forward.iter().take(FORWARD_MOST) {
            match message.channel {
                Channel::Radio => out.radio = self.radio.finish(&message.bytes).or(out.radio.take()),
                Channel::Can => self.can.agree(&message.bytes),
                Channel::ToolUsb | Channel::ToolRadio | Channel::ToolCan => {}
            }
        }
        self.flow.passed(Stage::Networks);
        Ok(())
    }

    /// The state of an input is ON only if both CPUs read it as ON (SSR-032).
    fn read_inputs(&mut self, inputs: &TickInputs<'_>, tick: &mut Tick, notes: &mut Notes) -> Result<(), Trip> {
        let played = inputs.tick.wrapping_sub(1);
        tick.inputs = self.inputs.read(&inputs.levels, played, &self.configuration.groups, notes);
        tick.inputs_on = tick.inputs.on & self.peer.packet().inputs_on;
        self.inputs.check_stages(&inputs.levels, &tick.voltages)?;
        self.flow.passed(Stage::Inputs);
        Ok(())
    }

    fn read_back(&mut self, inputs: &TickInputs<'_>, tick: &mut Tick, notes: &mut Notes) -> Result<(), Trip> {
        self.outputs.read_back(inputs, self.power.is_main_settled(), notes)?;
        tick.failed = self.outputs.failed_groups(&self.configuration.groups) | self.peer.packet().outputs_failed;
        self.flow.passed(Stage::ReadBack);
        Ok(())
    }

    /// The user's logic, once (SSR-012).
    fn think(&mut self, tick: &mut Tick) {
        tick.demand = self.configuration.program.evaluate(&Seen {
            inputs_on: tick.inputs_on,
            inputs_error: tick.inputs.error,
            outputs_error: tick.failed,
            memories: self.radio.memories(),
            can: self.can.values(),
        });
        self.radio.want(&tick.demand.memories);
        self.can.want(&tick.demand.can);
        self.flow.passed(Stage::Logic);
    }

    /// An output is ON only if both CPUs want it and neither keeps it off (SSR-032, SSR-037).
    fn drive(&mut self, inputs: &TickInputs<'_>, tick: &Tick, out: &mut TickOutputs) -> Result<(), Trip> {
        let peer = self.peer.packet();
        let differ = tick.demand.outputs_on ^ peer.outputs_on;
        let relays_differ = tick.demand.relays_on ^ peer.relays_on;
        self.disagreement.judge(u32::from(relays_differ) << 16 | u32::from(differ))?;
        let groups = &self.configuration.groups;
        let on = tick.demand.outputs_on & peer.outputs_on & !tick.failed;
        out.pins = self.outputs.drive(on, groups, inputs.tick.wrapping_add(1));
        self.outputs.release(tick.demand.outputs_on, groups, &inputs.levels);
        self.flow.passed(Stage::Outputs);
        Ok(())
    }

    fn drive_relays(&mut self, inputs: &TickInputs<'_>, tick: &Tick, out: &mut TickOutputs) -> Result<(), Trip> {
        let move_ticks = self.configuration.settings.relay_move;
        self.relays.judge(self.relay_command, inputs.relay_feedback, move_ticks)?;
        self.relay_command = tick.demand.relays_on & self.peer.packet().relays_on;
        out.relays = self.relay_command;
        self.flow.passed(Stage::Relays);
        Ok(())
    }

    fn send(&mut self, inputs: &TickInputs<'_>, tick: &Tick, out: &mut TickOutputs) {
        let packet = Packet {
            mode: Mode::Normal,
            is_main_on: false,
            counter: self.heart.counter,
            identity: self.identity,
            voltages: tick.voltages,
            inputs_on: tick.inputs.on,
            outputs_on: tick.demand.outputs_on,
            outputs_failed: self.outputs.failed_groups(&self.configuration.groups),
            relays_on: tick.demand.relays_on,
            relay_feedback: inputs.relay_feedback,
        };
        out.c2c = Some(packet.encode());
        let can = self.can.send(inputs.can_sent);
        out.can = can.frames;
        out.can_abort = can.abort;
        self.flow.passed(Stage::Packet);
    }

    fn test_memory(&mut self, ram: &mut impl RamPort, flash: &impl FlashPort) -> Result<(), Trip> {
        self.ram.slice(ram).map_err(|fault| match fault {
            RamFault::Word(word) => Trip::new(Fault::RamRunning, word),
            RamFault::Variable => Trip::new(Fault::Variable, 1),
        })?;
        self.flow.passed(Stage::Ram);
        self.flash.slice(flash).map_err(|fault| match fault {
            Fault::Variable => Trip::new(fault, 2),
            span => Trip::new(Fault::FlashRunning, span as u32),
        })?;
        self.flow.passed(Stage::Flash);
        Ok(())
    }

    fn trace(&self, tick: &Tick) -> LogicTrace {
        LogicTrace {
            evaluated: true,
            inputs_on: tick.inputs_on,
            inputs_error: tick.inputs.error,
            outputs_error: tick.failed,
            outputs_on: tick.demand.outputs_on,
            relays_on: tick.demand.relays_on,
            pins_read: tick.inputs.pins_read,
        }
    }
}
