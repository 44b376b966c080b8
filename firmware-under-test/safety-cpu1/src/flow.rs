//! The program-flow monitor: every stage of a tick once, in order (SSM-03).
//!
//! Each stage that has done its work adds its number to a signature. At the end of the tick the signature must be the one
//! that the order of [`ORDER`] gives; a stage left out, repeated or out of place gives another.

/// The stages of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stage {
    Interval = 0x1B87_3593,
    Peer = 0xCC9E_2D51,
    Power = 0x85EB_CA6B,
    Networks = 0x27D4_EB2F,
    Inputs = 0xC2B2_AE35,
    Logic = 0x9E37_79B1,
    Outputs = 0x1656_67B1,
    ReadBack = 0x2545_F491,
    Relays = 0x7FEB_352D,
    Packet = 0x846C_A68B,
    Ram = 0x5851_F42D,
    Flash = 0x4C95_7F2D,
}

const ORDER: [Stage; 12] = [
    Stage::Interval,
    Stage::Peer,
    Stage::Power,
    Stage::Networks,
    Stage::Inputs,
    Stage::ReadBack,
    Stage::Logic,
    Stage::Outputs,
    Stage::Relays,
    Stage::Packet,
    Stage::Ram,
    Stage::Flash,
];

const fn add(signature: u32, stage: Stage) -> u32 {
    signature.rotate_left(7).wrapping_mul(0x0100_0193) ^ stage as u32
}

const EXPECTED: u32 = {
    let (mut signature, mut at) = (0, 0);
    while at < ORDER.len() {
        signature = add(signature, ORDER[at]);
        at += 1;
    }
    signature
};

/// The signature of the tick that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow(u32);

impl Flow {
    /// A stage has done its work.
    pub(crate) fn passed(&mut self, stage: Stage) {
        self.0 = add(self.0, stage);
    }

    /// Whether the tick ran as it must; the next one starts afresh.
    pub(crate) fn end_tick(&mut self) -> bool {
        core::mem::take(&mut self.0) == EXPECTED
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn ends_well(stages: &[Stage]) -> bool {
        let mut flow = Flow::default();
        stages.iter().for_each(|stage| flow.passed(*stage));
        flow.end_tick()
    }

    /// SSM-03.
    #[test]
    fn a_stage_left_out_repeated_or_swapped_is_seen() {
        assert!(ends_well(&ORDER));
        assert!(!ends_well(&[]));
        for at in 0..ORDER.len() {
            let without: Vec<_> = [&ORDER[..at], &ORDER[at + 1..]].concat();
            assert!(!ends_well(&without), "without {at}");
            let repeated: Vec<_> = [&ORDER[..=at], &ORDER[at..]].concat();
            assert!(!ends_well(&repeated), "{at} twice");
            for other in at + 1..ORDER.len() {
                let mut swapped = ORDER;
                swapped.swap(at, other);
                assert!(!ends_well(&swapped), "{at} and {other} swapped");
            }
        }
    }

    #[test]
    fn a_tick_that_failed_does_not_spoil_the_next() {
        let mut flow = Flow::default();
        flow.passed(Stage::Logic);
        assert!(!flow.end_tick());
        ORDER.iter().for_each(|stage| flow.passed(*stage));
        assert!(flow.end_tick());
    }
}
