//! Firmware links without the standard library and without an allocator.
//!
//! A compiler for the target is not needed for this: a library that brings its own panic handler and depends on all
//! firmware crates builds only if nothing below it pulls in `std` (there would be two panic handlers) and, as a static
//! library, only if nothing pulls in `alloc` (there would be no allocator). What is left to a build for the target is its
//! code generation and the size of its atomics. The feature lists are checked for the target itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TARGET: &str = "thumbv7em-none-eabihf";
const FIRMWARE: [&str; 6] = ["units", "protocol", "pump", "orchestrator", "safety-common", "safety-cpu1"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project's folder")
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("--offline").current_dir(project());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Builds a static library in `folder` of the scratch folder that uses `crates` and says `#![no_std]`, with `more` code.
fn build_bare(folder: &str, crates: &[&str], more: &str) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).unwrap();
    let mut manifest = String::from(
        "[package]\nname = \"bare\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [lib]\npath = \"lib.rs\"\ncrate-type = [\"staticlib\"]\n[profile.dev]\npanic = \"abort\"\n[dependencies]\n",
    );
    let mut code = String::from("#![no_std]\n");
    for name in crates {
        let path = project().join("firmware-under-test").join(name);
        manifest += &format!("{name} = {{ path = {path:?} }}\n");
        code += &format!("extern crate {};\n", name.replace('-', "_"));
    }
    code += "#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n";
    code += more;
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("lib.rs"), code).unwrap();
    // The same versions as the product.
    fs::copy(project().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = folder.join("target");
    cargo()
        .arg("build")
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap()
}

#[test]
fn all_firmware_links_without_std_and_without_an_allocator() {
    let output = build_bare("bare", &FIRMWARE, "");
    assert!(output.status.success(), "{}", said(&output));
}

/// The proof above proves something: both ways to break the rule are found.
#[test]
fn a_library_that_needs_std_or_an_allocator_is_found() {
    let output = build_bare("bare_std", &["units"], "extern crate std;\n");
    assert!(!output.status.success() && said(&output).contains("panic_impl"), "{}", said(&output));
    let output = build_bare("bare_alloc", &["units"], "extern crate alloc;\n");
    assert!(!output.status.success() && said(&output).contains("allocator"), "{}", said(&output));
}

#[test]
fn no_dependency_of_firmware_has_a_std_or_alloc_feature_on_for_the_target() {
    for name in FIRMWARE {
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--prefix", "none", "--edges", "normal,no-proc-macro", "--format", "{p};{f}"]);
        let output = tree.args(["--target", TARGET, "-p", name]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(lines.starts_with(name), "{lines}");
        for line in lines.lines() {
            let (package, features) = line.split_once(';').unwrap();
            let bad = features.trim_end_matches(" (*)").split(',').find(|feature| ["std", "alloc"].contains(feature));
            assert_eq!(bad, None, "{package} below {name}");
        }
    }
}

#[test]
fn every_firmware_crate_says_no_std_and_forbids_unsafe_code() {
    for name in FIRMWARE {
        let path = project().join("firmware-under-test").join(name).join("src/lib.rs");
        let code = fs::read_to_string(&path).unwrap();
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            assert!(code.lines().any(|found| found == line), "{name} lacks {line}");
        }
    }
}
