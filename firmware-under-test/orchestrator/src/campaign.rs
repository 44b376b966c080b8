//! The campaign: one pump after another, up to three tries each, then back to automatic.
//!
//! ```text
//!   choose -> supply good? -> standby, speed 0? -> look -> COUNT -> try -+-> done ----> choose
//!      |         ^                                  |                    +-> failed --> pause -> supply good?
//!      v         |  low: wait with an alarm         +-> equal: choose    +-> third failure: dead -> choose
//!   finished     +- no try is counted up to here                             (lack of supply is not one of the three)
//! ```
//! A try is counted in the record before the pump is asked to enter its bootloader, so that power loss cannot lose one
//! (PFU-022). A pump that is silent, does not reach standby or does not let itself be looked at was not tried: nothing is
//! counted. It is *set aside* after a few waits: the campaign ends without it, with an alarm, and the pump is not dead.
//! One that was set aside for its silence, of statuses or of answers, and is heard before the end is taken back once and
//! tried on, within its three tries.
//!
//! The look before any try tells a pump that runs the image already. After a try that ended without a word of what the
//! pump was left with, it is good as it is; after a failure of flash, check or version it is written again.
//!
//! A bus on which nobody is heard is waited for like a missing supply, for as long as it takes: the campaign listens, the
//! status shows it at once, and after [`SILENCE_MOST`] an alarm and a log entry tell of it. With one pump configured this
//! is the same as that pump's silence, which nothing distinguishes from a cut bus.
//!
//! Never two pumps in an update at once (PFU-046): after a try that did not end well the next pump waits until the one
//! that was left says that its session is over, or until it must be (settle.rs). The end of the campaign waits in the
//! same way, also when it is given up because its image is gone, so that nobody leaves the fixed speed while a pump is in
//! an update (PFU-047).
//!
//! A *dead* pump stands still: after a failed update its application is mostly invalid, and its bootloader never turns
//! the motor, whatever it hears. One whose application is valid, because it never entered its bootloader or because it
//! started and reports faults or a wrong version, is held in standby by command for as long as the CIOC lives; while
//! the CIOC is silent it runs in fail-safe mode like every whole pump (PFU-012): its mark is known to the CIOC alone.

use protocol::header::Version;
use protocol::ids::PumpNumber;
use units::{Duration, Instant};

use crate::client::{Client, Reply};
use crate::config::{SILENCE_MOST, TRIES_MOST};
use crate::log::{Cause, Draft, Event};
use crate::notice::{Alarm, Notice, Outcome, Phase};
use crate::nvm::{Mark, PumpRecord};
use crate::package::{Image, ImageCheck, Verdict, read_image};
use crate::settle::Settling;
use crate::unit::{Ports, PumpSet, Unit};
use crate::update::{Doubt, Step, Try, is_stopped};

/// How often a condition is looked at while the campaign waits for it.
const LOOK: Duration = Duration::from_millis(100);
/// Pause between two slices of the image check (own number).
const SLICE_PAUSE: Duration = Duration::from_millis(1);
/// Time left is shown anew this often.
const SHOW: Duration = Duration::from_secs(1);
/// Waits for one pump's standby before it is set aside (own number).
const WAITS_MOST: u8 = 3;
/// Tries of one pump that may fail for lack of supply before it is set aside (own number).
const EXCUSED_MOST: u8 = 10;
/// The pause after repeated tries without supply doubles up to 2^5 times the first.
const BACK_OFF_MOST: u8 = 5;

#[derive(Clone, Copy, Debug, Hash)]
enum Stage {
    Choose,
    Supply {
        pump: PumpNumber,
    },
    /// The whole image is checked again before every try: the store may have gone bad since the search (PFU-015).
    Verify {
        pump: PumpNumber,
    },
    Stop {
        pump: PumpNumber,
        since: Instant,
    },
    /// Is it still the pump that was searched, and does it still need the image? Not counted.
    Look {
        pump: PumpNumber,
        attempt: Try,
    },
    Try {
        pump: PumpNumber,
        attempt: Try,
    },
    Pause {
        pump: PumpNumber,
        until: Instant,
    },
    /// No pump is to be updated any more, but one that was left may still be in its update; `gone` tells why the campaign
    /// is given up, if it is.
    Settle {
        gone: Option<Cause>,
    },
}

