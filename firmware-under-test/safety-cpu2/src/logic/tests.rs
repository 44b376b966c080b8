//! The look-up tables against a plain evaluator written from the table of blocks.
//!
//! SSR-012, SSR-015, SSR-027.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use safety_common::configuration::SIGNAL_OFF;

use super::*;

static NO_MEMORIES: [[u16; MEMORY_WORDS]; NODES_MOST] = [[0; MEMORY_WORDS]; NODES_MOST];
static NO_CAN: [u16; ENTRIES] = [0; ENTRIES];

fn sources(inputs_on: u16) -> Sources<'static> {
    Sources { inputs_on, inputs_error: !inputs_on, outputs_error: inputs_on >> 3, memories: &NO_MEMORIES, can: &NO_CAN }
}

fn block(kind: BlockKind, index: u8, used: &[u16], time: u32) -> Block {
    let mut inputs = [NO_SIGNAL; 4];
    inputs[..used.len()].copy_from_slice(used);
    Block { kind, index, number: 0, inputs, time }
}

/// Counters as the table of blocks has them.
#[derive(Clone, Debug, Default)]
struct State {
    count: u32,
    q: bool,
    before: bool,
    held: u32,
}

/// The table of blocks, line by line.
struct Plain {
    blocks: Vec<Block>,
    states: Vec<State>,
}

impl Plain {
    fn new(blocks: &[Block]) -> Self {
        let first = State { count: 0, q: false, before: true, held: 5_001 };
        Self { blocks: blocks.to_vec(), states: vec![first; blocks.len()] }
    }

    fn evaluate(&mut self, sources: &Sources<'_>) -> Vec<bool> {
        let mut values: Vec<bool> = vec![];
        for (block, state) in self.blocks.iter().zip(&mut self.states) {
            let ins: Vec<bool> = block
                .inputs
                .iter()
                .filter(|input| **input != NO_SIGNAL)
                .map(|input| match *input {
                    SIGNAL_ON => true,
                    SIGNAL_OFF => false,
                    earlier => values[usize::from(earlier)],
                })
                .collect();
            let a = ins.first().copied().unwrap_or(false);
            let b = ins.get(1).copied().unwrap_or(false);
            let value = match block.kind {
                BlockKind::Input => sources.inputs_on >> block.index & 1 == 1,
                BlockKind::InputError => sources.inputs_error >> block.index & 1 == 1,
                BlockKind::OutputError => sources.outputs_error >> block.index & 1 == 1,
                BlockKind::MemoryReceive => {
                    let words = &sources.memories[usize::from(block.index)];
                    words[usize::from(block.number / 16)] >> (block.number % 16) & 1 == 1
                }
                BlockKind::CanReceive => sources.can[usize::from(block.index)] >> block.number & 1 == 1,
                BlockKind::And => ins.iter().all(|on| *on),
                BlockKind::Or => ins.iter().any(|on| *on),
                BlockKind::Xor => ins.iter().filter(|on| **on).count() % 2 == 1,
                BlockKind::Not => !a,
                BlockKind::Latch => {
                    state.q = !b && (a || state.q);
                    state.q
                }
                BlockKind::OnDelay => {
                    if a {
                        let value = state.count == block.time;
                        state.count = (state.count + 1).min(block.time);
                        value
                    } else {
                        state.count = 0;
                        false
                    }
                }
                BlockKind::OffDelay => {
                    if a {
                        state.count = block.time;
                        true
                    } else {
                        let value = state.count > 0;
                        state.count = state.count.saturating_sub(1);
                        value
                    }
                }
                BlockKind::Pulse => {
                    if a && !state.before {
                        state.count = block.time;
                    }
                    state.before = a;
                    let value = state.count > 0;
                    state.count = state.count.saturating_sub(1);
                    value
                }
                BlockKind::Reset => {
                    if b {
                        state.held = (state.held + 1).min(5_001);
                    } else {
                        if (50..=5_000).contains(&state.held) && a {
                            state.q = true;
                        }
                        state.held = 0;
                    }
                    if !a {
                        state.q = false;
                    }
                    state.q
                }
                BlockKind::Mode => ins.iter().enumerate().all(|(place, on)| *on == (place == usize::from(block.index))),
                BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend => a,
            };
            values.push(value);
        }
        values
    }
}

