//! The reference of scenario files and of safety configurations, printed from the very tables that read them.

use super::diagnostic::{Code, nearest};
use super::loader::LOADER_FIELDS;
use super::model::{FaultKind, RawScenario};
use super::schema::{Content, Field, Shape, Value, Variant};

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchPath {
    /// The part of the path that leads nowhere.
    pub part: String,
    /// The path that was probably meant.
    pub near: Option<String>,
    /// What there is.
    pub known: Vec<&'static str>,
}

/// What a kind of files can say: the table that reads them, from its outermost section on.
#[derive(Clone, Copy, Debug)]
pub struct Reference(fn() -> Shape);

/// The reference of scenario files.
pub const SCENARIO: Reference = Reference::of::<RawScenario>();

impl Reference {
    pub(crate) const fn of<T: Value>() -> Self {
        Self(T::shape)
    }

    /// The page of the field or section at `path` (`bus.bitrate`, `faults.kind.Sag.to`); of the whole file for an
    /// empty path. Lists and options need no index. The end of a path will do (`Sag`, `nominal`), and so will the name of a type
    /// (`FaultKind`), a path from there (`FaultKind.Sag.to`) and the code of a diagnostic (`S007`).
    ///
    /// # Errors
    /// When that leads nowhere.
    pub fn explain(self, path: &str) -> Result<String, NoSuchPath> {
        let path = path.trim();
        let told = |code: Code| format!("{}: {}\n", code.id(), code.explanation());
        if path == CODES {
            return Ok(Code::ALL.into_iter().map(told).collect());
        }
        if let Some(code) = Code::ALL.into_iter().find(|code| code.id().eq_ignore_ascii_case(path)) {
            return Ok(told(code));
        }
        if let Some(page) = self.explain_type(path) {
            return Ok(page);
        }
        self.explain_path(path)
            .or_else(|wrong| self.explain_end(path).ok_or_else(|| NoSuchPath { near: self.near(path), ..wrong }))
    }

    /// Every path there is, for completion and for the tests that explain them all.
    #[must_use]
    pub fn paths(self) -> Vec<String> {
        let mut out = Vec::new();
        collect(&(self.0)(), "", &mut out);
        out
    }

    /// The path whose end is nearest to `path`, the shortest of several.
    fn near(self, path: &str) -> Option<String> {
        let parts = path.split('.').count();
        let end_of = |whole: &str| {
            let skipped = whole.split('.').count().checked_sub(parts)?;
            Some(whole.split('.').skip(skipped).collect::<Vec<_>>().join("."))
        };
        let mut ends: Vec<(String, String)> =
            self.paths().into_iter().filter_map(|whole| Some((end_of(&whole)?, whole))).collect();
        ends.sort_by_key(|(_, whole)| whole.len());
        let types = self.types();
        let names = ends.iter().map(|(end, _)| end.as_str()).chain(types.iter().map(|(name, _)| *name));
        let found = nearest(path, names)?;
        let whole = ends.iter().find(|(end, _)| end == found).map(|(_, whole)| whole.clone());
        whole.or_else(|| Some(found.to_owned()))
    }

    /// The page of the type of this name, with the paths where its values stand, and those that end like its name.
    fn explain_type(self, name: &str) -> Option<String> {
        let (name, shape) = self.types().into_iter().find(|(known, _)| *known == name)?;
        let mut out = String::new();
        page(&shape, &mut out);
        let end = format!(".{name}");
        let mut stands = Vec::new();
        standing(&(self.0)(), "", name, &mut stands);
        if matches!(&stands[..], [only] if only.ends_with(&end)) {
            // The variant of the same name: its own page tells more.
            return None;
        }
        let named = self.paths().into_iter().filter(|path| path.ends_with(&end) && !stands.contains(path)).collect();
        for (what, paths) in [("stands at", stands), ("of the same name, and something else", named)] {
            if !paths.is_empty() {
                let lines: String = paths.iter().map(|path| format!("  {path}\n")).collect();
                out.push_str(&format!("\n{what}:\n{lines}"));
            }
        }
        Some(out)
    }

    /// Every type that a page names, the outermost first, each once.
    fn types(self) -> Vec<(&'static str, Shape)> {
        let mut out = Vec::new();
        collect_types((self.0)(), &mut out);
        out
    }

