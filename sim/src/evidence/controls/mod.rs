//! Must-fail controls: each check is shown what breaks it, and must go red.
//!
//! A check that cannot fail proves nothing. Each control shows a check or a budget that holds one thing that must break it: a
//! falsified record, a fault that no unit could stand, a diagnostic without effect. They are part of the program, so that
//! every evidence bundle tries them anew.

mod safety;
mod update;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::run::{self, Identity};
use crate::scenario::{FileSource, Loaded, load};
use reports::RowVerdict;

/// The scenario of a control, and the configurations of safety units that are shipped.
struct Text<'a>(&'a str);

impl FileSource for Text<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = match path.to_str() {
            Some("pump-feed.ron") => include_str!("../../../../scenarios/safety/pump-feed.ron"),
            Some("cooling-watch.ron") => include_str!("../../../../scenarios/safety/cooling-watch.ron"),
            _ => self.0,
        };
        Ok(text.as_bytes().to_vec())
    }
}

fn loaded(text: &str) -> Loaded {
    load(&Text(text), Path::new("control.ron"), &[]).unwrap_or_else(|_| panic!("{text} loads"))
}

/// The report of a run.
fn report_of(text: &str) -> reports::Report {
    let loaded = loaded(text);
    let run = run::run(&loaded.scenario, None, |_| {});
    run::report(&loaded, &run, &Identity::default())
}

/// The verdict of a check or budget.
fn row_verdict(report: &reports::Report, id: &str) -> Option<RowVerdict> {
    let checks = report.checks.iter().map(|row| (&row.id, row.verdict));
    let mut rows = checks.chain(report.budgets.iter().map(|row| (&row.id, row.verdict)));
    rows.find(|(known, _)| *known == id).map(|(_, verdict)| verdict)
}

/// Tries every control; each says whether its row went red.
#[must_use]
pub fn tried() -> Vec<reports::Control> {
    update::tried().chain(safety::tried()).collect()
}

fn tried_one(row: &str, shown: &str, goes_red: impl FnOnce() -> bool) -> reports::Control {
    let (red, why) = match catch_unwind(AssertUnwindSafe(goes_red)) {
        Ok(true) => (true, String::new()),
        Ok(false) => (false, "it did not go red".to_owned()),
        Err(panic) => (false, format!("it could not be tried: {}", crate::hosts::panic_text(&*panic))),
    };
    reports::Control { row: row.to_owned(), shown: shown.to_owned(), red, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that only information stands in have no verdict to turn.
    fn judged(report: &reports::Report) -> impl Iterator<Item = &String> {
        let budgets = report.budgets.iter().filter(|row| row.verdict != RowVerdict::Info).map(|row| &row.id);
        report.checks.iter().map(|row| &row.id).chain(budgets)
    }

    #[test]
    fn every_row_of_a_run_with_pumps_and_units_has_a_control_that_goes_red() {
        let tried = tried();
        for control in &tried {
            assert!(control.red, "{}: {}", control.row, control.why);
        }
        for report in [report_of(update::SMALL), report_of(&safety::healthy())] {
            for id in judged(&report) {
                assert!(tried.iter().any(|control| control.row == *id), "{id} has no control");
                assert_ne!(row_verdict(&report, id), Some(RowVerdict::Fail), "{id}");
            }
        }
    }

    #[test]
    fn a_control_that_does_not_go_red_or_cannot_be_tried_is_told() {
        let green = tried_one("row", "nothing", || false);
        assert_eq!((green.red, green.why.as_str()), (false, "it did not go red"));
        let broken = tried_one("row", "nothing", || panic!("no such pump"));
        assert_eq!((broken.red, broken.why.as_str()), (false, "it could not be tried: no such pump"));
    }
}
