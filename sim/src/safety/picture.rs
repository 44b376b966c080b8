//! Configurations shown to people: as text for a terminal and as the data of a drawing.
//!
//! The text lists pins and groups, then for each thing that is driven the blocks behind it as a tree; a block that was
//! shown before is named only. The drawing itself is made by `reports`, which alone knows SVG.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use reports::{Diagram, Feed, FeedFrom, Panel, Shape, ShapeClass, counted};

use super::compile::Compiled;
use super::diagram::{Block, BlockKind, GroupPins, InputGroup, Node, OFF, ON, Pin};
use super::order;
use crate::scenario::quantity;

/// The text view of the node named so, or of all.
#[must_use]
pub fn text(compiled: &Compiled, node: Option<&str>) -> String {
    let mut out = format!("{}  {}\n", compiled.name, compiled.diagram.title);
    for one in shown(compiled, node) {
        node_text(one, &mut out);
    }
    out
}

/// The drawing of the node named so, or of all.
#[must_use]
pub fn drawing(compiled: &Compiled, node: Option<&str>) -> Diagram {
    let title = match compiled.diagram.title.as_str() {
        "" => compiled.name.clone(),
        title => format!("{}: {title}", compiled.name),
    };
    let subtitle = format!(
        "network 0x{:08X}, configuration hash 0x{:08X}, response time {} ms",
        compiled.network.id, compiled.hash, compiled.network.response_ms
    );
    let panels = shown(compiled, node).map(panel).collect();
    Diagram { name: compiled.name.clone(), title, subtitle, panels }
}

fn shown<'a>(compiled: &'a Compiled, node: Option<&'a str>) -> impl Iterator<Item = &'a Node> {
    compiled.diagram.nodes.iter().filter(move |one| node.is_none_or(|name| one.name == name))
}

/// Everything of a node that is neither pin nor block, in a few words.
fn facts(node: &Node) -> String {
    let mut facts = vec![format!("serial 0x{:08X}", node.serial)];
    facts.push(format!("supply {} to {}", node.supply.minimum, node.supply.maximum));
    if node.radio {
        facts.push(format!("radio, {}", counted(u64::from(node.memories), "memory", "memories")));
    }
    if let Some(can) = &node.can {
        let entries: Vec<String> = can.entries.iter().map(u8::to_string).collect();
        let entries = if entries.is_empty() { "none".to_owned() } else { entries.join(", ") };
        facts.push(format!("CAN index {}, sends entries: {entries}", can.index));
    }
    facts.join("; ")
}

fn node_text(node: &Node, out: &mut String) {
    let mut line = |text: String| writeln!(out, "{}", text.trim_end()).expect("a string takes any text");
    let title = if node.title.is_empty() { String::new() } else { format!("  {}", node.title) };
    line(format!("\nnode {}{title}", node.name));
    line(format!("  {}", facts(node)));
    let width =
        |names: &mut dyn Iterator<Item = &str>| names.map(|name| name.chars().count()).max().unwrap_or(0).max(4);
    if !node.pins.is_empty() {
        let width = width(&mut node.pins.iter().map(|pin| pin.name.as_str()));
        line(format!("\n  {:>3}  {:width$}  {:8}  {:8}  OFF", "pin", "name", "role", "ON"));
        let mut pins: Vec<&Pin> = node.pins.iter().collect();
        pins.sort_by_key(|pin| pin.pin);
        for Pin { pin, name, role, on, off } in pins {
            let role = role.name().to_lowercase();
            line(format!("  {pin:>3}  {name:width$}  {role:8}  {:8}  {}", on.name(), off.name()));
        }
    }
    let width =
        width(&mut node.inputs.iter().map(|g| g.name.as_str()).chain(node.outputs.iter().map(|g| g.name.as_str())));
    if !node.inputs.is_empty() || !node.outputs.is_empty() {
        line(String::new());
    }
    for group in &node.inputs {
        line(format!("  input   {:width$}  {}", group.name, input_words(group).join(", ")));
    }
    for group in &node.outputs {
        line(format!("  output  {:width$}  {}", group.name, pins_words(&group.pins)));
    }
    let mut tree = Tree { node, shown: BTreeSet::new(), lines: Vec::new() };
    for block in node.blocks.iter().filter(|block| block.kind.is_sink()) {
        tree.lines.push(String::new());
        tree.block(block, "", "", "");
    }
    tree.idle();
    tree.lines.into_iter().for_each(|text| line(format!("  {text}")));
}

fn pins_words(pins: &GroupPins) -> String {
    pins.names().collect::<Vec<_>>().join(" + ")
}

fn input_words(group: &InputGroup) -> Vec<String> {
    let mut words = vec![pins_words(&group.pins)];
    words.extend(group.discrepancy.map(|time| format!("discrepancy {}", quantity::text(time))));
    if group.on_filter.as_nanos() > 0 {
        words.push(format!("ON filter {}", quantity::text(group.on_filter)));
    }
    if group.start_up_test {
        words.push("start-up test".to_owned());
    }
    words
}

/// What a block does, without its inputs.
fn action(kind: &BlockKind) -> String {
    let name = kind.name();
    match kind {
        BlockKind::Input(of) | BlockKind::InputError(of) | BlockKind::OutputError(of) => format!("{name} {of}"),
        BlockKind::MemoryReceive(from) => format!("{name} {} of {}", from.memory, from.node),
        BlockKind::CanReceive(from) => format!("{name} {} of {}", from.bit, from.node),
        BlockKind::OnDelay(timer) | BlockKind::OffDelay(timer) | BlockKind::Pulse(timer) => {
            format!("{name} {}", quantity::text(timer.time))
        }
        BlockKind::Mode(position) => format!("{name} {}", position.position),
        BlockKind::Output(to) => format!("{name} {}", to.group),
        BlockKind::Relay(to) => format!("{name} {}", to.relay),
        BlockKind::MemorySend(to) => format!("{name} {}", to.memory),
        BlockKind::CanSend(to) => format!("{name} entry {} bit {}", to.entry, to.bit),
        _ => name.to_owned(),
    }
}

