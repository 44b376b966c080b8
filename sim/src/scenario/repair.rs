//! What is missing in a text that is no RON: a comma, a bracket, a colon, a quote.
//!
//! RON's own error says where reading stopped, which is often far from the mistake. So each *repair*, a small change
//! near there or at the end of a line before it, is tried by reading the changed text, and only one that helps is told.

use std::ops::Range;

use super::diagnostic::{Code, Diagnostic, Place};

/// Most repairs that are tried.
const TRIED_MOST: usize = 600;

/// One small change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Repair {
    /// The bytes that are replaced; empty where something is inserted.
    span: Range<usize>,
    /// What is written there.
    with: String,
    message: String,
    label: String,
}

impl Repair {
    fn apply(&self, text: &str) -> String {
        [&text[..self.span.start], &self.with, &text[self.span.end..]].concat()
    }
}

/// Whether a text holds nothing but blanks and comments.
pub(super) fn is_blank(text: &str) -> bool {
    tokens(text).is_empty()
}

/// How far reading came, the better the greater: to the end with few problems, or else to a byte of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// The text is still no RON from here on.
    Byte(usize),
    /// It is RON; with minus the number of problems that are left.
    End(isize),
}

/// The diagnostic of the change that lets `read` come furthest in `text`, which is no RON from byte `at` on; `read`
/// gives everything that is wrong with a text. Its place counts from the begin of `text`. Nothing when no change helps.
pub(super) fn diagnose(text: &str, at: usize, read: &dyn Fn(&str) -> Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut best: Option<(Reached, Repair)> = None;
    for repair in candidates(text, at).into_iter().take(TRIED_MOST) {
        let reached = reached(&repair, &read(&repair.apply(text)));
        let helps = reached > Reached::Byte(at);
        if helps && best.as_ref().is_none_or(|(known, _)| reached > *known) {
            best = Some((reached, repair));
        }
    }
    best.map(|(_, repair)| {
        let place = Place { source: 0, span: repair.span };
        let diagnostic = Diagnostic::new(Code::Syntax, place, repair.message);
        diagnostic.suggest(Some(repair.with)).label(repair.label)
    })
}

fn reached(repair: &Repair, problems: &[Diagnostic]) -> Reached {
    match problems.iter().find(|problem| problem.code == Code::Syntax) {
        Some(syntax) => {
            let grown = repair.with.len() - repair.span.len().min(repair.with.len());
            Reached::Byte(syntax.place.span.start.saturating_sub(grown))
        }
        None => Reached::End(-isize::try_from(problems.len()).unwrap_or(isize::MAX)),
    }
}

/// What may be missing, the likelier first: that decides between changes that help equally.
fn candidates(text: &str, at: usize) -> Vec<Repair> {
    let tokens = tokens(text);
    let mut closers = closers(text, at, &tokens);
    let mut nearby = nearby(text, at, &tokens);
    let is_balanced = open_at(text, &tokens, text.len()).is_some_and(|open| open.is_empty());
    if is_balanced {
        nearby.append(&mut closers);
        return nearby;
    }
    closers.append(&mut nearby);
    closers
}

/// Changes at the byte where reading stopped.
fn nearby(text: &str, at: usize, tokens: &[Range<usize>]) -> Vec<Repair> {
    let insert = |at: usize, with: &str, message: &str| Repair {
        span: at..at,
        with: with.to_owned(),
        message: message.to_owned(),
        label: "after this".to_owned(),
    };
    let mut list = Vec::new();
    if let Some(before) = tokens.iter().rev().find(|token| token.start < at && token.end <= at) {
        list.push(insert(before.end, ",", "a comma is missing"));
        list.push(insert(before.end, ":", "a colon is missing"));
    }
    let Some(here) = tokens.iter().find(|token| token.end > at) else { return list };
    let found = &text[here.clone()];
    let replace = |with: char, message: String| Repair {
        span: here.clone(),
        with: with.to_string(),
        message,
        label: format!("did you mean `{with}`?"),
    };
    match found.chars().next() {
        Some('=') => list.push(replace(':', "a field and its value are joined by `:`".to_owned())),
        Some(';') => list.push(replace(',', "fields and items are parted by `,`".to_owned())),
        Some(')' | ']' | '}') => {
            let open = tokens_before(tokens, at).fold(Vec::new(), |open, token| nested(text, open, token));
            if let Some(open) = open.last() {
                let line = line_of(text, *open);
                let (opened, closer) = (&text[*open..=*open], closer_of(text, *open));
                list.push(replace(closer, format!("the `{opened}` of line {line} is closed by `{found}`")));
            }
        }
        Some('"') => list.extend(unclosed_quote(text, here)),
        _ => {}
    }
    list
}

/// A quote behind the last word of the line on which a text begins.
fn unclosed_quote(text: &str, quoted: &Range<usize>) -> Vec<Repair> {
    let end = text[quoted.start..].find('\n').map_or(text.len(), |len| quoted.start + len);
    let line = text[quoted.start..end].trim_end();
    let message = format!("the quote of line {} is not closed", line_of(text, quoted.start));
    // A quote in front of brackets and commas at the end, as many of them as make sense.
    let ends = (0..=line.len()).rev().filter(|len| line.is_char_boundary(*len));
    let ends = ends.take_while(|len| *len == line.len() || line[*len..].starts_with([',', ')', ']', ' ']));
    let label = "`\"` is missing here";
    let repair = |len: usize| {
        let at = quoted.start + len;
        Repair { span: at..at, with: "\"".to_owned(), message: message.clone(), label: label.to_owned() }
    };
    ends.map(repair).collect()
}

