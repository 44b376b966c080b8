//! This unit's own section: limits, pins, groups, blocks and the response time.

use core::ops::RangeInclusive;

use heapless::Vec;
use safety_common::PINS;
use safety_common::configuration::{
    BLOCKS_MOST, Defect, GROUP_PINS_LEAST, GROUP_PINS_MOST, GroupKind, INPUT_GROUPS_MOST, OUTPUT_GROUPS_MOST, Role,
    TIMER_MS_MOST, block, input_group, output_group, pin, section,
};
use safety_common::io::FlashPort;
use safety_common::signal::Signal;

use super::network::{Network, Place};
use super::{Store, signal_of};
use crate::bytes::{u8_at, u16_at, u32_at};
use crate::program::{Builder, Program};

/// Limits and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) supply_min: u16,
    pub(crate) supply_max: u16,
    pub(crate) rail_min: u16,
    pub(crate) rail_max: u16,
    pub(crate) rail_debounce: u16,
    pub(crate) sio_drop: u16,
    pub(crate) sio_off: u16,
    pub(crate) mismatch: u16,
    pub(crate) mismatch_debounce: u16,
    pub(crate) relay_move: u16,
}

/// One pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinPlan {
    pub(crate) role: Role,
    pub(crate) on: Signal,
    pub(crate) off: Signal,
}

/// All pins.
pub(crate) type Pins = [PinPlan; PINS];

/// One input group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputGroup {
    pub(crate) pins: u16,
    pub(crate) discrepancy_ms: u16,
    pub(crate) on_filter_ms: u32,
    pub(crate) needs_start_test: bool,
}

/// One output group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputGroup {
    pub(crate) pins: u16,
}

/// The groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    pub(crate) inputs: Vec<InputGroup, INPUT_GROUPS_MOST>,
    pub(crate) outputs: Vec<OutputGroup, OUTPUT_GROUPS_MOST>,
}

/// The section.
pub(super) struct Section {
    pub(super) settings: Settings,
    pub(super) pins: Pins,
    pub(super) groups: Groups,
    pub(super) program: Program,
}

/// How many records of each kind follow the section header.
#[derive(Clone, Copy)]
struct Counts {
    inputs: u8,
    outputs: u8,
    blocks: u16,
}

/// The shortest section: its header and the pins.
pub(super) const LENGTH_LEAST: u32 = (section::LEN + section::PINS_LEN) as u32;

/// Reads and checks the section at `place`.
pub(super) fn read(store: &Store<'_, impl FlashPort>, network: &Network, place: Place) -> Result<Section, Defect> {
    let bytes: [u8; section::LEN] = store.record(place.at)?;
    let counts = read_counts(&bytes, place)?;
    if bytes.iter().skip(section::RESERVED).any(|byte| *byte != 0) {
        return Err(Defect::Reserved);
    }
    let settings = read_settings(&bytes)?;
    check_counts(counts)?;
    let pins_at = place.at.saturating_add(section::LEN as u32);
    let pins = read_pins(store, pins_at)?;
    let inputs_at = pins_at.saturating_add(section::PINS_LEN as u32);
    let inputs = read_inputs(store, inputs_at, counts.inputs, &pins)?;
    check_membership(&pins, Role::Input, inputs.iter().map(|group| group.pins), Defect::InputGroup)?;
    let outputs_at = inputs_at.saturating_add(u32::from(counts.inputs).saturating_mul(input_group::LEN as u32));
    let outputs = read_outputs(store, outputs_at, counts.outputs, &pins)?;
    check_membership(&pins, Role::Output, outputs.iter().map(|group| group.pins), Defect::OutputGroup)?;
    let groups = Groups { inputs, outputs };
    let blocks_at = outputs_at.saturating_add(u32::from(counts.outputs).saturating_mul(output_group::LEN as u32));
    let program = read_blocks(store, blocks_at, counts, network)?;
    Ok(Section { settings, pins, groups, program })
}

