//! What must go off, and since when: stops at inputs, silent senders, and other units that tripped.
//!
//! A *demand* is an instant from which outputs of a unit must go off within a limit of the configuration. Which outputs these are the
//! diagram tells, and no list: those that are driven and that the reference wants off in its next evaluation if what the demand is about
//! is OFF, and the others not. So an input that stops nothing, or only after a time of the diagram, makes no demand; a lamp that is lit
//! by a loss of radio is none of its outputs.
//!
//! Two ways lead to the answer, and both count. The *witness* of either CPU knows the state of the diagram; it knows it no longer once it
//! is in doubt. What is *forced* follows from the diagram alone, whatever its state: `And` of anything OFF is OFF.
//!
//! What a stop changes in memories and CAN entries is carried to the units that receive it, and further from there.

use bevy_ecs::prelude::World;
use safety_common::NODES_MOST;
use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};
use safety_common::fault::Fault;
use safety_common::radio;

use super::networks::Common;
use super::unit::Unit;
use super::watch::Watch;
use super::{Units, unit_of};
use crate::kernel::{SimTime, Span};
use crate::safety::binary::{Block, Section};
use crate::safety::reference::Wanted;

/// So long before its time-out ends a silence is looked at: the witnesses are in doubt for the last 3 ms and a sixteenth of the lateness.
const BEFORE: Span = Span::from_millis(8);
/// A silent sender is noticed, its memories are evaluated and the outputs are switched in a tick each.
pub const TICKS: Span = Span::from_millis(3);
/// What a detected fault may take beyond the response time (SSR-044).
pub const FAULT_MORE: Span = Span::from_millis(500);

/// Why something must go off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An input group of a unit shows OFF.
    Stop {
        /// The unit, by its place in the scenario.
        unit: u8,
        /// Its group.
        group: u8,
    },
    /// Another unit found a fault in itself.
    Trip {
        /// That unit.
        unit: u8,
        /// What it detected.
        fault: Fault,
        /// By which CPU, 1 or 2.
        cpu: u8,
    },
    /// The last good packet of a node.
    Silence {
        /// Its place among the nodes of the network.
        node: u8,
    },
}

