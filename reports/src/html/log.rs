//! The events of a run for a page: at most 600 rows, the telling ones first.
//!
//! A log may hold hundreds of thousands of lines. A page shows *telling* events (faults, alarms, outcomes, consent,
//! power, causes) before ordinary ones, and those before *routine* (counters, frames, motors, progress), always in the
//! order of time and with a row for each gap, so that nothing is left out in silence. Routine events of one kind and node
//! are *folded* into one row with their number and their first and last time, until a telling one of that node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::number::{Fixed, Millis};
use crate::words::{duration, exact_amount, short_duration};

/// Rows on a page at most, those of gaps left out.
const ROWS_SHOWN_MAX: usize = 600;

/// A line of the log.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    t_ms: Millis,
    #[serde(borrow)]
    node: &'a str,
    #[serde(borrow)]
    kind: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// An event, or several that are folded, in the place of the first.
    Event { t_ms: Millis, last_ms: Millis, times: usize, node: String, kind: String, data: String },
    /// So many events that are not shown here.
    Gap(usize),
}

/// Why a text is no log of events.
#[derive(Debug)]
pub struct LogError {
    line: usize,
    why: String,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: not an event: {}", self.line, self.why)
    }
}

impl std::error::Error for LogError {}

/// How much an event tells; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Telling,
    Ordinary,
    Routine,
}

fn weight(line: &Line<'_>) -> Weight {
    let data = line.data.get();
    match line.kind {
        "error-counters" if data.contains("\"bus-off\"") || data.contains("\"passive\"") => Weight::Telling,
        "log" if data.contains("\"cause\":") && !data.contains("\"cause\":null") => Weight::Telling,
        "power-lost" | "off" | "line" | "level" | "outcome" | "user" | "false-version" | "write-to-unerased-flash" => {
            Weight::Telling
        }
        "error-counters" | "error-frame" | "bit-inverted" | "progress" | "motor" | "receive-overrun" | "frame"
        | "frame-lost" | "block" => Weight::Routine,
        kind if ["injection-", "alarm-", "campaign-", "consent-"].iter().any(|begin| kind.starts_with(begin)) => {
            Weight::Telling
        }
        _ => Weight::Ordinary,
    }
}

/// The rows of a log; at most [`ROWS_SHOWN_MAX`] of them are events.
///
/// # Errors
/// A line that is no event, with its number.
pub(super) fn rows(log: &str) -> Result<Vec<Row>, LogError> {
    let lines: Result<Vec<Line<'_>>, LogError> = log.lines().enumerate().map(|(at, text)| read(at + 1, text)).collect();
    let lines = lines?;
    let (folds, fold_of) = folded(&lines);
    let mut order: Vec<(Weight, usize)> = folds.iter().map(|fold| fold.weight).zip(0..).collect();
    order.sort_unstable();
    order.truncate(ROWS_SHOWN_MAX);
    let shown: BTreeSet<usize> = order.into_iter().map(|(_, fold)| fold).collect();
    let mut rows = Vec::new();
    let mut hidden = 0;
    for (index, fold) in fold_of.into_iter().enumerate() {
        if !shown.contains(&fold) {
            hidden += 1;
        } else if folds[fold].first == index {
            gap(&mut rows, std::mem::take(&mut hidden));
            rows.push(folds[fold].row(&lines));
        }
    }
    gap(&mut rows, hidden);
    Ok(rows)
}

/// Events that make one row.
struct Fold {
    weight: Weight,
    first: usize,
    last: usize,
    times: usize,
}

/// What makes rows, in the order of their first events; and for each event to which of them it belongs.
fn folded(lines: &[Line<'_>]) -> (Vec<Fold>, Vec<usize>) {
    let (mut folds, mut fold_of) = (Vec::<Fold>::new(), Vec::new());
    let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let weight = weight(line);
        let fold = match open.get(&(line.node, line.kind)).filter(|_| weight == Weight::Routine) {
            Some(fold) => *fold,
            None => {
                folds.push(Fold { weight, first: index, last: index, times: 0 });
                folds.len() - 1
            }
        };
        match weight {
            Weight::Routine => _ = open.insert((line.node, line.kind), fold),
            // What follows a telling event is another part of the story.
            Weight::Telling => open.retain(|(node, _), _| *node != line.node),
            Weight::Ordinary => {}
        }
        folds[fold].last = index;
        folds[fold].times += 1;
        fold_of.push(fold);
    }
    (folds, fold_of)
}

impl Fold {
    fn row(&self, lines: &[Line<'_>]) -> Row {
        let (first, last) = (&lines[self.first], &lines[self.last]);
        let (from, to) = (words(first.data.get()), words(last.data.get()));
        Row::Event {
            t_ms: first.t_ms,
            last_ms: last.t_ms,
            times: self.times,
            node: first.node.to_owned(),
            kind: first.kind.replace('-', " "),
            data: if from == to { from } else { format!("first {from}; last {to}") },
        }
    }
}

fn read(line: usize, text: &str) -> Result<Line<'_>, LogError> {
    serde_json::from_str(text).map_err(|error| LogError { line, why: error.to_string() })
}

fn gap(rows: &mut Vec<Row>, events: usize) {
    if events > 0 {
        rows.push(Row::Gap(events));
    }
}

/// The fields of an event as words: `{"tec":8,"state":"active"}` reads `state active, tec 8`.
fn words(data: &str) -> String {
    let Ok(fields) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(data) else { return plain(data) };
    let fields = fields.iter().filter(|(_, value)| value.get() != "null");
    fields
        .map(|(name, value)| quantity(name, value.get()).unwrap_or_else(|| field(name, &plain(value.get()))))
        .collect::<Vec<_>>()
        .join(", ")
}

