//! The first event that two runs do not share.
//!
//! Compared are state transitions, as events.jsonl has them. Two runs whose logs are equal can still differ in what the
//! logs leave out, single frames, flash operations and what repeats on the bus beyond its count: the fingerprints tell.

use std::fmt;

use reports::Millis;
use serde::Deserialize;
use serde_json::Value;

use crate::measure::journal::{Entry, Journal};
use crate::run::event_of_entry;
use crate::scenario::GivenNames;

/// A state transition as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub t_ms: Millis,
    /// Whose state.
    pub node: String,
    /// Which state.
    pub kind: String,
    /// The new state.
    pub data: Value,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms  {}  {}  {}", self.t_ms, self.node, self.kind, self.data)
    }
}

/// Where two logs part.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// Number of the event in both logs, from 1.
    pub number: usize,
    /// The event of each log; none where that log has ended.
    pub events: [Option<Event>; 2],
}

/// Why a text is no log of events.
#[derive(Debug)]
pub struct LogError {
    /// Line from 1.
    pub line: usize,
    error: serde_json::Error,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is no event: {}", self.line, self.error)
    }
}

impl std::error::Error for LogError {}

/// Where the journals of two runs part; none when they are equal.
#[must_use]
pub fn divergence_of_journals(a: &Journal, b: &Journal) -> Option<Divergence> {
    let (number, pair) = first_unequal(a.iter(), b.iter())?;
    Some(Divergence { number, events: pair.map(|entry| entry.map(|entry| event(entry, a.names()))) })
}

/// Where two texts of events.jsonl part; none when they are equal. Lines up to there are compared as they stand.
///
/// # Errors
/// The lines that differ are no events; the log that is at fault is 0 or 1.
pub fn divergence_of_logs(a: &str, b: &str) -> Result<Option<Divergence>, (usize, LogError)> {
    let Some((number, pair)) = first_unequal(a.lines(), b.lines()) else { return Ok(None) };
    let mut events = [None, None];
    for (log, line) in pair.into_iter().enumerate() {
        let read = line.map(serde_json::from_str).transpose();
        events[log] = read.map_err(|error| (log, LogError { line: number, error }))?;
    }
    Ok(Some(Divergence { number, events }))
}

/// The first place, from 1, at which two sequences differ.
fn first_unequal<T: PartialEq>(
    a: impl Iterator<Item = T>,
    b: impl Iterator<Item = T>,
) -> Option<(usize, [Option<T>; 2])> {
    let (mut a, mut b) = (a.fuse(), b.fuse());
    (1..).find_map(|number| match [a.next(), b.next()] {
        [None, None] => Some(None),
        [a, b] if a == b => None,
        pair => Some(Some((number, pair))),
    })?
}

fn event(entry: &Entry, names: &GivenNames) -> Event {
    let (node, kind, data) = event_of_entry(entry, names);
    Event { t_ms: Millis::from_nanos(entry.0.as_nanos()), node, kind: kind.to_owned(), data }
}
