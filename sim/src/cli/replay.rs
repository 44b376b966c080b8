//! `cooltwin replay`: runs the scenario that a result holds once more and compares.
//!
//! What is run is the resolved text inside the result, not the scenario file, which may have changed since. Only an
//! image file is read again, and must be the one of the run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::{Build, Report};

use super::diff::stored;
use super::{Disk, Style, Terminal, exit, files, run};
use crate::regression;
use crate::scenario::{FileSource, Loaded, load, sha256_hex};

/// Arguments of `cooltwin replay`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    /// The result: result.json or its folder.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    style: Style,
}

/// Replays what `arguments` name: 0 when all is the same, 6 when the traces differ, 1 when only the results do.
pub(super) fn replay(arguments: &ReplayArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match replayed(&arguments.result, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(code) => code.into(),
    }
}

fn replayed(path: &Path, terminal: Terminal) -> Result<(String, u8), u8> {
    let told = stored(path, terminal)?.report;
    let loaded = inside(&told, terminal)?;
    let mut again = regression::once(&loaded, &run::identity()).report;
    // How the scenario came about is not what is replayed.
    again.scenario.overrides.clone_from(&told.scenario.overrides);
    again.inputs.clone_from(&told.inputs);
    let title = format!("{}, seed {}", told.scenario.name, told.seed);
    let builds = builds(&told.build, &again.build);
    let domains = regression::unequal_domains(&told.fingerprint, &again.fingerprint);
    let fields = regression::fields_that_differ(&told, &again, &["fingerprint", "build"]);
    let (text, code) = match (domains.first(), fields.is_empty()) {
        (None, true) => (format!("EQUAL  {title}: trace {} again\n", again.fingerprint.all), exit::PASS),
        (None, false) => {
            (format!("DIFFERENT RESULT  {title}: the trace is the same, but not {}\n", fields.join(", ")), exit::FAIL)
        }
        (Some(_), _) => (format!("DIFFERENT TRACE  {title}: in {}\n", domains.join(", ")), exit::FINGERPRINT),
    };
    let compared = if code == exit::PASS {
        String::new()
    } else {
        regression::comparison_text(&regression::compare(&told, &again), terminal.result_color())
    };
    Ok((compared + &builds + &text, code))
}

/// The scenario inside a result.
fn inside(told: &Report, terminal: Terminal) -> Result<Loaded, u8> {
    let refuse = |why: &str| {
        terminal.diagnostic(&format!("error: the result is damaged: {why}\n"));
        exit::INVALID
    };
    if sha256_hex(told.scenario.resolved.as_bytes()) != told.scenario.sha256 {
        return Err(refuse("its scenario does not have its SHA-256"));
    }
    let files = Inside { told };
    let loaded = load(&files, files.scenario(), &[]).map_err(|error| files::print(&error, terminal))?;
    if loaded.scenario.sha256() != told.scenario.sha256 {
        return Err(refuse("its scenario is not in canonical form, or of another version"));
    }
    if loaded.scenario.seed != told.seed || loaded.scenario.name != told.scenario.name {
        return Err(refuse("seed or name are not those of its scenario"));
    }
    Ok(loaded)
}

/// The files of a replay: the scenario from the result, an image from where it was.
struct Inside<'a> {
    told: &'a Report,
}

impl Inside<'_> {
    /// The path of the scenario as it was named.
    fn scenario(&self) -> &Path {
        Path::new(self.told.inputs.first().map_or("scenario.ron", |input| &input.path))
    }
}

impl FileSource for Inside<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == self.scenario() {
            return Ok(self.told.scenario.resolved.clone().into_bytes());
        }
        // A resolved scenario extends nothing, so this is the image, which was read last.
        let image = self.told.inputs.last().ok_or("the result names no file for it")?;
        let bytes = Disk.read(Path::new(&image.path))?;
        if sha256_hex(&bytes) == image.sha256 { Ok(bytes) } else { Err("it is not the file of the run".to_owned()) }
    }
}

/// Says so when another build made the result.
fn builds(told: &Build, own: &Build) -> String {
    if told == own {
        return String::new();
    }
    let text = |build: &Build| format!("{} ({}, rustc {})", build.version, build.commit, build.rustc);
    format!("another build made the result: {}\nthis build is                  {}\n", text(told), text(own))
}
