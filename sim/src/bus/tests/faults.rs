//! Faults of medium, nodes and noise, and losses above the link layer.

use super::twin::{Bench, frame, id};
use crate::bus::wire::frame_bits;
use crate::bus::{self, ALL_NODES, BusRecord, ErrorKind, LinkState, PlannedLoss, RandomHits};
use crate::kernel::stream;
use crate::node::NodeId;

const ID: u16 = 0x123;

fn length() -> u64 {
    u64::from(frame_bits(&frame(ID, &[])))
}

#[test]
fn an_open_bus_works_on_both_sides_at_the_same_time() {
    let mut bench = Bench::new(4, 250_000);
    bench.at(5, |world, ctx| bus::change_medium(world, ctx, |medium| medium.open_after = 0b10));
    bench.request(10, 0, frame(0x100, &[]));
    bench.request(10, 3, frame(0x200, &[]));
    bench.run(1_000);
    assert_eq!(bench.frames(), [(10, 0x100), (10, 0x200)]);
    assert_eq!((bench.taken_by(1), bench.taken_by(2)), (vec![0x100], vec![0x200]));
}

#[test]
fn a_node_cut_off_alone_keeps_trying_and_gets_through_when_the_bus_is_mended() {
    let mut bench = Bench::new(3, 250_000);
    bench.at(5, |world, ctx| bus::change_medium(world, ctx, |medium| medium.open_after = 0b1));
    bench.request(10, 0, frame(0x100, &[]));
    bench.request(10, 1, frame(0x200, &[]));
    bench.run(50_000);
    assert_eq!((bench.counters(0), bench.state(0)), ((128, 0), LinkState::Passive));
    assert_eq!(bench.taken_by(2), [0x200]);
    bench.at(50_000, |world, ctx| bus::change_medium(world, ctx, |medium| medium.open_after = 0));
    bench.run(51_000);
    assert_eq!(bench.taken_by(2), [0x200, 0x100]);
}

#[test]
fn a_break_amid_a_frame_leaves_the_far_side_with_an_error() {
    let mut bench = Bench::new(4, 250_000);
    bench.request(0, 0, frame(ID, &[1, 2, 3, 4]));
    bench.at(30, |world, ctx| bus::change_medium(world, ctx, |medium| medium.open_after = 0b10));
    bench.run(1_000);
    assert_eq!((bench.taken_by(1), bench.taken_by(2), bench.taken_by(3)), (vec![ID], vec![], vec![]));
    assert_eq!(bench.errors().len(), 1);
    assert_eq!((bench.errors()[0].2, bench.errors()[0].3), (ErrorKind::Stuff, 0b1100));
}

#[test]
fn an_unplugged_node_is_alone_and_the_rest_goes_on() {
    let mut bench = Bench::new(4, 250_000);
    bench.at(5, |world, ctx| bus::change_medium(world, ctx, |medium| medium.unplugged = 0b10));
    bench.request(10, 1, frame(0x100, &[]));
    bench.request(10, 2, frame(0x200, &[]));
    bench.run(1_000);
    assert_eq!((bench.taken_by(0), bench.taken_by(1), bench.taken_by(3)), (vec![0x200], vec![], vec![0x200]));
    assert!(bench.errors().iter().all(|(_, _, kind, seen)| (*kind, *seen) == (ErrorKind::Ack, 0b10)));
    assert!(!bench.errors().is_empty());
}

#[test]
fn a_dominant_line_takes_the_sender_off_the_bus_and_all_recover_when_it_is_let_go() {
    let mut bench = Bench::new(3, 250_000);
    bench.request(0, 0, frame(ID, &[]));
    bench.at(20, |world, ctx| bus::change_medium(world, ctx, |medium| medium.stuck_dominant = 0b100));
    bench.request(10_000, 1, frame(0x200, &[]));
    bench.run(100_000);
    assert_eq!((bench.state(0), bench.state(1)), (LinkState::BusOff, LinkState::Passive));
    assert_eq!(bench.frames(), []);
    bench.at(100_000, |world, ctx| bus::change_medium(world, ctx, |medium| medium.stuck_dominant = 0));
    bench.run(200_000);
    assert_eq!(bench.frames()[0], (100_011, 0x200), "8 bits of delimiter and 3 of intermission after the release");
    assert_eq!(bench.taken_by(2), [0x200, ID]);
    // One frame of the neighbour costs more than the 11 bits that it counts for.
    let back = bench.states(0).last().copied().unwrap();
    assert_eq!(back.1, LinkState::Active);
    assert!(back.0 > 100_000 + 1_408 && back.0 < 100_000 + 1_408 + 60, "{back:?}");
}

#[test]
fn a_shorted_line_takes_a_sender_off_the_bus_in_fewer_than_32_attempts() {
    let mut bench = Bench::new(2, 250_000);
    bench.at(0, |world, ctx| bus::change_medium(world, ctx, |medium| medium.stuck_recessive = 0b1));
    bench.request(10, 1, frame(ID, &[]));
    bench.run(1_000);
    assert_eq!(
        bench.states(1)[..2].iter().map(|(_, state)| *state).collect::<Vec<_>>(),
        [LinkState::Passive, LinkState::BusOff]
    );
    // 17 errors in the first attempt (the error that makes it passive still sends an active flag): TEC 136; then 8
    // each: (256 - 136) / 8 = 15 more.
    assert_eq!(bench.errors().len(), 16);
    assert_eq!(bench.counters(0), (0, 0), "a node that only listens hears nothing wrong");
}

