//! The user's block diagram, evaluated as a network of look-up tables.
//!
//! SSR-012, SSR-015, SSR-027.
//!
//! Diverse: this CPU knows no AND and no OR while it runs. Start-up turns each block into a *cell*: a truth table of 16
//! bits over four *taps* (places in one bit array of signals), like a field-programmable gate array. A latch is a table
//! with a tap on its own last value. Timers keep no counters but the tick of the event they wait from, and compare ages.

use heapless::Vec;
use safety_common::configuration::{BLOCKS_MOST, BlockKind, NO_SIGNAL, SIGNAL_ON};
use safety_common::simplecan::ENTRIES;
use safety_common::{MEMORIES_MOST, NODES_MOST};

use crate::settings::Block;

/// Words of 16 memories of a node.
pub(crate) const MEMORY_WORDS: usize = MEMORIES_MOST / 16;
/// The tap that is always OFF: right behind the blocks.
const OFF: u8 = BLOCKS_MOST as u8;
/// The tap that is always ON.
const ON: u8 = OFF + 1;
/// Words of the signal array.
const SIGNAL_WORDS: usize = BLOCKS_MOST / 32 + 1;

const HELD_LEAST: u64 = 50;
const HELD_MOST: u64 = 5_000;

/// Everything that source blocks may name.
#[derive(Clone, Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) inputs_on: u16,
    pub(crate) inputs_error: u16,
    pub(crate) outputs_error: u16,
    pub(crate) memories: &'a [[u16; MEMORY_WORDS]; NODES_MOST],
    pub(crate) can: &'a [u16; ENTRIES],
}

/// What the sinks want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sinks {
    pub(crate) outputs_on: u16,
    pub(crate) relays_on: u8,
    pub(crate) memories: [u16; MEMORY_WORDS],
    pub(crate) can: [u16; ENTRIES],
}

/// Where a button is between its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Button {
    /// ON since the start: does not count.
    OnSinceStart,
    Up,
    /// ON since this tick.
    Down(u64),
}

/// What makes a cell's value. Ticks are those of this logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Source,
    /// The truth table over the taps.
    Table(u16),
    /// ON since this tick, if it is.
    OnDelay(Option<u64>),
    /// Last ON tick.
    OffDelay(Option<u64>),
    /// Tick of the last rising edge; whether the input was ON in the tick before.
    Pulse(Option<u64>, bool),
    /// The button, and the value.
    Reset(Button, bool),
}

/// A block made ready to run.
#[derive(Clone, Copy, Debug)]
struct Cell {
    kind: BlockKind,
    index: u8,
    number: u16,
    time: u64,
    taps: [u8; 4],
    form: Form,
}

/// All signals of a tick, a bit each.
#[derive(Clone, Copy, Debug)]
struct Signals([u32; SIGNAL_WORDS]);

impl Signals {
    fn get(&self, tap: u8) -> bool {
        self.0.get(usize::from(tap >> 5)).is_some_and(|word| word >> (tap & 31) & 1 == 1)
    }

    fn set(&mut self, tap: u8, value: bool) {
        if let Some(word) = self.0.get_mut(usize::from(tap >> 5)) {
            let bit = 1 << (tap & 31);
            *word = if value { *word | bit } else { *word & !bit };
        }
    }

    /// The four taps as an index into a truth table.
    fn index(&self, taps: [u8; 4]) -> u32 {
        taps.iter().rev().fold(0, |index, tap| index << 1 | u32::from(self.get(*tap)))
    }
}

/// The diagram with its state.
#[derive(Clone, Debug)]
pub(crate) struct Logic {
    cells: Vec<Cell, BLOCKS_MOST>,
    signals: Signals,
    tick: u64,
}

impl Logic {
    /// Every block in its first state.
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let mut signals = Signals([0; SIGNAL_WORDS]);
        signals.set(ON, true);
        let cells = blocks.iter().zip(0..OFF).map(|(block, own)| cell(block, own)).collect();
        Self { cells, signals, tick: 0 }
    }

    /// One evaluation.
    pub(crate) fn evaluate(&mut self, sources: &Sources<'_>) -> Sinks {
        self.tick = self.tick.saturating_add(1);
        let mut sinks = Sinks::default();
        for (cell, own) in self.cells.iter_mut().zip(0..OFF) {
            let value = cell.value(&self.signals, sources, self.tick);
            self.signals.set(own, value);
            if value {
                cell.drive(&mut sinks);
            }
        }
        sinks
    }
}

