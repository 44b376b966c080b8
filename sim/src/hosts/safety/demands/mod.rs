//! What must go off, and since when: stops at inputs, silent senders, and other units that tripped.
//!
//! A *demand* is an instant from which outputs of a unit must go off within a limit of the configuration. Which outputs these are the
//! diagram tells, and no list: those that are driven and that the reference wants off in its next evaluation if what the demand is about
//! is OFF, and the others not. So an input that stops nothing, or only after a time of the diagram, makes no demand; a lamp that is lit
//! by a loss of radio is none of its outputs.
//!
//! Two ways lead to the answer, and both count. The *witness* of either CPU knows the state of the diagram; it knows it no longer once it
//! is in doubt. What is *forced* follows from the diagram alone, whatever its state: `And` of anything OFF is OFF ([`diagram`]).
//!
//! What has been OFF for long, and is held on by a state that nothing allowed, has no instant at which it begins: the diagram is followed by
//! what the devices show for that ([`settled`]).
//!
//! What a stop changes in memories and CAN entries is carried to the units that receive it, and further from there ([`carry`]). It is
//! asked as a device goes OFF, and once more of all devices that are OFF as outputs come on.

mod carry;
mod diagram;
mod settled;

use std::sync::Arc;

use bevy_ecs::prelude::World;
use safety_common::NODES_MOST;
use safety_common::configuration::Role;
use safety_common::fault::Fault;
use safety_common::radio;
use safety_common::signal::Signal;

use self::carry::carried;
pub use self::diagram::{Effect, Known};
pub(super) use self::settled::tell_settled;
pub use self::settled::{Off, Settled};
use super::core::Core;
use super::networks::Common;
use super::unit::Unit;
use super::watch::{CpuWatch, Watch};
use super::{Units, unit_of};
use crate::kernel::{SimTime, Span};
use crate::safety::binary::{Pin, Section};

/// So long before its time-out ends a silence is looked at: the witnesses are in doubt for the last 3 ms and a sixteenth of the lateness.
const BEFORE: Span = Span::from_millis(8);
/// A silent sender is noticed, its memories are evaluated and the outputs are switched in a tick each.
pub const TICKS: Span = Span::from_millis(3);
/// A tick of the slowest legal clock.
const TICK_MOST_US: u64 = 1_001;
/// Two slots of the slowest legal clock: what lasts for that is in a sample of each CPU, though a tick be longer than it should.
const TWO_SLOTS: Span = Span::from_micros(126);
/// Every type of input shows OFF within this time (`SAFETY.md`, section 11: nine ticks for the slowest), and a tick.
pub const SEEN: Span = Span::from_millis(10);
/// What a detected fault may take beyond the response time (SSR-044).
pub const FAULT_MORE: Span = Span::from_millis(500);

/// Why something must go off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An input group of a unit shows OFF.
    Stop {
        /// The unit, by its place in the scenario.
        unit: u8,
        /// Its group.
        group: u8,
    },
    /// Another unit found a fault in itself.
    Trip {
        /// That unit.
        unit: u8,
        /// Its place among the nodes of the network.
        node: u8,
        /// What it detected.
        fault: Fault,
        /// By which CPU, 1 or 2.
        cpu: u8,
    },
    /// The last good packet of a node.
    Silence {
        /// Its place among the nodes of the network.
        node: u8,
    },
}

/// Outputs that must go off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Since when.
    pub at: SimTime,
    /// Why.
    pub why: Why,
    /// Those that were driven then: pins and relays.
    pub what: (u16, u8),
    /// Within this time, by the configurations at work.
    pub within: Span,
    /// When none of them was driven any more.
    pub off: Option<SimTime>,
    /// When the device of a stop showed ON again, before all had to be off: nothing need go off any more. If it is OFF again so soon that
    /// nobody need have seen that, a stop that was seen goes on.
    pub ended: Option<SimTime>,
    /// Its device was OFF for so long, in one, that everybody must have seen it.
    pub was_seen: bool,
}

/// Another node of the network as heard by a unit, whatever its firmware makes of it.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The last good packet: when it had come, and its counter.
    good: Option<(SimTime, u64)>,
    /// Good packets that are on their way.
    coming: Vec<(SimTime, u64)>,
}

