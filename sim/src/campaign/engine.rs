//! Runs trials on several threads, block by block, in the order of their numbers.
//!
//! Which thread runs which trial is left to chance; what comes out is not: every trial stands by itself, and a block is
//! told only when all of it is done. So rows can be kept as they come, and a campaign that was interrupted goes on from
//! the last row that was kept.

use std::num::NonZero;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use reports::campaign::Trial;

use super::file::Campaign;
use super::trial::{Runner, try_one};

/// Trials of a block for each thread: enough that waiting for the last of a block costs little.
const BLOCK_PER_JOB: usize = 32;

/// Which trials one machine runs of a campaign: every `of`-th, from the `number`-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// The whole campaign.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Reads `I/N`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        let shard = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        (1..=shard.of).contains(&shard.number).then_some(shard)
    }

    /// Its trials, counted from 0.
    pub fn trials(self, campaign: &Campaign) -> impl Iterator<Item = u64> + use<> {
        (u64::from(self.number) - 1..campaign.trials()).step_by(self.of as usize)
    }
}

/// Runs `trials` and tells of each block of rows in their order; ends when `told` fails.
///
/// # Errors
/// What `told` gives back.
pub fn run_trials<E>(
    campaign: &Campaign,
    trials: &[u64],
    jobs: NonZero<usize>,
    runner: &Runner,
    mut told: impl FnMut(&[Trial]) -> Result<(), E>,
) -> Result<(), E> {
    let pool = ThreadPoolBuilder::new().num_threads(jobs.get()).build().expect("threads can be started");
    for block in trials.chunks(BLOCK_PER_JOB * jobs.get()) {
        let rows: Vec<Trial> =
            pool.install(|| block.par_iter().map(|trial| try_one(campaign, *trial, runner).row).collect());
        told(&rows)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_as_they_are_written_and_no_other_way() {
        assert_eq!(Shard::parse("2/3"), Some(Shard { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/2", "1/2/3", ""] {
            assert_eq!(Shard::parse(wrong), None, "{wrong}");
        }
    }
}
