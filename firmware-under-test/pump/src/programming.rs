//! Erasing and programming the slot, one flash operation at a time.
//!
//! ```text
//!   NotErased --erase--> Erased --0x34--> Receiving --0x37--> Complete --check, marker--> Valid
//!       ^                                     |                  |
//!       +---- flash failure, session end, reset (from anywhere) -+
//! ```
//! An erase that is asked for again, because its answer or the word that it goes on was lost, takes up what is left of
//! it: sectors that are known to be erased and unwritten since are not erased twice.
//!
//! A *stage* is how far an update has come; a *job* is the request being worked on, in small pieces that
//! [`Programming::next`] hands out. [`WritableSlot`] is the guard before the flash controller: it alone makes program
//! commands, it forgets everything at a reset, and it never names a word twice between two erases.

use protocol::header::{HEADER_LEN, ImageHeader, ModelId};
use protocol::uds::Refusal;

use crate::flash_map::{
    APPLICATION_START, ERASE_ORDER, IMAGE_LEN_MOST, MARKER, MARKER_ADDRESS, SECTORS, WORD_LEN, sector_of,
};
use crate::validity::{ImageCheck, ImageFault, check_header, has_marker};
use crate::{FlashCommand, FlashMemory, FlashResult};

/// Where the data of a transfer begin in its message, after service id and counter.
const DATA_OFFSET: u16 = 2;
const ALL_SECTORS: u8 = (1 << SECTORS) - 1;

/// Which words are known to be erased and not yet programmed.
#[derive(Clone, Debug, Default, Hash)]
struct WritableSlot {
    erased: u8,
    frontier: u32,
    marker_free: bool,
}

impl WritableSlot {
    /// Nothing may be programmed until all sectors were erased.
    fn close(&mut self) {
        *self = Self::default();
    }

    fn on_erased(&mut self, sector: u8) {
        self.erased |= 1u8.checked_shl(u32::from(sector)).unwrap_or(0);
        self.marker_free = self.is_erased(MARKER_ADDRESS);
    }

    fn is_erased(&self, address: u32) -> bool {
        sector_of(address).is_some_and(|sector| self.knows_erased(sector))
    }

    const fn knows_erased(&self, sector: u8) -> bool {
        matches!(self.erased.checked_shr(sector as u32), Some(bits) if bits & 1 == 1)
    }

    /// Whether nothing was programmed since the erase.
    fn is_unwritten(&self) -> bool {
        self.frontier == 0 && self.marker_free == self.is_erased(MARKER_ADDRESS)
    }

    /// How many sectors, in the order of erasing, need not be erased again.
    fn erased_so_far(&self) -> u8 {
        ERASE_ORDER.iter().take_while(|sector| self.knows_erased(**sector)).fold(0, |count, _| count.saturating_add(1))
    }

    /// Programs the next word of the image.
    fn program_next(&mut self, word: u32) -> Option<FlashCommand> {
        let address = self.frontier;
        if address >= MARKER_ADDRESS || !self.is_erased(address) {
            return None;
        }
        self.frontier = address.saturating_add(WORD_LEN);
        Some(FlashCommand::Program { address, word })
    }

    /// Programs the marker, once.
    fn program_marker(&mut self) -> Option<FlashCommand> {
        let free = core::mem::replace(&mut self.marker_free, false);
        free.then_some(FlashCommand::Program { address: MARKER_ADDRESS, word: MARKER })
    }
}

/// How far the update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    NotErased,
    Erased,
    Receiving(Download),
    Complete { length: u32 },
    Valid { length: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Download {
    length: u32,
    received: u32,
    /// Counter of the last block that is in flash.
    last: Option<u8>,
}

impl Download {
    const fn next_counter(&self) -> u8 {
        match self.last {
            Some(last) => last.wrapping_add(1),
            None => 1,
        }
    }
}

#[derive(Clone, Debug, Hash)]
enum Job {
    None,
    Erase { done: u8, announcement: Announcement },
    Program { at: u16, end: u16 },
    Check(ImageCheck),
    Marker { header: ImageHeader },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Announcement {
    Due,
    Asked,
    Made,
}

/// What a job wants next.
#[derive(Clone, Debug)]
pub(crate) enum Todo {
    /// Nothing until something happens.
    Wait,
    /// Tell the client that the core is about to stall; then call [`Programming::announced`].
    Announce,
    /// Start this operation.
    Flash(FlashCommand),
    /// Call again at once.
    Again,
    /// The job has ended.
    Finished(Result<Outcome, Refusal>),
}

/// How a job ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The slot is erased.
    Erased,
    /// The block with this counter is in flash.
    Block(u8),
    /// The image was checked; if it is good the marker is in flash.
    Checked(Result<ImageHeader, ImageFault>),
}

/// A transfer request that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transfer {
    /// Is already in flash.
    Repeated,
    /// Is being programmed.
    Begun,
}

