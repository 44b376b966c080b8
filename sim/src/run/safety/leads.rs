//! Which faults can lead to what a safety unit detects.
//!
//! | Fault | Detected as |
//! |---|---|
//! | supply of the unit | supply, what depends on it, and what a start finds after a write that it cut off |
//! | link between the CPUs | what the receiving CPU finds in packets, or misses; what the sending one finds of a CPU that hears less |
//! | CPU, clock, logic time | what the other CPU misses of it, or the CPU itself of its own time |
//! | RAM cell, flash bits | the tests of that memory; of flash also what its contents are for |
//! | converter, rail, view, wire, transistors, contacts | the tests of inputs and outputs that look at them |
//! | repeated frames | masquerade |
//! | device that goes OFF, dead guard, radio, everything else | nothing by itself |
//!
//! A fault of one CPU's line, clock or logic leads to a detection by the CPU that can see it, one of a pin to a detection at that pin where
//! the detection names a pin.

use safety_common::PINS;
use safety_common::fault::{Fault, Reaction};

use crate::faults::Injection;
use crate::hosts::safety::unit::Unit;
use crate::scenario::{AdcInput, FaultKind, SafetyFault, WireDefect};

/// Something that a CPU of a unit detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// By which CPU, 1 or 2.
    pub cpu: u8,
    /// What.
    pub fault: Fault,
    /// Pin, channel, group, word or defect.
    pub detail: u32,
}

impl Found {
    /// Whether the whole unit goes to the safe state for it; one in the wiring stops nothing but what it affects.
    pub(super) fn is_internal(&self) -> bool {
        is_internal(self.fault)
    }
}

/// Whether the whole unit goes to the safe state for what a CPU detects.
pub(super) fn is_internal(fault: Fault) -> bool {
    fault.reaction() == Reaction::SafeState
}

/// What the supply of a unit may lead to.
const SUPPLY: &[Fault] = &[
    Fault::SupplyLow,
    Fault::SupplyHigh,
    Fault::SioPower,
    Fault::AnalogMismatch,
    Fault::C2cSilent,
    Fault::PeerMode,
    Fault::PeerMissing,
    Fault::PeerDataDiffers,
    Fault::Configuration,
    Fault::FlashNotErased,
];

/// What looks at the pins and the output transistors.
const OF_PINS: &[Fault] = &[
    Fault::OutputDriver,
    Fault::MainTransistor,
    Fault::InputStage,
    Fault::InputSignal,
    Fault::InputDiscrepancy,
    Fault::OutputWiring,
    Fault::OssdShort,
    Fault::AnalogMismatch,
    Fault::Disagreement,
    Fault::NotObeyed,
    Fault::SioPower,
];

/// What a CPU finds that hears less of the other one, or hears it at other times.
const PEER: &[Fault] = &[
    Fault::C2cSilent,
    Fault::C2cErrorRate,
    Fault::ClockDrift,
    Fault::PeerMode,
    Fault::PeerMissing,
    Fault::Disagreement,
    Fault::NotObeyed,
    Fault::SioPower,
    Fault::MainTransistor,
    Fault::OutputDriver,
    Fault::Relay,
];

/// What the sender finds of a CPU that hears less of it: the other one does not go along, or turns off.
const OF_THE_RECEIVER: &[Fault] = &[
    Fault::PeerMode,
    Fault::PeerMissing,
    Fault::Disagreement,
    Fault::NotObeyed,
    Fault::SioPower,
    Fault::MainTransistor,
    Fault::OutputDriver,
    Fault::Relay,
];

/// What a CPU finds of itself that stood still and goes on.
const AWAKE: &[Fault] = &[Fault::TickCount];

/// What is found of a CPU that stands still, by either.
const HALTED: &[Fault] = &[
    Fault::TickCount,
    Fault::C2cSilent,
    Fault::C2cErrorRate,
    Fault::ClockDrift,
    Fault::PeerMode,
    Fault::PeerMissing,
    Fault::Disagreement,
    Fault::NotObeyed,
    Fault::SioPower,
    Fault::MainTransistor,
    Fault::OutputDriver,
    Fault::Relay,
];

