//! From a path to a scenario: files that extend files, overrides, and every problem at once.
//!
//! A file says only what differs from the file it `extends`: the base is laid over the defaults, the file over the base,
//! `--set` over both. Sections merge field by field; lists and choices are replaced, except that `faults_add` appends to
//! `faults`. The loader reads through a [`FileSource`] and touches no file itself.

use std::path::{Component, Path, PathBuf};

use reports::sha256;

use super::check::{Problem, Scenario};
use super::diagnostic::{Code, Diagnostic, Place, Source};
use super::model::{Fault, ImageSource, RawScenario};
use super::reader::{Entry, Node, Reader};
use super::schema::{Field, Section, Value};

/// Most files that extend each other in a row.
pub const DEPTH_MOST: usize = 8;

/// Where the loader reads files.
pub trait FileSource {
    /// The file's bytes.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;
}

/// A file that went into a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Path as it was given, or as it follows from the file that named it.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A scenario with what it was made from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is to be run.
    pub scenario: Scenario,
    /// The `--set` arguments.
    pub overrides: Vec<String>,
    /// All files that were read: the scenario, what it extends, the image.
    pub inputs: Vec<Input>,
    /// The image, where it comes from a file: decoded, without the scenario's defect.
    pub image: Option<Vec<u8>>,
    sources: Vec<Source>,
    reader: Reader,
}

impl Loaded {
    /// A scenario that was made, not read: it has no files.
    #[must_use]
    pub fn of(scenario: Scenario) -> Self {
        Self {
            scenario,
            overrides: Vec::new(),
            inputs: Vec::new(),
            image: None,
            sources: Vec::new(),
            reader: Reader::default(),
        }
    }

    /// File and line (from 1) at which the value at `path` was written, or its nearest owner.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<(&str, usize)> {
        let place = self.reader.place(path)?;
        let source = self.sources.get(place.source)?;
        let line = 1 + source.text.get(..place.span.start)?.matches('\n').count();
        Some((&source.name, line))
    }
}

/// Why there is no scenario.
#[derive(Clone, Debug)]
pub enum LoadError {
    /// The scenario file itself cannot be read; with its path and why.
    Unreadable(String, String),
    /// It can be read, and this is wrong with it.
    Invalid(Report),
}

/// Everything that is wrong, with the texts it is wrong in.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The files, and one text for each `--set`.
    pub sources: Vec<Source>,
    /// What is wrong, in the order of the sources and of places in them.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a file may hold besides the scenario's fields.
pub(crate) const LOADER_FIELDS: [Field; 2] = [
    Field {
        name: "extends",
        text: " File that this one extends, relative to it; at most 8 in a row.",
        default: Some("None"),
        range: None,
        requirements: None,
        shape: <Option<String> as Value>::shape,
    },
    Field {
        name: "faults_add",
        text: " Faults to add to those of the extended file.",
        default: Some("[]"),
        range: None,
        requirements: None,
        shape: <Vec<Fault> as Value>::shape,
    },
];

/// Loads the scenario at `path`, with `overrides` of the form `path=value` laid over it.
///
/// # Errors
/// The file cannot be read, or the scenario is wrong; then with all that is wrong.
pub fn load(files: &dyn FileSource, path: &Path, overrides: &[String]) -> Result<Loaded, LoadError> {
    let mut chain = Chain::new(files, path)?;
    let mut reader = Reader::default();
    reader.diagnostics.append(&mut chain.diagnostics);
    let mut raw = RawScenario::default();
    for (index, source) in chain.sources.iter().enumerate().rev() {
        read_file(&mut raw, &Node::whole(&source.text, index), &mut reader);
    }
    let mut sources = chain.sources;
    for argument in overrides {
        let source = sources.len();
        sources.push(Source { name: "--set".to_owned(), text: argument.clone() });
        set(&mut raw, argument, source, &mut reader);
    }
    if raw.name.is_empty() {
        raw.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    name_faults(&mut raw);
    let image = read_image(files, &raw, &chain.paths, &mut reader, &mut chain.inputs);
    read_traffic_log(files, &mut raw, &chain.paths, &mut reader, &mut chain.inputs);
    judge(raw, sources, reader).map(|(scenario, sources, reader)| Loaded {
        scenario,
        overrides: overrides.to_vec(),
        inputs: chain.inputs,
        image,
        sources,
        reader,
    })
}

/// Gives faults without a name one from their kind and place in the list, counted from 1: `PowerCut-1`.
fn name_faults(raw: &mut RawScenario) {
    for (index, fault) in raw.faults.iter_mut().enumerate().filter(|(_, fault)| fault.id.is_empty()) {
        fault.id = format!("{}-{}", fault.kind.name(), index + 1);
    }
}

/// Loads a file of another kind than a scenario, one that extends nothing: what it says and what `check` makes of it.
///
/// # Errors
/// The file cannot be read, or it is wrong; then with all that is wrong: first the values, then what they mean together.
pub(crate) fn load_alone<T: Section, U>(
    files: &dyn FileSource,
    path: &Path,
    check: impl FnOnce(&T) -> Result<U, Vec<Problem>>,
) -> Result<(T, U, Input), LoadError> {
    let bytes = files.read(path).map_err(|why| LoadError::Unreadable(path.display().to_string(), why))?;
    let mut chain = Chain { sources: Vec::new(), paths: Vec::new(), inputs: Vec::new(), diagnostics: Vec::new() };
    chain.push(path, &bytes);
    let Chain { sources, mut inputs, diagnostics, .. } = chain;
    let mut reader = Reader::default();
    reader.diagnostics = diagnostics;
    let read = sources.first().and_then(|source| reader.value::<T>(&Node::whole(&source.text, 0)));
    if reader.diagnostics.is_empty()
        && let (Some(read), Some(input)) = (read, inputs.pop())
    {
        match check(&read) {
            Ok(checked) => return Ok((read, checked, input)),
            Err(problems) => report_all(problems, &mut reader),
        }
    }
    Err(invalid(sources, reader))
}

fn report_all(problems: Vec<Problem>, reader: &mut Reader) {
    for problem in problems {
        let place = reader.place(&problem.path).cloned().unwrap_or(Place { source: 0, span: 0..0 });
        reader.report(diagnostic(problem, place));
    }
}

/// Everything that is wrong, in the order of its places.
fn invalid(sources: Vec<Source>, reader: Reader) -> LoadError {
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.place.source, diagnostic.place.span.start));
    LoadError::Invalid(Report { sources, diagnostics })
}

