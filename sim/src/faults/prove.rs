//! Proofs by what the target or the bus showed, for faults whose own setting proves nothing.
//!
//! | Fault | Proven by |
//! |---|---|
//! | power cut, feed off | a node of the place lost its power or lived on its hold-up; or stays dark though another cut is over |
//! | sag, ramp, over-voltage, bounce | a node with power measured a voltage beyond half of the way to the level asked for |
//! | unplugged, open bus, controller stopped | a node with power did not take a frame that it would have taken without the fault |
//! | line stuck | an error frame that was detected on that line since it is stuck, or error counters that rose since then |
//! | hang | a CPU that runs and stands still; one that boots meanwhile stands still from its start on |
//! | clock drift | a CPU that runs shows another time than its own clock would show, by a tick of its timer or more |
//!
//! So a fault at a node that has no power while it lasts has not acted, and its run is inconclusive.

use bevy_ecs::prelude::World;

use super::Injection;
use super::act::{Setting, switched};
use crate::bus::{Bus, BusRecord, LinkState, Medium};
use crate::hosts::cpu::Cpu;
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::power::{self, Branch, PowerRecord};
use crate::record::Record;
use crate::scenario::{FaultKind, Place};

/// A clock that the timer reads without granularity is read to the microsecond.
const FINEST_TICK: Span = Span::from_micros(1);

/// The nodes whose supply a fault acts on; those of its place, or all behind a source or feed.
fn supplied<'a>(world: &'a World, injection: &'a Injection) -> impl Iterator<Item = NodeId> + 'a {
    let everywhere = matches!(injection.fault.place, Place::Supply | Place::AllNodes);
    let feed = matches!(injection.fault.place, Place::PumpFeed | Place::AllPumps);
    let nodes = world.resource::<Nodes>().iter().map(|(node, _)| node);
    let meant = move |node: &NodeId| everywhere || (feed && node.pump().is_some()) || injection.nodes.contains(node);
    nodes.filter(meant).filter(|node| power::branch_of(world, *node).is_some())
}

/// What each node measures as the fault begins, in mV.
pub(super) fn voltages(world: &World, now: SimTime, injection: &Injection) -> Vec<(NodeId, u32)> {
    supplied(world, injection).map(|node| (node, power::supply_mv(world, node, now))).collect()
}

/// What in this record, or in the world at this instant, shows that the injection acted.
pub(super) fn proof(world: &World, now: SimTime, injection: &Injection, record: &Record) -> Option<String> {
    match (&injection.fault.kind, record) {
        (FaultKind::PowerCut | FaultKind::FeedOff, Record::Power(record)) => loss(world, now, injection, record),
        // Each dip is counted; the levels in between are not ours.
        (FaultKind::Bounce(_), Record::Power(PowerRecord::Level { to_mv: Some(_), .. })) if injection.active > 0 => {
            moved(world, now, injection, 0)
        }
        (FaultKind::Sag(level) | FaultKind::OverVoltage(level), _) if is_open(injection) => {
            moved(world, now, injection, level.to.millivolts())
        }
        // Before half of its way is over a ramp cannot have moved a voltage by half.
        (FaultKind::Ramp(ramp), _)
            if is_open(injection) && now.since(injection.began).as_nanos() >= ramp.over.as_nanos() / 2 =>
        {
            moved(world, now, injection, ramp.to.millivolts())
        }
        (
            FaultKind::Unplugged | FaultKind::OpenBus | FaultKind::ControllerStopped,
            Record::Bus(BusRecord::Frame { frame, sender, .. }),
        ) if is_open(injection) => {
            let misses = missed(world, injection, *sender)?;
            Some(format!("{misses} did not take the frame {:#05x} of {sender}", protocol::frame::raw_id(frame.id())))
        }
        (FaultKind::StuckDominant | FaultKind::StuckRecessive, Record::Bus(record)) if is_open(injection) => {
            stuck(world, injection, record)
        }
        (FaultKind::Hang, _) if is_open(injection) => hung(world, now, injection),
        (FaultKind::ClockDrift(_), _) if is_open(injection) => drifted(world, now, injection),
        _ => None,
    }
}

/// It acts now, and what it does since it last began is not proven yet.
fn is_open(injection: &Injection) -> bool {
    injection.active > 0 && injection.activations < u64::from(injection.begun)
}

fn loss(world: &World, now: SimTime, injection: &Injection, record: &PowerRecord) -> Option<String> {
    let behind = |node: NodeId| {
        let branch = power::branch_of(world, node);
        injection.nodes.contains(&node) || switched(injection).iter().any(|one| branch == Some(*one))
    };
    match record {
        PowerRecord::Lost { node, .. } if injection.active > 0 && behind(*node) => {
            Some(format!("{node} lost its power"))
        }
        // Its end is the very instant at which the voltage is back.
        PowerRecord::RodeThrough { node, below } if now <= injection.until && behind(*node) => {
            Some(format!("{node} lived on its hold-up for {below} ms"))
        }
        _ => None,
    }
}

