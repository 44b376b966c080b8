//! Check of the configuration in flash.
//!
//! SSR-008, SSR-010, SSR-016, SSR-028, SSR-029, SSR-031, SSR-063, SSR-067, SSR-077.
//!
//! Diverse by its shape: limits, blocks and their references are judged by tables ([`LIMITS`], [`SHAPES`]) that read like
//! the pages of the format, not by a branch for each field. Sums over the whole run in slices, the fields follow in one
//! tick. The first defect in the order of `SAFETY.md`, section 11, is the one told.

use heapless::Vec;
use safety_common::configuration::{
    BLOCKS_MOST, BlockKind, Defect, FORMAT, GROUP_PINS_LEAST, GROUP_PINS_MOST, GroupKind, HASH_KEY, INPUT_GROUPS_MOST,
    NO_CAN, NO_SIGNAL, OUTPUT_GROUPS_MOST, Role, SIGNAL_OFF, SIGNAL_ON, TIMER_MS_MOST, block, header, input_group,
    node, output_group, pin, section,
};
use safety_common::flash_map::{CONFIGURATION_AT, CONFIGURATION_LEN_MOST};
use safety_common::io::FlashPort;
use safety_common::signal::Signal;
use safety_common::simplecan::ENTRIES_USABLE;
use safety_common::{MEMORIES_MOST, MEMORIES_STEP, NODES_MOST, PINS};
use units::Duration;

use crate::analog::FeedLimits;
use crate::bytes::{u8_at, u16_at, u32_at};
use crate::chaskey::Chaskey;
use crate::crc::Crc32;
use crate::flash_test::{erased, password_at};
use crate::settings::{Block, InputGroup, Network, Node, Pin, Settings};
use crate::trip::Trip;

const CHUNK: usize = 128;
/// Bytes summed in a tick (own number): at most 16 ticks for the whole area.
const SLICE_BYTES: u32 = 2_048;
const CRC_LEN: u32 = 4;
const PIN_BITS: u16 = (1 << PINS) - 1;

/// Why a configuration is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not valid.
    Defect(Defect),
    /// The area behind it is not erased.
    Rest(Trip),
}

type Checked<T = ()> = Result<T, Defect>;

fn require(good: bool, defect: Defect) -> Checked {
    if good { Ok(()) } else { Err(defect) }
}

/// Bytes of the configuration area, by offset.
struct Store<'a, F: ?Sized>(&'a F);

impl<F: FlashPort + ?Sized> Store<'_, F> {
    fn read<const N: usize>(&self, at: u32) -> Checked<[u8; N]> {
        let mut bytes = [0; N];
        let inside = at.checked_add(N as u32).is_some_and(|end| end <= CONFIGURATION_LEN_MOST);
        let read = inside && self.0.read(CONFIGURATION_AT.saturating_add(at), &mut bytes);
        if read { Ok(bytes) } else { Err(Defect::Unreadable) }
    }
}

/// A field of a record that was read whole; offsets are constants inside the record.
fn field16(record: &[u8], at: usize) -> Checked<u16> {
    u16_at(record, at).ok_or(Defect::Unreadable)
}

fn field32(record: &[u8], at: usize) -> Checked<u32> {
    u32_at(record, at).ok_or(Defect::Unreadable)
}

fn field8(record: &[u8], at: usize) -> Checked<u8> {
    u8_at(record, at).ok_or(Defect::Unreadable)
}

fn all_zero(record: &[u8], from: usize, len: usize) -> Checked {
    let zero = record.get(from..from.saturating_add(len)).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    require(zero, Defect::Reserved)
}

/// A check under way: sums first, in slices, then the fields.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    serial: u32,
    at: u32,
    crc: Crc32,
    hash: Chaskey,
    /// What was found behind the configuration; told if the configuration itself is good.
    rest: Option<Trip>,
}

impl Check {
    /// For the unit with this serial number.
    pub(crate) const fn new(serial: u32) -> Self {
        Self { serial, at: 0, crc: Crc32::flash(), hash: Chaskey::new(HASH_KEY), rest: None }
    }

