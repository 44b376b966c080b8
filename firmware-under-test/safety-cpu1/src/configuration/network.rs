//! The part of the configuration that all nodes share.
//!
//! Network, node table, places of the sections.

use heapless::Vec;
use safety_common::NODES_MOST;
use safety_common::configuration::{Defect, NO_CAN, header, node};
use safety_common::flash_map::CONFIGURATION_LEN_MOST;
use safety_common::io::FlashPort;
use safety_common::simplecan::ENTRIES_USABLE;
use safety_common::{MEMORIES_MOST, MEMORIES_STEP};

use super::section::LENGTH_LEAST;
use super::{CRC_LEN, Header, Store};
use crate::bytes::{u8_at, u16_at, u32_at};
use crate::flash_test::is_valid_serial;

/// One node of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) serial: u32,
    /// Global memories.
    pub(crate) memories: u16,
    /// CAN entries that it sends.
    pub(crate) can_entries: u16,
    pub(crate) can_node: Option<u8>,
    pub(crate) has_radio: bool,
}

/// The network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) id: u32,
    pub(crate) radio_timeout_ms: u32,
    pub(crate) radio_period_ms: u16,
    pub(crate) can_age_ms: u16,
    pub(crate) nodes: Vec<Node, NODES_MOST>,
    /// Where the section of each node lies.
    pub(crate) places: Vec<Place, NODES_MOST>,
    /// This unit's place in the table.
    pub(crate) own: usize,
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: u32,
    pub(crate) length: u32,
}

impl Network {
    /// This unit's own line in the table.
    pub(crate) fn own_node(&self) -> Option<&Node> {
        self.nodes.get(self.own)
    }