/// The value of every block of the firmware's logic.
fn values(logic: &Logic) -> Vec<bool> {
    (0..logic.cells.len()).map(|own| logic.signals.get(own as u8)).collect()
}

/// Runs both on the same inputs and compares every block in every tick.
fn agree(blocks: &[Block], ticks: impl IntoIterator<Item = u16>) {
    let mut logic = Logic::new(blocks);
    let mut plain = Plain::new(blocks);
    for (tick, inputs_on) in ticks.into_iter().enumerate() {
        logic.evaluate(&sources(inputs_on));
        assert_eq!(values(&logic), plain.evaluate(&sources(inputs_on)), "tick {tick} of {blocks:?}");
    }
}

/// SSR-027: all combinations of ON and OFF for 1 to 4 inputs, every combinational block.
#[test]
fn truth_tables_of_all_combinational_blocks() {
    let inputs: Vec<Block> = (0..4).map(|index| block(BlockKind::Input, index, &[], 0)).collect();
    for used in 1..=4usize {
        let names: Vec<u16> = (0..used as u16).collect();
        for kind in [BlockKind::And, BlockKind::Or, BlockKind::Xor, BlockKind::Not, BlockKind::Mode, BlockKind::Output]
        {
            for index in 0..used as u8 {
                let mut blocks = inputs.clone();
                blocks.push(block(kind, if kind == BlockKind::Mode { index } else { 0 }, &names, 0));
                agree(&blocks, 0..16);
            }
        }
    }
}

/// SSR-027: eight inputs, all 256 combinations, by two levels of blocks.
#[test]
fn eight_inputs_in_all_combinations() {
    let mut blocks: Vec<Block> = (0..8).map(|index| block(BlockKind::Input, index, &[], 0)).collect();
    blocks.push(block(BlockKind::And, 0, &[0, 1, 2, 3], 0));
    blocks.push(block(BlockKind::Not, 0, &[4], 0));
    blocks.push(block(BlockKind::And, 0, &[9, 5, 6, 7], 0));
    blocks.push(block(BlockKind::Or, 0, &[8, 10], 0));
    blocks.push(block(BlockKind::Output, 0, &[11], 0));
    agree(&blocks, 0..256);
}

