//! What a run is measured by: the pumps' tries, numbers about the bus, curves, and the journal of transitions.
//!
//! Observers fill these from the trace while the twin runs; nothing here acts back on it, except that the run ends a
//! given time after its campaign.

pub mod journal;
pub mod returns;
pub mod series;
pub mod stats;
pub mod timeline;
pub mod updates;
mod work;

use bevy_ecs::prelude::{Resource, World};
use orchestrator::{Activity, Notice, Outcome};
use protocol::cyclic::PumpState;
use pump::FlashCommand;

use crate::bus::{BusRecord, LinkState};
use crate::event::{Context, TwinBuilder};
use crate::hosts::cioc::CiocHost;
use crate::hosts::cpu::Cpu;
use crate::hosts::flash::Flash;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use crate::scenario::{End, GivenNames, Scenario};
use crate::{plant, power};

use journal::Journal;
use returns::{Returning, Returns};
use series::Curve;
use stats::BusStats;
use timeline::{Timeline, TryEnd};
use updates::{Unlogged, Updates};
use work::Work;

/// Error counters of one node over the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkHistory {
    /// Greatest transmit error counter.
    pub tec_max: u16,
    /// Greatest receive error counter.
    pub rec_max: u16,
    /// How often it went error-passive.
    pub passive: u64,
    /// How often it went bus-off.
    pub bus_off: u64,
    state: Option<LinkState>,
}

/// What a campaign that is over makes of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owes {
    /// It is good: it has to return to automatic mode, whatever a search tells of it later.
    Return,
    /// It is missing, and good from then on that it has run the whole image that this run wrote, or holds it.
    IfWritten,
    /// The end of the campaign was lost before this was told: what is told now counts.
    AsTold,
    /// It is dead.
    Nothing,
}

/// Everything that is measured in one run.
#[derive(Resource, Clone)]
pub struct Measures {
    /// The pumps' tries and the campaign.
    pub timeline: Timeline,
    /// Numbers about the bus.
    pub bus: BusStats,
    /// Supply at the source in mV.
    pub supply: Curve,
    /// Coolant flow in 0.1 L/min.
    pub flow: Curve,
    /// Coolant temperature in 0.1 degC.
    pub coolant: Curve,
    /// Bus load in ppm per 100 ms.
    pub load: Curve,
    /// State transitions.
    pub journal: Journal,
    /// By node number.
    pub links: Vec<LinkHistory>,
    /// Each pump's last state and since when; index 0 is pump 1.
    pub states: Vec<(Option<PumpState>, SimTime)>,
    /// When each pump's application first ran after its last session in the bootloader, by the pump's own records.
    pub runs_since: Vec<Option<SimTime>>,
    /// Whether each pump was in fail-safe mode at any time after the CIOC had regulated it. Before that every pump is:
    /// it boots sooner than the CIOC.
    pub fail_safe: Vec<bool>,
    /// Whether each pump has run as commanded.
    regulated: Vec<bool>,
    /// Flash operations begun by each pump.
    pub flash_operations: Vec<u64>,
    /// Version of the whole application in each pump's flash before the run, none without one.
    pub versions_before: Vec<Option<protocol::header::Version>>,
    /// When all good pumps were in automatic mode again after the last campaign; counts anew with each campaign.
    pub back_to_automatic: Option<SimTime>,
    /// The same of earlier campaigns.
    pub earlier_returns: Returns,
    /// Who of its pumps owes a return to the campaign that is over, by index; empty before the first is.
    owes: Vec<Owes>,
    /// The good pumps of the campaign that is over, if it has any.
    returning: Option<Returning>,
    /// What this run has written to each pump.
    pub updates: Vec<Updates>,
    /// What the first successful frames on the bus say of each update: request of the bootloader, and first status of
    /// an application after it; independent of what the orchestrator reports.
    pub seen_on_bus: Vec<BusView>,
    /// When the CIOC was at work.
    pub(crate) work: Work,
    /// How long after the orchestrator came to rest the run ends, if it does by that.
    ends: Option<Span>,
    resting_since: Option<SimTime>,
}

