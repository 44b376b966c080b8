//! A fault with values left open, in the ordinary words of scenario files.
//!
//! Wherever a fault of a scenario has a value, a fault of a campaign may have `Range("5ms", "400ms")` (even between
//! both), `LogRange("1ppm", "100ppm")` (even on a logarithmic scale) or `OneOf([Erase, Transfer])` (each as likely). A
//! *hole* is such a place; *filling* one puts a drawn value there, and what comes out is read as any fault is. At
//! loading the holes are filled with their ends and with each of their choices, so that a bad one is told with its
//! place before anything runs.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::RngExt as _;

use crate::kernel::{Span, Stream};
use crate::scenario::Fault;
use crate::scenario::diagnostic::{Code, Diagnostic, Place};
use crate::scenario::doc::Doc;
use crate::scenario::quantity::{
    self, Bitrate, Drift, Factor, Flow, Power, Quantity, Rate, Resistance, Share, Size, Temperature, Voltage, Volume,
};
use crate::scenario::reader::{Node, Reader};
use crate::scenario::schema::{Shape, Value};

/// The words that open a hole.
const WORDS: [&str; 3] = ["Range", "LogRange", "OneOf"];
/// An even draw has about this many steps.
const STEPS: i128 = 1_000_000;

/// A fault with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTemplate {
    piece: Piece,
}

/// A text with holes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    /// Byte of the file at which the text begins.
    at: usize,
    holes: Vec<Hole>,
}

/// A hole that cannot be filled: its place in the file, the place of what is wrong, and what.
struct Bad {
    hole: Range<usize>,
    span: Range<usize>,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hole {
    /// In the text of its piece.
    span: Range<usize>,
    draw: Draw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Draw {
    Even(Interval),
    Logarithmic(Interval),
    OneOf(Vec<Piece>),
}

/// Two numbers of one kind, in their smallest unit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    low: i128,
    high: i128,
    write: Write,
}

/// How a number of a kind is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Whole,
    Hexadecimal,
    Quantity(usize),
}

type Read = fn(&str) -> Option<i128>;
type Text = fn(i128) -> Option<String>;

fn read<Q: Quantity>(text: &str) -> Option<i128> {
    quantity::parse::<Q>(text).ok().map(Quantity::base)
}

fn text<Q: Quantity>(base: i128) -> Option<String> {
    Q::from_base(base).map(quantity::text)
}

macro_rules! quantities {
    ($($type:ty),*) => { [$((read::<$type> as Read, text::<$type> as Text)),*] };
}

/// Every quantity. Where two share a unit the coarser stands first, so that what is drawn is read by both.
const QUANTITIES: [(Read, Text); 13] =
    quantities!(Span, Voltage, Resistance, Share, Drift, Rate, Bitrate, Size, Factor, Temperature, Volume, Power, Flow);

/// How holes are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// With their low ends and first choices.
    Low,
    /// With their high ends and last choices.
    High,
    /// With their low ends and this choice, or their last if there are fewer.
    Choice(usize),
}

impl FaultTemplate {
    /// A fault as drawn from `random`.
    ///
    /// # Errors
    /// What is wrong with it: only ends and single choices were looked at before.
    pub fn draw(&self, random: &mut Stream) -> Result<Fault, String> {
        let text = self.piece.drawn(random);
        let mut reader = Reader::default();
        let fault = reader.value::<Fault>(&whole(&text, 0));
        match (fault, reader.diagnostics.first()) {
            (Some(fault), None) => Ok(fault),
            (_, Some(diagnostic)) => Err(diagnostic.message.clone()),
            (None, None) => Err("the fault cannot be read".to_owned()),
        }
    }

    /// The fault with the low ends of its holes, with the high ones, and with each choice.
    #[must_use]
    pub fn extremes(&self) -> Vec<Fault> {
        let read = |fill| Reader::default().value::<Fault>(&whole(&self.piece.filled(fill).0, 0));
        self.fills().into_iter().filter_map(read).collect()
    }

