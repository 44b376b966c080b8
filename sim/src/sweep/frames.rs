//! The sweeps of single frames: each frame of one update lost, or hit by a bit error.
//!
//! A lost frame is lost above the link layer: no error frame tells of it, only ISO-TP and UDS can. A hit frame is seen
//! broken by every node, and its sender repeats it.

use rand::RngExt as _;

use super::engine::{Ripe, Space, Strike};
use super::fork::{Slot, Trunk};
use super::judge::{Outcome, judge};
use super::survey::{SeenFrame, Survey};
use crate::kernel::{SimTime, Span, stream};
use crate::node::NodeId;
use crate::run::Run;
use crate::scenario::quantity::parse;
use crate::scenario::words::CanId;
use crate::scenario::{Direction, Fault, FaultKind, FrameHit, FrameLoss, Loaded, Place, Problem, SeenBy, Trigger};

/// Continuations are compared so long after the strike: longer than the time-outs of ISO-TP and UDS and the repetition
/// that follows them.
const SETTLES_AFTER: Span = Span::from_secs(4);

/// What happens to each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is lost at its receiver, and in a second strike at its sender.
    Lost,
    /// One of its bits, drawn from the seed, reads inverted at every node.
    Hit {
        /// Draws the bits.
        seed: u64,
    },
}

/// Each frame of one update, harmed.
pub struct Frames {
    trunk: Trunk,
    pump: u8,
    survey: Survey,
    harm: Harm,
    /// Instant of the fault, index of the frame, and whether it is lost at its sender.
    strikes: Vec<(SimTime, u32, bool)>,
    /// The bit to hit, by frame.
    bits: Vec<u32>,
}

impl Frames {
    /// Sees the frames of the update of `pump`.
    ///
    /// # Errors
    /// If the scenario cannot have such faults; then why.
    pub fn new(base: &Loaded, pump: u8, survey: Survey, harm: Harm) -> Result<Self, Vec<Problem>> {
        let trunk = Trunk::new(base, &[Slot::Time])?;
        let mut strikes = Vec::new();
        let ends: &[bool] = if harm == Harm::Lost { &[false, true] } else { &[false] };
        for (index, frame) in survey.frames.iter().enumerate() {
            let at = armed_at(&survey, frame, index);
            strikes.extend(ends.iter().map(|at_sender| (at, u32::try_from(index).unwrap_or(u32::MAX), *at_sender)));
        }
        strikes.sort_unstable();
        let bits = bits(&survey, harm);
        Ok(Self { trunk, pump, survey, harm, strikes, bits })
    }

    fn fault(&self, frame: &SeenFrame, index: u32, at_sender: bool, at: SimTime) -> Fault {
        let id = CanId::from(frame.frame.id());
        let (kind, place) = match self.harm {
            Harm::Lost => {
                let direction = if at_sender { Direction::Sent } else { Direction::Received };
                let rate = parse("100%").expect("a rate of all frames reads");
                let loss = FrameLoss { id: Some(id), nth: Some(1), rate, direction };
                let receiver = if frame.sender == NodeId::CIOC { Place::Pump(self.pump) } else { Place::Cioc };
                let sender = if frame.sender == NodeId::CIOC { Place::Cioc } else { Place::Pump(self.pump) };
                (FaultKind::FrameLoss(loss), if at_sender { sender } else { receiver })
            }
            Harm::Hit { .. } => {
                let bit = self.bits.get(index as usize).copied().unwrap_or(0);
                (FaultKind::FrameHit(FrameHit { id, nth: 1, bit, seen_by: SeenBy::All }), Place::Bus)
            }
        };
        let trigger = Trigger::At(at.since(SimTime::ZERO));
        Fault { id: "harm".to_owned(), kind, place, trigger, duration: None, repeat: None }
    }
}

/// The fault must count from after the frame before it with the same id.
fn armed_at(survey: &Survey, frame: &SeenFrame, index: usize) -> SimTime {
    let before = survey.frames[..index].iter().rev().find(|other| other.frame.id() == frame.frame.id());
    let since = before.map_or_else(|| survey.steps.first().map_or(SimTime::ZERO, |step| step.at), |other| other.end);
    since + Span::from_nanos(1)
}

fn bits(survey: &Survey, harm: Harm) -> Vec<u32> {
    let Harm::Hit { seed } = harm else { return Vec::new() };
    let mut random = stream(seed, "bits to hit");
    survey.frames.iter().map(|frame| random.random_range(0..u32::from(frame.bits))).collect()
}

impl Space for Frames {
    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome {
        judge(forked, run, self.pump)
    }

    fn strata(&self) -> Vec<String> {
        let ways = ["to the pump", "to the CIOC"];
        let what: &[&str] =
            if self.harm == Harm::Lost { &["lost at the receiver", "lost at the sender"] } else { &["hit"] };
        ways.iter().flat_map(|way| what.iter().map(move |what| format!("frame {way} {what}"))).collect()
    }

    fn len(&self) -> usize {
        self.strikes.len()
    }

    fn strike(&self, number: usize) -> Strike {
        let (at, index, at_sender) = self.strikes[number];
        let frame = &self.survey.frames[index as usize];
        let ends = if self.harm == Harm::Lost { 2 } else { 1 };
        let way = usize::from(frame.sender != NodeId::CIOC);
        let stratum = way * ends + usize::from(at_sender);
        let name = format!("{} number {}", self.strata()[stratum], index + 1);
        let faults = vec![self.fault(frame, index, at_sender, at)];
        Strike { stratum, name, at, faults, ripe: Some(Ripe::At(frame.end + SETTLES_AFTER)) }
    }
}
