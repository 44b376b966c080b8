//! SimpleCAN: the frame CPU2 wants sent, and its own check of received ones.
//!
//! SSR-080.
//!
//! CPU1 has the controller, the slots and the master; this CPU has the second opinion. Diverse: the CRC of a frame is
//! computed forward over data, sequence and entry as one word, seeded by the node hash of the entry's owner, which
//! start-up puts into a table by entry.

use safety_common::io::Bytes;
use safety_common::simplecan::{
    ENTRIES, ENTRIES_USABLE, ENTRY_ERROR_DRAIN_TICKS, ENTRY_ERRORS_MOST, ENTRY_ID, NODE_HASH_TAG, SEQUENCE_ALLOWANCE,
    SEQUENCE_MEMORY_TICKS, SEQUENCE_TICKS, at,
};
use units::{Duration, Instant};

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::chaskey::Chaskey;
use crate::crc;
use crate::radio::network_hash;
use crate::settings::Network;

const FRAME_LEN: usize = 8;
const ID_LEN: usize = 2;
/// A sequence is remembered for so long.
const MEMORY: Duration = Duration::from_millis(SEQUENCE_MEMORY_TICKS as u64);
/// A sequence further ahead than this is behind.
const AHEAD_MOST: u64 = 127;

/// Who sends an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    #[default]
    Nobody,
    /// This unit, with its node hash.
    Own(u32),
    /// Another node, with its node hash.
    Other(u32),
}

/// Whether a stream of frames has begun, or begun anew after a silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Run {
    #[default]
    Silent,
    Heard,
}

/// An entry of the dictionary.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    owner: Owner,
    /// Of the last frame accepted.
    sequence: u8,
    /// When the last frame was accepted; forgotten only when every late copy of what came before it has come, too.
    at: Option<Instant>,
    /// Whether there was a frame since the last silence.
    run: Run,
    /// Frames with a CRC that did not fit, less those that are forgotten.
    errors: u8,
}

/// A frame of an entry that somebody owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    entry: usize,
    data: u16,
    sequence: u8,
    /// The CRC fits.
    good: bool,
}

/// A good frame with an own entry came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Masquerade(pub(crate) u32);

/// The dictionary of one unit.
#[derive(Clone, Debug)]
pub(crate) struct SimpleCan {
    entries: [Entry; ENTRIES],
    values: [u16; ENTRIES],
    age: Duration,
    /// The own entry of the next step.
    turn: usize,
    /// The sequence of all own entries, and how many steps it has served.
    sequence: u8,
    served: u32,
    /// Ticks since the last error was forgotten.
    drain: u32,
}

/// Whether a sequence is ahead, and not further than the time since the last one allows.
fn is_ahead(sequence: u8, last: u8, elapsed: Duration) -> bool {
    let in_time = (elapsed.as_millis() / u64::from(SEQUENCE_TICKS)).saturating_add(u64::from(SEQUENCE_ALLOWANCE));
    (1..=AHEAD_MOST.min(in_time)).contains(&u64::from(sequence.wrapping_sub(last)))
}

/// The start value of the CRC of a node's frames.
fn node_hash(mut hash: Chaskey, can_index: u8) -> u32 {
    let mut block = [0; 16];
    let [tag, index, ..] = &mut block;
    (*tag, *index) = (NODE_HASH_TAG, can_index);
    hash.update(&block);
    hash.word()
}

impl SimpleCan {
    pub(crate) fn new(key: [u32; 4], network: &Network) -> Self {
        let base = network_hash(key, network);
        let mut entries = [Entry::default(); ENTRIES];
        for (number, entry) in entries.iter_mut().enumerate().take(ENTRIES_USABLE) {
            let owner = network.entry_owner(number);
            let hash = owner.and_then(|owner| network.nodes.get(owner)).map(|node| node_hash(base, node.can_index));
            entry.owner = match hash {
                None => Owner::Nobody,
                Some(hash) if owner == Some(network.own) => Owner::Own(hash),
                Some(hash) => Owner::Other(hash),
            };
        }
        Self { entries, values: [0; ENTRIES], age: network.can_age, turn: 0, sequence: 1, served: 0, drain: 0 }
    }

    /// The values of all entries as they hold now.
    pub(crate) const fn values(&self) -> &[u16; ENTRIES] {
        &self.values
    }

