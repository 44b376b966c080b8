//! What units made of each injection: who detected it and when, and when its outputs were off.
//!
//! A detection belongs to the one injection that can have led to it: at that unit, of a kind and at a place that lead to it, which had acted
//! by then and was not over for too long ([`leads`]). Where several can have, or none, it belongs to nobody. Of internal faults the first of
//! each life of the unit counts: the others follow from it.
//!
//! An off time is told where it is known what the outputs went off for, and that all of them did. Where something else may have turned
//! them off, or something may be on still, there is none.
//!
//! [`leads`]: super::leads

use safety_common::fault::Fault;

use super::super::Run;
use super::leads::{self, Age, Found};
use super::{fault_words, found, units};
use crate::faults::{Faults, Injection};
use crate::hosts::safety::demands::{Demand, Effect, TICKS, Why};
use crate::hosts::safety::off::WentOff;
use crate::hosts::safety::unit::Unit;
use crate::kernel::{Scoped, SimTime, Span};
use crate::scenario::{FaultKind, SafetyFault, Scenario, WireDefect};

/// A diagnostic may still find what was there so long ago: that of the logics' demands takes a second.
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
    /// Whether it, or another one, has led to something that was detected, and nobody knows which.
    pub may_have_led: bool,
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
    let (mut owned, mut unowned) = (Vec::new(), Vec::new());
    for unit in &units {
        let mut own = Vec::new();
        for (at, found) in firsts(unit) {
            match owner(unit, list, at, found) {
                Some(injection) => own.push(Owned { injection, at, found }),
                None => unowned.push((*unit, at, found)),
            }
        }
        owned.push(own);
    }
    let known = Known { units: &units, owned: &owned, unowned: &unowned, list, end: run.end };
    list.iter().enumerate().map(|(number, injection)| known.reaction(number, injection)).collect()
}

/// The injection that a detection of a unit belongs to.
pub(super) fn cause<'a>(run: &'a Run, unit: &Unit, (detected, fault): (SimTime, Fault)) -> Option<&'a Injection> {
    let list = &run.twin.world.resource::<Scoped<Faults>>().list;
    let its = firsts(unit).into_iter().filter(|(at, found)| (*at, found.fault) == (detected, fault));
    its.filter_map(|(at, found)| owner(unit, list, at, found)).find_map(|number| list.get(number))
}

/// The detections of a unit that do not follow from an internal fault before them.
fn firsts(unit: &Unit) -> Vec<(SimTime, Found)> {
    let all = found(unit);
    let follows = |at: SimTime| {
        let began = unit.watch.lives.of(at).unwrap_or_default();
        all.iter().any(|(other, found)| found.is_internal() && (began..at).contains(other))
    };
    all.iter().filter(|(at, _)| !follows(*at)).copied().collect()
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
    let since = match leads::age(one, found.fault) {
        Age::Any => SimTime::ZERO,
        Age::Start => {
            let booted = unit.watch.lives.booted(usize::from(found.cpu).saturating_sub(1), at);
            before(booted.unwrap_or_default(), REMEMBERED)
        }
        Age::Moment => before(at, REMEMBERED),
    };
    one.is_at(unit.node)
        && leads::can_lead_to(unit, one, found)
        && acted.is_some_and(|acted| acted <= at)
        && one.was_there(since, at)
        && (!one.is_of_the_supply() || !leads::needs_a_loss(found.fault) || may_have_cut(one, unit, at))
}

/// Whether it may have taken the power of a unit away by then.
fn may_have_cut(one: &Injection, unit: &Unit, by: SimTime) -> bool {
    one.possible_losses(unit.node).any(|lost| lost <= by)
}

/// So long before an instant.
fn before(at: SimTime, long: Span) -> SimTime {
    SimTime::from_nanos(at.as_nanos().saturating_sub(long.as_nanos()))
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
    /// Detections of all units that belong to no injection.
    unowned: &'a [(&'a Unit, SimTime, Found)],
    list: &'a [Injection],
    end: SimTime,
}

