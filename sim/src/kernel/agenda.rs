//! What will happen: events by time, phase and order of scheduling.
//!
//! The three make one number, so that the order of events is total and the same in every run.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

use super::time::{SimTime, Span};

/// Something to schedule.
pub trait Event: Copy + Send + Sync + 'static {
    /// How many kinds there are; kinds are numbered from 0.
    const KINDS: usize;

    /// The kind, which selects the handler.
    fn kind(&self) -> usize;

    /// Orders events of one instant, lowest first; at most 15.
    fn phase(&self) -> u8;
}

/// A scheduled event; the key is time (64 bits), phase (4 bits) and sequence number (60 bits).
#[derive(Clone, Copy)]
struct Entry<E> {
    key: u128,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    /// Reversed, because the standard heap gives its greatest entry first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

/// The events still to come.
#[derive(Clone)]
pub struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    /// Whether the first entry was taken already. It keeps its place until the next event is scheduled or taken: most
    /// handlers schedule one event, and to replace the first entry costs less than to remove it and to add another.
    taken: bool,
    now: SimTime,
    scheduled: u64,
}

impl<E: Event> Default for Agenda<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), taken: false, now: SimTime::ZERO, scheduled: 0 }
    }
}

impl<E: Event> Agenda<E> {
    /// The present instant.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Schedules `event` at `time`, or now if that has passed. [`SimTime::NEVER`] schedules nothing.
    pub fn at(&mut self, time: SimTime, event: E) {
        if time == SimTime::NEVER {
            return;
        }
        let time = time.max(self.now);
        debug_assert!(event.phase() <= 0xF, "a phase has 4 bits");
        let phase = u128::from(event.phase() & 0xF);
        let key = u128::from(time.as_nanos()) << 64 | phase << 60 | u128::from(self.scheduled);
        self.scheduled += 1;
        let entry = Entry { key, event };
        if std::mem::take(&mut self.taken)
            && let Some(mut first) = self.heap.peek_mut()
        {
            *first = entry;
        } else {
            self.heap.push(entry);
        }
    }

    /// Schedules `event` a while from now.
    pub fn after(&mut self, span: Span, event: E) {
        self.at(self.now + span, event);
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_time(&mut self) -> Option<SimTime> {
        self.remove_taken();
        self.heap.peek().map(|entry| time_of(entry.key))
    }

    /// Takes the next event and moves the clock to it.
    pub fn pop(&mut self) -> Option<E> {
        self.remove_taken();
        let entry = self.heap.peek()?;
        self.now = time_of(entry.key);
        self.taken = true;
        Some(entry.event)
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len() - usize::from(self.taken)
    }

    /// Whether nothing is left to happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hashes what will happen, and when: events in their order. How many were scheduled before is no part of it.
    pub(super) fn hash_to_come<H: Hasher>(&self, to: &mut H)
    where
        E: Hash,
    {
        let mut entries: Vec<&Entry<E>> = self.heap.iter().collect();
        entries.sort_by_key(|entry| entry.key);
        let to_come = &entries[usize::from(self.taken).min(entries.len())..];
        to_come.len().hash(to);
        for entry in to_come {
            (time_of(entry.key), entry.event).hash(to);
        }
    }

    fn remove_taken(&mut self) {
        if self.taken {
            self.heap.pop();
            self.taken = false;
        }
    }
}

fn time_of(key: u128) -> SimTime {
    SimTime::from_nanos((key >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Tick(u8, u32);

    impl Event for Tick {
        const KINDS: usize = 1;
        fn kind(&self) -> usize {
            0
        }
        fn phase(&self) -> u8 {
            self.0
        }
    }

    #[test]
    fn events_come_by_time_then_phase_then_order_of_scheduling() {
        let mut agenda = Agenda::default();
        let t = SimTime::from_nanos;
        agenda.at(t(20), Tick(0, 1));
        agenda.at(t(10), Tick(2, 2));
        agenda.at(t(10), Tick(1, 3));
        agenda.at(t(10), Tick(1, 4));
        agenda.at(SimTime::NEVER, Tick(0, 5));
        let order: Vec<u32> = std::iter::from_fn(|| agenda.pop()).map(|tick| tick.1).collect();
        assert_eq!(order, [3, 4, 2, 1]);
        assert_eq!(agenda.now(), t(20));
    }

    #[test]
    fn the_past_becomes_now() {
        let mut agenda = Agenda::default();
        agenda.at(SimTime::from_nanos(50), Tick(0, 1));
        agenda.pop();
        agenda.at(SimTime::from_nanos(10), Tick(0, 2));
        assert_eq!(agenda.next_time(), Some(SimTime::from_nanos(50)));
    }
}
