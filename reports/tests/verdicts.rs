//! The rules of verdicts as tables, and as properties.

#[allow(dead_code, reason = "each test file uses a part of the samples")]
mod samples;

use proptest::prelude::*;
use reports::RowVerdict::{Error, ExpectedFail, Fail, Inconclusive, Info, NotApplicable, NotRun, Pass};
use reports::{
    Budget, Fixed, Relation, Report, RowVerdict, Standing, Verdict, holds, margin, row_verdict, run_verdict,
};

const ROWS: [RowVerdict; 8] = [Pass, Fail, Inconclusive, Error, Info, ExpectedFail, NotApplicable, NotRun];

#[test]
fn a_row_is_judged_by_what_was_wanted_and_what_was_measured() {
    //  wanted                     n  held   verdict
    let table = [
        (Standing::Required, 0, true, Inconclusive),
        (Standing::Required, 0, false, Inconclusive),
        (Standing::Required, 1, true, Pass),
        (Standing::Required, 1, false, Fail),
        (Standing::ExpectedToFail, 0, true, Inconclusive),
        (Standing::ExpectedToFail, 0, false, Inconclusive),
        (Standing::ExpectedToFail, 1, true, Fail),
        (Standing::ExpectedToFail, 1, false, ExpectedFail),
        (Standing::Information, 0, true, Info),
        (Standing::Information, 1, false, Info),
        (Standing::NotApplicable, 0, true, NotApplicable),
        (Standing::NotApplicable, 1, false, NotApplicable),
        (Standing::NotRun, 0, true, NotRun),
    ];
    for (standing, n, held, expected) in table {
        assert_eq!(row_verdict(standing, n, held), expected, "{standing:?}, n = {n}, held = {held}");
    }
}

#[test]
fn a_run_takes_the_gravest_of_its_rows() {
    let table: [(&[RowVerdict], &[u64], Verdict); 16] = [
        (&[Pass], &[], Verdict::Pass),
        (&[Pass, Info, NotApplicable], &[1, 7], Verdict::Pass),
        (&[Pass, ExpectedFail], &[1], Verdict::Pass),
        (&[ExpectedFail], &[], Verdict::Pass),
        (&[], &[], Verdict::Inconclusive),
        (&[Info], &[1], Verdict::Inconclusive),
        (&[NotApplicable], &[], Verdict::Inconclusive),
        (&[Pass, NotRun], &[], Verdict::Inconclusive),
        (&[Pass, Inconclusive], &[], Verdict::Inconclusive),
        (&[Pass], &[3, 0], Verdict::Inconclusive),
        (&[Pass, Fail], &[], Verdict::Fail),
        (&[Fail, Inconclusive], &[0], Verdict::Fail),
        (&[ExpectedFail, Fail], &[], Verdict::Fail),
        (&[Pass, Error], &[], Verdict::Error),
        (&[Error, Fail, Inconclusive], &[0], Verdict::Error),
        (&[Error], &[], Verdict::Error),
    ];
    for (rows, activations, expected) in table {
        let verdict = run_verdict(rows.iter().copied(), activations.iter().copied());
        assert_eq!(verdict, expected, "{rows:?} with activations {activations:?}");
    }
}

#[test]
fn a_margin_is_the_distance_to_the_nearer_limit() {
    //  measured  relation            limit  low         held   margin
    let table = [
        (66, Relation::Below, 70, None, true, 4),
        (70, Relation::Below, 70, None, false, 0),
        (71, Relation::Below, 70, None, false, -1),
        (70, Relation::AtMost, 70, None, true, 0),
        (71, Relation::AtMost, 70, None, false, -1),
        (71, Relation::Above, 70, None, true, 1),
        (70, Relation::Above, 70, None, false, 0),
        (70, Relation::AtLeast, 70, None, true, 0),
        (69, Relation::AtLeast, 70, None, false, -1),
        (500, Relation::Within, 503, Some(499), true, 1),
        (502, Relation::Within, 503, Some(499), true, 1),
        (499, Relation::Within, 503, Some(499), true, 0),
        (498, Relation::Within, 503, Some(499), false, -1),
        (505, Relation::Within, 503, Some(499), false, -2),
    ];
    for (measured, relation, limit, low, held, distance) in table {
        let [measured, limit, distance] = [measured, limit, distance].map(|number| Fixed::scaled(number, 0));
        let low = low.map(|low| Fixed::scaled(low, 0));
        assert_eq!(holds(measured, relation, limit, low), held, "{measured} {relation} {limit}");
        assert_eq!(margin(measured, relation, limit, low), distance, "{measured} {relation} {limit}");
    }
}

