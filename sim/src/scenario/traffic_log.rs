//! `traffic`: a list of periodic messages, or the frames of a recorded log.
//!
//! A log is played by a node of its own, which hangs on the bus behind all others. Where the log comes from, a real
//! machine or the twin, makes no difference. Frames that the twin's own nodes send are not to be played beside them.

use std::path::Path;
use std::sync::Arc;

use embedded_can::{ExtendedId, Id, StandardId};
use protocol::Frame;
use protocol::ids::{self, PumpNumber};
use reports::counted;

use super::doc::Doc;
use super::model::Traffic;
use super::reader::{Node, Reader};
use super::schema::{Shape, Value};
use super::words::{CanId, CanIds};
use crate::export::log::{self, LogFrame};
use crate::kernel::Span;

/// Name of the node that plays a log.
pub const LOG_NODE: &str = "log";

/// Further traffic on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficSource {
    /// Periodic messages.
    Messages(Vec<Traffic>),
    /// Recorded frames.
    Log(TrafficLog),
}

super::schema::section! {
    /// A recorded log and what is not played of it.
    Log {
        /// Text of `candump -L`, relative to the scenario file that names it.
        file: String,
        /// Identifiers whose frames are not played.
        leave_out: Vec<CanIds> = "[]",
    }
}

/// Recorded frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficLog {
    /// The file, as the scenario names it.
    pub file: String,
    /// Identifiers whose frames are not played.
    pub leave_out: Vec<CanIds>,
    /// Its frames with their times since the first one, those that are left out aside; the loader reads them.
    pub frames: Arc<[(Span, Frame)]>,
}

impl TrafficSource {
    /// The periodic messages; none where a log is played.
    #[must_use]
    pub fn messages(&self) -> &[Traffic] {
        match self {
            Self::Messages(messages) => messages,
            Self::Log(_) => &[],
        }
    }

    /// The log, where one is played.
    #[must_use]
    pub fn log(&self) -> Option<&TrafficLog> {
        match self {
            Self::Messages(_) => None,
            Self::Log(log) => Some(log),
        }
    }

    pub(super) fn log_mut(&mut self) -> Option<&mut TrafficLog> {
        match self {
            Self::Messages(_) => None,
            Self::Log(log) => Some(log),
        }
    }
}

impl Value for TrafficSource {
    fn shape() -> Shape {
        Vec::<Traffic>::shape()
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let Some(inner) = node.text.strip_prefix("Log") else { return Vec::read(node, reader).map(Self::Messages) };
        reader.forget(&node.path);
        if is_named(inner) {
            let inner = inner.trim_start();
            let at = node.at + (node.text.len() - inner.len());
            let Log { file, leave_out } = Log::read(&Node { text: inner, at, bare: false, ..node.clone() }, reader)?;
            return Some(Self::Log(TrafficLog { file, leave_out, frames: Arc::new([]) }));
        }
        let name = inner.trim().strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).map(str::trim);
        let quoted = name.filter(|name| name.len() > 2 && name.starts_with('"'));
        match quoted.and_then(|name| Node { text: name, bare: false, ..node.clone() }.string()) {
            Some(file) => Some(Self::Log(TrafficLog { file, leave_out: Vec::new(), frames: Arc::new([]) })),
            None => {
                reader.wrong_type(node, "`Log(\"file.log\")` or a list of messages", None);
                None
            }
        }
    }

    fn set(&mut self, path: &[&str], node: &Node<'_>, reader: &mut Reader) {
        match (path.first(), self) {
            (Some(_), Self::Messages(messages)) => messages.set(path, node, reader),
            (Some(part), Self::Log(_)) => reader.no_such_part(node, part, &[]),
            (None, this) => this.apply(node, reader),
        }
    }

    fn doc(&self) -> Doc {
        match self {
            Self::Messages(messages) => messages.doc(),
            Self::Log(log) if log.leave_out.is_empty() => Doc::word(format!("Log({:?})", log.file)),
            Self::Log(TrafficLog { file, leave_out, .. }) => {
                Doc::Fields(Some("Log"), vec![("file", file.doc()), ("leave_out", leave_out.doc())])
            }
        }
    }
}

