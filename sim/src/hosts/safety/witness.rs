//! A witness of a CPU's logic: it sees what passes the ports, and knows what the logic must want then.
//!
//! SSR-012. A CPU could tell that it evaluates its logic in every tick, and not do so. What it reads and what it wants stand in the
//! packets that cross the link: the states of its own inputs and those of its peer, of which the logic takes what both have
//! (`SAFETY.md`, section 6), and its demands. The witness evaluates the reference once for each of these packets. A CPU that leaves an
//! evaluation out, or makes one twice, wants something at another tick than the witness as soon as a timer runs.
//!
//! It can judge a diagram whose inputs are input groups alone: what comes over radio and CAN, and what errors a CPU holds, does not
//! cross the link as such.

use safety_common::c2c;
use safety_common::configuration::BlockKind;
use safety_common::io::Mode;

use crate::kernel::SimTime;
use crate::safety::binary::Section;
use crate::safety::reference::{Reference, Seen};

/// A counter may be so far ahead of the last good one.
const AHEAD_MOST: u32 = 1_000;

/// What the logic wants: output groups and relays.
type Demands = (u16, u8);

/// A witness of one CPU, from a start on.
#[derive(Clone, Debug)]
pub struct Witness {
    reference: Reference,
    /// The longest time of a block: whatever changed so many ticks ago has had its effects.
    longest: u64,
    /// Ticks since something changed last.
    quiet: u64,
    /// Inputs of the peer as heard last, and the counter of that packet.
    peer: u16,
    counter: Option<u32>,
    seen: Option<u16>,
    wanted: Demands,
    /// Evaluations that were held against the CPU's demands.
    pub judged: u64,
    /// When the CPU first wanted something else, what it wanted, and what it should.
    pub wrong: Option<(SimTime, Demands, Demands)>,
}

