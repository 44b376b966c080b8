//! Safety units of a scenario: what they run, how they are wired, and what happens at their inputs.
//!
//! A *unit* names one node of a configuration file; the loader compiles the file as `cooltwin safety compile` does. A
//! *device* is what hangs at an input group: it shows the group's ON or OFF signal on the group's pins.

use std::sync::Arc;

use super::doc::Doc;
use super::model::Selection;
use super::quantity::{Drift, Flow, Temperature};
use super::reader::{Node, Reader};
use super::schema::{Shape, Value, choice, section};
use crate::kernel::Span;
use crate::safety::Compiled;

section! {
    /// A dual-CPU safety unit.
    SafetyUnit {
        /// Configuration file, relative to the scenario file that names it.
        configuration: ConfigurationFile,
        /// Node of that configuration; also the unit's name, a node of bus and supply behind `further_nodes`.
        node: String,
        /// From power-good or a reset to the first step of a CPU.
        boot: Span = "10ms" where "0ms".."10s",
        /// Serial number in its production data; that of the configuration where none is written.
        serial: Option<u32> = "None" => "SSR-066 SSR-067",
        /// The CPU that drives each pin.
        cpu1: SafetyCpu = "()",
        /// The CPU that drives the main transistor.
        cpu2: SafetyCpu = "()",
        /// Time from the command of a relay to the move of its contact.
        relay_move: Span = "5ms" where "0ms".."1s",
        /// Pumps that get their feed through a relay; the n-th of the list is the n-th switchable feed, at most 4. Pumps
        /// that no relay of any unit feeds hang at the first feed.
        feeds: Vec<RelayFeed> = "[]",
        /// Devices at input groups; a group that is not named shows its ON signal.
        inputs: Vec<InputDevice> = "[]",
        /// What people and processes do at the inputs.
        operations: Vec<Operation> = "[]",
        /// What the configuration tool does at this unit, one after the other.
        downloads: Vec<Download> = "[]" => "SSR-055 SSR-058",
        /// When a person has a tool light the lamp of a unit.
        identifications: Vec<Identification> = "[]" => "SSR-057",
    }
}

section! {
    /// One of the two CPUs of a unit.
    SafetyCpu {
        /// How much later it boots than the unit.
        clock_offset: Span = "0us" where "0us".."10s",
        /// How fast its clock runs against true time.
        clock_drift: Drift = "0ppm" where "-50000ppm".."50000ppm" => "SSR-013",
        /// What its logic takes of each tick, in its own time; above 812.5 us the unit must go to the safe state.
        logic_time: Span = "300us" where "0us".."10ms" => "SSR-014",
        /// Release of its firmware; both CPUs and all units must run the same.
        release: u32 = "1" where "1".."1000" => "SSR-062 SSR-079",
    }
}

section! {
    /// A relay in the feed of pumps.
    RelayFeed {
        /// Number of the relay.
        relay: u8 where "0".."1",
        /// The pumps.
        pumps: Selection = "All",
    }
}

section! {
    /// What hangs at an input group.
    InputDevice {
        /// Name of the input group in the configuration.
        input: String,
        /// The device.
        device: Device,
    }
}

choice! {
    /// A device at an input group.
    Device {
        /// Shows ON from the start.
        On,
        /// Shows OFF from the start, such as a button.
        Off,
        /// Shows ON while the coolant is below this temperature.
        Thermostat(Temperature),
        /// Shows ON while the coolant flows faster than this.
        FlowSwitch(Flow),
    }
}

section! {
    /// Something that is done at an input.
    Operation {
        /// When.
        at: Span where "0ms".."24h",
        /// Name of the input group.
        input: String,
        /// What it shows then.
        to: InputState,
        /// How long; for good where none is written.
        duration: Option<Span> = "None" where "1us".."24h",
    }
}

