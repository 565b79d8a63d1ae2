//! Secrets in the memory of a process: in the agent its own memory, in other programs of the user the agent's, over its
//! socket.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::secret::SecretBytes;

/// The maximum number of secrets: far more than a user has accounts and tenants.
const MAX_SECRETS: usize = 4096;

/// Stores secrets by name. Calls may block.
pub trait Vault: fmt::Debug + Send + Sync {
    /// Returns the secret of this name, if there is one.
    ///
    /// # Errors
    /// The error that keeps the owner of the memory from replying.
    fn load(&self, name: &str) -> io::Result<Option<SecretBytes>>;

    /// Stores a secret, and replaces an existing one of this name.
    ///
    /// # Errors
    /// As [`Vault::load`]; [`io::ErrorKind::StorageFull`] if there are too many; [`io::ErrorKind::WouldBlock`] while
    /// changes are frozen.
    fn save(&self, name: &str, secret: &SecretBytes) -> io::Result<()>;

    /// Removes a secret. Returns whether there was one.
    ///
    /// # Errors
    /// As [`Vault::load`].
    fn remove(&self, name: &str) -> io::Result<bool>;
}

/// The memory of this process.
#[derive(Default)]
pub struct OwnMemory {
    secrets: Mutex<BTreeMap<String, SecretBytes>>,
    is_frozen: AtomicBool,
}

impl OwnMemory {
    /// Returns all secrets.
    #[must_use]
    pub fn all(&self) -> Vec<(String, SecretBytes)> {
        let secrets = self.lock();
        let pairs = secrets.iter();
        pairs
            .map(|(name, secret)| (name.clone(), secret.clone()))
            .collect()
    }

    /// Returns the names of all secrets.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Refuses changes from now on, with [`io::ErrorKind::WouldBlock`].
    pub fn freeze(&self) {
        self.is_frozen.store(true, Ordering::SeqCst);
    }

    /// Allows changes again.
    pub fn thaw(&self) {
        self.is_frozen.store(false, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        if self.is_frozen.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SecretBytes>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for OwnMemory {
    fn load(&self, name: &str) -> io::Result<Option<SecretBytes>> {
        Ok(self.lock().get(name).cloned())
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> io::Result<()> {
        let mut secrets = self.lock();
        self.check()?;
        if secrets.len() >= MAX_SECRETS && !secrets.contains_key(name) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("it holds {MAX_SECRETS} secrets already"),
            ));
        }
        secrets.insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<bool> {
        let mut secrets = self.lock();
        self.check()?;
        Ok(secrets.remove(name).is_some())
    }
}

impl fmt::Debug for OwnMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnMemory({} secrets)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_secrets_are_held_and_one_more_is_refused() {
        let memory = OwnMemory::default();
        let secret = SecretBytes::new(vec![7]);
        for number in 0..MAX_SECRETS {
            memory.save(&number.to_string(), &secret).unwrap();
        }
        let refusal = memory.save("one more", &secret).unwrap_err();
        assert_eq!(refusal.kind(), io::ErrorKind::StorageFull);
        memory.save("0", &secret).unwrap();
        assert!(memory.remove("1").unwrap());
        assert!(!memory.remove("1").unwrap());
        memory.save("one more", &secret).unwrap();
        assert_eq!(memory.names().len(), MAX_SECRETS);
        assert_eq!(format!("{memory:?}"), "OwnMemory(4096 secrets)");
    }
}
