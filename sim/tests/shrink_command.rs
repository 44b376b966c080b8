//! `cooltwin shrink`: a run that passed is nothing to shrink, and what comes out of one that failed fails.

mod common;

use std::fs;

use common::{code, copy_data, folder, output, shipped, stderr, stdout};

const FAIL: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);

#[test]
fn a_run_that_passed_with_a_dead_pump_as_stated_is_refused() {
    let place = folder("shrink-passed");
    let scenario = shipped("dead-pump.ron").display().to_string();
    let run = output(&place, &["run", &scenario, "--quiet", "--out", "result"]);
    assert_eq!(code(&run), Some(0), "{}{}", stdout(&run), stderr(&run));
    let shrunk = output(&place, &["shrink", "result"]);
    assert_eq!(code(&shrunk), USAGE, "{}", stdout(&shrunk));
    assert_eq!(stderr(&shrunk), "error: dead-pump: this run passed, nothing to shrink\n");
    assert!(!place.join("dead-pump-shrunk.ron").exists());
}

#[test]
fn what_is_left_of_a_failed_run_fails() {
    let place = folder("shrink-failed");
    copy_data(&place, &["small.ron"]);
    let text = "(extends: \"small.ron\", expectations: [Outcome(is: Dead)])";
    fs::write(place.join("fails.ron"), text).expect("a scenario");
    assert_eq!(code(&output(&place, &["run", "fails.ron", "--out", "result"])), FAIL);
    for named in ["result", "fails.ron"] {
        let shrunk = output(&place, &["shrink", named, "--runs", "12", "--out", "less.ron"]);
        assert_eq!(code(&shrunk), Some(0), "{}", stderr(&shrunk));
        assert_eq!(code(&output(&place, &["run", "less.ron", "--out", "again"])), FAIL);
        fs::remove_dir_all(place.join("again")).expect("a folder");
    }
}
