//! The programs that run on the embedded machine: started, fed, listened to, and ended.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use russh::Channel;
use russh::server::Msg;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::process::{Child, Command};

use super::pump;

/// What is read from a program at once.
const READ_BYTES: usize = 64 * 1024;

/// The message code of standard error (RFC 4254, section 5.2).
const EXTENDED_DATA_STDERR: u32 = 1;

/// What a client asks to run.
#[derive(Debug)]
pub(super) enum Program {
    /// A line for `sh -c`.
    Line(String),
    /// A program file, without arguments.
    File(PathBuf),
    /// `sh`, which reads its commands from standard input.
    Shell,
}

/// The process groups that run now, so that all of them can be ended at once.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessGroups(Arc<Mutex<BTreeSet<u32>>>);

impl ProcessGroups {
    /// Starts a program in a process group of its own, in `home`, with an environment of `PATH`,
    /// `HOME`, `USER`, and `TERM` if it has a terminal, and nothing else.
    pub(super) fn start(&self, program: &Program, seat: &Seat<'_>) -> io::Result<Process> {
        let mut command = seat.command(program);
        let streams = seat.connect(&mut command)?;
        let mut child = command.spawn()?;
        // It may hold the programs' side of a terminal, which must be open nowhere else.
        drop(command);
        let streams = match streams {
            Some(streams) => streams,
            None => Streams::of(&mut child)?,
        };
        let group = Group::new(self.clone(), child.id());
        Ok(Process {
            child,
            group,
            streams,
        })
    }

    /// Kills all of them.
    pub(super) fn kill_all(&self) {
        let ids = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        ids.into_iter().for_each(kill_group);
    }
}

/// Who runs a program, and where.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    pub(super) login: &'a str,
    pub(super) home: &'a Path,
    /// The terminal, and what the client calls its kind.
    #[cfg(target_os = "linux")]
    pub(super) terminal: Option<&'a (super::terminal::Terminal, String)>,
}

impl Seat<'_> {
    fn command(&self, program: &Program) -> Command {
        let (name, arguments): (&OsStr, Vec<&OsStr>) = match program {
            Program::Line(line) => ("sh".as_ref(), vec!["-c".as_ref(), line.as_ref()]),
            Program::File(file) => (file.as_ref(), Vec::new()),
            Program::Shell => ("sh".as_ref(), Vec::new()),
        };
        let mut command = if self.has_terminal() {
            let mut command = Command::new("setsid");
            command.arg("--ctty").arg(name);
            command
        } else {
            let mut command = Command::new(name);
            #[cfg(unix)]
            command.process_group(0);
            command
        };
        command
            .args(arguments)
            .current_dir(self.home)
            .env_clear()
            .env("HOME", self.home)
            .env("USER", self.login)
            .envs(search_path().map(|path| ("PATH", path)))
            .kill_on_drop(true);
        command
    }

    fn has_terminal(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.terminal.is_some();
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Connects a command to the terminal, or to pipes, which are there once it runs.
    fn connect(&self, command: &mut Command) -> io::Result<Option<Streams>> {
        #[cfg(target_os = "linux")]
        if let Some((terminal, kind)) = self.terminal {
            let slave = terminal.slave()?;
            command
                .env("TERM", kind)
                .stdin(slave.try_clone()?)
                .stdout(slave.try_clone()?)
                .stderr(slave);
            let (typed, shown) = terminal.streams()?;
            return Ok(Some(Streams {
                input: Box::new(typed),
                output: Box::new(shown),
                errors: Box::new(tokio::io::empty()),
            }));
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(None)
    }
}

/// What a program reads and writes.
struct Streams {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    errors: Box<dyn AsyncRead + Send + Unpin>,
}

impl Streams {
    fn of(child: &mut Child) -> io::Result<Self> {
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => Ok(Self {
                input: Box::new(input),
                output: Box::new(output),
                errors: Box::new(errors),
            }),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// A running program; what is left of its process group dies with it.
pub(super) struct Process {
    child: Child,
    group: Group,
    streams: Streams,
}

impl Process {
    /// Joins the program to a channel until it ends and has said everything, or until the client
    /// closes the channel, which ends the program.
    ///
    /// A program that is ended by a signal counts as status 128 + signal, as shells have it.
    pub(super) async fn serve(self, channel: Channel<Msg>) {
        let Self {
            mut child,
            group,
            streams,
        } = self;
        let (reader, writer) = channel.split();
        let run = async {
            let (_, _, status) = tokio::join!(
                copy(streams.output, writer.make_writer()),
                copy(
                    streams.errors,
                    writer.make_writer_ext(Some(EXTENDED_DATA_STDERR))
                ),
                child.wait(),
            );
            status
        };
        let status = tokio::select! {
            status = run => status,
            () = pump::feed(reader, streams.input) => return,
        };
        drop(group);
        // From here on only a client that went away makes these fail, and it does not care.
        let _ = writer.exit_status(status.map_or(255, exit_code)).await;
        let _ = writer.eof().await;
        let _ = writer.close().await;
    }
}

async fn copy(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<u64> {
    tokio::io::copy_buf(&mut BufReader::with_capacity(READ_BYTES, from), &mut to).await
}

fn exit_code(status: ExitStatus) -> u32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal.unsigned_abs();
    }
    status.code().map_or(255, i32::cast_unsigned)
}

#[expect(
    clippy::disallowed_methods,
    reason = "programs are looked for where the sandbox's own are"
)]
fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// The entry of a process group, whose ID is its first process's.
#[derive(Debug)]
struct Group {
    groups: ProcessGroups,
    id: Option<u32>,
}

impl Group {
    fn new(groups: ProcessGroups, id: Option<u32>) -> Self {
        let mut ids = groups.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend(id);
        drop(ids);
        Self { groups, id }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut ids = self.groups.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = self.id.filter(|id| ids.remove(id)) {
            kill_group(id);
        }
    }
}

/// Kills what lives of a process group; elsewhere than on Unix the first process dies with its handle.
fn kill_group(id: u32) {
    #[cfg(unix)]
    if let Some(id) = rustix::process::Pid::from_raw(id.cast_signed()) {
        // It fails when nothing of the group lives any more.
        let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}
