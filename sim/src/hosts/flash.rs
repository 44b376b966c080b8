//! Flash of a pump's controller: what an erase or a program does, also when power fails in the middle.
//!
//! Fault model. An operation that power cuts
//! - *before* it begins changes nothing;
//! - *in the middle* leaves a torn word (each bit on its way from 1 to 0 may or may not have arrived) or a half-erased
//!   sector (each bit on its way from 0 to 1 may or may not have arrived, and the sector reads unstable until it is
//!   erased again: bits that had moved may read either way, anew at each boot);
//! - *after* its end is complete, though the firmware was not told.
//!
//! Programming a word that is not erased is a defect of the firmware: it is counted, and the result is the bitwise
//! AND, as NOR flash has it. Pages of 4 KB are shared between snapshots and copied when written.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use bevy_ecs::prelude::Component;
use protocol::header::ImageHeader;
use pump::flash_map::{SECTOR_LEN, SECTORS};
use pump::{FlashCommand, FlashMemory};
use rand::Rng;

use super::image;
use crate::kernel::{SimTime, Span, Stream, hash_stream};

const PAGE: usize = 4_096;
const PAGES: usize = SECTORS as usize * SECTOR_LEN as usize / PAGE;

/// Durations of flash operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlashTimes {
    /// Erase of one 128 KB sector.
    pub sector_erase: Span,
    /// Program of one 32-bit word.
    pub word_program: Span,
    /// Whether the core stands still during an operation, as with a single bank.
    pub stalls_core: bool,
}

/// An operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What was asked.
    pub command: FlashCommand,
    /// Its number, from 1, counted over the whole run.
    pub number: u64,
    /// When it began.
    pub begun: SimTime,
    /// When it ends.
    pub ends: SimTime,
    /// Whether a fault makes it fail.
    pub fails: bool,
}

/// A defect of the firmware that a test plants at its flash port, outside the firmware's source: what it reads, and what
/// its commands become.
pub struct Planted {
    /// Fills in what is read at an address, if it does so instead of the flash.
    pub read: fn(&Flash, u32, &mut [u8]) -> bool,
    /// What a command becomes.
    pub command: fn(&Flash, FlashCommand) -> FlashCommand,
}

type Page = Arc<[u8; PAGE]>;

/// The application slot of one pump.
#[derive(Component, Clone)]
pub struct Flash {
    pages: Vec<Option<Page>>,
    /// The header of the application, read when somebody asks and until the next change of what is stored.
    header: OnceLock<Option<ImageHeader>>,
    /// Durations; a fault may stretch them.
    pub times: FlashTimes,
    /// The operation under way.
    pub operation: Option<Operation>,
    /// Operations begun so far, those of controllers that another one has replaced included.
    pub operations: u64,
    /// Those of them that another controller had begun.
    others: u64,
    /// Words programmed that were not erased: a defect of the firmware.
    pub unerased_writes: u64,
    /// Operations that power cut in the middle.
    pub torn: u64,
    /// Bits that a fault has inverted and nothing has erased or written since, each with its number from 1.
    flipped: Vec<(u64, u64)>,
    /// How often a fault has inverted a bit.
    flips: u64,
    unstable: [u64; SECTORS as usize],
    boots: u64,
    random: Stream,
    /// A defect that a test has planted; none in any run of a scenario.
    pub planted: Option<&'static Planted>,
}

impl Hash for Flash {
    /// What is stored, what goes on and what random bits are to come. How many operations there were is no state, but
    /// whether any was a defect of the firmware is.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { pages, times, operation, operations: _, unerased_writes, torn: _, unstable, .. } = self;
        let Self { boots, random, planted: _, .. } = self;
        pages.hash(to);
        (times, operation.map(|operation| Operation { number: 0, ..operation }), unerased_writes, unstable).hash(to);
        // Boots matter to what unstable bits read, and to nothing else.
        unstable.iter().any(|key| *key != 0).then_some(boots).hash(to);
        hash_stream(random, to);
    }
}

