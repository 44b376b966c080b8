//! Proofs that a fault at a unit made a difference, for faults whose setting alone changes nothing.
//!
//! A fault is *held* from its begin to its end. It is proven by the first thing that is not what it would be without it:
//!
//! | Fault | Proven by |
//! |---|---|
//! | CPU that stands still | a tick that it does not step; of several that hold it since its last reset the first |
//! | clock | a running CPU whose ticks have gained or lost a microsecond, the grain of its clock |
//! | logic time | a step of a running CPU that takes another time |
//! | dead guard | a step that takes too long and is not interrupted |
//! | converter, rail, view | a step of a running CPU that is given other counts or levels |
//! | wire, device OFF, transistor | a step of a running CPU that is given other levels, voltages or driver states |
//! | main transistor | a switch that it does not follow, or a test dip that shows nothing |
//! | contact | a move that it does not make |
//! | count of ticks | a step of a running CPU that is not in the safe state, behind another one since its start |
//!
//! A stop stays in the samples of the tick in which it ends: the next step of each CPU may prove it when it is over.
//!
//! So what lasts from one step to the next, or while the unit has no power, has not acted.

use safety_common::PINS;
use safety_common::io::Mode;

use super::core::Around;
use super::pins::{Pins, Window, Wiring};
use super::unit::{RAIL_MV, Unit};
use crate::kernel::{SimTime, Span};
use crate::scenario::SafetyFault;

/// The clock of a safety CPU is read to the microsecond.
const GRAIN_NS: u64 = 1_000;
/// A tick of the slowest clock that a scenario may ask for, at half its rate: what is over for longer is in no sample of the next step.
const TICK_MOST: Span = Span::from_millis(2);

/// A fault that is there.
#[derive(Clone, Debug)]
pub(super) struct Held {
    owner: u16,
    what: SafetyFault,
    began: SimTime,
    proven: bool,
    /// What the ticks of the CPU have gained or lost since its begin, in ns.
    apart_ns: u64,
}

/// A device that was forced OFF, and is so no longer.
#[derive(Clone, Debug)]
pub(super) struct PastStop {
    owner: u16,
    input: String,
    began: SimTime,
    ended: SimTime,
}

/// Whether two faults set the same thing, so that the one that began last rules.
fn same_place(one: &SafetyFault, other: &SafetyFault) -> bool {
    use SafetyFault as Kind;
    match (one, other) {
        (Kind::Clock(one), Kind::Clock(other)) => one.cpu == other.cpu,
        (Kind::LogicTime(one), Kind::LogicTime(other)) => one.cpu == other.cpu,
        (Kind::NoDeadline(one), Kind::NoDeadline(other)) => one.cpu == other.cpu,
        (Kind::Wire(one), Kind::Wire(other)) => one.pin == other.pin,
        (Kind::InputOff(one), Kind::InputOff(other)) => one == other,
        (Kind::Contact(one), Kind::Contact(other)) => (one.relay, one.cpu) == (other.relay, other.cpu),
        (Kind::Transistor(one), Kind::Transistor(other)) => one.pin == other.pin,
        (Kind::MainTransistor(_), Kind::MainTransistor(_)) => true,
        (Kind::Rail(one), Kind::Rail(other)) => one.cpu == other.cpu,
        _ => false,
    }
}

impl Unit {
    /// A fault begins; it is proven anew each time. Tells whether that is all: a stop that begins again before its end goes on.
    pub(super) fn hold(&mut self, now: SimTime, owner: u16, what: &SafetyFault) -> bool {
        let own = self.held.iter_mut().find(|held| held.owner == owner);
        if let Some(held) = own.filter(|held| matches!(held.what, SafetyFault::InputOff(_))) {
            held.proven = false;
            return true;
        }
        self.release(now, owner);
        let each_for_itself = matches!(what, SafetyFault::CpuHalted(_) | SafetyFault::Adc(_) | SafetyFault::View(_));
        if same_place(what, what) || each_for_itself {
            self.held.push(Held { owner, what: what.clone(), began: now, proven: false, apart_ns: 0 });
        }
        false
    }

