//! `cooltwin convert`: the timing of updates from logs of the bus, the twin's and a real machine's side by side.
//!
//! What a phase is stands in `export::update`; it is told from frames alone, so the same rules hold for every log.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::Millis;
use serde::Serialize;

use super::{Style, Terminal, exit};
use crate::export::log::{self, LogError};
use crate::export::uds::{Listener, service_name};
use crate::export::update::{Phase, ServiceCount, Update, Updates};
use crate::export::{Bench, What};
use crate::run::recording::Reader;

/// Name and version of the JSON form.
const SCHEMA: &str = "cooltwin.update-timing/1";

/// Arguments of `cooltwin convert`.
#[derive(Args, Clone, Debug)]
pub(super) struct ConvertArgs {
    /// Texts of `candump -L`, as `run --candump` and a real interface write them, or recordings, as `run --record` writes
    /// them; each gets a column.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    style: Style,
}

/// What one log holds.
#[derive(Serialize)]
struct Timing {
    path: String,
    frames: u64,
    error_frames: u64,
    messages_broken_off: u64,
    services: Vec<Service>,
    updates: Vec<Update>,
}

#[derive(Serialize)]
struct Service {
    id: String,
    name: &'static str,
    #[serde(flatten)]
    count: ServiceCount,
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    logs: Vec<Timing>,
}

/// Reports on the logs that `arguments` name.
pub(super) fn convert(arguments: &ConvertArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let logs: Result<Vec<Timing>, String> = arguments.logs.iter().map(|path| timing(path)).collect();
    let logs = match logs {
        Ok(logs) => logs,
        Err(why) => {
            terminal.diagnostic(&format!("error: {why}\n"));
            return exit::USAGE.into();
        }
    };
    let found = logs.iter().any(|log| !log.updates.is_empty());
    let text = if arguments.json { json(logs) } else { table(&logs) };
    if !found {
        terminal.diagnostic("error: no update is in any log\n");
    }
    terminal.finish(&text, if found { exit::PASS } else { exit::NOTHING })
}

fn json(logs: Vec<Timing>) -> String {
    serde_json::to_string(&Report { schema: SCHEMA, logs }).unwrap_or_default() + "\n"
}

/// Collects while frames come.
#[derive(Default)]
struct Collector {
    listener: Listener,
    updates: Updates,
    frames: u64,
    error_frames: u64,
}

impl Collector {
    fn frame(&mut self, time: u64, id: u32, extended: bool, data: &[u8]) {
        self.frames += 1;
        if extended {
            return;
        }
        if let Some(message) = self.listener.hear(time, id, data) {
            self.updates.hear(&message);
        }
    }

    fn finish(self, path: &Path) -> Timing {
        let (updates, services) = self.updates.finish();
        let service =
            |(id, count): (u8, ServiceCount)| Service { id: format!("0x{id:02X}"), name: service_name(id), count };
        Timing {
            path: path.display().to_string(),
            frames: self.frames,
            error_frames: self.error_frames,
            messages_broken_off: self.listener.broken_off,
            services: services.into_iter().map(service).collect(),
            updates,
        }
    }
}

/// Which files can be read, and how to come by one.
const READS: &str = "help: convert reads texts of `candump -L` and recordings: `cooltwin run SCENARIO --candump FILE` writes the \
                     one, `--record` the other";

/// The format of a file that is none of those, by its first bytes.
fn other_format(head: &[u8]) -> Option<&'static str> {
    let formats: [(&[u8], &str); 7] = [
        (&[0x0A, 0x0D, 0x0D, 0x0A], "a pcapng file"),
        (&[0xD4, 0xC3, 0xB2, 0xA1], "a pcap file"),
        (&[0xA1, 0xB2, 0xC3, 0xD4], "a pcap file"),
        (b"\x89MCAP", "an MCAP file"),
        (b"$date", "a VCD file"),
        (b"date ", "a Vector ASC file"),
        (b"LOGG", "a Vector BLF file"),
    ];
    formats.iter().find(|(begin, _)| head.starts_with(begin)).map(|(_, format)| *format)
}

