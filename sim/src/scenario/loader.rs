//! From a path to a scenario: files that extend files, overrides, and every problem at once.
//!
//! A file says only what differs from the file it `extends`: the base is laid over the defaults, the file over the base,
//! `--set` over both. Sections merge field by field; lists and choices are replaced, except that `faults_add` appends to
//! `faults`; `title` and `purpose` are not inherited. The loader reads through a [`FileSource`] and touches no file itself.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use reports::sha256;

use super::check::{Problem, Scenario};
use super::diagnostic::{Code, Diagnostic, Place, Source, distance};
use super::kinds;
use super::model::{Fault, ImageSource, RawScenario};
use super::overrides::{self, Blamed};
use super::reader::{Entry, Node, Reader};
use super::schema::{Field, Section, Value};
use super::units::ConfigurationFile;

/// Most files that extend each other in a row.
pub const DEPTH_MOST: usize = 8;

/// Where the loader reads files.
pub trait FileSource {
    /// The file's bytes.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;

    /// The bytes of a file that several places of a scenario may name and its inputs have once: a configuration.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn read_shared(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.read(path)
    }

    /// Names of the files in a folder, to tell which was probably meant; none where that is not known.
    fn names(&self, _folder: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// The path of the file that was probably meant by `path`: one beside it with the same end of its name, of whose stem at
/// most one letter in four differs; or the same name with `.ron`.
#[must_use]
pub fn near_file(files: &dyn FileSource, path: &Path) -> Option<PathBuf> {
    let own = path.file_name()?.to_string_lossy();
    let folder = path.parent()?;
    let mut names = files.names(folder);
    names.sort();
    let whole = format!("{own}.ron");
    let split =
        |name: &str| name.rsplit_once('.').map_or((name.to_owned(), String::new()), |(a, b)| (a.into(), b.into()));
    let (stem, end) = split(&own);
    let most = stem.chars().count() / 4;
    let differing = |name: &String| {
        let (other, other_end) = split(name);
        (*name != own && other_end == end).then(|| distance(&stem, &other)).filter(|letters| *letters <= most)
    };
    let near = names.iter().filter_map(|name| Some((differing(name)?, name))).min();
    let found = names.iter().find(|name| **name == whole).or(near.map(|(_, name)| name));
    found.map(|name| folder.join(name))
}

/// A file that went into a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What results call it: the scenario by its own file name, any other file by the way to it from the scenario's
    /// folder. It follows from the files alone, not from where the program was started or how a path was typed.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Where it was read; for use on this machine, never for a result.
    pub file: PathBuf,
}

impl Input {
    /// As reports name it: without the place where it was read.
    #[must_use]
    pub(crate) fn told(&self) -> reports::Input {
        reports::Input { path: self.path.clone(), sha256: self.sha256.clone() }
    }

    /// The same file as it is called from another file that names this input's scenario as `base`.
    #[must_use]
    pub(crate) fn seen_through(&self, base: &str) -> Self {
        Self { path: beside(Path::new(base), &self.path).display().to_string(), ..self.clone() }
    }
}

/// A file: where it is read, and what results call it.
#[derive(Clone, Debug, Default)]
struct Located {
    file: PathBuf,
    path: PathBuf,
}

impl Located {
    /// The file that was asked for.
    fn root(file: &Path) -> Self {
        Self { file: file.to_owned(), path: PathBuf::from(file.file_name().unwrap_or_default()) }
    }

    /// The file that this one names so.
    fn beside(&self, name: &str) -> Self {
        Self { file: beside(&self.file, name), path: beside(&self.path, name) }
    }

    fn input(&self, bytes: &[u8]) -> Input {
        Input { path: self.path.display().to_string(), sha256: sha256(bytes), file: self.file.clone() }
    }
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
    /// What is probably not meant and yet no error.
    pub warnings: Vec<Diagnostic>,
    /// How many of the inputs are scenario files.
    chain: usize,
    sources: Vec<Source>,
    reader: Reader,
}

impl Loaded {
    /// The scenario's file as it was typed, for a command on this machine; none of one that was made.
    #[must_use]
    pub fn as_typed(&self) -> Option<String> {
        self.inputs.first().map(|input| input.file.display().to_string())
    }