fn cell(block: &Block, own: u8) -> Cell {
    let mut taps = [OFF; 4];
    for (tap, input) in taps.iter_mut().zip(block.inputs) {
        *tap = tap_of(input);
    }
    let used = block.inputs.iter().take_while(|input| **input != NO_SIGNAL).count();
    let form = match block.kind {
        BlockKind::Input
        | BlockKind::InputError
        | BlockKind::OutputError
        | BlockKind::MemoryReceive
        | BlockKind::CanReceive => Form::Source,
        BlockKind::OnDelay => Form::OnDelay(None),
        BlockKind::OffDelay => Form::OffDelay(None),
        BlockKind::Pulse => Form::Pulse(None, true),
        BlockKind::Reset => Form::Reset(Button::OnSinceStart, false),
        BlockKind::And
        | BlockKind::Or
        | BlockKind::Xor
        | BlockKind::Not
        | BlockKind::Latch
        | BlockKind::Mode
        | BlockKind::Output
        | BlockKind::Relay
        | BlockKind::MemorySend
        | BlockKind::CanSend => Form::Table(table(block.kind, used, block.index)),
    };
    if block.kind == BlockKind::Latch {
        // The last tap feeds the latch's own last value back.
        let [s, r, unused, _] = taps;
        taps = [s, r, unused, own];
    }
    Cell { kind: block.kind, index: block.index, number: block.number, time: u64::from(block.time), taps, form }
}

/// Blocks have their own numbers as taps; whatever else is not ON is OFF.
fn tap_of(input: u16) -> u8 {
    match input {
        SIGNAL_ON => ON,
        block if usize::from(block) < BLOCKS_MOST => block as u8,
        _ => OFF,
    }
}

/// The truth table of a block with `used` inputs: bit `i` is its value for the taps `i`.
fn table(kind: BlockKind, used: usize, position: u8) -> u16 {
    let mask = 15u32 >> (4usize.saturating_sub(used).min(4));
    (0..16u32).fold(0, |table, taps| {
        let inputs = taps & mask;
        let (first, second, last) = (taps & 1 != 0, taps & 2 != 0, taps & 8 != 0);
        let value = match kind {
            BlockKind::And => inputs == mask,
            BlockKind::Or => inputs != 0,
            BlockKind::Xor => inputs.count_ones() % 2 == 1,
            BlockKind::Not => !first,
            BlockKind::Latch => !second && (first || last),
            BlockKind::Mode => 1u32.checked_shl(u32::from(position)) == Some(inputs),
            _ => first,
        };
        table | u16::from(value) << taps
    })
}

fn bit16(word: u16, bit: u16) -> bool {
    word.checked_shr(u32::from(bit)).unwrap_or(0) & 1 == 1
}

impl Cell {
    fn value(&mut self, signals: &Signals, sources: &Sources<'_>, now: u64) -> bool {
        let [first, second, ..] = self.taps;
        let a = signals.get(first);
        match &mut self.form {
            Form::Source => self.source(sources),
            Form::Table(table) => *table >> signals.index(self.taps) & 1 == 1,
            Form::OnDelay(since) => {
                *since = if a { since.or(Some(now)) } else { None };
                since.is_some_and(|since| now.saturating_sub(since) >= self.time)
            }
            Form::OffDelay(last_on) => {
                if a {
                    *last_on = Some(now);
                }
                last_on.is_some_and(|last| now.saturating_sub(last) <= self.time)
            }
            Form::Pulse(edge, before) => {
                if a && !*before {
                    *edge = Some(now);
                }
                *before = a;
                edge.is_some_and(|edge| now.saturating_sub(edge) < self.time)
            }
            Form::Reset(button, value) => {
                let released = press(button, signals.get(second), now);
                *value = a && (*value || released);
                *value
            }
        }
    }

    fn source(&self, sources: &Sources<'_>) -> bool {
        let (index, number) = (u16::from(self.index), self.number);
        match self.kind {
            BlockKind::Input => bit16(sources.inputs_on, index),
            BlockKind::InputError => bit16(sources.inputs_error, index),
            BlockKind::OutputError => bit16(sources.outputs_error, index),
            BlockKind::MemoryReceive => {
                let node = sources.memories.get(usize::from(index));
                let word = node.and_then(|words| words.get(usize::from(number >> 4)));
                word.is_some_and(|word| bit16(*word, number & 15))
            }
            BlockKind::CanReceive => sources.can.get(usize::from(index)).is_some_and(|word| bit16(*word, number)),
            _ => false,
        }
    }

    /// A sink that is ON.
    fn drive(&self, sinks: &mut Sinks) {
        let bit = |number: u16| 1u16.checked_shl(u32::from(number)).unwrap_or(0);
        match self.kind {
            BlockKind::Output => sinks.outputs_on |= bit(u16::from(self.index)),
            BlockKind::Relay => sinks.relays_on |= bit(u16::from(self.index)) as u8,
            BlockKind::MemorySend => {
                if let Some(word) = sinks.memories.get_mut(usize::from(self.number >> 4)) {
                    *word |= bit(self.number & 15);
                }
            }
            BlockKind::CanSend => {
                if let Some(word) = sinks.can.get_mut(usize::from(self.index)) {
                    *word |= bit(self.number);
                }
            }
            _ => {}
        }
    }
}

/// Follows a button; `true` in the tick in which it is released after a press of the right length.
fn press(button: &mut Button, on: bool, now: u64) -> bool {
    let (next, released) = match (*button, on) {
        (Button::Down(since), false) => (Button::Up, (HELD_LEAST..=HELD_MOST).contains(&now.saturating_sub(since))),
        (Button::Up, true) => (Button::Down(now), false),
        (Button::OnSinceStart, false) => (Button::Up, false),
        (same, _) => (same, false),
    };
    *button = next;
    released
}

#[cfg(test)]
mod tests;
