//! The sweep of power cuts: around every flash operation of one update, and at every step of its protocol.
//!
//! At a flash operation the pump's power is gone before it, in its middle and after it; at a step of the protocol the
//! pump's, the CIOC's, or everybody's. Power comes back at a full second, at least the outage later, so that strikes
//! that leave the same behind go on at the same times and can be merged.

use rand::RngExt as _;

use super::engine::{Ripe, Space, Strike};
use super::fork::{Slot, Trunk};
use super::judge::{Outcome, judge};
use super::survey::{Survey, erases};
use crate::event::Twin;
use crate::hosts::flash::Operation;
use crate::kernel::{SimTime, Span, stream};
use crate::run::Run;
use crate::scenario::{Fault, FaultKind, FlashAction, FlashOperation, Loaded, Moment, Place, Problem, Trigger};

/// How long power stays away at least, and at which multiple of what it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// At least so long.
    pub least: Span,
    /// Power comes back at a multiple of this.
    pub grid: Span,
}

impl Default for Outage {
    fn default() -> Self {
        Self { least: Span::from_secs(1), grid: Span::from_secs(1) }
    }
}

impl Outage {
    /// How long power stays away if it goes at `gone`.
    fn from(self, gone: SimTime) -> Span {
        let (least, grid) = ((gone + self.least).as_nanos(), self.grid.as_nanos().max(1));
        SimTime::from_nanos(least.div_ceil(grid) * grid).since(gone)
    }
}

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Middle, Moment::After];
/// A word for a victim, and the place of a fault at it when pump so and so is updated.
type Victim = (&'static str, fn(u8) -> Place);

/// Who loses its power at a step of the protocol.
const VICTIMS: [Victim; 3] =
    [("pump", |pump| Place::Pump(pump)), ("CIOC", |_| Place::Cioc), ("everybody", |_| Place::Supply)];

/// Where one cut is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// At the operation of this index, at the moment of that index.
    Operation(u32, u8),
    /// At the step of this index, for the victim of that index.
    Step(u32, u8),
}

/// Every power cut of one update.
pub struct PowerCuts {
    trunk: Trunk,
    pump: u8,
    survey: Survey,
    outage: Outage,
    hold_up: Span,
    /// In the order of their forks.
    cuts: Vec<(SimTime, Cut)>,
}

impl PowerCuts {
    /// Sees what there is to cut in the update of `pump`.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(base: &Loaded, pump: u8, survey: Survey, outage: Outage) -> Result<Self, Vec<Problem>> {
        let trunk = Trunk::new(base, &[Slot::flash_operations(pump)])?;
        let mut all = Self { trunk, pump, survey, outage, hold_up: base.scenario.supply.hold_up, cuts: Vec::new() };
        all.cuts = all.list();
        Ok(all)
    }

    /// The same with a defect that a test plants in each twin, to see whether the sweep finds it.
    #[must_use]
    pub fn planted(self, plant: fn(&mut Twin)) -> Self {
        Self { trunk: self.trunk.planted(plant), ..self }
    }

    fn list(&self) -> Vec<(SimTime, Cut)> {
        let operations = self.survey.operations.iter().zip(0_u32..);
        let at_operations =
            operations.flat_map(|(operation, index)| [0, 1, 2].map(|m| (operation.begun, Cut::Operation(index, m))));
        let steps = self.survey.steps.iter().zip(0_u32..);
        let at_steps = steps.flat_map(|(step, index)| [0, 1, 2].map(|v| (self.begins(step.at), Cut::Step(index, v))));
        let mut cuts: Vec<_> = at_operations.chain(at_steps).collect();
        cuts.sort();
        cuts
    }

    /// When a cut begins whose victims are to be off at `gone`, once their hold-up has run out.
    fn begins(&self, gone: SimTime) -> SimTime {
        SimTime::from_nanos(gone.as_nanos().saturating_sub(self.hold_up.as_nanos()))
    }

    fn at_operation(&self, operation: &Operation, index: u32, moment: &Moment) -> Fault {
        let duration = operation.ends.since(operation.begun);
        let gone = match moment {
            Moment::Before => operation.begun,
            Moment::Middle => operation.begun + Span::from_nanos(duration.as_nanos() / 2),
            Moment::After => operation.ends,
        };
        let trigger = Trigger::FlashOperation(FlashOperation {
            pump: self.pump,
            nth: index + 1,
            operation: FlashAction::Any,
            moment: moment.clone(),
        });
        cut(Place::Pump(self.pump), trigger, self.outage.from(gone))
    }

    fn strike_of(&self, at: SimTime, cut: Cut) -> Option<Strike> {
        match cut {
            Cut::Operation(index, moment) => {
                let operation = self.survey.operations.get(index as usize)?;
                let last = self.survey.operations.len() - 1 == index as usize;
                let m = usize::from(moment);
                let moment = MOMENTS.get(m)?;
                let kind = if erases(operation) { 0 } else { 1 + usize::from(last) };
                let name = format!("{moment:?} flash operation {}", index + 1);
                let faults = vec![self.at_operation(operation, index, moment)];
                let ripe = Some(self.ripe(u64::from(index) + 1));
                Some(Strike { stratum: kind * 3 + m, name, at, faults, ripe })
            }
            Cut::Step(index, victim) => {
                let step = self.survey.steps.get(index as usize)?;
                let v = usize::from(victim);
                let (who, place) = VICTIMS.get(v)?;
                let name = format!("{who} at {}", step.name);
                let trigger = Trigger::At(at.since(SimTime::ZERO));
                let faults = vec![self::cut(place(self.pump), trigger, self.outage.from(at))];
                let ripe = Some(self.ripe(self.survey.operations_until(step.at)));
                Some(Strike { stratum: 9 + v, name, at, faults, ripe })
            }
        }
    }

    /// The next try has erased all sectors.
    fn ripe(&self, before: u64) -> Ripe {
        Ripe::Operations { pump: self.pump, count: before + u64::from(pump::flash_map::SECTORS) }
    }
}

