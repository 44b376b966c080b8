//! What a result tells of each safety unit as a whole, and what SimpleCAN messages are called.

use std::borrow::Cow;

use reports::{Download, FirstDetected, SafetyUnit};
use safety_common::configuration::NO_CAN;
use safety_common::fault::Fault;
use safety_common::simplecan::{ENTRIES, ENTRY_ID, SYNC_ID, TOOL_ANSWER_ID, TOOL_REQUEST_ID};

use super::Run;
use super::events::word_of;
use super::report::{at, millis};
use super::safety::units;
use crate::hosts::safety::tool::Download as Begun;
use crate::hosts::safety::unit::Unit;
use crate::kernel::SimTime;
use crate::power;
use crate::scenario::{SafetyUnit as Setup, Scenario};

/// The units of a run in the order of the scenario.
pub(super) fn told(scenario: &Scenario, run: &Run) -> Vec<SafetyUnit> {
    let relays = 0..u8::try_from(safety_common::RELAYS).unwrap_or(0);
    let one = |(name, unit): (&str, &Unit)| {
        let supply = power::node_extremes(&run.twin.world, unit.node);
        SafetyUnit {
            id: name.to_owned(),
            modes: [0, 1].map(|cpu| mode(unit, cpu).into_owned()),
            first_detected: first_detected(unit),
            relays: relays.clone().filter(|relay| unit.conducts(*relay)).collect(),
            supply_mv_min: i64::from(supply.min_mv),
            supply_mv_max: i64::from(supply.max_mv),
            downloads: unit.tool.downloads.iter().map(download).collect(),
            lamp_lit_ms: unit.watch.lamps.iter().map(|(begin, _)| at(*begin)).collect(),
        }
    };
    units(scenario, run).into_iter().map(one).collect()
}

fn mode(unit: &Unit, cpu: usize) -> Cow<'static, str> {
    match &unit.cores[cpu] {
        _ if !unit.powered => Cow::Borrowed("no-supply"),
        core if core.firmware.is_none() => Cow::Borrowed("no-firmware"),
        core if core.is_halted() => Cow::Borrowed("stands-still"),
        core => Cow::Owned(word_of(&core.mode)),
    }
}

/// The first internal fault that a CPU of the unit detected.
fn first_detected(unit: &Unit) -> Option<FirstDetected> {
    let of_cpus = unit.watch.cpus.iter().zip([1u8, 2]);
    let first = of_cpus.filter_map(|(cpu, number)| cpu.causes.first().map(|(time, fault)| (*time, number, *fault)));
    let (time, cpu, fault): (SimTime, u8, Fault) = first.min_by_key(|(time, number, _)| (*time, *number))?;
    Some(FirstDetected { fault: word_of(&fault), cpu, at_ms: at(time) })
}

fn download(one: &Begun) -> Download {
    let told = one.told.map_or_else(|| "not-over".to_owned(), |(_, told, _)| word_of(&told));
    Download { at_ms: at(one.plan.at), told, took_ms: one.took().map(millis), stored: one.stored }
}

/// What a message of SimpleCAN is in a run with safety units; nothing of any other message.
pub(super) fn message_name(scenario: &Scenario, id: u32, extended: bool) -> String {
    let Some(id) = u16::try_from(id).ok().filter(|_| !extended && !scenario.safety_units.is_empty()) else {
        return String::new();
    };
    let nodes = scenario.safety_units.iter().filter_map(|unit| Some((unit, can(unit)?)));
    for (unit, (place, entries)) in nodes {
        if id == SYNC_ID + u16::from(place) {
            return format!("sync of {}", unit.node);
        }
        if let Some(entry) =
            id.checked_sub(ENTRY_ID).filter(|entry| usize::from(*entry) < ENTRIES && entries >> entry & 1 == 1)
        {
            return format!("entry {entry} of {}", unit.node);
        }
    }
    match id {
        TOOL_REQUEST_ID => "tool to units".to_owned(),
        TOOL_ANSWER_ID => "units to tool".to_owned(),
        _ => String::new(),
    }
}

/// Place in SimpleCAN and entries of a unit that takes part in it.
fn can(unit: &Setup) -> Option<(u8, u16)> {
    let node = unit.configuration.compiled.as_ref()?.network.nodes.get(unit.index()?)?;
    (node.can_node != NO_CAN).then_some((node.can_node, node.can_entries))
}
