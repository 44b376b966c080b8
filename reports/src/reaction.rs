//! How faults are told: when each occurred, was detected, and outputs were off, in the same words on every page.

use crate::number::{Fixed, Millis};
use crate::report::{Injection, Report};
use crate::words;

/// Outputs of the unit where the fault is.
pub(crate) const LOCAL_OFF: &str = "local outputs off";
/// Outputs of all units.
pub(crate) const ALL_OFF: &str = "all affected outputs off";
/// Both at once.
pub(crate) const LOCAL_AND_ALL_OFF: &str = "local and all affected outputs off";
/// A fault at a safety unit of which no detection can be told: several may have led to what was found, or nothing was.
pub(crate) const NOT_DETECTED: &str = "not detected, as far as is known";
/// No time to off of a fault that was detected.
pub(crate) const NO_TIME_OFF: &str =
    "no time off is known: either nothing that had to go off was on, or an output stayed on";
/// What the times of a fault mean.
pub(crate) const OCCURRED: &str = "A fault occurred when it was put in; it first acted when something was different because of it. \
     One without a duration is over at once or stays to the end";
/// What the times of a reaction mean.
pub(crate) const REACTION: &str = "A detection counts for the one fault that can have led to it; where several can have, or none, for none. \
     Local outputs are those of the unit where the fault is, all affected outputs those of every unit; each time is that of the last one \
     that had to go off for it, and counts from when the fault occurred. Off is when no output transistor conducts with its feed on and no \
     relay has both coils fed; a relay whose contact opens later than its coil makes it, or never, is off that much later, or never. A dash at \
     a fault that was detected: either nothing that had to go off was on, or an output stayed on";

/// When it occurred, as far as that is known: one that is known to have acted only, then.
fn begin(injection: &Injection) -> Option<Millis> {
    injection.occurred_ms.or(injection.at_ms)
}

/// How long after the fault occurred, in ms; nothing of one that never began.
pub(crate) fn after(injection: &Injection, time: Millis) -> Option<String> {
    Some(reaction_time(Millis::from_signed_nanos(time.as_nanos().saturating_sub(begin(injection)?.as_nanos()))))
}

/// A short time in ms, however long it is: three places, and below 1 ms, where the limit of a CPU's logic lies, as many more as it has.
pub(crate) fn reaction_time(time: Millis) -> String {
    format!("{} ms", reaction_digits(time))
}

/// The same without its unit.
pub(crate) fn reaction_digits(time: Millis) -> String {
    let is_short = time.as_nanos().unsigned_abs() < 1_000_000;
    let has_no_more = |places: &u32| time.as_nanos() % 10_i64.pow(6 - places) == 0;
    let places = if is_short { (3..6).find(has_no_more).unwrap_or(6) } else { 3 };
    words::rounded(Fixed::from(time), places)
}

/// Whether it acted at a safety unit.
pub(crate) fn is_at_a_unit(report: &Report, injection: &Injection) -> bool {
    injection.activations > 0 && report.safety_units.iter().any(|unit| unit.id == injection.target)
}
