//! Classic CAN frames as bits on the wire: CRC-15, stuffing, exact length.
//!
//! Every timing result rests on the exact stuffed length of each frame, so it is computed from tables (no loop over
//! bits) once per frame. The bit vector itself is only needed when something goes wrong or someone wants to see it.
//! Words: a bit is `true` when *recessive* (logic 1) and `false` when *dominant* (logic 0); the *body* runs from the
//! start of frame to the last CRC bit and is stuffed; the *tail* is CRC delimiter, ACK slot, ACK delimiter and end of
//! frame. Source: Bosch CAN specification 2.0; vectors from an independent encoder, see the tests.

use embedded_can::Id;
use protocol::frame::{Frame, raw_id};

/// Bits of intermission between two frames.
pub const INTERMISSION: u32 = 3;
/// CRC delimiter, ACK slot, ACK delimiter and the seven bits of the end of frame.
pub const TAIL: u32 = 10;
/// The least recessive bits from the last dominant bit to the next start of frame, after a frame and after an error.
pub const RECESSIVE_BEFORE_START: u32 = 11;

const POLYNOMIAL: u16 = 0x4599;
const CRC_BITS: u32 = 15;
/// 29-bit id with 8 bytes: 103 bits before the CRC.
const CRC_TABLE_BYTES: usize = 13;
/// A run of 1 to 5 equal bits of either level.
const RUNS: usize = 10;

/// The CRC register after one more bit.
#[must_use]
pub const fn crc_step(crc: u16, recessive: bool) -> u16 {
    let invert = ((crc >> 14) & 1 == 1) != recessive;
    let shifted = (crc << 1) & 0x7FFF;
    if invert { shifted ^ POLYNOMIAL } else { shifted }
}

/// `CRC_TABLE[k][b]`: the CRC of byte `b` followed by `k` zero bytes; with an initial value of zero the CRC of a
/// message is the exclusive or of its bytes' entries.
static CRC_TABLE: [[u16; 256]; CRC_TABLE_BYTES] = crc_table();

const fn crc_table() -> [[u16; 256]; CRC_TABLE_BYTES] {
    let mut table = [[0; 256]; CRC_TABLE_BYTES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = 0;
        let mut k = 0;
        while k < CRC_TABLE_BYTES {
            let mut bit = 8;
            while bit > 0 {
                bit -= 1;
                crc = crc_step(crc, k == 0 && (byte >> bit) & 1 == 1);
            }
            table[k][byte] = crc;
            k += 1;
        }
        byte += 1;
    }
    table
}

/// `STUFF_TABLE[run][byte]`: stuff bits that the byte causes (low nibble) and the run after it (high nibble).
/// A run is numbered `level * 5 + length - 1`.
static STUFF_TABLE: [[u8; 256]; RUNS] = stuff_table();

const fn stuff_table() -> [[u8; 256]; RUNS] {
    let mut table = [[0; 256]; RUNS];
    let mut run = 0;
    while run < RUNS {
        let mut byte = 0;
        while byte < 256 {
            table[run][byte] = stuff_byte(run, byte);
            byte += 1;
        }
        run += 1;
    }
    table
}

const fn stuff_byte(run: usize, byte: usize) -> u8 {
    let (mut level, mut length) = (run / 5, run % 5 + 1);
    let mut stuffed = 0;
    let mut bit = 8;
    while bit > 0 {
        bit -= 1;
        let next = (byte >> bit) & 1;
        // A run of five has just been followed by its stuff bit, the opposite level with length one.
        if length == 5 {
            level = 1 - level;
            length = 1;
        }
        if next == level {
            length += 1;
        } else {
            level = next;
            length = 1;
        }
        if length == 5 {
            stuffed += 1;
        }
    }
    ((level * 5 + length - 1) << 4) as u8 | stuffed
}

/// The body of a frame without stuff bits, the first bit highest of the lowest `len` bits.
#[derive(Clone, Copy)]
struct Body {
    bits: u128,
    len: u32,
    /// Bits of SOF, identifier and RTR: where losing against a dominant bit is arbitration.
    arbitration: u32,
}

