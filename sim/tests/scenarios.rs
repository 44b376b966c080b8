//! Every shipped scenario runs, gets the verdict it states, and leaves the log and fingerprints of its golden file.
//!
//! A golden file is a readable log of state transitions: time in ms, node, kind, data; single frames, flash operations,
//! points of curves, most error-counter steps and most progress lines are left out. Its head has the fingerprint of the
//! whole trace and of each domain, so that it stands for everything that happened.
//!
//! After a change that is meant to alter runs, look at the differences and bless them:
//!
//! ```text
//!   BLESS=1 cargo test -p cooltwin --test scenarios && git diff sim/tests/golden
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use cooltwin::checks::{REQUIREMENTS, Truth, Verification};
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::off::WentOff;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::SimTime;
use cooltwin::measure::Measures;
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{End, Expectation, FileSource, Loaded, Verdict as Said, load};
use cooltwin::twin;
use reports::{Millis, Report, Verdict};

struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let files = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"));
    files.filter_map(|file| file.strip_suffix(ending).map(str::to_owned)).collect()
}

/// All but those that take so long that no suite runs them.
fn shipped() -> BTreeSet<String> {
    with_tag_long(false)
}

fn with_tag_long(has: bool) -> BTreeSet<String> {
    let fits = |name: &String| loaded(name).scenario.tags.iter().any(|tag| tag == "long") == has;
    names(&root().join("scenarios"), ".ron").into_iter().filter(fits).collect()
}

fn loaded(name: &str) -> Loaded {
    let file = root().join("scenarios").join(format!("{name}.ron"));
    load(&Disk, &file, &[]).unwrap_or_else(|_| panic!("{name} loads"))
}

/// What the file itself says its verdict is; a pass where it says nothing.
fn stated(loaded: &Loaded) -> Verdict {
    let said = loaded.scenario.expectations.iter().find_map(|expectation| match expectation {
        Expectation::Verdict(verdict) => Some(verdict),
        _ => None,
    });
    match said {
        None | Some(Said::Pass) => Verdict::Pass,
        Some(Said::Inconclusive) => Verdict::Inconclusive,
        Some(Said::Fail) => Verdict::Fail,
        Some(Said::Error) => Verdict::Error,
    }
}

/// Lines that a reader can do without: they repeat in their hundreds. The fingerprints cover them.
struct Thinner {
    progress: Option<u64>,
    counters: BTreeMap<String, String>,
    repeats: BTreeMap<(String, &'static str), u32>,
}

/// Lines of one kind at one node beyond this many are left out.
const LINES_OF_A_KIND: u32 = 40;

impl Thinner {
    fn keeps(&mut self, node: &str, kind: &'static str, data: &serde_json::Value) -> bool {
        let wanted = match kind {
            "bit-inverted" | "level" => false,
            "progress" => {
                let tenth = data["percent"].as_u64().map(|percent| percent / 10);
                let new = tenth != self.progress || !data["cause"].is_null();
                self.progress = tenth;
                new
            }
            "error-counters" => {
                let state = data["state"].to_string();
                self.counters.insert(node.to_owned(), state.clone()) != Some(state)
            }
            _ => true,
        };
        let count = self.repeats.entry((node.to_owned(), kind)).or_default();
        *count += u32::from(wanted);
        wanted && *count <= LINES_OF_A_KIND
    }
}

fn log(run: &Run) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "all {}", run.twin.trace.fingerprint());
    let has_units = !run.twin.world.resource::<Units>().entities().is_empty();
    for (domain, fingerprint) in run.twin.trace.domain_fingerprints() {
        if domain == "safety" && !has_units {
            continue;
        }
        let _ = writeln!(text, "{domain} {fingerprint}");
    }
    let mut thinner = Thinner { progress: None, counters: BTreeMap::new(), repeats: BTreeMap::new() };
    let journal = &run.twin.world.resource::<Measures>().journal;
    for (time, record, repeats) in journal.iter() {
        let (node, kind, data) = run::event_of(record, journal.names());
        if thinner.keeps(&node, kind, &data) {
            let ms = time.as_nanos() / 1_000;
            let data = if data.is_null() { String::new() } else { format!(" {data}") };
            let times = if repeats.count > 1 { format!(" x{}", repeats.count) } else { String::new() };
            let _ = writeln!(text, "{}.{:03} {node} {kind}{data}{times}", ms / 1_000, ms % 1_000);
        }
    }
    let _ = writeln!(text, "end {} ms", run.end.as_nanos() / 1_000_000);
    text
}

