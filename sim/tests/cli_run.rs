//! `cooltwin run` as a user meets it: exit codes, what is printed, and which folders are written and spared.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{assert_valid, code, cooltwin, copy_data, entries, folder, json, output, stderr, stdout, text};

/// Documented in `cli/exit.rs`; written out here, since scripts rely on the numbers.
const FAIL: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const INVALID: Option<i32> = Some(3);
const NOTHING: Option<i32> = Some(4);
const INCONCLUSIVE: Option<i32> = Some(5);
const PASS: Option<i32> = Some(0);

/// What every run writes.
const WRITTEN: [&str; 8] =
    [".cooltwin", "budgets.csv", "events.jsonl", "figures", "junit.xml", "report.html", "result.json", "summary.md"];

const EXPECTS_WRONG: &str = "expectations=[Outcome(is: Dead)]";
/// No update, and no expectation that there is none: nothing was measured.
const REFUSED: [&str; 2] = ["user.consent=Refuse(after: \"1s\")", "expectations=[]"];

fn place(name: &str) -> PathBuf {
    let place = folder(name);
    copy_data(&place, &["small.ron", "faulty.ron"]);
    place
}

/// Everything in a folder that was not there at first.
fn new_entries(place: &Path) -> Vec<String> {
    entries(place).into_iter().filter(|name| !name.ends_with(".ron")).collect()
}

#[test]
fn the_exit_code_says_how_it_went() {
    let place = place("run-codes");
    let ends = |arguments: &[&str]| code(&output(&place, arguments));
    assert_eq!(ends(&["run", "small.ron"]), PASS);
    assert_eq!(ends(&["run", "small.ron", "--set", EXPECTS_WRONG]), FAIL);
    assert_eq!(ends(&["run", "small.ron", "--set", "time_limit=10s"]), FAIL);
    assert_eq!(ends(&["run", "small.ron", "--set", REFUSED[0], "--set", REFUSED[1]]), INCONCLUSIVE);
    assert_eq!(ends(&["run", "no-such-file.ron"]), USAGE);
    assert_eq!(ends(&["run", "small.ron", "--no-such-option"]), USAGE);
    assert_eq!(ends(&["run", "small.ron", "-q", "-v"]), USAGE);
    assert_eq!(ends(&["run", "small.ron", "--set", "pumps.count=99"]), INVALID);
    assert_eq!(ends(&["run"]), NOTHING);
    assert_eq!(ends(&["run", "--help"]), PASS);
}

#[test]
fn of_several_scenarios_the_worst_exit_code_counts() {
    let place = place("run-worst");
    let with = |name: &str, field: &str| {
        fs::write(place.join(name), format!("(extends: \"small.ron\", {field})")).expect("a scenario");
    };
    with("fails.ron", "expectations: [Outcome(is: Dead)]");
    with("says-nothing.ron", "user: (consent: Refuse(after: \"1s\")), expectations: []");
    let ends = |files: &[&str]| code(&output(&place, &[&["run", "-q"], files].concat()));
    assert_eq!(ends(&["small.ron", "says-nothing.ron"]), INCONCLUSIVE);
    assert_eq!(ends(&["says-nothing.ron", "fails.ron", "small.ron"]), FAIL);
    assert_eq!(ends(&["fails.ron", "says-nothing.ron", "small.ron"]), FAIL);
}

