//! The job done by the twin.

use std::sync::{Arc, Mutex};

use bevy_ecs::prelude::World;
use cooltwin::bus::BusRecord;
use cooltwin::event::Twin;
use cooltwin::hosts::flash::Flash;
use cooltwin::hosts::image;
use cooltwin::kernel::SimTime;
use cooltwin::node::{NodeId, Nodes};
use cooltwin::record::Record;
use cooltwin::run::{Ending, Run, finish};
use cooltwin::scenario::Scenario;
use cooltwin::{measure, twin};
use protocol::Frame;
use protocol::header::ModelId;

use super::Outcome;

/// Runs a twin to its end.
///
/// # Panics
/// If the run does not end regularly.
#[must_use]
pub fn run(twin: Twin, scenario: &Scenario) -> Outcome {
    let Run { twin, ending, end } = finish(twin, scenario, |_| {});
    assert_eq!(ending, Ending::Regular);
    let measures = twin.world.resource::<measure::Measures>();
    Outcome {
        frames: measures.bus.frames,
        flash_operations: measures.flash_operations.iter().sum(),
        updated: updated(&twin, scenario),
        simulated: end.since(SimTime::ZERO).as_nanos(),
        fingerprint: twin.trace.fingerprint().0,
    }
}

fn updated(twin: &Twin, scenario: &Scenario) -> u8 {
    let spec = &scenario.package.image;
    let image = image::made_up(spec.seed, ModelId(1), spec.version.to_header(), spec.length.bytes() as usize);
    let nodes = twin.world.resource::<Nodes>();
    let holds = |pump: &u8| {
        let flash = twin.world.get::<Flash>(nodes.entity(NodeId::new(*pump)));
        flash.is_some_and(|flash| flash.holds(&image))
    };
    (1..=scenario.pumps.count).filter(holds).count() as u8
}

/// All frames of a run.
///
/// # Panics
/// If the run does not end regularly.
#[must_use]
pub fn frames(scenario: &Scenario) -> Vec<Frame> {
    let frames = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&frames);
    let recorder = Box::new(move |_: &World, _: SimTime, record: &Record| {
        if let Record::Bus(BusRecord::Frame { frame, .. }) = record {
            sink.lock().expect("one thread").push(*frame);
        }
    });
    let _ = run(twin::build_recorded(scenario, None, Some(recorder)), scenario);
    Arc::into_inner(frames).map_or_else(Vec::new, |frames| frames.into_inner().unwrap_or_default())
}
