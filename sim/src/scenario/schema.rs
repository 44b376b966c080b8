//! From a declaration to a struct that reads, patches, writes and explains itself.
//!
//! Words: a *value* is anything that can stand behind a field's colon; a *leaf* is a value without parts; a *shape* is
//! what `scenario explain` prints of a type; a *field* is one line of a section's declaration. A section's `apply` lets
//! a file say only what differs from the file it extends; everything else is read as a whole.

use super::doc::Doc;
use super::reader::{Node, Reader};

/// One field of a section, as declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its key in the file.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Its default as it would be written, without quotes; `None` where the field must be written.
    pub default: Option<&'static str>,
    /// Lowest and highest value.
    pub range: Option<(&'static str, &'static str)>,
    /// Requirements it stands for.
    pub requirements: Option<&'static str>,
    /// The shape of its value.
    pub shape: fn() -> Shape,
}

/// One variant of a choice, as declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    /// Its name in the file.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// What it holds.
    pub content: Content,
}

/// What a variant of a choice holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// Nothing.
    Nothing,
    /// One value in parentheses.
    Value(fn() -> Shape),
    /// The fields of a section in parentheses.
    Fields(fn() -> Shape),
}

/// What kind of value stands behind a colon.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A value without parts; with its description.
    Leaf(String),
    /// A section; with name, text and fields.
    Section(&'static str, &'static str, &'static [Field]),
    /// One of several variants; with name, text and variants.
    Choice(&'static str, &'static str, &'static [Variant]),
    /// Any number of values in brackets.
    List(Box<Self>),
    /// A value or `None`.
    Optional(Box<Self>),
}

/// Something that can stand behind a field's colon.
pub(crate) trait Value: Sized + Clone {
    /// What `scenario explain` prints.
    fn shape() -> Shape;

    /// Reads it as a whole; problems go to `reader`.
    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self>;

    /// Lays what is written over what it is; replaces it unless it is a section.
    fn apply(&mut self, node: &Node<'_>, reader: &mut Reader) {
        if let Some(value) = Self::read(node, reader) {
            *self = value;
        }
    }

    /// Applies `node` to the part that `path` leads to.
    fn set(&mut self, path: &[&str], node: &Node<'_>, reader: &mut Reader) {
        match path.first() {
            None => self.apply(node, reader),
            Some(part) => reader.no_such_part(node, part, &[]),
        }
    }

    /// Some value of the type, to stand where one could not be read, so that what stands beside it is judged all the
    /// same; nothing is said of the stand-in itself. Nothing where a type has none.
    fn stand_in() -> Option<Self> {
        None
    }

    /// One for each variant of a choice that has a stand-in; the stand-in alone of any other type.
    fn stand_ins() -> Vec<Self> {
        Self::stand_in().into_iter().collect()
    }

    /// Whether it lies between two values of its type, both included; always, for a type without order.
    fn is_within(&self, _low: &str, _high: &str) -> bool {
        true
    }

    /// Its canonical text.
    fn doc(&self) -> Doc;
}

impl<T: Value> Value for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        reader.forget(&node.path);
        let items = reader.items(node)?;
        // All are read, so that one bad item hides nothing of the next, and each keeps its number.
        let values: Vec<Option<T>> = items.iter().map(|item| reader.value(item).or_else(T::stand_in)).collect();
        values.into_iter().collect()
    }

    fn stand_in() -> Option<Self> {
        Some(Self::new())
    }

    fn set(&mut self, path: &[&str], node: &Node<'_>, reader: &mut Reader) {
        let Some((part, rest)) = path.split_first() else { return self.apply(node, reader) };
        let len = self.len();
        match part.parse::<usize>().ok().and_then(|index| self.get_mut(index)) {
            Some(item) => item.set(rest, node, reader),
            None => reader.no_such_item(node, path, len),
        }
    }

    fn doc(&self) -> Doc {
        Doc::List(self.iter().map(Value::doc).collect())
    }
}