/// The update as seen from the flash.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Programming {
    stage: Stage,
    slot: WritableSlot,
    job: Job,
    stalled: bool,
}

impl Programming {
    /// After a reset: nothing is known to be erased.
    pub(crate) fn new() -> Self {
        Self { stage: Stage::NotErased, slot: WritableSlot::default(), job: Job::None, stalled: false }
    }

    /// The update is over or given up: the next one begins with an erase.
    pub(crate) fn abandon(&mut self) {
        self.stage = Stage::NotErased;
        self.slot.close();
        self.job = Job::None;
    }

    /// Begins to erase all sectors that are not known to be erased and unwritten.
    pub(crate) fn erase(&mut self) {
        if !self.slot.is_unwritten() {
            self.slot.close();
        }
        self.stage = Stage::NotErased;
        self.job = Job::Erase { done: self.slot.erased_so_far(), announcement: Announcement::Due };
    }

    /// 0x34. A repeat before the first block is taken again, so that a lost answer costs no erase.
    pub(crate) fn request_download(&mut self, address: u32, length: u32) -> Result<(), Refusal> {
        match self.stage {
            Stage::Erased => {}
            Stage::Receiving(download) if download.last.is_none() => {}
            _ => return Err(Refusal::RequestSequenceError),
        }
        let has_payload = usize::try_from(length).is_ok_and(|length| length > HEADER_LEN);
        if address != APPLICATION_START || !has_payload || length > IMAGE_LEN_MOST {
            return Err(Refusal::RequestOutOfRange);
        }
        self.stage = Stage::Receiving(Download { length, received: 0, last: None });
        Ok(())
    }

    /// 0x36 with the block `data`.
    pub(crate) fn transfer(&mut self, counter: u8, data: &[u8], model: ModelId) -> Result<Transfer, Refusal> {
        let Stage::Receiving(download) = self.stage else { return Err(Refusal::RequestSequenceError) };
        if download.last == Some(counter) {
            return Ok(Transfer::Repeated);
        }
        if counter != download.next_counter() {
            return Err(Refusal::WrongBlockSequenceCounter);
        }
        let len = u16::try_from(data.len()).map_err(|_| Refusal::RequestOutOfRange)?;
        let received = download.received.saturating_add(u32::from(len));
        if received > download.length {
            return Err(Refusal::TransferDataSuspended);
        }
        // Only the image's last word may be padded.
        if received < download.length && u32::from(len) % WORD_LEN != 0 {
            return Err(Refusal::RequestOutOfRange);
        }
        if download.last.is_none() {
            check_first_block(data, model, download.length)?;
        }
        self.job = Job::Program { at: DATA_OFFSET, end: DATA_OFFSET.saturating_add(len) };
        Ok(Transfer::Begun)
    }

    /// 0x37. A repeat is taken again.
    pub(crate) fn exit(&mut self) -> Result<(), Refusal> {
        match self.stage {
            Stage::Receiving(Download { length, received, .. }) if received == length => {
                self.stage = Stage::Complete { length };
                Ok(())
            }
            Stage::Complete { .. } => Ok(()),
            _ => Err(Refusal::RequestSequenceError),
        }
    }

    /// Begins to check what is in flash, and to make it valid. A repeat after success checks again, marker included.
    pub(crate) fn check(&mut self, model: ModelId) -> Result<(), Refusal> {
        self.job = match self.stage {
            Stage::Complete { .. } => Job::Check(ImageCheck::without_marker(model)),
            Stage::Valid { .. } => Job::Check(ImageCheck::with_marker(model)),
            _ => return Err(Refusal::RequestSequenceError),
        };
        Ok(())
    }

    /// The announcement asked for by [`Todo::Announce`] has left, or could not; then the erase stops where it is, until
    /// it is asked for again.
    pub(crate) fn announced(&mut self, left: bool) {
        let Job::Erase { announcement, .. } = &mut self.job else { return };
        if *announcement != Announcement::Asked {
            return;
        }
        if left {
            *announcement = Announcement::Made;
        } else {
            self.job = Job::None;
        }
    }

