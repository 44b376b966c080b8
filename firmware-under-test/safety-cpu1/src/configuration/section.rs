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

/// Reads and checks the section at `place`.
pub(super) fn read(
    store: &Store<'_, impl FlashPort>,
    network: &Network,
    place: Place,
    response_ms: Option<u32>,
) -> Result<Section, Defect> {
    let bytes: [u8; section::LEN] = store.record(place.at)?;
    let counts = read_counts(&bytes, place)?;
    if bytes.iter().skip(section::RESERVED).any(|byte| *byte != 0) {
        return Err(Defect::Reserved);
    }
    let settings = read_settings(&bytes)?;
    let pins_at = place.at.saturating_add(section::LEN as u32);
    let pins = read_pins(store, pins_at)?;
    let inputs_at = pins_at.saturating_add(section::PINS_LEN as u32);
    let inputs = read_inputs(store, inputs_at, counts.inputs, &pins)?;
    let outputs_at = inputs_at.saturating_add(u32::from(counts.inputs).saturating_mul(input_group::LEN as u32));
    let outputs = read_outputs(store, outputs_at, counts.outputs, &pins)?;
    let groups = Groups { inputs, outputs };
    check_membership(&pins, &groups)?;
    let blocks_at = outputs_at.saturating_add(u32::from(counts.outputs).saturating_mul(output_group::LEN as u32));
    let program = read_blocks(store, blocks_at, counts, network)?;
    check_response(response_ms.ok_or(Defect::Response)?, &pins, network, &program)?;
    Ok(Section { settings, pins, groups, program })
}

fn read_counts(bytes: &[u8; section::LEN], place: Place) -> Result<Counts, Defect> {
    let inputs = u8_at(bytes, section::INPUT_GROUPS).ok_or(Defect::Section)?;
    let outputs = u8_at(bytes, section::OUTPUT_GROUPS).ok_or(Defect::Section)?;
    let blocks = u16_at(bytes, section::BLOCKS).ok_or(Defect::Section)?;
    if usize::from(inputs) > INPUT_GROUPS_MOST {
        return Err(Defect::InputGroup);
    }
    if usize::from(outputs) > OUTPUT_GROUPS_MOST {
        return Err(Defect::OutputGroup);
    }
    if usize::from(blocks) > BLOCKS_MOST {
        return Err(Defect::Block);
    }
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

fn read_settings(bytes: &[u8; section::LEN]) -> Result<Settings, Defect> {
    let field =
        |at, range: RangeInclusive<u16>, defect| u16_at(bytes, at).filter(|value| range.contains(value)).ok_or(defect);
    let settings = Settings {
        supply_min: field(section::SUPPLY_MIN, 7_000..=30_000, Defect::Supply)?,
        supply_max: field(section::SUPPLY_MAX, 8_000..=33_000, Defect::Supply)?,
        rail_min: field(section::RAIL_MIN, 2_700..=3_300, Defect::Limits)?,
        rail_max: field(section::RAIL_MAX, 3_300..=3_900, Defect::Limits)?,
        rail_debounce: field(section::RAIL_DEBOUNCE, 1..=20, Defect::Limits)?,
        sio_drop: field(section::SIO_DROP, 500..=5_000, Defect::Limits)?,
        sio_off: field(section::SIO_OFF, 500..=5_000, Defect::Limits)?,
        mismatch: field(section::MISMATCH, 200..=3_000, Defect::Limits)?,
        mismatch_debounce: field(section::MISMATCH_DEBOUNCE, 5..=50, Defect::Limits)?,
        relay_move: field(section::RELAY_MOVE, 5..=100, Defect::Limits)?,
    };
    if settings.supply_min < settings.supply_max { Ok(settings) } else { Err(Defect::Supply) }
}

fn read_pins(store: &Store<'_, impl FlashPort>, at: u32) -> Result<Pins, Defect> {
    let mut pins = [PinPlan { role: Role::Unused, on: Signal::High, off: Signal::Low }; PINS];
    for (plan, at) in pins.iter_mut().zip((at..).step_by(pin::LEN)) {
        let bytes: [u8; pin::LEN] = store.record(at)?;
        *plan = read_pin(&bytes).ok_or(Defect::Pin)?;
        if u8_at(&bytes, pin::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
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
    let differ = plan.on != plan.off && plan.off != Signal::Ossd;
    let fits = match role {
        Role::Unused | Role::Input => true,
        Role::Output => is_mostly_high(plan.on) && !is_mostly_high(plan.off),
        Role::Combined => plan.on == Signal::High && plan.off == Signal::Low,
    };
    (differ && fits).then_some(plan)
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
        let group = read_input(&bytes, pins).ok_or(Defect::InputGroup)?;
        if u16_at(&bytes, input_group::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
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
    let flags = u8_at(bytes, input_group::FLAGS).filter(|flags| *flags <= 1)?;
    let group = InputGroup {
        pins: u16_at(bytes, input_group::PINS)?,
        discrepancy_ms: u16_at(bytes, input_group::DISCREPANCY)?,
        on_filter_ms: u32_at(bytes, input_group::ON_FILTER).filter(|ms| *ms <= TIMER_MS_MOST)?,
        needs_start_test: flags == 1,
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
        let set = u16_at(&bytes, output_group::PINS).ok_or(Defect::OutputGroup)?;
        let kind = group_kind(u8_at(&bytes, output_group::KIND)).ok_or(Defect::OutputGroup)?;
        if u8_at(&bytes, output_group::RESERVED) != Some(0) {
            return Err(Defect::Reserved);
        }
        if !has_right_size(kind, set) || !all_have_role(pins, set, Role::Output) || taken & set != 0 {
            return Err(Defect::OutputGroup);
        }
        taken |= set;
        groups.push(OutputGroup { pins: set }).map_err(|_| Defect::OutputGroup)?;
    }
    Ok(groups)
}

/// Every pin in use is in a group of its side.
fn check_membership(pins: &Pins, groups: &Groups) -> Result<(), Defect> {
    let inputs = groups.inputs.iter().fold(0, |all, group| all | group.pins);
    let outputs = groups.outputs.iter().fold(0, |all, group| all | group.pins);
    let is_member = |set: u16, at: u32| set >> at & 1 == 1;
    let is_good = pins.iter().zip(0..).all(|(plan, at)| match plan.role {
        Role::Unused => true,
        Role::Input => is_member(inputs, at),
        Role::Output => is_member(outputs, at),
        Role::Combined => is_member(inputs, at) && is_member(outputs, at),
    });
    if is_good { Ok(()) } else { Err(Defect::Pin) }
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

/// SSR-016: the response time holds the whole path from input to output.
fn check_response(response_ms: u32, pins: &Pins, network: &Network, program: &Program) -> Result<(), Defect> {
    let inputs = pins.iter().filter(|plan| matches!(plan.role, Role::Input | Role::Combined));
    let slowest = inputs.map(evaluation_ms).max().unwrap_or(0);
    let radio = if program.receives_memories() { network.radio_timeout_ms.saturating_add(2) } else { 0 };
    let can = if program.receives_can() { u32::from(network.can_age_ms).saturating_add(2) } else { 0 };
    let path = 3u32.saturating_add(slowest).saturating_add(radio).saturating_add(can);
    if (path..=120_000).contains(&response_ms) { Ok(()) } else { Err(Defect::Response) }
}

const fn evaluation_ms(plan: &PinPlan) -> u32 {
    match (plan.role, plan.on) {
        (Role::Combined, _) => 5,
        (_, Signal::Low | Signal::High) => 1,
        (_, Signal::Ossd) => 2,
        _ => 9,
    }
}
