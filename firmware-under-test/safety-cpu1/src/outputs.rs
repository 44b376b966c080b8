//! Output groups: from the demand of both CPUs to the pins and back.
//!
//! A table computed in step k is played in tick k+1, so the samples that step k sees belong to the table of step k-2. One
//! slot after each edge is left out of the read-back. A difference at the transistor's own diagnosis is internal; a
//! difference at the pin alone is external (SSR-035, SSR-036, SSR-040).

use safety_common::configuration::OUTPUT_GROUPS_MOST;
use safety_common::fault::Fault;
use safety_common::io::{Levels, TickInputs};
use safety_common::signal::Signal;
use safety_common::{DISAGREEMENT_TICKS_MOST, PINS};

use crate::Notes;
use crate::Trip;
use crate::configuration::{Groups, OutputGroup, PinPlan, Pins, Role};
use crate::signal_out::{self, OSSD_DIP, RELEASE};

/// Ticks in a row in which a transistor differs outside its pulses (own number).
const DRIVER_TICKS_MOST: u8 = 3;
/// Pulses in a row that do not show, at the transistor or at the pin (own number): 192 ms for OSSD.
const PULSES_MISSED_MOST: u8 = 3;
/// Ticks in a row in which a pin is high while told low, or low while told high (own number).
const LEVEL_TICKS_MOST: u8 = 20;
/// Dips of another OSSD output that an OSSD output follows while told low (own number).
const FOLLOWED_MOST: u8 = 2;
/// A failed group is free again after so many ticks without demand and with low pins (own number).
const RELEASE_TICKS: u8 = 100;

/// A pin's tables of the last steps, as masks of the slots in which it is driven.
#[derive(Clone, Copy, Debug, Default)]
struct Tables {
    /// Of the last step: played in the tick that begins now.
    last: u16,
    /// Of the step before: played in the tick that the samples show.
    played: u16,
    /// Of the step before that: its last slot gives the edge into `played`.
    before: u16,
}

/// The counters of a pin's read-back.
#[derive(Clone, Copy, Debug, Default)]
struct Misses {
    driver: u8,
    driver_pulses: u8,
    level: u8,
    level_pulses: u8,
    /// The OSSD output whose dips this one has followed, and how often in a row.
    followed: Option<(u32, u8)>,
}

/// One pin of an output group.
#[derive(Clone, Debug)]
struct OutputPin {
    plan: PinPlan,
    rank: u32,
    tables: Tables,
    misses: Misses,
}

/// All outputs.
#[derive(Clone, Debug)]
pub(crate) struct Outputs {
    pins: [OutputPin; PINS],
    /// Pins with an external failure.
    failed_pins: u16,
    release_ticks: [u8; OUTPUT_GROUPS_MOST],
}

/// What a tick of one pin looks like against its table.
#[derive(Clone, Copy, Debug)]
struct Difference {
    /// Wrong outside the pulses.
    steady: bool,
    /// Whether the pulses show; `None` without pulses in this tick.
    pulse_missed: Option<bool>,
}

impl Tables {
    fn shift(&mut self, newest: u16) {
        (self.before, self.played, self.last) = (self.played, self.last, newest);
    }

    /// Slots that are judged: all but those right after an edge.
    const fn judged(&self) -> u16 {
        let one_later = self.played << 1 | self.before >> 15;
        !(self.played ^ one_later)
    }

    /// Slots of pulses: the rarer level of a tick that has both.
    const fn pulses(&self) -> u16 {
        match self.played {
            0 | u16::MAX => 0,
            table if table.count_ones() > 8 => !table,
            table => table,
        }
    }

    /// Compares; bit `s` of `wrong` says that slot `s` is not as told.
    const fn compare(&self, wrong: u16) -> Difference {
        let (wrong, pulses) = (wrong & self.judged(), self.pulses());
        let missed = wrong & pulses != 0;
        Difference { steady: wrong & !pulses != 0, pulse_missed: if pulses == 0 { None } else { Some(missed) } }
    }
}

/// Counts what is wrong in a row.
fn count(counter: &mut u8, is_wrong: bool) -> u8 {
    *counter = if is_wrong { counter.saturating_add(1) } else { 0 };
    *counter
}

