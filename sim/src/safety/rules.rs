//! Which binaries a unit must accept, in numbers: the third opinion beside the two CPUs.
//!
//! `check` tells a user what is wrong with names and places; this judges any network a binary can hold, as
//! `SAFETY.md`, sections 8 and 11, wants it judged at start-up, and knows nothing of diagrams. Everything that `check`
//! lets pass must pass here; what damaged bytes a CPU accepts or refuses is compared with this.

use std::collections::BTreeSet;

use safety_common::configuration::{
    BLOCKS_MOST, BlockKind, Defect, GROUP_PINS_LEAST, GROUP_PINS_MOST, GroupKind, INPUT_GROUPS_MOST, NO_CAN, NO_SIGNAL,
    OUTPUT_GROUPS_MOST, Role, SIGNAL_OFF, SIGNAL_ON, TIMER_MS_MOST,
};
use safety_common::signal::Signal;
use safety_common::simplecan::ENTRIES_USABLE;
use safety_common::{MEMORIES_MOST, MEMORIES_STEP, NODES_MOST, PINS, RELAYS};

use super::binary::{Block, InputGroup, Network, Node, OutputGroup, Pin, Section, decode};

/// Judges the bytes that the unit with this serial number holds.
///
/// # Errors
/// The first defect in the order of `SAFETY.md`, section 11; among defects of one section, the order is this project's.
pub fn judge(bytes: &[u8], serial: u32) -> Result<Network, Defect> {
    let network = decode(bytes)?;
    sound(&network, serial)?;
    Ok(network)
}

/// Judges a network as the unit with this serial number must.
///
/// # Errors
/// The first defect.
pub fn sound(network: &Network, serial: u32) -> Result<(), Defect> {
    must(network.id != 0, Defect::NetworkId)?;
    nodes(&network.nodes)?;
    radio(network)?;
    can(network)?;
    let own = network.nodes.iter().position(|node| node.serial == serial).ok_or(Defect::NotForThisUnit)?;
    section(network, own)
}

fn must(holds: bool, defect: Defect) -> Result<(), Defect> {
    if holds { Ok(()) } else { Err(defect) }
}

fn all_different<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    values.into_iter().all(|value| seen.insert(value))
}

fn nodes(nodes: &[Node]) -> Result<(), Defect> {
    must((1..=NODES_MOST).contains(&nodes.len()), Defect::Nodes)?;
    must(nodes.iter().all(|node| !matches!(node.serial, 0 | u32::MAX)), Defect::Nodes)?;
    must(all_different(nodes.iter().map(|node| node.serial)), Defect::Nodes)?;
    let places = || nodes.iter().map(|node| node.can_node).filter(|place| *place != NO_CAN);
    must(places().all(|place| place < 16), Defect::Nodes)?;
    must(all_different(places()), Defect::Nodes)
}

fn radio(network: &Network) -> Result<(), Defect> {
    let timeout = network.radio_timeout_ms;
    let period = u32::from(network.radio_period_ms);
    let senders = network.nodes.iter().filter(|node| node.radio).count() as u32;
    must((4..=60_000).contains(&timeout), Defect::Radio)?;
    must(period >= senders.max(2) && 2 * period <= timeout, Defect::Radio)?;
    let fits = |node: &Node| {
        node.memories <= MEMORIES_MOST as u16
            && node.memories.is_multiple_of(MEMORIES_STEP)
            && (node.radio || node.memories == 0)
    };
    must(network.nodes.iter().all(fits), Defect::Radio)
}

fn can(network: &Network) -> Result<(), Defect> {
    must((20..=1_000).contains(&network.can_age_ms), Defect::Can)?;
    let mut owned = 0_u16;
    for node in &network.nodes {
        must(node.can_entries >> ENTRIES_USABLE == 0 && owned & node.can_entries == 0, Defect::Can)?;
        owned |= node.can_entries;
    }
    Ok(())
}

