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
use safety_common::{MEMORIES_MOST, MEMORIES_STEP, PINS, RELAYS};

use super::binary::{
    Block, InputGroup, Network, Node, Outline, OutputGroup, Pin, Records, SIGNALS, Section, decode, encode, in_place,
    outline, raw_pins,
};

/// Judges a whole binary for the unit with this serial number, and takes it apart.
///
/// # Errors
/// What that unit would say ([`verdict`]); then, if the unit is content, the first defect in the form of another section.
pub fn judge(bytes: &[u8], serial: u32) -> Result<Network, Defect> {
    verdict(bytes, serial)?;
    decode(bytes)
}

/// What the unit with this serial number says to these bytes: both CPUs must say the same.
///
/// # Errors
/// The first defect in the order of `SAFETY.md`, section 11. A unit does not judge the sections of others.
pub fn verdict(bytes: &[u8], serial: u32) -> Result<(), Defect> {
    let Outline { mut network, places, body } = outline(bytes)?;
    nodes(&network.nodes)?;
    radio(&network)?;
    can(&network)?;
    in_place(&places, body.len())?;
    let own = network.nodes.iter().position(|node| node.serial == serial).ok_or(Defect::NotForThisUnit)?;
    let records = Records::of(places[own].of(body)?)?;
    header_of(&records, &mut network.nodes[own].section)?;
    pins(&records, &mut network.nodes[own].section)?;
    inputs(&records, &mut network.nodes[own].section)?;
    outputs(&records, &mut network.nodes[own].section)?;
    blocks(&records, &mut network, own)?;
    let heard = places.iter().enumerate().filter(|(node, _)| *node == own || hears(&network, own, *node));
    let mut slowest = 0;
    for (_, place) in heard {
        slowest = raw_pins(place.of(body)?).map(evaluation_ms).fold(slowest, u32::max);
    }
    let path = slowest + path_ms(&network, &network.nodes[own].section);
    must(network.response_ms <= 120_000 && network.response_ms >= path, Defect::Response)
}

/// Judges a network as the unit with this serial number must.
///
/// # Errors
/// The first defect.
pub fn sound(network: &Network, serial: u32) -> Result<(), Defect> {
    verdict(&encode(network), serial)
}

fn must(holds: bool, defect: Defect) -> Result<(), Defect> {
    if holds { Ok(()) } else { Err(defect) }
}

fn all_different<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    values.into_iter().all(|value| seen.insert(value))
}

fn nodes(nodes: &[Node]) -> Result<(), Defect> {
    must(nodes.iter().all(|node| !matches!(node.serial, 0 | u32::MAX)), Defect::Nodes)?;
    must(all_different(nodes.iter().map(|node| node.serial)), Defect::Nodes)?;
    let places = || nodes.iter().map(|node| node.can_node).filter(|place| *place != NO_CAN);
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
        must(node.can_node < 16 || (node.can_node == NO_CAN && node.can_entries == 0), Defect::Can)?;
        must(node.can_entries >> ENTRIES_USABLE == 0 && owned & node.can_entries == 0, Defect::Can)?;
        owned |= node.can_entries;
    }
    Ok(())
}

/// Voltages, times and counts.
fn header_of(records: &Records<'_>, one: &mut Section) -> Result<(), Defect> {
    *one = records.limits();
    let supply = (7_000..=30_000).contains(&one.supply_min) && (8_000..=33_000).contains(&one.supply_max);
    must(supply && one.supply_min < one.supply_max, Defect::Supply)?;
    let [inputs, outputs, blocks] = records.counts();
    let counts = inputs <= INPUT_GROUPS_MOST && outputs <= OUTPUT_GROUPS_MOST && blocks <= BLOCKS_MOST;
    must(limits(one) && counts, Defect::Limits)
}

fn pins(records: &Records<'_>, one: &mut Section) -> Result<(), Defect> {
    for (place, read) in one.pins.iter_mut().zip(records.each_pin()) {
        *place = read?;
        must(pin(place), Defect::Pin)?;
    }
    Ok(())
}

