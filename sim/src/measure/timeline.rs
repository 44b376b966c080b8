//! What happened to each pump: tries with their phases, outcome and causes, from the orchestrator's notices.
//!
//! A try runs from the log entry "update started", written when the bootloader is asked for, to its "finished" or
//! "error". A try whose end the CIOC could not write, because it lost power, ends where the CIOC went off.

use std::collections::BTreeSet;

use orchestrator::{Cause, Event as LogEvent, Notice, Outcome, Phase, UserAction};

use crate::hosts::OrchestratorRecord;
use crate::kernel::{SimTime, Span};

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryEnd {
    /// Still running.
    Open,
    /// The pump runs the new version.
    Updated,
    /// Given up for this cause.
    Failed(Cause),
    /// The CIOC went off, or the run ended.
    Interrupted,
}

/// One try of a pump.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// From 1.
    pub number: u8,
    /// When the bootloader was asked for.
    pub start: SimTime,
    /// When it ended.
    pub end: SimTime,
    /// How.
    pub outcome: TryEnd,
    /// Its phases and when each began.
    pub phases: Vec<(Phase, SimTime)>,
}

impl Try {
    /// Whether it is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.outcome != TryEnd::Open
    }

    /// From the request for the bootloader to the end.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.end.since(self.start)
    }
}

/// What became of one pump.
#[derive(Clone, Debug, Default)]
pub struct PumpHistory {
    /// As the orchestrator sees it.
    pub outcome: Outcome,
    /// Its tries in order.
    pub tries: Vec<Try>,
    /// Causes logged for it, in order of first appearance.
    pub causes: Vec<Cause>,
}

/// What became of the question for consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// Never asked.
    #[default]
    NotAsked,
    /// Asked, no answer yet.
    Open,
    /// Yes in time.
    Given,
    /// No.
    Refused,
    /// No answer in time.
    Lapsed,
    /// An answer after it had lapsed.
    Late,
}

/// The campaign of a run.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The pumps; index 0 is pump 1.
    pub pumps: Vec<PumpHistory>,
    /// The question for consent.
    pub question: Question,
    /// When consent was given first.
    pub consented: Option<SimTime>,
    /// When the campaign first began.
    pub started: Option<SimTime>,
    /// When the turn of the last pump ended in the last campaign: with the end of a try, or without a try of that
    /// campaign, where the pump was left alone, rejected, found good or set aside.
    pub last_turn_end: Option<SimTime>,
    /// When the campaign was said to be finished, and whether with errors.
    pub finished: Option<(SimTime, bool)>,
    /// Alarms raised, as text, with their times.
    pub alarms: Vec<(SimTime, orchestrator::Alarm)>,
    /// Searches begun.
    pub searches: u32,
    /// Highest percent so far and now.
    pub percent: u8,
    /// Causes logged without a pump.
    pub causes: BTreeSet<Cause>,
    /// Whether a campaign is at work: not while the CIOC is off, boots or searches.
    at_work: bool,
    /// Whether a yes was given that no campaign has begun with yet.
    agreed: bool,
}

/// Whether a campaign that tells this of a pump is done with it.
const fn ends_turn(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Updated | Outcome::UpToDate | Outcome::Rejected | Outcome::Missing | Outcome::Dead => true,
        Outcome::Unknown | Outcome::Pending | Outcome::Updating => false,
    }
}

impl Timeline {
    /// For `count` pumps.
    #[must_use]
    pub fn new(count: u8) -> Self {
        Self { pumps: vec![PumpHistory::default(); usize::from(count)], ..Self::default() }
    }

    /// Takes a record of the orchestrator.
    pub fn see(&mut self, now: SimTime, record: &OrchestratorRecord) {
        match record {
            OrchestratorRecord::Off | OrchestratorRecord::UpdateBegun | OrchestratorRecord::Reset => {
                // What ended it may never be told, where the power went with the notice.
                if self.open_try().is_some() {
                    self.last_turn_end = self.last_turn_end.max(Some(now));
                }
                self.end_open_tries(now);
                self.at_work = false;
            }
            OrchestratorRecord::Notice(notice) => self.see_notice(now, notice),
            // Power may keep back what the CIOC tells of it, and the consent is in its memory all the same.
            OrchestratorRecord::User(UserAction::Consent(yes)) if self.question == Question::Open => self.agreed = *yes,
            OrchestratorRecord::Started
            | OrchestratorRecord::User(_)
            | OrchestratorRecord::UpdateEnded
            | OrchestratorRecord::WriteTorn { .. } => {}
        }
    }