/// A running campaign.
#[derive(Clone, Hash)]
pub(crate) struct Campaign {
    image: Image,
    check: ImageCheck,
    stage: Stage,
    show_at: Instant,
    without_supply: u8,
    /// Waits for the standby of the pump in hand that were in vain.
    waits: u8,
    /// Since a pump was last left without a good end.
    settling: Settling,
    /// The present silence of all pumps has been told of.
    silence_told: bool,
    /// The last try, if nothing has explained its failure.
    doubt: Option<Doubt>,
    /// Pumps set aside because they were silent, or did not answer.
    silent: PumpSet,
    /// Pumps that were set aside and taken back already: each is once.
    taken_back: PumpSet,
}

/// What a campaign is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Focus {
    /// A pump is in hand.
    Pump(PumpNumber),
    /// This pump is next once there is supply.
    Supply(PumpNumber),
    /// This pump is next once any pump is heard.
    Silence(PumpNumber),
}

/// What a step of a campaign has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Course {
    Running,
    Ended { errors: bool },
}

impl Campaign {
    /// Stores the consent and starts: the status record and the log entry come before any pump leaves normal
    /// operation (PFU-018).
    pub(crate) fn start(image: Image, unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        let mut pending = [false; PumpNumber::MOST as usize];
        for (flag, pump) in pending.iter_mut().zip(PumpNumber::first(PumpNumber::MOST)) {
            *flag = unit.view(pump).outcome == Outcome::Pending;
        }
        let drafts = [Draft::new(Event::ConsentGiven), Draft::new(Event::CampaignStarted)];
        unit.clear_where(|alarm| matches!(alarm, Alarm::Image(_)));
        unit.notice(Notice::Pause);
        unit.commit(ports, &drafts, |record| {
            record.campaign = Some(image.hash);
            record.percent = 0;
            for (flag, pump) in pending.into_iter().zip(PumpNumber::first(PumpNumber::MOST)) {
                let entry = record.pump_mut(pump);
                if entry.mark != Mark::Dead {
                    let mark = if flag { Mark::Pending } else { Mark::None };
                    *entry = PumpRecord { mark, ..PumpRecord::default() };
                }
            }
        });
        Self::go(image, false, unit, ports)
    }

    /// Goes on after a reboot with what the search has found; the consent is the stored one.
    pub(crate) fn resume(image: Image, unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        for pump in unit.pumps() {
            reconcile(pump, unit, ports);
        }
        bury_spent(unit, ports);
        unit.log(ports, Draft::new(Event::CampaignResumed));
        unit.notice(Notice::Pause);
        Self::go(image, true, unit, ports)
    }

    fn go(image: Image, resumed: bool, unit: &mut Unit, ports: &Ports<'_>) -> Self {
        let count = |mark| unit.pumps().filter(|pump| unit.pump_record(*pump).mark == mark).count();
        // At most 16 each.
        let [left, done, dead] =
            [Mark::Pending, Mark::Done, Mark::Dead].map(|mark| u8::try_from(count(mark)).unwrap_or(16));
        let dead = if resumed { dead } else { 0 };
        let percent = unit.record().percent;
        unit.progress.begin(left.saturating_add(done).saturating_add(dead), done, left, percent, resumed);
        unit.notice(Notice::CampaignStarted { pumps: left, resumed });
        Self {
            image,
            check: ImageCheck::new(image),
            stage: Stage::Choose,
            show_at: ports.now,
            without_supply: 0,
            waits: 0,
            settling: Settling::since(ports.now),
            silence_told: false,
            doubt: None,
            silent: PumpSet::default(),
            taken_back: PumpSet::default(),
        }
    }

    /// What the campaign is at; `None` between two pumps.
    pub(crate) fn focus(&self, now: Instant, unit: &Unit) -> Option<Focus> {
        Some(match self.stage {
            Stage::Choose | Stage::Settle { .. } => return None,
            Stage::Supply { pump } if unit.supply.is_good() && !unit.hears_anyone(now) => Focus::Silence(pump),
            Stage::Supply { pump } => Focus::Supply(pump),
            Stage::Verify { pump }
            | Stage::Stop { pump, .. }
            | Stage::Look { pump, .. }
            | Stage::Try { pump, .. }
            | Stage::Pause { pump, .. } => Focus::Pump(pump),
        })
    }

