//! Block diagrams: boxes in layers from left to right, joined by wires of straight pieces.
//!
//! The steps are those of Sugiyama: every box goes one layer behind its last input; a wire that passes a layer gets a place
//! of its own there; the order in a layer is improved until wires cross least; heights are pulled towards straight wires;
//! in the channel between two layers each wire has one upright piece, on a track where it meets no other. Words: a *wire*
//! is all that leaves one box; a *place* is a box or the passage of a wire through a layer; a *port* is an end of a wire
//! at a box. Everything is whole numbers, so the same diagram gives the same picture.

use std::collections::{BTreeMap, BTreeSet};

use super::Figure;
use super::canvas::{Anchor, Canvas, Ink, Lettering, Point};
use crate::words::count;

/// A picture of one or more block diagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagram {
    /// Name of the figure.
    pub name: String,
    /// Above everything.
    pub title: String,
    /// A second line.
    pub subtitle: String,
    /// One diagram each.
    pub panels: Vec<Panel>,
}

/// One block diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Beside the title.
    pub subtitle: String,
    /// Its boxes; each takes its inputs from boxes before it.
    pub shapes: Vec<Shape>,
}

/// One box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub label: String,
    /// Lines below the name.
    pub lines: Vec<String>,
    /// What kind of box it is.
    pub class: ShapeClass,
    /// What it takes its inputs from.
    pub feeds: Vec<Feed>,
}

/// What kind of box it is; tells its colour and its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeClass {
    /// Comes from outside; on the left.
    Source,
    /// Depends on its inputs of this instant.
    Gate,
    /// Remembers something.
    Memory,
    /// Goes outside; on the right.
    Sink,
}

impl ShapeClass {
    const fn ink(self) -> Ink {
        match self {
            Self::Source => Ink::Flow,
            Self::Gate => Ink::Transfer,
            Self::Memory => Ink::Finish,
            Self::Sink => Ink::Temperature,
        }
    }
}

/// An input of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// A word at the port; often empty.
    pub port: String,
    /// Where it comes from.
    pub from: FeedFrom,
}

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedFrom {
    /// The box of this index in the panel.
    Shape(usize),
    /// A word, for what never changes.
    Word(String),
}

/// Pixels around everything, and between a panel's frame and its boxes.
const MARGIN: i32 = 24;
/// Pixels of a panel's head.
const HEAD: i32 = 40;
/// Pixels between boxes of a layer.
const GAP: i32 = 22;
/// Pixels between a wire that passes and what is beside it.
const WIRE_GAP: i32 = 14;
/// Pixels between the tracks of a channel.
const TRACK: i32 = 12;
/// Pixels on both sides of a channel's tracks.
const CHANNEL_EDGE: i32 = 20;
/// Pixels between the lines of a box, and between its ports.
const LINE: i32 = 18;
/// Pixels above and below the text of a box.
const PAD: i32 = 10;
/// Colours of wires, in turn, so that the eye can follow one.
const WIRES: [Ink; 5] = [Ink::Erase, Ink::Load, Ink::Flow, Ink::Finish, Ink::Temperature];
/// Sweeps of each kind; the layouts of diagrams of a hundred boxes rest long before.
const SWEEPS: usize = 24;

/// Most wires of a channel that are moved out of each other's way.
const ROUNDS: usize = 16;
/// By how many pixels.
const NUDGE: i32 = 3;

/// Draws it.
#[must_use]
pub fn diagram(diagram: &Diagram) -> Figure {
    let layouts: Vec<Layout<'_>> = diagram.panels.iter().map(Layout::new).collect();
    let width = layouts.iter().map(|layout| layout.width).max().unwrap_or(0).max(480) + 2 * MARGIN;
    let top = MARGIN + 52;
    let height = top + layouts.iter().map(|layout| layout.height + MARGIN).sum::<i32>();
    let mut canvas = Canvas::new(width, height);
    let heading = Lettering { size: 18, ..Lettering::new(Ink::Text, Anchor::Start).bold() };
    canvas.text((MARGIN, MARGIN + 8), &diagram.title, heading);
    canvas.text((MARGIN, MARGIN + 32), &diagram.subtitle, Lettering::new(Ink::Muted, Anchor::Start));
    let mut y = top;
    for layout in &layouts {
        layout.draw(&mut canvas, (MARGIN, y), width - 2 * MARGIN);
        y += layout.height + MARGIN;
    }
    let boxes: usize = diagram.panels.iter().map(|panel| panel.shapes.len()).sum();
    let diagrams = count(diagram.panels.len() as u64, "block diagram", "block diagrams");
    let boxes = count(boxes as u64, "box", "boxes");
    let description = format!(
        "{diagrams} with {boxes} in all; signals run from left to right. The same blocks and their inputs stand in the text view."
    );
    Figure::new(&diagram.name, diagram.title.clone(), description, canvas.finish())
}

