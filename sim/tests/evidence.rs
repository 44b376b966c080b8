//! Evidence bundles: whole, the same each time, in reach of two clicks, and nothing in them can be changed unseen.

mod common;
#[path = "../build/version.rs"]
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{code, cooltwin, copy_data, files, folder, json, output, shipped, stderr, stdout, text};
use cooltwin::checks::{END_IDS, IDS, REQUIREMENTS, Verification};
use cooltwin::evidence::{links, named_tests};
use reports::{Baseline, NamedTest, Scope, StatementKind, baseline, sha256};

/// A scenario that takes no time, one with a fault and a retry, and one that is too long for a suite.
fn place(name: &str) -> PathBuf {
    let place = folder(name);
    fs::create_dir(place.join("suite")).expect("a folder");
    copy_data(&place.join("suite"), &["small.ron", "faulty.ron"]);
    fs::write(place.join("suite/night.ron"), NIGHT).expect("a scenario");
    place
}

const NIGHT: &str = "(tags: [\"long\"], pumps: (count: 1), package: (image: (length: \"8KiB\")))";

fn evidence(place: &Path, out: &str) {
    let made = output(place, &["evidence", "--allow-dirty", "--out", out, "suite"]);
    assert_eq!(code(&made), Some(0), "{}{}", stdout(&made), stderr(&made));
}

/// A bundle that all tests read and none changes.
fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let place = place("evidence-shared");
        evidence(&place, "bundle");
        place.join("bundle")
    })
}

/// A copy of it to tamper with, beside its name alone.
fn copy(name: &str) -> PathBuf {
    let target = folder(name).join("bundle");
    for file in files(shared()) {
        let to = target.join(&file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(shared().join(&file), to).expect("a copy");
    }
    target
}

/// What a forger does after a change: a manifest that fits again.
fn forge_manifest(bundle: &Path) {
    let mut names = files(bundle);
    names.remove("manifest.sha256");
    let line = |name: &String| format!("{}  {name}\n", sha256(&fs::read(bundle.join(name)).expect("a file")));
    fs::write(bundle.join("manifest.sha256"), names.iter().map(line).collect::<String>()).expect("a manifest");
}

fn replace(file: &Path, from: &str, to: &str) {
    let before = text(file);
    assert!(before.contains(from), "{} has no {from}", file.display());
    fs::write(file, before.replacen(from, to, 1)).expect("a file");
}

/// git in a folder, with nothing of this machine's settings.
fn git(place: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(place).args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]);
    git.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", stderr(&output));
    stdout(&output).trim().to_owned()
}

/// A repository of its own in which everything is committed.
fn repository(place: &Path) -> String {
    git(place, &["init", "-q"]);
    git(place, &["add", "."]);
    git(place, &["commit", "-q", "-m", "all"]);
    git(place, &["rev-parse", "HEAD"])
}

/// Exit code and output of `verify`.
fn verify(bundle: &Path) -> (Option<i32>, String) {
    let done = output(bundle.parent().expect("a folder"), &["verify", "bundle"]);
    (code(&done), stdout(&done).to_owned() + if stdout(&done).is_empty() { stderr(&done) } else { "" })
}

