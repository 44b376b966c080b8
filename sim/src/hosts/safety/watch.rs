//! What is measured at a unit, from outside its firmware.
//!
//! A *reaction* is the time from an event to the instant at which nothing of the unit is driven any more. A *gap* is the time
//! between two tests of the same memory; it is counted per block of words or row of bytes that a step covered as a whole.

use std::collections::VecDeque;
use std::sync::Arc;

use safety_common::configuration::Role;
use safety_common::fault::{Detection, Fault, Reaction};
use safety_common::flash_map;
use safety_common::io::{C2cReceived, Mode, ResetCause, TickOutputs};
use safety_common::signal::Signal;
use safety_common::simplecan::ENTRIES;
use safety_common::{NODES_MOST, PINS, c2c};

use super::core::Touched;
use super::demands::{Demand, Sender, Settled};
use super::lives::Lives;
use super::networks::{Came, Common, Doubt, places};
use super::off::{Contacts, Driving, GroupOff, Off, Overstay, Relays, TICK};
use super::passes::{Rounds, Rows, Worst};
use super::supply::SupplyWatch;
use super::witness::{Told, Witness};
use crate::kernel::{SimTime, Span};
use crate::safety::binary::Section;

/// Words of a block of which the tests are counted: the shortest that either CPU tests at a time.
const BLOCK: u32 = 8;
const RAM_WORDS: u32 = 16_384;
/// Outputs are off so long after a CPU has left the normal mode (SSR-065).
const ALONE_MOST: Span = Span::from_micros(22_100);
/// 20 ms of the fastest clock, less the grain of its time stamps: a packet that comes so long after the last one may be too late (SSR-021).
const SILENCE_LEAST: Span = Span::from_micros(19_979);
/// A CPU that has made no step for so long stands still: what it does not test is not its tests' fault.
const STANDS_STILL: Span = Span::from_millis(100);
/// So many detections of a CPU are kept of each life: one in the safe state may find the same in each step.
const DETECTIONS_MOST: usize = 100;
/// Both RAM tests come to every word with six backgrounds in turn.
const BACKGROUNDS: usize = 6;

/// What is to be known of a step beside its outputs.
#[derive(Clone, Copy, Debug)]
pub struct Stepped<'a> {
    /// What it takes in ns of the CPU's own time.
    pub logic: u64,
    /// What it wrote and read of the memories.
    pub touched: Touched,
    /// What came from the other CPU.
    pub packets: &'a [C2cReceived],
    /// What came over radio and CAN.
    pub came: Came<'a>,
    /// Whether the line to this CPU was ever disturbed.
    pub disturbed: bool,
    /// Pins that CPU1 left alone in the slots in which combined ones are read, in the tick that the step samples.
    pub free: u16,
}

/// What a CPU's packets tell the other one: input groups that it sees ON, output groups and relays that it wants on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tells {
    /// Input groups.
    pub inputs: u16,
    /// Output groups.
    pub outputs: u16,
    /// Relays.
    pub relays: u8,
}

/// What the witnesses of a CPU's logic say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony {
    /// Evaluations that were judged.
    pub judged: u64,
    /// The first time from which on nothing is claimed until the next start, and why.
    pub doubt: Option<(SimTime, Doubt)>,
    /// The first evaluation that was wrong, and how.
    pub wrong: Option<(SimTime, String)>,
}