/// A u16 of a packet.
fn u16_at(packet: &[u8], at: usize) -> u16 {
    packet.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn u32_at(packet: &[u8], at: usize) -> u32 {
    packet.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Whether a packet is whole.
fn is_sound(packet: &[u8]) -> bool {
    packet.len() == c2c::LEN
        && packet
            .split_at_checked(c2c::CRC_AT)
            .is_some_and(|(body, sum)| crc::Crc::<u32>::new(&crc::CRC_32_AUTOSAR).checksum(body).to_le_bytes() == sum)
}

impl Witness {
    /// A witness for a CPU that starts with this section; `None` if it could not judge it.
    #[must_use]
    pub fn new(section: &Section) -> Option<Self> {
        use BlockKind as Kind;
        let timed = |kind: BlockKind| matches!(kind, Kind::OnDelay | Kind::OffDelay | Kind::Pulse);
        let hidden = |kind: BlockKind| {
            matches!(kind, Kind::InputError | Kind::OutputError | Kind::MemoryReceive | Kind::CanReceive)
        };
        let times = section.blocks.iter().filter(|block| timed(block.kind)).map(|block| u64::from(block.time_ms));
        let longest = times.max().unwrap_or(0) + 1;
        let judges = !section.blocks.iter().any(|block| hidden(block.kind));
        judges.then(|| Self {
            reference: Reference::new(section),
            longest,
            quiet: 0,
            peer: 0,
            counter: None,
            seen: None,
            wanted: (0, 0),
            judged: 0,
            wrong: None,
        })
    }

    /// What the peer's packets of a step say of its inputs: a stop in one of several counts. Where the line was `disturbed`, packets
    /// that are not whole say nothing; in normal mode neither does one whose counter is not ahead (`SAFETY.md`, section 4).
    pub fn hear<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, disturbed: bool, is_normal: bool) {
        let mut inputs = None;
        for packet in packets.filter(|packet| !disturbed || is_sound(packet)) {
            let counter = u32_at(packet, c2c::at::COUNTER);
            let ahead = self.counter.map_or(1, |last| counter.wrapping_sub(last));
            if is_normal && !(1..=AHEAD_MOST).contains(&ahead) {
                continue;
            }
            self.counter = Some(counter);
            let one = u16_at(packet, c2c::at::INPUTS_ON);
            inputs = Some(inputs.map_or(one, |all: u16| all & one));
        }
        self.peer = inputs.unwrap_or(self.peer);
    }

    /// The packet of a step that the CPU began in normal mode.
    pub fn judge(&mut self, now: SimTime, packet: &[u8]) {
        if self.wrong.is_some() || packet.get(c2c::at::MODE) != Some(&(Mode::Normal as u8)) {
            return;
        }
        let inputs = u16_at(packet, c2c::at::INPUTS_ON) & self.peer;
        if self.seen == Some(inputs) && self.quiet > self.longest {
            self.reference.skip();
        } else {
            let wanted = self.reference.tick(&Seen { inputs, ..Seen::default() });
            let wanted = (wanted.outputs, wanted.relays);
            let changes = self.seen != Some(inputs) || wanted != self.wanted;
            self.quiet = if changes { 0 } else { self.quiet + 1 };
            (self.seen, self.wanted) = (Some(inputs), wanted);
        }
        self.judged += 1;
        let relays = packet.get(c2c::at::RELAYS_ON).copied().unwrap_or(0);
        let is = (u16_at(packet, c2c::at::OUTPUTS_ON), relays);
        if is != self.wanted {
            self.wrong = Some((now, is, self.wanted));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::kernel::Span;
    use crate::scenario::{FileSource, load};

    struct Files;

    impl FileSource for Files {
        fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
            let unit = "(campaign: false, end: At(\"1s\"), budgets: [], pumps: (count: 1), safety_units: [(configuration: \"unit.ron\", node: \"hall\")])";
            let feed = include_str!("../../../../scenarios/safety/pump-feed.ron");
            Ok(if path.ends_with("unit.ron") { feed } else { unit }.as_bytes().to_vec())
        }
    }

    fn section() -> Section {
        let loaded = load(&Files, Path::new("one.ron"), &[]).unwrap_or_else(|_| panic!("it loads"));
        let unit = &loaded.scenario.safety_units[0];
        let compiled = unit.configuration.compiled.clone().expect("it compiles");
        compiled.network.nodes[unit.index().expect("the node is there")].section.clone()
    }

    /// A packet in normal mode.
    fn packet(counter: u32, inputs: u16, (outputs, relays): Demands) -> [u8; c2c::LEN] {
        let mut packet = [0; c2c::LEN];
        packet[c2c::at::COUNTER..][..4].copy_from_slice(&counter.to_le_bytes());
        packet[c2c::at::MODE] = Mode::Normal as u8;
        packet[c2c::at::INPUTS_ON..][..2].copy_from_slice(&inputs.to_le_bytes());
        packet[c2c::at::OUTPUTS_ON..][..2].copy_from_slice(&outputs.to_le_bytes());
        packet[c2c::at::RELAYS_ON] = relays;
        packet
    }

    /// A CPU that evaluates `times` times in tick `odd`: a button makes the diagram run, and a second relay follows 200 ticks later.
    fn played(odd: u32, times: u32) -> Witness {
        let section = section();
        let (mut cpu, mut witness) = (Reference::new(&section), Witness::new(&section).expect("it can judge this"));
        let (safe, pressed) = (0b0010_1111, 0b0001_0000);
        let mut wanted = (0, 0);
        for tick in 0..2_000u32 {
            let inputs = if (100..300).contains(&tick) { safe | pressed } else { safe };
            for _ in 0..if tick == odd { times } else { 1 } {
                let now = cpu.tick(&Seen { inputs, ..Seen::default() });
                wanted = (now.outputs, now.relays);
            }
            let packet = packet(tick, inputs, wanted);
            witness.hear([&packet[..]].into_iter(), false, true);
            witness.judge(SimTime::ZERO + Span::from_millis(u64::from(tick)), &packet);
        }
        assert_eq!(wanted.1, 0b11, "both relays are wanted at the end");
        witness
    }

    /// SSR-012: one evaluation left out, or made twice, while a timer runs shows at the tick at which the timer should end.
    #[test]
    fn an_evaluation_too_few_or_too_many_is_seen() {
        let right = played(0, 1);
        assert_eq!((right.wrong, right.judged), (None, 2_000));
        for (times, at) in [(0, 500), (2, 499)] {
            for odd in [301, 400, 498] {
                let (seen, ..) = played(odd, times).wrong.unwrap_or_else(|| panic!("{times} evaluations in {odd}"));
                assert_eq!(seen, SimTime::ZERO + Span::from_millis(at), "{times} evaluations in {odd}");
            }
        }
    }

    /// A stop that one packet of several tells counts; what was damaged on the line does not.
    #[test]
    fn the_peer_is_heard_as_the_cpus_hear_it() {
        let mut witness = Witness::new(&section()).expect("it can judge this");
        let (on, off) = (|counter| packet(counter, 0b11, (0, 0)), |counter| packet(counter, 0b01, (0, 0)));
        witness.hear([&on(7)[..], &off(8)[..], &on(9)[..]].into_iter(), false, true);
        assert_eq!(witness.peer, 0b01);
        witness.hear(std::iter::empty(), false, true);
        assert_eq!(witness.peer, 0b01);
        witness.hear([&on(10)[..]].into_iter(), true, true);
        assert_eq!(witness.peer, 0b01, "without a right sum");
        for old in [0, 9, 1_010] {
            witness.hear([&on(old)[..]].into_iter(), false, true);
            assert_eq!(witness.peer, 0b01, "not ahead, or too far");
        }
        witness.hear([&on(1_009)[..]].into_iter(), false, true);
        assert_eq!(witness.peer, 0b11);
        witness.hear([&off(0)[..]].into_iter(), false, false);
        assert_eq!(witness.peer, 0b01, "outside normal mode it begins anew");
    }
}
