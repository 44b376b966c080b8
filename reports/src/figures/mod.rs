//! Figures of a run as SVG: drawn once, put into the page and written as files.
//!
//! ```text
//!   Report --> timeline      what every pump did, over supply, flow, temperature and bus load
//!          --> update-time   each try of each pump against the limit
//!          --> samples-ID    every measured value of a budget, and the steps of the worst
//!          --> voltage-NAME  a voltage with its thresholds and dips
//!   CampaignReport --> values-ID, failure-bounds   where values and failures of many trials lie
//!   Diagram --> diagram     the blocks of a configuration and the wires between them; of no run
//! ```
//! A figure never stands alone: it has a title and a description, and the page puts a table beside it. Each figure is
//! one module; `canvas` is the only one that knows plotters, `axis` places round times and values.

mod axis;
pub(crate) mod campaign;
pub(crate) mod canvas;
pub(crate) mod curve;
pub(crate) mod diagram;
pub(crate) mod marks;
pub(crate) mod samples;
pub(crate) mod timeline;
mod update_time;
mod voltage;

use crate::report::{BUDGET_PUMP_UPDATE, Budget, Pump, Report, SAMPLES_MAX, Series};
use crate::words;

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
    if !report.series.is_empty() || !report.updated_pumps().is_empty() {
        figures.push(timeline_figure(report));
    }
    if report.pumps.iter().any(|pump| !pump.tries.is_empty()) {
        figures.push(update_figure(report));
    }
    for (budget, anchor) in report.budgets.iter().zip(budget_anchors(report)) {
        if has_samples(budget) {
            figures.push(samples_figure(budget, &anchor));
        }
    }
    for series in report.series.iter().filter(|series| series.unit == "mV" && !series.t_ms.is_empty()) {
        figures.push(voltage_figure(report, series));
    }
    figures
}

/// Whether a budget's values are worth a figure: not the two ends of a curve, and the pumps have one of their own. A single
/// reaction of a safety function is: its steps are to be seen.
fn has_samples(budget: &Budget) -> bool {
    let least = if budget.is_of_safety() && budget.decomposition.len() > 1 { 1 } else { 3 };
    let kept = budget.samples.len();
    // A few of many values say nothing of how they lie.
    let all = kept as u64 == budget.n || kept == SAMPLES_MAX;
    all && kept >= least && budget.id != BUDGET_PUMP_UPDATE
}

/// The anchors of the budgets of a page, in their order, which also name their figures.
pub(crate) fn budget_anchors(report: &Report) -> Vec<String> {
    words::anchors("budget", report.budgets.iter().map(|budget| budget.id.as_str()))
}

fn update_figure(report: &Report) -> Figure {
    let worst = report.budget(BUDGET_PUMP_UPDATE).and_then(|budget| {
        let place = budget.r#where.as_deref()?;
        Some(format!(" The slowest successful one is {place}, {}.", words::value(budget, budget.measured?)))
    });
    let description = format!(
        "One bar for each try of each pump, from its own begin, against the limit.{}",
        worst.unwrap_or_default()
    );
    Figure::new("update-time", "Tries against the limit".to_owned(), description, update_time::draw(report))
}

fn samples_figure(budget: &Budget, anchor: &str) -> Figure {
    let spread =
        samples::spread(budget).filter(|_| budget.n > 1).map_or_else(String::new, |[least, median, greatest]| {
            let [least, median, greatest] = [least, median, greatest].map(|value| words::value(budget, value));
            format!(" Least {least}, median {median}, greatest {greatest}.")
        });
    let kept = budget.samples.len() as u64;
    let shown = match budget.n {
        1 => "The one measured value as a dot".to_owned(),
        n if n == kept => format!("Each of {} measured values as a dot", words::grouped(n)),
        n => format!("The first {} of {} measured values as dots", words::grouped(kept), words::grouped(n)),
    };
    let description = format!(
        "{shown}, against the limit {}.{spread} The worst is ringed. The worst of n values is no proof of a bound.",
        words::limit_with_origin(budget)
    );
    let title = format!("Values of {}", budget.id.replace(['-', '_'], " "));
    Figure::new(&format!("samples-{anchor}"), title, description, samples::draw(budget))
}

fn voltage_figure(report: &Report, series: &Series) -> Figure {
    let dips = curve::dips(series, report.simulated_ms).len() as u64;
    let description = format!(
        "The curve keeps the least and the greatest value of every interval. {} below a threshold, numbered as in the \
         table.",
        words::count(dips, "stretch", "stretches")
    );
    let name = format!("voltage-{}", words::slug(&series.name));
    Figure::new(&name, curve::title(series), description, voltage::draw(report, series))
}

fn timeline_figure(report: &Report) -> Figure {
    let marks = marks::marks(report);
    let is_span = marks.iter().any(|mark| mark.is_span);
    let span = if is_span { ", and a line from the first to the last time of a fault that acted often" } else { "" };
    let marks = words::count(marks.len() as u64, "numbered mark", "numbered marks");
    let rows = match report.updated_pumps().len() {
        0 => String::new(),
        pumps => format!(
            "{} with the parts of every try. ",
            words::count(pumps as u64, "row for one pump", "rows, one for each pump,")
        ),
    };
    let strips = timeline::strips(report).map(|(series, ..)| curve::title(series)).collect::<Vec<_>>();
    let strips =
        if strips.is_empty() { String::new() } else { format!("On one time axis: {}. ", words::list(&strips)) };
    let description = format!("{rows}{strips}{marks}{span}.");
    Figure::new("timeline", "Timeline of the run".to_owned(), description, timeline::draw(report))
}

/// What became of a pump in a word, and whether that needs attention.
pub(crate) fn outcome(pump: &Pump) -> (&'static str, bool) {
    (words::outcome_word(pump.outcome), !pump.outcome.is_good())
}
