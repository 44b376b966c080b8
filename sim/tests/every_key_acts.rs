//! Every key of the scenario file does something: another value makes another run or another judgement.
//!
//! A *group* is one key in a small scenario with several values; no two of them may come out the same. What comes out is
//! the fingerprint of the run (all records of all domains), or the verdicts of the rows that the key is about. Every
//! path that `scenario explain` knows must stand in a group or, with a reason, in [`TEXT_ONLY`].

use std::collections::BTreeMap;
use std::path::Path;

use cooltwin::run::{Identity, report, run};
use cooltwin::scenario::{FileSource, Format, LoadError, Loaded, SCENARIO, load};

/// Keys that are words for people and tools, and act on nothing that a run shows.
const TEXT_ONLY: [(&str, &str); 11] = [
    ("expectations.SafetyTrip.by", "the words of the firmware's detections; the shipped scenarios show them"),
    ("expectations.SafetyDownload.is", "what the tool can tell; the tests of downloads show each"),
    ("expectations.CheckFails", "the firmware breaks no check, so that no short run can show it"),
    ("name", "names the folder of the results"),
    ("title", "for people"),
    ("purpose", "for people"),
    ("tags", "to select scenarios by"),
    ("budgets.requirements", "repeated in the row's report"),
    (
        "faults.trigger.ProtocolStep.service.TesterPresent",
        "the CIOC's firmware never sends it; the trigger then never comes",
    ),
    ("faults.id", "name of a row; made up where none is written"),
    ("package.image.source", "its variant File is covered in the tests of scenario files: it reads a file"),
];

/// Two pumps, a small image, the cyclic messages alone for three seconds.
const IDLE: &str = r#"(campaign: false, end: At("3s"), budgets: [], pumps: (count: 2),
    timing: (pump_boot: "100ms", cioc_boot: "200ms"), package: (image: (length: "2KiB")))"#;
/// The same with a campaign.
const UPDATE: &str = r#"(end: AfterCampaign("1s"), budgets: [], pumps: (count: 2), user: (consent: Agree(after: "1s")),
    timing: (pump_boot: "100ms", cioc_boot: "200ms"), package: (image: (length: "2KiB")), time_limit: "20min")"#;

/// A safety unit that feeds two pumps.
const UNIT: &str = r#"(campaign: false, end: At("3s"), budgets: [], pumps: (count: 2),
    timing: (pump_boot: "100ms", cioc_boot: "200ms"), safety_units: [(configuration: "unit.ron", node: "hall",
    feeds: [(relay: 0)], inputs: [(input: "button", device: Off)],
    operations: [(at: "1500ms", input: "button", to: On, duration: "300ms")])])"#;
/// Two units that hear each other over radio.
const TWO: &str = r#"(campaign: false, end: At("3s"), budgets: [], pumps: (count: 2),
    timing: (pump_boot: "100ms", cioc_boot: "200ms"), safety_units: [(configuration: "two.ron", node: "hall",
    feeds: [(relay: 0)], inputs: [(input: "button", device: Off)],
    operations: [(at: "1500ms", input: "button", to: On, duration: "300ms")]),
    (configuration: "two.ron", node: "roof")])"#;

struct Files<'a>(&'a str, &'a str);

impl FileSource for Files<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = match path.to_str() {
            Some("base.ron") => self.1,
            Some("unit.ron") => include_str!("../../scenarios/safety/pump-feed.ron"),
            Some("two.ron") => include_str!("../../scenarios/safety/cooling-watch.ron"),
            _ => self.0,
        };
        Ok(text.as_bytes().to_vec())
    }
}

fn loaded(base: &str, own: &str) -> Loaded {
    let text = format!("(extends: \"base.ron\", {own})");
    load(&Files(&text, base), Path::new("key.ron"), &[]).unwrap_or_else(|error| match error {
        LoadError::Invalid(report) => panic!("{text}\n{}", report.render(Format::Human, false)),
        LoadError::Unreadable(path, why) => panic!("{path}: {why}"),
    })
}

/// What a run leaves behind, without what only repeats the scenario.
fn fingerprint(base: &str, own: &str) -> String {
    let loaded = loaded(base, own);
    let run = run(&loaded.scenario, None, |_| {});
    report(&loaded, &run, &Identity::default()).fingerprint.all + &format!(" {:?}", run.ending)
}

/// Verdicts of the run, of its budgets with what was measured, and of its expectations; what was read back of faults.
fn verdicts(base: &str, own: &str) -> String {
    let loaded = loaded(base, own);
    let run = run(&loaded.scenario, None, |_| {});
    let report = report(&loaded, &run, &Identity::default());
    let budgets: Vec<_> = report.budgets.iter().map(|row| (row.verdict, row.measured)).collect();
    let expectations: Vec<_> = report.expectations.iter().map(|row| row.verdict).collect();
    let effects: Vec<_> = report.injections.iter().map(|row| (row.activations, &row.effect)).collect();
    format!("{:?} {budgets:?} {expectations:?} {effects:?}", report.verdict)
}

type Look = fn(&str, &str) -> String;

/// The values of a group, put where the template says `@`; all must come out differently.
fn differ(base: &str, template: &str, values: &[&str], look: Look) -> Vec<String> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for value in values {
        if let Some(other) = seen.insert(look(base, &template.replace('@', value)), value) {
            wrong.push(format!("`{template}`: no difference between {other} and {value}"));
        }
    }
    wrong
}

