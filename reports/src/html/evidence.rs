//! What a reviewer needs beside the results: how to do it again, assumptions, limits of the model.

use maud::{Markup, html};

use super::Column::{Text, Wide};
use super::{Page, head, table};
use crate::limits::{DEVIATIONS, LIMITS, Limit};
use crate::report::Input;
use crate::terminal::reproduce_command;

impl Page<'_> {
    pub(super) fn reproduction(&self) -> Markup {
        let report = self.report;
        let prints = html! {
            caption { "Fingerprints of the trace; equal runs have equal ones" }
            (head(&[Text("Domain"), Wide("Fingerprint")]))
            tbody { @for (domain, print) in report.fingerprint.named() { tr { th scope="row" { (domain) } td { code { (print) } } } } }
        };
        html! {
            p {
                "The same program gives the same bytes from this command in the folder of the scenario file, on any host; "
                code { "cooltwin replay" } " with this result needs no other file:"
            }
            pre tabindex="0" { (reproduce_command(report)) }
            (files(&report.inputs))
            (table("Fingerprints", &prints))
            details {
                summary { "The whole scenario with every default, as it is hashed" }
                pre tabindex="0" { (report.scenario.resolved) }
            }
        }
    }

    pub(super) fn assumptions(&self) -> Markup {
        let content = html! {
            caption { "What the model takes for granted" }
            (head(&[Wide("Assumption"), Text("Value"), Wide("Source")]))
            tbody {
                @for assumption in &self.report.assumptions {
                    tr { th scope="row" { (assumption.text) } td { (assumption.value) } td { (assumption.source) } }
                }
            }
        };
        if self.report.assumptions.is_empty() {
            html! { p { "None." } }
        } else {
            table("Assumptions", &content)
        }
    }
}

/// The table of the files that were read.
pub(crate) fn files(inputs: &[Input]) -> Markup {
    let content = html! {
        caption { "Files that were read" }
        (head(&[Text("File"), Wide("SHA-256")]))
        tbody { @for input in inputs { tr { th scope="row" { (input.path) } td { code { (input.sha256) } } } } }
    };
    table("Files", &content)
}

/// The limits of the model and the known deviations, the same for every run.
pub(crate) fn limits() -> Markup {
    html! {
        p { "This report supports a review; it does not replace tests on the target. The simulator cannot put an error \
             into the product, but an error of the simulator can hide one." }
        (limit_table("Limits of the model", LIMITS, "Closed by"))
        (limit_table("Known deviations", DEVIATIONS, "Settled by"))
    }
}

fn limit_table(title: &str, limits: &[Limit], closed: &str) -> Markup {
    let content = html! {
        caption { (title) }
        (head(&[Text("Subject"), Wide("In this program"), Wide(closed)]))
        tbody { @for limit in limits { tr { th scope="row" { (limit.subject) } td { (limit.text) } td { (limit.elsewhere) } } } }
    };
    table(title, &content)
}
