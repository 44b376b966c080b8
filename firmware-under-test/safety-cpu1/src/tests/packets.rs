//! The C2C decoder against every damage that its CRC must find (SSR-017, SSR-018).

use std::vec::Vec;

use safety_common::c2c;
use safety_common::io::Mode;

use crate::packet::{Identity, Packet, Voltages};
use crate::testing::bench::FakePeer;
use crate::testing::reflected_crc32;

const BITS: usize = c2c::LEN * 8;

fn peer() -> FakePeer {
    FakePeer {
        mode: Mode::Normal as u8,
        main_on: true,
        counter: 0x0102_0304,
        identity: [0x1111_2222, 0x3333_4444, 0x5555_6666, 0x7777_8888],
        inputs_on: 0x1234,
        outputs_on: 0x0567,
        outputs_failed: 0x0089,
        relays_on: 2,
        offsets: [0; 16],
        silent: false,
        agrees: false,
    }
}

fn good() -> Vec<u8> {
    peer().packet(&core::array::from_fn::<i32, 16, _>(|at| 1_000 + at as i32))
}

fn decode(bytes: &[u8]) -> Option<Packet> {
    Packet::decode(&heapless::Vec::from_slice(bytes).unwrap())
}

/// Every field comes out of the place that the layout gives it; the packet was laid out by hand.
#[test]
fn a_good_packet_says_what_was_put_in() {
    let expected = Packet {
        mode: Mode::Normal,
        is_main_on: true,
        counter: 0x0102_0304,
        identity: Identity {
            release_id: 0x1111_2222,
            release_hash: 0x3333_4444,
            configuration_hash: 0x5555_6666,
            serial: 0x7777_8888,
        },
        voltages: Voltages { pins: core::array::from_fn(|at| 1_000 + at as u16), supply: 1_014, sio_power: 1_015 },
        inputs_on: 0x1234,
        outputs_on: 0x0567,
        outputs_failed: 0x0089,
        relays_on: 2,
        relay_feedback: 0,
    };
    assert_eq!(decode(&good()), Some(expected));
}

/// SSR-018: what CPU1 sends has the same layout with its own number, and a CRC that a second implementation confirms.
#[test]
fn an_own_packet_differs_from_a_peers_by_sender_only() {
    let mut own = decode(&good()).unwrap().encode();
    assert_eq!((own[1], own[3]), (1, 0));
    assert_eq!(decode(&own), None, "a reflected own packet is not taken for the peer's");
    (own[1], own[3]) = (2, 1);
    let crc = reflected_crc32(c2c::CRC_POLYNOMIAL, &own[..c2c::CRC_AT]);
    own[c2c::CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(own.to_vec(), good());
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// SSR-018, SSM-04: all 576 single and all 165,600 double flips, through the decoder.
#[test]
fn every_flip_of_one_or_two_bits_is_rejected() {
    let mut bytes = heapless::Vec::from_slice(&good()).unwrap();
    let mut rejected = 0;
    for first in 0..BITS {
        flip(&mut bytes, first);
        rejected += u32::from(Packet::decode(&bytes).is_none());
        for second in first + 1..BITS {
            flip(&mut bytes, second);
            rejected += u32::from(Packet::decode(&bytes).is_none());
            flip(&mut bytes, second);
        }
        flip(&mut bytes, first);
    }
    assert_eq!(rejected, 576 + 165_600);
}

/// SSR-018: every burst of up to 32 bits. The change that a flipped bit makes to the check is its syndrome; a pattern of flips
/// passes only if the syndromes cancel. At every position the 32 syndromes of adjacent bits are linearly independent, so no
/// pattern inside 32 bits cancels.
#[test]
fn no_burst_of_up_to_32_bits_can_pass() {
    let base = good();
    let check = |bytes: &[u8]| {
        let stored = u32::from_le_bytes(bytes[c2c::CRC_AT..].try_into().unwrap());
        crate::sums::C2C.checksum(&bytes[..c2c::CRC_AT]) ^ stored
    };
    let syndromes: Vec<u32> = (0..BITS)
        .map(|bit| {
            let mut bytes = base.clone();
            flip(&mut bytes, bit);
            check(&bytes)
        })
        .collect();
    for window in syndromes.windows(32) {
        let mut basis: Vec<u32> = Vec::new();
        for syndrome in window {
            let rest = basis.iter().fold(*syndrome, |rest, vector| rest.min(rest ^ vector));
            assert_ne!(rest, 0, "linearly dependent");
            basis.push(rest);
        }
    }
}

/// SSR-018: random corruptions, sampled bursts among them (of 10^7 none is expected to pass: 0.0023).
#[test]
fn random_corruptions_are_rejected() {
    assert_eq!(accepted_of(1_000_000), 0);
}

/// SSR-018: the same 10^7 times.
#[test]
#[ignore = "long: 10^7 samples"]
fn ten_million_random_corruptions_are_rejected() {
    assert_eq!(accepted_of(10_000_000), 0);
}

/// How many of so many random corruptions the decoder takes.
fn accepted_of(samples: u32) -> u32 {
    let base: heapless::Vec<u8, 96> = heapless::Vec::from_slice(&good()).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut accepted = 0u32;
    for round in 0..samples {
        let mut bytes = base.clone();
        let at = (random() % 65) as usize;
        let pattern = random() | 1;
        for (byte, noise) in bytes[at..].iter_mut().zip(pattern.to_le_bytes()) {
            *byte ^= noise;
        }
        if round % 2 == 0 {
            let at = (random() % 65) as usize;
            for (byte, noise) in bytes[at..].iter_mut().zip(random().to_le_bytes()) {
                *byte ^= noise;
            }
        }
        accepted += u32::from(bytes != base && Packet::decode(&bytes).is_some());
    }
    accepted
}

/// SSR-018: all zeros, all ones, truncated and extended.
#[test]
fn packets_of_wrong_form_are_rejected() {
    let whole = good();
    for length in 0..=c2c::RECEIVE_LEN_MOST {
        assert_eq!(decode(&std::vec![0; length]), None);
        assert_eq!(decode(&std::vec![0xFF; length]), None);
        let mut bytes = whole.clone();
        bytes.resize(length, 0);
        assert_eq!(decode(&bytes).is_some(), length == c2c::LEN, "{length}");
    }
}

/// A packet with a good CRC and a field that no CPU2 sends.
#[test]
fn fields_out_of_range_are_rejected() {
    for (at, value) in [(0, 0xC2), (1, 1), (1, 3), (2, 0), (2, 5), (2, 255), (3, 2), (3, 0x81), (64, 1), (67, 1)] {
        let mut bytes = good();
        bytes[at] = value;
        let crc = reflected_crc32(c2c::CRC_POLYNOMIAL, &bytes[..c2c::CRC_AT]);
        bytes[c2c::CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(decode(&bytes), None, "byte {at} = {value}");
    }
}
