//! What a diagram makes of what is known: the answer to what must go off.
//!
//! Two ways lead to it. The *witness* of either CPU tells what the next evaluation would want; what is *forced* follows from the diagram
//! and the inputs that the CPUs see, whatever was before.

use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};

use crate::safety::binary::{Block, Section};
use crate::safety::reference::Wanted;

/// Memories and entries that a unit is told, or not told any more: node, number and value; entry, bit and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Input groups that are OFF.
    pub inputs_off: u16,
    /// Memories.
    pub memories: Vec<(u8, u16, bool)>,
    /// Bits of CAN entries.
    pub can: Vec<(u8, u16, bool)>,
}

impl Known {
    /// All that a diagram takes from a node is OFF.
    pub(super) fn nothing_of(section: &Section, node: u8, entries: u16) -> Self {
        let of = |kind: BlockKind| section.blocks.iter().filter(move |block| block.kind == kind);
        let memories = of(BlockKind::MemoryReceive).filter(|block| block.index == node);
        let can = of(BlockKind::CanReceive).filter(|block| entries >> block.index.min(15) & 1 == 1);
        Self {
            inputs_off: 0,
            memories: memories.map(|block| (block.index, block.number, false)).collect(),
            can: can.map(|block| (block.index, block.number, false)).collect(),
        }
    }

    /// Beside what is known already, this.
    pub(super) fn add(&mut self, other: Self) {
        self.inputs_off |= other.inputs_off;
        for (own, others) in [(&mut self.memories, other.memories), (&mut self.can, other.can)] {
            own.retain(|one| others.iter().all(|(node, number, _)| (one.0, one.1) != (*node, *number)));
            own.extend(others);
            own.sort_unstable();
            own.dedup();
        }
    }

    fn of(&self, block: &Block) -> Option<bool> {
        let told = |list: &[(u8, u16, bool)]| {
            list.iter().find(|one| (one.0, one.1) == (block.index, block.number)).map(|(.., value)| *value)
        };
        match block.kind {
            BlockKind::Input => (self.inputs_off >> block.index.min(15) & 1 == 1).then_some(false),
            BlockKind::MemoryReceive => told(&self.memories),
            BlockKind::CanReceive => told(&self.can),
            _ => None,
        }
    }
}

/// What a diagram does with what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Output groups that go off.
    pub outputs: u16,
    /// Relays that go off.
    pub relays: u8,
    /// Output groups and relays that are wanted on all the same.
    pub on: (u16, u8),
    /// Memories that it sends otherwise than it does, or OFF: number and value. One that is OFF already need not have been heard.
    pub memories: Vec<(u16, bool)>,
    /// Bits of entries that it sends so.
    pub can: Vec<(u8, u16, bool)>,
}

impl Effect {
    /// What must be so in the next evaluation whatever the state of the diagram is, with these inputs as both CPUs see them.
    #[must_use]
    pub fn forced(section: &Section, known: &Known, inputs: u16) -> Self {
        let mut values: Vec<Option<bool>> = Vec::with_capacity(section.blocks.len());
        let mut effect = Self::default();
        for block in &section.blocks {
            let seen = || (block.kind == BlockKind::Input).then(|| inputs >> block.index.min(15) & 1 == 1);
            let value = known.of(block).or_else(seen).or_else(|| forced(block, &values));
            values.push(value);
            let Some(value) = value else { continue };
            match (block.kind, value) {
                (BlockKind::Output, false) => effect.outputs |= 1 << block.index.min(15),
                (BlockKind::Output, true) => effect.on.0 |= 1 << block.index.min(15),
                (BlockKind::Relay, false) => effect.relays |= 1 << block.index.min(7),
                (BlockKind::Relay, true) => effect.on.1 |= 1 << block.index.min(7),
                (BlockKind::MemorySend, _) => effect.memories.push((block.number, value)),
                (BlockKind::CanSend, _) => effect.can.push((block.index, block.number, value)),
                _ => {}
            }
        }
        effect
    }

    /// What goes off between what is wanted and what would be, and what is sent then.
    #[must_use]
    pub fn between(blocks: &[Block], is: &Wanted, would: &Wanted) -> Self {
        let (mut memories, mut can) = (Vec::new(), Vec::new());
        let bit = |words: &[u16], place: u16, bit: u16| {
            words.get(usize::from(place)).is_some_and(|word| word >> bit & 1 == 1)
        };
        for block in blocks {
            let (number, entry) = (block.number, block.index);
            match block.kind {
                BlockKind::MemorySend => {
                    let on = |all: &Wanted| bit(&all.memories, number / 16, number % 16);
                    memories.extend((!on(would) || !on(is)).then(|| (number, on(would))));
                }
                BlockKind::CanSend => {
                    let on = |all: &Wanted| bit(&all.can, entry.into(), number % 16);
                    can.extend((!on(would) || !on(is)).then(|| (entry, number, on(would))));
                }
                _ => {}
            }
        }
        let (outputs, relays) = (is.outputs & !would.outputs, is.relays & !would.relays);
        Self { outputs, relays, on: (would.outputs, would.relays), memories, can }
    }

