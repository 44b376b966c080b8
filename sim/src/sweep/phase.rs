//! The sweep of a supply dip over tick phases: the same dip at each microsecond of a millisecond, in every phase.
//!
//! Boards sample their supply each millisecond and their timers tick in tens of microseconds; where in a tick a dip
//! begins and ends decides who notices it first. Each phase of the try is struck half way to the next one.

use super::engine::{Space, Strike};
use super::fork::{Slot, Trunk};
use super::survey::Survey;
use crate::kernel::{SimTime, Span};
use crate::scenario::quantity::Voltage;
use crate::scenario::{Fault, FaultKind, Level, Loaded, Place, Problem, Trigger};

/// Boards sample their supply so often.
const TICK: Span = Span::from_millis(1);
/// Two dips of one phase are so far apart.
const STEP: Span = Span::from_micros(1);

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
    /// Where each phase of the try is struck, and its name.
    places: Vec<(SimTime, String)>,
}

impl Phases {
    /// Sees the phases of the update of `pump`.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(base: &Loaded, pump: u8, survey: &Survey, dip: Dip) -> Result<Self, Vec<Problem>> {
        let trunk = Trunk::new(base, &[Slot::Time])?;
        let phases: Vec<_> = survey.steps.iter().filter(|step| step.name.starts_with("phase ")).collect();
        let ends = phases.iter().skip(1).map(|next| next.at).chain(survey.over);
        let half = |from: SimTime, to: SimTime| from + Span::from_nanos(to.since(from).as_nanos() / 2);
        let places = phases.iter().zip(ends).map(|(phase, end)| (half(phase.at, end), phase.name.clone()));
        Ok(Self { trunk, pump, dip, places: places.collect() })
    }

    /// Phases of one tick.
    fn per_place() -> usize {
        (TICK.as_nanos() / STEP.as_nanos()) as usize
    }
}

impl Space for Phases {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn pump(&self) -> u8 {
        self.pump
    }

    fn strata(&self) -> Vec<String> {
        self.places.iter().map(|(_, name)| format!("dip in {name}")).collect()
    }

    fn len(&self) -> usize {
        self.places.len() * Self::per_place()
    }

    fn strike(&self, number: usize) -> Strike {
        let (stratum, step) = (number / Self::per_place(), number % Self::per_place());
        let (place, ref name) = self.places[stratum];
        let at = place + STEP.times(step as u64);
        let fault = Fault {
            id: "dip".to_owned(),
            kind: FaultKind::Sag(Level { to: self.dip.to }),
            place: Place::Supply,
            trigger: Trigger::At(at.since(SimTime::ZERO)),
            duration: Some(self.dip.lasts),
            repeat: None,
        };
        Strike { stratum, name: format!("dip in {name}, {step} us on"), at, faults: vec![fault], ripe: None }
    }
}