impl OutputPin {
    fn is_ossd(&self) -> bool {
        self.plan.role == Role::Output && self.plan.on == Signal::Ossd
    }

    const fn is_output(&self) -> bool {
        matches!(self.plan.role, Role::Output | Role::Combined)
    }

    fn table(&self, is_on: bool, tick: u32) -> u16 {
        let table = signal_out::table(if is_on { self.plan.on } else { self.plan.off }, tick, self.rank);
        let is_released = matches!(self.plan.role, Role::Combined) && signal_out::is_read_tick(tick);
        if is_released { table & !RELEASE } else { table }
    }

    /// `true` if the transistor itself is at fault (SSR-035).
    fn driver_fails(&mut self, conducted: u16) -> bool {
        let difference = self.tables.compare(conducted ^ self.tables.played);
        let steady = count(&mut self.misses.driver, difference.steady);
        let missed = difference
            .pulse_missed
            .map_or(self.misses.driver_pulses, |missed| count(&mut self.misses.driver_pulses, missed));
        steady >= DRIVER_TICKS_MOST || missed >= PULSES_MISSED_MOST
    }

    /// `true` if the wiring is at fault (SSR-036).
    fn level_fails(&mut self, levels: Levels, has_feed: bool) -> bool {
        let table = self.tables.played;
        let not_high = if has_feed { table & !levels.high } else { 0 };
        let not_low = !table & !levels.low;
        let wrong = if matches!(self.plan.role, Role::Combined) { not_high } else { not_high | not_low };
        let difference = self.tables.compare(wrong);
        let steady = count(&mut self.misses.level, difference.steady);
        let missed = difference
            .pulse_missed
            .map_or(self.misses.level_pulses, |missed| count(&mut self.misses.level_pulses, missed));
        steady >= LEVEL_TICKS_MOST || missed >= PULSES_MISSED_MOST
    }

    /// Counts the dips of one leader; `true` when enough were followed.
    fn count_follow(&mut self, leader: u32, follows: bool) -> bool {
        let times = self.misses.followed.filter(|(other, _)| *other == leader).map_or(0, |(_, times)| times);
        if follows {
            self.misses.followed = Some((leader, times.saturating_add(1)));
        } else if times > 0 {
            self.misses.followed = None;
        }
        follows && times.saturating_add(1) == FOLLOWED_MOST
    }

    /// Whether this pin, told low, shows the dip of another OSSD output (SSR-040).
    fn follows(&self, leader: &Tables, levels: Levels) -> bool {
        let judged = leader.judged();
        let outside = judged & leader.played;
        let inside = judged & OSSD_DIP;
        let is_told_low = self.tables.played == 0 && self.tables.before == 0;
        is_told_low && levels.high & outside == outside && levels.high & inside == 0
    }
}

impl Outputs {
    pub(crate) fn new(pins: &Pins) -> Self {
        let mut ossd = 0u32;
        let pins = pins.map(|plan| {
            let is_ossd = plan.role == Role::Output && plan.on == Signal::Ossd;
            let rank = ossd;
            ossd = if is_ossd { rank.saturating_add(1) } else { rank };
            OutputPin { plan, rank, tables: Tables::default(), misses: Misses::default() }
        });
        Self { pins, failed_pins: 0, release_ticks: [0; OUTPUT_GROUPS_MOST] }
    }

    /// Groups that are off for an external failure.
    pub(crate) fn failed_groups(&self, groups: &Groups) -> u16 {
        let failed = |group: &OutputGroup| group.pins & self.failed_pins != 0;
        groups.outputs.iter().zip(0u32..).fold(0, |set, (group, at)| set | u16::from(failed(group)) << at)
    }

    /// The tables of the tick with number `tick`, for the groups in `on`.
    pub(crate) fn drive(&mut self, on: u16, groups: &Groups, tick: u32) -> [u16; PINS] {
        let on_pins = groups.outputs.iter().zip(0u32..).filter(|(_, at)| on >> at & 1 == 1);
        let on_pins = on_pins.fold(0, |set, (group, _)| set | group.pins);
        let mut tables = [0; PINS];
        for ((pin, table), at) in self.pins.iter_mut().zip(&mut tables).zip(0u32..) {
            if pin.is_output() {
                *table = pin.table(on_pins >> at & 1 == 1, tick);
            }
            pin.tables.shift(*table);
        }
        tables
    }

