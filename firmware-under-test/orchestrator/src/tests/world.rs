//! A small bench: the firmware, fake pumps behind real ISO-TP frames, a bus, and memory that can tear.
//!
//! The pumps are scripted UDS servers written from the protocol's documents, not from the pump crate, so that a
//! misunderstanding between the two firmware crates cannot hide here. The bench is [`Clone`]: a test forks it at any
//! step and cuts the power.

use std::collections::{BTreeSet, VecDeque};
use std::vec;
use std::vec::Vec;

use embedded_can::StandardId;
use protocol::Frame;
use protocol::cyclic::{self, Command, Mode, PumpFaults, PumpState};
use protocol::header::{CRC32, HEADER_LEN, ImageHeader, ModelId, Version};
use protocol::ids::{self, PumpNumber};
use protocol::isotp::{Channel, Event as Link};
use protocol::uds::{Identifier, Request, ResetCause, Response, Routine, Session, Start, key_for};
use units::{DeciCelsius, Duration, Instant, Millivolts, Permille};

use crate::nvm::{NVM_LEN, NonVolatile};
use crate::{
    Alarm, Cause, Config, Event, Inputs, LogEntry, Notice, Orchestrator, Outputs, Package, PackageState, UserAction,
};

pub(crate) const OLD: Version = Version { major: 1, minor: 0, patch: 0 };
pub(crate) const NEW: Version = Version { major: 1, minor: 1, patch: 0 };
pub(crate) const MODEL: ModelId = ModelId(7);
/// One frame takes this long.
const FRAME_US: u64 = 250;
const SEED: u32 = 0x1234_5678;

pub(crate) fn pump(number: u8) -> PumpNumber {
    PumpNumber::new(number).unwrap()
}

pub(crate) fn ms(ms: u64) -> u64 {
    ms * 1_000
}

/// An image of `length` bytes for `model`.
pub(crate) fn image(model: ModelId, version: Version, length: usize) -> Vec<u8> {
    let payload: Vec<u8> = (HEADER_LEN..length).map(|at| (at * 31 % 251) as u8).collect();
    let header = ImageHeader { model, version, length: length as u32, payload_crc: CRC32.checksum(&payload) };
    [&header.encode()[..], &payload].concat()
}

/// FRAM that counts the bytes written and loses power after some of them.
#[derive(Clone)]
pub(crate) struct Fram {
    pub(crate) bytes: Vec<u8>,
    /// Bytes that may still be written before power fails.
    pub(crate) budget: Option<usize>,
    pub(crate) written: usize,
}

impl Fram {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; NVM_LEN], budget: None, written: 0 }
    }
}

impl NonVolatile for Fram {
    fn read(&self, offset: u16, into: &mut [u8]) {
        into.copy_from_slice(&self.bytes[usize::from(offset)..usize::from(offset) + into.len()]);
    }

    fn write(&mut self, offset: u16, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            if let Some(budget) = &mut self.budget {
                let Some(left) = budget.checked_sub(1) else { return };
                *budget = left;
            }
            self.bytes[usize::from(offset) + index] = *byte;
            self.written += 1;
        }
    }
}

#[derive(Clone)]
pub(crate) enum Store {
    None,
    Missing,
    Image(Vec<u8>),
    /// An image that can be read up to there.
    Torn(Vec<u8>, usize),
}

impl Package for Store {
    fn state(&self) -> PackageState {
        match self {
            Self::None => PackageState::NoPumpFirmware,
            Self::Missing => PackageState::Missing,
            Self::Image(bytes) | Self::Torn(bytes, _) => PackageState::Present { length: bytes.len() as u32 },
        }
    }

    fn read(&self, offset: u32, into: &mut [u8]) -> bool {
        let bytes = match self {
            Self::Image(bytes) => &bytes[..],
            Self::Torn(bytes, end) => &bytes[..*end],
            Self::None | Self::Missing => return false,
        };
        let Some(part) = bytes.get(offset as usize..offset as usize + into.len()) else { return false };
        into.copy_from_slice(part);
        true
    }
}

