//! What the safety frames cost an update: a second run in which they take no time on the bus.
//!
//! Units, relays, feeds and logic stay as they are: each frame still comes to the other units, beside the bus. So the times of
//! both runs differ by what the frames do to the bus and by nothing else. Where something else may have made an update
//! longer, nothing is compared.

use reports::{BUDGET_CAMPAIGN, BUDGET_PUMP_UPDATE, FramesTime, Millis, Report, SafetyFrames, counted};
use safety_common::configuration::NO_CAN;

use super::safety::{stays_normal, units};
use super::{Ending, Identity, Run, finish, report};
use crate::event::Twin;
use crate::hosts::safety::Units;
use crate::scenario::{Loaded, Scenario};
use crate::twin;

/// [`super::run`], with the safety frames of all units beside the bus: each comes at once and takes no time on it.
pub fn run_without_safety_frames(scenario: &Scenario, image_file: Option<&[u8]>, progress: impl FnMut(&Twin)) -> Run {
    let mut twin = twin::build(scenario, image_file);
    twin.world.resource_mut::<Units>().keep_frames_off_bus();
    finish(twin, scenario, progress)
}

/// The report of a run as it is written: with what the safety frames cost, if there are any, which takes a second run.
/// `progress` is told the simulated time of that one.
#[must_use]
pub fn whole_report(loaded: &Loaded, run: &Run, identity: &Identity, progress: impl FnMut(&Twin)) -> Report {
    let mut report = report(loaded, run, identity);
    if loaded.scenario.campaign && any_on_bus(&loaded.scenario) {
        report.safety_frames = Some(compared(loaded, run, &report, progress));
    }
    report
}

/// Whether a safety unit takes part in SimpleCAN.
fn any_on_bus(scenario: &Scenario) -> bool {
    scenario.safety_units.iter().any(|unit| {
        let nodes = unit.configuration.compiled.as_ref().map(|compiled| &compiled.network.nodes);
        let own = nodes.zip(unit.index()).and_then(|(nodes, own)| nodes.get(own));
        own.is_some_and(|node| node.can_node != NO_CAN)
    })
}

fn compared(loaded: &Loaded, run: &Run, with: &Report, progress: impl FnMut(&Twin)) -> SafetyFrames {
    let with_ms = match update_times(loaded, run, with) {
        Ok(times) => times,
        Err(why) => return SafetyFrames::not_compared(why),
    };
    let second = run_without_safety_frames(&loaded.scenario, loaded.image.as_deref(), progress);
    let without = report(loaded, &second, &Identity::default());
    match update_times(loaded, &second, &without) {
        Err(why) => SafetyFrames::not_compared(format!("without the safety frames, {why}")),
        Ok(_) if tried(with).ne(tried(&without)) => {
            SafetyFrames::not_compared("without the safety frames, other pumps were updated".to_owned())
        }
        Ok(without_ms) => {
            let pairs = [BUDGET_PUMP_UPDATE, BUDGET_CAMPAIGN].into_iter().zip(with_ms.into_iter().zip(without_ms));
            let times = pairs.map(|(id, (with, without))| FramesTime::new(id, with, without)).collect();
            SafetyFrames { times, not_compared: String::new() }
        }
    }
}

/// Names of the pumps that were tried.
fn tried(report: &Report) -> impl Iterator<Item = &str> {
    report.pumps.iter().filter(|pump| pump.attempts > 0).map(|pump| pump.id.as_str())
}

/// The longest update of a pump, and the campaign, of a run in which nothing made them longer but what the bus carried;
/// otherwise what did.
fn update_times(loaded: &Loaded, run: &Run, report: &Report) -> Result<[Millis; 2], String> {
    if let Some(injection) = report.injections.first() {
        let more = report.injections.len() as u64 - 1;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        return Err(format!("the scenario disturbs the run with {}{more}", injection.id));
    }
    let units = units(&loaded.scenario, run);
    if let Some((name, _)) = units.iter().find(|(_, unit)| !stays_normal(unit, run.end)) {
        return Err(format!("the unit {name} did not stay in normal mode"));
    }
    if run.ending != Ending::Regular {
        return Err("the run did not end regularly".to_owned());
    }
    if report.power.brownouts > 0 {
        let losses = counted(report.power.brownouts, "loss", "losses");
        return Err(format!("nodes went without supply, {losses}"));
    }
    let mut tried = report.pumps.iter().filter(|pump| pump.attempts > 0);
    if let Some(pump) = tried.clone().find(|pump| pump.attempts > 1 || pump.update_ms.is_none()) {
        return Err(format!("{} was not updated in one try", pump.id));
    }
    let longest = tried.by_ref().filter_map(|pump| pump.update_ms).max().ok_or("no pump was updated")?;
    let campaign = report.campaign.as_ref().and_then(|campaign| campaign.duration_ms);
    Ok([longest, campaign.ok_or("the campaign did not end")?])
}
