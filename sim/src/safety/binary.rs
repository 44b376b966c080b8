//! The configuration in numbers, and its bytes: written and read by the same table of offsets.
//!
//! A *network* is what the binary holds and nothing more: no names. [`encode`] gives the same bytes for the same network,
//! always; [`decode`] takes apart any bytes and gives back a network or the first [`Defect`] of their form. Whether the
//! values make sense is the business of [`super::rules`].

use crc::{CRC_32_ISO_HDLC, Crc};
use safety_common::configuration::{
    BlockKind, Defect, FORMAT, GroupKind, HASH_KEY, Role, block, header, input_group, node, output_group, pin, section,
};
use safety_common::flash_map::CONFIGURATION_LEN_MOST;
use safety_common::signal::Signal;
use safety_common::{NODES_MOST, PINS};

use super::chaskey;

/// What one binary holds: the configuration of all units that work together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Number of the network; not 0 (SSR-067).
    pub id: u32,
    /// Radio time-out in ms (SSR-077).
    pub radio_timeout_ms: u32,
    /// Radio send period in ms.
    pub radio_period_ms: u16,
    /// Maximum age of a CAN entry in ms.
    pub can_age_ms: u16,
    /// Response time in ms (SSR-016).
    pub response_ms: u32,
    /// Verifier of the password (SSR-052).
    pub password: [u8; 16],
    /// The nodes in the order of the table, 1 to 16.
    pub nodes: Vec<Node>,
}

/// One unit of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Serial number of the unit.
    pub serial: u32,
    /// Global memories, 0 to 256 in steps of 16 (SSR-074).
    pub memories: u16,
    /// Bit `e`: it sends CAN entry `e`.
    pub can_entries: u16,
    /// CAN index, `NO_CAN` without.
    pub can_node: u8,
    /// Whether it uses the radio.
    pub radio: bool,
    /// What it runs.
    pub section: Section,
}

/// What one unit runs. All voltages in mV, all times in ms, as in `safety_common::configuration::section`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Lower supply limit (SSR-008).
    pub supply_min: u16,
    /// Upper supply limit (SSR-010).
    pub supply_max: u16,
    /// Lower limit of the other CPU's rail.
    pub rail_min: u16,
    /// Upper limit of the other CPU's rail.
    pub rail_max: u16,
    /// Debounce of rails and `SIO_PWR`.
    pub rail_debounce: u16,
    /// Most drop of `SIO_PWR` with the main transistor on.
    pub sio_drop: u16,
    /// Most voltage of `SIO_PWR` with the main transistor off.
    pub sio_off: u16,
    /// Limit of the analog comparison (SSR-033).
    pub mismatch: u16,
    /// Debounce of the analog comparison.
    pub mismatch_debounce: u16,
    /// Move time of relay contacts.
    pub relay_move: u16,
    /// All pins.
    pub pins: [Pin; PINS],
    /// Input groups.
    pub inputs: Vec<InputGroup>,
    /// Output groups.
    pub outputs: Vec<OutputGroup>,
    /// Blocks in the order of their evaluation; block n makes signal n.
    pub blocks: Vec<Block>,
}

/// One IO pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What it is.
    pub role: Role,
    /// How ON looks.
    pub on: Signal,
    /// How OFF looks.
    pub off: Signal,
}

impl Pin {
    /// A pin that is not used: all zeros.
    pub const UNUSED: Self = Self { role: Role::Unused, on: Signal::Low, off: Signal::Low };
}

/// Pins that are read as one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputGroup {
    /// Bit p: pin p belongs to it.
    pub pins: u16,
    /// Discrepancy time in ms.
    pub discrepancy_ms: u16,
    /// ON filter in ms.
    pub on_filter_ms: u32,
    /// How many pins it has.
    pub kind: GroupKind,
    /// Whether it must have been off once (SSR-034).
    pub startup_test: bool,
}

