//! The search: is there an image, is it good, which pumps are there, which of them differ.
//!
//! It runs after every boot and on demand, an interrupted campaign or not (PFU-013, PFU-014):
//! ```text
//!   wait for the supply -> wait for every pump's status -> read model, version, state of each -> judge
//!   meanwhile: check the image, 4 KB a millisecond
//! ```
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
use crate::unit::{Application, Ports, Unit};

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
    reads: u8,
    reads_begun: Instant,
    restarted: bool,
    model: ModelId,
    version: Version,
}

impl Search {
    pub(crate) fn begin(manual: bool, unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        let event = if manual { Event::ManualSearch } else { Event::Search };
        unit.commit(ports, &[Draft::new(event)], |record| {
            for pump in PumpNumber::first(PumpNumber::MOST) {
                let entry = record.pump_mut(pump);
                if manual && entry.mark == Mark::Dead {
                    *entry = PumpRecord::default();
                }
            }
        });
        unit.notice(Notice::Searching { manual });
        unit.image = None;
        unit.clear_where(|alarm| manual || !matches!(alarm, Alarm::PumpDead(_)));
        for pump in unit.pumps() {
            let dead = unit.is_dead(pump);
            unit.set_outcome(pump, if dead { Outcome::Dead } else { Outcome::Unknown });
            if dead {
                unit.raise(Alarm::PumpDead(pump));
            }
        }
        Self {
            stage: Stage::Supply,
            check: PackageCheck::Unread,
            next_slice: ports.now,
            begun: ports.now,
            reads: 0,
            reads_begun: ports.now,
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
        judge_all(unit, ports);
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

    fn gather(&mut self, until: Instant, unit: &mut Unit, client: &mut Client, ports: &Ports<'_>) {
        if !unit.supply.is_good() {
            self.stage = Stage::Supply;
            return;
        }
        let all = unit.pumps().all(|pump| unit.is_dead(pump) || unit.view(pump).fresh(ports.now).is_some());
        if all || ports.now >= until {
            self.turn_to(unit.pumps().next(), unit, client, ports.now);
        }
    }

    /// Begins with `pump`, or with the next one that is not dead; after the last the outcomes are judged.
    fn turn_to(&mut self, first: Option<PumpNumber>, unit: &Unit, client: &mut Client, now: Instant) {
        let from = first.map_or(u8::MAX, PumpNumber::get);
        self.restarted = false;
        match unit.pumps().find(|pump| pump.get() >= from && !unit.is_dead(*pump)) {
            Some(pump) => {
                client.turn_to(pump);
                self.reads = 0;
                self.read(pump, Identifier::Model, client, now);
            }
            None => self.stage = Stage::Judge,
        }
    }

    fn next_pump(&mut self, pump: PumpNumber, unit: &Unit, client: &mut Client, now: Instant) {
        self.turn_to(PumpNumber::new(pump.get().saturating_add(1)), unit, client, now);
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
                report_missing(pump, Cause::Timeout, unit, ports);
                return self.next_pump(pump, unit, client, ports.now);
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
        self.next_pump(pump, unit, client, ports.now);
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

fn judge_all(unit: &mut Unit, ports: &mut Ports<'_>) {
    for pump in unit.pumps() {
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
