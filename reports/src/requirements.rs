//! The requirement baseline: what the system must do, in our own words, with decisions and revisions.
//!
//! The tables are files of this crate (`requirements/*.csv`), read into the program when it is built, so that a result
//! can never be held against another baseline than the one it was made with. Words: a *statement* says what no run
//! shows of a requirement: why it holds by *construction*, which *part* of it another method must show, or that it is
//! verified *elsewhere* as a whole. Each of the latter two names that method and the role that owns it. Whether a
//! requirement is verified is never written in a table: it follows from what was run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::hash::sha256;

/// The tables with their names.
const TABLES: [(&str, &str); 3] = [
    ("pfu.csv", include_str!("../requirements/pfu.csv")),
    ("ssr.csv", include_str!("../requirements/ssr.csv")),
    ("ssm.csv", include_str!("../requirements/ssm.csv")),
];
const STATEMENTS: (&str, &str) = ("statements.csv", include_str!("../requirements/statements.csv"));

/// Whether a requirement is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// It is.
    In,
    /// Decided for a later version.
    Later,
    /// Ruled out in the source document.
    Out,
    /// No claim is made.
    NotClaimed,
    /// Not applicable in the source document.
    NotApplicable,
}

impl Scope {
    /// All of them with the words of the tables.
    const ALL: [(Self, &'static str); 5] = [
        (Self::In, "in"),
        (Self::Later, "later"),
        (Self::Out, "out"),
        (Self::NotClaimed, "not-claimed"),
        (Self::NotApplicable, "not-applicable"),
    ];

    /// As it stands in the tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(scope, _)| *scope == self).map_or("in", |(_, word)| word)
    }
}

/// A requirement of the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// `PFU-041`, `SSR-009`, `SSM-03`.
    pub id: String,
    /// In few words.
    pub title: String,
    /// What is wanted.
    pub text: String,
    /// Whether it is to be met.
    pub scope: Scope,
    /// How it is verified: `simulation`, `construction`, `hardware`, `review`, joined by `+`, or `none`.
    pub method: String,
    /// When it is met; empty where nothing is verified.
    pub criterion: String,
    /// What was decided where the source is silent or contradicts itself; may be empty.
    pub decision: String,
    /// Counts changes of the row, from 1.
    pub revision: u32,
}

impl Requirement {
    /// SHA-256 of the row, so that a change of any word of it shows.
    #[must_use]
    pub fn sha256(&self) -> String {
        let Self { id, title, text, scope, method, criterion, decision, revision } = self;
        let fields = [id, title, text, scope.word(), method, criterion, decision, &revision.to_string()];
        sha256(fields.join("\u{1f}").as_bytes())
    }
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// Why the requirement holds by the way the system is built.
    Construction,
    /// Which part of it no run of the twin can show.
    Part,
    /// Why no run of the twin shows any of it.
    Elsewhere,
}

/// What no run shows of a requirement, and what does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The requirement.
    pub requirement: String,
    /// What it is about.
    pub kind: StatementKind,
    /// Why.
    pub text: String,
    /// The other method; may be empty for a construction.
    pub method: String,
    /// The role that owns that method; empty where there is none.
    pub owner: String,
}

/// Requirements and statements of one baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// In the order of the tables.
    pub requirements: Vec<Requirement>,
    /// In the order of their table.
    pub statements: Vec<Statement>,
}

impl Baseline {
    /// The requirement of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }

    /// Statements about a requirement.
    pub fn statements_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Statement> {
        self.statements.iter().filter(move |statement| statement.requirement == id)
    }
}

/// The baseline that this program was built with.
///
/// # Panics
/// Never in a program whose tests passed: they read the same tables.
#[must_use]
pub fn baseline() -> &'static Baseline {
    static BASELINE: OnceLock<Baseline> = OnceLock::new();
    BASELINE.get_or_init(|| {
        let files = baseline_files().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        parse_baseline(&files).unwrap_or_else(|why| panic!("the built-in baseline: {why}"))
    })
}

/// The tables of [`baseline`] with their names, as they are written into a bundle.
#[must_use]
pub fn baseline_files() -> Vec<(&'static str, &'static str)> {
    TABLES.into_iter().chain([STATEMENTS]).collect()
}

/// Reads a baseline from its tables by name.
///
/// # Errors
/// A table that is missing, a row that is not as it should be, an id that stands twice, or a statement about an
/// unknown requirement.
pub fn parse_baseline(files: &BTreeMap<String, String>) -> Result<Baseline, String> {
    let text = |name: &str| files.get(name).ok_or_else(|| format!("{name} is missing"));
    let mut baseline = Baseline::default();
    for (name, _) in TABLES {
        for row in rows(name, text(name)?)? {
            let requirement = requirement(&row).map_err(|why| format!("{name}: {why}"))?;
            if baseline.get(&requirement.id).is_some() {
                return Err(format!("{name}: {} stands twice", requirement.id));
            }
            baseline.requirements.push(requirement);
        }
    }
    for row in rows(STATEMENTS.0, text(STATEMENTS.0)?)? {
        let statement = statement(&row).map_err(|why| format!("{}: {why}", STATEMENTS.0))?;
        if baseline.get(&statement.requirement).is_none() {
            return Err(format!("{}: there is no {}", STATEMENTS.0, statement.requirement));
        }
        baseline.statements.push(statement);
    }
    Ok(baseline)
}

/// Rows by the heads of their columns.
type Row = BTreeMap<String, String>;

fn rows(name: &str, text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.map_err(|error| format!("{name}: {error}"))).collect()
}

