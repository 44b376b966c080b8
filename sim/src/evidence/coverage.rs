//! Lines and branches of the firmware from what `cargo llvm-cov --json` writes.
//!
//! The document is LLVM's `llvm.coverage.json.export`. Its files hold *segments*, places where the count of executions
//! changes; a line is missed when code of it has a count and no count on it is above 0. Sums are LLVM's own.

use std::collections::BTreeMap;

use reports::{Coverage, FileCoverage, MissedLine};
use serde::Deserialize;

/// Where the crates of the item under test are.
const ITEM: &str = "firmware-under-test/";

#[derive(Deserialize)]
struct Document {
    r#type: String,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    #[serde(default)]
    segments: Vec<Segment>,
    summary: Summary,
}

/// Line, column, count, has a count, is the start of a region, is a gap.
#[derive(Deserialize)]
struct Segment(u64, #[expect(dead_code)] u64, u64, bool, bool, #[serde(default)] bool);

#[derive(Deserialize)]
struct Summary {
    lines: Count,
    #[serde(default)]
    branches: Count,
}

#[derive(Default, Deserialize)]
struct Count {
    count: u64,
    covered: u64,
}

/// Reads the document; files that are not of the firmware under test are left out.
///
/// # Errors
/// When it is no such document, or has no file of the firmware.
pub fn coverage(text: &str) -> Result<Coverage, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if document.r#type != "llvm.coverage.json.export" {
        return Err(format!("{} is not llvm.coverage.json.export", document.r#type));
    }
    let files = document.data.into_iter().flat_map(|data| data.files).filter_map(file);
    let files: BTreeMap<String, FileCoverage> = files.map(|file| (file.file.clone(), file)).collect();
    if files.is_empty() {
        return Err("it has no file of firmware-under-test".to_owned());
    }
    Ok(Coverage { files: files.into_values().collect() })
}

/// A file of the firmware; tests and what belongs to them are not the item.
fn file(file: File) -> Option<FileCoverage> {
    let name = &file.filename[file.filename.rfind(ITEM)?..];
    if name.contains("/tests") || name.ends_with("/testing.rs") {
        return None;
    }
    Some(FileCoverage {
        file: name.to_owned(),
        lines: file.summary.lines.count,
        lines_reached: file.summary.lines.covered,
        branches: file.summary.branches.count,
        branches_reached: file.summary.branches.covered,
        missed: missed(&file.segments),
    })
}

/// Lines with a region of their own of which none was executed. Lines that a region only passes over have the count
/// with which it began, and are told by that beginning.
fn missed(segments: &[Segment]) -> Vec<MissedLine> {
    let mut greatest: BTreeMap<u64, u64> = BTreeMap::new();
    for Segment(line, _, count, has_count, is_start, is_gap) in segments {
        if *has_count && *is_start && !*is_gap {
            let known = greatest.entry(*line).or_default();
            *known = (*known).max(*count);
        }
    }
    let never = greatest.into_iter().filter(|(_, count)| *count == 0);
    never.map(|(line, _)| MissedLine { line, reason: String::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"type":"llvm.coverage.json.export","version":"3.0.1","data":[{"totals":{},"files":[
        {"filename":"/w/firmware-under-test/pump/src/lib.rs","branches":[],
         "segments":[[3,1,7,true,true,false],[5,9,0,true,true,false],[5,20,0,false,false,false],[6,5,0,true,true,false],[6,9,2,true,true,false]],
         "summary":{"lines":{"count":10,"covered":9,"percent":90},"branches":{"count":4,"covered":3}}},
        {"filename":"/w/firmware-under-test/pump/src/testing.rs","segments":[],"summary":{"lines":{"count":1,"covered":0}}},
        {"filename":"/w/sim/src/lib.rs","segments":[],"summary":{"lines":{"count":1,"covered":0}}}]}]}"#;

    #[test]
    fn sums_and_missed_lines_of_the_firmware_alone_are_read() {
        let found = coverage(DOCUMENT).expect("a document");
        assert_eq!(found.files.len(), 1);
        let file = &found.files[0];
        assert_eq!(file.file, "firmware-under-test/pump/src/lib.rs");
        assert_eq!((file.lines, file.lines_reached, file.branches, file.branches_reached), (10, 9, 4, 3));
        let lines: Vec<u64> = file.missed.iter().map(|missed| missed.line).collect();
        assert_eq!(lines, [5], "line 6 has a part that was executed");
    }

    #[test]
    fn what_is_no_coverage_of_the_firmware_is_refused() {
        assert!(coverage("{}").is_err());
        assert!(coverage(&DOCUMENT.replace("llvm.coverage", "other")).is_err());
        assert!(coverage(&DOCUMENT.replace("firmware-under-test", "elsewhere")).is_err());
    }
}
