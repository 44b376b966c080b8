//! Checks of pumps that run: in fail-safe mode when they hear nothing, at 80 % while another one is updated.
//!
//! A pump *hears* a command when its controller took the frame and no fault took it from there, by the bus and not by
//! what its firmware says. It is *down for a reason of its own* while it has no supply, boots after that, hangs or was
//! reset by a fault, is dead, waits in its bootloader for its next try, or holds no application that could run: then no speed can be asked of it.
//!
//! The 80 % are asked of all pumps but the one that is updated, from one try to the next: a pump whose own *part* changes
//! (updated before, or commanded to stand by for its try) has its time to come to that speed, the others have none. Only
//! a campaign that waits, for its supply or because nobody is heard, asks for no speed between two tries.

use bevy_ecs::prelude::World;
use embedded_can::Id;
use protocol::cyclic::PumpState;

use super::{
    BusRecord, Checks, Cpu, ErrorKind, Faults, NodeId, Nodes, PumpRecord, SETTLING, Scoped, SimTime, Span, Wanted,
    node_of, plant, power, version_of, words,
};
use crate::bus::{Bus, LinkState};
use crate::scenario::FaultKind;

/// The speed of all other pumps during an update, and of a pump in fail-safe mode, in permille (PFU-047, PFU-012).
const WANTED_SPEED: i32 = 800;
/// Allowed deviation from it, in permille (own number of PFU-047).
const SPEED_BAND: i32 = 10;
/// A pump must be in fail-safe mode this long after the last command: 1 s of silence, one status period, one look.
const FAIL_SAFE_WITHIN: Span = Span::from_millis(1_300);

/// A campaign hears somebody if a status came within this (PFU-003).
const HEARD_WITHIN: Span = Span::from_secs(1);

/// The first start of a pump: nobody has commanded it yet.
const BOOTING: &str = "booting";

/// A pump whose try failed is reset by that try, and stays in its bootloader until the next one.
const BETWEEN_TRIES: &str = "between two tries";

/// What is remembered of a running pump.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    /// Since when its application runs.
    application_since: SimTime,
    /// When it last heard a command, and the time before that, in case that one was lost on its way.
    heard: (Option<SimTime>, Option<SimTime>),
    /// Since when it hears commands without a silence that leads to fail-safe mode.
    pub(super) hears_since: SimTime,
    /// Whether it turned when it last heard a command.
    turned: bool,
    /// Since when 80 % are asked of it.
    asked_since: SimTime,
    /// Why no speed can be asked of it, and when that was last so.
    own_reason: Option<(&'static str, SimTime)>,
    /// What last made it boot: loss of supply, a hang or a fault's reset, and until when that was so. It excuses no more
    /// than one boot: a pump that resets itself gets no other one by it.
    boots_by: Option<(&'static str, SimTime)>,
}

impl Running {
    /// Its application starts.
    pub(super) fn started(&mut self, now: SimTime) {
        self.application_since = now;
        self.turned = false;
    }

    fn hears(&mut self, now: SimTime) {
        if now.since(self.silent_since()) >= Span::from_secs(1) || self.heard.0.is_none() {
            self.hears_since = now;
        }
        self.heard = (Some(now), self.heard.0);
    }

    /// The command of this instant never reached its firmware.
    fn lost(&mut self, now: SimTime) {
        if self.heard.0 == Some(now) {
            self.heard = (self.heard.1, self.heard.1);
        }
    }

    /// Since when its application runs.
    pub(super) const fn application_since(&self) -> SimTime {
        self.application_since
    }

    /// When it last heard a command, or its application started.
    pub(super) fn silent_since(&self) -> SimTime {
        self.heard.0.unwrap_or_default().max(self.application_since)
    }

    fn is_excused(&self, now: SimTime) -> Option<&'static str> {
        self.own_reason.filter(|(_, at)| now.since(*at) < SETTLING).map(|(why, _)| why)
    }
}

/// The pump, as an index, to which a frame with this id is a command.
pub(super) fn commanded(id: Id) -> Option<usize> {
    let Id::Standard(id) = id else { return None };
    let index = id.as_raw().checked_sub(0x101).map(usize::from)?;
    (index < usize::from(protocol::ids::PumpNumber::MOST)).then_some(index)
}

