//! The configuration tool at a unit: what it sends over USB, radio or CAN, and what it tells its user.
//!
//! A *download* is one use of the tool, a *step* what it is busy with, its *way* what carries its messages (SSR-055). The tool
//! trusts nobody: it asks who is there, reads back what was stored, and tells success only when the unit runs it (SSR-056,
//! SSR-058). It sees messages alone; whether what it told is true is held against the flash of both CPUs by the check
//! `downloads_tell_what_is_stored`.
//!
//! Over radio and CAN all units hear each message, and a unit in normal mode answers none (SSR-054). So there the tool cannot ask
//! first: the serial number in each message does that, and an answer of another unit is not taken. Nor can it see the unit run at
//! the end: it tells success when what was read back is what was sent and the unit has left the configuration mode.

use std::collections::VecDeque;
use std::sync::Arc;

use safety_common::flash_map::{ERASED, ROW};
use safety_common::io::{Bytes, Mode};
use safety_common::simplecan::{TOOL_LAST, TOOL_REQUEST_ID};
use safety_common::tool::{ANSWER, CRC_LEN, Command, HEADER_LEN, PAYLOAD_MOST, REQUEST, Status, at};

use protocol::Frame;

use super::core::{Arriving, Core};
use super::networks::Common;
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::safety::binary::crc32;

/// One byte on the line (own number): a serial port over USB at 1 Mbit/s, start and stop bit included.
pub const BYTE_TIME: Span = Span::from_micros(10);
/// A request without an answer is repeated after this time (own number): longer than CPU1 waits for CPU2.
const ANSWER_TIME: Span = Span::from_millis(4_000);
/// How often a request is sent before the tool gives up (own number).
const TRIES: u8 = 3;
/// How often the tool asks whether the unit is in the mode that it waits for (own number).
const POLL: Span = Span::from_millis(100);
/// The unit has entered the configuration mode by then, or does not (own number).
const ENTER_TIME: Span = Span::from_millis(2_000);
/// From CPU1's configuration mode to the first request: CPU2's start-up takes longer (own number).
const SETTLE_TIME: Span = Span::from_millis(1_000);
/// The unit runs the configuration by then, or does not (own number): both CPUs' start-up and their wait for each other.
const START_TIME: Span = Span::from_millis(5_000);
/// A unit that does not answer over radio or CAN for this long has left the configuration mode (own number).
const SILENCE: Span = Span::from_millis(1_000);
/// Data bytes of a message in one CAN frame, beside its index.
const PIECE: usize = 7;
/// Frames that wait for the bus at most; four messages.
const FRAMES_MOST: usize = 40;

/// What carries the tool's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A cable to the unit.
    Usb,
    /// The air: every unit hears it.
    Radio,
    /// The bus, from this node: every unit hears it.
    Can(NodeId),
}

/// What the tool tells; the words are those of the scenario's `DownloadResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// Both CPUs hold the configuration and run it; over radio and CAN: and the unit has left the configuration mode.
    Stored,
    /// Nobody answers.
    NoAnswer,
    /// Another unit answers; its serial number is the detail.
    WrongUnit,
    /// The unit did not enter the configuration mode.
    NotEntered,
    /// The unit refuses, outside the configuration mode.
    Refused,
    /// The unit fell silent or left the configuration mode.
    Interrupted,
    /// Both CPUs find the configuration wrong; the defect's number is the detail.
    Invalid,
    /// A step failed; the status is the detail.
    Failed,
    /// What was read back is not what was sent; the offset is the detail.
    Differs,
    /// The unit does not come to normal mode with it.
    NotRunning,
}

impl Told {
    /// Whether nothing of the unit's configuration may have changed.
    const fn claims_no_change(self) -> bool {
        matches!(self, Self::NoAnswer | Self::WrongUnit | Self::NotEntered | Self::Refused)
    }
}

/// What the tool is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Who is there?
    Asking,
    /// Into the configuration mode.
    Entering,
    /// Time for CPU2.
    Settling,
    /// The old configuration goes.
    Erasing,
    /// Row by row; the offset.
    Writing(u32),
    /// The unit checks the whole.
    Checking,
    /// Read back; the offset.
    Reading(u32),
    /// Back to normal operation.
    Restarting,
    /// Does it run?
    Starting,
}

