//! Campaign, bus, supply and coolant, one line each; the messages of the bus when they are what the run is about.

use super::page::{Line, Page, Style, width_of};
use super::words;
use super::{Options, Verbosity};
use crate::number::{Fixed, Millis};
use crate::report::{
    BUDGET_BACK_TO_AUTOMATIC, BUDGET_CAMPAIGN, Bus, BusNode, Campaign, Consent, Message, Outcome, Report,
};
use crate::safety_frames::SafetyFrames;
use crate::safety_units::SafetyUnit;
use crate::words::beyond;

/// Where the facts begin.
pub(super) const LABEL_WIDTH: usize = 14;

/// A label and its pieces on as few lines as fit.
pub(super) fn fact(page: &mut Page, label: &str, pieces: impl IntoIterator<Item = (Style, String)>) {
    let mut line = Line::new();
    line.left(Style::Bold, label, LABEL_WIDTH);
    page.flow_pieces(line, pieces, 3);
}

/// The section of facts.
pub(super) fn section(page: &mut Page, report: &Report, options: &Options) {
    page.blank();
    if let Some(campaign) = &report.campaign {
        fact(page, "Campaign", campaign_pieces(report, campaign));
    }
    if let Some(frames) = &report.safety_frames {
        safety_frames(page, frames);
    }
    fact(page, "Bus", bus_pieces(&report.bus));
    fact(page, "Supply", supply_pieces(report));
    fact(page, "Coolant", coolant_pieces(report));
    safety_units(page, &report.safety_units);
    let very = options.verbosity >= Verbosity::VeryVerbose;
    if very && !report.bus.nodes.is_empty() {
        nodes(page, &report.bus.nodes);
    }
    if (very || report.campaign.is_none()) && !report.bus.messages.is_empty() {
        messages(page, &report.bus.messages);
    }
}

/// Each time with the safety frames and without them, on lines of its own.
fn safety_frames(page: &mut Page, frames: &SafetyFrames) {
    const LABEL: &str = "Safety frames";
    if frames.times.is_empty() {
        let mut line = Line::new();
        line.left(Style::Bold, LABEL, LABEL_WIDTH);
        page.flow(line, Style::Plain, &words::not_compared(frames));
    }
    let widest = frames.times.iter().map(|time| time.id.len()).max().unwrap_or_default();
    for (place, time) in frames.times.iter().enumerate() {
        let mut pieces = words::frames_time(time).map(|piece| (Style::Plain, piece));
        pieces[0].1 = format!("{:widest$}", pieces[0].1);
        fact(page, if place == 0 { LABEL } else { "" }, pieces);
    }
}

/// Each safety unit: how it ends, what it detected in itself first, and what was done there.
fn safety_units(page: &mut Page, units: &[SafetyUnit]) {
    let widest = units.iter().map(|unit| width_of(&unit.id)).max().unwrap_or_default();
    for (place, unit) in units.iter().enumerate() {
        let mode = if unit.is_normal() { Style::Plain } else { Style::Warn };
        let mut pieces = vec![(Style::Bold, format!("{:widest$}", unit.id)), (mode, unit.mode_words())];
        pieces.push((Style::Plain, unit.detected_words().unwrap_or_else(|| "no internal fault detected".to_owned())));
        let rest = [unit.relay_words(), unit.supply_words()].into_iter().chain(unit.tool_words());
        pieces.extend(rest.map(|piece| (Style::Plain, piece)));
        fact(page, if place == 0 { "Safety units" } else { "" }, pieces);
    }
}

fn campaign_pieces(report: &Report, campaign: &Campaign) -> Vec<(Style, String)> {
    let mut pieces = vec![consent_piece(campaign.consent)];
    match campaign.duration_ms {
        Some(time) => pieces.push(against(report, BUDGET_CAMPAIGN, "done in ", time)),
        None if campaign.consent == Consent::Given => pieces.push((Style::Warn, "not finished".to_owned())),
        None => {}
    }
    if let Some(time) = campaign.back_to_automatic_ms {
        pieces.push(against(report, BUDGET_BACK_TO_AUTOMATIC, "automatic after ", time));
    }
    pieces.extend(outcome_pieces(report));
    pieces
}

/// A time, with limit and margin if it has a budget.
fn against(report: &Report, budget: &str, label: &str, time: Millis) -> (Style, String) {
    let text = format!("{label}{}", words::duration(time));
    match report.budget(budget) {
        None => (Style::Plain, text),
        Some(budget) => {
            let style = if budget.holds() { Style::Plain } else { Style::Warn };
            (style, format!("{text} (limit {}, margin {})", words::limit(budget), words::margin(budget)))
        }
    }
}

fn consent_piece(consent: Consent) -> (Style, String) {
    let (style, words) = match consent {
        Consent::NotAsked => (Style::Plain, "consent not asked"),
        Consent::Given => (Style::Plain, "consent given"),
        Consent::Late => (Style::Warn, "consent given too late"),
        Consent::Refused => (Style::Warn, "consent refused"),
        Consent::Unanswered => (Style::Warn, "consent never answered"),
    };
    (style, words.to_owned())
}