impl<T: Value> Value for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn read(node: &Node<'_>, reader: &mut Reader) -> Option<Self> {
        match node.optional() {
            None => Some(None),
            Some(inner) => T::read(&inner, reader).map(Some),
        }
    }

    fn stand_in() -> Option<Self> {
        Some(None)
    }

    fn set(&mut self, path: &[&str], node: &Node<'_>, reader: &mut Reader) {
        match (path.first(), self) {
            (None, this) => this.apply(node, reader),
            (Some(_), Some(inner)) => inner.set(path, node, reader),
            (Some(part), None) => reader.no_such_part(node, part, &[]),
        }
    }

    fn is_within(&self, low: &str, high: &str) -> bool {
        self.as_ref().is_none_or(|inner| inner.is_within(low, high))
    }

    fn doc(&self) -> Doc {
        self.as_ref().map_or_else(|| Doc::word("None"), Value::doc)
    }
}

/// A value that is built from the fields in its parentheses; every section is one.
pub(crate) trait Section: Value {
    /// Its fields as declared.
    const FIELDS: &'static [Field];

    /// Reads it from entries that stand in the parentheses of a struct or of a variant.
    fn read_entries(node: &Node<'_>, entries: &[super::reader::Entry<'_>], reader: &mut Reader) -> Option<Self>;

    /// Lays entries over what it is.
    fn apply_entries(&mut self, entries: &[super::reader::Entry<'_>], reader: &mut Reader);

    /// Its fields' canonical texts.
    fn docs(&self) -> Vec<(&'static str, Doc)>;
}

/// Declares a section: a struct and everything a scenario file needs of it.
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $text:literal])* $field:ident : $type:ty
            $(= $default:literal)? $(where $low:literal .. $high:literal)? $(=> $requirements:literal)?,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[doc = $text])*
                $(#[doc = concat!("\n\nDefault `", $default, "`.")])?
                $(#[doc = concat!("\n\nFrom ", $low, " to ", $high, ".")])?
                $(#[doc = concat!("\n\nRequirement ", $requirements, ".")])?
                pub $field: $type,
            )*
        }

        impl $crate::scenario::schema::Section for $name {
            const FIELDS: &'static [$crate::scenario::schema::Field] = &[$(
                $crate::scenario::schema::Field {
                    name: stringify!($field),
                    text: concat!($($text),*),
                    default: $crate::scenario::schema::optional!($($default)?),
                    range: $crate::scenario::schema::optional!($(($low, $high))?),
                    requirements: $crate::scenario::schema::optional!($($requirements)?),
                    shape: <$type as $crate::scenario::schema::Value>::shape,
                },
            )*];

            fn read_entries(
                node: &$crate::scenario::reader::Node<'_>,
                entries: &[$crate::scenario::reader::Entry<'_>],
                reader: &mut $crate::scenario::reader::Reader,
            ) -> Option<Self> {
                let known = reader.known_entries($crate::scenario::schema::plain(stringify!($name)), entries, Self::FIELDS);
                let mut fields = Self::FIELDS.iter();
                $(let $field: Option<$type> = fields.next().and_then(|field| reader.field(node, &known, field));)*
                Some(Self { $($field: $field.or_else(<$type as $crate::scenario::schema::Value>::stand_in)?),* })
            }

            fn apply_entries(
                &mut self,
                entries: &[$crate::scenario::reader::Entry<'_>],
                reader: &mut $crate::scenario::reader::Reader,
            ) {
                let known = reader.known_entries($crate::scenario::schema::plain(stringify!($name)), entries, Self::FIELDS);
                let mut fields = Self::FIELDS.iter();
                $(if let Some(field) = fields.next() {
                    reader.apply(&mut self.$field, &known, field);
                })*
            }

            fn docs(&self) -> Vec<(&'static str, $crate::scenario::doc::Doc)> {
                vec![$((stringify!($field), $crate::scenario::schema::Value::doc(&self.$field))),*]
            }
        }

        impl $crate::scenario::schema::Value for $name {
            fn shape() -> $crate::scenario::schema::Shape {
                use $crate::scenario::schema::{Section, Shape};
                Shape::Section($crate::scenario::schema::plain(stringify!($name)), concat!($($doc),*), Self::FIELDS)
            }

            fn read(
                node: &$crate::scenario::reader::Node<'_>,
                reader: &mut $crate::scenario::reader::Reader,
            ) -> Option<Self> {
                let entries = reader.entries(node, $crate::scenario::schema::plain(stringify!($name)))?;
                <Self as $crate::scenario::schema::Section>::read_entries(node, &entries, reader)
            }

            fn stand_in() -> Option<Self> {
                let node = $crate::scenario::reader::Node::whole("()", 0);
                let mut unheard = $crate::scenario::reader::Reader::default();
                <Self as $crate::scenario::schema::Section>::read_entries(&node, &[], &mut unheard)
            }

            fn apply(
                &mut self,
                node: &$crate::scenario::reader::Node<'_>,
                reader: &mut $crate::scenario::reader::Reader,
            ) {
                let name = $crate::scenario::schema::plain(stringify!($name));
                if let Some(entries) = reader.entries(node, name) {
                    $crate::scenario::schema::Section::apply_entries(self, &entries, reader);
                }
            }

            fn set(
                &mut self,
                path: &[&str],
                node: &$crate::scenario::reader::Node<'_>,
                reader: &mut $crate::scenario::reader::Reader,
            ) {
                use $crate::scenario::schema::Section;
                let Some((part, rest)) = path.split_first() else { return self.apply(node, reader) };
                let field = Self::FIELDS.iter().find(|field| field.name == *part);
                match *part {
                    $(stringify!($field) => {
                        reader.range = field.and_then(|field| field.range);
                        self.$field.set(rest, node, reader);
                        if rest.is_empty() && let Some(field) = field {
                            reader.check_range(&self.$field, node, field);
                        }
                    })*
                    _ => reader.no_such_part(node, part, Self::FIELDS),
                }
            }

            fn doc(&self) -> $crate::scenario::doc::Doc {
                $crate::scenario::doc::Doc::Fields(None, $crate::scenario::schema::Section::docs(self))
            }
        }
    };
}
pub(crate) use section;

