//! What a CPU must believe of radio and CAN, told from what came to its ports.
//!
//! A witness of the logic needs the memories and entries that the logic sees. They are told here from the packets and frames that a
//! CPU was handed, by the rules of `SAFETY.md`, sections 9 and 10, with sums of this file's own. Where the rules leave a CPU a
//! choice of some ticks (how late a packet may be, when a time-out is over) and the choice makes a difference, that is a *doubt*: from
//! then on nothing is claimed.

use std::sync::Arc;

use safety_common::NODES_MOST;
use safety_common::configuration::{BlockKind, NO_CAN};
use safety_common::io::{CanReceived, Channel, Forward};
use safety_common::radio::{self, TRUST_PACKETS};
use safety_common::simplecan::{
    self, ENTRIES, ENTRY_ERRORS_MOST, ENTRY_ID, NODE_HASH_TAG, SEQUENCE_ALLOWANCE, SEQUENCE_MEMORY_TICKS,
    SEQUENCE_TICKS,
};

use crate::safety::binary::{Network, Section};
use crate::safety::chaskey;
use crate::safety::reference::Seen;

/// Packets and frames that a CPU takes in a step; of more each may choose.
const RADIO_MOST: usize = 8;
const CAN_MOST: usize = 16;
const FORWARDS_MOST: usize = 32;
/// Two rules for how late a packet is may differ by this, in us, and by a sixteenth of it.
const MARGIN_US: u64 = 3_000;
/// Clocks of two units drift by 0.2 %.
const DRIFT: u64 = 500;
/// The sum over a radio packet, with its table.
const PACKET_CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_24_FLEXRAY_A);

/// What a unit and its peers in the network have in common, and which of them it is.
#[derive(Clone, Debug)]
pub struct Common {
    /// The network as configured.
    pub network: Network,
    /// Place of this unit among its nodes.
    pub own: usize,
    /// Hash of the configuration.
    pub hash: u32,
    /// Hash of the release.
    pub release_hash: u32,
}

impl Common {
    /// What this unit runs.
    #[must_use]
    pub fn section(&self) -> &Section {
        &self.network.nodes[self.own].section
    }

    const fn key(&self) -> [u32; 4] {
        [self.hash, self.release_hash, self.network.id, radio::KEY_WORD]
    }

    /// The serial numbers of all nodes, and what comes behind them.
    fn message(&self, rest: &[u8]) -> Vec<u8> {
        let serial = |place: usize| self.network.nodes.get(place).map_or(0, |node| node.serial);
        let mut bytes: Vec<u8> = (0..NODES_MOST).flat_map(|place| serial(place).to_le_bytes()).collect();
        bytes.extend_from_slice(rest);
        bytes
    }

    /// The start value of the CRC of each entry that somebody sends.
    fn seeds(&self) -> [Option<u32>; ENTRIES] {
        std::array::from_fn(|entry| {
            let sends = |node: &&crate::safety::binary::Node| node.can_entries >> entry & 1 == 1;
            let node = self.network.nodes.iter().find(sends).filter(|node| node.can_node != NO_CAN)?;
            let mut rest = [0; 16];
            (rest[0], rest[1]) = (NODE_HASH_TAG, node.can_node);
            Some(chaskey::tag(self.key(), &self.message(&rest))[0])
        })
    }
}

/// What came to the ports of a CPU in a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Came<'a> {
    /// Packets from the air; of CPU1.
    pub radio: &'a [safety_common::io::Bytes],
    /// Frames from the bus; of CPU1.
    pub can: &'a [CanReceived],
    /// What the other CPU passed on.
    pub forward: &'a [Forward],
}

/// Another node on the air.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    counter: Option<u64>,
    /// Tick of the last packet that counts, and how late that one was in us.
    heard: u64,
    late: u64,
    trust: u8,
}

/// An entry of another node.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    sequence: Option<u8>,
    heard: u64,
    is_live: bool,
    errors: u8,
}

/// Radio and CAN as one CPU must see them.
#[derive(Clone, Debug)]
pub struct Networks {
    common: Arc<Common>,
    seeds: [Option<u32>; ENTRIES],
    /// Nodes and entries that the diagram looks at.
    nodes: u16,
    entries: u16,
    tick: u64,
    senders: [Sender; NODES_MOST],
    heard: [Entry; ENTRIES],
    /// Memories and entries in `seen`; nothing else of it is used.
    pub seen: Seen,
    /// Whether they are others than a step ago.
    pub has_changed: bool,
}

/// Why nothing is claimed any more.
pub type Doubt = &'static str;

