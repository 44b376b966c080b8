//! Tables of a bundle for spreadsheets, CI and code reviews.

use csv::Writer;

use super::page;
use super::trace::{Proof, ProofRow};
use super::{Evidence, Origin, Status};
use crate::markdown::not_typed;
use crate::number::Millis;
use crate::suite::{SuiteRow, junit_of_suite, markdown_of_suite};
use crate::verdict::RowVerdict;

/// Rows to one text.
fn written(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(columns).expect("rows are written to memory");
    for row in rows {
        let row = row
            .iter()
            .map(|text| if text.parse::<crate::Fixed>().is_ok() { text.clone() } else { crate::csv::text(text) });
        writer.write_record(row).expect("rows are written to memory");
    }
    String::from_utf8(writer.into_inner().expect("rows are written to memory")).expect("rows are text")
}

/// Measured value, limit, margin and unit; empty where there is none.
pub(super) fn exact(proof: Option<&Proof<'_>>) -> [String; 4] {
    match proof.map(|proof| proof.row) {
        Some(ProofRow::Budget(budget)) => {
            let number = |value: Option<crate::Fixed>| value.map_or_else(String::new, |value| value.to_string());
            [number(budget.measured), crate::words::limit(budget), number(budget.margin), budget.unit.clone()]
        }
        _ => Default::default(),
    }
}

impl Evidence<'_> {
    pub(super) fn requirements_csv(&self) -> String {
        let columns = [
            "requirement",
            "title",
            "scope",
            "status",
            "worst",
            "limit",
            "margin",
            "unit",
            "proof",
            "rows",
            "tests",
            "revision",
            "sha256",
            "expected_not_to_pass",
            "worst_of_these",
        ];
        let rows = self.trace.rows.iter().map(|row| {
            let worst = row.worst();
            let [measured, limit, margin, unit] = exact(worst);
            let expected = row.expected();
            let [worst_expected, ..] = exact(expected.first().copied());
            vec![
                row.requirement.id.clone(),
                row.requirement.title.clone(),
                row.requirement.scope.word().to_owned(),
                row.status.word().to_owned(),
                measured,
                limit,
                margin,
                unit,
                worst.map_or_else(String::new, |proof| proof.href.clone()),
                row.proofs.iter().filter(|proof| proof.is_judged()).count().to_string(),
                row.tests.len().to_string(),
                row.requirement.revision.to_string(),
                row.requirement.sha256(),
                expected.len().to_string(),
                worst_expected,
            ]
        });
        written(&columns, rows)
    }

    pub(super) fn trace_csv(&self) -> String {
        let columns = [
            "requirement",
            "kind",
            "row",
            "scenario",
            "seed",
            "verdict",
            "n",
            "worst",
            "limit",
            "margin",
            "unit",
            "proof",
        ];
        let rows = self.trace.rows.iter().flat_map(|row| {
            row.proofs.iter().map(|proof| {
                let (kind, id) = proof.name();
                let [measured, limit, margin, unit] = exact(Some(proof));
                let fixed = [&row.requirement.id, kind, id, &proof.run.name, &proof.run.seed, proof.verdict.word()];
                let mut cells: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
                cells.extend([proof.n().to_string(), measured, limit, margin, unit, proof.href.clone()]);
                cells
            })
        });
        written(&columns, rows)
    }

    pub(super) fn faults_csv(&self) -> String {
        let columns = [
            "scenario",
            "seed",
            "fault",
            "kind",
            "target",
            "occurred_ms",
            "first_ms",
            "duration_ms",
            "times",
            "read_back",
            "detected_as",
            "detected_ms",
            "local_off_ms",
            "all_off_ms",
            "class",
        ];
        let rows = self.injections().map(|(run, injection)| {
            let time = |time: Option<Millis>| time.map_or_else(String::new, |time| time.to_string());
            vec![
                run.name.clone(),
                run.seed.clone(),
                injection.id.clone(),
                injection.kind.clone(),
                injection.target.clone(),
                time(injection.occurred_ms),
                time(injection.at_ms),
                time(injection.duration_ms),
                injection.activations.to_string(),
                injection.effect.clone(),
                injection.detected_as.clone(),
                time(injection.detected_ms),
                time(injection.local_off_ms),
                time(injection.all_off_ms),
                injection.class.clone(),
            ]
        });
        written(&columns, rows)
    }

    /// What is asked of the bundle beyond the rows of its runs.
    fn questions(&self) -> Vec<SuiteRow> {
        let row = |scenario: &str, question: String, verdict: RowVerdict, detail: String| SuiteRow {
            scenario: scenario.to_owned(),
            question,
            verdict,
            detail,
        };
        let requirements = self.trace.rows.iter().map(|each| {
            let detail = if each.status == Status::Uncovered { "no executed run shows it" } else { each.status.word() };
            let question = format!("{} {}", each.requirement.id, each.requirement.title);
            row("requirements", question, each.status.row(), detail.to_owned())
        });
        let repeats = self.bundle.runs.iter().filter(|run| run.origin == Origin::Run).map(|run| {
            let (verdict, detail) = match &run.difference {
                None => (RowVerdict::Pass, "equal".to_owned()),
                Some(difference) => (RowVerdict::Fail, difference.clone()),
            };
            row(&run.name, "both runs are equal".to_owned(), verdict, detail)
        });
        let controls = self.bundle.controls.iter().map(|control| {
            let verdict = if control.red { RowVerdict::Pass } else { RowVerdict::Fail };
            row("controls", format!("{} goes red: {}", control.row, control.shown), verdict, control.why.clone())
        });
        let missing = self.bundle.invalid.iter().map(|each| (each, RowVerdict::Error));
        let missing = missing.chain(self.bundle.skipped.iter().map(|each| (each, RowVerdict::NotRun)));
        let missing =
            missing.map(|(each, verdict)| row(&each.planned.name, "is run".to_owned(), verdict, each.why.clone()));
        requirements.chain(repeats).chain(controls).chain(missing).collect()
    }

    pub(super) fn junit(&self) -> String {
        junit_of_suite(&not_typed(&self.reports.iter().collect::<Vec<_>>()), &self.questions())
    }

    pub(super) fn markdown(&self) -> String {
        let verdict = self.verdict().word().to_uppercase();
        let of = |status: Status| self.trace.count(status);
        let headline = format!(
            "{verdict}: evidence of {}; {} held ({} of them but for rows that do not pass, as expected), {} failed, {} uncovered",
            page::count(self.bundle.runs.len(), "run", "runs"),
            page::count(of(Status::Verified), "requirement", "requirements"),
            self.trace.rows.iter().filter(|row| row.status == Status::Verified && !row.expected().is_empty()).count(),
            of(Status::Failed),
            of(Status::Uncovered)
        );
        // Requirements out of scope and stated elsewhere are in the pages; here they would hide what matters.
        let rows: Vec<SuiteRow> = self
            .questions()
            .into_iter()
            .filter(|row| !matches!(row.verdict, RowVerdict::NotApplicable | RowVerdict::Info))
            .collect();
        markdown_of_suite(&headline, &not_typed(&self.reports.iter().collect::<Vec<_>>()), &rows)
    }
}