/// The word at an input, where its place alone does not tell what it does.
fn port(kind: &BlockKind, input: usize) -> String {
    let word = match (kind, input) {
        (BlockKind::Latch(_), 0) => "set",
        (BlockKind::Latch(_), _) => "reset",
        (BlockKind::Reset(_), 0) => "condition",
        (BlockKind::Reset(_), _) => "button",
        (BlockKind::Mode(_), position) => return position.to_string(),
        _ => "",
    };
    word.to_owned()
}

/// Blocks as trees of lines.
struct Tree<'a> {
    node: &'a Node,
    shown: BTreeSet<&'a str>,
    lines: Vec<String>,
}

impl<'a> Tree<'a> {
    fn block(&mut self, block: &'a Block, lead: &str, below: &str, port: &str) {
        let sources = block.kind.sources();
        let known = !self.shown.insert(&block.name) && !sources.is_empty();
        let seen = if known { "  (see above)" } else { "" };
        let port = if port.is_empty() { String::new() } else { format!("{port}: ") };
        self.lines.push(format!("{lead}{port}{}  = {}{seen}", block.name, action(&block.kind)));
        if known {
            return;
        }
        let last = sources.len().saturating_sub(1);
        for (input, (_, name)) in sources.into_iter().enumerate() {
            let (branch, rest) = if input == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let (lead, below) = (format!("{below}{branch}"), format!("{below}{rest}"));
            let port = self::port(&block.kind, input);
            match self.node.blocks.iter().find(|other| other.name == name) {
                Some(other) => self.block(other, &lead, &below, &port),
                None => self.lines.push(format!("{lead}{}{name}", if port.is_empty() { port } else { port + ": " })),
            }
        }
    }

    /// Blocks that drive nothing.
    fn idle(&mut self) {
        let idle: Vec<&str> =
            self.node.blocks.iter().map(|b| b.name.as_str()).filter(|name| !self.shown.contains(name)).collect();
        if !idle.is_empty() {
            self.lines.push(String::new());
            self.lines.push(format!("drive nothing: {}", idle.join(", ")));
        }
    }
}

fn panel(node: &Node) -> Panel {
    let order = order::order(&node.blocks);
    let index = |name: &str| order.iter().position(|block| node.blocks[*block].name == name);
    let feed = |kind: &BlockKind, input: usize, name: &str| {
        let from = match (name, index(name)) {
            (ON | OFF, _) | (_, None) => FeedFrom::Word(name.to_owned()),
            (_, Some(shape)) => FeedFrom::Shape(shape),
        };
        Feed { port: port(kind, input), from }
    };
    let shape = |block: &Block| {
        let feeds = block.kind.sources().into_iter().enumerate();
        Shape {
            label: block.name.clone(),
            lines: lines(node, block),
            class: class(&block.kind),
            feeds: feeds.map(|(input, (_, name))| feed(&block.kind, input, name)).collect(),
        }
    };
    let title = if node.title.is_empty() { node.name.clone() } else { format!("{}: {}", node.name, node.title) };
    Panel { title, subtitle: facts(node), shapes: order.iter().map(|index| shape(&node.blocks[*index])).collect() }
}

const fn class(kind: &BlockKind) -> ShapeClass {
    match kind {
        BlockKind::Input(_)
        | BlockKind::InputError(_)
        | BlockKind::OutputError(_)
        | BlockKind::MemoryReceive(_)
        | BlockKind::CanReceive(_) => ShapeClass::Source,
        BlockKind::And(_) | BlockKind::Or(_) | BlockKind::Xor(_) | BlockKind::Not(_) | BlockKind::Mode(_) => {
            ShapeClass::Gate
        }
        BlockKind::Latch(_)
        | BlockKind::OnDelay(_)
        | BlockKind::OffDelay(_)
        | BlockKind::Pulse(_)
        | BlockKind::Reset(_) => ShapeClass::Memory,
        BlockKind::Output(_) | BlockKind::Relay(_) | BlockKind::MemorySend(_) | BlockKind::CanSend(_) => {
            ShapeClass::Sink
        }
    }
}

/// The lines of a box below its name.
fn lines(node: &Node, block: &Block) -> Vec<String> {
    let mut lines = vec![action(&block.kind)];
    let pin = |name: &str| {
        let pin = node.pins.iter().find(|pin| pin.name == name);
        pin.map_or(String::new(), |pin| {
            format!("pin {}: {}, {} / {}", pin.pin, pin.name, pin.on.name(), pin.off.name())
        })
    };
    match &block.kind {
        BlockKind::Input(name) => {
            if let Some(group) = node.inputs.iter().find(|group| group.name == *name) {
                lines.extend(group.pins.names().map(pin));
                let rest = input_words(group).split_off(1);
                lines.extend((!rest.is_empty()).then(|| rest.join(", ")));
            }
        }
        BlockKind::Output(to) => {
            if let Some(group) = node.outputs.iter().find(|group| group.name == to.group) {
                lines.extend(group.pins.names().map(pin));
            }
        }
        _ => {}
    }
    lines
}
