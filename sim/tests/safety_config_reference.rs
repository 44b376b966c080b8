//! The reference evaluator against truth tables and timelines made by hand, and against a model that steps states.
//!
//! A timeline is one character a tick: `1` is ON, `.` is OFF. The expected ones were drawn by hand from the table of
//! blocks in `SAFETY.md`, section 8, not printed by the program.

use cooltwin::hosts::safety::demands::{Off, Settled};
use cooltwin::kernel::{SimTime, Span};
use cooltwin::safety::binary::{Block, Section};
use cooltwin::safety::reference::{Reference, Seen, Wanted};
use proptest::prelude::*;
use safety_common::configuration::{BlockKind, NO_SIGNAL, SIGNAL_OFF, SIGNAL_ON};

fn block(kind: BlockKind, index: u8, number: u16, inputs: &[u16], time_ms: u32) -> Block {
    let mut all = [NO_SIGNAL; 4];
    all[..inputs.len()].copy_from_slice(inputs);
    Block { kind, index, number, inputs: all, time_ms }
}

fn section(blocks: Vec<Block>) -> Section {
    Section { blocks, ..Section::EMPTY }
}

/// A diagram of input blocks 0.. and one block of `kind` behind them all.
fn behind_inputs(kind: BlockKind, index: u8, inputs: usize, time_ms: u32) -> Section {
    let count = u16::try_from(inputs).expect("a few");
    let mut blocks: Vec<Block> =
        (0..count).map(|at| block(BlockKind::Input, u8::try_from(at).expect("a few"), 0, &[], 0)).collect();
    blocks.push(block(kind, index, 0, &(0..count).collect::<Vec<u16>>(), time_ms));
    section(blocks)
}

/// What the block makes of these timelines.
fn timeline(kind: BlockKind, index: u8, time_ms: u32, inputs: &[&str]) -> String {
    let section = behind_inputs(kind, index, inputs.len(), time_ms);
    let mut reference = Reference::new(&section);
    let signal = u16::try_from(inputs.len()).expect("a few");
    let ticks = inputs[0].len();
    assert!(inputs.iter().all(|input| input.len() == ticks), "timelines of one length");
    let mut out = String::new();
    for tick in 0..ticks {
        let bits = inputs.iter().enumerate().map(|(at, line)| u16::from(line.as_bytes()[tick] == b'1') << at);
        reference.tick(&Seen { inputs: bits.sum(), ..Seen::default() });
        out.push(if reference.signal(signal) { '1' } else { '.' });
    }
    out
}

#[test]
fn gates_have_their_truth_tables() {
    // Columns: every state of two, three and four inputs, the first input changing fastest.
    let two = [".1.1", "..11"];
    let three = [".1.1.1.1", "..11..11", "....1111"];
    let four = [".1.1.1.1.1.1.1.1", "..11..11..11..11", "....1111....1111", "........11111111"];
    assert_eq!(timeline(BlockKind::And, 0, 0, &two), "...1");
    assert_eq!(timeline(BlockKind::Or, 0, 0, &two), ".111");
    assert_eq!(timeline(BlockKind::Xor, 0, 0, &two), ".11.");
    assert_eq!(timeline(BlockKind::And, 0, 0, &three), ".......1");
    assert_eq!(timeline(BlockKind::Or, 0, 0, &three), ".1111111");
    assert_eq!(timeline(BlockKind::Xor, 0, 0, &three), ".11.1..1");
    assert_eq!(timeline(BlockKind::And, 0, 0, &four), "...............1");
    assert_eq!(timeline(BlockKind::Or, 0, 0, &four), ".111111111111111");
    assert_eq!(timeline(BlockKind::Xor, 0, 0, &four), ".11.1..11..1.11.");
    assert_eq!(timeline(BlockKind::Not, 0, 0, &[".1"]), "1.");
}

#[test]
fn a_mode_is_on_when_its_position_alone_is_on() {
    let two = [".1.1", "..11"];
    assert_eq!(timeline(BlockKind::Mode, 0, 0, &two), ".1..");
    assert_eq!(timeline(BlockKind::Mode, 1, 0, &two), "..1.");
    let four = [".1.1.1.1.1.1.1.1", "..11..11..11..11", "....1111....1111", "........11111111"];
    assert_eq!(timeline(BlockKind::Mode, 0, 0, &four), ".1..............");
    assert_eq!(timeline(BlockKind::Mode, 3, 0, &four), "........1.......");
}

