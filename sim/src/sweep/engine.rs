//! Runs a space of strikes: forks, merges continuations that are the same, and checks the merging on a sample.
//!
//! ```text
//!   strike --fork--> run until ripe --digest--> equal to that of an earlier strike?
//!                                                  no: leader of a class, run to its end and judged
//!                                                  yes: merged, has the leader's result
//!                                                       1 % of these are run to their end as a control
//! ```
//! Words: a *strike* is one place where a fault can hit, with its faults; a *space* is all strikes of a sweep, in parts
//! called *strata*; a continuation is *ripe* at the first look at which all that the strike left behind may be gone; a
//! *class* is strikes with equal digests when ripe, and its *weight* is how many they are; its *leader* is the first of
//! them. Which strike leads and which is a control depends on the space and the seed alone, never on threads.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bevy_ecs::prelude::World;
use rand::RngExt as _;

use super::fork::Trunk;
use super::judge::{Class, Outcome};
use crate::checks::Checks;
use crate::event::{Event, Twin};
use crate::hosts::flash::Flash;
use crate::kernel::{Halt, Scoped, SimTime, Snapshot, Span, stream};
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use crate::run::{Run, finish};
use crate::scenario::{Fault, Loaded};

/// Continuations are looked at this often, at multiples of it, so that equal ones are looked at at equal times.
const LOOK: Span = Span::from_millis(100);
/// One that is not ripe so long after its strike runs to its end on its own.
const RIPENS_WITHIN: Span = Span::from_secs(120);
/// Most strikes in a row that one thread takes at once.
const CHUNK_MOST: usize = 256;

/// One place where a fault can hit.
#[derive(Clone, Debug)]
pub struct Strike {
    /// In which stratum.
    pub stratum: usize,
    /// What it is, in words.
    pub name: String,
    /// The fork must be made before this instant.
    pub at: SimTime,
    /// The faults that it adds to the scenario.
    pub faults: Vec<Fault>,
    /// When its continuation is ripe; none if it is to be run to its end in any case.
    pub ripe: Option<Ripe>,
}

/// When all that a strike left behind may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ripe {
    /// A pump has begun and ended so many flash operations, counted over the whole run: among them are the erases of the
    /// next try, after which nothing is left of what was in its flash.
    Operations {
        /// Which pump.
        pump: u8,
        /// How many.
        count: u64,
    },
    /// At the first look at or after this instant.
    At(SimTime),
}

impl Ripe {
    fn is_reached(self, twin: &Twin) -> bool {
        match self {
            Self::At(at) => twin.agenda.now() >= at,
            Self::Operations { pump, count } => {
                let entity = twin.world.resource::<Nodes>().get(NodeId::new(pump));
                let flash = entity.and_then(|entity| twin.world.get::<Flash>(entity));
                flash.is_some_and(|flash| {
                    flash.operations > count || (flash.operations == count && flash.operation.is_none())
                })
            }
        }
    }
}

/// All strikes of a sweep, numbered by the time of their forks.
pub trait Space: Sync {
    /// The run that they strike at.
    fn trunk(&self) -> &Trunk;
    /// Names of its parts.
    fn strata(&self) -> Vec<String>;
    /// How many strikes there are.
    fn len(&self) -> usize;
    /// How many there would be, where these are only drawn from them.
    fn size(&self) -> u128 {
        self.len() as u128
    }
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Judges the run of a strike's scenario.
    fn judge(&self, forked: &Loaded, run: &mut Run) -> Outcome;
    /// The strike of this number; those of higher numbers fork no earlier.
    fn strike(&self, number: usize) -> Strike;
}

/// How a sweep is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many strikes; all where none is given.
    pub sample: Option<usize>,
    /// Draws sample and controls.
    pub seed: u64,
    /// Threads.
    pub jobs: NonZero<usize>,
    /// Share of the merged strikes that is run to the end, in thousandths, and at least one.
    pub control_permille: u32,
    /// Whether continuations are merged at all.
    pub merge: bool,
}

