//! The page: complete in itself, its links lead somewhere, its verdicts are words, and nothing good is said of a
//! failed run.

mod samples;

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use reports::{Fixed, Report, RowVerdict, Verdict, html};

fn page(report: &Report) -> String {
    html(report, report.events.as_ref().map(|_| samples::EVENTS)).unwrap()
}

/// An element with its attributes.
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let attributes = start.html_attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (text(attribute.key.as_ref()), text(&attribute.value))
        });
        Self { name: text(start.name().as_ref()), attributes: attributes.collect() }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Every element of a page, in order.
fn elements(page: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("at {}: {error}", reader.error_position())) {
            Event::Start(start) | Event::Empty(start) => found.push(Element::of(&start)),
            Event::Eof => return found,
            _ => {}
        }
    }
}

/// The words of a part of a page, without its tags.
fn words(part: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for c in part.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                out.push(' ');
            }
            c if !in_tag => out.push(c),
            _ => {}
        }
    }
    out
}

fn between<'a>(page: &'a str, open: &str, close: &str) -> &'a str {
    let begin = page.find(open).unwrap_or_else(|| panic!("no {open}")) + open.len();
    let length = page[begin..].find(close).unwrap_or_else(|| panic!("no {close}"));
    &page[begin..begin + length]
}

/// The row of a table with these words.
fn row<'a>(page: &'a str, words: &str) -> &'a str {
    let at = page.find(words).unwrap_or_else(|| panic!("no {words}"));
    let begin = page[..at].rfind("<tr").expect("a row");
    &page[begin..at + page[at..].find("</tr>").expect("its end")]
}

#[test]
fn ids_are_unique_and_every_link_leads_somewhere() {
    for (name, report) in samples::all() {
        let elements = elements(&page(&report));
        let mut ids: Vec<&str> = elements.iter().filter_map(|element| element.get("id")).collect();
        let before = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), before, "{name}: an id stands twice");
        let links = elements.iter().filter_map(|element| element.get("href"));
        let labels = elements.iter().filter_map(|element| element.get("aria-labelledby"));
        let links: Vec<&str> = links.map(|link| link.strip_prefix('#').expect("links stay in the page")).collect();
        assert!(links.len() > 8, "{name}");
        for target in links.into_iter().chain(labels) {
            assert!(ids.contains(&target), "{name}: #{target} leads nowhere");
        }
    }
}

#[test]
fn a_page_needs_nothing_outside_itself_and_no_script() {
    for (name, report) in samples::all() {
        let page = page(&report);
        for outside in
            ["http:", "https:", "src=", "url(", "@import", "<script", "javascript:", " on", "<link", "<iframe"]
        {
            let found = if outside == " on" {
                elements(&page).iter().any(|element| element.attributes.keys().any(|key| key.starts_with("on")))
            } else {
                page.contains(outside)
            };
            assert!(!found, "{name} has {outside}");
        }
        for element in elements(&page) {
            let known = !["img", "object", "embed", "video", "audio", "form", "input"].contains(&element.name.as_str());
            assert!(known, "{name}: {}", element.name);
        }
    }
}

#[test]
fn tables_have_captions_and_scopes_and_figures_have_names() {
    for (name, report) in samples::all() {
        let page = page(&report);
        let elements = elements(&page);
        let count = |tag: &str| elements.iter().filter(|element| element.name == tag).count();
        assert_eq!(count("h1"), 1, "{name}");
        let signature = 1;
        assert_eq!(count("table"), count("caption") + signature, "{name}");
        for element in &elements {
            match element.name.as_str() {
                "th" => assert!(element.get("scope").is_some(), "{name}: a head without scope"),
                "svg" => {
                    let named = element.get("role") == Some("img") && element.get("aria-label").is_some();
                    assert!(named || element.get("aria-hidden") == Some("true"), "{name}: a figure without a name");
                }
                _ => {}
            }
        }
        assert_eq!(count("figure"), count("figcaption"), "{name}");
    }
}

#[test]
fn every_row_says_its_verdict_in_a_word() {
    for (name, report) in samples::all() {
        let page = page(&report);
        let table = between(&page, "id=\"verdicts\"", "</table>");
        let rows: Vec<String> = table.split("<tr").skip(1).map(words).collect();
        let verdicts = report.budgets.iter().map(|row| row.verdict);
        let verdicts = verdicts.chain(report.checks.iter().map(|row| row.verdict));
        let verdicts: Vec<RowVerdict> = verdicts.chain(report.expectations.iter().map(|row| row.verdict)).collect();
        let judged: Vec<&String> = rows
            .iter()
            .filter(|row| !row.contains("Criterion"))
            .filter(|row| !row.contains("Budgets") && !row.contains("Checks") && !row.contains("Expectations of"))
            .collect();
        assert_eq!(judged.len(), verdicts.len(), "{name}: {judged:#?}");
        for (row, verdict) in judged.into_iter().zip(verdicts) {
            let said = row.to_lowercase();
            assert!(said.contains(verdict.word()), "{name}: {row} does not say {}", verdict.word());
        }
        let shapes = page.matches("class=\"shape\"").count();
        let marked = page.matches("<span class=\"word").count() + page.matches("<span class=\"verdict").count();
        assert_eq!(shapes, marked, "{name}: a verdict without a shape");
    }
}