/// Whether the text behind `Log` has names of fields.
fn is_named(inner: &str) -> bool {
    let inside = inner.trim_start().strip_prefix('(').map_or("", str::trim_start);
    let name = inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    name.len() < inside.len() && name.trim_start().starts_with(':')
}

/// Who of a scenario's own nodes sends frames with an identifier.
fn own_sender(id: Id, pumps: u8) -> Option<String> {
    let Id::Standard(id) = id else { return None };
    PumpNumber::first(pumps).find_map(|pump| {
        let number = pump.get();
        match id {
            _ if id == ids::command(pump) || id == ids::uds_request(pump) => Some("CIOC".to_owned()),
            _ if id == ids::status(pump) || id == ids::uds_response(pump) => Some(format!("P{number:02}")),
            _ => None,
        }
    })
}

/// What is said of frames that the twin's own nodes send too: a bus has one sender of an identifier. The words name the
/// identifiers with their senders; the second text is what leaves them out.
pub(super) fn collisions(log: &TrafficLog, pumps: u8) -> Option<(String, String)> {
    let mut found: Vec<(CanId, String)> = Vec::new();
    for (_, frame) in log.frames.iter() {
        let id = CanId::from(frame.id());
        if let Some(sender) = own_sender(frame.id(), pumps).filter(|_| !found.iter().any(|(known, _)| *known == id)) {
            found.push((id, sender));
        }
    }
    found.sort_by_key(|(id, _)| id.to_string());
    let named: Vec<String> = found.iter().map(|(id, sender)| format!("{id} ({sender})")).collect();
    let left_out: Vec<String> = log.leave_out.iter().map(|ids| ids.doc().inline()).collect();
    let ids: Vec<String> = left_out.into_iter().chain(found.iter().map(|(id, _)| id.to_string())).collect();
    let all = format!("Log(file: {:?}, leave_out: [{}])", log.file, ids.join(", "));
    (!found.is_empty()).then(|| (named.join(", "), all))
}

/// What is said of messages with identifiers of the twin's own nodes, with their numbers in the list.
pub(super) fn borrowed(messages: &[Traffic], pumps: u8) -> Vec<(usize, String)> {
    let told = |message: &Traffic| {
        let sender = own_sender(message.id.id(), pumps)?;
        Some(format!(
            "`{}` has an identifier that the twin's own nodes send, too: {} ({sender})",
            message.name, message.id
        ))
    };
    messages.iter().enumerate().filter_map(|(index, message)| Some((index, told(message)?))).collect()
}

/// The frames of a log, with times since the first.
///
/// # Errors
/// It is no such text, goes back in time, or holds no frame; with why.
pub(super) fn decode(path: &Path, bytes: &[u8], leave_out: &[CanIds]) -> Result<Arc<[(Span, Frame)]>, String> {
    let mut frames: Vec<(Span, Frame)> = Vec::new();
    let mut first = None;
    for frame in log::frames(bytes) {
        let frame = frame.map_err(|error| error.to_string())?;
        let first = *first.get_or_insert(frame.time);
        let since = frame.time.checked_sub(first).map(Span::from_nanos);
        let at = since.filter(|at| frames.last().is_none_or(|(last, _)| last <= at));
        let at =
            at.ok_or_else(|| format!("time goes back after {}", counted(frames.len() as u64, "frame", "frames")))?;
        if let Some(data_frame) = data_frame(&frame) {
            frames.push((at, data_frame));
        }
    }
    if frames.is_empty() {
        return Err(format!("{} holds no frame", path.display()));
    }
    frames.retain(|(_, frame)| !leave_out.iter().any(|ids| ids.hold(frame.id())));
    if frames.is_empty() { Err("`leave_out` leaves no frame of it".to_owned()) } else { Ok(frames.into()) }
}

/// `None` for an error frame.
fn data_frame(frame: &LogFrame) -> Option<Frame> {
    let id: Id = match (frame.error, frame.extended) {
        (true, _) => return None,
        (false, true) => ExtendedId::new(frame.id)?.into(),
        (false, false) => StandardId::new(u16::try_from(frame.id).ok()?)?.into(),
    };
    Frame::data_frame(id, &frame.data)
}
