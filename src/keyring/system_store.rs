use std::sync::Arc;

use keyring_core::{CredentialStore, Error};

use super::raw::{Raw, SERVICE};
use super::split::Split;
use super::store::Store;
use super::{Backend, KeyringError};
use crate::secret::SecretBytes;

/// The name of the entry that tries a keyring out: always the same, since a key in the kernel that cannot be read cannot be removed either,
/// and a killed process leaves its entry behind.
const TRIAL: &str = "trial";

/// The longest entry on Windows, in bytes.
const MAX_WINDOWS_ENTRY_BYTES: usize = 2560;

/// Whether a keyring is tried out when it is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trial {
    None,
    /// Writes an entry and reads it back: a session without a login keyring may add a key to the kernel's keyring and then not
    /// read it, and a locked keyring shows only when it is written to.
    WriteAndRead,
}

/// A keyring of the system.
pub(super) struct SystemStore {
    inner: Split<Unsplit>,
}

impl SystemStore {
    /// Opens a keyring; the Secret Service at this D-Bus.
    pub(super) fn open(backend: Backend, bus: &str, trial: Trial) -> Result<Self, KeyringError> {
        let inner = Unsplit {
            store: open(backend, bus)
                .map_err(|reason| KeyringError::Unavailable { backend, reason })?,
            backend,
        };
        if trial == Trial::WriteAndRead {
            inner.try_out()?;
        }
        let limit = match backend {
            Backend::Windows => MAX_WINDOWS_ENTRY_BYTES,
            _ => usize::MAX,
        };
        Ok(Self {
            inner: Split::new(inner, limit),
        })
    }
}

impl Store for SystemStore {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
        self.inner.load(name)
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
        self.inner.save(name, secret)
    }

    fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        self.inner.remove(name)
    }
}

/// Returns an error and its causes as one clause.
fn as_clause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Returns whether the kernel refused a key because the user's quota is used up.
#[cfg(target_os = "linux")]
fn is_out_of_quota(failure: &(dyn std::error::Error + 'static)) -> bool {
    failure.downcast_ref() == Some(&linux_keyutils::KeyError::QuotaExceeded)
}

/// Returns `false`: only Linux has a keyring with a quota.
#[cfg(not(target_os = "linux"))]
const fn is_out_of_quota(_failure: &(dyn std::error::Error + 'static)) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn open(backend: Backend, bus: &str) -> Result<Box<dyn Raw>, String> {
    match backend {
        Backend::SecretService => super::secret_service::Service::connect(bus)
            .map(|service| -> Box<dyn Raw> { Box::new(service) })
            .map_err(|error| as_clause(&error)),
        Backend::Keyutils => linux_keyutils_keyring_store::Store::new()
            .map(|store| -> Box<dyn Raw> { Box::new(Core(store)) })
            .map_err(|error| as_clause(&error)),
        _ => Err("this is Linux".to_owned()),
    }
}

#[cfg(target_os = "macos")]
fn open(backend: Backend, _bus: &str) -> Result<Box<dyn Raw>, String> {
    match backend {
        Backend::Keychain => apple_native_keyring_store::keychain::Store::new()
            .map(|store| -> Box<dyn Raw> { Box::new(Core(store)) })
            .map_err(|error| as_clause(&error)),
        _ => Err("this is macOS".to_owned()),
    }
}

#[cfg(windows)]
fn open(backend: Backend, _bus: &str) -> Result<Box<dyn Raw>, String> {
    match backend {
        Backend::Windows => windows_native_keyring_store::Store::new()
            .map(|store| -> Box<dyn Raw> { Box::new(Core(store)) })
            .map_err(|error| as_clause(&error)),
        _ => Err("this is Windows".to_owned()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn open(_backend: Backend, _bus: &str) -> Result<Box<dyn Raw>, String> {
    Err("this system has no supported keyring".to_owned())
}

/// A store of `keyring-core`.
struct Core(Arc<CredentialStore>);

impl Raw for Core {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.0.build(SERVICE, name, None)?.get_secret() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), Error> {
        self.0.build(SERVICE, name, None)?.set_secret(secret)
    }

    fn remove(&self, name: &str) -> Result<bool, Error> {
        match self.0.build(SERVICE, name, None)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A keyring of the system, with our errors.
struct Unsplit {
    store: Box<dyn Raw>,
    backend: Backend,
}

impl Unsplit {
    fn try_out(&self) -> Result<(), KeyringError> {
        let written = SecretBytes::new(b"trial".to_vec());
        self.save(TRIAL, &written)?;
        let read = self.load(TRIAL)?;
        self.remove(TRIAL)?;
        match read {
            Some(bytes) if bytes.expose() == written.expose() => Ok(()),
            // Another process's trial has removed it, which it had to read it for.
            None => Ok(()),
            _ => Err(KeyringError::Unavailable {
                backend: self.backend,
                reason: "it does not return what was written to it".to_owned(),
            }),
        }
    }

    fn explain(&self, source: Error) -> KeyringError {
        let backend = self.backend;
        if backend == Backend::Keyutils && matches!(source, Error::NoStorageAccess(_)) {
            // EACCES: the processes of this session do not possess the keyring.
            let reason = "this session cannot read what it writes to it".to_owned();
            return KeyringError::Unavailable { backend, reason };
        }
        match &source {
            Error::NoStorageAccess(_) => KeyringError::Locked { backend, source },
            Error::TooLong(..) => KeyringError::Full { backend, source },
            Error::PlatformFailure(failure) if is_out_of_quota(failure.as_ref()) => {
                KeyringError::Full { backend, source }
            }
            _ => KeyringError::Store { backend, source },
        }
    }
}

impl Store for Unsplit {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
        let loaded = self.store.load(name);
        let loaded = loaded.map_err(|error| self.explain(error))?;
        Ok(loaded.map(SecretBytes::new))
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
        let saved = self.store.save(name, secret.expose());
        saved.map_err(|error| self.explain(error))
    }

    fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        self.store.remove(name).map_err(|error| self.explain(error))
    }
}