    /// One tick's share; the verdict once there is one.
    pub(crate) fn slice<F: FlashPort + ?Sized>(&mut self, flash: &F) -> Option<Result<Settings, Refusal>> {
        let store = Store(flash);
        match self.sums(&store) {
            Ok(false) => None,
            Ok(true) => {
                let verdict = self.verdict(&store).map_err(Refusal::Defect);
                Some(verdict.and_then(|settings| self.rest.map_or(Ok(settings), |trip| Err(Refusal::Rest(trip)))))
            }
            Err(defect) => Some(Err(Refusal::Defect(defect))),
        }
    }

    /// Sums and rest of the area; `true` once all of it was read.
    fn sums<F: FlashPort + ?Sized>(&mut self, store: &Store<'_, F>) -> Checked<bool> {
        let head = store.read::<{ header::LEN }>(0)?;
        let body = beginning(&head)?.saturating_sub(CRC_LEN);
        let end = self.at.saturating_add(SLICE_BYTES).min(CONFIGURATION_LEN_MOST);
        for _ in 0..SLICE_BYTES / CHUNK as u32 {
            if self.at < end {
                self.chunk(&store.read::<CHUNK>(self.at)?, body);
                self.at = self.at.saturating_add(CHUNK as u32);
            }
        }
        Ok(self.at >= CONFIGURATION_LEN_MOST)
    }

    /// `body` is the length of what CRC and hash cover.
    fn chunk(&mut self, bytes: &[u8], body: u32) {
        let inside = |end: u32| (end.saturating_sub(self.at) as usize).min(bytes.len());
        let hashed_from = inside(header::HASHED_FROM as u32);
        self.crc.update(bytes.get(..inside(body)).unwrap_or(&[]));
        self.hash.update(bytes.get(hashed_from..inside(body)).unwrap_or(&[]));
        let rest_from = inside(body.saturating_add(CRC_LEN));
        let rest_at = CONFIGURATION_AT.saturating_add(self.at).saturating_add(rest_from as u32);
        self.rest = self.rest.or(erased(rest_at, bytes.get(rest_from..).unwrap_or(&[])).err());
    }

    fn verdict<F: FlashPort + ?Sized>(&self, store: &Store<'_, F>) -> Checked<Settings> {
        let head = store.read::<{ header::LEN }>(0)?;
        let length = beginning(&head)?;
        let stored_crc = store.read::<4>(length.saturating_sub(CRC_LEN))?;
        require(u32::from_le_bytes(stored_crc) == self.crc.value(), Defect::Crc)?;
        let hash = self.hash.word();
        require(field32(&head, header::HASH)? == hash, Defect::Hash)?;
        let nodes = table(store, &head, length)?;
        fields(store, &head, &nodes, self.serial, length, hash)
    }
}

/// Magic, format and length; gives the length.
fn beginning(head: &[u8]) -> Checked<u32> {
    require(field32(head, header::MAGIC)? == header::MAGIC_VALUE, Defect::Missing)?;
    require(field16(head, header::FORMAT)? == FORMAT, Defect::Format)?;
    let length = field32(head, header::LENGTH)?;
    let least = (header::LEN as u32).saturating_add(CRC_LEN);
    require((least..=CONFIGURATION_LEN_MOST).contains(&length) && length.is_multiple_of(4), Defect::Length)?;
    Ok(length)
}

/// A line of the node table with its place in the binary.
#[derive(Clone, Copy, Debug)]
struct Line {
    node: Node,
    offset: u32,
    length: u32,
}

type Table = Vec<Line, NODES_MOST>;

/// Header and node table, without the section of this unit.
fn table<F: FlashPort + ?Sized>(store: &Store<'_, F>, head: &[u8], length: u32) -> Checked<Table> {
    all_zero(head, header::NODES + 1, 1)?;
    all_zero(head, header::RESERVED, header::LEN - header::RESERVED)?;
    require(field32(head, header::NETWORK_ID)? != 0, Defect::NetworkId)?;
    let count = field8(head, header::NODES)?;
    let room = length.saturating_sub(CRC_LEN) >= line_at(u32::from(count));
    require((1..=NODES_MOST).contains(&usize::from(count)) && room, Defect::Nodes)?;
    let mut lines = Table::new();
    for index in 0..u32::from(count) {
        let record = store.read::<{ node::LEN }>(line_at(index))?;
        all_zero(&record, node::RESERVED, 2)?;
        require(field8(&record, node::FLAGS)? & !1 == 0, Defect::Reserved)?;
        // Cannot be full: no more than its capacity are read.
        let _ = lines.push(line(&record)?);
    }
    require(lines.iter().all(|line| line.node.serial != 0 && line.node.serial != u32::MAX), Defect::Nodes)?;
    require(all_differ(&lines, |a, b| a.node.serial == b.node.serial || same_can_index(a, b)), Defect::Nodes)?;
    check_radio(head, &lines)?;
    check_can(head, &lines)?;
    Ok(lines)
}

