//! Radio against each threat of a black channel.
//!
//! SSR-068 to SSR-079.
//!
//! Packets are made by hand from the layout, with a CRC of their own; the hash is proven against published vectors where it
//! lives.

use std::vec::Vec;

use safety_common::configuration::BlockKind;
use safety_common::io::{Channel, Mode};
use safety_common::radio;
use units::Instant;

use crate::chaskey::Chaskey;
use crate::configuration::Check;
use crate::radio::{Radio, without_crc};
use crate::testing::bench::Bench;
use crate::testing::flash::{FakeFlash, RELEASE_HASH, SERIAL};
use crate::testing::plan::{OTHER_SERIAL, Plan, SectionPlan, block};

/// What seeds the hash.
#[derive(Clone)]
struct Seed {
    configuration: u32,
    release: u32,
    network: u32,
    serials: Vec<u32>,
}

fn plan() -> Plan {
    let mut plan = Plan::pair(SectionPlan::empty());
    plan.own().blocks = [
        block(BlockKind::MemoryReceive, 1, 5, &[], 0),
        block(BlockKind::Relay, 0, 0, &[0], 0),
        block(BlockKind::MemorySend, 0, 3, &[0x8001], 0),
    ]
    .to_vec();
    plan
}

fn hash_of(plan: &Plan) -> u32 {
    let bytes = plan.bytes();
    u32::from_le_bytes(bytes[12..16].try_into().unwrap())
}

fn seed(plan: &Plan) -> Seed {
    let serials = [SERIAL, OTHER_SERIAL].to_vec();
    Seed { configuration: hash_of(plan), release: RELEASE_HASH, network: plan.network_id, serials }
}

fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0xFE_DCBA_u32;
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        let carry = crc >> 23 & 1 ^ u32::from(bit);
        crc = (crc << 1 & 0xFF_FFFF) ^ if carry == 1 { 0x5D_6DCB } else { 0 };
    }
    crc
}

fn body(seed: &Seed, sender: u8, counter: u64, memories: &[u16]) -> Vec<u8> {
    let mut hash: Chaskey = Chaskey::new([seed.configuration, seed.release, seed.network, 0x5341_4645]);
    let mut serials = seed.serials.clone();
    serials.resize(16, 0);
    serials.iter().for_each(|serial| hash.update(&serial.to_le_bytes()));
    hash.update(&[sender, memories.len() as u8, 0, 0]);
    hash.update(&counter.to_le_bytes());
    hash.update(&[0; 4]);
    memories.iter().for_each(|word| hash.update(&word.to_le_bytes()));
    let mut bytes = [0x52, sender, memories.len() as u8].to_vec();
    bytes.extend(counter.to_le_bytes());
    memories.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(hash.word().to_le_bytes());
    bytes
}

fn finished(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc24(&bytes);
    bytes.extend(&crc.to_be_bytes()[1..]);
    bytes
}

fn packet(seed: &Seed, sender: u8, counter: u64, memories: &[u16]) -> Vec<u8> {
    finished(body(seed, sender, counter, memories))
}

/// The receiver of the first node, and what seeds it.
fn receiver_of(plan: &Plan) -> Radio {
    let flash = FakeFlash::with_configuration(&plan.bytes());
    let mut check = Check::new(SERIAL);
    let configuration = (0..100).find_map(|_| check.slice(&flash).unwrap()).unwrap();
    Radio::new(&configuration, RELEASE_HASH)
}

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

/// A receiver that trusts the other node: three packets, the last with counter 10 at 100 ms.
fn trusting(plan: &Plan) -> (Radio, Seed) {
    let (mut radio, seed) = (receiver_of(plan), seed(plan));
    for counter in 8..=10 {
        assert!(radio.receive(at(counter * 10), &packet(&seed, 1, counter, &[0x00FF])));
    }
    assert_eq!(radio.memories()[1][0], 0x00FF);
    (radio, seed)
}

