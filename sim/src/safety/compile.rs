//! From a diagram to a binary: names become numbers, blocks their order of evaluation.
//!
//! The same file gives the same bytes. A *response* is the sum of the path from an input to an output that the response
//! time of the configuration must cover; a *note* is something that is allowed and probably not meant.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use safety_common::configuration::{NO_CAN, NO_SIGNAL, Role, SIGNAL_OFF, SIGNAL_ON, block, header};
use safety_common::configuration::{input_group, node, output_group, section};
use safety_common::simplecan::{CYCLE_TICK_SLOTS, SYNC_TICKS};
use safety_common::tool::PASSWORD_KEY;

use super::binary::{self, Network};
use super::diagram::{
    BlockKind, Configuration, GroupPins, InputGroup, Limits, Node, OFF, ON, Pin, PinRole, Position, SignalType,
};
use super::{chaskey, check, order};
use crate::kernel::Span;
use crate::scenario::loader::load_alone;
use crate::scenario::{FileSource, Input, LoadError, Problem};

/// A configuration that makes sense, drawn and compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the file says.
    pub diagram: Configuration,
    /// The file.
    pub file: Input,
    /// Its bytes, for a scenario that is written elsewhere.
    pub source: Vec<u8>,
    /// Its name.
    pub name: String,
    /// The same in numbers.
    pub network: Network,
    /// The names behind the numbers, node by node.
    pub names: Vec<NodeNames>,
    /// The binary.
    pub bytes: Vec<u8>,
    /// The configuration hash in it.
    pub hash: u32,
    /// The CRC-32 at its end.
    pub crc: u32,
}

/// The names of one node's things by their numbers in the binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNames {
    /// The node.
    pub node: String,
    /// Pins by number; empty for one that is not used.
    pub pins: Vec<String>,
    /// Input groups by index.
    pub inputs: Vec<String>,
    /// Output groups by index.
    pub outputs: Vec<String>,
    /// Signals by number: the names of the blocks in the order of their evaluation.
    pub signals: Vec<String>,
}

/// Loads and compiles the configuration at `path`.
///
/// # Errors
/// The file cannot be read, or the configuration is wrong; then with all that is wrong.
pub fn load(files: &dyn FileSource, path: &Path) -> Result<Compiled, LoadError> {
    let source = files.read_shared(path).map_err(|why| LoadError::Unreadable(path.display().to_string(), why))?;
    let (diagram, (network, names), file) = load_alone(&AsRead(&source), path, compile)?;
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = if diagram.name.is_empty() { stem() } else { diagram.name.clone() };
    let bytes = binary::encode(&network);
    let word = |at: usize| bytes.get(at..at + 4).map_or(0, |w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let (hash, crc) = (word(header::HASH), word(bytes.len() - 4));
    Ok(Compiled { diagram, file, source, name, network, names, bytes, hash, crc })
}

/// A file whose bytes were read before.
struct AsRead<'a>(&'a [u8]);

impl FileSource for AsRead<'_> {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.to_vec())
    }
}

/// Names to numbers.
///
/// # Errors
/// Every rule that the configuration breaks.
pub fn compile(configuration: &Configuration) -> Result<(Network, Vec<NodeNames>), Vec<Problem>> {
    let problems = check::check(configuration);
    if !problems.is_empty() {
        return Err(problems);
    }
    let names: Vec<NodeNames> = configuration.nodes.iter().map(node_names).collect();
    let numbered = configuration.nodes.iter().zip(&names);
    let network = Network {
        id: configuration.network,
        radio_timeout_ms: low_u32(ms(configuration.radio.timeout)),
        radio_period_ms: low_u16(ms(configuration.radio.period)),
        can_age_ms: low_u16(ms(configuration.can.age)),
        response_ms: low_u32(ms(configuration.response_time)),
        password: chaskey::bytes(chaskey::tag(PASSWORD_KEY, configuration.password.as_bytes())),
        nodes: numbered.map(|(node, names)| compiled_node(configuration, node, names)).collect(),
    };
    Ok((network, names))
}

fn ms(time: Span) -> u64 {
    time.as_nanos() / 1_000_000
}

