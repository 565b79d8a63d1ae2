use std::path::PathBuf;

use super::Backend;

/// Why the keyring does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// An entry is not of the form that this program writes.
    #[error("cannot read the keyring entry `{name}`: {reason}")]
    BadEntry {
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file of the file keyring cannot be used.
    #[error("cannot use `{}` of the file keyring", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// There is no room.
    #[error("{backend} is full")]
    Full {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// It is locked, and nobody unlocked it.
    #[error("{backend} is locked")]
    Locked {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// The agent does not hold it.
    #[error("cannot use the agent's memory as keyring")]
    Memory(#[source] std::io::Error),
    /// No keyring was opened.
    #[error("no keyring is open")]
    NotOpen,
    /// It failed otherwise.
    #[error("{backend} failed")]
    Store {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// It did not answer.
    #[error("the keyring did not answer within {seconds} s")]
    TimedOut {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The one that was asked for cannot be used.
    #[error("{backend} cannot be used: {reason}")]
    Unavailable {
        backend: Backend,
        reason: String,
    },
}
