//! Whether a result agrees with itself, so that a damaged one is refused before anything is printed from it.
//!
//! The verdicts stand in a result beside what they were made from. A verdict that is better than its rows, or a row
//! that is better than its numbers, was not written by this program.

use crate::report::{Budget, Report, Series};
use crate::verdict::{self, RowVerdict};

impl Report {
    /// Looks whether verdicts, margins and curves agree with the numbers beside them.
    ///
    /// # Errors
    /// The first place where they do not, and how.
    pub fn audit(&self) -> Result<(), String> {
        for (at, budget) in self.budgets.iter().enumerate() {
            audit_budget(budget).map_err(|why| format!("budgets[{at}] ({}): {why}", budget.id))?;
        }
        for (at, check) in self.checks.iter().enumerate() {
            if check.n == 0 && matches!(check.verdict, RowVerdict::Pass | RowVerdict::ExpectedFail) {
                let word = check.verdict.word();
                return Err(format!("checks[{at}] ({}): the verdict is {word} but it never looked", check.id));
            }
        }
        for (at, series) in self.series.iter().enumerate() {
            audit_series(series).map_err(|why| format!("series[{at}] ({}): {why}", series.name))?;
        }
        if let Some(frames) = &self.safety_frames {
            frames.audit().map_err(|why| format!("safety_frames: {why}"))?;
        }
        if let Some(log) = &self.events
            && (log.file.contains(['/', '\\', ':']) || matches!(log.file.as_str(), "" | "." | ".."))
        {
            return Err(format!("events: `{}` is not the name of a file", log.file));
        }
        let from_rows = self.judged();
        if self.verdict < from_rows {
            let (told, made) = (self.verdict.word(), from_rows.word());
            return Err(format!("verdict: it is {told} but the rows make it {made}"));
        }
        Ok(())
    }
}

fn audit_budget(budget: &Budget) -> Result<(), String> {
    let measured = match (budget.measured, budget.n) {
        (None, 0) => None,
        (Some(measured), 1..) => Some(measured),
        (None, _) => return Err("n counts values but none is there".to_owned()),
        (Some(_), 0) => return Err("a value is there but n is 0".to_owned()),
    };
    let margin = measured.map(|value| verdict::margin(value, budget.relation, budget.limit, budget.limit_low));
    if margin != budget.margin {
        return Err("the margin is not that of measured value and limit".to_owned());
    }
    let good = match budget.verdict {
        RowVerdict::Pass => measured.is_some() && budget.holds(),
        RowVerdict::ExpectedFail => measured.is_some() && !budget.holds(),
        _ => true,
    };
    if good { Ok(()) } else { Err(format!("the verdict is {} against its numbers", budget.verdict.word())) }
}

fn audit_series(series: &Series) -> Result<(), String> {
    let points = series.t_ms.len();
    if series.min.len() != points || series.max.len() != points {
        return Err("its columns are not of one length".to_owned());
    }
    if series.t_ms.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("its times do not rise".to_owned());
    }
    if series.extremes.is_some_and(|extremes| extremes.min > extremes.max) {
        return Err("its least value is above its greatest".to_owned());
    }
    if series.min.iter().zip(&series.max).any(|(min, max)| min > max) {
        return Err("a least value is above the greatest".to_owned());
    }
    Ok(())
}