/// SSR-075: the memories of the other node arrive; the first two packets only build trust.
#[test]
fn memories_arrive_after_two_packets_in_order() {
    let plan = plan();
    let (mut radio, seed) = (receiver_of(&plan), seed(&plan));
    for (counter, expected) in [(1, 0), (2, 0), (3, 0xABCD)] {
        assert!(radio.receive(at(counter * 10), &packet(&seed, 1, counter, &[0xABCD])));
        assert_eq!(radio.memories()[1][0], expected);
    }
}

/// SSR-069: repeated, old and re-ordered packets are dropped; lost ones and big steps are not held against later ones.
#[test]
fn old_and_repeated_packets_are_dropped() {
    let (mut radio, seed) = trusting(&plan());
    for counter in [10, 9, 1, 0] {
        assert!(!radio.receive(at(110), &packet(&seed, 1, counter, &[0])), "{counter}");
    }
    assert!(radio.receive(at(150), &packet(&seed, 1, 15, &[0x1111])));
    assert!(!radio.receive(at(160), &packet(&seed, 1, 14, &[0x2222])), "overtaken");
    assert_eq!(radio.memories()[1][0], 0x1111);
}

/// SSR-069: the counter passes 2^32 without a drop, and a restart of the sender, which counts in the high bits, is accepted.
#[test]
fn the_counter_wraps_nowhere_and_survives_a_restart() {
    let plan = plan();
    let (mut radio, seed) = (receiver_of(&plan), seed(&plan));
    let first = u64::from(u32::MAX) - 3;
    for n in 0..8 {
        assert!(radio.receive(at(n * 10), &packet(&seed, 1, first + n, &[7])), "{n}");
    }
    let restarted = 1 << radio::COUNTER_PACKET_BITS;
    for n in 0..4 {
        assert!(radio.receive(at(100 + n * 10), &packet(&seed, 1, restarted + n, &[9])), "{n}");
    }
    assert_eq!(radio.memories()[1][0], 9);
    assert!(!radio.receive(at(200), &packet(&seed, 1, first + 9, &[7])), "a packet of before the restart");
}

/// SSR-070, SSR-018 in small: every flip of one or two bits of the packet is found by the CRC alone.
#[test]
fn every_flip_of_one_or_two_bits_changes_the_crc() {
    let good = packet(&seed(&plan()), 1, 77, &[0x1234; 16]);
    let check = |bytes: &[u8]| {
        let (body, crc) = bytes.split_at(bytes.len() - 3);
        crate::sums::RADIO.checksum(body) ^ u32::from_be_bytes([0, crc[0], crc[1], crc[2]])
    };
    assert_eq!((check(&good), good.len()), (0, radio::LEN_MOST));
    let bits = good.len() * 8;
    let mut bytes = good;
    let mut syndromes = Vec::new();
    for bit in 0..bits {
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        syndromes.push(check(&bytes));
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
    }
    assert!(syndromes.iter().all(|syndrome| *syndrome != 0));
    let mut sorted = syndromes.clone();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|pair| pair[0] != pair[1]), "two flips never cancel");
    // SSR-070: bursts of up to 24 bits never cancel, since the syndromes of 24 adjacent bits are linearly independent.
    for window in syndromes.windows(24) {
        let mut basis: Vec<u32> = Vec::new();
        for syndrome in window {
            let rest = basis.iter().fold(*syndrome, |rest, vector| rest.min(rest ^ vector));
            assert_ne!(rest, 0);
            basis.push(rest);
        }
    }
}

