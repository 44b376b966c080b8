//! One run from scenario to [`Report`]: runs the twin to its end and judges what was measured.
//!
//! ```text
//!   Loaded --twin::build--> Twin --run_until--> Measures, Checks, Faults --report--> reports::Report
//! ```

mod events;
mod expectations;
pub mod recording;
mod report;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::checks::Checks;
use crate::event::Twin;
use crate::hosts::FirmwareDefect;
use crate::kernel::{Halt, SimTime};
use crate::measure::Measures;
use crate::scenario::Scenario;
use crate::twin;

pub use events::{event_log, event_of};
pub use report::{Identity, report};

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
    let writer = Arc::new(Mutex::new(recording::Writer::new(sink, scenario)));
    let observer = Arc::clone(&writer);
    let recorder: twin::Recorder = Box::new(move |world, time, record| {
        observer.lock().unwrap_or_else(PoisonError::into_inner).record(world, time, record);
    });
    let run = finish(twin::build_recorded(scenario, image_file, Some(recorder)), scenario, progress);
    let written = writer.lock().unwrap_or_else(PoisonError::into_inner).finish(run.end);
    (run, written)
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
    twin.world.resource_mut::<Measures>().finish(end);
    twin.world.resource_scope(|world, mut checks: bevy_ecs::prelude::Mut<'_, Checks>| checks.finish(world, end));
    Run { twin, ending, end }
}
