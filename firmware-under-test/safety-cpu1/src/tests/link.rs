//! Supervision of the peer: losses, lasting errors, clocks, identity.
//!
//! SSR-013, SSR-019 to SSR-022.

use std::vec::Vec;

use safety_common::fault::Fault;
use safety_common::io::{C2cReceived, Mode};
use units::Instant;

use crate::Trip;
use crate::packet::Identity;
use crate::peer::Peer;
use crate::testing::bench::{Bench, FakePeer};
use crate::testing::plan::{Plan, SectionPlan};

const OWN: Identity = Identity { release_id: 1, release_hash: 2, configuration_hash: 3, serial: 4 };

/// What happens to a packet on the line.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Good,
    Lost,
    Corrupt,
    Doubled,
    DelayedUs(u64),
}

/// A peer whose packets come every `period_ns` of this CPU's time, the first after `phase_us`.
struct Line {
    period_ns: u64,
    phase_us: u64,
}

impl Line {
    /// Runs `ticks` ticks; the first trip, the instant of its step and of the last good packet before.
    fn run(&self, ticks: u64, fate: impl Fn(u64) -> Fate) -> Option<(Trip, u64, u64)> {
        let mut peer = Peer::new();
        let mut waiting: Vec<(u64, u64, Fate)> = Vec::new();
        let (mut next, mut last_good) = (0, 0);
        let sent_us = |n: u64| self.phase_us + n * self.period_ns / 1_000;
        for tick in 1..=ticks {
            let now = tick * 1_000;
            while sent_us(next) <= now {
                let delay = if let Fate::DelayedUs(us) = fate(next) { us } else { 0 };
                waiting.push((sent_us(next) + delay, next, fate(next)));
                next += 1;
            }
            waiting.sort_by_key(|(at, n, _)| (*at, *n));
            let ready = waiting.iter().take_while(|(at, _, _)| *at <= now).count();
            let received: Vec<C2cReceived> = waiting.drain(..ready).flat_map(received).collect();
            let now_at = Instant::from_micros(now);
            let result = if tick <= 3 {
                peer.listen(&received);
                Ok(())
            } else {
                peer.supervise(now_at, &received, &OWN)
            };
            if let Err(trip) = result {
                return Some((trip, now, last_good));
            }
            if peer.has_news() {
                last_good = received.iter().map(|packet| packet.at.as_micros()).max().unwrap_or(last_good);
            }
        }
        None
    }
}

fn received((at, n, fate): (u64, u64, Fate)) -> Vec<C2cReceived> {
    let peer = FakePeer {
        mode: Mode::Normal as u8,
        main_on: true,
        counter: n as u32 + 1,
        identity: [1, 2, 3, 4],
        inputs_on: 0,
        outputs_on: 0,
        outputs_failed: 0,
        relays_on: 0,
        offsets: [0; 16],
        silent: false,
        agrees: false,
    };
    let mut bytes = peer.packet(&[0; 16]);
    if fate == Fate::Corrupt {
        bytes[20] ^= 4;
    }
    let packet = C2cReceived { at: Instant::from_micros(at), bytes: heapless::Vec::from_slice(&bytes).unwrap() };
    match fate {
        Fate::Lost => Vec::new(),
        Fate::Doubled => [packet.clone(), packet].to_vec(),
        _ => [packet].to_vec(),
    }
}

/// Clocks of the peer that are legal against this CPU's: equal, and 0.2 % fast and slow.
const PERIODS_NS: [u64; 3] = [1_000_000, 998_002, 1_002_002];

fn phases() -> impl Iterator<Item = u64> {
    (0..1_000).step_by(37).chain([1, 999])
}

fn burst(from: u64, count: u64, fate: Fate) -> impl Fn(u64) -> Fate {
    move |n| if (from..from + count).contains(&n) { fate } else { Fate::Good }
}

/// SSR-020: up to 18 consecutive bad packets survive, in every phase and with both clocks at their limits.
#[test]
fn eighteen_losses_in_a_row_are_survived() {
    for period_ns in PERIODS_NS {
        for phase_us in phases() {
            for fate in [Fate::Lost, Fate::Corrupt] {
                for count in [1, 2, 17, 18] {
                    let line = Line { period_ns, phase_us };
                    assert!(line.run(200, burst(60, count, fate)).is_none(), "{count} {period_ns} {phase_us}");
                }
            }
        }
    }
}