/// SSR-070, SSR-018: every flip of one or two bits of a packet of 50 bytes through the decoder's CRC stage, before the hash is
/// looked at; truncated and extended packets, all zeros, all ones.
#[test]
fn every_one_and_two_bit_flip_is_rejected_by_the_crc_alone() {
    let mut bytes = packet(&seed(&plan()), 1, 77, &[0x1234; 16]);
    assert!(without_crc(&bytes).is_some());
    let mut rejected = 0;
    for first in 0..bytes.len() * 8 {
        bytes[first / 8] ^= 1 << (first % 8);
        rejected += u32::from(without_crc(&bytes).is_none());
        for second in first + 1..bytes.len() * 8 {
            bytes[second / 8] ^= 1 << (second % 8);
            rejected += u32::from(without_crc(&bytes).is_none());
            bytes[second / 8] ^= 1 << (second % 8);
        }
        bytes[first / 8] ^= 1 << (first % 8);
    }
    assert_eq!(rejected, 400 + 400 * 399 / 2);
    for len in 0..bytes.len() {
        assert!(without_crc(&bytes[..len]).is_none(), "{len}");
        assert!(without_crc(&std::vec![0; len + 4]).is_none() && without_crc(&std::vec![0xFF; len + 4]).is_none());
    }
    // Behind a CRC with a final XOR of 0 a zero more goes unseen; the length that the packet itself tells decides.
    let (radio, seed) = trusting(&plan());
    let mut good = packet(&seed, 1, 11, &[7]);
    assert!(radio.clone().receive(at(110), &good));
    for extension in 0..=255 {
        good.push(extension);
        assert!(!radio.clone().receive(at(110), &good), "extended by {extension}");
        good.pop();
    }
}

/// SSR-070: random bodies pass the CRC alone as often as 2^-24 says: the 99 % interval of 2^24 trials with mean 1 ends at 4.
#[test]
fn random_packets_pass_the_crc_as_rarely_as_its_width_says() {
    let mut state = 0x1234_5678_9ABC_DEF1u64;
    let mut passed = 0;
    for _ in 0..1 << 24 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bytes = state.to_le_bytes();
        let crc = crate::sums::RADIO.checksum(&bytes[..5]);
        passed += u32::from(crc == u32::from_be_bytes([0, bytes[5], bytes[6], bytes[7]]));
    }
    assert!(passed <= 4, "{passed}");
}

/// SSR-071, SSR-078, SSR-079, SSM-15: one bit off in any seed item, and nothing is accepted.
#[test]
fn a_different_seed_is_never_accepted() {
    let (radio, good) = trusting(&plan());
    for bit in 0..32 {
        let flip = 1 << bit;
        let others = [
            Seed { configuration: good.configuration ^ flip, ..good.clone() },
            Seed { release: good.release ^ flip, ..good.clone() },
            Seed { network: good.network ^ flip, ..good.clone() },
            Seed { serials: [SERIAL ^ flip, OTHER_SERIAL].to_vec(), ..good.clone() },
            Seed { serials: [SERIAL, OTHER_SERIAL ^ flip].to_vec(), ..good.clone() },
        ];
        for (item, seed) in others.iter().enumerate() {
            assert!(!radio.clone().receive(at(110), &packet(seed, 1, 11, &[0])), "item {item}, bit {bit}");
        }
    }
    let swapped = Seed { serials: [OTHER_SERIAL, SERIAL].to_vec(), ..good.clone() };
    assert!(!radio.clone().receive(at(110), &packet(&swapped, 1, 11, &[0])));
    assert!(radio.clone().receive(at(110), &packet(&good, 1, 11, &[0])), "and the good one is");
}

/// SSR-071: payload, counter or hash altered under a good CRC.
#[test]
fn altered_content_under_a_good_crc_is_never_accepted() {
    assert_eq!(forged(300_000), 0);
}

/// SSR-071: the same 10^7 times.
#[test]
#[ignore = "long: 10^7 samples"]
fn ten_million_forged_packets_are_never_accepted() {
    assert_eq!(forged(10_000_000), 0);
}

/// How many of so many altered packets are accepted.
fn forged(samples: u32) -> u32 {
    let (radio, seed) = trusting(&plan());
    let good = body(&seed, 1, 11, &[0x00FF]);
    let mut state = 0xDEAD_BEEF_CAFE_F00Du64;
    let mut accepted = 0;
    for _ in 0..samples {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut bytes = good.clone();
        let noise = state.to_le_bytes();
        let from = 3 + (state % 7) as usize;
        bytes[from..from + 8].iter_mut().zip(noise).for_each(|(byte, noise)| *byte ^= noise);
        let crc = crate::sums::RADIO.checksum(&bytes);
        bytes.extend(&crc.to_be_bytes()[1..]);
        accepted += u32::from(bytes[..good.len()] != good && radio.clone().receive(at(110), &bytes));
    }
    accepted
}