    /// The page of the only path that ends so, or all paths that do.
    fn explain_end(self, end: &str) -> Option<String> {
        let (end, all) = (format!(".{end}"), self.paths());
        let exact: Vec<&String> = all.iter().filter(|path| path.ends_with(&end)).collect();
        let lower = end.to_lowercase();
        let found = if exact.is_empty() {
            all.iter().filter(|path| path.to_lowercase().ends_with(&lower)).collect()
        } else {
            exact
        };
        match found[..] {
            [] => None,
            [one] => Some(format!("{one}\n\n{}", self.explain_path(one).ok()?)),
            _ => {
                let lines: String = found.iter().map(|path| format!("  {path}\n")).collect();
                Some(format!("`{}` stands in several places; name one of them:\n{lines}", &end[1..]))
            }
        }
    }

    /// From the whole file on, or from the type whose name the path begins with.
    fn explain_path(self, path: &str) -> Result<String, NoSuchPath> {
        let of_type = path.split_once('.').and_then(|(name, rest)| {
            let (_, shape) = self.types().into_iter().find(|(known, _)| *known == name.trim())?;
            Some((shape, rest))
        });
        let (mut shape, path) = of_type.unwrap_or(((self.0)(), path));
        let mut out = String::new();
        for part in path.split('.').map(str::trim).filter(|part| !part.is_empty()) {
            let part = part.split('[').next().unwrap_or(part);
            (shape, out) = step(shape, part)?;
        }
        page(&shape, &mut out);
        Ok(out)
    }
}

/// What lists all codes.
const CODES: &str = "codes";

/// What to say of a text that is the code of an error by its form, and is none.
#[must_use]
pub fn no_such_code(text: &str) -> Option<String> {
    let number = text.trim().strip_prefix(['S', 's']).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?;
    let meant = number.parse::<usize>().ok()?.checked_sub(1).and_then(|at| Code::ALL.get(at));
    let near = meant.map_or(String::new(), |code| format!("help: did you mean `{}`?\n", code.id()));
    let (first, last) = (Code::ALL[0].id(), Code::ALL[Code::ALL.len() - 1].id());
    let help = format!("help: the codes are {first} to {last}; `cooltwin scenario explain {CODES}` lists them\n");
    Some(format!("error: there is no error `{}`\n{near}{help}", text.trim()))
}

