//! The sweep of a supply dip over tick phases: the same dip at each microsecond of a millisecond, in every phase.
//!
//! Boards sample their supply each millisecond and their timers tick in tens of microseconds; where in a tick a dip
//! begins and ends decides who notices it first. Each phase of the try is struck half way to the next one. A scenario
//! that has faults of its own is swept by moving those: see [`super::moved`].

use super::engine::{Space, Strike};
use super::fork::{Slot, Trunk};
use super::judge::{Outcome, judge};
use super::survey::Survey;
use crate::kernel::{SimTime, Span};
use crate::run::Run;
use crate::scenario::quantity::Voltage;
use crate::scenario::{Fault, FaultKind, Level, Loaded, Place, Problem, Trigger};

/// A dip of the whole supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dip {
    /// The level that it goes to.
    pub to: Voltage,
    /// How long it lasts.
    pub lasts: Span,
}

/// One dip at every phase of a tick.
pub struct Phases {
    trunk: Trunk,
    pump: u8,
    dip: Dip,
    /// Two dips of one phase of the try are so far apart.
    step: Span,
    per_place: usize,
    /// Where each phase of the try is struck, and its name.
    places: Vec<(SimTime, String)>,
}

impl Phases {
    /// Sees the phases of the update of `pump`; each is struck at 0, `step`, two `step` and so on, less than `over`.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(
        base: &Loaded,
        pump: u8,
        survey: &Survey,
        dip: Dip,
        [over, step]: [Span; 2],
    ) -> Result<Self, Vec<Problem>> {
        let trunk = Trunk::new(base, &[Slot::Time])?;
        let phases: Vec<_> = survey.steps.iter().filter(|step| step.name.starts_with("phase ")).collect();
        let ends = phases.iter().skip(1).map(|next| next.at).chain(survey.over);
        let half = |from: SimTime, to: SimTime| from + Span::from_nanos(to.since(from).as_nanos() / 2);
        let places = phases.iter().zip(ends).map(|(phase, end)| (half(phase.at, end), phase.name.clone()));
        let steps = over.as_nanos().div_ceil(step.as_nanos().max(1));
        let per_place = usize::try_from(steps).unwrap_or(usize::MAX);
        Ok(Self { trunk, pump, dip, step, per_place, places: places.collect() })
    }
}

impl Space for Phases {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome {
        judge(forked, run, self.pump)
    }

    fn strata(&self) -> Vec<String> {
        self.places.iter().map(|(_, name)| format!("dip in {name}")).collect()
    }

    fn len(&self) -> usize {
        self.places.len() * self.per_place
    }

    fn strike(&self, number: usize) -> Strike {
        let (stratum, step) = (number / self.per_place, number % self.per_place);
        let (place, ref name) = self.places[stratum];
        let by = self.step.times(step as u64);
        let at = place + by;
        let fault = Fault {
            id: "dip".to_owned(),
            kind: FaultKind::Sag(Level { to: self.dip.to }),
            place: Place::Supply,
            trigger: Trigger::At(at.since(SimTime::ZERO)),
            duration: Some(self.dip.lasts),
            repeat: None,
        };
        Strike { stratum, name: format!("dip in {name}, {by} ms on"), at, faults: vec![fault], ripe: None }
    }
}