#[test]
fn a_babbling_node_starves_the_others_without_an_error() {
    let mut bench = Bench::new(3, 250_000);
    bench.at(0, |world, ctx| {
        bus::set_babbling(world, ctx, NodeId::new(2), Some((frame(0, &[]), crate::kernel::Span::ZERO)))
    });
    bench.request(10, 1, frame(ID, &[]));
    bench.at(50_000, |world, ctx| bus::set_babbling(world, ctx, NodeId::new(2), None));
    bench.run(49_999);
    let babble = u64::from(frame_bits(&frame(0, &[]))) + 3;
    assert!(bench.frames().len() as u64 >= 49_999 / babble - 1);
    assert!(bench.frames().iter().all(|(_, id)| *id == 0));
    assert_eq!((bench.counters(1), bench.errors()), ((0, 0), vec![]));
    assert_eq!(bench.confirmed(2), [], "the firmware of the babbling node knows nothing of it");
    bench.run(51_000);
    assert_eq!(bench.frames().last().unwrap().1, ID);
}

#[test]
fn a_sender_that_loses_power_leaves_an_error_and_no_frame() {
    let mut bench = Bench::new(3, 250_000);
    bench.request(0, 0, frame(ID, &[1, 2, 3, 4]));
    bench.at(30, |world, ctx| bus::set_powered(world, ctx, NodeId::CIOC, false));
    bench.run(500);
    assert_eq!((bench.frames(), bench.taken()), (vec![], vec![]));
    assert_eq!(bench.errors()[0].2, ErrorKind::Stuff);
    assert_eq!((bench.counters(1), bench.counters(2)), ((0, 1), (0, 1)));
    bench.at(600, |world, ctx| bus::set_powered(world, ctx, NodeId::CIOC, true));
    bench.request(605, 0, frame(0x200, &[]));
    bench.run(1_000);
    assert_eq!(bench.states(0), [(30, LinkState::Off), (600, LinkState::Joining), (611, LinkState::Active)]);
    assert_eq!(bench.frames(), [(611, 0x200)], "the first frame is forgotten, the second waits for the 11 bits");
}

#[test]
fn a_node_that_is_switched_on_during_a_frame_joins_after_it() {
    let mut bench = Bench::new(3, 250_000);
    bench.at(0, |world, ctx| bus::set_powered(world, ctx, NodeId::new(2), false));
    bench.request(10, 0, frame(0x100, &[]));
    bench.request(10, 0, frame(0x200, &[]));
    bench.at(20, |world, ctx| bus::set_powered(world, ctx, NodeId::new(2), true));
    bench.run(1_000);
    assert_eq!(bench.taken_by(2), [0x200]);
}

#[test]
fn the_last_listener_that_goes_during_a_frame_takes_the_acknowledgement_with_it() {
    let mut bench = Bench::new(2, 250_000);
    bench.request(0, 0, frame(ID, &[]));
    bench.at(20, |world, ctx| bus::set_powered(world, ctx, NodeId::new(1), false));
    bench.run(length() + 10);
    assert_eq!(bench.errors(), [(0, length() as u32 - 9, ErrorKind::Ack, 1)]);
}

#[test]
fn a_stopped_controller_is_silent_and_keeps_its_mailboxes() {
    let mut bench = Bench::new(3, 250_000);
    bench.at(0, |world, ctx| bus::set_stopped(world, ctx, NodeId::new(1), true));
    bench.request(1, 1, frame(ID, &[]));
    bench.request(100, 0, frame(0x200, &[]));
    bench.at(1_000, |world, ctx| bus::set_stopped(world, ctx, NodeId::new(1), false));
    bench.run(2_000);
    assert_eq!(bench.frames(), [(100, 0x200), (1_011, ID)]);
    assert!(bench.taken_by(1).is_empty());
}

#[test]
fn a_bus_off_controller_that_was_stopped_recovers_before_it_takes_part() {
    let mut bench = Bench::new(3, 250_000);
    bench.hit(1, 32, length() as u32 - 10, ALL_NODES);
    bench.request(0, 0, frame(ID, &[]));
    bench.run(2_800);
    assert_eq!(bench.state(0), LinkState::BusOff);
    bench.at(2_900, |world, ctx| bus::set_stopped(world, ctx, NodeId::CIOC, true));
    bench.at(10_000, |world, ctx| bus::set_stopped(world, ctx, NodeId::CIOC, false));
    bench.run(20_000);
    assert_eq!(bench.frames(), [(11_408, ID)]);
    assert_eq!(bench.counters(0), (0, 0));
}

