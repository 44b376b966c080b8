//! `--set path=value`: laid over the files, and told apart from them when something is wrong.
//!
//! A value of the command line can make another one wrong that a file or a default holds. Such a problem *stems* from
//! the override without which it is not there, so that is the place to point at.

use super::check::Problem;
use super::diagnostic::{Code, Diagnostic, Place, Source};
use super::model::RawScenario;
use super::reader::{Node, Reader};
use super::schema::Value as _;

/// What stands before an argument in its source, as on the command line.
const OPTION: &str = "--set ";

/// The source of the argument of this number, from 0, of so many.
pub(super) fn source(argument: &str, number: usize, count: usize) -> Source {
    let which = if count > 1 { format!(" number {}", number + 1) } else { String::new() };
    Source { name: format!("{}{which}", OPTION.trim_end()), text: format!("{OPTION}{argument}") }
}

/// Whether a source is an argument, not a file.
pub(super) fn is_override(source: &Source) -> bool {
    source.name.starts_with(OPTION.trim_end()) && source.text.starts_with(OPTION)
}

/// Lays the argument in `source` over the scenario.
pub(super) fn set(raw: &mut RawScenario, source: &Source, index: usize, reader: &mut Reader) {
    let argument = &source.text[OPTION.len()..];
    let Some((path, value)) = argument.split_once('=') else {
        let place = Place { source: index, span: OPTION.len()..source.text.len() };
        let diagnostic = Diagnostic::new(Code::BadOverride, place, format!("`{argument}` sets nothing"));
        reader.report(diagnostic.label("expected path=value").help("for instance --set supply.nominal=22V"));
        return;
    };
    let parts: Vec<&str> = path.split(['.', '[']).map(|part| part.trim().trim_end_matches(']')).collect();
    let text = value.trim();
    let at = source.text.len() - value.trim_start().len();
    let node = Node { text, source: index, at, path: path.trim().to_owned(), bare: true };
    reader.note(&node);
    raw.set(&parts, &node, reader);
}

/// Where the value of an argument stands.
fn value_place(source: &Source, index: usize) -> Place {
    let value = source.text.find('=').map_or(OPTION.len(), |at| at + 1);
    let text = &source.text[value..];
    let start = value + text.len() - text.trim_start().len();
    Place { source: index, span: start..(start + text.trim().len()) }
}

/// The override that a problem stems from, which is not one of its own value: the last one without which it is not
/// there. `without` gives the problems of the scenario without the argument in that source, or without any.
pub(super) fn culprit(
    problem: &Problem,
    arguments: std::ops::Range<usize>,
    without: &[Vec<Problem>],
    without_any: &[Problem],
) -> Option<usize> {
    let is_same = |other: &Problem| other.code == problem.code && other.path == problem.path;
    let heals = |problems: &Vec<Problem>| !problems.iter().any(is_same);
    let one = arguments.clone().zip(without).rev().find(|(_, problems)| heals(problems)).map(|(source, _)| source);
    // Two arguments may each be enough for it.
    let several = || arguments.clone().next_back().filter(|_| !without_any.iter().any(is_same));
    one.or_else(several)
}

/// A problem that stems from an override, and where the value it is about is written.
pub(super) struct Blamed {
    pub problem: Problem,
    /// File and line; nothing where it has its default.
    pub written: Option<String>,
}

/// One diagnostic for all problems of one kind that stem from the argument in `source`.
pub(super) fn blame(blamed: &[Blamed], source: &Source, index: usize) -> Option<Diagnostic> {
    let Problem { code, message, label, help, path, .. } = &blamed.first()?.problem;
    let what = match blamed {
        [_] => format!("`{path}`"),
        several => format!("{} values", several.len()),
    };
    let diagnostic = Diagnostic::new(*code, value_place(source, index), message.clone());
    let diagnostic = diagnostic.label(format!("does not fit {what}: {label}"));
    let held = blamed.iter().map(|Blamed { problem, written }| match written {
        Some(place) => format!("`{}` is written in {place}", problem.path),
        None => format!("`{}` is not written, so it has its default", problem.path),
    });
    Some(held.chain(help.clone()).fold(diagnostic, Diagnostic::help))
}