/// Pins that are driven as one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputGroup {
    /// Bit p: pin p belongs to it.
    pub pins: u16,
    /// How many pins it has.
    pub kind: GroupKind,
}

/// One block of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its kind.
    pub kind: BlockKind,
    /// `index` of the kind.
    pub index: u8,
    /// `number` of the kind.
    pub number: u16,
    /// Its input signals.
    pub inputs: [u16; 4],
    /// Time in ms.
    pub time_ms: u32,
}

/// Bytes of a configuration with these sections.
#[must_use]
pub fn length(network: &Network) -> usize {
    let sections: usize = network.nodes.iter().map(|node| section_length(&node.section)).sum();
    header::LEN + node::LEN * network.nodes.len() + sections + 4
}

/// Bytes of a section.
#[must_use]
pub fn section_length(one: &Section) -> usize {
    section::LEN
        + section::PINS_LEN
        + input_group::LEN * one.inputs.len()
        + output_group::LEN * one.outputs.len()
        + block::LEN * one.blocks.len()
}

/// The bytes of a network.
#[must_use]
pub fn encode(network: &Network) -> Vec<u8> {
    let mut out = Record::new(header::LEN);
    out.u32(header::MAGIC, header::MAGIC_VALUE);
    out.u16(header::FORMAT, FORMAT);
    out.u8(header::NODES, low_u8(network.nodes.len()));
    out.u32(header::LENGTH, low_u32(length(network)));
    out.u32(header::NETWORK_ID, network.id);
    out.u32(header::RADIO_TIMEOUT, network.radio_timeout_ms);
    out.u16(header::RADIO_PERIOD, network.radio_period_ms);
    out.u16(header::CAN_AGE, network.can_age_ms);
    out.u32(header::RESPONSE, network.response_ms);
    out.bytes(header::PASSWORD, &network.password);
    let mut offset = header::LEN + node::LEN * network.nodes.len();
    for one in &network.nodes {
        let len = section_length(&one.section);
        out.0.extend(node_record(one, offset, len).0);
        offset += len;
    }
    for one in &network.nodes {
        write_section(&one.section, &mut out.0);
    }
    sealed(out.0)
}

