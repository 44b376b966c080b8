//! What several tests of `cooltwin run` share: scenarios, folders, the program, the schema of results.
//!
//! Each test file compiles this for itself and uses a part of it.
#![allow(dead_code)]

pub(crate) mod demands;
pub(crate) mod units;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cooltwin::cli::Disk;
use cooltwin::run::{Identity, Run, event_log, report};
use cooltwin::scenario::{Loaded, load};
use serde_json::Value;

/// A scenario among the test data.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A scenario that is shipped.
pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name)
}

/// Loads a scenario that is known to be good.
pub(crate) fn loaded(path: &Path, overrides: &[&str]) -> Loaded {
    let overrides: Vec<String> = overrides.iter().map(|each| (*each).to_owned()).collect();
    load(&Disk, path, &overrides).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
}

/// result.json of a run by an unknown build.
pub(crate) fn result_of(loaded: &Loaded, run: &Run) -> String {
    let unknown = || "unknown".to_owned();
    let identity = Identity { version: unknown(), commit: unknown(), rustc: unknown() };
    let mut report = report(loaded, run, &identity);
    let events = event_log(run).expect("events are written to memory");
    report.events = Some(reports::EventLog::of("events.jsonl", &events));
    reports::to_json_line(&report)
}

/// A folder of this test's own, empty at first.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The program that `cargo test` built, in `place`, with an environment that says nothing of colours.
pub(crate) fn cooltwin(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cooltwin"));
    command.current_dir(place).args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// Its output and exit code.
pub(crate) fn output(place: &Path, arguments: &[&str]) -> Output {
    cooltwin(place, arguments).output().expect("the program starts")
}

/// The exit code; `None` after a signal.
pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// Copies test data into `place`, so that it can be named relatively.
pub(crate) fn copy_data(place: &Path, names: &[&str]) {
    for name in names {
        fs::copy(data(name), place.join(name)).expect("test data can be copied");
    }
}

/// Names of everything in a folder, hidden ones too, in order.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All files below a folder.
pub(crate) fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// Text of a file.
pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON value.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Holds a line of result.json against the committed schema.
pub(crate) fn assert_valid(line: &str) {
    let schema = json(reports::SCHEMA_JSON);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let result = json(line);
    let wrong: Vec<String> =
        validator.iter_errors(&result).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    reports::from_json(line).expect("what the schema takes can be read back");
}
