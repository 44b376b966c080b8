//! Firmware of a coolant pump: the application and the CAN bootloader that replaces it.
//!
//! ```text
//!            reset
//!              |
//!        +-----v------+  image good and no boot request   +-------------+
//!        |  checking  |---------------------------------->| application |
//!        | (validity) |                                   +------+------+
//!        +-----+------+                        0x10 02 in standby|: answer, boot request, reset
//!              | boot request, or no good image                  v
//!        +-----v------------------------------------+          reset
//!        | bootloader: session, security, erase,    |
//!        | download, transfer, exit, check, reset   |--- 0x11, or 30 s silence and a good image ---> reset
//!        +------------------------------------------+
//! ```
//! [`Pump`] owns everything that a reset clears; what a reset keeps is [`Retained`]. The host calls [`Pump::step`] when
//! something came in or [`Outputs::wake_at`] has come, and carries out what [`Outputs`] asks for.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod config;
pub mod flash_map;

use embedded_can::StandardId;
use heapless::Vec;
use protocol::Frame;
use units::{DeciCelsius, Duration, Instant, Milliamps, Millivolts, Permille};

pub use config::Config;
pub use protocol::cyclic::PumpState;

/// Why the CPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetCause {
    /// Supply came up.
    PowerOn,
    /// Supply had fallen below the brown-out level; memory cannot be trusted.
    BrownOut,
    /// The firmware asked for it.
    Software,
    /// The watchdog was not served.
    Watchdog,
}

/// What is kept over a reset and lost with power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Retained {
    boot_request: bool,
    key_failures: u8,
    lock_out_rest: Duration,
    seed_state: u32,
}

impl Retained {
    /// Whether the next boot stays in the bootloader.
    #[must_use]
    pub const fn boot_request(&self) -> bool {
        self.boot_request
    }
}

/// The application slot as memory; see [`flash_map`].
pub trait FlashMemory {
    /// Copies from `address` on; `false` if any byte lies outside the slot.
    fn read(&self, address: u32, into: &mut [u8]) -> bool;
}

/// One operation of the flash controller. The core is stalled until it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlashCommand {
    /// Sets every bit of a sector.
    Erase {
        /// 0 to 3.
        sector: u8,
    },
    /// Clears bits of one word.
    Program {
        /// In the slot, a multiple of 4.
        address: u32,
        /// Little endian in memory.
        word: u32,
    },
}

/// How a flash operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlashResult {
    /// As asked.
    Done,
    /// The controller reports an error; the memory may hold anything.
    Failed,
}

/// What has happened since the last step, and what the sensors say now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// A frame from the receive FIFO.
    pub received: Option<Frame>,
    /// A frame of ours with this id has left the controller.
    pub sent: Option<StandardId>,
    /// How many transmit mailboxes are empty, 0 to 3.
    pub mailboxes_free: u8,
    /// The flash operation asked for has ended.
    pub flash: Option<FlashResult>,
    /// Supply voltage.
    pub supply: Millivolts,
    /// Motor speed.
    pub speed: Permille,
    /// Motor current.
    pub current: Milliamps,
    /// Temperature of the electronics.
    pub temperature: DeciCelsius,
}

/// What the host shall do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Frames for the free mailboxes, never more than [`Inputs::mailboxes_free`].
    pub frames: Vec<Frame, 3>,
    /// Give up sending the frame with this id.
    pub abort: Option<StandardId>,
    /// Start this operation; [`Inputs::flash`] tells its end. [`Outputs::wake_at`] does not count until then.
    pub flash: Option<FlashCommand>,
    /// Speed command of the motor, 0 is stop.
    pub motor: Permille,
    /// Reset the CPU now, with [`ResetCause::Software`] and [`Pump::retained`].
    pub reset: bool,
    /// When to step again if nothing else happens; may be now.
    pub wake_at: Option<Instant>,
}

/// One pump's CPU.
#[derive(Clone, Debug)]
pub struct Pump {
    config: Config,
    retained: Retained,
    state: PumpState,
}

impl Pump {
    /// The CPU after a reset; [`Self::step`] must follow at once.
    #[must_use]
    pub fn boot(config: Config, cause: ResetCause, retained: Retained) -> Self {
        let retained = match cause {
            ResetCause::PowerOn | ResetCause::BrownOut => Retained::default(),
            ResetCause::Software | ResetCause::Watchdog => retained,
        };
        Self { config, retained, state: PumpState::Bootloader }
    }

    /// Runs once; `now` is the time since reset on this CPU's clock.
    pub fn step(&mut self, now: Instant, inputs: &Inputs, flash: &impl FlashMemory) -> Outputs {
        let _ = (now, inputs, flash, self.config);
        Outputs::default()
    }

    /// What a reset keeps.
    #[must_use]
    pub fn retained(&self) -> Retained {
        self.retained
    }

    /// The state as the status reports it.
    #[must_use]
    pub fn state(&self) -> PumpState {
        self.state
    }
}
