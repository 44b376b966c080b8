//! `cooltwin shrink`: a run that passed is nothing to shrink, and what comes out of one that failed fails.

mod common;

use std::fs;

use common::{code, copy_data, folder, output, shipped, stderr, stdout, text};

const FAIL: Option<i32> = Some(1);
const NOTHING: Option<i32> = Some(4);

#[test]
fn a_run_that_passed_with_a_dead_pump_as_stated_is_refused() {
    let place = folder("shrink-passed");
    let scenario = shipped("dead-pump.ron").display().to_string();
    let run = output(&place, &["run", &scenario, "--quiet", "--out", "result"]);
    assert_eq!(code(&run), Some(0), "{}{}", stdout(&run), stderr(&run));
    // One exit code, whatever it is that did not fail.
    for named in ["result", "result/result.json", &scenario] {
        let shrunk = output(&place, &["shrink", named]);
        assert_eq!(code(&shrunk), NOTHING, "{named}: {}", stdout(&shrunk));
        assert_eq!(stderr(&shrunk), "error: dead-pump: this run passed, nothing to shrink\n", "{named}");
    }
    assert!(!place.join("dead-pump-shrunk.ron").exists());
}

#[test]
fn what_is_left_of_a_failed_run_fails() {
    let place = folder("shrink-failed");
    copy_data(&place, &["small.ron"]);
    let scenario = "(extends: \"small.ron\", time_limit: \"77s\", expectations: [Outcome(is: Dead)])";
    fs::write(place.join("fails.ron"), scenario).expect("a scenario");
    assert_eq!(code(&output(&place, &["run", "fails.ron", "--out", "result"])), FAIL);
    for named in ["result", "fails.ron"] {
        let shrunk = output(&place, &["shrink", named, "--runs", "12", "--out", "less.ron"]);
        assert_eq!(code(&shrunk), Some(0), "{}", stderr(&shrunk));
        let less = text(&place.join("less.ron"));
        assert!(less.contains("time_limit: \"77s\"") && !less.contains("VersionAfter"), "the limit stays:\n{less}");
        assert_eq!(code(&output(&place, &["run", "less.ron", "--out", "again"])), FAIL);
        fs::remove_dir_all(place.join("again")).expect("a folder");
    }
}

#[test]
fn what_is_left_of_a_safety_unit_finds_its_configuration_wherever_it_is_written() {
    let place = folder("shrink-safety");
    fs::create_dir_all(place.join("plant/safety")).expect("a folder");
    for file in ["safety-unit.ron", "safety/pump-feed.ron"] {
        fs::copy(shipped(file), place.join("plant").join(file)).expect("a shipped file can be copied");
    }
    let text = "(extends: \"safety-unit.ron\", faults: [(
        kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"3123ms\"),
    )])";
    fs::write(place.join("plant/fails.ron"), text).expect("a scenario");
    assert_eq!(code(&output(&place, &["run", "plant/fails.ron", "--out", "result"])), FAIL);
    fs::create_dir_all(place.join("desk")).expect("a folder");
    for (named, file) in [("result", "less.ron"), ("plant/fails.ron", "desk/least.ron")] {
        let shrunk = output(&place, &["shrink", named, "--runs", "12", "--out", file]);
        assert_eq!(code(&shrunk), Some(0), "{}", stderr(&shrunk));
        let told = format!("\ncooltwin run {file}\n");
        assert!(stdout(&shrunk).contains(&told), "{}", stdout(&shrunk));
    }
    // Nothing of what they were made from is needed any more.
    fs::remove_dir_all(place.join("plant")).expect("a folder");
    fs::remove_dir_all(place.join("result")).expect("a folder");
    for file in ["less.ron", "desk/least.ron"] {
        let run = output(&place, &["run", file, "--out", "again"]);
        assert_eq!(code(&run), FAIL, "{file}: {}", stderr(&run));
        assert!(stdout(&run).contains("healthy_units_do_not_trip"), "{file}: {}", stdout(&run));
        fs::remove_dir_all(place.join("again")).expect("a folder");
    }
}

#[test]
fn the_smaller_scenario_has_a_name_of_its_own_and_spares_the_result_that_it_came_from() {
    let place = folder("shrink-name");
    copy_data(&place, &["small.ron"]);
    let scenario =
        "(extends: \"small.ron\", name: \"fails\", title: \"All are dead\", expectations: [Outcome(is: Dead)])";
    fs::write(place.join("fails.ron"), scenario).expect("a scenario");
    assert_eq!(code(&output(&place, &["run", "fails.ron"])), FAIL);
    let result = text(&place.join("cooltwin-out/fails/1/result.json"));
    for (more, file, name) in [
        (&[][..], "fails-shrunk.ron", "fails-shrunk"),
        (&["--out", "less/fails.ron"], "less/fails.ron", "fails-shrunk"),
        (&["--out", "less/least.ron"], "less/least.ron", "least"),
    ] {
        let shrunk = output(&place, &[&["shrink", "cooltwin-out/fails/1", "--runs", "12"], more].concat());
        assert_eq!(code(&shrunk), Some(0), "{}", stderr(&shrunk));
        let told = text(&place.join(file));
        assert!(told.contains("title: \"What is left of: All are dead\""), "{told}");
        assert!(told.contains("The smallest scenario found that fails as fails does: "), "{told}");
        assert_eq!(code(&output(&place, &["run", file])), FAIL);
        assert!(place.join("cooltwin-out").join(name).join("1/result.json").is_file(), "{file}");
    }
    assert_eq!(text(&place.join("cooltwin-out/fails/1/result.json")), result, "it was not replaced");
}
