//! What n trials with k failures show, and how many trials a claim needs: exact binomial bounds.
//!
//! Clopper-Pearson bounds solve a tail of the binomial distribution for its probability. Library quantiles of the beta
//! distribution were found to err on the optimistic side, so the tail is summed here in log space and solved by halving
//! the interval of `f64` bit patterns, on `libm` alone: the same bits on every host. A test holds the values against
//! ones worked out with 40 digits.
//!
//! Words: *alpha* is one minus the confidence; a *tail* is the probability of at most (or at least) k failures; an
//! *upper bound* is the greatest failure probability under which the lower tail is still alpha.

/// A sum of positive terms that may exceed what `f64` holds: `value * exp(log_scale)`.
#[derive(Clone, Copy)]
struct Scaled {
    value: f64,
    log_scale: f64,
}

impl Scaled {
    const LARGE: f64 = 1e200;

    const fn new(value: f64) -> Self {
        Self { value, log_scale: 0.0 }
    }

    fn ln(self) -> f64 {
        libm::log(self.value) + self.log_scale
    }
}

/// Logarithm of the probability of at most `k` failures in `n` trials that each fail with probability `q`.
///
/// `q` lies strictly between 0 and 1.
#[must_use]
pub fn ln_at_most(k: u64, n: u64, q: f64) -> f64 {
    if k >= n {
        return 0.0;
    }
    let odds = q / (1.0 - q);
    let (mut term, mut sum) = (1.0_f64, Scaled::new(1.0));
    for i in 0..k {
        term *= (n - i) as f64 / (i + 1) as f64 * odds;
        sum.value += term;
        if sum.value > Scaled::LARGE {
            term /= Scaled::LARGE;
            sum = Scaled { value: sum.value / Scaled::LARGE, log_scale: sum.log_scale + libm::log(Scaled::LARGE) };
        }
    }
    (n as f64 * libm::log1p(-q) + sum.ln()).min(0.0)
}

