//! What holds by construction: no switch for a measure, no panicking word.
//!
//! SSM-08, SSM-09, SSR-081.

use std::fs;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, found);
            }
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The code that runs on the target: everything before a file's test module.
fn product_code() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for name in ["src", "../safety-common/src"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &mut files);
    }
    assert!(files.len() > 35);
    let cut = |(path, text): (PathBuf, String)| {
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        (path, text[..end].to_string())
    };
    files.into_iter().map(cut).collect()
}

/// No feature, no cfg but `test`, and `test` only in front of modules and impls that tests use: nothing switches a measure off.
#[test]
fn nothing_switches_a_measure_off() {
    for (path, text) in product_code() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let has_cfg = line.contains("cfg(") || line.contains("cfg!(") || line.contains("cfg_attr");
            if !has_cfg {
                continue;
            }
            let next = lines.get(at + 1).copied().unwrap_or("");
            let is_for_tests = *line == "#[cfg(test)]"
                && ["mod ", "impl ", "extern crate std;", "pub(crate) use ", "pub(crate) fn word(", "use tests::"]
                    .iter()
                    .any(|start| next.starts_with(start));
            assert!(is_for_tests, "{}: {line} {next}", path.display());
        }
    }
    for manifest in ["Cargo.toml", "../safety-common/Cargo.toml"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest)).unwrap();
        assert!(!text.contains("[features]") && !text.contains("optional"), "{manifest}");
    }
}

/// No word that can panic, no unsafe, nothing global that changes, no loop without a bound, no allocation.
#[test]
fn no_line_of_the_product_holds_a_forbidden_word() {
    let forbidden = [
        "unwrap()",
        ".expect(",
        "panic!",
        "unreachable!",
        "todo!",
        "assert!(",
        "assert_eq!(",
        "unsafe ",
        "static mut",
        "Cell<",
        "Atomic",
        "loop {",
        "while ",
        "alloc::",
        "Box<",
        "extern crate alloc",
    ];
    for (path, text) in product_code() {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let is_checked_by_the_compiler = line.starts_with("const _: () = assert!(");
            let is_constant_loop =
                line.starts_with("while at < ORDER.len()") || line.starts_with("while block < BLOCKS");
            if is_checked_by_the_compiler || is_constant_loop {
                continue;
            }
            for word in forbidden {
                assert!(!line.contains(word), "{}: {line}", path.display());
            }
        }
    }
}

/// Indexing can panic: square brackets after a name stand in constants only, where the compiler checks them.
#[test]
fn nothing_is_indexed_but_constants() {
    for (path, text) in product_code() {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("#[")) {
            let bytes = line.as_bytes();
            let indexes = (1..bytes.len()).filter(|at| {
                bytes[*at] == b'[' && (bytes[at - 1].is_ascii_alphanumeric() || b"_)]".contains(&bytes[at - 1]))
            });
            let allowed = ["GAP_TICKS[", "DIVIDER_PPM[", "ORDER["];
            for at in indexes {
                let upto = &line[..=at];
                assert!(allowed.iter().any(|constant| upto.ends_with(constant)), "{}: {line}", path.display());
            }
        }
    }
}
