//! Everything that can be scheduled in the twin, one enum per domain.

use crate::bus::BusEvent;
use crate::checks::CheckEvent;
use crate::faults::FaultEvent;
use crate::hosts::CpuEvent;
use crate::hosts::safety::SafetyEvent;
use crate::kernel;
use crate::plant::PlantEvent;
use crate::power::PowerEvent;

/// An event of the twin. The order of the variants is the order at one instant.
#[derive(Clone, Copy, Debug, Hash)]
pub enum Event {
    /// A fault begins, ends or repeats.
    Fault(FaultEvent),
    /// A supply crossing or a profile step.
    Power(PowerEvent),
    /// A step of the coolant loop.
    Plant(PlantEvent),
    /// Something on the CAN bus.
    Bus(BusEvent),
    /// A CPU attends to something.
    Cpu(CpuEvent),
    /// Something happens in a safety unit.
    Safety(SafetyEvent),
    /// A check looks at the world.
    Check(CheckEvent),
}

impl Event {
    /// Kind of the [`Event::Fault`] events.
    pub const FAULT: usize = 0;
    /// Kind of the [`Event::Power`] events.
    pub const POWER: usize = 1;
    /// Kind of the [`Event::Plant`] events.
    pub const PLANT: usize = 2;
    /// Kind of the [`Event::Bus`] events.
    pub const BUS: usize = 3;
    /// Kind of the [`Event::Cpu`] events.
    pub const CPU: usize = 4;
    /// Kind of the [`Event::Safety`] events.
    pub const SAFETY: usize = 5;
    /// Kind of the [`Event::Check`] events.
    pub const CHECK: usize = 6;
}

impl kernel::Event for Event {
    const KINDS: usize = 7;

    fn kind(&self) -> usize {
        match self {
            Self::Fault(_) => Self::FAULT,
            Self::Power(_) => Self::POWER,
            Self::Plant(_) => Self::PLANT,
            Self::Bus(_) => Self::BUS,
            Self::Cpu(_) => Self::CPU,
            Self::Safety(_) => Self::SAFETY,
            Self::Check(_) => Self::CHECK,
        }
    }

    fn phase(&self) -> u8 {
        self.kind() as u8
    }
}

/// A model of the twin.
pub type Twin = kernel::Model<Event, crate::record::Record>;
/// Builds a model of the twin.
pub type TwinBuilder = kernel::Builder<Event, crate::record::Record>;
/// What the twin's handlers and observers work with.
pub type Context<'a> = kernel::Context<'a, Event, crate::record::Record>;