/// An update as the frames on the bus show it.
#[derive(Clone, Debug, Default)]
pub struct BusView {
    /// When the first request for the programming session of the running try was queued.
    pub asked: Option<SimTime>,
    /// When the version was last read back after a reset: at the end of its last frame.
    pub answered: Option<SimTime>,
    /// From the first to the last of these, for each success that the log tells; none where a frame of it was not seen.
    pub updates: Vec<Option<Span>>,
    reset_asked: bool,
    /// The first frame of that version was seen, its last one not yet.
    answers: bool,
    tries: Vec<BusTry>,
    /// Whether the pump's last status since the last request told of a bootloader or an update.
    inside: bool,
}

/// A try as the frames on the bus show it.
#[derive(Clone, Debug)]
struct BusTry {
    /// When the first request for the programming session was queued.
    asked: SimTime,
    /// When a status told of an application after one of a bootloader.
    runs: Vec<SimTime>,
    /// Whether the log tells a good end of it.
    logged: bool,
}

impl BusView {
    /// The log tells that a try ended: only the ends of tries are taken from it, no times.
    fn try_ended(&mut self, well: bool) {
        let asked = self.asked.take();
        let seen = asked.zip(self.answered.take());
        (self.reset_asked, self.answers) = (false, false);
        if well {
            self.updates.push(seen.map(|(asked, answered)| answered.since(asked)));
            self.tries.iter_mut().last().into_iter().for_each(|last| last.logged = true);
        }
    }

    /// The programming session is asked for; the first request of a try is its begin.
    fn session_asked(&mut self, queued: SimTime) {
        if self.asked.is_none() {
            self.tries.push(BusTry { asked: queued, runs: Vec::new(), logged: false });
            self.inside = false;
        }
        self.asked.get_or_insert(queued);
    }

    /// Whether it matters what the statuses of the pump tell.
    fn follows(&self) -> bool {
        self.tries.last().is_some_and(|last| !last.logged)
    }

    /// A frame of an answer: the version takes two (62 F195 and its nine bytes).
    fn answer(&mut self, data: &[u8], now: SimTime) {
        match data {
            [0x10, rest @ ..] => self.answers = self.reset_asked && matches!(rest, [0x09, 0x62, 0xF1, 0x95, ..]),
            [0x21, ..] if std::mem::take(&mut self.answers) => self.answered = Some(now),
            _ => {}
        }
    }

    fn status(&mut self, state: PumpState, now: SimTime) {
        let Some(last) = self.tries.last_mut() else { return };
        if !state.is_application() {
            self.inside = true;
        } else if std::mem::take(&mut self.inside) {
            last.runs.push(now);
        }
    }

    /// The CIOC lost the status that has just ended: nobody was told.
    fn status_lost(&mut self, now: SimTime) {
        if let Some(last) = self.tries.last_mut()
            && last.runs.last() == Some(&now)
        {
            last.runs.pop();
            self.inside = true;
        }
    }

    /// From the request of the try that began at `from`, before the `next`, to a status of an application that began to
    /// run, and when that was: the first that the image can have sent, which began to run after `took`, and without any that
    /// which is nearest. The new one may have run again; what ran before the flash was `erased` was the old one.
    fn until_it_ran(
        &self,
        from: SimTime,
        next: Option<SimTime>,
        erased: SimTime,
        took: Span,
    ) -> Option<(Span, SimTime)> {
        let of_try = |each: &&BusTry| each.asked >= from && next.is_none_or(|next| each.asked < next);
        let of_try = self.tries.iter().find(of_try)?;
        let runs = of_try.runs.iter().filter(|ran| **ran > erased);
        let spans = runs.map(|ran| (ran.since(of_try.asked), *ran));
        spans.min_by_key(|(span, _)| (*span + updates::TOLD_WITHIN < took, span.as_nanos().abs_diff(took.as_nanos())))
    }
}

