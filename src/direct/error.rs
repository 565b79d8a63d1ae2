use std::io;

use super::place::Place;

/// Why a connection to a machine failed or broke.
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
    /// The connection could not be passed to ssh.
    #[error("cannot pass the connection to `{machine}` to ssh")]
    NotTaken {
        /// The machine.
        machine: String,
        /// Why.
        source: io::Error,
    },
    /// The machine refuses connections to the port.
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
        /// The time limit, in seconds.
        seconds: u64,
    },
    /// No network leads to the machine's addresses.
    #[error("cannot reach `{}` at `{place}`", place.machine)]
    Unreachable {
        /// Where.
        place: Place,
        /// Why.
        source: io::Error,
    },
}
