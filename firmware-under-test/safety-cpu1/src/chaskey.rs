//! Chaskey-12: the keyed hash of radio, CAN, configuration and password.
//!
//! N. Mouha and others, "Chaskey: An Efficient MAC Algorithm for 32-bit Microcontrollers", and ISO/IEC 29192-6 with
//! twelve rounds. Only additions, rotations and XOR: no table that memory faults could change.

const BLOCK: usize = 16;
/// Rounds of the standardised form.
const ROUNDS: usize = 12;

/// A running hash.
#[derive(Clone, Debug)]
pub(crate) struct Chaskey<const R: usize = ROUNDS> {
    key: [u32; 4],
    state: [u32; 4],
    block: [u8; BLOCK],
    used: usize,
}

/// The first word of the tag over `message`; the product hashes in pieces, tests in one.
#[cfg(test)]
pub(crate) fn word(key: [u32; 4], message: &[u8]) -> u32 {
    let mut hash: Chaskey = Chaskey::new(key);
    hash.update(message);
    hash.word()
}

/// The whole tag over `message`, as bytes.
pub(crate) fn tag(key: [u32; 4], message: &[u8]) -> [u8; BLOCK] {
    let mut hash: Chaskey = Chaskey::new(key);
    hash.update(message);
    bytes_of(hash.tag())
}

impl<const R: usize> Chaskey<R> {
    pub(crate) const fn new(key: [u32; 4]) -> Self {
        Self { key, state: key, block: [0; BLOCK], used: 0 }
    }

    /// Takes more of the message.
    pub(crate) fn update(&mut self, message: &[u8]) {
        for byte in message {
            if self.used == BLOCK {
                self.state = permute::<R>(xor(self.state, words_of(self.block)));
                self.block = [0; BLOCK];
                self.used = 0;
            }
            if let Some(place) = self.block.get_mut(self.used) {
                *place = *byte;
            }
            self.used = self.used.saturating_add(1);
        }
    }

    /// The tag of what was taken so far.
    pub(crate) fn tag(&self) -> [u32; 4] {
        let k1 = double(self.key);
        let (block, key) = match self.used {
            BLOCK => (self.block, k1),
            _ => (self.padded(), double(k1)),
        };
        xor(permute::<R>(xor(xor(self.state, words_of(block)), key)), key)
    }

    /// The first word of the tag.
    pub(crate) fn word(&self) -> u32 {
        let [first, ..] = self.tag();
        first
    }

    fn padded(&self) -> [u8; BLOCK] {
        let mut block = self.block;
        if let Some(place) = block.get_mut(self.used) {
            *place = 1;
        }
        block
    }
}

fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a, b);
    [a0 ^ b0, a1 ^ b1, a2 ^ b2, a3 ^ b3]
}

fn words_of(bytes: [u8; BLOCK]) -> [u32; 4] {
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = bytes;
    [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]].map(u32::from_le_bytes)
}

fn bytes_of(words: [u32; 4]) -> [u8; BLOCK] {
    let [a, b, c, d] = words.map(u32::to_le_bytes);
    let ([a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]) = (a, b, c, d);
    [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3]
}

/// Multiplication by x in GF(2^128), which makes the keys of the last block.
fn double([a, b, c, d]: [u32; 4]) -> [u32; 4] {
    let carry = if d >> 31 == 1 { 0x87 } else { 0 };
    [(a << 1) ^ carry, (b << 1) | (a >> 31), (c << 1) | (b >> 31), (d << 1) | (c >> 31)]
}

fn permute<const R: usize>([mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    for _ in 0..R {
        a = a.wrapping_add(b);
        b = b.rotate_left(5) ^ a;
        a = a.rotate_left(16);
        c = c.wrapping_add(d);
        d = d.rotate_left(8) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(13) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(7) ^ c;
        c = c.rotate_left(16);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and messages 0, 1, 2, ... of the authors' published vectors.
    const KEY: [u32; 4] = [0x833D_3433, 0x009F_389F, 0x2398_E64F, 0x417A_CF39];

    fn tag_of<const R: usize>(length: u8) -> [u32; 4] {
        let mut hash = Chaskey::<R>::new(KEY);
        for byte in 0..length {
            hash.update(&[byte]);
        }
        hash.tag()
    }

    #[test]
    fn published_vectors_of_twelve_rounds_come_out() {
        assert_eq!(tag_of::<12>(0), [0x43CB_1F41, 0x51EB_A0C2, 0xFF0A_8AC3, 0x7EE3_F642]);
        assert_eq!(tag_of::<12>(1), [0xF9AC_2067, 0x9C35_A846, 0x441A_AD3D, 0x777B_7330]);
        assert_eq!(tag_of::<12>(15), [0x03CF_B44B, 0x283C_8163, 0xFCA7_1448, 0xC40A_0AEA]);
        assert_eq!(tag_of::<12>(16), [0x5DD0_E2A9, 0xFB5E_AC8C, 0x633A_392E, 0x500C_36F3]);
        assert_eq!(tag_of::<12>(17), [0x8B5F_6D5A, 0x2023_14F6, 0x2209_2368, 0x9639_E606]);
        assert_eq!(tag_of::<12>(48), [0xF36E_748B, 0x8F34_677F, 0x1E00_BA1B, 0xDD7D_A46D]);
        assert_eq!(tag_of::<12>(63), [0x2DD0_72E1, 0x42B8_9EFE, 0xFB26_B615, 0x049A_A451]);
    }

    #[test]
    fn published_vectors_of_eight_rounds_come_out() {
        assert_eq!(tag_of::<8>(0), [0x792E_8FE5, 0x75CE_87AA, 0x2D14_50B5, 0x1191_970B]);
        assert_eq!(tag_of::<8>(16), [0x7927_1CA9, 0xD66A_1C71, 0x81CA_474E, 0x4983_1CAD]);
        assert_eq!(tag_of::<8>(63), [0x9047_FAD7, 0x8813_6D8C, 0xA488_286B, 0x7FE9_352C]);
    }

    #[test]
    fn one_piece_and_many_pieces_give_the_same_tag() {
        let message: [u8; 40] = core::array::from_fn(|at| at as u8);
        assert_eq!(word(KEY, &message), tag_of::<12>(40)[0]);
        assert_eq!(tag(KEY, &message)[..4], tag_of::<12>(40)[0].to_le_bytes());
    }
}
