//! When a fault begins: conditions on what happens in the twin.

use embedded_can::Id;
use orchestrator::{Notice, Phase};
use protocol::Frame;
use pump::FlashCommand;

use super::{Delay, Injection};
use crate::bus::BusRecord;
use crate::hosts::flash::Operation;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::Span;
use crate::node::NodeId;
use crate::record::Record;
use crate::scenario::{
    CampaignStage, FlashAction, FlashOperation, Moment as OperationMoment, Phase as ScenarioPhase, ProtocolStep,
    Service, Side, Trigger, When,
};

/// What triggers need to remember of the past.
#[derive(Clone, Default, Hash)]
pub(super) struct Watch {
    /// Try and phase of each pump; index 0 is pump 1.
    pumps: Vec<(u8, Option<Phase>)>,
    /// Sectors whose erase has begun in the present phase.
    erases: Vec<u32>,
}

/// What a record means to triggers.
pub(super) enum Moment {
    /// Nothing.
    Nothing,
    /// A try came to this point of a phase, in thousandths of it.
    Progress { pump: u8, attempt: u8, phase: Phase, permille: u32 },
    /// A flash operation begins.
    Operation { pump: u8, operation: Operation },
    /// The campaign came to this stage.
    Stage(CampaignStage),
}

impl Watch {
    pub(super) fn new(pumps: u8) -> Self {
        Self { pumps: vec![(0, None); usize::from(pumps)], erases: vec![0; usize::from(pumps)] }
    }

    /// Takes note of a record.
    pub(super) fn see(&mut self, record: &Record) -> Moment {
        match record {
            Record::Orchestrator(OrchestratorRecord::Notice(notice)) => self.see_notice(notice),
            Record::Pump(PumpRecord::FlashBegun { node, operation }) => self.see_operation(*node, *operation),
            _ => Moment::Nothing,
        }
    }

    fn see_notice(&mut self, notice: &Notice) -> Moment {
        match *notice {
            Notice::Phase { pump, attempt, phase } => {
                if let Some(place) = self.pumps.get_mut(pump.index()) {
                    *place = (attempt, Some(phase));
                    self.erases[pump.index()] = 0;
                }
                Moment::Progress { pump: pump.get(), attempt, phase, permille: 0 }
            }
            Notice::Block { pump, attempt, done, of } => {
                let permille = done.saturating_mul(1_000).checked_div(of).unwrap_or(0);
                Moment::Progress { pump: pump.get(), attempt, phase: Phase::Transfer, permille }
            }
            Notice::Searching { .. } => Moment::Stage(CampaignStage::Search),
            Notice::ConsentAsked(_) => Moment::Stage(CampaignStage::Asking),
            Notice::ConsentAnswered(true) => Moment::Stage(CampaignStage::Agreed),
            Notice::CampaignFinished { .. } => Moment::Stage(CampaignStage::Finished),
            _ => Moment::Nothing,
        }
    }

    /// An erase that begins is also progress of the erase phase, a quarter for each sector done before it.
    fn see_operation(&mut self, node: NodeId, operation: Operation) -> Moment {
        let Some(pump) = node.pump() else { return Moment::Nothing };
        if matches!(operation.command, FlashCommand::Erase { .. })
            && let Some(erases) = self.erases.get_mut(usize::from(pump) - 1)
        {
            *erases += 1;
        }
        Moment::Operation { pump, operation }
    }

    fn try_of(&self, pump: u8) -> (u8, Option<Phase>) {
        usize::from(pump).checked_sub(1).and_then(|index| self.pumps.get(index)).copied().unwrap_or((0, None))
    }
}

/// Whether two conditions count the same things, to whatever number and at whatever moment of them.
pub(super) fn count_the_same(one: &Trigger, other: &Trigger) -> bool {
    match (one, other) {
        (Trigger::FlashOperation(one), Trigger::FlashOperation(other)) => {
            (one.pump, &one.operation) == (other.pump, &other.operation)
        }
        (Trigger::Frame(one), Trigger::Frame(other)) => one.id == other.id,
        (Trigger::ProtocolStep(one), Trigger::ProtocolStep(other)) => {
            let (nth, one) = (one.nth, one.clone());
            ProtocolStep { nth, ..other.clone() } == one
        }
        _ => false,
    }
}

/// Whether the record fulfils the injection's condition, and how long after it the fault begins.
pub(super) fn fulfilled(injection: &mut Injection, watch: &Watch, moment: &Moment, record: &Record) -> Option<Delay> {
    let fault = injection.fault.clone();
    match &fault.trigger {
        Trigger::At(_) => None,
        Trigger::When(when) => at_point(injection, when, watch, moment),
        Trigger::FlashOperation(wanted) => at_operation(injection, wanted, moment),
        Trigger::ProtocolStep(step) => at_step(injection, step, watch, record),
        Trigger::Frame(frame) => {
            let Record::Bus(BusRecord::Frame { frame: sent, .. }) = record else { return None };
            (sent.id() == frame.id.id() && count_to(injection, frame.nth)).then_some(Span::ZERO)
        }
        Trigger::Campaign(stage) => matches!(moment, Moment::Stage(now) if now == stage).then_some(Span::ZERO),
    }
}