/// A good packet after another one.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// When the other one had come.
    since: SimTime,
    /// When it has come.
    at: SimTime,
    /// Whether the sender has started anew in between.
    anew: bool,
}

impl Sender {
    /// Nothing has come from it, and nothing is on its way.
    const fn was_never_heard(&self) -> bool {
        self.good.is_none() && self.coming.is_empty()
    }

    /// A packet will come at `at`.
    fn will_come(&mut self, at: SimTime, counter: u64) {
        let place = self.coming.partition_point(|(other, _)| *other <= at);
        self.coming.insert(place, (at, counter));
    }

    /// Takes what has come by `now`; of packets that are not ahead of those before them nobody takes anything. Gives the end of each
    /// silence.
    fn take(&mut self, now: SimTime) -> Vec<Heard> {
        let mut ended = Vec::new();
        let come = self.coming.partition_point(|(at, _)| *at <= now);
        for (at, counter) in self.coming.drain(..come) {
            if self.good.is_none_or(|(_, last)| counter > last) {
                let life = |counter: u64| counter >> radio::COUNTER_PACKET_BITS;
                ended.extend(self.good.map(|(since, last)| Heard { since, at, anew: life(counter) != life(last) }));
                self.good = Some((at, counter));
            }
        }
        ended
    }
}

/// The sender of a radio packet and its counter.
fn of_packet(packet: &[u8]) -> Option<(u8, u64)> {
    let sender = *packet.get(radio::at::SENDER)?;
    let counter = packet.get(radio::at::COUNTER..radio::at::COUNTER + 8)?;
    Some((sender, u64::from_le_bytes(counter.try_into().ok()?)))
}

impl Watch {
    /// What would go off at once: the diagram's answer. Something stays on where all witnesses say so, or where it is forced to.
    fn effect(&self, known: &Known) -> Effect {
        let inputs = self.cpus.iter().fold(u16::MAX, |all, cpu| all & cpu.tells.inputs);
        let mut effect = Effect::forced(self.section(), known, inputs);
        let mut on: Option<(u16, u8)> = None;
        for own in self.cpus.iter().filter_map(|cpu| cpu.witness.as_ref()?.effect(known)) {
            on = on.map_or(Some(own.on), |all| Some((all.0 & own.on.0, all.1 & own.on.1)));
            effect.add(own);
        }
        Effect { on: on.unwrap_or(effect.on), ..effect }
    }

    /// The pins of output groups, and relays.
    #[must_use]
    pub fn pins_of(&self, (groups, relays): (u16, u8)) -> (u16, u8) {
        let outputs = self.section().outputs.iter().enumerate();
        let outputs = outputs.filter(|(group, _)| groups >> group & 1 == 1);
        (outputs.fold(0, |bits, (_, group)| bits | group.pins), relays)
    }

    /// Of an effect the pins and relays that are driven now.
    fn driven_of(&self, effect: &Effect) -> (u16, u8) {
        let (pins, relays) = self.pins_of((effect.outputs, effect.relays));
        let (live, held) = self.now_driven();
        (pins & live, relays & held)
    }

    /// Pins and relays that a CPU wants on.
    fn wanted(&self) -> (u16, u8) {
        let any = |all: (u16, u8), cpu: &CpuWatch| (all.0 | cpu.tells.outputs, all.1 | cpu.tells.relays);
        self.pins_of(self.cpus.iter().fold((0, 0), any))
    }

    fn demand(&mut self, at: SimTime, why: Why, what: (u16, u8), within: Span) {
        if what != (0, 0) {
            self.demands.push(Demand { at, why, what, within, off: None, ended: None, was_seen: false });
        }
    }

    /// The part of `what` that no open demand of this kind is about.
    fn not_asked(&self, is_own: impl Fn(&Why) -> bool, (pins, relays): (u16, u8)) -> (u16, u8) {
        let open = self.demands.iter().filter(|one| is_own(&one.why) && one.off.is_none() && one.ended.is_none());
        open.fold((pins, relays), |(pins, relays), one| (pins & !one.what.0, relays & !one.what.1))
    }

