//! Search files: which budget, which values may move, how long to climb, and what analysis says of the worst case.
//!
//! A search file is read by the reader of scenario files: the same diagnostics, all at once. A move is an override of the
//! scenario as `--set` takes it, with `{}` in the place of its value; so the worst point is repeated by `cooltwin run`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reports::Fixed;

use crate::campaign::file::page;
use crate::campaign::template::Grid;
use crate::run::limit_value;
use crate::run::safety::BUDGETS;
use crate::scenario::diagnostic::{Code, nearest};
use crate::scenario::loader::{BASE_MARK, beside, load_alone, with_base};
use crate::scenario::schema::{Value as _, choice, section};
use crate::scenario::words::Limit;
use crate::scenario::{FileSource, Input, LoadError, Loaded, Problem, load};

section! {
    /// A search for the worst case of one budget.
    RawSearch {
        /// Name in results and output folders; the file's name without `.ron` where none is written.
        name: String = "",
        /// One line for people.
        title: String = "",
        /// What is looked for and why.
        purpose: String = "",
        /// Scenario whose values move, relative to this file.
        base: String,
        /// Id of the budget whose worst case is looked for.
        budget: String,
        /// Which values of it are the worst.
        seek: Seek = "Greatest",
        /// What analysis says of the worst case; a value beyond it fails the search.
        bound: Bound,
        /// Values that may move.
        moves: Vec<Move>,
        /// Ascents, each from a starting point of its own; the first begins in the middle of all moves.
        restarts: u32 = "4" where "1".."10000",
        /// Runs of each ascent.
        steps: u32 = "50" where "1".."1000000",
        /// Draws starting points and steps.
        seed: u64 = "1",
    }
}

choice! {
    /// Which values are the worst.
    Seek {
        /// The greatest, as for a duration.
        Greatest,
        /// The least, as for a voltage.
        Least,
    }
}

choice! {
    /// What analysis says of the worst case.
    Bound {
        /// This value, with its source.
        Stated { Stated },
        /// The response path of the configuration of each safety unit, the longest of them, as `cooltwin safety compile`
        /// works it out.
        ResponsePath,
    }
}

section! {
    /// A bound that was worked out outside the twin.
    Stated {
        /// The bound, in the unit of what is measured.
        value: Limit,
        /// Where it comes from: a document, or the calculation itself.
        source: String,
    }
}

section! {
    /// A value that may move.
    Move {
        /// Its name in results.
        name: String,
        /// What is set, as for `--set`, with `{}` in the place of the value: `seed={}`.
        set: String,
        /// The values that it may take.
        over: Over,
    }
}

choice! {
    /// The values of a move.
    Over {
        /// From one value to another, in equal steps.
        Steps { Steps },
        /// These, as they are.
        OneOf(Vec<String>),
    }
}

section! {
    /// Values at equal distances.
    Steps {
        /// The first: a quantity, or a whole number.
        low: String,
        /// The last is not beyond this.
        high: String,
        /// Their distance.
        step: String,
    }
}

/// The values of a move, ready to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Grid(Grid),
    List(Vec<String>),
}

impl Values {
    fn len(&self) -> u64 {
        match self {
            Self::Grid(grid) => grid.len(),
            Self::List(list) => list.len() as u64,
        }
    }

    fn text(&self, index: u64) -> String {
        match self {
            Self::Grid(grid) => grid.text(index),
            Self::List(list) => usize::try_from(index).ok().and_then(|at| list.get(at)).cloned().unwrap_or_default(),
        }
    }
}

/// A search that makes sense: each move fits its base alone, at both of its ends.
#[derive(Clone, Debug)]
pub struct Search {
    /// What the file says.
    pub raw: RawSearch,
    /// The scenario whose values move, as it stands.
    pub base: Loaded,
    /// Path of the scenario, as `cooltwin run` takes it.
    pub base_path: PathBuf,
    /// The bound in the budget's unit, and where it comes from.
    pub bound: (Fixed, String),
    /// All files that were read: search, base, what it extends.
    pub inputs: Vec<Input>,
    values: Vec<Values>,
    files: Files,
}

