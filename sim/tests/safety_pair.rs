//! Two units, four real CPUs, random diagrams and inputs: both logics against the reference evaluator, tick by tick.
//!
//! A case draws a network of two units with all kinds of blocks, groups and signal types, compiles it with the tool, starts
//! all CPUs with it and plays random inputs. In every tick of each CPU the reference, which knows histories only, is told what
//! that CPU's logic saw; outputs, relays, memories and CAN bits that the CPU wants must be those that the reference wants.
//! What comes over radio and CAN is followed here from the bytes on the air, not from a CPU.

#[path = "safety_bench/drawn.rs"]
mod drawn;
#[path = "safety_bench/mod.rs"]
mod safety_bench;
#[path = "safety_bench/texts.rs"]
mod texts;

use std::collections::BTreeSet;

use cooltwin::safety::binary::{Network, SIGNALS, Section};
use cooltwin::safety::reference::{Reference, Seen, Wanted};
use drawn::{Tape, Wiring};
use proptest::prelude::*;
use safety_bench::{Net, Outside, SERIALS, Unit};
use safety_common::c2c;
use safety_common::configuration::BlockKind;
use safety_common::fault::{Fault, Reaction};
use safety_common::io::{Bytes, CanFrame, Channel, LogicTrace, Mode, TickOutputs};
use safety_common::radio::{self, TRUST_PACKETS};
use safety_common::signal::Signal;
use safety_common::simplecan::{self, ENTRIES};
use texts::compiled;

/// What one CPU has heard of the other unit: whole packets, in order, none lost.
#[derive(Clone, Debug, Default)]
struct Heard {
    packets: u32,
    memories: [u16; 16],
    frames: [u32; ENTRIES],
    can: [u16; ENTRIES],
}

impl Heard {
    /// A radio packet counts from the third on.
    fn packet(&mut self, bytes: &[u8]) {
        self.packets += 1;
        if self.packets > u32::from(TRUST_PACKETS) {
            let words = bytes[radio::at::MEMORIES..].chunks_exact(2).take(usize::from(bytes[radio::at::MEMORY_WORDS]));
            words.zip(&mut self.memories).for_each(|(word, to)| *to = u16::from_le_bytes([word[0], word[1]]));
        }
    }

    /// A CAN frame counts from the second on.
    fn frame(&mut self, id: u16, data: &[u8]) {
        let Some(entry) = id.checked_sub(simplecan::ENTRY_ID).map(usize::from) else { return };
        self.frames[entry] += 1;
        if self.frames[entry] > 1 {
            self.can[entry] = u16::from_le_bytes([data[0], data[1]]);
        }
    }
}

/// The judge of one CPU.
struct Judge {
    reference: Reference,
    heard: Heard,
    other: usize,
}

impl Judge {
    fn new(section: &Section, other: usize) -> Self {
        Self { reference: Reference::new(section), heard: Heard::default(), other }
    }

    /// What the reference wants, told what the CPU saw.
    fn wanted(&mut self, trace: &LogicTrace) -> Wanted {
        let mut seen = Seen {
            inputs: trace.inputs_on,
            input_errors: trace.inputs_error,
            output_errors: trace.outputs_error,
            ..Seen::default()
        };
        seen.memories[self.other] = self.heard.memories;
        seen.can = self.heard.can;
        self.reference.tick(&seen)
    }
}

/// A unit's judges, one for each CPU, and what its CPU2 wanted in the step before.
struct Judged {
    one: Judge,
    two: Judge,
    peer_outputs: u16,
    peer_relays: u8,
}

/// Ticks of different demands after which a CPU trips, less the few that it needs to know them.
const DISAGREEMENT: u64 = 990;

