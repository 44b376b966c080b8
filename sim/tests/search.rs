//! `cooltwin search`: finds a worst case that is known by hand, fails beyond the bound, and repeats what it found.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{code, folder, json, output, shipped, stderr, stdout, text};
use cooltwin::cli::Disk;
use cooltwin::search::{load_search, run};
use reports::Verdict;

const TINY: &str = "tiny.ron";

fn place(name: &str) -> PathBuf {
    let place = folder(name);
    for file in [TINY, "tiny-base.ron"] {
        fs::copy(common::data("searches").join(file), place.join(file)).expect("test data can be copied");
    }
    place
}

fn change(place: &Path, file: &str, from: &str, to: &str) {
    let before = text(&place.join(file));
    let after = before.replace(from, to);
    assert_ne!(before, after, "{from} stands there");
    fs::write(place.join(file), after).expect("a written file");
}

/// Runs the search into `out`; its report and exit code.
fn searched(place: &Path, out: &str, more: &[&str]) -> (serde_json::Value, Option<i32>) {
    let run = output(place, &[&["search", TINY, "--out", out, "--json"], more].concat());
    assert_eq!(stderr(&run), "");
    (json(stdout(&run)), code(&run))
}

/// An update is longest when erasing is slowest: four sectors of 1 s each, so each tenth of the factor is 0.4 s.
#[test]
fn the_slowest_erase_is_found_and_the_command_repeats_it() {
    let place = place("search-finds");
    let (report, code) = searched(&place, "out", &["--jobs", "1"]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("pass")), "{report}");
    let worst = &report["worst"];
    assert_eq!(worst["overrides"][0], "faults[0].kind=SlowErase(factor: \"3x\")", "{worst}");
    let command = worst["command"].as_str().expect("a command");
    // As a shell takes it.
    let command = command.replace("cooltwin run", "\"$0\" run --json --out ../again");
    let again = std::process::Command::new("sh")
        .current_dir(place.join("out"))
        .args(["-c", &command, env!("CARGO_BIN_EXE_cooltwin")])
        .output()
        .expect("a shell");
    let again = json(stdout(&again));
    let row = again["budgets"].as_array().expect("a list").iter().find(|row| row["id"] == "pump-update").expect("it");
    assert_eq!(row["measured"], worst["value"]);
    assert_eq!(again["fingerprint"]["all"], worst["fingerprint"]);
    let printed = output(&place, &["search", TINY, "--out", "printed"]);
    let printed = stdout(&printed);
    assert!(printed.contains("\n  cooltwin run printed/base.ron --set 'faults[0]"), "as it is typed here: {printed}");
    let found = worst["value"].as_f64().expect("a number") / 1000.0;
    assert!(printed.contains(&format!("\nWorst found   {found:.3} s of pump-update, ")), "{printed}");
    let line = printed.lines().find(|line| line.contains("ascent 1 ")).expect("an ascent");
    assert!(line.contains(" s -> ") && line.contains(" s at step "), "{line}");
    assert!(printed.ends_with("\nresults in printed\n"), "{printed}");
    // 20 factors and 2 places: ascents come to a point again.
    let different = report["different"].as_u64().expect("a count");
    assert!(different <= 40 && report["looked"] == 75, "{report}");
    assert!(printed.contains(&format!("\nRuns          75 of {different} different points in 3 ascents")), "{printed}");
    let alone = json(stdout(&output(&place, &["run", "out/worst.ron", "--json", "--out", "alone"])));
    assert_eq!(alone["fingerprint"]["all"], worst["fingerprint"], "the scenario that was written is the same");
    assert_eq!(text(&place.join("out/search.csv")).lines().count(), 1 + 3 * 25, "every run is kept");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let place = place("search-threads");
    for (jobs, out) in [("1", "one"), ("3", "three")] {
        assert_eq!(searched(&place, out, &["--jobs", jobs]).1, Some(0));
    }
    for file in ["report.html", "search.json", "search.txt", "search.csv", "search.ron", "base.ron", "worst.ron"] {
        assert_eq!(text(&place.join("one").join(file)), text(&place.join("three").join(file)), "{file}");
    }
}