#[test]
fn a_latch_is_set_reset_and_reset_wins() {
    let set__ = ".1....1.1..1..";
    let reset = "...1..11...11.";
    let value = ".11.....111...";
    assert_eq!(timeline(BlockKind::Latch, 0, 0, &[set__, reset]), value);
    assert_eq!(timeline(BlockKind::Latch, 0, 0, &["1..", "..."]), "111", "set in the first tick");
    assert_eq!(timeline(BlockKind::Latch, 0, 0, &["111", "1.."]), ".11", "set for longer than reset");
}

#[test]
fn an_on_delay_is_on_in_the_tick_after_its_time() {
    assert_eq!(timeline(BlockKind::OnDelay, 0, 1, &["1.11.111."]), "...1..11.");
    assert_eq!(timeline(BlockKind::OnDelay, 0, 3, &[".111.11111..1"]), "........11...");
    assert_eq!(timeline(BlockKind::OnDelay, 0, 3, &["11111"]), "...11", "from the first tick on");
}

#[test]
fn an_off_delay_stays_on_for_its_time() {
    assert_eq!(timeline(BlockKind::OffDelay, 0, 1, &[".1..1.1.."]), ".11.1111.");
    assert_eq!(timeline(BlockKind::OffDelay, 0, 3, &["...1....11......"]), "...1111.11111...");
    assert_eq!(timeline(BlockKind::OffDelay, 0, 3, &["......"]), "......", "never on, never held");
}

#[test]
fn a_pulse_begins_at_an_edge_and_begins_again_at_the_next() {
    assert_eq!(timeline(BlockKind::Pulse, 0, 1, &[".11.1.1.."]), ".1..1.1..");
    assert_eq!(timeline(BlockKind::Pulse, 0, 3, &[".1111....1..1....."]), ".111.....111111...");
    assert_eq!(timeline(BlockKind::Pulse, 0, 3, &["11111.1.."]), "......111", "on from the start is no edge");
    assert_eq!(timeline(BlockKind::Pulse, 0, 3, &[".1.1.1......"]), ".1111111....", "retriggers");
}

/// A timeline from stretches: (character, ticks).
fn stretches(parts: &[(char, usize)]) -> String {
    parts.iter().map(|(c, ticks)| c.to_string().repeat(*ticks)).collect()
}

/// What a reset makes of one press of `ticks`, with the condition ON throughout.
fn press(ticks: usize) -> String {
    let button = stretches(&[('.', 2), ('1', ticks), ('.', 3)]);
    timeline(BlockKind::Reset, 0, 0, &[&"1".repeat(button.len()), &button])
}

#[test]
fn a_reset_takes_presses_of_50_to_5000_ms_when_the_button_is_let_go() {
    for (ticks, good) in
        [(1, false), (49, false), (50, true), (51, true), (5_000, true), (5_001, false), (9_000, false)]
    {
        let expected = stretches(&[('.', 2 + ticks), (if good { '1' } else { '.' }, 3)]);
        assert_eq!(press(ticks), expected, "{ticks} ms");
    }
}

#[test]
fn a_reset_needs_its_condition_at_the_moment_of_letting_go() {
    let button = stretches(&[('.', 2), ('1', 60), ('.', 10)]);
    let early = stretches(&[('1', 61), ('.', 11)]);
    assert_eq!(timeline(BlockKind::Reset, 0, 0, &[&early, &button]), ".".repeat(72), "condition lost before");
    let late = stretches(&[('.', 63), ('1', 9)]);
    assert_eq!(timeline(BlockKind::Reset, 0, 0, &[&late, &button]), ".".repeat(72), "condition there a tick too late");
    let just = stretches(&[('.', 62), ('1', 5), ('.', 1), ('1', 4)]);
    let value = stretches(&[('.', 62), ('1', 5), ('.', 5)]);
    assert_eq!(
        timeline(BlockKind::Reset, 0, 0, &[&just, &button]),
        value,
        "goes with the condition, stays off without"
    );
}

#[test]
fn a_button_that_is_pressed_at_the_start_never_counts() {
    let button = stretches(&[('1', 60), ('.', 5), ('1', 60), ('.', 5)]);
    let value = stretches(&[('.', 125), ('1', 5)]);
    assert_eq!(timeline(BlockKind::Reset, 0, 0, &[&"1".repeat(130), &button]), value, "the second press does");
}