/// How many pumps ended in which way.
fn outcome_pieces(report: &Report) -> Vec<(Style, String)> {
    let good = [Outcome::Updated, Outcome::UpToDate];
    let all = good.into_iter().chain([Outcome::Dead, Outcome::Rejected, Outcome::SetAside, Outcome::NotReached]);
    let of = |outcome| report.pumps.iter().filter(|pump| pump.outcome == outcome).count();
    let counts = all.map(|outcome| (outcome, of(outcome))).filter(|(_, count)| *count > 0);
    counts
        .map(|(outcome, count)| {
            let (style, word) = words::outcome_word(outcome);
            (if style == Style::Good { Style::Plain } else { style }, format!("{count} {}", word.to_lowercase()))
        })
        .collect()
}

fn bus_pieces(bus: &Bus) -> Vec<(Style, String)> {
    let percent = |load: Fixed| words::rounded(load, 1);
    let mut pieces = vec![
        (Style::Plain, crate::words::bit_rate(bus.bitrate)),
        (Style::Plain, format!("load {} %, peak {} %", percent(bus.load_mean), percent(bus.load_peak))),
        (Style::Plain, words::count(bus.frames, "frame", "frames")),
    ];
    let errors = if bus.error_frames > 0 { Style::Warn } else { Style::Plain };
    pieces.push((errors, words::count(bus.error_frames, "error frame", "error frames")));
    if bus.unsent() > 0 {
        pieces.push((Style::Warn, format!("{} never sent", words::count(bus.unsent(), "request", "requests"))));
    }
    for node in &bus.nodes {
        pieces.extend(trouble(node).map(|text| (Style::Warn, text)));
    }
    pieces
}

/// What a node suffered, if it left the error-active state.
fn trouble(node: &BusNode) -> Option<String> {
    let passive = (node.error_passive > 0).then(|| format!("error-passive {}", words::times(node.error_passive)));
    let off = (node.bus_off > 0).then(|| format!("bus-off {}", words::times(node.bus_off)));
    let words: Vec<String> = passive.into_iter().chain(off).collect();
    (!words.is_empty()).then(|| format!("{} {}", node.id, words.join(", ")))
}

fn supply_pieces(report: &Report) -> Vec<(Style, String)> {
    let volts = |millivolts: i64| words::rounded(Fixed::scaled(millivolts, 3), 2);
    let power = &report.power;
    let range = format!("{} V to {} V", volts(power.supply_mv_min), volts(power.supply_mv_max));
    let style = if power.brownouts > 0 { Style::Warn } else { Style::Plain };
    vec![(Style::Plain, range), (style, words::count(power.brownouts, "power loss", "power losses"))]
}

fn coolant_pieces(report: &Report) -> Vec<(Style, String)> {
    let flow = words::rounded(report.plant.flow_lpm_min, 1);
    let hottest = report.plant.coolant_c_max;
    let at_most = if beyond(hottest).is_empty() { "at most " } else { beyond(hottest) };
    let temperature = words::rounded(hottest, 1);
    let mut pieces = vec![
        (Style::Plain, format!("flow at least {flow} L/min")),
        (Style::Plain, format!("temperature {at_most}{temperature} °C")),
    ];
    let counted = report.series.iter().find(|series| series.name == "flow").and_then(|series| series.extremes);
    pieces.extend(counted.map(|extremes| (Style::Dim, extremes.covers())));
    pieces
}

/// The error counters of every node.
fn nodes(page: &mut Page, nodes: &[BusNode]) {
    page.blank();
    table_head(page, "Bus nodes", &["TEC max", "REC max", "passive", "bus-off"]);
    for node in nodes {
        let numbers = [u64::from(node.tec_max), u64::from(node.rec_max), node.error_passive, node.bus_off];
        page.line(table_row(&node.id, &numbers.map(words::grouped)));
    }
}

/// The response times of every message.
fn messages(page: &mut Page, messages: &[Message]) {
    page.blank();
    let some_unsent = messages.iter().any(|message| message.unsent > 0);
    let columns = ["frames", "min ms", "mean ms", "max ms", "never sent"];
    table_head(page, "Messages", &columns[..if some_unsent { 5 } else { 4 }]);
    let time = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| words::rounded(time.into(), 3));
    for message in messages {
        let times = [message.response_ms_min, message.response_ms_mean, message.response_ms_max];
        let [min, mean, max] = times.map(time);
        let mut cells = vec![words::grouped(message.frames), min, mean, max];
        cells.extend(some_unsent.then(|| words::grouped(message.unsent)));
        let mut line = table_row(&message.id, &cells);
        if message.name.is_empty() {
            page.line(line);
        } else {
            line.gap(2);
            page.flow_pieces(line, [(Style::Dim, message.name.clone())], 1);
        }
    }
    let mut line = Line::new();
    line.gap(2);
    page.flow(line, Style::Dim, "response time: from queued to the end of the frame, without the intermission");
}

fn table_head(page: &mut Page, title: &str, columns: &[&str]) {
    let mut line = Line::new();
    line.left(Style::Bold, title, LABEL_WIDTH);
    for column in columns {
        line.right(Style::Dim, column, 11);
    }
    page.line(line);
}

fn table_row(name: &str, cells: &[String]) -> Line {
    let mut line = Line::new();
    line.gap(2);
    line.left(Style::Plain, name, LABEL_WIDTH - 2);
    for cell in cells {
        line.right(Style::Plain, cell, 11);
    }
    line
}
