//! Which nodes accept an id: all acceptance filters of the bus as one table.
//!
//! A frame reaches every node and is taken by few. Asking sixteen filters per frame would cost more than the rest of
//! the frame, so the answers for all 11-bit ids are tabulated when filters change; 29-bit ids are rare and asked.

use std::sync::Arc;

use embedded_can::Id;
use heapless::Vec as FixedVec;
use protocol::frame::raw_id;

use super::controller::{FILTERS, Filter};
use crate::node::NodeId;

const STANDARD_IDS: usize = 1 << 11;

/// The filters of all nodes.
#[derive(Clone, Debug, Hash)]
pub(super) struct Acceptance {
    standard: Arc<[u32; STANDARD_IDS]>,
    extended: Arc<Vec<(NodeId, Filter)>>,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { standard: Arc::new([0; STANDARD_IDS]), extended: Arc::default() }
    }
}

impl Acceptance {
    /// Replaces the filters of `node`.
    pub(super) fn set(&mut self, node: NodeId, filters: &FixedVec<Filter, FILTERS>) {
        let standard: Vec<Filter> = filters.iter().filter(|f| matches!(f.id, Id::Standard(_))).copied().collect();
        for (raw, nodes) in (0_u32..).zip(Arc::make_mut(&mut self.standard)) {
            let accepted = standard.iter().any(|filter| (raw ^ raw_id(filter.id)) & filter.mask == 0);
            *nodes = if accepted { *nodes | node.bit() } else { *nodes & !node.bit() };
        }
        let extended = Arc::make_mut(&mut self.extended);
        extended.retain(|(owner, _)| *owner != node);
        extended.extend(filters.iter().filter(|f| matches!(f.id, Id::Extended(_))).map(|filter| (node, *filter)));
    }

    /// Mask of the nodes whose filter passes `id`.
    pub(super) fn of(&self, id: Id) -> u32 {
        match id {
            Id::Standard(standard) => self.standard[usize::from(standard.as_raw())],
            Id::Extended(_) => {
                let accepting = self.extended.iter().filter(|(_, filter)| filter.accepts(id));
                accepting.fold(0, |nodes, (node, _)| nodes | node.bit())
            }
        }
    }
}