#[test]
fn nothing_is_written_for_an_invalid_scenario() {
    let place = place("run-invalid");
    for arguments in [["--set", "pumps.count=99"], ["--set", "no_such_field=1"], ["--out", "out"]] {
        let arguments = [&["run", "small.ron", "no-such-file.ron"], &arguments[..]].concat();
        assert_ne!(code(&output(&place, &arguments)), PASS);
        assert_eq!(new_entries(&place), Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn json_is_one_valid_line_for_each_scenario_and_is_what_is_written() {
    let place = place("run-json");
    let ended = output(&place, &["run", "small.ron", "faulty.ron", "--json", "--out", "out"]);
    assert_eq!((code(&ended), stderr(&ended)), (PASS, ""));
    let lines: Vec<&str> = stdout(&ended).lines().collect();
    assert_eq!(lines.len(), 2);
    for (line, name) in lines.iter().zip(["small", "faulty"]) {
        assert_valid(line);
        assert_eq!(json(line)["scenario"]["name"], name);
        let folder = place.join("out").join(name).join("1");
        assert_eq!(text(&folder.join("result.json")), format!("{line}\n"));
        assert_eq!(entries(&folder), WRITTEN);
    }
}

#[test]
fn results_of_every_verdict_are_valid() {
    let place = place("run-valid");
    let wrong = ["--set", EXPECTS_WRONG];
    let limited = ["--set", "time_limit=10s"];
    let open = ["--set", REFUSED[0], "--set", REFUSED[1]];
    for (arguments, verdict) in [(&wrong[..], "fail"), (&limited[..], "error"), (&open[..], "inconclusive")] {
        let ended = output(&place, &[&["run", "faulty.ron", "--json"], arguments].concat());
        assert_valid(stdout(&ended).trim_end());
        assert_eq!(json(stdout(&ended))["verdict"], verdict);
    }
}

#[test]
fn every_event_has_the_four_documented_fields_and_its_place_in_time() {
    let place = place("run-events");
    assert_eq!(code(&output(&place, &["run", "faulty.ron", "--out", "out", "-q"])), PASS);
    let mut last = 0.0;
    for line in text(&place.join("out/events.jsonl")).lines() {
        let event = json(line);
        let mut fields: Vec<&String> = event.as_object().expect("an object").keys().collect();
        fields.sort();
        assert_eq!(fields, ["data", "kind", "node", "t_ms"], "{line}");
        let t_ms = event["t_ms"].as_f64().expect("a time");
        assert!(t_ms >= last, "{line} comes after {last} ms");
        last = t_ms;
    }
    assert!(last > 0.0);
}

#[test]
fn without_out_the_folder_is_named_by_scenario_and_seed() {
    let place = place("run-default");
    assert_eq!(code(&output(&place, &["run", "small.ron", "-q"])), PASS);
    assert_eq!(code(&output(&place, &["run", "small.ron", "-q", "--seed", "42"])), PASS);
    assert_eq!(new_entries(&place), ["cooltwin-out"]);
    assert_eq!(entries(&place.join("cooltwin-out")), ["small"]);
    assert_eq!(entries(&place.join("cooltwin-out/small")), ["1", "42"]);
}

/// The only folder of a run with overrides of that seed.
fn variant(of: &Path, seed: &str) -> PathBuf {
    let names = entries(of);
    let [name] = &names.iter().filter(|name| name.starts_with(&format!("{seed}+"))).collect::<Vec<_>>()[..] else {
        panic!("{names:?} holds not one variant");
    };
    of.join(name)
}

#[test]
fn a_run_with_overrides_never_replaces_the_one_without() {
    let place = place("run-variants");
    let run = |set: &[&str]| {
        let set: Vec<&str> = set.iter().flat_map(|one| ["--set", one]).collect();
        code(&output(&place, &[&["run", "small.ron", "-q"][..], &set].concat()))
    };
    assert_eq!(run(&[]), PASS);
    let before = text(&place.join("cooltwin-out/small/1/result.json"));
    assert_eq!(run(&["supply.nominal=22V"]), PASS);
    assert_eq!(text(&place.join("cooltwin-out/small/1/result.json")), before);
    // The hash is that of the overrides: sha256("supply.nominal=22V") begins so.
    assert_eq!(entries(&place.join("cooltwin-out/small")), ["1", "1+c9d5a51b"]);
    assert_eq!((run(&["supply.nominal=22V"]), run(&["supply.nominal=23V"])), (PASS, PASS));
    assert_eq!(entries(&place.join("cooltwin-out/small")).len(), 3);
    assert_eq!(run(&["seed=7"]), PASS);
    assert_eq!(entries(&place.join("cooltwin-out/small")).last().map(String::as_str), Some("7"));
    // All of them side by side, each by its own name.
    assert_eq!(code(&output(&place, &["report", "cooltwin-out", "--out", "all", "--format", "md"])), PASS);
    assert_eq!(entries(&place.join("all/small")), entries(&place.join("cooltwin-out/small")));
}

#[test]
fn a_window_that_the_run_does_not_reach_is_warned_of() {
    let place = place("run-window");
    let told = |window: &str| {
        let ended = output(&place, &["run", "small.ron", "-q", "--vcd", "bus.vcd", "--vcd-bus", window]);
        assert_eq!(code(&ended), PASS);
        stderr(&ended).to_owned()
    };
    let late = told("5000s..5001s");
    assert!(late.starts_with("warning: the run ended at ") && late.contains("5000s..5001s of --vcd-bus"), "{late}");
    assert_eq!(told("1s..1.001s"), "");
}

#[test]
fn a_fault_that_acts_again_tells_each_time_or_the_last_of_many() {
    let place = place("run-again");
    let injection = |count: u32| {
        let fault = format!(
            "faults=[(kind: Sag(to: \"22V\"), place: Supply, trigger: At(\"3s\"), duration: \"10ms\", repeat: (count: {count}, period: \"100ms\"))]"
        );
        let ended = output(&place, &["run", "small.ron", "--set", &fault, "--out", "out", "--json"]);
        assert_eq!(code(&ended), PASS, "{}", stderr(&ended));
        assert_valid(stdout(&ended).trim_end());
        json(stdout(&ended))["injections"][0].clone()
    };
    let told = |count| {
        let injection = injection(count);
        let again = injection["again_ms"].as_array().map_or(0, Vec::len);
        let last = injection["again_ms"].as_array().and_then(|times| times.last()?.as_f64());
        (injection["activations"].as_u64(), again, last.zip(injection["at_ms"].as_f64()).map(|(last, at)| last - at))
    };
    assert_eq!(told(1), (Some(1), 0, None));
    assert_eq!(told(25), (Some(25), 24, Some(2_400.0)));
    assert_eq!(told(26), (Some(26), 1, Some(2_500.0)), "the last alone");
}

#[test]
fn a_folder_is_for_check_and_run_says_so() {
    let place = place("run-folder");
    fs::create_dir(place.join("suite")).expect("a folder");
    copy_data(&place.join("suite"), &["small.ron"]);
    let ended = output(&place, &["run", "suite"]);
    assert_eq!((code(&ended), stdout(&ended)), (Some(2), ""));
    let wanted = "error: suite is a folder, and `run` takes scenario files\nhelp: `cooltwin check suite` runs all scenarios in it\n";
    assert_eq!(stderr(&ended), wanted);
    assert!(!place.join("cooltwin-out").exists());
    let ended = output(&place, &["check", "suite"]);
    assert_eq!(code(&ended), PASS, "{}", stderr(&ended));
    let none = output(&place, &["run"]);
    assert_eq!((code(&none), stdout(&none)), (Some(4), ""));
    assert!(!stderr(&none).contains("folder of them"), "{}", stderr(&none));
    let begin = output(&place, &["--help"]);
    assert!(
        stdout(&begin).contains("\n  cooltwin scenario new NAME ")
            && stdout(&begin).contains("\n  4  nothing to run or to shrink")
    );
    let help = output(&place, &["run", "--help"]);
    assert!(stdout(&help).contains("Scenario files, one by one; `cooltwin check FOLDER` runs all of a folder"));
}

#[test]
fn a_run_without_power_says_so() {
    let place = place("run-dark");
    let ended = output(&place, &["run", "small.ron", "--set", "supply.nominal=5V"]);
    assert_eq!(code(&ended), FAIL);
    let cause = "no board ever had power: at most 5.00 V came, and a board starts at 9.50 V";
    // Broken at a word in the 100 columns of a pipe.
    let verdict = |ended: &Output| {
        let lines: Vec<&str> = stdout(ended).lines().collect();
        let begin = lines.iter().rposition(|line| line.starts_with("ERROR")).expect("a verdict");
        lines[begin..lines.len() - 1].iter().map(|line| line.trim_start()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(verdict(&ended), format!("ERROR  small: the time limit came before the end: {cause}"));
    let ended = output(&place, &["run", "small.ron", "--set", "supply.nominal=12V"]);
    let cause = "the supply came to 12.00 V at most, and no update is begun below 18.00 V";
    assert_eq!(verdict(&ended), format!("ERROR  small: the time limit came before the end: {cause}"));
}

/// Nothing random: said so, and another seed gives the same trace. A random fault: neither.
#[test]
fn a_seed_without_effect_is_called_that() {
    let place = place("run-seed");
    let note = "(nothing in this scenario is random)";
    let ran = |more: &[&str]| {
        let ended = output(&place, &[&["run", "small.ron", "--out", "out"], more].concat());
        (stdout(&ended).contains(note), json(&text(&place.join("out/result.json")))["fingerprint"]["all"].clone())
    };
    let noise = "faults=[(kind: BitErrors(rate: \"20ppm\"), place: Bus, trigger: At(\"1s\"))]";
    let (plain, other) = (ran(&[]), ran(&["--seed", "2"]));
    assert!(plain.0 && plain == other, "{plain:?} {other:?}");
    let (noisy, other) = (ran(&["--set", noise]), ran(&["--set", noise, "--seed", "2"]));
    assert!(!noisy.0 && !other.0 && noisy.1 != other.1, "{noisy:?} {other:?}");
}

#[test]
fn a_folder_that_is_not_ours_is_refused_and_left_alone() {
    let place = place("run-foreign");
    fs::create_dir(place.join("theirs")).expect("a folder");
    fs::write(place.join("theirs/result.json"), "precious").expect("a file");
    fs::write(place.join("file"), "precious").expect("a file");
    for out in ["theirs", "file", ".", "..", "theirs/.."] {
        for more in [&[][..], &["--record"]] {
            let ended = output(&place, &[&["run", "small.ron", "--out", out], more].concat());
            assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""), "{out}");
            assert!(stderr(&ended).starts_with("error: small: "), "{}", stderr(&ended));
        }
    }
    assert_eq!(new_entries(&place), ["file", "theirs"]);
    assert_eq!(entries(&place.join("theirs")), ["result.json"]);
    assert_eq!(
        (text(&place.join("theirs/result.json")), text(&place.join("file"))),
        ("precious".into(), "precious".into())
    );
}

#[test]
fn a_folder_of_ours_is_replaced_as_a_whole_and_an_empty_one_is_filled() {
    let place = place("run-replace");
    fs::create_dir(place.join("out")).expect("a folder");
    assert_eq!(code(&output(&place, &["run", "small.ron", "--out", "out", "--record", "-q"])), PASS);
    let mut recorded = [&WRITTEN[..], &["recording.jsonl"]].concat();
    recorded.sort_unstable();
    assert_eq!(entries(&place.join("out")), recorded);
    assert_eq!(code(&output(&place, &["run", "faulty.ron", "--out", "out/", "-q"])), PASS);
    assert_eq!(entries(&place.join("out")), WRITTEN);
    assert_eq!(json(&text(&place.join("out/result.json")))["scenario"]["name"], "faulty");
    assert_eq!(new_entries(&place), ["out"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_an_error_before_the_run() {
    let place = place("run-unwritable");
    fs::write(place.join("file"), "").expect("a file");
    for out in ["file/below", "/proc/cooltwin"] {
        let ended = output(&place, &["run", "small.ron", "--out", out]);
        assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""));
        let said = stderr(&ended);
        assert!(said.starts_with("error: small: cannot write ") && said.lines().count() == 1, "{said}");
    }
}

/// A limit on the size of files makes writing fail in the middle, as a full disk does.
#[test]
fn a_failure_in_the_middle_of_writing_leaves_what_was_there() {
    let place = place("run-full");
    assert_eq!(code(&output(&place, &["run", "small.ron", "--out", "out", "-q"])), PASS);
    let before = text(&place.join("out/result.json"));
    for more in ["", "--record"] {
        let program = env!("CARGO_BIN_EXE_cooltwin");
        let line = format!("trap '' XFSZ; ulimit -f 8; exec '{program}' run small.ron --seed 9 -q --out out {more}");
        let ended = Command::new("sh").current_dir(&place).args(["-c", &line]).output().expect("a shell");
        assert_eq!(code(&ended), USAGE, "{}", stderr(&ended));
        assert!(stderr(&ended).contains("cannot write "), "{}", stderr(&ended));
        assert_eq!(text(&place.join("out/result.json")), before);
        assert_eq!(new_entries(&place), ["out"]);
    }
}

#[test]
fn two_scenarios_never_write_to_the_same_folder() {
    let place = place("run-shared");
    fs::create_dir(place.join("a")).expect("a folder");
    fs::copy(place.join("small.ron"), place.join("a/small.ron")).expect("a copy");
    let ended = output(&place, &["run", "small.ron", "a/small.ron"]);
    assert_eq!((code(&ended), stdout(&ended)), (USAGE, ""));
    assert!(stderr(&ended).contains("two scenarios would write to cooltwin-out/small/1"), "{}", stderr(&ended));
    assert_eq!(new_entries(&place), ["a"]);
}

#[test]
fn no_name_gets_out_of_the_output_folder() {
    let place = place("run-names");
    for name in ["..", "../evil", "a/b", "/evil", ".hidden", "-", "a b", "a\\b", "name\n", "é"] {
        let ended = output(&place, &["run", "small.ron", "--set", &format!("name=\"{}\"", name.escape_default())]);
        assert_eq!(code(&ended), INVALID, "{name:?}: {}", stderr(&ended));
    }
    assert_eq!(new_entries(&place), Vec::<String>::new());
    fs::rename(place.join("small.ron"), place.join("with space.ron")).expect("a name");
    assert_eq!(code(&output(&place, &["run", "with space.ron"])), INVALID);
    assert_eq!(code(&output(&place, &["run", "with space.ron", "--set", "name=without"])), PASS);
}

/// A pipe whose reader goes away at once; the results are written all the same, and their exit code stands.
#[test]
fn a_closed_pipe_is_no_error() {
    let place = place("run-pipe");
    for (more, ends) in [(&["-vv"][..], PASS), (&["--json"], PASS), (&["--set", EXPECTS_WRONG], FAIL)] {
        let arguments = [&["run", "small.ron", "faulty.ron", "--out", "out"], more].concat();
        let mut child =
            cooltwin(&place, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(code(&ended), ends, "{}", stderr(&ended));
        let is_progress = |line: &&str| line.ends_with(" s simulated") || line.contains(": results in out/");
        let said = stderr(&ended).lines().filter(|line| !is_progress(line)).count();
        assert_eq!(said, 0, "{}", stderr(&ended));
        assert_eq!(entries(&place.join("out")), ["faulty", "small"]);
        fs::remove_dir_all(place.join("out")).expect("a folder");
    }
    let line = format!("'{}' run small.ron --json | head -c 10", env!("CARGO_BIN_EXE_cooltwin"));
    let ended = Command::new("sh").current_dir(&place).args(["-c", &line]).output().expect("a shell");
    assert_eq!((stdout(&ended), code(&ended)), ("{\"schema\":", PASS));
    assert!(!stderr(&ended).contains("error"), "{}", stderr(&ended));
}

#[test]
fn quiet_prints_the_verdict_and_verbose_prints_more() {
    let place = place("run-verbosity");
    let printed = |more: &[&str]| stdout(&output(&place, &[&["run", "small.ron"], more].concat())).to_owned();
    let [quiet, normal, verbose, very] = [&["-q"][..], &[], &["-v"], &["-vv"]].map(printed);
    let last: Vec<&str> = normal.lines().rev().take(2).collect();
    assert_eq!(quiet.lines().rev().collect::<Vec<_>>(), last);
    assert!(last[1].starts_with("PASS  small: ") && last[0] == "cooltwin run small.ron --seed 1", "{last:?}");
    let lengths = [&quiet, &normal, &verbose, &very].map(|text| text.lines().count());
    assert!(lengths.is_sorted_by(|less, more| less < more), "{lengths:?}");
    assert!(!normal.contains("transfer") && verbose.contains("transfer"));
    let fingerprint = json(&text(&place.join("cooltwin-out/small/1/result.json")))["fingerprint"]["all"].clone();
    let fingerprint = fingerprint.as_str().expect("text");
    assert!(!verbose.contains(fingerprint) && very.contains(fingerprint));
}

#[test]
fn progress_is_plain_lines_on_a_pipe_and_silent_when_not_wanted() {
    let place = place("run-progress");
    let ended = output(&place, &["run", "small.ron"]);
    let mut lines: Vec<&str> = stderr(&ended).lines().collect();
    assert_eq!(lines.pop(), Some("small: results in cooltwin-out/small/1"));
    assert!(!lines.is_empty(), "no progress");
    for line in lines {
        let told = line.strip_prefix("small: ").and_then(|line| line.split_once(" of 3 pumps after "));
        let (pumps, time) = told.unwrap_or_else(|| panic!("{line:?}"));
        assert!(["1", "2", "3"].contains(&pumps) && time.ends_with(" s simulated"), "{line:?}");
    }
    for silent in ["-q", "--json"] {
        assert_eq!(stderr(&output(&place, &["run", "small.ron", silent])), "");
    }
}

#[test]
fn colours_are_as_asked_for() {
    let place = place("run-color");
    let coloured = |when: &str, environment: &[(&str, &str)]| {
        let arguments = ["run", "small.ron", "--color", when];
        let ended = cooltwin(&place, &arguments).envs(environment.iter().copied()).output().expect("it starts");
        stdout(&ended).contains('\u{1b}')
    };
    assert!(coloured("always", &[]) && coloured("always", &[("NO_COLOR", "1")]));
    assert!(!coloured("never", &[]) && !coloured("never", &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured("auto", &[]) && coloured("auto", &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured("auto", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn the_printed_command_runs_the_same_again() {
    let place = place("run-reproduce");
    let first = output(
        &place,
        &["run", "faulty.ron", "--set", "title=\"it's $HOME\"", "--set", "supply.nominal=22V", "--seed", "77", "-q"],
    );
    assert_eq!(code(&first), PASS, "{}", stdout(&first));
    let command = stdout(&first).lines().last().expect("a command").to_owned();
    assert_eq!(command, r#"cooltwin run faulty.ron --seed 77 --set 'title="it'\''s $HOME"' --set supply.nominal=22V"#);
    let folder = variant(&place.join("cooltwin-out/faulty"), "77");
    let result = || json(&text(&folder.join("result.json")));
    let expected = result();
    assert_eq!(expected["seed"], "77");
    assert_eq!(expected["scenario"]["overrides"].as_array().map(Vec::len), Some(3));
    fs::remove_dir_all(place.join("cooltwin-out")).expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_cooltwin")).parent().expect("a folder");
    let line = format!("PATH='{}':$PATH; {command}", program.display());
    let again = Command::new("sh").current_dir(&place).args(["-c", &line]).output().expect("a shell");
    assert_eq!(code(&again), PASS, "{}", stderr(&again));
    assert_eq!(result()["fingerprint"], expected["fingerprint"]);
    assert_eq!(result()["scenario"]["sha256"], expected["scenario"]["sha256"]);
}

/// Stopped in the middle of a run: no result folder, and what a recording left behind goes with the next run.
#[test]
fn an_interrupted_run_leaves_no_half_written_folder() {
    let place = place("run-interrupted");
    let long = common::shipped("nominal-14.ron").display().to_string();
    for more in [&[][..], &["--record"]] {
        // Hours of it take minutes: however late the signal comes, the run is far from its end.
        let hours = ["--set", "end=At(\"23h\")", "--set", "time_limit=\"24h\""];
        let arguments = [&["run", &long, "--out", "out"], &hours[..], more].concat();
        let mut child =
            cooltwin(&place, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // The first line of progress: the run has begun.
        let mut line = String::new();
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        errors.read_line(&mut line).expect("a line");
        assert!(line.contains("1 of 14 pumps"), "{line}");
        // Not SIGINT: whoever is started in the background of a script has it ignored.
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
        let ended = child.wait().expect("it ends");
        assert!(!ended.success());
        assert!(!place.join("out").exists());
        assert_eq!(new_entries(&place).len(), more.len(), "{:?}", new_entries(&place));
    }
    assert_eq!(code(&output(&place, &["run", "small.ron", "--out", "out", "-q"])), PASS);
    assert_eq!(new_entries(&place), ["out"]);
}

/// What the README shows is what its first command prints.
#[test]
fn the_readme_shows_the_nominal_run_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let scenario = root.join("scenarios/nominal-14.ron");
    let place = place("run-readme");
    let ran = output(&place, &["run", scenario.to_str().expect("a path"), "--out", "out"]);
    assert_eq!(code(&ran), PASS);
    let printed = String::from_utf8(ran.stdout).expect("text");
    let shown = printed.lines().skip_while(|line| !line.starts_with("Pumps ")).filter(|line| !line.is_empty());
    // The last line names the file as it was given.
    let shown: Vec<_> = shown.filter(|line| !line.starts_with("cooltwin run")).collect();
    assert!(shown.len() > 20, "{printed}");
    let missing: Vec<_> = shown.iter().filter(|line| !readme.lines().any(|known| known == **line)).collect();
    assert!(missing.is_empty(), "not in the README: {missing:#?}");
}
