//! From a trial's number to its scenario: every draw follows from the master seed by counting.
//!
//! ```text
//!   (master seed, trial) --> trial seed --+--> which kinds are switched off (swarm)
//!                                         +--> for each fault of the mix: how often, and its values
//!                                         +--> seed of the run
//! ```
//! Each of these has a random stream of its own, so that a fault added to the mix leaves the draws of the others alone.

use rand::{Rng as _, RngExt as _};

use super::file::{Campaign, MixFault, Often, TIMES_MOST, named};
use crate::kernel::{Stream, stream};
use crate::scenario::{Fault, RawScenario, Scenario};

/// A trial before it runs.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its number, from 0.
    pub trial: u64,
    /// Its seed, and that of its run.
    pub seed: u64,
    /// The campaign's part that it belongs to.
    pub part: usize,
    /// Which faults of the mix came, by index, in the order of the scenario's faults.
    pub faults: Vec<usize>,
    /// The scenario, or why there is none: values that fit alone may not fit together.
    pub scenario: Result<Scenario, String>,
}

/// Seed of a trial.
#[must_use]
pub fn seed_of(master: u64, trial: u64) -> u64 {
    stream(master, &format!("trial {trial}")).next_u64()
}

/// Draws a trial.
#[must_use]
pub fn draw(campaign: &Campaign, trial: u64) -> Drawn {
    let seed = seed_of(campaign.raw.seed, trial);
    let part = campaign.part_of(trial);
    let (mut faults, mut scenario_faults, mut wrong) = (Vec::new(), Vec::new(), None);
    for index in switched_on(campaign, part, seed) {
        let mixed = &campaign.raw.mix[index];
        let mut random = stream(seed, &format!("mix {}", mixed.name));
        for number in 0..times(mixed, &mut random) {
            match mixed.fault.draw(&mut random) {
                Ok(fault) => {
                    faults.push(index);
                    scenario_faults.push(named(fault, &mixed.name, number));
                }
                Err(why) => wrong = Some(format!("{}: {why}", mixed.name)),
            }
        }
    }
    let scenario = wrong.map_or_else(|| scenario(campaign, trial, seed, scenario_faults), Err);
    Drawn { trial, seed, part, faults, scenario }
}

/// The scenario of a trial with these faults.
fn scenario(campaign: &Campaign, trial: u64, seed: u64, faults: Vec<Fault>) -> Result<Scenario, String> {
    let name = format!("{}-{}", campaign.raw.name, trial + 1);
    let raw = RawScenario { name, seed, faults, ..RawScenario::clone(&campaign.base.scenario) };
    raw.check().map_err(|problems| problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
}

/// The trial's scenario without its faults: what it is compared with.
#[must_use]
pub fn undisturbed(scenario: &Scenario) -> Option<Scenario> {
    RawScenario { faults: Vec::new(), ..RawScenario::clone(scenario) }.check().ok()
}

/// The faults of a part whose kind is not switched off in this trial.
fn switched_on(campaign: &Campaign, part: usize, seed: u64) -> Vec<usize> {
    let off = |kind: &str| {
        let share = u64::from(campaign.raw.swarm.permille());
        share > 0 && stream(seed, &format!("swarm {kind}")).random_range(0..1_000_u64) < share
    };
    campaign.parts[part].faults.iter().copied().filter(|index| !off(&campaign.kinds[*index])).collect()
}

fn times(mixed: &MixFault, random: &mut Stream) -> usize {
    let times = match mixed.often {
        Often::Times(times) => times,
        Often::Chance(share) => u32::from(random.random_range(0..1_000_u32) < share.permille()),
        Often::Mean(mean) => poisson(f64::from(mean.thousandths()) / 1e3, random),
    };
    times.min(TIMES_MOST) as usize
}

/// A Poisson number by inversion of its distribution.
fn poisson(mean: f64, random: &mut Stream) -> u32 {
    let goal = random.random_range(0..1_u64 << 53) as f64 / (1_u64 << 53) as f64;
    let mut term = libm::exp(-mean);
    let (mut sum, mut count) = (term, 0);
    while goal >= sum && count < TIMES_MOST {
        count += 1;
        term *= mean / f64::from(count);
        sum += term;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_numbers_have_their_shares() {
        let mut random = stream(3, "poisson");
        let mut counts = [0_u32; 9];
        for _ in 0..10_000 {
            counts[poisson(0.5, &mut random) as usize] += 1;
        }
        // e^-0.5 = 0.6065, 0.5 e^-0.5 = 0.3033, 0.125 e^-0.5 = 0.0758; four standard deviations are below 200.
        for (count, wanted) in counts.into_iter().zip([6065, 3033, 758]) {
            assert!(count.abs_diff(wanted) < 200, "{counts:?}");
        }
    }

    #[test]
    fn trial_seeds_follow_from_master_and_number_alone() {
        assert_eq!(seed_of(7, 3), seed_of(7, 3));
        let mut seeds: Vec<u64> = (0..1_000).map(|trial| seed_of(7, trial)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1_000);
        assert_ne!(seed_of(7, 3), seed_of(8, 3));
    }
}
