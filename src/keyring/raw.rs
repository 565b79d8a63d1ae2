use keyring_core::Error;

/// The service that all our entries belong to.
pub(super) const SERVICE: &str = "entra-ssh";

/// A keyring of the system, with the errors of `keyring-core`.
pub(super) trait Raw {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;
    fn save(&self, name: &str, secret: &[u8]) -> Result<(), Error>;
    fn remove(&self, name: &str) -> Result<bool, Error>;
}
