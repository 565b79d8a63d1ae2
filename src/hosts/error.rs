use std::io;
use std::path::PathBuf;

use crate::host::files::FileError;
use crate::ids::HostAlias;
use crate::line::Line;
use crate::ssh_config::{ManagedConfigError, UnwritableHostError};

/// Why the managed hosts cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostsError {
    /// The alias of a new host leads to another machine.
    #[error("alias `{alias}` already leads to another machine, `{holder}`")]
    AliasTaken {
        alias: HostAlias,
        /// What the alias leads to: a resource ID, or an address.
        holder: String,
        /// What tells the new machine from others of its name.
        machine: String,
        /// An alias for the new machine that ssh accepts, if there is one.
        suggestion: Option<HostAlias>,
    },
    #[error("cannot check the new ssh config with `{}`", ssh.display())]
    Check { ssh: PathBuf, source: io::Error },
    #[error("cannot determine the path of this executable")]
    Executable(#[source] io::Error),
    #[error(transparent)]
    File(#[from] FileError),
    /// Root would write into another user's folder, as with `sudo`.
    #[error("`{}` belongs to another user", folder.display())]
    ForeignFolder { folder: PathBuf },
    #[error("cannot take the lock for the ssh config")]
    Lock(#[source] io::Error),
    #[error("cannot use `{}`", path.display())]
    Managed {
        path: PathBuf,
        source: ManagedConfigError,
    },
    #[error("`{host}` is not a managed host")]
    NotManaged { host: HostAlias },
    #[error("ssh rejected the new ssh config; the old one is unchanged")]
    Rejected {
        path: PathBuf,
        /// What ssh printed, with the path of the managed config.
        lines: Vec<Line>,
    },
    #[error("`{}` would have {bytes} bytes, more than {limit} bytes", path.display())]
    TooLong {
        path: PathBuf,
        bytes: usize,
        limit: usize,
    },
    #[error(transparent)]
    Unwritable(#[from] UnwritableHostError),
    /// The user's own ssh config cannot be read.
    #[error("cannot read `{}`", path.display())]
    UserConfig { path: PathBuf, source: io::Error },
}
