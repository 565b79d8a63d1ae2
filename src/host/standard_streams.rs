//! Standard input and output for relayed bytes.
//!
//! If the descriptor is a pipe, as it is under `ssh`, it is made non-blocking and enlarged, and used without a helper
//! thread: tokio's own standard streams cost a third of the throughput and twice the latency. A terminal or a file goes
//! through tokio's streams, since a terminal must never be left in non-blocking mode.

use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, Stdin, Stdout};
#[cfg(unix)]
use tokio::net::unix::pipe::{Receiver, Sender};

/// The size of an enlarged pipe, in bytes, where the system allows it.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1024 * 1024;

/// Standard input.
#[derive(Debug)]
pub enum Input {
    /// A pipe.
    #[cfg(unix)]
    Pipe(Receiver),
    /// Anything else.
    Other(Stdin),
}

/// Standard output.
#[derive(Debug)]
pub enum Output {
    /// A pipe.
    #[cfg(unix)]
    Pipe(Sender),
    /// Anything else.
    Other(Stdout),
}

impl Input {
    /// Opens standard input. Call it within a tokio runtime, once.
    #[must_use]
    pub fn open() -> Self {
        #[cfg(unix)]
        if let Ok(pipe) = open_pipe(&io::stdin(), Receiver::from_owned_fd) {
            return Self::Pipe(pipe);
        }
        Self::Other(tokio::io::stdin())
    }
}

impl Output {
    /// Returns whether the reader of a pipe is gone. For anything else, only a write reveals that.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Pipe(pipe) => super::poll::has_no_reader(pipe),
            Self::Other(_) => false,
        }
    }

    /// Flushes and closes standard output, so that its reader sees the end.
    ///
    /// # Errors
    /// The system's error.
    pub async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        drop(self);
        leave_standard_output()
    }

    /// Opens standard output. Call it within a tokio runtime, once.
    #[must_use]
    pub fn open() -> Self {
        #[cfg(unix)]
        if let Ok(pipe) = open_pipe(&io::stdout(), Sender::from_owned_fd) {
            return Self::Pipe(pipe);
        }
        Self::Other(tokio::io::stdout())
    }
}

/// Opens a descriptor as a large, non-blocking pipe, if it is a pipe.
#[cfg(unix)]
fn open_pipe<P: AsFd>(descriptor: &impl AsFd, open: fn(OwnedFd) -> io::Result<P>) -> io::Result<P> {
    let pipe = open(descriptor.as_fd().try_clone_to_owned()?)?;
    enlarge(&pipe);
    Ok(pipe)
}

/// Closes the descriptor itself, too; later output is discarded.
#[cfg(unix)]
fn leave_standard_output() -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let nowhere = open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::stdio::dup2_stdout(nowhere)?)
}

/// Does nothing: the system closes it when this process exits.
#[cfg(not(unix))]
const fn leave_standard_output() -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn enlarge(pipe: &impl AsFd) {
    if rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES).is_err() {
        // The user's quota of pipe memory is used up; the pipe works at its old size.
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn enlarge(_pipe: &impl AsFd) {}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_read(context, buffer),
            Self::Other(stdin) => Pin::new(stdin).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_write(context, bytes),
            Self::Other(stdout) => Pin::new(stdout).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_flush(context),
            Self::Other(stdout) => Pin::new(stdout).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_shutdown(context),
            Self::Other(stdout) => Pin::new(stdout).poll_shutdown(context),
        }
    }
}
