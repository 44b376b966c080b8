//! What is on, and what stays on: outputs as they are driven, relays by their contacts, and outputs that outlive the mode in which they may be driven.
//!
//! A relay is *released* when the first of its coils is without feed, and *open* when a contact of it has moved. One that opens later
//! than a contact takes was not turned off by that coil: it was held by a welded contact, and counts as off only as long before its
//! opening as a contact takes. One that is fed again while it still conducts, later than a contact takes, was never off. An *overstay* is something that lasts longer than it may.

use safety_common::RELAYS;
use safety_common::fault::Fault;

use crate::kernel::{SimTime, Span};

/// A tick of the slowest clock: so long after both CPUs have decided on the safe state all is off (SSR-042), and so long after a
/// CPU that is to turn all off by itself has told so.
pub(super) const TICK: Span = Span::from_micros(1_001);

/// A time from an event to all outputs off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    /// What was detected.
    pub fault: Fault,
    /// By which CPU, 1 or 2.
    pub cpu: u8,
    /// When the step that detected it began.
    pub detected: SimTime,
    /// When the step of that CPU that told all its outputs to be off ended, if one did.
    pub commanded: Option<SimTime>,
    /// When nothing was driven any more.
    pub off: SimTime,
    /// When the last good packet had come to the CPU that detected it, before one that ended a silence in the detecting step.
    pub last_good: SimTime,
    /// When the supply had left its limits.
    pub crossing: Option<SimTime>,
    /// From when on the CPU that detected it counts that.
    pub counted: Option<SimTime>,
    /// The earliest instant from which the firmware may have counted that; none if its converter was wrong.
    pub earliest: Option<SimTime>,
    /// When the other CPU had told all its outputs to be off, or had lost them in a reset, if that was by `off`.
    pub other: Option<SimTime>,
    /// Whether the other CPU had no part in it: a fault held it, or it still drove its side when all was off, and it had told nothing.
    pub alone: bool,
}

impl Off {
    /// Whether something was driven for longer than a tick after all that was told.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let told = self.commanded.into_iter().chain(self.other).max();
        told.is_some_and(|told| self.off.since(told) > TICK)
    }
}

/// A time from a detection of a fault outside the unit to the outputs affected off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOff {
    /// What was detected.
    pub fault: Fault,
    /// When the step that detected it began.
    pub detected: SimTime,
    /// The pins of the groups affected.
    pub pins: u16,
    /// When the step of CPU1 that told none of these pins any more ended, if one did.
    pub commanded: Option<SimTime>,
    /// When none of them was live any more.
    pub off: Option<SimTime>,
}

/// A relay that conducted as one of its coils lost its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Which one, from 0.
    pub relay: u8,
    /// When the coil lost it.
    pub at: SimTime,
    /// When it conducted no longer, or was fed again.
    pub over: Option<SimTime>,
    /// Whether it was fed again while it conducted.
    pub fed_again: bool,
}

/// What the relays of a unit do at this instant, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relays {
    /// Both coils are fed.
    pub held: u8,
    /// Both contacts are closed.
    pub conduct: u8,
    /// A contact is on its way.
    pub move_now: u8,
}

/// Releases of a unit's relays.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    /// How long a contact takes.
    takes: Span,
    releases: Vec<Release>,
    /// By relay: which of the releases is not over.
    open: [Option<usize>; RELAYS],
    stay: u8,
}

impl Contacts {
    /// Contacts that move so long after their coil.
    #[must_use]
    pub fn new(takes: Span) -> Self {
        Self { takes, ..Self::default() }
    }

    /// Coils or contacts are so from now on.
    pub fn see(&mut self, now: SimTime, relays: Relays) {
        let released = relays.conduct & !relays.held;
        self.stay = released & !relays.move_now;
        for (relay, open) in (0u8..).zip(&mut self.open) {
            match (*open, released >> relay & 1 == 1) {
                (None, true) => {
                    *open = Some(self.releases.len());
                    self.releases.push(Release { relay, at: now, over: None, fed_again: false });
                }
                (Some(place), false) => {
                    *open = None;
                    if let Some(release) = self.releases.get_mut(place) {
                        release.over = Some(now);
                        release.fed_again = relays.conduct >> relay & 1 == 1;
                    }
                }
                _ => {}
            }
        }
    }

    /// Relays that conduct with a coil off while no contact of theirs moves: a weld holds them.
    #[must_use]
    pub const fn stay(&self) -> u8 {
        self.stay
    }

    fn of(&self, since: SimTime, off: SimTime, relays: u8) -> impl Iterator<Item = &Release> {
        let own = move |one: &&Release| relays >> one.relay & 1 == 1 && one.at <= off;
        self.releases.iter().filter(own).filter(move |one| one.over.is_none_or(|over| over > since))
    }

