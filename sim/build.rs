//! Finds out which sources and compiler make this binary: for the report's build identity, never for a fingerprint.
//!
//! Three lists go into the program: the SHA-256 of every source file, the tests of the firmware that name requirements,
//! and Cargo.lock itself, where the sources have one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

#[path = "src/evidence/scan.rs"]
mod scan;
#[path = "build/version.rs"]
mod version;

/// What belongs to the program; folders with all that is in them. The firmware comes first.
const FIRMWARE: &str = "firmware-under-test";
const TOOL: [&str; 10] = [
    "sim/src",
    "sim/build",
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
    let files = sources(root);
    println!(
        "cargo::rustc-env=COOLTWIN_COMMIT={}",
        version::commit(root, &files).unwrap_or_else(|| "unknown".to_owned())
    );
    println!("cargo::rustc-env=COOLTWIN_RUSTC={}", rustc().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=COOLTWIN_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=COOLTWIN_PROFILE={}", profile(root));
    println!("cargo::rustc-env=COOLTWIN_FEATURES={}", features());
    let lines = files.iter().map(|file| format!("{}  {}\n", sha256(&root.join(file)), file.display()));
    write("sources.sha256", &lines.collect::<String>());
    write("named-tests.txt", &named_tests(root, &files));
    write("Cargo.lock", &fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default());
    println!("cargo::rerun-if-env-changed=RUSTFLAGS");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
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

/// The features that are on, in the order of their names. Cargo writes `-` and capital letters as it pleases the environment.
fn features() -> String {
    let names = std::env::vars_os().filter_map(|(name, _)| {
        let name = name.into_string().ok()?.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-");
        (name != "default").then_some(name)
    });
    names.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// Name and optimisation of the profile, its settings in Cargo.toml, those that the environment sets over them, and the flags of the
/// compiler: what changes the code that comes out.
fn profile(root: &Path) -> String {
    let name = variable("PROFILE");
    let section = if name == "debug" { "[profile.dev]" } else { "[profile.release]" };
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let inside = manifest.lines().skip_while(|line| line.trim() != section).skip(1);
    let mut parts = vec![name, format!("optimisation {}", variable("OPT_LEVEL"))];
    parts.extend(
        inside
            .take_while(|line| !line.starts_with('['))
            .map(str::trim)
            .filter(|line| line.contains('='))
            .map(str::to_owned),
    );
    let mut set: Vec<String> = std::env::vars()
        .filter(|(name, _)| name.starts_with("CARGO_PROFILE_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    set.sort();
    parts.extend(set);
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\x1f', " ");
    parts.push(if flags.is_empty() { "no flags".to_owned() } else { format!("flags {flags}") });
    parts.join(", ").replace('\n', " ")
}

/// Where git keeps a file of its own; a linked work tree has it elsewhere.
fn git_path(file: &str) -> Option<PathBuf> {
    version::output(Command::new("git").args(["rev-parse", "--git-path", file])).map(PathBuf::from)
}

fn rustc() -> Option<String> {
    let rustc = std::env::var_os("RUSTC")?;
    let version = version::output(Command::new(rustc).arg("--version"))?;
    Some(version.strip_prefix("rustc ").unwrap_or(&version).to_owned())
}
