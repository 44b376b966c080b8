//! RAM test of start-up and of running operation (SSR-001 to SSR-004).
//!
//! **Algorithm.** Procedure after Nair, Thatte and Abraham, 30 operations a word in 18 march elements (table
//! [`PROCEDURE`]): every transition of every cell is followed by a reading of all others, in both orders, and the last
//! eight elements write each cell twice, so that faults that hide each other show. Chosen as
//! stronger than a march of 10 operations and still cheap enough for a block a tick; nothing rests on its name, the
//! coverage below is measured.
//!
//! **Backgrounds.** Solid words miss half of the faults inside a word. So it runs with six: solid, and five that give
//! each bit `i` of a word the five digits of the number `(5 i + 3) mod 32`. All numbers differ, so any two bits of a word
//! are equal in the first background and differ in at least one other. The test's "0" is the background and "1" its complement.
//!
//! **Start-up.** Whole RAM, contents lost, [`START_OPERATIONS`] port operations a tick: 360 ticks at 16384 words.
//!
//! **Running.** Each tick one block of [`BLOCK`] words and one background. Blocks go from the highest address down, the
//! background is the outer loop: each word is tested for stuck-at and transition faults every 2.05 s, with all
//! backgrounds every 12.3 s. The block's contents are saved, the first word of the block above is tested with it (overlap,
//! so that no pair of neighbours is left out), contents are restored and read again. Then the address test: the first word
//! and the word whose address differs in one bit get complementary values; the bit changes with every pass of 2.05 s, so
//! that all 14 have had their turn after 28.7 s.
//!
//! **Measured coverage**, faults found of all faults tried (a test holds this table): 8 bits of each word, every single fault,
//! every ordered pair of cells; 8 words for the start-up test, 16 words (two blocks) for the running one:
//!
//! | test | SAF | TF | AF | CFin inter | CFid inter | CFst inter | CFin intra | CFid intra | CFst intra |
//! |------|-----|----|----|------------|------------|------------|------------|------------|------------|
//! | start-up | 128 of 128 | 128 of 128 | 120 of 120 | 7168 of 7168 | 14336 of 14336 | 14336 of 14336 | 896 of 896 | 1792 of 1792 | 1792 of 1792 |
//! | start-up, solid background only | 128 of 128 | 128 of 128 | 120 of 120 | 7168 of 7168 | 14336 of 14336 | 14336 of 14336 | 896 of 896 | 896 of 1792 | 896 of 1792 |
//! | running, neighbours (next word, next bit) | 256 of 256 | 256 of 256 | 272 of 496 | 480 of 480 | 960 of 960 | 960 of 960 | 448 of 448 | 896 of 896 | 896 of 896 |
//!
//! Diverse: another procedure, other backgrounds and another direction than the march tests of common libraries.
//!
//! **What it does not find.** A flip of a live variable that the next write mends (found by comparison of the two CPUs
//! only); coupling between words of different blocks while running (found at the next start); the running test finds
//! address faults between words that differ in one address bit, not every pair.

use safety_common::fault::Fault;
use safety_common::io::RamPort;

use crate::flow::{Flow, Stage};
use crate::trip::{Outcome, Trip};
use crate::twice::Twice;

/// 32-bit words of this CPU's RAM: 64 KiB (own number).
pub const RAM_WORDS: u32 = 16_384;
/// Words of a block of the running test.
const BLOCK: u32 = 8;
/// Words that a slice of the running test saves: a block and its overlap.
const SAVED: usize = BLOCK as usize + 1;
/// Port operations of a tick in start-up: a third of a tick at 40 ns each.
const START_OPERATIONS: u32 = 8_192;
const BACKGROUNDS: u32 = 6;

/// What is done with a word; the bit says which of background and complement it holds when the visit comes.
#[derive(Clone, Copy, Debug)]
enum Visit {
    /// Write it: one operation.
    Fill(bool),
    /// Read it: one operation.
    Check(bool),
    /// Read it, write the other: two operations.
    Move(bool),
    /// Read it, write the other, write it again: three operations.
    Blink(bool),
}

use Visit::{Blink, Check, Fill, Move};

/// A visit to each word, from the first word up or from the last down.
#[derive(Clone, Copy, Debug)]
enum Element {
    Up(Visit),
    Down(Visit),
}

use Element::{Down, Up};

/// The background.
const ZERO: bool = false;
/// Its complement.
const ONE: bool = true;

