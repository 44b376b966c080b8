//! Checks of what the web page shows: states of the pumps, the pump in its update, percent and time left.
//!
//! A status of a pump *arrives* when the CIOC's controller took its frame and no fault took it from there, by the bus and
//! not by what the CIOC says. What is shown as heard lately must have arrived lately and be true; a pump that runs its
//! application must arrive every second. What is excused is named: a CPU that stands still, and a bus that is disturbed.

use bevy_ecs::prelude::World;
use embedded_can::Id;
use orchestrator::{Activity, Cause, PumpStatus, Status};
use protocol::cyclic::PumpState;

use super::{
    BusRecord, Checks, CiocHost, Faults, LogEvent, NodeId, Nodes, Scoped, SimTime, Span, ending, node_of, power,
    version_of, words,
};
use crate::bus::{Bus, LinkState};
use crate::faults::Injection;
use crate::scenario::FaultKind;

/// The web page may lag behind the truth this long (own number of PFU-003).
const STATUS_LAG: Span = Span::from_secs(1);
/// A status comes every 100 ms; one that arrived within this is one heard lately (own number: three may be lost).
const ARRIVES_EVERY: Span = Span::from_millis(400);
/// A status that arrived longer ago than this has been read (own number: half its period); the CIOC's CPU needs its
/// reaction latency for it.
const READ_WITHIN: Span = Span::from_millis(50);
/// The time left may be off by a tenth or by this (own number of PFU-031).
const REMAINING_BAND_MS: u64 = 10_000;

/// What cost time may show in the time left so long after its end: the longest wait of the CIOC for a pump that is to stand
/// by, its pause before the next try, and a second in which the page lags.
const COSTS_WITHIN: Span = Span::from_secs(13);

const STANDS_STILL: &str = "its CPU stands still";
const DISTURBED: &str = "the bus is disturbed";

/// What is remembered of the web page and what it can know.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Whether a campaign runs, the pump that is in its try, and since when both is so.
    truth_since: (bool, Option<usize>, SimTime),
    /// Since when the CIOC's firmware works without a break.
    works_since: SimTime,
    /// Whether it started anew in the running campaign.
    restarted: bool,
    /// When a status of each pump arrived last, and the time before that, in case that one was lost on its way.
    arrived: Vec<(Option<SimTime>, Option<SimTime>)>,
    /// When the whole bus was last seen to be disturbed, the CIOC's controller included.
    disturbed: Option<SimTime>,
    /// When the controller of each pump alone was.
    disturbed_at: Vec<Option<SimTime>>,
    /// When the bus as a whole, or the CIOC's place on it, last let no status pass.
    closed: Option<SimTime>,
    /// When each pump's own status or command was last hit or lost, or its place on the bus let none pass.
    hit: Vec<Option<SimTime>>,
}

impl Live {
    pub(super) fn new(pumps: usize) -> Self {
        Self {
            truth_since: (false, None, SimTime::ZERO),
            works_since: SimTime::ZERO,
            restarted: false,
            arrived: vec![(None, None); pumps],
            disturbed: None,
            disturbed_at: vec![None; pumps],
            closed: None,
            hit: vec![None; pumps],
        }
    }

    /// The CIOC's firmware starts.
    pub(super) fn cioc_starts(&mut self, now: SimTime) {
        self.works_since = now;
        self.restarted = true;
    }

    /// Since when the CIOC's firmware works without a break.
    pub(super) fn works_since(&self) -> SimTime {
        self.works_since
    }

    /// A node does not get or send its frames; that of the CIOC concerns all.
    fn disturb(&mut self, node: NodeId, now: SimTime) {
        match node.pump().map(|pump| usize::from(pump) - 1) {
            Some(pump) => self.disturbed_at.iter_mut().skip(pump).take(1).for_each(|at| *at = Some(now)),
            None if node == NodeId::CIOC => self.disturbed = Some(now),
            None => {}
        }
    }

    fn is_disturbed(&self, pump: usize, now: SimTime) -> bool {
        let lately = |at: Option<SimTime>| at.is_some_and(|at| now.since(at) <= STATUS_LAG);
        lately(self.disturbed) || lately(self.disturbed_at[pump])
    }

    /// A frame with this id was hit or lost: what is known of the pump whose status or command it is may be late.
    fn hits(&mut self, id: Option<Id>, now: SimTime) {
        let Some(id) = id else {
            self.closed = Some(now);
            return;
        };
        let pump = status_of(id).or_else(|| super::running::commanded(id));
        if let Some(at) = pump.and_then(|pump| self.hit.get_mut(pump)) {
            *at = Some(now);
        }
    }

