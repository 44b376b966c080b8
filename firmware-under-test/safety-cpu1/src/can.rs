//! SimpleCAN: slots, sync, master, sending and checking.
//!
//! CPU1 sends only what CPU2 agrees to (SSR-080).
//!
//! The rules, public and own, stand in section 10 of the architecture. Time inside a cycle is counted in slots of the tick
//! (62.5 us): 160 a cycle of 10 ms, 16 a tick.

use heapless::Vec;
use safety_common::SLOTS;
use safety_common::fault::Fault;
use safety_common::io::{CanFrame, CanReceived, CanTransmit};
use safety_common::simplecan::{
    self, CYCLE_TICK_SLOTS, ENTRIES, ENTRIES_USABLE, ENTRY_ERROR_DRAIN_TICKS, ENTRY_ERRORS_MOST, ENTRY_ID,
    MASTER_TICKS, SEQUENCE_ALLOWANCE, SEQUENCE_MEMORY_TICKS, SEQUENCE_TICKS, SLOT_TICK_SLOTS, SYNC_ABORT_TICKS,
    SYNC_ID, SYNC_TICKS, at,
};
use units::Instant;

use crate::Trip;
use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::chaskey::Chaskey;
use crate::configuration::{Configuration, Network};
use crate::radio::network_key;
use crate::recent::Recent;
use crate::sums;

/// A frame from CPU2 may be this old when its slot comes (own number).
const AGREED_TICKS_MOST: u32 = 20;
/// Ids of sync frames, one for each CAN index.
const SYNC_IDS: u16 = 16;
/// A sequence number is ahead of the last by at most this.
const SEQUENCE_AHEAD_MOST: u8 = 127;

/// The safety data of a frame whose CRC is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    entry: usize,
    data: u16,
    sequence: u8,
}

/// An entry of another node. The first frame after a silence only sets the sequence; the second one counts. What is not ahead of the
/// last one before the silence is late, not new, as long as that one is remembered.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    sequence: Option<u8>,
    tick: u64,
    /// Whether the last frame is not past the maximum age.
    is_live: bool,
    /// Frames with a bad CRC that are not forgotten yet.
    errors: u8,
}

impl Heard {
    /// The time since the last frame goes on; whether the maximum age is over now. Errors stay.
    fn grow_old(&mut self, tick: u64, age_ticks: u32) -> bool {
        let silence = between(self.tick, tick);
        if silence > SEQUENCE_MEMORY_TICKS {
            self.sequence = None;
        }
        let ends = self.is_live && silence > age_ticks;
        self.is_live &= !ends;
        ends
    }

    const fn is_trusted(&self) -> bool {
        self.errors <= ENTRY_ERRORS_MOST
    }
}

/// An own entry: the frame that CPU2 made and when it came, and the last sequence number sent.
#[derive(Clone, Copy, Debug, Default)]
struct Agreed {
    frame: Option<(CanFrame, u64)>,
    sent_sequence: Option<u8>,
}

/// The CAN side of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Can {
    /// This unit's CAN index; `None`: not on the bus.
    index: Option<u8>,
    own_entries: u16,
    /// The start value of the CRC of each entry: the hash of the node that sends it.
    seeds: [Option<u32>; ENTRIES],
    age_ticks: u32,
    /// Ticks since start-up: 32 bits would end after 50 days, and no entry would grow old any more.
    tick: u64,
    /// Place in the cycle at the begin of this tick, in tick slots.
    phase: u32,
    cycle: u8,
    heard: [Heard; ENTRIES],
    error_drain: u32,
    values: [u16; ENTRIES],
    agreed: [Agreed; ENTRIES],
    recent: Recent<ENTRIES>,
    /// When a master with a lower index was last heard.
    lower_master_tick: u64,
    sync_tick: u64,
    pending_sync: Option<u64>,
}

/// What CAN wants done in a tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct CanOutputs {
    pub(crate) frames: Vec<CanTransmit, 4>,
    pub(crate) abort: Option<u16>,
}

impl Can {
    pub(crate) fn new(configuration: &Configuration, release_hash: u32) -> Self {
        let network = &configuration.network;
        let key = network_key(configuration.hash, release_hash, network.id);
        let own = network.own_node();
        Self {
            index: own.and_then(|node| node.can_node),
            own_entries: own.map_or(0, |node| node.can_entries),
            seeds: seeds(network, key),
            age_ticks: network.can_age_ms.into(),
            tick: 0,
            phase: 0,
            cycle: 0,
            heard: [Heard::default(); ENTRIES],
            error_drain: 0,
            values: [0; ENTRIES],
            agreed: [Agreed::default(); ENTRIES],
            recent: Recent::new(),
            lower_master_tick: 0,
            sync_tick: 0,
            pending_sync: None,
        }
    }

    /// The entries of other nodes; 0 past the maximum age.
    pub(crate) const fn values(&self) -> &[u16; ENTRIES] {
        &self.values
    }

