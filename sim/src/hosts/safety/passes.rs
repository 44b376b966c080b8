//! Passes over the memories: which part was tested or read when.

use std::sync::Arc;

use safety_common::flash_map;

use crate::kernel::{SimTime, Span};

/// A pass of a memory takes less than this (SSR-002, SSR-005).
pub const PASS_MOST: Span = Span::from_secs(60);

/// The greatest of what was measured, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// How many there were.
    pub n: u64,
    /// The smallest in ns.
    pub least: u64,
    /// The greatest in ns.
    pub most: u64,
    /// When the greatest was complete.
    pub at: SimTime,
}

impl Worst {
    pub(super) fn add(&mut self, ns: u64, at: SimTime) {
        self.least = if self.n == 0 { ns } else { self.least.min(ns) };
        if self.n == 0 || ns > self.most {
            self.most = ns;
            self.at = at;
        }
        self.n += 1;
    }
}

/// When each part of a memory was tested last, in ms since the run began plus one; 0 is never.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    last: Arc<Vec<u32>>,
    worst_ms: u32,
    at: SimTime,
    n: u64,
}

impl Rounds {
    pub(super) fn new(parts: u32) -> Self {
        Self { last: Arc::new(vec![0; parts as usize]), worst_ms: 0, at: SimTime::ZERO, n: 0 }
    }

    pub(super) fn test(&mut self, parts: std::ops::Range<u32>, now: SimTime) {
        let ms = u32::try_from(now.as_nanos() / 1_000_000).unwrap_or(u32::MAX - 1) + 1;
        let last = Arc::make_mut(&mut self.last);
        for part in parts {
            let Some(last) = last.get_mut(part as usize) else { continue };
            if *last > 0 {
                let gap = ms.saturating_sub(*last);
                self.n += u64::from(gap > 1);
                if gap > self.worst_ms {
                    (self.worst_ms, self.at) = (gap, now);
                }
            }
            *last = ms;
        }
    }

    /// The greatest gap, open ones included: a part that was never tested has one since the tests began.
    pub(super) fn worst(&self, began: SimTime, end: SimTime) -> Worst {
        let ms = |time: SimTime| u32::try_from(time.as_nanos() / 1_000_000).unwrap_or(u32::MAX - 1) + 1;
        let since = |last: u32| ms(end).saturating_sub(last.max(ms(began)));
        let open = self.last.iter().map(|last| since(*last)).max().unwrap_or(0);
        // The grain of this count is a millisecond: a gap may be longer by one.
        let most = u64::from(self.worst_ms.max(open).saturating_add(1)) * 1_000_000;
        Worst { n: self.n, least: 0, most, at: if open > self.worst_ms { end } else { self.at } }
    }

    /// The tests end, and begin anew. A gap that is open then is shorter than the real one: it counts only where it breaks the limit.
    pub(super) fn restart(&mut self, began: SimTime, ended: SimTime) {
        let open = self.worst(began, ended);
        if open.most >= PASS_MOST.as_nanos() && open.at == ended {
            (self.worst_ms, self.at) = (u32::try_from(open.most / 1_000_000).unwrap_or(u32::MAX), ended);
        }
        Arc::make_mut(&mut self.last).iter_mut().for_each(|last| *last = 0);
    }
}

/// Bytes of each row of flash that were read since the row was read as a whole, a bit each. Slices need not end where rows do, and a
/// row of which a part is never read must not count.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    read: Arc<Vec<u32>>,
}

const _: () = assert!(flash_map::ROW == u32::BITS as usize);

impl Rows {
    pub(super) fn new() -> Self {
        Self { read: Arc::new(vec![0; flash_map::LEN as usize / flash_map::ROW]) }
    }

    /// Bytes were read; `whole` is told each row that is complete with them.
    pub(super) fn read(&mut self, from: u32, to: u32, mut whole: impl FnMut(u32)) {
        let bits = u32::BITS;
        let rows = Arc::make_mut(&mut self.read);
        for row in from / bits..to.div_ceil(bits) {
            let Some(read) = rows.get_mut(row as usize) else { return };
            let first = from.saturating_sub(row * bits);
            let behind = (to - row * bits).min(bits);
            *read |= u32::MAX << first & u32::MAX >> (bits - behind);
            if *read == u32::MAX {
                *read = 0;
                whole(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SSR-005: a row counts when its last byte was read; what nobody read keeps it open for ever.
    #[test]
    fn a_row_of_flash_counts_when_all_its_bytes_were_read() {
        let mut rows = Rows::new();
        let mut read = |from, to| {
            let mut whole = Vec::new();
            rows.read(from, to, |row| whole.push(row));
            whole
        };
        assert_eq!(read(0, 32), [0]);
        assert_eq!(read(32, 96), [1, 2]);
        assert_eq!((read(96, 100), read(100, 128)), (vec![], vec![3]), "two slices in a row");
        // A pass that leaves bytes 4 and 5 out, and the next one, too.
        for _ in 0..2 {
            assert_eq!((read(128, 132), read(134, 192)), (vec![], vec![5]));
        }
        assert_eq!(read(132, 134), [4]);
        assert_eq!(read(flash_map::LEN - 16, flash_map::LEN + 64), [] as [u32; 0]);
    }
}
