//! SimpleCAN: slots, sync, master, ages, sequence, masquerade.
//!
//! SSR-080 and its written rules.

use std::vec::Vec;

use safety_common::configuration::BlockKind;
use safety_common::fault::Fault;
use safety_common::io::{CanFrame, CanReceived, CanTransmit, Channel, Mode};
use units::Instant;

use crate::can::Can;
use crate::chaskey::Chaskey;
use crate::configuration::Check;
use crate::testing::bench::Bench;
use crate::testing::flash::{FakeFlash, RELEASE_HASH, SERIAL};
use crate::testing::plan::{OTHER_SERIAL, Plan, SectionPlan, block};

/// This unit has index 0 and sends entry 0; the other has index 1 and sends entry 1.
fn plan() -> Plan {
    let mut plan = Plan::pair(SectionPlan::empty());
    plan.own().blocks = [
        block(BlockKind::CanReceive, 1, 5, &[], 0),
        block(BlockKind::Relay, 0, 0, &[0], 0),
        block(BlockKind::CanSend, 0, 3, &[0x8001], 0),
    ]
    .to_vec();
    plan
}

/// The other way round: the lower index belongs to the other node.
fn second_plan() -> Plan {
    let mut plan = plan();
    (plan.nodes[0].can_node, plan.nodes[1].can_node) = (9, 2);
    plan
}

/// Ticks of 1 ms that a unit has run for: none, and so many that 32 bits are full soon.
const UPTIMES: [u64; 2] = [0, u32::MAX as u64 - 20];

fn can_of(plan: &Plan) -> Can {
    let flash = FakeFlash::with_configuration(&plan.bytes());
    let mut check = Check::new(SERIAL);
    let configuration = (0..100).find_map(|_| check.slice(&flash).unwrap()).unwrap();
    Can::new(&configuration, RELEASE_HASH)
}

fn node_hash(plan: &Plan, release: u32, index: u8) -> u32 {
    let bytes = plan.bytes();
    let configuration = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
    let mut hash: Chaskey = Chaskey::new([configuration, release, plan.network_id, 0x5341_4645]);
    let serials = [SERIAL, OTHER_SERIAL].into_iter().chain([0; 14]);
    serials.for_each(|serial| hash.update(&serial.to_le_bytes()));
    hash.update(&[0xCA, index]);
    hash.update(&[0; 14]);
    hash.word()
}

/// The CRC bit by bit.
fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).fold(seed, |crc, bit| {
        let carry = crc >> 31 ^ u32::from(bit);
        crc << 1 ^ if carry == 1 { 0x04C1_1DB7 } else { 0 }
    })
}

fn entry(hash: u32, entry: u8, data: u16, sequence: u8) -> CanFrame {
    let mut bytes = data.to_le_bytes().to_vec();
    bytes.extend([sequence, entry]);
    bytes.extend(crc32(hash, &bytes).to_le_bytes());
    CanFrame { id: 0x040 + u16::from(entry), len: 8, data: bytes.try_into().unwrap() }
}

/// A frame as CPU2 forwards it.
fn bytes_of(frame: &CanFrame) -> Vec<u8> {
    [&frame.id.to_le_bytes()[..], &frame.data].concat()
}

fn sync(index: u8) -> CanFrame {
    CanFrame { id: 0x010 + u16::from(index), len: 2, data: [index, 1, 0, 0, 0, 0, 0, 0] }
}

fn hears(can: &mut Can, frame: CanFrame) -> bool {
    can.receive(Instant::ZERO, &CanReceived { at: Instant::ZERO, frame }).unwrap()
}

fn ticks(can: &mut Can, count: u32) -> Vec<(u32, CanTransmit)> {
    let mut sent = Vec::new();
    for tick in 1..=count {
        can.begin_tick();
        sent.extend(can.send(&[]).frames.into_iter().map(|frame| (tick, frame)));
    }
    sent
}

/// The first frame of an entry sets the sequence; data count from the second on; repeated and old ones are dropped.
#[test]
fn entries_are_taken_in_sequence() {
    let plan = plan();
    let mut plan = plan;
    (plan.can_age, plan.response) = (1_000, 2_000);
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    let mut can = can_of(&plan);
    can.begin_tick();
    // Ticks since the frame before; a sequence may be ahead by one for each 8 of them, and 5 more.
    for (after, sequence, data, expected) in [
        (0, 250, 7, 0),
        (0, 251, 8, 8),
        (0, 251, 9, 8),
        (0, 250, 9, 8),
        (0, 1, 9, 8),
        (0, 0, 10, 10),
        (15, 7, 11, 10),
        (1, 7, 11, 11),
        (976, 134, 12, 12),
        (976, 6, 13, 12),
        (1, 135, 14, 14),
    ] {
        (0..after).for_each(|_| can.begin_tick());
        hears(&mut can, entry(hash, 1, data, sequence));
        assert_eq!(can.values()[1], expected, "sequence {sequence}");
    }
}

