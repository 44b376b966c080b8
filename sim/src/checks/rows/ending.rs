//! What the checks can judge only when the run is over, and which of them the run owed an occasion.

use bevy_ecs::prelude::World;
use orchestrator::{Event as LogEvent, Outcome};

use super::{
    Checks, CiocHost, Measures, NodeId, Nodes, SimTime, Span, Truth, Wanted, fits, is_offered, node_of, power,
    version_of, words,
};
use crate::hosts::cpu::Cpu;
use crate::measure::timeline::{Try, TryEnd};
use crate::measure::updates::TOLD_WITHIN;

/// The log's update times may differ from those on the bus by this: a status period and a look, with margin (own number).
/// It bounds how far two clocks of one end lie apart, beside the time in which the CIOC stands still between both;
/// [`TOLD_WITHIN`] bounds what a pump does after that end.
const BUS_TIME_BAND: Span = Span::from_millis(500);
/// Why an update is neither confirmed nor denied.
const UNCONFIRMED: &str = "updated without a logged end, and no status told in time that its image runs";

impl Checks {
    /// The run is over: what can only be judged at its end.
    pub fn finish(&mut self, world: &mut World, now: SimTime) {
        self.finish_images(world, now);
        self.finish_restraint(world, now);
        self.finish_dead(world, now);
        self.finish_searched(world, now);
        self.finish_times(world, now);
        self.finish_log(world, now);
        self.finish_wanted(world);
    }

    /// What the CIOC last told of each pump is true at the end of the run, whether its firmware still runs or not; and
    /// no pump that was written to is left without a whole image that the CIOC does not tell of.
    fn finish_images(&mut self, world: &mut World, now: SimTime) {
        let working = cioc_works(world, now);
        for pump in 0..self.memory.told.len() {
            let told = self.memory.told[pump];
            match told {
                Outcome::Updated => self.judge_told(world, now, pump, "is updated"),
                Outcome::UpToDate if is_offered(world) => self.judge_told(world, now, pump, "is up to date"),
                _ if self.memory.operations[pump] > 0 && version_of(world, node_of(pump)).is_none() => {
                    let pending = matches!(told, Outcome::Pending | Outcome::Updating | Outcome::Missing);
                    self.told_versions_are_true.judge(now, told == Outcome::Dead || (pending && working), || {
                        let silent = if working { "" } else { ", and its firmware stands still" };
                        let told = words(told);
                        format!("{} is left without a whole image, the CIOC tells '{told}'{silent}", node_of(pump))
                    });
                }
                _ => {}
            }
        }
    }

    /// Not writing is what some checks ask for: it counts where writing was asked for or in reach.
    fn finish_restraint(&mut self, world: &mut World, now: SimTime) {
        if self.memory.ever_declined && !self.memory.ever_agreed {
            let written: u64 = self.memory.operations.iter().sum();
            self.no_write_without_consent
                .judge(now, written == 0, || format!("{written} flash operations though nobody agreed"));
        }
        if !self.memory.ever_searched || !world.resource::<Truth>().campaign {
            return;
        }
        for pump in 0..self.memory.operations.len() {
            if world.resource::<Truth>().held.is_some() && !fits(world, pump) {
                let written = self.memory.operations[pump];
                self.no_write_with_a_bad_image.judge(now, written == 0, || {
                    format!("{written} flash operations of {} with an image that is not for it", node_of(pump))
                });
            }
        }
    }

    /// Each update time of the log against the time that the frames on the bus show.
    fn finish_times(&mut self, world: &World, now: SimTime) {
        let measures = world.resource::<Measures>();
        for (pump, (history, view)) in measures.timeline.pumps.iter().zip(&measures.seen_on_bus).enumerate() {
            let good: Vec<&Try> = history.tries.iter().filter(|each| each.outcome == TryEnd::Updated).collect();
            let said: Vec<Span> = good.iter().map(|each| each.duration()).collect();
            // A CIOC that stands still after the last frame logs it when it goes on.
            let confirms = |each: &Try, seen: Span| {
                let still = measures.work.away(each.start + seen, each.end);
                each.duration() <= seen + BUS_TIME_BAND + still && seen <= each.duration() + BUS_TIME_BAND
            };
            let agree = good.len() == view.updates.len()
                && good.iter().zip(&view.updates).all(|(each, seen)| seen.is_some_and(|seen| confirms(each, seen)));
            if !said.is_empty() || !view.updates.is_empty() {
                self.bus_confirms_update_times.judge(now, agree, || {
                    let spans = |list: &mut dyn Iterator<Item = Option<Span>>| {
                        let words = list.map(|span| span.map_or("none".to_owned(), |span| format!("{span} ms")));
                        words.collect::<Vec<_>>().join(", ")
                    };
                    let log = spans(&mut said.iter().copied().map(Some));
                    let bus = spans(&mut view.updates.iter().copied());
                    format!("{}: updates took {log} by the log, {bus} by the bus", node_of(pump))
                });
            }
        }
        for pump in 0..self.memory.told.len() {
            self.confirm_unlogged(world, now, pump);
        }
    }

