//! The state transitions of a run in order, kept in chunks that snapshots share.

use std::sync::Arc;

use crate::kernel::SimTime;
use crate::record::Record;

const CHUNK: usize = 1_024;

/// Records worth a line in events.jsonl: everything but single frames and flash operations.
#[derive(Clone, Default)]
pub struct Journal {
    sealed: Vec<Arc<Vec<(SimTime, Record)>>>,
    open: Vec<(SimTime, Record)>,
}

impl Journal {
    /// Adds a record.
    pub fn push(&mut self, time: SimTime, record: Record) {
        self.open.push((time, record));
        if self.open.len() == CHUNK {
            self.sealed.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = &(SimTime, Record)> {
        self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(&self.open)
    }
}