#[test]
fn a_value_beyond_the_bound_fails_the_search() {
    let place = place("search-beyond");
    // Undisturbed it takes about 7 s, with 3x 15 s: 10 s is a wrong analysis.
    change(&place, TINY, "\"40s\"", "\"10s\"");
    let (report, code) = searched(&place, "out", &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(1), Some("fail")), "{report}");
    assert!(report["sentence"].as_str().expect("a text").starts_with("beyond the bound"), "{report}");
    assert!(report["worst"]["to_bound"].as_f64().expect("a number") < 0.0);
    let page = text(&place.join("out/search.txt"));
    assert!(page.contains("FAIL") && page.contains("by hand"), "{page}");
}

#[test]
fn the_least_value_is_sought_where_less_is_worse_and_bounded_from_below() {
    let place = place("search-least");
    change(&place, TINY, "budget: \"pump-update\",", "budget: \"pump-update\", seek: Least,");
    change(&place, TINY, "\"40s\"", "\"1s\"");
    let (report, code) = searched(&place, "out", &[]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["worst"]["overrides"][0], "faults[0].kind=SlowErase(factor: \"1.1x\")");
    change(&place, TINY, "\"1s\"", "\"30s\"");
    assert_eq!(searched(&place, "above", &[]).1, Some(1), "30 s is no lower bound of it");
}

#[test]
fn a_run_that_fails_on_the_way_or_measures_nothing_is_no_pass() {
    let place = place("search-fails");
    change(&place, "tiny-base.ron", "is: Updated", "is: Dead");
    let (report, code) = searched(&place, "out", &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(1), Some("fail")), "{report}");
    assert_eq!(report["failed"], 75);
    assert!(report["failures"][0]["rows"][0].as_str().expect("a row").contains("expectation"), "{report}");
    // Without a campaign there is no update to measure.
    let place = self::place("search-nothing");
    change(&place, "tiny-base.ron", "AfterCampaign(\"1s\")", "At(\"5s\")");
    change(&place, "tiny-base.ron", "expectations: [Outcome(pumps: Only([1]), is: Updated)],", "expectations: [],");
    let (report, code) = searched(&place, "out", &[]);
    assert!(code == Some(5) || code == Some(1), "{report}");
    assert!(report["worst"].is_null() && report["verdict"] != "pass", "{report}");
}

