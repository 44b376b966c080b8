//! The search: is there an image, is it good, which pumps are there, which of them differ.
//!
//! It runs after every boot and on demand, an interrupted campaign or not (PFU-013, PFU-014):
//! ```text
//!   wait for the supply -> wait for every pump's status -> read model, version, state of each -> judge
//!   meanwhile: check the image, 4 KB a millisecond
//! ```
//! A bus on which nobody is heard is waited for, as long as it takes, with an alarm. A pump that was silent at its turn is
//! read again before the search ends if it is heard by then. One that is heard only after the search is searched once more.
//!
//! A pump in its bootloader that has a valid application is reset once, so that it runs again whatever is decided.

use protocol::header::{ModelId, Version};
use protocol::ids::PumpNumber;
use protocol::uds::{Identifier, Request, Response};
use units::{Duration, Instant};

use crate::client::{Client, Reply};
use crate::log::{Cause, Draft, Event};
use crate::notice::{Alarm, Notice, Outcome};
use crate::nvm::{Mark, PumpRecord};
use crate::package::{Image, ImageCheck, Verdict, read_image};
use crate::unit::{Application, Ports, PumpSet, Unit};

/// Reads of one identifier before a pump that was never heard counts as missing (own number).
const READS_MOST: u8 = 3;
/// Pause before a read is repeated (own number).
const READ_PAUSE: Duration = Duration::from_millis(300);
/// Pause between two slices of the image check (own number).
const SLICE_PAUSE: Duration = Duration::from_millis(1);
/// How often a wait for supply or pumps is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// State as read by UDS: bootloader with a valid application.
const STATE_READY: u8 = 1;
/// State as read by UDS: the application runs.
const STATE_RUNS: u8 = 0;

#[derive(Clone, Hash)]
enum PackageCheck {
    Unread,
    Running(ImageCheck),
    Done(Result<Option<Image>, Cause>),
}

#[derive(Clone, Copy, Debug, Hash)]
enum Stage {
    Supply,
    Gather { until: Instant },
    Read { pump: PumpNumber, identifier: Identifier },
    Pause { pump: PumpNumber, identifier: Identifier, until: Instant },
    Restart { pump: PumpNumber, since: Instant },
    Judge,
}

/// A running search.
#[derive(Clone, Hash)]
pub(crate) struct Search {
    stage: Stage,
    check: PackageCheck,
    next_slice: Instant,
    begun: Instant,
    /// Pumps that this search is for.
    wanted: PumpSet,
    /// Those that are still to be read.
    unread: PumpSet,
    /// Pumps that did not answer.
    missing: PumpSet,
    /// Pumps that have been read again after they were silent: each is once.
    read_again: PumpSet,
    silence_told: bool,
    reads: u8,
    reads_begun: Instant,
    restarted: bool,
    model: ModelId,
    version: Version,
}

impl Search {
    /// Begins a search of all pumps; one by hand with the pumps that were dead as it was asked for.
    pub(crate) fn begin(manual: Option<PumpSet>, unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        let revived = manual.unwrap_or_default();
        let manual = manual.is_some();
        let event = if manual { Event::ManualSearch } else { Event::Search };
        unit.commit(ports, &[Draft::new(event)], |record| {
            for pump in PumpNumber::first(PumpNumber::MOST) {
                let entry = record.pump_mut(pump);
                if revived.contains(pump) && entry.mark == Mark::Dead {
                    *entry = PumpRecord::default();
                }
            }
        });
        unit.notice(Notice::Searching { manual });
        unit.image = None;
        let still_dead = unit.dead();
        unit.clear_where(|alarm| !matches!(alarm, Alarm::PumpDead(pump) if still_dead.contains(pump)));
        let mut unread = PumpSet::default();
        for pump in unit.pumps() {
            let dead = unit.is_dead(pump);
            if !dead {
                unread.insert(pump);
            }
            unit.set_outcome(pump, if dead { Outcome::Dead } else { Outcome::Unknown });
            if dead {
                unit.raise(Alarm::PumpDead(pump));
            }
        }
        Self::of(unread, unit, ports.now)
    }

