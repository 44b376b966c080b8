//! `cooltwin sweep`: its report, its files, its exit codes, and that each strike can be run again by its scenario.

mod common;

use common::{code, cooltwin, folder, json, output, shipped, stderr, stdout, text};

const SHORT: [&str; 6] =
    ["--set", "package.image.length=1KiB", "--set", "protocol.block_len=512B", "--set", "end=AfterCampaign(\"1s\")"];

fn scenario() -> String {
    shipped("sweeps/small.ron").display().to_string()
}

fn arguments<'a>(kind: &'a str, scenario: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["sweep", kind, scenario], &SHORT[..], more].concat()
}

#[test]
fn a_sweep_says_the_size_of_its_space_and_what_was_run_of_it() {
    let place = folder("sweep-report");
    let scenario = scenario();
    let run = output(&place, &arguments("power-cut", &scenario, &["--sample", "60", "--twice", "4", "--out", "out"]));
    assert_eq!(code(&run), Some(0), "{}", stderr(&run));
    let result = json(&text(&place.join("out/sweep.json")));
    assert_eq!(result["schema"], "cooltwin.sweep/1");
    assert_eq!(result["verdict"], "pass");
    let [one, two] = [&result["parts"][0], &result["parts"][1]];
    assert_eq!((&one["struck"], &two["struck"]), (&60.into(), &4.into()));
    let operations = 4 + 256 + 1;
    assert!(one["size"].as_u64().expect("a number") > 3 * operations);
    assert_eq!(two["size"], (3 * operations - 1) * 3 * operations);
    let weights = one["weights"].as_array().expect("a list").iter();
    let pairs: Vec<[u64; 2]> = weights.map(|pair| [0, 1].map(|at| pair[at].as_u64().expect("a number"))).collect();
    assert_eq!(pairs.iter().map(|[weight, classes]| weight * classes).sum::<u64>(), 60, "each strike is in one class");
    assert_eq!(pairs.iter().map(|[_, classes]| classes).sum::<u64>(), one["run"].as_u64().expect("a number"));
    assert_eq!(one["run"].as_u64().expect("a number") + one["merged"].as_u64().expect("a number"), 60);
    let page = stdout(&run);
    assert!(page.contains("a sample of them struck: 60") && page.contains("PASS"), "{page}");
    assert_eq!(format!("{}results in out\n", text(&place.join("out/sweep.txt"))), page);
    let counted: u64 = text(&place.join("out/sweep.csv"))
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(',').expect("a number").1.parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(counted, 64);
}

#[test]
fn a_sample_smaller_than_the_strata_names_those_that_it_leaves_out() {
    let place = folder("sweep-few");
    let scenario = scenario();
    let run = output(&place, &arguments("power-cut", &scenario, &["--sample", "3", "--twice", "2", "--out", "out"]));
    assert_eq!(code(&run), Some(0), "{}", stderr(&run));
    let result = json(&text(&place.join("out/sweep.json")));
    let left_out = |part: usize| result["parts"][part]["left_out"].as_array().expect("a list").len();
    assert_eq!((left_out(0), left_out(1)), (12 - 3, 4 - 2));
    let page = stdout(&run);
    assert!(page.contains("\nPASS, 11 strata not struck  after each of 5 strikes"), "{page}");
    assert_eq!(page.matches("NOT STRUCK").count(), 11, "{page}");
    let whole = output(&place, &arguments("power-cut", &scenario, &["--sample", "24", "--twice", "4", "--out", "all"]));
    assert!(stdout(&whole).contains("\nPASS  after each of 28 strikes"), "{}", stdout(&whole));
}

#[test]
fn the_files_are_the_same_with_any_number_of_threads() {
    let place = folder("sweep-threads");
    let scenario = scenario();
    for (jobs, out) in [("1", "one"), ("3", "three")] {
        let more = ["--sample", "40", "--twice", "2", "--jobs", jobs, "--out", out];
        let run = output(&place, &arguments("power-cut", &scenario, &more));
        assert_eq!(code(&run), Some(0));
        told_in_order(stderr(&run));
    }
    for file in ["report.html", "sweep.json", "sweep.csv", "sweep.txt"] {
        assert_eq!(text(&place.join("one").join(file)), text(&place.join("three").join(file)), "{file}");
    }
}