    /// The device of a stop is OFF again: the stop goes on if it was ON for less than it takes to see that, and is over else.
    fn revive(&mut self, now: SimTime, why: Why) {
        let goes_on = |one: &&mut Demand| one.why == why && one.was_seen && one.ended.is_some_and(|at| at + SEEN > now);
        self.demands.iter_mut().filter(goes_on).for_each(|one| one.ended = None);
    }

    /// Other outputs are driven from now on: pins, relays.
    pub(super) fn meet_demands(&mut self, now: SimTime, pins: u16, relays: u8) {
        let met =
            |demand: &&mut Demand| demand.off.is_none() && demand.what.0 & pins == 0 && demand.what.1 & relays == 0;
        self.demands.iter_mut().filter(met).for_each(|demand| demand.off = Some(now));
    }

    /// A radio packet of another unit will come as it was sent; `of` is what that unit runs. Units of other networks say nothing.
    pub fn will_hear(&mut self, at: SimTime, packet: &[u8], of: &Common) {
        let is_peer = run_alike(self.common(), of);
        if let Some((number, counter)) = of_packet(packet).filter(|_| is_peer)
            && let Some(sender) = self.senders.get_mut(usize::from(number))
        {
            sender.will_come(at, counter);
        }
    }

    /// A tick begins: what rests on a sender that falls silent, while devices show OFF for longer than it takes to see that.
    pub fn judge_silence(&mut self, now: SimTime, inputs_off: u16) {
        let timeout = Span::from_millis(self.common().network.radio_timeout_ms.into());
        for node in 0..NODES_MOST {
            if self.senders[node].was_never_heard() {
                continue;
            }
            for heard in self.senders[node].take(now) {
                // A silence that ended before all had to be off demands nothing.
                let is_over = |one: &Demand| {
                    is_silence(one, heard.since, node) && one.off.is_none() && heard.at <= heard.since + one.within
                };
                self.demands.retain(|one| !is_over(one));
                if heard.anew && heard.at <= heard.since + timeout + TICKS {
                    self.end_trip(node, heard.at);
                }
            }
            let Some((since, _)) = self.senders[node].good else { continue };
            // What rests on the sender is looked at up to the time-out. What comes to rest on it later does so from then on.
            let is_over = now >= since + timeout;
            let is_known = self.demands.iter().any(|one| one.at >= since && is_silence_of(one, node));
            let half = Span::from_nanos(timeout.as_nanos() / 2);
            let is_near = now + BEFORE.min(half) >= since + timeout && !(is_over && is_known);
            if is_near && self.is_driven() {
                self.rests_on(inputs_off, if is_over { now } else { since }, (since, node), timeout);
            }
        }
    }

    /// A unit that had tripped is heard again before anybody could miss it: its memories need turn nothing off, its CAN entries may.
    fn end_trip(&mut self, node: usize, at: SimTime) {
        let is_it = |one: &Demand| {
            let is_of = matches!(one.why, Why::Trip { node: own, .. } if usize::from(own) == node);
            is_of && one.off.is_none() && one.at < at
        };
        if !self.demands.iter().any(is_it) {
            return;
        }
        let entries = self.common().network.nodes.get(node).map_or(0, |node| node.can_entries);
        let own = Known::nothing_of(self.section(), u8::try_from(node).unwrap_or(u8::MAX), entries);
        let by_can = Known { memories: Vec::new(), ..own };
        let on = if by_can.can.is_empty() { (u16::MAX, u8::MAX) } else { self.pins_of(self.effect(&by_can).on) };
        self.demands.retain_mut(|one| {
            if is_it(one) {
                one.what = (one.what.0 & !on.0, one.what.1 & !on.1);
            }
            one.what != (0, 0)
        });
    }

