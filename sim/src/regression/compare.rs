//! Two results side by side: margins, verdicts, fingerprints by domain.

use reports::{Budget, Fingerprint, Fixed, Report};
use serde_json::Value;

/// Names of the domains whose fingerprints differ. When none does, but that of the whole, `order` stands for it: the
/// same records came in another order between domains.
#[must_use]
pub fn unequal_domains(a: &Fingerprint, b: &Fingerprint) -> Vec<&'static str> {
    let pairs = a.domains().into_iter().zip(b.domains());
    let differ: Vec<&str> = pairs.filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0).collect();
    if differ.is_empty() && a.all != b.all { vec!["order"] } else { differ }
}

/// Names of the parts of two results that differ, in the order of the alphabet; `ignored` ones are not looked at.
#[must_use]
pub fn fields_that_differ(a: &Report, b: &Report, ignored: &[&str]) -> Vec<String> {
    let [a, b] = [a, b].map(|report| serde_json::to_value(report).unwrap_or_default());
    let (Value::Object(a), Value::Object(b)) = (a, b) else { return Vec::new() };
    let differ = a.iter().filter(|(name, value)| b.get(*name) != Some(value) && !ignored.contains(&name.as_str()));
    differ.map(|(name, _)| name.clone()).collect()
}

/// A budget in two results.
#[derive(Clone, Debug, PartialEq)]
pub struct MarginPair {
    /// Its id.
    pub budget: String,
    /// Its unit; that of the first result that has it.
    pub unit: String,
    /// The margin in each result; none where the budget is missing or was not measured.
    pub margins: [Option<Fixed>; 2],
}

impl MarginPair {
    /// How much the margin has grown from the first to the second; none unless both have one.
    #[must_use]
    pub fn change(&self) -> Option<Fixed> {
        let [a, b] = self.margins.map(|margin| margin.map(Fixed::as_millionths));
        Some(Fixed::from_millionths(b?.saturating_sub(a?)))
    }
}

/// Two results side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Budgets of either result, those of the first one first.
    pub margins: Vec<MarginPair>,
    /// Rows whose verdicts differ: what it is, and both verdicts; `-` where the row is missing.
    pub verdicts: Vec<(String, [String; 2])>,
    /// Domains whose fingerprints differ.
    pub domains: Vec<&'static str>,
    /// Parts of the results that differ, but fingerprints and build.
    pub fields: Vec<String>,
    /// What else is not the same and may explain the rest: scenario, seed, build.
    pub causes: Vec<String>,
}

impl Comparison {
    /// Whether the results tell the same, whichever program made them.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.domains.is_empty() && self.fields.is_empty()
    }
}

/// Sets two results side by side.
#[must_use]
pub fn compare(a: &Report, b: &Report) -> Comparison {
    Comparison {
        margins: margins(a, b),
        verdicts: verdicts(a, b),
        domains: unequal_domains(&a.fingerprint, &b.fingerprint),
        fields: fields_that_differ(a, b, &["fingerprint", "build"]),
        causes: causes(a, b),
    }
}

fn margins(a: &Report, b: &Report) -> Vec<MarginPair> {
    let only_b = b.budgets.iter().filter(|budget| a.budget(&budget.id).is_none());
    let margin = |report: &Report, id: &str| report.budget(id).and_then(|budget| budget.margin);
    let pair = |budget: &Budget| MarginPair {
        budget: budget.id.clone(),
        unit: budget.unit.clone(),
        margins: [margin(a, &budget.id), margin(b, &budget.id)],
    };
    a.budgets.iter().chain(only_b).map(pair).collect()
}

/// All rows of a report by name with the words of their verdicts.
fn rows(report: &Report) -> Vec<(String, &'static str)> {
    let run = ("the run".to_owned(), report.verdict.word());
    let budgets = report.budgets.iter().map(|row| (format!("budget {}", row.id), row.verdict.word()));
    let checks = report.checks.iter().map(|row| (format!("check {}", row.id), row.verdict.word()));
    let expectations = report.expectations.iter().map(|row| (format!("expected: {}", row.text), row.verdict.word()));
    std::iter::once(run).chain(budgets).chain(checks).chain(expectations).collect()
}

fn verdicts(a: &Report, b: &Report) -> Vec<(String, [String; 2])> {
    let (a, b) = (rows(a), rows(b));
    let word = |rows: &[(String, &str)], name: &str| {
        rows.iter().find(|row| row.0 == name).map_or_else(|| "-".to_owned(), |row| row.1.to_owned())
    };
    let only_b = b.iter().filter(|row| a.iter().all(|other| other.0 != row.0));
    let pairs = a.iter().chain(only_b).map(|(name, _)| (name.clone(), [word(&a, name), word(&b, name)]));
    pairs.filter(|(_, words)| words[0] != words[1]).collect()
}

fn causes(a: &Report, b: &Report) -> Vec<String> {
    let mut causes = Vec::new();
    let mut differ = |what: &str, a: &str, b: &str| {
        if a != b {
            causes.push(format!("{what}: {a} and {b}"));
        }
    };
    differ("scenario", &a.scenario.name, &b.scenario.name);
    differ("scenario as it ran, SHA-256", &a.scenario.sha256, &b.scenario.sha256);
    differ("seed", &a.seed.to_string(), &b.seed.to_string());
    differ("version", &a.build.version, &b.build.version);
    differ("commit", &a.build.commit, &b.build.commit);
    differ("compiler", &a.build.rustc, &b.build.rustc);
    causes
}
