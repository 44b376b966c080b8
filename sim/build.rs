//! Finds out which sources and compiler make this binary: for the report's build identity, never for a fingerprint.

use std::process::Command;

fn main() {
    println!("cargo::rustc-env=COOLTWIN_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=COOLTWIN_RUSTC={}", rustc().unwrap_or_else(|| "unknown".to_owned()));
    for path in ["../.git/HEAD", "../.git/index", "src", "../firmware-under-test", "../reports/src"] {
        if std::path::Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// The commit, marked when tracked files differ from it.
fn commit() -> Option<String> {
    let commit = output(Command::new("git").args(["rev-parse", "HEAD"]))?;
    let changed = output(Command::new("git").args(["status", "--porcelain", "--untracked-files=no"]))?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

fn rustc() -> Option<String> {
    let rustc = std::env::var_os("RUSTC")?;
    let version = output(Command::new(rustc).arg("--version"))?;
    Some(version.strip_prefix("rustc ").unwrap_or(&version).to_owned())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