#[track_caller]
fn assert_found(bundle: &Path, wanted_code: i32, wanted: &[&str]) {
    let (code, told) = verify(bundle);
    for words in wanted {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    assert_eq!(code, Some(wanted_code), "{told}");
}

#[test]
fn a_bundle_has_all_its_files_and_the_manifest_holds_them() {
    let bundle = shared();
    let names = files(bundle);
    for wanted in [
        "index.html",
        "requirements.html",
        "traceability.html",
        "faults.html",
        "controls.html",
        "assumptions.html",
        "tool.html",
        "checklist.html",
        "requirements.csv",
        "traceability.csv",
        "faults.csv",
        "budgets.csv",
        "junit.xml",
        "summary.md",
        "needs.json",
        "bundle.json",
        "requirements/pfu.csv",
        "requirements/ssr.csv",
        "sources/Cargo.lock",
        "sources/sources.sha256",
        "runs/small/1/scenario.ron",
        "runs/small/1/result.json",
        "runs/small/1/events.jsonl",
        "runs/small/1/report.html",
    ] {
        assert!(names.contains(wanted), "{wanted} is not in {names:?}");
    }
    let manifest = text(&bundle.join("manifest.sha256"));
    let listed: BTreeMap<&str, &str> = manifest
        .lines()
        .map(|line| line.split_once("  ").expect("two columns"))
        .map(|(hash, name)| (name, hash))
        .collect();
    assert_eq!(listed.len() + 1, names.len());
    for name in names.iter().filter(|name| *name != "manifest.sha256") {
        assert_eq!(listed[name.as_str()], sha256(&fs::read(bundle.join(name)).expect("a file")), "{name}");
    }
}

#[test]
fn the_same_bundle_comes_out_twice_and_with_any_number_of_threads() {
    let place = place("evidence-twice");
    let made = output(&place, &["evidence", "--allow-dirty", "--jobs", "1", "--out", "other", "suite"]);
    assert_eq!(code(&made), Some(0), "{}", stderr(&made));
    let other = place.join("other");
    assert_eq!(files(&other), files(shared()));
    for name in files(&other) {
        assert!(fs::read(other.join(&name)).ok() == fs::read(shared().join(&name)).ok(), "{name} differs");
    }
    let again = output(&place, &["evidence", "--allow-dirty", "--out", "other", "suite/small.ron"]);
    assert_eq!(code(&again), Some(0), "an own folder is replaced: {}", stderr(&again));
    assert!(stderr(&again).contains("note: other holds an earlier bundle; it is replaced"), "{}", stderr(&again));
    assert!(!stderr(&made).contains("earlier bundle"), "{}", stderr(&made));
    assert!(!other.join("runs/faulty").exists());
}

/// The program that runs the tests may itself be built from changed sources; then that is the only reason in a clean repository.
#[test]
fn files_that_were_changed_or_are_in_no_commit_are_refused_unless_told() {
    let place = folder("evidence-dirty");
    fs::create_dir(place.join("suite")).expect("a folder");
    copy_data(&place.join("suite"), &["small.ron"]);
    repository(&place);
    let made = |options: &[&str]| output(&place, &[&["evidence", "--out", "bundle", "suite"], options].concat());
    let clean = made(&[]);
    let own = stderr(&clean).contains("this program was built from sources that were changed");
    assert_eq!(code(&clean), Some(if own { 2 } else { 0 }), "{}", stderr(&clean));
    assert!(!stderr(&clean).contains("files "), "{}", stderr(&clean));

    fs::copy(place.join("suite/small.ron"), place.join("suite/new.ron")).expect("a copy");
    let untracked = made(&[]);
    assert_eq!(code(&untracked), Some(2), "{}", stdout(&untracked));
    assert!(stderr(&untracked).contains("files are in no commit: ") && stderr(&untracked).contains("new.ron"));
    assert!(!stderr(&untracked).contains("small.ron"), "{}", stderr(&untracked));

    fs::write(place.join(".gitignore"), "new.ron\n").expect("a file");
    assert!(stderr(&made(&[])).contains("files are in no commit: "), "nor does it help to ignore it");

    let more = text(&place.join("suite/small.ron")) + "// more\n";
    fs::write(place.join("suite/small.ron"), more).expect("a scenario");
    let changed = made(&[]);
    assert_eq!(code(&changed), Some(2), "{}", stdout(&changed));
    assert!(
        stderr(&changed).contains("files were changed since their commit: ") && stderr(&changed).contains("small.ron")
    );

    let told = made(&["--allow-dirty"]);
    assert_eq!(code(&told), Some(0), "{}", stderr(&told));
    assert!(stdout(&told).contains("DIRTY  "), "{}", stdout(&told));
    let page = text(&place.join("bundle/tool.html"));
    assert!(page.contains("0 as committed, 1 changed since, 1 in no commit"));
}

#[test]
fn without_git_nothing_is_known_of_the_files_and_nothing_is_claimed() {
    let place = folder("evidence-no-git");
    fs::create_dir(place.join("suite")).expect("a folder");
    copy_data(&place.join("suite"), &["small.ron"]);
    let without = |how: &str, command: &mut Command| {
        let made = command.output().expect("the program starts");
        assert_eq!(code(&made), Some(0), "{how}: {}", stderr(&made));
        let page = text(&place.join("bundle/tool.html"));
        assert!(page.contains("version control could not be asked") && !page.contains(" as committed"), "{how}");
    };
    let arguments = ["evidence", "--allow-dirty", "--out", "bundle", "suite"];
    without("no program", cooltwin(&place, &arguments).env("PATH", "/nowhere"));
    // A file of that name cuts the folder off from the repository around it.
    fs::write(place.join(".git"), "gitdir: nowhere\n").expect("a file");
    without("no repository", &mut cooltwin(&place, &arguments));
}

/// What the build script records. A source that is ignored goes into the program like any other.
#[test]
fn the_commit_is_marked_for_changed_new_and_ignored_sources_and_unknown_without_a_repository() {
    let place = folder("evidence-commit");
    let sources = [PathBuf::from("src/lib.rs")];
    let with = |file: &str| [&sources[..], &[PathBuf::from(file)]].concat();
    fs::create_dir(place.join("src")).expect("a folder");
    fs::write(place.join("src/lib.rs"), "// one\n").expect("a source");
    fs::write(place.join(".gitignore"), "ignored.rs\n").expect("a file");
    let head = repository(&place);
    let dirty = Some(format!("{head}-dirty"));
    assert_eq!(version::commit(&place, &sources), Some(head.clone()));

    // The same bytes at another time are what git would note in its index, and the next build would look at that.
    fs::write(place.join("src/lib.rs"), "// one\n").expect("a source");
    let source = fs::File::options().write(true).open(place.join("src/lib.rs")).expect("a source");
    source.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("a time");
    let index = || fs::read(place.join(".git/index")).expect("an index");
    let before = index();
    assert_eq!(version::commit(&place, &sources), Some(head.clone()));
    assert!(index() == before, "to look at the sources writes nothing");
    git(&place, &["status"]);
    assert!(index() != before, "git had something to note");

    fs::write(place.join("note.txt"), "no source").expect("a file");
    assert_eq!(version::commit(&place, &sources), Some(head), "what is no source does not enter");
    for file in ["src/new.rs", "src/ignored.rs"] {
        fs::write(place.join(file), "// two\n").expect("a source");
        assert_eq!(version::commit(&place, &with(file)), dirty, "{file}");
    }
    fs::write(place.join("src/lib.rs"), "// changed\n").expect("a source");
    assert_eq!(version::commit(&place, &sources), dirty);

    fs::remove_dir_all(place.join(".git")).expect("a folder");
    fs::write(place.join(".git"), "gitdir: nowhere\n").expect("a file");
    assert_eq!(version::commit(&place, &sources), None, "the build script writes `unknown`");
}

/// A result that is said to be stored is not run again, which is for long scenarios alone.
#[test]
fn a_run_that_says_it_is_stored_and_is_not_long_is_named() {
    let bundle = copy("evidence-not-long");
    let path = bundle.join("bundle.json");
    let mut record = json(&text(&path));
    let runs = record["runs"].as_array_mut().expect("runs");
    let run = runs.iter_mut().find(|run| run["name"] == "small").expect("a run");
    run["origin"] = "stored".into();
    fs::write(&path, reports::bundle_json(&reports::bundle_from_json(&record.to_string()).expect("a record")))
        .expect("a record");
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["run small, seed 1: it is said to be stored, and its scenario has no tag long"]);
}