#[test]
fn constants_are_signals_that_never_change() {
    let of = |kind, time_ms, inputs: &[u16]| {
        let section = section(vec![block(kind, 0, 0, inputs, time_ms)]);
        let mut reference = Reference::new(&section);
        (0..4)
            .map(|_| (reference.tick(&Seen::default()), if reference.signal(0) { '1' } else { '.' }).1)
            .collect::<String>()
    };
    assert_eq!(of(BlockKind::Output, 0, &[SIGNAL_ON]), "1111");
    assert_eq!(of(BlockKind::Not, 0, &[SIGNAL_OFF]), "1111");
    assert_eq!(of(BlockKind::OnDelay, 2, &[SIGNAL_ON]), "..11");
    assert_eq!(of(BlockKind::Pulse, 2, &[SIGNAL_ON]), "....", "before the first tick it counts as ON");
    assert_eq!(of(BlockKind::Latch, 0, &[SIGNAL_ON, SIGNAL_OFF]), "1111");
    assert_eq!(of(BlockKind::Mode, 0, &[SIGNAL_ON, SIGNAL_OFF]), "1111");
}

#[test]
fn sources_and_sinks_take_and_set_exactly_their_bit() {
    let mut seen = Seen { inputs: 1 << 13, input_errors: 1 << 2, output_errors: 1 << 5, ..Seen::default() };
    seen.memories[15][15] = 1 << 15;
    seen.can[13] = 1 << 15;
    let section = section(vec![
        block(BlockKind::Input, 13, 0, &[], 0),
        block(BlockKind::InputError, 2, 0, &[], 0),
        block(BlockKind::OutputError, 5, 0, &[], 0),
        block(BlockKind::MemoryReceive, 15, 255, &[], 0),
        block(BlockKind::CanReceive, 13, 15, &[], 0),
        block(BlockKind::Output, 13, 0, &[0], 0),
        block(BlockKind::Relay, 1, 0, &[1], 0),
        block(BlockKind::MemorySend, 0, 37, &[2], 0),
        block(BlockKind::CanSend, 9, 4, &[3], 0),
        block(BlockKind::Output, 0, 0, &[4], 0),
    ]);
    let mut wanted = Wanted { outputs: 1 << 13 | 1, relays: 2, ..Wanted::default() };
    wanted.memories[2] = 1 << 5;
    wanted.can[9] = 1 << 4;
    assert_eq!(Reference::new(&section).tick(&seen), wanted);
    // The same bits of the neighbours do nothing.
    let mut beside = Seen { inputs: !(1 << 13), input_errors: !(1 << 2), output_errors: !(1 << 5), ..Seen::default() };
    beside.memories = [[u16::MAX; 16]; 16];
    beside.memories[15][15] = !(1 << 15);
    beside.can = [u16::MAX; 16];
    beside.can[13] = !(1 << 15);
    assert_eq!(Reference::new(&section).tick(&beside), Wanted::default());
}

/// The blocks as states that go from tick to tick, in the words of the table; for tests only.
struct Stepped {
    blocks: Vec<Block>,
    states: Vec<State>,
    values: Vec<bool>,
}

#[derive(Clone, Copy)]
struct State {
    on: bool,
    count: u32,
    before: bool,
}

impl Stepped {
    fn new(section: &Section) -> Self {
        let count = |block: &Block| if block.kind == BlockKind::Reset { 5_001 } else { 0 };
        let state = |block: &Block| State { on: false, count: count(block), before: true };
        let states = section.blocks.iter().map(state).collect();
        Self { blocks: section.blocks.clone(), states, values: vec![false; section.blocks.len()] }
    }

