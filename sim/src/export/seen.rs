//! Lines of a recording as the formats want them: typed frames, errors, levels and notes.
//!
//! A recording is JSON for everyone; here its bus lines become numbers once, for all formats.

use serde_json::Value;

use crate::run::recording::{Head, Line};

/// A good frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Start of its SOF in nanoseconds.
    pub start: u64,
    /// 11 or 29 bits.
    pub id: u32,
    /// Whether the id has 29 bits.
    pub extended: bool,
    /// 0 to 8 bytes.
    pub data: Vec<u8>,
    /// Bits from SOF to the end of EOF, stuff bits included.
    pub bits: u64,
}

/// An error frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFrame {
    /// Bit of the first error, SOF is 0.
    pub bit: u64,
    /// `bit`, `stuff`, `crc`, `form` or `ack`.
    pub kind: String,
    /// Whether its sender saw the error.
    pub seen_by_sender: bool,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A good frame.
    Frame(Frame),
    /// An error frame.
    Error(ErrorFrame),
    /// Levels of the line from `start` on: bits in a row that were recessive, then dominant, and so on.
    Levels {
        /// Start of the first bit in nanoseconds.
        start: u64,
        /// The runs.
        runs: Vec<u64>,
    },
    /// Anything else.
    Other,
}

/// A line, understood.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// When, in nanoseconds; of a frame, its end.
    pub time: u64,
    /// 0 where the CIOC is, 1 on a stretch cut off from it.
    pub channel: u8,
    /// What it is about.
    pub what: What,
    /// The line itself.
    pub line: &'a Line,
}

/// Reads lines in their order; keeps how the bus is wired.
#[derive(Clone, Debug)]
pub struct Bench {
    head: Head,
    /// The nodes on the CIOC's stretch; all, until the wiring changes.
    near: Option<Vec<String>>,
}

impl Bench {
    /// For the run that `head` tells of.
    #[must_use]
    pub fn new(head: &Head) -> Self {
        Self { head: head.clone(), near: None }
    }

    /// What was run.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Understands the next line; `None` for a bus line that is not as this version writes them.
    pub fn see<'a>(&mut self, line: &'a Line) -> Option<Seen<'a>> {
        let time = u64::try_from(line.t_ms.as_nanos()).ok()?;
        let data = &line.data;
        let (what, channel) = match line.kind.as_str() {
            "frame" => (What::Frame(frame(data)?), self.channel(&line.node)),
            "error-frame" => (What::Error(error(line)?), self.error_channel(line)),
            "levels" => {
                let runs = data["runs"].as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>()?;
                let channel = data["nodes"].as_array().map_or(0, |nodes| self.channel_of(nodes));
                (What::Levels { start: nanos(&data["start_ms"])?, runs }, channel)
            }
            "wiring" => {
                self.rewire(&data["stretches"]);
                (What::Other, 0)
            }
            _ => (What::Other, 0),
        };
        Some(Seen { time, channel, what, line })
    }

    fn rewire(&mut self, stretches: &Value) {
        let names = |stretch: &Value| -> Vec<String> {
            stretch.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
        };
        let mut stretches = stretches.as_array().into_iter().flatten().map(names);
        self.near = stretches.find(|stretch| stretch.iter().any(|name| name == "CIOC"));
    }

    fn channel(&self, node: &str) -> u8 {
        u8::from(self.near.as_ref().is_some_and(|near| !near.iter().any(|name| name == node)))
    }

    fn channel_of(&self, nodes: &[Value]) -> u8 {
        nodes.first().and_then(Value::as_str).map_or(0, |node| self.channel(node))
    }

    /// An error without a sender is on the stretch of those who saw it.
    fn error_channel(&self, line: &Line) -> u8 {
        match line.node.as_str() {
            "bus" => line.data["seen_by"].as_array().map_or(0, |nodes| self.channel_of(nodes)),
            sender => self.channel(sender),
        }
    }
}

