//! `needs.json`: requirements, rows and runs as needs that sphinx-needs imports.
//!
//! Requirements keep their ids; a row is `ROW_<KIND>_<ID>` and a run `RUN_<NAME>_<SEED>`. A row links to the requirements
//! that it names, a run to the rows that it judged, so the tables of sphinx-needs can be drawn in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Evidence;
use super::tables::exact;
use crate::report::Report;
use crate::verdict::RowVerdict;

impl Evidence<'_> {
    pub(super) fn needs(&self) -> String {
        let mut needs: BTreeMap<String, Value> = BTreeMap::new();
        needs.extend(self.requirement_needs());
        needs.extend(self.row_needs());
        needs.extend(self.run_needs());
        let version = &self.bundle.program.version;
        let whole = json!({
            "project": "cooltwin evidence",
            "current_version": version,
            "versions": { version.as_str(): { "needs_amount": needs.len(), "needs": needs } },
        });
        format!("{whole:#}\n")
    }

    fn requirement_needs(&self) -> impl Iterator<Item = (String, Value)> {
        self.trace.rows.iter().map(|row| {
            let requirement = row.requirement;
            let worst = row.worst();
            let [measured, limit, margin, unit] = exact(worst);
            let need = json!({
                "id": requirement.id,
                "type": "req",
                "title": requirement.title,
                "content": requirement.text,
                "status": row.status.word(),
                "tags": [requirement.scope.word()],
                "links": [],
                "method": requirement.method,
                "criterion": requirement.criterion,
                "decision": requirement.decision,
                "revision": requirement.revision.to_string(),
                "sha256": requirement.sha256(),
                "worst": measured,
                "limit": limit,
                "margin": margin,
                "unit": unit,
                "proof": worst.map_or_else(String::new, |proof| proof.href.clone()),
            });
            (requirement.id.clone(), need)
        })
    }

    fn row_needs(&self) -> impl Iterator<Item = (String, Value)> {
        self.trace.checks.iter().map(|((kind, id), row)| {
            let verdicts: Vec<String> = row.verdicts.iter().map(|(word, times)| format!("{times} {word}")).collect();
            let known: Vec<&&str> = row.requirements.iter().filter(|id| self.baseline.get(id).is_some()).collect();
            let need = json!({
                "id": row_id(kind, id),
                "type": kind,
                "title": id.replace(['_', '-'], " "),
                "content": format!("Verdicts in executed runs: {}", verdicts.join(", ")),
                "status": "executed",
                "tags": [],
                "links": known,
            });
            (row_id(kind, id), need)
        })
    }

    fn run_needs(&self) -> impl Iterator<Item = (String, Value)> {
        self.runs().map(|(run, report)| {
            let id = format!("RUN_{}_{}", plain(&run.name), run.seed);
            let counts = run.is_of(&self.bundle.program);
            let rows: BTreeSet<String> = if counts { judged_rows(report) } else { BTreeSet::new() };
            let known = |id: &&String| self.trace.checks.keys().any(|(kind, row)| row_id(kind, row) == **id);
            let need = json!({
                "id": id,
                "type": "run",
                "title": if report.scenario.title.is_empty() { &run.name } else { &report.scenario.title },
                "content": format!("Scenario {}, seed {}", run.name, run.seed),
                "status": run.verdict_here(&self.bundle.program).word(),
                "tags": [],
                "links": rows.iter().filter(known).collect::<Vec<_>>(),
                "sha256": run.result_sha256,
                "proof": format!("{}/report.html", run.folder),
            });
            (id, need)
        })
    }
}

/// Ids of the rows that a run judged.
fn judged_rows(report: &Report) -> BTreeSet<String> {
    let judged = |verdict: RowVerdict| !matches!(verdict, RowVerdict::NotApplicable | RowVerdict::NotRun);
    let budgets = report.budgets.iter().map(|row| ("budget", &row.id, row.verdict));
    let checks = report.checks.iter().map(|row| ("check", &row.id, row.verdict));
    budgets.chain(checks).filter(|row| judged(row.2)).map(|(kind, id, _)| row_id(kind, id)).collect()
}

fn row_id(kind: &str, id: &str) -> String {
    format!("ROW_{}_{}", kind.to_uppercase(), plain(id))
}

/// Capital letters, digits and underscores.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
