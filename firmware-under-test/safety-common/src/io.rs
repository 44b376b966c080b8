//! What the host hands to a CPU each tick and what it gets back.
//!
//! The same shape for both CPUs.
//!
//! A CPU is built by `boot` and stepped once a tick. Where only one CPU has a line, the doc says so; the other leaves the
//! output at its default and finds the input empty.

use heapless::Vec;
use units::Instant;

use crate::fault::Detection;
use crate::flash_map::ROW;
use crate::{PINS, c2c};

/// Why the CPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetCause {
    /// Supply came up.
    PowerOn,
    /// Supply had fallen below the brown-out level.
    BrownOut,
    /// The reset pin.
    Pin,
    /// The watchdog was not served, or the time of the tick ran out.
    Watchdog,
    /// The firmware asked for it.
    Software,
}

/// What a software reset keeps and everything else clears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Retained {
    /// [`Retained::CONFIGURE`] when the configuration mode was asked for with the right password.
    pub request: u32,
    /// The complement of `request`; both must fit.
    pub request_complement: u32,
}

impl Retained {
    /// The request for the configuration mode: no pattern that memory takes by itself.
    pub const CONFIGURE: u32 = 0x5AFE_C0DE;
}

/// What `boot` is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootInputs {
    /// Why the CPU starts.
    pub cause: ResetCause,
    /// What was kept.
    pub retained: Retained,
    /// Restarts of this unit so far; a hardware counter that keeps its value without power and goes up at every reset.
    pub restarts: u32,
}

/// The RAM under test, in 32-bit words; word 0 is the first of the CPU's RAM.
pub trait RamPort {
    /// Reads a word. Out of range reads 0.
    fn read(&mut self, word: u32) -> u32;
    /// Writes a word. Out of range does nothing.
    fn write(&mut self, word: u32, value: u32);
}

/// The CPU's flash memory; see [`crate::flash_map`].
pub trait FlashPort {
    /// Copies from `address` on; `false` if any byte lies outside the flash.
    fn read(&self, address: u32, into: &mut [u8]) -> bool;
}

/// One operation of the flash controller; only the configuration mode asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlashCommand {
    /// Sets every bit of the configuration area.
    EraseConfiguration,
    /// Clears bits of one row of the configuration area.
    Program {
        /// Absolute, a multiple of [`ROW`], inside the configuration area.
        address: u32,
        /// What the row shall hold.
        row: [u8; ROW],
    },
}

/// How a flash operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlashResult {
    /// As asked.
    Done,
    /// The controller reports an error; the memory may hold anything.
    Failed,
}

/// The window comparator of a pin, sampled once in each slot of the tick before; bit `s` belongs to slot `s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Levels {
    /// At least 80 % of supply.
    pub high: u16,
    /// At most 20 % of supply.
    pub low: u16,
}

/// The conversions of one ADC scan in the last slot of the tick before, in counts (see [`crate::DIVIDER_PPM`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AnalogCounts {
    /// Each pin.
    pub pins: [u16; PINS],
    /// Supply of the unit.
    pub supply: u16,
    /// The feed of the output transistors, behind the main transistor.
    pub sio_power: u16,
    /// The other CPU's 3.3 V rail.
    pub rail: u16,
}

/// Bytes of a message, radio packet or forwarded frame; longer ones are dropped by the hardware.
pub type Bytes = Vec<u8, 64>;

/// A C2C packet as the receiver's hardware took it, good or bad.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct C2cReceived {
    /// When its last byte came, on this CPU's clock.
    pub at: Instant,
    /// What came; longer than a packet and shorter ones too.
    pub bytes: Vec<u8, { c2c::RECEIVE_LEN_MOST }>,
}

/// Where a forwarded message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A radio safety packet. To CPU2 as received; to CPU1 ready but for the CRC-24.
    Radio,
    /// A SimpleCAN frame: identifier (u16, little endian) and data. To CPU1 the one CPU2 wants sent.
    Can,
    /// A tool message over USB.
    ToolUsb,
    /// A tool message over radio.
    ToolRadio,
    /// A tool message over CAN, put together.
    ToolCan,
}

/// A message that one CPU passes to the other unchanged, beside the C2C packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where it came from or goes to.
    pub channel: Channel,
    /// The message.
    pub bytes: Bytes,
}

/// A classic CAN data frame with an 11-bit identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CanFrame {
    /// 0 to 0x7FF.
    pub id: u16,
    /// 0 to 8.
    pub len: u8,
    /// The first `len` bytes count.
    pub data: [u8; 8],
}

/// A received CAN frame with an identifier below 0x100; the controller's filter lets no other pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CanReceived {
    /// End of frame, on this CPU's clock.
    pub at: Instant,
    /// The frame.
    pub frame: CanFrame,
}

/// A frame for the CAN controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CanTransmit {
    /// The frame.
    pub frame: CanFrame,
    /// The slot of the next tick in which the controller gets it, 0 to 15.
    pub slot: u8,
}

