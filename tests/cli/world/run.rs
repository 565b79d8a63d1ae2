//! Children, each with a limit.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::{LIMIT, ProcessGroups};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A program that is about to be run.
#[must_use]
pub(crate) struct Invocation {
    command: Command,
    groups: ProcessGroups,
    limit: Duration,
    stdin: Option<Vec<u8>>,
}

impl Invocation {
    pub(super) fn new(command: Command, groups: ProcessGroups) -> Self {
        Self {
            command,
            groups,
            limit: LIMIT,
            stdin: Some(Vec::new()),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn current_dir(mut self, folder: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives it this long.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Gives it this to read, and nothing more.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Leaves its standard input open until [`Running::close_stdin`].
    pub(crate) fn open_stdin(mut self) -> Self {
        self.stdin = None;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        self.start().finish()
    }

    /// Runs it to its end, without regard to how that ends.
    pub(crate) fn try_run(self) {
        let mut running = self.start();
        running.wait(Duration::from_secs(5));
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        // Files, not pipes: a grandchild that lives on must not hold up the end.
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            // Of its own, so that all of it can be killed.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.command.get_program().display()));
        self.groups.add(child.id());
        let mut stdin = child.stdin.take();
        if let Some(bytes) = self.stdin {
            // That it reads none of it is its own affair.
            let _written: Option<io::Result<()>> =
                stdin.take().map(|mut pipe| pipe.write_all(&bytes));
        }
        Running {
            child,
            stdin,
            stdout,
            stderr,
            title: format!("{:?}", self.command),
            limit: self.limit,
            begun: Instant::now(),
        }
    }
}

/// A program that runs; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: File,
    stderr: File,
    title: String,
    limit: Duration,
    begun: Instant,
}

impl Running {
    /// Writes to its standard input, which must have been left open.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Returns what it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// Returns what it has told so far.
    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Returns its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something is there, and returns it. Fails with what the program said if it ends before.
    #[track_caller]
    pub(crate) fn wait_until<T>(
        &mut self,
        what: &str,
        mut find: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + self.limit;
        loop {
            let has_ended = self.wait(Duration::ZERO);
            if let Some(found) = find(self) {
                return found;
            }
            assert!(
                !has_ended && Instant::now() < deadline,
                "waited in vain for {what}: {}\n--- stdout\n{}\n--- stderr\n{}",
                self.title,
                self.stdout(),
                self.stderr()
            );
            thread::sleep(POLL);
        }
    }

    /// Does something again and again until it ends.
    pub(crate) fn meanwhile(&mut self, mut job: impl FnMut()) {
        while !self.wait(Duration::ZERO) && self.begun.elapsed() < self.limit {
            job();
            thread::sleep(POLL);
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let limit = self.limit;
        let ended = self.wait(limit.saturating_sub(self.begun.elapsed()));
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        assert!(
            ended,
            "{} did not end within {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            self.title
        );
        let status = self.child.wait().unwrap();
        Output {
            title: self.title.clone(),
            status: status.code().unwrap_or(-1),
            stdout,
            stderr,
            seconds: self.begun.elapsed().as_secs_f64(),
        }
    }

    fn wait(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                // It may have ended by now.
                let _killed = kill_process_group(group, Signal::KILL);
            }
            let _ended = self.child.wait();
        }
    }
}

fn text(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut file = file;
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) seconds: f64,
    title: String,
}

impl Output {
    #[track_caller]
    pub(crate) fn succeeded(&self) {
        self.ended_with(0);
    }

    #[track_caller]
    pub(crate) fn ended_with(&self, status: i32) {
        assert_eq!(self.status, status, "{self}");
    }

    /// Returns what follows `error: ` in the only line that begins so.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        self.only("error: ")
    }

    /// Returns what follows `hint: ` in the only line that begins so.
    #[track_caller]
    pub(crate) fn hint(&self) -> &str {
        self.only("hint: ")
    }

    /// Returns what follows `caused by: ` in each line that begins so, outermost first.
    pub(crate) fn causes(&self) -> Vec<&str> {
        self.labelled("caused by: ")
    }

    fn labelled(&self, label: &str) -> Vec<&str> {
        let lines = self.stderr.lines();
        lines.filter_map(|line| line.strip_prefix(label)).collect()
    }

    #[track_caller]
    fn only(&self, label: &str) -> &str {
        let lines = self.labelled(label);
        let [line] = lines.as_slice() else {
            panic!(
                "{} lines begin with `{label}`, not one: {self}",
                lines.len()
            );
        };
        line
    }

    /// Checks that it succeeded and printed this.
    #[track_caller]
    pub(crate) fn printed(&self, expected: &str) {
        self.succeeded();
        assert_eq!(self.stdout, expected, "{self}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\nexit status {}\n--- stdout\n{}\n--- stderr\n{}",
            self.title, self.status, self.stdout, self.stderr
        )
    }
}
