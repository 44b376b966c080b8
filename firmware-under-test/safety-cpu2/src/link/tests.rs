//! Counting of losses, forgetting them, and what a peer's mode means.
//!
//! The transcripts of start-up show the same from outside; here are the long times.

use safety_common::c2c;
use units::Duration;

use super::*;
use crate::testing::{Bench, Peer, SectionSpec};

fn received(peer: &mut Peer, at: Instant) -> [C2cReceived; 1] {
    [C2cReceived { at, bytes: peer.packet().into_iter().collect::<heapless::Vec<u8, { c2c::RECEIVE_LEN_MOST }>>() }]
}

/// A supervised link that has lost `losses` packets, each between good ones.
fn with_losses(losses: u32) -> (Link, Peer, Instant) {
    let mut peer = Bench::normal(SectionSpec::empty()).peer;
    let mut link = Link::default();
    link.begin_supervision();
    let mut now = Instant::from_micros(1_000);
    let _ = link.take(&received(&mut peer, now));
    for _ in 0..losses {
        peer.counter += 1;
        now = now.after(Duration::from_millis(2));
        assert_eq!(link.take(&received(&mut peer, now)).len(), 1);
        link.tick();
    }
    (link, peer, now)
}

/// SSR-020: 64 losses are tolerated, one more is not; one is forgotten after 900,000 ticks.
#[test]
fn losses_are_counted_and_forgotten() {
    let (link, _, now) = with_losses(64);
    assert_eq!(link.supervise(now), Ok(()));
    let (mut link, mut peer, mut now) = with_losses(65);
    assert_eq!(link.supervise(now), Err(Trip::new(Fault::C2cErrorRate, 0)));
    (0..C2C_ERROR_DRAIN_TICKS).for_each(|_| link.tick());
    assert_eq!(link.supervise(now), Ok(()));
    peer.counter += 1;
    now = now.after(Duration::from_millis(2));
    let _ = link.take(&received(&mut peer, now));
    assert_eq!(link.supervise(now), Err(Trip::new(Fault::C2cErrorRate, 0)));
}

/// SSR-018: while supervised a counter must be ahead by 1 to 1000; before, a peer may begin anew.
#[test]
fn counters_begin_anew_in_start_up_only() {
    for (advance, good) in
        [(1u32, true), (1_000, true), (1_001, false), (0, false), (u32::MAX, false), (0x8000_0000, false)]
    {
        for strict in [false, true] {
            let (mut link, mut peer, now) = with_losses(0);
            link.strict = strict;
            peer.counter = peer.counter.wrapping_add(advance).wrapping_sub(1);
            let taken = link.take(&received(&mut peer, now)).len() == 1;
            assert_eq!(taken, good || !strict, "advance {advance}, strict {strict}");
        }
    }
}

/// More packets than a tick can hold are not looked at (SSM-06).
#[test]
fn a_flood_is_cut() {
    let (mut link, mut peer, now) = with_losses(0);
    let flood: std::vec::Vec<C2cReceived> = (0..20).flat_map(|_| received(&mut peer, now)).collect();
    assert_eq!(link.take(&flood).len(), PACKETS_A_TICK);
}

/// SSR-021: 19.999 ms are no silence, 20 ms are; at the step and between two packets.
#[test]
fn silence_is_exact() {
    let (link, _, now) = with_losses(1);
    assert_eq!(link.supervise(now.after(Duration::from_micros(19_999))), Ok(()));
    assert!(link.supervise(now.after(C2C_SILENCE)).is_err());
    for (gap, silent) in [(19_999, false), (20_000, true)] {
        let (mut link, mut peer, now) = with_losses(1);
        let late = now.after(Duration::from_micros(gap));
        let _ = link.take(&received(&mut peer, late));
        assert_eq!(link.supervise(late).is_err(), silent, "{gap}");
    }
}

/// SSR-065: the table of modes, line by line.
#[test]
fn modes_mean_what_the_table_says() {
    let modes = [Mode::Starting, Mode::Ready, Mode::Normal, Mode::Configuration, Mode::Safe];
    let ready = modes.map(|mode| meaning(false, mode));
    let normal = modes.map(|mode| meaning(true, mode));
    let (wait, fits, against) = (Meaning::Wait, Meaning::Fits, Meaning::Contradicts);
    assert_eq!(ready, [wait, fits, fits, wait, against]);
    assert_eq!(normal, [against, Meaning::FitsAtFirst, fits, against, against]);
}
