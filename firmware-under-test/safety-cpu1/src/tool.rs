//! Messages of the configuration tool, whatever interface they take.
//!
//! SSR-055.
//!
//! This module reads messages, makes answers and cuts them for CAN. What a message does is decided by the mode: in normal
//! mode and safe state only [`Desk`] answers, which knows no way to change a configuration (SSR-051).

use heapless::Vec;
use safety_common::io::{Bytes, CanFrame, CanTransmit, Channel, Forward, Mode, Retained, TickInputs, TickOutputs};
use safety_common::simplecan::{TOOL_ANSWER_ID, TOOL_LAST, TOOL_REQUEST_ID};
use safety_common::tool::{self, Command, PASSWORD_MOST, Status, at};

use crate::bytes::{u8_at, u32_at};
use crate::chaskey;
use crate::sums::{self, FLASH};

/// Messages that are looked at in a tick; more are dropped, the logic comes first.
const MESSAGES_MOST: usize = 4;
/// Frames that are looked at in a tick.
const FRAMES_MOST: usize = 16;

/// A message to this unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) channel: Channel,
    pub(crate) command: Option<Command>,
    command_byte: u8,
    sequence: u8,
    serial: u32,
    pub(crate) payload: Vec<u8, { tool::PAYLOAD_MOST }>,
    /// The message as it came, to be forwarded.
    pub(crate) bytes: Bytes,
}

impl Request {
    fn read(channel: Channel, bytes: &[u8]) -> Option<Self> {
        let end = bytes.len().checked_sub(tool::CRC_LEN)?;
        let is_request = u8_at(bytes, at::KIND)? == tool::REQUEST && u8_at(bytes, at::STATUS)? == 0;
        if !is_request || !sums::ends_with_flash_crc(bytes) {
            return None;
        }
        let command_byte = u8_at(bytes, at::COMMAND)?;
        Some(Self {
            channel,
            command: command_of(command_byte),
            command_byte,
            sequence: u8_at(bytes, at::SEQUENCE)?,
            serial: u32_at(bytes, at::SERIAL)?,
            payload: Vec::from_slice(bytes.get(at::PAYLOAD..end)?).ok()?,
            bytes: Bytes::from_slice(bytes).ok()?,
        })
    }

    /// The answer of the unit with this serial number.
    pub(crate) fn answer(&self, serial: u32, status: Status, payload: &[u8]) -> Bytes {
        let mut bytes = Bytes::new();
        let header = [tool::ANSWER, self.command_byte, self.sequence, status as u8];
        let parts: [&[u8]; 3] = [&header, &serial.to_le_bytes(), payload];
        let fits = parts.iter().all(|part| bytes.extend_from_slice(part).is_ok());
        let crc = FLASH.checksum(&bytes).to_le_bytes();
        if fits && bytes.extend_from_slice(&crc).is_ok() { bytes } else { Bytes::new() }
    }

    /// Whether `bytes` answer this request.
    pub(crate) fn is_answered_by(&self, bytes: &[u8]) -> bool {
        bytes.get(..at::STATUS) == Some(&[tool::ANSWER, self.command_byte, self.sequence])
    }
}

const fn command_of(byte: u8) -> Option<Command> {
    Some(match byte {
        0x01 => Command::Who,
        0x02 => Command::Identify,
        0x10 => Command::Enter,
        0x11 => Command::Begin,
        0x12 => Command::Data,
        0x13 => Command::Finish,
        0x14 => Command::Read,
        0x15 => Command::Restart,
        _ => return None,
    })
}

/// Messages over CAN, put together from frames.
#[derive(Clone, Debug, Default)]
struct Assembler {
    bytes: Bytes,
    next: u8,
}

impl Assembler {
    /// Takes a frame; the message once it is whole.
    fn take(&mut self, frame: &CanFrame) -> Option<Bytes> {
        let data = frame.data.get(..usize::from(frame.len))?;
        let (first, rest) = data.split_first()?;
        let index = first & !TOOL_LAST;
        if index == 0 {
            *self = Self::default();
        }
        if index != self.next || self.bytes.extend_from_slice(rest).is_err() {
            *self = Self { bytes: Bytes::new(), next: u8::MAX };
            return None;
        }
        self.next = self.next.saturating_add(1);
        (first & TOOL_LAST != 0).then(|| core::mem::take(self).bytes)
    }
}

/// What the desk is allowed to say about the unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) mode: Mode,
    pub(crate) release_id: u32,
    pub(crate) configuration_hash: u32,
}

/// Where messages of the tool arrive.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) serial: u32,
    /// The verifier of the password.
    password: [u8; 16],
    assembler: Assembler,
    identify_ticks: u32,
}

/// Requests to this unit in one step.
pub(crate) type Requests = Vec<Request, MESSAGES_MOST>;

impl Desk {
    pub(crate) fn new(serial: u32, password: [u8; 16]) -> Self {
        Self { serial, password, assembler: Assembler::default(), identify_ticks: 0 }
    }