const fn line_at(index: u32) -> u32 {
    (header::LEN as u32).saturating_add(index.saturating_mul(node::LEN as u32))
}

fn line(record: &[u8]) -> Checked<Line> {
    Ok(Line {
        node: Node {
            serial: field32(record, node::SERIAL)?,
            memories: field16(record, node::MEMORIES)?,
            can_entries: field16(record, node::CAN_ENTRIES)?,
            can_index: field8(record, node::CAN_NODE)?,
            radio: field8(record, node::FLAGS)? & 1 != 0,
        },
        offset: field32(record, node::OFFSET)?,
        length: field32(record, node::LENGTH)?,
    })
}

fn same_can_index(a: &Line, b: &Line) -> bool {
    a.node.can_index == b.node.can_index && a.node.can_index != NO_CAN
}

/// No two lines clash.
fn all_differ(lines: &Table, clash: impl Fn(&Line, &Line) -> bool) -> bool {
    let later = |i: usize| lines.iter().skip(i.saturating_add(1));
    lines.iter().enumerate().all(|(i, a)| later(i).all(|b| !clash(a, b)))
}

fn check_radio(head: &[u8], lines: &Table) -> Checked {
    let timeout = field32(head, header::RADIO_TIMEOUT)?;
    let period = u32::from(field16(head, header::RADIO_PERIOD)?);
    let senders = lines.iter().filter(|line| line.node.radio).count() as u32;
    require((4..=60_000).contains(&timeout), Defect::Radio)?;
    require(period >= senders.max(2) && period.saturating_mul(2) <= timeout, Defect::Radio)?;
    let memories = |node: Node| {
        let range = usize::from(node.memories) <= MEMORIES_MOST && node.memories.is_multiple_of(MEMORIES_STEP);
        range && (node.radio || node.memories == 0)
    };
    require(lines.iter().all(|line| memories(line.node)), Defect::Radio)
}

fn check_can(head: &[u8], lines: &Table) -> Checked {
    require((20..=1_000).contains(&field16(head, header::CAN_AGE)?), Defect::Can)?;
    let good = |node: Node| {
        let index = node.can_index < 16 || (node.can_index == NO_CAN && node.can_entries == 0);
        index && u32::from(node.can_entries) < 1 << ENTRIES_USABLE
    };
    require(lines.iter().all(|line| good(line.node)), Defect::Can)?;
    require(all_differ(lines, |a, b| a.node.can_entries & b.node.can_entries != 0), Defect::Can)
}

/// Sections in place and this unit's section.
fn fields<F: FlashPort + ?Sized>(
    store: &Store<'_, F>,
    head: &[u8],
    lines: &Table,
    serial: u32,
    length: u32,
    hash: u32,
) -> Checked<Settings> {
    let end = lines.iter().try_fold(line_at(lines.len() as u32), |at, line| {
        require(line.offset == at && line.length >= least_section(), Defect::Section)?;
        at.checked_add(line.length).ok_or(Defect::Section)
    })?;
    require(end == length.saturating_sub(CRC_LEN), Defect::Section)?;
    let own = lines.iter().position(|line| line.node.serial == serial).ok_or(Defect::NotForThisUnit)?;
    let place = lines.get(own).copied().ok_or(Defect::NotForThisUnit)?;
    let network = network(head, lines, own)?;
    let part = Part::open(store, place)?;
    let limits = part.limits()?;
    let pins = part.pins()?;
    let input_groups = part.input_groups(&pins)?;
    let output_groups = part.output_groups(&pins)?;
    let blocks = part.blocks(&network)?;
    check_response(field32(head, header::RESPONSE)?, slowest(store, lines, &blocks, &network)?, &blocks, &network)?;
    Ok(Settings {
        hash,
        password: password_at(head, header::PASSWORD).ok_or(Defect::Unreadable)?,
        network,
        feeds: limits,
        mismatch: field16(&part.head, section::MISMATCH)?,
        mismatch_debounce: field16(&part.head, section::MISMATCH_DEBOUNCE)?,
        relay_move: u32::from(field16(&part.head, section::RELAY_MOVE)?),
        pins,
        input_groups,
        output_groups,
        blocks,
    })
}