/// What a kind of fault can lead to.
pub(super) fn leads_to(injection: &Injection) -> &'static [Fault] {
    use SafetyFault as Kind;
    let FaultKind::Safety(kind) = &injection.fault.kind else {
        return if injection.is_of_the_supply() { SUPPLY } else { &[] };
    };
    match kind {
        Kind::C2cLost(_) | Kind::C2cCorrupted(_) | Kind::C2cDelayed(_) => PEER,
        // What comes a second time keeps nothing else from coming. A CPU that starts may take it for what its peer says now.
        Kind::C2cRepeated(_) => &[Fault::C2cErrorRate, Fault::PeerMode, Fault::PeerMissing],
        Kind::C2cForged(_) => &[
            Fault::PeerMode,
            Fault::ReleaseDiffers,
            Fault::PeerDataDiffers,
            Fault::Disagreement,
            Fault::NotObeyed,
            Fault::PeerMissing,
        ],
        Kind::CpuHalted(_) => HALTED,
        Kind::CpuReset(_) => PEER,
        Kind::Clock(_) => &[Fault::ClockDrift, Fault::C2cSilent, Fault::C2cErrorRate, Fault::TickCount],
        Kind::LogicTime(_) => &[Fault::LogicTime, Fault::TickCount],
        Kind::TickSlip(_) => &[Fault::TickCount],
        Kind::RamCell(_) => &[Fault::RamAtStart, Fault::RamRunning],
        Kind::FlashBits(_) => &[
            Fault::Firmware,
            Fault::FlashRunning,
            Fault::FlashNotErased,
            Fault::ProductionData,
            Fault::SerialNumber,
            Fault::Configuration,
            Fault::ReleaseDiffers,
            Fault::PeerDataDiffers,
        ],
        Kind::Adc(hit) => match hit.channel {
            // The feed is measured against the supply.
            AdcInput::Supply => &[Fault::SupplyLow, Fault::SupplyHigh, Fault::SioPower, Fault::AnalogMismatch],
            AdcInput::SioPower => &[Fault::SioPower, Fault::MainTransistor, Fault::AnalogMismatch],
            AdcInput::Rail => &[Fault::Rail],
            AdcInput::Pin(_) => OF_PINS,
        },
        Kind::Wire(_) | Kind::View(_) | Kind::Transistor(_) | Kind::MainTransistor(_) => OF_PINS,
        Kind::Contact(_) => &[Fault::Relay],
        Kind::Rail(_) => &[Fault::Rail, Fault::AnalogMismatch],
        Kind::CanRepeated(_) => &[Fault::CanMasquerade],
        Kind::NoDeadline(_)
        | Kind::InputOff(_)
        | Kind::RadioLost(_)
        | Kind::RadioCorrupted(_)
        | Kind::RadioForged(_)
        | Kind::RadioDelayed(_)
        | Kind::RadioRepeated(_)
        | Kind::RadioSwapped => &[],
    }
}

/// Whether an injection at a unit is of a kind, and at a place of it, that can lead to what was found.
pub(super) fn can_lead_to(unit: &Unit, injection: &Injection, found: Found) -> bool {
    leads_to(injection).contains(&found.fault) && fits_cpu(injection, found) && fits_pin(unit, injection, found)
}

/// Whether the CPU that found it is one that sees the fault.
fn fits_cpu(injection: &Injection, Found { cpu, fault, .. }: Found) -> bool {
    use SafetyFault as Kind;
    let FaultKind::Safety(kind) = &injection.fault.kind else { return true };
    if kind.link_sender() == Some(cpu) {
        return OF_THE_RECEIVER.contains(&fault);
    }
    match kind {
        Kind::CpuHalted(of) => (of.cpu == cpu) == AWAKE.contains(&fault) || fault == Fault::C2cSilent,
        // One that starts anew alone misses the other one, or finds it in another mode.
        Kind::CpuReset(of) => of.cpu != cpu || matches!(fault, Fault::PeerMissing | Fault::PeerMode),
        Kind::LogicTime(time) => time.cpu == cpu,
        Kind::TickSlip(slip) => slip.cpu == cpu,
        Kind::RamCell(cell) => cell.cpu == cpu,
        // What is exchanged both compare; all else a CPU finds in its own flash.
        Kind::FlashBits(bits) => bits.cpu == cpu || matches!(fault, Fault::ReleaseDiffers | Fault::PeerDataDiffers),
        Kind::Rail(rail) => rail.cpu != cpu,
        // The readings of both are compared; everything else a CPU finds in its own.
        Kind::Adc(hit) => hit.cpu == cpu || fault == Fault::AnalogMismatch || matches!(hit.channel, AdcInput::Pin(_)),
        _ => true,
    }
}

