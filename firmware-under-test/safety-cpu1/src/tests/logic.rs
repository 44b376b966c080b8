//! The compiled logic against a reference that knows only histories.
//!
//! SSR-012, SSR-015, SSR-027.
//!
//! The reference computes each block of each tick anew from the definition: "ON in all of the last n ticks" instead of a
//! counter. It shares no code and no state with the compiled program.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};

use crate::configuration::{Network, Node};
use crate::program::{Builder, Demand, Seen};
use crate::testing::plan::{BlockPlan, block};

fn network() -> Network {
    let node = |serial, entries| Node { serial, memories: 256, can_entries: entries, can_node: None, has_radio: true };
    let mut nodes = heapless::Vec::new();
    nodes.push(Node { can_node: Some(0), ..node(1, 0x00FF) }).unwrap();
    nodes.push(Node { can_node: Some(1), ..node(2, 0x3F00) }).unwrap();
    Network {
        id: 7,
        radio_timeout_ms: 100,
        radio_period_ms: 10,
        can_age_ms: 35,
        nodes,
        places: heapless::Vec::new(),
        own: 0,
    }
}

/// What comes in during one tick.
#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    inputs_on: u16,
    inputs_error: u16,
    outputs_error: u16,
    memory: u16,
    can: u16,
}

/// All values of all blocks in all ticks.
struct Reference<'a> {
    blocks: &'a [BlockPlan],
    moments: &'a [Moment],
    values: Vec<Vec<bool>>,
}

impl<'a> Reference<'a> {
    fn new(blocks: &'a [BlockPlan], moments: &'a [Moment]) -> Self {
        let mut reference = Self { blocks, moments, values: vec![] };
        for at in 0..blocks.len() {
            let row = (0..moments.len()).map(|tick| reference.value(at, tick)).collect();
            reference.values.push(row);
        }
        reference
    }

    fn signal(&self, signal: u16, tick: usize) -> bool {
        match signal {
            SIGNAL_OFF => false,
            SIGNAL_ON => true,
            block => self.values[block as usize][tick],
        }
    }

    fn inputs(&self, block: &BlockPlan, tick: usize) -> Vec<bool> {
        let used = block.inputs.iter().filter(|input| **input != NO_SIGNAL);
        used.map(|input| self.signal(*input, tick)).collect()
    }

    fn value(&self, at: usize, tick: usize) -> bool {
        let block = &self.blocks[at];
        let moment = &self.moments[tick];
        let inputs = self.inputs(block, tick);
        let first = |tick: usize| self.signal(block.inputs[0], tick);
        let second = |tick: usize| self.signal(block.inputs[1], tick);
        let time = block.time as usize;
        let kind = |kind: BlockKind| block.kind == kind as u8;
        let bit = |set: u16| set >> block.index & 1 == 1;
        let back = |count: usize| (0..count).map(move |k| tick.checked_sub(k));
        if kind(BlockKind::Input) {
            bit(moment.inputs_on)
        } else if kind(BlockKind::InputError) {
            bit(moment.inputs_error)
        } else if kind(BlockKind::OutputError) {
            bit(moment.outputs_error)
        } else if kind(BlockKind::MemoryReceive) {
            moment.memory >> (block.number % 16) & 1 == 1
        } else if kind(BlockKind::CanReceive) {
            moment.can >> block.number & 1 == 1
        } else if kind(BlockKind::And) {
            !inputs.contains(&false)
        } else if kind(BlockKind::Or) {
            inputs.contains(&true)
        } else if kind(BlockKind::Xor) {
            inputs.iter().filter(|on| **on).count() % 2 == 1
        } else if kind(BlockKind::Not) {
            !first(tick)
        } else if kind(BlockKind::Latch) {
            // The last tick in which something happened decides; a reset in that tick wins.
            let last = (0..=tick).rev().find(|at| first(*at) || second(*at));
            last.is_some_and(|at| !second(at))
        } else if kind(BlockKind::OnDelay) {
            back(time + 1).all(|at| at.is_some_and(&first))
        } else if kind(BlockKind::OffDelay) {
            back(time + 1).flatten().any(first)
        } else if kind(BlockKind::Pulse) {
            let rises = |at: usize| at > 0 && first(at) && !first(at - 1);
            back(time).flatten().any(rises)
        } else if kind(BlockKind::Reset) {
            // Some right release of the button, and the condition ON ever since.
            (0..=tick).any(|at| self.is_right_release(block, at) && (at..=tick).all(first))
        } else if kind(BlockKind::Mode) {
            let position = block.index as usize;
            inputs[position] && inputs.iter().filter(|on| **on).count() == 1
        } else {
            first(tick)
        }
    }

