use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;

#[cfg(unix)]
use super::poll::Watched;
use super::standard_streams;

/// An output for relayed bytes, which can be closed and knows whether it still has a reader.
pub trait Output: AsyncWrite + Unpin {
    /// Returns whether this output has lost its reader.
    fn is_abandoned(&self) -> bool {
        false
    }

    /// Closes this output, so that its reader sees the end.
    fn close(mut self) -> impl Future<Output = io::Result<()>> + Send
    where
        Self: Sized + Send,
    {
        async move { self.shutdown().await }
    }
}

/// The client's end of a TCP connection.
impl Output for OwnedWriteHalf {}

impl Output for standard_streams::Output {
    fn is_abandoned(&self) -> bool {
        Self::is_abandoned(self)
    }

    fn close(self) -> impl Future<Output = io::Result<()>> + Send {
        Self::close(self)
    }
}

#[cfg(unix)]
impl Output for Watched {
    fn is_abandoned(&self) -> bool {
        self.has_no_reader()
    }
}
