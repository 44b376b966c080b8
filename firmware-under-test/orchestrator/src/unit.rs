//! What the CIOC knows of its cooling unit, and how anybody learns of a change.
//!
//! Search, campaign and tries work on one [`Unit`]: the pumps as last heard, the supply, the alarms that stand, the
//! record in non-volatile memory, and the notices that wait for the observer.

use core::hash::{Hash, Hasher};

use heapless::{Deque, Vec};
use protocol::cyclic::{self, PumpFaults, PumpState};
use protocol::header::{ModelId, Version};
use protocol::ids::PumpNumber;
use units::{Duration, Instant, Millivolts};

use crate::config::Config;
use crate::log::Draft;
use crate::notice::{ALARMS_MOST, Alarm, Notice, Outcome, Phase};
use crate::nvm::{Mark, NonVolatile, PumpRecord, Record, Store};
use crate::package::{Image, Package};
use crate::progress::Progress;

const PUMPS: usize = PumpNumber::MOST as usize;
/// Notices that wait for the observer; the largest burst is a search by hand with 16 dead pumps.
const NOTICES_MOST: usize = 96;
/// A status older than this says nothing of now (ten periods).
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// Millivolts above the limit at which a supply that was too low is good again (own number).
const HYSTERESIS: u16 = 500;

/// What a step may use besides the firmware's own state.
pub(crate) struct Ports<'a> {
    pub(crate) now: Instant,
    pub(crate) package: &'a dyn Package,
    pub(crate) nvm: &'a mut dyn NonVolatile,
}

/// A set of pumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PumpSet(u16);

impl PumpSet {
    pub(crate) fn insert(&mut self, pump: PumpNumber) {
        self.0 |= Self::bit(pump);
    }

    pub(crate) fn remove(&mut self, pump: PumpNumber) {
        self.0 &= !Self::bit(pump);
    }

    pub(crate) fn contains(self, pump: PumpNumber) -> bool {
        self.0 & Self::bit(pump) != 0
    }

    /// Numbers are 1 to 16: each has a bit of its own.
    fn bit(pump: PumpNumber) -> u16 {
        u32::try_from(pump.index()).ok().and_then(|index| 1_u16.checked_shl(index)).unwrap_or(0)
    }
}

/// A pump as last heard.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct View {
    pub(crate) reported: Option<cyclic::Status>,
    pub(crate) heard_at: Instant,
    pub(crate) model: Option<ModelId>,
    pub(crate) version: Option<Version>,
    pub(crate) outcome: Outcome,
    /// What it said of its application in the last search.
    pub(crate) application: Option<Application>,
}

/// A pump's application, by the pump's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Application {
    Runs,
    /// It is valid and does not run: the bootloader starts it by itself after a while.
    Waits,
    Invalid,
}

impl View {
    /// The status if it was heard after `since`.
    pub(crate) fn heard_after(&self, since: Instant) -> Option<&cyclic::Status> {
        self.reported.as_ref().filter(|_| self.heard_at > since)
    }

    /// The status if it is not stale.
    pub(crate) fn fresh(&self, now: Instant) -> Option<&cyclic::Status> {
        self.reported.as_ref().filter(|_| now.since(self.heard_at) < FRESH)
    }

    /// Whether the pump cannot run: it cannot be used at all, or its application is invalid and no image is for it.
    pub(crate) fn is_of_no_use(&self) -> bool {
        let says_so = self.reported.is_some_and(|status| status.faults.has(PumpFaults::NO_APPLICATION));
        let empty = says_so || self.application == Some(Application::Invalid);
        match self.outcome {
            Outcome::Missing | Outcome::Dead => true,
            Outcome::Rejected => empty,
            _ => false,
        }
    }

    pub(crate) fn is_short_of_supply(&self, now: Instant) -> bool {
        self.fresh(now).is_some_and(|status| status.faults.has(PumpFaults::LOW_SUPPLY))
    }
}

/// Whether a pump runs its bootloader.
pub(crate) const fn in_bootloader(state: PumpState) -> bool {
    matches!(state, PumpState::Bootloader | PumpState::Updating)
}

/// The supply of the CIOC and the feed of the pumps, the lower of both.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Supply {
    good_since: Option<Instant>,
    /// It was too low since it was last good: it must rise above the limit by [`HYSTERESIS`].
    low: bool,
    dipped: bool,
}

impl Supply {
    pub(crate) fn watch(&mut self, now: Instant, lower: Millivolts, least: Millivolts) {
        let least = if self.low { Millivolts::new(least.get().saturating_add(HYSTERESIS)) } else { least };
        self.low = lower < least;
        if !self.low {
            self.good_since = self.good_since.or(Some(now));
        } else {
            self.good_since = None;
            self.dipped = true;
        }
    }

    pub(crate) const fn is_good(&self) -> bool {
        self.good_since.is_some()
    }

    pub(crate) fn is_steady(&self, now: Instant, span: Duration) -> bool {
        self.good_since.is_some_and(|since| now.since(since) >= span)
    }

    /// Since when it is good, if it is.
    pub(crate) const fn good_since(&self) -> Option<Instant> {
        self.good_since
    }

    /// From now on [`Self::dipped`] tells of dips after this.
    pub(crate) fn forget_dips(&mut self) {
        self.dipped = !self.is_good();
    }

    pub(crate) const fn dipped(&self) -> bool {
        self.dipped
    }
}

