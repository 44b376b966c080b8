//! How far a stop reaches: through memories and CAN entries to other units, further from there, and back.
//!
//! All units are asked in rounds, each with its own devices that are OFF and with what the others tell it after the round before, until
//! nobody is told anything new. A way passes each unit once and may end where it began, so that behind the first round there are no more
//! of them than units. Beside what is known of all devices, a second account holds the *news*: what follows the one device that the
//! stop is about. Only what follows the news belongs to the stop.

use bevy_ecs::prelude::World;
use safety_common::configuration::BlockKind;

use super::super::Units;
use super::super::unit::Unit;
use super::super::watch::Watch;
use super::{Effect, Known, TICKS, are_peers};
use crate::kernel::{SimTime, Span};
use crate::safety::binary::Section;

/// What a stop does at a unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Reached {
    /// Pins and relays that are driven and go off, and within which time. The response time of a unit covers the inputs of those that it
    /// hears; so it holds for what goes off in the first two rounds, and each further one is a unit that passes on what it heard, and
    /// adds its own.
    pub off: Vec<((u16, u8), Span)>,
    /// Pins and relays that the diagram wants on all the same, in every round.
    pub on: (u16, u8),
}

/// What is known at a unit in a round, and what of it is news.
#[derive(Clone, Debug, Default)]
struct Account {
    all: Known,
    news: Known,
    is_new: bool,
}

/// What a stop at an input group of a unit does, by unit.
pub(super) fn carried(world: &World, now: SimTime, unit: u8, group: u8) -> Vec<Reached> {
    let entities = world.resource::<Units>().entities();
    let units: Vec<&Unit> = entities.iter().filter_map(|entity| world.get::<Unit>(*entity)).collect();
    // Of a node that is silent for longer than its time-out every memory is OFF, whatever it would tell.
    let silent = |one: &Unit| one.watch.silent_at(now, TICKS).fold(0u16, |nodes, node| nodes | 1 << node.min(15));
    let silent: Vec<u16> = units.iter().map(|one| silent(one)).collect();
    // What a device shows is true whatever the wires make of it: a stop beside another one that nobody saw is a stop.
    let account = |(one, silent): (&&Unit, &u16)| {
        let news = Known { inputs_off: u16::from(one.index == unit) << group.min(15), ..Known::default() };
        let all = Known { inputs_off: !one.shown | news.inputs_off, ..Known::default() };
        let all = one.watch.without(all, (0..16u8).filter(|node| silent >> node & 1 == 1));
        Account { all, news, is_new: true }
    };
    let mut accounts: Vec<Account> = units.iter().zip(&silent).map(account).collect();
    let mut reached = vec![Reached { off: Vec::new(), on: (u16::MAX, u8::MAX) }; units.len()];
    for round in 0..=units.len() as u64 {
        let mut told = vec![(Known::default(), Known::default()); units.len()];
        for (place, (one, account)) in units.iter().zip(&mut accounts).enumerate() {
            if !std::mem::take(&mut account.is_new) {
                continue;
            }
            let (watch, found) = (&one.watch, &mut reached[place]);
            let effect = watch.effect(&account.all);
            let on = watch.pins_of(effect.on);
            found.on = (found.on.0 & on.0, found.on.1 & on.1);
            let follows = effect.clone().followed(watch.section(), &account.news);
            let before =
                found.off.iter().fold((0, 0), |all: (u16, u8), ((pins, relays), _)| (all.0 | pins, all.1 | relays));
            let (pins, relays) = watch.driven_of(&follows);
            let more = (pins & !before.0, relays & !before.1);
            if more != (0, 0) {
                let response = Span::from_millis(watch.common().network.response_ms.into());
                found.off.push((more, Span::from_nanos(response.as_nanos() * round.max(1))));
            }
            // Who is not in normal mode sends nothing.
            if !watch.is_normal() {
                continue;
            }
            for (((all, news), receiver), silent) in told.iter_mut().zip(&units).zip(&silent) {
                if are_peers(watch.common(), receiver.watch.common()) {
                    let by_radio = silent >> watch.common().own.min(15) & 1 == 0;
                    all.add(taken(receiver.watch.section(), watch, &effect, by_radio));
                    news.add(taken(receiver.watch.section(), watch, &follows, by_radio));
                }
            }
        }
        for (account, (all, news)) in accounts.iter_mut().zip(told) {
            let before = (account.all.clone(), account.news.clone());
            account.all.add(all);
            account.news.add(news);
            account.is_new = (&account.all, &account.news) != (&before.0, &before.1);
        }
        if accounts.iter().all(|account| !account.is_new) {
            break;
        }
    }
    reached
}

/// What a unit takes of another one's effect; memories only where it hears its radio.
fn taken(section: &Section, sender: &Watch, effect: &Effect, by_radio: bool) -> Known {
    let node = u8::try_from(sender.common().own).unwrap_or(u8::MAX);
    let mut known = Known::default();
    for block in &section.blocks {
        match block.kind {
            BlockKind::MemoryReceive if block.index == node && by_radio => {
                let told = effect.memories.iter().find(|(number, _)| *number == block.number);
                known.memories.extend(told.map(|(number, value)| (node, *number, *value)));
            }
            BlockKind::CanReceive => {
                let told = effect.can.iter().find(|one| (one.0, one.1) == (block.index, block.number));
                known.can.extend(told);
            }
            _ => {}
        }
    }
    known
}