    pub(crate) fn wake_at(&self, now: Instant, unit: &Unit) -> Instant {
        let stage = match &self.stage {
            Stage::Choose => Some(now),
            Stage::Verify { .. } => Some(now.after(SLICE_PAUSE)),
            Stage::Supply { .. } | Stage::Stop { .. } | Stage::Settle { .. } => Some(now.after(LOOK)),
            Stage::Look { attempt, .. } | Stage::Try { attempt, .. } => attempt.wake_at(unit),
            Stage::Pause { until, .. } => Some(*until),
        };
        stage.map_or(self.show_at, |stage| stage.min(self.show_at))
    }

    /// Goes on after a reply, a status, or time.
    pub(crate) fn advance(
        &mut self,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
        reply: Option<Reply>,
    ) -> Course {
        self.watch_for_silence(unit, ports);
        if let Some(doubt) = &mut self.doubt {
            doubt.follow(unit);
        }
        let course = match self.stage {
            Stage::Choose => self.choose(unit, client, ports),
            Stage::Supply { pump } => self.await_supply(pump, unit, client, ports),
            Stage::Verify { pump } => self.verify(pump, unit, client, ports),
            Stage::Stop { pump, since } => self.await_stop(pump, since, unit, client, ports),
            Stage::Look { pump, mut attempt } => {
                let step = attempt.advance(unit, client, ports, reply);
                self.stage = Stage::Look { pump, attempt };
                self.on_look(pump, attempt, step, unit, client, ports);
                Course::Running
            }
            Stage::Try { pump, mut attempt } => {
                let step = attempt.advance(unit, client, ports, reply);
                self.stage = Stage::Try { pump, attempt };
                self.on_step(pump, step, unit, client, ports)
            }
            Stage::Pause { pump, until } => {
                if ports.now >= until {
                    self.stage = Stage::Supply { pump };
                }
                Course::Running
            }
            Stage::Settle { gone } => self.settle(gone, unit, ports),
        };
        if course == Course::Running {
            self.show(reply.is_some(), unit, ports);
        }
        course
    }

    fn choose(&mut self, unit: &mut Unit, client: &mut Client, ports: &mut Ports<'_>) -> Course {
        unit.in_hand = None;
        client.stop();
        unit.regulates = false;
        self.without_supply = 0;
        self.waits = 0;
        let Some(pump) = next_pending(unit, ports.now) else { return self.settle(None, unit, ports) };
        self.stage = Stage::Supply { pump };
        Course::Running
    }

    /// Ends the campaign, or gives it up, once no pump may be in an update any more: until then the others stay at their
    /// fixed speed (PFU-047).
    fn settle(&mut self, gone: Option<Cause>, unit: &mut Unit, ports: &mut Ports<'_>) -> Course {
        if gone.is_none()
            && let Some(pump) = self.take_back(unit, ports)
        {
            self.stage = Stage::Supply { pump };
            return Course::Running;
        }
        if self.settling.anyone_updates(None, ports.now, unit) {
            self.stage = Stage::Settle { gone };
            return Course::Running;
        }
        match gone {
            Some(cause) => abandon(cause, unit, ports),
            None => finish(unit, ports),
        }
    }

    /// A pump that was set aside for its silence and is heard is tried on, once, before the campaign ends: a pump that was
    /// tried is to end updated, or after its third failure (PFU-002).
    fn take_back(&mut self, unit: &mut Unit, ports: &mut Ports<'_>) -> Option<PumpNumber> {
        let pump = unit.pumps().find(|pump| {
            let entry = unit.pump_record(*pump);
            let may = entry.mark == Mark::Aside && entry.counted < TRIES_MOST && !self.taken_back.contains(*pump);
            may && self.silent.contains(*pump) && unit.view(*pump).fresh(ports.now).is_some()
        })?;
        self.silent.remove(pump);
        self.taken_back.insert(pump);
        unit.commit(ports, &[], |record| record.pump_mut(pump).mark = Mark::Pending);
        unit.clear(Alarm::PumpMissing(pump));
        unit.set_outcome(pump, Outcome::Pending);
        unit.progress.pump_taken_back(Cause::Timeout);
        // Told at once: in hand, the pump ends the cause of the rise before the next value is due (PFU-031).
        unit.progress.update(ports.now);
        show_progress(unit, ports);
        Some(pump)
    }

