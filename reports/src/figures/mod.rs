//! Figures of a run as SVG: drawn once, put into the page and written as files.
//!
//! ```text
//!   Report --> timeline      what every pump did, over supply, flow, temperature and bus load
//!          --> update-time   each try of each pump against the limit
//!          --> samples-ID    every measured value of a budget, and the steps of the worst
//!          --> voltage-NAME  a voltage with its thresholds and dips
//! ```
//! A figure never stands alone: it has a title and a description, and the page puts a table beside it. Each figure is
//! one module; `canvas` is the only one that knows plotters, `axis` places round times and values.

mod axis;
pub(crate) mod canvas;
pub(crate) mod curve;
pub(crate) mod marks;
pub(crate) mod timeline;

use crate::report::{Outcome, Pump, Report};

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its name, which is also that of its file without `.svg`.
    pub name: String,
    /// A short title.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// The SVG document.
    pub svg: String,
}

impl Figure {
    fn new(name: &str, title: String, description: String, svg: String) -> Self {
        Self { name: name.to_owned(), title, description, svg }
    }

    /// The document with title and description inside, as a file of its own.
    #[must_use]
    pub fn document(&self) -> String {
        let (head, body) = self.svg.split_once(">\n").unwrap_or((&self.svg, ""));
        let (title, description) = (escaped(&self.title), escaped(&self.description));
        format!("{head} role=\"img\">\n<title>{title}</title>\n<desc>{description}</desc>\n{body}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Every figure that the run has data for.
#[must_use]
pub fn figures(report: &Report) -> Vec<Figure> {
    let mut figures = Vec::new();
    if !report.series.is_empty() || !report.pumps.is_empty() {
        figures.push(timeline_figure(report));
    }
    figures
}

fn timeline_figure(report: &Report) -> Figure {
    let pumps = report.pumps.len();
    let marks = marks::marks(report).len();
    let description = format!(
        "One row for each of {pumps} pumps with the parts of every try, and below it, on the same time axis, supply, \
         flow, temperature and bus load. {marks} numbered marks, listed in the table of marks."
    );
    Figure::new("timeline", "Timeline of the run".to_owned(), description, timeline::draw(report))
}

/// What became of a pump in a word, and whether that needs attention.
pub(crate) fn outcome(pump: &Pump, over: bool) -> (&'static str, bool) {
    match pump.outcome {
        Outcome::Updated if over => ("updated too late", true),
        Outcome::Updated => ("updated", false),
        Outcome::UpToDate => ("up to date", false),
        Outcome::Dead => ("DEAD", true),
        Outcome::Rejected => ("REJECTED", true),
        Outcome::NotReached => ("NOT REACHED", true),
    }
}
