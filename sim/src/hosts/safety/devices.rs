//! What hangs at the input groups of a unit: contacts, buttons, a thermostat, a flow switch.

use safety_common::PINS;

use super::pins::{Pins, Source};
use crate::kernel::SimTime;
use crate::safety::binary::Section;
use crate::scenario::{Device, SafetyUnit};

/// What a group's device follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// What people do.
    Operations,
    /// ON below this coolant temperature, in 0.1 degC.
    Below(i64),
    /// ON above this flow, in 0.1 L/min.
    Above(u32),
}

/// The device of one input group.
#[derive(Clone, Copy, Debug)]
struct Group {
    follows: Follows,
    /// What it shows if nobody forces it.
    on: bool,
    /// Injections that make it show OFF.
    forced: u32,
}

/// The devices of a unit, by input group.
#[derive(Clone, Debug)]
pub struct Devices {
    groups: Vec<Group>,
    /// What they would show on the pins if nobody forced them.
    unforced: [Option<Source>; PINS],
}

impl Devices {
    /// The devices that a scenario names; every other group shows ON.
    #[must_use]
    pub fn new(unit: &SafetyUnit, names: &[String], section: &Section) -> Self {
        let group = |name: &String| {
            let own = unit.inputs.iter().find(|device| device.input == *name).map(|device| &device.device);
            let (follows, on) = match own {
                None | Some(Device::On) => (Follows::Operations, true),
                Some(Device::Off) => (Follows::Operations, false),
                Some(Device::Thermostat(limit)) => (Follows::Below(i64::from(limit.millicelsius()) / 100), true),
                Some(Device::FlowSwitch(limit)) => (Follows::Above(limit.millilitres_per_minute() / 100), false),
            };
            Group { follows, on, forced: 0 }
        };
        let groups: Vec<Group> = names.iter().map(group).collect();
        let unforced = std::array::from_fn(|pin| {
            let owner = section.inputs.iter().position(|group| group.pins >> pin & 1 == 1)?;
            let on = groups.get(owner).is_some_and(|group| group.on);
            let own = section.pins[pin];
            Some(Source::new(if on { own.on } else { own.off }, pin))
        });
        Self { groups, unforced }
    }

    /// What the devices show if nobody forces them, by pin.
    #[must_use]
    pub const fn unforced(&self) -> &[Option<Source>; PINS] {
        &self.unforced
    }

    /// Whether a group's device shows ON.
    #[must_use]
    pub fn shows(&self, group: usize) -> bool {
        self.groups.get(group).is_some_and(|group| group.on && group.forced == 0)
    }

    /// Somebody does something at a group.
    pub fn operate(&mut self, group: usize, on: bool) {
        if let Some(group) = self.groups.get_mut(group) {
            group.on = on;
        }
    }

    /// An injection forces a group OFF, or lets it go.
    pub fn force(&mut self, group: usize, off: bool) {
        if let Some(group) = self.groups.get_mut(group) {
            group.forced = if off { group.forced + 1 } else { group.forced.saturating_sub(1) };
        }
    }

    /// Whether any device follows the coolant loop.
    #[must_use]
    pub fn follow_plant(&self) -> bool {
        self.groups.iter().any(|group| group.follows != Follows::Operations)
    }

    /// The coolant loop as the devices see it: temperature in 0.1 degC, flow in 0.1 L/min.
    pub fn see_plant(&mut self, coolant: i64, flow: u32) {
        for group in &mut self.groups {
            match group.follows {
                Follows::Operations => {}
                Follows::Below(limit) => group.on = coolant < limit,
                Follows::Above(limit) => group.on = flow > limit,
            }
        }
    }

    /// Puts what the devices show on the pins; the groups that changed.
    pub fn show(&mut self, now: SimTime, section: &Section, pins: &mut Pins, shown: &mut u16) -> u16 {
        let wanted = (0..self.groups.len()).fold(0u16, |bits, group| bits | u16::from(self.shows(group)) << group);
        let changed = wanted ^ *shown;
        *shown = wanted;
        for (pin, (source, unforced)) in pins.sources.iter_mut().zip(&mut self.unforced).enumerate() {
            let owner = section.inputs.iter().position(|group| group.pins >> pin & 1 == 1);
            if let (Some(owner), Some(source), Some(unforced)) = (owner, source, unforced) {
                let own = section.pins[pin];
                let signal = |on: bool| if on { own.on } else { own.off };
                source.show(now, signal(wanted >> owner & 1 == 1));
                unforced.show(now, signal(self.groups.get(owner).is_some_and(|group| group.on)));
            }
        }
        changed
    }

    /// The groups that show ON, as bits.
    #[must_use]
    pub fn all(&self) -> u16 {
        (0..self.groups.len()).fold(0, |bits, group| bits | u16::from(self.shows(group)) << group)
    }
}
