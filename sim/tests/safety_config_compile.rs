//! Configurations of safety units: what compiles, to which bytes, and what is refused where.

use std::fs;
use std::path::{Path, PathBuf};

use cooltwin::safety::binary::{decode, encode};
use cooltwin::safety::{Compiled, load};
use cooltwin::scenario::{FileSource, Format, LoadError};

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
