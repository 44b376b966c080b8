//! Replays the committed fuzzing inputs of `fuzz/corpus` for images and scenarios through the fuzzer's harnesses.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/harness/hex.rs"]
mod hex;
#[path = "../../fuzz/harness/scenario.rs"]
mod scenario;

/// Most inputs of one target, as `fuzz/README.md` says.
const MOST: usize = 80;

fn replay(target: &str, least: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!((least..=MOST).contains(&paths.len()), "{} inputs in {}", paths.len(), folder.display());
    for path in paths {
        // Seen only if the input fails.
        println!("{}", path.display());
        let data = fs::read(&path).unwrap();
        assert!(data.len() < 2_048, "too long to be committed: {}", path.display());
        run(&data);
    }
}

#[test]
fn hex_inputs_hold() {
    replay("hex", 5, hex::run);
}

#[test]
fn scenario_inputs_hold() {
    replay("scenario", 20, scenario::run);
}
