//! Traces for other tools: their bytes, and that a run, its recording and its result give the same ones.
//!
//! Whether other tools read them is for `sim/oracles` to judge; these tests hold the bytes that were judged.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use common::{code, copy_data, folder, json, output, stderr, stdout, text};

const FORMATS: [&str; 5] = ["candump", "asc", "pcapng", "vcd", "mcap"];

/// A folder with all traces of a scenario among the test data, and its result.
fn traced(name: &str, scenario: &str) -> PathBuf {
    let place = folder(name);
    copy_data(&place, &["trace.ron", "small.ron", "faulty.ron"]);
    let files = FORMATS.map(|format| format!("--{format}=bus.{format}"));
    let mut arguments = vec!["run", scenario, "--out", "out", "--record", "-q", "--vcd-bus", "10ms..16ms"];
    arguments.extend(files.iter().map(String::as_str));
    let run = output(&place, &arguments);
    assert!(matches!(code(&run), Some(0 | 5)), "{}", stderr(&run));
    place
}

/// Offset, bytes in hexadecimal, and as text where they are text: 32 a line.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, bytes) in bytes.chunks(32).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown: String =
            bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        writeln!(out, "{:05x}  {hex:<64}  {shown}", line * 32).expect("a string takes text");
    }
    out
}

#[test]
fn the_bytes_of_every_format_stay_as_they_are() {
    let place = traced("exports-bytes", "trace.ron");
    for format in ["candump", "asc", "vcd"] {
        insta::assert_snapshot!(format!("trace.{format}"), text(&place.join(format!("bus.{format}"))));
    }
    for format in ["pcapng", "mcap"] {
        let bytes = fs::read(place.join(format!("bus.{format}"))).expect("a trace");
        insta::assert_snapshot!(format!("trace.{format}"), dump(&bytes));
    }
    for layout in ["bus.foxglove.json", "bus.plotjuggler.xml"] {
        insta::assert_snapshot!(layout, text(&place.join(layout)));
    }
}

fn assert_same_traces(place: &Path, source: &str) {
    let files = FORMATS.map(|format| format!("--{format}=again.{format}"));
    let mut arguments = vec!["export", source, "--vcd-bus", "10ms..16ms"];
    arguments.extend(files.iter().map(String::as_str));
    let export = output(place, &arguments);
    assert_eq!(code(&export), Some(0), "{}", stderr(&export));
    assert_eq!(stderr(&export).contains("running faulty with seed 1 again"), source.ends_with("result.json"));
    for format in FORMATS {
        let file = |name: &str| fs::read(place.join(format!("{name}.{format}"))).expect("a trace");
        assert!(file("bus") == file("again"), "{format} of {source} differs");
    }
}

#[test]
fn a_run_its_recording_and_its_result_give_the_same_bytes() {
    let place = traced("exports-same", "faulty.ron");
    for source in ["out", "out/recording.jsonl", "out/result.json"] {
        assert_same_traces(&place, source);
    }
}

#[test]
fn a_result_of_another_program_gives_no_trace() {
    let place = traced("exports-fingerprint", "trace.ron");
    let mut result = json(&text(&place.join("out/result.json")));
    result["fingerprint"]["bus"] = "0".repeat(32).into();
    fs::write(place.join("changed.json"), result.to_string()).expect("a file");
    let export = output(&place, &["export", "changed.json", "--candump", "again.log"]);
    assert_eq!(code(&export), Some(6), "{}", stderr(&export));
    assert!(stderr(&export).contains("fingerprint") && !place.join("again.log").exists());
}

#[test]
fn a_cut_recording_gives_no_trace() {
    let place = traced("exports-cut", "trace.ron");
    let recording = text(&place.join("out/recording.jsonl"));
    fs::write(place.join("cut.jsonl"), &recording[..recording.len() / 2]).expect("a file");
    let export = output(&place, &["export", "cut.jsonl", "--candump", "again.log"]);
    assert_eq!(code(&export), Some(2), "{}", stderr(&export));
    let left: Vec<String> = fs::read_dir(&place)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("again"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_cannot_be_exported_is_said() {
    let place = traced("exports-usage", "trace.ron");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["export", "out"], 4, "no trace is asked for"),
        (&["export", "bus.asc", "--candump", "x"], 2, "neither a recording nor a result"),
        (&["export", "nowhere", "--candump", "x"], 2, "cannot read nowhere"),
        (&["export", "out", "--candump", "no/such/folder/x"], 2, "cannot write"),
        (&["run", "trace.ron", "small.ron", "--candump", "x"], 2, "run one scenario"),
    ];
    for (arguments, expected, why) in cases {
        let said = output(&place, arguments);
        assert_eq!(code(&said), Some(expected), "{arguments:?}: {}", stderr(&said));
        assert!(stderr(&said).contains(why), "{arguments:?}: {}", stderr(&said));
    }
    for window in ["12", "2s..1s", "1..2", "1s..2x"] {
        let said = output(&place, &["export", "out", "--vcd", "x", "--vcd-bus", window]);
        assert_eq!(code(&said), Some(2), "{window}");
    }
}

