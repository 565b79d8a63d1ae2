use std::path::PathBuf;

use crate::host::files::{self, Access};
use crate::host::paths::Paths;
use crate::ids::{ProfileName, TenantId};
use crate::keyring::{Backend, EntryName};
use crate::session::error::ProfileError;
use crate::session::lock::ProfileLock;
use crate::session::profile::Profile;

/// The longest profile that is read, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// The profiles of this user.
#[derive(Clone, Debug)]
pub struct Profiles {
    folder: PathBuf,
}

impl Profiles {
    /// Returns the profiles that lie under these paths.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            folder: paths.config.join("profiles"),
        }
    }

    /// Loads a profile.
    ///
    /// # Errors
    /// [`ProfileError::NotFound`] if it is not signed in.
    pub fn load(&self, name: &ProfileName) -> Result<Profile, ProfileError> {
        let path = self.path(name);
        let text = match files::read_text_if_there(&path, MAX_FILE_BYTES) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(ProfileError::NotFound { name: name.clone() }),
            Err(source) => return Err(ProfileError::Read { path, source }),
        };
        serde_json::from_str(&text).map_err(|source| ProfileError::Malformed {
            name: name.clone(),
            path,
            source,
        })
    }

    /// Saves a profile in place of the one of that name.
    ///
    /// # Errors
    /// [`ProfileError`] if the file cannot be written.
    pub fn save(&self, profile: &Profile) -> Result<(), ProfileError> {
        let path = self.path(&profile.name);
        let text = serde_json::to_vec_pretty(profile).unwrap_or_default();
        files::make_private_folder(&self.folder)
            .and_then(|()| files::write(&path, &text, Access::Private))
            .map_err(|source| ProfileError::Write { path, source })
    }

    /// Records that an account has a certificate of a tenant that it is a guest of, so that logout finds it.
    ///
    /// # Errors
    /// [`ProfileError`] if the file cannot be read or written.
    pub(crate) fn add_guest(
        &self,
        lock: &ProfileLock,
        tenant: &TenantId,
    ) -> Result<(), ProfileError> {
        let mut profile = self.load(lock.profile())?;
        if profile.tenants().any(|known| known == tenant) {
            return Ok(());
        }
        profile.guest_in.push(tenant.clone());
        self.save(&profile)
    }

    /// Removes a profile.
    ///
    /// # Errors
    /// [`ProfileError`] if the file cannot be removed.
    pub fn remove(&self, name: &ProfileName) -> Result<(), ProfileError> {
        let path = self.path(name);
        files::remove_if_there(&path).map_err(|source| ProfileError::Remove { path, source })
    }

    /// Returns the names of all profiles, sorted.
    ///
    /// # Errors
    /// [`ProfileError`] if the folder is there and cannot be read.
    pub fn names(&self) -> Result<Vec<ProfileName>, ProfileError> {
        let files = files::names(&self.folder).map_err(|source| ProfileError::Folder {
            path: self.folder.clone(),
            source,
        })?;
        let names = files
            .iter()
            .filter_map(|name| name.to_str()?.strip_suffix(".json")?.parse().ok());
        let mut names: Vec<ProfileName> = names.collect();
        names.sort();
        Ok(names)
    }

    /// Returns the profiles but this one, as far as they can be read.
    ///
    /// # Errors
    /// [`ProfileError`] if the folder is there and cannot be read.
    pub fn others(&self, name: &ProfileName) -> Result<Others, ProfileError> {
        let names = self.names()?.into_iter().filter(|other| other != name);
        Ok(Others(
            names.filter_map(|name| self.load(&name).ok()).collect(),
        ))
    }

    fn path(&self, name: &ProfileName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// The other profiles of this user. Entries of the keyring are named by account and tenant, so that profiles of one account
/// share them.
#[derive(Clone, Debug)]
pub struct Others(Vec<Profile>);

impl Others {
    /// Returns the profile that needs this entry of a keyring, if one does.
    #[must_use]
    pub fn needing(&self, keyring: Backend, entry: &EntryName) -> Option<&ProfileName> {
        let needs = |other: &&Profile| {
            other.keyring == keyring && other.entries().any(|needed| needed == *entry)
        };
        self.0.iter().find(needs).map(|other| &other.name)
    }

    /// Returns whether one of them is of this account in this tenant.
    #[must_use]
    pub fn use_account(&self, profile: &Profile, tenant: &TenantId) -> bool {
        self.0.iter().any(|other| {
            other.account == profile.account && other.tenants().any(|theirs| theirs == tenant)
        })
    }
}
