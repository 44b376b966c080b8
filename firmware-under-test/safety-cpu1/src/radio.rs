//! Radio safety packets: finished and sent, received and checked.
//!
//! CPU2 makes what CPU1 finishes. SSR-068 to SSR-079.
//!
//! | threat | measure |
//! |--------|---------|
//! | repetition, insertion, re-sequence | counter strictly ahead of the last accepted |
//! | loss | time-out: memories 0 |
//! | corruption | CRC-24 over all, hash over all safety information |
//! | delay | time-out, and freshness: counter against own clock |
//! | masquerade | hash seeded with configuration, release, network, serial numbers and sender |

use heapless::Vec;
use safety_common::NODES_MOST;
use safety_common::io::Bytes;
use safety_common::radio::{self, at};
use units::{Duration, Instant};

use crate::bytes::{array, u8_at, u32_at, u64_at};
use crate::chaskey::Chaskey;
use crate::configuration::{Configuration, Network};
use crate::program::{MEMORY_WORDS, RemoteMemories};
use crate::recent::Recent;
use crate::sums;

/// Bytes of the CRC-24 and of the hash.
const CRC_LEN: usize = 3;
const HASH_LEN: usize = 4;

/// The key that all hashes of a network have in common (SSR-071).
pub(crate) const fn network_key(configuration_hash: u32, release_hash: u32, network_id: u32) -> [u32; 4] {
    [configuration_hash, release_hash, network_id, radio::KEY_WORD]
}

/// One packet whose form is good.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    sender: u8,
    counter: u64,
    memories: [u16; MEMORY_WORDS],
    words: usize,
}

impl Packet {
    /// Takes the bytes apart; the CRC must follow them if `has_crc`.
    fn decode(bytes: &[u8], has_crc: bool) -> Option<(Self, u32)> {
        let bytes = if has_crc { without_crc(bytes)? } else { bytes };
        let words = usize::from(u8_at(bytes, at::MEMORY_WORDS)?);
        let hash_at = at::MEMORIES.checked_add(words.checked_mul(2)?)?;
        let is_form = u8_at(bytes, at::FORMAT)? == radio::FORMAT && words <= MEMORY_WORDS;
        if !is_form || bytes.len() != hash_at.checked_add(HASH_LEN)? {
            return None;
        }
        let mut memories = [0; MEMORY_WORDS];
        let stored = bytes.get(at::MEMORIES..hash_at)?.as_chunks::<2>().0;
        memories.iter_mut().zip(stored).for_each(|(to, from)| *to = u16::from_le_bytes(*from));
        let packet = Self { sender: u8_at(bytes, at::SENDER)?, counter: u64_at(bytes, at::COUNTER)?, memories, words };
        Some((packet, u32_at(bytes, hash_at)?))
    }
}

/// The bytes before a CRC that fits (SSR-070).
pub(crate) fn without_crc(bytes: &[u8]) -> Option<&[u8]> {
    let crc_at = bytes.len().checked_sub(CRC_LEN)?;
    let [high, middle, low] = array(bytes, crc_at)?;
    let covered = bytes.get(..crc_at)?;
    (sums::RADIO.checksum(covered) == u32::from_be_bytes([0, high, middle, low])).then_some(covered)
}

/// What is known of one other node.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    /// The last counter that was accepted; kept over a time-out, so that old packets stay old.
    counter: Option<u64>,
    /// When that was.
    heard: Option<Instant>,
    /// How much later than the least delayed one the last accepted packet came: so old it was already.
    behind: Duration,
    /// Packets in order since the start or the last time-out.
    trust: u8,
    /// The smallest lag seen, in microseconds, and when it was last moved.
    lag_us: Option<(i64, Instant)>,
}

/// The radio of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Radio {
    own: usize,
    /// The hash after the serial numbers.
    seeded: Chaskey,
    timeout: Duration,
    period: Duration,
    /// Memory words of each node that uses the radio.
    words: Vec<Option<usize>, NODES_MOST>,
    senders: [Sender; NODES_MOST],
    memories: RemoteMemories,
    recent: Recent<MEMORY_WORDS>,
    sent: Option<u64>,
}

impl Radio {
    pub(crate) fn new(configuration: &Configuration, release_hash: u32) -> Self {
        let network = &configuration.network;
        let mut seeded = Chaskey::new(network_key(configuration.hash, release_hash, network.id));
        seeded.update(&network.serials());
        Self {
            own: network.own,
            seeded,
            timeout: Duration::from_millis(network.radio_timeout_ms.into()),
            period: Duration::from_millis(network.radio_period_ms.into()),
            words: words_of(network),
            senders: [Sender::default(); NODES_MOST],
            memories: [[0; MEMORY_WORDS]; NODES_MOST],
            recent: Recent::new(),
            sent: None,
        }
    }

    /// The memories of all other nodes; 0 for the silent ones (SSR-076).
    pub(crate) const fn memories(&self) -> &RemoteMemories {
        &self.memories
    }