    /// Searches once more for the pumps that were silent in the last search and are heard now; the others stay as found.
    pub(crate) fn again(unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        unit.log(ports, Draft::new(Event::Search));
        unit.notice(Notice::Searching { manual: false });
        unit.image = None;
        unit.clear_where(|alarm| matches!(alarm, Alarm::Image(_)));
        let mut unread = PumpSet::default();
        unit.heard_again(ports.now).for_each(|pump| unread.insert(pump));
        for pump in unit.pumps().filter(|pump| unread.contains(*pump)) {
            unit.clear(Alarm::PumpMissing(pump));
            unit.set_outcome(pump, Outcome::Unknown);
        }
        Self::of(unread, unit, ports.now)
    }

    fn of(unread: PumpSet, unit: &mut Unit, now: Instant) -> Self {
        unit.silent = PumpSet::default();
        Self {
            stage: Stage::Supply,
            check: PackageCheck::Unread,
            next_slice: now,
            begun: now,
            wanted: unread,
            unread,
            missing: PumpSet::default(),
            read_again: PumpSet::default(),
            silence_told: false,
            reads: 0,
            reads_begun: now,
            restarted: false,
            model: ModelId(0),
            version: Version::from_bytes([0; 6]),
        }
    }

    pub(crate) fn wake_at(&self, now: Instant) -> Instant {
        let slice = if matches!(self.check, PackageCheck::Done(_)) { None } else { Some(self.next_slice) };
        let stage = match self.stage {
            Stage::Supply | Stage::Gather { .. } | Stage::Restart { .. } => Some(now.after(LOOK)),
            Stage::Pause { until, .. } => Some(until),
            Stage::Read { .. } | Stage::Judge => None,
        };
        [slice, stage].into_iter().flatten().min().unwrap_or(now.after(LOOK))
    }

    /// Goes on; `true` when the outcomes are known.
    pub(crate) fn advance(
        &mut self,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
        reply: Option<Reply>,
    ) -> bool {
        self.check_package(unit, ports);
        match self.stage {
            Stage::Supply => self.await_supply(unit, ports),
            Stage::Gather { until } => self.gather(until, unit, client, ports),
            Stage::Read { pump, identifier } => {
                if let Some(reply) = reply {
                    self.on_reply(pump, identifier, reply, unit, client, ports);
                }
            }
            Stage::Pause { pump, identifier, until } if ports.now >= until => {
                self.read(pump, identifier, client, ports.now)
            }
            Stage::Restart { pump, since } => self.await_restart(pump, since, unit, client, ports),
            Stage::Pause { .. } | Stage::Judge => {}
        }
        let PackageCheck::Done(found) = &self.check else { return false };
        if !matches!(self.stage, Stage::Judge) {
            return false;
        }
        unit.image = found.ok().flatten();
        for pump in unit.pumps().filter(|pump| self.missing.contains(*pump)) {
            report_missing(pump, Cause::Timeout, unit, ports);
        }
        judge_all(self.wanted, unit, ports);
        true
    }

    fn check_package(&mut self, unit: &mut Unit, ports: &mut Ports<'_>) {
        if ports.now < self.next_slice {
            return;
        }
        let found = match &mut self.check {
            PackageCheck::Done(_) => return,
            PackageCheck::Unread => match read_image(ports.package) {
                Ok(Some(image)) => {
                    self.check = PackageCheck::Running(ImageCheck::new(image));
                    None
                }
                Ok(None) => Some(Ok(None)),
                Err(cause) => Some(Err(cause)),
            },
            PackageCheck::Running(check) => match check.slice(ports.package) {
                Verdict::Unfinished => None,
                Verdict::Good(image) => Some(Ok(Some(image))),
                Verdict::Bad(cause) => Some(Err(cause)),
            },
        };
        self.next_slice = ports.now.after(SLICE_PAUSE);
        let Some(found) = found else { return };
        if let Err(cause) = found {
            unit.log(ports, Draft::new(Event::ImageRejected).because(cause));
            unit.raise(Alarm::Image(cause));
        }
        self.check = PackageCheck::Done(found);
    }

