//! The bootloader's UDS server: who may do what, and when.
//!
//! | request                   | session     | unlocked | else            |
//! |---------------------------|-------------|----------|-----------------|
//! | 0x10, 0x11, 0x22, 0x3E    | any         | no       |                 |
//! | 0x27 seed and key         | programming | no       | 0x7F            |
//! | 0x31, 0x34, 0x36, 0x37    | programming | yes      | 0x7F, then 0x33 |
//!
//! A request that takes time is a *job* of [`Programming`]; the server is busy until it has ended and takes no other. A
//! job says "response pending" before the core stalls for an erase and whenever P2 or P2* would pass.
//!
//! The bootloader always comes back: a session without requests ends after S3, a bootloader with a good image and
//! without requests starts it, every failure leads to "erase again", and nothing but requests makes it write.

use protocol::header::{ImageHeader, ModelId, Version};
use protocol::uds::{Identifier, Refusal, Request, Response, Routine, Session};
use units::{Duration, Instant};

use crate::config::{Config, IDLE_TIMEOUT, SESSION_TIMEOUT};
use crate::link::{Departure, Link, Sequel, in_millis};
use crate::programming::{Outcome, Programming, Todo, Transfer};
use crate::security::Security;
use crate::{FlashCommand, FlashMemory, Inputs};

/// What a step of the bootloader needs from outside.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) inputs: &'a Inputs,
}

/// What a step of the bootloader asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) flash: Option<FlashCommand>,
    pub(crate) again: bool,
    pub(crate) reset: bool,
}

/// A request being worked on.
#[derive(Clone, Copy, Debug)]
struct Busy {
    service: u8,
    pending_at: Instant,
}

/// How a request is taken.
enum Taken {
    Answered(Response, Sequel),
    Begun,
}

/// The running bootloader.
#[derive(Clone, Debug)]
pub(crate) struct Bootloader {
    session: Session,
    programming: Programming,
    application: Option<ImageHeader>,
    flash_fault: bool,
    quiet_since: Instant,
    busy: Option<Busy>,
}

impl Bootloader {
    /// With the valid application, if there is one.
    pub(crate) fn new(application: Option<ImageHeader>, now: Instant) -> Self {
        Self {
            session: Session::Default,
            programming: Programming::new(),
            application,
            flash_fault: false,
            quiet_since: now,
            busy: None,
        }
    }

    /// Whether requests are dropped for now.
    pub(crate) const fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    pub(crate) const fn is_updating(&self) -> bool {
        matches!(self.session, Session::Programming)
    }

    pub(crate) const fn has_application(&self) -> bool {
        self.application.is_some()
    }

    pub(crate) const fn has_flash_fault(&self) -> bool {
        self.flash_fault
    }