const fn least_section() -> u32 {
    (section::LEN + section::PINS_LEN) as u32
}

fn network(head: &[u8], lines: &Table, own: usize) -> Checked<Network> {
    Ok(Network {
        id: field32(head, header::NETWORK_ID)?,
        nodes: lines.iter().map(|line| line.node).collect(),
        own,
        radio_timeout: Duration::from_millis(u64::from(field32(head, header::RADIO_TIMEOUT)?)),
        radio_period: u32::from(field16(head, header::RADIO_PERIOD)?),
        can_age: Duration::from_millis(u64::from(field16(head, header::CAN_AGE)?)),
    })
}

/// Offset in the section header, least, most, and what it is if it is not between.
static LIMITS: [(usize, u16, u16, Defect); 11] = [
    (section::SUPPLY_MIN, 7_000, 30_000, Defect::Supply),
    (section::SUPPLY_MAX, 8_000, 33_000, Defect::Supply),
    (section::RAIL_MIN, 2_700, 3_300, Defect::Limits),
    (section::RAIL_MAX, 3_300, 3_900, Defect::Limits),
    (section::RAIL_DEBOUNCE, 1, 20, Defect::Limits),
    (section::SIO_DROP, 500, 5_000, Defect::Limits),
    (section::SIO_OFF, 500, 5_000, Defect::Limits),
    (section::MISMATCH, 200, 3_000, Defect::Limits),
    (section::MISMATCH_DEBOUNCE, 5, 50, Defect::Limits),
    (section::RELAY_MOVE, 5, 100, Defect::Limits),
    (section::BLOCKS, 0, BLOCKS_MOST as u16, Defect::Limits),
];

/// This unit's section.
struct Part<'a, F: ?Sized> {
    store: &'a Store<'a, F>,
    head: [u8; section::LEN],
    offset: u32,
    inputs: u32,
    outputs: u32,
    blocks: u32,
}

impl<'a, F: FlashPort + ?Sized> Part<'a, F> {
    /// The section of this line: its length must be that of its counts.
    fn open(store: &'a Store<'a, F>, place: Line) -> Checked<Self> {
        let head = store.read::<{ section::LEN }>(place.offset)?;
        let inputs = u32::from(field8(&head, section::INPUT_GROUPS)?);
        let outputs = u32::from(field8(&head, section::OUTPUT_GROUPS)?);
        let blocks = u32::from(field16(&head, section::BLOCKS)?);
        let part = Self { store, head, offset: place.offset, inputs, outputs, blocks };
        require(part.block_at(blocks) == place.offset.saturating_add(place.length), Defect::Section)?;
        all_zero(&head, section::RESERVED, section::LEN - section::RESERVED)?;
        Ok(part)
    }

    fn pin_at(&self, index: u32) -> u32 {
        self.offset.saturating_add(section::LEN as u32).saturating_add(index.saturating_mul(pin::LEN as u32))
    }

    fn input_at(&self, index: u32) -> u32 {
        self.pin_at(PINS as u32).saturating_add(index.saturating_mul(input_group::LEN as u32))
    }

    fn output_at(&self, index: u32) -> u32 {
        self.input_at(self.inputs).saturating_add(index.saturating_mul(output_group::LEN as u32))
    }

    fn block_at(&self, index: u32) -> u32 {
        self.output_at(self.outputs).saturating_add(index.saturating_mul(block::LEN as u32))
    }

