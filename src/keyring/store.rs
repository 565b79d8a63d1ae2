use super::KeyringError;
use crate::secret::SecretBytes;

/// A back end.
pub(super) trait Store {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError>;
    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError>;
    /// Removes an entry, and returns whether there was one.
    fn remove(&self, name: &str) -> Result<bool, KeyringError>;
}
