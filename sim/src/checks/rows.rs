//! The checks of an update, one function each.
//!
//! Each counts how often it had something to look at, and nothing else: a campaign that never wrote keeps "no write
//! without consent" only if a question was asked and not agreed to. What no run came to is told from what the scenario
//! wanted: see [`Wanted`].

mod dead;
mod ending;
mod live;
mod running;
mod supply;
mod tried;

use bevy_ecs::prelude::World;
use orchestrator::{Alarm, Cause, Event as LogEvent, Notice};
use protocol::cyclic::PumpState;
use pump::FlashCommand;

pub(crate) use ending::cioc_works;

use super::{CONSENT_WITHIN, Truth, Wanted};
use crate::bus::{BusRecord, ErrorKind};
use crate::faults::Faults;
use crate::hosts::cioc::CiocHost;
use crate::hosts::cpu::Cpu;
use crate::hosts::flash::Flash;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{Scoped, SimTime, Span};
use crate::measure::{Measures, was_written_whole};
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use crate::{plant, power};

/// A motor needs up to 2 s from standstill, and a pump that hears nothing 1 s before it runs by itself.
const SETTLING: Span = Span::from_secs(4);
/// A CIOC that has started begins its search, or goes on with its campaign, within this (own number).
const SEARCH_WITHIN: Span = Span::from_secs(10);

/// One check's state.
#[derive(Clone, Debug)]
pub struct Row {
    /// A statement.
    pub id: &'static str,
    /// Requirements it stands for.
    pub requirements: &'static [&'static str],
    /// How often it looked.
    pub n: u64,
    /// When and how it was first broken.
    pub broken: Option<(SimTime, String)>,
    /// Whether the scenario is about it: if so and it never looked, it is inconclusive, otherwise not applicable.
    pub wanted: bool,
    /// Something that it is about could not be decided: unless it is broken it is inconclusive, however often it looked.
    pub undecided: bool,
    /// What was left out, and why; empty where nothing was.
    pub note: String,
}

impl Row {
    /// The row's verdict, before any expectation of the scenario: never a pass without a look.
    #[must_use]
    pub fn verdict(&self) -> reports::RowVerdict {
        use reports::{RowVerdict, Standing};
        if self.n == 0 && self.broken.is_none() && !self.wanted {
            return RowVerdict::NotApplicable;
        }
        if self.undecided && self.broken.is_none() {
            return RowVerdict::Inconclusive;
        }
        reports::row_verdict(Standing::Required, self.n, self.broken.is_none())
    }

    fn judge(&mut self, now: SimTime, holds: bool, why: impl FnOnce() -> String) {
        self.n += 1;
        self.forbid(now, holds, why);
    }

    /// Judges what is no occasion of its own: it can break the row and never holds it.
    fn forbid(&mut self, now: SimTime, holds: bool, why: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some((now, why()));
        }
    }

    /// Notes that what is known of a node decides nothing, and why.
    fn leave_open(&mut self, node: NodeId, why: &str) {
        self.undecided = true;
        self.leave_out(node, why);
    }

    /// Notes that a node was not judged, and why.
    fn leave_out(&mut self, node: NodeId, why: &str) {
        let left_out = format!("{node} left out: {why}");
        if !self.note.split("; ").any(|known| known == left_out) {
            let separator = if self.note.is_empty() { "" } else { "; " };
            self.note += &format!("{separator}{left_out}");
        }
    }
}

macro_rules! checks {
    ($($field:ident: $($requirement:literal)+;)+) => {
        /// The ids of all checks and the requirements each stands for.
        pub const IDS: &[(&str, &[&str])] = &[$((stringify!($field), &[$($requirement),+])),+];

        /// The state of all checks.
        #[derive(Clone, Debug)]
        pub struct Checks {
            $(
                #[doc = concat!("`", stringify!($field), "`.")]
                pub $field: Row,
            )+
            memory: Memory,
        }

        impl Checks {
            /// Checks for `pumps` pumps.
            #[must_use]
            pub fn new(pumps: u8) -> Self {
                Self {
                    $($field: Row {
                        id: stringify!($field),
                        requirements: &[$($requirement),+],
                        n: 0,
                        broken: None,
                        wanted: true,
                        undecided: false,
                        note: String::new(),
                    },)+
                    memory: Memory::new(pumps),
                }
            }

            /// All rows.
            pub fn rows(&self) -> impl Iterator<Item = &Row> {
                [$(&self.$field),+].into_iter()
            }
        }
    };
}

