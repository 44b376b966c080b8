//! The order in which blocks are evaluated: each after its inputs, otherwise as they stand in the file.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::Block;

/// Indices of the blocks in the order of their evaluation; those in circles, and what rests on them, are left out.
pub(super) fn order(blocks: &[Block]) -> Vec<usize> {
    let needs = needs(blocks);
    let mut done = BTreeSet::new();
    let mut order = Vec::new();
    // The first that can go, goes: so a file whose blocks stand in order keeps that order.
    while let Some(next) = (0..blocks.len()).find(|at| !done.contains(at) && needs[*at].is_subset(&done)) {
        done.insert(next);
        order.push(next);
    }
    order
}

/// Every circle of blocks, each as indices along the signal's way; the first block takes an input from the last.
pub(super) fn circles(blocks: &[Block]) -> Vec<Vec<usize>> {
    let mut needs = needs(blocks);
    let mut left: BTreeSet<usize> = (0..blocks.len()).collect();
    let mut circles = Vec::new();
    loop {
        while let Some(free) = left.iter().copied().find(|at| needs[*at].is_disjoint(&left)) {
            left.remove(&free);
        }
        let Some(start) = left.first().copied() else { return circles };
        let circle = circle_from(start, &needs, &left);
        // One input less, and this circle is open; another through the same blocks is found next.
        if let (Some(first), Some(last)) = (circle.first(), circle.last()) {
            needs[*first].remove(last);
        }
        circles.push(circle);
    }
}

/// Walks against the signals among the blocks that are left until one comes twice.
fn circle_from(start: usize, needs: &[BTreeSet<usize>], left: &BTreeSet<usize>) -> Vec<usize> {
    let mut way = vec![start];
    loop {
        let here = way[way.len() - 1];
        // Every block that is left needs another one that is left, or it would have gone.
        let Some(before) = needs[here].intersection(left).next().copied() else { return way };
        if let Some(first) = way.iter().position(|at| *at == before) {
            let mut circle: Vec<usize> = way.drain(first..).rev().collect();
            let lowest = circle.iter().enumerate().min_by_key(|(_, block)| **block).map_or(0, |(at, _)| at);
            circle.rotate_left(lowest);
            return circle;
        }
        way.push(before);
    }
}

/// The blocks that each block takes inputs from.
fn needs(blocks: &[Block]) -> Vec<BTreeSet<usize>> {
    let index: BTreeMap<&str, usize> = blocks.iter().enumerate().rev().map(|(at, b)| (b.name.as_str(), at)).collect();
    let sources =
        |block: &Block| block.kind.sources().iter().filter_map(|(_, name)| index.get(name).copied()).collect();
    blocks.iter().map(sources).collect()
}
