//! Rows of the result about safety units: [`budgets`], [`checks`], [`expectations`], and what became of their faults.
//!
//! The rows exist where the scenario has units. A budget without an occasion in the run is not applicable: nothing is claimed.
//! All times are measured outside the firmware; *off* is when no output transistor of the unit conducts with its feed on, and no relay has
//! both coils fed; a relay whose contact opens later than its coil makes it, or never, is off that much later, or never.

mod budgets;
mod checks;
mod expectations;
mod leads;
mod reaction;

use safety_common::fault::Fault;

pub use self::budgets::BUDGETS;
pub(super) use self::budgets::budgets;
pub use self::checks::CHECKS;
pub(crate) use self::checks::has_led_to_trips;
pub(super) use self::checks::{HARMLESS, checks};
pub(super) use self::expectations::{holds, instead, stays_normal, text, why};
use self::leads::Found;
pub(super) use self::reaction::{Reaction, reactions};
use super::Run;
use crate::faults::{Faults, Injection};
use crate::hosts::safety::Units;
use crate::hosts::safety::unit::Unit;
use crate::kernel::{Scoped, SimTime};
use crate::scenario::Scenario;

/// The units of a run with their names, in the order of the scenario.
pub(super) fn units<'a>(scenario: &'a Scenario, run: &'a Run) -> Vec<(&'a str, &'a Unit)> {
    let entities = run.twin.world.resource::<Units>().entities();
    let named = scenario.safety_units.iter().zip(entities);
    named.filter_map(|(setup, entity)| Some((setup.node.as_str(), run.twin.world.get::<Unit>(*entity)?))).collect()
}

fn unit<'a>(scenario: &'a Scenario, run: &'a Run, name: &str) -> Option<&'a Unit> {
    units(scenario, run).into_iter().find(|(own, _)| *own == name).map(|(_, unit)| unit)
}

/// The requirements that a diagnostic stands for when this CPU finds something with it; 0 is either.
#[must_use]
pub const fn requirements_of(fault: Fault, cpu: u8) -> &'static [&'static str] {
    use Fault as By;
    match fault {
        By::RamAtStart => &["SSR-003"],
        By::RamRunning => &["SSR-001", "SSM-11"],
        By::Firmware => &["SSR-006", "SSR-061"],
        By::FlashRunning => &["SSR-005", "SSM-11"],
        By::FlashNotErased => &["SSR-006"],
        By::ProductionData => &["SSR-064"],
        By::SerialNumber => &["SSR-066"],
        By::Configuration => &["SSR-063", "SSR-067"],
        By::PeerMissing | By::ReleaseDiffers => &["SSR-062"],
        By::PeerDataDiffers => &["SSR-063"],
        By::C2cSilent => &["SSR-021"],
        By::C2cErrorRate => &["SSR-020"],
        By::ClockDrift => &["SSR-013"],
        By::PeerMode => &["SSR-065"],
        By::AnalogMismatch => &["SSR-033"],
        By::LogicTime => &["SSR-014", "SSM-10"],
        By::TickCount => &["SSR-012"],
        By::ProgramFlow => &["SSM-03"],
        By::SupplyLow => &["SSR-009"],
        By::SupplyHigh => &["SSR-011"],
        By::Rail => match cpu {
            1 => &["SSR-083"],
            2 => &["SSR-082"],
            _ => &["SSR-082", "SSR-083"],
        },
        By::SioPower => &["SSR-084"],
        By::OutputDriver | By::MainTransistor | By::InputStage => &["SSR-035"],
        By::Relay => &["SSR-041"],
        By::Disagreement => &["SSR-032"],
        By::NotObeyed => &["SSR-037"],
        By::CanMasquerade => &["SSR-080"],
        By::Variable => &["SSM-13"],
        By::OutputWiring => &["SSR-036"],
        By::OssdShort => &["SSR-040"],
        By::InputDiscrepancy => &["SSR-028"],
        By::InputSignal => &["SSR-023", "SSR-026"],
    }
}

/// The injections at a unit that acted, or of its supply, that began.
fn injections<'a>(run: &'a Run, unit: &Unit) -> impl Iterator<Item = &'a Injection> {
    let list = run.twin.world.resource::<Scoped<Faults>>().list.iter();
    list.filter(move |one| {
        one.is_at(unit.node) && (one.first.is_some() || one.is_of_the_supply() && one.occurred.is_some())
    })
}

/// When the first of them occurred.
fn first_occurred(run: &Run, unit: &Unit) -> Option<SimTime> {
    injections(run, unit).filter_map(|one| one.occurred).min()
}

/// Whether one of them is of a kind that could lead to what the unit detects.
fn is_injected(run: &Run, unit: &Unit, fault: Fault) -> bool {
    injections(run, unit).any(|one| leads::leads_to(one).contains(&fault))
}

/// What a unit detects, in the words of the scenario: `RamAtStart` reads `ram-at-start`.
fn fault_words(fault: Fault) -> String {
    super::events::word_of(&fault)
}

/// All that the CPUs of a unit detected, the first at the begin.
fn found(unit: &Unit) -> Vec<(SimTime, Found)> {
    let of_cpus = unit.watch.cpus.iter().zip([1u8, 2]);
    let all = of_cpus.flat_map(|(watch, cpu)| {
        let of = move |fault: Fault, detail: u32| Found { cpu, fault, detail };
        watch.detections.iter().map(move |(at, one)| (*at, of(one.fault, one.detail)))
    });
    let mut all: Vec<(SimTime, Found)> = all.collect();
    all.sort_by_key(|(at, found)| (*at, found.cpu));
    all
}
