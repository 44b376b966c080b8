//! The supply of a unit against its configured limits, as a meter outside would see it.
//!
//! An *excursion* is the time that the true supply is beyond a limit; too low and too high are told apart, as the firmware counts them
//! apart. The converters round: a supply within one step of a limit may be read as beyond it, and then the firmware rightly counts from
//! there on. That instant is the *earliest* from which its count may run. An excursion that lasts so long that a trip must have come,
//! and after which the unit still drives something, is *missed*.
//!
//! A CPU counts in normal mode: an excursion that was there before *counts* from its entry on. A recovery may fall between two samples.
//! For a CPU that took no sample in it the excursion goes on; for what it may have counted before the limit so short a gap ends nothing,
//! whenever it samples.

use safety_common::fault::Fault;

use crate::kernel::{SimTime, Span};

/// The coarser step of the two converters at the supply's divider, rounded up: 3.3 V / 4096 / 0.031 is 26.0 mV (`SAFETY.md`, section 5).
const STEP_MV: u32 = 27;
/// An excursion this long trips always (SSR-009, SSR-011).
const TRIPS_ALWAYS: Span = Span::from_millis(502);
/// A recovery no longer than a tick of the slowest clock may lie between two samples.
const GAP: Span = Span::from_micros(1_001);
/// So long after the limit was crossed nothing may be driven any more.
const OFF_MOST: Span = Span::from_millis(503);

/// A side of the limits, and since when the supply is beyond it.
#[derive(Clone, Copy, Debug)]
struct Bound {
    is_low: bool,
    mv: u32,
    since: Option<SimTime>,
    /// The last excursion: since when, and its end.
    last: Option<(SimTime, SimTime)>,
}

/// An excursion that a unit did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Whether the supply was too low; else it was too high.
    pub is_low: bool,
    /// When it left its limit.
    pub crossing: SimTime,
    /// From when on it counts.
    pub since: SimTime,
    /// When nothing was driven any more.
    pub off: Option<SimTime>,
}

/// What is known of the supply of a unit.
#[derive(Clone, Debug)]
pub struct SupplyWatch {
    /// Of each side the limit, and one step of the converter before it.
    bounds: [Bound; 4],
    /// Excursions of which is not decided yet whether they were missed: side, begin, and from when on they count.
    due: Vec<(bool, SimTime, SimTime)>,
    /// Of each limit, by CPU: since when none of its samples can have been within it.
    beyond: [[Option<SimTime>; 2]; 2],
    /// By CPU: since when it is in normal mode.
    normal: [Option<SimTime>; 2],
    /// The last instant at which the supply was looked at.
    looked: SimTime,
    /// When the converter of each CPU last showed a wrong supply.
    misread: [Option<SimTime>; 2],
    /// Excursions that were missed.
    pub missed: Vec<Missed>,
}

impl Bound {
    const fn is_beyond(&self, mv: u32) -> bool {
        if self.is_low { mv < self.mv } else { mv > self.mv }
    }
}

impl SupplyWatch {
    /// For these limits in mV.
    #[must_use]
    pub fn new((min, max): (u32, u32)) -> Self {
        let bound = |is_low, mv| Bound { is_low, mv, since: None, last: None };
        Self {
            bounds: [
                bound(true, min),
                bound(false, max),
                bound(true, min.saturating_add(STEP_MV)),
                bound(false, max.saturating_sub(STEP_MV)),
            ],
            due: Vec::new(),
            beyond: [[None; 2]; 2],
            normal: [None; 2],
            looked: SimTime::ZERO,
            misread: [None; 2],
            missed: Vec::new(),
        }
    }

    /// Other limits from now on.
    pub fn adopt(&mut self, of: &Self) {
        for (own, other) in self.bounds.iter_mut().zip(&of.bounds) {
            if own.mv != other.mv {
                *own = *other;
            }
        }
    }

