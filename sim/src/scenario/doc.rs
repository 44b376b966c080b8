//! The canonical text of values: one way to write each scenario.
//!
//! A *doc* is a text still to be laid out: on one line where it fits, else one line for each of its parts. The layout
//! depends on the values only, so equal scenarios have equal texts, and the text's SHA-256 names the scenario.

/// Longest line that still holds a whole value.
const WIDTH: usize = 100;

/// A value's text before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doc {
    /// A text that is never broken.
    Word(String),
    /// Values in brackets.
    List(Vec<Self>),
    /// Named values in parentheses, behind the name of a variant where there is one.
    Fields(Option<&'static str>, Vec<(&'static str, Self)>),
    /// One value in the parentheses of a variant.
    Variant(&'static str, Box<Self>),
}

impl Doc {
    /// A text that is never broken.
    pub(crate) fn word(text: impl Into<String>) -> Self {
        Self::Word(text.into())
    }

    /// A text in quotes, escaped as RON wants it.
    pub(crate) fn quoted(text: &str) -> Self {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
        Self::Word(out)
    }

    /// The text of a whole file: the outermost fields always stand on lines of their own.
    #[must_use]
    pub(crate) fn file(&self) -> String {
        let mut out = String::new();
        self.broken(0, &mut out);
        out.push('\n');
        out
    }

    fn lay_out(&self, indent: usize, used: usize, out: &mut String) {
        let inline = self.inline();
        if used + inline.chars().count() <= WIDTH || matches!(self, Self::Word(_)) {
            out.push_str(&inline);
        } else {
            self.broken(indent, out);
        }
    }

    /// Everything on one line.
    #[must_use]
    pub(crate) fn inline(&self) -> String {
        match self {
            Self::Word(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::inline).collect::<Vec<_>>().join(", ")),
            Self::Fields(name, fields) => {
                let fields = fields.iter().map(|(key, value)| format!("{key}: {}", value.inline()));
                format!("{}({})", name.unwrap_or_default(), fields.collect::<Vec<_>>().join(", "))
            }
            Self::Variant(name, inner) => format!("{name}({})", inner.inline()),
        }
    }

    fn broken(&self, indent: usize, out: &mut String) {
        let inner = indent + 4;
        let line = format!("\n{}", " ".repeat(inner));
        let close = format!("\n{}", " ".repeat(indent));
        match self {
            Self::Word(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for item in items {
                    out.push_str(&line);
                    item.lay_out(inner, inner + 1, out);
                    out.push(',');
                }
                out.push_str(&close);
                out.push(']');
            }
            Self::Fields(name, fields) => {
                out.push_str(name.unwrap_or_default());
                out.push('(');
                for (key, value) in fields {
                    out.push_str(&line);
                    out.push_str(key);
                    out.push_str(": ");
                    value.lay_out(inner, inner + key.len() + 3, out);
                    out.push(',');
                }
                out.push_str(&close);
                out.push(')');
            }
            Self::Variant(name, value) => {
                out.push_str(name);
                out.push('(');
                value.lay_out(indent, indent + name.len() + 2, out);
                out.push(')');
            }
        }
    }
}