    /// Begins a tick: moves on in the cycle and checks the age of every entry.
    pub(crate) fn begin_tick(&mut self) {
        self.tick = self.tick.saturating_add(1);
        self.phase = self.phase.saturating_add(SLOTS) % CYCLE_TICK_SLOTS;
        for (heard, value) in self.heard.iter_mut().zip(&mut self.values) {
            if heard.grow_old(self.tick, self.age_ticks) {
                *value = 0;
            }
        }
        self.drain_errors();
    }

    /// One error of each entry is forgotten from time to time.
    fn drain_errors(&mut self) {
        self.error_drain = self.error_drain.saturating_add(1);
        if self.error_drain >= ENTRY_ERROR_DRAIN_TICKS {
            self.error_drain = 0;
            self.heard.iter_mut().for_each(|heard| heard.errors = heard.errors.saturating_sub(1));
        }
    }

    /// A frame with the identifier of an entry that is not a good frame of it.
    fn count_error(&mut self, frame: &CanFrame) {
        let entry = usize::from(frame.id.saturating_sub(ENTRY_ID));
        let is_entry = frame.id >= ENTRY_ID;
        if let (true, Some(heard), Some(value)) = (is_entry, self.heard.get_mut(entry), self.values.get_mut(entry)) {
            // It counts up to one above the limit, so that one that is forgotten makes the entry good again.
            heard.errors = heard.errors.saturating_add(1).min(ENTRY_ERRORS_MOST.saturating_add(1));
            if !heard.is_trusted() {
                *value = 0;
            }
        }
    }

    /// Takes a frame from the bus; `true` if it carries a good entry and shall be forwarded to CPU2. Nothing of an entry with too
    /// many errors is: there CPU2 would go on to believe what this CPU does not.
    ///
    /// # Errors
    /// [`Fault::CanMasquerade`]: somebody else sends an entry of this unit.
    pub(crate) fn receive(&mut self, now: Instant, received: &CanReceived) -> Result<bool, Trip> {
        let Some(own_index) = self.index else { return Ok(false) };
        if let Some(index) = received.frame.id.checked_sub(SYNC_ID).filter(|index| *index < SYNC_IDS) {
            if index < u16::from(own_index) && is_sync(&received.frame, index) {
                self.follow(now, received.at);
            }
            return Ok(false);
        }
        let Some(entry) = self.decode(&received.frame) else {
            self.count_error(&received.frame);
            return Ok(false);
        };
        if self.own_entries >> entry.entry & 1 == 1 {
            let detail = u32::try_from(entry.entry).unwrap_or(u32::MAX);
            return Err(Trip::new(Fault::CanMasquerade, detail));
        }
        Ok(self.store(entry))
    }

    /// A master with a lower index: this node is none, and its cycle begins at the end of that frame.
    fn follow(&mut self, now: Instant, sync_at: Instant) {
        self.lower_master_tick = self.tick;
        self.pending_sync = None;
        let slots = now.since(sync_at).as_micros().saturating_mul(2) / 125;
        self.phase = u32::try_from(slots).unwrap_or(0) % CYCLE_TICK_SLOTS;
    }

    fn decode(&self, frame: &CanFrame) -> Option<Entry> {
        let entry = usize::from(frame.id.checked_sub(ENTRY_ID)?);
        let seed = self.seeds.get(entry).copied().flatten()?;
        let bytes = &frame.data;
        let is_place = entry < ENTRIES_USABLE && frame.len == 8 && usize::from(u8_at(bytes, at::ENTRY)?) == entry;
        let mut digest = sums::CAN.digest_with_initial(seed);
        digest.update(bytes.get(..at::CRC)?);
        let is_whole = digest.finalize() == u32_at(bytes, at::CRC)?;
        let entry = Entry { entry, data: u16_at(bytes, at::DATA)?, sequence: u8_at(bytes, at::SEQUENCE)? };
        (is_place && is_whole).then_some(entry)
    }

    /// Takes an entry; whether it is trusted.
    fn store(&mut self, entry: Entry) -> bool {
        let (Some(heard), Some(value)) = (self.heard.get_mut(entry.entry), self.values.get_mut(entry.entry)) else {
            return false;
        };
        let elapsed = between(heard.tick, self.tick);
        match heard.sequence {
            Some(last) if !is_ahead(entry.sequence, last, most_ahead(elapsed)) => return heard.is_trusted(),
            Some(_) if heard.is_live && heard.is_trusted() => *value = entry.data,
            _ => {}
        }
        (heard.sequence, heard.tick, heard.is_live) = (Some(entry.sequence), self.tick, true);
        heard.is_trusted()
    }

    /// Takes the frame that CPU2 wants sent for an entry of this unit.
    pub(crate) fn agree(&mut self, bytes: &[u8]) {
        if let Some((entry, frame)) = self.own_frame(bytes)
            && let Some(agreed) = self.agreed.get_mut(entry.entry)
            && agreed.sent_sequence.is_none_or(|sent| is_ahead(entry.sequence, sent, SEQUENCE_AHEAD_MOST))
        {
            agreed.frame = Some((frame, self.tick));
        }
    }

