//! Results to stdout, diagnostics to stderr, and what colours and closed pipes mean for them.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use super::{Color, MessageFormat, Style, exit};
use crate::scenario::Format;

/// Where output goes and how it looks.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    color: bool,
    result_color: bool,
    format: Format,
}

impl Terminal {
    /// The terminal as the arguments and the environment want it.
    #[must_use]
    pub fn new(style: &Style) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        let wanted = |on_terminal: bool| match style.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !set("NO_COLOR") && (forced || on_terminal),
        };
        let format = match style.message_format {
            MessageFormat::Human => Format::Human,
            MessageFormat::Short => Format::Short,
            MessageFormat::Json => Format::Json,
        };
        let color = wanted(std::io::stderr().is_terminal());
        let result_color = wanted(std::io::stdout().is_terminal());
        Self { color, result_color, format }
    }

    /// Whether to use colours.
    #[must_use]
    pub const fn color(self) -> bool {
        self.color
    }

    /// Whether to print the report in colours, which goes to stdout.
    #[must_use]
    pub const fn result_color(self) -> bool {
        self.result_color
    }

    /// Columns of the report: those of the terminal on stdout, else 100.
    #[must_use]
    pub fn width(self) -> usize {
        if std::io::stdout().is_terminal() { usize::from(console::Term::stdout().size().1) } else { 100 }
    }

    /// Form of the diagnostics.
    #[must_use]
    pub const fn format(self) -> Format {
        self.format
    }

    /// Prints a result; `false` when the reader has gone, which is no error: the exit code stays that of the work done.
    ///
    /// # Errors
    /// The exit code to end with when stdout cannot be written.
    pub fn result(self, text: &str) -> Result<bool, u8> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => {
                self.diagnostic(&format!("error: cannot write to stdout: {error}\n"));
                Err(exit::USAGE)
            }
        }
    }

    /// Prints a diagnostic; nothing can be done when nobody reads those.
    pub fn diagnostic(self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Prints a result and gives the exit code for it.
    #[must_use]
    pub fn finish(self, text: &str, code: u8) -> ExitCode {
        self.result(text).err().unwrap_or(code).into()
    }
}
