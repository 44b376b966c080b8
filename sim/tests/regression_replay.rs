//! `cooltwin replay` and `diff`: what was tampered with, what differs, and where two runs part.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{code, copy_data, folder, output, stderr, stdout, text};

const PASS: Option<i32> = Some(0);
const FAIL: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const INCONCLUSIVE: Option<i32> = Some(5);
const FINGERPRINT: Option<i32> = Some(6);

/// A folder with the result of `file` in `out`.
fn place(name: &str, file: &str, more: &[&str]) -> PathBuf {
    let place = folder(&format!("replay-{name}"));
    copy_data(&place, &["small.ron", "faulty.ron"]);
    ran(&place, file, "out", more);
    place
}

fn ran(place: &Path, file: &str, out: &str, more: &[&str]) {
    let ended = output(place, &[&["run", file, "-q", "--out", out], more].concat());
    assert_eq!(code(&ended), PASS, "{}{}", stdout(&ended), stderr(&ended));
}

/// Replays after `change` of the text of result.json, and puts it back.
fn tampered(place: &Path, change: impl Fn(&str) -> String) -> Output {
    let file = place.join("out/result.json");
    let before = text(&file);
    let after = change(&before);
    assert_ne!(after, before, "nothing was tampered with");
    fs::write(&file, after).expect("a result");
    let ended = output(place, &["replay", "out"]);
    fs::write(&file, before).expect("a result");
    ended
}

/// The value of a field that stands once in the text.
fn value<'a>(text: &'a str, field: &str) -> &'a str {
    let begin = format!("\"{field}\":\"");
    assert_eq!(text.matches(&begin).count(), 1, "{field}");
    let (_, rest) = text.split_once(&begin).expect("the field");
    rest.split_once('"').expect("its end").0
}

#[test]
fn a_result_replays_without_its_scenario_files() {
    let place = place("equal", "faulty.ron", &["--seed", "7", "--set", "supply.nominal=23V"]);
    fs::remove_file(place.join("faulty.ron")).expect("a file");
    fs::remove_file(place.join("small.ron")).expect("a file");
    for result in ["out", "out/result.json"] {
        let ended = output(&place, &["replay", result]);
        assert_eq!((code(&ended), stderr(&ended)), (PASS, ""), "{}", stdout(&ended));
        let fingerprint = value(&text(&place.join("out/result.json")), "all").to_owned();
        assert_eq!(stdout(&ended), format!("EQUAL  faulty, seed 7: trace {fingerprint} again\n"));
    }
    // What is not compared is told; what is there and not the result's own is refused.
    let log = place.join("out/events.jsonl");
    let events = text(&log);
    fs::write(&log, events.replacen("P01", "P02", 1)).expect("a log");
    let ended = output(&place, &["replay", "out"]);
    assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""));
    assert!(stderr(&ended).contains("out/events.jsonl: not the log of its result"), "{}", stderr(&ended));
    fs::remove_file(&log).expect("a log");
    let ended = output(&place, &["replay", "out"]);
    let wanted = "the events are not compared line by line: out/events.jsonl is missing; the result's SHA-256 of them is\nEQUAL  ";
    assert!(stdout(&ended).starts_with(wanted), "{}", stdout(&ended));
    assert_eq!(code(&ended), PASS);
}

#[test]
fn a_tampered_fingerprint_ends_with_6_and_the_domain() {
    let place = place("fingerprint", "small.ron", &[]);
    for domain in ["bus", "orchestrator", "pumps", "power", "plant", "faults"] {
        let ended = tampered(&place, |text| {
            let (_, fingerprint) = text.split_once("\"fingerprint\":").expect("fingerprints");
            let old = value(fingerprint, domain);
            text.replace(&format!("\"{domain}\":\"{old}\""), &format!("\"{domain}\":\"{}\"", "0".repeat(32)))
        });
        assert_eq!(code(&ended), FINGERPRINT, "{domain}");
        let last = format!("DIFFERENT TRACE  small, seed 1: in {domain}\n");
        assert!(stdout(&ended).ends_with(&last), "{}", stdout(&ended));
    }
    let ended = tampered(&place, |text| text.replace(value(text, "all"), &"0".repeat(32)));
    assert_eq!(code(&ended), FINGERPRINT);
    assert!(stdout(&ended).ends_with(": in order\n"), "{}", stdout(&ended));
}

#[test]
fn a_tampered_result_is_no_replay_though_its_fingerprints_are_right() {
    let place = place("result", "faulty.ron", &[]);
    let cases: [(&str, &str, &str); 3] = [
        ("\"attempts\":2", "\"attempts\":1", "pumps"),
        ("\"brownouts\":", "\"brownouts\":1", "power"),
        ("\"lines\":", "\"lines\":1", "events"),
    ];
    for (old, new, field) in cases {
        let ended = tampered(&place, |text| text.replacen(old, new, 1));
        assert_eq!(code(&ended), FAIL, "{field}: {}{}", stdout(&ended), stderr(&ended));
        let last = format!("DIFFERENT RESULT  faulty, seed 1: the trace is the same, but not {field}\n");
        assert!(stdout(&ended).ends_with(&last), "{}", stdout(&ended));
    }
}

