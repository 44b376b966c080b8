//! CSV of budgets: one row for each budget of each run, for spreadsheets and scripts.
//!
//! Numbers are the exact decimals of the result, in the unit of their row; a field without a value is empty.

use csv::Writer;

use crate::number::Fixed;
use crate::report::Report;

/// The columns.
const COLUMNS: [&str; 13] = [
    "scenario",
    "seed",
    "budget",
    "requirements",
    "verdict",
    "n",
    "measured",
    "relation",
    "limit_low",
    "limit",
    "margin",
    "unit",
    "where",
];

/// Renders the budgets of the runs.
#[must_use]
pub fn csv(reports: &[&Report]) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).expect("rows are written to memory");
    let number = |value: Option<Fixed>| value.map_or_else(String::new, |value| value.to_string());
    for report in reports {
        for budget in &report.budgets {
            let row = [
                text(&report.scenario.name),
                report.seed.to_string(),
                text(&budget.id),
                text(&budget.requirements.join(" ")),
                budget.verdict.word().to_owned(),
                budget.n.to_string(),
                number(budget.measured),
                budget.relation.to_string(),
                number(budget.limit_low),
                budget.limit.to_string(),
                number(budget.margin),
                budget.unit.clone(),
                text(budget.r#where.as_deref().unwrap_or_default()),
            ];
            writer.write_record(row).expect("rows are written to memory");
        }
    }
    let bytes = writer.into_inner().expect("rows are written to memory");
    String::from_utf8(bytes).expect("rows are text")
}

/// Text that no spreadsheet takes for a formula.
pub(crate) fn text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