    /// Whether a job is being worked on.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.job, Job::None)
    }

    /// A flash operation has ended; a refusal ends the job.
    pub(crate) fn on_flash(&mut self, result: FlashResult) -> Result<(), Refusal> {
        if !core::mem::replace(&mut self.stalled, false) {
            return Ok(());
        }
        if result == FlashResult::Failed {
            self.abandon();
            return Err(Refusal::GeneralProgrammingFailure);
        }
        match &mut self.job {
            Job::Program { at, .. } => *at = at.saturating_add(WORD_LEN as u16),
            Job::Erase { done, announcement } => {
                if let Some(sector) = ERASE_ORDER.get(usize::from(*done)) {
                    self.slot.on_erased(*sector);
                }
                *done = done.saturating_add(1);
                *announcement = Announcement::Due;
            }
            Job::None | Job::Check(_) | Job::Marker { .. } => {}
        }
        Ok(())
    }

    /// The next piece of the job; `message` is the transfer request it came with.
    pub(crate) fn next(&mut self, message: &[u8], flash: &impl FlashMemory) -> Todo {
        if self.stalled {
            return Todo::Wait;
        }
        let todo = match self.job {
            Job::Program { at, end } => self.next_word(message, at, end),
            Job::None => Todo::Wait,
            Job::Erase { done, announcement } => self.next_sector(done, announcement),
            Job::Check(_) => self.next_slice(flash),
            Job::Marker { header } => self.marker(header, flash),
        };
        match todo {
            Todo::Flash(_) => self.stalled = true,
            Todo::Finished(_) => self.job = Job::None,
            Todo::Wait | Todo::Announce | Todo::Again => {}
        }
        todo
    }

    fn next_sector(&mut self, done: u8, announcement: Announcement) -> Todo {
        let Some(&sector) = ERASE_ORDER.get(usize::from(done)) else {
            return self.all_erased();
        };
        match announcement {
            Announcement::Due => {
                self.job = Job::Erase { done, announcement: Announcement::Asked };
                Todo::Announce
            }
            Announcement::Asked => Todo::Wait,
            Announcement::Made => Todo::Flash(FlashCommand::Erase { sector }),
        }
    }

    fn all_erased(&mut self) -> Todo {
        if self.slot.erased != ALL_SECTORS {
            self.abandon();
            return Todo::Finished(Err(Refusal::GeneralProgrammingFailure));
        }
        self.stage = Stage::Erased;
        Todo::Finished(Ok(Outcome::Erased))
    }

    fn next_word(&mut self, message: &[u8], at: u16, end: u16) -> Todo {
        if at >= end {
            return self.block_programmed(end.saturating_sub(DATA_OFFSET));
        }
        let Some(rest) = message.get(usize::from(at)..usize::from(end)) else {
            return self.fail();
        };
        match self.slot.program_next(first_word(rest)) {
            Some(command) => Todo::Flash(command),
            None => self.fail(),
        }
    }

    fn block_programmed(&mut self, len: u16) -> Todo {
        let Stage::Receiving(download) = &mut self.stage else { return self.fail() };
        let counter = download.next_counter();
        download.last = Some(counter);
        download.received = download.received.saturating_add(u32::from(len));
        Todo::Finished(Ok(Outcome::Block(counter)))
    }

    /// A state that should not occur ends like a flash failure: erase and try again.
    fn fail(&mut self) -> Todo {
        self.abandon();
        Todo::Finished(Err(Refusal::GeneralProgrammingFailure))
    }

    fn next_slice(&mut self, flash: &impl FlashMemory) -> Todo {
        let Job::Check(check) = &mut self.job else { return Todo::Wait };
        let Some(verdict) = check.step(flash) else { return Todo::Again };
        match (verdict, self.stage) {
            (Ok(header), Stage::Complete { length }) if header.length == length => {
                self.job = Job::Marker { header };
                self.slot.program_marker().map_or_else(|| self.fail(), Todo::Flash)
            }
            (Ok(header), Stage::Valid { length }) if header.length == length => checked(Ok(header)),
            (Ok(_), _) => checked(Err(ImageFault::WrongLength)),
            (Err(fault), _) => checked(Err(fault)),
        }
    }

    fn marker(&mut self, header: ImageHeader, flash: &impl FlashMemory) -> Todo {
        match has_marker(flash) {
            Ok(()) => {
                self.stage = Stage::Valid { length: header.length };
                checked(Ok(header))
            }
            Err(fault) => checked(Err(fault)),
        }
    }
}

const fn checked(verdict: Result<ImageHeader, ImageFault>) -> Todo {
    Todo::Finished(Ok(Outcome::Checked(verdict)))
}