    /// Whether driven outputs rest on what a unit told before it fell silent, and need not be off at `end` yet.
    #[must_use]
    pub fn waits_for(&self, sender: &Unit, end: SimTime) -> bool {
        let (of, is_stopped) = (&sender.watch, |core: &Core| core.firmware.is_none() || core.is_halted());
        let is_silent = !sender.powered || !of.is_normal() || sender.cores.iter().any(is_stopped);
        let timeout = Span::from_millis(self.common().network.radio_timeout_ms.into());
        let heard = self.senders.get(of.common().own).and_then(|one| one.good);
        let is_due = heard.is_none_or(|(since, _)| end > since + timeout + TICKS);
        if !is_silent || is_due || !are_peers(of.common(), self.common()) {
            return false;
        }
        let own = nothing_of(self, of.common());
        self.driven_of(&self.effect(&own).followed(self.section(), &own)) != (0, 0)
    }

    /// The other nodes of which nothing was heard after this instant.
    fn silent_by(&self, last: SimTime) -> impl Iterator<Item = u8> {
        let nodes = (0u8..).zip(&self.senders).filter(|(node, _)| usize::from(*node) != self.common().own);
        nodes.filter(move |(_, sender)| sender.good.is_none_or(|(at, _)| at <= last)).map(|(node, _)| node)
    }

    /// The other nodes whose time-out was over so long before an instant.
    fn silent_at(&self, at: SimTime, before: Span) -> impl Iterator<Item = u8> {
        let timeout = Span::from_millis(self.common().network.radio_timeout_ms.into()) + before;
        self.silent_by(SimTime::from_nanos(at.as_nanos().saturating_sub(timeout.as_nanos())))
    }

    /// What is known where these nodes are silent: every memory of theirs is OFF.
    fn without(&self, known: Known, nodes: impl Iterator<Item = u8>) -> Known {
        nodes.fold(known, |mut all, node| {
            all.add(Known::nothing_of(self.section(), node, 0));
            all
        })
    }

    /// What rests on a node that is silent since then, as it is now: what all say that have been silent for as long is OFF as well.
    /// So it must go off `from` an instant on.
    fn rests_on(&mut self, inputs_off: u16, from: SimTime, (since, node): (SimTime, usize), timeout: Span) {
        let number = u8::try_from(node).unwrap_or(u8::MAX);
        let own = Known::nothing_of(self.section(), number, 0);
        if own.memories.is_empty() {
            return;
        }
        let known = self.without(Known { inputs_off, ..own.clone() }, self.silent_by(since));
        let is_known = self.demands.iter().any(|one| is_silence(one, since, node));
        let is_followed =
            self.cpus.iter().any(|cpu| cpu.witness.as_ref().is_some_and(|own| own.effect(&known).is_some()));
        if is_known && !is_followed {
            return;
        }
        let what = self.driven_of(&self.effect(&known).followed(self.section(), &own));
        self.demands.retain(|one| !(is_silence(one, from, node) && one.off.is_none()));
        self.demand(from, Why::Silence { node: number }, what, timeout + TICKS);
    }
}

/// Whether a demand is that of a node's silence since then.
fn is_silence(one: &Demand, since: SimTime, node: usize) -> bool {
    one.at == since && is_silence_of(one, node)
}

fn is_silence_of(one: &Demand, node: usize) -> bool {
    matches!(one.why, Why::Silence { node: own } if usize::from(own) == node)
}

/// Whether two units have the same configuration and release.
fn run_alike(one: &Common, other: &Common) -> bool {
    (one.hash, one.release_hash) == (other.hash, other.release_hash)
}

/// Whether two units can hear each other.
pub(super) fn are_peers(one: &Common, other: &Common) -> bool {
    run_alike(one, other) && one.own != other.own
}

/// Devices of a unit have changed: stops that begin, here and in the units that this one tells of it, and some that end.
pub(super) fn devices_changed(world: &mut World, now: SimTime, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let (off, on) = (std::mem::take(&mut one.watch.gone_off), std::mem::take(&mut one.watch.gone_on));
    let lasted = one.was_off_for;
    for group in (0..16u8).filter(|group| on >> group & 1 == 1) {
        end_stop(world, now, unit, group, lasted[usize::from(group)]);
    }
    for group in (0..16u8).filter(|group| off >> group & 1 == 1) {
        let why = Why::Stop { unit, group };
        for (at, reached) in (0u8..).zip(carried(world, now, unit, group)) {
            let Some(mut other) = unit_of(world, at) else { continue };
            other.watch.revive(now, why);
            for (what, within) in reached.off {
                let what = if at == unit { what } else { other.watch.not_asked(|own| *own == why, what) };
                other.watch.demand(now, why, what, within);
            }
        }
    }
}

