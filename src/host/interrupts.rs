//! Being told to stop.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks this process to stop: `SIGINT`, as Ctrl-C sends it, and `SIGTERM`. Once this is open, they no longer end it.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Interrupts {
    /// Begins to listen. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits until this process is asked to stop, or asked once more.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What asks this process to stop: Ctrl-C. Once it was waited for, it no longer ends it.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Interrupts;

#[cfg(not(unix))]
impl Interrupts {
    /// Begins to listen. Call it within a tokio runtime.
    ///
    /// # Errors
    /// None; other systems have some.
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits until this process is asked to stop, or asked once more.
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