    /// Whether nothing but devices at the inputs is as it should not be.
    pub(super) fn is_sound(&self) -> bool {
        self.held.iter().all(|held| matches!(held.what, SafetyFault::InputOff(_)))
    }

    /// The fault that rules the place of `what` when that one is gone: the last of those that are there.
    pub(super) fn left_at(&self, what: &SafetyFault) -> Option<SafetyFault> {
        self.held.iter().rev().find(|held| same_place(&held.what, what)).map(|held| held.what.clone())
    }

    /// A fault ends.
    pub(super) fn release(&mut self, now: SimTime, owner: u16) {
        let Some(place) = self.held.iter().position(|held| held.owner == owner) else { return };
        let Held { what, began, proven, .. } = self.held.remove(place);
        if proven || self.left_at(&what).is_some() {
            return;
        }
        if let SafetyFault::InputOff(input) = what {
            self.past.push(PastStop { owner, input, began, ended: now });
        }
    }

    /// Faults that still need their proof and rule their place, with the fault that would rule it without them. Of two that are alike the
    /// first rules, for the second changes nothing.
    fn open(&self) -> Vec<(usize, Option<SafetyFault>)> {
        let held = self.held.iter().enumerate().filter(|(_, held)| !held.proven);
        held.filter(|(n, held)| {
            !self.held[n + 1..].iter().any(|later| later.what != held.what && same_place(&held.what, &later.what))
        })
        .map(|(n, held)| {
            let earlier = self.held[..n].iter().rev().find(|earlier| same_place(&held.what, &earlier.what));
            (n, earlier.map(|earlier| earlier.what.clone()))
        })
        .collect()
    }

    fn proven(&mut self, number: usize, effect: String) {
        let held = &mut self.held[number];
        held.proven = true;
        self.proofs.push((held.owner, effect));
    }

    /// Gives the proof of a fault that is not told yet.
    pub(super) fn take_proof(&mut self, owner: u16) -> Option<String> {
        let place = self.proofs.iter().position(|(own, _)| *own == owner)?;
        Some(self.proofs.remove(place).1)
    }

    /// A CPU does not step a tick: the first of those that hold it is the one without which it would, unless another one does so as well.
    pub(super) fn prove_halt(&mut self, cpu: usize) {
        let Some(first) = self.cores[cpu].halts.first() else { return };
        if let Some(number) = self.held.iter().position(|held| held.owner == *first && !held.proven) {
            self.proven(number, format!("CPU{} stands still", cpu + 1));
        }
    }

    /// A CPU comes to its firmware's step. What its count has jumped by is seen against that of the step before, and in the safe state
    /// nobody looks at it.
    fn prove_slips(&mut self, cpu: usize) {
        let core = &mut self.cores[cpu];
        let slips = std::mem::take(&mut core.slips);
        if core.mode == Mode::Safe || core.clock.tick() <= 1 {
            return;
        }
        let effect = format!("the count of CPU{} is {} ticks ahead of its clock", cpu + 1, core.slipped);
        self.proofs.extend(slips.into_iter().map(|owner| (owner, effect.clone())));
    }

    /// A CPU that runs begins a step: `window` is the tick before it, and `around` is what it is given.
    pub(super) fn prove_step(&mut self, cpu: usize, supply_mv: u32, window: &Window, around: &Around) {
        self.prove_past(supply_mv, window, around);
        if !self.cores[cpu].slips.is_empty() {
            self.prove_slips(cpu);
        }
        if self.held.iter().all(|held| held.proven) {
            return;
        }
        for (number, without) in self.open() {
            let of_pins = self.pins_without(number, without.as_ref());
            let of_pins = of_pins.filter(|(pins, _)| self.see(pins, supply_mv, window) != around.seen);
            let effect = of_pins.map(|(_, effect)| effect);
            if let Some(effect) = effect.or_else(|| self.other_reading(number, without.as_ref(), cpu, around)) {
                self.proven(number, effect);
            }
        }
    }

