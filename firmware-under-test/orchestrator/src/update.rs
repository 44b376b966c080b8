//! One try: from the request to enter the bootloader to the good status after the reboot.
//!
//! ```text
//!   look:        22 F191 = the image's model; a running application of the image's version needs nothing
//!   ------------ the try is counted ------------
//!   application: 10 02 -> status "bootloader"
//!   bootloader:  10 02 -> 27 01, 27 02 -> 31 FF00 (78 .. 78) -> 34 -> 36 x n -> 37 -> 31 FF01 -> 11 01
//!   application: status -> 22 F195 = the image's version, no faults
//! ```
//! The look comes before the try and is none (PFU-022): the pump may have been exchanged since the search.
//!
//! A pump that is in its bootloader already, after a failed try or found so, is not asked to enter it. Requests without
//! an answer are repeated: a block three times with the same counter, another request twice. ISO-TP repeats nothing by
//! itself.
//!
//! A try that ends without a word of what is wrong may have been cut off by the pump's supply, which the CIOC does not
//! see: the pump starts again with that in its reset-cause register. So before such a try ends the pump is waited for,
//! and asked (22 F1F1) why and how long ago it started. A start for lack of supply makes it FW003 if it lies in the try or
//! in the silence that the try ended with; any other answer leaves the cause as it is, and so does a loss of supply of a
//! pump that was heard after the failure. A pump that does not answer leaves the try *unexplained*: it is charged, and
//! the look before the next try asks again whether lack of supply had ended it. No pump dies of tries alone that may
//! have been cut off so.

use protocol::cyclic::PumpState;
use protocol::header::Version;
use protocol::ids::PumpNumber;
use protocol::uds::{BLOCK_LEN, Identifier, MESSAGE_LEN, Request, Response, Routine, Session, Start, key_for};
use units::{Duration, Instant};

use crate::client::{Client, Reply};
use crate::config::{APPLICATION_START, WORD_MOST};
use crate::log::Cause;
use crate::notice::{Notice, Phase};
use crate::package::Image;
use crate::unit::{Ports, Unit, View, in_bootloader};

/// Repetitions of a block (can-notes: the client repeats 0x36 with the same counter).
const BLOCK_REPEATS: u8 = 3;
/// Repetitions of another request (own number).
const REQUEST_REPEATS: u8 = 2;

/// Repetitions of seed and key together (own number): two for each.
const SECURITY_REPEATS: u8 = 4;
/// The wait for the lock-out of a pump that has seen wrong keys: its 10 s and a second more.
const LOCK_OUT_WAIT: Duration = Duration::from_secs(11);

/// A pump whose last status is younger was there (own number: three periods of the status).
const PRESENT: Duration = Duration::from_millis(300);

/// Bytes of a flash word.
const WORD_LEN: u32 = 4;

/// Response codes with a cause of their own (ISO 14229-1 annex A).
mod code {
    pub(super) const SEQUENCE_ERROR: u8 = 0x24;
    pub(super) const ACCESS_DENIED: u8 = 0x33;
    pub(super) const NOT_IN_THIS_SESSION: [u8; 2] = [0x7E, 0x7F];
    pub(super) const INVALID_KEY: u8 = 0x35;
    pub(super) const TOO_MANY_KEYS: u8 = 0x36;
    pub(super) const DELAY_NOT_EXPIRED: u8 = 0x37;
    pub(super) const PROGRAMMING_FAILURE: u8 = 0x72;
    pub(super) const VOLTAGE_TOO_LOW: u8 = 0x93;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Is it still the pump that was searched?
    Model,
    /// Why did the try before fail, which nobody has explained?
    LastStart,
    Version,
    Enter,
    AwaitBootloader {
        until: Instant,
    },
    Session,
    Seed,
    Key,
    /// Security access is locked out: the pump's own time must pass.
    LockOut {
        until: Instant,
    },
    Erase,
    Download,
    Transfer,
    Exit,
    Check,
    Reset,
    AwaitStatus,
    ReadVersion,
    /// The try has failed without a word of what is wrong: the pump is to be heard again.
    AwaitWord {
        cause: Cause,
        until: Instant,
    },
    /// It is asked why it last started.
    ReadStart {
        cause: Cause,
        until: Instant,
    },
}

