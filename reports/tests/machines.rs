//! What machines read: JUnit, Markdown and CSV, parsed back and held against the report.

mod samples;

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;
use reports::{Report, RowVerdict, Verdict, csv, figures, junit, markdown, markdown_as_typed};

/// A test case as a reader of JUnit sees it.
#[derive(Debug, Default)]
struct Case {
    attributes: BTreeMap<String, String>,
    properties: BTreeMap<String, String>,
    inside: Vec<String>,
}

/// Parses a document: the attributes of its suites, and their cases.
fn parse(xml: &str) -> (Vec<BTreeMap<String, String>>, Vec<Case>) {
    let mut reader = Reader::from_str(xml);
    let (mut suites, mut cases, mut in_case) = (Vec::new(), Vec::<Case>::new(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) | Event::Empty(start) => {
                let attributes: BTreeMap<String, String> = start
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.unwrap();
                        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                        (key, attribute.normalized_value(quick_xml::XmlVersion::default()).unwrap().into_owned())
                    })
                    .collect();
                match start.name().as_ref() {
                    b"testsuite" => suites.push(attributes),
                    b"testcase" => {
                        in_case = true;
                        cases.push(Case { attributes, ..Case::default() });
                    }
                    b"property" if in_case => {
                        let case = cases.last_mut().unwrap();
                        case.properties.insert(attributes["name"].clone(), attributes["value"].clone());
                    }
                    name if in_case => {
                        cases.last_mut().unwrap().inside.push(String::from_utf8(name.to_vec()).unwrap());
                    }
                    _ => {}
                }
            }
            Event::End(end) if end.name().as_ref() == b"testcase" => in_case = false,
            Event::Eof => return (suites, cases),
            _ => {}
        }
    }
}

fn has(case: &Case, name: &str) -> bool {
    case.inside.iter().any(|inside| inside == name)
}

#[test]
fn a_suite_is_green_only_for_a_run_that_passed() {
    for (name, report) in samples::all() {
        let (suites, cases) = parse(&junit(&[&report]));
        assert_eq!(suites.len(), 1);
        let count = |what: &str| cases.iter().filter(|case| has(case, what)).count().to_string();
        assert_eq!(suites[0]["failures"], count("failure"), "{name}");
        assert_eq!(suites[0]["errors"], count("error"), "{name}");
        assert_eq!(suites[0]["skipped"], count("skipped"), "{name}");
        assert_eq!(suites[0]["tests"], cases.len().to_string(), "{name}");
        let green = suites[0]["failures"] == "0" && suites[0]["errors"] == "0";
        assert_eq!(green, report.verdict == Verdict::Pass, "{name}");
        let last = cases.last().unwrap();
        assert_eq!(last.attributes["name"], "verdict of the run");
        assert_eq!(has(last, "failure") || has(last, "error"), report.verdict != Verdict::Pass, "{name}");
    }
}

#[test]
fn a_run_that_is_inconclusive_as_its_scenario_states_is_skipped_and_never_a_success() {
    let (_, mut report) =
        samples::all().into_iter().find(|(_, report)| report.verdict == Verdict::Inconclusive).expect("a sample");
    let inconclusive = |report: &Report| {
        let (suites, cases) = parse(&junit(&[report]));
        let last = cases.into_iter().next_back().expect("the verdict of the run");
        (suites[0]["errors"] == "0" && suites[0]["failures"] == "0", has(&last, "skipped"), has(&last, "error"))
    };
    report.injections.clear();
    report.expectations.clear();
    assert_eq!(inconclusive(&report), (false, false, true), "nothing states it");
    let row = |text: String, verdict| reports::Expectation { text, verdict, detail: String::new() };
    report.expectations.push(row(format!("{}inconclusive", reports::STATED_VERDICT), RowVerdict::Pass));
    assert_eq!(inconclusive(&report), (true, true, false));
    assert!(junit(&[&report]).contains("inconclusive, as stated"));
    report.expectations.push(row("the campaign finished".to_owned(), RowVerdict::Fail));
    assert!(!inconclusive(&report).0, "something else that it expects does not hold");
    report.expectations.pop();
    report.expectations[0].text = format!("{}fail", reports::STATED_VERDICT);
    assert_eq!(inconclusive(&report), (false, false, true), "it states something else");
}