/// Past the maximum age the value is 0, not before; then two frames in order are needed again. Ticks of 1 ms in 32 bits end after 49.7
/// days: a unit that runs for longer forgets as it did.
#[test]
fn an_entry_past_its_maximum_age_is_zero() {
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    for uptime in UPTIMES {
        let mut can = can_of(&plan).after(uptime);
        can.begin_tick();
        hears(&mut can, entry(hash, 1, 5, 1));
        hears(&mut can, entry(hash, 1, 5, 2));
        for age in 1..=35 {
            can.begin_tick();
            assert_eq!(can.values()[1], 5, "{age}, after {uptime}");
        }
        can.begin_tick();
        assert_eq!(can.values()[1], 0, "after {uptime}");
        hears(&mut can, entry(hash, 1, 5, 3));
        assert_eq!(can.values()[1], 0);
        hears(&mut can, entry(hash, 1, 5, 4));
        assert_eq!(can.values()[1], 5);
    }
}

/// SSR-080: the node with the lowest index sends a sync every 200 ticks, at whatever uptime.
#[test]
fn syncs_go_on_at_any_uptime() {
    let plan = plan();
    for uptime in UPTIMES {
        let mut can = can_of(&plan).after(uptime);
        let ticks = 0..5_000;
        let syncs = ticks.filter(|_| {
            can.begin_tick();
            let frames = can.send(&[0x010]).frames;
            frames.iter().any(|frame| frame.frame.id == 0x010)
        });
        let syncs: Vec<u32> = syncs.collect();
        assert!(syncs.len() >= 14, "after {uptime}: {syncs:?}");
        assert!(syncs.windows(2).all(|pair| (200..=210).contains(&(pair[1] - pair[0]))), "after {uptime}: {syncs:?}");
    }
}

/// A sender that sent from tick 0 to tick 4000 and fell silent then, and a copy of all its frames `late` ticks later: in which tick
/// after the maximum age the copy is believed first.
fn copy_is_believed(late: u32) -> Option<u32> {
    const DIES: u32 = 4_000;
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    let mut can = can_of(&plan);
    let sent = |tick: u32| (tick.is_multiple_of(10) && tick <= DIES).then(|| entry(hash, 1, 5, (tick / 8) as u8));
    let mut believed = None;
    for tick in 0..DIES + late + 100 {
        can.begin_tick();
        let copy = tick.checked_sub(late).and_then(sent);
        for frame in sent(tick).into_iter().chain(copy) {
            hears(&mut can, frame);
        }
        assert!(!(20..=DIES).contains(&tick) || can.values()[1] == 5, "tick {tick}: the sender is heard");
        if tick > DIES + 35 && can.values()[1] != 0 {
            believed = believed.or(Some(tick));
        }
    }
    believed
}

/// SSR-080: a late copy of a sender that is silent is not believed past the maximum age either, up to a whole turn of the sequence;
/// one that is later cannot be told from a sender that came back, and is believed from its second frame on.
#[test]
fn a_late_copy_of_a_silent_sender_is_not_believed() {
    for late in (1..2_000).step_by(7) {
        assert_eq!(copy_is_believed(late), None, "{late} ticks late");
    }
    // The limit that 8 bits have.
    assert!(copy_is_believed(2_048).is_some() && copy_is_believed(2_600).is_some());
}

/// SSR-080: a sender that was off the bus for up to a second is back with its second frame, one that was longer away or restarted
/// once its past is forgotten.
#[test]
fn a_sender_that_comes_back_is_believed_again() {
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    for (restarts, away, from, to) in [
        (false, 300, 300, 320),
        (false, 1_000, 1_000, 1_020),
        (false, 1_500, 2_040, 2_125),
        (false, 2_200, 2_200, 2_220),
        // Behind the last one before, until as many have passed as fit into the time.
        (true, 700, 1_450, 1_475),
    ] {
        let mut can = can_of(&plan);
        let mut back = None;
        for tick in 0..8_000u32 {
            can.begin_tick();
            let since = tick.saturating_sub(2_000);
            let sequence = if restarts && since >= away { (since - away) / 8 + 1 } else { tick / 8 + 100 };
            if tick.is_multiple_of(10) && (since == 0 || since >= away) {
                hears(&mut can, entry(hash, 1, 5, sequence as u8));
            }
            if since > 40 && can.values()[1] == 5 {
                back = back.or(Some(since));
            }
        }
        assert!(back.is_some_and(|back| (from..=to).contains(&back)), "{restarts}, {away}: {back:?}");
    }
}