/// What goes wrong with a pump, each so many times.
#[derive(Clone, Default)]
pub(crate) struct Troubles {
    pub(crate) refuse_erase: u8,
    pub(crate) refuse_code: u8,
    pub(crate) check_fails: u8,
    pub(crate) wrong_version: u8,
    pub(crate) stays_down: u8,
    pub(crate) faults_after: u8,
    pub(crate) never_enters: u8,
    pub(crate) refuses_standby: bool,
    pub(crate) silent: bool,
    /// It answers nothing, and sends its statuses all the same.
    pub(crate) mute: bool,
    /// An erase takes so many microseconds for each of its four sectors, in which the pump is deaf but for a moment.
    pub(crate) slow_sector: u64,
    /// Its session does not end without requests.
    pub(crate) endless_session: bool,
    /// Security access is refused with 0x37 until then.
    pub(crate) locked_out_until: u64,
    /// Answers to seed and key come after this many microseconds instead of one millisecond.
    pub(crate) late_security: u64,
    /// The next request that begins with the first bytes is served, and answered with the second ones.
    pub(crate) answers_instead: Option<(&'static [u8], &'static [u8])>,
    /// A reset leads into the bootloader again, valid application or not.
    pub(crate) never_starts: bool,
    /// The next time its version is read, it reports a fault just before it answers.
    pub(crate) fault_at_version: bool,
    /// The next time its version is read, it says that it runs its bootloader just before it answers.
    pub(crate) bootloader_at_version: bool,
    /// In each of so many transfers its CPU stops at the third block for so many microseconds, and starts for this cause.
    pub(crate) restarts: Option<(u8, u64, ResetCause)>,
    /// It does not know the identifier of its last start.
    pub(crate) no_start: bool,
}

/// Sectors of a slow erase.
const SLOW_SECTORS: u64 = 4;
/// The moment before each sector in which the pump says "response pending".
const SLOW_GAP_US: u64 = 3_000;
/// A session without requests ends after this time.
const S3_US: u64 = 10_000_000;

#[derive(Clone)]
pub(crate) struct FakePump {
    pub(crate) number: PumpNumber,
    channel: Channel<64, 1_100>,
    pub(crate) model: ModelId,
    pub(crate) version: Version,
    pub(crate) valid: bool,
    pub(crate) bootloader: bool,
    pub(crate) flash: Vec<u8>,
    pub(crate) faults: PumpFaults,
    pub(crate) troubles: Troubles,
    pub(crate) command: Option<Command>,
    pub(crate) commands: BTreeSet<(u8, u16)>,
    speed: u16,
    session: bool,
    /// When the last request came: a session ends [`S3_US`] after it.
    asked_at: u64,
    unlocked: bool,
    download: Option<u32>,
    last_counter: Option<u8>,
    answers: VecDeque<(u64, Vec<u8>)>,
    reset_at: Option<(u64, bool)>,
    up_at: u64,
    erase_begun: Option<u64>,
    seed: Option<u32>,
    seeds: u32,
    status_due: u64,
    /// When its CPU last started, and why.
    started: (u64, ResetCause),
    counter: u8,
    pub(crate) erases: u32,
    pub(crate) resets: u32,
    pub(crate) blocks: u32,
    pub(crate) repeats: u32,
    pub(crate) speed_at_entry: Vec<u16>,
}

impl FakePump {
    fn new(number: PumpNumber, isotp: protocol::isotp::Config) -> Self {
        Self {
            number,
            channel: Channel::new(isotp, ids::uds_response(number), ids::uds_request(number)),
            model: MODEL,
            version: OLD,
            valid: true,
            bootloader: false,
            flash: Vec::new(),
            faults: PumpFaults::default(),
            troubles: Troubles::default(),
            command: None,
            commands: BTreeSet::new(),
            speed: 500,
            session: false,
            asked_at: 0,
            unlocked: false,
            download: None,
            last_counter: None,
            answers: VecDeque::new(),
            reset_at: None,
            up_at: 0,
            erase_begun: None,
            seed: None,
            seeds: 0,
            status_due: u64::from(number.get()) * 3_100,
            started: (0, ResetCause::PowerOn),
            counter: 0,
            erases: 0,
            resets: 0,
            blocks: 0,
            repeats: 0,
            speed_at_entry: Vec::new(),
        }
    }

    fn is_up(&self, t: u64) -> bool {
        t >= self.up_at && !self.troubles.silent && self.stalled_until(t).is_none()
    }

    pub(crate) fn is_updating(&self) -> bool {
        self.bootloader && self.session
    }

