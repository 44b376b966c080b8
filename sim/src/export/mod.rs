//! Traces in formats that other tools open.
//!
//! ```text
//!   lines of a recording --Bench--> Seen --> candump | asc | pcapng | vcd | mcap --> a file each
//! ```
//! Each format is written while the lines come, either during a run or from a recording, so that both give the same
//! bytes. Words: a *trace* is such a file; a *channel* is what a tool calls an interface: 0 is the stretch of line with
//! the CIOC, as a logger beside it would hear it, 1 is any other stretch while the bus is open somewhere; a *note* is
//! one line of text about a fault or a state.
//!
//! Formats that want a date count from [`EPOCH_SECONDS`], which stands for the start of the simulation. Times are the
//! ends of frames, as in the logs of real interfaces; coarser formats round down.

mod asc;
mod candump;
pub mod log;
mod mcap;
mod pcapng;
mod seen;
pub mod uds;
pub mod update;
mod vcd;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::kernel::SimTime;
use crate::run::recording::{Head, Line};

pub use mcap::{foxglove_layout, plotjuggler_layout};
pub use seen::{Bench, ErrorFrame, Frame, Seen, What};
pub use vcd::Window;

/// The start of the simulation as seconds since 1970: 2023-11-14 22:13:20 UTC. A made-up date, because no wall clock
/// enters a trace, and a large one, because can-utils takes small ones for relative times.
pub const EPOCH_SECONDS: u64 = 1_700_000_000;

/// A format of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text of `candump -L`.
    Candump,
    /// Vector ASC.
    Asc,
    /// pcapng of SocketCAN frames.
    Pcapng,
    /// VCD, with the line in this window bit by bit.
    Vcd(Option<Window>),
    /// MCAP with JSON channels.
    Mcap,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candump => "candump",
            Self::Asc => "asc",
            Self::Pcapng => "pcapng",
            Self::Vcd(_) => "vcd",
            Self::Mcap => "mcap",
        })
    }
}

/// What a trace is written to.
pub trait Target: Write + io::Seek + Send {}

impl<T: Write + io::Seek + Send> Target for T {}

/// Writes one format.
trait Sink: Send {
    /// Takes the next line.
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()>;

    /// The run ended.
    fn finish(&mut self, end: SimTime) -> io::Result<()>;
}

/// Writes several traces of one run at once.
pub struct Exporter {
    bench: Bench,
    sinks: Vec<(PathBuf, Box<dyn Sink>, Option<io::Error>)>,
}

impl Exporter {
    /// For the run that `head` tells of.
    #[must_use]
    pub fn new(head: &Head) -> Self {
        Self { bench: Bench::new(head), sinks: Vec::new() }
    }

    /// Adds a trace; `path` names it in errors.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn add(&mut self, format: &Format, path: PathBuf, to: Box<dyn Target>) -> io::Result<()> {
        let sink: Box<dyn Sink> = match format {
            Format::Candump => Box::new(candump::Candump::new(to)),
            Format::Asc => Box::new(asc::Asc::new(to)?),
            Format::Pcapng => Box::new(pcapng::Pcapng::new(to, self.bench.head())?),
            Format::Vcd(window) => Box::new(vcd::Vcd::new(to, self.bench.head(), *window)?),
            Format::Mcap => Box::new(mcap::Mcap::new(to, self.bench.head())?),
        };
        self.sinks.push((path, sink, None));
        Ok(())
    }

    /// Takes the next line; what goes wrong shows at the end.
    pub fn take(&mut self, line: &Line) {
        let Some(seen) = self.bench.see(line) else { return };
        for (_, sink, failed) in &mut self.sinks {
            if failed.is_none() {
                *failed = sink.take(&seen).err();
            }
        }
    }

    /// The run ended at `end`: completes all traces.
    ///
    /// # Errors
    /// The first that came up for any of them, with its path.
    pub fn finish(&mut self, end: SimTime) -> Result<(), (PathBuf, io::Error)> {
        for (path, sink, failed) in &mut self.sinks {
            let done = failed.take().map_or_else(|| sink.finish(end), Err);
            done.map_err(|error| (path.clone(), error))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sinks.iter().map(|(path, ..)| path)).finish()
    }
}

/// Seconds with `places` decimals, rounded down.
fn seconds(nanos: u64, places: usize) -> String {
    let fraction = format!("{:09}", nanos % 1_000_000_000);
    format!("{}.{}", nanos / 1_000_000_000, &fraction[..places])
}
