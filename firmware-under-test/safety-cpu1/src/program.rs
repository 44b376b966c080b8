//! The user's logic, compiled once into straight-line operations.
//!
//! At start-up the block records become [`Op`]s whose inputs are places in one table of values: 128 blocks, OFF and ON.
//! Inputs that a block does not use point at the constant that changes nothing, so an evaluation is one pass over the
//! operations without a look at counts or kinds of inputs. Each operation has one number of state.

use heapless::Vec;
use safety_common::configuration::{BLOCKS_MOST, BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON, TIMER_MS_MOST, block};
use safety_common::simplecan::{ENTRIES, ENTRIES_USABLE};
use safety_common::{NODES_MOST, RELAYS};

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::configuration::Network;

/// Words of global memories of a node.
pub(crate) const MEMORY_WORDS: usize = 16;
/// Places of the constants in the table of values.
const OFF: u8 = BLOCKS_MOST as u8;
const ON: u8 = OFF + 1;
const VALUES: usize = BLOCKS_MOST + 2;

/// A button must be held this long: 50 ms to 5 s (own numbers).
const HELD_LEAST: u32 = 50;
const HELD_MOST: u32 = 5_000;
/// In the state of a `Reset`: the output is ON. The bits below hold how long the button was held.
const RESET_IS_ON: u32 = 1 << 31;
/// In the state of a `Pulse`: the input was ON in the tick before.
const PULSE_WAS_ON: u32 = 1 << 31;

/// Global memories of all nodes; those of a silent node are 0.
pub(crate) type RemoteMemories = [[u16; MEMORY_WORDS]; NODES_MOST];

/// What the logic sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) inputs_on: u16,
    pub(crate) inputs_error: u16,
    pub(crate) outputs_error: u16,
    pub(crate) memories: &'a RemoteMemories,
    pub(crate) can: &'a [u16; ENTRIES],
}

/// What the logic wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) outputs_on: u16,
    pub(crate) relays_on: u8,
    pub(crate) memories: [u16; MEMORY_WORDS],
    pub(crate) can: [u16; ENTRIES],
}

/// One operation; numbers are places in the table of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Input(u8),
    InputError(u8),
    OutputError(u8),
    Memory {
        node: u8,
        number: u8,
    },
    Can {
        entry: u8,
        bit: u8,
    },
    And([u8; 4]),
    Or([u8; 4]),
    Xor([u8; 4]),
    Not(u8),
    Latch {
        set: u8,
        reset: u8,
    },
    OnDelay {
        a: u8,
        time: u32,
    },
    OffDelay {
        a: u8,
        time: u32,
    },
    Pulse {
        a: u8,
        time: u32,
    },
    Reset {
        condition: u8,
        button: u8,
    },
    /// The wanted input and the others.
    Mode {
        wanted: u8,
        others: [u8; 3],
    },
    Output {
        a: u8,
        group: u8,
    },
    Relay {
        a: u8,
        relay: u8,
    },
    MemorySend {
        a: u8,
        number: u8,
    },
    CanSend {
        a: u8,
        entry: u8,
        bit: u8,
    },
}

/// The compiled logic and its state.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    ops: Vec<Op, BLOCKS_MOST>,
    states: Vec<u32, BLOCKS_MOST>,
}

impl Program {
    /// Whether the logic uses global memories of other nodes.
    pub(crate) fn receives_memories(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Memory { .. }))
    }

    /// The nodes whose memories or entries the logic uses; bit `n` is node `n` of the table.
    pub(crate) fn heard(&self, network: &Network) -> u32 {
        let of_entry = |entry: u8| network.nodes.iter().position(|node| bit16(node.can_entries, entry));
        let heard = self.ops.iter().filter_map(|op| match *op {
            Op::Memory { node, .. } => Some(u32::from(node)),
            Op::Can { entry, .. } => of_entry(entry).and_then(|node| u32::try_from(node).ok()),
            _ => None,
        });
        heard.fold(0, |set, node| set | 1u32.checked_shl(node).unwrap_or(0))
    }

    /// How many entries the nodes have whose CAN entries the logic uses: the most of any.
    pub(crate) fn can_entries_heard(&self, network: &Network) -> Option<u32> {
        let entries = self.ops.iter().filter_map(|op| match *op {
            Op::Can { entry, .. } => network.nodes.iter().find(|node| bit16(node.can_entries, entry)),
            _ => None,
        });
        entries.map(|node| node.can_entries.count_ones()).max()
    }

    /// Evaluates every block once, in order (SSR-012).
    pub(crate) fn evaluate(&mut self, seen: &Seen<'_>) -> Demand {
        let mut values = [false; VALUES];
        if let Some(on) = values.get_mut(usize::from(ON)) {
            *on = true;
        }
        let mut demand = Demand::default();
        for ((op, state), place) in self.ops.iter().zip(&mut self.states).zip(0..) {
            let value = op.run(state, &values, seen, &mut demand);
            if let Some(slot) = values.get_mut::<usize>(place) {
                *slot = value;
            }
        }
        demand
    }
}