#[test]
fn a_foreign_folder_is_refused_and_left_as_it_is() {
    let place = place("evidence-foreign");
    fs::create_dir(place.join("mine")).expect("a folder");
    fs::write(place.join("mine/thesis.txt"), "years of work").expect("a file");
    let refused = output(&place, &["evidence", "--allow-dirty", "--out", "mine", "suite"]);
    assert_eq!(code(&refused), Some(2));
    assert_eq!(files(&place.join("mine")).into_iter().collect::<Vec<_>>(), ["thesis.txt"]);
    assert_eq!(code(&output(&place, &["verify", "mine"])), Some(2), "nor is it a bundle");
}

#[test]
fn a_bundle_and_results_do_not_replace_each_other() {
    let place = place("evidence-results");
    let ran = output(&place, &["run", "suite/small.ron", "--out", "results", "-q"]);
    assert_eq!(code(&ran), Some(0), "{}", stderr(&ran));
    let refused = output(&place, &["evidence", "--allow-dirty", "--out", "results", "suite/small.ron"]);
    assert_eq!(code(&refused), Some(2));
    assert!(stderr(&refused).contains("holds results of cooltwin and no evidence bundle"), "{}", stderr(&refused));
    assert!(place.join("results/result.json").is_file());

    fs::create_dir(place.join("bundle")).expect("a folder");
    fs::write(place.join("bundle/.cooltwin"), "").expect("a mark");
    fs::write(place.join("bundle/bundle.json"), "{}").expect("a record");
    let refused = output(&place, &["run", "suite/small.ron", "--out", "bundle", "-q"]);
    assert_eq!(code(&refused), Some(2));
    assert!(
        stderr(&refused).contains("holds an evidence bundle, which results do not replace"),
        "{}",
        stderr(&refused)
    );
    assert!(place.join("bundle/bundle.json").is_file());
}

