use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};

use super::super::files;

/// A connection between two processes on this machine.
#[derive(Debug)]
pub(crate) struct LocalStream(UnixStream);

impl LocalStream {
    /// Connects to a socket.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::WouldBlock`] if the listener's backlog is full.
    pub(crate) async fn connect(socket: &Path) -> io::Result<Self> {
        UnixStream::connect(socket).await.map(Self)
    }

    /// Returns the user ID of the process at the other end.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn peer_user(&self) -> io::Result<u32> {
        Ok(self.0.peer_cred()?.uid())
    }

    /// Returns the ID of the process at the other end, if the system provides it.
    pub(crate) fn peer_process(&self) -> Option<u32> {
        let process = self.0.peer_cred().ok()?.pid()?;
        u32::try_from(process).ok()
    }

    /// Returns both ends of a connection within this process.
    #[cfg(test)]
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        UnixStream::pair().map(|(one, other)| (Self(one), Self(other)))
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A socket that this process listens on.
#[derive(Debug)]
pub(crate) struct LocalListener(UnixListener);

impl LocalListener {
    /// Listens on a socket that only this user can open. Replaces a stale socket that has no listener.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::AlreadyExists`] if something other than a socket exists there.
    pub(crate) fn bind(socket: &Path) -> io::Result<Self> {
        remove_stale(socket)?;
        let listener = UnixListener::bind(socket)?;
        files::make_private(socket)?;
        Ok(Self(listener))
    }

    /// As [`LocalListener::bind`], but also replaces a socket that another program still listens on. The replacement is
    /// atomic: a client always reaches one of the two.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn bind_over(socket: &Path) -> io::Result<Self> {
        let mut beside = socket.as_os_str().to_owned();
        beside.push(".new");
        let listener = Self::bind(beside.as_ref())?;
        std::fs::rename(&beside, socket)?;
        Ok(listener)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        self.0.accept().await.map(|(stream, _)| LocalStream(stream))
    }
}

/// The file of a socket, which another program may remove or replace.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// Returns the socket file that exists at `path` now.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }

    /// Returns whether this file is still the one at its path.
    pub(crate) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }

    /// Removes this file if it is still the one at its path.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if self.is_there() {
            remove_stale(&self.path)?;
        }
        Ok(())
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket. A missing socket is not an error.
fn remove_stale(socket: &Path) -> io::Result<()> {
    match socket.symlink_metadata() {
        Ok(metadata) if metadata.file_type().is_socket() => files::remove_if_there(socket),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name, which is no socket",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the sockets that systemd passed to this process (`sd_listen_fds(3)`), in the order of the unit's `ListenStream`
/// lines; none if systemd did not start it. Only the first call returns them.
///
/// # Errors
/// The system's error; [`io::ErrorKind::InvalidInput`] if one of them is not a Unix socket.
pub(crate) fn inherited_listeners() -> io::Result<Vec<LocalListener>> {
    let mut inherited = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..inherited.len() {
        if let Some(listener) = inherited.take_unix_listener(index)? {
            // The event loop requires it.
            listener.set_nonblocking(true)?;
            listeners.push(LocalListener(UnixListener::from_std(listener)?));
        }
    }
    Ok(listeners)
}

/// Returns the ID of the user that this process runs as.
pub(crate) fn this_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
