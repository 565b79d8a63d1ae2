use std::io;
use std::path::PathBuf;

use crate::certificate::KeyError;
use crate::host::files::FileError;
use crate::issue::IssueError;
use crate::keyring::KeyringError;
use crate::session::{LockError, ProfileError};

/// Why key and certificate are not where ssh looks for them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// Another user's program would get the private key, as with `sudo -E`.
    #[error("the agent at `{}` belongs to another user (uid {owner})", socket.display())]
    AgentForeign { socket: PathBuf, owner: u32 },
    #[error("your agent at `{}` refused a key with a lifetime", socket.display())]
    AgentRefused { socket: PathBuf },
    #[error("cannot use your agent at `{}`", socket.display())]
    AgentUnavailable { socket: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Issue(Box<IssueError>),
    /// The key of our certificate cannot be written or handed over.
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("you have no ssh agent: `SSH_AUTH_SOCK` is not set")]
    NoAgent,
    #[error("the keyring holds no valid certificate")]
    NoCertificate,
    /// A file that should hold the user's public key.
    #[error("`{}` holds a private key", path.display())]
    PrivateKey { path: PathBuf },
    /// A file that should hold the user's public key holds something else.
    #[error("cannot use `{}`", path.display())]
    PublicKey { path: PathBuf, source: KeyError },
}

impl From<IssueError> for IdentityError {
    fn from(error: IssueError) -> Self {
        Self::Issue(Box::new(error))
    }
}

impl From<KeyringError> for IdentityError {
    fn from(error: KeyringError) -> Self {
        IssueError::from(error).into()
    }
}

impl From<LockError> for IdentityError {
    fn from(error: LockError) -> Self {
        IssueError::from(error).into()
    }
}

impl From<ProfileError> for IdentityError {
    fn from(error: ProfileError) -> Self {
        IssueError::Session(error.into()).into()
    }
}
