//! RAM and flash of a safety CPU behind the ports of its firmware, with the faults that cells can have.
//!
//! The healthy path looks once whether there is a fault. A *cell* is one bit of one word. Faults act at the port, as in the
//! cells themselves: stuck-at at every access, transition and coupling at a write, a flip once.

use std::cell::Cell;
use std::sync::Arc;

use safety_common::flash_map::{self, image, production};
use safety_common::io::{FlashCommand, FlashPort, RamPort};

use crate::safety::binary::crc32;

/// A bit of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellPlace {
    /// The word.
    pub word: u32,
    /// The bit, 0 to 31.
    pub bit: u8,
}

impl CellPlace {
    fn mask(self) -> u32 {
        1u32.checked_shl(u32::from(self.bit)).unwrap_or(0)
    }
}

/// What is wrong with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellFault {
    /// It always reads this.
    StuckAt(CellPlace, bool),
    /// It cannot be brought to this value.
    NoTransition(CellPlace, bool),
    /// The second cell inverts when the first changes to this value.
    Coupling(CellPlace, bool, CellPlace),
    /// Accesses to the first word reach the second.
    Address(u32, u32),
}

/// The RAM of one CPU.
#[derive(Clone, Debug)]
pub struct Ram {
    words: Arc<Vec<u32>>,
    faults: Vec<(u16, CellFault)>,
    /// Who put the faults in that made a difference since the last look.
    acted: Vec<u16>,
    /// A control of tests and evidence: words of which no write is seen.
    skipped: (u32, u32),
}

impl Ram {
    /// RAM of so many words that hold what came up with power: a pattern made of their numbers.
    #[must_use]
    pub fn new(words: u32) -> Self {
        let noise = |word: u32| word.wrapping_mul(0x9E37_79B9) ^ word.rotate_left(7);
        let words = Arc::new((0..words).map(noise).collect());
        Self { words, faults: Vec::new(), acted: Vec::new(), skipped: (0, 0) }
    }

    /// What the firmware gets for a step.
    pub fn port(&mut self) -> RamView<'_> {
        let words = Cell::from_mut(Arc::make_mut(&mut self.words).as_mut_slice()).as_slice_of_cells();
        RamView {
            words,
            healthy: if self.faults.is_empty() { words } else { &[] },
            run: &[],
            faults: &self.faults,
            acted: &mut self.acted,
            skipped: self.skipped,
            lowest: u32::MAX,
            highest: 0,
        }
    }

    /// From now on no test comes to these words, as far as can be seen from outside. No scenario can ask for it.
    pub fn skip(&mut self, from: u32, to: u32) {
        self.skipped = (from, to);
    }

    /// Puts a fault in; `owner` takes it out again.
    pub fn add(&mut self, owner: u16, fault: CellFault) {
        self.faults.push((owner, fault));
    }

    /// Takes the faults of `owner` out.
    pub fn remove(&mut self, owner: u16) {
        self.faults.retain(|(other, _)| *other != owner);
    }

    /// Who put the faults in that made a difference since the last look, in no order, each once.
    pub fn take_acted(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.acted)
    }

    /// Inverts a bit once; what the word was and is.
    pub fn flip(&mut self, place: CellPlace) -> Option<(u32, u32)> {
        let word = Arc::make_mut(&mut self.words).get_mut(place.word as usize)?;
        let before = *word;
        *word ^= place.mask();
        Some((before, *word))
    }
}

/// The RAM during a step.
pub struct RamView<'a> {
    words: &'a [Cell<u32>],
    /// All words, if no cell of them has a fault; else none.
    healthy: &'a [Cell<u32>],
    /// The healthy words from the lowest to the highest: they can be written without another look.
    run: &'a [Cell<u32>],
    faults: &'a [(u16, CellFault)],
    acted: &'a mut Vec<u16>,
    /// See [`Ram::skip`].
    skipped: (u32, u32),
    /// The lowest word of the first run of neighbours written in this step: what a test covers as a whole. A word far
    /// away, such as the partner of a test of address lines, belongs to no run.
    pub lowest: u32,
    /// The highest.
    pub highest: u32,
}

