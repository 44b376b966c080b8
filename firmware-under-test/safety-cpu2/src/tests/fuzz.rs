//! Property tests: arbitrary ticks, in every mode.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use safety_common::configuration::{BlockKind, Role};
use safety_common::io::{
    AnalogCounts, C2cReceived, Channel, FlashResult, Forward, Levels, Mode, TickInputs, TickOutputs,
};
use safety_common::signal::Signal;
use safety_common::{PINS, c2c};
use units::Instant;

use crate::testing::*;

/// A tick with any content, partly with good packets and the right tick count.
#[derive(Clone, Debug)]
pub(crate) struct AnyTick {
    regular: bool,
    tick: u32,
    now: u64,
    logic_time_ns: u32,
    counts: Vec<u16>,
    levels: Vec<(u16, u16)>,
    drivers: Vec<u16>,
    relay_feedback: u8,
    dip: u16,
    c2c: Vec<Vec<u8>>,
    good_packet: bool,
    forward: Vec<(u8, Vec<u8>)>,
    flash: Option<bool>,
}

pub(crate) fn any_tick() -> impl Strategy<Value = AnyTick> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    (
        (any::<bool>(), any::<u32>(), any::<u64>(), prop_oneof![Just(0), any::<u32>()]),
        proptest::collection::vec(any::<u16>(), PINS + 3),
        proptest::collection::vec((any::<u16>(), any::<u16>()), PINS),
        proptest::collection::vec(any::<u16>(), PINS),
        (any::<u8>(), any::<u16>(), any::<bool>(), proptest::option::of(any::<bool>())),
        proptest::collection::vec(bytes(c2c::RECEIVE_LEN_MOST), 0..4),
        proptest::collection::vec((0u8..5, bytes(64)), 0..6),
    )
        .prop_map(|((regular, tick, now, logic_time_ns), counts, levels, drivers, rest, c2c, forward)| AnyTick {
            regular,
            tick,
            now,
            logic_time_ns,
            counts,
            levels,
            drivers,
            relay_feedback: rest.0,
            dip: rest.1,
            c2c,
            good_packet: rest.2,
            forward,
            flash: rest.3,
        })
}

impl AnyTick {
    /// One step of the bench's CPU with this tick, past the bench's own wires.
    pub(crate) fn step(self, bench: &mut Bench) -> TickOutputs {
        bench.now_us += 1_000;
        bench.tick = bench.tick.wrapping_add(1);
        let (now, tick) = if self.regular { (bench.now_us, bench.tick) } else { (self.now, self.tick) };
        let at = Instant::from_micros(now.saturating_sub(200));
        let mut c2c: Vec<C2cReceived> =
            self.c2c.into_iter().map(|bytes| C2cReceived { at, bytes: bytes.into_iter().collect() }).collect();
        if self.good_packet {
            c2c.push(C2cReceived { at, bytes: bench.peer.packet().into_iter().collect() });
        }
        let channels = [Channel::Radio, Channel::Can, Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan];
        let forward: Vec<Forward> =
            self.forward.iter().map(|(channel, bytes)| forward(channels[usize::from(*channel)], bytes)).collect();
        let inputs = TickInputs {
            tick,
            logic_time_ns: self.logic_time_ns,
            analog: AnalogCounts {
                pins: self.counts[..PINS].try_into().unwrap(),
                supply: self.counts[PINS],
                sio_power: self.counts[PINS + 1],
                rail: self.counts[PINS + 2],
            },
            levels: core::array::from_fn(|pin| Levels { high: self.levels[pin].0, low: self.levels[pin].1 }),
            drivers: self.drivers.try_into().unwrap(),
            relay_feedback: self.relay_feedback,
            sio_power_in_dip: self.dip,
            c2c: &c2c,
            forward: &forward,
            flash: self.flash.map(|done| if done { FlashResult::Done } else { FlashResult::Failed }),
            ..TickInputs::default()
        };
        bench.cpu.step(Instant::from_micros(now), &inputs, &mut bench.ram, &bench.flash)
    }
}

/// SSR-045: the transitions that exist.
fn allowed(from: Mode, to: Mode) -> bool {
    from == to
        || to == Mode::Safe
        || matches!((from, to), (Mode::Starting, Mode::Ready | Mode::Configuration) | (Mode::Ready, Mode::Normal))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// SSR-045, SSR-048, SSM-13: whatever comes in, nothing panics, the mode only moves along allowed transitions, and
    /// outside normal mode everything is off.
    #[test]
    fn any_input_is_survived_in_every_mode(
        begin in 0usize..4,
        ticks in proptest::collection::vec(any_tick(), 1..60),
    ) {
        let section = SectionSpec::empty();
        let mut bench = match begin {
            0 => Bench::boot(Flash::new(&ConfigurationSpec::two_nodes(section).bytes()), POWER_ON),
            1 => Bench::normal(section),
            2 => { let mut bench = Bench::boot(Flash::new(&ConfigurationSpec::two_nodes(section).bytes()), ASKED); bench.until(Mode::Configuration, 1_000); bench }
            _ => { let mut bench = Bench::boot(Flash::new(&ConfigurationSpec::two_nodes(section).bytes()), POWER_ON); bench.until(Mode::Ready, 1_000); bench }
        };
        let mut mode = bench.cpu.mode();
        for tick in ticks {
            let outputs = tick.step(&mut bench);
            prop_assert!(allowed(mode, outputs.mode), "{:?} to {:?}", mode, outputs.mode);
            prop_assert_eq!(outputs.mode, bench.cpu.mode());
            mode = outputs.mode;
            if mode != Mode::Normal {
                prop_assert!(outputs.all_off && outputs.main == 0 && outputs.relays == 0);
            }
        }
    }
}

