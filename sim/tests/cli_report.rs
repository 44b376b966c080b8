//! `cooltwin report` as a user meets it: the same bytes as after the run, and no report from a damaged result.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{code, cooltwin, copy_data, entries, folder, output, stderr, stdout, text};

const PASS: Option<i32> = Some(0);
const FAIL: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const NOTHING: Option<i32> = Some(4);

/// A folder with the result of a run in `out`.
fn run(name: &str, set: &[&str]) -> PathBuf {
    let place = folder(name);
    copy_data(&place, &["small.ron", "faulty.ron"]);
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
    output(&place, &[&["run", "small.ron", "--out", "out", "-q"], &set[..]].concat());
    assert!(place.join("out/result.json").is_file());
    place
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_run_writes_every_format_beside_its_result() {
    let place = run("report-beside", &[]);
    let mut names = entries(&place.join("out"));
    names.retain(|name| name != ".cooltwin");
    names.sort();
    let wanted = ["budgets.csv", "events.jsonl", "figures", "junit.xml", "report.html", "result.json", "summary.md"];
    assert_eq!(names, wanted);
    assert!(entries(&place.join("out/figures")).contains(&"timeline.svg".to_owned()));
}

#[test]
fn a_result_renders_to_the_bytes_of_its_run_beside_it_and_elsewhere() {
    let place = run("report-again", &[]);
    let files = [
        "report.html",
        "figures/timeline.svg",
        "junit.xml",
        "summary.md",
        "budgets.csv",
        "result.json",
        "events.jsonl",
    ];
    let before: Vec<Vec<u8>> = files.iter().map(|file| bytes(&place.join("out").join(file))).collect();
    for file in &files[..5] {
        fs::remove_file(place.join("out").join(file)).expect("a file that was written");
    }
    assert_eq!(code(&output(&place, &["report", "out"])), PASS);
    assert_eq!(code(&output(&place, &["report", "out/result.json", "--out", "elsewhere"])), PASS);
    for folder in ["out", "elsewhere"] {
        let after: Vec<Vec<u8>> = files.iter().map(|file| bytes(&place.join(folder).join(file))).collect();
        assert!(before == after, "{folder}");
    }
}

#[test]
fn the_formats_asked_for_are_written_and_no_others() {
    let place = run("report-formats", &[]);
    assert_eq!(code(&output(&place, &["report", "out", "--out", "some", "--format", "md,csv"])), PASS);
    let mut names = entries(&place.join("some"));
    names.sort();
    assert_eq!(names, [".cooltwin", "budgets.csv", "events.jsonl", "result.json", "summary.md"]);
    assert_eq!(code(&output(&place, &["report", "out", "--format", "pdf"])), USAGE);
}

#[test]
fn several_results_share_a_summary_and_the_gravest_verdict_is_the_exit_code() {
    let place = run("report-several", &[]);
    let set = ["--set", "expectations=[Outcome(is: Dead)]", "--seed", "2", "-q", "--out", "bad"];
    assert_eq!(code(&output(&place, &[&["run", "small.ron"], &set[..]].concat())), FAIL);
    let done = output(&place, &["report", "out", "bad", "--out", "all"]);
    assert_eq!(code(&done), FAIL);
    assert!(stdout(&done).starts_with("PASS  ") && stdout(&done).contains("\nFAIL  "), "{}", stdout(&done));
    let summary = text(&place.join("all/summary.md"));
    assert!(summary.starts_with("## cooltwin: FAIL, 1 of 2 runs did not pass\n"), "{summary}");
    assert_eq!(text(&place.join("all/junit.xml")).matches("<testsuite ").count(), 2);
    assert_eq!(code(&output(&place, &["report", "all", "--out", "again"])), FAIL);
    let twice = output(&place, &["report", "out", "out", "--out", "twice"]);
    assert_eq!(code(&twice), USAGE);
    assert!(!place.join("twice").exists());
}

#[test]
fn a_damaged_result_is_refused_with_its_place_and_nothing_is_written() {
    let place = run("report-damaged", &["expectations=[Outcome(is: Dead)]"]);
    let good = text(&place.join("out/result.json"));
    let tampered = good.replacen("\"verdict\":\"fail\"", "\"verdict\":\"pass\"", 1);
    assert_ne!(tampered, good);
    let cases = [
        (tampered, "a damaged result: verdict: it is pass but the rows make it fail"),
        (good[..500].to_owned(), "bad/result.json:1:500: not a result of this version: EOF"),
        (
            good.replace("result/1", "result/9"),
            "bad/result.json:1:1: its schema is `cooltwin.result/9`; this version reads",
        ),
        (good.replacen("\"bus\":", "\"buzz\":", 1), "unknown field `buzz`"),
        (
            good.replacen(",\"margin\":", ",\"margin\":1", 1),
            "a damaged result: budgets[0] (pump-update): the margin is not",
        ),
        (String::new(), "bad/result.json:1:1: there is no result in it"),
    ];
    for (text, why) in &cases {
        fs::create_dir_all(place.join("bad")).expect("a folder");
        fs::write(place.join("bad/result.json"), text).expect("a damaged result");
        let done = output(&place, &["report", "bad/result.json", "--out", "from-bad"]);
        assert_eq!(code(&done), USAGE, "{why}");
        assert!(stderr(&done).contains(why), "{why} is not in {}", stderr(&done));
        assert!(!place.join("from-bad").exists(), "{why}");
    }
}

#[test]
fn another_log_is_refused_and_a_missing_one_is_told_on_the_page() {
    let place = run("report-log", &[]);
    let log = place.join("out/events.jsonl");
    let events = text(&log);
    fs::write(&log, events.replacen("power-good", "power-bad", 1)).expect("another log");
    let done = output(&place, &["report", "out"]);
    assert_eq!(code(&done), USAGE);
    assert!(stderr(&done).contains("events.jsonl: not the log of this result"), "{}", stderr(&done));
    fs::remove_file(&log).expect("the log");
    assert_eq!(code(&output(&place, &["report", "out"])), PASS);
    assert!(text(&place.join("out/report.html")).contains("The log was not at hand"));
}

#[test]
fn a_folder_that_is_not_ours_is_spared() {
    let place = run("report-foreign", &[]);
    fs::create_dir_all(place.join("mine")).expect("a folder");
    fs::write(place.join("mine/report.html"), "mine").expect("a file");
    fs::copy(place.join("out/result.json"), place.join("mine/result.json")).expect("a copy");
    for arguments in [&["report", "mine"][..], &["report", "out", "--out", "mine"]] {
        assert_eq!(code(&output(&place, arguments)), USAGE);
        assert_eq!(text(&place.join("mine/report.html")), "mine");
    }
}

#[test]
fn a_damaged_result_of_the_present_folder_is_told_as_such_and_a_good_one_by_the_name_of_the_folder() {
    let place = run("report-bare", &[]);
    let result = text(&place.join("out/result.json"));
    let damages = [
        ("bad.json", result.replacen("count: 3", "count: 2", 1), "its scenario does not have its SHA-256"),
        ("half.json", result[..result.len() / 2].to_owned(), "half.json:1:"),
        ("good.json", result.clone(), "error: . is not a folder of one result of cooltwin, so the files are not"),
    ];
    for (name, damaged, wanted) in damages {
        fs::write(place.join(name), damaged).expect("a file");
        let done = output(&place, &["report", name]);
        assert_eq!((code(&done), stdout(&done)), (USAGE, ""));
        assert!(stderr(&done).contains(wanted), "{}", stderr(&done));
    }
    fs::write(place.join("events.jsonl"), "another log\n").expect("a log");
    let done = output(&place, &["report", "good.json"]);
    assert!(stderr(&done).contains("events.jsonl: not the log of this result"), "{}", stderr(&done));
}

#[test]
fn what_is_not_there_is_said() {
    let place = folder("report-nothing");
    fs::create_dir_all(place.join("empty")).expect("a folder");
    assert_eq!(code(&output(&place, &["report"])), NOTHING);
    assert_eq!(code(&output(&place, &["report", "empty"])), NOTHING);
    assert_eq!(code(&output(&place, &["report", "no-such-file.json"])), USAGE);
}

#[test]
fn the_summary_is_appended_to_the_page_of_the_job() {
    let place = run("report-job", &[]);
    let page = place.join("job.md");
    fs::write(&page, "before\n").expect("a page");
    let mut command = cooltwin(&place, &["report", "out", "--format", "md"]);
    let done = command.env("GITHUB_STEP_SUMMARY", &page).output().expect("the program starts");
    assert_eq!(code(&done), PASS);
    assert!(text(&page).starts_with("before\n## cooltwin: PASS, 1 run\n"), "{}", text(&page));
}

#[test]
fn a_run_is_on_the_page_of_the_job_once() {
    let place = run("run-job", &[]);
    let page = place.join("job.md");
    let scenario = common::shipped("nominal-11.ron");
    let scenario = scenario.to_str().expect("a path");
    let mut command = cooltwin(&place, &["run", scenario, "--out", "once"]);
    let done = command.env("GITHUB_STEP_SUMMARY", &page).output().expect("the program starts");
    assert_eq!(code(&done), PASS);
    assert!(text(&page).starts_with("## cooltwin: PASS, 1 run\n"), "{}", text(&page));
    assert_eq!(text(&page).matches("## cooltwin").count(), 1);
}
