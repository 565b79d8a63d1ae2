//! The processes of a world, as the kernel shows them.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use super::{World, contains};

/// The process groups of the programs that a world has started.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessGroups(Arc<Mutex<Vec<i32>>>);

impl ProcessGroups {
    pub(super) fn add(&self, id: u32) {
        self.0.lock().unwrap().push(id.try_into().unwrap());
    }

    fn has_one_of(&self, stat: &str) -> bool {
        // The name is in parentheses; state, parent and group follow.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let group = fields.split_whitespace().nth(2);
        let group = group.and_then(|group| group.parse().ok());
        group.is_some_and(|group| self.0.lock().unwrap().contains(&group))
    }
}

/// A process of this world: one whose environment or command line names its runtime folder, or that is in the group of a program
/// that the world has started.
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
                let stat = fs::read_to_string(folder.join("stat")).ok()?;
                let names_this_world = |text: &[u8]| contains(text, runtime.as_os_str().as_bytes());
                (names_this_world(&process.environment)
                    || names_this_world(&process.command_line)
                    || self.groups.has_one_of(&stat))
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
