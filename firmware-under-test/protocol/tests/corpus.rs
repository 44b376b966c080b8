//! Replays the committed fuzzing inputs of `fuzz/corpus` through the harnesses that the fuzzer runs.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[path = "../../../fuzz/harness/cyclic.rs"]
mod cyclic;
#[path = "../../../fuzz/harness/header.rs"]
mod header;
#[path = "../../../fuzz/harness/isotp.rs"]
mod isotp;
#[path = "../../../fuzz/harness/uds.rs"]
mod uds;

/// Most inputs of one target, as `fuzz/README.md` says.
const MOST: usize = 80;

fn replay(target: &str, least: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!((least..=MOST).contains(&paths.len()), "{} inputs in {}", paths.len(), folder.display());
    for path in paths {
        // Seen only if the input fails.
        println!("{}", path.display());
        let data = fs::read(&path).unwrap();
        assert!(data.len() < 1_024, "too long to be committed: {}", path.display());
        run(&data);
    }
}

#[test]
fn cyclic_inputs_hold() {
    replay("cyclic", 5, cyclic::run);
}

#[test]
fn header_inputs_hold() {
    replay("header", 5, header::run);
}

#[test]
fn isotp_inputs_hold() {
    replay("isotp", 40, isotp::run);
}

#[test]
fn uds_inputs_hold() {
    replay("uds", 40, uds::run);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn arbitrary_bytes_hold(data in prop::collection::vec(any::<u8>(), 0..300)) {
        cyclic::run(&data[..data.len().min(16)]);
        header::run(&data);
        isotp::run(&data);
        uds::run(&data);
    }
}