/// A cut that another one outlives no longer: the node stays dark because of `injection` alone.
pub(super) fn stays_dark(world: &World, now: SimTime, injection: &Injection) -> Option<String> {
    if !matches!(injection.fault.kind, FaultKind::PowerCut | FaultKind::FeedOff) || !is_open(injection) {
        return None;
    }
    if switched(injection).contains(&Branch::Pumps(0)) {
        return (power::source_mv(world, now) > 0).then(|| "the pumps' feed stays off".to_owned());
    }
    let arriving = |node: &&NodeId| match node.pump() {
        Some(_) => power::feed_mv(world, now) > 0,
        None => power::source_mv(world, now) > 0,
    };
    let dark = injection.nodes.iter().find(arriving)?;
    Some(format!("{dark} stays without supply, which another fault had cut before"))
}

/// A node with power measures a voltage that is beyond half of the way from what it measured before to `to_mv`.
fn moved(world: &World, now: SimTime, injection: &Injection, to_mv: u32) -> Option<String> {
    let nominal = world.resource::<Setting>().nominal_mv;
    injection.before.iter().find_map(|(node, before)| {
        // One that was dark would have its full voltage now without the fault.
        let before = if *before == 0 { nominal } else { *before };
        let mv = power::supply_mv(world, *node, now);
        let half = before.midpoint(to_mv);
        let beyond = (to_mv < before && mv <= half) || (to_mv > before && mv >= half);
        (beyond && power::is_powered(world, *node)).then(|| format!("{node} measures {mv} mV, {before} mV before"))
    })
}

/// A node that did not take the frame of `sender` that has just been sent, and would have taken it without the fault.
fn missed(world: &World, injection: &Injection, sender: NodeId) -> Option<NodeId> {
    let bus = world.resource::<Bus>();
    let nodes = world.resource::<Nodes>();
    let everyone = nodes.iter().fold(0, |mask, (node, _)| mask | node.bit());
    let of_the_sender = |medium: Medium| medium.segments(everyone).into_iter().find(|one| one & sender.bit() != 0);
    let together = of_the_sender(without(bus.medium(), injection))?;
    let still_together = of_the_sender(bus.medium())?;
    let listens = |node: NodeId| match injection.fault.kind {
        FaultKind::ControllerStopped => bus.state(node) == LinkState::Stopped,
        _ => {
            let is_off = still_together & node.bit() == 0;
            is_off && matches!(bus.state(node), LinkState::Active | LinkState::Passive)
        }
    };
    let concerned = |node: NodeId| {
        matches!(injection.fault.kind, FaultKind::OpenBus)
            || injection.nodes.contains(&node)
            || (matches!(injection.fault.kind, FaultKind::Unplugged) && injection.nodes.contains(&sender))
    };
    let runs = |node: NodeId| match world.get::<Cpu>(nodes.entity(node)) {
        Some(cpu) => cpu.running,
        None => power::branch_of(world, node).is_none_or(|_| power::is_powered(world, node)),
    };
    let mut others = nodes.iter().map(|(node, _)| node).filter(|node| *node != sender && node.bit() & together != 0);
    others.find(|node| concerned(*node) && listens(*node) && runs(*node) && bus.receivers() & node.bit() == 0)
}

/// The wiring as it would be without the fault.
fn without(medium: Medium, injection: &Injection) -> Medium {
    let own = injection.nodes.iter().fold(0, |mask, node| mask | node.bit());
    match injection.fault.kind {
        FaultKind::Unplugged => Medium { unplugged: medium.unplugged & !own, ..medium },
        FaultKind::OpenBus => {
            let behind = injection.nodes.first().map_or(0, |node| node.bit());
            Medium { open_after: medium.open_after & !behind, ..medium }
        }
        _ => medium,
    }
}

/// What the stuck line has done: an error in a bit that came after it was stuck, at a node on it; or error counters
/// above those that the node had then. Counters that fall, and errors from before, are the work of something else.
fn stuck(world: &World, injection: &Injection, record: &BusRecord) -> Option<String> {
    let line = if matches!(injection.fault.kind, FaultKind::StuckDominant) { "dominant" } else { "recessive" };
    let bus = world.resource::<Bus>();
    match record {
        BusRecord::Error { start, bit, seen, .. } => {
            let detected = *start + bus.bit_time().times(u64::from(*bit) + 1);
            (detected > injection.began && seen & on_the_line(world, injection) != 0)
                .then(|| format!("an error frame on a line that reads {line}"))
        }
        BusRecord::State { node, tec, rec, .. } | BusRecord::Counters { node, tec, rec } => {
            let before = injection.counters.iter().find(|(own, ..)| own == node);
            let (tec_before, rec_before) = before.map_or((0, 0), |(_, tec, rec)| (*tec, *rec));
            let rose = *tec > tec_before || *rec > rec_before;
            (rose && node.bit() & on_the_line(world, injection) != 0)
                .then(|| format!("the error counters of {node} rose on a line that reads {line}"))
        }
        _ => None,
    }
}

