//! One run from scenario to [`Report`]: runs the twin to its end and judges what was measured.
//!
//! ```text
//!   Loaded --twin::build--> Twin --run_until--> Measures, Checks, Faults --report--> reports::Report
//! ```

mod classes;
mod events;
mod expectations;
mod idle;
pub mod recording;
mod report;
pub mod safety;
mod safety_frames;
mod safety_units;
mod traffic;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bevy_ecs::prelude::World;

use crate::bus::Bus;
use crate::checks::Checks;
use crate::event::Twin;
use crate::hosts::FirmwareDefect;
use crate::hosts::flash::Flash;
use crate::kernel::{Halt, Scoped, SimTime};
use crate::measure::Measures;
use crate::node::Nodes;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::twin;

pub use events::{event_log, event_log_of, event_of, event_of_entry};
pub(crate) use events::{kebab, word_of};
pub(crate) use expectations::KINDS_OUTSIDE_THE_LIST;
use recording::Line;
#[cfg(test)]
pub(crate) use report::kind_name;
pub use report::{Identity, report};
pub(crate) use report::{limit_value, relation};
pub(crate) use safety::has_led_to_trips;
pub use safety_frames::{run_without_safety_frames, whole_report};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As the scenario says.
    Regular,
    /// The time limit came first.
    TimeLimit,
    /// A million events at one instant.
    Livelock,
    /// A firmware panicked or broke its interface; says which and how.
    Defect(String),
}

/// A run that has ended.
pub struct Run {
    /// The twin as it stands.
    pub twin: Twin,
    /// Why it ended.
    pub ending: Ending,
    /// When.
    pub end: SimTime,
}

/// Runs a scenario to its end; `progress` is told the simulated time now and then.
pub fn run(scenario: &Scenario, image_file: Option<&[u8]>, progress: impl FnMut(&Twin)) -> Run {
    finish(twin::build(scenario, image_file), scenario, progress)
}

/// [`run`], with a recording of it written to `sink`; give it a buffered one.
///
/// # Errors
/// Beside the run: why its recording is not whole.
pub fn run_recorded(
    scenario: &Scenario,
    image_file: Option<&[u8]>,
    sink: impl Write + Send + 'static,
    progress: impl FnMut(&Twin),
) -> (Run, io::Result<()>) {
    let (run, mut writer) =
        run_watched(scenario, image_file, recording::Writer::new(sink, scenario), recording::Writer::record, progress);
    let written = writer.finish(run.end);
    (run, written)
}

/// [`run`], with every line of its recording shown to `watch` in order; gives back the watcher's `state`.
pub fn run_watched<T: Send + 'static>(
    scenario: &Scenario,
    image_file: Option<&[u8]>,
    state: T,
    watch: fn(&mut T, &Line),
    progress: impl FnMut(&Twin),
) -> (Run, T) {
    let state = Arc::new(Mutex::new(Some(state)));
    let shown = Arc::clone(&state);
    let recorder: twin::Recorder = Box::new(move |world, time, record| {
        if let Some(state) = &mut *shown.lock().unwrap_or_else(PoisonError::into_inner) {
            watch(state, &Line::of(world, time, record));
        }
    });
    let run = finish(twin::build_recorded(scenario, image_file, Some(recorder)), scenario, progress);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner).take().expect("nobody else takes it");
    for record in run.twin.world.resource::<Bus>().unfinished_levels(run.end) {
        watch(&mut state, &Line::of(&run.twin.world, run.end, &Record::Bus(record)));
    }
    (run, state)
}

/// How much simulated time passes between two calls of `progress`.
const PROGRESS_PERIOD: crate::kernel::Span = crate::kernel::Span::from_secs(10);

/// Runs a twin from where it stands to its end.
pub fn finish(mut twin: Twin, scenario: &Scenario, mut progress: impl FnMut(&Twin)) -> Run {
    let limit = SimTime::ZERO + scenario.time_limit;
    let mut until = twin.agenda.now();
    let halt = loop {
        until = (until + PROGRESS_PERIOD).min(limit);
        match twin.run_until(until) {
            Halt::TimeReached if until < limit => progress(&twin),
            halt => break halt,
        }
    };
    let end = match halt {
        Halt::TimeReached => limit,
        _ => twin.agenda.now(),
    };
    let defect = twin.world.resource::<FirmwareDefect>().0.clone();
    let ending = match (defect, halt) {
        (Some((node, what)), _) => Ending::Defect(format!("firmware of {node} {what}")),
        (None, Halt::Asked | Halt::Idle) => Ending::Regular,
        (None, Halt::TimeReached) => Ending::TimeLimit,
        (None, Halt::Livelock) => Ending::Livelock,
    };
    let flash_operations = flash_operations(&twin.world);
    twin.world.resource_mut::<Measures>().finish(end, flash_operations);
    Scoped::scope(&mut twin.world, |world, checks: &mut Checks| checks.finish(world, end));
    Run { twin, ending, end }
}

/// Operations that each pump's flash began; index 0 is pump 1.
fn flash_operations(world: &World) -> Vec<u64> {
    let pumps = world.resource::<Nodes>().iter().filter(|(node, _)| node.pump().is_some());
    pumps.map(|(_, entity)| world.get::<Flash>(entity).map_or(0, |flash| flash.operations)).collect()
}