    /// Whether the button went OFF in this tick after 50 to 5000 ticks ON, which began after it had been OFF.
    fn is_right_release(&self, block: &BlockPlan, tick: usize) -> bool {
        let button = |at: usize| self.signal(block.inputs[1], at);
        if tick == 0 || button(tick) {
            return false;
        }
        let held = (0..tick).rev().take_while(|at| button(*at)).count();
        let began_after_off = held < tick;
        began_after_off && (50..=5_000).contains(&held)
    }

    fn demand(&self, tick: usize) -> Demand {
        let mut demand = Demand::default();
        for (at, block) in self.blocks.iter().enumerate() {
            let on = self.values[at][tick];
            let put = |word: &mut u16, bit: u16| *word |= u16::from(on) << bit;
            if block.kind == BlockKind::Output as u8 {
                put(&mut demand.outputs_on, block.index.into());
            } else if block.kind == BlockKind::Relay as u8 {
                demand.relays_on |= u8::from(on) << block.index;
            } else if block.kind == BlockKind::MemorySend as u8 {
                put(&mut demand.memories[block.number as usize / 16], block.number % 16);
            } else if block.kind == BlockKind::CanSend as u8 {
                put(&mut demand.can[block.index as usize], block.number);
            }
        }
        demand
    }
}

/// Runs the compiled program; a demand for each tick.
fn compiled(blocks: &[BlockPlan], moments: &[Moment]) -> Vec<Demand> {
    let network = network();
    let mut builder = Builder::new(&network, 14, 14);
    for (at, block) in blocks.iter().enumerate() {
        builder.push(&block.bytes()).unwrap_or_else(|| panic!("block {at} refused: {block:?}"));
    }
    let mut program = builder.finish();
    let run = |moment: &Moment| {
        let (mut memories, mut can) = ([[0; 16]; 16], [0; 16]);
        memories[1] = [moment.memory; 16];
        can[8..14].fill(moment.can);
        program.evaluate(&Seen {
            inputs_on: moment.inputs_on,
            inputs_error: moment.inputs_error,
            outputs_error: moment.outputs_error,
            memories: &memories,
            can: &can,
        })
    };
    moments.iter().map(run).collect()
}

fn agree(blocks: &[BlockPlan], moments: &[Moment]) {
    let reference = Reference::new(blocks, moments);
    for (tick, demand) in compiled(blocks, moments).iter().enumerate() {
        assert_eq!(*demand, reference.demand(tick), "tick {tick} of {blocks:?}");
    }
}

fn none(_: usize) -> Vec<u16> {
    vec![]
}

/// A block of any kind that may stand at place `at`; sinks are added apart.
fn any_block(at: usize) -> BoxedStrategy<BlockPlan> {
    let earlier = at as u16;
    let signal = move || -> BoxedStrategy<u16> {
        let constant = prop_oneof![Just(SIGNAL_OFF), Just(SIGNAL_ON)];
        if earlier == 0 { constant.boxed() } else { prop_oneof![8 => 0..earlier, 1 => constant].boxed() }
    };
    let many = move || proptest::collection::vec(signal(), 2..=4);
    let gates = prop_oneof![Just(BlockKind::And), Just(BlockKind::Or), Just(BlockKind::Xor)];
    let timers = prop_oneof![Just(BlockKind::OnDelay), Just(BlockKind::OffDelay), Just(BlockKind::Pulse)];
    let sources = prop_oneof![Just(BlockKind::Input), Just(BlockKind::InputError), Just(BlockKind::OutputError)];
    let pairs = prop_oneof![Just(BlockKind::Latch), Just(BlockKind::Reset)];
    prop_oneof![
        3 => (sources, 0..14u8).prop_map(|(kind, index)| block(kind, index, 0, &none(0), 0)),
        1 => (0..256u16).prop_map(|number| block(BlockKind::MemoryReceive, 1, number, &none(0), 0)),
        1 => (8..14u8, 0..16u16).prop_map(|(entry, bit)| block(BlockKind::CanReceive, entry, bit, &none(0), 0)),
        3 => (gates, many()).prop_map(|(kind, inputs)| block(kind, 0, 0, &inputs, 0)),
        1 => signal().prop_map(|a| block(BlockKind::Not, 0, 0, &[a], 0)),
        2 => (pairs, signal(), signal()).prop_map(|(kind, a, b)| block(kind, 0, 0, &[a, b], 0)),
        3 => (timers, signal(), 1..12u32).prop_map(|(kind, a, time)| block(kind, 0, 0, &[a], time)),
        1 => (many(), 0..2u8).prop_map(|(inputs, position)| block(BlockKind::Mode, position, 0, &inputs, 0)),
    ]
    .boxed()
}