/// The nodes on the stretch of the bus that the fault holds.
pub(super) fn on_the_line(world: &World, injection: &Injection) -> u32 {
    let medium = world.resource::<Bus>().medium();
    let everyone = world.resource::<Nodes>().iter().fold(0, |mask, (node, _)| mask | node.bit());
    let held = super::act::wired(injection);
    medium.segments(everyone).into_iter().filter(|stretch| stretch & held != 0).fold(0, |mask, one| mask | one)
}

/// What the error counters of each node read as the fault begins.
pub(super) fn counters(world: &World) -> Vec<(NodeId, u16, u16)> {
    let bus = world.resource::<Bus>();
    let of = |node: NodeId| (node, bus.counters(node).tec, bus.counters(node).rec);
    world.resource::<Nodes>().iter().map(|(node, _)| of(node)).collect()
}

/// A CPU that runs, and that the fault keeps from doing anything.
fn hung(world: &World, now: SimTime, injection: &Injection) -> Option<String> {
    let stands_still = |node: &&NodeId| {
        let entity = world.resource::<Nodes>().get(**node);
        entity.and_then(|entity| world.get::<Cpu>(entity)).is_some_and(|cpu| cpu.running && cpu.hung_until > now)
    };
    injection.nodes.iter().find(stands_still).map(|node| format!("the CPU of {node} stands still"))
}

/// Whether a drift has gained a tick of itself at any CPU of its place; any other fault has nothing to gain.
pub(super) fn has_drifted(world: &World, now: SimTime, list: &[Injection], number: usize) -> bool {
    let Some(own) = list.get(number).filter(|own| matches!(own.fault.kind, FaultKind::ClockDrift(_))) else {
        return true;
    };
    own.nodes.iter().any(|node| {
        let entity = world.resource::<Nodes>().get(*node);
        let cpu = entity.and_then(|entity| world.get::<Cpu>(entity));
        let tick = cpu.map(|cpu| cpu.options.timer_resolution.max(FINEST_TICK));
        tick.is_some_and(|tick| super::share::gained_by_drift(world, now, list, number, *node) >= tick)
    })
}

fn drifted(world: &World, now: SimTime, injection: &Injection) -> Option<String> {
    injection.nodes.iter().find_map(|node| {
        let cpu = world.get::<Cpu>(world.resource::<Nodes>().get(*node)?)?;
        let tick = cpu.options.timer_resolution.max(FINEST_TICK);
        let gained = cpu.gained_ns(now);
        let measurable = cpu.running && gained.unsigned_abs() >= tick.as_nanos();
        measurable.then(|| {
            let (ppm, us) = (cpu.options.clock_ppm, gained / 1_000);
            format!("the clock of {node} runs {ppm} ppm off and has gained {us} us")
        })
    })
}

#[cfg(test)]
mod tests {
    use embedded_can::StandardId;

    use super::*;
    use crate::bus::ErrorKind;
    use crate::faults::Faults;
    use crate::kernel::Scoped;
    use crate::scenario::loaded_text;

    /// Line stuck since 3 s, when node 1 had counted 5 errors of sending and 9 of receiving.
    const STUCK: &str = "(pumps: (count: 2), campaign: false, budgets: [], end: At(\"9s\"),
        faults: [(kind: StuckRecessive, place: Bus, trigger: At(\"3s\"), duration: \"1s\")])";

    #[test]
    fn a_stuck_line_is_proven_by_counters_that_rise_and_by_errors_after_it_was_stuck() {
        let loaded = loaded_text(STUCK);
        let mut twin = crate::twin::build(&loaded.scenario, None);
        twin.run_until(SimTime::ZERO + Span::from_millis(2_900));
        let mut injection = twin.world.resource::<Scoped<Faults>>().list[0].clone();
        let node = NodeId::new(1);
        let now = twin.agenda.now();
        (injection.active, injection.begun, injection.began) = (1, 1, now);
        injection.counters = vec![(node, 5, 9)];
        let proven = |record: BusRecord| proof(&twin.world, now, &injection, &Record::Bus(record)).is_some();
        let counters = |tec, rec| BusRecord::Counters { node, tec, rec };
        assert!(!proven(counters(4, 9)) && !proven(counters(5, 8)), "they fall");
        assert!(proven(counters(6, 9)) && proven(counters(5, 10)), "they rise");
        let error = |start, seen| {
            let (id, kind) = (Some(StandardId::ZERO.into()), ErrorKind::Bit);
            BusRecord::Error { start, bit: 10, kind, sender: Some(node), id, seen }
        };
        // Ten bits of 4 us after its begin the frame was disturbed.
        let before = SimTime::from_nanos(now.as_nanos() - 44_000);
        assert!(!proven(error(before, node.bit())), "that was another one's work");
        assert!(proven(error(before + Span::from_micros(1), node.bit())));
        assert!(!proven(error(now, 0)), "nobody on this line has seen it");
    }
}
