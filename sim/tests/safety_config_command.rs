//! `cooltwin safety` as a user meets it: text, files written and not written, exit codes.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::{folder, stderr, stdout};
use cooltwin::safety::CONFIGURATION;

/// Documented in `cli/exit.rs`; written out here, since scripts rely on the numbers.
const UNREADABLE: i32 = 2;
const INVALID: i32 = 3;

fn output(arguments: &[&str]) -> Output {
    common::output(Path::new("."), arguments)
}

fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/safety").join(name).display().to_string()
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn compile_writes_the_binary_it_tells_of() {
    let folder = folder("safety-compile");
    let out = folder.join("door.bin");
    let done =
        output(&["safety", "compile", &shipped("teach-1-door.ron"), "--json", "--out", &out.display().to_string()]);
    assert_eq!((done.status.code(), stderr(&done)), (Some(0), ""));
    let told: serde_json::Value = serde_json::from_str(stdout(&done)).expect("JSON");
    let bytes = fs::read(&out).expect("the binary");
    assert_eq!(told["bytes"], bytes.len());
    // Values of the hand-made binary in `safety_config_compile.rs`.
    assert_eq!((told["hash"].as_str(), told["crc"].as_str()), (Some("0x1BE8F512"), Some("0x6D1C0717")));
    assert_eq!(bytes[bytes.len() - 4..], [0x17, 0x07, 0x1C, 0x6D]);
    assert_eq!(told["nodes"][0]["response_least_ms"], 12);
    assert_eq!(files_in(&folder), 1, "no draft is left");
}

#[test]
fn nothing_is_written_when_anything_is_wrong() {
    let folder = folder("safety-refused");
    let text = fs::read_to_string(shipped("teach-1-door.ron")).expect("the configuration");
    let bad = folder.join("bad.ron");
    fs::write(&bad, text.replace("\"20ms\",\n    nodes", "\"11ms\",\n    nodes")).expect("a file");
    let (bad, out) = (bad.display().to_string(), folder.join("out").display().to_string());
    let refused = output(&["safety", "compile", &bad, "--out", &out]);
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(INVALID), ""));
    assert!(stderr(&refused).contains("error[S014]: node `door` needs 12 ms to respond"), "{}", stderr(&refused));
    assert_eq!(output(&["safety", "show", &bad, "--svg", &out]).status.code(), Some(INVALID));
    assert_eq!(files_in(&folder), 1, "the bad file alone");
    assert_eq!(output(&["safety", "compile", "no-such-file.ron", "--out", &out]).status.code(), Some(UNREADABLE));
    let nowhere = folder.join("nowhere/out").display().to_string();
    let lost = output(&["safety", "compile", &shipped("teach-1-door.ron"), "--out", &nowhere]);
    assert_eq!(lost.status.code(), Some(UNREADABLE));
    assert!(stderr(&lost).starts_with("error: cannot write"), "{}", stderr(&lost));
}

#[test]
fn a_full_bus_is_warned_of_and_two_frames_are_not() {
    let text = |name: &str| stdout(&output(&["safety", "compile", &shipped(name)])).to_owned();
    assert!(text("fourteen-slots.ron").contains("note: the CAN frames take up to 75.8 % of a bus of 250kbit/s"));
    let quiet = text("cooling-watch.ron");
    assert!(
        quiet.contains("CAN: 2 frames in 10 ms, 9.1 % to 11.0 % of 250kbit/s") && !quiet.contains("note:"),
        "{quiet}"
    );
}

#[test]
fn show_prints_pins_groups_and_the_blocks_behind_each_output() {
    let shown = output(&["safety", "show", &shipped("cooling-watch.ron"), "--node", "roof"]);
    assert_eq!((shown.status.code(), stderr(&shown)), (Some(0), ""));
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("safety-show-roof", stdout(&shown));
    });
    let wrong = output(&["safety", "show", &shipped("cooling-watch.ron"), "--node", "rof"]);
    assert_eq!(wrong.status.code(), Some(UNREADABLE));
    assert!(stderr(&wrong).contains("did you mean `roof`?"), "{}", stderr(&wrong));
}