    /// As it was written, in one line and without the outer parentheses.
    #[must_use]
    pub fn words(&self) -> String {
        let text = in_one_line(&self.piece.text);
        text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text).trim().to_owned()
    }

    /// The kind of fault, by the word for it; where several may be drawn, that of the first.
    #[must_use]
    pub fn kind_word(&self) -> String {
        self.extremes().first().map_or_else(String::new, |fault| fault.kind.name().to_owned())
    }

    fn fills(&self) -> Vec<Fill> {
        let choices = self.piece.choices_most();
        [Fill::Low, Fill::High].into_iter().chain((1..choices).map(Fill::Choice)).collect()
    }
}

fn whole(text: &str, source: usize) -> Node<'_> {
    Node { path: "fault".to_owned(), ..Node::whole(text, source) }
}

impl Value for FaultTemplate {
    fn shape() -> Shape {
        let Shape::Section(name, _, fields) = Fault::shape() else { return Fault::shape() };
        let text = " A fault as in scenarios; each value may be Range(low, high), LogRange(low, high) or OneOf([..]).";
        Shape::Section(name, text, fields)
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        let mut bad = Vec::new();
        let template = Self { piece: Piece::parse(node.text, node.at, &mut bad) };
        let mut found: Vec<Diagnostic> = Vec::new();
        let mut places: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for fill in template.fills() {
            let (text, map) = template.piece.filled(fill);
            let mut own = Reader::default();
            own.value::<Fault>(&Node { path: node.path.clone(), ..Node::whole(&text, node.source) });
            for mut diagnostic in std::mem::take(&mut own.diagnostics) {
                diagnostic.place.span = map.back(&diagnostic.place.span);
                // A bad hole is told of by itself; as the value that it stands for, it makes no sense.
                let is_told = bad.iter().any(|bad| bad.hole.contains(&diagnostic.place.span.start));
                if !is_told && !found.contains(&diagnostic) {
                    found.push(diagnostic);
                }
            }
            // A value that is drawn stands from its first to its last choice.
            for (path, place) in own.into_places() {
                let span = map.back(&place.span);
                let known = places.entry(path).or_insert_with(|| span.clone());
                *known = known.start.min(span.start)..known.end.max(span.end);
            }
        }
        for (path, span) in places {
            reader.note_place(path, Place { source: node.source, span });
        }
        let help = "for instance Range(\"5ms\", \"400ms\"), LogRange(\"1ppm\", \"1%\"), OneOf([Erase, Transfer])";
        for Bad { span, message, .. } in bad {
            let place = Place { source: node.source, span };
            reader.report(Diagnostic::new(Code::BadDraw, place, message).label("cannot be drawn from").help(help));
        }
        found.into_iter().for_each(|diagnostic| reader.report(diagnostic));
        Some(template)
    }

    fn stand_in() -> Option<Self> {
        Some(Self { piece: Piece { text: "()".to_owned(), at: 0, holes: Vec::new() } })
    }

    /// As it was written: a template is hashed by its words, blanks between them taken together.
    fn doc(&self) -> Doc {
        Doc::word(in_one_line(&self.piece.text))
    }
}

/// Where the parts of a filled text stood before.
#[derive(Default)]
struct Map(Vec<(Range<usize>, Range<usize>, bool)>);

impl Map {
    fn back(&self, span: &Range<usize>) -> Range<usize> {
        self.point(span.start, false)..self.point(span.end, true).max(self.point(span.start, false))
    }

    /// A point of a filled hole stands for an end of the hole.
    fn point(&self, at: usize, is_end: bool) -> usize {
        let part = self
            .0
            .iter()
            .find(|(filled, ..)| filled.contains(&at) || (is_end && filled.end == at && at > filled.start));
        match part.or(self.0.last()) {
            Some((filled, was, true)) => (was.start + at.saturating_sub(filled.start)).min(was.end),
            Some((_, was, false)) if is_end => was.end,
            Some((_, was, false)) => was.start,
            None => at,
        }
    }
}

impl Piece {
    /// Finds the holes of a text. One with which something is wrong stays text, and goes to `bad`.
    fn parse(text: &str, at: usize, bad: &mut Vec<Bad>) -> Self {
        let mut holes = Vec::new();
        let mut scan = Scan { text, at: 0 };
        while let Some((word, start)) = scan.next_word() {
            if !WORDS.contains(&word) {
                continue;
            }
            let word_span = at + start..at + start + word.len();
            let Some(inside) = scan.parentheses() else {
                let message = format!("`{word}` has no parentheses");
                bad.push(Bad { hole: word_span.clone(), span: word_span, message });
                continue;
            };
            let span = start..inside.end + 1;
            scan.at = span.end;
            match Draw::parse(word, text, at, inside, bad) {
                Ok(draw) => holes.push(Hole { span, draw }),
                Err((place, message)) => bad.push(Bad {
                    hole: at + span.start..at + span.end,
                    span: place.map_or(word_span, |place| at + place.start..at + place.end),
                    message,
                }),
            }
        }
        Self { text: text.to_owned(), at, holes }
    }