/// A group: base, template, values.
type Group = (&'static str, &'static str, &'static [&'static str]);

const RUNS: &[Group] = &[
    (UPDATE, "seed: @, traffic: [(name: \"x\", node: \"CIOC\", id: 0x300, period: \"100ms\")]", &["1", "2"]),
    (UPDATE, "campaign: @, end: At(\"5s\")", &["true", "false"]),
    (IDLE, "pumps: (count: @)", &["1", "2", "16"]),
    (UPDATE, "pumps: (model: @)", &["\"AROS-25\"", "\"AROS-40\""]),
    (UPDATE, "pumps: (version: @)", &["\"1.0.0\"", "\"1.1.0\"", "\"2.0.0\""]),
    (IDLE, "pumps: (overrides: [(pump: @, boot: \"1s\")])", &["1", "2"]),
    (UPDATE, "pumps: (overrides: [(pump: 1, model: @)])", &["None", "\"AROS-40\""]),
    (UPDATE, "pumps: (overrides: [(pump: 1, version: @)])", &["None", "\"2.0.0\""]),
    (IDLE, "pumps: (overrides: [(pump: 1, answers: @)])", &["true", "false"]),
    (IDLE, "pumps: (overrides: [(pump: 1, boot: @)])", &["None", "\"1s\""]),
    (IDLE, "pumps: (overrides: [(pump: 1, clock_offset: @)])", &["\"0ms\"", "\"7ms\""]),
    (IDLE, "pumps: (overrides: [(pump: 1, clock_drift: @)])", &["\"0ppm\"", "\"900ppm\""]),
    (
        IDLE,
        "further_nodes: [\"a\", \"b\"], traffic: [(name: \"x\", node: @, id: 0x300, period: \"100ms\")]",
        &["\"a\"", "\"b\"", "\"P01\""],
    ),
    (UPDATE, "package: (pump_firmware: @)", &["true", "false"]),
    (UPDATE, "package: (image: (model: @))", &["\"AROS-25\"", "\"AROS-40\""]),
    (UPDATE, "package: (image: (version: @))", &["\"2.0.0\"", "\"2.1.0\""]),
    (UPDATE, "package: (image: (length: @))", &["\"2KiB\"", "\"3KiB\""]),
    (UPDATE, "package: (image: (seed: @))", &["1", "2"]),
    (UPDATE, "package: (image: (defect: @))", &["None", "Missing", "Corrupt(1)", "ForModel(\"AROS-40\")"]),
    (IDLE, "bus: (enabled: @)", &["true", "false"]),
    (IDLE, "bus: (bitrate: @)", &["\"250kbit/s\"", "\"500kbit/s\""]),
    (
        IDLE,
        "bus: (automatic_recovery: @), faults: [(kind: BitErrors(rate: \"30%\"), place: Bus, trigger: At(\"1s\"), duration: \"500ms\")]",
        &["true", "false"],
    ),
    (UPDATE, "protocol: (block_len: @)", &["\"1024B\"", "\"512B\""]),
    (UPDATE, "protocol: (block_size: @)", &["8", "0"]),
    (UPDATE, "protocol: (st_min: @)", &["\"500us\"", "\"2ms\""]),
    (UPDATE, "protocol: (padding: @)", &["0xAA", "0x55"]),
    (UPDATE, "package: (image: (length: \"4KiB\", defect: @))", &["None", "Truncated(\"1B\")"]),
    (UPDATE, "package: (image: (length: \"4KiB\", defect: @))", &["None", "Extended(\"1B\")"]),
    (
        UPDATE,
        "end: At(\"30s\"), protocol: (n_as: @), faults: [(kind: ControllerStopped, place: Cioc, trigger: ProtocolStep(pump: 1, service: Transfer), duration: \"5s\")]",
        &["\"1s\"", "\"2s\""],
    ),
    (
        UPDATE,
        "end: At(\"30s\"), protocol: (n_bs: @), faults: [(kind: Unplugged, place: Pump(1), trigger: ProtocolStep(pump: 1, service: Transfer), duration: \"5s\")]",
        &["\"1s\"", "\"600ms\""],
    ),
    (
        UPDATE,
        "end: At(\"30s\"), protocol: (n_cr: @), faults: [(kind: Hang, place: Cioc, trigger: ProtocolStep(pump: 1, service: Transfer), duration: \"500ms\")]",
        &["\"1s\"", "\"300ms\""],
    ),
    (
        UPDATE,
        "end: At(\"30s\"), protocol: (p2: @), faults: [(kind: Hang, place: Pump(1), trigger: ProtocolStep(pump: 1, service: Session), duration: \"3s\")]",
        &["\"50ms\"", "\"500ms\""],
    ),
    (
        UPDATE,
        "end: At(\"60s\"), protocol: (p2_star: @), faults: [(kind: Hang, place: Pump(1), trigger: When(pump: 1, phase: Erase, progress: \"50%\"), duration: \"20s\")]",
        &["\"5s\"", "\"8s\""],
    ),
    (UPDATE, "flash: (profile: @)", &["Stm32f4Typical", "Stm32f4Maximum"]),
    (UPDATE, "flash: (sector_erase: @)", &["None", "\"1500ms\""]),
    (UPDATE, "flash: (word_program: @)", &["None", "\"30us\""]),
    (UPDATE, "flash: (slow_factor: @)", &["\"1x\"", "\"1.5x\""]),
    (UPDATE, "flash: (stalls_core: @)", &["true", "false"]),
    (IDLE, "timing: (reaction_latency: @)", &["\"100us\"", "\"300us\""]),
    (IDLE, "timing: (timer_resolution: @)", &["\"50us\"", "\"7ms\""]),
    (IDLE, "timing: (pump_boot: @)", &["\"100ms\"", "\"110ms\""]),
    (IDLE, "timing: (cioc_boot: @)", &["\"200ms\"", "\"210ms\""]),
    (IDLE, "timing: (cioc_clock_drift: @)", &["\"0ppm\"", "\"900ppm\""]),
    (UPDATE, "end: At(\"20s\"), supply: (nominal: @)", &["\"24V\"", "\"17V\"", "\"8V\""]),
    (IDLE, "supply: (nominal: \"20V\", resistance: @)", &["\"0mohm\"", "\"2ohm\""]),
    (
        IDLE,
        "supply: (brown_out: @, power_good: \"14V\"), faults: [(kind: Sag(to: \"10V\"), place: Supply, trigger: At(\"1s\"), duration: \"100ms\")]",
        &["\"9V\"", "\"12V\""],
    ),
    (IDLE, "supply: (nominal: \"12V\", power_good: @)", &["\"10V\"", "\"14V\""]),
    (
        IDLE,
        "supply: (hold_up: @), faults: [(kind: PowerCut, place: Pump(1), trigger: At(\"1s\"), duration: \"20ms\")]",
        &["\"5ms\"", "\"15ms\"", "\"50ms\""],
    ),
    (UPDATE, "end: At(\"20s\"), supply: (nominal: \"17V\", minimum_for_update: @)", &["\"18V\"", "\"15V\""]),
    (IDLE, "plant: (volume: @)", &["\"120L\"", "\"10L\""]),
    (IDLE, "plant: (heat_load: @)", &["\"40kW\"", "\"900kW\""]),
    (IDLE, "plant: (ambient: @)", &["\"25degC\"", "\"-40degC\""]),
    (IDLE, "plant: (coolant_start: @)", &["\"35degC\"", "\"50degC\""]),
    (IDLE, "plant: (pump_flow: @)", &["\"30L/min\"", "\"60L/min\""]),
    (IDLE, "plant: (set_point: @)", &["\"40degC\"", "\"20degC\""]),
    (
        UPDATE,
        "end: At(\"15s\"), user: (consent: @)",
        &[
            "Agree(after: \"1s\")",
            "Agree(after: \"3s\")",
            "Refuse(after: \"1s\")",
            "Refuse(after: \"3s\")",
            "Never",
            "RebootWhileAsking(after: \"1s\")",
            "RebootWhileAsking(after: \"3s\")",
            "RebootWhileAsking(after: \"1s\", then_agree: false)",
        ],
    ),
    (
        UPDATE,
        "end: At(\"15s\"), pumps: (version: \"2.0.0\"), user: (manual_searches: @)",
        &["[]", "[\"9s\"]", "[\"10s\"]"],
    ),
    (
        IDLE,
        "cioc_update: @",
        &[
            "None",
            "(at: \"1s\", duration: \"1s\")",
            "(at: \"1100ms\", duration: \"1s\")",
            "(at: \"1s\", duration: \"1100ms\")",
        ],
    ),
    (
        IDLE,
        "traffic: [@]",
        &[
            "",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"100ms\")",
            "(name: \"y\", node: \"P01\", id: 0x300, period: \"100ms\")",
            "(name: \"x\", node: \"P01\", id: 0x301, period: \"100ms\")",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"110ms\")",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"100ms\", dlc: 3)",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"100ms\", payload: \"01\")",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"100ms\", offset: \"3ms\")",
            "(name: \"x\", node: \"P01\", id: 0x300, period: \"100ms\", jitter: \"9ms\")",
        ],
    ),
    (IDLE, "end: @", &["At(\"2s\")", "At(\"2500ms\")"]),
    (UPDATE, "end: @", &["AfterCampaign(\"1s\")", "AfterCampaign(\"2s\")"]),
    (UPDATE, "time_limit: @", &["\"5s\"", "\"20min\""]),
    // Faults: what they do.
    (
        IDLE,
        "faults: [(kind: @, place: Supply, trigger: At(\"1s\"), duration: \"200ms\")]",
        &[
            "PowerCut",
            "Sag(to: \"15V\")",
            "Sag(to: \"5V\")",
            "Ramp(to: \"5V\", over: \"100ms\")",
            "Ramp(to: \"6V\", over: \"100ms\")",
            "Ramp(to: \"5V\", over: \"50ms\")",
            "OverVoltage(to: \"30V\")",
            "OverVoltage(to: \"32V\")",
        ],
    ),
    (
        IDLE,
        "faults: [(kind: @, place: Pump(1), trigger: At(\"1s\"))]",
        &[
            "Bounce()",
            "Bounce(count: 4)",
            "Bounce(off: \"8ms\")",
            "Bounce(on: \"3ms\")",
            "Unplugged",
            "ControllerStopped",
            "Hang",
            "Reset",
            "ClockDrift(by: \"500ppm\")",
            "ClockDrift(by: \"5000ppm\")",
            "Babbling()",
            "Babbling(id: 0x001)",
            "Babbling(dlc: 2)",
            "Babbling(gap: \"1ms\")",
            "FrameLoss(rate: \"50%\")",
            "FrameLoss(direction: Received)",
            "FrameLoss(direction: Sent)",
            "FrameLoss(direction: Both)",
            "FrameLoss(nth: 2)",
            "FrameLoss(id: 0x7FF)",
            "ReceiveOverrun()",
            "ReceiveOverrun(frames: 3)",
        ],
    ),
    (
        UPDATE,
        "faults: [(kind: FramTear(bytes: @), place: Cioc, trigger: Campaign(Agreed), duration: \"1s\")]",
        &["0", "5"],
    ),
    (IDLE, "faults: [(kind: @, place: PumpFeed, trigger: At(\"1s\"), duration: \"100ms\")]", &["FeedOff"]),
    (
        IDLE,
        "faults: [(kind: @, place: Bus, trigger: At(\"1s\"), duration: \"20ms\")]",
        &["BitErrors(rate: \"1%\")", "BitErrors(rate: \"2%\")", "StuckDominant", "StuckRecessive"],
    ),
    (
        IDLE,
        "faults: [(kind: @, place: Bus, trigger: At(\"1s\"))]",
        &[
            "Burst(bits: 500)",
            "Burst(bits: 900)",
            "FrameHit(id: 0x201, bit: 20)",
            "FrameHit(id: 0x202, bit: 20)",
            "FrameHit(id: 0x201, nth: 2, bit: 20)",
            "FrameHit(id: 0x201, bit: 30)",
            "FrameHit(id: 0x201, bit: 20, seen_by: Receivers)",
            "FrameHit(id: 0x201, bit: 20, seen_by: Only([\"P02\"]))",
        ],
    ),
    (
        IDLE,
        "faults: [(kind: OpenBus, place: Between(@), trigger: At(\"1s\"))]",
        &["a: \"CIOC\", b: \"P01\"", "a: \"P01\", b: \"P02\""],
    ),
    (
        IDLE,
        "faults: [(kind: SlowBoot(by: @), place: Pump(1), trigger: At(\"500ms\")), (kind: Reset, place: Pump(1), trigger: At(\"1s\"))]",
        &["\"100ms\"", "\"200ms\""],
    ),
    (
        IDLE,
        "faults: [(kind: @, place: Pump(1), trigger: At(\"500ms\")), (kind: Reset, place: Pump(1), trigger: At(\"1s\"))]",
        &["BitFlipAtRest()", "WrongVersion(version: \"9.9.9\")"],
    ),
    (
        UPDATE,
        "faults: [(kind: ControllerSlow(by: @), place: Pump(1), trigger: ProtocolStep(pump: 1, service: Transfer))]",
        &["\"1ms\"", "\"2ms\""],
    ),
    (
        UPDATE,
        "faults: [(kind: Exchanged(version: @), place: Pump(1), trigger: At(\"100ms\"), duration: \"300ms\")]",
        &["\"1.5.0\"", "\"9.9.9\""],
    ),
    (
        UPDATE,
        "faults: [(kind: WrongVersion(version: @), place: Pump(1), trigger: At(\"100ms\"))]",
        &["\"2.0.0\"", "\"9.9.9\""],
    ),
    (
        UPDATE,
        "faults: [(kind: @, place: Pump(1), trigger: At(\"1s\"))]",
        &[
            "FlashProgramFailure()",
            "FlashProgramFailure(operations: 0)",
            "SlowErase(factor: \"1.2x\")",
            "SlowErase(factor: \"1.3x\")",
        ],
    ),
    // Faults: where, how long, how often.
    (
        IDLE,
        "faults: [(kind: Reset, place: @, trigger: At(\"1s\"))]",
        &["Pump(1)", "Pump(2)", "Cioc", "AllPumps", "AllNodes"],
    ),
    (IDLE, "faults: [(kind: Reset, place: Node(@), trigger: At(\"1s\"))]", &["\"P01\"", "\"P02\"", "\"CIOC\""]),
    (
        IDLE,
        "faults: [(kind: PowerCut, place: @, trigger: At(\"1s\"), duration: \"100ms\")]",
        &["Supply", "Pump(1)", "Cioc"],
    ),
    (
        IDLE,
        "faults: [(kind: Hang, place: Pump(1), trigger: At(\"1s\"), duration: @)]",
        &["None", "\"100ms\"", "\"200ms\""],
    ),
    (IDLE, "faults: [(kind: Reset, place: Pump(1), trigger: At(@))]", &["\"1s\"", "\"1100ms\""]),
    (
        IDLE,
        "faults: [(kind: Reset, place: Pump(1), trigger: At(\"1s\"), repeat: @)]",
        &[
            "None",
            "(count: 2, period: \"300ms\")",
            "(count: 3, period: \"300ms\")",
            "(count: 0, period: \"300ms\")",
            "(count: 2, period: \"400ms\")",
        ],
    ),
    (
        IDLE,
        "faults: [(kind: Reset, place: Pump(1), trigger: Frame(id: 0x201, nth: 3), repeat: @)]",
        &["None", "(count: 2)", "(count: 0)"],
    ),
    // Faults: when.
    (
        IDLE,
        "faults: [(kind: Reset, place: Pump(1), trigger: Frame(@))]",
        &["id: 0x201", "id: 0x202", "id: 0x201, nth: 4"],
    ),
    (
        UPDATE,
        "faults: [(kind: Hang, place: AllPumps, trigger: Campaign(@), duration: \"100ms\")]",
        &["Search", "Asking", "Agreed", "Finished"],
    ),
    (
        UPDATE,
        "faults: [(kind: Hang, place: AllPumps, trigger: When(@), duration: \"10ms\")]",
        &[
            "pump: 1, phase: EnterBootloader",
            "pump: 1, phase: Session",
            "pump: 1, phase: Security",
            "pump: 1, phase: Erase",
            "pump: 1, phase: Download",
            "pump: 1, phase: Transfer",
            "pump: 1, phase: Exit",
            "pump: 1, phase: Check",
            "pump: 1, phase: Reset",
            "pump: 1, phase: Status",
            "pump: 2, phase: Transfer",
            "pump: 1, phase: Transfer, progress: \"40%\"",
            "pump: 1, phase: Erase, attempt: 2",
        ],
    ),
    (
        UPDATE,
        "faults: [(kind: Hang, place: AllPumps, trigger: FlashOperation(@), duration: \"10ms\")]",
        &[
            "pump: 1, nth: 6, moment: Middle",
            "pump: 2, nth: 6",
            "pump: 1, nth: 7",
            "pump: 1, nth: 2, operation: Erase",
            "pump: 1, nth: 8, operation: Program",
            "pump: 1, nth: 6, moment: Before",
            "pump: 1, nth: 6, moment: After",
        ],
    ),
    (
        UPDATE,
        "faults: [(kind: Hang, place: AllPumps, trigger: ProtocolStep(@), duration: \"10ms\")]",
        &[
            "pump: 1, service: Session",
            "pump: 1, service: Reset",
            "pump: 1, service: Read",
            "pump: 1, service: SecurityAccess",
            "pump: 1, service: Erase",
            "pump: 1, service: Check",
            "pump: 1, service: Download",
            "pump: 1, service: Transfer",
            "pump: 1, service: Exit",
            "pump: 2, service: Transfer, side: Request",
            "pump: 1, service: Transfer, side: Response",
            "pump: 1, service: Transfer, nth: 2",
            "pump: 1, service: Transfer, attempt: 2",
        ],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: @, configuration: \"unit.ron\", password: \"x\")])]",
        &["\"1s\"", "\"1100ms\""],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: @, password: \"coolant-7\")])]",
        &["\"unit.ron\"", "\"two.ron\""],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: \"unit.ron\", password: @)])]",
        &["\"coolant-7\"", "\"coolant-8\""],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: \"unit.ron\", password: \"coolant-7\", @)])]",
        &["asks_first: true", "asks_first: false", "enters: false", "serial: 5"],
    ),
    (
        UNIT,
        "further_nodes: [\"a\", \"b\"], safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: \"unit.ron\", password: \"coolant-7\", over: @)])]",
        &["Usb", "Radio", "Can(\"a\")", "Can(\"b\")"],
    ),
    (
        UNIT,
        "further_nodes: [\"a\", \"b\"], safety_units: [(configuration: \"unit.ron\", node: \"hall\", identifications: [(@)])]",
        &[
            "at: \"1s\"",
            "at: \"1100ms\"",
            "at: \"1s\", serial: 5",
            "at: \"1s\", over: Radio",
            "at: \"1s\", over: Can(\"a\")",
            "at: \"1s\", over: Can(\"b\")",
        ],
    ),
    (UNIT, "safety_units: [(configuration: @, node: \"hall\")]", &["\"unit.ron\"", "\"two.ron\""]),
    (UNIT, "safety_units: [(configuration: \"two.ron\", node: @)]", &["\"hall\"", "\"roof\""]),
    (UNIT, "safety_units: [(configuration: \"unit.ron\", node: \"hall\", boot: @)]", &["\"10ms\"", "\"11ms\""]),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", @)]",
        &[
            "cpu1: (clock_offset: \"1ms\")",
            "cpu2: (clock_offset: \"1ms\")",
            "cpu1: (clock_drift: \"90ppm\")",
            "cpu2: (clock_drift: \"90ppm\")",
            "serial: Some(7)",
            "cpu1: (release: 2)",
            "cpu1: (logic_time: \"900us\")",
            "cpu2: (logic_time: \"900us\")",
            "inputs: [(input: \"temperature\", device: Off)]",
            "inputs: [(input: \"leak\", device: Off)]",
            "inputs: [(input: \"temperature\", device: Thermostat(\"30degC\"))]",
            "inputs: [(input: \"leak\", device: On)]",
            "operations: [(at: \"1s\", input: \"stop\", to: Off)]",
            "operations: [(at: \"2s\", input: \"stop\", to: Off)]",
            "operations: [(at: \"2s\", input: \"leak\", to: Off)]",
            "operations: [(at: \"2s\", input: \"leak\", to: Off, duration: \"100ms\")]",
        ],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", inputs: [(input: \"leak\", device: @)])]",
        &["On", "FlowSwitch(\"10L/min\")"],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", relay_move: @, inputs: [(input: \"button\", device: Off)], operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\")])]",
        &["\"5ms\"", "\"6ms\""],
    ),
    (
        UNIT,
        "safety_units: [(configuration: \"unit.ron\", node: \"hall\", feeds: [(relay: @, pumps: Only([1])), (relay: 0, pumps: Only([2]))], inputs: [(input: \"button\", device: Off)], operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\")])]",
        &["0", "1"],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(@), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &[
            "C2cLost(from: 1)",
            "C2cLost(from: 2)",
            "C2cLost(from: 1, packets: 3)",
            "C2cCorrupted(from: 1, packets: 2)",
            "CpuHalted(cpu: 1)",
            "CpuReset(cpu: 1)",
            "CpuReset(cpu: 2)",
            "Clock(cpu: 1, by: \"10000ppm\")",
            "Clock(cpu: 1, by: \"20000ppm\")",
            "LogicTime(cpu: 1, takes: \"900us\")",
            "LogicTime(cpu: 1, takes: \"700us\")",
            "InputOff(\"stop\")",
            "InputOff(\"leak\")",
        ],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(C2cDelayed(@)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &[
            "from: 1, by: \"15ms\"",
            "from: 2, by: \"15ms\"",
            "from: 1, by: \"20ms\"",
            "from: 1, by: \"15ms\", packets: 3",
        ],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(C2cRepeated(@)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["from: 1", "from: 1, packets: 3"],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(NoDeadline(cpu: @)), place: Node(\"hall\"), trigger: At(\"2500ms\")), (kind: Safety(LogicTime(cpu: 1, takes: \"900us\")), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["1", "2"],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(RamCell(cpu: 1, word: @, defect: StuckAt0)), place: Node(\"hall\"), trigger: At(\"0ms\"))]",
        &["5", "6000"],
    ),
];

/// A group for verdicts.
const JUDGED: &[Group] = &[
    (
        UPDATE,
        "budgets: [(id: \"b\", measure: @, relation: AtMost, limit: \"500ms\")]",
        &["PumpUpdate", "BackToAutomatic", "Campaign", "Response(\"status-P01\")"],
    ),
    (
        UPDATE,
        "budgets: [(id: \"b\", measure: @)]",
        &[
            "BusLoad, relation: AtMost, limit: \"50%\"",
            "Supply, relation: AtMost, limit: \"30V\"",
            "Flow, relation: AtMost, limit: \"30L/min\"",
            "Coolant, relation: AtMost, limit: \"60degC\"",
        ],
    ),
    (IDLE, "budgets: [(id: \"b\", measure: BusLoad, relation: @)]", &["Below, limit: \"1%\"", "Below, limit: \"99%\""]),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: @)]",
        &["AtMost, limit: \"1%\"", "AtMost, limit: \"99%\""],
    ),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: @)]",
        &["AtLeast, limit: \"1%\"", "AtLeast, limit: \"99%\""],
    ),
    (IDLE, "budgets: [(id: \"b\", measure: BusLoad, relation: @)]", &["Above, limit: \"1%\"", "Above, limit: \"99%\""]),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: Between, limit: \"99%\", limit_low: @)]",
        &["\"1%\"", "\"98%\""],
    ),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: AtMost, limit: \"1%\", information: @)]",
        &["true", "false"],
    ),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: AtMost, limit: \"1%\")], expectations: [@]",
        &["", "BudgetFails(\"b\")"],
    ),
    (
        UPDATE,
        "package: (image: (version: \"1.0.0\")), end: At(\"8s\"), pumps: (overrides: [(pump: 1, version: \"1.0.0\")]), expectations: [Outcome(is: @)]",
        &["Updated", "UpToDate"],
    ),
    (
        UPDATE,
        "expectations: [Outcome(pumps: @, is: Updated)], pumps: (overrides: [(pump: 1, model: \"AROS-40\")])",
        &["All", "Only([2])"],
    ),
    (
        UPDATE,
        "expectations: [Outcome(pumps: @, is: Rejected)], pumps: (overrides: [(pump: 1, model: \"AROS-40\")])",
        &["Only([2])", "Except([2])"],
    ),
    (UPDATE, "expectations: [Outcome(is: @)]", &["Updated", "Dead"]),
    (UPDATE, "expectations: [Outcome(is: @)]", &["Updated", "SetAside"]),
    (UPDATE, "package: (image: (defect: Missing)), expectations: [Outcome(is: @)]", &["Updated", "NotReached"]),
    (UPDATE, "expectations: [Attempts(at_least: @)]", &["1", "2"]),
    (UPDATE, "expectations: [Attempts(at_most: @)]", &["0", "1"]),
    (UPDATE, "expectations: [Cause(code: \"FW001\", logged: @)]", &["true", "false"]),
    (UPDATE, "expectations: [VersionAfter(version: @)]", &["\"2.0.0\"", "\"1.0.0\""]),
    (UPDATE, "end: At(\"8s\"), expectations: [NoFlashWrite(All)], pumps: (version: @)", &["\"2.0.0\"", "\"1.0.0\""]),
    (
        IDLE,
        "expectations: [FailSafe(@)], faults: [(kind: Unplugged, place: Pump(1), trigger: At(\"5s\"))], end: At(\"20s\"), time_limit: \"1h\"",
        &["Only([1])", "Except([1])"],
    ),
    (UPDATE, "expectations: [Consent(@)]", &["Given", "NotAsked"]),
    (
        UPDATE,
        "end: At(\"12s\"), user: (consent: Refuse(after: \"1s\")), expectations: [Consent(@)]",
        &["Given", "Refused"],
    ),
    (UPDATE, "end: At(\"11min\"), user: (consent: Never), expectations: [Consent(@)]", &["Late", "Lapsed"]),
    (
        UPDATE,
        "end: At(\"12min\"), user: (consent: Agree(after: \"11min\")), expectations: [Consent(@)]",
        &["Late", "Lapsed"],
    ),
    (UPDATE, "expectations: [Alarm(about: Any, count: @)]", &["0", "1"]),
    (
        UPDATE,
        "expectations: [Alarm(about: @)], supply: (nominal: \"17V\"), end: At(\"20s\")",
        &["LowSupply", "AnyDeadPump"],
    ),
    (
        UPDATE,
        "expectations: [Alarm(about: @, count: 1)], faults: [(kind: FlashProgramFailure(operations: 0), place: Pump(1), trigger: At(\"1s\"))]",
        &["DeadPump(1)", "DeadPump(2)"],
    ),
    (
        UPDATE,
        "expectations: [Alarm(about: @, count: 1)], faults: [(kind: Unplugged, place: Cioc, trigger: Campaign(Agreed))], end: At(\"20s\")",
        &["NoPumpHeard", "AnyDeadPump"],
    ),
    (
        IDLE,
        "expectations: [BusOff([\"CIOC\"])], faults: [(kind: @, place: Bus, trigger: At(\"1s\"), duration: \"2s\")]",
        &["StuckDominant", "BitErrors(rate: \"20%\")"],
    ),
    (
        IDLE,
        "expectations: [ErrorPassive([\"CIOC\"])], faults: [(kind: @, place: Bus, trigger: At(\"1s\"), duration: \"100ms\")]",
        &["StuckDominant", "BitErrors(rate: \"1ppm\")"],
    ),
    (UPDATE, "expectations: [Campaign(@)]", &["Finished", "NotStarted"]),
    (UPDATE, "end: At(\"9s\"), expectations: [Campaign(@)]", &["Finished", "Unfinished"]),
    (
        IDLE,
        "budgets: [(id: \"b\", measure: BusLoad, relation: AtMost, limit: \"1%\")], expectations: [Verdict(@)]",
        &["Pass", "Fail"],
    ),
    (
        UPDATE,
        "end: At(\"12s\"), user: (consent: Refuse(after: \"1s\")), expectations: [Verdict(@)], budgets: [(id: \"u\", measure: PumpUpdate, relation: Below, limit: \"70s\"), (id: \"b\", measure: BackToAutomatic, relation: Below, limit: \"60s\")]",
        &["Pass", "Inconclusive"],
    ),
    (IDLE, "faults: [(kind: BitFlipAtRest(bits: @), place: Pump(1), trigger: At(\"1s\"))]", &["1", "2"]),
    (UPDATE, "time_limit: \"5s\", expectations: [Verdict(@)]", &["Pass", "Error"]),
    (
        UNIT,
        "faults: [(kind: Safety(RamCell(cpu: 1, word: 9001, bit: 3, defect: @)), place: Node(\"hall\"), trigger: At(\"0ms\"))]",
        &["StuckAt0", "StuckAt1", "NoRise", "NoFall", "Inverts(9002)", "Reaches(9002)", "Flips"],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(RamCell(cpu: 1, word: 9001, bit: @, defect: StuckAt0)), place: Node(\"hall\"), trigger: At(\"0ms\"))]",
        &["0", "31"],
    ),
    (
        UNIT,
        "faults: [(kind: Safety(@), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &[
            "FlashBits(cpu: 1, address: 64)",
            "FlashBits(cpu: 1, address: 65)",
            "FlashBits(cpu: 1, address: 64, bits: 2)",
            "Adc(cpu: 1, channel: Pin(1), error: Gain(\"9000ppm\"))",
            "Adc(cpu: 1, channel: Supply, error: Gain(\"9000ppm\"))",
            "Adc(cpu: 1, channel: SioPower, error: Above(\"1V\"))",
            "Adc(cpu: 1, channel: Rail, error: Below(\"1V\"))",
            "Adc(cpu: 2, channel: Rail, error: Stuck(\"1V\"))",
            "View(cpu: 1, pin: 0, high: true)",
            "View(cpu: 1, pin: 0, high: false)",
            "View(cpu: 2, pin: 1, high: true)",
            "Wire(pin: 0, is: Open)",
            "Wire(pin: 0, is: ToSupply)",
            "Wire(pin: 0, is: ToGround)",
            "Wire(pin: 0, is: ToPin(1))",
            "Contact(relay: 0, cpu: 1, closed: false)",
            "Transistor(pin: 8, conducts: true)",
            "Transistor(pin: 8, conducts: false)",
            "MainTransistor(conducts: true)",
            "MainTransistor(conducts: false)",
            "Rail(cpu: 1, to: \"3V\")",
            "Rail(cpu: 2, to: \"3V\")",
            "Adc(cpu: 1, channel: SioPower, error: Noise(\"5V\"))",
            "TickSlip(cpu: 1)",
            "TickSlip(cpu: 2)",
            "C2cForged(from: 1, field: Mode)",
            "C2cForged(from: 2, field: Mode)",
            "C2cForged(from: 1, field: Release)",
            "C2cForged(from: 1, field: Configuration)",
            "C2cForged(from: 1, field: Demand)",
        ],
    ),
    // A repeat says nothing: only what is told of the injection knows whose it is, and after what time it comes.
    (
        UNIT,
        "faults: [(kind: Safety(C2cRepeated(@)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["from: 1, after: \"0us\"", "from: 1, after: \"15ms\"", "from: 2, after: \"0us\""],
    ),
    // A weld acts when the coil lets go.
    (
        UNIT,
        "faults: [(kind: Safety(@), place: Node(\"hall\"), trigger: At(\"2300ms\")), (kind: Safety(InputOff(\"stop\")), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["Contact(relay: 0, cpu: 1, closed: true)", "Contact(relay: 1, cpu: 1, closed: true)"],
    ),
    (
        TWO,
        "faults: [(kind: Safety(@), place: Node(\"roof\"), trigger: At(\"2500ms\"))]",
        &[
            "RadioLost()",
            "RadioLost(packets: 1)",
            "RadioCorrupted()",
            "RadioForged()",
            "RadioDelayed(\"150ms\")",
            "RadioRepeated(\"7ms\")",
            "RadioSwapped",
        ],
    ),
    (
        UNIT,
        "end: At(\"5s\"), safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: \"unit.ron\", password: \"x\"), (at: \"1s\", configuration: \"unit.ron\", password: \"x\", serial: 5)])], expectations: [SafetyDownload(unit: \"hall\", @)]",
        &["number: 0, is: WrongUnit", "number: 1, is: WrongUnit"],
    ),
    (
        UNIT,
        "end: At(\"5s\"), safety_units: [(configuration: \"unit.ron\", node: \"hall\", downloads: [(at: \"1s\", configuration: \"unit.ron\", password: \"x\"), (at: \"1s\", configuration: \"unit.ron\", password: \"x\", serial: 5)])], expectations: [SafetyDownload(unit: \"hall\", is: NotEntered, within: @)]",
        &["\"1s\"", "\"3s\""],
    ),
    (
        TWO,
        "further_nodes: [\"stranger\"], faults: [(kind: Safety(CanRepeated(by: @)), place: Node(\"roof\"), trigger: At(\"2500ms\"))]",
        &["\"stranger\"", "\"hall\"", "\"stranger\", after: \"25ms\"", "\"stranger\", after: \"25ms\", frames: 1"],
    ),
    (
        UNIT,
        "expectations: [SafetyTrip(unit: \"hall\", by: TickCount)], faults: [(kind: Safety(TickSlip(cpu: 1, by: @)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["1", "2"],
    ),
    (
        UNIT,
        "expectations: [SafetyStaysNormal(\"hall\")], faults: [(kind: Safety(C2cForged(from: 1, field: @)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["Serial", "Demand", "Demand, packets: 20"],
    ),
    (
        TWO,
        "safety_units: [(configuration: \"two.ron\", node: \"hall\", identifications: [(at: \"1s\")]), (configuration: \"two.ron\", node: \"roof\")], expectations: [SafetyIdentified(@)]",
        &["\"hall\"", "\"roof\""],
    ),
    (
        UNIT,
        "end: At(\"6s\"), expectations: [SafetyRestarts(\"hall\")], faults: [(kind: PowerCut, place: Node(\"hall\"), trigger: At(\"2500ms\"), duration: @)]",
        &["\"300ms\"", "\"3s\""],
    ),
    (UNIT, "expectations: [SafetyRelays(unit: \"hall\", closed: @)]", &["[0, 1]", "[]"]),
    (
        UNIT,
        "expectations: [SafetyStaysNormal(\"hall\")], faults: [(kind: Safety(C2cLost(from: 1, packets: @)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["1", "30"],
    ),
    (
        UNIT,
        "expectations: [SafetyTrip(unit: \"hall\", by: C2cSilent, restarts: @)], faults: [(kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["0", "1"],
    ),
    (
        UNIT,
        "expectations: [SafetyTrip(unit: \"hall\", @)], faults: [(kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"2500ms\"))]",
        &["by: C2cSilent, cpu: 2, after: \"15ms\", within: \"22ms\"", "by: C2cSilent, within: \"15ms\""],
    ),
];