impl Checks {
    /// Notes which commands the pumps heard.
    pub(super) fn see_commands(&mut self, world: &World, now: SimTime, record: &BusRecord) {
        let (id, node) = match record {
            BusRecord::Frame { frame, sender: NodeId::CIOC, .. } => (frame.id(), None),
            BusRecord::Error { sender: Some(NodeId::CIOC), id: Some(id), kind, .. } if *kind != ErrorKind::Ack => {
                (*id, None)
            }
            BusRecord::Lost { node, id, .. } | BusRecord::Overrun { node, id } => (*id, Some(*node)),
            _ => return,
        };
        let Some(pump) = commanded(id) else { return };
        let Some(running) = self.memory.running.get_mut(pump) else { return };
        let bus = world.resource::<Bus>();
        let own = node_of(pump);
        let heard = match record {
            BusRecord::Frame { .. } => bus.receivers() & own.bit() != 0,
            // A frame that its sender takes for broken at its very end may have been taken by a pump that saw no error.
            BusRecord::Error { seen, .. } => seen & own.bit() == 0 && hears_the_cioc(bus, own),
            _ => false,
        };
        if heard {
            running.hears(now);
            // What came while its CPU stood still waits in its controller behind what came before.
            let cpu = world.get::<Cpu>(world.resource::<Nodes>().entity(own));
            let waits = cpu.is_some_and(|cpu| cpu.hung_until > now || cpu.stalled);
            let in_pause = &mut self.memory.commanded_in_pause[pump];
            *in_pause = self.memory.paused || (waits && *in_pause);
        } else if node == Some(own) {
            running.lost(now);
        }
    }

    /// A pump went off or was reset: by supply or a fault, that is a reason of its own.
    pub(super) fn note_own_reason(&mut self, world: &World, now: SimTime, pump: usize, record: &PumpRecord) {
        let node = node_of(pump);
        let by_watchdog = matches!(record, PumpRecord::Reset { cause: pump::ResetCause::Watchdog, .. });
        let why = if !power::is_powered(world, node) {
            "without supply"
        } else if by_watchdog && was_reset(world, now, node) {
            "reset"
        } else {
            return;
        };
        self.memory.running[pump].own_reason = Some((why, now));
        self.memory.running[pump].boots_by = Some((why, now));
    }

    /// Brings the reasons of the pumps up to date.
    pub(super) fn look_for_own_reasons(&mut self, world: &World, now: SimTime) {
        for pump in 0..self.memory.running.len() {
            let node = node_of(pump);
            let running = &self.memory.running[pump];
            let boots = self.memory.state[pump].is_none() && power::is_powered(world, node);
            let first = running.application_since == SimTime::ZERO;
            let outside = if !power::is_powered(world, node) {
                Some("without supply")
            } else {
                hangs(world, node).then_some("hung")
            };
            let boot = world.get::<Cpu>(world.resource::<Nodes>().entity(node)).map(|cpu| cpu.options.boot_time);
            let why = if self.is_dead(pump) {
                Some("dead")
            } else if outside.is_some() {
                outside
            } else if boots && first {
                Some(BOOTING)
            } else if boots && self.memory.failed[pump] {
                Some(BETWEEN_TRIES)
            } else if boots {
                // A start that supply or fault brought about lasts as long as the boot does.
                let most = boot.unwrap_or(Span::ZERO) + SETTLING;
                running.boots_by.filter(|(_, at)| now.since(*at) <= most).map(|(why, _)| why)
            } else if !self.memory.state[pump].is_some_and(PumpState::is_application) {
                // After a failed try a pump stays in its bootloader until its next one.
                let stays = self.memory.failed[pump].then_some(BETWEEN_TRIES);
                stays.or(version_of(world, node).is_none().then_some("without an application"))
            } else {
                None
            };
            if let Some(why) = why {
                self.memory.running[pump].own_reason = Some((why, now));
            }
            if let Some(why) = outside {
                self.memory.running[pump].boots_by = Some((why, now));
            }
        }
    }

    /// While a campaign writes to pumps, all that can run but the one in hand do so at 80 %.
    pub(super) fn look_at_speeds(&mut self, world: &mut World, now: SimTime) {
        // The whole try counts, not only the time in the bootloader; a pump between two tries stays in its bootloader.
        let tried = self.memory.try_open.iter().position(|open| *open).filter(|_| self.memory.campaign);
        let updating: Vec<usize> = tried.into_iter().chain(self.updating(now)).collect();
        let next = if updating.is_empty() { self.next_in_hand() } else { None };
        let asked = !updating.is_empty() || (self.memory.campaign && !self.waits(now));
        for pump in 0..self.memory.state.len() {
            let node = node_of(pump);
            if !asked || updating.contains(&pump) || next == Some(pump) {
                self.memory.running[pump].asked_since = now;
                continue;
            }
            let running = &self.memory.running[pump];
            // One that does not hear the CIOC comes to this speed by its fail-safe mode: a second later, then its ramp.
            if now.since(running.asked_since) < SETTLING {
                continue;
            }
            if let Some(why) = running.is_excused(now) {
                self.others_run_at_80_percent.leave_out(node, why);
                continue;
            }
            let speed = i32::from(plant::speed(world, node).get());
            self.others_run_at_80_percent.judge(now, (speed - WANTED_SPEED).abs() <= SPEED_BAND, || {
                let meanwhile = updating.first().map_or("a campaign is between two tries".to_owned(), |updating| {
                    format!("{} is updated", node_of(*updating))
                });
                format!("{node} runs at {speed} permille while {meanwhile}")
            });
        }
    }