/// A program whose values all come out at outputs, relays, memories and CAN.
fn any_program() -> impl Strategy<Value = Vec<BlockPlan>> {
    (1..24usize).prop_flat_map(|count| (0..count).map(any_block).collect::<Vec<_>>()).prop_map(|mut blocks| {
        for at in 0..blocks.len() as u16 {
            blocks.push(match at {
                0..=9 => block(BlockKind::Output, at as u8, 0, &[at], 0),
                10..=11 => block(BlockKind::Relay, at as u8 - 10, 0, &[at], 0),
                12..=17 => block(BlockKind::MemorySend, 0, at * 11, &[at], 0),
                _ => block(BlockKind::CanSend, at as u8 - 17, at - 10, &[at], 0),
            });
        }
        blocks
    })
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    proptest::collection::vec((moment, 1..80usize), 1..12).prop_map(|runs| {
        let one = |((inputs_on, inputs_error, outputs_error, memory, can), count): &(_, usize)| {
            let moment = Moment {
                inputs_on: *inputs_on,
                inputs_error: *inputs_error,
                outputs_error: *outputs_error,
                memory: *memory,
                can: *can,
            };
            vec![moment; *count]
        };
        runs.iter().flat_map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// SSR-015: any program on any inputs does what its definition says, tick by tick.
    #[test]
    fn any_program_agrees_with_the_reference(blocks in any_program(), moments in moments()) {
        agree(&blocks, &moments);
    }
}

/// SSR-027: every combination of ON and OFF of 1 to 8 inputs, as AND of wanted states.
#[test]
fn every_combination_of_up_to_eight_inputs_is_recognised() {
    for count in 1..=8u16 {
        for wanted in 0..1u16 << count {
            let mut blocks: Vec<BlockPlan> =
                (0..count).map(|input| block(BlockKind::Input, input as u8, 0, &[], 0)).collect();
            let mut all = SIGNAL_ON;
            for input in 0..count {
                let mut term = input;
                if wanted >> input & 1 == 0 {
                    blocks.push(block(BlockKind::Not, 0, 0, &[input], 0));
                    term = blocks.len() as u16 - 1;
                }
                blocks.push(block(BlockKind::And, 0, 0, &[all, term], 0));
                all = blocks.len() as u16 - 1;
            }
            blocks.push(block(BlockKind::Output, 0, 0, &[all], 0));
            let moments: Vec<Moment> =
                (0..1u16 << count).map(|inputs_on| Moment { inputs_on, ..Moment::default() }).collect();
            let on: Vec<u16> = compiled(&blocks, &moments).iter().map(|demand| demand.outputs_on).collect();
            let expected: Vec<u16> = (0..1u16 << count).map(|inputs| u16::from(inputs == wanted)).collect();
            assert_eq!(on, expected);
        }
    }
}

fn input(held: &[(u16, usize)]) -> Vec<Moment> {
    held.iter()
        .flat_map(|(inputs_on, ticks)| vec![Moment { inputs_on: *inputs_on, ..Moment::default() }; *ticks])
        .collect()
}

/// The borders of the button's time, and a button that is ON from the start.
#[test]
fn a_reset_button_counts_when_held_for_50_ms_to_5_s() {
    let blocks = [
        block(BlockKind::Input, 0, 0, &[], 0),
        block(BlockKind::Input, 1, 0, &[], 0),
        block(BlockKind::Reset, 0, 0, &[0, 1], 0),
        block(BlockKind::Output, 0, 0, &[2], 0),
    ];
    for (held, expected) in [(49, 0), (50, 1), (51, 1), (5_000, 1), (5_001, 0), (7_000, 0)] {
        let moments = input(&[(1, 5), (3, held), (1, 5)]);
        let demands = compiled(&blocks, &moments);
        assert_eq!(demands.last().unwrap().outputs_on, expected, "held {held}");
        assert!(demands[..5 + held].iter().all(|demand| demand.outputs_on == 0));
        agree(&blocks, &moments);
    }
    let from_start = input(&[(3, 100), (1, 5)]);
    assert_eq!(compiled(&blocks, &from_start).last().unwrap().outputs_on, 0);
    let condition_lost = input(&[(1, 5), (3, 100), (1, 5), (0, 1), (1, 5)]);
    assert_eq!(compiled(&blocks, &condition_lost).last().unwrap().outputs_on, 0);
}

/// SSR-015: a mode selector of each size, in each position: ON while the wanted input alone is ON.
#[test]
fn a_mode_selector_is_on_for_its_position_alone() {
    for size in 2..=4u16 {
        let all: Vec<u16> = (0..size).collect();
        for position in 0..size {
            let mut blocks: Vec<BlockPlan> =
                (0..size).map(|input| block(BlockKind::Input, input as u8, 0, &[], 0)).collect();
            blocks.push(block(BlockKind::Mode, position as u8, 0, &all, 0));
            blocks.push(block(BlockKind::Output, 0, 0, &[size], 0));
            let moments: Vec<Moment> =
                (0..1u16 << size).map(|inputs_on| Moment { inputs_on, ..Moment::default() }).collect();
            let on: Vec<u16> = compiled(&blocks, &moments).iter().map(|demand| demand.outputs_on).collect();
            let expected: Vec<u16> = (0..1u16 << size).map(|inputs| u16::from(inputs == 1 << position)).collect();
            assert_eq!(on, expected, "position {position} of {size}");
        }
    }
}

/// A program that breaks a rule is refused, field by field.
#[test]
fn blocks_that_break_a_rule_are_refused() {
    let network = network();
    let good = block(BlockKind::And, 0, 0, &[0, SIGNAL_ON], 0);
    let refuses = |block: &BlockPlan| {
        let mut builder = Builder::new(&network, 3, 2);
        builder.push(&crate::testing::plan::block(BlockKind::Input, 0, 0, &[], 0).bytes()).unwrap();
        builder.push(&block.bytes()).is_none()
    };
    assert!(!refuses(&good));
    for (what, bad) in [
        ("kind", BlockPlan { kind: 0, ..good }),
        ("kind", BlockPlan { kind: 99, ..good }),
        ("later block", BlockPlan { inputs: [0, 1, NO_SIGNAL, NO_SIGNAL], ..good }),
        ("unknown constant", BlockPlan { inputs: [0, 0x8002, NO_SIGNAL, NO_SIGNAL], ..good }),
        ("one input", BlockPlan { inputs: [0, NO_SIGNAL, NO_SIGNAL, NO_SIGNAL], ..good }),
        ("gap", BlockPlan { inputs: [0, NO_SIGNAL, 0, NO_SIGNAL], ..good }),
        ("index", BlockPlan { index: 1, ..good }),
        ("number", BlockPlan { number: 1, ..good }),
        ("time", BlockPlan { time: 1, ..good }),
        ("input group", block(BlockKind::Input, 3, 0, &[], 0)),
        ("input of an input", block(BlockKind::Input, 0, 0, &[0], 0)),
        ("output group", block(BlockKind::Output, 2, 0, &[0], 0)),
        ("relay", block(BlockKind::Relay, 2, 0, &[0], 0)),
        ("no time", block(BlockKind::OnDelay, 0, 0, &[0], 0)),
        ("long time", block(BlockKind::Pulse, 0, 0, &[0], 3_600_001)),
        ("position", block(BlockKind::Mode, 2, 0, &[0, 0], 0)),
        ("own node", block(BlockKind::MemoryReceive, 0, 0, &[], 0)),
        ("no node", block(BlockKind::MemoryReceive, 2, 0, &[], 0)),
        ("memory", block(BlockKind::MemoryReceive, 1, 256, &[], 0)),
        ("own memory", block(BlockKind::MemorySend, 0, 256, &[0], 0)),
        ("own entry", block(BlockKind::CanReceive, 0, 0, &[], 0)),
        ("no entry", block(BlockKind::CanReceive, 14, 0, &[], 0)),
        ("bit", block(BlockKind::CanReceive, 8, 16, &[], 0)),
        ("other's entry", block(BlockKind::CanSend, 8, 0, &[0], 0)),
    ] {
        assert!(refuses(&bad), "{what}: {bad:?}");
    }
}

/// Two blocks that drive the same thing are refused.
#[test]
fn nothing_is_driven_twice() {
    let network = network();
    for (kind, index, number) in
        [(BlockKind::Output, 1, 0), (BlockKind::Relay, 1, 0), (BlockKind::MemorySend, 0, 5), (BlockKind::CanSend, 2, 5)]
    {
        let mut builder = Builder::new(&network, 3, 2);
        let bytes = block(kind, index, number, &[SIGNAL_ON], 0).bytes();
        assert!(builder.push(&bytes).is_some(), "{kind:?}");
        assert!(builder.push(&bytes).is_none(), "{kind:?}");
    }
}
