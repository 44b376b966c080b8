//! Output folders: written beside their place and renamed at the end, so that none is ever half full.
//!
//! A folder of ours carries the file `.cooltwin`. One without it is never replaced.

use std::fmt;
use std::path::{Path, PathBuf};

use reports::BUNDLE_FILE;

use super::campaign::TRIALS;

/// Marks a folder as ours.
pub(super) const MARK: &str = ".cooltwin";
const MARK_TEXT: &str = "Results of cooltwin; this folder is replaced by the next run.\n";

/// Letters of the hash that tells variants of a scenario apart: enough for a folder, and short enough to be typed.
const VARIANT_LETTERS: usize = 8;

/// Where a result belongs below an output folder: scenario and seed, and for a run with overrides a short hash of them,
/// so that a variant never takes the place of the scenario as it is.
pub(super) fn place_of(name: &str, seed: u64, overrides: &[String]) -> PathBuf {
    let changes: Vec<&str> = overrides.iter().map(|one| one.trim()).filter(|one| !one.starts_with("seed=")).collect();
    let hash = reports::sha256(changes.join("\n").as_bytes());
    let variant = if changes.is_empty() { String::new() } else { format!("+{}", &hash[..VARIANT_LETTERS]) };
    Path::new(name).join(format!("{seed}{variant}"))
}

/// The commands of a report that name files in `folders` of its results, which count from there, as they are typed here.
pub(super) fn from_here(text: &str, target: &Path, folders: &[&str]) -> String {
    folders.iter().fold(text.to_owned(), |text, folder| {
        let there = target.join(folder).display().to_string();
        text.replace(&format!("cooltwin run {folder}/"), &format!("cooltwin run {there}/"))
    })
}

/// Why results could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutputError(String);

impl OutputError {
    /// `path` could not be written.
    pub(super) fn new(path: &Path, error: &std::io::Error) -> Self {
        Self(format!("cannot write {}: {error}", path.display()))
    }

    /// Anything else, in its own words.
    pub(super) fn text(error: &dyn fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes a file whole or not at all: beside its place first, then renamed.
pub(super) fn replace_file(path: &Path, content: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), OutputError> {
    let name = path.file_name().ok_or_else(|| OutputError(format!("{} is no name of a file", path.display())))?;
    let folder = path.parent().map_or(Path::new("."), or_here);
    let draft = folder.join(format!(".{}.draft-{}", name.to_string_lossy(), std::process::id()));
    let wrong = |error: std::io::Error| OutputError::new(path, &error);
    std::fs::create_dir_all(folder).map_err(wrong)?;
    let written = std::fs::write(&draft, content).and_then(|()| std::fs::rename(&draft, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&draft);
        wrong(error)
    })
}

/// What a folder of ours holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Results,
    Campaign,
    Bundle,
}

/// Where a result folder may stand.
pub(super) struct Place {
    target: PathBuf,
    holds: Holds,
}

impl Place {
    /// Looks whether results may be written to the folder at `target`: it is not there, empty, or holds results of ours.
    pub(super) fn check(target: &Path) -> Result<Self, OutputError> {
        Self::look(target, Holds::Results)
    }

    /// The same for the trials of a campaign, whose place no other result takes.
    pub(super) fn check_campaign(target: &Path) -> Result<Self, OutputError> {
        Self::look(target, Holds::Campaign)
    }

    /// The same for an evidence bundle, which takes the place of another bundle alone.
    pub(super) fn check_bundle(target: &Path) -> Result<Self, OutputError> {
        Self::look(target, Holds::Bundle)
    }

    /// Whether trials of a campaign, or of a shard of one, stand there.
    fn holds_trials(&self) -> bool {
        self.target.join(TRIALS).is_file()
    }

    /// Whether a bundle stands there already.
    pub(super) fn replaces_bundle(&self) -> bool {
        self.target.join(BUNDLE_FILE).is_file()
    }

