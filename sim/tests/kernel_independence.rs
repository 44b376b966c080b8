//! The kernel knows nothing of what it simulates.
//!
//! This is what lets it be tested and trusted on its own: no file under `src/kernel` says a word of cooling, buses or
//! firmware, or imports a module beside it.

use std::path::{Path, PathBuf};

const DOMAIN_WORDS: [&str; 7] = ["bus", "pump", "flash", "supply", "coolant", "firmware", "cioc"];

/// A file's path and text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the kernel's folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            let text = std::fs::read_to_string(&path).expect("sources are text");
            found.push((path, text));
        }
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The domain word a line says, if any. "can" is English in a comment, a bus in code, and CAN is a bus everywhere.
fn domain_word(line: &str) -> Option<&str> {
    let is_comment = line.trim_start().starts_with("//");
    words(line).find(|word| {
        let lower = word.to_lowercase();
        let is_bus = *word == "CAN" || (lower == "can" && !is_comment);
        is_bus || DOMAIN_WORDS.iter().any(|domain| lower == *domain || lower == format!("{domain}s"))
    })
}

/// The module beside the kernel that a line names, if any.
fn sibling(line: &str) -> Option<&str> {
    if line.contains("super::super") {
        return Some("super::super");
    }
    let mut paths = line.split("crate::").skip(1).chain(line.split("cooltwin::").skip(1));
    paths.find_map(|path| words(path).next().filter(|module| *module != "kernel"))
}

/// Where `finds` finds something in the kernel.
fn findings(finds: fn(&str) -> Option<&str>) -> Vec<String> {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel"));
    assert!(files.len() >= 7, "the kernel has more files than {}", files.len());
    let lines = files.iter().flat_map(|(path, text)| text.lines().map(move |line| (path, line)));
    lines.filter_map(|(path, line)| Some(format!("{}: {}", path.display(), finds(line)?))).collect()
}

#[test]
fn the_kernel_says_no_domain_word() {
    assert_eq!(findings(domain_word), [""; 0]);
}

#[test]
fn the_kernel_imports_no_sibling() {
    assert_eq!(findings(sibling), [""; 0]);
}

#[test]
fn domain_words_and_siblings_are_found_where_they_are() {
    assert_eq!(domain_word("let bus_load = 1;"), Some("bus"));
    assert_eq!(domain_word("/// Pumps and more"), Some("Pumps"));
    assert_eq!(domain_word("/// a CAN frame"), Some("CAN"));
    assert_eq!(domain_word("mod can;"), Some("can"));
    assert_eq!(domain_word("/// Something that can be busy"), None);
    assert_eq!(sibling("use crate::plant::Loop;"), Some("plant"));
    assert_eq!(sibling("use crate::kernel::Event;"), None);
}
