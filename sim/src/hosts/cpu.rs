//! The CPU of a node: its clock, its timer and when it has time for its firmware.
//!
//! Firmware reads the CPU's own clock, which starts at reset and may run fast or slow; the twin runs on true time.
//! A *wake* is the instant at which firmware asked to run again. A CPU is *busy* while work that the twin charges
//! (reading flash for a checksum) has not passed, *stalled* while a flash operation stops instruction fetch, and
//! *hung* while a fault says so.

use bevy_ecs::prelude::Component;
use units::Instant;

use crate::kernel::{SimTime, Span};

/// Timing of a node's CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuOptions {
    /// Firmware is started this long after the supply is good or a reset.
    pub boot_time: Span,
    /// Granularity of the timer that wakes the firmware, in ns; 0 is exact.
    pub timer_resolution: Span,
    /// How much faster than true time the clock runs, in parts per million.
    pub clock_ppm: i32,
    /// CPU time to read and check one byte of flash, in ns.
    pub read_cost: Span,
}

/// State of a CPU.
#[derive(Component, Clone, Copy, Debug, Hash)]
pub struct Cpu {
    /// Its timing.
    pub options: CpuOptions,
    /// How fast its clock runs without a fault, in parts per million.
    pub own_ppm: i32,
    /// Whether it has supply.
    pub powered: bool,
    /// Whether firmware runs (supply good, boot time passed).
    pub running: bool,
    /// Whether a flash operation stops instruction fetch.
    pub stalled: bool,
    /// Until when a fault keeps it from doing anything.
    pub hung_until: SimTime,
    /// Until when charged work keeps it busy.
    pub busy_until: SimTime,
    /// Counts resets; events of an earlier life are ignored.
    pub life: u32,
    /// When the clock last ran differently, and what it showed then, in ns.
    since: SimTime,
    shown_then: u64,
    wake_wanted: SimTime,
    /// The two earliest scheduled wakes, earlier first. Any other is out of date when it comes.
    wakes_scheduled: [SimTime; 2],
}

impl Cpu {
    /// A CPU without supply.
    #[must_use]
    pub const fn new(options: CpuOptions) -> Self {
        Self {
            options,
            own_ppm: options.clock_ppm,
            powered: false,
            running: false,
            stalled: false,
            hung_until: SimTime::ZERO,
            busy_until: SimTime::ZERO,
            life: 0,
            since: SimTime::ZERO,
            shown_then: 0,
            wake_wanted: SimTime::NEVER,
            wakes_scheduled: [SimTime::NEVER; 2],
        }
    }

    /// Begins a new life at `now`: the clock restarts, whatever was scheduled is void.
    pub fn reset(&mut self, now: SimTime) {
        self.life += 1;
        self.running = false;
        self.stalled = false;
        self.busy_until = now;
        self.hung_until = SimTime::ZERO;
        self.since = now;
        self.shown_then = 0;
        self.wake_wanted = SimTime::NEVER;
        self.wakes_scheduled = [SimTime::NEVER; 2];
    }

    /// What the CPU's own clock shows at `now`.
    #[must_use]
    pub fn clock(&self, now: SimTime) -> Instant {
        Instant::from_micros(self.clock_ns(now) / 1_000)
    }

    /// The same in ns, before it is cut to whole microseconds.
    #[must_use]
    pub fn clock_ns(&self, now: SimTime) -> u64 {
        let elapsed = now.since(self.since).as_nanos();
        let passed = if self.options.clock_ppm == 0 {
            elapsed
        } else {
            scale(elapsed, i128::from(self.options.clock_ppm) + 1_000_000, 1_000_000)
        };
        self.shown_then.saturating_add(passed)
    }

    /// How much more it shows than it would without a fault, since its clock last began to run differently, in ns.
    #[must_use]
    pub fn gained_ns(&self, now: SimTime) -> i64 {
        let own = Self { options: CpuOptions { clock_ppm: self.own_ppm, ..self.options }, ..*self };
        let gained = i128::from(self.clock_ns(now)) - i128::from(own.clock_ns(now));
        i64::try_from(gained).unwrap_or(i64::MAX)
    }

    /// From `now` on the clock runs `ppm` faster than true time; what it shows does not jump.
    pub fn set_drift(&mut self, now: SimTime, ppm: i32) {
        self.shown_then = self.clock_ns(now);
        self.since = now;
        self.options.clock_ppm = ppm;
    }

    /// When the CPU's own clock first shows at least `instant`, at a tick of its timer.
    #[must_use]
    pub fn true_time(&self, instant: Instant) -> SimTime {
        let mut local = u128::from(instant.as_micros()) * 1_000;
        let resolution = u128::from(self.options.timer_resolution.as_nanos());
        if resolution > 0 {
            local = local.div_ceil(resolution) * resolution;
        }
        let local = local.saturating_sub(u128::from(self.shown_then));
        let elapsed = if self.options.clock_ppm == 0 {
            local
        } else {
            let rate = u128::try_from(i64::from(self.options.clock_ppm) + 1_000_000).unwrap_or(1);
            (local * 1_000_000).div_ceil(rate)
        };
        self.since + Span::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Notes when the firmware wants to run again; gives the instant to schedule, if none early enough is.
    pub fn want_wake(&mut self, now: SimTime, wake_at: Option<Instant>) -> Option<SimTime> {
        self.wake_wanted = wake_at.map_or(SimTime::NEVER, |instant| self.true_time(instant).max(now));
        self.schedule_wake()
    }

    /// A scheduled wake came at `now`: whether it is wanted already, and if not, when to schedule the next.
    pub fn on_wake(&mut self, now: SimTime) -> (bool, Option<SimTime>) {
        let [first, second] = self.wakes_scheduled;
        if now < first {
            return (false, None);
        }
        self.wakes_scheduled = [second, SimTime::NEVER];
        if self.wake_wanted <= now {
            self.wake_wanted = SimTime::NEVER;
            return (true, None);
        }
        (false, self.schedule_wake())
    }

    fn schedule_wake(&mut self) -> Option<SimTime> {
        let [first, _] = self.wakes_scheduled;
        (self.wake_wanted < first).then(|| {
            self.wakes_scheduled = [self.wake_wanted, first];
            self.wake_wanted
        })
    }

    /// Whether firmware can run now; if it only has to wait, until when.
    #[must_use]
    pub fn availability(&self, now: SimTime) -> Availability {
        if !self.running || self.stalled {
            return Availability::No;
        }
        let free = self.busy_until.max(self.hung_until);
        if now < free { Availability::From(free) } else { Availability::Now }
    }
}

/// Whether a CPU can run its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// At once.
    Now,
    /// Not before this instant.
    From(SimTime),
    /// Not until something else changes: it has no supply, has not booted or is stalled.
    No,
}