/// A box, or the passage of a wire through a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Box(usize),
    /// Of the wire that leaves this box.
    Passage(usize),
}

impl Place {
    /// The box whose wire leaves here.
    const fn wire(self) -> usize {
        match self {
            Self::Box(shape) | Self::Passage(shape) => shape,
        }
    }
}

/// Where everything of a panel is.
struct Layout<'a> {
    panel: &'a Panel,
    /// Places of each layer from top to bottom.
    layers: Vec<Vec<Place>>,
    /// Layer of each box.
    layer_of: Vec<usize>,
    /// Middle height of each place of each layer.
    middles: Vec<BTreeMap<Place, i32>>,
    /// Left edge and width of each layer.
    columns: Vec<(i32, i32)>,
    /// For each box the port of each of its feeds, counted from the top.
    slots: Vec<Vec<usize>>,
    /// Upright pieces of each channel: wire to track.
    tracks: Vec<BTreeMap<usize, i32>>,
    width: i32,
    height: i32,
}

/// A wire in the channel behind a layer: the height it comes in at, and those it goes out at.
struct Run {
    wire: usize,
    from: i32,
    to: Vec<i32>,
}

impl Run {
    fn span(&self) -> (i32, i32) {
        let heights = || self.to.iter().copied().chain([self.from]);
        (heights().min().unwrap_or(self.from), heights().max().unwrap_or(self.from))
    }

    fn is_straight(&self) -> bool {
        self.span().0 == self.span().1
    }
}

impl<'a> Layout<'a> {
    fn new(panel: &'a Panel) -> Self {
        let layer_of = layers_of(&panel.shapes);
        let mut layout = Self {
            panel,
            layers: places(&panel.shapes, &layer_of),
            layer_of,
            slots: panel.shapes.iter().map(|shape| (0..shape.feeds.len()).collect()).collect(),
            middles: Vec::new(),
            columns: Vec::new(),
            tracks: Vec::new(),
            width: 0,
            height: 0,
        };
        layout.order();
        layout.stack();
        layout.straighten();
        layout.sort_ports();
        layout.straighten();
        layout.assign_tracks();
        layout.move_to_top();
        layout.assign_columns();
        layout
    }

