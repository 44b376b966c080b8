//! The radio channel of a unit: what becomes of the packets that it and the tool beside it send.
//!
//! A black channel: it loses, delays, repeats, swaps and damages packets, and it holds forged ones. A *forged* packet names
//! another sender and carries a right CRC-24, as one that comes from a unit of another network would.

use safety_common::io::Bytes;
use safety_common::radio;

use super::core::Arriving;
use crate::kernel::{SimTime, Span};

/// Radio packets are this long on the air (own number).
pub const AIR_TIME: Span = Span::from_millis(2);

/// What is wrong with the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AirFault {
    /// Packets are lost.
    Lose,
    /// A bit of each is inverted.
    Corrupt,
    /// They name another sender.
    Forge,
    /// They are so much later.
    Delay(Span),
    /// They come once more after this.
    Repeat(Span),
    /// Two each change their places.
    Swap,
}

/// A fault of the channel with the injection that does it.
#[derive(Clone, Debug)]
struct AirHit {
    owner: u16,
    what: AirFault,
    /// So many packets are still hit; `u32::MAX` is all.
    left: u32,
}

/// The channel from one unit to the others.
#[derive(Clone, Debug, Default)]
pub struct Air {
    /// The one that began last at the end.
    hits: Vec<AirHit>,
    /// How many packets were disturbed so far.
    count: u64,
    held: Option<Bytes>,
}

impl Air {
    /// A fault begins; `packets` is how many it hits, `u32::MAX` all.
    pub fn disturb(&mut self, owner: u16, what: AirFault, packets: u32) {
        self.restore(owner);
        self.hits.push(AirHit { owner, what, left: packets });
    }

    /// The fault of `owner` ends; others go on.
    pub fn restore(&mut self, owner: u16) {
        self.hits.retain(|hit| hit.owner != owner);
    }

    /// Counts a packet for all faults that are meant; who of them acts on it: all, or of those that do the same the first.
    fn hit(&mut self, is: impl Fn(AirFault) -> bool) -> Vec<u16> {
        let meant = self.hits.iter_mut().filter(|hit| hit.left > 0 && is(hit.what));
        let counted = meant.map(|hit| {
            hit.left -= u32::from(hit.left != u32::MAX);
            hit.owner
        });
        counted.collect()
    }

    /// The time of a fault, and who asks for it: of several the one that began last.
    fn time(&self, of: impl Fn(AirFault) -> Option<Span>) -> Option<(u16, Span)> {
        self.hits.iter().rev().find_map(|hit| Some((hit.owner, of(hit.what)?)))
    }

    /// A packet is sent that nobody can receive: no fault meets it, and one that would have changed its place with it is gone as well.
    pub fn fades(&mut self) {
        self.held = None;
    }

    /// What arrives, and when, of a packet that is sent now; and which injections made a difference.
    pub fn pass(&mut self, now: SimTime, packet: &Bytes) -> (Vec<Arriving<Bytes>>, Vec<u16>) {
        let at = now + AIR_TIME;
        if self.held.is_none() && self.hits.iter().all(|hit| hit.left == 0) {
            return (vec![Arriving { at, what: packet.clone() }], Vec::new());
        }
        self.count += 1;
        let losers = self.hit(|what| what == AirFault::Lose);
        if let Some(first) = losers.first() {
            return (Vec::new(), vec![*first]);
        }
        let mut packet = packet.clone();
        let mut acted = Vec::new();
        if let Some(first) = self.hit(|what| what == AirFault::Forge).first() {
            forge(&mut packet);
            acted.push(*first);
        }
        for (owner, nth) in self.hit(|what| what == AirFault::Corrupt).into_iter().zip(self.count..) {
            let bit = nth as usize * 29 % (packet.len() * 8).max(1);
            if let Some(byte) = packet.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            acted.push(owner);
        }
        let delay = self.time(|what| if let AirFault::Delay(by) = what { Some(by) } else { None });
        let at = at + delay.map_or(Span::ZERO, |(_, by)| by);
        let swap = self.hits.iter().find(|hit| hit.what == AirFault::Swap).map(|hit| hit.owner);
        let repeat = self.time(|what| if let AirFault::Repeat(after) = what { Some(after) } else { None });
        acted.extend(delay.map(|(owner, _)| owner).into_iter().chain(swap).chain(repeat.map(|(owner, _)| owner)));
        let mut list = Vec::new();
        match (swap, self.held.take()) {
            (Some(_), None) => self.held = Some(packet),
            (_, Some(earlier)) => {
                list.push(Arriving { at, what: packet });
                list.push(Arriving { at, what: earlier });
            }
            (None, None) => list.push(Arriving { at, what: packet }),
        }
        if let Some((_, after)) = repeat {
            let again: Vec<Arriving<Bytes>> =
                list.iter().map(|one| Arriving { at: one.at + after, what: one.what.clone() }).collect();
            list.extend(again);
        }
        (list, acted)
    }
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