    fn see_notice(&mut self, now: SimTime, notice: &Notice) {
        match *notice {
            Notice::Log(entry) => self.see_log(now, &entry),
            Notice::AlarmRaised(alarm) => self.alarms.push((now, alarm)),
            Notice::Phase { pump, phase, .. } => self.see_phase(now, pump.index(), phase),
            Notice::Outcome { pump, outcome } => {
                if let Some(history) = self.pumps.get_mut(pump.index()) {
                    history.outcome = outcome;
                }
                // What a search tells ends no turn: it may come long after the pump was done with.
                if self.at_work && ends_turn(outcome) {
                    self.last_turn_end = self.last_turn_end.max(Some(now));
                }
            }
            Notice::Progress { percent, .. } => self.percent = percent,
            Notice::Searching { .. } => {
                self.searches += 1;
                self.at_work = false;
            }
            Notice::ConsentAsked(_) => self.question = Question::Open,
            Notice::ConsentAnswered(yes) => self.answered(now, yes),
            Notice::ConsentLapsed => self.question = Question::Lapsed,
            Notice::ConsentLate(_) => self.question = Question::Late,
            Notice::CampaignStarted { resumed, .. } => {
                self.started.get_or_insert(now);
                // Where power took the notice of its start, a new campaign is told to be resumed.
                let agreed = std::mem::take(&mut self.agreed);
                if !resumed || (agreed && self.finished.is_some()) {
                    self.last_turn_end = None;
                }
                self.finished = None;
                self.at_work = true;
            }
            Notice::CampaignFinished { errors } => {
                self.finished = Some((now, errors));
                self.at_work = false;
            }
            Notice::AlarmCleared(_) | Notice::Block { .. } | Notice::Pause => {}
        }
    }

    fn answered(&mut self, now: SimTime, yes: bool) {
        self.question = if yes { Question::Given } else { Question::Refused };
        if yes {
            self.consented.get_or_insert(now);
        }
    }

    fn see_phase(&mut self, now: SimTime, pump: usize, phase: Phase) {
        let Some(history) = self.pumps.get_mut(pump) else { return };
        let open = history.tries.last_mut().filter(|open| open.outcome == TryEnd::Open);
        // Standby comes before a try is counted and belongs to none.
        if let Some(open) = open.filter(|_| phase != Phase::Standby) {
            open.phases.push((phase, now));
        }
    }

    fn see_log(&mut self, now: SimTime, entry: &orchestrator::LogEntry) {
        let Some(pump) = entry.pump else {
            self.causes.extend(entry.cause);
            return;
        };
        let Some(history) = self.pumps.get_mut(pump.index()) else { return };
        if let Some(cause) = entry.cause
            && !history.causes.contains(&cause)
        {
            history.causes.push(cause);
        }
        match entry.event {
            LogEvent::UpdateStarted => history.tries.push(Try {
                number: entry.attempt,
                start: now,
                end: now,
                outcome: TryEnd::Open,
                phases: Vec::new(),
            }),
            LogEvent::UpdateFinished => self.end_try(now, pump.index(), TryEnd::Updated),
            LogEvent::UpdateError => {
                let cause = entry.cause.unwrap_or(Cause::Interrupted);
                self.end_try(now, pump.index(), TryEnd::Failed(cause));
            }
            _ => {}
        }
    }

    fn end_try(&mut self, now: SimTime, pump: usize, outcome: TryEnd) {
        let Some(last) = self.pumps.get_mut(pump).and_then(|history| history.tries.last_mut()) else { return };
        match last.outcome {
            TryEnd::Open => (last.end, last.outcome) = (now, outcome),
            // The error entry of an interrupted try is written by the next boot; its end stays where it was.
            TryEnd::Interrupted => last.outcome = outcome,
            TryEnd::Updated | TryEnd::Failed(_) => {}
        }
        self.last_turn_end = self.last_turn_end.max(Some(last.end));
    }

