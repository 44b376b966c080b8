//! events.jsonl: one state transition per line.
//!
//! The lines are for people with `grep` and for scripts: `t_ms`, `node`, `kind` and `data`, in this order. The twin
//! writes them while it runs, so a run that ends badly leaves all that happened before.

use std::io::{self, Write};

use serde::Serialize;

use crate::number::Millis;

/// A state transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Event<'a, D: Serialize> {
    /// When.
    pub t_ms: Millis,
    /// Whose state, such as `CIOC` or `P05`, or `bus`, `supply`, `coolant`.
    pub node: &'a str,
    /// Which state, such as `error-counters`.
    pub kind: &'a str,
    /// The new state; an object with stable key order.
    pub data: D,
}

/// Writes events as lines.
#[derive(Debug)]
pub struct EventWriter<W: Write> {
    to: W,
    lines: u64,
}

impl<W: Write> EventWriter<W> {
    /// A writer of lines; give it a buffered `to`.
    pub fn new(to: W) -> Self {
        Self { to, lines: 0 }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn write<D: Serialize>(&mut self, event: &Event<'_, D>) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, event).map_err(io::Error::from)?;
        self.lines += 1;
        self.to.write_all(b"\n")
    }

    /// Lines written so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Flushes and gives the target back.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}
