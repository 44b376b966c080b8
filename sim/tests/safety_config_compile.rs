//! Configurations of safety units: what compiles, to which bytes, and what is refused where.

use std::fs;
use std::path::{Path, PathBuf};

use cooltwin::safety::binary::{Network, decode, encode, sealed};
use cooltwin::safety::rules::{judge, sound};
use cooltwin::safety::{Compiled, Response, load};
use cooltwin::scenario::{FileSource, Format, LoadError};
use proptest::prelude::*;
use safety_common::configuration::{Defect, header};

/// One file in memory, whatever its path.
struct Text<'a>(&'a str);

impl FileSource for Text<'_> {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/safety")
}

fn shipped_text(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compiled(text: &str) -> Compiled {
    load(&Text(text), Path::new("f.ron")).unwrap_or_else(|error| match error {
        LoadError::Invalid(report) => panic!("{}", report.render(Format::Human, false)),
        LoadError::Unreadable(path, why) => panic!("{path}: {why}"),
    })
}

/// What is wrong with a configuration, one line each.
fn refused(text: &str) -> String {
    match load(&Text(text), Path::new("f.ron")) {
        Err(LoadError::Invalid(report)) => report.render(Format::Short, false),
        Err(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
        Ok(_) => panic!("accepted"),
    }
}

/// Written by hand from the offsets in `safety_common::configuration`; CRC and hash from a second implementation
/// (Python's `zlib.crc32`, and Chaskey-12 written there anew).
#[rustfmt::skip]
const DOOR: [&str; 15] = [
    // header: magic "CTSC", format 1, 1 node, length 268, hash
    "43545343 0100 01 00 0c010000 12f5e81b",
    // network 1, time-out 100, period 20, CAN age 35, response 20
    "01000000 64000000 1400 2300 14000000",
    // password verifier, reserved
    "9dec00df 2ee23fe0 0f50d4ff 7b55932e  00000000 00000000 00000000 00000000",
    // node: serial, offset 84, length 180, no memories, no entries, no CAN, no radio
    "0100a051 54000000 b4000000 0000 0000 ff 00 0000",
    // section: 18 V, 30 V, 3135, 3465, 10 ms, 2000, 2000, 1000, 20 ms, 30 ms; 2 inputs, 1 output, 4 blocks
    "5046 3075 3f0c 890d 0a00 d007 d007 e803 1400 1e00 02 01 0400 00000000 00000000",
    // pins 0 to 2: inputs A/Low, B/Low, High/Low
    "01040000 01050000 01010000",
    // pins 3 to 7 unused, pin 8 output OSSD/Low, pins 9 to 13 unused
    "00000000 00000000 00000000 00000000 00000000 02020000 00000000 00000000 00000000 00000000 00000000",
    // input group "stop": pins 0 and 1, 50 ms, no filter, redundant
    "0300 3200 00000000 02 00 0000",
    // input group "button": pin 2, filter 20 ms, single
    "0400 0000 14000000 01 00 0000",
    // output group: pin 8, single
    "0001 01 00",
    // block 0 "no_stop": Input 0
    "01 00 0000 ffff ffff ffff ffff 00000000",
    // block 1 "pressed": Input 1
    "01 01 0000 ffff ffff ffff ffff 00000000",
    // block 2 "released": Reset of 0 and 1
    "18 00 0000 0000 0100 ffff ffff 00000000",
    // block 3 "contactor": Output 0 of 2
    "20 00 0000 0200 ffff ffff ffff 00000000",
    // CRC
    "17071c6d",
];

#[test]
fn the_bytes_are_those_of_the_layout() {
    let digits: String = DOOR.concat().chars().filter(|c| *c != ' ').collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    let expected: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    let door = compiled(&shipped_text("teach-1-door.ron"));
    assert_eq!(door.bytes, expected);
    assert_eq!((door.hash, door.crc), (0x1BE8_F512, 0x6D1C_0717));
    assert_eq!(door.names[0].signals, ["no_stop", "pressed", "released", "contactor"], "inputs first, then as written");
}

#[test]
fn a_binary_decodes_to_the_network_it_was_made_of() {
    let door = compiled(&shipped_text("teach-1-door.ron"));
    let decoded = decode(&door.bytes).expect("it is whole");
    assert_eq!(decoded, door.network);
    assert_eq!(encode(&decoded), door.bytes);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let text = shipped_text("teach-1-door.ron")
        .replace("response_time: \"20ms\"", "response_time: \"11ms\"")
        .replace("of: \"released\"", "of: \"relased\"")
        .replace("on: Ossd", "on: Low");
    let report = refused(&text);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 4, "{report}");
    assert!(lines[0].starts_with("f.ron:10:") && lines[0].contains("(must be at least 12ms)"), "{report}");
    assert!(lines[1].starts_with("f.ron:19:") && lines[1].contains("ON and OFF look the same"), "{report}");
    assert!(lines[2].starts_with("f.ron:19:") && lines[2].contains("ON cannot be Low"), "{report}");
    assert!(lines[3].starts_with("f.ron:27:") && lines[3].contains("did you mean `\"released\"`?"), "{report}");
}

/// What cannot be read hides nothing that is known to be wrong, and what rests on it is not called wrong.
#[test]
fn values_that_cannot_be_read_hide_no_other_mistake() {
    let told = |edits: &[(&str, &str)], wanted: &[&str]| {
        let mut text = shipped_text("teach-1-door.ron");
        for (old, new) in edits {
            assert_eq!(text.matches(old).count(), 1, "`{old}` is edited at one place");
            text = text.replace(old, new);
        }
        let report = refused(&text);
        assert_eq!(report.lines().count(), wanted.len(), "{report}");
        for (line, wanted) in report.lines().zip(wanted) {
            assert!(line.contains(wanted), "{wanted} in\n{report}");
        }
    };
    let released = ("of: \"released\"", "of: \"relased\"");
    let maximum = ("maximum: \"30V\"", "maximum: \"30\"");
    // A unit, a name of a kind, a name of a block and one of a pin, all in one go.
    told(
        &[
            maximum,
            ("pins: Single(\"button\")", "pins: Single(\"buton\")"),
            released,
            ("Input(\"button\")", "Inpt(\"button\")"),
        ],
        &[
            "has no unit",
            "pin `button` is in no group of `inputs`",
            "there is no pin `buton`",
            "there is no block `relased`",
            "unknown `BlockKind`: `Inpt`",
        ],
    );
    // The block `pressed` may be the one that has no name, and the pin's role that of the group.
    told(&[("(name: \"pressed\", ", "(nam: \"pressed\", ")], &["unknown field `nam`", "field `name` is missing"]);
    told(&[("role: Output", "role: Outpt")], &["unknown `PinRole`: `Outpt`"]);
    // One that is known to be named wrongly is told all the same, and the time that rests on all of them is not.
    told(&[("response_time: \"20ms\"", "response_time: \"11ms\""), maximum], &["has no unit"]);
    told(&[("response_time: \"20ms\"", "response_time: \"11ms\"")], &["must be at least 12ms"]);
}

fn shipped() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder of configurations");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
    names.sort();
    names
}