fn all(groups: &[Group], look: Look) {
    // Two threads: the groups have nothing in common.
    let halves: Vec<Vec<Group>> = (0..2).map(|half| groups.iter().skip(half).step_by(2).copied().collect()).collect();
    let work = |groups: &[Group]| -> Vec<String> {
        groups.iter().flat_map(|(base, template, values)| differ(base, template, values, look)).collect()
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = halves.iter().map(|half| scope.spawn(move || work(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a group without panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_value_of_a_key_makes_another_run() {
    all(RUNS, fingerprint);
}

#[test]
fn every_judgement_can_come_out_either_way() {
    all(JUDGED, verdicts);
}

/// The last part of every path stands in a template or value above, or in the list of texts.
#[test]
fn no_key_is_left_out() {
    let groups = RUNS.iter().chain(JUDGED);
    let text: String =
        groups.map(|(base, template, values)| format!("{base} {template} {}\n", values.join(" "))).collect();
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let left_out: Vec<String> = SCENARIO
        .paths()
        .into_iter()
        .filter(|path| !TEXT_ONLY.iter().any(|(text, _)| path == text || path.starts_with(&format!("{text}."))))
        .filter(|path| !path.rsplit('.').next().is_some_and(|last| words.contains(&last)))
        .collect();
    assert!(left_out.is_empty(), "{left_out:?}");
    assert!(TEXT_ONLY.iter().all(|(path, why)| SCENARIO.paths().iter().any(|known| known == path) && !why.is_empty()));
}
