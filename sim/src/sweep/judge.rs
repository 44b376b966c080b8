//! What became of a strike, by the twin's own truth: flash contents, what runs, what the checks saw.
//!
//! Nothing here rests on the word of a firmware but the number of tries, which the checks hold against the flash.

use bevy_ecs::prelude::World;
use reports::sweep::SAYS_NOTHING;
use reports::{Fixed, RowVerdict, Verdict};

use crate::checks::{Checks, Truth};
use crate::faults::Faults;
use crate::hosts::flash::Flash;
use crate::hosts::pump::PumpHost;
use crate::kernel::{Scoped, SimTime};
use crate::measure::Measures;
use crate::node::{NodeId, Nodes};
use crate::run::{Ending, Identity, Run, report};
use crate::scenario::{Loaded, Measure};

/// What became of a strike, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Every row of the scenario's own result holds.
    Held,
    /// The pump is updated, by the try that was struck.
    SameTry,
    /// The pump is updated, by the next try.
    NextTry,
    /// The pump is updated, by a later one of its three tries.
    LaterTry,
    /// The pump is updated, and the try that did it was cut off after its work: no time of it could be measured, so that
    /// a budget has no verdict. Everything else holds.
    Unmeasured,
    /// The pump is updated, but a check, budget or expectation broke.
    Broken,
    /// A row of the scenario's own result failed.
    Failed,
    /// The run says nothing: its fault never acted, it came to no end, or a row has no verdict for another reason than
    /// that no try could be timed.
    Invalid,
    /// The pump is not updated: it sits in its bootloader, and every try has failed.
    NotUpdated,
    /// A pump runs something that is no whole image, or a firmware panicked.
    Dangerous,
}

impl Class {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::SameTry => "updated, same try",
            Self::NextTry => "updated, next try",
            Self::LaterTry => "updated, later try",
            Self::Unmeasured => "updated, not timed",
            Self::Broken => "updated, but broken",
            Self::Failed => "failed",
            Self::Invalid => SAYS_NOTHING,
            Self::NotUpdated => "not updated",
            Self::Dangerous => "dangerous",
        }
    }

    /// Whether every claim of a sweep holds.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Held | Self::SameTry | Self::NextTry | Self::LaterTry | Self::Unmeasured)
    }
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What became of it.
    pub class: Class,
    /// Tries of the pump.
    pub tries: u32,
    /// When the run was over.
    pub end: SimTime,
    /// A digest of the whole state then; none where a run has none.
    pub digest: Option<u128>,
    /// What is wrong, in words.
    pub complaints: Vec<String>,
    /// The worst value of each budget, where the sweep reports them.
    pub measured: Vec<Measured>,
}

/// The worst value of a budget in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The budget.
    pub budget: String,
    /// Its unit.
    pub unit: String,
    /// The value.
    pub value: Fixed,
}

impl Outcome {
    /// Of a strike that could not be run.
    #[must_use]
    pub fn unrun(why: String) -> Self {
        Self {
            class: Class::Invalid,
            tries: 0,
            end: SimTime::ZERO,
            digest: None,
            complaints: vec![why],
            measured: Vec::new(),
        }
    }
}

/// Judges the run of `forked`, which updates `pump`.
#[must_use]
pub fn judge(forked: &Loaded, run: &mut Run, pump: u8) -> Outcome {
    let digest = run.twin.digest().ok();
    let world = &run.twin.world;
    let tries = world.resource::<Measures>().timeline.pumps.get(usize::from(pump) - 1);
    let tries = tries.map_or(0, |history| u32::try_from(history.tries.len()).unwrap_or(u32::MAX));
    let mut complaints = Vec::new();
    let updated = is_updated(world, pump, &mut complaints);
    let partial = any_partial(world, &mut complaints);
    look_at_others(world, forked, pump, &mut complaints);
    let mut open = Vec::new();
    let verdict = look_at_report(forked, run, &mut complaints, &mut open);
    let idle = never_acted(world);
    complaints.extend(idle.iter().map(|id| format!("the fault {id} never acted")));
    let class = match &run.ending {
        Ending::Defect(what) => {
            complaints.push(what.clone());
            Class::Dangerous
        }
        _ if partial => Class::Dangerous,
        Ending::TimeLimit | Ending::Livelock => {
            complaints.push(format!("the run came to no end: {:?}", run.ending));
            if updated { Class::Invalid } else { Class::NotUpdated }
        }
        Ending::Regular if !updated => Class::NotUpdated,
        Ending::Regular if !idle.is_empty() => Class::Invalid,
        Ending::Regular if verdict == Verdict::Inconclusive && complaints.is_empty() && open.is_empty() => {
            Class::Unmeasured
        }
        Ending::Regular if verdict == Verdict::Inconclusive && complaints.is_empty() => Class::Invalid,
        Ending::Regular if verdict != Verdict::Pass || !complaints.is_empty() => Class::Broken,
        Ending::Regular => match tries {
            0 | 1 => Class::SameTry,
            2 => Class::NextTry,
            _ => Class::LaterTry,
        },
    };
    complaints.append(&mut open);
    Outcome { class, tries, end: run.end, digest, complaints, measured: Vec::new() }
}

