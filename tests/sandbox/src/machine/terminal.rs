//! Pseudo-terminals, on Linux.
//!
//! A program gets the terminal as its controlling one by way of `setsid --ctty`, so that job control
//! and Ctrl-C work. Terminal modes that the client asks for are not set; the system's own are good.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::net::unix::pipe;

/// The side of a terminal that people sit at.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
}

impl Terminal {
    /// Opens a terminal.
    pub(super) fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        ioctl_fionbio(&master, true)?;
        Ok(Self { master })
    }

    /// Sets how many characters fit into a line, and how many lines.
    pub(super) fn resize(&self, columns: u32, rows: u32) {
        let fit = |count| u16::try_from(count).unwrap_or(u16::MAX);
        let size = Winsize {
            ws_row: fit(rows),
            ws_col: fit(columns),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // A terminal that is closed by now has no size to set.
        let _ = tcsetwinsize(&self.master, size);
    }

    /// Opens the side that programs sit at.
    pub(super) fn slave(&self) -> io::Result<File> {
        let name = ptsname(&self.master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(open(name, flags, Mode::empty())?.into())
    }

    /// Returns what to type into, and what is shown. When no program has the terminal any more, reading
    /// fails.
    ///
    /// A terminal is no pipe, but its descriptor is waited for, read and written as one.
    pub(super) fn streams(&self) -> io::Result<(pipe::Sender, pipe::Receiver)> {
        let typed = pipe::Sender::from_owned_fd_unchecked(self.master.try_clone()?)?;
        let shown = pipe::Receiver::from_owned_fd_unchecked(self.master.try_clone()?)?;
        Ok((typed, shown))
    }
}
