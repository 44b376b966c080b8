//! A bench for tests: a strict flash, a bus that takes time, and a client that talks ISO-TP both ways.
//!
//! [`StrictFlash`] panics when anything but an erased word is programmed and can cut the power before, in the middle of
//! or after its n-th operation. [`Bench`] moves time from event to event; [`Bench::expect`] plays a *transcript*:
//! lines `> 10 02` are requests, lines `< 50 02 ..` what must come back, `..` standing for any further bytes.

use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use embedded_can::StandardId;
use protocol::Frame;
use protocol::cyclic::{Command, Mode, PumpState, Status};
use protocol::header::{CRC32, HEADER_LEN, ImageHeader, ModelId, Version};
use protocol::ids::{self, PumpNumber};
use protocol::isotp::{Channel, Event};
use protocol::uds::{Request, Response, Routine, Session, key_for};
use units::{DeciCelsius, Duration, Instant, Milliamps, Millivolts, Permille};

use crate::flash_map::{APPLICATION_START, MARKER, MARKER_ADDRESS, SECTOR_LEN, SLOT_LEN};
use crate::{Config, FlashCommand, FlashMemory, FlashResult, Inputs, Outputs, Pump, ResetCause, Retained};

pub(crate) const MODEL: ModelId = ModelId(0x0042);
const FRAME_TIME: Duration = Duration::from_micros(500);

/// A small generator for contents that must not matter.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// When power goes during the n-th operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    Middle,
    After,
}

pub(crate) struct StrictFlash {
    pub(crate) bytes: Vec<u8>,
    /// Words that may be programmed: erased completely, and not programmed since.
    writable: Vec<bool>,
    pub(crate) operations: u32,
    pub(crate) programmed: Vec<u32>,
    pub(crate) cut: Option<(u32, Moment)>,
    pub(crate) fail_at: Option<u32>,
    pub(crate) dice: Dice,
}

impl StrictFlash {
    /// As delivered: unknown contents, nothing known to be erased.
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let bytes = (0..SLOT_LEN).map(|_| (dice.roll() >> 3) as u8).collect();
        let writable = vec![false; SLOT_LEN as usize / 4];
        Self { bytes, writable, operations: 0, programmed: Vec::new(), cut: None, fail_at: None, dice }
    }

    /// Puts a valid image in place, as the factory does.
    pub(crate) fn install(&mut self, image: &[u8]) {
        self.bytes.fill(0xFF);
        self.bytes[..image.len()].copy_from_slice(image);
        self.bytes[0x7_FFFC..].copy_from_slice(&0x0DA1_C0DE_u32.to_le_bytes());
    }

    /// Independent of the firmware: whether the slot holds exactly `image` with the marker.
    pub(crate) fn holds(&self, image: &[u8]) -> bool {
        self.bytes[..image.len()] == *image && self.bytes[0x7_FFFC..] == [0xDE, 0xC0, 0xA1, 0x0D]
    }

    /// Carries out `command`; `None` if power went.
    fn run(&mut self, command: FlashCommand) -> Option<FlashResult> {
        let n = self.operations;
        self.operations += 1;
        self.check_rules(command);
        let moment = self.cut.filter(|(at, _)| *at == n).map(|(_, moment)| moment);
        let fails = self.fail_at == Some(n);
        if moment != Some(Moment::Before) {
            self.change(command, fails || moment == Some(Moment::Middle));
        }
        if moment.is_some() {
            self.cut = None;
            return None;
        }
        Some(if fails { FlashResult::Failed } else { FlashResult::Done })
    }

    fn check_rules(&mut self, command: FlashCommand) {
        match command {
            FlashCommand::Erase { sector } => assert!(sector < 4, "erase outside the slot: {sector}"),
            FlashCommand::Program { address, .. } => {
                assert!(address.is_multiple_of(4) && address < SLOT_LEN, "program outside the slot: {address:#x}");
                assert!(self.writable[address as usize / 4], "programming unerased flash at {address:#x}");
                self.programmed.push(address);
            }
        }
    }

    fn change(&mut self, command: FlashCommand, torn: bool) {
        match command {
            FlashCommand::Erase { sector } => {
                let start = usize::from(sector) * SECTOR_LEN as usize;
                let end = start + SECTOR_LEN as usize;
                for byte in &mut self.bytes[start..end] {
                    *byte = if torn { (self.dice.roll() >> 5) as u8 } else { 0xFF };
                }
                self.writable[start / 4..end / 4].fill(!torn);
            }
            FlashCommand::Program { address, word } => {
                let at = address as usize;
                let not_yet = if torn { self.dice.roll() ^ self.dice.roll() << 7 } else { 0 };
                self.bytes[at..at + 4].copy_from_slice(&(word | not_yet).to_le_bytes());
                self.writable[at / 4] = false;
            }
        }
    }
}