/// What a network did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Summary {
    /// Ticks of a CPU that were judged.
    judged: u64,
    /// Changes of demands.
    changes: u64,
    /// Ticks in which both CPUs of a unit wanted different things.
    apart: u64,
    /// The longest stretch of them.
    apart_most: u64,
    radio_packets: u64,
    can_frames: u64,
    /// Runs in which both CPUs of each unit had to want the same in every tick, and did.
    equal: u64,
    /// Runs that ended because a latch was set in one CPU only, as SAFETY.md section 8 says can happen.
    disagreed: u64,
}

/// Spoils what a CPU says, for the control that must fail.
type Spoil = fn(&mut TickOutputs);

struct Run {
    net: Net,
    judges: [Judged; 2],
    last: [LogicTrace; 2],
    summary: Summary,
    apart: [u64; 2],
    spoil: [Option<Spoil>; 2],
}

impl Run {
    fn new(network: &Network, bytes: &[u8]) -> Self {
        let judged = |own: usize| {
            let section = &network.nodes[own].section;
            let judge = || Judge::new(section, 1 - own);
            Judged { one: judge(), two: judge(), peer_outputs: 0, peer_relays: 0 }
        };
        Self {
            net: Net(SERIALS.iter().map(|serial| Unit::new(*serial, bytes)).collect()),
            judges: [judged(0), judged(1)],
            last: [LogicTrace::default(); 2],
            summary: Summary::default(),
            apart: [0; 2],
            spoil: [None; 2],
        }
    }

    /// One tick of all, judged.
    fn step(&mut self, wiring: &[Wiring; 2]) -> Result<(), String> {
        let arriving: Vec<(Vec<Bytes>, Vec<CanFrame>)> = self.net.0.iter().map(arriving).collect();
        let forwarded: Vec<Vec<(Channel, Bytes)>> = self.net.0.iter().map(forwarded_to_two).collect();
        self.net.step();
        for (own, unit) in self.net.0.iter_mut().enumerate() {
            for (out, spoil) in [&mut unit.one.out, &mut unit.two.out].into_iter().zip(self.spoil) {
                spoil.into_iter().for_each(|spoil| spoil(out));
            }
            let told = |what: String| format!("unit {own}, tick {}: {what}", unit.steps);
            if unit.modes().contains(&Mode::Safe) {
                // Nothing was ON meanwhile: what is driven was held against both CPUs' demands in each of these ticks.
                // Input devices that are found bad beforehand lead to no safe state.
                let internal = unit.one.detections.iter().chain(&unit.two.detections);
                let internal = internal.filter(|one| one.fault.reaction() == Reaction::SafeState);
                let detected = internal.min_by_key(|one| one.at);
                if detected.is_some_and(|one| one.fault == Fault::Disagreement) && self.apart[own] >= DISAGREEMENT {
                    self.summary.disagreed = 1;
                    return Ok(());
                }
                return Err(told(format!("safe state: {:?} {:?}", unit.one.detections, unit.two.detections)));
            }
            self.summary.radio_packets += u64::from(unit.one.out.radio.is_some());
            self.summary.can_frames += unit.one.out.can.len() as u64;
            let judged = &mut self.judges[own];
            judge_one(judged, unit, &arriving[own], &wiring[own], &mut self.summary).map_err(told)?;
            judge_two(judged, unit, &forwarded[own], &mut self.summary).map_err(told)?;
            let (one, two) = (unit.one.out.trace, unit.two.out.trace);
            let apart = (one.outputs_on, one.relays_on) != (two.outputs_on, two.relays_on);
            self.summary.apart += u64::from(apart);
            self.apart[own] = if apart { self.apart[own] + 1 } else { 0 };
            self.summary.apart_most = self.summary.apart_most.max(self.apart[own]);
            self.summary.changes += u64::from(self.last[own].outputs_on != one.outputs_on);
            self.last[own] = one;
        }
        Ok(())
    }
}

/// What comes to CPU1 in the next step.
fn arriving(unit: &Unit) -> (Vec<Bytes>, Vec<CanFrame>) {
    (unit.air.clone(), unit.bus.iter().map(|received| received.frame).collect())
}

