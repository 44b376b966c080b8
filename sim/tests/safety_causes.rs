//! Everything that a safety unit can detect, and what shows that each of its CPUs does.
//!
//! Each fault of the firmware's list has a line here with a scenario for each CPU that knows it: one in whose golden log it is the
//! first thing that this CPU detects. A cause that no fault of the twin can reach is named with the reason and with the test of
//! the crate that reaches it. The table cannot fall behind: its lines are held against the list, the sources of the crates, the scenarios,
//! their logs and the tests.

use std::fs;
use std::path::{Path, PathBuf};

use safety_common::fault::{Fault, Reaction};

/// What shows that a CPU detects a fault.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// A shipped scenario: it is the first thing that this CPU detects.
    By(&'static str),
    /// No fault of the twin makes it the first thing that this CPU detects: why not, and file and name of the test that reaches it.
    Otherwise(&'static str, &'static str, &'static str),
    /// This CPU does not look for it.
    Unknown,
}

use Shown::{By, Otherwise, Unknown};

/// Variables of the firmware lie in the memory of the host: the port of a RAM reaches the cells under test alone.
const HOST_MEMORY: &str =
    "variables and the order of the stages lie in the host's memory, which no fault of the twin reaches";
const AFTER_CPU1: &str = "CPU2 gets what CPU1 passes on, and CPU1 goes to the safe state with the frame itself";
const AFTER_LEVEL: &str = "the level of the output that is OFF is wrong first: `OutputWiring` comes 64 ticks before";

const CAUSES: &[(Fault, [Shown; 2])] = &[
    (Fault::RamAtStart, [By("safety-ram-at-start-cpu1"), By("safety-ram-at-start-cpu2")]),
    (Fault::RamRunning, [By("safety-ram-stuck-cpu1"), By("safety-ram-stuck-cpu2")]),
    (Fault::Firmware, [By("safety-flash-at-start-cpu1"), By("safety-flash-at-start-cpu2")]),
    (Fault::FlashRunning, [By("safety-flash-flip-cpu1"), By("safety-flash-flip-cpu2")]),
    (Fault::FlashNotErased, [By("safety-flash-not-erased-cpu1"), By("safety-flash-not-erased-cpu2")]),
    (Fault::ProductionData, [By("safety-production-data-cpu1"), By("safety-production-data-cpu2")]),
    (Fault::SerialNumber, [By("safety-serial-0"), By("safety-serial-0")]),
    (Fault::Configuration, [By("safety-configuration-cpu1"), By("safety-configuration-cpu2")]),
    (Fault::PeerMissing, [By("safety-peer-missing-cpu2"), By("safety-peer-missing-cpu1")]),
    (Fault::ReleaseDiffers, [By("safety-release-differs"), By("safety-release-differs")]),
    (
        Fault::PeerDataDiffers,
        [By("safety-peer-configuration-differs-cpu2"), By("safety-peer-configuration-differs-cpu1")],
    ),
    (Fault::C2cSilent, [By("safety-c2c-20-lost-from-cpu2"), By("safety-c2c-20-lost-from-cpu1")]),
    (Fault::C2cErrorRate, [By("safety-c2c-every-second-damaged-from-cpu2"), By("safety-c2c-every-second-damaged")]),
    (Fault::ClockDrift, [By("safety-clock-1-percent-cpu2"), By("safety-clock-1-percent-cpu1")]),
    (Fault::PeerMode, [By("safety-peer-mode-cpu2"), By("safety-peer-mode-cpu1")]),
    (Fault::AnalogMismatch, [By("safety-adc-gain-cpu2"), By("safety-adc-gain-cpu1")]),
    (Fault::LogicTime, [By("safety-logic-812-6us-cpu1"), By("safety-logic-812-6us-cpu2")]),
    (Fault::TickCount, [By("safety-tick-slips-cpu1"), By("safety-tick-slips-cpu2")]),
    (
        Fault::ProgramFlow,
        [
            Otherwise(
                HOST_MEMORY,
                "firmware-under-test/safety-cpu1/src/flow.rs",
                "a_stage_left_out_repeated_or_swapped_is_seen",
            ),
            Otherwise(
                HOST_MEMORY,
                "firmware-under-test/safety-cpu2/src/flow.rs",
                "a_stage_left_out_repeated_or_out_of_order_trips",
            ),
        ],
    ),
    (Fault::SupplyLow, [By("safety-dip-502ms"), By("safety-supply-ramp")]),
    (Fault::SupplyHigh, [By("safety-over-voltage-502ms"), By("safety-over-voltage-502ms")]),
    (Fault::Rail, [By("safety-rail-high-cpu2"), By("safety-rail-high-cpu1")]),
    (Fault::SioPower, [By("safety-cpu2-halts"), By("safety-main-stuck-off")]),
    (Fault::OutputDriver, [By("safety-transistor-stuck-off"), By("safety-transistor-of-an-input-conducts")]),
    (Fault::MainTransistor, [Unknown, By("safety-main-stuck-on")]),
    (Fault::Relay, [By("safety-relay-opens-cpu1"), By("safety-relay-opens-cpu2")]),
    (Fault::Disagreement, [By("safety-demands-differ-cpu2"), By("safety-demands-differ-cpu1")]),
    (Fault::NotObeyed, [Unknown, By("safety-stop-while-cpu1-halts")]),
    (
        Fault::CanMasquerade,
        [
            By("safety-can-masquerade"),
            Otherwise(
                AFTER_CPU1,
                "firmware-under-test/safety-cpu2/src/simplecan/tests.rs",
                "an_own_entry_from_outside_is_masquerade",
            ),
        ],
    ),
    (
        Fault::Variable,
        [
            Otherwise(
                HOST_MEMORY,
                "firmware-under-test/safety-cpu1/src/ram_test.rs",
                "damage_of_the_tests_own_variables_is_found",
            ),
            Otherwise(HOST_MEMORY, "firmware-under-test/safety-cpu2/src/twice.rs", "every_single_flip_is_found"),
        ],
    ),
    (Fault::InputStage, [By("safety-adc-dead-cpu1"), By("safety-adc-dead-cpu2")]),
    (Fault::OutputWiring, [By("safety-ossd-short"), Unknown]),
    (
        Fault::OssdShort,
        [
            Otherwise(AFTER_LEVEL, "sim/tests/safety_edges.rs", "an_output_that_follows_the_dips_of_another_is_found"),
            Unknown,
        ],
    ),
    (Fault::InputDiscrepancy, [By("safety-input-open"), By("safety-input-open")]),
    (Fault::InputSignal, [By("safety-pulsed-short-to-pin"), By("safety-pulsed-short-to-pin")]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As the logs have it.
fn kebab(fault: Fault) -> String {
    let name = format!("{fault:?}");
    let letter = |(place, letter): (usize, char)| {
        let dash = if place > 0 && letter.is_ascii_uppercase() { "-" } else { "" };
        format!("{dash}{}", letter.to_ascii_lowercase())
    };
    name.char_indices().map(letter).collect()
}

/// The firmware of a CPU without its tests.
fn product(cpu: usize) -> String {
    let mut found = String::new();
    let mut folders = vec![root().join(format!("firmware-under-test/safety-cpu{cpu}/src"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
                let text = text(&path);
                found += &text[..text.find("#[cfg(test)]\nmod ").unwrap_or(text.len())];
            }
        }
    }
    found
}

/// The first thing that a CPU detects in the golden log of a scenario.
fn first_detection(scenario: &str, cpu: usize) -> String {
    let log = text(&root().join(format!("sim/tests/golden/{scenario}.txt")));
    let own = format!("\"cpu\":{cpu},");
    let mut lines = log.lines().filter(|line| line.contains(" safety-detected ") && line.contains(&own));
    lines.next().unwrap_or_default().to_owned()
}

#[test]
fn every_fault_of_the_list_has_a_line() {
    let list = text(&root().join("firmware-under-test/safety-common/src/fault.rs"));
    let numbered = list.lines().filter_map(|line| line.trim().split_once(" = "));
    let names = numbered.filter(|(_, number)| number.trim_end_matches(',').parse::<u8>().is_ok());
    let names: Vec<&str> = names.map(|(name, _)| name).collect();
    let lines: Vec<String> = CAUSES.iter().map(|(fault, _)| format!("{fault:?}")).collect();
    assert_eq!(lines, names);
}

#[test]
fn a_cpu_that_can_detect_a_fault_has_something_that_shows_it() {
    let products = [product(1), product(2)];
    for (fault, shown) in CAUSES {
        for (cpu, (product, shown)) in products.iter().zip(shown).enumerate() {
            let word = format!("Fault::{fault:?}");
            let knows = product
                .match_indices(&word)
                .any(|(at, _)| !product[at + word.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()));
            assert_eq!(knows, !matches!(shown, Unknown), "CPU{}: {fault:?}", cpu + 1);
        }
    }
}

#[test]
fn each_scenario_of_the_table_shows_its_fault_before_anything_else_at_that_cpu() {
    for (fault, shown) in CAUSES {
        for (cpu, shown) in (1..).zip(shown) {
            let By(scenario) = shown else { continue };
            let first = first_detection(scenario, cpu);
            let wanted = format!("\"fault\":\"{}\"", kebab(*fault));
            assert!(first.contains(&wanted), "{fault:?}, CPU{cpu}, {scenario}: {first}");
            let file = text(&root().join(format!("scenarios/{scenario}.ron")));
            let expected = [format!("by: {fault:?},"), format!("by: {fault:?})")];
            assert!(expected.iter().any(|one| file.contains(one)), "{scenario} does not expect {fault:?}");
        }
    }
}

#[test]
fn what_no_scenario_shows_first_has_a_reason_and_a_test() {
    for (fault, shown) in CAUSES {
        for shown in shown {
            let Otherwise(why, file, test) = shown else { continue };
            let declared = format!("#[test]\n    fn {test}()");
            let source = text(&root().join(file));
            let outside = declared.replace("    ", "");
            assert!(source.contains(&declared) || source.contains(&outside), "{fault:?}: {file} has no test {test}");
            assert!(why.len() > 20, "{fault:?}");
        }
    }
    let internal = CAUSES.iter().filter(|(fault, _)| fault.reaction() == Reaction::SafeState);
    let reached = internal.clone().filter(|(_, shown)| shown.iter().any(|one| matches!(one, By(_)))).count();
    assert_eq!(internal.count() - reached, 2, "the flow of the program and its variables");
}
