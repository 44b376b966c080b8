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
use protocol::uds::{Identifier, Refusal, Request, Response, Session};
use units::{Instant, Permille};

use crate::config::Config;
use crate::link::{Departure, Sequel, in_millis};

/// The running application.
#[derive(Clone, Debug)]
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
    pub(crate) fn answer(&mut self, message: &[u8], speed: Permille, config: &Config) -> (Response, Sequel) {
        let request = match Request::decode(message) {
            Ok(request) => request,
            Err((service, refusal)) => return (Response::refuse(service, refusal), Sequel::None),
        };
        match self.serve(&request, speed, config) {
            Ok(answer) => answer,
            Err(refusal) => (Response::refuse(request.service(), refusal), Sequel::None),
        }
    }

    fn serve(
        &mut self,
        request: &Request<'_>,
        speed: Permille,
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
            Request::Read(identifier) => Ok((self.read(identifier), Sequel::None)),
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

    const fn read(&self, identifier: Identifier) -> Response {
        match identifier {
            Identifier::Version => Response::Version(self.image.version),
            Identifier::Model => Response::Model(self.image.model),
            Identifier::State => Response::State(0),
        }
    }

    /// An answer that announced leaving was given up: nobody knows of it, so that the application stays.
    pub(crate) fn on_departure(&mut self, departure: Departure) {
        if !departure.left && departure.sequel != Sequel::None {
            self.leaving = false;
        }
    }
}