/// Head and title of a page in small letters.
fn head(report: &Report) -> String {
    let page = page(report);
    let head = words(between(&page, "<header>", "</header>"));
    format!("{} {head}", between(&page, "<title>", "</title>")).to_lowercase()
}

#[test]
fn the_head_of_a_run_that_did_not_pass_never_says_pass() {
    let mut seen = 0;
    for (name, report) in samples::all() {
        let head = head(&report);
        assert!(head.contains(report.verdict.word()), "{name}: {head}");
        if report.verdict != Verdict::Pass {
            seen += 1;
            assert!(!head.contains("pass"), "{name}: {head}");
            assert!(!page(&report).contains("class=\"verdict good\""), "{name}");
        }
    }
    assert_eq!(seen, 3, "a failed, an inconclusive and a broken run are among the samples");
}

#[test]
fn worst_case_limit_margin_and_proof_stand_in_one_row() {
    let page = page(&samples::fail());
    let row = row(&page, "pump update");
    for wanted in
        ["FAIL", "71.304 s", "&lt; 70 s", "-1.304 s<br>", "-1.9 %", "href=\"#budget-pump-update\"", "P08, try 1"]
    {
        assert!(row.contains(wanted), "{wanted} is not in {row}");
    }
    let proof = between(&page, "<article id=\"budget-pump-update\"", "</article>");
    assert!(proof.contains("href=\"#updates\"") && proof.contains("transfer begins"), "{proof}");
}

#[test]
fn text_of_a_scenario_is_never_markup() {
    let mut report = samples::fail();
    let evil = "<script>alert('x')</script>\"&";
    report.scenario.name = evil.to_owned();
    report.scenario.title = evil.to_owned();
    report.scenario.resolved = evil.to_owned();
    report.budgets[0].id = evil.to_owned();
    report.checks[0].detail = evil.to_owned();
    report.injections[0].id = evil.to_owned();
    report.injections[0].target = evil.to_owned();
    report.pumps[4].tries[0].cause = Some(evil.to_owned());
    report.series[0].name = evil.to_owned();
    let page = page(&report);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert"), "{page}");
    elements(&page);
    for figure in reports::figures(&report) {
        let mut reader = Reader::from_str(&figure.svg);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
        assert!(!figure.document().contains("<script"));
    }
}

#[test]
fn an_expected_failure_reads_as_such() {
    let page = page(&samples::expected_fail());
    assert!(row(&page, "pump update").contains("expected-fail"));
}

#[test]
fn a_log_that_is_not_the_result_s_is_refused_and_a_missing_one_is_told() {
    let report = samples::reaction();
    let other = samples::EVENTS.replace("8212", "8213");
    assert!(html(&report, Some(&other)).unwrap_err().to_string().contains("not the log of this result"));
    let without = html(&report, None).unwrap();
    assert!(without.contains("The log was not at hand"));
}

