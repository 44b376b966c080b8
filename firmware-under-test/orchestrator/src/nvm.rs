//! The record that survives power loss, and the one way to change it.
//!
//! ```text
//!   0x0000  record, slot A --+  the valid slot with the higher sequence counts;
//!   0x0100  record, slot B --+  a write goes to the other one
//!   0x1000  log ring
//! ```
//! The record holds everything a campaign must not forget, so that one write changes all of it or nothing. It also
//! holds the log entries that belong to the change (the journal): they are copied to the ring after the record, and
//! again at the next boot if power failed in between. So the record and the log never disagree (PFU-022, PFU-027).

use heapless::Vec;
use protocol::header::CRC32;
use protocol::ids::PumpNumber;
use units::Instant;

use crate::log::{self, Cause, Draft, ENTRY_LEN, LogEntry};
use crate::package::ImageHash;

/// Byte-wise non-volatile memory of at least [`NVM_LEN`] bytes.
///
/// Power may fail inside a write: any prefix of the bytes may then be written. The memory must hold nothing else.
pub trait NonVolatile {
    /// Reads `into.len()` bytes from `offset`.
    fn read(&self, offset: u16, into: &mut [u8]);
    /// Writes `bytes` at `offset`.
    fn write(&mut self, offset: u16, bytes: &[u8]);
}

/// Bytes of non-volatile memory that are used.
pub const NVM_LEN: usize = 0x2000;
/// Log entries in one change.
const JOURNAL_MOST: usize = 4;
const SLOTS: [u16; 2] = [0x0000, 0x0100];
const PUMPS: usize = PumpNumber::MOST as usize;
/// Sequence, campaign (9), percent, open try, journal count, log sequence, pumps, journal, CRC.
const RECORD_LEN: usize = 4 + 9 + 3 + 4 + PUMPS * 4 + JOURNAL_MOST * ENTRY_LEN + 4;
const FORMAT_BIT: u8 = 0xA0;
/// Beside a pump's mark.
const FAILED_BIT: u8 = 0x80;

/// Where a pump stands, as far as it must survive power loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Mark {
    /// Not part of a campaign.
    #[default]
    None = 0,
    /// To be updated in the running campaign.
    Pending = 1,
    /// Updated in the running or last campaign.
    Done = 2,
    /// Out of service until a search by hand (PFU-026).
    Dead = 3,
    /// The campaign ended without it: silent, would not stop, or no supply; not dead.
    Aside = 4,
}

/// One pump's part of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PumpRecord {
    pub(crate) mark: Mark,
    /// Tries that count towards the three, the running one included.
    pub(crate) counted: u8,
    /// All tries of this campaign, those for lack of supply included.
    pub(crate) tries: u8,
    /// Why the last try failed.
    pub(crate) cause: Option<Cause>,
    /// Whether a counted try failed by itself, not because a restart of the CIOC cut it off.
    pub(crate) failed: bool,
}

/// Everything that survives power loss but the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// The image of the running campaign: consent was given for it and holds until the campaign ends.
    pub(crate) campaign: Option<ImageHash>,
    /// Shown progress, so that it does not fall over a reboot.
    pub(crate) percent: u8,
    /// The pump whose try has begun and not ended.
    pub(crate) open: Option<PumpNumber>,
    pumps: [PumpRecord; PUMPS],
}

impl Record {
    pub(crate) fn pump(&self, pump: PumpNumber) -> &PumpRecord {
        &self.pumps[pump.index() % PUMPS]
    }

    pub(crate) fn pump_mut(&mut self, pump: PumpNumber) -> &mut PumpRecord {
        &mut self.pumps[pump.index() % PUMPS]
    }
}

/// The record, its place in memory, and the log's sequence.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Store {
    record: Record,
    sequence: u32,
    log_sequence: u32,
    journal: Vec<LogEntry, JOURNAL_MOST>,
    next_slot: u16,
}

impl Store {
    /// Reads both slots and takes the newer valid one, or starts empty.
    pub(crate) fn load<N: NonVolatile + ?Sized>(nvm: &N) -> Self {
        let [a, b] = SLOTS.map(|slot| Self::load_slot(nvm, slot));
        let newest = match (a, b) {
            (Some(a), Some(b)) if b.sequence > a.sequence => Some((b, SLOTS[0])),
            (Some(a), _) => Some((a, SLOTS[1])),
            (None, Some(b)) => Some((b, SLOTS[0])),
            (None, None) => None,
        };
        let mut store = match newest {
            Some((store, next_slot)) => Self { next_slot, ..store },
            None => Self {
                record: Record::default(),
                sequence: 0,
                log_sequence: 0,
                journal: Vec::new(),
                next_slot: SLOTS[0],
            },
        };
        store.log_sequence = store.log_sequence.max(log::newest(nvm));
        store
    }

