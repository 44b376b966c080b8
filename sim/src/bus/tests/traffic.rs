//! Undisturbed traffic: arbitration, mailboxes, FIFO, confirmations.

use super::twin::{Bench, accept_all, frame, id};
use crate::bus::wire::frame_bits;
use crate::bus::{self, Aborted, BusRecord, MailboxesFull};
use crate::kernel::Span;
use crate::node::NodeId;

#[test]
fn a_frame_arrives_after_its_length_and_the_cpus_attend_after_their_latency() {
    let mut bench = Bench::new(3, 250_000);
    let sent = frame(0x123, &[0xDE, 0xAD, 0xBE, 0xEF]);
    bench.request(100, 0, sent);
    bench.run(2_000);
    // 78 bits of 4 us from bit 100, and 100 us latency.
    let attended = bench.bits(178) + Span::from_micros(100);
    assert_eq!(bench.taken(), [(attended, NodeId::new(1), sent), (attended, NodeId::new(2), sent)]);
    assert_eq!(bench.confirmed(0), [id(0x123)]);
    let expected = BusRecord::Frame {
        start: bench.bits(100),
        frame: sent,
        bits: 78,
        sender: NodeId::CIOC,
        queued: bench.bits(100),
    };
    assert_eq!(bench.records(), [(bench.bits(178), expected)]);
}

#[test]
fn the_lowest_id_wins_and_losers_follow_after_three_bits() {
    let mut bench = Bench::new(4, 250_000);
    bench.request(10, 1, frame(0x300, &[]));
    bench.request(10, 2, frame(0x100, &[]));
    bench.request(10, 3, frame(0x200, &[]));
    bench.run(1_000);
    let length = |id| u64::from(frame_bits(&frame(id, &[]))) + 3;
    let second = 10 + length(0x100);
    assert_eq!(bench.frames(), [(10, 0x100), (second, 0x200), (second + length(0x200), 0x300)]);
}

#[test]
fn a_request_during_intermission_takes_part_and_one_during_a_frame_waits() {
    let mut bench = Bench::new(3, 250_000);
    let first = u64::from(frame_bits(&frame(0x300, &[])));
    bench.request(0, 1, frame(0x300, &[]));
    bench.request(5, 2, frame(0x200, &[]));
    bench.request(first + 2, 1, frame(0x100, &[]));
    bench.run(1_000);
    let ids: Vec<u16> = bench.frames().iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, [0x300, 0x100, 0x200]);
}

#[test]
fn a_node_sends_its_mailboxes_by_id_and_equal_ids_in_order_of_request() {
    let mut bench = Bench::new(2, 250_000);
    bench.request(0, 1, frame(0x050, &[]));
    bench.request(1, 1, frame(0x300, &[1]));
    bench.request(1, 1, frame(0x300, &[2]));
    bench.run(20);
    bench.at(20, |world, ctx| {
        assert_eq!(bus::mailboxes_free(world, NodeId::new(1)), 0);
        assert_eq!(bus::request(world, ctx, NodeId::new(1), frame(1, &[])), Err(MailboxesFull));
    });
    bench.run(2_000);
    let data: Vec<Vec<u8>> = bench.taken().iter().map(|(_, _, frame)| frame.data().to_vec()).collect();
    assert_eq!(data, [vec![], vec![1], vec![2]]);
    assert_eq!(bench.confirmed(1), [id(0x050), id(0x300), id(0x300)]);
    assert_eq!(bus::mailboxes_free(&bench.twin.world, NodeId::new(1)), 3);
}

#[test]
fn the_fourth_frame_overruns_a_fifo_that_nobody_empties() {
    let mut bench = Bench::new(3, 250_000);
    bench.idle_cpus(NodeId::CIOC.bit());
    for n in 0..5 {
        bench.request(u64::from(n) * 200, 1, frame(0x100 + n, &[]));
    }
    bench.run(2_000);
    let overruns: Vec<_> =
        bench.records().into_iter().filter(|(_, r)| matches!(r, BusRecord::Overrun { .. })).collect();
    assert_eq!(overruns.len(), 2);
    assert_eq!(overruns[0].1, BusRecord::Overrun { node: NodeId::CIOC, id: id(0x103) });
    assert_eq!(bus::controller(&bench.twin.world, NodeId::CIOC).overruns(), 2);
    assert_eq!(bench.taken_by(2), [0x100, 0x101, 0x102, 0x103, 0x104]);
    assert_eq!(bench.counters(1), (0, 0), "an overrun is no error on the bus");
}

#[test]
fn a_stalled_cpu_takes_nothing_and_attends_when_it_listens_again() {
    let mut bench = Bench::new(2, 250_000);
    bench.at(0, |world, ctx| bus::set_listening(world, ctx, NodeId::CIOC, false));
    for n in 0..4 {
        bench.request(10 + u64::from(n) * 200, 1, frame(0x100 + n, &[]));
    }
    bench.run(1_500);
    assert_eq!(bench.taken(), []);
    bench.at(1_600, |world, ctx| bus::set_listening(world, ctx, NodeId::CIOC, true));
    bench.run(2_000);
    assert_eq!(bench.taken_by(0), [0x100, 0x101, 0x102], "the fourth was lost to the overrun");
    assert_eq!(bench.taken()[0].0, bench.bits(1_600) + Span::from_micros(100));
}

#[test]
fn an_abort_empties_a_waiting_mailbox_but_not_the_one_on_the_line() {
    let mut bench = Bench::new(2, 250_000);
    bench.request(0, 1, frame(0x100, &[]));
    bench.request(0, 1, frame(0x200, &[]));
    bench.at(10, |world, ctx| {
        assert_eq!(bus::abort(world, ctx, NodeId::new(1), id(0x100)), Aborted::InTransmission);
        assert_eq!(bus::abort(world, ctx, NodeId::new(1), id(0x200)), Aborted::Removed);
        assert_eq!(bus::abort(world, ctx, NodeId::new(1), id(0x300)), Aborted::NotPending);
    });
    bench.run(1_000);
    assert_eq!(bench.frames(), [(0, 0x100)]);
    assert_eq!(bench.confirmed(1), [id(0x100)]);
}

#[test]
fn a_filter_keeps_frames_out_and_can_be_replaced() {
    let mut options = accept_all();
    options.filters.clear();
    options.filters.push(bus::Filter { id: id(0x100), mask: 0x7F0 }).unwrap();
    let mut bench = Bench::with(2, 250_000, &options);
    bench.request(0, 1, frame(0x10F, &[]));
    bench.request(200, 1, frame(0x110, &[]));
    bench.at(400, |world, _| bus::set_filters(world, NodeId::CIOC, &[bus::Filter::exactly(id(0x110))]));
    bench.request(500, 1, frame(0x10F, &[]));
    bench.request(700, 1, frame(0x110, &[]));
    bench.run(1_000);
    assert_eq!(bench.taken_by(0), [0x10F, 0x110]);
    assert_eq!(bench.frames().len(), 4, "a frame that nobody accepts is acknowledged all the same");
}