    /// The image that the search found is no longer there: no pump is touched any more, and the campaign is given up.
    fn give_up(&mut self, cause: Cause, unit: &mut Unit, client: &mut Client, ports: &mut Ports<'_>) -> Course {
        client.stop();
        unit.in_hand = None;
        unit.regulates = false;
        unit.image = None;
        for pump in unit.pumps() {
            if matches!(unit.view(pump).outcome, Outcome::Updating | Outcome::Pending) {
                unit.set_outcome(pump, Outcome::Unknown);
            }
        }
        unit.raise(Alarm::Image(cause));
        unit.progress.wait(cause);
        self.settle(Some(cause), unit, ports)
    }

    fn await_supply(
        &mut self,
        pump: PumpNumber,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
    ) -> Course {
        // The others stay at their fixed speed for as long as a pump may be in an update (PFU-047), heard or not.
        if self.settling.anyone_updates(Some(pump), ports.now, unit) {
            unit.regulates = false;
            return Course::Running;
        }
        if unit.supply.is_good() && !unit.hears_anyone(ports.now) {
            return self.await_anyone(unit, ports.now);
        }
        let short = unit.view(pump).is_short_of_supply(ports.now);
        if short || !unit.supply.is_steady(ports.now, unit.config.supply_steady) {
            if short || !unit.supply.is_good() {
                unit.raise(Alarm::LowSupply);
                unit.progress.wait(Cause::LowSupply);
            }
            unit.in_hand = None;
            // The unit's own supply is good: the others need not run at 80 % for as long as one pump's stays low.
            unit.regulates = short && unit.supply.is_good() && self.settling.is_settled(ports.now, unit);
            if next_pending(unit, ports.now) != Some(pump) {
                self.stage = Stage::Choose;
            }
            return Course::Running;
        }
        unit.regulates = false;
        unit.clear(Alarm::LowSupply);
        match read_image(ports.package) {
            Ok(Some(image)) if image == self.image => {}
            Err(Cause::FileNotFound) | Ok(None) => return self.give_up(Cause::FileNotFound, unit, client, ports),
            _ => return self.give_up(Cause::ImageRejected, unit, client, ports),
        }
        self.check = ImageCheck::new(self.image);
        self.stage = Stage::Verify { pump };
        Course::Running
    }

    /// Checks the next slice of the image; after the last the pump is taken in hand.
    fn verify(&mut self, pump: PumpNumber, unit: &mut Unit, client: &mut Client, ports: &mut Ports<'_>) -> Course {
        match self.check.slice(ports.package) {
            Verdict::Unfinished => return Course::Running,
            Verdict::Bad(cause) => return self.give_up(cause, unit, client, ports),
            Verdict::Good(_) => {}
        }
        unit.in_hand = Some(pump);
        unit.set_outcome(pump, Outcome::Updating);
        unit.phase(pump, unit.pump_record(pump).tries.saturating_add(1), Phase::Standby);
        unit.progress.begin_pump(ports.now, unit.pump_record(pump).tries == 0);
        self.stage = Stage::Stop { pump, since: ports.now };
        Course::Running
    }

    /// Tells, once, of a silence of all pumps that no supply explains. A pump in a try may be deaf for a while, and its
    /// time limits end the try.
    fn watch_for_silence(&mut self, unit: &mut Unit, ports: &mut Ports<'_>) {
        let silent = unit.silent_since().is_some_and(|since| ports.now >= since.after(SILENCE_MOST));
        if !silent {
            self.silence_told = false;
            unit.clear(Alarm::NoPumpHeard);
        } else if !self.silence_told && !matches!(self.stage, Stage::Look { .. } | Stage::Try { .. }) {
            self.silence_told = true;
            unit.log(ports, Draft::new(Event::NoPumpHeard).because(Cause::Timeout));
            unit.raise(Alarm::NoPumpHeard);
        }
    }

