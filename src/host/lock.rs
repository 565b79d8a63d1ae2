//! Locks between processes: advisory locks on files, which the system releases when their owner exits.
//!
//! No lock can outlive its owner, but a live owner can hang. The file therefore names it, so that a process that waits in
//! vain can report it: `{process ID} {start time}`, the latter in clock ticks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::files;

const POLL: Duration = Duration::from_millis(20);
/// The maximum size of a lock file, in bytes.
const MAX_OWNER_BYTES: usize = 256;

/// A held lock. Dropping it releases it.
///
/// The file stays: if it were removed, a third process could lock a new file of the same name while a second one waits.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock `name` in `folder`, waiting for at most `patience`.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if another process held it longer; otherwise the system's error.
    pub(crate) async fn take(folder: &Path, name: &str, patience: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::try_take(folder, name)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                let owner = Self::owner(folder, name).map_or_else(
                    || "another entra-ssh".to_owned(),
                    |process| format!("process {process}"),
                );
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "{owner} has held the lock `{}` for {} s",
                        folder.join(name).display(),
                        patience.as_secs()
                    ),
                ));
            }
            sleep(POLL).await;
        }
    }

    /// Takes the lock `name` in `folder` if it is free.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn try_take(folder: &Path, name: &str) -> io::Result<Option<Self>> {
        let path = folder.join(name);
        let file = files::make_private_folder(folder)
            .and_then(|()| {
                OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&path)
            })
            .map_err(|error| about(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                // If this fails, a waiting process cannot report who holds the lock; nothing else depends on it.
                let _signed = sign(&file);
                Ok(Some(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(about(&path, &error)),
        }
    }

    /// Returns the process that last took the lock `name` in `folder`, if it is still running.
    #[must_use]
    pub(crate) fn owner(folder: &Path, name: &str) -> Option<u32> {
        let text = files::read_text_if_there(&folder.join(name), MAX_OWNER_BYTES).ok()??;
        let (process, started) = text.trim().split_once(' ')?;
        let process = process.parse().ok()?;
        (started_at(process).unwrap_or_default() == started).then_some(process)
    }
}

/// Adds the path of the lock to an error.
fn about(path: &Path, error: &io::Error) -> io::Error {
    let text = format!("cannot open the lock `{}`: {error}", path.display());
    io::Error::new(error.kind(), text)
}

/// Records this process as the owner in a lock file.
fn sign(mut file: &File) -> io::Result<()> {
    let process = std::process::id();
    file.set_len(0)?;
    file.rewind()?;
    let started = started_at(process).unwrap_or_default();
    file.write_all(format!("{process} {started}\n").as_bytes())
}

/// Returns when a process started, to distinguish it from a later one with the same ID. `None` except on Linux.
fn started_at(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything; the start is the 22nd.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_is_held_by_one_and_free_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::try_take(folder.path(), "a").unwrap();
        assert!(first.is_some());
        assert!(Lock::try_take(folder.path(), "a").unwrap().is_none());
        assert!(Lock::try_take(folder.path(), "b").unwrap().is_some());
        let refusal = Lock::take(folder.path(), "a", Duration::from_millis(50))
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), io::ErrorKind::TimedOut);
        drop(first);
        assert!(Lock::take(folder.path(), "a", Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_in_vain_is_told_for_whom() {
        let folder = tempfile::tempdir().unwrap();
        let _held = Lock::try_take(folder.path(), "a").unwrap().unwrap();
        let process = std::process::id();
        assert_eq!(Lock::owner(folder.path(), "a"), Some(process));
        let refusal = Lock::take(folder.path(), "a", Duration::ZERO)
            .await
            .unwrap_err();
        let text = refusal.to_string();
        assert!(
            text.starts_with(&format!("process {process} has held")),
            "{text}"
        );
    }

    #[test]
    fn a_file_that_a_dead_process_left_locks_nobody_out_and_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        files::make_private_folder(folder.path()).unwrap();
        // Another process has this ID now.
        let left = format!("{} 1\n", std::process::id());
        files::write(
            &folder.path().join("a"),
            left.as_bytes(),
            files::Access::Private,
        )
        .unwrap();
        assert_eq!(Lock::owner(folder.path(), "a"), None);
        assert!(Lock::try_take(folder.path(), "a").unwrap().is_some());
    }
}
