//! The sweep of a scenario's own faults over tick phases: all of them moved together, one step at a time.
//!
//! A cut of the link between the two CPUs, a stop input, a broken wire: a CPU looks at each of these once in a tick of its
//! own, so that the place in the tick decides who notices first and when the outputs are off. The scenario states the
//! fault, its limits and what is expected; each strike is that scenario with its faults a step later, and must pass.

use reports::{RowVerdict, Verdict};

use super::engine::{Space, Strike};
use super::fork::{Slot, Trunk};
use super::judge::{Class, Measured, Outcome};
use crate::kernel::{SimTime, Span};
use crate::run::{Ending, Identity, Run, report};
use crate::scenario::diagnostic::Code;
use crate::scenario::{Fault, Loaded, Problem, RawScenario, Trigger};

/// The faults of a scenario at every phase of a stretch of time.
pub struct Moved {
    trunk: Trunk,
    faults: Vec<Fault>,
    /// When the first of them begins as the scenario states it.
    first: SimTime,
    step: Span,
    steps: usize,
}

impl Moved {
    /// The faults of `base`, moved by 0, `step`, two `step` and so on, less than `over`.
    ///
    /// # Errors
    /// If the scenario has no faults, one that comes by a condition, or cannot be forked; then why.
    pub fn new(base: &Loaded, over: Span, step: Span) -> Result<Self, Vec<Problem>> {
        let faults = base.scenario.faults.clone();
        let first = faults.iter().map(begin).collect::<Option<Vec<SimTime>>>();
        let Some(first) = first.and_then(|times| times.into_iter().min()) else {
            return Err(vec![not_at_times()]);
        };
        let trunk = Trunk::new(&without_faults(base)?, &vec![Slot::TimeAlone; faults.len()])?;
        let steps = over.as_nanos().div_ceil(step.as_nanos().max(1));
        Ok(Self { trunk, faults, first, step, steps: usize::try_from(steps).unwrap_or(usize::MAX) })
    }

    fn moved(&self, number: usize) -> Vec<Fault> {
        let by = self.step.times(number as u64);
        let later = |fault: &Fault| match fault.trigger {
            Trigger::At(at) => Fault { trigger: Trigger::At(at + by), ..fault.clone() },
            _ => fault.clone(),
        };
        self.faults.iter().map(later).collect()
    }
}

/// `base` as it is without its faults: what its run is compared with, and where forks begin.
///
/// # Errors
/// If it makes no sense without them; then why.
pub fn without_faults(base: &Loaded) -> Result<Loaded, Vec<Problem>> {
    let scenario = RawScenario { faults: Vec::new(), ..RawScenario::clone(&base.scenario) }.check()?;
    let mut bare = base.clone();
    bare.scenario = scenario;
    Ok(bare)
}

fn begin(fault: &Fault) -> Option<SimTime> {
    match fault.trigger {
        Trigger::At(at) => Some(SimTime::ZERO + at),
        _ => None,
    }
}

fn not_at_times() -> Problem {
    let message = "a sweep over phases moves faults that come at a time, and only such";
    Problem::new(Code::Contradiction, "faults", message, "needs `trigger: At(..)`")
}

impl Space for Moved {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn strata(&self) -> Vec<String> {
        vec!["the scenario's faults, moved".to_owned()]
    }

    fn len(&self) -> usize {
        self.steps
    }

    fn strike(&self, number: usize) -> Strike {
        let by = self.step.times(number as u64);
        Strike {
            stratum: 0,
            name: format!("{by} ms later"),
            at: self.first + by,
            faults: self.moved(number),
            ripe: None,
        }
    }

    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome {
        judge(forked, run)
    }
}

/// Judges a run by its own report: every row must hold.
fn judge(forked: &Loaded, run: &mut Run) -> Outcome {
    let digest = run.twin.digest().ok();
    let report = report(forked, run, &Identity::default());
    let bad = |verdict: RowVerdict| !matches!(verdict, RowVerdict::Pass | RowVerdict::NotApplicable | RowVerdict::Info);
    let checks =
        report.checks.iter().filter(|row| row.verdict == RowVerdict::Fail).map(|row| format!("check {}", row.id));
    let budgets = report.budgets.iter().filter(|row| bad(row.verdict)).map(|row| {
        let measured = row.measured.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        format!("budget {}: {measured} {}", row.id, row.unit)
    });
    let expectations =
        report.expectations.iter().filter(|row| bad(row.verdict)).map(|row| format!("expectation {}", row.text));
    let mut complaints: Vec<String> = checks.chain(budgets).chain(expectations).collect();
    let class = match (&run.ending, report.verdict) {
        (Ending::Defect(what), _) => {
            complaints.push(what.clone());
            Class::Dangerous
        }
        (Ending::Regular, Verdict::Pass) => Class::Held,
        (Ending::Regular, Verdict::Fail) => Class::Failed,
        (ending, verdict) => {
            complaints.push(format!("{ending:?}, {}", verdict.word()));
            Class::Invalid
        }
    };
    let measured = report
        .budgets
        .iter()
        .filter(|row| row.n > 0)
        .filter_map(|row| Some(Measured { budget: row.id.clone(), unit: row.unit.clone(), value: row.measured? }));
    Outcome { class, tries: 0, end: run.end, digest, complaints, measured: measured.collect() }
}