    /// The end of the sector whose erase stalls the core at `t`.
    fn stalled_until(&self, t: u64) -> Option<u64> {
        let run = t.checked_sub(self.erase_begun?)?;
        let sector = self.troubles.slow_sector.max(1);
        let stalls = run < SLOW_SECTORS * sector && run % sector >= SLOW_GAP_US;
        stalls.then(|| t - run + (run / sector + 1) * sector)
    }

    /// The feed was off: the pump starts again, with its bootloader if there is no valid application.
    pub(crate) fn power_cycle(&mut self, t: u64) {
        self.restart(t, !self.valid, ResetCause::PowerOn);
    }

    pub(crate) fn restart(&mut self, t: u64, bootloader: bool, cause: ResetCause) {
        self.started = (t + ms(20), cause);
        self.channel.reset();
        self.answers.clear();
        self.bootloader = bootloader;
        (self.session, self.unlocked, self.download, self.last_counter) = (false, false, None, None);
        self.reset_at = None;
        self.erase_begun = None;
        self.speed = 0;
        self.up_at = t + ms(20);
        self.status_due = self.up_at + ms(5);
    }

    fn state(&self) -> PumpState {
        match self.command.map(|command| command.mode) {
            _ if self.bootloader && self.session => PumpState::Updating,
            _ if self.bootloader => PumpState::Bootloader,
            None => PumpState::FailSafe,
            Some(Mode::Standby) if !self.troubles.refuses_standby => PumpState::Standby,
            Some(Mode::Fixed) => PumpState::Fixed,
            Some(_) => PumpState::Automatic,
        }
    }

    fn status(&mut self) -> Frame {
        let wanted = match self.state() {
            PumpState::Standby | PumpState::Bootloader | PumpState::Updating => 0,
            _ => self.command.map_or(800, |command| command.set_point.get()),
        };
        // A ramp: half a second from full speed to stop.
        self.speed = if wanted > self.speed {
            (self.speed + 200).min(wanted)
        } else {
            self.speed.saturating_sub(200).max(wanted)
        };
        self.counter = (self.counter + 1) & 0x0F;
        cyclic::Status {
            state: self.state(),
            counter: self.counter,
            speed: Permille::new(self.speed),
            supply: Millivolts::new(24_000),
            current: units::Milliamps::new(1_000),
            temperature: DeciCelsius::new(300),
            faults: self.faults,
        }
        .encode(self.number)
    }

    fn on_frame(&mut self, t: u64, frame: &Frame) {
        if !self.is_up(t) {
            return;
        }
        if let Some(command) = Command::decode(self.number, frame) {
            self.command = Some(command);
            self.commands.insert((command.mode as u8, command.set_point.get()));
        }
        if self.channel.on_frame(Instant::from_micros(t), frame) == Some(Link::Received) {
            let message = self.channel.message().to_vec();
            self.serve(t, &message);
            self.answer_instead(&message);
        }
    }

    fn answer_instead(&mut self, message: &[u8]) {
        let instead = self.troubles.answers_instead.take_if(|(request, _)| message.starts_with(request));
        if let (Some((_, wanted)), Some((_, answer))) = (instead, self.answers.back_mut()) {
            *answer = wanted.to_vec();
        }
    }

    fn answer(&mut self, at: u64, response: Response) {
        self.answers.push_back((at, response.encode().to_vec()));
    }