/// Values written down by hand from the table of blocks.
#[test]
fn timers_by_hand() {
    let run = |kind, time, pattern: &[u8]| -> Vec<u8> {
        let mut logic = Logic::new(&[block(BlockKind::Input, 0, &[], 0), block(kind, 0, &[0], time)]);
        let tick = |on: &u8| {
            logic.evaluate(&sources(u16::from(*on)));
            u8::from(logic.signals.get(1))
        };
        pattern.iter().map(tick).collect()
    };
    assert_eq!(run(BlockKind::OnDelay, 2, &[1, 1, 1, 1, 0, 1, 1, 1]), [0, 0, 1, 1, 0, 0, 0, 1]);
    assert_eq!(run(BlockKind::OffDelay, 2, &[0, 1, 0, 0, 0, 0, 1, 0]), [0, 1, 1, 1, 0, 0, 1, 1]);
    assert_eq!(run(BlockKind::Pulse, 2, &[1, 1, 0, 1, 1, 1, 0, 1, 0, 0]), [0, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
}

/// The reset block's limits: a press of 50 to 5000 ticks while the condition holds.
#[test]
fn reset_wants_a_press_of_the_right_length() {
    let blocks = [
        block(BlockKind::Input, 0, &[], 0),
        block(BlockKind::Input, 1, &[], 0),
        block(BlockKind::Reset, 0, &[0, 1], 0),
    ];
    for (held, expected) in [(1, false), (49, false), (50, true), (5_000, true), (5_001, false)] {
        let mut logic = Logic::new(&blocks);
        logic.evaluate(&sources(0b01));
        (0..held).for_each(|_| assert_eq!(logic.evaluate(&sources(0b11)), Sinks::default()));
        logic.evaluate(&sources(0b01));
        assert_eq!(logic.signals.get(2), expected, "held {held}");
        logic.evaluate(&sources(0b00));
        assert!(!logic.signals.get(2), "the condition is gone");
    }
    let presses = |held: usize| {
        let mut ticks = vec![0b11; held];
        ticks.extend([0b01, 0b01, 0b00, 0b01]);
        ticks
    };
    let from_start = presses(60);
    let ticks: Vec<u16> = from_start.into_iter().chain(presses(50)).chain(presses(49)).chain(presses(5_001)).collect();
    agree(&blocks, ticks);
}

/// Sources and sinks of every bank: each bit arrives where its block says.
#[test]
fn memories_and_can_bits_are_routed() {
    let mut memories = NO_MEMORIES;
    memories[15][15] = 0x8000;
    let mut can = NO_CAN;
    can[13] = 1 << 9;
    let named = |kind, index, number, used: &[u16]| Block { number, ..block(kind, index, used, 0) };
    let blocks = [
        named(BlockKind::MemoryReceive, 15, 255, &[]),
        named(BlockKind::CanReceive, 13, 9, &[]),
        named(BlockKind::MemorySend, 0, 255, &[0]),
        named(BlockKind::MemorySend, 0, 16, &[1]),
        named(BlockKind::CanSend, 5, 15, &[0]),
        named(BlockKind::Relay, 1, 0, &[1]),
        named(BlockKind::Output, 13, 0, &[0]),
        named(BlockKind::Output, 0, 0, &[SIGNAL_OFF]),
        named(BlockKind::Relay, 0, 0, &[SIGNAL_ON]),
    ];
    let mut logic = Logic::new(&blocks);
    let sinks = logic.evaluate(&Sources { memories: &memories, can: &can, ..sources(0) });
    let mut expected = Sinks { outputs_on: 1 << 13, relays_on: 0b11, ..Sinks::default() };
    (expected.memories[15], expected.memories[1], expected.can[5]) = (0x8000, 1, 0x8000);
    assert_eq!(sinks, expected);
    assert_eq!(logic.evaluate(&sources(0)).memories, [0; MEMORY_WORDS]);
}

const KINDS: [BlockKind; 13] = [
    BlockKind::Input,
    BlockKind::InputError,
    BlockKind::OutputError,
    BlockKind::And,
    BlockKind::Or,
    BlockKind::Xor,
    BlockKind::Not,
    BlockKind::Latch,
    BlockKind::OnDelay,
    BlockKind::OffDelay,
    BlockKind::Pulse,
    BlockKind::Reset,
    BlockKind::Mode,
];

/// A block of any kind over earlier ones.
fn any_block(choice: [u16; 6], before: usize) -> Block {
    let [kind, a, b, c, d, rest] = choice;
    let kind = if before == 0 { BlockKind::Input } else { KINDS[usize::from(kind) % KINDS.len()] };
    let pick = |value: u16| match usize::from(value) % (before + 2).max(1) {
        place if place < before => place as u16,
        place if place == before => SIGNAL_OFF,
        _ => SIGNAL_ON,
    };
    let count = match kind {
        BlockKind::Input | BlockKind::InputError | BlockKind::OutputError => 0,
        BlockKind::Not | BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse => 1,
        BlockKind::Latch | BlockKind::Reset => 2,
        _ => 2 + usize::from(rest % 3),
    };
    let used: Vec<u16> = [a, b, c, d].iter().take(count).map(|value| pick(*value)).collect();
    let index = match kind {
        BlockKind::Mode => (rest as usize / 7 % count) as u8,
        BlockKind::Input | BlockKind::InputError | BlockKind::OutputError => (rest % 13) as u8,
        _ => 0,
    };
    let timed = matches!(kind, BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse);
    block(kind, index, &used, if timed { 1 + u32::from(rest % 9) } else { 0 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// SSR-015: random diagrams of all blocks on random inputs; inputs stay for a while, so that presses and delays end.
    #[test]
    fn random_diagrams_agree_with_the_plain_evaluator(
        choices in proptest::collection::vec(any::<[u16; 6]>(), 1..=BLOCKS_MOST),
        inputs in proptest::collection::vec((any::<u16>(), 1usize..80), 1..30),
    ) {
        let mut blocks = vec![];
        for choice in choices {
            blocks.push(any_block(choice, blocks.len()));
        }
        agree(&blocks, inputs.into_iter().flat_map(|(word, ticks)| vec![word; ticks]));
    }
}