/// The scenario if nothing is wrong, else everything that is.
fn judge(
    raw: RawScenario,
    sources: Vec<Source>,
    mut reader: Reader,
) -> Result<(Scenario, Vec<Source>, Reader), LoadError> {
    match raw.check() {
        Ok(scenario) if reader.diagnostics.is_empty() => return Ok((scenario, sources, reader)),
        Ok(_) => {}
        Err(problems) => {
            let unread: Vec<Place> = reader.diagnostics.iter().map(|diagnostic| diagnostic.place.clone()).collect();
            let certain = problems.into_iter().filter(|problem| !rests_on(problem, &unread, &reader)).collect();
            report_all(certain, &mut reader);
        }
    }
    Err(invalid(sources, reader))
}

/// Whether a problem depends on a value that could not be read, and so may not be one.
fn rests_on(problem: &Problem, unread: &[Place], reader: &Reader) -> bool {
    let own = problem.path.split(['.', '[']).next().unwrap_or_default();
    let mut roots = problem.roots.iter().copied().chain([own]).filter_map(|root| reader.place(root));
    roots.any(|root| {
        let holds = |place: &Place| {
            place.source == root.source && root.span.start <= place.span.start && place.span.end <= root.span.end
        };
        unread.iter().any(|place| root.span.start > 0 && holds(place))
    })
}

fn diagnostic(problem: Problem, place: Place) -> Diagnostic {
    let help = problem.help.into_iter().collect();
    let Problem { code, message, label, replacement, .. } = problem;
    Diagnostic { code, message, place, label, help, replacement }
}

/// Lays one file over the scenario.
fn read_file(raw: &mut RawScenario, node: &Node<'_>, reader: &mut Reader) {
    let Some(entries) = reader.entries(node, "Scenario") else { return };
    let fields: Vec<Field> = RawScenario::FIELDS.iter().chain(&LOADER_FIELDS).copied().collect();
    let known = reader.known_entries("Scenario", &entries, &fields);
    let (own, scenario): (Vec<Entry<'_>>, Vec<Entry<'_>>) =
        known.into_iter().partition(|entry| LOADER_FIELDS.iter().any(|field| field.name == entry.name));
    raw.apply_entries(&scenario, reader);
    for entry in own.iter().filter(|entry| entry.name == "faults_add") {
        add_faults(raw, &entry.node, reader);
    }
}

fn add_faults(raw: &mut RawScenario, node: &Node<'_>, reader: &mut Reader) {
    for item in reader.items(node).unwrap_or_default() {
        let path = format!("faults[{}]", raw.faults.len());
        if let Some(fault) = reader.value(&Node { path, ..item }) {
            raw.faults.push(fault);
        }
    }
}

/// Lays one `path=value` over the scenario.
fn set(raw: &mut RawScenario, argument: &str, source: usize, reader: &mut Reader) {
    let Some((path, value)) = argument.split_once('=') else {
        let place = Place { source, span: 0..argument.len() };
        let diagnostic = Diagnostic::new(Code::BadOverride, place, format!("`{argument}` sets nothing"));
        reader.report(diagnostic.label("expected path=value").help("for instance --set supply.nominal=22V"));
        return;
    };
    let parts: Vec<&str> = path.split(['.', '[']).map(|part| part.trim().trim_end_matches(']')).collect();
    let text = value.trim();
    let at = argument.len() - value.trim_start().len();
    let node = Node { text, source, at, path: path.trim().to_owned(), bare: true };
    reader.note(&node);
    raw.set(&parts, &node, reader);
}