    /// A scenario that was made, not read: it has no files.
    #[must_use]
    pub fn of(scenario: Scenario) -> Self {
        Self {
            scenario,
            overrides: Vec::new(),
            inputs: Vec::new(),
            image: None,
            chain: 0,
            sources: Vec::new(),
            reader: Reader::default(),
            warnings: Vec::new(),
        }
    }

    /// The files that the scenario names, in the order of [`Loaded::inputs`]: image, log, configurations. Their content
    /// is not part of the resolved scenario.
    #[must_use]
    pub fn named(&self) -> &[Input] {
        self.inputs.get(self.chain..).unwrap_or_default()
    }

    /// The warnings with the texts they are about.
    #[must_use]
    pub fn warnings(&self) -> Report {
        Report { sources: self.sources.clone(), diagnostics: self.warnings.clone(), level: Severity::Warning }
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

/// How grave the diagnostics of a report are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// There is no scenario.
    #[default]
    Error,
    /// There is one, and something in it is probably not meant.
    Warning,
}

/// Everything that is wrong, with the texts it is wrong in.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The files, and one text for each `--set`.
    pub sources: Vec<Source>,
    /// What is wrong, in the order of the sources and of places in them.
    pub diagnostics: Vec<Diagnostic>,
    /// How grave they are, all of them.
    pub level: Severity,
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
    let Chain { sources, located, mut inputs, diagnostics } = Chain::new(files, path)?;
    let chain = inputs.len();
    let mut texts = Texts { name: stem(path), files: sources.len(), sources };
    let count = overrides.len();
    let arguments = overrides.iter().enumerate();
    texts.sources.extend(arguments.map(|(number, argument)| overrides::source(argument, number, count)));
    let mut reader = Reader::default();
    reader.trial = Some(trial);
    reader.diagnostics = diagnostics;
    let mut raw = texts.lay_over(&mut reader, |_| true);
    let image = read_image(files, &raw, &located, &mut reader, &mut inputs);
    let mut warnings = image_keys(&raw, texts.files, &mut reader);
    warnings.extend(image.as_deref().and_then(|image| odd_image(image, &raw, &reader)));
    warnings.extend(read_traffic_log(files, &mut raw, &located, &mut reader, &mut inputs));
    warnings.extend(borrowed_identifiers(&raw, &reader));
    read_configurations(files, &mut raw, &located, &mut reader, &mut inputs);
    judge(raw, texts, reader).map(|(scenario, sources, reader)| Loaded {
        scenario,
        overrides: overrides.to_vec(),
        inputs,
        image,
        warnings,
        chain,
        sources,
        reader,
    })
}

/// The name of a scenario whose file gives it none.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The texts that make a scenario: its files, nearest first, then the overrides.
struct Texts {
    name: String,
    files: usize,
    sources: Vec<Source>,
}

impl Texts {
    /// Lays the files and those overrides that are `wanted` over the defaults.
    fn lay_over(&self, reader: &mut Reader, wanted: impl Fn(usize) -> bool) -> RawScenario {
        let mut raw = RawScenario::default();
        let (files, arguments) = self.sources.split_at(self.files);
        // What is no text was told of when it was read.
        let unread: Vec<usize> =
            reader.diagnostics.iter().filter(|one| is_syntax(one)).map(|d| d.place.source).collect();
        for (index, source) in files.iter().enumerate().rev().filter(|(index, _)| !unread.contains(index)) {
            // The story is the file's own: the one of a file that it extends would tell of another run.
            (raw.title, raw.purpose) = (String::new(), String::new());
            read_file(&mut raw, &Node::whole(&source.text, index), reader);
        }
        for (index, source) in (self.files..).zip(arguments).filter(|(index, _)| wanted(*index)) {
            overrides::set(&mut raw, source, index, reader);
        }
        if raw.name.is_empty() {
            raw.name.clone_from(&self.name);
        }
        name_faults(&mut raw);
        raw
    }

    /// What is wrong without some overrides.
    fn problems(&self, wanted: impl Fn(usize) -> bool) -> Vec<Problem> {
        self.lay_over(&mut Reader::default(), wanted).check().err().unwrap_or_default()
    }