#[test]
fn every_shipped_configuration_compiles_alike_each_time_and_suits_its_units() {
    let names = shipped();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let text = shipped_text(&name);
        let one = compiled(&text);
        assert_eq!(one.bytes, compiled(&text).bytes, "{name}: the same file, the same bytes");
        assert_eq!(decode(&one.bytes).as_ref(), Ok(&one.network), "{name}");
        for node in &one.network.nodes {
            assert_eq!(judge(&one.bytes, node.serial).as_ref(), Ok(&one.network), "{name}: 0x{:08X}", node.serial);
        }
        assert_eq!(judge(&one.bytes, 0x0BAD_0BAD), Err(Defect::NotForThisUnit), "{name}");
        assert!(!one.diagram.title.is_empty() && !one.diagram.purpose.is_empty(), "{name} says what it is for");
    }
}

#[test]
fn blocks_keep_their_meaning_in_whatever_order_they_stand() {
    let text = shipped_text("cooling-watch.ron");
    let one = compiled(&text);
    let hall = &one.names[0];
    let at = |name: &str| hall.signals.iter().position(|signal| signal == name).expect("a block") as u16;
    let block = |name: &str| one.network.nodes[0].section.blocks[usize::from(at(name))];
    assert_eq!(block("released").inputs[..2], [at("safe"), at("pressed")]);
    assert_eq!(block("flow_fault").inputs[..2], [at("flow_late"), at("not_released")], "set, then reset");
    assert_eq!(block("attention").inputs[..3], [at("asks"), at("fan_missing"), at("stop_error")]);
    assert_eq!((block("flow_late").time_ms, block("feed_2").index), (10_000, 1));
    assert_eq!((block("roof_well").index, block("roof_well").number), (1, 0), "memory 0 of node 1");
    assert_eq!((block("fan_runs").index, block("fan_runs").number), (1, 0), "bit 0 of entry 1");
    assert_eq!((block("fault_out").index, block("fault_out").number), (0, 1));
}