impl Search {
    /// How many values each move has.
    #[must_use]
    pub fn sizes(&self) -> Vec<u64> {
        self.values.iter().map(Values::len).collect()
    }

    /// The overrides of a point.
    #[must_use]
    pub fn overrides(&self, point: &[u64]) -> Vec<String> {
        let each = self.raw.moves.iter().zip(&self.values).zip(point);
        each.map(|((one, values), index)| one.set.replacen("{}", &values.text(*index), 1)).collect()
    }

    /// The scenario of a point.
    ///
    /// # Errors
    /// Values that fit alone may not fit together; then what is wrong.
    pub fn scenario(&self, point: &[u64]) -> Result<Loaded, LoadError> {
        load(&self.files, &self.base_path, &self.overrides(point))
    }

    /// The search in canonical form, its base's after it.
    #[must_use]
    pub fn resolved_text(&self) -> String {
        format!("{}{BASE_MARK}{}", self.raw.doc().file(), self.base.scenario.resolved_text())
    }

    /// SHA-256 of the canonical text: names the search.
    #[must_use]
    pub fn sha256(&self) -> String {
        reports::sha256(self.resolved_text().as_bytes())
    }
}

/// Files as they were read once: every point is made of the same bytes.
#[derive(Clone, Debug, Default)]
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl FileSource for Files {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "the base does not name it".to_owned())
    }
}

/// Reads and remembers.
struct Remember<'a> {
    from: &'a dyn FileSource,
    read: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
}