    /// The messages to this unit that came since the last step.
    pub(crate) fn requests(&mut self, inputs: &TickInputs<'_>) -> Requests {
        let mut requests = Requests::new();
        self.identify_ticks = self.identify_ticks.saturating_sub(1);
        let usb = inputs.usb.iter().take(MESSAGES_MOST).map(|bytes| (Channel::ToolUsb, bytes));
        let radio = inputs.radio.iter().take(FRAMES_MOST).map(|bytes| (Channel::ToolRadio, bytes));
        for (channel, bytes) in usb.chain(radio) {
            self.add(channel, bytes, &mut requests);
        }
        for received in inputs.can.iter().take(FRAMES_MOST).filter(|received| received.frame.id == TOOL_REQUEST_ID) {
            if let Some(bytes) = self.assembler.take(&received.frame) {
                self.add(Channel::ToolCan, &bytes, &mut requests);
            }
        }
        requests
    }

    fn add(&self, channel: Channel, bytes: &[u8], requests: &mut Requests) {
        let request = Request::read(channel, bytes).filter(|request| {
            request.serial == self.serial || (request.serial == 0 && request.command == Some(Command::Who))
        });
        if let Some(request) = request {
            // What does not fit is dropped like a lost message.
            let _ = requests.push(request);
        }
    }

    /// Answers `Who` and `Identify`, which do not touch the safety function; `None` for anything else.
    pub(crate) fn courtesy(&mut self, request: &Request, about: &About) -> Option<Bytes> {
        match request.command? {
            Command::Who => {
                let mut payload = [0; 9];
                crate::bytes::put(&mut payload, 0, &[about.mode as u8]);
                crate::bytes::put(&mut payload, 1, &about.release_id.to_le_bytes());
                crate::bytes::put(&mut payload, 5, &about.configuration_hash.to_le_bytes());
                Some(request.answer(self.serial, Status::Done, &payload))
            }
            Command::Identify => {
                self.identify_ticks = tool::IDENTIFY_TICKS;
                Some(request.answer(self.serial, Status::Done, &[]))
            }
            _ => None,
        }
    }

    /// Whether a person has just asked to see this unit (SSR-057).
    pub(crate) const fn identifies(&self) -> bool {
        self.identify_ticks > 0
    }

    /// Whether the payload is the password (SSR-052).
    fn knows(&self, password: &[u8]) -> bool {
        let fits = !password.is_empty() && password.len() <= PASSWORD_MOST;
        fits && chaskey::tag(tool::PASSWORD_KEY, password) == self.password
    }

    /// Normal mode and safe state: courtesies and refusals over USB, silence over radio and CAN; the right password restarts the
    /// CPU into the configuration mode (SSR-050 to SSR-054).
    pub(crate) fn serve_outside_configuration(
        &mut self,
        inputs: &TickInputs<'_>,
        about: &About,
        out: &mut TickOutputs,
    ) {
        for request in &self.requests(inputs) {
            if request.command == Some(Command::Enter) {
                if self.knows(&request.payload) {
                    forward(request.channel, &request.bytes, out);
                    out.reset = Some(REQUEST_TO_CONFIGURE);
                }
                continue;
            }
            let answer = self.courtesy(request, about);
            if request.channel == Channel::ToolUsb {
                let refusal = || request.answer(self.serial, Status::Refused, &[]);
                out.usb = Some(answer.unwrap_or_else(refusal));
            }
        }
    }
}

/// What a restart into the configuration mode keeps.
pub(crate) const REQUEST_TO_CONFIGURE: Retained =
    Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE };

/// Passes a message to CPU2.
pub(crate) fn forward(channel: Channel, bytes: &[u8], out: &mut TickOutputs) {
    if let Ok(bytes) = Bytes::from_slice(bytes) {
        // A full line loses messages; each kind is covered by a time-out.
        let _ = out.forward.push(Forward { channel, bytes });
    }
}

/// An answer on its way over CAN, frame by frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct CanAnswer {
    bytes: Bytes,
    next: u8,
}

/// Bytes of a message in one frame.
const PIECE: usize = 7;

impl CanAnswer {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, next: 0 }
    }

    /// The next frame, one a tick.
    pub(crate) fn frame(&mut self) -> Option<CanTransmit> {
        let from = usize::from(self.next).saturating_mul(PIECE);
        let rest = self.bytes.get(from..).filter(|rest| !rest.is_empty())?;
        let piece = rest.get(..PIECE).unwrap_or(rest);
        let last = if piece.len() == rest.len() { TOOL_LAST } else { 0 };
        let mut data = [0; 8];
        crate::bytes::put(&mut data, 0, &[self.next | last]);
        crate::bytes::put(&mut data, 1, piece);
        self.next = self.next.saturating_add(1);
        let len = u8::try_from(piece.len().saturating_add(1)).unwrap_or(8);
        Some(CanTransmit { frame: CanFrame { id: TOOL_ANSWER_ID, len, data }, slot: 0 })
    }
}