    /// The supply is looked at, once in each tick, and is so many mV; `at` tells what it was since the last time. When it crossed a bound
    /// is solved to the nanosecond within the present line of its profile.
    pub fn look(&mut self, now: SimTime, mv: u32, at: impl Fn(SimTime) -> u32) {
        let from = self.looked;
        for number in 0..self.bounds.len() {
            let bound = &self.bounds[number];
            if bound.is_beyond(mv) != bound.since.is_some() {
                self.cross(number, crossing(bound, from, now, &at));
            }
        }
        self.looked = now;
    }

    /// A step of the supply: what was within a bound before may be beyond it from this instant on.
    pub fn stepped(&mut self, now: SimTime, mv: u32) {
        for number in 0..self.bounds.len() {
            let bound = &self.bounds[number];
            if bound.is_beyond(mv) != bound.since.is_some() {
                self.cross(number, now);
            }
        }
        self.looked = now;
    }

    /// A CPU is in normal mode from now on, or no longer.
    pub fn counts(&mut self, cpu: usize, since: Option<SimTime>) {
        self.normal[cpu % 2] = since;
    }

    /// A CPU samples the supply.
    pub fn sampled(&mut self, cpu: usize, mv: u32) {
        for (bound, beyond) in self.bounds.iter().zip(&mut self.beyond) {
            if !bound.is_beyond(mv) {
                beyond[cpu % 2] = None;
            }
        }
    }

    fn cross(&mut self, number: usize, at: SimTime) {
        let counted = self.first_count(number);
        let bound = &mut self.bounds[number];
        let Some(since) = bound.since.take() else {
            let gap = bound.last.filter(|(_, end)| number >= 2 && at.since(*end) <= GAP);
            bound.since = Some(gap.map_or(at, |(since, _)| since));
            if let Some(beyond) = self.beyond.get_mut(number) {
                beyond.iter_mut().for_each(|one| *one = one.or(Some(at)));
            }
            return;
        };
        bound.last = Some((since, at));
        let is_low = bound.is_low;
        if let Some((crossing, from)) = counted.filter(|(_, from)| at > *from && at.since(*from) >= TRIPS_ALWAYS) {
            self.due.push((is_low, crossing, from));
        }
    }

    /// When the supply left a limit for the first CPU that counts, and from when on that counts; none if no CPU is in normal mode.
    fn first_count(&self, number: usize) -> Option<(SimTime, SimTime)> {
        let by_cpu = self.beyond.get(number)?.iter().zip(&self.normal);
        by_cpu
            .filter_map(|(beyond, normal)| Some(((*beyond)?, (*beyond)?.max((*normal)?))))
            .min_by_key(|(_, from)| *from)
    }

    /// Whether anything is driven in this tick: an excursion that should have tripped by now is missed then.
    pub fn judge(&mut self, now: SimTime, driven: bool) {
        let open = (0..2).filter_map(|number| {
            let bound = &self.bounds[number];
            bound.since?;
            let (crossing, from) = self.first_count(number)?;
            Some((bound.is_low, crossing, from))
        });
        let is_over = |from: SimTime| now > from + OFF_MOST;
        let over: Vec<(bool, SimTime, SimTime)> =
            open.chain(self.due.iter().copied()).filter(|(.., from)| is_over(*from)).collect();
        self.due.retain(|(.., from)| !is_over(*from));
        for (is_low, crossing, since) in over {
            let is_known = self.missed.iter().any(|one| (one.is_low, one.since) == (is_low, since));
            if driven && !is_known {
                self.missed.push(Missed { is_low, crossing, since, off: None });
            }
        }
    }

    /// Nothing is driven any more.
    pub fn off(&mut self, now: SimTime) {
        self.missed.iter_mut().for_each(|one| one.off = one.off.or(Some(now)));
    }

    /// The converter of a CPU shows a wrong supply in this tick.
    pub const fn misreads(&mut self, cpu: usize, now: SimTime) {
        self.misread[cpu % 2] = Some(now);
    }

    /// When the supply crossed the limit that this fault is about, for the samples of this CPU.
    #[must_use]
    pub fn crossing(&self, fault: Fault, cpu: usize) -> Option<SimTime> {
        let number = self.bounds[..2].iter().position(|bound| bound.is_low == (fault == Fault::SupplyLow))?;
        self.bounds[number].since?;
        self.beyond[number][cpu % 2]
    }

