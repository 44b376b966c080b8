//! Verdicts and outcomes as words with a style; the numbers are those of every format.

use super::page::Style;
use crate::report::Outcome;
use crate::verdict::{RowVerdict, Verdict};

pub(super) use crate::words::{
    count, duration, frames_time, grouped, limit, limit_with_origin, list, margin, margin_in_column, not_compared,
    rounded, seconds, times, value,
};

/// The verdict of a run in capitals, because it is looked for.
pub(super) fn run_word(verdict: Verdict) -> (Style, String) {
    let style = match verdict {
        Verdict::Pass => Style::Good,
        Verdict::Inconclusive => Style::Warn,
        Verdict::Fail | Verdict::Error => Style::Bad,
    };
    (style, verdict.word().to_uppercase())
}

/// The verdict of a row: what needs attention is in capitals.
pub(super) fn row_word(verdict: RowVerdict) -> (Style, String) {
    let word = verdict.word();
    match verdict {
        RowVerdict::Pass => (Style::Good, word.to_owned()),
        RowVerdict::Fail | RowVerdict::Error => (Style::Bad, word.to_uppercase()),
        RowVerdict::Inconclusive | RowVerdict::NotRun => (Style::Warn, word.to_uppercase()),
        RowVerdict::ExpectedFail => (Style::Warn, word.to_owned()),
        RowVerdict::Info | RowVerdict::NotApplicable => (Style::Dim, word.to_owned()),
    }
}

/// What became of a pump: what needs attention is in capitals.
pub(super) fn outcome_word(outcome: Outcome) -> (Style, &'static str) {
    let style = match outcome {
        Outcome::Updated | Outcome::UpToDate => Style::Good,
        Outcome::Dead | Outcome::Rejected => Style::Bad,
        Outcome::SetAside | Outcome::NotReached => Style::Warn,
    };
    (style, crate::words::outcome_word(outcome))
}
