//! What is wrong with a scenario file, where, and what to write instead.
//!
//! A *diagnostic* has a stable code, so that documents and tests can name it; a *place* is a range of bytes in one of
//! the files (or `--set` arguments) that were read.

use std::ops::Range;

/// A text that was read: a file, or the argument of a `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as it was given, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A range of bytes in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the source.
    pub source: usize,
    /// The bytes.
    pub span: Range<usize>,
}

/// Kind of a diagnostic; the numbers never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The text is no RON.
    Syntax,
    /// A section has no such field.
    UnknownField,
    /// A choice has no such variant.
    UnknownVariant,
    /// A field that has no default is not written.
    MissingField,
    /// A field is written twice.
    DuplicateField,
    /// A value of another type stands there.
    WrongType,
    /// A number and its unit do not make the quantity.
    BadQuantity,
    /// A value lies outside its range.
    OutOfRange,
    /// A word (version, identifier, code, name) is not written as it must be.
    BadWord,
    /// The file to extend cannot be had.
    Extends,
    /// A `--set` names nothing.
    BadOverride,
    /// Something is named that the scenario does not have.
    NoSuchThing,
    /// Two things have one name.
    Duplicate,
    /// Values contradict each other.
    Contradiction,
    /// A fault cannot act there or so.
    ImpossibleFault,
}

impl Code {
    /// All codes in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Syntax,
        Self::UnknownField,
        Self::UnknownVariant,
        Self::MissingField,
        Self::DuplicateField,
        Self::WrongType,
        Self::BadQuantity,
        Self::OutOfRange,
        Self::BadWord,
        Self::Extends,
        Self::BadOverride,
        Self::NoSuchThing,
        Self::Duplicate,
        Self::Contradiction,
        Self::ImpossibleFault,
    ];

    /// The code as printed, `S001` and on.
    #[must_use]
    pub fn id(self) -> String {
        format!("S{:03}", self as u8 + 1)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong, in one lower-case sentence that names the key.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words at that place.
    pub label: String,
    /// What may be written instead.
    pub help: Vec<String>,
    /// Text that would be right at that place.
    pub replacement: Option<String>,
}

impl Diagnostic {
    /// A diagnostic with its message only.
    #[must_use]
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place, label: String::new(), help: Vec::new(), replacement: None }
    }

    /// With a few words at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With the text that would be right, if there is one; it also becomes the label.
    #[must_use]
    pub fn suggest(mut self, replacement: Option<impl Into<String>>) -> Self {
        if let Some(replacement) = replacement.map(Into::into) {
            self.label = format!("did you mean `{replacement}`?");
            self.replacement = Some(replacement);
        }
        self
    }
}

/// The candidate nearest to `found`, if at most 1 + a quarter of its letters differ.
#[must_use]
pub(crate) fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = 1 + found.chars().count() / 4;
    let lower = found.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}