/// The march elements: 1 + 2 + 1 + 2 + 1 + 2 + 1 + 2 + 1 + 3 + 1 + 3 + 1 + 1 + 3 + 1 + 3 + 1 = 30 operations a word.
static PROCEDURE: [Element; 18] = [
    Up(Fill(ZERO)),
    Up(Move(ZERO)),
    Up(Check(ONE)),
    Up(Move(ONE)),
    Up(Check(ZERO)),
    Down(Move(ZERO)),
    Down(Check(ONE)),
    Down(Move(ONE)),
    Down(Check(ZERO)),
    Up(Blink(ZERO)),
    Up(Check(ZERO)),
    Down(Blink(ZERO)),
    Down(Check(ZERO)),
    Up(Fill(ONE)),
    Up(Blink(ONE)),
    Up(Check(ONE)),
    Down(Blink(ONE)),
    Down(Check(ONE)),
];

/// Background `index`: digit `index - 1` of every bit's number; 0 is solid.
const fn background(index: u32) -> u32 {
    let mut word = 0;
    let mut bit = 0;
    while bit < 32 && index > 0 {
        word |= ((5 * bit + 3) >> (index - 1) & 1) << bit;
        bit += 1;
    }
    word
}

static PATTERNS: [u32; BACKGROUNDS as usize] =
    [background(0), background(1), background(2), background(3), background(4), background(5)];

fn pattern(index: u32) -> u32 {
    PATTERNS.get(index as usize).copied().unwrap_or(0)
}

impl Visit {
    /// Port operations.
    const fn operations(self) -> u32 {
        match self {
            Fill(_) | Check(_) => 1,
            Move(_) => 2,
            Blink(_) => 3,
        }
    }

    /// `false` at a wrong reading.
    fn pay<R: RamPort + ?Sized>(self, port: &mut R, word: u32, background: u32) -> bool {
        let (Fill(bit) | Check(bit) | Move(bit) | Blink(bit)) = self;
        let value = if bit { !background } else { background };
        if let Fill(_) = self {
            port.write(word, value);
            return true;
        }
        let good = port.read(word) == value;
        if let Move(_) | Blink(_) = self {
            port.write(word, !value);
        }
        if let Blink(_) = self {
            port.write(word, value);
        }
        good
    }
}

impl Element {
    const fn visit(self) -> Visit {
        match self {
            Up(visit) | Down(visit) => visit,
        }
    }

    /// The word whose turn it is after `done` of `words` words from `from` on.
    const fn word(self, from: u32, words: u32, done: u32) -> u32 {
        match self {
            Up(_) => from.saturating_add(done),
            Down(_) => from.saturating_add(words).saturating_sub(done).saturating_sub(1),
        }
    }
}

/// The whole procedure on `words` words from `from` on; gives the first bad word.
fn procedure<R: RamPort + ?Sized>(port: &mut R, from: u32, words: u32, background: u32) -> Result<(), u32> {
    for element in PROCEDURE {
        // Each kind of visit has a loop of its own, so that the choice is made once for a block and not for a word.
        let bad = match element.visit() {
            Fill(bit) => sweep(port, element, from, words, |port, word| Fill(bit).pay(port, word, background)),
            Check(bit) => sweep(port, element, from, words, |port, word| Check(bit).pay(port, word, background)),
            Move(bit) => sweep(port, element, from, words, |port, word| Move(bit).pay(port, word, background)),
            Blink(bit) => sweep(port, element, from, words, |port, word| Blink(bit).pay(port, word, background)),
        };
        if let Some(word) = bad {
            return Err(word);
        }
    }
    Ok(())
}

/// Visits every word in the order of the element; gives the first bad one.
fn sweep<R: RamPort + ?Sized>(
    port: &mut R,
    element: Element,
    from: u32,
    words: u32,
    mut pay: impl FnMut(&mut R, u32) -> bool,
) -> Option<u32> {
    (0..words).map(|done| element.word(from, words, done)).find(|word| !pay(port, *word))
}

/// The complete test of start-up, in slices (SSR-003).
#[derive(Clone, Debug)]
pub(crate) struct StartTest {
    words: u32,
    background: u32,
    element: usize,
    done_in_element: u32,
}

impl StartTest {
    pub(crate) const fn new(words: u32) -> Self {
        Self { words, background: 0, element: 0, done_in_element: 0 }
    }

