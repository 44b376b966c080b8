//! The safe state: every output off, again in every tick, for ever.
//!
//! SSR-042, SSR-043, SSR-047.

use safety_common::fault::{Detection, Fault};
use safety_common::io::{Led, Mode, TickInputs, TickOutputs};
use units::Instant;

use crate::Trip;
use crate::tool::{About, Desk};

/// A contact has opened after this many ticks, whatever is configured (own number).
const CONTACT_TICKS: u32 = 100;

/// The safe state. [`SafeState::step`] takes it and gives back nothing but a safe state, and it has no other way out:
///
/// ```compile_fail
/// fn leave(safe: safety_cpu1::SafeState, now: units::Instant, inputs: &safety_common::io::TickInputs<'_>) -> safety_cpu1::Normal {
///     safe.step(now, inputs).0
/// }
/// ```
/// while the same function with the type it has compiles:
/// ```
/// fn stay(safe: safety_cpu1::SafeState, now: units::Instant, inputs: &safety_common::io::TickInputs<'_>) -> safety_cpu1::SafeState {
///     safe.step(now, inputs).0
/// }
/// ```
/// Nor can a normal mode be made from outside:
/// ```compile_fail
/// fn make() -> safety_cpu1::Normal {
///     safety_cpu1::Normal::default()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SafeState {
    cause: Detection,
    desk: Option<Desk>,
    about: About,
    ticks: u32,
    /// What was seen amiss in the last step: each pin's driver, then the feedback of the relays.
    amiss: (u16, u8),
}

impl SafeState {
    pub(crate) fn enter(trip: Trip, now: Instant, desk: Option<Desk>, about: About) -> Self {
        let about = About { mode: Mode::Safe, ..about };
        Self { cause: trip.at(now), desk, about, ticks: 0, amiss: (0, 0) }
    }

    /// Why the unit is in safe state.
    #[must_use]
    pub const fn cause(&self) -> Detection {
        self.cause
    }

    /// What the step that entered the safe state puts out.
    pub(crate) fn entry_outputs(&self) -> TickOutputs {
        let mut out = off();
        let _ = out.detections.push(self.cause);
        out
    }

    /// One tick: everything off again, outputs watched, the tool heard.
    #[must_use]
    pub fn step(mut self, now: Instant, inputs: &TickInputs<'_>) -> (Self, TickOutputs) {
        let mut out = off();
        self.ticks = self.ticks.saturating_add(1);
        self.watch(now, inputs, &mut out);
        if let Some(desk) = &mut self.desk {
            desk.serve_outside_configuration(inputs, &self.about, &mut out);
            if desk.identifies() {
                out.led = Led::Identify;
            }
        }
        (self, out)
    }

    /// Logs an output that is on although it is told off, once each time it begins.
    fn watch(&mut self, now: Instant, inputs: &TickInputs<'_>, out: &mut TickOutputs) {
        // The samples of the first steps still show the tables of before.
        let drivers = if self.ticks > 2 { driving(inputs) } else { 0 };
        let contacts = if self.ticks > CONTACT_TICKS { inputs.relay_feedback } else { 0 };
        let (old_drivers, old_contacts) = core::mem::replace(&mut self.amiss, (drivers, contacts));
        let new_pins = drivers & !old_drivers;
        let new_contacts = contacts & !old_contacts;
        if new_pins != 0 {
            let _ = out.detections.push(Trip::new(Fault::OutputDriver, new_pins.trailing_zeros()).at(now));
        }
        if new_contacts != 0 {
            let _ = out.detections.push(Trip::new(Fault::Relay, new_contacts.trailing_zeros()).at(now));
        }
    }
}

/// Pins whose transistor conducted.
pub(crate) fn driving(inputs: &TickInputs<'_>) -> u16 {
    let drivers = inputs.drivers.iter().zip(0u32..);
    drivers.fold(0, |set, (conducted, at)| set | u16::from(*conducted != 0) << at)
}

/// Nothing on, nothing sent.
fn off() -> TickOutputs {
    TickOutputs { all_off: true, led: Led::Safe, watchdog: true, mode: Mode::Safe, ..TickOutputs::default() }
}