/// 3 ms, the slowest input, time-out + 2, age + 2 + entries, as `SAFETY.md`, section 11, adds them up.
#[test]
fn the_response_path_is_the_sum_of_its_parts() {
    let paths = |name: &str| compiled(&shipped_text(name)).responses().map(|one| one.least_ms()).collect::<Vec<u64>>();
    assert_eq!(paths("teach-1-door.ron"), [3 + 9]);
    assert_eq!(paths("teach-2-selector.ron"), [3 + 9], "pulsed is slower than combined, 5");
    assert_eq!(paths("teach-3-radio.ron"), [3 + 9, 3 + 9 + 202], "the remote input counts where its memory is used");
    assert_eq!(paths("cooling-watch.ron"), [3 + 9 + 102 + 38, 3 + 9 + 102 + 38]);
    assert_eq!(paths("fourteen-slots.ron"), [3 + 1 + 37 + 7, 3 + 1 + 37 + 7], "seven entries each take turns");
    let text = shipped_text("teach-3-radio.ron");
    assert!(refused(&text.replace("\"500ms\"", "\"213ms\"")).contains("needs 214 ms"), "one too short");
    compiled(&text.replace("\"500ms\"", "\"214ms\""));
    let combined = compiled(&shipped_text("teach-2-selector.ron").replace("on: C)", "on: Ossd)")).diagram;
    assert_eq!(Response::of(&combined, &combined.nodes[0]).least_ms(), 3 + 5);
}

/// A configuration that holds one of everything that the rules speak of.
const BASE: &str = r#"(
    network: 7, password: "p", response_time: "400ms",
    radio: (timeout: "100ms", period: "20ms"), can: (age: "35ms"),
    nodes: [
        (name: "a", serial: 1, radio: true, memories: 32, can: (index: 0, entries: [0, 5]),
            supply: (minimum: "18V", maximum: "30V"), limits: (relay_move: "30ms"),
            pins: [
                (pin: 0, name: "i0", role: Input, on: High, off: Low), (pin: 1, name: "i1", role: Input, on: High, off: Low),
                (pin: 2, name: "i2", role: Input, on: Low, off: High),
                (pin: 3, name: "o3", role: Output, on: Ossd, off: Low), (pin: 4, name: "o4", role: Output, on: High, off: Low),
                (pin: 5, name: "c5", role: Combined),
            ],
            inputs: [
                (name: "two", pins: Redundant(["i0", "i2"]), discrepancy: "50ms", on_filter: "5ms"),
                (name: "one", pins: Single("i1")), (name: "both", pins: Single("c5")),
            ],
            outputs: [(name: "safe", pins: Redundant(["o3", "o4"])), (name: "back", pins: Single("c5"))],
            blocks: [
                (name: "x", kind: Input("two")), (name: "y", kind: Input("one")),
                (name: "both", kind: And(["x", "y"])), (name: "late", kind: OnDelay(of: "both", time: "10ms")),
                (name: "pos", kind: Mode(of: ["x", "y"], position: 1)),
                (name: "out", kind: Output(group: "safe", of: "late")), (name: "rel", kind: Relay(relay: 0, of: "late")),
                (name: "mem", kind: MemorySend(memory: 31, of: "pos")), (name: "bit", kind: CanSend(entry: 5, bit: 15, of: "x")),
            ]),
        (name: "b", serial: 2, radio: true, can: (index: 1, entries: [1]), supply: (minimum: "18V", maximum: "30V"),
            blocks: [
                (name: "m", kind: MemoryReceive(node: "a", memory: "mem")), (name: "c", kind: CanReceive(node: "a", bit: "bit")),
                (name: "or", kind: Or(["m", "c"])), (name: "rel", kind: Relay(relay: 1, of: "or")),
            ]),
    ],
)"#;

