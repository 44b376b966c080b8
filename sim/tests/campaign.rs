//! Campaigns: the same bytes from any number of threads, shards and interruptions; what is refused, and why.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::{code, cooltwin, folder, json, output, shipped, stderr, stdout, text};
use cooltwin::campaign::load_campaign;
use cooltwin::campaign::trial::{judge_scenario, plain};
use cooltwin::cli::Disk;
use reports::campaign::{Class, campaign_from_json, read_trials};
use reports::{Verdict, sha256};

const TINY: &str = "tiny.ron";

/// A folder with the tiny campaign in it.
fn place(name: &str) -> PathBuf {
    let place = folder(name);
    for file in ["tiny.ron", "tiny-base.ron"] {
        fs::copy(common::data("campaigns").join(file), place.join(file)).expect("test data can be copied");
    }
    place
}

/// The campaign of a folder, changed in one place.
fn change(place: &Path, from: &str, to: &str) {
    let file = place.join(TINY);
    let before = text(&file);
    let after = before.replace(from, to);
    assert_ne!(before, after, "{from} stands there");
    fs::write(file, after).expect("a written file");
}

/// Runs the campaign into `out`; the exit code.
fn run(place: &Path, out: &str, more: &[&str]) -> Option<i32> {
    let arguments: Vec<&str> = ["campaign", TINY, "--out", out].into_iter().chain(more.iter().copied()).collect();
    let output = output(place, &arguments);
    assert!(code(&output) != Some(70), "{}", stderr(&output));
    code(&output)
}

/// Every file of a folder with its bytes, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                found.push((name, fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn threads_shards_and_interruptions_do_not_change_a_byte() {
    let place = place("campaign-bytes");
    assert_eq!(run(&place, "one", &["--jobs", "1"]), Some(0));
    assert_eq!(run(&place, "two", &["--jobs", "2"]), Some(0));
    let whole = files(&place.join("one"));
    assert_eq!(whole, files(&place.join("two")), "one thread and two");

    for shard in ["1/3", "2/3", "3/3"] {
        let out = format!("s{}", &shard[..1]);
        assert_eq!(run(&place, &out, &["--shard", shard]), Some(0), "{shard}");
    }
    // The order in which they are named does not count.
    let merged = output(&place, &["merge", "s3", "s1", "s2", "--out", "merged"]);
    assert_eq!(code(&merged), Some(0), "{}", stderr(&merged));
    assert_eq!(whole, files(&place.join("merged")), "one machine and three");

    kill_in_the_middle(&place);
    let refused = output(&place, &["campaign", TINY, "--out", "killed", "--jobs", "1"]);
    assert_eq!(code(&refused), Some(2), "rows are not thrown away without a word");
    assert!(stderr(&refused).contains("--resume"), "{}", stderr(&refused));
    assert_eq!(run(&place, "killed", &["--jobs", "1", "--resume"]), Some(0));
    assert_eq!(whole, files(&place.join("killed")), "whole and killed");
    assert!(!place.join(".killed.partial").exists(), "what is finished leaves nothing half done");
}

#[test]
fn the_trials_of_another_campaign_are_replaced_only_where_that_is_asked_for() {
    let place = place("campaign-replace");
    let told = |more: &[&str]| {
        let done = output(&place, &[&["campaign", TINY, "--out", "out"], more].concat());
        (code(&done), stdout(&done).to_owned(), stderr(&done).to_owned())
    };
    let (ended, verdict, progress) = told(&["-q"]);
    assert_eq!((ended, verdict.lines().count(), progress.as_str()), (Some(0), 1, ""), "{verdict}");
    assert!(verdict.starts_with("PASS  tiny: "), "{verdict}");
    assert_eq!(told(&["-q"]).0, Some(0), "the same trials again");
    let kept = files(&place.join("out"));
    change(&place, "seed: 11", "seed: 12");
    let refused = |done: (Option<i32>, String, String), why: &str| {
        assert_eq!((done.0, done.1.as_str()), (Some(2), ""), "{}", done.2);
        assert!(done.2.contains(why) && done.2.contains("choose another folder with --out"), "{}", done.2);
        assert_eq!(files(&place.join("out")), kept, "it is as it was");
    };
    refused(told(&[]), "out holds the result of another campaign, which stays");
    refused(told(&["--resume"]), "another campaign");
    refused(told(&["--shard", "1/2"]), "another campaign");
    let run = output(&place, &["run", "tiny-base.ron", "--out", "out"]);
    let run = (code(&run), stdout(&run).to_owned(), stderr(&run).to_owned());
    refused(run, "out holds the trials of a campaign, which other results do not replace");
    assert_eq!(told(&["--shard", "1/2", "--replace"]).0, Some(0));
    let (ended, _, why) = told(&["--shard", "2/2"]);
    assert!(ended == Some(2) && why.contains("out holds the result of another share of this campaign"), "{why}");
}