impl Step {
    /// Its number in the trace.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Asking => 0,
            Self::Entering => 1,
            Self::Settling => 2,
            Self::Erasing => 3,
            Self::Writing(_) => 4,
            Self::Checking => 5,
            Self::Reading(_) => 6,
            Self::Restarting => 7,
            Self::Starting => 8,
        }
    }

    /// Its name in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Entering => "entering",
            Self::Settling => "settling",
            Self::Erasing => "erasing",
            Self::Writing(_) => "writing",
            Self::Checking => "checking",
            Self::Reading(_) => "reading",
            Self::Restarting => "restarting",
            Self::Starting => "starting",
        }
    }
}

/// A configuration that a unit may come to run, and what is to be known of it then.
#[derive(Clone, Debug)]
pub struct Content {
    /// The binary.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub hash: u32,
    /// What the unit runs with it, if there is a section for it.
    pub runs: Option<Arc<Common>>,
}

/// What is to be downloaded, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the tool begins.
    pub at: SimTime,
    /// What carries the messages.
    pub over: Way,
    /// The unit that is meant.
    pub serial: u32,
    /// What is typed in.
    pub password: String,
    /// The configuration.
    pub content: Arc<Content>,
    /// Whether the tool asks who is there.
    pub asks_first: bool,
    /// Whether it enters the configuration mode.
    pub enters: bool,
}

/// One download.
#[derive(Clone, Debug)]
pub struct Download {
    /// What is to be done.
    pub plan: Plan,
    /// What the tool is busy with, or was at its end; `None` before it begins.
    pub step: Option<Step>,
    since: SimTime,
    request: Bytes,
    sequence: u8,
    tries: u8,
    deadline: SimTime,
    entered: bool,
    /// When the unit was heard last.
    heard: SimTime,
    /// Configuration areas of both CPUs as they were when the tool began.
    before: [Vec<u8>; 2],
    /// When the tool told what.
    pub told: Option<(SimTime, Told, u32)>,
    /// Whether both CPUs held exactly the configuration then.
    pub stored: bool,
    /// Whether the area of either CPU had changed by then.
    pub changed: bool,
}

/// What to do next.
enum Next {
    Wait,
    Send(Step, Command, Vec<u8>),
    Again,
    Rest(Step, Span),
    Tell(Told, u32),
}

/// A person asks which unit is which.
#[derive(Clone, Copy, Debug)]
pub struct Identification {
    /// When.
    pub at: SimTime,
    /// What carries the message.
    pub over: Way,
    /// The unit that is meant.
    pub serial: u32,
    /// Whether it was asked.
    pub asked: bool,
}

/// The tool's side of the bus.
#[derive(Clone, Debug, Default)]
struct Bus {
    /// Frames that wait for a mailbox.
    waiting: VecDeque<Frame>,
    /// The answer that comes, and the index that its next frame has.
    answer: Bytes,
    next: u8,
}

impl Bus {
    fn send(&mut self, message: &[u8]) {
        let pieces = message.chunks(PIECE).count();
        if self.waiting.len() + pieces > FRAMES_MOST {
            self.waiting.clear();
        }
        for (index, piece) in (0u8..).zip(message.chunks(PIECE)) {
            let last = if usize::from(index) + 1 == pieces { TOOL_LAST } else { 0 };
            let id = embedded_can::StandardId::new(TOOL_REQUEST_ID).unwrap_or(embedded_can::StandardId::MAX);
            self.waiting.extend(Frame::data_frame(id, &[&[index | last][..], piece].concat()));
        }
    }

    /// A frame of an answer; the answer once it is whole.
    fn take(&mut self, data: &[u8]) -> Option<Bytes> {
        let (first, piece) = data.split_first()?;
        let index = first & !TOOL_LAST;
        if index == 0 {
            (self.answer, self.next) = (Bytes::new(), 0);
        }
        if index != self.next || self.answer.extend_from_slice(piece).is_err() {
            self.next = u8::MAX;
            return None;
        }
        self.next += 1;
        (first & TOOL_LAST != 0).then(|| std::mem::take(&mut self.answer))
    }
}