    /// When a session or the wait for a client ends.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        if self.is_busy() {
            return None;
        }
        let session = self.is_updating().then(|| self.quiet_since.after(SESSION_TIMEOUT));
        let idle = self.has_application().then(|| self.quiet_since.after(IDLE_TIMEOUT));
        [session, idle].into_iter().flatten().min()
    }

    /// A response has left, or was given up.
    pub(crate) fn on_departure(&mut self, now: Instant, departure: Departure) -> Wishes {
        match departure.sequel {
            Sequel::Erase => {
                self.programming.announced(departure.left);
                if !self.programming.is_busy() {
                    self.ready(now);
                }
            }
            // The client may not know, but asked for it: a new boot is the safest way on.
            Sequel::Reset | Sequel::EnterBootloader => return Wishes { reset: true, ..Wishes::default() },
            Sequel::None => {}
        }
        Wishes::default()
    }

    fn ready(&mut self, now: Instant) {
        self.busy = None;
        self.quiet_since = now;
    }

    /// Ends what has waited too long for a request; `true` if the application shall be started.
    pub(crate) fn expire(&mut self, now: Instant, security: &mut Security) -> bool {
        if self.is_busy() {
            return false;
        }
        let quiet = now.since(self.quiet_since);
        if self.is_updating() && quiet >= SESSION_TIMEOUT {
            self.enter(Session::Default, security);
        }
        self.has_application() && quiet >= IDLE_TIMEOUT
    }

    /// Every change of session locks the server and gives up a running update.
    fn enter(&mut self, session: Session, security: &mut Security) {
        self.session = session;
        security.lock();
        self.programming.abandon();
    }

    /// Takes the request that the link holds.
    pub(crate) fn on_request(&mut self, around: &Surroundings<'_>, link: &mut Link, security: &mut Security) {
        self.quiet_since = around.now;
        let message = link.message();
        let (service, taken) = match Request::decode(message) {
            Ok(request) => (request.service(), self.take(&request, around, security)),
            Err((service, refusal)) => (service, Err(refusal)),
        };
        match taken {
            Ok(Taken::Answered(response, sequel)) => link.answer(response, sequel),
            Ok(Taken::Begun) => {
                // Three quarters leave room for the answer itself.
                let pending_at = around.now.after(three_quarters(around.config.p2));
                self.busy = Some(Busy { service, pending_at });
            }
            Err(refusal) => link.answer(Response::refuse(service, refusal), Sequel::None),
        }
    }

    fn take(
        &mut self,
        request: &Request<'_>,
        around: &Surroundings<'_>,
        security: &mut Security,
    ) -> Result<Taken, Refusal> {
        self.permit(request, security)?;
        let config = around.config;
        let response = match *request {
            Request::Session(session) => {
                self.enter(session, security);
                let p2_star_10ms = in_millis(config.p2_star) / 10;
                Response::Session { session, p2_ms: in_millis(config.p2), p2_star_10ms }
            }
            Request::Reset => return Ok(Taken::Answered(Response::Reset, Sequel::Reset)),
            Request::Read(identifier) => self.read(identifier, config.model),
            Request::TesterPresent => Response::TesterPresent,
            Request::RequestSeed => Response::Seed(security.request_seed(around.now)?),
            Request::SendKey(key) => {
                security.send_key(around.now, key)?;
                Response::Unlocked
            }
            Request::Start(routine) => return self.start(routine, around),
            Request::RequestDownload { address, length } => {
                self.programming.request_download(address, length)?;
                Response::Download { block_message_len: protocol::uds::MESSAGE_LEN as u16 }
            }
            Request::TransferData { counter, data } => {
                return match self.programming.transfer(counter, data, config.model)? {
                    Transfer::Begun => Ok(Taken::Begun),
                    Transfer::Repeated => Ok(Taken::Answered(Response::Transfer { counter }, Sequel::None)),
                };
            }
            Request::TransferExit => {
                self.programming.exit()?;
                Response::TransferExit
            }
        };
        Ok(Taken::Answered(response, Sequel::None))
    }

    /// The table at the head of this file.
    fn permit(&self, request: &Request<'_>, security: &Security) -> Result<(), Refusal> {
        let needs_key = match request {
            Request::Session(_) | Request::Reset | Request::Read(_) | Request::TesterPresent => return Ok(()),
            Request::RequestSeed | Request::SendKey(_) => false,
            Request::Start(_)
            | Request::RequestDownload { .. }
            | Request::TransferData { .. }
            | Request::TransferExit => true,
        };
        if self.session != Session::Programming {
            return Err(Refusal::ServiceNotSupportedInActiveSession);
        }
        if needs_key && !security.is_unlocked() {
            return Err(Refusal::SecurityAccessDenied);
        }
        Ok(())
    }

    fn start(&mut self, routine: Routine, around: &Surroundings<'_>) -> Result<Taken, Refusal> {
        match routine {
            Routine::Erase => {
                if around.inputs.supply < around.config.update_supply_min {
                    return Err(Refusal::VoltageTooLow);
                }
                self.programming.erase();
            }
            Routine::CheckProgrammingDependencies => self.programming.check(around.config.model)?,
        }
        Ok(Taken::Begun)
    }

    fn read(&self, identifier: Identifier, model: ModelId) -> Response {
        match identifier {
            Identifier::Version => {
                let none = Version { major: 0, minor: 0, patch: 0 };
                Response::Version(self.application.map_or(none, |image| image.version))
            }
            Identifier::Model => Response::Model(model),
            Identifier::State => Response::State(if self.has_application() { 1 } else { 2 }),
        }
    }

    /// Does the next piece of the job.
    pub(crate) fn work(&mut self, around: &Surroundings<'_>, link: &mut Link, flash: &impl FlashMemory) -> Wishes {
        let Some(busy) = self.busy else { return Wishes::default() };
        if let Some(result) = around.inputs.flash
            && let Err(refusal) = self.programming.on_flash(result)
        {
            self.finish(around.now, busy.service, Err(refusal), link);
            return Wishes::default();
        }
        match self.programming.next(link.message(), flash) {
            Todo::Wait => Wishes::default(),
            Todo::Announce => {
                link.answer(Response::pending(busy.service), Sequel::Erase);
                Wishes::default()
            }
            Todo::Flash(command) => {
                self.before_flash(command);
                self.keep_waiting(around, busy, link);
                Wishes { flash: Some(command), ..Wishes::default() }
            }
            Todo::Again => {
                self.keep_waiting(around, busy, link);
                Wishes { again: true, ..Wishes::default() }
            }
            Todo::Finished(result) => {
                self.finish(around.now, busy.service, result, link);
                Wishes::default()
            }
        }
    }

    fn before_flash(&mut self, command: FlashCommand) {
        if matches!(command, FlashCommand::Erase { .. }) {
            self.application = None;
        }
    }

    /// Says "response pending" when the client's patience is about to end.
    fn keep_waiting(&mut self, around: &Surroundings<'_>, busy: Busy, link: &mut Link) {
        if around.now < busy.pending_at || link.has_response() {
            return;
        }
        link.answer(Response::pending(busy.service), Sequel::None);
        let pending_at = around.now.after(three_quarters(around.config.p2_star));
        self.busy = Some(Busy { pending_at, ..busy });
    }

    fn finish(&mut self, now: Instant, service: u8, result: Result<Outcome, Refusal>, link: &mut Link) {
        self.ready(now);
        let response = match result {
            Ok(outcome) => self.report(outcome),
            Err(refusal) => {
                self.flash_fault = true;
                Response::refuse(service, refusal)
            }
        };
        link.answer(response, Sequel::None);
    }

    fn report(&mut self, outcome: Outcome) -> Response {
        match outcome {
            Outcome::Erased => {
                self.flash_fault = false;
                Response::Routine { routine: Routine::Erase, result: 0 }
            }
            Outcome::Block(counter) => Response::Transfer { counter },
            Outcome::Checked(verdict) => {
                self.application = verdict.ok();
                let result = verdict.map_or_else(|fault| fault as u8, |_| 0);
                Response::Routine { routine: Routine::CheckProgrammingDependencies, result }
            }
        }
    }
}

const fn three_quarters(time: Duration) -> Duration {
    Duration::from_micros(time.as_micros() / 4 * 3)
}
