//! The firmware of the CIOC: search, consent, update campaign, regulation, log.
//!
//! ```text
//!            boot / search by hand
//!                     |
//!   search.rs    image good? pumps there? who differs?  --- nothing ---> rest
//!                     |                                                    ^
//!   consent.rs   ask; no, no answer -------------------------------------->|
//!                     | yes, stored with the image's checksums             |
//!   campaign.rs  pump by pump, three tries each ---- finished -------------+
//!                     |
//!   update.rs    one try: bootloader, erase, blocks, check, reset, status
//!                     |
//!   client.rs    one UDS request at a time over ISO-TP
//! ```
//! Beside it, always: the cyclic commands (commands.rs), with the set-point of the regulation (regulation.rs) or 80 %.
//! What must survive power loss changes in one place and in one write (nvm.rs), the log with it (log.rs).
//!
//! # Tries and death
//!
//! A try is *counted* in memory before the pump is asked for its bootloader, and no pump gets more than three counted tries
//! in a campaign, loss of the CIOC's power included (PFU-022). A try that failed because supply was short (FW003) is taken
//! back: ten of them are the most. A try that a restart of the CIOC *cut off* (FW106) stays counted, because nothing tells
//! the CIOC after its restart whether supply was lost or its own firmware failed, and a pump whose update makes the CIOC
//! restart each time must not be written for ever.
//!
//! A pump becomes *dead* by its third counted try only if at least one of the three failed by itself: no pump becomes dead
//! for lack of supply alone. One whose three tries were all cut off has used its tries and is *set aside*: no fourth try
//! follows in the campaign, over any number of boots; an alarm names it as missing, the campaign ends with errors, and the
//! next search offers the update anew to the customer. So both sentences hold, and the consent bounds the tries.
//!
//! Sans-IO: [`Orchestrator::step`] is told the time and what happened, and says what to send and when to come back.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod campaign;
mod client;
mod commands;
pub mod config;
mod consent;
pub mod log;
pub mod notice;
pub mod nvm;
pub mod package;
mod progress;
pub mod regulation;
mod search;
mod settle;
mod unit;
mod update;

#[cfg(test)]
mod tests;

use embedded_can::{Id, StandardId};
use heapless::Vec;
use protocol::Frame;
use protocol::cyclic::{self, Mode};
use protocol::ids::{self, PumpNumber};
use protocol::txqueue::TxQueue;
use units::{DeciCelsius, Instant, Millivolts, Permille};

use campaign::{Campaign, Course, Focus};
use client::{Client, Reply};
use commands::{Mailed, Schedule};
use consent::{Answer, Dialog};
use search::Search;
use settle::GivingUp;
use unit::{Ports, PumpSet, Unit};

pub use config::Config;
pub use log::{Cause, Event, LogEntry};
pub use notice::{Activity, Alarm, Notice, Outcome, Phase, PumpStatus, Status};
pub use nvm::NonVolatile;
pub use package::{ImageHash, Package, PackageState};

/// What the customer does on the web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserAction {
    /// Answers the consent dialog.
    Consent(bool),
    /// Searches by hand after a service exchange; this also clears the marks of the pumps that are dead as it is asked
    /// for (PFU-014, PFU-026). One that dies before the search begins stays dead.
    Search,
}

/// What has happened since the last step, and what the sensors say.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Inputs {
    /// The oldest frame of the receive FIFO.
    pub received: Option<Frame>,
    /// The id of a frame that has left.
    pub sent: Option<StandardId>,
    /// Free transmit mailboxes, 0 to 3.
    pub mailboxes_free: u8,
    /// The CIOC's own supply.
    pub supply: Millivolts,
    /// The pumps' feed.
    pub feed: Millivolts,
    /// Coolant temperature.
    pub coolant: DeciCelsius,
    /// What the customer did.
    pub user: Option<UserAction>,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, Hash)]
pub struct Outputs {
    /// Frames for the mailboxes, never more than were free.
    pub frames: Vec<Frame, 3>,
    /// Abort a waiting transmission with this id, before the frames above are taken: one may have the same id.
    pub abort: Option<StandardId>,
    /// What an observer sees; more may follow in the next step.
    pub notices: Vec<Notice, 8>,
    /// When to step again if nothing else happens.
    pub wake_at: Option<Instant>,
}

