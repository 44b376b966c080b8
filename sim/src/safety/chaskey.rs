//! Chaskey-12, the keyed hash of configurations, passwords and safety packets.
//!
//! Written from Mouha et al., "Chaskey: An Efficient MAC Algorithm for 32-bit Microcontrollers" (SAC 2014) with the twelve
//! rounds of the 2015 revision. The firmware under test has its own implementations; this one shares no line with them.

/// Rounds of the permutation.
const ROUNDS: u32 = 12;

/// The tag of `message` under `key`; its first word alone serves where 32 bits are kept.
#[must_use]
pub fn tag(key: [u32; 4], message: &[u8]) -> [u32; 4] {
    let complete = !message.is_empty() && message.len().is_multiple_of(16);
    let last_at = if complete { message.len() - 16 } else { message.len() - message.len() % 16 };
    let (body, last) = message.split_at(last_at);
    let mut state = key;
    for block in body.chunks(16) {
        state = permuted(xor(state, words(block)));
    }
    let subkey = if complete { doubled(key) } else { doubled(doubled(key)) };
    let padded = if complete { words(last) } else { words(&[last, &[1]].concat()) };
    xor(permuted(xor(xor(state, padded), subkey)), subkey)
}

/// The bytes of a tag as they stand in memory.
#[must_use]
pub fn bytes(tag: [u32; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    for (four, word) in out.chunks_exact_mut(4).zip(tag) {
        four.copy_from_slice(&word.to_le_bytes());
    }
    out
}

/// At most 16 bytes as four little-endian words, filled up with zeros.
fn words(block: &[u8]) -> [u32; 4] {
    let byte = |at: usize| u32::from(block.get(at).copied().unwrap_or(0));
    std::array::from_fn(|word| (0..4).map(|at| byte(4 * word + at) << (8 * at)).sum())
}

fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    std::array::from_fn(|word| a[word] ^ b[word])
}

/// Times x in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
fn doubled(key: [u32; 4]) -> [u32; 4] {
    let carried = |word: usize| if word == 0 { 0 } else { key[word - 1] >> 31 };
    let mut out = std::array::from_fn(|word| (key[word] << 1) | carried(word));
    out[0] ^= if key[3] >> 31 == 1 { 0x87 } else { 0 };
    out
}

fn permuted(state: [u32; 4]) -> [u32; 4] {
    (0..ROUNDS).fold(state, |[mut a, mut b, mut c, mut d], _| {
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(5) ^ a;
        d = d.rotate_left(8) ^ c;
        a = a.rotate_left(16).wrapping_add(d);
        c = c.wrapping_add(b);
        d = d.rotate_left(13) ^ a;
        b = b.rotate_left(7) ^ c;
        c = c.rotate_left(16);
        [a, b, c, d]
    })
}

#[cfg(test)]
mod tests {
    use super::{bytes, tag};

    /// Tags of the messages of 0 to 16 bytes 00 01 02 ..., first eight bytes, from the designers' `chaskey12.c`.
    const PUBLISHED: [[u8; 8]; 17] = [
        [0xdd, 0x3e, 0x18, 0x49, 0xd6, 0x82, 0x45, 0x55],
        [0xed, 0x1d, 0xa8, 0x9e, 0xc9, 0x31, 0x79, 0xca],
        [0x98, 0xfe, 0x20, 0xa3, 0x43, 0xcd, 0x66, 0x6f],
        [0xf6, 0xf4, 0x18, 0xac, 0xdd, 0x7d, 0x9f, 0xa1],
        [0x4c, 0xf0, 0x49, 0x60, 0x09, 0x99, 0x49, 0xf3],
        [0x75, 0xc8, 0x32, 0x52, 0x65, 0x3d, 0x3b, 0x57],
        [0x96, 0x4b, 0x04, 0x61, 0xfb, 0xe9, 0x22, 0x73],
        [0x14, 0x1f, 0xa0, 0x8b, 0xbf, 0x39, 0x96, 0x36],
        [0x41, 0x2d, 0x98, 0xed, 0x93, 0x6d, 0x4a, 0xb2],
        [0xfb, 0x0d, 0x98, 0xbc, 0x70, 0xe3, 0x05, 0xf9],
        [0x36, 0xf8, 0x8e, 0x1f, 0xda, 0x86, 0xc8, 0xab],
        [0x4d, 0x1a, 0x18, 0x15, 0x86, 0x8a, 0x5a, 0xa8],
        [0x7a, 0x79, 0x12, 0xc1, 0x99, 0x9e, 0xae, 0x81],
        [0x9c, 0xa1, 0x11, 0x37, 0xb4, 0xa3, 0x46, 0x01],
        [0x79, 0x05, 0x14, 0x2f, 0x3b, 0xe7, 0x7e, 0x67],
        [0x6a, 0x3e, 0xe3, 0xd3, 0x5c, 0x04, 0x33, 0x97],
        [0xd1, 0x39, 0x70, 0xd7, 0xbe, 0x9b, 0x23, 0x50],
    ];

    #[test]
    fn tags_are_those_of_the_designers() {
        let key = [0x3322_1100, 0x7766_5544, 0xbbaa_9988, 0xffee_ddcc];
        let message: Vec<u8> = (0..16).collect();
        for (len, published) in PUBLISHED.iter().enumerate() {
            assert_eq!(bytes(tag(key, &message[..len]))[..8], *published, "{len} bytes");
        }
    }
}
