//! Runs the scenarios of a suite, each twice, on several threads.
//!
//! Which thread runs what is left to chance; what comes out is not: cases stand in the order of their scenarios, and
//! they are told in that order too. The two runs of a scenario are two jobs, so that with more than one thread they
//! mostly run side by side on different ones.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use reports::{Fingerprint, Report};

use super::compare::{fields_that_differ, unequal_domains};
use super::events::{Divergence, divergence_of_journals};
use crate::measure::Measures;
use crate::measure::journal::Journal;
use crate::run::{self, Identity, Run};
use crate::scenario::Loaded;

/// What is kept of one run.
pub struct Ran {
    /// Its report.
    pub report: Report,
    /// Its state transitions.
    pub journal: Journal,
}

/// Runs a scenario once, from a twin built anew.
#[must_use]
pub fn once(loaded: &Loaded, identity: &Identity) -> Ran {
    ran(loaded, |ended| run::report(loaded, ended, identity))
}

/// The same with the report as it is written, which may take a second run: see [`run::whole_report`].
#[must_use]
pub fn once_as_written(loaded: &Loaded, identity: &Identity) -> Ran {
    ran(loaded, |ended| run::whole_report(loaded, ended, identity, |_| {}))
}

fn ran(loaded: &Loaded, report: impl Fn(&Run) -> Report) -> Ran {
    let ended = run::run(&loaded.scenario, loaded.image.as_deref(), |_| {});
    Ran { report: report(&ended), journal: ended.twin.world.resource::<Measures>().journal.clone() }
}

/// How two runs of the same scenario, seed and build differ, which they never may.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Domains of the trace whose fingerprints differ, in the order of the trace; empty when only results do.
    pub domains: Vec<&'static str>,
    /// Parts of the result that differ, such as `budgets`.
    pub fields: Vec<String>,
    /// The first event that differs; none when the logs are equal.
    pub first: Option<Divergence>,
}

/// A scenario of a suite and what became of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The report of its first run, or the message of a panic of the twin.
    pub result: Result<Report, String>,
    /// How its second run differs from the first.
    pub difference: Option<Difference>,
}

/// Runs each scenario twice with `run` on `jobs` threads. `told` hears of each case in the order of the scenarios, as
/// soon as it and all before it are done.
pub fn run_suite(
    scenarios: &[Loaded],
    jobs: NonZero<usize>,
    run: &(dyn Fn(&Loaded) -> Ran + Sync),
    mut told: impl FnMut(usize, &Case),
) -> Vec<Case> {
    let count = scenarios.len() * 2;
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.get().min(count) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= count {
                        break;
                    }
                    let ran = catch_unwind(AssertUnwindSafe(|| run(&scenarios[job / 2])));
                    // The receiver outlives all senders.
                    let _ = send.send((job / 2, job % 2, ran.map_err(|panic| message(panic.as_ref()))));
                }
            });
        }
        drop(send);
        collect(receive.iter(), scenarios.len(), &mut told)
    })
}

type Once = Result<Ran, String>;

/// Pairs the two runs of each scenario; memory holds the journals of the pairs that are not complete, no more.
fn collect(
    runs: impl Iterator<Item = (usize, usize, Once)>,
    count: usize,
    told: &mut impl FnMut(usize, &Case),
) -> Vec<Case> {
    let mut halves: Vec<[Option<Once>; 2]> = (0..count).map(|_| [None, None]).collect();
    let mut cases: Vec<Option<Case>> = (0..count).map(|_| None).collect();
    let mut heard = 0;
    for (scenario, half, ran) in runs {
        halves[scenario][half] = Some(ran);
        if let [Some(_), Some(_)] = &halves[scenario]
            && let [Some(first), Some(second)] = std::mem::take(&mut halves[scenario])
        {
            cases[scenario] = Some(case(first, second));
        }
        while let Some(Some(case)) = cases.get(heard) {
            told(heard, case);
            heard += 1;
        }
    }
    cases.into_iter().flatten().collect()
}

/// Judges the two runs of a scenario. The first is the one that is reported.
fn case(first: Once, second: Once) -> Case {
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(panic), _) | (_, Err(panic)) => return Case { result: Err(panic), difference: None },
    };
    let difference = difference(&first, &second);
    Case { result: Ok(first.report), difference }
}

fn difference(first: &Ran, second: &Ran) -> Option<Difference> {
    let fingerprints: [&Fingerprint; 2] = [&first.report.fingerprint, &second.report.fingerprint];
    if fingerprints[0] == fingerprints[1] && first.report == second.report {
        return None;
    }
    Some(Difference {
        domains: unequal_domains(fingerprints[0], fingerprints[1]),
        fields: fields_that_differ(&first.report, &second.report, &["fingerprint"]),
        first: divergence_of_journals(&first.journal, &second.journal),
    })
}

/// The text of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
