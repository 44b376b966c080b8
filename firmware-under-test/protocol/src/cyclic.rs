//! The cyclic messages, every 100 ms each: the CIOC's command to a pump and the pump's status.
//!
//! `cooling.dbc` beside this crate's manifest describes the same bits for other tools; a test holds both together.
//! Multi-byte values are little endian.

use embedded_can::StandardId;
use units::{DeciCelsius, Duration, Milliamps, Millivolts, Permille};

use crate::Frame;
use crate::ids::{self, PumpNumber};

/// Every cyclic message is sent this often.
pub const PERIOD: Duration = Duration::from_millis(100);

/// A pump that has heard no command for this long runs in fail-safe mode (PFU-012, own number).
pub const COMMAND_TIMEOUT: Duration = Duration::from_millis(1_000);

/// When within the period pump `pump`'s message is sent: staggered evenly over the 16 possible pumps.
#[must_use]
pub const fn stagger(pump: PumpNumber) -> Duration {
    Duration::from_micros(PERIOD.as_micros() / PumpNumber::MOST as u64 * pump.index() as u64)
}

/// What the CIOC wants of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// Motor stopped, ready for service.
    Standby = 0,
    /// Follow the regulated set-point.
    Automatic = 1,
    /// Run at a fixed set-point, 80 % while another pump is updated (PFU-047).
    Fixed = 2,
}

/// The CIOC's command to one pump: 3 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// The mode.
    pub mode: Mode,
    /// Wanted speed, 0 to 1000 permille; not used in standby.
    pub set_point: Permille,
    /// Goes up by one with each message, 0 to 15.
    pub counter: u8,
}

/// What state a pump is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PumpState {
    /// Application, motor stopped on command.
    Standby = 0,
    /// Application, follows the regulated set-point.
    Automatic = 1,
    /// Application, runs at a fixed set-point.
    Fixed = 2,
    /// Application, no command heard: runs at its own fixed speed.
    FailSafe = 3,
    /// Bootloader, waiting.
    Bootloader = 4,
    /// Bootloader, an update is running.
    Updating = 5,
}

/// Fault bits of a pump's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PumpFaults(pub u8);

impl PumpFaults {
    /// Supply below the pump's own limit for an update.
    pub const LOW_SUPPLY: Self = Self(1 << 0);
    /// There is no valid application in flash.
    pub const NO_APPLICATION: Self = Self(1 << 1);
    /// A flash operation failed.
    pub const FLASH: Self = Self(1 << 2);
    /// Motor or electronics too hot.
    pub const OVER_TEMPERATURE: Self = Self(1 << 3);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A pump's status: 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// State of the pump.
    pub state: PumpState,
    /// Goes up by one with each message, 0 to 15.
    pub counter: u8,
    /// Measured speed, 0 to 1023 permille.
    pub speed: Permille,
    /// Measured supply, 1 mV a bit.
    pub supply: Millivolts,
    /// Motor current, sent in 100 mA a bit, at most 25.5 A.
    pub current: Milliamps,
    /// Temperature of the electronics, sent in 1 °C a bit from -40 to 215 °C.
    pub temperature: DeciCelsius,
    /// Faults.
    pub faults: PumpFaults,
}

impl Command {
    /// The frame to `pump`. A set-point above 1000 is sent as 1000, of the counter the low four bits: a pump would refuse
    /// the message otherwise and fall into fail-safe mode.
    #[must_use]
    pub fn encode(self, pump: PumpNumber) -> Frame {
        let [low, high] = self.set_point.min(Permille::FULL).get().to_le_bytes();
        Frame::with_bytes(ids::command(pump), [self.mode as u8 | self.counter << 4, low, high])
    }

    /// Reads the command to `pump`; `None` for another id, a wrong length, an unknown mode or a set-point above 1000.
    #[must_use]
    pub fn decode(pump: PumpNumber, frame: &Frame) -> Option<Self> {
        let &[head, low, high] = data_of(frame, ids::command(pump))? else { return None };
        let mode = match head & 0x0F {
            0 => Mode::Standby,
            1 => Mode::Automatic,
            2 => Mode::Fixed,
            _ => return None,
        };
        let set_point = Permille::new(u16::from_le_bytes([low, high]));
        (set_point <= Permille::FULL).then_some(Self { mode, set_point, counter: head >> 4 })
    }
}