#[test]
fn a_budget_keeps_the_first_of_the_worst() {
    let number = |value| Fixed::scaled(value, 0);
    let mut budget = Budget::new("off", Relation::Within, number(503), Some(number(499)), "ms");
    budget.judge(Standing::Required);
    assert_eq!((budget.verdict, budget.measured, budget.margin), (Inconclusive, None, None));
    let worst: Vec<bool> = [501, 500, 502, 501].into_iter().map(|value| budget.measure(number(value))).collect();
    assert_eq!(worst, [true, true, false, false]);
    budget.judge(Standing::Required);
    assert_eq!((budget.n, budget.measured, budget.margin), (4, Some(number(500)), Some(number(1))));
    assert_eq!(budget.verdict, Pass);
    assert!(budget.measure(number(504)));
    budget.judge(Standing::Required);
    assert_eq!((budget.verdict, budget.margin), (Fail, Some(number(-1))));
    budget.judge(Standing::ExpectedToFail);
    assert_eq!(budget.verdict, ExpectedFail);
}

proptest! {
    #[test]
    fn a_value_beyond_its_limit_has_a_negative_margin_and_fails(
        measured in -1000_i64..1000, limit in -1000_i64..1000, low in -1000_i64..1000, which in 0..5,
    ) {
        let relations = [Relation::Below, Relation::AtMost, Relation::Above, Relation::AtLeast, Relation::Within];
        let relation = relations[usize::try_from(which).unwrap()];
        let [measured, limit, low] = [measured, limit, low].map(Fixed::from_millionths);
        let low = (relation == Relation::Within).then_some(low);
        let (held, margin) = (holds(measured, relation, limit, low), margin(measured, relation, limit, low));
        let strict = matches!(relation, Relation::Below | Relation::Above);
        prop_assert_eq!(held, margin > Fixed::ZERO || (margin == Fixed::ZERO && !strict));
    }

    #[test]
    fn no_row_ever_improves_a_run_that_is_judged(rows in prop::collection::vec(0..8_usize, 1..6), more in 0..8_usize) {
        let rows: Vec<RowVerdict> = rows.into_iter().map(|at| ROWS[at]).collect();
        let judged = rows.iter().any(|row| !matches!(row, Info | NotApplicable));
        let before = run_verdict(rows.iter().copied(), []);
        let after = run_verdict(rows.iter().copied().chain([ROWS[more]]), []);
        prop_assert!(!judged || after >= before);
    }

    #[test]
    fn an_idle_injection_is_never_a_pass(rows in prop::collection::vec(0..8_usize, 0..6)) {
        prop_assert_ne!(run_verdict(rows.into_iter().map(|at| ROWS[at]), [1, 0]), Verdict::Pass);
    }
}

/// A report with a budget in a window, one below a limit and one that is meant to break.
fn three_budgets() -> Report {
    let measured = |id: &str, relation, [limit, low]: [Option<i64>; 2], value, standing| {
        let whole = |value: i64| Fixed::scaled(value, 0);
        let mut budget = Budget::new(id, relation, whole(limit.unwrap_or(0)), low.map(whole), "ms");
        budget.measure(whole(value));
        budget.judge(standing);
        budget
    };
    let mut report = samples::bus_alone();
    report.budgets = vec![
        measured("in-the-middle", Relation::Within, [Some(1001), Some(999)], 1000, Standing::Required),
        measured("broken", Relation::Below, [Some(100), None], 150, Standing::ExpectedToFail),
        measured("tight", Relation::Below, [Some(100), None], 90, Standing::Required),
        measured("shown", Relation::Below, [Some(100), None], 99, Standing::Information),
    ];
    report
}

#[test]
fn the_tightest_budget_is_the_same_one_everywhere() {
    let report = three_budgets();
    assert_eq!(report.tightest().map(|budget| budget.id.as_str()), Some("tight"));
    let summary = reports::markdown(&[&report]);
    assert!(summary.contains("| tight | +10.000 ms |"), "{summary}");
}
