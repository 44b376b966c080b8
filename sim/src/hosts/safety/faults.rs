//! Faults of safety units: how each reaches the unit, how it goes again, and what is read back.
//!
//! The healthy path of a unit holds no fault but in ports made for it: lines, cells, converter channels, wires, contacts. Of two
//! faults that set the same thing the one that began last rules, and the end of one leaves what the other holds.
//! What no port proves by itself is held until `proof` has seen that it made a difference.

use bevy_ecs::prelude::World;
use safety_common::io::ResetCause;

use super::air::AirFault;
use super::core::{AdcChannel, AdcFault};
use super::line::LineFault;
use super::memory::{CellFault, CellPlace};
use super::pins::Wiring;
use super::unit::{Repeater, Unit};
use super::{Units, show_devices, unit_of};
use crate::event::Context;
use crate::kernel::stream;
use crate::node::NodeId;
use crate::scenario::{
    AdcError, AdcHit, AdcInput, C2cHit, CanRepeat, CellDefect, ContactHit, RamCell, SafetyFault, WireDefect, WireHit,
};
use rand::Rng as _;

/// What a fault depends on beside itself.
pub(crate) struct How {
    /// It has no end.
    pub for_good: bool,
    /// The run's seed.
    pub seed: u64,
    /// The node that a fault names.
    pub by: Option<NodeId>,
}

/// The node that a fault names beside the unit.
pub(crate) fn named(kind: &SafetyFault) -> Option<&str> {
    match kind {
        SafetyFault::CanRepeated(repeat) => Some(&repeat.by),
        _ => None,
    }
}

/// Begins the fault; gives what was read back if it acts at once.
pub(crate) fn begin(
    world: &mut World,
    context: &mut Context<'_>,
    number: u16,
    node: NodeId,
    kind: &SafetyFault,
    how: &How,
) -> Option<String> {
    let index = Units::of(world, node)?;
    let mut unit = unit_of(world, index)?;
    if let SafetyFault::CpuHalted(of) = kind {
        unit.cores[self::index(of.cpu)].dead |= how.for_good;
    }
    if unit.hold(context.now, number, kind) {
        return None;
    }
    let effect = begin_at(&mut unit, context, number, kind, how);
    super::demands::devices_changed(world, context.now, index);
    move_and_feed(world, context, index, kind);
    effect.or_else(|| unit_of(world, index)?.take_proof(number))
}

/// Takes the fault back.
pub(crate) fn end(world: &mut World, context: &mut Context<'_>, number: u16, node: NodeId, kind: &SafetyFault) {
    let Some(index) = Units::of(world, node) else { return };
    if let Some(mut unit) = unit_of(world, index) {
        unit.release(context.now, number);
        end_at(&mut unit, context, number, kind);
    }
    super::demands::devices_changed(world, context.now, index);
    move_and_feed(world, context, index, kind);
}

/// A contact that is forced moves at once.
fn move_and_feed(world: &mut World, context: &mut Context<'_>, index: u8, kind: &SafetyFault) {
    if matches!(kind, SafetyFault::Contact(_)) {
        super::move_contacts(world, context, index);
    }
}

fn index(cpu: u8) -> usize {
    usize::from(cpu == 2)
}

