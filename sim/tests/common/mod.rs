//! Pieces that several test files share: loading scenarios, and the fingerprints of a run.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

use cooltwin::cli::Disk;
use cooltwin::event::Twin;
use cooltwin::scenario::{LoadError, Loaded, load};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// A shipped scenario, with `--set` arguments.
pub(crate) fn shipped(name: &str, overrides: &[&str]) -> Loaded {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let path = root().join("scenarios").join(format!("{name}.ron"));
    match load(&Disk, &path, &overrides) {
        Ok(loaded) => loaded,
        Err(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
        Err(LoadError::Invalid(report)) => panic!("{}", report.render(cooltwin::scenario::Format::Human, false)),
    }
}

/// The fingerprint of everything and those of the domains.
pub(crate) fn fingerprints(twin: &Twin) -> Vec<(&'static str, String)> {
    let all = ("all", twin.trace.fingerprint().to_string());
    let domains = twin.trace.domain_fingerprints().into_iter().map(|(name, value)| (name, value.to_string()));
    std::iter::once(all).chain(domains).collect()
}