/// SSR-021: 20 and more trip, 20 to 21.02 ms after the last good packet.
#[test]
fn twenty_losses_in_a_row_trip_in_time() {
    for period_ns in PERIODS_NS {
        for phase_us in phases() {
            for fate in [Fate::Lost, Fate::Corrupt] {
                for count in [20, 21, 25, 1_000] {
                    let line = Line { period_ns, phase_us };
                    let (trip, at, last_good) = line.run(200, burst(60, count, fate)).expect("a trip");
                    assert_eq!(trip.fault, Fault::C2cSilent);
                    let silence = at - last_good;
                    assert!((20_000..=22_000).contains(&silence), "{count} {period_ns} {phase_us}: {silence}");
                }
            }
        }
    }
}

/// SSR-020: doubled and delayed packets, and losses that stay few, do not trip.
#[test]
fn doubled_and_delayed_packets_are_survived() {
    for phase_us in phases() {
        let line = Line { period_ns: 1_000_000, phase_us };
        assert!(line.run(3_000, |n| if n % 5 == 0 { Fate::Doubled } else { Fate::Good }).is_none());
        for delay in [300, 1_500, 9_000, 17_500] {
            let late = |n| if n > 10 && n % 50 < 5 { Fate::DelayedUs(delay) } else { Fate::Good };
            assert_eq!(line.run(500, late), None, "{delay} {phase_us}");
        }
    }
}

/// SSR-020: errors in every second packet for ever trip; 64 are tolerated, the 65th is not.
#[test]
fn a_lasting_error_rate_trips() {
    let line = Line { period_ns: 1_000_000, phase_us: 500 };
    let every_second = |n: u64| if n > 10 && n.is_multiple_of(2) { Fate::Corrupt } else { Fate::Good };
    let (trip, at, _) = line.run(1_000, every_second).expect("a trip");
    assert_eq!((trip.fault, trip.detail), (Fault::C2cErrorRate, 65));
    assert!((140_000..145_000).contains(&at), "{at}");
    let spread = |errors: u64| {
        move |n: u64| if n > 10 && n.is_multiple_of(10) && n / 10 <= errors + 1 { Fate::Lost } else { Fate::Good }
    };
    assert!(line.run(2_000, spread(64)).is_none());
    assert!(line.run(2_000, spread(65)).is_some());
}

/// SSR-013: clocks within 0.1 % each never trip; a clock that is off is found in the time of the budget.
#[test]
fn drift_beyond_the_legal_rate_trips_and_legal_drift_never() {
    for period_ns in PERIODS_NS {
        assert!(Line { period_ns, phase_us: 500 }.run(200_000, |_| Fate::Good).is_none(), "{period_ns}");
    }
    for (period_ns, longest_ms) in
        [(1_010_000, 350), (990_000, 350), (1_100_000, 150), (900_000, 150), (1_003_000, 2_500), (997_000, 2_500)]
    {
        let line = Line { period_ns, phase_us: 500 };
        let (trip, at, _) = line.run(5_000, |_| Fate::Good).expect("a trip");
        assert_eq!(trip.fault, Fault::ClockDrift, "{period_ns}");
        assert!(at / 1_000 <= longest_ms, "{period_ns}: {at} us");
    }
}

fn running() -> Bench {
    Bench::running(&Plan::alone(SectionPlan::empty()).bytes())
}

/// SSR-017: one packet a tick, numbered without gaps, in every mode that sends.
#[test]
fn one_packet_leaves_in_every_tick() {
    let mut bench =
        Bench::new(crate::testing::flash::FakeFlash::with_configuration(&Plan::alone(SectionPlan::empty()).bytes()));
    for counter in 1..=1_000u32 {
        bench.step();
        let packet = bench.out.c2c.expect("a packet in every tick");
        assert_eq!(packet[4..8], counter.to_le_bytes());
    }
}

