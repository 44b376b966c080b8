//! Input groups: from what wires show to what the logic may believe.
//!
//! SSR-023, SSR-027, SSR-028, SSR-032, SSR-034, SSR-039.
//!
//! Pins are judged as bit sets; a group is a handful of set relations. OFF needs nothing but a doubt.
//!
//! Diverse: sets of pins instead of a state for each pin.

use heapless::Vec;
use safety_common::configuration::{INPUT_GROUPS_MOST, Role};
use safety_common::fault::{Detection, Fault};
use safety_common::io::{TickInputs, TickOutputs};
use safety_common::{PINS, SLOTS};
use units::Instant;

use crate::analog::supply;
use crate::configuration::read_pins;
use crate::flow::{Flow, Stage};
use crate::packet::CHANNELS;
use crate::settings::{InputGroup, Settings};
use crate::signal::Wire;
use crate::sliced::SlicedRuns;
use crate::trip::{Outcome, trip_for_lowest};

/// A comparator and a voltage that contradict each other for this many ticks (own number).
const STAGE_TICKS: u32 = 20;
/// A bad signal is reported after more than this many ticks at least (own number).
const BAD_SIGNAL_TICKS: u32 = 50;

/// State of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// Ticks in a row agreed on.
    agreed_on: u32,
    /// Ticks in a row with some pins on and others not.
    differ: u32,
    /// Ticks in a row with some pin neither on nor off.
    bad: u32,
    seen_off: bool,
    discrepancy: bool,
    bad_signal: bool,
}

/// What pins show, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shown {
    on: u16,
    off: u16,
}

/// What this CPU sees of the input groups, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) on: u16,
    pub(crate) error: u16,
}

/// All inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    wires: [Wire; PINS],
    groups: Vec<Group, INPUT_GROUPS_MOST>,
    stage: SlicedRuns<5>,
    /// Reports that found no room yet, as bits.
    discrepancies_told: u16,
    bad_signals_told: u16,
}

impl Inputs {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { groups: settings.input_groups.iter().map(|_| Group::default()).collect(), ..Self::default() }
    }

    /// One tick.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        volts: &[u16; CHANNELS],
        settings: &Settings,
        outputs: &mut TickOutputs,
        flow: &mut Flow,
    ) -> Outcome<Seen> {
        let contradictions = contradictions(inputs, volts);
        trip_for_lowest(Fault::InputStage, self.stage.sample(contradictions, STAGE_TICKS))?;
        let shown = self.show(inputs, settings);
        outputs.trace.pins_read = read_pins(&settings.pins);
        let mut seen = Seen::default();
        for ((state, group), place) in self.groups.iter_mut().zip(&settings.input_groups).zip(0u32..) {
            let on = state.tick(group, shown);
            seen.on |= u16::from(on) << place;
            seen.error |= u16::from(state.discrepancy || state.bad_signal) << place;
        }
        self.report(now, outputs);
        flow.pass(Stage::Inputs);
        Ok(seen)
    }

    fn show(&mut self, inputs: &TickInputs<'_>, settings: &Settings) -> Shown {
        let mut shown = Shown::default();
        for (((wire, levels), pin), place) in self.wires.iter_mut().zip(&inputs.levels).zip(&settings.pins).zip(0u32..)
        {
            wire.sample(*levels);
            let (on, off) = match pin.role {
                Role::Unused | Role::Output => (false, false),
                Role::Input => (wire.shows(pin.on), wire.shows(pin.off)),
                Role::Combined => (wire.combined_on(), wire.combined_off()),
            };
            // Both at once is no signal at all.
            shown.on |= u16::from(on && !off) << place;
            shown.off |= u16::from(off && !on) << place;
        }
        shown
    }

    /// Tells each discrepancy and bad signal once; what finds no room is told in the next tick.
    fn report(&mut self, now: Instant, outputs: &mut TickOutputs) {
        for (state, place) in self.groups.iter().zip(0u32..) {
            let bit = 1u16 << place;
            let reports = [
                (Fault::InputDiscrepancy, state.discrepancy, &mut self.discrepancies_told),
                (Fault::InputSignal, state.bad_signal, &mut self.bad_signals_told),
            ];
            for (fault, present, told) in reports {
                if !present {
                    *told &= !bit;
                } else if *told & bit == 0
                    && outputs.detections.push(Detection { fault, detail: place, at: now }).is_ok()
                {
                    *told |= bit;
                }
            }
        }
    }
}

impl Group {
    /// One tick; whether the group reads ON.
    fn tick(&mut self, group: &InputGroup, shown: Shown) -> bool {
        let (on, off) = (shown.on & group.pins, shown.off & group.pins);
        let agreed_off = off == group.pins;
        let count = |count: u32, goes_on: bool| if goes_on { count.saturating_add(1) } else { 0 };
        self.agreed_on = count(self.agreed_on, on == group.pins);
        self.differ = count(self.differ, on != 0 && on != group.pins);
        self.bad = count(self.bad, (on | off) != group.pins);
        self.seen_off |= agreed_off || !group.start_test;
        self.discrepancy = (self.discrepancy && !agreed_off) || self.differ > group.discrepancy;
        self.bad_signal = self.bad > 0 && (self.bad_signal || self.bad > group.discrepancy.max(BAD_SIGNAL_TICKS));
        self.agreed_on > group.on_filter && self.seen_off && !self.discrepancy
    }
}

/// Pins whose comparator and voltage contradict each other in the last slot (SSR-035).
fn contradictions(inputs: &TickInputs<'_>, volts: &[u16; CHANNELS]) -> u32 {
    let half = supply(volts) / 2;
    let last = SLOTS.saturating_sub(1);
    inputs.levels.iter().zip(volts).zip(0u32..).fold(0, |bits, ((levels, volts), pin)| {
        let high = levels.high >> last & 1 == 1 && *volts < half;
        let low = levels.low >> last & 1 == 1 && *volts > half;
        bits | u32::from(high || low) << pin
    })
}

#[cfg(test)]
mod tests;