    /// All that may go off at once as an input group goes OFF, whatever the state of the diagram is; with what it sends otherwise then.
    #[must_use]
    pub fn of_input(section: &Section, group: u8) -> Self {
        let of = |kind: BlockKind| section.blocks.iter().filter(move |block| block.kind == kind);
        let both = |value: bool| of(BlockKind::MemorySend).map(move |block| (block.number, value));
        let bits = |value: bool| of(BlockKind::CanSend).map(move |block| (block.index, block.number, value));
        let memories = both(false).chain(both(true)).collect();
        let can = bits(false).chain(bits(true)).collect();
        let all = Self { outputs: u16::MAX, relays: u8::MAX, on: (0, 0), memories, can };
        all.followed(section, &Known { inputs_off: 1 << group.min(15), ..Known::default() })
    }

    /// The part of it that follows what is known up or down: a button that is let go starts what it starts, and stops nothing.
    pub(super) fn followed(self, section: &Section, known: &Known) -> Self {
        let mut moves: Vec<Moves> = Vec::with_capacity(section.blocks.len());
        for block in &section.blocks {
            let own = known.of(block).map(|value| if value { Moves::UP } else { Moves::DOWN });
            moves.push(own.unwrap_or_else(|| Moves::of(block, &moves)));
        }
        let of = |kind: BlockKind, index: u8, number: u16| {
            let is = |block: &Block| (block.kind, block.index, block.number) == (kind, index, number);
            let sinks = section.blocks.iter().zip(&moves).filter(|(block, _)| is(block));
            sinks.fold(Moves::default(), |all, (_, one)| all.or(*one))
        };
        let falls = |kind: BlockKind, index: u8| {
            section.blocks.iter().zip(&moves).any(|(block, one)| (block.kind, block.index) == (kind, index) && one.down)
        };
        let bits = |kind: BlockKind, bits: u16| {
            (0..16u8).filter(|bit| bits >> bit & 1 == 1 && falls(kind, *bit)).fold(0u16, |all, bit| all | 1 << bit)
        };
        let told = |moves: Moves, value: bool| if value { moves.up } else { moves.down };
        let mut effect = self;
        effect.outputs = bits(BlockKind::Output, effect.outputs);
        effect.relays = bits(BlockKind::Relay, effect.relays.into()) as u8;
        effect.memories.retain(|(number, value)| told(of(BlockKind::MemorySend, 0, *number), *value));
        effect.can.retain(|(entry, bit, value)| told(of(BlockKind::CanSend, *entry, *bit), *value));
        effect
    }

    /// What either tells; what is on is told by each.
    pub(super) fn add(&mut self, other: Self) {
        self.outputs |= other.outputs;
        self.relays |= other.relays;
        for one in other.memories {
            if !self.memories.contains(&one) {
                self.memories.push(one);
            }
        }
        for one in other.can {
            if !self.can.contains(&one) {
                self.can.push(one);
            }
        }
    }
}

/// Where a signal may go at once for what is known.
#[derive(Clone, Copy, Debug, Default)]
struct Moves {
    up: bool,
    down: bool,
}

impl Moves {
    const UP: Self = Self { up: true, down: false };
    const DOWN: Self = Self { up: false, down: true };

    const fn or(self, other: Self) -> Self {
        Self { up: self.up || other.up, down: self.down || other.down }
    }

    fn of(block: &Block, moves: &[Self]) -> Self {
        let of = |input: usize| moves.get(usize::from(block.inputs[input])).copied().unwrap_or_default();
        let all = (0..block.inputs.len()).map(of).fold(Self::default(), Self::or);
        match block.kind {
            BlockKind::And | BlockKind::Or => all,
            BlockKind::Xor | BlockKind::Mode if all.up || all.down => Self { up: true, down: true },
            BlockKind::Not => Self { up: of(0).down, down: of(0).up },
            BlockKind::Latch => Self { up: of(0).up, down: of(1).up },
            BlockKind::OnDelay => Self { up: of(0).up && block.time_ms == 0, down: of(0).down },
            BlockKind::OffDelay => Self { up: of(0).up, down: of(0).down && block.time_ms == 0 },
            BlockKind::Reset => Self { up: false, down: of(0).down },
            BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend => of(0),
            _ => Self::default(),
        }
    }
}

/// The value of a block if some of its inputs decide it, whatever was before.
pub(super) fn forced(block: &Block, values: &[Option<bool>]) -> Option<bool> {
    let of = |signal: u16| match signal {
        SIGNAL_ON => Some(true),
        SIGNAL_OFF => Some(false),
        number => values.get(usize::from(number)).copied().flatten(),
    };
    let used = || block.inputs.iter().filter(|input| **input != NO_SIGNAL).map(|input| of(*input));
    let (first, second) = (of(block.inputs[0]), of(block.inputs[1]));
    match block.kind {
        BlockKind::And if used().any(|value| value == Some(false)) => Some(false),
        BlockKind::And if used().all(|value| value == Some(true)) => Some(true),
        BlockKind::Or if used().any(|value| value == Some(true)) => Some(true),
        BlockKind::Or if used().all(|value| value == Some(false)) => Some(false),
        BlockKind::Xor => used().try_fold(false, |sum, value| Some(sum ^ value?)),
        BlockKind::Not => first.map(|value| !value),
        BlockKind::Latch if second == Some(true) => Some(false),
        BlockKind::OnDelay | BlockKind::Reset if first == Some(false) => Some(false),
        BlockKind::OffDelay if first == Some(true) => Some(true),
        BlockKind::Mode => {
            let mut places = used().enumerate();
            let other = places.any(|(place, value)| value.is_some_and(|on| on != (place == usize::from(block.index))));
            other.then_some(false)
        }
        BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend => first,
        _ => None,
    }
}
