//! The log that survives a reboot: what happened, to which pump, in which try, and why.
//!
//! Entries of 16 bytes live in a ring; an entry's place is its sequence number modulo the ring. A torn entry fails its
//! checksum and is skipped.
//!
//! | bytes  | field                                          |
//! |--------|------------------------------------------------|
//! | 0..4   | sequence number, from 1                        |
//! | 4..8   | milliseconds since this boot, 2^32 - 1 from then on |
//! | 8      | event                                          |
//! | 9      | pump, 0 for none                               |
//! | 10     | try, 0 for none                                |
//! | 11     | cause, 0 for none                              |
//! | 12..16 | CRC-32 over bytes 0..12                        |

use core::fmt;

use protocol::header::CRC32;
use protocol::ids::PumpNumber;
use units::Instant;

use crate::nvm::NonVolatile;

/// Entries that the ring holds.
pub const LOG_ENTRIES: u16 = 256;
/// Bytes of an entry.
pub const ENTRY_LEN: usize = 16;
/// Where the ring begins in non-volatile memory.
const LOG_START: u16 = 0x1000;

/// Why a try, an image or a campaign failed.
///
/// FW001 to FW004 keep the source's meaning, from FW101 the causes are ours (PFU-028). FW005 (roll-back) is defined and
/// never reported, since a pump has no second partition (PFU-053).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The package names an image that is absent.
    FileNotFound = 1,
    /// The image is damaged or for another model.
    ImageRejected = 2,
    /// Supply too low.
    LowSupply = 3,
    /// The pump does not answer.
    Timeout = 4,
    /// Roll-back; not reachable.
    RollBack = 5,
    /// Erasing or programming failed.
    FlashFailure = 101,
    /// The pump's check of the image failed.
    CheckFailed = 102,
    /// The pump reports another version after its reboot.
    WrongVersion = 103,
    /// The pump refused a request.
    Refused = 104,
    /// No good status after the reboot.
    NoGoodStatus = 105,
    /// The CIOC lost power or was reset during the try.
    Interrupted = 106,
}

impl Cause {
    /// The number after `FW`.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The cause with this number.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::FileNotFound,
            2 => Self::ImageRejected,
            3 => Self::LowSupply,
            4 => Self::Timeout,
            5 => Self::RollBack,
            101 => Self::FlashFailure,
            102 => Self::CheckFailed,
            103 => Self::WrongVersion,
            104 => Self::Refused,
            105 => Self::NoGoodStatus,
            106 => Self::Interrupted,
            _ => return None,
        })
    }

    pub(crate) const fn to_byte(cause: Option<Self>) -> u8 {
        match cause {
            Some(cause) => cause as u8,
            None => 0,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FW{:03}", self.code())
    }
}

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Event {
    /// The CIOC has booted.
    Boot = 1,
    /// The search after a boot began.
    Search = 2,
    /// A search by hand began; dead marks were cleared.
    ManualSearch = 3,
    /// A configured pump cannot be used: it does not answer (FW004), refuses (FW104), never has the supply (FW003), has
    /// no valid application and the package none for it (FW102), or restarts of the CIOC cut off all three of its tries
    /// (FW106).
    PumpMissing = 4,
    /// The image is not for this pump (cause FW002).
    PumpRejected = 5,
    /// The image is absent (FW001) or bad (FW002).
    ImageRejected = 6,
    /// The dialog is shown.
    ConsentAsked = 7,
    /// The customer agreed.
    ConsentGiven = 8,
    /// The customer refused.
    ConsentRefused = 9,
    /// Nobody answered in time.
    ConsentLapsed = 10,
    /// An answer came when none was asked for; it starts nothing.
    ConsentLate = 11,
    /// Pumps leave normal operation.
    CampaignStarted = 12,
    /// An interrupted campaign goes on with its stored consent.
    CampaignResumed = 13,
    /// A try began; the next entry of this pump and try is its end.
    UpdateStarted = 14,
    /// The try ended well.
    UpdateFinished = 15,
    /// The try failed.
    UpdateError = 16,
    /// The pump is out of service.
    PumpDead = 17,
    /// All pumps of the campaign are updated.
    CampaignFinished = 18,
    /// The campaign ended and left a pump that does not run: dead, missing, or without any application.
    CampaignFinishedWithErrors = 19,
    /// The campaign was given up: its image is gone or another.
    CampaignAbandoned = 20,
    /// The campaign waits: no pump at all is heard (FW004).
    NoPumpHeard = 21,
}

impl Event {
    const ALL: [Self; 21] = [
        Self::Boot,
        Self::Search,
        Self::ManualSearch,
        Self::PumpMissing,
        Self::PumpRejected,
        Self::ImageRejected,
        Self::ConsentAsked,
        Self::ConsentGiven,
        Self::ConsentRefused,
        Self::ConsentLapsed,
        Self::ConsentLate,
        Self::CampaignStarted,
        Self::CampaignResumed,
        Self::UpdateStarted,
        Self::UpdateFinished,
        Self::UpdateError,
        Self::PumpDead,
        Self::CampaignFinished,
        Self::CampaignFinishedWithErrors,
        Self::CampaignAbandoned,
        Self::NoPumpHeard,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|event| *event as u8 == byte)
    }
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogEntry {
    /// Goes up by one with each entry, from 1, over all boots.
    pub sequence: u32,
    /// Milliseconds since the boot it was written in.
    pub at_ms: u32,
    /// What happened.
    pub event: Event,
    /// To which pump.
    pub pump: Option<PumpNumber>,
    /// In which try of that pump in this campaign, from 1; 0 outside a try.
    pub attempt: u8,
    /// Why.
    pub cause: Option<Cause>,
}