    /// The 64 bytes that seed every hash: the serial numbers of all nodes.
    pub(crate) fn serials(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let numbers = self.nodes.iter().flat_map(|node| node.serial.to_le_bytes());
        bytes.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// Reads and checks header fields and node table.
pub(super) fn read(
    store: &Store<'_, impl FlashPort>,
    header: &Header,
    serial: u32,
) -> Result<(Network, Place), Defect> {
    let bytes = &header.bytes;
    let id = u32_at(bytes, header::NETWORK_ID).filter(|id| *id != 0).ok_or(Defect::NetworkId)?;
    let table = read_table(store, header)?;
    let nodes = table.iter().map(|(node, _)| *node).collect::<Vec<_, NODES_MOST>>();
    check_nodes(&nodes)?;
    let mut network = Network {
        id,
        radio_timeout_ms: u32_at(bytes, header::RADIO_TIMEOUT).ok_or(Defect::Radio)?,
        radio_period_ms: u16_at(bytes, header::RADIO_PERIOD).ok_or(Defect::Radio)?,
        can_age_ms: u16_at(bytes, header::CAN_AGE).ok_or(Defect::Can)?,
        nodes,
        places: table.iter().map(|(_, place)| *place).collect(),
        own: 0,
    };
    check_radio(&network)?;
    check_can(&network)?;
    check_places(&table, header.length)?;
    let own = network.nodes.iter().position(|node| node.serial == serial).ok_or(Defect::NotForThisUnit)?;
    network.own = own;
    let place = table.get(own).map(|(_, place)| *place).ok_or(Defect::NotForThisUnit)?;
    Ok((network, place))
}

type Table = Vec<(Node, Place), NODES_MOST>;

fn read_table(store: &Store<'_, impl FlashPort>, header: &Header) -> Result<Table, Defect> {
    let count = u8_at(&header.bytes, header::NODES).ok_or(Defect::Nodes)?;
    let end = (header::LEN + CRC_LEN).saturating_add(usize::from(count).saturating_mul(node::LEN));
    let fits = u32::try_from(end).is_ok_and(|end| end <= header.length);
    if !(1..=NODES_MOST).contains(&usize::from(count)) || !fits {
        return Err(Defect::Nodes);
    }
    let mut table = Vec::new();
    for (at, _) in (header::LEN as u32..).step_by(node::LEN).zip(0..count) {
        table.push(read_node(&store.record(at)?)?).map_err(|_| Defect::Nodes)?;
    }
    Ok(table)
}

fn read_node(bytes: &[u8; node::LEN]) -> Result<(Node, Place), Defect> {
    let flags = u8_at(bytes, node::FLAGS).filter(|flags| *flags <= 1).ok_or(Defect::Reserved)?;
    if u16_at(bytes, node::RESERVED) != Some(0) {
        return Err(Defect::Reserved);
    }
    let can_node = u8_at(bytes, node::CAN_NODE).ok_or(Defect::Can)?;
    let node = Node {
        serial: u32_at(bytes, node::SERIAL).ok_or(Defect::Nodes)?,
        memories: u16_at(bytes, node::MEMORIES).ok_or(Defect::Radio)?,
        can_entries: u16_at(bytes, node::CAN_ENTRIES).ok_or(Defect::Can)?,
        can_node: (can_node != NO_CAN).then_some(can_node),
        has_radio: flags == 1,
    };
    let at = u32_at(bytes, node::OFFSET).ok_or(Defect::Section)?;
    let length = u32_at(bytes, node::LENGTH).ok_or(Defect::Section)?;
    Ok((node, Place { at, length }))
}

/// Serial numbers are valid and different, CAN indices different.
fn check_nodes(nodes: &[Node]) -> Result<(), Defect> {
    let is_good = nodes.iter().enumerate().all(|(at, node)| {
        let others = || nodes.iter().skip(at.saturating_add(1));
        is_valid_serial(node.serial)
            && others().all(|other| other.serial != node.serial)
            && (node.can_node.is_none() || others().all(|other| other.can_node != node.can_node))
    });
    if is_good { Ok(()) } else { Err(Defect::Nodes) }
}

/// SSR-074, SSR-077: ranges, and a time-out that the slot plan can meet.
fn check_radio(network: &Network) -> Result<(), Defect> {
    let members = network.nodes.iter().filter(|node| node.has_radio).count();
    let period = usize::from(network.radio_period_ms);
    let period_is_good = period >= members.max(2);
    let twice = u32::from(network.radio_period_ms).saturating_mul(2);
    let timeout_is_good = (4..=60_000).contains(&network.radio_timeout_ms) && twice <= network.radio_timeout_ms;
    let memories_are_good = network.nodes.iter().all(|node| {
        let is_step = node.memories.is_multiple_of(MEMORIES_STEP) && usize::from(node.memories) <= MEMORIES_MOST;
        is_step && (node.has_radio || node.memories == 0)
    });
    if period_is_good && timeout_is_good && memories_are_good { Ok(()) } else { Err(Defect::Radio) }
}

fn check_can(network: &Network) -> Result<(), Defect> {
    let mut taken = 0u16;
    for node in &network.nodes {
        let has_place = node.can_node.map_or(node.can_entries == 0, |index| index < 16);
        if !has_place || node.can_entries >> ENTRIES_USABLE != 0 || taken & node.can_entries != 0 {
            return Err(Defect::Can);
        }
        taken |= node.can_entries;
    }
    if (20..=1_000).contains(&network.can_age_ms) { Ok(()) } else { Err(Defect::Can) }
}

/// The sections follow the table without gaps and end at the CRC.
fn check_places(table: &Table, length: u32) -> Result<(), Defect> {
    let table_end = header::LEN.saturating_add(table.len().saturating_mul(node::LEN));
    let mut end = u32::try_from(table_end).map_err(|_| Defect::Section)?;
    for (_, place) in table {
        if place.at != end || !(LENGTH_LEAST..=CONFIGURATION_LEN_MOST).contains(&place.length) {
            return Err(Defect::Section);
        }
        end = end.checked_add(place.length).ok_or(Defect::Section)?;
    }
    if end.checked_add(4) == Some(length) { Ok(()) } else { Err(Defect::Section) }
}
