//! Forks: one undisturbed run, and at any instant of it a run with a fault of its own.
//!
//! A twin is built with *slots*: faults that wait for a condition that never comes true. A snapshot of such a *trunk*,
//! loaded and given a real fault in the slot's place, is the twin of the scenario that states this fault, at that
//! instant: both runs end with the same fingerprint. So every fork is described by a scenario file in ordinary words.

use embedded_can::{Id, StandardId};

use crate::event::Twin;
use crate::faults::{self, PutError};
use crate::measure::Measures;
use crate::scenario::words::CanId;
use crate::scenario::{
    Fault, FaultKind, FlashAction, FlashOperation, FrameCount, GivenNames, Loaded, Moment, Place, Problem, Scenario,
    Trigger,
};
use crate::twin;

/// More than any condition counts to: the largest number that a scenario may state.
const NEVER: u32 = 4_000_000_000;

/// What a slot's condition counts, so that a fault put in its place can go on counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing: only faults at a time fit in. The scenario has a campaign.
    Time,
    /// Nothing, also in a scenario without a campaign.
    TimeAlone,
    /// This condition, whatever number it names.
    Counting(Trigger),
}

impl Slot {
    /// For faults at a flash operation of this pump.
    #[must_use]
    pub fn flash_operations(pump: u8) -> Self {
        let moment = Moment::Before;
        Self::Counting(Trigger::FlashOperation(FlashOperation {
            pump,
            nth: NEVER,
            operation: FlashAction::Any,
            moment,
        }))
    }

    fn trigger(&self) -> Trigger {
        match self.clone() {
            Self::Time => Self::flash_operations(1).trigger(),
            Self::TimeAlone => {
                Trigger::Frame(FrameCount { id: CanId::from(Id::Standard(StandardId::MAX)), nth: NEVER })
            }
            Self::Counting(Trigger::FlashOperation(counted)) => {
                Trigger::FlashOperation(FlashOperation { nth: NEVER, ..counted })
            }
            Self::Counting(Trigger::ProtocolStep(mut step)) => {
                step.nth = NEVER;
                Trigger::ProtocolStep(step)
            }
            Self::Counting(Trigger::Frame(mut frame)) => {
                frame.nth = NEVER;
                Trigger::Frame(frame)
            }
            Self::Counting(other) => other,
        }
    }
}

/// A scenario whose run can be forked.
#[derive(Clone, Debug)]
pub struct Trunk {
    base: Loaded,
    /// The scenario with its slots.
    scenario: Scenario,
    plant: Option<fn(&mut Twin)>,
}

impl Trunk {
    /// The trunk of `base` with these slots behind the scenario's own faults.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(base: &Loaded, slots: &[Slot]) -> Result<Self, Vec<Problem>> {
        let waiting = slots.iter().enumerate().map(|(number, slot)| Fault {
            id: format!("slot-{}", number + 1),
            kind: FaultKind::PowerCut,
            place: Place::Pump(1),
            trigger: slot.trigger(),
            duration: None,
            repeat: None,
        });
        let scenario = with_faults(&base.scenario, &base.scenario.name, waiting)?;
        Ok(Self { base: base.clone(), scenario, plant: None })
    }

    /// The same with a defect that a test plants in each twin, to see whether a sweep finds it.
    #[must_use]
    pub fn planted(self, plant: fn(&mut Twin)) -> Self {
        Self { plant: Some(plant), ..self }
    }

    /// The scenario without the slots.
    #[must_use]
    pub fn base(&self) -> &Loaded {
        &self.base
    }

    /// The scenario with the slots.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// A twin at time 0, its slots waiting.
    #[must_use]
    pub fn twin(&self) -> Twin {
        self.prepared(twin::build(&self.scenario, self.base.image.as_deref()))
    }

    fn prepared(&self, mut twin: Twin) -> Twin {
        if let Some(plant) = self.plant {
            plant(&mut twin);
        }
        twin
    }

    /// The twin at time 0 with an observer that is shown every record.
    #[must_use]
    pub fn twin_recorded(&self, recorder: twin::Recorder) -> Twin {
        self.prepared(twin::build_recorded(&self.scenario, self.base.image.as_deref(), Some(recorder)))
    }

    /// The scenario, called `name`, that states `faults` instead of the slots.
    ///
    /// # Errors
    /// If it makes no sense; then why.
    pub fn forked(&self, name: &str, faults: &[Fault]) -> Result<Loaded, Vec<Problem>> {
        let mut forked = self.base.clone();
        forked.scenario = with_faults(&self.base.scenario, name, faults.iter().cloned())?;
        Ok(forked)
    }

    /// Makes `twin`, which runs this trunk, the twin of `forked` at the same instant.
    ///
    /// # Errors
    /// If it would not be that; the twin is of no further use.
    pub fn put(&self, twin: &mut Twin, forked: &Scenario) -> Result<(), PutError> {
        let own = self.base.scenario.faults.len();
        let slots = self.scenario.faults.len();
        if forked.faults.len() != slots {
            return Err(PutError::NoPlace(forked.faults.len()));
        }
        (own..slots).try_for_each(|number| faults::put(twin, forked, number))?;
        twin.world.resource_mut::<Measures>().journal.rename(GivenNames::of(forked));
        Ok(())
    }
}

/// `scenario` under another name and with more faults.
fn with_faults(
    scenario: &Scenario,
    name: &str,
    more: impl IntoIterator<Item = Fault>,
) -> Result<Scenario, Vec<Problem>> {
    let mut raw = (**scenario).clone();
    name.clone_into(&mut raw.name);
    raw.faults.extend(more);
    raw.check()
}
