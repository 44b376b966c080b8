//! result.json: a [`Report`] as one line, and back.
//!
//! One line, so that several results can be printed one after another and read line by line.

use std::fmt;

use crate::report::{Report, SCHEMA};

/// The JSON Schema of a result, draft 2020-12.
pub const SCHEMA_JSON: &str = include_str!("../schema/result-1.schema.json");

/// Why a text is no result.
#[derive(Debug)]
pub enum ParseError {
    /// It says that it is of another schema.
    OtherSchema(String),
    /// It is not JSON, or not a result.
    Syntax(serde_json::Error),
    /// It is a result that contradicts itself.
    Contradiction(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSchema(found) => write!(f, "its schema is `{found}`; this version reads `{SCHEMA}`"),
            Self::Syntax(error) => write!(f, "not a result of this version: {error}"),
            Self::Contradiction(why) => write!(f, "a damaged result: {why}"),
        }
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Syntax(error) => Some(error),
            Self::OtherSchema(_) | Self::Contradiction(_) => None,
        }
    }
}

impl ParseError {
    /// Line and column of the mistake, from 1, where the text itself is wrong.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        match self {
            Self::Syntax(error) => Some((error.line(), error.column())),
            Self::OtherSchema(_) | Self::Contradiction(_) => None,
        }
    }
}

/// The report as one line of JSON, without a line break at its end.
#[must_use]
pub fn to_json_line(report: &Report) -> String {
    serde_json::to_string(report).expect("a report has only text keys and writes to memory")
}

/// Reads what [`to_json_line`] wrote; unknown and missing fields are refused, and so is a result whose verdicts do not
/// agree with its numbers.
///
/// # Errors
/// When the text is not JSON, not a result of this schema version, or contradicts itself.
pub fn from_json(text: &str) -> Result<Report, ParseError> {
    let report: Report =
        serde_json::from_str(text).map_err(|error| other_schema(text).unwrap_or(ParseError::Syntax(error)))?;
    report.audit().map_err(ParseError::Contradiction)?;
    Ok(report)
}

/// Whether a text that is no result says itself that it is of another schema.
fn other_schema(text: &str) -> Option<ParseError> {
    #[derive(serde::Deserialize)]
    struct Told {
        schema: String,
    }
    let told: Told = serde_json::from_str(text).ok()?;
    (told.schema != SCHEMA).then_some(ParseError::OtherSchema(told.schema))
}