/// The first four bytes, padded with what erased flash reads as.
fn first_word(bytes: &[u8]) -> u32 {
    if let Some(word) = bytes.first_chunk() {
        return u32::from_le_bytes(*word);
    }
    let mut word = [0xFF; 4];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_le_bytes(word)
}

/// The first block must hold a header that fits this pump and the download (PFU-021): nothing of a foreign image is
/// programmed.
fn check_first_block(data: &[u8], model: ModelId, length: u32) -> Result<(), Refusal> {
    let header = data.first_chunk().and_then(|bytes| check_header(bytes, model).ok());
    match header {
        Some(header) if header.length == length => Ok(()),
        _ => Err(Refusal::RequestOutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use protocol::cyclic::PumpState;

    use super::*;
    use crate::flash_map::SECTOR_LEN;
    use crate::testing::{Bench, Fate, MODEL, Moment, Sabotage, StrictFlash, image};
    use units::Duration;

    /// The guard alone, whatever the stages above it allow.
    #[test]
    fn the_slot_guard_names_only_erased_words_and_each_once() {
        let mut slot = WritableSlot::default();
        assert!(slot.program_next(0).is_none() && slot.program_marker().is_none());
        slot.on_erased(0);
        assert!(slot.program_marker().is_none(), "the marker's sector is not erased");
        for n in 0..SECTOR_LEN / WORD_LEN {
            let address = n * WORD_LEN;
            assert_eq!(slot.program_next(n), Some(FlashCommand::Program { address, word: n }));
        }
        assert_eq!(slot.program_next(0), None, "sector 1 is not erased");
        (1..SECTORS).for_each(|sector| slot.on_erased(sector));
        let rest = core::iter::from_fn(|| slot.program_next(7)).count();
        assert_eq!(rest, (3 * SECTOR_LEN / WORD_LEN - 1) as usize, "all but the marker");
        assert!(slot.program_marker().is_some() && slot.program_marker().is_none());
        slot.close();
        assert!(slot.program_next(0).is_none() && slot.program_marker().is_none());
    }

    /// 25 words and a partial one, in two blocks.
    const PAYLOAD: usize = 39;
    const BLOCK_LEN: usize = 64;
    /// Four sectors, 26 words, the marker.
    const OPERATIONS: u32 = 31;

    #[test]
    fn an_update_programs_every_word_once_and_the_marker_last() {
        let mut bench = Bench::with_application();
        let image = image(MODEL, 2, PAYLOAD);
        bench.update(&image, BLOCK_LEN).unwrap();
        assert!(bench.flash.holds(&image));
        assert_eq!(bench.flash.operations, OPERATIONS);
        let words: Vec<u32> = (0..26).map(|n| n * 4).chain([MARKER_ADDRESS]).collect();
        assert_eq!(bench.flash.programmed, words);
        assert_eq!(bench.flash.bytes[103], 0xFF, "the last partial word is padded as erased");
    }

    #[test]
    fn an_image_of_the_largest_size_fits() {
        let mut bench = Bench::empty();
        let image = image(MODEL, 2, 0x7_FFFC - 64);
        bench.update(&image, 1_024).unwrap();
        assert!(bench.flash.holds(&image));
        assert_eq!(bench.flash.operations, 4 + 0x2_0000);
    }

    /// Cuts the power before, in the middle of and after every operation of an update, with several kinds of torn
    /// contents; returns how often something other than a whole image was started. The next try must always succeed.
    fn partial_starts(sabotage: &Sabotage) -> u32 {
        let (old, new) = (image(MODEL, 1, 1_000), image(MODEL, 2, PAYLOAD));
        let moments = [Moment::Before, Moment::Middle, Moment::After];
        let mut violations = 0;
        for (n, moment, seed) in (0..OPERATIONS).flat_map(|n| moments.map(|m| (n, m))).flat_map(|(n, m)| {
            let seeds = if m == Moment::Middle { 0..4 } else { 0..1 };
            seeds.map(move |seed| (n, m, seed))
        }) {
            let mut flash = StrictFlash::new(seed);
            flash.install(&old);
            flash.cut = Some((n, moment));
            let mut bench = Bench::new(flash);
            bench.run_for(Duration::from_millis(10));
            bench.sabotage = sabotage.clone();
            assert!(bench.update(&new, BLOCK_LEN).is_none() && !bench.powered, "no cut at {n} {moment:?}");
            bench.power_cycle();
            let whole = bench.flash.holds(&old) || bench.flash.holds(&new);
            let started = bench.pump.state().is_application();
            violations += u32::from(started && !whole);
            assert!(started || !whole, "a whole image is started: cut at {n} {moment:?}");
            bench.sabotage = Sabotage::default();
            bench.update(&new, BLOCK_LEN).unwrap_or_else(|| panic!("retry after a cut at {n} {moment:?}"));
            assert!(bench.flash.holds(&new));
        }
        violations
    }

    /// PFU-021.
    #[test]
    fn no_power_cut_starts_a_partial_image_and_the_next_try_succeeds() {
        assert_eq!(partial_starts(&Sabotage::default()), 0);
    }

    /// The order of writing and the check at boot each hold alone; the test above can fail when both are gone.
    #[test]
    fn the_power_cut_test_sees_a_bootloader_without_order_and_check() {
        let blind_check = image(MODEL, 2, PAYLOAD);
        assert_eq!(partial_starts(&Sabotage { marker_first: true, blind_check: Vec::new() }), 0);
        assert_eq!(partial_starts(&Sabotage { marker_first: false, blind_check: blind_check.clone() }), 0);
        assert!(partial_starts(&Sabotage { marker_first: true, blind_check }) > 20);
    }

    #[test]
    fn every_flash_failure_ends_the_try_with_0x72_and_the_next_try_succeeds() {
        let new = image(MODEL, 2, PAYLOAD);
        for n in 0..OPERATIONS {
            let mut bench = Bench::empty();
            bench.flash.fail_at = Some(n);
            assert!(bench.update(&new, BLOCK_LEN).is_none(), "operation {n}");
            bench.expect("> 36 02 00 \n < 7F 36 24");
            bench.run_for(Duration::from_millis(200));
            assert_eq!(bench.status().faults.0, 0b110, "no application, flash");
            bench.power_cycle();
            assert_eq!(bench.pump.state(), PumpState::Bootloader);
            bench.flash.fail_at = None;
            bench.update(&new, BLOCK_LEN).unwrap();
        }
    }

    #[test]
    fn a_lost_frame_costs_one_block_and_a_doubled_one_at_most_that() {
        let new = image(MODEL, 2, 2_000);
        for (n, fate) in (0..80).flat_map(|n| [(n, Fate::Lost), (n, Fate::Twice)]) {
            let mut bench = Bench::empty();
            bench.download(new.len()).unwrap();
            let before = bench.client_frames();
            bench.fate = Some((before + n, fate));
            bench.transfer(&new, 256).unwrap_or_else(|| panic!("{fate:?} at frame {n}"));
            bench.expect("> 37 \n < 77 \n > 31 01 FF 01 \n < 71 01 FF 01 00");
            assert!(bench.flash.holds(&new));
        }
    }

    #[test]
    fn a_repeat_of_the_last_block_is_answered_without_programming() {
        let new = image(MODEL, 2, PAYLOAD);
        let mut bench = Bench::empty();
        bench.download(new.len()).unwrap();
        bench.transfer(&new[..64], 64).unwrap();
        let operations = bench.flash.operations;
        bench.expect("> 36 01 AA BB \n < 76 01");
        assert_eq!(bench.flash.operations, operations);
    }

    #[test]
    fn block_counters_wrap_from_255_to_0() {
        let new = image(MODEL, 2, 64 * 299);
        let mut bench = Bench::empty();
        bench.update(&new, 64).unwrap();
        assert!(bench.flash.holds(&new));
    }

    #[test]
    fn what_nobody_waits_for_changes_nothing() {
        let flash = StrictFlash::new(1);
        let mut programming = Programming::new();
        assert!(matches!(programming.next(&[], &flash), Todo::Wait), "no job");
        assert_eq!(programming.on_flash(FlashResult::Failed), Ok(()), "no operation");
        programming.announced(false);
        programming.erase();
        programming.announced(false);
        assert!(programming.is_busy(), "no announcement was asked for yet");
        assert!(matches!(programming.next(&[], &flash), Todo::Announce));
        programming.announced(true);
        assert!(matches!(programming.next(&[], &flash), Todo::Flash(FlashCommand::Erase { .. })));
        assert!(matches!(programming.next(&[], &flash), Todo::Wait), "one operation at a time");
    }

    /// A flash that says "done" and does not hold the marker has no valid image.
    #[test]
    fn a_marker_that_is_not_in_flash_is_told() {
        let header = ImageHeader::decode(image(MODEL, 1, PAYLOAD).first_chunk().unwrap()).unwrap();
        let mut programming = Programming::new();
        let told = programming.marker(header, &StrictFlash::new(1));
        assert!(matches!(told, Todo::Finished(Ok(Outcome::Checked(Err(ImageFault::NoMarker))))), "{told:?}");
        assert_eq!(programming.stage, Stage::NotErased);
    }
}