    fn shape(&self, index: usize) -> &'a Shape {
        &self.panel.shapes[index]
    }

    fn height_of(&self, place: Place) -> i32 {
        match place {
            Place::Box(shape) => box_height(self.shape(shape)),
            Place::Passage(_) => 0,
        }
    }

    /// The places in layer `layer` that take the wire of `place`, which is in the layer before.
    fn takers(&self, layer: usize, place: Place) -> impl Iterator<Item = Place> {
        let wire = place.wire();
        self.layers.get(layer).into_iter().flatten().copied().filter(move |taker| match taker {
            Place::Passage(passing) => *passing == wire,
            Place::Box(shape) => feeds_from(self.shape(*shape), wire),
        })
    }

    /// The places in layer `layer - 1` that `place` takes wires from.
    fn givers(&self, layer: usize, place: Place) -> impl Iterator<Item = Place> {
        let before = layer.checked_sub(1).and_then(|layer| self.layers.get(layer));
        before.into_iter().flatten().copied().filter(move |giver| match place {
            Place::Passage(passing) => giver.wire() == passing,
            Place::Box(shape) => feeds_from(self.shape(shape), giver.wire()),
        })
    }

    /// Sorts each layer by the mean position of its neighbours, to and fro, and keeps the order with fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let count = self.layers.len();
            for step in 0..count {
                let layer = if sweep % 2 == 0 { step } else { count - 1 - step };
                self.sort_layer(layer, sweep % 2 == 0);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn sort_layer(&mut self, layer: usize, by_givers: bool) {
        let position = |layers: &[Vec<Place>], layer: usize, place: Place| -> i64 {
            let index = layers[layer].iter().position(|other| *other == place).unwrap_or(0);
            i64::try_from(index).unwrap_or(0) * 1_000
        };
        let mut keyed: Vec<(i64, usize, Place)> = Vec::new();
        for (index, place) in self.layers[layer].iter().copied().enumerate() {
            let neighbours: Vec<i64> = if by_givers {
                self.givers(layer, place).map(|giver| position(&self.layers, layer - 1, giver)).collect()
            } else {
                self.takers(layer + 1, place).map(|taker| position(&self.layers, layer + 1, taker)).collect()
            };
            let own = position(&self.layers, layer, place);
            let mean = match neighbours.len() {
                0 => own,
                count => neighbours.iter().sum::<i64>() / i64::try_from(count).unwrap_or(1),
            };
            keyed.push((mean, index, place));
        }
        keyed.sort_by_key(|(mean, index, _)| (*mean, *index));
        self.layers[layer] = keyed.into_iter().map(|(_, _, place)| place).collect();
    }

    /// How often wires cross between layers.
    fn crossings(&self) -> usize {
        (1..self.layers.len()).map(|layer| self.crossings_before(layer)).sum()
    }

    fn crossings_before(&self, layer: usize) -> usize {
        let mut ends: Vec<(usize, usize)> = Vec::new();
        for (to, place) in self.layers[layer].iter().enumerate() {
            let givers: Vec<Place> = self.givers(layer, *place).collect();
            let froms = self.layers[layer - 1].iter().enumerate().filter(|(_, other)| givers.contains(other));
            ends.extend(froms.map(|(from, _)| (from, to)));
        }
        let crosses = |a: &(usize, usize), b: &(usize, usize)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1);
        ends.iter().enumerate().map(|(at, a)| ends[at + 1..].iter().filter(|b| crosses(a, b)).count()).sum()
    }

    /// Puts each layer's places below each other.
    fn stack(&mut self) {
        for layer in &self.layers {
            let (mut middles, mut y) = (BTreeMap::new(), 0);
            let mut before: Option<Place> = None;
            for place in layer {
                y += before.map_or(0, |before| self.distance(before, *place));
                middles.insert(*place, y);
                before = Some(*place);
            }
            self.middles.push(middles);
        }
    }

    /// How far the middles of two places, one below the other, must be apart.
    fn distance(&self, upper: Place, lower: Place) -> i32 {
        let boxes = matches!((upper, lower), (Place::Box(_), Place::Box(_)));
        (self.height_of(upper) + self.height_of(lower)) / 2 + if boxes { GAP } else { WIRE_GAP }
    }

    /// Pulls places towards the height at which their wires are straight, to and fro.
    fn straighten(&mut self) {
        for sweep in 0..SWEEPS {
            let count = self.layers.len();
            for step in 0..count {
                let layer = if sweep % 2 == 0 { step } else { count - 1 - step };
                let wishes = self.wishes(layer, sweep % 2 == 0);
                self.settle(layer, &wishes);
            }
        }
    }

    /// Where the order of a box's inputs means nothing, takes them in the order in which they come.
    fn sort_ports(&mut self) {
        for (index, shape) in self.panel.shapes.iter().enumerate() {
            let Some(before) = self.layer_of[index].checked_sub(1) else { continue };
            if shape.feeds.iter().any(|feed| !feed.port.is_empty()) {
                continue;
            }
            let height = |feed: &Feed| match feed.from {
                FeedFrom::Word(_) => None,
                FeedFrom::Shape(wire) => {
                    self.middles[before].iter().find(|(place, _)| place.wire() == wire).map(|(_, y)| *y)
                }
            };
            let mut order: Vec<usize> = (0..shape.feeds.len()).collect();
            order.sort_by_key(|feed| height(&shape.feeds[*feed]));
            for (slot, feed) in order.into_iter().enumerate() {
                self.slots[index][feed] = slot;
            }
        }
    }

    /// Lets the uppermost place touch the top.
    fn move_to_top(&mut self) {
        let edges = self.middles.iter().flatten().map(|(place, y)| y - self.height_of(*place) / 2);
        let shift = edges.min().unwrap_or(0);
        self.middles.iter_mut().flat_map(BTreeMap::values_mut).for_each(|y| *y -= shift);
        let bottoms = self.middles.iter().flatten().map(|(place, y)| y + self.height_of(*place) / 2);
        self.height = bottoms.max().unwrap_or(0) + HEAD + 2 * PAD + MARGIN;
    }

    /// For each place of a layer the middle height that would make its wires straight, as a mean.
    fn wishes(&self, layer: usize, by_givers: bool) -> Vec<i32> {
        let mean = |wishes: Vec<i32>, else_: i32| match i32::try_from(wishes.len()) {
            Ok(0) | Err(_) => else_,
            Ok(count) => wishes.iter().sum::<i32>() / count,
        };
        let wish = |place: &Place| {
            let own = self.middles[layer][place];
            if by_givers {
                let wires = self.givers(layer, *place).flat_map(|giver| {
                    let from = self.middles[layer - 1][&giver];
                    self.ports_of(*place, giver.wire()).into_iter().map(move |port| from - port)
                });
                mean(wires.collect(), own)
            } else {
                let wires = self.takers(layer + 1, *place).flat_map(|taker| {
                    let to = self.middles[layer + 1][&taker];
                    self.ports_of(taker, place.wire()).into_iter().map(move |port| to + port)
                });
                mean(wires.collect(), own)
            }
        };
        self.layers[layer].iter().map(wish).collect()
    }

    /// Heights, relative to its middle, at which a place takes a wire.
    fn ports_of(&self, place: Place, wire: usize) -> Vec<i32> {
        match place {
            Place::Passage(_) => vec![0],
            Place::Box(index) => {
                let shape = self.shape(index);
                let own = shape.feeds.iter().zip(&self.slots[index]);
                let own = own.filter(|(feed, _)| feed.from == FeedFrom::Shape(wire));
                own.map(|(_, slot)| port_offset(shape, *slot)).collect()
            }
        }
    }

    /// Gives every place of a layer its wish as far as order and distances allow: places that would overlap move as one.
    fn settle(&mut self, layer: usize, wishes: &[i32]) {
        let places = &self.layers[layer];
        // Each group: sum of what its places wish for its first one, number of places, index of the first.
        let mut groups: Vec<(i64, i64, usize)> = Vec::new();
        let mut offsets = vec![0_i64; places.len()];
        for index in 1..places.len() {
            offsets[index] = offsets[index - 1] + i64::from(self.distance(places[index - 1], places[index]));
        }
        for (index, wish) in wishes.iter().enumerate() {
            groups.push((i64::from(*wish) - offsets[index], 1, index));
            // In terms of offsets, a group may not begin above the one before it.
            while let [.., (sum_a, count_a, _), (sum_b, count_b, _)] = groups.as_slice()
                && sum_a.div_euclid(*count_a) >= sum_b.div_euclid(*count_b)
            {
                let (sum, count, _) = groups.pop().unwrap_or_default();
                if let Some(last) = groups.last_mut() {
                    last.0 += sum;
                    last.1 += count;
                }
            }
        }
        let mut heights = BTreeMap::new();
        for (at, (sum, count, first)) in groups.iter().enumerate() {
            let end = groups.get(at + 1).map_or(places.len(), |next| next.2);
            for index in *first..end {
                let y = sum.div_euclid(*count) + offsets[index];
                heights.insert(places[index], i32::try_from(y).unwrap_or(0));
            }
        }
        self.middles[layer] = heights;
    }

    /// The wires in the channel behind `layer`.
    fn runs(&self, layer: usize) -> Vec<Run> {
        let run = |giver: &Place| {
            let to = self.takers(layer + 1, *giver).flat_map(|taker| {
                let middle = self.middles[layer + 1][&taker];
                self.ports_of(taker, giver.wire()).into_iter().map(move |port| middle + port)
            });
            Run { wire: giver.wire(), from: self.middles[layer][giver], to: to.collect() }
        };
        self.layers[layer].iter().map(run).filter(|run| !run.to.is_empty()).collect()
    }

    fn assign_tracks(&mut self) {
        for layer in 0..self.layers.len() {
            let mut routed = tracks(&self.runs(layer));
            for _ in 0..ROUNDS {
                let Some(wire) = routed.1 else { break };
                self.nudge(layer, wire);
                routed = tracks(&self.runs(layer));
            }
            self.tracks.push(routed.0);
        }
    }

    /// Moves the place that a wire leaves by less than any gap; in the channel before it, that makes a bend and no circle.
    fn nudge(&mut self, layer: usize, wire: usize) {
        let places = self.middles[layer].iter_mut().filter(|(place, _)| place.wire() == wire);
        places.for_each(|(_, y)| *y += NUDGE);
    }

    fn assign_columns(&mut self) {
        let mut x = MARGIN;
        for (layer, places) in self.layers.iter().enumerate() {
            let widths = places.iter().map(|place| match place {
                Place::Box(shape) => box_width(self.shape(*shape)),
                Place::Passage(_) => 0,
            });
            let width = widths.max().unwrap_or(0);
            self.columns.push((x, width));
            let tracks = self.tracks[layer].values().max().map_or(0, |last| last + 1);
            x += width + 2 * CHANNEL_EDGE + TRACK * tracks + constants_width(self.panel, &self.layer_of, layer + 1);
        }
        self.width = self.columns.last().map_or(0, |(x, width)| x + width + MARGIN);
    }

    fn draw(&self, canvas: &mut Canvas, at: Point, width: i32) {
        canvas.frame(at, (at.0 + width, at.1 + self.height), Ink::Prepare);
        canvas.text((at.0 + 16, at.1 + 22), &self.panel.title, Lettering { size: 15, ..bold() });
        let subtitle = Lettering::new(Ink::Muted, Anchor::End);
        canvas.text((at.0 + width - 16, at.1 + 22), &self.panel.subtitle, subtitle);
        let origin = (at.0, at.1 + HEAD + PAD);
        let moved = |(x, y): Point| (origin.0 + x, origin.1 + y);
        for Piece { wire, from, to } in self.pieces() {
            canvas.line(moved(from), moved(to), wire_ink(wire), 2);
        }
        for (wire, at) in self.dots() {
            canvas.dot(moved(at), 4, wire_ink(wire));
        }
        for (shape, (left, middle), width) in self.boxes() {
            draw_box(canvas, self.shape(shape), &self.slots[shape], moved((left, middle)), width);
        }
    }

    /// Each box with the middle of its left edge, and its width.
    fn boxes(&self) -> impl Iterator<Item = (usize, Point, i32)> {
        self.layer_of.iter().enumerate().map(|(shape, layer)| {
            let (x, width) = self.columns[*layer];
            (shape, (x, self.middles[*layer][&Place::Box(shape)]), width)
        })
    }

    /// All straight pieces of all wires.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for layer in 0..self.layers.len() {
            let (x, width) = self.columns[layer];
            for place in &self.layers[layer] {
                if let Place::Passage(wire) = *place {
                    let y = self.middles[layer][place];
                    pieces.push(Piece { wire, from: (x, y), to: (x + width, y) });
                }
            }
            for run in self.runs(layer) {
                self.run_pieces(layer, &run, &mut pieces);
            }
        }
        pieces
    }

    fn run_pieces(&self, layer: usize, run: &Run, pieces: &mut Vec<Piece>) {
        let (left, x, right) = self.channel(layer, run);
        let (wire, (top, bottom)) = (run.wire, run.span());
        pieces.push(Piece { wire, from: (left, run.from), to: (x, run.from) });
        if bottom > top {
            pieces.push(Piece { wire, from: (x, top), to: (x, bottom) });
        }
        for to in run.to.iter().filter(|_| x < right) {
            pieces.push(Piece { wire, from: (x, *to), to: (right, *to) });
        }
    }

    /// Where the channel behind `layer` begins, where the wire turns in it, and where it ends.
    fn channel(&self, layer: usize, run: &Run) -> (i32, i32, i32) {
        let (column, width) = self.columns[layer];
        let left = column + width;
        let right = self.columns.get(layer + 1).map_or(left, |(next, _)| *next);
        let track = self.tracks[layer].get(&run.wire);
        (left, track.map_or(right, |track| left + CHANNEL_EDGE + TRACK * track), right)
    }

    /// Where more than two pieces of a wire meet.
    fn dots(&self) -> Vec<(usize, Point)> {
        let runs = (0..self.layers.len()).flat_map(|layer| self.runs(layer).into_iter().map(move |run| (layer, run)));
        let at = |(layer, run): (usize, Run)| {
            let (_, x, _) = self.channel(layer, &run);
            junctions(&run).into_iter().map(move |y| (run.wire, (x, y)))
        };
        runs.flat_map(at).collect()
    }
}

