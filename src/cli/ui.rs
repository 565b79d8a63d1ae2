use std::io::{self, IsTerminal as _, Write as _};
use std::str::FromStr;

use serde::Serialize;

use crate::failure::Failure;
use crate::host::closed_output;
use crate::line;
use crate::progress::Progress;

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    Json,
    Text,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(format!("unknown format `{text}`: expected text or json")),
        }
    }
}

/// The terminal, or what replaces it: results go to standard output, messages to standard error.
///
/// A result that cannot be written is a failure; a message that cannot be written is not. Control characters and invisible
/// characters never reach the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ui {
    format: Format,
    quiet: bool,
}

impl Ui {
    pub(super) const fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Returns whether to print only results, prompts and failures.
    pub(super) const fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints a result: `json` as one value, or `text` as it is. If the reader has gone, that is not a failure: it has
    /// read all it needs.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be written, so that no script takes a part of it for the whole.
    pub(super) fn result(self, json: &impl Serialize, text: &str) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.raw(&format!("{}\n", to_json(json))),
            Format::Text => self.raw(&line::printable(text)),
        }
    }

    /// Prints a text as it is, in either format.
    ///
    /// # Errors
    /// As [`Ui::result`].
    #[expect(clippy::unused_self, reason = "what is printed is printed by the `Ui`")]
    pub(super) fn raw(self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let printed = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        printed_or_failed(printed)
    }

    /// Prints what is being done, unless quiet.
    pub(super) fn say(self, text: &str) {
        if !self.quiet {
            ask(text);
        }
    }

    /// Prints a failure.
    pub(super) fn fail(self, failure: &Failure) {
        let text = match self.format {
            Format::Json => to_json(failure),
            Format::Text => super::failure::text(failure),
        };
        let _told = writeln!(io::stderr().lock(), "{}", line::printable(text.trim_end()));
    }
}

impl Progress for Ui {
    fn say(&self, text: &str) {
        (*self).say(text);
    }

    fn show(&self, text: &str) {
        if !self.quiet && is_watched() {
            let mut stderr = io::stderr().lock();
            let _shown = write!(stderr, "\r\x1b[K{}", line::cleaned(text));
            let _flushed = stderr.flush();
        }
    }
}

/// Returns the failure to print a result.
pub(super) fn printed_or_failed(printed: io::Result<()>) -> Result<(), Failure> {
    let printed = printed.and_then(|()| {
        if closed_output::was_closed() {
            return Err(io::Error::other("it is closed"));
        }
        Ok(())
    });
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write the result to standard output")
                .caused_by(&error)
                .hint("see where it goes: the disk may be full, or the file closed"))
        }
        _ => Ok(()),
    }
}

fn to_json(value: &impl Serialize) -> String {
    line::escape_json(serde_json::to_string(value).unwrap_or_default())
}

/// Shows progress at the terminal, in place of the progress shown before; an empty text clears it.
pub(super) fn show_progress(text: &str) {
    let mut stderr = io::stderr().lock();
    let _shown = write!(stderr, "\r\x1b[K{text}");
    let _flushed = stderr.flush();
}

/// Prints a prompt for something that only the user can do, even when quiet.
pub(super) fn ask(text: &str) {
    let _said = writeln!(io::stderr().lock(), "{}", line::printable(text));
}

/// Returns whether the user can answer at standard input.
pub(super) fn can_answer() -> bool {
    io::stdin().is_terminal()
}

/// Returns whether the user can see a prompt and answer it.
pub(super) fn is_at_terminal() -> bool {
    can_answer() && is_watched()
}

/// Returns whether the user can see messages: standard error is a terminal.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}