    /// No pump at all is heard: bus or feed is gone, not a pump.
    fn await_anyone(&mut self, unit: &mut Unit, now: Instant) -> Course {
        unit.progress.wait(Cause::Timeout);
        unit.in_hand = None;
        unit.regulates = self.settling.is_settled(now, unit);
        Course::Running
    }

    /// Whether the campaign waits for something outside, no pump in hand: a search by hand may come between.
    pub(crate) const fn is_waiting(&self, unit: &Unit) -> bool {
        matches!(self.stage, Stage::Supply { .. }) && unit.in_hand.is_none()
    }

    fn await_stop(
        &mut self,
        pump: PumpNumber,
        since: Instant,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
    ) -> Course {
        if !unit.supply.is_good() || unit.view(pump).is_short_of_supply(ports.now) {
            // Nothing was asked of the pump yet: it cools on while the campaign waits.
            unit.in_hand = None;
            self.stage = Stage::Supply { pump };
            return Course::Running;
        }
        if unit.view(pump).heard_after(since).is_some_and(is_stopped) {
            unit.clear(Alarm::PumpMissing(pump));
            let number = unit.pump_record(pump).tries.saturating_add(1);
            let before = self.doubt.filter(|doubt| doubt.pump == pump);
            let attempt = Try::look(pump, number, self.image, before, unit, client, ports);
            self.stage = Stage::Look { pump, attempt };
        } else if ports.now >= since.after(unit.config.standby_timeout) {
            let heard = unit.view(pump).heard_after(since).is_some();
            let cause = if heard { Cause::Refused } else { Cause::Timeout };
            // A pump that sends a status every 100 ms and was silent for the whole wait is gone: the others shall not
            // stay at the campaign's speed for it (PFU-030).
            self.wait_in_vain(pump, cause, !heard, unit, ports);
        }
        Course::Running
    }

    fn on_look(
        &mut self,
        pump: PumpNumber,
        mut attempt: Try,
        step: Step,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
    ) {
        match step {
            Step::Ready => {
                self.waits = 0;
                count_try(pump, attempt.had_supply(), unit, ports);
                attempt.enter_update(unit, client, ports);
                self.stage = Stage::Try { pump, attempt };
            }
            Step::Equal(version) if unit.pump_record(pump).tries > 0 => {
                end_found_good(pump, version, unit, ports);
                self.stage = Stage::Choose;
            }
            Step::Equal(version) => {
                leave_alone(pump, version, unit, ports);
                self.stage = Stage::Choose;
            }
            Step::OtherModel => {
                reject(pump, unit, ports);
                self.stage = Stage::Choose;
            }
            Step::Failed(cause) => self.wait_in_vain(pump, cause, false, unit, ports),
            Step::Running | Step::Good(_) => {}
        }
    }

    /// The pump did not stop in time or did not answer the look: no try is counted.
    fn wait_in_vain(&mut self, pump: PumpNumber, cause: Cause, gone: bool, unit: &mut Unit, ports: &mut Ports<'_>) {
        unit.in_hand = None;
        self.settling = Settling::since(ports.now);
        let anyone = unit.hears_anyone(ports.now);
        self.waits = self.waits.saturating_add(u8::from(anyone));
        if (anyone && gone) || self.waits >= WAITS_MOST {
            if cause != Cause::Refused {
                self.silent.insert(pump);
            }
            set_aside(pump, cause, &[], unit, ports);
            self.stage = Stage::Choose;
            return;
        }
        unit.progress.try_failed(cause);
        self.stage = Stage::Pause { pump, until: ports.now.after(unit.config.retry_pause) };
    }