    /// When a turn-off that began at `since` and was over for transistors and coils at `off` was over for the contacts of these
    /// relays, too, less what a contact takes; none where one still conducts at `end`, or as it is fed again, though its time to move
    /// is over.
    #[must_use]
    pub fn off(&self, since: SimTime, off: SimTime, relays: u8, end: SimTime) -> Option<SimTime> {
        self.of(since, off, relays).try_fold(off, |latest, one| {
            let least = one.at + self.takes;
            let over = one.over.or((least >= end).then_some(least))?;
            if one.fed_again && over > least {
                return None;
            }
            Some(latest.max(one.at + over.since(least)))
        })
    }

    /// When the last contact of such a turn-off had opened, if a relay took part in it and every one that did has opened.
    #[must_use]
    pub fn opened(&self, since: SimTime, off: SimTime, relays: u8) -> Option<SimTime> {
        let opened = |one: &Release| one.over.filter(|_| !one.fed_again);
        let all: Option<Vec<SimTime>> = self.of(since, off, relays).map(opened).collect();
        all?.into_iter().max()
    }
}

/// What was driven at a unit, and when: pins and relays.
#[derive(Clone, Debug, Default)]
pub struct Driving {
    /// Since when, and what.
    changes: Vec<(SimTime, (u16, u8))>,
}

/// When outputs went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WentOff {
    /// None of them was driven.
    NothingOn,
    /// Then the last of them.
    At(SimTime),
    /// Not all of them.
    Never,
}

impl Driving {
    /// This is driven from now on.
    pub fn see(&mut self, now: SimTime, driven: (u16, u8)) {
        if self.changes.last().map_or((0, 0), |(_, last)| *last) != driven {
            self.changes.push((now, driven));
        }
    }

    /// When none of these outputs was driven any more for the first time in between, if one was at `since`.
    #[must_use]
    pub fn fell(&self, (pins, relays): (u16, u8), since: SimTime, by: SimTime) -> Option<SimTime> {
        let is_on = |driven: (u16, u8)| driven.0 & pins != 0 || driven.1 & relays != 0;
        // What changes at the instant itself was there just before.
        let (before, after) = self.changes.split_at(self.changes.partition_point(|(at, _)| *at < since));
        before.last().filter(|(_, driven)| is_on(*driven))?;
        after.iter().find(|(_, driven)| !is_on(*driven)).map(|(at, _)| *at).filter(|at| *at <= by)
    }

    /// What was driven at an instant: pins, relays.
    #[must_use]
    pub fn at(&self, now: SimTime) -> (u16, u8) {
        let place = self.changes.partition_point(|(at, _)| *at <= now);
        self.changes[..place].last().map_or((0, 0), |(_, driven)| *driven)
    }

    /// When the last of these outputs went off: after `by` if one is driven then, and else the last time before it, if that was at
    /// `since` or later.
    #[must_use]
    pub fn went_off(&self, (pins, relays): (u16, u8), since: SimTime, by: SimTime) -> WentOff {
        let is_on = |driven: (u16, u8)| driven.0 & pins != 0 || driven.1 & relays != 0;
        let place = self.changes.partition_point(|(at, _)| *at <= by);
        let (before, after) = self.changes.split_at(place);
        if before.last().is_some_and(|(_, driven)| is_on(*driven)) {
            let off = after.iter().find(|(_, driven)| !is_on(*driven));
            return off.map_or(WentOff::Never, |(at, _)| WentOff::At(*at));
        }
        let fell = before.windows(2).rfind(|pair| is_on(pair[0].1) && !is_on(pair[1].1)).map(|pair| pair[1].0);
        fell.filter(|at| *at >= since).map_or(WentOff::NothingOn, WentOff::At)
    }
}

/// Something that may last for a time, and the first time that it lasted longer.
#[derive(Clone, Copy, Debug)]
pub struct Overstay {
    most: Span,
    since: Option<SimTime>,
    first: Option<SimTime>,
}

impl Overstay {
    /// It may last so long.
    #[must_use]
    pub const fn new(most: Span) -> Self {
        Self { most, since: None, first: None }
    }

    /// It is there from now on, or not.
    pub fn see(&mut self, now: SimTime, is_there: bool) {
        if !is_there {
            self.first = self.at(now);
        }
        self.since = is_there.then(|| self.since.unwrap_or(now));
    }