checks! {
    no_write_without_consent: "PFU-019";
    no_write_with_a_bad_image: "PFU-015" "PFU-016";
    equal_version_is_left_alone: "PFU-005";
    motor_stands_before_flash_is_written: "PFU-017";
    one_pump_at_a_time: "PFU-046";
    others_run_at_80_percent: "PFU-047";
    no_write_to_unerased_flash: "PFU-020";
    only_whole_images_are_started: "PFU-002" "PFU-021";
    told_versions_are_true: "PFU-005" "PFU-008" "PFU-020";
    pump_restarts_before_success: "PFU-024";
    at_most_three_tries: "PFU-002" "PFU-022";
    tried_pumps_end_updated_or_spent: "PFU-002" "PFU-022";
    dead_pumps_stay_dead_and_are_named: "PFU-026" "PFU-029";
    log_tells_each_try: "PFU-027" "PFU-028" "PFU-033";
    every_boot_searches: "PFU-007" "PFU-013";
    pause_is_told_first: "PFU-018";
    progress_is_true: "PFU-031" "PFU-056";
    remaining_time_is_right: "PFU-031";
    bus_confirms_update_times: "PFU-041";
    status_is_live: "PFU-003";
    silence_means_fail_safe: "PFU-012";
}

/// What the checks remember between looks.
#[derive(Clone, Debug)]
struct Memory {
    said_yes: bool,
    /// Whether a question that stood was ever answered with yes.
    ever_agreed: bool,
    /// Whether a question ever ended without a yes: a no, no answer in time, or a restart.
    ever_declined: bool,
    /// Whether pumps were ever searched.
    ever_searched: bool,
    asked: Option<SimTime>,
    /// When it was last asked in this life of the CIOC, answered or not, and what the clock of the CIOC had gained then, in
    /// ns.
    asked_last: Option<(SimTime, i64)>,
    /// Whether an answer came after the question's time.
    answered_late: bool,
    /// Whether a yes was given that no campaign has begun with yet.
    fresh_yes: bool,
    paused: bool,
    /// Whether it had told of the pause when it last asked each pump for the programming session.
    asked_in_pause: Vec<bool>,
    /// Whether it had told of it when each pump's controller took the last command that its firmware may still obey.
    commanded_in_pause: Vec<bool>,
    /// Whether each pump has restarted since it was last written to.
    restarted: Vec<bool>,
    /// When each pump's last try ended.
    try_ended: Vec<Option<SimTime>>,
    /// When each pump's CPU was last seen to stand still.
    stood_still: Vec<Option<SimTime>>,
    remaining: Option<u64>,
    /// Every time left that was shown in the campaign, in ms, with the instant.
    shown: Vec<(SimTime, u64)>,
    /// Whether anything but a good try happened to the campaign.
    disturbed: bool,
    /// Flash operations begun, by the records.
    operations: Vec<u64>,
    wrote_any: bool,
    try_open: Vec<bool>,
    tries_charged: Vec<u32>,
    /// Tries as flash and bus show them, whatever the log says.
    true_tries: Vec<supply::TrueTries>,
    started_entries: Vec<u32>,
    ended_entries: Vec<u32>,
    /// What the CIOC last told of each pump.
    told: Vec<orchestrator::Outcome>,
    /// Whether each pump's last try failed.
    failed: Vec<bool>,
    deaths: Vec<dead::Death>,
    /// How many bits of each pump's flash had been inverted by faults when its CPU or its application last started, or it
    /// was truly told of.
    sound_until: Vec<u64>,
    tried: Vec<tried::Tried>,
    /// The log tells that the campaign was given up.
    abandoned: bool,
    state: Vec<Option<PumpState>>,
    /// Since when each pump's firmware is in its state, or is not running.
    state_since: Vec<SimTime>,
    running: Vec<running::Running>,
    /// When the campaign last had a reason to wait.
    waited: Option<SimTime>,
    /// Whether the time left may rise: something that the twin saw has cost time.
    may_rise: bool,
    /// When something that costs time was last seen.
    cost_time: Option<SimTime>,
    /// Who was dead as a search by hand was asked for that has not begun.
    to_revive: Option<Vec<bool>>,
    percent: u8,
    /// The log tells that the campaign ended with every pump updated.
    good_end: bool,
    campaign: bool,
    boot_waits_since: Option<SimTime>,
    live: live::Live,
}