/// A straight piece of a wire; `from` is left of `to` or above it.
struct Piece {
    wire: usize,
    from: Point,
    to: Point,
}

/// Heights at which more than two pieces of a wire meet on its upright piece.
fn junctions(run: &Run) -> BTreeSet<i32> {
    let (top, bottom) = run.span();
    let heights: BTreeSet<i32> = run.to.iter().copied().chain([run.from]).collect();
    let pieces = |y: i32| {
        let sides = i32::from(run.from == y) + i32::from(run.to.contains(&y));
        sides + i32::from(y > top) + i32::from(y < bottom)
    };
    heights.into_iter().filter(|y| pieces(*y) > 2).collect()
}

fn feeds_from(shape: &Shape, wire: usize) -> bool {
    shape.feeds.iter().any(|feed| feed.from == FeedFrom::Shape(wire))
}

const fn wire_ink(wire: usize) -> Ink {
    WIRES[wire % WIRES.len()]
}

fn bold() -> Lettering {
    Lettering::new(Ink::Text, Anchor::Start).bold()
}

/// The layer of each box: sources first, sinks that nothing takes from last, everything else one behind its last input.
fn layers_of(shapes: &[Shape]) -> Vec<usize> {
    let mut layers: Vec<usize> = Vec::new();
    for shape in shapes {
        let behind = shape.feeds.iter().filter_map(|feed| match feed.from {
            FeedFrom::Shape(index) => layers.get(index).map(|layer| layer + 1),
            FeedFrom::Word(_) => Some(1),
        });
        layers.push(if shape.class == ShapeClass::Source { 0 } else { behind.max().unwrap_or(0) });
    }
    let last = layers.iter().copied().max().unwrap_or(0);
    for (index, shape) in shapes.iter().enumerate() {
        let goes_on = shapes.iter().any(|other| feeds_from(other, index));
        if shape.class == ShapeClass::Sink && !goes_on {
            layers[index] = last;
        }
    }
    layers
}