    fn limits(&self) -> Checked<FeedLimits> {
        for (at, least, most, defect) in LIMITS {
            require((least..=most).contains(&field16(&self.head, at)?), defect)?;
            if at == section::SUPPLY_MAX {
                let minimum = field16(&self.head, section::SUPPLY_MIN)?;
                require(minimum < field16(&self.head, at)?, Defect::Supply)?;
            }
        }
        require(self.inputs as usize <= INPUT_GROUPS_MOST, Defect::Limits)?;
        require(self.outputs as usize <= OUTPUT_GROUPS_MOST, Defect::Limits)?;
        let value = |at| field16(&self.head, at);
        Ok(FeedLimits {
            supply_min: value(section::SUPPLY_MIN)?,
            supply_max: value(section::SUPPLY_MAX)?,
            rail_min: value(section::RAIL_MIN)?,
            rail_max: value(section::RAIL_MAX)?,
            debounce: value(section::RAIL_DEBOUNCE)?,
            sio_drop: value(section::SIO_DROP)?,
            sio_off: value(section::SIO_OFF)?,
        })
    }

    fn pins(&self) -> Checked<[Pin; PINS]> {
        let mut pins = [Pin { role: Role::Unused, on: Signal::Low, off: Signal::Low }; PINS];
        for (place, index) in pins.iter_mut().zip(0..) {
            *place = read_pin(&self.store.read::<{ pin::LEN }>(self.pin_at(index))?)?;
        }
        Ok(pins)
    }

    fn input_groups(&self, pins: &[Pin; PINS]) -> Checked<Vec<InputGroup, INPUT_GROUPS_MOST>> {
        let mut groups = Vec::new();
        let mut taken = 0;
        for index in 0..self.inputs {
            let group = read_input_group(&self.store.read::<{ input_group::LEN }>(self.input_at(index))?, pins)?;
            require(taken & group.pins == 0, Defect::InputGroup)?;
            taken |= group.pins;
            groups.push(group).map_err(|_| Defect::Limits)?;
        }
        require(taken == pins_with(pins, is_read), Defect::InputGroup)?;
        Ok(groups)
    }

    fn output_groups(&self, pins: &[Pin; PINS]) -> Checked<Vec<u16, OUTPUT_GROUPS_MOST>> {
        let mut groups = Vec::new();
        let mut taken = 0;
        for index in 0..self.outputs {
            let record = self.store.read::<{ output_group::LEN }>(self.output_at(index))?;
            all_zero(&record, output_group::RESERVED, 1)?;
            let members = field16(&record, output_group::PINS)?;
            group_kind(field8(&record, output_group::KIND)?, members, Defect::OutputGroup)?;
            let driven = pins_with(pins, is_driven);
            require(members & !driven == 0 && taken & members == 0, Defect::OutputGroup)?;
            taken |= members;
            groups.push(members).map_err(|_| Defect::Limits)?;
        }
        require(taken == pins_with(pins, is_driven), Defect::OutputGroup)?;
        Ok(groups)
    }

    fn blocks(&self, network: &Network) -> Checked<Vec<Block, BLOCKS_MOST>> {
        let mut blocks: Vec<Block, BLOCKS_MOST> = Vec::new();
        for index in 0..self.blocks {
            let read = read_block(&self.store.read::<{ block::LEN }>(self.block_at(index))?)?;
            let world = World { network, inputs: self.inputs, outputs: self.outputs, before: &blocks };
            require(fits(&read, &world), Defect::Block)?;
            blocks.push(read).map_err(|_| Defect::Limits)?;
        }
        Ok(blocks)
    }
}

const fn is_read(role: Role) -> bool {
    matches!(role, Role::Input | Role::Combined)
}

const fn is_driven(role: Role) -> bool {
    matches!(role, Role::Output | Role::Combined)
}

/// Pins whose role is as asked, as bits.
pub(crate) fn pins_with(pins: &[Pin; PINS], wanted: impl Fn(Role) -> bool) -> u16 {
    pins.iter().zip(0u32..).fold(0, |bits, (pin, place)| bits | u16::from(wanted(pin.role)) << place)
}

/// Pins that are read as inputs, as bits.
pub(crate) fn read_pins(pins: &[Pin; PINS]) -> u16 {
    pins_with(pins, is_read)
}

/// Pins that may be driven, as bits.
pub(crate) fn driven_pins(pins: &[Pin; PINS]) -> u16 {
    pins_with(pins, is_driven)
}

/// Pins whose level leaves its state again and again for a short while, pulsed and combined ones, as bits.
pub(crate) fn busy_pins(pins: &[Pin; PINS]) -> u16 {
    let pulsed = |signal: Signal| !matches!(signal, Signal::Low | Signal::High | Signal::Ossd);
    let busy = |pin: &Pin| pin.role == Role::Combined || pulsed(pin.on) || pulsed(pin.off);
    pins.iter().zip(0u32..).fold(0, |bits, (pin, place)| bits | u16::from(busy(pin)) << place)
}

