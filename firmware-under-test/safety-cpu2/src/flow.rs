//! Program-flow monitor: proof that every stage of a tick ran once, in order.
//!
//! SSM-03.
//!
//! Each stage, in its own body and after its work, folds its number into a signature. At the end of the tick the signature must be the one
//! that the compiler made from the stage list of the mode. Folding multiplies by an odd number, so that order counts;
//! the chain goes on from tick to tick through the tick's number, so that an old signature does not serve again. Only a
//! tick with the right signature serves the watchdog.
//!
//! Diverse: one product of odd multiplications against a constant of the mode, not counters or a list of marks.

use safety_common::fault::Fault;

use crate::trip::{Outcome, Trip};

/// A stage of the tick. The numbers have no bit pattern in common on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stage {
    Count = 0x1D,
    Receive = 0x2B,
    Measure = 0x36,
    Inputs = 0x47,
    Logic = 0x5A,
    Outputs = 0x6C,
    Packet = 0x71,
    Ram = 0x8E,
    Flash = 0x93,
    SelfTest = 0xA5,
    Download = 0xB8,
    Supervise = 0xC3,
    Voltages = 0xD6,
    Forwarded = 0xE9,
}

/// Stages of normal mode.
pub(crate) const NORMAL: &[Stage] = &[
    Stage::Count,
    Stage::Receive,
    Stage::Supervise,
    Stage::Measure,
    Stage::Voltages,
    Stage::Forwarded,
    Stage::Inputs,
    Stage::Logic,
    Stage::Outputs,
    Stage::Packet,
    Stage::Ram,
    Stage::Flash,
];
/// Stages of start-up.
pub(crate) const STARTING: &[Stage] =
    &[Stage::Count, Stage::Receive, Stage::Measure, Stage::Outputs, Stage::SelfTest, Stage::Packet];
/// Stages of the configuration mode.
pub(crate) const CONFIGURATION: &[Stage] = &[
    Stage::Count,
    Stage::Receive,
    Stage::Measure,
    Stage::Outputs,
    Stage::Download,
    Stage::Packet,
    Stage::Ram,
    Stage::Flash,
];

const MULTIPLIER: u32 = 0x9E37_79B1;

const fn fold(signature: u32, stage: Stage) -> u32 {
    (signature ^ stage as u32).wrapping_mul(MULTIPLIER)
}

fn expected(seed: u32, stages: &[Stage]) -> u32 {
    stages.iter().fold(seed, |signature, stage| fold(signature, *stage))
}

/// The signature of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    seed: u32,
    signature: u32,
}

impl Flow {
    /// The beginning of the tick with this number.
    pub(crate) const fn begin(tick: u32) -> Self {
        Self { seed: tick, signature: tick }
    }

    /// A stage ran.
    pub(crate) const fn pass(&mut self, stage: Stage) {
        self.signature = fold(self.signature, stage);
    }

    /// The end of the tick: all of `stages`, in this order, and nothing else.
    pub(crate) fn check(self, stages: &[Stage]) -> Outcome {
        if self.signature == expected(self.seed, stages) { Ok(()) } else { Err(Trip::new(Fault::ProgramFlow, 0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn run(stages: &[Stage]) -> Flow {
        let mut flow = Flow::begin(7);
        stages.iter().for_each(|stage| flow.pass(*stage));
        flow
    }

    /// SSM-03: every single omission, repetition and exchange, in every mode.
    #[test]
    fn a_stage_left_out_repeated_or_out_of_order_trips() {
        for stages in [NORMAL, STARTING, CONFIGURATION] {
            assert_eq!(run(stages).check(stages), Ok(()));
            for i in 0..stages.len() {
                let mut out: Vec<Stage> = stages.to_vec();
                out.remove(i);
                assert!(run(&out).check(stages).is_err(), "left out {i}");
                let mut again: Vec<Stage> = stages.to_vec();
                again.insert(i, again[i]);
                assert!(run(&again).check(stages).is_err(), "repeated {i}");
                for j in 0..i {
                    let mut swapped: Vec<Stage> = stages.to_vec();
                    swapped.swap(i, j);
                    assert!(run(&swapped).check(stages).is_err(), "swapped {i} and {j}");
                }
            }
        }
    }

    #[test]
    fn the_stages_of_another_mode_do_not_serve() {
        assert!(run(NORMAL).check(STARTING).is_err());
        assert!(run(STARTING).check(CONFIGURATION).is_err());
    }
}
