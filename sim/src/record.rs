//! Everything that can happen in the twin, one enum per domain; each domain has a fingerprint of its own.

use crate::bus::BusRecord;
use crate::faults::FaultRecord;
use crate::hosts::safety::SafetyRecord;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{self, Words};
use crate::plant::PlantRecord;
use crate::power::PowerRecord;

/// A record of the twin's trace.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Frames, errors and error counters.
    Bus(BusRecord),
    /// What the CIOC's firmware did.
    Orchestrator(OrchestratorRecord),
    /// What a pump's firmware did.
    Pump(PumpRecord),
    /// Supply levels, brown-outs and switches.
    Power(PowerRecord),
    /// Flow and temperature.
    Plant(PlantRecord),
    /// Injections and what they did.
    Fault(FaultRecord),
    /// What a safety unit did.
    Safety(SafetyRecord),
}

impl kernel::Record for Record {
    const DOMAINS: &'static [&'static str] = &["bus", "orchestrator", "pumps", "power", "plant", "faults", "safety"];

    fn domain(&self) -> usize {
        match self {
            Self::Bus(_) => 0,
            Self::Orchestrator(_) => 1,
            Self::Pump(_) => 2,
            Self::Power(_) => 3,
            Self::Plant(_) => 4,
            Self::Fault(_) => 5,
            Self::Safety(_) => 6,
        }
    }

    fn is_of_injection(&self) -> bool {
        matches!(self, Self::Safety(SafetyRecord::Injected { .. }))
    }

    fn words(&self, to: &mut Words) {
        match self {
            Self::Bus(record) => record.words(to),
            Self::Orchestrator(record) => record.words(to),
            Self::Pump(record) => record.words(to),
            Self::Power(record) => record.words(to),
            Self::Plant(record) => record.words(to),
            Self::Fault(record) => record.words(to),
            Self::Safety(record) => record.words(to),
        }
    }
}
