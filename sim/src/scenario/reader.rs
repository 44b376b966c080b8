//! Takes RON texts apart, one level at a time, and collects every problem with its place.
//!
//! Each value behind a colon is kept as the piece of text it was written as, so its place is known and one bad value
//! does not hide the next. Words: a *node* is such a piece of text with its place and the path that leads to it; an
//! *entry* is a field's key with its node.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use ron::extensions::Extensions;
use ron::value::RawValue;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::diagnostic::{Code, Diagnostic, Place, nearest};
use super::explain::variant_form;
use super::repair;
use super::schema::{Content, Field, Value, Variant};

/// A value as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    /// Its text without blanks and comments around it.
    pub text: &'a str,
    /// The source it stands in.
    pub source: usize,
    /// Byte in the source at which it begins.
    pub at: usize,
    /// What leads to it: `faults[2].place`.
    pub path: String,
    /// Whether quotes may be left out: in `--set` and in defaults.
    pub bare: bool,
}

/// A field as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    /// Its key.
    pub name: &'a str,
    /// Where the key stands.
    pub name_place: Place,
    /// Its value.
    pub node: Node<'a>,
}

/// A variant as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Chosen<'a> {
    /// Its name.
    pub name: &'static str,
    /// The value in its parentheses; the whole variant, where it holds nothing or fields.
    pub inner: Node<'a>,
    /// The fields in its parentheses.
    pub entries: Vec<Entry<'a>>,
}

/// How this project writes RON: `Some(..)` may be left out.
fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

impl<'a> Node<'a> {
    /// A whole source.
    #[must_use]
    pub(crate) fn whole(text: &'a str, source: usize) -> Self {
        Self { text, source, at: 0, path: String::new(), bare: false }
    }

    /// Where it stands.
    #[must_use]
    pub(crate) fn place(&self) -> Place {
        Place { source: self.source, span: self.at..self.at + self.text.len() }
    }

    /// Where a piece of this node's text stands.
    fn place_of(&self, piece: &str) -> Place {
        let at = self.at + (piece.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Place { source: self.source, span: at..at + piece.len() }
    }

    /// A part of it, reached by `path`.
    fn part(&self, raw: &'a RawValue, path: String) -> Self {
        let text = raw.trim().get_ron();
        Self { text, source: self.source, at: self.place_of(text).span.start, path, bare: false }
    }

    /// The path of the field `name` of this node.
    fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// What stands in `Some(..)` or by itself; `None` for `None`.
    #[must_use]
    pub(crate) fn optional(&self) -> Option<Self> {
        match options().from_str::<Option<&RawValue>>(self.text) {
            Ok(None) => None,
            Ok(Some(raw)) => Some(Self { bare: self.bare, ..self.part(raw, self.path.clone()) }),
            Err(_) => Some(self.clone()),
        }
    }

    /// The text between the quotes; the text itself where quotes may be left out.
    #[must_use]
    pub(crate) fn string(&self) -> Option<String> {
        let quoted = self.text.starts_with(['"', 'r']).then(|| options().from_str::<String>(self.text).ok()).flatten();
        quoted.or_else(|| (self.bare && !self.text.starts_with('"')).then(|| self.text.to_owned()))
    }
}

/// Collects what is wrong and where each value was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Range of the field that is being read.
    pub range: Option<(&'static str, &'static str)>,
    /// Reads a whole changed text on trial and gives what is wrong with it, where repairs are to be suggested.
    pub trial: Option<fn(&str) -> Vec<Diagnostic>>,
    places: BTreeMap<String, Place>,
}

