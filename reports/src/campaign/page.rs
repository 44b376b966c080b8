//! The report of a campaign as one HTML file, with the figures in it.
//!
//! As the page of a run: no script, nothing outside itself, every verdict a word with a shape, a table beside every
//! figure. It depends on the report alone.

use maud::{Markup, PreEscaped, html};

use super::text::{percent, value};
use super::{CampaignReport, Class, Replay, Values};
use crate::figures::Figure;
use crate::figures::campaign::campaign_figures;
use crate::html::frame::{Frame, Section};
use crate::html::{evidence, inline, shape, table};
use crate::words::{capital, grouped, rounded};

/// Renders the page.
#[must_use]
pub fn campaign_html(report: &CampaignReport) -> String {
    Page { report, figures: campaign_figures(report) }.render()
}

/// The figures of the page, each as a file of its own: name and document.
#[must_use]
pub fn campaign_figure_files(report: &CampaignReport) -> Vec<(String, String)> {
    let figures = campaign_figures(report);
    figures.iter().map(|figure| (format!("figures/{}.svg", figure.name), figure.document())).collect()
}

struct Page<'a> {
    report: &'a CampaignReport,
    figures: Vec<Figure>,
}

impl Page<'_> {
    fn render(&self) -> String {
        let report = self.report;
        let title = format!("{}: {}", report.verdict.word().to_uppercase(), report.name);
        let frame = Frame { title: &title, version: &report.build.version, style: "" };
        frame.report(&self.head(), &self.sections())
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section::new("claim", "Plan and claim", self.claim())];
        let remarks = &self.report.remarks;
        if !remarks.is_empty() {
            let remarks = html! { @for remark in remarks { p { (remark) } } };
            sections.push(Section::new("remarks", "What to know about the claim", remarks));
        }
        sections.extend([
            Section::new("mix", "Fault mix", self.mix()),
            Section::new("classes", "What became of the faults", self.classes()),
        ]);
        if !self.report.times.is_empty() {
            sections.push(Section::new("values", "Budgets: values and bounds", self.values()));
        }
        sections.extend([
            Section::new("failed", "Trials that failed", self.failed()),
            Section::new("reproduce", "Reproduction", self.reproduction()),
            Section::new("limits", "Limits of the model and known deviations", evidence::limits()),
        ]);
        sections
    }

    fn head(&self) -> Markup {
        let report = self.report;
        let build = &report.build;
        html! {
            p { (shape::run(report.verdict)) }
            h1 { (report.name) }
            @if !report.title.is_empty() { p.lead { (report.title) } }
            p { (capital(&report.sentence)) "." }
            @if !report.purpose.is_empty() { p { (report.purpose) } }
            dl.facts {
                dt { "Campaign" } dd { code { (report.sha256) } " (SHA-256 of campaign and base in canonical form)" }
                dt { "Fault mix" } dd { code { (report.mix_sha256) } }
                dt { "Master seed" } dd { (report.seed) }
                dt { "Raw data" } dd { code { (report.trials_sha256) } " (SHA-256 of trials.csv)" }
                dt { "Program" }
                dd { "cooltwin " (build.version) ", sources " code { (build.commit) } ", rustc " (build.rustc) }
            }
        }
    }

    fn claim(&self) -> Markup {
        let report = self.report;
        let plan = &report.plan;
        let content = html! {
            caption { "Fixed before the first trial, and what came out" }
            thead { tr { th scope="col" { "Subject" } th.number scope="col" { "Found" } th.number scope="col" { "Fixed" } } }
            tbody {
                tr { th scope="row" { "Trials" } td.number { (grouped(report.executed)) } td.number { (grouped(plan.trials)) } }
                tr {
                    th scope="row" { "Failures, invalid trials among them" }
                    td.number { (report.failures) " (" (report.invalid) " invalid)" }
                    td.number { "at most " (plan.failures_allowed) }
                }
                tr {
                    th scope="row" { "Share of successes at " (percent(plan.confidence)) " confidence" }
                    td.number { "failure probability" br; "at most " (percent(report.failure_upper)) }
                    td.number { "at least " (percent(plan.success)) }
                }
                tr {
                    th scope="row" { "The base without faults" }
                    td.number { (report.control.verdict.word()) } td.number { "pass" }
                }
            }
        };
        html! {
            p { "One trial is " (report.trial) "." }
            (table("Plan", &content))
            @for note in &report.notes { p { (shape::word(true, note)) } }
            (self.figure("failure-bounds"))
            p.note {
                "Bounds are exact (Clopper-Pearson). Two-sided at the same confidence: "
                (percent(report.failure_two_sided[0])) " to " (percent(report.failure_two_sided[1]))
                ". If the true failure probability were a tenth of what the claim admits, this plan would pass with a chance of "
                (percent(plan.power_at_tenth)) "."
            }
            @if report.strata.len() > 1 { (self.strata()) }
            (self.counts())
        }
    }

    fn strata(&self) -> Markup {
        let content = html! {
            caption { "Strata; each bound at the missing confidence divided by their number" }
            thead {
                tr {
                    th scope="col" { "Stratum" } th.number scope="col" { "Share" } th.number scope="col" { "Trials" }
                    th.number scope="col" { "Failed" } th.number scope="col" { "Allowed" } th.number scope="col" { "Bound" }
                }
            }
            tbody {
                @for part in &self.report.strata {
                    tr {
                        th scope="row" { (part.name) }
                        td.number { (percent(part.weight)) } td.number { (grouped(part.trials)) }
                        td.number { (part.failures) } td.number { (part.failures_allowed) }
                        td.number { (percent(part.failure_upper)) }
                    }
                }
            }
        };
        table("Strata", &content)
    }

    fn counts(&self) -> Markup {
        let report = self.report;
        let rows = [
            ("Pumps updated within three tries", &report.pumps),
            ("Tries that updated", &report.attempts),
            ("Runs with every due pump updated", &report.campaigns),
        ];
        let content = html! {
            caption { "Counted on three levels" }
            thead {
                tr {
                    th scope="col" { "Level" } th.number scope="col" { "Good" } th.number scope="col" { "Of" }
                    th scope="col" { "Independent of each other" }
                }
            }
            tbody {
                @for (name, ratio) in rows {
                    tr {
                        th scope="row" { (name) }
                        td.number { (grouped(ratio.good)) } td.number { (grouped(ratio.of)) }
                        td { @if ratio.independent { "yes" } @else { "no: no bound is claimed" } }
                    }
                }
            }
        };
        let tries: Vec<String> = report
            .tries_needed
            .iter()
            .zip(1..)
            .map(|(count, number)| format!("{} by try {number}", grouped(*count)))
            .collect();
        html! {
            @if report.campaigns.of > 0 { (table("Levels", &content)) }
            @if !tries.is_empty() { p { "Pumps were updated: " (tries.join(", ")) "." } }
        }
    }

    fn mix(&self) -> Markup {
        let report = self.report;
        let content = html! {
            caption { "Faults that may come in a trial, as the file has them" }
            thead {
                tr {
                    th scope="col" { "Fault" } th scope="col" { "How often" }
                    th.wide scope="col" { "In the words of scenario files; a range or list is drawn from each time" }
                }
            }
            tbody {
                @for fault in &report.faults {
                    tr {
                        th scope="row" { (fault.name) } td { (fault.often) }
                        td { code { (fault.written) } }
                    }
                }
            }
        };
        html! {
            @if report.swarm > crate::number::Fixed::default() {
                p {
                    "Each kind of fault is switched off in " (percent(report.swarm)) " of the trials, so that the others come \
                     without it; a fault comes that much less often than written here. How often it is expected stands with what \
                     became of it."
                }
            }
            (table("Fault mix", &content))
        }
    }

    fn classes(&self) -> Markup {
        let classes = html! {
            caption { "Trials by the gravest class of their faults" }
            thead { tr { th scope="col" { "Class" } th.number scope="col" { "Trials" } th.wide scope="col" { "Means" } } }
            tbody {
                @for count in &self.report.classes {
                    tr {
                        th scope="row" { (class_word(count.class, count.trials)) }
                        td.number { (grouped(count.trials)) }
                        td { (count.class.meaning()) }
                    }
                }
            }
        };
        let faults = html! {
            caption { "Times a fault came; one that did not act found another in its place, or the run over" }
            thead {
                tr {
                    th scope="col" { "Fault" } th.number scope="col" { "Expected" } th.number scope="col" { "Came" }
                    th.number scope="col" { "Acted" } th.wide scope="col" { "Trials in which it came, by class" }
                }
            }
            tbody {
                @for fault in &self.report.faults {
                    tr {
                        th scope="row" { (fault.name) }
                        td.number { (rounded(fault.expected, 1)) }
                        td.number { (grouped(fault.drawn)) } td.number { (grouped(fault.acted)) }
                        td { (class_list(fault)) }
                    }
                }
            }
        };
        html! { (table("Classes", &classes)) (table("Faults that came", &faults)) }
    }

    fn values(&self) -> Markup {
        html! {
            p {
                "One value a trial, the worst of it. A bound of a quantile holds whatever the distribution is; the worst \
                 value seen is no bound of anything. A trial without a value counts as worse than any."
            }
            @for values in &self.report.times {
                article {
                    h3 { (values.budget) }
                    (self.figure(&format!("values-{}", values.budget)))
                    (table(&format!("Bounds of {}", values.budget), &bounds(values)))
                    @if let Some(replay) = &values.replay {
                        p { "Worst: trial " (replay.trial) ", seed " (replay.seed) ". " code { (replay.command) } }
                    }
                }
            }
        }
    }

    fn failed(&self) -> Markup {
        let report = self.report;
        if report.failed.is_empty() {
            return html! { p { "None." } };
        }
        let content = html! {
            caption { "The first " (report.failed.len()) " of " (grouped(report.failures)) }
            thead {
                tr {
                    th.number scope="col" { "Trial" } th.number scope="col" { "Seed" } th scope="col" { "Class" }
                    th.wide scope="col" { "What did not hold or was not judged" } th scope="col" { "To see it again" }
                }
            }
            tbody { @for replay in &report.failed { (failed_row(replay)) } }
        };
        html! {
            (table("Failed trials", &content))
            p { "The smallest scenario that fails alike: " code { "cooltwin shrink" } " on any of these files." }
        }
    }

    fn reproduction(&self) -> Markup {
        let report = self.report;
        let path = report.inputs.first().map_or("campaign.ron", |input| &input.path);
        html! {
            p { "The same program gives the same bytes from this command in the folder of the campaign file, on any host, with any number of threads or shards:" }
            pre tabindex="0" { "cooltwin campaign " (path) }
            (evidence::files(&report.inputs))
            details {
                summary { "Campaign and base with every default, as they are hashed" }
                pre tabindex="0" { (report.resolved) }
            }
        }
    }

    fn figure(&self, name: &str) -> Markup {
        let Some(figure) = self.figures.iter().find(|figure| figure.name == name) else { return html! {} };
        html! {
            figure id={ "figure-" (name) } {
                div.scroll role="region" aria-label={ "Figure: " (figure.title) } tabindex="0" { (PreEscaped(inline(figure))) }
                figcaption { strong { (figure.title) "." } " " (figure.description) }
            }
        }
    }
}

