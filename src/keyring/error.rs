use std::path::PathBuf;

use super::Backend;

/// Why a keyring cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// An entry does not have a form that this version writes.
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
    /// No room is left for the entry.
    #[error("{backend} is full")]
    Full {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// It is locked, and the user did not unlock it.
    #[error("{backend} is locked")]
    Locked {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// The agent does not answer, or refuses.
    #[error("cannot use the agent's memory as a keyring")]
    Memory(#[source] std::io::Error),
    /// No keyring was opened.
    #[error("no keyring is open")]
    NotOpen,
    /// It failed for another reason.
    #[error("{backend} failed")]
    Store {
        backend: Backend,
        source: keyring_core::Error,
    },
    /// It did not answer.
    #[error("the keyring did not answer within {seconds} s")]
    TimedOut { seconds: u64 },
    /// The chosen keyring does not work on this system or in this session.
    #[error("{backend} cannot be used: {reason}")]
    Unavailable { backend: Backend, reason: String },
}
