//! What units made of each injection: who detected it and when, and when its outputs were off.
//!
//! A detection belongs to the one injection that can have led to it: at that unit, of a kind and at a place that lead to it ([`leads`]),
//! which had acted by then and was not over for more than [`REMEMBERED`]. Where several can have, or none, it belongs to nobody. Of
//! internal faults the first of each life of the unit counts: the others follow from it.
//!
//! [`leads`]: super::leads

use safety_common::fault::{Fault, Reaction as Kind};

use super::super::Run;
use super::leads::{self, Found};
use super::{fault_words, found, units};
use crate::faults::{Faults, Injection};
use crate::hosts::safety::demands::{Demand, Effect, TICKS, Why};
use crate::hosts::safety::off::WentOff;
use crate::hosts::safety::unit::Unit;
use crate::kernel::{Scoped, SimTime, Span};
use crate::scenario::{FaultKind, SafetyFault, Scenario};

/// A diagnostic that watches the present may still find what was there so long ago: that of the logics' demands takes a second.
const REMEMBERED: Span = Span::from_secs(1);
/// All pins and relays of a unit.
const ALL: (u16, u8) = (u16::MAX, u8::MAX);

/// What became of an injection at the safety units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Reaction {
    /// When it was detected, and as what; a device that went OFF when a CPU first told so.
    pub detected: Option<(SimTime, String)>,
    /// When the outputs of the unit that it is at were off, and those of all units.
    pub local_off: Option<SimTime>,
    /// See `local_off`.
    pub all_off: Option<SimTime>,
}

/// A detection and the injection that it belongs to.
#[derive(Clone, Copy, Debug)]
struct Owned {
    injection: usize,
    at: SimTime,
    found: Found,
}

/// What became of each injection of the list.
pub(in super::super) fn reactions(scenario: &Scenario, run: &Run) -> Vec<Reaction> {
    let units: Vec<&Unit> = units(scenario, run).into_iter().map(|(_, unit)| unit).collect();
    let list = &run.twin.world.resource::<Scoped<Faults>>().list;
    let owned: Vec<Vec<Owned>> = units.iter().map(|unit| owned(unit, list)).collect();
    let known = Known { units: &units, owned: &owned, list, end: run.end };
    list.iter().enumerate().map(|(number, injection)| known.reaction(number, injection)).collect()
}

/// The injection that a detection of a unit belongs to.
pub(super) fn cause<'a>(run: &'a Run, unit: &Unit, (detected, fault): (SimTime, Fault)) -> Option<&'a Injection> {
    let list = &run.twin.world.resource::<Scoped<Faults>>().list;
    let own = owned(unit, list).into_iter().find(|one| (one.at, one.found.fault) == (detected, fault))?;
    list.get(own.injection)
}

/// The detections of a unit that belong to an injection.
fn owned(unit: &Unit, list: &[Injection]) -> Vec<Owned> {
    let all = found(unit);
    let is_internal = |found: &Found| found.fault.reaction() == Kind::SafeState;
    let follows = |at: SimTime| {
        let began = unit.watch.lives.of(at).unwrap_or_default();
        all.iter().any(|(other, found)| is_internal(found) && (began..at).contains(other))
    };
    let own = all.iter().filter(|(at, _)| !follows(*at));
    own.filter_map(|(at, found)| Some(Owned { injection: owner(unit, list, *at, *found)?, at: *at, found: *found }))
        .collect()
}

/// All injections that can have led to a detection.
pub(super) fn causes<'a>(
    run: &'a Run,
    unit: &Unit,
    (at, found): (SimTime, Found),
) -> impl Iterator<Item = &'a Injection> {
    let list = run.twin.world.resource::<Scoped<Faults>>().list.iter();
    list.filter(move |one| can_have_led(one, unit, at, found))
}

/// The one injection that can have led to a detection.
fn owner(unit: &Unit, list: &[Injection], at: SimTime, found: Found) -> Option<usize> {
    only(list.iter().enumerate().filter(|(_, one)| can_have_led(one, unit, at, found)).map(|(number, _)| number))
}

fn can_have_led(one: &Injection, unit: &Unit, at: SimTime, found: Found) -> bool {
    // The voltage of a supply has left its limits before it is beyond half of its way.
    let acted = if one.is_of_the_supply() { one.occurred } else { one.first };
    let is_recent = leads::may_be_old(found.fault) || one.over() + REMEMBERED >= at;
    one.is_at(unit.node) && leads::can_lead_to(one, found) && acted.is_some_and(|acted| acted <= at) && is_recent
}

/// The first if it is the only one.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next();
    first.filter(|_| all.next().is_none())
}