/// SSR-021, SSR-042: silence in the whole CPU; outputs off at once.
#[test]
fn a_silent_peer_leads_to_the_safe_state() {
    let mut bench = running();
    bench.peer.silent = true;
    // The last packet came 0.3 ms before its step.
    assert_eq!(bench.steps_to_safe(30), Some(20));
    assert_eq!(bench.cause(), Some(Fault::C2cSilent));
    assert!(bench.out.all_off && bench.out.c2c.is_none());
}

/// SSR-022: packets go out in the same tick in which packets come in, and still do when none comes.
#[test]
fn sending_does_not_depend_on_receiving() {
    let mut bench = running();
    bench.peer.silent = true;
    for _ in 0..19 {
        bench.step();
        assert!(bench.out.c2c.is_some());
    }
}

/// SSR-065: a peer that restarts alone is seen from its first packet, also when its counter runs on.
#[test]
fn a_peer_in_another_mode_trips() {
    for mode in [Mode::Starting, Mode::Ready, Mode::Configuration] {
        let mut bench = running();
        bench.peer.agrees = false;
        bench.peer.mode = mode as u8;
        assert_eq!(bench.steps_to_safe(30), Some(1), "{mode:?}");
        assert_eq!(bench.cause(), Some(Fault::PeerMode));
    }
    let mut bench = running();
    (bench.peer.agrees, bench.peer.counter, bench.peer.mode) = (false, 0, Mode::Starting as u8);
    assert!(bench.steps_to_safe(30).is_some_and(|ticks| ticks <= 21));
}

/// SSR-065: a peer that still says ready is tolerated for 20 ms after the own change to normal mode, in the 21st tick not.
#[test]
fn a_peer_that_is_still_ready_is_tolerated_for_20_ms() {
    let begun = || {
        let configuration = Plan::alone(SectionPlan::empty()).bytes();
        let mut bench = Bench::new(crate::testing::flash::FakeFlash::with_configuration(&configuration));
        bench.start();
        assert_eq!(bench.cpu.mode(), Mode::Normal);
        (bench.peer.agrees, bench.peer.mode) = (false, Mode::Ready as u8);
        bench
    };
    let mut late = begun();
    assert_eq!(late.steps_to_safe(100), Some(21));
    let cause = late.cpu.safe_cause().map(|cause| (cause.fault, cause.detail));
    assert_eq!(cause, Some((Fault::PeerMode, Mode::Ready as u32)));
    let mut in_time = begun();
    assert_eq!(in_time.steps_to_safe(20), None);
    in_time.peer.mode = Mode::Normal as u8;
    assert_eq!(in_time.steps_to_safe(1_000), None);
    let mut starting = begun();
    starting.peer.mode = Mode::Starting as u8;
    assert_eq!((starting.steps_to_safe(100), starting.cause()), (Some(1), Some(Fault::PeerMode)));
}

/// SSR-062, SSR-063: identity is compared in every packet.
#[test]
fn an_identity_that_changes_while_running_trips() {
    for field in 0..4 {
        let mut bench = running();
        bench.peer.agrees = false;
        bench.peer.identity[field] ^= 0x8000_0000;
        assert_eq!(bench.steps_to_safe(30), Some(1));
        let expected = if field < 2 { Fault::ReleaseDiffers } else { Fault::PeerDataDiffers };
        assert_eq!(bench.cause(), Some(expected));
    }
}

/// An old or repeated counter does not keep a dead peer alive.
#[test]
fn a_repeated_packet_is_not_a_sign_of_life() {
    let mut bench = running();
    bench.peer.silent = true;
    let frozen = bench.peer.packet(&[0; 16]);
    let trip = (1..=40).find(|_| {
        let at = Instant::from_micros(u64::from(bench.tick) * 1_000 + 700);
        bench.link = Some([C2cReceived { at, bytes: heapless::Vec::from_slice(&frozen).unwrap() }].to_vec());
        bench.step();
        bench.cpu.mode() == Mode::Safe
    });
    assert!(trip.is_some_and(|ticks| ticks <= 21), "{trip:?}");
    assert_eq!(bench.cause(), Some(Fault::C2cSilent));
}
