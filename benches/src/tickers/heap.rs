//! The floor: a bare loop over a binary heap, with the states in a vector.
//!
//! With `RECORDS` it hashes at each event what the kernel's trace would, as a whole and for the one domain.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cooltwin::kernel::Fingerprint;
use xxhash_rust::xxh3::Xxh3;

use super::{Job, Outcome, TICKERS, Ticker};

/// Time, sequence number and ticker, the least a total order needs.
type Entry = Reverse<(u64, u64, usize)>;

/// The job on a bare heap.
pub struct Heap<const RECORDS: bool> {
    tickers: Vec<Ticker>,
    queue: BinaryHeap<Entry>,
    scheduled: u64,
    all: Xxh3,
    domain: Xxh3,
}

impl<const RECORDS: bool> Heap<RECORDS> {
    /// Lays a record out as the kernel does: time, length in bytes and domain, kind, state, ticks left.
    fn record(&mut self, now: u64, ticker: Ticker) {
        let mut bytes = [0; 40];
        let words = [now, 40 << 32, 0, ticker.state, u64::from(ticker.left)];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.all.update(&bytes);
        self.domain.update(&bytes);
    }
}

impl<const RECORDS: bool> Job for Heap<RECORDS> {
    fn build() -> Self {
        let queue = (0..TICKERS).map(|number| Reverse((Ticker::first_ns(number), number as u64, number))).collect();
        let tickers = (0..TICKERS).map(Ticker::new).collect();
        Self { tickers, queue, scheduled: TICKERS as u64, all: Xxh3::new(), domain: Xxh3::new() }
    }

    fn run(&mut self) -> Outcome {
        while let Some(Reverse((now, _, number))) = self.queue.pop() {
            let delay = self.tickers[number].tick(now);
            if RECORDS {
                self.record(now, self.tickers[number]);
            }
            if let Some(delay) = delay {
                self.queue.push(Reverse((now + delay, self.scheduled, number)));
                self.scheduled += 1;
            }
        }
        assert_eq!(self.all.digest128(), self.domain.digest128(), "there is one domain");
        let fingerprint = RECORDS.then(|| Fingerprint(self.all.digest128()));
        Outcome { tickers: self.tickers.clone(), fingerprint }
    }
}
