//! What every mode counts and measures in each tick.
//!
//! Handed on from start-up to the mode that follows, so that no tick goes uncounted.

use safety_common::LOGIC_TIME_NS_MOST;
use safety_common::fault::Fault;
use safety_common::io::TickInputs;
use units::Instant;

use crate::Trip;

/// A tick of the own clock, and what the time stamp may be off by rounding.
const TICK_US: u64 = 1_000;
const ROUNDING_US: u64 = 1;

/// The count of ticks, and the last tick's number and instant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heart {
    last: Option<(u32, Instant)>,
    /// Ticks since reset, the counter of the C2C packets.
    pub(crate) counter: u32,
}

impl Heart {
    /// Counts a tick and checks that it comes one tick after the last, and that the last was not too long.
    ///
    /// # Errors
    /// [`Fault::TickCount`] (SSR-012, SSR-013), [`Fault::LogicTime`] (SSR-014).
    pub(crate) fn beat(&mut self, now: Instant, inputs: &TickInputs<'_>) -> Result<(), Trip> {
        self.counter = self.counter.wrapping_add(1);
        let last = self.last.replace((inputs.tick, now));
        if let Some((tick, at)) = last {
            let length = now.since(at).as_micros();
            if inputs.tick != tick.wrapping_add(1) || length.abs_diff(TICK_US) > ROUNDING_US {
                return Err(Trip::new(Fault::TickCount, inputs.tick.wrapping_sub(tick)));
            }
        }
        if inputs.logic_time_ns > LOGIC_TIME_NS_MOST {
            return Err(Trip::new(Fault::LogicTime, inputs.logic_time_ns));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(heart: &mut Heart, tick: u32, now_us: u64, logic_time_ns: u32) -> Result<(), Trip> {
        let inputs = TickInputs { tick, logic_time_ns, ..TickInputs::default() };
        heart.beat(Instant::from_micros(now_us), &inputs)
    }

    /// SSR-014: 812.5 us passes, one nanosecond more does not.
    #[test]
    fn logic_time_up_to_812_5_us_passes() {
        let mut heart = Heart::default();
        assert_eq!(beat(&mut heart, 1, 1_000, 812_400), Ok(()));
        assert_eq!(beat(&mut heart, 2, 2_000, 812_500), Ok(()));
        assert_eq!(beat(&mut heart, 3, 3_000, 812_501), Err(Trip::new(Fault::LogicTime, 812_501)));
        assert_eq!(beat(&mut heart, 4, 4_000, 812_600), Err(Trip::new(Fault::LogicTime, 812_600)));
    }

    /// SSR-012, SSR-013: no tick is left out, repeated or off by more than 0.1 %.
    #[test]
    fn ticks_are_numbered_without_gaps_and_a_millisecond_apart() {
        let mut heart = Heart::default();
        assert_eq!(beat(&mut heart, u32::MAX, 1_000, 0), Ok(()));
        assert_eq!(beat(&mut heart, 0, 2_001, 0), Ok(()));
        assert_eq!(beat(&mut heart, 1, 3_000, 0), Ok(()));
        for (tick, now) in [(1, 4_000), (3, 4_000), (2, 4_002), (2, 3_998), (2, 5_000)] {
            let mut heart = heart;
            assert!(beat(&mut heart, tick, now, 0).is_err(), "{tick} {now}");
        }
        assert_eq!(heart.counter, 3);
    }
}
