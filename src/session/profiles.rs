use std::fs;
use std::io;
use std::path::PathBuf;

use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files::{self, Access};
use crate::host::paths::Paths;
use crate::ids::{ProfileName, TenantId};
use crate::keyring::{Backend, EntryName};
use crate::session::profile::{Profile, login_command};

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
    /// [`Failure`] of the kind `SignInNeeded` if there is none of that name.
    pub fn load(&self, name: &ProfileName) -> Result<Profile, Failure> {
        let path = self.path(name);
        let text = files::read_text_if_there(&path, MAX_FILE_BYTES)
            .map_err(|error| file_failure("read the profile", &path, &error))?
            .ok_or_else(|| {
                Failure::new(format!("nobody is signed in as the profile `{name}`"))
                    .kind(FailureKind::SignInNeeded)
                    .hint(format!("sign in: {}", login_command(name)))
            })?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("the profile `{}` cannot be read", path.display()))
                .caused_by(&error)
                .hint(format!("sign in: {}", login_command(name)))
        })
    }

    /// Saves a profile in place of the one of that name.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be written.
    pub fn save(&self, profile: &Profile) -> Result<(), Failure> {
        let path = self.path(&profile.name);
        let text = serde_json::to_vec_pretty(profile).unwrap_or_default();
        files::make_private_folder(&self.folder)
            .and_then(|()| files::write(&path, &text, Access::Private))
            .map_err(|error| {
                file_failure("write the profile", &path, &error).hint(
                    "set HOME, or XDG_CONFIG_HOME, to a folder that you can write to: export HOME=/tmp/home-$(id -u)",
                )
            })
    }

    /// Notes that an account has been certified in a tenant that it is a guest of, so that what is kept for it is found again.
    /// Call it under the lock that certificates of the profile are issued under.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be read or written.
    pub fn note_guest(&self, name: &ProfileName, tenant: &TenantId) -> Result<(), Failure> {
        let mut profile = self.load(name)?;
        if profile.tenants().any(|known| known == tenant) {
            return Ok(());
        }
        profile.guest_in.push(tenant.clone());
        self.save(&profile)
    }

    /// Removes a profile.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be removed.
    pub fn remove(&self, name: &ProfileName) -> Result<(), Failure> {
        let path = self.path(name);
        files::remove_if_there(&path)
            .map_err(|error| file_failure("remove the profile", &path, &error))
    }

    /// Returns the names of all profiles, sorted.
    ///
    /// # Errors
    /// [`Failure`] if the folder is there and cannot be read.
    pub fn names(&self) -> Result<Vec<ProfileName>, Failure> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_failure("read the folder", &self.folder, &error)),
        };
        let mut names: Vec<ProfileName> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_suffix(".json")?.parse().ok()
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Returns the profiles but this one, as far as they can be read.
    ///
    /// # Errors
    /// [`Failure`] if the folder is there and cannot be read.
    pub fn others(&self, name: &ProfileName) -> Result<Others, Failure> {
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

    /// Tells whether one of them is of this account in this tenant.
    #[must_use]
    pub fn use_account(&self, profile: &Profile, tenant: &TenantId) -> bool {
        self.0.iter().any(|other| {
            other.account == profile.account && other.tenants().any(|theirs| theirs == tenant)
        })
    }
}