impl Status {
    /// The frame of `pump`. Values beyond what their field holds are sent as its nearest limit, finer ones rounded down.
    #[must_use]
    pub fn encode(self, pump: PumpNumber) -> Frame {
        let [speed_low, speed_high] = self.speed.get().min(1_023).to_le_bytes();
        let [supply_low, supply_high] = self.supply.get().to_le_bytes();
        let current = u8::try_from(self.current.get() / 100).unwrap_or(u8::MAX);
        let degrees = self.temperature.get().div_euclid(10).saturating_add(40).clamp(0, 255);
        let bytes = [
            self.state as u8 | self.counter << 4,
            speed_low,
            speed_high,
            supply_low,
            supply_high,
            current,
            u8::try_from(degrees).unwrap_or(u8::MAX),
            self.faults.0,
        ];
        Frame::with_bytes(ids::status(pump), bytes)
    }

    /// Reads the status of `pump`; `None` for another id, a wrong length, an unknown state or a speed above 1023.
    #[must_use]
    pub fn decode(pump: PumpNumber, frame: &Frame) -> Option<Self> {
        let data = data_of(frame, ids::status(pump))?;
        let &[head, speed_low, speed_high, supply_low, supply_high, current, degrees, faults] = data else {
            return None;
        };
        let speed = u16::from_le_bytes([speed_low, speed_high]);
        if speed > 1_023 {
            return None;
        }
        Some(Self {
            state: PumpState::from_bits(head & 0x0F)?,
            counter: head >> 4,
            speed: Permille::new(speed),
            supply: Millivolts::new(u16::from_le_bytes([supply_low, supply_high])),
            current: Milliamps::new(u16::from(current) * 100),
            temperature: DeciCelsius::new((i16::from(degrees) - 40) * 10),
            faults: PumpFaults(faults),
        })
    }
}

impl PumpState {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Standby,
            1 => Self::Automatic,
            2 => Self::Fixed,
            3 => Self::FailSafe,
            4 => Self::Bootloader,
            5 => Self::Updating,
            _ => return None,
        })
    }

    /// Whether the pump runs its application.
    #[must_use]
    pub const fn is_application(self) -> bool {
        matches!(self, Self::Standby | Self::Automatic | Self::Fixed | Self::FailSafe)
    }
}

