use super::Session;
use crate::failure::Failure;
use crate::keyring::entry::Entry;
use crate::keyring::{EntryName, Kind};
use crate::secret::Secret;

impl Session {
    /// Stores a refresh token of this account in this tenant.
    ///
    /// # Errors
    /// [`Failure`] if the keyring does not take it.
    pub async fn store_refresh_token(&self, refresh_token: Option<&Secret>) -> Result<(), Failure> {
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
    pub async fn store(&self, name: &EntryName, entry: Entry) {
        let Err(error) = self.keyring().save(name, entry.encode()).await else {
            self.unsaved.forget(name);
            return;
        };
        tracing::warn!(entry = %name, %error, "holds in memory what cannot be stored");
        let stored = self.keyring().load(name).await.unwrap_or_default();
        self.unsaved
            .hold(name, entry, stored.as_ref(), error.into());
    }

    /// Tries to store what the keyring did not take before, if it is time.
    pub async fn retry_unsaved(&self) {
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
    pub fn unsaved_warnings(&self) -> Vec<String> {
        self.unsaved.warnings()
    }
}