    /// When the last campaign was done with its last pump, if it is over: one that no pump had a turn in, as it ended.
    #[must_use]
    pub fn last_pump_done(&self) -> Option<SimTime> {
        let (finished, _) = self.finished?;
        Some(self.last_turn_end.unwrap_or(finished))
    }

    /// Ends what runs: the CIOC went off, or the run is over.
    pub(crate) fn end_open_tries(&mut self, now: SimTime) {
        for history in &mut self.pumps {
            if let Some(open) = history.tries.last_mut().filter(|last| last.outcome == TryEnd::Open) {
                (open.end, open.outcome) = (now, TryEnd::Interrupted);
            }
        }
    }

    /// The pump whose try is running, as an index.
    #[must_use]
    pub fn open_try(&self) -> Option<usize> {
        let open = |history: &PumpHistory| history.tries.last().is_some_and(|last| last.outcome == TryEnd::Open);
        self.pumps.iter().position(open)
    }
}

#[cfg(test)]
mod tests {
    use orchestrator::LogEntry;
    use protocol::ids::PumpNumber;

    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(seconds)
    }

    fn told(pump: u8, outcome: Outcome) -> Notice {
        Notice::Outcome { pump: PumpNumber::new(pump).expect("a pump"), outcome }
    }

    /// A campaign whose last pump is updated at 10 s, and a second one that starts at 50 s.
    fn second() -> Timeline {
        let mut timeline = Timeline::new(2);
        let mut see = |seconds, notice| timeline.see(at(seconds), &OrchestratorRecord::Notice(notice));
        see(1, Notice::CampaignStarted { pumps: 1, resumed: false });
        see(10, told(1, Outcome::Updated));
        see(10, Notice::CampaignFinished { errors: false });
        see(40, Notice::Searching { manual: true });
        see(50, Notice::CampaignStarted { pumps: 1, resumed: false });
        timeline
    }

    #[test]
    fn a_campaign_counts_from_its_own_last_pump_and_from_its_end_without_any() {
        let ended = |outcome: Option<Outcome>| {
            let mut timeline = second();
            assert_eq!(timeline.last_pump_done(), None, "it is not over");
            if let Some(outcome) = outcome {
                timeline.see(at(55), &OrchestratorRecord::Notice(told(2, outcome)));
            }
            timeline.see(at(60), &OrchestratorRecord::Notice(Notice::CampaignFinished { errors: false }));
            timeline.last_pump_done()
        };
        for outcome in [Outcome::Updated, Outcome::UpToDate, Outcome::Rejected, Outcome::Missing, Outcome::Dead] {
            assert_eq!(ended(Some(outcome)), Some(at(55)), "{outcome:?}");
        }
        assert_eq!((ended(Some(Outcome::Pending)), ended(None)), (Some(at(60)), Some(at(60))));
    }

    /// The power goes with the notice of the try's end: the next life finds nothing to do.
    #[test]
    fn a_turn_whose_end_is_never_told_ends_as_the_cioc_goes_off_and_no_search_ends_one() {
        let mut timeline = second();
        let entry = LogEntry {
            sequence: 1,
            at_ms: 0,
            event: LogEvent::UpdateStarted,
            pump: PumpNumber::new(2),
            attempt: 1,
            cause: None,
        };
        timeline.see(at(52), &OrchestratorRecord::Notice(Notice::Log(entry)));
        timeline.see(at(58), &OrchestratorRecord::Off);
        timeline.see(at(120), &OrchestratorRecord::Started);
        let mut see = |seconds, notice| timeline.see(at(seconds), &OrchestratorRecord::Notice(notice));
        see(121, Notice::Searching { manual: false });
        see(125, told(1, Outcome::Missing));
        see(125, told(2, Outcome::UpToDate));
        see(126, Notice::CampaignStarted { pumps: 0, resumed: true });
        see(126, Notice::CampaignFinished { errors: false });
        assert_eq!(timeline.last_pump_done(), Some(at(58)));
    }
}