    fn await_supply(&mut self, unit: &mut Unit, ports: &Ports<'_>) {
        if unit.supply.is_good() {
            unit.clear(Alarm::LowSupply);
            self.stage = Stage::Gather { until: ports.now.after(unit.config.boot_timeout) };
        } else {
            unit.raise(Alarm::LowSupply);
        }
    }

    fn gather(&mut self, until: Instant, unit: &mut Unit, client: &mut Client, ports: &mut Ports<'_>) {
        if !unit.supply.is_good() {
            unit.clear(Alarm::NoPumpHeard);
            self.stage = Stage::Supply;
            return;
        }
        let all = unit.pumps().all(|pump| !self.unread.contains(pump) || unit.view(pump).fresh(ports.now).is_some());
        if all || (ports.now >= until && unit.hears_anyone(ports.now)) {
            unit.clear(Alarm::NoPumpHeard);
            self.turn_to(unit, client, ports.now);
        } else if ports.now >= until {
            self.tell_silence(unit, ports);
        }
    }

    /// No pump at all is heard: bus or feed is gone, not a pump. The search waits and listens.
    fn tell_silence(&mut self, unit: &mut Unit, ports: &mut Ports<'_>) {
        if !self.silence_told {
            self.silence_told = true;
            unit.log(ports, Draft::new(Event::NoPumpHeard).because(Cause::Timeout));
        }
        unit.raise(Alarm::NoPumpHeard);
    }

    /// Turns to the first pump that is to be read. After the last one those that were silent and are heard now are read
    /// again; on a bus on which nobody is heard any more all of them are waited for. Then the outcomes are judged.
    fn turn_to(&mut self, unit: &mut Unit, client: &mut Client, now: Instant) {
        self.restarted = false;
        if !unit.pumps().any(|pump| self.unread.contains(pump)) && self.take_silent(unit, now) {
            self.stage = Stage::Gather { until: now.after(unit.config.boot_timeout) };
            return;
        }
        match unit.pumps().find(|pump| self.unread.contains(*pump)) {
            Some(pump) => {
                self.unread.remove(pump);
                client.turn_to(pump);
                self.reads = 0;
                self.read(pump, Identifier::Model, client, now);
            }
            None => self.stage = Stage::Judge,
        }
    }

    /// Takes the silent pumps that are to be read again; all of them if nobody is heard: then, `true`, the search waits.
    fn take_silent(&mut self, unit: &mut Unit, now: Instant) -> bool {
        let alone = !unit.hears_anyone(now);
        let mut waits = false;
        for pump in unit.pumps().filter(|pump| unit.silent.contains(*pump)).collect::<heapless::Vec<_, 16>>() {
            let heard = unit.view(pump).fresh(now).is_some() && !self.read_again.contains(pump);
            if alone || heard {
                unit.silent.remove(pump);
                self.missing.remove(pump);
                self.unread.insert(pump);
                waits |= alone;
                if heard {
                    self.read_again.insert(pump);
                }
            }
        }
        waits
    }

    /// The pump did not answer: it is missing, unless it is heard again before the search is over.
    fn miss(&mut self, pump: PumpNumber, unit: &mut Unit, now: Instant) {
        self.missing.insert(pump);
        if unit.view(pump).fresh(now).is_none() {
            unit.silent.insert(pump);
        }
    }

    fn read(&mut self, pump: PumpNumber, identifier: Identifier, client: &mut Client, now: Instant) {
        if self.reads == 0 {
            self.reads_begun = now;
        }
        self.reads = self.reads.saturating_add(1);
        self.stage = Stage::Read { pump, identifier };
        client.ask(&Request::Read(identifier));
    }