/// The ranges of the fields keep every number below its type's end.
fn low_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn low_u16(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn low_u8(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn millivolts(voltage: crate::scenario::quantity::Voltage) -> u16 {
    u16::try_from(voltage.millivolts()).unwrap_or(u16::MAX)
}

fn node_names(node: &Node) -> NodeNames {
    let pin = |number: usize| node.pins.iter().find(|pin| usize::from(pin.pin) == number);
    NodeNames {
        node: node.name.clone(),
        pins: (0..safety_common::PINS).map(|n| pin(n).map_or(String::new(), |pin| pin.name.clone())).collect(),
        inputs: node.inputs.iter().map(|group| group.name.clone()).collect(),
        outputs: node.outputs.iter().map(|group| group.name.clone()).collect(),
        signals: order::order(&node.blocks).into_iter().map(|index| node.blocks[index].name.clone()).collect(),
    }
}

fn compiled_node(configuration: &Configuration, node: &Node, names: &NodeNames) -> binary::Node {
    let entries = node.can.as_ref().map_or(&[][..], |can| &can.entries);
    binary::Node {
        serial: node.serial,
        memories: low_u16(u64::from(node.memories)),
        can_entries: entries.iter().fold(0, |bits, entry| bits | 1 << entry),
        can_node: node.can.as_ref().map_or(NO_CAN, |can| can.index),
        radio: node.radio,
        section: compiled_section(configuration, node, names),
    }
}

fn compiled_section(configuration: &Configuration, node: &Node, names: &NodeNames) -> binary::Section {
    let Limits {
        rail_minimum,
        rail_maximum,
        rail_debounce,
        sio_drop,
        sio_off,
        mismatch,
        mismatch_debounce,
        relay_move,
    } = &node.limits;
    let by_number = |number: usize| node.pins.iter().find(|pin| usize::from(pin.pin) == number);
    let blocks = order::order(&node.blocks).into_iter().map(|index| &node.blocks[index].kind);
    binary::Section {
        supply_min: millivolts(node.supply.minimum),
        supply_max: millivolts(node.supply.maximum),
        rail_min: millivolts(*rail_minimum),
        rail_max: millivolts(*rail_maximum),
        rail_debounce: low_u16(ms(*rail_debounce)),
        sio_drop: millivolts(*sio_drop),
        sio_off: millivolts(*sio_off),
        mismatch: millivolts(*mismatch),
        mismatch_debounce: low_u16(ms(*mismatch_debounce)),
        relay_move: low_u16(ms(*relay_move)),
        pins: std::array::from_fn(|number| by_number(number).map_or(binary::Pin::UNUSED, compiled_pin)),
        inputs: node.inputs.iter().map(|group| compiled_input(node, group)).collect(),
        outputs: node
            .outputs
            .iter()
            .map(|group| binary::OutputGroup { pins: mask(node, &group.pins), kind: group.pins.kind() })
            .collect(),
        blocks: blocks.map(|kind| Numbers { configuration, node, names }.block(kind)).collect(),
    }
}

fn compiled_pin(pin: &Pin) -> binary::Pin {
    let role = match pin.role {
        PinRole::Input => Role::Input,
        PinRole::Output => Role::Output,
        PinRole::Combined => Role::Combined,
    };
    binary::Pin { role, on: pin.on.signal(), off: pin.off.signal() }
}

fn compiled_input(node: &Node, group: &InputGroup) -> binary::InputGroup {
    binary::InputGroup {
        pins: mask(node, &group.pins),
        discrepancy_ms: low_u16(group.discrepancy.map_or(0, ms)),
        on_filter_ms: low_u32(ms(group.on_filter)),
        kind: group.pins.kind(),
        startup_test: group.start_up_test,
    }
}

/// The pins of a group as bits.
fn mask(node: &Node, pins: &GroupPins) -> u16 {
    let numbers = pins.names().filter_map(|name| node.pins.iter().find(|pin| pin.name == name));
    numbers.fold(0, |bits, pin| bits | 1 << pin.pin)
}

/// Turns the names of one node into numbers.
struct Numbers<'a> {
    configuration: &'a Configuration,
    node: &'a Node,
    names: &'a NodeNames,
}

impl Numbers<'_> {
    fn block(&self, kind: &BlockKind) -> binary::Block {
        let mut inputs = [NO_SIGNAL; 4];
        for (input, (_, name)) in inputs.iter_mut().zip(kind.sources()) {
            *input = self.signal(name);
        }
        let (index, number) = self.index_and_number(kind);
        let time_ms = match kind {
            BlockKind::OnDelay(timer) | BlockKind::OffDelay(timer) | BlockKind::Pulse(timer) => low_u32(ms(timer.time)),
            _ => 0,
        };
        binary::Block { kind: kind.binary(), index, number, inputs, time_ms }
    }

    fn signal(&self, name: &str) -> u16 {
        match name {
            ON => SIGNAL_ON,
            OFF => SIGNAL_OFF,
            name => low_u16(position(&self.names.signals, name) as u64),
        }
    }

    fn index_and_number(&self, kind: &BlockKind) -> (u8, u16) {
        match kind {
            BlockKind::Input(name) | BlockKind::InputError(name) => (low_u8(position(&self.names.inputs, name)), 0),
            BlockKind::OutputError(name) => (low_u8(position(&self.names.outputs, name)), 0),
            BlockKind::Output(to) => (low_u8(position(&self.names.outputs, &to.group)), 0),
            BlockKind::Relay(to) => (to.relay, 0),
            BlockKind::Mode(Position { position, .. }) => (*position, 0),
            BlockKind::MemorySend(to) => (0, low_u16(u64::from(to.memory))),
            BlockKind::CanSend(to) => (to.entry, u16::from(to.bit)),
            BlockKind::MemoryReceive(from) => self.memory(&from.node, &from.memory),
            BlockKind::CanReceive(from) => self.bit(&from.node, &from.bit),
            _ => (0, 0),
        }
    }

    /// The block of another node, and that node's index.
    fn other(&self, node: &str, name: &str) -> Option<(usize, &BlockKind)> {
        let index = self.configuration.nodes.iter().position(|other| other.name == node)?;
        let block = self.configuration.nodes[index].blocks.iter().find(|block| block.name == name)?;
        (node != self.node.name).then_some((index, &block.kind))
    }

    fn memory(&self, node: &str, name: &str) -> (u8, u16) {
        match self.other(node, name) {
            Some((index, BlockKind::MemorySend(to))) => (low_u8(index), low_u16(u64::from(to.memory))),
            _ => (u8::MAX, u16::MAX),
        }
    }

    fn bit(&self, node: &str, name: &str) -> (u8, u16) {
        match self.other(node, name) {
            Some((_, BlockKind::CanSend(to))) => (to.entry, u16::from(to.bit)),
            _ => (u8::MAX, u16::MAX),
        }
    }
}

