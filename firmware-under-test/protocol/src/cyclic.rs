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
    /// The frame to `pump`.
    #[must_use]
    pub fn encode(self, pump: PumpNumber) -> Frame {
        let [low, high] = self.set_point.get().to_le_bytes();
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
    /// The frame of `pump`.
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