/// The tool at a unit: its downloads, and what comes back from the unit.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Serial number of the unit at which it is.
    pub serial: u32,
    /// What the unit ran at first.
    original: Arc<Content>,
    /// The downloads, in their order.
    pub downloads: Vec<Download>,
    /// When the lamp of a unit is asked for, in their order.
    pub identifications: Vec<Identification>,
    answers: VecDeque<Arriving<Bytes>>,
    bus: Bus,
    /// Requests that would change something, as sent.
    pub changes_asked: u64,
}

/// What a wake-up of the tool leads to.
#[derive(Default)]
pub struct Action {
    /// A request goes on its way now.
    pub send: Option<(Way, Bytes)>,
    /// When the tool wants to be woken again.
    pub wake: Option<SimTime>,
    /// The download's number and the step it came to.
    pub step: Option<(u8, Step)>,
    /// The download's number, and what the tool tells.
    pub told: Option<(u8, Told, u32)>,
}

/// An answer, taken apart.
struct Answer<'a> {
    status: u8,
    serial: u32,
    payload: &'a [u8],
}

fn word(bytes: &[u8], from: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(from..from + 4)?.try_into().ok()?))
}

impl<'a> Answer<'a> {
    /// A whole answer to `request`, of the unit that was asked where one was.
    fn read(bytes: &'a [u8], request: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_LEN)?)?;
        let asked = word(request, at::SERIAL)?;
        let fits = word(crc, 0)? == crc32(body)
            && *body.first()? == ANSWER
            && body.get(at::COMMAND..at::STATUS)? == request.get(at::COMMAND..at::STATUS)?
            && (asked == 0 || word(body, at::SERIAL)? == asked);
        let payload = body.get(HEADER_LEN..)?;
        fits.then_some(Self { status: *body.get(at::STATUS)?, serial: word(body, at::SERIAL)?, payload })
    }
}