    fn tick(&mut self, inputs: u16) {
        for at in 0..self.blocks.len() {
            let block = self.blocks[at];
            let values = &self.values;
            let read = |signal: u16| match signal {
                SIGNAL_ON => true,
                SIGNAL_OFF => false,
                number => values[usize::from(number)],
            };
            let used: Vec<bool> = block.inputs.iter().filter(|i| **i != NO_SIGNAL).map(|i| read(*i)).collect();
            let input = |at: usize| used.get(at).copied().unwrap_or(false);
            let (a, b, time) = (input(0), input(1), block.time_ms);
            let state = &mut self.states[at];
            let value = match block.kind {
                BlockKind::Input => inputs >> block.index & 1 == 1,
                BlockKind::And => used.iter().all(|on| *on),
                BlockKind::Or => used.iter().any(|on| *on),
                BlockKind::Xor => used.iter().fold(false, |odd, on| odd ^ on),
                BlockKind::Not => !a,
                BlockKind::Latch => {
                    state.on = !b && (a || state.on);
                    state.on
                }
                BlockKind::OnDelay if !a => {
                    state.count = 0;
                    false
                }
                BlockKind::OnDelay => {
                    let value = state.count == time;
                    state.count = (state.count + 1).min(time);
                    value
                }
                BlockKind::OffDelay if a => {
                    state.count = time;
                    true
                }
                BlockKind::OffDelay => {
                    let value = state.count > 0;
                    state.count = state.count.saturating_sub(1);
                    value
                }
                BlockKind::Pulse => {
                    if a && !state.before {
                        state.count = time;
                    }
                    state.before = a;
                    let value = state.count > 0;
                    state.count = state.count.saturating_sub(1);
                    value
                }
                BlockKind::Reset => {
                    if b {
                        state.count = (state.count + 1).min(5_001);
                    } else {
                        if (50..=5_000).contains(&state.count) && a {
                            state.on = true;
                        }
                        state.count = 0;
                    }
                    if !a {
                        state.on = false;
                    }
                    state.on
                }
                BlockKind::Mode => {
                    used.iter().enumerate().all(|(position, on)| *on == (position == usize::from(block.index)))
                }
                other => panic!("{other:?} is not in the model"),
            };
            self.values[at] = value;
        }
    }
}

/// Kinds with their numbers of inputs.
const LOGIC: [(BlockKind, std::ops::RangeInclusive<usize>); 10] = [
    (BlockKind::And, 2..=4),
    (BlockKind::Or, 2..=4),
    (BlockKind::Xor, 2..=4),
    (BlockKind::Not, 1..=1),
    (BlockKind::Latch, 2..=2),
    (BlockKind::OnDelay, 1..=1),
    (BlockKind::OffDelay, 1..=1),
    (BlockKind::Pulse, 1..=1),
    (BlockKind::Reset, 2..=2),
    (BlockKind::Mode, 2..=4),
];

/// A valid list of blocks: four inputs, then logic that takes earlier signals and constants.
fn diagrams() -> impl Strategy<Value = Section> {
    let one = (0..LOGIC.len(), any::<[prop::sample::Index; 4]>(), 2..=4_usize, 1..=8_u32, 0..4_u8);
    prop::collection::vec(one, 1..40).prop_map(|wishes| {
        let mut blocks: Vec<Block> = (0..4).map(|at| block(BlockKind::Input, at, 0, &[], 0)).collect();
        for (kind, sources, count, time, position) in wishes {
            let (kind, counts) = LOGIC[kind].clone();
            let count = count.clamp(*counts.start(), *counts.end());
            let earlier = u16::try_from(blocks.len()).expect("a few dozen");
            let source = |index: &prop::sample::Index| match u16::try_from(index.index(usize::from(earlier) + 2))
                .expect("small")
            {
                number if number < earlier => number,
                number if number == earlier => SIGNAL_ON,
                _ => SIGNAL_OFF,
            };
            let inputs: Vec<u16> = sources.iter().take(count).map(source).collect();
            let is_timer = matches!(kind, BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse);
            let index = if kind == BlockKind::Mode { position % u8::try_from(count).expect("2 to 4") } else { 0 };
            blocks.push(block(kind, index, 0, &inputs, if is_timer { time } else { 0 }));
        }
        section(blocks)
    })
}