/// What a step of a try has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Running,
    /// The look is over: the pump is the one for the image, and needs it. [`Try::enter_update`] goes on.
    Ready,
    /// The look is over: the pump runs the image's version.
    Equal(Version),
    Good(Version),
    /// The image is for another model than the pump that is there now; nothing was written.
    OtherModel,
    Failed(Cause),
}

/// A running try.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Try {
    pump: PumpNumber,
    attempt: u8,
    image: Image,
    stage: Stage,
    /// When the running stage's request was made, or the reset for the status check.
    since: Instant,
    /// When the version was last read.
    read_at: Instant,
    shown: Option<Phase>,
    seed: u32,
    repeats: u8,
    /// Whether a request of this try got no answer.
    lost: bool,
    /// Whether the running request got no answer before.
    asked_again: bool,
    lock_out_met: bool,
    /// How the look ended, unless the try goes on.
    looked: Option<Step>,
    /// When the try itself began, after the look.
    began: Option<Instant>,
    /// Whether the pump's own word tells why the try failed.
    explained: bool,
    /// A try that has failed without a word of what is wrong: the one before while the pump is looked at, and this one
    /// once it has failed so.
    doubt: Option<Doubt>,
    /// Whether the pump had not lost its supply in the try before.
    had_supply: bool,
    block_len: u32,
    blocks: u32,
    block: u32,
}

type Flow = Result<(), Cause>;

/// A try that failed without a word of what is wrong: lack of the pump's supply may have ended it.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Doubt {
    pub(crate) pump: PumpNumber,
    began: Instant,
    failed: Instant,
    /// Whether it was heard just before it failed.
    present: bool,
    /// When the pump was first heard after that.
    heard: Option<Instant>,
}

impl Doubt {
    /// Notes the pump's first status after the failure: its supply was there by then, and what happens to it from then on
    /// has not ended the try.
    pub(crate) fn follow(&mut self, unit: &Unit) {
        let view = unit.view(self.pump);
        self.heard = self.heard.or_else(|| view.heard_after(self.failed).map(|_| view.heard_at));
    }

    /// Whether the try failed for lack of supply, by the pump's word of its last start; `None` if that tells nothing: a
    /// loss after the pump was heard again has wiped out the word of the silence before it. The age that it tells is up to
    /// 100 ms too long: a pump is rather tried again than charged with a lack of supply.
    fn lacked_supply(&self, start: Start, now: Instant) -> Option<bool> {
        let age = start.age();
        if !start.cause.is_lack_of_supply() || age >= now.since(self.began) {
            return Some(false);
        }
        let in_try = self.heard.is_none_or(|heard| age >= now.since(heard));
        if in_try { Some(true) } else { self.present.then_some(false) }
    }
}

impl Try {
    /// Begins the look before try number `attempt`, which is not counted yet. `before` is the try before, if nothing has
    /// explained its failure.
    pub(crate) fn look(
        pump: PumpNumber,
        attempt: u8,
        image: Image,
        before: Option<Doubt>,
        unit: &mut Unit,
        client: &mut Client,
        ports: &Ports<'_>,
    ) -> Self {
        let mut this = Self {
            pump,
            attempt,
            image,
            stage: Stage::Model,
            since: ports.now,
            read_at: ports.now,
            shown: None,
            seed: 0,
            repeats: 0,
            lost: false,
            asked_again: false,
            lock_out_met: false,
            looked: None,
            began: None,
            explained: false,
            doubt: before,
            had_supply: false,
            block_len: 0,
            blocks: 0,
            block: 0,
        };
        unit.supply.forget_dips();
        client.turn_to(pump);
        this.enter(Stage::Model, unit, client, ports);
        this
    }

    /// Begins the update itself after [`Step::Ready`]; the try must be counted in the record by now.
    pub(crate) fn enter_update(&mut self, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) {
        (self.looked, self.lost, self.repeats, self.doubt) = (None, false, 0, None);
        self.began = Some(ports.now);
        self.enter(self.way_in(unit), unit, client, ports);
    }