    /// Points each problem at the value it is about, or at the override that it stems from.
    fn report(&self, problems: Vec<Problem>, reader: &mut Reader) {
        let arguments = self.files..self.sources.len();
        let without: Vec<Vec<Problem>> = arguments.clone().map(|left| self.problems(|one| one != left)).collect();
        let without_any = if arguments.is_empty() { Vec::new() } else { self.problems(|_| false) };
        let mut blamed: Vec<(usize, Vec<Blamed>)> = Vec::new();
        for problem in problems {
            let own = reader.place(&problem.path).is_some_and(|place| arguments.contains(&place.source));
            let culprit = overrides::culprit(&problem, arguments.clone(), &without, &without_any);
            let Some(index) = culprit.filter(|_| !own) else {
                report_one(problem, reader);
                continue;
            };
            let written = self.written(&problem.path, reader);
            let same = |one: &Blamed| one.problem.code == problem.code && one.problem.message == problem.message;
            match blamed.iter_mut().find(|(known, list)| *known == index && list.iter().any(same)) {
                Some((_, list)) => list.push(Blamed { problem, written }),
                None => blamed.push((index, vec![Blamed { problem, written }])),
            }
        }
        for (index, list) in blamed {
            let diagnostic = self.sources.get(index).and_then(|source| overrides::blame(&list, source, index));
            diagnostic.into_iter().for_each(|diagnostic| reader.report(diagnostic));
        }
    }

    /// File and line at which the value at `path` is written, if it is.
    fn written(&self, path: &str, reader: &Reader) -> Option<String> {
        let place = reader.written(path)?;
        let source = self.sources.get(place.source)?;
        let line = 1 + source.text.get(..place.span.start)?.matches('\n').count();
        Some(format!("{}, line {line}", source.name))
    }
}

fn is_syntax(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == Code::Syntax
}

/// Gives faults without a name one from their kind and place in the list, counted from 1: `PowerCut-1`.
fn name_faults(raw: &mut RawScenario) {
    for (index, fault) in raw.faults.iter_mut().enumerate().filter(|(_, fault)| fault.id.is_empty()) {
        fault.id = format!("{}-{}", fault.kind.name(), index + 1);
    }
}

/// Stands in the record of a campaign or a search before its base scenario.
pub(crate) const BASE_MARK: &str = "// Base scenario:\n";

/// What to say of the record that lies in a result where the file of a campaign or a search is wanted: the result
/// beside it tells the file that it was made from.
fn record(text: &str, files: &dyn FileSource, path: &Path) -> Option<Diagnostic> {
    let at = text.find(&format!("\n{BASE_MARK}("))? + 1;
    let place = Place { source: 0, span: at..at + BASE_MARK.len() - 1 };
    let what = ["campaign", "search"].into_iter().find(|what| path.file_stem().is_some_and(|stem| stem == *what));
    let what = what.unwrap_or("campaign");
    let message = format!("this is the record of a {what} that was run, with its base scenario in it");
    let diagnostic = Diagnostic::new(Code::WrongFile, place, message).label("two files in one from here on");
    let beside = path.with_file_name(format!("{what}.json"));
    let told: Option<serde_json::Value> =
        files.read(&beside).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let made_from = told.as_ref().and_then(|told| told["inputs"][0]["path"].as_str());
    Some(match made_from {
        Some(file) => diagnostic.help(format!("run the file it was made from, in its folder: cooltwin {what} {file}")),
        None => diagnostic.help(format!("run the file it was made from: cooltwin {what} FILE")),
    })
}

/// Loads a file of another kind than a scenario, one that extends nothing: what it says and what `check` makes of it.
///
/// # Errors
/// The file cannot be read, or it is wrong; then with all that is wrong: values that cannot be read, and what the others
/// mean together. A problem that `check` finds rests on its own value and on those `beside` it; `check` is also asked where
/// stand-ins stand for values that could not be read.
pub(crate) fn load_alone<T: Section, U>(
    files: &dyn FileSource,
    path: &Path,
    check: impl FnOnce(&T) -> Result<U, Vec<Problem>>,
) -> Result<(T, U, Input), LoadError> {
    let bytes = files.read_shared(path).map_err(|why| LoadError::Unreadable(path.display().to_string(), why))?;
    let mut chain = Chain { sources: Vec::new(), located: Vec::new(), inputs: Vec::new(), diagnostics: Vec::new() };
    chain.push(Located::root(path), &bytes);
    let Chain { sources, mut inputs, diagnostics, .. } = chain;
    let alone = |text: &str| {
        let mut reader = Reader::default();
        let _ = reader.value::<T>(&Node::whole(text, 0));
        reader.diagnostics
    };
    let kind = |text: &str| {
        let entries = Reader::default().entries(&Node::whole(text, 0), "");
        entries.and_then(|entries| kinds::foreign(&entries, T::FIELDS))
    };
    let mut reader = Reader::default();
    reader.diagnostics = diagnostics;
    reader.trial = Some(alone);
    reader.diagnostics.extend(sources.first().and_then(|source| kind(&source.text)));
    reader.diagnostics.extend(sources.first().and_then(|source| record(&source.text, files, path)));
    let text = sources.first().filter(|_| reader.diagnostics.is_empty());
    let read = text.and_then(|source| reader.value::<T>(&Node::whole(&source.text, 0)));
    let (Some(read), Some(input)) = (read, inputs.pop()) else { return Err(invalid(sources, reader)) };
    match check(&read) {
        Ok(checked) if reader.diagnostics.is_empty() => return Ok((read, checked, input)),
        Ok(_) => {}
        Err(problems) => {
            let unread = reader.diagnostics.clone();
            let certain = problems.into_iter().filter(|problem| !rests_on(problem, &unread, &reader));
            certain.collect::<Vec<_>>().into_iter().for_each(|problem| report_one(problem, &mut reader));
        }
    }
    Err(invalid(sources, reader))
}