    fn serve(&mut self, t: u64, message: &[u8]) {
        self.asked_at = t;
        let request = Request::decode(message).expect("the client sends well-formed requests");
        let soon = t + ms(1);
        let sequence_error = Response::Negative { service: request.service(), code: 0x24 };
        match request {
            Request::Session(Session::Default) | Request::TesterPresent => {}
            Request::Session(Session::Programming) => self.serve_session(t),
            Request::Read(Identifier::Version) => {
                let known = if self.valid { self.version } else { Version::from_bytes([0; 6]) };
                let wrong = self.troubles.wrong_version > 0 && self.resets > 0 && !self.bootloader;
                if wrong {
                    self.troubles.wrong_version -= 1;
                }
                if core::mem::take(&mut self.troubles.fault_at_version) {
                    self.faults = PumpFaults::OVER_TEMPERATURE;
                    self.status_due = t;
                }
                if core::mem::take(&mut self.troubles.bootloader_at_version) {
                    self.bootloader = true;
                    self.status_due = t;
                }
                self.answer(soon, Response::Version(if wrong { OLD } else { known }));
            }
            Request::Read(Identifier::Model) => self.answer(soon, Response::Model(self.model)),
            Request::Read(Identifier::State) => {
                let state = if !self.bootloader {
                    0
                } else if self.valid {
                    1
                } else {
                    2
                };
                self.answer(soon, Response::State(state));
            }
            Request::Read(Identifier::Start) if self.troubles.no_start => {
                self.answer(soon, Response::Negative { service: request.service(), code: 0x31 });
            }
            Request::Read(Identifier::Start) => {
                let (at, cause) = self.started;
                let age_100ms = u16::try_from(t.saturating_sub(at).div_ceil(ms(100))).unwrap_or(u16::MAX);
                self.answer(soon, Response::Start(Start { cause, age_100ms }));
            }
            Request::RequestSeed | Request::SendKey(_) if self.session && t < self.troubles.locked_out_until => {
                self.answer(soon, Response::Negative { service: request.service(), code: 0x37 });
            }
            Request::RequestSeed if self.session => {
                self.seeds += 1;
                let seed = SEED ^ self.seeds;
                self.seed = Some(seed).filter(|_| !self.unlocked);
                let late = core::mem::take(&mut self.troubles.late_security);
                self.answer(soon + late, Response::Seed(self.seed.unwrap_or(0)));
            }
            Request::SendKey(key) if self.session && !self.unlocked => {
                let late = core::mem::take(&mut self.troubles.late_security);
                let negative = |code| Response::Negative { service: request.service(), code };
                let response = match self.seed.take() {
                    Some(seed) if key == key_for(seed) => {
                        self.unlocked = true;
                        Response::Unlocked
                    }
                    Some(_) => negative(0x35),
                    None => negative(0x24),
                };
                self.answer(soon + late, response);
            }
            Request::Start(Routine::Erase) if self.unlocked => self.serve_erase(t),
            Request::RequestDownload { address, length } if self.unlocked && self.flash.is_empty() => {
                assert_eq!(address, 0x0802_0000);
                self.download = Some(length);
                self.last_counter = Some(0);
                self.answer(soon, Response::Download { block_message_len: 1_026 });
            }
            Request::TransferData { counter, data } if self.download.is_some() => self.serve_block(t, counter, data),
            Request::TransferExit if self.download == Some(self.flash.len() as u32) => {
                self.download = None;
                self.answer(soon, Response::TransferExit);
            }
            Request::Start(Routine::CheckProgrammingDependencies) if self.unlocked => self.serve_check(soon),
            Request::Reset => {
                self.resets += 1;
                self.answer(soon, Response::Reset);
                let down = self.troubles.stays_down > 0 && self.bootloader && self.session;
                if down {
                    self.troubles.stays_down -= 1;
                }
                if self.troubles.faults_after > 0 {
                    self.troubles.faults_after -= 1;
                    self.faults = PumpFaults::OVER_TEMPERATURE;
                }
                self.reset_at = Some((t + ms(3), !self.valid || down || self.troubles.never_starts));
            }
            _ => self.answer(soon, sequence_error),
        }
    }

    fn serve_session(&mut self, t: u64) {
        self.answer(t + ms(1), Response::Session { session: Session::Programming, p2_ms: 50, p2_star_10ms: 500 });
        if self.bootloader {
            self.session = true;
            self.unlocked = false;
            return;
        }
        self.speed_at_entry.push(self.speed);
        if self.troubles.never_enters > 0 {
            self.troubles.never_enters -= 1;
        } else {
            self.reset_at = Some((t + ms(3), true));
        }
    }

    fn serve_erase(&mut self, t: u64) {
        self.erases += 1;
        let service = Request::Start(Routine::Erase).service();
        if self.troubles.refuse_erase > 0 {
            self.troubles.refuse_erase -= 1;
            return self.answer(t + ms(1), Response::Negative { service, code: self.troubles.refuse_code });
        }
        self.valid = false;
        self.flash.clear();
        self.faults = PumpFaults::NO_APPLICATION;
        if self.troubles.slow_sector > 0 {
            self.erase_begun = Some(t);
            for sector in 0..SLOW_SECTORS {
                self.answer(t + sector * self.troubles.slow_sector + ms(1), Response::pending(service));
            }
            let end = t + SLOW_SECTORS * self.troubles.slow_sector + ms(1);
            // The session's time without a request begins when this one has been worked on.
            self.asked_at = end;
            return self.answer(end, Response::Routine { routine: Routine::Erase, result: 0 });
        }
        self.answer(t + ms(1), Response::pending(service));
        self.answer(t + ms(400), Response::Routine { routine: Routine::Erase, result: 0 });
    }