impl Download {
    /// A download that has not begun.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            step: None,
            since: SimTime::ZERO,
            request: Bytes::new(),
            sequence: 0,
            tries: 0,
            deadline: SimTime::NEVER,
            entered: false,
            heard: SimTime::ZERO,
            before: [Vec::new(), Vec::new()],
            told: None,
            stored: false,
            changed: false,
        }
    }

    /// How long the tool took to tell.
    #[must_use]
    pub fn took(&self) -> Option<Span> {
        self.told.map(|(at, ..)| at.since(self.plan.at))
    }

    /// Whether what the tool told is what both CPUs hold.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self.told {
            None => false,
            Some((_, Told::Stored, _)) => self.stored,
            Some((_, told, _)) => !(told.claims_no_change() && self.changed),
        }
    }

    fn first(&self) -> Next {
        match (self.plan.asks_first && self.plan.over == Way::Usb, self.plan.enters) {
            (true, _) => Next::Send(Step::Asking, Command::Who, Vec::new()),
            (false, true) => self.enter(),
            (false, false) => self.erase(),
        }
    }

    fn enter(&self) -> Next {
        Next::Send(Step::Entering, Command::Enter, self.plan.password.as_bytes().to_vec())
    }

    fn erase(&self) -> Next {
        let length = u32::try_from(self.plan.content.bytes.len()).unwrap_or(u32::MAX);
        Next::Send(Step::Erasing, Command::Begin, length.to_le_bytes().to_vec())
    }

    /// A row of the configuration, filled up as erased flash.
    fn row(&self, offset: u32) -> Option<[u8; ROW]> {
        let rest = self.plan.content.bytes.get(offset as usize..).filter(|rest| !rest.is_empty())?;
        let mut row = [ERASED; ROW];
        row.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Some(row)
    }

    fn write(&self, offset: u32) -> Next {
        match self.row(offset) {
            Some(row) => Next::Send(Step::Writing(offset), Command::Data, [&offset.to_le_bytes()[..], &row].concat()),
            None => Next::Send(Step::Checking, Command::Finish, Vec::new()),
        }
    }

    fn read_back(&self, offset: u32) -> Next {
        match self.row(offset) {
            Some(_) => Next::Send(Step::Reading(offset), Command::Read, offset.to_le_bytes().to_vec()),
            None => Next::Send(Step::Restarting, Command::Restart, Vec::new()),
        }
    }

    /// An answer came.
    fn hear(&self, step: Step, answer: &Answer<'_>) -> Next {
        let done = answer.status == Status::Done as u8;
        match step {
            Step::Asking if done && answer.serial != self.plan.serial => Next::Tell(Told::WrongUnit, answer.serial),
            Step::Asking if done && self.plan.enters => self.enter(),
            Step::Asking if done => self.erase(),
            Step::Entering if done && mode(answer) == Some(Mode::Configuration as u8) => {
                Next::Rest(Step::Settling, SETTLE_TIME)
            }
            Step::Starting if done => self.started(answer),
            Step::Entering | Step::Starting | Step::Settling => Next::Wait,
            _ if answer.status == Status::Busy as u8 => Next::Rest(step, POLL),
            _ if answer.status == Status::Refused as u8 => {
                Next::Tell(if self.entered { Told::Interrupted } else { Told::Refused }, 0)
            }
            _ if answer.status == Status::NoPeerAnswer as u8 && self.tries < TRIES => Next::Again,
            Step::Checking if answer.status == Status::Invalid as u8 => {
                Next::Tell(Told::Invalid, answer.payload.first().copied().map_or(0, u32::from))
            }
            _ if !done => Next::Tell(Told::Failed, answer.status.into()),
            Step::Erasing => self.write(0),
            Step::Writing(offset) => self.write(offset + ROW as u32),
            Step::Checking if word(answer.payload, 0) != Some(self.plan.content.hash) => Next::Tell(Told::Differs, 0),
            Step::Checking => self.read_back(0),
            Step::Reading(offset) => {
                let same = word(answer.payload, 0) == Some(offset)
                    && answer.payload.get(4..) == self.row(offset).as_ref().map(|row| &row[..]);
                if same { self.read_back(offset + ROW as u32) } else { Next::Tell(Told::Differs, offset) }
            }
            Step::Restarting => Next::Rest(Step::Starting, POLL),
            Step::Asking => Next::Wait,
        }
    }

    /// The unit runs: with this configuration, or not.
    fn started(&self, answer: &Answer<'_>) -> Next {
        let runs = word(answer.payload, 5) == Some(self.plan.content.hash);
        match mode(answer) {
            Some(own) if own == Mode::Normal as u8 && runs => Next::Tell(Told::Stored, 0),
            Some(own) if own == Mode::Normal as u8 || own == Mode::Safe as u8 => {
                Next::Tell(Told::NotRunning, own.into())
            }
            _ => Next::Wait,
        }
    }

    /// Nothing came in time.
    fn overdue(&self, now: SimTime, step: Step) -> Next {
        let since = now.since(self.since);
        match step {
            Step::Entering if since >= ENTER_TIME => Next::Tell(Told::NotEntered, 0),
            Step::Starting if self.plan.over != Way::Usb && now.since(self.heard.max(self.since)) >= SILENCE => {
                Next::Tell(Told::Stored, 0)
            }
            Step::Starting if since >= START_TIME => Next::Tell(Told::NotRunning, 0),
            Step::Entering | Step::Starting => Next::Send(step, Command::Who, Vec::new()),
            Step::Settling => self.erase(),
            _ if self.tries < TRIES => Next::Again,
            Step::Restarting => Next::Rest(Step::Starting, POLL),
            _ if self.entered => Next::Tell(Told::Interrupted, 0),
            _ => Next::Tell(Told::NoAnswer, 0),
        }
    }

    fn message(&mut self, command: Command, payload: &[u8]) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        // Before the tool knows who is there it asks all.
        let all = self.step == Some(Step::Asking);
        let serial = if all { 0 } else { self.plan.serial };
        message(command, self.sequence, serial, payload)
    }
}

fn message(command: Command, sequence: u8, serial: u32, payload: &[u8]) -> Bytes {
    let header = [REQUEST, command as u8, sequence, 0];
    let mut bytes = [&header[..], &serial.to_le_bytes(), payload].concat();
    bytes.extend(crc32(&bytes).to_le_bytes());
    // A password that is too long for a message is cut: the unit does not know it either way.
    bytes.truncate(HEADER_LEN + PAYLOAD_MOST + CRC_LEN);
    Bytes::from_slice(&bytes).unwrap_or_default()
}

/// The mode in an answer to `Who`.
fn mode(answer: &Answer<'_>) -> Option<u8> {
    answer.payload.first().copied().filter(|_| answer.payload.len() == 9)
}

