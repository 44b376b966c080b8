//! Suites: the order of threads changes nothing, and a run that does not repeat is seen whatever it differs in.

mod common;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{data, loaded};
use cooltwin::regression::{Case, Ran, Standing, Wanted, as_stated, once, retries, run_suite, standing_of_case};
use cooltwin::run::Identity;
use cooltwin::scenario::Loaded;
use reports::Verdict;

fn named(name: &str, file: &str, overrides: &[&str]) -> Loaded {
    let name = format!("name={name}");
    loaded(&data(file), &[overrides, &[name.as_str()]].concat())
}

fn suite() -> Vec<Loaded> {
    vec![
        named("one", "small.ron", &["pumps.count=1"]),
        named("two", "faulty.ron", &[]),
        named("three", "small.ron", &["pumps.count=2"]),
    ]
}

fn plain(loaded: &Loaded) -> Ran {
    once(loaded, &Identity::default())
}

fn run(scenarios: &[Loaded], jobs: usize, runner: &(dyn Fn(&Loaded) -> Ran + Sync)) -> (Vec<Case>, Vec<usize>) {
    let mut told = Vec::new();
    let cases = run_suite(scenarios, NonZero::new(jobs).expect("not zero"), runner, |index, _| told.push(index));
    (cases, told)
}

#[test]
fn cases_come_in_the_order_of_their_scenarios_on_any_number_of_threads() {
    let scenarios = suite();
    let (one, _) = run(&scenarios, 1, &plain);
    let names: Vec<&str> =
        one.iter().map(|case| case.result.as_ref().expect("it ran").scenario.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    for jobs in [1, 2, 3, 16] {
        let (cases, told) = run(&scenarios, jobs, &plain);
        assert_eq!(told, [0, 1, 2], "{jobs} threads");
        for (a, b) in one.iter().zip(&cases) {
            assert!(a.result == b.result && b.difference.is_none(), "{jobs} threads");
        }
    }
}

/// Runs as `plain`, but the second run of scenario `name` is `other`.
fn second_differs<'a>(
    name: &'a str,
    other: impl Fn(&Loaded) -> Ran + Sync + 'a,
) -> impl Fn(&Loaded) -> Ran + Sync + 'a {
    let runs: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    move |loaded| {
        let count = {
            let mut runs = runs.lock().expect("no panic holds it");
            let count = runs.entry(loaded.scenario.name.clone()).or_default();
            *count += 1;
            *count
        };
        if count == 2 && loaded.scenario.name == name { other(loaded) } else { plain(loaded) }
    }
}

#[test]
fn a_scenario_that_does_not_repeat_is_found_with_domain_and_event() {
    let scenarios = suite();
    let other_seed = named("two", "faulty.ron", &["seed=2"]);
    for jobs in [1, 2] {
        let runner = second_differs("two", |_| plain(&other_seed));
        let (cases, _) = run(&scenarios, jobs, &runner);
        let difference = cases[1].difference.as_ref().expect("it is seen");
        assert_eq!(difference.domains[0], "bus");
        let divergence = difference.first.as_ref().expect("events differ");
        assert!(divergence.number > 1 && divergence.events[0] != divergence.events[1]);
        assert!(cases[0].difference.is_none() && cases[2].difference.is_none());
        let standing = standing_of_case(&scenarios[1].scenario, &cases[1], Wanted::default());
        assert_eq!(standing, Standing::Unrepeatable);
    }
}

#[test]
fn results_that_differ_are_found_even_when_the_traces_do_not() {
    let scenarios = suite();
    let runner = second_differs("three", |loaded| {
        let mut ran = plain(loaded);
        ran.report.power.brownouts += 1;
        ran
    });
    let (cases, _) = run(&scenarios, 2, &runner);
    let difference = cases[2].difference.as_ref().expect("it is seen");
    assert_eq!((difference.domains.len(), &difference.fields[..]), (0, &["power".to_owned()][..]));
    assert_eq!(difference.first, None);
}

