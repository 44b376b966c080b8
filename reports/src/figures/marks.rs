//! Marks: what went wrong during a run, numbered by time, so that figures carry numbers and a table the words.

use crate::number::Millis;
use crate::report::{Pump, Report, Try, TryOutcome};
use crate::words;

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MarkKind {
    /// An injected fault acted.
    Fault,
    /// A try failed.
    FailedTry,
    /// A try was cut off from outside.
    InterruptedTry,
    /// Outputs of safety units were off after a fault.
    Off,
}

impl Mark {
    /// When it stands in a figure.
    pub(crate) fn times(&self) -> impl Iterator<Item = Millis> {
        std::iter::once(self.at).chain(self.again.iter().copied())
    }
}

impl MarkKind {
    /// The words of the table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault acts",
            Self::FailedTry => "try fails",
            Self::InterruptedTry => "try is interrupted",
            Self::Off => "outputs are off",
        }
    }
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// From 1, in the order of time.
    pub(crate) number: usize,
    pub(crate) at: Millis,
    /// When the same fault acted again: every time, or the last alone of many.
    pub(crate) again: Vec<Millis>,
    /// Whether it also acted between these times.
    pub(crate) is_span: bool,
    pub(crate) kind: MarkKind,
    /// The pump, or where the fault acts.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// All marks of a run in the order of time.
pub(crate) fn marks(report: &Report) -> Vec<Mark> {
    let faults = report.injections.iter().filter(|injection| injection.activations > 0).filter_map(|injection| {
        let again = injection.again_ms.clone();
        let is_span = 1 + (again.len() as u64) < injection.activations;
        let text = format!("{} {}, acted {}", injection.id, injection.kind, words::times(injection.activations));
        let text = again.last().map_or(text.clone(), |last| format!("{text}, last at {}", words::duration(*last)));
        let first = mark(injection.at_ms?, MarkKind::Fault, &injection.target, text);
        Some(Mark { again, is_span, ..first })
    });
    let tries = report.pumps.iter().flat_map(|pump| pump.tries.iter().filter_map(move |one| bad_try(pump, one)));
    let mut marks: Vec<Mark> = faults.chain(tries).chain(offs(report)).collect();
    marks.sort_by_key(|mark| (mark.at, mark.kind));
    for (number, mark) in (1..).zip(&mut marks) {
        mark.number = number;
    }
    marks
}

/// When the unit of a fault was off, and all units that went off, each time once for all faults that led to it.
fn offs(report: &Report) -> Vec<Mark> {
    let mut offs: Vec<Mark> = Vec::new();
    for fault in &report.injections {
        let [detected, local, all] = fault.reaction();
        let named =
            [(local, "the unit of the fault"), (all.filter(|all| Some(*all) != local), "all units that go off")];
        for (at, who) in named.into_iter().filter_map(|(at, who)| Some((at?, who))) {
            let detected =
                detected.map_or_else(String::new, |at| format!(", detected at {} ms", words::rounded(at.into(), 3)));
            let text = format!("{who}, after {}{detected}", fault.id);
            match offs.iter_mut().find(|mark| mark.at == at) {
                Some(mark) => mark.text = format!("{}; {text}", mark.text),
                None => offs.push(mark(at, MarkKind::Off, "safety units", text)),
            }
        }
    }
    offs
}

fn mark(at: Millis, kind: MarkKind, place: &str, text: String) -> Mark {
    Mark { number: 0, at, again: Vec::new(), is_span: false, kind, place: place.to_owned(), text }
}

fn bad_try(pump: &Pump, one: &Try) -> Option<Mark> {
    let kind = match one.outcome {
        TryOutcome::Updated => return None,
        TryOutcome::Failed => MarkKind::FailedTry,
        TryOutcome::Interrupted => MarkKind::InterruptedTry,
    };
    let cause = one.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
    Some(mark(end_of(one), kind, &pump.id, format!("try {}{cause}", one.n)))
}

/// When a try ended.
pub(super) fn end_of(one: &Try) -> Millis {
    Millis::from_signed_nanos(one.start_ms.as_nanos().saturating_add(one.duration().as_nanos()))
}
