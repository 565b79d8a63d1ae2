use super::KeyringError;
use crate::secret::SecretBytes;

/// What a back end does.
pub(super) trait Store {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError>;
    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError>;
    /// Removes an entry, and tells whether there was one.
    fn remove(&self, name: &str) -> Result<bool, KeyringError>;
}
