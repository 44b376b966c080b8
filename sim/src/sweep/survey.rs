//! What there is to strike at: every flash operation, protocol step and frame of one pump's update, with its time.
//!
//! One undisturbed run of the trunk is watched from outside; a strike is placed by what was seen there.

use std::sync::{Arc, Mutex, PoisonError};

use embedded_can::Id;
use orchestrator::Notice;
use protocol::Frame;
use protocol::ids::{self, PumpNumber};
use pump::FlashCommand;

use super::fork::Trunk;
use crate::bus::BusRecord;
use crate::faults::trigger::service_of;
use crate::hosts::flash::Operation;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::SimTime;
use crate::node::NodeId;
use crate::record::Record;
use crate::run::{Ending, Run, finish};
use crate::scenario::Side;

/// A frame between CIOC and pump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFrame {
    /// Start of its SOF.
    pub start: SimTime,
    /// End of its last bit.
    pub end: SimTime,
    /// The frame.
    pub frame: Frame,
    /// Its bits as sent, stuff bits included.
    pub bits: u16,
    /// Who sent it.
    pub sender: NodeId,
}

/// A step of the protocol between CIOC and pump, or a phase of either of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was taken.
    pub at: SimTime,
    /// What it is.
    pub name: String,
}

/// What was seen of one pump's update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Its flash operations; the first has number 1.
    pub operations: Vec<Operation>,
    /// Steps of the protocol, from the campaign's start to its end, in order.
    pub steps: Vec<Step>,
    /// Frames between CIOC and pump, from the campaign's start to its end.
    pub frames: Vec<SeenFrame>,
    /// When the campaign was over.
    pub over: Option<SimTime>,
    campaign: bool,
}

impl Survey {
    /// Runs the trunk and notes what there is of `pump`; the run is given back to be judged.
    #[must_use]
    pub fn of(trunk: &Trunk, pump: u8) -> (Self, Run) {
        let survey = Arc::new(Mutex::new(Self::default()));
        let seen = Arc::clone(&survey);
        let twin = trunk.twin_recorded(Box::new(move |_, time, record| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).see(time, record, pump);
        }));
        let run = finish(twin, trunk.scenario(), |_| {});
        let survey = std::mem::take(&mut *survey.lock().unwrap_or_else(PoisonError::into_inner));
        (survey, run)
    }

    fn see(&mut self, time: SimTime, record: &Record, pump: u8) {
        match record {
            Record::Pump(PumpRecord::FlashBegun { node, operation }) if node.pump() == Some(pump) => {
                self.operations.push(*operation);
            }
            Record::Orchestrator(OrchestratorRecord::Notice(notice)) => self.see_notice(time, notice),
            _ if !self.campaign => {}
            Record::Pump(PumpRecord::State { node, state }) if node.pump() == Some(pump) => {
                self.step(time, format!("{node} is in {state:?}"));
            }
            Record::Bus(BusRecord::Frame { start, frame, sender, bits, .. }) => {
                if let Some(side) = side_of(frame, pump) {
                    self.frames.push(SeenFrame {
                        start: *start,
                        end: time,
                        frame: *frame,
                        bits: *bits,
                        sender: *sender,
                    });
                    self.see_message(time, frame, &side);
                }
            }
            _ => {}
        }
    }

    fn see_notice(&mut self, time: SimTime, notice: &Notice) {
        match notice {
            Notice::CampaignStarted { .. } => {
                self.campaign = true;
                self.step(time, "campaign begins".to_owned());
            }
            Notice::CampaignFinished { .. } => {
                self.step(time, "campaign ends".to_owned());
                self.campaign = false;
                self.over = Some(time);
            }
            Notice::Phase { phase, .. } => self.step(time, format!("phase {phase:?}")),
            _ => {}
        }
    }

    fn see_message(&mut self, time: SimTime, frame: &Frame, side: &Side) {
        if let Some(service) = service_of(frame, side) {
            self.step(time, format!("{side:?} {service:?}"));
        }
    }

    /// Steps of one name are numbered, from 1.
    fn step(&mut self, at: SimTime, name: String) {
        let before = self.steps.iter().filter(|step| step.name.rsplit_once(' ').is_some_and(|(own, _)| own == name));
        let number = before.count() + 1;
        self.steps.push(Step { at, name: format!("{name} {number}") });
    }

    /// How many flash operations had begun at an instant.
    #[must_use]
    pub fn operations_until(&self, at: SimTime) -> u64 {
        self.operations.partition_point(|operation| operation.begun <= at) as u64
    }

    /// Whether all of the update was seen.
    #[must_use]
    pub fn is_whole(&self, run: &Run) -> bool {
        run.ending == Ending::Regular && self.over.is_some() && !self.operations.is_empty() && !self.steps.is_empty()
    }
}

/// Which way a frame between the CIOC and the pump goes, if it is one.
fn side_of(frame: &Frame, pump: u8) -> Option<Side> {
    let pump = PumpNumber::new(pump)?;
    let Id::Standard(id) = frame.id() else { return None };
    match id {
        id if id == ids::uds_request(pump) => Some(Side::Request),
        id if id == ids::uds_response(pump) => Some(Side::Response),
        _ => None,
    }
}

/// Whether an operation erases.
#[must_use]
pub fn erases(operation: &Operation) -> bool {
    matches!(operation.command, FlashCommand::Erase { .. })
}