fn collect_types(shape: Shape, out: &mut Vec<(&'static str, Shape)>) {
    match shape {
        Shape::Leaf(_) => {}
        Shape::List(inner) | Shape::Optional(inner) => collect_types(*inner, out),
        Shape::Section(name, ..) | Shape::Choice(name, ..) if out.iter().any(|(known, _)| *known == name) => {}
        Shape::Section(name, _, fields) => {
            out.push((name, shape));
            fields.iter().for_each(|field| collect_types((field.shape)(), out));
        }
        Shape::Choice(name, _, variants) => {
            out.push((name, shape));
            for variant in variants {
                if let Content::Value(inner) | Content::Fields(inner) = variant.content {
                    collect_types(inner(), out);
                }
            }
        }
    }
}

/// The paths at which a value of the type `wanted` stands.
fn standing(shape: &Shape, path: &str, wanted: &str, out: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match shape {
        Shape::Leaf(_) => {}
        Shape::List(inner) | Shape::Optional(inner) => standing(inner, path, wanted, out),
        Shape::Section(name, ..) | Shape::Choice(name, ..) if *name == wanted => {
            if !path.is_empty() {
                out.push(path.to_owned());
            }
        }
        Shape::Section(_, _, fields) => {
            fields.iter().for_each(|field| standing(&(field.shape)(), &below(field.name), wanted, out));
        }
        Shape::Choice(_, _, variants) => {
            for variant in *variants {
                if let Content::Value(inner) | Content::Fields(inner) = variant.content {
                    standing(&inner(), &below(variant.name), wanted, out);
                }
            }
        }
    }
}

fn collect(shape: &Shape, path: &str, out: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match shape {
        Shape::Leaf(_) => {}
        Shape::List(inner) | Shape::Optional(inner) => collect(inner, path, out),
        Shape::Section(_, _, fields) => {
            for field in *fields {
                out.push(below(field.name));
                collect(&(field.shape)(), &below(field.name), out);
            }
        }
        Shape::Choice(_, _, variants) => {
            for variant in *variants {
                out.push(below(variant.name));
                if let Content::Value(inner) | Content::Fields(inner) = variant.content {
                    collect(&inner(), &below(variant.name), out);
                }
            }
        }
    }
}

/// What a part of a path leads to, and what is said of that itself.
fn step(shape: Shape, part: &str) -> Result<(Shape, String), NoSuchPath> {
    match shape {
        Shape::List(inner) | Shape::Optional(inner) => step(*inner, part),
        Shape::Section(name, _, fields) => {
            let all: Vec<Field> = with_loader_fields(name, fields);
            let found = all.iter().find(|field| field.name == part).copied();
            let known: Vec<&'static str> = all.iter().map(|field| field.name).collect();
            found.map(|field| ((field.shape)(), line(&field))).ok_or_else(|| no_such(part, known))
        }
        Shape::Choice(name, _, variants) => {
            let known = variants.iter().map(|variant| variant.name).collect();
            let variant = variants.iter().find(|variant| variant.name == part).ok_or_else(|| no_such(part, known))?;
            match variant.content {
                Content::Value(inner) | Content::Fields(inner) => Ok((inner(), variant_line(name, variant) + "\n")),
                Content::Nothing => Ok((Shape::Leaf(String::new()), variant_line(name, variant))),
            }
        }
        Shape::Leaf(_) => Err(no_such(part, Vec::new())),
    }
}

fn with_loader_fields(section: &str, fields: &[Field]) -> Vec<Field> {
    let extra: &[Field] = if section == "Scenario" { &LOADER_FIELDS } else { &[] };
    fields.iter().chain(extra).copied().collect()
}

fn no_such(part: &str, known: Vec<&'static str>) -> NoSuchPath {
    NoSuchPath { part: part.to_owned(), near: None, known }
}

/// One field: name and type, then what is known of it.
fn line(field: &Field) -> String {
    let mut out = format!("{}: {}\n   {}\n", field.name, type_name(&(field.shape)()), field.text);
    let default = match field.default {
        None => "must be written".to_owned(),
        Some("") => "default empty".to_owned(),
        Some(default) => format!("default {}", default.split_whitespace().collect::<Vec<_>>().join(" ")),
    };
    let range = field.range.map(|(low, high)| format!("from {low} to {high}"));
    let requirements = field.requirements.map(|requirements| format!("requirement {requirements}"));
    let facts: Vec<String> = [Some(default), range, requirements].into_iter().flatten().collect();
    out.push_str(&format!("    {}\n", facts.join("; ")));
    out
}

fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::Leaf(text) => text.clone(),
        Shape::Section(name, ..) | Shape::Choice(name, ..) => (*name).to_owned(),
        Shape::List(inner) => format!("list of {}", type_name(inner)),
        Shape::Optional(inner) => format!("{}, or None", type_name(inner)),
    }
}

fn page(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Leaf(text) => {
            if out.is_empty() {
                out.push_str(text);
                out.push('\n');
            }
        }
        Shape::List(inner) | Shape::Optional(inner) => page(inner, out),
        Shape::Section(name, text, fields) => {
            out.push_str(&format!("{name}:{text}\n\n"));
            for field in with_loader_fields(name, fields) {
                out.push_str(&line(&field));
            }
        }
        Shape::Choice(name, text, variants) => {
            out.push_str(&format!("{name}:{text} One of:\n\n"));
            for variant in *variants {
                out.push_str(&variant_line(name, variant));
            }
        }
    }
}

/// One variant: how it is written, what it is, and of a kind of fault the places that it may have.
fn variant_line(choice: &str, variant: &Variant) -> String {
    let kinds = if choice == "FaultKind" { FaultKind::stand_ins() } else { Vec::new() };
    let kind = kinds.iter().find(|kind| kind.name() == variant.name);
    let places = kind.map_or(String::new(), |kind| format!("    acts on {}\n", kind.acts_on().words()));
    format!("{}\n   {}\n{places}", variant_form(variant), variant.text)
}

/// How a variant is written.
pub(super) fn variant_form(variant: &Variant) -> String {
    match variant.content {
        Content::Nothing => variant.name.to_owned(),
        Content::Value(inner) => format!("{}({})", variant.name, type_name(&inner())),
        Content::Fields(inner) => {
            let Shape::Section(_, _, fields) = inner() else { return variant.name.to_owned() };
            let names: Vec<String> = fields.iter().map(|field| format!("{}: ..", field.name)).collect();
            format!("{}({})", variant.name, names.join(", "))
        }
    }
}
