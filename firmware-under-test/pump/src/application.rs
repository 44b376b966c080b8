//! The application: runs the motor as commanded, and at a fixed speed when nobody commands (PFU-012).
//!
//! ```text
//!   Standby <-> Automatic <-> Fixed     on command
//!      any  --- 1 s without a valid command ---> FailSafe --- valid command ---> as commanded
//! ```
//! It serves the UDS requests that lead into an update. Once it has agreed to leave it stays in standby, so that no
//! command can start the motor under the coming reset (PFU-017).

use protocol::cyclic::{COMMAND_TIMEOUT, Command, Mode, PumpState};
use protocol::header::ImageHeader;
use protocol::uds::{Identifier, Refusal, Request, Response, Session, Start};
use units::{Instant, Permille};

use crate::config::Config;
use crate::link::{Departure, Sequel, in_millis};

/// The running application.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Application {
    image: ImageHeader,
    state: PumpState,
    set_point: Permille,
    silent_at: Instant,
    leaving: bool,
}

impl Application {
    /// Starts in standby; the first command is awaited from `now` on.
    pub(crate) fn new(image: ImageHeader, now: Instant) -> Self {
        Self {
            image,
            state: PumpState::Standby,
            set_point: Permille::default(),
            silent_at: now.after(COMMAND_TIMEOUT),
            leaving: false,
        }
    }

    pub(crate) const fn state(&self) -> PumpState {
        self.state
    }

    /// Speed command of the motor.
    pub(crate) const fn motor(&self, config: &Config) -> Permille {
        match self.state {
            PumpState::Automatic | PumpState::Fixed => self.set_point,
            PumpState::FailSafe => config.fail_safe_speed,
            PumpState::Standby | PumpState::Bootloader | PumpState::Updating => Permille::new(0),
        }
    }