#[rustfmt::skip]
/// (what stands in `BASE`, what is written instead, what must be said of it; nothing, if it is allowed).
const EDITS: [(&str, &str, &str); 88] = [
    // Header.
    ("network: 7", "network: 0", "`network` is out of range (must be from 1 to 0xFFFFFFFF)"),
    ("password: \"p\"", "password: \"\"", "the password has 0 bytes (must have 1 to 32 bytes)"),
    ("\"p\"", "\"12345678901234567890123456789012\"", ""),
    ("\"p\"", "\"123456789012345678901234567890123\"", "the password has 33 bytes"),
    ("\"400ms\"", "\"400.5ms\"", "a unit counts whole milliseconds"),
    ("\"400ms\"", "\"121s\"", "`response_time` is out of range"),
    ("\"400ms\"", "\"148ms\"", "node `b` needs 149 ms to respond"),
    // Radio (SSR-074, SSR-077).
    ("timeout: \"100ms\", period: \"20ms\"", "timeout: \"3ms\", period: \"2ms\"", "`timeout` is out of range"),
    ("timeout: \"100ms\", period: \"20ms\"", "timeout: \"4ms\", period: \"2ms\"", ""),
    ("timeout: \"100ms\", period: \"20ms\"", "timeout: \"5ms\", period: \"2ms\"", ""),
    ("timeout: \"100ms\"", "timeout: \"60001ms\"", "`timeout` is out of range (must be from 4ms to 60s)"),
    ("period: \"20ms\"", "period: \"1ms\"", "`period` is out of range"),
    ("period: \"20ms\"", "period: \"51ms\"", "a time-out of 100 ms cannot be met with a period of 51 ms"),
    ("period: \"20ms\"", "period: \"50ms\"", ""),
    ("memories: 32", "memories: 33", "33 memories (must be a multiple of 16)"),
    ("memories: 32", "memories: 31", "31 memories"),
    ("memories: 32", "memories: 256", ""),
    ("memories: 32", "memories: 257", "`memories` is out of range"),
    ("memories: 32", "memories: 16", "memory 31 is beyond the memories of this node (`memories` is 16)"),
    ("memories: 32", "memories: -16", "-16 does not fit `memories`"),
    ("serial: 1, radio: true", "serial: 1, radio: false", "a node without radio has no global memories"),
    ("serial: 2, radio: true", "serial: 2", "a node without radio receives no memories"),
    // Nodes.
    ("serial: 2", "serial: 1", "serial number 0x00000001 has two units"),
    ("serial: 2", "serial: 0", "`serial` is out of range"),
    ("serial: 2", "serial: 0xFFFFFFFF", "`serial` is out of range"),
    ("serial: 2", "serial: 0xFFFFFFFE", ""),
    ("name: \"b\"", "name: \"a\"", "`a` names two of `nodes`"),
    ("name: \"b\"", "name: \"b b\"", "`b b` cannot name a node"),
    // CAN.
    ("age: \"35ms\"", "age: \"19ms\"", "`age` is out of range"),
    ("age: \"35ms\"", "age: \"1001ms\"", "`age` is out of range"),
    ("index: 1, entries: [1]", "index: 0, entries: [1]", "CAN index 0 has two units"),
    ("index: 1, entries: [1]", "index: 16, entries: [1]", "`index` is out of range"),
    ("index: 1, entries: [1]", "index: 1, entries: [5]", "CAN entry 5 has two senders or is listed twice"),
    ("index: 1, entries: [1]", "index: 1, entries: [13]", ""),
    ("index: 1, entries: [1]", "index: 1, entries: [14]", "entry 14 has no slot"),
    ("can: (index: 1, entries: [1]), ", "", "a node without a place on the CAN bus receives no entries"),
    ("entry: 5, bit", "entry: 4, bit", "CAN entry 4 is not of this node"),
    ("bit: 15", "bit: 16", "`bit` is out of range"),
    // Supply and limits (SSR-008, SSR-010).
    ("18V\", maximum: \"30V\"), limits", "6.9V\", maximum: \"30V\"), limits", "`minimum` is out of range (must be from 7V to 30V)"),
    ("18V\", maximum: \"30V\"), limits", "7V\", maximum: \"8V\"), limits", ""),
    ("18V\", maximum: \"30V\"), limits", "7V\", maximum: \"7.9V\"), limits", "`maximum` is out of range"),
    ("18V\", maximum: \"30V\"), limits", "30V\", maximum: \"33V\"), limits", ""),
    ("18V\", maximum: \"30V\"), limits", "30.1V\", maximum: \"33V\"), limits", "`minimum` is out of range"),
    ("18V\", maximum: \"30V\"), limits", "30V\", maximum: \"33.1V\"), limits", "`maximum` is out of range"),
    ("18V\", maximum: \"30V\"), limits", "18V\", maximum: \"18V\"), limits", "the supply cannot be above 18V and below 18V"),
    ("relay_move: \"30ms\"", "relay_move: \"4ms\"", "`relay_move` is out of range"),
    ("relay_move: \"30ms\"", "relay_move: \"5.5ms\"", "a unit counts whole milliseconds"),
    // Pins.
    ("pin: 5,", "pin: 14,", "`pin` is out of range (must be from 0 to 13)"),
    ("pin: 5,", "pin: 4,", "pin 4 has two entries in `pins`"),
    ("name: \"o4\"", "name: \"o3\"", "`o3` names two of `pins`"),
    ("\"i1\", role: Input, on: High, off: Low", "\"i1\", role: Input, on: High, off: High", "ON and OFF look the same on pin `i1`"),
    ("\"i1\", role: Input, on: High, off: Low", "\"i1\", role: Input, on: High, off: Ossd", "OSSD is no OFF state"),
    ("\"i1\", role: Input, on: High, off: Low", "\"i1\", role: Input, on: Low, off: High", "a broken wire would read as ON at `one`"),
    ("\"i0\", role: Input, on: High, off: Low", "\"i0\", role: Input, on: Low, off: High", "a broken wire would read as ON at `two`"),
    ("\"o4\", role: Output, on: High, off: Low", "\"o4\", role: Output, on: Low, off: High", "ON cannot be Low on output pin `o4`"),
    ("\"o4\", role: Output, on: High, off: Low", "\"o4\", role: Output, on: High, off: A", "OFF cannot be A on output pin `o4`"),
    ("\"o4\", role: Output, on: High, off: Low", "\"o4\", role: Output, on: D, off: InverseA", ""),
    ("\"i1\", role: Input, on: High, off: Low", "\"i1\", role: Input, on: Ossd, off: High", "OSSD and High cannot be told apart on pin `i1`"),
    ("role: Combined)", "role: Combined, on: A)", "combined pin `c5` must be High and Low"),
    ("role: Combined)", "role: Both)", "unknown `PinRole`: `Both`"),
    // Groups (SSR-028, SSR-029).
    ("Redundant([\"o3\", \"o4\"])", "Redundant([\"o3\"])", "redundant group `safe` has 1 pin (must be 2 to 8)"),
    ("Redundant([\"o3\", \"o4\"])", "Single(\"o3\")", "pin `o4` is in no group of `outputs`"),
    ("Redundant([\"o3\", \"o4\"])", "Redundant([\"o3\", \"o4\", \"o3\"])", "pin `o3` is twice in group `safe`"),
    ("Redundant([\"o3\", \"o4\"])", "Redundant([\"o3\", \"o4\", \"c5\"])", "pin `c5` is in group `safe` already"),
    ("Redundant([\"o3\", \"o4\"])", "Redundant([\"o3\", \"o4\", \"i1\"])", "pin `i1` is an input"),
    ("Single(\"i1\")", "Single(\"o4\")", "pin `o4` is an output"),
    ("Single(\"i1\")", "Single(\"i11\")", "there is no pin `i11` (did you mean `\"i1\"`?)"),
    ("pins: Single(\"i1\")", "pins: Single(\"i1\"), discrepancy: \"5ms\"", "a single pin cannot disagree with itself"),
    (", discrepancy: \"50ms\"", "", "a redundant input needs a `discrepancy` time"),
    ("discrepancy: \"50ms\"", "discrepancy: \"0ms\"", "`discrepancy` is out of range"),
    ("discrepancy: \"50ms\"", "discrepancy: \"61s\"", "`discrepancy` is out of range"),
    ("on_filter: \"5ms\"", "on_filter: \"1us\"", "a unit counts whole milliseconds"),
    // Blocks.
    ("name: \"late\"", "name: \"x\"", "`x` names two of `blocks`"),
    ("name: \"late\"", "name: \"ON\"", "`ON` cannot name a block"),
    ("And([\"x\", \"y\"])", "And([\"x\", \"OFF\"])", ""),
    ("And([\"x\", \"y\"])", "And([\"x\"])", "`And` with 1 input (must have 2 to 4)"),
    ("And([\"x\", \"y\"])", "And([\"x\", \"y\", \"x\", \"y\", \"x\"])", "`And` with 5 inputs"),
    ("And([\"x\", \"y\"])", "And([\"x\", \"late\"])", "blocks in a circle: both -> late -> both (closes it)"),
    ("position: 1", "position: 2", "position 2 of 2 inputs"),
    ("time: \"10ms\"", "time: \"0ms\"", "`time` is out of range (must be from 1ms to 1h)"),
    ("time: \"10ms\"", "time: \"61min\"", "`time` is out of range"),
    ("Input(\"one\")", "Input(\"once\")", "there is no input group `once` (did you mean `\"one\"`?)"),
    ("group: \"safe\"", "group: \"two\"", "there is no output group `two`"),
    ("relay: 0, of: \"late\")", "relay: 2, of: \"late\")", "`relay` is out of range"),
    ("(name: \"pos\"", "(name: \"rel2\", kind: Relay(relay: 0, of: \"x\")), (name: \"pos\"", "relay 0 is driven by block"),
    ("node: \"a\", memory: \"mem\"", "node: \"b\", memory: \"mem\"", "`b` cannot receive from itself"),
    ("node: \"a\", memory: \"mem\"", "node: \"a\", memory: \"bit\"", "there is no memory `bit`"),
    ("node: \"a\", bit: \"bit\"", "node: \"c\", bit: \"bit\"", "there is no node `c`"),
];