impl FileSource for Remember<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = self.from.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Loads the search at `path` and its base.
///
/// # Errors
/// A file cannot be read, or search or base are wrong; then with all that is wrong.
pub fn load_search(files: &dyn FileSource, path: &Path) -> Result<Search, LoadError> {
    let files = Remember { from: files, read: RefCell::default() };
    let mut base_error = None;
    let loaded = load_alone(&files, path, |raw: &RawSearch| {
        let base_path = beside(path, &raw.base);
        match load(&files, &base_path, &[]) {
            Ok(base) => check(&files, raw, base, base_path),
            Err(LoadError::Unreadable(name, why)) => {
                let message = format!("cannot read the base `{name}`: {why}");
                Err(vec![Problem::new(Code::NoSuchThing, "base", message, "this file")])
            }
            Err(error) => {
                base_error = Some(error);
                Err(Vec::new())
            }
        }
    });
    let (mut raw, checked, input) = with_base(loaded, base_error)?;
    if raw.name.is_empty() {
        raw.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    let Checked { base, base_path, values, bound } = checked;
    let from_base = base.inputs.iter().map(|one| one.seen_through(&raw.base));
    let inputs = std::iter::once(input).chain(from_base).collect();
    Ok(Search { raw, base, base_path, bound, inputs, values, files: Files(files.read.into_inner()) })
}

struct Checked {
    base: Loaded,
    base_path: PathBuf,
    values: Vec<Values>,
    bound: (Fixed, String),
}

fn check(files: &dyn FileSource, raw: &RawSearch, base: Loaded, base_path: PathBuf) -> Result<Checked, Vec<Problem>> {
    let mut problems = Vec::new();
    problems.extend(unknown_budget(raw, &base));
    let mut values = Vec::new();
    for (index, one) in raw.moves.iter().enumerate() {
        match values_of(files, one, &base_path) {
            Ok(found) => values.push(found),
            Err((key, message)) => {
                let path = format!("moves[{index}]{key}");
                let message = format!("move `{}`: {message}", one.name);
                let problem = Problem::new(Code::Contradiction, path, message, "does not fit");
                let beside = [".set", ".over"].map(|key| format!("moves[{index}]{key}")).to_vec();
                problems.push(Problem { beside, ..problem });
            }
        }
    }
    if raw.moves.is_empty() {
        problems.push(Problem::new(Code::Contradiction, "moves", "nothing may move", "needs a value that may move"));
    }
    let bound = bound(raw, &base);
    if bound.is_none() {
        let message = "the base has no safety unit whose response path could be worked out";
        problems.push(Problem::new(Code::Contradiction, "bound", message, "state a bound"));
    }
    match bound {
        Some(bound) if problems.is_empty() => Ok(Checked { base, base_path, values, bound }),
        _ => Err(problems),
    }
}

fn unknown_budget(raw: &RawSearch, base: &Loaded) -> Option<Problem> {
    let own = base.scenario.budgets.iter().map(|budget| budget.id.as_str());
    let of_units = BUDGETS.iter().map(|(id, _)| *id).filter(|_| !base.scenario.safety_units.is_empty());
    let known: Vec<&str> = own.chain(of_units).collect();
    if known.contains(&raw.budget.as_str()) {
        return None;
    }
    let near = nearest(&raw.budget, known.iter().copied());
    let label = near.map_or("no such budget".to_owned(), |near| format!("did you mean `{near}`?"));
    let message = format!("the base has no budget `{}`", raw.budget);
    let found = Problem::new(Code::NoSuchThing, "budget", message, &label);
    Some(Problem { help: Some(format!("budgets: {}", known.join(", "))), ..found })
}

/// The values of a move, each end of which fits the base; else the key that does not, and why.
fn values_of(files: &dyn FileSource, one: &Move, base: &Path) -> Result<Values, (&'static str, String)> {
    if one.set.matches("{}").count() != 1 {
        return Err((".set", "one `{}` stands for the value".to_owned()));
    }
    let values = match &one.over {
        Over::Steps(steps) => {
            Values::Grid(Grid::parse(&steps.low, &steps.high, &steps.step).map_err(|why| (".over", why))?)
        }
        Over::OneOf(list) if list.is_empty() => return Err((".over", "there is nothing to choose from".to_owned())),
        Over::OneOf(list) => Values::List(list.clone()),
    };
    let ends: Vec<u64> = match &values {
        Values::Grid(grid) => vec![0, grid.len() - 1],
        Values::List(list) => (0..list.len() as u64).collect(),
    };
    for end in ends {
        let set = one.set.replacen("{}", &values.text(end), 1);
        if let Err(error) = load(files, base, std::slice::from_ref(&set)) {
            return Err((".set", format!("--set {set}: {}", words(&error))));
        }
    }
    Ok(values)
}

/// What is wrong with a scenario, in one line.
#[must_use]
pub fn words(error: &LoadError) -> String {
    match error {
        LoadError::Unreadable(name, why) => format!("cannot read {name}: {why}"),
        LoadError::Invalid(report) => {
            let each = report.diagnostics.iter().map(|one| one.message.clone());
            each.collect::<Vec<_>>().join("; ")
        }
    }
}

fn bound(raw: &RawSearch, base: &Loaded) -> Option<(Fixed, String)> {
    match &raw.bound {
        Bound::Stated(stated) => Some((limit_value(&stated.value).0, stated.source.clone())),
        Bound::ResponsePath => {
            let units = base.scenario.safety_units.iter();
            let compiled = units.filter_map(|unit| unit.configuration.compiled.as_ref());
            let paths = compiled.flat_map(|compiled| compiled.responses().collect::<Vec<_>>());
            let longest = paths.max_by_key(crate::safety::Response::least_ms)?;
            let ms = i64::try_from(longest.least_ms()).ok()?;
            Some((Fixed::scaled(ms, 0), format!("response path of the configuration: {longest}")))
        }
    }
}

/// The reference of search files, printed from the table that reads them.
#[must_use]
pub fn explain() -> String {
    let mut out = String::new();
    page(&RawSearch::shape(), &mut out);
    for shape in [Seek::shape(), Bound::shape(), Stated::shape(), Move::shape(), Over::shape(), Steps::shape()] {
        out.push('\n');
        page(&shape, &mut out);
    }
    out
}

impl RawSearch {
    /// The moves of this search with their values, for a report.
    #[must_use]
    pub fn moves_words(&self) -> Vec<String> {
        let of = |one: &Move| match &one.over {
            Over::Steps(steps) => format!("{}: {} to {} by {}", one.name, steps.low, steps.high, steps.step),
            Over::OneOf(list) => format!("{}: {}", one.name, list.join(" | ")),
        };
        self.moves.iter().map(of).collect()
    }
}
