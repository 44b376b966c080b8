//! Asks git which commit the sources are of, and whether they are all in it.
//!
//! The build script includes this, and a test with repositories of its own: what a bundle refuses rests on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commit at `root`, marked when tracked files differ from it, or when one of `files` (relative to `root`) is in no commit, ignored
/// or not. None without git or a repository.
pub(crate) fn commit(root: &Path, files: &[PathBuf]) -> Option<String> {
    // `status` would write what it finds into the index, and the next build, which looks at that file, would run again.
    let git =
        |arguments: &[&str]| output(Command::new("git").arg("--no-optional-locks").arg("-C").arg(root).args(arguments));
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let tracked = git(&["ls-files", "-z"])?;
    let tracked: BTreeSet<&Path> = tracked.split('\0').map(Path::new).collect();
    let all_tracked = files.iter().all(|file| tracked.contains(file.as_path()));
    Some(if changed.is_empty() && all_tracked { commit } else { format!("{commit}-dirty") })
}

/// What a program prints, if it ends well.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
