//! The processes of a world, as the kernel shows them.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use rustix::process::{Pid, Signal, kill_process};

use super::{World, contains};

/// A process of this world: one whose environment names its runtime folder.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) id: i32,
    /// With a NUL after each argument.
    pub(crate) command_line: Vec<u8>,
    pub(crate) environment: Vec<u8>,
}

impl Process {
    pub(crate) fn kill(&self) {
        let id = Pid::from_raw(self.id).unwrap();
        // It may have ended by now.
        let _killed = kill_process(id, Signal::KILL);
    }

    /// Stops it, lets it go on, …
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Makes it crash.
    pub(crate) fn crash(&self) {
        let id = Pid::from_raw(self.id).unwrap();
        kill_process(id, Signal::ABORT).unwrap();
    }

    pub(crate) fn is_agent(&self) -> bool {
        contains(&self.command_line, b"entra-ssh\0agent\0run\0")
    }

    pub(crate) fn is_proxy(&self) -> bool {
        contains(&self.command_line, b"entra-ssh\0proxy\0")
    }
}

impl World {
    /// Returns the processes of this world that are neither zombies nor the keyring.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let runtime = self.runtime();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let folder = entry.ok()?.path();
                let id = folder.file_name()?.to_str()?.parse().ok()?;
                let process = Process {
                    id,
                    command_line: fs::read(folder.join("cmdline")).ok()?,
                    // Only root may look at ours.
                    environment: fs::read(folder.join("environ")).unwrap_or_default(),
                };
                let is_of_this_world = |text: &[u8]| contains(text, runtime.as_os_str().as_bytes());
                (is_of_this_world(&process.environment) || is_of_this_world(&process.command_line))
                    .then_some(process)
            })
            .filter(|process| !process.command_line.is_empty())
            .collect()
    }

    /// Returns the agents of this world.
    pub(crate) fn agents(&self) -> Vec<Process> {
        let mut processes = self.processes();
        processes.retain(Process::is_agent);
        processes
    }
}