impl Networks {
    /// What the diagram looks at; `None` if that is nothing.
    #[must_use]
    pub fn new(common: &Arc<Common>, section: &Section) -> Option<Self> {
        let of = |kind: BlockKind| {
            let blocks = section.blocks.iter().filter(move |block| block.kind == kind);
            blocks.fold(0u16, |bits, block| bits | 1 << block.index.min(15))
        };
        let (nodes, entries) = (of(BlockKind::MemoryReceive), of(BlockKind::CanReceive));
        (nodes | entries != 0).then(|| Self {
            common: common.clone(),
            seeds: common.seeds(),
            nodes,
            entries,
            tick: 0,
            senders: [Sender::default(); NODES_MOST],
            heard: [Entry::default(); ENTRIES],
            seen: Seen::default(),
            has_changed: false,
        })
    }

    /// A step begins with what came.
    ///
    /// # Errors
    /// A doubt.
    pub fn step(&mut self, came: &Came<'_>) -> Result<(), Doubt> {
        self.tick += 1;
        self.has_changed = false;
        let passed = |channel| came.forward.iter().filter(move |one| one.channel == channel).map(|one| &one.bytes[..]);
        let air = || came.radio.iter().map(|bytes| &bytes[..]).chain(passed(Channel::Radio));
        if air().count() > RADIO_MOST || came.can.len() > CAN_MOST || came.forward.len() > FORWARDS_MOST {
            return Err("more came in a tick than a CPU takes");
        }
        if self.nodes != 0 {
            air().try_for_each(|bytes| self.hear_packet(bytes))?;
            self.grow_old()?;
        }
        if self.entries != 0 {
            for one in came.can.iter().filter(|one| one.frame.len == 8) {
                self.hear_frame(one.frame.id, &one.frame.data)?;
            }
            for bytes in passed(Channel::Can) {
                if let Some((id, data)) = bytes.split_first_chunk() {
                    self.hear_frame(u16::from_le_bytes(*id), data)?;
                }
            }
            self.age();
        }
        Ok(())
    }

    fn hear_packet(&mut self, bytes: &[u8]) -> Result<(), Doubt> {
        let Some((number, counter, memories)) = self.read_packet(bytes) else { return Ok(()) };
        if self.nodes >> number & 1 == 0 {
            return Ok(());
        }
        let (timeout, period) = (self.timeout_us(), u64::from(self.common.network.radio_period_ms) * 1_000);
        let tick = self.tick;
        let sender = &mut self.senders[number];
        if sender.counter.is_some_and(|last| counter <= last) {
            return Ok(());
        }
        if sender.trust > 0 && is_near(sender.age_us(tick), timeout, sender.late) {
            return Err("a radio packet came as the time-out ended");
        }
        let run = |counter: u64| counter >> radio::COUNTER_PACKET_BITS;
        match sender.counter.filter(|last| run(*last) == run(counter)) {
            Some(last) => {
                let took = (tick - sender.heard) * 1_000;
                let due = (counter - last) * period + took / DRIFT;
                let late = (sender.late + took).saturating_sub(due);
                if is_near(late, timeout, late) {
                    return Err("a radio packet was as late as the time-out");
                }
                if late > timeout {
                    return Ok(());
                }
                sender.late = late;
            }
            None => (sender.late, sender.trust) = (0, 0),
        }
        (sender.counter, sender.heard, sender.trust) = (Some(counter), tick, sender.trust.saturating_add(1));
        if sender.trust > TRUST_PACKETS && self.seen.memories[number] != memories {
            self.seen.memories[number] = memories;
            self.has_changed = true;
        }
        Ok(())
    }

    /// Sender, counter and memories of a packet whose sums are right and whose sender may send it.
    fn read_packet(&self, bytes: &[u8]) -> Option<(usize, u64, [u16; 16])> {
        let (body, sums) = bytes.split_at_checked(bytes.len().checked_sub(7)?)?;
        let (hash, crc) = sums.split_first_chunk()?;
        let covered = &bytes[..bytes.len() - 3];
        let sum = PACKET_CRC.checksum(covered).to_be_bytes();
        let (&[format, number, words], rest) = body.split_first_chunk()?;
        let (counter, memories) = rest.split_first_chunk()?;
        let node = self.common.network.nodes.get(usize::from(number))?;
        let is_other = node.radio && usize::from(number) != self.common.own;
        let fits = node.memories == 16 * u16::from(words) && memories.len() == 2 * usize::from(words);
        if format != radio::FORMAT || sum[1..] != *crc || !is_other || !fits {
            return None;
        }
        let safety = [&[number, words, 0, 0], &counter[..], &[0; 4], memories].concat();
        let [tag, ..] = chaskey::tag(self.common.key(), &self.common.message(&safety));
        let mut all = [0; 16];
        let two = memories.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        all.iter_mut().zip(two).for_each(|(to, from)| *to = from);
        (tag == u32::from_le_bytes(*hash)).then(|| (usize::from(number), u64::from_le_bytes(*counter), all))
    }

