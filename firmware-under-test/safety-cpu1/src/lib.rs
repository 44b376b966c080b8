//! Firmware of CPU1 of the safety unit: it switches each output.
//!
//! It reads every input and runs the user's logic, beside a CPU2 of another design.
//!
//! ```text
//!   inputs --> [heart, peer, power, networks, inputs, read-back, logic, outputs, relays, packet, RAM, flash, flow] --> outputs
//!                 any internal fault: SafeState, which nothing leaves
//!
//!   boot --> Starting --> Normal -------> SafeState
//!               |  |                          ^
//!               |  +--> Configuring (a fault locks it: a SafeState inside)
//!               +-----------------------------+
//! ```
//! The host calls [`Cpu1::step`] at the start of every tick and carries out what the outputs say; [`Cpu1::deadline`] is the
//! hardware timer's interrupt for a tick that takes too long. `SAFETY.md` beside this crate is the architecture; requirement ids
//! (`SSR-nnn`) in comments and tests are those of the requirement list.
//!
//! The board's `main` wraps the step in a loop that never ends, the one exception to bounded loops. No feature, no `cfg` and no
//! configuration switches a measure off.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod bytes;
mod can;
mod chaskey;
mod configuration;
mod configuring;
mod flash_test;
mod flow;
mod heart;
mod inputs;
mod normal;
mod outputs;
mod packet;
mod peer;
mod power;
mod program;
mod radio;
mod ram_test;
mod recent;
mod relays;
mod safe;
mod signal_in;
mod signal_out;
mod starting;
mod sums;
#[cfg(test)]
mod tests;
mod tool;
mod trip;
mod twice;

#[cfg(test)]
use tests::testing;

use safety_common::fault::{Detection, Fault};
use safety_common::io::{BootInputs, FlashPort, Mode, RamPort, TickInputs, TickOutputs};
use units::Instant;

use starting::Exit;
use trip::{Notes, Trip};

pub use configuring::Configuring;
pub use normal::Normal;
pub use ram_test::RAM_WORDS;
pub use safe::SafeState;
pub use starting::Starting;

/// The CPU with everything that a reset clears.
#[derive(Clone)]
pub struct Cpu1 {
    state: State,
}

/// The mode and what belongs to it.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one value of it, and no allocator")]
enum State {
    Starting(Starting),
    Normal(Normal),
    Configuring(Configuring),
    Safe(SafeState),
}

impl Cpu1 {
    /// The CPU after a reset; the one way into any mode.
    #[must_use]
    pub fn boot(boot: &BootInputs) -> Self {
        Self { state: State::Starting(Starting::new(boot)) }
    }

    /// The mode it is in.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match &self.state {
            State::Starting(starting) => starting.mode(),
            State::Normal(_) => Mode::Normal,
            State::Configuring(configuring) => configuring.mode(),
            State::Safe(_) => Mode::Safe,
        }
    }

    /// Why the unit is in safe state, if it is.
    #[must_use]
    pub fn safe_cause(&self) -> Option<Detection> {
        match &self.state {
            State::Safe(safe) => Some(safe.cause()),
            State::Configuring(configuring) => configuring.locked().map(SafeState::cause),
            State::Starting(_) | State::Normal(_) => None,
        }
    }

    /// One tick; `now` is the time since reset on this CPU's clock.
    pub fn step(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> TickOutputs {
        match &mut self.state {
            State::Starting(starting) => {
                let (out, exit) = starting.step(now, inputs, ram, flash);
                if let Some(exit) = exit {
                    self.state = exit.into();
                }
                out
            }
            State::Normal(normal) => match normal.step(now, inputs, ram, flash) {
                Ok(out) => out,
                Err(trip) => {
                    let safe = normal.safe_state(trip, now);
                    self.enter(safe)
                }
            },
            State::Configuring(configuring) => {
                let (next, out) = configuring.clone().step(now, inputs, ram, flash);
                *configuring = next;
                out
            }
            State::Safe(safe) => {
                let (next, out) = safe.clone().step(now, inputs);
                *safe = next;
                out
            }
        }
    }

    /// The hardware timer: the logic of this tick has not ended after 812.5 us (SSM-10, SSR-014). The step that it interrupts
    /// has no outputs.
    pub fn deadline(&mut self, now: Instant) -> TickOutputs {
        let trip = Trip::new(Fault::LogicTime, 0);
        match &mut self.state {
            State::Starting(starting) => {
                let safe = starting.safe_state(trip, now);
                self.enter(safe)
            }
            State::Normal(normal) => {
                let safe = normal.safe_state(trip, now);
                self.enter(safe)
            }
            State::Configuring(configuring) => {
                let (next, out) = configuring.clone().lock(trip, now);
                *configuring = next;
                out
            }
            State::Safe(safe) => safe.entry_outputs(),
        }
    }

    fn enter(&mut self, safe: SafeState) -> TickOutputs {
        let out = safe.entry_outputs();
        self.state = State::Safe(safe);
        out
    }
}

impl From<Exit> for State {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Normal(normal) => Self::Normal(normal),
            Exit::Configuring(configuring) => Self::Configuring(configuring),
            Exit::Safe(safe) => Self::Safe(safe),
        }
    }
}

#[cfg(test)]
impl Cpu1 {
    /// For tests that play CPU2 in the configuration mode.
    fn own_answer(&self) -> Option<safety_common::io::Bytes> {
        match &self.state {
            State::Configuring(configuring) => configuring.own_answer(),
            _ => None,
        }
    }
}
