//! Normal mode: the stages of a tick, in order (SSR-012, SSR-032, SSR-046).
//!
//! Each stage may trip; then nothing of this tick leaves the CPU and the unit goes to the safe state.
//!
//! Diverse: a straight list of stages that hand values on; no stage reads another's state.

use safety_common::C2C_SILENCE;
use safety_common::fault::Fault;
use safety_common::io::{Bytes, Channel, FlashPort, Forward, LogicTrace, Mode, RamPort, TickInputs, TickOutputs};
use units::Instant;

use crate::access::Access;
use crate::analog::{self, Feeds};
use crate::base::{Base, outputs_off};
use crate::configuration::busy_pins;
use crate::flash_test::{self, Found, Scope};
use crate::flow::{Flow, NORMAL, Stage};
use crate::inputs::{Inputs, Seen};
use crate::link::{Good, Meaning, meaning};
use crate::logic::{Logic, Sinks, Sources};
use crate::outputs::{Demand, Outputs, PeerStates, PeerView, Situation};
use crate::radio::{Radio, network_key};
use crate::ram_test::{self, RAM_WORDS};
use crate::settings::Settings;
use crate::simplecan::SimpleCan;
use crate::starting::compare;
use crate::tool::{FORWARDS_A_TICK, requests};
use crate::trip::{Outcome, Trip};

/// Radio packets judged in one tick; a flood of more is dropped (own number, SSM-06).
const RADIO_A_TICK: usize = 8;
/// CAN frames judged in one tick (own number, SSM-06).
const CAN_A_TICK: usize = 16;

/// A CPU in normal mode.
#[derive(Clone, Debug)]
pub struct NormalMode {
    base: Base,
    access: Access,
    settings: Settings,
    since: Instant,
    /// The peer's states in this tick.
    peer: PeerView,
    peer_states: PeerStates,
    feeds: Feeds,
    inputs: Inputs,
    logic: Logic,
    outputs: Outputs,
    radio: Radio,
    can: SimpleCan,
    ram_test: ram_test::RunningTest,
    flash_test: flash_test::RunningTest,
}

impl NormalMode {
    pub(crate) fn enter(mut base: Base, found: Found, settings: Settings, now: Instant) -> Self {
        base.link.begin_supervision();
        let key = network_key(settings.hash, found.release.hash, &settings.network);
        Self {
            access: Access { serial: found.production.serial, password: settings.password },
            since: now,
            peer: PeerView::default(),
            peer_states: PeerStates::default(),
            feeds: Feeds::default(),
            inputs: Inputs::new(&settings),
            logic: Logic::new(&settings.blocks),
            outputs: Outputs::new(),
            radio: Radio::new(key, &settings.network, base.boot.restarts),
            can: SimpleCan::new(key, &settings.network),
            ram_test: ram_test::RunningTest::new(RAM_WORDS),
            flash_test: flash_test::RunningTest::new(found.reference, Scope::Whole),
            base,
            settings,
        }
    }

    pub(crate) const fn access(&self) -> Access {
        self.access
    }

    pub(crate) fn step<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> Outcome<TickOutputs> {
        let mut flow = Flow::begin(inputs.tick);
        let mut outputs = TickOutputs { mode: Mode::Normal, ..TickOutputs::default() };
        self.base.count(now, inputs, &mut flow)?;
        let good = self.base.receive(inputs, &mut flow);
        self.supervise(now, &good, &mut flow)?;
        self.base.measure(inputs, &mut flow);
        self.judge_voltages(inputs, &good, &mut flow)?;
        self.take_forwarded(now, inputs, &mut outputs, &mut flow)?;
        let volts = self.base.volts;
        let seen = self.inputs.read(now, inputs, &volts, &self.settings, &mut outputs, &mut flow)?;
        let sinks = self.evaluate(now, seen, &mut outputs, &mut flow);
        let demand = Demand { outputs_on: sinks.outputs_on, relays_on: sinks.relays_on };
        let situation = Situation { supply: analog::supply(&volts), demand, peer: self.peer };
        self.outputs.drive(inputs, situation, &self.settings, &mut outputs, &mut flow)?;
        self.send(inputs, seen, &sinks, &mut outputs, &mut flow);
        self.ram_test.stage(ram, &mut flow)?;
        self.flash_test.stage(flash, &mut flow)?;
        flow.check(NORMAL)?;
        if outputs.reset.is_some() {
            outputs = TickOutputs { reset: outputs.reset, ..outputs_off(Mode::Normal) };
        }
        outputs.watchdog = true;
        Ok(outputs)
    }

