//! The keyring, which stores sign-ins, keys and certificates.
//!
//! The systems' own keyrings come through `keyring-core` and a store crate each; a store of private files is used only
//! if the user names it. Entries are bytes ([`entry`] is the one codec), and what belongs together is one entry: a key and its
//! certificate are never apart. Where a system limits the length of an entry, it is split (`split`).
//!
//! Calls run on a thread of their own, since the Secret Service may wait for the user to unlock it, and every call has a time
//! limit.

mod choice;
pub(crate) mod entry;
mod error;
mod file_store;
mod raw;
#[cfg(target_os = "linux")]
mod secret_service;
mod split;
mod store;
mod system_store;
mod vault_store;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::choice::{Backend, Choice};
pub(crate) use self::entry::{EntryName, Kind};
pub(crate) use self::error::KeyringError;

use self::file_store::FileStore;
use self::store::Store;
use self::system_store::{SystemStore, Trial};
use self::vault_store::VaultStore;
use self::worker::Worker;
use crate::host::Host;
use crate::host::lock::Lock;
use crate::host::vault::{OwnMemory, Vault};
use crate::secret::SecretBytes;

/// How long a keyring may take, for example while it waits for the user to unlock it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for another process that tries a keyring out.
const TRIAL_PATIENCE: Duration = Duration::from_secs(5);

/// An open keyring.
#[derive(Clone, Debug)]
pub struct Keyring {
    worker: Arc<Worker>,
    backend: Backend,
    reason: String,
}

impl Keyring {
    /// Opens the chosen keyring; for [`Choice::Auto`] the first of this system's that passes a trial of writing and reading, or
    /// the agent's memory if none does.
    ///
    /// # Errors
    /// [`KeyringError::Unavailable`] if the named one cannot be used; [`KeyringError::Locked`] or [`KeyringError::Full`] if the
    /// system's own is; [`KeyringError::TimedOut`] if it does not answer.
    pub async fn choose(choice: Choice, host: &Host) -> Result<Self, KeyringError> {
        let places = Places::of(host);
        // One trial at a time, all under one name: what one that was killed has left goes with the next. Without the lock it
        // is tried out all the same.
        let _turn = Lock::take(&host.paths.locks(), "keyring-trial", TRIAL_PATIENCE).await;
        Self::open_with(move || match choice {
            Choice::Named(backend) => open_named(backend, places, Trial::WriteAndRead),
            Choice::Auto => open_best(places),
        })
        .await
    }

    /// Opens a keyring that was chosen before.
    ///
    /// # Errors
    /// [`KeyringError::Unavailable`] if it cannot be used; [`KeyringError::TimedOut`] if it does not answer.
    pub async fn open(backend: Backend, host: &Host) -> Result<Self, KeyringError> {
        let places = Places::of(host);
        Self::open_with(move || open_named(backend, places, Trial::None)).await
    }

    /// Opens an empty keyring in the memory of this process, which ends with it.
    ///
    /// # Errors
    /// [`KeyringError::TimedOut`] if no thread can be started for it.
    pub async fn in_memory() -> Result<Self, KeyringError> {
        Self::open_with(|| {
            Ok(Opened {
                store: Box::new(VaultStore::new(Arc::<OwnMemory>::default())),
                backend: Backend::Memory,
                reason: "nothing is to be stored".to_owned(),
            })
        })
        .await
    }

    async fn open_with(
        open: impl FnOnce() -> Result<Opened, KeyringError> + Send + 'static,
    ) -> Result<Self, KeyringError> {
        let worker = Worker::start();
        let (backend, reason) = worker
            .open(PATIENCE, move || {
                open().map(|opened| (opened.store, (opened.backend, opened.reason)))
            })
            .await?;
        Ok(Self {
            worker: Arc::new(worker),
            backend,
            reason,
        })
    }

    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Returns why this one was chosen, as a clause that completes "because …".
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Loads an entry.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn load(&self, name: &EntryName) -> Result<Option<SecretBytes>, KeyringError> {
        tracing::trace!(entry = %name, backend = self.backend.name(), "loads an entry of the keyring");
        let name = name.to_string();
        self.worker
            .call(PATIENCE, move |store| store.load(&name))
            .await
    }

    /// Saves an entry, in place of any other of that name.
    ///
    /// # Errors
    /// [`KeyringError`]; the old entry is then unchanged.
    pub async fn save(&self, name: &EntryName, secret: SecretBytes) -> Result<(), KeyringError> {
        let name = name.to_string();
        self.worker
            .call(PATIENCE, move |store| store.save(&name, &secret))
            .await
    }

    /// Removes an entry, and returns whether there was one.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn remove(&self, name: &EntryName) -> Result<bool, KeyringError> {
        let name = name.to_string();
        self.worker
            .call(PATIENCE, move |store| store.remove(&name))
            .await
    }
}

struct Opened {
    store: Box<dyn Store>,
    backend: Backend,
    reason: String,
}

/// Where keyrings are.
struct Places {
    folder: PathBuf,
    bus: String,
    memory: Arc<dyn Vault>,
}

impl Places {
    fn of(host: &Host) -> Self {
        Self {
            folder: host.paths.data.join("keyring"),
            bus: host.session_bus(),
            memory: Arc::clone(&host.memory),
        }
    }
}

fn open_named(backend: Backend, places: Places, trial: Trial) -> Result<Opened, KeyringError> {
    let store: Box<dyn Store> = match backend {
        Backend::File => Box::new(FileStore::new(places.folder)),
        Backend::Memory => Box::new(VaultStore::new(places.memory)),
        _ => Box::new(SystemStore::open(backend, &places.bus, trial)?),
    };
    Ok(Opened {
        store,
        backend,
        reason: "chosen with --keyring".to_owned(),
    })
}

fn open_best(places: Places) -> Result<Opened, KeyringError> {
    let mut refusals: Vec<String> = Vec::new();
    for &backend in Backend::of_this_system() {
        match SystemStore::open(backend, &places.bus, Trial::WriteAndRead) {
            Ok(store) => {
                return Ok(Opened {
                    store: Box::new(store),
                    backend,
                    reason: refusals
                        .pop()
                        .unwrap_or_else(|| format!("{backend} is here")),
                });
            }
            // One that is there and locked or full is the user's keyring all the same: another would be a second one.
            Err(error @ (KeyringError::Locked { .. } | KeyringError::Full { .. })) => {
                return Err(error);
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Ok(Opened {
        store: Box::new(VaultStore::new(places.memory)),
        backend: Backend::Memory,
        reason: refusals.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::env::Env;
    use crate::host::paths::Paths;

    #[tokio::test]
    async fn the_file_keyring_keeps_replaces_and_removes() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::from([("HOME", home.path().to_str().unwrap())]);
        let host = Host {
            clock: Arc::new(SystemClock),
            paths: Paths::of(&env).unwrap(),
            env,
            memory: Arc::<OwnMemory>::default(),
        };
        let keyring = Keyring::open(Backend::File, &host).await.unwrap();
        let name = EntryName::new(Kind::SignIn, "AzureCloud", "t", "alice@contoso.com");
        assert!(keyring.load(&name).await.unwrap().is_none());
        for text in ["one", "two"] {
            let secret = SecretBytes::new(text.into());
            keyring.save(&name, secret).await.unwrap();
            let loaded = keyring.load(&name).await.unwrap().unwrap();
            assert_eq!(loaded.expose(), text.as_bytes());
        }
        assert!(keyring.remove(&name).await.unwrap());
        assert!(!keyring.remove(&name).await.unwrap());
    }
}