fn data_of(frame: &Frame, id: StandardId) -> Option<&[u8]> {
    frame.has_id(id).then(|| frame.data())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    const PUMP: PumpNumber = PumpNumber::new(3).unwrap();

    #[test]
    fn a_command_has_its_bits_where_they_belong() {
        // 800 = 0x0320
        let command = Command { mode: Mode::Fixed, set_point: Permille::new(800), counter: 5 };
        let frame = command.encode(PUMP);
        assert_eq!(crate::frame::raw_id(frame.id()), 0x103);
        assert_eq!(frame.data(), [0x52, 0x20, 0x03]);
    }

    #[test]
    fn a_status_has_its_bits_where_they_belong() {
        let status = Status {
            state: PumpState::Updating,
            counter: 15,
            speed: Permille::new(1_000),
            supply: Millivolts::new(24_000),
            current: Milliamps::new(3_250),
            temperature: DeciCelsius::new(-5),
            faults: PumpFaults::NO_APPLICATION.with(PumpFaults::OVER_TEMPERATURE),
        };
        let frame = status.encode(PUMP);
        assert_eq!(crate::frame::raw_id(frame.id()), 0x203);
        // 1000 = 0x03E8, 24000 = 0x5DC0, 32 * 100 mA, -0.5 °C is in the degree from -1: 39 = 0x27, bits 1 and 3
        assert_eq!(frame.data(), [0xF5, 0xE8, 0x03, 0xC0, 0x5D, 0x20, 0x27, 0x0A]);
    }

    #[test]
    fn values_out_of_range_are_sent_as_the_limit() {
        let command = Command { mode: Mode::Automatic, set_point: Permille::new(65_535), counter: 0xFF };
        assert_eq!(command.encode(PUMP).data(), [0xF1, 0xE8, 0x03]);
        let status = |current, temperature| Status {
            state: PumpState::Standby,
            counter: 16,
            speed: Permille::new(5_000),
            supply: Millivolts::new(65_535),
            current: Milliamps::new(current),
            temperature: DeciCelsius::new(temperature),
            faults: PumpFaults::default(),
        };
        // 1023 = 0x03FF
        assert_eq!(status(65_535, i16::MAX).encode(PUMP).data(), [0, 0xFF, 0x03, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
        assert_eq!(status(99, i16::MIN).encode(PUMP).data(), [0, 0xFF, 0x03, 0xFF, 0xFF, 0x00, 0x00, 0]);
    }

    #[test]
    fn frames_of_another_kind_are_refused() {
        let other = PumpNumber::new(4).unwrap();
        let id = ids::command(PUMP);
        assert!(Command::decode(PUMP, &Frame::with_bytes(id, [0x01, 0xE8, 0x03])).is_some());
        assert_eq!(Command::decode(other, &Frame::with_bytes(id, [0x01, 0xE8, 0x03])), None);
        assert_eq!(Command::decode(PUMP, &Frame::with_bytes(id, [0x03, 0x00, 0x00])), None);
        assert_eq!(Command::decode(PUMP, &Frame::with_bytes(id, [0x01, 0xE9, 0x03])), None);
        assert_eq!(Command::decode(PUMP, &Frame::with_bytes(id, [0x01, 0xE8])), None);
        assert_eq!(Command::decode(PUMP, &Frame::with_bytes(id, [0x01, 0xE8, 0x03, 0x00])), None);
        let id = ids::status(PUMP);
        assert!(Status::decode(PUMP, &Frame::with_bytes(id, [5, 0xFF, 0x03, 0, 0, 0, 0, 0])).is_some());
        assert_eq!(Status::decode(PUMP, &Frame::with_bytes(id, [6, 0xFF, 0x03, 0, 0, 0, 0, 0])), None);
        assert_eq!(Status::decode(PUMP, &Frame::with_bytes(id, [5, 0x00, 0x04, 0, 0, 0, 0, 0])), None);
        assert_eq!(Status::decode(PUMP, &Frame::with_bytes(id, [5, 0xFF, 0x03, 0, 0, 0, 0])), None);
    }

    #[test]
    fn messages_of_16_pumps_are_spread_over_the_period() {
        // 100 ms / 16 = 6.25 ms
        let offsets: std::vec::Vec<u64> = PumpNumber::first(16).map(|pump| stagger(pump).as_micros()).collect();
        assert_eq!(offsets[..3], [0, 6_250, 12_500]);
        assert_eq!(offsets[15], 93_750);
    }

    fn modes() -> impl Strategy<Value = Mode> {
        prop::sample::select(std::vec![Mode::Standby, Mode::Automatic, Mode::Fixed])
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_command_survives(number in 1_u8..=16, mode in modes(), set_point in 0_u16..=1_000, counter in 0_u8..16) {
            let pump = PumpNumber::new(number).unwrap();
            let command = Command { mode, set_point: Permille::new(set_point), counter };
            prop_assert_eq!(Command::decode(pump, &command.encode(pump)), Some(command));
        }

        #[test]
        fn a_status_survives_to_the_resolution_of_its_fields(
            number in 1_u8..=16, state in 0_u8..6, counter in 0_u8..16, speed in 0_u16..=1_023, supply: u16,
            current in 0_u16..=25_599, temperature in -400_i16..2_160, faults: u8,
        ) {
            let pump = PumpNumber::new(number).unwrap();
            let status = Status {
                state: PumpState::from_bits(state).unwrap(),
                counter,
                speed: Permille::new(speed),
                supply: Millivolts::new(supply),
                current: Milliamps::new(current),
                temperature: DeciCelsius::new(temperature),
                faults: PumpFaults(faults),
            };
            let back = Status::decode(pump, &status.encode(pump)).unwrap();
            prop_assert!((0..100).contains(&(current - back.current.get())));
            prop_assert!((0..10).contains(&(temperature - back.temperature.get())));
            let exact = Status { current: back.current, temperature: back.temperature, ..status };
            prop_assert_eq!(back, exact);
            prop_assert_eq!(Status::decode(pump, &back.encode(pump)), Some(back));
        }
    }
}
