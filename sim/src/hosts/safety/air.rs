//! The radio channel of a unit: what becomes of the packets that it sends.
//!
//! A black channel: it loses, delays, repeats, swaps and damages packets, and it holds forged ones. A *forged* packet names
//! another sender and carries a right CRC-24, as one that comes from a unit of another network would.

use safety_common::io::Bytes;
use safety_common::radio;

use super::core::Arriving;
use crate::kernel::{SimTime, Span};

/// Radio packets are this long on the air (own number).
const AIR_TIME: Span = Span::from_millis(2);

/// What is wrong with the channel; `u32::MAX` packets are all.
#[derive(Clone, Debug, Default)]
pub struct Air {
    /// So many are still to be lost.
    pub lose: u32,
    /// So many still get inverted bits.
    pub corrupt: u32,
    /// So many are still forged.
    pub forge: u32,
    /// All are so much later.
    pub delay: Option<Span>,
    /// All come once more after this.
    pub repeat: Option<Span>,
    /// Two each change their places.
    pub swap: bool,
    /// How many were hit so far.
    pub hit: u64,
    /// The injection that does it.
    pub owner: u16,
    held: Option<Bytes>,
}

impl Air {
    /// What arrives, and when, of a packet that is sent now.
    pub fn pass(&mut self, now: SimTime, packet: &Bytes) -> Vec<Arriving<Bytes>> {
        let at = now + AIR_TIME;
        if !self.is_disturbed() {
            return vec![Arriving { at, what: packet.clone() }];
        }
        self.hit += 1;
        if counted(&mut self.lose) {
            return Vec::new();
        }
        let mut packet = packet.clone();
        if counted(&mut self.corrupt) {
            let bit = (self.hit * 29) as usize % (packet.len() * 8).max(1);
            if let Some(byte) = packet.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        if counted(&mut self.forge) {
            forge(&mut packet);
        }
        let at = at + self.delay.unwrap_or(Span::ZERO);
        let mut list = Vec::new();
        match (self.swap, self.held.take()) {
            (true, None) => self.held = Some(packet),
            (_, Some(earlier)) => {
                list.push(Arriving { at, what: packet });
                list.push(Arriving { at, what: earlier });
            }
            (false, None) => list.push(Arriving { at, what: packet }),
        }
        if let Some(after) = self.repeat {
            let again: Vec<Arriving<Bytes>> =
                list.iter().map(|one| Arriving { at: one.at + after, what: one.what.clone() }).collect();
            list.extend(again);
        }
        list
    }

    fn is_disturbed(&self) -> bool {
        let counts = self.lose | self.corrupt | self.forge;
        counts != 0 || self.delay.is_some() || self.repeat.is_some() || self.swap || self.held.is_some()
    }
}

/// Whether one more is hit.
const fn counted(left: &mut u32) -> bool {
    let hits = *left > 0;
    if hits && *left != u32::MAX {
        *left -= 1;
    }
    hits
}

/// Another sender, and the CRC-24 that fits.
fn forge(packet: &mut Bytes) {
    if let Some(sender) = packet.get_mut(radio::at::SENDER) {
        *sender ^= 1;
    }
    let Some(body) = packet.len().checked_sub(3) else { return };
    let sum = crc::Crc::<u32>::new(&crc::CRC_24_FLEXRAY_A).checksum(&packet[..body]).to_be_bytes();
    packet[body..].copy_from_slice(&sum[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8) -> Bytes {
        Bytes::from_slice(&[first; 20]).unwrap_or_default()
    }

    fn firsts(air: &mut Air, count: u8) -> Vec<(u64, u8)> {
        let all = (0..count).flat_map(|n| air.pass(SimTime::from_nanos(u64::from(n)), &packet(n)));
        all.map(|one| (one.at.as_nanos() - 2_000_000, one.what[0])).collect()
    }

    #[test]
    fn each_disturbance_does_what_its_name_says() {
        assert_eq!(firsts(&mut Air::default(), 2), [(0, 0), (1, 1)]);
        assert_eq!(firsts(&mut Air { lose: 2, ..Air::default() }, 3), [(2, 2)]);
        let late = Some(Span::from_nanos(50));
        assert_eq!(firsts(&mut Air { delay: late, ..Air::default() }, 1), [(50, 0)]);
        assert_eq!(firsts(&mut Air { repeat: late, ..Air::default() }, 1), [(0, 0), (50, 0)]);
        assert_eq!(firsts(&mut Air { swap: true, ..Air::default() }, 4), [(1, 1), (1, 0), (3, 3), (3, 2)]);
        let damaged = Air { corrupt: 1, ..Air::default() }.pass(SimTime::ZERO, &packet(7));
        assert_ne!(damaged[0].what, packet(7));
    }

    #[test]
    fn a_forged_packet_has_a_right_crc() {
        // Check value of CRC-24/FLEXRAY-A over "123456789": 0x7979BD (`safety_common::radio`).
        let mut bytes = Bytes::from_slice(b"123456789xyz").unwrap_or_default();
        bytes[radio::at::SENDER] ^= 1;
        forge(&mut bytes);
        assert_eq!(bytes.as_slice(), b"123456789\x79\x79\xBD");
    }
}
