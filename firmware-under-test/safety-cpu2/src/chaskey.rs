//! Chaskey-12, the keyed hash of configurations, passwords and packets.
//!
//! Permutation-based MAC of Mouha and others with 12 rounds, 128-bit key and tag. Own code, made to be fed in pieces:
//! the last block waits until it is known to be the last, so that a hash with a fixed beginning (the serial numbers of a
//! network) is made once and copied for each packet.
//!
//! Diverse: fed byte by byte through a waiting block; words are cut from one 128-bit number.

const BLOCK: usize = 16;
const ROUNDS: u32 = 12;

/// A hash under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chaskey {
    key: [u32; 4],
    state: [u32; 4],
    waiting: [u8; BLOCK],
    filled: usize,
}

impl Chaskey {
    pub(crate) const fn new(key: [u32; 4]) -> Self {
        Self { key, state: key, waiting: [0; BLOCK], filled: 0 }
    }

    /// Takes the next piece of the message.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.filled >= BLOCK {
                self.state = permute(exclusive_or(self.state, words(&self.waiting)));
                self.waiting = [0; BLOCK];
                self.filled = 0;
            }
            if let Some(place) = self.waiting.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled = self.filled.saturating_add(1);
        }
    }

    /// The 128-bit tag of all that came.
    pub(crate) fn tag(mut self) -> [u32; 4] {
        let mut last_key = double(self.key);
        if let Some(place) = self.waiting.get_mut(self.filled) {
            *place = 1;
            last_key = double(last_key);
        }
        let mixed = exclusive_or(exclusive_or(self.state, words(&self.waiting)), last_key);
        exclusive_or(permute(mixed), last_key)
    }

    /// The first word of the tag: the 32-bit hash of packets and configurations.
    pub(crate) fn word(self) -> u32 {
        let [first, ..] = self.tag();
        first
    }
}

/// The tag of one piece under `key`.
pub(crate) fn tag(key: [u32; 4], message: &[u8]) -> [u32; 4] {
    let mut hash = Chaskey::new(key);
    hash.update(message);
    hash.tag()
}

fn words(block: &[u8; BLOCK]) -> [u32; 4] {
    let all = u128::from_le_bytes(*block);
    [all as u32, (all >> 32) as u32, (all >> 64) as u32, (all >> 96) as u32]
}

fn exclusive_or([a0, a1, a2, a3]: [u32; 4], [b0, b1, b2, b3]: [u32; 4]) -> [u32; 4] {
    [a0 ^ b0, a1 ^ b1, a2 ^ b2, a3 ^ b3]
}

/// Multiplies by x in the field of 2^128 elements, polynomial x^128 + x^7 + x^2 + x + 1.
fn double([k0, k1, k2, k3]: [u32; 4]) -> [u32; 4] {
    let carry = if k3 >> 31 == 1 { 0x87 } else { 0 };
    [(k0 << 1) ^ carry, (k1 << 1) | (k0 >> 31), (k2 << 1) | (k1 >> 31), (k3 << 1) | (k2 >> 31)]
}

fn permute([mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(5) ^ a;
        d = d.rotate_left(8) ^ c;
        a = a.rotate_left(16).wrapping_add(d);
        c = c.wrapping_add(b);
        d = d.rotate_left(13) ^ a;
        b = b.rotate_left(7) ^ c;
        c = c.rotate_left(16);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u32; 4] = [0x833D_3433, 0x009F_389F, 0x2398_E64F, 0x417A_CF39];
    /// Tags of the messages 0, 1, ... of a length, from the vectors published with the reference implementation.
    const PUBLISHED: [(usize, [u32; 4]); 8] = [
        (0, [0x43CB_1F41, 0x51EB_A0C2, 0xFF0A_8AC3, 0x7EE3_F642]),
        (1, [0xF9AC_2067, 0x9C35_A846, 0x441A_AD3D, 0x777B_7330]),
        (15, [0x03CF_B44B, 0x283C_8163, 0xFCA7_1448, 0xC40A_0AEA]),
        (16, [0x5DD0_E2A9, 0xFB5E_AC8C, 0x633A_392E, 0x500C_36F3]),
        (17, [0x8B5F_6D5A, 0x2023_14F6, 0x2209_2368, 0x9639_E606]),
        (32, [0x7796_2784, 0x07C6_47FA, 0xDD75_2C0F, 0xD2F5_A799]),
        (48, [0xF36E_748B, 0x8F34_677F, 0x1E00_BA1B, 0xDD7D_A46D]),
        (63, [0x2DD0_72E1, 0x42B8_9EFE, 0xFB26_B615, 0x049A_A451]),
    ];

    fn message(length: usize) -> std::vec::Vec<u8> {
        (0..length).map(|byte| byte as u8).collect()
    }

    /// SSR-071: the hash is the published one.
    #[test]
    fn published_vectors_are_met() {
        for (length, expected) in PUBLISHED {
            assert_eq!(tag(KEY, &message(length)), expected, "length {length}");
        }
    }

    #[test]
    fn pieces_give_the_same_tag_as_the_whole() {
        for length in 0..64 {
            let whole = message(length);
            for cut in 0..=length {
                let (first, second) = whole.split_at(cut);
                let mut pieces = Chaskey::new(KEY);
                pieces.update(first);
                let mut copy = pieces;
                copy.update(second);
                assert_eq!(copy.tag(), tag(KEY, &whole), "length {length}, cut {cut}");
            }
        }
    }
}