    /// No frame passes the controller of a node; that of the CIOC concerns all.
    fn closes(&mut self, node: NodeId, now: SimTime) {
        match node.pump().map(|pump| usize::from(pump) - 1) {
            Some(pump) => self.hit.iter_mut().skip(pump).take(1).for_each(|at| *at = Some(now)),
            None if node == NodeId::CIOC => self.closed = Some(now),
            None => {}
        }
    }

    /// Whether what is shown of a pump may be late because its own frames did not pass.
    fn is_excused(&self, pump: usize, now: SimTime) -> bool {
        let lately = |at: Option<SimTime>| at.is_some_and(|at| now.since(at) <= STATUS_LAG);
        lately(self.closed) || lately(self.hit[pump])
    }

    /// For how long no status of a pump has arrived; none before the first.
    pub(super) fn silence(&self, pump: usize, now: SimTime) -> Option<Span> {
        self.arrived[pump].0.map(|at| now.since(at))
    }

    /// The same without a status that has just arrived, which the CIOC may still have to read.
    fn silence_read(&self, pump: usize, now: SimTime) -> Option<Span> {
        let (last, before) = self.arrived[pump];
        let read = last.filter(|at| now.since(*at) >= READ_WITHIN).or(before);
        read.map(|at| now.since(at))
    }
}

/// The pump, as an index, whose status a frame with this id is.
pub(super) fn status_of(id: Id) -> Option<usize> {
    let Id::Standard(id) = id else { return None };
    let index = id.as_raw().checked_sub(0x201).map(usize::from)?;
    (index < usize::from(protocol::ids::PumpNumber::MOST)).then_some(index)
}

impl Checks {
    /// Notes which statuses arrive, and when the bus is disturbed.
    pub(super) fn see_statuses(&mut self, world: &World, now: SimTime, record: &BusRecord) {
        let live = &mut self.memory.live;
        match record {
            BusRecord::Frame { frame, sender, .. } => {
                let arrived = status_of(frame.id()).filter(|pump| *sender == node_of(*pump));
                if let Some(place) = arrived.and_then(|pump| live.arrived.get_mut(pump))
                    && world.resource::<Bus>().receivers() & NodeId::CIOC.bit() != 0
                {
                    *place = (Some(now), place.0);
                }
            }
            BusRecord::Lost { node, id, .. } | BusRecord::Overrun { node, id } => {
                live.disturb(*node, now);
                live.hits(Some(*id), now);
                if *node == NodeId::CIOC
                    && let Some(place) = status_of(*id).and_then(|pump| live.arrived.get_mut(pump))
                    && place.0 == Some(now)
                {
                    *place = (place.1, place.1);
                }
            }
            BusRecord::Error { id, .. } => {
                live.disturbed = Some(now);
                live.hits(*id, now);
            }
            _ => {}
        }
    }

    /// Looks at the web page, as far as the CIOC's firmware works and has had its time.
    pub(super) fn look_at_status(&mut self, world: &mut World, now: SimTime) {
        let (campaign, tried) = (self.memory.campaign, self.memory.try_open.iter().position(|open| *open));
        let (known, known_tried, _) = self.memory.live.truth_since;
        if (known, known_tried) != (campaign, tried) {
            self.memory.live.truth_since = (campaign, tried, now);
        }
        let cioc = world.resource::<Nodes>().entity(NodeId::CIOC);
        let firmware = world.get::<CiocHost>(cioc).and_then(CiocHost::firmware);
        let Some(status) = firmware.filter(|_| ending::cioc_works(world, now)).map(orchestrator::Orchestrator::status)
        else {
            self.memory.live.works_since = now;
            return;
        };
        if now.since(self.memory.live.works_since) < STATUS_LAG {
            return;
        }
        self.look_at_activity(now, &status);
        self.look_for_disturbances(world, now);
        for shown in &status.pumps {
            self.look_at_shown(world, now, shown);
        }
        self.look_at_percent(now, status.percent);
    }