/// The bracket that is open at the end of each line before `at`, closed there; the nearest line first.
fn closers(text: &str, at: usize, tokens: &[Range<usize>]) -> Vec<Repair> {
    let mut list = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut before: Option<&Range<usize>> = None;
    // Reading may stop before the last word as well as behind it.
    let within = tokens.iter().take_while(|token| token.start <= at).count();
    for (index, token) in tokens.iter().enumerate().take(within) {
        open = nested(text, open, token);
        let ends_line =
            index + 2 >= within || tokens.get(index + 1).is_none_or(|next| text[token.end..next.start].contains('\n'));
        if let (true, Some(bracket)) = (ends_line, open.last()) {
            let closer = closer_of(text, *bracket);
            let message =
                format!("the `{}` of line {} is not closed", &text[*bracket..=*bracket], line_of(text, *bracket));
            let label = format!("`{closer}` is missing here");
            let is_comma = &text[token.clone()] == ",";
            let place = if is_comma { before.map_or(token.start, |before| before.end) } else { token.end };
            for with in [closer.to_string(), format!("{closer},")] {
                list.push(Repair { span: place..place, with, message: message.clone(), label: label.clone() });
            }
        }
        before = Some(token);
    }
    list.reverse();
    list.extend(at_the_end(text, tokens));
    list
}

/// All brackets that are still open at the end of a text, closed there: a comma behind the last field may stay.
fn at_the_end(text: &str, tokens: &[Range<usize>]) -> Option<Repair> {
    let (open, last) = (open_at(text, tokens, text.len())?, tokens.last()?);
    let outer = *open.first()?;
    let with: String = open.iter().rev().map(|bracket| closer_of(text, *bracket)).collect();
    let (opened, line) = (&text[outer..=outer], line_of(text, outer));
    let message = match open.len() {
        1 => format!("the `{opened}` of line {line} is not closed"),
        more => format!("{more} brackets are not closed, from the `{opened}` of line {line} on"),
    };
    let label = format!("`{with}` is missing here");
    Some(Repair { span: last.end..last.end, with, message, label })
}

fn tokens_before(tokens: &[Range<usize>], at: usize) -> impl Iterator<Item = &Range<usize>> {
    tokens.iter().take_while(move |token| token.end <= at)
}

/// Brackets that are open before `at`, or nothing if one is closed that was not open.
fn open_at(text: &str, tokens: &[Range<usize>], at: usize) -> Option<Vec<usize>> {
    let mut open = Vec::new();
    for token in tokens_before(tokens, at) {
        if matches!(&text[token.clone()], ")" | "]" | "}") && open.is_empty() {
            return None;
        }
        open = nested(text, open, token);
    }
    Some(open)
}

/// The brackets that are open behind a token.
fn nested(text: &str, mut open: Vec<usize>, token: &Range<usize>) -> Vec<usize> {
    match &text[token.clone()] {
        "(" | "[" | "{" => open.push(token.start),
        ")" | "]" | "}" => {
            open.pop();
        }
        _ => {}
    }
    open
}

fn closer_of(text: &str, bracket: usize) -> char {
    match text.as_bytes().get(bracket) {
        Some(b'[') => ']',
        Some(b'{') => '}',
        _ => ')',
    }
}

/// The line, from 1, of a byte.
fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Words, quoted texts and single signs; blanks and comments are none.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (len, is_token) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (quoted(rest), true),
            'r' if raw_quoted(rest).is_some() => (raw_quoted(rest).unwrap_or(1), true),
            c if c.is_whitespace() => (c.len_utf8(), false),
            c if is_word(c) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
            c => (c.len_utf8(), true),
        };
        if is_token {
            tokens.push(at..at + len);
        }
        at += len;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '%')
}

/// Length of a comment that may hold others.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of a text in quotes; all of the rest, if they are not closed.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Length of a raw text such as `r#".."#`, if it is one.
fn raw_quoted(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let inner = rest.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inner.find(&end).map_or(rest.len(), |len| 2 + hashes + len + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| &text[token]).collect()
    }

    #[test]
    fn comments_and_blanks_are_no_tokens_and_texts_are_one() {
        let text = "(a: \"b // \\\" c\", /* d /* e */ f */ r#\"g \" h\"#, // i\n70s)";
        assert_eq!(pieces(text), ["(", "a", ":", "\"b // \\\" c\"", ",", "r#\"g \" h\"#", ",", "70s", ")"]);
        assert_eq!(pieces("\"open, \n x /* y"), ["\"open, \n x /* y"]);
        assert_eq!(pieces("a /* open"), ["a"]);
        assert!(is_blank(" // only\n/* comments */\n"));
    }

    /// Whatever stands in a text, looking for repairs ends and gives places inside it.
    #[test]
    fn repairs_stay_inside_the_text() {
        for text in ["", "(", ")))", "\"", "r#", "é(ü: \"ä", "((((", "(a:[{)]}", "/*", "r\"", "(a = 1;)"] {
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                for repair in candidates(text, at) {
                    assert!(repair.apply(text).len() >= text.len() - 1, "{text:?} at {at}: {repair:?}");
                }
            }
        }
    }
}