    fn choices_most(&self) -> usize {
        let of = |hole: &Hole| match &hole.draw {
            Draw::OneOf(pieces) => pieces.len().max(pieces.iter().map(Self::choices_most).max().unwrap_or(0)),
            Draw::Even(_) | Draw::Logarithmic(_) => 1,
        };
        self.holes.iter().map(of).max().unwrap_or(1)
    }

    fn filled(&self, fill: Fill) -> (String, Map) {
        let (mut out, mut map) = (String::new(), Map::default());
        self.fill(fill, &mut out, &mut map);
        (out, map)
    }

    fn fill(&self, fill: Fill, out: &mut String, map: &mut Map) {
        let mut done = 0;
        for hole in &self.holes {
            self.copy(done..hole.span.start, out, map);
            done = hole.span.end;
            match &hole.draw {
                Draw::Even(interval) | Draw::Logarithmic(interval) => {
                    let value = if fill == Fill::High { interval.high } else { interval.low };
                    let start = out.len();
                    out.push_str(&interval.text(value));
                    map.0.push((start..out.len(), self.at + hole.span.start..self.at + hole.span.end, false));
                }
                Draw::OneOf(pieces) => {
                    let last = pieces.len() - 1;
                    let index = match fill {
                        Fill::Low => 0,
                        Fill::High => last,
                        Fill::Choice(index) => index.min(last),
                    };
                    pieces[index].fill(fill, out, map);
                }
            }
        }
        self.copy(done..self.text.len(), out, map);
    }

    fn copy(&self, span: Range<usize>, out: &mut String, map: &mut Map) {
        let start = out.len();
        out.push_str(&self.text[span.clone()]);
        map.0.push((start..out.len(), self.at + span.start..self.at + span.end, true));
    }

    fn drawn(&self, random: &mut Stream) -> String {
        let (mut out, mut done) = (String::new(), 0);
        for hole in &self.holes {
            out.push_str(&self.text[done..hole.span.start]);
            done = hole.span.end;
            match &hole.draw {
                Draw::Even(interval) => out.push_str(&interval.text(interval.even(random))),
                Draw::Logarithmic(interval) => out.push_str(&interval.text(interval.logarithmic(random))),
                Draw::OneOf(pieces) => {
                    let index = random.random_range(0..pieces.len());
                    out.push_str(&pieces[index].drawn(random));
                }
            }
        }
        out + &self.text[done..]
    }
}

impl Draw {
    /// What `word` draws from in the parentheses at `inside`; else what is wrong, and its place in the text where that is not
    /// the word itself.
    fn parse(
        word: &str,
        text: &str,
        at: usize,
        inside: Range<usize>,
        bad: &mut Vec<Bad>,
    ) -> Result<Self, (Option<Range<usize>>, String)> {
        let arguments = split(text, inside);
        if word == "OneOf" {
            let [list] = &arguments[..] else { return Err((None, "`OneOf` takes one list".to_owned())) };
            let inner = bracketed(text, list).ok_or_else(|| (None, "`OneOf` takes a list in brackets".to_owned()))?;
            let items = split(text, inner);
            if items.is_empty() {
                return Err((None, "`OneOf` has nothing to choose from".to_owned()));
            }
            let piece = |item: &Range<usize>| Piece::parse(&text[item.clone()], at + item.start, bad);
            return Ok(Self::OneOf(items.iter().map(piece).collect()));
        }
        let [low, high] = &arguments[..] else { return Err((None, format!("`{word}` takes two values"))) };
        let interval = Interval::parse(&text[low.clone()], &text[high.clone()])
            .map_err(|message| (Some(low.start..high.end), message))?;
        match word {
            "Range" => Ok(Self::Even(interval)),
            _ if interval.low > 0 => Ok(Self::Logarithmic(interval)),
            _ => Err((Some(low.clone()), "a logarithmic range begins above zero".to_owned())),
        }
    }
}

