//! Verdicts as shape and word: a reader without colours, or with none at all, reads the same.

use maud::{Markup, PreEscaped, html};

use crate::verdict::{RowVerdict, Verdict};

/// The paths of a shape in a square of 16, drawn in the colour of the word beside it.
fn shape(path: &'static str) -> Markup {
    let open = "<svg class=\"shape\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" focusable=\"false\">";
    PreEscaped(format!("{open}<path fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" d=\"{path}\"/></svg>"))
}

/// A circle with a tick.
const TICK: &str = "M8 1a7 7 0 1 0 .01 0ZM4.5 8l2.5 3 4.5-6";
/// An octagon with a cross.
const CROSS: &str = "M5 1h6l4 4v6l-4 4H5l-4-4V5ZM5 5l6 6M11 5l-6 6";
/// A triangle with an exclamation mark.
const WARNING: &str = "M8 1.5 15 14.5H1ZM8 6v4M8 11.5v1.5";
/// A square with an exclamation mark.
const BROKEN: &str = "M1.5 1.5h13v13h-13ZM8 4v5M8 10.5v2";
/// A bar.
const BAR: &str = "M3 8h10";
/// An octagon with a tick: broken, as it was meant to be.
const EXPECTED: &str = "M5 1h6l4 4v6l-4 4H5l-4-4V5ZM4.5 8l2.5 3 4.5-6";

/// The verdict of a run in large letters.
pub(crate) fn run(verdict: Verdict) -> Markup {
    let (class, path) = match verdict {
        Verdict::Pass => ("good", TICK),
        Verdict::Inconclusive => ("warn", WARNING),
        Verdict::Fail => ("bad", CROSS),
        Verdict::Error => ("bad", BROKEN),
    };
    html! { span class={ "verdict " (class) } { (shape(path)) (verdict.word().to_uppercase()) } }
}

/// Something of the same weight as a verdict of a run that is good, or needs attention.
pub(crate) fn banner(good: bool, words: &str) -> Markup {
    let (class, path) = if good { ("good", TICK) } else { ("warn", WARNING) };
    html! { span class={ "verdict " (class) } { (shape(path)) (words) } }
}

/// The verdict of a row; what needs attention is in capitals.
pub(crate) fn row(verdict: RowVerdict) -> Markup {
    named(verdict, verdict.word())
}

/// The shape of a verdict with another word for it.
pub(crate) fn named(verdict: RowVerdict, word: &str) -> Markup {
    let (class, path, word) = match verdict {
        RowVerdict::Pass => ("good", TICK, word.to_owned()),
        RowVerdict::Fail => ("bad", CROSS, word.to_uppercase()),
        RowVerdict::Error => ("bad", BROKEN, word.to_uppercase()),
        RowVerdict::Inconclusive | RowVerdict::NotRun => ("warn", WARNING, word.to_uppercase()),
        RowVerdict::ExpectedFail => ("warn", EXPECTED, word.to_owned()),
        RowVerdict::Info | RowVerdict::NotApplicable => ("dim", BAR, word.to_owned()),
    };
    html! { span class={ "word " (class) } { (shape(path)) (word) } }
}

/// Anything else that needs attention or not.
pub(crate) fn word(bad: bool, text: &str) -> Markup {
    let (class, path) = if bad { ("bad", CROSS) } else { ("good", TICK) };
    html! { span class={ "word " (class) } { (shape(path)) (text) } }
}
