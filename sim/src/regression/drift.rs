//! Margins of a suite held against a baseline, budget by budget.
//!
//! A margin that has shrunk by more than its tolerance is worse. So is one that is gone: a budget that is no longer
//! measured, or a scenario that was not run, must not leave the gate without a word.

use std::collections::BTreeSet;

use reports::{Budget, Fixed, Report};

use super::baseline::{Amount, Baseline, identities};

/// How a margin stands to that of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The same to the last digit.
    Equal,
    /// Moved by no more than the tolerance.
    Within,
    /// Grown by more than the tolerance.
    Better,
    /// Not in the baseline.
    New,
    /// Shrunk by more than the tolerance.
    Worse,
    /// In the baseline, and not measured any more or in another unit.
    Missing,
}

impl Kind {
    /// Whether it counts as worse than the baseline.
    #[must_use]
    pub fn is_worse(self) -> bool {
        matches!(self, Self::Worse | Self::Missing)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Within => "within tolerance",
            Self::Better => "better",
            Self::New => "new",
            Self::Worse => "worse",
            Self::Missing => "missing",
        }
    }
}

/// A budget of a scenario beside its baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginDrift {
    /// The scenario's name.
    pub scenario: String,
    /// The budget's id.
    pub budget: String,
    /// Margin of the baseline.
    pub old: Option<Amount>,
    /// Margin of this run.
    pub new: Option<Amount>,
    /// How much it may shrink; none when there are not two margins of one unit.
    pub tolerance: Option<Fixed>,
    /// How it stands.
    pub kind: Kind,
}

impl MarginDrift {
    /// How much the margin has grown; none when there are not two margins of one unit.
    #[must_use]
    pub fn change(&self) -> Option<Fixed> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        let change = new.value.as_millionths().saturating_sub(old.value.as_millionths());
        (old.unit == new.unit).then(|| Fixed::from_millionths(change))
    }
}

/// A scenario whose trace is not that of the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityChange {
    /// The scenario's name.
    pub scenario: String,
    /// Domains whose fingerprints differ; `order` where only the order between domains does.
    pub domains: Vec<String>,
    /// Whether the scenario itself says something else than it did.
    pub scenario_changed: bool,
}

/// A suite beside its baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Every budget of every scenario that was run, in the order of the suite.
    pub margins: Vec<MarginDrift>,
    /// Scenarios whose trace or text changed.
    pub identities: Vec<IdentityChange>,
    /// Scenarios of the baseline that were not run.
    pub not_run: Vec<String>,
    /// How many further scenarios the baseline has that nobody asked for, where files were named one by one.
    pub not_asked: usize,
    /// Scenarios that are not in the baseline.
    pub not_in_baseline: Vec<String>,
}

impl Drift {
    /// Whether anything counts as worse than the baseline.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        !self.not_run.is_empty() || self.margins.iter().any(|margin| margin.kind.is_worse())
    }

    /// The same for files that were named one by one: they are held against their own lines, and nobody expects the
    /// rest of the baseline.
    #[must_use]
    pub fn of_named_files(mut self) -> Self {
        self.not_asked += std::mem::take(&mut self.not_run).len();
        self
    }

    /// Budgets of this kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &MarginDrift> {
        self.margins.iter().filter(move |margin| margin.kind == kind)
    }
}

/// Holds the runs of a suite against a baseline.
#[must_use]
pub fn drift(baseline: &Baseline, reports: &[&Report]) -> Drift {
    let run: BTreeSet<&str> = reports.iter().map(|report| report.scenario.name.as_str()).collect();
    let known = baseline.scenarios();
    let (known_reports, new_reports): (Vec<&Report>, Vec<&Report>) =
        reports.iter().partition(|report| known.contains(report.scenario.name.as_str()));
    Drift {
        margins: known_reports.iter().flat_map(|report| margins(baseline, report)).collect(),
        identities: known_reports.iter().filter_map(|report| identity_change(baseline, report)).collect(),
        not_run: known.difference(&run).map(|name| (*name).to_owned()).collect(),
        not_asked: 0,
        not_in_baseline: new_reports.iter().map(|report| report.scenario.name.clone()).collect(),
    }
}

fn margins(baseline: &Baseline, report: &Report) -> Vec<MarginDrift> {
    let name = report.scenario.name.as_str();
    let of_run = report.budgets.iter().map(|budget| margin(baseline, name, budget));
    let gone = baseline.margins_of(name).filter(|(id, _)| report.budget(id).is_none()).map(|(id, old)| MarginDrift {
        scenario: name.to_owned(),
        budget: id.to_owned(),
        old: Some(old.clone()),
        new: None,
        tolerance: None,
        kind: Kind::Missing,
    });
    // A budget that was measured neither then nor now says nothing.
    of_run.chain(gone).filter(|margin| margin.old.is_some() || margin.new.is_some()).collect()
}

fn margin(baseline: &Baseline, scenario: &str, budget: &Budget) -> MarginDrift {
    let mut drift = MarginDrift {
        scenario: scenario.to_owned(),
        budget: budget.id.clone(),
        old: baseline.margins.get(&(scenario.to_owned(), budget.id.clone())).cloned(),
        new: budget.margin.map(|value| Amount { value, unit: budget.unit.clone() }),
        tolerance: None,
        kind: Kind::New,
    };
    if let Some(change) = drift.change() {
        let tolerance = baseline.tolerance(budget);
        drift.tolerance = Some(tolerance);
        drift.kind = kind(change, tolerance);
    } else if drift.old.is_some() {
        drift.kind = Kind::Missing;
    }
    drift
}

fn kind(change: Fixed, tolerance: Fixed) -> Kind {
    let (change, tolerance) = (change.as_millionths(), tolerance.as_millionths());
    match change {
        0 => Kind::Equal,
        _ if change < -tolerance => Kind::Worse,
        _ if change > tolerance => Kind::Better,
        _ => Kind::Within,
    }
}

fn identity_change(baseline: &Baseline, report: &Report) -> Option<IdentityChange> {
    let old = baseline.identities.get(&report.scenario.name)?;
    let new = identities(report);
    let differs = |what: &str| old.get(what) != new.get(what);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut domains: Vec<String> =
        names.into_iter().filter(|name| *name != "all" && *name != "scenario" && differs(name)).cloned().collect();
    if domains.is_empty() && differs("all") {
        domains.push("order".to_owned());
    }
    let scenario_changed = differs("scenario");
    (scenario_changed || !domains.is_empty()).then(|| IdentityChange {
        scenario: report.scenario.name.clone(),
        domains,
        scenario_changed,
    })
}