/// What is measured at one CPU.
#[derive(Clone, Debug)]
pub struct CpuWatch {
    /// Logic time in ns of the own clock.
    pub logic: Worst,
    /// True time between two steps in ns.
    pub interval: Worst,
    /// Ticks of the hardware clock in normal mode.
    pub ticks: u64,
    /// Steps of normal mode that ended with a packet in it and with the watchdog served, which a step without its logic does not.
    pub evaluated: u64,
    /// Who knows what the logic must want, since the last start.
    pub witness: Option<Box<Witness>>,
    /// What the witnesses of earlier starts held against the CPU: evaluations, since when they claimed nothing, and the first wrong one.
    earlier: Testimony,
    /// Packets sent.
    pub packets: u64,
    /// Steps in a mode that sends packets.
    pub talking: u64,
    /// The first hundred detections of each life of the unit, and the first internal fault after each start.
    pub detections: Vec<(SimTime, Detection)>,
    /// How many of them are of the present life.
    of_life: usize,
    /// When it entered the safe state.
    pub safe_since: Option<SimTime>,
    /// When it entered normal mode last.
    pub normal_since: Option<SimTime>,
    /// When it first left the normal mode, for whatever reason: another mode, a reset, its supply.
    pub left_normal: Option<SimTime>,
    /// Steps that left something in the safe state: outputs, packets, frames.
    pub spoke_in_safe: u64,
    /// Steps in the safe state.
    pub safe_steps: u64,
    /// When it first left the safe state without a reset.
    pub left_safe: Option<SimTime>,
    /// Steps in normal mode that ended in the safe state.
    pub trips: u64,
    /// The first internal fault that it detected after each start.
    pub causes: Vec<(SimTime, Fault)>,
    /// Whether it has detected an internal fault since.
    has_cause: bool,
    /// Steps in configuration mode.
    pub configuring: u64,
    /// When it was first in configuration mode without a software reset before, or out of it without any.
    pub configuring_wrongly: Option<SimTime>,
    /// Changes of the flash that it asked for.
    pub flash_changes: u64,
    /// When it first asked for one outside the configuration mode.
    pub flash_changed_wrongly: Option<SimTime>,
    /// Times between two steps that can read a combined pin, for nothing of the unit held it, in ns. Of CPU1 alone.
    pub combined: Worst,
    /// Times from a combined pin's device that goes OFF to the step whose packet tells so, in ns.
    pub combined_steps: Worst,
    /// What its packets tell of itself.
    pub(super) tells: Tells,
    /// Groups with a combined pin whose device has gone OFF, and was not seen so yet.
    unseen: Vec<(u8, SimTime)>,
    /// A RAM pass with all backgrounds, at the first block.
    pub ram_pass: Worst,
    /// When the running tests began last, and when they ended with the normal mode.
    tests_began: SimTime,
    tests_ended: Option<SimTime>,
    mode: Mode,
    /// Whether the last reset was one by software.
    by_software: bool,
    last_step: Option<SimTime>,
    /// When good packets come that no step has looked at yet.
    arriving: VecDeque<SimTime>,
    /// When the last of those came that a step has looked at.
    last_good: SimTime,
    /// When the silence began that the last step could find.
    silent_since: SimTime,
    ram: Rounds,
    flash: Rounds,
    flash_rows: Rows,
    visits: VecDeque<SimTime>,
    read: [Option<SimTime>; PINS],
}

/// What is measured at a unit.
#[derive(Clone, Debug)]
pub struct Watch {
    /// By CPU.
    pub cpus: [CpuWatch; 2],
    /// Trips with something on.
    pub offs: Vec<Off>,
    /// When nothing was driven any more, last.
    pub last_off: Option<SimTime>,
    /// Why outputs had to go off, other than for what the unit found itself.
    pub demands: Vec<Demand>,
    /// What must be off by what the devices show.
    pub settled: Settled,
    /// The other nodes of the network, as they are heard.
    pub(super) senders: [Sender; NODES_MOST],
    /// When a frame of each CAN entry came last.
    pub(super) can_heard: [SimTime; ENTRIES],
    /// Its lives.
    pub lives: Lives,
    /// Input groups whose devices went OFF, or ON, and that nobody asked about yet.
    pub(super) gone_off: u16,
    /// See `gone_off`.
    pub(super) gone_on: u16,
    /// Whether both CPUs were in normal mode as others were last asked about it.
    pub(super) has_talked: bool,
    /// Pins and relays that came on, and that nobody asked about yet: since when.
    pub(super) came_on: Option<(SimTime, (u16, u8))>,
    /// An internal fault that other units were not asked about yet: when, what, by which CPU.
    pub(super) tripped_now: Option<(SimTime, Fault, u8)>,
    /// Detections of faults outside the unit that found a group on.
    pub outside: Vec<GroupOff>,
    /// How often something came on, and when first without both CPUs in normal mode.
    pub switched_on: u64,
    /// See `switched_on`.
    pub driven_outside: Option<SimTime>,
    /// When the lamp began and ended to show which unit this is.
    pub lamps: Vec<(SimTime, Option<SimTime>)>,
    /// What is driven: pins, coils.
    now_driven: (u16, u8),
    /// What was driven when, but for pins whose OFF signal has pulses: they are never quiet.
    pub driving: Driving,
    /// Those pins.
    never_quiet: u16,
    /// What the relays' contacts do.
    pub contacts: Contacts,
    /// By CPU: since when it is not in normal mode; none while it is.
    left: [Option<SimTime>; 2],
    /// By CPU: since when it tells all its outputs to be off, or has lost them in a reset.
    told: [Option<SimTime>; 2],
    /// Something is on while a CPU is not in normal mode, while one is in the safe state, and while both are.
    stays: [Overstay; 3],
    groups: Vec<u16>,
    /// The supply.
    pub supply: SupplyWatch,
    combined: u16,
    /// Input groups with a combined pin.
    combined_groups: u16,
    /// Input groups as a CPU first told them OFF after it had told them ON.
    pub told_off: Vec<(SimTime, u8)>,
    /// What the CPUs run, and the network that it is for.
    section: Arc<Section>,
    common: Arc<Common>,
    /// The network that it was for at each time: since when.
    networks: Vec<(SimTime, Arc<Common>)>,
    /// The first internal fault since the unit was last off or started: who, what, when, last good packet, crossing.
    tripped: Option<Off>,
    driven: bool,
}