/// Lines of progress, `one cut: strikes 12 of 40 after 1 s, ...`: each stage counts upwards to its end.
fn told_in_order(log: &str) {
    let mut seen: Option<(&str, &str, u64)> = None;
    let mut count = 0;
    for line in log.lines() {
        let words: Vec<&str> = line.split_once(": ").map_or(Vec::new(), |(_, told)| told.split(' ').collect());
        let [stage, done, "of", all, "after", ..] = words[..] else { continue };
        let done: u64 = done.parse().expect("a number");
        match seen {
            Some((before, _, least)) if before == stage => assert!(done >= least, "{log}"),
            Some((before, whole, least)) if before != stage => assert_eq!(whole, least.to_string(), "{before}: {log}"),
            _ => {}
        }
        assert!(line.contains(" a second, ") && line.ends_with(" s left"), "{line}");
        seen = Some((stage, all, done));
        count += 1;
    }
    assert!(count > 2, "{log}");
}

#[test]
fn each_strike_can_be_shown_as_a_scenario_and_run_on_its_own() {
    let place = folder("sweep-show");
    let scenario = scenario();
    for (kind, number) in
        [("power-cut", "100"), ("power-cut", "930"), ("frame-loss", "77"), ("bit-error", "50"), ("phase", "2500")]
    {
        let shown = output(&place, &arguments(kind, &scenario, &["--show", number]));
        assert_eq!(code(&shown), Some(0), "{}", stderr(&shown));
        std::fs::write(place.join("strike.ron"), stdout(&shown)).expect("a file");
        let run = output(&place, &["run", "strike.ron", "--json", "--out", "result"]);
        let result = json(stdout(&run));
        assert_eq!(code(&run), Some(0), "{kind} {number}: {}", result["verdict"]);
        let injections = result["injections"].as_array().expect("a list");
        assert!(injections.iter().all(|each| each["activations"].as_u64() > Some(0)), "{injections:?}");
    }
    assert!(!place.join("cooltwin-out").exists(), "showing writes nothing");
}

#[test]
fn the_other_sweeps_run_samples_and_pass() {
    let place = folder("sweep-kinds");
    let scenario = scenario();
    for kind in ["frame-loss", "bit-error", "phase"] {
        let run = output(&place, &arguments(kind, &scenario, &["--sample", "40", "--json", "--out", kind]));
        assert_eq!(code(&run), Some(0), "{}{}", stdout(&run), stderr(&run));
        let result = json(stdout(&run));
        assert_eq!((&result["sweep"], &result["parts"][0]["struck"]), (&kind.into(), &40.into()));
    }
}