#[test]
fn a_hit_that_nobody_reads_is_not_recorded() {
    let mut bench = Bench::new(2, 250_000);
    bench.hit(1, 1, 30, 1 << 9);
    bench.request(1, 0, frame(ID, &[]));
    bench.run(1_000);
    assert!(!bench.records().iter().any(|(_, record)| matches!(record, BusRecord::Hit { .. })));
    assert_eq!(bench.taken_by(1), [ID]);
}

#[test]
fn a_frame_lost_above_the_link_layer_is_no_error_on_the_bus() {
    let mut bench = Bench::new(3, 250_000);
    let loss = PlannedLoss { injection: 9, id: Some(id(ID)), nth: 2, times: 1, ..PlannedLoss::of(NodeId::new(2)) };
    bench.at(0, move |world, _| bus::add_planned_loss(world, loss));
    for n in 0..3 {
        bench.request(10 + n * 200, 0, frame(ID, &[n as u8]));
    }
    bench.run(1_000);
    assert_eq!((bench.taken_by(1).len(), bench.taken_by(2).len()), (3, 2));
    assert_eq!(bench.errors(), []);
    let lost = BusRecord::Lost { injection: 9, node: NodeId::new(2), id: id(ID) };
    assert_eq!(bench.records().iter().filter(|(_, record)| *record == lost).count(), 1);
}

fn noisy(from: u64, to: u64, rate: u32, seed: u64) -> Bench {
    let mut bench = noise_alone(from, to, rate, seed);
    for n in 0..1_000 {
        bench.request(n * 200, 0, frame(0x100 + n as u16, &[0x5A; 8]));
    }
    bench
}

fn noise_alone(from: u64, to: u64, rate: u32, seed: u64) -> Bench {
    let mut bench = Bench::new(3, 250_000);
    let window = (bench.bits(from), bench.bits(to));
    let hits = RandomHits {
        injection: 3,
        from: window.0,
        to: window.1,
        rate,
        victims: ALL_NODES,
        stream: stream(seed, "bus/noise"),
    };
    bench.at(0, move |world, ctx| bus::add_random_hits(world, ctx, &hits));
    bench
}

#[test]
fn random_hits_come_at_their_rate_and_the_frames_come_through() {
    let mut bench = noisy(0, u64::MAX >> 20, 1_000_000, 1);
    bench.run(300_000);
    let hits = bench.records().iter().filter(|(_, r)| matches!(r, BusRecord::Hit { injection: 3, .. })).count();
    // About 118 bits a frame and 10 % retransmitted: 130,000 bits at 1e-3 give 130 hits, standard deviation 11.
    assert!((85..175).contains(&hits), "{hits}");
    let mut taken = bench.taken_by(1);
    taken.dedup();
    assert_eq!(taken, (0x100..0x100 + 1_000).collect::<Vec<u16>>());
}

#[test]
fn a_burst_hits_nothing_outside_its_window_and_everything_inside() {
    let mut bench = noisy(50_050, 50_060, 1_000_000_000, 1);
    bench.run(300_000);
    let hits: Vec<_> = bench.records().into_iter().filter(|(_, r)| matches!(r, BusRecord::Hit { .. })).collect();
    assert_eq!(hits.len(), 10, "a hit a bit for ten bits");
    assert!(hits.iter().all(|(time, _)| *time > bench.bits(50_050) && *time <= bench.bits(50_060)));
    assert_eq!(bench.frames().len(), 1_000);
}

#[test]
fn noise_depends_on_its_stream_only_and_ends_with_its_injection() {
    let fingerprint = |seed| {
        let mut bench = noisy(0, u64::MAX >> 20, 1_000_000, seed);
        bench.run(300_000);
        bench.twin.trace.fingerprint()
    };
    assert_eq!(fingerprint(1), fingerprint(1));
    assert_ne!(fingerprint(1), fingerprint(2));
    let mut bench = noisy(0, u64::MAX >> 20, 1_000_000, 1);
    bench.at(100_000, |world, ctx| bus::end_injection(world, ctx, 3));
    bench.run(300_000);
    assert!(bench.records().iter().all(|(t, r)| !matches!(r, BusRecord::Hit { .. }) || *t <= bench.bits(100_000)));
}

#[test]
fn a_run_forked_amid_an_error_frame_goes_on_the_same() {
    let mut bench = noise_alone(0, u64::MAX >> 20, 5_000_000, 4);
    // What the bench does is in no snapshot, so the traffic of the forked stretches comes from the bus itself.
    bench.at(10, |world, ctx| {
        bus::set_babbling(world, ctx, NodeId::new(1), Some((frame(5, &[1, 2]), crate::kernel::Span::ZERO)))
    });
    let mut fingerprints = Vec::new();
    for step in 1..40 {
        bench.run(step * 777);
        let snapshot = bench.twin.save();
        bench.run(500 + step * 777);
        let ahead = bench.twin.trace.fingerprint();
        bench.twin.load(&snapshot);
        bench.run(500 + step * 777);
        fingerprints.push((ahead, bench.twin.trace.fingerprint()));
    }
    assert!(fingerprints.iter().all(|(first, second)| first == second));
    assert!(bench.errors().len() > 10);
}
