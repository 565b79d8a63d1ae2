//! What is told of the way, on request: `-v`, and `--log-file`.
//!
//! Only what this program writes itself is told, never what libraries do: they know of no secrets of ours. What is written
//! here holds names, addresses without their queries, and times.

use std::fs::File;
use std::io;
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

/// How often `-v` was given for each level.
const LEVELS: [Level; 3] = [Level::INFO, Level::DEBUG, Level::TRACE];

/// Starts telling, if that was asked for: to standard error with `-v`, and to a file that only its owner may read, all of it.
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
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let to_file = match file {
        Some(path) => {
            let opened: File = files::append_privately(path)
                .map_err(|error| file_failure("open the log file", path, &error))?;
            Some(
                tracing_subscriber::fmt::layer()
                    .with_writer(Mutex::new(opened))
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