/// The value that a word with these faults shows.
fn shown<'a>(place: u32, stored: u32, faults: impl Iterator<Item = &'a (u16, CellFault)>) -> u32 {
    faults.fold(stored, |value, (_, fault)| match fault {
        CellFault::StuckAt(cell, true) if cell.word == place => value | cell.mask(),
        CellFault::StuckAt(cell, false) if cell.word == place => value & !cell.mask(),
        _ => value,
    })
}

impl RamView<'_> {
    /// The faults without those that an equal one before them does already.
    fn different(&self) -> impl Iterator<Item = &(u16, CellFault)> {
        let faults = self.faults;
        let is_new = move |number: usize| !faults[..number].iter().any(|(_, before)| *before == faults[number].1);
        faults.iter().enumerate().filter(move |(number, _)| is_new(*number)).map(|(_, fault)| fault)
    }

    fn place(&self, word: u32) -> (u32, Option<u16>) {
        let alias = self.faults.iter().find_map(|(owner, fault)| match fault {
            CellFault::Address(from, to) if *from == word => Some((*to, *owner)),
            _ => None,
        });
        alias.map_or((word, None), |(to, owner)| (to, (to != word).then_some(owner)))
    }

    fn act(&mut self, owners: impl IntoIterator<Item = u16>) {
        for owner in owners {
            if !self.acted.contains(&owner) {
                self.acted.push(owner);
            }
        }
    }

    fn value(&self, word: u32) -> Option<u32> {
        self.words.get(word as usize).map(Cell::get)
    }

    /// A write to a word that was not in the run before. A march writes each of its words several times.
    #[inline(never)]
    fn write_anew(&mut self, word: u32, value: u32) {
        if !(self.skipped.0..self.skipped.1).contains(&word) {
            self.cover(word);
        }
        match self.healthy.get(word as usize) {
            Some(cell) => cell.set(value),
            None => self.faulty_write(word, value),
        }
    }

    /// A word that a test writes: it begins the run, or makes it longer.
    fn cover(&mut self, word: u32) {
        if self.lowest > self.highest {
            (self.lowest, self.highest) = (word, word);
        } else if word.checked_sub(1) == Some(self.highest) {
            self.highest = word;
        } else if word.checked_add(1) == Some(self.lowest) {
            self.lowest = word;
        } else {
            return;
        }
        self.run = self.healthy.get(self.lowest as usize..self.highest as usize + 1).unwrap_or_default();
    }

    #[cold]
    fn faulty_read(&mut self, word: u32) -> u32 {
        let (place, alias) = self.place(word);
        let stored = self.value(place).unwrap_or(0);
        let read = shown(place, stored, self.different());
        // One of which the word would show the same has not acted.
        let needed = |owner: &u16| shown(place, stored, self.different().filter(|(own, _)| own != owner)) != read;
        let needed: Vec<u16> = self.different().map(|(owner, _)| *owner).filter(needed).collect();
        self.act(needed.into_iter().chain(alias));
        read
    }

    #[cold]
    #[inline(never)]
    fn faulty_write(&mut self, word: u32, value: u32) {
        let (place, alias) = self.place(word);
        let Some(old) = self.value(place) else { return };
        let mut new = value;
        let mut acted: Vec<u16> = alias.into_iter().collect();
        let mut victims = Vec::new();
        for (owner, fault) in self.different() {
            if let CellFault::NoTransition(cell, to) = fault
                && cell.word == place
                && (old ^ new) & cell.mask() != 0
                && (new & cell.mask() != 0) == *to
            {
                new ^= cell.mask();
                acted.push(*owner);
            }
        }
        for (owner, fault) in self.different() {
            if let CellFault::Coupling(from, to, victim) = fault
                && from.word == place
                && (old ^ new) & from.mask() != 0
                && (new & from.mask() != 0) == *to
            {
                victims.push((*owner, *victim));
            }
        }
        if let Some(cell) = self.words.get(place as usize) {
            cell.set(new);
        }
        for (owner, victim) in victims {
            if let Some(cell) = self.words.get(victim.word as usize) {
                cell.set(cell.get() ^ victim.mask());
                acted.push(owner);
            }
        }
        self.act(acted);
    }
}