/// A frame of 8 bytes has at most 108 bits and 24 stuff bits, so bit 140 is in none of them: its hit never acts, and half
/// of the points have that bit.
#[test]
fn an_inconclusive_run_is_not_the_worst_that_was_found() {
    let place = place("search-inconclusive");
    let hit = "(id: \"hit\", kind: FrameHit(id: 0x701, nth: 2, bit: 20), place: Bus, trigger: At(\"1s\")),";
    change(&place, "tiny-base.ron", "faults: [", &format!("faults: [{hit}"));
    change(&place, TINY, "faults[0]", "faults[1]");
    change(&place, TINY, "faults[1].place={}", "faults[0].kind=FrameHit(id: 0x701, nth: 2, bit: {})");
    change(&place, TINY, "[\"Cioc\", \"Pump(1)\"]", "[\"20\", \"140\"]");
    // Both kinds of run: the slowest with a hit that acts is found, and the others are counted.
    let (report, code) = searched(&place, "both", &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("pass")), "{report}");
    let count = report["inconclusive"].as_u64().expect("a number");
    assert!((1..75).contains(&count), "{report}");
    let sentence = report["sentence"].as_str().expect("a text");
    assert!(sentence.ends_with(&format!("75 runs, {count} of them inconclusive")), "{sentence}");
    let reason = serde_json::json!([{ "what": "injection hit never acted", "runs": count }]);
    assert_eq!(report["undecided"], reason);
    let page = text(&place.join("both/search.txt"));
    assert!(page.contains(&format!("0 without a value, {count} inconclusive, 0 failed")), "{page}");
    let table = text(&place.join("both/search.csv"));
    assert_eq!(table.lines().filter(|line| line.contains(",inconclusive,")).count() as u64, count);
    let worst = &report["worst"]["overrides"];
    assert_eq!(worst[0], "faults[1].kind=SlowErase(factor: \"3x\")", "{worst}");
    assert_eq!(worst[1], "faults[0].kind=FrameHit(id: 0x701, nth: 2, bit: 20)", "{worst}");
    assert_eq!(self::code(&output(&place, &["run", "both/worst.ron", "--out", "again"])), Some(0));
    // None is conclusive: nothing was found, and what was measured is told as not proven.
    change(&place, TINY, "[\"20\", \"140\"]", "[\"139\", \"140\"]");
    let (report, code) = searched(&place, "none", &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(5), Some("inconclusive")), "{report}");
    assert!(report["worst"].is_null() && !report["worst_unproven"].is_null(), "{report}");
    assert!(report["ascents"].as_array().expect("a list").iter().all(|one| one["worst"].is_null()), "{report}");
    assert_eq!((&report["inconclusive"], &report["without_value"]), (&75.into(), &0.into()));
    assert!(!place.join("none/worst.ron").exists());
    let page = text(&place.join("none/search.txt"));
    assert!(page.contains("Not proven") && page.contains("INCONCLUSIVE"), "{page}");
    // What it measured is beyond a bound of 10 s all the same, and that is no matter of proof.
    change(&place, TINY, "\"40s\"", "\"10s\"");
    assert_eq!(searched(&place, "beyond", &[]).1, Some(1));
}

/// Pump 1 is exchanged and updated once more; pump 2 is unplugged meanwhile, and at some points it never comes back. What
/// was measured there is the first campaign's return, and the second one's may be worse.
#[test]
fn a_run_that_leaves_the_searched_budget_open_is_no_pass() {
    let place = place("search-open");
    change(&place, "tiny-base.ron", "AfterCampaign(\"1s\")", "At(\"80s\")");
    let user = "user: (consent: Agree(after: \"5s\"), manual_searches: [\"40s\"]),";
    change(&place, "tiny-base.ron", "faults: [", &format!("{user} faults: ["));
    let exchanged = "(kind: Exchanged(version: \"1.0.0\"), place: Pump(1), trigger: At(\"35s\"), duration: \"2s\")";
    let unplugged = "(kind: Unplugged, place: Pump(2), trigger: At(\"48s\"), duration: \"1s\")";
    change(&place, "tiny-base.ron", "(kind: ClockDrift", &format!("{exchanged}, {unplugged}, (kind: ClockDrift"));
    change(&place, "tiny-base.ron", "is: Updated)", "is: Updated), Outcome(pumps: Only([2]), is: UpToDate)");
    change(&place, TINY, "budget: \"pump-update\"", "budget: \"back-to-automatic\"");
    change(&place, TINY, "restarts: 3,\n    steps: 25,", "restarts: 2,\n    steps: 6,");
    change(&place, TINY, "faults[0].kind=SlowErase(factor: {})", "faults[2].duration={}");
    change(&place, TINY, "low: \"1.1x\", high: \"3x\", step: \"0.1x\"", "low: \"1s\", high: \"101s\", step: \"100s\"");
    change(&place, TINY, "faults[1].place={}", "faults[3].place={}");
    let (report, code) = searched(&place, "out", &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(5), Some("inconclusive")), "{report}");
    let open = report["left_open"].as_u64().expect("a number");
    assert!((1..12).contains(&open) && report["without_value"] == 0, "{report}");
    assert!(report["worst_unproven"].is_null(), "what it measured is no worse: {report}");
    assert!(text(&place.join("out/search.txt")).contains(&format!("In {open} runs the budget itself has no verdict")));
}

