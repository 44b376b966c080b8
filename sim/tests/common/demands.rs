//! Units that must turn something off, with the scenarios and the rows that show whether they did.

use std::fs;
use std::path::Path;

use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{FileSource, Loaded, load};
use reports::{Budget, Report, RowVerdict};

/// Configurations of this test, and the shipped ones.
pub(crate) struct Files<'a>(&'a str, &'a [(&'a str, String)]);

impl FileSource for Files<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("own.ron") {
            return Ok(self.0.as_bytes().to_vec());
        }
        match self.1.iter().find(|(name, _)| path == Path::new(name)) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => fs::read(super::shipped(path.to_str().unwrap_or_default())).map_err(|error| error.to_string()),
        }
    }
}

/// A shipped configuration with other words in it.
pub(crate) fn changed(name: &str, words: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(super::shipped(name)).expect("it is shipped");
    for (old, new) in words {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

pub(crate) fn loaded(text: &str, files: &[(&str, String)]) -> Loaded {
    load(&Files(text, files), Path::new("own.ron"), &[]).unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn ran(text: &str, files: &[(&str, String)]) -> (Report, Run) {
    let loaded = loaded(text, files);
    let run = run::run(&loaded.scenario, None, |_| {});
    (run::report(&loaded, &run, &Identity::default()), run)
}

pub(crate) fn row<'a>(report: &'a Report, id: &str) -> &'a Budget {
    report.budgets.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row {id}"))
}

/// A row's count, verdict and the place of its worst, without the time of contacts.
pub(crate) fn seen(report: &Report, id: &str) -> (u64, RowVerdict, String) {
    let row = row(report, id);
    let place = row.r#where.as_deref().unwrap_or_default();
    (row.n, row.verdict, place.split(", contacts").next().unwrap_or_default().to_owned())
}

pub(crate) fn ms(row: &Budget) -> f64 {
    row.measured.unwrap_or_default().as_millionths() as f64 / 1e6
}

/// One unit that drives an output and two relays from 1.8 s on, with these words in its setup and these faults.
pub(crate) fn alone(setup: &str, faults: &str, end: &str) -> String {
    format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end}\"), safety_units: [(
            configuration: \"safety/pump-feed.ron\", node: \"hall\", cpu2: (clock_offset: \"137us\"),
            inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\"){setup}])], faults: [{faults}])"
    )
}

pub(crate) fn at_hall(kind: &str, trigger: &str) -> String {
    format!("(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{trigger}\"))")
}

