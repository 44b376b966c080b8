//! Who is on the bus and the supply: the nodes of a twin.

use std::fmt;

use bevy_ecs::prelude::{Entity, Resource};

/// A node of the twin: the CIOC is 0, pumps are 1 to 16, further nodes follow from 17; at most 32 in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u8);

impl NodeId {
    /// The CIOC board.
    pub const CIOC: Self = Self(0);
    /// The first node that is neither the CIOC nor a pump.
    pub const FIRST_FURTHER: Self = Self(17);
    /// How many nodes a twin may have.
    pub const MOST: usize = 32;

    /// The node numbered `number`.
    ///
    /// # Panics
    /// At 32 and above: the scenario loader allows fewer nodes.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        assert!((number as usize) < Self::MOST);
        Self(number)
    }

    /// The number, also the index into tables by node.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The number of the pump, 1 to 16, if this is one.
    #[must_use]
    pub const fn pump(self) -> Option<u8> {
        if self.0 >= 1 && self.0 <= 16 { Some(self.0) } else { None }
    }

    /// A mask with this node's bit.
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << self.0
    }
}

impl fmt::Display for NodeId {
    /// `CIOC`, `P05`, `N17`: the names used in scenarios, logs and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.pump()) {
            (0, _) => f.write_str("CIOC"),
            (_, Some(pump)) => write!(f, "P{pump:02}"),
            (number, None) => write!(f, "N{number:02}"),
        }
    }
}

/// The entity of each node, by node number.
#[derive(Resource, Clone, Default, Hash)]
pub struct Nodes {
    entities: Vec<Option<Entity>>,
}

impl Nodes {
    /// Adds a node while the twin is built.
    pub fn add(&mut self, node: NodeId, entity: Entity) {
        if self.entities.len() <= node.index() {
            self.entities.resize(node.index() + 1, None);
        }
        self.entities[node.index()] = Some(entity);
    }

    /// The node's entity.
    ///
    /// # Panics
    /// If the twin has no such node.
    #[must_use]
    pub fn entity(&self, node: NodeId) -> Entity {
        self.get(node).unwrap_or_else(|| panic!("the twin has no node {node}"))
    }

    /// The node's entity, if there is such a node.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<Entity> {
        self.entities.get(node.index()).copied().flatten()
    }

    /// All nodes in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Entity)> + '_ {
        let numbered = self.entities.iter().enumerate();
        numbered.filter_map(|(number, entity)| Some((NodeId::new(u8::try_from(number).ok()?), (*entity)?)))
    }
}