#[test]
fn an_update_is_timed_from_its_log() {
    let place = traced("exports-convert", "small.ron");
    let convert = output(&place, &["convert", "bus.candump", "--json"]);
    assert_eq!(code(&convert), Some(0), "{}", stderr(&convert));
    let report = json(stdout(&convert));
    let updates = report["logs"][0]["updates"].as_array().expect("updates");
    let result = json(&text(&place.join("out/result.json")));
    assert_eq!(updates.len(), 3);
    for (update, pump) in updates.iter().zip(result["pumps"].as_array().expect("pumps")) {
        let own = pump["tries"][0]["phases"].as_array().expect("phases");
        let of = |name: &str| own.iter().find(|phase| phase["name"] == name).expect(name)["duration_ms"].as_f64();
        let erase = update["phases"][1]["duration_ms"].as_f64().expect("a number");
        assert_eq!((&update["pump"], &update["complete"]), (&pump["id"], &true.into()));
        // The log's phase begins with the end of the request's frame: half a millisecond after the twin's own.
        assert!((erase - of("erase").expect("a number")).abs() < 1.0, "{update}");
        assert_eq!(update["blocks"], 32);
    }
    let table = output(&place, &["convert", "bus.candump", "out/recording.jsonl"]);
    assert!(stdout(&table).contains("P03 try 1  total") && stdout(&table).contains("difference"));
    let nothing = output(&place, &["convert", "trace.ron"]);
    assert_eq!((code(&nothing), stderr(&nothing).contains("line 1")), (Some(2), true), "{}", stderr(&nothing));
    // What it reads stands in the error of a file of another format.
    let reads =
        "help: convert reads texts of `candump -L` and recordings: `cooltwin run SCENARIO --candump FILE` writes";
    for (file, begin, what) in [
        ("trace.pcapng", &[0x0A, 0x0D, 0x0D, 0x0A][..], "it is a pcapng file\n"),
        ("trace.mcap", b"\x89MCAP0\r\n", "it is an MCAP file\n"),
        ("latin.log", b"(1700000000.1) can0 202#00 \xE9", "line 1 is no text in UTF-8\n"),
    ] {
        fs::write(place.join(file), begin).expect("a file");
        let refused = output(&place, &["convert", file]);
        let wanted = format!("error: cannot use {file}: {what}{reads}");
        assert_eq!((code(&refused), stderr(&refused).starts_with(&wanted)), (Some(2), true), "{}", stderr(&refused));
    }
    fs::write(place.join("empty.log"), "").expect("a file");
    assert_eq!(code(&output(&place, &["convert", "empty.log"])), Some(4));
}

/// `(1700000000.306714) can0 202#0000` as microseconds and the rest; frames of the twin's own left out.
fn others(log: &str) -> Vec<(u64, String)> {
    log.lines()
        .filter(|line| !line.contains(" 101#") && !line.contains(" 201#") && !line.contains(" 200000"))
        .map(|line| {
            let (time, rest) = line.split_once(' ').expect("a time");
            let micros: String = time.chars().filter(char::is_ascii_digit).collect();
            (micros.parse().expect("digits"), rest.to_owned())
        })
        .collect()
}