/// Runs one scenario; the complaints about it.
fn judge(name: &str) -> Vec<String> {
    let loaded = loaded(name);
    let run = run::run(&loaded.scenario, None, |_| {});
    let unknown = || "unknown".to_owned();
    let identity = Identity { version: unknown(), commit: unknown(), rustc: unknown() };
    let report: Report = run::report(&loaded, &run, &identity);
    let mut complaints = unlike_stated(name, stated(&loaded), &report);
    complaints.extend(invalid(name, report.clone(), &run));
    complaints.extend(unrecorded(name, &loaded, &run, &report));
    if name == "nominal-14" {
        complaints.extend(outside_the_window(&report));
    }
    complaints.extend(compare(name, &log(&run)));
    complaints
}

/// Complaints about another verdict than the file states, and about faults that never acted.
fn unlike_stated(name: &str, wanted: Verdict, report: &Report) -> Vec<String> {
    let mut complaints = Vec::new();
    if report.verdict != wanted {
        let fails = |verdict: reports::RowVerdict| {
            use reports::RowVerdict::{ExpectedFail, Info, NotApplicable, Pass};
            !matches!(verdict, Pass | ExpectedFail | Info | NotApplicable)
        };
        let texts = report.expectations.iter().filter(|row| fails(row.verdict)).map(|row| row.text.clone());
        let budgets = report.budgets.iter().filter(|row| fails(row.verdict)).map(|row| row.id.clone());
        let checks = report.checks.iter().filter(|row| fails(row.verdict));
        let checks = checks.map(|row| format!("{}: {}", row.id, row.detail));
        let broken: Vec<String> = texts.chain(budgets).chain(checks).collect();
        complaints.push(format!("{name}: verdict {:?} instead of {wanted:?}; broken: {broken:?}", report.verdict));
    }
    for injection in &report.injections {
        if injection.activations == 0 || injection.effect.is_empty() {
            complaints.push(format!("{name}: {} never acted", injection.id));
        }
    }
    complaints
}