/// An entry that has no sequence number yet.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Draft {
    event: Event,
    pump: Option<PumpNumber>,
    attempt: u8,
    cause: Option<Cause>,
}

impl Draft {
    pub(crate) const fn new(event: Event) -> Self {
        Self { event, pump: None, attempt: 0, cause: None }
    }

    pub(crate) const fn of(mut self, pump: PumpNumber) -> Self {
        self.pump = Some(pump);
        self
    }

    pub(crate) const fn attempt(mut self, attempt: u8) -> Self {
        self.attempt = attempt;
        self
    }

    pub(crate) const fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    pub(crate) fn entry(self, sequence: u32, now: Instant) -> LogEntry {
        LogEntry {
            sequence,
            at_ms: u32::try_from(now.as_micros() / 1_000).unwrap_or(u32::MAX),
            event: self.event,
            pump: self.pump,
            attempt: self.attempt,
            cause: self.cause,
        }
    }
}

impl LogEntry {
    /// The 16 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let [a, b, c, d] = self.sequence.to_le_bytes();
        let [e, f, g, h] = self.at_ms.to_le_bytes();
        let pump = self.pump.map_or(0, PumpNumber::get);
        let head = [a, b, c, d, e, f, g, h, self.event as u8, pump, self.attempt, Cause::to_byte(self.cause)];
        let [i, j, k, l] = CRC32.checksum(&head).to_le_bytes();
        let [.., event, number, attempt, cause] = head;
        [a, b, c, d, e, f, g, h, event, number, attempt, cause, i, j, k, l]
    }

    /// Reads an entry; `None` if it is torn or was never written.
    #[must_use]
    pub fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, h, event, pump, attempt, cause, i, j, k, l] = bytes;
        let (head, _) = bytes.split_at(ENTRY_LEN - 4);
        if CRC32.checksum(head) != u32::from_le_bytes([i, j, k, l]) {
            return None;
        }
        Some(Self {
            sequence: u32::from_le_bytes([a, b, c, d]),
            at_ms: u32::from_le_bytes([e, f, g, h]),
            event: Event::from_byte(event)?,
            pump: PumpNumber::new(pump),
            attempt,
            cause: Cause::from_code(u16::from(cause)),
        })
    }
}

fn place(sequence: u32) -> u16 {
    let slot = u16::try_from(sequence % u32::from(LOG_ENTRIES)).unwrap_or(0);
    LOG_START.saturating_add(slot.saturating_mul(ENTRY_LEN as u16))
}

fn read_at<N: NonVolatile + ?Sized>(nvm: &N, sequence: u32) -> Option<LogEntry> {
    let mut bytes = [0; ENTRY_LEN];
    nvm.read(place(sequence), &mut bytes);
    LogEntry::decode(&bytes)
}

/// Writes an entry to its place.
pub(crate) fn write<N: NonVolatile + ?Sized>(nvm: &mut N, entry: &LogEntry) {
    nvm.write(place(entry.sequence), &entry.encode());
}

/// Writes an entry unless it is already there.
pub(crate) fn write_missing<N: NonVolatile + ?Sized>(nvm: &mut N, entry: &LogEntry) {
    if read_at(nvm, entry.sequence).as_ref() != Some(entry) {
        write(nvm, entry);
    }
}

/// The highest sequence number in the ring, 0 if it is empty.
pub(crate) fn newest<N: NonVolatile + ?Sized>(nvm: &N) -> u32 {
    (0..u32::from(LOG_ENTRIES)).filter_map(|slot| read_at(nvm, slot)).map(|entry| entry.sequence).max().unwrap_or(0)
}

/// All entries, oldest first; torn ones are left out.
pub fn entries<N: NonVolatile + ?Sized>(nvm: &N) -> impl Iterator<Item = LogEntry> + '_ {
    let last = newest(nvm);
    let first = last.saturating_sub(u32::from(LOG_ENTRIES) - 1).max(1);
    (first..=last).filter_map(move |sequence| read_at(nvm, sequence).filter(|entry| entry.sequence == sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const ENTRY: LogEntry = LogEntry {
        sequence: 0x0102_0304,
        at_ms: 5,
        event: Event::UpdateError,
        pump: PumpNumber::new(14),
        attempt: 2,
        cause: Some(Cause::Timeout),
    };

    #[test]
    fn an_entry_has_the_bytes_that_the_table_says() {
        let bytes = ENTRY.encode();
        assert_eq!(bytes[..12], [4, 3, 2, 1, 5, 0, 0, 0, 16, 14, 2, 4]);
        assert_eq!(LogEntry::decode(&bytes), Some(ENTRY));
    }

    #[test]
    fn no_single_flipped_bit_goes_unseen() {
        for bit in 0..ENTRY_LEN * 8 {
            let mut bytes = ENTRY.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(LogEntry::decode(&bytes), None);
        }
    }

    #[test]
    fn empty_memory_holds_no_entries() {
        assert_eq!(LogEntry::decode(&[0; ENTRY_LEN]), None);
        assert_eq!(LogEntry::decode(&[0xFF; ENTRY_LEN]), None);
    }

    #[test]
    fn causes_are_shown_as_the_source_writes_them() {
        assert_eq!(Cause::LowSupply.to_string(), "FW003");
        assert_eq!(Cause::Interrupted.to_string(), "FW106");
        for code in 0..300 {
            assert!(Cause::from_code(code).is_none_or(|cause| cause.code() == code));
        }
        assert_eq!((0..300).filter_map(Cause::from_code).count(), 11);
    }

    #[test]
    fn every_event_survives_its_byte() {
        for event in Event::ALL {
            assert_eq!(Event::from_byte(event as u8), Some(event));
        }
    }
}