/// Values of `href` and `id` in a page.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let open = format!(" {name}=\"");
    page.match_indices(&open)
        .map(|(at, _)| page[at + open.len()..].split('"').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_link_of_every_page_leads_to_a_place_in_the_bundle() {
    let pages: Vec<String> = files(shared()).into_iter().filter(|name| name.ends_with(".html")).collect();
    let ids: BTreeMap<String, BTreeSet<String>> = pages
        .iter()
        .map(|name| (name.clone(), attributes(&text(&shared().join(name)), "id").into_iter().collect()))
        .collect();
    for name in pages.iter().filter(|name| !name.contains('/')) {
        let page = text(&shared().join(name));
        let own = attributes(&page, "id");
        assert_eq!(own.len(), ids[name].len(), "{name}: an id stands twice");
        for link in attributes(&page, "href") {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if file.is_empty() { name } else { file };
            assert!(shared().join(file).is_file(), "{name}: {link}");
            assert!(anchor.is_empty() || ids[file].contains(anchor), "{name}: {link} leads nowhere");
        }
    }
}

/// First click: a link of the overview; its row has worst case, limit and margin. Second click: the proof in the run.
#[test]
fn worst_case_limit_margin_and_proof_of_a_requirement_are_two_clicks_away() {
    let index = text(&shared().join("index.html"));
    let row = index.split("<tr").find(|row| row.contains("#PFU-041\"")).expect("a row");
    let result = json(&text(&shared().join("runs/small/1/result.json")));
    let budget = &result["budgets"][0];
    assert_eq!(budget["id"], "pump-update");
    for wanted in ["&lt; 70 s", "pass", "report.html#budget-pump-update"] {
        assert!(row.contains(wanted), "{wanted} is not in {row}");
    }
    let csv = text(&shared().join("requirements.csv"));
    let line = csv.lines().find(|line| line.starts_with("PFU-041,")).expect("a row");
    let margins: Vec<String> = ["small", "faulty"]
        .iter()
        .map(|name| {
            let result = json(&text(&shared().join(format!("runs/{name}/1/result.json"))));
            result["budgets"][0]["margin"].to_string()
        })
        .collect();
    assert!(margins.iter().any(|margin| line.contains(margin.as_str())), "{line} has none of {margins:?}");
}

#[test]
fn only_executed_runs_count_and_what_was_not_run_is_named() {
    let csv = text(&shared().join("requirements.csv"));
    let status = |id: &str| {
        csv.lines()
            .find(|line| line.starts_with(&format!("{id},")))
            .expect("a row")
            .split(',')
            .nth(3)
            .expect("a status")
            .to_owned()
    };
    assert_eq!(status("PFU-019"), "pass");
    assert_eq!(status("PFU-014"), "uncovered", "its scenario is not in this bundle");
    assert_eq!(status("PFU-044"), "not verified here");
    assert_eq!(status("PFU-009"), "by construction");
    assert_eq!(status("PFU-010"), "not in scope");
    assert_eq!(status("SSR-044"), "uncovered");
    assert_eq!(status("SSR-080"), "not verified here");
    let record = json(&text(&shared().join("bundle.json")));
    assert_eq!(record["planned"].as_array().map(Vec::len), Some(3));
    assert_eq!(record["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(record["skipped"][0]["planned"]["name"], "night");
    let index = text(&shared().join("index.html"));
    assert!(index.contains("3 planned = 2 executed + 0 stored + 0 invalid + 1 skipped"), "the counts");
    assert!(index.contains("COVERAGE INCOMPLETE") && index.contains("night, seed 1: tagged long; no stored result"));
}

#[test]
fn the_checklist_has_forty_answers_and_none_is_empty() {
    let page = text(&shared().join("checklist.html"));
    let rows: Vec<&str> = page.split("<tr id=\"point-").skip(1).collect();
    assert_eq!(rows.len(), 40);
    for row in rows {
        let answer = row.rsplit("<td>").next().expect("an answer");
        let words: String = answer.split("</td>").next().expect("an answer").to_owned();
        assert!(words.len() > 20, "{row}");
        let open = ["here", "partly", "by people", "not applicable", "OPEN"];
        assert!(open.iter().any(|word| row.contains(&format!("</svg>{word}</span>"))), "{row}");
    }
}

#[test]
fn an_untouched_bundle_is_verified() {
    let (code, told) = verify(&copy("evidence-untouched"));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.starts_with("VERIFIED  bundle") && told.ends_with("(2 of 3 runs held; 1 not in the bundle)\n"),
        "{told}"
    );
}

#[test]
fn a_bundle_keeps_the_configurations_of_safety_units_even_two_of_one_name() {
    let place = folder("evidence-configurations");
    let configuration = fs::read_to_string(shipped("safety/cooling-watch.ron")).expect("a configuration");
    for (folder, text) in [("one", configuration.clone()), ("two", format!("// The other copy.\n{configuration}"))] {
        fs::create_dir_all(place.join("suite").join(folder)).expect("a folder");
        fs::write(place.join("suite").join(folder).join("watch.ron"), text).expect("a configuration");
    }
    let unit = |folder: &str, node: &str| format!("(configuration: \"{folder}/watch.ron\", node: \"{node}\")");
    let units = format!("[{}, {}]", unit("one", "hall"), unit("two", "roof"));
    let suite = format!("(campaign: false, budgets: [], pumps: (count: 1), safety_units: {units}, end: At(\"2s\"))");
    fs::write(place.join("suite/units.ron"), suite).expect("a scenario");

    evidence(&place, "bundle");
    let bundle = place.join("bundle");
    let copies: Vec<String> = files(&bundle).into_iter().filter(|file| file.contains("/inputs/")).collect();
    assert_eq!(copies, ["runs/units/1/inputs/2-watch.ron", "runs/units/1/inputs/watch.ron"]);
    // The bundle stands alone: what it was made from is gone.
    fs::remove_dir_all(place.join("suite")).expect("removed");
    assert_found(&bundle, 0, &["VERIFIED", "1 of 1 run held"]);

    // A copy that was changed is found although the manifest fits.
    replace(&bundle.join("runs/units/1/inputs/2-watch.ron"), "// The other copy.", "// Another one.");
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["run units, seed 1: its scenario cannot be run again"]);
}

#[test]
fn a_tampered_record_is_named_even_with_a_manifest_that_fits() {
    let bundle = copy("evidence-tampered");
    let events = bundle.join("runs/small/1/events.jsonl");
    replace(&events, "\"t_ms\":", "\"t_ms\": ");
    assert_found(&bundle, 1, &["ALTERED      runs/small/1/events.jsonl was altered"]);
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["ALTERED      run small, seed 1: its log of events is not that of its result"]);

    let bundle = copy("evidence-tampered-result");
    let result = bundle.join("runs/small/1/result.json");
    let told = json(&text(&result))["fingerprint"]["bus"].as_str().expect("a fingerprint").to_owned();
    replace(&result, &told, &"0".repeat(told.len()));
    let hash = |path: &Path| sha256(&fs::read(path).expect("a file"));
    let old = hash(&shared().join("runs/small/1/result.json"));
    // The forger also mends the record, so that only a second run tells.
    replace(&bundle.join("bundle.json"), &old, &hash(&result));
    forge_manifest(&bundle);
    let counted = "(1 of 3 runs held; 1 not in the bundle)";
    assert_found(&bundle, 6, &["TRACE        run small, seed 1: the trace differs in bus", counted]);
}