/// SSR-078, SSR-079 on CAN; every flipped bit; wrong id, length, entry.
#[test]
fn damaged_and_foreign_frames_are_dropped() {
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    let good = entry(hash, 1, 0x1234, 9);
    let mut other_plan = plan.clone();
    other_plan.network_id ^= 1;
    let mut bad: Vec<CanFrame> = (0..64)
        .map(|bit| {
            let mut frame = good;
            frame.data[bit / 8] ^= 1 << (bit % 8);
            frame
        })
        .collect();
    bad.push(entry(node_hash(&plan, RELEASE_HASH ^ 1, 1), 1, 1, 1));
    bad.push(entry(node_hash(&other_plan, RELEASE_HASH, 1), 1, 1, 1));
    bad.push(entry(node_hash(&plan, RELEASE_HASH, 0), 1, 1, 1));
    bad.push(entry(hash, 2, 1, 1));
    bad.extend([CanFrame { id: good.id + 1, ..good }, CanFrame { len: 7, ..good }, CanFrame { id: 0x7FF, ..good }]);
    for frame in bad {
        let mut can = can_of(&plan);
        assert!(!hears(&mut can, frame), "{frame:?}");
        assert!(!hears(&mut can, frame));
    }
    assert!(hears(&mut can_of(&plan), good));
}

/// Frames of an entry with a bad CRC: 16 are tolerated, one more takes the entry to 0, and only that one.
#[test]
fn an_entry_with_many_bad_frames_reads_zero() {
    let mut plan = plan();
    plan.nodes[1].can_entries = 0b110;
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    let mut can = can_of(&plan);
    can.begin_tick();
    let mut sequence = 0;
    let mut hear_good = |can: &mut Can| {
        sequence += 1;
        let is_forwarded = hears(can, entry(hash, 1, 5, sequence));
        assert!(hears(can, entry(hash, 2, 6, sequence)));
        assert_eq!(is_forwarded, can.values()[1] != 0 || sequence == 1, "CPU2 hears what this CPU believes");
        (can.values()[1], can.values()[2])
    };
    hear_good(&mut can);
    for bad in 1..=17 {
        hears(&mut can, entry(hash ^ 1, 1, 9, bad));
        let expected = if bad <= 16 { 5 } else { 0 };
        assert_eq!(hear_good(&mut can), (expected, 6), "{bad}");
    }
    // More make it no worse: one that is forgotten is enough.
    (0..200).for_each(|bad| assert!(!hears(&mut can, entry(hash ^ 1, 1, 9, bad))));
    (0..12_600_000u32).for_each(|_| can.begin_tick());
    assert!(hears(&mut can, entry(hash, 1, 5, 90)) && hears(&mut can, entry(hash, 1, 5, 91)));
    assert_eq!(can.values()[1], 5, "one of 17 is forgotten after 3.5 h");
}

/// A good frame with an entry of this unit from outside: the protocol layer forces the safe state.
#[test]
fn a_foreign_frame_with_an_own_entry_forces_the_safe_state() {
    let plan = plan();
    let mut bench = Bench::running(&plan.bytes());
    let frame = entry(node_hash(&plan, RELEASE_HASH, 0), 0, 1, 1);
    bench.can.push(CanReceived { at: bench.now(), frame });
    assert_eq!(bench.steps_to_safe(5), Some(1));
    assert_eq!(bench.cause(), Some(Fault::CanMasquerade));
}

