//! Input pins and input groups: from samples to what the logic sees.
//!
//! SSR-023, SSR-028, SSR-032, SSR-034, SSR-039.
//!
//! A pin is *on*, *off* or *neither*. A group is ON only while all its pins are on; the state of a group for the logic is this
//! CPU's state and the peer's together, so that a stop that one CPU alone sees stops.

use heapless::Vec;
use safety_common::PINS;
use safety_common::configuration::INPUT_GROUPS_MOST;
use safety_common::fault::Fault;
use safety_common::io::Levels;
use safety_common::signal::{COMBINED_READ_SLOTS, COMBINED_SLOT, COMBINED_SLOTS};

use crate::Notes;
use crate::Trip;
use crate::configuration::{Groups, InputGroup, Pins, Role};
use crate::packet::Voltages;
use crate::signal_in::Detector;
use crate::signal_out::is_read_tick;

/// A bad signal is told after at least so many ticks: a pulsed one needs that long to be recognised (own number).
const SIGNAL_TICKS_LEAST: u32 = 50;
/// Level and voltage may contradict each other for so many ticks (own number).
const STAGE_TICKS_MOST: u8 = 20;
/// The samples that count on a combined pin.
const READ: u16 = ((1 << COMBINED_READ_SLOTS) - 1) << (COMBINED_SLOT + COMBINED_SLOTS - COMBINED_READ_SLOTS);
/// The slot of the ADC scan.
const ADC_SLOT: u16 = 1 << 15;

/// What a pin shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PinState {
    On,
    Off,
    Neither,
}

/// How a pin is read.
#[derive(Clone, Debug)]
enum Reader {
    Unused,
    Detectors { on: Detector, off: Detector },
    Combined(PinState),
}

impl Reader {
    fn read(&mut self, levels: Levels, played_tick: u32) -> PinState {
        match self {
            Self::Unused => PinState::Neither,
            Self::Detectors { on, off } => match (on.observe(levels), off.observe(levels)) {
                (true, false) => PinState::On,
                (false, true) => PinState::Off,
                _ => PinState::Neither,
            },
            Self::Combined(state) => {
                if is_read_tick(played_tick) {
                    *state = combined_state(levels);
                }
                *state
            }
        }
    }
}

fn combined_state(levels: Levels) -> PinState {
    match (levels.high & READ == READ, levels.low & READ == READ) {
        (true, false) => PinState::On,
        (false, true) => PinState::Off,
        _ => PinState::Neither,
    }
}

/// The history of a group.
#[derive(Clone, Debug)]
struct GroupState {
    on_ticks: u32,
    differ_ticks: u32,
    bad_ticks: u32,
    is_discrepant: bool,
    has_bad_signal: bool,
    waits_for_off: bool,
}

impl GroupState {
    const fn new(group: &InputGroup) -> Self {
        Self {
            on_ticks: 0,
            differ_ticks: 0,
            bad_ticks: 0,
            is_discrepant: false,
            has_bad_signal: false,
            waits_for_off: group.needs_start_test,
        }
    }
}

/// How many pins of a group are what.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    on: u32,
    off: u32,
    neither: u32,
}

/// All inputs.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    readers: [Reader; PINS],
    groups: Vec<GroupState, INPUT_GROUPS_MOST>,
    stage_ticks: [u8; PINS],
    /// Pins that are inputs and are read every tick, and those that are combined.
    input_pins: u16,
    combined_pins: u16,
}

/// What the inputs say in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputReport {
    /// Groups that this CPU reads as ON.
    pub(crate) on: u16,
    /// Groups with an error.
    pub(crate) error: u16,
    /// Pins that were read as inputs in this tick.
    pub(crate) pins_read: u16,
}

impl Inputs {
    pub(crate) fn new(pins: &Pins, groups: &Groups) -> Self {
        let reader = |plan: &crate::configuration::PinPlan| match plan.role {
            Role::Unused | Role::Output => Reader::Unused,
            Role::Input => Reader::Detectors { on: Detector::new(plan.on), off: Detector::new(plan.off) },
            Role::Combined => Reader::Combined(PinState::Neither),
        };
        let set_of = |role: Role| {
            pins.iter().zip(0..).filter(|(plan, _)| plan.role == role).fold(0, |set, (_, at): (_, u32)| set | 1 << at)
        };
        Self {
            readers: pins.each_ref().map(reader),
            groups: groups.inputs.iter().map(GroupState::new).collect(),
            stage_ticks: [0; PINS],
            input_pins: set_of(Role::Input),
            combined_pins: set_of(Role::Combined),
        }
    }

