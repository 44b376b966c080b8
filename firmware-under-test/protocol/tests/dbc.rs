//! Holds `cooling.dbc` and the encoders together: both must mean the same by every bit.
//!
//! Signals are packed and unpacked here by the rules of the DBC format alone (Intel byte order: bit n of a frame is bit
//! n % 8 of byte n / 8; physical = raw * factor + offset), never by the code under test.

use can_dbc::{AttributeValue, ByteOrder, Dbc, Message, MessageId, NumericValue, Signal, ValueType};
use embedded_can::StandardId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use protocol::Frame;
use protocol::cyclic::{Command, Mode, PERIOD, PumpFaults, PumpState, Status};
use protocol::frame::raw_id;
use protocol::ids::{self, PumpNumber};
use units::{DeciCelsius, Milliamps, Millivolts, Permille};

const MODES: [Mode; 3] = [Mode::Standby, Mode::Automatic, Mode::Fixed];
const STATES: [PumpState; 6] = [
    PumpState::Standby,
    PumpState::Automatic,
    PumpState::Fixed,
    PumpState::FailSafe,
    PumpState::Bootloader,
    PumpState::Updating,
];
const FAULTS: [(&str, PumpFaults); 4] = [
    ("LowSupply", PumpFaults::LOW_SUPPLY),
    ("NoApplication", PumpFaults::NO_APPLICATION),
    ("FlashFault", PumpFaults::FLASH),
    ("OverTemperature", PumpFaults::OVER_TEMPERATURE),
];

fn database() -> Dbc {
    Dbc::try_from(include_str!("../cooling.dbc")).expect("cooling.dbc is a DBC file")
}

fn message(dbc: &Dbc, id: StandardId) -> &Message {
    let found = dbc.messages.iter().find(|message| message.id == MessageId::Standard(id.as_raw()));
    found.unwrap_or_else(|| panic!("no message with id {:03X}", id.as_raw()))
}

fn signal<'a>(message: &'a Message, name: &str) -> &'a Signal {
    let found = message.signals.iter().find(|signal| signal.name == name);
    found.unwrap_or_else(|| panic!("{} has no signal {name}", message.name))
}

fn raw(data: &[u8], signal: &Signal) -> u64 {
    let bits = signal.start_bit..signal.start_bit + signal.size;
    bits.rev().fold(0, |raw, bit| raw << 1 | u64::from(data[bit as usize / 8] >> (bit % 8) & 1))
}

fn physical(data: &[u8], signal: &Signal) -> f64 {
    raw(data, signal) as f64 * signal.factor + signal.offset
}

/// A frame of `message` with these physical values and zero elsewhere.
fn pack(message: &Message, id: StandardId, values: &[(&str, f64)]) -> Frame {
    let mut data = vec![0; message.size as usize];
    for (name, value) in values {
        let signal = signal(message, name);
        let raw = ((value - signal.offset) / signal.factor).round() as u64;
        for bit in (0..signal.size).filter(|bit| raw >> bit & 1 == 1) {
            let at = signal.start_bit + bit;
            data[at as usize / 8] |= 1 << (at % 8);
        }
    }
    Frame::data_frame(id, &data).expect("at most 8 bytes")
}

fn number(value: NumericValue) -> f64 {
    match value {
        NumericValue::Uint(value) => value as f64,
        NumericValue::Int(value) => value as f64,
        NumericValue::Double(value) => value,
    }
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-6
}

fn command(set_point: u16) -> Command {
    Command { mode: Mode::Fixed, set_point: Permille::new(set_point), counter: 9 }
}

fn status() -> Status {
    Status {
        state: PumpState::Automatic,
        counter: 9,
        speed: Permille::new(753),
        supply: Millivolts::new(23_987),
        current: Milliamps::new(3_200),
        temperature: DeciCelsius::new(410),
        faults: PumpFaults::FLASH,
    }
}

#[test]
fn there_is_one_command_and_one_status_for_each_of_16_pumps_and_nothing_else() {
    let dbc = database();
    assert_eq!(dbc.messages.len(), 32);
    for pump in PumpNumber::first(16) {
        let name = format!("Pump{}", pump.get());
        for (frame, from, to, title) in [
            (command(500).encode(pump), "CIOC", &*name, format!("Command{}", pump.get())),
            (status().encode(pump), &*name, "CIOC", format!("Status{}", pump.get())),
        ] {
            let id = StandardId::new(raw_id(frame.id()) as u16).unwrap();
            let message = message(&dbc, id);
            assert_eq!(message.name, title);
            assert_eq!(message.size as usize, frame.data().len());
            assert_eq!(message.transmitter.as_deref(), Some(from));
            assert!(message.signals.iter().all(|signal| signal.receivers == [to]));
            let period = i64::try_from(PERIOD.as_millis()).unwrap();
            let cycle = dbc.message_attribute(message.id, "GenMsgCycleTime");
            assert!(
                matches!(cycle, Some(AttributeValue::Int(ms)) if *ms == period)
                    || matches!(cycle, Some(AttributeValue::Uint(ms)) if *ms == period as u64),
                "{cycle:?}"
            );
        }
    }
}