    /// The CPU stops in a transfer, if it is to; its memory is lost with it.
    fn stops(&mut self, t: u64) -> bool {
        let Some((left, off, cause)) = &mut self.troubles.restarts else { return false };
        if *left == 0 || self.flash.len() < 64 {
            return false;
        }
        *left -= 1;
        let (at, cause) = (t + *off, *cause);
        self.restart(at, !self.valid, cause);
        true
    }

    fn serve_block(&mut self, t: u64, counter: u8, data: &[u8]) {
        if self.stops(t) {
            return;
        }
        let last = self.last_counter.unwrap();
        if counter == last.wrapping_add(1) {
            self.blocks += 1;
            self.flash.extend_from_slice(data);
            self.last_counter = Some(counter);
        } else {
            assert_eq!(counter, last, "only the last block may be repeated");
            self.repeats += 1;
        }
        self.answer(t + ms(2), Response::Transfer { counter });
    }

    fn serve_check(&mut self, at: u64) {
        let header = self.flash.first_chunk::<HEADER_LEN>().and_then(|bytes| ImageHeader::decode(bytes).ok());
        let good = self.troubles.check_fails == 0 && header.is_some();
        self.troubles.check_fails = self.troubles.check_fails.saturating_sub(1);
        if let Some(header) = header.filter(|_| good) {
            self.valid = true;
            self.version = header.version;
            self.faults = PumpFaults::default();
        }
        self.answer(at, Response::Routine { routine: Routine::CheckProgrammingDependencies, result: u8::from(!good) });
    }

    fn wake_at(&self, t: u64) -> u64 {
        if self.troubles.silent {
            return u64::MAX;
        }
        if let Some(until) = self.stalled_until(t) {
            return until;
        }
        let link = self.channel.wake_at().map_or(u64::MAX, Instant::as_micros);
        let answer =
            self.answers.front().map_or(u64::MAX, |(at, _)| if self.channel.is_sending() { u64::MAX } else { *at });
        let reset = self.reset_at.map_or(u64::MAX, |(at, _)| at);
        link.min(answer).min(reset).min(self.status_due).max(t)
    }

    fn poll(&mut self, t: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        if self.troubles.silent {
            return frames;
        }
        if self.troubles.mute {
            self.answers.clear();
        }
        if let Some((at, bootloader)) = self.reset_at
            && t >= at
            && self.answers.is_empty()
            && !self.channel.is_sending()
        {
            self.restart(t, bootloader, ResetCause::Software);
        } else if let Some((at, bootloader)) = self.reset_at
            && t >= at + ms(50)
        {
            self.restart(t, bootloader, ResetCause::Software);
        } else if let Some((at, _)) = &mut self.reset_at
            && t >= *at
        {
            *at += 200;
        }
        let now = Instant::from_micros(t);
        let _ = self.channel.poll(now);
        if let Some((at, _)) = self.answers.front()
            && t >= *at
            && !self.channel.is_sending()
        {
            let (_, bytes) = self.answers.pop_front().unwrap();
            self.channel.send(&bytes).unwrap();
        }
        frames.extend(self.channel.next_frame(now));
        if t >= self.status_due {
            self.status_due += ms(100);
            if t >= self.asked_at + S3_US && !self.troubles.endless_session {
                (self.session, self.unlocked, self.download) = (false, false, None);
            }
            frames.push(self.status());
        }
        frames
    }
}

/// Loses the `nth` frame (from 1) with this id, above the link layer.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) id: StandardId,
    pub(crate) nth: u32,
}