section! {
    /// A download by the configuration tool.
    ///
    /// The tool asks who is there, enters the configuration mode with the password, has the configuration erased, sends it row
    /// by row, has it checked, reads it back, restarts the unit and looks whether it runs it. Over radio and CAN a unit in normal
    /// mode answers nobody: there the tool begins with the password, and looks at the end whether the unit has left the
    /// configuration mode.
    Download {
        /// When the tool begins.
        at: Span where "0ms".."24h",
        /// Configuration file, relative to the scenario file that names it.
        configuration: ConfigurationFile,
        /// The password that is typed in.
        password: String => "SSR-052",
        /// Which way its messages go.
        over: Way = "Usb" => "SSR-055",
        /// Serial number of the unit that is meant; that of this unit where none is written.
        serial: Option<u32> = "None" => "SSR-056",
        /// Over USB the tool asks who is there first and stops at another serial number. A tool without this care is no tool of ours.
        asks_first: bool = "true" => "SSR-056",
        /// The tool enters the configuration mode first. A tool without this care is no tool of ours.
        enters: bool = "true" => "SSR-054",
    }
}

choice! {
    /// The way of the configuration tool's messages.
    Way {
        /// The USB interface of this unit.
        Usb,
        /// By radio: all units hear it.
        Radio,
        /// The bus, from this node of `further_nodes`: all units hear it.
        Can(String),
    }
}

section! {
    /// A person asks which unit is which: the lamp of the unit that is meant shows it for 5 s.
    Identification {
        /// When.
        at: Span where "0ms".."24h",
        /// Which way the message goes.
        over: Way = "Usb",
        /// Serial number of the unit that is meant; that of this unit where none is written.
        serial: Option<u32> = "None",
    }
}

section! {
    /// A download and what the tool is expected to tell.
    SafetyDownload {
        /// Name of the unit.
        unit: String,
        /// Which of the unit's downloads, from 0.
        number: u8 = "0",
        /// What the tool tells; what it tells of success is held against both CPUs' flash in every run.
        is: DownloadResult,
        /// At the latest this long after the tool began.
        within: Option<Span> = "None" where "0ms".."24h",
    }
}

choice! {
    /// What the configuration tool tells of a download.
    DownloadResult {
        /// Both CPUs hold the configuration, as checked and as read back, and the unit runs it; over radio and CAN, where a unit
        /// that runs says nothing: and the unit has left the configuration mode.
        Stored,
        /// Nobody answers.
        NoAnswer,
        /// Another unit than the one that is meant answers; nothing was sent to it (SSR-056).
        WrongUnit,
        /// The unit did not enter the configuration mode: the password is wrong, or the unit is another (SSR-052).
        NotEntered,
        /// The unit refuses: it is not in configuration mode (SSR-054).
        Refused,
        /// The unit fell silent, or left the configuration mode, in the middle.
        Interrupted,
        /// Both CPUs hold it and find it wrong; the unit will not run it.
        Invalid,
        /// A step failed: the flash, the other CPU, or the order of the messages.
        Failed,
        /// What was read back, or its hash, is not what was sent.
        Differs,
        /// It is stored, but the unit does not come to normal mode with it.
        NotRunning,
    }
}

choice! {
    /// State of an input.
    InputState {
        /// Its ON signal on all pins.
        On,
        /// Its OFF signal on all pins.
        Off,
    }
}

/// A configuration file and what it compiles to.
#[derive(Clone, Debug)]
pub struct ConfigurationFile {
    /// The file, as the scenario names it.
    pub file: String,
    /// What it says; the loader puts it there.
    pub compiled: Option<Arc<Compiled>>,
}

impl PartialEq for ConfigurationFile {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |one: &Self| one.compiled.as_ref().map(|compiled| compiled.bytes.clone());
        self.file == other.file && bytes(self) == bytes(other)
    }
}

impl Eq for ConfigurationFile {}

impl Value for ConfigurationFile {
    fn shape() -> Shape {
        Shape::Leaf("name of a `.ron` file in quotes".to_owned())
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        String::read(node, reader).map(|file| Self { file, compiled: None })
    }

    fn stand_in() -> Option<Self> {
        Some(Self { file: String::new(), compiled: None })
    }

    fn doc(&self) -> Doc {
        Doc::quoted(&self.file)
    }
}

impl SafetyUnit {
    /// Names of its input groups, if its configuration can be used.
    #[must_use]
    pub fn input_names(&self) -> Option<Vec<String>> {
        let compiled = self.configuration.compiled.as_ref()?;
        let node = compiled.diagram.nodes.get(self.index()?)?;
        Some(node.inputs.iter().map(|group| group.name.clone()).collect())
    }

    /// The unit's number among the nodes of its configuration, if it is there.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.configuration.compiled.as_ref()?.diagram.nodes.iter().position(|node| node.name == self.node)
    }
}
