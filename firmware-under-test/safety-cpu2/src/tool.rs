//! Messages of the configuration tool: taken apart and put together.
//!
//! SSR-038, SSR-053 to SSR-059.
//!
//! There is no message that sets an output. This CPU hears the tool through the forward channel only and checks every
//! message by itself.
//!
//! Diverse: commands are looked up in a table of the known ones; a request borrows its bytes and is gone after the tick.

use safety_common::io::{Bytes, Channel, Forward};
use safety_common::tool::{ANSWER, CRC_LEN, Command, HEADER_LEN, REQUEST, Status, at};

use crate::bytes::{u8_at, u32_at};
use crate::crc;

/// Messages looked at in one tick; a flood of more is dropped (SSM-06).
pub(crate) const MESSAGES_A_TICK: usize = 4;

static COMMANDS: [Command; 8] = [
    Command::Who,
    Command::Identify,
    Command::Enter,
    Command::Begin,
    Command::Data,
    Command::Finish,
    Command::Read,
    Command::Restart,
];

/// A whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) command: Command,
    pub(crate) sequence: u8,
    pub(crate) serial: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Request<'a> {
    /// A message with good CRC and a command that exists.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_LEN)?)?;
        let good =
            u32_at(crc, 0)? == crc::flash(body) && u8_at(body, at::KIND)? == REQUEST && u8_at(body, at::STATUS)? == 0;
        let number = u8_at(body, at::COMMAND)?;
        let command = COMMANDS.into_iter().find(|command| *command as u8 == number)?;
        let payload = body.get(HEADER_LEN..)?;
        let sequence = u8_at(body, at::SEQUENCE)?;
        good.then_some(Self { command, sequence, serial: u32_at(body, at::SERIAL)?, payload })
    }

    /// The answer to this request; payloads of this CPU fit by their length.
    pub(crate) fn answer(&self, serial: u32, status: Status, payload: &[u8]) -> Bytes {
        let mut bytes = Bytes::new();
        let head = [ANSWER, self.command as u8, self.sequence, status as u8];
        let whole = bytes.extend_from_slice(&head).is_ok()
            && bytes.extend_from_slice(&serial.to_le_bytes()).is_ok()
            && bytes.extend_from_slice(payload).is_ok();
        let crc = crc::flash(&bytes);
        if !whole || bytes.extend_from_slice(&crc.to_le_bytes()).is_err() {
            bytes.clear();
        }
        bytes
    }
}

/// Whether the channel carries tool messages.
pub(crate) const fn is_tool(channel: Channel) -> bool {
    matches!(channel, Channel::ToolUsb | Channel::ToolRadio | Channel::ToolCan)
}

/// The requests of a tick, no more than [`MESSAGES_A_TICK`].
pub(crate) fn requests(forward: &[Forward]) -> impl Iterator<Item = (Channel, Request<'_>)> {
    let messages = forward.iter().take(FORWARDS_A_TICK).filter(|message| is_tool(message.channel));
    messages.take(MESSAGES_A_TICK).filter_map(|message| Some((message.channel, Request::parse(&message.bytes)?)))
}

/// Forwarded messages of all channels that are looked at in one tick; a flood of more is dropped (SSM-06).
pub(crate) const FORWARDS_A_TICK: usize = 32;