impl Flash {
    /// An erased flash; `random` decides what interrupted operations leave behind.
    #[must_use]
    pub fn erased(times: FlashTimes, random: Stream) -> Self {
        Self {
            pages: vec![None; PAGES],
            header: OnceLock::new(),
            times,
            operation: None,
            operations: 0,
            others: 0,
            unerased_writes: 0,
            torn: 0,
            flipped: Vec::new(),
            flips: 0,
            unstable: [0; SECTORS as usize],
            boots: 0,
            random,
            planted: None,
        }
    }

    /// A flash that holds an image and its valid marker, as the factory leaves it.
    #[must_use]
    pub fn with_image(times: FlashTimes, random: Stream, image: &[u8]) -> Self {
        let mut flash = Self::erased(times, random);
        flash.load(image);
        flash
    }

    /// Another controller takes this one's place: its flash holds `image` and its valid marker.
    pub fn exchange(&mut self, image: &[u8]) {
        self.others = self.operations;
        self.load(image);
    }

    /// Whether this very controller began an operation.
    #[must_use]
    pub const fn was_written(&self) -> bool {
        self.operations > self.others
    }

    fn load(&mut self, image: &[u8]) {
        self.header.take();
        self.pages = vec![None; PAGES];
        self.flipped.clear();
        self.operation = None;
        self.unstable = [0; SECTORS as usize];
        for (page, bytes) in image.chunks(PAGE).enumerate() {
            self.page_mut(page)[..bytes.len()].copy_from_slice(bytes);
        }
        let marker = usize::try_from(pump::flash_map::MARKER_ADDRESS).expect("the slot fits");
        let bytes = pump::flash_map::MARKER.to_le_bytes();
        self.page_mut(marker / PAGE)[marker % PAGE..marker % PAGE + 4].copy_from_slice(&bytes);
    }

    fn page_mut(&mut self, page: usize) -> &mut [u8; PAGE] {
        self.header.take();
        Arc::make_mut(self.pages[page].get_or_insert_with(|| Arc::new([0xFF; PAGE])))
    }

    /// Begins an operation at `now`.
    pub fn begin(&mut self, now: SimTime, command: FlashCommand, fails: bool) -> Operation {
        let command = self.planted.map_or(command, |planted| (planted.command)(self, command));
        self.operations += 1;
        let duration = match command {
            FlashCommand::Erase { .. } => self.times.sector_erase,
            FlashCommand::Program { .. } => self.times.word_program,
        };
        let operation = Operation { command, number: self.operations, begun: now, ends: now + duration, fails };
        self.operation = Some(operation);
        operation
    }

    /// Ends the operation under way; `true` if it did what was asked.
    pub fn finish(&mut self) -> bool {
        let Some(operation) = self.operation.take() else { return false };
        if operation.fails {
            self.tear(operation.command);
            return false;
        }
        match operation.command {
            FlashCommand::Erase { sector } => self.erase(sector),
            FlashCommand::Program { address, word } => self.program(address, word),
        }
        true
    }

    /// Power failed at `now`: completes, tears or drops the operation under way.
    pub fn power_lost(&mut self, now: SimTime) {
        self.boots += 1;
        let Some(operation) = self.operation else { return };
        if now >= operation.ends {
            self.finish();
        } else if now > operation.begun {
            self.operation = None;
            self.torn += 1;
            self.tear(operation.command);
        } else {
            self.operation = None;
        }
    }

    fn erase(&mut self, sector: u8) {
        self.header.take();
        let pages = self.sector_pages(sector);
        self.forget_flips(pages.start * PAGE, pages.len() * PAGE);
        for page in pages {
            self.pages[page] = None;
        }
        if let Some(unstable) = self.unstable.get_mut(usize::from(sector)) {
            *unstable = 0;
        }
    }

    fn program(&mut self, address: u32, word: u32) {
        let Ok(at) = usize::try_from(address) else { return };
        let old = self.stored_word(at);
        // A word that was erased but for what a fault has inverted is none that the firmware could have left out.
        if old != u32::MAX && self.word_before(at, 0) != u32::MAX {
            self.unerased_writes += 1;
        }
        self.forget_flips(at, 4);
        self.store_word(at, old & word);
    }

