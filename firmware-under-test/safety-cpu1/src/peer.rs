//! Supervision of the other CPU: silence, errors, clock, mode, identity.
//!
//! Time stamps of the receiver's hardware, not counts of ticks, decide about silence: a packet may come 0 or 2 times in a
//! tick of a CPU whose clock is legally slower or faster, and 18 losses must be told from 20.

use safety_common::fault::Fault;
use safety_common::io::{C2cReceived, Mode};
use safety_common::{C2C_ERROR_DRAIN_TICKS, C2C_ERRORS_MOST, C2C_SILENCE, DRIFT_EXCESS_NS_MOST, DRIFT_LEGAL_NS};
use units::Instant;

use crate::Trip;
use crate::packet::{Identity, Packet};

/// A counter this far ahead of the last good one is believed.
const COUNTER_AHEAD_MOST: u32 = 1_000;
/// The peer may still say "ready" for this long after this CPU went to normal mode.
const READY_TICKS: u32 = 20;
/// The clock is judged by the least delayed packet of so many ticks, so that a delayed packet is no drift.
const CLOCK_WINDOW_TICKS: u32 = 32;

/// What is known of the peer.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    last: Option<(Instant, u32)>,
    packet: Packet,
    has_news: bool,
    errors: ErrorRate,
    clock: ClockWatch,
    normal_ticks: u32,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self {
            last: None,
            packet: Packet::default(),
            has_news: false,
            errors: ErrorRate::default(),
            clock: ClockWatch::default(),
            normal_ticks: 0,
        }
    }

    /// The last good packet; where several came in one step, a stop in any of them counts.
    pub(crate) const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// Whether a good packet came in this step.
    pub(crate) const fn has_news(&self) -> bool {
        self.has_news
    }

    /// Start-up and configuration: takes good packets; a peer that restarts begins a new sequence.
    pub(crate) fn listen(&mut self, received: &[C2cReceived]) {
        self.has_news = false;
        for (at, packet) in received.iter().filter_map(good) {
            self.last = Some((at, packet.counter));
            self.packet = packet;
            self.has_news = true;
        }
    }

    /// Normal mode: takes good packets and judges the peer.
    ///
    /// # Errors
    /// The internal fault that was seen.
    pub(crate) fn supervise(&mut self, now: Instant, received: &[C2cReceived], own: &Identity) -> Result<(), Trip> {
        self.normal_ticks = self.normal_ticks.saturating_add(1);
        self.has_news = false;
        for (at, packet) in received.iter().filter_map(good) {
            self.take(at, packet, own)?;
        }
        let silence = self.last.map_or(C2C_SILENCE, |(at, _)| now.since(at));
        if silence >= C2C_SILENCE {
            return Err(Trip::new(Fault::C2cSilent, 0));
        }
        self.errors.tick()?;
        self.clock.tick()
    }

    fn take(&mut self, at: Instant, packet: Packet, own: &Identity) -> Result<(), Trip> {
        let (last_at, counter) = self.last.unwrap_or((at, packet.counter.wrapping_sub(1)));
        let ahead = packet.counter.wrapping_sub(counter);
        if ahead == 0 || ahead > COUNTER_AHEAD_MOST {
            return Ok(());
        }
        if at.since(last_at) >= C2C_SILENCE {
            return Err(Trip::new(Fault::C2cSilent, 1));
        }
        self.errors.missed(ahead.saturating_sub(1));
        self.clock.observe(at.since(last_at).as_micros(), ahead);
        self.last = Some((at, packet.counter));
        self.remember(packet);
        compare(own, &packet.identity)?;
        self.judge_mode(packet.mode)
    }

    /// Several packets in one step: a stop in any of them counts.
    fn remember(&mut self, mut packet: Packet) {
        if self.has_news {
            packet.inputs_on &= self.packet.inputs_on;
            packet.outputs_on &= self.packet.outputs_on;
            packet.relays_on &= self.packet.relays_on;
            packet.outputs_failed |= self.packet.outputs_failed;
        }
        self.packet = packet;
        self.has_news = true;
    }

    fn judge_mode(&self, mode: Mode) -> Result<(), Trip> {
        match mode {
            Mode::Normal => Ok(()),
            Mode::Ready if self.normal_ticks <= READY_TICKS => Ok(()),
            other => Err(Trip::new(Fault::PeerMode, other as u32)),
        }
    }
}

fn good(received: &C2cReceived) -> Option<(Instant, Packet)> {
    Packet::decode(&received.bytes).map(|packet| (received.at, packet))
}

