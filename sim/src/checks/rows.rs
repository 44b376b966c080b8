//! The checks of an update, one function each.

use bevy_ecs::prelude::{Resource, World};
use orchestrator::{Activity, Alarm, Event as LogEvent, Notice};
use protocol::cyclic::PumpState;
use pump::FlashCommand;

use super::Truth;
use crate::bus::BusRecord;
use crate::faults::Faults;
use crate::hosts::cioc::CiocHost;
use crate::hosts::cpu::Cpu;
use crate::hosts::flash::Flash;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{SimTime, Span};
use crate::measure::Measures;
use crate::measure::timeline::TryEnd;
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use crate::{plant, power};

/// The set-point of all other pumps during an update, in permille (PFU-047).
const UPDATE_SPEED: i32 = 800;
/// Allowed deviation from it, in permille (own number of PFU-047).
const UPDATE_SPEED_BAND: i32 = 10;
/// A motor needs up to 2 s from standstill; a pump is judged this long after its last change of state or command.
const SETTLING: Span = Span::from_secs(4);
/// A pump must be in fail-safe mode this long after the last command: 1 s of silence, one status period, one look.
const FAIL_SAFE_WITHIN: Span = Span::from_millis(1_300);
/// The web status may lag behind the truth this long (own number of PFU-003).
const STATUS_LAG: Span = Span::from_secs(1);
/// A question for consent stands this long (own number of PFU-019).
const CONSENT_WITHIN: Span = Span::from_secs(600);
/// The time left may be off by a tenth or by this (own number of PFU-031).
const REMAINING_BAND_MS: u64 = 10_000;
/// The log's update times may differ from those on the bus by this: a status period and a look, with margin (own number).
const BUS_TIME_BAND: Span = Span::from_millis(500);
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
    /// Whether the run gave it anything to look at; if not, it is not applicable instead of inconclusive.
    pub applicable: bool,
}

impl Row {
    fn judge(&mut self, now: SimTime, holds: bool, why: impl FnOnce() -> String) {
        self.n += 1;
        if !holds && self.broken.is_none() {
            self.broken = Some((now, why()));
        }
    }
}