impl RamPort for RamView<'_> {
    #[inline]
    fn read(&mut self, word: u32) -> u32 {
        match self.healthy.get(word as usize) {
            Some(cell) => cell.get(),
            None => self.faulty_read(word),
        }
    }

    #[inline]
    fn write(&mut self, word: u32, value: u32) {
        match self.run.get(word.wrapping_sub(self.lowest) as usize) {
            Some(cell) => cell.set(value),
            None => self.write_anew(word, value),
        }
    }
}

/// Runs of neighbouring bytes that a step of normal mode reads at most: two, where a slice ends one span and begins the next.
const RUNS: usize = 4;

/// What a step read of the flash: runs of addresses, each its first and the one behind its last. What there is no room for is not
/// counted as read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlashRuns {
    runs: [(u32, u32); RUNS],
    count: u8,
}

impl FlashRuns {
    fn add(&mut self, from: u32, to: u32) {
        let count = usize::from(self.count);
        match self.runs[..count].last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ if count < RUNS => {
                self.runs[count] = (from, to);
                self.count += 1;
            }
            _ => {}
        }
    }

    /// The runs, in the order of reading.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.runs[..usize::from(self.count)].iter().copied()
    }
}

/// The flash of one CPU. Shared until something changes in it.
#[derive(Clone, Debug)]
pub struct Flash {
    bytes: Arc<Vec<u8>>,
    /// A control of tests and evidence: the cells of these addresses are not read, a copy answers for them.
    shadow: Option<(u32, u32, Arc<Vec<u8>>)>,
}

/// What a unit's flash holds.
pub struct Contents<'a> {
    /// 1 or 2.
    pub cpu: u8,
    /// Code bytes of this CPU's image.
    pub code: &'a [u8],
    /// The release.
    pub release: (u32, u32),
    /// Serial number.
    pub serial: u32,
    /// Verifier of the password without a configuration.
    pub password: [u8; 16],
    /// The configuration's binary.
    pub configuration: &'a [u8],
}

impl Flash {
    /// Flash as the factory and the configuration tool leave it.
    #[must_use]
    pub fn new(contents: &Contents<'_>) -> Self {
        let mut bytes = vec![flash_map::ERASED; flash_map::LEN as usize];
        let mut put = |at: usize, data: &[u8]| bytes[at..at + data.len()].copy_from_slice(data);
        put(0, &header(contents));
        put(image::LEN, contents.code);
        put(flash_map::CONFIGURATION_AT as usize, contents.configuration);
        put(flash_map::PRODUCTION_AT as usize, &production_data(contents));
        Self { bytes: Arc::new(bytes), shadow: None }
    }

    /// From now on a copy of these addresses answers, and their cells are read no more: a flash test that skips them. No scenario can
    /// ask for it.
    pub fn skip(&mut self, from: u32, to: u32) {
        self.shadow = Some((from, to, Arc::clone(&self.bytes)));
    }

    /// The area of the configuration.
    #[must_use]
    pub fn configuration(&self) -> &[u8] {
        let from = flash_map::CONFIGURATION_AT as usize;
        self.bytes.get(from..from + flash_map::CONFIGURATION_LEN_MOST as usize).unwrap_or_default()
    }

    /// What the firmware gets for a step.
    #[must_use]
    pub fn port(&self) -> FlashView<'_> {
        FlashView { bytes: &self.bytes, shadow: self.shadow.as_ref(), read: Cell::new(FlashRuns::default()) }
    }

    /// Inverts bits of a byte; what it was and is.
    pub fn flip(&mut self, address: u32, bits: u8) -> Option<(u8, u8)> {
        let byte = Arc::make_mut(&mut self.bytes).get_mut(address as usize)?;
        let before = *byte;
        *byte ^= bits;
        Some((before, *byte))
    }

    /// Carries out an operation of the flash controller.
    pub fn carry_out(&mut self, command: &FlashCommand) {
        let bytes = Arc::make_mut(&mut self.bytes);
        match command {
            FlashCommand::EraseConfiguration => {
                let from = flash_map::CONFIGURATION_AT as usize;
                let area = bytes.get_mut(from..from + flash_map::CONFIGURATION_LEN_MOST as usize);
                area.into_iter().flatten().for_each(|byte| *byte = flash_map::ERASED);
            }
            FlashCommand::Program { address, row } => {
                let cells = bytes.get_mut(*address as usize..).unwrap_or_default();
                cells.iter_mut().zip(row).for_each(|(cell, byte)| *cell &= byte);
            }
        }
    }
}

