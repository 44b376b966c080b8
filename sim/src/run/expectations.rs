//! What a scenario expects of its run, held against what happened; and the scenario's disturbances outside its fault list.

use orchestrator::Cause;
use reports::{Expectation as Row, Injection, Millis, Outcome, Report, RowVerdict, Standing, Verdict};

use super::Run;
use super::classes::{Hit, Judge};
use crate::checks;
use crate::hosts::OrchestratorRecord;
use crate::kernel::{SimTime, Span};
use crate::measure::Measures;
use crate::measure::timeline::Question;
use crate::node::NodeId;
use crate::record::Record;
use crate::scenario::words::NodeName;
use crate::scenario::{
    self, Alarm, CampaignEnd, Consent, ConsentResult, Expectation, ImageDefect, Scenario, Selection,
};

/// Fills in the expectations of a report and its verdict.
pub(super) fn judge(scenario: &Scenario, run: &Run, report: &mut Report) {
    expect_broken_checks(scenario, report);
    report.verdict = report.judge();
    let before = report.verdict;
    let rows: Vec<Row> = scenario
        .expectations
        .iter()
        .map(|expectation| {
            let why = written_all_the_same(scenario, run, expectation).or_else(|| idle_fault(report, expectation));
            let held = why.is_none() && holds(scenario, run, report, before, expectation);
            if held {
                return Row { text: text(expectation), verdict: RowVerdict::Pass, detail: String::new() };
            }
            let detail = why.unwrap_or_else(|| who_broke(scenario, run, report, before, expectation));
            Row { text: text(expectation), verdict: RowVerdict::Fail, detail }
        })
        .collect();
    report.expectations = rows;
    let said = scenario.expectations.iter().find_map(|expectation| match expectation {
        Expectation::Verdict(verdict) => Some(verdict_of(verdict)),
        _ => None,
    });
    // A scenario that expects an inconclusive run keeps that verdict: it must never read as a pass.
    report.verdict = report.judge();
    if said == Some(before) && report.verdict == Verdict::Pass {
        report.verdict = before;
    }
}