/// What a sweep is at, for a progress bar: stage, done, of.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// One strike's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Number in the space.
    pub strike: usize,
    /// Stratum.
    pub stratum: usize,
    /// Whose run it has: its own number, or that of the leader of its class.
    pub leader: usize,
    /// What became of it.
    pub class: Class,
}

/// A control that did not come out as its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The strike.
    pub strike: usize,
    /// The leader of its class.
    pub leader: usize,
    /// What became of the strike.
    pub own: Outcome,
    /// What became of the leader.
    pub expected: Outcome,
}

/// The result of a sweep.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Every strike that was run or merged, by number.
    pub standings: Vec<Standing>,
    /// The outcome of each that was run to its end for its own sake, by number.
    pub outcomes: BTreeMap<usize, Outcome>,
    /// Merged strikes that were run out.
    pub controls: usize,
    /// Those of them that came out otherwise than their class.
    pub mismatches: Vec<Mismatch>,
}

impl Swept {
    /// How many strikes were merged into the class of another.
    #[must_use]
    pub fn merged(&self) -> usize {
        self.standings.iter().filter(|standing| standing.leader != standing.strike).count()
    }

    /// Weight of each class by its leader.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<usize, usize> {
        let mut weights = BTreeMap::new();
        for standing in &self.standings {
            *weights.entry(standing.leader).or_insert(0) += 1;
        }
        weights
    }

    /// How many strikes of a stratum ended in a class.
    #[must_use]
    pub fn count(&self, stratum: usize, class: Class) -> usize {
        self.standings.iter().filter(|one| one.stratum == stratum && one.class == class).count()
    }
}

/// Runs the strikes of `space`.
#[must_use]
pub fn sweep(space: &dyn Space, options: &Options, progress: Progress<'_>) -> Swept {
    let chosen = choose(space, options);
    let arrivals =
        run_chunks(space, options, &chosen, &|done, of| progress("strikes", done, of), |worker, _, strike| {
            worker.arrive(&strike)
        });
    let mut leaders: BTreeMap<u128, usize> = BTreeMap::new();
    let mut standings: Vec<Standing> = Vec::with_capacity(chosen.len());
    for (number, arrival) in chosen.iter().copied().zip(arrivals) {
        let leader = arrival.digest.map_or(number, |digest| *leaders.entry(digest).or_insert(number));
        standings.push(Standing { strike: number, stratum: arrival.stratum, leader, class: Class::Invalid });
    }
    let own: Vec<usize> = standings.iter().filter(|one| one.leader == one.strike).map(|one| one.strike).collect();
    let ends = run_chunks(space, options, &own, &|done, of| progress("classes", done, of), |worker, number, strike| {
        worker.run_out(number, &strike)
    });
    let outcomes: BTreeMap<usize, Outcome> = own.into_iter().zip(ends).collect();
    for standing in &mut standings {
        standing.class = outcomes.get(&standing.leader).map_or(Class::Invalid, |outcome| outcome.class);
    }
    let controls = draw_controls(&standings, options);
    let numbers: Vec<usize> = controls.iter().map(|one| one.strike).collect();
    let runs =
        run_chunks(space, options, &numbers, &|done, of| progress("controls", done, of), |worker, number, strike| {
            worker.run_out(number, &strike)
        });
    let mismatches = compare(&controls, runs, &outcomes);
    Swept { standings, outcomes, controls: controls.len(), mismatches }
}

fn compare(controls: &[Standing], runs: Vec<Outcome>, outcomes: &BTreeMap<usize, Outcome>) -> Vec<Mismatch> {
    let each = controls.iter().zip(runs);
    let differing = each.filter_map(|(control, own)| {
        let expected = outcomes.get(&control.leader)?.clone();
        let Standing { strike, leader, .. } = *control;
        (own != expected).then_some(Mismatch { strike, leader, own, expected })
    });
    differing.collect()
}