    /// Takes the samples of the tick with number `played_tick`.
    pub(crate) fn read(
        &mut self,
        levels: &[Levels; PINS],
        played_tick: u32,
        groups: &Groups,
        notes: &mut Notes,
    ) -> InputReport {
        let mut states = [PinState::Neither; PINS];
        for ((state, reader), levels) in states.iter_mut().zip(&mut self.readers).zip(levels) {
            *state = reader.read(*levels, played_tick);
        }
        let combined = if is_read_tick(played_tick) { self.combined_pins } else { 0 };
        let mut report = InputReport { pins_read: self.input_pins | combined, ..InputReport::default() };
        for ((state, group), index) in self.groups.iter_mut().zip(&groups.inputs).zip(0u32..) {
            let is_on = state.judge(group, census(&states, group.pins), index, notes);
            report.on |= u16::from(is_on) << index;
            report.error |= u16::from(state.is_discrepant || state.has_bad_signal) << index;
        }
        report
    }

    /// Holds the comparator of each pin against its voltage.
    ///
    /// # Errors
    /// [`Fault::InputStage`] with the pin.
    pub(crate) fn check_stages(&mut self, levels: &[Levels; PINS], voltages: &Voltages) -> Result<(), Trip> {
        let half = voltages.supply / 2;
        let pins = levels.iter().zip(&voltages.pins).zip(&mut self.stage_ticks).zip(0u32..);
        for (((levels, voltage), ticks), pin) in pins {
            let is_high = levels.high & ADC_SLOT != 0;
            let is_low = levels.low & ADC_SLOT != 0;
            let contradicts = (is_high && (is_low || *voltage < half)) || (is_low && *voltage > half);
            *ticks = if contradicts { ticks.saturating_add(1) } else { 0 };
            if *ticks >= STAGE_TICKS_MOST {
                return Err(Trip::new(Fault::InputStage, pin));
            }
        }
        Ok(())
    }
}

fn census(states: &[PinState; PINS], pins: u16) -> Census {
    let mut census = Census::default();
    for (state, _) in states.iter().zip(0..).filter(|(_, at): &(_, u32)| pins >> at & 1 == 1) {
        let count = match state {
            PinState::On => &mut census.on,
            PinState::Off => &mut census.off,
            PinState::Neither => &mut census.neither,
        };
        *count = count.saturating_add(1);
    }
    census
}

impl GroupState {
    /// `true` while the group reads ON.
    fn judge(&mut self, group: &InputGroup, census: Census, index: u32, notes: &mut Notes) -> bool {
        let all_on = census.off == 0 && census.neither == 0;
        let all_off = census.on == 0 && census.neither == 0;
        let differ = census.on > 0 && !all_on;
        self.differ_ticks = if differ { self.differ_ticks.saturating_add(1) } else { 0 };
        let limit = u32::from(group.discrepancy_ms);
        if limit > 0 && self.differ_ticks > limit && !self.is_discrepant {
            self.is_discrepant = true;
            notes.add(Fault::InputDiscrepancy, index);
        }
        self.judge_signal(census.neither > 0, limit, index, notes);
        if all_off {
            (self.is_discrepant, self.waits_for_off) = (false, false);
        }
        let may_be_on = all_on && !self.is_discrepant && !self.waits_for_off;
        self.on_ticks = if may_be_on { self.on_ticks.saturating_add(1) } else { 0 };
        self.on_ticks > group.on_filter_ms
    }

    fn judge_signal(&mut self, is_bad: bool, limit: u32, index: u32, notes: &mut Notes) {
        self.bad_ticks = if is_bad { self.bad_ticks.saturating_add(1) } else { 0 };
        let is_long = self.bad_ticks > limit.max(SIGNAL_TICKS_LEAST);
        if is_long && !self.has_bad_signal {
            notes.add(Fault::InputSignal, index);
        }
        self.has_bad_signal = is_long;
    }
}