impl CpuWatch {
    fn new() -> Self {
        Self {
            logic: Worst::default(),
            interval: Worst::default(),
            ticks: 0,
            evaluated: 0,
            witness: None,
            earlier: Testimony::default(),
            packets: 0,
            talking: 0,
            detections: Vec::new(),
            of_life: 0,
            safe_since: None,
            normal_since: None,
            left_normal: None,
            spoke_in_safe: 0,
            safe_steps: 0,
            left_safe: None,
            trips: 0,
            causes: Vec::new(),
            has_cause: false,
            configuring: 0,
            configuring_wrongly: None,
            flash_changes: 0,
            flash_changed_wrongly: None,
            by_software: false,
            combined: Worst::default(),
            combined_steps: Worst::default(),
            tells: Tells::default(),
            unseen: Vec::new(),
            ram_pass: Worst::default(),
            tests_began: SimTime::ZERO,
            tests_ended: Some(SimTime::ZERO),
            mode: Mode::Starting,
            last_step: None,
            arriving: VecDeque::new(),
            last_good: SimTime::ZERO,
            silent_since: SimTime::ZERO,
            ram: Rounds::new(RAM_WORDS / BLOCK),
            flash: Rounds::new(flash_map::LEN / flash_map::ROW as u32),
            flash_rows: Rows::new(),
            visits: VecDeque::new(),
            read: [None; PINS],
        }
    }

    /// A control of evidence: nothing of the logic was judged.
    pub fn claim_nothing(&mut self) {
        (self.witness, self.earlier) = (None, Testimony::default());
    }

    /// What all witnesses say together, in the order of the starts.
    #[must_use]
    pub fn testimony(&self) -> Testimony {
        let mut all = self.earlier.clone();
        if let Some(last) = &self.witness {
            all.judged += last.judged;
            all.doubt = all.doubt.or(last.doubt);
            all.wrong = all.wrong.or_else(|| last.wrong.clone());
        }
        all
    }

    /// A step looks at what has come. If the first packet that is new to it comes too late, it ends a silence that began with the last one
    /// before; else there is none but since the last of all.
    fn look(&mut self, now: SimTime) {
        let (before, mut first) = (self.last_good, None);
        while let Some(at) = self.arriving.pop_front_if(|at| *at <= now) {
            first.get_or_insert(at);
            self.last_good = at;
        }
        let is_late = first.is_some_and(|at| at.since(before) >= SILENCE_LEAST);
        self.silent_since = if is_late { before } else { self.last_good };
    }

    /// The internal fault that it has found since its last start, if it has.
    #[must_use]
    pub fn found_since_start(&self) -> Option<(SimTime, Fault)> {
        self.causes.last().copied().filter(|_| self.has_cause)
    }

    /// The greatest gap between two tests of the same block of RAM.
    #[must_use]
    pub fn ram_gap(&self, end: SimTime) -> Worst {
        self.ram.worst(self.tests_began, self.tested_until(end))
    }

    /// The greatest gap between two reads of the same row of flash by the running test.
    #[must_use]
    pub fn flash_gap(&self, end: SimTime) -> Worst {
        self.flash.worst(self.tests_began, self.tested_until(end))
    }

