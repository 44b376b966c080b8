//! Results on disk, and the scenarios inside them.
//!
//! What a result was made from is the resolved text inside it: the scenario file may have changed since. Of other files
//! that the scenario names, an image or a log, a copy stands beside the result in the folder `inputs`.

use std::path::{Path, PathBuf};

use reports::{Report, sha256};

use super::output::OutputError;
use super::{Disk, Terminal, exit, files};
use crate::scenario::{FileSource, Loaded, load};

/// Folder beside a result with the files that its scenario names.
const COPIES: &str = "inputs";

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
    let file = if path.is_dir() { path.join("result.json") } else { path.to_owned() };
    let text = std::fs::read_to_string(&file).map_err(|error| {
        terminal.diagnostic(&format!("error: cannot read {}: {error}\n", file.display()));
        exit::USAGE
    })?;
    let report = reports::from_json(&text).map_err(|error| {
        terminal.diagnostic(&format!("error: {}: {error}\n", file.display()));
        exit::USAGE
    })?;
    Ok(Stored { report, folder: file.parent().unwrap_or(Path::new("")).to_owned() })
}

/// The scenario inside a result that stands in `folder`, as it was resolved.
///
/// # Errors
/// The exit code, after a diagnostic: the result is damaged, or a file that it names is gone or another one.
pub(super) fn scenario_inside(told: &Report, folder: &Path, terminal: Terminal) -> Result<Loaded, u8> {
    let refuse = |why: &str| {
        terminal.diagnostic(&format!("error: the result is damaged: {why}\n"));
        exit::USAGE
    };
    if sha256(told.scenario.resolved.as_bytes()) != told.scenario.sha256 {
        return Err(refuse("its scenario does not have its SHA-256"));
    }
    let files = Inside { told, copies: folder.join(COPIES) };
    let loaded = load(&files, files.scenario(), &[]).map_err(|error| files::print(&error, terminal))?;
    if loaded.scenario.sha256() != told.scenario.sha256 {
        return Err(refuse("its scenario is not in canonical form, or of another version"));
    }
    if loaded.scenario.seed != told.seed || loaded.scenario.name != told.scenario.name {
        return Err(refuse("seed or name are not those of its scenario"));
    }
    Ok(loaded)
}

/// The files of a run: the scenario from its result, others from their copies.
struct Inside<'a> {
    told: &'a Report,
    /// Where copies of other files are, by their names.
    copies: PathBuf,
}

impl Inside<'_> {
    /// What the result calls the scenario.
    fn scenario(&self) -> &Path {
        Path::new(self.told.inputs.first().map_or("scenario.ron", |input| &input.path))
    }
}

impl FileSource for Inside<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == self.scenario() {
            return Ok(self.told.scenario.resolved.clone().into_bytes());
        }
        // What the scenario names may have stood beside a file that it extended: the result tells where it was. Of files
        // with one name that is the one whose folders agree best.
        let agreeing = |input: &&reports::Input| shared_tail(Path::new(&input.path), path);
        let input = self.told.inputs.iter().skip(1).max_by_key(agreeing).filter(|input| agreeing(input) > 0);
        let input = input.ok_or("the result names no file for it")?;
        let copy = self.copies.join(copy_name(self.told.inputs.iter().map(|one| one.path.as_str()), &input.path));
        let bytes = Disk.read(&copy).map_err(|why| format!("its copy {}: {why}", copy.display()))?;
        if sha256(&bytes) == input.sha256 { Ok(bytes) } else { Err("it is not the file of the run".to_owned()) }
    }
}

/// How many parts of two paths agree, counted from their ends.
fn shared_tail(one: &Path, other: &Path) -> usize {
    one.components().rev().zip(other.components().rev()).take_while(|(one, other)| one == other).count()
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