    /// Identity, mode, silence, losses and clock of the peer (SSR-013, SSR-020, SSR-021, SSR-062, SSR-065).
    fn supervise(&mut self, now: Instant, good: &Good, flow: &mut Flow) -> Outcome {
        for packet in good {
            compare(&self.base.identity, packet)?;
            let at_first = now.since(self.since) <= C2C_SILENCE;
            match meaning(true, packet.mode) {
                Meaning::Fits => {}
                Meaning::FitsAtFirst if at_first => {}
                _ => return Err(Trip::new(Fault::PeerMode, packet.mode as u32)),
            }
        }
        self.peer = self.peer_states.update(good);
        self.base.link.supervise(now)?;
        flow.pass(Stage::Supervise);
        Ok(())
    }

    /// Radio packets, CAN frames and tool messages that CPU1 passed on; of the tool only a right `Enter` has an effect
    /// (SSR-038, SSR-053, SSR-054).
    fn take_forwarded(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        outputs: &mut TickOutputs,
        flow: &mut Flow,
    ) -> Outcome {
        let of = |channel| {
            let messages = inputs.forward.iter().take(FORWARDS_A_TICK);
            messages.filter(move |message| message.channel == channel).map(|message| &message.bytes)
        };
        for bytes in of(Channel::Radio).take(RADIO_A_TICK) {
            self.radio.receive(now, bytes, &self.settings.network);
        }
        for bytes in of(Channel::Can).take(CAN_A_TICK) {
            let taken = self.can.receive(now, bytes);
            taken.map_err(|masquerade| Trip::new(Fault::CanMasquerade, masquerade.0))?;
        }
        outputs.reset = requests(inputs.forward).find_map(|(_, request)| self.access.enters(&request));
        flow.pass(Stage::Forwarded);
        Ok(())
    }

    fn judge_voltages(&mut self, inputs: &TickInputs<'_>, good: &Good, flow: &mut Flow) -> Outcome {
        let rail = analog::rail_millivolts(inputs.analog.rail);
        self.feeds.judge(&self.base.volts, rail, self.outputs.feed(), &self.settings.feeds)?;
        for packet in good {
            let Settings { mismatch, mismatch_debounce, .. } = self.settings;
            self.base.comparison.judge(&packet.volts, mismatch, mismatch_debounce, busy_pins(&self.settings.pins))?;
        }
        flow.pass(Stage::Voltages);
        Ok(())
    }

    /// The logic believes ON only what both CPUs see (SSR-032).
    fn evaluate(&mut self, now: Instant, seen: Seen, outputs: &mut TickOutputs, flow: &mut Flow) -> Sinks {
        self.radio.age(now);
        self.can.age(now);
        let inputs_on = seen.on & self.peer.inputs_on;
        let sinks = self.logic.evaluate(&Sources {
            inputs_on,
            inputs_error: seen.error,
            outputs_error: self.peer.outputs_failed,
            memories: self.radio.memories(),
            can: self.can.values(),
        });
        outputs.trace = LogicTrace {
            evaluated: true,
            inputs_on,
            inputs_error: seen.error,
            outputs_error: self.peer.outputs_failed,
            outputs_on: sinks.outputs_on,
            relays_on: sinks.relays_on,
            pins_read: outputs.trace.pins_read,
        };
        flow.pass(Stage::Logic);
        sinks
    }

    /// The packet to the peer, and what CPU1 shall send on radio and CAN.
    fn send(&mut self, inputs: &TickInputs<'_>, seen: Seen, sinks: &Sinks, outputs: &mut TickOutputs, flow: &mut Flow) {
        let mut packet = self.base.packet(Mode::Normal, inputs.relay_feedback);
        packet.main_on = outputs.main != 0;
        packet.inputs_on = seen.on;
        packet.outputs_on = sinks.outputs_on;
        packet.relays_on = sinks.relays_on;
        outputs.c2c = Some(packet.encode());
        let radio = self.radio.send(self.base.steps, &sinks.memories);
        let can = self.can.send(&sinks.can);
        forward(outputs, Channel::Radio, radio);
        forward(outputs, Channel::Can, can);
        flow.pass(Stage::Packet);
    }
}

/// Room is there: two messages at most are passed on in a tick.
fn forward(outputs: &mut TickOutputs, channel: Channel, bytes: Option<Bytes>) {
    if let Some(bytes) = bytes {
        let _ = outputs.forward.push(Forward { channel, bytes });
    }
}