    /// How long the running tests have been under way since the last start.
    #[must_use]
    pub fn tested_for(&self, end: SimTime) -> Span {
        self.tested_until(end).since(self.tests_began)
    }

    /// When the last step was made, if it was more than `most` before the end.
    #[must_use]
    pub fn still_since(&self, end: SimTime, most: Span) -> Option<SimTime> {
        self.last_step.filter(|last| end.since(*last) > most)
    }

    fn tested_until(&self, end: SimTime) -> SimTime {
        self.tests_ended.or(self.still_since(end, STANDS_STILL)).unwrap_or(end)
    }

    /// What the CPU was told and tells by packets in a step.
    fn hear(&mut self, cpu: usize, now: SimTime, step: &Stepped<'_>, out: &TickOutputs) {
        if let Some(witness) = &mut self.witness {
            let packets = step.packets.iter().map(|packet| &packet.bytes[..]);
            let is_normal = self.mode == Mode::Normal;
            witness.hear(packets, step.disturbed, is_normal);
            if is_normal {
                witness.hear_networks(now, &step.came);
            }
            if let Some(packet) = out.c2c.as_ref().filter(|_| is_normal) {
                witness.judge(now, &Told { cpu, packet, forward: &out.forward, trace: &out.trace });
            }
        }
        let Some(packet) = &out.c2c else { return };
        let word = |at: usize| u16::from_le_bytes([packet[at], packet[at + 1]]);
        self.tells = Tells {
            inputs: word(c2c::at::INPUTS_ON),
            outputs: word(c2c::at::OUTPUTS_ON),
            relays: packet[c2c::at::RELAYS_ON],
        };
        let (inputs_on, steps) = (self.tells.inputs, &mut self.combined_steps);
        self.unseen.retain(|(group, since)| {
            let is_unseen = inputs_on >> group & 1 == 1;
            if !is_unseen {
                steps.add(now.since(*since).as_nanos(), now);
            }
            is_unseen
        });
    }

    /// The longest that a combined pin's step has not been seen at `end`.
    #[must_use]
    pub fn unseen(&self, end: SimTime) -> Option<Span> {
        self.unseen.iter().map(|(_, since)| end.since(*since)).max()
    }

    fn touch(&mut self, now: SimTime, touched: Touched) {
        let (low, high) = touched.ram;
        if low <= high {
            let blocks = low.div_ceil(BLOCK)..(high + 1) / BLOCK;
            if blocks.contains(&0) {
                self.visits.push_back(now);
                if self.visits.len() > BACKGROUNDS
                    && let Some(first) = self.visits.pop_front()
                {
                    self.ram_pass.add(now.since(first).as_nanos(), now);
                }
            }
            self.ram.test(blocks, now);
        }
        for (from, to) in touched.flash.iter() {
            self.flash_rows.read(from, to, |row| self.flash.test(row..row + 1, now));
        }
    }
}

impl Watch {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(section: &Section, common: &Arc<Common>) -> Self {
        let combined = section.pins.iter().enumerate();
        let combined = combined.fold(0, |bits, (n, pin)| bits | u16::from(pin.role == Role::Combined) << n);
        let never_quiet =
            (0..PINS).filter(|pin| section.pins[*pin].off != Signal::Low).fold(0, |bits, pin| bits | 1 << pin);
        let groups = section.inputs.iter().enumerate();
        let groups = groups.fold(0, |bits, (n, group)| bits | u16::from(group.pins & combined != 0) << n);
        Self {
            cpus: [CpuWatch::new(), CpuWatch::new()],
            offs: Vec::new(),
            last_off: None,
            demands: Vec::new(),
            settled: Settled::default(),
            senders: std::array::from_fn(|_| Sender::default()),
            can_heard: [SimTime::ZERO; ENTRIES],
            lives: Lives::default(),
            gone_off: 0,
            gone_on: 0,
            has_talked: false,
            came_on: None,
            tripped_now: None,
            outside: Vec::new(),
            switched_on: 0,
            driven_outside: None,
            lamps: Vec::new(),
            now_driven: (0, 0),
            driving: Driving::default(),
            never_quiet,
            contacts: Contacts::default(),
            left: [Some(SimTime::ZERO); 2],
            told: [None; 2],
            stays: [ALONE_MOST, ALONE_MOST, TICK].map(Overstay::new),
            groups: section.outputs.iter().map(|group| group.pins).collect(),
            supply: SupplyWatch::new((section.supply_min.into(), section.supply_max.into())),
            combined,
            combined_groups: groups,
            told_off: Vec::new(),
            section: Arc::new(section.clone()),
            common: common.clone(),
            networks: vec![(SimTime::ZERO, common.clone())],
            tripped: None,
            driven: false,
        }
    }

