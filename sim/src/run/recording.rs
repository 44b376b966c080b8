//! Recordings: every record of a run as a line of JSON, readable by later commands.
//!
//! | line  | holds |
//! |-------|-------|
//! | first | `{"format":"cooltwin.recording/1","scenario":"<sha256>"}` |
//! | each  | `{"t_ms":..,"node":..,"kind":..,"data":..}`; a frame's data has start, bits, id and bytes, its end is `t_ms`; an error frame's data has start, bit position, kind and who saw it |
//! | last  | `{"end":<number of records>}`; a recording without it is incomplete |

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::event_of;
use crate::kernel::SimTime;
use crate::record::Record;
use crate::twin;

/// Format of recordings; the first line of each names it.
pub const FORMAT: &str = "cooltwin.recording/1";

type Sink = Box<dyn Write + Send>;

/// A recording that is being written.
#[derive(Clone)]
pub(super) struct Recording(Arc<Mutex<State>>);

struct State {
    sink: Sink,
    records: u64,
    error: Option<io::Error>,
}

impl Recording {
    pub(super) fn begin(sink: Sink, scenario: &str) -> Self {
        let mut state = State { sink, records: 0, error: None };
        state.line(&json!({ "format": FORMAT, "scenario": scenario }));
        Self(Arc::new(Mutex::new(state)))
    }

    /// What the twin shows its records to.
    pub(super) fn recorder(&self) -> twin::Recorder {
        let recording = self.clone();
        Box::new(move |time: SimTime, record: &Record| {
            let (node, kind, data) = event_of(record);
            let t_ms = reports::Millis::from_nanos(time.as_nanos());
            recording.with(|state| {
                state.records += 1;
                state.line(&json!({ "t_ms": t_ms, "node": node, "kind": kind, "data": data }));
            });
        })
    }

    /// Writes the end mark.
    ///
    /// # Errors
    /// The first error of any write: the recording is not whole.
    pub(super) fn end(&self) -> io::Result<()> {
        self.with(|state| {
            let end = json!({ "end": state.records });
            state.line(&end);
            match state.error.take() {
                Some(error) => Err(error),
                None => state.sink.flush(),
            }
        })
    }

    fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        // A poisoned lock means that writing panicked before; the state is still what was written.
        what(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn line(&mut self, line: &Value) {
        if self.error.is_none()
            && let Err(error) = writeln!(self.sink, "{line}")
        {
            self.error = Some(error);
        }
    }
}

/// Why a recording cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The first line does not name the format.
    #[error("line 1 does not name the format {FORMAT}: this is no recording, or one of another version")]
    Format,
    /// A line is no JSON.
    #[error("line {0} is damaged")]
    Damaged(usize),
    /// The end mark is missing or counts other records.
    #[error("the recording is incomplete: {found} records, the end mark says {said:?}")]
    Incomplete {
        /// Records that are there.
        found: u64,
        /// What the end mark says, if there is one.
        said: Option<u64>,
    },
}

/// The records of a recording, in order.
///
/// # Errors
/// [`ReadError`] if it is no recording, damaged, or cut off.
pub fn read(text: &str) -> Result<Vec<Value>, ReadError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| serde_json::from_str::<Value>(line).map_err(|_| ReadError::Damaged(index + 1)));
    let first = lines.next().ok_or(ReadError::Format)?.map_err(|_| ReadError::Format)?;
    if first.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(ReadError::Format);
    }
    let mut records = lines.collect::<Result<Vec<Value>, _>>()?;
    let said = records.last().and_then(|last| last.get("end")).and_then(Value::as_u64);
    if said.is_some() {
        records.pop();
    }
    let found = records.len() as u64;
    if said == Some(found) { Ok(records) } else { Err(ReadError::Incomplete { found, said }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "{\"format\":\"cooltwin.recording/1\"}\n{\"t_ms\":1}\n{\"t_ms\":2}\n{\"end\":2}\n";

    #[test]
    fn a_whole_recording_is_read_and_a_cut_one_is_noticed() {
        assert_eq!(read(WHOLE).unwrap().len(), 2);
        let cut = &WHOLE[..WHOLE.len() - "{\"end\":2}\n".len()];
        assert_eq!(read(cut), Err(ReadError::Incomplete { found: 2, said: None }));
        assert_eq!(read(&WHOLE.replace("{\"t_ms\":2}\n", "")), Err(ReadError::Incomplete { found: 1, said: Some(2) }));
        assert_eq!(read(&WHOLE[..40]), Err(ReadError::Damaged(2)));
        assert_eq!(read("{}\n"), Err(ReadError::Format));
        assert_eq!(read(""), Err(ReadError::Format));
    }
}