fn body(frame: &Frame) -> Body {
    let data = frame.data();
    let (head, arbitration) = header(frame.id());
    let mut bits = head << 4 | data.len() as u128;
    for byte in data {
        bits = bits << 8 | u128::from(*byte);
    }
    // Two reserved bits follow RTR with a 29-bit id, IDE and one reserved bit with an 11-bit id: two dominant bits.
    let before_crc = arbitration + 6 + 8 * data.len() as u32;
    Body { bits: bits << CRC_BITS | u128::from(crc_of(bits)), len: before_crc + CRC_BITS, arbitration }
}

/// SOF to the two bits after RTR, and how many of them belong to arbitration (SOF counted).
fn header(id: Id) -> (u128, u32) {
    let raw = u128::from(raw_id(id));
    match id {
        Id::Standard(_) => (raw << 3, 13),
        // SRR and IDE are recessive and stand between the upper 11 and the lower 18 bits.
        Id::Extended(_) => (((raw >> 18) << 20 | 0b11 << 18 | raw & 0x3_FFFF) << 3, 33),
    }
}

/// CRC of the bits of `message`; leading dominant bits do not change it, so its length does not matter.
fn crc_of(message: u128) -> u16 {
    let bytes = message.to_le_bytes();
    CRC_TABLE.iter().zip(bytes).fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)])
}

/// Stuff bits of a body.
fn stuff_bits(body: &Body) -> u32 {
    // Filled up in front with alternating bits that end recessive, as the idle bus does, up to whole bytes: such
    // bits cause no stuffing, and the start of frame begins a run of its own.
    let filled = body.len.div_ceil(8) * 8;
    let front = 0x55_u128 & ((1 << (filled - body.len)) - 1);
    let bits = front << body.len | body.bits;
    let bytes = bits.to_be_bytes();
    // The first byte is either filled in front with 0x55's low bits or begins with SOF; a recessive run of one
    // before it cannot reach five with what follows.
    let mut run = 5;
    let mut stuffed = 0;
    for byte in &bytes[16 - filled as usize / 8..] {
        let entry = STUFF_TABLE[run][usize::from(*byte)];
        stuffed += u32::from(entry & 0xF);
        run = usize::from(entry >> 4);
    }
    stuffed
}

/// Bits of `frame` on the wire from SOF to the end of EOF, stuff bits included, intermission not.
#[must_use]
pub fn frame_bits(frame: &Frame) -> u32 {
    let body = body(frame);
    body.len + stuff_bits(&body) + TAIL
}

/// The CRC-15 that `frame` carries.
#[must_use]
pub fn crc(frame: &Frame) -> u16 {
    (body(frame).bits & 0x7FFF) as u16
}

/// How many stuff bits `frame` needs.
#[must_use]
pub fn stuff_count(frame: &Frame) -> u32 {
    stuff_bits(&body(frame))
}

/// Orders identifiers as arbitration does, lowest wins: base id, RTR or SRR, IDE, the further 18 bits.
#[must_use]
pub fn arbitration_key(id: Id) -> u32 {
    let raw = raw_id(id);
    match id {
        Id::Standard(_) => raw << 21,
        Id::Extended(_) => (raw >> 18) << 21 | 0b11 << 19 | (raw & 0x3_FFFF) << 1,
    }
}

/// A frame bit by bit, as its sender drives it: recessive in the ACK slot and in the rest of the tail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    recessive: [u64; 3],
    stuff: [u64; 3],
    len: u32,
    arbitration: u32,
}

impl Bits {
    /// The bit vector of `frame`.
    #[must_use]
    pub fn of(frame: &Frame) -> Self {
        let body = body(frame);
        let mut bits = Self { recessive: [0; 3], stuff: [0; 3], len: 0, arbitration: 0 };
        let (mut last, mut run) = (true, 0);
        for place in (0..body.len).rev() {
            let bit = body.bits >> place & 1 == 1;
            run = if bit == last { run + 1 } else { 1 };
            last = bit;
            bits.push(bit, false);
            if body.len - place == body.arbitration {
                bits.arbitration = bits.len;
            }
            if run == 5 {
                bits.push(!bit, true);
                (last, run) = (!bit, 1);
            }
        }
        for _ in 0..TAIL {
            bits.push(true, false);
        }
        bits
    }