impl Reader {
    /// Notes a problem.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Where the value at `path` was written; where its nearest owner was, if it was left out.
    #[must_use]
    pub(crate) fn place(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            match (self.places.get(path), path.rfind(['.', '['])) {
                (Some(place), _) => return Some(place),
                (None, Some(end)) => path = &path[..end],
                (None, None) => return self.places.get(""),
            }
        }
    }

    /// Where the value at exactly `path` was written, if it was.
    #[must_use]
    pub(crate) fn written(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }

    /// Notes where a value stands.
    pub(crate) fn note(&mut self, node: &Node<'_>) {
        self.places.insert(node.path.clone(), node.place());
    }

    /// Notes where the value at `path` stands.
    pub(crate) fn note_place(&mut self, path: String, place: Place) {
        self.places.insert(path, place);
    }

    /// Where all values were written, by their paths.
    pub(crate) fn into_places(self) -> impl Iterator<Item = (String, Place)> {
        self.places.into_iter()
    }

    /// Forgets the places of the parts of `path`: it is written anew.
    pub(crate) fn forget(&mut self, path: &str) {
        self.places.retain(|known, _| !known.strip_prefix(path).is_some_and(|rest| rest.starts_with(['[', '.'])));
    }

    /// Reads a value and notes its place.
    pub(crate) fn value<T: Value>(&mut self, node: &Node<'_>) -> Option<T> {
        self.note(node);
        T::read(node, self)
    }

    /// Reads the field from the entries, or takes its default; the latter also where what is written cannot be read.
    pub(crate) fn field<T: Value>(&mut self, owner: &Node<'_>, entries: &[Entry<'_>], field: &Field) -> Option<T> {
        if let Some(entry) = entries.iter().find(|entry| entry.name == field.name) {
            self.range = field.range;
            let value = self.value(&entry.node).filter(|value| self.check_range(value, &entry.node, field));
            return value.or_else(|| default_of(owner, field));
        }
        if field.default.is_none() {
            self.report(missing_field(owner, field));
        }
        default_of(owner, field)
    }

    /// Lays the field's entry, if there is one, over `value`.
    pub(crate) fn apply<T: Value>(&mut self, value: &mut T, entries: &[Entry<'_>], field: &Field) {
        if let Some(entry) = entries.iter().find(|entry| entry.name == field.name) {
            self.range = field.range;
            self.note(&entry.node);
            value.apply(&entry.node, self);
            self.check_range(value, &entry.node, field);
        }
    }

    /// Reports a value outside the field's range; whether it is inside.
    pub(crate) fn check_range<T: Value>(&mut self, value: &T, node: &Node<'_>, field: &Field) -> bool {
        let Some((low, high)) = field.range else { return true };
        if value.is_within(low, high) {
            return true;
        }
        let message = format!("`{}` is out of range", field.name);
        let diagnostic = Diagnostic::new(Code::OutOfRange, node.place(), message);
        self.report(diagnostic.label(format!("must be from {low} to {high}")));
        false
    }

    /// The entries that `fields` knows, each once; reports the others.
    pub(crate) fn known_entries<'a>(&mut self, owner: &str, entries: &[Entry<'a>], fields: &[Field]) -> Vec<Entry<'a>> {
        let mut known: Vec<Entry<'a>> = Vec::new();
        for entry in entries {
            if !fields.iter().any(|field| field.name == entry.name) {
                self.report(unknown_field(entry, owner, fields));
            } else if known.iter().any(|earlier| earlier.name == entry.name) {
                let message = format!("field `{}` is written twice", entry.name);
                let diagnostic = Diagnostic::new(Code::DuplicateField, entry.name_place.clone(), message);
                self.report(diagnostic.label("the second time").help("remove one of the two"));
            } else {
                known.push(entry.clone());
            }
        }
        known
    }

    /// The fields of a struct named `name`, or of one without a name.
    pub(crate) fn entries<'a>(&mut self, node: &Node<'a>, name: &'static str) -> Option<Vec<Entry<'a>>> {
        let read = options().from_str_seed(node.text, Fields { name });
        match read {
            Ok(pairs) => Some(pairs.into_iter().map(|(key, raw)| entry(node, key, raw)).collect()),
            Err(error) => {
                self.report(syntax(node, &error, &format!("fields in parentheses, as `{name}` has"), self.trial));
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items<'a>(&mut self, node: &Node<'a>) -> Option<Vec<Node<'a>>> {
        match options().from_str_seed(node.text, Items) {
            Ok(raws) => {
                let numbered = raws.into_iter().enumerate();
                Some(numbered.map(|(index, raw)| node.part(raw, format!("{}[{index}]", node.path))).collect())
            }
            Err(error) => {
                self.report(syntax(node, &error, "a list in brackets", None));
                None
            }
        }
    }

    /// The variant that is written.
    pub(crate) fn variant<'a>(
        &mut self,
        node: &Node<'a>,
        choice: &'static str,
        variants: &'static [Variant],
    ) -> Option<Chosen<'a>> {
        match read_choice(node.text, variants) {
            Ok(Written { name, variant: None, .. }) => {
                self.report(unknown_variant(node.place_of(name), name, choice, variants));
                None
            }
            Ok(Written { variant: Some(variant), value, fields, .. }) => {
                let inner = value.map_or_else(|| node.clone(), |raw| node.part(raw, node.path.clone()));
                let entries = fields.into_iter().map(|(key, raw)| entry(node, key, raw)).collect();
                Some(Chosen { name: variant.name, inner, entries })
            }
            Err(error) => {
                self.report(wrong_variant(node, &error, choice, variants));
                None
            }
        }
    }

    /// Reports that a `--set` path names a part that is not there; `part` is a piece of the argument that `node` ends.
    pub(crate) fn no_such_part(&mut self, node: &Node<'_>, part: &str, fields: &[Field]) {
        let message = format!("there is no `{part}` to set");
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let diagnostic = Diagnostic::new(Code::BadOverride, place_before(node, part), message).label("no such field");
        let diagnostic = diagnostic.suggest(nearest(part, names.iter().copied()));
        let help = if names.is_empty() { "this part holds no fields".to_owned() } else { known("fields", &names) };
        self.report(diagnostic.help(help));
    }

    /// Reports that a `--set` path names an item that a list does not have; `rest` is what follows the list in that path.
    pub(crate) fn no_such_item(&mut self, node: &Node<'_>, rest: &[&str], len: usize) {
        let part = rest.first().copied().unwrap_or_default();
        let message = format!("there is no item `{part}` to set");
        let end = node.path.rmatch_indices(['.', '[']).nth(rest.len().saturating_sub(1)).map_or(0, |(at, _)| at);
        let list = &node.path[..end];
        let help = match len {
            0 => format!("the list is empty: set it as a whole, --set '{list}=[..]'"),
            1 => format!("the list has 1 item, counted from 0: write `{list}[0]`"),
            _ => format!("the list has {len} items, counted from 0: write `{list}[0]` for the first"),
        };
        let diagnostic = Diagnostic::new(Code::BadOverride, place_before(node, part), message);
        self.report(diagnostic.label("no such item").help(help));
    }

    /// Reports a value of the wrong type.
    pub(crate) fn wrong_type(&mut self, node: &Node<'_>, expected: &str, help: Option<String>) {
        let name = node.path.rsplit('.').next().unwrap_or(&node.path);
        let message = format!("`{name}` must be {expected}");
        let short = expected.split(',').next().unwrap_or(expected);
        let diagnostic = Diagnostic::new(Code::WrongType, node.place(), message).label(format!("expected {short}"));
        self.report(help.into_iter().fold(diagnostic, Diagnostic::help));
    }
}