impl Measures {
    fn new(scenario: &Scenario) -> Self {
        let pumps = usize::from(scenario.pumps.count);
        Self {
            timeline: Timeline::new(scenario.pumps.count),
            bus: BusStats::default(),
            supply: Curve::default(),
            flow: Curve::default(),
            coolant: Curve::default(),
            load: Curve::default(),
            journal: Journal::new(GivenNames::of(scenario)),
            links: vec![LinkHistory::default(); NodeId::MOST],
            states: vec![(None, SimTime::ZERO); pumps],
            runs_since: vec![None; pumps],
            fail_safe: vec![false; pumps],
            regulated: vec![false; pumps],
            flash_operations: vec![0; pumps],
            versions_before: vec![None; pumps],
            back_to_automatic: None,
            earlier_returns: Returns::default(),
            owes: Vec::new(),
            returning: None,
            updates: vec![Updates::default(); pumps],
            seen_on_bus: vec![BusView::default(); pumps],
            work: Work::default(),
            ends: match scenario.end {
                End::AfterCampaign(span) => Some(span),
                End::At(_) => None,
            },
            resting_since: None,
        }
    }

    fn see(&mut self, now: SimTime, record: &Record) {
        match record {
            Record::Bus(record) => self.see_bus(now, record),
            Record::Orchestrator(record) => {
                self.timeline.see(now, record);
                self.see_ends(record);
                // It may be over before the next look.
                if let OrchestratorRecord::Notice(Notice::CampaignStarted { .. }) = record {
                    self.campaign_goes_on(now);
                }
                if let OrchestratorRecord::Notice(Notice::CampaignFinished { .. }) = record {
                    self.campaign_is_over(|outcome| match outcome {
                        Outcome::Dead => Owes::Nothing,
                        Outcome::Missing => Owes::IfWritten,
                        _ => Owes::Return,
                    });
                }
            }
            Record::Pump(record) => self.see_pump(now, record),
            Record::Power(_) | Record::Plant(_) | Record::Fault(_) | Record::Safety(_) => {}
        }
        if is_transition(record) {
            self.journal.push(now, record.clone());
        }
    }

    fn see_bus(&mut self, now: SimTime, record: &BusRecord) {
        match record {
            BusRecord::Frame { start, frame, sender, queued, .. } => {
                self.bus.frame(frame.id(), *queued, *start, now);
                self.flush_load();
                self.see_frame(frame, *sender, *queued, now);
            }
            BusRecord::Error { start, .. } => {
                self.bus.error_frames += 1;
                self.bus.occupied(*start, now);
                self.flush_load();
            }
            BusRecord::State { node, state, tec, rec } => self.see_link(*node, *state, *tec, *rec),
            BusRecord::Counters { node, tec, rec } => self.see_counters(*node, *tec, *rec),
            BusRecord::Lost { node: NodeId::CIOC, id, .. } => self.status_lost(now, *id),
            BusRecord::Hit { .. }
            | BusRecord::Overrun { .. }
            | BusRecord::Lost { .. }
            | BusRecord::Levels { .. }
            | BusRecord::Wiring { .. } => {}
        }
    }

    /// The frame with this id that has just ended did not come to the CIOC: if it is a status, it told nobody anything.
    fn status_lost(&mut self, now: SimTime, id: embedded_can::Id) {
        let embedded_can::Id::Standard(id) = id else { return };
        let pump = protocol::ids::status_sender(id).map(protocol::ids::PumpNumber::index);
        if let Some(view) = pump.and_then(|pump| self.seen_on_bus.get_mut(pump)) {
            view.status_lost(now);
        }
    }

    /// The run is over: tries still running end here, and so do the windows of the bus load. The flashes themselves
    /// have counted their operations.
    pub(crate) fn finish(&mut self, end: SimTime, flash_operations: Vec<u64>) {
        self.flash_operations = flash_operations;
        self.work.see(end, false, SimTime::ZERO);
        self.timeline.end_open_tries(end);
        self.earlier_returns.finish(end);
        self.bus.finish(end);
        self.flush_load();
    }