#[test]
fn a_run_in_which_nothing_was_judged_is_no_green_suite() {
    let mut report = samples::bus_alone();
    (report.budgets, report.checks) = (Vec::new(), Vec::new());
    report.judge();
    let (suites, _) = parse(&junit(&[&report]));
    assert_eq!(suites[0]["errors"], "1");
}

#[test]
fn a_case_has_the_numbers_of_its_row() {
    let report = samples::fail();
    let (suites, cases) = parse(&junit(&[&report]));
    assert_eq!(suites[0]["name"], "sag-3-retries");
    assert_eq!(suites[0]["time"], "1063.245");
    let case = cases.iter().find(|case| case.attributes["name"] == "PFU-041 pump-update").unwrap();
    assert_eq!(case.attributes["classname"], "sag-3-retries");
    assert_eq!(case.attributes["time"], "71.304");
    let told = |name: &str| case.properties[name].as_str();
    assert_eq!(
        ["requirement", "measured", "limit", "margin", "unit"].map(told),
        ["PFU-041", "71304.25", "70000", "-1304.25", "ms"]
    );
    assert!(has(case, "failure") && has(case, "rerunFailure"), "{case:?}");
}

#[test]
fn a_retry_of_a_pump_that_was_updated_is_flaky_and_a_dead_pump_s_tries_are_not() {
    let mut report = samples::fail();
    report.pumps.remove(7);
    report.budgets[0].measured = Some("66748".parse().unwrap());
    report.budgets[0].margin = Some("3252".parse().unwrap());
    report.budgets[0].verdict = RowVerdict::Pass;
    let (_, cases) = parse(&junit(&[&report]));
    let flaky: Vec<usize> =
        cases.iter().map(|case| case.inside.iter().filter(|name| *name == "flakyFailure").count()).collect();
    assert_eq!(flaky.iter().sum::<usize>(), 1, "P05 alone was updated after a failed try");
    assert_eq!(flaky[0], 1);
}

#[test]
fn an_injection_that_never_acted_is_an_error() {
    let (_, cases) = parse(&junit(&[&samples::inconclusive()]));
    let case = cases.iter().find(|case| case.attributes["name"].starts_with("fault cut acts")).unwrap();
    assert!(has(case, "error"));
}

#[test]
fn summaries_put_what_did_not_pass_first() {
    let (pass, fail) = (samples::pass(), samples::fail());
    let text = markdown(&[&pass, &fail]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("## cooltwin: FAIL, 1 of 2 runs did not pass"));
    assert!(text.find("| sag-3-retries --set ").unwrap() < text.find("| nominal-14 |").unwrap());
    assert!(markdown(&[&pass]).starts_with("## cooltwin: PASS, 1 run\n"));
    for (name, report) in samples::all() {
        let head = markdown(&[&report]).lines().next().unwrap().to_lowercase();
        assert_eq!(head.contains("pass,"), report.verdict == Verdict::Pass, "{name}: {head}");
    }
}

/// A run that is inconclusive because its scenario states so.
fn stated() -> Report {
    let mut report = samples::pass();
    report.scenario.name = "stated".to_owned();
    let text = format!("{}inconclusive", reports::STATED_VERDICT);
    let verdict = RowVerdict::Pass;
    report.expectations = vec![reports::Expectation { text, verdict, detail: String::new() }];
    report.checks[0].verdict = RowVerdict::Inconclusive;
    assert_eq!(report.judge(), Verdict::Inconclusive);
    report
}

#[test]
fn a_run_that_ends_as_stated_spoils_no_headline_and_is_marked() {
    let (pass, fail, stated) = (samples::pass(), samples::fail(), stated());
    let text = markdown(&[&stated, &pass]);
    assert_eq!(text.lines().next(), Some("## cooltwin: PASS, 2 runs, 1 inconclusive as stated"));
    assert!(text.contains("| stated | 42 | INCONCLUSIVE, as stated |"), "{text}");
    assert!(text.contains("<details><summary>INCONCLUSIVE, as stated stated"), "{text}");
    let text = markdown(&[&stated, &fail, &pass]);
    assert_eq!(text.lines().next(), Some("## cooltwin: FAIL, 1 of 3 runs did not pass, 1 inconclusive as stated"));
    let order = ["| sag-3-retries --set ", "| stated |", "| nominal-14 |"].map(|row| text.find(row).unwrap());
    assert!(order.is_sorted(), "{text}");
    let alone = markdown(&[&stated]);
    assert_eq!(alone.lines().next(), Some("## cooltwin: INCONCLUSIVE, 1 run, 1 inconclusive as stated"), "no pass");
    let mut broken = stated.clone();
    broken.expectations[0].verdict = RowVerdict::Fail;
    broken.judge();
    assert!(markdown(&[&broken, &pass]).starts_with("## cooltwin: FAIL, 1 of 2 runs did not pass\n"));
}