    fn on_reply(
        &mut self,
        pump: PumpNumber,
        identifier: Identifier,
        reply: Reply,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
    ) {
        let next = match (identifier, reply) {
            (Identifier::Model, Reply::Answer(Response::Model(model))) => {
                self.model = model;
                Identifier::Version
            }
            (Identifier::Version, Reply::Answer(Response::Version(version))) => {
                self.version = version;
                Identifier::State
            }
            (Identifier::State, Reply::Answer(Response::State(state))) => {
                return self.on_state(pump, state, unit, client, ports);
            }
            _ if self.may_repeat(pump, unit, ports.now) => {
                self.stage = Stage::Pause { pump, identifier, until: ports.now.after(READ_PAUSE) };
                return;
            }
            _ => {
                self.miss(pump, unit, ports.now);
                return self.turn_to(unit, client, ports.now);
            }
        };
        self.reads = 0;
        self.read(pump, next, client, ports.now);
    }

    /// A pump that was heard is there: it may be erasing for a CIOC that has lost power since.
    fn may_repeat(&self, pump: PumpNumber, unit: &Unit, now: Instant) -> bool {
        let heard = unit.view(pump).heard_after(self.begun).is_some();
        self.reads < READS_MOST || (heard && now < self.reads_begun.after(unit.config.read_timeout))
    }

    fn on_state(&mut self, pump: PumpNumber, state: u8, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) {
        if state == STATE_READY && !self.restarted {
            self.restarted = true;
            self.stage = Stage::Restart { pump, since: ports.now };
            return client.ask(&Request::Reset);
        }
        let view = unit.view_mut(pump);
        view.model = Some(self.model);
        view.version = Some(self.version);
        view.application = Some(match state {
            STATE_RUNS => Application::Runs,
            STATE_READY => Application::Waits,
            _ => Application::Invalid,
        });
        self.turn_to(unit, client, ports.now);
    }

    /// After the reset: reads again once the application runs, or when it takes too long.
    fn await_restart(&mut self, pump: PumpNumber, since: Instant, unit: &Unit, client: &mut Client, ports: &Ports<'_>) {
        let runs = unit.view(pump).heard_after(since).is_some_and(|status| status.state.is_application());
        if runs || ports.now >= since.after(unit.config.bootloader_timeout) {
            self.reads = 0;
            self.read(pump, Identifier::Version, client, ports.now);
        }
    }
}

fn report_missing(pump: PumpNumber, cause: Cause, unit: &mut Unit, ports: &mut Ports<'_>) {
    unit.log(ports, Draft::new(Event::PumpMissing).of(pump).because(cause));
    unit.raise(Alarm::PumpMissing(pump));
    unit.set_outcome(pump, Outcome::Missing);
}

fn judge_all(wanted: PumpSet, unit: &mut Unit, ports: &mut Ports<'_>) {
    for pump in unit.pumps().filter(|pump| wanted.contains(*pump)) {
        if matches!(unit.view(pump).outcome, Outcome::Missing | Outcome::Dead) {
            continue;
        }
        let outcome = judge(unit, pump);
        match outcome {
            Outcome::Rejected => {
                unit.log(ports, Draft::new(Event::PumpRejected).of(pump).because(Cause::ImageRejected));
                unit.raise(Alarm::PumpRejected(pump));
            }
            // Its own check of its application failed.
            Outcome::Missing => report_missing(pump, Cause::CheckFailed, unit, ports),
            _ => {}
        }
        unit.set_outcome(pump, outcome);
    }
}

/// Matchgrade (PFU-005) and model check (PFU-016) of a pump that answered. One that does not run its application needs
/// the image whatever its version; without an image, one whose application is invalid is of no use.
fn judge(unit: &Unit, pump: PumpNumber) -> Outcome {
    let view = unit.view(pump);
    let runs = view.application == Some(Application::Runs);
    match unit.image {
        None if view.application == Some(Application::Invalid) => Outcome::Missing,
        None => Outcome::UpToDate,
        Some(image) if view.model != Some(image.header.model) => Outcome::Rejected,
        Some(image) if runs && view.version == Some(image.header.version) => Outcome::UpToDate,
        Some(_) => Outcome::Pending,
    }
}