/// Whether `request` asks for a change of mode or store.
fn asks_change(request: &[u8]) -> bool {
    let command = request.get(at::COMMAND).copied();
    command.is_some_and(|command| command != Command::Who as u8 && command != Command::Read as u8)
}

impl Tool {
    /// A tool that waits for its first download, at the unit of this serial number.
    #[must_use]
    pub fn new(serial: u32, original: Content, plans: Vec<Plan>, identifications: Vec<Identification>) -> Self {
        Self {
            serial,
            original: Arc::new(original),
            downloads: plans.into_iter().map(Download::new).collect(),
            identifications,
            answers: VecDeque::new(),
            bus: Bus::default(),
            changes_asked: 0,
        }
    }

    /// An answer of the unit will be whole at `at`.
    pub fn answered(&mut self, at: SimTime, answer: Bytes) {
        let place = self.answers.partition_point(|one| one.at <= at);
        self.answers.insert(place, Arriving { at, what: answer });
    }

    /// The way of the download that goes on; none before the first and between two.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        let present = self.downloads.iter().find(|one| one.told.is_none());
        present.filter(|one| one.step.is_some()).map(|one| one.plan.over)
    }

    /// The message by which identification `number` asks, and its way.
    pub fn identify(&mut self, number: usize) -> Option<(Way, Bytes)> {
        let one = self.identifications.get_mut(number)?;
        one.asked = true;
        let sequence = u8::try_from(number).unwrap_or(u8::MAX);
        Some((one.over, message(Command::Identify, sequence, one.serial, &[])))
    }

    /// A message is to leave over the bus.
    pub fn put_on_bus(&mut self, message: &[u8]) {
        self.bus.send(message);
    }

    /// The frame that leaves next over the bus.
    #[must_use]
    pub fn next_frame(&self) -> Option<Frame> {
        self.bus.waiting.front().copied()
    }

    /// The next frame has left.
    pub fn frame_left(&mut self) {
        self.bus.waiting.pop_front();
    }

    /// A frame of an answer came over the bus; whether an answer is whole.
    pub fn hear_frame(&mut self, now: SimTime, data: &[u8]) -> bool {
        let whole = self.bus.take(data);
        let is_whole = whole.is_some();
        if let Some(answer) = whole {
            self.answered(now, answer);
        }
        is_whole
    }

    /// What the flash of a CPU holds, if it is anything that is known.
    #[must_use]
    pub fn held_by(&self, core: &Core) -> Option<&Content> {
        let area = core.flash.configuration();
        let known = self.downloads.iter().map(|one| &one.plan.content).chain([&self.original]);
        known.map(AsRef::as_ref).find(|content| holds(area, &content.bytes))
    }

    /// Goes on with the present download: one that has begun, or whose time has come.
    pub fn wake(&mut self, now: SimTime, cores: &[Core; 2]) -> Action {
        let mut action = Action::default();
        let Some(index) = self.downloads.iter().position(|one| one.told.is_none()) else { return action };
        let number = u8::try_from(index).unwrap_or(u8::MAX);
        let next = match self.downloads[index].step {
            None if self.downloads[index].plan.at > now => return action,
            None => {
                self.answers.clear();
                let one = &mut self.downloads[index];
                one.before = [0, 1].map(|cpu: usize| cores[cpu].flash.configuration().to_vec());
                one.first()
            }
            Some(step) => self.go_on(index, now, step),
        };
        self.carry_out(index, number, next, now, cores, &mut action);
        action
    }

    fn go_on(&mut self, index: usize, now: SimTime, step: Step) -> Next {
        while self.answers.front().is_some_and(|answer| answer.at <= now) {
            let Some(answer) = self.answers.pop_front() else { break };
            let one = &mut self.downloads[index];
            if let Some(answer) = Answer::read(&answer.what, &one.request) {
                one.heard = now;
                match one.hear(step, &answer) {
                    Next::Wait => {}
                    next => return next,
                }
            }
        }
        let one = &self.downloads[index];
        if one.deadline <= now { one.overdue(now, step) } else { Next::Wait }
    }

    fn carry_out(
        &mut self,
        index: usize,
        number: u8,
        next: Next,
        now: SimTime,
        cores: &[Core; 2],
        action: &mut Action,
    ) {
        let one = &mut self.downloads[index];
        let mut come_to = |one: &mut Download, step: Step| {
            let other = one.step.is_none_or(|before| before.number() != step.number());
            if other {
                (one.since, action.step) = (now, Some((number, step)));
            }
            one.step = Some(step);
            one.entered |= step == Step::Settling;
        };
        match next {
            Next::Wait => return,
            Next::Rest(step, span) => {
                // A request that met a busy unit is sent again afterwards; that is no failed try.
                one.tries = if Some(step) == one.step { one.tries.saturating_sub(1) } else { 0 };
                come_to(one, step);
                one.deadline = now + span;
            }
            Next::Send(step, command, payload) => {
                come_to(one, step);
                one.request = one.message(command, &payload);
                one.tries = 1;
                one.deadline = now + if matches!(step, Step::Entering | Step::Starting) { POLL } else { ANSWER_TIME };
                action.send = Some((one.plan.over, one.request.clone()));
            }
            Next::Again => {
                one.tries += 1;
                one.deadline = now + ANSWER_TIME;
                action.send = Some((one.plan.over, one.request.clone()));
            }
            Next::Tell(told, detail) => {
                let areas = [0, 1].map(|cpu: usize| cores[cpu].flash.configuration());
                one.stored = areas.iter().all(|area| holds(area, &one.plan.content.bytes));
                one.changed = areas.iter().zip(&one.before).any(|(area, before)| *area != before.as_slice());
                one.before = [Vec::new(), Vec::new()];
                one.told = Some((now, told, detail));
                action.told = Some((number, told, detail));
                action.wake = self.downloads.get(index + 1).map(|next| next.plan.at.max(now));
                return;
            }
        }
        action.wake = Some(one.deadline);
        if let Some((_, request)) = &action.send {
            self.changes_asked += u64::from(asks_change(request));
        }
    }
}

