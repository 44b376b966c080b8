//! The reference: what the blocks of a diagram must be, told from the history of their inputs.
//!
//! Both CPUs step states from tick to tick. This evaluator has no states: it keeps what each signal was, as the ticks at
//! which it changed, and answers every block by a question about the past ("when was the reset ON last?"). So a mistake in
//! a state machine, on either CPU or in the thinking behind both, is not repeated here. It is slower and needs memory that
//! grows with the changes of signals; that is what it may cost.
//!
//! | kind | ON in tick t if and only if |
//! |------|------------------------------|
//! | And, Or, Xor, Not, Mode | as at this instant; no history |
//! | Latch | set was ON in some tick u <= t, and reset was not ON in any tick from u to t |
//! | OnDelay n | the input was ON in all ticks t-n to t |
//! | OffDelay n | the input was ON in some tick from t-n to t |
//! | Pulse n | the input went ON in some tick from t-n+1 to t; tick 0 has no edge |
//! | Reset | in some tick u <= t the button was let go after 50 to 5000 ticks, and the condition was ON in all ticks u to t |

use std::borrow::Cow;

use safety_common::MEMORIES_MOST;
use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};
use safety_common::simplecan::ENTRIES;

use super::binary::{Block, Section};

/// Fewest ticks that a button must be pressed to count.
const PRESS_LEAST: u64 = 50;
/// Most ticks that it may be pressed.
const PRESS_MOST: u64 = 5_000;
/// Words of 16 memories.
const MEMORY_WORDS: usize = MEMORIES_MOST / 16;
/// Nodes of a network.
const NODES: usize = safety_common::NODES_MOST;

/// What comes from outside the diagram in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bit g: input group g is ON.
    pub inputs: u16,
    /// Bit g: the error output of input group g is ON.
    pub input_errors: u16,
    /// Bit g: output group g is held off for an external failure.
    pub output_errors: u16,
    /// Memories of each node: bit b of word w is memory 16 w + b.
    pub memories: [[u16; MEMORY_WORDS]; NODES],
    /// The bits of each CAN entry.
    pub can: [u16; ENTRIES],
}

/// What the diagram wants in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Bit g: output group g shall be ON.
    pub outputs: u16,
    /// Bit r: relay r shall be closed.
    pub relays: u8,
    /// The memories of this node.
    pub memories: [u16; MEMORY_WORDS],
    /// The bits of each CAN entry that this node sets.
    pub can: [u16; ENTRIES],
}

/// A signal through all ticks: the ticks at which it changed, beginning with OFF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct History {
    /// Ascending; the signal is ON from an even place on, OFF from an odd one on.
    changes: Vec<u64>,
}

impl History {
    fn note(&mut self, tick: u64, on: bool) {
        let was_on = self.changes.len() % 2 == 1;
        if was_on != on {
            self.changes.push(tick);
        }
    }

    /// How many changes there were up to and with `tick`.
    fn changes_to(&self, tick: u64) -> usize {
        self.changes.partition_point(|change| *change <= tick)
    }

    fn is_on(&self, tick: u64) -> bool {
        self.changes_to(tick) % 2 == 1
    }

    /// The first tick of the ON stretch that holds `tick`.
    fn on_since(&self, tick: u64) -> Option<u64> {
        let count = self.changes_to(tick);
        (count % 2 == 1).then(|| self.changes[count - 1])
    }

    /// The last tick, `tick` at the latest, in which it was ON.
    fn last_on(&self, tick: u64) -> Option<u64> {
        let count = self.changes_to(tick);
        match (count, count % 2) {
            (0, _) => None,
            (_, 1) => Some(tick),
            (_, _) => Some(self.changes[count - 1] - 1),
        }
    }

    /// The last tick, `tick` at the latest, in which it was ON and not in the tick before. Tick 0 has no edge.
    fn last_rise(&self, tick: u64) -> Option<u64> {
        let count = self.changes_to(tick);
        let mut rises = self.changes[..count].iter().step_by(2);
        rises.next_back().copied().filter(|rise| *rise > 0)
    }

    /// Stretches of ON that ended at `tick` or before: first tick of ON and first tick of OFF; the latest first.
    fn stretches_ended_by(&self, tick: u64) -> impl Iterator<Item = (u64, u64)> {
        let ended = self.changes_to(tick) / 2;
        (0..ended).rev().map(|stretch| (self.changes[2 * stretch], self.changes[2 * stretch + 1]))
    }
}

/// Evaluates the blocks of one node.
#[derive(Clone, Debug)]
pub struct Reference {
    blocks: Vec<Block>,
    signals: Vec<History>,
    ticks: u64,
}

impl Reference {
    /// For a section that makes sense, before its first tick.
    #[must_use]
    pub fn new(section: &Section) -> Self {
        let signals = vec![History::default(); section.blocks.len()];
        Self { blocks: section.blocks.clone(), signals, ticks: 0 }
    }