/// The row of a run with overrides says so; its seed has a column already.
#[test]
fn a_table_of_several_runs_tells_what_was_set() {
    let (plain, mut set) = (samples::pass(), samples::pass());
    set.scenario.overrides =
        vec!["supply.nominal=22V".to_owned(), "seed=7".to_owned(), "bus.bitrate=125kbit/s".to_owned()];
    let text = markdown(&[&plain, &set]);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| nominal")).collect();
    assert!(!rows[0].contains("--set"), "{text}");
    let named = format!("| {} --set supply.nominal=22V --set bus.bitrate=125kbit/s | ", plain.scenario.name);
    assert!(rows[1].starts_with(&named) && !rows[1].contains("seed=7"), "{text}");
}

#[test]
fn a_table_of_markdown_survives_any_name() {
    let mut report = samples::fail();
    report.scenario.name = "a|b`c<d>\nnext".to_owned();
    let text = markdown(&[&report]);
    let row = text.lines().find(|line| line.starts_with("| a")).unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 9, "{row}");
    assert!(row.contains("a\\|b\\`c&lt;d> next"), "{row}");
}

#[test]
fn csv_has_a_row_for_each_budget_and_no_formula() {
    let mut report = samples::fail();
    report.scenario.name = "=HYPERLINK(\"x\"), a\nb".to_owned();
    let text = csv(&[&samples::pass(), &report]);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(&rows[3][0], "'=HYPERLINK(\"x\"), a\nb");
    assert_eq!([&rows[3][6], &rows[3][10], &rows[3][4]], ["71304.25", "-1304.25", "fail"]);
}

fn all() -> Vec<Report> {
    samples::all().into_iter().map(|(_, report)| report).collect()
}

#[test]
fn junit_of_samples() {
    insta::assert_snapshot!("junit_fail", junit(&[&samples::fail()]));
    insta::assert_snapshot!("junit_inconclusive", junit(&[&samples::inconclusive()]));
}

#[test]
fn markdown_and_csv_of_samples() {
    let reports = all();
    let reports: Vec<&Report> = reports.iter().collect();
    insta::assert_snapshot!("markdown", markdown(&reports));
    insta::assert_snapshot!("csv", csv(&reports));
}

#[test]
fn svg_of_a_sample() {
    let figure =
        figures(&samples::reaction()).into_iter().find(|figure| figure.name == "samples-budget-fault-reaction");
    insta::assert_snapshot!("svg_samples", figure.unwrap().document());
}

#[test]
fn html_of_a_sample() {
    let report = samples::reaction();
    let page = reports::html(&report, Some(samples::EVENTS)).unwrap();
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    // One element a line, and figures by their first line alone, which have a snapshot of their own.
    let mut text = String::new();
    let mut rest = format!("{before}{after}");
    while let Some(begin) = rest.find("<svg role") {
        let end = begin + rest[begin..].find("</svg>").unwrap();
        let head = begin + rest[begin..].find('>').unwrap() + 1;
        text.push_str(&rest[..head]);
        rest = rest[end..].to_owned();
    }
    text.push_str(&rest);
    insta::assert_snapshot!("html_reaction", text.replace("><", ">\n<"));
}

#[test]
fn commands_have_the_path_as_it_was_typed_or_say_for_which_folder_they_are() {
    let report = samples::fail();
    let typed = [(&report, Some("suite/slow one.ron".to_owned()))];
    let summary = markdown_as_typed(&typed);
    assert!(summary.contains("```sh\ncooltwin run 'suite/slow one.ron' --seed 42"), "{summary}");
    assert!(!summary.contains("In the folder of the scenario file"));
    assert!(markdown(&[&report]).contains("In the folder of the scenario file:\n\n```sh\ncooltwin run "));
    let cases = reports::junit_of_suite(&typed, &[]);
    assert!(cases.contains("cooltwin run &apos;suite/slow one.ron&apos; --seed 42"), "{cases}");
    assert!(junit(&[&report]).contains("name=\"reproduce_in\" value=\"the folder of the scenario file\""));
}