/// SSR-068: own packets that come back, unknown senders, wrong numbers of memories and wrong forms.
#[test]
fn packets_of_wrong_form_or_sender_are_dropped() {
    let (radio, seed) = trusting(&plan());
    let good = packet(&seed, 1, 11, &[0]);
    for bytes in [
        packet(&seed, 0, 11, &[0]),
        packet(&seed, 2, 11, &[0]),
        packet(&seed, 255, 11, &[0]),
        packet(&seed, 1, 11, &[]),
        packet(&seed, 1, 11, &[0, 0]),
        packet(&seed, 1, 11, &[0; 17]),
        good[..good.len() - 1].to_vec(),
        [&good[..], &[0]].concat(),
        Vec::new(),
        std::vec![0; 64],
        std::vec![0xFF; 64],
    ] {
        assert!(!radio.clone().receive(at(110), &bytes), "{bytes:?}");
    }
}

/// SSR-076: all memories 0 when the time-out has passed, not before, for each of the time-outs named.
#[test]
fn memories_become_zero_at_the_time_out_and_not_before() {
    for (timeout, period) in [(4, 2), (10, 5), (100, 10), (60_000, 1_000)] {
        let mut plan = plan();
        (plan.radio_timeout, plan.radio_period, plan.response) = (timeout, period, 100_000);
        let (mut radio, seed) = (receiver_of(&plan), seed(&plan));
        for n in 0..4u64 {
            radio.receive(at(n), &packet(&seed, 1, n + 1, &[0xFFFF]));
        }
        let last = 3;
        for ms in last..last + u64::from(timeout) {
            radio.expire(at(ms));
            assert_eq!(radio.memories()[1][0], 0xFFFF, "{timeout}: after {} ms", ms - last);
        }
        radio.expire(at(last + u64::from(timeout)));
        assert_eq!(radio.memories()[1], [0; 16], "{timeout}");
    }
}

/// SSR-076, SSR-069: after a time-out old packets stay old, and trust is built anew.
#[test]
fn after_a_time_out_old_packets_stay_old() {
    let (mut radio, seed) = trusting(&plan());
    radio.expire(at(1_000));
    assert!(!radio.receive(at(1_000), &packet(&seed, 1, 9, &[0xFFFF])));
    for (counter, expected) in [(100, 0), (101, 0), (102, 3)] {
        assert!(radio.receive(at(counter * 10), &packet(&seed, 1, counter, &[3])));
        assert_eq!(radio.memories()[1][0], expected);
    }
}

/// SSR-068, delay: packets that a store-and-forward node holds back for longer than the time-out are dropped for ever.
#[test]
fn delayed_packets_are_dropped() {
    let (mut radio, seed) = trusting(&plan());
    assert!(radio.receive(at(110 + 90), &packet(&seed, 1, 11, &[1])), "90 ms late is inside the time-out of 100 ms");
    for counter in 12..400 {
        let now = at(counter * 10 + 150);
        radio.expire(now);
        assert!(!radio.receive(now, &packet(&seed, 1, counter, &[1])), "{counter}");
    }
    assert_eq!(radio.memories()[1][0], 0);
}

/// A sender whose clock is 0.2 % slow for an hour is not taken for a delayed one.
#[test]
fn a_slow_sender_is_not_a_delayed_one() {
    let plan = plan();
    let (mut radio, seed) = (receiver_of(&plan), seed(&plan));
    for n in 1..36_000u64 {
        let now = Instant::from_micros(n * 10_020);
        radio.expire(now);
        assert!(radio.receive(now, &packet(&seed, 1, n, &[1])), "{n}");
    }
}

