//! Reports of a run: one plain-data value, one emitter per format.
//!
//! ```text
//!                        +--> json      result.json, and back
//!   twin --fills--> Report --> terminal  what a person reads after a run
//!                        +--> html      one page for reviewers, with the `figures` in it
//!                        +--> junit, markdown, csv   what machines and spreadsheets read, of one run or of several
//!                        +--> evidence  pages and tables of many runs, held against the `requirements`
//!                   ^    |
//!          verdict -+    (a new format is a new module that reads a Report and nothing else)
//!
//!   twin --many trials--> campaign     raw rows and what they show, in every format
//!   twin --every strike--> sweep       what came of one fault at every place where it could strike
//!   twin --climbing--> search          the worst value that was found, and the bound beside it
//!   twin --one by one--> events        events.jsonl, one state transition per line
//! ```
//! The crate knows neither the twin nor the firmware. It holds no clock, no path and no host name, so the same
//! [`Report`] gives the same bytes everywhere. Every decimal in it is an integer inside ([`Millis`], [`Fixed`]);
//! no number passes through a float on its way to a file.

mod audit;
pub mod campaign;
mod csv;
mod events;
mod evidence;
mod figures;
mod files;
mod hash;
mod html;
mod json;
mod junit;
mod limits;
mod markdown;
mod number;
mod reaction;
mod report;
mod requirements;
mod safety_frames;
mod safety_units;
pub mod search;
mod suite;
pub mod sweep;
mod terminal;
mod verdict;
mod words;

pub use csv::csv;
pub use events::{Event, EventWriter};
pub use evidence::{
    BUNDLE_FILE, BUNDLE_SCHEMA, Bundle, Control, Coverage, CrateSources, FileCoverage, Head, InputState, Link,
    MEASURED, MissedLine, NamedTest, NotRun, Origin, Planned, Program, RunRecord, Status, TestLog, Trace, bundle_files,
    bundle_from_json, bundle_json, bundle_summary, bundle_verdict,
};
pub use figures::diagram::{Diagram, Feed, FeedFrom, Panel, Shape, ShapeClass, diagram};
pub use figures::{Figure, figures};
pub use files::{Format, files, summary_files};
pub use hash::sha256;
pub use html::{LogError, PageError, html};
pub use json::{ParseError, SCHEMA_JSON, from_json, to_json_line};
pub use junit::junit;
pub use limits::{DEVIATIONS, LIMITS, Limit};
pub use markdown::{Typed, markdown, markdown_as_typed};
pub use number::{Fixed, Millis, NumberError};
pub use report::*;
pub use requirements::{
    Baseline, Requirement, Scope, Statement, StatementKind, baseline, baseline_files, parse_baseline,
};
pub use safety_frames::{FramesTime, SafetyFrames};
pub use safety_units::{Download, FirstDetected, SafetyUnit};
pub use suite::{SuiteRow, junit_of_suite, markdown_of_suite};
pub use terminal::{Options, Verbosity, reproduce_command, shell_word, terminal};
pub use verdict::{RowVerdict, Standing, Verdict, holds, margin, row_verdict, run_verdict};
pub use words::{bit_rate, cause_words, count as counted, exact_amount, margin as margin_words, signed_amount};
