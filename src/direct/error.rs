use std::io;

use super::place::Place;

/// Why there is no connection to a machine, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// The connection broke.
    #[error("the connection to `{machine}` broke")]
    Dropped {
        /// The machine.
        machine: String,
        /// Why.
        source: io::Error,
    },
    /// ssh was to go on with the connection, and does not take it.
    #[error("the connection to `{machine}` cannot be given to ssh")]
    NotTaken {
        /// The machine.
        machine: String,
        /// Why.
        source: io::Error,
    },
    /// Nobody listens on the port.
    #[error("`{}` refuses connections at `{place}`", place.machine)]
    Refused {
        /// Where.
        place: Place,
    },
    /// Nothing answers.
    #[error("`{}` does not answer at `{place}` within {seconds} s", place.machine)]
    TimedOut {
        /// Where.
        place: Place,
        /// How long it was waited for.
        seconds: u64,
    },
    /// No network leads there.
    #[error("cannot reach `{}` at `{place}`", place.machine)]
    Unreachable {
        /// Where.
        place: Place,
        /// Why.
        source: io::Error,
    },
}