    /// Stops that are over.
    fn prove_past(&mut self, supply_mv: u32, window: &Window, around: &Around) {
        if self.past.is_empty() {
            return;
        }
        self.past.retain(|stop| window.from.since(stop.ended) < TICK_MOST);
        let shown = |stop: &PastStop| {
            let (pins, effect) = self.pins_without_stop(&stop.input, stop.began, Some(stop.ended))?;
            (self.see(&pins, supply_mv, window) != around.seen).then_some((stop.owner, effect))
        };
        let proven: Vec<_> = self.past.iter().filter_map(shown).collect();
        self.past.retain(|stop| !proven.iter().any(|(owner, _)| *owner == stop.owner));
        self.proofs.extend(proven);
    }

    /// A CPU that runs begins a step, whether or not it comes to its end.
    pub(super) fn prove_time(&mut self, cpu: usize, window: &Window) {
        if self.held.iter().all(|held| held.proven) {
            return;
        }
        for (number, without) in self.open() {
            if let Some(effect) = self.other_time(number, without.as_ref(), cpu, window) {
                self.proven(number, effect);
            }
        }
    }

    fn other_time(
        &mut self,
        number: usize,
        without: Option<&SafetyFault>,
        cpu: usize,
        window: &Window,
    ) -> Option<String> {
        use SafetyFault as Kind;
        let core = &self.cores[cpu];
        match (&self.held[number].what, without) {
            (Kind::Clock(clock), without) if usize::from(clock.cpu) == cpu + 1 => {
                let ppm = if let Some(Kind::Clock(other)) = without { other.by.ppm() } else { core.options.ppm };
                let usual = core.clock.tick_at(ppm).as_nanos();
                let is = core.clock.ppm();
                if is == ppm {
                    return None;
                }
                let effect = format!("the clock of CPU{} runs {is} ppm off", clock.cpu);
                let held = &mut self.held[number];
                held.apart_ns += usual.abs_diff(window.length);
                (held.apart_ns >= GRAIN_NS).then_some(effect)
            }
            (Kind::LogicTime(time), without) if usize::from(time.cpu) == cpu + 1 => {
                let usual = match without {
                    Some(Kind::LogicTime(other)) => other.takes.as_nanos(),
                    _ => core.options.logic_ns,
                };
                let is = core.logic_ns();
                (is != usual).then(|| format!("the logic of CPU{} takes {is} ns of its own time", time.cpu))
            }
            (Kind::NoDeadline(of), None) if usize::from(of.cpu) == cpu + 1 => {
                let too_long = core.logic_ns() > u64::from(safety_common::LOGIC_TIME_NS_MOST);
                (core.no_deadline && too_long).then(|| format!("nothing interrupts the logic of CPU{}", of.cpu))
            }
            _ => None,
        }
    }

    /// The pins as they would be without the fault, and what it makes of them.
    fn pins_without(&self, number: usize, without: Option<&SafetyFault>) -> Option<(Pins, String)> {
        use SafetyFault as Kind;
        let mut pins = self.pins.clone();
        let effect = match &self.held[number].what {
            Kind::Wire(wire) => {
                let at = usize::from(wire.pin) % PINS;
                let usual = if let Some(Kind::Wire(other)) = without {
                    super::faults::wiring(&other.is)
                } else {
                    Wiring::Sound
                };
                let is = std::mem::replace(&mut pins.wiring[at], usual);
                format!("the wire of pin {at} is {is:?}")
            }
            Kind::InputOff(input) if without.is_none() => {
                return self.pins_without_stop(input, self.held[number].began, None);
            }
            Kind::Transistor(hit) => {
                let bit = 1u16 << hit.pin;
                let usual = if let Some(Kind::Transistor(other)) = without { Some(other.conducts) } else { None };
                (pins.stuck_on, pins.stuck_off) = (pins.stuck_on & !bit, pins.stuck_off & !bit);
                match usual {
                    Some(true) => pins.stuck_on |= bit,
                    Some(false) => pins.stuck_off |= bit,
                    None => {}
                }
                format!("the transistor of pin {} {}", hit.pin, super::faults::conducts(hit.conducts))
            }
            _ => return None,
        };
        Some((pins, effect))
    }

