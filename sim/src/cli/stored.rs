//! Results on disk, and the scenarios inside them.
//!
//! What a result was made from is the resolved text inside it: the scenario file may have changed since. Of other files
//! that the scenario names, an image or a log, a copy stands beside the result in the folder `inputs`. Which copy stands
//! for which name is told by the order of the result's inputs: they stand there as they were read.

use std::cell::{Cell, RefCell};
use std::path::{Component, Path, PathBuf};

use reports::{Report, sha256};

use super::output::OutputError;
use super::report::find;
use super::{Disk, Terminal, exit, files};
use crate::regression::name_list;
use crate::scenario::{FileSource, Loaded, load};

/// Folder beside a result with the files that its scenario names.
const COPIES: &str = "inputs";

/// Why a result whose inputs fit its scenario in more than one way is not run again.
const UNORDERED: &str =
    "error: files of one name stand among the inputs of the result, and it does not tell which of them was used where
help: run the scenario again with another name for one of them
";

/// A result on disk.
pub(super) struct Stored {
    /// What it says.
    pub(super) report: Report,
    /// The folder it is in.
    pub(super) folder: PathBuf,
}

/// Reads a result.
///
/// # Errors
/// The exit code: it cannot be read, or is no result of this version.
pub(super) fn stored(path: &Path, terminal: Terminal) -> Result<Stored, u8> {
    let refuse = |why: String| {
        terminal.diagnostic(&format!("error: {why}\n"));
        exit::USAGE
    };
    if path.extension().is_some_and(|extension| extension == "ron") {
        let file = path.display();
        return Err(refuse(format!(
            "{file} is a scenario, not a result\nhelp: `cooltwin run {file}` makes one and says where it is"
        )));
    }
    let file = if path.is_dir() { path.join("result.json") } else { path.to_owned() };
    let text = std::fs::read_to_string(&file)
        .map_err(|error| refuse(format!("cannot read {}: {error}{}", file.display(), below_it(path))))?;
    let report = reports::from_json(&text).map_err(|error| refuse(format!("{}: {error}", file.display())))?;
    own_scenario(&report).map_err(|why| refuse(format!("{}: {why}", file.display())))?;
    Ok(Stored { report, folder: file.parent().unwrap_or(Path::new("")).to_owned() })
}

/// Whether the scenario inside a result is the one whose hash it tells.
pub(super) fn own_scenario(told: &Report) -> Result<(), String> {
    let is_own = sha256(told.scenario.resolved.as_bytes()) == told.scenario.sha256;
    is_own.then_some(()).ok_or_else(|| "the result is damaged: its scenario does not have its SHA-256".to_owned())
}

/// Names the results below a folder that is none itself, as someone may have named scenario or output folder.
fn below_it(folder: &Path) -> String {
    let mut files = Vec::new();
    if !folder.is_dir() || find(folder, 0, &mut files).is_err() {
        return String::new();
    }
    let folders = files.iter().filter_map(|file| file.parent()).map(|folder| folder.display().to_string());
    match name_list(&folders.collect::<Vec<_>>()) {
        none if none.is_empty() => String::new(),
        some => format!("\nhelp: results are below it: {some}"),
    }
}

/// The scenario inside a result that stands in `folder`, as it was resolved.
///
/// # Errors
/// The exit code, after a diagnostic: the result is damaged, a file that it names is gone or another one, or its inputs do
/// not tell which of them was used where.
pub(super) fn scenario_inside(told: &Report, folder: &Path, terminal: Terminal) -> Result<Loaded, u8> {
    let refuse = |why: &str| {
        terminal.diagnostic(&format!("error: the result is damaged: {why}\n"));
        exit::USAGE
    };
    own_scenario(told).map_err(|why| {
        terminal.diagnostic(&format!("error: {why}\n"));
        exit::USAGE
    })?;
    let order = reading_order(told).ok_or_else(|| {
        terminal.diagnostic(UNORDERED);
        exit::USAGE
    })?;
    let files = Inside { told, copies: folder.join(COPIES), order, read: Cell::new(0) };
    let loaded = load(&files, scenario_of(told), &[]).map_err(|error| files::print(&error, terminal))?;
    if loaded.scenario.sha256() != told.scenario.sha256 {
        return Err(refuse("its scenario is not in canonical form, or of another version"));
    }
    if loaded.scenario.seed != told.seed || loaded.scenario.name != told.scenario.name {
        return Err(refuse("seed or name are not those of its scenario"));
    }
    Ok(loaded)
}

/// What the result calls the scenario.
fn scenario_of(told: &Report) -> &Path {
    Path::new(told.inputs.first().map_or("scenario.ron", |input| &input.path))
}

/// The files of a run: the scenario from its result, others from their copies.
struct Inside<'a> {
    told: &'a Report,
    /// Where copies of other files are, by their names.
    copies: PathBuf,
    /// For each file that the scenario names, in the order in which they are read: the one of the inputs that it was.
    order: Vec<usize>,
    /// How many of them were read.
    read: Cell<usize>,
}