/// Everything a CPU sees at the start of a tick.
#[derive(Clone, Debug, Default)]
pub struct TickInputs<'a> {
    /// The hardware tick count; goes up by one from step to step.
    pub tick: u32,
    /// How long the logic of the last step took by the cycle counter, in ns of the CPU's own time; 0 after reset.
    pub logic_time_ns: u32,
    /// The ADC scan.
    pub analog: AnalogCounts,
    /// The window comparators of the pins.
    pub levels: [Levels; PINS],
    /// The diagnosis of each pin's output transistor: bit `s` is set if it conducted in slot `s` of the tick before.
    pub drivers: [u16; PINS],
    /// Mirror contacts: bit `2 * relay + cpu - 1` is set if that contact is closed.
    pub relay_feedback: u8,
    /// CPU2 only: `SIO_PWR` in counts, converted in the slot of its main transistor's test dip; else 0.
    pub sio_power_in_dip: u16,
    /// C2C packets since the last step, oldest first.
    pub c2c: &'a [C2cReceived],
    /// Messages that the other CPU forwarded since the last step.
    pub forward: &'a [Forward],
    /// CPU1 only: packets from the radio, oldest first.
    pub radio: &'a [Bytes],
    /// CPU1 only: frames from the CAN controller, oldest first.
    pub can: &'a [CanReceived],
    /// CPU1 only: identifiers of frames that have left the CAN controller.
    pub can_sent: &'a [u16],
    /// CPU1 only: messages from the USB interface.
    pub usb: &'a [Bytes],
    /// The flash operation asked for has ended.
    pub flash: Option<FlashResult>,
}

/// The lamp of a unit; CPU1 drives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Led {
    /// Dark.
    #[default]
    Off,
    /// In start-up.
    Starting,
    /// In normal mode.
    Normal,
    /// In safe state.
    Safe,
    /// In configuration mode.
    Configuration,
    /// A person has asked to see this unit; overrides the others for a few seconds.
    Identify,
}

/// The modes of a CPU (SSR-045). The numbers stand in the C2C packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// Self-tests run; the way into every other mode.
    #[default]
    Starting = 1,
    /// Self-tests of this CPU are good; it waits for its peer. Still start-up.
    Ready = 2,
    /// Normal mode.
    Normal = 3,
    /// Configuration mode; only a restart leaves it.
    Configuration = 4,
    /// Safe state; only a restart leaves it. Stands in no packet: a CPU in safe state is silent.
    Safe = 5,
}

/// What the logic saw and wanted in this step, for an observer's comparison; nothing acts on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogicTrace {
    /// Whether the logic ran in this step.
    pub evaluated: bool,
    /// Input groups as the logic saw them; bit `g` is group `g`.
    pub inputs_on: u16,
    /// Input groups with an error, as the logic saw them.
    pub inputs_error: u16,
    /// Output groups with an external failure, as the logic saw them.
    pub outputs_error: u16,
    /// Output groups that the logic of this CPU wants ON.
    pub outputs_on: u16,
    /// Relays that the logic of this CPU wants ON.
    pub relays_on: u8,
    /// Pins whose level was read as an input in this step; combined pins are read every few ticks.
    pub pins_read: u16,
}

/// Everything a CPU wants done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickOutputs {
    /// All outputs of this CPU off now, not at the next tick; also CAN frames with safety data or syncs that are not yet sent are
    /// given up. Answers to the tool leave: in configuration mode this is asked for in every tick.
    pub all_off: bool,
    /// CPU1: output transistors in the next tick; bit `s` of a pin is its state in slot `s`. Hardware plays the table.
    pub pins: [u16; PINS],
    /// CPU2: the main transistor's enable in the next tick; bit `s` set: the line toggles in slot `s`.
    pub main: u16,
    /// CPU2: in this slot of the next tick the hardware opens the main transistor for 20 us and converts `SIO_PWR` before its
    /// buffer; the comparators of the pins (filter 40 us) do not see it.
    pub main_dip: Option<u8>,
    /// This CPU's contact of each relay; bit `r` is relay `r`.
    pub relays: u8,
    /// The C2C packet.
    pub c2c: Option<[u8; c2c::LEN]>,
    /// Messages for the other CPU.
    pub forward: Vec<Forward, 6>,
    /// CPU1: a packet for the radio.
    pub radio: Option<Bytes>,
    /// CPU1: frames for the CAN controller.
    pub can: Vec<CanTransmit, 4>,
    /// CPU1: give up sending the frame with this identifier.
    pub can_abort: Option<u16>,
    /// CPU1: an answer over USB.
    pub usb: Option<Bytes>,
    /// Start this flash operation; [`TickInputs::flash`] tells its end.
    pub flash: Option<FlashCommand>,
    /// The lamp.
    pub led: Led,
    /// Serve the watchdog.
    pub watchdog: bool,
    /// Reset this CPU now, with [`ResetCause::Software`] and this to keep.
    pub reset: Option<Retained>,
    /// The mode after this step.
    pub mode: Mode,
    /// What was detected in this step.
    pub detections: Vec<Detection, 4>,
    /// What the logic saw and wanted.
    pub trace: LogicTrace,
}