/// Sweeps the phases of a shipped scenario's own faults; its report and exit code.
fn own_faults(place: &std::path::Path, file: &str, more: &[&str]) -> (serde_json::Value, Option<i32>) {
    let file = shipped(file).display().to_string();
    let run = output(place, &[&["sweep", "phase", file.as_str(), "--json"], more].concat());
    (json(stdout(&run)), code(&run))
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// Verifies SSR-016, SSR-021. 1 ms in steps of 41 us makes 25 phases; the limits are those of SSR-021 and the response path of the configuration.
#[test]
fn a_cut_of_the_link_and_a_stop_hold_at_every_phase_of_a_tick() {
    let place = folder("sweep-own-faults");
    let cases =
        [("safety-c2c-cut.ron", "safety-c2c-silence", 20.0, 22.1), ("safety-stop.ron", "safety-response", 0.0, 8.0)];
    for (file, budget, low, high) in cases {
        let (result, code) = own_faults(&place, file, &["--over", "1ms", "--step", "41us", "--out", file]);
        let part = &result["parts"][0];
        assert_eq!((code, &part["size"], &part["struck"]), (Some(0), &25.into(), &25.into()), "{result}");
        assert!(result["pump"].is_null());
        let row = part["extremes"].as_array().expect("a list").iter().find(|row| row["budget"] == budget);
        let row = row.unwrap_or_else(|| panic!("{budget} is measured"));
        let (least, greatest) = (number(&row["least"]), number(&row["greatest"]));
        assert!(low <= least && least < greatest && greatest <= high, "{file}: {row}");
        // The strike with the greatest value, from zero by its own scenario.
        let strike = row["greatest_strike"].to_string();
        let path = shipped(file).display().to_string();
        let phases = ["--over", "1ms", "--step", "41us", "--show", &strike];
        let shown = output(&place, &[&["sweep", "phase", path.as_str()], &phases[..]].concat());
        std::fs::write(place.join("strike.ron"), stdout(&shown)).expect("a file");
        std::fs::create_dir_all(place.join("safety")).expect("a folder");
        let configuration = "safety/pump-feed.ron";
        std::fs::copy(shipped(configuration), place.join(configuration)).expect("a copy");
        let alone = json(stdout(&output(&place, &["run", "strike.ron", "--json", "--out", "alone"])));
        let same = alone["budgets"].as_array().expect("a list").iter().find(|row| row["id"] == budget);
        assert_eq!(same.map(|row| &row["measured"]), Some(&row["greatest"]), "{file}");
    }
}

#[test]
fn a_phase_at_which_the_unit_trips_fails_the_sweep_and_the_others_hold() {
    let place = folder("sweep-own-faults-late");
    // A dip of 500.5 ms lies between what must never trip and what always must: the phase decides.
    let longer = "faults[0].duration=500500us";
    let more = ["--over", "1ms", "--step", "41us", "--set", longer, "--out", "out"];
    let (result, code) = own_faults(&place, "safety-dip-499ms.ron", &more);
    let part = &result["parts"][0];
    let bad = part["strata"][0]["bad"].as_u64().expect("a number");
    assert_eq!((code, result["verdict"].as_str()), (Some(1), Some("fail")), "{result}");
    assert!((1..25).contains(&bad), "{part}");
    // Beside the result, which names it from its own folder.
    let file = part["bad"][0]["file"].as_str().expect("a file");
    assert_eq!(code_of(&place, &format!("out/{file}")), Some(1));
}

fn code_of(place: &std::path::Path, file: &str) -> Option<i32> {
    code(&output(place, &["run", file, "--out", "alone"]))
}

#[test]
fn faults_that_come_by_a_condition_cannot_be_moved() {
    let place = folder("sweep-own-faults-refused");
    let file = shipped("sag-during-erase.ron").display().to_string();
    let run = output(&place, &["sweep", "phase", &file]);
    assert_eq!(code(&run), Some(3), "{}", stderr(&run));
    assert!(stderr(&run).contains("faults that come at a time"), "{}", stderr(&run));
}

#[test]
fn a_pump_that_stays_dark_too_long_fails_the_sweep_and_the_file_of_a_bad_strike_fails_alone() {
    let place = folder("sweep-bad");
    let scenario = scenario();
    let more = ["--sample", "24", "--twice", "0", "--outage", "60s", "--out", "out"];
    let run = output(&place, &arguments("power-cut", &scenario, &more));
    assert_eq!(code(&run), Some(1), "{}{}", stdout(&run), stderr(&run));
    let result = json(&text(&place.join("out/sweep.json")));
    let bad = &result["parts"][0]["bad"][0];
    let file = bad["file"].as_str().expect("a file");
    // The file counts from the folder of the results, and what is printed can be typed here.
    let file = &format!("out/{file}");
    assert!(stdout(&run).contains(&format!("cooltwin run {file}")), "{}", stdout(&run));
    let alone = cooltwin(&place, &["run", file, "--out", "alone"]).output().expect("it runs");
    assert_eq!(code(&alone), Some(1), "{}", stdout(&alone));
}

#[test]
fn what_cannot_be_swept_is_refused_with_its_own_code() {
    let place = folder("sweep-refused");
    let scenario = scenario();
    let ends_with = |more: &[&str], wanted: i32, words: &str| {
        let run = output(&place, &arguments("power-cut", &scenario, more));
        assert_eq!(code(&run), Some(wanted), "{more:?}: {}", stderr(&run));
        assert!(stderr(&run).contains(words), "{more:?}: {}", stderr(&run));
    };
    ends_with(&["--pump", "3"], 2, "there is no pump 3");
    ends_with(&["--pump", "2"], 4, "P02 is not updated");
    ends_with(&["--outage", "soon"], 2, "duration");
    ends_with(&["--show", "999999999"], 2, "there is no strike");
    ends_with(&["--set", "pumps.count=40"], 3, "pumps.count");
    ends_with(&["--set", "package.image.defect=Missing"], 1, "undisturbed");
    ends_with(&["--sample", "3", "--all"], 2, "cannot be used with");
    assert!(!place.join("cooltwin-out").exists());
}
