//! Sockets that systemd listens on for us, and hands over when somebody knocks (`sd_listen_fds(3)`).

use std::io;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

/// Takes the Unix sockets that this process was started with, in the order of the unit's `ListenStream` lines: none if it was
/// started by somebody else. They can be taken once.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidInput`] if one of them is something else.
pub(crate) fn unix_listeners() -> io::Result<Vec<UnixListener>> {
    let mut inherited = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..inherited.len() {
        if let Some(listener) = inherited.take_unix_listener(index)? {
            // An event loop is going to wait on it.
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
    }
    Ok(listeners)
}