    fn on_step(
        &mut self,
        pump: PumpNumber,
        step: Step,
        unit: &mut Unit,
        client: &mut Client,
        ports: &mut Ports<'_>,
    ) -> Course {
        match step {
            Step::Running | Step::Ready | Step::Equal(_) | Step::OtherModel => {}
            Step::Good(version) => {
                end_good(pump, version, unit, ports);
                self.stage = Stage::Choose;
            }
            Step::Failed(cause) => {
                self.settling = Settling::since(ports.now);
                self.doubt = match &self.stage {
                    Stage::Try { attempt, .. } => attempt.left_in_doubt(),
                    _ => None,
                };
                self.on_failure(pump, cause, unit, ports);
                if cause == Cause::ImageRejected {
                    return self.give_up(cause, unit, client, ports);
                }
            }
        }
        Course::Running
    }

    /// A pump whose tries may all have been cut off by its own supply is set aside after its last, not dead.
    fn on_failure(&mut self, pump: PumpNumber, cause: Cause, unit: &mut Unit, ports: &mut Ports<'_>) {
        let excused = cause == Cause::LowSupply;
        let entry = *unit.pump_record(pump);
        let counted = if excused { entry.counted.saturating_sub(1) } else { entry.counted };
        let failed = entry.failed || (self.doubt.is_none() && !excused);
        let spent = counted >= TRIES_MOST;
        let dead = spent && failed;
        let error = Draft::new(Event::UpdateError).of(pump).attempt(entry.tries).because(cause);
        let never_supplied = excused && entry.tries.saturating_sub(counted) >= EXCUSED_MOST;
        if never_supplied || (spent && !failed) {
            unit.commit(ports, &[], |record| {
                *record.pump_mut(pump) = PumpRecord { counted, cause: Some(cause), ..entry };
            });
            set_aside(pump, cause, &[error], unit, ports);
            self.stage = Stage::Choose;
            return;
        }
        let drafts = [error, Draft::new(Event::PumpDead).of(pump).attempt(entry.tries).because(cause)];
        let written = if dead { &drafts[..] } else { &drafts[..1] };
        unit.commit(ports, written, |record| {
            record.open = None;
            let mark = if dead { Mark::Dead } else { entry.mark };
            *record.pump_mut(pump) = PumpRecord { mark, counted, cause: Some(cause), failed, ..entry };
        });
        unit.progress.try_failed(cause);
        if dead {
            bury(pump, unit);
            self.stage = Stage::Choose;
            return;
        }
        self.without_supply = if excused { self.without_supply.saturating_add(1).min(BACK_OFF_MOST) } else { 0 };
        let factor = 1_u64 << self.without_supply.saturating_sub(1);
        self.stage = Stage::Pause { pump, until: ports.now.after(unit.config.retry_pause.times(factor)) };
    }

    /// Shows progress after a reply (a block may be done) and every second.
    fn show(&mut self, replied: bool, unit: &mut Unit, ports: &mut Ports<'_>) {
        let due = ports.now >= self.show_at;
        if !replied && !due {
            return;
        }
        if unit.progress.update(ports.now) || due {
            self.show_at = ports.now.after(SHOW);
            show_progress(unit, ports);
        }
    }
}

/// The first pump to be updated; one that reports a low supply of its own comes after the others.
fn next_pending(unit: &Unit, now: Instant) -> Option<PumpNumber> {
    let pending = || unit.pumps().filter(|pump| unit.pump_record(*pump).mark == Mark::Pending);
    pending().find(|pump| !unit.view(*pump).is_short_of_supply(now)).or_else(|| pending().next())
}

/// Keeps the percentage over a reboot and tells the observer.
fn show_progress(unit: &mut Unit, ports: &mut Ports<'_>) {
    let (percent, remaining, cause) = (unit.progress.percent(), unit.progress.remaining(), unit.progress.cause());
    if unit.record().percent != percent {
        unit.commit(ports, &[], |record| record.percent = percent);
    }
    unit.notice(Notice::Progress { percent, remaining, cause });
}