/// Pumps that are expected not to have been reached, and whose flash says otherwise: that of the unit in their place.
fn written_all_the_same(scenario: &Scenario, run: &Run, expectation: &Expectation) -> Option<String> {
    let Expectation::Outcome(wanted) = expectation else { return None };
    if wanted.is != scenario::Outcome::NotReached {
        return None;
    }
    let operations = &run.twin.world.resource::<Measures>().flash_operations;
    let is_own = |pump: &u8| crate::measure::was_written(&run.twin.world, usize::from(*pump) - 1);
    let pumps = scenario.selected(&wanted.pumps).into_iter().filter(is_own);
    let written = pumps.map(|pump| (pump, operations[usize::from(pump) - 1])).filter(|(_, count)| *count > 0);
    let words: Vec<String> =
        written.map(|(pump, count)| format!("P{pump:02} began {count} flash operations")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A fault that never acted is no part of a story: a run that is inconclusive for it is not inconclusive as stated.
fn idle_fault(report: &Report, expectation: &Expectation) -> Option<String> {
    let Expectation::Verdict(scenario::Verdict::Inconclusive) = expectation else { return None };
    let idle = report.injections.iter().find(|injection| injection.proven() == 0)?;
    Some(if idle.activations == 0 {
        format!("fault {} never acted", idle.id)
    } else {
        format!("fault {} came less often than asked for", idle.id)
    })
}

/// A check that the scenario expects to fail reads expected-fail; if it does not fail, that fails the run.
fn expect_broken_checks(scenario: &Scenario, report: &mut Report) {
    for expectation in &scenario.expectations {
        let Expectation::CheckFails(id) = expectation else { continue };
        if let Some(check) = report.checks.iter_mut().find(|check| check.id == *id) {
            let held = check.verdict != RowVerdict::Fail;
            check.verdict = reports::row_verdict(Standing::ExpectedToFail, check.n, held);
            if held && check.verdict == RowVerdict::Fail {
                check.detail = "held, and was expected to break".to_owned();
            }
        }
    }
}

fn verdict_of(verdict: &scenario::Verdict) -> Verdict {
    match verdict {
        scenario::Verdict::Pass => Verdict::Pass,
        scenario::Verdict::Fail => Verdict::Fail,
        scenario::Verdict::Inconclusive => Verdict::Inconclusive,
        scenario::Verdict::Error => Verdict::Error,
    }
}

fn holds(scenario: &Scenario, run: &Run, report: &Report, before: Verdict, expectation: &Expectation) -> bool {
    let measures = run.twin.world.resource::<Measures>();
    let pumps = |selection: &Selection| scenario.selected(selection).into_iter().map(|pump| usize::from(pump) - 1);
    let history = |pump: usize| &measures.timeline.pumps[pump];
    if let Some(held) = super::safety::holds(scenario, run, expectation) {
        return held;
    }
    match expectation {
        Expectation::SafetyTrip(_)
        | Expectation::SafetyStaysNormal(_)
        | Expectation::SafetyRestarts(_)
        | Expectation::SafetyRelays(_)
        | Expectation::SafetyDownload(_)
        | Expectation::SafetyIdentified(_) => false,
        Expectation::Outcome(wanted) => {
            pumps(&wanted.pumps).all(|pump| report.pumps[pump].outcome == outcome_of(&wanted.is))
        }
        Expectation::Attempts(wanted) => pumps(&wanted.pumps).all(|pump| {
            let tries = history(pump).tries.len();
            (usize::from(wanted.at_least)..=usize::from(wanted.at_most)).contains(&tries)
        }),
        Expectation::Cause(wanted) => cause_holds(scenario, measures, wanted),
        Expectation::VersionAfter(wanted) => pumps(&wanted.pumps)
            .all(|pump| report.pumps[pump].version_after.as_deref() == Some(wanted.version.to_string().as_str())),
        Expectation::NoFlashWrite(selection) => pumps(selection).all(|pump| measures.flash_operations[pump] == 0),
        Expectation::FailSafe(selection) => pumps(selection).all(|pump| measures.fail_safe[pump]),
        Expectation::Consent(wanted) => consent_is(measures.timeline.question, wanted),
        Expectation::Alarm(wanted) => {
            let raised = measures.timeline.alarms.iter().filter(|(_, alarm)| alarm_is(*alarm, &wanted.about)).count();
            raised == wanted.count as usize
        }
        Expectation::BudgetFails(id) => {
            report.budget(id).is_some_and(|budget| budget.verdict == RowVerdict::ExpectedFail)
        }
        Expectation::CheckFails(id) => {
            report.checks.iter().any(|check| check.id == *id && check.verdict == RowVerdict::ExpectedFail)
        }
        Expectation::BusOff(nodes) => all_nodes(scenario, nodes, |node| measures.links[node.index()].bus_off > 0),
        Expectation::ErrorPassive(nodes) => all_nodes(scenario, nodes, |node| measures.links[node.index()].passive > 0),
        Expectation::Campaign(end) => campaign_is(measures, end),
        Expectation::Verdict(wanted) => before == verdict_of(wanted),
    }
}

/// Who broke an expectation that did not hold, and what was there instead; empty where nothing more can be said.
fn who_broke(scenario: &Scenario, run: &Run, report: &Report, before: Verdict, expectation: &Expectation) -> String {
    let measures = run.twin.world.resource::<Measures>();
    let those = |selection: &Selection, broken: &dyn Fn(usize) -> Option<String>| {
        let pumps = scenario.selected(selection).into_iter();
        let words = pumps.filter_map(|pump| Some(format!("P{pump:02} {}", broken(usize::from(pump) - 1)?)));
        words.collect::<Vec<_>>().join(", ")
    };
    let others = |names: &[NodeName], is: &dyn Fn(NodeId) -> bool| {
        let not = names.iter().filter(|name| !scenario.node_id(name).is_some_and(is));
        not.map(|name| format!("{name} did not")).collect::<Vec<_>>().join(", ")
    };
    match expectation {
        Expectation::SafetyDownload(_) => super::safety::why(scenario, run, expectation),
        Expectation::SafetyTrip(_)
        | Expectation::SafetyStaysNormal(_)
        | Expectation::SafetyRestarts(_)
        | Expectation::SafetyIdentified(_)
        | Expectation::SafetyRelays(_) => super::safety::instead(scenario, run, expectation),
        Expectation::Outcome(wanted) => those(&wanted.pumps, &|pump| {
            let outcome = report.pumps[pump].outcome;
            (outcome != outcome_of(&wanted.is)).then(|| format!("ended as {}", outcome.word()))
        }),
        Expectation::Attempts(wanted) => those(&wanted.pumps, &|pump| {
            let tries = measures.timeline.pumps[pump].tries.len();
            let as_wanted = (usize::from(wanted.at_least)..=usize::from(wanted.at_most)).contains(&tries);
            (!as_wanted).then(|| format!("took {tries}"))
        }),
        Expectation::Cause(wanted) => those(&wanted.pumps, &|pump| {
            let logged = cause_is_logged(measures, pump, Cause::from_code(wanted.code.number())?);
            (logged != wanted.logged).then(|| if logged { "has it" } else { "does not have it" }.to_owned())
        }),
        Expectation::VersionAfter(wanted) => those(&wanted.pumps, &|pump| {
            let held = report.pumps[pump].version_after.as_deref();
            let other = held != Some(wanted.version.to_string().as_str());
            other.then(|| format!("holds {}", held.unwrap_or("no valid application")))
        }),
        Expectation::NoFlashWrite(selection) => those(selection, &|pump| {
            let count = measures.flash_operations[pump];
            (count > 0).then(|| format!("began {count} flash operations"))
        }),
        Expectation::FailSafe(selection) => {
            those(selection, &|pump| (!measures.fail_safe[pump]).then(|| "was not".to_owned()))
        }
        Expectation::Consent(_) => format!("it was {}", question_words(measures.timeline.question)),
        Expectation::Alarm(wanted) => {
            let raised = measures.timeline.alarms.iter().filter(|(_, alarm)| alarm_is(*alarm, &wanted.about));
            let raised: Vec<String> = raised.map(|(at, alarm)| alarm_at(*at, alarm)).collect();
            if raised.is_empty() { "it was never raised".to_owned() } else { format!("raised: {}", raised.join(", ")) }
        }
        Expectation::BudgetFails(id) => report.budget(id).map_or_else(String::new, |row| verdict_words(row.verdict)),
        Expectation::CheckFails(id) => {
            let row = report.checks.iter().find(|check| check.id == *id);
            row.map_or_else(String::new, |row| verdict_words(row.verdict))
        }
        Expectation::BusOff(nodes) => others(nodes, &|node| measures.links[node.index()].bus_off > 0),
        Expectation::ErrorPassive(nodes) => others(nodes, &|node| measures.links[node.index()].passive > 0),
        Expectation::Campaign(_) => {
            let is = |end: &CampaignEnd| campaign_is(measures, end);
            let what = if is(&CampaignEnd::NotStarted) {
                "it wrote to no pump"
            } else if is(&CampaignEnd::Finished) {
                "it finished"
            } else {
                "it was under way at the end"
            };
            what.to_owned()
        }
        Expectation::Verdict(_) => format!("it is {}", before.word()),
    }
}

fn verdict_words(verdict: RowVerdict) -> String {
    let word = match verdict {
        RowVerdict::Fail => "it held",
        RowVerdict::Inconclusive => "nothing was measured",
        other => return format!("it reads {}", other.word()),
    };
    word.to_owned()
}

fn alarm_at(at: SimTime, alarm: &orchestrator::Alarm) -> String {
    format!("{} at {at} ms", super::events::alarm_text(alarm))
}

const fn question_words(question: Question) -> &'static str {
    match question {
        Question::NotAsked => "not asked for",
        Question::Open => "not answered yet",
        Question::Given => "given",
        Question::Refused => "refused",
        Question::Lapsed => "never answered",
        Question::Late => "given too late",
    }
}

fn all_nodes(scenario: &Scenario, names: &[NodeName], is: impl Fn(NodeId) -> bool) -> bool {
    names.iter().all(|name| scenario.node_id(name).is_some_and(&is))
}

fn outcome_of(outcome: &scenario::Outcome) -> Outcome {
    match outcome {
        scenario::Outcome::Updated => Outcome::Updated,
        scenario::Outcome::UpToDate => Outcome::UpToDate,
        scenario::Outcome::Dead => Outcome::Dead,
        scenario::Outcome::Rejected => Outcome::Rejected,
        scenario::Outcome::SetAside => Outcome::SetAside,
        scenario::Outcome::NotReached => Outcome::NotReached,
    }
}

/// A cause of the image as a whole is logged without a pump; it then counts for all of them.
fn cause_holds(scenario: &Scenario, measures: &Measures, wanted: &scenario::PumpCause) -> bool {
    let Some(cause) = Cause::from_code(wanted.code.number()) else { return !wanted.logged };
    let pumps = scenario.selected(&wanted.pumps).into_iter();
    pumps.map(|pump| cause_is_logged(measures, usize::from(pump) - 1, cause)).all(|logged| logged == wanted.logged)
}

fn cause_is_logged(measures: &Measures, pump: usize, cause: Cause) -> bool {
    let of_the_image = matches!(cause, Cause::FileNotFound | Cause::ImageRejected);
    let for_all = of_the_image && measures.timeline.causes.contains(&cause);
    for_all || measures.timeline.pumps[pump].causes.contains(&cause)
}

fn consent_is(question: Question, wanted: &ConsentResult) -> bool {
    matches!(
        (question, wanted),
        (Question::NotAsked, ConsentResult::NotAsked)
            | (Question::Given, ConsentResult::Given)
            | (Question::Refused, ConsentResult::Refused)
            | (Question::Lapsed, ConsentResult::Lapsed)
            | (Question::Late, ConsentResult::Late)
    )
}

fn alarm_is(alarm: orchestrator::Alarm, wanted: &Alarm) -> bool {
    use orchestrator::Alarm as Raised;
    match (wanted, alarm) {
        (Alarm::Any, _) | (Alarm::AnyDeadPump, Raised::PumpDead(_)) => true,
        (Alarm::DeadPump(pump), Raised::PumpDead(dead)) => dead.get() == *pump,
        (Alarm::FeedOff | Alarm::LowSupply, Raised::LowSupply) | (Alarm::NoPumpHeard, Raised::NoPumpHeard) => true,
        _ => false,
    }
}

fn campaign_is(measures: &Measures, wanted: &CampaignEnd) -> bool {
    let wrote = measures.flash_operations.iter().any(|operations| *operations > 0);
    let finished = measures.timeline.finished.is_some();
    match wanted {
        CampaignEnd::Finished => finished,
        CampaignEnd::NotStarted => !wrote,
        CampaignEnd::Unfinished => wrote && !finished,
    }
}

fn selection_text(selection: &Selection) -> String {
    let list = |pumps: &[u8]| pumps.iter().map(|pump| format!("P{pump:02}")).collect::<Vec<_>>().join(", ");
    match selection {
        Selection::All => "every pump".to_owned(),
        Selection::Only(pumps) => list(pumps),
        Selection::Except(pumps) => format!("every pump but {}", list(pumps)),
    }
}

/// The expectation as a sentence.
fn text(expectation: &Expectation) -> String {
    let names = |nodes: &[NodeName]| nodes.iter().map(NodeName::to_string).collect::<Vec<_>>().join(", ");
    match expectation {
        Expectation::SafetyTrip(_)
        | Expectation::SafetyStaysNormal(_)
        | Expectation::SafetyRestarts(_)
        | Expectation::SafetyRelays(_)
        | Expectation::SafetyDownload(_)
        | Expectation::SafetyIdentified(_) => super::safety::text(expectation).unwrap_or_default(),
        Expectation::Outcome(wanted) => {
            format!("{} ends as {}", selection_text(&wanted.pumps), outcome_of(&wanted.is).word())
        }
        Expectation::Attempts(wanted) => {
            format!("{} takes {}", selection_text(&wanted.pumps), tries_text(wanted.at_least, wanted.at_most))
        }
        Expectation::Cause(wanted) => {
            let not = if wanted.logged { "" } else { "not " };
            format!("cause {} is {not}logged for {}", wanted.code, selection_text(&wanted.pumps))
        }
        Expectation::VersionAfter(wanted) => {
            format!("{} holds version {}", selection_text(&wanted.pumps), wanted.version)
        }
        Expectation::NoFlashWrite(selection) => format!("no flash operation on {}", selection_text(selection)),
        Expectation::FailSafe(selection) => format!("{} was in fail-safe mode", selection_text(selection)),
        Expectation::Consent(wanted) => format!("consent was {}", consent_words(wanted)),
        Expectation::Alarm(wanted) => format!("alarm {} is {}", alarm_words(&wanted.about), raised_text(wanted.count)),
        Expectation::BudgetFails(id) => format!("budget {id} is broken"),
        Expectation::CheckFails(id) => format!("check {id} is broken"),
        Expectation::BusOff(nodes) => format!("{} went bus-off", names(nodes)),
        Expectation::ErrorPassive(nodes) => format!("{} went error-passive", names(nodes)),
        Expectation::Campaign(CampaignEnd::Finished) => "the campaign finished".to_owned(),
        Expectation::Campaign(CampaignEnd::NotStarted) => "the campaign wrote to no pump".to_owned(),
        Expectation::Campaign(CampaignEnd::Unfinished) => "the campaign was under way at the end".to_owned(),
        Expectation::Verdict(wanted) => format!("{}{}", reports::STATED_VERDICT, verdict_of(wanted).word()),
    }
}

/// `1 byte`, `4096 bytes`.
fn bytes(number: u32) -> String {
    format!("{number} byte{}", if number == 1 { "" } else { "s" })
}

fn tries_text(at_least: u8, at_most: u8) -> String {
    match (at_least, at_most) {
        (0, 0) => "no try".to_owned(),
        (1, 1) => "exactly 1 try".to_owned(),
        (least, most) if least == most => format!("exactly {most} tries"),
        (least, most) => format!("{least} to {most} tries"),
    }
}

fn raised_text(count: u32) -> String {
    match count {
        0 => "never raised".to_owned(),
        1 => "raised once".to_owned(),
        many => format!("raised {many} times"),
    }
}

fn consent_words(result: &ConsentResult) -> &'static str {
    match result {
        ConsentResult::NotAsked => "not asked for",
        ConsentResult::Given => "given",
        ConsentResult::Refused => "refused",
        ConsentResult::Lapsed => "never answered",
        ConsentResult::Late => "given too late",
    }
}

