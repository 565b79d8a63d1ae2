use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::KeyringError;
use super::store::Store;
use crate::hex;
use crate::host::files::{self, Access};
use crate::secret::SecretBytes;

/// The longest entry to read, in bytes.
const MAX_ENTRY_BYTES: usize = 256 * 1024;

/// Private files, one for each entry, in a private folder. The file's name is the SHA-256 of the entry's name, which may hold
/// characters that file names cannot.
pub(super) struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(hex::encode(&Sha256::digest(name)))
    }
}

impl Store for FileStore {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
        let path = self.path(name);
        let read = files::read_if_there(&path, MAX_ENTRY_BYTES);
        read.map(|bytes| bytes.map(SecretBytes::new))
            .map_err(|source| KeyringError::File { path, source })
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
        let path = self.path(name);
        files::make_private_folder(&self.folder)
            .and_then(|()| files::write(&path, secret.expose(), Access::Private))
            .map_err(|source| KeyringError::File { path, source })
    }

    fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        let path = self.path(name);
        let there = path.exists();
        files::remove_if_there(&path).map_err(|source| KeyringError::File { path, source })?;
        Ok(there)
    }
}