    fn timeout_us(&self) -> u64 {
        u64::from(self.common.network.radio_timeout_ms) * 1_000
    }

    /// Memories of nodes that have been silent for the time-out are 0.
    fn grow_old(&mut self) -> Result<(), Doubt> {
        let timeout = self.timeout_us();
        for node in places(self.nodes) {
            let (sender, memories) = (&mut self.senders[node], &self.seen.memories[node]);
            if sender.trust == 0 {
                continue;
            }
            let age = sender.age_us(self.tick);
            let is_near = is_near(age, timeout, sender.late);
            if is_near && *memories != [0; 16] {
                return Err("a radio time-out ended");
            }
            if age > timeout && !is_near {
                sender.trust = 0;
            }
        }
        Ok(())
    }

    fn hear_frame(&mut self, id: u16, data: &[u8]) -> Result<(), Doubt> {
        let Some(number) = id.checked_sub(ENTRY_ID).map(usize::from).filter(|one| *one < ENTRIES) else {
            return Ok(());
        };
        let (true, Some(seed), Ok(frame)) = (self.entries >> number & 1 == 1, self.seeds[number], data.try_into())
        else {
            return Ok(());
        };
        let [low, high, sequence, place, sum @ ..]: [u8; 8] = frame;
        let sound = usize::from(place) == number && crc32(seed, &frame[..4]) == u32::from_le_bytes(sum);
        let age = u64::from(self.common.network.can_age_ms);
        let tick = self.tick;
        let entry = &mut self.heard[number];
        if !sound {
            entry.errors = entry.errors.saturating_add(1);
            return if entry.errors < ENTRY_ERRORS_MOST { Ok(()) } else { Err("too many CAN frames were damaged") };
        }
        let silence = tick - entry.heard;
        if entry.sequence.is_some() && (silence == age + 1 || silence == u64::from(SEQUENCE_MEMORY_TICKS) + 1) {
            return Err("a CAN frame came as the age of its entry ended");
        }
        let most = (silence / u64::from(SEQUENCE_TICKS) + u64::from(SEQUENCE_ALLOWANCE)).min(127);
        match entry.sequence {
            Some(last) if !(1..=most).contains(&u64::from(sequence.wrapping_sub(last))) => return Ok(()),
            Some(_) if entry.is_live => {
                let value = u16::from_le_bytes([low, high]);
                self.has_changed |= self.seen.can[number] != value;
                self.seen.can[number] = value;
            }
            _ => {}
        }
        (entry.sequence, entry.heard, entry.is_live) = (Some(sequence), tick, true);
        Ok(())
    }

    /// Entries past the maximum age are 0.
    fn age(&mut self) {
        let age = u64::from(self.common.network.can_age_ms);
        for number in places(self.entries) {
            let (entry, value) = (&mut self.heard[number], &mut self.seen.can[number]);
            let silence = self.tick - entry.heard;
            if silence > age {
                entry.is_live = false;
                self.has_changed |= *value != 0;
                *value = 0;
            }
            if silence > u64::from(SEQUENCE_MEMORY_TICKS) {
                entry.sequence = None;
            }
        }
    }
}

impl Sender {
    const fn age_us(&self, tick: u64) -> u64 {
        (tick - self.heard) * 1_000 + self.late
    }
}

/// The places of the bits that are set.
pub(super) fn places(mut bits: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        bits &= bits.checked_sub(1)?;
        Some(place)
    })
}

/// Whether two rules may differ about `age_us` being beyond `limit_us`.
const fn is_near(age_us: u64, limit_us: u64, late_us: u64) -> bool {
    age_us.abs_diff(limit_us) <= MARGIN_US + late_us / 16
}

/// The CRC of a CAN entry, bit by bit.
fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |sum, byte| {
        let shift = |sum: u32, _| if sum >> 31 == 1 { sum << 1 ^ simplecan::CRC_POLYNOMIAL } else { sum << 1 };
        (0..8).fold(sum ^ u32::from(*byte) << 24, shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check value of CRC-32/MPEG-2 over "123456789": 0x0376E6E7.
    #[test]
    fn the_sum_of_an_entry_is_that_of_its_polynomial() {
        assert_eq!(crc32(u32::MAX, b"123456789"), 0x0376_E6E7);
    }

    #[test]
    fn a_limit_is_near_within_the_margin() {
        assert!(is_near(100_000, 103_000, 0) && is_near(103_000, 100_000, 0));
        assert!(!is_near(100_000, 103_001, 0) && is_near(100_000, 103_001, 16));
    }
}
