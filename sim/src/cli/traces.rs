//! `--candump FILE` and its like: which traces are wanted, and their files.
//!
//! A trace is written to a hidden draft beside its place and renamed when it is whole.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Terminal;
use super::output::OutputError;
use crate::export::{Exporter, Format, Window, foxglove_layout, plotjuggler_layout};
use crate::kernel::{SimTime, Span};
use crate::run::recording::{Head, Line};
use crate::scenario::quantity;

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
    /// Write states of nodes, supply, update and coolant as VCD for GTKWave or Surfer.
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    pub vcd: Option<PathBuf>,
    /// Show the bus line bit by bit in the VCD, in this window, for instance 12s..12.5s. A window that the run does not
    /// reach is warned of.
    #[arg(long, value_name = "FROM..TO", value_parser = window, requires = "vcd", help_heading = "Traces")]
    pub vcd_bus: Option<Window>,
    /// Write decoded messages, states and notes as MCAP for Foxglove or PlotJuggler, with a layout for each beside it.
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    pub mcap: Option<PathBuf>,
}

/// A window of time, from and to with units.
fn window(text: &str) -> Result<Window, String> {
    let (from, to) = text.split_once("..").ok_or("write it as FROM..TO, for instance 12s..12.5s")?;
    let time = |text: &str| {
        let wrong = |_| format!("`{text}` is no time with a unit, such as 12.5s");
        quantity::parse::<Span>(text).map(Span::as_nanos).map_err(wrong)
    };
    let window = (time(from)?, time(to)?);
    if window.0 < window.1 { Ok(window) } else { Err("the window ends before it begins".to_owned()) }
}

impl TraceArgs {
    /// What to write where.
    fn wanted(&self) -> Vec<(Format, &Path)> {
        let all = [
            (Format::Candump, &self.candump),
            (Format::Asc, &self.asc),
            (Format::Pcapng, &self.pcapng),
            (Format::Vcd(self.vcd_bus), &self.vcd),
            (Format::Mcap, &self.mcap),
        ];
        all.into_iter().filter_map(|(format, path)| Some((format, path.as_deref()?))).collect()
    }

    /// Warns of a window of the bus line that a run which ended at `end` did not reach.
    pub(super) fn warn(&self, end: SimTime, terminal: Terminal) {
        let seconds = |nanos: u64| quantity::text(Span::from_nanos(nanos));
        if let Some((from, to)) = self.vcd_bus.filter(|(from, _)| *from >= end.as_nanos()) {
            terminal.diagnostic(&format!(
                "warning: the run ended at {}, before the window {}..{} of --vcd-bus: the VCD holds no bit of the bus\n",
                seconds(end.as_nanos()),
                seconds(from),
                seconds(to),
            ));
        }
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
            if format == Format::Mcap {
                traces.write(&path.with_extension("foxglove.json"), &foxglove_layout(head))?;
                traces.write(&path.with_extension("plotjuggler.xml"), &plotjuggler_layout(head))?;
            }
        }
        traces.exporter = Some(exporter);
        Ok(traces)
    }

    /// Writes a small file beside a trace.
    fn write(&mut self, path: &Path, text: &str) -> Result<(), OutputError> {
        let draft = draft_of(path).ok_or_else(|| OutputError::text(&format!("{} is no file", path.display())))?;
        std::fs::write(&draft, text).map_err(|error| OutputError::new(path, &error))?;
        self.drafts.push((draft, path.to_owned()));
        Ok(())
    }

    /// Takes the next line of the recording.
    pub(super) fn take(&mut self, line: &Line) {
        if let Some(exporter) = &mut self.exporter {
            exporter.take(line);
        }
    }

    /// Completes all files of a run that ended at `end` and puts them in their places.
    pub(super) fn complete(mut self, end: SimTime) -> Result<(), OutputError> {
        if let Some(exporter) = &mut self.exporter {
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
