//! Diagnostics as text: like rustc's, one line each, or JSON.

use annotate_snippets::{AnnotationKind, Group, Level as Title, Patch, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Source};
use super::loader::{Report, Severity};
use super::overrides;

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With the lines they are about.
    #[default]
    Human,
    /// `file:line:column: error[S001]: message`.
    Short,
    /// One JSON object per line.
    Json,
}

impl Report {
    /// All diagnostics as text, with a newline at the end.
    #[must_use]
    pub fn render(&self, format: Format, color: bool) -> String {
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            let nowhere = Source { name: String::new(), text: String::new() };
            let source = self.sources.get(diagnostic.place.source).unwrap_or(&nowhere);
            out.push_str(&match format {
                Format::Human => human(diagnostic, self.level, source, color) + "\n",
                Format::Short => short(diagnostic, self.level, source),
                Format::Json => json(diagnostic, self.level, source),
            });
            out.push('\n');
        }
        out
    }
}

fn word(level: Severity) -> &'static str {
    match level {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn title(level: Severity) -> Title<'static> {
    match level {
        Severity::Error => Title::ERROR,
        Severity::Warning => Title::WARNING,
    }
}

fn human(diagnostic: &Diagnostic, level: Severity, source: &Source, color: bool) -> String {
    let span = diagnostic.place.span.clone();
    let title = title(level).primary_title(&*diagnostic.message).id(diagnostic.code.id());
    let annotation = AnnotationKind::Primary.span(span.clone()).label(&*diagnostic.label);
    // An argument has no lines to count: its text says where it stands.
    let path = (!overrides::is_override(source)).then_some(&*source.name);
    let snippet = Snippet::source(&*source.text).path(path).annotation(annotation);
    let help = diagnostic.help.iter().map(|help| Title::HELP.message(&**help));
    let mut groups: Vec<Group<'_>> = vec![title.element(snippet).elements(help)];
    if let Some(replacement) = &diagnostic.replacement {
        let patch = Snippet::source(&*source.text).path(path).patch(Patch::new(span, &**replacement));
        groups.push(Title::HELP.secondary_title("write this instead").element(patch));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&groups)
}

/// Line and column, both from 1, the column in characters.
fn line_and_column(source: &Source, at: usize) -> (usize, usize) {
    let before = source.text.get(..at).unwrap_or(&source.text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
}

fn short(diagnostic: &Diagnostic, level: Severity, source: &Source) -> String {
    let (line, column) = line_and_column(source, diagnostic.place.span.start);
    let Diagnostic { code, message, label, .. } = diagnostic;
    let label = if label.is_empty() { String::new() } else { format!(" ({label})") };
    format!("{}:{line}:{column}: {}[{}]: {message}{label}", source.name, word(level), code.id())
}

fn json(diagnostic: &Diagnostic, level: Severity, source: &Source) -> String {
    let (line, column) = line_and_column(source, diagnostic.place.span.start);
    let (line_end, column_end) = line_and_column(source, diagnostic.place.span.end);
    serde_json::json!({
        "code": diagnostic.code.id(),
        "level": word(level),
        "message": diagnostic.message,
        "file": source.name,
        "line": line,
        "column": column,
        "line_end": line_end,
        "column_end": column_end,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "replacement": diagnostic.replacement,
    })
    .to_string()
}
