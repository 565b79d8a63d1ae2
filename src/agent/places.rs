//! Where the agent's sockets lie.

use std::path::{Path, PathBuf};

/// Returns the socket for our own programs, beside the one for ssh.
pub(super) fn ask_socket(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".ask");
    name.into()
}
