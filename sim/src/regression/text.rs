//! Suites, drifts and comparisons as tables for people.
//!
//! Numbers are rounded as in every report, but a change is never rounded to nothing: a drift of a nanosecond is one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::Style;
use reports::{Fixed, Report, Verdict, exact_amount, signed_amount};

use super::baseline::Baseline;
use super::compare::Comparison;
use super::drift::{Drift, IdentityChange, Kind, MarginDrift};
use super::events::Divergence;
use super::gate::{Standing, Wanted, as_stated, retries, retries_words, standing_of_case};
use super::suite::{Case, Difference};
use crate::scenario::Scenario;

/// What a word means for the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

struct Cell(String, Tone);

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self(text.into(), Tone::Plain)
    }

    fn dim(text: impl Into<String>) -> Self {
        Self(text.into(), Tone::Dim)
    }

    fn painted(&self, color: bool) -> String {
        let style = Style::new().force_styling(color);
        let style = match self.1 {
            Tone::Plain => return self.0.clone(),
            Tone::Good => style.green(),
            Tone::Warn => style.yellow(),
            Tone::Bad => style.red().bold(),
            Tone::Dim => style.dim(),
        };
        style.apply_to(&self.0).to_string()
    }
}

/// Rows with their cells below each other, two blanks between columns; those in `right` end at the same column.
fn columns(rows: &[Vec<Cell>], right: &[usize], color: bool) -> String {
    let length = |cell: &Cell| cell.0.chars().count();
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0);
    let widths: Vec<usize> = (0..most).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(widths[column] - length(cell));
            let gap = if column + 1 < row.len() { "  " } else { "" };
            let painted = cell.painted(color);
            let _ = if right.contains(&column) {
                write!(line, "{fill}{painted}{gap}")
            } else {
                write!(line, "{painted}{fill}{gap}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The verdict of a case in words: `pass, 2 retries`, `INCONCLUSIVE, as stated`.
#[must_use]
pub fn case_words(scenario: &Scenario, case: &Case) -> String {
    case_cell(scenario, case).0
}

fn case_cell(scenario: &Scenario, case: &Case) -> Cell {
    let report = match (&case.result, &case.difference) {
        (Err(_), _) => return Cell("PANIC OF THE TWIN".to_owned(), Tone::Bad),
        (Ok(_), Some(_)) => return Cell("NOT REPEATABLE".to_owned(), Tone::Bad),
        (Ok(report), None) => report,
    };
    match (report.verdict, retries(report)) {
        (Verdict::Pass, 0) => Cell("pass".to_owned(), Tone::Good),
        (Verdict::Pass, some) => Cell(format!("pass, {}", retries_words(some)), Tone::Warn),
        (other, _) => {
            let word = other.word().to_uppercase();
            let stated = as_stated(scenario, report);
            let tone = if stated || other == Verdict::Inconclusive { Tone::Warn } else { Tone::Bad };
            Cell(if stated { format!("{word}, as stated") } else { word }, tone)
        }
    }
}

/// One line for each case: verdict, tightest budget with its margin, how it stands to the baseline, trace.
#[must_use]
pub fn suite_table(scenarios: &[&Scenario], cases: &[Case], drift: Option<&Drift>, color: bool) -> String {
    let mut head = vec!["Scenario", "Verdict", "Tightest budget", "Margin"];
    head.extend(drift.map(|_| "Baseline"));
    head.push("Trace");
    let mut rows = vec![head.into_iter().map(Cell::dim).collect::<Vec<_>>()];
    for (scenario, case) in scenarios.iter().zip(cases) {
        let report = case.result.as_ref().ok();
        let tightest = report.and_then(Report::tightest);
        let trace: String = report.map_or("-", |report| report.fingerprint.all.as_str()).chars().take(12).collect();
        let mut row = vec![
            Cell::plain(&scenario.name),
            case_cell(scenario, case),
            Cell::plain(tightest.map_or("-", |budget| &budget.id)),
            Cell::plain(tightest.map_or_else(|| "-".to_owned(), reports::margin_words)),
        ];
        row.extend(drift.map(|drift| standing_cell(drift, &scenario.name)));
        row.push(Cell::dim(trace));
        rows.push(row);
    }
    columns(&rows, &[3], color)
}

/// The last line: how the suite stands, how many cases came to what, and which do not stand well.
#[must_use]
pub fn suite_line(scenarios: &[&Scenario], cases: &[Case], wanted: Wanted, standing: Standing, color: bool) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bad: Vec<String> = Vec::new();
    for (scenario, case) in scenarios.iter().zip(cases) {
        *counts.entry(group(scenario, case)).or_default() += 1;
        if standing_of_case(scenario, case, wanted) != Standing::Good {
            bad.push(scenario.name.clone());
        }
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let (word, tone) = match standing {
        Standing::Good => ("PASS", Tone::Good),
        Standing::Retries => ("RETRIES", Tone::Warn),
        Standing::Inconclusive => ("INCONCLUSIVE", Tone::Warn),
        Standing::Worse => ("WORSE THAN THE BASELINE", Tone::Bad),
        Standing::Fail => ("FAIL", Tone::Bad),
        Standing::Unrepeatable => ("NOT REPEATABLE", Tone::Bad),
        Standing::OwnFault => ("PANIC OF THE TWIN", Tone::Bad),
    };
    let word = Cell(word.to_owned(), tone).painted(color);
    let bad = if bad.is_empty() { String::new() } else { format!("; see {}", name_list(&bad)) };
    let all = if cases.len() == 1 { "1 scenario".to_owned() } else { format!("{} scenarios", cases.len()) };
    format!("{word}  {all}, each run twice: {}{bad}\n", counts.join(", "))
}

/// What a case is counted as.
fn group(scenario: &Scenario, case: &Case) -> &'static str {
    match (&case.result, &case.difference) {
        (Err(_), _) => "with a panic of the twin",
        (Ok(_), Some(_)) => "not repeatable",
        (Ok(report), None) if report.verdict != Verdict::Pass && as_stated(scenario, report) => {
            "without a pass, as stated"
        }
        (Ok(report), None) => match (report.verdict, retries(report)) {
            (Verdict::Pass, 0) => "pass",
            (Verdict::Pass, _) => "pass with retries",
            (other, _) => other.word(),
        },
    }
}

/// The worst that befell the margins of a scenario.
fn standing_cell(drift: &Drift, scenario: &str) -> Cell {
    if drift.not_in_baseline.iter().any(|name| name == scenario) {
        return Cell("not in it".to_owned(), Tone::Warn);
    }
    let worst = drift.margins.iter().filter(|margin| margin.scenario == scenario).map(|margin| margin.kind).max();
    worst.map_or_else(|| Cell::dim("no margin"), |kind| Cell(shown(kind), tone(kind)))
}

/// What needs attention is in capitals.
fn shown(kind: Kind) -> String {
    if kind.is_worse() { kind.word().to_uppercase() } else { kind.word().to_owned() }
}

const fn tone(kind: Kind) -> Tone {
    match kind {
        Kind::Equal => Tone::Dim,
        Kind::Within => Tone::Plain,
        Kind::Better | Kind::New => Tone::Warn,
        Kind::Worse | Kind::Missing => Tone::Bad,
    }
}

/// The drift budget by budget, those that did not move left out, then what changed in the traces. Scenarios of the
/// baseline that were not run are named, as far as a line holds them; those that nobody asked for are counted.
#[must_use]
pub fn drift_text(drift: &Drift, color: bool) -> String {
    let counts = [Kind::Worse, Kind::Missing, Kind::New, Kind::Better, Kind::Within, Kind::Equal]
        .map(|kind| (drift.of(kind).count(), kind))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {}", kind.word()))
        .collect::<Vec<_>>();
    let mut text =
        format!("{}\n", if counts.is_empty() { "no margin to compare".to_owned() } else { counts.join(", ") });
    let mut moved: Vec<&MarginDrift> = drift.margins.iter().filter(|margin| margin.kind != Kind::Equal).collect();
    moved.sort_by_key(|margin| std::cmp::Reverse(margin.kind));
    text.push_str(&columns(&moved.into_iter().map(drift_row).collect::<Vec<_>>(), &[3, 5, 6], color));
    let mut names = |what: &str, names: &[String], tone: Tone| {
        if !names.is_empty() {
            let _ = writeln!(text, "  {}  {}", Cell(what.to_owned(), tone).painted(color), name_list(names));
        }
    };
    names("IN THE BASELINE, NOT RUN", &drift.not_run, Tone::Bad);
    let further = match drift.not_asked {
        0 => Vec::new(),
        1 => vec!["1 further scenario of the baseline".to_owned()],
        more => vec![format!("{more} further scenarios of the baseline")],
    };
    names("not run", &further, Tone::Dim);
    names("not in the baseline", &drift.not_in_baseline, Tone::Warn);
    text + &identities_text(&drift.identities)
}

/// Characters that a list of names may fill of a line.
const NAMES_WIDTH: usize = 90;

/// Names on one line: all of them where they fit, else the first ones and how many more there are.
#[must_use]
pub fn name_list(names: &[String]) -> String {
    let fits = |count: &usize| names[..*count].join(", ").chars().count() <= NAMES_WIDTH;
    let shown = (1..=names.len()).rev().find(fits).unwrap_or(names.len().min(1));
    let list = names[..shown].join(", ");
    match names.len() - shown {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

fn drift_row(margin: &MarginDrift) -> Vec<Cell> {
    let change = margin.change();
    let amount = |amount: Option<&super::Amount>| {
        Cell::plain(amount.map_or_else(|| "-".to_owned(), |amount| signed_amount(amount.value, &amount.unit)))
    };
    let unit = margin.new.as_ref().map_or("", |amount| &amount.unit);
    let change = change.map_or_else(String::new, |change| signed_amount(change, unit));
    let tolerance =
        margin.tolerance.map_or_else(String::new, |tolerance| format!("tolerance {}", exact_amount(tolerance, unit)));
    vec![
        Cell(format!("  {}", shown(margin.kind)), tone(margin.kind)),
        Cell::plain(&margin.scenario),
        Cell::plain(&margin.budget),
        amount(margin.old.as_ref()),
        Cell::dim("->"),
        amount(margin.new.as_ref()),
        Cell::plain(change),
        Cell::dim(tolerance),
    ]
}

/// Scenarios with the same changes share a line.
fn identities_text(changes: &[IdentityChange]) -> String {
    let mut by_what: BTreeMap<(bool, String), Vec<&str>> = BTreeMap::new();
    for change in changes {
        by_what.entry((change.scenario_changed, change.domains.join(", "))).or_default().push(&change.scenario);
    }
    let mut text = String::new();
    for ((scenario, domains), names) in by_what {
        let what = match (scenario, domains.as_str()) {
            (true, "") => "  scenario changed, trace equal".to_owned(),
            (true, domains) => format!("  scenario changed, trace differs in {domains}"),
            (false, domains) => format!("  trace differs in {domains}"),
        };
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let _ = writeln!(text, "{what}: {}", name_list(&names));
    }
    text
}

/// How two runs of one scenario differ.
#[must_use]
pub fn difference_text(difference: &Difference) -> String {
    let mut text = match difference.domains.split_first() {
        Some((first, [])) => format!("the traces differ in {first}\n"),
        Some((first, rest)) => format!("the traces differ first in {first}, then in {}\n", rest.join(", ")),
        None => "the traces are equal\n".to_owned(),
    };
    if !difference.fields.is_empty() {
        let _ = writeln!(text, "the results differ in {}", difference.fields.join(", "));
    }
    match &difference.first {
        Some(divergence) => text.push_str(&divergence_text(divergence, ["first run ", "second run"])),
        None => text.push_str("the event logs are equal\n"),
    }
    text
}

/// Where two logs part, with what stands on each side.
#[must_use]
pub fn divergence_text(divergence: &Divergence, names: [&str; 2]) -> String {
    let mut text = format!("first event that differs: number {}\n", divergence.number);
    for (name, event) in names.iter().zip(&divergence.events) {
        let event = event.as_ref().map_or_else(|| "the log has ended".to_owned(), ToString::to_string);
        let _ = writeln!(text, "  {name}  {event}");
    }
    text
}

/// Two results side by side, without their events.
#[must_use]
pub fn comparison_text(comparison: &Comparison, color: bool) -> String {
    let mut text = String::new();
    for cause in &comparison.causes {
        let _ = writeln!(text, "differs  {cause}");
    }
    let margin =
        |margin: Option<Fixed>, unit: &str| margin.map_or_else(|| "-".to_owned(), |value| signed_amount(value, unit));
    let mut rows = vec![["Budget", "Margin A", "Margin B", "Change"].map(Cell::dim).into()];
    rows.extend(comparison.margins.iter().map(|pair| {
        let change = pair.change();
        let tone = match change.map(Fixed::as_millionths) {
            Some(0) => Tone::Dim,
            Some(1..) => Tone::Good,
            Some(_) | None => Tone::Warn,
        };
        vec![
            Cell::plain(&pair.budget),
            Cell::plain(margin(pair.margins[0], &pair.unit)),
            Cell::plain(margin(pair.margins[1], &pair.unit)),
            Cell(margin(change, &pair.unit), tone),
        ]
    }));
    text.push_str(&columns(&rows, &[1, 2, 3], color));
    for (row, [a, b]) in &comparison.verdicts {
        let _ = writeln!(text, "verdict of {row}: {a} -> {b}");
    }
    if comparison.domains.is_empty() {
        text.push_str("the traces are equal\n");
    } else {
        let _ = writeln!(text, "the traces differ in {}", comparison.domains.join(", "));
    }
    if !comparison.fields.is_empty() {
        let _ = writeln!(text, "the results differ in {}", comparison.fields.join(", "));
    }
    text
}

/// A baseline as a table: margins with their tolerances as far as the baseline states them.
#[must_use]
pub fn margins_text(baseline: &Baseline, color: bool) -> String {
    let mut rows = vec![["Scenario", "Budget", "Margin", "Tolerance"].map(Cell::dim).into()];
    for ((scenario, budget), margin) in &baseline.margins {
        let stated = |id: &str| baseline.tolerances.get(&(id.to_owned(), margin.unit.clone()));
        let tolerance = stated(budget).or_else(|| stated("*"));
        let tolerance = tolerance.map_or("1 % of the limit".to_owned(), |value| exact_amount(*value, &margin.unit));
        let margin = Cell::plain(signed_amount(margin.value, &margin.unit));
        rows.push(vec![Cell::plain(scenario), Cell::plain(budget), margin, Cell::plain(tolerance)]);
    }
    columns(&rows, &[2, 3], color)
}
