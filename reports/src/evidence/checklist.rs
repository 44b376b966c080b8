//! What a validation report must hold, point by point: where it stands in this bundle, or why not.
//!
//! Answers that depend on the bundle are made from it, so that none claims what is not there.

use maud::{Markup, html};

use super::page::count;
use super::{Evidence, Status};
use crate::html::Column::{Number, Text, Wide};
use crate::html::{head, shape, table};
use crate::verdict::RowVerdict;

/// How a point is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is in the bundle.
    Here,
    /// A part of it is.
    Partly,
    /// For people to fill in; no program can.
    ByPeople,
    /// It has no meaning for this bundle; the reason is told.
    NotApplicable,
    /// It should be here and is not.
    Open,
}

/// A point with its answer.
pub(super) struct Point {
    pub(super) asked: &'static str,
    pub(super) state: State,
    pub(super) answer: String,
    /// Page and name of the place; empty where there is none.
    pub(super) place: (&'static str, &'static str),
}

fn point(asked: &'static str, state: State, answer: impl Into<String>, place: (&'static str, &'static str)) -> Point {
    Point { asked, state, answer: answer.into(), place }
}

const NOWHERE: (&str, &str) = ("", "");

impl Evidence<'_> {
    pub(super) fn checklist(&self) -> Markup {
        let content = html! {
            caption { "The 40 points of the project's checklist for validation reports" }
            (head(&[Number("No."), Wide("Asked for"), Text("Answer"), Wide("Where, or why not")]))
            tbody {
                @for (number, point) in (1..).zip(self.points()) {
                    tr id={ "point-" (number) } {
                        td.number { (number) }
                        th scope="row" { (point.asked) }
                        td { (state(point.state)) }
                        td { (point.answer) @if !point.place.0.is_empty() { " " a href=(point.place.0) { (point.place.1) } "." } }
                    }
                }
            }
        };
        table("Checklist", &content)
    }

    /// All points in their order.
    pub(super) fn points(&self) -> Vec<Point> {
        [self.points_of_identity(), self.points_of_runs(), self.points_of_proof(), self.points_of_people()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn points_of_identity(&self) -> Vec<Point> {
        use State::{Here, NotApplicable, Open, Partly};
        let program = &self.bundle.program;
        let features = if program.features.is_empty() { "none".to_owned() } else { program.features.join(", ") };
        let head = &self.bundle.head;
        let named = !head.id.is_empty() && !head.date.is_empty();
        let lock = !self.bundle.program.lock_sha256.is_empty();
        vec![
            point(
                "Identity, version, date and state of the report; documents with hashes",
                if named { Here } else { State::ByPeople },
                if named {
                    "Number, date and author are as given on the command line; every file is in manifest.sha256. The state is that of the boxes to sign: a draft until they are."
                } else {
                    "Every file is in manifest.sha256. Number, date and author were not given (--id, --date, --author). The state is that of the boxes to sign: a draft until they are."
                },
                ("index.html", "Overview"),
            ),
            point(
                "Item under test: crates, commit, clean tree, hashes of sources and executable",
                Here,
                "Commit with its mark, the hash of each crate's sources, that of the executable; versions of all crates are in sources/Cargo.lock.",
                ("tool.html#build", "Build"),
            ),
            point(
                "Image for the target, and why the host build stands for it",
                NotApplicable,
                "No image for the target is part of this bundle. The link is made by the same hashes of sources and the same features when it is built; comparing stimuli on the target is another method (owner of the safety firmware).",
                NOWHERE,
            ),
            point(
                "Lock file, dependencies, compiler, flags, features",
                if lock { Here } else { Open },
                format!(
                    "The lock file with all crates and versions is in the folder sources. Profile and flags: {}. Features: {features}.",
                    program.profile
                ),
                ("tool.html#build", "Build"),
            ),
            point("Simulator with version, hash and tool class", Here, "", ("tool.html#class", "Tool class")),
            point(
                "Ways in which the tool can fail, and measures",
                Here,
                "",
                ("tool.html#mechanisms", "Failure mechanisms"),
            ),
            point(
                "Known problems and their effect",
                Here,
                "Deviations that are known; those of the runs show as rows that did not pass. Of the compiler no problem is known to us that acts on this code; its open defects were not searched through, and two measures would show a wrong translation: the tests compare results of debug and release builds, and oracles that are built apart judge the traces. The compiler of the target is for the owner of the safety firmware.",
                ("tool.html#limits", "Limits and deviations"),
            ),
            point(
                "Environment",
                Partly,
                "Platform and compiler are recorded. Operating system, host and locale are left out on purpose, since no result may depend on them; a container is for its owner to name.",
                ("tool.html#build", "Build"),
            ),
            point("Requirement baseline with hash, ids and revisions", Here, "", ("requirements.html", "Requirements")),
            point("Open points and assumptions with value and owner", Here, "", ("assumptions.html", "Assumptions")),
        ]
    }

    fn points_of_runs(&self) -> Vec<Point> {
        use State::{Here, NotApplicable, Open, Partly};
        let bundle = self.bundle;
        let quiet = self.undisturbed().len();
        let red = bundle.controls.iter().filter(|control| control.red).count();
        let all_red = red == bundle.controls.len() && red > 0;
        vec![
            point(
                "Model: what is simulated, abstracted, left out",
                Here,
                "",
                ("tool.html#limits", "Limits of the model"),
            ),
            point(
                "Validation of the model against hardware or data sheets",
                NotApplicable,
                "Not applicable here: a host simulation has no hardware to compare with, and none has been made. Constants come from data sheets of a class of parts, or are our own, and each is listed. The comparison with hardware, and the data sheets of the parts that are chosen, are for the owner of the product; until then no figure stands for the hardware.",
                ("assumptions.html", "Assumptions"),
            ),
            point(
                "Specification of each test: purpose, requirements, preconditions",
                Here,
                "The scenario of each run, with every default, is in its folder; the requirements are those of its rows.",
                ("index.html#runs", "Runs"),
            ),
            point(
                "Fault model, and why it is enough",
                Partly,
                "Kind, place, time, duration and number of each fault are here. That the list is enough is for the hazard analysis to say.",
                ("faults.html", "Faults"),
            ),
            point(
                "Procedure: command, hash of the configuration, seeds",
                Here,
                "Each run's page has the command that repeats it and the hash of its scenario.",
                ("index.html#runs", "Runs"),
            ),
            point(
                "Expected result with number, tolerance and origin",
                Here,
                "Limits are those of the rows; numbers that the source does not give are marked as ours.",
                ("requirements.html", "Requirements"),
            ),
            point(
                "Observed result with value, unit and hash of the trace",
                Here,
                "In result.json of each run; its hash is in the manifest.",
                ("index.html#requirements", "Requirements in scope"),
            ),
            point("Verdict and the rule that decides it", Here, "", ("tool.html#rules", "Rules of verdicts")),
            point(
                "Proof that each fault was injected",
                Here,
                count(self.injections().count(), "injection with its read-back.", "injections with their read-back."),
                ("faults.html#injections", "Injections"),
            ),
            point(
                "Negative control: nothing trips without a fault",
                if quiet > 0 { Here } else { Open },
                count(quiet, "run without a fault passed.", "runs without a fault passed."),
                ("controls.html", "Controls"),
            ),
            point(
                "Must-fail control",
                if all_red { Here } else { Open },
                format!("{red} of {} controls went red.", bundle.controls.len()),
                ("controls.html", "Controls"),
            ),
            point(
                "Deviations, repeated and skipped tests, with reason and approval",
                Partly,
                format!(
                    "{} skipped and {} invalid are named with reasons; approval is for people.",
                    bundle.skipped.len(),
                    bundle.invalid.len()
                ),
                ("index.html#counts", "Planned and executed"),
            ),
            point("Planned = executed + invalid + skipped", Here, "", ("index.html#counts", "Planned and executed")),
            point(
                "Classes of results with counts, each invalid run listed",
                Here,
                "",
                ("faults.html#classes", "Classes"),
            ),
            point(
                "Statistics",
                NotApplicable,
                "This bundle claims no rate: its runs were chosen, not drawn. A planned campaign makes such a claim: scenarios/campaigns/pump-update.ron and pump-update-46050.ron are plans, sweep-power-cut strikes every step of one pump, and reports/gallery holds the reports of those that were run (campaign-*, sweep-*), each with its own bound.",
                ("requirements.html#elsewhere", "Not verified here"),
            ),
            point(
                "Timing: observed, bound by quantile, bound by analysis, required",
                Partly,
                "Observed worst case, requirement and margin are here. A bound by quantile needs a campaign: reports/gallery/campaign-pump-update and campaign-pump-update-46050 have those of their times. Bounds by analysis are: the response path of a configuration, which cooltwin safety compile works out for each node and holds against its response time; the bound beside what a search found, in reports/gallery/search-safety-reaction and search-pump-update; the hand calculation of the update time in the README.",
                ("index.html#requirements", "Requirements in scope"),
            ),
        ]
    }

    fn points_of_proof(&self) -> Vec<Point> {
        use State::{Here, Open, Partly};
        let bundle = self.bundle;
        let uncovered = self.trace.count(Status::Uncovered);
        let executed = bundle.runs.iter().filter(|run| run.origin == super::Origin::Run).count();
        let equal =
            bundle.runs.iter().filter(|run| run.origin == super::Origin::Run && run.difference.is_none()).count();
        vec![
            point(
                "Coverage of requirements both ways, with what is uncovered and orphaned",
                Here,
                format!(
                    "{} uncovered; only executed runs count.",
                    count(uncovered, "requirement is", "requirements are")
                ),
                ("traceability.html", "Traceability"),
            ),
            point(
                "Structural coverage of the item",
                match &bundle.coverage {
                    Some(coverage) if coverage.is_explained() => Here,
                    Some(_) => Partly,
                    None => Open,
                },
                bundle.coverage.as_ref().map_or_else(
                    || "NOT MEASURED for this bundle.".to_owned(),
                    |coverage| format!("{}.", coverage.sentence()),
                ),
                ("tool.html#coverage", "Structural coverage"),
            ),
            point(
                "Coverage of faults by each diagnostic",
                Partly,
                "What each diagnostic found, and after which faults nothing was detected, is counted by kind of fault. The counts are not weighted: the faults were chosen for the scenarios, not drawn by how often they come, so that a share of them would be no diagnostic coverage. The shares of memory and link that the safety crates' own tests find stand with those tests.",
                ("faults.html#diagnostics", "Faults by diagnostic"),
            ),
            point(
                "Determinism",
                if equal == executed && executed > 0 { Partly } else { Open },
                format!(
                    "{equal} of {executed} runs were equal when run twice. Verify on a second build or host adds those."
                ),
                ("index.html#counts", "Planned and executed"),
            ),
            point(
                "Reproduction with one command",
                Here,
                "cooltwin verify DIR for the whole bundle; cooltwin replay and the last line of each run's page for one run.",
                ("index.html#files", "Files"),
            ),
            point(
                "Raw data with format, hash and retention",
                Partly,
                "Results and logs of events are here with their hashes. Single frames are not kept: the scenario gives them again, bit for bit. Retention is for people.",
                ("index.html#files", "Files"),
            ),
            point(
                "Independence of authors, reviewers and assessors",
                State::ByPeople,
                "To be stated by the organisation. For SIL 3 IEC 61508-1 (clause 8) asks for an assessment by an independent department or an independent organisation; the assessor confirms which.",
                NOWHERE,
            ),
            point(
                "Oracles that do not come from the item's code",
                Here,
                "Checks hold what the firmware does and says against the twin's truth: bytes of the flash, speeds of the motors, the supply, what the person did. Images are read by a reader of the checks' own, and update times are measured a second time from the frames on the bus.",
                ("traceability.html#backward", "Checks"),
            ),
            point(
                "What cannot be verified here, with the other method and its owner",
                Here,
                "",
                ("requirements.html#elsewhere", "Not verified here"),
            ),
            point(
                "Difference to the last report, with an impact analysis of changes",
                if bundle.drift.is_some() { Partly } else { Open },
                bundle.drift.as_ref().map_or_else(
                    || "No baseline of an earlier state was at hand.".to_owned(),
                    |drift| {
                        format!("Margins against the committed baseline: {}. What changed is told by the hashes of each crate's sources; the impact analysis of a change is for people.", drift.lines().next().unwrap_or_default())
                    },
                ),
                if bundle.drift.is_some() { ("index.html#drift", "Margins against the baseline") } else { NOWHERE },
            ),
        ]
    }

    fn points_of_people(&self) -> Vec<Point> {
        use State::{ByPeople, Here, Partly};
        let bad = self.trace.count(Status::Failed) + self.trace.count(Status::Inconclusive);
        vec![
            point(
                "Anomalies, classified",
                Partly,
                format!(
                    "{} failed or inconclusive; each row has its place. Classes (item, model, test, requirement) are for people.",
                    count(bad, "requirement is", "requirements are")
                ),
                ("index.html#requirements", "Requirements in scope"),
            ),
            point(
                "Conclusion in exact words: what is claimed and what is not",
                Here,
                "",
                ("index.html#conclusion", "What is claimed"),
            ),
            point(
                "Sign-off",
                ByPeople,
                "Boxes to sign stand at the end of the printed overview.",
                ("index.html", "Overview"),
            ),
            point(
                "Chronological record",
                ByPeople,
                "No clock is read, so that the same sources give the same bytes. Runs stand in the order in which they were planned; dates are for the record of the activity.",
                ("index.html#runs", "Runs"),
            ),
        ]
    }
}

fn state(state: State) -> Markup {
    match state {
        State::Here => shape::named(RowVerdict::Pass, "here"),
        State::Partly => shape::named(RowVerdict::ExpectedFail, "partly"),
        State::ByPeople => shape::named(RowVerdict::Info, "by people"),
        State::NotApplicable => shape::named(RowVerdict::NotApplicable, "not applicable"),
        State::Open => shape::named(RowVerdict::NotRun, "open"),
    }
}