impl Memory {
    fn new(pumps: u8) -> Self {
        let count = usize::from(pumps);
        Self {
            said_yes: false,
            ever_agreed: false,
            ever_declined: false,
            ever_searched: false,
            asked: None,
            asked_last: None,
            answered_late: false,
            fresh_yes: false,
            paused: false,
            asked_in_pause: vec![false; count],
            commanded_in_pause: vec![false; count],
            restarted: vec![true; count],
            try_ended: vec![None; count],
            stood_still: vec![None; count],
            remaining: None,
            shown: Vec::new(),
            disturbed: false,
            operations: vec![0; count],
            wrote_any: false,
            try_open: vec![false; count],
            tries_charged: vec![0; count],
            true_tries: vec![supply::TrueTries::default(); count],
            started_entries: vec![0; count],
            ended_entries: vec![0; count],
            told: vec![orchestrator::Outcome::Unknown; count],
            failed: vec![false; count],
            deaths: vec![dead::Death::default(); count],
            sound_until: vec![0; count],
            tried: vec![tried::Tried::default(); count],
            abandoned: false,
            state: vec![None; count],
            state_since: vec![SimTime::ZERO; count],
            running: vec![running::Running::default(); count],
            waited: None,
            may_rise: false,
            cost_time: None,
            to_revive: None,
            percent: 0,
            good_end: false,
            campaign: false,
            boot_waits_since: None,
            live: live::Live::new(count),
        }
    }
}

impl Memory {
    /// The manual action that ends a pump's death: it has three tries again (PFU-026).
    fn revive(&mut self) {
        let Some(dead) = self.to_revive.take() else { return };
        for (pump, dead) in dead.into_iter().enumerate() {
            if dead && std::mem::take(&mut self.deaths[pump]).since.is_some() {
                self.forget_tries(pump);
            }
        }
    }

    /// The pump has its image, or begins anew after a manual action: what it was tried before does not count any more.
    fn forget_tries(&mut self, pump: usize) {
        self.tries_charged[pump] = 0;
        self.true_tries[pump] = supply::TrueTries::default();
        self.tried[pump].forget();
    }
}

/// What the clock of the CIOC shows more than true time has passed, in ns.
fn gained_by_the_cioc(world: &World, now: SimTime) -> i64 {
    let cpu = world.get::<Cpu>(world.resource::<Nodes>().entity(NodeId::CIOC));
    let shown = cpu.map_or(now.as_nanos(), |cpu| cpu.clock_ns(now));
    i64::try_from(i128::from(shown) - i128::from(now.as_nanos())).unwrap_or(0)
}

/// How long `span` of true time is by a clock that gains so much in it.
fn stands_for(span: Span, gained: i64) -> Span {
    Span::from_nanos(span.as_nanos().saturating_add_signed(gained))
}

/// Whether the flash of `node` holds the whole image of the CIOC with its valid marker.
fn holds_the_image(world: &World, node: NodeId) -> bool {
    let entity = world.resource::<Nodes>().entity(node);
    let (Some(held), Some(flash)) = (&world.resource::<Truth>().held, world.get::<Flash>(entity)) else { return false };
    flash.valid_header().is_some() && flash.holds(held)
}

/// The same before faults inverted bits after the first `flips` of them.
fn held_the_image(world: &World, node: NodeId, flips: u64) -> bool {
    let entity = world.resource::<Nodes>().entity(node);
    let (Some(held), Some(flash)) = (&world.resource::<Truth>().held, world.get::<Flash>(entity)) else { return false };
    let before = flash.before_flips(flips);
    before.valid_header().is_some() && before.holds(held)
}

fn flips_of(world: &World, node: NodeId) -> u64 {
    world.get::<Flash>(world.resource::<Nodes>().entity(node)).map_or(0, Flash::flips)
}

/// Whether the CIOC holds a sound image for a campaign: without one there is no version to be up to date with.
fn is_offered(world: &World) -> bool {
    let truth = world.resource::<Truth>();
    truth.campaign && truth.sound
}

/// The version of a whole image in the flash of `node`, by its header.
fn version_of(world: &World, node: NodeId) -> Option<protocol::header::Version> {
    let entity = world.resource::<Nodes>().entity(node);
    world.get::<Flash>(entity)?.valid_header().map(|header| header.version)
}

/// A state or outcome as a word: `FailSafe` reads `fail-safe`.
fn words(state: impl std::fmt::Debug) -> String {
    crate::run::word_of(&state)
}

/// Whether the image of the CIOC is sound and for the model of a pump.
fn fits(world: &World, pump: usize) -> bool {
    let truth = world.resource::<Truth>();
    truth.sound && truth.models.get(pump) == Some(&truth.image_model)
}

fn pump_index(node: NodeId) -> Option<usize> {
    node.pump().map(|pump| usize::from(pump) - 1)
}

fn node_of(index: usize) -> NodeId {
    NodeId::new(u8::try_from(index + 1).unwrap_or(1))
}