/// Where a name stands; the check has seen that it does, and a number beyond the end is refused by every reader.
fn position(names: &[String], name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or(usize::MAX)
}

/// Bytes of the binary of a configuration, whether or not it makes sense.
pub(super) fn length(configuration: &Configuration) -> usize {
    let sections = configuration.nodes.iter().map(|one| {
        let groups = input_group::LEN * one.inputs.len() + output_group::LEN * one.outputs.len();
        node::LEN + section::LEN + section::PINS_LEN + groups + block::LEN * one.blocks.len()
    });
    header::LEN + sections.sum::<usize>() + 4
}

/// One part of the path from an input to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPart {
    /// What takes this long.
    pub what: String,
    /// How long, in ms.
    pub ms: u64,
}

/// The path from a stop condition to the outputs of one node: at least what `SAFETY.md`, section 11, asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its parts; none is left out for being short.
    pub parts: Vec<PathPart>,
}

impl Response {
    /// The path of `node`.
    #[must_use]
    pub fn of(configuration: &Configuration, node: &Node) -> Self {
        let mut parts = vec![PathPart { what: "sample, logic and output".to_owned(), ms: 3 }];
        // A memory or a bit is as late as the inputs behind it are.
        let others = configuration.nodes.iter().filter(|other| hears(node, other));
        let inputs = std::iter::once(node).chain(others).flat_map(|one| one.pins.iter().map(move |pin| (one, pin)));
        let inputs: Vec<(u64, String)> = inputs
            .filter(|(_, pin)| pin.role != PinRole::Output)
            .map(|(one, pin)| evaluation(node, one, pin))
            .collect();
        // The first of the slowest, so that the text is always the same.
        if let Some((ms, what)) = inputs.into_iter().rev().max_by_key(|(ms, _)| *ms) {
            parts.push(PathPart { what, ms });
        }
        if node.blocks.iter().any(|block| matches!(block.kind, BlockKind::MemoryReceive(_))) {
            parts.push(PathPart { what: "radio time-out".to_owned(), ms: ms(configuration.radio.timeout) + 2 });
        }
        if let Some(entries) = can_entries_heard(configuration, node) {
            // A sender makes one frame a tick, so each entry is renewed once in as many ticks as it has entries.
            parts.push(PathPart { what: "CAN age and turn".to_owned(), ms: ms(configuration.can.age) + 2 + entries });
        }
        Self { parts }
    }

    /// The least response time that covers the path, in ms.
    #[must_use]
    pub fn least_ms(&self) -> u64 {
        self.parts.iter().map(|part| part.ms).sum()
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PathPart { what, ms }) in self.parts.iter().enumerate() {
            write!(f, "{}{ms} {what}", if index == 0 { "" } else { " + " })?;
        }
        Ok(())
    }
}

