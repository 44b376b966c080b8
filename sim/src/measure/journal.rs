//! The state transitions of a run in order, kept in chunks that snapshots share.
//!
//! A bus that is dead, noisy or flooded repeats itself thousands of times a second. What repeats gets a line each for a
//! while; further ones are told together on one line, so that neither memory nor log grows with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bus::{BusRecord, LinkState};
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::record::Record;
use crate::scenario::GivenNames;

use super::stats::id_key;

const CHUNK: usize = 1_024;
/// Records of one kind in a row that get a line each.
const SINGLE_LINES: u64 = 40;
/// Two alike are in a row if no more time than this is between them: more than a recovery from bus-off takes, and less
/// than the period of a cyclic message.
const IN_A_ROW: Span = Span::from_millis(50);

/// A record, and for which ones it stands: itself alone unless they repeat for long.
pub type Entry = (SimTime, Record, Repeats);

/// How many records alike a line stands for; the line shows the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// How many, at least 1.
    pub count: u64,
    /// When the first of them came.
    pub first: SimTime,
}

/// What records of the bus have in common that are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alike {
    /// Error frames of one sender and id.
    Error(Option<NodeId>, Option<(u32, bool)>),
    /// Bits that one injection inverted.
    Hit(u32),
    /// The same state of one node, or its counters in whichever.
    Counters(NodeId, Option<LinkState>),
    /// Frames of one id that one node had no room for.
    Overrun(NodeId, (u32, bool)),
    /// Frames of one id that one injection took from one node.
    Lost(u32, NodeId, (u32, bool)),
}

impl Alike {
    fn of(record: &Record) -> Option<Self> {
        let Record::Bus(record) = record else { return None };
        match record {
            BusRecord::Error { sender, id, .. } => Some(Self::Error(*sender, id.map(id_key))),
            BusRecord::Hit { injection, .. } => Some(Self::Hit(*injection)),
            BusRecord::State { node, state, .. } => Some(Self::Counters(*node, Some(*state))),
            BusRecord::Counters { node, .. } => Some(Self::Counters(*node, None)),
            BusRecord::Overrun { node, id } => Some(Self::Overrun(*node, id_key(*id))),
            BusRecord::Lost { injection, node, id } => Some(Self::Lost(*injection, *node, id_key(*id))),
            BusRecord::Frame { .. } | BusRecord::Levels { .. } | BusRecord::Wiring { .. } => None,
        }
    }
}

/// Records worth a line in events.jsonl: everything but single frames and flash operations.
#[derive(Clone, Default)]
pub struct Journal {
    names: Arc<GivenNames>,
    sealed: Vec<Arc<Vec<Entry>>>,
    open: Vec<Entry>,
    /// How many records alike came in a row, and when the last did.
    rows: BTreeMap<Alike, (u64, SimTime)>,
    /// Lines that stand for records without one of their own, in the order of the last of each.
    held: Vec<(Alike, Entry)>,
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

    /// Adds a record. A node that nobody hears repeats its frame for hours: what repeats is written singly for a while
    /// and then counted, until anything comes that gets a line.
    pub fn push(&mut self, time: SimTime, record: Record) {
        let alike = Alike::of(&record);
        let entry = (time, record, Repeats { count: 1, first: time });
        match alike {
            Some(alike) if self.is_one_of_many(alike, time) => self.hold(alike, entry),
            _ => {
                std::mem::take(&mut self.held).into_iter().for_each(|(_, held)| self.add(held));
                self.add(entry);
            }
        }
    }

    fn is_one_of_many(&mut self, alike: Alike, time: SimTime) -> bool {
        let (row, last) = self.rows.entry(alike).or_insert((0, time));
        *row = if time.since(*last) <= IN_A_ROW { *row + 1 } else { 1 };
        *last = time;
        *row > SINGLE_LINES
    }

    fn hold(&mut self, alike: Alike, (time, record, mut repeats): Entry) {
        if let Some(before) = self.held.iter().position(|(held, _)| *held == alike) {
            let (_, (.., earlier)) = self.held.remove(before);
            repeats = Repeats { count: earlier.count + 1, ..earlier };
        }
        self.held.push((alike, (time, record, repeats)));
    }

