//! Radio: what CPU2 adds to a packet, and its own check of every received one.
//!
//! SSR-068 to SSR-079.
//!
//! This CPU makes header, memories, counter and hash; CPU1 adds the CRC-24 and sends. Nothing that CPU1 found out about a
//! received packet is used: length, CRC, hash, counter and age are judged here once more, by the arrival at this CPU.
//! Diverse: of each node the age of its packets is kept as one number, by how much the last one lagged behind the best,
//! carried from packet to packet.

use heapless::Vec;
use safety_common::radio::{COUNTER_PACKET_BITS, FORMAT, KEY_WORD, LEN_LEAST, TRUST_PACKETS, at};
use safety_common::{NODES_MOST, io::Bytes};
use units::{Duration, Instant};

use crate::bytes::{array_at, u8_at, u16_at, u32_at, u64_at};
use crate::chaskey::Chaskey;
use crate::crc;
use crate::logic::MEMORY_WORDS;
use crate::settings::Network;

const HASH_LEN: usize = 4;
const CRC_LEN: usize = 3;
/// Clocks of two units may drift apart by this share, in millionths: 0.2 % and a little, as for the two CPUs.
const DRIFT_PPM: u64 = 2_100;
const PACKET_MASK: u64 = (1 << COUNTER_PACKET_BITS) - 1;
const RESTART_MASK: u32 = 0xFF_FFFF;

/// The hash key of a network: what all its nodes must have in common.
pub(crate) fn network_key(configuration_hash: u32, release_hash: u32, network: &Network) -> [u32; 4] {
    [configuration_hash, release_hash, network.id, KEY_WORD]
}

/// A hash that has taken the serial numbers of the network, in the order of the table.
pub(crate) fn network_hash(key: [u32; 4], network: &Network) -> Chaskey {
    let mut hash = Chaskey::new(key);
    for place in 0..NODES_MOST {
        let serial = network.nodes.get(place).map_or(0, |node| node.serial);
        hash.update(&serial.to_le_bytes());
    }
    hash
}

/// The hash of one packet: sender, number of memories, counter, memories.
fn packet_hash(mut hash: Chaskey, sender: u8, words: u8, counter: u64, memories: &[u8]) -> u32 {
    hash.update(&[sender, words, 0, 0]);
    hash.update(&counter.to_le_bytes());
    hash.update(&[0; 4]);
    hash.update(memories);
    hash.word()
}

/// What is known of another node.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    counter: Option<u64>,
    /// When the last accepted packet came.
    at: Instant,
    /// By how many microseconds it lagged behind the best one.
    behind: u64,
    /// Packets in order since start or time-out.
    trust: u8,
}

/// The radio of one unit.
#[derive(Clone, Debug)]
pub(crate) struct Radio {
    hash: Chaskey,
    own: u8,
    /// 0 if this unit does not use the radio.
    period: u32,
    words: u8,
    counter: u64,
    timeout: Duration,
    senders: [Sender; NODES_MOST],
    memories: [[u16; MEMORY_WORDS]; NODES_MOST],
}

impl Radio {
    pub(crate) fn new(key: [u32; 4], network: &Network, restarts: u32) -> Self {
        let own = network.own_node();
        Self {
            hash: network_hash(key, network),
            own: network.own as u8,
            period: if own.radio { network.radio_period } else { 0 },
            words: (own.memories / 16) as u8,
            counter: u64::from(restarts & RESTART_MASK) << COUNTER_PACKET_BITS,
            timeout: network.radio_timeout,
            senders: [Sender::default(); NODES_MOST],
            memories: [[0; MEMORY_WORDS]; NODES_MOST],
        }
    }

    /// The memories of all nodes as they hold now.
    pub(crate) const fn memories(&self) -> &[[u16; MEMORY_WORDS]; NODES_MOST] {
        &self.memories
    }

