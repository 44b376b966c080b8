//! The share of one fault in what several do together.
//!
//! A fault is *masked* at a node while the twin would be set just the same without it: a greater one of its kind, one that
//! took its place, or an equal one that began before. What is seen meanwhile is the work of the other one.

use bevy_ecs::prelude::World;

use super::act::{switched, wired};
use super::{Injection, prove};
use crate::hosts::PumpRecord;
use crate::hosts::cpu::Cpu;
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::power::{self, PowerRecord};
use crate::record::Record;
use crate::scenario::FaultKind;

/// Whether what `record` shows would have come without injection `number`, too.
pub(super) fn is_masked(world: &World, now: SimTime, list: &[Injection], number: usize, record: &Record) -> bool {
    let Some(own) = list.get(number) else { return false };
    let others = list.iter().enumerate().filter(|(other, one)| *other != number && one.is_in_force(now));
    let mut others = others.map(|(_, one)| one);
    match (&own.fault.kind, record) {
        (FaultKind::PowerCut | FaultKind::FeedOff, Record::Power(record)) => match record {
            PowerRecord::Lost { node, .. } | PowerRecord::RodeThrough { node, .. } => {
                others.any(|other| other.order < own.order && cuts(world, other, *node))
            }
            _ => false,
        },
        (FaultKind::StuckDominant | FaultKind::StuckRecessive, _) => others.any(|other| {
            let same = other.fault.kind == own.fault.kind && other.order < own.order;
            // A line that is held wins over one that is shorted, whichever came first.
            let stronger =
                (&own.fault.kind, &other.fault.kind) == (&FaultKind::StuckRecessive, &FaultKind::StuckDominant);
            let (held, by_other) = (prove::on_the_line(world, own), prove::on_the_line(world, other));
            (same || stronger) && held & !by_other == 0
        }),
        (FaultKind::OpenBus, _) => others
            .any(|other| other.fault.kind == own.fault.kind && other.order < own.order && wired(other) == wired(own)),
        (_, Record::Pump(PumpRecord::Disguised { node, version })) => {
            let says = match &own.fault.kind {
                FaultKind::WrongVersion(reported) => Some(reported.version.to_header()),
                _ => None,
            };
            says.is_some_and(|own| own != *version) || others.any(|other| outdoes(other, own, *node))
        }
        // Any other acts at each node by itself, and is masked where it is so at all of them.
        _ => {
            let others: Vec<&Injection> = others.collect();
            let hidden = |node: &NodeId| others.iter().any(|other| outdoes(other, own, *node));
            !own.nodes.is_empty() && own.nodes.iter().all(hidden)
        }
    }
}

/// Whether `own` would be set just the same at `node` without what it asks for, because `other` acts there.
fn outdoes(other: &Injection, own: &Injection, node: NodeId) -> bool {
    use FaultKind as Kind;
    if !other.nodes.contains(&node) {
        return false;
    }
    let before = other.order < own.order;
    match (&own.fault.kind, &other.fault.kind) {
        // Of these the greatest counts.
        (Kind::SlowErase(own), Kind::SlowErase(other)) => {
            let (own, other) = (own.factor.thousandths(), other.factor.thousandths());
            other > own || (other == own && before)
        }
        (Kind::ControllerSlow(own), Kind::ControllerSlow(other)) => other.by > own.by || (other.by == own.by && before),
        // Of these the last.
        (Kind::WrongVersion(own), Kind::WrongVersion(other)) => !before || own.version == other.version,
        (Kind::ClockDrift(own), Kind::ClockDrift(other)) => !before || own.by == other.by,
        (Kind::Babbling(own), Kind::Babbling(other)) => !before || own == other,
        // And of these each one alone does it.
        (Kind::Hang, Kind::Hang)
        | (Kind::Unplugged, Kind::Unplugged)
        | (Kind::ControllerStopped, Kind::ControllerStopped) => before,
        _ => false,
    }
}

fn cuts(world: &World, other: &Injection, node: NodeId) -> bool {
    let is_cut = matches!(other.fault.kind, FaultKind::PowerCut | FaultKind::FeedOff | FaultKind::Exchanged(_));
    let branch = power::branch_of(world, node);
    is_cut && (other.nodes.contains(&node) || switched(other).iter().any(|one| branch == Some(*one)))
}

/// What a drift has gained of itself at `node` since it began: against the last of the others, or the CPU's own clock.
pub(super) fn gained_by_drift(world: &World, now: SimTime, list: &[Injection], number: usize, node: NodeId) -> Span {
    let Some(own) = list.get(number) else { return Span::ZERO };
    let FaultKind::ClockDrift(drift) = &own.fault.kind else { return Span::ZERO };
    let entity = world.resource::<Nodes>().get(node);
    let Some(cpu) = entity.and_then(|entity| world.get::<Cpu>(entity)) else { return Span::ZERO };
    let before = list.iter().enumerate().filter(|(other, one)| *other != number && one.active > 0);
    let before = before.map(|(_, one)| one).filter(|one| one.order < own.order && one.nodes.contains(&node));
    let instead = before.filter_map(|one| match &one.fault.kind {
        FaultKind::ClockDrift(drift) => Some((one.order, drift.by.ppm())),
        _ => None,
    });
    let instead = instead.max_by_key(|(order, _)| *order).map_or(cpu.own_ppm, |(_, ppm)| ppm);
    let ppm = u128::from(drift.by.ppm().abs_diff(instead));
    let gained = u128::from(now.since(own.began).as_nanos()) * ppm / 1_000_000;
    Span::from_nanos(u64::try_from(gained).unwrap_or(u64::MAX))
}