#[test]
fn a_log_is_played_at_its_recorded_times() {
    let place = traced("exports-replay", "trace.ron");
    let log: String = text(&place.join("bus.candump"))
        .lines()
        .filter(|line| line.contains('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let sent = others(&log);
    let only: String = log.lines().filter(|line| !others(line).is_empty()).map(|line| format!("{line}\n")).collect();
    fs::write(place.join("real.log"), only).expect("a file");
    // Somebody must be there to acknowledge the first frame.
    let scenario = r#"(campaign: false, pumps: (count: 1), timing: (pump_boot: "0ms", cioc_boot: "0ms"),
        traffic: Log("real.log"), budgets: [], end: At("50ms"))"#;
    fs::write(place.join("replay.ron"), scenario).expect("a file");
    let run = output(&place, &["run", "replay.ron", "--out", "replayed", "-q", "--candump", "played.log"]);
    assert!(matches!(code(&run), Some(0 | 5)), "{}", stderr(&run));
    let played = others(&text(&place.join("played.log")));
    let rests = |frames: &[(u64, String)]| frames.iter().map(|(_, rest)| rest.clone()).collect::<Vec<_>>();
    assert!(sent.len() > 5);
    assert_eq!(rests(&played), rests(&sent));
    for ((time, frame), (recorded, _)) in played.iter().zip(&sent) {
        let late = (time - 1_700_000_000_000_000) - (recorded - sent[0].0);
        // 44 bits is the shortest frame, two of 160 bits the longest wait here, 4 us each.
        assert!((176..1_400).contains(&late), "{frame} {late} us late");
    }
    let result = json(&text(&place.join("replayed/result.json")));
    assert_eq!(result["inputs"][1]["path"], "real.log");
}

#[test]
fn what_the_twins_own_nodes_send_is_warned_of_and_can_be_left_out_of_a_log() {
    let place = folder("exports-own-ids");
    let rows = ["101#00", "201#00", "123#01", "202#00", "701#0210", "781#0250", "101#00"];
    let log = rows.iter().zip(1..).map(|(row, at)| format!("(1.{at:03}) can0 {row}\n"));
    fs::write(place.join("real.log"), log.collect::<String>()).expect("a file");
    let write = |traffic: &str| {
        let scenario =
            format!("(campaign: false, pumps: (count: 1), budgets: [], end: At(\"1s\"), traffic: {traffic})");
        fs::write(place.join("x.ron"), scenario).expect("a file");
        output(&place, &["scenario", "check", "x.ron"])
    };
    let warned = write("Log(\"real.log\")");
    assert_eq!(code(&warned), Some(0), "{}", stderr(&warned));
    let said = stderr(&warned);
    assert!(said.contains("send, too: 0x101 (CIOC), 0x201 (P01), 0x701 (CIOC), 0x781 (P01)\n"), "{said}");
    let without = "Log(file: \"real.log\", leave_out: [0x101, 0x201, 0x701, 0x781])";
    assert!(said.contains(without), "{said}");
    assert!(stderr(&output(&place, &["run", "x.ron", "--out", "all"])).contains("0x101 (CIOC)"));
    let partly = write("Log(file: \"real.log\", leave_out: [\"0x100-0x2FF\"])");
    assert!(stderr(&partly).contains("leave_out: [\"0x100-0x2FF\", 0x701, 0x781]"), "{}", stderr(&partly));
    let quiet = write(without);
    assert_eq!((code(&quiet), stderr(&quiet)), (Some(0), ""));
    let run = output(&place, &["run", "x.ron", "--out", "own", "-q", "--candump", "own.log"]);
    assert!(matches!(code(&run), Some(0 | 5)), "{}", stderr(&run));
    let sent = text(&place.join("own.log"));
    assert!(sent.contains(" 123#01") && sent.contains(" 202#00"), "{sent}");
    assert!(!sent.contains("701#0210") && !sent.contains("781#0250"), "{sent}");
    // What a result says of its scenario is read back.
    let again = output(&place, &["replay", "own"]);
    assert_eq!(code(&again), Some(0), "{}{}", stdout(&again), stderr(&again));
    for (ids, why) in
        [("0x999", "is no CAN identifier"), ("\"0x000-0x7FF\"", "leaves no frame of it"), ("1", "0x101-0x110")]
    {
        let refused = write(&format!("Log(file: \"real.log\", leave_out: [{ids}])"));
        assert_eq!(code(&refused), Some(3));
        assert!(stderr(&refused).contains(why), "{ids}: {}", stderr(&refused));
    }
}

#[test]
fn messages_of_the_list_with_identifiers_of_the_twins_own_nodes_are_warned_of_in_their_place() {
    let place = folder("exports-own-ids-in-list");
    let ids = [("0x101", "CIOC"), ("0x201", "P01"), ("0x701", "CIOC"), ("0x781", "P01")];
    let check = |ids: &[&str]| {
        let message = |id: &&str| format!("(name: \"m{id}\", node: \"P02\", id: {id}, period: \"1s\"),\n");
        let list: String = ids.iter().map(message).collect();
        let text = format!("(campaign: false, pumps: (count: 2), budgets: [], end: At(\"1s\"), traffic: [\n{list}])");
        fs::write(place.join("x.ron"), text).expect("a file");
        let checked = output(&place, &["scenario", "check", "x.ron", "--message-format", "short"]);
        assert_eq!(code(&checked), Some(0), "{}", stderr(&checked));
        stderr(&checked).to_owned()
    };
    let said = check(&ids.map(|(id, _)| id));
    assert_eq!(said.lines().count(), ids.len(), "{said}");
    for ((line, (id, sender)), number) in said.lines().zip(ids).zip(2..) {
        let wanted =
            format!("warning[S014]: `m{id}` has an identifier that the twin's own nodes send, too: {id} ({sender})");
        assert!(line.starts_with(&format!("x.ron:{number}:")) && line.contains(&wanted), "{line}");
    }
    assert_eq!(check(&["0x103", "0x203", "0x310", "0x00000101"]), "", "of no pump, of nobody, of 29 bits");
}

#[test]
fn a_log_that_cannot_be_played_is_refused_at_its_place() {
    let place = folder("exports-bad-log");
    fs::write(place.join("bad.log"), "(1.0) can0 123#00\n(0.5) can0 123#00\n").expect("a file");
    for (traffic, why) in [
        (r#"Log("bad.log")"#, "time goes back"),
        (r#"Log("none.log")"#, "none.log"),
        ("Log(bad)", "a list of messages"),
        ("Log()", "a list of messages"),
    ] {
        fs::write(place.join("x.ron"), format!("(campaign: false, end: At(\"1s\"), traffic: {traffic})"))
            .expect("a file");
        let check = output(&place, &["scenario", "check", "x.ron"]);
        assert_eq!(code(&check), Some(3), "{traffic}: {}", stderr(&check));
        assert!(stderr(&check).contains(why) && stderr(&check).contains("x.ron:1:"), "{traffic}: {}", stderr(&check));
    }
}
