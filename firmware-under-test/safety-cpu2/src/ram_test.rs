//! RAM test of start-up and of running operation (SSR-001 to SSR-004).
//!
//! **Algorithm.** Procedure of Nair, Thatte and Abraham, 30 operations a word in 18 march elements (table
//! [`PROCEDURE`]): every transition of every cell is followed by a reading of all others, in both orders, and the last
//! eight elements write each cell twice, so that faults that hide each other show. It is the procedure that the tables of
//! the standards rate higher than a march of 10 operations; here it is diverse from what the other CPU may choose.
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
//! **Measured coverage** (see the tests; 16 words x 8 bits, every single fault, every ordered pair; in %):
//!
//! | test | SAF | TF | AF | CFin inter | CFid inter | CFst inter | CFin intra | CFid intra | CFst intra |
//! |------|-----|----|----|------------|------------|------------|------------|------------|------------|
//! | start-up | 100 | 100 | 100 | 100 | 100 | 100 | 100 | 100 | 100 |
//! | start-up, solid background only | 100 | 100 | 100 | 100 | 100 | 100 | 100 | 50 | 50 |
//! | running, neighbours (next word, next bit) | 100 | 100 | - | 100 | 100 | 100 | 100 | 100 | 100 |
//!
//! **What it does not find.** A flip of a live variable that the next write mends (found by comparison of the two CPUs
//! only); coupling between words of different blocks while running (found at the next start); the running test finds
//! address faults between words that differ in one address bit, not every pair.

use safety_common::fault::Fault;
use safety_common::io::RamPort;

use crate::trip::{Outcome, Trip};
use crate::twice::Twice;

/// 32-bit words of this CPU's RAM: 64 KiB (own number).
pub const RAM_WORDS: u32 = 16_384;
/// Words of a block of the running test.
const BLOCK: u32 = 8;
/// Words that a slice of the running test saves: a block and its overlap.
const SAVED: usize = BLOCK as usize + 1;
/// Port operations of a tick in start-up: a third of a tick at 40 ns each.
const START_OPERATIONS: usize = 8_192;
const BACKGROUNDS: u32 = 6;

/// One operation on a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// Write the background.
    W0,
    /// Write its complement.
    W1,
    /// Read, the background must be there.
    R0,
    /// Read, its complement must be there.
    R1,
}

use Op::{R0, R1, W0, W1};

/// The operations on each word, from the first word up or from the last down.
#[derive(Clone, Copy, Debug)]
enum Element {
    Up(&'static [Op]),
    Down(&'static [Op]),
}

use Element::{Down, Up};

/// The march elements: 1 + 2 + 1 + 2 + 1 + 2 + 1 + 2 + 1 + 3 + 1 + 3 + 1 + 1 + 3 + 1 + 3 + 1 = 30 operations a word.
static PROCEDURE: [Element; 18] = [
    Up(&[W0]),
    Up(&[R0, W1]),
    Up(&[R1]),
    Up(&[R1, W0]),
    Up(&[R0]),
    Down(&[R0, W1]),
    Down(&[R1]),
    Down(&[R1, W0]),
    Down(&[R0]),
    Up(&[R0, W1, W0]),
    Up(&[R0]),
    Down(&[R0, W1, W0]),
    Down(&[R0]),
    Up(&[W1]),
    Up(&[R1, W0, W1]),
    Up(&[R1]),
    Down(&[R1, W0, W1]),
    Down(&[R1]),
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

/// One element on one word; `false` at the first wrong reading.
fn visit<R: RamPort + ?Sized>(port: &mut R, word: u32, ops: &[Op], background: u32) -> bool {
    ops.iter().all(|op| match op {
        W0 => written(port, word, background),
        W1 => written(port, word, !background),
        R0 => port.read(word) == background,
        R1 => port.read(word) == !background,
    })
}

fn written<R: RamPort + ?Sized>(port: &mut R, word: u32, value: u32) -> bool {
    port.write(word, value);
    true
}

/// The whole procedure on `words` words from `from` on; gives the first bad word.
fn procedure<R: RamPort + ?Sized>(port: &mut R, from: u32, words: u32, background: u32) -> Result<(), u32> {
    let end = from.saturating_add(words);
    for element in &PROCEDURE {
        let bad = match element {
            Up(ops) => (from..end).find(|word| !visit(port, *word, ops, background)),
            Down(ops) => (from..end).rev().find(|word| !visit(port, *word, ops, background)),
        };
        if let Some(word) = bad {
            return Err(word);
        }
    }
    Ok(())
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
            let (word, ops) = match element {
                Up(ops) => (self.done_in_element, ops),
                Down(ops) => (self.words.saturating_sub(self.done_in_element).saturating_sub(1), ops),
            };
            if !visit(port, word, ops, pattern(self.background)) {
                return Err(Trip::new(Fault::RamAtStart, word));
            }
            self.done_in_element = self.done_in_element.saturating_add(1);
            operations = operations.saturating_add(ops.len());
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

    /// One tick's share: one block, one background, one address bit.
    pub(crate) fn slice<R: RamPort + ?Sized>(&mut self, port: &mut R) -> Outcome {
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