/// Milliseconds in JSON as nanoseconds: a float is exact up to 100 days, which is far beyond any run.
fn nanos(ms: &Value) -> Option<u64> {
    match ms.as_u64() {
        Some(whole) => whole.checked_mul(1_000_000),
        None => ms.as_f64().filter(|ms| *ms >= 0.0).map(|ms| (ms * 1e6).round() as u64),
    }
}

fn frame(data: &Value) -> Option<Frame> {
    let (id, extended) = can_id(data["id"].as_str()?)?;
    Some(Frame {
        start: nanos(&data["start_ms"])?,
        id,
        extended,
        data: bytes(data["data"].as_str()?)?,
        bits: data["bits"].as_u64()?,
    })
}

/// `0x7FF` has 11 bits, `0x000007FF` has 29.
fn can_id(text: &str) -> Option<(u32, bool)> {
    let digits = text.strip_prefix("0x")?;
    Some((u32::from_str_radix(digits, 16).ok()?, digits.len() > 3))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn error(line: &Line) -> Option<ErrorFrame> {
    let data = &line.data;
    let seen = data["seen_by"].as_array();
    Some(ErrorFrame {
        bit: data["bit"].as_u64()?,
        kind: data["error"].as_str()?.to_owned(),
        seen_by_sender: seen.is_some_and(|nodes| nodes.iter().any(|node| *node == line.node)),
    })
}

impl Frame {
    /// The frame as the bus has it.
    #[must_use]
    pub fn wire(&self) -> Option<protocol::Frame> {
        let id: Option<embedded_can::Id> = if self.extended {
            embedded_can::ExtendedId::new(self.id).map(Into::into)
        } else {
            u16::try_from(self.id).ok().and_then(embedded_can::StandardId::new).map(Into::into)
        };
        protocol::Frame::data_frame(id?, &self.data)
    }
}

impl ErrorFrame {
    /// The eight data bytes of a SocketCAN error frame: the kind and the place of the error where Linux has a code for
    /// them, and the bit in the byte that is free for the controller's use, at most 255.
    #[must_use]
    pub fn socketcan_data(&self) -> [u8; 8] {
        let (kind, place) = match self.kind.as_str() {
            "bit" => (0x01, 0),
            "form" => (0x02, 0),
            "stuff" => (0x04, 0),
            "crc" => (0, 0x08),
            _ => (0, 0x19),
        };
        let sender = if self.seen_by_sender { 0x80 } else { 0 };
        [0, 0, kind | sender, place, 0, u8::try_from(self.bit).unwrap_or(u8::MAX), 0, 0]
    }

    /// The identifier of a SocketCAN error frame: error flag, protocol error and bus error, and for a missing
    /// acknowledgement its class. Readers know error frames by the bus error's bit.
    #[must_use]
    pub fn socketcan_id(&self) -> u32 {
        let unanswered = if self.kind == "ack" { 0x20 } else { 0 };
        0x2000_0000 | 0x80 | 0x08 | unanswered
    }
}

impl Seen<'_> {
    /// The line as a note, if it tells of a fault, a state or a step of an update; single frames and figures do not.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let noted = match self.line.kind.as_str() {
            "error-counters" => self.line.data["state"].is_string(),
            "injection-begun"
            | "injection-acted"
            | "injection-ended"
            | "bit-inverted"
            | "frame-lost"
            | "receive-overrun"
            | "power-lost"
            | "power-good"
            | "rode-through"
            | "level"
            | "switched"
            | "line"
            | "wiring"
            | "off"
            | "started"
            | "reset"
            | "alarm-raised"
            | "alarm-cleared"
            | "phase"
            | "outcome"
            | "write-to-unerased-flash"
            | "false-version"
            | "blocked" => true,
            _ => false,
        };
        noted.then(|| {
            let time = super::seconds(self.time, 9);
            let fields: String = self.line.data.as_object().into_iter().flatten().map(field).collect();
            format!("{time} s {} {}{fields}", self.line.node, self.line.kind)
        })
    }
}

fn field((name, value): (&String, &Value)) -> String {
    match value {
        Value::String(text) => format!(" {name}={text}"),
        other => format!(" {name}={other}"),
    }
}
