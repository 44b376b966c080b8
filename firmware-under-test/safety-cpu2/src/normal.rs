//! Normal mode: the stages of a tick, in order (SSR-012, SSR-046).
//!
//! Each stage may trip; then nothing of this tick leaves the CPU and the unit goes to the safe state.

use safety_common::io::{FlashPort, Mode, RamPort, TickInputs, TickOutputs};
use units::{Duration, Instant};

use crate::access::Access;
use crate::analog::{self, Feed, Feeds};
use crate::base::Base;
use crate::flash_test::{self, Found, Scope};
use crate::flow::{Flow, NORMAL, Stage};
use crate::link::{Good, Meaning, meaning};
use crate::packet::Packet;
use crate::ram_test::{self, RAM_WORDS};
use crate::settings::Settings;
use crate::starting::compare;
use crate::trip::{Outcome, Trip};
use safety_common::fault::Fault;

/// A peer may still say ready for this long after this CPU's change (SSR-065).
const READY_TOLERATED: Duration = safety_common::C2C_SILENCE;

/// A CPU in normal mode.
#[derive(Clone, Debug)]
pub struct NormalMode {
    base: Base,
    access: Access,
    settings: Settings,
    since: Instant,
    feeds: Feeds,
    ram_test: ram_test::RunningTest,
    flash_test: flash_test::RunningTest,
}

impl NormalMode {
    pub(crate) fn enter(mut base: Base, found: Found, settings: Settings, now: Instant) -> Self {
        base.link.begin_supervision();
        Self {
            access: Access { serial: found.production.serial, password: settings.password },
            since: now,
            feeds: Feeds::default(),
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
        self.supervise(now, &good)?;
        self.base.measure(inputs, &mut flow);
        self.judge_voltages(inputs, &good)?;
        outputs.c2c = Some(self.packet(inputs, &mut flow).encode());
        flow.pass(Stage::Ram);
        self.ram_test.slice(ram)?;
        flow.pass(Stage::Flash);
        self.flash_test.slice(flash)?;
        flow.check(NORMAL)?;
        outputs.watchdog = true;
        Ok(outputs)
    }

    /// Identity, mode, silence, losses and clock of the peer (SSR-013, SSR-020, SSR-021, SSR-062, SSR-065).
    fn supervise(&mut self, now: Instant, good: &Good) -> Outcome {
        for packet in good {
            compare(&self.base.identity, packet)?;
            let at_first = now.since(self.since) <= READY_TOLERATED;
            match meaning(true, packet.mode) {
                Meaning::Fits => {}
                Meaning::FitsAtFirst if at_first => {}
                _ => return Err(Trip::new(Fault::PeerMode, packet.mode as u32)),
            }
        }
        self.base.link.supervise(now)
    }

    fn judge_voltages(&mut self, inputs: &TickInputs<'_>, good: &Good) -> Outcome {
        let rail = analog::rail_millivolts(inputs.analog.rail);
        self.feeds.judge(&self.base.volts, rail, Feed::Settling, &self.settings.feeds)?;
        for packet in good {
            self.base.comparison.judge(&packet.volts, self.settings.mismatch, self.settings.mismatch_debounce)?;
        }
        Ok(())
    }

    fn packet(&self, inputs: &TickInputs<'_>, flow: &mut Flow) -> Packet {
        flow.pass(Stage::Packet);
        self.base.packet(Mode::Normal, inputs.relay_feedback)
    }
}
