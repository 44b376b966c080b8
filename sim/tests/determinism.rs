//! The same scenario, seed and build give the same bytes: wherever, however and how often they are run.

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{code, copy_data, folder, json, output, text};
use cooltwin::run::run;
use serde_json::Value;

const FILES: [&str; 2] = ["small.ron", "faulty.ron"];

/// result.json and events.jsonl of a run in `place`, and the folder they are in.
fn results(place: &Path, out: &str) -> (String, String) {
    let out = place.join(out);
    (text(&out.join("result.json")), text(&out.join("events.jsonl")))
}

fn place(name: &str) -> PathBuf {
    let place = folder(name);
    copy_data(&place, &FILES);
    place
}

#[test]
fn directory_locale_time_zone_and_kind_of_stdout_do_not_matter() {
    let (here, there) = (place("determinism-here"), place("determinism-a folder, ünd elsewhere"));
    for file in FILES {
        let first = common::cooltwin(&here, &["run", file, "--out", "out"])
            .envs([("LANG", "C"), ("LC_ALL", "C"), ("TZ", "UTC")])
            .stdout(Stdio::piped())
            .output()
            .expect("the program starts");
        let to = File::create(there.join("stdout")).expect("a file");
        let second = common::cooltwin(&there, &["run", file, "--out", "out", "-vv", "--color", "always"])
            .envs([("LANG", "de_DE.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Asia/Kathmandu"), ("HOME", "/nowhere")])
            .stdout(to)
            .output()
            .expect("the program starts");
        assert_eq!((code(&first), code(&second)), (Some(0), Some(0)), "{file}");
        assert!(results(&here, "out") == results(&there, "out"), "{file}");
    }
}

#[test]
fn recording_a_run_does_not_change_it() {
    let place = place("determinism-record");
    for file in FILES {
        assert_eq!(code(&output(&place, &["run", file, "--out", "plain", "-q"])), Some(0));
        assert_eq!(code(&output(&place, &["run", file, "--out", "recorded", "--record", "-q"])), Some(0));
        assert_eq!(code(&output(&place, &["run", file, "--out", "again", "--record", "-q"])), Some(0));
        assert!(results(&place, "plain") == results(&place, "recorded"), "{file}");
        let recording = |out: &str| text(&place.join(out).join("recording.jsonl"));
        assert!(recording("recorded") == recording("again"), "{file}");
    }
}

/// Everything in a result that is not about which program made it; the hash of the log of events is there only where
/// such a file was written.
fn without_build(result: &str) -> Value {
    let mut result = json(result);
    result.as_object_mut().expect("an object").remove("build").expect("a build");
    result
}

#[test]
fn the_program_and_the_library_give_the_same_result() {
    let place = place("determinism-library");
    for file in FILES {
        assert_eq!(code(&output(&place, &["run", file, "--out", "out", "-q"])), Some(0));
        let loaded = common::loaded(&place.join(file), &[]);
        let ended = run(&loaded.scenario, loaded.image.as_deref(), |_| {});
        let mut library = without_build(&common::result_of(&loaded, &ended));
        let mut program = without_build(&results(&place, "out").0);
        // The library was given another path, and wrote no log of events.
        for result in [&mut library, &mut program] {
            let result = result.as_object_mut().expect("an object");
            result.remove("inputs").expect("inputs");
            result.remove("events");
        }
        assert!(library == program, "{file}");
    }
}

/// The program of the other profile beside this one, and that profile's name.
fn other_profile() -> (PathBuf, &'static str) {
    let own_path = Path::new(env!("CARGO_BIN_EXE_cooltwin"));
    let profile = if own_path.parent().is_some_and(|folder| folder.ends_with("debug")) { "release" } else { "debug" };
    let name = own_path.file_name().expect("a name");
    (own_path.parent().and_then(Path::parent).expect("a target folder").join(profile).join(name), profile)
}

/// Whether the comparison must be made: in continuous integration, where both builds are of one tree.
fn is_required() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Says why nothing was compared, past the capture of the test's output; where it is required, that is a failure.
fn not_checked(why: &str) {
    assert!(!is_required(), "debug against release: {why}");
    let _ = writeln!(std::io::stderr(), "!! NOT CHECKED: debug against release: {why}");
}

/// Proves it where both builds are there; with `CI` set, as in `.ci/run`, they must be.
#[test]
fn debug_and_release_give_the_same_bytes() {
    let place = place("determinism-profiles");
    let (other_program, profile) = other_profile();
    if !other_program.is_file() {
        return not_checked(&format!("there is no {profile} build"));
    }
    for file in FILES {
        assert_eq!(code(&output(&place, &["run", file, "--out", "own", "-q"])), Some(0));
        let own = results(&place, "own");
        let build = json(&own.0)["build"].clone();
        let commit = build["commit"].as_str().expect("a commit");
        // Two builds of changed sources may be of different ones, unless one script made both.
        if !is_required() && (commit.ends_with("-dirty") || commit == "unknown") {
            return not_checked("this build is not of a commit");
        }
        let ended =
            Command::new(&other_program).current_dir(&place).args(["run", file, "--out", "other", "-q"]).output();
        assert_eq!(code(&ended.expect("the program starts")), Some(0));
        let other = results(&place, "other");
        if build != json(&other.0)["build"] {
            return not_checked(&format!("the {profile} build is of another commit"));
        }
        assert!(own == other, "{file}");
    }
}

#[test]
fn another_seed_changes_a_run_with_random_faults() {
    let place = place("determinism-seed");
    for seed in ["1", "2"] {
        assert_eq!(code(&output(&place, &["run", "faulty.ron", "--out", seed, "--seed", seed, "-q"])), Some(0));
    }
    let fingerprint = |seed: &str| json(&results(&place, seed).0)["fingerprint"].clone();
    let (one, two) = (fingerprint("1"), fingerprint("2"));
    assert_ne!(one["all"], two["all"]);
    assert_ne!(one["bus"], two["bus"]);
}