    /// The updates without a good end in the log, by the pump's own records against the frames on the bus: until its image
    /// ran, and until a status told of it. A status that comes later, or never, may have been kept from the bus.
    fn confirm_unlogged(&mut self, world: &World, now: SimTime, pump: usize) {
        for update in world.resource::<Measures>().unlogged(pump) {
            match update.took.zip(update.on_bus) {
                Some((own, bus)) if bus <= own + TOLD_WITHIN => {
                    let agree = bus + BUS_TIME_BAND >= own;
                    self.bus_confirms_update_times.judge(now, agree, || {
                        let node = node_of(pump);
                        format!("{node}: its image ran after {own} ms by its own records, {bus} ms by the bus")
                    });
                }
                _ => self.bus_confirms_update_times.leave_open(node_of(pump), UNCONFIRMED),
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
        let mut out_of_order = None;
        for entry in orchestrator::Orchestrator::log(&host.fram) {
            entries += 1;
            if entry.sequence <= sequence {
                out_of_order = out_of_order.or(Some(format!("log entry {} stands after {sequence}", entry.sequence)));
            }
            sequence = entry.sequence;
            let Some(pump) = entry.pump.map(protocol::ids::PumpNumber::index) else { continue };
            match entry.event {
                LogEvent::UpdateStarted => started[pump] += 1,
                LogEvent::UpdateFinished | LogEvent::UpdateError => ended[pump] += 1,
                _ => {}
            }
        }
        // Without any try there is nothing that the log could have told of one.
        let tried = self.memory.started_entries.iter().chain(&started).any(|count| *count > 0);
        if tried || out_of_order.is_some() {
            let right = out_of_order.is_none();
            self.log_tells_each_try.judge(now, right, || out_of_order.unwrap_or_default());
        }
        if !tried {
            return;
        }
        // A full ring has dropped its oldest entries; then only the order can be judged.
        if entries < usize::from(orchestrator::log::LOG_ENTRIES) {
            let same = started == self.memory.started_entries && ended == self.memory.ended_entries;
            self.log_tells_each_try.judge(now, same, || {
                let list = |counts: &[u32]| counts.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
                format!(
                    "by pump, the log holds {} starts and {} ends, seen were {} and {}",
                    list(&started),
                    list(&ended),
                    list(&self.memory.started_entries),
                    list(&self.memory.ended_entries)
                )
            });
        }
    }

    /// What each check is owed by the scenario: a row without a look is inconclusive then, otherwise not applicable.
    fn finish_wanted(&mut self, world: &mut World) {
        if self.memory.answered_late && !self.memory.ever_agreed {
            world.resource_mut::<Wanted>().nobody_agreed();
        }
        let wanted = *world.resource::<Wanted>();
        let pumps = world.resource::<Truth>().pumps;
        for row in [
            &mut self.no_write_without_consent,
            &mut self.no_write_with_a_bad_image,
            &mut self.motor_stands_before_flash_is_written,
            &mut self.one_pump_at_a_time,
            &mut self.no_write_to_unerased_flash,
            &mut self.pause_is_told_first,
            &mut self.at_most_three_tries,
            &mut self.tried_pumps_end_updated_or_spent,
            &mut self.log_tells_each_try,
            &mut self.progress_is_true,
            &mut self.status_is_live,
        ] {
            row.wanted = wanted.writes;
        }
        // Every erase is held against it, too: a run that updates differing pumps looks at each of them.
        self.equal_version_is_left_alone.wanted = wanted.writes || wanted.equals;
        self.others_run_at_80_percent.wanted = wanted.writes && pumps > 1;
        for row in [
            &mut self.told_versions_are_true,
            &mut self.pump_restarts_before_success,
            &mut self.bus_confirms_update_times,
        ] {
            row.wanted = wanted.success;
        }
        self.told_versions_are_true.wanted |= wanted.equals;
        // Its requirement speaks of runs without faults.
        self.remaining_time_is_right.wanted = wanted.success && !wanted.faults && !self.memory.disturbed;
        self.dead_pumps_stay_dead_and_are_named.wanted = wanted.dead;
        // Only a silence of the CIOC is an occasion, and the scenario's own is one that must come.
        self.silence_means_fail_safe.wanted = wanted.silence;
        self.only_whole_images_are_started.wanted = wanted.starts;
    }
}

/// Whether the CIOC's firmware runs: with supply, booted, neither hung nor being replaced.
pub(crate) fn cioc_works(world: &World, now: SimTime) -> bool {
    let entity = world.resource::<Nodes>().entity(NodeId::CIOC);
    let cpu = world.get::<Cpu>(entity);
    let runs = world.get::<CiocHost>(entity).is_some_and(|host| host.firmware().is_some());
    runs && power::is_powered(world, NodeId::CIOC) && cpu.is_some_and(|cpu| cpu.running && cpu.hung_until <= now)
}