impl Interval {
    fn parse(low: &str, high: &str) -> Result<Self, String> {
        let quoted = |text: &str| text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
        let read = match (quoted(low), quoted(high)) {
            (Some(low), Some(high)) => QUANTITIES.iter().enumerate().find_map(|(index, (read, _))| {
                Some(Self { low: read(&low)?, high: read(&high)?, write: Write::Quantity(index) })
            }),
            (None, None) => whole_number(low).zip(whole_number(high)).map(|(low_number, high)| {
                let write = if low.starts_with("0x") { Write::Hexadecimal } else { Write::Whole };
                Self { low: low_number, high, write }
            }),
            _ => None,
        };
        let interval = read.ok_or_else(|| format!("{low} and {high} are no two numbers of one kind"))?;
        if interval.low > interval.high {
            return Err(format!("{low} is more than {high}"));
        }
        Ok(interval)
    }

    fn text(&self, value: i128) -> String {
        match self.write {
            Write::Whole => value.to_string(),
            Write::Hexadecimal => format!("0x{value:03X}"),
            Write::Quantity(index) => format!("\"{}\"", (QUANTITIES[index].1)(value).unwrap_or_default()),
        }
    }

    fn even(&self, random: &mut Stream) -> i128 {
        let width = self.high - self.low;
        let mut step = 1;
        while width / step > STEPS {
            step *= 10;
        }
        let steps = u64::try_from(width / step).unwrap_or(u64::MAX);
        self.low + step * i128::from(random.random_range(0..=steps))
    }

    /// With three significant digits.
    fn logarithmic(&self, random: &mut Stream) -> i128 {
        let share = random.random_range(0..1_u64 << 53) as f64 / (1_u64 << 53) as f64;
        let (low, high) = (libm::log(self.low as f64), libm::log(self.high as f64));
        let value = libm::round(libm::exp(low + share * (high - low))) as i128;
        let mut power = 1;
        while value / power >= 1_000 {
            power *= 10;
        }
        (value / power * power).clamp(self.low, self.high)
    }
}

/// Values of one kind at equal distances, from the least on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    interval: Interval,
    step: i128,
}

impl Grid {
    /// Reads its ends and its step: quantities of one kind, or whole numbers.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn parse(low: &str, high: &str, step: &str) -> Result<Self, String> {
        let written = |text: &str| if whole_number(text).is_some() { text.to_owned() } else { format!("\"{text}\"") };
        let interval = Interval::parse(&written(low), &written(high))?;
        let step = match interval.write {
            Write::Quantity(index) => QUANTITIES.get(index).and_then(|(read, _)| read(step)),
            Write::Whole | Write::Hexadecimal => whole_number(step),
        };
        let step =
            step.filter(|step| *step > 0).ok_or_else(|| "the step is no such value, or not above zero".to_owned())?;
        Ok(Self { interval, step })
    }

    /// How many there are; at least one.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from((self.interval.high - self.interval.low) / self.step + 1).unwrap_or(u64::MAX)
    }

    /// One of them as scenario files write it.
    pub(crate) fn text(&self, index: u64) -> String {
        self.interval.text(self.interval.low + self.step * i128::from(index))
    }
}

fn whole_number(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Goes through a text from word to word; strings and comments hold none.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next word and where it begins.
    fn next_word(&mut self) -> Option<(&'a str, usize)> {
        loop {
            let start = self.at;
            let rest = self.text.get(start..)?;
            let first = rest.chars().next()?;
            if first.is_alphabetic() || first == '_' {
                let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.at += len;
                return Some((&rest[..len], start));
            }
            self.step();
        }
    }

    /// Passes over one character, string or comment.
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        self.at += if rest.starts_with('"') {
            string_len(rest)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }

    /// What stands between the parentheses that come next.
    fn parentheses(&mut self) -> Option<Range<usize>> {
        let rest = self.text.get(self.at..)?;
        let open = self.at + (rest.len() - rest.trim_start().len());
        self.text[open..].starts_with('(').then_some(())?;
        let close = closing(self.text, open)?;
        Some(open + 1..close)
    }
}

