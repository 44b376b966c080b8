//! A result reads back as it was written, to the last nanosecond, for any numbers and any text.

mod samples;

use proptest::collection::vec;
use proptest::prelude::*;
use reports::{
    Budget, Extremes, Fixed, Level, Millis, Relation, Report, Series, Side, Standing, from_json, to_json_line,
};

/// Any number that the types hold.
fn number() -> impl Strategy<Value = Fixed> {
    prop_oneof![any::<i64>(), -2_000_000..2_000_000_i64, Just(i64::MIN), Just(i64::MAX)]
        .prop_map(Fixed::from_millionths)
}

fn time() -> impl Strategy<Value = Millis> {
    number().prop_map(Millis::from)
}

fn relation() -> impl Strategy<Value = Relation> {
    use Relation::*;
    prop_oneof![Just(Below), Just(AtMost), Just(Above), Just(AtLeast), Just(Within)]
}

prop_compose! {
    fn budget()(
        id in ".{0,12}", relation in relation(), limit in number(), low in number(),
        values in vec((".{0,8}", number()), 0..6), steps in vec((".{0,8}", time()), 0..4),
    ) -> Budget {
        let low = (relation == Relation::Within).then_some(low);
        let mut budget = Budget::new(&id, relation, limit, low, "ms");
        for (place, value) in values {
            budget.measure_at(&place, value);
        }
        budget.decomposition = steps.into_iter().map(|(step, at_ms)| reports::Step { step, at_ms }).collect();
        budget.judge(Standing::Required);
        budget
    }
}

prop_compose! {
    fn series()(times in prop::collection::btree_set(any::<i64>(), 0..8), values in vec((number(), number()), 8), level in number()) -> Series {
        let values = || values.iter().take(times.len());
        Series {
            name: "supply".to_owned(),
            unit: "mV".to_owned(),
            t_ms: times.iter().map(|time| Millis::from_signed_nanos(*time)).collect(),
            min: values().map(|(a, b)| *a.min(b)).collect(),
            max: values().map(|(a, b)| *a.max(b)).collect(),
            levels: vec![Level { name: "floor".to_owned(), side: Side::Floor, value: level }],
            extremes: (level > Fixed::ZERO)
                .then(|| Extremes { from_ms: Millis::from_nanos(7), min: Fixed::ZERO, max: level }),
        }
    }
}

prop_compose! {
    fn report()(
        base in 0..7_usize, name in ".{1,20}", title in ".{0,20}", seed in any::<u64>(), simulated in time(),
        budgets in vec(budget(), 0..4), series in vec(series(), 0..3), load in number(), update in time(),
    ) -> Report {
        let (_, mut report) = samples::all().swap_remove(base);
        report.scenario.name = name;
        report.scenario.title = title;
        report.seed = seed;
        report.simulated_ms = simulated;
        report.budgets = budgets;
        report.series = series;
        report.bus.load_mean = load;
        for pump in report.pumps.iter_mut().filter(|pump| pump.update_ms.is_some()) {
            pump.update_ms = Some(update);
        }
        report.judge();
        report
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_result_comes_back_equal_and_in_the_same_bytes(report in report()) {
        let line = to_json_line(&report);
        prop_assert!(!line.contains('\n'));
        let read = from_json(&line).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&read, &report);
        prop_assert_eq!(to_json_line(&read), line);
    }

    #[test]
    fn any_result_can_be_rendered(report in report()) {
        let events = report.events.as_ref().map(|_| samples::EVENTS);
        let files = reports::files(&report, events, &reports::Format::ALL);
        let again = reports::files(&from_json(&to_json_line(&report)).unwrap(), events, &reports::Format::ALL);
        prop_assert_eq!(files.unwrap(), again.unwrap());
    }
}