/// Outputs that went off for an injection: whether at a unit that it is at, and when.
type Gone = (bool, WentOff);

/// The injections that may have led to a silence.
#[derive(Debug, Default)]
struct Silencers {
    /// The one that has.
    known: Option<usize>,
    /// Those that may have, where nobody knows which of them has.
    may: Vec<usize>,
}

impl Known<'_> {
    fn reaction(&self, number: usize, injection: &Injection) -> Reaction {
        let Some(first) = injection.first else { return Reaction::default() };
        if let FaultKind::Safety(SafetyFault::InputOff(input)) = &injection.fault.kind {
            return self.stop(injection, input);
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
                    gone.push((is_local, self.detected_off(unit, injection, (one, &own), what)));
                }
                gone.extend(self.told(injection, unit, one));
                is_all_known &= self.units.len() == 1 || !concerns_others(unit, one.found);
            }
            if is_local && own.is_empty() {
                gone.extend(self.without_power(unit, injection).map(|off| (true, off)));
                if let Some((off, concerns_others)) = self.by_wire(unit, injection, first) {
                    gone.push((true, WentOff::At(off)));
                    is_all_known &= self.units.len() == 1 || !concerns_others;
                }
            }
            for demand in &unit.watch.demands {
                let Silencers { known, may } = self.silencers(unit, demand);
                if known == Some(number) {
                    gone.push((is_local, self.met(unit, demand)));
                }
                is_all_known &= !may.contains(&number);
            }
            // A silence that has not lasted for its time-out yet.
            let may_silence = leads::can_silence(injection) || !own.is_empty();
            is_all_known &=
                !(is_local && may_silence) || self.units.iter().all(|other| !other.watch.waits_for(unit, self.end));
        }
        let all_off = last(gone.iter().map(|(_, off)| *off)).filter(|_| is_all_known);
        let local_off = last(gone.iter().filter(|(is_local, _)| *is_local).map(|(_, off)| *off));
        let is_off = |off: &SimTime| !self.units.iter().any(|unit| is_held_up(unit, injection, *off));
        Reaction {
            detected: detected.map(|(at, fault)| (at, fault_words(fault))),
            local_off: local_off.filter(is_off),
            all_off: all_off.filter(is_off),
            may_have_led: self.unowned.iter().any(|(unit, at, found)| can_have_led(injection, unit, *at, *found)),
        }
    }

    /// A device that goes OFF is no fault: it is what the demands say that begin with it. One that comes again has the times of the first
    /// time that was told, and of the first that found something on.
    fn stop(&self, injection: &Injection, input: &str) -> Reaction {
        let at_it = |unit: &&&Unit| injection.is_at(unit.node);
        let Some(from) = self.units.iter().find(at_it) else { return Reaction::default() };
        let Some(group) = from.input_groups.iter().position(|name| name == input) else { return Reaction::default() };
        let told = |begin: SimTime| {
            let by = begin + Span::from_millis(from.watch.response_ms(begin));
            first_told_off(from, group, begin, by)
        };
        let is_own = |demand: &Demand| matches!(demand.why, Why::Stop { unit, group: own } if (unit, usize::from(own)) == (from.index, group));
        let of = |begin: SimTime| -> Vec<Gone> {
            let gone = self.units.iter().flat_map(|unit| {
                let own = unit.watch.demands.iter().filter(|demand| is_own(demand) && demand.at == begin);
                own.filter_map(|demand| Some((unit.index == from.index, self.asked(unit, demand)?)))
            });
            gone.collect()
        };
        let gone = injection.begins().map(of).find(|gone| !gone.is_empty()).unwrap_or_default();
        Reaction {
            detected: injection.begins().find_map(told).map(|at| (at, "stop".to_owned())),
            local_off: last(gone.iter().filter(|(is_local, _)| *is_local).map(|(_, off)| *off)),
            all_off: last(gone.iter().map(|(_, off)| *off)),
            may_have_led: false,
        }
    }

    /// When outputs of a unit were off for what it detected: then, or since the injection acted where they fell before. What falls with a
    /// voltage does so before that is beyond half of its way.
    fn detected_off(
        &self,
        unit: &Unit,
        injection: &Injection,
        (one, own): (&Owned, &[&Owned]),
        what: (u16, u8),
    ) -> WentOff {
        let began = injection.begins().filter(|began| *began <= one.at).max().unwrap_or_default();
        let acted = injection.first.unwrap_or_default();
        let life = unit.watch.lives.of(one.at).unwrap_or_default();
        let since = if injection.is_of_the_supply() { began } else { began.max(acted).max(life) };
        let off = self.went_off(unit, what, since, one.at);
        match off {
            WentOff::At(at) if at < one.at && is_asked_for(unit, what, (since, at), own) => WentOff::Never,
            _ => off,
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

    /// The same of a stop. One that ended before its time was over demands nothing: none unless all went off in time, or could yet.
    fn asked(&self, unit: &Unit, demand: &Demand) -> Option<WentOff> {
        let over = demand.at + demand.within;
        let is_in_time = demand.off.map_or(self.end <= over, |off| off <= over);
        (demand.ended.is_none() || is_in_time).then(|| self.met(unit, demand))
    }

    /// What went off at other units for what this one detected in itself.
    fn told(&self, injection: &Injection, from: &Unit, one: &Owned) -> Vec<Gone> {
        let is_own = |demand: &&Demand| {
            let Why::Trip { unit, cpu, .. } = demand.why else { return false };
            (unit, cpu, demand.at) == (from.index, one.found.cpu, one.at)
        };
        let others = self.units.iter().filter(|other| other.index != from.index);
        let gone = others.flat_map(|other| {
            let own = other.watch.demands.iter().filter(is_own);
            own.map(|demand| (injection.is_at(other.node), self.met(other, demand)))
        });
        gone.collect()
    }

    /// When outputs of a unit fell with its power, the first time that something was on.
    fn without_power(&self, unit: &Unit, injection: &Injection) -> Option<WentOff> {
        let mut fell = injection.losses(unit.node).map(|lost| self.went_off(unit, ALL, lost, lost));
        fell.find(|off| *off != WentOff::NothingOn)
    }

    /// When the wire of an input turned outputs of a unit off that nobody detected, and whether others are told of that input. Its CPUs must
    /// have told that it is OFF, and nothing else may have turned them off.
    fn by_wire(&self, unit: &Unit, injection: &Injection, first: SimTime) -> Option<(SimTime, bool)> {
        let pin = leads::wire_of(injection)?;
        let group = unit.watch.section().inputs.iter().position(|group| group.pins >> pin & 1 == 1)?;
        let (what, concerns_others) = of_input(unit, u8::try_from(group).ok()?);
        let by = first + Span::from_millis(unit.watch.response_ms(first));
        let told = first_told_off(unit, group, first, by)?;
        let off = unit.watch.driving.fell(what, first, by).filter(|off| *off >= told)?;
        if is_asked_for(unit, what, (injection.occurred?, off), &[]) {
            return None;
        }
        let off = unit.watch.contacts.off(first, off, what.1, self.end)?;
        Some((off, concerns_others))
    }

    /// The injections that can have led to a silence for which outputs of a unit had to go off. A unit in the safe state is silent for what
    /// led it there, if it was heard to the end.
    fn silencers(&self, unit: &Unit, demand: &Demand) -> Silencers {
        let Why::Silence { node } = demand.why else { return Silencers::default() };
        if demand.off.is_some_and(|off| off.since(demand.at) + TICKS < demand.within) {
            return Silencers::default();
        }
        let by = demand.off.unwrap_or(self.end);
        let is_sender = |own: &&Unit| own.watch.common().own == usize::from(node) && own.index != unit.index;
        let Some((from, owned)) = self.units.iter().zip(self.owned).find(|(own, _)| is_sender(own)) else {
            return Silencers::default();
        };
        let life = from.watch.lives.of(demand.at);
        let period = Span::from_millis(u64::from(from.watch.common().network.radio_period_ms));
        let can = |one: &Injection| {
            let is_then = if one.is_of_the_supply() {
                one.possible_losses(from.node).any(|at| (life.unwrap_or_default()..=by).contains(&at))
            } else {
                leads::can_silence(one) && one.was_there(before(demand.at, period), by)
            };
            one.is_at(from.node) && is_then && one.first.is_some_and(|first| first <= by)
        };
        let can = self.list.iter().enumerate().filter(|(_, one)| can(one)).map(|(number, _)| number);
        let mut may: Vec<usize> = can.collect();
        let tripped =
            |(at, found): &(SimTime, Found)| found.is_internal() && *at <= by && from.watch.lives.of(*at) >= life;
        if let Some((at, found)) = found(from).into_iter().find(tripped) {
            let owner = owned.iter().find(|one| (one.at, one.found) == (at, found)).map(|one| one.injection);
            let was_heard = at <= demand.at + period + period;
            may.retain(|one| Some(*one) != owner);
            if owner.is_some() && (was_heard || may.is_empty()) {
                return Silencers { known: owner, may: Vec::new() };
            }
            may.extend(owner);
            return Silencers { known: None, may };
        }
        match may[..] {
            [known] => Silencers { known: Some(known), may: Vec::new() },
            _ => Silencers { known: None, may },
        }
    }
}

/// When a CPU of a unit first told an input group OFF in this time.
fn first_told_off(unit: &Unit, group: usize, from: SimTime, by: SimTime) -> Option<SimTime> {
    let mut told = unit.watch.told_off.iter();
    told.find(|(at, own)| usize::from(*own) == group && (from..=by).contains(at)).map(|(at, _)| *at)
}

/// Whether something else than a fault with these detections may have turned outputs off in this time: a stop, another unit, another
/// detection.
fn is_asked_for(unit: &Unit, what: (u16, u8), (since, off): (SimTime, SimTime), own: &[&Owned]) -> bool {
    let shares = |other: (u16, u8)| other.0 & what.0 != 0 || other.1 & what.1 != 0;
    let is_then = |at: SimTime| (since..=off).contains(&at);
    let is_own = |at: SimTime, found: Found| own.iter().any(|one| (one.at, one.found) == (at, found));
    let demands = |one: &Demand| shares(one.what) && (is_then(one.at) || one.off.is_some_and(is_then));
    unit.watch.demands.iter().any(demands)
        || found(unit).iter().any(|(at, found)| is_then(*at) && shares(affected(unit, *found)) && !is_own(*at, *found))
}

/// Whether a short holds an output of a unit up at an instant though its transistor is off: to the supply, or to a pin that may be on.
fn is_held_up(unit: &Unit, injection: &Injection, now: SimTime) -> bool {
    let FaultKind::Safety(SafetyFault::Wire(hit)) = &injection.fault.kind else { return false };
    let outputs = unit.watch.section().outputs.iter().fold(0u16, |bits, group| bits | group.pins);
    let on = unit.watch.driving.at(now).0;
    let is_output = |pin: u8| outputs >> pin & 1 == 1;
    let may_be_on = |pin: u8| !is_output(pin) || on >> pin & 1 == 1;
    let is_held = match hit.is {
        WireDefect::ToSupply => is_output(hit.pin),
        WireDefect::ToPin(other) => {
            (is_output(hit.pin) && may_be_on(other)) || (is_output(other) && may_be_on(hit.pin))
        }
        WireDefect::Open | WireDefect::ToGround => false,
    };
    is_held && injection.is_at(unit.node) && injection.was_there(now, now)
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