#[test]
fn a_missing_run_is_named_whether_or_not_the_record_still_has_it() {
    let bundle = copy("evidence-missing");
    fs::remove_dir_all(bundle.join("runs/faulty")).expect("a run");
    assert_found(&bundle, 1, &["runs/faulty/1/result.json is missing", "run faulty, seed 1: its result is missing"]);
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["run faulty, seed 1: its result is missing", "(1 of 3 runs held"]);
    let path = bundle.join("bundle.json");
    let mut record = json(&text(&path));
    record["runs"].as_array_mut().expect("runs").retain(|run| run["name"] != "faulty");
    fs::write(&path, format!("{record:#}\n")).expect("a record");
    forge_manifest(&bundle);
    assert_found(
        &bundle,
        1,
        &["faulty, seed 1 was planned and is missing", "index.html does not follow from the records"],
    );
}

#[test]
fn an_edited_requirement_is_named() {
    let bundle = copy("evidence-requirement");
    replace(&bundle.join("requirements/pfu.csv"), "stays below 70 s", "stays below 80 s");
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["ALTERED      requirement PFU-041 was edited"]);
}

#[test]
fn another_build_is_named_and_leaves_the_bundle_unconfirmed() {
    let bundle = copy("evidence-build");
    let path = bundle.join("bundle.json");
    let mut record = json(&text(&path));
    record["program"]["rustc"] = "1.94.0 (another)".into();
    record["program"]["binary_sha256"] = "0".repeat(64).into();
    fs::write(&path, reports::bundle_json(&reports::bundle_from_json(&record.to_string()).expect("a record")))
        .expect("a record");
    forge_manifest(&bundle);
    assert_found(
        &bundle,
        5,
        &["OTHER BUILD  compiler: the bundle has 1.94.0 (another)", "OTHER BUILD  executable", "INCONCLUSIVE"],
    );
}

