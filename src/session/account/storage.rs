use super::Session;
use crate::keyring::entry::Entry;
use crate::keyring::{EntryName, KeyringError, Kind};
use crate::secret::Secret;
use crate::session::error::{LockError, ProfileError};
use crate::session::lock::ProfileLock;

impl Session {
    /// Takes the lock under which certificates of this account are issued.
    ///
    /// # Errors
    /// As [`ProfileLock::take`].
    pub(crate) async fn lock_to_issue(&self) -> Result<ProfileLock, LockError> {
        let profile = &self.profile.name;
        if self.is_stored() {
            ProfileLock::take_if_possible(&self.locks, profile).await
        } else {
            Ok(ProfileLock::not_needed(profile))
        }
    }

    /// Records in the profile that something is stored for this tenant, if that is another one than the profile's own.
    ///
    /// # Errors
    /// [`ProfileError`] if the profile cannot be read or written.
    pub(crate) fn record_tenant(&self, lock: &ProfileLock) -> Result<(), ProfileError> {
        if self.tenant == self.profile.tenant || !self.is_stored() {
            return Ok(());
        }
        self.profiles.add_guest(lock, &self.tenant)
    }

    /// Stores a refresh token of this account in this tenant.
    ///
    /// # Errors
    /// [`KeyringError`] if the keyring does not take it.
    pub(crate) async fn store_refresh_token(
        &self,
        refresh_token: Option<&Secret>,
    ) -> Result<(), KeyringError> {
        if let Some(token) = refresh_token {
            let entry = Entry::RefreshToken(token.clone());
            self.keyring()
                .save(&self.entry(Kind::SignIn), entry.encode())
                .await?;
        }
        Ok(())
    }

    /// Stores an entry of this account. What the keyring does not take is held in memory, and stored later if that is possible:
    /// that it cannot be stored is no reason to fail once Entra has given it.
    pub(crate) async fn store(&self, name: &EntryName, entry: Entry) {
        let Err(error) = self.keyring().save(name, entry.encode()).await else {
            self.unsaved.forget(name);
            return;
        };
        tracing::warn!(entry = %name, %error, "holds in memory what cannot be stored");
        let stored = self.keyring().load(name).await.unwrap_or_default();
        self.unsaved.hold(name, entry, stored.as_ref(), error);
    }

    /// Tries to store what the keyring did not take before, if it is time.
    pub(crate) async fn retry_unsaved(&self) {
        for (name, entry) in self.unsaved.due() {
            let stored = self.keyring().load(&name).await;
            let is_newer = stored.is_ok_and(|stored| {
                let newer = self.unsaved.newer_than(&name, stored.as_ref());
                newer.is_some()
            });
            if is_newer {
                self.store(&name, entry).await;
            }
        }
    }

    /// Says what is held in memory only, and why.
    #[must_use]
    pub(crate) fn unsaved_warnings(&self) -> Vec<String> {
        self.unsaved.warnings()
    }
}