/// Holds what the peer says it is against what this CPU is (SSR-062, SSR-063).
///
/// # Errors
/// [`Fault::ReleaseDiffers`] or [`Fault::PeerDataDiffers`].
pub(crate) fn compare(own: &Identity, peer: &Identity) -> Result<(), Trip> {
    if (own.release_id, own.release_hash) != (peer.release_id, peer.release_hash) {
        return Err(Trip::new(Fault::ReleaseDiffers, peer.release_id));
    }
    if own != peer {
        return Err(Trip::new(Fault::PeerDataDiffers, peer.configuration_hash));
    }
    Ok(())
}

/// Errors that pile up over a long time (SSR-020): a bucket that drains slowly.
#[derive(Clone, Debug, Default)]
struct ErrorRate {
    errors: u32,
    drain: u32,
}

impl ErrorRate {
    fn missed(&mut self, packets: u32) {
        self.errors = self.errors.saturating_add(packets);
    }

    fn tick(&mut self) -> Result<(), Trip> {
        self.drain = self.drain.saturating_add(1);
        if self.drain >= C2C_ERROR_DRAIN_TICKS {
            self.drain = 0;
            self.errors = self.errors.saturating_sub(1);
        }
        if self.errors > C2C_ERRORS_MOST { Err(Trip::new(Fault::C2cErrorRate, self.errors)) } else { Ok(()) }
    }
}

/// The peer's clock against this CPU's (SSR-013).
///
/// The *lag* is receive time less the time the peer's counter stands for. Delay makes it larger, never smaller, so the
/// smallest lag of a window tells the clock. The base follows it at the legal rate; what it cannot follow is excess.
#[derive(Clone, Debug, Default)]
struct ClockWatch {
    lag_ns: i64,
    smallest_ns: Option<i64>,
    base_ns: Option<i64>,
    ticks: u32,
}

impl ClockWatch {
    fn observe(&mut self, elapsed_us: u64, packets: u32) {
        let elapsed_ns = i64::try_from(elapsed_us).unwrap_or(i64::MAX).saturating_mul(1_000);
        let counted_ns = i64::from(packets).saturating_mul(1_000_000);
        self.lag_ns = self.lag_ns.saturating_add(elapsed_ns).saturating_sub(counted_ns);
        self.smallest_ns = Some(self.smallest_ns.map_or(self.lag_ns, |smallest| smallest.min(self.lag_ns)));
    }

    fn tick(&mut self) -> Result<(), Trip> {
        self.ticks = self.ticks.saturating_add(1);
        let excess = self.excess();
        let is_fast = excess < -i64::from(DRIFT_EXCESS_NS_MOST);
        if is_fast || (self.ticks >= CLOCK_WINDOW_TICKS && self.end_window(excess)) {
            let microseconds = u32::try_from(excess.unsigned_abs() / 1_000).unwrap_or(u32::MAX);
            return Err(Trip::new(Fault::ClockDrift, microseconds));
        }
        Ok(())
    }

    fn excess(&self) -> i64 {
        match (self.smallest_ns, self.base_ns) {
            (Some(smallest), Some(base)) => smallest.saturating_sub(base),
            _ => 0,
        }
    }

