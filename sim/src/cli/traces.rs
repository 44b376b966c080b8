//! `--candump FILE` and its like: which traces are wanted, and their files.
//!
//! A trace is written to a hidden draft beside its place and renamed when it is whole.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::OutputError;
use crate::export::{Exporter, Format};
use crate::kernel::SimTime;
use crate::run::recording::Head;

/// Traces to write.
#[derive(Args, Clone, Debug, Default)]
pub struct TraceArgs {
    /// Write the bus as text of `candump -L`.
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    pub candump: Option<PathBuf>,
    /// Write the bus as Vector ASC.
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    pub asc: Option<PathBuf>,
    /// Write the bus as pcapng for Wireshark, with notes on faults as comments.
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    pub pcapng: Option<PathBuf>,
}

impl TraceArgs {
    /// What to write where.
    fn wanted(&self) -> Vec<(Format, &Path)> {
        let all = [(Format::Candump, &self.candump), (Format::Asc, &self.asc), (Format::Pcapng, &self.pcapng)];
        all.into_iter().filter_map(|(format, path)| Some((format, path.as_deref()?))).collect()
    }

    /// Whether any is wanted.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.wanted().is_empty()
    }
}

/// Traces that are being written; those not completed leave nothing behind.
#[derive(Debug)]
pub(super) struct Traces {
    exporter: Option<Exporter>,
    drafts: Vec<(PathBuf, PathBuf)>,
}

impl Traces {
    /// Opens all that is wanted of the run that `head` tells of.
    pub(super) fn open(arguments: &TraceArgs, head: &Head) -> Result<Self, OutputError> {
        let mut traces = Self { exporter: None, drafts: Vec::new() };
        let mut exporter = Exporter::new(head);
        for (format, path) in arguments.wanted() {
            let draft = draft_of(path).ok_or_else(|| OutputError::text(&format!("{} is no file", path.display())))?;
            let wrong = |error: std::io::Error| OutputError::new(path, &error);
            let to = Box::new(BufWriter::new(File::create(&draft).map_err(wrong)?));
            traces.drafts.push((draft, path.to_owned()));
            exporter.add(&format, path.to_owned(), to).map_err(wrong)?;
        }
        traces.exporter = Some(exporter);
        Ok(traces)
    }

    /// Hands the exporter to whom the lines come to; [`Self::complete`] wants it back.
    pub(super) fn take_exporter(&mut self) -> Option<Exporter> {
        self.exporter.take()
    }

    /// Completes all files of a run that ended at `end` and puts them in their places.
    pub(super) fn complete(mut self, exporter: Option<Exporter>, end: SimTime) -> Result<(), OutputError> {
        if let Some(mut exporter) = exporter {
            exporter.finish(end).map_err(|(path, error)| OutputError::new(&path, &error))?;
        }
        for (draft, path) in std::mem::take(&mut self.drafts) {
            std::fs::rename(&draft, &path).map_err(|error| OutputError::new(&path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        for (draft, _) in &self.drafts {
            let _ = std::fs::remove_file(draft);
        }
    }
}

/// A hidden name beside the file.
fn draft_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    Some(path.with_file_name(format!(".{name}.draft-{}", std::process::id())))
}
