//! Holds the record of a bundle against this program: what differs, by name.
//!
//! Words: an *altered* thing is one that nobody may change after the fact; *another build* is a program of other sources,
//! another compiler or another executable, by which a bundle can be run again but not confirmed.

use std::collections::{BTreeMap, BTreeSet};

use reports::{Baseline, Bundle, CrateSources, Planned, Program, Requirement};

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was made by another build.
    OtherBuild,
    /// Something was altered, is missing or does not belong there.
    Altered,
    /// A run gives another result with the same trace.
    Result,
    /// A run gives another trace.
    Trace,
}

/// Something that is not as the bundle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub kind: Kind,
    /// What it is, for people.
    pub text: String,
}

impl Finding {
    /// A finding of that kind.
    #[must_use]
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// Holds program, baseline and counts of a bundle against this program.
#[must_use]
pub fn compare(told: &Bundle, told_baseline: &Baseline, own: &Program, own_baseline: &Baseline) -> Vec<Finding> {
    let mut findings = builds(&told.program, own);
    findings.extend(baselines(told_baseline, own_baseline));
    // A row has a revision, by which one of another program is told from one that was edited. The statements have none:
    // they are part of the crate that writes the pages, so that another build of it may have others.
    if told_baseline.statements != own_baseline.statements {
        let kind = if writers(&told.program) == writers(own) { Kind::Altered } else { Kind::OtherBuild };
        findings.push(Finding::new(kind, "the statements of what no run shows differ"));
    }
    findings.extend(counts(told));
    findings
}

/// How two programs differ.
#[must_use]
pub fn builds(told: &Program, own: &Program) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut differ = |what: &str, told: &str, own: &str| {
        if told != own {
            findings.push(Finding::new(Kind::OtherBuild, format!("{what}: the bundle has {told}, this program {own}")));
        }
    };
    // Taken apart in full, so that a new part of the identity cannot be left out.
    let Program { version, commit, rustc, target, profile, features, lock_sha256, binary_sha256, crates } = told;
    differ("compiler", rustc, &own.rustc);
    differ("version", version, &own.version);
    differ("commit", commit, &own.commit);
    differ("platform", target, &own.target);
    differ("profile", profile, &own.profile);
    differ("features", &features.join(" "), &own.features.join(" "));
    differ("Cargo.lock", lock_sha256, &own.lock_sha256);
    differ("executable", binary_sha256, &own.binary_sha256);
    let names: BTreeSet<&str> = crates.iter().chain(&own.crates).map(|each| each.name.as_str()).collect();
    for name in names {
        let hash = |list: &[CrateSources]| {
            list.iter().find(|each| each.name == name).map_or_else(|| "none".to_owned(), |each| each.sha256.clone())
        };
        differ(&format!("sources of {name}"), &hash(crates), &hash(&own.crates));
    }
    findings
}

/// The sources of the crate that holds the baseline and writes the pages.
fn writers(program: &Program) -> Option<&CrateSources> {
    program.crates.iter().find(|each| each.name == "reports")
}

/// How two baselines differ, row by row.
fn baselines(told: &Baseline, own: &Baseline) -> Vec<Finding> {
    let by_id = |baseline: &Baseline| -> BTreeMap<String, Requirement> {
        baseline.requirements.iter().map(|row| (row.id.clone(), row.clone())).collect()
    };
    let (told_rows, own_rows) = (by_id(told), by_id(own));
    let ids: BTreeSet<&String> = told_rows.keys().chain(own_rows.keys()).collect();
    let mut findings = Vec::new();
    for id in ids {
        let text = match (told_rows.get(id), own_rows.get(id)) {
            (Some(told), Some(own)) if told == own => continue,
            (Some(told), Some(own)) if told.revision == own.revision => {
                format!("requirement {id} was edited: the texts of revision {} differ", own.revision)
            }
            (Some(told), Some(own)) => {
                format!("requirement {id}: the bundle has revision {}, this program {}", told.revision, own.revision)
            }
            (Some(_), None) => format!("requirement {id} is not in the baseline of this program"),
            (None, _) => format!("requirement {id} is missing in the bundle"),
        };
        findings.push(Finding::new(Kind::Altered, text));
    }
    findings
}