fn begin_at(unit: &mut Unit, context: &mut Context<'_>, number: u16, kind: &SafetyFault, how: &How) -> Option<String> {
    match kind {
        SafetyFault::C2cLost(C2cHit { from, packets }) => line(unit, number, *from, LineFault::Lose, *packets),
        SafetyFault::C2cCorrupted(C2cHit { from, packets }) => line(unit, number, *from, LineFault::Corrupt, *packets),
        SafetyFault::C2cForged(forge) => {
            line(unit, number, forge.from, LineFault::Forge(forge.field.clone()), forge.packets);
        }
        SafetyFault::C2cDelayed(delay) => line(unit, number, delay.from, LineFault::Delay(delay.by), delay.packets),
        SafetyFault::C2cRepeated(repeat) => {
            line(unit, number, repeat.from, LineFault::Repeat(repeat.after), repeat.packets);
        }
        SafetyFault::CanRepeated(CanRepeat { after, frames, .. }) => {
            let left = frames.unwrap_or(u32::MAX);
            unit.repeaters.retain(|repeater| repeater.owner != number);
            unit.repeaters.push(Repeater { owner: number, by: how.by?, after: *after, left });
        }
        SafetyFault::RadioLost(hit) => air(unit, number, AirFault::Lose, hit.packets),
        SafetyFault::RadioCorrupted(hit) => air(unit, number, AirFault::Corrupt, hit.packets),
        SafetyFault::RadioForged(hit) => air(unit, number, AirFault::Forge, hit.packets),
        SafetyFault::RadioDelayed(by) => air(unit, number, AirFault::Delay(*by), None),
        SafetyFault::RadioRepeated(after) => air(unit, number, AirFault::Repeat(*after), None),
        SafetyFault::RadioSwapped => air(unit, number, AirFault::Swap, None),
        SafetyFault::CpuHalted(of) => {
            let core = &mut unit.cores[index(of.cpu)];
            core.halts.retain(|owner| *owner != number);
            core.halts.push(number);
        }
        SafetyFault::CpuReset(of) => {
            let life = unit.cores[index(of.cpu)].life;
            unit.reset(context, index(of.cpu), ResetCause::Pin, None);
            return (unit.cores[index(of.cpu)].life > life).then(|| format!("CPU{} was reset by its pin", of.cpu));
        }
        SafetyFault::Clock(clock) => {
            let own = &mut unit.cores[index(clock.cpu)].clock;
            own.set_drift(clock.by.ppm());
        }
        SafetyFault::LogicTime(time) => {
            let core = &mut unit.cores[index(time.cpu)];
            core.overload = Some(time.takes.as_nanos());
        }
        SafetyFault::NoDeadline(of) => unit.cores[index(of.cpu)].no_deadline = true,
        SafetyFault::TickSlip(slip) => {
            let core = &mut unit.cores[index(slip.cpu)];
            core.slipped = core.slipped.wrapping_add(slip.by);
            core.slips.push(number);
        }
        SafetyFault::RamCell(cell) => return begin_cell(unit, number, cell),
        SafetyFault::FlashBits(hit) => {
            let (before, after) = unit.cores[index(hit.cpu)].flash.flip(hit.address, hit.bits)?;
            return Some(format!("flash of CPU{} at {:#07x}: {before:#04x} became {after:#04x}", hit.cpu, hit.address));
        }
        SafetyFault::Adc(hit) => begin_adc(unit, number, hit, how.seed),
        SafetyFault::Wire(wire) => unit.pins.wiring[usize::from(wire.pin)] = wiring(&wire.is),
        SafetyFault::View(hit) => unit.cores[index(hit.cpu)].views.push((number, hit.pin, hit.high)),
        SafetyFault::InputOff(input) => {
            let group = unit.input_groups.iter().position(|name| name == input)?;
            unit.devices.force(group, true);
            show_devices(unit, context);
        }
        SafetyFault::Contact(hit) => begin_contact(unit, context, hit),
        SafetyFault::Transistor(hit) => set_transistor(unit, context, hit.pin, Some(hit.conducts)),
        SafetyFault::MainTransistor(hit) => {
            unit.main_stuck = Some(hit.conducts);
            unit.set_main(context);
        }
        SafetyFault::Rail(rail) => unit.rails[index(rail.cpu)] = rail.to.millivolts(),
    }
    None
}

/// The radio channel; proven by the first packet that it hits.
fn air(unit: &mut Unit, number: u16, what: AirFault, packets: Option<u32>) {
    unit.air.disturb(number, what, packets.unwrap_or(u32::MAX));
}

/// A direction of the link; proven by the first packet that it hits.
fn line(unit: &mut Unit, number: u16, from: u8, what: LineFault, packets: Option<u32>) {
    unit.lines[1 - index(from)].disturb(number, what, packets.unwrap_or(u32::MAX));
}

/// A transistor conducts, or does not, whatever it is told, or obeys.
fn set_transistor(unit: &mut Unit, context: &mut Context<'_>, pin: u8, stuck: Option<bool>) {
    let bit = 1 << pin;
    (unit.pins.stuck_on, unit.pins.stuck_off) = (unit.pins.stuck_on & !bit, unit.pins.stuck_off & !bit);
    match stuck {
        Some(true) => unit.pins.stuck_on |= bit,
        Some(false) => unit.pins.stuck_off |= bit,
        None => {}
    }
    unit.refresh(context);
}

pub(super) fn conducts(on: bool) -> &'static str {
    if on { "conducts whatever it is told" } else { "does not conduct" }
}

fn begin_adc(unit: &mut Unit, number: u16, hit: &AdcHit, seed: u64) {
    let key = || stream(seed, &format!("converter {number}")).next_u64();
    unit.cores[index(hit.cpu)].adc.push((number, channel(&hit.channel), error(&hit.error, key)));
}

fn begin_cell(unit: &mut Unit, number: u16, cell: &RamCell) -> Option<String> {
    let ram = &mut unit.cores[index(cell.cpu)].ram;
    let place = CellPlace { word: cell.word, bit: cell.bit };
    let fault = match cell.defect {
        CellDefect::StuckAt0 => CellFault::StuckAt(place, false),
        CellDefect::StuckAt1 => CellFault::StuckAt(place, true),
        CellDefect::NoRise => CellFault::NoTransition(place, true),
        CellDefect::NoFall => CellFault::NoTransition(place, false),
        CellDefect::Inverts(word) => CellFault::Coupling(place, true, CellPlace { word, bit: cell.bit }),
        CellDefect::Reaches(word) => CellFault::Address(cell.word, word),
        CellDefect::Flips => {
            let (before, after) = ram.flip(place)?;
            return Some(format!("RAM of CPU{}, word {}: {before:#010x} became {after:#010x}", cell.cpu, cell.word));
        }
    };
    ram.add(number, fault);
    None
}

