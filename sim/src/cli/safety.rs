//! `cooltwin safety compile|show|explain|download`: from a drawn configuration to the binary that units store, and to a picture.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::download::{DownloadArgs, download};
use super::explain::explain;
use super::{Disk, Style, Terminal, exit, files};
use crate::safety::binary::section_length;
use crate::safety::{CONFIGURATION, CanLoad, Compiled, load, picture};
use crate::scenario::diagnostic::nearest;
use crate::scenario::quantity::{self, Bitrate, Quantity};

/// From this share of the bus on, safety frames are likely to keep a pump's update from its 70 s (own number).
const CAN_LOAD_PERMILLE_MOST: u64 = 300;

/// Subcommands of `cooltwin safety`.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum SafetyCommand {
    /// Compile a configuration; prints hash, CRC, sizes and the response path of each node.
    Compile {
        /// Configuration file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Write the binary to this file; nothing is written when anything is wrong.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
        /// Bit rate at which the load of the CAN bus is told.
        #[arg(long, value_name = "RATE", default_value = "250kbit/s", value_parser = bitrate)]
        bitrate: Bitrate,
        #[command(flatten)]
        style: Style,
    },
    /// Show a configuration: its pins, groups and blocks as text, and as a drawing.
    Show {
        /// Configuration file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Show one node only.
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// Write the block diagrams to this SVG file.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        #[command(flatten)]
        style: Style,
    },
    /// Explain the fields of configuration files, with type, unit, range, default and requirement: units, pins, groups, blocks.
    Explain {
        /// Path of a field, for instance nodes.blocks.kind.Latch, or its end (Latch); or a type that another page names
        /// (BlockKind); or the code of an error, as `scenario explain` has them; everything at the top without one.
        #[arg(value_name = "PATH", default_value = "")]
        path: String,
        #[command(flatten)]
        style: Style,
    },
    /// Download a configuration to a unit of a scenario, over its simulated interface; tells success or failure.
    Download(DownloadArgs),
}

/// Does what `command` says.
pub(super) fn safety(command: &SafetyCommand) -> ExitCode {
    match command {
        SafetyCommand::Compile { file, out, json, bitrate, style } => {
            compile(file, out.as_deref(), *json, *bitrate, Terminal::new(style))
        }
        SafetyCommand::Show { file, node, svg, style } => {
            show(file, node.as_deref(), svg.as_deref(), Terminal::new(style))
        }
        SafetyCommand::Explain { path, style } => explain(CONFIGURATION, "a configuration", path, Terminal::new(style)),
        SafetyCommand::Download(arguments) => download(arguments),
    }
}

fn bitrate(text: &str) -> Result<Bitrate, String> {
    let rate: Option<Bitrate> = quantity::parse(text).ok().filter(|rate: &Bitrate| rate.base() > 0);
    rate.ok_or_else(|| "a bit rate, for instance 250kbit/s".to_owned())
}

fn compile(file: &Path, out: Option<&Path>, json: bool, bitrate: Bitrate, terminal: Terminal) -> ExitCode {
    let compiled = match load(&Disk, file) {
        Ok(compiled) => compiled,
        Err(error) => return files::print(&error, terminal).into(),
    };
    if let Some(code) = out.and_then(|out| write(out, &compiled.bytes, terminal)) {
        return code;
    }
    let mut notes = compiled.notes();
    notes.extend(load_note(compiled.can_load(), bitrate));
    let result = if json { object(&compiled, bitrate, &notes, out) } else { text(&compiled, bitrate, &notes, out) };
    terminal.finish(&result, exit::PASS)
}

fn show(file: &Path, node: Option<&str>, svg: Option<&Path>, terminal: Terminal) -> ExitCode {
    let compiled = match load(&Disk, file) {
        Ok(compiled) => compiled,
        Err(error) => return files::print(&error, terminal).into(),
    };
    let known: Vec<&str> = compiled.diagram.nodes.iter().map(|node| node.name.as_str()).collect();
    if let Some(name) = node.filter(|name| !known.contains(name)) {
        let near = nearest(name, known.iter().copied());
        let near = near.map_or(String::new(), |near| format!("help: did you mean `{near}`?\n"));
        let text = format!("error: there is no node `{name}`\n{near}help: there is: {}\n", known.join(", "));
        terminal.diagnostic(&text);
        return exit::USAGE.into();
    }
    let mut text = picture::text(&compiled, node);
    if let Some(svg) = svg {
        let drawing = reports::diagram(&picture::drawing(&compiled, node)).document();
        if let Some(code) = write(svg, drawing.as_bytes(), terminal) {
            return code;
        }
        text.push_str(&format!("\nwritten to {}\n", svg.display()));
    }
    terminal.finish(&text, exit::PASS)
}

