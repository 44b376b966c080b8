//! The floor: a bare loop over a binary heap, with the states in a vector.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Job, TICKERS, Ticker};

/// Time, sequence number and ticker, the least a total order needs.
type Entry = Reverse<(u64, u64, usize)>;

/// The job on a bare heap.
pub struct Heap {
    tickers: Vec<Ticker>,
    queue: BinaryHeap<Entry>,
    scheduled: u64,
}

impl Job for Heap {
    fn build() -> Self {
        let queue = (0..TICKERS).map(|number| Reverse((Ticker::first_ns(number), number as u64, number))).collect();
        Self { tickers: (0..TICKERS).map(Ticker::new).collect(), queue, scheduled: TICKERS as u64 }
    }

    fn run(&mut self) -> Vec<Ticker> {
        while let Some(Reverse((now, _, number))) = self.queue.pop() {
            if let Some(delay) = self.tickers[number].tick(now) {
                self.queue.push(Reverse((now + delay, self.scheduled, number)));
                self.scheduled += 1;
            }
        }
        self.tickers.clone()
    }
}