/// What a run knows of its units and injections.
struct Known<'a> {
    units: &'a [&'a Unit],
    /// By unit.
    owned: &'a [Vec<Owned>],
    list: &'a [Injection],
    end: SimTime,
}

/// Outputs that went off for an injection: whether at a unit that it is at, and when.
type Gone = (bool, WentOff);

impl Known<'_> {
    fn reaction(&self, number: usize, injection: &Injection) -> Reaction {
        let (Some(occurred), Some(first)) = (injection.occurred, injection.first) else { return Reaction::default() };
        if let FaultKind::Safety(SafetyFault::InputOff(input)) = &injection.fault.kind {
            return self.stop(injection, input, occurred);
        }
        let mut gone: Vec<Gone> = Vec::new();
        let mut detected: Option<(SimTime, Fault)> = None;
        let mut is_all_known = true;
        for (unit, owned) in self.units.iter().zip(self.owned) {
            let is_local = injection.is_at(unit.node);
            let own = in_its_first_life(unit, owned.iter().filter(|one| one.injection == number));
            for one in &own {
                if detected.is_none_or(|(at, _)| one.at < at) {
                    detected = Some((one.at, one.found.fault));
                }
                // What is found again, after it was switched on once more, is not what it led to first.
                let what = affected(unit, one.found);
                let first_of_these = own.iter().find(|other| affected(unit, other.found) == what);
                if first_of_these.is_some_and(|first| first.at == one.at) {
                    gone.push((is_local, self.went_off(unit, what, occurred, one.at)));
                }
                gone.extend(self.told(injection, unit, one));
                is_all_known &= self.units.len() == 1 || !concerns_others(unit, one.found);
            }
            if is_local && own.is_empty() {
                gone.extend(self.undetected(unit, injection, (occurred, first)).map(|off| (true, off)));
            }
            let silences = unit.watch.demands.iter().filter(|demand| self.silenced_by(unit, demand) == Some(number));
            gone.extend(silences.map(|demand| (is_local, self.met(unit, demand))));
        }
        let all_off = last(gone.iter().map(|(_, off)| *off)).filter(|_| is_all_known);
        let local_off = last(gone.iter().filter(|(is_local, _)| *is_local).map(|(_, off)| *off));
        Reaction { detected: detected.map(|(at, fault)| (at, fault_words(fault))), local_off, all_off }
    }

    /// A device that goes OFF is no fault: it is what the demands say that begin with it.
    fn stop(&self, injection: &Injection, input: &str, occurred: SimTime) -> Reaction {
        let at_it = |unit: &&&Unit| injection.is_at(unit.node);
        let Some(from) = self.units.iter().find(at_it) else { return Reaction::default() };
        let Some(group) = from.input_groups.iter().position(|name| name == input) else { return Reaction::default() };
        let is_own = |demand: &&Demand| {
            let is_it =
                matches!(demand.why, Why::Stop { unit, group: own } if (unit, usize::from(own)) == (from.index, group));
            is_it && demand.at == occurred && demand.ended.is_none()
        };
        let gone = self.units.iter().flat_map(|unit| {
            let own = unit.watch.demands.iter().filter(is_own);
            own.map(|demand| (unit.index == from.index, self.met(unit, demand)))
        });
        let gone: Vec<Gone> = gone.collect();
        let mut told = from.watch.told_off.iter();
        let told = told.find(|(at, own)| usize::from(*own) == group && *at >= occurred && !gone.is_empty());
        Reaction {
            detected: told.map(|(at, _)| (*at, "stop".to_owned())),
            local_off: last(gone.iter().filter(|(is_local, _)| *is_local).map(|(_, off)| *off)),
            all_off: last(gone.iter().map(|(_, off)| *off)),
        }
    }

    /// When outputs of a unit went off by the contacts of the relays as well.
    fn went_off(&self, unit: &Unit, what: (u16, u8), since: SimTime, by: SimTime) -> WentOff {
        match unit.watch.driving.went_off(what, since, by) {
            WentOff::At(off) => {
                unit.watch.contacts.off(since, off, what.1, self.end).map_or(WentOff::Never, WentOff::At)
            }
            other => other,
        }
    }

    fn met(&self, unit: &Unit, demand: &Demand) -> WentOff {
        let off = demand.off.and_then(|off| unit.watch.contacts.off(demand.at, off, demand.what.1, self.end));
        off.map_or(WentOff::Never, WentOff::At)
    }

    /// What went off at other units for what this one detected in itself.
    fn told(&self, injection: &Injection, from: &Unit, one: &Owned) -> Vec<Gone> {
        let is_own = |demand: &&Demand| {
            let Why::Trip { unit, cpu, .. } = demand.why else { return false };
            (unit, cpu, demand.at) == (from.index, one.found.cpu, one.at) && demand.ended.is_none()
        };
        let others = self.units.iter().filter(|other| other.index != from.index);
        let gone = others.flat_map(|other| {
            let own = other.watch.demands.iter().filter(is_own);
            own.map(|demand| (injection.is_at(other.node), self.met(other, demand)))
        });
        gone.collect()
    }

    /// What went off at a unit for what nobody there detected: without power, or as the wire of an input told it to.
    fn undetected(&self, unit: &Unit, injection: &Injection, (occurred, first): (SimTime, SimTime)) -> Option<WentOff> {
        if injection.is_of_the_supply() {
            let down = unit.watch.lives.was_down(occurred, injection.over())?;
            return Some(self.went_off(unit, ALL, occurred, down));
        }
        let pin = leads::wire_of(injection)?;
        let group = unit.watch.section().inputs.iter().position(|group| group.pins >> pin & 1 == 1)?;
        let what = of_input(unit, u8::try_from(group).ok()?).0;
        let by = first + Span::from_millis(unit.watch.response_ms(first));
        // With a stop at the same time nobody knows what they went off for.
        let is_asked = |demand: &Demand| matches!(demand.why, Why::Stop { .. }) && (occurred..=by).contains(&demand.at);
        let off = self.went_off(unit, what, first, by);
        let is_in_time = matches!(off, WentOff::At(at) if at <= by);
        (is_in_time && !unit.watch.demands.iter().any(is_asked)).then_some(off)
    }

    /// The one injection that can have led to a silence for which outputs of a unit had to go off.
    fn silenced_by(&self, unit: &Unit, demand: &Demand) -> Option<usize> {
        let Why::Silence { node } = demand.why else { return None };
        let off = demand.off.filter(|off| off.since(demand.at) + TICKS >= demand.within)?;
        let is_sender = |own: &&Unit| own.watch.common().own == usize::from(node) && own.index != unit.index;
        let (from, owned) = self.units.iter().zip(self.owned).find(|(own, _)| is_sender(own))?;
        let tripped = |number: usize| owned.iter().any(|one| one.injection == number && one.at <= off);
        let can = |number: usize, one: &Injection| {
            let is_then = one.first.is_some_and(|first| first <= off) && one.over() >= demand.at;
            one.is_at(from.node) && (tripped(number) || (leads::can_silence(one) && is_then))
        };
        only(self.list.iter().enumerate().filter(|(number, one)| can(*number, one)).map(|(number, _)| number))
    }
}

