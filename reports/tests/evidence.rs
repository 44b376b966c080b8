//! Traceability and the verdict of a bundle: only what was executed counts, and nothing bad is outweighed.

#[allow(dead_code, reason = "each test file uses a part of the samples")]
mod samples;

use reports::{
    BUNDLE_SCHEMA, Bundle, Check, Control, Fixed, Link, NamedTest, Origin, Planned, Program, Relation, Report,
    RowVerdict, RunRecord, Standing, Status, Trace, Verdict, baseline, bundle_files, bundle_from_json, bundle_json,
    bundle_verdict,
};

fn program() -> Program {
    Program { version: "1.0.0".to_owned(), commit: "abc".to_owned(), rustc: "1.95.0".to_owned(), ..Program::default() }
}

/// A run with one check of PFU-019 and one budget of PFU-041.
fn result(name: &str, check: RowVerdict, standing: Standing, measured: Option<i64>) -> Report {
    let mut report = samples::pass();
    name.clone_into(&mut report.scenario.name);
    report.build = reports::Build { version: "1.0.0".to_owned(), commit: "abc".to_owned(), rustc: "1.95.0".to_owned() };
    report.checks = vec![Check {
        id: "no_write_without_consent".to_owned(),
        requirements: vec!["PFU-019".to_owned()],
        n: 3,
        verdict: check,
        detail: String::new(),
    }];
    let mut budget = reports::Budget::new("pump-update", Relation::Below, Fixed::scaled(70_000, 0), None, "ms");
    budget.requirements = vec!["PFU-041".to_owned()];
    if let Some(measured) = measured {
        budget.measure_at("P01, try 1", Fixed::scaled(measured, 0));
    }
    budget.judge(standing);
    report.budgets = vec![budget];
    report.judge();
    report
}

fn good(name: &str) -> Report {
    result(name, RowVerdict::Pass, Standing::Required, Some(65_000))
}

fn record(report: &Report) -> RunRecord {
    RunRecord {
        name: report.scenario.name.clone(),
        seed: report.seed.to_string(),
        folder: format!("runs/{}/{}", report.scenario.name, report.seed),
        result_sha256: String::new(),
        events_kept: false,
        verdict: report.verdict,
        stated: false,
        retries: 0,
        difference: None,
        origin: Origin::Run,
        build: report.build.clone(),
    }
}

fn bundle(reports: &[Report]) -> Bundle {
    let runs: Vec<RunRecord> = reports.iter().map(record).collect();
    let red = Control {
        row: "no_write_without_consent".to_owned(),
        shown: "a write".to_owned(),
        red: true,
        why: String::new(),
    };
    Bundle {
        schema: BUNDLE_SCHEMA.to_owned(),
        program: program(),
        planned: runs.iter().map(|run| Planned { name: run.name.clone(), seed: run.seed.clone() }).collect(),
        runs,
        controls: vec![red],
        ..Bundle::default()
    }
}

fn status(bundle: &Bundle, reports: &[Report], id: &str) -> Status {
    Trace::new(bundle, reports, baseline()).status(id).expect("a requirement")
}

fn verdict(bundle: &Bundle, reports: &[Report]) -> Verdict {
    bundle_verdict(bundle, reports, baseline())
}

#[test]
fn a_requirement_passes_by_a_row_that_held_and_fails_by_one_that_did_not() {
    let reports = [good("a"), good("b")];
    let whole = bundle(&reports);
    assert_eq!(status(&whole, &reports, "PFU-019"), Status::Verified);
    assert_eq!(status(&whole, &reports, "PFU-041"), Status::Verified);
    assert_eq!(status(&whole, &reports, "PFU-046"), Status::Uncovered, "no row names it");
    assert_eq!(verdict(&whole, &reports), Verdict::Pass);
    let reports = [good("a"), result("b", RowVerdict::Pass, Standing::Required, Some(71_000))];
    assert_eq!(status(&bundle(&reports), &reports, "PFU-041"), Status::Failed, "one failed run outweighs a good one");
    assert_eq!(verdict(&bundle(&reports), &reports), Verdict::Fail);
}

