//! `ssh-agent`, OpenSSH's own agent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{Clock, Invocation, LIMIT, Running, World, wait_for};

/// A running `ssh-agent`.
pub(crate) struct OwnAgent {
    pub(crate) socket: PathBuf,
    _running: Running,
}

impl OwnAgent {
    pub(crate) fn start(world: &World) -> Self {
        Self::run(world, world.program("ssh-agent"))
    }

    /// Starts one that goes by a clock.
    pub(crate) fn start_with(world: &World, clock: &Clock) -> Self {
        // Programs with a group of their own, as ssh-agent is, take no foreign library; a copy is without.
        let which = world.program("sh").args(["-c", "command -v ssh-agent"]);
        let which = which.run();
        let copy = world.root().join("ssh-agent");
        fs::copy(which.stdout.trim(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
        Self::run(world, clock.drive(world.program(copy)))
    }

    fn run(world: &World, program: Invocation) -> Self {
        let socket = world.runtime().join("own.sock");
        let running = program
            .args(["-D", "-a"])
            .arg(&socket)
            .limit(2 * LIMIT)
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