/// A story in a folder of its own: it extends a file elsewhere, which names an image beside itself, and has a safety unit.
fn story(name: &str) -> PathBuf {
    let place = folder(name);
    for inside in ["stories", "bases/images", "else/where"] {
        fs::create_dir_all(place.join(inside)).expect("a folder");
    }
    copy_data(&place.join("bases"), &["small.ron"]);
    let write = |file: &str, text: &[u8]| fs::write(place.join(file), text).expect("a file");
    write("bases/images/fw.bin", &[7; 4096]);
    write("bases/middle.ron", b"(extends: \"small.ron\", package: (image: (source: File(\"images/fw.bin\"))))");
    let configuration = fs::read(common::shipped("safety/cooling-watch.ron")).expect("a configuration");
    write("stories/watch.ron", &configuration);
    write("stories/story.ron", STORY.as_bytes());
    place
}

const STORY: &str = r#"(
    extends: "../bases/middle.ron",
    safety_units: [(configuration: "watch.ron", node: "hall")],
    expectations: [Verdict(Fail)],
)"#;

/// All files below two folders are the same.
#[track_caller]
fn assert_same_files(one: &Path, other: &Path) {
    assert_eq!(common::files(one), common::files(other));
    for name in common::files(one) {
        assert!(fs::read(one.join(&name)).ok() == fs::read(other.join(&name)).ok(), "{name} differs");
    }
}

#[test]
fn where_a_run_is_started_and_how_its_file_is_typed_changes_no_byte_of_any_file() {
    let place = story("determinism-typed");
    let absolute = place.join("stories/story.ron").display().to_string();
    let ways = [
        (".", "stories/story.ron"),
        (".", "./else/../stories/story.ron"),
        ("stories", "story.ron"),
        ("else/where", "../../stories/story.ron"),
        ("else/where", &absolute),
    ];
    let outs: Vec<PathBuf> = (0..ways.len()).map(|number| place.join(format!("out-{number}"))).collect();
    for ((from, file), out) in ways.iter().zip(&outs) {
        let out = out.display().to_string();
        let ran = output(&place.join(from), &["run", file, "--out", &out, "--record", "-q"]);
        assert!(common::stdout(&ran).ends_with(&format!("cooltwin run {file} --seed 1\n")), "the file as it was typed");
    }
    outs[1..].iter().for_each(|out| assert_same_files(&outs[0], out));
    let inputs = json(&text(&outs[0].join("result.json")))["inputs"].clone();
    let paths: Vec<&str> =
        inputs.as_array().expect("a list").iter().filter_map(|input| input["path"].as_str()).collect();
    let known = ["story.ron", "../bases/middle.ron", "../bases/small.ron", "../bases/images/fw.bin", "watch.ron"];
    assert_eq!(paths, known);
    // A result that was carried away replays without any of its files.
    fs::rename(&outs[0], place.join("else/carried")).expect("a folder is moved");
    ["stories", "bases"].iter().for_each(|gone| fs::remove_dir_all(place.join(gone)).expect("removed"));
    let replayed = output(&place.join("else/where"), &["replay", "../carried"]);
    assert_eq!(code(&replayed), Some(0), "{}{}", common::stdout(&replayed), common::stderr(&replayed));
}

#[test]
fn how_a_suite_a_campaign_or_a_search_is_typed_changes_no_byte_of_any_file() {
    let place = story("determinism-typed-others");
    for (folder, base) in [("campaigns", "tiny-base.ron"), ("searches", "tiny-base.ron")] {
        fs::create_dir_all(place.join(folder)).expect("a folder");
        for file in ["tiny.ron", base] {
            let from = common::data(folder).join(file);
            fs::copy(from, place.join(folder).join(file)).expect("test data can be copied");
        }
    }
    let cases: [(&[&str], &str); 4] = [
        (&["evidence", "--allow-dirty"], "stories/story.ron"),
        (&["campaign"], "campaigns/tiny.ron"),
        (&["campaign", "--shard", "1/2"], "campaigns/tiny.ron"),
        (&["search"], "searches/tiny.ron"),
    ];
    for (number, (command, file)) in cases.into_iter().enumerate() {
        let outs = ["here", "there"].map(|out| place.join(format!("{out}-{number}")));
        let absolute = place.join(file).display().to_string();
        for ((from, file), out) in [(".", file), ("else", absolute.as_str())].into_iter().zip(&outs) {
            let ran = output(&place.join(from), &[command, &[file, "--out", &out.display().to_string()]].concat());
            assert!(out.is_dir(), "{command:?}: {}", common::stderr(&ran));
        }
        assert_same_files(&outs[0], &outs[1]);
    }
}

#[test]
fn a_file_that_was_named_relatively_stays_so_in_the_result() {
    let place = place("determinism-paths");
    assert_eq!(code(&output(&place, &["run", "faulty.ron", "--out", "out", "--record", "-q"])), Some(0));
    let absolute = place.display().to_string();
    let (result, events) = results(&place, "out");
    for (name, text) in
        [("result", &result), ("events", &events), ("recording", &text(&place.join("out/recording.jsonl")))]
    {
        assert!(!text.contains(&absolute), "{name} names the directory");
    }
    let inputs = json(&result)["inputs"].clone();
    let paths: Vec<&str> =
        inputs.as_array().expect("a list").iter().filter_map(|input| input["path"].as_str()).collect();
    assert_eq!(paths, ["faulty.ron", "small.ron"]);
}