/// A class that should not occur stands out where it does.
fn class_word(class: Class, trials: u64) -> Markup {
    let is_bad = trials > 0 && class >= Class::DetectedLate;
    if is_bad {
        shape::word(true, class.word())
    } else {
        html! { (class.word()) }
    }
}

fn class_list(fault: &super::MixedFault) -> String {
    let some = fault.classes.iter().filter(|count| count.trials > 0);
    some.map(|count| format!("{} {}", grouped(count.trials), count.class.word())).collect::<Vec<_>>().join(", ")
}

fn bounds(values: &Values) -> Markup {
    let shown =
        |number: Option<crate::number::Fixed>| number.map_or_else(|| "none".to_owned(), |number| value(values, number));
    html! {
        caption {
            "Limit " (values.relation) " " (value(values, values.limit)) ", " (grouped(values.n)) " values, "
            (grouped(values.missing)) " trials without one"
        }
        thead { tr { th scope="col" { "Subject" } th.number scope="col" { "Value" } th.number scope="col" { "Which value, the best first" } } }
        tbody {
            tr { th scope="row" { "Best seen" } td.number { (shown(values.best)) } td {} }
            tr { th scope="row" { "Median seen" } td.number { (shown(values.median)) } td {} }
            tr { th scope="row" { "Worst seen" } td.number { (shown(values.worst)) } td {} }
            @for bound in &values.bounds {
                tr {
                    th scope="row" { "Bound of the " (percent(bound.quantile)) " quantile" }
                    td.number { (shown(bound.value)) }
                    td.number { @if let Some(rank) = bound.rank { (grouped(rank)) } @else { "too few trials" } }
                }
            }
        }
    }
}

fn failed_row(replay: &Replay) -> Markup {
    html! {
        tr {
            th.number scope="row" { (replay.trial) }
            td.number { (replay.seed) }
            td { (shape::word(true, replay.class.word())) }
            td { (replay.what) }
            td { @if replay.command.is_empty() { "no scenario" } @else { code { (replay.command) } } }
        }
    }
}
