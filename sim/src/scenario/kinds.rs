//! Which kind of file a text is: scenario, campaign, search or configuration of safety units.
//!
//! All are RON, and a command given a file of another kind would complain of each of its fields. So a file is known by
//! its *marks*, fields without which it makes no sense and that no other kind has together.

use super::diagnostic::{Code, Diagnostic};
use super::loader::LOADER_FIELDS;
use super::model::RawScenario;
use super::reader::Entry;
use super::schema::{Field, Section};

/// A kind of file.
struct Kind {
    /// What it is called.
    what: &'static str,
    /// Fields that only this kind has together.
    marks: [&'static str; 2],
    /// What reads it.
    help: &'static str,
}

const SCENARIO: &str = "scenario";
const SCENARIO_HELP: &str = "`cooltwin run` runs it; campaign and search files name one as their `base`";
const CONFIGURATION: &str = "configuration of safety units";
/// What to look at in a scenario where a configuration is wanted.
const CONFIGURATION_HELP: &str = "`cooltwin run` runs it; its `safety_units` name the files of their configurations";

const OTHERS: [Kind; 3] = [
    Kind { what: "campaign file", marks: ["base", "plan"], help: "`cooltwin campaign` runs it" },
    Kind { what: "search file", marks: ["base", "moves"], help: "`cooltwin search` runs it" },
    Kind {
        what: CONFIGURATION,
        marks: ["network", "nodes"],
        help: "`cooltwin safety compile` reads it; a scenario names it in `safety_units`",
    },
];

/// What to say of a file with these entries that should have the fields `own`, if it is plainly of another kind.
pub(super) fn foreign(entries: &[Entry<'_>], own: &[Field]) -> Option<Diagnostic> {
    let is_own = |name: &str| own.iter().any(|field| field.name == name);
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let own_kind = OTHERS.iter().find(|kind| kind.marks.into_iter().all(is_own));
    let wanted = own_kind.map_or(SCENARIO, |kind| kind.what);
    let (what, help) = match OTHERS.iter().find(|kind| kind.marks.into_iter().all(has)) {
        Some(kind) => (kind.what, kind.help),
        // One with a mark of its own kind is of that kind, with a mistake in it.
        None if own_kind?.marks.into_iter().any(has) => return None,
        None if wanted == CONFIGURATION => (SCENARIO, CONFIGURATION_HELP),
        None => (SCENARIO, SCENARIO_HELP),
    };
    let is_of_scenarios = |name: &str| RawScenario::FIELDS.iter().chain(&LOADER_FIELDS).any(|field| field.name == name);
    let is_of_it = |name: &str| what != SCENARIO || is_of_scenarios(name);
    let strange = entries.iter().find(|entry| !is_own(entry.name) && is_of_it(entry.name))?;
    let message = format!("this is a {what}, not a {wanted}");
    let diagnostic = Diagnostic::new(Code::WrongFile, strange.name_place.clone(), message);
    Some(diagnostic.label(format!("no {wanted} has `{}`", strange.name)).help(help)).filter(|_| what != wanted)
}