/// Whether a fault of a pin is one of the pins that the detection names: a pin, or those of an input group.
fn fits_pin(unit: &Unit, injection: &Injection, found: Found) -> bool {
    use SafetyFault as Kind;
    let FaultKind::Safety(kind) = &injection.fault.kind else { return true };
    let pins = match found.fault {
        Fault::InputStage | Fault::OutputDriver | Fault::NotObeyed | Fault::OutputWiring | Fault::OssdShort => {
            1u16.checked_shl(found.detail).unwrap_or(0)
        }
        // Behind the pins come supply and feed.
        Fault::AnalogMismatch if (found.detail as usize) < PINS => 1 << found.detail,
        Fault::InputDiscrepancy | Fault::InputSignal => {
            let group = usize::try_from(found.detail).ok().and_then(|group| unit.watch.section().inputs.get(group));
            group.map_or(0, |group| group.pins)
        }
        _ => return true,
    };
    let is = |pin: u8| pins >> pin.min(15) & 1 == 1;
    match kind {
        Kind::View(hit) => is(hit.pin),
        Kind::Transistor(hit) => is(hit.pin),
        Kind::Wire(hit) => is(hit.pin) || matches!(hit.is, WireDefect::ToPin(other) if is(other)),
        Kind::Adc(hit) => match hit.channel {
            AdcInput::Pin(pin) => is(pin),
            _ => found.fault != Fault::AnalogMismatch,
        },
        _ => true,
    }
}

/// How long ago an injection may have been there that led to a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// A moment.
    Moment,
    /// As long as the CPU that found it has been up, and a moment: only a start looks for it.
    Start,
    /// Nobody knows: it stays in a memory.
    Any,
}

/// How long ago an injection may have been there that led to a detection of this kind.
pub(super) fn age(injection: &Injection, fault: Fault) -> Age {
    let is_in_a_memory =
        matches!(injection.fault.kind, FaultKind::Safety(SafetyFault::RamCell(_) | SafetyFault::FlashBits(_)));
    match fault {
        _ if is_in_a_memory => Age::Any,
        // What a write that was cut off has left.
        Fault::Configuration | Fault::FlashNotErased | Fault::PeerDataDiffers if injection.is_of_the_supply() => {
            Age::Any
        }
        Fault::PeerMissing | Fault::ReleaseDiffers | Fault::PeerDataDiffers => Age::Start,
        _ => Age::Moment,
    }
}

/// Whether a supply leads to this only by taking the power of the unit away: one that the unit rides through does not.
pub(super) const fn needs_a_loss(fault: Fault) -> bool {
    !matches!(fault, Fault::SupplyLow | Fault::SupplyHigh | Fault::SioPower | Fault::AnalogMismatch)
}

/// Whether a fault at a unit can keep its radio packets from the others, or hold them up.
pub(super) fn can_silence(injection: &Injection) -> bool {
    use SafetyFault as Kind;
    let FaultKind::Safety(kind) = &injection.fault.kind else { return injection.is_of_the_supply() };
    matches!(
        kind,
        Kind::RadioLost(_)
            | Kind::RadioCorrupted(_)
            | Kind::RadioForged(_)
            | Kind::RadioDelayed(_)
            | Kind::RadioRepeated(_)
            | Kind::RadioSwapped
            | Kind::CpuHalted(_)
            | Kind::CpuReset(_)
            | Kind::C2cLost(_)
            | Kind::C2cCorrupted(_)
            | Kind::C2cDelayed(_)
            | Kind::C2cRepeated(_)
            | Kind::Clock(_)
            | Kind::LogicTime(_)
    )
}

/// The pin at whose wire a fault is, as the unit reads it.
pub(super) fn wire_of(injection: &Injection) -> Option<u8> {
    match &injection.fault.kind {
        FaultKind::Safety(SafetyFault::Wire(hit)) => Some(hit.pin),
        _ => None,
    }
}