/// Which strikes are run: all, or a sample in which every stratum has the same number as far as it has so many.
fn choose(space: &dyn Space, options: &Options) -> Vec<usize> {
    let all = 0..space.len();
    let Some(sample) = options.sample.filter(|sample| *sample < space.len()) else { return all.collect() };
    let names = space.strata();
    let mut strata: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for number in all {
        strata[space.strike(number).stratum].push(number);
    }
    let mut order: Vec<usize> = (0..strata.len()).collect();
    order.sort_by_key(|stratum| strata[*stratum].len());
    let mut left = sample;
    let mut chosen = BTreeSet::new();
    for (taken, stratum) in order.into_iter().enumerate() {
        let members = &strata[stratum];
        let share = (left / (names.len() - taken)).min(members.len());
        left -= share;
        let mut random = stream(options.seed, &format!("sample of {}", names[stratum]));
        let before = chosen.len();
        while chosen.len() - before < share {
            chosen.insert(members[random.random_range(0..members.len())]);
        }
    }
    chosen.into_iter().collect()
}

/// The merged strikes that are run out.
fn draw_controls(standings: &[Standing], options: &Options) -> Vec<Standing> {
    let merged: Vec<&Standing> = standings.iter().filter(|one| one.leader != one.strike).collect();
    if merged.is_empty() || options.control_permille == 0 {
        return Vec::new();
    }
    let share = u64::try_from(merged.len()).unwrap_or(u64::MAX).saturating_mul(u64::from(options.control_permille));
    let count = usize::try_from(share.div_ceil(1_000)).unwrap_or(merged.len()).min(merged.len());
    let mut random = stream(options.seed, "controls");
    let mut drawn = BTreeSet::new();
    while drawn.len() < count {
        drawn.insert(random.random_range(0..merged.len()));
    }
    drawn.into_iter().map(|index| *merged[index]).collect()
}

type Saved = Snapshot<Event, Record>;

/// Where the runs of a chunk fork from.
struct Chunk<'a> {
    strikes: &'a [usize],
    from: Saved,
}

/// Lets threads run `strikes`, in chunks; the results are in the order of the strikes.
fn run_chunks<T: Send>(
    space: &dyn Space,
    options: &Options,
    strikes: &[usize],
    progress: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(&mut Worker<'_>, usize, Strike) -> T + Sync,
) -> Vec<T> {
    let each = (strikes.len() / (options.jobs.get() * 8)).clamp(1, CHUNK_MOST);
    let chunks = save_chunks(space, strikes, each);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(0);
    let results: Vec<Mutex<Vec<T>>> = chunks.iter().map(|_| Mutex::new(Vec::new())).collect();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get().min(chunks.len()) {
            scope.spawn(|| {
                let mut worker = Worker::new(space, options.merge);
                while let Some((chunk, result)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    chunks.get(number).zip(results.get(number))
                } {
                    let ran = worker.chunk(chunk, &work);
                    *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = ran;
                    // Told under the lock, so that no thread tells less than was told before.
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *done += chunk.strikes.len();
                    progress(*done, strikes.len());
                }
            });
        }
    });
    results
        .into_iter()
        .flat_map(|result| result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
        .collect()
}

/// Runs the trunk once more and saves where each chunk begins.
fn save_chunks<'a>(space: &dyn Space, strikes: &'a [usize], each: usize) -> Vec<Chunk<'a>> {
    let mut twin = space.trunk().twin();
    let chunks = strikes.chunks(each).map(|strikes| {
        let at = strikes.first().map_or(SimTime::ZERO, |first| space.strike(*first).at);
        let _ = twin.run_until(just_before(at));
        Chunk { strikes, from: twin.save() }
    });
    chunks.collect()
}

const fn just_before(at: SimTime) -> SimTime {
    SimTime::from_nanos(at.as_nanos().saturating_sub(1))
}

/// How far a strike came before it could be merged.
struct Arrival {
    stratum: usize,
    /// Of the ripe continuation; none if it has to run on its own.
    digest: Option<u128>,
}