    fn push(&mut self, recessive: bool, stuff: bool) {
        let (word, place) = (self.len as usize / 64, self.len % 64);
        self.recessive[word] |= u64::from(recessive) << place;
        self.stuff[word] |= u64::from(stuff) << place;
        self.len += 1;
    }

    /// Bits from SOF to the end of EOF.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether the sender drives bit `at` recessive; after the frame it does.
    #[must_use]
    pub fn recessive(&self, at: u32) -> bool {
        at >= self.len || self.recessive[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Whether bit `at` is a stuff bit.
    #[must_use]
    pub fn is_stuff(&self, at: u32) -> bool {
        at < self.len && self.stuff[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Whether bit `at` belongs to SOF, identifier or RTR, stuff bits among them included.
    #[must_use]
    pub fn in_arbitration(&self, at: u32) -> bool {
        at < self.arbitration
    }

    /// Position of the CRC delimiter.
    #[must_use]
    pub fn crc_delimiter(&self) -> u32 {
        self.len - TAIL
    }

    /// Position of the ACK slot.
    #[must_use]
    pub fn ack_slot(&self) -> u32 {
        self.len - TAIL + 1
    }
}

/// What a receiver makes of one more bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// The frame goes on.
    More,
    /// A sixth equal bit.
    StuffError,
    /// A dominant bit where a recessive one belongs.
    FormError,
    /// The checksum does not match; found at the ACK delimiter, so that the flag starts after it.
    CrcError,
    /// The frame is received; `overload` when the last bit of EOF was dominant.
    Received {
        /// The receiver asks for an overload frame.
        overload: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Body,
    CrcDelimiter,
    AckSlot,
    AckDelimiter,
    /// End of frame, with the bits seen of it.
    End(u8),
}

/// A receiver's bit decoder, which knows only what it has heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decoder {
    field: Field,
    raw: u128,
    count: u32,
    total: u32,
    run: u8,
    last: bool,
    crc: u16,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { field: Field::Body, raw: 0, count: 0, total: u32::MAX, run: 0, last: true, crc: 0 }
    }
}

impl Decoder {
    /// Whether the receiver drives the ACK slot dominant now.
    #[must_use]
    pub fn acknowledges(&self) -> bool {
        self.field == Field::AckSlot && self.crc == 0
    }

    /// Takes one bit off the bus.
    pub fn hear(&mut self, recessive: bool) -> Heard {
        match self.field {
            Field::Body => self.hear_body(recessive),
            Field::CrcDelimiter => self.hear_fixed(recessive, Field::AckSlot),
            Field::AckSlot => {
                self.field = Field::AckDelimiter;
                Heard::More
            }
            Field::AckDelimiter if recessive && self.crc != 0 => Heard::CrcError,
            Field::AckDelimiter => self.hear_fixed(recessive, Field::End(0)),
            Field::End(6) => Heard::Received { overload: !recessive },
            Field::End(seen) => self.hear_fixed(recessive, Field::End(seen + 1)),
        }
    }

    fn hear_fixed(&mut self, recessive: bool, next: Field) -> Heard {
        self.field = next;
        if recessive { Heard::More } else { Heard::FormError }
    }

    fn hear_body(&mut self, bit: bool) -> Heard {
        let stuff_due = self.run == 5;
        if stuff_due && bit == self.last {
            return Heard::StuffError;
        }
        self.run = if bit == self.last { self.run + 1 } else { 1 };
        self.last = bit;
        if !stuff_due {
            self.raw = self.raw << 1 | u128::from(bit);
            self.count += 1;
            self.crc = crc_step(self.crc, bit);
            self.learn_length();
        }
        // A stuff bit may still be due after the last CRC bit.
        if self.count == self.total && self.run < 5 {
            self.field = Field::CrcDelimiter;
        }
        Heard::More
    }

    fn learn_length(&mut self) {
        let dlc_end = match self.count {
            0..14 => return,
            _ if self.raw >> (self.count - 14) & 1 == 1 => 39,
            _ => 19,
        };
        if self.count == dlc_end {
            let bytes = (self.raw & 0xF).min(8) as u32;
            self.total = dlc_end + 8 * bytes + CRC_BITS;
        }
    }
}
