//! Firmware of CPU2 of the safety unit, the second of two different channels.
//!
//! ```text
//!           reset                         internal fault: from every mode
//!             |                                        |
//!       +-----v-----+  peer ready, same identity  +----v-------+
//!       |  Starting |---------------------------->|            |
//!       +--+-----+--+                             |            |
//!          |     |        +------------+   fault  |            |
//!          |     +------->| NormalMode |--------->|  SafeState |
//!          |              +------------+          |            |
//!          |  right request kept by a software    |            |
//!          |  reset       +-------------------+   |            |
//!          +------------->| ConfigurationMode |-->|            |
//!                         +-------------------+   +------------+
//! ```
//! [`Cpu2`] owns everything that a reset clears. The host makes it with [`Cpu2::boot`] and calls [`Cpu2::step`] once a
//! tick; if the tick's time runs out it calls [`Cpu2::deadline`] instead of waiting. `SAFETY.md` beside this crate tells
//! what the unit does and why; `safety-common` holds the formats.
//!
//! **Its duties**: the main transistor with its test dip, contact 2 of both relays, 3V3A and `SIO_PWR`, the rule that no
//! output stays on against this CPU's logic, the hash of radio packets and a frame to compare for every CAN entry.
//!
//! **Diversity.** Each module says at its head how it goes another way than usual. In short: CRC by nibbles of a word
//! (`crc`), RAM test of Nair, Thatte and Abraham from the top down (`ram_test`), flash by sectors (`flash_test`), tables
//! for configuration limits, blocks and modes (`configuration`, `link`), a line through the best points for the clock
//! (`drift`), envelopes of scans for voltages (`analog`), windows over samples for signals (`signal`), look-up tables for
//! the diagram (`logic`), counters in bit slices (`sliced`), one job at a time for the download (`download`).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice)
)]

#[cfg(test)]
extern crate std;

mod access;
mod analog;
mod base;
mod bytes;
mod chaskey;
mod configuration;
mod configuration_mode;
mod crc;
mod download;
mod drift;
mod flash_test;
mod flow;
mod inputs;
mod link;
mod logic;
mod normal;
mod outputs;
mod packet;
mod radio;
mod ram_test;
mod safe_state;
mod settings;
mod signal;
mod simplecan;
mod sliced;
mod starting;
mod tool;
mod trip;
mod twice;

use safety_common::fault::Fault;
use safety_common::io::{BootInputs, FlashPort, Mode, RamPort, TickInputs, TickOutputs};
use units::Instant;

use starting::{Next, Starting};
use trip::Trip;

pub use configuration_mode::{AfterConfiguration, ConfigurationMode};
pub use normal::NormalMode;
pub use ram_test::RAM_WORDS;
pub use safe_state::SafeState;

/// The mode a CPU is in, with all its state.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no allocation to put the large ones into")]
enum Machine {
    Starting(Starting),
    Normal(NormalMode),
    Configuration(ConfigurationMode),
    Safe(SafeState),
}

/// CPU2 of a safety unit.
#[derive(Clone, Debug)]
pub struct Cpu2 {
    machine: Machine,
}

impl Cpu2 {
    /// Starts after any reset; outputs are off until normal mode.
    #[must_use]
    pub fn boot(inputs: BootInputs) -> Self {
        Self { machine: Machine::Starting(Starting::new(inputs)) }
    }

    /// The mode after the last step.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match &self.machine {
            Machine::Starting(starting) => starting.mode(),
            Machine::Normal(_) => Mode::Normal,
            Machine::Configuration(_) => Mode::Configuration,
            Machine::Safe(_) => Mode::Safe,
        }
    }

    /// One tick: `now` is this CPU's own clock at its start.
    pub fn step<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> TickOutputs {
        let result = match &mut self.machine {
            Machine::Starting(starting) => starting.step(now, inputs, ram, flash),
            Machine::Normal(normal) => normal.step(now, inputs, ram, flash).map(|outputs| (outputs, Next::Stay)),
            Machine::Configuration(_) | Machine::Safe(_) => return self.step_last(now, inputs, ram, flash),
        };
        match result {
            Ok((outputs, next)) => self.follow(outputs, next, now),
            Err(trip) => self.trip(trip, now),
        }
    }

    /// The tick's time has run out before the step has come to its end: safe state, now (SSR-014, SSM-10).
    pub fn deadline(&mut self, now: Instant) -> TickOutputs {
        self.trip(Trip::new(Fault::LogicTime, 0), now)
    }

    /// The two modes that only a reset leaves: their step takes them and tells what they are afterwards.
    fn step_last<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> TickOutputs {
        let (machine, outputs) = match self.take() {
            Machine::Safe(safe) => {
                let (safe, outputs) = safe.step(now, inputs);
                (Machine::Safe(safe), outputs)
            }
            Machine::Configuration(mode) => match mode.step(now, inputs, ram, flash) {
                (AfterConfiguration::Same(mode), outputs) => (Machine::Configuration(mode), outputs),
                (AfterConfiguration::Safe(safe), outputs) => (Machine::Safe(safe), outputs),
            },
            other @ (Machine::Starting(_) | Machine::Normal(_)) => (other, TickOutputs::default()),
        };
        self.machine = machine;
        outputs
    }

    /// Leaves start-up if it is over.
    fn follow(&mut self, mut outputs: TickOutputs, next: Next, now: Instant) -> TickOutputs {
        if next == Next::Stay {
            return outputs;
        }
        if let Machine::Starting(starting) = self.take() {
            match (next, starting.heritage()) {
                (Next::Normal, Some((base, found, Some(settings)))) => {
                    self.machine = Machine::Normal(NormalMode::enter(base, found, settings, now));
                }
                (Next::Configuration, Some((base, found, _))) => {
                    self.machine = Machine::Configuration(ConfigurationMode::enter(base, found));
                }
                // Start-up says "over" only with its heritage complete; otherwise the safe state stays in its place.
                _ => {}
            }
        }
        outputs.mode = self.mode();
        outputs
    }

    fn trip(&mut self, trip: Trip, now: Instant) -> TickOutputs {
        let access = match &self.machine {
            Machine::Starting(starting) => starting.access(),
            Machine::Normal(normal) => Some(normal.access()),
            Machine::Configuration(mode) => Some(mode.access()),
            // Already there: the state goes on as it is.
            Machine::Safe(_) => return SafeState::entry(trip.at(now)),
        };
        self.machine = Machine::Safe(SafeState::enter(access));
        SafeState::entry(trip.at(now))
    }

    /// Takes the mode out; the safe state stands in its place.
    fn take(&mut self) -> Machine {
        core::mem::replace(&mut self.machine, Machine::Safe(SafeState::enter(None)))
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
