//! VCD: states of nodes, supply, safety units, update and coolant as waveforms, and on request the bus line bit by bit.
//!
//! Read by GTKWave, Surfer, sigrok. The line is that of channel 0, as the CIOC hears it: 1 is recessive. It is shown in
//! a *window* of time only, because a second of it is more than the rest of a run; outside the window it reads 1 and
//! `can0_shown` reads 0. Until the window everything is written as it comes; from its beginning on it is kept until the
//! end, since a frame is known only when it is over and changes must stand in the order of time.
//! Each state is there twice: as a number, for tools, and as a text, for people (GTKWave's and Surfer's string type).

mod safety;

use std::collections::BTreeMap;
use std::io::{self, Write};

use ::vcd::{IdCode, SimulationCommand, TimescaleUnit, Value as Bit, VarType, Writer};
use protocol::cyclic::Status;
use protocol::ids::{self, PumpNumber};
use serde_json::Value;

use super::{Frame, Seen, Sink, What};
use crate::bus::wire::Bits;
use crate::kernel::SimTime;
use crate::run::recording::Head;

/// A stretch of time: from and to, in nanoseconds.
pub type Window = (u64, u64);

/// Names of a state's values, the number first; what is not in the list is shown as unknown.
type Names = &'static [&'static str];

/// As `cooling.dbc` numbers them.
const PUMP_STATES: Names = &["standby", "automatic", "fixed", "fail-safe", "bootloader", "updating"];
const LINK_STATES: Names = &["off", "joining", "active", "passive", "bus-off", "stopped"];
const PHASES: Names = &[
    "none",
    "standby",
    "enter-bootloader",
    "session",
    "security",
    "erase",
    "download",
    "transfer",
    "exit",
    "check",
    "reset",
    "status-check",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Bit(bool),
    Number(i64, u32),
    Text(String),
}

/// Signals of one node.
#[derive(Clone, Copy)]
struct NodeSignals {
    power: IdCode,
    running: IdCode,
    link: (IdCode, IdCode),
    tec: IdCode,
    rec: IdCode,
}

/// Further signals of one pump.
#[derive(Clone, Copy)]
struct PumpSignals {
    state: (IdCode, IdCode),
    motor: IdCode,
    supply: IdCode,
    connected: IdCode,
}

/// Signals of the whole.
#[derive(Clone, Copy)]
struct Common {
    can0: Option<(IdCode, IdCode)>,
    errors: IdCode,
    level: IdCode,
    feed: IdCode,
    update_pump: IdCode,
    update_try: IdCode,
    phase: (IdCode, IdCode),
    flow: IdCode,
    coolant: IdCode,
    injections: IdCode,
}

/// Writes VCD.
pub(super) struct Vcd<W: Write> {
    to: Writer<W>,
    bit_ns: u64,
    window: Option<Window>,
    common: Common,
    nodes: BTreeMap<String, NodeSignals>,
    pumps: BTreeMap<String, PumpSignals>,
    units: BTreeMap<String, safety::UnitSignals>,
    /// Faults that each CPU of a unit detected since it started.
    faults: BTreeMap<IdCode, i64>,
    last: BTreeMap<IdCode, Change>,
    stamped: Option<u64>,
    /// What is kept from the window's beginning on.
    held: BTreeMap<u64, Vec<(IdCode, Change)>>,
    /// Changes of the line by the start of their frame; those of a disturbed attempt replace the frame's.
    line: BTreeMap<u64, Vec<(u64, bool)>>,
    error_frames: i64,
    injections: i64,
    updating: Option<String>,
}

fn number<W: Write>(to: &mut Writer<W>, width: u32, name: &str) -> io::Result<IdCode> {
    to.add_var(VarType::Reg, width, name, None)
}

fn state<W: Write>(to: &mut Writer<W>, width: u32, name: &str) -> io::Result<(IdCode, IdCode)> {
    Ok((number(to, width, name)?, to.add_var(VarType::String, 1, &format!("{name}_name"), None)?))
}

