//! `traffic`: a list of periodic messages, or the frames of a recorded log.
//!
//! A log is played by a node of its own, which hangs on the bus behind all others. Where the log comes from, a real
//! machine or the twin, makes no difference.

use std::path::Path;
use std::sync::Arc;

use embedded_can::{ExtendedId, Id, StandardId};
use protocol::Frame;

use super::doc::Doc;
use super::model::Traffic;
use super::reader::{Node, Reader};
use super::schema::{Shape, Value};
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

/// Recorded frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficLog {
    /// The file, as the scenario names it.
    pub file: String,
    /// Its frames with their times since the first one; the loader reads them.
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
        let name = inner.trim().strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).map(str::trim);
        let quoted = name.filter(|name| name.len() > 2 && name.starts_with('"'));
        match quoted.and_then(|name| Node { text: name, bare: false, ..node.clone() }.string()) {
            Some(file) => Some(Self::Log(TrafficLog { file, frames: Arc::new([]) })),
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
            Self::Log(log) => Doc::word(format!("Log({:?})", log.file)),
        }
    }
}

/// The frames of a log, with times since the first.
///
/// # Errors
/// It is no such text, goes back in time, or holds no frame; with why.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Arc<[(Span, Frame)]>, String> {
    let mut frames: Vec<(Span, Frame)> = Vec::new();
    let mut first = None;
    for frame in log::frames(bytes) {
        let frame = frame.map_err(|error| error.to_string())?;
        let first = *first.get_or_insert(frame.time);
        let since = frame.time.checked_sub(first).map(Span::from_nanos);
        let at = since.filter(|at| frames.last().is_none_or(|(last, _)| last <= at));
        let at = at.ok_or_else(|| format!("time goes back after {} frames", frames.len()))?;
        if let Some(data_frame) = data_frame(&frame) {
            frames.push((at, data_frame));
        }
    }
    if frames.is_empty() { Err(format!("{} holds no frame", path.display())) } else { Ok(frames.into()) }
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