    /// What stands there now is no fault's work any more.
    fn forget_flips(&mut self, from: usize, length: usize) {
        let inside = |bit: u64| usize::try_from(bit / 8).is_ok_and(|at| (from..from + length).contains(&at));
        self.flipped.retain(|(_, bit)| !inside(*bit));
    }

    /// The word at `at` without the bits that faults have inverted after the first `flips` of them.
    fn word_before(&self, at: usize, flips: u64) -> u32 {
        let since = self.flipped.iter().filter(|(number, _)| *number > flips);
        let inside = since.filter_map(|(_, bit)| bit.checked_sub(at as u64 * 8)).filter(|bit| *bit < 32);
        inside.fold(self.stored_word(at), |word, bit| word ^ 1 << bit)
    }

    /// How often a fault has inverted a bit so far.
    #[must_use]
    pub const fn flips(&self) -> u64 {
        self.flips
    }

    /// This flash without the bits that faults have inverted after the first `flips` of them.
    #[must_use]
    pub fn before_flips(&self, flips: u64) -> Self {
        let mut before = self.clone();
        for (_, bit) in self.flipped.iter().filter(|(number, _)| *number > flips) {
            before.invert(*bit);
        }
        before
    }

    fn tear(&mut self, command: FlashCommand) {
        match command {
            FlashCommand::Erase { sector } => self.half_erase(sector),
            FlashCommand::Program { address, word } => {
                let Ok(at) = usize::try_from(address) else { return };
                let old = self.stored_word(at);
                let moved = self.random.next_u32();
                self.store_word(at, old & (word | moved));
            }
        }
    }

    fn half_erase(&mut self, sector: u8) {
        for page in self.sector_pages(sector) {
            if self.pages[page].is_some() {
                let mut moved = [0; PAGE];
                self.random.fill_bytes(&mut moved);
                self.page_mut(page).iter_mut().zip(moved).for_each(|(byte, moved)| *byte |= moved);
            }
        }
        let key = self.random.next_u64() | 1;
        if let Some(unstable) = self.unstable.get_mut(usize::from(sector)) {
            *unstable = key;
        }
    }

    fn sector_pages(&self, sector: u8) -> std::ops::Range<usize> {
        let per_sector = PAGES / SECTORS as usize;
        let first = (usize::from(sector) * per_sector).min(PAGES);
        first..(first + per_sector).min(PAGES)
    }

    fn stored_word(&self, at: usize) -> u32 {
        let mut bytes = [0xFF; 4];
        if let Some(Some(page)) = self.pages.get(at / PAGE)
            && let Some(stored) = page.get(at % PAGE..at % PAGE + 4)
        {
            bytes.copy_from_slice(stored);
        }
        u32::from_le_bytes(bytes)
    }