/// Puts hash and CRC into a configuration whose other bytes are as they shall be; `bytes` lacks the CRC at its end.
///
/// For tests that damage one field and want nothing else to be noticed.
#[must_use]
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = hash(bytes.get(header::HASHED_FROM..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(header::HASH..header::HASH + 4) {
        place.copy_from_slice(&hash.to_le_bytes());
    }
    let crc = crc32(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// The configuration hash of the bytes from `header::HASHED_FROM` to the CRC.
#[must_use]
pub fn hash(hashed: &[u8]) -> u32 {
    let [first, ..] = chaskey::tag(HASH_KEY, hashed);
    first
}

/// CRC-32/ISO-HDLC, as all records of the flash carry.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(bytes)
}

fn node_record(one: &Node, offset: usize, len: usize) -> Record {
    let mut out = Record::new(node::LEN);
    out.u32(node::SERIAL, one.serial);
    out.u32(node::OFFSET, low_u32(offset));
    out.u32(node::LENGTH, low_u32(len));
    out.u16(node::MEMORIES, one.memories);
    out.u16(node::CAN_ENTRIES, one.can_entries);
    out.u8(node::CAN_NODE, one.can_node);
    out.u8(node::FLAGS, u8::from(one.radio));
    out
}

/// Leads to one voltage or time of a section.
type Limit = fn(&mut Section) -> &mut u16;

/// The voltages and times of a section with their places, for both directions.
const LIMITS: [(usize, Limit); 10] = [
    (section::SUPPLY_MIN, |one| &mut one.supply_min),
    (section::SUPPLY_MAX, |one| &mut one.supply_max),
    (section::RAIL_MIN, |one| &mut one.rail_min),
    (section::RAIL_MAX, |one| &mut one.rail_max),
    (section::RAIL_DEBOUNCE, |one| &mut one.rail_debounce),
    (section::SIO_DROP, |one| &mut one.sio_drop),
    (section::SIO_OFF, |one| &mut one.sio_off),
    (section::MISMATCH, |one| &mut one.mismatch),
    (section::MISMATCH_DEBOUNCE, |one| &mut one.mismatch_debounce),
    (section::RELAY_MOVE, |one| &mut one.relay_move),
];

fn write_section(one: &Section, bytes: &mut Vec<u8>) {
    let mut out = Record::new(section::LEN);
    let mut limits = one.clone();
    for (at, field) in LIMITS {
        out.u16(at, *field(&mut limits));
    }
    out.u8(section::INPUT_GROUPS, low_u8(one.inputs.len()));
    out.u8(section::OUTPUT_GROUPS, low_u8(one.outputs.len()));
    out.u16(section::BLOCKS, low_u16(one.blocks.len()));
    bytes.extend(out.0);
    bytes.extend(one.pins.iter().flat_map(|pin| pin_record(*pin).0));
    bytes.extend(one.inputs.iter().flat_map(|group| input_record(*group).0));
    bytes.extend(one.outputs.iter().flat_map(|group| output_record(*group).0));
    bytes.extend(one.blocks.iter().flat_map(|block| block_record(*block).0));
}

fn pin_record(one: Pin) -> Record {
    let mut out = Record::new(pin::LEN);
    out.u8(pin::ROLE, one.role as u8);
    out.u8(pin::ON, one.on as u8);
    out.u8(pin::OFF, one.off as u8);
    out
}

fn input_record(one: InputGroup) -> Record {
    let mut out = Record::new(input_group::LEN);
    out.u16(input_group::PINS, one.pins);
    out.u16(input_group::DISCREPANCY, one.discrepancy_ms);
    out.u32(input_group::ON_FILTER, one.on_filter_ms);
    out.u8(input_group::KIND, one.kind as u8);
    out.u8(input_group::FLAGS, u8::from(one.startup_test));
    out
}

fn output_record(one: OutputGroup) -> Record {
    let mut out = Record::new(output_group::LEN);
    out.u16(output_group::PINS, one.pins);
    out.u8(output_group::KIND, one.kind as u8);
    out
}

fn block_record(one: Block) -> Record {
    let mut out = Record::new(block::LEN);
    out.u8(block::KIND, one.kind as u8);
    out.u8(block::INDEX, one.index);
    out.u16(block::NUMBER, one.number);
    for (at, input) in one.inputs.into_iter().enumerate() {
        out.u16(block::INPUTS + 2 * at, input);
    }
    out.u32(block::TIME, one.time_ms);
    out
}

/// Bytes to be filled in.
struct Record(Vec<u8>);

impl Record {
    fn new(len: usize) -> Self {
        Self(vec![0; len])
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn u8(&mut self, at: usize, value: u8) {
        self.bytes(at, &[value]);
    }

    fn u16(&mut self, at: usize, value: u16) {
        self.bytes(at, &value.to_le_bytes());
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.bytes(at, &value.to_le_bytes());
    }
}

/// Counts that the rules keep far below their field's end; one that is not would show as a wrong length or number.
fn low_u8(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn low_u16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn low_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Takes a binary apart: form, CRC, hash and every byte that must be 0, of all sections.
///
/// # Errors
/// The first defect of the form. Values that have no meaning at all (a kind of block that does not exist) are the defect
/// of their record.
pub fn decode(bytes: &[u8]) -> Result<Network, Defect> {
    let Outline { mut network, places, body } = outline(bytes)?;
    in_place(&places, body.len())?;
    for (node, place) in network.nodes.iter_mut().zip(places) {
        let records = Records::of(place.of(body)?)?;
        node.section = Section {
            pins: records.pins()?.try_into().map_err(|_| Defect::Section)?,
            inputs: records.inputs().collect::<Result<_, _>>()?,
            outputs: records.outputs().collect::<Result<_, _>>()?,
            blocks: records.blocks().collect::<Result<_, _>>()?,
            ..records.limits()
        };
    }
    Ok(network)
}

/// Where a section lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    offset: u32,
    len: u32,
}

impl Place {
    /// Its bytes.
    pub(super) fn of(self, body: &[u8]) -> Result<&[u8], Defect> {
        let from = self.offset as usize;
        body.get(from..from + self.len as usize).ok_or(Defect::Section)
    }
}

/// A binary without its sections.
pub(super) struct Outline<'a> {
    /// Header and node table; every section is still empty.
    pub(super) network: Network,
    /// Where each node's section lies, as the table says.
    pub(super) places: Vec<Place>,
    /// All bytes before the CRC.
    pub(super) body: &'a [u8],
}

/// Header and node table: everything in them that does not depend on a value's range but the network id and the number of
/// nodes, which decide whether there is a table at all.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, Defect> {
    let head = bytes.get(..header::LEN).ok_or(Defect::Missing)?;
    let length = envelope(bytes)?;
    let body = bytes.get(..length - 4).ok_or(Defect::Length)?;
    let view = View(head);
    zero(&head[header::RESERVED..])?;
    zero(&[view.u8(header::NODES + 1)])?;
    let mut network = Network {
        id: view.u32(header::NETWORK_ID),
        radio_timeout_ms: view.u32(header::RADIO_TIMEOUT),
        radio_period_ms: view.u16(header::RADIO_PERIOD),
        can_age_ms: view.u16(header::CAN_AGE),
        response_ms: view.u32(header::RESPONSE),
        password: std::array::from_fn(|byte| view.u8(header::PASSWORD + byte)),
        nodes: Vec::new(),
    };
    if network.id == 0 {
        return Err(Defect::NetworkId);
    }
    let count = usize::from(view.u8(header::NODES));
    let table = body.get(header::LEN..header::LEN + node::LEN * count).ok_or(Defect::Nodes)?;
    if !(1..=NODES_MOST).contains(&count) {
        return Err(Defect::Nodes);
    }
    let mut places = Vec::new();
    for record in table.chunks_exact(node::LEN).map(View) {
        zero(&record.0[node::RESERVED..])?;
        zero(&[record.u8(node::FLAGS) & !1])?;
        network.nodes.push(decode_node(record));
        places.push(Place { offset: record.u32(node::OFFSET), len: record.u32(node::LENGTH) });
    }
    Ok(Outline { network, places, body })
}

/// The sections follow the table without gaps, each at least a header and pins long, and end at the CRC.
pub(super) fn in_place(places: &[Place], body_len: usize) -> Result<(), Defect> {
    let mut end = (header::LEN + node::LEN * places.len()) as u64;
    for place in places {
        if u64::from(place.offset) != end || (place.len as usize) < section::LEN + section::PINS_LEN {
            return Err(Defect::Section);
        }
        end += u64::from(place.len);
    }
    if end == body_len as u64 { Ok(()) } else { Err(Defect::Section) }
}

/// Magic, format, length, CRC and hash; the length.
fn envelope(bytes: &[u8]) -> Result<usize, Defect> {
    let view = View(bytes);
    if view.u32(header::MAGIC) != header::MAGIC_VALUE {
        return Err(Defect::Missing);
    }
    if view.u16(header::FORMAT) != FORMAT {
        return Err(Defect::Format);
    }
    let length = view.u32(header::LENGTH) as usize;
    let in_place = length.is_multiple_of(4) && length <= CONFIGURATION_LEN_MOST as usize && length >= header::LEN + 4;
    let covered = bytes.get(..length.wrapping_sub(4)).filter(|_| in_place).ok_or(Defect::Length)?;
    if bytes.len() < length {
        return Err(Defect::Length);
    }
    if View(bytes).u32(length - 4) != crc32(covered) {
        return Err(Defect::Crc);
    }
    if view.u32(header::HASH) != hash(&covered[header::HASHED_FROM..]) {
        return Err(Defect::Hash);
    }
    Ok(length)
}

fn decode_node(record: View<'_>) -> Node {
    Node {
        serial: record.u32(node::SERIAL),
        memories: record.u16(node::MEMORIES),
        can_entries: record.u16(node::CAN_ENTRIES),
        can_node: record.u8(node::CAN_NODE),
        radio: record.u8(node::FLAGS) & 1 == 1,
        section: Section::EMPTY,
    }
}

/// The records of a section whose length is that of its counts.
pub(super) struct Records<'a> {
    head: View<'a>,
    parts: [&'a [u8]; 4],
}

impl<'a> Records<'a> {
    /// Judges length and reserved bytes of the section header.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Defect> {
        let head = View(bytes.get(..section::LEN).ok_or(Defect::Section)?);
        let lengths = [
            pin::LEN * PINS,
            input_group::LEN * usize::from(head.u8(section::INPUT_GROUPS)),
            output_group::LEN * usize::from(head.u8(section::OUTPUT_GROUPS)),
            block::LEN * usize::from(head.u16(section::BLOCKS)),
        ];
        let mut rest = &bytes[section::LEN..];
        if rest.len() != lengths.iter().sum::<usize>() {
            return Err(Defect::Section);
        }
        zero(&head.0[section::RESERVED..])?;
        let parts = lengths.map(|len| {
            let (part, after) = rest.split_at(len);
            rest = after;
            part
        });
        Ok(Self { head, parts })
    }

    /// Voltages and times; no pins, groups and blocks.
    pub(super) fn limits(&self) -> Section {
        let mut one = Section::EMPTY;
        for (at, field) in LIMITS {
            *field(&mut one) = self.head.u16(at);
        }
        one
    }

    /// How many input groups, output groups and blocks there are.
    pub(super) fn counts(&self) -> [usize; 3] {
        let [_, inputs, outputs, blocks] = self.parts.map(<[u8]>::len);
        [inputs / input_group::LEN, outputs / output_group::LEN, blocks / block::LEN]
    }

    fn pins(&self) -> Result<Vec<Pin>, Defect> {
        self.each_pin().collect()
    }

    /// The pins in order.
    pub(super) fn each_pin(&self) -> impl Iterator<Item = Result<Pin, Defect>> {
        self.parts[0].chunks_exact(pin::LEN).map(|record| decode_pin(View(record)))
    }

    /// The input groups in order.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Result<InputGroup, Defect>> {
        self.parts[1].chunks_exact(input_group::LEN).map(|record| decode_input(View(record)))
    }

    /// The output groups in order.
    pub(super) fn outputs(&self) -> impl Iterator<Item = Result<OutputGroup, Defect>> {
        self.parts[2].chunks_exact(output_group::LEN).map(|record| decode_output(View(record)))
    }

    /// The blocks in order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Result<Block, Defect>> {
        self.parts[3].chunks_exact(block::LEN).map(|record| decode_block(View(record)))
    }
}