/// Declares a choice: an enum and everything a scenario file needs of it.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $text:literal])* $variant:ident $(($value:ty))? $({ $fields:ty })?,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $text])* $variant $(($value))? $(($fields))?,)*
        }

        impl $name {
            /// The variant's name, as scenario files write it.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)*
                }
            }

            const VARIANTS: &'static [$crate::scenario::schema::Variant] = &[$(
                $crate::scenario::schema::Variant {
                    name: stringify!($variant),
                    text: concat!($($text),*),
                    content: $crate::scenario::schema::content!($(($value))? $({ $fields })?),
                },
            )*];
        }

        impl $crate::scenario::schema::Value for $name {
            fn shape() -> $crate::scenario::schema::Shape {
                $crate::scenario::schema::Shape::Choice(stringify!($name), concat!($($doc),*), Self::VARIANTS)
            }

            fn read(
                node: &$crate::scenario::reader::Node<'_>,
                reader: &mut $crate::scenario::reader::Reader,
            ) -> Option<Self> {
                let chosen = reader.variant(node, stringify!($name), Self::VARIANTS)?;
                match chosen.name {
                    $(stringify!($variant) => $crate::scenario::schema::read_variant!(
                        chosen, reader, Self::$variant $(, ($value))? $(, { $fields })?
                    ),)*
                    _ => None,
                }
            }

            fn stand_in() -> Option<Self> {
                <Self as $crate::scenario::schema::Value>::stand_ins().into_iter().next()
            }

            fn stand_ins() -> Vec<Self> {
                let each: [Option<Self>; Self::VARIANTS.len()] = [$($crate::scenario::schema::stand_in_variant!(
                    Self::$variant $(, ($value))? $(, { $fields })?
                )),*];
                each.into_iter().flatten().collect()
            }

            fn set(
                &mut self,
                path: &[&str],
                node: &$crate::scenario::reader::Node<'_>,
                reader: &mut $crate::scenario::reader::Reader,
            ) {
                let Some(_part) = path.first() else { return self.apply(node, reader) };
                match self {
                    $($crate::scenario::schema::variant_pattern!(Self::$variant, inner $(, ($value))? $(, { $fields })?) => {
                        $crate::scenario::schema::set_variant!(
                            inner, path, _part, node, reader $(, ($value))? $(, { $fields })?
                        );
                    })*
                }
            }

            fn doc(&self) -> $crate::scenario::doc::Doc {
                match self {
                    $($crate::scenario::schema::variant_pattern!(Self::$variant, inner $(, ($value))? $(, { $fields })?) => {
                        $crate::scenario::schema::variant_doc!(
                            inner, stringify!($variant) $(, ($value))? $(, { $fields })?
                        )
                    })*
                }
            }
        }
    };
}
pub(crate) use choice;

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}
pub(crate) use optional;