/// State that outlives a run is the defect that one run alone never shows.
#[test]
fn a_runner_whose_runs_depend_on_their_order_is_found() {
    let scenarios = suite();
    for jobs in [1, 2] {
        let leaked = AtomicU64::new(0);
        let runner = |loaded: &Loaded| {
            let mut ran = plain(loaded);
            let so_far = leaked.fetch_add(1, Ordering::Relaxed);
            ran.report.budgets[0].n += so_far;
            ran
        };
        let (cases, _) = run(&scenarios, jobs, &runner);
        assert!(cases.iter().all(|case| case.difference.is_some()), "{jobs} threads");
    }
}

#[test]
fn a_panic_of_the_twin_costs_its_own_case_only() {
    let scenarios = suite();
    let runner = second_differs("one", |_| panic!("planted"));
    let (cases, told) = run(&scenarios, 2, &runner);
    assert_eq!(cases[0].result.as_ref().expect_err("it panicked"), "planted");
    assert_eq!(standing_of_case(&scenarios[0].scenario, &cases[0], Wanted::default()), Standing::OwnFault);
    assert!(cases[1].result.is_ok() && cases[2].result.is_ok());
    assert_eq!(told, [0, 1, 2]);
}

fn case_of(loaded: &Loaded) -> Case {
    Case { result: Ok(plain(loaded).report), difference: None }
}

#[test]
fn only_a_verdict_that_is_stated_and_comes_with_all_else_stands_as_stated() {
    let refuse = ["user.consent=Refuse(after: \"1s\")"];
    let with = |expectations: &str| {
        let expectations = format!("expectations={expectations}");
        let loaded = named("it", "small.ron", &[&refuse[..], &[expectations.as_str()]].concat());
        let case = case_of(&loaded);
        let standing = standing_of_case(&loaded.scenario, &case, Wanted::default());
        let report = case.result.expect("it ran");
        (report.verdict, as_stated(&loaded.scenario, &report), standing)
    };
    assert_eq!(with("[]"), (Verdict::Inconclusive, false, Standing::Inconclusive));
    assert_eq!(with("[Verdict(Inconclusive)]"), (Verdict::Inconclusive, true, Standing::Good));
    assert_eq!(with("[Verdict(Pass)]"), (Verdict::Fail, false, Standing::Fail));
    assert_eq!(with("[Verdict(Inconclusive), Outcome(is: Dead)]"), (Verdict::Fail, false, Standing::Fail));
    assert_eq!(with("[Verdict(Fail)]"), (Verdict::Fail, false, Standing::Fail));
}

#[test]
fn retries_are_tries_after_a_failed_one_and_count_only_when_asked() {
    let (good, retried) = (named("good", "small.ron", &[]), named("retried", "faulty.ron", &[]));
    let wanted = Wanted { no_retries: true };
    for (loaded, standing) in [(&good, Standing::Good), (&retried, Standing::Retries)] {
        let case = case_of(loaded);
        assert_eq!(standing_of_case(&loaded.scenario, &case, Wanted::default()), Standing::Good);
        assert_eq!(standing_of_case(&loaded.scenario, &case, wanted), standing);
        let report = case.result.expect("it ran");
        // Of one campaign, in which each pump is tried until it is updated.
        let beyond_first: u64 = report.pumps.iter().map(|pump| u64::from(pump.attempts) - 1).sum();
        assert_eq!(retries(&report), beyond_first, "{}", loaded.scenario.name);
        assert_eq!(beyond_first > 0, loaded.scenario.name == "retried");
    }
}

#[test]
fn a_suite_stands_as_its_gravest_case() {
    use Standing::{Fail, Good, Inconclusive, OwnFault, Retries, Unrepeatable, Worse};
    assert!([Good, Retries, Inconclusive, Worse, Fail, Unrepeatable, OwnFault].is_sorted());
}
