//! Why a fault never acted: a hint for whoever wrote the scenario.
//!
//! A fault that never acted makes its run inconclusive, and the usual reason is a trigger that no run reaches or a place
//! without supply. The hint is a guess by what the run shows; it judges nothing.

use super::Run;
use crate::faults::Injection;
use crate::kernel::{SimTime, Span};
use crate::measure::Measures;
use crate::node::NodeId;
use crate::power::{self, PowerRecord};
use crate::record::Record;
use crate::scenario::{FaultKind, Trigger};

/// What probably kept an injection from acting; empty if it acted.
pub(super) fn hint(run: &Run, measures: &Measures, injection: &Injection) -> String {
    if injection.activations > 0 {
        return String::new();
    }
    if injection.begun == 0 {
        return never_begun(run, &injection.fault.trigger);
    }
    let began = injection.began;
    let supplied: Vec<NodeId> =
        injection.nodes.iter().copied().filter(|node| power::branch_of(&run.twin.world, *node).is_some()).collect();
    if !supplied.is_empty() && supplied.iter().all(|node| !was_powered(measures, *node, began)) {
        let names: Vec<String> = supplied.iter().map(NodeId::to_string).collect();
        return format!("{} had no supply when it began at {began} ms", names.join(", "));
    }
    let over = injection.fault.duration.filter(|duration| *duration < Span::from_millis(1));
    let short = over.map_or(String::new(), |duration| format!(" within its {duration} ms"));
    format!("it began at {began} ms, and {}{short}", missed(&injection.fault.kind))
}

fn never_begun(run: &Run, trigger: &Trigger) -> String {
    match trigger {
        Trigger::At(at) => format!("its time, {at} ms, is after the end of the run at {} ms", run.end),
        _ => "its trigger was never reached".to_owned(),
    }
}

/// Whether a node had power at this instant, by the last that was recorded of it before.
fn was_powered(measures: &Measures, node: NodeId, at: SimTime) -> bool {
    let before = measures.journal.iter().take_while(|(time, ..)| *time <= at);
    let last = before.filter_map(|(_, record, _)| match record {
        Record::Power(PowerRecord::Lost { node: own, .. }) if *own == node => Some(false),
        Record::Power(PowerRecord::Good { node: own, .. }) if *own == node => Some(true),
        _ => None,
    });
    last.last().unwrap_or(false)
}

/// What a fault of this kind waits for, and did not come.
const fn missed(kind: &FaultKind) -> &'static str {
    use FaultKind as Kind;
    match kind {
        Kind::BitErrors(_) | Kind::Burst(_) => "no frame was on the bus to be hit",
        Kind::FrameHit(_) | Kind::FrameLoss(_) | Kind::ReceiveOverrun(_) => "no frame came that it could hit",
        Kind::Unplugged | Kind::OpenBus | Kind::ControllerStopped => "no frame came that was missed because of it",
        Kind::StuckDominant | Kind::StuckRecessive => "no frame was disturbed by it",
        Kind::Babbling(_) => "no frame of it got out",
        Kind::ControllerSlow(_) => "the node took no frame",
        Kind::FlashProgramFailure(_) | Kind::SlowErase(_) => "no flash operation came that it could change",
        Kind::WrongVersion(_) => "nobody read a version that it would have changed",
        Kind::FramTear(_) => "nothing more was written to the FRAM",
        Kind::SlowBoot(_) => "no boot came after it",
        Kind::Sag(_) | Kind::OverVoltage(_) | Kind::Ramp(_) | Kind::Bounce(_) => {
            "no node with power measured a voltage that it moved"
        }
        Kind::PowerCut | Kind::FeedOff => "no node lost its power by it",
        Kind::ClockDrift(_) => "no clock was off by a tick of its timer",
        _ => "nothing was different because of it",
    }
}
