//! Other programs: `ssh`, which replaces this process, and our own agent, which outlives it.

mod captured;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use zeroize::Zeroizing;

#[cfg(test)]
pub(crate) use self::captured::Captured;
pub(crate) use self::captured::capture;

/// On Linux, a link to the executable of this process, even if that was removed.
pub(super) const RUNNING: &str = "/proc/self/exe";
/// Variables that carry secrets, which child processes must not inherit.
pub(crate) const SECRET_VARIABLES: [&str; 5] = [
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SECRET",
    "ENTRA_SSH_CLIENT_SECRET",
    "SYSTEM_ACCESSTOKEN",
];

/// The maximum size of a `/proc` file, in bytes.
#[cfg(unix)]
const MAX_PROC_BYTES: usize = 256 * 1024;

/// Keeps the memory of this process out of core files and, where the system supports it, hidden from other processes of the
/// user. Programs started later inherit only the limit on core files, and may raise it again.
pub(crate) fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            // Only root may raise this, and sudo may have lowered it.
            maximum: getrlimit(Resource::Core).maximum,
        };
        let limited = setrlimit(Resource::Core, none);
        debug_assert!(limited.is_ok(), "a limit can always be lowered");
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let set = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        debug_assert!(set.is_ok(), "a process may always do this to itself");
    }
}

/// Replaces this process with a program on Unix; elsewhere waits for the program and passes on its exit status.
///
/// # Errors
/// The system's error if the program cannot be started. On Unix this function returns only then.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts programs"
)]
pub(crate) fn replace_with(program: &OsStr, arguments: &[OsString]) -> io::Result<u8> {
    let mut command = Command::new(program);
    command.args(arguments);
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    become_it(command)
}

#[cfg(unix)]
fn become_it(mut command: Command) -> io::Result<u8> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> io::Result<u8> {
    let status = command.status()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(255))
}

/// Starts a program that outlives us, without our terminal, pipes and secrets. The caller need not wait for it.
///
/// # Errors
/// The system's error if the program cannot be started.
pub(crate) fn start_detached(program: &Path, arguments: &[OsString]) -> io::Result<Child> {
    spawn_detached(program, arguments, Stdio::null())
}

/// Starts a program as [`start_detached`] does, and writes `input` to its standard input on a separate thread, so that a
/// program that does not read cannot block the caller.
///
/// # Errors
/// The system's error if the program cannot be started.
pub(crate) fn start_detached_with(
    program: &Path,
    arguments: &[OsString],
    input: Zeroizing<Vec<u8>>,
) -> io::Result<Child> {
    let mut child = spawn_detached(program, arguments, Stdio::piped())?;
    if let Some(mut pipe) = child.stdin.take() {
        std::thread::spawn(move || {
            // A program that exits without reading has failed, as its exit status shows.
            let _written = pipe.write_all(&input);
        });
    }
    Ok(child)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts programs"
)]
fn spawn_detached(program: &Path, arguments: &[OsString], stdin: Stdio) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.current_dir("/");
        if program == Path::new(RUNNING) {
            // So that ps and pgrep find it by its name, not by the path that started it.
            command.arg0(env!("CARGO_PKG_NAME"));
        }
    }
    command.spawn()
}

/// Returns the arguments of this process, starting with the program's name.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// Returns the current folder, which relative paths refer to.
///
/// # Errors
/// The system's error.
pub(crate) fn current_folder() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// A process of this user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OwnProcess {
    /// Its ID.
    pub id: u32,
    /// Its command line.
    pub arguments: Vec<OsString>,
}

/// Returns the other processes of this user; none where the system has no `/proc`.
#[must_use]
pub(crate) fn of_this_user() -> Vec<OwnProcess> {
    #[cfg(unix)]
    {
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| *id != std::process::id())
            .filter_map(own_process)
            .collect()
    }
    #[cfg(not(unix))]
    Vec::new()
}

/// Reads a process from `proc(5)`, if it belongs to this user. Root owns the folder itself if the process keeps debuggers
/// out, as ours do.
#[cfg(unix)]
fn own_process(id: u32) -> Option<OwnProcess> {
    use std::os::unix::ffi::OsStringExt as _;
    let status = super::files::read_capped(format!("/proc/{id}/status").as_ref(), MAX_PROC_BYTES);
    let status = String::from_utf8_lossy(&status.ok()?).into_owned();
    let mut users = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_ascii_whitespace();
    let effective = users.nth(1)?.parse::<u32>().ok()?;
    if effective != rustix::process::geteuid().as_raw() {
        return None;
    }
    let line = super::files::read_capped(format!("/proc/{id}/cmdline").as_ref(), MAX_PROC_BYTES);
    let mut arguments: Vec<_> = line
        .ok()?
        .split(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    // Each argument ends with a NUL.
    arguments.pop();
    Some(OwnProcess { id, arguments })
}

/// Kills a process.
///
/// # Errors
/// The system's error.
pub(crate) fn kill(id: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let id = id.ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(id, Signal::KILL)?)
    }
    #[cfg(not(unix))]
    {
        let _ = id;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Leaves the session of the terminal, so that closing it does not end us. Does nothing if we lead a process group.
pub(crate) fn leave_session() {
    #[cfg(unix)]
    if rustix::process::setsid().is_err() {
        // We already lead a process group: the parent process has taken care of this.
    }
}

/// Lowers the priority of the calling thread to the minimum, where the system has priorities per thread.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    if rustix::process::setpriority_process(None, 19).is_err() {
        // It keeps its current priority.
    }
}

/// Returns whether a process is stopped (SIGSTOP, a debugger, Ctrl-Z); always `false` except on Linux.
#[must_use]
pub(crate) fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    // The second field is a name in parentheses, which may hold anything; the state follows.
    stat.is_ok_and(|stat| {
        let state = stat.rsplit_once(')').map(|(_, fields)| fields.trim_start());
        state.is_some_and(|fields| fields.starts_with(['T', 't']))
    })
}

/// Finds a program as a shell does: the first executable file of that name on the `PATH`.
#[must_use]
pub(crate) fn find_program(name: &str, path_variable: Option<&OsStr>) -> Option<PathBuf> {
    find_programs(name, path_variable?).next()
}

/// Finds all executable files of that name on the `PATH`, in its order.
pub(crate) fn find_programs(name: &str, path_variable: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path_variable)
        .map(move |folder| folder.join(name))
        .filter(|candidate| is_executable(candidate))
}

/// Returns whether this process may execute the file at `path`.
#[must_use]
pub(crate) fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    let is_allowed = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    #[cfg(not(unix))]
    let is_allowed = true;
    is_allowed && path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::host::files::{self, Access};

    #[test]
    fn a_file_that_may_not_be_executed_and_a_folder_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let folders =
            ["no-file", "folder", "plain", "right", "later"].map(|name| root.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let [_, folder, plain, right, later] = folders.each_ref().map(|folder| folder.join("ssh"));
        fs::create_dir(folder).unwrap();
        for (file, mode) in [(&plain, 0o644), (&right, 0o755), (&later, 0o755)] {
            files::write(file, b"#!/bin/sh\n", Access::Private).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths(&folders).unwrap();
        assert_eq!(find_program("ssh", Some(&path)), Some(right.clone()));
        assert_eq!(
            find_programs("ssh", &path).collect::<Vec<_>>(),
            [right, later]
        );
        assert_eq!(
            find_program("ssh", Some(plain.parent().unwrap().as_os_str())),
            None
        );
    }
}
