//! result.json: a [`Report`] as one line, and back.
//!
//! One line, so that several results can be printed one after another and read line by line.

use std::fmt;

use crate::report::Report;

/// The JSON Schema of a result, draft 2020-12.
pub const SCHEMA_JSON: &str = include_str!("../schema/result-1.schema.json");

/// Why a text is no result.
#[derive(Debug)]
pub struct ParseError(serde_json::Error);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a result of this version: {}", self.0)
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The report as one line of JSON, without a line break at its end.
#[must_use]
pub fn to_json_line(report: &Report) -> String {
    serde_json::to_string(report).expect("a report has only text keys and writes to memory")
}

/// Reads what [`to_json_line`] wrote; unknown and missing fields are refused.
///
/// # Errors
/// When the text is not JSON or not a result of this schema version.
pub fn from_json(text: &str) -> Result<Report, ParseError> {
    serde_json::from_str(text).map_err(ParseError)
}
