//! The gallery: a committed sample of each format, the same bytes as this program makes today.
//!
//! `BLESS=1 cargo test -p cooltwin --test gallery` renews it. The samples carry a build identity of their own, so that
//! they change only when a result or its rendering does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cooltwin::run::{Identity, event_log, run, whole_report};
use cooltwin::scenario::{FileSource, load};
use reports::campaign::{campaign_figure_files, campaign_from_json, campaign_html, campaign_text};
use reports::search::{SearchReport, search_html, search_text};
use reports::sweep::{SweepReport, sweep_html, sweep_text};
use reports::{
    BUNDLE_SCHEMA, Bundle, EventLog, Format, Head, Origin, Planned, Program, Report, RunRecord, Verdict, baseline,
    bundle_files,
};

/// A page may not grow beyond this.
const PAGE_BYTES_MAX: usize = 400_000;

/// A sample of a bundle may not grow beyond this.
const BUNDLE_BYTES_MAX: usize = 1_000_000;

/// A sample: its folder, its scenario, what is changed in it, the verdict it shows, and whether its data is kept too.
struct Sample {
    name: &'static str,
    scenario: &'static str,
    overrides: &'static [&'static str],
    verdict: Verdict,
    data: bool,
}

const SAMPLES: &[Sample] = &[
    Sample { name: "pass", scenario: "scenarios/nominal-14.ron", overrides: &[], verdict: Verdict::Pass, data: false },
    Sample {
        name: "retries",
        scenario: "scenarios/sag-during-erase.ron",
        overrides: &[],
        verdict: Verdict::Pass,
        data: true,
    },
    Sample {
        name: "fail",
        scenario: "scenarios/slow-flash.ron",
        overrides: &["expectations=[Outcome(is: Updated)]"],
        verdict: Verdict::Fail,
        data: false,
    },
    Sample {
        name: "safety-frames",
        scenario: "scenarios/safety-fourteen-slots.ron",
        overrides: &[],
        verdict: Verdict::Pass,
        data: false,
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// Reads files by their names from the root of the repository, wherever the test runs.
struct Root;

impl FileSource for Root {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(root().join(path)).map_err(|error| error.to_string())
    }
}

/// A result by no build in particular, and its log of events.
fn result_of(scenario: &str, overrides: &[&str]) -> (Report, String) {
    let overrides: Vec<String> = overrides.iter().map(|each| (*each).to_owned()).collect();
    let loaded = load(&Root, Path::new(scenario), &overrides).expect("a shipped scenario");
    let ended = run(&loaded.scenario, loaded.image.as_deref(), |_| {});
    let identity = Identity { version: "0.0.0".to_owned(), commit: "unknown".to_owned(), rustc: "unknown".to_owned() };
    let mut result = whole_report(&loaded, &ended, &identity, |_| {});
    let events = event_log(&ended).expect("events are written to memory");
    result.events = Some(EventLog::of("events.jsonl", &events));
    (result, events)
}

/// The files of a sample by their names.
fn render(sample: &Sample) -> BTreeMap<String, String> {
    let (result, events) = result_of(sample.scenario, sample.overrides);
    assert_eq!(result.verdict, sample.verdict, "{}", sample.name);
    let mut files: BTreeMap<String, String> =
        reports::files(&result, Some(&events), &Format::ALL).expect("the log is that of the run").into_iter().collect();
    if sample.data {
        files.insert("result.json".to_owned(), reports::to_json_line(&result) + "\n");
        files.insert("events.jsonl".to_owned(), events);
    }
    files
}

/// Runs of the sample of a bundle.
const BUNDLE_RUNS: [&str; 3] = ["nominal-14", "sag-during-erase", "slow-flash"];

/// What is rendered of a bundle by no build in particular. Links to its runs and raw records lead nowhere here.
fn render_bundle() -> BTreeMap<String, String> {
    let results: Vec<Report> =
        BUNDLE_RUNS.iter().map(|name| result_of(&format!("scenarios/{name}.ron"), &[]).0).collect();
    let planned = |result: &Report| Planned { name: result.scenario.name.clone(), seed: result.seed.to_string() };
    let run = |result: &Report| RunRecord {
        name: result.scenario.name.clone(),
        seed: result.seed.to_string(),
        folder: format!("runs/{}/{}", result.scenario.name, result.seed),
        result_sha256: reports::sha256((reports::to_json_line(result) + "\n").as_bytes()),
        events_kept: true,
        verdict: result.verdict,
        stated: false,
        retries: cooltwin::regression::retries(result),
        difference: None,
        origin: Origin::Run,
        build: result.build.clone(),
    };
    let bundle = Bundle {
        schema: BUNDLE_SCHEMA.to_owned(),
        head: Head { id: "SAMPLE-1".to_owned(), date: "2026-01-01".to_owned(), author: "nobody".to_owned() },
        program: Program {
            version: "0.0.0".to_owned(),
            commit: "unknown".to_owned(),
            rustc: "unknown".to_owned(),
            ..Program::default()
        },
        planned: results.iter().map(planned).collect(),
        runs: results.iter().map(run).collect(),
        controls: cooltwin::evidence::controls_tried(),
        links: cooltwin::evidence::links(),
        fault_kinds: cooltwin::evidence::fault_kinds(),
        ..Bundle::default()
    };
    bundle_files(&bundle, &results, baseline())
}

/// The files below a folder by their names, or nothing when there is no folder.
fn committed(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).expect("a readable sample"));
            }
        }
    }
    found
}