    /// One tick's share; `true` once all is tested.
    pub(crate) fn slice<R: RamPort + ?Sized>(&mut self, port: &mut R) -> Outcome<bool> {
        let mut operations = 0;
        // Every round makes at least one operation or ends an element, so this ends.
        while operations < START_OPERATIONS && self.background < BACKGROUNDS {
            let Some(element) = PROCEDURE.get(self.element) else {
                self.element = 0;
                self.background = self.background.saturating_add(1);
                continue;
            };
            if self.done_in_element >= self.words {
                self.done_in_element = 0;
                self.element = self.element.saturating_add(1);
                continue;
            }
            let word = element.word(0, self.words, self.done_in_element);
            if !element.visit().pay(port, word, pattern(self.background)) {
                return Err(Trip::new(Fault::RamAtStart, word));
            }
            self.done_in_element = self.done_in_element.saturating_add(1);
            operations = operations.saturating_add(element.visit().operations());
        }
        Ok(self.background >= BACKGROUNDS)
    }
}

/// The running test (SSR-001, SSR-002).
#[derive(Clone, Debug)]
pub(crate) struct RunningTest {
    words: u32,
    /// Blocks still to test in this background, kept twice: a pointer that stands still would test nothing.
    blocks_left: Twice,
    background: Twice,
    /// Address bit of this pass.
    address_bit: Twice,
}

impl RunningTest {
    pub(crate) const fn new(words: u32) -> Self {
        let blocks_left = Twice::new(words.div_ceil(BLOCK));
        Self { words, blocks_left, background: Twice::new(0), address_bit: Twice::new(0) }
    }

    /// One tick's stage.
    pub(crate) fn stage<R: RamPort + ?Sized>(&mut self, port: &mut R, flow: &mut Flow) -> Outcome {
        self.slice(port)?;
        flow.pass(Stage::Ram);
        Ok(())
    }

    /// One block, one background, one address bit.
    fn slice<R: RamPort + ?Sized>(&mut self, port: &mut R) -> Outcome {
        let block = self.blocks_left.get()?.saturating_sub(1);
        let background = self.background.get()?;
        let bit = self.address_bit.get()?;
        let from = block.saturating_mul(BLOCK);
        let words = self.words.saturating_sub(from).min(BLOCK.saturating_add(1));
        test_block(port, from, words, pattern(background))?;
        test_address_bit(port, from, bit, self.words)?;
        self.advance(block, background, bit);
        Ok(())
    }

    /// At the end of a pass the next background and the next address bit follow.
    fn advance(&mut self, block: u32, background: u32, bit: u32) {
        self.blocks_left = Twice::new(block);
        if block > 0 {
            return;
        }
        self.blocks_left = Twice::new(self.words.div_ceil(BLOCK));
        let next = background.saturating_add(1);
        self.background = Twice::new(if next < BACKGROUNDS { next } else { 0 });
        let next_bit = bit.saturating_add(1);
        let more_bits = 1u32.checked_shl(next_bit).is_some_and(|step| step < self.words);
        self.address_bit = Twice::new(if more_bits { next_bit } else { 0 });
    }
}

/// Saves, tests, restores and verifies.
fn test_block<R: RamPort + ?Sized>(port: &mut R, from: u32, words: u32, background: u32) -> Outcome {
    let mut saved = [0; SAVED];
    let places = || from..from.saturating_add(words);
    for (place, word) in saved.iter_mut().zip(places()) {
        *place = port.read(word);
    }
    let result = procedure(port, from, words, background);
    for (value, word) in saved.iter().zip(places()) {
        port.write(word, *value);
    }
    let lost = saved.iter().zip(places()).find(|(value, word)| port.read(*word) != **value);
    match (result, lost) {
        (Err(word), _) | (Ok(()), Some((_, word))) => Err(Trip::new(Fault::RamRunning, word)),
        (Ok(()), None) => Ok(()),
    }
}

/// Complementary values in two words whose addresses differ in one bit: an address line that is stuck or shorted makes them one.
fn test_address_bit<R: RamPort + ?Sized>(port: &mut R, word: u32, bit: u32, words: u32) -> Outcome {
    let partner = word ^ 1u32.checked_shl(bit).unwrap_or(0);
    if partner >= words || partner == word {
        return Ok(());
    }
    let (here, there) = (port.read(word), port.read(partner));
    let good = [PATTERNS[1], !PATTERNS[1]].iter().all(|value| {
        port.write(word, *value);
        port.write(partner, !value);
        port.read(word) == *value && port.read(partner) == !value
    });
    port.write(word, here);
    port.write(partner, there);
    let restored = port.read(word) == here && port.read(partner) == there;
    if good && restored { Ok(()) } else { Err(Trip::new(Fault::RamRunning, word)) }
}

#[cfg(test)]
mod tests;
