//! Coolant temperature to pump set-point: a PI controller in integers.
//!
//! ```text
//!   error    = coolant - target                          (tenths of a degree)
//!   integral = clamp(integral + error * Ki)               (millipermille)
//!   speed    = clamp(low + (error * Kp + integral) / 1000)
//! ```
//! Warmer coolant wants more flow. Own numbers: 40 °C, 40 permille per kelvin, 2 permille per kelvin and second, 30 to
//! 100 %. The integral stays within the range of the set-point and does not grow while the set-point is at a limit in
//! the same direction (anti-windup), so that a long hot spell is forgotten at once.

use units::{DeciCelsius, Permille};

use crate::config::Regulation;

/// Tenths of a degree that the coolant can have; anything else is a broken sensor (own number).
const PLAUSIBLE: core::ops::RangeInclusive<i16> = -300..=1_200;

/// The controller's state.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Regulator {
    integral: i32,
}

impl Regulator {
    /// The set-point for the next period of 100 ms.
    pub(crate) fn step(&mut self, config: &Regulation, coolant: DeciCelsius) -> Permille {
        // A broken sensor must not starve the cabinet.
        if !PLAUSIBLE.contains(&coolant.get()) {
            return config.high.max(config.low);
        }
        let low = i32::from(config.low.get()).saturating_mul(1_000);
        let high = i32::from(config.high.get()).saturating_mul(1_000).max(low);
        let error = i32::from(coolant.get()).saturating_sub(i32::from(config.target.get()));
        let proportional = error.saturating_mul(config.proportional);
        let grown =
            self.integral.saturating_add(error.saturating_mul(config.integral)).clamp(0, high.saturating_sub(low));
        let wanted = low.saturating_add(proportional).saturating_add(grown);
        let saturated = (wanted > high && error > 0) || (wanted < low && error < 0);
        // At a limit the integral may shrink towards it but not grow beyond it.
        if !saturated || grown < self.integral {
            self.integral = grown;
        }
        Permille::new(u16::try_from(wanted.clamp(low, high) / 1_000).unwrap_or(config.low.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use proptest::prelude::*;

    const CONFIG: Regulation = Config::DEFAULT.regulation;

    fn after(regulator: &mut Regulator, periods: u32, coolant: i16) -> u16 {
        (0..periods).map(|_| regulator.step(&CONFIG, DeciCelsius::new(coolant)).get()).last().unwrap()
    }

    #[test]
    fn at_the_target_the_lowest_set_point_holds() {
        assert_eq!(after(&mut Regulator::default(), 1_000, 400), 300);
    }

    #[test]
    fn five_kelvin_too_warm_give_the_hand_calculated_set_points() {
        // 300 + 50 dK * 4 = 500 permille at once; the integral adds 50 * 20 / 1000 = 1 permille a period.
        let mut regulator = Regulator::default();
        assert_eq!(after(&mut regulator, 1, 450), 501);
        assert_eq!(after(&mut regulator, 99, 450), 600);
    }

    #[test]
    fn a_long_hot_spell_is_forgotten_at_once() {
        let mut regulator = Regulator::default();
        assert_eq!(after(&mut regulator, 36_000, 600), 1_000);
        // 20 K too warm saturate by the proportional part alone (800 of 700 permille): nothing was wound up.
        assert_eq!(after(&mut regulator, 1, 400), 300);
    }

    #[test]
    fn a_cold_spell_winds_nothing_up() {
        let mut regulator = Regulator::default();
        assert_eq!(after(&mut regulator, 36_000, -300), 300);
        assert_eq!(after(&mut regulator, 1, 450), 501);
    }

    #[test]
    fn an_implausible_sensor_gives_full_speed() {
        for (coolant, speed) in [(-301, 1_000), (-300, 300), (1_200, 1_000), (1_201, 1_000), (i16::MIN, 1_000)] {
            assert_eq!(after(&mut Regulator::default(), 1, coolant), speed, "{coolant}");
        }
    }

    proptest! {
        #[test]
        fn the_set_point_stays_within_30_and_100_percent(coolants in proptest::collection::vec(any::<i16>(), 1..500)) {
            let mut regulator = Regulator::default();
            for coolant in coolants {
                let set_point = regulator.step(&CONFIG, DeciCelsius::new(coolant)).get();
                prop_assert!((300..=1_000).contains(&set_point));
            }
        }

        #[test]
        fn warmer_coolant_never_gives_less(
            history in proptest::collection::vec(300_i16..600, 0..200), coolant in 0_i16..900, more in 0_i16..100,
        ) {
            let mut regulator = Regulator::default();
            for past in history {
                regulator.step(&CONFIG, DeciCelsius::new(past));
            }
            let cooler = regulator.clone().step(&CONFIG, DeciCelsius::new(coolant));
            let warmer = regulator.step(&CONFIG, DeciCelsius::new(coolant + more));
            prop_assert!(warmer >= cooler);
        }

        #[test]
        fn extreme_parameters_never_panic(target: i16, proportional: i32, integral: i32, low: u16, high: u16, coolant: i16) {
            let config = Regulation {
                target: DeciCelsius::new(target), proportional, integral, low: Permille::new(low), high: Permille::new(high),
            };
            let mut regulator = Regulator::default();
            for _ in 0..3 {
                regulator.step(&config, DeciCelsius::new(coolant));
            }
        }
    }
}
