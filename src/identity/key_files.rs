use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::certificate_file::MAX_FILE_BYTES;
use super::error::IdentityError;
use super::place::Place;
use crate::host::files::{self, Access, FileAction, FileError};
use crate::host::paths::Paths;
use crate::ids::{ProfileName, TenantId};
use crate::issue::Issued;
use crate::ssh_config::key_file_name;

/// The files of a key and its certificate, by the names that the managed config has for them.
pub(super) struct KeyFiles {
    pub(super) private: PathBuf,
    pub(super) public: PathBuf,
    pub(super) certificate: PathBuf,
}

impl KeyFiles {
    /// Returns the files of a profile in a tenant; without one, in the tenant that the profile is signed in to.
    pub(super) fn of(paths: &Paths, profile: &ProfileName, tenant: Option<&TenantId>) -> Self {
        let private = paths.ssh_keys().join(key_file_name(profile, tenant));
        Self {
            public: with_suffix(&private, ".pub"),
            certificate: with_suffix(&private, "-cert.pub"),
            private,
        }
    }

    pub(super) fn all(&self) -> [&Path; 3] {
        [&self.private, &self.public, &self.certificate]
    }

    /// Returns the file of the key that ssh needs besides the certificate.
    pub(super) fn key_for(&self, place: Place) -> &Path {
        match place {
            Place::Files => &self.private,
            Place::UserAgent => &self.public,
        }
    }

    /// Writes what ssh needs for a place.
    ///
    /// Hosts of both kinds have files of one name, and ssh believes each of them, so that no file may hold an earlier key. What
    /// only the other kind needs is written if it exists.
    pub(super) fn write(&self, place: Place, issued: &Issued) -> Result<(), IdentityError> {
        if place == Place::Files || self.private.exists() {
            let private = issued.key_pair.to_private_key_file()?;
            write(&self.private, private.expose())?;
        }
        if place == Place::UserAgent || self.public.exists() {
            write(&self.public, public_key_line(issued).as_bytes())?;
        }
        let certificate = issued.certificate.to_openssh();
        write(&self.certificate, certificate.as_bytes())?;
        Ok(())
    }
}

/// Makes the folder of key files.
pub(super) fn make_folder(paths: &Paths) -> Result<PathBuf, FileError> {
    let folder = paths.ssh_keys();
    match files::make_private_folder(&folder) {
        Ok(()) => Ok(folder),
        Err(source) => Err(FileError::new(FileAction::MakeFolder, &folder, source)),
    }
}

/// Writes a file unless it holds that already: most of the time nothing has changed.
fn write(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let held = files::read_if_there(path, MAX_FILE_BYTES).ok().flatten();
    if held.is_some_and(|held| Zeroizing::new(held).as_slice() == contents) {
        return Ok(());
    }
    files::write(path, contents, Access::Private)
        .map_err(|source| FileError::new(FileAction::Write, path, source))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn public_key_line(issued: &Issued) -> String {
    let key = issued.key_pair.public_key();
    format!("{} {}\n", key.algorithm(), STANDARD.encode(key.blob()))
}