/// As in a job's log: a line each tenth, the last one with all trials and nothing left to wait for.
#[test]
fn a_log_tells_rate_and_remaining_time() {
    let place = place("campaign-log");
    let run = output(&place, &["campaign", TINY, "--out", "out", "--jobs", "1"]);
    let lines: Vec<&str> = stderr(&run).lines().filter(|line| line.contains(" of 78 trials")).collect();
    assert!(lines.len() >= 3, "{lines:?}");
    assert!(lines[0].ends_with(": 0 of 78 trials"), "one before the first is done: {lines:?}");
    for line in &lines[1..] {
        let (_, pace) = line.split_once(" trials, ").expect("a pace");
        let (rate, left) = pace.split_once(" a second, ").expect("a rate");
        assert!(rate.parse::<f64>().is_ok_and(|rate| rate > 0.0), "{line}");
        assert!(left.strip_suffix(" s left").is_some_and(|left| left.parse::<u64>().is_ok()), "{line}");
    }
    let last = lines.last().expect("a line");
    assert!(last.contains(": 78 of 78 trials") && last.ends_with(", 0 s left"), "{last}");
}

/// Starts the campaign and kills it when some rows are there and not all.
fn kill_in_the_middle(place: &Path) {
    let mut child = cooltwin(place, &["campaign", TINY, "--out", "killed", "--jobs", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let rows = place.join(".killed.partial/trials.csv");
    let count = || fs::read_to_string(&rows).map_or(0, |text| text.lines().count());
    for _ in 0..6_000 {
        if count() > 32 || child.try_wait().expect("a child").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("it still runs");
    child.wait().expect("a child");
    let kept = count();
    assert!((33..=78).contains(&kept), "killed in the middle: {kept} lines");
    assert!(!place.join("killed").exists(), "nothing stands there that looks finished");
    // As if the last row had not been written to its end.
    let cut = text(&rows);
    fs::write(&rows, &cut[..cut.len() - 20]).expect("a written file");
}

#[test]
fn a_missing_double_or_foreign_shard_is_refused_by_name() {
    let place = place("campaign-shards");
    for (shard, out) in [("1/2", "a"), ("2/2", "b"), ("1/2", "again")] {
        assert_eq!(run(&place, out, &["--shard", shard]), Some(0));
    }
    change(&place, "seed: 11", "seed: 12");
    assert_eq!(run(&place, "foreign", &["--shard", "2/2"]), Some(0));
    let refused = |folders: &[&str], words: &[&str]| {
        let arguments: Vec<&str> = ["merge", "--out", "merged"].into_iter().chain(folders.iter().copied()).collect();
        let output = output(&place, &arguments);
        assert_eq!(code(&output), Some(2), "{folders:?}: {}", stdout(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{folders:?}: {word} in {}", stderr(&output));
        }
        assert!(!place.join("merged").exists(), "{folders:?}");
    };
    refused(&["a"], &["missing", "2/2"]);
    refused(&["a", "b", "again"], &["shard 1 of 2", "a", "again"]);
    refused(&["a", "foreign"], &["foreign", "another campaign"]);
    refused(&["a", "nowhere"], &["nowhere"]);
    // A row that was changed afterwards, and one that was left out with the hash set right.
    let table = text(&place.join("b/trials.csv"));
    fs::write(place.join("b/trials.csv"), table.replace("tolerated", "masked")).expect("a written file");
    refused(&["a", "b"], &["b", "trials.csv", "not the one that the shard wrote"]);
    let short: String = table.lines().take(10).map(|line| format!("{line}\n")).collect();
    fs::write(place.join("b/trials.csv"), &short).expect("a written file");
    let said = text(&place.join("b/shard.json"));
    let said = said.replace(&sha256(table.as_bytes()), &sha256(short.as_bytes()));
    fs::write(place.join("b/shard.json"), said).expect("a written file");
    refused(&["a", "b"], &["b does not hold the trials of shard 2"]);
}

#[test]
fn the_report_follows_from_the_rows() {
    let place = place("campaign-report");
    assert_eq!(run(&place, "out", &[]), Some(0));
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    let table_text = text(&place.join("out/trials.csv"));
    let table = read_trials(&table_text).expect("a table");
    assert_eq!((report.verdict, report.control.verdict), (Verdict::Pass, Verdict::Pass));
    assert_eq!(report.trials_sha256, sha256(table_text.as_bytes()));
    assert_eq!(table.trials.len(), 78);
    let failed = table.trials.iter().filter(|trial| !trial.success).count() as u64;
    assert_eq!((report.executed, report.failures), (78, failed));
    let classes: u64 = report.classes.iter().map(|count| count.trials).sum();
    assert_eq!(classes, 78, "no trial is dropped");
    let quiet = table.trials.iter().filter(|trial| trial.faults.is_empty());
    assert!(quiet.clone().count() > 0 && quiet.clone().all(|trial| trial.class == Class::Undisturbed));
    for fault in &report.faults {
        assert!(fault.drawn > 5 && fault.acted > 0, "{fault:?}");
    }
    let retried = table.trials.iter().filter(|trial| trial.tries.len() == 2).count() as u64;
    assert_eq!(report.tries_needed[1], retried);
    assert!(retried > 0, "some cuts cost a try");
    let update = report.times.iter().find(|values| values.budget == "pump-update").expect("the budget");
    let worst = table.trials.iter().filter_map(|trial| trial.values[0]).max();
    assert_eq!(update.worst, worst);
    assert_eq!(update.histogram.counts.iter().sum::<u64>(), update.n);
    // 78 values bound the median and nothing near the end.
    assert!(update.bounds[0].value.is_some() && update.bounds[1].rank.is_none());
    let replay = update.replay.as_ref().expect("the worst trial");
    assert_eq!(replay.command, "cooltwin run worst/pump-update.ron");
    repeats(&place, &report.times[0].replay.as_ref().expect("one").trial, worst.map(|value| value.to_string()));
}

/// The scenario that was written gives the row's fingerprint and value, and `--show-trial` prints the same scenario.
fn repeats(place: &Path, trial: &u64, worst: Option<String>) {
    let ran = output(place, &["run", "out/worst/pump-update.ron", "--json", "--out", "again"]);
    let result = json(stdout(&ran));
    let table = read_trials(&text(&place.join("out/trials.csv"))).expect("a table");
    let row = table.trials.iter().find(|row| row.number == *trial).expect("the row");
    assert_eq!(result["fingerprint"]["all"], row.fingerprint.as_str());
    assert_eq!(result["scenario"]["sha256"], row.scenario.as_str());
    assert_eq!(result["budgets"][0]["measured"].to_string(), worst.expect("a value"));
    let shown = output(place, &["campaign", TINY, "--show-trial", &trial.to_string()]);
    assert_eq!(stdout(&shown), text(&place.join("out/worst/pump-update.ron")));
}

#[test]
fn more_failures_than_allowed_fail_the_campaign_and_the_worst_are_listed() {
    let place = place("campaign-fails");
    // Cut for good: the pump is dead in the end.
    change(
        &place,
        "trigger: At(Range(\"6s\", \"13s\")), duration: Range(\"10ms\", \"1s\"),",
        "trigger: At(Range(\"6s\", \"9s\")),",
    );
    assert_eq!(run(&place, "out", &[]), Some(1));
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    assert!(report.verdict == Verdict::Fail && report.failures > 4, "{}", report.sentence);
    assert!(report.sentence.starts_with("does not stand"), "{}", report.sentence);
    let first = report.failed.first().expect("a failed trial");
    assert!(first.what.contains("claim:updated"), "{first:?}");
    let scenario = first.command.strip_prefix("cooltwin run ").expect("a command");
    assert_eq!(code(&output(&place, &["run", &format!("out/{scenario}"), "--out", "again"])), Some(1));
}

/// A folder with the campaign whose base has a safety unit.
fn place_with_unit(name: &str) -> PathBuf {
    let place = folder(name);
    for (from, to) in [
        (common::data("campaigns/unit.ron"), "campaigns/tiny.ron"),
        (common::data("campaigns/unit-base.ron"), "campaigns/unit-base.ron"),
        (shipped("safety/pump-feed.ron"), "safety/pump-feed.ron"),
    ] {
        let to = place.join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, to).expect("a file can be copied");
    }
    place
}

/// The base names its configuration by a way up, which leads nowhere from where trials are written.
#[test]
fn trials_of_a_safety_unit_find_its_configuration_where_they_are_written() {
    let place = place_with_unit("campaign-unit-files");
    let inside = place.join("campaigns");
    assert_eq!(run(&inside, "../whole", &[]), Some(1));
    for shard in ["1", "2"] {
        assert_eq!(run(&inside, &format!("../s{shard}"), &["--shard", &format!("{shard}/2")]), Some(0), "{shard}");
    }
    for named in ["campaigns", "safety"] {
        fs::remove_dir_all(place.join(named)).expect("a folder");
    }
    let merged = output(&place, &["merge", "s1", "s2", "--out", "merged"]);
    assert_eq!(code(&merged), Some(1), "{}", stderr(&merged));
    assert_eq!(files(&place.join("whole")), files(&place.join("merged")));

    let report = campaign_from_json(&text(&place.join("whole/campaign.json"))).expect("a report");
    let table = read_trials(&text(&place.join("whole/trials.csv"))).expect("a table");
    let failed = &report.failed[0];
    let update = report.times[0].replay.as_ref().expect("the worst trial");
    for (replay, ends) in [(failed, Some(1)), (update, Some(0))] {
        let file = replay.command.strip_prefix("cooltwin run ").expect("a command");
        let ran = output(&place, &["run", &format!("merged/{file}"), "--json", "--out", "again"]);
        assert_eq!(code(&ran), ends, "{file}: {}", stderr(&ran));
        let result = json(stdout(&ran));
        let row = table.trials.iter().find(|row| row.number == replay.trial).expect("its row");
        assert_eq!(result["fingerprint"]["all"], row.fingerprint.as_str());
        assert_eq!(result["scenario"]["sha256"], row.scenario.as_str());
    }
    let shrunk = output(&place, &["shrink", "merged", "--runs", "3", "--out", "less.ron"]);
    assert_eq!(code(&shrunk), Some(0), "{}", stderr(&shrunk));
    assert_eq!(code(&output(&place, &["run", "less.ron", "--out", "again"])), Some(1));
}

/// What a fault reached and what then tripped did what it is for; the update that it ended is lost all the same.
#[test]
fn a_trial_whose_unit_rightly_trips_is_detected_safe_and_a_failure() {
    let place = place_with_unit("campaign-unit-classes");
    assert_eq!(run(&place.join("campaigns"), "../out", &[]), Some(1));
    let table = read_trials(&text(&place.join("out/trials.csv"))).expect("a table");
    let hit = |trial: &&reports::campaign::Trial| trial.faults.iter().any(|fault| fault == "link");
    assert!((3..8).contains(&table.trials.iter().filter(hit).count()), "some trips, and some trials without");
    for trial in table.trials.iter().filter(hit) {
        assert_eq!((trial.class, trial.success, trial.updated), (Class::DetectedSafe, false, 0), "{trial:?}");
        assert_eq!(trial.note, "the time limit came after hall had tripped");
        assert!(trial.failing.iter().any(|row| row == "check:healthy_units_do_not_trip"), "{trial:?}");
    }
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    assert_eq!((report.invalid, report.verdict), (0, Verdict::Fail));
}

/// The campaign of the clocks over 24 hours, with its base cut to 6 s: packets that are lost for 18 ticks are tolerated, and trials
/// with 20 fail.
#[test]
fn a_claim_about_runs_without_updates_is_about_every_row_of_theirs() {
    let place = folder("campaign-runs");
    for file in
        ["campaigns/safety-clocks-24h.ron", "safety-clocks-apart-24h.ron", "safety-unit.ron", "safety/pump-feed.ron"]
    {
        let to = place.join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        let written = text(&shipped(file)).replace("\"24h\"", "\"6s\"").replace("86390s", "5s");
        // One in a trial: two that meet are a longer one.
        let written = written.replace("Mean(\"6x\")", "Times(1)");
        fs::write(to, written).expect("a written file");
    }
    let ran = |out: &str| {
        let ran = output(&place, &["campaign", "campaigns/safety-clocks-24h.ron", "--out", out]);
        let report = campaign_from_json(&text(&place.join(out).join("campaign.json"))).expect("a report");
        (code(&ran), report, stdout(&ran).to_owned())
    };
    let (ended, report, terminal) = ran("short");
    assert_eq!((ended, report.verdict, report.executed), (Some(0), Verdict::Pass, 5), "{terminal}");
    // 1 - 0.05^(1/5) is 0.450719728..., rounded up.
    assert_eq!(report.failure_upper.to_string(), "45.071973");
    assert!(
        report.sentence.contains("at least 50 % of runs keep every budget, check and expectation"),
        "{}",
        report.sentence
    );
    assert_eq!((report.pumps.of, report.attempts.of, report.campaigns.of), (0, 0, 0));
    assert!(!terminal.contains("Updated "), "{terminal}");
    let trials = read_trials(&text(&place.join("short/trials.csv"))).expect("a table").trials;
    assert!(
        trials.iter().all(|trial| trial.success && trial.faults == ["silence"] && trial.idle.is_empty()),
        "{trials:?}"
    );
    // A unit misses the packets and does what it does without the losses.
    assert!(trials.iter().all(|trial| trial.class == Class::Masked), "{trials:?}");

    let file = place.join("campaigns/safety-clocks-24h.ron");
    let longer = text(&file).replace("Range(1, 18)", "Range(20, 21)");
    fs::write(&file, longer).expect("a written file");
    let (ended, report, _) = ran("long");
    assert_eq!((ended, report.verdict, report.failures), (Some(1), Verdict::Fail, 5));
    assert!(report.failed[0].what.contains("expectation:"), "{:?}", report.failed[0]);

    for (from, to, words) in [
        ("claim: Run", "claim: Campaign", "the base updates no pump"),
        ("safety-clocks-apart-24h", "update", "the claim is about runs without updates, and the base has a campaign"),
    ] {
        fs::write(place.join("update.ron"), "(pumps: (count: 2), end: AfterCampaign(\"1s\"))").expect("a written file");
        let before = text(&file);
        fs::write(&file, before.replace(from, to)).expect("a written file");
        let wrong = output(&place, &["campaign", "campaigns/safety-clocks-24h.ron", "--out", "wrong"]);
        assert!(code(&wrong) == Some(3) && stderr(&wrong).contains(words), "{}", stderr(&wrong));
        fs::write(&file, before).expect("a written file");
    }
}

#[test]
fn the_class_of_a_trip_follows_from_what_can_have_led_to_it() {
    let class = |scenario: &str, overrides: &[&str]| {
        let overrides = [overrides, &["expectations=[]"]].concat();
        let loaded = common::loaded(&shipped(scenario), &overrides);
        let judged = judge_scenario(&loaded.scenario, None, &plain);
        assert!(!judged.failing.is_empty(), "{scenario} {overrides:?}");
        judged.class
    };
    assert_eq!(class("safety-c2c-cut.ron", &[]), Class::DetectedSafe);
    // The serial number is wrong, which is no fault of the list: this unit trips whatever comes.
    let wrong = "safety-serial-of-another-unit.ron";
    let of_cioc = "faults=[(kind: Reset, place: Cioc, trigger: At(\"1s\"))]";
    assert_eq!(class(wrong, &[of_cioc]), Class::SpuriousTrip);
    let too_late =
        "faults=[(kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"4s\"), duration: \"1s\")]";
    assert_ne!(class(wrong, &[too_late]), Class::DetectedSafe);
    // A fault of one unit is none of the other.
    let at_hall =
        "faults=[(kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"2s\"), duration: \"1s\")]";
    assert_eq!(class("safety-two-units.ron", &[at_hall]), Class::DetectedSafe);
    assert_eq!(class("safety-two-units.ron", &[at_hall, "safety_units[1].serial=7"]), Class::SpuriousTrip);
    // A stop that acts before leads to no clock that is 0.5 % too fast, and to no wrong serial number.
    let before = |kind: &str, begin: &str, duration: &str| {
        format!(
            "faults=[(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{begin}\"), duration: \"{duration}\")]"
        )
    };
    let stop = "InputOff(\"fence\")";
    assert_eq!(class(wrong, &[&before(stop, "30ms", "5ms")]), Class::SpuriousTrip);
    let apart = "safety_units[0].cpu2.clock_drift=5000ppm";
    assert_eq!(class("safety-unit.ron", &[apart, &before(stop, "300ms", "5ms")]), Class::SpuriousTrip);
    let lost = before("C2cLost(from: 1)", "300ms", "1s");
    assert_eq!(class("safety-unit.ron", &[&lost]), Class::DetectedSafe);
    // A time limit that no trip led to is no result.
    assert_eq!(
        class("safety-unit.ron", &["campaign=true", "end=AfterCampaign(\"1s\")", "time_limit=3s"]),
        Class::Invalid
    );
}

/// A packet that comes a second time is dropped for its counter. A stop, and a silence that is found, are another matter.
#[test]
fn a_fault_of_the_link_that_changes_nothing_is_masked() {
    let class = |kind: &str| {
        let fault = format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"3500ms\"))");
        let overrides = [format!("faults=[{fault}]"), "expectations=[]".to_owned()];
        let loaded = common::loaded(&shipped("safety-unit.ron"), &overrides.each_ref().map(String::as_str));
        let judged = judge_scenario(&loaded.scenario, None, &plain);
        (judged.class, judged.idle)
    };
    assert_eq!(class("C2cRepeated(from: 1, packets: 3)"), (Class::Masked, vec![]));
    assert_ne!(class("InputOff(\"fence\")").0, Class::Masked);
    assert_ne!(class("C2cLost(from: 1, packets: 25)").0, Class::Masked);
}

/// Two faults of a wire come before the unit finds that its channels differ: it is either, and the trial is one in which it was found.
#[test]
fn what_either_of_two_faults_led_to_was_detected() {
    let class = |first: (&str, &str), second: &str| {
        let at = |kind: &str, begin: &str, more: &str| {
            format!("(kind: Safety({kind}), place: Node(\"hall\"), trigger: At(\"{begin}\"){more})")
        };
        let faults = [at(first.0, "3s", first.1), at(second, "3020ms", "")].join(", ");
        let overrides = [format!("faults=[{faults}]"), "expectations=[]".to_owned()];
        let loaded = common::loaded(&shipped("safety-unit.ron"), &overrides.each_ref().map(String::as_str));
        let run = cooltwin::run::run(&loaded.scenario, None, |_| {});
        let report = cooltwin::run::report(&loaded, &run, &cooltwin::run::Identity::default());
        let classes: Vec<String> = report.injections.iter().map(|one| one.class.to_string()).collect();
        (classes, judge_scenario(&loaded.scenario, None, &plain).class)
    };
    let (known, trial) = class(("Wire(pin: 0, is: Open)", ""), "Wire(pin: 10, is: ToSupply)");
    assert_eq!((known, trial), (vec!["detected-safe".to_owned(); 2], Class::DetectedSafe), "each has its own");
    let (either, trial) = class(("Wire(pin: 0, is: Open)", ", duration: \"20ms\""), "Wire(pin: 0, is: ToGround)");
    assert_eq!((either, trial), (vec!["not-known".to_owned(); 2], Class::DetectedSafe));
}

#[test]
fn a_mix_that_never_acts_is_no_pass() {
    let place = place("campaign-idle");
    // Nothing is received by a pump without supply, and there is nothing else for this fault to act on.
    change(&place, "often: Mean(\"0.5x\")", "often: Chance(\"0.1%\")");
    assert_eq!(run(&place, "out", &[]), Some(5));
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.notes[0].contains("noise never came"), "{:?}", report.notes);
}

/// Twenty bursts at stated times, of which some find the bus idle: the run is inconclusive, so the trial is invalid.
#[test]
fn a_repetition_that_came_less_often_than_stated_makes_its_trial_invalid_and_a_failure() {
    let place = place("campaign-missing");
    change(
        &place,
        "trigger: When(pump: 1, phase: Transfer, progress: Range(\"1%\", \"99%\")),",
        "trigger: At(Range(\"8s\", \"9s\")), repeat: (count: 20, period: \"37ms\"),",
    );
    assert_eq!(run(&place, "out", &[]), Some(1));
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    let table = read_trials(&text(&place.join("out/trials.csv"))).expect("a table");
    assert_eq!((report.executed, table.trials.len()), (78, 78), "none is dropped");
    let short: Vec<_> = table.trials.iter().filter(|trial| trial.note.contains("times missing")).collect();
    assert!(short.len() > 4, "{} trials", short.len());
    for trial in &short {
        assert!(trial.class == Class::Invalid && !trial.success && trial.note.contains("noise"), "{trial:?}");
    }
    let invalid = table.trials.iter().filter(|trial| trial.class == Class::Invalid).count() as u64;
    assert!(report.invalid == invalid && report.failures >= invalid && report.verdict == Verdict::Fail);
    let first = report.failed.iter().find(|failed| failed.what.contains("times missing")).expect("a listed one");
    let scenario = first.command.strip_prefix("cooltwin run ").expect("a command");
    let alone = output(&place, &["run", &format!("out/{scenario}"), "--out", "again"]);
    assert_eq!(code(&alone), Some(5), "the run by itself is inconclusive");
}

#[test]
fn what_is_wrong_with_a_campaign_file_is_told_with_its_place() {
    let place = place("campaign-wrong");
    let told = |from: &str, to: &str, words: &[&str]| {
        let original = text(&place.join(TINY));
        change(&place, from, to);
        let output = output(&place, &["campaign", TINY, "--out", "out", "--message-format", "short"]);
        assert_eq!(code(&output), Some(3), "{from} -> {to}: {}", stderr(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{from} -> {to}: {word} in {}", stderr(&output));
        }
        assert!(!place.join("out").exists() && !place.join(".out.partial").exists());
        fs::write(place.join(TINY), original).expect("a written file");
    };
    told("swarm:", "swam:", &["tiny.ron:7:5", "S002", "did you mean `swarm`?"]);
    told("trials: 78", "trials: 77", &["tiny.ron:5:20", "do not show 90% at 90% confidence", "at least 78"]);
    told("base: \"tiny-base.ron\"", "base: \"gone.ron\"", &["tiny.ron:4:11", "cannot read the base"]);
    told("PowerCut, place: Pump(1)", "PowerCut, place: Pump(3)", &["tiny.ron:10:41", "there is no pump 3"]);
    told("PowerCut, place: Pump(1)", "PowerCut, plaze: Pump(1)", &["tiny.ron:10:29", "did you mean `place`?"]);
    told("Range(6, 60)", "Range(60, 6)", &["tiny.ron:13", "60 is more than 6"]);
    told("Range(6, 60)", "Range(60, 6)", &["S017", "cannot be drawn from"]);
    told("name: \"noise\"", "name: \"cut\"", &["stands here twice"]);
    // All at once: a fault that cannot be drawn, one of no kind beside a pump that is not there, a wrong name, a plan.
    let wrong = [
        ("trials: 78", "trials: 77"),
        ("kind: PowerCut, place: Pump(1)", "kind: PowrCut, place: Pump(33)"),
        ("Range(6, 60)), place: Bus", "Range(60, 6)), place: Supply"),
        ("pump: 1, phase: Transfer", "pump: 9, phase: Transfer"),
        ("name: \"drift\"", "name: \"cut\""),
    ];
    let original = text(&place.join(TINY));
    wrong.iter().for_each(|(from, to)| change(&place, from, to));
    let all = output(&place, &["campaign", TINY, "--out", "out", "--message-format", "short"]);
    let wanted = [
        "tiny.ron:5:20: error[S014]: 77 trials with 4 failures allowed do not show",
        "tiny.ron:10:19: error[S003]: unknown `FaultKind`: `PowrCut`",
        "tiny.ron:10:40: error[S012]: there is no pump 33",
        "tiny.ron:13:37: error[S017]: 60 is more than 6",
        "tiny.ron:13:81: error[S012]: there is no pump 9",
        "tiny.ron:15:16: error[S013]: `cut` stands here twice",
    ];
    for (line, wanted) in stderr(&all).lines().zip(wanted) {
        assert!(line.starts_with(wanted), "{wanted} in\n{}", stderr(&all));
    }
    assert_eq!(stderr(&all).lines().count(), wanted.len(), "{}", stderr(&all));
    // A base that is wrong hides nothing of the file, and the file nothing of the base.
    let base = text(&place.join("tiny-base.ron"));
    fs::write(place.join("tiny-base.ron"), "(pumps: (count: 99))").expect("a written file");
    let all = output(&place, &["campaign", TINY, "--out", "out", "--message-format", "short"]);
    for wanted in ["tiny.ron:5:20: error[S014]", "tiny.ron:13:37: error[S017]", "tiny-base.ron:1:17: error[S008]"] {
        assert!(stderr(&all).contains(wanted), "{wanted} in\n{}", stderr(&all));
    }
    fs::write(place.join("tiny-base.ron"), base).expect("a written file");
    fs::write(place.join(TINY), original).expect("a written file");
    told("success: \"90%\"", "success: \"100%\"", &["no number of trials shows that nothing ever fails"]);
    told(
        "mix: [",
        "strata: [(name: \"a\", weight: \"50%\", trials: 78, failures_allowed: 4, faults: [\"cat\"])], mix: [",
        &["the weights make 50%", "did you mean `cut`?"],
    );
    fs::write(
        place.join("tiny-base.ron"),
        "(pumps: (count: 2), faults: [(kind: Reset, place: Cioc, trigger: At(\"1s\"))])",
    )
    .expect("a written file");
    told("seed: 11", "seed: 13", &["has 2 pumps to update", "has faults of its own"]);
}

/// What lies in a result is the record of a run: the campaign with its base in one text.
#[test]
fn the_record_in_a_result_says_which_file_to_run() {
    let place = place("campaign-record");
    fs::create_dir(place.join("result")).expect("a folder");
    let campaign = load_campaign(&Disk, &place.join(TINY)).expect("a campaign");
    fs::write(place.join("result/campaign.ron"), campaign.resolved_text()).expect("a record");
    let told = || {
        let ended = output(&place, &["campaign", "result/campaign.ron"]);
        assert_eq!((code(&ended), stdout(&ended)), (Some(3), ""));
        stderr(&ended).to_owned()
    };
    let words = "error[S016]: this is the record of a campaign that was run, with its base scenario in it\n";
    assert!(told().starts_with(words) && told().contains("cooltwin campaign FILE\n"), "{}", told());
    fs::write(place.join("result/campaign.json"), "{\"inputs\":[{\"path\":\"tiny.ron\"}]}").expect("a report");
    assert!(
        told().contains("  = help: run the file it was made from, in its folder: cooltwin campaign tiny.ron\n"),
        "{}",
        told()
    );
}

#[test]
fn strata_are_tried_and_judged_by_themselves() {
    let place = place("campaign-strata");
    change(
        &place,
        "plan: (trials: 78, failures_allowed: 4, success: \"90%\", confidence: \"90%\")",
        "plan: (trials: 76, failures_allowed: 0, success: \"90%\", confidence: \"90%\")",
    );
    change(
        &place,
        "mix: [",
        "strata: [(name: \"quiet\", weight: \"80%\", trials: 46), (name: \"rough\", weight: \"20%\", trials: 30, faults: [\"cut\", \"noise\", \"drift\"])],
    mix: [",
    );
    assert_eq!(run(&place, "out", &[]), Some(0));
    let report = campaign_from_json(&text(&place.join("out/campaign.json"))).expect("a report");
    let shares: Vec<(&str, u64)> = report.strata.iter().map(|part| (part.name.as_str(), part.trials)).collect();
    assert_eq!(shares, [("quiet", 46), ("rough", 30)]);
    let table = read_trials(&text(&place.join("out/trials.csv"))).expect("a table");
    assert!(table.trials.iter().filter(|trial| trial.stratum == "quiet").all(|trial| trial.faults.is_empty()));
    // By hand: 0.8 (1 - 0.05^(1/46)) + 0.2 (1 - 0.05^(1/30)) = 6.9446 %.
    let bound = report.failure_upper.as_millionths();
    assert!((6_944_000..6_945_000).contains(&bound), "{bound}");
}