impl Checks {
    /// Looks at the records that come by the hundred thousand and need nothing of the world: frames and flash words.
    /// `false` for any other, which [`Self::see`] looks at. Both are apart because taking the checks out of the world
    /// costs more than looking at a frame.
    pub fn see_often(&mut self, now: SimTime, record: &Record) -> bool {
        match record {
            Record::Bus(BusRecord::Frame { frame, sender: NodeId::CIOC, .. }) => {
                if running::commanded(frame.id()).is_some() {
                    return false;
                }
                self.see_request(now, frame);
            }
            Record::Bus(BusRecord::Frame { frame, .. }) if live::status_of(frame.id()).is_some() => return false,
            Record::Bus(BusRecord::Frame { frame, .. }) if supply::is_answer(frame) => return false,
            Record::Bus(BusRecord::Error { .. } | BusRecord::Lost { .. } | BusRecord::Overrun { .. }) => return false,
            Record::Bus(_) => {}
            Record::Pump(PumpRecord::FlashBegun { node, operation }) => {
                let FlashCommand::Program { .. } = operation.command else { return false };
                self.no_write_to_unerased_flash.n += 1;
                if let Some(pump) = pump_index(*node) {
                    self.memory.restarted[pump] = false;
                    self.memory.operations[pump] += 1;
                }
            }
            _ => return false,
        }
        true
    }

    /// Another unit takes a pump's place: what was written to the one before says nothing of it.
    /// The flash still is that of the one before.
    pub(crate) fn exchanged(&mut self, world: &World, pump: usize) {
        use orchestrator::Outcome;
        let told = matches!(self.memory.told[pump], Outcome::Updated | Outcome::UpToDate);
        let good = told && !self.memory.try_open[pump] && self.holds_soundly(world, pump);
        self.memory.tried[pump].is_replaced(good);
        (self.memory.failed[pump], self.memory.restarted[pump]) = (false, false);
    }

    /// Looks at any other record.
    pub fn see(&mut self, world: &mut World, now: SimTime, record: &Record) {
        match record {
            Record::Orchestrator(record) => self.see_orchestrator(world, now, record),
            Record::Pump(record) => self.see_pump(world, now, record),
            Record::Bus(record) => {
                self.see_commands(world, now, record);
                self.see_statuses(world, now, record);
                self.see_answer(world, now, record);
                self.see_try(world, now, record);
            }
            Record::Power(_) => self.see_supply(world, now),
            Record::Plant(_) | Record::Fault(_) | Record::Safety(_) => {}
        }
    }

    /// Notes a request that left the CIOC, and above all one for the programming session (10 02).
    fn see_request(&mut self, now: SimTime, frame: &protocol::Frame) {
        let Some(pump) = supply::asked(frame.id()).filter(|pump| *pump < self.memory.tried.len()) else { return };
        self.memory.tried[pump].is_asked();
        let tries = &mut self.memory.true_tries[pump];
        tries.is_asked(now, frame);
        if matches!(frame.data(), [0x02, 0x10, 0x02, ..]) {
            tries.asked = true;
            self.memory.asked_in_pause[pump] = self.memory.paused;
        }
    }

    fn see_orchestrator(&mut self, world: &mut World, now: SimTime, record: &OrchestratorRecord) {
        match record {
            OrchestratorRecord::User(orchestrator::UserAction::Consent(yes)) => self.answered(world, now, *yes),
            OrchestratorRecord::User(orchestrator::UserAction::Search) => {
                // It waits until the campaign has ended or waits; whoever dies meanwhile stays dead.
                let dead = (0..self.memory.deaths.len()).map(|pump| self.is_dead(pump)).collect();
                self.memory.to_revive = cioc_works(world, now).then_some(dead);
            }
            OrchestratorRecord::Started => {
                self.memory.live.cioc_starts(now);
                self.memory.tried.iter_mut().for_each(tried::Tried::is_to_be_searched);
                // It tells of the pause anew. What a pump did meanwhile it was asked to in the life before.
                self.memory.paused = false;
                self.memory.boot_waits_since = Some(now);
                self.look_for_a_lost_end(world, now);
            }
            OrchestratorRecord::Off | OrchestratorRecord::UpdateBegun | OrchestratorRecord::Reset => {
                self.memory.boot_waits_since = None;
                self.memory.ever_declined |= self.memory.asked.take().is_some();
                self.memory.asked_last = None;
                self.memory.remaining = None;
                self.memory.disturbed = true;
                self.memory.to_revive = None; // A restart forgets the person's wish.
                self.alarms_end();
                self.doubts_end();
            }
            OrchestratorRecord::UpdateEnded | OrchestratorRecord::WriteTorn { .. } => {}
            OrchestratorRecord::Notice(notice) => self.see_notice(world, now, notice),
        }
    }