/// What nobody can turn off.
pub(crate) const STUCK: &str =
    "(kind: Safety(Transistor(pin: 8, conducts: true)), place: Node(\"hall\"), trigger: At(\"2900ms\")),
    (kind: Safety(MainTransistor(conducts: true)), place: Node(\"hall\"), trigger: At(\"2900ms\"))";

pub(crate) const SUPPLY: &str = "safety-supply-reaction";

pub(crate) const RESPONSE: &str = "safety-response";

pub(crate) const REACTION: &str = "safety-fault-reaction";

pub(crate) const RADIO: &str = "safety-radio-timeout";

pub(crate) fn at(node: &str, kind: &str) -> String {
    format!("(kind: Safety({kind}), place: Node(\"{node}\"), trigger: At(\"3s\"))")
}

/// Three units: the hall's output rests on both of the others, which have one of their own each.
pub(crate) fn three() -> (&'static str, String) {
    let sender = |name: &str, serial: u32| {
        format!(
            "(name: \"{name}\", serial: {serial}, radio: true, memories: 16, supply: (minimum: \"9V\", maximum: \"32V\"),
            pins: [(pin: 0, name: \"p\", role: Input), (pin: 1, name: \"q\", role: Output)],
            inputs: [(name: \"i\", pins: Single(\"p\"))], outputs: [(name: \"o\", pins: Single(\"q\"))],
            blocks: [(name: \"x\", kind: Input(\"i\")), (name: \"m\", kind: MemorySend(memory: 0, of: \"x\")),
                (name: \"s\", kind: Output(group: \"o\", of: \"x\"))])"
        )
    };
    let hall =
        "(name: \"hall\", serial: 0x51A00401, radio: true, memories: 0, supply: (minimum: \"9V\", maximum: \"32V\"),
        pins: [(pin: 8, name: \"p\", role: Output)], outputs: [(name: \"o\", pins: Single(\"p\"))],
        blocks: [(name: \"r\", kind: MemoryReceive(node: \"roof\", memory: \"m\")),
            (name: \"w\", kind: MemoryReceive(node: \"wall\", memory: \"m\")),
            (name: \"both\", kind: And([\"r\", \"w\"])), (name: \"s\", kind: Output(group: \"o\", of: \"both\"))])";
    let (roof, wall) = (sender("roof", 0x51A0_0402), sender("wall", 0x51A0_0403));
    let text = format!(
        "(network: 3, password: \"p\", response_time: \"500ms\", radio: (timeout: \"100ms\", period: \"20ms\"),
        nodes: [{hall}, {roof}, {wall}])"
    );
    ("three.ron", text)
}

pub(crate) fn three_ran(file: &(&str, String), faults: &str) -> (Report, Run) {
    three_set_up(file, ["", "", ", cpu1: (clock_offset: \"31ms\")"], "5s", faults)
}

/// The three units with these words in the setup of each, up to `end`.
pub(crate) fn three_set_up(file: &(&str, String), setups: [&str; 3], end: &str, faults: &str) -> (Report, Run) {
    let name = file.0;
    let unit = |(node, setup): (&str, &str)| format!("(configuration: \"{name}\", node: \"{node}\"{setup})");
    let units: Vec<String> = ["hall", "roof", "wall"].into_iter().zip(setups).map(unit).collect();
    let text = format!(
        "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end}\"), safety_units: [{}], faults: [{faults}])",
        units.join(", ")
    );
    ran(&text, &[(name, file.1.clone())])
}

/// A line of the diagram of `safety/pump-feed.ron` that other diagrams replace.
pub(crate) const SAFE: &str = r#"(name: "safe", kind: And(["no_stop", "dry", "cool", "closed"])),"#;

/// One unit with other blocks before `run`.
pub(crate) fn other(safe: &str, setup: &str, faults: &str) -> (Report, Run) {
    let own = [("own/other.ron", changed("safety/pump-feed.ron", &[(SAFE, safe)]))];
    ran(&alone(setup, faults, "6s").replace("safety/pump-feed.ron", "own/other.ron"), &own)
}

pub(crate) fn hidden(node: &str, pin: u8, at: &str) -> String {
    format!("(kind: Safety(Wire(pin: {pin}, is: ToSupply)), place: Node(\"{node}\"), trigger: At(\"{at}\"))")
}

pub(crate) fn operation(input: &str, at: &str, to: &str) -> String {
    format!(", (at: \"{at}\", input: \"{input}\", to: {to})")
}

/// Three units; hall has an input of its own, `a`, and this in its diagram; what is done at each of them, and faults.
pub(crate) fn with_input(diagram: &str, done: [&str; 3], faults: &str) -> (Report, Run) {
    with_blocks("", diagram, done, faults)
}

/// The same with more blocks before the one that makes the hall's output.
pub(crate) fn with_blocks(before: &str, diagram: &str, done: [&str; 3], faults: &str) -> (Report, Run) {
    let (name, mut text) = three();
    let input = "inputs: [(name: \"a\", pins: Single(\"pa\"))], pins: [(pin: 0, name: \"pa\", role: Input), (pin: 8,";
    for (old, new) in [
        ("pins: [(pin: 8,", input),
        ("blocks: [(name: \"r\"", "blocks: [(name: \"a\", kind: Input(\"a\")), (name: \"r\""),
        ("(name: \"both\", kind: And([\"r\", \"w\"]))", &format!("{before}(name: \"both\", kind: {diagram})")),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    if faults.contains("CpuReset") {
        // A unit restarts faster than anybody misses it.
        text = text.replace("100ms", "3s").replace("500ms", "4s");
    }
    let clocks = ["", "", ", cpu1: (clock_offset: \"31ms\")"];
    let setup = |at: usize| format!("{}, operations: [{}]", clocks[at], done[at].trim_start_matches(", "));
    let setups = [0, 1, 2].map(setup);
    three_set_up(&(name, text), setups.each_ref().map(|setup| &**setup), "9s", faults)
}