#[test]
fn the_gallery_is_current() {
    for sample in SAMPLES {
        let folder = root().join("reports/gallery").join(sample.name);
        let files = render(sample);
        assert!(files["report.html"].len() < PAGE_BYTES_MAX, "{}: {}", sample.name, files["report.html"].len());
        hold(sample.name, &folder, &files);
    }
}

#[test]
fn the_sample_of_a_bundle_is_current() {
    let files = render_bundle();
    for name in ["index.html", "checklist.html", "traceability.csv", "junit.xml", "summary.md", "needs.json"] {
        assert!(files.contains_key(name), "{name}");
    }
    let bytes: usize = files.values().map(String::len).sum();
    assert!(bytes < BUNDLE_BYTES_MAX, "{bytes}");
    hold("evidence", &root().join("reports/gallery/evidence"), &files);
}

/// Holds a folder against the files that it should have, or writes them.
fn hold(sample: &str, folder: &Path, files: &BTreeMap<String, String>) {
    if std::env::var_os("BLESS").is_some() {
        if folder.exists() {
            fs::remove_dir_all(folder).expect("an old sample can be removed");
        }
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a written sample");
        }
    }
    let committed = committed(folder);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(files), "{sample}: renew with BLESS=1");
    for (name, text) in files {
        assert!(committed[name] == *text, "{sample}/{name} is not what this program makes: renew with BLESS=1");
    }
}

/// The sweep of the gallery took half an hour and is not run again here; what it struck at is.
#[test]
fn the_sweep_of_the_gallery_struck_at_the_update_of_today() {
    let stored = fs::read_to_string(root().join("reports/gallery/sweep-power-cut/sweep.json")).expect("a sweep");
    let stored = SweepReport::from_json(&stored).expect("a report of a sweep");
    let (undisturbed, _) = result_of("scenarios/sweeps/one-pump.ron", &[]);
    assert_eq!(stored.sha256, undisturbed.scenario.sha256, "run the sweep again: the scenario is another");
    assert_eq!(stored.inputs, undisturbed.inputs, "run the sweep again: a file of the scenario is another");
    assert_eq!(stored.trunk, undisturbed.fingerprint.all, "run the sweep again: the update goes another way");
}

/// Texts and pages of campaigns, sweeps and searches are what this program makes of their data, which took minutes or longer
/// to come by.
#[test]
fn texts_and_pages_of_long_samples_follow_from_their_data() {
    let gallery = root().join("reports/gallery");
    for folder in [
        "campaign-pump-update",
        "campaign-pump-update-46050",
        "sweep-power-cut",
        "search-pump-update",
        "search-safety-reaction",
    ] {
        let mut files = committed(&gallery.join(folder));
        let mut take = |name: &str| files.remove(name).unwrap_or_else(|| panic!("{folder} has no {name}"));
        let mut made: Vec<(String, String)> = Vec::new();
        let mut makes = |name: &str, text: String| made.push((name.to_owned(), text));
        if folder.starts_with("campaign") {
            let report = campaign_from_json(&take("campaign.json")).expect("a report of a campaign");
            makes("campaign.txt", campaign_text(&report, false));
            makes("report.html", campaign_html(&report));
            campaign_figure_files(&report).into_iter().for_each(|(name, text)| makes(&name, text));
        } else if folder.starts_with("sweep") {
            let report = SweepReport::from_json(&take("sweep.json")).expect("a report of a sweep");
            makes("sweep.txt", sweep_text(&report));
            makes("report.html", sweep_html(&report));
            makes("sweep.csv", report.csv());
        } else {
            let report = SearchReport::from_json(&take("search.json")).expect("a report of a search");
            makes("search.txt", search_text(&report));
            makes("report.html", search_html(&report));
        }
        for (name, text) in made {
            if std::env::var_os("BLESS").is_some() {
                fs::write(gallery.join(folder).join(&name), &text).expect("a written sample");
                continue;
            }
            assert!(
                files.remove(&name).is_some_and(|committed| committed == text),
                "{folder}/{name} is not what this program makes: renew with BLESS=1"
            );
        }
    }
}