    /// The person answers: that counts only while the question stands; a late or unasked answer starts nothing. It stands
    /// for less than ten minutes by the clock of the CIOC: an answer at exactly ten minutes is late. One band is left open:
    /// an answer in time that the CIOC's CPU, busy just then, takes after it. Then nothing is written though it was wanted,
    /// and rows without a look are inconclusive.
    fn answered(&mut self, world: &World, now: SimTime, yes: bool) {
        let Some((asked, gained)) = self.memory.asked_last else { return };
        let stood = stands_for(now.since(asked), gained_by_the_cioc(world, now) - gained);
        if stood >= CONSENT_WITHIN {
            self.memory.answered_late = true;
        } else if self.memory.asked.is_some() {
            self.memory.said_yes = yes;
            self.memory.fresh_yes = yes;
            self.memory.ever_agreed |= yes;
        }
    }

    fn see_notice(&mut self, world: &mut World, now: SimTime, notice: &Notice) {
        match *notice {
            Notice::ConsentAsked(_) => {
                self.memory.asked = Some(now);
                self.memory.asked_last = Some((now, gained_by_the_cioc(world, now)));
            }
            Notice::ConsentAnswered(yes) => {
                self.memory.asked = None;
                self.memory.ever_declined |= !yes;
            }
            Notice::ConsentLapsed => {
                self.memory.asked = None;
                self.memory.ever_declined = true;
            }
            Notice::Pause => self.memory.paused = true,
            Notice::Searching { manual } => {
                self.memory.ever_searched = true;
                if manual {
                    self.memory.may_rise = true;
                    self.memory.revive();
                    // It reads every pump.
                    self.memory.tried.iter_mut().for_each(tried::Tried::is_told_of);
                }
                self.searched(now);
            }
            Notice::CampaignStarted { resumed, .. } => {
                self.memory.campaign = true;
                if resumed {
                    self.searched(now);
                    self.cut_off_tries_count(now);
                } else {
                    self.progress_begins();
                    self.tries_begin();
                }
            }
            Notice::CampaignFinished { errors } => self.finished(world, now, errors),
            Notice::AlarmRaised(Alarm::PumpMissing(_)) => self.memory.disturbed = true,
            Notice::AlarmRaised(Alarm::PumpDead(pump)) => self.dead_alarm(now, pump.index()),
            Notice::Outcome { pump, outcome } => self.see_outcome(world, now, pump.index(), outcome),
            Notice::Log(entry) => self.see_log(world, now, &entry),
            Notice::Progress { percent, remaining, cause } => {
                self.remaining_shown(now, remaining.map(|left| left.as_millis()), cause);
                self.percent_shown(now, percent);
            }
            _ => {}
        }
    }

    /// What the CIOC tells of a pump is held against the pump's flash, and a pump that is left alone counts as seen.
    fn see_outcome(&mut self, world: &World, now: SimTime, pump: usize, outcome: orchestrator::Outcome) {
        use orchestrator::Outcome;
        let Some(told) = self.memory.told.get_mut(pump) else { return };
        let before = std::mem::replace(told, outcome);
        self.stays_dead(now, pump, before, outcome);
        self.memory.tried[pump].is_told_of();
        // A pump that was given up is to be updated after all.
        self.memory.may_rise |= outcome == Outcome::Pending && self.memory.tried[pump].was_set_aside();
        match outcome {
            Outcome::Dead => self.memory.deaths[pump].comes(now),
            // A try that a restart cut off had done its work.
            Outcome::Updated | Outcome::UpToDate if version_of(world, node_of(pump)).is_some() => {
                self.memory.forget_tries(pump);
            }
            _ => {}
        }
        match outcome {
            Outcome::UpToDate if is_offered(world) => {
                self.judge_told(world, now, pump, "is up to date");
                self.equal_version_is_left_alone.n += u64::from(holds_the_image(world, node_of(pump)));
            }
            _ => {}
        }
        if matches!(outcome, Outcome::Updated | Outcome::UpToDate) {
            self.see_unlogged_success(world, now, pump);
        }
    }

    /// A pump whose last try has no good end in the log counts as updated after all: by its own records it has restarted
    /// since it was last written to, and its application has run since its last session.
    fn see_unlogged_success(&mut self, world: &World, now: SimTime, pump: usize) {
        let unlogged = self.memory.failed[pump] || self.memory.try_open[pump];
        if !unlogged || !was_written_whole(world, pump) {
            return;
        }
        let ran = world.resource::<Measures>().runs_since.get(pump).is_some_and(Option::is_some);
        let restarted = self.memory.restarted[pump];
        self.pump_restarts_before_success.judge(now, restarted && ran, || {
            let node = node_of(pump);
            format!("{node} counts as updated without a logged end; restarted: {restarted}, application ran: {ran}")
        });
    }