/// How many entries the nodes have whose bits `node` takes: the most of any.
fn can_entries_heard(configuration: &Configuration, node: &Node) -> Option<u64> {
    let senders = node.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::CanReceive(from) => configuration.nodes.iter().find(|other| other.name == from.node),
        _ => None,
    });
    senders.map(|sender| sender.can.as_ref().map_or(0, |can| can.entries.len() as u64)).max()
}

/// Whether a node takes memories or bits of another.
fn hears(node: &Node, other: &Node) -> bool {
    node.blocks.iter().any(|block| match &block.kind {
        BlockKind::MemoryReceive(from) => from.node == other.name,
        BlockKind::CanReceive(from) => from.node == other.name,
        _ => false,
    })
}

/// How long it takes to see that a pin is no longer ON, in ms, and how to call it. OFF needs nothing but a doubt, so how OFF
/// looks does not count.
fn evaluation(reader: &Node, owner: &Node, pin: &Pin) -> (u64, String) {
    let (ms, what) = match (&pin.role, &pin.on) {
        (PinRole::Combined, _) => (5, "combined"),
        (_, SignalType::Low | SignalType::High) => (1, "static"),
        (_, SignalType::Ossd) => (2, "OSSD"),
        _ => (9, "pulsed"),
    };
    let owner = if owner.name == reader.name { String::new() } else { format!(" of `{}`", owner.name) };
    (ms, format!("{what} input `{}`{owner}", pin.name))
}

/// What the units' CAN frames add to the bus, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanLoad {
    /// Data frames in a cycle.
    pub frames: u32,
    /// Without any stuff bit.
    pub bits_least: u64,
    /// With as many stuff bits as can be.
    pub bits_most: u64,
}

impl CanLoad {
    /// Share of a bus in permille, rounded up.
    #[must_use]
    pub const fn permille(bits: u64, bits_per_second: u32) -> u64 {
        (bits * 1_000).div_ceil(bits_per_second as u64)
    }
}

impl Compiled {
    /// What is allowed and probably not meant.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.diagram.nodes.iter().flat_map(notes).collect()
    }

    /// What the units add to the bus: one data frame for each entry and cycle, one sync frame in 200 ms.
    #[must_use]
    pub fn can_load(&self) -> CanLoad {
        let frames: u32 = self.network.nodes.iter().map(|node| node.can_entries.count_ones()).sum();
        let on_bus = self.network.nodes.iter().any(|node| node.can_node != NO_CAN);
        let a_second = |frame: fn(u64) -> u64| {
            let sync = if on_bus { frame(2) * 1_000 / u64::from(SYNC_TICKS) } else { 0 };
            u64::from(frames) * frame(8) * 16_000 / u64::from(CYCLE_TICK_SLOTS) + sync
        };
        CanLoad {
            frames,
            bits_least: a_second(frame_bits),
            bits_most: a_second(|len| frame_bits(len) + stuff_bits(len)),
        }
    }

    /// The path of each node.
    pub fn responses(&self) -> impl Iterator<Item = Response> {
        self.diagram.nodes.iter().map(|node| Response::of(&self.diagram, node))
    }
}

/// Bits of an 11-bit data frame with `len` bytes and the intermission behind it, without stuff bits (ISO 11898-1).
const fn frame_bits(len: u64) -> u64 {
    47 + 8 * len
}

/// Most stuff bits of that frame: its first 34 bits and its data are stuffed, at worst one for each four after the first.
const fn stuff_bits(len: u64) -> u64 {
    (34 + 8 * len - 1) / 4
}

fn notes(node: &Node) -> Vec<String> {
    let used: BTreeSet<&str> =
        node.blocks.iter().flat_map(|block| block.kind.sources()).map(|(_, name)| name).collect();
    let idle = node.blocks.iter().filter(|block| !block.kind.is_sink() && !used.contains(block.name.as_str()));
    let idle = idle.map(|block| format!("node `{}`: block `{}` drives nothing", node.name, block.name));
    let driven =
        |name: &str| node.blocks.iter().any(|block| matches!(&block.kind, BlockKind::Output(to) if to.group == name));
    let dark = node.outputs.iter().filter(|group| !driven(&group.name));
    let dark = dark.map(|group| format!("node `{}`: no block drives output `{}`; it stays OFF", node.name, group.name));
    let read = |name: &str| {
        node.blocks
            .iter()
            .any(|block| matches!(&block.kind, BlockKind::Input(of) | BlockKind::InputError(of) if of == name))
    };
    let unread = node.inputs.iter().filter(|group| !read(&group.name));
    let unread = unread.map(|group| format!("node `{}`: no block reads input `{}`", node.name, group.name));
    idle.chain(dark).chain(unread).collect()
}