/// Outputs of a unit may have come on: the devices that are OFF then, here and elsewhere, demand from that instant on what they would
/// have demanded before. What a fault alone turned on is none of it: no CPU wants it.
pub(super) fn came_on(world: &mut World, now: SimTime, unit: u8) {
    let Some((at, (pins, relays))) = unit_of(world, unit).and_then(|mut one| one.watch.came_on.take()) else { return };
    let entities = world.resource::<Units>().entities();
    let units = entities.iter().filter_map(|entity| world.get::<Unit>(*entity));
    let off: Vec<(u8, u8)> = units.flat_map(|one| one.groups_off().map(|group| (one.index, group))).collect();
    for (from, group) in off {
        let mut reached = carried(world, now, from, group);
        let (Some(own), Some(mut one)) = (reached.get_mut(usize::from(unit)), unit_of(world, unit)) else { continue };
        let wanted = one.watch.wanted();
        for (what, within) in own.off.drain(..) {
            let what = (what.0 & pins & wanted.0, what.1 & relays & wanted.1);
            one.watch.demand(at, Why::Stop { unit: from, group }, what, within);
        }
    }
}

/// Stops are asked about again while the unit need not have seen them: the diagram may have it, with what is seen by then, that nothing
/// goes off. So it is where one input of an `Or` goes ON as the other one goes OFF. An input of the unit itself is seen within [`SEEN`];
/// what other units tell may come in any order as long as its time is not over.
pub(super) fn ask_again(world: &mut World, now: SimTime, unit: u8) {
    let Some(one) = unit_of(world, unit) else { return };
    let is_young = |demand: &Demand| match demand.why {
        Why::Stop { unit: from, .. } => {
            now <= demand.at + if from == unit { SEEN.min(demand.within) } else { demand.within }
        }
        _ => false,
    };
    let young =
        |demand: &&Demand| demand.off.is_none() && demand.ended.is_none() && demand.at < now && is_young(demand);
    let mut asked: Vec<(u8, u8)> = Vec::new();
    for demand in one.watch.demands.iter().rev().filter(young) {
        if let Why::Stop { unit, group } = demand.why
            && !asked.contains(&(unit, group))
        {
            asked.push((unit, group));
        }
    }
    // What a unit that restarts told before counts until it tells something else.
    let mut units = world.resource::<Units>().entities().iter().filter_map(|entity| world.get::<Unit>(*entity));
    let all_talk = units.all(|one| one.watch.is_normal());
    for (from, group) in asked.into_iter().filter(|(from, _)| all_talk || *from == unit) {
        let on = carried(world, now, from, group).get(usize::from(unit)).map_or((0, 0), |reached| reached.on);
        let Some(mut one) = unit_of(world, unit) else { continue };
        let why = Why::Stop { unit: from, group };
        one.watch.demands.retain_mut(|demand| {
            if demand.why == why && demand.off.is_none() && demand.at < now && is_young(demand) {
                demand.what = (demand.what.0 & !on.0, demand.what.1 & !on.1);
            }
            demand.what != (0, 0)
        });
    }
}

/// A unit has come to normal mode and begins to tell the others of its devices: those that are OFF stop from now on.
pub(super) fn talks_again(world: &mut World, now: SimTime, unit: u8) {
    let Some(one) = unit_of(world, unit) else { return };
    let off: Vec<u8> = one.groups_off().collect();
    for group in off {
        let why = Why::Stop { unit, group };
        for (at, reached) in (0u8..).zip(carried(world, now, unit, group)).filter(|(at, _)| *at != unit) {
            let Some(mut other) = unit_of(world, at) else { continue };
            for (what, within) in reached.off {
                let what = other.watch.not_asked(|own| *own == why, what);
                other.watch.demand(now, why, what, within);
            }
        }
    }
}