#[test]
fn a_page_that_says_something_else_than_the_records_is_named() {
    let bundle = copy("evidence-page");
    replace(&bundle.join("index.html"), "COVERAGE INCOMPLETE", "COVERAGE COMPLETE");
    fs::write(bundle.join("note.txt"), "all is well").expect("a file");
    assert_found(&bundle, 1, &["index.html was altered", "note.txt is not in the manifest"]);
    fs::remove_file(bundle.join("note.txt")).expect("a file");
    forge_manifest(&bundle);
    assert_found(&bundle, 1, &["index.html does not follow from the records"]);
}

#[test]
fn a_stored_result_of_another_build_is_inconclusive_and_one_of_another_scenario_is_skipped() {
    let place = place("evidence-stored");
    let ran = output(&place, &["run", "suite/night.ron", "-q"]);
    assert_eq!(code(&ran), Some(0), "{}", stderr(&ran));
    let result = place.join("cooltwin-out/night/1/result.json");
    let mut other = json(&text(&result));
    other["build"]["commit"] = "0123456789".into();
    let other: reports::Report = reports::from_json(&other.to_string()).expect("a result");
    fs::write(&result, reports::to_json_line(&other) + "\n").expect("a result");
    let made = output(&place, &["evidence", "--allow-dirty", "--out", "bundle", "suite"]);
    assert_eq!(code(&made), Some(5), "{}", stdout(&made));
    let index = text(&place.join("bundle/index.html"));
    assert!(index.contains("stored result of another program") && index.contains("0123456789"));
    assert!(index.contains("3 planned = 2 executed + 1 stored"));
    let csv = text(&place.join("bundle/traceability.csv"));
    assert!(!csv.contains(",night,"), "it stands for nothing");
    assert_eq!(code(&output(&place, &["verify", "bundle"])), Some(0), "and the bundle is what it says");
    fs::write(place.join("suite/night.ron"), NIGHT.replace("8KiB", "9KiB")).expect("a scenario");
    let made = output(&place, &["evidence", "--allow-dirty", "--out", "bundle", "suite"]);
    assert_eq!(code(&made), Some(0), "{}", stderr(&made));
    assert!(stdout(&made).contains("its stored result is of another state of the scenario"), "{}", stdout(&made));
}

#[test]
fn a_log_of_tests_covers_what_they_name_and_a_failed_test_fails_the_bundle() {
    let place = place("evidence-tests");
    let tests = named_tests();
    let of: Vec<_> = tests.iter().filter(|test| test.requirements.iter().any(|id| id == "SSR-021")).collect();
    assert!(of.len() > 1);
    let log = |last: &str| {
        let lines = of.iter().enumerate().map(|(at, test)| {
            let result = if at + 1 == of.len() { last } else { "ok" };
            format!("     Running x (target/debug/deps/{}-0a)\ntest {} ... {result}\n", test.target, test.name)
        });
        fs::write(place.join("tests.log"), lines.collect::<String>()).expect("a log");
    };
    fs::write(place.join("tests.sha256"), cooltwin::evidence::SOURCES).expect("written");
    let status = |wanted: i32| {
        let made = output(
            &place,
            &["evidence", "--allow-dirty", "--test-log", "tests.log", "--out", "bundle", "suite/small.ron"],
        );
        assert_eq!(code(&made), Some(wanted), "{}{}", stdout(&made), stderr(&made));
        assert!(!stdout(&made).contains("tests of the firmware name"), "{}", stdout(&made));
        let csv = text(&place.join("bundle/requirements.csv"));
        let line = csv.lines().find(|line| line.starts_with("SSR-021,")).expect("a row");
        line.split(',').nth(3).expect("a status").to_owned()
    };
    log("ok");
    assert_eq!(status(0), "tests pass");
    log("ignored");
    assert_eq!(status(0), "uncovered", "a test that was left out shows nothing");
    log("FAILED");
    assert_eq!(status(1), "fail");
}