/// All places, layer by layer, in the order of the boxes.
fn places(shapes: &[Shape], layer_of: &[usize]) -> Vec<Vec<Place>> {
    let count = layer_of.iter().copied().max().map_or(0, |last| last + 1);
    let mut layers: Vec<Vec<Place>> = vec![Vec::new(); count];
    for (shape, layer) in layer_of.iter().enumerate() {
        layers[*layer].push(Place::Box(shape));
        let takers = (0..shapes.len()).filter(|taker| feeds_from(&shapes[*taker], shape)).map(|taker| layer_of[taker]);
        let last = takers.max().unwrap_or(0);
        layers.iter_mut().take(last).skip(layer + 1).for_each(|passed| passed.push(Place::Passage(shape)));
    }
    layers
}

/// The track of each wire that needs an upright piece; no two that overlap share one. Besides, a wire that would lie on
/// another whatever the order of tracks, if there is one.
fn tracks(runs: &[Run]) -> (BTreeMap<usize, i32>, Option<usize>) {
    let mut bent: Vec<&Run> = runs.iter().filter(|run| !run.is_straight()).collect();
    // Wires that rise turn first at the top, those that fall turn first at the bottom: so they do not cross each other.
    bent.sort_by_key(|run| {
        let mean = run.to.iter().sum::<i32>() / i32::try_from(run.to.len()).unwrap_or(1).max(1);
        if mean < run.from { (0, run.from) } else { (1, -run.from) }
    });
    let mut placed: Vec<(&Run, i32)> = Vec::new();
    let mut in_circle = None;
    while !bent.is_empty() {
        // A wire that comes in where another goes out must turn before that other one.
        let blocked = |run: &&Run| bent.iter().any(|other| other.wire != run.wire && run.to.contains(&other.from));
        let free = bent.iter().position(|run| !blocked(run));
        let run = bent.remove(free.unwrap_or(0));
        if free.is_none() {
            in_circle = in_circle.or(Some(run.wire));
        }
        let meets = |other: &Run| {
            let ((top, bottom), (other_top, other_bottom)) = (run.span(), other.span());
            top <= other_bottom + 4 && other_top <= bottom + 4
        };
        let track = placed.iter().filter(|(other, _)| meets(other)).map(|(_, track)| track + 1).max().unwrap_or(0);
        placed.push((run, track));
    }
    (placed.into_iter().map(|(run, track)| (run.wire, track)).collect(), in_circle)
}

