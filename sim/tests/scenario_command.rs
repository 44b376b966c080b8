//! `cooltwin scenario` as a user meets it: exit codes, files written and not written, closed pipes.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{folder, stderr, stdout};
use cooltwin::scenario::Code;

/// Documented in `cli/exit.rs`; written out here, since scripts rely on the numbers.
const UNREADABLE: i32 = 2;
const INVALID: i32 = 3;
const NOTHING: i32 = 4;

fn cooltwin(arguments: &[&str]) -> Command {
    common::cooltwin(Path::new("."), arguments)
}

fn output(arguments: &[&str]) -> Output {
    cooltwin(arguments).output().expect("the program starts")
}

fn scenarios() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").display().to_string()
}

fn bad(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-scenarios").join(name).display().to_string()
}

#[test]
fn check_ends_with_the_documented_codes() {
    let empty = folder("check-empty").display().to_string();
    let good = output(&["scenario", "check", &scenarios()]);
    assert_eq!((good.status.code(), stderr(&good)), (Some(0), ""));
    let is_scenario = |path: &Path| path.extension().is_some_and(|extension| extension == "ron");
    let files = fs::read_dir(scenarios()).expect("a folder").filter(|e| is_scenario(&e.as_ref().expect("one").path()));
    assert_eq!(stdout(&good).lines().count(), files.count());
    assert_eq!(output(&["scenario", "check", &bad("ranges.ron")]).status.code(), Some(INVALID));
    assert_eq!(output(&["scenario", "check", "no-such-file.ron"]).status.code(), Some(UNREADABLE));
    assert_eq!(output(&["scenario", "check", &bad("ranges.ron"), "no-such-file.ron"]).status.code(), Some(UNREADABLE));
    assert_eq!(output(&["scenario", "check"]).status.code(), Some(NOTHING));
    assert_eq!(output(&["scenario", "check", &empty]).status.code(), Some(NOTHING));
    assert_eq!(output(&["scenario", "chek"]).status.code(), Some(UNREADABLE));
    assert_eq!(output(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_run_of_an_invalid_scenario_ends_with_3_and_writes_nothing() {
    let folder = folder("run-invalid");
    let run = cooltwin(&["run", &bad("ranges.ron"), "--seed", "3"]).current_dir(&folder).output().expect("it starts");
    assert_eq!(run.status.code(), Some(INVALID));
    assert_eq!(stdout(&run), "");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
}

#[test]
fn diagnostics_go_to_stderr_in_the_form_that_is_asked_for() {
    let file = bad("ranges.ron");
    let human = output(&["scenario", "check", &file]);
    assert!(stderr(&human).contains("error[S008]: `count` is out of range"));
    assert!(!stderr(&human).contains('\u{1b}'), "no colours without a terminal");
    assert_eq!(stdout(&human), "");
    assert!(stderr(&output(&["scenario", "check", &file, "--color", "always"])).contains('\u{1b}'));
    let forced = cooltwin(&["scenario", "check", &file]).env("CLICOLOR_FORCE", "1").output().expect("it starts");
    assert!(stderr(&forced).contains('\u{1b}'));
    let both = cooltwin(&["scenario", "check", &file]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output();
    assert!(!stderr(&both.expect("it starts")).contains('\u{1b}'));
    let short = output(&["scenario", "check", &file, "--message-format", "short"]);
    assert!(stderr(&short).starts_with(&format!("{file}:2:20: error[S008]: ")));
    let json = output(&["scenario", "check", &file, "--message-format", "json"]);
    for line in stderr(&json).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("one object per line");
        assert_eq!(value["code"], "S008");
    }
}

#[test]
fn what_show_prints_is_a_scenario_of_the_same_hash() {
    let folder = folder("show");
    let source = format!("{}/dead-pump.ron", scenarios());
    let shown = output(&["scenario", "show", &source, "--set", "supply.nominal=22V"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(stdout(&shown).contains("nominal: \"22V\""));
    let copy = folder.join("copy.ron").display().to_string();
    fs::write(&copy, &shown.stdout).expect("a copy");
    let again = output(&["scenario", "check", &copy]);
    let original = output(&["scenario", "check", &source, "--set", "supply.nominal=22V"]);
    assert_eq!(stdout(&again), stdout(&original));
}

#[test]
fn show_tells_what_an_image_file_holds_and_stays_a_scenario() {
    let folder = folder("show-image");
    let payload = b"123456789";
    let version = protocol::header::Version { major: 2, minor: 3, patch: 4 };
    // The published check value of CRC-32/ISO-HDLC over those nine bytes.
    let head = protocol::header::ImageHeader {
        model: protocol::header::ModelId(1),
        version,
        length: 73,
        payload_crc: 0xCBF4_3926,
    };
    fs::write(folder.join("fw.bin"), [&head.encode()[..], payload].concat()).expect("an image");
    fs::write(folder.join("bare.bin"), payload).expect("an image");
    let file = |image: &str| format!("(package: (image: (source: File(\"{image}\"))))");
    fs::write(folder.join("good.ron"), file("fw.bin")).expect("a file");
    fs::write(folder.join("odd.ron"), file("bare.bin")).expect("a file");
    let in_folder = |arguments: &[&str]| common::output(&folder, arguments);
    let good = in_folder(&["scenario", "show", "good.ron"]);
    assert_eq!((good.status.code(), stderr(&good)), (Some(0), ""));
    let lines =
        "// The image file decides: `fw.bin` has 73 bytes; version 2.3.4, for model id 1.\n// Model ids: 1 AROS-25.\n";
    assert!(stdout(&good).ends_with(lines), "{}", stdout(&good));
    fs::write(folder.join("copy.ron"), &good.stdout).expect("a copy");
    assert_eq!(in_folder(&["scenario", "check", "copy.ron"]).status.code(), Some(0));
    let odd = in_folder(&["scenario", "check", "odd.ron"]);
    assert_eq!(odd.status.code(), Some(0));
    assert!(
        stderr(&odd).starts_with("warning[S014]: no pump takes `bare.bin`: it has 9 bytes, fewer"),
        "{}",
        stderr(&odd)
    );
    let page = output(&["scenario", "explain", "package.image.source"]);
    assert!(stdout(&page).contains("`CPFW`") && stdout(&page).contains("Model ids"), "{}", stdout(&page));
}

#[test]
fn what_the_readme_says_of_scenario_files_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let shown = fs::read_to_string(root.join("scenarios/sag-during-erase.ron")).expect("the scenario");
    assert!(
        readme.contains(&format!("This is `scenarios/sag-during-erase.ron`:\n\n```ron\n{shown}```\n")),
        "another text"
    );
    let folder = folder("readme-mistake");
    fs::write(folder.join("demo.ron"), "(\n    title: \"Demo\",\n    bus: (bitrat: \"250kbit/s\"),\n)\n")
        .expect("a file");
    let ended = common::output(&folder, &["scenario", "check", "demo.ron"]);
    assert_eq!(ended.status.code(), Some(INVALID));
    assert!(readme.contains(&format!("```text\n{}\n```\n", stderr(&ended).trim_end())), "{}", stderr(&ended));
}

#[test]
fn a_seed_has_a_range() {
    for seed in ["-1", "18446744073709551616", "many"] {
        let ended = output(&["run", "--seed", seed, &bad("ranges.ron")]);
        assert_eq!(ended.status.code(), Some(UNREADABLE));
        let text = stderr(&ended);
        assert!(text.contains("a seed is a whole number from 0 to 18446744073709551615"), "{text}");
    }
}

#[test]
fn a_new_file_is_valid_and_never_overwrites_one() {
    let folder = folder("new");
    let name = folder.join("my-story").display().to_string();
    assert_eq!(output(&["scenario", "new", &name]).status.code(), Some(0));
    let file = format!("{name}.ron");
    assert_eq!(output(&["scenario", "check", &file]).status.code(), Some(0));
    fs::write(&file, "precious").expect("a change");
    let again = output(&["scenario", "new", &name]);
    assert_eq!(again.status.code(), Some(UNREADABLE));
    assert!(stderr(&again).ends_with("my-story.ron exists and stays as it is\nhelp: choose another name\n"));
    assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");
}

#[test]
fn explain_knows_every_field_and_suggests() {
    let page = output(&["scenario", "explain", "supply.minimum_for_update"]);
    assert!(stdout(&page).contains("default 18V; from 0V to 60V; requirement PFU-051"));
    let wrong = output(&["scenario", "explain", "suply"]);
    assert_eq!(wrong.status.code(), Some(UNREADABLE));
    assert!(stderr(&wrong).contains("did you mean `supply`?"));
}

#[test]
fn explain_knows_every_type_that_it_names() {
    let page = |what: &str| {
        let ended = output(&["scenario", "explain", what]);
        assert_eq!((ended.status.code(), stderr(&ended)), (Some(0), ""), "{what}");
        stdout(&ended).to_owned()
    };
    assert!(page("Scenario").starts_with(&page("")), "{}", page("Scenario"));
    let fault = page("Fault");
    assert!(fault.starts_with("Fault: ") && fault.contains("\nkind: FaultKind\n"), "{fault}");
    assert!(fault.ends_with("\nstands at:\n  faults\n"), "{fault}");
    let kinds = page("FaultKind");
    let pump = "Exchanged(version: ..)\n    The pump is taken out and another one that holds this version is put in; the \
                duration is how long that takes.\n    acts on a pump or all pumps\n";
    assert!(kinds.contains(pump) && kinds.ends_with("\nstands at:\n  faults.kind\n"), "{kinds}");
    assert!(page("faults.kind").contains(pump) && page("Exchanged").contains("acts on a pump"), "{kinds}");
    // A type and a variant of one name: the type, and where the other is.
    let bus = page("Bus");
    assert!(bus.starts_with("Bus: The CAN bus.\n"), "{bus}");
    assert!(
        bus.ends_with("\nstands at:\n  bus\n\nof the same name, and something else:\n  faults.place.Bus\n"),
        "{bus}"
    );
    // A variant whose fields have its name has one page.
    assert!(page("FrameHit").starts_with("faults.kind.FrameHit\n\nFrameHit(id: .., "), "{}", page("FrameHit"));
    let near = output(&["scenario", "explain", "FaultKnd"]);
    assert!(stderr(&near).contains("help: did you mean `FaultKind`?\n"), "{}", stderr(&near));
}

#[test]
fn explain_knows_ends_of_paths_and_codes_of_errors() {
    let page = |what: &str| {
        let ended = output(&["scenario", "explain", what]);
        assert_eq!((ended.status.code(), stderr(&ended)), (Some(0), ""), "{what}");
        stdout(&ended).to_owned()
    };
    assert!(page("Sag").starts_with("faults.kind.Sag\n\nSag(to: ..)\n"), "{}", page("Sag"));
    assert_eq!(page("sag"), page("Sag"));
    assert!(page("S007").starts_with("S007: A quantity is a number and a unit"));
    assert_eq!(page("s007"), page("S007"));
    let several = page("duration");
    assert!(several.contains("  cioc_update.duration\n") && several.contains("  faults.duration\n"), "{several}");
    let all = page("codes");
    assert_eq!(all.lines().count(), Code::ALL.len());
    assert!(all.starts_with(&page("S001")) && all.contains(&page("S007")), "{all}");
    let last = Code::ALL.last().expect("a code").id();
    let help = "the code of an error, S001 to ";
    let printed = output(&["scenario", "explain", "--help"]);
    let printed = stdout(&printed).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(printed.contains(&format!("{help}{last}, or `codes` for all of them")), "{printed}");
    for (wrong, near) in [("S099", ""), ("s7", "help: did you mean `S007`?\n")] {
        let ended = output(&["scenario", "explain", wrong]);
        assert_eq!(ended.status.code(), Some(UNREADABLE));
        let list = format!("help: the codes are S001 to {last}; `cooltwin scenario explain codes` lists them\n");
        assert_eq!(stderr(&ended), format!("error: there is no error `{wrong}`\n{near}{list}"));
    }
    // What only begins like a code is a path.
    let path = output(&["scenario", "explain", "suply"]);
    assert!(stderr(&path).starts_with("error: there is no `suply` in a scenario\n"), "{}", stderr(&path));
}

#[test]
fn messages_tell_the_fix() {
    let folder = folder("fixes");
    let told = |arguments: &[&str], wanted: &str| {
        let ended = common::output(&folder, arguments);
        let all = format!("{}{}", stdout(&ended), stderr(&ended));
        assert!(all.contains(wanted), "{arguments:?}: {wanted} is not in {all}");
        all
    };
    told(&["scenario", "new", "x y"], "next: cooltwin scenario check 'x y.ron'\n");
    told(&["scenario", "new", "a b/c"], "help: make the folder first: mkdir -p 'a b'\n");
    let small = format!("{}/small.ron", scenarios());
    told(&["scenario", "check", &small, "--set", "timing.reaction_latency=-5s"], "= help: from 0us to 1s\n");
    let twice = told(&["scenario", "check", &small, "--set", "pumps.count=three"], "^^^^^ expected a whole number\n");
    assert_eq!(twice.matches("without quotes and without a unit").count(), 1, "{twice}");
    told(&["safety", "show", &small], "its `safety_units` name the files of their configurations");
    told(&["campaign", &small], "campaign and search files name one as their `base`");
    let unit = format!("{}/safety-c2c-corrupt.ron", scenarios());
    let wrong = "expectations[0]=SafetyTrip(unit: \"halle\", by: C2cSilent)";
    let said = told(&["scenario", "check", &unit, "--set", wrong], "there is no safety unit `halle`");
    assert!(said.contains("did you mean `\"hall\"`?") && said.contains("safety units: hall"), "{said}");
    fs::create_dir(folder.join("none")).expect("a folder");
    told(&["merge", "none"], "none is no finished shard of a campaign: it has no shard.json\nhelp: `cooltwin campaign");
}

#[test]
fn a_file_that_cannot_be_read_may_have_a_near_name() {
    let ended = output(&["scenario", "check", &format!("{}/nominal-14", scenarios())]);
    assert_eq!(ended.status.code(), Some(UNREADABLE));
    assert!(stderr(&ended).ends_with("scenarios/nominal-14.ron?\n"), "{}", stderr(&ended));
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [&["scenario", "explain"][..], &["scenario", "check", &scenarios()][..], &["--help"][..]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = cooltwin(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    }
}