    /// Whether the try before failed for what is in the flash: that is written anew, whatever the pump says of it. After
    /// any other try the pump may run the image all the same.
    fn is_doubtful(&self, unit: &Unit) -> bool {
        let cause = unit.pump_record(self.pump).cause;
        matches!(cause, Some(Cause::FlashFailure | Cause::CheckFailed | Cause::WrongVersion))
    }

    /// Whether the look goes on to the version of a running application that may need nothing.
    fn asks_version(&self, unit: &Unit) -> bool {
        !self.is_doubtful(unit) && self.way_in(unit) == Stage::Enter
    }

    /// Where the update itself begins.
    fn way_in(&self, unit: &Unit) -> Stage {
        let inside = unit.view(self.pump).reported.is_some_and(|status| in_bootloader(status.state));
        if inside { Stage::Session } else { Stage::Enter }
    }

    /// Goes on after `reply`, a status of the pump, or time.
    pub(crate) fn advance(
        &mut self,
        unit: &mut Unit,
        client: &mut Client,
        ports: &Ports<'_>,
        reply: Option<Reply>,
    ) -> Step {
        if let Some(doubt) = &mut self.doubt {
            doubt.follow(unit);
        }
        let flow = match reply {
            Some(reply) => self.on_reply(reply, unit, client, ports),
            None => self.on_time(unit, client, ports),
        };
        match flow {
            Ok(None) if let Some(end) = self.looked => end,
            Ok(Some(version)) => Step::Good(version),
            Ok(None) => Step::Running,
            Err(cause) => self.end(cause, unit, client, ports),
        }
    }

    /// The try has failed, or the look has: a try that nothing explains first waits for the pump's word. What ended it is
    /// told by what was known then, not by what happens in that wait.
    fn end(&mut self, cause: Cause, unit: &Unit, client: &mut Client, ports: &Ports<'_>) -> Step {
        client.stop();
        if matches!(self.stage, Stage::AwaitWord { .. } | Stage::ReadStart { .. }) {
            return Step::Failed(cause);
        }
        let cause = self.blame(cause, unit, ports);
        let Some(began) = self.began.filter(|_| is_excusable(cause)) else { return Step::Failed(cause) };
        self.doubt = Some(Doubt {
            pump: self.pump,
            began,
            failed: ports.now,
            present: ports.now.since(unit.view(self.pump).heard_at) < PRESENT,
            heard: None,
        });
        self.since = ports.now;
        self.stage = Stage::AwaitWord { cause, until: ports.now.after(WORD_MOST) };
        Step::Running
    }

    /// This try, if it has failed unexplained.
    pub(crate) fn left_in_doubt(&self) -> Option<Doubt> {
        self.doubt.filter(|_| !self.explained)
    }

    /// After the look: the try before, unexplained when it ended, had not failed for lack of the pump's supply.
    pub(crate) const fn had_supply(&self) -> bool {
        self.had_supply
    }

    /// The pump has told of its last start: one for lack of supply within the try is what ended it.
    fn on_start(&mut self, start: Start, cause: Cause, ports: &Ports<'_>) -> Cause {
        let lacked = self.doubt.and_then(|doubt| doubt.lacked_supply(start, ports.now));
        self.explained = lacked.is_some();
        if lacked == Some(true) { Cause::LowSupply } else { cause }
    }

    /// A try that ended without a word of what is wrong while the supply was low failed for that (FW003). A failure of
    /// flash, check or version stays one: a supply that dips now and then must not excuse a broken pump for ever.
    fn blame(&self, cause: Cause, unit: &Unit, ports: &Ports<'_>) -> Cause {
        let low = unit.supply.dipped() || unit.view(self.pump).is_short_of_supply(ports.now);
        if low && is_excusable(cause) { Cause::LowSupply } else { cause }
    }

    /// When time alone moves this try on.
    pub(crate) fn wake_at(&self, unit: &Unit) -> Option<Instant> {
        match self.stage {
            Stage::AwaitBootloader { until } | Stage::LockOut { until } | Stage::AwaitWord { until, .. } => Some(until),
            Stage::AwaitStatus => Some(self.since.after(unit.config.status_timeout)),
            _ => None,
        }
    }

    fn enter(&mut self, stage: Stage, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) {
        self.stage = stage;
        self.asked_again = false;
        self.show_phase(unit);
        self.ask(client, ports);
    }

