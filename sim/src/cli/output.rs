//! Output folders: written beside their place and renamed at the end, so that none is ever half full.
//!
//! A folder of ours carries the file `.cooltwin`. One without it is never replaced.

use std::fmt;
use std::path::{Path, PathBuf};

/// Marks a folder as ours.
const MARK: &str = ".cooltwin";
const MARK_TEXT: &str = "Results of cooltwin; this folder is replaced by the next run.\n";

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

/// A folder that is being filled.
pub(super) struct Folder {
    target: PathBuf,
    draft: PathBuf,
}

impl Folder {
    /// Begins to fill the folder at `target`.
    pub(super) fn begin(target: &Path) -> Result<Self, OutputError> {
        let ours = target.join(MARK).is_file();
        let empty = std::fs::read_dir(target).map_or(true, |mut entries| entries.next().is_none());
        if target.exists() && !ours && (!target.is_dir() || !empty) {
            return Err(OutputError(format!(
                "{} exists and is not a result folder of cooltwin: choose another with --out, or remove it",
                target.display()
            )));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let draft = target.with_file_name(format!(".{name}.draft-{}", std::process::id()));
        std::fs::create_dir_all(&draft).map_err(|error| OutputError::new(&draft, &error))?;
        let folder = Self { target: target.to_owned(), draft };
        folder.write(MARK, MARK_TEXT)?;
        Ok(folder)
    }

    /// Where a file of this folder is while it is filled.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.draft.join(file)
    }

    /// Writes one file.
    pub(super) fn write(&self, file: &str, text: &str) -> Result<(), OutputError> {
        let path = self.path(file);
        std::fs::write(&path, text).map_err(|error| OutputError::new(&path, &error))
    }

    /// Puts the filled folder in its place.
    pub(super) fn commit(self) -> Result<(), OutputError> {
        if self.target.exists() {
            std::fs::remove_dir_all(&self.target).map_err(|error| OutputError::new(&self.target, &error))?;
        }
        std::fs::rename(&self.draft, &self.target).map_err(|error| OutputError::new(&self.target, &error))
    }
}

impl Drop for Folder {
    /// A folder that was not committed leaves nothing behind.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.draft);
    }
}