    /// When the silence becomes too long; `None` while it does not matter.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        (self.state != PumpState::FailSafe && !self.leaving).then_some(self.silent_at)
    }

    /// A valid command came in.
    pub(crate) fn on_command(&mut self, now: Instant, command: Command) {
        self.silent_at = now.after(COMMAND_TIMEOUT);
        if self.leaving {
            return;
        }
        self.set_point = command.set_point;
        self.state = match command.mode {
            Mode::Standby => PumpState::Standby,
            Mode::Automatic => PumpState::Automatic,
            Mode::Fixed => PumpState::Fixed,
        };
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        if now >= self.silent_at && !self.leaving {
            self.state = PumpState::FailSafe;
        }
    }

    /// Answers a request.
    pub(crate) fn answer(
        &mut self,
        message: &[u8],
        speed: Permille,
        start: Start,
        config: &Config,
    ) -> (Response, Sequel) {
        let request = match Request::decode(message) {
            Ok(request) => request,
            Err((service, refusal)) => return (Response::refuse(service, refusal), Sequel::None),
        };
        match self.serve(&request, speed, start, config) {
            Ok(answer) => answer,
            Err(refusal) => (Response::refuse(request.service(), refusal), Sequel::None),
        }
    }

    fn serve(
        &mut self,
        request: &Request<'_>,
        speed: Permille,
        start: Start,
        config: &Config,
    ) -> Result<(Response, Sequel), Refusal> {
        match *request {
            Request::Session(session) => {
                let sequel = self.change_session(session, speed)?;
                let p2_star_10ms = in_millis(config.p2_star) / 10;
                Ok((Response::Session { session, p2_ms: in_millis(config.p2), p2_star_10ms }, sequel))
            }
            Request::Reset => {
                self.leave()?;
                Ok((Response::Reset, Sequel::Reset))
            }
            Request::Read(identifier) => Ok((self.read(identifier, start), Sequel::None)),
            Request::TesterPresent => Ok((Response::TesterPresent, Sequel::None)),
            Request::RequestSeed
            | Request::SendKey(_)
            | Request::Start(_)
            | Request::RequestDownload { .. }
            | Request::TransferData { .. }
            | Request::TransferExit => Err(Refusal::ServiceNotSupported),
        }
    }

    fn change_session(&mut self, session: Session, speed: Permille) -> Result<Sequel, Refusal> {
        match session {
            Session::Default => Ok(Sequel::None),
            Session::Programming if speed == Permille::default() => {
                self.leave()?;
                Ok(Sequel::EnterBootloader)
            }
            Session::Programming => Err(Refusal::ConditionsNotCorrect),
        }
    }

    fn leave(&mut self) -> Result<(), Refusal> {
        if self.state != PumpState::Standby {
            return Err(Refusal::ConditionsNotCorrect);
        }
        self.leaving = true;
        Ok(())
    }

    const fn read(&self, identifier: Identifier, start: Start) -> Response {
        match identifier {
            Identifier::Version => Response::Version(self.image.version),
            Identifier::Model => Response::Model(self.image.model),
            Identifier::State => Response::State(0),
            Identifier::Start => Response::Start(start),
        }
    }

    /// An answer that announced leaving was given up: nobody knows of it, so that the application stays.
    pub(crate) fn on_departure(&mut self, departure: Departure) {
        if !departure.left && departure.sequel != Sequel::None {
            self.leaving = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use protocol::Frame;
    use protocol::cyclic::{Mode, PumpFaults, PumpState};
    use protocol::ids;
    use units::{DeciCelsius, Duration, Instant, Millivolts, Permille};

    use crate::testing::{Bench, MODEL, StrictFlash, image};
    use crate::{ResetCause, Retained};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_status_comes_every_100_ms_at_the_pump_s_own_place() {
        let mut bench = Bench::with_application();
        bench.run_for(ms(2_000));
        // Pump 5 of 16 sends 25 ms into the period; the bus takes 0.5 ms.
        let times: Vec<u64> = bench.statuses.iter().map(|(at, _)| at.as_micros()).collect();
        let wanted: Vec<u64> = (0..20).map(|n| 25_500 + n * 100_000).collect();
        assert_eq!(times, wanted);
        let counters: Vec<u8> = bench.statuses.iter().map(|(_, status)| status.counter).take(18).collect();
        assert_eq!(counters, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1]);
    }

    #[test]
    fn the_status_carries_what_is_measured() {
        let mut bench = Bench::with_application();
        bench.speed = Permille::new(512);
        bench.supply = Millivolts::new(19_500);
        bench.temperature = DeciCelsius::new(1_000);
        bench.run_for(ms(200));
        let status = bench.status();
        assert_eq!((status.speed.get(), status.supply.get(), status.current.get()), (512, 19_500, 2_000));
        assert_eq!(status.temperature.get(), 1_000);
        assert_eq!(status.faults, PumpFaults::LOW_SUPPLY.with(PumpFaults::OVER_TEMPERATURE));
    }

    #[test]
    fn the_motor_follows_the_command() {
        let mut bench = Bench::with_application();
        assert_eq!(bench.pump.state(), PumpState::Standby);
        for (mode, set_point, state, motor) in [
            (Mode::Automatic, 430, PumpState::Automatic, 430),
            (Mode::Fixed, 800, PumpState::Fixed, 800),
            (Mode::Standby, 800, PumpState::Standby, 0),
        ] {
            bench.command(mode, set_point);
            assert_eq!(bench.pump.state(), state);
            assert_eq!(bench.motor.last().unwrap().1, Permille::new(motor));
        }
    }

    /// PFU-012: 1 s after the last valid command, to the microsecond of the pump's clock.
    #[test]
    fn silence_leads_to_fail_safe_speed_and_a_command_back() {
        let mut bench = Bench::with_application();
        bench.run_for(ms(500));
        let commanded_at = bench.now;
        bench.command(Mode::Automatic, 300);
        bench.run_for(ms(120_000));
        let failed_at = commanded_at.after(ms(1_000));
        assert_eq!(bench.motor.last().unwrap(), &(failed_at, Permille::new(800)));
        assert_eq!(bench.status().state, PumpState::FailSafe);
        bench.command(Mode::Automatic, 310);
        assert_eq!((bench.pump.state(), bench.motor.last().unwrap().1), (PumpState::Automatic, Permille::new(310)));
        let stops = bench.motor.iter().skip(1).filter(|(_, motor)| motor.get() == 0).count();
        assert_eq!(stops, 0, "the pump never stops");
    }

    #[test]
    fn commands_every_100_ms_keep_the_pump_regulated() {
        let mut bench = Bench::with_application();
        for _ in 0..100 {
            bench.command(Mode::Automatic, 300);
            bench.run_for(ms(99));
            assert_eq!(bench.pump.state(), PumpState::Automatic);
        }
    }

    #[test]
    fn a_pump_that_never_hears_a_command_fails_safe_1_s_after_its_start() {
        let mut bench = Bench::with_application();
        bench.run_for(ms(1_500));
        let (at, motor) = *bench.motor.last().unwrap();
        assert_eq!(motor, Permille::new(800));
        assert!(at.since(Instant::ZERO) >= ms(1_000) && at.since(Instant::ZERO) < ms(1_010));
    }

    #[test]
    fn commands_that_are_not_valid_do_not_count() {
        let mut bench = Bench::with_application();
        let id = ids::command(bench.config.number);
        for _ in 0..20 {
            bench.put_into_fifo(Frame::with_bytes(id, [7, 0, 0]));
            bench.put_into_fifo(Frame::with_bytes(id, [1, 0xE9, 0x03]));
            bench.put_into_fifo(Frame::with_bytes(id, [1, 0]));
            bench.run_for(ms(100));
        }
        assert_eq!(bench.pump.state(), PumpState::FailSafe);
    }

    #[test]
    fn the_bootloader_is_entered_only_from_standstill() {
        let mut bench = Bench::with_application();
        bench.command(Mode::Automatic, 300);
        bench.expect("> 10 02 \n < 7F 10 22 \n > 11 01 \n < 7F 11 22");
        bench.command(Mode::Standby, 0);
        bench.speed = Permille::new(1);
        bench.expect("> 10 02 \n < 7F 10 22");
        bench.speed = Permille::new(0);
        bench.expect("> 10 01 \n < 50 01 00 32 01 F4 \n > 10 02 \n < 50 02 00 32 01 F4");
        bench.run_for(ms(20));
        assert_eq!((bench.pump.state(), bench.resets), (PumpState::Bootloader, 1));
        assert!(!bench.pump.retained().boot_request(), "a request is good for one boot");
        bench.expect("> 31 01 FF 00 \n < 7F 31 7F");
    }

    #[test]
    fn a_reset_in_standby_starts_the_application_again() {
        let mut bench = Bench::with_application();
        bench.command(Mode::Standby, 0);
        bench.expect("> 11 01 \n < 51 01");
        bench.run_for(ms(20));
        assert_eq!((bench.pump.state(), bench.resets), (PumpState::Standby, 1));
    }

    #[test]
    fn the_application_does_not_serve_what_belongs_to_the_bootloader() {
        let mut bench = Bench::with_application();
        bench.expect(
            "
            > 27 01
            < 7F 27 11
            > 31 01 FF 00
            < 7F 31 11
            > 34 00 44 08 02 00 00 00 00 10 00
            < 7F 34 11
            > 36 01 00
            < 7F 36 11
            > 37
            < 7F 37 11
            > 85 01
            < 7F 85 11
            > 3E 00
            < 7E 00
            > 22 F1 91
            < 62 F1 91 00 42
            > 22 F1 95
            < 62 F1 95 00 01 00 02 00 03
            > 22 F1 F0
            < 62 F1 F0 00
            ",
        );
        assert_eq!(bench.flash.operations, 0);
    }

    #[test]
    fn no_command_starts_the_motor_under_an_agreed_reset() {
        let mut bench = Bench::with_application();
        bench.command(Mode::Standby, 0);
        bench.bus_open = true;
        bench.put_into_fifo(Frame::with_bytes(ids::uds_request(bench.config.number), [2, 0x10, 2]));
        bench.run_for(ms(10));
        bench.command(Mode::Automatic, 900);
        bench.run_for(ms(500));
        assert_eq!(bench.motor.last().unwrap().1, Permille::new(0));
        // The answer never left: nobody knows, and the application goes on.
        bench.run_for(ms(1_000));
        assert_eq!(bench.pump.state(), PumpState::FailSafe);
        bench.command(Mode::Automatic, 900);
        assert_eq!((bench.pump.state(), bench.resets), (PumpState::Automatic, 0));
    }

    /// The version needs a flow control that never comes; the answers behind it wait, and none displaces another.
    #[test]
    fn an_agreed_reset_takes_place_however_many_requests_follow() {
        let mut bench = Bench::with_application();
        let id = ids::uds_request(bench.config.number);
        bench.client_deaf = true;
        bench.command(Mode::Standby, 0);
        bench.put_into_fifo(Frame::with_bytes(id, [3, 0x22, 0xF1, 0x95]));
        bench.run_for(ms(10));
        bench.put_into_fifo(Frame::with_bytes(id, [2, 0x10, 2]));
        bench.run_for(ms(10));
        bench.put_into_fifo(Frame::with_bytes(id, [2, 0x3E, 0]));
        bench.run_for(ms(3_000));
        assert_eq!((bench.pump.state(), bench.resets), (PumpState::Bootloader, 1));
    }

    #[test]
    fn a_boot_request_survives_a_reset_but_not_a_loss_of_power() {
        let asked = Retained { boot_request: true, ..Retained::default() };
        for (cause, state) in [
            (ResetCause::Software, PumpState::Bootloader),
            (ResetCause::Watchdog, PumpState::Bootloader),
            (ResetCause::BrownOut, PumpState::Standby),
            (ResetCause::PowerOn, PumpState::Standby),
        ] {
            let mut bench = Bench::with_application();
            bench.restart(cause, asked);
            bench.run_for(ms(20));
            assert_eq!(bench.pump.state(), state, "{cause:?}");
        }
    }

    /// Cause and age in 100 ms, rounded up, from the application and from the bootloader.
    #[test]
    fn the_last_start_is_told_with_its_age() {
        for (cause, number) in
            [(ResetCause::PowerOn, 1), (ResetCause::BrownOut, 2), (ResetCause::Software, 3), (ResetCause::Watchdog, 4)]
        {
            for mut bench in [Bench::with_application(), Bench::empty()] {
                bench.restart(cause, Retained::default());
                bench.run_for(ms(10));
                bench.expect(&std::format!("> 22 F1 F1 \n < 62 F1 F1 0{number} 00 01"));
                bench.run_for(ms(29_950));
                bench.expect(&std::format!("> 22 F1 F1 \n < 62 F1 F1 0{number} 01 2C"));
            }
        }
        // A restart that was asked for, into the bootloader and back.
        let mut bench = Bench::with_application();
        bench.command(Mode::Standby, 0);
        bench.expect("> 22 F1 F1 \n < 62 F1 F1 01 00 01 \n > 10 02 \n < 50 02 ..");
        bench.run_for(ms(20));
        bench.expect("> 22 F1 F1 \n < 62 F1 F1 03 00 01 \n > 10 02 \n < 50 02 .. \n > 22 F1 F1 \n < 62 F1 F1 03 00 01");
        let mut old = Bench::empty();
        old.run_for(Duration::from_secs(7_000));
        old.expect("> 22 F1 F1 \n < 62 F1 F1 01 FF FF");
    }

    /// Every bit of a small image, and the marker.
    #[test]
    fn a_bit_flip_at_rest_is_found_at_the_next_boot() {
        let good = image(MODEL, 1, 32);
        for byte in (0..good.len()).chain(0x7_FFFC..0x8_0000) {
            let mut flash = StrictFlash::new(1);
            flash.install(&good);
            let mut bench = Bench::new(flash);
            for bit in 0..8 {
                bench.flash.bytes[byte] ^= 1 << bit;
                bench.power_cycle();
                assert_eq!(bench.pump.state(), PumpState::Bootloader, "bit {bit} of byte {byte}");
                bench.flash.bytes[byte] ^= 1 << bit;
            }
            bench.power_cycle();
            assert_eq!(bench.pump.state(), PumpState::Standby);
        }
    }
}