/// Of the detections of a unit those in the life of the first.
fn in_its_first_life<'a>(unit: &Unit, own: impl Iterator<Item = &'a Owned>) -> Vec<&'a Owned> {
    let life = |one: &Owned| unit.watch.lives.of(one.at);
    let mut own: Vec<&Owned> = own.collect();
    let first = own.first().map(|one| life(one));
    own.retain(|one| Some(life(one)) == first);
    own
}

/// The outputs of a unit that are to be off for what it found, and whether others are told of it.
fn of_input(unit: &Unit, group: u8) -> ((u16, u8), bool) {
    let effect = Effect::of_input(unit.watch.section(), group);
    (unit.watch.pins_of((effect.outputs, effect.relays)), !effect.memories.is_empty() || !effect.can.is_empty())
}

/// The outputs that are to be off for what a unit found.
fn affected(unit: &Unit, found: Found) -> (u16, u8) {
    let detail = u8::try_from(found.detail).unwrap_or(u8::MAX);
    match found.fault {
        Fault::InputDiscrepancy | Fault::InputSignal => of_input(unit, detail).0,
        Fault::OutputWiring | Fault::OssdShort => {
            let mut groups = unit.watch.section().outputs.iter().map(|group| group.pins);
            (groups.find(|pins| pins >> detail.min(15) & 1 == 1).unwrap_or(0), 0)
        }
        _ => ALL,
    }
}

/// Whether what a unit found at an input changes what it tells others: when their outputs go off for it nobody measures.
fn concerns_others(unit: &Unit, found: Found) -> bool {
    let is_of_input = matches!(found.fault, Fault::InputDiscrepancy | Fault::InputSignal);
    is_of_input && of_input(unit, u8::try_from(found.detail).unwrap_or(u8::MAX)).1
}

/// When the last of all was off; none where nothing was on, or something stayed on.
fn last(offs: impl Iterator<Item = WentOff>) -> Option<SimTime> {
    let on = offs.filter(|off| *off != WentOff::NothingOn);
    let times: Option<Vec<SimTime>> = on.map(|off| if let WentOff::At(at) = off { Some(at) } else { None }).collect();
    times?.into_iter().max()
}
