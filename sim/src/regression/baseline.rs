//! The baseline: margins and fingerprints of a known state, as text that reads well in a diff.
//!
//! ```text
//!   # cooltwin.baseline/1
//!   [tolerances]                       by hand: how much a margin may shrink
//!   pump-update 500 ms                 of this budget, in every scenario
//!   * 50 ms                            of all other budgets in this unit
//!   [margins]                          written: one number a line, sorted
//!   small pump-update 3412.55 ms       scenario, budget, margin, unit
//!   [fingerprints]                     written: what else may have changed, sorted
//!   small bus 0f3a..                   scenario, domain of the trace or `scenario` for its SHA-256, value
//! ```
//! A budget without a tolerance of its own or of its unit may lose a hundredth of its limit, of a window its width.
//! In a budget's name white space, `%`, `#`, `[` and a lone `*` stand as `%` and two hexadecimal digits, so that no name
//! passes for a comment, a section or all budgets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use reports::{Budget, Fixed, Report};

use crate::scenario::diagnostic::nearest;

/// First line of each baseline.
const HEAD: &str = "# cooltwin.baseline/1";
const HELP: &str = "# Written by `cooltwin baseline update`, which keeps the tolerances; those are edited by hand.\n";

/// A number with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The number.
    pub value: Fixed,
    /// The unit, as budgets have it: `ms`, `%`, `mV`, ...
    pub unit: String,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

/// Margins and fingerprints of a known state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// By budget (`*` for all others) and unit: how much a margin may shrink. Never negative.
    pub tolerances: BTreeMap<(String, String), Fixed>,
    /// By scenario and budget.
    pub margins: BTreeMap<(String, String), Amount>,
    /// By scenario: each domain's fingerprint, and as `scenario` the SHA-256 of the scenario as it ran.
    pub identities: BTreeMap<String, BTreeMap<String, String>>,
}

/// Why a text is no baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Line from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for FormatError {}