    /// Judges the samples; external failures are noted and held.
    ///
    /// # Errors
    /// [`Fault::OutputDriver`] with the pin.
    pub(crate) fn read_back(&mut self, inputs: &TickInputs<'_>, has_feed: bool, notes: &mut Notes) -> Result<(), Trip> {
        self.judge_drivers(&inputs.drivers)?;
        self.judge_levels(&inputs.levels, has_feed, notes);
        self.judge_shorts(&inputs.levels, inputs.tick.wrapping_sub(1), notes);
        Ok(())
    }

    fn judge_drivers(&mut self, drivers: &[u16; PINS]) -> Result<(), Trip> {
        for ((pin, conducted), at) in self.pins.iter_mut().zip(drivers).zip(0u32..) {
            if pin.driver_fails(*conducted) {
                return Err(Trip::new(Fault::OutputDriver, at));
            }
        }
        Ok(())
    }

    fn judge_levels(&mut self, levels: &[Levels; PINS], has_feed: bool, notes: &mut Notes) {
        for ((pin, levels), at) in self.pins.iter_mut().zip(levels).zip(0u32..) {
            if pin.is_output() && pin.level_fails(*levels, has_feed) && self.failed_pins >> at & 1 == 0 {
                self.failed_pins |= 1 << at;
                notes.add(Fault::OutputWiring, at);
            }
        }
    }

    /// At most one OSSD output dips in a tick: who else shows the dip is shorted to it.
    fn judge_shorts(&mut self, levels: &[Levels; PINS], played_tick: u32, notes: &mut Notes) {
        let is_leader = |pin: &OutputPin| {
            pin.is_ossd() && signal_out::is_dip_tick(played_tick, pin.rank) && pin.tables.played == !OSSD_DIP
        };
        let Some((leader, tables)) =
            self.pins.iter().zip(0u32..).find(|(pin, _)| is_leader(pin)).map(|(pin, at)| (at, pin.tables))
        else {
            return;
        };
        for ((pin, levels), at) in self.pins.iter_mut().zip(levels).zip(0u32..).filter(|((pin, _), _)| pin.is_ossd()) {
            if at == leader || pin.tables.played != 0 {
                continue;
            }
            if pin.count_follow(leader, pin.follows(&tables, *levels)) {
                self.failed_pins |= 1 << at | 1 << leader;
                notes.add(Fault::OssdShort, leader);
                notes.add(Fault::OssdShort, at);
            }
        }
    }

    /// Frees failed groups that nobody has wanted ON for a while and whose pins are low.
    pub(crate) fn release(&mut self, wanted: u16, groups: &Groups, levels: &[Levels; PINS]) {
        if self.failed_pins == 0 {
            return;
        }
        let low_pins = levels.iter().zip(0u32..).filter(|(levels, _)| levels.low == u16::MAX);
        let low_pins = low_pins.fold(0u16, |set, (_, at)| set | 1 << at);
        for ((group, ticks), at) in groups.outputs.iter().zip(&mut self.release_ticks).zip(0u32..) {
            let is_quiet = wanted >> at & 1 == 0 && group.pins & !low_pins == 0;
            if group.pins & self.failed_pins != 0 && count(ticks, is_quiet) >= RELEASE_TICKS {
                self.failed_pins &= !group.pins;
                *ticks = 0;
            }
        }
    }
}

/// Demands of the two CPUs that differ (section 7 of the architecture): output groups, then relays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disagreement {
    ticks: [u16; 18],
}

impl Disagreement {
    /// Counts; `differ` has the output groups in its low half and the relays above.
    ///
    /// # Errors
    /// [`Fault::Disagreement`] with the group, or 32 and the relay.
    pub(crate) fn judge(&mut self, differ: u32) -> Result<(), Trip> {
        for (ticks, at) in self.ticks.iter_mut().zip(0u32..) {
            *ticks = if differ >> at & 1 == 1 { ticks.saturating_add(1) } else { 0 };
            if u32::from(*ticks) > DISAGREEMENT_TICKS_MOST {
                let detail = if at < 16 { at } else { at.saturating_add(16) };
                return Err(Trip::new(Fault::Disagreement, detail));
            }
        }
        Ok(())
    }
}
