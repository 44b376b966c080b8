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

mod application;
mod bootloader;
pub mod config;
pub mod flash_map;
mod link;
mod programming;
mod security;
#[cfg(test)]
mod testing;
pub mod validity;

use embedded_can::StandardId;
use heapless::Vec;
use protocol::Frame;
use protocol::cyclic::{Command, PumpFaults, Status};
use protocol::header::ImageHeader;
use units::{DeciCelsius, Duration, Instant, Milliamps, Millivolts, Permille};

use application::Application;
use bootloader::{Bootloader, Surroundings, Wishes};
use link::{Departure, Link, Sequel};
use security::Security;
use validity::ImageCheck;

pub use config::Config;
pub use protocol::cyclic::PumpState;
pub use validity::ImageFault;

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
    /// Give up sending the frame with this id; `frames` is empty then.
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
    now: Instant,
    link: Link,
    security: Security,
    boot_request: bool,
    request_waits: bool,
    mode: Mode,
}

/// Which of its programs the CPU runs.
#[derive(Clone, Debug)]
enum Mode {
    /// The bootloader checks the application before anything else.
    Checking {
        check: ImageCheck,
        stay: bool,
    },
    Application(Application),
    Bootloader(Bootloader),
}

impl Pump {
    /// The CPU after a reset; [`Self::step`] must follow at once.
    ///
    /// After a loss of power `retained` does not count, whatever it holds.
    #[must_use]
    pub fn boot(config: Config, cause: ResetCause, retained: Retained) -> Self {
        let retained = match cause {
            ResetCause::PowerOn | ResetCause::BrownOut => Retained::default(),
            ResetCause::Software | ResetCause::Watchdog => retained,
        };
        Self {
            config,
            now: Instant::ZERO,
            link: Link::new(&config),
            security: Security::new(config.number, &retained),
            boot_request: false,
            request_waits: false,
            mode: Mode::Checking { check: ImageCheck::with_marker(config.model), stay: retained.boot_request },
        }
    }

    /// Runs once; `now` is the time since reset on this CPU's clock.
    pub fn step(&mut self, now: Instant, inputs: &Inputs, flash: &impl FlashMemory) -> Outputs {
        self.now = now;
        let departure = self.take_events(now, inputs);
        let wishes = self.run(now, inputs, flash, departure);
        let mut out = Outputs { flash: wishes.flash, reset: wishes.reset, ..Outputs::default() };
        self.send_status(now, inputs);
        self.link.hand_out(now, inputs, &mut out);
        out.motor = self.motor();
        out.wake_at = match (wishes.flash, wishes.again || out.abort.is_some()) {
            (Some(_), _) => None,
            (None, true) => Some(now),
            (None, false) => Some(self.wake_at()),
        };
        out
    }

    /// What a reset keeps.
    #[must_use]
    pub fn retained(&self) -> Retained {
        self.security.retained(self.now, self.boot_request)
    }

    /// The state as the status reports it.
    #[must_use]
    pub fn state(&self) -> PumpState {
        match &self.mode {
            Mode::Checking { .. } => PumpState::Bootloader,
            Mode::Application(application) => application.state(),
            Mode::Bootloader(bootloader) if bootloader.is_updating() => PumpState::Updating,
            Mode::Bootloader(_) => PumpState::Bootloader,
        }
    }

    fn take_events(&mut self, now: Instant, inputs: &Inputs) -> Option<Departure> {
        let mut departure = inputs.sent.and_then(|id| self.link.on_sent(now, id));
        if let Some(frame) = &inputs.received {
            departure = departure.or(self.receive(now, frame));
        }
        departure.or(self.link.poll(now))
    }

    fn receive(&mut self, now: Instant, frame: &Frame) -> Option<Departure> {
        if let Mode::Application(application) = &mut self.mode
            && let Some(command) = Command::decode(self.config.number, frame)
        {
            application.on_command(now, command);
            return None;
        }
        // The request being worked on stays in the channel's buffer, so that nothing may overwrite it; and a response
        // that still waits may not be displaced, because a reset may hang on it.
        if self.holds_request() && self.link.is_request_part(frame) {
            return None;
        }
        let (complete, departure) = self.link.on_frame(now, frame);
        self.request_waits |= complete;
        departure
    }

    fn holds_request(&self) -> bool {
        let busy = matches!(&self.mode, Mode::Bootloader(bootloader) if bootloader.is_busy());
        self.request_waits || busy || self.link.has_response()
    }