    /// The web page shows within a second what is really going on: the pump that is in its try, a campaign as long as it
    /// runs, and no update after it.
    fn look_at_activity(&mut self, now: SimTime, status: &Status) {
        use Activity as Shown;
        let (campaign, tried, since) = self.memory.live.truth_since;
        if now.since(since) < STATUS_LAG {
            return;
        }
        let shown = match status.activity {
            Shown::Updating { pump, .. } => Some(pump.index()),
            _ => None,
        };
        if let Some(tried) = tried {
            self.status_is_live.judge(now, shown == Some(tried), || {
                let shown = shown.map_or("no update".to_owned(), |pump| format!("one of {}", node_of(pump)));
                format!("{} is being updated, the status shows {shown}", node_of(tried))
            });
            return;
        }
        let under_way = matches!(
            status.activity,
            Shown::Updating { .. } | Shown::WaitingForSupply { .. } | Shown::WaitingForPumps { .. }
        );
        let over = matches!(status.activity, Shown::Idle | Shown::Asking | Shown::Finished | Shown::FinishedWithErrors);
        self.status_is_live.forbid(now, !(campaign && over), || "a campaign runs, the status shows none".to_owned());
        self.status_is_live
            .forbid(now, campaign || !under_way, || "no campaign runs, the status shows an update".to_owned());
    }

    /// What is shown of a pump is what the CIOC can know, and true. It counts as looked at while a campaign runs.
    fn look_at_shown(&mut self, world: &World, now: SimTime, shown: &PumpStatus) {
        let pump = shown.pump.index();
        if pump >= self.memory.state.len() {
            return;
        }
        let Some(wrong) = self.wrong_about(world, now, shown) else {
            self.status_is_live.n += u64::from(self.memory.campaign);
            return;
        };
        let node = node_of(pump);
        let stands_still = self.memory.stood_still[pump].is_some_and(|at| now.since(at) <= STATUS_LAG);
        match (stands_still, self.memory.live.is_excused(pump, now)) {
            (true, _) => self.status_is_live.leave_out(node, STANDS_STILL),
            (_, true) => self.status_is_live.leave_out(node, DISTURBED),
            _ => self.status_is_live.forbid(now, false, || format!("{node} {wrong}")),
        }
    }

    fn wrong_about(&self, world: &World, now: SimTime, shown: &PumpStatus) -> Option<String> {
        let pump = shown.pump.index();
        let silence = self.memory.live.silence(pump, now);
        let state = self.memory.state[pump];
        let long = |since: SimTime| now.since(since) > STATUS_LAG;
        let runs = state.is_some_and(PumpState::is_application) && power::is_powered(world, node_of(pump));
        let told = shown.reported.as_ref().map(|status| status.state);
        match silence {
            _ if runs
                && long(self.memory.running[pump].application_since())
                && silence.is_none_or(|it| it > STATUS_LAG) =>
            {
                Some("runs its application, and no status of it arrives".to_owned())
            }
            _ if !shown.fresh && self.memory.live.silence_read(pump, now).is_some_and(|it| it <= ARRIVES_EVERY) => {
                Some("is shown as silent though its status arrives".to_owned())
            }
            // A look comes every 100 ms, a status may be on its way for as long.
            _ if shown.fresh && silence.is_none_or(|it| it > STATUS_LAG + ARRIVES_EVERY) => {
                Some("is shown as heard though no status of it arrives".to_owned())
            }
            _ if shown.fresh && state.is_some() && long(self.memory.state_since[pump]) && told != state => {
                let word = |state: Option<PumpState>| state.map_or("none".to_owned(), words);
                Some(format!("is in state {}, the status shows {}", word(state), word(told)))
            }
            _ => None,
        }
    }

    /// Notes whose frames may be late or missing by the faults that act now, and who is off the bus.
    fn look_for_disturbances(&mut self, world: &World, now: SimTime) {
        let live = &mut self.memory.live;
        let bus = world.resource::<Bus>();
        for (node, _) in world.resource::<Nodes>().iter() {
            if matches!(bus.state(node), LinkState::BusOff | LinkState::Stopped) {
                live.closes(node, now);
            }
        }
        for injection in world.resource::<Scoped<Faults>>().list.iter().filter(|one| one.active > 0) {
            match disturbs(injection) {
                Disturbs::Nothing => {}
                Disturbs::Bus => (live.disturbed, live.closed) = (Some(now), Some(now)),
                Disturbs::Nodes => injection.nodes.iter().for_each(|node| {
                    live.disturb(*node, now);
                    if !is_short(injection) {
                        live.closes(*node, now);
                    }
                }),
            }
        }
    }