fn timing(path: &Path) -> Result<Timing, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("cannot use {}: {error}", path.display());
    let mut file = BufReader::new(File::open(path).map_err(|error| wrong(&error))?);
    let head = file.fill_buf().map_err(|error| wrong(&error))?;
    if let Some(format) = other_format(head) {
        return Err(wrong(&format!("it is {format}\n{READS}")));
    }
    let is_recording = head.starts_with(b"{\"format\"");
    let mut collector = Collector::default();
    if is_recording {
        from_recording(&mut collector, file).map_err(|error| wrong(&error))?;
    } else {
        from_log(&mut collector, file).map_err(|error| match error {
            LogError::Io(_) => wrong(&error),
            LogError::BadLine(..) | LogError::NoText(_) => wrong(&format!("{error}\n{READS}")),
        })?;
    }
    Ok(collector.finish(path))
}

fn from_recording(to: &mut Collector, file: impl BufRead) -> Result<(), crate::run::recording::ReadError> {
    let reader = Reader::new(file)?;
    let mut bench = Bench::new(reader.head());
    for line in reader {
        let line = line?;
        match bench.see(&line).map(|seen| (seen.time, seen.what)) {
            Some((time, What::Frame(frame))) => to.frame(time, frame.id, frame.extended, &frame.data),
            Some((_, What::Error(_))) => to.error_frames += 1,
            _ => {}
        }
    }
    Ok(())
}

/// Times count from the log's first frame: what a real interface's clock showed then means nothing here.
fn from_log(to: &mut Collector, file: impl BufRead) -> Result<(), LogError> {
    let mut first = None;
    for frame in log::frames(file) {
        let frame = frame?;
        let time = frame.time.saturating_sub(*first.get_or_insert(frame.time));
        if frame.error {
            to.error_frames += 1;
        } else {
            to.frame(time, frame.id, frame.extended, &frame.data);
        }
    }
    Ok(())
}

/// One row for each phase of each try, one column for each log; between two logs, the difference.
fn table(logs: &[Timing]) -> String {
    let mut rows = vec![header(logs)];
    for (pump, number) in tries(logs) {
        let of: Vec<Option<&Update>> = logs
            .iter()
            .map(|log| log.updates.iter().find(|update| update.pump == pump && update.r#try == number))
            .collect();
        for phase in Phase::ALL {
            let times: Vec<Option<Millis>> = of.iter().map(|update| update.and_then(|u| u.duration(phase))).collect();
            if times.iter().any(Option::is_some) {
                rows.push(row(format!("{pump} try {number}  {}", phase.name()), &times));
            }
        }
        let totals: Vec<Option<Millis>> = of.iter().map(|update| update.map(|update| update.total_ms)).collect();
        let stopped = of.iter().flatten().any(|update| !update.complete);
        let total = if stopped { "total, stopped" } else { "total" };
        rows.push(row(format!("{pump} try {number}  {total}"), &totals));
    }
    aligned(&rows)
}

fn header(logs: &[Timing]) -> Vec<String> {
    let names = logs.iter().map(|log| log.path.clone());
    let difference = (logs.len() == 2).then(|| "difference".to_owned());
    std::iter::once("in ms".to_owned()).chain(names).chain(difference).collect()
}

/// Pump and number of every try of any log, in the order of their beginnings in the first log that has them.
fn tries(logs: &[Timing]) -> Vec<(String, u32)> {
    let mut tries = Vec::new();
    for update in logs.iter().flat_map(|log| &log.updates) {
        let key = (update.pump.clone(), update.r#try);
        if !tries.contains(&key) {
            tries.push(key);
        }
    }
    tries
}

fn row(name: String, times: &[Option<Millis>]) -> Vec<String> {
    let text = |time: &Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| micros(time.as_nanos()));
    let difference = match times {
        [Some(one), Some(other)] => Some(signed(other.as_nanos() - one.as_nanos())),
        [_, _] => Some("-".to_owned()),
        _ => None,
    };
    std::iter::once(name).chain(times.iter().map(text)).chain(difference).collect()
}

/// Milliseconds with three decimals: candump has no finer ones.
fn micros(nanos: i64) -> String {
    let micros = nanos / 1_000;
    format!("{}{}.{:03}", if micros < 0 { "-" } else { "" }, micros.abs() / 1_000, micros.abs() % 1_000)
}

fn signed(nanos: i64) -> String {
    let text = micros(nanos);
    if nanos >= 1_000 { format!("+{text}") } else { text }
}

/// The first column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text.push('\n');
    }
    text
}
