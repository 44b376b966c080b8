//! A page of text: styled words on lines that know their width.
//!
//! Widths are counted in characters before any colour code, so a page has the same layout with and without colour.
//! Control characters in words from files are replaced, because a scenario must not be able to move the cursor.

/// How a word stands out. Colour never carries a meaning alone: the words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Warn,
    Bad,
    Cool,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Cool => "36",
        }
    }
}

/// A line being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    spans: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Appends a word.
    pub(super) fn put(&mut self, style: Style, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.width += width_of(&text);
        self.spans.push((style, text));
    }

    /// Appends a word, flush left in a column.
    pub(super) fn left(&mut self, style: Style, text: &str, width: usize) {
        let end = self.width + width;
        self.put(style, text);
        self.to_column(end);
    }

    /// Appends a word, flush right in a column.
    pub(super) fn right(&mut self, style: Style, text: &str, width: usize) {
        self.to_column(self.width + width.saturating_sub(width_of(text)));
        self.put(style, text);
    }

    /// Spaces up to a column.
    pub(super) fn to_column(&mut self, column: usize) {
        self.gap(column.saturating_sub(self.width));
    }

    /// Some spaces.
    pub(super) fn gap(&mut self, count: usize) {
        self.put(Style::Plain, &" ".repeat(count));
    }

    /// Where the next word begins.
    pub(super) fn column(&self) -> usize {
        self.width
    }

    /// Drops spaces at the end, so that no line ends in them.
    fn trim(&mut self) {
        while let Some((_, text)) = self.spans.last_mut() {
            text.truncate(text.trim_end_matches(' ').len());
            if !text.is_empty() {
                break;
            }
            self.spans.pop();
        }
    }
}

/// The lines so far.
#[derive(Debug)]
pub(super) struct Page {
    out: String,
    /// Columns that a line should not pass.
    pub(super) width: usize,
    color: bool,
}

impl Page {
    /// An empty page.
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { out: String::new(), width, color }
    }

    /// Appends a line.
    pub(super) fn line(&mut self, mut line: Line) {
        line.trim();
        for (style, text) in &line.spans {
            let code = if self.color { style.code() } else { "" };
            if code.is_empty() || text.trim().is_empty() {
                self.out.push_str(text);
            } else {
                self.out.push_str(&format!("\x1b[{code}m{text}\x1b[0m"));
            }
        }
        self.out.push('\n');
    }

    /// Appends an empty line, unless the page begins with it.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// Appends `text` after what stands on `line` already, broken at spaces; further lines begin below its first word.
    pub(super) fn flow(&mut self, line: Line, style: Style, text: &str) {
        self.flow_pieces(line, text.split(' ').map(|word| (style, word.to_owned())), 1);
    }

    /// Appends pieces that are not broken inside, `gap` spaces apart, under the rule of [`Page::flow`].
    pub(super) fn flow_pieces(&mut self, line: Line, pieces: impl IntoIterator<Item = (Style, String)>, gap: usize) {
        let (indent, mut line, mut first) = (line.column(), line, true);
        for (style, piece) in pieces {
            let needed = width_of(&piece) + if first { 0 } else { gap };
            if !first && line.column() + needed > self.width {
                self.line(std::mem::take(&mut line));
                line.gap(indent);
                first = true;
            }
            if !first {
                line.gap(gap);
            }
            line.put(style, &piece);
            first = false;
        }
        self.line(line);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Columns that a text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.chars().count()
}