    /// A received packet. What is not good leaves no trace.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8], network: &Network) {
        let Some(packet) = self.parse(bytes, network) else { return };
        let (Some(sender), Some(memories)) =
            (self.senders.get_mut(packet.sender), self.memories.get_mut(packet.sender))
        else {
            return;
        };
        if sender.accept(packet.counter, now, network.radio_period, self.timeout) {
            *memories = packet.memories;
        }
    }

    /// Before the logic: nodes that were silent for the time-out have no memories (SSR-076).
    pub(crate) fn age(&mut self, now: Instant) {
        for (sender, memories) in self.senders.iter_mut().zip(&mut self.memories) {
            // A packet that came late has used up a part of its time on the way.
            let age = now.since(sender.at).plus(Duration::from_micros(sender.behind));
            if sender.trust > 0 && age >= self.timeout {
                sender.trust = 0;
                *memories = [0; MEMORY_WORDS];
            }
        }
    }

    /// The packet of this step but for its CRC-24, if it is this unit's turn.
    pub(crate) fn send(&mut self, step: u32, memories: &[u16; MEMORY_WORDS]) -> Option<Bytes> {
        let turn = u32::from(self.own).checked_rem(self.period)?;
        if step.checked_rem(self.period)? != turn {
            return None;
        }
        self.counter = (self.counter & !PACKET_MASK) | (self.counter.wrapping_add(1) & PACKET_MASK);
        let mut body: Vec<u8, { 2 * MEMORY_WORDS }> = Vec::new();
        for word in memories.iter().take(usize::from(self.words)) {
            body.extend_from_slice(&word.to_le_bytes()).ok()?;
        }
        let hash = packet_hash(self.hash, self.own, self.words, self.counter, &body);
        let mut bytes = Bytes::new();
        bytes.extend_from_slice(&[FORMAT, self.own, self.words]).ok()?;
        bytes.extend_from_slice(&self.counter.to_le_bytes()).ok()?;
        bytes.extend_from_slice(&body).ok()?;
        bytes.extend_from_slice(&hash.to_le_bytes()).ok()?;
        Some(bytes)
    }

    fn parse(&self, bytes: &[u8], network: &Network) -> Option<Received> {
        let words = u8_at(bytes, at::MEMORY_WORDS)?;
        let body_len = usize::from(words).checked_mul(2)?;
        if bytes.len() != LEN_LEAST.checked_add(body_len)? || u8_at(bytes, at::FORMAT)? != FORMAT {
            return None;
        }
        let crc_at = bytes.len().checked_sub(CRC_LEN)?;
        let [high, middle, low] = array_at(bytes, crc_at)?;
        if crc::radio(bytes.get(..crc_at)?) != u32::from_be_bytes([0, high, middle, low]) {
            return None;
        }
        let number = u8_at(bytes, at::SENDER)?;
        let node = network.nodes.get(usize::from(number))?;
        if !node.radio || number == self.own || node.memories != u16::from(words).checked_mul(16)? {
            return None;
        }
        let hash_at = crc_at.checked_sub(HASH_LEN)?;
        let body = bytes.get(at::MEMORIES..hash_at)?;
        let counter = u64_at(bytes, at::COUNTER)?;
        if packet_hash(self.hash, number, words, counter, body) != u32_at(bytes, hash_at)? {
            return None;
        }
        let mut memories = [0; MEMORY_WORDS];
        for (place, from) in memories.iter_mut().zip((0..body_len).step_by(2)) {
            *place = u16_at(body, from)?;
        }
        Some(Received { sender: usize::from(number), counter, memories })
    }
}

/// A packet whose sums are right.
#[derive(Clone, Copy, Debug)]
struct Received {
    sender: usize,
    counter: u64,
    memories: [u16; MEMORY_WORDS],
}

impl Sender {
    /// Takes a packet that is ahead and not stale; whether its memories count.
    fn accept(&mut self, counter: u64, now: Instant, period_ms: u32, timeout: Duration) -> bool {
        let same_run = |last: u64| last >> COUNTER_PACKET_BITS == counter >> COUNTER_PACKET_BITS;
        match self.counter {
            Some(last) if counter <= last => return false,
            Some(last) if same_run(last) => {
                let behind = self.behind_now(counter.saturating_sub(last), now, period_ms);
                if behind > timeout.as_micros() {
                    return false;
                }
                self.behind = behind;
            }
            // The first packet of a run of the sender sets the base for its age.
            _ => {
                self.behind = 0;
                self.trust = 0;
            }
        }
        self.counter = Some(counter);
        self.at = now;
        self.trust = self.trust.saturating_add(1);
        self.trust > TRUST_PACKETS
    }

    /// By how many microseconds a packet that is `advance` periods ahead lags behind the best one.
    fn behind_now(&self, advance: u64, now: Instant, period_ms: u32) -> u64 {
        let taken = now.since(self.at).as_micros();
        let due = Duration::from_millis(u64::from(period_ms)).times(advance).as_micros();
        let drift = taken.saturating_mul(DRIFT_PPM) / 1_000_000;
        self.behind.saturating_add(taken).saturating_sub(due.saturating_add(drift))
    }
}

#[cfg(test)]
mod tests;
