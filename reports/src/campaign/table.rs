//! The trials of a campaign as a table: `trials.csv`, written and read.
//!
//! One row a trial in the order of their numbers. Lists within a field are separated by `;`. The table is the raw data
//! from which every figure of the report follows, so it is read strictly: a row that is not exactly what was written is
//! an error, never skipped.

use std::fmt;

use super::{Class, Trial};
use crate::number::Fixed;

const HEAD: [&str; 9] = ["trial", "seed", "stratum", "class", "success", "due", "updated", "tries", "faults"];
const TAIL: [&str; 5] = ["idle", "failing", "note", "fingerprint", "scenario"];
const SEPARATOR: &str = ";";

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// Line of the file, from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Trials with the names and units of their budgets: `pump-update [ms]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The budgets, in the order of the trials' values.
    pub budgets: Vec<String>,
    /// The rows.
    pub trials: Vec<Trial>,
}

/// Rows as CSV; the heading before them where `heading` says so.
#[must_use]
pub fn write_trials(budgets: &[String], trials: &[Trial], heading: bool) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let names = budgets.iter().map(String::as_str);
    if heading {
        writer.write_record(HEAD.into_iter().chain(names).chain(TAIL)).expect("written to memory");
    }
    for trial in trials {
        writer.write_record(record(trial)).expect("written to memory");
    }
    String::from_utf8(writer.into_inner().expect("written to memory")).expect("texts are UTF-8")
}

fn record(trial: &Trial) -> Vec<String> {
    let head = [
        trial.number.to_string(),
        trial.seed.to_string(),
        trial.stratum.clone(),
        trial.class.word().to_owned(),
        trial.success.to_string(),
        trial.due.to_string(),
        trial.updated.to_string(),
        trial.tries.join(SEPARATOR),
        trial.faults.join(SEPARATOR),
    ];
    let values = trial.values.iter().map(|value| value.map_or_else(String::new, |value| value.to_string()));
    let tail = [
        trial.idle.join(SEPARATOR),
        trial.failing.join(SEPARATOR),
        trial.note.replace(['\n', '\r'], " "),
        trial.fingerprint.clone(),
        trial.scenario.clone(),
    ];
    head.into_iter().chain(values).chain(tail).collect()
}

/// Reads a table.
///
/// # Errors
/// The first line that is not one.
pub fn read_trials(text: &str) -> Result<Table, TableError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut records = reader.records();
    let wrong = |line: u64, what: &str| TableError { line, what: what.to_owned() };
    let heading = records.next().and_then(Result::ok).ok_or_else(|| wrong(1, "no heading"))?;
    let names: Vec<&str> = heading.iter().collect();
    let budgets = names
        .strip_prefix(&HEAD[..])
        .and_then(|rest| rest.strip_suffix(&TAIL[..]))
        .ok_or_else(|| wrong(1, "not the heading of a table of trials"))?;
    let mut trials = Vec::new();
    for record in records {
        let record = record.map_err(|error| wrong(error.position().map_or(0, csv::Position::line), "not a row"))?;
        let line = record.position().map_or(0, csv::Position::line);
        trials.push(trial(&record, budgets.len()).ok_or_else(|| wrong(line, "not a row of this table"))?);
    }
    Ok(Table { budgets: budgets.iter().map(|name| (*name).to_owned()).collect(), trials })
}

fn list(text: &str) -> Vec<String> {
    text.split(SEPARATOR).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn trial(record: &csv::StringRecord, budgets: usize) -> Option<Trial> {
    let field = |index: usize| record.get(index);
    let value = |text: &str| -> Option<Option<Fixed>> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    };
    let after = HEAD.len() + budgets;
    let trial = Trial {
        number: field(0)?.parse().ok()?,
        seed: field(1)?.parse().ok()?,
        stratum: field(2)?.to_owned(),
        class: Class::of_word(field(3)?)?,
        success: field(4)?.parse().ok()?,
        due: field(5)?.parse().ok()?,
        updated: field(6)?.parse().ok()?,
        tries: list(field(7)?),
        faults: list(field(8)?),
        values: (HEAD.len()..after).map(|index| value(field(index)?)).collect::<Option<_>>()?,
        idle: list(field(after)?),
        failing: list(field(after + 1)?),
        note: field(after + 2)?.to_owned(),
        fingerprint: field(after + 3)?.to_owned(),
        scenario: field(after + 4)?.to_owned(),
    };
    (self::record(&trial).iter().map(String::as_str).eq(record.iter())).then_some(trial)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Trial {
        Trial {
            number: 7,
            seed: u64::MAX,
            stratum: "all".to_owned(),
            faults: vec!["sag".to_owned(), "sag".to_owned()],
            idle: vec!["sag".to_owned()],
            class: Class::Tolerated,
            success: true,
            due: 1,
            updated: 1,
            tries: vec!["failed FW004".to_owned(), "updated".to_owned()],
            values: vec![Some(Fixed::scaled(62_913, 3)), None],
            failing: Vec::new(),
            note: "said, \"so\"".to_owned(),
            fingerprint: "ab".to_owned(),
            scenario: "cd".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let budgets = vec!["pump-update [ms]".to_owned(), "back-to-automatic [ms]".to_owned()];
        let trials = vec![sample(), Trial { number: 8, success: false, class: Class::Invalid, ..sample() }];
        let text = write_trials(&budgets, &trials, true);
        assert_eq!(read_trials(&text), Ok(Table { budgets, trials }));
    }

    #[test]
    fn a_row_that_was_cut_or_changed_is_refused_with_its_line() {
        let text = write_trials(&["x [ms]".to_owned()], &[Trial { values: vec![None], ..sample() }], true);
        let cut = &text[..text.len() - 4];
        assert!(read_trials(&cut.replace(",cd", "")).is_err());
        for (from, to) in [("tolerated", "tolerable"), (",true,", ",yes,"), ("7,", "07,"), ("trial,", "run,")] {
            let broken = text.replacen(from, to, 1);
            assert!(read_trials(&broken).is_err(), "{from} -> {to}: {broken}");
        }
    }
}
