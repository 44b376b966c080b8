//! SimpleCAN: layout, ages, sequences and threats (SSR-080).

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::chaskey;
use crate::radio::network_key;
use crate::settings::Node;
use crate::testing::{NETWORK_ID, OTHER_SERIAL, RELEASE_HASH, SERIAL, crc_forward};

fn network() -> Network {
    let node = |serial, can_entries, can_index| Node { serial, memories: 0, can_entries, can_index, radio: false };
    Network {
        id: NETWORK_ID,
        nodes: [node(SERIAL, 0b1001, 0), node(OTHER_SERIAL, 0b0010, 1)].into_iter().collect(),
        own: 0,
        radio_timeout: Duration::from_millis(100),
        radio_period: 10,
        can_age: Duration::from_millis(35),
    }
}

fn key() -> [u32; 4] {
    network_key(1, RELEASE_HASH, &network())
}

fn can() -> SimpleCan {
    SimpleCan::new(key(), &network())
}

/// From the text: hash over one byte string.
fn hash_of(index: u8) -> u32 {
    let mut message: Vec<u8> = [SERIAL, OTHER_SERIAL].iter().flat_map(|serial| serial.to_le_bytes()).collect();
    message.resize(64, 0);
    message.extend([NODE_HASH_TAG, index]);
    message.resize(80, 0);
    chaskey::tag(key(), &message)[0]
}

