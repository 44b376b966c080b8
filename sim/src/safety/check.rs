//! Which configurations make sense: every rule that a unit checks at start-up, told at its place in the file.
//!
//! The rules are those of `SAFETY.md`, sections 8 and 11, in terms of names. Ranges of single values stand in `diagram`.
//! All problems are found in one go; a configuration without any compiles to a binary that both CPUs accept. A problem
//! names the values `beside` its own that it rests on, since the file may hold some that could not be read.

use std::collections::{BTreeMap, BTreeSet};

use safety_common::configuration::{
    BLOCKS_MOST, GROUP_PINS_LEAST, GROUP_PINS_MOST, INPUT_GROUPS_MOST, OUTPUT_GROUPS_MOST,
};
use safety_common::flash_map::CONFIGURATION_LEN_MOST;
use safety_common::simplecan::ENTRIES_USABLE;
use safety_common::tool::PASSWORD_MOST;
use safety_common::{MEMORIES_STEP, NODES_MOST};

use reports::counted;

use super::compile::Response;
use super::diagram::{
    Block, BlockKind, Configuration, GroupPins, Node, OFF, ON, Pin, PinRole, SignalType, ToBit, ToMemory,
};
use super::order;
use crate::kernel::Span;
use crate::scenario::diagnostic::nearest;
use crate::scenario::{Code, Problem};

const MILLISECOND: u64 = 1_000_000;

/// Everything that is wrong with a configuration.
pub(super) fn check(configuration: &Configuration) -> Vec<Problem> {
    let mut check = Check { configuration, problems: Vec::new() };
    check.all();
    check.problems
}