    /// The same with these relays.
    #[must_use]
    pub fn with(self, contacts: Contacts) -> Self {
        Self { contacts, ..self }
    }

    /// The lamp shows which unit this is, or does not; whether that is new.
    pub fn lamp(&mut self, now: SimTime, identifies: bool) -> bool {
        let lit = self.lamps.last_mut().filter(|(_, end)| end.is_none());
        match (lit, identifies) {
            (None, true) => self.lamps.push((now, None)),
            (Some((_, end)), false) => *end = Some(now),
            _ => return false,
        }
        true
    }

    /// The unit runs another configuration from now on.
    pub fn adopt(&mut self, section: &Section, common: &Arc<Common>) {
        let of = Self::new(section, common);
        self.groups = of.groups;
        self.supply.adopt(&of.supply);
        (self.combined, self.never_quiet) = (of.combined, of.never_quiet);
        self.combined_groups = of.combined_groups;
        (self.section, self.common) = (of.section, of.common);
    }

    /// A CPU is reset or loses its supply.
    pub fn stopped(&mut self, cpu: usize, now: SimTime) {
        let watch = &mut self.cpus[cpu];
        watch.unseen.clear();
        watch.tests_ended.get_or_insert(now);
        if watch.mode == Mode::Normal {
            watch.left_normal.get_or_insert(now);
        }
        self.lives.stops(cpu);
        self.left[cpu].get_or_insert(now);
        self.supply.counts(cpu, None);
        self.see_stays(now);
    }

    /// A CPU boots.
    pub fn booted(&mut self, cpu: usize, now: SimTime, cause: ResetCause) {
        if self.lives.boots(cpu, now) {
            self.cpus.iter_mut().for_each(|cpu| cpu.of_life = 0);
        }
        let watch = &mut self.cpus[cpu];
        watch.by_software = cause == ResetCause::Software;
        watch.mode = Mode::Starting;
        watch.safe_since = None;
        watch.normal_since = None;
        watch.arriving.clear();
        (watch.last_good, watch.silent_since) = (now, now);
        let (began, ended) = (watch.tests_began, watch.tested_until(now));
        watch.ram.restart(began, ended);
        watch.flash.restart(began, ended);
        watch.tests_began = now;
        watch.tests_ended = Some(now);
        watch.last_step = None;
        watch.visits.clear();
        watch.flash_rows = Rows::new();
        watch.read = [None; PINS];
        watch.earlier = watch.testimony();
        watch.witness = Some(Box::new(Witness::new(&self.section, &self.common)));
        (watch.tells, watch.unseen) = (Tells::default(), Vec::new());
        watch.has_cause = false;
        // A trip is over when all is off; a reset that leaves something on ends nothing.
        if !self.driven {
            self.tripped = None;
        }
        self.see_stays(now);
        if self.networks.last().is_none_or(|(_, last)| !Arc::ptr_eq(last, &self.common)) {
            self.networks.push((now, self.common.clone()));
        }
    }

    /// What the CPUs run now.
    #[must_use]
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// The network that it is for.
    #[must_use]
    pub const fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// The response time of what the unit ran then, in ms.
    #[must_use]
    pub fn response_ms(&self, then: SimTime) -> u64 {
        let ran = self.networks.iter().rev().find(|(since, _)| *since <= then);
        ran.map_or(self.common.network.response_ms, |(_, common)| common.network.response_ms).into()
    }

    /// What is driven: pins, relays.
    pub(super) const fn now_driven(&self) -> (u16, u8) {
        self.now_driven
    }

    /// Whether both CPUs are in normal mode.
    pub(super) fn is_normal(&self) -> bool {
        self.cpus.iter().all(|cpu| cpu.mode == Mode::Normal)
    }