/// A log of an older state would credit requirements with tests of code that is there no more.
#[test]
fn a_log_of_tests_of_other_sources_or_of_none_in_particular_is_refused() {
    let place = place("evidence-tests-of-others");
    let test = &named_tests()[0];
    let log = format!("     Running x (target/debug/deps/{}-0a)\ntest {} ... ok\n", test.target, test.name);
    fs::write(place.join("tests.log"), log).expect("a log");
    let arguments = ["evidence", "--allow-dirty", "--test-log", "tests.log", "--out", "out", "suite/small.ron"];
    let refused = |why: &str| {
        let made = output(&place, &arguments);
        assert_eq!(code(&made), Some(2), "{}{}", stdout(&made), stderr(&made));
        assert!(stderr(&made).contains(why), "{}", stderr(&made));
        assert!(!place.join("out").exists());
    };
    refused("cannot read tests.sha256");
    let sources = cooltwin::evidence::SOURCES;
    let (first, _) =
        sources.lines().find(|line| line.ends_with(".rs")).expect("a source").split_once("  ").expect("a hash");
    fs::write(place.join("tests.sha256"), sources.replace(first, &"0".repeat(64))).expect("written");
    refused("its tests ran on other sources than this program's: firmware-under-test/");
    let fewer: String =
        sources.lines().filter(|line| !line.contains("/pump/")).map(|line| format!("{line}\n")).collect();
    fs::write(place.join("tests.sha256"), fewer).expect("written");
    refused("its tests ran on other sources than this program's: firmware-under-test/pump/");
}

#[test]
fn every_id_that_a_check_budget_scenario_or_test_names_is_in_the_baseline() {
    let known = |id: &str| baseline().get(id).is_some();
    let safety = cooltwin::run::safety::CHECKS.iter().chain(cooltwin::run::safety::BUDGETS);
    for (row, ids) in IDS.iter().chain(END_IDS).chain(safety) {
        for id in *ids {
            assert!(known(id), "{row} names {id}");
        }
    }
    for link in links() {
        assert!(known(&link.requirement), "{link:?}");
        assert!(shipped(&format!("{}.ron", link.scenario)).is_file(), "{link:?}");
    }
    for test in named_tests() {
        for id in &test.requirements {
            assert!(known(id), "{} names {id}", test.name);
        }
    }
    for entry in fs::read_dir(shipped("")).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "ron") {
            for budget in &common::loaded(&path, &[]).scenario.budgets {
                for id in &budget.requirements {
                    assert!(known(id), "{}: {} names {id}", path.display(), budget.id);
                }
            }
        }
    }
}

/// Titles and scopes of the twin's own list are those of the baseline.
#[test]
fn the_twin_s_list_of_requirements_agrees_with_the_baseline() {
    for (id, title, verification) in REQUIREMENTS {
        let row = baseline().get(id).unwrap_or_else(|| panic!("{id} is not in the baseline"));
        assert_eq!(row.title, *title, "{id}");
        let scope = match verification {
            Verification::Later => Scope::Later,
            Verification::Out => Scope::Out,
            Verification::NotClaimed => Scope::NotClaimed,
            _ => Scope::In,
        };
        assert_eq!(row.scope, scope, "{id}");
        let says = |kind: StatementKind| baseline().statements_of(id).any(|statement| statement.kind == kind);
        let stated = match verification {
            Verification::Construction(_) => says(StatementKind::Construction),
            Verification::Campaign(_) | Verification::Elsewhere(_) => says(StatementKind::Elsewhere),
            _ => true,
        };
        assert!(stated, "{id} has no statement");
    }
}