    /// From when on a CPU counts what this fault is about.
    #[must_use]
    pub fn counted(&self, fault: Fault, cpu: usize) -> Option<SimTime> {
        Some(self.crossing(fault, cpu)?.max(self.normal[cpu % 2].unwrap_or_default()))
    }

    /// The earliest instant from which a CPU may have counted what it detects now; none if its converter was wrong in between.
    #[must_use]
    pub fn earliest(&self, fault: Fault, cpu: usize, now: SimTime) -> Option<SimTime> {
        if self.misread[cpu % 2].is_some_and(|last| now.since(last) <= OFF_MOST) {
            return None;
        }
        let since = self.bounds[2..].iter().find(|bound| bound.is_low == (fault == Fault::SupplyLow))?.since?;
        Some(since.max(self.normal[cpu % 2].unwrap_or_default()))
    }
}

/// When a bound was crossed within a line.
fn crossing(bound: &Bound, from: SimTime, to: SimTime, at: impl Fn(SimTime) -> u32) -> SimTime {
    let beyond = bound.since.is_none();
    let (mut low, mut high) = (from.as_nanos(), to.as_nanos());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if bound.is_beyond(at(SimTime::from_nanos(middle))) == beyond {
            high = middle;
        } else {
            low = middle;
        }
    }
    SimTime::from_nanos(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    /// 17 V from 1 s on for so many ms, ticks of 1 ms, and something driven until then; what was missed.
    fn dip(lasts: u64, driven_until: u64) -> Vec<Missed> {
        let mut watch = SupplyWatch::new((18_000, 30_000));
        watch.counts(0, Some(ms(10)));
        for tick in 0..4_000 {
            let mv = |at: SimTime| if (ms(1_000)..ms(1_000 + lasts)).contains(&at) { 17_000 } else { 24_000 };
            watch.look(ms(tick), mv(ms(tick)), mv);
            watch.sampled(0, mv(ms(tick)));
            watch.judge(ms(tick), tick < driven_until);
            if tick == driven_until {
                watch.off(ms(tick));
            }
        }
        watch.missed
    }

    #[test]
    fn an_excursion_of_502_ms_is_missed_where_something_is_driven_503_ms_after_it_began() {
        let missed = |off| Missed { is_low: true, crossing: ms(1_000), since: ms(1_000), off };
        assert_eq!(dip(501, 4_000), [], "either is right");
        assert_eq!(dip(502, 4_000), [missed(None)]);
        assert_eq!(dip(2_000, 4_000), [missed(None)]);
        assert_eq!(dip(2_000, 1_503), [], "off in time");
        assert_eq!(dip(2_000, 1_505), [missed(Some(ms(1_505)))]);
        assert_eq!(dip(502, 1_505), [missed(Some(ms(1_505)))], "over by then");
    }

    /// 17 V from 1 s on; the CPUs come to normal mode at 1.2 s and 1.3 s.
    #[test]
    fn an_excursion_counts_from_the_first_cpu_in_normal_mode_on() {
        let mut watch = SupplyWatch::new((18_000, 30_000));
        for tick in 0..2_000 {
            if let Some(cpu) = [1_200, 1_300].iter().position(|entry| *entry == tick) {
                watch.counts(cpu, Some(ms(tick)));
            }
            let mv = |at: SimTime| if at >= ms(1_000) { 17_000 } else { 24_000 };
            watch.look(ms(tick), mv(ms(tick)), mv);
            watch.judge(ms(tick), true);
            assert_eq!(watch.missed.is_empty(), tick <= 1_703, "{tick}");
        }
        let at = |cpu| (watch.counted(Fault::SupplyLow, cpu), watch.earliest(Fault::SupplyLow, cpu, ms(1_999)));
        assert_eq!((at(0), at(1)), ((Some(ms(1_200)), Some(ms(1_200))), (Some(ms(1_300)), Some(ms(1_300)))));
    }

    /// 17 V with a recovery of 1 ms, or 2 ms, in the middle.
    #[test]
    fn a_gap_between_two_samples_ends_no_count() {
        for (gap, earliest) in [(1, 1_000), (2, 1_252)] {
            let mut watch = SupplyWatch::new((18_000, 30_000));
            watch.counts(0, Some(ms(10)));
            for tick in 0..1_510 {
                let low = |at: SimTime| at >= ms(1_000) && !(ms(1_250)..ms(1_250 + gap)).contains(&at);
                let mv = |at: SimTime| if low(at) { 17_000 } else { 24_000 };
                watch.look(ms(tick), mv(ms(tick)), mv);
                watch.sampled(0, mv(ms(tick)));
                watch.judge(ms(tick), true);
            }
            let second = ms(1_250 + gap);
            assert_eq!(watch.earliest(Fault::SupplyLow, 0, ms(1_510)), Some(ms(earliest)), "{gap} ms");
            assert_eq!((watch.crossing(Fault::SupplyLow, 0), &watch.missed[..]), (Some(second), &[][..]), "{gap} ms");
        }
    }

    /// 17 V from 1 s on, back to 24 V for 0.4 ms every 250 ms; CPU1 samples on each millisecond, CPU2 in the middle of it. Recoveries that
    /// no CPU samples, that CPU1 samples, and that either samples in turn.
    #[test]
    fn a_recovery_ends_an_excursion_only_for_who_samples_in_it() {
        let missed = |offsets: [u64; 2]| {
            let mut watch = SupplyWatch::new((18_000, 30_000));
            (0..2).for_each(|cpu| watch.counts(cpu, Some(ms(10))));
            let half = Span::from_micros(500);
            let recovers =
                |number: u64| ms(1_000 + 250 * (number + 1)) + Span::from_micros(offsets[number as usize % 2]);
            let mv = |at: SimTime| {
                let is_back =
                    (0..8).any(|number| (recovers(number)..recovers(number) + Span::from_micros(400)).contains(&at));
                if at < ms(1_000) || is_back { 24_000 } else { 17_000 }
            };
            for tenth in 0..30_000 {
                let now = SimTime::ZERO + Span::from_micros(100 * tenth);
                watch.stepped(now, mv(now));
                for cpu in [0, 1] {
                    if now.since(SimTime::ZERO).as_nanos() % 1_000_000 == half.as_nanos() * cpu {
                        watch.sampled(cpu as usize, mv(now));
                        watch.judge(now, true);
                    }
                }
            }
            watch.missed.first().map(|one| one.since)
        };
        assert_eq!(missed([50, 50]), Some(ms(1_000)), "between all samples");
        assert_eq!(missed([800, 800]), Some(ms(1_000)), "CPU2 goes on");
        // Each has a sample in every second one: neither counts for longer than 500 ms.
        assert_eq!(missed([800, 300]), None);
    }

    /// From 24 V down by 1 mV each ms: 18 V is crossed at 6 s, 18.027 V 27 ms before.
    #[test]
    fn a_slow_fall_may_be_counted_from_one_step_of_the_converter_before_the_limit() {
        let mut watch = SupplyWatch::new((18_000, 30_000));
        let mv = |at: SimTime| 24_000 - u32::try_from(at.as_nanos() / 1_000_000).expect("small");
        for tick in 0..6_500u64 {
            watch.look(ms(tick), mv(ms(tick)), mv);
        }
        assert_eq!(watch.crossing(Fault::SupplyLow, 0), Some(ms(6_001)));
        assert_eq!(watch.earliest(Fault::SupplyLow, 0, ms(6_500)), Some(ms(5_974)));
        assert_eq!(
            (watch.crossing(Fault::SupplyHigh, 0), watch.earliest(Fault::SupplyHigh, 0, ms(6_500))),
            (None, None)
        );
        watch.misreads(1, ms(6_000));
        assert_eq!(watch.earliest(Fault::SupplyLow, 1, ms(6_500)), None, "a wrong converter counts what it likes");
        assert!(watch.earliest(Fault::SupplyLow, 0, ms(6_500)).is_some());
    }
}