/// Room in front of a layer for the words of inputs that never change.
fn constants_width(panel: &Panel, layer_of: &[usize], layer: usize) -> i32 {
    let has_word = |shape: &Shape| shape.feeds.iter().any(|feed| matches!(feed.from, FeedFrom::Word(_)));
    let any = panel.shapes.iter().zip(layer_of).any(|(shape, of)| *of == layer && has_word(shape));
    if any { 48 } else { 0 }
}

fn box_height(shape: &Shape) -> i32 {
    let rows = (1 + shape.lines.len()).max(shape.feeds.len());
    // An even height has a middle.
    LINE * i32::try_from(rows).unwrap_or(1) + 2 * PAD
}

/// Pixels that a text takes at most, guessed: the reader's font is not known.
fn text_width(text: &str, tenths_a_letter: i32) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(0) * tenths_a_letter / 10
}

fn ports_width(shape: &Shape) -> i32 {
    shape
        .feeds
        .iter()
        .map(|feed| text_width(&feed.port, 66))
        .max()
        .map_or(0, |width| if width > 0 { width + 14 } else { 0 })
}

fn box_width(shape: &Shape) -> i32 {
    let label = text_width(&shape.label, 80);
    let lines = shape.lines.iter().map(|line| text_width(line, 68)).max().unwrap_or(0);
    (label.max(lines) + ports_width(shape) + 34).max(92)
}