fn section(network: &Network, own: usize) -> Result<(), Defect> {
    let one = &network.nodes[own].section;
    let counts = one.inputs.len() <= INPUT_GROUPS_MOST && one.outputs.len() <= OUTPUT_GROUPS_MOST;
    must(counts && one.blocks.len() <= BLOCKS_MOST, Defect::Section)?;
    let supply = (7_000..=30_000).contains(&one.supply_min) && (8_000..=33_000).contains(&one.supply_max);
    must(supply && one.supply_min < one.supply_max, Defect::Supply)?;
    must(limits(one), Defect::Limits)?;
    must(one.pins.iter().all(pin), Defect::Pin)?;
    groups(one)?;
    for (number, block) in one.blocks.iter().enumerate() {
        must(block_fits(network, own, number, block), Defect::Block)?;
    }
    must(driven_once(&one.blocks), Defect::Block)?;
    must(network.response_ms <= 120_000 && network.response_ms >= path_ms(network, one), Defect::Response)
}

fn limits(one: &Section) -> bool {
    (2_700..=3_300).contains(&one.rail_min)
        && (3_300..=3_900).contains(&one.rail_max)
        && (1..=20).contains(&one.rail_debounce)
        && (500..=5_000).contains(&one.sio_drop)
        && (500..=5_000).contains(&one.sio_off)
        && (200..=3_000).contains(&one.mismatch)
        && (5..=50).contains(&one.mismatch_debounce)
        && (5..=100).contains(&one.relay_move)
}

fn pin(one: &Pin) -> bool {
    let differ = one.on != one.off && one.off != Signal::Ossd;
    match one.role {
        Role::Unused => *one == Pin::UNUSED,
        Role::Input => differ,
        Role::Output => differ && one.on != Signal::Low,
        Role::Combined => (one.on, one.off) == (Signal::High, Signal::Low),
    }
}

/// The pins of a mask.
fn members(section: &Section, mask: u16) -> impl Iterator<Item = &Pin> {
    section.pins.iter().enumerate().filter(move |(number, _)| mask >> number & 1 == 1).map(|(_, pin)| pin)
}

fn group_size(kind: GroupKind, mask: u16) -> bool {
    let allowed = match kind {
        GroupKind::Single => 1..=1,
        GroupKind::Redundant => GROUP_PINS_LEAST..=GROUP_PINS_MOST,
    };
    mask >> PINS == 0 && allowed.contains(&mask.count_ones())
}

fn groups(one: &Section) -> Result<(), Defect> {
    must(one.inputs.iter().all(|group| input_group(one, group)), Defect::InputGroup)?;
    let inputs = joined(one.inputs.iter().map(|group| group.pins)).ok_or(Defect::InputGroup)?;
    must(inputs == with_role(one, Role::Input), Defect::InputGroup)?;
    must(one.outputs.iter().all(|group| output_group(one, group)), Defect::OutputGroup)?;
    let outputs = joined(one.outputs.iter().map(|group| group.pins)).ok_or(Defect::OutputGroup)?;
    must(outputs == with_role(one, Role::Output), Defect::OutputGroup)
}

/// All pins of masks that share none.
fn joined(masks: impl Iterator<Item = u16>) -> Option<u16> {
    masks.into_iter().try_fold(0_u16, |all, mask| (all & mask == 0).then_some(all | mask))
}

/// The pins that need a group of this side.
fn with_role(one: &Section, role: Role) -> u16 {
    let wanted = |pin: &Pin| pin.role == role || pin.role == Role::Combined;
    one.pins.iter().enumerate().filter(|(_, pin)| wanted(pin)).fold(0, |mask, (number, _)| mask | 1 << number)
}

fn input_group(section: &Section, group: &InputGroup) -> bool {
    let time = match group.kind {
        GroupKind::Single => group.discrepancy_ms == 0,
        GroupKind::Redundant => (1..=60_000).contains(&group.discrepancy_ms),
    };
    // A lone Low as ON would make a broken wire read ON; a Low beside another type needs both.
    let holds_other = members(section, group.pins).any(|pin| pin.on != Signal::Low);
    let roles = members(section, group.pins).all(|pin| matches!(pin.role, Role::Input | Role::Combined));
    group_size(group.kind, group.pins) && time && group.on_filter_ms <= TIMER_MS_MOST && holds_other && roles
}

