//! Percent and time left (PFU-031).
//!
//! Percent counts pumps; within a pump 7 % stand for the steps up to the erase, 90 % for the blocks, 3 % for check and
//! reset. It is kept in the record, never falls, and is 100 only when the campaign ends without a dead pump.
//!
//! Time left is what pumps done before have taken, times the pumps that are left. Before the first pump is done it is
//! measured from its blocks; until a twentieth of them has gone nothing is shown, because bus and flash of this unit
//! are not known yet. The time shown never rises, but after a failed try or during a wait, with the cause.

use units::{Duration, Instant};

use crate::log::Cause;

/// Check, reset and status check of the first pump (own number); later pumps use what was measured.
const TAIL: Duration = Duration::from_millis(1_500);
const PUMP_WHOLE: u32 = 1_000;
const BEFORE_BLOCKS: u32 = 70;
const BLOCKS: u32 = 900;

/// The pump in hand.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Current {
    begun: Instant,
    blocks_begun: Option<Instant>,
    done: u32,
    of: u32,
    clean: bool,
}

/// What is known about the campaign's pace.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Progress {
    pumps: u8,
    pumps_done: u8,
    pumps_left: u8,
    current: Option<Current>,
    measured: Duration,
    measured_pumps: u8,
    estimate: Option<Duration>,
    percent: u8,
    shown: Option<Duration>,
    cause: Option<Cause>,
    may_rise: bool,
    /// Why a try last failed or the campaign last waited.
    last_wait: Option<Cause>,
}

impl Progress {
    pub(crate) fn resumed_at(percent: u8) -> Self {
        Self { percent: percent.min(100), ..Self::default() }
    }

    pub(crate) const fn percent(&self) -> u8 {
        self.percent
    }

    pub(crate) const fn remaining(&self) -> Option<Duration> {
        self.shown
    }

    pub(crate) const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// A campaign begins, or goes on with `done` of `pumps` pumps behind it and `percent` shown before.
    ///
    /// One that goes on after a search by hand keeps its pace and the time shown. That may rise if the search has found
    /// more pumps than were left: those that were dead or gone for their failed updates.
    pub(crate) fn begin(&mut self, pumps: u8, done: u8, left: u8, percent: u8, resumed: bool) {
        let fresh = Self { pumps, pumps_done: done, pumps_left: left, percent: percent.min(99), ..Self::default() };
        let before = core::mem::replace(self, fresh);
        if !resumed {
            return;
        }
        let Self { measured, measured_pumps, estimate, shown, may_rise, cause, last_wait, .. } = before;
        *self = Self { measured, measured_pumps, estimate, shown, may_rise, cause, last_wait, ..*self };
        if left > before.pumps_left {
            self.wait(last_wait.unwrap_or(Cause::Interrupted));
        }
    }

    /// A pump that was given up is to be updated after all.
    pub(crate) fn pump_taken_back(&mut self, cause: Cause) {
        self.pumps_left = self.pumps_left.saturating_add(1);
        self.wait(cause);
    }

    /// A pump is taken in hand, for its first or a further try.
    pub(crate) fn begin_pump(&mut self, now: Instant, clean: bool) {
        self.current = Some(Current { begun: now, clean, ..Current::default() });
    }

    pub(crate) fn begin_blocks(&mut self, now: Instant, of: u32) {
        if let Some(current) = &mut self.current {
            current.blocks_begun = Some(now);
            current.of = of;
        }
    }

    pub(crate) fn block_done(&mut self, done: u32) {
        if let Some(current) = &mut self.current {
            current.done = done;
        }
    }

    /// The try in hand failed: the time left may rise.
    pub(crate) fn try_failed(&mut self, cause: Cause) {
        self.current = None;
        self.wait(cause);
    }

    /// The campaign waits: the time left may rise.
    pub(crate) fn wait(&mut self, cause: Cause) {
        self.may_rise = true;
        self.cause = Some(cause);
        self.last_wait = Some(cause);
    }

