use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::SECRET_VARIABLES;

/// How much of what a program prints is kept, in bytes; the rest is read and dropped.
const MAX_PRINTED_BYTES: u64 = 1024 * 1024;

/// How a program ended, and what it printed, up to 1 MiB of each stream.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed to standard output.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the program itself reads standard error only")
    )]
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Vec<u8>,
}

/// Runs a program to its end, without standard input and without secrets of ours, and returns what it printed. One that takes
/// longer than `limit` is killed.
///
/// # Errors
/// The system's error if the program cannot be started; [`io::ErrorKind::TimedOut`] if it took too long.
#[expect(
    clippy::disallowed_methods,
    reason = "one of the few places that start programs"
)]
pub(crate) async fn capture(
    program: &Path,
    arguments: &[OsString],
    limit: Duration,
) -> io::Result<Captured> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
        let status = child.wait().await?;
        Ok(Captured {
            status,
            stdout,
            stderr,
        })
    };
    timeout(limit, ended).await.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it did not end within {} s", limit.as_secs()),
        ))
    })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let mut first = stream.take(MAX_PRINTED_BYTES);
        first.read_to_end(&mut bytes).await?;
        // So that it does not wait for a reader.
        tokio::io::copy(&mut first.into_inner(), &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn shell(script: &str, limit: Duration) -> io::Result<Captured> {
        capture(Path::new("/bin/sh"), &["-c".into(), script.into()], limit).await
    }

    #[tokio::test]
    async fn what_a_program_prints_is_kept_up_to_the_limit_and_all_of_it_is_read() {
        let minute = Duration::from_secs(60);
        let ended = shell("echo out; echo err >&2; exit 3", minute)
            .await
            .unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(
            (&*ended.stdout, &*ended.stderr),
            (&b"out\n"[..], &b"err\n"[..])
        );
        let much = "head -c 3000000 /dev/zero";
        let ended = shell(much, minute).await.unwrap();
        assert_eq!(ended.stdout.len(), 1024 * 1024);
        assert!(ended.status.success());
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended() {
        let refusal = shell("exec sleep 600", Duration::from_millis(50)).await;
        assert_eq!(refusal.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