/// What the CIOC works on besides regulation.
#[derive(Clone, Hash)]
enum Work {
    Boot,
    Search(Search),
    Ask(Dialog),
    Campaign(Campaign),
    GivingUp(GivingUp),
    Rest(Activity),
}

/// The firmware's whole state.
#[derive(Clone, Hash)]
pub struct Orchestrator {
    /// When it was stepped last.
    now: Instant,
    unit: Unit,
    client: Client,
    queue: TxQueue<24>,
    schedule: Schedule,
    mailed: Mailed,
    regulator: regulation::Regulator,
    set_point: Permille,
    work: Work,
    work_due: Instant,
    /// A search by hand that was asked for and has not begun: the pumps that were dead as it was asked for.
    manual_search: Option<PumpSet>,
    /// The one search more for pumps that were silent in the last one is over.
    searched_again: bool,
}

impl Orchestrator {
    /// Starts after a reset: reads what has survived. A configuration with no pump or more than 16 is clamped.
    pub fn boot(config: Config, nvm: &impl NonVolatile) -> Self {
        let pumps = config.pumps.clamp(1, PumpNumber::MOST);
        let config = Config { pumps, ..config };
        Self {
            now: Instant::ZERO,
            client: Client::new(&config),
            queue: TxQueue::new(),
            schedule: Schedule::new(pumps),
            mailed: Mailed::default(),
            regulator: regulation::Regulator::default(),
            set_point: config.regulation.low,
            unit: Unit::new(config, nvm::Store::load(nvm)),
            work: Work::Boot,
            work_due: Instant::ZERO,
            manual_search: None,
            searched_again: false,
        }
    }

    /// Goes on. Call it for every received frame, every frame that left, every action of the customer, and when
    /// `wake_at` has come.
    pub fn step(
        &mut self,
        now: Instant,
        inputs: &Inputs,
        package: &impl Package,
        nvm: &mut impl NonVolatile,
    ) -> Outputs {
        self.now = now;
        let lower = inputs.supply.min(inputs.feed);
        self.unit.supply.watch(now, lower, self.unit.config.update_supply_min);
        if let Some(id) = inputs.sent {
            self.mailed.on_sent(id);
            self.client.on_sent(now, id);
        }
        let (mut reply, heard) = self.receive(now, inputs.received.as_ref());
        if reply.is_none() {
            reply = self.client.poll(now);
        }
        if reply.is_some() || heard || inputs.user.is_some() || now >= self.work_due {
            let mut ports = Ports { now, package, nvm };
            self.work(&mut ports, reply, inputs.user);
        }
        if now >= self.schedule.due() {
            self.command(now, inputs.coolant);
        }
        self.outputs(now, inputs.mailboxes_free)
    }