/// Height of a port relative to the middle of its box.
fn port_offset(shape: &Shape, port: usize) -> i32 {
    let (count, port) = (i32::try_from(shape.feeds.len()).unwrap_or(1), i32::try_from(port).unwrap_or(0));
    LINE * port - LINE * (count - 1) / 2
}

fn draw_box(canvas: &mut Canvas, shape: &Shape, slots: &[usize], (left, middle): Point, width: i32) {
    let half = box_height(shape) / 2;
    let (top, bottom, right) = (middle - half, middle + half, left + width);
    let ink = shape.class.ink();
    canvas.fill((left, top), (right, bottom), Ink::Paper);
    canvas.fill((left, top), (left + 6, bottom), ink);
    canvas.frame((left, top), (right, bottom), ink);
    let text_left = left + 18 + ports_width(shape);
    let rows = i32::try_from(shape.lines.len()).unwrap_or(0);
    let first = middle - LINE * rows / 2;
    canvas.text((text_left, first), &shape.label, bold());
    for (row, line) in (1..).zip(&shape.lines) {
        canvas.text((text_left, first + LINE * row), line, Lettering::new(Ink::Muted, Anchor::Start).small());
    }
    for (slot, feed) in slots.iter().zip(&shape.feeds) {
        let y = middle + port_offset(shape, *slot);
        canvas.text((left + 13, y), &feed.port, Lettering::new(Ink::Text, Anchor::Start).small());
        if let FeedFrom::Word(word) = &feed.from {
            canvas.line((left - 14, y), (left, y), Ink::Muted, 2);
            canvas.text((left - 18, y), word, Lettering::new(Ink::Muted, Anchor::End).small());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Feed, FeedFrom, Layout, Panel, Piece, Shape, ShapeClass, box_height};

    /// A made-up diagram: sources, then boxes that take earlier ones. The numbers come from a small generator
    /// (x := 1103515245 x + 12345, the upper bits), so that each seed is the same diagram for ever.
    fn made_up(seed: u32) -> Panel {
        let mut state = seed;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (state >> 16) as usize % limit
        };
        let count = 4 + below(30);
        let mut shapes: Vec<Shape> = Vec::new();
        for index in 0..count {
            let class = match index {
                0..3 => ShapeClass::Source,
                _ => [ShapeClass::Gate, ShapeClass::Memory, ShapeClass::Sink, ShapeClass::Source][below(4)],
            };
            let takes = if class == ShapeClass::Source { 0 } else { 1 + below(4) };
            let port = if class == ShapeClass::Memory { "port" } else { "" };
            let mut feed = || Feed { port: port.to_owned(), from: FeedFrom::Shape(below(index)) };
            let feeds = (0..takes).map(|_| feed()).collect();
            shapes.push(Shape {
                label: format!("box_{index}"),
                lines: vec!["line".to_owned(); index % 4],
                class,
                feeds,
            });
        }
        Panel { title: String::new(), subtitle: String::new(), shapes }
    }

    fn overlap((a, b): (i32, i32), (c, d): (i32, i32)) -> bool {
        a < d && c < b
    }

    /// Whether two pieces of different wires lie on each other; crossing at a right angle is no such thing.
    fn lie_on_each_other(a: &Piece, b: &Piece) -> bool {
        let upright = |piece: &Piece| piece.from.0 == piece.to.0 && piece.from.1 != piece.to.1;
        let level = |piece: &Piece| piece.from.1 == piece.to.1;
        let x = |piece: &Piece| (piece.from.0, piece.to.0);
        let y = |piece: &Piece| (piece.from.1, piece.to.1);
        (upright(a) && upright(b) && a.from.0 == b.from.0 && overlap(y(a), y(b)))
            || (level(a) && level(b) && a.from.1 == b.from.1 && overlap(x(a), x(b)))
    }

    #[test]
    fn boxes_and_wires_of_any_diagram_keep_clear_of_each_other() {
        for seed in 0..400 {
            let panel = made_up(seed);
            let layout = Layout::new(&panel);
            let boxes: Vec<((i32, i32), (i32, i32))> = layout
                .boxes()
                .map(|(shape, (left, middle), width)| {
                    let half = box_height(&panel.shapes[shape]) / 2;
                    ((left, left + width), (middle - half, middle + half))
                })
                .collect();
            for (at, a) in boxes.iter().enumerate() {
                assert!(
                    boxes[at + 1..].iter().all(|b| !(overlap(a.0, b.0) && overlap(a.1, b.1))),
                    "seed {seed}: boxes"
                );
                assert!(a.1.0 >= 0 && a.0.1 < layout.width && a.1.1 < layout.height, "seed {seed}: outside");
            }
            let pieces = layout.pieces();
            for piece in &pieces {
                assert!(piece.from.0 == piece.to.0 || piece.from.1 == piece.to.1, "seed {seed}: a slant");
                let (x, y) = ((piece.from.0, piece.to.0 + 1), (piece.from.1, piece.to.1 + 1));
                let inside = |((left, right), (top, bottom)): &((i32, i32), (i32, i32))| {
                    overlap(x, (left + 1, right - 1)) && overlap(y, (*top, *bottom))
                };
                assert!(!boxes.iter().any(inside), "seed {seed}: wire {} goes through a box", piece.wire);
            }
            for (at, a) in pieces.iter().enumerate() {
                let on = pieces[at + 1..].iter().find(|b| a.wire != b.wire && lie_on_each_other(a, b));
                assert!(on.is_none(), "seed {seed}: wire {} lies on {:?}", a.wire, on.map(|b| b.wire));
            }
        }
    }

    #[test]
    fn every_input_is_joined_to_the_box_it_comes_from() {
        for seed in 0..100 {
            let panel = made_up(seed);
            let layout = Layout::new(&panel);
            let pieces = layout.pieces();
            for (shape, (left, middle), _) in layout.boxes() {
                for (feed, slot) in panel.shapes[shape].feeds.iter().zip(&layout.slots[shape]) {
                    let FeedFrom::Shape(from) = feed.from else { continue };
                    let port = (left, middle + super::port_offset(&panel.shapes[shape], *slot));
                    assert!(reaches(&pieces, from, port, source_of(&layout, from)), "seed {seed}: {from} to {shape}");
                }
            }
        }
    }

    fn source_of(layout: &Layout<'_>, shape: usize) -> (i32, i32) {
        layout
            .boxes()
            .find(|(index, ..)| *index == shape)
            .map(|(_, (left, y), width)| (left + width, y))
            .expect("a box")
    }

    /// Whether the pieces of one wire lead from its port back to where it leaves.
    fn reaches(pieces: &[Piece], wire: usize, port: (i32, i32), source: (i32, i32)) -> bool {
        let mut points = vec![port];
        let mut left: Vec<&Piece> = pieces.iter().filter(|piece| piece.wire == wire).collect();
        let on = |piece: &Piece, (x, y): (i32, i32)| {
            (piece.from.0..=piece.to.0).contains(&x) && (piece.from.1..=piece.to.1).contains(&y)
        };
        let touches = |piece: &Piece, point: (i32, i32)| on(piece, point);
        while let Some(at) = left.iter().position(|piece| {
            points.iter().any(|point| touches(piece, *point))
                || pieces.iter().any(|other| {
                    other.wire == wire
                        && points.contains(&other.from)
                        && points.contains(&other.to)
                        && (on(other, piece.from) || on(other, piece.to))
                })
        }) {
            let piece = left.remove(at);
            points.extend([piece.from, piece.to]);
        }
        points.contains(&source)
    }
}