/// Role and ON signal of each pin of a section, as numbers, whether or not they name one.
pub(super) fn raw_pins(bytes: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    let pins = bytes.get(section::LEN..section::LEN + section::PINS_LEN).unwrap_or_default();
    pins.chunks_exact(pin::LEN).map(|record| (record[pin::ROLE], record[pin::ON]))
}

impl Section {
    /// No limits, no pins, no blocks; no valid section.
    pub const EMPTY: Self = Self {
        supply_min: 0,
        supply_max: 0,
        rail_min: 0,
        rail_max: 0,
        rail_debounce: 0,
        sio_drop: 0,
        sio_off: 0,
        mismatch: 0,
        mismatch_debounce: 0,
        relay_move: 0,
        pins: [Pin::UNUSED; PINS],
        inputs: Vec::new(),
        outputs: Vec::new(),
        blocks: Vec::new(),
    };
}

fn decode_pin(record: View<'_>) -> Result<Pin, Defect> {
    zero(&record.0[pin::RESERVED..])?;
    let signal = |at| SIGNALS.into_iter().find(|signal| *signal as u8 == record.u8(at)).ok_or(Defect::Pin);
    let roles = [Role::Unused, Role::Input, Role::Output, Role::Combined];
    let role = roles.into_iter().find(|role| *role as u8 == record.u8(pin::ROLE)).ok_or(Defect::Pin)?;
    Ok(Pin { role, on: signal(pin::ON)?, off: signal(pin::OFF)? })
}

