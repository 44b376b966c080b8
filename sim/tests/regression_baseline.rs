//! Baselines: what is written is read back, and a margin that shrinks or goes is never lost on the way.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{data, loaded, text};
use cooltwin::regression::{Amount, Baseline, Drift, Kind, drift, once};
use cooltwin::run::Identity;
use proptest::prelude::*;
use reports::{Budget, Fixed, Relation, Report};

fn fixed(text: &str) -> Fixed {
    text.parse().expect("a number")
}

/// A report of a real run with one budget in it: `pump-update` below 70 s with this margin in ms.
fn report(margin: &str) -> Report {
    let mut report = once(&loaded(&data("small.ron"), &["pumps.count=1"]), &Identity::default()).report;
    let mut budget = Budget::new("pump-update", Relation::Below, fixed("70000"), None, "ms");
    let limit = budget.limit.as_millionths();
    budget.measure(Fixed::from_millionths(limit - fixed(margin).as_millionths()));
    assert_eq!(budget.margin, Some(fixed(margin)));
    report.budgets = vec![budget];
    report
}

fn baseline_of(report: &Report, tolerances: &[(&str, &str, &str)]) -> Baseline {
    let mut baseline = Baseline::default();
    baseline.take(report);
    for (budget, value, unit) in tolerances {
        baseline.tolerances.insert(((*budget).to_owned(), (*unit).to_owned()), fixed(value));
    }
    baseline
}

fn only_kind(drift: &Drift) -> Kind {
    assert_eq!(drift.margins.len(), 1);
    drift.margins[0].kind
}

#[test]
fn a_margin_is_worse_only_beyond_its_tolerance_to_the_nanosecond() {
    let old = baseline_of(&report("4000"), &[("pump-update", "500", "ms")]);
    let now = |margin: &str| {
        let drift = drift(&old, &[&report(margin)]);
        (only_kind(&drift), drift.is_worse())
    };
    assert_eq!(now("4000"), (Kind::Equal, false));
    assert_eq!(now("3999.999999"), (Kind::Within, false));
    assert_eq!(now("3500"), (Kind::Within, false));
    assert_eq!(now("3499.999999"), (Kind::Worse, true));
    assert_eq!(now("-1"), (Kind::Worse, true));
    assert_eq!(now("4500"), (Kind::Within, false));
    assert_eq!(now("4500.000001"), (Kind::Better, false));
}

#[test]
fn a_tolerance_is_the_budgets_own_then_its_units_then_a_hundredth_of_the_limit() {
    let pump_update = &report("4000").budgets[0];
    let with = |tolerances: &[(&str, &str, &str)]| baseline_of(&report("4000"), tolerances).tolerance(pump_update);
    assert_eq!(with(&[]), fixed("700"));
    assert_eq!(with(&[("*", "50", "ms")]), fixed("50"));
    assert_eq!(with(&[("*", "50", "ms"), ("pump-update", "0", "ms")]), fixed("0"));
    // Those of another unit say nothing.
    assert_eq!(with(&[("*", "50", "mV"), ("pump-update", "1", "%")]), fixed("700"));
    // Outputs off 499 ms to 503 ms after the crossing: a window of 4 ms.
    let window = Budget::new("off", Relation::Within, fixed("503"), Some(fixed("499")), "ms");
    assert_eq!(Baseline::default().tolerance(&window), fixed("0.04"));
}

#[test]
fn a_budget_that_is_gone_or_not_measured_or_in_another_unit_is_worse() {
    let old = baseline_of(&report("4000"), &[]);
    let mut gone = report("4000");
    gone.budgets[0].id = "pump-update-2".to_owned();
    let of_gone = drift(&old, &[&gone]);
    assert_eq!(of_gone.of(Kind::Missing).map(|margin| margin.budget.as_str()).collect::<Vec<_>>(), ["pump-update"]);
    assert_eq!(of_gone.of(Kind::New).map(|margin| margin.budget.as_str()).collect::<Vec<_>>(), ["pump-update-2"]);
    assert!(of_gone.is_worse());

    let mut unmeasured = report("4000");
    unmeasured.budgets[0] = Budget::new("pump-update", Relation::Below, fixed("70000"), None, "ms");
    let mut percent = report("4000");
    percent.budgets[0].unit = "%".to_owned();
    for now in [unmeasured, percent] {
        let drift = drift(&old, &[&now]);
        assert_eq!((only_kind(&drift), drift.is_worse()), (Kind::Missing, true));
    }
}

#[test]
fn a_scenario_that_is_not_run_is_worse_and_a_new_one_is_named() {
    let (known, mut new) = (report("4000"), report("4000"));
    new.scenario.name = "new".to_owned();
    let old = baseline_of(&known, &[]);
    let both = drift(&old, &[&known, &new]);
    assert_eq!(
        (both.not_run.len(), both.not_in_baseline.as_slice(), both.is_worse()),
        (0, &["new".to_owned()][..], false)
    );
    let only_new = drift(&old, &[&new]);
    assert_eq!((only_new.not_run.as_slice(), only_new.is_worse()), (&[known.scenario.name.clone()][..], true));
    // Also one of which a merge has lost the fingerprints, and one without any margin.
    let mut no_identity = old.clone();
    no_identity.identities.clear();
    let mut no_margin = old;
    no_margin.margins.clear();
    assert!(drift(&no_identity, &[&new]).is_worse() && drift(&no_margin, &[&new]).is_worse());
}