    /// Takes who is good from what was told of each pump until now: a search by hand tells something else later.
    fn campaign_is_over(&mut self, owes: fn(Outcome) -> Owes) {
        self.owes = self.timeline.pumps.iter().map(|history| owes(history.outcome)).collect();
    }

    /// From the last pump of the last campaign to the end of the run, if a good one was not back by then.
    pub(crate) fn still_away(&self, end: SimTime) -> Option<Span> {
        let returning = self.returning.as_ref().filter(|_| self.back_to_automatic.is_none())?;
        Some(end.since(returning.last))
    }

    /// A campaign starts, or goes on: what was measured of an earlier one's end is kept.
    fn campaign_goes_on(&mut self, now: SimTime) {
        let back = self.back_to_automatic.take();
        if let Some(returning) = self.returning.take() {
            self.earlier_returns.next_campaign(now, returning, back);
        }
    }

    /// The updates of a pump, by its index, that did their work and whose good end the log does not tell.
    pub(crate) fn unlogged(&self, pump: usize) -> Vec<Unlogged> {
        let (history, view) = (&self.timeline.pumps[pump], &self.seen_on_bus[pump]);
        let begin = |index: usize| history.tries.get(index).map(|one| one.start);
        self.updates[pump].unlogged(history, &self.work, |index, erased, took| {
            view.until_it_ran(begin(index)?, begin(index + 1), erased, took)
        })
    }

    /// Whether an update of the unit in a pump's place ended well by the log.
    fn logged_well(&self, pump: usize) -> bool {
        let tries = self.timeline.pumps[pump].tries.iter();
        let own = tries.filter(|each| each.end >= self.updates[pump].since());
        own.into_iter().any(|each| each.outcome == TryEnd::Updated)
    }

    /// A pump's flash is erased: the last try does it.
    fn see_erase(&mut self, now: SimTime, node: NodeId) {
        let Some(pump) = node.pump().map(|pump| usize::from(pump) - 1) else { return };
        if let Some(of_try) = self.timeline.pumps[pump].tries.len().checked_sub(1) {
            self.updates[pump].erased(now, of_try);
        }
    }

    /// Another unit takes a pump's place: this run has written nothing to it, and it has not run.
    pub(crate) fn exchanged(&mut self, now: SimTime, pump: usize) {
        self.runs_since[pump] = None;
        self.updates[pump].exchanged(now);
    }

    fn flush_load(&mut self) {
        for (at, ppm) in self.bus.ended.drain(..) {
            self.load.set(at, i64::try_from(ppm).unwrap_or(i64::MAX));
        }
    }

    fn see_counters(&mut self, node: NodeId, tec: u16, rec: u16) {
        if let Some(link) = self.links.get_mut(node.index()) {
            link.tec_max = link.tec_max.max(tec);
            link.rec_max = link.rec_max.max(rec);
        }
    }

    fn see_link(&mut self, node: NodeId, state: LinkState, tec: u16, rec: u16) {
        self.see_counters(node, tec, rec);
        let Some(link) = self.links.get_mut(node.index()) else { return };
        if link.state != Some(state) {
            link.passive += u64::from(state == LinkState::Passive);
            link.bus_off += u64::from(state == LinkState::BusOff);
            link.state = Some(state);
        }
    }

    fn see_ends(&mut self, record: &OrchestratorRecord) {
        match record {
            OrchestratorRecord::Notice(Notice::Log(entry)) => {
                let well = match entry.event {
                    orchestrator::Event::UpdateFinished => true,
                    orchestrator::Event::UpdateError => false,
                    _ => return,
                };
                let view = entry.pump.and_then(|pump| self.seen_on_bus.get_mut(pump.index()));
                if let Some(view) = view {
                    view.try_ended(well);
                }
            }
            OrchestratorRecord::Off | OrchestratorRecord::Reset | OrchestratorRecord::UpdateBegun => {
                self.seen_on_bus.iter_mut().for_each(|view| view.try_ended(false));
            }
            _ => {}
        }
    }