    /// The pump holds the image of the package: its header, every byte, and the valid marker. Bits that a fault has
    /// inverted since it started, whether its application did or not, or since this was last told and true, are not what
    /// was told: nobody looks at them before the next start. Such a pump is noted.
    fn judge_told(&mut self, world: &World, now: SimTime, pump: usize, words: &str) {
        let node = node_of(pump);
        let as_it_is = holds_the_image(world, node);
        let same = self.holds_soundly(world, pump);
        let works_since = self.memory.live.works_since();
        if let Some((why, open)) = self.memory.tried[pump].told_of_another(now, works_since).filter(|_| !same) {
            self.told_versions_are_true.undecided |= open;
            return self.told_versions_are_true.leave_out(node, why);
        }
        if as_it_is {
            self.memory.sound_until[pump] = flips_of(world, node);
        } else if same {
            self.told_versions_are_true.leave_out(node, "bits that were inverted in its flash after its start");
        }
        self.told_versions_are_true.judge(now, same, || {
            let found = version_of(world, node).map_or("no valid image".to_owned(), |version| format!("{version}"));
            format!("the CIOC tells that {node} {words}, its flash holds {found} and not the image of the package")
        });
    }

    /// Whether a pump holds the image, or did before faults inverted bits of what it runs.
    fn holds_soundly(&self, world: &World, pump: usize) -> bool {
        let node = node_of(pump);
        holds_the_image(world, node) || held_the_image(world, node, self.memory.sound_until[pump])
    }

    fn searched(&mut self, now: SimTime) {
        if let Some(since) = self.memory.boot_waits_since.take() {
            let took = now.since(since);
            self.every_boot_searches.judge(now, took <= SEARCH_WITHIN, || {
                format!("the search began {took} ms after the start of the CIOC's firmware")
            });
            self.alarms_are_due(now);
        }
    }

    /// A pump is said to be updated: its flash holds the image, and it restarted after the last write and runs it.
    fn see_success(&mut self, world: &mut World, now: SimTime, pump: usize) {
        let node = node_of(pump);
        self.judge_told(world, now, pump, "is updated");
        let runs = self.memory.state[pump].is_some_and(PumpState::is_application);
        let restarted = self.memory.restarted[pump];
        self.pump_restarts_before_success.judge(now, restarted && runs, || {
            format!("{node} counts as updated; restarted: {restarted}, application runs: {runs}")
        });
    }

    fn see_log(&mut self, world: &mut World, now: SimTime, entry: &orchestrator::LogEntry) {
        self.see_campaign_entry(entry.event);
        let Some(pump) = entry.pump.map(protocol::ids::PumpNumber::index) else { return };
        if pump >= self.memory.try_open.len() {
            return;
        }
        let node = node_of(pump);
        self.memory.tried[pump].is_told_of();
        match entry.event {
            LogEvent::UpdateStarted => {
                let open = std::mem::replace(&mut self.memory.try_open[pump], true);
                self.memory.started_entries[pump] += 1;
                self.true_try_begins(now, pump);
                let runs = self.memory.state[pump].is_some_and(PumpState::is_application);
                self.memory.tried[pump].begins(runs);
                self.log_tells_each_try.judge(now, !open, || format!("{node} has two started entries in a row"));
                let (charged, dead) = (self.memory.tries_charged[pump], self.is_dead(pump));
                self.at_most_three_tries
                    .judge(now, charged < 3, || format!("{node} is tried again after {charged} failed tries"));
                if dead {
                    self.dead_pumps_stay_dead_and_are_named.judge(now, false, || format!("dead {node} is tried again"));
                }
            }
            LogEvent::UpdateFinished | LogEvent::UpdateError => {
                let open = std::mem::replace(&mut self.memory.try_open[pump], false);
                self.memory.try_ended[pump] = Some(now);
                self.memory.ended_entries[pump] += 1;
                self.log_tells_each_try.judge(now, open, || format!("{node} has an end entry without a start"));
                let error = entry.event == LogEvent::UpdateError;
                self.memory.failed[pump] = error;
                if error {
                    self.try_fails(now, pump, entry.cause);
                    let named = entry.cause.is_some();
                    self.log_tells_each_try.judge(now, named, || format!("{node} has an error entry without cause"));
                    // Lack of supply alone makes no pump dead, so such tries are not among the three.
                    if entry.cause == Some(Cause::LowSupply) {
                        self.excuse(pump);
                    } else {
                        self.memory.tries_charged[pump] += 1;
                        // Whether a try that a restart cut off had done its work is told by the search after it.
                        let due = self.memory.tried[pump].must_die() && entry.cause != Some(Cause::Interrupted);
                        if self.memory.tries_charged[pump] >= 3 && due {
                            self.memory.deaths[pump].comes(now);
                        }
                    }
                    self.memory.disturbed = true;
                    self.memory.may_rise = true;
                } else {
                    self.memory.forget_tries(pump);
                    self.see_success(world, now, pump);
                }
            }
            LogEvent::PumpDead => {
                let (charged, failed) = (self.memory.tries_charged[pump], self.memory.tried[pump].may_die);
                self.memory.deaths[pump].comes(now);
                self.dead_pumps_stay_dead_and_are_named.judge(now, charged == 3 && failed, || {
                    format!("{node} is called dead after {charged} tries, one that failed by itself: {failed}")
                });
            }
            LogEvent::PumpMissing => self.set_aside(world, pump, entry),
            _ => {}
        }
    }