/// The default of a field. It has no place; were it wrong, the test that reads all of them would say so.
fn default_of<T: Value>(owner: &Node<'_>, field: &Field) -> Option<T> {
    let (text, path) = (field.default?, owner.path_to(field.name));
    T::read(&Node { text, path, bare: true, ..owner.clone() }, &mut Reader::default())
}

fn entry<'a>(owner: &Node<'a>, key: &'a str, raw: &'a RawValue) -> Entry<'a> {
    Entry { name: key, name_place: owner.place_of(key), node: owner.part(raw, owner.path_to(key)) }
}

/// Where a part of the path stands that leads to the value of a `--set`.
fn place_before(node: &Node<'_>, part: &str) -> Place {
    let before = (node.text.as_ptr() as usize).saturating_sub(part.as_ptr() as usize);
    let start = node.at.saturating_sub(before);
    Place { source: node.source, span: start..start + part.len() }
}

fn known(what: &str, names: &[&str]) -> String {
    format!("known {what}: {}", names.join(", "))
}

fn unknown_field(entry: &Entry<'_>, owner: &str, fields: &[Field]) -> Diagnostic {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let message = format!("unknown field `{}` in `{owner}`", entry.name);
    let diagnostic = Diagnostic::new(Code::UnknownField, entry.name_place.clone(), message);
    diagnostic.suggest(nearest(entry.name, names.iter().copied())).help(known("fields", &names))
}