/// What was planned is there, once each, and nothing else.
fn counts(told: &Bundle) -> Vec<Finding> {
    let mut left: BTreeMap<Planned, i64> = BTreeMap::new();
    for planned in &told.planned {
        *left.entry(planned.clone()).or_default() += 1;
    }
    let runs = told.runs.iter().map(|run| Planned { name: run.name.clone(), seed: run.seed.clone() });
    let others = told.invalid.iter().chain(&told.skipped).map(|each| each.planned.clone());
    for ended in runs.chain(others) {
        *left.entry(ended).or_default() -= 1;
    }
    let text = |(planned, left): (Planned, i64)| match left {
        0 => None,
        1.. => Some(format!("{}, seed {} was planned and is missing", planned.name, planned.seed)),
        _ => Some(format!("{}, seed {} was not planned, or stands twice", planned.name, planned.seed)),
    };
    left.into_iter().filter_map(text).map(|text| Finding::new(Kind::Altered, text)).collect()
}

#[cfg(test)]
mod tests {
    use reports::{Origin, RunRecord, Verdict, baseline};

    use super::*;

    fn texts(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.text.as_str()).collect()
    }

    #[test]
    fn each_part_of_another_build_is_named() {
        let own = crate::evidence::program("aa");
        assert!(builds(&own, &own).is_empty());
        let mut told = own.clone();
        told.rustc = "1.94.0".to_owned();
        told.crates[0].sha256 = "00".to_owned();
        told.crates.pop();
        let findings = builds(&told, &own);
        assert_eq!(findings.len(), 3);
        assert!(findings[0].text.starts_with("compiler: the bundle has 1.94.0"), "{}", findings[0].text);
        assert!(findings.iter().all(|finding| finding.kind == Kind::OtherBuild));
    }

    #[test]
    fn an_edited_a_renumbered_and_a_missing_requirement_are_named() {
        let mut told = baseline().clone();
        told.requirements[40].criterion.push_str(" Or so.");
        told.requirements[41].revision = 7;
        let gone = told.requirements.pop().expect("a row").id;
        let findings = baselines(&told, baseline());
        assert_eq!(
            texts(&findings),
            [
                "requirement PFU-041 was edited: the texts of revision 1 differ".to_owned(),
                "requirement PFU-042: the bundle has revision 7, this program 1".to_owned(),
                format!("requirement {gone} is missing in the bundle"),
            ]
        );
    }

    #[test]
    fn other_statements_are_altered_unless_the_crate_that_holds_them_is_another_one() {
        let own = crate::evidence::program("aa");
        let mut told = Bundle { program: own.clone(), ..Bundle::default() };
        let mut told_baseline = baseline().clone();
        told_baseline.statements.pop().expect("a statement");
        let kind = |told: &Bundle| {
            let findings = compare(told, &told_baseline, &own, baseline());
            findings.iter().find(|each| each.text.starts_with("the statements")).expect("named").kind
        };
        assert_eq!(kind(&told), Kind::Altered);
        let reports = told.program.crates.iter_mut().find(|each| each.name == "reports").expect("the crate");
        reports.sha256 = "00".to_owned();
        assert_eq!(kind(&told), Kind::OtherBuild);
    }

    #[test]
    fn what_was_planned_is_there_once() {
        let planned = |name: &str| Planned { name: name.to_owned(), seed: "1".to_owned() };
        let run = |name: &str| RunRecord {
            name: name.to_owned(),
            seed: "1".to_owned(),
            folder: String::new(),
            result_sha256: String::new(),
            events_kept: true,
            verdict: Verdict::Pass,
            stated: false,
            retries: 0,
            difference: None,
            origin: Origin::Run,
            build: reports::Build::default(),
        };
        let mut bundle =
            Bundle { planned: vec![planned("a"), planned("b")], runs: vec![run("a")], ..Bundle::default() };
        assert_eq!(texts(&counts(&bundle)), ["b, seed 1 was planned and is missing"]);
        bundle.runs.push(run("b"));
        assert!(counts(&bundle).is_empty());
        bundle.runs.push(run("b"));
        assert_eq!(texts(&counts(&bundle)), ["b, seed 1 was not planned, or stands twice"]);
    }
}