static ROLES: [Role; 4] = [Role::Unused, Role::Input, Role::Output, Role::Combined];
static SIGNALS: [Signal; 11] = [
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

fn read_pin(record: &[u8]) -> Checked<Pin> {
    all_zero(record, pin::RESERVED, 1)?;
    let signal = |at| -> Checked<Signal> {
        let number = field8(record, at)?;
        SIGNALS.into_iter().find(|signal| *signal as u8 == number).ok_or(Defect::Pin)
    };
    let role = field8(record, pin::ROLE)?;
    let role = ROLES.into_iter().find(|known| *known as u8 == role).ok_or(Defect::Pin)?;
    let read = Pin { role, on: signal(pin::ON)?, off: signal(pin::OFF)? };
    let good = match role {
        // The record of a pin that is not used is 0.
        Role::Unused => read.on == Signal::Low && read.off == Signal::Low,
        Role::Input => differ(read.on, read.off),
        Role::Output => fills_a_tick(read.on) && !fills_a_tick(read.off),
        Role::Combined => read.on == Signal::High && read.off == Signal::Low,
    };
    require(good, Defect::Pin)?;
    Ok(read)
}

/// Nothing may pass for both states. OSSD is no OFF state, and a steady high would pass for an OSSD that is ON.
fn differ(on: Signal, off: Signal) -> bool {
    match off {
        Signal::Ossd => false,
        Signal::High => !matches!(on, Signal::High | Signal::Ossd),
        other => on != other,
    }
}

/// Signals that are high for most of a tick: as an output's OFF they would leave energy on the wire.
const fn fills_a_tick(signal: Signal) -> bool {
    matches!(signal, Signal::High | Signal::Ossd | Signal::A | Signal::B | Signal::C | Signal::D)
}

/// Number of pins as the kind says.
fn group_kind(number: u8, members: u16, defect: Defect) -> Checked<GroupKind> {
    let count = members.count_ones();
    let kind = [GroupKind::Single, GroupKind::Redundant].into_iter().find(|kind| *kind as u8 == number);
    let kind = kind.ok_or(defect)?;
    let good = match kind {
        GroupKind::Single => count == 1,
        GroupKind::Redundant => (GROUP_PINS_LEAST..=GROUP_PINS_MOST).contains(&count),
    };
    require(good && members & !PIN_BITS == 0, defect)?;
    Ok(kind)
}

fn read_input_group(record: &[u8], pins: &[Pin; PINS]) -> Checked<InputGroup> {
    let flags = field8(record, input_group::FLAGS)?;
    require(flags & !1 == 0, Defect::Reserved)?;
    all_zero(record, input_group::RESERVED, 2)?;
    let members = field16(record, input_group::PINS)?;
    let kind = group_kind(field8(record, input_group::KIND)?, members, Defect::InputGroup)?;
    let discrepancy = u32::from(field16(record, input_group::DISCREPANCY)?);
    let on_filter = field32(record, input_group::ON_FILTER)?;
    let times = match kind {
        GroupKind::Single => discrepancy == 0,
        GroupKind::Redundant => (1..=60_000).contains(&discrepancy),
    };
    require(times && on_filter <= TIMER_MS_MOST && members & !pins_with(pins, is_read) == 0, Defect::InputGroup)?;
    require(keeps_de_energise_principle(members, kind, pins), Defect::InputGroup)?;
    Ok(InputGroup { pins: members, kind, discrepancy, on_filter, start_test: flags & 1 != 0 })
}

/// 0 V may mean ON only beside a channel for which it does not.
fn keeps_de_energise_principle(members: u16, kind: GroupKind, pins: &[Pin; PINS]) -> bool {
    let low = pins.iter().zip(0u32..).fold(0, |bits, (pin, place)| bits | u16::from(pin.on == Signal::Low) << place);
    members & low == 0 || (kind == GroupKind::Redundant && members & !low != 0)
}

fn read_block(record: &[u8]) -> Checked<Block> {
    let kind = field8(record, block::KIND)?;
    let shape = SHAPES.iter().find(|shape| shape.kind as u8 == kind).ok_or(Defect::Block)?;
    let mut inputs = [NO_SIGNAL; 4];
    for (place, at) in inputs.iter_mut().zip((block::INPUTS..).step_by(2)) {
        *place = field16(record, at)?;
    }
    Ok(Block {
        kind: shape.kind,
        index: field8(record, block::INDEX)?,
        number: field16(record, block::NUMBER)?,
        inputs,
        time: field32(record, block::TIME)?,
    })
}

/// What a field of a block names.
#[derive(Clone, Copy, Debug)]
enum Names {
    /// Nothing: 0.
    Nothing,
    InputGroup,
    OutputGroup,
    OtherNode,
    /// A memory of the node that the index names.
    MemoryOfNode,
    OtherEntry,
    OwnEntry,
    OwnMemory,
    BitOfEntry,
    /// A used input of the block.
    Position,
    Relay,
}

/// The form of a kind of block.
struct Shape {
    kind: BlockKind,
    inputs_least: usize,
    inputs_most: usize,
    index: Names,
    number: Names,
    timed: bool,
}

const fn shape(kind: BlockKind, inputs: [usize; 2], index: Names, number: Names, timed: bool) -> Shape {
    let [inputs_least, inputs_most] = inputs;
    Shape { kind, inputs_least, inputs_most, index, number, timed }
}

static SHAPES: [Shape; 19] = [
    shape(BlockKind::Input, [0, 0], Names::InputGroup, Names::Nothing, false),
    shape(BlockKind::InputError, [0, 0], Names::InputGroup, Names::Nothing, false),
    shape(BlockKind::OutputError, [0, 0], Names::OutputGroup, Names::Nothing, false),
    shape(BlockKind::MemoryReceive, [0, 0], Names::OtherNode, Names::MemoryOfNode, false),
    shape(BlockKind::CanReceive, [0, 0], Names::OtherEntry, Names::BitOfEntry, false),
    shape(BlockKind::And, [2, 4], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::Or, [2, 4], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::Xor, [2, 4], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::Not, [1, 1], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::Latch, [2, 2], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::OnDelay, [1, 1], Names::Nothing, Names::Nothing, true),
    shape(BlockKind::OffDelay, [1, 1], Names::Nothing, Names::Nothing, true),
    shape(BlockKind::Pulse, [1, 1], Names::Nothing, Names::Nothing, true),
    shape(BlockKind::Reset, [2, 2], Names::Nothing, Names::Nothing, false),
    shape(BlockKind::Mode, [2, 4], Names::Position, Names::Nothing, false),
    shape(BlockKind::Output, [1, 1], Names::OutputGroup, Names::Nothing, false),
    shape(BlockKind::Relay, [1, 1], Names::Relay, Names::Nothing, false),
    shape(BlockKind::MemorySend, [1, 1], Names::Nothing, Names::OwnMemory, false),
    shape(BlockKind::CanSend, [1, 1], Names::OwnEntry, Names::BitOfEntry, false),
];

/// What a block may name.
struct World<'a> {
    network: &'a Network,
    inputs: u32,
    outputs: u32,
    before: &'a [Block],
}

