//! Finds out which sources and compiler make this binary: for the report's build identity, never for a fingerprint.
//!
//! Three lists go into the program: the SHA-256 of every source file, the tests of the firmware that name requirements,
//! and Cargo.lock itself, where the sources have one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

#[path = "src/evidence/scan.rs"]
mod scan;

/// What belongs to the program; folders with all that is in them. The firmware comes first.
const FIRMWARE: &str = "firmware-under-test";
const TOOL: [&str; 9] = [
    "sim/src",
    "sim/build.rs",
    "sim/Cargo.toml",
    "reports/src",
    "reports/requirements",
    "reports/schema",
    "reports/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    let root = Path::new("..");
    println!("cargo::rustc-env=COOLTWIN_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=COOLTWIN_RUSTC={}", rustc().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=COOLTWIN_TARGET={}", variable("TARGET"));
    let profile = format!("{}, optimisation {}", variable("PROFILE"), variable("OPT_LEVEL"));
    println!("cargo::rustc-env=COOLTWIN_PROFILE={profile}");
    let files = sources(root);
    let lines = files.iter().map(|file| format!("{}  {}\n", sha256(&root.join(file)), file.display()));
    write("sources.sha256", &lines.collect::<String>());
    write("named-tests.txt", &named_tests(root, &files));
    write("Cargo.lock", &fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default());
    let git = [git_path("HEAD"), git_path("index"), git_path("logs/HEAD")];
    for path in git.into_iter().flatten().chain([root.join(FIRMWARE)]).chain(TOOL.map(|each| root.join(each))) {
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// All source files, relative to `root`, in the order of their names; those of the firmware first.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for start in [FIRMWARE].into_iter().chain(TOOL) {
        let before = found.len();
        collect(root, Path::new(start), &mut found);
        found[before..].sort();
    }
    found
}

fn collect(root: &Path, path: &Path, found: &mut Vec<PathBuf>) {
    if root.join(path).is_dir() {
        for entry in fs::read_dir(root.join(path)).expect("a readable folder") {
            let name = entry.expect("a readable entry").file_name();
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                collect(root, &path.join(name), found);
            }
        }
    } else if root.join(path).is_file() {
        found.push(path.to_owned());
    }
}

/// One line for each test: program, name, file, ids.
fn named_tests(root: &Path, files: &[PathBuf]) -> String {
    let mut lines = String::new();
    for file in
        files.iter().filter(|file| file.starts_with(FIRMWARE) && file.extension().is_some_and(|end| end == "rs"))
    {
        let mut parts = file.iter().skip(1).map(|part| part.to_string_lossy());
        let Some(crate_name) = parts.next() else { continue };
        let inside = parts.collect::<Vec<_>>().join("/");
        let text = fs::read_to_string(root.join(file)).expect("a source is text");
        for test in scan::scan(&crate_name, &inside, &text) {
            lines += &format!("{}\t{}\t{}\t{}\n", test.target, test.name, file.display(), test.ids.join(" "));
        }
    }
    lines
}

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).expect("a readable source");
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(file: &str, text: &str) {
    fs::write(Path::new(&variable("OUT_DIR")).join(file), text).expect("the build's folder can be written to");
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| "unknown".to_owned())
}

/// The commit, marked when tracked files differ from it.
fn commit() -> Option<String> {
    let commit = output(Command::new("git").args(["rev-parse", "HEAD"]))?;
    let changed = output(Command::new("git").args(["status", "--porcelain", "--untracked-files=no"]))?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// Where git keeps a file of its own; a linked work tree has it elsewhere.
fn git_path(file: &str) -> Option<PathBuf> {
    output(Command::new("git").args(["rev-parse", "--git-path", file])).map(PathBuf::from)
}

fn rustc() -> Option<String> {
    let rustc = std::env::var_os("RUSTC")?;
    let version = output(Command::new(rustc).arg("--version"))?;
    Some(version.strip_prefix("rustc ").unwrap_or(&version).to_owned())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
