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

/// The controller's state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Regulator {
    integral: i32,
}

impl Regulator {
    /// The set-point for the next period of 100 ms.
    pub(crate) fn step(&mut self, config: &Regulation, coolant: DeciCelsius) -> Permille {
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
