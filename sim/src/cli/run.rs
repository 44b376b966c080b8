//! `cooltwin run`: loads the scenarios, runs them, reports.

use std::process::ExitCode;

use super::{RunArgs, Terminal, exit, load_all};

/// Runs what `arguments` name.
#[must_use]
pub fn run(arguments: &RunArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let seed = arguments.seed.map(|seed| format!("seed={seed}"));
    let overrides: Vec<String> = arguments.set.iter().cloned().chain(seed).collect();
    match load_all(&arguments.files, &overrides, terminal) {
        // Loading alone proves nothing about a scenario, so this is no pass.
        Ok(loaded) => terminal.finish(&format!("{} scenarios loaded, none run\n", loaded.len()), exit::INCONCLUSIVE),
        Err(code) => code.into(),
    }
}