    /// When it first had lasted too long by `end`.
    #[must_use]
    pub fn at(&self, end: SimTime) -> Option<SimTime> {
        let lasts = self.since.filter(|since| end.since(*since) > self.most);
        self.first.or(lasts.map(|since| since + self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKES: Span = Span::from_millis(5);

    fn at(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    fn relays(held: u8, conduct: u8, move_now: u8) -> Relays {
        Relays { held, conduct, move_now }
    }

    /// Released at 10 ms; it opens as it should, at the other coil's time, and never.
    #[test]
    fn a_relay_is_off_when_its_contact_says_so() {
        let mut contacts = Contacts::new(TAKES);
        contacts.see(at(0), relays(1, 1, 0));
        contacts.see(at(10), relays(0, 1, 1));
        assert_eq!(contacts.off(at(9), at(10), 1, at(14)), Some(at(10)), "its time to move is not over");
        assert_eq!(contacts.off(at(9), at(10), 1, at(16)), None);
        assert_eq!(contacts.off(at(9), at(10), 2, at(16)), Some(at(10)), "another relay");
        let welded = {
            let mut contacts = contacts.clone();
            contacts.see(at(15), relays(0, 1, 0));
            assert_eq!(contacts.stay(), 1);
            contacts.see(at(30), relays(0, 1, 1));
            assert_eq!(contacts.stay(), 0, "the other contact moves");
            contacts.see(at(35), relays(0, 0, 0));
            contacts
        };
        assert_eq!(welded.off(at(9), at(10), 1, at(99)), Some(at(30)));
        assert_eq!(welded.opened(at(9), at(10), 1), Some(at(35)));
        contacts.see(at(15), relays(0, 0, 0));
        assert_eq!(contacts.off(at(9), at(10), 1, at(99)), Some(at(10)));
        assert_eq!(contacts.opened(at(9), at(10), 1), Some(at(15)));
        assert_eq!(contacts.off(at(40), at(41), 1, at(99)), Some(at(41)), "a later turn-off has nothing of it");
    }

    /// Released at 10 ms and fed again while the contact still moves, or later, with the contact closed or open.
    #[test]
    fn a_relay_that_is_fed_again_was_off_if_its_contact_moved_in_time() {
        let fed_again = |opens: Option<u64>, ms: u64| {
            let mut contacts = Contacts::new(TAKES);
            contacts.see(at(0), relays(1, 1, 0));
            contacts.see(at(10), relays(0, 1, 1));
            if let Some(opens) = opens {
                contacts.see(at(opens), relays(0, 0, 0));
            }
            let closes = u8::from(opens.is_none());
            contacts.see(at(ms), relays(1, closes, 1));
            (contacts.off(at(9), at(10), 1, at(99)), contacts.opened(at(9), at(10), 1))
        };
        assert_eq!(fed_again(None, 14), (Some(at(10)), None), "nobody knows");
        assert_eq!(fed_again(None, 16), (None, None), "it should have opened");
        assert_eq!(fed_again(Some(15), 30), (Some(at(10)), Some(at(15))));
        assert_eq!(fed_again(Some(17), 30), (Some(at(12)), Some(at(17))), "late, and open");
    }

    /// Pin 0 and relay 0 are on from 10 ms, the pin falls at 20 ms, the relay at 30 ms; both come back at 40 ms, for good.
    #[test]
    fn outputs_went_off_with_the_last_of_them() {
        let mut driving = Driving::default();
        for (ms, driven) in [(10, (1, 1)), (20, (0, 1)), (30, (0, 0)), (30, (0, 0)), (40, (1, 1))] {
            driving.see(at(ms), driven);
        }
        let off = |what, since, by| driving.went_off(what, at(since), at(by));
        assert_eq!(off((1, 1), 10, 15), WentOff::At(at(30)));
        assert_eq!(off((1, 0), 10, 15), WentOff::At(at(20)));
        assert_eq!(off((1, 1), 15, 35), WentOff::At(at(30)), "before it was asked for");
        assert_eq!(off((1, 1), 30, 30), WentOff::At(at(30)), "just then");
        assert_eq!(off((1, 1), 31, 35), WentOff::NothingOn);
        assert_eq!(off((2, 2), 0, 45), WentOff::NothingOn, "others");
        assert_eq!(off((1, 1), 0, 5), WentOff::NothingOn, "not yet");
        assert_eq!(off((1, 0), 30, 45), WentOff::Never);
        let fell = |what, since, by| driving.fell(what, at(since), at(by));
        assert_eq!(
            [fell((1, 1), 15, 45), fell((1, 0), 15, 45), fell((1, 1), 15, 29)],
            [Some(at(30)), Some(at(20)), None]
        );
        assert_eq!([fell((1, 1), 30, 45), fell((1, 1), 31, 45), fell((2, 2), 15, 45)], [Some(at(30)), None, None]);
        assert_eq!([driving.at(at(9)), driving.at(at(10)), driving.at(at(29))], [(0, 0), (1, 1), (0, 1)]);
    }

    #[test]
    fn an_overstay_begins_behind_what_is_allowed_and_is_not_forgotten() {
        let mut stay = Overstay::new(TAKES);
        stay.see(at(10), true);
        stay.see(at(12), true);
        assert_eq!((stay.at(at(15)), stay.at(at(16))), (None, Some(at(15))));
        stay.see(at(15), false);
        assert_eq!(stay.at(at(99)), None, "it lasted as long as it may");
        stay.see(at(20), true);
        stay.see(at(26), false);
        stay.see(at(30), true);
        assert_eq!(stay.at(at(99)), Some(at(25)));
    }
}
