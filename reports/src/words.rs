//! Numbers as people read them, the same in every format.
//!
//! Times are rounded here, and only here; where rounding would hide on which side of a limit a value lies, it is
//! printed exactly.

use crate::number::{Fixed, Millis};
use crate::report::{Budget, Check, Outcome};
use crate::safety_frames::{FramesTime, SafetyFrames};
use crate::verdict::RowVerdict;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The highest temperature that the coolant's sensor can tell of: in tenths of a degree, the end of 16 bits with sign.
const TEMPERATURE_MOST: Fixed = Fixed::from_millionths(3_276_700_000);

/// What stands before a temperature of the coolant in degrees Celsius that is the end of what the sensor can tell.
pub(crate) fn beyond(value: Fixed) -> &'static str {
    if value >= TEMPERATURE_MOST { "beyond " } else { "" }
}

/// Millionths rounded half up to `places` (at most six), always with that many digits behind the point.
pub(crate) fn rounded(value: Fixed, places: u32) -> String {
    let unit = 10_u64.pow(6 - places.min(6));
    let sign = if value.as_millionths() < 0 { "-" } else { "" };
    let size = (value.as_millionths().unsigned_abs() + unit / 2) / unit;
    let scale = 10_u64.pow(places.min(6));
    match places {
        0 => format!("{sign}{}", grouped(size)),
        _ => format!("{sign}{}.{:0width$}", grouped(size / scale), size % scale, width = places as usize),
    }
}

/// A whole number with a comma every three digits.
pub(crate) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time: milliseconds below one second, seconds below two minutes, then minutes and seconds.
pub(crate) fn duration(time: Millis) -> String {
    let nanos = time.as_nanos().unsigned_abs();
    let sign = if time.as_nanos() < 0 { "-" } else { "" };
    let millis = (nanos + NANOS_PER_MILLI / 2) / NANOS_PER_MILLI;
    if millis < 1000 {
        let micros = (nanos + 500) / 1000;
        return format!("{sign}{}.{:03} ms", micros / 1000, micros % 1000);
    }
    let (seconds, millis) = (millis / 1000, millis % 1000);
    if seconds < 120 {
        return format!("{sign}{seconds}.{millis:03} s");
    }
    format!("{sign}{} min {:02}.{millis:03} s", seconds / 60, seconds % 60)
}

/// A point of time in ms with three places.
pub(crate) fn milliseconds(time: Millis) -> String {
    format!("{} ms", rounded(time.into(), 3))
}

/// A time without the digits that are zero: limits are round.
pub(crate) fn short_duration(time: Millis) -> String {
    let text = duration(time);
    let Some((whole, rest)) = text.split_once('.') else { return text };
    let Some((digits, unit)) = rest.split_once(' ') else { return text };
    let digits = digits.trim_end_matches('0');
    if let (Some(minutes), true) = (whole.strip_suffix(" min 00"), digits.is_empty()) {
        return format!("{minutes} min");
    }
    if digits.is_empty() { format!("{whole} {unit}") } else { format!("{whole}.{digits} {unit}") }
}

/// A time in seconds with three places, for columns.
pub(crate) fn seconds(time: Millis) -> String {
    let half = if time.as_nanos() < 0 { -500 } else { 500 };
    let micros = time.as_nanos().saturating_add(half) / 1000;
    let text = rounded(Fixed::from_millionths(micros), 3);
    // Rounding to nothing keeps the sign: a limit broken by a microsecond is still broken.
    if time.as_nanos() < 0 && micros == 0 { format!("-{text}") } else { text }
}