/// The own entry leaves once per cycle of 10 ms in its slot, if CPU2 has made the frame and CPU1 agrees.
#[test]
fn the_own_entry_leaves_once_per_cycle_in_its_slot() {
    let mut plan = plan();
    plan.nodes[0].can_entries = 0b10_0001;
    let hash = node_hash(&plan, RELEASE_HASH, 0);
    let mut can = can_of(&plan);
    let mut sent: Vec<(u32, u16, u8)> = Vec::new();
    for tick in 1..=100u32 {
        can.begin_tick();
        for number in [0, 5] {
            let frame = entry(hash, number, 0, tick as u8);
            let bytes = [&frame.id.to_le_bytes()[..], &frame.data].concat();
            can.agree(&bytes);
        }
        for frame in can.send(&[]).frames {
            assert!(frame.slot < 16);
            sent.push((tick * 16 + u32::from(frame.slot), frame.frame.id, frame.frame.data[2]));
        }
    }
    let places = |id: u16| sent.iter().filter(move |(_, sent, _)| *sent == id).map(|(place, _, _)| *place);
    let (first, sixth): (Vec<u32>, Vec<u32>) = (places(0x040).collect(), places(0x045).collect());
    assert!((9..=10).contains(&first.len()) && (9..=10).contains(&sixth.len()));
    assert!(first.windows(2).chain(sixth.windows(2)).all(|pair| pair[1] - pair[0] == 160), "10 ms apart");
    assert!(first.iter().any(|place| sixth.contains(&(place + 50))), "entry 5 comes 3.125 ms after entry 0");
}

/// CPU1 sends nothing that CPU2 did not make, that is old, not newer, or has a bit that its own logic does not want.
#[test]
fn cpu1_sends_only_what_both_want() {
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 0);
    let sent_after = |bench: &mut Bench, bytes: &[u8]| {
        bench.forward(Channel::Can, bytes);
        bench.step();
        (0..12).find_map(|_| {
            let found = bench.out.can.iter().find(|sent| sent.frame.id == 0x040).map(|sent| sent.frame);
            bench.step();
            found
        })
    };
    let forwarded = |bench: &mut Bench, frame: CanFrame| sent_after(bench, &bytes_of(&frame));
    let mut bench = Bench::running(&plan.bytes());
    let good = entry(hash, 0, 0b1000, 1);
    assert_eq!(forwarded(&mut bench, good), Some(good));
    assert_eq!(forwarded(&mut bench, good), None, "no newer sequence");
    assert_eq!(forwarded(&mut bench, entry(hash, 0, 0b1100, 2)), None, "a bit that CPU1 does not want");
    assert_eq!(forwarded(&mut bench, entry(hash ^ 1, 0, 0, 3)), None, "a wrong hash");
    assert_eq!(forwarded(&mut bench, entry(hash, 1, 0, 3)), None, "another entry");
    let mut longer = bytes_of(&entry(hash, 0, 0, 3));
    longer.push(0);
    assert_eq!(sent_after(&mut bench, &longer), None, "nine bytes of data");
    let less = entry(hash, 0, 0, 4);
    assert_eq!(forwarded(&mut bench, less), Some(less), "a bit less is safe");
    bench.steps(100);
    assert!(bench.out.can.is_empty());
}

/// A node that hears no lower master for 2000 ms takes over and sends a sync 200 ms and up to a cycle after the last.
#[test]
fn the_lowest_node_becomes_master_after_two_seconds() {
    let mut can = can_of(&second_plan());
    let sent = ticks(&mut can, 4_000);
    let syncs: Vec<u32> = sent.iter().filter(|(_, frame)| frame.frame.id == 0x019).map(|(tick, _)| *tick).collect();
    assert!(syncs[0] >= 2_000 && syncs[0] <= 2_010, "{syncs:?}");
    assert!(syncs.windows(2).all(|pair| (200..=210).contains(&(pair[1] - pair[0]))), "{syncs:?}");
    assert_eq!((sent[0].1.frame.len, sent[0].1.frame.data[0]), (2, 9));
    // Demoted by a lower index, not by a higher one or a frame that lies about its index.
    assert!(!hears(&mut can, sync(12)) && !ticks(&mut can, 250).is_empty());
    assert!(!hears(&mut can, CanFrame { id: 0x012, ..sync(3) }) && !ticks(&mut can, 250).is_empty());
    for len in [0, 1, 3, 8] {
        assert!(!hears(&mut can, CanFrame { len, ..sync(2) }) && !ticks(&mut can, 250).is_empty(), "{len} bytes");
    }
    hears(&mut can, sync(2));
    assert!(ticks(&mut can, 1_999).is_empty());
    assert!(!ticks(&mut can, 250).is_empty());
}

