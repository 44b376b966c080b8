//! One volume of coolant between a heat source and an exchanger.
//!
//! The exchanger's other side keeps its temperature, so its effectiveness is 1 - exp(-NTU) with NTU = UA / (m' c). The
//! conductance UA is two layers in series: the coolant's side, which grows with flow^0.8 (turbulent pipe flow), and
//! wall and other side, which do not. A step is the exact solution for constant heat and flow, so any volume and any exchanger is stable.

/// The fixed properties, in SI units but for the flow in L/min.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exchanger {
    /// Heat that warms a litre by a kelvin, in J/(L K).
    pub(super) capacity_per_litre: f64,
    /// Conductance of the coolant's side at [`Self::reference_flow`], in W/K.
    pub(super) coolant_side: f64,
    /// The flow in L/min at which that is so.
    pub(super) reference_flow: f64,
    /// Conductance of wall and other side, in W/K.
    pub(super) other_side: f64,
    /// Temperature of the other side in °C.
    pub(super) secondary: f64,
}

impl Exchanger {
    /// Heat carried off per kelvin between coolant and other side, in W/K.
    pub(super) fn rejection(&self, flow: f64) -> f64 {
        if flow <= 0.0 {
            return 0.0;
        }
        let coolant_side = self.coolant_side * libm::pow(flow / self.reference_flow, 0.8);
        let conductance = 1.0 / (1.0 / coolant_side + 1.0 / self.other_side);
        let stream = flow / 60.0 * self.capacity_per_litre;
        (1.0 - libm::exp(-conductance / stream)) * stream
    }
}

/// The coolant's state and the energy that went in and out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coolant {
    /// Temperature in °C.
    pub(super) temperature: f64,
    /// Heat taken up since the start, in J.
    pub(super) heat_in: f64,
    /// Heat given off since the start, in J.
    pub(super) heat_out: f64,
}

impl Coolant {
    /// Moves `seconds` on with `heat` in W coming in and `rejection` in W/K going out to `secondary` in °C; `capacity`
    /// in J/K is that of the whole volume.
    pub(super) fn step(&mut self, seconds: f64, heat: f64, rejection: f64, secondary: f64, capacity: f64) {
        let taken = heat * seconds;
        let decay = rejection * seconds / capacity;
        // (1 - exp(-x)) / x, which is 1 where nothing goes out.
        let share = if decay > 0.0 { -libm::expm1(-decay) / decay } else { 1.0 };
        let stored = (taken - rejection * (self.temperature - secondary) * seconds) * share;
        self.heat_in += taken;
        self.heat_out += taken - stored;
        self.temperature += stored / capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCHANGER: Exchanger = Exchanger {
        capacity_per_litre: 3_744.0,
        coolant_side: 17_200.0,
        reference_flow: 280.0,
        other_side: 9_000.0,
        secondary: 20.0,
    };

    #[test]
    fn the_rejection_at_168_litres_a_minute_is_what_the_hand_calculation_gives() {
        // Coolant side 17200 x 0.6^0.8 = 11430; with 9000 in series 5035.3. Stream 2.8 L/s x 3744 = 10483.2.
        // NTU 0.48032, effectiveness 0.38141, times the stream 3998.4 W/K: 60 kW at 15.0 K.
        let rejection = EXCHANGER.rejection(168.0);
        assert!((rejection - 3_998.0).abs() < 3.0, "{rejection}");
    }

    #[test]
    fn rejection_grows_with_flow_and_is_none_without() {
        assert_eq!(EXCHANGER.rejection(0.0), 0.0);
        let rejections: Vec<f64> = (1..=300).map(|flow| EXCHANGER.rejection(f64::from(flow))).collect();
        assert!(rejections.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rejections.iter().all(|&rejection| rejection < EXCHANGER.other_side));
    }

    #[test]
    fn the_way_to_the_steady_state_is_the_exponential_of_the_closed_form() {
        // T(t) = T1 + (T0 - T1) exp(-t rejection / capacity), T1 = secondary + heat / rejection.
        let (capacity, rejection, heat) = (748_800.0, 4_000.0, 60_000.0);
        let mut coolant = Coolant { temperature: 20.0, heat_in: 0.0, heat_out: 0.0 };
        for _ in 0..3_000 {
            coolant.step(0.1, heat, rejection, 20.0, capacity);
        }
        let expected = 35.0 - 15.0 * libm::exp(-300.0 * rejection / capacity);
        assert!((coolant.temperature - expected).abs() < 1e-9, "{} {expected}", coolant.temperature);
    }

    #[test]
    fn a_tiny_volume_at_a_large_exchanger_settles_and_does_not_swing() {
        let mut coolant = Coolant { temperature: 90.0, heat_in: 0.0, heat_out: 0.0 };
        coolant.step(1.0, 5_000.0, 1_000.0, 20.0, 1.0);
        assert!((coolant.temperature - 25.0).abs() < 1e-9, "{}", coolant.temperature);
        assert!((coolant.heat_in - coolant.heat_out - (25.0 - 90.0)).abs() < 1e-9);
    }
}
