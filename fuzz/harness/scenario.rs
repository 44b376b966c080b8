//! Scenario files from arbitrary text, with a file to extend and `--set` overrides.
//!
//! What loads has a canonical text that loads again as the same scenario, and builds a twin. What is refused has
//! diagnostics that lie inside the texts they are about and can be printed in every format. The input is text with
//! parts between lines of `---`: the file, the file `base.ron` beside it, and any number of overrides.

use std::path::Path;

use cooltwin::scenario::{Diagnostic, FileSource, Format, LoadError, Loaded, Report, load};
use cooltwin::twin;

const FILE: &str = "fuzz.ron";

/// Most bytes and pumps of which a twin is built, so that one input takes no longer than a few milliseconds.
const BUILD_MOST: (u32, u8) = (8_192, 3);

struct Parts<'a> {
    file: &'a [u8],
    base: &'a [u8],
}

impl FileSource for Parts<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        match path.to_str() {
            Some(FILE) => Ok(self.file.to_vec()),
            Some("base.ron") => Ok(self.base.to_vec()),
            Some("fw.bin") => Ok(vec![0; 100]),
            _ => Err("no such file".to_owned()),
        }
    }
}

/// Any bytes; only overrides are made text first, as the command line does.
pub(crate) fn run(data: &[u8]) {
    let parts = split(data);
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let files = Parts { file: part(0), base: part(1) };
    let overrides: Vec<String> = parts.iter().skip(2).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    match load(&files, Path::new(FILE), &overrides) {
        Ok(loaded) => check_loaded(&loaded),
        Err(LoadError::Invalid(report)) => check_report(&report),
        Err(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
    }
}

/// The parts between lines of `---`.
fn split(data: &[u8]) -> Vec<&[u8]> {
    const MARK: &[u8] = b"\n---\n";
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        parts.push(&rest[..at]);
        rest = &rest[at + MARK.len()..];
    }
    parts.push(rest);
    parts
}

fn check_loaded(loaded: &Loaded) {
    let text = loaded.scenario.resolved_text();
    let files = Parts { file: text.as_bytes(), base: b"" };
    match load(&files, Path::new(FILE), &[]) {
        Ok(again) => {
            assert_eq!(again.scenario, loaded.scenario);
            assert_eq!(again.scenario.resolved_text(), text);
        }
        Err(LoadError::Invalid(report)) => panic!("{}\n{text}", report.render(Format::Human, false)),
        Err(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
    }
    let (length, pumps) = BUILD_MOST;
    if loaded.scenario.package.image.length.bytes() <= length && loaded.scenario.pumps.count <= pumps {
        let _ = twin::build(&loaded.scenario, loaded.image.as_deref());
    }
}

fn check_report(report: &Report) {
    assert!(!report.diagnostics.is_empty(), "refused without a reason");
    report.diagnostics.iter().for_each(|diagnostic| check_place(report, diagnostic));
    for format in [Format::Human, Format::Short, Format::Json] {
        for color in [false, true] {
            let text = report.render(format, color);
            assert!(text.lines().count() >= report.diagnostics.len(), "{text}");
        }
    }
}

fn check_place(report: &Report, diagnostic: &Diagnostic) {
    let text = &report.sources[diagnostic.place.source].text;
    assert!(text.get(diagnostic.place.span.clone()).is_some(), "{diagnostic:?} lies outside its text");
    assert!(!diagnostic.message.is_empty());
}