/// Complaints about what is not recorded of faults at safety units: when each occurred, was detected, and when outputs were off.
fn unrecorded(name: &str, loaded: &Loaded, run: &Run, report: &Report) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{name}: {what}"));
    let entities = run.twin.world.resource::<Units>().entities();
    let units: Vec<&Unit> = entities.iter().filter_map(|entity| run.twin.world.get::<Unit>(*entity)).collect();
    let acted = || report.injections.iter().filter(|one| one.activations > 0);
    for one in acted() {
        let [detected, local, all] = one.reaction();
        let is_in_order = |times: &[Option<Millis>]| times.iter().flatten().is_sorted();
        if one.occurred_ms.is_none()
            || !is_in_order(&[one.occurred_ms, one.at_ms])
            || !is_in_order(&[one.occurred_ms, detected])
            || !is_in_order(&[one.occurred_ms, local, all])
            || detected.is_some() == one.detected_as.is_empty()
        {
            complain(format!("{} is not in order: {one:?}", one.id));
        }
        // A stop is seen before it is obeyed. A CPU that stands still drives nothing before the other one notices.
        let is_stop = one.kind == "input-off" && name != "safety-no-flow";
        if is_stop && (local.is_none() || all.is_none() || !is_in_order(&[detected, local])) {
            complain(format!("{} stops nothing: {one:?}", one.id));
        }
        let unit = loaded.scenario.safety_units.iter().zip(&units).find(|(setup, _)| setup.node.as_str() == one.target);
        let (Some((_, unit)), Some(occurred), Some(detected)) = (unit, one.occurred_ms, detected) else { continue };
        let instant = |time: Millis| SimTime::from_nanos(u64::try_from(time.as_nanos()).expect("after the begin"));
        let was_on = unit.watch.driving.went_off(EVERYTHING, instant(occurred), instant(detected));
        // What a stop turned off before is not off for this.
        let mut stops = acted().filter(|other| other.kind == "input-off" && other.id != one.id);
        let mut is_of_a_stop =
            |at| at < instant(detected) && stops.any(|stop| stop.reaction()[1].map(instant) == Some(at));
        let is_nothing = match was_on {
            WentOff::At(at) => is_of_a_stop(at),
            other => other == WentOff::NothingOn,
        };
        if is_nothing != local.is_none() && !["safety-output-to-supply", "safety-no-flow"].contains(&name) {
            complain(format!("{}: {was_on:?}, and it tells {local:?}", one.id));
        }
    }
    for expectation in &loaded.scenario.expectations {
        let Expectation::SafetyTrip(trip) = expectation else { continue };
        let mut at_it = acted().filter(|one| one.target == trip.unit).peekable();
        let word = trip.by.name().chars().fold(String::new(), |word, letter| match letter.is_ascii_uppercase() {
            true => format!("{word}-{}", letter.to_ascii_lowercase()),
            false => format!("{word}{letter}"),
        });
        let is_told = at_it.peek().is_none() || at_it.any(|one| one.detected_as == word[1..]);
        if !is_told && (name, &word[1..]) != ("safety-ossd-short-one-off", "ossd-short") {
            complain(format!("no injection tells that it was detected as {word}"));
        }
    }
    complaints
}

/// All pins and relays of a unit. No stop demands anything in `safety-no-flow` before its diagram's delay of 10 s is over, and that has no
/// instant of its own. The short of `safety-ossd-short-one-off` is told by what finds it first, the wiring. The lamp of `safety-output-to-supply` is not on as its wire has a short.
const EVERYTHING: (u16, u8) = (u16::MAX, u8::MAX);

/// Complaints of the committed schema about result.json as `cooltwin run` writes it.
fn invalid(name: &str, mut report: Report, run: &Run) -> Vec<String> {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema = serde_json::from_str(reports::SCHEMA_JSON).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema")
    });
    let events = run::event_log(run).expect("events are written to memory");
    report.events = Some(reports::EventLog::of("events.jsonl", &events));
    let line = reports::to_json_line(&report);
    let result: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let wrong = schema.iter_errors(&result).map(|error| format!("{name}: {}: {error}", error.instance_path()));
    wrong.chain(reports::from_json(&line).err().map(|error| format!("{name}: cannot be read back: {error}"))).collect()
}

/// Tries of the nominal run that last less or more than the README's estimate, made by hand from the profile:
///
/// 385 blocks of 1026 bytes in 147 frames each, the first with 6 and the others with 7 bytes, and 19 flow controls with
/// block size 8, each frame about 0.46 ms at 250 kbit/s; 146 gaps of 0.5 ms; 2 latencies of 0.1 ms at each flow control:
/// 385 x (166 x 0.46 ms + 146 x 0.5 ms + latencies) = 29.4 s + 28.1 s + 1.5 s = 59 s on an empty bus. 4 erases of 1 s and
/// 98,560 words of 16 us: 5.6 s. That is 64.6 s, of which the words overlap with frames under way; session, check,
/// reboot and the cyclic messages of 14 pumps: 64 s to 68 s.
fn outside_the_window(report: &Report) -> Vec<String> {
    assert_eq!(report.pumps.len(), 14);
    let tries = report.pumps.iter().map(|pump| (&pump.id, pump.update_ms.expect("a successful try").as_nanos()));
    let outside = tries.filter(|(_, ns)| !(64_000_000_000..=68_000_000_000).contains(ns));
    outside.map(|(id, ns)| format!("nominal-14: the try of {id} lasts {ns} ns, not 64 s to 68 s")).collect()
}