fn missing_field(owner: &Node<'_>, field: &Field) -> Diagnostic {
    let end = owner.place().span.end;
    let span = end.saturating_sub(1).max(owner.at)..end;
    let message = format!("field `{}` is missing", field.name);
    let diagnostic = Diagnostic::new(Code::MissingField, Place { source: owner.source, span }, message);
    diagnostic.label(format!("`{}` is not written before this", field.name)).help(field.text.trim())
}

fn unknown_variant(place: Place, name: &str, choice: &str, variants: &[Variant]) -> Diagnostic {
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    let diagnostic = Diagnostic::new(Code::UnknownVariant, place, format!("unknown `{choice}`: `{name}`"));
    diagnostic.suggest(nearest(name, names.iter().copied())).help(known("ones", &names))
}

/// A text that names no variant, or one with other contents than it has.
fn wrong_variant(node: &Node<'_>, error: &ron::error::SpannedError, choice: &str, variants: &[Variant]) -> Diagnostic {
    let name: &str = node.text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
    let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        let message = format!("`{choice}` must be one of its names, without quotes");
        let unquoted = node.string().and_then(|text| nearest(&text, names.iter().copied()));
        let diagnostic = Diagnostic::new(Code::WrongType, node.place(), message).label("expected a name");
        return diagnostic.suggest(unquoted).help(known("ones", &names));
    };
    let (holds, expected) = match variant.content {
        Content::Nothing => ("nothing", format!("write `{name}` alone")),
        Content::Value(_) => ("one value", format!("write it in parentheses: `{}`", variant_form(variant))),
        Content::Fields(_) => ("fields", format!("write them in parentheses: `{}`", variant_form(variant))),
    };
    let message = format!("`{name}` holds {holds}");
    let diagnostic = Diagnostic::new(Code::WrongType, node.place(), message);
    diagnostic.label(error.code.to_string().to_lowercase()).help(expected)
}

/// A RON error with its place; a value of the wrong type where the text as such is RON.
fn syntax(
    node: &Node<'_>,
    error: &ron::error::SpannedError,
    expected: &str,
    trial: Option<fn(&str) -> Vec<Diagnostic>>,
) -> Diagnostic {
    // A part of a file is RON, since the whole file is; the value of a `--set` may be anything.
    let is_part = !node.path.is_empty();
    let is_broken = node.bare && node.text.starts_with(['(', '[']);
    if is_part && !is_broken {
        let message = format!("`{}` must be {expected}", node.path.rsplit('.').next().unwrap_or_default());
        return Diagnostic::new(Code::WrongType, node.place(), message).label(format!("expected {expected}"));
    }
    let start = byte_offset(node.text, error.span.start.line, error.span.start.col);
    let end = byte_offset(node.text, error.span.end.line, error.span.end.col).max(start);
    let place = |span: Range<usize>| Place { source: node.source, span: node.at + span.start..node.at + span.end };
    if repair::is_blank(node.text) {
        let diagnostic = Diagnostic::new(Code::Syntax, place(0..0), "the file holds nothing to read");
        return diagnostic.label("expected `(`").help("the smallest file is `()`: everything has its default");
    }
    if let Some(word) = unquoted_quantity(node.text, start) {
        let text = &node.text[word.clone()];
        let message = format!("`{text}` needs quotes: a number with a unit is a string");
        let diagnostic = Diagnostic::new(Code::Syntax, place(word), message);
        return diagnostic.suggest(Some(format!("\"{text}\"")));
    }
    if error.code == ron::Error::TrailingCharacters && !is_part {
        let at = node.text.len() - node.text[start..].trim_start().len();
        let rest = place(at..node.text.trim_end().len().max(at));
        return Diagnostic::new(Code::Syntax, rest, "the scenario ends before this").label("nothing may follow");
    }
    let trial = if is_part { Some(not_ron as fn(&str) -> Vec<Diagnostic>) } else { trial };
    let repaired = trial.and_then(|trial| repair::diagnose(node.text, start, &trial)).map(|mut diagnostic| {
        diagnostic.place = place(diagnostic.place.span);
        diagnostic
    });
    repaired.unwrap_or_else(|| unrepaired(place(start..end), error))
}