fn alarm_words(alarm: &Alarm) -> String {
    match alarm {
        Alarm::DeadPump(pump) => format!("'P{pump:02} is dead'"),
        Alarm::AnyDeadPump => "'a pump is dead'".to_owned(),
        Alarm::FeedOff => "'feed off'".to_owned(),
        Alarm::LowSupply => "'supply too low'".to_owned(),
        Alarm::NoPumpHeard => "'no pump is heard'".to_owned(),
        Alarm::Any => "of any kind".to_owned(),
    }
}

/// The kinds of disturbances that stand outside the list of faults.
pub(crate) const KINDS_OUTSIDE_THE_LIST: [&str; 4] = ["image-defect", "consent", "manual-search", "cioc-update"];

/// Image defects, unusual answers, searches by hand and the CIOC's own update are disturbances, too: each with its proof.
pub(super) fn injections_outside_the_list(scenario: &Scenario, judge: &Judge<'_>) -> Vec<Injection> {
    let mut list = Vec::new();
    let measures = judge.measures;
    let mut add = |kind: &str, target: &str, seen: Option<(SimTime, String)>, activations: u64, hit: Hit| {
        let first = seen.as_ref().map(|(time, _)| *time);
        list.push(Injection {
            id: if kind == "image-defect" { "image" } else { kind }.to_owned(),
            kind: kind.to_owned(),
            target: target.to_owned(),
            at_ms: first.map(|time| Millis::from_nanos(time.as_nanos())),
            duration_ms: None,
            again_ms: Vec::new(),
            activations: if seen.is_some() { activations.max(1) } else { 0 },
            effect: seen.map(|(_, effect)| effect).unwrap_or_default(),
            missing: 0,
            hint: String::new(),
            class: judge.class(first, &hit, &super::safety::Reaction::default()).to_owned(),
            occurred_ms: first.map(|time| Millis::from_nanos(time.as_nanos())),
            detected_ms: None,
            detected_as: String::new(),
            local_off_ms: None,
            all_off_ms: None,
        });
    };
    if scenario.campaign && scenario.package.image.defect.is_some() {
        add("image-defect", "package", image_proof(scenario, measures), 1, Hit::Image);
    }
    if scenario.campaign && is_unusual(scenario) {
        add("consent", "person at the CIOC", first_notice(measures, is_question), 1, Hit::Consent);
    }
    if !scenario.user.manual_searches.is_empty() {
        let (seen, searches) = (first_notice(measures, is_manual_search), count(measures, is_manual_search));
        add("manual-search", "person at the CIOC", seen, searches, Hit::Search);
    }
    if scenario.cioc_update.is_some() {
        add("cioc-update", "CIOC", first_notice(measures, is_update), 1, Hit::CiocUpdate);
    }
    for row in list.iter_mut().filter(|row| row.kind == "manual-search") {
        row.missing = lost_presses(scenario, measures);
    }
    list
}

