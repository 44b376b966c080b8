//! Same scenario, seed and build: the same bytes, in any directory, locale and time zone.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::root;

const SHORT: [&str; 4] = ["--set", "pumps.count=3", "--set", "package.image.length=32KiB"];

/// Runs the program in `folder` and gives result.json and events.jsonl.
fn outputs(
    program: &Path,
    folder: &Path,
    scenario: &str,
    extra: &[&str],
    environment: &[(&str, &str)],
) -> (Vec<u8>, Vec<u8>) {
    fs::create_dir_all(folder).expect("a folder for the test");
    let out = folder.join("results");
    let mut command = Command::new(program);
    command.current_dir(root()).args(["run", scenario, "--json", "--out"]).arg(&out).args(SHORT).args(extra);
    command.envs(environment.iter().copied());
    let output = command.output().expect("the program starts");
    assert!(
        output.status.code().is_some_and(|code| code < 2 || code == 5),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |file: &str| fs::read(out.join(file)).expect("a result file");
    let (result, events) = (read("result.json"), read("events.jsonl"));
    assert_eq!(output.stdout, result, "--json prints what is written");
    (result, events)
}

fn debug() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_cooltwin"))
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("determinism").join(name)
}

#[test]
fn directory_locale_time_zone_and_recording_change_no_byte() {
    let scenario = "scenarios/noisy-bus.ron";
    let plain = outputs(&debug(), &scratch("plain"), scenario, &[], &[]);
    let german = [("LC_ALL", "de_DE.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Asia/Kathmandu"), ("COLUMNS", "40")];
    assert!(plain == outputs(&debug(), &scratch("other place"), scenario, &[], &german), "place or locale shows");
    assert!(plain == outputs(&debug(), &scratch("recorded"), scenario, &["--record"], &[]), "recording shows");
}

#[test]
fn another_seed_changes_a_run_with_random_faults() {
    let scenario = "scenarios/noisy-bus.ron";
    let first = outputs(&debug(), &scratch("seed 1"), scenario, &["--seed", "1"], &[]);
    let second = outputs(&debug(), &scratch("seed 2"), scenario, &["--seed", "2"], &[]);
    assert!(first.1 != second.1);
}

/// The release build of the same sources, where there is one, agrees with the debug build in everything but nothing:
/// also in the build identity, because both name the same commit and compiler.
#[test]
fn debug_and_release_agree() {
    let release = root().join("target/release").join(debug().file_name().expect("a file name"));
    if !release.is_file() {
        eprintln!("not compared: {} is not built", release.display());
        return;
    }
    for scenario in ["scenarios/noisy-bus.ron", "scenarios/sag-during-erase.ron"] {
        let of = |program: &Path, place: &str| {
            let (result, events) = outputs(program, &scratch(place), scenario, &[], &[]);
            let mut value: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
            let build = value["build"].take();
            (value, events, build)
        };
        let (debug, release) = (of(&debug(), "debug"), of(&release, "release"));
        if debug.2 != release.2 {
            eprintln!("not compared: the release build is of other sources ({} / {})", debug.2, release.2);
            return;
        }
        assert_eq!(debug.0, release.0, "{scenario}");
        assert!(debug.1 == release.1, "{scenario}: events differ");
    }
}
