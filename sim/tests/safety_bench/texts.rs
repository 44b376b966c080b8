//! Configurations as text, and their binaries.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use cooltwin::safety::{Compiled, load};
use cooltwin::scenario::{FileSource, Format, LoadError};

/// One file in memory, whatever its path.
struct Text<'a>(&'a str);

impl FileSource for Text<'_> {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }
}

/// Compiles; a text that is refused is a defect of the test.
pub(crate) fn compiled(text: &str) -> Compiled {
    load(&Text(text), Path::new("f.ron")).unwrap_or_else(|error| match error {
        LoadError::Invalid(report) => panic!("{}\n{text}", report.render(Format::Human, false)),
        LoadError::Unreadable(path, why) => panic!("{path}: {why}"),
    })
}

/// Two units with one of everything that the rules speak of; the units of the bench.
pub(crate) const BASE: &str = r#"(
    network: 7, password: "p", response_time: "400ms",
    radio: (timeout: "100ms", period: "20ms"), can: (age: "35ms"),
    nodes: [
        (name: "a", serial: 0x10001, radio: true, memories: 32, can: (index: 0, entries: [0, 5]),
            supply: (minimum: "18V", maximum: "30V"), limits: (relay_move: "30ms"),
            pins: [
                (pin: 0, name: "i0", role: Input, on: High, off: Low), (pin: 1, name: "i1", role: Input, on: A, off: Low),
                (pin: 2, name: "i2", role: Input, on: Low, off: High),
                (pin: 3, name: "o3", role: Output, on: Ossd, off: Low), (pin: 4, name: "o4", role: Output, on: High, off: Low),
                (pin: 5, name: "c5", role: Combined), (pin: 6, name: "i6", role: Input, on: Ossd, off: InverseB),
            ],
            inputs: [
                (name: "two", pins: Redundant(["i0", "i2"]), discrepancy: "50ms", on_filter: "5ms"),
                (name: "one", pins: Single("i1"), start_up_test: true), (name: "both", pins: Single("c5")),
                (name: "six", pins: Single("i6")),
            ],
            outputs: [(name: "safe", pins: Redundant(["o3", "o4"])), (name: "back", pins: Single("c5"))],
            blocks: [
                (name: "x", kind: Input("two")), (name: "y", kind: Input("one")), (name: "six", kind: Input("six")),
                (name: "both", kind: And(["x", "y"])), (name: "late", kind: OnDelay(of: "both", time: "10ms")),
                (name: "pos", kind: Mode(of: ["x", "y"], position: 1)), (name: "kept", kind: Latch(set: "x", reset: "y")),
                (name: "err", kind: OutputError("safe")), (name: "bad", kind: InputError("two")),
                (name: "mb", kind: MemoryReceive(node: "b", memory: "mem")), (name: "cb", kind: CanReceive(node: "b", bit: "bit")),
                (name: "any", kind: Or(["kept", "err", "bad", "mb"])), (name: "odd", kind: Xor(["any", "cb", "six"])),
                (name: "out", kind: Output(group: "safe", of: "late")), (name: "rel", kind: Relay(relay: 0, of: "odd")),
                (name: "mem", kind: MemorySend(memory: 31, of: "pos")), (name: "bit", kind: CanSend(entry: 5, bit: 15, of: "x")),
            ]),
        (name: "b", serial: 0x20002, radio: true, memories: 16, can: (index: 1, entries: [1]),
            supply: (minimum: "18V", maximum: "30V"),
            pins: [(pin: 9, name: "i9", role: Input, on: High, off: Low)], inputs: [(name: "nine", pins: Single("i9"))],
            blocks: [
                (name: "n", kind: Input("nine")),
                (name: "m", kind: MemoryReceive(node: "a", memory: "mem")), (name: "c", kind: CanReceive(node: "a", bit: "bit")),
                (name: "or", kind: Or(["m", "c"])), (name: "rel", kind: Relay(relay: 1, of: "or")),
                (name: "mem", kind: MemorySend(memory: 3, of: "n")), (name: "bit", kind: CanSend(entry: 1, bit: 2, of: "n")),
            ]),
    ],
)"#;