/// Two cuts in a row: one at a flash operation, and one at an operation of the try that follows.
pub struct TwoCuts {
    first: PowerCuts,
    trunk: Trunk,
    /// Both cuts of each pair, in the order of the first ones: operation and moment.
    pairs: Vec<[(u32, u8); 2]>,
}

impl TwoCuts {
    /// Draws `count` pairs: the first cut at an erase in half of them, and the second, too.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(
        base: &Loaded,
        pump: u8,
        survey: Survey,
        outage: Outage,
        count: usize,
        seed: u64,
    ) -> Result<Self, Vec<Problem>> {
        let slot = || Slot::flash_operations(pump);
        let trunk = Trunk::new(base, &[slot(), slot()])?;
        let first = PowerCuts::new(base, pump, survey, outage)?;
        let mut random = stream(seed, "two cuts");
        let erases = u32::from(pump::flash_map::SECTORS);
        let all = u32::try_from(first.survey.operations.len()).unwrap_or(u32::MAX);
        let mut draw = |erase: bool| {
            let index = if erase { random.random_range(0..erases) } else { random.random_range(erases..all) };
            (index, random.random_range(0..3_u8))
        };
        let mut pairs: Vec<_> = (0..count).map(|pair| [draw(pair % 2 == 0), draw(pair % 4 < 2)]).collect();
        pairs.sort_unstable();
        Ok(Self { first, trunk, pairs })
    }

    fn is_erase(&self, index: u32) -> bool {
        self.first.survey.operations.get(index as usize).is_some_and(erases)
    }
}

impl Space for TwoCuts {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome {
        judge(forked, run, self.first.pump)
    }

    fn strata(&self) -> Vec<String> {
        let kinds = ["a program", "an erase"];
        kinds
            .iter()
            .flat_map(|first| kinds.map(|second| format!("at {first}, then at {second} of the next try")))
            .collect()
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn size(&self) -> u128 {
        let cuts = self.first.survey.operations.len() as u128 * MOMENTS.len() as u128;
        cuts * cuts
    }

    fn strike(&self, number: usize) -> Strike {
        let [(first, first_moment), (second, second_moment)] = self.pairs[number];
        let operation = &self.first.survey.operations[first as usize];
        let [one, two] = [first_moment, second_moment].map(|moment| &MOMENTS[usize::from(moment)]);
        // The first cut lets its own operation count; the next try's begin after it.
        let nth = first + 1 + second;
        let mut faults =
            vec![self.first.at_operation(operation, first, one), self.first.at_operation(operation, nth, two)];
        for (fault, id) in faults.iter_mut().zip(["first cut", "second cut"]) {
            id.clone_into(&mut fault.id);
        }
        faults[1].duration = Some(self.first.outage.least);
        let stratum = usize::from(self.is_erase(first)) * 2 + usize::from(self.is_erase(second));
        let name =
            format!("{one:?} flash operation {}, then {two:?} operation {} of the next try", first + 1, second + 1);
        Strike { stratum, name, at: operation.begun, faults, ripe: None }
    }
}

fn cut(place: Place, trigger: Trigger, duration: Span) -> Fault {
    Fault { id: "cut".to_owned(), kind: FaultKind::PowerCut, place, trigger, duration: Some(duration), repeat: None }
}

impl Space for PowerCuts {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome {
        judge(forked, run, self.pump)
    }

    fn strata(&self) -> Vec<String> {
        let operations = ["an erase", "a program", "the marker's program"];
        let moments = ["before", "in the middle of", "after"];
        let around = operations.iter().flat_map(|what| moments.map(|moment| format!("{moment} {what}")));
        around.chain(VICTIMS.iter().map(|(who, _)| format!("{who} at a protocol step"))).collect()
    }

    fn len(&self) -> usize {
        self.cuts.len()
    }

    fn strike(&self, number: usize) -> Strike {
        let (at, cut) = self.cuts[number];
        self.strike_of(at, cut).expect("every cut of the list was seen")
    }
}