    /// Follows an update on the wire: 10 02 asks for the bootloader, 11 resets, 62 F195 reads the version back.
    fn see_frame(&mut self, frame: &protocol::Frame, _sender: NodeId, queued: SimTime, now: SimTime) {
        use protocol::ids;
        let embedded_can::Id::Standard(id) = frame.id() else { return };
        if id.as_raw() < 0x700 {
            self.see_status(id, frame, now);
            return;
        }
        let request = id.as_raw().checked_sub(0x701).map(usize::from).filter(|index| *index < self.seen_on_bus.len());
        if let Some(index) = request {
            let view = &mut self.seen_on_bus[index];
            match frame.data() {
                [0x02, 0x10, 0x02, ..] => view.session_asked(queued),
                [0x02, 0x11, 0x01, ..] => view.reset_asked = true,
                _ => {}
            }
        } else if let Some(pump) = ids::uds_responder(id)
            && let Some(view) = self.seen_on_bus.get_mut(pump.index())
        {
            view.answer(frame.data(), now);
        }
    }

    /// A status of a pump whose update is followed.
    fn see_status(&mut self, id: embedded_can::StandardId, frame: &protocol::Frame, now: SimTime) {
        let Some(pump) = protocol::ids::status_sender(id) else { return };
        let Some(view) = self.seen_on_bus.get_mut(pump.index()).filter(|view| view.follows()) else { return };
        if let Some(status) = protocol::cyclic::Status::decode(pump, frame) {
            view.status(status.state, now);
        }
    }

    fn see_pump(&mut self, now: SimTime, record: &PumpRecord) {
        let Some(pump) = record.node().pump().map(|pump| usize::from(pump) - 1) else { return };
        match record {
            PumpRecord::State { state, .. } => {
                self.states[pump] = (Some(*state), now);
                if *state == PumpState::Updating {
                    self.runs_since[pump] = None;
                } else if state.is_application() {
                    self.runs_since[pump].get_or_insert(now);
                }
                self.regulated[pump] |= matches!(state, PumpState::Automatic | PumpState::Fixed);
                self.fail_safe[pump] |= self.regulated[pump] && *state == PumpState::FailSafe;
            }
            PumpRecord::Off { .. } | PumpRecord::Reset { .. } => self.states[pump] = (None, now),
            PumpRecord::FlashBegun { .. }
            | PumpRecord::Started { .. }
            | PumpRecord::Motor { .. }
            | PumpRecord::UnerasedWrite { .. }
            | PumpRecord::Disguised { .. } => {}
        }
    }
}

/// Whether the last campaign that the log of the CIOC tells of is over there, and if so, whether with errors: what stands
/// in the FRAM where a loss of power has kept the notice back.
pub(crate) fn campaign_end_in_log(world: &World) -> Option<bool> {
    use orchestrator::Event as LogEvent;
    let host = world.get::<CiocHost>(world.resource::<Nodes>().entity(NodeId::CIOC))?;
    let entries = orchestrator::Orchestrator::log(&host.fram);
    let last = entries.filter_map(|entry| match entry.event {
        LogEvent::CampaignStarted | LogEvent::CampaignResumed => Some(None),
        LogEvent::CampaignFinished => Some(Some(false)),
        LogEvent::CampaignFinishedWithErrors | LogEvent::CampaignAbandoned => Some(Some(true)),
        _ => None,
    });
    last.last().flatten()
}

/// Whether a record is a transition, as opposed to a single frame, a flash operation or a curve's point.
fn is_transition(record: &Record) -> bool {
    !matches!(
        record,
        Record::Bus(BusRecord::Frame { .. } | BusRecord::Levels { .. } | BusRecord::Wiring { .. })
            | Record::Plant(plant::PlantRecord::State { .. })
            | Record::Pump(PumpRecord::FlashBegun { .. })
            | Record::Orchestrator(OrchestratorRecord::Notice(Notice::Block { .. }))
    )
}

