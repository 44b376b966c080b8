//! What a configuration file says, typed: the one table of its fields.
//!
//! A configuration is drawn as blocks with names; a block names the blocks it takes its inputs from, in any order. The
//! declarations below make the structs and their reader, as those of scenarios do. Words: a *node* is a unit in the
//! network; a *group* is one pin or several that act as one; a *source* of a signal is a block's name, or `ON` or `OFF`
//! for the signals that never change. Pins, relays, memories and entries are counted from 0, as in the binary.

use safety_common::configuration as binary;
use safety_common::signal;

use crate::kernel::Span;
use crate::scenario::quantity::Voltage;
use crate::scenario::schema::{choice, section};

section! {
    /// A configuration: the units of one network and what each of them does.
    Configuration {
        /// Name of the configuration; the file's name without `.ron` where none is written.
        name: String = "",
        /// One line for people.
        title: String = "",
        /// What it is for.
        purpose: String = "",
        /// Number of the network, the same in all its units; not 0.
        network: u32 where "1".."0xFFFFFFFF" => "SSR-067",
        /// Password that opens the configuration mode, 1 to 32 bytes; the binary holds a verifier only.
        password: String => "SSR-052",
        /// Longest time from a stop condition at an input to its outputs off; at least the sum of the path.
        response_time: Span where "1ms".."120s" => "SSR-016",
        /// The radio between the units.
        radio: Radio = "()",
        /// The CAN bus between the units.
        can: CanBus = "()",
        /// The units, 1 to 16.
        nodes: Vec<Node>,
    }
}

section! {
    /// The radio between the units.
    Radio {
        /// Memories of a node that was not heard for this long are OFF.
        timeout: Span = "100ms" where "4ms".."60s" => "SSR-077",
        /// Each node sends once in this time; at least 1 ms for each node with radio, and at most half the time-out.
        period: Span = "20ms" where "2ms".."30s",
    }
}

section! {
    /// The CAN bus between the units.
    CanBus {
        /// Bits of an entry older than this are OFF.
        age: Span = "35ms" where "20ms".."1s" => "SSR-080",
    }
}

section! {
    /// A unit.
    Node {
        /// Its name.
        name: String,
        /// One line for people.
        title: String = "",
        /// Serial number from its production data.
        serial: u32 where "1".."0xFFFFFFFE" => "SSR-066 SSR-067",
        /// Whether it uses the radio.
        radio: bool = "false",
        /// Global memories that it sends over radio, a multiple of 16.
        memories: u32 = "0" where "0".."256" => "SSR-074",
        /// Its place on the CAN bus.
        can: Option<CanPlace> = "None" => "SSR-080",
        /// Limits of its supply.
        supply: SupplyLimits,
        /// Limits of its other supervisions.
        limits: Limits = "()",
        /// The pins that it uses.
        pins: Vec<Pin> = "[]",
        /// Groups of pins that are read as one input, at most 14.
        inputs: Vec<InputGroup> = "[]",
        /// Groups of pins that are driven as one output, at most 14.
        outputs: Vec<OutputGroup> = "[]",
        /// The blocks of its diagram, at most 128, in any order.
        blocks: Vec<Block> = "[]",
    }
}

section! {
    /// The place of a unit on the CAN bus.
    CanPlace {
        /// Index of the unit; the lowest becomes master.
        index: u8 where "0".."15",
        /// Entries that this unit sends; each owns the slot of its number.
        entries: Vec<u8> = "[]",
    }
}

section! {
    /// Supply limits; beyond them for more than 500 ms: safe state.
    SupplyLimits {
        /// The lower limit.
        minimum: Voltage where "7V".."30V" => "SSR-008",
        /// The upper limit, above the lower one.
        maximum: Voltage where "8V".."33V" => "SSR-010",
    }
}