/// Where a text stops to be RON, if it does.
fn not_ron(text: &str) -> Vec<Diagnostic> {
    let error = options().from_str::<&RawValue>(text).err();
    let diagnostic = error.map(|error| {
        let at = byte_offset(text, error.span.start.line, error.span.start.col);
        Diagnostic::new(Code::Syntax, Place { source: 0, span: at..at }, error.code.to_string())
    });
    diagnostic.into_iter().collect()
}

/// What is said of a text that no small change makes readable.
fn unrepaired(place: Place, error: &ron::error::SpannedError) -> Diagnostic {
    let (message, label) = match &error.code {
        ron::Error::ExpectedNamedStructLike(_)
        | ron::Error::ExpectedDifferentStructName { .. }
        | ron::Error::ExpectedAttribute => {
            let message = "the fields stand in parentheses: `( field: value, )`".to_owned();
            return Diagnostic::new(Code::Syntax, place, message).label("expected `(`");
        }
        ron::Error::ExpectedStringEnd => ("a quote is not closed".to_owned(), "this text has no end"),
        ron::Error::ExpectedComma => {
            ("a comma or a closing bracket is missing".to_owned(), "before this, perhaps some lines above")
        }
        other => {
            let text = other.to_string();
            let lower = text.chars().take(1).flat_map(char::to_lowercase).chain(text.chars().skip(1));
            (lower.collect(), "the text is no RON from here on")
        }
    };
    Diagnostic::new(Code::Syntax, place, message).label(label)
}

/// The word around `at`, if it is a number followed by letters.
fn unquoted_quantity(text: &str, at: usize) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '%' | '-');
    let before = text[..at].char_indices().rev().take_while(|(_, c)| is_word(*c)).last();
    let start = before.map_or(at, |(first, _)| first);
    let end = text[at..].find(|c: char| !is_word(c)).map_or(text.len(), |len| at + len);
    let word = text.get(start..end)?;
    let is_quantity = word.starts_with(|c: char| c.is_ascii_digit()) && !word.ends_with(|c: char| c.is_ascii_digit());
    is_quantity.then_some(start..end)
}

/// The byte at which a line and column (both from 1, in characters) stand.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    before + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

type Pairs<'a> = Vec<(&'a str, &'a RawValue)>;

/// Reads the fields of a struct, whatever their names.
struct Fields {
    name: &'static str,
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Pairs<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_struct(self.name, &[], self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields in parentheses")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key_seed(Name)? {
            pairs.push((key, map.next_value::<&RawValue>()?));
        }
        Ok(pairs)
    }
}

/// Reads an identifier.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'de str;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = &'de str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(name)
    }
}

/// Reads the items of a list.
struct Items;

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list in brackets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        std::iter::from_fn(|| items.next_element::<&RawValue>().transpose()).collect()
    }
}

/// A variant with its contents.
struct Written<'a> {
    name: &'a str,
    variant: Option<&'static Variant>,
    value: Option<&'a RawValue>,
    fields: Pairs<'a>,
}

fn read_choice<'a>(text: &'a str, variants: &'static [Variant]) -> Result<Written<'a>, ron::error::SpannedError> {
    let mut from = ron::Deserializer::from_str_with_options(text, &options())?;
    let written = (&mut from).deserialize_enum("", &[], Choice { variants }).map_err(|e| from.span_error(e))?;
    if written.variant.is_some() {
        from.end().map_err(|e| from.span_error(e))?;
    }
    Ok(written)
}

/// Reads one of several variants, each with the contents its declaration says.
struct Choice {
    variants: &'static [Variant],
}

impl<'de> Visitor<'de> for Choice {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a variant")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self::Value, A::Error> {
        let (name, access) = data.variant_seed(Name)?;
        let variant = self.variants.iter().find(|variant| variant.name == name);
        let mut written = Written { name, variant, value: None, fields: Vec::new() };
        match variant.map(|variant| variant.content) {
            None => {}
            Some(Content::Nothing) => access.unit_variant()?,
            Some(Content::Value(_)) => written.value = Some(access.newtype_variant()?),
            Some(Content::Fields(_)) => written.fields = access.struct_variant(&[], Fields { name: "" })?,
        }
        if written.name.is_empty() {
            return Err(A::Error::custom("a variant has a name"));
        }
        Ok(written)
    }
}
