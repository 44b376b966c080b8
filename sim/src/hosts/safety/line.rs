//! One direction of the serial link between the CPUs of a unit.
//!
//! A black channel: it loses, damages, delays and repeats packets, and it holds forged ones. A *forged* packet says something
//! else in one field and carries a right CRC, as one of a CPU that is wrong would.

use safety_common::c2c;
use safety_common::io::Mode;

use crate::kernel::Span;
use crate::scenario::C2cField;

/// 72 bytes with start and stop bits at 2 Mbit/s (own number).
pub(super) const WIRE_TIME: Span = Span::from_micros(360);

/// What is wrong with a direction of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Packets are lost.
    Lose,
    /// A bit of each is inverted.
    Corrupt,
    /// They say something else in this field.
    Forge(C2cField),
    /// They come so much later.
    Delay(Span),
    /// They come once more after this.
    Repeat(Span),
}

/// A fault of a line with the injection that does it.
#[derive(Clone, Debug)]
struct LineHit {
    owner: u16,
    what: LineFault,
    /// Packets of this many sends are still hit; `u32::MAX` is all.
    left: u32,
}

/// One direction of the link between the CPUs.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The one that began last at the end.
    hits: Vec<LineHit>,
    /// How often packets were lost, damaged, forged, delayed or repeated so far.
    pub(super) count: u64,
}

/// What becomes of a packet on the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// How much later than usual it comes, once for each time that it comes, the first at the begin; not at all when it is lost.
    pub comes: heapless::Vec<Span, 2>,
    /// Whether what comes is a good packet to its receiver: one with a right CRC, forged or not.
    pub is_good: bool,
    /// The injections that made a difference.
    pub acted: Vec<u16>,
}

impl Line {
    /// A fault begins; `packets` is how many sends it hits, `u32::MAX` all.
    pub fn disturb(&mut self, owner: u16, what: LineFault, packets: u32) {
        self.restore(owner);
        self.hits.push(LineHit { owner, what, left: packets });
    }

    /// The fault of `owner` ends; others go on.
    pub fn restore(&mut self, owner: u16) {
        self.hits.retain(|hit| hit.owner != owner);
    }

    /// Who loses messages that are sent without a packet, as in the safe state: they are lost while packets are, and count for none.
    pub(super) fn loses(&self) -> Option<u16> {
        self.hits.iter().find(|hit| hit.what == LineFault::Lose && hit.left > 0).map(|hit| hit.owner)
    }

    /// Counts a packet for all faults that are meant: these, in the order in which they began.
    fn hit(&mut self, is: impl Fn(&LineFault) -> bool) -> Vec<(u16, LineFault)> {
        let meant = self.hits.iter_mut().filter(|hit| hit.left > 0 && is(&hit.what));
        let counted = meant.map(|hit| {
            hit.left -= u32::from(hit.left != u32::MAX);
            (hit.owner, hit.what.clone())
        });
        counted.collect()
    }

    /// Counts a packet for all faults of a time; who asks for it, and the time: of several the one that began last.
    fn time(&mut self, of: impl Fn(&LineFault) -> Option<Span>) -> Option<(u16, Span)> {
        let (owner, what) = self.hit(|what| of(what).is_some()).pop()?;
        Some((owner, of(&what)?))
    }

    /// Applies what is wrong with the line to a packet. Of several faults that lose it, or forge the same field, the first has acted; of
    /// several that delay or repeat it, the one that began last rules.
    pub(super) fn passes(&mut self, bytes: &mut [u8]) -> Passed {
        let mut passed = Passed { comes: heapless::Vec::new(), is_good: true, acted: Vec::new() };
        if self.hits.iter().all(|hit| hit.left == 0) {
            let _ = passed.comes.push(Span::ZERO);
            return passed;
        }
        if let Some((owner, _)) = self.hit(|what| *what == LineFault::Lose).first() {
            self.count += 1;
            passed.acted.push(*owner);
            return passed;
        }
        // What is forged is sent so; what is inverted is so on the line.
        let mut done: Vec<LineFault> = Vec::new();
        for (owner, what) in self.hit(|what| matches!(what, LineFault::Forge(_))) {
            if let LineFault::Forge(field) = &what
                && !done.contains(&what)
            {
                forge(bytes, field);
                self.count += 1;
                passed.acted.push(owner);
                done.push(what);
            }
        }
        for (owner, _) in self.hit(|what| *what == LineFault::Corrupt) {
            // Another bit each time, so that no two damages cancel out.
            let bit = (self.count * 37) as usize % (bytes.len() * 8).max(1);
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            self.count += 1;
            passed.is_good = false;
            passed.acted.push(owner);
        }
        let delay = self.time(|what| if let LineFault::Delay(by) = what { Some(*by) } else { None });
        let repeat = self.time(|what| if let LineFault::Repeat(after) = what { Some(*after) } else { None });
        let later = delay.map_or(Span::ZERO, |(_, by)| by);
        passed.comes.extend([later].into_iter().chain(repeat.map(|(_, after)| later + after)));
        for (owner, _) in delay.into_iter().chain(repeat) {
            self.count += 1;
            passed.acted.push(owner);
        }
        passed
    }
}

