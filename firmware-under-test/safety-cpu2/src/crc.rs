//! Cyclic redundancy checks, sliced by nibbles.
//!
//! Diverse from the usual byte table: a reflected CRC-32 takes a whole word at once and looks up its eight nibbles, each
//! in a table of its own (512 bytes a polynomial); the unreflected ones go nibble by nibble through one table of sixteen.
//! All tables are made by the compiler from the polynomial, shift by shift, so there is no copied table to be wrong.

use safety_common::{c2c, radio, simplecan};

/// CRC-32/ISO-HDLC polynomial of the flash records and tool messages.
const FLASH_POLYNOMIAL: u32 = 0x04C1_1DB7;

type Tables = [[u32; 16]; 8];

static C2C_TABLES: Tables = reflected_tables(c2c::CRC_POLYNOMIAL);
static FLASH_TABLES: Tables = reflected_tables(FLASH_POLYNOMIAL);
static CAN_TABLE: [u32; 16] = forward_table(simplecan::CRC_POLYNOMIAL);
/// CRC-24 held in the upper 24 bits of a word.
static RADIO_TABLE: [u32; 16] = forward_table(radio::CRC_POLYNOMIAL << 8);

const RADIO_INITIAL: u32 = 0xFE_DCBA;

/// Table `i` holds what nibble `i` of a word becomes after all 32 shifts.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler: an index out of range would not build")]
const fn reflected_tables(polynomial: u32) -> Tables {
    let reversed = polynomial.reverse_bits();
    let mut tables = [[0; 16]; 8];
    let mut place = 0;
    while place < 8 {
        let mut nibble = 0;
        while nibble < 16 {
            let mut state = (nibble as u32) << (4 * place);
            let mut shift = 0;
            while shift < 32 {
                state = (state >> 1) ^ (if state & 1 == 1 { reversed } else { 0 });
                shift += 1;
            }
            tables[place][nibble] = state;
            nibble += 1;
        }
        place += 1;
    }
    tables
}

/// What a nibble that leaves at the top becomes after its four shifts.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler: an index out of range would not build")]
const fn forward_table(polynomial: u32) -> [u32; 16] {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut state = (nibble as u32) << 28;
        let mut shift = 0;
        while shift < 4 {
            state = (state << 1) ^ (if state >> 31 == 1 { polynomial } else { 0 });
            shift += 1;
        }
        table[nibble] = state;
        nibble += 1;
    }
    table
}

fn look_up(table: &[u32; 16], nibble: u32) -> u32 {
    table.get((nibble & 15) as usize).copied().unwrap_or(0)
}

/// A reflected CRC-32 that takes its bytes in pieces; initial value and final XOR are 0xFFFF_FFFF.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32 {
    tables: &'static Tables,
    state: u32,
}

impl Crc32 {
    /// CRC-32/AUTOSAR of the C2C packet (SSR-018).
    pub(crate) const fn c2c() -> Self {
        Self { tables: &C2C_TABLES, state: u32::MAX }
    }

    /// CRC-32/ISO-HDLC of flash records and tool messages.
    pub(crate) const fn flash() -> Self {
        Self { tables: &FLASH_TABLES, state: u32::MAX }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            self.word(u32::from_le_bytes(*word));
        }
        for byte in rest {
            self.nibble(u32::from(*byte));
            self.nibble(u32::from(*byte) >> 4);
        }
    }

    pub(crate) const fn value(self) -> u32 {
        !self.state
    }

    fn word(&mut self, word: u32) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.tables;
        let x = self.state ^ word;
        let low = look_up(t0, x) ^ look_up(t1, x >> 4) ^ look_up(t2, x >> 8) ^ look_up(t3, x >> 12);
        let high = look_up(t4, x >> 16) ^ look_up(t5, x >> 20) ^ look_up(t6, x >> 24) ^ look_up(t7, x >> 28);
        self.state = low ^ high;
    }

    /// The last table is also the one for a nibble that leaves at the bottom.
    fn nibble(&mut self, nibble: u32) {
        let [.., last] = self.tables;
        self.state = (self.state >> 4) ^ look_up(last, self.state ^ nibble);
    }
}

/// CRC-32/AUTOSAR of one piece.
pub(crate) fn c2c(bytes: &[u8]) -> u32 {
    let mut crc = Crc32::c2c();
    crc.update(bytes);
    crc.value()
}

/// CRC-32/ISO-HDLC of one piece.
pub(crate) fn flash(bytes: &[u8]) -> u32 {
    let mut crc = Crc32::flash();
    crc.update(bytes);
    crc.value()
}

/// CRC-24 of a radio packet (SSR-070).
pub(crate) fn radio(bytes: &[u8]) -> u32 {
    forward(&RADIO_TABLE, RADIO_INITIAL << 8, bytes) >> 8
}

/// CRC-32 of a SimpleCAN frame; `node_hash` is that of its sender (SSR-080).
pub(crate) fn can(node_hash: u32, bytes: &[u8]) -> u32 {
    forward(&CAN_TABLE, node_hash, bytes)
}

fn forward(table: &[u32; 16], initial: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(initial, |state, byte| {
        let state = state ^ (u32::from(*byte) << 24);
        let state = (state << 4) ^ look_up(table, state >> 28);
        (state << 4) ^ look_up(table, state >> 28)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHECK: &[u8] = b"123456789";

    /// SSR-018, SSR-061, SSR-070: check values of the published CRC catalogue.
    #[test]
    fn check_values_of_the_catalogue_are_met() {
        assert_eq!(c2c(CHECK), 0x1697_D06A, "CRC-32/AUTOSAR");
        assert_eq!(flash(CHECK), 0xCBF4_3926, "CRC-32/ISO-HDLC");
        assert_eq!(radio(CHECK), 0x79_79BD, "CRC-24/FLEXRAY-A");
        assert_eq!(can(u32::MAX, CHECK), 0x0376_E6E7, "CRC-32/MPEG-2 has the polynomial and shape of the CAN frame");
        assert_eq!(can(0, b"\0\0\0\0"), 0, "a seed of 0 over zeros");
    }

    fn long_division(bytes: &[u8], polynomial: u32, initial: u32, reflected: bool) -> u32 {
        let mut state = initial;
        for byte in bytes {
            for bit in 0..8 {
                let input = if reflected { byte >> bit } else { byte >> (7 - bit) } & 1;
                let feedback = (state >> 31) ^ u32::from(input);
                state = (state << 1) ^ (if feedback == 1 { polynomial } else { 0 });
            }
        }
        state
    }

    proptest! {
        /// Against polynomial division bit by bit, for every length and any cut into pieces.
        #[test]
        fn nibbles_equal_long_division(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200, seed: u32) {
            let division = long_division(&bytes, c2c::CRC_POLYNOMIAL, u32::MAX, true).reverse_bits() ^ u32::MAX;
            prop_assert_eq!(c2c(&bytes), division);
            let mut pieces = Crc32::flash();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            pieces.update(first);
            pieces.update(second);
            prop_assert_eq!(pieces.value(), long_division(&bytes, FLASH_POLYNOMIAL, u32::MAX, true).reverse_bits() ^ u32::MAX);
            prop_assert_eq!(can(seed, &bytes), long_division(&bytes, simplecan::CRC_POLYNOMIAL, seed, false));
            prop_assert_eq!(radio(&bytes), long_division(&bytes, radio::CRC_POLYNOMIAL << 8, RADIO_INITIAL << 8, false) >> 8);
        }
    }
}
