//! Logging, on request: `-v` and `--log-file`.
//!
//! Only events of this program are logged, none of libraries, which do not know what is secret. Events hold names, addresses
//! without their queries, and times, one event per line.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::{Failure, file_failure};
use crate::host::files;
use crate::line;

/// The level for each number of `-v`, from one on.
const LEVELS: [Level; 3] = [Level::INFO, Level::DEBUG, Level::TRACE];

/// Starts logging, if requested: to standard error with `-v`, and at every level to `file`, which only its owner may read.
///
/// # Errors
/// [`Failure`] if the file cannot be opened.
pub(super) fn start(verbosity: u8, file: Option<&Path>) -> Result<(), Failure> {
    if verbosity == 0 && file.is_none() {
        return Ok(());
    }
    let level = usize::from(verbosity)
        .checked_sub(1)
        .map_or(LevelFilter::OFF, |index| {
            let level = LEVELS.get(index).copied();
            LevelFilter::from_level(level.unwrap_or(Level::TRACE))
        });
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(|| Clean(io::stderr()))
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let to_file = match file {
        Some(path) => {
            let opened: File = files::append_privately(path)
                .map_err(|error| file_failure("open the log file", path, &error))?;
            Some(
                tracing_subscriber::fmt::layer()
                    .with_writer(Mutex::new(Clean(opened)))
                    .with_ansi(false)
                    .with_target(false),
            )
        }
        None => None,
    };
    let ours = |level: LevelFilter| Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    tracing_subscriber::registry()
        .with(to_stderr.with_filter(ours(level)))
        .with(to_file.map(|layer| layer.with_filter(ours(LevelFilter::TRACE))))
        .try_init()
        .map_err(|error| Failure::new("cannot start the log").caused_by(&error))
}

/// A writer that keeps each event, which comes in one piece, on one line, without control characters.
#[derive(Debug)]
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = format!("{}\n", line::cleaned(&text).trim_end());
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_one_line_and_moves_no_cursor() {
        let mut written = Vec::new();
        let mut log = Clean(&mut written);
        log.write_all(b"INFO connects host=a\x1b[2J\r\nhint: run evil\n")
            .unwrap();
        log.write_all("INFO next\n".as_bytes()).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(
            written,
            "INFO connects host=a\u{fffd}[2J hint: run evil\nINFO next\n"
        );
    }
}