impl<W: Write + Send> Vcd<W> {
    pub(super) fn new(to: W, head: &Head, window: Option<Window>) -> io::Result<Self> {
        let mut to = Writer::new(to);
        to.comment(&format!("cooltwin: scenario {} sha256 {}", head.name, head.sha256))?;
        let lists = [("state", PUMP_STATES), ("link", LINK_STATES), ("phase", PHASES), ("mode", safety::MODES)];
        for (what, names) in lists {
            let named: Vec<String> = names.iter().enumerate().map(|(value, name)| format!("{value} {name}")).collect();
            to.comment(&format!("{what}: {}", named.join(", ")))?;
        }
        to.timescale(1, TimescaleUnit::NS)?;
        to.add_module("cooltwin")?;
        let common = common(&mut to, window.is_some())?;
        let (mut nodes, mut pumps, mut units) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for name in &head.nodes {
            to.add_module(name)?;
            nodes.insert(name.clone(), node_signals(&mut to)?);
            if head.pumps.contains(name) {
                pumps.insert(name.clone(), pump_signals(&mut to)?);
            }
            if head.safety_units.contains(name) {
                units.insert(name.clone(), safety::signals(&mut to)?);
            }
            to.upscope()?;
        }
        to.upscope()?;
        to.enddefinitions()?;
        let mut vcd = Self {
            to,
            bit_ns: 1_000_000_000 / u64::from(head.bitrate.max(1)),
            window,
            common,
            nodes,
            pumps,
            units,
            faults: BTreeMap::new(),
            last: BTreeMap::new(),
            stamped: None,
            held: BTreeMap::new(),
            line: BTreeMap::new(),
            error_frames: 0,
            injections: 0,
            updating: None,
        };
        vcd.begin()?;
        Ok(vcd)
    }

    /// What every signal is at the start, as far as that is known.
    fn begin(&mut self) -> io::Result<()> {
        self.to.timestamp(0)?;
        self.stamped = Some(0);
        self.to.begin(SimulationCommand::Dumpvars)?;
        let Common { can0, errors, feed, update_pump, update_try, phase, injections, .. } = self.common;
        for (id, width) in [(errors, 32), (update_pump, 5), (update_try, 8), (injections, 16)] {
            self.set(0, id, Change::Number(0, width))?;
        }
        self.set(0, feed, Change::Bit(true))?;
        self.set_state(0, phase, 4, PHASES, "none")?;
        if let Some((line, shown)) = can0 {
            self.write(0, line, Change::Bit(true))?;
            self.write(0, shown, Change::Bit(self.window.is_some_and(|(from, _)| from == 0)))?;
        }
        for node in self.nodes.clone().into_values() {
            self.set(0, node.power, Change::Bit(false))?;
            self.set(0, node.running, Change::Bit(false))?;
            self.set_state(0, node.link, 3, LINK_STATES, "off")?;
            self.set(0, node.tec, Change::Number(0, 16))?;
            self.set(0, node.rec, Change::Number(0, 16))?;
        }
        for pump in self.pumps.clone().into_values() {
            self.set(0, pump.connected, Change::Bit(true))?;
            self.set(0, pump.motor, Change::Number(0, 16))?;
        }
        for unit in self.units.clone().into_values() {
            for cpu in unit.cpus {
                self.set_state(0, cpu.mode, 3, safety::MODES, "off")?;
                self.set(0, cpu.faults, Change::Number(0, 16))?;
            }
            self.set(0, unit.main, Change::Bit(false))?;
            for (id, width) in [(unit.live, 14), (unit.coils, 8), (unit.contacts, 8)] {
                self.set(0, id, Change::Number(0, width))?;
            }
        }
        self.to.end()
    }