    fn load_slot<N: NonVolatile + ?Sized>(nvm: &N, slot: u16) -> Option<Self> {
        let mut bytes = [0; RECORD_LEN];
        nvm.read(slot, &mut bytes);
        decode(&bytes)
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Repeats what power loss may have kept from the log.
    pub(crate) fn repair_log<N: NonVolatile + ?Sized>(&self, nvm: &mut N) {
        for entry in &self.journal {
            log::write_missing(nvm, entry);
        }
    }

    /// Changes the record and logs `drafts`, at most four, in one step: after power loss all of it has happened or
    /// nothing. Returns the log entries.
    pub(crate) fn commit<N: NonVolatile + ?Sized>(
        &mut self,
        nvm: &mut N,
        now: Instant,
        drafts: &[Draft],
        change: impl FnOnce(&mut Record),
    ) -> &[LogEntry] {
        change(&mut self.record);
        self.journal.clear();
        for draft in drafts.iter().take(JOURNAL_MOST) {
            self.log_sequence = self.log_sequence.saturating_add(1);
            // Cannot be full: at most JOURNAL_MOST entries go in.
            let _ = self.journal.push(draft.entry(self.log_sequence, now));
        }
        self.sequence = self.sequence.saturating_add(1);
        nvm.write(self.next_slot, &encode(self));
        self.next_slot = if self.next_slot == SLOTS[0] { SLOTS[1] } else { SLOTS[0] };
        for entry in &self.journal {
            log::write(nvm, entry);
        }
        &self.journal
    }
}

/// Fills an array from the front; what does not fit is dropped, which the layout above rules out.
struct Writer {
    bytes: [u8; RECORD_LEN],
    at: usize,
}

impl Writer {
    fn put(&mut self, value: &[u8]) {
        let end = self.at.saturating_add(value.len());
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(value);
            self.at = end;
        }
    }
}

fn encode(store: &Store) -> [u8; RECORD_LEN] {
    let record = &store.record;
    let mut writer = Writer { bytes: [0; RECORD_LEN], at: 0 };
    writer.put(&store.sequence.to_le_bytes());
    let hash = record.campaign.unwrap_or_default();
    writer.put(&[FORMAT_BIT | u8::from(record.campaign.is_some())]);
    writer.put(&hash.header.to_le_bytes());
    writer.put(&hash.payload.to_le_bytes());
    let journal_len = u8::try_from(store.journal.len()).unwrap_or(0);
    writer.put(&[record.percent, record.open.map_or(0, PumpNumber::get), journal_len]);
    writer.put(&store.log_sequence.to_le_bytes());
    for pump in &record.pumps {
        let failed = if pump.failed { FAILED_BIT } else { 0 };
        writer.put(&[pump.mark as u8 | failed, pump.counted, pump.tries, Cause::to_byte(pump.cause)]);
    }
    for index in 0..JOURNAL_MOST {
        writer.put(&store.journal.get(index).map_or([0; ENTRY_LEN], LogEntry::encode));
    }
    let crc = CRC32.checksum(writer.bytes.first_chunk::<{ RECORD_LEN - 4 }>().unwrap_or(&[0; RECORD_LEN - 4]));
    writer.put(&crc.to_le_bytes());
    writer.bytes
}

/// Takes pieces from the front of a slice.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn take_u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

