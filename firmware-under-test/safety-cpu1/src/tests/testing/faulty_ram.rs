//! A RAM with at most one fault, of the classes of van de Goor's fault models.

use std::vec;
use std::vec::Vec;

use safety_common::io::RamPort;

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) word: u32,
    pub(crate) bit: u32,
}

/// A permanent fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RamFaultModel {
    /// A cell keeps one value.
    StuckAt(Cell, bool),
    /// A cell cannot change to this value.
    Transition(Cell, bool),
    /// No cell answers to a word's address.
    NoWord(u32),
    /// A word's address reaches another word.
    OtherWord(u32, u32),
    /// A word's address reaches another word as well; reads give the AND.
    TwoWords(u32, u32),
    /// A change of the aggressor to this value inverts the victim (CFin).
    Inversion(Cell, bool, Cell),
    /// A change of the aggressor to this value sets the victim (CFid).
    Idempotent(Cell, bool, Cell, bool),
    /// While the aggressor has this value the victim has that (CFst).
    State(Cell, bool, Cell, bool),
}

/// The memory.
#[derive(Clone, Debug)]
pub(crate) struct FaultyRam {
    pub(crate) words: Vec<u32>,
    pub(crate) fault: Option<RamFaultModel>,
    /// Words read so far, one flag each.
    pub(crate) touched: Vec<bool>,
    /// Reads and writes so far.
    pub(crate) accesses: u64,
}

impl FaultyRam {
    pub(crate) fn new(words: u32, fault: Option<RamFaultModel>) -> Self {
        let count = words as usize;
        let mut ram = Self { words: vec![0x5A5A_1234; count], fault, touched: vec![false; count], accesses: 0 };
        ram.settle();
        ram
    }

    fn get(&self, cell: Cell) -> bool {
        self.words[cell.word as usize] >> cell.bit & 1 == 1
    }

    fn set(&mut self, cell: Cell, value: bool) {
        let word = &mut self.words[cell.word as usize];
        *word = *word & !(1 << cell.bit) | u32::from(value) << cell.bit;
    }

    /// What holds at any time.
    fn settle(&mut self) {
        match self.fault {
            Some(RamFaultModel::StuckAt(cell, value)) => self.set(cell, value),
            Some(RamFaultModel::State(aggressor, state, victim, value)) if self.get(aggressor) == state => {
                self.set(victim, value);
            }
            _ => {}
        }
    }

    fn store(&mut self, word: u32, value: u32) {
        let before = self.words[word as usize];
        self.words[word as usize] = value;
        let went = |cell: Cell, to: bool| {
            let bit = |word: u32| word >> cell.bit & 1 == 1;
            cell.word == word && bit(before) != to && bit(value) == to
        };
        match self.fault {
            Some(RamFaultModel::Transition(cell, to)) if went(cell, to) => self.set(cell, !to),
            Some(RamFaultModel::Inversion(aggressor, to, victim)) if went(aggressor, to) => {
                let now = self.get(victim);
                self.set(victim, !now);
            }
            Some(RamFaultModel::Idempotent(aggressor, to, victim, value)) if went(aggressor, to) => {
                self.set(victim, value);
            }
            _ => {}
        }
        self.settle();
    }
}

impl RamPort for FaultyRam {
    fn read(&mut self, word: u32) -> u32 {
        self.accesses += 1;
        let at = word as usize;
        if at >= self.words.len() {
            return 0;
        }
        self.touched[at] = true;
        match self.fault {
            Some(RamFaultModel::NoWord(none)) if none == word => 0,
            Some(RamFaultModel::OtherWord(wrong, other)) if wrong == word => self.words[other as usize],
            Some(RamFaultModel::TwoWords(wrong, also)) if wrong == word => self.words[at] & self.words[also as usize],
            _ => self.words[at],
        }
    }

    fn write(&mut self, word: u32, value: u32) {
        self.accesses += 1;
        if word as usize >= self.words.len() {
            return;
        }
        match self.fault {
            Some(RamFaultModel::NoWord(none)) if none == word => {}
            Some(RamFaultModel::OtherWord(wrong, other)) if wrong == word => self.store(other, value),
            Some(RamFaultModel::TwoWords(wrong, also)) if wrong == word => {
                self.store(word, value);
                self.store(also, value);
            }
            _ => self.store(word, value),
        }
    }
}