    /// Whether a CPU evaluates its diagram.
    pub(super) fn works(&self) -> bool {
        self.cpus.iter().any(|cpu| cpu.mode == Mode::Normal)
    }

    /// Whether a CPU is in the safe state.
    pub(super) fn is_safe(&self) -> bool {
        self.cpus.iter().any(|cpu| cpu.mode == Mode::Safe)
    }

    /// Whether anything is driven.
    pub(super) const fn is_driven(&self) -> bool {
        self.driven
    }

    /// The device at an input group shows something else.
    pub fn device(&mut self, now: SimTime, group: u8, on: bool) {
        if self.combined_groups >> group.min(15) & 1 == 0 {
            return;
        }
        for watch in &mut self.cpus {
            if on {
                watch.unseen.retain(|(own, _)| *own != group);
            } else if watch.mode == Mode::Normal && watch.tells.inputs >> group & 1 == 1 {
                watch.unseen.push((group, now));
            }
        }
    }

    /// A step was made.
    pub fn stepped(&mut self, cpu: usize, now: SimTime, step: &Stepped<'_>, out: &TickOutputs) {
        let combined = self.combined & step.free;
        let Stepped { logic, touched, .. } = *step;
        let watch = &mut self.cpus[cpu];
        let was_normal = watch.mode == Mode::Normal;
        let told = watch.tells.inputs;
        watch.hear(cpu, now, step, out);
        watch.look(now);
        let fallen = told & !watch.tells.inputs;
        self.told_off.extend(places(fallen).map(|group| (now, group as u8)));
        if was_normal {
            // A step that a right `Enter` ends with a reset may end before its logic and its packet.
            watch.ticks += u64::from(out.reset.is_none() || out.c2c.is_some());
            watch.evaluated += u64::from(out.c2c.is_some() && out.watchdog);
            watch.logic.add(logic, now);
            if let Some(last) = watch.last_step {
                watch.interval.add(now.since(last).as_nanos(), now);
            }
            watch.touch(now, touched);
        }
        watch.configuring += u64::from(out.mode == Mode::Configuration);
        if out.flash.is_some() {
            watch.flash_changes += 1;
            if out.mode != Mode::Configuration || watch.mode != Mode::Configuration {
                watch.flash_changed_wrongly.get_or_insert(now);
            }
        }
        watch.last_step = Some(now);
        let leaves = out.reset.is_some() && out.c2c.is_none();
        watch.talking += u64::from(watch.mode != Mode::Safe && out.mode != Mode::Safe && !leaves);
        if watch.mode == Mode::Safe {
            watch.safe_steps += 1;
            let speaks = out.c2c.is_some() || out.radio.is_some() || !out.can.is_empty();
            let drives = out.pins != [0; PINS] || out.main != 0 || out.relays != 0 || !out.all_off;
            watch.spoke_in_safe += u64::from(speaks || drives);
        }
        // CPU2 looks at every tick's samples; CPU1 may do so while it holds the pin up itself, and would then read itself.
        if was_normal && cpu == 0 {
            for pin in places(combined) {
                if let Some(last) = watch.read[pin].replace(now) {
                    watch.combined.add(now.since(last).as_nanos(), now);
                }
            }
        }
    }

    /// A step was interrupted by the hardware timer.
    pub fn overrun(&mut self, cpu: usize) {
        self.cpus[cpu].ticks += u64::from(self.cpus[cpu].mode == Mode::Normal);
    }

    /// A CPU put a packet on the line.
    pub fn sent(&mut self, cpu: usize) {
        self.cpus[cpu].packets += 1;
    }

    /// A packet will come to a CPU.
    pub fn arrives(&mut self, cpu: usize, at: SimTime, sound: bool) {
        if sound {
            // One that is overtaken is old when it comes.
            let arriving = &mut self.cpus[cpu].arriving;
            arriving.retain(|one| *one <= at);
            arriving.push_back(at);
        }
    }