    /// A signal has this value from `time` on: written now, or kept if the window has begun.
    fn set(&mut self, time: u64, id: IdCode, change: Change) -> io::Result<()> {
        if self.last.get(&id) == Some(&change) {
            return Ok(());
        }
        self.last.insert(id, change.clone());
        if self.window.is_some_and(|(from, _)| from <= time && time > 0) {
            self.held.entry(time).or_default().push((id, change));
            return Ok(());
        }
        self.write(time, id, change)
    }

    fn write(&mut self, time: u64, id: IdCode, change: Change) -> io::Result<()> {
        if self.stamped != Some(time) {
            self.to.timestamp(time)?;
            self.stamped = Some(time);
        }
        match change {
            Change::Bit(bit) => self.to.change_scalar(id, bit),
            Change::Number(value, width) => {
                let bits = (0..width).rev().map(|place| Bit::from(value >> place & 1 == 1));
                self.to.change_vector(id, bits)
            }
            Change::Text(text) => self.to.change_string(id, &text),
        }
    }

    fn set_state(
        &mut self,
        time: u64,
        (id, name_id): (IdCode, IdCode),
        width: u32,
        names: Names,
        name: &str,
    ) -> io::Result<()> {
        let Some(value) = names.iter().position(|known| *known == name) else { return Ok(()) };
        self.set(time, id, Change::Number(value as i64, width))?;
        self.set(time, name_id, Change::Text(name.to_owned()))
    }

    fn other(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        let (time, line) = (seen.time, seen.line);
        let data = &line.data;
        match line.kind.as_str() {
            "phase" => self.phase(time, data),
            "outcome" => self.outcome(time, data),
            "level" if line.node == "supply" => self.set_number(time, self.common.level, &data["from_mv"], 32),
            "switched" if line.node == "pumps' feed" => {
                self.set(time, self.common.feed, Change::Bit(data["on"] == true))
            }
            "state" if line.node == "coolant" => {
                self.set_number(time, self.common.flow, &data["flow_dl_per_min"], 16)?;
                self.set_number(time, self.common.coolant, &data["coolant_dc"], 16)
            }
            "injection-begun" => self.count_injection(time, 1),
            "injection-ended" => self.count_injection(time, -1),
            _ => self.node(time, &line.node, &line.kind, data),
        }
    }

    fn set_number(&mut self, time: u64, id: IdCode, value: &Value, width: u32) -> io::Result<()> {
        value.as_i64().map_or(Ok(()), |value| self.set(time, id, Change::Number(value, width)))
    }

    fn count_injection(&mut self, time: u64, by: i64) -> io::Result<()> {
        self.injections += by;
        self.set(time, self.common.injections, Change::Number(self.injections, 16))
    }

    fn phase(&mut self, time: u64, data: &Value) -> io::Result<()> {
        let pump = data["pump"].as_str().unwrap_or_default();
        self.updating = Some(pump.to_owned());
        let number = pump.trim_start_matches('P').parse().unwrap_or(0);
        self.set(time, self.common.update_pump, Change::Number(number, 5))?;
        self.set_number(time, self.common.update_try, &data["attempt"], 8)?;
        self.set_state(time, self.common.phase, 4, PHASES, data["phase"].as_str().unwrap_or_default())
    }

    fn outcome(&mut self, time: u64, data: &Value) -> io::Result<()> {
        if data["outcome"] == "updating" || data["pump"].as_str() != self.updating.as_deref() {
            return Ok(());
        }
        self.updating = None;
        self.set(time, self.common.update_pump, Change::Number(0, 5))?;
        self.set(time, self.common.update_try, Change::Number(0, 8))?;
        self.set_state(time, self.common.phase, 4, PHASES, "none")
    }