/// What the search found of a pump of an interrupted campaign. The consent is for the image, so that a pump that needs
/// it and was not seen before is updated too.
fn reconcile(pump: PumpNumber, unit: &mut Unit, ports: &mut Ports<'_>) {
    let entry = *unit.pump_record(pump);
    let next = match (entry.mark, unit.view(pump).outcome) {
        // The interrupted try had done its work: another one would only wear the pump.
        (Mark::Pending, Outcome::UpToDate) if entry.cause == Some(Cause::Interrupted) => {
            PumpRecord { mark: Mark::Done, ..entry }
        }
        // It was exchanged for one that needs nothing.
        (Mark::Pending | Mark::Aside, Outcome::UpToDate) => PumpRecord { mark: Mark::None, ..entry },
        (Mark::Pending | Mark::Aside, Outcome::Rejected) => PumpRecord { mark: Mark::None, ..entry },
        // One that boots late is waited for at its turn.
        (Mark::Pending | Mark::Aside, _) => PumpRecord { mark: Mark::Pending, ..entry },
        // It was updated, and needs it again: exchanged, or its application is gone.
        (Mark::Done | Mark::None, Outcome::Pending) => PumpRecord { mark: Mark::Pending, ..PumpRecord::default() },
        _ => entry,
    };
    match next.mark {
        Mark::Pending => unit.set_outcome(pump, Outcome::Pending),
        Mark::Done if unit.view(pump).outcome == Outcome::UpToDate => unit.set_outcome(pump, Outcome::Updated),
        Mark::None | Mark::Done | Mark::Dead | Mark::Aside => {}
    }
    if next != entry {
        unit.commit(ports, &[], |record| *record.pump_mut(pump) = next);
    }
}

/// Ends the campaign for a pump that could not be tried: not dead, but not updated either. `error` ends a try.
fn set_aside(pump: PumpNumber, cause: Cause, error: &[Draft], unit: &mut Unit, ports: &mut Ports<'_>) {
    let missing = Draft::new(Event::PumpMissing).of(pump).because(cause);
    let drafts = error.iter().copied().chain([missing]).collect::<heapless::Vec<_, 2>>();
    unit.commit(ports, &drafts, |record| {
        record.open = None;
        record.pump_mut(pump).mark = Mark::Aside;
    });
    unit.raise(Alarm::PumpMissing(pump));
    unit.set_outcome(pump, Outcome::Missing);
    unit.progress.pump_given_up();
    unit.in_hand = None;
}

/// Counts a try before it begins. `had_supply` tells that the one before, unexplained until now, had failed by itself.
fn count_try(pump: PumpNumber, had_supply: bool, unit: &mut Unit, ports: &mut Ports<'_>) {
    let entry = *unit.pump_record(pump);
    let tries = entry.tries.saturating_add(1);
    let counted = entry.counted.saturating_add(1);
    unit.commit(ports, &[Draft::new(Event::UpdateStarted).of(pump).attempt(tries)], |record| {
        record.open = Some(pump);
        let failed = entry.failed || had_supply;
        *record.pump_mut(pump) = PumpRecord { tries, counted, cause: None, failed, ..entry };
    });
}

/// Another pump is there than the search found, and it needs nothing: no try was begun.
fn leave_alone(pump: PumpNumber, version: Version, unit: &mut Unit, ports: &mut Ports<'_>) {
    unit.commit(ports, &[], |record| record.pump_mut(pump).mark = Mark::None);
    unit.view_mut(pump).version = Some(version);
    unit.clear(Alarm::PumpMissing(pump));
    unit.set_outcome(pump, Outcome::UpToDate);
    unit.progress.pump_left_alone();
    unit.in_hand = None;
}

/// A pump runs the image after a try that ended before this could be seen: another try would only wear it. Its log has the
/// end of that try already.
fn end_found_good(pump: PumpNumber, version: Version, unit: &mut Unit, ports: &mut Ports<'_>) {
    unit.commit(ports, &[], |record| record.pump_mut(pump).mark = Mark::Done);
    unit.view_mut(pump).version = Some(version);
    unit.clear(Alarm::PumpMissing(pump));
    unit.set_outcome(pump, Outcome::Updated);
    unit.progress.pump_left_alone();
    unit.in_hand = None;
}

fn end_good(pump: PumpNumber, version: Version, unit: &mut Unit, ports: &mut Ports<'_>) {
    let tries = unit.pump_record(pump).tries;
    unit.commit(ports, &[Draft::new(Event::UpdateFinished).of(pump).attempt(tries)], |record| {
        record.open = None;
        let entry = record.pump_mut(pump);
        entry.mark = Mark::Done;
        entry.cause = None;
    });
    unit.view_mut(pump).version = Some(version);
    unit.clear(Alarm::PumpMissing(pump));
    unit.set_outcome(pump, Outcome::Updated);
    unit.progress.pump_done(ports.now);
    unit.in_hand = None;
}

