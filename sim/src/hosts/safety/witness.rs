//! A witness of a CPU's logic: it sees what passes the ports, and knows what the logic must want then.
//!
//! SSR-012. A CPU could tell that it evaluates its logic in every tick, and not do so. What it reads and what it wants stand in the
//! packets that cross the link: the states of its own inputs and those of its peer, of which the logic takes what both have
//! (`SAFETY.md`, section 6), and its demands. Memories and entries of other units come to the port as packets and frames
//! ([`Networks`]); what CPU2 wants sent leaves it as such. The witness evaluates the reference once for each packet of the link. A CPU
//! that leaves an evaluation out, or makes one twice, wants something at another tick than the witness as soon as a timer runs.
//!
//! Two things cross no port: errors of its own inputs (`InputError`), and of CPU1 the outputs that it holds off for an external failure
//! (`OutputError`). For these the witness takes what the CPU traces of itself. After a [`Doubt`] it claims nothing more until the CPU
//! starts again.

use std::sync::Arc;

use safety_common::c2c;
use safety_common::io::{Channel, Forward, LogicTrace, Mode};
use safety_common::{configuration::BlockKind, radio, simplecan};

use super::demands::{Effect, Known};
use super::networks::{Came, Common, Doubt, Networks};
use crate::kernel::SimTime;
use crate::safety::binary::Section;
use crate::safety::reference::{Reference, Seen, Wanted};

/// A counter may be so far ahead of the last good one.
const AHEAD_MOST: u32 = 1_000;

/// A witness of one CPU, from a start on.
#[derive(Clone, Debug)]
pub struct Witness {
    reference: Reference,
    networks: Option<Box<Networks>>,
    /// The times of all blocks, which may stand in a row: whatever changed so many ticks ago has had its effects.
    longest: u64,
    /// Ticks since something changed last.
    quiet: u64,
    /// Inputs of the peer as heard last, outputs that it holds off, and the counter of that packet.
    peer: u16,
    failed: u16,
    counter: Option<u32>,
    /// Inputs, errors of inputs and of outputs in the last evaluation.
    seen: Option<[u16; 3]>,
    wanted: Wanted,
    /// Evaluations that were held against the CPU's demands.
    pub judged: u64,
    /// Since when nothing is claimed, and why.
    pub doubt: Option<(SimTime, Doubt)>,
    /// When the CPU first wanted something else, and what.
    pub wrong: Option<(SimTime, String)>,
}

/// What a CPU tells of a step: its packet to the other one, what it passes on, and what it traces of itself.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// 0 is CPU1, 1 is CPU2.
    pub cpu: usize,
    /// The packet.
    pub packet: &'a [u8],
    /// Messages to the other CPU.
    pub forward: &'a [Forward],
    /// Its trace.
    pub trace: &'a LogicTrace,
}

/// The sum over a packet of the peer, with its table.
const C2C_CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_AUTOSAR);

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
        && packet.split_at_checked(c2c::CRC_AT).is_some_and(|(body, sum)| C2C_CRC.checksum(body).to_le_bytes() == sum)
}

impl Witness {
    /// A witness for a CPU that starts with this section in this network.
    #[must_use]
    pub fn new(section: &Section, common: &Arc<Common>) -> Self {
        use BlockKind as Kind;
        let timed = |kind: BlockKind| matches!(kind, Kind::OnDelay | Kind::OffDelay | Kind::Pulse);
        let times = section.blocks.iter().filter(|block| timed(block.kind)).map(|block| u64::from(block.time_ms) + 1);
        let longest = times.sum::<u64>() + 1;
        Self {
            reference: Reference::new(section),
            networks: Networks::new(common, section).map(Box::new),
            longest,
            quiet: 0,
            peer: 0,
            failed: 0,
            counter: None,
            seen: None,
            wanted: Wanted::default(),
            judged: 0,
            doubt: None,
            wrong: None,
        }
    }