struct Check<'a> {
    configuration: &'a Configuration,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn all(&mut self) {
        self.password();
        self.times();
        self.radio();
        self.nodes();
        for (index, node) in self.configuration.nodes.iter().enumerate() {
            NodeCheck { path: format!("nodes[{index}]"), node, check: self }.all();
        }
        self.length();
    }

    fn problem(&mut self, code: Code, path: &str, message: impl Into<String>, label: &str) -> &mut Problem {
        self.problems.push(Problem::new(code, path, message, label));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn password(&mut self) {
        let len = self.configuration.password.len();
        if !(1..=PASSWORD_MOST).contains(&len) {
            let message = format!("the password has {}", counted(len as u64, "byte", "bytes"));
            self.problem(Code::OutOfRange, "password", message, &format!("must have 1 to {PASSWORD_MOST} bytes"));
        }
    }

    /// A unit counts whole milliseconds.
    fn whole_ms(&mut self, path: &str, time: Span) {
        if !time.as_nanos().is_multiple_of(MILLISECOND) {
            let message = "a unit counts whole milliseconds";
            self.problem(Code::BadQuantity, path, message, "no whole number of milliseconds");
        }
    }

    fn times(&mut self) {
        let Configuration { response_time, radio, can, .. } = self.configuration;
        self.whole_ms("response_time", *response_time);
        self.whole_ms("radio.timeout", radio.timeout);
        self.whole_ms("radio.period", radio.period);
        self.whole_ms("can.age", can.age);
    }

    /// The slot plan of the network must be able to meet the time-out (SSR-077).
    fn radio(&mut self) {
        let radio = &self.configuration.radio;
        let senders = self.configuration.nodes.iter().filter(|node| node.radio).count() as u64;
        if radio.period.as_nanos() < senders * MILLISECOND {
            let message = format!("{senders} nodes cannot all send once in {} ms", ms(radio.period));
            let count = self.configuration.nodes.len();
            let problem =
                self.problem(Code::Contradiction, "radio.period", message, &format!("must be at least {senders}ms"));
            problem.help = Some("each node with radio needs a millisecond of its own in the period".to_owned());
            problem.beside = each("nodes", count, "radio");
        }
        if 2 * radio.period.as_nanos() > radio.timeout.as_nanos() {
            let message = format!(
                "a time-out of {} ms cannot be met with a period of {} ms",
                ms(radio.timeout),
                ms(radio.period)
            );
            let label = format!("must be at least {}ms, twice `radio.period`", ms(radio.period) * 2);
            self.problem(Code::Contradiction, "radio.timeout", message, &label);
        }
    }

    fn nodes(&mut self) {
        let nodes = &self.configuration.nodes;
        if !(1..=NODES_MOST).contains(&nodes.len()) {
            let message = format!("a network of {}", counted(nodes.len() as u64, "node", "nodes"));
            self.problem(Code::OutOfRange, "nodes", message, &format!("must have 1 to {NODES_MOST} nodes"));
        }
        self.names("nodes", "a node", nodes.iter().map(|node| node.name.as_str()));
        self.each_once(nodes.iter().enumerate().map(|(at, node)| {
            (format!("nodes[{at}].serial"), format!("serial number 0x{:08X}", node.serial), "two units")
        }));
        let places = || nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.can.as_ref()?)));
        self.each_once(
            places()
                .map(|(at, can)| (format!("nodes[{at}].can.index"), format!("CAN index {}", can.index), "two units")),
        );
        self.each_once(places().flat_map(|(at, can)| {
            let path = move |index: usize| format!("nodes[{at}].can.entries[{index}]");
            can.entries.iter().enumerate().map(move |(index, entry)| {
                (path(index), format!("CAN entry {entry}"), "two senders or is listed twice")
            })
        }));
        for (at, can) in places() {
            for (index, entry) in can.entries.iter().enumerate() {
                if usize::from(*entry) >= ENTRIES_USABLE {
                    let path = format!("nodes[{at}].can.entries[{index}]");
                    let message = format!("entry {entry} has no slot: the last two slots of a cycle stay empty");
                    self.problem(Code::OutOfRange, &path, message, &format!("must be below {ENTRIES_USABLE}"));
                }
            }
        }
    }

    /// Reports names that are none, and names that stand twice.
    fn names<'n>(&mut self, list: &str, what: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeMap::new();
        for (index, name) in names.enumerate() {
            let path = format!("{list}[{index}].name");
            if !is_name(name) || name == ON || name == OFF {
                let label = "letters, digits, `_` and `-`; not `ON` or `OFF`";
                self.problem(Code::BadWord, &path, format!("`{name}` cannot name {what}"), label);
            } else if let Some(first) = seen.get(name) {
                let list = list.rsplit('.').next().unwrap_or(list);
                let message = format!("`{name}` names two of `{list}`");
                self.problem(Code::Duplicate, &path, message, "the second one").beside = vec![String::clone(first)];
            } else {
                seen.insert(name, path);
            }
        }
    }

    /// Reports things (path, thing, what it would have) that are there twice.
    fn each_once(&mut self, things: impl Iterator<Item = (String, String, &'static str)>) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (path, thing, owners) in things {
            if let Some(first) = seen.get(&thing) {
                let message = format!("{thing} has {owners}");
                self.problem(Code::Duplicate, &path, message, "the second one").beside = vec![first.clone()];
            } else {
                seen.insert(thing, path);
            }
        }
    }

    fn length(&mut self) {
        let length = super::compile::length(self.configuration);
        if length > CONFIGURATION_LEN_MOST as usize {
            let message = format!("the binary would have {length} bytes");
            self.problem(Code::OutOfRange, "nodes", message, &format!("at most {CONFIGURATION_LEN_MOST} bytes fit"));
        }
    }
}