/// Holds a log against its golden file, or blesses it.
fn compare(name: &str, log: &str) -> Option<String> {
    let file = golden_folder().join(format!("{name}.txt"));
    if log.len() > 60_000 {
        return Some(format!("{name}: a log of {} bytes is too long to read", log.len()));
    }
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(golden_folder()).expect("the folder");
        fs::write(&file, log).expect("a golden file is written");
        return None;
    }
    let Ok(golden) = fs::read_to_string(&file) else {
        return Some(format!("{name}: no golden file; BLESS=1 writes it"));
    };
    // The head differs whenever anything does: the first line of the log itself says more.
    let first = golden.lines().zip(log.lines()).enumerate().skip(7).find(|(_, (old, new))| old != new);
    (golden != log).then(|| match first {
        Some((line, (old, new))) => {
            format!("{name}: line {} was\n    {old}\n  is\n    {new}\n  BLESS=1 and git diff show all", line + 1)
        }
        None => format!("{name}: only fingerprints or the length of the log differ; BLESS=1 and git diff show how"),
    })
}

#[test]
fn every_shipped_scenario_gets_its_verdict_and_its_golden_log() {
    let names: Vec<String> = shipped().into_iter().collect();
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = judge(name);
                    complaints.lock().expect("no panic holds it").insert(name.clone(), found);
                }
            });
        }
    });
    let complaints = complaints.into_inner().expect("no panic holds it");
    assert_eq!(complaints.len(), names.len());
    let all: Vec<String> = complaints.into_values().flatten().collect();
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

