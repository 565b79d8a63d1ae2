use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection between two processes of this machine. There is none here.
#[derive(Debug)]
pub(crate) struct LocalStream(Infallible);

impl LocalStream {
    #[expect(clippy::unused_async, reason = "the Unix twin waits")]
    pub(crate) async fn connect(_socket: &Path) -> io::Result<Self> {
        Err(not_yet())
    }

    pub(crate) const fn peer_user(&self) -> io::Result<u32> {
        match self.0 {}
    }

    pub(crate) const fn peer_process(&self) -> Option<u32> {
        match self.0 {}
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

/// A socket that this process listens on. There is none here.
#[derive(Debug)]
pub(crate) struct LocalListener(Infallible);

impl LocalListener {
    pub(crate) fn bind(_socket: &Path) -> io::Result<Self> {
        Err(not_yet())
    }

    pub(crate) fn bind_over(_socket: &Path) -> io::Result<Self> {
        Err(not_yet())
    }

    #[expect(clippy::unused_async, reason = "the Unix twin waits")]
    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        match self.0 {}
    }
}

/// The file of a socket. There is none here.
#[derive(Debug)]
pub(crate) struct SocketFile(Infallible);

impl SocketFile {
    pub(crate) fn at(_path: &Path) -> io::Result<Self> {
        Err(not_yet())
    }

    pub(crate) const fn is_there(&self) -> bool {
        match self.0 {}
    }

    pub(crate) const fn remove(&self) -> io::Result<()> {
        match self.0 {}
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
pub(crate) const fn inherited_listeners() -> io::Result<Vec<LocalListener>> {
    Ok(Vec::new())
}

/// Returns a number for the user; here they have none.
pub(crate) const fn this_user() -> u32 {
    0
}

fn not_yet() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the agent's socket: not on Windows yet",
    )
}
