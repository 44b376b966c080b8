//! Main transistor, relay contacts, and the rule that nothing stays on.
//!
//! SSR-035, SSR-037, SSR-041.
//!
//! Diverse: CPU1's tables and phases are not known here; its transistors are judged by how much of a tick they conduct,
//! all pins at once in sliced counters. Contacts are judged against what both CPUs wanted, each with its own patience.

use safety_common::fault::Fault;
use safety_common::io::{TickInputs, TickOutputs};
use safety_common::{DISAGREEMENT_TICKS_MOST, OBEY_TICKS_MOST, RELAYS};

use crate::analog::{Feed, FeedLimits, Run, dip_millivolts};
use crate::configuration::driven_pins;
use crate::flow::{Flow, Stage};
use crate::packet::Packet;
use crate::settings::Settings;
use crate::sliced::SlicedRuns;
use crate::trip::{Outcome, Trip, trip_for_lowest};
use crate::twice::Twice;

/// The enable line toggles in every slot.
const MAIN_ON: u32 = 0xFFFF;
/// `SIO_PWR` is not judged for this many steps after a change: 10 ticks of decay and two of latency (own number).
const SETTLE_STEPS: u64 = 12;
/// One dip in this many ticks (own number).
const DIP_PERIOD: u64 = 128;
/// Place of the dip in its period and slot of its tick (own numbers).
const DIP_TICK: u64 = 50;
const DIP_SLOT: u8 = 9;
/// Dips in a row that do not show (own number).
const DIP_MISSES: u32 = 3;
/// A pin that must never be driven, driven for this many ticks in a row (own number).
const STRAY_TICKS: u32 = 3;
/// A transistor that conducts in more slots of a tick than this one drives its pin.
const DRIVEN_SLOTS: u32 = 8;
/// The peer's contact may follow this much later, in ms: the demands travel over the link.
const PEER_CONTACT_MS: u32 = 20;
/// Lanes of the relays beside those of the output groups; also the detail of their disagreement.
const RELAY_LANE: u32 = 16;
const RELAY_DETAIL: u32 = 32;

/// States of the peer, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerView {
    pub(crate) inputs_on: u16,
    pub(crate) outputs_on: u16,
    pub(crate) outputs_failed: u16,
    pub(crate) relays_on: u8,
}

impl PeerView {
    fn of(packet: &Packet) -> Self {
        Self {
            inputs_on: packet.inputs_on,
            outputs_on: packet.outputs_on,
            outputs_failed: packet.outputs_failed,
            relays_on: packet.relays_on,
        }
    }

    /// Stop wins.
    const fn and(self, other: Self) -> Self {
        Self {
            inputs_on: self.inputs_on & other.inputs_on,
            outputs_on: self.outputs_on & other.outputs_on,
            outputs_failed: self.outputs_failed | other.outputs_failed,
            relays_on: self.relays_on & other.relays_on,
        }
    }
}

/// The peer's states over time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerStates {
    last: PeerView,
}

impl PeerStates {
    /// What holds in this tick: stop wins among its packets; without one the last packet holds.
    pub(crate) fn update(&mut self, good: &[Packet]) -> PeerView {
        let mut views = good.iter().map(PeerView::of);
        let now = views.clone().reduce(PeerView::and).unwrap_or(self.last);
        self.last = views.next_back().unwrap_or(self.last);
        now
    }
}

/// What this CPU's logic wants, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) outputs_on: u16,
    pub(crate) relays_on: u8,
}

/// What the outputs of this tick depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// In millivolts.
    pub(crate) supply: u16,
    pub(crate) demand: Demand,
    pub(crate) peer: PeerView,
}

/// The dip test of the main transistor.
#[derive(Clone, Copy, Debug, Default)]
struct Dip {
    /// Asked for in the last step; being played; to be judged in this step.
    asked: bool,
    played: bool,
    misses: Run,
}

/// A contact and what it should be.
#[derive(Clone, Copy, Debug, Default)]
struct Contact {
    expected: bool,
    wrong: Run,
}

/// Everything that CPU2 switches and watches.
#[derive(Clone, Debug)]
pub(crate) struct Outputs {
    main: Twice,
    /// Since the outputs were made. 32 bits would end after 50 days, and no dip would be asked for any more.
    steps: u64,
    dip: Dip,
    driven: SlicedRuns<5>,
    stray: SlicedRuns<2>,
    disagreement: SlicedRuns<10>,
    contacts: [Contact; 2 * RELAYS],
    /// This CPU's contacts as commanded.
    relays: Twice,
}

impl Outputs {
    pub(crate) fn new() -> Self {
        Self {
            main: Twice::new(MAIN_ON),
            steps: 0,
            dip: Dip::default(),
            driven: SlicedRuns::default(),
            stray: SlicedRuns::default(),
            disagreement: SlicedRuns::default(),
            contacts: [Contact::default(); 2 * RELAYS],
            relays: Twice::new(0),
        }
    }

    /// What `SIO_PWR` must show in this step.
    pub(crate) const fn feed(&self) -> Feed {
        if self.steps < SETTLE_STEPS { Feed::Settling } else { Feed::On }
    }