/// What CPU1 passed on in its last step: CPU2 has it in the next.
fn forwarded_to_two(unit: &Unit) -> Vec<(Channel, Bytes)> {
    unit.one.out.forward.iter().map(|message| (message.channel, message.bytes.clone())).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, cpu: T, reference: T) -> Result<(), String> {
    if cpu == reference { Ok(()) } else { Err(format!("{what}: {cpu:x?}, reference {reference:x?}")) }
}

fn judge_one(
    judged: &mut Judged,
    unit: &Unit,
    (packets, frames): &(Vec<Bytes>, Vec<CanFrame>),
    wiring: &Wiring,
    summary: &mut Summary,
) -> Result<(), String> {
    let out = &unit.one.out;
    if out.trace.evaluated {
        packets.iter().for_each(|bytes| judged.one.heard.packet(bytes));
        frames.iter().for_each(|frame| judged.one.heard.frame(frame.id, &frame.data));
        let wanted = judged.one.wanted(&out.trace);
        same("CPU1 outputs", out.trace.outputs_on, wanted.outputs)?;
        same("CPU1 relays", out.trace.relays_on, wanted.relays)?;
        // What leaves the CPU: both must want it, and nobody keeps it off (SSR-032, SSR-037).
        let on = wanted.outputs & judged.peer_outputs & !out.trace.outputs_error;
        for (group, pins) in wiring.outputs.iter().enumerate() {
            let driven = pins.iter().filter(|(pin, _)| out.pins[*pin].count_ones() > 8).count();
            let expected = if on >> group & 1 == 1 { pins.len() } else { 0 };
            same(&format!("driven pins of output group {group}"), driven, expected)?;
        }
        same("CPU1 contacts", out.relays, wanted.relays & judged.peer_relays)?;
        summary.judged += 1;
    }
    Ok(())
}

fn judge_two(
    judged: &mut Judged,
    unit: &Unit,
    forwarded: &[(Channel, Bytes)],
    summary: &mut Summary,
) -> Result<(), String> {
    let out = &unit.two.out;
    (judged.peer_outputs, judged.peer_relays) = (out.trace.outputs_on, out.trace.relays_on);
    if !out.trace.evaluated {
        return Ok(());
    }
    for (channel, bytes) in forwarded {
        match channel {
            Channel::Radio => judged.two.heard.packet(bytes),
            Channel::Can => judged.two.heard.frame(u16::from_le_bytes([bytes[0], bytes[1]]), &bytes[2..]),
            _ => {}
        }
    }
    let wanted = judged.two.wanted(&out.trace);
    same("CPU2 outputs", out.trace.outputs_on, wanted.outputs)?;
    same("CPU2 relays", out.trace.relays_on, wanted.relays)?;
    for message in &out.forward {
        match message.channel {
            Channel::Radio => {
                let words = message.bytes[radio::at::MEMORIES..].chunks_exact(2).take(3);
                let sent: Vec<u16> = words.map(|word| u16::from_le_bytes([word[0], word[1]])).collect();
                same("memories sent", &sent[..], &wanted.memories[..3])?;
            }
            Channel::Can => {
                let entry = usize::from(message.bytes[0]) - usize::from(simplecan::ENTRY_ID);
                let data = u16::from_le_bytes([message.bytes[2], message.bytes[3]]);
                same(&format!("CAN entry {entry} sent"), data, wanted.can[entry])?;
            }
            _ => {}
        }
    }
    summary.judged += 1;
    Ok(())
}