fn header(contents: &Contents<'_>) -> [u8; image::LEN] {
    let mut header = [0; image::LEN];
    let mut put = |at: usize, data: &[u8]| header[at..at + data.len()].copy_from_slice(data);
    put(image::MAGIC, &image::MAGIC_VALUE.to_le_bytes());
    put(image::FORMAT, &1u16.to_le_bytes());
    put(image::CPU, &[contents.cpu]);
    put(image::RELEASE_ID, &contents.release.0.to_le_bytes());
    put(image::RELEASE_HASH, &contents.release.1.to_le_bytes());
    put(image::LENGTH, &u32::try_from(contents.code.len()).unwrap_or(u32::MAX).to_le_bytes());
    put(image::CODE_CRC, &crc32(contents.code).to_le_bytes());
    let crc = crc32(&header[..image::HEADER_CRC]);
    header[image::HEADER_CRC..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn production_data(contents: &Contents<'_>) -> [u8; production::LEN] {
    let mut record = [0; production::LEN];
    let mut put = |at: usize, data: &[u8]| record[at..at + data.len()].copy_from_slice(data);
    put(production::MAGIC, &production::MAGIC_VALUE.to_le_bytes());
    put(production::FORMAT, &1u16.to_le_bytes());
    put(production::SERIAL, &contents.serial.to_le_bytes());
    put(production::PASSWORD, &contents.password);
    let crc = crc32(&record[..production::CRC]);
    record[production::CRC..].copy_from_slice(&crc.to_le_bytes());
    record
}

/// The flash during a step.
pub struct FlashView<'a> {
    bytes: &'a [u8],
    shadow: Option<&'a (u32, u32, Arc<Vec<u8>>)>,
    /// What was read in this step.
    pub read: Cell<FlashRuns>,
}

impl FlashPort for FlashView<'_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let from = address as usize;
        let to = from.saturating_add(into.len());
        let shadow = self.shadow.filter(|(begin, end, _)| from < *end as usize && (*begin as usize) < to);
        let bytes = shadow.map_or(self.bytes, |(.., copy)| copy);
        let Some(found) = bytes.get(from..to) else { return false };
        into.copy_from_slice(found);
        if shadow.is_none() {
            let mut read = self.read.get();
            read.add(address, u32::try_from(to).unwrap_or(u32::MAX));
            self.read.set(read);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: CellPlace = CellPlace { word: 3, bit: 4 };

    fn after(fault: CellFault, writes: &[(u32, u32)]) -> (Vec<u32>, Vec<u16>) {
        let mut ram = Ram::new(8);
        ram.add(1, fault);
        let mut port = ram.port();
        writes.iter().for_each(|(word, value)| port.write(*word, *value));
        let words = (0..8).map(|word| port.read(word)).collect();
        (words, ram.take_acted())
    }

    #[test]
    fn each_kind_of_cell_fault_does_what_its_name_says() {
        let zeros: Vec<(u32, u32)> = (0..8).map(|word| (word, 0)).collect();
        let with = |more: &[(u32, u32)]| [&zeros[..], more].concat();
        assert_eq!(after(CellFault::StuckAt(CELL, true), &zeros), (vec![0, 0, 0, 0x10, 0, 0, 0, 0], vec![1]));
        assert_eq!(after(CellFault::NoTransition(CELL, true), &with(&[(3, 0xFF)])).0[3], 0xEF);
        assert_eq!(after(CellFault::NoTransition(CELL, false), &with(&[(3, 0xFF)])).0[3], 0xFF);
        let victim = CellPlace { word: 5, bit: 0 };
        assert_eq!(after(CellFault::Coupling(CELL, true, victim), &with(&[(3, 0x10)])).0[5], 1);
        assert_eq!(after(CellFault::Coupling(CELL, true, victim), &with(&[(3, 0x0F)])).0[5], 0);
        let (words, _) = after(CellFault::Address(2, 6), &with(&[(2, 7)]));
        assert_eq!((words[2], words[6]), (7, 7));
    }

    #[test]
    fn what_a_step_covers_is_a_run_of_neighbours_and_no_word_far_away() {
        let mut ram = Ram::new(64);
        let mut port = ram.port();
        for word in [8, 9, 10, 11, 7, 8, 40, 10] {
            port.write(word, 0);
        }
        assert_eq!((port.lowest, port.highest), (7, 11));
    }

    /// Of two faults at a cell the one that makes the difference has acted, and of two equal ones the first.
    #[test]
    fn a_cell_fault_that_another_one_hides_has_not_acted() {
        let acted = |faults: &[CellFault]| {
            let mut ram = Ram::new(8);
            (1..).zip(faults).for_each(|(owner, fault)| ram.add(owner, *fault));
            let mut port = ram.port();
            port.write(3, 0);
            let read = port.read(3);
            (read, ram.take_acted())
        };
        let (one, zero) = (CellFault::StuckAt(CELL, true), CellFault::StuckAt(CELL, false));
        assert_eq!(acted(&[one]), (0x10, vec![1]));
        assert_eq!(acted(&[one, one]), (0x10, vec![1]), "the second does nothing more");
        assert_eq!(acted(&[one, zero]), (0, vec![2]), "without the second it would show the first");
        assert_eq!(acted(&[zero, one]), (0x10, vec![2]), "the last one rules");
        assert_eq!(acted(&[CellFault::StuckAt(CellPlace { word: 5, bit: 0 }, true), one]), (0x10, vec![2]));
        let victim = CellPlace { word: 5, bit: 0 };
        let coupled = CellFault::Coupling(CELL, false, victim);
        let mut ram = Ram::new(8);
        (1..3).for_each(|owner| ram.add(owner, coupled));
        let mut port = ram.port();
        port.write(5, 0);
        port.write(3, 0x10);
        port.write(3, 0);
        assert_eq!((port.read(5), ram.take_acted()), (1, vec![1]), "two equal ones do not cancel out");
    }

    /// SSR-005: what a step reads are runs of addresses; a gap between two is not read.
    #[test]
    fn reads_of_flash_are_runs_with_the_gaps_between_them() {
        let contents =
            Contents { cpu: 1, code: &[7; 64], release: (1, 2), serial: 3, password: [0; 16], configuration: &[] };
        let mut flash = Flash::new(&contents);
        let runs = |flash: &Flash, reads: &[(u32, usize)]| {
            let port = flash.port();
            reads.iter().for_each(|(at, len)| assert!(port.read(*at, &mut vec![0; *len])));
            port.read.get().iter().collect::<Vec<_>>()
        };
        assert_eq!(runs(&flash, &[(0, 32)]), [(0, 32)]);
        assert_eq!(runs(&flash, &[(0, 20), (20, 12)]), [(0, 32)]);
        assert_eq!(runs(&flash, &[(0, 20), (64, 12)]), [(0, 20), (64, 76)]);
        assert!(!flash.port().read(flash_map::LEN, &mut [0]));
        // A copy that answers for cells is seen as cells that nobody reads.
        flash.skip(32, 64);
        let before = flash.bytes[40];
        flash.flip(40, 1);
        assert_eq!(runs(&flash, &[(0, 32), (32, 32), (64, 32)]), [(0, 32), (64, 96)]);
        let mut read = [0];
        assert!(flash.port().read(40, &mut read));
        assert_eq!(read[0], before);
    }

    #[test]
    fn a_fault_that_was_taken_out_leaves_healthy_ram() {
        let mut ram = Ram::new(8);
        ram.add(1, CellFault::StuckAt(CELL, true));
        ram.remove(1);
        ram.port().write(3, 0);
        assert_eq!(ram.port().read(3), 0);
        assert_eq!(ram.flip(CELL), Some((0, 0x10)));
        assert_eq!(ram.port().read(3), 0x10);
    }
}