#[test]
fn a_result_whose_scenario_is_not_its_own_is_refused() {
    let place = place("damaged", "small.ron", &[]);
    let damages: [&dyn Fn(&str) -> String; 4] = [
        &|text| text.replacen("count: 3", "count: 2", 1),
        &|text| text.replacen("\"seed\":\"1\"", "\"seed\":\"2\"", 1),
        &|text| text.replacen("\"name\":\"small\"", "\"name\":\"other\"", 1),
        &|text| text.replacen("\"schema\"", "\"shema\"", 1),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let ended = tampered(&place, damage);
        assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""), "damage {number}");
        assert!(stderr(&ended).starts_with("error: "), "{}", stderr(&ended));
    }
    assert_eq!(code(&output(&place, &["replay", "no-such-folder"])), USAGE);
}

#[test]
fn another_build_is_told_of() {
    let place = place("build", "small.ron", &[]);
    let commit = "c0ffee".repeat(6);
    let ended = tampered(&place, |text| text.replace(value(text, "commit"), &commit));
    assert_eq!(code(&ended), PASS, "{}", stdout(&ended));
    assert!(stdout(&ended).starts_with("another build made the result: "), "{}", stdout(&ended));
    assert!(stdout(&ended).contains(&commit) && stdout(&ended).contains("\nEQUAL  small"), "{}", stdout(&ended));
}

#[test]
fn an_image_file_must_be_that_of_the_run() {
    let place = folder("replay-image");
    fs::create_dir(place.join("images")).expect("a folder");
    copy_data(&place.join("images"), &["small.ron"]);
    let file = "(extends: \"images/with.ron\")";
    fs::write(place.join("top.ron"), file).expect("a scenario");
    let with =
        "(extends: \"small.ron\", package: (image: (source: File(\"image.bin\"))), expectations: [Verdict(Fail)])";
    fs::write(place.join("images/with.ron"), with).expect("a scenario");
    // No pump takes it: its header is no header. What counts here is that it is read.
    fs::write(place.join("images/image.bin"), [7; 4096]).expect("an image");
    let ended = output(&place, &["run", "top.ron", "-q", "--out", "out"]);
    assert!(place.join("out/result.json").is_file(), "{}{}", stdout(&ended), stderr(&ended));
    let again = output(&place, &["replay", "out"]);
    assert_eq!(code(&again), PASS, "{}{}", stdout(&again), stderr(&again));
    // It is read from beside the result, wherever the scenario's files have gone.
    fs::remove_dir_all(place.join("images")).expect("a folder");
    assert_eq!(code(&output(&place, &["replay", "out"])), PASS);
    fs::write(place.join("out/inputs/image.bin"), [8; 4096]).expect("an image");
    let other = output(&place, &["replay", "out"]);
    assert_ne!(code(&other), PASS);
    assert!(stderr(&other).contains("it is not the file of the run"), "{}", stderr(&other));
}

/// Two files of one name, an image and a log, each named from its own folder.
#[test]
fn files_of_one_name_are_told_apart_by_the_order_in_which_they_were_read() {
    let place = folder("replay-one-name");
    fs::create_dir(place.join("images")).expect("a folder");
    fs::create_dir(place.join("logs")).expect("a folder");
    copy_data(&place.join("images"), &["small.ron"]);
    let with = "(extends: \"small.ron\", package: (image: (source: File(\"x.bin\"))), expectations: [Verdict(Fail)])";
    fs::write(place.join("images/with.ron"), with).expect("a scenario");
    fs::write(place.join("images/x.bin"), [7; 4096]).expect("an image");
    let top = "(extends: \"../images/with.ron\", traffic: Log(\"x.bin\"))";
    fs::write(place.join("logs/top.ron"), top).expect("a scenario");
    let log = "(1436509052.249713) vcan0 044#2A366C2BBA\n(1436509053.249713) vcan0 045#2A\n";
    fs::write(place.join("logs/x.bin"), log).expect("a log");
    let ended = output(&place, &["run", "logs/top.ron", "-q", "--out", "out"]);
    assert!(place.join("out/result.json").is_file(), "{}{}", stdout(&ended), stderr(&ended));
    assert_eq!(fs::read(place.join("out/inputs/x.bin")).expect("the image"), [7; 4096]);
    assert_eq!(text(&place.join("out/inputs/2-x.bin")), log);
    let again = output(&place, &["replay", "out"]);
    assert_eq!(code(&again), PASS, "{}{}", stdout(&again), stderr(&again));
}