/// How often the person asked for a search and none came: the CIOC was not there, or a restart forgot it. One search
/// answers all that was asked for before it in the same life of the firmware.
fn lost_presses(scenario: &Scenario, measures: &Measures) -> u64 {
    let answered = |pressed: &&Span| {
        let at = SimTime::ZERO + **pressed;
        let later = measures.journal.iter().filter(|(time, ..)| *time >= at);
        let mut of_the_cioc = later.filter_map(|(_, record, _)| match record {
            Record::Orchestrator(record) => Some(record),
            _ => None,
        });
        of_the_cioc.find_map(|record| match record {
            OrchestratorRecord::Started
            | OrchestratorRecord::Off
            | OrchestratorRecord::Reset
            | OrchestratorRecord::UpdateBegun => Some(false),
            other => is_manual_search(other).map(|_| true),
        }) == Some(true)
    };
    scenario.user.manual_searches.iter().filter(|pressed| !answered(pressed)).count() as u64
}

/// Whether the answer is any other than a yes while the question stands.
fn is_unusual(scenario: &Scenario) -> bool {
    !matches!(&scenario.user.consent, Consent::Agree(answer) if checks::is_in_time(scenario, answer.after))
}

/// What the store really holds, and that the CIOC read it: its image alarm, its rejections or its search.
fn image_proof(scenario: &Scenario, measures: &Measures) -> Option<(SimTime, String)> {
    let what = match scenario.package.image.defect.as_ref()? {
        ImageDefect::Missing => "the package names an image that is not there".to_owned(),
        ImageDefect::Corrupt(1) => "1 bit of the held image is inverted".to_owned(),
        ImageDefect::Corrupt(bits) => format!("{bits} bits of the held image are inverted"),
        ImageDefect::Truncated(size) => format!("the held image is {} short", bytes(size.bytes())),
        ImageDefect::Extended(size) => format!("the held image is {} too long", bytes(size.bytes())),
        ImageDefect::ForModel(model) => format!("the held image is for model {model}"),
    };
    first_notice(measures, is_search).map(|(time, _)| (time, what))
}