fn group_kind(value: u8) -> Option<GroupKind> {
    [GroupKind::Single, GroupKind::Redundant].into_iter().find(|kind| *kind as u8 == value)
}

fn decode_input(record: View<'_>) -> Result<InputGroup, Defect> {
    zero(&record.0[input_group::RESERVED..])?;
    zero(&[record.u8(input_group::FLAGS) & !1])?;
    Ok(InputGroup {
        pins: record.u16(input_group::PINS),
        discrepancy_ms: record.u16(input_group::DISCREPANCY),
        on_filter_ms: record.u32(input_group::ON_FILTER),
        kind: group_kind(record.u8(input_group::KIND)).ok_or(Defect::InputGroup)?,
        startup_test: record.u8(input_group::FLAGS) == 1,
    })
}

fn decode_output(record: View<'_>) -> Result<OutputGroup, Defect> {
    zero(&record.0[output_group::RESERVED..])?;
    let kind = group_kind(record.u8(output_group::KIND)).ok_or(Defect::OutputGroup)?;
    Ok(OutputGroup { pins: record.u16(output_group::PINS), kind })
}

fn decode_block(record: View<'_>) -> Result<Block, Defect> {
    let number = record.u8(block::KIND);
    Ok(Block {
        kind: BLOCK_KINDS.into_iter().find(|kind| *kind as u8 == number).ok_or(Defect::Block)?,
        index: record.u8(block::INDEX),
        number: record.u16(block::NUMBER),
        inputs: std::array::from_fn(|input| record.u16(block::INPUTS + 2 * input)),
        time_ms: record.u32(block::TIME),
    })
}