    /// A CPU detected something in the step that began now.
    pub fn detected(&mut self, now: SimTime, cpu: usize, detection: &Detection) {
        let watch = &mut self.cpus[cpu];
        let is_internal = detection.fault.reaction() == Reaction::SafeState;
        let is_first = is_internal && watch.mode != Mode::Safe && !watch.has_cause;
        if watch.of_life < DETECTIONS_MOST || is_first {
            watch.of_life += 1;
            watch.detections.push((now, *detection));
        }
        if matches!(detection.fault, Fault::OutputWiring | Fault::OssdShort) {
            self.outside(now, detection);
            return;
        }
        if !is_internal || watch.mode == Mode::Safe {
            return;
        }
        self.tripped_now.get_or_insert((now, detection.fault, cpu as u8 + 1));
        if !std::mem::replace(&mut watch.has_cause, true) {
            watch.causes.push((now, detection.fault));
        }
        let last_good = watch.silent_since;
        if self.tripped.is_some() {
            return;
        }
        let trip = Off {
            fault: detection.fault,
            cpu: cpu as u8 + 1,
            detected: now,
            commanded: None,
            off: now,
            last_good,
            crossing: self.supply.crossing(detection.fault, cpu),
            counted: self.supply.counted(detection.fault, cpu),
            earliest: self.supply.earliest(detection.fault, cpu, now),
            other: None,
            alone: false,
        };
        if self.driven {
            self.tripped = Some(trip);
        } else if self.contacts.stay() != 0 {
            // No coil is fed, but a relay conducts: its contacts tell when this is off.
            self.offs.push(trip);
        }
    }

    /// What a step that ends at `ends` tells the outputs; of trips that are open it is noted when they were told to be off.
    pub fn tells(&mut self, cpu: usize, ends: SimTime, out: &TickOutputs) {
        self.told[cpu] = out.all_off.then(|| self.told[cpu].unwrap_or(ends));
        if let Some(trip) = self.tripped.as_mut().filter(|trip| out.all_off && usize::from(trip.cpu) == cpu + 1) {
            trip.commanded.get_or_insert(ends);
        }
        // One that found no coil fed was over as it was detected, and is told all the same.
        let is_told = |trip: &&mut Off| out.all_off && trip.off == trip.detected && usize::from(trip.cpu) == cpu + 1;
        if let Some(trip) = self.offs.last_mut().filter(is_told) {
            trip.commanded.get_or_insert(ends);
        }
        if cpu == 0 {
            let told = (0..).zip(&out.pins).fold(0u16, |bits, (pin, slots)| bits | u16::from(*slots != 0) << pin);
            for one in self.outside.iter_mut().filter(|one| one.off.is_none() && one.pins & told == 0) {
                one.commanded.get_or_insert(ends);
            }
        }
    }

    /// A CPU loses all its outputs in a reset.
    pub fn falls(&mut self, cpu: usize, now: SimTime) {
        self.told[cpu].get_or_insert(now);
    }

    /// A CPU is in another mode from now on.
    pub fn mode(&mut self, now: SimTime, cpu: usize, mode: Mode) {
        self.left[cpu] = (mode != Mode::Normal).then(|| self.left[cpu].unwrap_or(now));
        self.change_mode(now, cpu, mode);
        self.see_stays(now);
    }

    fn change_mode(&mut self, now: SimTime, cpu: usize, mode: Mode) {
        let watch = &mut self.cpus[cpu];
        if watch.mode == Mode::Safe && mode != Mode::Safe {
            watch.left_safe.get_or_insert(now);
        }
        let wrongly = match (watch.mode, mode) {
            (before, Mode::Configuration) => before != Mode::Starting || !watch.by_software,
            (Mode::Configuration, after) => after != Mode::Safe,
            _ => false,
        };
        if wrongly {
            watch.configuring_wrongly.get_or_insert(now);
        }
        watch.trips += u64::from(watch.mode == Mode::Normal && mode == Mode::Safe);
        if watch.mode == Mode::Normal && mode != Mode::Normal {
            watch.left_normal.get_or_insert(now);
        }
        watch.mode = mode;
        self.supply.counts(cpu, (mode == Mode::Normal).then_some(now));
        if mode != Mode::Normal {
            // One that tells nothing any more cannot tell this.
            watch.unseen.clear();
        }
        match mode {
            Mode::Safe => {
                watch.safe_since = Some(now);
                watch.tests_ended.get_or_insert(now);
            }
            Mode::Normal => {
                watch.normal_since = Some(now);
                (watch.tests_began, watch.tests_ended) = (now, None);
            }
            _ => {}
        }
    }

    /// A tick begins: what should have been off by now.
    pub fn judge_supply(&mut self, now: SimTime) {
        self.supply.judge(now, self.driven);
    }