/// Adds the measures of a run to the twin, after its pumps.
pub fn install(builder: &mut TwinBuilder, scenario: &Scenario) {
    let mut measures = Measures::new(scenario);
    for (index, version) in measures.versions_before.iter_mut().enumerate() {
        let entity = builder.world.resource::<Nodes>().entity(NodeId::new(u8::try_from(index + 1).unwrap_or(1)));
        let flash = builder.world.get::<Flash>(entity);
        *version = flash.and_then(Flash::valid_header).map(|header| header.version);
    }
    builder.observer_resource(measures);
    builder.observe(|world, _, time, record| {
        // Every second record is one of these, and the flash counts its operations itself.
        if let Record::Pump(PumpRecord::FlashBegun { node, operation }) = record {
            if let FlashCommand::Erase { .. } = operation.command {
                world.resource_mut::<Measures>().see_erase(time, *node);
            }
            return;
        }
        if matches!(record, Record::Power(_) | Record::Plant(_)) {
            draw_curves(world, time, record);
        }
        if matches!(record, Record::Orchestrator(_) | Record::Fault(_)) {
            look_for_work(world, time);
        }
        look_at_flashes(world, time, record);
        if let Record::Bus(BusRecord::Frame { frame, sender, .. }) = record
            && !crate::bus::controller(world, *sender).babbled_at(time)
        {
            world.resource_mut::<Measures>().bus.sent(frame.id(), *sender);
        }
        world.resource_mut::<Measures>().see(time, record);
        if let Some(id) = kept_from_the_cioc(world, time, record) {
            world.resource_mut::<Measures>().status_lost(time, id);
        }
        if matches!(record, Record::Orchestrator(OrchestratorRecord::Started)) {
            take_a_lost_end(world, time);
        }
    });
}

/// Notes whether the CIOC is at work.
fn look_for_work(world: &mut World, now: SimTime) {
    let works = crate::checks::cioc_works(world, now);
    let cpu = world.get::<Cpu>(world.resource::<Nodes>().entity(NodeId::CIOC));
    let hung_until = cpu.map_or(SimTime::ZERO, |cpu| cpu.hung_until);
    world.resource_mut::<Measures>().work.see(now, works, hung_until);
}

/// The id of a frame on the bus that does not come to the CIOC though it is at work there: it is off the bus, or its queue
/// is full. While it is away itself that is no matter of the pump's: what was on the bus then counts.
fn kept_from_the_cioc(world: &World, now: SimTime, record: &Record) -> Option<embedded_can::Id> {
    let id = match record {
        Record::Bus(BusRecord::Frame { frame, sender, .. }) if *sender != NodeId::CIOC => {
            let taken = world.resource::<crate::bus::Bus>().receivers() & NodeId::CIOC.bit() != 0;
            (!taken).then(|| frame.id())?
        }
        Record::Bus(BusRecord::Overrun { node: NodeId::CIOC, id }) => *id,
        _ => return None,
    };
    crate::checks::cioc_works(world, now).then_some(id)
}

/// Notes with what in its flash an application starts, and what the CIOC tells of a pump that holds it.
fn look_at_flashes(world: &mut World, now: SimTime, record: &Record) {
    match record {
        Record::Pump(PumpRecord::State { node, state }) if state.is_application() => {
            let Some(pump) = node.pump().map(|pump| usize::from(pump) - 1) else { return };
            if !world.resource::<Measures>().updates[pump].ran_whole() && was_written_whole(world, pump) {
                world.resource_mut::<Measures>().updates[pump].starts_whole(now);
            }
        }
        Record::Orchestrator(OrchestratorRecord::Notice(Notice::Outcome { pump, outcome })) => {
            let whole = was_written_whole(world, pump.index());
            if let Some(updates) = world.resource_mut::<Measures>().updates.get_mut(pump.index()) {
                updates.told(now, *outcome, whole);
            }
        }
        _ => {}
    }
}

fn flash(world: &World, pump: usize) -> Option<&Flash> {
    let node = NodeId::new(u8::try_from(pump + 1).ok()?);
    world.get::<Flash>(world.resource::<Nodes>().get(node)?)
}