/// Counts one more; whether it is the `nth`. After that the count begins anew, for repetitions.
fn count_to(injection: &mut Injection, nth: u32) -> bool {
    injection.seen += 1;
    let reached = injection.seen >= nth.max(1);
    if reached {
        injection.seen = 0;
    }
    reached
}

/// `seen` keeps the try in which the fault has begun already, so that it begins once in each.
fn at_point(injection: &mut Injection, when: &When, watch: &Watch, moment: &Moment) -> Option<Delay> {
    let (pump, attempt, phase, permille) = match *moment {
        Moment::Progress { pump, attempt, phase, permille } => (pump, attempt, phase, permille),
        Moment::Operation { pump, operation } if matches!(operation.command, FlashCommand::Erase { .. }) => {
            let done = watch.erases[usize::from(pump) - 1].saturating_sub(1);
            (pump, watch.try_of(pump).0, Phase::Erase, done * 1_000 / u32::from(pump::flash_map::SECTORS))
        }
        _ => return None,
    };
    let wanted = when.progress.permille();
    let here = pump == when.pump
        && when.attempt.is_none_or(|wanted| wanted == attempt)
        && is_phase(phase, &when.phase)
        && permille >= wanted
        && injection.seen != u32::from(attempt);
    if here {
        injection.seen = u32::from(attempt);
    }
    here.then_some(Span::ZERO)
}

fn is_phase(phase: Phase, wanted: &ScenarioPhase) -> bool {
    matches!(
        (phase, wanted),
        (Phase::EnterBootloader, ScenarioPhase::EnterBootloader)
            | (Phase::Session, ScenarioPhase::Session)
            | (Phase::Security, ScenarioPhase::Security)
            | (Phase::Erase, ScenarioPhase::Erase)
            | (Phase::Download, ScenarioPhase::Download)
            | (Phase::Transfer, ScenarioPhase::Transfer)
            | (Phase::Exit, ScenarioPhase::Exit)
            | (Phase::Check, ScenarioPhase::Check)
            | (Phase::Reset, ScenarioPhase::Reset)
            | (Phase::StatusCheck, ScenarioPhase::Status)
    )
}

fn at_operation(injection: &mut Injection, wanted: &FlashOperation, moment: &Moment) -> Option<Delay> {
    let &Moment::Operation { pump, operation } = moment else { return None };
    let counted = match wanted.operation {
        FlashAction::Any => true,
        FlashAction::Erase => matches!(operation.command, FlashCommand::Erase { .. }),
        FlashAction::Program => matches!(operation.command, FlashCommand::Program { .. }),
    };
    if pump != wanted.pump || !counted || !count_to(injection, wanted.nth) {
        return None;
    }
    let duration = operation.ends.since(operation.begun);
    Some(match wanted.moment {
        OperationMoment::Before => Span::ZERO,
        OperationMoment::Middle => Span::from_nanos(duration.as_nanos() / 2),
        OperationMoment::After => duration,
    })
}

fn at_step(injection: &mut Injection, step: &ProtocolStep, watch: &Watch, record: &Record) -> Option<Delay> {
    let Record::Bus(BusRecord::Frame { frame, .. }) = record else { return None };
    let pump = protocol::ids::PumpNumber::new(step.pump)?;
    let id = match step.side {
        Side::Request => protocol::ids::uds_request(pump),
        Side::Response => protocol::ids::uds_response(pump),
    };
    let (attempt, _) = watch.try_of(step.pump);
    let here = frame.id() == Id::Standard(id)
        && step.attempt.is_none_or(|wanted| wanted == attempt)
        && service_of(frame, &step.side).is_some_and(|service| service == step.service);
    (here && count_to(injection, step.nth)).then_some(Span::ZERO)
}

/// The UDS service whose message begins in this frame.
pub(crate) fn service_of(frame: &Frame, side: &Side) -> Option<Service> {
    let message = match frame.data() {
        [head, rest @ ..] if head >> 4 == 0 => rest,
        [head, _, rest @ ..] if head >> 4 == 1 => rest,
        _ => return None,
    };
    let (service, rest) = match (side, message) {
        (Side::Response, [0x7F, service, ..]) => (*service, &[][..]),
        (Side::Response, [service, rest @ ..]) => (service & !0x40, rest),
        (Side::Request, [service, rest @ ..]) => (*service, rest),
        (_, []) => return None,
    };
    Some(match service {
        0x10 => Service::Session,
        0x11 => Service::Reset,
        0x22 => Service::Read,
        0x27 => Service::SecurityAccess,
        0x31 if matches!(rest, [_, 0xFF, 0x01, ..]) => Service::Check,
        0x31 => Service::Erase,
        0x34 => Service::Download,
        0x36 => Service::Transfer,
        0x37 => Service::Exit,
        0x3E => Service::TesterPresent,
        _ => return None,
    })
}