/// A section with every role and signal type, blocks of every kind of source and sink.
fn busy() -> SectionSpec {
    let mut section = SectionSpec::empty();
    let inputs = [Signal::High, Signal::Ossd, Signal::A, Signal::B, Signal::InverseC, Signal::InverseD];
    for (pin, on) in inputs.into_iter().enumerate() {
        section.pin(pin, Role::Input, on, Signal::Low);
        section.inputs.push(single(pin as u32));
    }
    section.pin(6, Role::Combined, Signal::High, Signal::Low);
    section.inputs.push(single(6));
    section.outputs.push((1 << 6, 1));
    section.pin(7, Role::Output, Signal::Ossd, Signal::Low).pin(8, Role::Output, Signal::D, Signal::InverseA);
    section.outputs.push((0b11 << 7, 2));
    section.blocks = vec![
        block_spec(BlockKind::Input, 0, 0, &[], 0),
        block_spec(BlockKind::InputError, 1, 0, &[], 0),
        block_spec(BlockKind::MemoryReceive, 1, 31, &[], 0),
        block_spec(BlockKind::CanReceive, 1, 15, &[], 0),
        block_spec(BlockKind::Xor, 0, 0, &[0, 1, 2, 3], 0),
        block_spec(BlockKind::Reset, 0, 0, &[4, 0], 0),
        block_spec(BlockKind::OffDelay, 0, 0, &[4], 3),
        block_spec(BlockKind::Output, 0, 0, &[6], 0),
        block_spec(BlockKind::Output, 1, 0, &[0], 0),
        block_spec(BlockKind::Relay, 0, 0, &[5], 0),
        block_spec(BlockKind::MemorySend, 0, 31, &[4], 0),
        block_spec(BlockKind::CanSend, 0, 15, &[4], 0),
    ];
    section
}

type Gentle = (Vec<(u16, u16)>, Vec<u16>, [u16; 3], u8, u8, Vec<(u8, Vec<u8>)>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// SSM-13, SSR-023, SSR-037: ticks that come in time and mostly pass for good, so that they reach deep into normal
    /// mode. What drives outputs is on in normal mode only, and a contact is closed only if both CPUs want it.
    #[test]
    fn plausible_ticks_are_survived_in_normal_mode(
        ticks in proptest::collection::vec(
            (
                proptest::collection::vec((any::<u16>(), any::<u16>()), PINS),
                proptest::collection::vec(any::<u16>(), 3),
                any::<[u16; 3]>(),
                0u8..4,
                any::<u8>(),
                proptest::collection::vec((0u8..5, proptest::collection::vec(any::<u8>(), 0..64)), 0..3),
            ),
            1..150,
        ),
    ) {
        let ticks: Vec<Gentle> = ticks;
        let mut bench = Bench::normal(busy());
        let mut mode = Mode::Normal;
        for (levels, drivers, words, relays, noise, messages) in ticks {
            for (pin, (high, low)) in levels.into_iter().enumerate() {
                // Most pins keep a steady level, so that signals, filters and groups come to their ends.
                let busy = noise % 4 == 0;
                let high = if busy { high } else if noise >> (pin % 8) & 1 == 1 { 0x7FFF } else { 0 };
                bench.levels[pin] = Levels { high, low: if busy { low & 0x7FFF } else { !high & 0x7FFF } };
            }
            bench.drivers[6..9].copy_from_slice(&drivers);
            [bench.peer.inputs_on, bench.peer.outputs_on, bench.peer.outputs_failed] = words;
            bench.peer.relays_on = relays;
            bench.forward = messages.iter().map(|(channel, bytes)| {
                let channels = [Channel::Radio, Channel::Can, Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan];
                forward(channels[usize::from(*channel)], bytes)
            }).collect();
            bench.step();
            let outputs = &bench.outputs;
            prop_assert!(allowed(mode, outputs.mode));
            mode = outputs.mode;
            if mode == Mode::Normal {
                prop_assert_eq!(outputs.relays & !(outputs.trace.relays_on & relays), 0);
                prop_assert_eq!(outputs.trace.inputs_on & !words[0], 0);
            } else {
                prop_assert!(outputs.all_off && outputs.main == 0 && outputs.relays == 0 && outputs.forward.is_empty());
            }
        }
    }
}