/// The same with its sign, for margins.
pub(crate) fn signed_seconds(time: Millis) -> String {
    let text = seconds(time);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// A margin in seconds with its unit, exactly in milliseconds where rounding would leave nothing of it. One of nothing that
/// breaks a strict limit has the sign of a broken one.
pub(crate) fn margin_seconds(margin: Millis, held: bool) -> String {
    let text = signed_seconds(margin);
    if !has_size(&text) && margin != Millis::ZERO {
        return signed_amount(margin.into(), "ms");
    }
    rounded_margin(margin, held)
}

/// The same, rounded in any case.
fn rounded_margin(margin: Millis, held: bool) -> String {
    let text = format!("{} s", signed_seconds(margin));
    if held { text } else { text.replace('+', "-") }
}

/// [`margin_seconds`] for a column of `width`: rounded where it would not fit.
pub(crate) fn margin_in_column(margin: Millis, held: bool, width: usize) -> String {
    let text = margin_seconds(margin, held);
    if text.len() < width { text } else { rounded_margin(margin, held) }
}

/// A time with the safety frames on the bus and without them.
pub(crate) fn frames_time(time: &FramesTime) -> [String; 4] {
    [
        time.id.clone(),
        format!("{} with", duration(time.with_ms)),
        format!("{} without", duration(time.without_ms)),
        format!("difference {}", margin_seconds(time.difference_ms, true)),
    ]
}

/// That no times with and without the safety frames are compared, and why.
pub(crate) fn not_compared(frames: &SafetyFrames) -> String {
    format!("nothing is compared: {}", frames.not_compared)
}

/// A budget's value with its unit: with the digits of the limit, and as many more as show how it stands to it.
pub(crate) fn value(budget: &Budget, value: Fixed) -> String {
    let (unit, least) = (budget.unit.as_str(), limit_places(budget));
    let is_hidden = |shown: Fixed| limits(budget).any(|limit| shown.cmp(&limit) != value.cmp(&limit));
    let places = (least..=6).find(|places| !is_hidden(to_places(value, *places))).unwrap_or(6);
    if is_long(value, unit) {
        let shown = to_places(value, 0);
        return if is_hidden(shown) { format!("{} {unit}", rounded(value, places)) } else { duration(value.into()) };
    }
    amount(value, unit, places)
}

fn limits(budget: &Budget) -> impl Iterator<Item = Fixed> {
    [Some(budget.limit), budget.limit_low].into_iter().flatten()
}

/// Decimal places that the numbers of a budget have at least, in its unit: those of its limits, and three.
fn limit_places(budget: &Budget) -> u32 {
    let needed = |limit: Fixed| (0..6).find(|places| to_places(limit, *places) == limit).unwrap_or(6);
    limits(budget).map(needed).max().unwrap_or(0).max(3)
}

/// Rounded half up, away from zero, to at most six places.
fn to_places(value: Fixed, places: u32) -> Fixed {
    let grain = 10_u64.pow(6 - places.min(6));
    let size = (value.as_millionths().unsigned_abs().saturating_add(grain / 2)) / grain * grain;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Fixed::from_millionths(if value.as_millionths() < 0 { -size } else { size })
}

/// Whether [`duration`] shows a number of milliseconds in seconds.
fn is_long(value: Fixed, unit: &str) -> bool {
    // A millionth of a millisecond is a nanosecond.
    unit == "ms" && (value.as_millionths().unsigned_abs() + NANOS_PER_MILLI / 2) / NANOS_PER_MILLI >= 1000
}

/// A number with its unit: milliseconds with all of these places, others without the digits that are zero.
fn amount(value: Fixed, unit: &str, places: u32) -> String {
    match unit {
        "ms" => format!("{} ms", rounded(value, places)),
        unit => format!("{} {unit}", trimmed(value, places)),
    }
}

fn with_unit(value: Fixed, unit: &str) -> String {
    if is_long(value, unit) { duration(value.into()) } else { amount(value, unit, 3) }
}

/// A value with its unit, rounded unless that would leave nothing of it.
pub(crate) fn rounded_amount(value: Fixed, unit: &str) -> String {
    let text = with_unit(value, unit);
    if has_size(&text) || value == Fixed::ZERO { text } else { format!("{value} {unit}") }
}

/// [`rounded_amount`] with its sign.
#[must_use]
pub fn signed_amount(value: Fixed, unit: &str) -> String {
    let text = rounded_amount(value, unit);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// Whether a number as text is more than zeros.
fn has_size(number: &str) -> bool {
    number.contains(|c: char| ('1'..='9').contains(&c))
}

/// A value with its unit, exact and without the digits that are zero.
#[must_use]
pub fn exact_amount(value: Fixed, unit: &str) -> String {
    match unit {
        "ms" if is_exact(value.into()) => short_duration(value.into()),
        unit => format!("{} {unit}", trimmed(value, 6)),
    }
}

/// At most `places`, without trailing zeros.
fn trimmed(value: Fixed, places: u32) -> String {
    let text = rounded(value, places);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The limit with its relation: `< 70 s`, `499 ms to 503 ms`.
pub(crate) fn limit(budget: &Budget) -> String {
    let show = |value: Fixed| exact_amount(value, &budget.unit);
    match budget.limit_low {
        Some(low) => format!("{} to {}", show(low), show(budget.limit)),
        None if budget.relation == crate::report::Relation::Within => format!("<= {}", show(budget.limit)),
        None => format!("{} {}", budget.relation, show(budget.limit)),
    }
}

/// The limit, and what it is made from where that is told: `<= 550 ms (response time of the configuration, 50 ms + 500 ms)`.
pub(crate) fn limit_with_origin(budget: &Budget) -> String {
    let from = if budget.limit_from.is_empty() { String::new() } else { format!(" ({})", budget.limit_from) };
    format!("{}{from}", limit(budget))
}

/// Whether [`duration`] shows a time without rounding.
fn is_exact(time: Millis) -> bool {
    let nanos = time.as_nanos().unsigned_abs();
    nanos.is_multiple_of(if nanos < 1000 * NANOS_PER_MILLI { 1000 } else { NANOS_PER_MILLI })
}

/// A budget's margin with its sign: with the digits of the limit, and as many more as leave something of it. One of nothing
/// is told in words.
#[must_use]
pub fn margin(budget: &Budget) -> String {
    let unit = budget.unit.as_str();
    let text = match budget.margin {
        None => return "none".to_owned(),
        Some(Fixed::ZERO) => return format!("0 {unit}, at the limit"),
        Some(margin) if is_long(margin, unit) => duration(margin.into()),
        Some(margin) => {
            let places = (limit_places(budget)..=6).find(|places| to_places(margin, *places) != Fixed::ZERO);
            amount(margin, unit, places.unwrap_or(6))
        }
    };
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// The share of a margin: `5.6 %` of the limit, `50.0 % of the window`; one that is not zero never reads as zero.
pub(crate) fn margin_share(budget: &Budget) -> Option<String> {
    let share = budget.margin_share()?;
    let text = match (rounded(share, 1), budget.margin?.cmp(&Fixed::ZERO)) {
        (text, _) if has_size(&text) => text,
        (_, std::cmp::Ordering::Less) => "above -0.1".to_owned(),
        (_, std::cmp::Ordering::Greater) => "below 0.1".to_owned(),
        (_, std::cmp::Ordering::Equal) => "0".to_owned(),
    };
    Some(if budget.limit_low.is_some() { format!("{text} % of the window") } else { format!("{text} %") })
}

/// The word of an outcome for people: what needs attention is in capitals.
pub(crate) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Dead => "DEAD",
        Outcome::Rejected => "REJECTED",
        Outcome::SetAside => "SET-ASIDE",
        Outcome::NotReached => "NOT-REACHED",
        Outcome::Updated | Outcome::UpToDate => outcome.word(),
    }
}

/// What a cause code of the update log means (PFU-028), such as `FW002`; none for one that is not known.
#[must_use]
pub fn cause_words(code: &str) -> Option<&'static str> {
    Some(match code {
        "FW001" => "file not found",
        "FW002" => "image rejected",
        "FW003" => "supply too low",
        "FW004" => "communication timeout",
        "FW005" => "roll-back",
        "FW101" => "flash failure",
        "FW102" => "check failed",
        "FW103" => "wrong version after reboot",
        "FW104" => "refused by the pump",
        "FW105" => "no good status after reboot",
        "FW106" => "CIOC restarted",
        _ => return None,
    })
}

/// `250 kbit/s`, `83333 bit/s`.
#[must_use]
pub fn bit_rate(bits: u32) -> String {
    if bits.is_multiple_of(1000) { format!("{} kbit/s", bits / 1000) } else { format!("{bits} bit/s") }
}

/// A sentence from words that begin small.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `1 try`, `2 tries`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// `never`, `once`, `17 times`.
pub(crate) fn times(number: u64) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        _ => format!("{} times", grouped(number)),
    }
}