fn field(row: &Row, name: &str) -> Result<String, String> {
    row.get(name).cloned().ok_or_else(|| format!("there is no column {name}"))
}

fn requirement(row: &Row) -> Result<Requirement, String> {
    let id = field(row, "id")?;
    let scope = field(row, "scope")?;
    let scope = Scope::ALL.iter().find(|(_, word)| *word == scope).ok_or_else(|| format!("{id}: scope {scope}"))?.0;
    let revision = field(row, "revision")?.parse().map_err(|_| format!("{id}: the revision is no number"))?;
    Ok(Requirement {
        title: field(row, "title")?,
        text: field(row, "text")?,
        method: field(row, "method")?,
        criterion: field(row, "criterion")?,
        decision: field(row, "decision")?,
        id,
        scope,
        revision,
    })
}

fn statement(row: &Row) -> Result<Statement, String> {
    let kind = field(row, "kind")?;
    let kind = match kind.as_str() {
        "construction" => StatementKind::Construction,
        "part" => StatementKind::Part,
        "elsewhere" => StatementKind::Elsewhere,
        _ => return Err(format!("{kind} is no kind of statement")),
    };
    Ok(Statement {
        requirement: field(row, "id")?,
        kind,
        text: field(row, "statement")?,
        method: field(row, "method")?,
        owner: field(row, "owner")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(prefix: &str) -> Vec<&'static str> {
        let all = baseline().requirements.iter().map(|requirement| requirement.id.as_str());
        all.filter(|id| id.starts_with(prefix)).collect()
    }

    #[test]
    fn every_number_stands_once_and_in_order() {
        for (prefix, digits, last) in [("PFU", 3, 65), ("SSR", 3, 84), ("SSM", 2, 17)] {
            let wanted: Vec<String> = (1..=last).map(|number| format!("{prefix}-{number:0digits$}")).collect();
            assert_eq!(ids(prefix), wanted);
        }
        assert_eq!(baseline().requirements.len(), 65 + 84 + 17);
    }

    #[test]
    fn each_row_says_what_is_wanted_and_how_it_is_judged() {
        for row in &baseline().requirements {
            assert!(!row.title.is_empty() && row.text.ends_with('.') && row.revision > 0, "{}", row.id);
            let judged = row.scope == Scope::In;
            assert_eq!(judged, row.method != "none", "{}", row.id);
            assert_eq!(judged, !row.criterion.is_empty(), "{}", row.id);
            assert!(judged || !row.decision.is_empty(), "{}: why is it not in scope", row.id);
            let known = ["simulation", "construction", "hardware", "review", "none"];
            assert!(row.method.split('+').all(|method| known.contains(&method)), "{}: {}", row.id, row.method);
        }
    }

    #[test]
    fn what_is_shown_elsewhere_names_method_and_owner() {
        for statement in &baseline().statements {
            let id = &statement.requirement;
            let requirement = baseline().get(id).unwrap();
            assert_eq!(requirement.scope, Scope::In, "{id}");
            assert!(statement.text.ends_with('.'), "{id}");
            let elsewhere = statement.kind != StatementKind::Construction;
            assert!(!elsewhere || !(statement.method.is_empty() || statement.owner.is_empty()), "{id}");
            assert_eq!(statement.method.is_empty(), statement.owner.is_empty(), "{id}");
        }
    }

    /// A method that no run can serve has a statement, and a statement its method.
    #[test]
    fn methods_and_statements_agree() {
        for row in baseline().requirements.iter().filter(|row| row.scope == Scope::In) {
            let kinds: Vec<StatementKind> = baseline().statements_of(&row.id).map(|each| each.kind).collect();
            let has = |method: &str| row.method.split('+').any(|each| each == method);
            let beyond = kinds.iter().any(|kind| *kind != StatementKind::Construction)
                || baseline().statements_of(&row.id).any(|each| !each.method.is_empty());
            assert!(beyond || !(has("hardware") || has("review")), "{}: who shows it", row.id);
            let built = kinds.contains(&StatementKind::Construction);
            assert!(built || row.method != "construction", "{}: by which construction", row.id);
        }
    }

    #[test]
    fn any_changed_word_changes_the_hash_of_its_row() {
        let row = baseline().get("PFU-041").unwrap();
        let mut changed = row.clone();
        changed.criterion = changed.criterion.replace("70 s", "80 s");
        assert_ne!(changed, *row);
        assert_ne!(changed.sha256(), row.sha256());
        let mut moved = row.clone();
        (moved.title, moved.text) = (String::new(), format!("{}{}", row.title, row.text));
        assert_ne!(moved.sha256(), row.sha256());
    }

    #[test]
    fn a_damaged_table_is_refused_with_its_row() {
        let read = |name: &str, from: &str, to: &str| {
            let mut files: BTreeMap<String, String> =
                baseline_files().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
            let text = files.get_mut(name).unwrap();
            assert!(text.contains(from));
            *text = text.replacen(from, to, 1);
            parse_baseline(&files).unwrap_err()
        };
        assert_eq!(read("pfu.csv", "PFU-002", "PFU-001"), "pfu.csv: PFU-001 stands twice");
        assert_eq!(read("ssm.csv", ",in,", ",maybe,"), "ssm.csv: SSM-01: scope maybe");
        assert_eq!(read("statements.csv", "PFU-009", "PFU-900"), "statements.csv: there is no PFU-900");
        assert!(read("ssr.csv", "id,title", "id,name").contains("no column title"));
    }
}