/// Whether an area holds exactly these bytes, and nothing behind them.
fn holds(area: &[u8], bytes: &[u8]) -> bool {
    let Some((head, rest)) = area.split_at_checked(bytes.len()) else { return false };
    head == bytes && rest.iter().all(|byte| *byte == ERASED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of a unit to a request, as the format says.
    fn answer(request: &[u8], serial: u32) -> Vec<u8> {
        let mut bytes = [&[ANSWER, request[1], request[2], 0], &serial.to_le_bytes()[..]].concat();
        bytes.extend(crc32(&bytes).to_le_bytes());
        bytes
    }

    /// SSR-056: where all units hear the tool, the answer of another one than was asked is none.
    #[test]
    fn an_answer_counts_if_it_is_of_the_unit_that_was_asked() {
        let request = message(Command::Who, 7, 0x51A0_0101, &[]);
        assert!(Answer::read(&answer(&request, 0x51A0_0101), &request).is_some());
        assert!(Answer::read(&answer(&request, 0x51A0_0102), &request).is_none());
        let to_all = message(Command::Who, 7, 0, &[]);
        assert!(Answer::read(&answer(&to_all, 0x51A0_0102), &to_all).is_some(), "who asks all hears each");
        let earlier = message(Command::Who, 6, 0x51A0_0101, &[]);
        assert!(Answer::read(&answer(&earlier, 0x51A0_0101), &request).is_none());
    }

    /// SSR-055: frames as SAFETY.md, section 10, lays them out: index, mark of the last, up to seven bytes.
    #[test]
    fn a_message_is_cut_for_the_bus_and_an_answer_put_together() {
        let mut bus = Bus::default();
        let message: Vec<u8> = (0..15).collect();
        bus.send(&message);
        let frames: Vec<Vec<u8>> = bus.waiting.iter().map(|frame| frame.data().to_vec()).collect();
        assert_eq!(frames[0], [0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(frames[1], [1, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(frames[2..], [vec![0x82, 14]]);
        assert_eq!((bus.take(&frames[0]), bus.take(&frames[1])), (None, None));
        assert_eq!(bus.take(&frames[2]).as_deref(), Some(&message[..]));
        // A lost frame loses the message, and the next one begins anew.
        assert_eq!((bus.take(&frames[0]), bus.take(&frames[2])), (None, None));
        assert_eq!((bus.take(&frames[0]), bus.take(&frames[1])), (None, None));
        assert_eq!(bus.take(&frames[2]).as_deref(), Some(&message[..]));
    }
}