    fn node(&mut self, time: u64, name: &str, kind: &str, data: &Value) -> io::Result<()> {
        if let Some(node) = self.nodes.get(name).copied() {
            match kind {
                "power-good" => self.set(time, node.power, Change::Bit(true))?,
                "power-lost" => self.set(time, node.power, Change::Bit(false))?,
                "started" => self.set(time, node.running, Change::Bit(true))?,
                "off" | "reset" => self.set(time, node.running, Change::Bit(false))?,
                "error-counters" => {
                    if let Some(state) = data["state"].as_str() {
                        self.set_state(time, node.link, 3, LINK_STATES, state)?;
                    }
                    self.set_number(time, node.tec, &data["tec"], 16)?;
                    self.set_number(time, node.rec, &data["rec"], 16)?;
                }
                _ => {}
            }
        }
        if let Some(unit) = self.units.get(name).copied() {
            return self.unit(time, &unit, kind, data);
        }
        let Some(pump) = self.pumps.get(name).copied() else { return Ok(()) };
        match (kind, data) {
            ("state", data) => {
                self.set_state(time, pump.state, 3, PUMP_STATES, data["state"].as_str().unwrap_or_default())
            }
            ("motor", data) => self.set_number(time, pump.motor, &data["permille"], 16),
            ("line", data) => self.set(time, pump.connected, Change::Bit(data["connected"] == true)),
            _ => Ok(()),
        }
    }

    fn unit(&mut self, time: u64, unit: &safety::UnitSignals, kind: &str, data: &Value) -> io::Result<()> {
        if let Some(cpu) = safety::cpu_of(unit, data) {
            let mode = match kind {
                "safety-started" => Some("starting"),
                "safety-stopped" => Some("off"),
                "safety-mode" => data["mode"].as_str(),
                _ => None,
            };
            if let Some(mode) = mode {
                self.set_state(time, cpu.mode, 3, safety::MODES, mode)?;
            }
            let faults = self.faults.entry(cpu.faults).or_default();
            match kind {
                "safety-started" => *faults = 0,
                "safety-detected" => *faults += 1,
                _ => {}
            }
            let faults = *faults;
            self.set(time, cpu.faults, Change::Number(faults, 16))?;
        }
        safety::changes(unit, kind, data).into_iter().try_for_each(|(id, change)| self.set(time, id, change))
    }

    /// A status tells what its pump measured.
    fn status(&mut self, time: u64, frame: &Frame) -> io::Result<()> {
        let Some(wire) = frame.wire() else { return Ok(()) };
        let embedded_can::Id::Standard(id) = wire.id() else { return Ok(()) };
        let Some((sender, status)) = ids::status_sender(id).and_then(|pump| Some((pump, Status::decode(pump, &wire)?)))
        else {
            return Ok(());
        };
        let Some(signals) = self.pumps.get(&pump_name(sender)).copied() else { return Ok(()) };
        self.set(time, signals.supply, Change::Number(i64::from(status.supply.get()), 16))
    }

    /// Keeps the line over a frame, unless it is known already that its attempt was disturbed.
    fn frame_bits(&mut self, frame: &Frame) {
        let Some(wire) = frame.wire() else { return };
        let bits = Bits::of(&wire);
        let levels = (0..bits.len()).map(|at| at != bits.ack_slot() && bits.recessive(at));
        let changes = changes(frame.start, self.bit_ns, levels.map(|level| (level, 1)));
        self.line.entry(frame.start).or_insert(changes);
    }

    fn overlaps(&self, start: u64, end: u64) -> bool {
        self.window.is_some_and(|(from, to)| start <= to && end >= from)
    }

    /// Puts the line's changes inside the window among the others.
    fn merge_line(&mut self) {
        let (Some((from, to)), Some((line, shown))) = (self.window, self.common.can0) else { return };
        let mut before = true;
        let mut inside: Vec<(u64, bool)> = Vec::new();
        for (time, level) in std::mem::take(&mut self.line).into_values().flatten() {
            match time {
                _ if time <= from => before = level,
                _ if time < to => inside.push((time, level)),
                _ => {}
            }
        }
        let whole = [(from, before)].into_iter().chain(inside).chain([(to, true)]);
        let mut last = Some(true);
        for (time, level) in whole.filter(|(_, level)| last.replace(*level) != Some(*level)) {
            self.held.entry(time).or_default().push((line, Change::Bit(level)));
        }
        for (time, is) in [(from, true), (to, false)] {
            self.held.entry(time).or_default().push((shown, Change::Bit(is)));
        }
    }
}