    /// The pins as they would be without a stop of the device at this input; as if nobody forced it, where it did something else
    /// meanwhile.
    fn pins_without_stop(&self, input: &str, began: SimTime, ended: Option<SimTime>) -> Option<(Pins, String)> {
        let mut pins = self.pins.clone();
        let group = self.input_groups.iter().position(|name| name == input)?;
        let of_group = self.section.inputs.get(group).map_or(0, |group| group.pins);
        for pin in (0..PINS).filter(|pin| of_group >> pin & 1 == 1) {
            let shown = pins.sources[pin].as_ref().and_then(|source| source.without(began, ended));
            pins.sources[pin] = shown.or_else(|| self.devices.unforced()[pin].clone());
        }
        Some((pins, format!("the device at `{input}` shows OFF")))
    }

    /// What a CPU's own converter and comparators give it otherwise than without the fault.
    fn other_reading(
        &self,
        number: usize,
        without: Option<&SafetyFault>,
        cpu: usize,
        around: &Around,
    ) -> Option<String> {
        use SafetyFault as Kind;
        let core = &self.cores[cpu];
        let Held { owner, what, .. } = &self.held[number];
        match what {
            Kind::Adc(hit) if usize::from(hit.cpu) == cpu + 1 => {
                let channel = super::faults::channel(&hit.channel);
                let mv = around.of(channel);
                let (is, usual) = (core.counts(channel, mv), core.counts_without(channel, mv, Some(*owner)));
                (is != usual).then(|| format!("{channel:?} of CPU{} shows {is} counts instead of {usual}", hit.cpu))
            }
            Kind::Rail(rail) if usize::from(rail.cpu) == 2 - cpu => {
                let usual = if let Some(Kind::Rail(other)) = without { other.to.millivolts() } else { RAIL_MV };
                let of = |mv: u32| core.counts(super::core::AdcChannel::Rail, mv);
                let (is, mv) = (of(around.rail_mv), around.rail_mv);
                (is != of(usual)).then(|| format!("CPU{} reads {is} counts of a rail that has {mv} mV", cpu + 1))
            }
            Kind::View(hit) if usize::from(hit.cpu) == cpu + 1 => {
                let differs = core.levels(around, None) != core.levels(around, Some(*owner));
                let level = if hit.high { "high" } else { "low" };
                differs.then(|| format!("CPU{} sees pin {} {level}", hit.cpu, hit.pin))
            }
            _ => None,
        }
    }

    /// The main transistor was told something, or a test dip is read: `told` is what it would do without a fault.
    pub(super) fn prove_main(&mut self, told: bool) {
        for (number, without) in self.open() {
            let SafetyFault::MainTransistor(hit) = &self.held[number].what else { continue };
            let usual = match without {
                Some(SafetyFault::MainTransistor(other)) => other.conducts,
                _ => told,
            };
            if hit.conducts != usual {
                let effect = format!("the main transistor {}", super::faults::conducts(hit.conducts));
                self.proven(number, effect);
            }
        }
    }

    /// A contact is where a fault holds it, and its coil is `coil`.
    pub(super) fn prove_contact(&mut self, place: usize, coil: bool) {
        for (number, without) in self.open() {
            let SafetyFault::Contact(hit) = &self.held[number].what else { continue };
            if 2 * usize::from(hit.relay) + usize::from(hit.cpu == 2) != place {
                continue;
            }
            let usual = if let Some(SafetyFault::Contact(other)) = &without { other.closed } else { coil };
            if hit.closed != usual {
                let state = if hit.closed { "stays closed" } else { "does not close" };
                let effect = format!("contact {} of relay {} {state}", hit.cpu, hit.relay);
                self.proven(number, effect);
            }
        }
    }
}