/// Plays a case; what is wrong, if anything is.
fn play(
    diagram: &[u16],
    inputs: &[u16],
    ticks: u32,
    spoil: [Option<Spoil>; 2],
) -> Result<(Summary, Vec<BlockKind>), String> {
    let (text, wiring) = drawn::network(&mut Tape::new(diagram));
    let compiled = compiled(&text);
    let mut run = Run::new(&compiled.network, &compiled.bytes);
    run.spoil = spoil;
    let mut tape = Tape::new(inputs);
    let mut left = [0; 2];
    for _ in 0..ticks {
        for own in 0..2 {
            if left[own] == 0 {
                let (pins, ticks) = drawn::change(&wiring[own], &mut tape);
                pins.iter().for_each(|(pin, outside)| run.net.0[own].outside[*pin] = *outside);
                left[own] = ticks;
            }
            left[own] -= 1;
        }
        run.step(&wiring).map_err(|what| format!("{what}\n{text}"))?;
        if run.summary.disagreed > 0 {
            break;
        }
    }
    if run.summary.disagreed == 0 && run.net.0.iter().any(|unit| unit.modes() != [Mode::Normal; 2]) {
        return Err("a unit has not come to normal mode".to_owned());
    }
    let kinds = compiled.network.nodes.iter().flat_map(|node| node.section.blocks.iter().map(|block| block.kind));
    let kinds: Vec<BlockKind> = kinds.collect();
    // What comes over the networks reaches CPU2 a tick later, and the two read combined pins by different rules.
    let receives = |kind: &BlockKind| matches!(kind, BlockKind::MemoryReceive | BlockKind::CanReceive);
    let is_equal = !kinds.iter().any(receives) && !text.contains("role: Combined");
    if is_equal && run.summary.apart > 0 {
        return Err(format!("the two CPUs of a unit want different things: {:?}\n{text}", run.summary));
    }
    let holds = |kind: &BlockKind| matches!(kind, BlockKind::Latch | BlockKind::Reset);
    if run.summary.disagreed > 0 && !kinds.iter().any(holds) {
        return Err(format!("the CPUs disagree for long, and nothing in the network holds a state\n{text}"));
    }
    run.summary.equal = u64::from(is_equal);
    Ok((run.summary, kinds))
}