    fn see_pump(&mut self, world: &mut World, now: SimTime, record: &PumpRecord) {
        let node = record.node();
        let Some(pump) = pump_index(node) else { return };
        match record {
            PumpRecord::FlashBegun { .. } => {
                self.memory.operations[pump] += 1;
                self.count_true_try(now, pump);
                self.erase_begun(world, now, pump);
            }
            PumpRecord::UnerasedWrite { .. } => {
                self.no_write_to_unerased_flash.judge(now, false, || format!("{node} programmed a word twice"));
            }
            PumpRecord::State { state, .. } => {
                let before = self.memory.state[pump].replace(*state);
                self.memory.state_since[pump] = now;
                if *state == PumpState::Updating {
                    self.update_entered(world, now, pump);
                }
                self.judge_leaving(now, pump, before, *state);
                if state.is_application() && !before.is_some_and(PumpState::is_application) {
                    self.memory.running[pump].started(now);
                    self.application_starts(world, now, pump);
                }
            }
            PumpRecord::Off { .. } | PumpRecord::Reset { .. } => {
                if matches!(record, PumpRecord::Off { .. }) {
                    self.memory.true_tries[pump].is_cut(now);
                }
                self.memory.state[pump] = None;
                self.memory.state_since[pump] = now;
                self.note_own_reason(world, now, pump, record);
            }
            PumpRecord::Started { .. } => {
                // Whatever it runs now, it has started anew.
                self.memory.state[pump] = None;
                self.memory.restarted[pump] = true;
                // Its bootloader reads the flash as it is.
                self.memory.sound_until[pump] = flips_of(world, node);
            }
            PumpRecord::Motor { .. } | PumpRecord::Disguised { .. } => {}
        }
    }

    fn erase_begun(&mut self, world: &mut World, now: SimTime, pump: usize) {
        self.no_write_to_unerased_flash.n += 1;
        self.memory.restarted[pump] = false;
        let node = node_of(pump);
        let truth = world.resource::<Truth>();
        let sound = truth.sound && truth.models.get(pump) == Some(&truth.image_model);
        // A whole image with its marker in the flash, and no failed try that asks for it to be written again.
        let equal = !self.memory.tried[pump].is_in_doubt() && holds_the_image(world, node);
        let yes = self.memory.said_yes;
        self.no_write_without_consent.judge(now, yes, || format!("{node} is erased without consent"));
        self.no_write_with_a_bad_image.judge(now, sound, || format!("{node} is erased for a bad image"));
        if let Some(why) = self.misread(world, pump).filter(|_| equal) {
            self.equal_version_is_left_alone.leave_out(node, why);
        } else {
            self.equal_version_is_left_alone.judge(now, !equal, || format!("{node} is erased though it had the image"));
        }
        // A pump goes on with an erase though the CIOC that asked for it has restarted since.
        let paused = self.memory.paused || self.memory.asked_in_pause[pump];
        self.pause_is_told_first.judge(now, paused, || format!("{node} is erased before the pause was told"));
        let speed = plant::speed(world, node).get();
        self.motor_stands_before_flash_is_written
            .judge(now, speed == 0, || format!("{node} is erased while it runs at {speed} permille"));
        self.memory.wrote_any = true;
    }

