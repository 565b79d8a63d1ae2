//! Locks between processes: advisory locks on files, which the system releases when their owner dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::files;

const POLL: Duration = Duration::from_millis(20);

/// A lock that is held; dropping it releases it.
///
/// The file stays: removing it would let a third process lock a new file of the same name beside a waiting second one.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock `name` in `folder`, waiting for at most `patience`.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if another process kept it longer; else what the system says.
    pub async fn take(folder: &Path, name: &str, patience: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::try_take(folder, name)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "another entra-ssh has held the lock `{}` for {} s",
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
    /// What the system says.
    pub fn try_take(folder: &Path, name: &str) -> io::Result<Option<Self>> {
        files::make_private_folder(folder)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
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
}
