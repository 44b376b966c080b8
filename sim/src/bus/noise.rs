//! Bit errors on the line: at random, in bursts, and planned ones.
//!
//! The line asks once per frame whether any bit of it will be hit, so that a clean bus costs nothing; only a frame
//! that will be hit is played bit by bit. Random hits come from geometric skips, one draw per hit instead of one per
//! bit. Words: a *hit* is one bit that some stations read inverted; its *victims* are those stations; a *source*
//! makes random hits during a window of time; an *injection* is the number under which the fault domain knows it.

use std::hash::{Hash, Hasher};

use rand::Rng;

use super::exchange::Line;
use crate::kernel::{SimTime, Stream, hash_stream};

/// Every station.
pub const ALL_NODES: u32 = u32::MAX;
const BITS_PER_RATE: f64 = 1e9;

/// Hits a bit of chosen frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlannedHit {
    /// The number under which the fault domain knows it.
    pub injection: u32,
    /// Arbitration key of the frames meant, see [`super::wire::arbitration_key`]; `None`: any frame.
    pub key: Option<u32>,
    /// The first attempt that is hit, counted from 1 among attempts with that id, retransmissions included.
    pub nth: u32,
    /// How many attempts in a row are hit.
    pub times: u32,
    /// Position of the bit, SOF is 0, stuff bits counted; beyond the frame nothing happens.
    pub bit: u32,
    /// Mask of the nodes that read it inverted.
    pub victims: u32,
}

/// A source of random bit errors.
#[derive(Clone, Debug)]
pub struct RandomHits {
    /// The number under which the fault domain knows it.
    pub injection: u32,
    /// When it begins.
    pub from: SimTime,
    /// When it is over.
    pub to: SimTime,
    /// Errors per 10^9 bits, up to 10^9.
    pub rate: u32,
    /// Mask of the nodes that read the bit inverted.
    pub victims: u32,
    /// Where the random numbers come from.
    pub stream: Stream,
}

impl Hash for RandomHits {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { injection, from, to: end, rate, victims, stream } = self;
        (injection, from, end, rate, victims).hash(to);
        hash_stream(stream, to);
    }
}

#[derive(Clone, Debug, Hash)]
struct Source {
    hits: RandomHits,
    /// Bits inside the window until the next hit.
    skip: u64,
}

#[derive(Clone, Copy, Debug, Hash)]
struct Planned {
    hit: PlannedHit,
    attempts: u32,
}

/// A bit that victims read inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hit {
    /// Who made it.
    pub(super) injection: u32,
    /// Mask of the nodes that read it inverted.
    pub(super) victims: u32,
}

/// All sources of bit errors of a segment.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Noise {
    sources: Vec<Source>,
    planned: Vec<Planned>,
}

impl Noise {
    /// Adds a source of random hits.
    pub(super) fn add_random(&mut self, mut hits: RandomHits) {
        let skip = draw_skip(&mut hits.stream, hits.rate);
        self.sources.push(Source { hits, skip });
    }

    /// Adds a planned hit; attempts count from now.
    pub(super) fn add_planned(&mut self, hit: PlannedHit) {
        self.planned.push(Planned { hit, attempts: 0 });
    }

    /// Ends everything that `injection` does.
    pub(super) fn remove(&mut self, injection: u32) {
        self.sources.retain(|source| source.hits.injection != injection);
        self.planned.retain(|planned| planned.hit.injection != injection);
    }

    /// Whether the frame with `key` from `start` passes without a hit.
    #[must_use]
    pub(super) fn spares(&self, key: u32, start: SimTime, bit_ns: u64, bits: u32) -> bool {
        let mut random = self.sources.iter();
        let mut planned = self.planned.iter();
        random.all(|source| source.skip >= source.exposed(start, bit_ns, bits)) && !planned.any(|p| p.due(key))
    }

    /// A frame with `key` passed without being played bit by bit.
    pub(super) fn passed(&mut self, key: u32, start: SimTime, bit_ns: u64, bits: u32) {
        for source in &mut self.sources {
            source.skip = source.skip.saturating_sub(source.exposed(start, bit_ns, bits));
        }
        self.count_attempt(key);
    }

