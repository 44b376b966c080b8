//! Checks of dead pumps: named by an alarm, never tried again, and standing still.
//!
//! A pump is *dead* after three counted tries of which at least one failed by itself, until a search by hand. One whose
//! tries were all cut off, by restarts of the CIOC or by losses of its own supply, must not be called dead: that would be
//! for lack of supply alone. What cut a try off is the twin's own word, whatever cause the CIOC gives.
//! The CIOC keeps its alarms in memory that a restart empties: each life of its firmware tells of each dead pump once, so
//! that nobody overlooks it after a restart (PFU-029).
//! An alarm is *due* as soon as the pump is dead, and again as soon as a restarted CIOC has begun its search.
//!
//! One thing is excused, by name: a dead pump whose application is whole runs in fail-safe mode while it hears nothing
//! of the CIOC, as every whole pump does (PFU-012). Its mark is known to the CIOC alone.

use bevy_ecs::prelude::World;
use protocol::cyclic::PumpState;

use super::{Checks, SETTLING, SimTime, Span, ending, node_of, plant};

/// An alarm comes this long after it is due (own number: steps that hand over notices, and a look).
const ALARM_WITHIN: Span = Span::from_secs(1);
/// A pump that hears nothing for this long goes into fail-safe mode by itself (own number of PFU-012).
const SILENCE: Span = Span::from_secs(1);

/// Why a dead pump may run.
const WHOLE_AND_ALONE: &str = "dead, its application is whole, and it hears nothing: in fail-safe mode";

/// What is remembered of a pump's death.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Death {
    /// Since when it is dead.
    pub(super) since: Option<SimTime>,
    /// Alarms that named it in this life of the CIOC's firmware.
    alarms: u32,
    /// Since when an alarm is due that has not come.
    due: Option<SimTime>,
    /// It ran in fail-safe mode though it was dead.
    excused: bool,
}

impl Death {
    fn alarm_is_due(&mut self, now: SimTime) {
        if self.alarms == 0 {
            self.due = self.due.or(Some(now));
        }
    }

    /// Its tries are spent, or the CIOC calls it dead.
    pub(super) fn comes(&mut self, now: SimTime) {
        self.since = self.since.or(Some(now));
        self.alarm_is_due(now);
    }
}

impl Checks {
    /// Whether a pump is dead.
    pub(super) fn is_dead(&self, pump: usize) -> bool {
        self.memory.deaths[pump].since.is_some()
    }

    /// Whether a dead pump ran in fail-safe mode and was excused for it.
    #[must_use]
    pub fn excused_a_dead_pump(&self) -> bool {
        self.memory.deaths.iter().any(|death| death.excused)
    }

    /// An alarm says that a pump is dead.
    pub(super) fn dead_alarm(&mut self, now: SimTime, pump: usize) {
        let Some(death) = self.memory.deaths.get_mut(pump) else { return };
        death.alarms += 1;
        death.due = None;
        let (alarms, charged) = (death.alarms, self.memory.tries_charged.get(pump).copied().unwrap_or(0));
        let failed = self.memory.tried.get(pump).is_some_and(|tried| tried.may_die);
        self.dead_pumps_stay_dead_and_are_named.judge(now, alarms == 1 && charged == 3 && failed, || {
            format!("alarm {alarms} for {} after {charged} tries, one that failed by itself: {failed}", node_of(pump))
        });
    }

    /// The CIOC's firmware ends, and the alarms that stood with it.
    pub(super) fn alarms_end(&mut self) {
        for death in &mut self.memory.deaths {
            (death.alarms, death.due) = (0, None);
        }
    }

    /// What was called dead is called nothing else before a search by hand revives it.
    pub(super) fn stays_dead(
        &mut self,
        now: SimTime,
        pump: usize,
        before: orchestrator::Outcome,
        told: orchestrator::Outcome,
    ) {
        if before == orchestrator::Outcome::Dead && self.is_dead(pump) {
            self.dead_pumps_stay_dead_and_are_named.judge(now, told == orchestrator::Outcome::Dead, || {
                format!("dead {} is called {told:?}", node_of(pump))
            });
        }
    }

    /// A restarted CIOC searches: it tells of each dead pump.
    pub(super) fn alarms_are_due(&mut self, now: SimTime) {
        for death in self.memory.deaths.iter_mut().filter(|death| death.since.is_some()) {
            death.alarm_is_due(now);
        }
    }

    /// A search has told what became of the tries that a restart cut off: a pump whose third that was is dead.
    pub(super) fn cut_off_tries_count(&mut self, now: SimTime) {
        for (pump, death) in self.memory.deaths.iter_mut().enumerate() {
            if self.memory.tries_charged[pump] >= 3 && self.memory.tried[pump].must_die() {
                death.comes(now);
            }
        }
    }

    /// An alarm that is due comes; a dead pump that hears the CIOC, or waits in its bootloader, stands still.
    pub(super) fn look_at_dead(&mut self, world: &mut World, now: SimTime) {
        for pump in 0..self.memory.deaths.len() {
            if self.memory.deaths[pump].due.is_some_and(|due| now.since(due) > ALARM_WITHIN) {
                self.memory.deaths[pump].due = None;
                self.dead_pumps_stay_dead_and_are_named
                    .judge(now, false, || format!("no alarm names dead {}", node_of(pump)));
            }
            self.look_at_speed_of_dead(world, now, pump);
        }
    }

    fn look_at_speed_of_dead(&mut self, world: &World, now: SimTime, pump: usize) {
        let (Some(dead), Some(state)) = (self.memory.deaths[pump].since, self.memory.state[pump]) else { return };
        let running = &self.memory.running[pump];
        let hears = state.is_application();
        // The motor needs its time to stop: from the death, from the start of this program, from the first command.
        let since = dead.max(self.memory.state_since[pump]).max(if hears { running.hears_since } else { dead });
        let silent = now.since(running.silent_since());
        if hears && state == PumpState::FailSafe && silent >= SILENCE {
            self.memory.deaths[pump].excused = true;
            self.dead_pumps_stay_dead_and_are_named.leave_out(node_of(pump), WHOLE_AND_ALONE);
            return;
        }
        if now.since(since) < SETTLING {
            return;
        }
        let speed = plant::speed(world, node_of(pump)).get();
        self.dead_pumps_stay_dead_and_are_named
            .judge(now, speed == 0, || format!("dead {} runs at {speed} permille", node_of(pump)));
    }

    /// Three failed tries end in exactly one alarm that names the pump, in each life of the CIOC's firmware.
    pub(super) fn finish_dead(&mut self, world: &World, now: SimTime) {
        let told = ending::cioc_works(world, now) && self.memory.boot_waits_since.is_none();
        for pump in 0..self.memory.deaths.len() {
            let (charged, death) = (self.memory.tries_charged[pump], self.memory.deaths[pump]);
            let (failed, due) = (self.memory.tried[pump].may_die, self.memory.tried[pump].must_die());
            if (charged >= 3 && due) || death.since.is_some() || death.alarms > 0 {
                let alarms = death.alarms;
                let right = charged == 3 && failed && (alarms == 1 || !told);
                self.dead_pumps_stay_dead_and_are_named
                    .judge(now, right, || format!("{} has {charged} failed tries and {alarms} alarms", node_of(pump)));
            }
        }
    }
}