/// What the firmware reads: the flash, or an image in place of its first bytes.
struct View<'a> {
    flash: &'a StrictFlash,
    instead: &'a [u8],
}

impl FlashMemory for View<'_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let start = address as usize;
        if let Some(bytes) = self.instead.get(start..start + into.len()) {
            into.copy_from_slice(bytes);
            return true;
        }
        self.flash.read(address, into)
    }
}

/// Defects that a test gives to the firmware from outside, to see that its assertions can fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sabotage {
    /// The marker is programmed before the first word instead of after the last.
    pub(crate) marker_first: bool,
    /// Every check reads this image, whatever is in flash: as good as no CRC check.
    pub(crate) blind_check: Vec<u8>,
}

impl FlashMemory for StrictFlash {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let start = address as usize;
        let Some(from) = self.bytes.get(start..start + into.len()) else { return false };
        into.copy_from_slice(from);
        true
    }
}

/// An image for [`MODEL`] with `payload` bytes behind the header.
pub(crate) fn image(model: ModelId, version: u16, payload: usize) -> Vec<u8> {
    let mut dice = Dice(u64::from(version));
    let body: Vec<u8> = (0..payload).map(|_| dice.roll() as u8).collect();
    let header = ImageHeader {
        model,
        version: Version { major: version, minor: 2, patch: 3 },
        length: (HEADER_LEN + payload) as u32,
        payload_crc: CRC32.checksum(&body),
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend(body);
    bytes
}

/// What becomes of a frame from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Twice,
}

/// A pump on a bus with one client.
pub(crate) struct Bench {
    pub(crate) config: Config,
    pub(crate) pump: Pump,
    pub(crate) flash: StrictFlash,
    pub(crate) now: Instant,
    pub(crate) supply: Millivolts,
    pub(crate) speed: Permille,
    pub(crate) temperature: DeciCelsius,
    pub(crate) powered: bool,
    pub(crate) bus_open: bool,
    /// The client hears nothing and sends no flow control.
    pub(crate) client_deaf: bool,
    pub(crate) word_time: Duration,
    pub(crate) sector_time: Duration,
    pub(crate) fate: Option<(u32, Fate)>,
    pub(crate) sabotage: Sabotage,
    /// Single frames, first frames and consecutive frames come in at every flash operation.
    pub(crate) noise: bool,
    pub(crate) statuses: Vec<(Instant, Status)>,
    pub(crate) motor: Vec<(Instant, Permille)>,
    pub(crate) resets: u32,
    pub(crate) pendings: u32,
    boot_at: Instant,
    client: Channel<1_026, 64>,
    client_frame: Option<Frame>,
    client_frames: u32,
    mailboxes: Vec<Frame>,
    on_bus: Option<(Instant, Frame)>,
    fifo: VecDeque<Frame>,
    sent: VecDeque<StandardId>,
    operation: Option<(Instant, Option<FlashResult>)>,
    flash_done: Option<FlashResult>,
    wake_at: Option<Instant>,
    answers: VecDeque<Vec<u8>>,
}

impl Bench {
    /// A pump with the given flash, just switched on.
    pub(crate) fn new(flash: StrictFlash) -> Self {
        let number = PumpNumber::new(5).unwrap();
        let config = Config::new(number, MODEL);
        let client = Channel::new(config.isotp, ids::uds_request(number), ids::uds_response(number));
        Self {
            config,
            pump: Pump::boot(config, ResetCause::PowerOn, Retained::default()),
            flash,
            now: Instant::ZERO,
            supply: Millivolts::new(24_000),
            speed: Permille::new(0),
            temperature: DeciCelsius::new(350),
            powered: true,
            bus_open: false,
            client_deaf: false,
            word_time: Duration::from_micros(16),
            sector_time: Duration::from_secs(1),
            fate: None,
            sabotage: Sabotage::default(),
            noise: false,
            statuses: Vec::new(),
            motor: Vec::new(),
            resets: 0,
            pendings: 0,
            boot_at: Instant::ZERO,
            client,
            client_frame: None,
            client_frames: 0,
            mailboxes: Vec::new(),
            on_bus: None,
            fifo: VecDeque::new(),
            sent: VecDeque::new(),
            operation: None,
            flash_done: None,
            wake_at: Some(Instant::ZERO),
            answers: VecDeque::new(),
        }
    }

