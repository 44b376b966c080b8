//! Scenario files on disk: finding and reading them.

use std::path::{Path, PathBuf};

use super::{Terminal, exit};
use crate::scenario::{FileSource, LoadError, Loaded, load, near_file};

/// The file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// The files, and for a folder the `.ron` files in it in the order of their names.
///
/// # Errors
/// A folder that cannot be read, with why.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let wrong = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
            let entries = std::fs::read_dir(path).map_err(wrong)?;
            let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
            let mut inside = paths.map_err(wrong)?;
            inside.retain(|file| file.extension().is_some_and(|extension| extension == "ron"));
            // By names without `.ron`, so that `a.ron` stands before `a-b.ron`.
            inside.sort_by_cached_key(|file| (file.file_stem().map(ToOwned::to_owned), file.clone()));
            found.extend(inside);
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

/// Loads all scenarios and prints what is wrong with any of them.
///
/// # Errors
/// The exit code: a file cannot be read, a scenario is invalid, or there is none.
pub fn load_all(paths: &[PathBuf], overrides: &[String], terminal: Terminal) -> Result<Vec<Loaded>, u8> {
    let files = find(paths).map_err(|why| {
        terminal.diagnostic(&format!("error: {why}\n"));
        exit::USAGE
    })?;
    if files.is_empty() {
        terminal.diagnostic("error: no scenario given or found\nhelp: give a .ron file or a folder of them\n");
        return Err(exit::NOTHING);
    }
    let mut loaded = Vec::new();
    let mut codes = Vec::new();
    for file in &files {
        match load(&Disk, file, overrides) {
            Ok(scenario) => {
                warn(&scenario, terminal);
                loaded.push(scenario);
            }
            Err(error) => codes.push(print(&error, terminal)),
        }
    }
    // An unreadable file is the more basic mistake: 2 before 3.
    codes.into_iter().min().map_or(Ok(loaded), Err)
}

/// Prints what is probably not meant in a scenario.
pub(super) fn warn(loaded: &Loaded, terminal: Terminal) {
    let text = loaded.warnings().render(terminal.format(), terminal.color());
    if !text.is_empty() {
        terminal.diagnostic(&text);
    }
}

/// Prints why a scenario could not be loaded; the exit code for it.
pub(super) fn print(error: &LoadError, terminal: Terminal) -> u8 {
    match error {
        LoadError::Unreadable(path, why) => {
            let near = near_file(&Disk, Path::new(path));
            let near = near.map_or(String::new(), |near| format!("help: did you mean {}?\n", near.display()));
            terminal.diagnostic(&format!("error: cannot read {path}: {why}\n{near}"));
            exit::USAGE
        }
        LoadError::Invalid(report) => {
            terminal.diagnostic(&report.render(terminal.format(), terminal.color()));
            exit::INVALID
        }
    }
}