    /// Moves the base; `true` if the peer is too slow.
    fn end_window(&mut self, excess: i64) -> bool {
        let legal = i64::from(DRIFT_LEGAL_NS).saturating_mul(i64::from(self.ticks));
        self.base_ns = match self.base_ns {
            Some(base) => Some(base.saturating_add(excess.clamp(-legal, legal))),
            None => self.smallest_ns,
        };
        self.ticks = 0;
        self.smallest_ns = None;
        excess > i64::from(DRIFT_EXCESS_NS_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SSR-020: a full bucket takes one more error after every 15 minutes, not sooner.
    #[test]
    fn one_error_drains_in_fifteen_minutes() {
        let mut rate = ErrorRate::default();
        rate.missed(C2C_ERRORS_MOST);
        for _ in 0..3 {
            for tick in 1..C2C_ERROR_DRAIN_TICKS {
                assert_eq!(rate.tick(), Ok(()), "{tick}");
            }
            let mut early = rate.clone();
            early.drain = 0;
            early.missed(1);
            assert!(early.tick().is_err());
            assert_eq!(rate.tick(), Ok(()));
            rate.missed(1);
        }
    }

    /// SSR-032, SSR-037: of several packets of one tick a stop in any counts, whichever comes last; in the next tick the newest alone.
    #[test]
    fn a_stop_in_any_packet_of_a_tick_counts() {
        let on = Packet {
            mode: Mode::Normal,
            inputs_on: 0b11,
            outputs_on: 0b110,
            outputs_failed: 0,
            relays_on: 0b11,
            ..Packet::default()
        };
        let stops = [
            Packet { inputs_on: 0b10, ..on },
            Packet { outputs_on: 0b100, ..on },
            Packet { relays_on: 0b1, ..on },
            Packet { outputs_failed: 0b100, ..on },
        ];
        let states = |one: &Packet| (one.inputs_on, one.outputs_on, one.relays_on, one.outputs_failed);
        let own = Identity::default();
        for stop in stops {
            for order in [[stop, on], [on, stop]] {
                let mut peer = Peer::new();
                let at = |ms: u64| Instant::from_micros(ms * 1_000);
                for (packet, counter) in order.into_iter().zip(1..) {
                    assert_eq!(peer.take(at(1), Packet { counter, ..packet }, &own), Ok(()));
                }
                assert_eq!(states(peer.packet()), states(&stop));
                assert_eq!(peer.supervise(at(2), &[], &own), Ok(()));
                assert_eq!(states(peer.packet()), states(&stop), "what was told stays");
                assert_eq!(peer.take(at(2), Packet { counter: 3, ..on }, &own), Ok(()));
                assert_eq!(states(peer.packet()), states(&on));
            }
        }
    }

    /// SSR-018, SSR-019: a counter must be ahead by 1 to 1000; what is not tells nothing.
    #[test]
    fn a_packet_whose_counter_is_not_ahead_is_dropped() {
        let own = Identity::default();
        let at = |ms: u64| Instant::from_micros(ms * 1_000);
        for (ahead, is_good) in
            [(1, true), (1_000, true), (0, false), (1_001, false), (u32::MAX, false), (1 << 31, false)]
        {
            let mut peer = Peer::new();
            let packet = Packet { mode: Mode::Normal, counter: 7, ..Packet::default() };
            assert_eq!(peer.take(at(1), packet, &own), Ok(()));
            let news = Packet { counter: 7u32.wrapping_add(ahead), inputs_on: 0b1, ..packet };
            peer.has_news = false;
            assert_eq!(peer.take(at(2), news, &own), Ok(()), "{ahead}");
            assert_eq!(
                (peer.packet().inputs_on == 1, peer.last == Some((at(2), news.counter))),
                (is_good, is_good),
                "{ahead}"
            );
        }
    }

    /// Runs so many ticks with a peer whose ticks are `tick_ns` of this CPU's time long, each packet late by `late_us(packet)`; the
    /// tick of the trip.
    fn run(tick_ns: u64, ticks: u64, late_us: impl Fn(u64) -> u64) -> Option<u64> {
        let mut clock = ClockWatch::default();
        let comes = |packet: u64| packet * tick_ns / 1_000 + late_us(packet);
        let (mut packet, mut last) = (1, comes(0));
        (1..=ticks).find(|tick| {
            while comes(packet) <= tick * 1_000 {
                clock.observe(comes(packet) - last, 1);
                last = comes(packet);
                packet += 1;
            }
            clock.tick().is_err()
        })
    }

    /// SSR-013: a quarter of an hour at +0.1 % against -0.1 %, both ways; what is beyond the limit trips.
    #[test]
    fn legal_clocks_never_trip_and_others_do() {
        for tick_ns in [997_998, 998_002, 1_000_000, 1_002_002, 1_002_003] {
            assert_eq!(run(tick_ns, 900_000, |packet| packet % 3), None, "{tick_ns}");
        }
        for tick_ns in [997_000, 1_003_000] {
            assert!(run(tick_ns, 5_000, |packet| packet % 3).is_some(), "{tick_ns}");
        }
    }

    /// SSR-013: 24 hours at +0.1 % against -0.1 %, both ways, packets stamped in whole microseconds.
    #[test]
    #[ignore = "long: 86.4 million ticks each way"]
    fn a_day_of_legal_drift_never_trips() {
        for tick_ns in [997_998, 998_002, 1_002_002, 1_002_003] {
            assert_eq!(run(tick_ns, 86_400_000, |packet| packet % 3), None, "{tick_ns}");
        }
    }

    /// Whatever time stamps and counters say, nothing overflows.
    #[test]
    fn extreme_time_stamps_do_not_overflow() {
        let mut clock = ClockWatch::default();
        for _ in 0..100 {
            clock.observe(u64::MAX, 1);
            clock.observe(0, u32::MAX);
            let _ = clock.tick();
        }
    }
}
