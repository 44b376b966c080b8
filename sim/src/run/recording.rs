//! Recordings: every record of a run as one line, for commands that look again.
//!
//! A recording is text, one JSON object a line:
//!
//! ```text
//!   {"format":"cooltwin.recording/3","name":..,"sha256":..,"seed":"1","bitrate":250000,"nodes":[..],..,"resolved":..}   head
//!   {"t_ms":12.408,"node":"CIOC","kind":"frame","data":{..}}                           one line for each record
//!   {"end":"cooltwin.recording/3","end_ms":996200,"lines":1180311}                     end mark; lines before it
//! ```
//! A line between head and end mark has the fields of events.jsonl. Beyond those it holds each good frame: `start_ms`
//! of its SOF, `t_ms` the end of its last bit, `bits` from SOF to the end of EOF, `queued_ms`, `id`, `data`, the sender
//! as `node` and as `receivers` the nodes whose controllers took it. An error frame has the `bit` of the first error
//! (SOF is 0), the sender as `node` and in `seen_by` who detected it. A file without its end mark is a *cut* one.
//!
//! Two kinds of line tell what the records of a run leave out. `levels` has the line bit by bit over each attempt that
//! was disturbed: from `start_ms` on, on the stretch of line with `nodes`, in `runs` how many bits in a row were
//! recessive, then dominant, then recessive and so on. `wiring` has the nodes of each stretch since the wiring changed.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::num::ParseIntError;

use bevy_ecs::prelude::World;
use reports::{Millis, counted};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::{event_of, nodes};
use crate::bus::{Bus, BusRecord};
use crate::kernel::SimTime;
use crate::measure::Measures;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::scenario::words::NodeName;