    /// Repetitions are counted by phase, so that two stages cannot send each other round for ever.
    fn show_phase(&mut self, unit: &mut Unit) {
        let Some(phase) = phase_of(self.stage) else { return };
        // After a lock-out the try goes back to the session, what is shown does not.
        if self.shown.is_none_or(|shown| shown < phase) {
            self.shown = Some(phase);
            self.repeats = 0;
            unit.phase(self.pump, self.attempt, phase);
        }
    }

    fn ask(&mut self, client: &mut Client, ports: &Ports<'_>) {
        let request = match self.stage {
            Stage::Model => Request::Read(Identifier::Model),
            Stage::LastStart | Stage::ReadStart { .. } => Request::Read(Identifier::Start),
            Stage::Version => Request::Read(Identifier::Version),
            Stage::Enter | Stage::Session => Request::Session(Session::Programming),
            Stage::Seed => Request::RequestSeed,
            Stage::Key => Request::SendKey(key_for(self.seed)),
            Stage::Erase => Request::Start(Routine::Erase),
            Stage::Download => {
                Request::RequestDownload { address: APPLICATION_START, length: self.image.header.length }
            }
            Stage::Exit => Request::TransferExit,
            Stage::Check => Request::Start(Routine::CheckProgrammingDependencies),
            Stage::Reset => Request::Reset,
            Stage::ReadVersion => Request::Read(Identifier::Version),
            Stage::Transfer
            | Stage::AwaitBootloader { .. }
            | Stage::LockOut { .. }
            | Stage::AwaitStatus
            | Stage::AwaitWord { .. } => return,
        };
        // The status check's time runs from the reset, not from its reads.
        if self.stage == Stage::ReadVersion {
            self.read_at = ports.now;
        } else {
            self.since = ports.now;
        }
        // A pump stalls for seconds in an erase and may check for long: what it says next comes within P2*, not P2.
        // One whose version, the only answer of several frames, lost its first frame holds the next back for N_Bs.
        let may_work = matches!(self.stage, Stage::Version | Stage::Session | Stage::Erase | Stage::Check);
        if may_work && self.repeats > 0 { client.ask_patiently(&request) } else { client.ask(&request) }
    }

    fn on_reply(
        &mut self,
        reply: Reply,
        unit: &mut Unit,
        client: &mut Client,
        ports: &Ports<'_>,
    ) -> Result<Option<Version>, Cause> {
        match reply {
            Reply::Answer(response) => self.on_answer(response, unit, client, ports),
            Reply::Refused(code) => self.on_refused(code, unit, client, ports).map(|()| None),
            Reply::Silent => self.on_silent(unit, client, ports).map(|()| None),
        }
    }