section! {
    /// Limits of supervisions; the defaults are this project's own numbers.
    Limits {
        /// Lower limit of the other CPU's 3.3 V rail.
        rail_minimum: Voltage = "3135mV" where "2700mV".."3300mV" => "SSR-082 SSR-083",
        /// Upper limit of the other CPU's 3.3 V rail.
        rail_maximum: Voltage = "3465mV" where "3300mV".."3900mV" => "SSR-082 SSR-083",
        /// Rails and `SIO_PWR` may be beyond their limits for this long.
        rail_debounce: Span = "10ms" where "1ms".."20ms" => "SSR-084",
        /// With the main transistor on, `SIO_PWR` may be below supply by this much.
        sio_drop: Voltage = "2V" where "500mV".."5V" => "SSR-084",
        /// With the main transistor off, `SIO_PWR` may be as high as this.
        sio_off: Voltage = "2V" where "500mV".."5V" => "SSR-084",
        /// The two CPUs' measurements may differ by this much.
        mismatch: Voltage = "1V" where "200mV".."3V" => "SSR-033",
        /// They may differ by more for this long.
        mismatch_debounce: Span = "20ms" where "5ms".."50ms" => "SSR-033",
        /// A relay contact has moved after this time.
        relay_move: Span = "30ms" where "5ms".."100ms" => "SSR-041",
    }
}

section! {
    /// An IO pin.
    Pin {
        /// Its number on the unit.
        pin: u8 where "0".."13",
        /// Its name.
        name: String,
        /// What it is.
        role: PinRole => "SSR-031",
        /// How ON looks on it.
        on: SignalType = "High" => "SSR-023 SSR-024 SSR-025",
        /// How OFF looks on it.
        off: SignalType = "Low" => "SSR-023 SSR-024 SSR-025",
    }
}

choice! {
    /// What a pin is.
    PinRole {
        /// An input.
        Input,
        /// An output.
        Output,
        /// An output that is also read as an input (SSR-039).
        Combined,
    }
}

choice! {
    /// How a state looks on a wire.
    SignalType {
        /// 0 V.
        Low,
        /// Supply voltage.
        High,
        /// Supply voltage with short dips for test.
        Ossd,
        /// Supply voltage with pulses to 0 V, gaps 1 and 7 ms.
        A,
        /// As A with gaps of 2 and 6 ms.
        B,
        /// As A with gaps of 3 and 5 ms.
        C,
        /// As A with gaps of 4 and 4 ms.
        D,
        /// 0 V with pulses to supply voltage, gaps as A.
        InverseA,
        /// Gaps as B.
        InverseB,
        /// Gaps as C.
        InverseC,
        /// Gaps as D.
        InverseD,
    }
}

impl SignalType {
    /// As the binary has it.
    #[must_use]
    pub const fn signal(&self) -> signal::Signal {
        match self {
            Self::Low => signal::Signal::Low,
            Self::High => signal::Signal::High,
            Self::Ossd => signal::Signal::Ossd,
            Self::A => signal::Signal::A,
            Self::B => signal::Signal::B,
            Self::C => signal::Signal::C,
            Self::D => signal::Signal::D,
            Self::InverseA => signal::Signal::InverseA,
            Self::InverseB => signal::Signal::InverseB,
            Self::InverseC => signal::Signal::InverseC,
            Self::InverseD => signal::Signal::InverseD,
        }
    }
}

choice! {
    /// The pins of a group.
    GroupPins {
        /// One pin.
        Single(String),
        /// 2 to 8 pins that must agree.
        Redundant(Vec<String>),
    }
}

impl GroupPins {
    /// The names of the pins.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Single(name) => std::slice::from_ref(name),
            Self::Redundant(names) => names,
        };
        names.iter().map(String::as_str)
    }

    /// As the binary has it.
    #[must_use]
    pub const fn kind(&self) -> binary::GroupKind {
        match self {
            Self::Single(_) => binary::GroupKind::Single,
            Self::Redundant(_) => binary::GroupKind::Redundant,
        }
    }
}