/// Texts in which the quantity at `place`, counted from 0, is smaller or rounder, the boldest first; none where the text
/// has no quantity there. Empty where nothing rounder is left.
pub(super) fn rounder_numbers(text: &str, place: usize) -> Option<Vec<String>> {
    let mut scan = Scan { text, at: 0 };
    let mut seen = 0;
    while scan.at < text.len() {
        let start = scan.at;
        scan.step();
        let Some((value, write)) = quantity_of(&text[start..scan.at]) else { continue };
        if seen == place {
            let with = |value: i128| {
                let interval = Interval { low: value, high: value, write };
                format!("{}{}{}", &text[..start], interval.text(value), &text[scan.at..])
            };
            return Some(rounder(value).into_iter().map(with).collect());
        }
        seen += 1;
    }
    None
}

/// A quantity in quotes.
fn quantity_of(text: &str) -> Option<(i128, Write)> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let read = |(index, (read, _)): (usize, &(Read, Text))| Some((read(inside)?, Write::Quantity(index)));
    QUANTITIES.iter().enumerate().find_map(read)
}

/// A tenth, a half, itself, each to one digit; then itself to two and to three.
fn rounder(value: i128) -> Vec<i128> {
    let to = |value: i128, digits: u32| {
        let mut power = 1;
        while value.abs() / power >= 10_i128.pow(digits) {
            power *= 10;
        }
        value / power * power
    };
    let mut values = vec![to(value / 10, 1), to(value / 2, 1), to(value, 1), to(value, 2), to(value, 3)];
    values.dedup();
    // What is as round already needs only the smaller ones.
    values.retain(|candidate| *candidate != value && *candidate != 0);
    if to(value, 1) == value {
        values.clear();
    }
    values
}

/// The length of the string that a text begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where the bracket that opens at `open` closes.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_u32;
    let mut scan = Scan { text, at: open };
    while scan.at < text.len() {
        match text.as_bytes()[scan.at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(scan.at);
                }
            }
            _ => {}
        }
        scan.step();
    }
    None
}

/// The parts of a stretch of text between its outermost commas, blanks cut off; a last empty one left out.
fn split(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (within.start, 0_u32);
    let mut scan = Scan { text: &text[..within.end], at: within.start };
    while scan.at < within.end {
        match text.as_bytes()[scan.at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(start..scan.at);
                start = scan.at + 1;
            }
            _ => {}
        }
        scan.step();
    }
    parts.push(start..within.end);
    let trimmed = parts.into_iter().map(|part| trim(text, part));
    trimmed.filter(|part| !part.is_empty()).collect()
}

fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let inside = &text[span.clone()];
    let start = span.start + (inside.len() - inside.trim_start().len());
    start..start + inside.trim().len()
}

fn bracketed(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let inside = &text[span.clone()];
    (inside.starts_with('[') && closing(text, span.start)? + 1 == span.end).then(|| span.start + 1..span.end - 1)
}

