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
    /// The file is of another kind than the command reads.
    WrongFile,
    /// A value of a campaign's fault cannot be drawn from.
    BadDraw,
}

impl Code {
    /// All codes in the order of their numbers.
    pub const ALL: [Self; 17] = [
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
        Self::WrongFile,
        Self::BadDraw,
    ];

    /// What it means and what helps, in sentences.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Syntax => {
                "The text of the file is no RON, so nothing in it could be read. Most often a comma, a closing bracket or a \
                 quote is missing, or a quantity such as \"70s\" stands without quotes. What is suggested was tried: with it \
                 the file can be read further."
            }
            Self::UnknownField => {
                "A section has no field of this name. `cooltwin scenario explain SECTION` lists those it has; a field that \
                 belongs to another section must stand inside that section's parentheses."
            }
            Self::UnknownVariant => {
                "One of several names must stand here, and this is none of them. `cooltwin scenario explain FIELD` lists \
                 them."
            }
            Self::MissingField => {
                "A field without a default is not written. Faults need `kind`, `place` and `trigger`, for instance."
            }
            Self::DuplicateField => "A field stands twice in one section. Remove one of the two.",
            Self::WrongType => {
                "A value of another kind stands there: a number without quotes where a quantity in quotes is meant, one \
                 value where a list in brackets is, or fields where a name alone is."
            }
            Self::BadQuantity => {
                "A quantity is a number and a unit in quotes, such as \"24V\", \"500ms\" or \"385KiB\". The unit is missing, or \
                 it is no unit of this quantity; upper and lower case matter."
            }
            Self::OutOfRange => {
                "The value lies outside the range that the field allows; both ends of a range are allowed."
            }
            Self::BadWord => {
                "A word is not written as it must be: a version such as \"1.4.0\", a node such as \"P05\", a CAN identifier such \
                 as 0x7E0, a cause code such as \"FW004\", or a name that has to serve as a folder's."
            }
            Self::Extends => {
                "The file that `extends` names cannot be read, extends itself in the end, or is one too many: at most 8 \
                 files extend each other. Its path counts from the folder of the file that names it."
            }
            Self::BadOverride => {
                "A `--set` has the form path=value, with the path of a field as `cooltwin scenario explain` names it, such as \
                 `supply.nominal`, and with the place in a list counted from 0, such as `faults[0].duration`."
            }
            Self::NoSuchThing => {
                "Something is named that the scenario does not have: a pump, a node, a message, a budget, a check, a file."
            }
            Self::Duplicate => "Two things have one name, so that results could not tell them apart.",
            Self::Contradiction => {
                "Each value may stand alone, but not together with another one: an end before its begin, a threshold on \
                 the wrong side of another, an expectation that nothing can meet."
            }
            Self::ImpossibleFault => {
                "The fault could never act: its kind does not fit its place, or its trigger never comes. `cooltwin scenario \
                 explain faults.kind` says what acts where."
            }
            Self::WrongFile => {
                "There are four kinds of files: scenarios, campaign files, search files and configurations of safety units. Each has commands of its own; this command reads another kind. What lies in a result, such as campaign.ron, is the record of a run, and no file to run."
            }
            Self::BadDraw => {
                "A fault of a campaign has a value that cannot be drawn. `Range(low, high)` and `LogRange(low, high)` take two \
                 numbers of one kind, the lower one first, `LogRange` above zero; `OneOf([..])` takes a list with at least \
                 one value."
            }
        }
    }

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

/// The candidate nearest to `found`, if at most one in four of its letters differs, rounded to the nearest: none of a
/// single letter, one of two to five, two of six to nine.
#[must_use]
pub(crate) fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (found.chars().count() + 2) / 4;
    let near = candidates.into_iter().map(|candidate| (distance(found, candidate), candidate));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// How many letters differ; upper and lower case are one.
#[must_use]
pub(crate) fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}