/// Tapes of a seed.
fn tapes(seed: u64) -> (Vec<u16>, Vec<u16>) {
    use rand::{RngExt, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut tape = |len: usize| (0..len).map(|_| random.random::<u16>()).collect::<Vec<u16>>();
    (tape(700), tape(600))
}

/// Plays the cases of these seeds; all that was seen.
fn play_seeds(seeds: std::ops::Range<u64>, ticks: u32) -> (Summary, BTreeSet<u8>) {
    let (mut all, mut kinds) = (Summary::default(), BTreeSet::new());
    for seed in seeds {
        let (diagram, inputs) = tapes(seed);
        let (one, used) =
            play(&diagram, &inputs, ticks, [None; 2]).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        all = Summary {
            judged: all.judged + one.judged,
            changes: all.changes + one.changes,
            apart: all.apart + one.apart,
            apart_most: all.apart_most.max(one.apart_most),
            radio_packets: all.radio_packets + one.radio_packets,
            can_frames: all.can_frames + one.can_frames,
            equal: all.equal + one.equal,
            disagreed: all.disagreed + one.disagreed,
        };
        kinds.extend(used.into_iter().map(|kind| kind as u8));
    }
    (all, kinds)
}

/// Verifies SSR-015, SSR-046. Every kind of block takes part, demands change, frames are on radio and CAN.
#[test]
fn random_networks_do_what_the_reference_wants() {
    let (all, kinds) = play_seeds(0..150, 1_000);
    assert_eq!(kinds.len(), 19, "kinds of blocks: {kinds:?}");
    assert!(all.judged > 400_000 && all.changes > 500, "{all:?}");
    assert!(all.radio_packets > 20_000 && all.can_frames > 50_000, "{all:?}");
    // The others are apart now and then, and seldom.
    assert!(all.equal > 10 && all.apart > 0 && all.apart * 200 < all.judged, "{all:?}");
    assert_eq!(all.disagreed, 0, "{all:?}");
}

/// Verifies SSR-015, SSR-046 at length.
#[test]
#[ignore = "long: 24 million ticks of a CPU"]
fn many_random_networks_do_what_the_reference_wants() {
    let (all, _) = play_seeds(1_000..3_000, 3_000);
    assert!(all.judged > 20_000_000, "{all:?}");
    // A state that one CPU sees for a tick and the other never is rare even among random inputs.
    assert!(all.disagreed <= 4, "{all:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Verifies SSR-015, SSR-046. As above, with cases that shrink.
    #[test]
    fn any_network_does_what_the_reference_wants(
        diagram in prop::collection::vec(any::<u16>(), 0..700),
        inputs in prop::collection::vec(any::<u16>(), 0..200),
    ) {
        let played = play(&diagram, &inputs, 400, [None; 2]);
        prop_assert!(played.is_ok(), "{}", played.err().unwrap_or_default());
    }
}

/// The control that must fail: a CPU that is spoilt by as little as one demand, one memory or one bit in a rare moment is found.
#[test]
fn a_spoilt_cpu_is_found() {
    let spoils: [[Option<Spoil>; 2]; 5] = [
        [Some(|out| out.trace.outputs_on ^= u16::from(out.trace.inputs_on & 3 == 2)), None],
        [None, Some(|out| out.trace.outputs_on ^= u16::from(out.trace.inputs_on & 3 == 2))],
        [Some(|out| out.relays ^= u8::from(out.trace.inputs_on & 3 == 2)), None],
        [Some(|out| out.pins[1] ^= if out.trace.inputs_on & 3 == 2 { u16::MAX } else { 0 }), None],
        [
            None,
            Some(|out| {
                let radio = out.forward.iter_mut().find(|message| message.channel == Channel::Radio);
                radio.into_iter().for_each(|message| message.bytes[radio::at::MEMORIES] ^= 1);
            }),
        ],
    ];
    for (case, spoil) in spoils.into_iter().enumerate() {
        let found = (0..40).filter(|seed| {
            let (diagram, inputs) = tapes(*seed);
            play(&diagram, &inputs, 300, spoil).is_err()
        });
        assert!(found.count() >= 5, "case {case}");
    }
}

/// Eight inputs and 14 - 8 outputs: output `n` is ON when the inputs of its mask are all as its pattern says.
fn combinations(masks: &[(u8, u8)]) -> String {
    let mut pins = String::new();
    let mut inputs = String::new();
    let mut blocks = String::new();
    for pin in 0..8 {
        pins += &format!("(pin: {pin}, name: \"p{pin}\", role: Input, on: High, off: Low),");
        inputs += &format!("(name: \"i{pin}\", pins: Single(\"p{pin}\")),");
        blocks +=
            &format!("(name: \"on{pin}\", kind: Input(\"i{pin}\")), (name: \"off{pin}\", kind: Not(\"on{pin}\")),");
    }
    let mut outputs = String::new();
    for (number, (mask, pattern)) in masks.iter().enumerate() {
        let pin = 8 + number;
        pins += &format!("(pin: {pin}, name: \"p{pin}\", role: Output, on: High, off: Low),");
        outputs += &format!("(name: \"o{number}\", pins: Single(\"p{pin}\")),");
        let of = (0..8).filter(|bit| mask >> bit & 1 == 1);
        let of: Vec<String> =
            of.map(|bit| format!("{}{bit}", if pattern >> bit & 1 == 1 { "on" } else { "off" })).collect();
        let last = of.iter().skip(1).enumerate().fold(of[0].clone(), |last, (at, next)| {
            blocks += &format!("(name: \"and{number}_{at}\", kind: And([\"{last}\", \"{next}\"])),");
            format!("and{number}_{at}")
        });
        blocks += &format!("(name: \"out{number}\", kind: Output(group: \"o{number}\", of: \"{last}\")),");
    }
    format!(
        "(network: 1, password: \"p\", response_time: \"20ms\", nodes: [(name: \"n\", serial: {}, \
         supply: (minimum: \"18V\", maximum: \"30V\"), pins: [{pins}], inputs: [{inputs}], outputs: [{outputs}], \
         blocks: [{blocks}])])",
        SERIALS[0]
    )
}

/// Verifies SSR-027. All combinations of ON and OFF of 8 inputs, and with masks of 1 to 8 of them: what both CPUs want, and what
/// the pins do, is what the mask says.
#[test]
fn every_combination_of_one_to_eight_inputs_is_judged_right() {
    let masks = [(1, 1), (0b11, 0b01), (0b111, 0b000), (0b1_1111, 0b1_0110), (0b111_1110, 0b101_0010), (0xFF, 0xA5)];
    let mut unit = Unit::running(SERIALS[0], &compiled(&combinations(&masks)).bytes);
    let mut seen = BTreeSet::new();
    for step in 0..256_u32 {
        let state = (step ^ step >> 1) as u8;
        for pin in 0..8 {
            let signal = if state >> pin & 1 == 1 { Signal::High } else { Signal::Low };
            unit.outside[pin] = Outside::Shows(signal, 0);
        }
        unit.steps(16);
        let wanted = masks.iter().map(|(mask, pattern)| state & mask == *pattern);
        let wanted = wanted.enumerate().fold(0_u16, |bits, (at, on)| bits | u16::from(on) << at);
        let driven = (0..6).fold(0_u16, |bits, at| bits | u16::from(unit.one.out.pins[8 + at] == u16::MAX) << at);
        let (one, two) = (unit.one.out.trace.outputs_on, unit.two.out.trace.outputs_on);
        assert_eq!((one, two, driven), (wanted, wanted, wanted), "inputs {state:08b}");
        seen.insert(state);
    }
    assert_eq!(seen.len(), 256);
}

/// One input with these signals, and a block that reads it.
fn one_input(on: Signal, off: Signal) -> String {
    format!(
        "(network: 1, password: \"p\", response_time: \"20ms\", nodes: [(name: \"n\", serial: {}, \
         supply: (minimum: \"18V\", maximum: \"30V\"), pins: [(pin: 0, name: \"p\", role: Input, on: {on:?}, off: {off:?})], \
         inputs: [(name: \"i\", pins: Single(\"p\"))], blocks: [(name: \"x\", kind: Input(\"i\"))])])",
        SERIALS[0]
    )
}

/// Verifies SSR-025, SSR-026, SSR-032. Both CPUs, with detectors of different design, read every pair of signals alike in every
/// tick: through changes in any phase, floating wires and ties to either level. A signal that one of them knows longer or sooner
/// would make their logics differ.
#[test]
fn both_cpus_read_every_signal_alike_in_every_tick() {
    let mut read_on = 0;
    for (on, off) in SIGNALS.into_iter().flat_map(|on| SIGNALS.map(|off| (on, off))) {
        let is_allowed =
            on != off && off != Signal::Ossd && on != Signal::Low && (on, off) != (Signal::Ossd, Signal::High);
        if !is_allowed {
            continue;
        }
        let mut unit = Unit::running(SERIALS[0], &compiled(&one_input(on, off)).bytes);
        for early in 0..8 {
            let (on, off) = (Outside::Shows(on, early), Outside::Shows(off, 3 * early % 8));
            let floats = Outside::Floats;
            for state in [on, off, on, floats, on, Outside::Tied(true), off, Outside::Tied(false), floats, off] {
                unit.outside[0] = state;
                for tick in 0..67 {
                    unit.step();
                    let own = |out: &TickOutputs| out.c2c.map(|packet| packet[c2c::at::INPUTS_ON]);
                    let told = |out: &TickOutputs| (own(out), out.trace.inputs_error);
                    let (one, two) = (told(&unit.one.out), told(&unit.two.out));
                    assert_eq!(one, two, "{on:?} {off:?}: {state:?} for {tick} ticks");
                    read_on += u32::from(one.0 == Some(1));
                }
            }
        }
    }
    assert!(read_on > 100_000, "{read_on}");
}