/// Another value in a field, and the CRC that fits.
fn forge(packet: &mut [u8], field: &C2cField) {
    let (at, to): (usize, fn(u8) -> u8) = match field {
        C2cField::Mode => (c2c::at::MODE, |_| Mode::Configuration as u8),
        C2cField::Release => (c2c::at::RELEASE_ID, |byte| byte ^ 1),
        C2cField::Configuration => (c2c::at::CONFIGURATION_HASH, |byte| byte ^ 1),
        C2cField::Serial => (c2c::at::SERIAL, |byte| byte ^ 1),
        C2cField::Demand => (c2c::at::OUTPUTS_ON, |byte| byte ^ 1),
    };
    if let Some(byte) = packet.get_mut(at) {
        *byte = to(*byte);
    }
    if let Some((body, sum)) = packet.split_at_mut_checked(c2c::CRC_AT) {
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_AUTOSAR).checksum(body);
        sum.iter_mut().zip(crc.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a packet comes, in us later than usual, and who acted on it.
    fn of(line: &mut Line, packet: &mut [u8]) -> (Vec<u64>, Vec<u16>) {
        let Passed { comes, acted, .. } = line.passes(packet);
        (comes.iter().map(|later| later.as_nanos() / 1_000).collect(), acted)
    }

    /// The packets that CPU1 sends carry a CRC that this one agrees with, so what is forged is not refused for it.
    #[test]
    fn a_forged_packet_differs_in_its_field_and_in_its_crc_alone() {
        let mut packet = [0; c2c::LEN];
        forge(&mut packet, &C2cField::Serial);
        let body = packet;
        forge(&mut packet, &C2cField::Serial);
        // Forged twice: the field is as before, and the CRC is that of zeros.
        assert_eq!(body.iter().zip(&packet).filter(|(one, two)| one != two).count(), 1 + 4);
        assert_eq!((body[c2c::at::SERIAL], packet[c2c::at::SERIAL]), (1, 0));
        let mut line = Line::default();
        line.disturb(1, LineFault::Forge(C2cField::Mode), 1);
        assert_eq!(
            (of(&mut line, &mut packet), packet[c2c::at::MODE]),
            ((vec![0], vec![1]), Mode::Configuration as u8)
        );
        let before = packet;
        assert_eq!((of(&mut line, &mut packet), packet), ((vec![0], vec![]), before), "one packet was asked for");
    }

    /// The end of one fault leaves the other, and one that changes nothing beside another has not acted.
    #[test]
    fn faults_of_a_line_go_on_beside_each_other() {
        let mut line = Line::default();
        let mut packet = [0; c2c::LEN];
        line.disturb(1, LineFault::Lose, u32::MAX);
        line.disturb(2, LineFault::Lose, 2);
        assert_eq!(of(&mut line, &mut packet), (vec![], vec![1]), "the second changes nothing");
        line.restore(1);
        assert_eq!(of(&mut line, &mut packet), (vec![], vec![2]), "the second packet since it began");
        assert_eq!(of(&mut line, &mut packet), (vec![0], vec![]));
        line.disturb(1, LineFault::Lose, u32::MAX);
        line.restore(2);
        assert_eq!(of(&mut line, &mut packet), (vec![], vec![1]), "the end of the second leaves the first");
        line.restore(1);
        line.disturb(3, LineFault::Forge(C2cField::Serial), u32::MAX);
        line.disturb(4, LineFault::Forge(C2cField::Serial), u32::MAX);
        let mut packet = [0; c2c::LEN];
        assert_eq!((of(&mut line, &mut packet), packet[c2c::at::SERIAL]), ((vec![0], vec![3]), 1), "no two cancel out");
        line.disturb(5, LineFault::Corrupt, u32::MAX);
        line.disturb(6, LineFault::Corrupt, u32::MAX);
        assert_eq!(of(&mut line, &mut packet), (vec![0], vec![3, 5, 6]));
    }

    /// SSR-018. Only what is damaged on the line has a wrong CRC, whatever it says.
    #[test]
    fn a_forged_packet_is_a_good_one_and_a_damaged_one_is_none() {
        let is_good = |faults: &[LineFault]| {
            let mut line = Line::default();
            (1..).zip(faults).for_each(|(owner, what)| line.disturb(owner, what.clone(), u32::MAX));
            line.passes(&mut [0; c2c::LEN]).is_good
        };
        let forge = LineFault::Forge(C2cField::Demand);
        assert!(is_good(&[]) && is_good(std::slice::from_ref(&forge)) && is_good(&[LineFault::Repeat(Span::ZERO)]));
        assert!(!is_good(&[LineFault::Corrupt]) && !is_good(&[forge, LineFault::Corrupt]));
    }

    /// What is late may be repeated as well; of two that do the same the last rules, as long as it has packets left.
    #[test]
    fn packets_come_late_and_once_more() {
        let mut line = Line::default();
        let mut packet = [0; c2c::LEN];
        line.disturb(1, LineFault::Delay(Span::from_micros(50)), u32::MAX);
        line.disturb(2, LineFault::Delay(Span::from_micros(70)), 1);
        assert_eq!(of(&mut line, &mut packet), (vec![70], vec![2]));
        assert_eq!(of(&mut line, &mut packet), (vec![50], vec![1]), "one packet was asked for");
        line.disturb(3, LineFault::Repeat(Span::from_micros(300)), 2);
        assert_eq!(of(&mut line, &mut packet), (vec![50, 350], vec![1, 3]));
        line.disturb(4, LineFault::Lose, 1);
        assert_eq!(of(&mut line, &mut packet), (vec![], vec![4]), "what is lost comes neither late nor again");
        line.restore(1);
        assert_eq!(of(&mut line, &mut packet), (vec![0, 300], vec![3]));
        assert_eq!(of(&mut line, &mut packet), (vec![0], vec![]));
        assert_eq!(packet, [0; c2c::LEN]);
    }
}