/// The part of a baseline that a line belongs to.
#[derive(Clone, Copy)]
enum Section {
    None,
    Tolerances,
    Margins,
    Fingerprints,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// The first line that is not as it should be; also one that says again what an earlier one said.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let mut baseline = Self::default();
        let mut section = Section::None;
        if text.lines().next().map(str::trim_end) != Some(HEAD) {
            return Err(FormatError { line: 1, why: format!("it is not `{HEAD}`") });
        }
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let wrong = |why: String| FormatError { line: number, why };
            match line {
                "" => {}
                "[tolerances]" => section = Section::Tolerances,
                "[margins]" => section = Section::Margins,
                "[fingerprints]" => section = Section::Fingerprints,
                _ if line.starts_with('#') => {}
                _ => baseline.line(section, line).map_err(wrong)?,
            }
        }
        Ok(baseline)
    }

    fn line(&mut self, section: Section, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let again = match (section, &words[..]) {
            (Section::Tolerances, [budget, value, unit]) => {
                let value = number(value)?;
                if value < Fixed::ZERO {
                    return Err("a tolerance is not negative".to_owned());
                }
                let budget = if *budget == "*" { (*budget).to_owned() } else { decoded(budget)? };
                self.tolerances.insert((budget, (*unit).to_owned()), value).is_some()
            }
            (Section::Margins, [scenario, budget, value, unit]) => {
                let margin = Amount { value: number(value)?, unit: (*unit).to_owned() };
                self.margins.insert(((*scenario).to_owned(), decoded(budget)?), margin).is_some()
            }
            (Section::Fingerprints, [scenario, what, value]) => {
                let of = self.identities.entry((*scenario).to_owned()).or_default();
                of.insert((*what).to_owned(), (*value).to_owned()).is_some()
            }
            (Section::None, _) => return Err("it stands before the first section".to_owned()),
            (Section::Tolerances, _) => return Err("expected: budget tolerance unit".to_owned()),
            (Section::Margins, _) => return Err("expected: scenario budget margin unit".to_owned()),
            (Section::Fingerprints, _) => return Err("expected: scenario domain fingerprint".to_owned()),
        };
        if again { Err("an earlier line says this already".to_owned()) } else { Ok(()) }
    }

    /// The whole text, as it is committed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}\n{HELP}\n[tolerances]\n");
        for ((budget, unit), value) in &self.tolerances {
            let budget = if budget == "*" { "*".to_owned() } else { encoded(budget) };
            let _ = writeln!(text, "{budget} {value} {unit}");
        }
        text.push_str("\n[margins]\n");
        for ((scenario, budget), margin) in &self.margins {
            let _ = writeln!(text, "{scenario} {} {margin}", encoded(budget));
        }
        text.push_str("\n[fingerprints]\n");
        for (scenario, identities) in &self.identities {
            for (what, value) in identities {
                let _ = writeln!(text, "{scenario} {what} {value}");
            }
        }
        text
    }

    /// Takes over what this run gave, instead of what stood here of its scenario.
    pub fn take(&mut self, report: &Report) {
        let name = &report.scenario.name;
        self.remove(name);
        for budget in &report.budgets {
            if let Some(value) = budget.margin {
                let margin = Amount { value, unit: budget.unit.clone() };
                self.margins.insert((name.clone(), budget.id.clone()), margin);
            }
        }
        self.identities.insert(name.clone(), identities(report));
    }

    /// Removes a scenario.
    pub fn remove(&mut self, scenario: &str) {
        self.margins.retain(|(of, _), _| of != scenario);
        self.identities.remove(scenario);
    }

    /// Names of the scenarios in it.
    #[must_use]
    pub fn scenarios(&self) -> BTreeSet<&str> {
        let with_margins = self.margins.keys().map(|(scenario, _)| scenario.as_str());
        self.identities.keys().map(String::as_str).chain(with_margins).collect()
    }

    /// Margins of a scenario by budget.
    pub fn margins_of<'a>(&'a self, scenario: &'a str) -> impl Iterator<Item = (&'a str, &'a Amount)> {
        self.margins.iter().filter(move |((of, _), _)| of == scenario).map(|((_, id), margin)| (id.as_str(), margin))
    }

    /// What is wrong with the first tolerance that no margin of this baseline has: a name mistyped by hand would leave a budget
    /// to the default without a word.
    #[must_use]
    pub fn misnamed_tolerance(&self) -> Option<String> {
        self.tolerances.iter().find_map(|((budget, unit), value)| {
            let of_name = || self.margins.iter().filter(|((_, id), _)| budget == "*" || id == budget);
            if of_name().any(|(_, margin)| margin.unit == *unit) {
                return None;
            }
            let told = format!("the tolerance `{budget} {value} {unit}` is of no margin");
            let Some((_, margin)) = of_name().next() else {
                let near = nearest(budget, self.margins.keys().map(|(_, id)| id.as_str()));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Some(format!("{told}: no budget in it has that name{near}"));
            };
            let unit = if budget == "*" {
                "none is in that unit".to_owned()
            } else {
                format!("those of that name are in {}", margin.unit)
            };
            Some(format!("{told}: {unit}"))
        })
    }

    /// How much the margin of a budget may shrink.
    #[must_use]
    pub fn tolerance(&self, budget: &Budget) -> Fixed {
        let stated = |id: &str| self.tolerances.get(&(id.to_owned(), budget.unit.clone())).copied();
        stated(&budget.id).or_else(|| stated("*")).unwrap_or_else(|| a_hundredth(budget))
    }
}

/// A hundredth of what margins are shares of.
fn a_hundredth(budget: &Budget) -> Fixed {
    Fixed::from_millionths(budget.scale().as_millionths() / 100)
}

/// What a run's trace and scenario are, by name.
pub(super) fn identities(report: &Report) -> BTreeMap<String, String> {
    let present = report.fingerprint.domains().into_iter().filter(|(_, value)| !value.is_empty());
    let of_domains = present.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let whole =
        [("all".to_owned(), report.fingerprint.all.clone()), ("scenario".to_owned(), report.scenario.sha256.clone())];
    of_domains.chain(whole).collect()
}

fn number(text: &str) -> Result<Fixed, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// A name that stands as one word and begins nothing else.
fn encoded(name: &str) -> String {
    if name == "*" {
        return "%2A".to_owned();
    }
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_whitespace() || letter.is_control() || matches!(letter, '%' | '#' | '[') {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().for_each(|byte| {
                let _ = write!(out, "%{byte:02X}");
            });
        } else {
            out.push(letter);
        }
    }
    out
}

/// The name that [`encoded`] wrote.
fn decoded(word: &str) -> Result<String, String> {
    let wrong = || format!("`{word}` is no name of a budget");
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            u8::from_str_radix(digits, 16).map_err(|_| wrong())?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