    /// What it evaluates.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What is wanted in the next tick, in which `seen` comes from outside.
    pub fn tick(&mut self, seen: &Seen) -> Wanted {
        let tick = self.ticks;
        self.ticks += 1;
        let mut wanted = Wanted::default();
        for number in 0..self.blocks.len() {
            let block = self.blocks[number];
            let on = self.value(&block, tick, seen);
            self.signals[number].note(tick, on);
            if on {
                want(&mut wanted, &block);
            }
        }
        wanted
    }

    /// A tick in which nothing can change: the inputs are those of the last one, and no time runs out.
    pub const fn skip(&mut self) {
        self.ticks += 1;
    }

    /// Whether signal `number` was ON in the last tick.
    #[must_use]
    pub fn signal(&self, number: u16) -> bool {
        self.ticks > 0 && self.is_on(number, self.ticks - 1)
    }

    /// How many ticks there were.
    #[must_use]
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    fn is_on(&self, signal: u16, tick: u64) -> bool {
        match signal {
            SIGNAL_ON => true,
            SIGNAL_OFF | NO_SIGNAL => false,
            number => self.signals.get(usize::from(number)).is_some_and(|history| history.is_on(tick)),
        }
    }

    /// The history of an input; a constant's is made up for the question.
    fn history(&self, block: &Block, input: usize) -> Cow<'_, History> {
        match block.inputs[input] {
            SIGNAL_ON => Cow::Owned(History { changes: vec![0] }),
            number => self.signals.get(usize::from(number)).map_or_else(Cow::default, Cow::Borrowed),
        }
    }

    fn value(&self, block: &Block, tick: u64, seen: &Seen) -> bool {
        let used = block.inputs.iter().filter(|input| **input != NO_SIGNAL);
        let mut now = used.map(|input| self.is_on(*input, tick));
        let bit = |bits: u16, number: u16| bits.checked_shr(u32::from(number)).is_some_and(|bits| bits & 1 == 1);
        let index = usize::from(block.index);
        let time = u64::from(block.time_ms);
        match block.kind {
            BlockKind::Input => bit(seen.inputs, u16::from(block.index)),
            BlockKind::InputError => bit(seen.input_errors, u16::from(block.index)),
            BlockKind::OutputError => bit(seen.output_errors, u16::from(block.index)),
            BlockKind::MemoryReceive => {
                let word = seen.memories.get(index).and_then(|node| node.get(usize::from(block.number / 16)));
                word.is_some_and(|word| bit(*word, block.number % 16))
            }
            BlockKind::CanReceive => seen.can.get(index).is_some_and(|entry| bit(*entry, block.number)),
            BlockKind::And => now.all(|on| on),
            BlockKind::Or => now.any(|on| on),
            BlockKind::Xor => now.filter(|on| *on).count() % 2 == 1,
            BlockKind::Not => now.next() == Some(false),
            BlockKind::Latch => latched(&self.history(block, 0), &self.history(block, 1), tick),
            BlockKind::OnDelay => {
                let since = self.history(block, 0).on_since(tick);
                since.is_some_and(|since| tick - since >= time)
            }
            BlockKind::OffDelay => {
                let last = self.history(block, 0).last_on(tick);
                last.is_some_and(|last| tick - last <= time)
            }
            BlockKind::Pulse => {
                let rise = self.history(block, 0).last_rise(tick);
                rise.is_some_and(|rise| tick - rise < time)
            }
            BlockKind::Reset => released(&self.history(block, 0), &self.history(block, 1), tick),
            BlockKind::Mode => now.enumerate().all(|(position, on)| on == (position == index)),
            BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend => {
                now.next() == Some(true)
            }
        }
    }
}

/// Whether the last set came after the last reset.
fn latched(set: &History, reset: &History, tick: u64) -> bool {
    match (set.last_on(tick), reset.last_on(tick)) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(set), Some(reset)) => set > reset,
    }
}

/// Whether a good press ended while the present stretch of the condition lasted.
fn released(condition: &History, button: &History, tick: u64) -> bool {
    let Some(since) = condition.on_since(tick) else { return false };
    let recent = button.stretches_ended_by(tick).take_while(|(_, let_go)| *let_go >= since);
    // A button that is ON in the first tick was never seen OFF before, so nobody knows how long it was pressed.
    let mut good =
        recent.filter(|(pressed, let_go)| *pressed > 0 && (PRESS_LEAST..=PRESS_MOST).contains(&(let_go - pressed)));
    good.next().is_some()
}

fn want(wanted: &mut Wanted, block: &Block) {
    let bit = |number: u16| 1_u16.checked_shl(u32::from(number)).unwrap_or(0);
    match block.kind {
        BlockKind::Output => wanted.outputs |= bit(u16::from(block.index)),
        BlockKind::Relay => wanted.relays |= 1_u8.checked_shl(u32::from(block.index)).unwrap_or(0),
        BlockKind::MemorySend => {
            if let Some(word) = wanted.memories.get_mut(usize::from(block.number / 16)) {
                *word |= bit(block.number % 16);
            }
        }
        BlockKind::CanSend => {
            if let Some(entry) = wanted.can.get_mut(usize::from(block.index)) {
                *entry |= bit(block.number);
            }
        }
        _ => {}
    }
}
