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

use protocol::header::{ImageHeader, Version};
use protocol::uds::{Identifier, Refusal, Request, Response, Routine, Session, Start};
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
    /// The CPU's last start, as it is told.
    pub(crate) start: Start,
}

/// What a step of the bootloader asks for.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Wishes {
    pub(crate) flash: Option<FlashCommand>,
    pub(crate) again: bool,
    pub(crate) reset: bool,
}

/// A request being worked on.
#[derive(Clone, Copy, Debug, Hash)]
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
#[derive(Clone, Debug, Hash)]
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

    /// A request is coming in: neither session nor bootloader ends under it (ISO 14229-2: S3 stops at its first frame).
    pub(crate) fn hold_off(&mut self, now: Instant) {
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
            Request::Read(identifier) => self.read(identifier, around),
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

    fn read(&self, identifier: Identifier, around: &Surroundings<'_>) -> Response {
        match identifier {
            Identifier::Version => {
                let none = Version { major: 0, minor: 0, patch: 0 };
                Response::Version(self.application.map_or(none, |image| image.version))
            }
            Identifier::Model => Response::Model(around.config.model),
            Identifier::State => Response::State(if self.has_application() { 1 } else { 2 }),
            Identifier::Start => Response::Start(around.start),
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
            // The first sector's supply was checked with the request; it may fall before a later one.
            Todo::Announce if around.inputs.supply < around.config.update_supply_min => {
                self.programming.abandon();
                self.ready(around.now);
                link.answer(Response::refuse(busy.service, Refusal::VoltageTooLow), Sequel::None);
                Wishes::default()
            }
            Todo::Announce => {
                self.say_pending(around, busy, Sequel::Erase, link);
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
        self.say_pending(around, busy, Sequel::None, link);
    }

    fn say_pending(&mut self, around: &Surroundings<'_>, busy: Busy, sequel: Sequel, link: &mut Link) {
        link.answer(Response::pending(busy.service), sequel);
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

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use protocol::cyclic::{Mode, PumpFaults, PumpState};
    use protocol::header::ModelId;
    use protocol::uds::{Request, Response, Routine, key_for};
    use units::{Duration, Millivolts};

    use crate::testing::{Bench, MODEL, image};

    const SECOND: Duration = Duration::from_secs(1);

    fn wrong_key(bench: &mut Bench) -> Response {
        let Some(Response::Seed(seed)) = bench.request(&Request::RequestSeed) else { panic!("no seed") };
        bench.request(&Request::SendKey(key_for(seed) ^ 1)).unwrap()
    }

    #[test]
    fn a_pump_without_application_says_so() {
        let mut bench = Bench::empty();
        bench.expect(
            "
            > 22 F1 91
            < 62 F1 91 00 42
            > 22 F1 95
            < 62 F1 95 00 00 00 00 00 00
            > 22 F1 F0
            < 62 F1 F0 02
            > 3E 00
            < 7E 00
            ",
        );
        bench.run_for(SECOND);
        assert_eq!(bench.status().state, PumpState::Bootloader);
        assert_eq!(bench.status().faults, PumpFaults::NO_APPLICATION);
        assert_eq!(bench.flash.operations, 0);
    }

    #[test]
    fn the_default_session_refuses_all_that_changes_something() {
        Bench::empty().expect(
            "
            > 27 01
            < 7F 27 7F
            > 27 02 00 00 00 00
            < 7F 27 7F
            > 31 01 FF 00
            < 7F 31 7F
            > 31 01 FF 01
            < 7F 31 7F
            > 34 00 44 08 02 00 00 00 00 10 00
            < 7F 34 7F
            > 36 01 00
            < 7F 36 7F
            > 37
            < 7F 37 7F
            > 10 01
            < 50 01 00 32 01 F4
            ",
        );
    }

    #[test]
    fn the_programming_session_refuses_until_unlocked() {
        Bench::empty().expect(
            "
            > 10 02
            < 50 02 00 32 01 F4
            > 31 01 FF 00
            < 7F 31 33
            > 31 01 FF 01
            < 7F 31 33
            > 34 00 44 08 02 00 00 00 00 10 00
            < 7F 34 33
            > 36 01 00
            < 7F 36 33
            > 37
            < 7F 37 33
            > 27 02 00 00 00 00
            < 7F 27 24
            ",
        );
    }

    #[test]
    fn malformed_and_unknown_requests_are_refused() {
        Bench::empty().expect(
            "
            > 10
            < 7F 10 13
            > 10 03
            < 7F 10 12
            > 11 02
            < 7F 11 12
            > 3E 80
            < 7F 3E 12
            > 22 12 34
            < 7F 22 31
            > 27 03
            < 7F 27 12
            > 31 02 FF 00
            < 7F 31 12
            > 31 01 12 34
            < 7F 31 31
            > 34 11 44 08 02 00 00 00 00 10 00
            < 7F 34 31
            > 36 01
            < 7F 36 13
            > 99 00
            < 7F 99 11
            ",
        );
    }

    #[test]
    fn nothing_is_transferred_before_it_is_erased_and_requested() {
        let mut bench = Bench::empty();
        bench.unlock().unwrap();
        bench.expect(
            "
            > 34 00 44 08 02 00 00 00 00 10 00
            < 7F 34 24
            > 36 01 00
            < 7F 36 24
            > 37
            < 7F 37 24
            > 31 01 FF 01
            < 7F 31 24
            > 31 01 FF 00
            < 71 01 FF 00 00
            > 36 01 00
            < 7F 36 24
            > 37
            < 7F 37 24
            > 31 01 FF 01
            < 7F 31 24
            ",
        );
        assert_eq!(bench.flash.operations, 4);
    }

    #[test]
    fn a_download_must_fit_the_slot_and_may_be_asked_for_again_before_the_first_block() {
        let mut bench = Bench::empty();
        bench.erase().unwrap();
        bench.expect(
            "
            > 34 00 44 08 00 00 00 00 00 10 00
            < 7F 34 31
            > 34 00 44 08 02 00 04 00 00 10 00
            < 7F 34 31
            > 34 00 44 08 02 00 00 00 07 FF FD
            < 7F 34 31
            > 34 00 44 08 02 00 00 FF FF FF FF
            < 7F 34 31
            > 34 00 44 08 02 00 00 00 00 00 40
            < 7F 34 31
            > 34 00 44 08 02 00 00 00 07 FF FC
            < 74 20 04 02
            > 34 00 44 08 02 00 00 00 00 00 41
            < 74 20 04 02
            ",
        );
    }

    #[test]
    fn blocks_come_in_order_and_not_beyond_the_announced_length() {
        let new = image(MODEL, 2, 64);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        bench.expect("> 36 02 00 \n < 7F 36 73 \n > 36 00 00 \n < 7F 36 73");
        bench.transfer(&new[..100], 100).unwrap();
        bench.expect(
            "
            > 34 00 44 08 02 00 00 00 00 00 80
            < 7F 34 24
            > 36 03 00
            < 7F 36 73
            > 36 02 01 02 03
            < 7F 36 31
            > 36 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
            < 7F 36 71
            > 37
            < 7F 37 24
            > 31 01 FF 01
            < 7F 31 24
            > 36 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
            < 76 02
            > 36 03 00
            < 7F 36 71
            > 37
            < 77
            > 37
            < 77
            > 31 01 FF 01
            < 71 01 FF 01 05
            ",
        );
        assert_eq!(bench.flash.operations, 4 + 32, "refused blocks programmed nothing, and no marker was programmed");
    }

    #[test]
    fn an_image_for_another_model_or_with_a_bad_header_programs_nothing() {
        let foreign = image(ModelId(0x0043), 2, 64);
        let mut damaged = image(MODEL, 2, 64);
        damaged[9] ^= 0x10;
        let longer = image(MODEL, 2, 65);
        let mut bench = Bench::empty();
        bench.download(128).unwrap();
        for first in [&foreign[..], &damaged, &longer[..64], &foreign[..32]] {
            let answer = bench.request(&Request::TransferData { counter: 1, data: first });
            assert_eq!(answer, Some(Response::Negative { service: 0x36, code: 0x31 }));
        }
        assert_eq!(bench.flash.operations, 4);
        bench.transfer(&image(MODEL, 2, 64), 128).unwrap();
    }

    #[test]
    fn the_check_reads_back_what_is_in_flash() {
        for (byte, result) in [(0, "01"), (12, "02"), (64, "05"), (163, "05")] {
            let new = image(MODEL, 2, 100);
            let mut bench = Bench::empty();
            bench.download(new.len()).unwrap();
            bench.transfer(&new, 1_024).unwrap();
            bench.flash.bytes[byte] ^= 0x04;
            bench.expect(&format!("> 37 \n < 77 \n > 31 01 FF 01 \n < 71 01 FF 01 {result}"));
            bench.flash.bytes[byte] ^= 0x04;
            bench.expect("> 31 01 FF 01 \n < 71 01 FF 01 00 \n > 22 F1 95 \n < 62 F1 95 00 02 00 02 00 03");
            let operations = bench.flash.operations;
            bench.expect("> 31 01 FF 01 \n < 71 01 FF 01 00");
            assert_eq!(bench.flash.operations, operations, "the marker is programmed once");
        }
    }

    #[test]
    fn response_pending_precedes_every_sector_also_at_maximum_times() {
        let mut bench = Bench::empty();
        bench.sector_time = Duration::from_secs(4);
        bench.erase().unwrap();
        assert_eq!(bench.pendings, 4);
    }

    #[test]
    fn slow_programming_is_announced_before_p2_ends() {
        let new = image(MODEL, 2, 1_024 - 64);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        bench.pendings = 0;
        bench.word_time = Duration::from_micros(100);
        bench.transfer(&new, 1_024).unwrap();
        assert_eq!(bench.pendings, 0, "25.6 ms is within P2");
        bench.erase().unwrap();
        bench.expect("> 34 00 44 08 02 00 00 00 00 04 00 \n < 74 20 04 02");
        bench.pendings = 0;
        bench.word_time = Duration::from_millis(30);
        bench.transfer(&new, 1_024).unwrap();
        assert_eq!(bench.pendings, 3, "7.68 s: one for P2, one for each 3.75 s after it");
    }

    #[test]
    fn low_supply_forbids_the_erase_and_a_dip_writes_nothing() {
        let mut bench = Bench::empty();
        bench.unlock().unwrap();
        bench.supply = Millivolts::new(19_999);
        bench.expect("> 31 01 FF 00 \n < 7F 31 93");
        bench.run_for(SECOND);
        assert_eq!(bench.status().faults, PumpFaults::LOW_SUPPLY.with(PumpFaults::NO_APPLICATION));
        assert_eq!(bench.flash.operations, 0);
        bench.supply = Millivolts::new(20_000);
        bench.expect("> 31 01 FF 00 \n < 71 01 FF 00 00");
        bench.run_for(SECOND);
        assert_eq!(bench.status().faults, PumpFaults::NO_APPLICATION);
    }

    #[test]
    fn a_session_without_requests_ends_after_10_s_and_the_update_with_it() {
        let new = image(MODEL, 2, 200);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        bench.transfer(&new[..128], 128).unwrap();
        assert_eq!(bench.pump.state(), PumpState::Updating);
        bench.run_for(Duration::from_millis(9_900));
        bench.expect("> 3E 00 \n < 7E 00");
        bench.run_for(Duration::from_millis(10_000));
        assert_eq!(bench.pump.state(), PumpState::Bootloader);
        bench.expect("> 36 02 00 \n < 7F 36 7F");
        bench.unlock().unwrap();
        bench.expect("> 36 02 00 \n < 7F 36 24 \n > 34 00 44 08 02 00 00 00 00 10 00 \n < 7F 34 24");
        bench.update(&new, 128).unwrap();
    }

    #[test]
    fn a_session_does_not_end_while_a_request_is_coming_in() {
        let new = image(MODEL, 2, 1_200);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        let block = [&[0x36, 1][..], &new[..1_024]].concat();
        // 147 frames take longer than the 10 ms that are left of the session.
        bench.run_for(Duration::from_millis(9_980));
        let begun = bench.now;
        assert_eq!(bench.ask(&block).unwrap(), [0x76, 1]);
        assert!(bench.now.since(begun) > Duration::from_millis(20));
    }

    #[test]
    fn a_last_answer_lost_after_response_pending_leaves_the_session_open_for_the_repeat() {
        let mut bench = Bench::empty();
        bench.unlock().unwrap();
        bench.expect("> 31 01 FF 00 \n < 71 01 FF 00 00");
        // P2* of the client and the link's delay.
        bench.run_for(Duration::from_millis(5_100));
        bench.expect("> 31 01 FF 00 \n < 71 01 FF 00 00");
    }

    #[test]
    fn supply_that_falls_between_two_sectors_ends_the_erase() {
        let mut bench = Bench::empty();
        bench.unlock().unwrap();
        bench.post(&[0x31, 1, 0xFF, 0]);
        while bench.flash.operations == 0 {
            bench.run_for(Duration::from_millis(1));
        }
        bench.supply = Millivolts::new(19_999);
        bench.run_for(SECOND.times(10));
        assert_eq!(bench.flash.operations, 1, "the sector that was begun, and no other");
        bench.expect("> 34 00 44 08 02 00 00 00 00 10 00 \n < 7F 34 24");
        bench.supply = Millivolts::new(24_000);
        bench.expect("> 31 01 FF 00 \n < 71 01 FF 00 00");
    }

    #[test]
    fn every_new_session_locks_again() {
        let mut bench = Bench::empty();
        bench.unlock().unwrap();
        bench.expect("> 27 01 \n < 67 01 00 00 00 00 \n > 10 02 \n < 50 02 .. \n > 31 01 FF 00 \n < 7F 31 33");
        bench.unlock().unwrap();
        bench.expect("> 10 01 \n < 50 01 .. \n > 31 01 FF 00 \n < 7F 31 7F");
    }

    #[test]
    fn a_bootloader_with_a_good_image_starts_it_after_30_s_of_silence() {
        let mut bench = Bench::with_application();
        bench.command(Mode::Standby, 0);
        bench.expect("> 10 02 \n < 50 02 ..");
        bench.run_for(Duration::from_millis(29_900));
        assert_eq!(bench.pump.state(), PumpState::Bootloader);
        bench.expect("> 22 F1 F0 \n < 62 F1 F0 01 \n > 22 F1 95 \n < 62 F1 95 00 01 00 02 00 03");
        bench.run_for(Duration::from_millis(29_900));
        assert_eq!(bench.pump.state(), PumpState::Bootloader);
        bench.run_for(Duration::from_millis(200));
        assert_eq!(bench.pump.state(), PumpState::Standby);
        assert_eq!(bench.flash.operations, 0);
    }

    #[test]
    fn a_bootloader_without_application_waits_for_ever() {
        let mut bench = Bench::empty();
        bench.run_for(Duration::from_secs(3_600));
        assert_eq!((bench.pump.state(), bench.resets), (PumpState::Bootloader, 0));
        bench.update(&image(MODEL, 2, 100), 64).unwrap();
    }

    #[test]
    fn the_lock_out_lasts_10_s_and_is_kept_over_a_reset() {
        let mut bench = Bench::empty();
        bench.expect("> 10 02 \n < 50 02 ..");
        assert_eq!(wrong_key(&mut bench), Response::Negative { service: 0x27, code: 0x35 });
        assert_eq!(wrong_key(&mut bench), Response::Negative { service: 0x27, code: 0x35 });
        bench.expect("> 11 01 \n < 51 01");
        bench.run_for(Duration::from_millis(20));
        bench.expect("> 10 02 \n < 50 02 ..");
        assert_eq!(wrong_key(&mut bench), Response::Negative { service: 0x27, code: 0x36 });
        let locked_at = bench.now;
        bench.expect("> 27 01 \n < 7F 27 37 \n > 27 02 00 00 00 00 \n < 7F 27 37 \n > 11 01 \n < 51 01");
        bench.run_for(Duration::from_secs(9).plus(Duration::from_millis(950 - bench.now.since(locked_at).as_millis())));
        bench.expect("> 10 02 \n < 50 02 .. \n > 27 01 \n < 7F 27 37");
        bench.run_for(Duration::from_millis(100));
        assert_eq!(wrong_key(&mut bench), Response::Negative { service: 0x27, code: 0x35 }, "three new tries");
        bench.unlock().unwrap();
        assert_eq!(bench.resets, 2);
    }

    #[test]
    fn seeds_never_repeat_in_a_row_over_resets_and_each_serves_one_key() {
        let mut bench = Bench::empty();
        let mut seeds = Vec::new();
        for _ in 0..50 {
            bench.expect("> 10 02 \n < 50 02 ..");
            for _ in 0..4 {
                let Some(Response::Seed(seed)) = bench.request(&Request::RequestSeed) else { panic!("no seed") };
                seeds.push(seed);
            }
            bench.expect("> 11 01 \n < 51 01");
            bench.run_for(Duration::from_millis(20));
        }
        assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]) && !seeds.contains(&0));
        bench.unlock().unwrap();
        bench.expect("> 27 02 00 00 00 00 \n < 7F 27 24");
    }

    #[test]
    fn frames_that_come_while_a_block_is_programmed_do_not_touch_it() {
        let new = image(MODEL, 2, 2_000);
        let mut bench = Bench::empty();
        bench.noise = true;
        bench.update(&new, 1_024).unwrap();
        assert!(bench.flash.holds(&new));
    }

    #[test]
    fn nothing_is_erased_that_could_not_be_announced() {
        let mut bench = Bench::with_application();
        bench.command(Mode::Standby, 0);
        bench.expect("> 10 02 \n < 50 02 ..");
        bench.run_for(Duration::from_millis(20));
        bench.unlock().unwrap();
        let erase = protocol::Frame::with_bytes(protocol::ids::uds_request(bench.config.number), [4, 0x31, 1, 0xFF, 0]);
        bench.bus_open = true;
        bench.put_into_fifo(erase);
        bench.run_for(Duration::from_secs(60));
        assert_eq!(bench.flash.operations, 0);
        bench.bus_open = false;
        bench.run_for(SECOND);
        assert_eq!(bench.status().state, PumpState::FailSafe, "the old application runs again");
        let silent_for = bench.now.since(bench.statuses.last().unwrap().0);
        assert!(silent_for <= Duration::from_millis(100), "the status is sent again");
        bench.update(&image(MODEL, 2, 100), 64).unwrap();
    }

    /// PFU-041: a lost answer costs no second erase of 4 s.
    #[test]
    fn an_erase_that_is_asked_for_again_takes_up_what_is_left_of_it() {
        for sectors in 1..4 {
            let mut bench = Bench::with_application();
            bench.command(Mode::Standby, 0);
            bench.expect("> 10 02 \n < 50 02 ..");
            bench.run_for(Duration::from_millis(20));
            bench.unlock().unwrap();
            let erase =
                protocol::Frame::with_bytes(protocol::ids::uds_request(bench.config.number), [4, 0x31, 1, 0xFF, 0]);
            bench.put_into_fifo(erase);
            while bench.flash.operations < sectors {
                bench.run_for(Duration::from_millis(1));
            }
            bench.bus_open = true;
            bench.run_for(Duration::from_secs(3));
            assert_eq!(bench.flash.operations, sectors, "the next sector could not be announced");
            bench.bus_open = false;
            bench.expect("> 34 00 44 08 02 00 00 00 00 00 80 \n < 7F 34 24");
            for _ in 0..2 {
                assert_eq!(bench.request(&Request::Start(Routine::Erase)), Some(erased()));
                assert_eq!(bench.flash.operations, 4, "after {sectors} sectors");
            }
            bench.expect("> 34 00 44 08 02 00 00 00 00 00 80 \n < 74 ..");
        }
    }

    fn erased() -> Response {
        Response::Routine { routine: Routine::Erase, result: 0 }
    }

    #[test]
    fn what_was_written_to_is_erased_again() {
        let new = image(MODEL, 2, 2_000);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        bench.transfer(&new[..256], 256).unwrap();
        let operations = bench.flash.operations;
        assert_eq!(bench.request(&Request::Start(Routine::Erase)), Some(erased()), "amid the image");
        assert_eq!(bench.flash.operations, operations + 4);
        bench.download(new.len()).unwrap();
        bench.transfer(&new, 256).unwrap();
        bench.expect("> 37 \n < 77 \n > 31 01 FF 01 \n < 71 01 FF 01 00");
        let operations = bench.flash.operations;
        assert_eq!(bench.request(&Request::Start(Routine::Erase)), Some(erased()), "after the marker");
        assert_eq!(bench.flash.operations, operations + 4);
    }

    #[test]
    fn a_reset_without_boot_request_starts_the_new_application() {
        let mut bench = Bench::with_application();
        let new = image(MODEL, 7, 500);
        bench.update(&new, 256).unwrap();
        assert_eq!(bench.resets, 2);
        bench.expect("> 22 F1 F0 \n < 62 F1 F0 00 \n > 22 F1 95 \n < 62 F1 95 00 07 00 02 00 03");
        bench.update(&image(MODEL, 3, 500), 256).unwrap();
        bench.expect("> 22 F1 95 \n < 62 F1 95 00 03 00 02 00 03");
    }
}
