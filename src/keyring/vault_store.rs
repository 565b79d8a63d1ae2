use std::sync::Arc;

use super::KeyringError;
use super::store::Store;
use crate::host::vault::Vault;
use crate::secret::SecretBytes;

/// The agent's memory, which ends with the agent.
pub(super) struct VaultStore {
    vault: Arc<dyn Vault>,
}

impl VaultStore {
    pub(super) const fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault }
    }
}

impl Store for VaultStore {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
        self.vault.load(name).map_err(KeyringError::Memory)
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
        self.vault.save(name, secret).map_err(KeyringError::Memory)
    }

    fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        self.vault.remove(name).map_err(KeyringError::Memory)
    }
}
