use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::keyring::entry::Entry;
use crate::keyring::{EntryName, KeyringError};
use crate::secret::SecretBytes;

/// How often storing is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// What the keyring of an account did not take, held in memory until it does: a full disk must not keep the user from logging
/// in with a certificate that Entra has issued.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaved(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<String, HeldEntry>,
    tried: Option<Instant>,
}

#[derive(Debug)]
struct HeldEntry {
    name: EntryName,
    entry: Entry,
    /// The digest of what the keyring held then: another process may have replaced it since.
    replaces: Option<Vec<u8>>,
    error: KeyringError,
}

impl Unsaved {
    /// Holds an entry that the keyring refused to take in place of `stored`.
    pub(super) fn hold(
        &self,
        name: &EntryName,
        entry: Entry,
        stored: Option<&SecretBytes>,
        error: KeyringError,
    ) {
        let held = HeldEntry {
            name: name.clone(),
            entry,
            replaces: stored.map(digest),
            error,
        };
        let mut all = self.lock();
        all.entries.insert(name.to_string(), held);
        all.tried = Some(Instant::now());
    }

    /// Returns the entry that is newer than what is stored; one whose place another process has taken is forgotten.
    pub(super) fn newer_than(
        &self,
        name: &EntryName,
        stored: Option<&SecretBytes>,
    ) -> Option<Entry> {
        let mut all = self.lock();
        let held = all.entries.get(&name.to_string())?;
        if held.replaces == stored.map(digest) {
            return Some(held.entry.clone());
        }
        all.entries.remove(&name.to_string());
        None
    }

    pub(super) fn forget(&self, name: &EntryName) {
        self.lock().entries.remove(&name.to_string());
    }

    /// Returns what to try to store, if it is time.
    pub(super) fn due(&self) -> Vec<(EntryName, Entry)> {
        let mut all = self.lock();
        let is_due = all
            .tried
            .is_none_or(|tried| tried.elapsed() >= RETRY_INTERVAL);
        if !is_due || all.entries.is_empty() {
            return Vec::new();
        }
        all.tried = Some(Instant::now());
        let entries = all.entries.values();
        entries
            .map(|held| (held.name.clone(), held.entry.clone()))
            .collect()
    }

    /// Says what is held and why.
    pub(super) fn warnings(&self) -> Vec<String> {
        let all = self.lock();
        let mut warnings: Vec<String> = all.entries.values().map(HeldEntry::warning).collect();
        warnings.sort();
        warnings
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldEntry {
    fn warning(&self) -> String {
        let what = match self.entry {
            Entry::Certificate { .. } => "the certificate",
            _ => "the renewed sign-in",
        };
        let cause = self.error.source();
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        format!(
            "{what} is held in the agent's memory only: {}{cause}",
            self.error
        )
    }
}

fn digest(bytes: &SecretBytes) -> Vec<u8> {
    Sha256::digest(bytes.expose()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Kind;
    use crate::secret::Secret;

    fn token(text: &str) -> Entry {
        Entry::RefreshToken(Secret::new(text.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_counts_until_another_process_stores_something_else() {
        let (unsaved, name) = (
            Unsaved::default(),
            EntryName::new(Kind::SignIn, "AzureCloud", "t", "ada@contoso.com"),
        );
        let (old, other) = (token("old").encode(), token("other").encode());
        unsaved.hold(&name, token("new"), Some(&old), KeyringError::NotOpen);
        let held = unsaved.newer_than(&name, Some(&old));
        assert!(matches!(held, Some(Entry::RefreshToken(token)) if token.expose() == "new"));
        assert_eq!(
            unsaved.warnings(),
            ["the renewed sign-in is held in the agent's memory only: no keyring is open"]
        );
        assert!(unsaved.due().is_empty(), "it was tried just now");
        tokio::time::advance(RETRY_INTERVAL).await;
        assert_eq!(unsaved.due().len(), 1);
        assert!(unsaved.due().is_empty());
        assert!(unsaved.newer_than(&name, Some(&other)).is_none());
        assert!(unsaved.warnings().is_empty());
    }
}