/// A frame as CPU1 passes it on, its CRC made bit by bit.
fn frame(node: u8, entry: u8, sequence: u8, data: u16) -> Vec<u8> {
    let [low, high] = data.to_le_bytes();
    let safety = [low, high, sequence, entry];
    let crc = crc_forward(32, 0x04C1_1DB7, hash_of(node), &safety);
    let mut bytes = (0x40 + u16::from(entry)).to_le_bytes().to_vec();
    bytes.extend(safety);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

fn hear(can: &mut SimpleCan, at: u64, bytes: &[u8]) -> u16 {
    assert_eq!(can.receive(ms(at), bytes), Ok(()));
    can.age(ms(at));
    can.values()[1]
}

#[test]
fn the_first_frame_sets_the_sequence_and_the_second_counts() {
    let mut can = can();
    assert_eq!(hear(&mut can, 10, &frame(1, 1, 200, 0xFFFF)), 0);
    assert_eq!(hear(&mut can, 20, &frame(1, 1, 201, 0x1234)), 0x1234);
}

/// The value is 0 past the maximum age, checked before every logic tick; then two frames are needed again.
#[test]
fn values_past_the_maximum_age_are_zero() {
    let mut can = can();
    hear(&mut can, 10, &frame(1, 1, 1, 7));
    hear(&mut can, 20, &frame(1, 1, 2, 7));
    can.age(ms(55));
    assert_eq!(can.values()[1], 7);
    can.age(ms(56));
    assert_eq!(can.values()[1], 0);
    assert_eq!(hear(&mut can, 60, &frame(1, 1, 2, 7)), 0, "not ahead of the last before the silence");
    assert_eq!(hear(&mut can, 61, &frame(1, 1, 3, 7)), 0, "only sets the sequence");
    assert_eq!(hear(&mut can, 70, &frame(1, 1, 4, 7)), 7);
}

/// SSR-080: what was stored somewhere of a sender that is dead comes for as long as it was late. It is dropped up to 2.0 s; of 2.05 s
/// and more the sequence of 8 bits says nothing.
#[test]
fn frames_that_a_dead_sender_left_behind_are_dropped() {
    let believed = |late_ms: u64| {
        let mut can = can();
        let sends = |at: u64| (at.is_multiple_of(10) && at <= 3_000).then(|| frame(1, 1, (at / 8) as u8, 7));
        (1..3_100 + late_ms).any(|at| {
            can.age(ms(at));
            for bytes in sends(at).into_iter().chain(at.checked_sub(late_ms).and_then(sends)) {
                hear(&mut can, at, &bytes);
            }
            at > 3_035 && can.values()[1] != 0
        })
    };
    let wrong: Vec<u64> = (1..2_000).step_by(11).filter(|late| believed(*late)).collect();
    assert!(wrong.is_empty(), "believed so many ms late: {wrong:?}");
    assert!(believed(2_048) && believed(2_300), "the limit of 8 bits");
}

/// A sequence counts if it is ahead, by no more than the time allows and 127 at most.
#[test]
fn sequences_must_be_ahead() {
    // As many as fit into the time since the last frame, 8 ms each, and 5 more.
    for (sequence, after, taken) in [
        (10u8, 1, false),
        (9, 1, false),
        (11, 1, true),
        (15, 7, true),
        (16, 7, false),
        (16, 8, true),
        (136, 975, true),
        (137, 975, false),
        (137, 976, true),
        (138, 1_000, false),
        (200, 1_000, false),
    ] {
        let mut can = SimpleCan::new(key(), &Network { can_age: Duration::from_millis(1_000), ..network() });
        hear(&mut can, 1, &frame(1, 1, 9, 1));
        hear(&mut can, 2, &frame(1, 1, 10, 1));
        assert_eq!(
            hear(&mut can, 2 + after, &frame(1, 1, sequence, 2)) == 2,
            taken,
            "sequence {sequence} after {after}"
        );
    }
}

/// A good frame with an entry of this unit from outside is masquerade.
#[test]
fn an_own_entry_from_outside_is_masquerade() {
    let mut can = can();
    assert_eq!(can.receive(ms(1), &frame(0, 3, 1, 0)), Err(Masquerade(3)));
    assert_eq!(can.receive(ms(1), &frame(1, 3, 1, 0)), Ok(()), "with another node's hash it is no good frame");
}

/// Wrong node hash, identifier, length, unowned entry.
#[test]
fn frames_that_do_not_fit_are_dropped() {
    let mut wrong_id = frame(1, 1, 2, 0xFFFF);
    wrong_id[0] = 0x42;
    let mut sync = frame(1, 1, 2, 0xFFFF);
    sync[0] = 0x10;
    let mut short = frame(1, 1, 2, 0xFFFF);
    short.pop();
    let mut long = frame(1, 1, 2, 0xFFFF);
    long.push(0);
    for bad in
        [frame(0, 1, 2, 0xFFFF), frame(1, 2, 2, 0xFFFF), frame(1, 15, 2, 0xFFFF), wrong_id, sync, short, long, vec![]]
    {
        let mut can = can();
        hear(&mut can, 1, &frame(1, 1, 0, 0));
        assert_eq!(hear(&mut can, 2, &bad), 0, "{bad:x?}");
    }
}

/// All single and double flips of a frame, identifier included.
#[test]
fn every_one_and_two_bit_flip_is_refused() {
    let good = frame(1, 1, 2, 0xFFFF);
    let bits = 8 * good.len();
    for first in 0..bits {
        for second in first..bits {
            let mut bytes = good.clone();
            bytes[first / 8] ^= 1 << (first % 8);
            if second != first {
                bytes[second / 8] ^= 1 << (second % 8);
            }
            assert!(can().parse(&bytes).is_none_or(|frame| !frame.good), "bits {first}, {second}");
        }
    }
}

/// More than 16 frames of an entry with a bad CRC: it reads 0 until one is forgotten, after 3.5 hours; others go on.
#[test]
fn an_entry_with_many_bad_frames_reads_zero() {
    let mut can = can();
    let mut corrupt = frame(1, 1, 50, 0xFFFF);
    corrupt[9] ^= 1;
    let hear_two = |can: &mut SimpleCan, at: u64, sequence: u8| {
        hear(can, at, &frame(1, 1, sequence, 7));
        hear(can, at + 1, &frame(1, 1, sequence + 1, 7))
    };
    for bad in 1..=16 {
        hear(&mut can, bad, &corrupt);
    }
    assert_eq!(hear_two(&mut can, 20, 1), 7, "16 are tolerated");
    assert_eq!(hear(&mut can, 22, &corrupt), 0);
    assert_eq!(hear_two(&mut can, 23, 3), 0);
    assert_eq!(can.receive(ms(24), &frame(0, 3, 1, 0)), Err(Masquerade(3)), "an own entry is still watched");
    (0..200).for_each(|_| assert_eq!(hear(&mut can, 25, &corrupt), 0));
    let drain = u64::from(ENTRY_ERROR_DRAIN_TICKS);
    (0..drain).for_each(|tick| can.age(ms(30 + tick)));
    assert_eq!(hear_two(&mut can, 30 + drain, 10), 7);
}

/// Own entries take turns with fresh data, the sequence goes up by one in 8 steps, and a receiver of the text's format
/// understands them.
#[test]
fn own_entries_take_turns() {
    let mut can = can();
    let mut data = [0; ENTRIES];
    (data[0], data[3]) = (0x1111, 0x3333);
    for step in 0..3_000u32 {
        let (entry, data) = if step % 2 == 0 { (0, &mut data) } else { (3, &mut data) };
        data[usize::from(entry)] = step as u16;
        let sequence = (1 + step / 8) as u8;
        assert_eq!(can.send(data).unwrap().to_vec(), frame(0, entry, sequence, step as u16), "step {step}");
    }
}

#[test]
fn a_unit_without_entries_sends_nothing() {
    let mut network = network();
    network.nodes[0].can_entries = 0;
    assert_eq!(SimpleCan::new(key(), &network).send(&[0xFFFF; ENTRIES]), None);
}

proptest! {
    /// SSM-13: no bytes panic.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64), at: u64) {
        let mut can = can();
        let _ = can.receive(Instant::from_micros(at), &bytes);
        can.age(Instant::from_micros(at));
    }
}