    fn run(&mut self, now: Instant, inputs: &Inputs, flash: &impl FlashMemory, departure: Option<Departure>) -> Wishes {
        match &mut self.mode {
            Mode::Checking { check, stay } => {
                let stay = *stay;
                if let Some(verdict) = check.step(flash) {
                    self.decide(now, verdict.ok(), stay);
                }
                Wishes { again: true, ..Wishes::default() }
            }
            Mode::Application(_) => self.run_application(now, inputs, departure),
            Mode::Bootloader(_) => self.run_bootloader(now, inputs, flash, departure),
        }
    }

    /// The only way into the application: a good image (PFU-021) and no boot request.
    fn decide(&mut self, now: Instant, image: Option<ImageHeader>, stay: bool) {
        self.link.start_status(now);
        self.mode = match image {
            Some(image) if !stay => Mode::Application(Application::new(image, now)),
            image => Mode::Bootloader(Bootloader::new(image, now)),
        };
    }

    fn run_application(&mut self, now: Instant, inputs: &Inputs, departure: Option<Departure>) -> Wishes {
        let Mode::Application(application) = &mut self.mode else { return Wishes::default() };
        application.tick(now);
        if let Some(departure) = departure {
            application.on_departure(departure);
            self.boot_request |= departure.left && departure.sequel == Sequel::EnterBootloader;
            if departure.left && departure.sequel != Sequel::None {
                return Wishes { reset: true, ..Wishes::default() };
            }
        }
        if core::mem::replace(&mut self.request_waits, false) {
            let (response, sequel) = application.answer(self.link.message(), inputs.speed, &self.config);
            self.link.answer(response, sequel);
        }
        Wishes::default()
    }

    fn run_bootloader(
        &mut self,
        now: Instant,
        inputs: &Inputs,
        flash: &impl FlashMemory,
        departure: Option<Departure>,
    ) -> Wishes {
        let Mode::Bootloader(bootloader) = &mut self.mode else { return Wishes::default() };
        let around = Surroundings { now, config: &self.config, inputs };
        if let Some(departure) = departure {
            let wishes = bootloader.on_departure(now, departure);
            if wishes.reset {
                return wishes;
            }
        }
        if bootloader.expire(now, &mut self.security) {
            return Wishes { reset: true, ..Wishes::default() };
        }
        if self.request_waits && !bootloader.is_busy() {
            self.request_waits = false;
            bootloader.on_request(&around, &mut self.link, &mut self.security);
        }
        bootloader.work(&around, &mut self.link, flash)
    }

    fn send_status(&mut self, now: Instant, inputs: &Inputs) {
        if matches!(self.mode, Mode::Checking { .. }) || !self.link.wants_status(now) {
            return;
        }
        let status = Status {
            state: self.state(),
            counter: 0,
            speed: inputs.speed,
            supply: inputs.supply,
            current: inputs.current,
            temperature: inputs.temperature,
            faults: self.faults(inputs),
        };
        self.link.send_status(now, status, &self.config);
    }

    fn faults(&self, inputs: &Inputs) -> PumpFaults {
        let bootloader = match &self.mode {
            Mode::Bootloader(bootloader) => Some(bootloader),
            Mode::Checking { .. } | Mode::Application(_) => None,
        };
        let bits = [
            (PumpFaults::LOW_SUPPLY, inputs.supply < self.config.update_supply_min),
            (PumpFaults::NO_APPLICATION, bootloader.is_some_and(|bootloader| !bootloader.has_application())),
            (PumpFaults::FLASH, bootloader.is_some_and(Bootloader::has_flash_fault)),
            (PumpFaults::OVER_TEMPERATURE, inputs.temperature >= config::OVER_TEMPERATURE_FROM),
        ];
        let set = bits.into_iter().filter(|(_, is_set)| *is_set);
        set.fold(PumpFaults::default(), |faults, (bit, _)| faults.with(bit))
    }

    fn motor(&self) -> Permille {
        match &self.mode {
            Mode::Application(application) => application.motor(&self.config),
            Mode::Checking { .. } | Mode::Bootloader(_) => Permille::default(),
        }
    }

    fn wake_at(&self) -> Instant {
        let mode = match &self.mode {
            Mode::Checking { .. } => Some(self.now),
            Mode::Application(application) => application.wake_at(),
            Mode::Bootloader(bootloader) => bootloader.wake_at(),
        };
        let link = self.link.wake_at();
        mode.map_or(link, |mode| mode.min(link))
    }
}
