//! Property tests: arbitrary ticks, in every mode.

use std::vec::Vec;

use proptest::prelude::*;
use safety_common::io::{
    AnalogCounts, C2cReceived, Channel, FlashResult, Forward, Levels, Mode, TickInputs, TickOutputs,
};
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