/// A text with each stretch of blanks outside strings as one, comments left out.
fn in_one_line(text: &str) -> String {
    let mut out = String::new();
    let mut scan = Scan { text, at: 0 };
    while scan.at < text.len() {
        let start = scan.at;
        scan.step();
        let piece = &text[start..scan.at];
        if piece.starts_with("//") || piece.starts_with("/*") || piece.trim().is_empty() {
            if !out.ends_with([' ', '(', '[']) {
                out.push(' ');
            }
        } else {
            if piece.starts_with([')', ']']) {
                let end = out.trim_end_matches([' ', ',']).len();
                out.truncate(end);
            }
            out.push_str(piece);
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stream;
    use crate::scenario::{FaultKind, Place as Where, SCENARIO, Trigger};

    fn template(text: &str) -> Result<FaultTemplate, Vec<Diagnostic>> {
        let mut reader = Reader::default();
        let read = FaultTemplate::read(&Node::whole(text, 0), &mut reader);
        read.filter(|_| reader.diagnostics.is_empty()).ok_or(reader.diagnostics)
    }

    const SAG: &str = r#"(
        kind: Sag(to: Range("6V", "16V")), // how deep
        place: OneOf([Supply, Pump(1)]),
        trigger: At(Range("8s", "70s")),
        duration: Range("5ms", "400ms"),
    )"#;

    #[test]
    fn drawn_values_lie_within_their_ranges_and_take_both_choices() {
        let template = template(SAG).expect("a template");
        let mut random = stream(1, "draw");
        let mut places = [0, 0];
        for _ in 0..200 {
            let fault = template.draw(&mut random).expect("a fault");
            let FaultKind::Sag(level) = &fault.kind else { panic!("{fault:?}") };
            assert!((6_000..=16_000).contains(&level.to.millivolts()));
            let Trigger::At(at) = fault.trigger else { panic!("{fault:?}") };
            assert!((Span::from_secs(8)..=Span::from_secs(70)).contains(&at));
            let duration = fault.duration.expect("one");
            assert!((Span::from_millis(5)..=Span::from_millis(400)).contains(&duration));
            places[usize::from(fault.place == Where::Supply)] += 1;
        }
        assert!(places.iter().all(|count| *count > 60), "{places:?}");
    }

    #[test]
    fn an_even_draw_is_even_and_a_logarithmic_one_is_on_its_own_scale() {
        let mut random = stream(2, "draw");
        let even = Interval::parse("\"0s\"", "\"100s\"").expect("durations");
        let below = (0..4_000).filter(|_| even.even(&mut random) < 50_000_000_000).count();
        // Four standard deviations of 4000 fair coins are 127.
        assert!((1_873..=2_127).contains(&below), "{below}");
        let scale = Interval::parse("\"1ppm\"", "\"10000ppm\"").expect("rates");
        let below = (0..4_000).filter(|_| scale.logarithmic(&mut random) < 100).count();
        assert!((1_873..=2_127).contains(&below), "{below}");
    }

    #[test]
    fn ends_and_choices_are_all_looked_at() {
        let template = template(SAG).expect("a template");
        let extremes = template.extremes();
        let levels: Vec<u32> = extremes
            .iter()
            .map(|fault| match &fault.kind {
                FaultKind::Sag(level) => level.to.millivolts(),
                _ => 0,
            })
            .collect();
        assert_eq!(levels, [6_000, 16_000, 6_000]);
        assert_eq!(extremes.iter().filter(|fault| fault.place == Where::Pump(1)).count(), 2);
    }

    fn told(text: &str) -> (String, String) {
        let found = template(text).expect_err("something is wrong");
        let first = &found[0];
        (first.message.clone(), text[first.place.span.clone()].to_owned())
    }

    #[test]
    fn what_is_wrong_is_told_at_its_own_place() {
        let wrong = |from: &str, to: &str| told(&SAG.replace(from, to));
        assert_eq!(wrong("place: O", "plaze: O").1, "plaze");
        assert_eq!(
            wrong("Range(\"6V\", \"16V\")", "Range(\"6V\", \"600V\")"),
            ("`to` is out of range".to_owned(), "Range(\"6V\", \"600V\")".to_owned())
        );
        assert_eq!(wrong("Range(\"5ms\", \"400ms\")", "Range(\"5ms\", \"400\")").1, "\"5ms\", \"400\"");
        assert_eq!(wrong("Range(\"8s\", \"70s\")", "Range(\"80s\", \"70s\")").0, "\"80s\" is more than \"70s\"");
        assert_eq!(wrong("Pump(1)", "Pomp(1)"), ("unknown `Place`: `Pomp`".to_owned(), "Pomp".to_owned()));
        assert_eq!(wrong("OneOf([Supply, Pump(1)])", "OneOf([])").1, "OneOf");
        assert_eq!(wrong("Range(\"6V\", \"16V\")", "Range(\"6V\")").0, "`Range` takes two values");
        assert_eq!(
            wrong("Range(\"6V\", \"16V\")", "LogRange(\"0V\", \"16V\")").0,
            "a logarithmic range begins above zero"
        );
    }

    #[test]
    fn no_variant_of_a_scenario_is_called_like_a_hole() {
        for path in SCENARIO.paths() {
            assert!(path.split('.').all(|part| !WORDS.contains(&part)), "{path}");
        }
    }

    #[test]
    fn blanks_and_comments_do_not_change_the_text_that_is_hashed() {
        let one = template("(kind: Reset, place: Cioc, trigger: At(Range(\"1s\", \"2s\")))").expect("a template");
        let other =
            template("(\n  kind: Reset, // of the board\n  place: Cioc,\n  trigger: At(Range(\"1s\",  \"2s\")),\n)");
        assert_eq!(one.doc().file(), other.expect("a template").doc().file());
    }
}