fn output_group(section: &Section, group: &OutputGroup) -> bool {
    let roles = members(section, group.pins).all(|pin| matches!(pin.role, Role::Output | Role::Combined));
    group_size(group.kind, group.pins) && roles
}

/// How many inputs a kind takes.
fn takes(kind: BlockKind) -> std::ops::RangeInclusive<usize> {
    use BlockKind as Kind;
    match kind {
        Kind::Input | Kind::InputError | Kind::OutputError | Kind::MemoryReceive | Kind::CanReceive => 0..=0,
        Kind::And | Kind::Or | Kind::Xor | Kind::Mode => 2..=4,
        Kind::Latch | Kind::Reset => 2..=2,
        Kind::Not | Kind::OnDelay | Kind::OffDelay | Kind::Pulse => 1..=1,
        Kind::Output | Kind::Relay | Kind::MemorySend | Kind::CanSend => 1..=1,
    }
}

fn block_fits(network: &Network, own: usize, number: usize, block: &Block) -> bool {
    let used = block.inputs.iter().take_while(|input| **input != NO_SIGNAL).count();
    let rest_unused = block.inputs[used..].iter().all(|input| *input == NO_SIGNAL);
    let is_known = |input: &u16| matches!(*input, SIGNAL_ON | SIGNAL_OFF) || usize::from(*input) < number;
    let is_timer = matches!(block.kind, BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse);
    let time = if is_timer { (1..=TIMER_MS_MOST).contains(&block.time_ms) } else { block.time_ms == 0 };
    takes(block.kind).contains(&used)
        && rest_unused
        && block.inputs[..used].iter().all(is_known)
        && time
        && index_and_number(network, own, block, used)
}

fn index_and_number(network: &Network, own: usize, block: &Block, used: usize) -> bool {
    let node = &network.nodes[own];
    let (index, number) = (usize::from(block.index), block.number);
    match block.kind {
        BlockKind::Input | BlockKind::InputError => index < node.section.inputs.len() && number == 0,
        BlockKind::Output | BlockKind::OutputError => index < node.section.outputs.len() && number == 0,
        BlockKind::Relay => index < RELAYS && number == 0,
        BlockKind::Mode => index < used && number == 0,
        BlockKind::MemoryReceive => {
            index != own && network.nodes.get(index).is_some_and(|sender| number < sender.memories)
        }
        BlockKind::MemorySend => index == 0 && number < node.memories,
        BlockKind::CanReceive => index < ENTRIES_USABLE && node.can_entries >> index & 1 == 0 && number < 16,
        BlockKind::CanSend => index < ENTRIES_USABLE && node.can_entries >> index & 1 == 1 && number < 16,
        _ => index == 0 && number == 0,
    }
}

fn driven_once(blocks: &[Block]) -> bool {
    let is_sink =
        |kind| matches!(kind, BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend);
    let sinks = blocks.iter().filter(|block| is_sink(block.kind));
    all_different(sinks.map(|block| (block.kind as u8, block.index, block.number)))
}

/// The least response time of a section, in ms.
fn path_ms(network: &Network, one: &Section) -> u32 {
    let pins = one.pins.iter().filter(|pin| matches!(pin.role, Role::Input | Role::Combined));
    let has = |kind| one.blocks.iter().any(|block| block.kind == kind);
    let radio = if has(BlockKind::MemoryReceive) { network.radio_timeout_ms + 2 } else { 0 };
    let can = if has(BlockKind::CanReceive) { u32::from(network.can_age_ms) + 2 } else { 0 };
    3 + pins.map(evaluation_ms).max().unwrap_or(0) + radio + can
}

fn evaluation_ms(pin: &Pin) -> u32 {
    let of = |signal| match signal {
        Signal::Low | Signal::High => 1,
        Signal::Ossd => 2,
        _ => 9,
    };
    if pin.role == Role::Combined { 5 } else { of(pin.on).max(of(pin.off)) }
}
