//! `cooltwin check` and `baseline` as a CI meets them: exit codes, what is named, and which files are written.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{code, cooltwin, copy_data, entries, folder, output, stderr, stdout, text};
use cooltwin::regression::name_list;

/// Documented in `cli/exit.rs`; written out here, since scripts rely on the numbers.
const PASS: Option<i32> = Some(0);
const FAIL: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const INVALID: Option<i32> = Some(3);
const NOTHING: Option<i32> = Some(4);
const INCONCLUSIVE: Option<i32> = Some(5);
const WORSE: Option<i32> = Some(7);
const RETRIES: Option<i32> = Some(8);

/// A folder with `scenarios/`, in it `small` and `faulty`.
fn place(name: &str) -> PathBuf {
    let place = folder(&format!("check-{name}"));
    fs::create_dir(place.join("scenarios")).expect("a folder");
    copy_data(&place.join("scenarios"), &["small.ron", "faulty.ron"]);
    place
}

fn write(place: &Path, name: &str, text: &str) {
    fs::write(place.join("scenarios").join(name), text).expect("a scenario");
}

fn update(place: &Path) {
    let ended = output(place, &["baseline", "update"]);
    assert_eq!(code(&ended), PASS, "{}{}", stdout(&ended), stderr(&ended));
}

/// Runs with the gates on margins closed.
fn gated(place: &Path) -> Output {
    output(place, &["check", "--fail-on-regression", "--junit", "junit.xml", "--summary", "summary.md"])
}

#[test]
fn quiet_prints_the_last_line_alone() {
    let place = place("quiet");
    let whole = output(&place, &["check"]);
    let quiet = output(&place, &["check", "-q"]);
    assert_eq!((code(&quiet), stderr(&quiet)), (code(&whole), ""));
    assert_eq!(stdout(&quiet).lines().count(), 1);
    assert!(stdout(&whole).ends_with(stdout(&quiet)) && stdout(&quiet).starts_with("PASS  2 scenarios"));
    let not_compared =
        "Baseline  none at reports/baselines/scenarios.txt, and --baseline names none: margins were not compared\n";
    assert!(stdout(&whole).contains(not_compared), "{}", stdout(&whole));
    update(&place);
    assert!(!stdout(&output(&place, &["check"])).contains("not compared"), "with a baseline they were");
}

#[test]
fn every_byte_is_the_same_on_any_number_of_threads() {
    let place = place("jobs");
    write(&place, "fails.ron", "(extends: \"small.ron\", expectations: [Outcome(is: Dead)])");
    update_without("fails.ron", &place);
    let all = |jobs: &str| {
        let ended = output(&place, &["check", "--jobs", jobs, "--junit", "junit.xml", "--summary", "summary.md"]);
        let files = ["junit.xml", "summary.md"].map(|file| text(&place.join(file)));
        (code(&ended), stdout(&ended).to_owned(), stderr(&ended).to_owned(), files)
    };
    let one = all("1");
    assert_eq!(one.0, FAIL);
    assert_eq!(one.2, "fails: FAIL\nfaulty: pass, 3 retries\nsmall: pass\n");
    for jobs in ["2", "3", "7"] {
        assert!(all(jobs) == one, "{jobs} threads");
    }
}

fn update_without(name: &str, place: &Path) {
    let path = place.join("scenarios").join(name);
    let held = text(&path);
    fs::remove_file(&path).expect("a scenario");
    update(place);
    fs::write(path, held).expect("a scenario");
}

