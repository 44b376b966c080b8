//! Which scenarios a suite has: what is found, what is left out of it and why.
//!
//! A folder stands for its `.ron` files, but for two kinds: those tagged `long`, and *bases*, which other files of the
//! suite extend and which expect nothing themselves. Both are left out by name, never in silence, and both run when
//! they are named one by one.

use std::path::{Path, PathBuf};

use reports::Report;

use super::{Disk, Terminal, exit, files};
use crate::regression::{self, Baseline, Case, Drift};
use crate::scenario::{Loaded, load};

/// Where the scenarios are when nothing else is said.
const DEFAULT_FOLDER: &str = "scenarios";
/// The tag of scenarios that a suite leaves out.
pub(super) const LONG: &str = "long";

/// The scenarios of a suite.
pub(super) struct Suite {
    /// What is run, in the order of the arguments and in a folder of the names.
    pub(super) scenarios: Vec<Loaded>,
    /// Those left out because they are long.
    pub(super) long: Vec<Loaded>,
    /// Names of those left out because they are only extended.
    bases: Vec<String>,
    /// Whether a folder was among the arguments; else the scenarios were picked one by one.
    pub(super) whole_folder: bool,
}

/// A file of the suite, and whether it was found in a folder.
struct Found {
    path: PathBuf,
    in_folder: bool,
}

/// Finds and loads the scenarios.
///
/// # Errors
/// The exit code: a file cannot be read, a scenario is invalid, two have one name, or there is none to run.
pub(super) fn load_suite(paths: &[PathBuf], terminal: Terminal) -> Result<Suite, u8> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let paths = if paths.is_empty() { &default } else { paths };
    let found = find(paths, terminal)?;
    let loaded = load_all(&found, terminal)?;
    let suite = left_out(loaded, paths.iter().any(|path| path.is_dir()));
    if let Some(name) = suite.shared_name() {
        terminal.diagnostic(&format!(
            "error: two scenarios are named {name}\nhelp: give one of them another file name, or a `name`\n"
        ));
        return Err(exit::USAGE);
    }
    if suite.scenarios.is_empty() {
        let why = suite.left_out_text();
        terminal.diagnostic(&format!("error: there is no scenario to run\n{why}help: name a .ron file or a folder\n"));
        return Err(exit::NOTHING);
    }
    Ok(suite)
}

/// All files once; one that is named itself counts as named, also when a folder holds it too.
fn find(paths: &[PathBuf], terminal: Terminal) -> Result<Vec<Found>, u8> {
    let mut found: Vec<Found> = Vec::new();
    for path in paths {
        let in_folder = path.is_dir();
        let files = files::find(std::slice::from_ref(path)).map_err(|why| {
            terminal.diagnostic(&format!("error: {why}\n"));
            exit::USAGE
        })?;
        for path in files {
            match found.iter_mut().find(|other| same_file(&other.path, &path)) {
                Some(other) => other.in_folder &= in_folder,
                None => found.push(Found { path, in_folder }),
            }
        }
    }
    Ok(found)
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// Loads all; what is wrong with any of them is printed.
fn load_all(found: &[Found], terminal: Terminal) -> Result<Vec<(bool, Loaded)>, u8> {
    let mut loaded = Vec::new();
    let mut codes = Vec::new();
    for file in found {
        match load(&Disk, &file.path, &[]) {
            Ok(scenario) => loaded.push((file.in_folder, scenario)),
            Err(error) => codes.push(files::print(&error, terminal)),
        }
    }
    // An unreadable file is the more basic mistake: 2 before 3.
    codes.into_iter().min().map_or(Ok(loaded), Err)
}

/// Takes out of the suite what a folder holds besides its stories.
fn left_out(loaded: Vec<(bool, Loaded)>, whole_folder: bool) -> Suite {
    let extended: Vec<PathBuf> = loaded
        .iter()
        .flat_map(|(_, loaded)| loaded.inputs.iter().skip(1))
        .filter_map(|input| input.file.canonicalize().ok())
        .collect();
    let is_base = |loaded: &Loaded| {
        let own = loaded.inputs.first().and_then(|input| input.file.canonicalize().ok());
        loaded.scenario.expectations.is_empty() && own.is_some_and(|own| extended.contains(&own))
    };
    let mut suite = Suite { scenarios: Vec::new(), long: Vec::new(), bases: Vec::new(), whole_folder };
    for (in_folder, loaded) in loaded {
        if in_folder && is_base(&loaded) {
            suite.bases.push(loaded.scenario.name.clone());
        } else if in_folder && loaded.scenario.tags.iter().any(|tag| tag == LONG) {
            suite.long.push(loaded);
        } else {
            suite.scenarios.push(loaded);
        }
    }
    suite
}

impl Suite {
    /// A name that two scenarios have.
    fn shared_name(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.scenarios.iter().map(|loaded| loaded.scenario.name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// How its runs stand to a baseline: to all of it only where a whole folder was asked for.
    pub(super) fn drift(&self, baseline: &Baseline, reports: &[&Report]) -> Drift {
        let drift = regression::drift(baseline, reports);
        if self.whole_folder { drift } else { drift.of_named_files() }
    }

    /// The verdict of a case in words.
    pub(super) fn words(&self, index: usize, case: &Case) -> String {
        regression::case_words(&self.scenarios[index].scenario, case)
    }

    /// What was left out by name; empty if nothing was.
    pub(super) fn left_out_text(&self) -> String {
        let line = |count: usize, why: &str, names: &[String]| match count {
            0 => String::new(),
            _ => format!("Not run   {count} {why}: {}\n", regression::name_list(names)),
        };
        let long: Vec<String> = self.long.iter().map(|loaded| loaded.scenario.name.clone()).collect();
        line(long.len(), "skipped, tagged long", &long) + &line(self.bases.len(), "only extended", &self.bases)
    }
}
