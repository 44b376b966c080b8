//! The state transitions of a run in order, kept in chunks that snapshots share.

use std::sync::Arc;

use embedded_can::Id;

use crate::bus::BusRecord;
use crate::kernel::SimTime;
use crate::node::NodeId;
use crate::record::Record;
use crate::scenario::GivenNames;

const CHUNK: usize = 1_024;
/// Error frames of one sender in a row that get a line each; further ones are counted on a line of their own.
const ERRORS_IN_A_ROW: u64 = 40;

/// A record, and how many like it came in its place: 1 unless errors repeat for long.
pub type Entry = (SimTime, Record, u64);

/// Records worth a line in events.jsonl: everything but single frames and flash operations.
#[derive(Clone, Default)]
pub struct Journal {
    names: Arc<GivenNames>,
    sealed: Vec<Arc<Vec<Entry>>>,
    open: Vec<Entry>,
    /// Sender and id of the last error frame, and how many like it came in a row.
    errors: Option<(Option<NodeId>, Option<Id>, u64)>,
    /// An error frame that stands for those that got no line of their own.
    held: Option<Entry>,
}

impl Journal {
    /// An empty journal of a run in which nodes and faults have these names.
    #[must_use]
    pub fn new(names: GivenNames) -> Self {
        Self { names: Arc::new(names), ..Self::default() }
    }

    /// Nodes and faults have these names from the beginning on.
    pub fn rename(&mut self, names: GivenNames) {
        self.names = Arc::new(names);
    }

    /// The names of nodes and faults.
    #[must_use]
    pub fn names(&self) -> &GivenNames {
        &self.names
    }

    /// Adds a record. A node that nobody hears repeats its frame for hours: its errors are written singly for a while
    /// and then counted, until anything else but an error counter changes.
    pub fn push(&mut self, time: SimTime, record: Record) {
        if let Record::Bus(BusRecord::Error { sender, id, .. }) = record {
            let row = match self.errors {
                Some((last, on_line, row)) if last == sender && on_line == id => row + 1,
                _ => 1,
            };
            self.errors = Some((sender, id, row));
            if row > ERRORS_IN_A_ROW {
                let count = self.held.take().map_or(1, |(.., count)| count + 1);
                self.held = Some((time, record, count));
                return;
            }
        }
        if let Some(held) = self.held.take() {
            self.add(held);
        }
        self.add((time, record, 1));
    }

    fn add(&mut self, entry: Entry) {
        self.open.push(entry);
        if self.open.len() == CHUNK {
            self.sealed.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(&self.open).chain(&self.held)
    }
}