    /// A pump without a valid application, in its bootloader.
    pub(crate) fn empty() -> Self {
        let mut bench = Self::new(StrictFlash::new(1));
        bench.run_for(Duration::from_millis(10));
        bench
    }

    /// A pump with a valid application of version 1, which has started.
    pub(crate) fn with_application() -> Self {
        let mut flash = StrictFlash::new(1);
        flash.install(&image(MODEL, 1, 1_000));
        let mut bench = Self::new(flash);
        bench.run_for(Duration::from_millis(10));
        bench
    }

    pub(crate) fn restart(&mut self, cause: ResetCause, retained: Retained) {
        self.pump = Pump::boot(self.config, cause, retained);
        self.boot_at = self.now;
        self.powered = true;
        self.wake_at = Some(self.now);
        self.mailboxes.clear();
        self.fifo.clear();
        self.sent.clear();
        self.operation = None;
        self.flash_done = None;
    }

    /// Switches power off and on.
    pub(crate) fn power_cycle(&mut self) {
        self.client.reset();
        self.client_frame = None;
        self.answers.clear();
        self.restart(ResetCause::PowerOn, Retained::default());
        self.run_for(Duration::from_millis(10));
    }

    /// Moves to `self.now + time`.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now.after(time);
        while self.advance(end) {}
        self.now = end;
    }

    /// Does what is due now or moves to the next event up to `end`; `false` when nothing happens until then.
    fn advance(&mut self, end: Instant) -> bool {
        self.start_frame();
        if self.powered && self.pump_is_due() {
            self.step();
            return true;
        }
        let moments = [
            self.on_bus.map(|(at, _)| at),
            self.operation.map(|(at, _)| at),
            self.wake_at.filter(|_| self.powered && self.operation.is_none()),
            self.client.wake_at(),
        ];
        let Some(next) = moments.into_iter().flatten().min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        self.end_frame();
        self.end_operation();
        let _ = self.client.poll(self.now);
        true
    }

    fn pump_is_due(&self) -> bool {
        let woken = self.wake_at.is_some_and(|at| at <= self.now);
        let told = !self.fifo.is_empty() || !self.sent.is_empty() || self.flash_done.is_some();
        self.operation.is_none() && (woken || told)
    }

    fn step(&mut self) {
        let inputs = Inputs {
            received: self.fifo.pop_front(),
            sent: self.sent.pop_front(),
            mailboxes_free: 3 - self.mailboxes.len() as u8,
            flash: self.flash_done.take(),
            supply: self.supply,
            speed: self.speed,
            current: Milliamps::new(2_000),
            temperature: self.temperature,
        };
        let clock = Instant::ZERO.after(self.now.since(self.boot_at));
        let view = View { flash: &self.flash, instead: &self.sabotage.blind_check };
        let out = self.pump.step(clock, &inputs, &view);
        assert!(out.frames.len() <= usize::from(inputs.mailboxes_free), "more frames than mailboxes");
        self.apply(out);
    }

    fn apply(&mut self, out: Outputs) {
        self.mailboxes.extend(out.frames.iter());
        if let Some(id) = out.abort {
            self.mailboxes.retain(|frame| !frame.has_id(id));
        }
        if self.motor.last().is_none_or(|(_, motor)| *motor != out.motor) {
            self.motor.push((self.now, out.motor));
        }
        self.wake_at = out.wake_at.map(|at| self.boot_at.after(at.since(Instant::ZERO)));
        if let Some(command) = out.flash {
            self.start_operation(command);
        }
        if out.reset {
            self.resets += 1;
            self.restart(ResetCause::Software, self.pump.retained());
        }
    }

    fn start_operation(&mut self, command: FlashCommand) {
        let time = match command {
            FlashCommand::Erase { .. } => self.sector_time,
            FlashCommand::Program { .. } => self.word_time,
        };
        let result = if self.sabotage.marker_first { self.run_marker_first(command) } else { self.flash.run(command) };
        self.operation = Some((self.now.after(time), result));
        if self.noise {
            let id = ids::uds_request(self.config.number);
            let heads = [0x07, 0x10, 0x21];
            let frame = Frame::with_bytes(id, [heads[self.flash.operations as usize % 3], 0x3E, 0, 0, 9, 9, 9, 9]);
            self.put_into_fifo(frame);
        }
    }

    fn run_marker_first(&mut self, command: FlashCommand) -> Option<FlashResult> {
        match command {
            FlashCommand::Program { address: MARKER_ADDRESS, .. } => Some(FlashResult::Done),
            FlashCommand::Program { address: 0, .. } => {
                self.flash.run(FlashCommand::Program { address: MARKER_ADDRESS, word: MARKER })?;
                self.flash.run(command)
            }
            command => self.flash.run(command),
        }
    }

    fn end_operation(&mut self) {
        let Some((at, result)) = self.operation else { return };
        if at > self.now {
            return;
        }
        self.operation = None;
        self.flash_done = result;
        self.powered = result.is_some();
    }

    fn start_frame(&mut self) {
        if self.client_frame.is_none() {
            self.client_frame = self.client.next_frame(self.now);
        }
        if self.on_bus.is_some() || self.bus_open {
            return;
        }
        let pump = self.mailboxes.iter().filter(|_| self.powered);
        let winner = pump.chain(self.client_frame.iter()).min_by_key(|frame| frame.id()).copied();
        self.on_bus = winner.map(|frame| (self.now.after(FRAME_TIME), frame));
    }

    fn end_frame(&mut self) {
        let Some((at, frame)) = self.on_bus else { return };
        if at > self.now {
            return;
        }
        self.on_bus = None;
        if self.client_frame == Some(frame) {
            self.client_frame = None;
            let _ = self.client.on_sent(self.now, self.client.tx_id());
            self.deliver_to_pump(frame);
        } else if let Some(index) = self.mailboxes.iter().position(|mailbox| *mailbox == frame) {
            self.mailboxes.remove(index);
            self.sent.extend(id_of(&frame));
            self.deliver_to_client(frame);
        }
    }

    fn deliver_to_pump(&mut self, frame: Frame) {
        let fate = self.fate.filter(|(n, _)| *n == self.client_frames).map(|(_, fate)| fate);
        self.client_frames += 1;
        let copies = match fate {
            Some(Fate::Lost) => 0,
            Some(Fate::Twice) => 2,
            None => 1,
        };
        for _ in 0..copies {
            self.put_into_fifo(frame);
        }
    }

    /// A receive FIFO of three: what does not fit is lost.
    pub(crate) fn put_into_fifo(&mut self, frame: Frame) {
        if self.powered && self.fifo.len() < 3 {
            self.fifo.push_back(frame);
        }
    }

    fn deliver_to_client(&mut self, frame: Frame) {
        if self.client_deaf {
            return;
        }
        if let Some(status) = Status::decode(self.config.number, &frame) {
            self.statuses.push((self.now, status));
        }
        if self.client.on_frame(self.now, &frame) == Some(Event::Received) {
            self.answers.push_back(self.client.message().to_vec());
        }
    }

    /// Sends a command as the CIOC does.
    pub(crate) fn command(&mut self, mode: Mode, set_point: u16) {
        let command = Command { mode, set_point: Permille::new(set_point), counter: 0 };
        self.put_into_fifo(command.encode(self.config.number));
        self.run_for(Duration::from_millis(1));
    }

    /// Frames the client has put on the bus so far.
    pub(crate) const fn client_frames(&self) -> u32 {
        self.client_frames
    }

    pub(crate) fn status(&self) -> Status {
        self.statuses.last().expect("no status was heard").1
    }

    /// Sends `message` and waits 2 s for an answer, 6 s after each "response pending".
    pub(crate) fn ask(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.post(message);
        let mut patience = self.now.after(Duration::from_secs(2));
        while self.now < patience && self.powered {
            if !self.advance(patience) {
                self.now = patience;
            }
            match self.answers.pop_front() {
                Some(answer) if answer.len() == 3 && answer[0] == 0x7F && answer[2] == 0x78 => {
                    self.pendings += 1;
                    patience = self.now.after(Duration::from_secs(6));
                }
                Some(answer) => {
                    // Long enough for the pump to hear that its answer has left.
                    self.run_for(Duration::from_micros(100));
                    return Some(answer);
                }
                None => {}
            }
        }
        None
    }

    /// The answers that have come since the last request and were not taken yet.
    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        self.answers.drain(..).collect()
    }

    /// Sends a request and does not wait for its answer.
    pub(crate) fn post(&mut self, message: &[u8]) {
        self.answers.clear();
        self.client.reset();
        self.client_frame = None;
        self.client.send(message).expect("the client can always send");
    }

    pub(crate) fn request(&mut self, request: &Request<'_>) -> Option<Response> {
        let bytes = self.ask(&request.encode().unwrap())?;
        Some(Response::decode(&bytes).expect("the answer is well formed"))
    }

    /// Plays a transcript.
    pub(crate) fn expect(&mut self, transcript: &str) {
        let mut answer = String::new();
        for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_at(1) {
                (">", request) => answer = self.ask(&bytes(request)).map_or("silence".to_string(), |a| hex(&a)),
                ("<", wanted) => assert!(matches(wanted.trim(), &answer), "{line}, but got {answer}"),
                _ => panic!("a transcript line begins with > or <: {line}"),
            }
        }
    }

    /// Into the programming session with the right key.
    pub(crate) fn unlock(&mut self) -> Option<()> {
        self.request(&Request::Session(Session::Programming))?;
        let Response::Seed(seed) = self.request(&Request::RequestSeed)? else { return None };
        (self.request(&Request::SendKey(key_for(seed)))? == Response::Unlocked).then_some(())
    }

    /// Unlocked and erased.
    pub(crate) fn erase(&mut self) -> Option<()> {
        self.unlock()?;
        let erased = Response::Routine { routine: Routine::Erase, result: 0 };
        (self.request(&Request::Start(Routine::Erase))? == erased).then_some(())
    }

    /// Ready for the first block of `length` bytes.
    pub(crate) fn download(&mut self, length: usize) -> Option<()> {
        self.erase()?;
        let request = Request::RequestDownload { address: APPLICATION_START, length: length as u32 };
        (self.request(&request)? == Response::Download { block_message_len: 1_026 }).then_some(())
    }

    /// All blocks, each repeated once if no answer comes.
    pub(crate) fn transfer(&mut self, image: &[u8], block_len: usize) -> Option<()> {
        for (data, counter) in image.chunks(block_len).zip((0..=255u8).cycle().skip(1)) {
            let block = Request::TransferData { counter, data };
            let answer = self.request(&block).or_else(|| self.request(&block))?;
            if answer != (Response::Transfer { counter }) {
                return None;
            }
        }
        Some(())
    }

    /// A whole update as a good client does it; the new application runs at its end.
    pub(crate) fn update(&mut self, image: &[u8], block_len: usize) -> Option<()> {
        if self.pump.state().is_application() {
            self.command(Mode::Standby, 0);
            self.request(&Request::Session(Session::Programming))?;
            self.run_for(Duration::from_millis(10));
        }
        self.download(image.len())?;
        self.transfer(image, block_len)?;
        self.request(&Request::TransferExit)?;
        let good = Response::Routine { routine: Routine::CheckProgrammingDependencies, result: 0 };
        if self.request(&Request::Start(Routine::CheckProgrammingDependencies))? != good {
            return None;
        }
        self.request(&Request::Reset)?;
        self.run_for(Duration::from_millis(200));
        (self.pump.state() == PumpState::Standby).then_some(())
    }
}

fn id_of(frame: &Frame) -> Option<StandardId> {
    match frame.id() {
        embedded_can::Id::Standard(id) => Some(id),
        embedded_can::Id::Extended(_) => None,
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a hex byte")).collect()
}

fn hex(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    parts.join(" ")
}

fn matches(wanted: &str, answer: &str) -> bool {
    match wanted.strip_suffix("..") {
        Some(start) => answer.starts_with(start.trim()),
        None => wanted == answer,
    }
}