fn scale(value: u64, numerator: i128, denominator: i128) -> u64 {
    u64::try_from(i128::from(value) * numerator / denominator).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(ppm: i32, resolution_us: u64) -> Cpu {
        let mut cpu = Cpu::new(CpuOptions {
            boot_time: Span::ZERO,
            timer_resolution: Span::from_micros(resolution_us),
            clock_ppm: ppm,
            read_cost: Span::ZERO,
        });
        cpu.reset(SimTime::from_nanos(1_000_000));
        cpu
    }

    #[test]
    fn a_fast_clock_shows_more_and_wakes_earlier() {
        // +1000 ppm: after 1 s of true time the clock shows 1.001 s; 1.001 s on the clock is 1 s of true time.
        let fast = cpu(1_000, 0);
        assert_eq!(fast.clock(SimTime::from_nanos(1_001_000_000)), Instant::from_micros(1_001_000));
        assert_eq!(fast.true_time(Instant::from_micros(1_001_000)), SimTime::from_nanos(1_001_000_000));
    }

    #[test]
    fn what_a_clock_gained_counts_from_the_fault_and_from_each_reset() {
        let mut drifting = cpu(0, 0);
        drifting.set_drift(SimTime::from_nanos(2_000_000), 1_000);
        assert_eq!(drifting.gained_ns(SimTime::from_nanos(1_002_000_000)), 1_000_000);
        drifting.set_drift(SimTime::from_nanos(1_002_000_000), -500);
        assert_eq!(drifting.gained_ns(SimTime::from_nanos(2_002_000_000)), -500_000);
        drifting.reset(SimTime::from_nanos(3_000_000_000));
        assert_eq!(drifting.gained_ns(SimTime::from_nanos(3_000_000_000)), 0);
    }

    #[test]
    fn wakes_fall_on_the_timers_ticks_and_never_early() {
        let cpu = cpu(0, 50);
        // 510 us after reset becomes the tick at 550 us; reset was at 1 ms.
        assert_eq!(cpu.true_time(Instant::from_micros(510)), SimTime::from_nanos(1_550_000));
        for ppm in [-2_000, -1, 1, 37, 2_000] {
            let cpu = self::cpu(ppm, 0);
            for us in [1, 999, 1_000_001, 7_200_000_000] {
                let wanted = Instant::from_micros(us);
                let at = cpu.true_time(wanted);
                assert!(cpu.clock(at) >= wanted, "{ppm} ppm, {us} us");
                assert!(cpu.clock(SimTime::from_nanos(at.as_nanos() - 1)) < wanted, "{ppm} ppm, {us} us");
            }
        }
    }

    #[test]
    fn a_later_wake_keeps_the_scheduled_event_and_moves_on_when_it_fires() {
        let mut cpu = cpu(0, 0);
        let t = SimTime::from_nanos;
        assert_eq!(cpu.want_wake(t(1_000_000), Some(Instant::from_micros(10))), Some(t(1_010_000)));
        assert_eq!(cpu.want_wake(t(1_005_000), Some(Instant::from_micros(20))), None);
        assert_eq!(cpu.on_wake(t(1_010_000)), (false, Some(t(1_020_000))));
        assert_eq!(cpu.on_wake(t(1_020_000)), (true, None));
    }

    #[test]
    fn an_earlier_wake_makes_the_late_event_harmless() {
        let mut cpu = cpu(0, 0);
        let t = SimTime::from_nanos;
        cpu.want_wake(t(1_000_000), Some(Instant::from_micros(20)));
        assert_eq!(cpu.want_wake(t(1_000_000), Some(Instant::from_micros(10))), Some(t(1_010_000)));
        assert_eq!(cpu.on_wake(t(1_010_000)), (true, None));
        assert_eq!(cpu.on_wake(t(1_020_000)), (false, None));
    }

    #[test]
    fn a_far_wake_is_scheduled_once_however_many_near_ones_come_before_it() {
        let mut cpu = cpu(0, 0);
        let t = SimTime::from_nanos;
        assert_eq!(cpu.want_wake(t(1_000_000), Some(Instant::from_micros(100))), Some(t(1_100_000)));
        for near in [10, 20, 30] {
            let at = t(1_000_000 + near * 1_000);
            assert_eq!(cpu.want_wake(t(1_000_000), Some(Instant::from_micros(near))), Some(at));
            assert_eq!(cpu.on_wake(at), (true, None));
            assert_eq!(cpu.want_wake(at, Some(Instant::from_micros(100))), None);
        }
        assert_eq!(cpu.on_wake(t(1_100_000)), (true, None));
    }
}