    /// What the peer's packets of a step say of its inputs and outputs: a stop in one of several counts. Where the line was
    /// `disturbed`, packets that are not whole say nothing; in normal mode neither does one whose counter is not ahead (`SAFETY.md`,
    /// section 4).
    pub fn hear<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, disturbed: bool, is_normal: bool) {
        let mut told = None;
        for packet in packets.filter(|packet| !disturbed || is_sound(packet)) {
            let counter = u32_at(packet, c2c::at::COUNTER);
            let ahead = self.counter.map_or(1, |last| counter.wrapping_sub(last));
            if is_normal && !(1..=AHEAD_MOST).contains(&ahead) {
                continue;
            }
            self.counter = Some(counter);
            let (on, failed) = (u16_at(packet, c2c::at::INPUTS_ON), u16_at(packet, c2c::at::OUTPUTS_FAILED));
            told = Some(told.map_or((on, failed), |(all, any): (u16, u16)| (all & on, any | failed)));
        }
        (self.peer, self.failed) = told.unwrap_or((self.peer, self.failed));
    }

    /// What came over radio and CAN in a step that the CPU began in normal mode.
    pub fn hear_networks(&mut self, now: SimTime, came: &Came<'_>) {
        if self.doubt.is_some() {
            return;
        }
        if let Some(Err(doubt)) = self.networks.as_mut().map(|networks| networks.step(came)) {
            self.doubt = Some((now, doubt));
        }
    }

    /// What the CPU tells of a step that it began in normal mode.
    pub fn judge(&mut self, now: SimTime, told: &Told<'_>) {
        let is_over = self.wrong.is_some() || self.doubt.is_some();
        if is_over || told.packet.get(c2c::at::MODE) != Some(&(Mode::Normal as u8)) {
            return;
        }
        self.evaluate(told);
        self.judged += 1;
        let is = (u16_at(told.packet, c2c::at::OUTPUTS_ON), told.packet.get(c2c::at::RELAYS_ON).copied().unwrap_or(0));
        let should = (self.wanted.outputs, self.wanted.relays);
        if is != should {
            let words = |(outputs, relays): (u16, u8)| format!("outputs {outputs:#x}, relays {relays:#x}");
            self.wrong = Some((now, format!("wants {}, and should {}", words(is), words(should))));
        } else if told.cpu == 1
            && let Some(what) = told.forward.iter().find_map(|message| self.is_wrongly_sent(message))
        {
            self.wrong = Some((now, what));
        }
    }

    fn evaluate(&mut self, told: &Told<'_>) {
        let inputs = u16_at(told.packet, c2c::at::INPUTS_ON) & self.peer;
        let held = if told.cpu == 0 { told.trace.outputs_error } else { 0 };
        let seen = [inputs, told.trace.inputs_error, held | self.failed];
        let is_as_before = self.seen == Some(seen) && self.networks.as_ref().is_none_or(|one| !one.has_changed);
        if is_as_before && self.quiet > self.longest {
            self.reference.skip();
            return;
        }
        let [inputs, input_errors, output_errors] = seen;
        let heard = self.networks.as_ref().map_or_else(Seen::default, |networks| networks.seen);
        let wanted = self.reference.tick(&Seen { inputs, input_errors, output_errors, ..heard });
        self.quiet = if is_as_before && wanted == self.wanted { self.quiet + 1 } else { 0 };
        (self.seen, self.wanted) = (Some(seen), wanted);
    }

    /// What the next evaluation would make of this beside what the CPU saw last; nothing is known of that in doubt.
    #[must_use]
    pub fn effect(&self, known: &Known) -> Option<Effect> {
        if self.doubt.is_some() || self.wrong.is_some() {
            return None;
        }
        let [inputs, input_errors, output_errors] = self.seen?;
        let heard = self.networks.as_ref().map_or_else(Seen::default, |networks| networks.seen);
        let usual = Seen { inputs, input_errors, output_errors, ..heard };
        let mut other = Seen { inputs: inputs & !known.inputs_off, ..usual };
        let put = |word: &mut u16, bit: u16, on: bool| *word = *word & !(1 << bit) | u16::from(on) << bit;
        for (node, number, on) in &known.memories {
            let words = other.memories.get_mut(usize::from(*node));
            if let Some(word) = words.and_then(|words| words.get_mut(usize::from(number / 16))) {
                put(word, number % 16, *on);
            }
        }
        for (entry, bit, on) in &known.can {
            if let Some(word) = other.can.get_mut(usize::from(*entry)) {
                put(word, bit % 16, *on);
            }
        }
        let (is, would) = (self.reference.clone().tick(&usual), self.reference.clone().tick(&other));
        Some(Effect::between(self.reference.blocks(), &is, &would))
    }

    /// Memories and entries that CPU2 wants sent, if they are others than the diagram's.
    fn is_wrongly_sent(&self, message: &Forward) -> Option<String> {
        let bytes = &message.bytes;
        match message.channel {
            Channel::Radio if bytes.first() == Some(&radio::FORMAT) => {
                let words = usize::from(bytes.get(radio::at::MEMORY_WORDS).copied().unwrap_or(0)).min(16);
                let is = (0..words).map(|word| u16_at(bytes, radio::at::MEMORIES + 2 * word));
                let word = is.enumerate().find(|(word, is)| self.wanted.memories[*word] != *is);
                word.map(|(word, is)| {
                    format!("sends memories {is:#x} as word {word}, and should {:#x}", self.wanted.memories[word])
                })
            }
            Channel::Can => {
                let entry = usize::from(u16_at(bytes, 0).checked_sub(simplecan::ENTRY_ID)?);
                let (is, should) = (u16_at(bytes, 2 + simplecan::at::DATA), *self.wanted.can.get(entry)?);
                (is != should).then(|| format!("sends {is:#x} as entry {entry}, and should {should:#x}"))
            }
            _ => None,
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

    fn common() -> Arc<Common> {
        let loaded = load(&Files, Path::new("one.ron"), &[]).unwrap_or_else(|_| panic!("it loads"));
        let unit = &loaded.scenario.safety_units[0];
        let compiled = unit.configuration.compiled.clone().expect("it compiles");
        let own = unit.index().expect("the node is there");
        Arc::new(Common { network: compiled.network.clone(), own, hash: compiled.hash, release_hash: 7 })
    }

    fn witness() -> Witness {
        let common = common();
        Witness::new(common.section(), &common)
    }

    fn judge(witness: &mut Witness, now: SimTime, packet: &[u8], trace: &LogicTrace) {
        witness.judge(now, &Told { cpu: 0, packet, forward: &[], trace });
    }

    /// A packet in normal mode.
    fn packet(counter: u32, inputs: u16, (outputs, relays): (u16, u8)) -> [u8; c2c::LEN] {
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
        let (mut cpu, mut witness) = (Reference::new(common().section()), witness());
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
            let now = SimTime::ZERO + Span::from_millis(u64::from(tick));
            judge(&mut witness, now, &packet, &LogicTrace::default());
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
        let mut witness = witness();
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