fn bit16(set: u16, bit: u8) -> bool {
    set.checked_shr(bit.into()).unwrap_or(0) & 1 == 1
}

fn mask16(bit: u8, value: bool) -> u16 {
    u16::from(value).checked_shl(bit.into()).unwrap_or(0)
}

impl Op {
    fn run(&self, state: &mut u32, values: &[bool; VALUES], seen: &Seen<'_>, demand: &mut Demand) -> bool {
        let value = |place: u8| values.get(usize::from(place)).copied().unwrap_or(false);
        match *self {
            Self::Input(group) => bit16(seen.inputs_on, group),
            Self::InputError(group) => bit16(seen.inputs_error, group),
            Self::OutputError(group) => bit16(seen.outputs_error, group),
            Self::Memory { node, number } => {
                let words = seen.memories.get(usize::from(node));
                words
                    .and_then(|words| words.get(usize::from(number / 16)))
                    .is_some_and(|word| bit16(*word, number % 16))
            }
            Self::Can { entry, bit } => seen.can.get(usize::from(entry)).is_some_and(|word| bit16(*word, bit)),
            Self::And([a, b, c, d]) => value(a) & value(b) & value(c) & value(d),
            Self::Or([a, b, c, d]) => value(a) | value(b) | value(c) | value(d),
            Self::Xor([a, b, c, d]) => value(a) ^ value(b) ^ value(c) ^ value(d),
            Self::Not(a) => !value(a),
            Self::Latch { set, reset } => {
                let q = !value(reset) && (value(set) || *state == 1);
                *state = q.into();
                q
            }
            Self::OnDelay { a, time } => on_delay(state, value(a), time),
            Self::OffDelay { a, time } => off_delay(state, value(a), time),
            Self::Pulse { a, time } => pulse(state, value(a), time),
            Self::Reset { condition, button } => reset(state, value(condition), value(button)),
            Self::Mode { wanted, others: [a, b, c] } => value(wanted) && !(value(a) | value(b) | value(c)),
            Self::Output { a, group } => {
                demand.outputs_on |= mask16(group, value(a));
                value(a)
            }
            Self::Relay { a, relay } => {
                demand.relays_on |= u8::from(value(a)).checked_shl(relay.into()).unwrap_or(0);
                value(a)
            }
            Self::MemorySend { a, number } => {
                if let Some(word) = demand.memories.get_mut(usize::from(number / 16)) {
                    *word |= mask16(number % 16, value(a));
                }
                value(a)
            }
            Self::CanSend { a, entry, bit } => {
                if let Some(word) = demand.can.get_mut(usize::from(entry)) {
                    *word |= mask16(bit, value(a));
                }
                value(a)
            }
        }
    }

    /// The state before the first evaluation.
    const fn start(&self) -> u32 {
        match self {
            Self::Pulse { .. } => PULSE_WAS_ON,
            Self::Reset { .. } => HELD_MOST + 1,
            _ => 0,
        }
    }
}

fn on_delay(count: &mut u32, a: bool, time: u32) -> bool {
    let is_over = a && *count >= time;
    *count = if a { count.saturating_add(1).min(time) } else { 0 };
    is_over
}

fn off_delay(count: &mut u32, a: bool, time: u32) -> bool {
    let is_on = a || *count > 0;
    *count = if a { time } else { count.saturating_sub(1) };
    is_on
}

fn pulse(state: &mut u32, a: bool, time: u32) -> bool {
    let was_on = *state & PULSE_WAS_ON != 0;
    let left = if a && !was_on { time } else { *state & !PULSE_WAS_ON };
    *state = left.saturating_sub(1) | if a { PULSE_WAS_ON } else { 0 };
    left > 0
}

fn reset(state: &mut u32, condition: bool, button: bool) -> bool {
    let held = *state & !RESET_IS_ON;
    let was_pressed_right = !button && (HELD_LEAST..=HELD_MOST).contains(&held);
    let is_on = condition && (*state & RESET_IS_ON != 0 || was_pressed_right);
    let held = if button { held.saturating_add(1).min(HELD_MOST + 1) } else { 0 };
    *state = held | if is_on { RESET_IS_ON } else { 0 };
    is_on
}

/// Compiles block records.
pub(crate) struct Builder<'a> {
    network: &'a Network,
    inputs: u8,
    outputs: u8,
    ops: Vec<Op, BLOCKS_MOST>,
}

