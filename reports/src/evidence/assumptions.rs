//! What the runs take for granted, and what was decided where the source documents are silent.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::Evidence;
use super::page::{count, requirement_link};
use crate::html::Column::{Text, Wide};
use crate::html::frame::section;
use crate::html::{head, table};

/// Names of runs that are spelled out; more are counted.
const RUNS_NAMED: usize = 4;

impl Evidence<'_> {
    pub(super) fn assumptions(&self) -> Markup {
        html! {
            (section("of-runs", "Assumptions of the runs", &self.run_assumptions()))
            (section("decisions", "Decisions in the baseline", &self.decisions()))
        }
    }

    fn run_assumptions(&self) -> Markup {
        let mut found: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
        for (run, report) in self.runs() {
            for each in &report.assumptions {
                let key = (each.text.as_str(), each.source.as_str(), each.value.as_str());
                found.entry(key).or_default().insert(&run.name);
            }
        }
        let all = self.bundle.runs.len();
        let content = html! {
            caption { "Every value that any run takes for granted; a value that only some runs have names them. Each is confirmed by the owner of the product." }
            (head(&[Wide("Assumption"), Text("Value"), Wide("Source"), Text("Runs")]))
            tbody {
                @for ((text, source, value), runs) in &found {
                    tr { th scope="row" { (text) } td { (value) } td { (source) } td { (names(runs, all)) } }
                }
            }
        };
        if found.is_empty() {
            html! { p { "None." } }
        } else {
            table("Assumptions of the runs", &content)
        }
    }

    fn decisions(&self) -> Markup {
        let decided = self.baseline.requirements.iter().filter(|row| !row.decision.is_empty());
        let content = html! {
            caption { "Where the source is silent or contradicts itself; owner of each decision: the owner of the product" }
            (head(&[Text("Requirement"), Wide("Decided"), Text("Scope")]))
            tbody {
                @for row in decided {
                    tr { th scope="row" { (requirement_link(&row.id)) " " (row.title) } td { (row.decision) } td { (row.scope.word()) } }
                }
            }
        };
        table("Decisions", &content)
    }
}

fn names(runs: &BTreeSet<&str>, all: usize) -> String {
    match runs.len() {
        len if len == all => "all".to_owned(),
        len if len <= RUNS_NAMED => runs.iter().copied().collect::<Vec<_>>().join(", "),
        len => count(len, "run", "runs"),
    }
}