    /// While the campaign runs the page shows what was told last or more, and never its good end.
    fn look_at_percent(&mut self, now: SimTime, percent: u8) {
        if !self.memory.campaign {
            return;
        }
        // The end of a campaign may be in memory while the restart kept its notices back.
        let ended = self.memory.good_end || self.memory.live.restarted;
        let before = self.memory.percent;
        self.progress_is_true.forbid(now, percent >= before && (percent < 100 || ended), || {
            format!("the page shows {percent} % in the campaign, {before} % were told before")
        });
    }

    /// Percent never falls, over a restart of the CIOC neither, and is 100 only once the log tells of the good end.
    pub(super) fn percent_shown(&mut self, now: SimTime, percent: u8) {
        let (before, ended) = (self.memory.percent, self.memory.good_end);
        self.progress_is_true.judge(now, percent >= before, || format!("percent fell from {before} to {percent}"));
        self.progress_is_true
            .forbid(now, percent < 100 || (percent == 100 && ended), || format!("{percent} % before the good end"));
        self.memory.percent = percent;
    }

    /// A campaign begins that no other went before.
    pub(super) fn progress_begins(&mut self) {
        self.memory.percent = 0;
        self.memory.good_end = false;
        self.memory.live.restarted = false;
        self.memory.remaining = None;
        self.memory.may_rise = false;
        self.memory.cost_time = None;
        self.memory.shown.clear();
    }

    /// The time left rises only with a cause, and only after something that the twin saw has cost time.
    pub(super) fn remaining_shown(&mut self, now: SimTime, left: Option<u64>, cause: Option<Cause>) {
        let Some(left) = left else { return };
        let lately = self.memory.cost_time.is_some_and(|at| now.since(at) <= COSTS_WITHIN);
        let seen = self.memory.may_rise || lately;
        if let Some(before) = self.memory.remaining {
            self.progress_is_true.judge(now, left <= before || (cause.is_some() && seen), || {
                let why = if seen { "a cause" } else { "anything that would have cost time" };
                format!("the time left rose from {before} ms to {left} ms without {why}")
            });
        }
        // A value without a cause ends what the last reason allowed.
        self.memory.may_rise &= cause.is_some();
        self.memory.remaining = Some(left);
        self.memory.shown.push((now, left));
    }