/// Name and version of the format; the first line of each recording names it.
pub const FORMAT: &str = "cooltwin.recording/3";

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`].
    pub format: String,
    /// Name of the scenario.
    pub name: String,
    /// SHA-256 of the scenario's resolved text.
    pub sha256: String,
    seed: String,
    /// Bits per second.
    pub bitrate: u32,
    /// Every node, as its lines name it.
    pub nodes: Vec<String>,
    /// Those of them that are pumps.
    pub pumps: Vec<String>,
    /// Those of them that are safety units.
    pub safety_units: Vec<String>,
    /// The scenario with all its defaults.
    pub resolved: String,
}

impl Head {
    /// The head of a run of `scenario`.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            format: FORMAT.to_owned(),
            name: scenario.name.clone(),
            sha256: scenario.sha256(),
            seed: scenario.seed.to_string(),
            bitrate: scenario.bus.bitrate.bits_per_second(),
            nodes: node_names(scenario, |_| true),
            pumps: node_names(scenario, |name| matches!(name, NodeName::Pump(_))),
            safety_units: node_names(scenario, |name| scenario.safety_unit(name).is_some()),
            resolved: scenario.resolved_text(),
        }
    }

    /// The run's seed.
    ///
    /// # Errors
    /// When what stands there is no number.
    pub fn seed(&self) -> Result<u64, ParseIntError> {
        self.seed.parse()
    }
}

/// Nodes of a scenario as lines name them.
fn node_names(scenario: &Scenario, wanted: impl Fn(&NodeName) -> bool) -> Vec<String> {
    let nodes = scenario.nodes().into_iter().filter(wanted);
    nodes.filter(|name| scenario.node_id(name).is_some()).map(|name| name.to_string()).collect()
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When; of a frame, the end of its last bit.
    pub t_ms: Millis,
    /// Whose; of a frame, its sender.
    pub node: String,
    /// What, such as `frame` or `error-frame`.
    pub kind: String,
    /// Its fields.
    pub data: Value,
}

impl Line {
    /// The line of a record; `world` is as it stands after the event that the record comes from.
    #[must_use]
    pub fn of(world: &World, time: SimTime, record: &Record) -> Self {
        let names = world.resource::<Measures>().journal.names();
        let (node, kind, mut data) = event_of(record, names);
        if let (Record::Bus(BusRecord::Frame { .. }), Some(fields)) = (record, data.as_object_mut()) {
            let mut receivers = nodes(world.resource::<Bus>().receivers());
            names.put_into_fields(&mut receivers);
            fields.insert("receivers".to_owned(), receivers);
        }
        Self { t_ms: Millis::from_nanos(time.as_nanos()), node, kind: kind.to_owned(), data }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndMark {
    end: String,
    end_ms: Millis,
    lines: u64,
}

/// How every end mark begins, and no other line.
const END_BEGINS: &str = "{\"end\":";

/// Writes a recording while a run goes on; what goes wrong shows at its end.
#[derive(Debug)]
pub struct Writer<W: Write> {
    to: W,
    lines: u64,
    failed: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    /// Begins a recording; give it a buffered `to`.
    pub fn new(to: W, scenario: &Scenario) -> Self {
        let mut writer = Self { to, lines: 0, failed: None };
        writer.line(&Head::of(scenario));
        writer
    }

    /// Writes one record.
    pub fn record(&mut self, line: &Line) {
        self.line(line);
    }

    fn line(&mut self, line: &impl Serialize) {
        if self.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut self.to, line).map_err(io::Error::from);
        self.failed = written.and_then(|()| self.to.write_all(b"\n")).err();
        self.lines += 1;
    }

    /// Writes the end mark of a run that ended at `end`.
    ///
    /// # Errors
    /// The first that came up while writing; the recording is then a cut one.
    pub fn finish(&mut self, end: SimTime) -> io::Result<()> {
        let end_ms = Millis::from_nanos(end.as_nanos());
        self.line(&EndMark { end: FORMAT.to_owned(), end_ms, lines: self.lines });
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }
}

/// Why a file is no whole recording.
#[derive(Debug)]
pub enum ReadError {
    /// It cannot be read.
    Io(io::Error),
    /// It is no recording of this version.
    Foreign,
    /// The line of this number, from 1, is not as it should be.
    BadLine(u64, serde_json::Error),
    /// It has no end mark: the run was killed, or the file was cut.
    Cut {
        /// Lines that are there.
        lines: u64,
    },
    /// Lines are missing, or there are more than the end mark says.
    Count {
        /// Lines before the end mark.
        found: u64,
        /// Lines that the end mark tells of.
        told: u64,
    },
    /// Something follows the end mark.
    GoesOn,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the recording: {error}"),
            Self::Foreign => write!(f, "no recording: its first line does not name {FORMAT}"),
            Self::BadLine(line, error) => write!(f, "line {line} of the recording is broken: {error}"),
            Self::Cut { lines } => {
                write!(f, "the recording is cut: no end mark after {}", counted(*lines, "line", "lines"))
            }
            Self::Count { found, told } => {
                write!(f, "the recording has {}, its end mark tells of {told}", counted(*found, "line", "lines"))
            }
            Self::GoesOn => f.write_str("the recording goes on after its end mark"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads a recording line by line; a cut one ends with an error.
#[derive(Debug)]
pub struct Reader<R: BufRead> {
    from: R,
    head: Head,
    lines: u64,
    end: Option<SimTime>,
    over: bool,
}

impl<R: BufRead> Reader<R> {
    /// Opens a recording.
    ///
    /// # Errors
    /// `from` cannot be read, or is no recording of this version.
    pub fn new(mut from: R) -> Result<Self, ReadError> {
        let first = next_line(&mut from)?.ok_or(ReadError::Foreign)?;
        let head: Head = serde_json::from_str(&first).map_err(|_| ReadError::Foreign)?;
        if head.format != FORMAT {
            return Err(ReadError::Foreign);
        }
        Ok(Self { from, head, lines: 1, end: None, over: false })
    }

    /// When the run ended; known once the last line was read.
    #[must_use]
    pub fn end(&self) -> Option<SimTime> {
        self.end
    }

    /// What was run.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn line(&mut self) -> Result<Option<Line>, ReadError> {
        let text = next_line(&mut self.from)?.ok_or(ReadError::Cut { lines: self.lines })?;
        if text.starts_with(END_BEGINS) {
            return self.read_end(&text).map(|()| None);
        }
        self.lines += 1;
        serde_json::from_str(&text).map(Some).map_err(|error| ReadError::BadLine(self.lines, error))
    }

    fn read_end(&mut self, text: &str) -> Result<(), ReadError> {
        let mark: EndMark = serde_json::from_str(text).map_err(|error| ReadError::BadLine(self.lines + 1, error))?;
        if mark.lines != self.lines {
            return Err(ReadError::Count { found: self.lines, told: mark.lines });
        }
        self.end = u64::try_from(mark.end_ms.as_nanos()).ok().map(SimTime::from_nanos);
        next_line(&mut self.from)?.map_or(Ok(()), |_| Err(ReadError::GoesOn))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let line = self.line();
        self.over = !matches!(line, Ok(Some(_)));
        line.transpose()
    }
}

/// The next line without its line break. A last line without one was cut in the middle: it counts as missing.
fn next_line(from: &mut impl BufRead) -> Result<Option<String>, ReadError> {
    let mut text = String::new();
    from.read_line(&mut text).map_err(ReadError::Io)?;
    Ok(text.strip_suffix('\n').map(str::to_owned))
}

/// Reads a whole recording at once.
///
/// # Errors
/// It cannot be read, is no recording of this version, or is not whole.
pub fn read(from: impl BufRead) -> Result<(Head, Vec<Line>), ReadError> {
    let mut reader = Reader::new(from)?;
    let lines = reader.by_ref().collect::<Result<Vec<Line>, ReadError>>()?;
    Ok((reader.head, lines))
}