/// A statement that nothing here shows a requirement must not outlive the check that does.
#[test]
fn nothing_is_said_to_be_shown_elsewhere_that_a_row_shows() {
    let Baseline { statements, .. } = baseline();
    for statement in statements.iter().filter(|statement| statement.kind == StatementKind::Elsewhere) {
        let id = statement.requirement.as_str();
        let safety = cooltwin::run::safety::CHECKS.iter().chain(cooltwin::run::safety::BUDGETS);
        let row = IDS.iter().chain(END_IDS).chain(safety).find(|(_, ids)| ids.contains(&id));
        assert!(row.is_none(), "{row:?} shows {id}: remove its statement");
    }
}

/// Who shows or explains a row of any list: a check or budget of runs, a scenario, a test that names it, a statement.
fn shown_by(id: &str, tests: &[NamedTest]) -> Option<&'static str> {
    let budgets = common::loaded(&shipped("base.ron"), &[]).scenario.budgets.clone();
    let safety = cooltwin::run::safety::CHECKS.iter().chain(cooltwin::run::safety::BUDGETS);
    let by = [
        ("check", IDS.iter().chain(END_IDS).chain(safety).any(|(_, ids)| ids.contains(&id))),
        ("budget", budgets.iter().any(|budget| budget.requirements.iter().any(|own| own == id))),
        ("scenario", links().iter().any(|link| link.requirement == id)),
        ("test", tests.iter().any(|test| test.requirements.iter().any(|own| own == id))),
        ("statement", baseline().statements_of(id).any(|statement| statement.kind != StatementKind::Part)),
    ];
    by.into_iter().find(|(_, holds)| *holds).map(|(word, _)| word)
}

#[test]
fn every_requirement_in_scope_has_a_row_a_scenario_a_test_or_a_statement() {
    let tests = named_tests();
    let in_scope = baseline().requirements.iter().filter(|row| row.scope == Scope::In);
    let bare: Vec<&str> = in_scope.map(|row| row.id.as_str()).filter(|id| shown_by(id, &tests).is_none()).collect();
    assert_eq!(bare, [""; 0], "these have nothing");
    assert_eq!(shown_by("SSR-999", &tests), None, "the control: what nobody names has nothing");
}

/// A measurement of one file of the firmware, all lines reached but line 4, beside the list of what was measured.
fn write_measurement(place: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-under-test/pump/src/config.rs");
    let file = file.canonicalize().expect("a file of the firmware");
    let document = format!(
        r#"{{"type":"llvm.coverage.json.export","data":[{{"files":[{{"filename":{:?},"branches":[],
        "segments":[[1,1,1,true,true,false],[3,1,0,true,true,false],[4,1,0,false,false,false]]}}]}}]}}"#,
        file.to_str().expect("a name")
    );
    fs::write(place.join("coverage.json"), document).expect("written");
    fs::write(place.join("coverage.sha256"), cooltwin::evidence::SOURCES).expect("written");
}

#[test]
fn coverage_counts_what_has_no_reason_and_names_stale_ones() {
    let place = place("evidence-coverage");
    write_measurement(&place);
    let arguments = ["evidence", "--allow-dirty", "--out", "out", "--coverage", "coverage.json", "suite"];
    let made = output(&place, &arguments);
    assert_eq!(code(&made), Some(0), "{}{}", stdout(&made), stderr(&made));
    let printed = stdout(&made);
    assert!(
        printed.contains("3 of 4 lines and 0 of 0 outcomes of branches reached; without a reason: 1 line and"),
        "{printed}"
    );
    let named = " of the uncovered requirements are such that tests of the firmware name";
    let count = printed.lines().find_map(|line| line.trim().strip_suffix(named)?.parse::<usize>().ok());
    assert!(count.is_some_and(|count| count > 20), "{printed}");
    let stale = "Stale reason  safety-cpu2/src/crc.rs: the file: was not measured";
    assert!(printed.contains(stale), "{printed}");
    let page = text(&place.join("out/tool.html"));
    for shown in
        ["NOT EXPLAINED", "no reason given", "3 of 4 lines", "safety-cpu2/src/crc.rs: the file: was not measured"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    let measured = fs::read_to_string(place.join("coverage.sha256")).expect("text");
    fs::write(
        place.join("coverage.sha256"),
        measured.replacen("  firmware-under-test/pump/src/lib.rs", "0  firmware-under-test/pump/src/lib.rs", 1),
    )
    .expect("written");
    let refused =
        output(&place, &["evidence", "--allow-dirty", "--out", "other", "--coverage", "coverage.json", "suite"]);
    assert_eq!(code(&refused), Some(2), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("measured on other sources than this program's: firmware-under-test/pump/src/lib.rs")
    );
}