    /// A pump that regulates leaves its normal operation only once the users were told of the pause. It may obey a command
    /// late, in another life of the CIOC than that which told of the pause and gave it.
    fn judge_leaving(&mut self, now: SimTime, pump: usize, before: Option<PumpState>, state: PumpState) {
        let regulated = before == Some(PumpState::Automatic);
        let is_taken =
            matches!(state, PumpState::Standby | PumpState::Fixed | PumpState::Updating | PumpState::Bootloader);
        if regulated && is_taken {
            let paused = self.memory.paused || self.memory.commanded_in_pause[pump];
            self.pause_is_told_first.forbid(now, paused, || {
                format!("{} leaves automatic mode for {} before the pause was told", node_of(pump), words(state))
            });
        }
    }

    /// A pump enters an update: no other is in one, by the states that their firmware is in.
    fn update_entered(&mut self, world: &World, now: SimTime, pump: usize) {
        self.note_standing_still(world, now);
        let other = self.updating(now).find(|other| *other != pump);
        self.one_pump_at_a_time.judge(now, other.is_none(), || {
            format!("{} enters an update while {} is in one", node_of(pump), node_of(other.unwrap_or(pump)))
        });
    }

    /// No two pumps are in an update, also when what excused one of them has passed.
    fn look_at_updates(&mut self, world: &World, now: SimTime) {
        self.note_standing_still(world, now);
        let mut updating = self.updating(now);
        if let (Some(one), Some(other)) = (updating.next(), updating.next()) {
            drop(updating);
            self.one_pump_at_a_time
                .judge(now, false, || format!("{} and {} are in an update", node_of(one), node_of(other)));
        }
    }

    /// The pumps that are in an update. One case is excused, because no CIOC can end it or wait for it: the pump's CPU
    /// stands still in its update (it hangs, or a flash operation stalls it), the CIOC has given its try up, and has
    /// waited for as long as any session that hears nothing lasts. A CPU that goes on has one session time to end it.
    fn updating(&self, now: SimTime) -> impl Iterator<Item = usize> + '_ {
        let since = move |at: Option<SimTime>| at.map(|at| now.since(at));
        let micros = |duration: units::Duration| Span::from_micros(duration.as_micros());
        let memory = &self.memory;
        (0..memory.state.len()).filter(|pump| memory.state[*pump] == Some(PumpState::Updating)).filter(move |pump| {
            let left = !memory.try_open[*pump]
                && since(memory.try_ended[*pump]).is_some_and(|span| span >= micros(orchestrator::config::SETTLE));
            let still = since(memory.stood_still[*pump])
                .is_some_and(|span| span <= micros(pump::config::SESSION_TIMEOUT) + super::LOOK_PERIOD);
            !(left && still)
        })
    }

    fn note_standing_still(&mut self, world: &World, now: SimTime) {
        for pump in 0..self.memory.state.len() {
            let cpu = world.get::<Cpu>(world.resource::<Nodes>().entity(node_of(pump)));
            if cpu.is_some_and(|cpu| cpu.hung_until > now || cpu.stalled) {
                self.memory.stood_still[pump] = Some(now);
            }
        }
    }

    /// An application starts: its flash must hold one of the two whole images, byte for byte. What becomes of the flash
    /// while it runs is no start: the next one is judged again.
    fn application_starts(&mut self, world: &mut World, now: SimTime, pump: usize) {
        let node = node_of(pump);
        let entity = world.resource::<Nodes>().entity(node);
        let truth = world.resource::<Truth>();
        let Some(flash) = world.get::<Flash>(entity) else { return };
        let holds = |image: &[u8]| flash.holds(image);
        let old = truth.installed.get(pump).is_some_and(|image| holds(image));
        let new = truth.held.as_ref().is_some_and(|image| holds(image));
        self.only_whole_images_are_started.judge(now, old || new, || {
            format!("{node} starts an application that is neither the old nor the new image")
        });
        self.memory.sound_until[pump] = flips_of(world, node);
    }

    /// Looks at the world, every [`super::LOOK_PERIOD`].
    pub fn look(&mut self, world: &mut World, now: SimTime) {
        self.look_at_updates(world, now);
        self.look_who_is_heard(now);
        self.look_for_waits(world, now);
        self.look_for_rises(world, now);
        self.see_supply(world, now);
        self.look_for_own_reasons(world, now);
        self.look_at_speeds(world, now);
        self.look_at_dead(world, now);
        self.look_at_fail_safe(world, now);
        self.look_at_status(world, now);
        if let Some(since) = self.memory.boot_waits_since
            && now.since(since) > SEARCH_WITHIN
        {
            self.memory.boot_waits_since = None;
            self.every_boot_searches
                .judge(now, false, || "a start of the CIOC was not followed by a search".to_owned());
        }
    }
}