/// One thread's twin.
struct Worker<'a> {
    space: &'a dyn Space,
    merge: bool,
    twin: Option<Twin>,
}

impl<'a> Worker<'a> {
    fn new(space: &'a dyn Space, merge: bool) -> Self {
        Self { space, merge, twin: None }
    }

    fn take_twin(&mut self) -> Twin {
        self.twin.take().unwrap_or_else(|| self.space.trunk().twin())
    }

    fn chunk<T>(&mut self, chunk: &Chunk<'_>, work: &impl Fn(&mut Self, usize, Strike) -> T) -> Vec<T> {
        let mut saved = chunk.from.clone();
        let mut saved_at = None;
        let mut results = Vec::with_capacity(chunk.strikes.len());
        for number in chunk.strikes {
            let strike = self.space.strike(*number);
            let mut twin = self.take_twin();
            twin.load(&saved);
            if saved_at != Some(strike.at) {
                let _ = twin.run_until(just_before(strike.at));
                saved = twin.save();
                saved_at = Some(strike.at);
            }
            self.twin = Some(twin);
            results.push(work(self, *number, strike));
        }
        results
    }

    /// Makes the worker's twin that of the strike's own scenario.
    fn strike(&mut self, strike: &Strike, name: &str) -> Result<(Loaded, Twin), String> {
        let trunk = self.space.trunk();
        let forked = trunk.forked(name, &strike.faults).map_err(|problems| {
            let words: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            words.join("; ")
        })?;
        let mut twin = self.take_twin();
        trunk.put(&mut twin, &forked.scenario).map_err(|error| error.to_string())?;
        Ok((forked, twin))
    }

    /// Runs until the continuation is ripe.
    fn arrive(&mut self, strike: &Strike) -> Arrival {
        let alone = Arrival { stratum: strike.stratum, digest: None };
        let Some(ripe) = strike.ripe.filter(|_| self.merge) else { return alone };
        let Ok((_, mut twin)) = self.strike(strike, "strike") else { return alone };
        let digest = ripen(&mut twin, strike.at, ripe);
        self.twin = Some(twin);
        Arrival { digest, ..alone }
    }

    /// Runs to the end and judges.
    fn run_out(&mut self, number: usize, strike: &Strike) -> Outcome {
        match self.strike(strike, &format!("strike-{number}")) {
            Err(why) => Outcome::unrun(why),
            Ok((forked, twin)) => {
                let mut run = finish(twin, &forked.scenario, |_| {});
                let outcome = self.space.judge(&forked, &mut run);
                // A twin that stopped in the middle of something is of no further use.
                if run.ending == crate::run::Ending::Regular {
                    self.twin = Some(run.twin);
                }
                outcome
            }
        }
    }
}

/// Runs until the continuation is ripe, and gives its digest; none if it ends before that or takes too long.
fn ripen(twin: &mut Twin, struck: SimTime, ripe: Ripe) -> Option<u128> {
    let last = struck + RIPENS_WITHIN;
    loop {
        let look = next_look(twin.agenda.now().max(struck));
        if look > last || twin.run_until(look) != Halt::TimeReached {
            return None;
        }
        if ripe.is_reached(twin) {
            return Some(twin.digest().ok()? ^ breaches(&twin.world));
        }
    }
}

/// The first look after an instant.
fn next_look(after: SimTime) -> SimTime {
    SimTime::from_nanos((after.as_nanos() / LOOK.as_nanos() + 1) * LOOK.as_nanos())
}

/// A hash of which checks broke so far: one that broke a check is merged only with others that broke the same.
fn breaches(world: &World) -> u128 {
    let rows = world.resource::<Scoped<Checks>>().rows().zip(0_u32..);
    rows.filter(|(row, _)| row.broken.is_some()).fold(0, |hash, (_, number)| {
        let bit = 1_u128 << (number % 128);
        hash ^ bit.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    })
}