    fn store_word(&mut self, at: usize, word: u32) {
        if at / PAGE < PAGES && at.is_multiple_of(4) {
            self.page_mut(at / PAGE)[at % PAGE..at % PAGE + 4].copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Flips one stored bit, as radiation or wear does; `false` if it lies outside the slot.
    pub fn flip_bit(&mut self, bit: u64) -> bool {
        let Ok(at) = usize::try_from(bit / 8) else { return false };
        if at / PAGE >= PAGES {
            return false;
        }
        self.flips += 1;
        self.flipped.push((self.flips, bit));
        self.invert(bit);
        true
    }

    fn invert(&mut self, bit: u64) {
        let Ok(at) = usize::try_from(bit / 8) else { return };
        self.page_mut(at / PAGE)[at % PAGE] ^= 1 << (bit % 8);
    }

    /// The header of the application, if it is whole: marker, header, length and checksum are right.
    #[must_use]
    pub fn valid_header(&self) -> Option<ImageHeader> {
        *self.header.get_or_init(|| self.read_header())
    }

    fn read_header(&self) -> Option<ImageHeader> {
        let marker = usize::try_from(pump::flash_map::MARKER_ADDRESS).ok()?;
        if self.stored_word(marker) != pump::flash_map::MARKER {
            return None;
        }
        image::leading(&self.dump(0, marker))
    }

    /// The stored bytes from `address` on, as a programmer would read them out.
    #[must_use]
    pub fn dump(&self, address: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0xFF; length];
        self.copy(address, &mut bytes);
        bytes
    }

    /// Whether the slot begins with exactly these stored bytes.
    #[must_use]
    pub fn holds(&self, image: &[u8]) -> bool {
        image.chunks(PAGE).enumerate().all(|(number, chunk)| match self.pages.get(number) {
            Some(Some(page)) => page.starts_with(chunk),
            _ => chunk.iter().all(|byte| *byte == 0xFF),
        })
    }

    /// Copies stored bytes page by page; outside the slot and where it is erased they read 0xFF.
    fn copy(&self, start: usize, into: &mut [u8]) {
        let mut done = 0;
        while done < into.len() {
            let at = start + done;
            let part = (PAGE - at % PAGE).min(into.len() - done);
            let to = &mut into[done..done + part];
            match self.pages.get(at / PAGE) {
                Some(Some(page)) => to.copy_from_slice(&page[at % PAGE..at % PAGE + part]),
                _ => to.fill(0xFF),
            }
            done += part;
        }
    }

    /// What an unstable bit reads: bits of a half-erased sector that are 1 may read 0 in this boot.
    fn unstable_mask(&self, at: usize) -> u8 {
        let sector = at / SECTOR_LEN as usize;
        match self.unstable.get(sector).copied().unwrap_or(0) {
            0 => 0xFF,
            key => (mix(key ^ self.boots << 40 ^ at as u64) & 0xFF) as u8 | 0x55,
        }
    }
}

/// A bijective scrambling of 64 bits (the finaliser of SplitMix64).
fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

/// What the firmware reads; counts the bytes so that the CPU can be charged for them.
pub struct FlashReader<'a> {
    flash: &'a Flash,
    /// Bytes read in this step.
    pub bytes: std::cell::Cell<u64>,
}

impl<'a> FlashReader<'a> {
    /// A port to `flash` for one step of the firmware.
    #[must_use]
    pub fn new(flash: &'a Flash) -> Self {
        Self { flash, bytes: std::cell::Cell::new(0) }
    }
}