/// Every signal type.
pub const SIGNALS: [Signal; 11] = [
    Signal::Low,
    Signal::High,
    Signal::Ossd,
    Signal::A,
    Signal::B,
    Signal::C,
    Signal::D,
    Signal::InverseA,
    Signal::InverseB,
    Signal::InverseC,
    Signal::InverseD,
];

/// Every kind of block.
pub const BLOCK_KINDS: [BlockKind; 19] = [
    BlockKind::Input,
    BlockKind::InputError,
    BlockKind::OutputError,
    BlockKind::MemoryReceive,
    BlockKind::CanReceive,
    BlockKind::And,
    BlockKind::Or,
    BlockKind::Xor,
    BlockKind::Not,
    BlockKind::Latch,
    BlockKind::OnDelay,
    BlockKind::OffDelay,
    BlockKind::Pulse,
    BlockKind::Reset,
    BlockKind::Mode,
    BlockKind::Output,
    BlockKind::Relay,
    BlockKind::MemorySend,
    BlockKind::CanSend,
];

fn zero(bytes: &[u8]) -> Result<(), Defect> {
    if bytes.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Defect::Reserved) }
}

/// Bytes to be read; beyond their end stand zeros.
#[derive(Clone, Copy)]
struct View<'a>(&'a [u8]);

impl View<'_> {
    fn u8(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes([self.u8(at), self.u8(at + 1)])
    }

    fn u32(self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }
}