fn read_counts(bytes: &[u8; section::LEN], place: Place) -> Result<Counts, Defect> {
    let inputs = u8_at(bytes, section::INPUT_GROUPS).ok_or(Defect::Section)?;
    let outputs = u8_at(bytes, section::OUTPUT_GROUPS).ok_or(Defect::Section)?;
    let blocks = u16_at(bytes, section::BLOCKS).ok_or(Defect::Section)?;
    let length = section::LEN
        .saturating_add(section::PINS_LEN)
        .saturating_add(usize::from(inputs).saturating_mul(input_group::LEN))
        .saturating_add(usize::from(outputs).saturating_mul(output_group::LEN))
        .saturating_add(usize::from(blocks).saturating_mul(block::LEN));
    if u32::try_from(length) != Ok(place.length) {
        return Err(Defect::Section);
    }
    Ok(Counts { inputs, outputs, blocks })
}

fn check_counts(counts: Counts) -> Result<(), Defect> {
    let fit = usize::from(counts.inputs) <= INPUT_GROUPS_MOST
        && usize::from(counts.outputs) <= OUTPUT_GROUPS_MOST
        && usize::from(counts.blocks) <= BLOCKS_MOST;
    if fit { Ok(()) } else { Err(Defect::Limits) }
}

fn read_settings(bytes: &[u8; section::LEN]) -> Result<Settings, Defect> {
    let field =
        |at, range: RangeInclusive<u16>, defect| u16_at(bytes, at).filter(|value| range.contains(value)).ok_or(defect);
    let supply_min = field(section::SUPPLY_MIN, 7_000..=30_000, Defect::Supply)?;
    let supply_max = field(section::SUPPLY_MAX, 8_000..=33_000, Defect::Supply)?;
    if supply_min >= supply_max {
        return Err(Defect::Supply);
    }
    Ok(Settings {
        supply_min,
        supply_max,
        rail_min: field(section::RAIL_MIN, 2_700..=3_300, Defect::Limits)?,
        rail_max: field(section::RAIL_MAX, 3_300..=3_900, Defect::Limits)?,
        rail_debounce: field(section::RAIL_DEBOUNCE, 1..=20, Defect::Limits)?,
        sio_drop: field(section::SIO_DROP, 500..=5_000, Defect::Limits)?,
        sio_off: field(section::SIO_OFF, 500..=5_000, Defect::Limits)?,
        mismatch: field(section::MISMATCH, 200..=3_000, Defect::Limits)?,
        mismatch_debounce: field(section::MISMATCH_DEBOUNCE, 5..=50, Defect::Limits)?,
        relay_move: field(section::RELAY_MOVE, 5..=100, Defect::Limits)?,
    })
}