/// The fields of a record.
#[derive(Clone, Copy)]
struct Record {
    kind: BlockKind,
    index: u8,
    number: u16,
    inputs: [u16; 4],
    time: u32,
}

impl<'a> Builder<'a> {
    pub(crate) const fn new(network: &'a Network, inputs: u8, outputs: u8) -> Self {
        Self { network, inputs, outputs, ops: Vec::new() }
    }

    /// Takes the next record; `None` if it breaks a rule of its kind.
    pub(crate) fn push(&mut self, bytes: &[u8; block::LEN]) -> Option<()> {
        let record = Record::read(bytes)?;
        let op = self.compile(&record)?;
        let is_second_writer = self.ops.iter().any(|other| writes_same(other, &op));
        if is_second_writer { None } else { self.ops.push(op).ok() }
    }

    pub(crate) fn finish(self) -> Program {
        let states = self.ops.iter().map(Op::start).collect();
        Program { ops: self.ops, states }
    }

    fn compile(&self, record: &Record) -> Option<Op> {
        let (least, most) = input_counts(record.kind);
        let count = record.inputs.iter().take_while(|input| **input != NO_SIGNAL).count();
        let only_then_none = record.inputs.iter().skip(count).all(|input| *input == NO_SIGNAL);
        let fields_fit = record.uses_only_its_fields();
        if !(least..=most).contains(&count) || !only_then_none || !fields_fit {
            return None;
        }
        let place = |input: u16, unused: u8| self.place(input, unused);
        let [a, b, c, d] = record.inputs;
        let first = place(a, OFF)?;
        let second = place(b, OFF)?;
        let all = |unused| Some([place(a, unused)?, place(b, unused)?, place(c, unused)?, place(d, unused)?]);
        let time = record.time;
        Some(match record.kind {
            BlockKind::Input => Op::Input(below(record.index, self.inputs)?),
            BlockKind::InputError => Op::InputError(below(record.index, self.inputs)?),
            BlockKind::OutputError => Op::OutputError(below(record.index, self.outputs)?),
            BlockKind::MemoryReceive => self.memory(record)?,
            BlockKind::CanReceive => self.can_receive(record)?,
            BlockKind::And => Op::And(all(ON)?),
            BlockKind::Or => Op::Or(all(OFF)?),
            BlockKind::Xor => Op::Xor(all(OFF)?),
            BlockKind::Not => Op::Not(first),
            BlockKind::Latch => Op::Latch { set: first, reset: second },
            BlockKind::OnDelay => Op::OnDelay { a: first, time },
            BlockKind::OffDelay => Op::OffDelay { a: first, time },
            BlockKind::Pulse => Op::Pulse { a: first, time },
            BlockKind::Reset => Op::Reset { condition: first, button: second },
            BlockKind::Mode => mode(all(OFF)?, record.index, count)?,
            BlockKind::Output => Op::Output { a: first, group: below(record.index, self.outputs)? },
            BlockKind::Relay => Op::Relay { a: first, relay: below(record.index, RELAYS as u8)? },
            BlockKind::MemorySend => self.memory_send(record, first)?,
            BlockKind::CanSend => self.can_send(record, first)?,
        })
    }

    /// The place of an input signal: an earlier block or a constant.
    fn place(&self, input: u16, unused: u8) -> Option<u8> {
        match input {
            NO_SIGNAL => Some(unused),
            SIGNAL_OFF => Some(OFF),
            SIGNAL_ON => Some(ON),
            earlier if usize::from(earlier) < self.ops.len() => u8::try_from(earlier).ok(),
            _ => None,
        }
    }

    fn memory(&self, record: &Record) -> Option<Op> {
        let index = usize::from(record.index);
        let has_radio = self.network.own_node()?.has_radio;
        let node = self.network.nodes.get(index).filter(|_| index != self.network.own && has_radio)?;
        let number = u8::try_from(record.number).ok()?;
        (record.number < node.memories).then_some(Op::Memory { node: record.index, number })
    }

    fn memory_send(&self, record: &Record, a: u8) -> Option<Op> {
        let number = u8::try_from(record.number).ok()?;
        let own = self.network.own_node()?;
        (record.number < own.memories).then_some(Op::MemorySend { a, number })
    }

    fn can_receive(&self, record: &Record) -> Option<Op> {
        let bit = u8::try_from(record.number).ok().filter(|bit| *bit < 16)?;
        let entry = below(record.index, ENTRIES_USABLE as u8)?;
        let is_others = self.network.nodes.iter().zip(0..).any(|(node, at)| {
            let at: usize = at;
            at != self.network.own && bit16(node.can_entries, entry)
        });
        let has_can = self.network.own_node()?.can_node.is_some();
        (is_others && has_can).then_some(Op::Can { entry, bit })
    }