    /// Notes what costs a campaign time: a reason to wait, and a pump that is silent or stands still.
    pub(super) fn look_for_rises(&mut self, world: &World, now: SimTime) {
        let waits = self.memory.waited == Some(now);
        let idle = |pump: usize| {
            let silent = self.memory.live.silence(pump, now).is_none_or(|silence| silence > STATUS_LAG);
            let disturbed = self.memory.live.is_disturbed(pump, now);
            let still = self.memory.stood_still[pump].is_some_and(|at| now.since(at) <= STATUS_LAG);
            let dark = !power::is_powered(world, node_of(pump));
            silent || disturbed || still || dark
        };
        // The pump in its try is stalled and silent for good reasons; it costs time if the try fails.
        let hindered = (0..self.memory.state.len()).any(|pump| !self.memory.try_open[pump] && idle(pump));
        if waits || hindered {
            self.memory.may_rise = true;
            self.memory.cost_time = Some(now);
        }
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

    /// The CIOC tells that its campaign ended.
    pub(super) fn finished(&mut self, world: &World, now: SimTime, errors: bool) {
        let abandoned = self.memory.abandoned;
        self.campaign_ends(world, now);
        self.memory.disturbed |= errors || !world.resource::<Scoped<Faults>>().list.is_empty();
        if !self.memory.disturbed {
            self.finish_remaining(now);
        }
        let percent = self.memory.percent;
        self.progress_is_true
            .judge(now, (percent == 100) != errors, || format!("the campaign ended at {percent} %, errors: {errors}"));
        let pumps = 0..self.memory.deaths.len();
        let flaws: Vec<_> = pumps.filter_map(|pump| Some((pump, self.flaw_of(world, now, pump)?))).collect();
        for (pump, flaw) in flaws.iter().filter(|(_, flaw)| flaw.forbids_success) {
            self.progress_is_true.forbid(now, percent < 100, || {
                format!("the campaign ended at 100 %, and {} {}", node_of(*pump), flaw.what)
            });
        }
        for pump in 0..self.memory.tried.len() {
            if self.memory.tried[pump].is_unread_newcomer() && !self.holds_soundly(world, pump) {
                self.progress_is_true.leave_out(node_of(pump), super::tried::NEWCOMER);
            }
        }
        self.progress_is_true.forbid(now, percent == 100 || abandoned || !flaws.is_empty(), || {
            format!("the campaign ended at {percent} % though every pump is updated and heard")
        });
    }

    fn campaign_ends(&mut self, world: &World, now: SimTime) {
        self.memory.campaign = false;
        self.finish_tried(world, now);
        // Consent holds for one campaign, and the next one is told anew.
        self.memory.said_yes = false;
        self.memory.paused = false;
    }

    /// What the twin sees at the end of a campaign that is not as good as the campaign could make it.
    fn flaw_of(&self, world: &World, now: SimTime, pump: usize) -> Option<Flaw> {
        let node = node_of(pump);
        let tried = self.memory.tried[pump].is_tried();
        // It was good when the campaign was done with it, and nobody has read the unit that is there now.
        let newcomer = self.memory.tried[pump].is_unread_newcomer();
        let holds = newcomer || self.holds_soundly(world, pump);
        let silent = self.memory.live.silence(pump, now).is_none_or(|silence| silence > STATUS_LAG);
        let flaw = |forbids_success, what| Some(Flaw { forbids_success, what });
        if self.is_dead(pump) {
            flaw(true, "is dead")
        } else if tried && !holds {
            flaw(true, "was tried and does not hold the image")
        } else if version_of(world, node).is_none() && !holds {
            flaw(self.memory.operations[pump] > 0, "holds no application")
        } else if !holds {
            flaw(false, "does not hold the image")
        } else if silent || self.memory.tried[pump].was_set_aside() {
            flaw(false, "is silent, or was set aside")
        } else if newcomer {
            flaw(false, "was exchanged after it was told good")
        } else if self.memory.told[pump] == orchestrator::Outcome::Missing && !self.memory.tried[pump].is_read() {
            flaw(false, "is heard again and was not read")
        } else {
            None
        }
    }

    /// Power failed in the last write of a campaign: its end stands in the log, and no notice of it came.
    pub(super) fn look_for_a_lost_end(&mut self, world: &World, now: SimTime) {
        if self.memory.campaign && crate::measure::campaign_end_in_log(world).is_some() {
            self.campaign_ends(world, now);
        }
    }

    /// Notes what the log tells of a campaign.
    pub(super) fn see_campaign_entry(&mut self, event: LogEvent) {
        self.memory.good_end |= event == LogEvent::CampaignFinished;
        self.memory.abandoned |= event == LogEvent::CampaignAbandoned;
    }
}

/// What keeps a campaign from its 100 %, or may do so.
#[derive(Clone, Copy, Debug)]
struct Flaw {
    forbids_success: bool,
    what: &'static str,
}

/// Whose frames a fault keeps from their way.
enum Disturbs {
    Nothing,
    Bus,
    Nodes,
}

/// Whether it delays frames by so little that what is shown of them must be there in time.
fn is_short(injection: &Injection) -> bool {
    let half = Span::from_nanos(STATUS_LAG.as_nanos() / 2);
    matches!(&injection.fault.kind, FaultKind::ControllerSlow(later) if later.by < half)
}

fn disturbs(injection: &Injection) -> Disturbs {
    use FaultKind as Kind;
    match injection.fault.kind {
        Kind::OpenBus | Kind::StuckDominant | Kind::StuckRecessive | Kind::Babbling(_) => Disturbs::Bus,
        Kind::Unplugged | Kind::ControllerSlow(_) | Kind::ControllerStopped => Disturbs::Nodes,
        // Frames that are hit, lost or overrun are noted one by one when it happens.
        _ => Disturbs::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pump is back after 3 s: its status arrives every 100 ms from 10 s on.
    #[test]
    fn a_status_counts_as_read_half_a_period_after_it_arrived() {
        let at = |millis: u64| SimTime::ZERO + Span::from_millis(millis);
        let mut live = Live::new(1);
        live.arrived[0] = (Some(at(10_000)), Some(at(7_000)));
        assert_eq!(live.silence(0, at(10_000)), Some(Span::ZERO));
        assert_eq!(live.silence_read(0, at(10_001)), Some(Span::from_millis(3_001)));
        assert_eq!(live.silence_read(0, at(10_050)), Some(Span::from_millis(50)));
        live.arrived[0] = (Some(at(10_100)), Some(at(10_000)));
        assert_eq!(live.silence_read(0, at(10_100)), Some(Span::from_millis(100)), "the one before is read");
    }
}