    /// A fault of the wiring at a pin: its group is affected.
    fn outside(&mut self, now: SimTime, detection: &Detection) {
        let pins = self.groups.iter().copied().find(|pins| pins >> detection.detail.min(15) & 1 == 1).unwrap_or(0);
        if self.now_driven.0 & pins != 0 {
            let fault = detection.fault;
            self.outside.push(GroupOff { fault, detected: now, pins, commanded: None, off: None });
        }
    }

    /// Other outputs are driven from now on; `idle` tells of each CPU whether it has no part in turning them off: it drives its
    /// side, or a fault holds it.
    pub fn outputs(&mut self, now: SimTime, pins: u16, coils: u8, idle: [bool; 2]) {
        let held = (0..safety_common::RELAYS).filter(|relay| coils >> (2 * relay) & 0b11 == 0b11);
        let held = held.fold(0u8, |bits, relay| bits | 1 << relay);
        let driven = pins != 0 || held != 0;
        let more = pins & !self.now_driven.0 != 0 || held & !self.now_driven.1 != 0;
        if more {
            let (since, (before, coils)) = self.came_on.unwrap_or((now, (0, 0)));
            let new = (pins & !self.now_driven.0, held & !self.now_driven.1);
            self.came_on = Some((since, (before | new.0, coils | new.1)));
            self.switched_on += 1;
            // One that has found an internal fault must not be in it, whatever it says.
            if self.cpus.iter().any(|cpu| cpu.mode != Mode::Normal || cpu.has_cause) {
                self.driven_outside.get_or_insert(now);
            }
        }
        self.now_driven = (pins, held);
        self.driving.see(now, (pins & !self.never_quiet, held));
        self.meet_demands(now, pins, held);
        for one in self.outside.iter_mut().filter(|one| one.off.is_none() && one.pins & pins == 0) {
            one.off = Some(now);
        }
        if self.driven && !driven {
            self.last_off = Some(now);
            self.supply.off(now);
        }
        if self.driven
            && !driven
            && let Some(off) = self.tripped.take()
        {
            let other = usize::from(off.cpu == 1);
            let told = self.told[other].filter(|told| *told <= now);
            self.offs.push(Off { off: now, other: told, alone: idle[other] && told.is_none(), ..off });
        }
        self.driven = driven;
        self.see_stays(now);
    }

    /// Coils or contacts of relays are so from now on.
    pub fn relays(&mut self, now: SimTime, relays: Relays) {
        self.contacts.see(now, relays);
        self.see_stays(now);
    }

    fn is_on(&self) -> bool {
        self.driven || self.contacts.stay() != 0
    }

    fn see_stays(&mut self, now: SimTime) {
        let is_on = self.is_on();
        let is_safe = self.cpus.each_ref().map(|cpu| cpu.mode == Mode::Safe);
        let whiles = [self.left != [None; 2], is_safe != [false; 2], is_safe == [true; 2]];
        for (stay, applies) in self.stays.iter_mut().zip(whiles) {
            stay.see(now, is_on && applies);
        }
    }

    /// When something was first on for longer than 22.1 ms while a CPU was not in normal mode, or is so at `end` while one makes no step.
    #[must_use]
    pub fn stayed_outside(&self, end: SimTime) -> Option<SimTime> {
        let still = self.cpus.iter().filter_map(|cpu| cpu.still_since(end, ALONE_MOST)).min();
        let still = still.filter(|_| self.is_on()).map(|last| last + ALONE_MOST);
        self.stays[0].at(end).into_iter().chain(still).min()
    }

    /// When something was first on in the safe state: a tick after both CPUs had entered it, or 22.1 ms after one had.
    #[must_use]
    pub fn stayed_in_safe(&self, end: SimTime) -> Option<SimTime> {
        self.stays[1].at(end).into_iter().chain(self.stays[2].at(end)).min()
    }

    /// The trips that found something on, each with the time at which all was off by the contacts of the relays as well; none where
    /// something was on at `end`.
    #[must_use]
    pub fn trips(&self, end: SimTime) -> Vec<(&Off, Option<SimTime>)> {
        let over = self.offs.iter().map(|off| (off, self.contacts.off(off.detected, off.off, u8::MAX, end)));
        over.chain(self.tripped.iter().map(|off| (off, None))).collect()
    }
}