/// The changes of a line that is recessive before and after, by bits in a row.
fn changes(start: u64, bit_ns: u64, runs: impl Iterator<Item = (bool, u64)>) -> Vec<(u64, bool)> {
    let (mut at, mut last) = (start, true);
    let mut changes = Vec::new();
    for (level, bits) in runs.filter(|(_, bits)| *bits > 0) {
        if level != last {
            changes.push((at, level));
        }
        (at, last) = (at + bits * bit_ns, level);
    }
    if !last {
        changes.push((at, true));
    }
    changes
}

fn pump_name(pump: PumpNumber) -> String {
    format!("P{:02}", pump.get())
}

fn common<W: Write>(to: &mut Writer<W>, with_line: bool) -> io::Result<Common> {
    to.add_module("bus")?;
    let can0 = if with_line { Some((to.add_wire(1, "can0")?, to.add_wire(1, "can0_shown")?)) } else { None };
    let errors = number(to, 32, "error_frames")?;
    to.upscope()?;
    to.add_module("supply")?;
    let level = number(to, 32, "level_mv")?;
    let feed = to.add_wire(1, "pumps_feed")?;
    to.upscope()?;
    to.add_module("update")?;
    let (update_pump, update_try, phase) = (number(to, 5, "pump")?, number(to, 8, "try")?, state(to, 4, "phase")?);
    to.upscope()?;
    to.add_module("coolant")?;
    let (flow, coolant) = (number(to, 16, "flow_dl_per_min")?, number(to, 16, "temperature_dc")?);
    to.upscope()?;
    to.add_module("faults")?;
    let injections = number(to, 16, "active")?;
    to.upscope()?;
    Ok(Common { can0, errors, level, feed, update_pump, update_try, phase, flow, coolant, injections })
}

fn node_signals<W: Write>(to: &mut Writer<W>) -> io::Result<NodeSignals> {
    Ok(NodeSignals {
        power: to.add_wire(1, "power")?,
        running: to.add_wire(1, "running")?,
        link: state(to, 3, "link")?,
        tec: number(to, 16, "tec")?,
        rec: number(to, 16, "rec")?,
    })
}

fn pump_signals<W: Write>(to: &mut Writer<W>) -> io::Result<PumpSignals> {
    Ok(PumpSignals {
        state: state(to, 3, "state")?,
        motor: number(to, 16, "motor_permille")?,
        supply: number(to, 16, "measured_supply_mv")?,
        connected: to.add_wire(1, "connected")?,
    })
}

impl<W: Write + Send> Sink for Vcd<W> {
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        match &seen.what {
            What::Frame(frame) => {
                if seen.channel == 0 && self.overlaps(frame.start, seen.time) {
                    self.frame_bits(frame);
                }
                self.status(seen.time, frame)
            }
            What::Error(_) => {
                self.error_frames += 1;
                self.set(seen.time, self.common.errors, Change::Number(self.error_frames, 32))
            }
            What::Levels { start, runs } => {
                if seen.channel == 0 && self.overlaps(*start, seen.time) {
                    let levels = runs.iter().enumerate().map(|(place, bits)| (place % 2 == 0, *bits));
                    self.line.insert(*start, changes(*start, self.bit_ns, levels));
                }
                Ok(())
            }
            What::Other => self.other(seen),
        }
    }

    fn finish(&mut self, end: SimTime) -> io::Result<()> {
        self.merge_line();
        for (time, changes) in std::mem::take(&mut self.held) {
            for (id, change) in changes {
                self.write(time, id, change)?;
            }
        }
        if self.stamped.is_none_or(|stamped| stamped < end.as_nanos()) {
            self.to.timestamp(end.as_nanos())?;
        }
        self.to.flush()
    }
}
