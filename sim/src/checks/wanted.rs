//! What a scenario is about, so that a check that never looked can be told from one that had no business there.
//!
//! A campaign is *wanted* when the scenario runs one and it could begin: a sound image, a pump that takes it and holds
//! another, a person who agrees in time, and no promise of the scenario that nothing is written.

use bevy_ecs::prelude::Resource;

use super::Truth;
use crate::kernel::Span;
use crate::scenario::{Consent, Expectation, Outcome, Scenario, Selection};

/// A question for consent stands this long (own number of PFU-019).
pub const CONSENT_WITHIN: Span = Span::from_secs(600);

/// What a run owes its checks.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A write to some pump.
    pub writes: bool,
    /// A pump that is updated: one to be written to of which no expectation says otherwise.
    pub success: bool,
    /// A pump that holds the image already, in a run with a search.
    pub equals: bool,
    /// A pump that dies.
    pub dead: bool,
    /// A silence of the CIOC.
    pub silence: bool,
    /// The scenario injects faults.
    pub faults: bool,
    /// A pump that starts: not where its feed waits for a safety unit and there is no update.
    pub starts: bool,
    /// No update is begun below this voltage, in mV.
    pub supply_least_mv: u32,
}

impl Wanted {
    /// What `scenario` wants of its run.
    #[must_use]
    pub fn of(scenario: &Scenario, truth: &Truth) -> Self {
        let searched = truth.campaign && truth.sound;
        let differs = |pump: usize| truth.installed.get(pump) != truth.held.as_ref();
        let takes = |pump: &usize| truth.models.get(*pump) == Some(&truth.image_model);
        let takers: Vec<usize> = (0..usize::from(truth.pumps)).filter(takes).collect();
        let to_write: Vec<usize> = takers.iter().copied().filter(|pump| differs(*pump)).collect();
        let writes = searched && !to_write.is_empty() && agrees(scenario) && !promises_no_write(scenario);
        Self {
            writes,
            success: writes && to_write.iter().any(|pump| !ends_otherwise(scenario, *pump)),
            equals: searched && takers.len() > to_write.len(),
            dead: scenario.expectations.iter().any(is_death),
            silence: scenario.cioc_update.is_some(),
            faults: !scenario.faults.is_empty(),
            starts: scenario.campaign || scenario.safety_units.iter().all(|unit| unit.feeds.is_empty()),
            supply_least_mv: scenario.supply.minimum_for_update.millivolts(),
        }
    }

    /// The only answer came after the question's time by the clock of the CIOC, a fault of its crystal included: no write
    /// is owed.
    pub(super) const fn nobody_agreed(&mut self) {
        (self.writes, self.success) = (false, false);
    }
}

/// Whether an answer so long after the question is in time, by the clock of the CIOC: before ten minutes have passed.
#[must_use]
pub fn is_in_time(scenario: &Scenario, after: Span) -> bool {
    let ppm = i128::from(scenario.timing.cioc_clock_drift.ppm());
    i128::from(after.as_nanos()) * (1_000_000 + ppm) < i128::from(CONSENT_WITHIN.as_nanos()) * 1_000_000
}

/// Whether the person says yes while the question stands.
fn agrees(scenario: &Scenario) -> bool {
    match &scenario.user.consent {
        Consent::Agree(answer) => is_in_time(scenario, answer.after),
        Consent::RebootWhileAsking(reboot) => reboot.then_agree,
        Consent::Refuse(_) | Consent::Never => false,
    }
}

/// Whether the scenario itself says that no pump is to be written to: a promise that its expectations judge.
#[must_use]
pub fn promises_no_write(scenario: &Scenario) -> bool {
    scenario.expectations.iter().any(|expectation| matches!(expectation, Expectation::NoFlashWrite(Selection::All)))
}

fn is_death(expectation: &Expectation) -> bool {
    matches!(expectation, Expectation::Outcome(wanted) if wanted.is == Outcome::Dead)
}

fn ends_otherwise(scenario: &Scenario, pump: usize) -> bool {
    scenario.expectations.iter().any(|expectation| match expectation {
        Expectation::Outcome(wanted) => {
            let meant = scenario.selected(&wanted.pumps).iter().any(|one| usize::from(*one) == pump + 1);
            meant && wanted.is != Outcome::Updated
        }
        _ => false,
    })
}