fn decode(bytes: &[u8; RECORD_LEN]) -> Option<Store> {
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    if CRC32.checksum(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut reader = Reader(covered);
    let sequence = reader.take_u32()?;
    let [campaign] = reader.take()?;
    if campaign & !1 != FORMAT_BIT {
        return None;
    }
    let hash = ImageHash { header: reader.take_u32()?, payload: reader.take_u32()? };
    let [percent, open, journal_len] = reader.take()?;
    let log_sequence = reader.take_u32()?;
    let mut record = Record {
        campaign: (campaign & 1 != 0).then_some(hash),
        percent,
        open: PumpNumber::new(open),
        pumps: [PumpRecord::default(); PUMPS],
    };
    for pump in &mut record.pumps {
        *pump = decode_pump(reader.take()?);
    }
    let mut journal = Vec::new();
    for _ in 0..usize::from(journal_len).min(JOURNAL_MOST) {
        journal.push(LogEntry::decode(&reader.take()?)?).ok()?;
    }
    Some(Store { record, sequence, log_sequence, journal, next_slot: SLOTS[0] })
}

fn decode_pump([mark, counted, tries, cause]: [u8; 4]) -> PumpRecord {
    let failed = mark & FAILED_BIT != 0;
    let mark = match mark & !FAILED_BIT {
        1 => Mark::Pending,
        2 => Mark::Done,
        3 => Mark::Dead,
        4 => Mark::Aside,
        _ => Mark::None,
    };
    PumpRecord { mark, counted, tries, cause: Cause::from_code(u16::from(cause)), failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Event;
    use crate::tests::world::Fram;
    use proptest::prelude::*;

    fn pump(number: u8) -> PumpNumber {
        PumpNumber::new(number).unwrap()
    }

    fn changed(nvm: &mut Fram, percent: u8) -> Store {
        let mut store = Store::load(nvm);
        store.commit(nvm, Instant::ZERO, &[Draft::new(Event::UpdateStarted).of(pump(3))], |record| {
            record.percent = percent;
            record.campaign = Some(ImageHash { header: 1, payload: u32::from(percent) });
            record.open = Some(pump(16));
            *record.pump_mut(pump(16)) =
                PumpRecord { mark: Mark::Dead, counted: 3, tries: 5, cause: Some(Cause::Refused), failed: true };
        });
        store
    }

    #[test]
    fn slots_do_not_overlap_each_other_or_the_log() {
        assert!(RECORD_LEN <= usize::from(SLOTS[1] - SLOTS[0]));
        assert!(usize::from(SLOTS[1]) + RECORD_LEN <= 0x1000);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut nvm = Fram::new();
        for percent in 1..5 {
            let store = changed(&mut nvm, percent);
            assert_eq!(Store::load(&nvm).record, store.record);
            assert_eq!(Store::load(&nvm).journal, store.journal);
        }
    }

    #[test]
    fn a_torn_record_falls_back_to_the_one_before() {
        for bytes in 0..RECORD_LEN {
            let mut nvm = Fram::new();
            changed(&mut nvm, 1);
            changed(&mut nvm, 2);
            nvm.budget = Some(bytes);
            changed(&mut nvm, 3);
            nvm.budget = None;
            let percent = Store::load(&nvm).record.percent;
            assert_eq!(percent, 2, "torn after {bytes} bytes");
            changed(&mut nvm, 4);
            assert_eq!(Store::load(&nvm).record.percent, 4, "the torn slot is the one written next");
        }
    }

    #[test]
    fn a_record_of_another_format_is_none_however_good_its_crc_is() {
        for other in [0x00, 0x01, FORMAT_BIT | 2, FORMAT_BIT | 3, !FORMAT_BIT] {
            let mut nvm = Fram::new();
            changed(&mut nvm, 1);
            changed(&mut nvm, 2);
            let reformat = |nvm: &mut Fram, slot: u16| {
                let place = usize::from(slot)..usize::from(slot) + RECORD_LEN;
                let (covered, crc) = nvm.bytes[place].split_last_chunk_mut::<4>().unwrap();
                // The format stands behind the sequence number of four bytes.
                covered[4] = other;
                *crc = CRC32.checksum(covered).to_le_bytes();
            };
            let newest = if Store::load(&nvm).next_slot == SLOTS[0] { SLOTS[1] } else { SLOTS[0] };
            reformat(&mut nvm, newest);
            assert_eq!(Store::load(&nvm).record.percent, 1, "{other:#04x}: the one before counts");
            SLOTS.into_iter().for_each(|slot| reformat(&mut nvm, slot));
            assert_eq!(Store::load(&nvm).record, Record::default(), "{other:#04x}");
        }
    }

    #[test]
    fn the_journal_completes_the_log_once() {
        let mut nvm = Fram::new();
        changed(&mut nvm, 1);
        nvm.budget = Some(RECORD_LEN + 5);
        changed(&mut nvm, 2);
        nvm.budget = None;
        assert_eq!(log::entries(&nvm).count(), 1);
        for _ in 0..2 {
            Store::load(&nvm).repair_log(&mut nvm);
            assert_eq!(log::entries(&nvm).map(|entry| entry.sequence).collect::<std::vec::Vec<_>>(), [1, 2]);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_memory_never_panics(seed in proptest::collection::vec(any::<u8>(), 256)) {
            let mut nvm = Fram::new();
            for (to, from) in nvm.bytes.iter_mut().zip(seed.iter().cycle()) {
                *to = *from;
            }
            let store = Store::load(&nvm);
            prop_assert!(store.record.campaign.is_none(), "noise holds no consent");
            prop_assert_eq!(log::entries(&nvm).count(), 0);
        }
    }
}
