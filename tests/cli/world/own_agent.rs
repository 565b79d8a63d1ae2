//! `ssh-agent`, OpenSSH's own agent.

use std::path::PathBuf;

use super::{Running, World, wait_for};

/// A running `ssh-agent`.
pub(crate) struct OwnAgent {
    pub(crate) socket: PathBuf,
    _running: Running,
}

impl OwnAgent {
    pub(crate) fn start(world: &World) -> Self {
        let socket = world.runtime().join("own.sock");
        let running = world
            .program("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .start();
        // The socket is there a moment before anybody listens.
        wait_for("ssh-agent", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        Self {
            socket,
            _running: running,
        }
    }

    /// Returns the lines of `ssh-add -l`.
    pub(crate) fn listed(&self, world: &World) -> Vec<String> {
        let output = world
            .program("ssh-add")
            .env("SSH_AUTH_SOCK", &self.socket)
            .arg("-l")
            .run();
        output.stdout.lines().map(str::to_owned).collect()
    }
}