    /// Takes a packet from the air; `true` if it is good and shall be forwarded to CPU2.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> bool {
        self.accept(now, bytes).is_some()
    }

    fn accept(&mut self, now: Instant, bytes: &[u8]) -> Option<()> {
        let (packet, hash) = Packet::decode(bytes, true)?;
        let index = usize::from(packet.sender);
        let is_other = index != self.own && self.words.get(index).copied().flatten() == Some(packet.words);
        if !is_other || self.hash(&packet) != hash {
            return None;
        }
        let timeout = self.timeout;
        let period = self.period;
        let sender = self.senders.get_mut(index)?;
        sender.take(now, packet.counter, timeout, period)?;
        if sender.trust > radio::TRUST_PACKETS {
            *self.memories.get_mut(index)? = packet.memories;
        }
        Some(())
    }

    /// Sets the memories of nodes that have been silent for the time-out to 0.
    pub(crate) fn expire(&mut self, now: Instant) {
        for (sender, memories) in self.senders.iter_mut().zip(&mut self.memories) {
            let age = |heard| now.since(heard).plus(sender.behind);
            if sender.heard.is_some_and(|heard| age(heard) >= self.timeout) {
                (sender.heard, sender.trust, *memories) = (None, 0, [0; MEMORY_WORDS]);
            }
        }
    }

    /// What this CPU's own logic wants sent.
    pub(crate) fn want(&mut self, memories: &[u16; MEMORY_WORDS]) {
        self.recent.add(memories);
    }

    /// The packet that CPU2 made, with the CRC that CPU1 adds; `None` if CPU1 does not agree.
    pub(crate) fn finish(&mut self, bytes: &[u8]) -> Option<Bytes> {
        let (packet, hash) = Packet::decode(bytes, false)?;
        let is_own = usize::from(packet.sender) == self.own
            && self.words.get(self.own).copied().flatten() == Some(packet.words)
            && self.sent.is_none_or(|sent| packet.counter > sent);
        if !is_own || hash != self.hash(&packet) || !self.recent.covers(&packet.memories) {
            return None;
        }
        let mut out = Bytes::from_slice(bytes).ok()?;
        let [_, high, middle, low] = sums::RADIO.checksum(bytes).to_be_bytes();
        out.extend_from_slice(&[high, middle, low]).ok()?;
        self.sent = Some(packet.counter);
        Some(out)
    }

    /// SSR-071: over sender, number of memories, counter and memories, after the seed.
    fn hash(&self, packet: &Packet) -> u32 {
        let mut hash = self.seeded.clone();
        let words = u8::try_from(packet.words).unwrap_or(u8::MAX);
        hash.update(&[packet.sender, words, 0, 0]);
        hash.update(&packet.counter.to_le_bytes());
        hash.update(&[0; 4]);
        for word in packet.memories.iter().take(packet.words) {
            hash.update(&word.to_le_bytes());
        }
        hash.word()
    }
}

fn words_of(network: &Network) -> Vec<Option<usize>, NODES_MOST> {
    let words = |memories: u16| usize::from(memories / 16);
    network.nodes.iter().map(|node| node.has_radio.then(|| words(node.memories))).collect()
}

impl Sender {
    /// Accepts the next packet; `None` for an old or a late one.
    fn take(&mut self, now: Instant, counter: u64, timeout: Duration, period: Duration) -> Option<()> {
        if self.counter.is_some_and(|last| counter <= last) {
            return None;
        }
        let restarts = |counter: u64| counter >> radio::COUNTER_PACKET_BITS;
        let has_restarted = self.counter.is_some_and(|last| restarts(last) != restarts(counter));
        if has_restarted {
            (self.lag_us, self.trust) = (None, 0);
        }
        if !self.is_fresh(now, counter, timeout, period) {
            return None;
        }
        self.counter = Some(counter);
        self.heard = Some(now);
        self.trust = self.trust.saturating_add(1);
        Some(())
    }

    /// Whether the packet is not further behind than the time-out, compared with the least delayed one so far.
    fn is_fresh(&mut self, now: Instant, counter: u64, timeout: Duration, period: Duration) -> bool {
        let packets = counter & ((1 << radio::COUNTER_PACKET_BITS) - 1);
        let sent_us = i64::try_from(packets.saturating_mul(period.as_micros())).unwrap_or(i64::MAX);
        let lag = i64::try_from(now.as_micros()).unwrap_or(i64::MAX).saturating_sub(sent_us);
        let smallest = self.lag_us.map_or(lag, |(smallest, since)| {
            // The clocks of two units drift by up to 0.2 %.
            let drift = i64::try_from(now.since(since).as_micros() / 500).unwrap_or(i64::MAX);
            smallest.saturating_add(drift).min(lag)
        });
        self.lag_us = Some((smallest, now));
        let behind = Duration::from_micros(u64::try_from(lag.saturating_sub(smallest)).unwrap_or(0));
        let is_fresh = behind <= timeout;
        if is_fresh {
            self.behind = behind;
        }
        is_fresh
    }
}