fn begin_contact(unit: &mut Unit, context: &Context<'_>, hit: &ContactHit) {
    let contact = &mut unit.contacts[2 * usize::from(hit.relay) + index(hit.cpu)];
    contact.stuck = Some(hit.closed);
    // One that welds was closed by its coil; one that breaks opens at once.
    if !hit.closed {
        contact.moves = context.now;
    }
}

pub(super) fn channel(input: &AdcInput) -> AdcChannel {
    match input {
        AdcInput::Pin(pin) => AdcChannel::Pin(*pin),
        AdcInput::Supply => AdcChannel::Supply,
        AdcInput::SioPower => AdcChannel::SioPower,
        AdcInput::Rail => AdcChannel::Rail,
    }
}

fn error(error: &AdcError, key: impl FnOnce() -> u64) -> AdcFault {
    let mv = |voltage: &crate::scenario::quantity::Voltage| i32::try_from(voltage.millivolts()).unwrap_or(i32::MAX);
    match error {
        AdcError::Gain(by) => AdcFault::Gain(u32::try_from(1_000_000 + by.ppm()).unwrap_or(0)),
        AdcError::Above(by) => AdcFault::Offset(mv(by)),
        AdcError::Below(by) => AdcFault::Offset(-mv(by)),
        AdcError::Stuck(at) => AdcFault::Stuck(at.millivolts()),
        AdcError::Noise(most) => AdcFault::Noise { most: most.millivolts(), key: key() },
    }
}

pub(super) fn wiring(defect: &WireDefect) -> Wiring {
    match defect {
        WireDefect::Open => Wiring::Open,
        WireDefect::ToSupply => Wiring::ToSupply,
        WireDefect::ToGround => Wiring::ToGround,
        WireDefect::ToPin(pin) => Wiring::ToPin(*pin),
    }
}

/// Takes a fault back that is held no longer, to what another one at the same place holds.
fn end_at(unit: &mut Unit, context: &mut Context<'_>, number: u16, kind: &SafetyFault) {
    use SafetyFault as Kind;
    let left = unit.left_at(kind);
    match kind {
        Kind::C2cLost(_) | Kind::C2cCorrupted(_) | Kind::C2cForged(_) | Kind::C2cDelayed(_) | Kind::C2cRepeated(_) => {
            unit.lines.iter_mut().for_each(|line| line.restore(number));
        }
        Kind::CanRepeated(_) => unit.repeaters.retain(|repeater| repeater.owner != number),
        Kind::CpuHalted(of) => unit.cores[index(of.cpu)].halts.retain(|owner| *owner != number),
        Kind::Clock(clock) => {
            let core = &mut unit.cores[index(clock.cpu)];
            let other = if let Some(Kind::Clock(other)) = left { other.by.ppm() } else { core.options.ppm };
            core.clock.set_drift(other);
        }
        Kind::LogicTime(time) => {
            let other = if let Some(Kind::LogicTime(other)) = left { Some(other.takes.as_nanos()) } else { None };
            unit.cores[index(time.cpu)].overload = other;
        }
        Kind::NoDeadline(of) => unit.cores[index(of.cpu)].no_deadline = left.is_some(),
        Kind::RamCell(cell) => unit.cores[index(cell.cpu)].ram.remove(number),
        Kind::Adc(hit) => unit.cores[index(hit.cpu)].adc.retain(|(owner, ..)| *owner != number),
        Kind::View(hit) => unit.cores[index(hit.cpu)].views.retain(|(owner, ..)| *owner != number),
        Kind::Wire(WireHit { pin, .. }) => {
            let other = if let Some(Kind::Wire(other)) = left { wiring(&other.is) } else { Wiring::Sound };
            unit.pins.wiring[usize::from(*pin)] = other;
        }
        Kind::InputOff(input) => {
            if let Some(group) = unit.input_groups.iter().position(|name| name == input) {
                unit.devices.force(group, false);
                show_devices(unit, context);
            }
        }
        Kind::Contact(hit) => {
            let contact = &mut unit.contacts[2 * usize::from(hit.relay) + index(hit.cpu)];
            contact.stuck = if let Some(Kind::Contact(other)) = left { Some(other.closed) } else { None };
            contact.moves = context.now;
        }
        Kind::Transistor(hit) => {
            let other = if let Some(Kind::Transistor(other)) = left { Some(other.conducts) } else { None };
            set_transistor(unit, context, hit.pin, other);
        }
        Kind::MainTransistor(_) => {
            unit.main_stuck = if let Some(Kind::MainTransistor(other)) = left { Some(other.conducts) } else { None };
            unit.set_main(context);
        }
        Kind::Rail(rail) => {
            let other = if let Some(Kind::Rail(other)) = left { other.to.millivolts() } else { super::unit::RAIL_MV };
            unit.rails[index(rail.cpu)] = other;
        }
        Kind::RadioLost(_)
        | Kind::RadioCorrupted(_)
        | Kind::RadioForged(_)
        | Kind::RadioDelayed(_)
        | Kind::RadioRepeated(_)
        | Kind::RadioSwapped => unit.air.restore(number),
        Kind::CpuReset(_) | Kind::FlashBits(_) | Kind::TickSlip(_) => {}
    }
}