macro_rules! content {
    () => {
        $crate::scenario::schema::Content::Nothing
    };
    (($value:ty)) => {
        $crate::scenario::schema::Content::Value(<$value as $crate::scenario::schema::Value>::shape)
    };
    ({ $fields:ty }) => {
        $crate::scenario::schema::Content::Fields(<$fields as $crate::scenario::schema::Value>::shape)
    };
}
pub(crate) use content;

macro_rules! read_variant {
    ($chosen:ident, $reader:ident, $make:path) => {
        Some($make)
    };
    ($chosen:ident, $reader:ident, $make:path, ($value:ty)) => {
        $reader.value::<$value>(&$chosen.inner).map($make)
    };
    ($chosen:ident, $reader:ident, $make:path, { $fields:ty }) => {
        <$fields as $crate::scenario::schema::Section>::read_entries(&$chosen.inner, &$chosen.entries, $reader)
            .map($make)
    };
}
pub(crate) use read_variant;

macro_rules! stand_in_variant {
    ($make:path) => {
        Some($make)
    };
    ($make:path, ($value:ty)) => {
        <$value as $crate::scenario::schema::Value>::stand_in().map($make)
    };
    ($make:path, { $fields:ty }) => {
        <$fields as $crate::scenario::schema::Value>::stand_in().map($make)
    };
}
pub(crate) use stand_in_variant;

macro_rules! variant_pattern {
    ($make:path, $inner:ident) => {
        $make
    };
    ($make:path, $inner:ident, $content:tt) => {
        $make($inner)
    };
}
pub(crate) use variant_pattern;

macro_rules! set_variant {
    ($inner:ident, $path:ident, $part:ident, $node:ident, $reader:ident) => {
        $reader.no_such_part($node, $part, &[])
    };
    ($inner:ident, $path:ident, $part:ident, $node:ident, $reader:ident, ($value:ty)) => {
        $inner.set($path, $node, $reader)
    };
    ($inner:ident, $path:ident, $part:ident, $node:ident, $reader:ident, { $fields:ty }) => {
        $inner.set($path, $node, $reader)
    };
}
pub(crate) use set_variant;

macro_rules! variant_doc {
    ($inner:ident, $name:expr) => {
        $crate::scenario::doc::Doc::word($name)
    };
    ($inner:ident, $name:expr, ($value:ty)) => {
        $crate::scenario::doc::Doc::Variant($name, Box::new($crate::scenario::schema::Value::doc($inner)))
    };
    ($inner:ident, $name:expr, { $fields:ty }) => {
        $crate::scenario::doc::Doc::Fields(Some($name), $crate::scenario::schema::Section::docs($inner))
    };
}
pub(crate) use variant_doc;

/// A section's name as a file may write it: `Scenario` for what is called `RawScenario` here.
pub(crate) fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("Raw").unwrap_or(name)
}