/// Logarithm of the probability of at least `k` failures in `n` trials; for `k` above the mean, where no term is larger
/// than the first.
fn ln_at_least(k: u64, n: u64, q: f64) -> f64 {
    let odds = q / (1.0 - q);
    let (mut term, mut sum) = (1.0_f64, 1.0_f64);
    for i in k..n {
        term *= (n - i) as f64 / (i + 1) as f64 * odds;
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    let ways: f64 = (0..k).map(|i| libm::log((n - i) as f64 / (i + 1) as f64)).sum();
    ways + k as f64 * libm::log(q) + (n - k) as f64 * libm::log1p(-q) + libm::log(sum)
}

/// The least `f64` in `low..=high` at which `is_over` holds, which it does from some value on; `high` where it never does.
fn first_over(low: f64, high: f64, is_over: impl Fn(f64) -> bool) -> f64 {
    // The bit patterns of positive numbers stand in the order of the numbers.
    let (mut low, mut high) = (low.to_bits(), high.to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        if is_over(f64::from_bits(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(high)
}

/// One-sided upper bound on the failure probability after `k` failures in `n` trials, at confidence `1 - alpha`.
///
/// 1 where nothing was tried or everything failed.
#[must_use]
pub fn upper_bound(k: u64, n: u64, alpha: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    if k == 0 {
        return -libm::expm1(libm::log(alpha) / n as f64);
    }
    let goal = libm::log(alpha);
    first_over(k as f64 / n as f64, 1.0 - f64::EPSILON / 2.0, |q| ln_at_most(k, n, q) <= goal)
}

/// One-sided lower bound on the failure probability after `k` failures in `n` trials, at confidence `1 - alpha`.
///
/// 0 without a failure.
#[must_use]
pub fn lower_bound(k: u64, n: u64, alpha: f64) -> f64 {
    if k == 0 || n == 0 {
        return 0.0;
    }
    if k >= n {
        return libm::exp(libm::log(alpha) / n as f64);
    }
    let goal = libm::log(alpha);
    first_over(f64::MIN_POSITIVE, k as f64 / n as f64, |q| ln_at_least(k, n, q) >= goal)
}

/// Two-sided bounds, lower then upper: half of `alpha` on each side.
#[must_use]
pub fn two_sided(k: u64, n: u64, alpha: f64) -> (f64, f64) {
    (lower_bound(k, n, alpha / 2.0), upper_bound(k, n, alpha / 2.0))
}

/// Fewest trials whose plan of `allowed` failures shows a failure probability of at most `q` at confidence `1 - alpha`.
#[must_use]
pub fn trials_needed(allowed: u64, q: f64, alpha: f64) -> u64 {
    let goal = libm::log(alpha);
    let shows = |n: u64| n > allowed && ln_at_most(allowed, n, q) <= goal;
    let mut high = allowed + 1;
    while !shows(high) {
        high = high.saturating_mul(2);
    }
    let mut low = high / 2;
    while low < high {
        let middle = low + (high - low) / 2;
        if shows(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

/// Whether a plan of `n` trials with `allowed` failures shows a failure probability of at most `q` at `1 - alpha`.
#[must_use]
pub fn plan_shows(allowed: u64, n: u64, q: f64, alpha: f64) -> bool {
    allowed < n && ln_at_most(allowed, n, q) <= libm::log(alpha)
}

/// Which of `n` values in rising order, counted from 1, is an upper bound of the quantile `1 - above` at confidence
/// `1 - alpha`, whatever their distribution; none where `n` is too small for any.
///
/// The least `r` with P(Bin(n, 1 - above) <= r - 1) >= 1 - alpha, that is P(Bin(n, above) <= n - r) <= alpha.
#[must_use]
pub fn quantile_rank(n: u64, above: f64, alpha: f64) -> Option<u64> {
    let goal = libm::log(alpha);
    // The number of values beyond the bound: the most that still are few enough.
    let few = |beyond: u64| beyond < n && ln_at_most(beyond, n, above) <= goal;
    if !few(0) {
        return None;
    }
    let (mut low, mut high) = (0, n);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if few(middle) { low = middle } else { high = middle }
    }
    Some(n - low)
}

/// Which of `n` values in rising order, counted from 1, is a lower bound of the quantile `1 - above` at `1 - alpha`.
///
/// The greatest `r` with P(Bin(n, 1 - above) >= r) >= 1 - alpha, that is P(Bin(n, above) <= n - r) >= 1 - alpha.
#[must_use]
pub fn quantile_rank_low(n: u64, above: f64, alpha: f64) -> Option<u64> {
    let goal = libm::log1p(-alpha);
    let many = |beyond: u64| beyond >= n || ln_at_most(beyond, n, above) >= goal;
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if many(middle) { high = middle } else { low = middle + 1 }
    }
    (low < n).then_some(n - low)
}

/// A part of a population: its share of it, and the trials and failures in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Share of the population; the shares of all parts make 1.
    pub weight: f64,
    /// Trials in it.
    pub trials: u64,
    /// Failures among them.
    pub failures: u64,
}

/// Upper bound on the failure probability of a population in parts: each part's own bound at `alpha` divided by their
/// number, weighted. Safe whatever the parts' failure probabilities are (Bonferroni).
#[must_use]
pub fn stratified_upper_bound(parts: &[Part], alpha: f64) -> f64 {
    let share = alpha / parts.len().max(1) as f64;
    let bound: f64 = parts.iter().map(|part| part.weight * upper_bound(part.failures, part.trials, share)).sum();
    bound.min(1.0)
}

/// Lower bound on the failure probability of a population in parts; see [`stratified_upper_bound`].
#[must_use]
pub fn stratified_lower_bound(parts: &[Part], alpha: f64) -> f64 {
    let share = alpha / parts.len().max(1) as f64;
    parts.iter().map(|part| part.weight * lower_bound(part.failures, part.trials, share)).sum()
}

/// Chance that a plan of `n` trials with `allowed` failures passes when each trial truly fails with probability `q`.
#[must_use]
pub fn chance_to_pass(allowed: u64, n: u64, q: f64) -> f64 {
    libm::exp(ln_at_most(allowed, n, q))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: f64 = 0.05;
    const ONE: f64 = 0.01;

    fn close(found: f64, wanted: f64, most: f64) -> bool {
        ((found - wanted) / wanted).abs() <= most
    }

    // The pinned values were worked out with mpmath 1.4.1 at 40 and 60 digits by summing the tail and bisecting, and
    // rounded once to f64.

    #[test]
    fn upper_bounds_are_those_of_forty_digits() {
        for (k, n, alpha, wanted) in [
            (0, 1, FIVE, 0.95),
            (0, 299, FIVE, 0.00996914679289927),
            (1, 2, FIVE, 0.9746794344808964),
            (1, 4742, FIVE, 0.0009999983681395774),
            (2, 6294, FIVE, 0.0009999436697698317),
            (5, 10511, FIVE, 0.0009999313149453458),
            (0, 46050, ONE, 9.999869547545792e-05),
            (1, 1_000_000, FIVE, 4.7438556382068105e-06),
            (10, 4603, ONE, 0.0043716025517545705),
            (299, 300, FIVE, 0.9998290369678865),
            (100, 4742, 0.025, 0.025590138315196655),
            (3000, 1_000_000, 0.005, 0.0031437587471338513),
        ] {
            let found = upper_bound(k, n, alpha);
            assert!(close(found, wanted, 5e-15), "{k} of {n} at {alpha}: {found:e}, wanted {wanted:e}");
        }
    }

    #[test]
    fn lower_bounds_are_those_of_sixty_digits() {
        for (k, n, alpha, wanted) in [
            (1, 4742, 0.025, 5.339042681948758e-06),
            (1, 2, FIVE, 0.02532056551910361),
            (3, 1000, 0.025, 0.0006190999316495713),
            (100, 4742, 0.025, 0.017190280477121886),
            (299, 300, FIVE, 0.9842854451084161),
            (50, 100, 0.005, 0.368861437358924),
            (3000, 1_000_000, 0.005, 0.002860992573612287),
        ] {
            let found = lower_bound(k, n, alpha);
            assert!(close(found, wanted, 2e-13), "{k} of {n} at {alpha}: {found:e}, wanted {wanted:e}");
        }
    }

    /// Trials needed, as the published table of exact one-sided plans has them: claim, confidence, for 0 to 5 failures.
    #[test]
    fn the_table_of_plans_is_reproduced() {
        let table: [(f64, f64, [u64; 6]); 8] = [
            (0.01, FIVE, [299, 473, 628, 773, 913, 1049]),
            (0.01, ONE, [459, 662, 838, 1001, 1157, 1307]),
            (0.001, FIVE, [2995, 4742, 6294, 7752, 9151, 10511]),
            (0.001, ONE, [4603, 6636, 8403, 10042, 11601, 13105]),
            (0.000_1, FIVE, [29956, 47437, 62956, 77535, 91533, 105_128]),
            (0.000_1, ONE, [46050, 66381, 84057, 100_448, 116_043, 131_081]),
            (0.000_01, FIVE, [299_572, 474_385, 629_578, 775_364, 915_350, 1_051_301]),
            (0.000_01, ONE, [460_515, 663_833, 840_592, 1_004_509, 1_160_459, 1_310_845]),
        ];
        for (q, alpha, row) in table {
            for (allowed, wanted) in (0..).zip(row) {
                assert_eq!(trials_needed(allowed, q, alpha), wanted, "{allowed} failures at {q} and {alpha}");
                assert!(plan_shows(allowed, wanted, q, alpha) && !plan_shows(allowed, wanted - 1, q, alpha));
                assert!(upper_bound(allowed, wanted, alpha) <= q && upper_bound(allowed, wanted - 1, alpha) > q);
            }
        }
    }

    #[test]
    fn without_a_failure_the_closed_form_and_the_tail_agree() {
        for n in [1, 2, 299, 4603, 1_000_000] {
            let q = upper_bound(0, n, FIVE);
            assert!((ln_at_most(0, n, q) - libm::log(FIVE)).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn two_sided_bounds_enclose_what_was_seen_and_are_wider_than_one_sided_ones() {
        for (k, n) in [(0, 10), (1, 4742), (5, 10), (9, 10), (10, 10), (2, 100_000)] {
            let (low, high) = two_sided(k, n, FIVE);
            let seen = k as f64 / n as f64;
            assert!(low <= seen && seen <= high, "{k} of {n}: {low} {high}");
            assert!(high >= upper_bound(k, n, FIVE) && low <= lower_bound(k, n, FIVE), "{k} of {n}");
        }
        assert_eq!((upper_bound(0, 0, FIVE), upper_bound(3, 3, FIVE), lower_bound(0, 7, FIVE)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn order_statistics_bound_quantiles_as_published() {
        // The maximum is a 95 % bound of P99 from 299 values on, of P99.9 from 2995, of P99.99 from 29956.
        for (above, alpha, n) in [
            (0.01, FIVE, 299),
            (0.001, FIVE, 2995),
            (0.000_1, FIVE, 29956),
            (0.01, ONE, 459),
            (0.001, ONE, 4603),
            (0.000_1, ONE, 46050),
        ] {
            assert_eq!((quantile_rank(n - 1, above, alpha), quantile_rank(n, above, alpha)), (None, Some(n)));
        }
        assert_eq!(quantile_rank(10_000, 0.001, FIVE), Some(9996));
        assert_eq!(quantile_rank(10_000, 0.001, ONE), Some(9998));
        assert_eq!(quantile_rank(100_000, 0.001, FIVE), Some(99_917));
        assert_eq!(quantile_rank(100_000, 0.001, ONE), Some(99_923));
        // Two-sided 95 %: half on each side.
        assert_eq!(quantile_rank(10_000, 0.001, 0.025), Some(9997));
        assert_eq!(quantile_rank_low(10_000, 0.001, 0.025), Some(9983));
    }

    #[test]
    fn strata_share_the_risk_and_weigh_their_bounds() {
        // The worked example: 99 % nominal with 7376 trials, 1 % disturbed with 72, both without a failure: half a
        // thousandth each, so that together they stay below one thousandth.
        let nominal = Part { weight: 0.99, trials: 7376, failures: 0 };
        let disturbed = Part { weight: 0.01, trials: 72, failures: 0 };
        assert_eq!((trials_needed(0, 5e-4, 0.025), trials_needed(0, 0.05, 0.025)), (7376, 72));
        let bound = stratified_upper_bound(&[nominal, disturbed], FIVE);
        assert!(bound <= 0.001 && bound > 0.000_98, "{bound}");
        assert_eq!(stratified_upper_bound(&[Part { weight: 1.0, ..disturbed }], FIVE), upper_bound(0, 72, FIVE));
        assert_eq!(stratified_lower_bound(&[nominal, disturbed], FIVE), 0.0);
    }

    #[test]
    fn the_chance_to_pass_is_the_published_one() {
        let percent = |allowed, n, q| libm::round(100.0 * chance_to_pass(allowed, n, q));
        assert_eq!([percent(0, 2995, 1e-4), percent(1, 4742, 1e-4)], [74.0, 92.0]);
        assert_eq!([percent(0, 2995, 5e-4), percent(1, 4742, 5e-4)], [22.0, 31.0]);
    }
}
