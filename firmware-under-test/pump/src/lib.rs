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
//! The motor belongs to the application alone. While the boot check runs and in the bootloader it stands, whatever
//! commands come and however long the CIOC is silent: fail-safe mode (PFU-012) is the application's. So a pump whose
//! update was given up three times stands still for good once its application is invalid (PFU-026); the pump itself does
//! not know that it counts as dead, and one with a valid application runs in fail-safe mode while the CIOC is silent.
//!
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
use protocol::uds::Start;
use units::{DeciCelsius, Duration, Instant, Milliamps, Millivolts, Permille};

use application::Application;
use bootloader::{Bootloader, Surroundings, Wishes};
use link::{Departure, Link, Sequel};
use security::Security;
use validity::ImageCheck;

pub use config::Config;
pub use protocol::cyclic::PumpState;
pub use protocol::uds::ResetCause;
pub use validity::ImageFault;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, Hash)]
pub struct Pump {
    config: Config,
    cause: ResetCause,
    now: Instant,
    link: Link,
    security: Security,
    boot_request: bool,
    request_waits: bool,
    mode: Mode,
}

/// Which of its programs the CPU runs.
#[derive(Clone, Debug, Hash)]
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
            cause,
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

    /// What is told of the last start: a client whose request got no answer learns whether supply was the reason.
    fn last_start(&self) -> Start {
        Start::new(self.cause, self.now.since(Instant::ZERO))
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
        let start = self.last_start();
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
            let (response, sequel) = application.answer(self.link.message(), inputs.speed, start, &self.config);
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
        let start = self.last_start();
        let Mode::Bootloader(bootloader) = &mut self.mode else { return Wishes::default() };
        let around = Surroundings { now, config: &self.config, inputs, start };
        if let Some(departure) = departure {
            let wishes = bootloader.on_departure(now, departure);
            if wishes.reset {
                return wishes;
            }
        }
        if self.request_waits || self.link.is_receiving() {
            bootloader.hold_off(now);
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

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;
    use protocol::cyclic::Mode;
    use protocol::header::ModelId;
    use protocol::ids;
    use protocol::uds::{Request, Routine, Session};

    use super::*;
    use crate::flash_map::APPLICATION_START;
    use crate::testing::{Bench, MODEL, StrictFlash, image};

    /// One thing that happens to a pump whose host and peers keep to no rule.
    #[derive(Clone, Debug, Hash)]
    struct Event {
        after_us: u64,
        frame: Option<(u8, u16, Vec<u8>)>,
        sent: Option<u8>,
        mailboxes_free: u8,
        flash: Option<bool>,
        supply: u16,
        speed: u16,
    }

    fn event() -> impl Strategy<Value = Event> {
        let known: [&[u8]; 8] = [
            &[2, 0x10, 2],
            &[2, 0x11, 1],
            &[2, 0x27, 1],
            &[6, 0x27, 2, 1, 2, 3, 4],
            &[3, 0x22, 0xF1, 0x95],
            &[4, 0x31, 1, 0xFF, 0],
            &[0x10, 66, 0x36, 1, 0, 0, 0, 0],
            &[0x30, 0, 0],
        ];
        let data = prop_oneof![
            proptest::sample::select(known.map(<[u8]>::to_vec).to_vec()),
            proptest::collection::vec(any::<u8>(), 0..=8),
        ];
        let frame = proptest::option::of((0..4u8, 0..0x800u16, data));
        let quantities = (any::<u16>(), prop_oneof![Just(0u16), any::<u16>()]);
        let after_us = prop_oneof![0..1_000u64, 0..2_000_000u64];
        (after_us, frame, proptest::option::of(0..3u8), any::<u8>(), proptest::option::of(any::<bool>()), quantities)
            .prop_map(|(after_us, frame, sent, mailboxes_free, flash, (supply, speed))| Event {
                after_us,
                frame,
                sent,
                mailboxes_free,
                flash,
                supply,
                speed,
            })
    }

    fn id_for(config: &Config, which: u8, other: u16) -> StandardId {
        match which {
            0 => ids::uds_request(config.number),
            1 => ids::command(config.number),
            2 => ids::uds_response(config.number),
            _ => StandardId::new(other).unwrap(),
        }
    }

    /// One thing that a client with the right key may do.
    #[derive(Clone, Debug, Hash)]
    enum Move {
        Raw(Vec<u8>),
        Unlock,
        Erase,
        Download(u32),
        Header(u8),
        Block(u8, Vec<u8>),
        Exit,
        Check,
        Reset,
        Wait(u64),
        PowerCycle,
    }

    fn any_move() -> impl Strategy<Value = Move> {
        let data = || proptest::collection::vec(any::<u8>(), 1..120);
        let service =
            prop_oneof![Just(0x10u8), Just(0x22), Just(0x27), Just(0x31), Just(0x34), Just(0x36), any::<u8>()];
        prop_oneof![
            1 => (service, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(service, mut rest)| {
                rest.insert(0, service);
                Move::Raw(rest)
            }),
            2 => Just(Move::Unlock),
            3 => Just(Move::Erase),
            3 => prop_oneof![Just(164u32), any::<u32>()].prop_map(Move::Download),
            3 => (0..3u8).prop_map(Move::Header),
            4 => (0..4u8, data()).prop_map(|(counter, data)| Move::Block(counter, data)),
            2 => Just(Move::Block(2, vec![7; 100])),
            2 => Just(Move::Exit),
            2 => Just(Move::Check),
            1 => Just(Move::Reset),
            1 => (0..40_000u64).prop_map(Move::Wait),
            1 => Just(Move::PowerCycle),
        ]
    }

    fn play(bench: &mut Bench, step: &Move) {
        let header = image(MODEL, 9, 100);
        let request = match step {
            Move::Raw(bytes) => {
                bench.ask(bytes);
                return;
            }
            Move::Unlock => {
                bench.unlock();
                return;
            }
            Move::Wait(ms) => return bench.run_for(Duration::from_millis(*ms)),
            Move::PowerCycle => return bench.power_cycle(),
            Move::Erase => Request::Start(Routine::Erase),
            Move::Download(length) => Request::RequestDownload { address: APPLICATION_START, length: *length },
            Move::Header(counter) => Request::TransferData { counter: *counter, data: &header[..64] },
            Move::Block(counter, data) => Request::TransferData { counter: *counter, data },
            Move::Exit => Request::TransferExit,
            Move::Check => Request::Start(Routine::CheckProgrammingDependencies),
            Move::Reset => Request::Reset,
        };
        bench.request(&request);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        /// Hosts and peers without rules: no panic, no more frames than mailboxes, and nothing written without a key.
        #[test]
        fn no_input_panics_or_writes(events in proptest::collection::vec(event(), 1..200), installed: bool) {
            let mut flash = StrictFlash::new(3);
            if installed {
                flash.install(&image(MODEL, 1, 100));
            }
            let config = Config::new(ids::PumpNumber::new(16).unwrap(), MODEL);
            let mut pump = Pump::boot(config, ResetCause::Watchdog, Retained::default());
            let mut now = 0;
            for event in events {
                now += event.after_us;
                let inputs = Inputs {
                    received: event.frame.map(|(which, other, data)| {
                        Frame::data_frame(id_for(&config, which, other), &data).unwrap()
                    }),
                    sent: event.sent.map(|which| match which {
                        0 => ids::status(config.number),
                        _ => ids::uds_response(config.number),
                    }),
                    mailboxes_free: event.mailboxes_free,
                    flash: event.flash.map(|good| if good { FlashResult::Done } else { FlashResult::Failed }),
                    supply: Millivolts::new(event.supply),
                    speed: Permille::new(event.speed),
                    ..Inputs::default()
                };
                let out = pump.step(Instant::from_micros(now), &inputs, &flash);
                prop_assert!(out.frames.len() <= usize::from(event.mailboxes_free.min(3)));
                prop_assert_eq!(out.flash, None);
                prop_assert!(out.abort.is_none() || out.frames.is_empty());
                if out.reset {
                    pump = Pump::boot(config, ResetCause::Software, pump.retained());
                    now = 0;
                }
            }
        }

        /// A client with the key that does everything in any order: the strict flash sees no word programmed that is not
        /// erased, no image becomes valid (the only header sent has another payload), and a proper update still succeeds.
        #[test]
        fn no_order_of_requests_breaks_the_flash_or_makes_an_image_valid(
            moves in proptest::collection::vec(any_move(), 1..40),
        ) {
            let mut bench = Bench::empty();
            for step in &moves {
                play(&mut bench, step);
                prop_assert!(!bench.pump.state().is_application());
            }
            prop_assert!(!bench.flash.programmed.contains(&flash_map::MARKER_ADDRESS));
            let good = image(MODEL, 2, 100);
            bench.run_for(Duration::from_secs(31));
            prop_assert!(bench.update(&good, 64).is_some());
            prop_assert!(bench.flash.holds(&good));
        }

        /// The same moves in between a good update, at any place: never anything but the whole image is started.
        #[test]
        fn an_update_disturbed_at_any_place_starts_only_a_whole_image(
            before in 0..5usize, moves in proptest::collection::vec(any_move(), 1..6),
        ) {
            let good = image(MODEL, 9, 100);
            let mut bench = Bench::empty();
            let steps = [
                Move::Unlock, Move::Erase, Move::Download(164), Move::Header(1), Move::Block(2, good[64..].to_vec()),
                Move::Exit, Move::Check, Move::Reset,
            ];
            for step in steps[..before].iter().chain(&moves).chain(&steps[before..]) {
                play(&mut bench, step);
                bench.run_for(Duration::from_millis(20));
                prop_assert!(!bench.pump.state().is_application() || bench.flash.holds(&good));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

        /// Without a valid application the motor never turns: any commands, any silence, any requests, any power cut.
        #[test]
        fn the_motor_of_a_pump_in_its_bootloader_never_turns(
            steps in proptest::collection::vec(
                prop_oneof![
                    4 => (0..3u8, 0..=1_000u16).prop_map(Ok),
                    2 => prop_oneof![(0..40_000u64).prop_map(Move::Wait), Just(Move::PowerCycle)].prop_map(Err),
                    1 => any_move().prop_map(Err),
                ],
                1..60,
            ),
        ) {
            let mut bench = Bench::empty();
            for step in &steps {
                match step {
                    Ok((mode, set_point)) => {
                        bench.command([Mode::Standby, Mode::Automatic, Mode::Fixed][usize::from(*mode)], *set_point);
                    }
                    Err(step) => play(&mut bench, step),
                }
                let in_bootloader = matches!(bench.pump.state(), PumpState::Bootloader | PumpState::Updating);
                prop_assert!(in_bootloader);
            }
            prop_assert!(bench.motor.iter().all(|(_, motor)| *motor == Permille::default()), "{:?}", bench.motor);
        }
    }

    /// An update takes the motor away from an application in fail-safe mode's reach: it stands through 120 s of silence
    /// with an erased slot, and the same silence makes the whole application run.
    #[test]
    fn silence_moves_the_motor_of_an_application_and_of_no_bootloader() {
        let mut bench = Bench::with_application();
        bench.run_for(Duration::from_secs(120));
        assert_eq!(bench.motor.last().unwrap().1, Permille::new(800));
        bench.command(Mode::Standby, 0);
        assert!(bench.request(&Request::Session(Session::Programming)).is_some());
        assert!(bench.erase().is_some());
        bench.command(Mode::Automatic, 1_000);
        let known = bench.motor.len();
        bench.run_for(Duration::from_secs(120));
        bench.power_cycle();
        bench.command(Mode::Fixed, 800);
        bench.run_for(Duration::from_secs(120));
        assert_eq!(bench.status().state, PumpState::Bootloader);
        assert_eq!(bench.status().faults, PumpFaults::NO_APPLICATION);
        assert!(bench.motor[known - 1..].iter().all(|(_, motor)| *motor == Permille::default()));
    }

    /// The moves above reach the end of an update, so that "no image became valid" says something.
    #[test]
    fn the_moves_of_a_client_can_make_an_image_valid() {
        let good = image(MODEL, 9, 100);
        let mut bench = Bench::empty();
        for step in [
            Move::Unlock,
            Move::Erase,
            Move::Download(164),
            Move::Header(1),
            Move::Block(2, good[64..].to_vec()),
            Move::Exit,
            Move::Check,
            Move::Reset,
        ] {
            play(&mut bench, &step);
        }
        bench.run_for(Duration::from_millis(20));
        assert!(bench.pump.state().is_application() && bench.flash.holds(&good));
    }

    #[test]
    fn an_image_for_another_model_in_flash_is_not_started() {
        let mut flash = StrictFlash::new(1);
        flash.install(&image(ModelId(0x0041), 1, 100));
        let mut bench = Bench::new(flash);
        bench.run_for(Duration::from_millis(10));
        assert_eq!(bench.pump.state(), PumpState::Bootloader);
    }

    #[test]
    fn a_request_that_comes_during_the_boot_check_is_answered_after_it() {
        let mut flash = StrictFlash::new(1);
        flash.install(&image(MODEL, 1, 400_000));
        let mut bench = Bench::new(flash);
        assert_eq!(bench.ask(&Request::Session(Session::Default).encode().unwrap()).unwrap()[0], 0x50);
    }
}