#[test]
fn what_was_not_measured_is_inconclusive_unless_the_scenario_states_it() {
    let reports = [good("a"), result("b", RowVerdict::Pass, Standing::Required, None)];
    let mut whole = bundle(&reports);
    assert_eq!(status(&whole, &reports, "PFU-041"), Status::Inconclusive);
    assert_eq!(verdict(&whole, &reports), Verdict::Inconclusive);
    whole.runs[1].stated = true;
    assert_eq!(status(&whole, &reports, "PFU-041"), Status::Verified, "the other run measured it");
    assert_eq!(verdict(&whole, &reports), Verdict::Pass);
    let alone = [result("b", RowVerdict::Pass, Standing::Required, None)];
    let mut whole = bundle(&alone);
    whole.runs[0].stated = true;
    assert_eq!(status(&whole, &alone, "PFU-041"), Status::Uncovered, "nothing shows it");
}

#[test]
fn a_budget_that_only_broke_as_expected_is_not_made_good_by_a_check() {
    let broke = || result("slow", RowVerdict::Pass, Standing::ExpectedToFail, Some(75_000));
    let mut alone = [broke()];
    alone[0].checks[0].requirements.push("PFU-041".to_owned());
    assert_eq!(alone[0].budgets[0].verdict, RowVerdict::ExpectedFail);
    assert_eq!(status(&bundle(&alone), &alone, "PFU-041"), Status::Inconclusive);
    let both = [broke(), good("a")];
    assert_eq!(status(&bundle(&both), &both, "PFU-041"), Status::Verified);
}

/// Runs in which no budget of the update time applies, with checks beside it that name its requirement.
#[test]
fn a_check_alone_is_no_figure_of_a_requirement_that_is_measured() {
    let unmeasured = |standing: Standing| {
        let mut report = result("dead-pump", RowVerdict::Pass, standing, None);
        report.checks[0].requirements.push("PFU-041".to_owned());
        report
    };
    let alone = [unmeasured(Standing::NotApplicable)];
    assert_eq!(alone[0].budgets[0].verdict, RowVerdict::NotApplicable);
    assert_eq!(status(&bundle(&alone), &alone, "PFU-041"), Status::Uncovered);
    assert_eq!(status(&bundle(&alone), &alone, "PFU-019"), Status::Verified, "it asks for no figure");
    let mut without = [unmeasured(Standing::NotApplicable)];
    without[0].budgets.clear();
    assert_eq!(status(&bundle(&without), &without, "PFU-041"), Status::Uncovered);
    let both = [unmeasured(Standing::NotApplicable), good("a")];
    assert_eq!(status(&bundle(&both), &both, "PFU-041"), Status::Verified);
    let mut broken = [unmeasured(Standing::NotApplicable)];
    broken[0].checks[0].verdict = RowVerdict::Fail;
    assert_eq!(status(&bundle(&broken), &broken, "PFU-041"), Status::Failed, "a check that fails still counts");
}

#[test]
fn runs_that_differ_are_errors_and_runs_that_broke_down_stand_for_nothing() {
    let reports = [good("a")];
    let mut whole = bundle(&reports);
    whole.runs[0].difference = Some("in bus".to_owned());
    assert_eq!(status(&whole, &reports, "PFU-019"), Status::Uncovered);
    assert_eq!(verdict(&whole, &reports), Verdict::Error);
    let broken = [result("a", RowVerdict::Error, Standing::Required, Some(1))];
    assert_eq!(broken[0].verdict, Verdict::Error);
    assert_eq!(status(&bundle(&broken), &broken, "PFU-041"), Status::Uncovered);
}