/// How often a check looked; one that has no meaning in its run had nothing to look at.
pub(crate) fn looked(check: &Check) -> String {
    match (check.n, check.verdict) {
        (_, RowVerdict::NotApplicable) => "has no meaning in this run".to_owned(),
        (0, _) => "never looked at".to_owned(),
        (n, _) => format!("looked at {}", times(n)),
    }
}

/// Words joined by commas and a last `and`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// Text as part of an anchor: letters, digits and hyphens.
pub(crate) fn slug(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(plain).collect()
}

/// An anchor for each of `names`, all different.
pub(crate) fn anchors<'a>(begin: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for name in names {
        let anchor = format!("{begin}-{}", slug(name));
        let anchor = if anchors.contains(&anchor) { format!("{anchor}--{}", anchors.len() + 1) } else { anchor };
        anchors.push(anchor);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Relation;

    #[test]
    fn times_change_their_unit_at_one_second_and_at_two_minutes() {
        let text = |nanos| duration(Millis::from_signed_nanos(nanos));
        assert_eq!(text(0), "0.000 ms");
        assert_eq!(text(812_499), "0.812 ms");
        assert_eq!(text(999_499_999), "999.500 ms");
        assert_eq!(text(999_500_000), "1.000 s");
        assert_eq!(text(66_512_345_678), "66.512 s");
        assert_eq!(text(-1_304_000_000), "-1.304 s");
        assert_eq!(text(962_134_000_000), "16 min 02.134 s");
        assert_eq!(short_duration(Millis::from_nanos(70_000_000_000)), "70 s");
        assert_eq!(short_duration(Millis::from_nanos(1_260_000_000_000)), "21 min");
        assert_eq!(seconds(Millis::from_nanos(66_512_500_000)), "66.513");
        assert_eq!(signed_seconds(Millis::from_signed_nanos(-400_000)), "-0.000");
        assert_eq!(signed_seconds(Millis::from_signed_nanos(-1)), "-0.000");
    }

    #[test]
    fn rounding_never_hides_a_broken_limit() {
        let mut budget = Budget::new("pump-update", Relation::Below, Fixed::scaled(70_000, 0), None, "ms");
        budget.measure(Fixed::from_millionths(70_000_000_001));
        assert_eq!(value(&budget, budget.measured.unwrap()), "70,000.000001 ms");
        assert_eq!(margin(&budget), "-0.000001 ms");
    }

    #[test]
    fn a_value_at_its_limit_is_not_shown_beyond_it() {
        let mut budget = Budget::new("logic", Relation::AtMost, "0.8125".parse().unwrap(), None, "ms");
        budget.measure("0.8125".parse().unwrap());
        assert_eq!(value(&budget, budget.measured.unwrap()), "0.8125 ms");
        assert_eq!(value(&budget, "0.8124".parse().unwrap()), "0.8124 ms");
        assert_eq!(margin(&budget), "0 ms, at the limit");
        assert_eq!(margin_seconds(Millis::from_nanos(400_000), true), "+0.400 ms");
        assert_eq!(margin_seconds(Millis::from_signed_nanos(-100), false), "-0.0001 ms");
        assert_eq!(margin_seconds(Millis::ZERO, false), "-0.000 s");
    }

    fn window(low: &str, high: &str, measured: &str) -> Budget {
        let [low, high, measured] = [low, high, measured].map(|text| text.parse().unwrap());
        let mut budget = Budget::new("interval", Relation::Within, high, Some(low), "ms");
        budget.measure(measured);
        budget
    }

    #[test]
    fn a_value_and_its_margin_have_the_digits_of_the_limit() {
        let mut budget = Budget::new("logic", Relation::AtMost, "0.8125".parse().unwrap(), None, "ms");
        budget.measure("0.8126".parse().unwrap());
        assert_eq!(
            (value(&budget, budget.measured.unwrap()), margin(&budget)),
            ("0.8126 ms".into(), "-0.0001 ms".into())
        );
        let budget = window("0.999", "1.001", "0.99901");
        assert_eq!(
            (value(&budget, budget.measured.unwrap()), margin(&budget)),
            ("0.99901 ms".into(), "+0.00001 ms".into())
        );
    }

    #[test]
    fn the_middle_of_a_window_does_not_look_like_its_edge() {
        let share = |low, high, measured| margin_share(&window(low, high, measured)).unwrap();
        assert_eq!(share("0.999", "1.001", "1"), "50.0 % of the window");
        assert_eq!(share("20.1", "22.1", "21.5"), "30.0 % of the window");
        assert_eq!(share("0.999", "1.001", "0.999"), "0 % of the window");
        assert_eq!(share("0", "1000000", "0.001"), "below 0.1 % of the window");
        assert_eq!(share("0", "1000000", "-0.001"), "above -0.1 % of the window");
        let mut budget = Budget::new("pump-update", Relation::Below, Fixed::scaled(70_000, 0), None, "ms");
        budget.measure(Fixed::scaled(66_080, 0));
        assert_eq!(margin_share(&budget).unwrap(), "5.6 %");
        let mut budget = Budget::new("errors", Relation::AtMost, Fixed::ZERO, None, "%");
        budget.measure(Fixed::ZERO);
        assert_eq!(margin_share(&budget), None);
    }

    /// What a text with its unit says, in millionths of `ms` or of its own unit.
    fn read(text: &str) -> i64 {
        let parse = |number: &str| number.replace(',', "").parse::<Fixed>().unwrap().as_millionths();
        let (number, unit) = text.rsplit_once(' ').unwrap();
        match (unit, number.split_once(" min ")) {
            ("s", Some((minutes, rest))) => {
                let rest = rest.strip_prefix('0').unwrap_or(rest);
                let size = (parse(minutes).abs() * 60 + parse(rest)) * 1000;
                if minutes.starts_with('-') { -size } else { size }
            }
            ("s", None) => parse(number) * 1000,
            _ => parse(number),
        }
    }

    proptest::proptest! {
        /// Whoever compares what is printed with the limit comes to what the exact numbers say, and no margin vanishes.
        #[test]
        fn what_is_printed_stands_to_the_limit_as_what_was_measured(
            limit in -2_000_000_i64..200_000_000_000, by in -2_000_000_i64..2_000_000, grain in 0_u32..7, low in 0_i64..3_000,
            is_time in proptest::bool::ANY,
        ) {
            let by = by / 10_i64.pow(grain);
            let (limit, exact) = (Fixed::from_millionths(limit), Fixed::from_millionths(limit + by));
            let low = Fixed::from_millionths(limit.as_millionths() - low);
            let unit = if is_time { "ms" } else { "%" };
            let mut budget = Budget::new("any", Relation::Within, limit, Some(low), unit);
            budget.measure(exact);
            let shown = Fixed::from_millionths(read(&value(&budget, exact)));
            for limit in [limit, low] {
                proptest::prop_assert_eq!(shown.cmp(&limit), exact.cmp(&limit), "{} of {}", value(&budget, exact), limit);
            }
            let told = budget.margin.unwrap();
            let margin = margin(&budget);
            proptest::prop_assert_eq!(has_size(&margin), told != Fixed::ZERO, "{} of {}", margin, told);
            proptest::prop_assert_eq!(margin.starts_with('-'), told < Fixed::ZERO, "{} of {}", margin, told);
        }
    }

    #[test]
    fn a_limit_is_never_rounded() {
        let show = |text: &str| limit(&Budget::new("logic", Relation::AtMost, text.parse().unwrap(), None, "ms"));
        assert_eq!(show("0.8125"), "<= 0.8125 ms");
        assert_eq!(show("70000.0001"), "<= 70,000.0001 ms");
        assert_eq!(show("500"), "<= 500 ms");
        assert_eq!(show("22.1"), "<= 22.1 ms");
    }

    #[test]
    fn numbers_are_grouped_and_rounded_half_up() {
        assert_eq!(grouped(1_234_567_u64), "1,234,567");
        assert_eq!(grouped(999_u64), "999");
        assert_eq!(rounded(Fixed::scaled(1249, 2), 1), "12.5");
        assert_eq!(rounded(Fixed::scaled(-1250, 3), 2), "-1.25");
        assert_eq!(rounded(Fixed::scaled(15, 1), 0), "2");
    }
}