/// What is wrong with a file and with the base that it names, in this order: a wrong base says nothing of the file.
pub(crate) fn with_base<T>(loaded: Result<T, LoadError>, base: Option<LoadError>) -> Result<T, LoadError> {
    match (loaded, base) {
        (Err(LoadError::Invalid(mut own)), Some(LoadError::Invalid(base))) => {
            let before = own.sources.len();
            own.diagnostics.extend(base.diagnostics.into_iter().map(|mut diagnostic| {
                diagnostic.place.source += before;
                diagnostic
            }));
            own.sources.extend(base.sources);
            Err(LoadError::Invalid(own))
        }
        (_, Some(base)) => Err(base),
        (loaded, None) => loaded,
    }
}

/// Points a problem at the value it is about; where that is left out, at what it would stand in.
fn report_one(mut problem: Problem, reader: &mut Reader) {
    if reader.written(&problem.path).is_none() {
        problem.label = format!("`{}`: {}", problem.path, problem.label);
        problem.replacement = None;
    }
    let section = |root: &&'static str| root.split('.').next().unwrap_or_default();
    let root = || problem.roots.iter().find_map(|root| reader.written(section(root)));
    let place = reader.place(&problem.path).or_else(root).cloned().unwrap_or(Place { source: 0, span: 0..0 });
    reader.report(diagnostic(problem, place));
}

/// Everything that is wrong, in the order of its places.
fn invalid(sources: Vec<Source>, reader: Reader) -> LoadError {
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.place.source, diagnostic.place.span.start));
    LoadError::Invalid(Report { sources, diagnostics, level: Severity::Error })
}

/// The scenario if nothing is wrong, else everything that is.
fn judge(raw: RawScenario, texts: Texts, mut reader: Reader) -> Result<(Scenario, Vec<Source>, Reader), LoadError> {
    // Of a text that could not be read as a whole it is not known what it says.
    let is_read = !reader.diagnostics.iter().any(is_syntax);
    match raw.check() {
        Ok(scenario) if reader.diagnostics.is_empty() => return Ok((scenario, texts.sources, reader)),
        Err(problems) if is_read => {
            let unread = reader.diagnostics.clone();
            let certain = problems.into_iter().filter(|problem| !rests_on(problem, &unread, &reader)).collect();
            texts.report(certain, &mut reader);
        }
        Ok(_) | Err(_) => {}
    }
    Err(invalid(texts.sources, reader))
}

/// Whether a problem depends on a value that could not be read, and so may not be one. In an item of a list that is its
/// own value and those it names; anywhere else the whole section, as the values of one section mean something together.
fn rests_on(problem: &Problem, unread: &[Diagnostic], reader: &Reader) -> bool {
    let path = problem.path.as_str();
    let own = if path.contains('[') { path } else { path.split('.').next().unwrap_or_default() };
    let beside = problem.beside.iter().map(String::as_str);
    beside.chain(problem.roots.iter().copied()).chain([own]).any(|value| is_unsure(value, unread, reader))
}

