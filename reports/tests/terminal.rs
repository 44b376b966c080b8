//! The terminal report: snapshots of every ending, and what holds for all of them.

mod samples;

use reports::{Millis, Options, Report, RowVerdict, Verbosity, reproduce_command, terminal};

const VERBOSITIES: [Verbosity; 4] = [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose, Verbosity::VeryVerbose];

fn text(report: &Report, width: usize, verbosity: Verbosity) -> String {
    terminal(report, &Options { width, color: false, verbosity, file: None })
}

#[test]
fn every_ending_reads_well_in_a_hundred_columns() {
    for (name, report) in samples::all() {
        insta::assert_snapshot!(format!("normal_{name}"), text(&report, 100, Verbosity::Normal));
    }
}

#[test]
fn how_a_unit_answered_stands_under_its_injection_and_nothing_where_none_did() {
    let mut report = samples::reaction();
    let injection = &mut report.injections[0];
    (injection.detected_ms, injection.local_off_ms, injection.all_off_ms) = (None, None, None);
    injection.detected_as.clear();
    assert!(!text(&report, 100, Verbosity::Normal).contains("it occurred"));
    let nanos = Millis::from_nanos;
    // Without power nobody detects anything; the outputs of others rest on a sender that is silent.
    let off = |local: Option<u64>, all: Option<u64>| {
        let mut report = report.clone();
        let of = |ms: Option<u64>| ms.map(|ms| nanos(ms * 1_000_000));
        (report.injections[0].local_off_ms, report.injections[0].all_off_ms) = (of(local), of(all));
        text(&report, 100, Verbosity::Normal).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let not = "after it occurred; not detected, as far as is known ";
    let both = format!(" local and all affected outputs off 0.690 ms {not}");
    assert!(off(Some(14_313), Some(14_313)).contains(&both));
    assert!(off(None, Some(14_413)).contains(&format!(" all affected outputs off 100.690 ms {not}")));
    assert!(off(Some(14_313), None).contains(&format!(" local outputs off 0.690 ms {not}")));
    // The sample's worst reaction: occurred at 14312.31 ms, detected at 14512.5 ms, commanded at 14513.5 ms.
    report.injections[0].detected_ms = Some(nanos(14_512_500_000));
    let told = |report: &Report| {
        let text = text(report, 100, Verbosity::Normal);
        let (_, after) = text.rsplit_once("detected ").expect("a line");
        let words = after.split_whitespace().take_while(|word| *word != "Assumptions");
        words.collect::<Vec<_>>().join(" ")
    };
    let open = "200.190 ms, commanded off 201.190 ms after it occurred; no time off is known: either nothing that had to go \
                off was on, or an output stayed on";
    assert!(told(&report) == open, "{}", told(&report));
    report.injections[0].local_off_ms = Some(nanos(14_514_000_000));
    report.injections[0].all_off_ms = Some(nanos(14_724_310_125));
    assert!(
        told(&report).ends_with(
            "off 201.190 ms, local outputs off 201.690 ms, all affected outputs off 412.000 ms after it occurred"
        ),
        "{}",
        told(&report)
    );
    report.injections[0].all_off_ms = report.injections[0].local_off_ms;
    assert!(
        told(&report).ends_with("off 201.190 ms, local and all affected outputs off 201.690 ms after it occurred"),
        "{}",
        told(&report)
    );
    // Another detection than that of the worst value: nothing tells when its outputs were commanded off.
    report.injections[0].detected_ms = Some(nanos(14_512_600_000));
    assert!(
        told(&report).ends_with("200.290 ms, local and all affected outputs off 201.690 ms after it occurred"),
        "{}",
        told(&report)
    );
    // It counts from when the fault occurred, which may be long before it acted.
    report.injections[0].occurred_ms = Some(nanos(14_000_000_000));
    report.injections[0].detected_as = "supply-low".to_owned();
    let text = text(&report, 100, Verbosity::Normal).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("occurred at 14.000 s, acted 11 times"), "{text}");
    assert!(
        text.contains(
            "detected as supply-low 512.600 ms, local and all affected outputs off 514.000 ms after it occurred"
        ),
        "{text}"
    );
}