section! {
    /// Pins that are read as one input.
    InputGroup {
        /// Its name.
        name: String,
        /// Its pins.
        pins: GroupPins => "SSR-028",
        /// The pins of a redundant group may differ for this long; not for a single pin.
        discrepancy: Option<Span> = "None" where "1ms".."60s" => "SSR-028",
        /// ON must last this long before it counts.
        on_filter: Span = "0ms" where "0ms".."1h",
        /// Whether the input must have been off once after a start before it may go on.
        start_up_test: bool = "false" => "SSR-034",
    }
}

section! {
    /// Pins that are driven as one output.
    OutputGroup {
        /// Its name.
        name: String,
        /// Its pins.
        pins: GroupPins => "SSR-029",
    }
}

section! {
    /// A block of the diagram; its name is that of its signal.
    Block {
        /// Its name.
        name: String,
        /// What it does.
        kind: BlockKind => "SSR-015",
    }
}

choice! {
    /// What a block does; the firmware's document defines each kind tick by tick.
    BlockKind {
        /// State of the input group of this name.
        Input(String),
        /// Error output of the input group of this name.
        InputError(String),
        /// The output group of this name is off for an external failure.
        OutputError(String),
        /// A global memory of another node.
        MemoryReceive { MemoryOf },
        /// A bit of a CAN entry of another node.
        CanReceive { BitOf },
        /// All of 2 to 4 inputs are ON.
        And(Vec<String>),
        /// At least one of 2 to 4 inputs is ON.
        Or(Vec<String>),
        /// An odd number of 2 to 4 inputs is ON.
        Xor(Vec<String>),
        /// The opposite of its input.
        Not(String),
        /// Set and reset; reset wins.
        Latch { SetReset },
        /// ON after its input was ON for a time.
        OnDelay { Timer },
        /// ON until its input was OFF for a time.
        OffDelay { Timer },
        /// ON for a time after its input went ON.
        Pulse { Timer },
        /// ON once a person pressed and released the button for 50 ms to 5 s while the condition holds; OFF without it.
        Reset { ConditionButton },
        /// One position of a selector of 2 to 4 inputs: that input is ON and every other one is OFF.
        Mode { Position },
        /// Drives an output group.
        Output { ToOutput },
        /// Closes a relay.
        Relay { ToRelay },
        /// Sets a global memory of this node; other nodes know it by the name of this block.
        MemorySend { ToMemory },
        /// Sets a bit of a CAN entry of this node; other nodes know it by the name of this block.
        CanSend { ToBit },
    }
}

section! {
    /// A global memory of another node.
    MemoryOf {
        /// The other node.
        node: String => "SSR-075",
        /// The name of its block that sets the memory.
        memory: String,
    }
}

section! {
    /// A bit of a CAN entry of another node.
    BitOf {
        /// The other node.
        node: String => "SSR-080",
        /// The name of its block that sets the bit.
        bit: String,
    }
}

section! {
    /// Inputs of a latch.
    SetReset {
        /// Sets it.
        set: String,
        /// Resets it.
        reset: String,
    }
}

section! {
    /// Input and time of a timer.
    Timer {
        /// Its input.
        of: String,
        /// Its time.
        time: Span where "1ms".."1h",
    }
}

section! {
    /// Inputs of a reset.
    ConditionButton {
        /// What must hold.
        condition: String,
        /// The button.
        button: String,
    }
}

section! {
    /// Inputs of a mode selector.
    Position {
        /// Its 2 to 4 inputs.
        of: Vec<String>,
        /// Which of them, counted from 0.
        position: u8 where "0".."3",
    }
}

section! {
    /// What drives an output group.
    ToOutput {
        /// The output group.
        group: String,
        /// What drives it.
        of: String,
    }
}

section! {
    /// What closes a relay.
    ToRelay {
        /// Number of the relay.
        relay: u8 where "0".."1",
        /// What closes it.
        of: String,
    }
}