/// A failed sync is aborted.
#[test]
fn a_sync_that_does_not_leave_is_aborted() {
    let mut can = can_of(&plan());
    let until_sync = |can: &mut Can| {
        (0..5_000).find(|_| {
            can.begin_tick();
            can.send(&[]).frames.iter().any(|frame| frame.frame.id == 0x010)
        })
    };
    assert!(until_sync(&mut can).is_some());
    let aborted = (1..20).find(|_| {
        can.begin_tick();
        can.send(&[]).abort == Some(0x010)
    });
    assert_eq!(aborted, Some(6));
    assert!(until_sync(&mut can).is_some());
    can.begin_tick();
    can.send(&[0x010]);
    assert!((0..20).all(|_| {
        can.begin_tick();
        can.send(&[]).abort.is_none()
    }));
}

/// The cycle begins at the end of the master's sync: the own slot follows it, wherever it falls.
#[test]
fn the_cycle_begins_at_the_masters_sync() {
    let mut plan = second_plan();
    plan.own().blocks.clear();
    plan.nodes[0].can_entries = 1 << 3;
    plan.nodes[1].can_entries = 0;
    let hash = node_hash(&plan, RELEASE_HASH, 9);
    for offset_us in [0u64, 400, 3_300, 9_999] {
        let mut can = can_of(&plan);
        let mut sent_us = Vec::new();
        for tick in 1..=60u64 {
            let now = Instant::from_micros(tick * 1_000);
            can.begin_tick();
            let sync_us = 20_000 + offset_us;
            if tick == sync_us.div_ceil(1_000) {
                let at = Instant::from_micros(sync_us);
                can.receive(now, &CanReceived { at, frame: sync(2) }).unwrap();
            }
            let frame = entry(hash, 3, 0, tick as u8);
            can.agree(&[&frame.id.to_le_bytes()[..], &frame.data].concat());
            for frame in can.send(&[]).frames.iter().filter(|_| tick * 1_000 > sync_us + 1_000) {
                sent_us.push((tick + 1) * 1_000 + u64::from(frame.slot) * 125 / 2 - sync_us);
            }
        }
        // Slot 3 begins 1875 us into the cycle; slots of the tick are 62.5 us.
        assert!(sent_us.len() >= 2 && sent_us.iter().all(|us| (us % 10_000).abs_diff(1_875) <= 63), "{sent_us:?}");
    }
}

/// CPU2's frame is sent while it is not older than 20 ticks when its slot comes: a master that begins the cycle anew in every
/// tick keeps the slot of entry 5 away, which comes two ticks after the last sync.
#[test]
fn a_frame_that_waits_longer_than_20_ticks_is_not_sent() {
    let mut plan = second_plan();
    plan.own().blocks.clear();
    plan.nodes[0].can_entries = 1 << 5;
    plan.nodes[1].can_entries = 0;
    let frame = entry(node_hash(&plan, RELEASE_HASH, 9), 5, 0, 1);
    for (last_sync, is_sent) in [(0, true), (17, true), (18, true), (19, false), (40, false)] {
        let mut can = can_of(&plan);
        can.begin_tick();
        can.agree(&bytes_of(&frame));
        let mut sent = Vec::new();
        for age in 0..=60u32 {
            if age > 0 {
                can.begin_tick();
            }
            if age <= last_sync {
                assert!(!hears(&mut can, sync(2)));
            }
            sent.extend(can.send(&[]).frames.into_iter().map(|sent| (age, sent.frame)));
        }
        let expected = if is_sent { [(last_sync + 2, frame)].to_vec() } else { Vec::new() };
        assert_eq!(sent, expected, "last sync at age {last_sync}");
    }
}

/// SSR-047 on CAN and the whole path: a remote bit closes a relay; its age opens it; good frames are passed on to CPU2.
#[test]
fn a_remote_bit_closes_a_relay_until_its_age_ends() {
    let plan = plan();
    let hash = node_hash(&plan, RELEASE_HASH, 1);
    let mut bench = Bench::running(&plan.bytes());
    for sequence in 1..=10 {
        let frame = entry(hash, 1, 1 << 5, sequence);
        bench.can.push(CanReceived { at: bench.now(), frame });
        bench.step();
        let forwarded = &bench.out.forward[0];
        assert_eq!(
            (forwarded.channel, &forwarded.bytes[..2], &forwarded.bytes[2..]),
            (Channel::Can, &[0x41, 0][..], &frame.data[..])
        );
        bench.steps(9);
    }
    assert_eq!((bench.out.relays, bench.cpu.mode()), (1, Mode::Normal));
    let off = (1..100).find(|_| {
        bench.step();
        bench.out.relays == 0
    });
    assert_eq!(off, Some(36 - 9));
}