    fn add(&mut self, entry: Entry) {
        self.open.push(entry);
        if self.open.len() == CHUNK {
            self.sealed.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        let held = self.held.iter().map(|(_, entry)| entry);
        self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(&self.open).chain(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::ErrorKind;

    fn us(us: u64) -> SimTime {
        SimTime::ZERO + Span::from_micros(us)
    }

    fn error(sender: u8) -> Record {
        let (sender, id) = (Some(NodeId::new(sender)), Some(protocol::ids::status(pump(sender)).into()));
        Record::Bus(BusRecord::Error { start: us(0), bit: 0, kind: ErrorKind::Bit, sender, id, seen: 0 })
    }

    fn pump(number: u8) -> protocol::ids::PumpNumber {
        protocol::ids::PumpNumber::new(number).expect("a pump")
    }

    fn counters(node: u8, tec: u16) -> Record {
        Record::Bus(BusRecord::Counters { node: NodeId::new(node), tec, rec: 0 })
    }

    fn state(node: u8, state: LinkState) -> Record {
        Record::Bus(BusRecord::State { node: NodeId::new(node), state, tec: 0, rec: 0 })
    }

    fn hit(bit: u32) -> Record {
        Record::Bus(BusRecord::Hit { injection: 0, start: us(0), bit, victims: u32::MAX })
    }

    fn lines(journal: &Journal) -> Vec<&Entry> {
        journal.iter().collect()
    }

    /// Two nodes that nobody hears, in turn through errors, bus-off and recovery, with every bit hit: `rounds` of 1 ms.
    fn dead_bus(rounds: u64) -> Journal {
        let mut journal = Journal::default();
        for round in 0..rounds {
            let all = [1, 2].into_iter().flat_map(|node| {
                [error(node), counters(node, 8), state(node, LinkState::BusOff), state(node, LinkState::Active), hit(0)]
            });
            all.enumerate().for_each(|(n, record)| journal.push(us(1_000 * round + n as u64), record));
        }
        journal
    }

    #[test]
    fn a_dead_bus_gets_no_more_lines_the_longer_it_is_dead_and_every_record_counts() {
        let (short, long) = (dead_bus(100), dead_bus(20_000));
        assert_eq!(lines(&long).len(), lines(&short).len());
        assert_eq!(lines(&long).iter().map(|(.., repeats)| repeats.count).sum::<u64>(), 200_000);
        assert!(lines(&long).is_sorted_by_key(|(time, ..)| *time), "in the order of time");
        let (time, record, repeats) =
            lines(&long).into_iter().rev().find(|(_, record, _)| *record == error(2)).expect("one");
        assert_eq!((*time, record, repeats.count), (us(19_999_005), &error(2), 20_000 - SINGLE_LINES));
        assert_eq!(repeats.first, us(1_000 * SINGLE_LINES + 5));
    }

    #[test]
    fn what_gets_a_line_comes_after_what_was_counted_before_it_and_counting_begins_anew() {
        let mut journal = dead_bus(100);
        let before = lines(&journal).len();
        let other = Record::Bus(BusRecord::Counters { node: NodeId::CIOC, tec: 8, rec: 0 });
        journal.push(us(100_000), other.clone());
        assert_eq!(lines(&journal)[before..].iter().map(|(_, record, _)| record).collect::<Vec<_>>(), [&other]);
        journal.push(us(101_000), error(1));
        journal.push(us(102_000), error(1));
        let last = lines(&journal)[before + 1..].to_vec();
        assert_eq!(last, [&(us(102_000), error(1), Repeats { count: 2, first: us(101_000) })]);
    }

    #[test]
    fn what_comes_now_and_then_gets_a_line_each() {
        let mut journal = Journal::default();
        for round in 0..1_000 {
            journal.push(us(100_000 * round), error(1));
        }
        assert_eq!(lines(&journal).len(), 1_000);
        assert!(lines(&journal).iter().all(|(time, _, repeats)| *repeats == Repeats { count: 1, first: *time }));
    }
}