    /// One tick: judges what is, then says what shall be.
    pub(crate) fn drive(
        &mut self,
        inputs: &TickInputs<'_>,
        Situation { supply, demand, peer }: Situation,
        settings: &Settings,
        outputs: &mut TickOutputs,
        flow: &mut Flow,
    ) -> Outcome {
        self.judge_dip(inputs, supply, &settings.feeds)?;
        self.judge_transistors(inputs, demand, settings)?;
        self.judge_contacts(inputs, demand, peer, settings.relay_move)?;
        self.judge_agreement(demand, peer)?;
        outputs.main = self.main.get()? as u16;
        outputs.main_dip = self.next_dip();
        self.relays = Twice::new(u32::from(demand.relays_on & peer.relays_on));
        outputs.relays = self.relays.get()? as u8;
        flow.pass(Stage::Outputs);
        Ok(())
    }

    /// The dip asked for two steps ago must have taken `SIO_PWR` below the drop (main transistor stuck on). While the
    /// supply is below its own limit there is no room for a dip to show; that lasts half a second at most.
    fn judge_dip(&mut self, inputs: &TickInputs<'_>, supply: u16, limits: &FeedLimits) -> Outcome {
        if self.dip.played && supply >= limits.supply_min {
            let missed = dip_millivolts(inputs.sio_power_in_dip) >= supply.saturating_sub(limits.sio_drop);
            if self.dip.misses.sample(missed) >= DIP_MISSES {
                return Err(Trip::new(Fault::MainTransistor, 0));
            }
        }
        self.dip.played = self.dip.asked;
        self.dip.asked = false;
        Ok(())
    }

    fn next_dip(&mut self) -> Option<u8> {
        self.steps = self.steps.saturating_add(1);
        self.dip.asked = self.steps % DIP_PERIOD == DIP_TICK;
        self.dip.asked.then_some(DIP_SLOT)
    }

    /// No transistor conducts that must not: those of pins that are no outputs, and those that this CPU wants OFF.
    fn judge_transistors(&mut self, inputs: &TickInputs<'_>, demand: Demand, settings: &Settings) -> Outcome {
        let conducting = pins_where(inputs, |slots| slots != 0);
        let driven = pins_where(inputs, |slots| slots.count_ones() > DRIVEN_SLOTS);
        let may_be_driven = u32::from(driven_pins(&settings.pins));
        let stray = self.stray.sample(conducting & !may_be_driven, STRAY_TICKS);
        trip_for_lowest(Fault::OutputDriver, stray)?;
        let wanted_off = may_be_driven & !wanted_pins(demand.outputs_on, settings);
        let against = self.driven.sample(driven & wanted_off, OBEY_TICKS_MOST.saturating_add(1));
        trip_for_lowest(Fault::NotObeyed, against)
    }

    /// Mirror contacts: own ones as commanded, the peer's as both want (SSR-041).
    fn judge_contacts(&mut self, inputs: &TickInputs<'_>, demand: Demand, peer: PeerView, move_ms: u32) -> Outcome {
        let own = self.relays.get()? as u8;
        let peers = demand.relays_on & peer.relays_on;
        for (contact, bit) in self.contacts.iter_mut().zip(0u32..) {
            let relay = bit / 2;
            let is_own = bit % 2 == 1;
            let expected = (if is_own { own } else { peers }) >> relay & 1 == 1;
            let most = if is_own { move_ms } else { move_ms.saturating_add(PEER_CONTACT_MS) };
            let closed = inputs.relay_feedback >> bit & 1 == 1;
            if contact.expected != expected {
                *contact = Contact { expected, wrong: Run::default() };
            }
            if contact.wrong.sample(closed != expected) > most {
                return Err(Trip::new(Fault::Relay, bit));
            }
        }
        Ok(())
    }

    /// Two logics that want different things for too long.
    fn judge_agreement(&mut self, demand: Demand, peer: PeerView) -> Outcome {
        let groups = u32::from(demand.outputs_on ^ peer.outputs_on);
        let relays = u32::from((demand.relays_on ^ peer.relays_on) & 3);
        let lanes = groups | relays << RELAY_LANE;
        let reached = self.disagreement.sample(lanes, DISAGREEMENT_TICKS_MOST.saturating_add(1));
        match reached.trailing_zeros() {
            32 => Ok(()),
            lane if lane >= RELAY_LANE => {
                let detail = RELAY_DETAIL.saturating_add(lane.saturating_sub(RELAY_LANE));
                Err(Trip::new(Fault::Disagreement, detail))
            }
            lane => Err(Trip::new(Fault::Disagreement, lane)),
        }
    }
}

/// Pins of the groups that are wanted ON.
fn wanted_pins(outputs_on: u16, settings: &Settings) -> u32 {
    let groups = settings.output_groups.iter().zip(0u32..);
    groups
        .fold(0, |pins, (members, place)| if outputs_on >> place & 1 == 1 { pins | u32::from(*members) } else { pins })
}

/// Pins whose transistor conducted as asked, as bits.
pub(crate) fn pins_where(inputs: &TickInputs<'_>, wanted: impl Fn(u16) -> bool) -> u32 {
    inputs.drivers.iter().zip(0u32..).fold(0, |bits, (slots, pin)| bits | u32::from(wanted(*slots)) << pin)
}

#[cfg(test)]
mod tests;