/// Whether it is not known what the value at `path` is: it, a part of it or all around it could not be read; or it is
/// not written, and beside it stands a key that nobody knows.
fn is_unsure(path: &str, unread: &[Diagnostic], reader: &Reader) -> bool {
    let holds = |outer: &Place, inner: &Place| {
        outer.source == inner.source && outer.span.start <= inner.span.start && inner.span.end <= outer.span.end
    };
    let (Some(place), is_written) = (reader.place(path), reader.written(path).is_some()) else { return false };
    unread.iter().any(|one| {
        let is_key = matches!(one.code, Code::UnknownField | Code::MissingField);
        holds(&one.place, place) || (holds(place, &one.place) && (is_written || is_key))
    })
}

fn diagnostic(problem: Problem, place: Place) -> Diagnostic {
    let help = problem.help.into_iter().collect();
    let Problem { code, message, label, replacement, .. } = problem;
    Diagnostic { code, message, place, label, help, replacement }
}

/// What is wrong with the text of one file, read over the defaults.
fn trial(text: &str) -> Vec<Diagnostic> {
    let mut reader = Reader::default();
    read_file(&mut RawScenario::default(), &Node::whole(text, 0), &mut reader);
    reader.diagnostics
}

/// Lays one file over the scenario.
fn read_file(raw: &mut RawScenario, node: &Node<'_>, reader: &mut Reader) {
    let Some(entries) = reader.entries(node, "Scenario") else { return };
    let fields: Vec<Field> = RawScenario::FIELDS.iter().chain(&LOADER_FIELDS).copied().collect();
    if let Some(foreign) = kinds::foreign(&entries, &fields) {
        return reader.report(foreign);
    }
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
        if let Some(fault) = reader.value(&Node { path, ..item }).or_else(Fault::stand_in) {
            raw.faults.push(fault);
        }
    }
}

/// A file and those it extends, nearest first.
struct Chain {
    sources: Vec<Source>,
    located: Vec<Located>,
    inputs: Vec<Input>,
    diagnostics: Vec<Diagnostic>,
}

impl Chain {
    fn new(files: &dyn FileSource, path: &Path) -> Result<Self, LoadError> {
        let bytes = files.read(path).map_err(|why| LoadError::Unreadable(path.display().to_string(), why))?;
        let mut chain = Self { sources: Vec::new(), located: Vec::new(), inputs: Vec::new(), diagnostics: Vec::new() };
        chain.push(Located::root(path), &bytes);
        while let Some((next, place)) = chain.next() {
            match chain.extend(files, &next.file, &place) {
                Ok(bytes) => chain.push(next, &bytes),
                Err(diagnostic) => {
                    chain.diagnostics.push(*diagnostic);
                    break;
                }
            }
        }
        Ok(chain)
    }

    fn push(&mut self, located: Located, bytes: &[u8]) {
        self.inputs.push(located.input(bytes));
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                self.diagnostics.push(not_utf8(&error, bytes, Place { source: self.sources.len(), span: 0..0 }));
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        self.sources.push(Source { name: located.file.display().to_string(), text });
        self.located.push(located);
    }

    /// The file that the last one extends, and where it says so.
    fn next(&self) -> Option<(Located, Place)> {
        if self.diagnostics.iter().any(is_syntax) {
            return None;
        }
        let (source, own) = (self.sources.last()?, self.located.last()?);
        let mut reader = Reader::default();
        let entries = reader.entries(&Node::whole(&source.text, self.sources.len() - 1), "Scenario")?;
        let entry = entries.iter().find(|entry| entry.name == "extends")?;
        let base = Option::<String>::read(&entry.node, &mut reader)??;
        Some((own.beside(&base), entry.node.place()))
    }

    fn extend(&self, files: &dyn FileSource, next: &Path, place: &Place) -> Result<Vec<u8>, Box<Diagnostic>> {
        let name = next.display();
        let wrong = |message: String, label: &str| {
            Box::new(Diagnostic::new(Code::Extends, place.clone(), message).label(label))
        };
        if self.located.iter().any(|known| known.file == next) {
            return Err(wrong(format!("`{name}` extends itself in the end"), "closes the circle"));
        }
        if self.located.len() >= DEPTH_MOST {
            return Err(wrong(format!("more than {DEPTH_MOST} files extend each other"), "one too many"));
        }
        files.read(next).map_err(|why| {
            let diagnostic = wrong(format!("cannot read `{name}`: {why}"), "to extend this");
            let own = self.located.last().map_or(Path::new(""), |own| &own.file);
            // As it would be written in the file that extends it.
            let near = near_file(files, next)
                .map(|near| near.strip_prefix(folder_of(own)).map_or_else(|_| near.clone(), Path::to_owned));
            Box::new(diagnostic.suggest(near.map(|near| format!("\"{}\"", near.display()))))
        })
    }
}