/// A fault at a safety unit that nobody is known to have found says so, also where nothing went off; one elsewhere says nothing.
#[test]
fn a_fault_at_a_unit_that_is_not_detected_always_says_so() {
    let mut report = samples::reaction();
    let one = &mut report.injections[0];
    (one.detected_ms, one.local_off_ms, one.all_off_ms) = (None, None, None);
    one.detected_as.clear();
    let says = |report: &Report| {
        text(report, 100, Verbosity::Normal).contains("\n         not detected, as far as is known\n")
    };
    assert!(!says(&report), "the supply is no unit");
    report.injections[0].target = "hall".to_owned();
    assert!(says(&report));
    report.injections[0].activations = 0;
    assert!(!says(&report), "it never acted");
}

/// Nanoseconds are to be seen where the limit of a CPU's logic lies.
#[test]
fn short_reactions_have_all_their_places() {
    let mut report = samples::reaction();
    report.injections[0].detected_ms = Some("14313.122559".parse().expect("a time"));
    assert!(text(&report, 100, Verbosity::Normal).contains("detected as supply-low 0.812559 ms, "));
    let page = reports::html(&report, None).expect("a page");
    assert!(page.contains("after 0.812559 ms"), "{page}");
}

/// The units of a run: mode, what was found, relays, voltage, downloads and lamp; and what their messages are.
#[test]
fn safety_units_are_told_in_80_columns() {
    let text = text(&samples::reaction(), 80, Verbosity::Normal);
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.starts_with("cooltwin ")), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let hall = "Safety units hall CPU1 safe-state, CPU2 no-firmware supply-low detected by CPU2 at 14,512.500 ms \
                no relay conducts 8.21 V to 24.00 V at its terminals lamp lit at 3.001 s and 5.000 s";
    let other = "engine-room normal no internal fault detected relays 0 and 1 conduct 23.95 V to 24.00 V at its terminals \
                 download at 2.500 s: stored after 1.480 s, both CPUs hold it download at 59.000 s: not-over";
    assert!(words.contains(&format!("{hall} {other}")), "{text}");
    assert!(text.contains("  sync of engine-room\n"), "{text}");
}

#[test]
fn counts_begin_with_what_was_judged() {
    let mut report = samples::reaction();
    let mut first = report.checks[0].clone();
    first.verdict = RowVerdict::NotApplicable;
    report.checks.insert(0, first);
    assert!(text(&report, 100, Verbosity::Normal).contains("\nChecks        1 pass   1 not-applicable\n"));
}

#[test]
fn quiet_prints_the_last_block_only() {
    for (name, report) in samples::all() {
        let quiet = text(&report, 100, Verbosity::Quiet);
        assert!(text(&report, 100, Verbosity::Normal).ends_with(&format!("\n\n{quiet}")), "{name}");
        insta::assert_snapshot!(format!("quiet_{name}"), quiet);
    }
}

#[test]
fn verbose_adds_phases_decomposition_and_checks() {
    insta::assert_snapshot!(text(&samples::fail(), 100, Verbosity::Verbose));
}

#[test]
fn very_verbose_adds_nodes_messages_assumptions_and_fingerprints() {
    insta::assert_snapshot!(text(&samples::error(), 100, Verbosity::VeryVerbose));
}

#[test]
fn narrow_and_wide_pages_keep_their_columns() {
    insta::assert_snapshot!("fail_80", text(&samples::fail(), 80, Verbosity::Normal));
    insta::assert_snapshot!("expected_fail_80", text(&samples::expected_fail(), 80, Verbosity::Normal));
    insta::assert_snapshot!("fail_140", text(&samples::fail(), 140, Verbosity::Normal));
}

#[test]
fn colours_stand_around_words_and_change_none() {
    for (name, report) in samples::all() {
        for verbosity in VERBOSITIES {
            let colored = terminal(&report, &Options { width: 100, color: true, verbosity, file: None });
            assert!(colored.contains("\x1b["), "{name}");
            assert_eq!(without_escapes(&colored), text(&report, 100, verbosity), "{name}");
        }
    }
    let colored = Options { color: true, ..Options::default() };
    insta::assert_snapshot!("fail_color", terminal(&samples::fail(), &colored).replace('\x1b', "\\e"));
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\x1b');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').unwrap().1);
    }
    plain
}

