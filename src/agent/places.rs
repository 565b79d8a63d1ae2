//! Where the agent's sockets lie.

use std::path::{Path, PathBuf};

/// Returns the socket that our own programs ask at: it lies beside the one that ssh is told of.
pub(super) fn ask_socket(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".ask");
    name.into()
}
