//! Frame lengths and CRC against published vectors and a second encoder.

use embedded_can::{ExtendedId, Id, StandardId};
use proptest::prelude::*;
use protocol::frame::Frame;

use super::super::wire::{Bits, Decoder, Heard, TAIL, arbitration_key, crc, crc_step, frame_bits, stuff_count};

/// A second encoder, bit by bit, written from the specification and sharing nothing with the first.
struct Slow {
    crc: u32,
    stuffed: Vec<bool>,
    stuff_bits: usize,
}

fn append(bits: &mut Vec<bool>, value: u64, width: u32) {
    bits.extend((0..width).rev().map(|place| value >> place & 1 == 1));
}

fn slow(frame: &Frame) -> Slow {
    let mut bits = vec![false];
    match frame.id() {
        Id::Standard(id) => {
            append(&mut bits, u64::from(id.as_raw()), 11);
            append(&mut bits, 0b000, 3);
        }
        Id::Extended(id) => {
            append(&mut bits, u64::from(id.as_raw() >> 18), 11);
            append(&mut bits, 0b11, 2);
            append(&mut bits, u64::from(id.as_raw() & 0x3_FFFF), 18);
            append(&mut bits, 0b000, 3);
        }
    }
    append(&mut bits, frame.data().len() as u64, 4);
    for byte in frame.data() {
        append(&mut bits, u64::from(*byte), 8);
    }
    let mut crc: u32 = 0;
    for bit in &bits {
        crc <<= 1;
        if (crc >> 15 & 1 == 1) != *bit {
            crc ^= 0x4599;
        }
        crc &= 0x7FFF;
    }
    append(&mut bits, u64::from(crc), 15);
    let mut stuffed: Vec<bool> = Vec::new();
    let mut stuff_bits = 0;
    for bit in bits {
        stuffed.push(bit);
        let tail = &stuffed[stuffed.len().saturating_sub(5)..];
        if tail.len() == 5 && tail.iter().all(|other| *other == bit) {
            stuffed.push(!bit);
            stuff_bits += 1;
        }
    }
    Slow { crc, stuffed, stuff_bits }
}

fn standard(id: u16, data: &[u8]) -> Frame {
    Frame::data_frame(StandardId::new(id).unwrap(), data).unwrap()
}

fn extended(id: u32, data: &[u8]) -> Frame {
    Frame::data_frame(ExtendedId::new(id).unwrap(), data).unwrap()
}

/// The vectors come from an independent encoder, a kernel's length function and a logic-analyser decoder that agreed.
#[test]
fn published_vectors_are_reproduced() {
    let vectors = [
        (standard(0x123, &[0xDE, 0xAD, 0xBE, 0xEF]), 0x4E6B, 2, 78),
        (standard(0x7E0, &[0x02, 0x10, 0x03, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA]), 0x5FEF, 6, 114),
        (standard(0x000, &[0; 8]), 0x145B, 16, 124),
        (extended(0x18DA_F110, &[1, 2, 3, 4, 5, 6, 7, 8]), 0x046C, 10, 138),
    ];
    for (frame, checksum, stuffed, bits) in vectors {
        assert_eq!((crc(&frame), stuff_count(&frame), frame_bits(&frame)), (checksum, stuffed, bits), "{frame:?}");
    }
}

#[test]
fn crc_has_the_published_check_value() {
    let crc = b"123456789".iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1 == 1));
    assert_eq!(crc.fold(0, crc_step), 0x059E);
}

#[test]
fn a_base_id_wins_against_the_29_bit_id_that_begins_with_it() {
    let base = Id::from(StandardId::new(0x100).unwrap());
    let longer = Id::from(ExtendedId::new(0x100 << 18).unwrap());
    let lower = Id::from(ExtendedId::new(0x0FF << 18 | 0x3_FFFF).unwrap());
    assert!(arbitration_key(base) < arbitration_key(longer));
    assert!(arbitration_key(lower) < arbitration_key(base));
}

fn any_frame() -> impl Strategy<Value = Frame> {
    // Bytes of equal bits are drawn often, because they are what causes stuffing.
    let byte = prop_oneof![Just(0_u8), Just(0xFF), any::<u8>()];
    let data = prop::collection::vec(byte, 0..=8);
    let ids = prop_oneof![
        (0_u16..0x800).prop_map(|raw| Id::from(StandardId::new(raw).unwrap())),
        (0_u32..0x2000_0000).prop_map(|raw| Id::from(ExtendedId::new(raw).unwrap())),
    ];
    (ids, data).prop_map(|(id, data)| Frame::data_frame(id, &data).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_and_bit_vector_agree_with_the_slow_encoder(frame in any_frame()) {
        let slow = slow(&frame);
        prop_assert_eq!(u32::from(crc(&frame)), slow.crc);
        prop_assert_eq!(stuff_count(&frame) as usize, slow.stuff_bits);
        prop_assert_eq!(frame_bits(&frame), slow.stuffed.len() as u32 + TAIL);
        let bits = Bits::of(&frame);
        let body: Vec<bool> = (0..bits.crc_delimiter()).map(|at| bits.recessive(at)).collect();
        prop_assert_eq!(body, slow.stuffed);
        prop_assert_eq!(bits.len(), frame_bits(&frame));
    }

    #[test]
    fn a_decoder_takes_a_frame_exactly_at_its_last_bit_and_acknowledges_in_the_slot(frame in any_frame()) {
        let bits = Bits::of(&frame);
        let mut decoder = Decoder::default();
        for at in 0..bits.len() {
            prop_assert_eq!(decoder.acknowledges(), at == bits.ack_slot());
            let last = at + 1 == bits.len();
            let heard = decoder.hear(bits.recessive(at));
            prop_assert_eq!(heard, if last { Heard::Received { overload: false } } else { Heard::More });
        }
    }

    #[test]
    fn one_flipped_bit_before_the_last_is_always_detected(frame in any_frame(), place in any::<u32>()) {
        let bits = Bits::of(&frame);
        // The value of the ACK slot says nothing about the frame; the last bit of EOF is not a receiver's concern.
        let flipped = place % (bits.len() - 1);
        prop_assume!(flipped != bits.ack_slot());
        let mut decoder = Decoder::default();
        let mut found = false;
        for at in 0..bits.len() + 6 {
            let heard = decoder.hear(bits.recessive(at) != (at == flipped));
            found = matches!(heard, Heard::StuffError | Heard::FormError | Heard::CrcError);
            if heard != Heard::More {
                break;
            }
        }
        prop_assert!(found);
    }
}