fn read_pins(store: &Store<'_, impl FlashPort>, at: u32) -> Result<Pins, Defect> {
    let mut pins = [PinPlan { role: Role::Unused, on: Signal::Low, off: Signal::Low }; PINS];
    for (plan, at) in pins.iter_mut().zip((at..).step_by(pin::LEN)) {
        let bytes: [u8; pin::LEN] = store.record(at)?;
        if u8_at(&bytes, pin::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
        *plan = read_pin(&bytes).ok_or(Defect::Pin)?;
    }
    Ok(pins)
}

fn read_pin(bytes: &[u8; pin::LEN]) -> Option<PinPlan> {
    let role = match u8_at(bytes, pin::ROLE)? {
        0 => Role::Unused,
        1 => Role::Input,
        2 => Role::Output,
        3 => Role::Combined,
        _ => return None,
    };
    let plan = PinPlan {
        role,
        on: u8_at(bytes, pin::ON).and_then(signal_of)?,
        off: u8_at(bytes, pin::OFF).and_then(signal_of)?,
    };
    let fits = match role {
        // Nothing is planned on a pin that is not used: its record is 0.
        Role::Unused => (plan.on, plan.off) == (Signal::Low, Signal::Low),
        Role::Input => can_be_told_apart(plan.on, plan.off),
        Role::Output => is_mostly_high(plan.on) && !is_mostly_high(plan.off),
        Role::Combined => plan.on == Signal::High && plan.off == Signal::Low,
    };
    fits.then_some(plan)
}

/// A steady high passes for OSSD, so these two never tell ON from OFF; and OSSD is no OFF state.
fn can_be_told_apart(on: Signal, off: Signal) -> bool {
    on != off && off != Signal::Ossd && (on, off) != (Signal::Ossd, Signal::High)
}

/// Whether a transistor that makes this signal conducts most of the time.
const fn is_mostly_high(signal: Signal) -> bool {
    match signal {
        Signal::High | Signal::Ossd | Signal::A | Signal::B | Signal::C | Signal::D => true,
        Signal::Low | Signal::InverseA | Signal::InverseB | Signal::InverseC | Signal::InverseD => false,
    }
}

fn group_kind(byte: Option<u8>) -> Option<GroupKind> {
    match byte? {
        1 => Some(GroupKind::Single),
        2 => Some(GroupKind::Redundant),
        _ => None,
    }
}

/// Exactly one pin, or 2 to 8 (SSR-028, SSR-029).
fn has_right_size(kind: GroupKind, pins: u16) -> bool {
    let count = pins.count_ones();
    match kind {
        GroupKind::Single => count == 1,
        GroupKind::Redundant => (GROUP_PINS_LEAST..=GROUP_PINS_MOST).contains(&count),
    }
}

/// The plans of the pins in `set`; `None` if one does not exist or has another role.
fn all_have_role(pins: &Pins, set: u16, role: Role) -> bool {
    (0..u16::BITS).filter(|at| set >> at & 1 == 1).all(|at| {
        let plan = usize::try_from(at).ok().and_then(|at| pins.get(at));
        plan.is_some_and(|plan| plan.role == role || plan.role == Role::Combined)
    })
}

fn read_inputs(
    store: &Store<'_, impl FlashPort>,
    at: u32,
    count: u8,
    pins: &Pins,
) -> Result<Vec<InputGroup, INPUT_GROUPS_MOST>, Defect> {
    let (mut groups, mut taken) = (Vec::new(), 0);
    for (at, _) in (at..).step_by(input_group::LEN).zip(0..count) {
        let bytes: [u8; input_group::LEN] = store.record(at)?;
        let has_other_flags = u8_at(&bytes, input_group::FLAGS).is_none_or(|flags| flags > 1);
        if has_other_flags || u16_at(&bytes, input_group::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
        let group = read_input(&bytes, pins).ok_or(Defect::InputGroup)?;
        if taken & group.pins != 0 {
            return Err(Defect::InputGroup);
        }
        taken |= group.pins;
        groups.push(group).map_err(|_| Defect::InputGroup)?;
    }
    Ok(groups)
}

fn read_input(bytes: &[u8; input_group::LEN], pins: &Pins) -> Option<InputGroup> {
    let kind = group_kind(u8_at(bytes, input_group::KIND))?;
    let group = InputGroup {
        pins: u16_at(bytes, input_group::PINS)?,
        discrepancy_ms: u16_at(bytes, input_group::DISCREPANCY)?,
        on_filter_ms: u32_at(bytes, input_group::ON_FILTER).filter(|ms| *ms <= TIMER_MS_MOST)?,
        needs_start_test: u8_at(bytes, input_group::FLAGS)? == 1,
    };
    let discrepancy_fits = match kind {
        GroupKind::Single => group.discrepancy_ms == 0,
        GroupKind::Redundant => (1..=60_000).contains(&group.discrepancy_ms),
    };
    let is_good = discrepancy_fits
        && has_right_size(kind, group.pins)
        && all_have_role(pins, group.pins, Role::Input)
        && de_energises(pins, group.pins);
    is_good.then_some(group)
}

/// A broken wire must not read as ON: some pin of the group has another ON state than 0 V.
fn de_energises(pins: &Pins, set: u16) -> bool {
    pins.iter().zip(0..).any(|(plan, at)| set >> at & 1 == 1 && plan.on != Signal::Low)
}

fn read_outputs(
    store: &Store<'_, impl FlashPort>,
    at: u32,
    count: u8,
    pins: &Pins,
) -> Result<Vec<OutputGroup, OUTPUT_GROUPS_MOST>, Defect> {
    let (mut groups, mut taken) = (Vec::new(), 0);
    for (at, _) in (at..).step_by(output_group::LEN).zip(0..count) {
        let bytes: [u8; output_group::LEN] = store.record(at)?;
        if u8_at(&bytes, output_group::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
        let set = u16_at(&bytes, output_group::PINS).ok_or(Defect::OutputGroup)?;
        let kind = group_kind(u8_at(&bytes, output_group::KIND)).ok_or(Defect::OutputGroup)?;
        if !has_right_size(kind, set) || !all_have_role(pins, set, Role::Output) || taken & set != 0 {
            return Err(Defect::OutputGroup);
        }
        taken |= set;
        groups.push(OutputGroup { pins: set }).map_err(|_| Defect::OutputGroup)?;
    }
    Ok(groups)
}

/// Every pin of a side is in a group of that side.
fn check_membership(pins: &Pins, side: Role, groups: impl Iterator<Item = u16>, defect: Defect) -> Result<(), Defect> {
    let grouped = groups.fold(0u16, |all, set| all | set);
    let is_left_out =
        |plan: &PinPlan, at: u32| (plan.role == side || plan.role == Role::Combined) && grouped >> at & 1 == 0;
    if pins.iter().zip(0..).any(|(plan, at)| is_left_out(plan, at)) { Err(defect) } else { Ok(()) }
}

fn read_blocks(
    store: &Store<'_, impl FlashPort>,
    at: u32,
    counts: Counts,
    network: &Network,
) -> Result<Program, Defect> {
    let mut builder = Builder::new(network, counts.inputs, counts.outputs);
    for (at, _) in (at..).step_by(block::LEN).zip(0..counts.blocks) {
        let bytes: [u8; block::LEN] = store.record(at)?;
        builder.push(&bytes).ok_or(Defect::Block)?;
    }
    Ok(builder.finish())
}

impl Section {
    /// SSR-016: the response time holds the whole path from input to output, here and at the nodes that are heard.
    pub(super) fn check_response(
        &self,
        store: &Store<'_, impl FlashPort>,
        network: &Network,
        response_ms: Option<u32>,
    ) -> Result<(), Defect> {
        let mut slowest = self.pins.iter().map(|plan| evaluation_ms(plan.role as u8, plan.on as u8)).max().unwrap_or(0);
        let heard = self.program.heard(network);
        for (place, _) in network.places.iter().zip(0..).filter(|(_, node): &(_, u32)| heard >> node & 1 == 1) {
            slowest = slowest.max(slowest_of(store, *place)?);
        }
        let radio = if self.program.receives_memories() { network.radio_timeout_ms.saturating_add(2) } else { 0 };
        // A sender renews one of its entries in each tick: with many of them a frame is older when it leaves.
        let age = u32::from(network.can_age_ms).saturating_add(2);
        let can = self.program.can_entries_heard(network).map_or(0, |entries| age.saturating_add(entries));
        let path = 3u32.saturating_add(slowest).saturating_add(radio).saturating_add(can);
        let is_good = response_ms.is_some_and(|response| (path..=120_000).contains(&response));
        if is_good { Ok(()) } else { Err(Defect::Response) }
    }
}

/// The slowest input of another node, whose section is that node's own business: only its pins are looked at.
fn slowest_of(store: &Store<'_, impl FlashPort>, place: Place) -> Result<u32, Defect> {
    let mut slowest = 0;
    let pins_at = place.at.saturating_add(section::LEN as u32);
    for (at, _) in (pins_at..).step_by(pin::LEN).zip(0..PINS) {
        let bytes: [u8; pin::LEN] = store.record(at)?;
        let field = |at| u8_at(&bytes, at).ok_or(Defect::Response);
        slowest = slowest.max(evaluation_ms(field(pin::ROLE)?, field(pin::ON)?));
    }
    Ok(slowest)
}

/// How long it takes until the end of an ON signal is seen; numbers as in the binary. What is no signal counts as the slowest.
const fn evaluation_ms(role: u8, on: u8) -> u32 {
    const LOW: u8 = Signal::Low as u8;
    const HIGH: u8 = Signal::High as u8;
    const OSSD: u8 = Signal::Ossd as u8;
    match (role, on) {
        (0 | 2, _) => 0,
        (3, _) => 5,
        (_, LOW | HIGH) => 1,
        (_, OSSD) => 2,
        _ => 9,
    }
}