    pub(crate) fn pump_done(&mut self, now: Instant) {
        if let Some(current) = self.current.filter(|current| current.clean) {
            self.measured = self.measured.plus(now.since(current.begun));
            self.measured_pumps = self.measured_pumps.saturating_add(1);
        }
        self.pumps_done = self.pumps_done.saturating_add(1);
        self.leave_pump();
    }

    /// The pump in hand needs no update: it is done with, and says nothing of the pace.
    pub(crate) fn pump_left_alone(&mut self) {
        self.pumps_done = self.pumps_done.saturating_add(1);
        self.leave_pump();
    }

    pub(crate) fn pump_given_up(&mut self) {
        self.leave_pump();
    }

    fn leave_pump(&mut self) {
        self.pumps_left = self.pumps_left.saturating_sub(1);
        self.current = None;
    }

    /// The campaign ended.
    pub(crate) fn end(&mut self, errors: bool) {
        if !errors {
            self.percent = 100;
        }
        self.shown = Some(Duration::ZERO);
        self.current = None;
    }

    /// Brings the shown values up to date; whether percent or cause changed.
    pub(crate) fn update(&mut self, now: Instant) -> bool {
        let before = (self.percent, self.cause);
        self.percent = self.percent.max(self.true_percent());
        self.estimate = self.current.and_then(|current| current.estimate(now)).or(self.estimate);
        if let Some(left) = self.time_left(now) {
            self.show_time(left);
        }
        before != (self.percent, self.cause)
    }

    fn show_time(&mut self, left: Duration) {
        self.shown = match self.shown {
            Some(shown) if !self.may_rise => Some(shown.min(left)),
            _ => Some(left),
        };
        // The rise has been shown with its cause; from the next value on both are over.
        if self.current.is_some() {
            if !self.may_rise {
                self.cause = None;
            }
            self.may_rise = false;
        }
    }

    fn true_percent(&self) -> u8 {
        let current = self.current.map_or(0, |current| current.share());
        let whole = u32::from(self.pumps.max(1)).saturating_mul(PUMP_WHOLE);
        let done = u32::from(self.pumps_done).saturating_mul(PUMP_WHOLE).saturating_add(current);
        u8::try_from(done.saturating_mul(100) / whole).unwrap_or(99).min(99)
    }

    fn time_left(&self, now: Instant) -> Option<Duration> {
        let whole = self.whole_pump()?;
        let others = whole.times(u64::from(self.pumps_left.saturating_sub(u8::from(self.current.is_some()))));
        let this = self.current.map_or(Duration::ZERO, |current| current.left(now, whole));
        Some(others.plus(this))
    }

    /// What a pump takes from standby to its good status.
    fn whole_pump(&self) -> Option<Duration> {
        let mean = self.measured.as_micros().checked_div(u64::from(self.measured_pumps));
        mean.map(Duration::from_micros).or(self.estimate)
    }
}

impl Current {
    fn share(&self) -> u32 {
        if self.blocks_begun.is_none() {
            return 0;
        }
        BEFORE_BLOCKS.saturating_add(BLOCKS.saturating_mul(self.done) / self.of.max(1))
    }

    fn estimate(&self, now: Instant) -> Option<Duration> {
        let begun = self.blocks_begun?;
        if self.done == 0 || self.done < self.of / 20 {
            return None;
        }
        let head = begun.since(self.begun);
        let rest = u64::from(self.of.saturating_sub(self.done));
        let each = now.since(begun).as_micros() / u64::from(self.done);
        Some(head.plus(now.since(begun)).plus(Duration::from_micros(each.saturating_mul(rest))).plus(TAIL))
    }

    fn left(&self, now: Instant, whole: Duration) -> Duration {
        Duration::from_micros(whole.as_micros().saturating_sub(now.since(self.begun).as_micros()))
    }
}