#[test]
fn the_drawing_names_every_block_and_is_the_same_each_time() {
    let folder = folder("safety-show");
    let draw = |file: &str| {
        let svg = folder.join(file);
        let done = output(&["safety", "show", &shipped("cooling-watch.ron"), "--svg", &svg.display().to_string()]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        fs::read_to_string(svg).expect("the drawing")
    };
    let svg = draw("one.svg");
    assert_eq!(svg, draw("two.svg"));
    for name in
        ["no_stop_out", "flow_late", "OnDelay 10s", "fan_may", "pin 8: enable_a, Ossd / Low", "hall: at the pumps"]
    {
        assert!(svg.lines().any(|line| line.trim() == name), "{name}");
    }
}

/// Exit code and texts of `safety download` to the unit of a shipped scenario.
fn download(name: &str, scenario: &str, more: &[&str]) -> Output {
    let out = folder(name).join("result").display().to_string();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(scenario).display().to_string();
    let file = shipped("pump-feed-half.ron");
    let arguments = ["safety", "download", &file, "--scenario", &scenario, "--out", &out, "-q"];
    output(&[&arguments[..], more].concat())
}

/// Verifies SSR-058: success and failure of a download are told, and scripts can tell them apart.
#[test]
fn download_tells_success_or_failure() {
    let done = download("download-good", "safety-unit.ron", &["--password", "coolant-7"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(stdout(&done), "download to hall: success, both CPUs hold the configuration and run it\n");
    let wrong = download("download-wrong", "safety-unit.ron", &["--password", "coolant-8"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", stderr(&wrong));
    let text = "download to hall: failure, the tool tells not-entered (no answer to password and serial number: \
                one of them is not the unit's) after 2001.510000 ms, nothing was changed\n";
    assert_eq!(stdout(&wrong), text);
    let other = download("download-other", "safety-unit.ron", &["--password", "coolant-7", "--serial", "0x51A0_0202"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stdout(&other).contains("the tool tells wrong-unit"), "{}", stdout(&other));
}

#[test]
fn download_asks_for_a_unit_that_is_there() {
    let which = download("download-which", "safety-two-units.ron", &["--password", "x"]);
    assert_eq!((which.status.code(), stdout(&which)), (Some(UNREADABLE), ""));
    assert!(stderr(&which).contains("--unit with one of: hall, roof"), "{}", stderr(&which));
    let near = download("download-near", "safety-two-units.ron", &["--password", "x", "--unit", "rof"]);
    assert!(stderr(&near).contains("did you mean `roof`?"), "{}", stderr(&near));
    let none = download("download-none", "small.ron", &["--password", "x"]);
    assert_eq!(none.status.code(), Some(UNREADABLE));
    assert!(stderr(&none).contains("the scenario has no safety unit"), "{}", stderr(&none));
}

#[test]
fn explain_knows_every_field_of_a_configuration_and_suggests() {
    let page = |what: &str| {
        let ended = output(&["safety", "explain", what]);
        assert_eq!((ended.status.code(), stderr(&ended)), (Some(0), ""), "{what}");
        stdout(&ended).to_owned()
    };
    let top = page("");
    assert!(top.starts_with("Configuration: ") && top.contains("\nnodes: list of Node\n"), "{top}");
    let response = "response_time: duration in quotes (s, ms, us, ns, min, h)\n";
    let facts = "must be written; from 1ms to 120s; requirement SSR-016";
    assert!(top.contains(response) && top.contains(facts), "{top}");
    assert!(!top.contains("extends") && !top.contains("faults_add"), "only scenarios extend others: {top}");
    let latch = page("Latch");
    assert!(latch.starts_with("nodes.blocks.kind.Latch\n\nLatch(set: .., reset: ..)\n"), "{latch}");
    let kinds = page("BlockKind");
    assert!(kinds.contains("\nAnd(list of text") && kinds.ends_with("\nstands at:\n  nodes.blocks.kind\n"), "{kinds}");
    assert!(page("S007").starts_with("S007: A quantity is a number and a unit"));
    // Every path has a page.
    for path in CONFIGURATION.paths() {
        assert!(CONFIGURATION.explain(&path).is_ok_and(|text| text.lines().count() > 1), "{path}");
    }
    // Fields of scenarios are none of a configuration.
    for (wrong, told) in [
        ("pumps", "error: there is no `pumps` in a configuration\n"),
        ("nodes.suply", "error: there is no `suply` in nodes\nhelp: did you mean `nodes.supply`?\n"),
        ("S099", "error: there is no error `S099`\n"),
    ] {
        let ended = output(&["safety", "explain", wrong]);
        assert_eq!(ended.status.code(), Some(UNREADABLE), "{wrong}");
        assert!(stderr(&ended).starts_with(told), "{}", stderr(&ended));
    }
}