fn fits(block: &Block, world: &World<'_>) -> bool {
    let Some(shape) = SHAPES.iter().find(|shape| shape.kind == block.kind) else { return false };
    let used = block.inputs.iter().take_while(|input| **input != NO_SIGNAL).count();
    let inputs_good = block.inputs.iter().enumerate().all(|(place, input)| match *input {
        NO_SIGNAL => place >= used,
        SIGNAL_OFF | SIGNAL_ON => place < used,
        earlier => place < used && usize::from(earlier) < world.before.len(),
    });
    let time_good = if shape.timed { (1..=TIMER_MS_MOST).contains(&block.time) } else { block.time == 0 };
    let alone = !is_sink(block.kind) || !world.before.iter().any(|other| same_sink(other, block));
    inputs_good
        && time_good
        && alone
        && (shape.inputs_least..=shape.inputs_most).contains(&used)
        && named(shape.index, u32::from(block.index), block, world, used)
        && named(shape.number, u32::from(block.number), block, world, used)
}

const fn is_sink(kind: BlockKind) -> bool {
    matches!(kind, BlockKind::Output | BlockKind::Relay | BlockKind::MemorySend | BlockKind::CanSend)
}

fn same_sink(a: &Block, b: &Block) -> bool {
    a.kind == b.kind && a.index == b.index && a.number == b.number
}