    fn can_send(&self, record: &Record, a: u8) -> Option<Op> {
        let bit = u8::try_from(record.number).ok().filter(|bit| *bit < 16)?;
        let entry = below(record.index, ENTRIES_USABLE as u8)?;
        bit16(self.network.own_node()?.can_entries, entry).then_some(Op::CanSend { a, entry, bit })
    }
}

fn below(index: u8, count: u8) -> Option<u8> {
    (index < count).then_some(index)
}

fn mode([a, b, c, d]: [u8; 4], position: u8, used: usize) -> Option<Op> {
    let (wanted, others) = match position {
        0 => (a, [b, c, d]),
        1 => (b, [a, c, d]),
        2 => (c, [a, b, d]),
        3 => (d, [a, b, c]),
        _ => return None,
    };
    (usize::from(position) < used).then_some(Op::Mode { wanted, others })
}

/// Two blocks must not drive the same thing.
fn writes_same(one: &Op, other: &Op) -> bool {
    match (one, other) {
        (Op::Output { group: a, .. }, Op::Output { group: b, .. }) => a == b,
        (Op::Relay { relay: a, .. }, Op::Relay { relay: b, .. }) => a == b,
        (Op::MemorySend { number: a, .. }, Op::MemorySend { number: b, .. }) => a == b,
        (Op::CanSend { entry: a, bit: x, .. }, Op::CanSend { entry: b, bit: y, .. }) => (a, x) == (b, y),
        _ => false,
    }
}

/// The least and most inputs of a kind.
const fn input_counts(kind: BlockKind) -> (usize, usize) {
    match kind {
        BlockKind::Input
        | BlockKind::InputError
        | BlockKind::OutputError
        | BlockKind::MemoryReceive
        | BlockKind::CanReceive => (0, 0),
        BlockKind::And | BlockKind::Or | BlockKind::Xor | BlockKind::Mode => (2, 4),
        BlockKind::Latch | BlockKind::Reset => (2, 2),
        BlockKind::Not
        | BlockKind::OnDelay
        | BlockKind::OffDelay
        | BlockKind::Pulse
        | BlockKind::Output
        | BlockKind::Relay
        | BlockKind::MemorySend
        | BlockKind::CanSend => (1, 1),
    }
}

impl Record {
    fn read(bytes: &[u8; block::LEN]) -> Option<Self> {
        let input = |nth: usize| u16_at(bytes, block::INPUTS.saturating_add(nth.saturating_mul(2)));
        Some(Self {
            kind: kind_of(u8_at(bytes, block::KIND)?)?,
            index: u8_at(bytes, block::INDEX)?,
            number: u16_at(bytes, block::NUMBER)?,
            inputs: [input(0)?, input(1)?, input(2)?, input(3)?],
            time: u32_at(bytes, block::TIME)?,
        })
    }

    /// Fields that the kind does not use are 0; a time is 1 ms to an hour.
    fn uses_only_its_fields(&self) -> bool {
        let (index, number, time) = match self.kind {
            BlockKind::Input | BlockKind::InputError | BlockKind::OutputError => (true, false, false),
            BlockKind::MemoryReceive | BlockKind::CanReceive | BlockKind::CanSend => (true, true, false),
            BlockKind::Mode | BlockKind::Output | BlockKind::Relay => (true, false, false),
            BlockKind::MemorySend => (false, true, false),
            BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse => (false, false, true),
            BlockKind::And | BlockKind::Or | BlockKind::Xor | BlockKind::Not | BlockKind::Latch | BlockKind::Reset => {
                (false, false, false)
            }
        };
        let time_fits = if time { (1..=TIMER_MS_MOST).contains(&self.time) } else { self.time == 0 };
        (index || self.index == 0) && (number || self.number == 0) && time_fits
    }
}

const fn kind_of(byte: u8) -> Option<BlockKind> {
    Some(match byte {
        1 => BlockKind::Input,
        2 => BlockKind::InputError,
        3 => BlockKind::OutputError,
        4 => BlockKind::MemoryReceive,
        5 => BlockKind::CanReceive,
        16 => BlockKind::And,
        17 => BlockKind::Or,
        18 => BlockKind::Xor,
        19 => BlockKind::Not,
        20 => BlockKind::Latch,
        21 => BlockKind::OnDelay,
        22 => BlockKind::OffDelay,
        23 => BlockKind::Pulse,
        24 => BlockKind::Reset,
        25 => BlockKind::Mode,
        32 => BlockKind::Output,
        33 => BlockKind::Relay,
        34 => BlockKind::MemorySend,
        35 => BlockKind::CanSend,
        _ => return None,
    })
}
