//! Must-fail controls: what each check was shown when the bundle was made, and whether it saw it.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Evidence;
use crate::html::Column::{Text, Wide};
use crate::html::{head, rows, shape, table};

impl Evidence<'_> {
    /// Checks and budgets of executed runs that no control was tried on.
    pub(super) fn without_control(&self) -> Vec<&str> {
        let tried: BTreeSet<&str> = self.bundle.controls.iter().map(|control| control.row.as_str()).collect();
        let judged: BTreeSet<&str> = self.trace.checks.keys().map(|(_, id)| *id).collect();
        judged.difference(&tried).copied().collect()
    }

    /// Names of runs without any fault that passed: nothing may trip there.
    pub(super) fn undisturbed(&self) -> Vec<&str> {
        let quiet =
            self.runs().filter(|(_, report)| report.injections.is_empty() && report.verdict == crate::Verdict::Pass);
        quiet.map(|(run, _)| run.name.as_str()).collect()
    }

    pub(super) fn controls(&self) -> Markup {
        let controls = &self.bundle.controls;
        let red = controls.iter().filter(|control| control.red).count();
        let without = self.without_control();
        let content = html! {
            caption { "Tried by the program that made this bundle, just before it was written" }
            (head(&[Text("Check or budget"), Wide("Shown"), Text("Control")]))
            tbody {
                @for control in controls {
                    tr {
                        th scope="row" { a href={ "traceability.html#backward" } { (rows::statement(&control.row)) } }
                        td { (control.shown) }
                        td { @if control.red { (shape::word(false, "went red")) } @else { (shape::word(true, "STAYED GREEN")) " " (control.why) } }
                    }
                }
            }
        };
        html! {
            p {
                "A check that cannot fail proves nothing. For each one a twin is brought into a healthy state in which the check holds; then it is "
                "shown what it must not accept, a forged record, a tampered memory or a scenario that breaks the rule, and has to go red. "
                (red) " of " (controls.len()) " controls did."
            }
            p {
                "Rows of this bundle without a control: "
                @if without.is_empty() { "none." } @else { (without.iter().map(|id| rows::statement(id)).collect::<Vec<_>>().join("; ")) ". A budget's own rule is tested with the program." }
            }
            (table("Must-fail controls", &content))
            p {
                "The other way round nothing may trip where nothing is amiss. Runs without a fault that passed: "
                @let quiet = self.undisturbed();
                @if quiet.is_empty() { strong { "none in this bundle" } } @else { (quiet.join(", ")) } "."
            }
        }
    }
}
