//! Locks between the processes of a user. A function that changes what is stored takes one as proof that it is held.
//!
//! The order, to rule out a deadlock: [`ProfileLock`], then [`SharedEntriesLock`].

use std::path::Path;
use std::time::Duration;

use crate::host::files;
use crate::host::lock::Lock;
use crate::ids::ProfileName;
use crate::session::error::LockError;

/// How long to wait for another process: as long as a renewal takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lock of a profile, under which its certificates are issued and its sign-in is stored and removed.
#[derive(Debug)]
pub(crate) struct ProfileLock {
    profile: ProfileName,
    _lock: Option<Lock>,
}

impl ProfileLock {
    /// Takes the lock of a profile in the folder of locks.
    ///
    /// # Errors
    /// [`LockError::Profile`] if another process keeps it for longer than a renewal takes.
    pub(crate) async fn take(folder: &Path, profile: &ProfileName) -> Result<Self, LockError> {
        let name = format!("issue-{profile}");
        match Lock::take(folder, &name, PATIENCE).await {
            Ok(lock) => Ok(Self {
                profile: profile.clone(),
                _lock: Some(lock),
            }),
            Err(source) => Err(LockError::Profile {
                owner: Lock::owner(folder, &name),
                source,
            }),
        }
    }

    /// Takes the lock of a profile; none where the folder cannot be written. Two processes may issue at once then, and the
    /// later certificate stays: better than none.
    ///
    /// # Errors
    /// As [`ProfileLock::take`].
    pub(super) async fn take_if_possible(
        folder: &Path,
        profile: &ProfileName,
    ) -> Result<Self, LockError> {
        match Self::take(folder, profile).await {
            Err(LockError::Profile { source, .. }) if files::cannot_be_written(&source) => {
                tracing::warn!(error = %source, "issues without a lock");
                Ok(Self::not_needed(profile))
            }
            taken => taken,
        }
    }

    /// Returns what stands for the lock of a profile that is stored nowhere, so that no other process finds anything of it.
    pub(super) fn not_needed(profile: &ProfileName) -> Self {
        Self {
            profile: profile.clone(),
            _lock: None,
        }
    }

    /// Returns the profile that it is the lock of.
    pub(crate) const fn profile(&self) -> &ProfileName {
        &self.profile
    }
}

/// The lock under which entries of the keyring are stored and removed that profiles of one account share.
#[derive(Debug)]
pub(crate) struct SharedEntriesLock {
    _lock: Lock,
}

impl SharedEntriesLock {
    /// Takes the lock, which comes after that of the profile.
    ///
    /// # Errors
    /// [`LockError::SharedEntries`] if another process keeps it for longer than that takes.
    pub(crate) async fn take(folder: &Path, _profile: &ProfileLock) -> Result<Self, LockError> {
        match Lock::take(folder, "shared-entries", PATIENCE).await {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(source) => Err(LockError::SharedEntries { source }),
        }
    }
}