    fn own_frame(&self, bytes: &[u8]) -> Option<(Entry, CanFrame)> {
        let frame = CanFrame { id: u16_at(bytes, 0)?, len: 8, data: array(bytes, 2)? };
        let entry = self.decode(&frame)?;
        (bytes.len() == 10 && self.own_entries >> entry.entry & 1 == 1).then_some((entry, frame))
    }

    /// What this CPU's own logic wants sent.
    pub(crate) fn want(&mut self, entries: &[u16; ENTRIES]) {
        self.recent.add(entries);
    }

    /// What to hand to the controller in the next tick; `sent` are the frames that have left it.
    pub(crate) fn send(&mut self, sent: &[u16]) -> CanOutputs {
        let mut out = CanOutputs::default();
        let Some(index) = self.index else { return out };
        let sync_id = SYNC_ID.saturating_add(index.into());
        if sent.contains(&sync_id) {
            self.pending_sync = None;
        }
        if self.pending_sync.is_some_and(|tick| between(tick, self.tick) > SYNC_ABORT_TICKS) {
            self.pending_sync = None;
            out.abort = Some(sync_id);
        }
        for (slot, ahead) in (0..).zip(SLOTS..SLOTS.saturating_mul(2)) {
            let place = self.phase.saturating_add(ahead) % CYCLE_TICK_SLOTS;
            if place == 0 {
                self.begin_cycle(index, slot, &mut out);
            }
            if place.is_multiple_of(SLOT_TICK_SLOTS) {
                self.send_entry(place / SLOT_TICK_SLOTS, slot, &mut out);
            }
        }
        out
    }

    /// A master sends a sync in the next cycle once 200 ms have passed since the last one.
    fn begin_cycle(&mut self, index: u8, slot: u8, out: &mut CanOutputs) {
        self.cycle = self.cycle.wrapping_add(1);
        let is_master = between(self.lower_master_tick, self.tick) >= MASTER_TICKS;
        if is_master && between(self.sync_tick, self.tick) >= SYNC_TICKS {
            let [data @ .., _, _, _, _, _, _] = [index, self.cycle, 0, 0, 0, 0, 0, 0];
            let mut frame = CanFrame { id: SYNC_ID.saturating_add(index.into()), len: 2, data: [0; 8] };
            frame.data.iter_mut().zip(data).for_each(|(to, from)| *to = from);
            self.sync_tick = self.tick;
            self.pending_sync = Some(self.tick);
            // Four places, at most a sync and two entries a tick.
            let _ = out.frames.push(CanTransmit { frame, slot });
        }
    }

    fn send_entry(&mut self, entry: u32, slot: u8, out: &mut CanOutputs) {
        let entry = usize::try_from(entry).unwrap_or(usize::MAX);
        let recent = self.recent.word(entry);
        let Some(agreed) = self.agreed.get_mut(entry) else { return };
        let Some((frame, tick)) = agreed.frame.take() else { return };
        let is_young = between(tick, self.tick) <= AGREED_TICKS_MOST;
        let is_wanted = u16_at(&frame.data, at::DATA).is_some_and(|data| data & !recent == 0);
        if is_young && is_wanted {
            agreed.sent_sequence = u8_at(&frame.data, at::SEQUENCE);
            let _ = out.frames.push(CanTransmit { frame, slot });
        }
    }
}

/// Ticks from one to a later one; the most that 32 bits hold where there are more.
fn between(earlier: u64, later: u64) -> u32 {
    u32::try_from(later.saturating_sub(earlier)).unwrap_or(u32::MAX)
}

fn is_ahead(sequence: u8, last: u8, most: u8) -> bool {
    (1..=most).contains(&sequence.wrapping_sub(last))
}

/// How far the sequence of a sender may have come in this time; a frame that claims more is an old one.
fn most_ahead(elapsed_ticks: u32) -> u8 {
    let most = (elapsed_ticks / SEQUENCE_TICKS).saturating_add(SEQUENCE_ALLOWANCE);
    u8::try_from(most).unwrap_or(u8::MAX).min(SEQUENCE_AHEAD_MOST)
}

fn is_sync(frame: &CanFrame, index: u16) -> bool {
    frame.len == 2 && u8_at(&frame.data, 0).map(u16::from) == Some(index)
}

/// The hash of the node that sends each entry (SSR-078, SSR-079).
fn seeds(network: &Network, key: [u32; 4]) -> [Option<u32>; ENTRIES] {
    let mut seeded = Chaskey::<12>::new(key);
    seeded.update(&network.serials());
    let mut seeds = [None; ENTRIES];
    for (seed, entry) in seeds.iter_mut().zip(0u32..) {
        let sender = network.nodes.iter().find(|node| node.can_entries >> entry & 1 == 1);
        *seed = sender.and_then(|node| node.can_node).map(|index| {
            let mut hash = seeded.clone();
            hash.update(&[simplecan::NODE_HASH_TAG, index]);
            hash.update(&[0; 14]);
            hash.word()
        });
    }
    seeds
}

#[cfg(test)]
impl Can {
    /// As after so many ticks in which nothing was heard or sent.
    pub(crate) fn after(mut self, ticks: u64) -> Self {
        self.tick = ticks;
        self
    }
}
