//! The events of a run for a page: at most 500 of them, the telling ones first.
//!
//! A log may hold hundreds of thousands of lines. A page shows *telling* events (faults, alarms, outcomes, consent,
//! power, causes) before ordinary ones, and those before *routine* (counters, frames, progress), always in the order of
//! time and with a row for each gap, so that nothing is left out in silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::number::{Fixed, Millis};
use crate::words::{duration, exact_amount, short_duration};

/// Events on a page at most.
pub const EVENTS_SHOWN_MAX: usize = 500;

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
    /// An event.
    Event { t_ms: Millis, node: String, kind: String, data: String },
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

/// The rows of a log; at most [`EVENTS_SHOWN_MAX`] of them are events.
///
/// # Errors
/// A line that is no event, with its number.
pub(super) fn rows(log: &str) -> Result<Vec<Row>, LogError> {
    let lines: Result<Vec<Line<'_>>, LogError> = log.lines().enumerate().map(|(at, text)| read(at + 1, text)).collect();
    let lines = lines?;
    let mut order: Vec<(Weight, usize)> = lines.iter().map(weight).zip(0..).collect();
    order.sort_unstable();
    order.truncate(EVENTS_SHOWN_MAX);
    let mut shown: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
    shown.sort_unstable();
    let mut rows = Vec::new();
    let mut next = 0;
    for index in shown {
        gap(&mut rows, index - next);
        rows.push(event(&lines[index]));
        next = index + 1;
    }
    gap(&mut rows, lines.len() - next);
    Ok(rows)
}

fn read(line: usize, text: &str) -> Result<Line<'_>, LogError> {
    serde_json::from_str(text).map_err(|error| LogError { line, why: error.to_string() })
}

fn gap(rows: &mut Vec<Row>, events: usize) {
    if events > 0 {
        rows.push(Row::Gap(events));
    }
}

fn event(line: &Line<'_>) -> Row {
    Row::Event {
        t_ms: line.t_ms,
        node: line.node.to_owned(),
        kind: line.kind.replace('-', " "),
        data: words(line.data.get()),
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
        let routine: String = (0..2_000).map(|at| line(at, "error-frame", "{\"bit\":3}")).collect();
        let log = format!("{routine}{}{routine}", line(2_000, "alarm-raised", "{\"alarm\":\"P02 is dead\"}"));
        let rows = rows(&log).unwrap();
        let events = rows.iter().filter(|row| matches!(row, Row::Event { .. })).count();
        let hidden: usize = rows.iter().map(|row| if let Row::Gap(events) = row { *events } else { 0 }).sum();
        assert_eq!((events, hidden), (EVENTS_SHOWN_MAX, 4_001 - EVENTS_SHOWN_MAX));
        assert!(rows.iter().any(|row| matches!(row, Row::Event { data, .. } if data == "alarm P02 is dead")));
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