#[test]
fn a_slower_flash_inside_its_budget_breaks_the_margin_gate_by_name() {
    let place = place("slower");
    update(&place);
    assert_eq!(code(&gated(&place)), PASS);
    // Four erases of 1 s, now 2 s: far inside the 70 s of the budget, and more than the 0.7 s that a margin may lose.
    write(
        &place,
        "small.ron",
        &text(&common::data("small.ron")).replace("pumps:", "flash: (slow_factor: \"2x\"), pumps:"),
    );
    let ended = gated(&place);
    assert_eq!(code(&ended), WORSE, "{}", stdout(&ended));
    let told = stdout(&ended);
    let line = told.lines().find(|line| line.trim_start().starts_with("WORSE") && line.contains("small"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("pump-update") && line.contains("tolerance 700 ms"), "{line}");
    assert!(told.contains("scenario changed, trace differs in bus, "), "{told}");
    assert!(told.lines().last().is_some_and(|line| line.starts_with("WORSE THAN THE BASELINE")), "{told}");
    assert!(
        text(&place.join("summary.md")).contains("**fail** small, margin of pump-update keeps to the baseline: worse")
    );
    assert!(text(&place.join("junit.xml")).contains("<failure"));
    // Without the gate it is told all the same, and the budgets alone decide.
    let open = output(&place, &["check", "--junit", "junit.xml"]);
    assert_eq!(code(&open), PASS);
    assert!(stdout(&open).contains("WORSE"));
    assert!(!text(&place.join("junit.xml")).contains("<failure"));
}

#[test]
fn a_budget_that_is_gone_breaks_the_margin_gate_by_name() {
    let place = place("gone");
    update(&place);
    let without = "budgets: [
        (id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"70s\"),
        (id: \"back-to-automatic\", measure: BackToAutomatic, relation: Below, limit: \"60s\"),
    ], pumps:";
    write(&place, "small.ron", &text(&common::data("small.ron")).replace("pumps:", without));
    let ended = gated(&place);
    assert_eq!(code(&ended), WORSE, "{}", stdout(&ended));
    let told = stdout(&ended);
    let missing: Vec<&str> = told.lines().filter(|line| line.trim_start().starts_with("MISSING")).collect();
    assert_eq!(missing.len(), 2, "that of both scenarios: {told}");
    assert!(missing.iter().all(|line| line.contains("campaign")), "{told}");
}

#[test]
fn a_scenario_that_is_gone_breaks_the_margin_gate_and_a_new_one_is_named() {
    let place = place("lost");
    update(&place);
    fs::rename(place.join("scenarios/faulty.ron"), place.join("scenarios/other.ron")).expect("another name");
    let ended = gated(&place);
    assert_eq!(code(&ended), WORSE);
    assert!(stdout(&ended).contains("IN THE BASELINE, NOT RUN  faulty\n"), "{}", stdout(&ended));
    assert!(stdout(&ended).contains("not in the baseline  other\n"), "{}", stdout(&ended));
    // To tag it as long does not take it out of the gate either.
    fs::rename(place.join("scenarios/other.ron"), place.join("scenarios/faulty.ron")).expect("its name");
    let tagged = text(&common::data("faulty.ron")).replace("title:", "tags: [\"long\"], title:");
    write(&place, "faulty.ron", &tagged);
    let ended = gated(&place);
    assert_eq!(code(&ended), WORSE);
    assert!(stdout(&ended).contains("Not run   1 skipped, tagged long: faulty\n"), "{}", stdout(&ended));
}

#[test]
fn files_named_one_by_one_are_held_against_their_own_lines_only() {
    let place = place("named");
    update(&place);
    let named = |file: &str| output(&place, &["check", file, "--fail-on-regression", "--junit", "junit.xml"]);
    let ended = named("scenarios/small.ron");
    assert_eq!(code(&ended), PASS, "{}", stdout(&ended));
    assert!(stdout(&ended).contains("not run  1 further scenario of the baseline\n"), "{}", stdout(&ended));
    assert!(!text(&place.join("junit.xml")).contains("<failure"), "{}", text(&place.join("junit.xml")));
    assert_eq!(code(&output(&place, &["check", "scenarios", "--fail-on-regression"])), PASS);
    // Their own lines still count, to the last of them.
    let slower = text(&common::data("small.ron")).replace("pumps:", "flash: (slow_factor: \"2x\"), pumps:");
    write(&place, "small.ron", &slower);
    assert_eq!(code(&named("scenarios/small.ron")), WORSE);
    write(&place, "small.ron", &text(&common::data("small.ron")));
    assert_eq!(code(&named("scenarios/faulty.ron")), PASS);
    let file = place.join("reports/baselines/scenarios.txt");
    fs::write(&file, text(&file).replace("[margins]\n", "[margins]\nsmall gone 1 ms\n")).expect("a file");
    let ended = named("scenarios/small.ron");
    assert_eq!(code(&ended), WORSE, "{}{}", stdout(&ended), stderr(&ended));
    // A folder stands for all of the baseline.
    fs::remove_file(place.join("scenarios/faulty.ron")).expect("a scenario");
    assert_eq!(code(&output(&place, &["check", "scenarios", "--fail-on-regression"])), WORSE);
}

#[test]
fn a_list_of_names_longer_than_a_line_ends_with_a_count() {
    let names: Vec<String> = (100..230).map(|number| format!("scenario-{number}")).collect();
    assert_eq!(name_list(&names[..2]), "scenario-100, scenario-101");
    let list = name_list(&names);
    assert!(list.ends_with("scenario-105 and 124 more") && list.len() <= 110, "{list}");
    assert_eq!(name_list(&["x".repeat(200), "y".to_owned()]), format!("{} and 1 more", "x".repeat(200)));
}

#[test]
fn verdicts_decide_before_margins_and_margins_before_retries() {
    let place = place("order");
    update(&place);
    let ends = |arguments: &[&str]| code(&output(&place, &[&["check"], arguments].concat()));
    assert_eq!(ends(&[]), PASS);
    assert_eq!(ends(&["--fail-on-retry"]), RETRIES);
    assert_eq!(ends(&["scenarios/small.ron", "--fail-on-retry"]), PASS);
    assert_eq!(ends(&["scenarios/faulty.ron", "--fail-on-retry", "--fail-on-regression"]), RETRIES);
    write(&place, "open.ron", "(extends: \"small.ron\", user: (consent: Refuse(after: \"1s\")), expectations: [])");
    assert_eq!(ends(&["--fail-on-retry"]), INCONCLUSIVE);
    fs::remove_file(place.join("scenarios/faulty.ron")).expect("a scenario");
    assert_eq!(ends(&["--fail-on-regression"]), WORSE);
    write(&place, "fails.ron", "(extends: \"small.ron\", expectations: [Outcome(is: Dead)])");
    assert_eq!(ends(&["--fail-on-regression", "--fail-on-retry"]), FAIL);
    let told = output(&place, &["check"]);
    assert!(stdout(&told).contains("cooltwin run scenarios/fails.ron --seed 1"), "{}", stdout(&told));
    assert!(stdout(&told).contains("; see fails, open\n"), "{}", stdout(&told));
}

#[test]
fn a_run_without_a_pass_that_is_stated_is_no_pass_and_no_failure() {
    let place = place("stated");
    let stated = "user: (consent: Refuse(after: \"1s\")), expectations: [Verdict(Inconclusive)]";
    write(&place, "open.ron", &format!("(extends: \"small.ron\", {stated})"));
    let ended = output(&place, &["check", "scenarios/open.ron"]);
    assert_eq!(code(&ended), PASS, "{}", stdout(&ended));
    assert!(stdout(&ended).contains("INCONCLUSIVE, as stated"), "{}", stdout(&ended));
    assert!(
        stdout(&ended).ends_with("1 scenario, each run twice: 1 without a pass, as stated\n"),
        "{}",
        stdout(&ended)
    );
}

#[test]
fn long_ones_and_bases_are_left_out_by_name_unless_they_are_named() {
    let place = place("left-out");
    fs::remove_file(place.join("scenarios/faulty.ron")).expect("a scenario");
    write(&place, "base.ron", "(title: \"Base\", pumps: (count: 1), package: (image: (length: \"32KiB\")))");
    write(&place, "long.ron", "(extends: \"base.ron\", tags: [\"long\"], expectations: [Outcome(is: Updated)])");
    let ended = output(&place, &["check"]);
    assert_eq!((code(&ended), stderr(&ended)), (PASS, "small: pass\n"));
    let told = stdout(&ended);
    assert!(told.contains("Not run   1 skipped, tagged long: long\nNot run   1 only extended: base\n"), "{told}");
    for dots in ["./scenarios", "scenarios/../scenarios"] {
        assert_eq!(stderr(&output(&place, &["check", dots])), "small: pass\n");
    }
    let named = output(&place, &["check", "scenarios", "scenarios/long.ron", "scenarios/base.ron"]);
    assert_eq!((code(&named), stderr(&named)), (PASS, "base: pass\nlong: pass\nsmall: pass\n"));
}

#[test]
fn without_a_scenario_to_run_there_is_nothing_to_pass() {
    let place = folder("check-nothing");
    let ends = |arguments: &[&str]| code(&output(&place, arguments));
    assert_eq!(ends(&["check"]), USAGE, "there is no folder `scenarios`");
    fs::create_dir(place.join("scenarios")).expect("a folder");
    assert_eq!(ends(&["check"]), NOTHING);
    assert_eq!(ends(&["baseline", "update"]), NOTHING);
    write(&place, "long.ron", "(tags: [\"long\"])");
    let ended = output(&place, &["check"]);
    assert_eq!(code(&ended), NOTHING);
    assert!(stderr(&ended).contains("Not run   1 skipped, tagged long: long\n"), "{}", stderr(&ended));
    assert_eq!(entries(&place), ["scenarios"]);
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_runs() {
    let place = place("refused");
    let refused = |arguments: &[&str], ends: Option<i32>, says: &str| {
        let ended = output(&place, &[&["check"], arguments].concat());
        assert_eq!((code(&ended), stdout(&ended)), (ends, ""), "{arguments:?}");
        assert!(stderr(&ended).contains(says), "{arguments:?}: {}", stderr(&ended));
    };
    refused(&["--fail-on-regression"], USAGE, "cannot read the baseline reports/baselines/scenarios.txt");
    refused(&["--baseline", "no-such-file"], USAGE, "cannot read the baseline no-such-file");
    fs::write(place.join("bad.txt"), "# cooltwin.baseline/1\n[margins]\nsmall pump-update\n").expect("a file");
    refused(&["--baseline", "bad.txt"], INVALID, "bad.txt is no baseline: line 3: ");
    let misspelt = "# cooltwin.baseline/1\n[tolerances]\npump-updte 500 ms\n[margins]\nsmall pump-update 1 ms\n";
    fs::write(place.join("misspelt.txt"), misspelt).expect("a file");
    refused(&["--baseline", "misspelt.txt"], INVALID, "no budget in it has that name; did you mean `pump-update`?");
    refused(&["--jobs", "0"], USAGE, "--jobs");
    fs::create_dir(place.join("more")).expect("a folder");
    copy_data(&place.join("more"), &["small.ron"]);
    refused(&["scenarios", "more"], USAGE, "two scenarios are named small");
    write(&place, "wrong.ron", "(pumps: (count: 99))");
    refused(&[], INVALID, "wrong.ron:1");
}

#[test]
fn a_file_that_cannot_be_written_outweighs_a_pass() {
    let place = place("unwritable");
    fs::write(place.join("file"), "").expect("a file");
    for option in ["--junit", "--summary"] {
        let ended = output(&place, &["check", "scenarios/small.ron", option, "file/below"]);
        assert_eq!(code(&ended), USAGE);
        assert!(stderr(&ended).contains("error: cannot write file/below"), "{}", stderr(&ended));
    }
}

#[test]
fn the_summary_goes_to_the_page_of_the_job_once() {
    let place = place("page");
    let page = place.join("page.md");
    fs::write(&page, "before\n").expect("a file");
    let run = |arguments: &[&str]| {
        let all = [&["check", "scenarios/small.ron"], arguments].concat();
        let ended = cooltwin(&place, &all).env("GITHUB_STEP_SUMMARY", &page).output().expect("it starts");
        assert_eq!(code(&ended), PASS, "{}", stderr(&ended));
    };
    run(&["--summary", "summary.md"]);
    let summary = text(&place.join("summary.md"));
    assert!(summary.starts_with("# PASS  1 scenario, each run twice: 1 pass\n"), "{summary}");
    assert_eq!(text(&page), format!("before\n{summary}"));
    run(&["--summary", &page.display().to_string()]);
    assert_eq!(text(&page), format!("before\n{summary}{summary}"));
}

#[test]
fn a_baseline_is_written_whole_and_keeps_what_was_edited_by_hand() {
    let place = place("update");
    let file = place.join("reports/baselines/scenarios.txt");
    update(&place);
    let first = text(&file);
    assert_eq!(entries(&place.join("reports/baselines")), ["scenarios.txt"]);
    fs::write(&file, first.replace("[tolerances]\n", "[tolerances]\n# why\npump-update 9.5 ms\n* 20000 ms\n"))
        .expect("a file");
    update(&place);
    let kept = first.replace("[tolerances]\n", "[tolerances]\n* 20000 ms\npump-update 9.5 ms\n");
    assert_eq!(text(&file), kept);
    // Picked by hand, one scenario is renewed and the other stays.
    write(
        &place,
        "small.ron",
        &text(&common::data("small.ron")).replace("pumps:", "flash: (slow_factor: \"2x\"), pumps:"),
    );
    let ended = output(&place, &["baseline", "update", "scenarios/small.ron"]);
    assert_eq!(code(&ended), PASS);
    assert!(stdout(&ended).contains("WORSE             small  pump-update "), "{}", stdout(&ended));
    assert!(!stdout(&ended).contains("NOT RUN"), "{}", stdout(&ended));
    let line = |text: &str, of: &str| text.lines().find(|line| line.starts_with(of)).map(str::to_owned);
    assert_ne!(line(&text(&file), "small pump-update "), line(&kept, "small pump-update "));
    assert_eq!(line(&text(&file), "faulty pump-update "), line(&kept, "faulty pump-update "));
    // Of a whole folder, what is no longer there goes, and that is said.
    fs::remove_file(place.join("scenarios/faulty.ron")).expect("a scenario");
    let ended = output(&place, &["baseline", "update"]);
    assert!(stdout(&ended).contains("IN THE BASELINE, NOT RUN  faulty\n"), "{}", stdout(&ended));
    assert!(!text(&file).contains("faulty"));
    let shown = output(&place, &["baseline", "show"]);
    assert_eq!(code(&shown), PASS);
    assert!(stdout(&shown).contains("small     pump-update "), "{}", stdout(&shown));
    assert!(stdout(&shown).contains("9.5 ms\n"), "{}", stdout(&shown));
}

#[test]
fn no_baseline_is_made_of_a_run_that_does_not_stand_well() {
    let place = place("bad-update");
    update(&place);
    let file = place.join("reports/baselines/scenarios.txt");
    let before = text(&file);
    for (more, ends) in [
        ("expectations: [Outcome(is: Dead)]", FAIL),
        ("user: (consent: Refuse(after: \"1s\")), expectations: []", INCONCLUSIVE),
    ] {
        write(&place, "more.ron", &format!("(extends: \"small.ron\", {more})"));
        let ended = output(&place, &["baseline", "update"]);
        assert_eq!(code(&ended), ends);
        assert!(stdout(&ended).ends_with("Nothing was written: a baseline is made of runs that stand well.\n"));
        assert_eq!(text(&file), before);
    }
}

/// The workflow that is shipped for others to copy runs here as it stands there.
#[test]
fn the_shipped_workflow_runs_and_writes_what_it_keeps() {
    let workflow = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/ci/cooltwin.yml"));
    let (_, step) = workflow.split_once("target/release/cooltwin ").expect("the step");
    let (command, rest) = step.split_once("\n\n").expect("its end");
    assert!(rest.contains("path: check-out/\n"), "{rest}");
    let arguments: Vec<&str> = command.split_whitespace().collect();
    assert!(arguments.contains(&"--fail-on-regression"), "{command}");
    let place = place("workflow");
    update(&place);
    let ended = output(&place, &arguments);
    assert_eq!(code(&ended), PASS, "{}{}", stdout(&ended), stderr(&ended));
    assert_eq!(entries(&place.join("check-out")), ["junit.xml", "summary.md"]);
}

#[test]
fn scenarios_stand_in_the_order_of_their_names_and_commands_have_their_paths() {
    let place = place("order");
    for name in ["small-once.ron", "small.ron"] {
        fs::copy(common::data("small.ron"), place.join("scenarios").join(name)).expect("a scenario");
    }
    fs::remove_file(place.join("scenarios/faulty.ron")).expect("a scenario");
    let ended = output(&place, &["check", "scenarios", "--junit", "all.xml"]);
    assert_eq!(stderr(&ended), "small: pass\nsmall-once: pass\n");
    let cases = text(&place.join("all.xml"));
    assert!(cases.contains("cooltwin run scenarios/small-once.ron --seed 1"), "{cases}");
}
