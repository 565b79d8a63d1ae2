//! Sockets of this user. The owners of the folder and of the listener are checked before anything is sent.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::local_socket::{LocalStream, this_user};
use super::places::MAX_SOCKET_PATH_BYTES;

/// How long to wait for a listener whose backlog is full.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// How often to retry meanwhile.
const BUSY_POLL: Duration = Duration::from_millis(5);

/// Why a socket cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Connecting to the socket failed.
    #[error("cannot connect to `{}`", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another user owns the folder, and could put any socket there.
    #[error("the folder `{}` of the socket belongs to another user (uid {owner}), not to you (uid {user})", folder.display())]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
        /// The ID of its owner.
        owner: u32,
        /// The ID of this user.
        user: u32,
    },
    /// A program of another user listens on the socket.
    #[error("a program of another user (uid {owner}) listens at `{}`", socket.display())]
    ForeignListener {
        /// The socket.
        socket: PathBuf,
        /// The ID of the user who runs it.
        owner: u32,
    },
    /// Other users may write to the folder, and could put any socket there.
    #[error("other users may write to the folder `{}` of the socket", folder.display())]
    SharedFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The path is too long for a socket address.
    #[error(
        "the path of the socket `{}` has {} bytes; a socket can have {MAX_SOCKET_PATH_BYTES}",
        socket.display(), socket.as_os_str().len()
    )]
    TooLong {
        /// The socket.
        socket: PathBuf,
    },
}

impl SocketError {
    /// Returns whether no process listens on the socket: it does not exist, or it is stale.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ))
    }
}

/// Connects to a socket, if only this user may write to its folder and a program of this user listens on it.
///
/// # Errors
/// [`SocketError`].
pub(crate) async fn connect(socket: &Path) -> Result<LocalStream, SocketError> {
    check(socket)?;
    let failed = |source| SocketError::Connect {
        socket: socket.to_owned(),
        source,
    };
    let deadline = Instant::now() + BUSY_LIMIT;
    let stream = loop {
        match LocalStream::connect(socket).await {
            // The backlog is full.
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline =>
            {
                sleep(BUSY_POLL).await;
            }
            connected => break connected.map_err(failed)?,
        }
    };
    let (owner, user) = (stream.peer_user().map_err(failed)?, this_user());
    if owner == user {
        Ok(stream)
    } else {
        Err(SocketError::ForeignListener {
            socket: socket.to_owned(),
            owner,
        })
    }
}

/// Checks that the path is short enough for a socket, and that only this user can write to its folder.
///
/// # Errors
/// [`SocketError`]. A missing folder is not an error.
pub(crate) fn check(socket: &Path) -> Result<(), SocketError> {
    if socket.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
        return Err(SocketError::TooLong {
            socket: socket.to_owned(),
        });
    }
    check_folder(socket.parent().unwrap_or(Path::new("/")))
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), SocketError> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(there) = folder.metadata() else {
        return Ok(());
    };
    let (owner, user) = (there.uid(), this_user());
    if owner != user {
        let folder = folder.to_owned();
        return Err(SocketError::ForeignFolder {
            folder,
            owner,
            user,
        });
    }
    if there.mode() & 0o022 != 0 {
        let folder = folder.to_owned();
        return Err(SocketError::SharedFolder { folder });
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
const fn check_folder(_folder: &Path) -> Result<(), SocketError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::local_socket::LocalListener;
    use super::*;

    #[tokio::test]
    async fn a_socket_in_a_folder_that_others_may_write_to_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        assert!(connect(&socket).await.unwrap_err().is_nobody());
        let listener = LocalListener::bind(&socket).unwrap();
        assert!(connect(&socket).await.is_ok());
        for mode in [0o777, 0o1777, 0o720] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let refusal = connect(&socket).await.unwrap_err();
            assert!(
                matches!(refusal, SocketError::SharedFolder { .. }),
                "{mode:o}: {refusal}"
            );
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        drop(listener);
        assert!(connect(&socket).await.unwrap_err().is_nobody());
    }

    #[tokio::test]
    async fn a_folder_of_another_user_is_not_believed() {
        // Owned by root, or, if root runs this test, by any other user.
        let folder = tempfile::tempdir().unwrap();
        let foreign = if this_user() == 0 {
            std::os::unix::fs::chown(folder.path(), Some(12345), None).unwrap();
            folder.path()
        } else {
            Path::new("/")
        };
        let refusal = connect(&foreign.join("agent.sock")).await.unwrap_err();
        assert!(
            matches!(refusal, SocketError::ForeignFolder { .. }),
            "{refusal}"
        );
        assert!(!refusal.is_nobody());
    }

    #[test]
    fn a_path_may_be_as_long_as_an_address_and_no_longer() {
        let path = |length: usize| PathBuf::from(format!("/{}", "x".repeat(length - 1)));
        let is_too_long = |length| matches!(check(&path(length)), Err(SocketError::TooLong { .. }));
        assert!(!is_too_long(MAX_SOCKET_PATH_BYTES));
        assert!(is_too_long(MAX_SOCKET_PATH_BYTES + 1));
    }
}