macro_rules! checks {
    ($($field:ident: $($requirement:literal)+;)+) => {
        /// The ids of all checks and the requirements each stands for.
        pub const IDS: &[(&str, &[&str])] = &[$((stringify!($field), &[$($requirement),+])),+];

        /// The state of all checks.
        #[derive(Resource, Clone, Debug)]
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
                        applicable: true,
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
    updated_pump_holds_the_image: "PFU-008" "PFU-020";
    pump_restarts_before_success: "PFU-024";
    at_most_three_tries: "PFU-002" "PFU-022";
    dead_pumps_stay_dead_and_are_named: "PFU-026" "PFU-029";
    log_tells_each_try: "PFU-027" "PFU-028" "PFU-033";
    every_boot_searches: "PFU-007" "PFU-013";
    pause_is_told_first: "PFU-018";
    progress_is_true: "PFU-031";
    remaining_time_is_right: "PFU-031";
    bus_confirms_update_times: "PFU-041";
    status_is_live: "PFU-003";
    silence_means_fail_safe: "PFU-012";
}

/// What the checks remember between looks.
#[derive(Clone, Debug)]
struct Memory {
    said_yes: bool,
    asked: Option<SimTime>,
    paused: bool,
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
    wrote_any: bool,
    try_open: Vec<bool>,
    tries_charged: Vec<u32>,
    started_entries: Vec<u32>,
    ended_entries: Vec<u32>,
    /// Whether any try ended well.
    ended_well: bool,
    dead: Vec<bool>,
    dead_alarms: Vec<u32>,
    state: Vec<Option<PumpState>>,
    changed: Vec<SimTime>,
    last_command: Vec<Option<SimTime>>,
    percent: u8,
    campaign: bool,
    campaign_since: SimTime,
    boot_waits_since: Option<SimTime>,
    truth_since: (Option<usize>, SimTime),
    cioc_on_since: SimTime,
}

impl Memory {
    fn new(pumps: u8) -> Self {
        let count = usize::from(pumps);
        Self {
            said_yes: false,
            asked: None,
            paused: false,
            restarted: vec![true; count],
            try_ended: vec![None; count],
            stood_still: vec![None; count],
            remaining: None,
            shown: Vec::new(),
            disturbed: false,
            wrote_any: false,
            try_open: vec![false; count],
            tries_charged: vec![0; count],
            started_entries: vec![0; count],
            ended_entries: vec![0; count],
            ended_well: false,
            dead: vec![false; count],
            dead_alarms: vec![0; count],
            state: vec![None; count],
            changed: vec![SimTime::ZERO; count],
            last_command: vec![None; count],
            percent: 0,
            campaign: false,
            campaign_since: SimTime::ZERO,
            boot_waits_since: None,
            truth_since: (None, SimTime::ZERO),
            cioc_on_since: SimTime::ZERO,
        }
    }
}

impl Memory {
    /// The manual action that ends a pump's death: it has three tries again (PFU-026).
    fn revive(&mut self) {
        for pump in 0..self.dead.len() {
            if std::mem::take(&mut self.dead[pump]) {
                self.tries_charged[pump] = 0;
                self.dead_alarms[pump] = 0;
            }
        }
    }
}

/// Whether the flash of `node` holds the whole image of the CIOC with its valid marker.
fn holds_the_image(world: &World, node: NodeId) -> bool {
    let entity = world.resource::<Nodes>().entity(node);
    let (Some(held), Some(flash)) = (&world.resource::<Truth>().held, world.get::<Flash>(entity)) else { return false };
    flash.valid_header().is_some() && flash.holds(held)
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
            Record::Bus(record) => self.see_bus(now, record),
            Record::Pump(PumpRecord::FlashBegun { node, operation }) => {
                let FlashCommand::Program { .. } = operation.command else { return false };
                self.no_write_to_unerased_flash.n += 1;
                if let Some(pump) = pump_index(*node) {
                    self.memory.restarted[pump] = false;
                }
            }
            _ => return false,
        }
        true
    }

    /// Looks at any other record.
    pub fn see(&mut self, world: &mut World, now: SimTime, record: &Record) {
        match record {
            Record::Orchestrator(record) => self.see_orchestrator(world, now, record),
            Record::Pump(record) => self.see_pump(world, now, record),
            Record::Bus(_) | Record::Power(_) | Record::Plant(_) | Record::Fault(_) => {}
        }
    }

    /// Notes commands that left the CIOC well, as the pump's controller would take them.
    fn see_bus(&mut self, now: SimTime, record: &BusRecord) {
        let id = match record {
            BusRecord::Frame { frame, sender: NodeId::CIOC, .. } => frame.id(),
            // A frame that its sender takes for broken at its very end may have been taken by some receivers.
            BusRecord::Error { sender: Some(NodeId::CIOC), id: Some(id), .. } => *id,
            _ => return,
        };
        let embedded_can::Id::Standard(id) = id else { return };
        let number = id.as_raw().checked_sub(0x101).map(usize::from);
        if let Some(last) = number.and_then(|index| self.memory.last_command.get_mut(index)) {
            *last = Some(now);
        }
    }

    fn see_orchestrator(&mut self, world: &mut World, now: SimTime, record: &OrchestratorRecord) {
        match record {
            OrchestratorRecord::User(orchestrator::UserAction::Consent(yes)) => {
                // The answer counts only while the question stands; a late or unasked one starts nothing.
                if self.memory.asked.is_some_and(|asked| now.since(asked) <= CONSENT_WITHIN) {
                    self.memory.said_yes = *yes;
                }
            }
            OrchestratorRecord::User(orchestrator::UserAction::Search) => self.memory.revive(),
            OrchestratorRecord::Started => {
                self.memory.cioc_on_since = now;
                self.memory.boot_waits_since = Some(now);
                self.memory.percent = 0;
            }
            OrchestratorRecord::Off | OrchestratorRecord::UpdateBegun | OrchestratorRecord::Reset => {
                self.memory.boot_waits_since = None;
                self.memory.asked = None;
                self.memory.remaining = None;
                self.memory.disturbed = true;
            }
            OrchestratorRecord::UpdateEnded => {}
            OrchestratorRecord::Notice(notice) => self.see_notice(world, now, notice),
        }
    }

    fn see_notice(&mut self, world: &mut World, now: SimTime, notice: &Notice) {
        match *notice {
            Notice::ConsentAsked(_) => self.memory.asked = Some(now),
            Notice::ConsentAnswered(_) | Notice::ConsentLapsed => self.memory.asked = None,
            Notice::Pause => self.memory.paused = true,
            Notice::Searching { .. } => self.searched(now),
            Notice::CampaignStarted { resumed, .. } => {
                self.memory.campaign = true;
                self.memory.campaign_since = now;
                if resumed {
                    self.searched(now);
                } else {
                    self.memory.percent = 0;
                    self.memory.remaining = None;
                    self.memory.shown.clear();
                }
            }
            Notice::CampaignFinished { errors } => self.finished(world, now, errors),
            Notice::AlarmRaised(Alarm::PumpMissing(_)) => self.memory.disturbed = true,
            Notice::AlarmRaised(Alarm::PumpDead(pump)) => self.dead_alarm(now, pump.index()),
            Notice::Outcome { pump, outcome: orchestrator::Outcome::Dead } => {
                if let Some(dead) = self.memory.dead.get_mut(pump.index()) {
                    *dead = true;
                }
            }
            Notice::Log(entry) => self.see_log(world, now, &entry),
            Notice::Progress { percent, remaining, cause } => {
                self.remaining_shown(now, remaining.map(|left| left.as_millis()), cause);
                let before = self.memory.percent;
                self.progress_is_true.judge(now, percent >= before && percent <= 100, || {
                    format!("percent fell from {before} to {percent}")
                });
                self.memory.percent = percent;
            }
            _ => {}
        }
    }

    fn searched(&mut self, now: SimTime) {
        if let Some(since) = self.memory.boot_waits_since.take() {
            let took = now.since(since);
            self.every_boot_searches.judge(now, took <= SEARCH_WITHIN, || {
                format!("the search began {took} ms after the start of the CIOC's firmware")
            });
        }
    }

    /// The time left rises only with a cause.
    fn remaining_shown(&mut self, now: SimTime, left: Option<u64>, cause: Option<orchestrator::Cause>) {
        let Some(left) = left else { return };
        if let Some(before) = self.memory.remaining {
            self.progress_is_true.judge(now, left <= before || cause.is_some(), || {
                format!("the time left rose from {before} ms to {left} ms without a cause")
            });
        }
        self.memory.remaining = Some(left);
        self.memory.shown.push((now, left));
    }

    /// In a run without faults each time left that was shown is held against the end as it came.
    fn finish_remaining(&mut self, now: SimTime) {
        for (at, left) in std::mem::take(&mut self.memory.shown) {
            let truth = now.since(at).as_nanos() / 1_000_000;
            let allowed = (truth / 10).max(REMAINING_BAND_MS);
            self.remaining_time_is_right.judge(now, left.abs_diff(truth) <= allowed, || {
                format!("at {at} ms the time left was shown as {left} ms, it was {truth} ms")
            });
        }
    }

    fn finished(&mut self, world: &World, now: SimTime, errors: bool) {
        self.memory.campaign = false;
        // Consent holds for one campaign, and the next one is told anew.
        self.memory.said_yes = false;
        self.memory.paused = false;
        self.memory.disturbed |= errors || !world.resource::<Faults>().list.is_empty();
        if !self.memory.disturbed {
            self.finish_remaining(now);
        }
        let percent = self.memory.percent;
        let dead = self.memory.dead.iter().filter(|dead| **dead).count();
        self.progress_is_true.judge(now, (percent == 100) == (dead == 0 && !errors), || {
            format!("the campaign ended at {percent} % with {dead} dead pumps, errors: {errors}")
        });
    }

    fn dead_alarm(&mut self, now: SimTime, pump: usize) {
        let Some(alarms) = self.memory.dead_alarms.get_mut(pump) else { return };
        *alarms += 1;
        let (alarms, charged) = (*alarms, self.memory.tries_charged.get(pump).copied().unwrap_or(0));
        self.dead_pumps_stay_dead_and_are_named.judge(now, alarms == 1 && charged == 3, || {
            format!("alarm {alarms} for {} after {charged} failed tries", node_of(pump))
        });
    }

    /// A pump is said to be updated: its flash holds the image, and it restarted after the last write and runs it.
    fn see_success(&mut self, world: &mut World, now: SimTime, pump: usize) {
        let node = node_of(pump);
        let same = holds_the_image(world, node);
        self.updated_pump_holds_the_image
            .judge(now, same, || format!("{node} counts as updated, but its flash is not the image"));
        let runs = self.memory.state[pump].is_some_and(PumpState::is_application);
        let restarted = self.memory.restarted[pump];
        self.pump_restarts_before_success.judge(now, restarted && runs, || {
            format!("{node} counts as updated; restarted: {restarted}, application runs: {runs}")
        });
    }

    fn see_log(&mut self, world: &mut World, now: SimTime, entry: &orchestrator::LogEntry) {
        let Some(pump) = entry.pump.map(protocol::ids::PumpNumber::index) else { return };
        if pump >= self.memory.try_open.len() {
            return;
        }
        let node = node_of(pump);
        match entry.event {
            LogEvent::UpdateStarted => {
                let open = std::mem::replace(&mut self.memory.try_open[pump], true);
                self.memory.started_entries[pump] += 1;
                self.log_tells_each_try.judge(now, !open, || format!("{node} has two started entries in a row"));
                let (charged, dead) = (self.memory.tries_charged[pump], self.memory.dead[pump]);
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
                if error {
                    let named = entry.cause.is_some();
                    self.log_tells_each_try.judge(now, named, || format!("{node} has an error entry without cause"));
                    // Lack of supply alone makes no pump dead, so such tries are not among the three.
                    if entry.cause != Some(orchestrator::Cause::LowSupply) {
                        self.memory.tries_charged[pump] += 1;
                    }
                    self.memory.disturbed = true;
                } else {
                    self.memory.tries_charged[pump] = 0;
                    self.memory.ended_well = true;
                    self.see_success(world, now, pump);
                }
            }
            LogEvent::PumpDead => {
                let charged = self.memory.tries_charged[pump];
                self.dead_pumps_stay_dead_and_are_named
                    .judge(now, charged == 3, || format!("{node} is called dead after {charged} failed tries"));
            }
            _ => {}
        }
    }

    fn see_pump(&mut self, world: &mut World, now: SimTime, record: &PumpRecord) {
        let node = record.node();
        let Some(pump) = pump_index(node) else { return };
        match record {
            PumpRecord::FlashBegun { .. } => self.erase_begun(world, now, pump),
            PumpRecord::UnerasedWrite { .. } => {
                self.no_write_to_unerased_flash.judge(now, false, || format!("{node} programmed a word twice"));
            }
            PumpRecord::State { state, .. } => {
                self.memory.state[pump] = Some(*state);
                self.memory.changed[pump] = now;
                if *state == PumpState::Updating {
                    self.update_entered(world, now, pump);
                }
                if state.is_application() {
                    self.application_runs(world, now, pump);
                }
            }
            PumpRecord::Motor { .. } => self.memory.changed[pump] = now,
            PumpRecord::Off { .. } | PumpRecord::Reset { .. } => {
                self.memory.state[pump] = None;
                self.memory.changed[pump] = now;
            }
            PumpRecord::Started { .. } => {
                self.memory.changed[pump] = now;
                self.memory.restarted[pump] = true;
            }
            PumpRecord::Disguised { .. } => {}
        }
    }

    fn erase_begun(&mut self, world: &mut World, now: SimTime, pump: usize) {
        self.no_write_to_unerased_flash.n += 1;
        self.memory.restarted[pump] = false;
        let node = node_of(pump);
        let truth = world.resource::<Truth>();
        let sound = truth.sound && truth.models.get(pump) == Some(&truth.image_model);
        // A whole image with its marker in the flash, and no failed try that asks for it to be written again.
        let equal = self.memory.tries_charged[pump] == 0 && holds_the_image(world, node);
        let yes = self.memory.said_yes;
        self.no_write_without_consent.judge(now, yes, || format!("{node} is erased without consent"));
        self.no_write_with_a_bad_image.judge(now, sound, || format!("{node} is erased for a bad image"));
        self.equal_version_is_left_alone.judge(now, !equal, || format!("{node} is erased though it had the image"));
        let paused = self.memory.paused;
        self.pause_is_told_first.judge(now, paused, || format!("{node} is erased before the pause was told"));
        let speed = plant::speed(world, node).get();
        self.motor_stands_before_flash_is_written
            .judge(now, speed == 0, || format!("{node} is erased while it runs at {speed} permille"));
        self.memory.wrote_any = true;
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

    /// An application runs: its flash must hold one of the two whole images, byte for byte.
    fn application_runs(&mut self, world: &mut World, now: SimTime, pump: usize) {
        let node = node_of(pump);
        let entity = world.resource::<Nodes>().entity(node);
        let truth = world.resource::<Truth>();
        let Some(flash) = world.get::<Flash>(entity) else { return };
        let holds = |image: &[u8]| flash.holds(image);
        let old = truth.installed.get(pump).is_some_and(|image| holds(image));
        let new = truth.held.as_ref().is_some_and(|image| holds(image));
        self.only_whole_images_are_started
            .judge(now, old || new, || format!("{node} runs an application that is neither the old nor the new image"));
    }

    /// A dead pump that hears the CIOC stands still.
    fn look_at_dead(&mut self, world: &mut World, now: SimTime) {
        for pump in 0..self.memory.state.len() {
            let commanded = self.memory.state[pump].is_some_and(|state| state != PumpState::FailSafe);
            let settled = now.since(self.memory.changed[pump]) >= SETTLING;
            if !self.memory.dead[pump] || !commanded || !settled {
                continue;
            }
            let speed = plant::speed(world, node_of(pump)).get();
            self.dead_pumps_stay_dead_and_are_named
                .judge(now, speed == 0, || format!("dead {} runs at {speed} permille", node_of(pump)));
        }
    }

    /// Looks at the world, every [`super::LOOK_PERIOD`].
    pub fn look(&mut self, world: &mut World, now: SimTime) {
        self.look_at_updates(world, now);
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

    /// While a pump is written to, all others that work run at 80 %.
    fn look_at_speeds(&mut self, world: &mut World, now: SimTime) {
        // The whole try counts, not only the time in the bootloader; a pump between two tries stays in its bootloader.
        let in_try = self.memory.try_open.iter().position(|open| *open);
        let in_bootloader = self.memory.state.iter().position(|state| *state == Some(PumpState::Updating));
        let Some(updating) = in_try.filter(|_| self.memory.campaign).or(in_bootloader) else { return };
        for pump in (0..self.memory.state.len()).filter(|pump| *pump != updating) {
            let works = self.memory.state[pump].is_some_and(PumpState::is_application);
            // One that does not hear the CIOC comes to this speed by its fail-safe mode: a second later, then its ramp.
            let settled = now.since(self.memory.changed[pump].max(self.memory.campaign_since)) >= SETTLING;
            if !works || !settled || self.memory.dead[pump] {
                continue;
            }
            let speed = i32::from(plant::speed(world, node_of(pump)).get());
            self.others_run_at_80_percent.judge(now, (speed - UPDATE_SPEED).abs() <= UPDATE_SPEED_BAND, || {
                format!("{} runs at {speed} permille while {} is updated", node_of(pump), node_of(updating))
            });
        }
    }

    /// A pump whose commands stopped is in fail-safe mode in time and goes on pumping.
    fn look_at_fail_safe(&mut self, world: &mut World, now: SimTime) {
        for pump in 0..self.memory.state.len() {
            let Some(state) = self.memory.state[pump].filter(|state| state.is_application()) else { continue };
            let silent_since = self.memory.last_command[pump].unwrap_or_default().max(self.memory.changed[pump]);
            if now.since(silent_since) < FAIL_SAFE_WITHIN {
                continue;
            }
            let node = node_of(pump);
            self.silence_means_fail_safe.judge(now, state == PumpState::FailSafe, || {
                format!("{node} is in {state:?} after {} ms of silence", now.since(silent_since))
            });
            if now.since(silent_since) >= SETTLING {
                let speed = plant::speed(world, node).get();
                self.silence_means_fail_safe.judge(now, speed > 0, || format!("{node} stands still in fail-safe mode"));
            }
        }
    }

    /// The web status names the pump that is really being written to, within a second.
    fn look_at_status(&mut self, world: &mut World, now: SimTime) {
        let updating = self.memory.state.iter().position(|state| *state == Some(PumpState::Updating));
        if self.memory.truth_since.0 != updating {
            self.memory.truth_since = (updating, now);
        }
        let cioc = world.resource::<Nodes>().entity(NodeId::CIOC);
        let Some(firmware) = world.get::<CiocHost>(cioc).and_then(CiocHost::firmware) else { return };
        let Some(updating) = updating else { return };
        let since = self.memory.truth_since.1.max(self.memory.cioc_on_since);
        if now.since(since) < STATUS_LAG || !power::is_powered(world, node_of(updating)) {
            return;
        }
        // After the CIOC went off in mid-update a pump stays in its bootloader until its session lapses.
        let shown = match firmware.status().activity {
            Activity::Updating { pump, .. } => Some(pump.index()),
            _ => None,
        };
        if !self.memory.try_open[updating] {
            return;
        }
        self.status_is_live.judge(now, shown == Some(updating), || {
            format!("{} is being updated, the status shows {shown:?}", node_of(updating))
        });
    }

    /// The run is over: what can only be judged at its end.
    pub fn finish(&mut self, world: &mut World, now: SimTime) {
        self.finish_images(world, now);
        self.finish_dead(now);
        self.finish_times(world, now);
        self.finish_log(world, now);
        self.finish_applicability(world);
    }

    /// What counts as updated at the end of the run still holds the image.
    fn finish_images(&mut self, world: &mut World, now: SimTime) {
        let cioc = world.resource::<Nodes>().entity(NodeId::CIOC);
        let Some(firmware) = world.get::<CiocHost>(cioc).and_then(CiocHost::firmware) else { return };
        let status = firmware.status();
        for shown in status.pumps.iter().filter(|shown| shown.outcome == orchestrator::Outcome::Updated) {
            let node = node_of(shown.pump.index());
            let same = holds_the_image(world, node);
            self.updated_pump_holds_the_image
                .judge(now, same, || format!("{node} is shown as updated, but its flash is not the image"));
        }
    }

    /// Three failed tries end in exactly one alarm that names the pump.
    fn finish_dead(&mut self, now: SimTime) {
        for pump in 0..self.memory.dead.len() {
            let (charged, alarms) = (self.memory.tries_charged[pump], self.memory.dead_alarms[pump]);
            if charged >= 3 || self.memory.dead[pump] || alarms > 0 {
                self.dead_pumps_stay_dead_and_are_named.judge(now, charged == 3 && alarms == 1, || {
                    format!("{} has {charged} failed tries and {alarms} alarms", node_of(pump))
                });
            }
        }
    }

    /// Each update time of the log against the time that the frames on the bus show.
    fn finish_times(&mut self, world: &World, now: SimTime) {
        let measures = world.resource::<Measures>();
        for (pump, (history, view)) in measures.timeline.pumps.iter().zip(&measures.seen_on_bus).enumerate() {
            let said: Vec<Span> = history
                .tries
                .iter()
                .filter(|each| each.outcome == TryEnd::Updated)
                .map(crate::measure::timeline::Try::duration)
                .collect();
            let agree = said.len() == view.updates.len()
                && said.iter().zip(&view.updates).all(|(said, seen)| {
                    seen.is_some_and(|seen| said.as_nanos().abs_diff(seen.as_nanos()) <= BUS_TIME_BAND.as_nanos())
                });
            if !said.is_empty() || !view.updates.is_empty() {
                self.bus_confirms_update_times.judge(now, agree, || {
                    format!("{}: the log tells updates of {said:?}, the bus {:?}", node_of(pump), view.updates)
                });
            }
        }
    }

    /// The log in the FRAM tells the tries that were seen while the run went on.
    fn finish_log(&mut self, world: &mut World, now: SimTime) {
        let cioc = world.resource::<Nodes>().entity(NodeId::CIOC);
        let Some(host) = world.get::<CiocHost>(cioc) else { return };
        let mut started = vec![0_u32; self.memory.started_entries.len()];
        let mut ended = started.clone();
        let mut sequence = 0;
        let mut entries = 0;
        for entry in orchestrator::Orchestrator::log(&host.fram) {
            entries += 1;
            self.log_tells_each_try.judge(now, entry.sequence > sequence, || {
                format!("log entry {} stands after {sequence}", entry.sequence)
            });
            sequence = entry.sequence;
            let Some(pump) = entry.pump.map(protocol::ids::PumpNumber::index) else { continue };
            match entry.event {
                LogEvent::UpdateStarted => started[pump] += 1,
                LogEvent::UpdateFinished | LogEvent::UpdateError => ended[pump] += 1,
                _ => {}
            }
        }
        // A full ring has dropped its oldest entries; then only the order can be judged.
        if entries < usize::from(orchestrator::log::LOG_ENTRIES) {
            let same = started == self.memory.started_entries && ended == self.memory.ended_entries;
            self.log_tells_each_try.judge(now, same, || {
                format!(
                    "the log holds starts {started:?} and ends {ended:?}, seen were {:?}",
                    self.memory.started_entries
                )
            });
        }
    }

    /// A check whose occasion never came in this run, by the twin's truth, is not applicable.
    fn finish_applicability(&mut self, world: &mut World) {
        let wrote = self.memory.wrote_any;
        let Truth { pumps, campaign, .. } = *world.resource::<Truth>();
        for row in [
            &mut self.no_write_without_consent,
            &mut self.no_write_with_a_bad_image,
            &mut self.equal_version_is_left_alone,
            &mut self.motor_stands_before_flash_is_written,
            &mut self.one_pump_at_a_time,
            &mut self.no_write_to_unerased_flash,
            &mut self.pause_is_told_first,
        ] {
            // No write at all keeps each of these statements, and was looked for in every record of the run.
            row.applicable = campaign;
            if !wrote {
                row.n = row.n.max(1);
            }
        }
        self.others_run_at_80_percent.applicable = wrote && pumps > 1;
        let updated = self.memory.ended_well;
        for row in [
            &mut self.updated_pump_holds_the_image,
            &mut self.pump_restarts_before_success,
            &mut self.bus_confirms_update_times,
        ] {
            row.applicable = updated;
        }
        for row in [&mut self.status_is_live, &mut self.at_most_three_tries, &mut self.progress_is_true] {
            row.applicable = wrote;
        }
        // Its requirement speaks of runs without faults.
        let measures = world.resource::<Measures>();
        let finished = measures.timeline.finished.is_some();
        self.remaining_time_is_right.applicable = updated && finished && !self.memory.disturbed;
        self.dead_pumps_stay_dead_and_are_named.applicable = self.dead_pumps_stay_dead_and_are_named.n > 0;
        let fell_silent = self.silence_means_fail_safe.n > 0;
        self.silence_means_fail_safe.applicable = fell_silent;
    }
}