    fn on_answer(
        &mut self,
        response: Response,
        unit: &mut Unit,
        client: &mut Client,
        ports: &Ports<'_>,
    ) -> Result<Option<Version>, Cause> {
        let next = match (self.stage, response) {
            (Stage::Model, Response::Model(model)) => {
                unit.view_mut(self.pump).model = Some(model);
                match self.doubt {
                    _ if model != self.image.header.model => return self.end_look(Step::OtherModel),
                    Some(_) => Stage::LastStart,
                    None if self.asks_version(unit) => Stage::Version,
                    None => return self.end_look(Step::Ready),
                }
            }
            (Stage::LastStart, Response::Start(start)) => {
                self.had_supply = self.doubt.and_then(|doubt| doubt.lacked_supply(start, ports.now)) == Some(false);
                if !self.asks_version(unit) {
                    return self.end_look(Step::Ready);
                }
                Stage::Version
            }
            (Stage::Version, Response::Version(version)) => {
                let equal = version == self.image.header.version && runs_well(unit.view(self.pump), ports.now);
                return self.end_look(if equal { Step::Equal(version) } else { Step::Ready });
            }
            (Stage::Enter, Response::Session { .. }) => self.await_bootloader(unit, ports),
            (Stage::Session, Response::Session { .. }) => Stage::Seed,
            (Stage::Seed, Response::Seed(0)) | (Stage::Seed | Stage::Key, Response::Unlocked) => Stage::Erase,
            (Stage::Seed, Response::Seed(seed)) => {
                self.seed = seed;
                Stage::Key
            }
            (Stage::Erase, Response::Routine { routine: Routine::Erase, result: 0 }) => Stage::Download,
            (Stage::Erase, Response::Routine { routine: Routine::Erase, .. }) => return Err(Cause::FlashFailure),
            (Stage::Download, Response::Download { block_message_len }) => {
                return self.begin_blocks(block_message_len, unit, client, ports).map(|()| None);
            }
            (Stage::Transfer, Response::Transfer { counter }) => {
                return self.on_block(counter, unit, client, ports).map(|()| None);
            }
            (Stage::Exit, Response::TransferExit) => Stage::Check,
            (Stage::Check, Response::Routine { routine: Routine::CheckProgrammingDependencies, result: 0 }) => {
                Stage::Reset
            }
            (Stage::Check, Response::Routine { routine: Routine::CheckProgrammingDependencies, .. }) => {
                return Err(Cause::CheckFailed);
            }
            (Stage::Reset, Response::Reset) => Stage::AwaitStatus,
            (Stage::ReadVersion, Response::Version(version)) => return self.on_version(version, unit, ports),
            (Stage::ReadStart { cause, .. }, Response::Start(start)) => return Err(self.on_start(start, cause, ports)),
            // The right service with other content answers an earlier request that was repeated.
            _ => {
                client.wait_on();
                return Ok(None);
            }
        };
        self.enter(next, unit, client, ports);
        Ok(None)
    }

    const fn end_look(&mut self, end: Step) -> Result<Option<Version>, Cause> {
        self.looked = Some(end);
        Ok(None)
    }

    fn await_bootloader(&self, unit: &Unit, ports: &Ports<'_>) -> Stage {
        Stage::AwaitBootloader { until: ports.now.after(unit.config.bootloader_timeout) }
    }

    fn on_refused(&mut self, code: u8, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) -> Flow {
        match (self.stage, code) {
            // A pump that refuses the identifier had the supply to do so, and explains nothing.
            (Stage::ReadStart { cause, .. }, _) => {
                self.explained = true;
                return Err(cause);
            }
            (Stage::LastStart, _) if self.asks_version(unit) => self.enter(Stage::Version, unit, client, ports),
            (Stage::LastStart, _) => self.looked = Some(Step::Ready),
            // The answer to the first exit was lost; the check that follows tells whether the image is whole.
            (Stage::Exit, code::SEQUENCE_ERROR) if self.repeats > 0 => self.enter(Stage::Check, unit, client, ports),
            // The first reset was heard; the application need not know the service.
            (Stage::Reset, _) if self.repeats > 0 => self.enter(Stage::AwaitStatus, unit, client, ports),
            // A pump that has just booted may not answer reads yet: the time limit decides.
            (Stage::ReadVersion, _) => self.stage = Stage::AwaitStatus,
            // The seed was asked for twice and this key fits the first one; a new seed is asked for.
            (Stage::Key, code::INVALID_KEY | code::SEQUENCE_ERROR) if self.repeats > 0 => {
                return self.on_silent(unit, client, ports);
            }
            // The late answer to such a key.
            (Stage::Seed, code::INVALID_KEY | code::SEQUENCE_ERROR) if self.repeats > 0 => client.wait_on(),
            (Stage::Seed | Stage::Key, code::TOO_MANY_KEYS | code::DELAY_NOT_EXPIRED) if !self.lock_out_met => {
                self.lock_out_met = true;
                self.repeats = 0;
                self.stage = Stage::LockOut { until: ports.now.after(LOCK_OUT_WAIT) };
            }
            (_, code::VOLTAGE_TOO_LOW) => return Err(Cause::LowSupply),
            (_, code::PROGRAMMING_FAILURE) => return Err(Cause::FlashFailure),
            _ if self.follows_a_loss(code) => return Err(Cause::Timeout),
            _ => return Err(Cause::Refused),
        }
        Ok(())
    }