/// A campaign whose end stands in the log, and of which no notice came, is over with the next start of the CIOC.
fn take_a_lost_end(world: &mut World, now: SimTime) {
    let end = campaign_end_in_log(world);
    let mut measures = world.resource_mut::<Measures>();
    let timeline = &mut measures.timeline;
    if timeline.started.is_some() && timeline.finished.is_none() {
        timeline.finished = end.map(|errors| (now, errors));
        measures.campaign_is_over(|outcome| match outcome {
            Outcome::Dead => Owes::Nothing,
            Outcome::Missing => Owes::IfWritten,
            Outcome::Updated | Outcome::UpToDate | Outcome::Rejected => Owes::Return,
            Outcome::Unknown | Outcome::Pending | Outcome::Updating => Owes::AsTold,
        });
    }
}

/// Adds a point to the curves of what a record may have changed.
fn draw_curves(world: &mut World, now: SimTime, record: &Record) {
    let supply = i64::from(power::source_mv(world, now));
    let flow = i64::from(plant::flow_decilitres_per_min(world));
    let coolant = i64::from(plant::coolant(world).get());
    let before = power::source_extremes(world);
    let mut measures = world.resource_mut::<Measures>();
    if measures.supply.is_empty() {
        // What the source had without load counts as its extreme, so that the curve has it, too.
        [before.min_mv, before.max_mv].into_iter().for_each(|mv| measures.supply.set(now, mv.into()));
    }
    measures.supply.set(now, supply);
    if matches!(record, Record::Plant(_)) {
        measures.flow.set(now, flow);
        measures.coolant.set(now, coolant);
    }
}

/// Notes when all good pumps are in automatic mode after the last campaign: see [`Owes`]. One that this run wrote to is a
/// good pump, whatever the CIOC says of it, from then on that it has run the whole image, or holds it.
fn look_for_automatic(world: &mut World, now: SimTime, status: Option<&orchestrator::Status>) {
    let mut measures = world.resource_mut::<Measures>();
    let Measures { earlier_returns, states, .. } = &mut *measures;
    earlier_returns.look(now, states);
    let Some(status) = status else { return };
    // A campaign that still waits has no last pump yet.
    let Some(last) = measures.timeline.last_pump_done() else { return };
    for pump in status.pumps.iter().filter(|pump| pump.outcome == Outcome::Dead) {
        measures.owes.iter_mut().skip(pump.pump.index()).take(1).for_each(|owes| *owes = Owes::Nothing);
    }
    let owes = measures.owes.clone();
    let is_good = |pump: &usize| match owes[*pump] {
        Owes::Return => true,
        Owes::Nothing => false,
        Owes::AsTold
            if status.pumps.iter().any(|told| told.pump.index() == *pump && told.outcome != Outcome::Missing) =>
        {
            true
        }
        Owes::AsTold | Owes::IfWritten => is_written_to(world, *pump),
    };
    let good: Vec<usize> = (0..owes.len()).filter(is_good).collect();
    let mut measures = world.resource_mut::<Measures>();
    let state = |pump: &usize| measures.states[*pump];
    let away: Vec<usize> = good.iter().copied().filter(|pump| state(pump).0 != Some(PumpState::Automatic)).collect();
    // The instant of the last good pump's change, not that of this look. A good pump without supply is in no mode.
    let back = good.iter().map(|pump| state(pump).1).max().filter(|_| away.is_empty()).map(|at| at.min(now));
    measures.back_to_automatic = measures.back_to_automatic.or(back);
    // Without a good pump nobody is waited for.
    measures.returning = (!good.is_empty()).then_some(Returning { last, away });
}

/// Whether the unit in a pump's place has run the whole image that this run wrote, or holds it.
fn is_written_to(world: &World, pump: usize) -> bool {
    world.resource::<Measures>().updates[pump].ran_whole() || was_written_whole(world, pump)
}

