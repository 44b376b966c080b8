//! The pages of the references: `cooltwin scenario explain`, `cooltwin safety explain`.

use std::process::ExitCode;

use super::{Terminal, exit};
use crate::scenario::{NoSuchPath, Reference, no_such_code};

/// Prints the page of a reference that `path` leads to; `whole` is what an empty path is.
pub(super) fn explain(reference: Reference, whole: &str, path: &str, terminal: Terminal) -> ExitCode {
    match reference.explain(path) {
        Ok(text) => terminal.finish(&text, exit::PASS),
        Err(_) if let Some(why) = no_such_code(path) => {
            terminal.diagnostic(&why);
            exit::USAGE.into()
        }
        Err(NoSuchPath { part, near, known }) => {
            let near = near.map_or(String::new(), |near| format!("help: did you mean `{near}`?\n"));
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            let before = path.rfind(&part).map_or("", |at| path[..at].trim_end_matches('.'));
            let place = if before.is_empty() { whole } else { before };
            terminal.diagnostic(&format!("error: there is no `{part}` in {place}\n{near}help: there is: {known}\n"));
            exit::USAGE.into()
        }
    }
}