/// Whether `value` names something that exists.
fn named(names: Names, value: u32, block: &Block, world: &World<'_>, used: usize) -> bool {
    let network = world.network;
    let own = network.own_node();
    let own_entry = value < 16 && own.can_entries >> value & 1 == 1;
    match names {
        Names::Nothing => value == 0,
        Names::InputGroup => value < world.inputs,
        Names::OutputGroup => value < world.outputs,
        Names::OtherNode => own.radio && (value as usize) < network.nodes.len() && value as usize != network.own,
        Names::MemoryOfNode => {
            network.nodes.get(usize::from(block.index)).is_some_and(|node| value < u32::from(node.memories))
        }
        Names::OtherEntry => own.can_index != NO_CAN && !own_entry && network.entry_owner(value as usize).is_some(),
        Names::OwnEntry => own_entry,
        Names::OwnMemory => value < u32::from(own.memories),
        Names::BitOfEntry => value < 16,
        Names::Position => (value as usize) < used,
        Names::Relay => (value as usize) < safety_common::RELAYS,
    }
}

/// The path from the slowest input to the outputs must fit into the response time (SSR-016).
fn check_response(response: u32, slowest: u64, blocks: &[Block], network: &Network) -> Checked {
    let of_block = |block: &Block| match block.kind {
        BlockKind::MemoryReceive => (network.radio_timeout.as_millis().saturating_add(2), 0),
        BlockKind::CanReceive => {
            // The sender makes one frame in a step, so each of its entries is up to as many steps old as it has entries.
            let owner = network.entry_owner(usize::from(block.index)).and_then(|owner| network.nodes.get(owner));
            let turns = owner.map_or(0, |owner| owner.can_entries.count_ones());
            (0, network.can_age.as_millis().saturating_add(2).saturating_add(u64::from(turns)))
        }
        _ => (0, 0),
    };
    let (radio, can) = blocks.iter().map(of_block).fold((0, 0), |most, one| (most.0.max(one.0), most.1.max(one.1)));
    let sum = 3u64.saturating_add(slowest).saturating_add(radio).saturating_add(can);
    require(u64::from(response) >= sum && response <= 120_000, Defect::Response)
}

/// The slowest input on which this unit's outputs may depend: its own, and those of every node that it hears. Of other
/// sections nothing is read but roles and ON signals of the pins.
fn slowest<F: FlashPort + ?Sized>(
    store: &Store<'_, F>,
    lines: &Table,
    blocks: &[Block],
    network: &Network,
) -> Checked<u64> {
    let mut slowest = 0;
    for (place, line) in lines.iter().enumerate() {
        if place == network.own || blocks.iter().any(|block| hears(block, place, network)) {
            let pins = line.offset.saturating_add(section::LEN as u32);
            for number in 0..PINS as u32 {
                let at = pins.saturating_add(number.saturating_mul(pin::LEN as u32));
                slowest = evaluation_ms(&store.read::<{ pin::LEN }>(at)?)?.max(slowest);
            }
        }
    }
    Ok(slowest)
}

/// Whether a block takes its value from the node at `place`.
fn hears(block: &Block, place: usize, network: &Network) -> bool {
    let index = usize::from(block.index);
    match block.kind {
        BlockKind::MemoryReceive => index == place,
        BlockKind::CanReceive => network.entry_owner(index) == Some(place),
        _ => false,
    }
}

/// How long the loss of a pin's ON signal takes to be seen; a number that is no signal is as slow as the slowest.
fn evaluation_ms(record: &[u8]) -> Checked<u64> {
    let on = field8(record, pin::ON)?;
    let is = |signal: Signal| on == signal as u8;
    Ok(match field8(record, pin::ROLE)? {
        role if role == Role::Unused as u8 || role == Role::Output as u8 => 0,
        role if role == Role::Combined as u8 => 5,
        _ if is(Signal::Low) || is(Signal::High) => 1,
        _ if is(Signal::Ossd) => 2,
        _ => 9,
    })
}

#[cfg(test)]
mod tests;