/// SSR-072: whatever subset arrives, the state is that of the last accepted packet alone.
#[test]
fn only_the_last_packet_counts() {
    for subset in 0..64u32 {
        let (mut radio, seed) = trusting(&plan());
        let mut last = 0x00FF;
        for n in (0..6u32).filter(|n| subset >> n & 1 == 1) {
            last = 0x1000 + n as u16;
            assert!(radio.receive(at(110 + u64::from(n) * 10), &packet(&seed, 1, 11 + u64::from(n), &[last])));
        }
        assert_eq!(radio.memories()[1][0], last);
    }
}

/// What CPU1 sends is what CPU2 made, with a CRC that a second implementation confirms; never twice, never altered.
#[test]
fn cpu1_finishes_what_cpu2_made() {
    let plan = plan();
    let seed = seed(&plan);
    let mut bench = Bench::running(&plan.bytes());
    let made = body(&seed, 0, 1, &[0b1000]);
    bench.forward(Channel::Radio, &made);
    bench.step();
    assert_eq!(bench.out.radio.as_deref(), Some(&finished(made.clone())[..]));
    bench.forward(Channel::Radio, &made);
    bench.step();
    assert_eq!(bench.out.radio, None, "a counter that does not go up");
    for bad in [
        body(&Seed { release: 0, ..seed.clone() }, 0, 5, &[0b1000]),
        body(&seed, 1, 5, &[0b1000]),
        body(&seed, 0, 5, &[]),
        body(&seed, 0, 5, &[0b1100]),
        made[..made.len() - 1].to_vec(),
    ] {
        bench.forward(Channel::Radio, &bad);
        bench.step();
        assert_eq!(bench.out.radio, None, "{bad:?}");
    }
    bench.forward(Channel::Radio, &body(&seed, 0, 5, &[0]));
    bench.step();
    assert!(bench.out.radio.is_some(), "a memory less than CPU1 wants is safe");
}

/// SSR-075, SSR-076 in the whole CPU: a remote memory closes a relay, silence opens it; good packets are passed on to CPU2.
#[test]
fn a_remote_memory_closes_a_relay_until_the_time_out() {
    let plan = plan();
    let seed = seed(&plan);
    let mut bench = Bench::running(&plan.bytes());
    for counter in 1..=20 {
        let bytes = packet(&seed, 1, counter, &[0b10_0000]);
        bench.radio.push(heapless::Vec::from_slice(&bytes).unwrap());
        bench.step();
        assert_eq!(bench.out.forward.len(), 1);
        assert_eq!((bench.out.forward[0].channel, &bench.out.forward[0].bytes[..]), (Channel::Radio, &bytes[..]));
        bench.steps(9);
    }
    assert_eq!(bench.out.relays, 1);
    // Nine of the hundred milliseconds have gone; the packet after the logic's own takes one more.
    let off = (1..200).find(|_| {
        bench.step();
        bench.out.relays == 0
    });
    assert_eq!(off, Some(91));
    let mut bad = packet(&seed, 1, 30, &[1]);
    bad[12] ^= 1;
    bench.radio.push(heapless::Vec::from_slice(&bad).unwrap());
    bench.step();
    assert!(bench.out.forward.is_empty(), "what is damaged is not passed on");
}

/// SSR-047, SSR-073: a unit in safe state sends nothing on the radio, whatever CPU2 makes.
#[test]
fn nothing_is_sent_in_safe_state() {
    let plan = plan();
    let seed = seed(&plan);
    let mut bench = Bench::running(&plan.bytes());
    bench.peer.silent = true;
    bench.steps_to_safe(30);
    assert_eq!(bench.cpu.mode(), Mode::Safe);
    for counter in 1..200 {
        bench.forward(Channel::Radio, &body(&seed, 0, counter, &[0b1000]));
        bench.radio.push(heapless::Vec::from_slice(&packet(&seed, 1, counter, &[1])).unwrap());
        bench.step();
        assert!(bench.out.radio.is_none() && bench.out.forward.is_empty() && bench.out.can.is_empty());
    }
}