fn inputs(records: &Records<'_>, one: &mut Section) -> Result<(), Defect> {
    let mut taken = 0;
    for group in records.inputs() {
        let group = group?;
        must(input_group(one, &group) && taken & group.pins == 0, Defect::InputGroup)?;
        taken |= group.pins;
        one.inputs.push(group);
    }
    must(taken == with_role(one, Role::Input), Defect::InputGroup)
}

fn outputs(records: &Records<'_>, one: &mut Section) -> Result<(), Defect> {
    let mut taken = 0;
    for group in records.outputs() {
        let group = group?;
        must(output_group(one, &group) && taken & group.pins == 0, Defect::OutputGroup)?;
        taken |= group.pins;
        one.outputs.push(group);
    }
    must(taken == with_role(one, Role::Output), Defect::OutputGroup)
}

fn blocks(records: &Records<'_>, network: &mut Network, own: usize) -> Result<(), Defect> {
    for (number, block) in records.blocks().enumerate() {
        let block = block?;
        must(block_fits(network, own, number, &block), Defect::Block)?;
        network.nodes[own].section.blocks.push(block);
    }
    must(driven_once(&network.nodes[own].section.blocks), Defect::Block)
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
    // What an output's transistor does most of a tick tells ON from OFF.
    let is_mostly_high = |signal| (Signal::High as u8..=Signal::D as u8).contains(&(signal as u8));
    match one.role {
        Role::Unused => *one == Pin::UNUSED,
        Role::Input => {
            // OSSD takes a steady High as well.
            one.on != one.off && one.off != Signal::Ossd && (one.on, one.off) != (Signal::Ossd, Signal::High)
        }
        Role::Output => is_mostly_high(one.on) && !is_mostly_high(one.off),
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
            let sender = network.nodes.get(index).filter(|_| index != own && node.radio);
            sender.is_some_and(|sender| number < sender.memories)
        }
        BlockKind::MemorySend => index == 0 && number < node.memories,
        BlockKind::CanReceive => {
            node.can_node != NO_CAN && owner(network, index).is_some_and(|at| at != own) && number < 16
        }
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

/// The node that sends a CAN entry.
fn owner(network: &Network, entry: usize) -> Option<usize> {
    let owns = |node: &Node| entry < ENTRIES_USABLE && node.can_entries >> entry & 1 == 1;
    network.nodes.iter().position(owns)
}

/// Whether a block of node `own` takes its value from `other`.
fn hears(network: &Network, own: usize, other: usize) -> bool {
    network.nodes[own].section.blocks.iter().any(|block| match block.kind {
        BlockKind::MemoryReceive => usize::from(block.index) == other,
        BlockKind::CanReceive => owner(network, usize::from(block.index)) == Some(other),
        _ => false,
    })
}

/// The least response time of a section in ms, but for the evaluation of the inputs.
fn path_ms(network: &Network, one: &Section) -> u32 {
    let has = |kind| one.blocks.iter().any(|block| block.kind == kind);
    let radio = if has(BlockKind::MemoryReceive) { network.radio_timeout_ms + 2 } else { 0 };
    // Frames of one node are made in turn, one a tick.
    let heard = one.blocks.iter().filter(|block| block.kind == BlockKind::CanReceive);
    let owners = heard.filter_map(|block| owner(network, usize::from(block.index)));
    let turns = owners.map(|owner| network.nodes[owner].can_entries.count_ones()).max();
    3 + radio + turns.map_or(0, |turns| u32::from(network.can_age_ms) + 2 + turns)
}

/// How long it takes to see that a pin with these numbers of role and ON signal is no longer ON.
fn evaluation_ms((role, on): (u8, u8)) -> u32 {
    match SIGNALS.into_iter().find(|signal| *signal as u8 == on) {
        _ if [Role::Unused as u8, Role::Output as u8].contains(&role) => 0,
        _ if role == Role::Combined as u8 => 5,
        Some(Signal::Low | Signal::High) => 1,
        Some(Signal::Ossd) => 2,
        _ => 9,
    }
}