    /// A received frame: identifier and data as CPU1 passes them on.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Masquerade> {
        let Some(frame) = self.parse(bytes) else { return Ok(()) };
        let (Some(entry), Some(value)) = (self.entries.get_mut(frame.entry), self.values.get_mut(frame.entry)) else {
            return Ok(());
        };
        if !frame.good {
            // One above the limit is enough to be out, and one that is forgotten is enough to be back.
            entry.errors = entry.errors.saturating_add(1).min(ENTRY_ERRORS_MOST.saturating_add(1));
            return Ok(());
        }
        if let Owner::Own(_) = entry.owner {
            return Err(Masquerade(frame.entry as u32));
        }
        match (entry.at, entry.run) {
            (Some(at), _) if !is_ahead(frame.sequence, entry.sequence, now.since(at)) => return Ok(()),
            (_, Run::Heard) => *value = frame.data,
            // After the maximum age the first frame only sets the sequence.
            (_, Run::Silent) => entry.run = Run::Heard,
        }
        entry.sequence = frame.sequence;
        entry.at = Some(now);
        Ok(())
    }

    /// Before the logic: entries past the maximum age are 0, and those with too many bad frames. Every few hours one bad
    /// frame of each entry is forgotten, so that the rate of bad frames that could pass is bounded.
    pub(crate) fn age(&mut self, now: Instant) {
        self.drain = self.drain.saturating_add(1);
        let forget = self.drain >= ENTRY_ERROR_DRAIN_TICKS;
        if forget {
            self.drain = 0;
        }
        for (entry, value) in self.entries.iter_mut().zip(&mut self.values) {
            entry.errors = entry.errors.saturating_sub(u8::from(forget));
            let silence = entry.at.map(|at| now.since(at));
            let too_old = silence.is_none_or(|silence| silence > self.age);
            if too_old || entry.errors > ENTRY_ERRORS_MOST {
                entry.run = Run::Silent;
                *value = 0;
            }
            if silence.is_some_and(|silence| silence > MEMORY) {
                entry.at = None;
            }
        }
    }

    /// The frame of this step: own entries take turns, one a step. All frames of [`SEQUENCE_TICKS`] steps have one
    /// sequence; CPU1 sends the newest of them.
    pub(crate) fn send(&mut self, data: &[u16; ENTRIES]) -> Option<Bytes> {
        if self.served >= SEQUENCE_TICKS {
            (self.sequence, self.served) = (self.sequence.wrapping_add(1), 0);
        }
        self.served = self.served.saturating_add(1);
        let is_own = |entry: &Entry| matches!(entry.owner, Owner::Own(_));
        let behind = self.entries.iter().skip(self.turn).position(is_own).map(|place| place.saturating_add(self.turn));
        let number = behind.or_else(|| self.entries.iter().position(is_own))?;
        self.turn = number.saturating_add(1);
        let Owner::Own(hash) = self.entries.get(number)?.owner else { return None };
        let [low, high] = data.get(number)?.to_le_bytes();
        let safety = [low, high, self.sequence, number as u8];
        let id = ENTRY_ID.saturating_add(number as u16);
        let mut bytes = Bytes::new();
        bytes.extend_from_slice(&id.to_le_bytes()).ok()?;
        bytes.extend_from_slice(&safety).ok()?;
        bytes.extend_from_slice(&crc::can(hash, &safety).to_le_bytes()).ok()?;
        Some(bytes)
    }

    fn parse(&self, bytes: &[u8]) -> Option<Frame> {
        let (id, frame) = bytes.split_at_checked(ID_LEN)?;
        let entry = u16_at(id, 0)?.checked_sub(ENTRY_ID)?;
        if frame.len() != FRAME_LEN {
            return None;
        }
        let hash = match self.entries.get(usize::from(entry))?.owner {
            Owner::Nobody => return None,
            Owner::Own(hash) | Owner::Other(hash) => hash,
        };
        Some(Frame {
            entry: usize::from(entry),
            data: u16_at(frame, at::DATA)?,
            sequence: u8_at(frame, at::SEQUENCE)?,
            good: u16::from(u8_at(frame, at::ENTRY)?) == entry
                && crc::can(hash, frame.get(..at::CRC)?) == u32_at(frame, at::CRC)?,
        })
    }
}

#[cfg(test)]
mod tests;