/// Another pump is there than the search found, and the image is not for it: no try was begun.
fn reject(pump: PumpNumber, unit: &mut Unit, ports: &mut Ports<'_>) {
    let cause = Cause::ImageRejected;
    unit.commit(ports, &[Draft::new(Event::PumpRejected).of(pump).because(cause)], |record| {
        let entry = record.pump_mut(pump);
        (entry.mark, entry.cause) = (Mark::None, Some(cause));
    });
    unit.raise(Alarm::PumpRejected(pump));
    unit.set_outcome(pump, Outcome::Rejected);
    unit.progress.pump_given_up();
    unit.in_hand = None;
}

fn dead_entry(pump: PumpNumber, unit: &Unit) -> Draft {
    let entry = unit.pump_record(pump);
    let draft = Draft::new(Event::PumpDead).of(pump).attempt(entry.tries);
    entry.cause.map_or(draft, |cause| draft.because(cause))
}

/// Tells of a pump that the record has just marked dead.
fn bury(pump: PumpNumber, unit: &mut Unit) {
    unit.raise(Alarm::PumpDead(pump));
    unit.set_outcome(pump, Outcome::Dead);
    unit.progress.pump_given_up();
    unit.in_hand = None;
}

/// Buries the pump whose third try a restart of the CIOC cut off: the error entry of the try is written, the pump's end is
/// not, because only the search tells whether the try had done its work.
pub(crate) fn bury_spent(unit: &mut Unit, ports: &mut Ports<'_>) {
    for pump in unit.pumps() {
        let entry = unit.pump_record(pump);
        let spent = entry.mark == Mark::Pending && entry.counted >= TRIES_MOST;
        if !spent || unit.view(pump).outcome == Outcome::UpToDate {
            continue;
        }
        if !entry.failed {
            set_aside(pump, Cause::Interrupted, &[], unit, ports);
        } else {
            unit.commit(ports, &[dead_entry(pump, unit)], |record| record.pump_mut(pump).mark = Mark::Dead);
            bury(pump, unit);
        }
    }
}

fn finish(unit: &mut Unit, ports: &mut Ports<'_>) -> Course {
    let unusable =
        |pump| matches!(unit.pump_record(pump).mark, Mark::Dead | Mark::Aside) || unit.view(pump).is_of_no_use();
    let errors = unit.pumps().any(unusable);
    let event = if errors { Event::CampaignFinishedWithErrors } else { Event::CampaignFinished };
    unit.progress.end(errors);
    let percent = unit.progress.percent();
    unit.commit(ports, &[Draft::new(event)], |record| {
        record.campaign = None;
        record.percent = percent;
    });
    tell_end(errors, None, unit);
    Course::Ended { errors }
}

/// Gives a campaign up whose image is gone or another: nothing more is written to any pump.
pub(crate) fn abandon(cause: Cause, unit: &mut Unit, ports: &mut Ports<'_>) -> Course {
    unit.commit(ports, &[Draft::new(Event::CampaignAbandoned).because(cause)], |record| {
        record.campaign = None;
        for pump in PumpNumber::first(PumpNumber::MOST) {
            let entry = record.pump_mut(pump);
            if entry.mark == Mark::Pending {
                entry.mark = Mark::None;
            }
        }
    });
    // After a reboot another image may be there and good: the search has said what is wrong, if anything is.
    if unit.image.is_none() {
        unit.raise(Alarm::Image(cause));
    }
    unit.clear(Alarm::LowSupply);
    unit.progress.end(true);
    tell_end(true, Some(cause), unit);
    Course::Ended { errors: true }
}

fn tell_end(errors: bool, cause: Option<Cause>, unit: &mut Unit) {
    let (percent, remaining) = (unit.progress.percent(), unit.progress.remaining());
    unit.clear(Alarm::NoPumpHeard);
    unit.notice(Notice::Progress { percent, remaining, cause });
    unit.notice(Notice::CampaignFinished { errors });
}
