//! What became of each injected fault, as far as one run can tell.
//!
//! | Class | What happened in the run |
//! |---|---|
//! | `invalid` | the injection never acted |
//! | `panic` | a firmware panicked or broke its interface |
//! | `sim-timeout` | the run came to its time limit, or to no end; counts as no result |
//! | `undetected-dangerous` | a check broke at or after the first action, or one that shows a safety unit dangerous, whenever |
//! | `detected-late` | detected as below, and a budget broke at a hit pump or for the whole system |
//! | `budget-broken` | such a budget broke without any detection |
//! | `tolerated` | it was met as designed: each hit pump whose try failed was updated by a later one; bit errors led to error frames and cost no try; the person's answer or search took its course; the pumps went into fail-safe mode, or outputs of safety units off, without a detection |
//! | `detected-safe` | a cause of a failed try, or an alarm, names a hit pump, the supply or the image; or a safety unit has detected it, or has seen it as a stop |
//! | `not-known` | a safety unit detected something to which this fault can have led, and so can another one; else as below |
//! | `no-reaction` | it acted, and none of this followed |
//!
//! The first that fits counts; but what a safety unit detected, or may have detected, is no longer tolerated, and what
//! only went into fail-safe mode, or off, counts as tolerated behind `detected-safe`. *Hit* are the pumps that the
//! fault reaches: a fault of bus, supply or CIOC reaches all, and so does any node that takes the bus from the others
//! (babbling, a line stuck or open) or a safety unit that switches a feed; see [`Reach`]. A run with several injections
//! does not tell which of them led to what: each is judged as if alone. Whether a fault is masked (the trace of an
//! undisturbed run) cannot be told inside one run and is no class here; a comparison with the run without it tells
//! that.

use orchestrator::{Alarm, Cause};
use protocol::cyclic::PumpState;
use reports::{Budget, Check, RowVerdict, Sample};

use super::safety::{CHECKS, HARMLESS, Reaction};
use super::{Ending, Run};
use crate::bus::BusRecord;
use crate::checks::Checks;
use crate::faults::Injection;
use crate::hosts::PumpRecord;
use crate::kernel::{Scoped, SimTime};
use crate::measure::Measures;
use crate::measure::timeline::{PumpHistory, Question, TryEnd};
use crate::node::NodeId;
use crate::record::Record;
use crate::scenario::{FaultKind, Scenario};

/// How far a kind of fault reaches beyond the node where it acts.
enum Reach {
    /// To that node alone: the others' frames go on, and so does their supply.
    Own,
    /// To all nodes of the bus.
    Bus,
    /// To what a safety unit switches.
    Unit,
}

impl Reach {
    const fn of(kind: &FaultKind) -> Self {
        use FaultKind as Kind;
        match kind {
            // A bit that one node alone reads inverted makes it destroy the frame for all of them.
            Kind::BitErrors(_)
            | Kind::Burst(_)
            | Kind::FrameHit(_)
            | Kind::OpenBus
            | Kind::StuckDominant
            | Kind::StuckRecessive
            | Kind::Babbling(_) => Self::Bus,
            Kind::Safety(_) => Self::Unit,
            // Sag and over-voltage of a board are behind its own line; places of all boards or of the CIOC are told apart
            // by the nodes.
            Kind::PowerCut
            | Kind::Sag(_)
            | Kind::Ramp(_)
            | Kind::OverVoltage(_)
            | Kind::Bounce(_)
            | Kind::FeedOff
            | Kind::FrameLoss(_)
            | Kind::ReceiveOverrun(_)
            | Kind::Unplugged
            | Kind::ControllerSlow(_)
            | Kind::ControllerStopped
            | Kind::FlashProgramFailure(_)
            | Kind::SlowErase(_)
            | Kind::BitFlipAtRest(_)
            | Kind::Hang
            | Kind::Reset
            | Kind::SlowBoot(_)
            | Kind::WrongVersion(_)
            | Kind::ClockDrift(_)
            | Kind::Exchanged(_)
            | Kind::FramTear(_) => Self::Own,
        }
    }
}

/// What an injection hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A fault of the list at these pumps; all of them where it acts on bus, supply or CIOC.
    Pumps {
        /// Their indices; none for all.
        pumps: Option<Vec<usize>>,
        /// Whether it acts on the supply.
        supply: bool,
        /// Whether it makes bit errors.
        bits: bool,
    },
    /// The image that the CIOC holds.
    Image,
    /// The answer to the question for consent.
    Consent,
    /// A search by hand.
    Search,
    /// An update of the CIOC itself.
    CiocUpdate,
}