/// Three places name configurations of one name, of which there are two: no order tells which place had which.
#[test]
fn a_result_that_does_not_tell_which_file_was_used_where_is_refused() {
    let place = folder("replay-tie");
    fs::create_dir(place.join("base")).expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/safety/cooling-watch.ron");
    let configuration = text(&shipped);
    fs::write(place.join("base/feed.ron"), &configuration).expect("a configuration");
    fs::write(place.join("feed.ron"), format!("// Another one.\n{configuration}")).expect("a configuration");
    let base = "(campaign: false, end: At(\"4s\"), pumps: (count: 1), budgets: [], safety_units: [
        (node: \"hall\", configuration: \"feed.ron\",
            downloads: [(at: \"3s\", configuration: \"feed.ron\", password: \"coolant-7\")]),
        (node: \"roof\", configuration: \"feed.ron\")])";
    fs::write(place.join("base/base.ron"), base).expect("a scenario");
    fs::write(place.join("top.ron"), "(extends: \"base/base.ron\")").expect("a scenario");
    let run = |out: &str, more: &[&str]| {
        let ended = output(&place, &[&["run", "top.ron", "-q", "--out", out][..], more].concat());
        assert!(place.join(out).join("result.json").is_file(), "{}{}", stdout(&ended), stderr(&ended));
        output(&place, &["replay", out])
    };
    let one = run("one", &[]);
    assert_eq!(code(&one), PASS, "{}{}", stdout(&one), stderr(&one));
    let tie = run("tie", &["--set", "safety_units[0].downloads[0].configuration=feed.ron"]);
    assert_eq!((code(&tie), stdout(&tie)), (USAGE, ""), "{}", stderr(&tie));
    assert!(stderr(&tie).contains("files of one name stand among the inputs"), "{}", stderr(&tie));
}

#[test]
fn equal_results_have_no_difference() {
    let place = place("same", "faulty.ron", &[]);
    ran(&place, "faulty.ron", "again", &[]);
    let ended = output(&place, &["diff", "out", "again/result.json"]);
    assert_eq!(code(&ended), PASS, "{}", stdout(&ended));
    assert!(stdout(&ended).contains("\nthe traces are equal\nthe event logs are equal\n"), "{}", stdout(&ended));
}

#[test]
fn diff_shows_margins_side_by_side_and_the_first_event_that_differs() {
    let place = place("diff", "small.ron", &[]);
    ran(&place, "small.ron", "slow", &["--set", "flash.slow_factor=2x"]);
    let ended = output(&place, &["diff", "out", "slow"]);
    assert_eq!(code(&ended), FINGERPRINT);
    let told = stdout(&ended);
    let margin = |out: &str| {
        let result = common::json(&text(&place.join(out).join("result.json")));
        let budgets = result["budgets"].as_array().expect("budgets").clone();
        let budget = budgets.into_iter().find(|budget| budget["id"] == "pump-update").expect("the budget");
        format!("+{:.3} s", budget["margin"].as_f64().expect("a number") / 1000.0)
    };
    let line = told.lines().find(|line| line.starts_with("pump-update")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains(&margin("out")) && line.contains(&margin("slow")), "{line}");

    // The first lines that differ, found here by hand.
    let logs = ["out", "slow"].map(|out| text(&place.join(out).join("events.jsonl")));
    let number = logs[0].lines().zip(logs[1].lines()).position(|(a, b)| a != b).expect("they differ");
    assert!(told.contains(&format!("first event that differs: number {}\n", number + 1)), "{told}");
    for (log, side) in logs.iter().zip(["A", "B"]) {
        let event = common::json(log.lines().nth(number).expect("a line"));
        let [node, kind] = ["node", "kind"].map(|field| event[field].as_str().expect("text").to_owned());
        let shown = format!("  {side}  {} ms  {node}  {kind}  {}\n", event["t_ms"], event["data"]);
        assert!(told.contains(&shown), "{shown} is not in {told}");
    }
}

#[test]
fn a_log_that_is_not_the_one_of_its_result_is_refused_on_either_side() {
    let place = place("foreign-log", "small.ron", &[]);
    ran(&place, "small.ron", "copy", &[]);
    let file = place.join("copy/events.jsonl");
    let whole = text(&file);
    let (kept, node) = (whole.len(), "\"node\":\"P01\"");
    fs::write(&file, whole.replacen(node, "\"node\":\"P02\"", 1)).expect("a log");
    assert_eq!(text(&file).len(), kept);
    for sides in [["out", "copy"], ["copy", "out"]] {
        let ended = output(&place, &["diff", sides[0], sides[1]]);
        assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""));
        assert!(stderr(&ended).starts_with("error: copy/events.jsonl: not the log of its result: SHA-256 "));
    }
}

#[test]
fn a_scenario_or_a_folder_above_a_result_is_told_what_to_name() {
    let place = place("hint", "small.ron", &[]);
    ran(&place, "small.ron", "deep/small/1", &[]);
    for command in [&["replay"][..], &["diff", "out"]] {
        let with = |last: &'static str| output(&place, &[command, &[last]].concat());
        let ended = with("small.ron");
        assert_eq!(code(&ended), USAGE);
        let wanted = "error: small.ron is a scenario, not a result\nhelp: `cooltwin run small.ron` makes one";
        assert!(stderr(&ended).starts_with(wanted), "{}", stderr(&ended));
        let ended = with("deep");
        assert_eq!(code(&ended), USAGE);
        assert!(stderr(&ended).ends_with("help: results are below it: deep/small/1\n"), "{}", stderr(&ended));
    }
}

#[test]
fn a_log_that_ends_early_and_one_that_is_no_log_are_told_of() {
    let place = place("cut", "small.ron", &[]);
    ran(&place, "small.ron", "cut", &[]);
    let file = place.join("cut/events.jsonl");
    let whole = text(&file);
    let lines: Vec<&str> = whole.lines().collect();
    let result = place.join("cut/result.json");
    let before = text(&result);
    // The forger also gives the result the hash of the log, so that the results differ, and not the traces.
    let write = |log: &str| {
        fs::write(&file, log).expect("a log");
        let own = |text: &str| format!("\"sha256\":\"{}\"", reports::sha256(text.as_bytes()));
        assert!(before.contains(&own(&whole)), "the result names its log");
        fs::write(&result, before.replace(&own(&whole), &own(log))).expect("a result");
    };
    write(&(lines[..5].join("\n") + "\n"));
    let ended = output(&place, &["diff", "out", "cut"]);
    assert_eq!(code(&ended), FAIL, "{}", stderr(&ended));
    assert!(stdout(&ended).contains("number 6\n") && stdout(&ended).contains("  B  the log has ended\n"));
    write("no event\n");
    let ended = output(&place, &["diff", "out", "cut"]);
    assert_eq!(code(&ended), USAGE);
    assert!(stderr(&ended).contains("cut/events.jsonl: line 1 is no event"), "{}", stderr(&ended));
}

#[test]
fn a_log_that_only_one_side_has_is_named_and_leaves_it_open_whether_both_tell_the_same() {
    let place = place("one-log", "small.ron", &[]);
    ran(&place, "small.ron", "copy", &[]);
    ran(&place, "small.ron", "slow", &["--set", "flash.slow_factor=2x"]);
    let diff = |a: &str, b: &str| output(&place, &["diff", a, b]);
    assert_eq!(code(&diff("out", "copy")), PASS);
    fs::remove_file(place.join("copy/events.jsonl")).expect("a log");
    for [a, b] in [["out", "copy"], ["copy", "out"]] {
        let ended = diff(a, b);
        let last = "\nthe events are not compared: copy/events.jsonl is missing, and nothing tells what out/events.jsonl parts from\n";
        assert!(stdout(&ended).ends_with(last), "{}", stdout(&ended));
        assert_eq!(code(&ended), INCONCLUSIVE);
    }
    // A difference that is known is told as such.
    assert_eq!(code(&diff("copy", "slow")), FINGERPRINT);
    let result = place.join("copy/result.json");
    let whole = text(&result);
    fs::write(&result, whole.replacen("\"brownouts\":", "\"brownouts\":1", 1)).expect("a result");
    assert_eq!(code(&diff("out", "copy")), FAIL, "{}", stdout(&diff("out", "copy")));
    fs::write(&result, &whole).expect("a result");
    // One that is there and not the one of its result is refused, whatever the other side lacks.
    let file = place.join("out/events.jsonl");
    let log = text(&file);
    fs::write(&file, log.replacen("P01", "P02", 1)).expect("a log");
    assert_eq!(code(&diff("out", "copy")), USAGE);
    // One that cannot be read is not missing.
    fs::remove_file(&file).expect("a log");
    fs::create_dir(&file).expect("a folder");
    assert_eq!((code(&diff("out", "copy")), code(&diff("copy", "out"))), (USAGE, USAGE));
    fs::remove_dir(&file).expect("a folder");
    let ended = diff("out", "copy");
    assert_eq!(code(&ended), PASS, "{}", stdout(&ended));
    let last = "\nthe events are not compared: out/events.jsonl is missing, and copy/events.jsonl is missing: the results alone decide\n";
    assert!(stdout(&ended).ends_with(last), "{}", stdout(&ended));
    assert_eq!(code(&diff("copy", "slow")), FINGERPRINT);
}