section! {
    /// What sets a global memory.
    ToMemory {
        /// Number of the memory, below the node's `memories`.
        memory: u32 where "0".."255",
        /// What sets it.
        of: String,
    }
}

section! {
    /// What sets a bit of a CAN entry.
    ToBit {
        /// The entry, one of this node's.
        entry: u8 where "0".."13",
        /// Number of the bit.
        bit: u8 where "0".."15",
        /// What sets it.
        of: String,
    }
}

/// The source that is always ON.
pub const ON: &str = "ON";
/// The source that is always OFF.
pub const OFF: &str = "OFF";

impl BlockKind {
    /// The names of its inputs, each with the path to it below the block: `kind.set`, `kind[2]`.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, &str)> {
        let all = |names: &'_ [String], path: &str| -> Vec<String> {
            (0..names.len()).map(|index| format!("{path}[{index}]")).collect()
        };
        match self {
            Self::Input(_)
            | Self::InputError(_)
            | Self::OutputError(_)
            | Self::MemoryReceive(_)
            | Self::CanReceive(_) => Vec::new(),
            Self::And(of) | Self::Or(of) | Self::Xor(of) => pairs(all(of, "kind"), of),
            Self::Not(of) => vec![("kind".to_owned(), of)],
            Self::Latch(SetReset { set, reset }) => {
                vec![("kind.set".to_owned(), set), ("kind.reset".to_owned(), reset)]
            }
            Self::OnDelay(Timer { of, .. }) | Self::OffDelay(Timer { of, .. }) | Self::Pulse(Timer { of, .. }) => {
                single(of)
            }
            Self::Reset(ConditionButton { condition, button }) => {
                vec![("kind.condition".to_owned(), condition), ("kind.button".to_owned(), button)]
            }
            Self::Mode(Position { of, .. }) => pairs(all(of, "kind.of"), of),
            Self::Output(ToOutput { of, .. })
            | Self::Relay(ToRelay { of, .. })
            | Self::MemorySend(ToMemory { of, .. })
            | Self::CanSend(ToBit { of, .. }) => single(of),
        }
    }

    /// Whether it drives something outside the diagram.
    #[must_use]
    pub const fn is_sink(&self) -> bool {
        matches!(self, Self::Output(_) | Self::Relay(_) | Self::MemorySend(_) | Self::CanSend(_))
    }

    /// As the binary has it.
    #[must_use]
    pub const fn binary(&self) -> binary::BlockKind {
        use binary::BlockKind as Kind;
        match self {
            Self::Input(_) => Kind::Input,
            Self::InputError(_) => Kind::InputError,
            Self::OutputError(_) => Kind::OutputError,
            Self::MemoryReceive(_) => Kind::MemoryReceive,
            Self::CanReceive(_) => Kind::CanReceive,
            Self::And(_) => Kind::And,
            Self::Or(_) => Kind::Or,
            Self::Xor(_) => Kind::Xor,
            Self::Not(_) => Kind::Not,
            Self::Latch(_) => Kind::Latch,
            Self::OnDelay(_) => Kind::OnDelay,
            Self::OffDelay(_) => Kind::OffDelay,
            Self::Pulse(_) => Kind::Pulse,
            Self::Reset(_) => Kind::Reset,
            Self::Mode(_) => Kind::Mode,
            Self::Output(_) => Kind::Output,
            Self::Relay(_) => Kind::Relay,
            Self::MemorySend(_) => Kind::MemorySend,
            Self::CanSend(_) => Kind::CanSend,
        }
    }
}

fn single(of: &str) -> Vec<(String, &str)> {
    vec![("kind.of".to_owned(), of)]
}

fn pairs(paths: Vec<String>, names: &[String]) -> Vec<(String, &str)> {
    paths.into_iter().zip(names.iter().map(String::as_str)).collect()
}