/// Whether the unit that is in a pump's place at the end was updated by this run: the run wrote to it, and the CIOC tells so,
/// or it holds the image. One that the CIOC has lost has run it, too, and hears the CIOC again. Whatever was told of a unit
/// that another one has replaced says nothing of that one.
pub(crate) fn ends_updated(world: &World, measures: &Measures, pump: usize) -> bool {
    use orchestrator::Outcome as Seen;
    if !was_written(world, pump) {
        return false;
    }
    match measures.timeline.pumps[pump].outcome {
        Seen::Updated => {
            let did =
                measures.logged_well(pump) || measures.updates[pump].ran_whole() || was_written_whole(world, pump);
            did && still_runs(world, measures, pump)
        }
        // A later search finds what an update of this run has left.
        Seen::UpToDate => measures.logged_well(pump) || was_written_whole(world, pump),
        Seen::Unknown | Seen::Missing => {
            let back = |state: PumpState| state.is_application() && state != PumpState::FailSafe;
            was_written_whole(world, pump)
                && measures.runs_since[pump].is_some()
                && measures.states[pump].0.is_some_and(back)
        }
        Seen::Pending | Seen::Updating | Seen::Dead | Seen::Rejected => false,
    }
}

/// Whether a pump has a whole application to start, or runs the one that it started before its flash was spoiled.
fn still_runs(world: &World, measures: &Measures, pump: usize) -> bool {
    let whole = flash(world, pump).is_some_and(|flash| flash.valid_header().is_some());
    whole || measures.states[pump].0.is_some_and(PumpState::is_application)
}

/// Whether this run wrote to the unit in a pump's place, and it holds the whole image of the package.
pub(crate) fn was_written_whole(world: &World, pump: usize) -> bool {
    was_written(world, pump) && is_whole(world, pump)
}

/// Whether this run wrote to the unit in a pump's place.
pub(crate) fn was_written(world: &World, pump: usize) -> bool {
    flash(world, pump).is_some_and(Flash::was_written)
}

/// Whether the unit in a pump's place holds the whole image of the package.
pub(crate) fn is_whole(world: &World, pump: usize) -> bool {
    let held = world.resource::<crate::checks::Truth>().held.as_ref();
    flash(world, pump).zip(held).is_some_and(|(flash, held)| flash.valid_header().is_some() && flash.holds(held))
}

/// Notes since when the request for the programming session waits in the CIOC's controller, where a bus that is stuck
/// keeps it there: it may be given up and never be seen on the bus, and the try counts from it.
fn look_for_requests(world: &mut World) {
    world.resource_scope(|world, mut measures: bevy_ecs::prelude::Mut<'_, Measures>| {
        let Some(pump) = measures.timeline.open_try() else { return };
        let Some(id) = u16::try_from(0x701 + pump).ok().and_then(embedded_can::StandardId::new) else { return };
        if measures.seen_on_bus[pump].asked.is_none()
            && let Some(queued) = crate::bus::controller(world, NodeId::CIOC).waits_since(id.into())
        {
            measures.seen_on_bus[pump].session_asked(queued);
        }
    });
}

/// Flow and temperature are judged from here on; booting and running up takes less.
pub(crate) const START_UP: SimTime = SimTime::from_nanos(10_000_000_000);

/// Looks whether the run is over: some time after the orchestrator has come to rest.
pub(crate) fn look(world: &mut World, context: &mut Context<'_>) {
    let now = context.now;
    if now == START_UP {
        // The pumps stand still until they have booted; extremes of flow and temperature count from here.
        plant::restart_extremes(world);
    }
    let cioc = world.resource::<Nodes>().entity(NodeId::CIOC);
    let status = world.get::<CiocHost>(cioc).and_then(CiocHost::firmware).map(orchestrator::Orchestrator::status);
    look_for_requests(world);
    look_for_work(world, now);
    let activity = status.as_ref().map(|status| status.activity);
    look_for_automatic(world, now, status.as_ref());
    let mut measures = world.resource_mut::<Measures>();
    let Some(ends) = measures.ends else { return };
    let resting = matches!(activity, Some(Activity::Idle | Activity::Finished | Activity::FinishedWithErrors));
    if !resting {
        measures.resting_since = None;
        return;
    }
    let since = *measures.resting_since.get_or_insert(now);
    if now.since(since) >= ends {
        context.halt();
    }
}