fn of<T: bevy_ecs::prelude::Component>(world: &World, pump: u8) -> Option<&T> {
    world.get::<T>(world.resource::<Nodes>().get(NodeId::new(pump))?)
}

/// Whether the pump holds the image of the package, byte for byte and with its marker, and runs an application.
fn is_updated(world: &World, pump: u8, complaints: &mut Vec<String>) -> bool {
    let node = NodeId::new(pump);
    let held = world.resource::<Truth>().held.as_ref();
    let holds = held.zip(of::<Flash>(world, pump)).is_some_and(|(image, flash)| {
        flash.valid_header().is_some() && flash.holds(image) && flash.unerased_writes == 0
    });
    if !holds {
        complaints.push(format!("the flash of {node} does not hold the image"));
    }
    let runs = runs_application(world, pump);
    if !runs {
        complaints.push(format!("{node} runs no application"));
    }
    holds && runs
}

fn runs_application(world: &World, pump: u8) -> bool {
    of::<PumpHost>(world, pump).and_then(|host| host.state).is_some_and(protocol::cyclic::PumpState::is_application)
}

/// Whether any pump runs what is no whole image, now or at any time.
fn any_partial(world: &World, complaints: &mut Vec<String>) -> bool {
    let checks = world.resource::<Scoped<Checks>>();
    let mut partial = checks.only_whole_images_are_started.broken.is_some();
    for (node, _) in world.resource::<Nodes>().iter() {
        let Some(pump) = node.pump() else { continue };
        let whole = of::<Flash>(world, pump).is_some_and(|flash| flash.valid_header().is_some());
        if runs_application(world, pump) && !whole {
            complaints.push(format!("{node} runs without a whole image"));
            partial = true;
        }
    }
    partial
}

/// All other pumps that had an application have it still, and run it.
fn look_at_others(world: &World, forked: &Loaded, pump: u8, complaints: &mut Vec<String>) {
    let truth = world.resource::<Truth>();
    for other in (1..=forked.scenario.pumps.count).filter(|other| *other != pump) {
        let node = NodeId::new(other);
        let images = truth.installed.get(usize::from(other) - 1).into_iter().chain(&truth.held);
        let holds = of::<Flash>(world, other)
            .is_some_and(|flash| flash.valid_header().is_some() && images.into_iter().any(|image| flash.holds(image)));
        if !holds {
            complaints.push(format!("{node} has lost its image"));
        } else if !runs_application(world, other) {
            complaints.push(format!("{node} does not run"));
        }
    }
}

/// The verdict that `cooltwin run` would give, and the rows that it comes from: failed ones, and those left open by more than
/// that no try could be timed.
fn look_at_report(forked: &Loaded, run: &Run, complaints: &mut Vec<String>, open: &mut Vec<String>) -> Verdict {
    let report = report(forked, run, &Identity::default());
    let bad = |verdict: RowVerdict| verdict == RowVerdict::Fail;
    for check in report.checks.iter().filter(|check| bad(check.verdict)) {
        let rows = run.twin.world.resource::<Scoped<Checks>>();
        let why = rows.rows().find(|row| row.id == check.id).and_then(|row| row.broken.as_ref());
        let why = why.map_or(String::new(), |(at, why)| format!(": at {at} ms {why}"));
        complaints.push(format!("check {}{why}", check.id));
    }
    for budget in report.budgets.iter().filter(|budget| bad(budget.verdict)) {
        complaints.push(format!("budget {}", budget.id));
    }
    for expectation in report.expectations.iter().filter(|row| bad(row.verdict)) {
        complaints.push(format!("expectation {}", expectation.text));
    }
    // Where a run is not judged for want of a measured try alone, nothing is wrong with what it did.
    let unjudged = report.checks.iter().filter(|check| check.verdict.is_open());
    open.extend(
        unjudged
            .filter(|check| !UNMEASURED.contains(&&*check.id))
            .map(|check| format!("check {} never looked", check.id)),
    );
    let of_updates = |id: &str| {
        let specs = forked.scenario.budgets.iter();
        specs.filter(|spec| spec.measure == Measure::PumpUpdate).any(|spec| spec.id == id)
    };
    let unmeasured = report.budgets.iter().filter(|budget| budget.verdict.is_open() && !of_updates(&budget.id));
    open.extend(unmeasured.map(|budget| format!("budget {} was not measured", budget.id)));
    let untold = report.expectations.iter().filter(|row| row.verdict.is_open());
    open.extend(untold.map(|row| format!("expectation {} was not judged", row.text)));
    if !matches!(report.verdict, Verdict::Pass | Verdict::Inconclusive) && complaints.is_empty() {
        complaints.push(format!("verdict {:?}", report.verdict));
    }
    report.verdict
}

/// The checks that look at a try which the CIOC saw end well, or at its time: there was none.
const UNMEASURED: [&str; 3] =
    ["required_budgets_are_judged", "pump_restarts_before_success", "bus_confirms_update_times"];

fn never_acted(world: &World) -> Vec<String> {
    let idle = world.resource::<Scoped<Faults>>().list.iter().filter(|injection| injection.activations == 0);
    idle.map(|injection| injection.fault.id.clone()).collect()
}