    /// A pump that restarted, or that heard a request whose answer was lost, refuses what comes next: the lost
    /// communication is the cause of such a try, not the refusal (PFU-052).
    fn follows_a_loss(&self, code: u8) -> bool {
        let state_is_gone =
            code::NOT_IN_THIS_SESSION.contains(&code) || matches!(code, code::SEQUENCE_ERROR | code::ACCESS_DENIED);
        self.asked_again || (self.lost && state_is_gone)
    }

    fn on_silent(&mut self, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) -> Flow {
        self.lost = true;
        self.asked_again = true;
        match self.stage {
            // The pump may have jumped without an answer: its status tells.
            Stage::Enter => self.stage = self.await_bootloader(unit, ports),
            // Request or answer was lost: a pump that still runs its bootloader is asked again.
            Stage::Reset if self.repeats < REQUEST_REPEATS && !self.is_up(unit) => return self.repeat(client, ports),
            Stage::Reset => self.enter(Stage::AwaitStatus, unit, client, ports),
            Stage::ReadVersion => self.stage = Stage::AwaitStatus,
            // It may have lost its supply again.
            Stage::ReadStart { cause, until } => {
                self.since = ports.now;
                self.stage = Stage::AwaitWord { cause, until };
            }
            Stage::Transfer if self.repeats < BLOCK_REPEATS => {
                self.repeats = self.repeats.saturating_add(1);
                return self.send_block(client, ports);
            }
            // A key may have been taken although its answer was lost; a new seed tells (0: unlocked).
            Stage::Key if self.repeats < SECURITY_REPEATS => {
                self.repeats = self.repeats.saturating_add(1);
                self.enter(Stage::Seed, unit, client, ports);
            }
            Stage::Transfer | Stage::Key => return Err(Cause::Timeout),
            _ => return self.repeat(client, ports),
        }
        Ok(())
    }

    fn repeat(&mut self, client: &mut Client, ports: &Ports<'_>) -> Flow {
        let most = if self.stage == Stage::Seed { SECURITY_REPEATS } else { REQUEST_REPEATS };
        if self.repeats >= most {
            return Err(Cause::Timeout);
        }
        self.repeats = self.repeats.saturating_add(1);
        self.ask(client, ports);
        Ok(())
    }