#[test]
fn a_stored_result_counts_only_for_the_program_that_made_it() {
    let reports = [good("night")];
    let mut whole = bundle(&reports);
    whole.runs[0].origin = Origin::Stored;
    assert_eq!((status(&whole, &reports, "PFU-019"), verdict(&whole, &reports)), (Status::Verified, Verdict::Pass));
    for (commit, rustc) in [("abd", "1.95.0"), ("abc", "1.94.0"), ("abc-dirty", "1.95.0"), ("unknown", "1.95.0")] {
        let build =
            reports::Build { commit: commit.to_owned(), rustc: rustc.to_owned(), ..whole.runs[0].build.clone() };
        whole.runs[0].build = build;
        // A commit that is not known, or not the whole truth, is never the same: not even as itself.
        let same = commit.ends_with("-dirty") || commit == "unknown";
        whole.program.commit = if same { commit.to_owned() } else { "abc".to_owned() };
        assert_eq!(status(&whole, &reports, "PFU-019"), Status::Uncovered, "{commit}, {rustc}");
        assert_eq!(verdict(&whole, &reports), Verdict::Inconclusive, "{commit}, {rustc}");
    }
}

#[test]
fn a_green_control_fails_the_bundle_and_none_at_all_leaves_it_open() {
    let reports = [good("a")];
    let mut whole = bundle(&reports);
    whole.controls[0].red = false;
    assert_eq!(verdict(&whole, &reports), Verdict::Fail);
    whole.controls.clear();
    assert_eq!(verdict(&whole, &reports), Verdict::Inconclusive);
    assert_eq!(verdict(&Bundle { runs: Vec::new(), ..bundle(&[]) }, &[]), Verdict::Inconclusive, "nothing was run");
}

#[test]
fn ids_that_no_baseline_has_are_orphans_on_the_page() {
    let mut reports = [good("a")];
    reports[0].checks[0].requirements.push("PFU-900".to_owned());
    let mut whole = bundle(&reports);
    let test = NamedTest {
        target: "t".to_owned(),
        name: "t".to_owned(),
        file: "f".to_owned(),
        requirements: vec!["SSR-900".to_owned()],
    };
    whole.tests.push(test);
    let page = &bundle_files(&whole, &reports, baseline())["traceability.html"];
    assert!(page.contains("PFU-900, named by check no_write_without_consent"), "{page}");
    assert!(page.contains("SSR-900, named by test t"));
}

#[test]
fn a_scenario_stands_for_a_requirement_only_with_all_that_it_expects() {
    let link = Link { requirement: "PFU-014".to_owned(), scenario: "a".to_owned() };
    let mut reports = [good("a")];
    let mut whole = bundle(&reports);
    whole.links.push(link);
    assert!(!reports[0].expectations.is_empty());
    assert_eq!(status(&whole, &reports, "PFU-014"), Status::Verified);
    reports[0].expectations.clear();
    assert_eq!(status(&whole, &reports, "PFU-014"), Status::Inconclusive, "it expects nothing");
}

#[test]
fn a_record_is_read_back_as_it_was_written_and_another_version_is_refused() {
    let whole = bundle(&[good("a")]);
    assert_eq!(bundle_from_json(&bundle_json(&whole)), Ok(whole.clone()));
    let other = bundle_json(&whole).replace("evidence/1", "evidence/2");
    assert!(bundle_from_json(&other).is_err());
    let unknown = bundle_json(&whole).replacen("\"head\"", "\"mood\": 1, \"head\"", 1);
    assert!(bundle_from_json(&unknown).is_err());
}

#[test]
fn text_of_a_scenario_is_never_markup_in_a_bundle() {
    let evil = "<script>alert(1)</script>";
    let mut report = good("a");
    report.scenario.title = evil.to_owned();
    report.checks[0].detail = evil.to_owned();
    report.assumptions.push(reports::Assumption {
        text: evil.to_owned(),
        value: evil.to_owned(),
        source: evil.to_owned(),
    });
    let reports = [report];
    let mut whole = bundle(&reports);
    whole.head.author = evil.to_owned();
    whole.controls[0].why = evil.to_owned();
    for (name, text) in bundle_files(&whole, &reports, baseline()) {
        assert!(!name.ends_with(".html") || !text.contains("<script"), "{name}");
    }
}