/// Outputs that must go off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Since when.
    pub at: SimTime,
    /// Why.
    pub why: Why,
    /// Those that were driven then: pins and relays.
    pub what: (u16, u8),
    /// Within this time, by the configurations at work.
    pub within: Span,
    /// When none of them was driven any more.
    pub off: Option<SimTime>,
}

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
    fn nothing_of(section: &Section, node: u8, entries: u16) -> Self {
        let of = |kind: BlockKind| section.blocks.iter().filter(move |block| block.kind == kind);
        let memories = of(BlockKind::MemoryReceive).filter(|block| block.index == node);
        let can = of(BlockKind::CanReceive).filter(|block| entries >> block.index.min(15) & 1 == 1);
        Self {
            inputs_off: 0,
            memories: memories.map(|block| (block.index, block.number, false)).collect(),
            can: can.map(|block| (block.index, block.number, false)).collect(),
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
    /// Memories that it sends so: number and value.
    pub memories: Vec<(u16, bool)>,
    /// Bits of entries that it sends so.
    pub can: Vec<(u8, u16, bool)>,
}

impl Effect {
    /// What must be so in the next evaluation whatever the state of the diagram is.
    #[must_use]
    pub fn forced(section: &Section, known: &Known) -> Self {
        let mut values: Vec<Option<bool>> = Vec::with_capacity(section.blocks.len());
        let mut effect = Self::default();
        for block in &section.blocks {
            let value = known.of(block).or_else(|| forced(block, &values));
            values.push(value);
            let Some(value) = value else { continue };
            match block.kind {
                BlockKind::Output if !value => effect.outputs |= 1 << block.index.min(15),
                BlockKind::Relay if !value => effect.relays |= 1 << block.index.min(7),
                BlockKind::MemorySend => effect.memories.push((block.number, value)),
                BlockKind::CanSend => effect.can.push((block.index, block.number, value)),
                _ => {}
            }
        }
        effect
    }

    /// What goes off between what is wanted and what would be, and what is sent otherwise.
    #[must_use]
    pub fn between(is: &Wanted, would: &Wanted) -> Self {
        let bits = |is: u16, would: u16| {
            (0..16u16).filter(move |bit| (is ^ would) >> bit & 1 == 1).map(move |bit| (bit, would >> bit & 1 == 1))
        };
        let memories = (0u16..).zip(is.memories.iter().zip(&would.memories));
        let can = (0u8..).zip(is.can.iter().zip(&would.can));
        Self {
            outputs: is.outputs & !would.outputs,
            relays: is.relays & !would.relays,
            memories: memories
                .flat_map(|(word, (is, would))| bits(*is, *would).map(move |(bit, on)| (16 * word + bit, on)))
                .collect(),
            can: can
                .flat_map(|(entry, (is, would))| bits(*is, *would).map(move |(bit, on)| (entry, bit, on)))
                .collect(),
        }
    }

    /// The part of it that follows what is known up or down: a button that is let go starts what it starts, and stops nothing.
    fn followed(self, section: &Section, known: &Known) -> Self {
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

    fn add(&mut self, other: Self) {
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
fn forced(block: &Block, values: &[Option<bool>]) -> Option<bool> {
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

/// Another node of the network as heard by a unit, whatever its firmware makes of it.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The last good packet: when it had come, and its counter.
    good: Option<(SimTime, u64)>,
    /// Good packets that are on their way.
    coming: Vec<(SimTime, u64)>,
}

impl Sender {
    /// Nothing has come from it, and nothing is on its way.
    const fn was_never_heard(&self) -> bool {
        self.good.is_none() && self.coming.is_empty()
    }

    /// A packet will come at `at`.
    fn will_come(&mut self, at: SimTime, counter: u64) {
        let place = self.coming.partition_point(|(other, _)| *other <= at);
        self.coming.insert(place, (at, counter));
    }

    /// Takes what has come by `now`; of packets that are not ahead of those before them nobody takes anything. Gives the end of each
    /// silence: when it began, and when it ended.
    fn take(&mut self, now: SimTime) -> Vec<(SimTime, SimTime)> {
        let mut ended = Vec::new();
        let come = self.coming.partition_point(|(at, _)| *at <= now);
        for (at, counter) in self.coming.drain(..come) {
            if self.good.is_none_or(|(_, last)| counter > last) {
                ended.extend(self.good.map(|(since, _)| (since, at)));
                self.good = Some((at, counter));
            }
        }
        ended
    }
}

/// The sender of a radio packet and its counter.
fn of_packet(packet: &[u8]) -> Option<(u8, u64)> {
    let sender = *packet.get(radio::at::SENDER)?;
    let counter = packet.get(radio::at::COUNTER..radio::at::COUNTER + 8)?;
    Some((sender, u64::from_le_bytes(counter.try_into().ok()?)))
}

impl Watch {
    /// What would go off at once: the diagram's answer.
    fn effect(&self, known: &Known) -> Effect {
        let mut effect = Effect::forced(self.section(), known);
        for cpu in &self.cpus {
            if let Some(own) = cpu.witness.as_ref().and_then(|witness| witness.effect(known)) {
                effect.add(own.followed(self.section(), known));
            }
        }
        effect
    }

    /// Of an effect the pins and relays that are driven now.
    fn driven_of(&self, effect: &Effect) -> (u16, u8) {
        let groups = self.section().outputs.iter().enumerate();
        let groups = groups.filter(|(group, _)| effect.outputs >> group & 1 == 1);
        let pins = groups.fold(0, |bits, (_, group)| bits | group.pins);
        let (live, held) = self.now_driven();
        (pins & live, effect.relays & held)
    }

    fn demand(&mut self, at: SimTime, why: Why, what: (u16, u8), within: Span) {
        if what != (0, 0) {
            self.demands.push(Demand { at, why, what, within, off: None });
        }
    }

    /// Other outputs are driven from now on: pins, relays.
    pub(super) fn meet_demands(&mut self, now: SimTime, pins: u16, relays: u8) {
        let met =
            |demand: &&mut Demand| demand.off.is_none() && demand.what.0 & pins == 0 && demand.what.1 & relays == 0;
        self.demands.iter_mut().filter(met).for_each(|demand| demand.off = Some(now));
    }

    /// A radio packet of another unit will come as it was sent; `of` is what that unit runs. Units of other networks say nothing.
    pub fn will_hear(&mut self, at: SimTime, packet: &[u8], of: &Common) {
        let is_peer = run_alike(self.common(), of);
        if let Some((number, counter)) = of_packet(packet).filter(|_| is_peer)
            && let Some(sender) = self.senders.get_mut(usize::from(number))
        {
            sender.will_come(at, counter);
        }
    }

    /// A tick begins: what rests on a sender that falls silent.
    pub fn judge_silence(&mut self, now: SimTime) {
        let timeout = Span::from_millis(self.common().network.radio_timeout_ms.into());
        for node in 0..NODES_MOST {
            if self.senders[node].was_never_heard() {
                continue;
            }
            for (since, ended) in self.senders[node].take(now) {
                // A silence that ended before all had to be off demands nothing.
                let is_over =
                    |one: &Demand| is_silence(one, since, node) && one.off.is_none() && ended <= since + one.within;
                self.demands.retain(|one| !is_over(one));
            }
            let Some((since, _)) = self.senders[node].good else { continue };
            // What rests on the sender is looked at up to the time-out.
            let is_known = self.demands.iter().any(|one| is_silence(one, since, node));
            let half = Span::from_nanos(timeout.as_nanos() / 2);
            let is_near = now + BEFORE.min(half) >= since + timeout && (now < since + timeout || !is_known);
            if is_near && self.is_driven() {
                self.rests_on(since, node, timeout);
            }
        }
    }

    /// What rests on a node that is silent since then, as it is now.
    fn rests_on(&mut self, since: SimTime, node: usize, timeout: Span) {
        let number = u8::try_from(node).unwrap_or(u8::MAX);
        let known = Known::nothing_of(self.section(), number, 0);
        if known.memories.is_empty() {
            return;
        }
        let is_known = self.demands.iter().any(|one| is_silence(one, since, node));
        let is_followed =
            self.cpus.iter().any(|cpu| cpu.witness.as_ref().is_some_and(|own| own.effect(&known).is_some()));
        if is_known && !is_followed {
            return;
        }
        let what = self.driven_of(&self.effect(&known));
        self.demands.retain(|one| !(is_silence(one, since, node) && one.off.is_none()));
        self.demand(since, Why::Silence { node: number }, what, timeout + TICKS);
    }
}

/// Whether a demand is that of a node's silence since then.
fn is_silence(one: &Demand, since: SimTime, node: usize) -> bool {
    one.at == since && matches!(one.why, Why::Silence { node: own } if usize::from(own) == node)
}

/// Whether two units have the same configuration and release.
fn run_alike(one: &Common, other: &Common) -> bool {
    (one.hash, one.release_hash) == (other.hash, other.release_hash)
}

/// Whether two units can hear each other.
fn are_peers(one: &Common, other: &Common) -> bool {
    run_alike(one, other) && one.own != other.own
}

/// Devices of a unit have changed: stops that begin, here and in the units that this one tells of it, and some that end.
pub(super) fn devices_changed(world: &mut World, now: SimTime, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let (off, on) = (std::mem::take(&mut one.watch.gone_off), std::mem::take(&mut one.watch.gone_on));
    for group in (0..16u8).filter(|group| on >> group & 1 == 1) {
        end_stop(world, now, unit, group);
    }
    for group in (0..16u8).filter(|group| off >> group & 1 == 1) {
        for (at, what, within) in carried(world, unit, group) {
            if let Some(mut other) = unit_of(world, at) {
                other.watch.demand(now, Why::Stop { unit, group }, what, within);
            }
        }
    }
}

/// A device shows ON again. Who was to hear of its stop from another unit need not, if it was shorter than the time that this may take.
fn end_stop(world: &mut World, now: SimTime, unit: u8, group: u8) {
    for entity in world.resource::<Units>().entities().to_vec() {
        let Some(mut other) = world.get_mut::<Unit>(entity).filter(|other| other.index != unit) else { continue };
        let why = Why::Stop { unit, group };
        other.watch.demands.retain(|one| !(one.why == why && one.off.is_none() && now < one.at + one.within));
    }
}

/// What a stop turns off, unit by unit, and within which time. The response time of a unit covers the inputs of those that it hears;
/// a unit that passes on what it heard adds its own.
fn carried(world: &World, unit: u8, group: u8) -> Vec<(u8, (u16, u8), Span)> {
    let entities = world.resource::<Units>().entities();
    let units: Vec<&Unit> = entities.iter().filter_map(|entity| world.get::<Unit>(*entity)).collect();
    // What a device shows is true whatever the wires make of it: a stop beside another one that nobody saw is a stop.
    let mut known: Vec<Known> = units.iter().map(|one| Known { inputs_off: !one.shown, ..Known::default() }).collect();
    let Some(first) = known.get_mut(usize::from(unit)) else { return Vec::new() };
    first.inputs_off |= 1 << group.min(15);
    let (mut list, mut reached) = (Vec::new(), vec![(usize::from(unit), Span::ZERO)]);
    let mut next = 0;
    while let Some(&(number, before)) = reached.get(next) {
        next += 1;
        let watch = &units[number].watch;
        let effect = watch.effect(&known[number]);
        let what = watch.driven_of(&effect);
        let within = before + Span::from_millis(watch.common().network.response_ms.into());
        if what != (0, 0) {
            list.push((units[number].index, what, within));
        }
        let before = if number == usize::from(unit) { Span::ZERO } else { within };
        for (other, receiver) in units.iter().enumerate() {
            let is_new = reached.iter().all(|(known, _)| *known != other);
            if is_new
                && are_peers(watch.common(), receiver.watch.common())
                && tell(&mut known[other], receiver, watch, &effect)
            {
                reached.push((other, before));
            }
        }
    }
    list
}

/// What a unit takes of another one's effect; whether that is anything.
fn tell(known: &mut Known, receiver: &Unit, sender: &Watch, effect: &Effect) -> bool {
    let node = u8::try_from(sender.common().own).unwrap_or(u8::MAX);
    for block in &receiver.watch.section().blocks {
        match block.kind {
            BlockKind::MemoryReceive if block.index == node => {
                let told = effect.memories.iter().find(|(number, _)| *number == block.number);
                known.memories.extend(told.map(|(number, value)| (node, *number, *value)));
            }
            BlockKind::CanReceive => {
                let told = effect.can.iter().find(|one| (one.0, one.1) == (block.index, block.number));
                known.can.extend(told);
            }
            _ => {}
        }
    }
    !known.memories.is_empty() || !known.can.is_empty()
}

/// A unit that has just found a fault in itself falls silent: what rests on it in others must go off.
pub(super) fn tell_trip(world: &mut World, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let Some((at, fault, cpu)) = one.watch.tripped_now.take() else { return };
    let common = one.watch.common().clone();
    for entity in world.resource::<Units>().entities().to_vec() {
        let Some(mut other) = world.get_mut::<Unit>(entity).filter(|other| other.index != unit) else { continue };
        let watch = &mut other.watch;
        let is_open = |one: &Demand| matches!(one.why, Why::Trip { unit: own, .. } if own == unit) && one.off.is_none();
        if !are_peers(&common, watch.common()) || watch.demands.iter().any(is_open) {
            continue;
        }
        let own = common.own;
        let entries = common.network.nodes.get(own).map_or(0, |node| node.can_entries);
        let known = Known::nothing_of(watch.section(), u8::try_from(own).unwrap_or(u8::MAX), entries);
        let what = watch.driven_of(&watch.effect(&known));
        let within = Span::from_millis(watch.common().network.response_ms.into()) + FAULT_MORE;
        watch.demand(at, Why::Trip { unit, fault, cpu }, what, within);
    }
}
