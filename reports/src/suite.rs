//! What is asked of a whole suite beyond the verdicts of its runs, as rows of JUnit and Markdown.
//!
//! A run alone cannot say whether it repeats or whether its margins have shrunk since an earlier state; whoever runs a
//! suite knows, and hands the answers over as rows.

use std::fmt::Write as _;

use quick_junit::{Report as Document, TestCase, TestSuite};

use crate::junit;
use crate::markdown::{Typed, escaped, markdown_as_typed};
use crate::verdict::RowVerdict;
use crate::words;

/// Rows of a summary; the rest is counted.
const ROWS_MAX: usize = 100;

/// A question about a scenario of a suite, with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteRow {
    /// The scenario's name.
    pub scenario: String,
    /// What was asked, such as `both runs are equal`.
    pub question: String,
    /// The answer.
    pub verdict: RowVerdict,
    /// Numbers, or what was found.
    pub detail: String,
}

/// Renders the runs and then the suite's own rows as one JUnit document.
#[must_use]
pub fn junit_of_suite(runs: &[Typed<'_>], rows: &[SuiteRow]) -> String {
    let mut document = Document::new("cooltwin");
    document.add_test_suites(runs.iter().map(junit::suite));
    let mut own = TestSuite::new("whole suite");
    own.add_test_cases(rows.iter().map(|row| {
        let mut case = TestCase::new(row.question.as_str(), junit::status(row.verdict, &row.detail));
        case.set_classname(row.scenario.as_str());
        case.add_property(("verdict", row.verdict.word()));
        case
    }));
    document.add_test_suite(own);
    document.to_string().expect("a document is written to memory")
}

/// Renders how the suite stands, its own rows that did not simply pass, and then the runs as Markdown.
#[must_use]
pub fn markdown_of_suite(headline: &str, runs: &[Typed<'_>], rows: &[SuiteRow]) -> String {
    let mut text = format!("# {}\n\n", escaped(headline));
    let findings: Vec<&SuiteRow> = rows.iter().filter(|row| row.verdict != RowVerdict::Pass).collect();
    for row in findings.iter().take(ROWS_MAX) {
        let SuiteRow { scenario, question, verdict, detail } = row;
        let (scenario, question, detail) = (escaped(scenario), escaped(question), escaped(detail));
        let _ = writeln!(text, "- **{}** {scenario}, {question}: {detail}", verdict.word());
    }
    if findings.len() > ROWS_MAX {
        let _ = writeln!(text, "- and {} more", findings.len() - ROWS_MAX);
    }
    let held = words::count((rows.len() - findings.len()) as u64, "question", "questions");
    let _ = writeln!(text, "\n{held} about the suite answered with pass\n");
    text + &markdown_as_typed(runs)
}
