//! `cooltwin scenario check|show|explain|new`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use reports::shell_word;

use super::explain::explain;
use super::{Disk, Style, Terminal, exit, files, load_all};
use crate::scenario::{ImageSource, Loaded, SCENARIO, image_file, load};

/// Subcommands of `cooltwin scenario`.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum ScenarioCommand {
    /// Check scenario files; prints everything that is wrong with them.
    Check {
        /// Scenario files, or folders of them.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Set one value of each scenario, for instance supply.nominal=22V.
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        style: Style,
    },
    /// Print a scenario with all its defaults, in the text that its SHA-256 is taken of; comments behind it say
    /// what an image file holds.
    Show {
        /// Scenario file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Set one value of the scenario, for instance supply.nominal=22V.
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        style: Style,
    },
    /// Explain the fields of scenario files, with type, unit, range, default and requirement, and the codes of errors.
    Explain {
        /// Path of a field, for instance bus.bitrate or faults.kind.Sag, or its end (Sag); or a type that another page names
        /// (FaultKind); or the code of an error, S001 to S017, or `codes` for all of them; everything at the top without one.
        #[arg(value_name = "PATH", default_value = "")]
        path: String,
        #[command(flatten)]
        style: Style,
    },
    /// Begin a scenario file with comments that say what to change.
    New {
        /// Name of the scenario, with a folder before it if wanted; `.ron` is added.
        #[arg(value_name = "NAME")]
        name: PathBuf,
        #[command(flatten)]
        style: Style,
    },
}

/// Does what `command` says.
pub(super) fn scenario(command: &ScenarioCommand) -> ExitCode {
    match command {
        ScenarioCommand::Check { files, set, style } => check(files, set, Terminal::new(style)),
        ScenarioCommand::Show { file, set, style } => show(file, set, Terminal::new(style)),
        ScenarioCommand::Explain { path, style } => explain(SCENARIO, "a scenario", path, Terminal::new(style)),
        ScenarioCommand::New { name, style } => new(name, Terminal::new(style)),
    }
}

fn check(files: &[PathBuf], set: &[String], terminal: Terminal) -> ExitCode {
    match load_all(files, set, terminal) {
        Ok(loaded) => {
            let lines = loaded.iter().map(|one| format!("ok  {}  {}\n", one.scenario.sha256(), one.scenario.name));
            terminal.finish(&lines.collect::<String>(), exit::PASS)
        }
        Err(code) => code.into(),
    }
}

fn show(file: &Path, set: &[String], terminal: Terminal) -> ExitCode {
    match load(&Disk, file, set) {
        Ok(loaded) => {
            files::warn(&loaded, terminal);
            terminal.finish(&(loaded.scenario.resolved_text() + &image_lines(&loaded)), exit::PASS)
        }
        Err(error) => files::print(&error, terminal).into(),
    }
}

/// What an image file really holds, as comments; nothing where the image is made up.
fn image_lines(loaded: &Loaded) -> String {
    let (ImageSource::File(name), Some(image)) = (&loaded.scenario.package.image.source, &loaded.image) else {
        return String::new();
    };
    let models = loaded.scenario.models();
    let ids: Vec<String> = models.iter().enumerate().map(|(index, model)| format!("{} {model}", index + 1)).collect();
    let holds = match image_file::header(image) {
        Ok(header) => format!("version {}, for model id {}", header.version, header.model.0),
        Err(why) => why,
    };
    let len = image.len();
    format!("// The image file decides: `{name}` has {len} bytes; {holds}.\n// Model ids: {}.\n", ids.join(", "))
}

fn new(name: &Path, terminal: Terminal) -> ExitCode {
    let path = if name.extension().is_some_and(|ext| ext == "ron") { name.to_owned() } else { with_ron(name) };
    let starter = starter(&path);
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    match written.and_then(|mut file| file.write_all(starter.as_bytes())) {
        Ok(()) => {
            let text =
                format!("{}\nnext: cooltwin scenario check {}\n", path.display(), shell_word(&path.to_string_lossy()));
            terminal.finish(&text, exit::PASS)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let path = path.display();
            terminal.diagnostic(&format!("error: {path} exists and stays as it is\nhelp: choose another name\n"));
            exit::USAGE.into()
        }
        Err(error) => {
            let folder = path.parent().filter(|_| error.kind() == ErrorKind::NotFound);
            let help = folder.map_or(String::new(), |folder| {
                format!("help: make the folder first: mkdir -p {}\n", shell_word(&folder.to_string_lossy()))
            });
            terminal.diagnostic(&format!("error: cannot write {}: {error}\n{help}", path.display()));
            exit::USAGE.into()
        }
    }
}

fn with_ron(name: &Path) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".ron");
    name.into()
}

/// A starter file: a whole scenario with the fields that most stories change.
fn starter(path: &Path) -> String {
    let title = path.file_stem().unwrap_or_default().to_string_lossy().replace(['"', '\\'], "");
    include_str!("starter.ron").replace("TITLE", &title)
}