    fn with(faults: &[(AirFault, u32)]) -> Air {
        let mut air = Air::default();
        (1..).zip(faults).for_each(|(owner, (what, packets))| air.disturb(owner, *what, *packets));
        air
    }

    fn firsts(mut air: Air, count: u8) -> Vec<(u64, u8)> {
        let all = (0..count).flat_map(|n| air.pass(SimTime::from_nanos(u64::from(n)), &packet(n)).0);
        all.map(|one| (one.at.as_nanos() - 2_000_000, one.what[0])).collect()
    }

    const ALL: u32 = u32::MAX;

    #[test]
    fn each_disturbance_does_what_its_name_says() {
        let late = Span::from_nanos(50);
        assert_eq!(firsts(Air::default(), 2), [(0, 0), (1, 1)]);
        assert_eq!(firsts(with(&[(AirFault::Lose, 2)]), 3), [(2, 2)]);
        assert_eq!(firsts(with(&[(AirFault::Delay(late), ALL)]), 1), [(50, 0)]);
        assert_eq!(firsts(with(&[(AirFault::Repeat(late), ALL)]), 1), [(0, 0), (50, 0)]);
        assert_eq!(firsts(with(&[(AirFault::Swap, ALL)]), 4), [(1, 1), (1, 0), (3, 3), (3, 2)]);
        let damaged = with(&[(AirFault::Corrupt, 1)]).pass(SimTime::ZERO, &packet(7)).0;
        assert_ne!(damaged[0].what, packet(7));
    }

    /// What nobody can receive counts for no fault, and what waits for it to change places never comes.
    #[test]
    fn what_fades_is_not_counted() {
        let mut air = with(&[(AirFault::Lose, 1), (AirFault::Swap, ALL)]);
        let mut acted = |fades: bool, first: u8| {
            if fades {
                air.fades();
            }
            let (list, acted) = air.pass(SimTime::ZERO, &packet(first));
            (list.iter().map(|one| one.what[0]).collect::<Vec<u8>>(), acted)
        };
        assert_eq!(acted(true, 1), (vec![], vec![1]), "the one that is lost");
        assert_eq!(acted(false, 2), (vec![], vec![2]), "the one that waits");
        assert_eq!(acted(true, 3), (vec![], vec![2]), "waits for the next one");
        assert_eq!(acted(false, 4), (vec![4, 3], vec![2]));
    }

    /// The end of one fault leaves the other, and one that changes nothing beside another has not acted.
    #[test]
    fn faults_of_the_channel_go_on_beside_each_other() {
        let (short, long) = (Span::from_nanos(50), Span::from_nanos(70));
        let mut air = with(&[(AirFault::Lose, ALL), (AirFault::Lose, 2)]);
        let pass = |air: &mut Air| {
            let (list, acted) = air.pass(SimTime::ZERO, &packet(7));
            (list.first().map(|one| one.at.as_nanos() - 2_000_000), acted)
        };
        assert_eq!(pass(&mut air), (None, vec![1]));
        air.restore(1);
        assert_eq!(pass(&mut air), (None, vec![2]));
        assert_eq!(pass(&mut air), (Some(0), vec![]));
        let mut air = with(&[(AirFault::Delay(short), ALL), (AirFault::Delay(long), ALL)]);
        assert_eq!(pass(&mut air), (Some(70), vec![2]), "the last rules");
        air.restore(2);
        assert_eq!(pass(&mut air), (Some(50), vec![1]), "and leaves the first");
        let mut air = with(&[(AirFault::Forge, ALL), (AirFault::Forge, ALL)]);
        let (list, acted) = air.pass(SimTime::ZERO, &packet(7));
        assert_ne!((list[0].what.clone(), acted), (packet(7), vec![1]), "no two cancel out");
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