#[test]
fn every_rule_is_told_at_its_place_and_what_is_allowed_suits_the_units() {
    let mut wrong = Vec::new();
    for (old, new, said) in EDITS {
        assert_eq!(BASE.matches(old).count(), 1, "`{old}` is edited at one place");
        match load(&Text(&BASE.replace(old, new)), Path::new("f.ron")) {
            Ok(one) => {
                let suits = one.network.nodes.iter().all(|node| sound(&one.network, node.serial).is_ok());
                wrong.extend((!said.is_empty() || !suits).then(|| format!("{new}: accepted")));
            }
            Err(LoadError::Invalid(report)) => {
                let told = report.render(Format::Short, false);
                // One edit is told at one place, or at what it contradicts: never at the top of the file.
                let placed = report.diagnostics.iter().all(|one| one.place.span.start > 0);
                let good = !said.is_empty() && told.contains(said) && placed;
                wrong.extend((!good).then(|| format!("{new}: wanted `{said}`, told:\n{told}")));
            }
            Err(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_circles_are_all_named() {
    let text = BASE
        .replace("And([\"x\", \"y\"])", "And([\"x\", \"late\"])")
        .replace("Or([\"m\", \"c\"])", "Or([\"m\", \"or\"])");
    let told = refused(&text);
    assert!(told.contains("blocks in a circle: both -> late -> both"), "{told}");
    assert!(told.contains("blocks in a circle: or -> or"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn groups_of_two_to_eight_pins_are_accepted_one_and_nine_are_not() {
    for count in 1..=9 {
        let names: Vec<String> = (0..count).map(|pin| format!("\"o{pin}\"")).collect();
        let pins: String =
            (0..count).map(|pin| format!("(pin: {pin}, name: \"o{pin}\", role: Output, on: Ossd),")).collect();
        let text = format!(
            "(network: 1, password: \"p\", response_time: \"9ms\", nodes: [(name: \"n\", serial: 1, \
             supply: (minimum: \"18V\", maximum: \"30V\"), pins: [{pins}], \
             outputs: [(name: \"g\", pins: Redundant([{}]))])])",
            names.join(", ")
        );
        if (2..=8).contains(&count) {
            assert_eq!(compiled(&text).network.nodes[0].section.outputs[0].pins.count_ones(), count);
        } else {
            let pins = if count == 1 { "1 pin" } else { "9 pins" };
            assert!(refused(&text).contains(&format!("redundant group `g` has {pins} (")), "{count}");
        }
    }
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_noted() {
    let text = BASE.replace("(name: \"out\", kind: Output(group: \"safe\", of: \"late\")), ", "");
    assert_eq!(
        compiled(&text).notes(),
        [
            "node `a`: no block drives output `safe`; it stays OFF",
            "node `a`: no block drives output `back`; it stays OFF",
            "node `a`: no block reads input `both`",
        ]
    );
}

/// 111 and 135 bits a data frame of 8 bytes, 63 and 75 a sync of 2 bytes (five of them a second).
#[test]
fn the_load_of_the_bus_is_that_of_its_frames() {
    let load = compiled(&shipped_text("cooling-watch.ron")).can_load();
    assert_eq!((load.frames, load.bits_least, load.bits_most), (2, 200 * 111 + 5 * 63, 200 * 135 + 5 * 75));
    let load = compiled(&shipped_text("fourteen-slots.ron")).can_load();
    assert_eq!((load.frames, load.bits_most), (14, 1_400 * 135 + 5 * 75));
    assert_eq!(compiled(&shipped_text("teach-3-radio.ron")).can_load().bits_most, 0, "no unit is on the bus");
}

/// Everything but the CRC of a compiled `BASE`.
fn base_bytes() -> Vec<u8> {
    let mut bytes = compiled(BASE).bytes;
    bytes.truncate(bytes.len() - 4);
    bytes
}

#[test]
fn every_flipped_bit_of_a_binary_is_found() {
    let bytes = compiled(BASE).bytes;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(judge(&flipped, 1).is_err(), "bit {bit}");
    }
}

#[test]
fn defects_are_told_in_the_order_of_the_document() {
    let bytes = compiled(BASE).bytes;
    let with = |at: usize, value: u8| {
        let mut other = bytes.clone();
        other[at] = value;
        other
    };
    assert_eq!(judge(&bytes, 1).map(|_| ()), Ok(()));
    assert_eq!(judge(&[0xFF; 1_024], 1), Err(Defect::Missing), "erased flash");
    assert_eq!(judge(&with(header::FORMAT, 2), 1), Err(Defect::Format));
    assert_eq!(judge(&with(header::LENGTH, bytes[header::LENGTH] ^ 1), 1), Err(Defect::Length));
    assert_eq!(judge(&with(header::NETWORK_ID, 9), 1), Err(Defect::Crc));
    let mut wrong_hash = with(header::HASH, bytes[header::HASH] ^ 1);
    wrong_hash.truncate(bytes.len() - 4);
    let crc = cooltwin::safety::binary::crc32(&wrong_hash);
    wrong_hash.extend(crc.to_le_bytes());
    assert_eq!(judge(&wrong_hash, 1), Err(Defect::Hash));
    let resealed = |at: usize, value: u8| {
        let mut other = base_bytes();
        other[at] = value;
        sealed(other)
    };
    assert_eq!(judge(&resealed(header::RESERVED, 1), 1), Err(Defect::Reserved));
    assert_eq!(judge(&resealed(header::NETWORK_ID, 0), 1), Err(Defect::NetworkId));
    assert_eq!(judge(&resealed(header::RADIO_TIMEOUT, 3), 1), Err(Defect::Radio));
    assert_eq!(judge(&resealed(header::CAN_AGE, 19), 1), Err(Defect::Can));
    assert_eq!(judge(&resealed(header::RESPONSE + 2, 0xFF), 1), Err(Defect::Response), "beyond 120 s");
    // Node 2 has no input of its own, the combined pin of node 1 counts: 3 + 5 + time-out 100 + 2 + age 35 + 2 + 2 entries.
    let responding = |response_ms| sound(&Network { response_ms, ..compiled(BASE).network }, 2);
    assert_eq!((responding(148), responding(149)), (Err(Defect::Response), Ok(())));
    assert_eq!(judge(&bytes, 3), Err(Defect::NotForThisUnit));
}

/// A network with other numbers of `BASE`'s shape.
fn altered() -> impl Strategy<Value = Network> {
    let head = (1..=u32::MAX, 50..=60_000_u32, 2..=25_u16, 20..=1_000_u16, any::<[u8; 16]>());
    let limits = (7_000..=30_000_u16, 1..=3_000_u16, 2_700..=3_300_u16, 1..=20_u16, 200..=3_000_u16, 5..=100_u16);
    let groups = (1..=60_000_u16, 0..=3_600_000_u32, any::<bool>(), 1..=3_600_000_u32, 2..=16_u16);
    (head, limits, groups).prop_map(|(head, limits, groups)| {
        let mut network = compiled(BASE).network;
        (network.id, network.radio_timeout_ms, network.radio_period_ms, network.can_age_ms, network.password) = head;
        network.response_ms = 120_000;
        let node = &mut network.nodes[0];
        let one = &mut node.section;
        (one.supply_min, one.rail_min, one.rail_debounce, one.mismatch, one.relay_move) =
            (limits.0, limits.2, limits.3, limits.4, limits.5);
        one.supply_max = (limits.0 + limits.1).max(8_000);
        (one.inputs[0].discrepancy_ms, one.inputs[0].on_filter_ms, one.inputs[0].startup_test) =
            (groups.0, groups.1, groups.2);
        one.blocks.iter_mut().filter(|block| block.time_ms > 0).for_each(|block| block.time_ms = groups.3);
        node.memories = 16 * groups.4;
        network
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_network_survives_its_binary(network in altered()) {
        let bytes = encode(&network);
        let decoded = decode(&bytes);
        prop_assert_eq!(decoded.as_ref(), Ok(&network));
        prop_assert_eq!(sound(&network, 1), Ok(()));
        prop_assert_eq!(sound(&network, 2), Ok(()));
    }

    /// No byte is ignored: what decodes at all is written back as exactly the bytes it was read from.
    #[test]
    fn altered_bytes_are_refused_or_read_as_they_are(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = base_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let bytes = sealed(bytes);
        if let Ok(network) = decode(&bytes) {
            prop_assert_eq!(encode(&network), bytes);
        }
    }

    #[test]
    fn no_damaged_text_is_a_panic(
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        insert in prop_oneof!["\\PC{0,4}", "[-(){}\\[\\],:\"é0-9]{0,6}"],
    ) {
        let chars: Vec<char> = BASE.chars().collect();
        let at = at.index(chars.len());
        let rest = chars.iter().skip(at + cut);
        let damaged: String = chars.iter().take(at).copied().chain(insert.chars()).chain(rest.copied()).collect();
        match load(&Text(&damaged), Path::new("f.ron")) {
            Ok(one) => prop_assert!(one.network.nodes.iter().all(|node| judge(&one.bytes, node.serial).is_ok())),
            Err(LoadError::Invalid(report)) => prop_assert!(!report.diagnostics.is_empty()),
            Err(LoadError::Unreadable(path, why)) => prop_assert!(false, "{path}: {why}"),
        }
    }
}