fn first_notice(measures: &Measures, is: fn(&OrchestratorRecord) -> Option<String>) -> Option<(SimTime, String)> {
    measures.journal.iter().find_map(|(time, record, _)| match record {
        Record::Orchestrator(record) => is(record).map(|effect| (*time, effect)),
        _ => None,
    })
}

fn count(measures: &Measures, is: fn(&OrchestratorRecord) -> Option<String>) -> u64 {
    let hits = measures.journal.iter().filter(|(_, record, _)| match record {
        Record::Orchestrator(record) => is(record).is_some(),
        _ => false,
    });
    hits.count() as u64
}

fn is_question(record: &OrchestratorRecord) -> Option<String> {
    matches!(record, OrchestratorRecord::Notice(orchestrator::Notice::ConsentAsked(_)))
        .then(|| "the question was shown".to_owned())
}

fn is_search(record: &OrchestratorRecord) -> Option<String> {
    matches!(record, OrchestratorRecord::Notice(orchestrator::Notice::Searching { .. }))
        .then(|| "the search began".to_owned())
}

fn is_manual_search(record: &OrchestratorRecord) -> Option<String> {
    matches!(record, OrchestratorRecord::Notice(orchestrator::Notice::Searching { manual: true }))
        .then(|| "a search by hand began".to_owned())
}

fn is_update(record: &OrchestratorRecord) -> Option<String> {
    matches!(record, OrchestratorRecord::UpdateBegun).then(|| "the CIOC fell silent".to_owned())
}