    fn on_time(&mut self, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) -> Result<Option<Version>, Cause> {
        match self.stage {
            Stage::AwaitBootloader { until } => {
                let heard = unit.view(self.pump).heard_after(self.since).map(|status| status.state);
                if heard.is_some_and(in_bootloader) {
                    self.enter(Stage::Session, unit, client, ports);
                } else if ports.now >= until {
                    self.stage = Stage::Enter;
                    return self.repeat(client, ports).map(|()| None);
                }
            }
            // The pump's session has ended meanwhile.
            Stage::LockOut { until } if ports.now >= until => self.enter(Stage::Session, unit, client, ports),
            Stage::AwaitStatus | Stage::ReadVersion if ports.now >= self.since.after(unit.config.status_timeout) => {
                return Err(Cause::NoGoodStatus);
            }
            Stage::AwaitStatus if self.is_up(unit) && unit.view(self.pump).heard_at > self.read_at => {
                self.enter(Stage::ReadVersion, unit, client, ports)
            }
            Stage::AwaitWord { cause, until } | Stage::ReadStart { cause, until } if ports.now >= until => {
                return Err(cause);
            }
            Stage::AwaitWord { cause, until } if unit.view(self.pump).heard_after(self.since).is_some() => {
                self.enter(Stage::ReadStart { cause, until }, unit, client, ports);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Whether the pump, heard after the reset, runs its application without faults.
    fn is_up(&self, unit: &Unit) -> bool {
        let heard = unit.view(self.pump).heard_after(self.since);
        heard.is_some_and(|status| status.state.is_application() && status.faults.0 == 0)
    }

    fn on_version(&mut self, version: Version, unit: &mut Unit, ports: &Ports<'_>) -> Result<Option<Version>, Cause> {
        unit.view_mut(self.pump).version = Some(version);
        if version != self.image.header.version {
            return Err(Cause::WrongVersion);
        }
        if self.is_up(unit) && ports.now < self.since.after(unit.config.status_timeout) {
            return Ok(Some(version));
        }
        self.stage = Stage::AwaitStatus;
        Ok(None)
    }

    fn begin_blocks(&mut self, message_len: u16, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) -> Flow {
        let theirs = u32::from(message_len).saturating_sub(2);
        let ours = u32::from(unit.config.block_len).clamp(WORD_LEN, BLOCK_LEN as u32);
        // Flash is programmed by words: only the image's last block may hold a part of one.
        self.block_len = ours.min(theirs) / WORD_LEN * WORD_LEN;
        if self.block_len == 0 {
            return Err(Cause::Refused);
        }
        self.blocks = self.image.header.length.div_ceil(self.block_len);
        self.block = 0;
        self.enter(Stage::Transfer, unit, client, ports);
        unit.progress.begin_blocks(ports.now, self.blocks);
        self.send_block(client, ports)
    }

    /// The counter of the running block: 1 first, wrapping from 255 to 0.
    fn counter(&self) -> u8 {
        let [low, ..] = self.block.wrapping_add(1).to_le_bytes();
        low
    }

    /// Reads the running block from the package straight into a message.
    fn send_block(&mut self, client: &mut Client, ports: &Ports<'_>) -> Flow {
        let offset = self.block.saturating_mul(self.block_len);
        let len = self.image.header.length.saturating_sub(offset).min(self.block_len);
        let mut message = [0; MESSAGE_LEN];
        let service = Request::TransferData { counter: 0, data: &[] }.service();
        let message = message.get_mut(..(len as usize).saturating_add(2)).ok_or(Cause::ImageRejected)?;
        let [head, counter, data @ ..] = &mut *message else { return Err(Cause::ImageRejected) };
        *head = service;
        *counter = self.counter();
        if !ports.package.read(offset, data) {
            return Err(Cause::ImageRejected);
        }
        client.send(service, message);
        Ok(())
    }

    fn on_block(&mut self, counter: u8, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) -> Flow {
        if counter != self.counter() {
            // The late answer to a block that was repeated.
            client.wait_on();
            return Ok(());
        }
        let before = self.block;
        self.block = self.block.saturating_add(1);
        self.repeats = 0;
        self.asked_again = false;
        unit.progress.block_done(self.block);
        if self.percent(before) != self.percent(self.block) {
            let (done, of) = (self.block, self.blocks);
            unit.notice(Notice::Block { pump: self.pump, attempt: self.attempt, done, of });
        }
        if self.block < self.blocks {
            return self.send_block(client, ports);
        }
        self.enter(Stage::Exit, unit, client, ports);
        Ok(())
    }

    fn percent(&self, block: u32) -> u32 {
        block.saturating_mul(100) / self.blocks.max(1)
    }
}

/// What is shown of a stage; looking before anything is asked of the pump is not.
const fn phase_of(stage: Stage) -> Option<Phase> {
    Some(match stage {
        Stage::Model | Stage::LastStart | Stage::Version => return None,
        Stage::AwaitWord { .. } | Stage::ReadStart { .. } => return None,
        Stage::Enter | Stage::AwaitBootloader { .. } => Phase::EnterBootloader,
        Stage::Session => Phase::Session,
        Stage::Seed | Stage::Key | Stage::LockOut { .. } => Phase::Security,
        Stage::Erase => Phase::Erase,
        Stage::Download => Phase::Download,
        Stage::Transfer => Phase::Transfer,
        Stage::Exit => Phase::Exit,
        Stage::Check => Phase::Check,
        Stage::Reset => Phase::Reset,
        Stage::AwaitStatus | Stage::ReadVersion => Phase::StatusCheck,
    })
}

/// Whether a try that ended so may have ended for lack of supply: nobody has said what is wrong.
const fn is_excusable(cause: Cause) -> bool {
    matches!(cause, Cause::Timeout | Cause::Refused | Cause::NoGoodStatus)
}

/// Whether a pump, heard lately, has an application without faults.
fn runs_well(view: &View, now: Instant) -> bool {
    view.fresh(now).is_some_and(|status| status.state.is_application() && status.faults.0 == 0)
}

/// Whether a pump's status says that its motor stands or that it runs its bootloader.
pub(crate) fn is_stopped(status: &protocol::cyclic::Status) -> bool {
    in_bootloader(status.state) || (status.state == PumpState::Standby && status.speed.get() == 0)
}
