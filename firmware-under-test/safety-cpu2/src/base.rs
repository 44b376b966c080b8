//! What every mode of this CPU needs: its count of ticks, link and identity.
//!
//! SSR-012 to SSR-014.
//!
//! A base is made at reset and handed from mode to mode; the safe state keeps none of it.
//!
//! Diverse: one value that moves from mode to mode by ownership; a mode cannot use what it was not handed.

use safety_common::fault::Fault;
use safety_common::io::{BootInputs, Mode, TickInputs, TickOutputs};
use safety_common::{LOGIC_TIME_NS_MOST, TICK};
use units::{Duration, Instant};

use crate::analog::{self, Comparison};
use crate::flow::{Flow, Stage};
use crate::link::{Good, Link};
use crate::packet::{CHANNELS, Identity, Packet};
use crate::trip::{Outcome, Trip};

/// The interval of two steps may be off by this much: 0.1 % (SSR-013).
const INTERVAL_TOLERANCE: Duration = Duration::from_micros(1);

/// Count, link and measurement of a CPU.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) boot: BootInputs,
    /// Steps since reset: the counter of the C2C packet.
    pub(crate) steps: u32,
    pub(crate) link: Link,
    pub(crate) identity: Identity,
    pub(crate) comparison: Comparison,
    /// The scan of this step in millivolts.
    pub(crate) volts: [u16; CHANNELS],
    last: Option<(u32, Instant)>,
}

impl Base {
    pub(crate) fn new(boot: BootInputs) -> Self {
        Self {
            boot,
            steps: 0,
            link: Link::default(),
            identity: Identity::default(),
            comparison: Comparison::default(),
            volts: [0; CHANNELS],
            last: None,
        }
    }

    /// First stage: tick count, interval, time of the last logic (SSR-012 to SSR-014).
    pub(crate) fn count(&mut self, now: Instant, inputs: &TickInputs<'_>, flow: &mut Flow) -> Outcome {
        flow.pass(Stage::Count);
        self.steps = self.steps.wrapping_add(1);
        if inputs.logic_time_ns > LOGIC_TIME_NS_MOST {
            return Err(Trip::new(Fault::LogicTime, inputs.logic_time_ns));
        }
        let (tick, at) = match self.last.replace((inputs.tick, now)) {
            Some(last) => last,
            None => return Ok(()),
        };
        let interval = now.since(at);
        let regular = interval.plus(INTERVAL_TOLERANCE) >= TICK && interval <= TICK.plus(INTERVAL_TOLERANCE);
        if inputs.tick == tick.wrapping_add(1) && regular {
            Ok(())
        } else {
            Err(Trip::new(Fault::TickCount, inputs.tick))
        }
    }

    /// Second stage: the good packets of the peer.
    pub(crate) fn receive(&mut self, inputs: &TickInputs<'_>, flow: &mut Flow) -> Good {
        flow.pass(Stage::Receive);
        self.link.tick();
        self.link.take(inputs.c2c)
    }

    /// Third stage: own scan.
    pub(crate) fn measure(&mut self, inputs: &TickInputs<'_>, flow: &mut Flow) {
        flow.pass(Stage::Measure);
        self.volts = analog::scan(&inputs.analog);
        self.comparison.keep(self.volts);
    }

    /// A packet with what every mode says; normal mode adds its states.
    pub(crate) fn packet(&self, mode: Mode, relay_feedback: u8) -> Packet {
        Packet {
            mode,
            main_on: false,
            counter: self.steps,
            identity: self.identity,
            volts: self.volts,
            inputs_on: 0,
            outputs_on: 0,
            outputs_failed: 0,
            relays_on: 0,
            relay_feedback,
        }
    }
}

/// Outputs with everything off, in a mode that is not the safe state.
pub(crate) fn outputs_off(mode: Mode) -> TickOutputs {
    TickOutputs { all_off: true, mode, ..TickOutputs::default() }
}
