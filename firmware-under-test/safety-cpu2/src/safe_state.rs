//! The safe state: everything off, for good (SSR-042, SSR-043, SSR-047).
//!
//! [`SafeState::step`] takes the state by value and can only give the same state back. No function of this crate takes
//! a [`SafeState`] and gives another mode; only a reset, after which the firmware boots anew, ends it.
//!
//! Diverse: silence is one constant set of outputs, to which only the log and the restart are added.
//!
//! What stays in the safe state compiles:
//! ```
//! use safety_common::io::TickInputs;
//! use safety_cpu2::SafeState;
//! fn stay(safe: SafeState, now: units::Instant, inputs: &TickInputs<'_>) -> SafeState {
//!     safe.step(now, inputs).0
//! }
//! ```
//! What leaves it does not, neither to normal nor to configuration mode:
//! ```compile_fail,E0308
//! use safety_common::io::TickInputs;
//! use safety_cpu2::{NormalMode, SafeState};
//! fn leave(safe: SafeState, now: units::Instant, inputs: &TickInputs<'_>) -> NormalMode {
//!     safe.step(now, inputs).0
//! }
//! ```
//! ```compile_fail,E0308
//! use safety_common::io::TickInputs;
//! use safety_cpu2::{ConfigurationMode, SafeState};
//! fn leave(safe: SafeState, now: units::Instant, inputs: &TickInputs<'_>) -> ConfigurationMode {
//!     safe.step(now, inputs).0
//! }
//! ```
//! And the state before a step is gone after it:
//! ```compile_fail,E0382
//! use safety_common::io::TickInputs;
//! use safety_cpu2::SafeState;
//! fn twice(safe: SafeState, now: units::Instant, inputs: &TickInputs<'_>) -> SafeState {
//!     let _ = safe.step(now, inputs);
//!     safe.step(now, inputs).0
//! }
//! ```

use safety_common::fault::{Detection, Fault};
use safety_common::io::{Mode, TickInputs, TickOutputs};
use units::Instant;

use crate::access::Access;
use crate::base::outputs_off;
use crate::tool;

/// Contacts and transistors may take this many ticks to let go before they are logged (own number).
const SETTLE_TICKS: u32 = 100;

/// The safe state of this CPU. Clone is for an observer's copy; no copy leads anywhere else either.
#[derive(Clone, Debug)]
pub struct SafeState {
    /// Who may restart the unit into the configuration mode, if production data were good.
    access: Option<Access>,
    ticks: u32,
    /// Pins and contacts that were reported as still driven.
    logged_pins: u16,
    logged_contacts: u8,
}

impl SafeState {
    /// Enters; the first outputs are those of [`Self::entry`].
    pub(crate) const fn enter(access: Option<Access>) -> Self {
        Self { access, ticks: 0, logged_pins: 0, logged_contacts: 0 }
    }

    /// The outputs of the step that enters the safe state: off at once, nothing else leaves.
    pub(crate) fn entry(cause: Detection) -> TickOutputs {
        let mut outputs = silence();
        // Room is there: these outputs are fresh.
        let _ = outputs.detections.push(cause);
        outputs
    }

    /// One tick: everything is set off again; a right `Enter` restarts the CPU (SSR-050).
    #[must_use]
    pub fn step(mut self, now: Instant, inputs: &TickInputs<'_>) -> (Self, TickOutputs) {
        let mut outputs = silence();
        self.ticks = self.ticks.saturating_add(1);
        if self.ticks > SETTLE_TICKS {
            self.log(now, inputs, &mut outputs);
        }
        if let Some(access) = self.access {
            outputs.reset = tool::requests(inputs.forward).find_map(|(_, request)| access.enters(&request));
        }
        (self, outputs)
    }

    /// Reports each pin and contact that is driven all the same, once.
    fn log(&mut self, now: Instant, inputs: &TickInputs<'_>, outputs: &mut TickOutputs) {
        for (pin, conducts) in inputs.drivers.iter().enumerate() {
            let bit = 1u16.checked_shl(pin as u32).unwrap_or(0);
            let detection = Detection { fault: Fault::OutputDriver, detail: pin as u32, at: now };
            if *conducts != 0 && self.logged_pins & bit == 0 && outputs.detections.push(detection).is_ok() {
                self.logged_pins |= bit;
            }
        }
        for contact in 0..4u32 {
            let bit = 1u8.checked_shl(contact).unwrap_or(0);
            let detection = Detection { fault: Fault::Relay, detail: contact, at: now };
            let closed = inputs.relay_feedback & bit != 0 && self.logged_contacts & bit == 0;
            if closed && outputs.detections.push(detection).is_ok() {
                self.logged_contacts |= bit;
            }
        }
    }
}

fn silence() -> TickOutputs {
    TickOutputs { watchdog: true, ..outputs_off(Mode::Safe) }
}