/// A file that is no text: where it stops being one, and what helps.
fn not_utf8(error: &std::str::Utf8Error, bytes: &[u8], place: Place) -> Diagnostic {
    let at = error.valid_up_to();
    let byte = bytes.get(at).copied().unwrap_or_default();
    let place = Place { span: at..at + char::REPLACEMENT_CHARACTER.len_utf8(), ..place };
    let message = format!("the file is not UTF-8: byte 0x{byte:02X} at offset {at}");
    let fix = "save it as UTF-8, or convert it, for instance: iconv -f WINDOWS-1252 -t UTF-8";
    Diagnostic::new(Code::Syntax, place, message).label("no character in UTF-8").help(fix)
}

/// `name` as seen from the folder of `path`, without `.` and with `..` taken out where it can be.
pub(crate) fn beside(path: &Path, name: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in folder_of(path).join(name).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Where the value at `key` is written, and the file that it names; a path in a `--set` counts from the scenario's
/// folder.
fn named_file(key: &str, name: &str, files: &[Located], reader: &Reader) -> (Place, Located) {
    let place = reader.place(key).cloned().unwrap_or(Place { source: 0, span: 0..0 });
    let base = files.get(place.source).or_else(|| files.first()).cloned().unwrap_or_default();
    (place, base.beside(name))
}

/// The image, if it is a file.
fn read_image(
    files: &dyn FileSource,
    raw: &RawScenario,
    located: &[Located],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) -> Option<Vec<u8>> {
    let ImageSource::File(name) = &raw.package.image.source else { return None };
    let (place, found) = named_file("package.image.source", name, located, reader);
    let image = files.read(&found.file).and_then(|bytes| {
        inputs.push(found.input(&bytes));
        super::image_file::decode(name, &bytes)
    });
    image
        .map_err(|why| {
            let message = format!("cannot use the image `{}`: {why}", found.file.display());
            reader.report(Diagnostic::new(Code::NoSuchThing, place, message).label("this file"));
        })
        .ok()
}

/// Keys that say of a made-up image what an image file says of itself.
const MADE_UP: [&str; 4] = ["model", "version", "length", "seed"];

/// What is said of keys that an image file makes idle: an error beside or above the line that names the file, a warning
/// where an extended file wrote them for its own image. A text that has all of them is a canonical one.
fn image_keys(raw: &RawScenario, files: usize, reader: &mut Reader) -> Vec<Diagnostic> {
    let ImageSource::File(name) = &raw.package.image.source else { return Vec::new() };
    let Some(source) = reader.place("package.image.source").map(|place| place.source) else { return Vec::new() };
    let written: Vec<(&str, Place)> = MADE_UP
        .iter()
        .filter_map(|key| Some((*key, reader.written(&format!("package.image.{key}"))?.clone())))
        .collect();
    let is_canonical = written.iter().filter(|(_, place)| place.source == source).count() == MADE_UP.len();
    let is_inherited = |place: &Place| place.source < files && (place.source > source || source >= files);
    let mut warnings = Vec::new();
    for (key, place) in written {
        let is_error = !is_canonical && !is_inherited(&place);
        let message = format!("`package.image.{key}` says nothing of an image file: `{name}` decides");
        let diagnostic = Diagnostic::new(Code::Contradiction, place, message).label("for made-up images");
        let diagnostic = diagnostic.help("`cooltwin scenario show` prints what the file holds");
        if is_error { reader.report(diagnostic) } else { warnings.push(diagnostic) }
    }
    warnings
}

/// What is said of an image file that pumps will refuse.
fn odd_image(image: &[u8], raw: &RawScenario, reader: &Reader) -> Option<Diagnostic> {
    let ImageSource::File(name) = &raw.package.image.source else { return None };
    let why = match super::image_file::header(image) {
        Ok(header) => for_no_pump(header.model.0, raw)?,
        Err(why) => why,
    };
    let place = reader.place("package.image.source").cloned().unwrap_or(Place { source: 0, span: 0..0 });
    let diagnostic = Diagnostic::new(Code::Contradiction, place, format!("no pump takes `{name}`: {why}"));
    Some(diagnostic.label("this file").help("`cooltwin scenario explain package.image.source` has the header"))
}

/// What is said of an image whose model no pump has.
fn for_no_pump(id: u16, raw: &RawScenario) -> Option<String> {
    let models = raw.models();
    let named = models.iter().zip(1_u16..).filter(|(model, _)| raw.pump_setups().any(|pump| pump.model == **model));
    let (ids, words): (Vec<u16>, Vec<String>) = named.map(|(model, id)| (id, format!("{id} ({model})"))).unzip();
    (!ids.contains(&id)).then(|| format!("it is for model id {id}, and the pumps have {}", words.join(", ")))
}

/// Reads the frames of the traffic, if it is a log; a warning where the twin's own nodes send such frames, too.
fn read_traffic_log(
    files: &dyn FileSource,
    raw: &mut RawScenario,
    located: &[Located],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) -> Option<Diagnostic> {
    let pumps = raw.pumps.count;
    let log = raw.traffic.log_mut()?;
    let (place, found) = named_file("traffic", &log.file, located, reader);
    let frames = files.read(&found.file).and_then(|bytes| {
        inputs.push(found.input(&bytes));
        super::traffic_log::decode(&found.file, &bytes, &log.leave_out)
    });
    match frames {
        Ok(frames) => {
            log.frames = frames;
            let (ids, without) = super::traffic_log::collisions(log, pumps)?;
            let message = format!("`{}` has frames that the twin's own nodes send, too: {ids}", log.file);
            let diagnostic = Diagnostic::new(Code::Contradiction, place, message).label("plays them beside the twin's");
            Some(diagnostic.help(format!("leave them out: traffic: {without}")))
        }
        Err(why) => {
            let message = format!("cannot use the log `{}`: {why}", found.file.display());
            reader.report(Diagnostic::new(Code::NoSuchThing, place, message).label("this file"));
            None
        }
    }
}

/// A warning for each message of the traffic list that the twin's own nodes send, too.
fn borrowed_identifiers(raw: &RawScenario, reader: &Reader) -> Vec<Diagnostic> {
    let warning = |(index, message): (usize, String)| {
        let place = reader.place(&format!("traffic[{index}].id")).cloned().unwrap_or(Place { source: 0, span: 0..0 });
        let diagnostic = Diagnostic::new(Code::Contradiction, place, message).label("sent beside the twin's");
        diagnostic.help("a bus has one sender of an identifier: give the message one of its own")
    };
    super::traffic_log::borrowed(raw.traffic.messages(), raw.pumps.count).into_iter().map(warning).collect()
}

/// Compiles the configurations of the safety units.
fn read_configurations(
    files: &dyn FileSource,
    raw: &mut RawScenario,
    located: &[Located],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) {
    for (index, unit) in raw.safety_units.iter_mut().enumerate() {
        let path = format!("safety_units[{index}].configuration");
        read_configuration(files, &mut unit.configuration, &path, located, reader, inputs);
        for (number, download) in unit.downloads.iter_mut().enumerate() {
            let path = format!("safety_units[{index}].downloads[{number}].configuration");
            read_configuration(files, &mut download.configuration, &path, located, reader, inputs);
        }
    }
}

fn read_configuration(
    files: &dyn FileSource,
    configuration: &mut ConfigurationFile,
    path: &str,
    located: &[Located],
    reader: &mut Reader,
    inputs: &mut Vec<Input>,
) {
    if configuration.file.is_empty() && !reader.diagnostics.is_empty() {
        return; // A stand-in for a name that could not be read.
    }
    let (place, found) = named_file(path, &configuration.file, located, reader);
    let why = match crate::safety::load(files, &found.file) {
        Ok(compiled) => {
            let input = Input { path: found.path.display().to_string(), ..compiled.file.clone() };
            if !inputs.contains(&input) {
                inputs.push(input);
            }
            configuration.compiled = Some(Arc::new(compiled));
            return;
        }
        Err(LoadError::Unreadable(_, why)) => why,
        Err(LoadError::Invalid(report)) => {
            let first = report.diagnostics.first().map_or("it is wrong", |first| first.message.as_str());
            format!("{first}; `cooltwin safety compile` tells all")
        }
    };
    let message = format!("cannot use the configuration `{}`: {why}", found.file.display());
    reader.report(Diagnostic::new(Code::NoSuchThing, place, message).label("this file"));
}