    fn look(target: &Path, holds: Holds) -> Result<Self, OutputError> {
        if target.file_name().is_none() {
            return Err(OutputError(format!("{} cannot be replaced by results: name a folder", target.display())));
        }
        let ours = target.join(MARK).is_file();
        let empty = || std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
        if target.symlink_metadata().is_ok() && !ours && !empty() {
            return Err(OutputError(format!(
                "{} exists and is not a result folder of cooltwin: choose another with --out, or remove it",
                target.display()
            )));
        }
        let place = Self { target: target.to_owned(), holds };
        let why = match (holds, place.replaces_bundle()) {
            (Holds::Results | Holds::Campaign, true) => "holds an evidence bundle, which results do not replace",
            (Holds::Results, false) if place.holds_trials() => {
                "holds the trials of a campaign, which other results do not replace"
            }
            (Holds::Bundle, false) if ours => "holds results of cooltwin and no evidence bundle",
            _ => return Ok(place),
        };
        Err(OutputError(format!("{} {why}: choose another folder with --out, or remove it", target.display())))
    }

    /// A folder beside it, to be filled. Drafts that killed runs left there are removed.
    pub(super) fn draft(&self) -> Result<Folder, OutputError> {
        self.remove_leftovers();
        let draft = self.beside("draft");
        std::fs::create_dir_all(&draft).map_err(|error| OutputError::new(&draft, &error))?;
        let folder = Folder { place: Self { target: self.target.clone(), holds: self.holds }, draft };
        folder.write(MARK, MARK_TEXT)?;
        Ok(folder)
    }

    /// A hidden name beside the target; the process in it tells whether a run still needs it.
    fn beside(&self, what: &str) -> PathBuf {
        self.target.with_file_name(format!("{}{}", self.hidden(what), std::process::id()))
    }

    fn hidden(&self, what: &str) -> String {
        format!(".{}.{what}-", self.target.file_name().unwrap_or_default().to_string_lossy())
    }

    fn remove_leftovers(&self) {
        let Some(Ok(entries)) = self.target.parent().map(|parent| std::fs::read_dir(or_here(parent))) else { return };
        let hidden = [self.hidden("draft"), self.hidden("old")];
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let process = hidden.iter().find_map(|hidden| name.strip_prefix(hidden)?.parse::<u32>().ok());
            if process.is_some_and(|process| !is_running(process)) {
                // One that stays does no harm.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// The parent of a bare name is empty, and means the present folder.
fn or_here(parent: &Path) -> &Path {
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

/// Whether another process of this number runs; where nothing tells, no.
fn is_running(process: u32) -> bool {
    process != std::process::id() && Path::new("/proc").join(process.to_string()).exists()
}

/// A folder that is being filled.
pub(super) struct Folder {
    place: Place,
    draft: PathBuf,
}

impl Folder {
    /// Where a file of this folder is while it is filled.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.draft.join(file)
    }

    /// Writes one file, and the folder that its name begins with.
    pub(super) fn write(&self, file: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), OutputError> {
        let path = self.path(file);
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        folder.map_err(|error| OutputError::new(&path, &error))?;
        std::fs::write(&path, content).map_err(|error| OutputError::new(&path, &error))
    }

    /// Puts the filled folder in its place. What was there goes only when the new one stands.
    pub(super) fn commit(self) -> Result<(), OutputError> {
        // Looks again: a run takes long enough for someone to put something there.
        let Place { target, .. } = Place::look(&self.place.target, self.place.holds)?;
        let wrong = |error: std::io::Error| OutputError::new(&target, &error);
        let old = self.place.beside("old");
        let replaces = target.symlink_metadata().is_ok();
        if replaces {
            std::fs::rename(&target, &old).map_err(wrong)?;
        }
        if let Err(error) = std::fs::rename(&self.draft, &target) {
            let _ = std::fs::rename(&old, &target);
            return Err(wrong(error));
        }
        if replaces {
            std::fs::remove_dir_all(&old).map_err(|error| OutputError::new(&old, &error))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    /// A folder that was not committed leaves nothing behind.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_commands_have_the_folder_of_the_results() {
        let text = "worst trial 3 seed 9   cooltwin run worst/pump-update.ron\n  cooltwin run failures/night-4.ron\n";
        let here = from_here(text, Path::new("out/night"), &["failures", "worst"]);
        let wanted = "worst trial 3 seed 9   cooltwin run out/night/worst/pump-update.ron\n  cooltwin run out/night/failures/night-4.ron\n";
        assert_eq!(here, wanted);
    }
}