    /// What the web page shows.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            activity: self.activity(),
            percent: self.unit.progress.percent(),
            remaining: self.unit.progress.remaining(),
            image: self.unit.image.map(|image| image.header),
            alarms: self.unit.alarms().clone(),
            pumps: self.unit.pumps().map(|pump| self.pump_status(pump)).collect(),
        }
    }

    /// The log, oldest entry first.
    pub fn log<N: NonVolatile>(nvm: &N) -> impl Iterator<Item = LogEntry> + '_ {
        log::entries(nvm)
    }

    /// Takes a frame: a reply that is complete with it, and whether it was a status.
    fn receive(&mut self, now: Instant, frame: Option<&Frame>) -> (Option<Reply>, bool) {
        let Some(frame) = frame else { return (None, false) };
        let Id::Standard(id) = frame.id() else { return (None, false) };
        if id == self.client.listens_to() {
            return (self.client.on_frame(now, frame), false);
        }
        let Some(pump) = ids::status_sender(id) else { return (None, false) };
        let Some(status) = cyclic::Status::decode(pump, frame) else { return (None, false) };
        let view = self.unit.view_mut(pump);
        view.reported = Some(status);
        view.heard_at = now;
        (None, true)
    }

    fn work(&mut self, ports: &mut Ports<'_>, reply: Option<Reply>, user: Option<UserAction>) {
        let answer = match user {
            Some(UserAction::Consent(yes)) => Some(yes),
            Some(UserAction::Search) => {
                // One that dies only now is not among those that service has seen to.
                self.manual_search = Some(self.unit.dead());
                None
            }
            None => None,
        };
        if let Work::Boot = self.work {
            self.work = begin(&mut self.unit, ports);
        }
        self.take_answer(answer, ports);
        self.advance(ports, reply);
        self.begin_manual_search(ports);
        self.search_again(ports);
        self.work_due = match &self.work {
            Work::Boot => ports.now,
            Work::Search(search) => search.wake_at(ports.now),
            Work::Ask(dialog) => dialog.wake_at(),
            Work::Campaign(campaign) => campaign.wake_at(ports.now, &self.unit),
            Work::GivingUp(_) => GivingUp::wake_at(ports.now),
            Work::Rest(_) => Instant::from_micros(u64::MAX),
        };
    }

    /// A pump that the search missed because it was silent is heard: it is searched, once until the next search of all.
    fn search_again(&mut self, ports: &mut Ports<'_>) {
        let heard = self.unit.heard_again(ports.now).next().is_some();
        if heard && !self.searched_again && matches!(self.work, Work::Rest(_)) && self.unit.record().campaign.is_none()
        {
            self.searched_again = true;
            self.work = Work::Search(Search::again(&mut self.unit, ports));
        }
    }

    fn take_answer(&mut self, answer: Option<bool>, ports: &mut Ports<'_>) {
        let Work::Ask(dialog) = &self.work else {
            if let Some(yes) = answer {
                consent::late(yes, &mut self.unit, ports);
            }
            return;
        };
        match dialog.advance(answer, &mut self.unit, ports) {
            Answer::Open => {}
            Answer::Given(image) => self.work = Work::Campaign(Campaign::start(image, &mut self.unit, ports)),
            Answer::None => self.work = Work::Rest(Activity::Idle),
        }
    }

    fn advance(&mut self, ports: &mut Ports<'_>, reply: Option<Reply>) {
        match &mut self.work {
            Work::Search(search) => {
                if search.advance(&mut self.unit, &mut self.client, ports, reply) {
                    self.client.stop();
                    self.work = after_search(&mut self.unit, ports);
                }
            }
            Work::Campaign(campaign) => {
                if let Course::Ended { errors } = campaign.advance(&mut self.unit, &mut self.client, ports, reply) {
                    let end = if errors { Activity::FinishedWithErrors } else { Activity::Finished };
                    self.work = Work::Rest(end);
                }
            }
            Work::GivingUp(giving_up) => {
                if giving_up.advance(&mut self.unit, ports) {
                    self.work = ask(&mut self.unit, ports);
                }
            }
            Work::Boot | Work::Ask(_) | Work::Rest(_) => {}
        }
    }

    /// A search by hand waits until a running campaign has ended or waits itself, and takes the place of everything else.
    fn begin_manual_search(&mut self, ports: &mut Ports<'_>) {
        let waits = matches!(&self.work, Work::Campaign(campaign) if campaign.is_waiting(&self.unit));
        if let Some(dead) = self.manual_search
            && (waits || self.unit.record().campaign.is_none())
        {
            self.manual_search = None;
            self.searched_again = false;
            self.unit.regulates = false;
            self.client.stop();
            self.work = Work::Search(Search::begin(Some(dead), &mut self.unit, ports));
        }
    }

    fn command(&mut self, now: Instant, coolant: DeciCelsius) {
        if self.schedule.begins_round() && !self.unit.holds_speed() {
            self.set_point = self.regulator.step(&self.unit.config.regulation, coolant);
        }
        // Bounded: a late step sends at most one round.
        for _ in 0..PumpNumber::MOST {
            let Some(pump) = self.schedule.take(now) else { break };
            let order = self.order(pump);
            self.queue.replace(self.schedule.frame(pump, order));
            self.mailed.renew(pump);
        }
    }

    /// What `pump` is told: dead or in hand: standby; in a campaign 80 % (PFU-047); else the regulation's set-point.
    fn order(&self, pump: PumpNumber) -> (Mode, Permille) {
        if self.unit.is_dead(pump) || self.unit.in_hand == Some(pump) {
            (Mode::Standby, Permille::new(0))
        } else if self.unit.holds_speed() {
            (Mode::Fixed, self.unit.config.update_speed)
        } else {
            (Mode::Automatic, self.set_point)
        }
    }

    fn outputs(&mut self, now: Instant, mailboxes_free: u8) -> Outputs {
        let mut outputs = Outputs { abort: self.client.take_abort(), ..Outputs::default() };
        if let Some(id) = outputs.abort {
            self.queue.cancel(id);
        } else {
            // The newest command waits in the queue, and stays there.
            outputs.abort = self.mailed.take_stale();
        }
        if let Some(frame) = self.client.next_frame(now) {
            self.queue.push(frame);
        }
        for _ in 0..mailboxes_free.min(3) {
            let Some(frame) = self.queue.pop_where(|frame| self.mailed.admits(frame)) else { break };
            self.mailed.put(&frame);
            let _ = outputs.frames.push(frame);
        }
        while !outputs.notices.is_full() {
            let Some(notice) = self.unit.next_notice() else { break };
            let _ = outputs.notices.push(notice);
        }
        // An abort empties a mailbox, which no event tells of.
        outputs.wake_at = Some(if outputs.abort.is_some() { now } else { self.wake_at(now) });
        outputs
    }

    fn wake_at(&self, now: Instant) -> Instant {
        if self.unit.has_notices() {
            return now;
        }
        let due = self.schedule.due().min(self.work_due);
        self.client.wake_at().map_or(due, |client| client.min(due)).max(now)
    }

    fn activity(&self) -> Activity {
        match &self.work {
            Work::Boot | Work::Search(_) | Work::GivingUp(_) => Activity::Searching,
            Work::Ask(_) => Activity::Asking,
            Work::Rest(activity) => *activity,
            Work::Campaign(campaign) => match campaign.focus(self.now, &self.unit) {
                Some(Focus::Supply(pump)) => Activity::WaitingForSupply { pump },
                Some(Focus::Silence(pump)) => Activity::WaitingForPumps { pump },
                Some(Focus::Pump(pump)) => {
                    Activity::Updating { pump, attempt: self.unit.pump_record(pump).tries.max(1) }
                }
                None => Activity::Searching,
            },
        }
    }

    fn pump_status(&self, pump: PumpNumber) -> PumpStatus {
        let view = self.unit.view(pump);
        let record = self.unit.pump_record(pump);
        let (mode, set_point) = self.order(pump);
        PumpStatus {
            pump,
            reported: view.reported,
            fresh: view.fresh(self.now).is_some(),
            model: view.model,
            version: view.version,
            outcome: view.outcome,
            tries: record.tries,
            counted: record.counted,
            cause: record.cause,
            mode,
            set_point,
        }
    }
}

