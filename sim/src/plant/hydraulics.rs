//! Parallel pumps with check valves against one system curve.
//!
//! A pump at speed share s gives the head H = s^2 H0 - k q^2 (affinity laws), the pipes ask H = R Q^2 of the total flow
//! Q. A pump that cannot reach the common head is closed off by its check valve and gives nothing. The total flow of the
//! pumps falls with the head, that of the pipes rises with it: their one crossing is found by halving.

/// The two curves, in Pa and L/min.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curves {
    /// Head of a pump at full speed without flow, in Pa.
    pub(super) shut_off: f64,
    /// Loss inside a pump, in Pa per (L/min)^2.
    pub(super) pump: f64,
    /// Resistance of the common pipes, in Pa per (L/min)^2.
    pub(super) system: f64,
}

/// Halvings of the head: 2^-60 of the shut-off head is far below what a flow in 0.1 L/min can show.
const HALVINGS: u32 = 60;

impl Curves {
    /// Flow of one pump at speed share `speed` against `head`, in L/min.
    pub(super) fn pump_flow(&self, speed: f64, head: f64) -> f64 {
        let surplus = speed * speed * self.shut_off - head;
        if surplus > 0.0 { libm::sqrt(surplus / self.pump) } else { 0.0 }
    }

    /// The head at which all pumps together give what the pipes take, in Pa.
    pub(super) fn operating_head(&self, speeds: &[f64]) -> f64 {
        let fastest = speeds.iter().copied().fold(0.0, f64::max);
        let (mut low, mut high) = (0.0, fastest * fastest * self.shut_off);
        for _ in 0..HALVINGS {
            let head = (low + high) / 2.0;
            let given: f64 = speeds.iter().map(|&speed| self.pump_flow(speed, head)).sum();
            if given * given * self.system > head {
                low = head;
            } else {
                high = head;
            }
        }
        (low + high) / 2.0
    }

    /// The total flow in L/min.
    pub(super) fn total_flow(&self, speeds: &[f64]) -> f64 {
        libm::sqrt(self.operating_head(speeds) / self.system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURVES: Curves = Curves { shut_off: 100_000.0, pump: 100.0, system: 0.765 };

    /// n equal pumps: s^2 H0 - k q^2 = R n^2 q^2, so Q = n s sqrt(H0 / (k + R n^2)).
    fn closed_form(n: u8, speed: f64) -> f64 {
        let n = f64::from(n);
        n * speed * (CURVES.shut_off / (CURVES.pump + CURVES.system * n * n)).sqrt()
    }

    #[test]
    fn equal_pumps_meet_the_closed_form() {
        for n in 1..=16 {
            for speed in [0.05, 0.3, 0.8, 1.0] {
                let found = CURVES.total_flow(&vec![speed; usize::from(n)]);
                assert!((found - closed_form(n, speed)).abs() < 1e-6, "{n} pumps at {speed}: {found}");
            }
        }
    }

    #[test]
    fn fourteen_pumps_at_full_speed_give_280_litres_a_minute() {
        assert!((CURVES.total_flow(&[1.0; 14]) - 280.0).abs() < 0.1);
    }

    #[test]
    fn standing_pumps_take_and_give_nothing() {
        let mut speeds = [1.0; 14];
        speeds[3] = 0.0;
        assert!((CURVES.total_flow(&speeds) - closed_form(13, 1.0)).abs() < 1e-6);
        assert_eq!(CURVES.total_flow(&[0.0; 14]), 0.0);
        assert_eq!(CURVES.total_flow(&[]), 0.0);
    }

    #[test]
    fn a_check_valve_closes_off_a_pump_too_slow_for_the_common_head() {
        // 13 pumps at full speed hold 58 kPa; a pump at half speed reaches 25 kPa at most.
        let mut speeds = [1.0; 14];
        speeds[0] = 0.5;
        let head = CURVES.operating_head(&speeds);
        assert_eq!(CURVES.pump_flow(0.5, head), 0.0);
        assert!((CURVES.total_flow(&speeds) - closed_form(13, 1.0)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn affinity_laws_hold_and_the_curves_meet(
            speeds in prop::collection::vec(0.0_f64..=1.0, 1..16), share in 0.1_f64..1.0,
        ) {
            let flow = CURVES.total_flow(&speeds);
            let head = CURVES.operating_head(&speeds);
            let given: f64 = speeds.iter().map(|&speed| CURVES.pump_flow(speed, head)).sum();
            prop_assert!((given - flow).abs() < 1e-3, "given {given}, taken {flow}");
            let slower: Vec<f64> = speeds.iter().map(|speed| speed * share).collect();
            prop_assert!((CURVES.total_flow(&slower) - flow * share).abs() < 1e-3);
            prop_assert!((CURVES.operating_head(&slower) - head * share * share).abs() < 1.0);
        }

        #[test]
        fn a_faster_pump_never_lowers_the_flow(
            speeds in prop::collection::vec(0.0_f64..=1.0, 1..16), which: prop::sample::Index, more in 0.0_f64..0.5,
        ) {
            let before = CURVES.total_flow(&speeds);
            let mut faster = speeds.clone();
            let pump = which.index(speeds.len());
            faster[pump] = (faster[pump] + more).min(1.0);
            prop_assert!(CURVES.total_flow(&faster) >= before - 1e-6);
        }
    }
}