/// How the customer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Customer {
    Agrees,
    Refuses,
    Absent,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) t: u64,
    pub(crate) config: Config,
    pub(crate) cioc: Orchestrator,
    pub(crate) nvm: Fram,
    pub(crate) package: Store,
    pub(crate) pumps: Vec<FakePump>,
    pub(crate) customer: Customer,
    pub(crate) feed: u16,
    pub(crate) coolant: i16,
    pub(crate) losses: Vec<Loss>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) asked: u32,
    /// No frame gets through: mailboxes stay full until their frames are aborted.
    pub(crate) stuck_bus: bool,
    /// Confirmations are read this many microseconds after their frames have left.
    pub(crate) confirm_late: u64,
    confirmations: VecDeque<(u64, StandardId)>,
    /// Requests that change flash, in order, with whether consent was stored when they left.
    pub(crate) flash_requests: Vec<bool>,
    /// Requests for the bootloader, in order, with the try that memory said was open and its count as they left.
    pub(crate) entry_requests: Vec<(PumpNumber, Option<PumpNumber>, u8)>,
    /// A frame of interest (no cyclic message) was handled in the last step.
    pub(crate) protocol_step: bool,
    booted_at: u64,
    wake_at: u64,
    bus: VecDeque<(Option<PumpNumber>, Frame)>,
    bus_done_at: u64,
    action: Option<UserAction>,
    answer: Option<UserAction>,
}

impl World {
    pub(crate) fn new(pumps: u8, length: usize) -> Self {
        let config = Config { pumps, block_len: 32, ..Config::DEFAULT };
        let nvm = Fram::new();
        Self {
            t: 0,
            config,
            cioc: Orchestrator::boot(config, &nvm),
            nvm,
            package: Store::Image(image(MODEL, NEW, length)),
            pumps: PumpNumber::first(pumps).map(|number| FakePump::new(number, config.isotp)).collect(),
            customer: Customer::Agrees,
            feed: 24_000,
            coolant: 400,
            losses: Vec::new(),
            notices: Vec::new(),
            asked: 0,
            stuck_bus: false,
            confirm_late: 0,
            confirmations: VecDeque::new(),
            flash_requests: Vec::new(),
            entry_requests: Vec::new(),
            protocol_step: false,
            booted_at: 0,
            wake_at: 0,
            bus: VecDeque::new(),
            bus_done_at: u64::MAX,
            action: None,
            answer: None,
        }
    }

    /// The CIOC loses power and comes back at once: its memory is all that is left.
    pub(crate) fn reboot(&mut self) {
        self.nvm.budget = None;
        self.cioc = Orchestrator::boot(self.config, &self.nvm);
        self.booted_at = self.t;
        self.wake_at = self.t;
        self.answer = None;
        self.confirmations.clear();
        let on_wire = self.bus.pop_front();
        self.bus.retain(|(from, _)| from.is_some());
        // The frame on the wire is cut off if it was the CIOC's.
        match on_wire {
            Some(entry) if entry.0.is_some() => self.bus.push_front(entry),
            _ => self.start_frame(),
        }
    }

    pub(crate) fn act(&mut self, action: UserAction) {
        self.action = Some(action);
        self.wake_at = self.t;
    }

    /// The action is read with whatever comes next, and not before.
    pub(crate) fn act_with_what_comes_next(&mut self, action: UserAction) {
        self.action = Some(action);
    }

    pub(crate) fn log(&self) -> Vec<LogEntry> {
        Orchestrator::log(&self.nvm).collect()
    }

    pub(crate) fn events(&self, event: Event) -> Vec<LogEntry> {
        self.log().into_iter().filter(|entry| entry.event == event).collect()
    }

    pub(crate) fn alarms(&self) -> Vec<Alarm> {
        self.cioc.status().alarms.to_vec()
    }