fn field(name: &str, value: &str) -> String {
    if name.is_empty() { value.to_owned() } else { format!("{} {value}", name.replace('_', " ")) }
}

/// A field whose name ends in a unit, in the unit that people read: `{"coolant_dc":351}` reads `coolant 35.1 degC`.
fn quantity(name: &str, value: &str) -> Option<String> {
    let value: Fixed = value.parse().ok()?;
    let divided = |by: i64| Fixed::from_millionths(value.as_millionths() / by);
    let named = |unit: &str| Some(name.strip_suffix(unit)?.trim_end_matches('_'));
    let is_unit = |unit: &str| name == unit || name.ends_with(&format!("_{unit}"));
    for (unit, by, shown) in
        [("mv", 1_000, "V"), ("permille", 10, "%"), ("dl_per_min", 10, "L/min"), ("dc", 10, "degC"), ("w", 1_000, "kW")]
    {
        if is_unit(unit) {
            return Some(field(named(unit)?, &exact_amount(divided(by), shown)));
        }
    }
    if is_unit("ms") {
        return Some(field(named("ms")?, &duration(value.into())));
    }
    is_unit("s").then(|| Some(field(named("s")?, &short_duration(Millis::from(value_in_millis(value)))))).flatten()
}

/// Seconds in milliseconds.
const fn value_in_millis(seconds: Fixed) -> Fixed {
    Fixed::from_millionths(seconds.as_millionths().saturating_mul(1_000))
}

/// A value without the quotes of JSON; nothing for null.
fn plain(value: &str) -> String {
    match serde_json::from_str::<String>(value) {
        Ok(text) => text,
        Err(_) if value == "null" => String::new(),
        Err(_) => value.replace(['"', '[', ']'], "").replace(',', ", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t_ms: usize, kind: &str, data: &str) -> String {
        format!("{{\"t_ms\":{t_ms},\"node\":\"P01\",\"kind\":\"{kind}\",\"data\":{data}}}\n")
    }

    #[test]
    fn telling_events_stay_and_every_gap_is_counted() {
        let ordinary: String = (0..2_000).map(|at| line(at, "state", "{\"state\":\"fixed\"}")).collect();
        let log = format!("{ordinary}{}{ordinary}", line(2_000, "alarm-raised", "{\"alarm\":\"P02 is dead\"}"));
        let rows = rows(&log).unwrap();
        let events = rows.iter().filter(|row| matches!(row, Row::Event { .. })).count();
        let hidden: usize = rows.iter().map(|row| if let Row::Gap(events) = row { *events } else { 0 }).sum();
        assert_eq!((events, hidden), (ROWS_SHOWN_MAX, 4_001 - ROWS_SHOWN_MAX));
        assert!(rows.iter().any(|row| matches!(row, Row::Event { data, .. } if data == "alarm P02 is dead")));
    }

    /// Kind, number, first and last time and details of each row.
    fn told(log: &str) -> Vec<String> {
        let told = |row| match row {
            Row::Event { t_ms, last_ms, times, node, kind, data } => {
                format!("{node} {kind} x{times} {t_ms}..{last_ms} {data}")
            }
            Row::Gap(events) => format!("gap {events}"),
        };
        rows(log).unwrap().into_iter().map(told).collect()
    }

    #[test]
    fn routine_events_of_a_node_are_one_row_until_a_telling_one_of_that_node() {
        let overrun = |at| line(at, "receive-overrun", "{\"id\":\"0x101\"}");
        let motor = |at: usize| line(at, "motor", &format!("{{\"permille\":{at}}}"));
        let others = |text: String| text.replace("P01", "P02");
        let log = [
            overrun(10),
            motor(11),
            others(overrun(12)),
            line(13, "state", "{\"state\":\"fixed\"}"),
            motor(14),
            overrun(15),
            others(line(16, "off", "null")),
            overrun(17),
            others(overrun(18)),
            line(19, "off", "null"),
            overrun(20),
        ];
        let wanted = [
            "P01 receive overrun x3 10..17 id 0x101",
            "P01 motor x2 11..14 first 1.1 %; last 1.4 %",
            "P02 receive overrun x1 12..12 id 0x101",
            "P01 state x1 13..13 state fixed",
            "P02 off x1 16..16 ",
            "P02 receive overrun x1 18..18 id 0x101",
            "P01 off x1 19..19 ",
            "P01 receive overrun x1 20..20 id 0x101",
        ];
        assert_eq!(told(&log.concat()), wanted);
    }

    #[test]
    fn data_reads_as_words() {
        assert_eq!(words(r#"{"rec":0,"state":"joining","tec":8}"#), "rec 0, state joining, tec 8");
        assert_eq!(words(r#"{"attempt":0,"cause":null,"seen_by":["CIOC","P01"]}"#), "attempt 0, seen by CIOC, P01");
        assert_eq!(words("null"), "");
        assert_eq!(words("\"Consent(true)\""), "Consent(true)");
        assert_eq!(words(r#"{"t_ms":29762.980001}"#), "t 29.763 s");
        assert_eq!(words(r#"{"mv":23950}"#), "23.95 V");
        let plant = r#"{"coolant_dc":351,"flow_dl_per_min":2804}"#;
        assert_eq!(words(plant), "coolant 35.1 degC, flow 280.4 L/min");
        assert_eq!(words(r#"{"permille":805,"remaining_s":95,"until_ms":null}"#), "80.5 %, remaining 95 s");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let log = format!("{}{{\"t_ms\":", line(1, "off", "null"));
        assert!(rows(&log).unwrap_err().to_string().starts_with("line 2: not an event: "));
    }
}
