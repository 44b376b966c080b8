//! Rules about the sources that neither the compiler nor clippy checks.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// All Rust files below `folder`, build output left out.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing found in {folder}");
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a file that is in the product: what stands before its first test module.
fn product(path: &Path) -> String {
    let text = text(path);
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.ends_with("tests.rs")
        || path.ends_with("testing.rs")
}

/// Lines of product code, comments left out, that contain one of `words`.
fn offences(folders: &[&str], words: &[&str], allowed: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut offences = Vec::new();
    for path in folders.iter().flat_map(|folder| sources(folder)).filter(|path| !is_test(path) && !allowed(path)) {
        for (number, line) in product(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                offences.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    offences
}

#[test]
fn every_file_opens_with_a_tagline() {
    for folder in ["firmware-under-test", "sim", "reports", "benches", "fuzz"] {
        for path in sources(folder) {
            let text = text(&path);
            let first = text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default();
            let tagline = first.strip_prefix("//! ").unwrap_or_else(|| panic!("{} has no tagline", path.display()));
            assert!(tagline.len() > 10, "{}: the tagline says nothing", path.display());
        }
    }
}

#[test]
fn firmware_has_no_panicking_call_no_unsafe_and_no_global_state() {
    let words = [
        ".unwrap()",
        ".expect(",
        "panic!",
        "unreachable!",
        "todo!",
        "unimplemented!",
        "unsafe ",
        "static mut",
        "RefCell",
        "UnsafeCell",
        "Mutex",
        "AtomicU",
        "extern crate alloc",
        "std::",
        "f32",
        "f64",
    ];
    let found = offences(&["firmware-under-test"], &words, |_| false);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn firmware_crates_are_no_std_and_forbid_unsafe() {
    for name in ["units", "protocol", "pump", "orchestrator", "safety-common", "safety-cpu1", "safety-cpu2"] {
        let text = text(&root().join("firmware-under-test").join(name).join("src/lib.rs"));
        assert!(text.contains("#![no_std]") && text.contains("#![forbid(unsafe_code)]"), "{name}");
    }
}

#[test]
fn only_the_command_line_touches_files_and_exit_codes() {
    let words = ["std::fs", "std::process", "std::env", "println!", "eprintln!", "ExitCode", "File::"];
    let found = offences(&["sim/src", "reports/src"], &words, |path| {
        path.components().any(|part| part.as_os_str() == "cli") || path.ends_with("main.rs")
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nothing_reads_the_wall_clock_or_an_unordered_map() {
    let words = ["HashMap", "HashSet", "Instant::now", "SystemTime", "thread_rng", "rand::rng()", "from_entropy"];
    let found = offences(&["sim/src", "reports/src", "firmware-under-test"], &words, |_| false);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn firmware_does_not_depend_on_the_twin() {
    for name in ["units", "protocol", "pump", "orchestrator", "safety-common", "safety-cpu1", "safety-cpu2"] {
        let manifest = text(&root().join("firmware-under-test").join(name).join("Cargo.toml"));
        for above in ["cooltwin", "reports", "bevy"] {
            assert!(!manifest.contains(above), "{name} names {above}");
        }
    }
    let reports = text(&root().join("reports/Cargo.toml"));
    assert!(
        !reports.contains("cooltwin") && !reports.contains("orchestrator"),
        "reports knows neither twin nor firmware"
    );
}