fn file(bundle: &Bundle, reports: &[Report], name: &str) -> String {
    let files = bundle_files(bundle, reports, baseline());
    files.into_iter().find(|(path, _)| path == name).expect("a file of the bundle").1
}

/// The row of a requirement in the table of the first page.
fn index_row(page: &str, id: &str) -> String {
    let (_, row) = page.split_once(&format!("<tr id=\"of-{id}\">")).expect("a row");
    row.split_once("</tr>").expect("its end").0.to_owned()
}

#[test]
fn rows_that_fail_as_expected_stand_beside_those_that_passed_and_no_claim_covers_them() {
    let broke = |name, measured| result(name, RowVerdict::Pass, Standing::ExpectedToFail, Some(measured));
    let reports = [good("a"), broke("slow-erase", 71_000), broke("slow-flash", 75_000)];
    let whole = bundle(&reports);
    assert_eq!(status(&whole, &reports, "PFU-041"), Status::Verified);
    let page = file(&whole, &reports, "index.html");
    assert!(page.contains("held in every row of every run: 1;"), "PFU-019 alone");
    assert!(page.contains("as their scenarios expect: 1 (<a href=\"#of-PFU-041\">PFU-041</a>)"));
    assert!(!page.contains("over all runs"));
    let row = index_row(&page, "PFU-041");
    assert!(row.contains("65.000 s") && row.contains("2 rows fail as expected, the worst"), "{row}");
    assert!(
        row.contains("runs/slow-flash/42/report.html#budget-pump-update\">slow-flash, 75.000 s, margin -5.000 s"),
        "{row}"
    );
    let table = file(&whole, &reports, "requirements.csv");
    assert!(table.lines().any(|line| line.starts_with("PFU-041,") && line.ends_with(",2,75000")), "{table}");
}

#[test]
fn the_word_runs_counts_runs_and_a_check_that_never_looked_did_not_hold() {
    let mut both = good("a");
    both.checks[0].requirements.push("PFU-041".to_owned());
    let mut silent = good("b");
    silent.checks[0].n = 0;
    silent.checks[0].verdict = RowVerdict::Inconclusive;
    let reports = [both, silent];
    let mut whole = bundle(&reports);
    whole.runs[1].stated = true;
    let page = file(&whole, &reports, "index.html");
    let row = index_row(&page, "PFU-041");
    assert!(row.ends_with("<td>3 pass</td><td class=\"number\">2</td>"), "{row}");
    let requirements = file(&whole, &reports, "requirements.html");
    assert!(requirements.contains("never looked at") && !requirements.contains("looked at never"));
}

#[test]
fn no_diagnostic_is_credited_with_what_it_is_not_known_to_have_found() {
    let unit = |name: &str, kind: &str, is_detected: bool| {
        let mut report = samples::reaction();
        name.clone_into(&mut report.scenario.name);
        report.build = good(name).build;
        report.checks[0].id = "safety_units_become_normal".to_owned();
        kind.clone_into(&mut report.injections[0].kind);
        if !is_detected {
            (report.injections[0].detected_ms, report.injections[0].detected_as) = (None, String::new());
        }
        report
    };
    let reports = [unit("known", "input-off", true), unit("open", "input-off", false)];
    let page = file(&bundle(&reports), &reports, "faults.html");
    let (_, row) = page.split_once("<th scope=\"row\">input-off</th>").expect("a row");
    let row = row.split_once("</tr>").expect("its end").0;
    let link = "<td>1: <a href=\"runs/open/42/report.html#faults\">open</a></td>";
    let wanted = "<td class=\"number\">2</td><td class=\"number\">1</td><td>supply-low</td>";
    assert_eq!(row, format!("{wanted}{link}"));
}