/// A file and those it extends, nearest first.
struct Chain {
    sources: Vec<Source>,
    paths: Vec<PathBuf>,
    inputs: Vec<Input>,
    diagnostics: Vec<Diagnostic>,
}

impl Chain {
    fn new(files: &dyn FileSource, path: &Path) -> Result<Self, LoadError> {
        let bytes = files.read(path).map_err(|why| LoadError::Unreadable(path.display().to_string(), why))?;
        let mut chain = Self { sources: Vec::new(), paths: Vec::new(), inputs: Vec::new(), diagnostics: Vec::new() };
        chain.push(path, &bytes);
        while let Some((next, place)) = chain.next() {
            match chain.extend(files, &next, &place) {
                Ok(bytes) => chain.push(&next, &bytes),
                Err(diagnostic) => {
                    chain.diagnostics.push(*diagnostic);
                    break;
                }
            }
        }
        Ok(chain)
    }

    fn push(&mut self, path: &Path, bytes: &[u8]) {
        let name = path.display().to_string();
        self.inputs.push(Input { path: name.clone(), sha256: sha256(bytes) });
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let at = error.valid_up_to();
                let place = Place { source: self.sources.len(), span: at..at };
                let diagnostic = Diagnostic::new(Code::Syntax, place, "the file is no UTF-8 text");
                self.diagnostics.push(diagnostic.label("from here on"));
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        self.sources.push(Source { name, text });
        self.paths.push(path.to_owned());
    }

    /// The path of the file that the last one extends, and where it says so.
    fn next(&self) -> Option<(PathBuf, Place)> {
        let (source, path) = (self.sources.last()?, self.paths.last()?);
        let mut reader = Reader::default();
        let entries = reader.entries(&Node::whole(&source.text, self.sources.len() - 1), "Scenario")?;
        let entry = entries.iter().find(|entry| entry.name == "extends")?;
        let base = Option::<String>::read(&entry.node, &mut reader)??;
        Some((beside(path, &base), entry.node.place()))
    }

    fn extend(&self, files: &dyn FileSource, next: &Path, place: &Place) -> Result<Vec<u8>, Box<Diagnostic>> {
        let name = next.display();
        let wrong = |message: String, label: &str| {
            Box::new(Diagnostic::new(Code::Extends, place.clone(), message).label(label))
        };
        if self.paths.iter().any(|path| path == next) {
            return Err(wrong(format!("`{name}` extends itself in the end"), "closes the circle"));
        }
        if self.paths.len() >= DEPTH_MOST {
            return Err(wrong(format!("more than {DEPTH_MOST} files extend each other"), "one too many"));
        }
        files.read(next).map_err(|why| wrong(format!("cannot read `{name}`: {why}"), "to extend this"))
    }
}

/// `name` as seen from the folder of `path`, without `.` and with `..` taken out where it can be.
fn beside(path: &Path, name: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.parent().unwrap_or(Path::new("")).join(name).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The image, if it is a file; a path in a `--set` counts from the scenario's folder.
fn read_image(
    files: &dyn FileSource,
    raw: &RawScenario,
    paths: &[PathBuf],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) -> Option<Vec<u8>> {
    let ImageSource::File(name) = &raw.package.image.source else { return None };
    let place = reader.place("package.image.source").cloned().unwrap_or(Place { source: 0, span: 0..0 });
    let path = beside(paths.get(place.source).or_else(|| paths.first())?, name);
    let image = files.read(&path).and_then(|bytes| {
        inputs.push(Input { path: path.display().to_string(), sha256: sha256(&bytes) });
        super::image_file::decode(name, &bytes)
    });
    image
        .map_err(|why| {
            let message = format!("cannot use the image `{}`: {why}", path.display());
            reader.report(Diagnostic::new(Code::NoSuchThing, place, message).label("this file"));
        })
        .ok()
}

/// Reads the frames of the traffic, if it is a log; a path in a `--set` counts from the scenario's folder.
fn read_traffic_log(
    files: &dyn FileSource,
    raw: &mut RawScenario,
    paths: &[PathBuf],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) {
    let Some(log) = raw.traffic.log_mut() else { return };
    let place = reader.place("traffic").cloned().unwrap_or(Place { source: 0, span: 0..0 });
    let Some(base) = paths.get(place.source).or_else(|| paths.first()) else { return };
    let path = beside(base, &log.file);
    let frames = files.read(&path).and_then(|bytes| {
        inputs.push(Input { path: path.display().to_string(), sha256: sha256(&bytes) });
        super::traffic_log::decode(&path, &bytes)
    });
    match frames {
        Ok(frames) => log.frames = frames,
        Err(why) => {
            let message = format!("cannot use the log `{}`: {why}", path.display());
            reader.report(Diagnostic::new(Code::NoSuchThing, place, message).label("this file"));
        }
    }
}