    /// An attempt with `key` is over.
    pub(super) fn count_attempt(&mut self, key: u32) {
        for planned in self.planned.iter_mut().filter(|planned| planned.concerns(key)) {
            planned.attempts += 1;
        }
        self.planned.retain(|planned| planned.attempts < planned.last());
    }

    /// Adds to `to` what hits bit `at`, which is on the line at `time`; `key` is that of the present frame.
    pub(super) fn hits(&mut self, key: Option<u32>, at: u64, time: SimTime, to: &mut Vec<Hit>) {
        for source in &mut self.sources {
            source.tick(time, to);
        }
        let Some(key) = key else { return };
        for planned in self.planned.iter().filter(|p| u64::from(p.hit.bit) == at && p.due(key)) {
            to.push(Hit { injection: planned.hit.injection, victims: planned.hit.victims });
        }
    }
}

impl Planned {
    fn concerns(&self, key: u32) -> bool {
        self.hit.key.is_none_or(|own| own == key)
    }

    /// The last attempt to hit.
    fn last(&self) -> u32 {
        self.hit.nth.max(1).saturating_add(self.hit.times).saturating_sub(1)
    }

    /// Whether the attempt now on the line is one to hit.
    fn due(&self, key: u32) -> bool {
        self.concerns(key) && self.attempts + 1 >= self.hit.nth
    }
}

impl Source {
    /// How many of the frame's bits lie inside the window.
    fn exposed(&self, start: SimTime, bit_ns: u64, bits: u32) -> u64 {
        let up_to = |instant: SimTime| instant.since(start).as_nanos().div_ceil(bit_ns).min(u64::from(bits));
        up_to(self.hits.to).saturating_sub(up_to(self.hits.from))
    }

    fn tick(&mut self, time: SimTime, to: &mut Vec<Hit>) {
        if time < self.hits.from || time >= self.hits.to {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.skip = draw_skip(&mut self.hits.stream, self.hits.rate);
        to.push(Hit { injection: self.hits.injection, victims: self.hits.victims });
    }
}

/// How many bits pass before the next hit: geometric, as independent hits at `rate` per 10^9 bits are.
fn draw_skip(stream: &mut Stream, rate: u32) -> u64 {
    let probability = f64::from(rate) / BITS_PER_RATE;
    if probability <= 0.0 {
        return u64::MAX;
    }
    if probability >= 1.0 {
        return 0;
    }
    // 53 random bits, moved off zero: uniform in (0, 1].
    let uniform = ((stream.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (libm::log(uniform) / libm::log1p(-probability)) as u64
}

/// What the fault domain may ask of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Medium {
    /// Bit `n`: the bus is open between node `n` and the next one on the line.
    pub open_after: u32,
    /// Nodes whose plug is off.
    pub unplugged: u32,
    /// Nodes at which the line is held dominant.
    pub stuck_dominant: u32,
    /// Nodes at which the line is short-circuited, so that nothing becomes dominant.
    pub stuck_recessive: u32,
}

impl Medium {
    /// How the line of the segment with these members behaves; a held line wins over a shorted one.
    #[must_use]
    pub fn line(&self, members: u32) -> Line {
        if self.stuck_dominant & members != 0 {
            Line::StuckDominant
        } else if self.stuck_recessive & members != 0 {
            Line::StuckRecessive
        } else {
            Line::Wired
        }
    }

    /// The members of every segment that `nodes` fall into, in the order of the line; an unplugged node is alone.
    #[must_use]
    pub fn segments(&self, nodes: u32) -> Vec<u32> {
        let mut segments = Vec::new();
        let mut present = 0;
        for node in 0..32 {
            let bit = 1 << node;
            match (nodes & bit != 0, self.unplugged & bit != 0) {
                (true, true) => segments.push(bit),
                (true, false) => present |= bit,
                (false, _) => {}
            }
            if self.open_after & bit != 0 && present != 0 {
                segments.push(std::mem::take(&mut present));
            }
        }
        if present != 0 {
            segments.push(present);
        }
        segments
    }
}