/// Inputs that change now and then: states of four inputs, each with how many ticks it lasts.
fn stimuli() -> impl Strategy<Value = Vec<(u16, u32)>> {
    let ticks = prop_oneof![3 => 1..6_u32, 2 => 40..60_u32, 1 => 4_990..5_010_u32];
    prop::collection::vec((0..16_u16, ticks), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn history_and_stepped_states_agree_on_any_diagram(section in diagrams(), stimuli in stimuli()) {
        let mut reference = Reference::new(&section);
        let mut stepped = Stepped::new(&section);
        for (inputs, ticks) in stimuli {
            for _ in 0..ticks {
                reference.tick(&Seen { inputs, ..Seen::default() });
                stepped.tick(inputs);
                for (number, value) in stepped.values.iter().enumerate() {
                    let signal = u16::try_from(number).expect("a few dozen");
                    prop_assert_eq!(reference.signal(signal), *value, "signal {} in tick {}", number, reference.ticks() - 1);
                }
            }
        }
    }
}

/// Every input shows OFF within this time, in ticks.
const SEEN: u64 = 10;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// SSR-016. What is settled by the devices is so in the reference whatever it is told of an input that is not OFF for long: `noise` is
    /// what it sees then.
    #[test]
    fn what_is_settled_is_so_whatever_is_seen(
        mut section in diagrams(),
        stimuli in stimuli(),
        noise in any::<u64>(),
        stretch in prop_oneof![Just(1_u32), Just(30)],
    ) {
        section.blocks.iter_mut().for_each(|block| block.time_ms *= stretch);
        let (mut reference, mut settled) = (Reference::new(&section), Settled::default());
        settled.start(SimTime::ZERO, &section);
        let (mut off_for, mut noise, mut tick) = ([0_u64; 4], noise | 1, 0_u64);
        for (shown, ticks) in stimuli {
            // Noise that changes with every tick, and what stays for long.
            let (is_quiet, held) = (noise >> 20 & 1 == 1, noise as u16);
            for _ in 0..ticks {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                tick += 1;
                let mut off = 0_u16;
                for (input, since) in off_for.iter_mut().enumerate() {
                    *since = if shown >> input & 1 == 1 { 0 } else { *since + 1 };
                    off |= u16::from(*since >= SEEN) << input;
                }
                let seen = if is_quiet { held } else { (noise >> 40) as u16 };
                reference.tick(&Seen { inputs: seen & !off & 0b1111, ..Seen::default() });
                settled.evaluate(SimTime::ZERO + Span::from_millis(tick), Off { inputs: off, ..Off::default() }, Span::from_millis(500));
                for (number, block) in (0_u16..).zip(&section.blocks) {
                    if let Some(value) = settled.signal(number) {
                        prop_assert_eq!(reference.signal(number), value, "signal {}, {:?}, in tick {}", number, block.kind, tick);
                    }
                }
            }
        }
    }
}

/// What each kind settles to, by hand: inputs that show OFF from the beginning are OFF from the first tick on in which that is seen, an
/// input that shows ON is open.
#[test]
fn what_settles_and_when() {
    // By tick in which the first and the second input are OFF: the first tick from which on the block is settled OFF; 0 is never.
    let first_off = |kind: BlockKind, time_ms: u32, count: usize, off: fn(u64) -> u16| {
        let section = behind_inputs(kind, 0, count, time_ms);
        let mut settled = Settled::default();
        settled.start(SimTime::ZERO, &section);
        let block = u16::try_from(count).expect("a few");
        let mut since = 0;
        for tick in 1..3_000 {
            settled.evaluate(
                SimTime::ZERO + Span::from_millis(tick),
                Off { inputs: off(tick), ..Off::default() },
                Span::from_millis(500),
            );
            since = match settled.signal(block) {
                Some(false) if since == 0 => tick,
                Some(false) => since,
                _ => 0,
            };
        }
        since
    };
    let second = |tick: u64| u16::from(tick >= 1_000) << 1;
    let first = |tick: u64| u16::from(tick >= 1_000);
    let both = |tick: u64| u16::from(tick >= 1_000) * 0b11;
    let always = |_: u64| 0b01;
    assert_eq!(first_off(BlockKind::And, 0, 2, second), 1_000, "one is enough");
    assert_eq!((first_off(BlockKind::Or, 0, 2, second), first_off(BlockKind::Or, 0, 2, both)), (0, 1_000));
    assert_eq!((first_off(BlockKind::Xor, 0, 2, second), first_off(BlockKind::Xor, 0, 2, both)), (0, 1_000));
    assert_eq!(first_off(BlockKind::Not, 0, 1, first), 0);
    // 320 ms and a sixteenth, 20 ms, and 10 ms of the input; OFF is open up to tick 999, and looked at a tick later.
    assert_eq!(first_off(BlockKind::OffDelay, 320, 1, first), 1_351);
    assert_eq!(first_off(BlockKind::Pulse, 320, 1, first), 1_351);
    assert_eq!(first_off(BlockKind::OnDelay, 320, 1, first), 1_000);
    // Set never, whatever the reset is; set once for all it may be.
    assert_eq!((first_off(BlockKind::Latch, 0, 2, always), first_off(BlockKind::Latch, 0, 2, both)), (1, 0));
    assert_eq!((first_off(BlockKind::Reset, 0, 2, first), first_off(BlockKind::Reset, 0, 2, second)), (1_000, 0));
}