/// The unit.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) supply: Supply,
    pub(crate) image: Option<Image>,
    /// The pump that is held in standby for its update.
    pub(crate) in_hand: Option<PumpNumber>,
    /// The campaign waits for one pump or the bus: the others follow the regulation meanwhile.
    pub(crate) regulates: bool,
    pub(crate) progress: Progress,
    /// Pumps that the last search missed because they were silent.
    pub(crate) silent: PumpSet,
    views: [View; PUMPS],
    alarms: Vec<Alarm, ALARMS_MOST>,
    notices: Deque<Notice, NOTICES_MOST>,
}

impl Hash for Unit {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { config, store, supply, image, in_hand, regulates, progress, silent, views, alarms, notices } = self;
        (config, store, supply, image, in_hand, regulates, progress, silent, views, alarms).hash(to);
        notices.len().hash(to);
        notices.iter().for_each(|notice| notice.hash(to));
    }
}

impl Unit {
    pub(crate) fn new(config: Config, store: Store) -> Self {
        let progress = Progress::resumed_at(store.record().percent);
        Self {
            config,
            store,
            supply: Supply::default(),
            image: None,
            in_hand: None,
            regulates: false,
            progress,
            silent: PumpSet::default(),
            views: [View::default(); PUMPS],
            alarms: Vec::new(),
            notices: Deque::new(),
        }
    }

    pub(crate) fn pumps(&self) -> impl Iterator<Item = PumpNumber> + use<> {
        PumpNumber::first(self.config.pumps.max(1))
    }

    pub(crate) fn view(&self, pump: PumpNumber) -> &View {
        &self.views[pump.index() % PUMPS]
    }

    pub(crate) fn view_mut(&mut self, pump: PumpNumber) -> &mut View {
        &mut self.views[pump.index() % PUMPS]
    }

    /// Whether any pump was heard lately.
    pub(crate) fn hears_anyone(&self, now: Instant) -> bool {
        self.pumps().any(|pump| self.view(pump).fresh(now).is_some())
    }

    /// Pumps that the last search missed because they were silent, that are missing still, and that are heard now. A campaign
    /// since then may have updated such a pump, and it may have died: that one only a search by hand revives (PFU-026).
    pub(crate) fn heard_again(&self, now: Instant) -> impl Iterator<Item = PumpNumber> + '_ {
        let is_missing = |pump| self.silent.contains(pump) && self.view(pump).outcome == Outcome::Missing;
        self.pumps().filter(move |pump| is_missing(*pump) && self.view(*pump).fresh(now).is_some())
    }

    /// Since when no pump was heard though all have supply; `None` without supply. Counts from the boot at the earliest.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        let good = self.supply.good_since()?;
        Some(self.pumps().map(|pump| self.view(pump).heard_at).fold(good, Instant::max))
    }

    /// Whether the pumps run at the campaign's fixed speed (PFU-047).
    pub(crate) fn holds_speed(&self) -> bool {
        self.record().campaign.is_some() && !self.regulates
    }

    pub(crate) fn record(&self) -> &Record {
        self.store.record()
    }

    pub(crate) fn pump_record(&self, pump: PumpNumber) -> &PumpRecord {
        self.store.record().pump(pump)
    }

    pub(crate) fn is_dead(&self, pump: PumpNumber) -> bool {
        self.pump_record(pump).mark == Mark::Dead
    }

    /// The pumps that are dead now.
    pub(crate) fn dead(&self) -> PumpSet {
        let mut dead = PumpSet::default();
        self.pumps().filter(|pump| self.is_dead(*pump)).for_each(|pump| dead.insert(pump));
        dead
    }

    /// Changes the record and logs in one step, see [`Store::commit`].
    pub(crate) fn commit(&mut self, ports: &mut Ports<'_>, drafts: &[Draft], change: impl FnOnce(&mut Record)) {
        for entry in self.store.commit(ports.nvm, ports.now, drafts, change) {
            let _ = self.notices.push_back(Notice::Log(*entry));
        }
    }

    /// Logs without a change of the record.
    pub(crate) fn log(&mut self, ports: &mut Ports<'_>, draft: Draft) {
        self.commit(ports, &[draft], |_| {});
    }

    /// Tells the observer; if nobody fetches notices, the newest are lost, the status is not.
    pub(crate) fn notice(&mut self, notice: Notice) {
        let _ = self.notices.push_back(notice);
    }

    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    pub(crate) fn phase(&mut self, pump: PumpNumber, attempt: u8, phase: Phase) {
        self.notice(Notice::Phase { pump, attempt, phase });
    }

    pub(crate) fn set_outcome(&mut self, pump: PumpNumber, outcome: Outcome) {
        if self.view(pump).outcome != outcome {
            self.view_mut(pump).outcome = outcome;
            self.notice(Notice::Outcome { pump, outcome });
        }
    }

    pub(crate) fn alarms(&self) -> &Vec<Alarm, ALARMS_MOST> {
        &self.alarms
    }

    pub(crate) fn raise(&mut self, alarm: Alarm) {
        if !self.alarms.contains(&alarm) && self.alarms.push(alarm).is_ok() {
            self.notice(Notice::AlarmRaised(alarm));
        }
    }

    pub(crate) fn clear(&mut self, alarm: Alarm) {
        self.clear_where(|other| other == alarm);
    }

    pub(crate) fn clear_where(&mut self, goes: impl Fn(Alarm) -> bool) {
        while let Some(index) = self.alarms.iter().position(|alarm| goes(*alarm)) {
            let alarm = self.alarms.remove(index);
            self.notice(Notice::AlarmCleared(alarm));
        }
    }
}