impl FlashMemory for FlashReader<'_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let Ok(start) = usize::try_from(address) else { return false };
        if start + into.len() > PAGES * PAGE {
            return false;
        }
        self.bytes.set(self.bytes.get() + into.len() as u64);
        if self.flash.planted.is_some_and(|planted| (planted.read)(self.flash, address, into)) {
            return true;
        }
        self.flash.copy(start, into);
        if self.flash.unstable.iter().any(|key| *key != 0) {
            for (offset, byte) in into.iter_mut().enumerate() {
                *byte &= self.flash.unstable_mask(start + offset);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stream;

    const TIMES: FlashTimes =
        FlashTimes { sector_erase: Span::from_secs(1), word_program: Span::from_micros(16), stalls_core: true };

    fn word(flash: &Flash, address: u32) -> u32 {
        let mut bytes = [0; 4];
        assert!(FlashReader::new(flash).read(address, &mut bytes));
        u32::from_le_bytes(bytes)
    }

    fn run(flash: &mut Flash, command: FlashCommand) -> bool {
        flash.begin(SimTime::ZERO, command, false);
        flash.finish()
    }

    #[test]
    fn a_word_is_programmed_and_an_erase_takes_its_whole_sector_back() {
        let mut flash = Flash::erased(TIMES, stream(1, "flash"));
        assert!(run(&mut flash, FlashCommand::Program { address: 8, word: 0x1234_5678 }));
        assert!(run(&mut flash, FlashCommand::Program { address: SECTOR_LEN, word: 7 }));
        assert_eq!(word(&flash, 8), 0x1234_5678);
        assert!(run(&mut flash, FlashCommand::Erase { sector: 0 }));
        assert_eq!((word(&flash, 8), word(&flash, SECTOR_LEN)), (u32::MAX, 7));
    }

    #[test]
    fn writing_to_unerased_flash_is_counted_and_ands() {
        let mut flash = Flash::erased(TIMES, stream(1, "flash"));
        run(&mut flash, FlashCommand::Program { address: 0, word: 0xFF00_FF00 });
        assert_eq!(flash.unerased_writes, 0);
        run(&mut flash, FlashCommand::Program { address: 0, word: 0xF0F0_F0F0 });
        assert_eq!((flash.unerased_writes, word(&flash, 0)), (1, 0xF000_F000));
    }

    #[test]
    fn power_cut_before_in_the_middle_and_after_a_program() {
        let command = FlashCommand::Program { address: 0, word: 0 };
        let at = SimTime::from_nanos;
        let mut flash = Flash::erased(TIMES, stream(1, "flash"));
        flash.begin(at(100), command, false);
        flash.power_lost(at(100));
        assert_eq!((word(&flash, 0), flash.torn), (u32::MAX, 0));
        flash.begin(at(100), command, false);
        flash.power_lost(at(8_100));
        assert!(word(&flash, 0) != u32::MAX && word(&flash, 0) != 0 && flash.torn == 1);
        let mut flash = Flash::erased(TIMES, stream(1, "flash"));
        flash.begin(at(100), command, false);
        flash.power_lost(at(16_100));
        assert_eq!((word(&flash, 0), flash.torn), (0, 0));
    }

    #[test]
    fn a_half_erased_sector_reads_differently_after_another_boot_until_it_is_erased() {
        let mut flash = Flash::with_image(TIMES, stream(1, "flash"), &[0; 4_096]);
        flash.begin(SimTime::ZERO, FlashCommand::Erase { sector: 0 }, false);
        flash.power_lost(SimTime::from_nanos(500_000_000));
        let read = |flash: &Flash| {
            let mut bytes = [0; 256];
            FlashReader::new(flash).read(0, &mut bytes);
            bytes
        };
        let first = read(&flash);
        assert_eq!(first, read(&flash), "stable within one boot");
        flash.power_lost(SimTime::from_nanos(600_000_000));
        assert_ne!(first, read(&flash));
        run(&mut flash, FlashCommand::Erase { sector: 0 });
        assert_eq!(read(&flash), [0xFF; 256]);
    }

    #[test]
    fn a_copy_shares_its_pages_until_one_side_writes() {
        let mut flash = Flash::with_image(TIMES, stream(1, "flash"), &[0; 8_192]);
        let copy = flash.clone();
        assert!(flash.flip_bit(0));
        assert!(!flash.flip_bit(u64::MAX));
        assert_eq!((word(&flash, 0), word(&copy, 0)), (1, 0));
        assert!(Arc::ptr_eq(flash.pages[1].as_ref().unwrap(), copy.pages[1].as_ref().unwrap()));
    }
    #[test]
    fn the_header_is_read_anew_after_every_change_of_what_is_stored() {
        let version = protocol::header::Version { major: 1, minor: 0, patch: 0 };
        let model = protocol::header::ModelId(1);
        let image = image::made_up(1, model, version, 8_192);
        let flash = Flash::with_image(TIMES, stream(1, "flash"), &image);
        assert_eq!(flash.valid_header().map(|header| header.version), Some(version));
        let after = |change: &dyn Fn(&mut Flash)| {
            let mut changed = flash.clone();
            change(&mut changed);
            changed.valid_header()
        };
        assert_eq!(after(&|flash| assert!(flash.flip_bit(8 * 4_097))), None, "a bit of the image");
        assert_eq!(after(&|flash| assert!(run(flash, FlashCommand::Program { address: 4_096, word: 0 }))), None);
        assert_eq!(after(&|flash| assert!(run(flash, FlashCommand::Erase { sector: 0 }))), None);
        let torn = after(&|flash| {
            flash.begin(SimTime::ZERO, FlashCommand::Erase { sector: 0 }, false);
            flash.power_lost(SimTime::from_nanos(500_000_000));
        });
        assert_eq!(torn, None, "half erased");
        let newer = protocol::header::Version { major: 2, ..version };
        let other = image::made_up(2, model, newer, 8_192);
        assert_eq!(after(&|flash| flash.exchange(&other)).map(|header| header.version), Some(newer));
        assert_eq!(flash.valid_header().map(|header| header.version), Some(version), "the original is untouched");
    }
}