#[test]
fn what_changed_in_trace_and_scenario_is_named() {
    let was = report("4000");
    let old = baseline_of(&was, &[]);
    assert_eq!(drift(&old, &[&was]).identities, []);
    let mut now = was.clone();
    now.fingerprint.plant = "0".repeat(32);
    now.fingerprint.all = "1".repeat(32);
    now.scenario.sha256 = "2".repeat(64);
    let changes = drift(&old, &[&now]).identities;
    assert_eq!(
        (changes.len(), changes[0].scenario_changed, &changes[0].domains[..]),
        (1, true, &["plant".to_owned()][..])
    );
    let mut order = was;
    order.fingerprint.all = "1".repeat(32);
    assert_eq!(drift(&old, &[&order]).identities[0].domains, ["order"]);
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let wrong = |body: &str| {
        let text = format!("# cooltwin.baseline/1\n{body}");
        Baseline::parse(&text).expect_err(body).line
    };
    assert_eq!(Baseline::parse("").expect_err("no head").line, 1);
    assert_eq!(Baseline::parse("# cooltwin.baseline/2\n").expect_err("another head").line, 1);
    assert_eq!(wrong("small pump-update 1 ms\n"), 2);
    assert_eq!(wrong("[margins]\nsmall pump-update 1\n"), 3);
    assert_eq!(wrong("[margins]\nsmall pump-update one ms\n"), 3);
    assert_eq!(wrong("[margins]\n<<<<<<< HEAD\n"), 3);
    assert_eq!(wrong("[margins]\nsmall pump-update 1 ms\nsmall pump-update 2 ms\n"), 4);
    assert_eq!(wrong("[margins]\nsmall pump%2 1 ms\n"), 3);
    assert_eq!(wrong("[tolerances]\npump-update -1 ms\n"), 3);
    assert_eq!(wrong("[fingerprints]\nsmall bus\n"), 3);
    assert_eq!(wrong("[no-such-section]\n"), 2);
}

#[test]
fn margins_stand_one_a_line_and_sorted() {
    let mut baseline = Baseline::default();
    for (name, margin) in [("b", "1.5"), ("a", "-2")] {
        let mut report = report(margin);
        report.scenario.name = name.to_owned();
        baseline.take(&report);
    }
    let text = baseline.text();
    let (_, rest) = text.split_once("[margins]\n").expect("margins");
    assert!(rest.starts_with("a pump-update -2 ms\nb pump-update 1.5 ms\n\n[fingerprints]\na all "), "{rest}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        budgets in prop::collection::btree_map("\\PC{1,8}|\\*|#|\\[margins\\]|[ %\\t\u{a0}é]{1,3}", any::<i64>(), 0..6),
        tolerances in prop::collection::btree_map("\\PC{1,8}|\\*|#|\\[margins\\]", 0_i64.., 0..4),
    ) {
        let mut baseline = Baseline::default();
        for (budget, value) in budgets {
            let margin = Amount { value: Fixed::from_millionths(value), unit: "ms".to_owned() };
            baseline.margins.insert(("small".to_owned(), budget), margin);
        }
        for (budget, value) in tolerances {
            baseline.tolerances.insert((budget, "ms".to_owned()), Fixed::from_millionths(value));
        }
        baseline.identities.entry("small".to_owned()).or_default().insert("bus".to_owned(), "0f".repeat(16));
        let text = baseline.text();
        prop_assert_eq!(Baseline::parse(&text), Ok(baseline));
    }
}

#[test]
fn the_committed_baseline_holds_every_shipped_story() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let baseline = Baseline::parse(&text(&root.join("reports/baselines/scenarios.txt"))).expect("a baseline");
    let entries = std::fs::read_dir(root.join("scenarios")).expect("the folder");
    let files = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"));
    let mut stories: BTreeSet<String> = files.filter_map(|file| Some(file.strip_suffix(".ron")?.to_owned())).collect();
    stories.remove("base");
    stories.retain(|name| {
        !loaded(&common::shipped(&format!("{name}.ron")), &[]).scenario.tags.contains(&"long".to_owned())
    });
    let known: BTreeSet<String> = baseline.scenarios().into_iter().map(str::to_owned).collect();
    assert_eq!(known, stories, "`cooltwin baseline update` renews it");
    let updates = baseline.margins.keys().filter(|(_, budget)| budget == "pump-update").count();
    let campaigns =
        stories.iter().filter(|name| loaded(&common::shipped(&format!("{name}.ron")), &[]).scenario.campaign);
    assert!(updates * 2 > campaigns.count(), "{updates} margins of updates");
}

#[test]
fn a_tolerance_of_a_name_or_unit_that_no_margin_has_is_named_with_the_nearest() {
    let told = |tolerance| baseline_of(&report("4000"), &[tolerance]).misnamed_tolerance();
    assert_eq!(told(("pump-update", "500", "ms")), None);
    assert_eq!(told(("*", "500", "ms")), None);
    let of = |tolerance: &str, why: &str| Some(format!("the tolerance `{tolerance}` is of no margin: {why}"));
    let near = "no budget in it has that name; did you mean `pump-update`?";
    assert_eq!(told(("pump-updte", "500", "ms")), of("pump-updte 500 ms", near));
    assert_eq!(told(("elsewhere", "5", "ms")), of("elsewhere 5 ms", "no budget in it has that name"));
    assert_eq!(told(("pump-update", "1", "s")), of("pump-update 1 s", "those of that name are in ms"));
    assert_eq!(told(("*", "1", "mss")), of("* 1 mss", "none is in that unit"));
}