#[test]
fn signals_are_little_endian_unsigned_and_fill_every_bit_but_the_reserved_ones() {
    let dbc = database();
    for message in &dbc.messages {
        let mut used = vec![0; message.size as usize * 8];
        for signal in &message.signals {
            assert_eq!((signal.byte_order, signal.value_type), (ByteOrder::LittleEndian, ValueType::Unsigned));
            for bit in signal.start_bit..signal.start_bit + signal.size {
                used[bit as usize] += 1;
            }
        }
        // A status reserves the upper four fault bits.
        let described = if message.size == 8 { 60 } else { 24 };
        assert!(used[..described].iter().all(|count| *count == 1), "{}: gap or overlap", message.name);
        assert!(used[described..].iter().all(|count| *count == 0));
    }
}

#[test]
fn value_tables_name_every_state_as_the_code_does() {
    let dbc = database();
    for pump in PumpNumber::first(16) {
        let modes = MODES.map(|mode| (mode as i64, format!("{mode:?}")));
        let states = STATES.map(|state| (state as i64, format!("{state:?}")));
        for (id, name, expected) in
            [(ids::command(pump), "Mode", modes.to_vec()), (ids::status(pump), "State", states.to_vec())]
        {
            let table = dbc.value_descriptions_for_signal(MessageId::Standard(id.as_raw()), name).unwrap();
            let mut table: Vec<_> = table.iter().map(|entry| (entry.id, entry.description.clone())).collect();
            table.sort();
            assert_eq!(table, expected);
        }
    }
}

/// Every signal at its minimum and maximum, the others at values that the code accepts.
#[test]
fn the_code_accepts_every_limit_and_refuses_what_lies_beyond() {
    let dbc = database();
    let pump = PumpNumber::new(16).unwrap();
    for (id, accepts) in [
        (ids::command(pump), (|pump, frame| Command::decode(pump, frame).is_some()) as fn(PumpNumber, &Frame) -> bool),
        (ids::status(pump), |pump, frame| Status::decode(pump, frame).is_some()),
    ] {
        let message = message(&dbc, id);
        // Zero is a valid physical value of each signal here.
        for signal in &message.signals {
            let (min, max) = (number(signal.min), number(signal.max));
            assert!(accepts(pump, &pack(message, id, &[(&signal.name, min)])), "{} at {min}", signal.name);
            assert!(accepts(pump, &pack(message, id, &[(&signal.name, max)])), "{} at {max}", signal.name);
            let most = ((1_u64 << signal.size) - 1) as f64 * signal.factor + signal.offset;
            let beyond = max + signal.factor;
            let fits = beyond < most + signal.factor / 2.0;
            assert!(!fits || !accepts(pump, &pack(message, id, &[(&signal.name, beyond)])), "{} beyond", signal.name);
            assert!(near(min, signal.offset) && (fits || near(max, most)), "{} has other limits", signal.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(64)
    })]

    #[test]
    fn commands_mean_the_same_in_both_directions(number in 1_u8..=16, mode in 0..3_usize, set_point in 0..=1_000_u16,
        counter in 0..16_u8,
    ) {
        let dbc = database();
        let pump = PumpNumber::new(number).unwrap();
        let message = message(&dbc, ids::command(pump));
        let command = Command { mode: MODES[mode], set_point: Permille::new(set_point), counter };
        let values =
            [("Mode", mode as f64), ("Counter", f64::from(counter)), ("SetPoint", f64::from(set_point) / 10.0)];
        let frame = command.encode(pump);
        for (name, value) in values {
            prop_assert!(near(physical(frame.data(), signal(message, name)), value), "{}", name);
        }
        prop_assert_eq!(signal(message, "SetPoint").unit.as_str(), "%");
        prop_assert_eq!(Command::decode(pump, &pack(message, ids::command(pump), &values)), Some(command));
    }

    #[test]
    fn statuses_mean_the_same_in_both_directions(
        number in 1_u8..=16, state in 0..6_usize, counter in 0..16_u8, speed in 0..=1_023_u16, supply: u16,
        current: u8, degrees in -40..=215_i16, faults in 0..16_u8,
    ) {
        let dbc = database();
        let pump = PumpNumber::new(number).unwrap();
        let message = message(&dbc, ids::status(pump));
        let status = Status {
            state: STATES[state],
            counter,
            speed: Permille::new(speed),
            supply: Millivolts::new(supply),
            current: Milliamps::new(u16::from(current) * 100),
            temperature: DeciCelsius::new(degrees * 10),
            faults: PumpFaults(faults),
        };
        let mut values = vec![
            ("State", state as f64, ""),
            ("Counter", f64::from(counter), ""),
            ("Speed", f64::from(speed) / 10.0, "%"),
            ("Supply", f64::from(supply) / 1_000.0, "V"),
            ("Current", f64::from(current) / 10.0, "A"),
            ("Temperature", f64::from(degrees), "degC"),
        ];
        values.extend(FAULTS.map(|(name, fault)| (name, f64::from(u8::from(status.faults.has(fault))), "")));
        let frame = status.encode(pump);
        prop_assert_eq!(values.len(), message.signals.len());
        for (name, value, unit) in &values {
            prop_assert!(near(physical(frame.data(), signal(message, name)), *value), "{}", name);
            prop_assert_eq!(&signal(message, name).unit, unit);
        }
        let values: Vec<_> = values.iter().map(|(name, value, _)| (*name, *value)).collect();
        prop_assert_eq!(Status::decode(pump, &pack(message, ids::status(pump), &values)), Some(status));
    }
}
