//! Watch over the clocks: does the peer's counter keep this CPU's pace?
//!
//! SSR-013.
//!
//! Diverse: not a leaky sum over packets but a *line through the best points*. Of each window the packet that came least
//! late is kept as a point (counter, time). A slow peer moves the points away from the line of the last window; a fast
//! peer is seen with its first packet that comes before any point of that line could. What is within the legal slope is
//! taken off. So one packet that was held up on the way says nothing about a clock.

use safety_common::{DRIFT_EXCESS_NS_MOST, DRIFT_LEGAL_NS};
use units::Instant;

/// Ticks of the peer that a window covers.
const WINDOW_TICKS: u32 = 32;
const TICK_NS: i64 = 1_000_000;

/// A good packet: its counter and when it came.
#[derive(Clone, Copy, Debug)]
struct Point {
    counter: u32,
    at: Instant,
}

impl Point {
    /// Ticks of the peer since `earlier`.
    const fn ticks_since(self, earlier: Self) -> u32 {
        self.counter.wrapping_sub(earlier.counter)
    }

    /// By how many ns this packet came later than the line through `earlier` says; negative: sooner.
    fn late_against(self, earlier: Self) -> i64 {
        let micros = self.at.as_micros() as i64;
        let taken = micros.saturating_sub(earlier.at.as_micros() as i64).saturating_mul(1_000);
        taken.saturating_sub(i64::from(self.ticks_since(earlier)).saturating_mul(TICK_NS))
    }
}

/// The points of two windows and what has piled up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    /// First packet of the window under way.
    first: Option<Point>,
    /// Least late packet of the window under way.
    best: Option<Point>,
    /// Least late packet of the window before.
    line: Option<Point>,
    /// Ns beyond the legal slope, peer slow.
    slow: i64,
    /// Ns beyond the legal slope, peer fast; of whole windows and of the window under way.
    fast: i64,
    fast_now: i64,
}

impl Drift {
    /// A good packet came.
    pub(crate) fn follow(&mut self, counter: u32, at: Instant) {
        let point = Point { counter, at };
        let (Some(first), Some(best)) = (self.first, self.best) else {
            self.first = Some(point);
            self.best = Some(point);
            return;
        };
        if let Some(line) = self.line {
            let early = point.late_against(line).saturating_neg().saturating_sub(legal(point.ticks_since(line)));
            self.fast_now = self.fast_now.max(self.fast.saturating_add(early));
        }
        if point.late_against(best) < 0 {
            self.best = Some(point);
        }
        if point.ticks_since(first) >= WINDOW_TICKS {
            self.close();
        }
    }

    /// Whether more than two ticks have piled up in either direction.
    pub(crate) fn is_excessive(&self) -> bool {
        let most = i64::from(DRIFT_EXCESS_NS_MOST);
        self.slow > most || self.fast_now > most
    }

    /// The end of a window: its best point becomes the line.
    fn close(&mut self) {
        if let (Some(line), Some(best)) = (self.line, self.best) {
            let late = best.late_against(line);
            let legal = legal(best.ticks_since(line));
            self.slow = self.slow.saturating_add(late).saturating_sub(legal).max(0);
            self.fast = self.fast.saturating_sub(late).saturating_sub(legal).max(0);
        }
        self.fast_now = self.fast;
        self.line = self.best;
        self.first = None;
        self.best = None;
    }
}

fn legal(ticks: u32) -> i64 {
    i64::from(ticks).saturating_mul(i64::from(DRIFT_LEGAL_NS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a peer whose tick is `tick_ns` long, each packet late by `late_us(packet)`; gives the first excessive packet.
    fn run(tick_ns: u64, packets: u32, late_us: impl Fn(u32) -> u64) -> Option<u32> {
        let mut drift = Drift::default();
        for packet in 0..packets {
            let at = Instant::from_micros(u64::from(packet) * tick_ns / 1_000 + late_us(packet) + 5_000_000);
            drift.follow(packet.wrapping_add(u32::MAX - 1_000), at);
            if drift.is_excessive() {
                return Some(packet);
            }
        }
        None
    }

    /// SSR-013: clocks at +0.1 % and -0.1 % differ by 0.2002 %: an hour without a trip, with jitter and held-up packets.
    #[test]
    fn legal_clocks_with_late_packets_never_trip() {
        for tick_ns in [997_998, 1_000_000, 1_002_003] {
            let hour = 3_600_000;
            assert_eq!(run(tick_ns, hour, |packet| u64::from(packet * 37 % 97)), None);
            assert_eq!(run(tick_ns, hour, |packet| if packet % 1_000 == 7 { 18_000 } else { 0 }), None);
        }
    }

    /// SSR-013: 24 hours at +0.1 % against -0.1 %, both ways, packets stamped in whole microseconds.
    #[test]
    #[ignore = "long: 86.4 million packets each way"]
    fn a_day_of_legal_drift_never_trips() {
        for tick_ns in [997_998, 998_002, 1_002_002, 1_002_003] {
            assert_eq!(run(tick_ns, 86_400_000, |packet| u64::from(packet % 3)), None, "{tick_ns}");
        }
    }

    #[test]
    fn illegal_clocks_trip_in_the_time_that_the_excess_takes() {
        // 2 ms beyond 0.21 %: 2 / (0.01 - 0.0021) = 253 packets; a slow peer is seen at the end of a window, the first sets the line.
        let fast = run(990_000, 1_000, |_| 0).unwrap_or(0);
        assert!((253..=253 + 33).contains(&fast), "{fast}");
        let slow = run(1_010_000, 1_000, |_| 0).unwrap_or(0);
        assert!((253..=253 + 66).contains(&slow), "{slow}");
        let very_slow = run(1_100_000, 1_000, |_| 0).unwrap_or(0);
        assert!((21..=66).contains(&very_slow), "{very_slow}");
    }

    /// A clock that runs away while held-up packets hide it for a while.
    #[test]
    fn held_up_packets_do_not_hide_a_fast_peer_for_long() {
        let found = run(990_000, 1_000, |packet| if packet % 4 == 0 { 5_000 } else { 0 }).unwrap_or(0);
        assert!((253..=253 + 40).contains(&found), "{found}");
    }
}