/// A stop of this input group that lasts so long must have been seen by its own unit, by the types of its pins (`SAFETY.md`, section 6).
/// A static input is lost with the first sample, long pulses and dips within the second tick. Where ON and OFF differ in pulses alone,
/// or the pin is driven between its readings, it is the whole time that this type may take.
fn must_be_seen(section: &Section, group: u8) -> Span {
    use Signal::{A, B, C, D, High, InverseA, InverseB, InverseC, InverseD, Low, Ossd};
    let pins = section.inputs.get(usize::from(group)).map_or(0, |group| group.pins);
    let of_pin = |pin: &Pin| match (pin.on, pin.off) {
        _ if pin.role == Role::Combined => Span::from_micros(5 * TICK_MOST_US),
        (High, Low) | (Low, High) => TWO_SLOTS,
        (Ossd | A | B | C | D, Low) | (InverseA | InverseB | InverseC | InverseD, High) => {
            Span::from_micros(2 * TICK_MOST_US)
        }
        _ => SEEN,
    };
    let own = section.pins.iter().enumerate().filter(|(pin, _)| pins >> pin & 1 == 1);
    own.map(|(_, pin)| of_pin(pin)).max().unwrap_or(SEEN)
}

/// A device shows ON again. Who was to hear of its stop from another unit need not, if it was shorter than the time that this may take;
/// and its own unit need not have seen one that was shorter than its type of input takes.
fn end_stop(world: &mut World, now: SimTime, unit: u8, group: u8, lasted: Span) {
    let why = Why::Stop { unit, group };
    for entity in world.resource::<Units>().entities().to_vec() {
        let must_see = |other: &Unit| other.index == unit && lasted >= must_be_seen(other.watch.section(), group);
        let Some(mut other) = world.get_mut::<Unit>(entity).filter(|other| !must_see(other)) else { continue };
        let demands = &mut other.watch.demands;
        let is_over =
            |one: &&mut Demand| one.why == why && one.off.is_none() && one.ended.is_none() && now < one.at + one.within;
        for one in demands.iter_mut().filter(is_over) {
            // One that was too short to be seen never goes on.
            one.was_seen |= lasted >= SEEN;
            one.ended = Some(now);
        }
    }
}

/// A unit that has just found a fault in itself falls silent: what rests on it in others must go off, beside what they do not hear
/// any more by then.
pub(super) fn tell_trip(world: &mut World, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let Some((at, fault, cpu)) = one.watch.tripped_now.take() else { return };
    let common = one.watch.common().clone();
    let entities = world.resource::<Units>().entities().to_vec();
    let all = entities.iter().filter_map(|entity| world.get::<Unit>(*entity));
    let safe: Vec<Arc<Common>> = all.filter(|one| one.watch.is_safe()).map(|one| one.watch.common().clone()).collect();
    for entity in entities {
        let Some(mut other) = world.get_mut::<Unit>(entity).filter(|other| other.index != unit) else { continue };
        let inputs_off = other.off_for(at, SEEN);
        let watch = &mut other.watch;
        if !are_peers(&common, watch.common()) {
            continue;
        }
        let own = nothing_of(watch, &common);
        let mut known = Known { inputs_off, ..own.clone() };
        for peer in safe.iter().filter(|peer| are_peers(peer, watch.common())) {
            known.add(nothing_of(watch, peer));
        }
        let known = watch.without(known, watch.silent_at(at, Span::ZERO));
        let what = watch.driven_of(&watch.effect(&known).followed(watch.section(), &own));
        // What an earlier trip of that unit demands is not over with a later one.
        let what = watch.not_asked(|why| matches!(why, Why::Trip { unit: own, .. } if *own == unit), what);
        let within = Span::from_millis(watch.common().network.response_ms.into()) + FAULT_MORE;
        let node = u8::try_from(common.own).unwrap_or(u8::MAX);
        watch.demand(at, Why::Trip { unit, node, fault, cpu }, what, within);
    }
}

/// What a unit has of another one that says nothing any more.
fn nothing_of(watch: &Watch, of: &Common) -> Known {
    let entries = of.network.nodes.get(of.own).map_or(0, |node| node.can_entries);
    Known::nothing_of(watch.section(), u8::try_from(of.own).unwrap_or(u8::MAX), entries)
}
