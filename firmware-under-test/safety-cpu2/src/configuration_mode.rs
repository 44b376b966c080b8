//! Configuration mode: outputs off, configuration by the tool, no way but a reset.
//!
//! SSR-048 to SSR-055.
//!
//! Diverse: one watch over all outputs as a set, shared with start-up; the work itself is a machine of jobs (`download`).
//!
//! As in the safe state, [`ConfigurationMode::step`] takes the mode by value. It gives the same mode back, or the safe
//! state after an internal fault; no type says "normal".
//! ```
//! use safety_common::io::{FlashPort, RamPort, TickInputs};
//! use safety_cpu2::{AfterConfiguration, ConfigurationMode};
//! fn stay<R: RamPort, F: FlashPort>(
//!     mode: ConfigurationMode, now: units::Instant, inputs: &TickInputs<'_>, ram: &mut R, flash: &F,
//! ) -> AfterConfiguration {
//!     mode.step(now, inputs, ram, flash).0
//! }
//! ```
//! ```compile_fail,E0308
//! use safety_common::io::{FlashPort, RamPort, TickInputs};
//! use safety_cpu2::{ConfigurationMode, NormalMode};
//! fn leave<R: RamPort, F: FlashPort>(
//!     mode: ConfigurationMode, now: units::Instant, inputs: &TickInputs<'_>, ram: &mut R, flash: &F,
//! ) -> NormalMode {
//!     mode.step(now, inputs, ram, flash).0
//! }
//! ```

use safety_common::fault::Fault;
use safety_common::io::{FlashPort, Mode, RamPort, TickInputs, TickOutputs};
use units::Instant;

use crate::access::Access;
use crate::analog::{Run, sio_power};
use crate::base::{Base, outputs_off};
use crate::download::{Download, Token};
use crate::flash_test::{self, Found, Scope};
use crate::flow::{CONFIGURATION, Flow, Stage};
use crate::ram_test::{self, RAM_WORDS};
use crate::safe_state::SafeState;
use crate::starting::AllOff;
use crate::trip::{Outcome, Trip};

/// With no configuration to go by, the default limits hold: `SIO_PWR` in millivolts, and bad samples in a row.
const SIO_OFF_MV: u16 = 2_000;
const SIO_OFF_TICKS: u32 = 10;

/// A CPU in configuration mode.
#[derive(Clone, Debug)]
pub struct ConfigurationMode {
    base: Base,
    access: Access,
    all_off: AllOff,
    main: Run,
    download: Download,
    token: Token,
    ram_test: ram_test::RunningTest,
    flash_test: flash_test::RunningTest,
}

/// Where a step of the configuration mode leads: nowhere else.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no allocation to put the large one into")]
pub enum AfterConfiguration {
    /// The same mode.
    Same(ConfigurationMode),
    /// An internal fault.
    Safe(SafeState),
}

impl ConfigurationMode {
    pub(crate) fn enter(base: Base, found: Found) -> Self {
        let access = Access { serial: found.production.serial, password: found.production.password };
        Self {
            base,
            access,
            all_off: AllOff::default(),
            main: Run::default(),
            download: Download::new(found.production.serial),
            token: Token::for_configuration_mode(),
            ram_test: ram_test::RunningTest::new(RAM_WORDS),
            flash_test: flash_test::RunningTest::new(found.reference, Scope::WithoutConfiguration),
        }
    }

    pub(crate) const fn access(&self) -> Access {
        self.access
    }

    /// One tick.
    #[must_use]
    pub fn step<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> (AfterConfiguration, TickOutputs) {
        match self.tick(now, inputs, ram, flash) {
            Ok(outputs) => (AfterConfiguration::Same(self), outputs),
            Err(trip) => {
                let safe = SafeState::enter(Some(self.access));
                (AfterConfiguration::Safe(safe), SafeState::entry(trip.at(now)))
            }
        }
    }

    fn tick<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> Outcome<TickOutputs> {
        let mut flow = Flow::begin(inputs.tick);
        let mut outputs = outputs_off(Mode::Configuration);
        self.base.count(now, inputs, &mut flow)?;
        let _ = self.base.receive(inputs, &mut flow);
        self.base.measure(inputs, &mut flow);
        self.watch_outputs(inputs, &mut flow)?;
        self.download.tick(inputs, flash, &mut outputs, &self.token);
        flow.pass(Stage::Download);
        flow.pass(Stage::Packet);
        outputs.c2c = Some(self.base.packet(Mode::Configuration, inputs.relay_feedback).encode());
        self.ram_test.stage(ram, &mut flow)?;
        self.flash_test.stage(flash, &mut flow)?;
        flow.check(CONFIGURATION)?;
        outputs.watchdog = true;
        Ok(outputs)
    }

    /// Read-back of transistors and contacts: all are off in this mode (SSR-049).
    fn watch_outputs(&mut self, inputs: &TickInputs<'_>, flow: &mut Flow) -> Outcome {
        self.all_off.judge(self.base.steps, inputs, 0)?;
        let live = sio_power(&self.base.volts) > SIO_OFF_MV;
        if self.main.sample(live) > SIO_OFF_TICKS {
            return Err(Trip::new(Fault::MainTransistor, 0));
        }
        flow.pass(Stage::Outputs);
        Ok(())
    }
}
