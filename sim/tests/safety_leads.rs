//! A fault that is alone led to what its unit detects first: of each kind, at each CPU, from start-up on and in normal mode.

mod common;

use common::units::{own, units_in};
use cooltwin::run::{self, Identity};

/// Kinds with a CPU or a direction for `#`.
const BY_CPU: &[&str] = &[
    "C2cLost(from: #)",
    "C2cLost(from: #, packets: 30)",
    "C2cLost(from: #, packets: 700)",
    "C2cCorrupted(from: #)",
    "C2cForged(from: #, field: Mode)",
    "C2cForged(from: #, field: Release)",
    "C2cForged(from: #, field: Configuration)",
    "C2cForged(from: #, field: Serial)",
    "C2cForged(from: #, field: Demand)",
    "C2cDelayed(from: #, by: \"19ms\")",
    "C2cDelayed(from: #, by: \"1s\")",
    "C2cRepeated(from: #)",
    "C2cRepeated(from: #, after: \"100ms\")",
    "C2cRepeated(from: #, after: \"1s\")",
    "CpuHalted(cpu: #)",
    "CpuReset(cpu: #)",
    "Clock(cpu: #, by: \"100000ppm\")",
    "Clock(cpu: #, by: \"-100000ppm\")",
    "Clock(cpu: #, by: \"-500000ppm\")",
    "LogicTime(cpu: #, takes: \"900us\")",
    "LogicTime(cpu: #, takes: \"1s\")",
    "NoDeadline(cpu: #)",
    "TickSlip(cpu: #)",
    "RamCell(cpu: #, word: 9001, bit: 7, defect: StuckAt1)",
    "RamCell(cpu: #, word: 9001, bit: 7, defect: Reaches(9002))",
    "FlashBits(cpu: #, address: 0x1000)",
    "FlashBits(cpu: #, address: 0x7FFF0)",
    "Adc(cpu: #, channel: Supply, error: Gain(\"100000ppm\"))",
    "Adc(cpu: #, channel: Supply, error: Stuck(\"0mV\"))",
    "Adc(cpu: #, channel: Supply, error: Above(\"8V\"))",
    "Adc(cpu: #, channel: Supply, error: Noise(\"10V\"))",
    "Adc(cpu: #, channel: SioPower, error: Gain(\"100000ppm\"))",
    "Adc(cpu: #, channel: SioPower, error: Stuck(\"0mV\"))",
    "Adc(cpu: #, channel: SioPower, error: Stuck(\"24V\"))",
    "Adc(cpu: #, channel: SioPower, error: Noise(\"10V\"))",
    "Adc(cpu: #, channel: Rail, error: Stuck(\"0mV\"))",
    "Adc(cpu: #, channel: Rail, error: Noise(\"2V\"))",
    "Adc(cpu: #, channel: Pin(0), error: Stuck(\"0mV\"))",
    "Adc(cpu: #, channel: Pin(4), error: Stuck(\"12V\"))",
    "Adc(cpu: #, channel: Pin(8), error: Stuck(\"24V\"))",
    "Adc(cpu: #, channel: Pin(10), error: Stuck(\"24V\"))",
    "View(cpu: #, pin: 0, high: false)",
    "View(cpu: #, pin: 4, high: true)",
    "View(cpu: #, pin: 4, high: false)",
    "View(cpu: #, pin: 7, high: true)",
    "View(cpu: #, pin: 8, high: false)",
    "View(cpu: #, pin: 10, high: true)",
    "Contact(relay: 0, cpu: #, closed: true)",
    "Contact(relay: 0, cpu: #, closed: false)",
    "Rail(cpu: #, to: \"5V\")",
    "Rail(cpu: #, to: \"1V\")",
];