impl FileSource for Inside<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == scenario_of(self.told) {
            return Ok(self.told.scenario.resolved.clone().into_bytes());
        }
        let input = self.order.get(self.read.get()).and_then(|at| self.told.inputs.get(*at));
        self.read.set(self.read.get() + 1);
        let input = input.ok_or("the result names no file for it")?;
        let copy = self.copies.join(copy_name(self.told.inputs.iter().map(|one| one.path.as_str()), &input.path));
        let bytes = Disk.read(&copy).map_err(|why| format!("its copy {}: {why}", copy.display()))?;
        if sha256(&bytes) == input.sha256 { Ok(bytes) } else { Err("it is not the file of the run".to_owned()) }
    }
}

/// Notes which files a scenario names, and has none of them.
struct Named<'a> {
    told: &'a Report,
    /// By the order of reading; those that may be one file are shared.
    read: RefCell<Vec<Read>>,
}

/// A file that is read: the part of its name that its path among the inputs ends with, and whether other places may
/// name it, too.
struct Read {
    path: PathBuf,
    shared: bool,
}

impl Named<'_> {
    fn note(&self, path: &Path, shared: bool) -> Result<Vec<u8>, String> {
        self.read.borrow_mut().push(Read { path: below(path), shared });
        Err("only its name is asked for".to_owned())
    }
}

impl FileSource for Named<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == scenario_of(self.told) {
            return Ok(self.told.scenario.resolved.clone().into_bytes());
        }
        self.note(path, false)
    }

    fn read_shared(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.note(path, true)
    }
}

/// Which of the inputs each file is that the scenario names. They stand last among the inputs, each where it was first
/// read. A name alone does not tell its file, because it may have counted from the folder of an extended scenario. `None`
/// if more than one order fits: a guess could run something else than what was run.
fn reading_order(told: &Report) -> Option<Vec<usize>> {
    let named = Named { told, read: RefCell::default() };
    // It cannot be loaded so, and what is wrong with it is told when it is loaded in earnest.
    let _ = load(&named, scenario_of(told), &[]);
    let search = Search { told, read: &named.read.take() };
    let mut fitting = Vec::new();
    for first in 1..=told.inputs.len() {
        search.go_on(first, &mut Vec::new(), &mut fitting);
    }
    match fitting.len() {
        0 | 1 => Some(fitting.pop().unwrap_or_default()),
        _ => None,
    }
}

/// A search for the inputs that fit what is read.
struct Search<'a> {
    told: &'a Report,
    read: &'a [Read],
}

impl Search<'_> {
    /// Adds each way to go on with `order` in which the inputs from `next` on are used up, one after the other, until two
    /// ways differ. A shared file may also be one that was read before.
    fn go_on(&self, next: usize, order: &mut Vec<usize>, fitting: &mut Vec<Vec<usize>>) {
        let Some(read) = self.read.get(order.len()) else {
            let known = fitting.iter().any(|one| self.contents(one).eq(self.contents(order)));
            if next == self.told.inputs.len() && !known {
                fitting.push(order.clone());
            }
            return;
        };
        let before = self.read.iter().zip(order.iter()).filter(|(earlier, _)| earlier.shared && read.shared);
        let mut candidates: Vec<usize> = before.map(|(_, at)| *at).chain([next]).collect();
        candidates.sort_unstable();
        candidates.dedup();
        for at in candidates {
            let fits = self.told.inputs.get(at).is_some_and(|input| Path::new(&input.path).ends_with(&read.path));
            if fits && fitting.len() < 2 {
                order.push(at);
                self.go_on(next.max(at + 1), order, fitting);
                order.pop();
            }
        }
    }

    fn contents<'o>(&'o self, order: &'o [usize]) -> impl Iterator<Item = &'o str> {
        order.iter().map(|at| self.told.inputs[*at].sha256.as_str())
    }
}

/// A path without the way up that it begins with: that much of it stands at the end of what the result calls the file.
fn below(path: &Path) -> PathBuf {
    path.components().skip_while(|part| *part == Component::ParentDir).collect()
}

/// The files that a scenario names, each with its place below the folder of the result: the scenario is whole in the
/// result, they are not.
///
/// # Errors
/// One cannot be read any more, or has changed since it was loaded.
pub(super) fn copies(loaded: &Loaded) -> Result<Vec<(String, Vec<u8>)>, OutputError> {
    let copy = |input: &crate::scenario::Input| {
        let file = input.file.display();
        let bytes = Disk.read(&input.file).map_err(|why| OutputError::text(&format!("cannot read {file}: {why}")))?;
        if sha256(&bytes) != input.sha256 {
            return Err(OutputError::text(&format!("{file} was changed while it was in use")));
        }
        let name = copy_name(loaded.inputs.iter().map(|one| one.path.as_str()), &input.path);
        Ok((format!("{COPIES}/{name}"), bytes))
    };
    loaded.named().iter().map(copy).collect()
}

/// The name of a copy of the file at `path`: its own, with a number before it where an earlier one of the run's `inputs`
/// has that name already.
fn copy_name<'a>(inputs: impl Iterator<Item = &'a str>, path: &str) -> String {
    let name = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = name(path);
    let earlier = inputs.take_while(|one| *one != path).filter(|one| name(one) == own).count();
    if earlier == 0 { own } else { format!("{}-{own}", earlier + 1) }
}