#[test]
fn what_is_wrong_with_a_search_file_is_told_with_its_place() {
    let place = place("search-wrong");
    let told = |from: &str, to: &str, words: &[&str]| {
        let original = text(&place.join(TINY));
        change(&place, TINY, from, to);
        let output = output(&place, &["search", TINY, "--out", "out", "--message-format", "short"]);
        assert_eq!(code(&output), Some(3), "{from} -> {to}: {}", stderr(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{from} -> {to}: {word} in {}", stderr(&output));
        }
        assert!(!place.join("out").exists());
        fs::write(place.join(TINY), original).expect("a written file");
    };
    told("budget: \"pump-update\"", "budget: \"pump-updat\"", &["tiny.ron:5:13", "did you mean `pump-update`?"]);
    told("\"tiny-base.ron\"", "\"gone.ron\"", &["tiny.ron:4:11", "cannot read the base"]);
    told("(factor: {})", "(factor: 2x)", &["tiny.ron:8", "one `{}` stands for the value"]);
    told("low: \"1.1x\"", "low: \"0.1x\"", &["tiny.ron:8", "--set faults[0].kind=SlowErase(factor: \"0.1x\")"]);
    told("step: \"0.1x\"", "step: \"0x\"", &["tiny.ron:8", "the step is no such value"]);
    told("\"Pump(1)\"", "\"Pump(7)\"", &["tiny.ron:9", "there is no pump 7"]);
    told("Stated(value: \"40s\", source: \"by hand\")", "ResponsePath", &["tiny.ron:6:12", "no safety unit"]);
    told("restarts: 3", "restart: 3", &["did you mean `restarts`?"]);
}

/// The bound of the safety unit is that of `cooltwin safety compile`: 3 ms and 5 ms of a combined input.
#[test]
fn the_shipped_searches_load_and_their_middle_lies_within_the_bound() {
    for (file, bound) in [("pump-update", "71449"), ("safety-reaction", "8")] {
        let path = shipped(&format!("searches/{file}.ron"));
        let search = load_search(&Disk, &path).unwrap_or_else(|error| panic!("{file}: {error:?}"));
        assert_eq!(search.bound.0.to_string(), bound, "{file}: {}", search.bound.1);
        let middle: Vec<u64> = search.sizes().iter().map(|size| size / 2).collect();
        let found = run::look(&search, &middle);
        assert!(found.value.is_some_and(|value| value <= search.bound.0), "{file}: {found:?}");
        assert_eq!(found.verdict, Some(Verdict::Pass), "{file}: {found:?}");
    }
}

/// What the shipped searches found once stands in the gallery; its scenarios still show the value.
#[test]
fn the_committed_worst_cases_are_repeated() {
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/gallery");
    let out = folder("search-committed");
    for file in ["pump-update", "safety-reaction"] {
        let found = gallery.join(format!("search-{file}"));
        let report = json(&text(&found.join("search.json")));
        let search = load_search(&Disk, &shipped(&format!("searches/{file}.ron"))).expect("a shipped search");
        let raw = &search.raw;
        let plan = [u64::from(raw.restarts), u64::from(raw.steps), raw.seed];
        assert_eq!(
            ["restarts", "steps", "seed"].map(|key| report[key].as_u64()),
            plan.map(Some),
            "{file}: run it again"
        );
        let worst = found.join("worst.ron");
        let again = json(stdout(&output(&out, &["run", worst.to_str().expect("a path"), "--json", "--out", file])));
        assert_eq!(again["verdict"], "pass", "{file}: what was found is no evidence: run the search again");
        let rows = again["budgets"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["id"] == report["budget"]).expect("the budget");
        assert_eq!(row["measured"], report["worst"]["value"], "{file}: run the search again");
    }
}