fn ms(time: Span) -> u64 {
    time.as_nanos() / MILLISECOND
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The paths of one field in each item of a list: what a name is looked up in. Of an empty list it is that of the list.
fn each(list: &str, count: usize, field: &str) -> Vec<String> {
    (0..count.max(1)).map(|index| format!("{list}[{index}].{field}")).collect()
}

/// Looks at one node.
struct NodeCheck<'c, 'a> {
    path: String,
    node: &'a Node,
    check: &'c mut Check<'a>,
}

impl<'a> NodeCheck<'_, 'a> {
    fn all(&mut self) {
        self.memories();
        self.limits();
        self.pins();
        self.input_groups();
        self.output_groups();
        self.every_pin_has_a_group();
        self.blocks();
        self.loops();
        self.response();
    }

    fn problem(&mut self, code: Code, path: &str, message: impl Into<String>, label: &str) -> &mut Problem {
        let path = format!("{}.{path}", self.path);
        self.check.problem(code, &path, message, label)
    }

    /// The paths of one field in each item of a list of this node.
    fn each(&self, list: &str, field: &str) -> Vec<String> {
        let Node { pins, inputs, outputs, blocks, .. } = self.node;
        let count = match list {
            "pins" => pins.len(),
            "inputs" => inputs.len(),
            "outputs" => outputs.len(),
            _ => blocks.len(),
        };
        each(&format!("{}.{list}", self.path), count, field)
    }

    /// The path of a value of this node.
    fn own(&self, path: &str) -> Vec<String> {
        vec![format!("{}.{path}", self.path)]
    }

    /// Reports a name that is not there, with the nearest one that is; `beside` are the paths of those that are.
    fn no_such(&mut self, path: &str, what: &str, name: &str, known: &[&str], beside: Vec<String>) {
        let near = nearest(name, known.iter().copied()).map(|near| format!("\"{near}\""));
        let label = near.as_ref().map_or_else(|| format!("no such {what}"), |near| format!("did you mean `{near}`?"));
        let problem = self.problem(Code::NoSuchThing, path, format!("there is no {what} `{name}`"), &label);
        problem.help = Some(match known {
            [] => format!("there is no {what} at all"),
            known => format!("there is: {}", known.join(", ")),
        });
        problem.replacement = near;
        problem.beside = beside;
    }

    fn memories(&mut self) {
        let Node { memories, radio, can, .. } = self.node;
        if !memories.is_multiple_of(u32::from(MEMORIES_STEP)) {
            let message = counted(u64::from(*memories), "memory", "memories");
            self.problem(Code::OutOfRange, "memories", message, &format!("must be a multiple of {MEMORIES_STEP}"));
        }
        if *memories > 0 && !radio {
            let message = "a node without radio has no global memories";
            let beside = self.own("radio");
            let problem = self.problem(Code::Contradiction, "memories", message, "never sent");
            problem.help = Some("set `radio: true`, or leave `memories` out".to_owned());
            problem.beside = beside;
        }
        if let Some(can) = can
            && can.entries.is_empty()
            && self.node.blocks.iter().any(|block| matches!(block.kind, BlockKind::CanSend(_)))
        {
            let beside = self.each("blocks", "kind");
            let message = "this node sets CAN bits but owns no entry";
            self.problem(Code::Contradiction, "can", message, "no `entries`").beside = beside;
        }
    }

    fn limits(&mut self) {
        let Node { supply, limits, .. } = self.node;
        if supply.minimum >= supply.maximum {
            let message = format!("the supply cannot be above {} and below {}", supply.minimum, supply.maximum);
            let beside = self.own("supply.maximum");
            self.problem(Code::Contradiction, "supply.minimum", message, "must be below `maximum`").beside = beside;
        }
        for (name, time) in [
            ("limits.rail_debounce", limits.rail_debounce),
            ("limits.mismatch_debounce", limits.mismatch_debounce),
            ("limits.relay_move", limits.relay_move),
        ] {
            self.check.whole_ms(&format!("{}.{name}", self.path), time);
        }
    }

    fn pins(&mut self) {
        let pins = &self.node.pins;
        let list = format!("{}.pins", self.path);
        self.check.names(&list, "a pin", pins.iter().map(|pin| pin.name.as_str()));
        self.check.each_once(
            pins.iter()
                .enumerate()
                .map(|(at, pin)| (format!("{list}[{at}].pin"), format!("pin {}", pin.pin), "two entries in `pins`")),
        );
        for (index, pin) in pins.iter().enumerate() {
            self.pin(&format!("pins[{index}]"), pin);
        }
    }

    /// The signal types that a role allows.
    fn pin(&mut self, path: &str, pin: &Pin) {
        let Pin { name, on, off, role, .. } = pin;
        let beside: Vec<String> =
            ["on", "off", "role"].iter().flat_map(|of| self.own(&format!("{path}.{of}"))).collect();
        // A place that is written, where there is one: left out, the pin itself is shown.
        if on == off {
            let message = format!("ON and OFF look the same on pin `{name}`");
            self.problem(Code::Contradiction, &format!("{path}.off"), message, "must be another type than `on`")
                .beside = beside.clone();
        }
        if *off == SignalType::Ossd {
            let message = format!("OSSD is no OFF state, on pin `{name}`");
            self.problem(Code::Contradiction, &format!("{path}.off"), message, "it is supply voltage with dips");
        }
        match role {
            PinRole::Input if (on, off) == (&SignalType::Ossd, &SignalType::High) => {
                let message = format!("OSSD and High cannot be told apart on pin `{name}`");
                self.problem(Code::Contradiction, &format!("{path}.off"), message, "a steady High passes for OSSD")
                    .beside = beside;
            }
            PinRole::Input => {}
            PinRole::Output => self.output_signals(path, pin, &beside),
            PinRole::Combined if (on, off) != (&SignalType::High, &SignalType::Low) => {
                let message = format!("combined pin `{name}` must be High and Low");
                self.problem(Code::Contradiction, path, message, "`on` must be High and `off` Low").help =
                    Some("the pin is released for 250 us to be read, which pulses would not survive".to_owned());
            }
            PinRole::Combined => {}
        }
    }

    /// OFF is the state with less energy, and a transistor that conducts for most of a tick is ON.
    fn output_signals(&mut self, path: &str, pin: &Pin, beside: &[String]) {
        let Pin { name, on, off, .. } = pin;
        let is_mostly_high = |signal: &SignalType| {
            matches!(signal, SignalType::High | SignalType::Ossd)
                || matches!(signal, SignalType::A | SignalType::B | SignalType::C | SignalType::D)
        };
        if !is_mostly_high(on) {
            let message = format!("ON cannot be {} on output pin `{name}`", on.name());
            let label = "must be High, Ossd or A to D: a lost output would read as ON";
            self.problem(Code::Contradiction, &format!("{path}.on"), message, label).beside = beside.to_vec();
        }
        if is_mostly_high(off) && on != off && *off != SignalType::Ossd {
            let message = format!("OFF cannot be {} on output pin `{name}`", off.name());
            let label = "must be Low or an inverse type: OFF is the state with less energy";
            self.problem(Code::Contradiction, &format!("{path}.off"), message, label).beside = beside.to_vec();
        }
    }

    fn input_groups(&mut self) {
        let groups = &self.node.inputs;
        let list = format!("{}.inputs", self.path);
        self.check.names(&list, "an input group", groups.iter().map(|group| group.name.as_str()));
        self.group_count("inputs", groups.len(), INPUT_GROUPS_MOST);
        let mut owners = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            let path = format!("inputs[{index}]");
            self.group_pins(&path, &group.name, &group.pins, PinRole::Output, &mut owners);
            self.low_is_on(&path, &group.name, &group.pins);
            self.discrepancy(&path, &group.pins, group.discrepancy);
            self.check.whole_ms(&format!("{}.{path}.on_filter", self.path), group.on_filter);
        }
    }

    fn output_groups(&mut self) {
        let groups = &self.node.outputs;
        let list = format!("{}.outputs", self.path);
        self.check.names(&list, "an output group", groups.iter().map(|group| group.name.as_str()));
        self.group_count("outputs", groups.len(), OUTPUT_GROUPS_MOST);
        let mut owners = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            let path = format!("outputs[{index}]");
            self.group_pins(&path, &group.name, &group.pins, PinRole::Input, &mut owners);
        }
    }

    fn group_count(&mut self, list: &str, count: usize, most: usize) {
        if count > most {
            let message = counted(count as u64, "group", "groups");
            self.problem(Code::OutOfRange, list, message, &format!("at most {most}"));
        }
    }

    /// How many pins a group has, that they exist, have the right role and no other group of its side.
    fn group_pins(
        &mut self,
        path: &str,
        group: &'a str,
        pins: &'a GroupPins,
        wrong_role: PinRole,
        owners: &mut BTreeMap<&'a str, &'a str>,
    ) {
        let count = pins.names().count();
        let allowed = GROUP_PINS_LEAST as usize..=GROUP_PINS_MOST as usize;
        if matches!(pins, GroupPins::Redundant(_)) && !allowed.contains(&count) {
            let label = format!("must be {GROUP_PINS_LEAST} to {GROUP_PINS_MOST}");
            let message = format!("redundant group `{group}` has {}", counted(count as u64, "pin", "pins"));
            self.problem(Code::OutOfRange, &format!("{path}.pins"), message, &label);
        }
        let known: Vec<&str> = self.node.pins.iter().map(|pin| pin.name.as_str()).collect();
        for (index, name) in pins.names().enumerate() {
            let at = match pins {
                GroupPins::Single(_) => format!("{path}.pins"),
                GroupPins::Redundant(_) => format!("{path}.pins[{index}]"),
            };
            match self.node.pins.iter().find(|pin| pin.name == name) {
                None => {
                    let beside = self.each("pins", "name");
                    self.no_such(&at, "pin", name, &known, beside);
                }
                Some(pin) if pin.role == wrong_role => {
                    let message = format!("pin `{name}` is an {}", pin.role.name().to_lowercase());
                    let beside = [self.each("pins", "name"), self.each("pins", "role")].concat();
                    let problem = self.problem(Code::Contradiction, &at, message, "in a group of the other side");
                    problem.help = Some("a `Combined` pin may be in an input group and in an output group".to_owned());
                    problem.beside = beside;
                }
                Some(_) => {}
            }
            if let Some(other) = owners.insert(name, group) {
                let message = match other == group {
                    true => format!("pin `{name}` is twice in group `{group}`"),
                    false => format!("pin `{name}` is in group `{other}` already"),
                };
                self.problem(Code::Duplicate, &at, message, "the second time");
            }
        }
    }

    /// De-energise principle: a broken wire reads Low, and must not read as ON by itself.
    fn low_is_on(&mut self, path: &str, group: &str, pins: &GroupPins) {
        let is_low = |name: &str| self.node.pins.iter().any(|pin| pin.name == name && pin.on == SignalType::Low);
        let is_other = |name: &str| self.node.pins.iter().any(|pin| pin.name == name && pin.on != SignalType::Low);
        if pins.names().any(is_low) && !pins.names().any(is_other) {
            let message = format!("a broken wire would read as ON at `{group}`");
            let beside = [self.each("pins", "name"), self.each("pins", "on")].concat();
            let problem = self.problem(Code::Contradiction, &format!("{path}.pins"), message, "ON is Low on every pin");
            problem.help = Some("put it into a redundant group with a pin whose `on` is not Low".to_owned());
            problem.beside = beside;
        }
    }

    fn discrepancy(&mut self, path: &str, pins: &GroupPins, time: Option<Span>) {
        let at = format!("{path}.discrepancy");
        match (pins, time) {
            (GroupPins::Single(_), Some(_)) => {
                let beside = self.own(&format!("{path}.pins"));
                let message = "a single pin cannot disagree with itself";
                self.problem(Code::Contradiction, &at, message, "leave it out").beside = beside;
            }
            (GroupPins::Redundant(_), None) => {
                let message = "a redundant input needs a `discrepancy` time";
                self.problem(Code::MissingField, path, message, "for instance `discrepancy: \"50ms\"`");
            }
            (_, Some(time)) => self.check.whole_ms(&format!("{}.{at}", self.path), time),
            (_, None) => {}
        }
    }

    fn every_pin_has_a_group(&mut self) {
        let inputs: BTreeSet<&str> = self.node.inputs.iter().flat_map(|group| group.pins.names()).collect();
        let outputs: BTreeSet<&str> = self.node.outputs.iter().flat_map(|group| group.pins.names()).collect();
        for (index, pin) in self.node.pins.iter().enumerate() {
            let needs = |side: &PinRole| pin.role == PinRole::Combined || pin.role == *side;
            for (side, groups, list) in [(PinRole::Input, &inputs, "inputs"), (PinRole::Output, &outputs, "outputs")] {
                if needs(&side) && !groups.contains(pin.name.as_str()) {
                    let message = format!("pin `{}` is in no group of `{list}`", pin.name);
                    let beside = self.each(list, "pins");
                    self.problem(Code::Contradiction, &format!("pins[{index}]"), message, "used by nothing").beside =
                        beside;
                }
            }
        }
    }

    fn blocks(&mut self) {
        let blocks = &self.node.blocks;
        let list = format!("{}.blocks", self.path);
        self.check.names(&list, "a block", blocks.iter().map(|block| block.name.as_str()));
        if blocks.len() > BLOCKS_MOST {
            let message = counted(blocks.len() as u64, "block", "blocks");
            self.problem(Code::OutOfRange, "blocks", message, &format!("at most {BLOCKS_MOST}"));
        }
        for (index, block) in blocks.iter().enumerate() {
            let path = format!("blocks[{index}]");
            self.sources(&path, block);
            self.source_count(&path, block);
            self.place(&format!("{path}.kind"), block);
            self.time(&format!("{path}.kind.time"), block);
        }
        self.driven_once();
    }

    fn sources(&mut self, path: &str, block: &Block) {
        let mut known: Vec<&str> = self.node.blocks.iter().map(|block| block.name.as_str()).collect();
        known.extend([ON, OFF]);
        for (at, name) in block.kind.sources() {
            if !known.contains(&name) {
                let beside = self.each("blocks", "name");
                self.no_such(&format!("{path}.{at}"), "block", name, &known, beside);
            }
        }
    }

    fn source_count(&mut self, path: &str, block: &Block) {
        let (count, at) = match &block.kind {
            BlockKind::And(of) | BlockKind::Or(of) | BlockKind::Xor(of) => (of.len(), format!("{path}.kind")),
            BlockKind::Mode(position) => (position.of.len(), format!("{path}.kind.of")),
            _ => return,
        };
        let name = block.kind.name();
        if !(2..=4).contains(&count) {
            let message = format!("`{name}` with {}", counted(count as u64, "input", "inputs"));
            let problem = self.problem(Code::OutOfRange, &at, message, "must have 2 to 4");
            problem.help = (count > 4).then(|| format!("join several `{name}` blocks"));
        }
        if let BlockKind::Mode(position) = &block.kind
            && usize::from(position.position) >= count
        {
            let inputs = counted(count as u64, "input", "inputs");
            let message = format!("position {} of {inputs}", position.position);
            let label = "counted from 0, must name one of `of`";
            let beside = self.own(&format!("{path}.kind.of"));
            self.problem(Code::OutOfRange, &format!("{path}.kind.position"), message, label).beside = beside;
        }
    }

    /// The thing outside the diagram that a block stands for.
    fn place(&mut self, path: &str, block: &Block) {
        match &block.kind {
            BlockKind::Input(name) | BlockKind::InputError(name) => {
                let known: Vec<&str> = self.node.inputs.iter().map(|group| group.name.as_str()).collect();
                let beside = self.each("inputs", "name");
                self.known(path, "input group", name, &known, beside);
            }
            BlockKind::OutputError(name) => self.output_group(path, name),
            BlockKind::Output(to) => self.output_group(&format!("{path}.group"), &to.group),
            BlockKind::MemoryReceive(from) => {
                let known = |node: &'a Node| sent(node, |kind| matches!(kind, BlockKind::MemorySend(_)));
                self.from(path, &from.node, "memory", &from.memory, known);
                self.uses_radio(path);
            }
            BlockKind::CanReceive(from) => {
                let known = |node: &'a Node| sent(node, |kind| matches!(kind, BlockKind::CanSend(_)));
                self.from(path, &from.node, "bit", &from.bit, known);
                self.uses_can(path);
            }
            BlockKind::MemorySend(ToMemory { memory, .. }) if *memory >= self.node.memories => {
                let message = format!("memory {memory} is beyond the memories of this node");
                let label = format!("`memories` is {}", self.node.memories);
                let beside = self.own("memories");
                self.problem(Code::OutOfRange, &format!("{path}.memory"), message, &label).beside = beside;
            }
            BlockKind::CanSend(ToBit { entry, .. }) => self.own_entry(&format!("{path}.entry"), *entry),
            _ => {}
        }
    }

    fn known(&mut self, path: &str, what: &str, name: &str, known: &[&str], beside: Vec<String>) {
        if !known.contains(&name) {
            self.no_such(path, what, name, known, beside);
        }
    }

    fn output_group(&mut self, path: &str, name: &str) {
        let known: Vec<&str> = self.node.outputs.iter().map(|group| group.name.as_str()).collect();
        let beside = self.each("outputs", "name");
        self.known(path, "output group", name, &known, beside);
    }

    /// A signal of another node, by the name of the block there that sets it.
    fn from(&mut self, path: &str, node: &str, what: &str, name: &str, sent: impl Fn(&'a Node) -> Vec<&'a str>) {
        let nodes = &self.check.configuration.nodes;
        if node == self.node.name {
            let message = format!("`{node}` cannot receive from itself");
            let beside = self.own("name");
            let problem = self.problem(Code::Contradiction, &format!("{path}.node"), message, "must be another node");
            problem.help = Some("name the block itself where its signal is wanted".to_owned());
            problem.beside = beside;
            return;
        }
        let others: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).filter(|n| *n != self.node.name).collect();
        let names = each("nodes", nodes.len(), "name");
        match nodes.iter().position(|other| other.name == node) {
            None => self.no_such(&format!("{path}.node"), "node", node, &others, names),
            Some(at) => {
                let blocks = |field| each(&format!("nodes[{at}].blocks"), nodes[at].blocks.len(), field);
                let beside = [names, blocks("name"), blocks("kind")].concat();
                self.known(&format!("{path}.{what}"), what, name, &sent(&nodes[at]), beside);
            }
        }
    }

    fn uses_radio(&mut self, path: &str) {
        if !self.node.radio {
            let message = "a node without radio receives no memories";
            let beside = self.own("radio");
            let problem = self.problem(Code::Contradiction, path, message, "always OFF");
            problem.help = Some("set `radio: true` for this node".to_owned());
            problem.beside = beside;
        }
    }

    fn uses_can(&mut self, path: &str) {
        if self.node.can.is_none() {
            let message = "a node without a place on the CAN bus receives no entries";
            let beside = self.own("can");
            let problem = self.problem(Code::Contradiction, path, message, "always OFF");
            problem.help = Some("give this node a `can: (index: ..)`".to_owned());
            problem.beside = beside;
        }
    }

    fn own_entry(&mut self, path: &str, entry: u8) {
        let own = self.node.can.as_ref().map_or(&[][..], |can| &can.entries);
        if !own.contains(&entry) {
            let message = format!("CAN entry {entry} is not of this node");
            let beside = self.own("can.entries");
            self.problem(Code::NoSuchThing, path, message, "not in `can.entries`").beside = beside;
        }
    }

    fn time(&mut self, path: &str, block: &Block) {
        if let BlockKind::OnDelay(timer) | BlockKind::OffDelay(timer) | BlockKind::Pulse(timer) = &block.kind {
            self.check.whole_ms(&format!("{}.{path}", self.path), timer.time);
        }
    }

    /// Two blocks for one output would be two opinions about it.
    fn driven_once(&mut self) {
        let mut drivers: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for (index, block) in self.node.blocks.iter().enumerate() {
            let thing = match &block.kind {
                BlockKind::Output(to) => format!("output group `{}`", to.group),
                BlockKind::Relay(to) => format!("relay {}", to.relay),
                BlockKind::MemorySend(to) => format!("memory {}", to.memory),
                BlockKind::CanSend(to) => format!("bit {} of CAN entry {}", to.bit, to.entry),
                _ => continue,
            };
            if let Some((at, first)) = drivers.get(&thing) {
                let beside = self.own(&format!("blocks[{at}].kind"));
                let message = format!("{thing} is driven by block `{first}` already");
                let problem =
                    self.problem(Code::Duplicate, &format!("blocks[{index}].kind"), message, "the second one");
                problem.help = Some("join both with an `And` or an `Or`".to_owned());
                problem.beside = beside;
            } else {
                drivers.insert(thing, (index, &block.name));
            }
        }
    }

    fn loops(&mut self) {
        for circle in order::circles(&self.node.blocks) {
            let names: Vec<&str> = circle.iter().map(|index| self.node.blocks[*index].name.as_str()).collect();
            let Some(first) = circle.first() else { continue };
            let last = names.last().copied().unwrap_or_default();
            let kind = &self.node.blocks[*first].kind;
            let at = kind.sources().into_iter().find(|(_, name)| *name == last).map_or("kind".to_owned(), |(at, _)| at);
            let message = format!("blocks in a circle: {} -> {}", names.join(" -> "), names[0]);
            let values =
                circle.iter().flat_map(|index| [format!("blocks[{index}].name"), format!("blocks[{index}].kind")]);
            let beside = values.flat_map(|path| self.own(&path)).collect();
            let problem = self.problem(Code::Contradiction, &format!("blocks[{first}].{at}"), message, "closes it");
            problem.beside = beside;
            problem.help =
                Some("a block takes its inputs from blocks before it; to remember something use `Latch`".to_owned());
        }
    }

    /// The response time covers the slowest path of every node (SSR-016).
    fn response(&mut self) {
        let configuration = self.check.configuration;
        let response = Response::of(configuration, self.node);
        let least = response.least_ms();
        if ms(configuration.response_time) < least {
            let message = format!("node `{}` needs {least} ms to respond: {response}", self.node.name);
            let label = format!("must be at least {least}ms");
            self.check.problem(Code::Contradiction, "response_time", message, &label).roots =
                vec!["nodes", "radio", "can"];
        }
    }
}

/// The names of a node's blocks of the wanted kind.
fn sent(node: &Node, wanted: impl Fn(&BlockKind) -> bool) -> Vec<&str> {
    node.blocks.iter().filter(|block| wanted(&block.kind)).map(|block| block.name.as_str()).collect()
}