impl Hit {
    /// What a fault of the list hits.
    pub(super) fn of(scenario: &Scenario, injection: &Injection) -> Self {
        use FaultKind as Kind;
        let own: Vec<usize> =
            injection.nodes.iter().filter_map(|node| node.pump()).map(|pump| usize::from(pump) - 1).collect();
        let kind = &injection.fault.kind;
        let everyone = injection.nodes.is_empty()
            || injection.nodes.contains(&NodeId::CIOC)
            || match Reach::of(kind) {
                Reach::Bus => true,
                Reach::Own => false,
                // Its feeds are the pumps' supply.
                Reach::Unit => scenario.safety_units.iter().any(|unit| !unit.feeds.is_empty()),
            };
        Self::Pumps {
            pumps: (!everyone).then_some(own),
            supply: matches!(
                kind,
                Kind::PowerCut | Kind::Sag(_) | Kind::Ramp(_) | Kind::OverVoltage(_) | Kind::Bounce(_) | Kind::FeedOff
            ),
            bits: matches!(
                kind,
                Kind::BitErrors(_) | Kind::Burst(_) | Kind::FrameHit(_) | Kind::StuckDominant | Kind::StuckRecessive
            ),
        }
    }

    fn has(&self, pump: usize) -> bool {
        match self {
            Self::Pumps { pumps: Some(pumps), .. } => pumps.contains(&pump),
            _ => true,
        }
    }

    fn is_named_by(&self, alarm: Alarm) -> bool {
        match alarm {
            Alarm::PumpDead(pump) | Alarm::PumpMissing(pump) | Alarm::PumpRejected(pump) => self.has(pump.index()),
            Alarm::NoPumpHeard => matches!(self, Self::Pumps { pumps: None, .. }),
            Alarm::LowSupply => matches!(self, Self::Pumps { supply: true, .. }),
            Alarm::Image(_) => *self == Self::Image,
        }
    }
}

/// What the injections of a run are judged by.
pub(super) struct Judge<'a> {
    pub(super) run: &'a Run,
    pub(super) measures: &'a Measures,
    pub(super) budgets: &'a [Budget],
    /// As they stand without the expectations.
    pub(super) checks: &'a [Check],
}

