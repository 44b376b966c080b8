//! The files of one run: every format under its name, ready to be written beside result.json.

use crate::csv::csv;
use crate::figures::figures;
use crate::html::{PageError, html};
use crate::junit::junit;
use crate::markdown::markdown;
use crate::report::Report;

/// A format that a run can be rendered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `report.html`.
    Html,
    /// `figures/NAME.svg` for each figure.
    Svg,
    /// `junit.xml`.
    Junit,
    /// `summary.md`.
    Markdown,
    /// `budgets.csv`.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Html, Self::Svg, Self::Junit, Self::Markdown, Self::Csv];
}

/// The files of a run in these formats: path below the folder of the run, and content. `events` is the text of the log
/// that the result names, where it is at hand.
///
/// # Errors
/// When the log is not one, or not that of the result.
pub fn files(report: &Report, events: Option<&str>, formats: &[Format]) -> Result<Vec<(String, String)>, PageError> {
    let mut files = Vec::new();
    for format in formats {
        match format {
            Format::Html => files.push(("report.html".to_owned(), html(report, events)?)),
            Format::Svg => files.extend(
                figures(report).iter().map(|figure| (format!("figures/{}.svg", figure.name), figure.document())),
            ),
            Format::Junit | Format::Markdown | Format::Csv => files.extend(summary_files(&[report], &[*format])),
        }
    }
    Ok(files)
}

/// The files that several runs share: those of the formats that hold more than one run.
#[must_use]
pub fn summary_files(reports: &[&Report], formats: &[Format]) -> Vec<(String, String)> {
    let file = |format: &Format| match format {
        Format::Html | Format::Svg => None,
        Format::Junit => Some(("junit.xml".to_owned(), junit(reports))),
        Format::Markdown => Some(("summary.md".to_owned(), markdown(reports))),
        Format::Csv => Some(("budgets.csv".to_owned(), csv(reports))),
    };
    formats.iter().filter_map(file).collect()
}
