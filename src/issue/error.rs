use crate::certificate::{CertificateError, KeyError};
use crate::keyring::KeyringError;
use crate::session::{ClockSkew, LockError, Retry, SessionError};

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// What Entra issued cannot be used.
    #[error("Entra issued a certificate that cannot be used")]
    Certificate {
        source: CertificateError,
        /// What may be the cause.
        clock: Option<ClockSkew>,
    },
    /// The key pair cannot be made or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Entra refuses keys of this kind. It says no more than that the request is malformed, or that the key is weak.
    #[error("Entra does not certify `{algorithm}` keys yet")]
    KeyKind {
        algorithm: String,
        owner: KeyOwner,
        source: SessionError,
    },
    /// The session cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Who chose the kind of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyOwner {
    /// The profile says what its keys are like.
    Profile,
    /// The user has made it.
    User,
}

impl IssueError {
    /// Returns when it makes sense to try again.
    pub(crate) const fn retry(&self) -> Retry {
        match self {
            Self::KeyKind { source, .. } | Self::Session(source) => source.retry(),
            Self::Certificate { .. } | Self::Key(_) => Retry::Later,
        }
    }
}

impl From<CertificateError> for IssueError {
    fn from(source: CertificateError) -> Self {
        Self::Certificate {
            source,
            clock: None,
        }
    }
}

impl From<KeyringError> for IssueError {
    fn from(error: KeyringError) -> Self {
        Self::Session(error.into())
    }
}

impl From<LockError> for IssueError {
    fn from(error: LockError) -> Self {
        Self::Session(error.into())
    }
}