#[test]
fn reactions_have_a_figure_with_count_worst_and_steps() {
    let page = page(&samples::reaction());
    let article = between(&page, "<article id=\"budget-fault-reaction\"", "</article>");
    let said = words(article);
    for wanted in [
        "Worst of 11 values: 412.000 ms at sag-7",
        "limit 500 ms",
        "occurred",
        "detected",
        "commanded",
        "outputs off",
        "median 39.100 ms",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    assert_eq!(article.matches("<circle").count(), 11 + 1, "a dot for each value and a ring for the worst");
    assert!(words(between(&page, "id=\"safety\"", "</section>")).contains("logic time"));
}

#[test]
fn sags_are_listed_with_their_depth_and_threshold() {
    let page = page(&samples::reaction());
    let said = words(between(&page, "id=\"voltages\"", "</section>"));
    for wanted in
        ["8.21 V", "nodes switch off below", "17.10 V", "no update below", "3v3a in V: never below a threshold"]
    {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
}

/// What the terminal says of flow and what the page says of it are one number, and both say from when on.
#[test]
fn extremes_are_those_that_count_and_say_so() {
    let mut report = samples::pass();
    let flow = |extremes| reports::Series {
        name: "flow".to_owned(),
        unit: "L/min".to_owned(),
        t_ms: vec![reports::Millis::ZERO, reports::Millis::from_nanos(20_000_000_000)],
        min: vec![Fixed::ZERO, Fixed::scaled(84, 0)],
        max: vec![Fixed::scaled(84, 0), Fixed::scaled(217, 0)],
        levels: Vec::new(),
        extremes,
    };
    let counted = reports::Extremes {
        from_ms: reports::Millis::from_nanos(10_000_000_000),
        min: Fixed::scaled(84, 0),
        max: Fixed::scaled(217, 0),
    };
    report.series = vec![flow(Some(counted))];
    let text = page(&report);
    assert!(text.contains("84.00 L/min</td>") && text.contains("<td>from 10 s on</td>"));
    assert!(!text.contains(">0.00 L/min"));
    let options = reports::Options::default();
    assert!(reports::terminal(&report, &options).contains("   from 10 s on\n"));
    report.series = vec![flow(None)];
    assert!(page(&report).contains("0.00 L/min</td>") && page(&report).contains("<td>in the whole run</td>"));
    let reversed = reports::Extremes { min: counted.max, max: counted.min, ..counted };
    report.series = vec![flow(Some(reversed))];
    assert!(report.audit().is_err());
}

#[test]
fn pages_and_figures_of_a_whole_campaign_are_small() {
    let mut report = samples::pass();
    let points = 2000;
    let wild = |at: i64| Fixed::scaled(at * 7919 % 24_000, 0);
    let series = reports::Series {
        name: "supply".to_owned(),
        unit: "mV".to_owned(),
        t_ms: (0..points).map(|at| reports::Millis::from_signed_nanos(at * 531_000_000)).collect(),
        min: (0..points).map(|at| wild(at).min(wild(at + 1))).collect(),
        max: (0..points).map(|at| wild(at).max(wild(at + 1))).collect(),
        levels: Vec::new(),
        extremes: None,
    };
    report.series = ["supply", "flow", "temperature", "bus-load"]
        .map(|name| reports::Series { name: name.to_owned(), ..series.clone() })
        .into();
    let size = page(&report).len();
    assert!(size < 400_000, "{size}");
}

#[test]
fn a_fault_that_acts_again_stands_in_the_timeline_at_each_time_and_many_times_are_a_span() {
    let drawn = |activations: u64, again_s: &[u64]| {
        let mut report = samples::fail();
        report.injections.truncate(1);
        let fault = &mut report.injections[0];
        fault.activations = activations;
        fault.again_ms = again_s.iter().map(|at| reports::Millis::from_nanos(at * 1_000_000_000)).collect();
        let timeline = reports::figures(&report).into_iter().find(|figure| figure.name == "timeline").expect("it");
        let count = |what: &str| timeline.svg.matches(what).count();
        (count("<polygon"), count("stroke-width=\"2\""), words(&page(&report)))
    };
    let (once, lines, text) = drawn(1, &[]);
    assert!(text.contains("acted once"), "{text}");
    let (thrice, same_lines, text) = drawn(3, &[700, 900]);
    assert_eq!((thrice, same_lines), (once + 2, lines));
    assert!(text.contains("acted 3 times, last at 15 min 00.000 s"), "{text}");
    let (two_ends, with_a_line, text) = drawn(600, &[900]);
    assert_eq!((two_ends, with_a_line), (once + 1, lines + 1));
    assert!(text.contains("acted 600 times, last at 15 min 00.000 s"), "{text}");
}

#[test]
fn a_reaction_can_be_read_from_its_steps_its_marks_and_its_links() {
    let page = page(&samples::reaction());
    let steps = between(&page, "Table: Steps of the worst case of fault-reaction", "</table>");
    assert!(words(steps).contains("14,513.500") && words(steps).contains("14,724.310"), "{}", words(steps));
    let marks = words(between(&page, "Marks of the timeline", "</table>"));
    assert!(marks.contains("14,724.310") && marks.contains("outputs are off"), "{marks}");
    assert!(marks.contains("the unit of the fault, after sag-1, detected at 14,512.500 ms"), "{marks}");
    assert!(marks.contains("14,730.500") && marks.contains("all units that go off"), "{marks}");
    let (_, row) = page.split_once("id=\"expectation-1\"").unwrap();
    assert!(row.split_once("</tr>").unwrap().0.contains("<a href=\"#faults\">"), "no pumps show what a unit detects");
    let words = words(&page);
    assert!(
        words.contains("Limit <= 500 ms (response time of the configuration, 0 ms + 500 ms)")
            || words.contains("&lt;= 500 ms (response time")
    );
}

#[test]
fn a_run_without_a_campaign_says_nothing_of_pumps_that_no_one_updates() {
    let mut report = samples::bus_alone();
    report.pumps = vec![samples::not_reached(1, "2.0.0")];
    let page = page(&report);
    assert!(!page.contains("NOT-REACHED") && !page.contains("id=\"updates\"") && !page.contains("#updates"));
    report.campaign = samples::pass().campaign;
    assert!(html(&report, None).unwrap().contains("NOT-REACHED"), "in a campaign it needs attention");
}

#[test]
fn a_few_of_many_values_are_no_figure() {
    let mut report = samples::reaction();
    assert!(page(&report).contains("figure-samples-budget-supply-outputs-off"));
    report.budgets[1].n = 4_745;
    assert!(!page(&report).contains("figure-samples-budget-supply-outputs-off"));
}