/// The exit code, if the file could not be written, which is then told.
fn write(path: &Path, bytes: &[u8], terminal: Terminal) -> Option<ExitCode> {
    let error = write_whole(path, bytes).err()?;
    terminal.diagnostic(&format!("error: cannot write {}: {error}\n", path.display()));
    Some(exit::USAGE.into())
}

/// Writes beside the place and renames, so that there is never half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.draft-{}", std::process::id()));
    let written = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        // What is left of a draft helps nobody.
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn load_note(load: CanLoad, bitrate: Bitrate) -> Option<String> {
    let most = CanLoad::permille(load.bits_most, bitrate.bits_per_second());
    (most > CAN_LOAD_PERMILLE_MOST).then(|| {
        format!(
            "the CAN frames take up to {} of a bus of {bitrate}: updates of pumps on the same bus take much longer",
            percent(most)
        )
    })
}

fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn text(compiled: &Compiled, bitrate: Bitrate, notes: &[String], out: Option<&Path>) -> String {
    let mut lines = String::new();
    let mut line = |text: String| writeln!(lines, "{text}").expect("a string takes any text");
    let count = |things: usize, one: &str, many: &str| reports::counted(things as u64, one, many);
    let nodes = count(compiled.network.nodes.len(), "node", "nodes");
    line(format!("{}  network 0x{:08X}, {nodes}", compiled.name, compiled.network.id));
    line(format!("  hash   0x{:08X}", compiled.hash));
    line(format!("  CRC    0x{:08X}", compiled.crc));
    line(format!("  bytes  {}", compiled.bytes.len()));
    let parts = compiled.network.nodes.iter().zip(&compiled.diagram.nodes).zip(compiled.responses());
    for ((node, drawn), response) in parts {
        let section = &node.section;
        line(format!(
            "\n  {}  serial 0x{:08X}: {}, {} and {}, {} bytes",
            drawn.name,
            node.serial,
            count(section.blocks.len(), "block", "blocks"),
            count(section.inputs.len(), "input group", "input groups"),
            count(section.outputs.len(), "output group", "output groups"),
            section_length(section),
        ));
        let (least, limit) = (response.least_ms(), compiled.network.response_ms);
        line(format!("    response path {least} ms of {limit} ms: {response}"));
    }
    let load = compiled.can_load();
    if load.frames > 0 {
        let share = |bits| percent(CanLoad::permille(bits, bitrate.bits_per_second()));
        let (least, most) = (share(load.bits_least), share(load.bits_most));
        let frames = reports::counted(u64::from(load.frames), "frame", "frames");
        line(format!("\n  CAN: {frames} in 10 ms, {least} to {most} of {bitrate}"));
    }
    for note in notes {
        line(format!("\nnote: {note}"));
    }
    if let Some(out) = out {
        line(format!("\nwritten to {}", out.display()));
    }
    lines
}

fn object(compiled: &Compiled, bitrate: Bitrate, notes: &[String], out: Option<&Path>) -> String {
    let parts = compiled.network.nodes.iter().zip(&compiled.diagram.nodes).zip(compiled.responses());
    let nodes: Vec<serde_json::Value> = parts
        .map(|((node, drawn), response)| {
            let path: Vec<_> =
                response.parts.iter().map(|part| serde_json::json!({ "what": part.what, "ms": part.ms })).collect();
            serde_json::json!({
                "name": drawn.name,
                "serial": format!("0x{:08X}", node.serial),
                "blocks": node.section.blocks.len(),
                "input_groups": node.section.inputs.len(),
                "output_groups": node.section.outputs.len(),
                "bytes": section_length(&node.section),
                "response_least_ms": response.least_ms(),
                "response_path": path,
            })
        })
        .collect();
    let load = compiled.can_load();
    let mut text = serde_json::json!({
        "name": compiled.name,
        "file": compiled.file.path,
        "file_sha256": compiled.file.sha256,
        "network": format!("0x{:08X}", compiled.network.id),
        "hash": format!("0x{:08X}", compiled.hash),
        "crc": format!("0x{:08X}", compiled.crc),
        "bytes": compiled.bytes.len(),
        "response_ms": compiled.network.response_ms,
        "nodes": nodes,
        "can_frames_in_10ms": load.frames,
        "can_bits_per_second_least": load.bits_least,
        "can_bits_per_second_most": load.bits_most,
        "can_bitrate": bitrate.bits_per_second(),
        "notes": notes,
        "out": out.map(|out| out.display().to_string()),
    })
    .to_string();
    text.push('\n');
    text
}