    /// The pump that stands by for its try, if any does: the last one, where one has been let go.
    fn next_in_hand(&self) -> Option<usize> {
        let stands_by = |pump: &usize| self.memory.state[*pump] == Some(PumpState::Standby) && !self.is_dead(*pump);
        let standing = (0..self.memory.state.len()).filter(stands_by);
        standing.filter(|_| self.memory.campaign).max_by_key(|pump| self.memory.state_since[*pump])
    }

    /// Notes whether the campaign waits, by what the twin knows: supply is short at a board that has a part in it, or no
    /// pump is heard.
    pub(super) fn look_for_waits(&mut self, world: &World, now: SimTime) {
        let least = world.resource::<Wanted>().supply_least_mv;
        let pumps = self.memory.state.len();
        let boards = std::iter::once(NodeId::CIOC).chain((0..pumps).map(node_of));
        let lowest = boards.map(|node| power::supply_mv(world, node, now)).chain([power::feed_mv(world, now)]).min();
        let short = lowest.is_some_and(|lowest| lowest < least);
        let heard = (0..pumps).any(|pump| self.memory.live.silence(pump, now).is_some_and(|span| span <= HEARD_WITHIN));
        if short || !heard {
            self.memory.waited = Some(now);
        }
    }

    /// Whether the campaign waits, or did so lately.
    fn waits(&self, now: SimTime) -> bool {
        self.memory.waited.is_some_and(|at| now.since(at) < SETTLING)
    }

    /// A pump that hears nothing is in fail-safe mode in time, runs at that mode's speed, and never stops.
    pub(super) fn look_at_fail_safe(&mut self, world: &mut World, now: SimTime) {
        for pump in 0..self.memory.state.len() {
            let node = node_of(pump);
            let Some(state) = self.memory.state[pump].filter(|state| state.is_application()) else { continue };
            if let Some(why) = self.memory.running[pump].is_excused(now) {
                if now.since(self.silent_since(pump)) > FAIL_SAFE_WITHIN && why != BOOTING {
                    self.silence_means_fail_safe.leave_out(node, why);
                }
                continue;
            }
            let speed = i32::from(plant::speed(world, node).get());
            let silent = now.since(self.silent_since(pump));
            if silent < FAIL_SAFE_WITHIN {
                self.memory.running[pump].turned = speed > 0 && state != PumpState::Standby;
                continue;
            }
            let row = &mut self.silence_means_fail_safe;
            row.judge(now, state == PumpState::FailSafe, || {
                format!("{node} is in state {} after {silent} ms of silence", words(state))
            });
            if self.memory.running[pump].turned {
                row.judge(now, speed > 0, || format!("{node} stopped after {silent} ms of silence"));
            }
            if silent >= SETTLING {
                row.judge(now, (speed - WANTED_SPEED).abs() <= SPEED_BAND, || {
                    format!("{node} runs at {speed} permille after {silent} ms of silence")
                });
            }
        }
    }

    fn silent_since(&self, pump: usize) -> SimTime {
        self.memory.running[pump].silent_since()
    }
}

/// Whether the two are on one line that works.
fn hears_the_cioc(bus: &Bus, node: NodeId) -> bool {
    let takes_part = |node| matches!(bus.state(node), LinkState::Active | LinkState::Passive);
    let medium = bus.medium();
    takes_part(node) && (medium.unplugged & (node.bit() | NodeId::CIOC.bit())) == 0
}

/// Whether a fault keeps the CPU of the node from doing anything.
fn hangs(world: &World, node: NodeId) -> bool {
    let mut list = world.resource::<Scoped<Faults>>().list.iter();
    list.any(|one| one.active > 0 && one.nodes.contains(&node) && matches!(one.fault.kind, FaultKind::Hang))
}

/// Whether a fault resets the node at this very instant; any other reset of its watchdog is its own.
fn was_reset(world: &World, now: SimTime, node: NodeId) -> bool {
    let mut list = world.resource::<Scoped<Faults>>().list.iter().filter(|one| one.begun > 0 && one.began == now);
    list.any(|one| one.nodes.contains(&node) && matches!(one.fault.kind, FaultKind::Reset))
}