const OTHERS: &[&str] = &[
    "Wire(pin: 0, is: Open)",
    "Wire(pin: 0, is: ToSupply)",
    "Wire(pin: 0, is: ToGround)",
    "Wire(pin: 0, is: ToPin(1))",
    "Wire(pin: 2, is: Open)",
    "Wire(pin: 4, is: ToPin(8))",
    "Wire(pin: 7, is: Open)",
    "Wire(pin: 7, is: ToSupply)",
    "Wire(pin: 7, is: ToGround)",
    "Wire(pin: 8, is: ToSupply)",
    "Wire(pin: 8, is: ToGround)",
    "Wire(pin: 8, is: ToPin(9))",
    "Wire(pin: 10, is: ToSupply)",
    "Wire(pin: 10, is: ToGround)",
    "Wire(pin: 10, is: ToPin(8))",
    "Transistor(pin: 0, conducts: true)",
    "Transistor(pin: 4, conducts: true)",
    "Transistor(pin: 7, conducts: true)",
    "Transistor(pin: 8, conducts: true)",
    "Transistor(pin: 8, conducts: false)",
    "Transistor(pin: 10, conducts: true)",
    "MainTransistor(conducts: true)",
    "MainTransistor(conducts: false)",
    "InputOff(\"stop\")",
    "InputOff(\"lock_seen\")",
];

const SUPPLY: &[&str] = &[
    "PowerCut",
    "Sag(to: \"17V\")",
    "Sag(to: \"2V\")",
    "OverVoltage(to: \"32V\")",
    "Bounce(count: 5, off: \"20ms\", on: \"30ms\")",
];

/// Whether the result tells of this fault, which is alone, that the unit detected it when it first detected anything; none if it never did.
fn told(kind: &str, begin: &str) -> Option<Result<(), String>> {
    // A stop at the end shows what is stuck on.
    let (loaded, run) = own(
        &format!(
            "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"4100ms\"), safety_units: [(
            configuration: \"safety/pump-feed.ron\", node: \"hall\",
            cpu2: (clock_offset: \"137us\", clock_drift: \"50ppm\"), inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1500ms\", input: \"button\", to: On, duration: \"300ms\"), (at: \"4s\", input: \"fence\", to: Off)])],
            faults: [(kind: {kind}, place: Node(\"hall\"), trigger: At(\"{begin}\"))])"
        ),
        &[],
    );
    let report = run::report(&loaded, &run, &Identity::default());
    let told = report.injections[0].detected_ms.map(|time| time.to_string());
    let units = units_in(&run.twin.world);
    let cpus = units.iter().flat_map(|unit| unit.watch.cpus.iter().zip([1, 2]));
    let first = cpus
        .filter_map(|(cpu, number)| cpu.detections.first().map(|(at, one)| (*at, number, one.fault)))
        .min_by_key(|one| one.0);
    let (at, cpu, fault) = first?;
    let ms = at.to_string();
    let is_told = told.as_deref() == Some(ms.trim_end_matches('0').trim_end_matches('.'));
    let words = || format!("{kind} at {begin}: CPU{cpu} detects {fault:?} at {at}, told {told:?}");
    Some(if is_told { Ok(()) } else { Err(words()) })
}

fn all_told(kinds: impl Iterator<Item = String>) {
    let kinds: Vec<String> = kinds.collect();
    let runs = kinds.iter().flat_map(|kind| ["20ms", "3s"].map(|begin| (kind, begin)));
    let told: Vec<Result<(), String>> = runs.filter_map(|(kind, begin)| told(kind, begin)).collect();
    assert!(told.len() > kinds.len(), "of {} kinds only {} runs detect anything", kinds.len(), told.len());
    let wrong: Vec<String> = told.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn of_cpu(cpu: &str) -> impl Iterator<Item = String> {
    BY_CPU.iter().map(move |kind| format!("Safety({})", kind.replace('#', cpu)))
}

#[test]
fn what_a_fault_of_cpu1_leads_to_is_its_own() {
    all_told(of_cpu("1"));
}

#[test]
fn what_a_fault_of_cpu2_leads_to_is_its_own() {
    all_told(of_cpu("2"));
}

#[test]
fn what_a_fault_of_the_unit_leads_to_is_its_own() {
    let others = OTHERS.iter().map(|kind| format!("Safety({kind})"));
    all_told(others.chain(SUPPLY.iter().map(|kind| (*kind).to_owned())));
}