    pub(crate) fn causes(&self, number: u8) -> Vec<Cause> {
        let entries = self.events(Event::UpdateError);
        entries.iter().filter(|entry| entry.pump == Some(pump(number))).filter_map(|entry| entry.cause).collect()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.t - self.booted_at)
    }

    fn start_frame(&mut self) {
        self.bus_done_at = if self.bus.is_empty() { u64::MAX } else { self.t + FRAME_US };
    }

    fn put(&mut self, from: Option<PumpNumber>, frame: Frame) {
        self.bus.push_back((from, frame));
        if self.bus.len() == 1 {
            self.start_frame();
        }
    }

    /// Handles the next event; returns bytes written to memory in it.
    pub(crate) fn step(&mut self) -> usize {
        let pumps = self.pumps.iter().map(|pump| pump.wake_at(self.t)).min().unwrap_or(u64::MAX);
        if self.stuck_bus && self.bus_done_at != u64::MAX {
            self.start_frame();
        }
        let confirmed = self.confirmations.front().map_or(u64::MAX, |(at, _)| *at);
        let next = self.bus_done_at.min(self.wake_at).min(pumps).min(confirmed);
        assert_ne!(next, u64::MAX, "the firmware always says when to come back");
        self.t = next.max(self.t);
        assert!(self.t < ms(10_000_000), "what a test waits for comes within hours");
        let before = self.nvm.written;
        self.protocol_step = false;
        if self.bus_done_at <= self.t && !self.stuck_bus {
            self.deliver();
        } else if confirmed <= self.t {
            let (_, id) = self.confirmations.pop_front().unwrap();
            self.step_cioc(None, Some(id));
        } else if self.wake_at <= self.t {
            self.step_cioc(None, None);
        } else {
            self.poll_pumps();
        }
        self.nvm.written - before
    }

    /// A frame from nowhere reaches the CIOC.
    pub(crate) fn inject(&mut self, frame: Frame) {
        self.step_cioc(Some(frame), None);
    }

    fn poll_pumps(&mut self) {
        for index in 0..self.pumps.len() {
            if self.pumps[index].wake_at(self.t) <= self.t {
                let number = self.pumps[index].number;
                for frame in self.pumps[index].poll(self.t) {
                    self.put(Some(number), frame);
                }
            }
        }
    }

    fn is_lost(&mut self, frame: &Frame) -> bool {
        let mut lost = false;
        for loss in &mut self.losses {
            if frame.has_id(loss.id) {
                lost |= loss.nth == 1;
                loss.nth = loss.nth.saturating_sub(1);
            }
        }
        lost
    }

    fn deliver(&mut self) {
        let (from, frame) = self.bus.pop_front().unwrap();
        self.start_frame();
        let lost = self.is_lost(&frame);
        let embedded_can::Id::Standard(id) = frame.id() else { panic!("only standard ids") };
        match from {
            None => {
                if !lost {
                    for pump in &mut self.pumps {
                        pump.on_frame(self.t, &frame);
                    }
                }
                self.protocol_step = id.as_raw() >= 0x700;
                if self.confirm_late > 0 {
                    self.confirmations.push_back((self.t + self.confirm_late, id));
                } else {
                    self.step_cioc(None, Some(id));
                }
            }
            Some(number) => {
                let pump = &mut self.pumps[number.index()];
                let _ = pump.channel.on_sent(Instant::from_micros(self.t), id);
                self.protocol_step = id.as_raw() >= 0x700;
                if !lost {
                    self.step_cioc(Some(frame), None);
                }
            }
        }
        self.poll_pumps();
    }

    fn step_cioc(&mut self, received: Option<Frame>, sent: Option<StandardId>) {
        let used = self.mailed();
        let user = self.action.take().or_else(|| self.answer.take());
        let inputs = Inputs {
            received,
            sent,
            mailboxes_free: 3_usize.saturating_sub(used) as u8,
            supply: Millivolts::new(24_000),
            feed: Millivolts::new(self.feed),
            coolant: DeciCelsius::new(self.coolant),
            user,
        };
        let outputs = self.cioc.step(self.now(), &inputs, &self.package, &mut self.nvm);
        if self.nvm.budget == Some(0) {
            return;
        }
        self.take(outputs);
    }

    fn take(&mut self, outputs: Outputs) {
        if let Some(id) = outputs.abort {
            self.bus.retain(|(from, frame)| from.is_some() || !frame.has_id(id));
            self.start_frame();
        }
        for frame in &outputs.frames {
            self.watch(frame);
            self.put(None, *frame);
        }
        self.assert_one_command_each();
        for notice in &outputs.notices {
            if let Notice::ConsentAsked(_) = notice {
                self.asked += 1;
                self.answer = match self.customer {
                    Customer::Agrees => Some(UserAction::Consent(true)),
                    Customer::Refuses => Some(UserAction::Consent(false)),
                    Customer::Absent => None,
                };
            }
            self.notices.push(*notice);
        }
        self.wake_at = outputs.wake_at.map_or(u64::MAX, |at| at.as_micros() + self.booted_at);
        if self.answer.is_some() || self.action.is_some() {
            self.wake_at = self.t;
        }
    }

    /// No two commands to one pump are in mailboxes at once, in any run.
    fn assert_one_command_each(&self) {
        let mut seen = BTreeSet::new();
        for (_, frame) in self.bus.iter().filter(|(from, _)| from.is_none()) {
            let embedded_can::Id::Standard(id) = frame.id() else { continue };
            assert!(id.as_raw() > 0x110 || seen.insert(id), "two commands {id:?} are in mailboxes");
        }
    }

    /// Frames in the CIOC's mailboxes.
    pub(crate) fn mailed(&self) -> usize {
        self.bus.iter().filter(|(from, _)| from.is_none()).count()
    }

    /// The set-points of the commands in mailboxes.
    pub(crate) fn mailed_set_points(&self) -> Vec<(PumpNumber, u16)> {
        let command = |frame: &Frame| {
            let of = |pump| Some((pump, Command::decode(pump, frame)?.set_point.get()));
            PumpNumber::first(16).find_map(of)
        };
        self.bus.iter().filter(|(from, _)| from.is_none()).filter_map(|(_, frame)| command(frame)).collect()
    }

    /// Notes requests that change flash or ask for the bootloader, and what is in memory as they leave.
    fn watch(&mut self, frame: &Frame) {
        let embedded_can::Id::Standard(id) = frame.id() else { return };
        let data = frame.data();
        let payload = match data.first().map(|head| head >> 4) {
            Some(0) => &data[1..],
            Some(1) => &data[2..],
            _ => return,
        };
        if let (Some(pump), [0x10, 2, ..]) = (PumpNumber::new(id.as_raw().wrapping_sub(0x700) as u8), payload) {
            let store = crate::nvm::Store::load(&self.nvm);
            self.entry_requests.push((pump, store.record().open, store.record().pump(pump).counted));
        }
        let changes = matches!(payload, [0x31, 1, 0xFF, 0, ..] | [0x34 | 0x36, ..]);
        if (0x701..=0x710).contains(&id.as_raw()) && changes {
            let stored = crate::nvm::Store::load(&self.nvm).record().campaign.is_some();
            self.flash_requests.push(stored);
        }
    }

    /// Runs for `span` microseconds.
    pub(crate) fn run(&mut self, span: u64) {
        let end = self.t + span;
        while self.t < end {
            self.step();
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        use crate::Activity::{Finished, FinishedWithErrors, Idle};
        matches!(self.cioc.status().activity, Idle | Finished | FinishedWithErrors)
    }

    /// Runs until the firmware rests; panics after 1000 s.
    pub(crate) fn run_to_rest(&mut self) {
        let end = self.t + ms(1_000_000);
        loop {
            self.step();
            if self.notices.last().is_some() && self.is_at_rest() && self.t > self.booted_at + ms(10) {
                break;
            }
            assert!(self.t < end, "the firmware comes to rest; log {:#?}", self.log());
        }
        // The orders after the end go out, and all notices are fetched.
        self.run(ms(250));
    }

    pub(crate) fn is_updated(&self, number: u8) -> bool {
        let Store::Image(bytes) = &self.package else { return false };
        let pump = &self.pumps[usize::from(number) - 1];
        pump.valid && !pump.bootloader && pump.flash == *bytes
    }

    pub(crate) fn mode(&self, number: u8) -> Option<Mode> {
        self.pumps[usize::from(number) - 1].command.map(|command| command.mode)
    }
}

/// Every try has one start and one end, in order, and numbers rise; holds at rest (PFU-027).
pub(crate) fn assert_log_is_whole(log: &[LogEntry]) {
    let mut open: Option<(PumpNumber, u8)> = None;
    for pair in log.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence);
    }
    for entry in log {
        let this = entry.pump.map(|pump| (pump, entry.attempt));
        match entry.event {
            Event::UpdateStarted => {
                assert_eq!(open, None, "a try starts only after the last one ended: {log:#?}");
                open = this;
            }
            Event::UpdateFinished | Event::UpdateError => {
                assert_eq!(open, this, "an end belongs to the try that runs: {log:#?}");
                assert_eq!(entry.cause.is_some(), entry.event == Event::UpdateError);
                open = None;
            }
            _ => {}
        }
    }
    assert_eq!(open, None, "every try has an end: {log:#?}");
}

/// No pump is asked for its bootloader before the try is counted in memory (PFU-022).
pub(crate) fn assert_tries_are_counted_first(world: &World) {
    for (pump, open, counted) in &world.entry_requests {
        assert_eq!(*open, Some(*pump));
        assert!((1..=3).contains(counted), "{counted} tries counted as {pump:?} is asked");
    }
}

pub(crate) const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}