/// What no suite runs: the safety units for 24 hours, for a million ticks with a combined pin, and beside the update of 14 pumps.
#[test]
#[ignore = "long: 24 simulated hours"]
fn every_long_scenario_gets_its_verdict() {
    let names = with_tag_long(true);
    assert!(names.len() >= 3, "{names:?}");
    let complaints = names.iter().flat_map(|name| unlike_stated(name, stated(&loaded(name)), &report_with(name, &[])));
    let all: Vec<String> = complaints.collect();
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

/// SSR-039 asks for a million ticks: the file that claims them must be long enough, and its steps come to all phases of the reads.
#[test]
fn the_long_run_of_a_combined_pin_has_its_million_ticks() {
    let long = loaded("safety-combined-reads").scenario;
    let ms = 1_000_000;
    // The unit is normal after 0.7 s.
    let End::At(end) = long.end else { panic!("{:?}", long.end) };
    assert!(end.as_nanos() >= 1_001_000 * ms, "{end:?}");
    let repeat = long.faults[0].repeat.as_ref().expect("the steps repeat");
    let period = repeat.period.expect("a rhythm of its own").as_nanos();
    assert!(repeat.count >= 1_000 && !period.is_multiple_of(ms));
    // Reads come each 3 ms: where in that time do the steps stand, in steps of 0.1 ms?
    let phases = (0..u64::from(repeat.count)).map(|n| n * period % (3 * ms) / (ms / 10));
    assert_eq!(phases.collect::<BTreeSet<u64>>().len(), 30);
}

#[test]
fn no_golden_file_is_orphaned() {
    if std::env::var_os("BLESS").is_some() {
        return;
    }
    assert_eq!(names(&golden_folder(), ".txt"), shipped());
}

#[test]
fn a_run_that_never_gets_its_supply_back_reads_as_inconclusive() {
    assert_eq!(stated(&loaded("feed-off-for-good")), Verdict::Inconclusive);
}

/// The report of a shipped scenario with some values set.
fn report_with(name: &str, overrides: &[&str]) -> Report {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    let file = root().join("scenarios").join(format!("{name}.ron"));
    let loaded = load(&Disk, &file, &overrides).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let run = run::run(&loaded.scenario, loaded.image.as_deref(), |_| {});
    run::report(&loaded, &run, &Identity::default())
}

/// PFU-012: the CIOC may be away from one minute to five; the shipped scenario has two.
#[test]
fn an_outage_of_the_cioc_may_last_from_60_to_300_s() {
    for duration in ["60s", "300s"] {
        let report = report_with("cioc-update", &[&format!("cioc_update.duration={duration}")]);
        assert_eq!(report.verdict, Verdict::Pass, "{duration}");
        let checked = report.checks.iter().find(|check| check.id == "silence_means_fail_safe").expect("the check");
        assert!(checked.n > 0 && checked.verdict == reports::RowVerdict::Pass, "{duration}: {checked:?}");
    }
}

/// PFU-019: the CIOC restarts at the instant at which it is told yes, so that the answer is lost unless it was kept.
#[test]
fn an_answer_that_is_lost_in_a_restart_starts_no_write_without_consent() {
    let fault = "faults=[(kind: Reset, place: Cioc, trigger: Campaign(Agreed))]";
    let report = report_with("small", &[fault]);
    assert_eq!(report.injections.first().map(|injection| injection.activations), Some(1));
    let checked = report.checks.iter().find(|check| check.id == "no_write_without_consent").expect("the check");
    assert!(checked.n > 0 && checked.verdict == reports::RowVerdict::Pass, "{checked:?}");
    assert!(report.pumps.iter().all(|pump| pump.outcome == reports::Outcome::Updated), "{:?}", report.pumps);
}

#[test]
fn one_image_updates_every_model() {
    let models: Vec<String> = shipped().into_iter().filter(|name| name.starts_with("model-")).collect();
    assert!(models.len() >= 2);
    let held = |name: &String| {
        let scenario = loaded(name).scenario;
        assert_eq!(format!("model-{}", scenario.pumps.model.to_lowercase()), *name);
        twin::build(&scenario, None).world.resource::<Truth>().held.clone().expect("an image")
    };
    let first = held(&models[0]);
    assert!(models.iter().all(|name| held(name) == first), "the models take one image");
}

#[test]
fn every_requirement_points_at_something_that_exists() {
    let scenarios = shipped();
    let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios.rs")).expect("this file");
    let budgets = loaded("base").scenario.budgets.clone();
    for (id, title, verification) in REQUIREMENTS {
        match verification {
            Verification::Scenario(name) => {
                assert!(scenarios.contains(*name), "{id}: no scenario {name}");
                // A requirement on a cause is shown by a run that must log it.
                let wanted = &loaded(name).scenario.expectations;
                let logs = |one: &Expectation| matches!(one, Expectation::Cause(cause) if cause.logged && cause.code.to_string() == *title);
                assert!(!title.starts_with("FW") || wanted.iter().any(logs), "{id}: {name} does not expect {title}");
            }
            Verification::Test(name) => assert!(own.contains(&format!("fn {name}()")), "{id}: no test {name}"),
            Verification::Budget(name) => {
                let named = budgets.iter().find(|budget| budget.id == *name);
                let named = named.unwrap_or_else(|| panic!("{id}: no budget {name}"));
                assert!(named.requirements.iter().any(|own| own == id), "{name} does not name {id}");
            }
            Verification::Check(_)
            | Verification::Construction(_)
            | Verification::Campaign(_)
            | Verification::Elsewhere(_)
            | Verification::Later
            | Verification::Out
            | Verification::NotClaimed => {}
        }
    }
}

/// Requirements that the list of requirements has as in scope; no other word than these may stand for one of them.
#[test]
fn no_requirement_in_scope_is_waved_through() {
    const OUT_OF_SCOPE: &str =
        "006 010 011 023 025 032 034 035 036 037 038 039 040 045 048 054 055 057 058 060 062 065";
    for (id, _, verification) in REQUIREMENTS {
        let waved = matches!(verification, Verification::Out | Verification::Later | Verification::NotClaimed);
        assert_eq!(waved, OUT_OF_SCOPE.split(' ').any(|number| id.ends_with(number)), "{id}");
    }
}