/// The first step after a reset: completes the log, ends a try that the reset interrupted, and searches (PFU-013).
fn begin(unit: &mut Unit, ports: &mut Ports<'_>) -> Work {
    unit.store.repair_log(ports.nvm);
    let boot = log::Draft::new(Event::Boot);
    match unit.record().open {
        Some(pump) => {
            let tries = unit.pump_record(pump).tries;
            let error = log::Draft::new(Event::UpdateError).of(pump).attempt(tries).because(Cause::Interrupted);
            unit.commit(ports, &[boot, error], |record| {
                record.open = None;
                record.pump_mut(pump).cause = Some(Cause::Interrupted);
            });
        }
        None => unit.log(ports, boot),
    }
    Work::Search(Search::begin(None, unit, ports))
}

/// Continues an interrupted campaign if its image is still the one agreed to, else gives it up; without one, asks if there
/// is something to do.
fn after_search(unit: &mut Unit, ports: &mut Ports<'_>) -> Work {
    let Some(agreed) = unit.record().campaign else { return ask(unit, ports) };
    match unit.image {
        Some(image) if image.hash == agreed => Work::Campaign(Campaign::resume(image, unit, ports)),
        found => {
            let known = unit.alarms().iter().find_map(|alarm| match alarm {
                Alarm::Image(cause) => Some(*cause),
                _ => None,
            });
            let gone = if found.is_some() { Cause::ImageRejected } else { Cause::FileNotFound };
            campaign::bury_spent(unit, ports);
            Work::GivingUp(GivingUp::begin(known.unwrap_or(gone), ports.now))
        }
    }
}

fn ask(unit: &mut Unit, ports: &mut Ports<'_>) -> Work {
    let wanted = unit.pumps().any(|pump| unit.view(pump).outcome == Outcome::Pending);
    match unit.image {
        Some(image) if wanted => Work::Ask(Dialog::show(image, unit, ports)),
        _ => Work::Rest(Activity::Idle),
    }
}