#[test]
fn the_verdict_comes_last_broken_at_words_and_then_the_command() {
    for (name, mut report) in samples::all() {
        report.scenario.name = format!("{name}-in-a-scenario-with-a-long-name");
        let word = report.verdict.word().to_uppercase();
        let indent = " ".repeat(word.len() + 2);
        let one_line = text(&report, 1_000, Verbosity::Quiet);
        let sentence = one_line.lines().rev().nth(1).expect("a verdict");
        assert!(sentence.starts_with(&format!("{word}  {}: ", report.scenario.name)), "{name}: {sentence}");
        for verbosity in VERBOSITIES {
            let text = text(&report, 80, verbosity);
            let (before, last) = text.trim_end().rsplit_once('\n').expect("two lines");
            assert_eq!(last, reproduce_command(&report), "{name}");
            let begin = before.rfind(&format!("\n{word}  ")).map_or(0, |at| at + 1);
            let lines: Vec<&str> = before[begin..].lines().collect();
            assert!(lines[1..].iter().all(|line| line.starts_with(&indent)), "{name}: {lines:?}");
            let joined: Vec<&str> = lines.iter().map(|line| line.strip_prefix(&*indent).unwrap_or(line)).collect();
            assert_eq!(joined.join(" "), sentence, "{name}: only spaces become line breaks");
        }
    }
}

#[test]
fn no_line_is_wider_than_the_page_or_ends_in_a_space() {
    for (name, report) in samples::all() {
        for verbosity in VERBOSITIES {
            for width in [80, 100, 140, 200] {
                let text = text(&report, width, verbosity);
                let lines: Vec<&str> = text.lines().collect();
                for line in &lines[..lines.len() - 1] {
                    assert!(line.chars().count() <= width, "{name} at {width}: {line}");
                    assert!(!line.ends_with(' '), "{name} at {width}: {line:?}");
                }
            }
        }
    }
}

#[test]
fn the_line_of_the_limit_is_straight_and_its_label_stands_above_it() {
    for width in [80, 100, 140] {
        let text = text(&samples::fail(), width, Verbosity::Normal);
        let column = |line: &str| line.chars().position(|c| matches!(c, '│' | '┃' | '┐'));
        let columns: Vec<usize> = text.lines().filter_map(column).collect();
        assert_eq!(columns.len(), 15, "14 pumps and the label");
        assert!(columns.iter().all(|at| *at == columns[0]), "{columns:?}");
    }
}

#[test]
fn a_bar_crosses_the_line_exactly_when_its_pump_is_over() {
    let mut report = samples::pass();
    for (update, crosses) in [("69999.999999", false), ("70000", true), ("70000.000001", true)] {
        report.pumps[2].update_ms = Some(update.parse().unwrap());
        for width in [60, 80, 100, 140] {
            let text = text(&report, width, Verbosity::Normal);
            let row = text.lines().find(|line| line.starts_with("  P03")).unwrap();
            assert_eq!(row.contains("┃▏"), crosses, "{update} at {width}: {row}");
            assert_eq!(row.contains(" -"), crosses, "{update} at {width}: {row}");
        }
    }
}

#[test]
fn a_temperature_at_the_end_of_its_sensor_is_told_as_beyond_it() {
    let mut report = samples::pass();
    let mut told = |temperature: &str| {
        report.plant.coolant_c_max = temperature.parse().unwrap();
        text(&report, 100, Verbosity::Normal)
    };
    assert!(told("3276.7").contains("temperature beyond 3,276.7 °C"));
    assert!(told("3276.6").contains("temperature at most 3,276.6 °C"));
}

#[test]
fn words_from_files_cannot_move_the_cursor() {
    let mut report = samples::fail();
    report.scenario.name = "evil\x1b[2J\r\n".to_owned();
    report.checks[2].detail = "a\x07b\x1b]0;title\x07".to_owned();
    report.inputs[0].path = "a\nb".to_owned();
    for verbosity in VERBOSITIES {
        let text = text(&report, 100, verbosity);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}

#[test]
fn the_command_survives_a_shell() {
    let mut report = samples::fail();
    report.inputs[0].path = "it's here.ron".to_owned();
    report.scenario.overrides = vec!["consent=$(never)".to_owned()];
    assert_eq!(reproduce_command(&report), r"cooltwin run 'it'\''s here.ron' --seed 42 --set 'consent=$(never)'");
}

#[test]
fn an_empty_report_is_no_reason_to_panic() {
    let mut report = samples::bus_alone();
    report.bus = reports::Bus::default();
    report.budgets.clear();
    report.checks.clear();
    report.inputs.clear();
    report.assumptions.clear();
    report.judge();
    let text = text(&report, 0, Verbosity::VeryVerbose);
    assert!(text.ends_with("INCONCLUSIVE  bus-alone: nothing was judged\ncooltwin run FILE --seed 42\n"), "{text}");
}