impl Judge<'_> {
    /// The class of an injection that first acted at `first`, with what safety units made of it.
    pub(super) fn class(&self, first: Option<SimTime>, hit: &Hit, units: &Reaction) -> &'static str {
        let Some(first) = first else { return "invalid" };
        let detected = units.detected.is_some() || self.is_detected(first, hit);
        match self.run.ending {
            Ending::Defect(_) => return "panic",
            Ending::TimeLimit | Ending::Livelock => return "sim-timeout",
            Ending::Regular => {}
        }
        match () {
            () if self.check_broke(first) || self.unit_is_dangerous() => "undetected-dangerous",
            () if self.budget_broke(hit) => {
                if detected {
                    "detected-late"
                } else {
                    "budget-broken"
                }
            }
            () if units.detected.is_some() => "detected-safe",
            () if units.may_have_led && !detected => "not-known",
            () if self.is_tolerated(first, hit) => "tolerated",
            () if detected => "detected-safe",
            () if self.went_fail_safe(first, hit) || units.local_off.or(units.all_off).is_some() => "tolerated",
            () => "no-reaction",
        }
    }

    fn check_broke(&self, first: SimTime) -> bool {
        let mut rows = self.run.twin.world.resource::<Scoped<Checks>>().rows();
        rows.any(|row| row.broken.as_ref().is_some_and(|(at, _)| *at >= first))
    }

    /// Whether a check of the safety units broke that shows more than one that is off, or another trip than the expected one.
    fn unit_is_dangerous(&self) -> bool {
        let is_dangerous = |id: &str| CHECKS.iter().any(|(own, _)| *own == id) && !HARMLESS.contains(&id);
        self.checks.iter().any(|row| row.verdict == RowVerdict::Fail && is_dangerous(&row.id))
    }

    /// Whether a budget broke, by a pump that was hit or by something that is no pump's alone.
    fn budget_broke(&self, hit: &Hit) -> bool {
        let is_broken = |row: &&Budget| matches!(row.verdict, RowVerdict::Fail | RowVerdict::ExpectedFail);
        let broke = |row: &Budget, sample: &Sample| {
            let holds = reports::holds(sample.value, row.relation, row.limit, row.limit_low);
            !holds && pump_of(&sample.place).is_none_or(|pump| hit.has(pump))
        };
        // Of a budget with more values than it keeps, only the worst is known.
        let worst = |row: &Budget| row.r#where.as_deref().and_then(pump_of).is_none_or(|pump| hit.has(pump));
        self.budgets.iter().filter(is_broken).any(|row| match &row.samples[..] {
            [] => worst(row),
            samples => samples.iter().any(|sample| broke(row, sample)),
        })
    }

    /// The hit pumps, and whether a try of theirs failed since then.
    fn failed(&self, first: SimTime, hit: &Hit) -> impl Iterator<Item = &PumpHistory> {
        let pumps = self.measures.timeline.pumps.iter().enumerate().filter(|(pump, _)| hit.has(*pump));
        let failed = move |history: &PumpHistory| {
            history.tries.iter().any(|each| each.end >= first && matches!(each.outcome, TryEnd::Failed(_)))
        };
        pumps.map(|(_, history)| history).filter(move |history| failed(history))
    }

    fn is_tolerated(&self, first: SimTime, hit: &Hit) -> bool {
        let timeline = &self.measures.timeline;
        match hit {
            Hit::Pumps { bits, .. } => {
                let mut failed = self.failed(first, hit).peekable();
                let recovered = |history: &PumpHistory| {
                    history.tries.last().is_some_and(|last| last.outcome == TryEnd::Updated && last.end >= first)
                };
                let none = failed.peek().is_none();
                if none { *bits && self.errors_since(first) } else { failed.all(recovered) }
            }
            Hit::Consent => {
                matches!(timeline.question, Question::Given | Question::Refused | Question::Lapsed | Question::Late)
            }
            Hit::Search => true,
            Hit::CiocUpdate => self.measures.fail_safe.iter().any(|was| *was),
            Hit::Image => false,
        }
    }

    /// Whether a hit pump that ran as commanded went into fail-safe mode since then; not one that has just booted.
    fn went_fail_safe(&self, first: SimTime, hit: &Hit) -> bool {
        if !matches!(hit, Hit::Pumps { .. }) {
            return false;
        }
        let mut regulated = vec![false; self.measures.timeline.pumps.len()];
        self.measures.journal.iter().any(|(at, record, _)| {
            let Record::Pump(record) = record else { return false };
            let Some(pump) = record.node().pump().map(|pump| usize::from(pump) - 1) else { return false };
            let state = match record {
                PumpRecord::State { state, .. } => Some(*state),
                PumpRecord::Off { .. } | PumpRecord::Reset { .. } => None,
                _ => return false,
            };
            let now = matches!(state, Some(PumpState::Automatic | PumpState::Fixed));
            let before = std::mem::replace(&mut regulated[pump], now);
            before && state == Some(PumpState::FailSafe) && *at >= first && hit.has(pump)
        })
    }

    fn errors_since(&self, first: SimTime) -> bool {
        let is_error = |record: &Record| matches!(record, Record::Bus(BusRecord::Error { .. }));
        self.measures.journal.iter().any(|(at, record, _)| *at >= first && is_error(record))
    }

    fn is_detected(&self, first: SimTime, hit: &Hit) -> bool {
        let timeline = &self.measures.timeline;
        let alarmed = timeline.alarms.iter().any(|(at, alarm)| *at >= first && hit.is_named_by(*alarm));
        let rejected = timeline.causes.iter().any(|cause| matches!(cause, Cause::ImageRejected | Cause::FileNotFound));
        match hit {
            Hit::Pumps { .. } => alarmed || self.failed(first, hit).next().is_some(),
            Hit::Image => alarmed || rejected,
            Hit::Consent | Hit::Search | Hit::CiocUpdate => false,
        }
    }
}

/// The index of the pump at the beginning of a sample's place, such as `P05, try 2`.
fn pump_of(place: &str) -> Option<usize> {
    let number: usize = place.strip_prefix('P')?.get(..2)?.parse().ok()?;
    number.checked_sub(1)
}
